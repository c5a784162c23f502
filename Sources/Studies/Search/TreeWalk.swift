internal import HoldfastBasics
public import HoldfastEvaluation

/// A node that was run, with what came of it.
public struct VisitedNode: Sendable, Hashable {
  public let node: SearchNode
  /// 0: the whole model.
  public let level: Int
  /// Index among the visited nodes; nil for the whole model.
  public let parent: Int?
  public let scores: SearchScores
  public let speciality: Estimate
  public let versatility: Estimate
  /// Over the parent, item by item; nil for the whole model.
  public let gain: Estimate?
  /// (speciality − base) / (full − base), and versatility / base: the parts of `uni`.
  public let specialityShare: Double
  public let versatilityShare: Double
  /// Why the search went on below it, or did not.
  public let verdict: String
  public let isExpandable: Bool

  /// The mean of the two shares; never shown without them.
  public var uni: Double { (specialityShare + versatilityShare) / 2 }
}

/// The coarse tree search of CoFiTune: from halves of the model to quarters, to attention or MLP, to single matrices.
///
/// The paper names the search and its result, not its rule. This one expands the best node of a level that is more versatile
/// than its parent by `dv` standard errors and keeps 1 − `es` of full tuning's speciality, and returns the best of all.
package struct TreeWalk {
  package let dv: Double
  package let es: Double
  package let base: SearchScores

  package private(set) var visited: [VisitedNode] = []
  /// Why the walk ended where it did.
  package private(set) var ending = ""

  package init(dv: Double, es: Double, base: SearchScores) {
    self.dv = dv
    self.es = es
    self.base = base
  }

  /// Runs the walk. `affords`: whether so many more nodes may be run; `measure` gives a node's scores, nil to stop;
  /// `onVisit` hears of each node when it is judged. False where it was stopped.
  package mutating func run(
    affords: (Int) -> Bool, measure: (SearchNode, Int) throws -> SearchScores?, onVisit: (VisitedNode) throws -> Void
  ) throws -> Bool {
    guard let reference = try measure(.whole, 0) else { return false }
    try judgeReferences(reference)
    try append(.whole, 0, nil, reference, onVisit)
    var parent = 0
    for level in 1... {
      let children = SearchTree.children(of: visited[parent].node)
      if children.isEmpty {
        ending = "\(visited[parent].node.label) is a leaf"
        return true
      }
      guard affords(children.count) else {
        ending = "the budget does not hold the \(children.count) nodes below \(visited[parent].node.label)"
        return true
      }
      var members: [Int] = []
      for child in children {
        guard let scores = try measure(child, level) else { return false }
        try append(child, level, parent, scores, onVisit)
        members.append(visited.count - 1)
      }
      guard let best = best(among: members.filter { visited[$0].isExpandable }) else {
        ending = "no node of level \(level) passes both thresholds"
        return true
      }
      parent = best
    }
    return true
  }

  /// All nodes of the lattice, judged as in the walk where their parent was the whole model.
  package mutating func runAll(measure: (SearchNode, Int) throws -> SearchScores?, onVisit: (VisitedNode) throws -> Void) throws -> Bool {
    for node in SearchTree.lattice {
      guard let scores = try measure(node, node.isWhole ? 0 : 1) else { return false }
      if node.isWhole { try judgeReferences(scores) }
      try append(node, node.isWhole ? 0 : 1, node.isWhole ? nil : 0, scores, onVisit)
    }
    ending = "every node was run"
    return true
  }

  /// Index of the best node by Uni; of equals the later one, which trains less.
  package var best: Int { best(among: Array(visited.indices))! }

  /// The best nodes first.
  var ranking: [Int] { visited.indices.sorted { (visited[$0].uni, $0) > (visited[$1].uni, $1) } }

  private func best(among indices: [Int]) -> Int? { indices.max { (visited[$0].uni, $0) < (visited[$1].uni, $1) } }

  /// Shares need a base that knows something and a full tuning that learns something.
  private func judgeReferences(_ full: SearchScores) throws(Problems) {
    var problems = Problems("search")
    let before = SearchScores.mean(base.speciality), after = SearchScores.mean(full.speciality)
    if !(after.value > before.value) {
      problems.add(
        "full tuning's probe has the speciality \(after.value), the base \(before.value): there is nothing to compare regions by; raise probe_budget or learning_rate, or measure likelihood")
    }
    if !(SearchScores.mean(base.versatility).value > 0) { problems.add("the base scores 0 on the versatility suites: there is nothing to keep") }
    try problems.check()
  }

  private mutating func append(
    _ node: SearchNode, _ level: Int, _ parent: Int?, _ scores: SearchScores, _ onVisit: (VisitedNode) throws -> Void
  ) throws {
    let speciality = SearchScores.mean(scores.speciality), versatility = SearchScores.mean(scores.versatility)
    let full = SearchScores.mean((visited.first?.scores ?? scores).speciality).value
    let before = SearchScores.mean(base.speciality).value
    let gain = parent.map { scores.versatilityGain(over: visited[$0].scores) }
    var verdict = "the reference", isExpandable = node.isWhole
    if let gain {
      let wanted = dv * (gain.standardError ?? 0), kept = (1 - es) * full
      isExpandable = gain.value >= wanted && speciality.value >= kept
      verdict =
        isExpandable ? "passes"
        : gain.value < wanted ? "versatility gains \(rounded(gain.value)), less than \(rounded(wanted))"
        : "speciality \(rounded(speciality.value)) is below \(rounded(kept))"
    }
    let result = VisitedNode(
      node: node, level: level, parent: parent, scores: scores, speciality: speciality, versatility: versatility, gain: gain,
      specialityShare: (speciality.value - before) / (full - before),
      versatilityShare: versatility.value / SearchScores.mean(base.versatility).value, verdict: verdict, isExpandable: isExpandable)
    visited.append(result)
    try onVisit(result)
  }

  private func rounded(_ value: Double) -> String { "\((value * 10000).rounded() / 10000)" }
}
