/// Small pictures of a model side by side, its layers from left to right and its modules from top to bottom: which part each of
/// them is about.
public struct RegionMap: Sendable, Hashable {
  /// One picture.
  public struct Panel: Sendable, Hashable {
    /// Above the picture.
    public var title: String
    /// Below it, a line each.
    public var lines: [String]
    /// By module, then by layer, how much of the cell is meant: 0 to 1.
    public var cells: [[Double]]
    /// Panels of a group share a colour.
    public var group: String
    /// Whether it has a frame.
    public var isFramed: Bool

    public init(_ title: String, lines: [String] = [], cells: [[Double]], group: String, isFramed: Bool = false) {
      self.title = title
      self.lines = lines
      self.cells = cells
      self.group = group
      self.isFramed = isFramed
    }
  }

  /// Above all.
  public var title: String
  /// From top to bottom.
  public var modules: [String]
  public var panels: [Panel]

  public init(_ title: String, modules: [String], panels: [Panel]) {
    precondition(panels.allSatisfy { $0.cells.count == modules.count }, "a panel needs a row for each module")
    self.title = title
    self.modules = modules
    self.panels = panels
  }
}

extension RegionMap {
  func draw(_ paper: Paper, _ palette: Palette) -> String {
    let names = modules.map { SVG.textWidth($0, size: 12) }.max() ?? 0
    let left = names + 8, gap = 16.0
    let perRow = paper == .wide ? 4 : 2
    let width = (paper.width - left - gap * Double(perRow - 1)) / Double(perRow)
    let cell = 13.0, top = 22.0
    let lines = panels.map(\.lines.count).max() ?? 0
    let height = top + cell * Double(modules.count) + Double(lines) * 16 + 24
    let rows = (panels.count + perRow - 1) / perRow
    var svg = SVG(width: paper.width, height: height * Double(rows))
    for (index, panel) in panels.enumerated() {
      let x = left + Double(index % perRow) * (width + gap), y = Double(index / perRow) * height
      svg.text(Self.cut(panel.title, to: width), x, y + 13, "tick")
      let layers = Double(panel.cells.first?.count ?? 1)
      for (row, values) in panel.cells.enumerated() {
        let above = y + top + Double(row) * cell
        if index % perRow == 0 { svg.text(modules[row], left - 8, above + 10, "tick", .end) }
        for (layer, share) in values.enumerated() {
          let place = Rectangle(x: x + Double(layer) * width / layers, y: above, width: max(0.5, width / layers - 1), height: cell - 1)
          svg.rectangle(place, "cell")
          if share > 0 {
            // A cell that is meant in part is filled in part.
            var filled = place
            filled.height *= min(1, share)
            svg.rectangle(filled, "bar \(palette.series(panel.group))", tip: "\(panel.title): layer \(layer), \(modules[row])")
          }
        }
      }
      if panel.isFramed {
        svg.rectangle(Rectangle(x: x - 3, y: y + top - 3, width: width + 5, height: cell * Double(modules.count) + 5), "frame", radius: 2)
      }
      for (line, text) in panel.lines.enumerated() {
        svg.text(Self.cut(text, to: width), x, y + top + cell * Double(modules.count) + 14 + Double(line) * 16, "value")
      }
    }
    let words = panels.map { "\($0.title): \($0.lines.joined(separator: ", "))" }
    return svg.element(class: paper.className, title: title, description: words.joined(separator: "; "))
  }

  private static func cut(_ text: String, to width: Double) -> String {
    var text = text
    guard SVG.textWidth(text, size: 12) > width else { return text }
    while !text.isEmpty, SVG.textWidth(text + "…", size: 12) > width { text.removeLast() }
    return text + "…"
  }
}
