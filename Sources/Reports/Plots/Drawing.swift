/// The two sizes in which every plot is drawn. Text has the same size in both, so that it stays legible on a phone.
enum Paper: CaseIterable {
  case wide, narrow

  var className: String { self == .wide ? "plot wide" : "plot narrow" }
  var width: Double { self == .wide ? 720 : 360 }
  var height: Double { self == .wide ? 420 : 370 }
  var xTicks: Int { self == .wide ? 7 : 4 }
}

/// Size of the labels' text.
let labelSize = 13.0

/// The same colour for the same name in all plots of a page.
struct Palette {
  /// Colours of the style sheet; after the last, the first returns.
  static let size = 8
  private var indices: [String: Int] = [:]

  /// Names take colours in the order in which the plots bring them.
  init(_ plots: [Plot]) {
    for name in plots.flatMap(\.names) where !name.isEmpty && indices[name] == nil { indices[name] = indices.count }
  }

  func index(_ name: String) -> Int { indices[name] ?? 0 }
  /// Curves whose colour returns are dashed.
  func series(_ name: String) -> String { "s\(index(name) % Palette.size)" + (index(name) >= Palette.size ? " again" : "") }
}

extension Plot {
  /// The drawing in both sizes.
  func svg(_ palette: Palette) -> String {
    Paper.allCases.map { paper in
      switch self {
      case .scatter(let plot): plot.draw(paper, palette)
      case .lines(let plot): plot.draw(paper, palette)
      case .bars(let plot): plot.draw(paper, palette)
      case .regions(let plot): plot.draw(paper, palette)
      }
    }.joined(separator: "\n")
  }

  /// What has a colour of its own.
  var names: [String] {
    switch self {
    case .scatter(let plot): plot.points.map(\.group)
    case .lines(let plot): plot.lines.map(\.group)
    case .bars(let plot): plot.groups.flatMap(\.bars).map(\.group)
    case .regions(let plot): plot.panels.map(\.group)
    }
  }

  var title: String {
    switch self {
    case .scatter(let plot): plot.title
    case .lines(let plot): plot.title
    case .bars(let plot): plot.title
    case .regions(let plot): plot.title
    }
  }
}

/// Axes with a light grid: the y title above its numbers, where it is read without turning the head.
struct Frame {
  let inside: Rectangle
  let x, y: Scale

  init(
    _ paper: Paper, x: Axis, xs: [Double], y: Axis, ys: [Double], right: Double = 16, height: Double? = nil,
    xAir: Double = 0.06
  ) {
    let height = height ?? paper.height
    let top = 34.0, bottom = height - 46
    let yScale = Scale(y, holding: ys, from: bottom, to: top, ticks: 5)
    let left = (yScale.ticks.map { SVG.textWidth(yScale.text($0), size: 12) }.max() ?? 20) + 14
    inside = Rectangle(x: left, y: top, width: paper.width - right - left, height: bottom - top)
    self.y = yScale
    self.x = Scale(x, holding: xs, from: left, to: paper.width - right, air: xAir, ticks: paper.xTicks)
  }

  func draw(on svg: inout SVG) {
    for tick in y.ticks {
      svg.line(inside.x, y(tick), inside.right, y(tick), "grid")
      svg.text(y.text(tick), inside.x - 8, y(tick) + 4, "tick", .end)
    }
    for tick in x.ticks {
      svg.line(x(tick), inside.y, x(tick), inside.bottom, "grid")
      svg.text(x.text(tick), x(tick), inside.bottom + 18, "tick", .middle)
    }
    svg.line(inside.x, inside.bottom, inside.right, inside.bottom, "axis")
    svg.text(y.axis.title, 0, 14, "axis-title")
    svg.text(x.axis.title, inside.right, inside.bottom + 38, "axis-title", .end)
  }
}
