internal import HoldfastBasics

/// How right a generated answer is, between 0 and 1.
package enum AnswerScore {
  /// The best over the right answers.
  package static func value(_ metric: TaskMetric, _ answer: String, references: [String]) -> Double {
    references.map { reference in
      switch metric {
      case .numeric: equalNumbers(answer, reference) ? 1 : 0
      case .f1: f1(answer, reference)
      case .rougeL: rougeL(answer, reference)
      default: answer.trimmed.unicodeScalars.elementsEqual(reference.trimmed.unicodeScalars) ? 1 : 0
      }
    }.max() ?? 0
  }

  // MARK: Numbers

  /// Whether the last number of the answer is that of the reference.
  static func equalNumbers(_ answer: String, _ reference: String) -> Bool {
    guard let a = lastNumber(in: answer), let b = lastNumber(in: reference) else { return false }
    return a == b || abs(a - b) <= 1e-9 * max(abs(a), abs(b))
  }

  /// Digits with an optional minus sign in front, commas between thousands and one decimal point: `-1,234.5`.
  package static func lastNumber(in text: String) -> Double? {
    let scalars = Array(text.unicodeScalars)
    func isDigit(_ i: Int) -> Bool { scalars.indices.contains(i) && ("0"..."9").contains(scalars[i]) }
    var i = scalars.count - 1
    while i >= 0 {
      guard isDigit(i) else {
        i -= 1
        continue
      }
      var start = i
      while start > 0, isDigit(start - 1) || ".,".unicodeScalars.contains(scalars[start - 1]) && (isDigit(start - 2) || scalars[start - 1] == ".") { start -= 1 }
      var digits = String(String.UnicodeScalarView(scalars[start...i].filter { $0 != "," }))
      // A point too many: what is last is the number.
      let points = digits.split(separator: ".", omittingEmptySubsequences: false)
      if points.count > 2 { digits = points.suffix(2).joined(separator: ".") }
      if digits.hasPrefix(".") { digits = "0" + digits }
      let isNegative = start > 0 && (scalars[start - 1] == "-" || scalars[start - 1] == "−") && !(start > 1 && (isDigit(start - 2) || scalars[start - 2].properties.isAlphabetic))
      return Double(digits).map { isNegative ? -$0 : $0 }
    }
    return nil
  }

  // MARK: Overlap

  /// The harmonic mean of precision and recall over words, as SQuAD counts them (Rajpurkar et al. 2016): without case,
  /// ASCII punctuation and the articles a, an and the.
  package static func f1(_ answer: String, _ reference: String) -> Double {
    let a = words(answer), b = words(reference)
    if a.isEmpty || b.isEmpty { return a == b ? 1 : 0 }
    var left: [String: Int] = [:]
    for word in b { left[word, default: 0] += 1 }
    var common = 0
    for word in a where left[word, default: 0] > 0 {
      left[word]! -= 1
      common += 1
    }
    return common == 0 ? 0 : 2 * Double(common) / Double(a.count + b.count)
  }

  private static func words(_ text: String) -> [String] {
    var words: [String] = [], word = String.UnicodeScalarView(), run = String.UnicodeScalarView()
    // An article is a whole run of letters and digits, whatever stands around it.
    func closeRun() {
      if !["a", "an", "the"].contains(String(run)) {
        word.append(contentsOf: run)
      } else if !word.isEmpty {
        closeWord()
      }
      run = .init()
    }
    func closeWord() {
      if !word.isEmpty { words.append(String(word)) }
      word = .init()
    }
    for scalar in text.lowercased().unicodeScalars where !isPunctuation(scalar) {
      if isLetterOrNumber(scalar) {
        run.append(scalar)
        continue
      }
      closeRun()
      if scalar.properties.isWhitespace { closeWord() } else { word.append(scalar) }
    }
    closeRun()
    closeWord()
    return words
  }

  private static func isLetterOrNumber(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber, .letterNumber, .otherNumber: true
    default: false
    }
  }

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII && scalar.value > 0x20 && scalar.value < 0x7F && !scalar.properties.isAlphabetic && !("0"..."9").contains(scalar)
  }

  /// The harmonic mean of precision and recall of the longest common subsequence of words (ROUGE-L, Lin 2004), which are
  /// runs of a to z and 0 to 9 without case, not stemmed.
  package static func rougeL(_ answer: String, _ reference: String) -> Double {
    let a = plainWords(answer), b = plainWords(reference)
    if a.isEmpty || b.isEmpty { return 0 }
    var lengths = [Int](repeating: 0, count: b.count + 1)
    for word in a {
      var diagonal = 0
      for j in b.indices {
        let above = lengths[j + 1]
        lengths[j + 1] = word == b[j] ? diagonal + 1 : max(above, lengths[j])
        diagonal = above
      }
    }
    return 2 * Double(lengths[b.count]) / Double(a.count + b.count)
  }

  private static func plainWords(_ text: String) -> [[UInt8]] {
    text.lowercased().utf8.split { !(0x61...0x7A).contains($0) && !(0x30...0x39).contains($0) }.map(Array.init)
  }
}
