extension Bars {
  func draw(_ paper: Paper, _ palette: Palette) -> String {
    let bars = groups.flatMap(\.bars)
    let barHeight = 14.0, gap = 8.0, titleHeight = 24.0, between = 12.0
    let names = min(bars.map { SVG.textWidth($0.label, size: labelSize) }.max() ?? 0, paper.width * 0.4)
    let values = bars.map { SVG.textWidth(Scale.value($0.value, $0.error, axis), size: 12) }.max() ?? 0
    let top = 26.0
    let height =
      top
      + groups.reduce(0.0) {
        $0 + ($1.title.isEmpty ? 0 : titleHeight) + Double($1.bars.count) * (barHeight + gap) + between
      } + 22
    var fromZero = axis
    fromZero.including.append(0)
    let scale = Scale(
      fromZero, holding: bars.flatMap { [$0.value, $0.value - ($0.error ?? 0), $0.value + ($0.error ?? 0)] }, from: names + 12,
      to: paper.width - values - 14, air: 0.02, ticks: paper == .wide ? 6 : 2)
    var svg = SVG(width: paper.width, height: height)
    let bottom = height - 26
    svg.text(axis.title, 0, 14, "axis-title")
    for tick in scale.ticks {
      svg.line(scale(tick), top, scale(tick), bottom, tick == 0 ? "axis" : "grid")
      svg.text(scale.text(tick), scale(tick), bottom + 17, "tick", .middle)
    }
    var y = top + 6
    for group in groups {
      if !group.title.isEmpty {
        svg.text(group.title, 0, y + 12, "group-title")
        y += titleHeight
      }
      for bar in group.bars {
        let series = palette.series(bar.group)
        guard bar.value.isFinite else {
          svg.text(bar.label, names + 4, y + barHeight / 2 + 4.5, "bar-label", .end)
          svg.text(Numbers.fixed(bar.value, 0), scale(0) + 6, y + barHeight / 2 + 4.5, "value")
          y += barHeight + gap
          continue
        }
        let start = scale(0), end = scale(bar.value), middle = y + barHeight / 2
        svg.text(bar.label, names + 4, middle + 4.5, "bar-label", .end)
        svg.rectangle(
          Rectangle(x: min(start, end), y: y, width: max(abs(end - start), 0.75), height: barHeight), "bar \(series)",
          radius: 2, tip: "\(group.title) \(bar.label): \(Scale.value(bar.value, bar.error, axis))")
        var right = max(start, end)
        if let error = bar.error, error.isFinite {
          svg.line(scale(bar.value - error), middle, scale(bar.value + error), middle, "bar-whisker")
          right = max(right, scale(bar.value + error))
        }
        svg.text(Scale.value(bar.value, bar.error, axis), right + 6, middle + 4.5, "value")
        y += barHeight + gap
      }
      y += between
    }
    let words = groups.map { group in
      "\(group.title) " + group.bars.map { "\($0.label) \(Scale.value($0.value, $0.error, axis))" }.joined(separator: ", ")
    }
    return svg.element(class: paper.className, title: title, description: words.joined(separator: "; "))
  }
}
