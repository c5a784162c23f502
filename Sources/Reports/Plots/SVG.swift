/// A drawing in the making. Colours and fonts are classes that the page's style sheet fills in, so that one drawing
/// serves light, dark and paper.
struct SVG {
  let width, height: Double
  private var body = ""

  init(width: Double, height: Double) {
    self.width = width
    self.height = height
  }

  /// The finished element.
  func element(class name: String, title: String, description: String) -> String {
    """
    <svg class="\(name)" viewBox="0 0 \(SVG.number(width)) \(SVG.number(height))" role="img" aria-label="\(HTML.escape(title))">
    <desc>\(HTML.escape(description))</desc>
    \(body)</svg>
    """
  }

  mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ name: String) {
    body += "<line x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\" class=\"\(name)\"/>\n"
  }

  mutating func path(_ points: [(x: Double, y: Double)], _ name: String, isClosed: Bool = false) {
    guard let first = points.first else { return }
    var data = "M\(n(first.x)) \(n(first.y))"
    for point in points.dropFirst() { data += "L\(n(point.x)) \(n(point.y))" }
    body += "<path d=\"\(data)\(isClosed ? "Z" : "")\" class=\"\(name)\"/>\n"
  }

  mutating func rectangle(_ rectangle: Rectangle, _ name: String, radius: Double = 0, tip: String? = nil) {
    let corner = radius > 0 ? " rx=\"\(n(radius))\"" : ""
    body +=
      "<rect x=\"\(n(rectangle.x))\" y=\"\(n(rectangle.y))\" width=\"\(n(rectangle.width))\" height=\"\(n(rectangle.height))\"\(corner) class=\"\(name)\""
      + close("rect", tip)
  }

  enum Anchor: String { case start, middle, end }

  mutating func text(_ text: String, _ x: Double, _ y: Double, _ name: String, _ anchor: Anchor = .start) {
    let place = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
    body += "<text x=\"\(n(x))\" y=\"\(n(y))\" class=\"\(name)\"\(place)>\(HTML.escape(text))</text>\n"
  }

  /// A mark whose shape, beside its colour, tells the series.
  mutating func mark(_ x: Double, _ y: Double, radius r: Double, shape: Int, _ name: String, tip: String) {
    switch shape % 4 {
    case 0: body += "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"\(n(r))\" class=\"\(name)\"" + close("circle", tip)
    case 1: rectangle(Rectangle(x: x - r * 0.9, y: y - r * 0.9, width: r * 1.8, height: r * 1.8), name, radius: 1, tip: tip)
    case 2: polygon([(x, y - r * 1.25), (x + r * 1.25, y), (x, y + r * 1.25), (x - r * 1.25, y)], name, tip)
    default: polygon([(x, y - r * 1.2), (x + r * 1.15, y + r * 0.85), (x - r * 1.15, y + r * 0.85)], name, tip)
    }
  }

  private mutating func polygon(_ points: [(Double, Double)], _ name: String, _ tip: String) {
    let places = points.map { "\(n($0.0)),\(n($0.1))" }.joined(separator: " ")
    body += "<polygon points=\"\(places)\" class=\"\(name)\"" + close("polygon", tip)
  }

  private func close(_ element: String, _ tip: String?) -> String {
    tip.map { "><title>\(HTML.escape($0))</title></\(element)>\n" } ?? "/>\n"
  }

  private func n(_ value: Double) -> String { SVG.number(value) }

  /// At most two decimals, with an ordinary minus sign.
  static func number(_ value: Double) -> String {
    let text = Numbers.trimmed(Numbers.fixed(value, 2))
    return text.hasPrefix("−") ? "-" + text.dropFirst() : text
  }

  /// About how wide a text is drawn, in the units of the drawing.
  static func textWidth(_ text: String, size: Double = 13) -> Double {
    text.reduce(0.0) { sum, character in
      let share: Double =
        switch character {
        case "i", "l", "j", "t", "f", "r", "I", ".", ",", ":", ";", "'", "|", "!", "(", ")", " ", "-": 0.33
        case "m", "w", "M", "W", "%": 0.88
        case "A"..."Z", "±", "−", "→": 0.68
        default: character.isASCII ? 0.57 : 0.7
        }
      return sum + share * size
    }
  }
}

/// A rectangle on the paper, y downwards.
package struct Rectangle {
  package var x, y, width, height: Double

  package init(x: Double, y: Double, width: Double, height: Double) {
    (self.x, self.y, self.width, self.height) = (x, y, width, height)
  }

  var right: Double { x + width }
  var bottom: Double { y + height }

  package func overlap(_ other: Rectangle) -> Double {
    max(0, min(right, other.right) - max(x, other.x)) * max(0, min(bottom, other.bottom) - max(y, other.y))
  }

  func grown(by margin: Double) -> Rectangle {
    Rectangle(x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin)
  }

  /// How much of a segment lies inside (Liang and Barsky 1984).
  package func length(of segment: Segment) -> Double {
    let dx = segment.x2 - segment.x1, dy = segment.y2 - segment.y1
    var enter = 0.0, leave = 1.0
    for (direction, distance) in [
      (-dx, segment.x1 - x), (dx, right - segment.x1), (-dy, segment.y1 - y), (dy, bottom - segment.y1),
    ] {
      if direction == 0 {
        if distance < 0 { return 0 }
      } else if direction < 0 {
        enter = max(enter, distance / direction)
      } else {
        leave = min(leave, distance / direction)
      }
    }
    return enter < leave ? (leave - enter) * (dx * dx + dy * dy).squareRoot() : 0
  }
}

package struct Segment {
  package var x1, y1, x2, y2: Double

  package init(x1: Double, y1: Double, x2: Double, y2: Double) {
    (self.x1, self.y1, self.x2, self.y2) = (x1, y1, x2, y2)
  }
}
