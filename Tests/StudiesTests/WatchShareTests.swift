import HoldfastBasics
import HoldfastDatasets
import HoldfastMethods
import HoldfastRecords
import HoldfastTraining
import Synchronization
import Testing

/// A run by a clock that the test makes: every look at it takes a while, and nothing else does.
struct WatchShareTests {
  private final class Clock: Sendable {
    private let ticks = Atomic<Int>(0)
    func now() -> Double { Double(ticks.wrappingAdd(1, ordering: .relaxed).newValue) / 4 }
  }

  private final class Console: RunObserver {
    var shares: [Double] = []
    func observe(_ event: RunEvent) throws -> RunAnswer {
      if case .watched(_, _, let share) = event { shares.append(share) }
      return .goOn
    }
  }

  @Test(arguments: [0.05, 0.1]) func aRunKeepsTheShareThatItWasTold(share: Double) throws {
    let folder = Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/.build/watch-test-\(share)"
    try Files.remove(folder)
    defer { try? Files.remove(folder) }
    try Files.makeFolder(folder + "/model")
    let world = LittleWorld()
    try Files.writeAtomically(LittleWorld.Size.small.configuration.text(), to: folder + "/model/config.json")
    try Files.writeAtomically(LittleWorld.tokenizerJSON.text(), to: folder + "/model/tokenizer.json")
    try Files.writeAtomically(world.jsonl(.clinic, .train, count: 40), to: folder + "/train.jsonl")
    try Files.writeAtomically(world.jsonl(.clinic, .validation, count: 4), to: folder + "/domain.jsonl")
    try Files.writeAtomically(world.pretrainingJSONL(count: 4), to: folder + "/general.jsonl")
    let steps = 120
    let recipe = try Recipe(
      [
        "model": .string(folder + "/model"), "initialize": "random", "data": .string(folder + "/train.jsonl"), "sequence_length": 64, "batch": 1,
        "steps": .integer(steps), "learning_rate": 1e-3, "threads": 1,
        "watch": ["general": .string(folder + "/general.jsonl"), "domain": .string(folder + "/domain.jsonl"), "items": 4, "share": .number(share), "keep": "none"],
      ], methods: tuningMethods.map { $0.keys })
    let clock = Clock(), console = Console()
    let run = try PreparedRun(recipe, methods: tuningMethods, messages: { _ in nil })
    let surroundings = Surroundings(now: { clock.now() }, peakBytes: { 0 }, processor: "any", cores: 1, code: "test")
    let result = try Trainer.start(run, in: folder + "/run", surroundings: surroundings, observer: console)
    let (_, scores) = try result.folder.readMetrics(), last = try #require(result.folder.readTiming().last)
    let points = scores.filter { $0.name == WatchPoint.domainName }.compactMap(\.step)
    #expect(points.first == 0 && points.last == steps && points.count == console.shares.count && points.count > 4, "\(points)")
    // The last look comes after the last line of the clock; a look took one tick of a quarter of a second.
    let watching = try #require(last.watchSeconds) + 0.25, all = last.seconds + 0.5
    #expect(watching == 0.25 * Double(points.count))
    #expect(watching / all <= share && watching / all > share * 0.7, "\(watching) of \(all) seconds")
    #expect(abs(console.shares.last! - watching / all) < 0.01)
    let gaps = zip(points, points.dropFirst()).map { $1 - $0 }
    #expect(gaps.max()! <= 2 * gaps.min()!, "\(gaps)")
  }
}
