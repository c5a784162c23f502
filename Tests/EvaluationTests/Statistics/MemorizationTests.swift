import HoldfastEvaluation
import Testing

@Suite("Memorization") struct MemorizationTests {
  @Test("the best accuracy before an answer is known by heart, and never more than the last one")
  func definition() {
    let found = Memorization(
      accuracies: [[0, 0.5, 0, 1], [1, 0.5, 0, 1], [1, 1, 1, 0]],
      perplexities: [[4, 3, 5, 1.1], [2.5, 1.5, 4, 3], [1.2, 1.1, 1.4, 2.5]], threshold: 2)
    // Solved before it was memorized; half solved before; solved only once it was memorized; solved and then lost.
    #expect(found.preMemorization == [1, 0.5, 0, 0])
    #expect(found.memorizedAt == [2, 1, 2, 0])
    #expect(found.memorized == [0.25, 0.25, 0.75])
    #expect(found.accuracies.map(\.value) == [0.375, 0.625, 0.75])
    #expect(found.estimate.value == 0.375)
  }
}
