public import ArgumentParser
import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastModels
public import HoldfastTraining

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure speed on this machine.", subcommands: [BenchStepCommand.self, BenchEFTCommand.self, BenchTokenizeCommand.self, BenchDataCommand.self])
}

struct BenchStepCommand: ParsableCommand {
  enum Trained: String, ExpressibleByArgument, CaseIterable { case all, half, region, lora }
  enum Masters: String, ExpressibleByArgument, CaseIterable { case f32, none }

  static let configuration = CommandConfiguration(
    commandName: "step", abstract: "Time one optimizer step of a random model on random tokens.",
    discussion: "Two steps warm up; then three to eight are timed, for about forty seconds. Figures of a busy machine say little.")

  @Option(help: "\(StepBenchmark.Shape.allCases.map(\.rawValue).joined(separator: ", ")).") var shape: StepBenchmark.Shape
  @Option(help: "Rows a step.") var rows = 1
  @Option(help: "Tokens a row.") var length = 512
  @Option(help: "f32 or bf16.") var dtype: Recipe.Precision = .bf16
  @Option(help: "Which parameters train: all; the half that Half Fine-Tuning draws; CoFiTune's region, which is mlp.up and mlp.down in the second quarter of the layers; or lora, an adapter on all linear layers.")
  var train: Trained = .all
  @Option(help: "The adapter's rank, with --train lora (default: 16).") var rank: Int?
  @Option(help: "Weights that the optimizer keeps beside bf16 ones: f32, or none for comparison with programs that keep none.")
  var masters: Masters = .f32
  @Option(help: "cpu, cuda or mps.") var device = "cpu"
  @Option(help: "Threads to compute with (default: the processors).") var threads: Int?
  @Flag(help: "One line of JSON.") var json = false

  func validate() throws {
    if rank != nil, train != .lora { throw ValidationError("--rank belongs to --train lora") }
    if let rank, rank < 1 { throw ValidationError("--rank must be 1 or more") }
  }

  func run() throws {
    try Torch.setThreads(threads ?? Machine.processors)
    var benchmark = StepBenchmark(shape: shape, rows: rows, length: length, precision: dtype)
    benchmark.keepsMasters = masters == .f32
    benchmark.device = device
    switch train {
    case .all: break
    case .lora: benchmark.adapter = AdapterConfiguration(rank: rank ?? 16, alpha: Double(2 * (rank ?? 16)))
    case .region:
      benchmark.selection = { Set(try Region(layers: .share(from: 0.25, to: 0.5), modules: [.up, .down]).parameters(of: $0)) }
    case .half:
      benchmark.selection = { model in
        let units = try HalfPlan.units(of: model)
        let half = HalfPlan.draw(
          units: units, layerCount: model.configuration.layerCount, fingerprint: model.fingerprint, ratio: 0.5, strategy: .category,
          balance: .count, seed: 0, stage: 0)
        return Set(half.flatMap(\.tensors) + model.parameters.filter { $0.layer == nil }.map(\.name))
      }
    }
    let result = try benchmark.run(now: ThisProcess.now)
    let tokens = Double(rows * length) / result.median
    let gib = try max(Double(ThisProcess.peakBytes()), Double(Device(device)?.peakBytes ?? 0)) / 0x1p30
    if json {
      let line: JSONObject = [
        "shape": .string(shape.rawValue), "dtype": .string(dtype.rawValue), "rows": .integer(rows), "length": .integer(length),
        "train": .string(train.rawValue), "masters": .string(masters.rawValue), "params": .integer(result.parameters),
        "trained": .integer(result.trained), "threads": .integer(try Torch.threads), "steps": .integer(result.seconds.count),
        "step_s": .number(rounded(result.median, 4)), "min_s": .number(rounded(result.seconds.first!, 4)),
        "max_s": .number(rounded(result.seconds.last!, 4)), "tok_s": .number(rounded(tokens, 1)), "peak_gib": .number(rounded(gib, 2)),
        "loss": .number(rounded(result.loss, 5)),
      ]
      print(JSON.object(line).text())
    } else {
      print("\(shape.rawValue) \(rows) × \(length), \(dtype.rawValue), \(result.trained) of \(result.parameters) parameters train")
      print("\(rounded(result.median, 4)) s a step (\(rounded(result.seconds.first!, 4)) to \(rounded(result.seconds.last!, 4)))")
      print("\(rounded(tokens, 1)) tokens a second, \(rounded(gib, 2)) GiB at the peak")
    }
  }

  private func rounded(_ value: Double, _ places: Int) -> Double {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    return (value * scale).rounded() / scale
  }
}

extension StepBenchmark.Shape: ExpressibleByArgument {}
extension Recipe.Precision: ExpressibleByArgument {}
