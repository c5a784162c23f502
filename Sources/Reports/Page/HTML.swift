/// The parts of a page as HTML.
enum HTML {
  /// Text that can be neither markup nor the end of an attribute.
  static func escape(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default:
        // Control characters are not allowed in HTML, escaped or not.
        if scalar.value < 0x20, scalar != "\n", scalar != "\t" { out += "\u{FFFD}" } else { out.unicodeScalars.append(scalar) }
      }
    }
    return out
  }

  static func block(_ block: Page.Block, in section: String, _ palette: Palette) -> String {
    switch block {
    case .text(let text): "<p>\(escape(text))</p>\n"
    case .note(let text): "<p class=\"note\">\(escape(text))</p>\n"
    case .figures(let figures): "<div class=\"figures\">\n\(figures.map(figure).joined())</div>\n"
    case .table(let table): self.table(table)
    case .plot(let plot):
      "<figure>\n" + (plot.title == section ? "" : "<figcaption>\(escape(plot.title))</figcaption>\n")
        + "\(plot.svg(palette))\n</figure>\n"
    case .keyValues(let pairs):
      "<dl>\n" + pairs.map { "<div><dt>\(escape($0.key))</dt><dd>\(escape($0.value))</dd></div>\n" }.joined() + "</dl>\n"
    case .code(let text): "<pre>\(escape(text))</pre>\n"
    case .passage(let stretches):
      "<pre class=\"passage\">" + stretches.map { $0.isMarked ? "<mark>\(escape($0.text))</mark>" : escape($0.text) }.joined() + "</pre>\n"
    case .details(let summary, let blocks):
      "<details>\n<summary>\(escape(summary))</summary>\n\(blocks.map { self.block($0, in: section, palette) }.joined())</details>\n"
    }
  }

  private static func figure(_ figure: Page.Figure) -> String {
    let note = figure.note.isEmpty ? "" : "<span class=\"figure-note\">\(escape(figure.note))</span>"
    return "<div><span class=\"figure-name\">\(escape(figure.name))</span><span class=\"figure-value\">\(escape(figure.value))</span>\(note)</div>\n"
  }

  private static func table(_ table: Table) -> String {
    let stacks = table.columns.contains { $0.wraps }
    func name(_ column: Int, _ cell: Table.Cell? = nil) -> String {
      var names = table.columns[column].alignment == .right ? ["right"] : []
      if table.columns[column].wraps { names.append("text") }
      switch cell?.emphasis {
      case .strong: names.append("strong")
      case .good: names.append("good")
      case .bad: names.append("bad")
      case .faint: names.append("faint")
      case .none?, nil: break
      }
      return names.isEmpty ? "" : " class=\"\(names.joined(separator: " "))\""
    }
    var out = "<div class=\"scroll\">\n<table\(stacks ? " class=\"stack\"" : "")>\n<thead><tr>"
    for (index, column) in table.columns.enumerated() { out += "<th\(name(index))>\(escape(column.title))</th>" }
    out += "</tr></thead>\n<tbody>\n"
    for (row, cells) in table.rows.enumerated() {
      out += table.rules.contains(row) ? "<tr class=\"rule\">" : "<tr>"
      for (index, cell) in cells.enumerated() {
        let title = stacks ? " data-title=\"\(escape(table.columns[index].title))\"" : ""
        out += "<td\(name(index, cell))\(title)>\(escape(cell.text))</td>"
      }
      out += "</tr>\n"
    }
    return out + "</tbody>\n</table>\n</div>\n"
  }
}
