import ArgumentParser
import HoldfastBasics
import HoldfastMethods
import HoldfastModels
import HoldfastTokenizers
import HoldfastTraining

struct BlendCommand: ParsableCommand {
  enum Rule: String, ExpressibleByArgument, CaseIterable {
    case interpolate, slerp, average, arithmetic, ties, dare, halfReset = "half-reset"
  }

  static let configuration = CommandConfiguration(
    commandName: "blend", abstract: "Make a model from a base and its tuned versions, without training.",
    discussion: """
      interpolate (Wise-FT): (1 - alpha) · base + alpha · tuned; slerp: the same on a circle. average: the mean of several tuned \
      models. arithmetic: base + scale · the sum of what they moved. ties: of the largest moves, those that agree in sign. \
      dare: of moves dropped at random. half-reset: a random half of the matrices goes back to the base. With --adapter in \
      place of --tuned: base + alpha · what the adapters add to it, as a whole model. All in f32.
      """)

  @Option(help: "Folder of the base model.") var base: String
  @Option(parsing: .upToNextOption, help: "Folder of the tuned model, or of several.") var tuned: [String] = []
  @Option(parsing: .upToNextOption, help: "Folder of an adapter, in PEFT's form, or of several that add up.") var adapter: [String] = []
  @Option(help: "How: \(Rule.allCases.map(\.rawValue).joined(separator: ", ")).") var rule: Rule = .interpolate
  @Option(help: "interpolate, slerp: 0 gives the base, 1 the tuned model (with --adapter: default 1).") var alpha: Double?
  @Option(help: "average, arithmetic, ties, dare: factor on what was moved (default: 1).") var scale: Double?
  @Option(help: "ties: share of each tensor's moves that stays (default: 0.2); dare: (default: 0.5).") var density: Double?
  @Option(help: "half-reset: share of the matrices that keep their tuned values (default: 0.5).") var ratio: Double?
  @Option(help: "dare, half-reset: which are drawn (default: 0).") var seed: Int?
  @Option(help: "Folder to write; must not exist.") var output: String

  func validate() throws {
    func only(_ flag: String, _ isGiven: Bool, _ rules: Rule...) throws {
      if isGiven, !rules.contains(rule) {
        throw ValidationError("--\(flag) says nothing to \(rule.rawValue); it belongs to \(rules.map(\.rawValue).joined(separator: ", "))")
      }
    }
    try only("alpha", alpha != nil, .interpolate, .slerp)
    try only("scale", scale != nil, .average, .arithmetic, .ties, .dare)
    try only("density", density != nil, .ties, .dare)
    try only("ratio", ratio != nil, .halfReset)
    try only("seed", seed != nil, .dare, .halfReset)
    if rule == .interpolate || rule == .slerp {
      guard let alpha = alpha ?? (adapter.isEmpty ? nil : 1) else { throw ValidationError("--alpha is missing: 0 gives the base, 1 the tuned model") }
      guard (0...1).contains(alpha) else { throw ValidationError("--alpha is \(alpha), but lies between 0 and 1") }
    }
    if let density, !(density > 0 && density <= 1) { throw ValidationError("--density is \(density), but lies between 0 and 1") }
    if let ratio, !(0...1).contains(ratio) { throw ValidationError("--ratio is \(ratio), but lies between 0 and 1") }
    if let seed, seed < 0 { throw ValidationError("--seed is \(seed), but is 0 or more") }
    if tuned.isEmpty, adapter.isEmpty { throw ValidationError("neither --tuned nor --adapter names a folder") }
    if !tuned.isEmpty, !adapter.isEmpty { throw ValidationError("--tuned and --adapter do not stand together; merge the adapter first") }
    if !adapter.isEmpty, rule != .interpolate {
      throw ValidationError("an adapter is merged along the straight line (interpolate); merge it first, then blend the model by \(rule.rawValue)")
    }
    if tuned.count > 1, rule == .interpolate || rule == .slerp || rule == .halfReset {
      throw ValidationError("\(rule.rawValue) takes one tuned model; \(tuned.count) are named")
    }
  }

  func run() throws {
    guard !Files.exists(output) else {
      throw FileError(path: output, doing: "write", code: 0, reason: "something is there already; name another output")
    }
    let base = try ModelFolder(modelFolder(base)), tuned = try tuned.map { try ModelFolder(modelFolder($0)) }
    let adapters = try adapter.map { try AdapterFolder($0) }
    try Files.makeFolder(Files.folder(of: output))
    if !adapters.isEmpty {
      try AdapterMerging(alpha: alpha ?? 1).write(base: base, adapters: adapters, tokenizerFiles: Tokenizer(folder: base.path).files, to: output)
      print(output)
      return
    }
    try make(base).write(base: base, tuned: tuned, tokenizerFiles: Tokenizer(folder: tuned[0].path).files, to: output)
    print(output)
  }

  private func make(_ base: ModelFolder) throws -> any MergeRule {
    switch rule {
    case .interpolate: WeightInterpolation(alpha: alpha!)
    case .slerp: SphericalInterpolation(alpha: alpha!)
    case .average: TaskArithmetic(scale: scale ?? 1, isMean: true)
    case .arithmetic: TaskArithmetic(scale: scale ?? 1)
    case .ties: TIES(density: density ?? 0.2, scale: scale ?? 1)
    case .dare: DARE(density: density ?? 0.5, scale: scale ?? 1, seed: UInt64(seed ?? 0))
    case .halfReset:
      try HalfReset(
        ModelFacts(configuration: base.configuration, parameters: base.configuration.parameters()), ratio: ratio ?? 0.5,
        seed: UInt64(seed ?? 0))
    }
  }
}
