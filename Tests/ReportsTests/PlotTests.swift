import HoldfastBasics
import HoldfastReports
import Testing

struct PlotTests {
  @Test func niceTicks() {
    #expect(Scale.nice(0, 1, 5) == [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1])
    #expect(Scale.nice(-0.31, 0.07, 4) == [-0.30000000000000004, -0.2, -0.1, 0])
    #expect(Scale.nice(0, 1234, 6) == [0, 200, 400, 600, 800, 1000, 1200])
    #expect(Scale.powers(0.9, 1200, 6) == [1, 3, 10, 30, 100, 300, 1000])
    #expect(Scale.powers(1e-6, 1e6, 6) == [1e-6, 1e-3, 1, 1e3, 1e6])
    #expect(Scale.powers(1, 30, 6) == [1, 2, 5, 10, 20])
    var generator = CounterGenerator(seed: 1, "ticks")
    for _ in 0..<2000 {
      let low = (generator.unit() - 0.5) * 1000, high = low + generator.unit() * 100 + 1e-6
      let ticks = Scale.nice(low, high, 5)
      #expect((2...11).contains(ticks.count) && ticks.allSatisfy { $0 >= low - 1e-9 && $0 <= high + 1e-9 })
    }
  }

  @Test func segmentsInRectangles() {
    let rectangle = Rectangle(x: 0, y: 0, width: 10, height: 10)
    #expect(rectangle.length(of: Segment(x1: -5, y1: 5, x2: 15, y2: 5)) == 10)
    #expect(rectangle.length(of: Segment(x1: 2, y1: 2, x2: 5, y2: 6)) == 5)
    #expect(rectangle.length(of: Segment(x1: -5, y1: 11, x2: 15, y2: 11)) == 0)
    #expect(abs(rectangle.length(of: Segment(x1: 5, y1: -20, x2: 5, y2: 5)) - 5) < 1e-12)
    #expect(rectangle.overlap(Rectangle(x: 8, y: 8, width: 10, height: 10)) == 4)
  }

  /// Twelve crowded points: no label covers another one or a point, and none leaves the paper.
  @Test func labelsDoNotOverlap() {
    var generator = CounterGenerator(seed: 5, "labels")
    for _ in 0..<40 {
      let labels = (0..<12).map { _ in
        LabelPlacement.Label(
          x: 250 + generator.unit() * 200, y: 120 + generator.unit() * 120, radius: 6, width: 40 + generator.unit() * 60, height: 15)
      }
      let points = labels.map { Rectangle(x: $0.x - 6, y: $0.y - 6, width: 12, height: 12) }
      let bounds = Rectangle(x: 0, y: 0, width: 720, height: 420)
      let places = LabelPlacement(bounds: bounds, obstacles: points, segments: []).place(labels)
      var covered = 0.0
      for (index, place) in places.enumerated() {
        for other in places.dropFirst(index + 1) { covered += place.rectangle.overlap(other.rectangle) }
        for point in points { covered += place.rectangle.overlap(point) }
        #expect(place.rectangle.overlap(bounds) > place.rectangle.width * place.rectangle.height - 1e-6)
      }
      #expect(covered < 12)  // square units, of about 12,000 that the labels take
    }
  }

  @Test func spreadKeepsOrderAndGap() {
    #expect(LabelPlacement.spread([10, 50, 90], gap: 16, within: 0...100) == [10, 50, 90])
    #expect(LabelPlacement.spread([50, 50, 50], gap: 16, within: 0...100) == [34, 50, 66])
    #expect(LabelPlacement.spread([0, 99, 100], gap: 16, within: 0...100) == [0, 84, 100])
    #expect(LabelPlacement.spread([], gap: 16, within: 0...100) == [])
    var generator = CounterGenerator(seed: 6, "spread")
    for _ in 0..<500 {
      let wanted = (0..<8).map { _ in generator.unit() * 300 }
      let places = LabelPlacement.spread(wanted, gap: 16, within: 0...300)
      let order = wanted.indices.sorted { wanted[$0] < wanted[$1] }
      for (a, b) in zip(order, order.dropFirst()) { #expect(places[b] - places[a] >= 16 - 1e-9) }
      #expect(places.allSatisfy { $0 >= -1e-9 && $0 <= 300 + 1e-9 })
    }
  }

  /// Forty names at the ends of forty lines: all stand on the paper, a line's height apart.
  @Test func manyNamesMakeThePaperLonger() throws {
    let lines = (0..<40).map { Lines.Line("method \($0)", xs: [0, 1], ys: [0, -Double($0)]) }
    let html = Page("many", sections: [Page.Section("", [.plot(.lines(Lines("many", x: Axis("x"), y: Axis("y"), lines: lines)))])]).html
    let svg = try #require(html.split(separator: "<svg class=\"plot wide\"").dropFirst().first?.split(separator: "</svg>").first)
    let box = try #require(svg.split(separator: "viewBox=\"0 0 720 ").last)
    let height = try #require(Double(box.prefix { $0.isNumber || $0 == "." }))
    let places = svg.split(separator: "<text ").filter { $0.contains(">method ") }.compactMap { text in
      text.split(separator: " y=\"").dropFirst().first.flatMap { Double($0.prefix { $0.isNumber || $0 == "." }) }
    }.sorted()
    #expect(places.count == 40 && height > 640, "\(places.count) \(height)")
    #expect(places.allSatisfy { $0 > 0 && $0 < height - 20 })
    for (a, b) in zip(places, places.dropFirst()) { #expect(b - a > 15.5) }
  }
}
