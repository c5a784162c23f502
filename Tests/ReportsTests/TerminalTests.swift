import HoldfastReports
import Testing

struct TerminalTests {
  @Test func numbers() {
    #expect(Numbers.fixed(1.005, 1) == "1.0" && Numbers.fixed(-0.04, 1) == "0.0" && Numbers.fixed(-12.35, 1) == "−12.4")
    #expect(Numbers.fixed(0.05, 3) == "0.050" && Numbers.fixed(.nan, 1) == "not a number" && Numbers.fixed(-.infinity, 1) == "−∞")
    #expect(Numbers.significant(1234.5678) == "1235" && Numbers.significant(0.00012345) == "0.0001235")
    #expect(Numbers.significant(1.5e-7) == "1.5e−7" && Numbers.significant(0) == "0" && Numbers.significant(2) == "2")
    #expect(Numbers.plusMinus(0.5234, 0.0112) == "0.523 ± 0.011" && Numbers.plusMinus(62.14, 1.13) == "62.1 ± 1.1")
    #expect(Numbers.plusMinus(1234, 56) == "1234 ± 56" && Numbers.plusMinus(0.25, nil) == "0.25")
    #expect(Numbers.percent(0.6214, 0.0113) == "62.1 ± 1.1" && Numbers.percent(-0.5) == "−50.0")
    #expect(Numbers.grouped(1_234_567) == "1,234,567" && Numbers.grouped(-999) == "−999" && Numbers.grouped(1000) == "1,000")
    #expect(Numbers.compact(853) == "853" && Numbers.compact(12_345) == "12.3k" && Numbers.compact(999_600) == "1.00M")
    #expect(Numbers.compact(1.25) == "1.25" && Numbers.compact(9_996) == "10.0k")
    #expect(Numbers.bytes(512) == "512 B" && Numbers.bytes(3_450_000_000) == "3.21 GiB" && Numbers.bytes(1 << 20) == "1.00 MiB")
    #expect(Numbers.duration(0.42) == "0.4 s" && Numbers.duration(59.6) == "1 min 00 s" && Numbers.duration(7500) == "2 h 05 min")
    #expect(Numbers.duration(42) == "42 s" && Numbers.duration(100_000) == "1 d 3 h" && Numbers.duration(.nan) == "?")
  }

  static let table: Table = {
    var table = Table(["method", "speciality", "note"])
    table.columns[2].alignment = .left
    table.add([Table.Cell("before", .strong), "5.2 ± 1.1", "小 x"])
    table.addRule()
    table.add(["half fine-tuning", Table.Cell("91.4 ± 1.1", .good)])
    return table
  }()

  @Test func terminal() {
    #expect(
      Self.table.terminal() == """
         method            speciality  note
        ────────────────────────────────────
         before             5.2 ± 1.1  小 x
        ────────────────────────────────────
         half fine-tuning  91.4 ± 1.1

        """)
    let coloured = Self.table.terminal(colour: true)
    #expect(coloured.contains("\u{1B}[32m91.4 ± 1.1\u{1B}[0m") && coloured.contains("\u{1B}[1mbefore\u{1B}[0m"))
    #expect(!Self.table.terminal().contains("\u{1B}"))
  }

  @Test(arguments: [20, 24, 30, 36, 80])
  func width(_ width: Int) {
    let lines = Self.table.terminal(width: width).split(separator: "\n")
    #expect(lines.allSatisfy { String($0).displayWidth <= max(width, 24) })
    if width < 36 { #expect(lines.contains { $0.contains("…") }) }
    // Numbers stay whole as long as text can give way.
    if width >= 30 { #expect(lines.contains { $0.contains("91.4 ± 1.1") }) }
  }

  @Test func markdown() {
    #expect(
      Self.table.markdown == """
        | method | speciality | note |
        |---|---:|---|
        | **before** | 5.2 ± 1.1 | 小 x |
        | half fine-tuning | 91.4 ± 1.1 |  |

        """)
    var odd = Table(["a|b"])
    odd.add(["x\ny_*"])
    #expect(odd.markdown == "| a\\|b |\n|---|\n| x y\\_\\* |\n")
  }

  @Test func progress() {
    let line = ProgressLine(step: 120, of: 1000, loss: 1.23456, tokensPerSecond: 12_345, secondsLeft: 130)
    let full = line.text(width: 100)
    #expect(full == "step  120/1000  █▍··········  12 %  loss 1.2346  12.3k tok/s  2 min 10 s left")
    #expect(line.text(width: 60) == "step  120/1000  loss 1.2346  12.3k tok/s  2 min 10 s left")
    for width in 10...100 { #expect(line.text(width: width).displayWidth <= width) }
    #expect(ProgressLine(step: 5, of: 5, secondsLeft: 0).text(width: 40) == "step 5/5  ████████████ 100 %")
    #expect(ProgressLine.secondsLeft(step: 0, of: 5, elapsed: 1) == nil)
    #expect(ProgressLine.secondsLeft(step: 2, of: 5, elapsed: 4) == 6)
    #expect(ProgressLine.bar(0.5, width: 4) == "██··" && ProgressLine.bar(2, width: 2) == "██" && ProgressLine.bar(-1, width: 2) == "··")
  }

  @Test func sparklines() {
    #expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█")
    #expect(sparkline([1, 1, 1]) == "▄▄▄" && sparkline([]) == "" && sparkline([.nan, 1, 2]) == "?▁█")
    #expect(sparkline((0..<1000).map { Double(-$0) }, width: 8) == "█▇▆▅▄▃▂▁")
  }
}
