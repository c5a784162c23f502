internal import HoldfastBasics

/// A regular expression that finds the answer in what was generated: the last match, and of it the first group where there
/// is one.
struct AnswerPattern: @unchecked Sendable {  // because a compiled Regex is never changed, though its type does not say so
  let source: String
  private let regex: Regex<AnyRegexOutput>

  /// - Throws: why the pattern cannot be read.
  init(_ source: String) throws {
    self.source = source
    regex = try Regex(source).matchingSemantics(.unicodeScalar)
  }

  /// nil where nothing fits.
  func answer(in text: String) -> String? {
    guard let match = text.matches(of: regex).last else { return nil }
    let part = match.output.count > 1 ? match.output[1].substring ?? match.output[0].substring : match.output[0].substring
    return part.map(String.init)
  }
}
