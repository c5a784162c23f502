public import HoldfastTokenizers

extension Tokenizer: TokenEncoder {
  public func tokens(of text: String, addSpecialTokens: Bool) -> (ids: [Int], offsets: [Range<Int>]) {
    let encoding = encodeWithOffsets(text, addSpecialTokens: addSpecialTokens)
    return (encoding.ids, encoding.offsets)
  }
}
