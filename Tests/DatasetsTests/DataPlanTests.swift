import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

@Suite("Rows, steps and epochs")
struct DataPlanTests {
  private func plan(
    _ examples: [Example], _ packing: Packing, seed: UInt64 = 1, length: Int = 40, rows: Int = 3, accumulate: Int = 2,
    shuffle: Bool = true
  ) throws -> DataPlan {
    try DataPlan(
      Dataset(examples: examples),
      DataPlan.Settings(
        seed: seed, sequenceLength: length, packing: packing, rows: rows, accumulate: accumulate, shuffle: shuffle))
  }

  /// Every (token, next token) that an example teaches, found without packing.
  private func lessons(_ examples: [Example]) -> [[Int]] {
    examples.flatMap { example in
      example.rendering.ids.indices.dropFirst().filter { example.rendering.isTrained[$0] }.map {
        [example.rendering.ids[$0 - 1], example.rendering.ids[$0], $0 - 1]
      }
    }
  }

  @Test("an epoch teaches exactly the marked next tokens, each once", arguments: Packing.allCases, [UInt64(1), 2, 3])
  func everyLabelOnce(packing: Packing, seed: UInt64) throws {
    let examples = randomExamples(101, longest: packing == .wrapped ? 150 : 41, seed: seed)
    let plan = try plan(examples, packing, seed: seed)
    for epoch in 0..<2 {
      let first = plan.steps(forEpochs: Double(epoch))
      var seen: [[Int]] = []
      var rows = 0
      for n in first..<(first + plan.stepsPerEpoch(epoch)) {
        let step = plan.step(n)
        #expect(step.epoch == epoch && step.step == n && step.firstRow == rows)
        #expect(step.units == step.microbatches.reduce(0) { $0 + $1.labels.count { $0 != ignoreIndex } })
        rows += step.rows
        for batch in step.microbatches { seen += try taught(batch, examples) }
      }
      #expect(seen.sorted { $0.lexicographicallyPrecedes($1) } == lessons(examples).sorted { $0.lexicographicallyPrecedes($1) })
    }
  }

  /// What a batch teaches, checking on the way that its segments tile its rows.
  private func taught(_ batch: HostBatch, _ examples: [Example]) throws -> [[Int]] {
    var owner = [Int?](repeating: nil, count: batch.rows * batch.length)
    var result: [[Int]] = []
    var next = [Int](repeating: 0, count: batch.rows)
    for segment in batch.segments {
      try #require(segment.start == next[segment.row] && segment.length > 0)
      next[segment.row] += segment.length
      for i in 0..<segment.length {
        let at = segment.row * batch.length + segment.start + i
        owner[at] = segment.example
        #expect(batch.positions[at] == i)
        #expect(batch.ids[at] == examples[segment.example].rendering.ids[segment.offset + i])
        if batch.labels[at] != ignoreIndex { result.append([batch.ids[at], batch.labels[at], segment.offset + i]) }
      }
    }
    #expect(next.max() == batch.length)
    for at in owner.indices where owner[at] == nil {
      #expect(batch.ids[at] == 0 && batch.positions[at] == 0 && batch.labels[at] == ignoreIndex)
    }
    return result
  }

  @Test("the answer does not depend on who asked before", arguments: Packing.allCases)
  func pure(packing: Packing) throws {
    let examples = randomExamples(57, longest: 41, seed: 9)
    let one = try plan(examples, packing), other = try plan(examples, packing)
    let steps = (0..<30).map { one.step($0).microbatches }
    for n in [29, 3, 17, 0, 28, 11] { #expect(other.step(n).microbatches == steps[n]) }
  }

  @Test("seed and epoch change the order; without shuffling the order is the files'")
  func order() throws {
    let examples = randomExamples(50, longest: 20, seed: 4)
    func order(_ plan: DataPlan, epoch: Int) -> [Int] {
      let first = plan.steps(forEpochs: Double(epoch))
      return (first..<(first + plan.stepsPerEpoch(epoch))).flatMap { plan.step($0).microbatches.flatMap { $0.segments.map(\.example) } }
    }
    let a = try plan(examples, .none, seed: 1), b = try plan(examples, .none, seed: 2)
    let orders = [order(a, epoch: 0), order(a, epoch: 1), order(b, epoch: 0)]
    #expect(Set(orders).count == 3)
    for one in orders { #expect(one.sorted() == Array(0..<50)) }
    #expect(order(try plan(examples, .none, shuffle: false), epoch: 1) == Array(0..<50))
  }

  @Test("best fit fills rows: at most a tenth is padding, and far fewer rows than examples")
  func fill() throws {
    let examples = randomExamples(2000, longest: 60, seed: 5)
    let plan = try plan(examples, .bestFit, length: 64, rows: 1, accumulate: 1)
    let filled = examples.reduce(0) { $0 + $1.rendering.ids.count - 1 }
    let rows = plan.stepsPerEpoch(0)
    #expect(Double(filled) / Double(rows * 64) > 0.9)
  }

  @Test("best fit agrees with a search through all open rows")
  func bestFitOracle() throws {
    let examples = randomExamples(300, longest: 30, seed: 6)
    let plan = try plan(examples, .bestFit, length: 30, rows: 1, accumulate: 1, shuffle: false)
    // Among rows that take it, the one with least room left, and of those the one filled last.
    var rows: [(pieces: [Int], free: Int, time: Int)] = []
    for (time, example) in examples.enumerated() {
      let need = example.rendering.ids.count - 1
      let fitting = rows.indices.filter { rows[$0].free >= need && rows[$0].free > 0 }
      if let best = fitting.min(by: { (rows[$0].free, -rows[$0].time) < (rows[$1].free, -rows[$1].time) }) {
        rows[best].pieces.append(time)
        rows[best].free -= need
        rows[best].time = time
      } else {
        rows.append(([time], 30 - need, time))
      }
    }
    #expect((0..<plan.stepsPerEpoch(0)).map { plan.step($0).microbatches[0].segments.map(\.example) } == rows.map(\.pieces))
  }

  @Test("wrapping leaves no gap before the last row")
  func wrapped() throws {
    let examples = randomExamples(40, longest: 200, seed: 7)
    let plan = try plan(examples, .wrapped, length: 32, rows: 1, accumulate: 1)
    let positions = examples.reduce(0) { $0 + $1.rendering.ids.count - 1 }
    #expect(plan.stepsPerEpoch(0) == (positions + 31) / 32)
    let filled = (0..<plan.stepsPerEpoch(0) - 1).map { plan.step($0).microbatches[0].segments.reduce(0) { $0 + $1.length } }
    #expect(filled.allSatisfy { $0 == 32 })
  }

  @Test("the last step of an epoch has what is left, with its true units")
  func lastStep() throws {
    let examples = randomExamples(20, longest: 10, seed: 8)
    let plan = try plan(examples, .none)  // six rows a step
    #expect(plan.stepsPerEpoch(0) == 4)
    #expect((0..<4).map { plan.step($0).rows } == [6, 6, 6, 2])
    #expect(plan.step(3).microbatches.map(\.rows) == [2])
    #expect((0..<4).reduce(0) { $0 + plan.step($1).units } == Dataset(examples: examples).trainedTokens)
    #expect(plan.steps(forEpochs: 1.5) == 6)
    #expect(plan.step(4).epoch == 1)
  }

  @Test("a source with a share makes up that share of an epoch and is gone through evenly")
  func shares() throws {
    var examples = randomExamples(90, longest: 10, seed: 10).map {
      Example(rendering: $0.rendering, source: 0, line: $0.line)
    }
    examples += randomExamples(25, longest: 10, seed: 11).map { Example(rendering: $0.rendering, source: 1, line: $0.line) }
    var facts = [SourceFacts(path: "a", contentHash: ""), SourceFacts(path: "b", contentHash: "")]
    facts[1].share = 0.1
    let plan = try DataPlan(
      Dataset(examples: examples, sources: facts), DataPlan.Settings(seed: 1, sequenceLength: 16, packing: .none))
    var times = [Int](repeating: 0, count: 25)
    for epoch in 0..<5 {
      let first = plan.steps(forEpochs: Double(epoch))
      let seen = (first..<first + 100).flatMap { plan.step($0).microbatches[0].segments }
      #expect(plan.stepsPerEpoch(epoch) == 100)
      #expect(Set(seen.filter { $0.source == 0 }.map(\.example)).count == 90)
      for segment in seen where segment.source == 1 { times[segment.example - 90] += 1 }
    }
    #expect(times.allSatisfy { $0 == 2 })  // 5 epochs × 10 = 2 × 25
  }

  @Test("settings that make no plan are refused together")
  func refused() throws {
    let problems = try #require(throws: Problems.self) {
      try DataPlan(
        Dataset(examples: randomExamples(3, longest: 9, seed: 1)),
        DataPlan.Settings(seed: 1, sequenceLength: 0, rows: 0, accumulate: 0))
    }
    #expect(problems.complaints.count == 4)
  }
}
