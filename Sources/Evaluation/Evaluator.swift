public import HoldfastDecoding
internal import HoldfastEngine
public import HoldfastModels
public import HoldfastTokenizers

/// A model with its tokenizer, asked for scores.
public struct Evaluator {
  /// Weights, on the device that computes.
  public let model: Decoder
  /// The model's own.
  public let tokenizer: Tokenizer
  /// What the tokenizer puts in front of a text.
  public let front: [Int]
  /// Tokens that end an answer: the model's and the tokenizer's end tokens, and every token with a line break.
  public private(set) var stops: Set<Int>
  /// Asked in the model's place; its base is the model, its ids are the tokenizer's.
  public var ensemble: Ensemble?
  /// Tokens of one forward pass.
  public var tokensPerBatch = 2048
  /// Rows that generate together.
  public var rowsPerBatch = 64

  /// Throws when the tokenizer knows ids that the model does not.
  public init(model: Decoder, tokenizer: Tokenizer) throws {
    self.model = model
    self.tokenizer = tokenizer
    front = tokenizer.front
    endIDs = Set(model.configuration.endIDs + [tokenizer.endID].compactMap { $0 })
    stops = endIDs.union(tokenizer.lineBreakIDs)
  }

  /// Tokens that end a text: the model's and the tokenizer's.
  public private(set) var endIDs: Set<Int>

  /// Lets these end a text and an answer too, such as an expert's own end token.
  public mutating func end(at ids: Set<Int>) {
    endIDs.formUnion(ids)
    stops.formUnion(ids)
  }

  /// Windows as long as the model's context.
  public var windowRule: WindowRule { WindowRule(length: contextLength, front: front) }

  /// Scores every token of a text.
  public func scores(ofText text: String, rule: WindowRule? = nil) throws -> TextScores {
    if ensemble != nil { return try scores(ofTexts: [text], rule: rule ?? windowRule)[0] }
    let ids = try checked(tokenizer.encode(text, addSpecialTokens: false))
    return try model.scores(of: ids, rule: rule ?? windowRule, tokensPerBatch: tokensPerBatch)
  }

  /// A text's ids with the front before them, which is not doubled where the text spells it itself.
  public func ids(of text: String) throws -> [Int] {
    let ids = try checked(tokenizer.encode(text, addSpecialTokens: false))
    return ids.starts(with: front) ? ids : front + ids
  }

  private func checked(_ ids: [Int]) throws -> [Int] {
    guard let wrong = ids.first(where: { $0 >= model.configuration.vocabularySize }) else { return ids }
    throw EngineError(
      "the tokenizer gave the id \(wrong) (\(tokenizer.token(wrong) ?? "?")), but the model's vocabulary has \(model.configuration.vocabularySize) entries: they do not belong together")
  }
}

extension Tokenizer {
  /// The ids that stand in front of every text, such as the token that begins one.
  public var front: [Int] {
    let plain = encode("a", addSpecialTokens: false), full = encode("a")
    let start = full.indices.first { full[$0...].starts(with: plain) } ?? 0
    return Array(full[..<start])
  }

  /// Ids whose text has a line break in it.
  var lineBreakIDs: [Int] {
    (0..<vocabularySize).filter { id in
      // Spelled plainly, in the byte alphabet, or as a byte; decoding then decides.
      guard let token = token(id), token.utf8.contains(0x0A) || token.unicodeScalars.contains("Ċ") || token == "<0x0A>" else { return false }
      return decode([id]).utf8.contains(0x0A)
    }
  }
}
