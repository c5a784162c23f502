import HoldfastBasics
import Testing

/// Workshops in which `base/final` is a model that was trained a little, once for all tests.
enum MethodWorkshop {
  private static let base: Result<String, any Error> = Result {
    let shop = try Workshop()
    try #require(shop.holdfast("tune", try shop.recipe("base", "steps: 4\nobjective: pretraining")).status == 0)
    let kept = packageRoot + "/.build/method-test-base"
    try Files.remove(kept)
    try Workshop.copy(shop.path + "/base/final", to: kept)
    return kept
  }

  static func make() throws -> Workshop {
    let shop = try Workshop()
    _ = try shop.copy(base.get(), as: "base/final")
    return shop
  }

  /// A run over that model, by a recipe of these lines.
  static func tune(_ shop: Workshop, _ name: String, _ lines: String) throws {
    let outcome = shop.holdfast("tune", try shop.recipe(name, lines), "--model", shop.path + "/base/final", "--initialize", "pretrained")
    try #require(outcome.status == 0, "\(name): \(outcome.errors)")
  }
}
