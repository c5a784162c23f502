/// A table, for the terminal, Markdown and a page alike.
public struct Table: Sendable, Hashable {
  public enum Alignment: Sendable { case left, right }

  public struct Column: Sendable, Hashable {
    public var title: String
    public var alignment: Alignment

    public init(_ title: String, _ alignment: Alignment = .right) {
      self.title = title
      self.alignment = alignment
    }
  }

  /// What a cell's value means; shown by weight and colour, never by colour alone.
  public enum Emphasis: Sendable { case none, strong, good, bad, faint }

  public struct Cell: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    public var text: String
    public var emphasis: Emphasis

    public init(_ text: String, _ emphasis: Emphasis = .none) {
      self.text = text
      self.emphasis = emphasis
    }

    public init(stringLiteral value: String) { self.init(value) }
  }

  public var columns: [Column]
  public private(set) var rows: [[Cell]] = []
  /// Rows before which a rule stands.
  public private(set) var rules: Set<Int> = []

  /// The first column is aligned left, the others right, unless said otherwise.
  public init(_ titles: [String]) {
    columns = titles.enumerated().map { Column($1, $0 == 0 ? .left : .right) }
  }

  public init(columns: [Column]) { self.columns = columns }

  /// Adds a row; cells that it lacks are empty.
  public mutating func add(_ cells: [Cell]) {
    precondition(cells.count <= columns.count, "a row has more cells than the table has columns")
    rows.append(cells + Array(repeating: "", count: columns.count - cells.count))
  }

  /// A rule before the next row.
  public mutating func addRule() { rules.insert(rows.count) }

  /// The table in Markdown.
  public var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    func escaped(_ cell: Cell) -> String {
      var text = ""
      for character in cell.text {
        switch character {
        case "|", "\\", "*", "_", "`", "<": text += "\\" + String(character)
        case "\n", "\r", "\r\n": text += " "
        default: text.append(character)
        }
      }
      return cell.emphasis == .strong && !text.isEmpty ? "**\(text)**" : text
    }
    var out = line(columns.map { escaped(Cell($0.title)) })
    out += "|" + columns.map { $0.alignment == .left ? "---|" : "---:|" }.joined() + "\n"
    for row in rows { out += line(row.map(escaped)) }
    return out
  }
}
