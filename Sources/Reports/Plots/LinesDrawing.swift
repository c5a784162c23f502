extension Lines {
  func draw(_ paper: Paper, _ palette: Palette) -> String {
    let lines = lines.map(\.finite)
    // Faint lines take the colour of the line they stand behind.
    func series(_ index: Int) -> String {
      palette.series(lines[index...].first { !$0.isFaint }?.group ?? lines[index].group)
    }
    let named = lines.indices.filter { !lines[$0].isFaint && lines[$0].xs.count > 0 && !lines[$0].label.isEmpty }
    let widest = named.map { SVG.textWidth(lines[$0].label, size: labelSize) }.max() ?? 0
    // Names stand at the lines' ends; where the paper has no room for that, above the plot.
    let isDirect = widest <= paper.width * 0.3
    let rows = isDirect ? [] : Self.legend(named.map { lines[$0].label }, width: paper.width)
    let legendHeight = Double(rows.count) * 20
    // Many names make the paper longer: they would run into the text below it.
    let height = isDirect ? max(paper.height, 16 * Double(named.count) + 88) : paper.height
    let frame = Frame(
      paper, x: x, xs: lines.flatMap(\.xs), y: y,
      ys: lines.flatMap { line in
        line.ys.enumerated().flatMap { index, y in line.errors.map { [y - $0[index], y + $0[index]] } ?? [y] }
      }, right: isDirect && widest > 0 ? widest + 18 : 16, height: height, xAir: 0)
    var svg = SVG(width: paper.width, height: height + legendHeight)
    frame.draw(on: &svg)
    for (index, line) in lines.enumerated() {
      let series = series(index)
      let shown = Self.thinned(line, to: 360)
      if let errors = line.errors {
        let upper = shown.map { (x: frame.x(line.xs[$0]), y: frame.y(line.ys[$0] + errors[$0])) }
        let lower = shown.map { (x: frame.x(line.xs[$0]), y: frame.y(line.ys[$0] - errors[$0])) }
        svg.path(upper + lower.reversed(), "band \(series)", isClosed: true)
      }
      svg.path(shown.map { (frame.x(line.xs[$0]), frame.y(line.ys[$0])) }, "\(line.isFaint ? "faint-curve" : "curve") \(series)")
    }
    if isDirect {
      let ends = named.map { frame.y(lines[$0].ys.last ?? 0) }
      let places = LabelPlacement.spread(ends, gap: 16, within: frame.inside.y + 2...frame.inside.bottom)
      for (position, index) in named.enumerated() {
        let end = frame.x(lines[index].xs.last ?? 0)
        if abs(places[position] - ends[position]) > 4 {
          svg.line(end + 2, ends[position], frame.inside.right + 7, places[position], "leader")
        }
        svg.text(lines[index].label, frame.inside.right + 9, places[position] + 4, "label \(series(index))")
      }
    } else {
      for (row, entries) in rows.enumerated() {
        var x = 0.0
        for entry in entries {
          let y = paper.height + 12 + Double(row) * 20, series = series(named[entry])
          svg.line(x, y, x + 16, y, "curve \(series)")
          svg.text(lines[named[entry]].label, x + 21, y + 4, "label \(series)")
          x += SVG.textWidth(lines[named[entry]].label, size: labelSize) + 40
        }
      }
    }
    let words = named.map { index in
      let line = lines[index]
      let first = Scale.value(line.ys[0], nil, y), last = Scale.value(line.ys[line.ys.count - 1], nil, y)
      return "\(line.label): from \(first) to \(last)"
    }
    return svg.element(class: paper.className, title: title, description: "\(y.title) over \(x.title). " + words.joined(separator: "; "))
  }

  /// Entries of a legend, row by row.
  private static func legend(_ labels: [String], width: Double) -> [[Int]] {
    var rows: [[Int]] = [[]], used = 0.0
    for (index, label) in labels.enumerated() {
      let wide = SVG.textWidth(label, size: labelSize) + 40
      if used + wide > width, !rows[rows.count - 1].isEmpty {
        rows.append([])
        used = 0
      }
      rows[rows.count - 1].append(index)
      used += wide
    }
    return rows
  }

  /// Indices of the values to draw: of a long line, the least and the greatest of each stretch.
  private static func thinned(_ line: Line, to most: Int) -> [Int] {
    let finite = Array(line.ys.indices)
    guard finite.count > most else { return finite }
    var kept = [finite[0]]
    let stretches = most / 2
    for stretch in 0..<stretches {
      let part = finite[stretch * finite.count / stretches..<(stretch + 1) * finite.count / stretches]
      guard let low = part.min(by: { line.ys[$0] < line.ys[$1] }), let high = part.max(by: { line.ys[$0] < line.ys[$1] })
      else { continue }
      for index in [min(low, high), max(low, high)] where index > kept[kept.count - 1] { kept.append(index) }
    }
    if let last = finite.last, last > kept[kept.count - 1] { kept.append(last) }
    return kept
  }
}

extension Lines.Line {
  /// The line without the places that cannot be drawn.
  fileprivate var finite: Lines.Line {
    let kept = ys.indices.filter { xs[$0].isFinite && ys[$0].isFinite }
    let errors = errors.map { errors in kept.map { errors[$0].isFinite ? errors[$0] : 0 } }
    return Lines.Line(label, xs: kept.map { xs[$0] }, ys: kept.map { ys[$0] }, errors: errors, group: group, isFaint: isFaint)
  }
}
