public import HoldfastBasics

/// A way of tuning, as the user writes it in the recipe and the manifest keeps it.
///
/// A method is one file in `Methods/`, one line in its list, one test and one card in `Docs/methods/`.
public protocol TuningMethod: Sendable {
  /// The word in the recipe.
  static var name: String { get }
  /// One sentence for tables.
  static var summary: String { get }
  /// Reads the knobs; complaints stay in the reader.
  init(_ reader: KeyReader)
  /// The parts of a step that it decides: two methods that decide the same one do not stack.
  static var sets: Set<UpdatePart> { get }
  /// Whether it looks at single labels, weighing their losses or holding them against the reference's. Such methods need an objective
  /// that is a sum over labels, which dpo is not.
  static var looksAtLabels: Bool { get }
  /// Whether the model as the stage found it answers beside the one that trains: a second copy of the weights, unless an adapter trains.
  var needsReference: Bool { get }
  /// Bytes that it keeps beside weights, gradients and moments, where so many parameters train.
  func bytes(trained: Int) -> Int
  /// The same where it depends on more of the model than that, such as on the sizes of what an adapter is added to.
  func bytes(trained: Int, of model: ModelFacts) -> Int
  /// What it must know before the first step. Asked before weights are read; run and kept before `begin` is called for the
  /// run itself.
  func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation]
  /// Rows that it remembers: a microbatch of them goes through the model in every step, in turn, and its gradient is given to `project`. nil: none.
  func memory(_ recipe: Recipe) -> PreparationData?
  /// Called once a stage, before anything moves, and before that without artifacts, to check and to plan. Throws what is wrong with this method on this model, all at once.
  func begin(_ stage: StageFacts) throws(Problems) -> any ActiveMethod
}

/// What only one method of a stack can say about a step.
public enum UpdatePart: String, Sendable, Hashable {
  case rowScale, columnScale, mask, reference, divergence, memory

  /// What two methods that both set it do.
  var clash: String {
    switch self {
    case .divergence: "both hold the model's answers against the reference's"
    case .memory: "both remember rows"
    default: "both decide what becomes of an update (\(rawValue))"
    }
  }
}

extension TuningMethod {
  public static var sets: Set<UpdatePart> { [] }
  public static var looksAtLabels: Bool { false }
  public func memory(_ recipe: Recipe) -> PreparationData? { nil }
  public var needsReference: Bool { false }
  public func bytes(trained: Int) -> Int { 0 }
  public func bytes(trained: Int, of model: ModelFacts) -> Int { bytes(trained: trained) }
  public func preparations(_ facts: PreparationFacts) throws(Problems) -> [Preparation] { [] }

  /// The method's name and keys, for checking and documenting recipes.
  public static var keys: MethodKeys { MethodKeys(name, doc: summary) { _ = Self($0) } }

  static func make(_ recipe: MethodRecipe) throws(Problems) -> any TuningMethod {
    try KeyReader.read(KeySource(subject: "method \(name)", object: recipe.knobs)) { Self($0) }.0
  }
}
