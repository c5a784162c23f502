/// One step of what `post_processor` in tokenizer.json does to the tokens of a text.
enum PostProcessor: Sendable {
  enum TemplatePart: Sendable {
    case text
    case tokens([Int])
  }

  /// Takes the white space that tokens begin and end with out of their offsets.
  case trimOffsets(addsPrefixSpace: Bool)
  /// Tokens before and after the text.
  case template([TemplatePart])

  /// - Parameter spaces: how many scalars of white space a token begins and ends with, by its place.
  func apply(_ encoding: inout Encoding, addSpecialTokens: Bool, spaces: [(leading: Int, trailing: Int)]) {
    switch self {
    case .trimOffsets(let addsPrefixSpace):
      for i in encoding.offsets.indices where i < spaces.count {
        var start = encoding.offsets[i].lowerBound
        var end = encoding.offsets[i].upperBound
        var leading = spaces[i].leading
        if leading > 0 {
          // A single space at the beginning may be the one that was put there.
          if i == 0 || start == 0, addsPrefixSpace, leading == 1 { leading = 0 }
          start = min(start + leading, end)
        }
        if spaces[i].trailing > 0, end >= spaces[i].trailing { end = max(end - spaces[i].trailing, start) }
        encoding.offsets[i] = start..<end
      }
    case .template(let parts):
      guard addSpecialTokens else { return }
      var result = Encoding()
      for part in parts {
        switch part {
        case .text:
          result.ids += encoding.ids
          result.offsets += encoding.offsets
        case .tokens(let ids):
          result.ids += ids
          result.offsets += repeatElement(0..<0, count: ids.count)
        }
      }
      encoding = result
    }
  }

  /// The ids alone.
  func apply(_ ids: inout [Int], addSpecialTokens: Bool) {
    guard addSpecialTokens, case .template(let parts) = self else { return }
    if let at = parts.firstIndex(where: { if case .text = $0 { true } else { false } }), parts.count == at + 1 {
      // The usual form, tokens before the text, without a copy of it.
      let before = parts[..<at].flatMap { if case .tokens(let ids) = $0 { ids } else { [Int]() } }
      ids.insert(contentsOf: before, at: 0)
      return
    }
    var result: [Int] = []
    result.reserveCapacity(ids.count + 4)
    for part in parts {
      switch part {
      case .text: result += ids
      case .tokens(let added): result += added
      }
    }
    ids = result
  }
}
