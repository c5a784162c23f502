import HoldfastBasics
import HoldfastTraining
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

struct ScheduleTests {
  /// The plan of ten AdamW steps with which the engine is compared: 3 warm-up steps, peak 0.02, cosine.
  @Test func tenSteps() {
    let schedule = Schedule(.cosine, peak: 0.02, warmup: .steps(3))
    for k in 0..<10 {
      let expected =
        k < 3 ? 0.02 * Double(k) / 3 : 0.02 * (1 + cos(.pi * Double(k - 3) / 7)) / 2
      #expect(abs(schedule.rate(step: k, of: 10) - expected) < 1e-16)
    }
    #expect(schedule.rate(step: 0, of: 10) == 0 && schedule.rate(step: 3, of: 10) == 0.02)
    #expect(schedule.rate(step: 10, of: 10) < 1e-17 && schedule.rate(step: 99, of: 10) < 1e-17)
  }

  /// Rates as transformers 5.17 gives them for 12 steps, peak 1.
  @Test func transformersRates() {
    let linear = Schedule(.linear, peak: 1, warmup: .steps(4))
    #expect((0..<12).map { linear.rate(step: $0, of: 12) } == [0, 0.25, 0.5, 0.75, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
    let stable = Schedule(.warmupStableDecay, peak: 1, warmup: .steps(2), decay: .steps(4))
    #expect((0..<12).map { stable.rate(step: $0, of: 12) } == [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    let constant = Schedule(.constant, peak: 1, warmup: .steps(2))
    #expect((0..<5).map { constant.rate(step: $0, of: 5) } == [0, 0.5, 1, 1, 1])
  }

  @Test func floorAndShares() {
    let schedule = Schedule(.linear, peak: 2, warmup: .share(0.1), floor: 0.5)
    #expect(schedule.rate(step: 0, of: 11) == 0)  // ceil(1.1) = 2 warm-up steps
    #expect(schedule.rate(step: 1, of: 11) == 1)
    #expect(schedule.rate(step: 2, of: 11) == 2)
    #expect(schedule.rate(step: 11, of: 11) == 1)
    let cosine = Schedule(.cosine, peak: 1, floor: 0.25)
    #expect(abs(cosine.rate(step: 5, of: 10) - 0.625) < 1e-15)
    // A decay longer than what warm-up leaves begins right after it.
    let short = Schedule(.warmupStableDecay, peak: 1, warmup: .steps(4), decay: .steps(100))
    #expect(short.rate(step: 4, of: 8) == 1 && short.rate(step: 6, of: 8) == 0.5)
  }

  @Test func warmupIsAShareOrSteps() throws {
    func warmup(_ value: JSON) -> Extent? {
      try? Recipe(RecipeTests.with(("schedule", ["warmup": value]))).schedule.warmup
    }
    #expect(warmup(100) == .steps(100) && warmup(0.5) == .share(0.5) && warmup(0) == .steps(0))
    #expect(warmup(1.5) == nil && warmup(-1) == nil && warmup("x") == nil)
    #expect(
      RecipeTests.complaints(RecipeTests.with(("schedule", ["kind": "cosine", "decay": 0.1])))
        == ["schedule.decay: is read only with kind: warmup_stable_decay"])
    #expect(
      RecipeTests.complaints(RecipeTests.with(("schedule", ["kind": "constant", "floor": 0.1])))
        == ["schedule.floor: is not read with kind: constant"])
  }
}
