internal import HoldfastBasics
public import HoldfastEngine

/// Where a model's first weights come from.
public protocol WeightSource {
  /// Every tensor that is there; nil where the source makes what is asked for.
  var names: [String]? { get }
  /// The shape of a tensor, nil where there is none of that name.
  func shape(of name: String) -> [Int]?
  /// The tensor on the CPU in the type it is kept in, with memory of its own.
  func tensor(_ name: String) throws -> Tensor
  /// The same for a source that makes what is asked for.
  func tensor(_ name: String, shape: [Int]) throws -> Tensor
}

/// Hands out parameters while a model is built and collects what is missing, misshapen or left over.
final class WeightLoader {
  let source: any WeightSource
  let dtype: DType
  let device: Device
  private(set) var parameters: [Parameter] = []
  private(set) var problems: Problems
  private var taken: Set<String> = []

  init(source: any WeightSource, subject: String, dtype: DType, device: Device) {
    self.source = source
    self.dtype = dtype
    self.device = device
    problems = Problems(subject)
  }

  /// A parameter by its name in the file. After a complaint it stands in as zeros, so that all complaints are found.
  func parameter(_ name: String, _ shape: [Int]) throws -> Parameter {
    taken.insert(name)
    var value: Tensor?
    if let found = source.names == nil ? shape : source.shape(of: name) {
      if found != shape {
        problems.add("\(name) has the shape \(found); the configuration asks for \(shape)")
      } else if problems.isEmpty {
        value = try source.tensor(name, shape: shape).cast(dtype).to(device)
      }
    } else {
      let near = source.names.flatMap { nearestName(to: name, among: $0) }.map { " (is \($0) meant?)" } ?? ""
      problems.add("\(name) is missing\(near)")
    }
    let parameter = Parameter(name: name, shape: shape, value: try value ?? Tensor.zeros([0], dtype: dtype))
    parameters.append(parameter)
    return parameter
  }

  /// Tensors nobody asked for. Rotary frequencies that old exports carry are no weights.
  func finish(ignoring: (String) -> Bool) throws -> [Parameter] {
    for name in (source.names ?? []).sorted() where !taken.contains(name) && !ignoring(name) {
      problems.add("\(name) stands in the file but the configuration has no place for it")
    }
    try problems.check()
    return parameters
  }
}

extension WeightSource {
  public func tensor(_ name: String, shape: [Int]) throws -> Tensor { try tensor(name) }
}

/// First weights drawn from a seed: normal with the given deviation, norms at one, biases at zero. A tensor's numbers
/// depend on the seed and its name alone.
public struct RandomWeights: WeightSource {
  public let seed: UInt64
  /// Standard deviation of matrices; GPT-2's 0.02 by default.
  public let deviation: Double
  /// Output projections of attention and MLP are drawn smaller by √(2 · layers) (Radford et al. 2019).
  public let layerCount: Int

  public init(seed: UInt64, deviation: Double = 0.02, layerCount: Int) {
    self.seed = seed
    self.deviation = deviation
    self.layerCount = layerCount
  }

  public var names: [String]? { nil }
  public func shape(of name: String) -> [Int]? { nil }
  public func tensor(_ name: String) throws -> Tensor { throw EngineError("random weights need a shape for \(name)") }
  public func tensor(_ name: String, shape: [Int]) throws -> Tensor { try draw(name, shape: shape) }

  /// The tensor of that name and shape, f32 on the CPU.
  public func draw(_ name: String, shape: [Int]) throws -> Tensor {
    if name.hasSuffix(".bias") { return try Tensor.zeros(shape) }
    if shape.count == 1 { return try Tensor.full(shape, 1) }
    var stream = CounterGenerator(seed: seed, "weights", name)
    let isOutput = name.contains("o_proj") || name.contains("down_proj")
    let scale = isOutput ? deviation / Double(2 * layerCount).squareRoot() : deviation
    return try Generator(seed: stream.next()).normal(shape, deviation: scale)
  }
}

/// No weights at all: for a model that is only asked for its names and shapes. Takes no memory.
struct NoWeights: WeightSource {
  var names: [String]? { nil }
  func shape(of name: String) -> [Int]? { nil }
  func tensor(_ name: String) throws -> Tensor { try Tensor.zeros([0]) }
}

extension ModelConfiguration {
  /// Names and shapes of the parameters that a model of this configuration has, in the model's order; tied ones once.
  public func parameters() throws -> [ParameterFacts] { try Decoder(self, weights: NoWeights()).baseParameters.map(\.facts) }
}
