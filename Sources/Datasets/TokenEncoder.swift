/// What turns text into ids for training: a tokenizer, or a toy of one in tests.
public protocol TokenEncoder: Sendable {
  /// Ids and, for each, the range of Unicode scalars it stands for; tokens that no text stands for
  /// (a beginning or end added by the tokenizer) have an empty range.
  func tokens(of text: String, addSpecialTokens: Bool) -> (ids: [Int], offsets: [Range<Int>])
  /// The token that begins a text, where the tokenizer has one.
  var beginningID: Int? { get }
  /// The token that ends a text, where the tokenizer has one.
  var endID: Int? { get }
}
