import ArgumentParser
import HoldfastBasics
import HoldfastDecoding
import HoldfastEngine
import HoldfastModels

struct BenchEFTCommand: ParsableCommand {
  enum Numbers: String, ExpressibleByArgument, CaseIterable { case f32, bf16, int8 }

  static let configuration = CommandConfiguration(
    commandName: "eft", abstract: "Time emulated fine-tuning: a random base of 110M parameters and two random models of 15M.",
    discussion: """
      Prompts of 64 tokens, then --new tokens for each row, greedily; the median of three runs, after one that warms up. tok_s counts all rows \
      and includes the prompts. With --agreement the comparison of speculation is replaced by a seeded coin, since random models never \
      agree: a table over the chances and blocks, marked simulated, beside the cost model with this machine's own pass times.
      """)

  @Option(help: "Rows that run together.") var rows = 1
  @Option(help: "Tokens for each row.") var new = 128
  @Option(help: "f32, bf16, or int8 (weights only; caches bf16).") var dtype: Numbers = .bf16
  @Option(help: "Threads to compute with (default: the processors).") var threads: Int?
  @Option(parsing: .upToNextOption, help: "Chances, 0 to 1, that a proposal holds.") var agreement: [Double] = []
  @Option(parsing: .upToNextOption, help: "Tokens of a block, with --agreement.") var block: [Int] = [1, 2, 4, 8, 16]
  @Option(help: "Tokens of the prompt whose reading is timed with the base alone.") var prefill = 512
  @Flag(help: "JSON lines.") var json = false

  func validate() throws {
    if rows < 1 || new < 1 || new > 900 { throw ValidationError("--rows is 1 or more, --new is 1 to 900") }
    if !agreement.allSatisfy({ (0...1).contains($0) }) { throw ValidationError("--agreement is 0 to 1") }
    if !block.allSatisfy({ (1...256).contains($0) }) { throw ValidationError("--block is 1 to 256") }
    if prefill < 1 || prefill > 1024 { throw ValidationError("--prefill is 1 to 1024") }
  }

  func run() throws {
    try Torch.setThreads(threads ?? Machine.processors)
    let bench = try EmulationBenchmark(
      rows: rows, new: new, dtype: dtype == .f32 ? .float32 : .bfloat16, weights: dtype == .int8 ? .int8 : .asStored)
    agreement.isEmpty ? try measure(bench) : try simulate(bench)
  }

  private func median(_ body: () throws -> EmulationBenchmark.Result) throws -> EmulationBenchmark.Result {
    _ = try body()
    return try (0..<3).map { _ in try body() }.sorted { $0.tokensPerSecond < $1.tokensPerSecond }[1]
  }

  private func measure(_ bench: EmulationBenchmark) throws {
    let ensemble = try bench.emulated()
    let eft = try median { try bench.run(ensemble, now: ThisProcess.now) }
    let large = try median { try bench.run(bench.baseAlone, now: ThisProcess.now) }
    let small = try median { try bench.run(bench.expertAlone, now: ThisProcess.now) }
    let (seconds, operations) = try bench.prefill(tokens: prefill, now: ThisProcess.now)
    let bandwidth = try Measurements.readBandwidth(), rate = try Measurements.matrixRate(dtype == .f32 ? .float32 : .bfloat16)
    let read = Double(ensemble.weightBytes) / eft.stepSeconds
    let line: JSONObject = [
      "dtype": .string(dtype.rawValue), "rows": .integer(rows), "new": .integer(new), "threads": .integer(try Torch.threads),
      "tok_s": .number(rounded(eft.tokensPerSecond, 1)), "large_tok_s": .number(rounded(large.tokensPerSecond, 1)),
      "small_tok_s": .number(rounded(small.tokensPerSecond, 1)), "step_ms": .number(rounded(eft.stepSeconds * 1e3, 3)),
      "weights_mb": .number(rounded(Double(ensemble.weightBytes) / 1e6, 1)), "read_gb_s": .number(rounded(read / 1e9, 2)),
      "bandwidth_gb_s": .number(rounded(bandwidth / 1e9, 2)), "share_of_bandwidth": .number(rounded(read / bandwidth, 3)),
      "prefill_tokens": .integer(prefill), "prefill_tok_s": .number(rounded(Double(prefill) / seconds, 1)),
      "prefill_tflop_s": .number(rounded(operations / seconds / 1e12, 4)), "matrix_tflop_s": .number(rounded(rate / 1e12, 4)),
      "share_of_matrix_rate": .number(rounded(operations / seconds / rate, 3)),
      "peak_gib": .number(rounded(Double(ThisProcess.peakBytes()) / 0x1p30, 2)),
    ]
    if json {
      print(JSON.object(line).text())
    } else {
      for (key, value) in line.members { print("\(key): \(value.text())") }
    }
  }

  /// Tokens a second for each chance and block, and what the cost model says of this machine's pass times: E / (k·c_F + c_S(k) + c_L(k)),
  /// E = (1 − a^k) / (1 − a).
  private func simulate(_ bench: EmulationBenchmark) throws {
    let ensemble = try bench.emulated()
    var costs: [Int: [Double]] = [:]
    for k in Set(block + [1]) { costs[k] = try bench.blockSeconds(k, now: ThisProcess.now) }
    let plain = try median { try bench.run(ensemble, now: ThisProcess.now) }
    if !json { print("without speculation: \(rounded(plain.tokensPerSecond, 1)) tokens a second") }
    for a in agreement {
      for k in block {
        var speculation = Speculation(.coupled, block: k, isAdaptive: false)
        speculation.simulatedAgreement = a
        let result = try median { try bench.run(ensemble, speculation: speculation, now: ThisProcess.now) }
        var power = 1.0
        for _ in 0..<k { power *= a }
        let emitted = a == 1 ? Double(k) : (1 - power) / (1 - a)
        let model = Double(rows) * emitted / (Double(k) * costs[1]![1] + costs[k]![2] + costs[k]![0])
        if json {
          print(
            JSON.object([
              "simulated": true, "dtype": .string(dtype.rawValue), "rows": .integer(rows), "new": .integer(new), "agreement": .number(a),
              "block": .integer(k),
              "tok_s": .number(rounded(result.tokensPerSecond, 1)), "cost_model_tok_s": .number(rounded(model, 1)),
              "plain_tok_s": .number(rounded(plain.tokensPerSecond, 1)),
              "measured_agreement": .number(rounded(result.counts.agreement ?? 0, 3)),
              "passes": .array(result.counts.passes.map(JSON.integer)),
            ]).text())
        } else {
          print(
            "simulated, agreement \(a), block \(k): \(rounded(result.tokensPerSecond, 1)) tokens a second; the cost model says \(rounded(model, 1))"
          )
        }
      }
    }
  }

  private func rounded(_ value: Double, _ places: Int) -> Double {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    return (value * scale).rounded() / scale
  }
}
