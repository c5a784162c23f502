/// Token ids and where in the text each came from.
public struct Encoding: Sendable, Hashable {
  /// Token ids in order.
  public var ids: [Int]
  /// For every token the Unicode scalars of the text that it stands for, counted from 0. Tokens that a
  /// template added have an empty range at 0, as in the `tokenizers` library.
  public var offsets: [Range<Int>]

  public init(ids: [Int] = [], offsets: [Range<Int>] = []) {
    self.ids = ids
    self.offsets = offsets
  }
}
