// Cutting texts into pieces and changing their case, by Python's rules.

extension TemplateText {
  /// The scalar that begins at byte `offset`, and its length in bytes.
  func scalar(at offset: Int) -> (Unicode.Scalar, Int) {
    let first = bytes[offset]
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    let count = min(first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2, bytes.count - offset)
    var value = UInt32(first) & (count == 4 ? 0x07 : count == 3 ? 0x0F : 0x1F)
    for i in 1..<max(count, 1) { value = value << 6 | UInt32(bytes[offset + i] & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", count)
  }

  func stripped(left: Bool = true, right: Bool = true, _ isTaken: (Unicode.Scalar) -> Bool) -> TemplateText {
    var start = 0
    var end = bytes.count
    while left, start < end {
      let (scalar, count) = scalar(at: start)
      guard isTaken(scalar) else { break }
      start += count
    }
    while right, end > start {
      var begin = end - 1
      while begin > start, bytes[begin] & 0xC0 == 0x80 { begin -= 1 }
      guard isTaken(scalar(at: begin).0) else { break }
      end = begin
    }
    return piece(start..<end)
  }

  /// Between the places of `mark`, at most `limit` cuts (negative: all).
  func split(by mark: [UInt8], limit: Int, fromRight: Bool) -> [TemplateText] {
    var pieces: [TemplateText] = []
    var cuts = 0
    if fromRight {
      var end = bytes.count
      while limit < 0 || cuts < limit, let place = findLast(mark, to: end) {
        pieces.append(piece(place + mark.count..<end))
        end = place
        cuts += 1
      }
      pieces.append(piece(0..<end))
      return pieces.reversed()
    }
    var start = 0
    while limit < 0 || cuts < limit, let place = find(mark, from: start) {
      pieces.append(piece(start..<place))
      start = place + mark.count
      cuts += 1
    }
    pieces.append(piece(start..<bytes.count))
    return pieces
  }

  /// Between stretches of white space, none of the pieces empty.
  func words(limit: Int, fromRight: Bool) -> [TemplateText] {
    var ranges: [Range<Int>] = []
    var at = 0
    var start: Int?
    while at < bytes.count {
      let (scalar, count) = scalar(at: at)
      if scalar.isPythonSpace {
        if let begin = start { ranges.append(begin..<at) }
        start = nil
      } else if start == nil {
        start = at
      }
      at += count
    }
    if let begin = start { ranges.append(begin..<bytes.count) }
    guard limit >= 0, ranges.count > limit + 1 else {
      if limit == 0, let first = ranges.first, let last = ranges.last {
        return [fromRight ? piece(0..<last.upperBound) : piece(first.lowerBound..<bytes.count)]
      }
      if limit >= 0, ranges.count == limit + 1, limit > 0 {
        // All cuts are used up, so the last piece keeps the white space at its far end.
        if fromRight {
          ranges[0] = 0..<ranges[0].upperBound
        } else {
          ranges[limit] = ranges[limit].lowerBound..<bytes.count
        }
      }
      return ranges.map(piece)
    }
    if fromRight {
      let kept = ranges.count - limit
      return [piece(0..<ranges[kept - 1].upperBound)] + ranges[kept...].map(piece)
    }
    return ranges[..<limit].map(piece) + [piece(ranges[limit].lowerBound..<bytes.count)]
  }

  /// Python's `splitlines`.
  func lines(keepsEnds: Bool = false) -> [TemplateText] {
    var pieces: [TemplateText] = []
    var start = 0
    var at = 0
    while at < bytes.count {
      let (scalar, count) = scalar(at: at)
      switch scalar.value {
      case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
        var end = at + count
        if scalar == "\r", end < bytes.count, bytes[end] == 0x0A { end += 1 }
        pieces.append(piece(start..<(keepsEnds ? end : at)))
        (at, start) = (end, end)
      default: at += count
      }
    }
    if start < bytes.count { pieces.append(piece(start..<bytes.count)) }
    return pieces
  }

  // MARK: - Case

  var uppercased: TemplateText {
    changed { scalar, _, _ in scalar.properties.uppercaseMapping }
  }

  var lowercased: TemplateText {
    changed { scalar, at, scalars in
      scalar == "Σ" ? Self.lowerSigma(at, scalars) : scalar.properties.lowercaseMapping
    }
  }

  var capitalized: TemplateText {
    changed { scalar, at, scalars in
      at == 0 ? scalar.properties.titlecaseMapping
        : scalar == "Σ" ? Self.lowerSigma(at, scalars) : scalar.properties.lowercaseMapping
    }
  }

  /// Python's `str.title`: a letter after a letter is small, every other one large.
  var titled: TemplateText {
    changed { scalar, at, scalars in
      at > 0 && scalars[at - 1].properties.isCased
        ? (scalar == "Σ" ? Self.lowerSigma(at, scalars) : scalar.properties.lowercaseMapping)
        : scalar.properties.titlecaseMapping
    }
  }

  var swappedCase: TemplateText {
    changed { scalar, at, scalars in
      scalar.properties.isUppercase
        ? (scalar == "Σ" ? Self.lowerSigma(at, scalars) : scalar.properties.lowercaseMapping)
        : scalar.properties.isLowercase ? scalar.properties.uppercaseMapping : String(Character(scalar))
    }
  }

  /// Scalar by scalar; each result has the origin of what it came from.
  func changed(_ change: (Unicode.Scalar, Int, [Unicode.Scalar]) -> String) -> TemplateText {
    let scalars = Array(string.unicodeScalars)
    var place = 0
    return mapped { piece in
      var out: [UInt8] = []
      out.reserveCapacity(piece.count)
      for byte in piece where byte & 0xC0 != 0x80 {
        out += change(scalars[place], place, scalars).utf8
        place += 1
      }
      return out
    }
  }

  /// A sigma that ends a word is written ς.
  private static func lowerSigma(_ at: Int, _ scalars: [Unicode.Scalar]) -> String {
    var before = at - 1
    while before >= 0, scalars[before].properties.isCaseIgnorable { before -= 1 }
    var after = at + 1
    while after < scalars.count, scalars[after].properties.isCaseIgnorable { after += 1 }
    let endsWord =
      before >= 0 && scalars[before].properties.isCased
      && !(after < scalars.count && scalars[after].properties.isCased)
    return endsWord ? "ς" : "σ"
  }

  var isLower: Bool {
    let cased = string.unicodeScalars.filter(\.properties.isCased)
    return !cased.isEmpty && cased.allSatisfy(\.properties.isLowercase)
  }

  var isUpper: Bool {
    let cased = string.unicodeScalars.filter(\.properties.isCased)
    return !cased.isEmpty && cased.allSatisfy(\.properties.isUppercase)
  }

  var isTitle: Bool {
    var followsCased = false
    var found = false
    for scalar in string.unicodeScalars {
      if scalar.properties.isUppercase || scalar.properties.generalCategory == .titlecaseLetter {
        if followsCased { return false }
        (followsCased, found) = (true, true)
      } else if scalar.properties.isLowercase {
        if !followsCased { return false }
        (followsCased, found) = (true, true)
      } else {
        followsCased = false
      }
    }
    return found
  }
}

extension Unicode.Scalar {
  /// What Python's `str.isalpha` calls a letter.
  var isPythonAlphabetic: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }
}
