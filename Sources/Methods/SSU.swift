public import HoldfastBasics
internal import HoldfastEngine
internal import HoldfastModels
public import HoldfastTraining

/// Of every linear layer, the input features that matter most for general text keep their weights.
///
/// Source: Yamaguchi et al. 2025, "Selective Parameter Updates", arXiv 2512.04844: columns scored by Wanda's rule on 500 rows of
/// general text, the top half frozen; embeddings, norms and head train. Frozen here means that bits stay, with weight decay too; the
/// published code zeroes gradients, under which decay still shrinks what it freezes.
public struct SSU: TuningMethod {
  public static let name = "ssu"
  public static let summary = "Input features that matter most for general text keep their weights in every linear layer (SSU)."
  public static let sets: Set<UpdatePart> = [.columnScale]

  public enum Score: String, KeyChoice { case wanda, magnitude, random }

  public let share: Double
  public let score: Score
  /// Whether the embeddings of tokens that the chat template prints stay as they are.
  public let pinsTemplate: Bool
  private let text: GeneralTextKnobs

  public init(_ reader: KeyReader) {
    share = reader.value("share", default: 0.5, in: 0...1, unit: "share of a matrix's columns", doc: "How many columns keep their weights.")
    score = reader.value(
      "score", default: .wanda,
      doc: "What decides: `wanda`: weights times the size of their inputs on general text; `magnitude`: weights alone; `random`: a control.")
    pinsTemplate = reader.value(
      "pin_template", default: false, doc: "The rows of embedding and head that belong to special tokens of the chat template keep their weights.")
    text = GeneralTextKnobs(reader, required: false)
    if score == .wanda, text.data == nil, !reader.isDocumenting { reader.complain("data", "is required: general text on which columns are scored") }
    if score != .wanda, text.data != nil { reader.complain("data", "is not read with `score: \(score.rawValue)`") }
  }

  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] {
    score == .wanda ? text.data.map { [ColumnScores.preparation($0, over: facts.model)] } ?? [] : []
  }

  public func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod {
    try refuseAdapter(stage, name: Self.name)
    if pinsTemplate, stage.templateTokens.isEmpty, !stage.isPlan {
      throw Problems(Self.name, ["pin_template: the model has no chat template with special tokens, so there is nothing to pin"])
    }
    return Active(self, stage, seed: UInt64(text.seed))
  }

  private final class Active: ActiveMethod {
    private let method: SSU
    private let stage: StageFacts
    private let seed: UInt64
    private let shapes: [String: [Int]]
    private var scales: [String: Tensor] = [:]
    /// Rows of these are tokens. No other method that scales rows scales those of a vocabulary, so this is no part of `sets`.
    private static let vocabularies = ["model.embed_tokens.weight", "lm_head.weight"]

    init(_ method: SSU, _ stage: StageFacts, seed: UInt64) {
      self.method = method
      self.stage = stage
      self.seed = seed
      shapes = Dictionary(
        uniqueKeysWithValues: stage.model.parameters.filter { ColumnScores.place(of: $0) != nil }.map { ($0.name, $0.shape) })
    }

    var facts: JSONObject { stage.artifact(ColumnScores.name).map { ["columns": .string($0.sha256)] } ?? JSONObject() }

    func updateRule(for parameter: String, at step: Step, _ proposal: Proposal) throws(EngineError) -> UpdateRule {
      if method.pinsTemplate, Self.vocabularies.contains(parameter) {
        if scales[parameter] == nil {
          var scale = [Float](repeating: 1, count: try proposal.first.shape[0])
          for id in stage.templateTokens { scale[id] = 0 }
          scales[parameter] = try Tensor(scale, device: proposal.first.device)
        }
        return UpdateRule(rowScale: scales[parameter])
      }
      guard let shape = shapes[parameter] else { return UpdateRule() }
      if scales[parameter] == nil {
        let scores = try self.scores(parameter, shape), kept = Int((method.share * Double(shape[1])).rounded())
        // Of equal scores the earlier column counts as the larger.
        let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
        var scale = [Float](repeating: 1, count: shape[1])
        for column in order.prefix(kept) { scale[column] = 0 }
        scales[parameter] = try Tensor(scale, device: proposal.first.device)
      }
      return UpdateRule(columnScale: scales[parameter])
    }

    private func scores(_ parameter: String, _ shape: [Int]) throws(EngineError) -> [Float] {
      switch method.score {
      case .wanda:
        guard let artifact = stage.artifact(ColumnScores.name) else { throw EngineError("the columns of \(parameter) were not scored") }
        return try artifact.tensor(parameter).floats()
      case .magnitude: return try stage.pretrained.tensor(parameter).cast(.float32).abs().sum(axis: 0).floats()
      case .random:
        var generator = CounterGenerator(seed: seed, "ssu", parameter)
        return generator.permutation(shape[1]).map(Float.init)
      }
    }
  }
}
