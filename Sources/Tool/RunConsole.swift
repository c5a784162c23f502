import HoldfastBasics
import HoldfastRecords
import HoldfastTraining
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Shows a run on the terminal and passes Ctrl-C on to it.
final class RunConsole: RunObserver {
  private let recipe: Recipe
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var firstStep = 0
  private var began = ThisProcess.now()
  private var lastShown = -1

  init(recipe: Recipe) { self.recipe = recipe }

  func observe(_ event: RunEvent) throws -> RunAnswer {
    switch event {
    case .began(let manifest, let steps, let from):
      firstStep = from
      began = ThisProcess.now()
      let trained = manifest.trained.reduce(0) { $0 + $1.trained }
      note("\(recipe.methods.map(\.name).joined(separator: " + ")): \(trained) of \(manifest.trained.reduce(0) { $0 + $1.total }) parameters train (\(percent(manifest.trainedFraction))), \(recipe.precision.rawValue) on \(manifest.device), \(manifest.threads) threads")
      note(from == 0 ? "\(steps) steps" : "goes on at step \(from) of \(steps)")
    case .step(let record, let timing, let total):
      if record.step + 1 == total || (record.step + 1) % recipe.reportEvery == 0 || record.step == firstStep {
        show(record, timing, of: total)
      }
    case .evaluated(let score, let isBest):
      note("  held-out loss \(rounded(score.value, 4)) ± \(rounded(score.standardError ?? 0, 4))\(isBest ? ", the lowest so far" : "")")
    case .saved(let path, _): note("  saved \(path)")
    case .stoppedEarly(let step, let best, let evaluations):
      note("stopped early after step \(step): no improvement in \(evaluations) evaluations; the best was after step \(best)")
    case .exported(let path, let difference): note("exported \(path); its logits differ by at most \(difference) from the trained weights'")
    }
    return ThisProcess.isInterrupted ? .stop : .goOn
  }

  func finish(_ result: RunResult) throws {
    switch result.end {
    case .interrupted: note("interrupted after step \(result.steps) and saved; go on with: holdfast resume \(result.folder.path)")
    case .finished, .stoppedEarly: print(result.folder.final)
    }
  }

  private func show(_ record: StepRecord, _ timing: TimingRecord, of total: Int) {
    let done = record.step + 1 - firstStep
    let left = Double(total - record.step - 1) * (ThisProcess.now() - began) / Double(max(1, done))
    let width = String(total).count
    let step = String(record.step + 1)
    note(
      "step \(String(repeating: " ", count: width - step.count))\(step)/\(total)  loss \(rounded(record.loss, 4))  norm \(rounded(record.gradientNorm, 2))  rate \(record.learningRate)  \(Int(timing.tokensPerSecond)) tok/s  \(duration(left)) left"
    )
  }

  private func note(_ text: String) { printError(text) }
  private func percent(_ share: Double) -> String { rounded(100 * share, 1) + " %" }
  private func rounded(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return "\(value)" }
    let scale = [1.0, 10, 100, 1000, 10000][digits]
    let whole = Int((abs(value) * scale).rounded())
    let fraction = String(whole % Int(scale))
    return (value < 0 ? "-" : "") + "\(whole / Int(scale))" + (digits == 0 ? "" : "." + String(repeating: "0", count: digits - fraction.count) + fraction)
  }
  private func duration(_ seconds: Double) -> String {
    let s = Int(seconds.rounded())
    return s < 60 ? "\(s) s" : s < 3600 ? "\(s / 60) min \(s % 60) s" : "\(s / 3600) h \(s % 3600 / 60) min"
  }
}
