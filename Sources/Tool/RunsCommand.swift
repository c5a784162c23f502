public import ArgumentParser
import HoldfastBasics
import HoldfastRecords
import HoldfastReports
public import HoldfastRunIndex
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs", abstract: "Runs and studies below a folder: find, compare, look at one.",
    discussion: """
      An index beside the folders (.index.sqlite) spares reading them again. It is only a cache: what has changed is read, what is gone \
      is dropped, and an index that is lost or damaged is made anew. `holdfast runs list --help` has the conditions.
      """,
    subcommands: [RunsListCommand.self, RunsShowCommand.self], defaultSubcommand: RunsListCommand.self)
}

/// Where the runs lie.
struct RunsPlace: ParsableArguments {
  @Option(help: "The folder that holds the runs.") var folder = "runs"
  @Flag(help: "Throw the index away and read every folder again.") var rebuild = false

  func index() throws -> RunIndex {
    guard Files.isFolder(folder) else {
      throw FileError(path: folder, doing: "list the runs of", code: 0, reason: "no such folder; name the one that holds them with --folder")
    }
    var root = folder
    while root.count > 1, root.hasSuffix("/") { root.removeLast() }
    let index = try RunIndex(of: root, anew: rebuild)
    for words in index.change.broken { printError("warning: \(words)") }
    if !index.isKept { printError("note: the index cannot be kept in \(root); every folder was read") }
    return index
  }
}

struct RunsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "A row for each run or study, the newest first.",
    discussion: """
      Every condition that is given must hold. --where takes facts (loss, steps, seed, learning_rate, trained, seconds, state, …) and scores by \
      name: --where "loss < 1.2 and held_out.loss < 2". Runs of a study, a search or a sequence of stages are counted with it; --all lists them too.
      """)

  @OptionGroup var place: RunsPlace
  @Option(help: "Part of a method's or adapter's name.") var method: String?
  @Option(help: "Part of the model's path.") var model: String?
  @Option(help: "run, study, search or stages.") var kind: RunIndex.Entry.Kind?
  @Option(help: "finished, stopped, failed, or open: at work or killed.") var state: RunIndex.Entry.State?
  @Option(help: "Only what changed since then: 30m, 12h, 7d, 2w, or a day as 2026-11-21.") var since: String?
  @Option(name: .customLong("where"), help: "A condition such as \"loss < 1.2\"; may be given several times.") var conditions: [String] = []
  @Option(help: "A fact or score to sort by, the least first; without it the newest comes first.") var sort: String?
  @Flag(help: "The other way round.") var descending = false
  @Option(help: "A score to show; may be given several times.") var score: [String] = []
  @Flag(help: "Also the runs inside studies, searches and sequences of stages.") var all = false
  @Option(help: "At most so many.") var limit: Int?
  @Flag(help: "Print JSON lines instead of a table.") var json = false

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be 1 or more") }
    if let since, Moment.since(since) == nil { throw ValidationError("--since is \(since), but 30m, 12h, 7d, 2w or a day as 2026-11-21 is understood") }
    for text in conditions {
      do { _ = try RunIndex.Condition.read(text) } catch { throw ValidationError("--where: \(error)") }
    }
  }

  func run() throws {
    let index = try place.index()
    var query = RunIndex.Query()
    query.method = method
    query.model = model
    query.kind = kind
    query.state = state
    query.since = since.flatMap(Moment.since)
    query.conditions = try conditions.flatMap { try RunIndex.Condition.read($0) }
    query.includesParts = all
    query.sort = sort
    query.isDescending = descending
    query.limit = limit
    let found: [RunIndex.Entry], known = try index.scoreNames()
    do { found = try index.find(query) } catch let problems as Problems {
      printError("Error: \(problems)")
      throw ExitCode(64)
    }
    for name in score where !known.contains(name) {
      printError("warning: no run has a score \(name)" + (nearestName(to: name, among: known).map { "; did you mean \($0)?" } ?? ""))
    }
    if json {
      for entry in found { print(RunsText.json(entry).text()) }
      return
    }
    let change = index.change, count = change.kept + change.read
    if found.isEmpty {
      print(count == 0 ? "no runs in \(place.folder)" : "none of the \(count) runs in \(place.folder) fits")
      return
    }
    print(RunsText.table(found, scores: shownScores(found, known)).terminal(width: Terminal.width, colour: Terminal.hasColour))
    print("\(found.count) of \(count) in \(place.folder)")
  }

  /// What was asked for; else what conditions and the order name, and then what most of the rows have.
  private func shownScores(_ found: [RunIndex.Entry], _ known: [String]) -> [String] {
    if !score.isEmpty { return score }
    var names: [String] = []
    let asked = conditions.flatMap { (try? RunIndex.Condition.read($0)) ?? [] }.map(\.name) + (sort.map { [$0] } ?? [])
    for name in asked where known.contains(name) && !names.contains(name) { names.append(name) }
    var counts: [String: Int] = [:]
    for name in found.flatMap(\.scores.keys) { counts[name, default: 0] += 1 }
    for (name, _) in counts.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) where names.count < (Terminal.width < 120 ? 1 : 2) && !names.contains(name) { names.append(name) }
    return names
  }
}

struct RunsShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "One run or study: its facts, its scores, and what to do with it.")

  @OptionGroup var place: RunsPlace
  @Argument(help: "Its path, its folder's name, or an unmistakable part of it.") var name: String
  @Flag(help: "Print one JSON object, the recipe included.") var json = false

  func run() throws {
    let index = try place.index(), entry = try index.entry(named: name)
    let folder = entry.path == "." ? index.root : index.root + "/" + entry.path
    if json {
      var object = RunsText.json(entry).object ?? JSONObject()
      object["folder"] = .string(folder)
      if entry.kind == .run { object["recipe"] = .object(try Manifest(file: RunFolder(folder).manifest).recipe) }
      print(JSON.object(object).text())
      return
    }
    print(try RunsText.page(entry, folder: folder))
  }
}

extension RunIndex.Entry.Kind: ExpressibleByArgument {}
extension RunIndex.Entry.State: ExpressibleByArgument {}

/// How entries are shown.
enum RunsText {
  static func table(_ entries: [RunIndex.Entry], scores: [String]) -> Table {
    var table = Table(columns: [
      .init("folder", .left), .init("what", .left), .init("model", .left), .init("method", .left), .init("steps"), .init("loss"),
    ] + scores.map { .init($0) } + [.init("state", .left), .init("changed")])
    for entry in entries {
      table.add(
        [
          .init(shortened(entry.path), .strong), .init(entry.kind.rawValue), .init(Files.name(of: entry.model)), .init(entry.method), .init(steps(entry)),
          .init(entry.loss.map { Numbers.significant($0) } ?? ""),
        ] + scores.map { .init(entry.scores[$0].map { Numbers.significant($0) } ?? "") } + [
          .init(entry.state.rawValue, entry.state == .failed ? .bad : entry.state == .finished ? .none : .faint), .init(Moment.text(entry.modified), .faint),
        ])
    }
    return table
  }

  /// Of a long path the end, which tells it from its neighbours.
  private static func shortened(_ path: String) -> String { path.count <= 36 ? path : "…" + path.suffix(35) }

  /// `60/100`; one number where all is done or nothing is known.
  private static func steps(_ entry: RunIndex.Entry) -> String {
    guard let steps = entry.steps else { return "" }
    return entry.planned.map { $0 == steps ? "\(steps)" : "\(steps)/\($0)" } ?? "\(steps)"
  }

  static func json(_ entry: RunIndex.Entry) -> JSON {
    func text(_ value: String?) -> JSON { value.map { .string($0) } ?? .null }
    func whole(_ value: Int?) -> JSON { value.map { .integer($0) } ?? .null }
    func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
    return [
      "path": .string(entry.path), "part_of": text(entry.part), "kind": .string(entry.kind.rawValue), "state": .string(entry.state.rawValue),
      "reason": text(entry.reason), "model": .string(entry.model), "method": .string(entry.method), "seed": whole(entry.seed),
      "learning_rate": number(entry.learningRate), "steps": whole(entry.steps), "planned": whole(entry.planned), "loss": number(entry.loss),
      "trained": number(entry.trained), "seconds": number(entry.seconds), "device": text(entry.device), "libtorch": text(entry.libtorch),
      "modified": .number(entry.modified), "scores": .object(JSONObject(entry.scores.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })),
    ]
  }

  /// Everything that is known of one, line by line.
  static func page(_ entry: RunIndex.Entry, folder: String) throws -> String {
    var lines: [(name: String, value: String)] = [("folder", folder), ("what", entry.kind.rawValue)]
    if let part = entry.part { lines.append(("part of", part)) }
    lines.append(("state", entry.state.rawValue + (entry.reason.map { ": \($0)" } ?? entry.meaning)))
    lines += [("model", entry.model), ("method", entry.method)]
    lines.append((entry.unit, steps(entry)))
    if let loss = entry.loss { lines.append(("loss", Numbers.significant(loss) + " in the last step")) }
    if let rate = entry.learningRate { lines.append(("learning rate", Numbers.significant(rate))) }
    if let seed = entry.seed { lines.append(("seed", "\(seed)")) }
    if let trained = entry.trained { lines.append(("trained", "\(Numbers.percent(trained)) % of the parameters")) }
    if let seconds = entry.seconds { lines.append(("took", Numbers.duration(seconds))) }
    if let device = entry.device { lines.append(("on", device + (entry.libtorch.map { ", libtorch \($0)" } ?? ""))) }
    lines.append(("changed", Moment.text(entry.modified)))
    let wide = lines.map(\.name.count).max() ?? 0
    func padded(_ name: String) -> String { name + String(repeating: " ", count: wide - name.count) }
    var out = lines.filter { !$0.value.isEmpty }.map { "\(padded($0.name))  \($0.value)\n" }.joined()
    if entry.kind == .run, let losses = try? RunFolder(folder).readMetrics().steps.map(\.loss), losses.count > 1 {
      out += "\(padded("loss"))  \(sparkline(losses, width: 60))\n"
    }
    if !entry.scores.isEmpty {
      var table = Table(columns: [.init("score", .left), .init("last value")])
      for (name, value) in entry.scores.sorted(by: { $0.key < $1.key }) { table.add([.init(name), .init(Numbers.significant(value))]) }
      out += "\n" + table.terminal(width: Terminal.width, colour: Terminal.hasColour)
    }
    let hints = entry.hints(folder)
    if !hints.isEmpty { out += "\n" + hints.joined(separator: "\n") + "\n" }
    return String(out.dropLast())
  }
}

extension RunIndex.Entry {
  fileprivate var meaning: String { state == .open ? ": it is at work, or was killed" : "" }

  /// What `steps` counts.
  fileprivate var unit: String {
    switch kind {
    case .run: "steps"
    case .study: "points"
    case .search: "runs"
    case .stages: "stages"
    }
  }

  /// What can be done with it.
  fileprivate func hints(_ folder: String) -> [String] {
    var hints: [String] = []
    if state != .finished, kind == .run || kind == .stages, part == nil { hints.append("go on: holdfast resume \(folder)") }
    for (what, name) in [("its page", "report.html"), ("the result", "final"), ("the recommended recipe", "recommended.yaml")]
    where Files.exists(folder + "/" + name) { hints.append("\(what): \(folder)/\(name)") }
    return hints
  }
}

/// Moments as people write and read them, in local time.
private enum Moment {
  /// Seconds since 1970 of `7d` ago, or of the beginning of a day.
  static func since(_ text: String) -> Double? {
    if let unit = text.last.flatMap({ ["m": 60.0, "h": 3600, "d": 86400, "w": 604_800][$0] }), let count = Double(text.dropLast()), count >= 0 {
      return ThisProcess.wallTime() - count * unit
    }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) }
    guard parts.count == 3, let year = parts[0], let month = parts[1], let day = parts[2], year > 1900, (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    var time = tm()
    time.tm_year = year - 1900
    time.tm_mon = month - 1
    time.tm_mday = day
    time.tm_isdst = -1
    return Double(mktime(&time))
  }

  /// `2026-11-21 14:30`
  static func text(_ seconds: Double) -> String {
    var whole = time_t(seconds), time = tm()
    localtime_r(&whole, &time)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(time.tm_year + 1900)-\(two(time.tm_mon + 1))-\(two(time.tm_mday)) \(two(time.tm_hour)):\(two(time.tm_min))"
  }
}
