extension Scatter {
  func draw(_ paper: Paper, _ palette: Palette) -> String {
    let points = points.filter(\.isFinite)
    let base = base.flatMap { $0.isFinite ? $0 : nil }
    let all = (base.map { [$0] } ?? []) + points
    let frame = Frame(
      paper, x: x, xs: all.flatMap { [$0.x - ($0.xReach ?? 0), $0.x + ($0.xReach ?? 0)] },
      y: y, ys: all.flatMap { [$0.y - ($0.yReach ?? 0), $0.y + ($0.yReach ?? 0)] }, xAir: 0.1)
    var svg = SVG(width: paper.width, height: paper.height)
    frame.draw(on: &svg)
    let groups = unique(points.map(\.group))
    func place(_ point: Point) -> (x: Double, y: Double) { (frame.x(point.x), frame.y(point.y)) }
    let radius = 6.0
    var segments: [Segment] = []

    if let base {
      let at = place(base)
      svg.line(at.x, frame.inside.y, at.x, frame.inside.bottom, "guide")
      svg.line(frame.inside.x, at.y, frame.inside.right, at.y, "guide")
    }
    for group in groups {
      let members = points.filter { $0.group == group }
      let series = palette.series(group)
      let path = members.map(place)
      if path.count > 1 {
        svg.path(path, "join \(series)")
        segments += zip(path, path.dropFirst()).map { Segment(x1: $0.x, y1: $0.y, x2: $1.x, y2: $1.y) }
      }
      if let base, hasArrows, let end = path.first {
        let arrow = Self.arrow(from: place(base), to: end, gap: radius + 4)
        if let arrow {
          svg.line(arrow.shaft.x1, arrow.shaft.y1, arrow.shaft.x2, arrow.shaft.y2, "arrow \(series)")
          svg.path(arrow.head, "arrow-head \(series)", isClosed: true)
          segments.append(arrow.shaft)
        }
      }
      for (point, at) in zip(members, path) {
        for whisker in Self.whiskers(point, at, frame) {
          svg.line(whisker.x1, whisker.y1, whisker.x2, whisker.y2, "whisker \(series)")
          segments.append(whisker)
        }
      }
    }
    if let base {
      for whisker in Self.whiskers(base, place(base), frame) {
        svg.line(whisker.x1, whisker.y1, whisker.x2, whisker.y2, "whisker base")
        segments.append(whisker)
      }
      svg.mark(place(base).x, place(base).y, radius: radius, shape: 0, "mark base", tip: tip(base))
    }
    for point in points {
      let shape = palette.index(point.group)
      svg.mark(place(point).x, place(point).y, radius: radius, shape: shape, "mark \(palette.series(point.group))", tip: tip(point))
    }

    let obstacles = all.map { Rectangle(x: place($0).x - radius, y: place($0).y - radius, width: 2 * radius, height: 2 * radius) }
    let placement = LabelPlacement(
      bounds: Rectangle(x: frame.inside.x + 2, y: 22, width: paper.width - frame.inside.x - 4, height: frame.inside.bottom - 24),
      obstacles: obstacles, segments: segments)
    let places = placement.place(
      all.map {
        LabelPlacement.Label(
          x: place($0).x, y: place($0).y, radius: radius, width: SVG.textWidth($0.label, size: labelSize), height: 15)
      })
    for (index, (point, place)) in zip(all, places).enumerated() {
      let name = base != nil && index == 0 ? "base" : palette.series(point.group)
      if let leader = place.leader { svg.line(leader.x1, leader.y1, leader.x2, leader.y2, "leader") }
      let middle = place.rectangle.x + place.rectangle.width / 2
      svg.text(point.label, middle, place.rectangle.y + 12, "label \(name)", .middle)
    }
    return svg.element(class: paper.className, title: title, description: all.map(tip).joined(separator: "; "))
  }

  private func tip(_ point: Point) -> String {
    "\(point.label): \(x.title) \(Scale.value(point.x, point.xError, x)), \(y.title) \(Scale.value(point.y, point.yError, y))"
  }

  private static func whiskers(_ point: Point, _ at: (x: Double, y: Double), _ frame: Frame) -> [Segment] {
    var segments: [Segment] = []
    if let error = point.xReach {
      segments.append(Segment(x1: frame.x(point.x - error), y1: at.y, x2: frame.x(point.x + error), y2: at.y))
    }
    if let error = point.yReach {
      segments.append(Segment(x1: at.x, y1: frame.y(point.y - error), x2: at.x, y2: frame.y(point.y + error)))
    }
    return segments
  }

  /// A shaft with a head at its end; nil where the two points are too near for one.
  private static func arrow(
    from start: (x: Double, y: Double), to end: (x: Double, y: Double), gap: Double
  ) -> (shaft: Segment, head: [(x: Double, y: Double)])? {
    let dx = end.x - start.x, dy = end.y - start.y
    let length = (dx * dx + dy * dy).squareRoot()
    guard length > 2 * gap + 12 else { return nil }
    let ux = dx / length, uy = dy / length
    let tip = (x: end.x - ux * gap, y: end.y - uy * gap)
    let neck = (x: tip.x - ux * 8, y: tip.y - uy * 8)
    return (
      Segment(x1: start.x + ux * gap, y1: start.y + uy * gap, x2: neck.x, y2: neck.y),
      [tip, (neck.x - uy * 4, neck.y + ux * 4), (neck.x + uy * 4, neck.y - ux * 4)]
    )
  }
}

extension Scatter.Point {
  fileprivate var isFinite: Bool { x.isFinite && y.isFinite }
  /// Half lengths of bars that can be drawn.
  fileprivate var xReach: Double? { xError.flatMap { $0.isFinite ? $0 : nil } }
  fileprivate var yReach: Double? { yError.flatMap { $0.isFinite ? $0 : nil } }
}
