internal import HoldfastBasics

// The parts of tokenizer.json by their types. What is not supported is named, never passed over.

extension PartReader {
  func normalizer() -> Normalizer {
    switch type {
    case "NFC": return .form(.nfc)
    case "NFD": return .form(.nfd)
    case "NFKC": return .form(.nfkc)
    case "NFKD": return .form(.nfkd)
    case "Lowercase": return .lowercase
    case "Prepend": return .prepend(Array(text("prepend").utf8))
    case "Replace": return .replace(pattern(), Array(text("content").utf8))
    case "StripAccents": return .stripAccents
    case "Strip": return .strip(left: bool("strip_left"), right: bool("strip_right"))
    case "Nmt": return .nmt
    case "ByteLevel": return .byteLevel
    case "Sequence": return .sequence(parts("normalizers").map { $0.normalizer() })
    case "": break
    default:
      unsupported([
        "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Prepend", "Replace", "StripAccents", "Strip", "Nmt", "ByteLevel",
        "Sequence",
      ])
    }
    return .sequence([])
  }

  /// The steps in order, sequences laid out flat.
  func preTokenizers() -> [PreTokenizer] {
    switch type {
    case "Sequence": return parts("pretokenizers").flatMap { $0.preTokenizers() }
    case "ByteLevel":
      return [
        .byteLevel(
          addsPrefixSpace: bool("add_prefix_space", default: true), splits: bool("use_regex", default: true), spells: true)
      ]
    case "Split":
      return [.split(Splitter(pattern: pattern(), behavior: behavior(), isInverted: bool("invert", default: false)))]
    case "Digits":
      let behavior: SplitBehavior = bool("individual_digits", default: false) ? .isolated : .contiguous
      return [.split(Splitter(pattern: .scalars(.number), behavior: behavior))]
    case "Punctuation":
      return [.split(Splitter(pattern: .scalars(.punctuation), behavior: behavior(default: .isolated)))]
    case "WhitespaceSplit": return [.split(Splitter(pattern: .scalars(.whitespace), behavior: .removed))]
    case "Whitespace":
      // \w+|[^\w\s]+ with the \w of Rust's regex, which holds the two joiners.
      let words = #"[\w\x{200C}\x{200D}]+|[^\w\s\x{200C}\x{200D}]+"#
      guard let pattern = try? SplitPattern(regex: words) else { return [] }
      return [.split(Splitter(pattern: pattern, behavior: .removed, isInverted: true))]
    case "BertPreTokenizer":
      return [
        .split(Splitter(pattern: .scalars(.whitespace), behavior: .removed)),
        .split(Splitter(pattern: .scalars(.punctuation), behavior: .isolated)),
      ]
    case "CharDelimiterSplit":
      return [.split(Splitter(pattern: .scalars(.one(character("delimiter"))), behavior: .removed))]
    case "FixedLength": return [.fixedLength(max(1, count("length", default: 5)))]
    case "Metaspace":
      return [
        .metaspace(
          replacement: Array(String(Unicode.Scalar(character("replacement")) ?? " ").utf8), prepending: prepending(),
          splits: bool("split", default: true))
      ]
    case "": break
    default:
      unsupported([
        "Sequence", "ByteLevel", "Split", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "BertPreTokenizer",
        "CharDelimiterSplit", "FixedLength", "Metaspace",
      ])
    }
    return []
  }

  private func behavior(default fallback: SplitBehavior? = nil) -> SplitBehavior {
    let name = text("behavior", default: fallback?.rawValue)
    if let behavior = SplitBehavior(rawValue: name) { return behavior }
    if !name.isEmpty {
      complain("the behavior \(name.debugDescription) is none of \(SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return .isolated
  }

  /// `prepend_scheme`, or `add_prefix_space` in old files.
  private func prepending() -> PreTokenizer.Prepending {
    let old = bool("add_prefix_space", default: true)
    switch text("prepend_scheme", default: old ? "always" : "never") {
    case "always": return .always
    case "first": return .first
    case "never": return .never
    case let other:
      complain("the prepend_scheme \(other.debugDescription) is none of always, first, never")
      return .never
    }
  }

  /// The steps in order.
  func postProcessors() -> [PostProcessor] {
    switch type {
    case "Sequence": return parts("processors").flatMap { $0.postProcessors() }
    case "ByteLevel":
      return bool("trim_offsets", default: true)
        ? [.trimOffsets(addsPrefixSpace: bool("add_prefix_space", default: true))] : []
    case "TemplateProcessing": return [.template(template())]
    case "RobertaProcessing":
      let trims = bool("trim_offsets", default: true)
      return (trims ? [.trimOffsets(addsPrefixSpace: bool("add_prefix_space", default: true))] : []) + [bracketed()]
    case "BertProcessing": return [bracketed()]
    case "": break
    default: unsupported(["Sequence", "ByteLevel", "TemplateProcessing", "RobertaProcessing", "BertProcessing"])
    }
    return []
  }

  /// `"cls": ["<s>", 0], "sep": ["</s>", 2]`
  private func bracketed() -> PostProcessor {
    func id(_ key: String) -> [Int] {
      if let id = json[key]?[1]?.int, id >= 0 { return [id] }
      complain("\(key) is not a pair of a token and its id")
      return []
    }
    return .template([.tokens(id("cls")), .text, .tokens(id("sep"))])
  }

  private func template() -> [PostProcessor.TemplatePart] {
    parts("single").map { part in
      if part.json["Sequence"] != nil {
        if part.json["Sequence"]?["id"]?.string != "A" { part.complain("a template for one text names another than A") }
        return .text
      }
      guard let name = part.json["SpecialToken"]?["id"]?.string else {
        part.complain("is neither a Sequence nor a SpecialToken")
        return .text
      }
      let ids = json["special_tokens"]?[name]?["ids"]?.array?.map { $0.int ?? -1 }
      guard let ids, !ids.isEmpty, ids.allSatisfy({ $0 >= 0 }) else {
        part.complain("the token \(name.debugDescription) has no ids in special_tokens")
        return .text
      }
      return .tokens(ids)
    }
  }

  /// The steps in order.
  func decoders() -> [Decoder] {
    switch type {
    case "Sequence": return parts("decoders").flatMap { $0.decoders() }
    case "ByteLevel": return [.byteLevel]
    case "Replace": return [.replace(pattern(), Array(text("content").utf8))]
    case "ByteFallback": return [.byteFallback]
    case "Fuse": return [.fuse]
    case "Strip": return [.strip(content: character("content"), start: count("start"), stop: count("stop"))]
    case "Metaspace": return [.metaspace(replacement: character("replacement"), prepends: prepending() != .never)]
    case "BPEDecoder": return [.suffix(Array(text("suffix", default: "</w>").utf8))]
    case "WordPiece":
      return [.wordPiece(prefix: Array(text("prefix", default: "##").utf8), cleansUp: bool("cleanup", default: true))]
    case "": break
    default:
      unsupported([
        "Sequence", "ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace", "BPEDecoder", "WordPiece",
      ])
    }
    return []
  }
}
