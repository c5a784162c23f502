import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastMethods
import HoldfastRecords
import HoldfastStudies
import HoldfastTokenizers
import HoldfastTraining

struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune", abstract: "Train a model by a recipe.",
    discussion: """
      Every key of the recipe can be given as a flag, dashes for underscores and dots for parts: --learning-rate 1e-4, \
      --batch.rows 4. Flags win over the file. Ctrl-C saves and ends with status 130; `holdfast resume RUN` goes on bit \
      for bit. A second Ctrl-C ends at once.
      """)

  @Argument(help: "The recipe, YAML or JSON.") var recipe: String
  @Flag(help: "One step of everything, saving and exporting included; nothing is left behind.") var dryRun = false
  @Flag(help: "Hash all data again before tokenized copies of it are believed.") var strict = false
  @Argument(parsing: .captureForPassthrough, help: .hidden) var overrides: [String] = []

  func run() throws {
    var flags = overrides
    var isDryRun = dryRun, isStrict = strict
    if let at = flags.firstIndex(of: "--dry-run") {
      flags.remove(at: at)
      isDryRun = true
    }
    if let at = flags.firstIndex(of: "--strict") {
      flags.remove(at: at)
      isStrict = true
    }
    if flags.contains("--help") || flags.contains("-h") { throw CleanExit.helpRequest(self) }
    if try StagedRecipe.has(file: recipe) {
      let staged = try TuneStages.read(recipe, Overrides.parse(flags))
      let output = staged.output ?? "runs/\(ThisProcess.stamp())-stages"
      if isDryRun { return try TuneStages.dryRun(staged, in: output + ".dry-run", isStrict: isStrict) }
      return try TuneStages.run(staged, in: output, isStrict: isStrict)
    }
    let recipe = try readRecipe(flags)
    if recipe.search != nil {
      printError("Error: \(self.recipe): search: `holdfast search` reads it, `tune` trains by the method as it stands; take it out, or take the recipe that the search wrote")
      throw ExitCode(64)
    }
    let output = recipe.output ?? "runs/\(ThisProcess.stamp())-tune"
    let run = try PreparedRun(
      recipe, methods: tuningMethods, place: modelFolder(recipe.model), workers: Machine.processors,
      cache: dataCache(isStrict: isStrict), messages: chatTemplate)
    if isDryRun {
      let console = RunConsole(run, folder: output + ".dry-run")
      try Trainer.dryRun(run, in: output + ".dry-run", surroundings: ThisProcess.surroundings, observer: console)
      print("dry run: one step, its checkpoint and its export are fine; nothing was left behind")
      return
    }
    if Files.exists(output), Files.isFolder(output), try !Files.list(output).isEmpty {
      throw FileError(
        path: output, doing: "begin a run in", code: 0,
        reason: Files.exists(output + "/manifest.json") ? "a run is there; `holdfast resume \(output)` goes on with it, or name another output" : "the folder is not empty")
    }
    ThisProcess.noteInterrupts()
    let console = RunConsole(run, folder: output)
    let result = try Trainer.start(run, in: output, surroundings: ThisProcess.surroundings, observer: console)
    try console.finish(result)
  }

  /// What is wrong with a recipe or a flag is the command line's: exit status 64.
  private func readRecipe(_ flags: [String]) throws -> Recipe {
    do {
      return try Recipe(file: recipe, overrides: Overrides.parse(flags), methods: tuningMethods.map { $0.keys })
    } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
  }
}

struct ResumeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Go on with a run where its newest whole checkpoint stands.",
    discussion: "On the same machine, libtorch and number of threads the result has the same bits as a run that was never stopped.")

  @Argument(help: "The run's folder.") var folder: String
  @Flag(help: "Hash all data again before tokenized copies of it are believed.") var strict = false
  @Flag(help: "Resume though threads, libtorch or processor are others: the last bits will differ.") var allowOtherBits = false

  func run() throws {
    if TuneStages.isSequence(folder) {
      let staged = try StageSequence.recipe(in: folder, methods: tuningMethods.map { $0.keys })
      return try TuneStages.run(staged, in: folder, isStrict: strict, allowsOtherBits: allowOtherBits)
    }
    let manifest = try Manifest(file: RunFolder(folder).manifest)
    let recipe = try Recipe(manifest.recipe, methods: tuningMethods.map { $0.keys })
    let run = try PreparedRun(
      recipe, methods: tuningMethods, place: modelFolder(recipe.model), workers: Machine.processors,
      cache: dataCache(isStrict: strict), messages: chatTemplate)
    let console = RunConsole(run, folder: folder)
    ThisProcess.noteInterrupts()
    let result = try Trainer.resume(
      run, in: folder, allowOtherBits: allowOtherBits, surroundings: ThisProcess.surroundings, observer: console)
    try console.finish(result)
  }
}

/// The model's own chat template, where its tokenizer brings one.
func chatTemplate(_ model: String) throws -> (any MessageRenderer)? {
  try TemplateMessages(Tokenizer(folder: model))
}

enum Overrides {
  /// `--batch.rows 4 --seed=7` as pairs.
  static func parse(_ words: [String]) throws -> [(key: String, value: String)] {
    var result: [(key: String, value: String)] = [], problems = Problems("command line")
    var rest = words[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("--"), word.count > 2 else {
        problems.add("\"\(word)\" is not expected; keys of the recipe are given as --key value")
        continue
      }
      let body = word.dropFirst(2)
      if let equals = body.firstIndex(of: "=") {
        result.append((String(body[..<equals]), String(body[body.index(after: equals)...])))
      } else if let value = rest.first, !value.hasPrefix("--") {
        result.append((String(body), value))
        rest.removeFirst()
      } else {
        problems.add("\(word) lacks a value")
      }
    }
    try problems.check()
    return result
  }
}
