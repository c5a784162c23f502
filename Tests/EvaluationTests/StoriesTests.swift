import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastTokenizers
import Testing

/// A real, trained model beside the repository, with numbers that Transformers gave for it.
private enum Stories {
  static let folder = shared("models/stories260K")
  static let isThere = Files.exists(folder + "/model.safetensors")

  static func shared(_ path: String) -> String {
    let package = Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))
    return package + "/../shared/" + path
  }

  static func reference() throws -> JSON { try MappedFile(path: folder + "/reference.json").json() }
}

@Suite("stories260K, beside the repository", .enabled(if: Stories.isThere, "../shared/models/stories260K is not there"))
struct StoriesTests {
  @Test("logits within 1e-4")
  func logits() throws {
    let model = try ModelFolder(Stories.folder).load()
    let file = try SafetensorsFile(path: Stories.folder + "/reference.safetensors")
    var compared = 0
    while let entry = file.entry("\(compared).logits"), let ids = file.entry("\(compared).input_ids") {
      let theirs = try Tensor(bytes: file.bytes(entry.name), shape: entry.shape, dtype: entry.dtype)
      let text = try Tensor(bytes: file.bytes(ids.name), shape: ids.shape, dtype: ids.dtype).ints()
      let ours = try model.logits(model.forward(Batch(texts: [text])).hidden)
      let difference = try ours.largestDifference(to: theirs)
      #expect(difference <= 1e-4, "prompt \(compared): \(difference)")
      compared += 1
    }
    #expect(compared == 4)
  }

  @Test("greedy continuations equal, alone and in one batch")
  func greedy() throws {
    let model = try ModelFolder(Stories.folder).load()
    let tokenizer = try Tokenizer(folder: Stories.folder)
    var requests: [GenerationRequest] = [], expected: [[Int]] = []
    let reference = try Stories.reference()
    for prompt in try #require(reference["prompts"]?.array) {
      let ids = try #require(prompt["ids"]?.array).compactMap(\.int)
      let tokens = try #require(prompt["greedy"]?.array).compactMap(\.int)
      let text = try #require(prompt["text"]?.string)
      #expect(tokenizer.encode(text) == ids)
      #expect(tokenizer.decode(ids + tokens) == prompt["decoded"]?.string)
      requests.append(
        GenerationRequest(prompt: ids, maximumTokens: tokens.count, stopIDs: Set(model.configuration.endIDs)))
      expected.append(tokens)
    }
    #expect(requests.count == 4)
    for (request, tokens) in zip(requests, expected) { #expect(try model.generate([request])[0] == tokens) }
    #expect(try model.generate(requests) == expected)
  }

  @Test("perplexity of real text within 0.01 %")
  func perplexity() throws {
    let evaluator = try Evaluator(
      model: ModelFolder(Stories.folder).load(), tokenizer: Tokenizer(folder: Stories.folder))
    #expect(evaluator.windowRule == WindowRule(length: 512, front: [1]))
    var compared = 0
    let reference = try Stories.reference()
    for text in try #require(reference["perplexity"]?.array) {
      let name = try #require(text["file"]?.string)
      let path = Stories.shared("data/" + name)
      guard Files.exists(path) else { continue }
      let characters = try #require(text["characters"]?.int)
      let whole = try MappedFile(path: path).text()
      let scores = try evaluator.scores(ofText: String(String.UnicodeScalarView(whole.unicodeScalars.prefix(characters))))
      let theirs = try #require(text["perplexity"]?.double)
      #expect(scores.count == text["tokens"]?.int)
      #expect(abs(scores.perplexity.value / theirs - 1) <= 1e-4, "\(path): \(scores.perplexity.value), not \(theirs)")
      let error = try #require(scores.perplexity.standardError)
      #expect(error > 0 && error < theirs)
      compared += 1
    }
    #expect(compared == 4)
  }
}
