import ArgumentParser
import HoldfastBasics
import HoldfastMethods
import HoldfastReports
import HoldfastStudies
import HoldfastTraining

struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Look for the layers and modules to train (CoFiTune's tree search).",
    discussion: """
      Short probes of the recipe, each training one region, are scored on the items that its `search:` part names: the \
      domain (speciality) and what the model knew (versatility). The best region is run in full beside full tuning and \
      written as a recipe. Flags override the recipe as in `tune`. Stopped or killed, the same command with the same \
      output goes on and repeats no finished run.
      """)

  @Argument(help: "The recipe, YAML or JSON, with a `search:` part.") var recipe: String
  @Flag(help: "Run every node of the tree in full in place of the search.") var lattice = false
  @Flag(help: "Go on though threads, libtorch or processor are others: the last bits will differ.") var allowOtherBits = false
  @Argument(parsing: .captureForPassthrough, help: .hidden) var overrides: [String] = []

  func run() throws {
    var flags = overrides
    func takes(_ flag: String, _ isGiven: Bool) -> Bool {
      let found = flags.contains(flag)
      flags.removeAll { $0 == flag }
      return isGiven || found
    }
    let isLattice = takes("--lattice", lattice), others = takes("--allow-other-bits", allowOtherBits)
    if flags.contains("--help") || flags.contains("-h") { throw CleanExit.helpRequest(self) }
    let read: Recipe
    do {
      read = try Recipe(file: recipe, overrides: Overrides.parse(flags), methods: tuningMethods.map { $0.keys })
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
    let output = read.output ?? "runs/\(ThisProcess.stamp())-search"
    var search = try RegionSearch(
      PreparedRun(
        read, methods: tuningMethods, place: modelFolder(read.model), workers: Machine.processors, cache: dataCache(isStrict: false),
        messages: chatTemplate),
      output: output)
    search.isLattice = isLattice
    search.allowOtherBits = others
    ThisProcess.noteInterrupts()
    let began = ThisProcess.now()
    let result = try search.search(surroundings: ThisProcess.surroundings, observer: SearchConsole()) { event in
      switch event {
      case .measured(let base):
        printError("base: speciality \(SearchReport.text(SearchScores.mean(base.speciality))), versatility \(SearchReport.text(SearchScores.mean(base.versatility)))")
      case .running(let node, let level, let steps, let isKnown):
        printError("\(node.label), \(steps) steps\(level > 0 ? ", level \(level)" : "")\(isKnown ? ": finished before" : "")")
      case .visited(let visited, let cost):
        printError(
          "  speciality \(SearchReport.text(visited.speciality)), versatility \(SearchReport.text(visited.versatility)); \(visited.verdict); \(Numbers.fixed(cost, 2)) full runs so far")
      case .measuredInFull(let full):
        printError("  \(full.name) in full: speciality \(SearchReport.text(SearchScores.mean(full.scores.speciality))), versatility \(SearchReport.text(SearchScores.mean(full.scores.versatility)))")
      case .reading(let what): printError("reading \(what)")
      }
    }
    guard let result else {
      printError("interrupted; go on with: holdfast search \(recipe) --output \(output)")
      throw ExitCode(ThisProcess.interruptedStatus)
    }
    let report = SearchReport(result: result)
    try Files.writeAtomically(report.page.html, to: output + "/report.html")
    print(report.terminalMap)
    print(report.nodeTable(explained: false).terminal(width: Terminal.width, colour: Terminal.hasColour))
    if !result.full.isEmpty { print(report.fullTable.terminal(width: Terminal.width, colour: Terminal.hasColour)) }
    print("\(report.summary); \(Numbers.duration(ThisProcess.now() - began))")
    print("the page: \(output)/report.html")
    print(result.recipe)
  }
}

/// Passes Ctrl-C on to the run that is going on.
private final class SearchConsole: RunObserver {
  func observe(_ event: RunEvent) throws -> RunAnswer { ThisProcess.isInterrupted ? .stop : .goOn }
}
