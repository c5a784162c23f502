import HoldfastBasics
import HoldfastDatasets
import HoldfastEvaluation
import HoldfastModels
import HoldfastTokenizers
import Testing

struct LogitLensTests {
  private static let base = Files.folder(of: Files.folder(of: Files.folder(of: #filePath))) + "/World/base"

  /// Behind the last layer the lens is the model itself.
  @Test func theLastLayerIsTheModel() throws {
    let evaluator = try Evaluator(model: ModelFolder(Self.base).load(), tokenizer: Tokenizer(folder: Self.base))
    let items = LittleWorld().items(.stories, .test, count: 7).map { EvaluationItem(prompt: $0.prompt, completion: $0.completion) }
    let lens = try evaluator.logitLens(items)
    #expect(lens.count == evaluator.model.configuration.layerCount + 1)
    var sum = 0.0, count = 0
    for item in items {
      let prompt = try evaluator.ids(of: item.prompt), text = try evaluator.ids(of: item.prompt + item.completion)
      let border = max(1, zip(text, prompt).prefix { $0 == $1 }.count)
      let request = LikelihoodRequest(context: Array(text.prefix(border)), continuation: Array(text.dropFirst(border)))
      let scores = try evaluator.model.likelihoods(of: [request])[0]
      sum += scores.logProbability
      count += scores.count
    }
    #expect(abs(lens.last!.value - sum / Double(count)) < 1e-5 && lens.last!.count == count)
    // A trained model says more of the answer at its end than at its beginning.
    #expect(lens[0].value < lens.last!.value - 1)
    let likely = try evaluator.answerLikelihoods(items)
    #expect(likely.count == 7 && likely.allSatisfy { (0...1).contains($0) })
  }
}
