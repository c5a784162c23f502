/// Which language a text is in: by its script, and by small words where many share one.
struct LanguageGuess {
  private let counts: [Script: Int]
  private let words: [String: Int]
  private let scalars: Set<Unicode.Scalar>

  private enum Script: Hashable {
    case latin, cyrillic, arabic, hebrew, devanagari, bengali, gurmukhi, gujarati, tamil, telugu, kannada, malayalam, thai, hangul, kana, han, greek
  }

  init(_ text: String) {
    var counts: [Script: Int] = [:]
    for scalar in text.unicodeScalars { if let script = Self.script(of: scalar) { counts[script, default: 0] += 1 } }
    self.counts = counts
    scalars = Set(text.unicodeScalars)
    let all = text.lowercased().unicodeScalars.split { scalar in
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark: false
      default: true
      }
    }
    words = all.reduce(into: [:]) { $0[String($1), default: 0] += 1 }
  }

  /// Whether the text may be in a language, by its code; true for one of which nothing is known.
  func fits(_ language: String) -> Bool {
    guard let main = counts.max(by: { ($0.value, 0) < ($1.value, 0) })?.key else { return true }
    guard let scripts = Self.scripts[language] else { return true }
    guard scripts.contains(main) || main == .han && language == "ja" && counts[.kana] != nil else { return false }
    func has(_ letters: String) -> Bool { letters.unicodeScalars.contains(where: scalars.contains) }
    switch language {
    case "ja": return counts[.kana] != nil
    case "zh", "zh-cn", "zh-tw": return counts[.kana] ?? 0 < (counts[.han] ?? 0) / 10 + 1
    case "ur": return has("ٹڈڑںے")
    case "fa": return has("پچژگی") && !has("ٹڈڑے")
    case "ar": return !has("پچژگٹڈڑے")
    case "ru": return has("ыэё") || !has("іїєґ") && best(of: ["ru", "bg"]) == "ru"
    case "bg": return !has("ыэё") && best(of: ["ru", "bg"]) == "bg"
    case "uk": return has("іїєґ")
    case "hi", "mr", "ne": return best(of: ["hi", "mr", "ne"]) == language
    default: return main != .latin || best(of: Self.latin) ?? "en" == language
    }
  }

  /// The one whose small words are most of the text's.
  private func best(of languages: [String]) -> String? {
    let scores = languages.map { language in (language, Self.smallWords[language]!.reduce(0) { $0 + (words[$1] ?? 0) }) }
    return scores.max { $0.1 < $1.1 }.flatMap { $0.1 > 0 ? $0.0 : nil }
  }

  private static let latin = ["en", "de", "fr", "es", "it", "pt", "nl", "fi", "sw", "vi", "sv", "pl"]

  private static let scripts: [String: Set<Script>] = {
    var result: [String: Set<Script>] = [
      "ru": [.cyrillic], "bg": [.cyrillic], "uk": [.cyrillic], "ar": [.arabic], "fa": [.arabic], "ur": [.arabic], "he": [.hebrew],
      "hi": [.devanagari], "mr": [.devanagari], "ne": [.devanagari], "bn": [.bengali], "pa": [.gurmukhi], "gu": [.gujarati],
      "ta": [.tamil], "te": [.telugu], "kn": [.kannada], "ml": [.malayalam], "th": [.thai], "ko": [.hangul], "ja": [.kana],
      "zh": [.han], "zh-cn": [.han], "zh-tw": [.han], "el": [.greek],
    ]
    for language in latin { result[language] = [.latin] }
    return result
  }()

  private static let smallWords: [String: [String]] = [
    "en": ["the", "and", "of", "to", "is", "in", "it", "you", "that", "for", "with", "this", "are", "i", "a"],
    "de": ["der", "die", "und", "das", "ist", "nicht", "ein", "eine", "zu", "mit", "sie", "ich", "den", "auf"],
    "fr": ["le", "la", "les", "et", "est", "des", "une", "un", "du", "que", "pour", "dans", "vous", "pas"],
    "es": ["el", "la", "los", "y", "es", "que", "una", "un", "del", "las", "para", "con", "en", "por"],
    "it": ["il", "la", "che", "di", "è", "un", "una", "per", "non", "gli", "del", "della", "con", "sono"],
    "pt": ["o", "os", "e", "é", "que", "uma", "um", "do", "da", "não", "para", "com", "em", "as"],
    "nl": ["de", "het", "een", "en", "van", "is", "dat", "niet", "op", "met", "zijn", "voor"],
    "fi": ["ja", "on", "ei", "se", "että", "hän", "oli", "ovat", "mutta", "kun", "myös", "tämä", "joka"],
    "sw": ["na", "ya", "wa", "kwa", "ni", "za", "la", "katika", "hii", "kuwa", "hiyo", "yake", "kama"],
    "vi": ["và", "là", "của", "có", "không", "cho", "một", "được", "các", "trong", "người", "với", "tôi"],
    "sv": ["och", "att", "det", "är", "en", "som", "inte", "på", "för", "med", "av"],
    "pl": ["i", "w", "nie", "na", "się", "jest", "że", "do", "to", "z"],
    "ru": ["и", "в", "не", "на", "что", "это", "как", "с", "для", "по", "он", "но", "из", "мы"],
    "bg": ["и", "в", "не", "на", "че", "това", "като", "с", "за", "се", "да", "е", "от", "са", "ще"],
    "hi": ["है", "और", "के", "में", "की", "का", "को", "से", "हैं", "यह", "कि", "पर"],
    "mr": ["आहे", "आणि", "च्या", "मध्ये", "आहेत", "हे", "ते", "या", "व", "नाही", "एक", "साठी"],
    "ne": ["छ", "र", "हो", "मा", "को", "का", "छन्", "गर्न", "यो", "पनि", "लागि", "भएको"],
  ]

  private static func script(of scalar: Unicode.Scalar) -> Script? {
    guard scalar.properties.isAlphabetic else { return nil }
    switch scalar.value {
    case 0x41...0x24F, 0x1E00...0x1EFF: return .latin
    case 0x370...0x3FF: return .greek
    case 0x400...0x52F: return .cyrillic
    case 0x590...0x5FF: return .hebrew
    case 0x600...0x6FF, 0x750...0x77F, 0xFB50...0xFDFF, 0xFE70...0xFEFF: return .arabic
    case 0x900...0x97F: return .devanagari
    case 0x980...0x9FF: return .bengali
    case 0xA00...0xA7F: return .gurmukhi
    case 0xA80...0xAFF: return .gujarati
    case 0xB80...0xBFF: return .tamil
    case 0xC00...0xC7F: return .telugu
    case 0xC80...0xCFF: return .kannada
    case 0xD00...0xD7F: return .malayalam
    case 0xE00...0xE7F: return .thai
    case 0x1100...0x11FF, 0xAC00...0xD7AF: return .hangul
    case 0x3040...0x30FF: return .kana
    case 0x3400...0x9FFF: return .han
    default: return nil
    }
  }
}
