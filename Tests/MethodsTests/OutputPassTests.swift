import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
import Testing

/// MAS's importance against gradients of the whole logits, example by example.
struct OutputPassTests {
  @Test(arguments: [OutputPass.Output.logits, .logProbabilities])
  func isTheMeanOfAbsoluteGradients(output: OutputPass.Output) throws {
    let scratch = try Scratch(), model = try tinyDecoder(), texts = randomTexts(5)
    for p in model.parameters { try p.value.setRequiresGradient(true) }
    var expected: [String: Tensor] = [:]
    for text in texts {
      var f = try model.logits(model.forward(Batch(texts: [text])).labelledHidden)
      if output == .logProbabilities { f = try f.logSoftmax(axis: 1) }
      try ((f * f).sum() * (1 / Double(text.count - 1))).backward()
      for p in model.parameters {
        let part = try p.value.takeGradient()!.abs() * (1 / Double(texts.count))
        expected[p.name] = try expected[p.name].map { try $0 + part } ?? part
      }
    }
    for p in model.parameters { try p.value.setRequiresGradient(false) }
    let found = try OutputPass.run(output, Set(model.parameters.map(\.name)), pass(model, texts, store: scratch.path))
    for (name, tensor) in expected {
      #expect(try Tensor.squaredNorm(of: [tensor - found[name]!]).squareRoot() < 1e-5 * Tensor.squaredNorm(of: [tensor]).squareRoot(), "\(name)")
    }
  }

  @Test func whatDoesNotTrainIsNotAskedFor() throws {
    let scratch = try Scratch(), model = try tinyDecoder(), texts = randomTexts(3)
    let names: Set<String> = ["model.layers.1.mlp.up_proj.weight"]
    let whole = try OutputPass.run(.logits, Set(model.parameters.map(\.name)), pass(model, texts, store: scratch.path + "/1"))
    for p in model.parameters { try p.value.setRequiresGradient(false) }
    let part = try OutputPass.run(.logits, names, pass(model, texts, store: scratch.path + "/2"))
    #expect(Set(part.keys) == names)
    for name in names { #expect(try part[name]!.largestDifference(to: whole[name]!) < 1e-6) }
  }
}
