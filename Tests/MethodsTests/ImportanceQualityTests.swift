import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import HoldfastTraining
import Testing

/// Whether recorded importance says how curved the loss is, on a loss whose curvature is known: L(U) = ½ Σ h (U − T)² of a product U = s·B·A.
struct ImportanceQualityTests {
  private struct Found {
    /// Spearman's correlation with h over the half of the entries that moved most.
    var path, fisher: Double
    /// Σω over the drop of the loss, and the loss that is left as a share of it.
    var ratio, left: Double
  }

  /// `isExpressible`: whether an adapter of the rank can reach T.
  private func run(seed: UInt64, isExpressible: Bool) throws -> Found {
    let model = try tinyDecoder(layers: 1, dtype: .float64)
    var configuration = AdapterConfiguration(.lora, rank: 3, alpha: 6)
    configuration.targets = .named(["q_proj"])
    try model.attach(configuration, weights: RandomWeights(seed: 8, deviation: 0.25, layerCount: 1))
    let linear = model.adapters[0].linears[0], s = linear.scale, shape = linear.base.shape, generator = try Generator(seed: seed)
    func normal(_ shape: [Int], _ deviation: Double) throws -> Tensor { try generator.normal(shape, deviation: deviation, dtype: .float64) }
    let h = try normal(shape, 1).exp()
    let target = try isExpressible ? normal([shape[0], 3], 1).matmul(normal([3, shape[1]], 0.3)) : normal(shape, 0.5)
    let a = try normal(linear.a.shape, 0.25), b = try Tensor.zeros(linear.b.shape, dtype: .float64)
    let start = [linear.a.name: try a.copy(), linear.b.name: try b.copy()]
    let pretrained = PretrainedWeights { start[$0]! }
    let recorder = PathRecorder(try ImportanceSpace(ModelFacts(model), .dense), start: pretrained)
    let weights = NamedTensors([(linear.a.name, a), (linear.b.name, b)])
    func gap() throws -> Tensor { try b.matmul(a) * s - target }
    func loss() throws -> Double { try (h * gap() * gap()).sum().item() / 2 }
    let before = try loss()
    for _ in 0..<1200 {
      let g = try h * gap()
      let toA = try b.transposed(0, 1).matmul(g) * s, toB = try g.matmul(a.transposed(0, 1)) * s
      try recorder.observe(NamedTensors([(linear.base.name, g), (linear.a.name, toA), (linear.b.name, toB)]), weights)
      try a.add(toA, scale: -6e-3)
      try b.add(toB, scale: -6e-3)
      try recorder.afterStep(weights)
    }
    let after = try loss()
    let found = try PathImportance.importance(
      path: recorder.path, moved: { (name: String) throws(EngineError) in try recorder.space.distance(name, weights, start: pretrained) },
      epsilon: .relative(1), clamps: true)
    let curvature = try h.doubles(), distance = try (b.matmul(a) * s).doubles().map { abs($0) }
    let middle = distance.sorted()[distance.count / 2], moved = distance.indices.filter { distance[$0] >= middle }
    // The empirical Fisher at the start, of data y ~ N(T, 1/h): E[g²] = h + h² T².
    let fisher = try (h + h * h * target * target).doubles(), path = try found.tensors[linear.base.name]!.doubles()
    func spearman(_ x: [Double]) -> Double { correlation(ranks(moved.map { x[$0] }), ranks(moved.map { curvature[$0] })) }
    return Found(path: spearman(path), fisher: spearman(fisher), ratio: found.total / (before - after), left: after / before)
  }

  private func ranks(_ x: [Double]) -> [Double] {
    var ranks = [Double](repeating: 0, count: x.count)
    for (rank, index) in x.indices.sorted(by: { x[$0] < x[$1] }).enumerated() { ranks[index] = Double(rank) }
    return ranks
  }

  private func correlation(_ x: [Double], _ y: [Double]) -> Double {
    let a = x.reduce(0, +) / Double(x.count), b = y.reduce(0, +) / Double(y.count)
    let xy = zip(x, y).reduce(0) { $0 + ($1.0 - a) * ($1.1 - b) }
    return xy / (x.reduce(0) { $0 + ($1 - a) * ($1 - a) } * y.reduce(0) { $0 + ($1 - b) * ($1 - b) }).squareRoot()
  }

  /// The path integral ranks entries by curvature where the adapter can follow the shift, and worse where it cannot; Fisher is better in both.
  @Test func ranksByCurvatureWhereTheAdapterCanFollow() throws {
    let seeds: [UInt64] = [1, 2, 3]
    let with = try seeds.map { try run(seed: $0, isExpressible: true) }, without = try seeds.map { try run(seed: $0, isExpressible: false) }
    for found in with {
      #expect(found.path > 0.8 && found.fisher > 0.9, "\(found)")
      #expect(found.left < 1e-3 && abs(found.ratio - 1) < 0.05, "\(found)")
    }
    for found in without {
      #expect(found.left > 0.05 && found.fisher > 0.9 && found.path < found.fisher, "\(found)")
    }
    func mean(_ list: [Found]) -> Double { list.reduce(0) { $0 + $1.path } / Double(list.count) }
    #expect(mean(with) > mean(without) + 0.1, "\(mean(with)) and \(mean(without))")
  }
}
