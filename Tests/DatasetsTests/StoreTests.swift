import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers
import Testing

@Suite("Tokenized sources on disk")
struct StoreTests {
  private func read(_ paths: [String], _ cache: DataCache?, workers: Int = 1, rowLength: Int? = nil) throws -> Dataset {
    try Dataset(
      reading: [DataSource(paths: paths)], with: ExampleRenderer(encoder: ToyEncoder(), messages: ToyMessages()), rowLength: rowLength,
      workers: workers, cache: cache)
  }

  private func rows(_ count: Int) -> String {
    (0..<count).map { #"{"prompt": "\#($0) ", "completion": "é\#(String(repeating: "x", count: $0 % 13))"}"# }.joined(separator: "\n")
  }

  private func cacheFile(_ folder: ScratchFolder) throws -> String {
    let names = try Files.list(folder.path + "/cache")
    #expect(names.count == 1)
    return folder.path + "/cache/" + names[0]
  }

  @Test("a mapped source is the one in memory")
  func same() throws {
    try withScratch { folder in
      let paths = [try folder.write(rows(700), "a.jsonl"), try folder.write(rows(30), "b.jsonl")]
      let cache = DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0)
      let memory = try read(paths, nil), first = try read(paths, cache, workers: 3), second = try read(paths, cache)
      _ = try cacheFile(folder)
      for dataset in [first, second] {
        #expect(dataset.examples.elementsEqual(memory.examples))
        #expect(dataset.sources == memory.sources)
        #expect(dataset.location(of: 699) == memory.location(of: 699) && dataset.location(of: 700) == "\(paths[1]):1")
        #expect(dataset.trainedTokens == memory.trainedTokens && dataset.tokens == memory.tokens)
        let plans = try [dataset, memory].map { try DataPlan($0, .init(seed: 3, sequenceLength: 64)) }
        #expect(plans[0].step(5).microbatches == plans[1].step(5).microbatches)
      }
    }
  }

  @Test("weights come back from memory and from a file, and stand at their labels in a batch")
  func weights() throws {
    try withScratch { folder in
      let rows = (0..<300).map { i in
        let weight = i % 3 == 0 ? "" : #", "weight": \#(Double(1 + i % 5) / 4)"#
        return #"{"messages": [{"role": "user", "content": "q\#(i)"}, {"role": "assistant", "content": "a"\#(weight)}, {"role": "assistant", "content": "z"}]}"#
      }
      let path = try folder.write(rows.joined(separator: "\n"), "a.jsonl")
      let cache = DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0)
      let memory = try read([path], nil), written = try read([path], cache, workers: 2), mapped = try read([path], cache)
      #expect(written.examples.elementsEqual(memory.examples) && mapped.examples.elementsEqual(memory.examples))
      for (i, example) in memory.examples.enumerated() {
        let weight: Float = i % 3 == 0 ? 1 : Float(1 + i % 5) / 4
        let wanted = zip(example.rendering.ids, example.rendering.isTrained).filter(\.1).map { $0.0 == toy("z")[0] ? 1 : $0.0 == toy("a")[0] ? weight : -1 }
        let found = example.rendering.isTrained.indices.filter { example.rendering.isTrained[$0] }.map {
          example.rendering.weights.isEmpty ? 1 : example.rendering.weights[$0]
        }
        for (wanted, found) in zip(wanted, found) where wanted >= 0 { #expect(wanted == found, "example \(i)") }
      }
      let plan = try DataPlan(mapped, .init(seed: 3, sequenceLength: 96, rows: 2))
      var weighted = 0
      for step in 0..<plan.stepsPerEpoch(0) {
        for batch in plan.step(step).microbatches {
          #expect(batch.units == batch.labels.count { $0 != ignoreIndex })
          for segment in batch.segments {
            let rendering = mapped.examples[segment.example].rendering
            for i in 0..<segment.length where rendering.isTrained[i + 1] {
              let weight = batch.weights?[segment.row * batch.length + segment.start + i] ?? 1
              #expect(weight == (rendering.weights.isEmpty ? 1 : rendering.weights[i + 1]))
              if weight != 1 { weighted += 1 }
            }
          }
        }
      }
      #expect(weighted > 200)
    }
  }

  @Test("the second start reads the cache and not the file")
  func secondStart() throws {
    try withScratch { folder in
      let path = try folder.write(rows(50), "a.jsonl")
      let cache = DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0)
      let before = try read([path], cache)
      // An encoder that would give other ids is not asked.
      let other = try Dataset(
        reading: [DataSource(path: path)], with: ExampleRenderer(encoder: ToyEncoder(width: 3), messages: ToyMessages()), rowLength: nil, cache: cache)
      #expect(other.examples.elementsEqual(before.examples))
    }
  }

  @Test("anything that changes what rows become makes another cache")
  func keys() throws {
    try withScratch { folder in
      let path = try folder.write(rows(50), "a.jsonl")
      var cache = DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0)
      func count() throws -> Int { try Files.list(folder.path + "/cache").count }
      _ = try read([path], cache)
      #expect(try count() == 1)
      _ = try read([path], cache, rowLength: 100)
      #expect(try count() == 2)
      cache.identity = "another"
      _ = try read([path], cache)
      #expect(try count() == 3)
      try folder.write(rows(51), "a.jsonl")
      #expect(try read([path], cache).examples.count == 51)
      #expect(try count() == 4)
      cache.smallest = 1 << 20
      cache.identity = "small sources leave nothing"
      _ = try read([path], cache)
      #expect(try count() == 4)
    }
  }

  @Test("a cache that was cut, changed or is something else is made again")
  func damaged() throws {
    try withScratch { folder in
      let path = try folder.write(rows(200), "a.jsonl")
      let cache = DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0)
      let good = try read([path], cache)
      let file = try cacheFile(folder)
      let mapped = try MappedFile(path: file)
      let bytes = withExtendedLifetime(mapped) { Array(mapped.bytes) }
      let tokens = (good.tokens * 4 + 7) / 8 * 8
      var generator = CounterGenerator(seed: 1, "damage")
      for round in 0..<120 {
        var odd = bytes
        switch round % 4 {
        case 0: odd.removeLast(1 + generator.below(bytes.count))
        case 1: odd[tokens + generator.below(bytes.count - tokens)] ^= UInt8(1 << generator.below(8))
        case 2: odd.append(contentsOf: odd.suffix(generator.below(200) + 1))
        default: odd = (0..<generator.below(400)).map { _ in UInt8(generator.below(256)) }
        }
        try Files.rename(folder.write(odd, "odd"), to: file)
        let again = try read([path], cache)
        #expect(again.examples.elementsEqual(good.examples), "round \(round)")
      }
    }
  }

  @Test("a strict look finds other contents behind the same size and time, and damaged tokens")
  func strict() throws {
    try withScratch { folder in
      let path = try folder.write(rows(50), "a.jsonl")
      var cache = DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0)
      _ = try read([path], cache)
      cache.isStrict = true
      _ = try read([path], cache)
      let file = try cacheFile(folder)
      let mapped = try MappedFile(path: file)
      var bytes = withExtendedLifetime(mapped) { Array(mapped.bytes) }
      bytes[5] ^= 1
      try Files.rename(folder.write(bytes, "odd"), to: file)
      let problems = try #require(throws: Problems.self) { try read([path], cache) }
      #expect(problems.complaints.count == 1)
    }
  }

  @Test("bad rows are the same with any number of workers, and nothing is kept")
  func badRows() throws {
    try withScratch { folder in
      var lines = rows(3000).split(separator: "\n").map(String.init)
      for i in stride(from: 100, to: 3000, by: 150) { lines[i] = "{" }
      let path = try folder.write(lines.joined(separator: "\n"), "a.jsonl")
      let cache = DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0)
      for workers in [1, 4] {
        let error = try #require(throws: BadRowsError.self) { try read([path], cache, workers: workers) }
        #expect(error.count == 20 && error.first.map(\.line) == (0..<10).map { 101 + 150 * $0 })
        #expect(try Files.list(folder.path + "/cache").isEmpty)
      }
    }
  }
}

@Suite("The same rows in the same order")
struct OrderTests {
  private let renderer = ExampleRenderer(encoder: ToyEncoder(), messages: ToyMessages())

  /// Everything a plan gives in its first steps, with rows told by their texts.
  private func fingerprint(_ data: StepData) -> [Int] {
    data.microbatches.flatMap { $0.ids + $0.labels + $0.positions + $0.segments.flatMap { [$0.row, $0.start, $0.length, $0.source, $0.example, $0.offset] } }
      + data.sources.flatMap { [$0.examples, $0.tokens, $0.trainedTokens] }
  }

  /// Writes rows into files cut anywhere, some of them arrays, some without a last line break.
  private func split(_ rows: [String], _ folder: ScratchFolder, _ name: String, _ generator: inout CounterGenerator) throws -> [String] {
    var rest = rows[...], paths: [String] = []
    while !rest.isEmpty {
      let part = Array(rest.prefix(1 + generator.below(max(1, rest.count))))
      rest = rest.dropFirst(part.count)
      let file = "\(name)-\(paths.count)"
      switch generator.below(3) {
      case 0: paths.append(try folder.write(part.joined(separator: "\n"), file + ".jsonl"))
      case 1: paths.append(try folder.write(part.joined(separator: "\n\n") + "\n", file + ".jsonl"))
      default: paths.append(try folder.write("[" + part.joined(separator: ",\n") + "]", file + ".json"))
      }
    }
    return paths
  }

  @Test("whatever the files, the workers and the step asked for first", arguments: 0..<40)
  func property(seed: Int) throws {
    var generator = CounterGenerator(seed: UInt64(seed), "order")
    func rows(_ count: Int, _ mark: String) -> [String] {
      (0..<count).map { #"{"text": "\#(mark)\#($0)\#(String(repeating: "y", count: generator.below(40)))"}"# }
    }
    let main = rows(1 + generator.below(150), "a"), replay = rows(1 + generator.below(60), "b")
    let packing = Packing.allCases[generator.below(3)]
    let settings = DataPlan.Settings(
      seed: UInt64(seed), sequenceLength: 64, packing: packing, rows: 1 + generator.below(3), accumulate: 1 + generator.below(3),
      shuffle: generator.below(5) > 0)
    var other = DataSource(path: "")
    switch generator.below(4) {
    case 0: other.share = 0.3
    case 1: other.examples = 1 + generator.below(100)
    case 2: other.tokens = 1 + generator.below(2000)
    default: break
    }
    var expected: [[Int]]?
    for _ in 0..<3 {
      try withScratch { folder in
        var second = other
        second.paths = try split(replay, folder, "replay", &generator)
        let dataset = try Dataset(
          reading: [DataSource(paths: split(main, folder, "main", &generator)), second], with: renderer, rowLength: 64,
          workers: 1 + generator.below(4),
          cache: generator.below(2) == 0 ? nil : DataCache(folder: folder.path + "/cache", identity: "toy", smallest: 0))
        let plan = try DataPlan(dataset, settings)
        // A fresh plan is asked from some step on, and in some order.
        let steps = generator.permutation(12)
        var seen = [[Int]](repeating: [], count: 12)
        for step in steps { seen[step] = fingerprint(plan.step(step)) }
        if let expected { #expect(seen == expected) } else { expected = seen }
      }
    }
  }

  @Test("what the steps count per source is what the rows hold, counted from the texts")
  func accounting() throws {
    try withScratch { folder in
      let a = (0..<120).map { "a\($0)" + String(repeating: "x", count: $0 % 30) }, b = (0..<50).map { "b\($0)" }
      func file(_ texts: [String], _ name: String) throws -> String {
        try folder.write(texts.map { #"{"prompt": "??", "completion": "\#($0)"}"# }.joined(separator: "\n"), name)
      }
      let sources = try [DataSource(path: file(a, "a.jsonl"), name: "domain"), DataSource(path: file(b, "b.jsonl"), name: "replay", examples: 20)]
      let dataset = try Dataset(reading: sources, with: renderer, rowLength: 64)
      #expect(dataset.sources.map(\.name) == ["domain", "replay"])
      for packing in Packing.allCases {
        let plan = try DataPlan(dataset, .init(seed: 1, sequenceLength: 64, packing: packing, rows: 2))
        var totals = [SourceCount](repeating: SourceCount(), count: 2)
        let steps = plan.steps(forEpochs: 5)
        for step in 0..<steps {
          let data = plan.step(step)
          #expect(data.sources.reduce(0) { $0 + $1.trainedTokens } == data.units)
          for (i, count) in data.sources.enumerated() {
            totals[i].examples += count.examples
            totals[i].tokens += count.tokens
            totals[i].trainedTokens += count.trainedTokens
          }
        }
        // <s>, two characters of the prompt, the text, </s>; the text and its end are learnt. 5 epochs × 20 = 2 × 50.
        let learnt = (a.reduce(0) { $0 + $1.count + 1 }, b.reduce(0) { $0 + $1.count + 1 })
        #expect(totals[0] == count(examples: 600, tokens: 5 * (learnt.0 + 3 * 120), trained: 5 * learnt.0), "\(packing)")
        #expect(totals[1] == count(examples: 100, tokens: 2 * (learnt.1 + 3 * 50), trained: 2 * learnt.1), "\(packing)")
      }
    }
  }

  private func count(examples: Int, tokens: Int, trained: Int) -> SourceCount {
    var count = SourceCount()
    (count.examples, count.tokens, count.trainedTokens) = (examples, tokens, trained)
    return count
  }

  @Test("a budget of tokens is met on average, and every example has its turn")
  func tokenBudget() throws {
    var facts = [SourceFacts(path: "a", contentHash: ""), SourceFacts(path: "b", contentHash: "")]
    facts[1].tokensPerEpoch = 100
    let a = randomExamples(30, longest: 10, seed: 1)
    let b = randomExamples(40, longest: 30, seed: 2).map { Example(rendering: $0.rendering, source: 1, line: $0.line) }
    let plan = try DataPlan(Dataset(examples: a + b, sources: facts), .init(seed: 5, sequenceLength: 32, packing: .none))
    var tokens = 0, times = [Int](repeating: 0, count: 40), epochs = 0
    let whole = b.reduce(0) { $0 + $1.rendering.ids.count }
    while epochs * 100 < 3 * whole {
      let first = plan.steps(forEpochs: Double(epochs))
      for step in first..<(first + plan.stepsPerEpoch(epochs)) {
        let data = plan.step(step)
        tokens += data.sources[1].tokens
        for segment in data.microbatches[0].segments where segment.source == 1 { times[segment.example - 30] += 1 }
      }
      epochs += 1
      #expect(abs(tokens - epochs * 100) < 30)
    }
    #expect(times.allSatisfy { (3...4).contains($0) })
  }

  @Test("a source says how much of it an epoch has in one way only")
  func oneBudget() throws {
    try withScratch { folder in
      let path = try folder.write(#"{"text": "a"}"#, "a.jsonl")
      let problems = try #require(throws: Problems.self) {
        try Dataset(
          reading: [DataSource(path: path), DataSource(path: path, share: 0.1, examples: 3), DataSource(path: path, tokens: 0)], with: renderer,
          rowLength: nil)
      }
      #expect(problems.complaints.count == 2)
    }
  }
}
