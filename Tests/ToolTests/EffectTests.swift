import HoldfastBasics
import HoldfastDatasets
import HoldfastRecords
import Testing

/// What the shipped base forgets while it learns the clinic, by a few ways whose margins are wide: the small form of Recipes/effects.yaml.
@Suite(.serialized) struct EffectTests {
  private static let families: [LittleWorld.Family] = [.facts, .sums, .stories]

  /// Held-out losses after a step, nats a label: of the domain, and the mean over the general families.
  private struct Point {
    let domain, general: Double
  }

  private func shop() throws -> Workshop {
    let shop = try Workshop(examples: 1500)
    for family in Self.families + [.clinic] {
      try shop.write(LittleWorld().jsonl(family, .validation, count: 40), to: "\(family.rawValue).held.jsonl")
    }
    return shop
  }

  /// A run from some model; its losses in order.
  @discardableResult
  private func run(
    _ shop: Workshop, _ name: String, _ method: String = "full", rate: Double = 1e-3, steps: Int, more: String = "", from model: String = Workshop.trained
  ) throws -> [Point] {
    let tests = ([.clinic] + Self.families).map { "{path: \(shop.path)/\($0.rawValue).held.jsonl, name: \($0.rawValue)}" }
    let outcome = shop.holdfast("tune", try shop.recipe(name, """
      model: \(model)
      initialize: pretrained
      method: \(method)
      data: [{path: \(shop.path)/clinic.jsonl, name: domain}\(more)]
      evaluate: {data: [\(tests.joined(separator: ", "))], every: 4}
      batch: {rows: 8}
      steps: \(steps)
      learning_rate: \(rate)
      schedule: {kind: constant, warmup: \(min(5, steps - 1))}
      checkpoint: {every: 1000, keep: 1}
      """))
    try #require(outcome.status == 0, "\(name): \(outcome.errors)")
    var byStep: [Int: [String: Double]] = [:]
    for score in try RunFolder(shop.path + "/" + name).readMetrics().scores { byStep[score.step ?? 0, default: [:]][score.name] = score.value }
    return byStep.sorted { $0.key < $1.key }.map { _, scores in
      func loss(_ family: LittleWorld.Family) -> Double { scores["held_out.\(family.rawValue).loss"]! }
      return Point(domain: loss(.clinic), general: Self.families.reduce(0) { $0 + loss($1) } / 3)
    }
  }

  /// The general loss where the domain's falls through a target, between two evaluations; nil where it never does.
  private func general(_ points: [Point], at target: Double) -> Double? {
    guard let after = points.firstIndex(where: { $0.domain <= target }), after > 0 else { return nil }
    let a = points[after - 1], b = points[after], share = (a.domain - target) / (a.domain - b.domain)
    return a.general + share * (b.general - a.general)
  }

  @Test func someWaysForgetLessAtTheSameLearning() throws {
    let shop = try shop()
    let base = try run(shop, "base", rate: 1e-12, steps: 1)[0]
    #expect(base.domain > 6 && base.general < 0.6, "\(base)")
    let full = try run(shop, "full", steps: 44)
    func cost(_ points: [Point], _ target: Double) throws -> Double { try #require(general(points, at: target), "\(points)") - base.general }
    // 83 % of what there is to learn. lisa and a fifth of the rate lose half of what full tuning loses, or less.
    let price = try cost(full, 1.3)
    #expect(price > 0.3)
    let lisa = try cost(run(shop, "lisa", "{lisa: {layers: 1, every: 10}}", steps: 52), 1.3)
    let low = try cost(run(shop, "low", rate: 2e-4, steps: 68), 1.3)
    #expect(lisa < 0.75 * price && low < 0.6 * price, "lisa \(lisa), low rate \(low), full \(price)")
    // 93 %: a fifth of the rows is general text, which full tuning with replay learns again.
    let late = try cost(full, 0.6)
    let text = ", {path: \(shop.path)/text.jsonl, name: general, share: 0.2}"
    let replay = try cost(run(shop, "replay", steps: 56, more: text), 0.6)
    #expect(replay < 0.7 * late, "replay \(replay), full \(late)")

    // Claims that half fine-tuning makes at equal steps: it forgets less, and Half-Reset gives knowledge back.
    let half = try run(shop, "half", "half", steps: 44), end = try #require(full.last), halfEnd = try #require(half.last)
    #expect(halfEnd.general - base.general < 0.8 * (end.general - base.general), "half \(halfEnd), full \(end)")
    let blended = shop.holdfast(
      "blend", "--rule", "half-reset", "--base", Workshop.trained, "--tuned", shop.path + "/full/final", "--output", shop.path + "/reset")
    try #require(blended.status == 0, "\(blended.errors)")
    let reset = try run(shop, "after", rate: 1e-12, steps: 1, from: shop.path + "/reset")[0]
    #expect(reset.general - base.general < 0.7 * (end.general - base.general) && reset.domain < base.domain - 2, "reset \(reset), full \(end), base \(base)")
  }
}
