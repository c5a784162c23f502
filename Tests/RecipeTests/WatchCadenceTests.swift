import HoldfastBasics
import HoldfastTraining
import Testing

/// When a run looks at what it watches, by a clock that the test makes.
struct WatchCadenceTests {
  /// A run in which a step takes `step(n)` seconds and a look `look(n)`; the looks' steps and the share of the time that they took.
  private func run(_ total: Int, share: Double, stopping at: Int? = nil, step: (Int) -> Double, look: (Int) -> Double) throws -> (looks: [Int], share: Double) {
    var cadence = WatchCadence(), training = 0.0, watching = 0.0, looks = [0]
    func watch(_ done: Int) {
      let seconds = look(looks.count - 1)
      watching += seconds
      cadence.looked(seconds, after: done, of: total, share: share)
    }
    watch(0)
    for done in 1...total {
      training += step(done - 1)
      if cadence.isDue(after: done, of: total, training: training, share: share) {
        looks.append(done)
        watch(done)
      }
      // A kill and a resume: what a checkpoint kept is all that is known.
      if done == at { cadence = try #require(WatchCadence(JSON(text: cadence.json.text()))) }
    }
    #expect(looks.last == total && abs(cadence.watching - watching) < 1e-9 && abs(cadence.training - training) < 1e-9)
    return (looks, watching / (watching + training))
  }

  @Test func theShareIsKeptAndTheLooksAreEven() throws {
    let found = try run(1000, share: 0.03, step: { _ in 1 }, look: { _ in 2 })
    // 1000 · 0.03 / 0.97 = 30.9 seconds: 15 looks of 2 seconds.
    #expect(found.looks.count == 15 && found.share <= 0.03 && found.share > 0.028, "\(found)")
    let gaps = zip(found.looks, found.looks.dropFirst()).map { $1 - $0 }
    #expect(gaps.max()! - gaps.min()! <= 4, "\(gaps)")
  }

  @Test(arguments: [0.01, 0.03, 0.2]) func theShareHoldsWhateverTheClockDoes(share: Double) throws {
    var random = CounterGenerator(seed: 3, "clock")
    let noise = (0..<4000).map { _ in 0.2 + Double(random.below(1000)) / 400 }
    func holds(_ name: String, step: (Int) -> Double, look: (Int) -> Double) throws {
      let found = try run(2000, share: share, step: step, look: look)
      #expect(found.share <= share * 1.1, "\(name): \(found.share)")
      #expect(found.share >= share * 0.5, "\(name): \(found.share), \(found.looks.count) looks")
    }
    try holds("slow to begin with", step: { $0 == 0 ? 60 : 1 }, look: { _ in 1 })
    try holds("the first look is the slowest", step: { _ in 1 }, look: { $0 == 0 ? 5 : 1 })
    try holds("uneven", step: { noise[$0] }, look: { noise[$0] * 2 })
    try holds("faster and faster", step: { 2 - Double($0) / 1100 }, look: { _ in 1.5 })
    try holds("slower and slower", step: { 0.2 + Double($0) / 500 }, look: { _ in 1.5 })
    try holds("much faster from the middle on", step: { $0 < 1000 ? 4 : 0.5 }, look: { _ in 1 })
  }

  @Test func aKillChangesNothingOfIt() throws {
    let whole = try run(700, share: 0.05, step: { 1 + Double($0 % 7) / 10 }, look: { _ in 3 })
    for at in [1, 33, 350, 699] {
      let stopped = try run(700, share: 0.05, stopping: at, step: { 1 + Double($0 % 7) / 10 }, look: { _ in 3 })
      #expect(stopped == whole, "\(at)")
    }
  }

  /// Where not even two looks can be afforded these two are made all the same, and no other.
  @Test func aShortRunHasItsBeginningAndItsEnd() throws {
    #expect(try run(20, share: 0.03, step: { _ in 1 }, look: { _ in 5 }).looks == [0, 20])
    #expect(try run(1, share: 0.03, step: { _ in 1 }, look: { _ in 5 }).looks == [0, 1])
    // Looks that take no time are taken after every step; how long one takes is known after the first.
    #expect(try run(6, share: 0.03, step: { _ in 1 }, look: { _ in 0 }).looks == [0, 2, 3, 4, 5, 6])
  }

  /// A checkpoint for the sake of the best point is part of what watching takes.
  @Test func savingCounts() {
    var cadence = WatchCadence()
    cadence.looked(1, after: 0, of: 1000, share: 0.1)
    let isDue = cadence.isDue(after: 1, of: 1000, training: 1, share: 0.1), before = cadence.next ?? 0
    #expect(!isDue)
    cadence.looked(1, after: 20, of: 1000, share: 0.1)
    cadence.saved(9, after: 20, of: 1000, share: 0.1)
    #expect(cadence.watching == 11 && (cadence.next ?? 0) - 20 > 5 * before, "\(before), \(cadence.next ?? 0)")
  }
}
