internal import HoldfastBasics
public import HoldfastMethods
internal import HoldfastTraining

/// A region that the search may train: some layers, some modules.
public struct SearchNode: Sendable, Hashable {
  public let layers: LayerSpan
  /// Empty: the whole model, embeddings, norms and head included.
  public let modules: [Region.Module]

  public init(layers: LayerSpan, modules: [Region.Module]) {
    self.layers = layers
    self.modules = modules
  }

  /// Everything trains: the reference that the others are measured against.
  public static let whole = SearchNode(layers: .all, modules: [])

  public var isWhole: Bool { modules.isEmpty }

  /// Such as `25–50 % mlp.up + mlp.down`.
  public var label: String {
    if isWhole { return "everything" }
    return "\(Self.words(layers)) \(modules.map(\.rawValue).joined(separator: " + "))"
  }

  /// The label as the name of a folder.
  var slug: String {
    if isWhole { return "everything" }
    let span = Self.words(layers).filter { $0 != " " && $0 != "%" }.replacing("–", with: "-")
    return "layers-\(span)-" + modules.map(\.rawValue).joined(separator: "+")
  }

  private static func words(_ layers: LayerSpan) -> String {
    switch layers {
    case .all: "all layers"
    case .share(let from, let to): "\(percent(from))–\(percent(to)) %"
    case .numbers(let numbers): "layers \(numbers.map(String.init).joined(separator: ","))"
    }
  }

  private static func percent(_ share: Double) -> String {
    let value = (share * 1000).rounded() / 10
    return value == value.rounded() ? "\(Int(value))" : "\(value)"
  }
}

/// The nodes that the tree search can reach.
package enum SearchTree {
  package static func span(_ from: Double, _ to: Double) -> LayerSpan { .share(from: from, to: to) }
  static let halves = [(0.0, 0.5), (0.25, 0.75), (0.5, 1.0)]
  static let quarters = [(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]

  package static let both: [Region.Module] = [.attention, .mlp]
  /// What stands below attention and below the MLP; gate and output projection train only with their whole group.
  static func parts(of module: Region.Module) -> [[Region.Module]] {
    module == .mlp ? [[.up, .down], [.down], [.up]] : [[.query, .key, .value], [.query, .key], [.value]]
  }

  /// Level 1: the lower, middle and upper half.
  static var first: [SearchNode] { halves.map { SearchNode(layers: span($0.0, $0.1), modules: both) } }

  /// What stands below a node; empty below a leaf.
  package static func children(of node: SearchNode) -> [SearchNode] {
    guard !node.isWhole else { return first }
    guard case .share(let from, let to) = node.layers else { return [] }
    if to - from > 0.4 {
      return quarters.filter { $0.0 >= from && $0.1 <= to }.map { SearchNode(layers: span($0.0, $0.1), modules: both) }
    }
    if node.modules == both { return both.map { SearchNode(layers: node.layers, modules: [$0]) } }
    if node.modules.count == 1, both.contains(node.modules[0]) {
      return parts(of: node.modules[0]).map { SearchNode(layers: node.layers, modules: $0) }
    }
    return []
  }

  /// Every node of the tree, the whole model first; nodes that two parents share stand once.
  package static var lattice: [SearchNode] {
    var found: [SearchNode] = [], open = [SearchNode.whole]
    while !open.isEmpty {
      let node = open.removeFirst()
      guard !found.contains(node) else { continue }
      found.append(node)
      open += children(of: node)
    }
    return found
  }
}
