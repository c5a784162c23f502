/// What `normalizer` in tokenizer.json does to text before it is split.
indirect enum Normalizer: Sendable {
  case form(NormalizationForm)
  case lowercase
  case prepend([UInt8])
  case replace(SplitPattern, [UInt8])
  case stripAccents
  case strip(left: Bool, right: Bool)
  /// SentencePiece's cleaning of control characters and odd spaces.
  case nmt
  case byteLevel
  case sequence([Normalizer])

  /// Whether text comes out in GPT-2's alphabet of bytes.
  var spellsBytes: Bool {
    switch self {
    case .byteLevel: true
    case .sequence(let parts): parts.contains(where: \.spellsBytes)
    default: false
    }
  }

  func apply(_ text: inout AlignedText) {
    switch self {
    case .form(let form):
      if text.isASCII { return }
      if let changed = form.apply(scalars(of: text.bytes)) { text.transform(changed) }
    case .lowercase:
      var changed: [NormalizationForm.Scalar] = []
      changed.reserveCapacity(text.bytes.count)
      for value in scalars(of: text.bytes) {
        if value < 0x80 {
          changed.append(.init(value: (0x41...0x5A).contains(value) ? value + 32 : value, change: 0))
        } else if let scalar = Unicode.Scalar(value) {
          for (i, lower) in scalar.properties.lowercaseMapping.unicodeScalars.enumerated() {
            changed.append(.init(value: lower.value, change: i > 0 ? 1 : 0))
          }
        }
      }
      text.transform(changed)
    case .prepend(let prefix): text.prepend(prefix)
    case .replace(let pattern, let replacement): text.replace(pattern, with: replacement)
    case .stripAccents: if !text.isASCII { text.keep { !ScalarClasses.of($0).isMark } }
    case .strip(let left, let right): text.strip(left: left, right: right)
    case .nmt:
      text.keep { !Self.nmtRemoves($0) }
      text.transform(
        scalars(of: text.bytes).map { .init(value: Self.nmtMakesSpace($0) ? 0x20 : $0, change: 0) })
    case .byteLevel: text.spellBytes()
    case .sequence(let parts): for part in parts { part.apply(&text) }
    }
  }

  private static func nmtRemoves(_ value: UInt32) -> Bool {
    switch value {
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: true
    default: false
    }
  }

  private static func nmtMakesSpace(_ value: UInt32) -> Bool {
    switch value {
    case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: true
    default: false
    }
  }
}
