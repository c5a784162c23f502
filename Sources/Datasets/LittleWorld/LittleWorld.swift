public import HoldfastBasics

/// A world of short texts with exact answers, made from a seed: what a small model can learn in minutes and then
/// forget, so that learning and forgetting can be measured without downloading anything.
///
/// Everything is a pure function of (seed, family, split, index). A model's facts are those of its seed, so a model
/// trained in one world knows nothing of another's. Pinned by a test: the world never changes silently.
///
/// - Facts are only in the weights: recall grows with size and training (`facts`).
/// - Skills are procedures over what the prompt holds (`sums`, `stories`, …).
/// - Domains are what fine-tuning teaches; the pretraining text has none of them.
/// - The chain is four languages with one form of question, to be learnt one after another.
/// - Behaviours change how a known fact is said, not what is known; two of them compete.
public struct LittleWorld: Sendable {
  public let seed: UInt64
  let people: [String]
  let dictionaries: [Family: [String: String]]
  let remedies: [String]

  /// - Parameter seed: 1 is the world of the model that is shipped.
  public init(seed: UInt64 = 1) {
    self.seed = seed
    people = LittleWorld.names(seed: seed)
    remedies = LittleWorld.remedies(seed: seed)
    dictionaries = Dictionary(
      uniqueKeysWithValues: Family.all(.chain).map { ($0, LittleWorld.dictionary($0, seed: seed)) })
  }

  /// What a family of items measures.
  public enum Kind: String, Sendable, Hashable, CaseIterable, Codable {
    /// What the base can do in part; forgetting is its loss.
    case versatility
    /// What the base can do nearly without fault: skills, too, that should outlast tuning.
    case mastered
    /// What fine-tuning teaches.
    case domain
    /// One of the tasks learnt one after another.
    case chain
    /// A manner of answering.
    case behaviour
    /// Which of two answers is preferred.
    case preference
  }

  public enum Family: String, Sendable, Hashable, CaseIterable, Codable {
    case facts, sums, stories
    case counting, sorting, reversal
    case clinic, court, machine
    case oran, tovi, ruke, mela
    case manners, records
    case helpful, safe

    public var kind: Kind {
      switch self {
      case .facts, .sums, .stories: .versatility
      case .counting, .sorting, .reversal: .mastered
      case .clinic, .court, .machine: .domain
      case .oran, .tovi, .ruke, .mela: .chain
      case .manners, .records: .behaviour
      case .helpful, .safe: .preference
      }
    }

    public static func all(_ kind: Kind) -> [Family] { allCases.filter { $0.kind == kind } }
  }

  /// Train is an endless stream; validation and test are lists in which no prompt stands twice. No prompt is in two splits.
  public enum Split: String, Sendable, Hashable, CaseIterable, Codable {
    case train, validation, test
  }

  /// A question with its one right answer.
  public struct Item: Sendable, Hashable {
    public let family: Family
    public let prompt: String
    /// What follows the prompt, beginning with a space where one is due.
    public let completion: String
    /// Completions to choose from, the right one among them; empty where choosing makes no sense.
    public let options: [String]
    /// For preferences, the completion that the family likes less.
    public let rejected: String?

    init(_ family: Family, _ prompt: String, _ completion: String, options: [String] = [], rejected: String? = nil) {
      self.family = family
      self.prompt = prompt
      self.completion = completion
      self.options = options
      self.rejected = rejected
    }

    /// The completion without the space around it: what a generated answer is compared with.
    public var answer: String {
      String(completion.drop { $0 == " " })
    }
  }

  /// Items `from ..< from + count` of a split.
  ///
  /// Validation and test end where a family has no more prompts; every family has at least 2,000 test items.
  public func items(_ family: Family, _ split: Split, count: Int, from: Int = 0) -> [Item] {
    if split == .train { return (from..<(from + count)).map { draw(family, split, $0) } }
    var seen: Set<String> = []
    var result: [Item] = []
    var index = 0
    var misses = 0
    // A list draws until prompts stop being new.
    while seen.count < from + count, misses < 20_000 {
      let item = draw(family, split, index)
      index += 1
      if seen.insert(item.prompt).inserted {
        misses = 0
        if seen.count > from { result.append(item) }
      } else {
        misses += 1
      }
    }
    return result
  }

  /// The item that a stream holds at `index`: drawn again until it falls into the split.
  func draw(_ family: Family, _ split: Split, _ index: Int) -> Item {
    var generator = CounterGenerator(seed: seed, family.rawValue, split.rawValue, index)
    while true {
      let draft = draft(family, split, &generator)
      if draft.split == split { return draft.item }
    }
  }

  /// An item and the split it belongs to, whoever draws it.
  struct Draft {
    let item: Item
    let split: Split
  }

  private func draft(_ family: Family, _ split: Split, _ generator: inout CounterGenerator) -> Draft {
    switch family {
    case .facts: fact(split, &generator)
    case .sums: sum(&generator)
    case .sorting: sorting(&generator)
    case .reversal: reversal(&generator)
    case .counting: counting(&generator)
    case .stories: story(&generator)
    case .clinic: clinic(&generator)
    case .court: court(&generator)
    case .machine: machine(&generator)
    case .oran, .tovi, .ruke, .mela: translation(family, &generator)
    case .manners: manners(&generator)
    case .records: records(&generator)
    case .helpful, .safe: preference(family, &generator)
    }
  }

  /// The split of what a prompt asks, by a hash of it: a quarter test, a tenth validation.
  func draft(_ item: Item, key: String? = nil, of name: String? = nil) -> Draft {
    var generator = CounterGenerator(seed: seed, "split", name ?? item.family.rawValue, key ?? item.prompt)
    let place = generator.below(20)
    return Draft(item: item, split: place < 5 ? .test : place < 7 ? .validation : .train)
  }
}

extension LittleWorld.Item {
  /// A row of `prompt` and `completion` for training; preference items have `chosen` and `rejected` beside the prompt.
  public var trainingRow: JSON {
    if let rejected { return ["prompt": .string(prompt), "chosen": .string(completion), "rejected": .string(rejected)] }
    return ["prompt": .string(prompt), "completion": .string(completion)]
  }

  /// A row for evaluation: `prompt`, `answer`, and `options` where there are some.
  public var evaluationRow: JSON {
    var row = JSONObject([("prompt", .string(prompt)), ("completion", .string(completion)), ("answer", .string(answer))])
    if !options.isEmpty { row["options"] = .array(options.map(JSON.string)) }
    return .object(row)
  }
}

extension LittleWorld {
  /// A split of a family as JSONL: training rows of the train split, evaluation rows of the others.
  public func jsonl(_ family: Family, _ split: Split, count: Int, from: Int = 0) -> String {
    var bytes: [UInt8] = []
    for item in items(family, split, count: count, from: from) {
      (split == .train ? item.trainingRow : item.evaluationRow).write(to: &bytes, style: .spaced)
      bytes.append(0x0A)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Pretraining documents as JSONL rows of `prompt` and `completion`. Training on the completions alone teaches a
  /// small model several times faster than training on everything: letters drawn at random cannot be predicted.
  public func pretrainingJSONL(_ split: Split = .train, count: Int, from: Int = 0) -> String {
    var bytes: [UInt8] = []
    for item in pretrainingItems(split, count: count, from: from) {
      item.trainingRow.write(to: &bytes, style: .spaced)
      bytes.append(0x0A)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
