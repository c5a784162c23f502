#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Places labels beside their points so that they cover neither each other nor points and lines.
///
/// Each label has places in sixteen directions at growing distances. Labels take the cheapest one in turn, several
/// times over, since a label's choice depends on the others'. Nothing is random, so a drawing is always the same.
package struct LabelPlacement {
  package struct Label {
    /// The point and its radius.
    package var x, y, radius: Double
    package var width, height: Double

    package init(x: Double, y: Double, radius: Double, width: Double, height: Double) {
      (self.x, self.y, self.radius, self.width, self.height) = (x, y, radius, width, height)
    }
  }

  package struct Place {
    package var rectangle: Rectangle
    /// From the point to a label that stands away from it.
    package var leader: Segment?
    var cost: Double
  }

  package var bounds: Rectangle
  /// What no label may cover: points.
  package var obstacles: [Rectangle]
  /// What a label better not covers: arrows, error bars.
  package var segments: [Segment]

  package init(bounds: Rectangle, obstacles: [Rectangle], segments: [Segment]) {
    self.bounds = bounds
    self.obstacles = obstacles
    self.segments = segments
  }

  package func place(_ labels: [Label]) -> [Place] {
    let candidates = labels.map(candidates)
    var places = candidates.map { $0.min { $0.cost < $1.cost }! }
    for _ in 0..<12 {
      var isSettled = true
      for index in labels.indices {
        func cost(_ place: Place) -> Double {
          labels.indices.reduce(place.cost) { sum, other in
            guard other != index else { return sum }
            var sum = sum + 6 * place.rectangle.grown(by: 1.5).overlap(places[other].rectangle)
            if let leader = places[other].leader { sum += 3 * place.rectangle.length(of: leader) }
            if let leader = place.leader { sum += 3 * places[other].rectangle.length(of: leader) }
            return sum
          }
        }
        let best = candidates[index].min { cost($0) < cost($1) }!
        if cost(best) < cost(places[index]) - 1e-9 {
          places[index] = best
          isSettled = false
        }
      }
      if isSettled { break }
    }
    return places
  }

  private func candidates(_ label: Label) -> [Place] {
    var all: [Place] = []
    for distance in [5.0, 12, 22, 34, 48, 66] {
      for step in 0..<16 {
        let angle = Double(step) * .pi / 8
        let dx = cos(angle), dy = -sin(angle)
        let reach = label.radius + distance
        let rectangle = Rectangle(
          x: label.x + dx * (reach + label.width / 2) - label.width / 2,
          y: label.y + dy * (reach + label.height / 2) - label.height / 2, width: label.width, height: label.height)
        let isAway = distance > 12
        let end = (
          x: min(max(label.x, rectangle.x), rectangle.right), y: min(max(label.y, rectangle.y), rectangle.bottom)
        )
        let leader =
          isAway
          ? Segment(x1: label.x + dx * (label.radius + 2), y1: label.y + dy * (label.radius + 2), x2: end.x, y2: end.y) : nil
        // To the right is read most easily, then to the left, above and below; slanted places come last.
        let direction = step == 0 ? 0.0 : step == 8 ? 2 : step % 4 == 0 ? 3 : step % 2 == 0 ? 4 : 6
        var cost = distance * 0.6 + direction
        cost += 40 * (rectangle.width * rectangle.height - rectangle.overlap(bounds))
        for obstacle in obstacles { cost += 6 * rectangle.grown(by: 1).overlap(obstacle) }
        for segment in segments { cost += 1.2 * rectangle.length(of: segment) }
        if let leader { cost += obstacles.reduce(0) { $0 + 2 * $1.length(of: leader) } }
        all.append(Place(rectangle: rectangle, leader: leader, cost: cost))
      }
    }
    return all
  }

  /// Heights at least `gap` apart and as near as can be to those wanted, within a range.
  package static func spread(_ wanted: [Double], gap: Double, within range: ClosedRange<Double>) -> [Double] {
    // Neighbours that come too close form a block that sits at the mean of what its members want.
    var blocks: [(members: [Int], sum: Double)] = []
    func start(_ block: (members: [Int], sum: Double)) -> Double {
      let height = gap * Double(block.members.count - 1)
      let middle = block.sum / Double(block.members.count)
      return min(max(middle - height / 2, range.lowerBound), max(range.lowerBound, range.upperBound - height))
    }
    for index in wanted.indices.sorted(by: { (wanted[$0], $0) < (wanted[$1], $1) }) {
      blocks.append(([index], wanted[index]))
      while blocks.count > 1 {
        let last = blocks[blocks.count - 1], before = blocks[blocks.count - 2]
        guard start(last) < start(before) + gap * Double(before.members.count) - 1e-9 else { break }
        blocks.removeLast(2)
        blocks.append((before.members + last.members, before.sum + last.sum))
      }
    }
    var places = wanted
    for block in blocks {
      for (offset, member) in block.members.enumerated() { places[member] = start(block) + gap * Double(offset) }
    }
    return places
  }
}
