import HoldfastBasics
import HoldfastReports
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct PageTests {
  /// HOLDFAST_WRITE_PAGES=FOLDER writes the samples, to be looked at.
  @Test func writesSamples() throws {
    guard let folder = ProcessInfo.processInfo.environment["HOLDFAST_WRITE_PAGES"] else { return }
    try Files.makeFolder(folder)
    try Files.writeAtomically(Samples.page.html, to: folder + "/frontier.html")
    try Files.writeAtomically(Samples.run.page.html, to: folder + "/run.html")
    try Files.writeAtomically(Samples.tradeOff.table.terminal(colour: true), to: folder + "/table.txt")
  }

  /// Names of elements in the order they open, with a check that every one is closed.
  static func elements(_ html: String) -> (names: [String], isBalanced: Bool) {
    let void: Set<String> = ["meta"]
    var names: [String] = [], open: [String] = [], isBalanced = true
    for piece in html.split(separator: "<").dropFirst() where !piece.hasPrefix("!") {
      let tag = piece.prefix { $0 != ">" }
      if tag.hasPrefix("/") {
        if open.popLast() != String(tag.dropFirst()) { isBalanced = false }
      } else {
        let name = String(tag.prefix { $0.isLetter || $0.isNumber })
        names.append(name)
        if !tag.hasSuffix("/"), !void.contains(name) { open.append(name) }
      }
    }
    return (names, isBalanced && open.isEmpty)
  }

  static func lines(_ html: String) -> [Substring] { html.split(separator: "\n") }

  @Test func pagesStandAlone() {
    for html in [Samples.page.html, Samples.run.page.html] {
      let (names, isBalanced) = Self.elements(html)
      #expect(isBalanced)
      #expect(!names.contains { ["script", "link", "img", "iframe", "object"].contains($0) })
      #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("url("))
      #expect(html.contains("prefers-color-scheme: dark") && html.contains("@media print") && html.contains("max-width: 34rem"))
      #expect(!html.contains("nan\"") && !html.contains("not a number") && !html.contains("∞"))
      #expect(html.utf8.count < 120_000)
    }
    let html = Samples.page.html
    #expect(Self.elements(html).names.filter { $0 == "svg" }.count == 6)  // three plots, each for page and phone
    #expect(Self.lines(html).filter { $0.contains("class=\"mark ") }.count == 22)  // the base and ten points, twice
    #expect(Self.lines(html).filter { $0.contains("class=\"join ") }.count == 2)  // four strengths of one method
    #expect(Self.lines(html).filter { $0.contains("class=\"arrow-head ") }.count >= 12)
  }

  @Test func sameNameSameColour() {
    // Half fine-tuning is third in the scatter plot and keeps that colour among lines and bars.
    let lines = Self.lines(Samples.page.html)
    let labels = lines.filter { $0.hasSuffix(">half fine-tuning</text>") && $0.contains("class=\"label") }
    #expect(labels.count == 4 && labels.allSatisfy { $0.contains("label s2") })
    let bars = lines.filter { $0.contains("class=\"bar ") && $0.contains("half fine-tuning") }
    #expect(bars.count == 8 && bars.allSatisfy { $0.contains("bar s2") })
    let strengths = lines.filter { $0.contains("class=\"bar ") && $0.contains("Wise-FT 0.6") }
    #expect(strengths.count == 8 && strengths.allSatisfy { $0.contains("bar s4") })
  }

  @Test func hostileText() {
    let evil = "<script>alert('x')</script>\u{0}\"&"
    var table = Table([evil, "b"])
    table.add([Table.Cell(evil), "|`<b>"])
    let scatter = Scatter(evil, x: Axis(evil), y: Axis(evil), points: [.init(evil, x: 1, y: 1)])
    let lines = Lines(evil, x: Axis(evil), y: Axis(evil), lines: [.init(evil, xs: [0, 1], ys: [0, 1])])
    let bars = Bars(evil, axis: Axis(evil), groups: [.init(evil, [.init(evil, 1)])])
    let blocks: [Page.Block] = [
      .text(evil), .note(evil), .code(evil), .table(table), .keyValues([.init(evil, evil)]),
      .figures([.init(evil, evil, note: evil)]), .plot(.scatter(scatter)), .plot(.lines(lines)), .plot(.bars(bars)),
      .details(evil, [.text(evil)]),
    ]
    let page = Page(evil, subtitle: evil, footer: evil, sections: [Page.Section(evil, blocks)])
    let (names, isBalanced) = Self.elements(page.html)
    #expect(isBalanced && !names.contains("script") && !page.html.contains("\u{0}"))
  }

  /// Plots of nothing, of one point, of equal points and of what is not finite are drawn without fault.
  @Test func oddNumbers() {
    let odd: [[Double]] = [[], [1], [2, 2, 2], [.nan, 1, .infinity], [0, 0], [-1e300, 1e300], [1e-300, 2e-300]]
    for ys in odd {
      let xs = ys.indices.map { Double($0) }
      for isLogarithmic in [false, true] {
        let axis = Axis("y", isLogarithmic: isLogarithmic)
        let points = zip(xs, ys).map { Scatter.Point("p", x: $0, y: $1, xError: 0.1, yError: .nan) }
        let blocks: [Page.Block] = [
          .plot(.lines(Lines("l", x: Axis("x"), y: axis, lines: [.init("a", xs: xs, ys: ys)]))),
          .plot(.scatter(Scatter("s", x: Axis("x"), y: axis, points: points))),
          .plot(.bars(Bars("b", axis: Axis("y"), groups: [.init("", ys.map { Bars.Bar("b", $0) })]))),
        ]
        let html = Page("odd", sections: [Page.Section("", blocks)]).html
        #expect(Self.elements(html).isBalanced)
        #expect(!html.contains("\"not a number") && !html.contains("\"∞") && !html.contains(" nan"))
      }
    }
  }
}
