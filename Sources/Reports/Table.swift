/// A table, for the terminal, Markdown and a page alike.
public struct Table: Sendable, Hashable {
  /// Where a column's text stands.
  public enum Alignment: Sendable { case left, right }

  /// A column with its title.
  public struct Column: Sendable, Hashable {
    /// Empty: none.
    public var title: String
    /// Text to the left, numbers to the right.
    public var alignment: Alignment
    /// Whether its cells hold sentences: on a page they take several lines, and on a phone the cells of a row stand one
    /// below another, each with its title.
    public var wraps: Bool

    public init(_ title: String, _ alignment: Alignment = .right, wraps: Bool = false) {
      self.title = title
      self.alignment = alignment
      self.wraps = wraps
    }
  }

  /// What a cell's value means; shown by weight and colour, never by colour alone.
  public enum Emphasis: Sendable { case none, strong, good, bad, faint }

  /// What stands in one place.
  public struct Cell: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// As it is shown, unit and all.
    public var text: String
    /// What the text means beside what it says.
    public var emphasis: Emphasis

    public init(_ text: String, _ emphasis: Emphasis = .none) {
      self.text = text
      self.emphasis = emphasis
    }

    public init(stringLiteral value: String) { self.init(value) }
  }

  /// From left to right.
  public var columns: [Column]
  /// From top to bottom, as many cells in each as there are columns.
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
