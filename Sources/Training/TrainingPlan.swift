internal import HoldfastBasics
internal import HoldfastModels

/// Who would train under a recipe, and what that takes, found from names and shapes alone.
public struct TrainingPlan {
  /// Part of a model that stands in every layer, or once outside them, with what of it trains.
  public struct Row: Sendable, Hashable {
    /// Such as `mlp.up_proj`.
    public let module: String
    /// Whether it stands in layers.
    public let isInLayers: Bool
    /// Elements, and how many of them train, by layer; one entry outside the layers.
    public let cells: [(total: Int, trained: Int)]

    public static func == (a: Row, b: Row) -> Bool {
      a.module == b.module && a.isInLayers == b.isInLayers && a.cells.map(\.total) == b.cells.map(\.total)
        && a.cells.map(\.trained) == b.cells.map(\.trained)
    }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(module)
      for cell in cells {
        hasher.combine(cell.total)
        hasher.combine(cell.trained)
      }
    }
  }

  public let model: ModelFacts
  /// Names that train in the first step.
  public let trained: Set<String>
  public let precision: Recipe.Precision
  /// Bytes that methods keep beside weights, gradients and moments, by name.
  public let methodBytes: [(name: String, bytes: Int)]
  /// Bytes of the frozen copy of the model that answers beside the one that trains; 0 where no method asks it.
  public let referenceBytes: Int
  /// What the user should hear.
  public let warnings: [String]

  /// What must be learned before the first step.
  public struct Preparing: Sendable, Hashable {
    public let method: String
    public let name: String
    public let forwardPasses: Int
    public let backwardPasses: Int
    /// At most; nil: all that the data holds.
    public let tokens: Int?
    /// Of the result.
    public let bytes: Int
  }

  public let preparations: [Preparing]

  /// - Parameter place: which one of several stages it is.
  /// - Throws: `Problems` with everything that is wrong with the methods on this model.
  public init(_ recipe: Recipe, methods: [any TuningMethod.Type], place: StagePlace = StagePlace()) throws {
    let configuration = try ModelFolder(recipe.model).configuration
    model = try ModelFacts(configuration, adapter: recipe.adapter)
    var steps = 1
    if case .steps(let count) = recipe.duration { steps = count }
    var stage = StageFacts(model: model, seed: recipe.seed, stage: place.number, steps: steps)
    stage.isPlan = true
    stage.origin = place.origin
    let stack = try MethodStack(recipe.methods, catalog: methods, stage: stage.of(recipe))
    warnings = stack.warnings().map { "\($0.method): \($0.text)" }
    preparations = try PreparedRun.preparations(recipe, configuration, methods, place).map { method, wanted in
      Preparing(
        method: method, name: wanted.name, forwardPasses: wanted.forwardPasses, backwardPasses: wanted.backwardPasses,
        tokens: wanted.data.mostTokens, bytes: wanted.bytes)
    }
    let names = Set(stack.selection(of: model.trainable.map(\.name), at: Step(number: 0, total: steps, learningRate: 0)))
    trained = names
    precision = recipe.precision
    let count = model.parameters.reduce(0) { $0 + (names.contains($1.name) ? $1.count : 0) }
    // AdaLoRA's two running means.
    let own: [(name: String, bytes: Int)] = recipe.adapter?.budget == nil ? [] : [(AdaptiveRanks.name, 8 * count)]
    methodBytes = try own + recipe.methods.compactMap { [model] entry in
      guard let type = methods.first(where: { $0.name == entry.name }) else { return nil }
      let bytes = try type.make(entry).bytes(trained: count, of: model)
      return bytes > 0 ? (entry.name, bytes) : nil
    }
    let needsReference = try recipe.methods.contains { entry in
      try methods.first { $0.name == entry.name }.map { try $0.make(entry).needsReference } ?? false
    }
    referenceBytes = needsReference && recipe.adapter == nil ? model.count * (precision == .bf16 ? 2 : precision == .f64 ? 8 : 4) : 0
  }

  /// A regular expression that matches the whole names of what trains, and no other name of the model: for trainers that choose by
  /// pattern.
  public var regularExpression: String {
    func escaped(_ text: some StringProtocol) -> String { text.split(separator: ".", omittingEmptySubsequences: false).joined(separator: #"\."#) }
    var order: [[String]] = [], members: [[String]: [String]] = [:], others: [String] = []
    var layers: [String: [String]] = [:], rests: [String] = []
    for p in model.parameters where trained.contains(p.name) {
      let words = p.name.split(separator: ".")
      guard p.layer != nil, let at = words.firstIndex(of: "layers") else {
        others.append(escaped(p.name))
        continue
      }
      let rest = words[..<at].joined(separator: ".") + "\n" + words[(at + 2)...].joined(separator: ".")
      if layers[rest] == nil { rests.append(rest) }
      layers[rest, default: []].append(String(words[at + 1]))
    }
    // Tensors that train in the same layers share an alternative.
    for rest in rests {
      let parts = rest.split(separator: "\n"), key = [String(parts[0])] + layers[rest]!
      if members[key] == nil { order.append(key) }
      members[key, default: []].append(escaped(parts[1]))
    }
    let inLayers = order.map { key in
      #"\#(escaped(key[0]))\.layers\.(?:\#(key.dropFirst().joined(separator: "|")))\.(?:\#(members[key]!.joined(separator: "|")))"#
    }
    return "^(?:" + (others + inLayers).joined(separator: "|") + ")$"
  }

  /// Elements that train.
  public var trainedCount: Int { model.parameters.reduce(0) { $0 + (trained.contains($1.name) ? $1.count : 0) } }

  /// The lowest layer in which something trains; nil where none does. Backpropagation stops below it unless the embedding trains.
  public var lowestTrainedLayer: Int? { model.parameters.filter { trained.contains($0.name) }.compactMap(\.layer).min() }

  /// Whether backpropagation goes down to the embedding.
  public var reachesEmbedding: Bool { trained.contains("model.embed_tokens.weight") || lowestTrainedLayer == 0 }

  /// Bytes by what they hold: weights, masters, gradients, moments, then what the methods keep. Activations are not in it.
  public var bytes: [(what: String, bytes: Int)] {
    let size = precision == .f64 ? 8 : 4, count = trainedCount
    var result = [("weights", model.count * (precision == .bf16 ? 2 : size))]
    if precision == .bf16 { result.append(("float32 masters of what trains", 4 * count)) }
    result += [("gradients, summed", size * count), ("moments", 2 * size * count)]
    if referenceBytes > 0 { result.append(("the reference model", referenceBytes)) }
    return result.map { (what: $0.0, bytes: $0.1) } + methodBytes.map { (what: "\($0.name) keeps", bytes: $0.bytes) }
  }

  /// The modules in the model's order, weight and bias together, then those of the adapter.
  public var rows: [Row] {
    var order: [String] = [], cells: [String: [(total: Int, trained: Int)]] = [:], inLayers: Set<String> = []
    for p in model.parameters {
      let row = p.adapterPart == nil ? p.module : "\(p.module) \(model.adapter?.configuration.kind.rawValue ?? "adapter")"
      if cells[row] == nil {
        order.append(row)
        cells[row] = Array(repeating: (0, 0), count: p.layer == nil ? 1 : model.configuration.layerCount)
        if p.layer != nil { inLayers.insert(row) }
      }
      cells[row]![p.layer ?? 0].total += p.count
      if trained.contains(p.name) { cells[row]![p.layer ?? 0].trained += p.count }
    }
    return order.map { Row(module: $0, isInLayers: inLayers.contains($0), cells: cells[$0]!) }
  }
}
