import HoldfastBasics
import HoldfastTokenizers
import Testing

/// The three scanners against the general engine: the same pattern in other words is not known by heart.
@Suite struct RegexTests {
  /// One token for every piece, so that offsets show where text was split.
  static func splitter(_ pattern: String) throws -> Tokenizer {
    try Tokenizer(
      tokenizer: [
        "pre_tokenizer": ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false],
        "model": ["type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "vocab": ["<unk>": 0], "merges": []],
      ], configuration: nil, path: "tokenizer.json")
  }

  static let contraction = "'s|'t|'re|'ve|'m|'ll|'d"
  static let tail = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  static let patterns = [
    contraction + #"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
    "(?i:" + contraction + #")|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"# + tail,
    "(?i:" + contraction + #")|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"# + tail,
  ]

  @Test(arguments: patterns) func scannerEqualsEngine(pattern: String) throws {
    let known = try Self.splitter(pattern)
    let general = try Self.splitter("(?:" + pattern + ")")
    let alphabet = Array(
      "aZéſßΩ漢क्ि١12½Ⅷ''''sStTrReEvVmMlLdD  \t\n\r\u{A0}\u{3000}\u{2028}\u{85}\u{301}!.-_€😀\u{200D}\u{FE0F}".unicodeScalars)
    var random = CounterGenerator(seed: 7, "pieces")
    for _ in 0..<4000 {
      var text = String.UnicodeScalarView()
      for _ in 0..<random.below(14) { text.append(random.pick(alphabet)) }
      let a = known.encodeWithOffsets(String(text)).offsets
      let b = general.encodeWithOffsets(String(text)).offsets
      if a != b {
        Issue.record("\(String(text).debugDescription): \(a) by hand, \(b) by the engine")
        return
      }
    }
  }

  @Test(arguments: [
    (#"(?<=a)b"#, "lookbehind"), (#"\p{Han}+"#, #"\p{Han}"#), ("[a-z&&[^b]]", "intersection"), ("[[:alpha:]]", "POSIX"),
    (#"(a)\1"#, #"\1"#), ("(?<name>a)", "(?<n"), ("(a*)*", "endless repeat"), ("(a", "lacks a ')'"), ("a)", "unmatched"),
    ("[a", "lacks a ']'"), ("*a", "repeats nothing"), ("a{3,1}", "counts from 3 to 1"), ("a{5000}", "over 1000"),
    (String(repeating: "(", count: 500), "deeper"), ("(?:(?:ab){900}){90}", "larger"), (#"\"#, "ends with a backslash"),
  ])
  func whatIsNotSupportedIsNamed(pattern: String, reason: String) {
    let error = #expect(throws: Problems.self) { try Self.splitter(pattern) }
    #expect(error?.complaints.count == 1)
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  /// Nested repeats that take other engines years.
  @Test func noPatternTakesExponentialTime() throws {
    let tokenizer = try Self.splitter("(?:(?:a|aa)+)+b|a+")
    #expect(tokenizer.encodeWithOffsets(String(repeating: "a", count: 400)).offsets == [0..<400])
  }
}
