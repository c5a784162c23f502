import HoldfastDatasets
import HoldfastTokenizers
import Testing

@Suite("A few examples of a dataset")
struct SliceTests {
  private func example(_ ids: [Int], source: Int = 0, line: Int, isTrained: Bool = true) -> Example {
    Example(rendering: Rendering(ids: ids, isTrained: ids.map { _ in isTrained }), source: source, line: line)
  }

  @Test("are the same each time, in their order, and no more than there are")
  func drawn() {
    let examples = (0..<200).map { example([5, 6, $0 + 10], source: $0 < 150 ? 0 : 1, line: $0 + 1) }
    let dataset = Dataset(examples: examples), (slice, numbers) = dataset.slice(of: 40)
    #expect(numbers.count == 40 && numbers == numbers.sorted() && Set(numbers).count == 40 && numbers == dataset.slice(of: 40).numbers)
    #expect(slice.examples.map(\.self) == numbers.map { examples[$0] })
    // Of both sources, about as they are: 30 ± 2.5.
    #expect((20...38).contains(numbers.count { $0 < 150 }))
    #expect(numbers != Array(0..<40) && dataset.slice(of: 500).numbers == Array(0..<200))
  }

  @Test("and those that are trained on are known by their tokens")
  func shared() {
    let watched = Dataset(examples: [example([1, 2, 3], line: 1), example([1, 2], line: 2), example([9, 9, 9, 9], line: 3), example([1, 2, 3], line: 4)])
    // What is learnt of a row does not matter; a longer or shorter one is another.
    let training = Dataset(examples: [example([1, 2, 3], line: 1, isTrained: false), example([1], line: 2), example([9, 9, 9, 9, 9], source: 1, line: 1)])
    #expect(watched.examples(alsoIn: training) == [0, 3] && training.examples(alsoIn: watched) == [0])
    #expect(watched.slice(of: 4).dataset.examples(alsoIn: training) == [0, 3])
  }
}
