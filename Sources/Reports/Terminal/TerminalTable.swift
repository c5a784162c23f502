extension Table {
  /// The table for a terminal, a line each row, at most `width` columns wide: the widest text column gives way.
  ///
  /// Colour is the caller's to decide: it knows whether a terminal is there.
  public func terminal(width: Int = 100, colour: Bool = false) -> String {
    var widths = columns.indices.map { column in
      max(columns[column].title.displayWidth, rows.map { $0[column].text.displayWidth }.max() ?? 0)
    }
    let gaps = 2 * columns.count
    while widths.reduce(0, +) + gaps > width {
      // Left-aligned columns hold text and can be cut; numbers are cut only when nothing else is left.
      let texts = columns.indices.filter { columns[$0].alignment == .left && widths[$0] > 8 }
      let candidates = texts.isEmpty ? columns.indices.filter { widths[$0] > 4 } : texts
      guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
      widths[widest] -= 1
    }
    let rule = Ink.faint.paint(String(repeating: "─", count: widths.reduce(0, +) + gaps), colour) + "\n"

    func line(_ cells: [Cell], _ ink: Ink?) -> String {
      var out = ""
      for (column, cell) in cells.enumerated() {
        let text = cell.text.cut(to: widths[column])
        let space = String(repeating: " ", count: widths[column] - text.displayWidth)
        let painted = (ink ?? Ink(cell.emphasis)).paint(text, colour)
        out += " " + (columns[column].alignment == .left ? painted + space : space + painted) + " "
      }
      while out.hasSuffix(" ") { out.removeLast() }
      return out + "\n"
    }

    var out = line(columns.map { Cell($0.title) }, .strong) + rule
    for (index, row) in rows.enumerated() {
      if rules.contains(index), index > 0 { out += rule }
      out += line(row, nil)
    }
    return out
  }
}

/// Colours of a terminal, by meaning.
enum Ink: String {
  case none = "", strong = "1", faint = "2", good = "32", bad = "31"

  init(_ emphasis: Table.Emphasis) {
    switch emphasis {
    case .none: self = .none
    case .strong: self = .strong
    case .good: self = .good
    case .bad: self = .bad
    case .faint: self = .faint
    }
  }

  func paint(_ text: String, _ colour: Bool) -> String {
    colour && self != .none && !text.isEmpty ? "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" : text
  }
}

extension String {
  /// Columns that a terminal gives to the text: two for wide East Asian characters and emoji, none for marks.
  public var displayWidth: Int {
    reduce(0) { $0 + $1.displayWidth }
  }

  /// The text in at most so many columns, cut with an ellipsis.
  func cut(to width: Int) -> String {
    guard displayWidth > width else { return self }
    var out = "", used = 0
    for character in self {
      guard used + character.displayWidth <= width - 1 else { break }
      out.append(character)
      used += character.displayWidth
    }
    return width > 0 ? out + "…" : ""
  }
}

extension Character {
  fileprivate var displayWidth: Int {
    guard let scalar = unicodeScalars.first else { return 0 }
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x200B...0x200F, 0xFE00...0xFE0F: return 0
    case 0x300..<0x370: return 0
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
      0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE4F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
      0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}
