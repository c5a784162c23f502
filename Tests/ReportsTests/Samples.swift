import HoldfastBasics
import HoldfastRecords
import HoldfastReports

/// Pages with everything in them.
enum Samples {
  static func score(_ name: String, _ value: Double, _ error: Double, step: Int? = nil, unit: String = "share of items") -> ScoreRecord {
    ScoreRecord(name: name, value: value, standardError: error, count: 2000, unit: unit, what: "held-out items", step: step)
  }

  static func entry(_ name: String, _ group: String?, _ speciality: Double, _ versatility: Double, _ trained: Double?) -> TradeOff.Entry {
    TradeOff.Entry(
      name, label: group != nil && !name.hasSuffix("0.2") ? String(name.suffix(3)) : nil, group: group, speciality: score("speciality", speciality, 0.011), versatility: score("versatility", versatility, 0.009),
      others: [score("stories", versatility - 0.05, 0.012)], trained: trained)
  }

  static let tradeOff = TradeOff(
    base: entry("before", nil, 0.052, 0.712, nil),
    entries: [
      entry("full fine-tuning", nil, 0.931, 0.402, 1), entry("low rate", nil, 0.702, 0.611, 1),
      entry("half fine-tuning", nil, 0.914, 0.543, 0.562), entry("layer-wise half", nil, 0.906, 0.531, 0.513),
      entry("Wise-FT 0.2", "Wise-FT", 0.141, 0.703, 1), entry("Wise-FT 0.4", "Wise-FT", 0.402, 0.672, 1),
      entry("Wise-FT 0.6", "Wise-FT", 0.723, 0.611, 1), entry("Wise-FT 0.8", "Wise-FT", 0.884, 0.511, 1),
      entry("EWC", nil, 0.882, 0.602, 1), entry("CoFiTune", nil, 0.893, 0.622, 0.24),
    ])

  static let lines: Plot = {
    func curve(_ name: String, _ end: Double, _ speed: Double) -> Lines.Line {
      let xs = (0...20).map { Double($0) * 20 }
      let ys = xs.map { 0.71 + (end - 0.71) * (1 - 1 / (1 + $0 / speed)) }
      return Lines.Line(name, xs: xs, ys: ys, errors: ys.map { _ in 0.012 })
    }
    return .lines(
      Lines(
        "Versatility while the new domain is learned", x: Axis("step"), y: Axis("↑ versatility", .percent),
        lines: [
          curve("full fine-tuning", 0.34, 80), curve("low rate", 0.6, 90), curve("half fine-tuning", 0.5, 90),
          curve("EWC", 0.585, 60), curve("CoFiTune", 0.61, 50),
        ]))
  }()

  static let bars: Plot = {
    var groups: [Bars.Group] = []
    for (index, skill) in ["arithmetic", "facts", "stories", "spelling"].enumerated() {
      let shift = Double(index)
      let full = Bars.Bar("full fine-tuning", -0.31 + shift * 0.06, error: 0.013)
      let half = Bars.Bar("half fine-tuning", -0.17 + shift * 0.07, error: 0.012)
      let wise = Bars.Bar("Wise-FT 0.6", -0.04 + shift * 0.02, error: 0.011, group: "Wise-FT")
      groups.append(Bars.Group(skill, [full, half, wise]))
    }
    return .bars(Bars("Change of each skill", axis: Axis("change since before tuning", .percent), groups: groups))
  }()

  static let page = Page(
    "What was learned, what was kept",
    subtitle: "A small model of the little world learns the clinic, by ten ways of tuning.",
    footer: "Made by holdfast demo. Everything on this page is in the run folders as JSON.",
    sections: [
      Page.Section("", [
        .figures([
          .init("learned best", "93.1 %", note: "full fine-tuning"), .init("kept best", "70.3 %", note: "Wise-FT 0.2"),
          .init("best of both", "CoFiTune", note: "89.3 % new, 62.2 % old"), .init("before", "71.2 %", note: "versatility"),
        ]),
        .plot(tradeOff.plot()),
        .note("Up: better at the new domain. Right: better at what the model could do before. Bars: one standard error."),
      ]),
      Page.Section("In numbers", [.table(tradeOff.table), .note("Percent of 2,000 held-out items each, ± one standard error.")]),
      Page.Section("While it learned", [.plot(lines)]),
      Page.Section("Skill by skill", [.plot(bars)]),
      Page.Section("To do it again", [.code("holdfast demo --seed 7"), .keyValues([.init("seed", "7"), .init("threads", "2")])]),
    ])

  static let manifest: Manifest = {
    var trained = [TrainedCount(part: "embedding", trained: 262_144, total: 262_144)]
    for layer in 0..<4 { trained.append(TrainedCount(part: "layer \(layer)", trained: 98_304, total: 196_608)) }
    let data = FileFact(path: "data/clinic.jsonl", bytes: 812_344, sha256: String(repeating: "ab", count: 32))
    let model = FileFact(path: "models/small/model.safetensors", bytes: 3_812_344, sha256: String(repeating: "cd", count: 32))
    return Manifest(
      recipe: ["model": "models/small", "method": [["half": ["ratio": 0.5]]], "learning_rate": 1e-3], data: [data],
      model: [model], code: "0.1.0", libtorch: "2.13.0+cpu", device: "cpu", processor: "two cores", threads: 2,
      seeds: [("run", 7)], trained: trained)
  }()

  static let run: RunReport = {
    var generator = CounterGenerator(seed: 4, "sample run")
    var steps: [StepRecord] = [], timing: [TimingRecord] = [], scores: [ScoreRecord] = []
    for step in 0..<600 {
      let time = Double(step)
      let noise = (generator.unit() - 0.5) * 0.5
      let loss = 1.4 + 2.2 / (1 + time / 40) + noise
      let rate = 1e-3 * (step < 60 ? time / 60 : (600 - time) / 540)
      steps.append(
        StepRecord(step: step, loss: loss, units: 2048, gradientNorm: 1, learningRate: rate, epoch: 0, firstRow: step))
      timing.append(TimingRecord(step: step, seconds: time * 0.2, tokensPerSecond: 11_240, peakBytes: 612 << 20))
      if step % 60 == 0 {
        scores.append(score("held out", 1.5 + 2 / (1 + time / 45), 0.03, step: step, unit: "nats a label"))
      }
    }
    return RunReport(
      name: "Half Fine-Tuning of a small model", manifest: manifest, steps: steps, timing: timing, scores: scores)
  }()
}
