import HoldfastBasics
import HoldfastRecords
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A folder that is gone after the test.
func withFolder<T>(_ body: (String) throws -> T) throws -> T {
  let folder = FileManager.default.temporaryDirectory.path + "/records-\(UUID())"
  try Files.makeFolder(folder)
  defer { try? Files.remove(folder) }
  return try body(folder)
}

func write(_ text: String, to path: String) throws {
  try Files.makeFolder(Files.folder(of: path))
  let writer = try FileWriter(path: path, replacing: true)
  try writer.write(text)
}

func complaints(_ body: () throws -> Void) -> [String] {
  do {
    try body()
    return []
  } catch let problems as Problems { return problems.complaints } catch { return ["\(error)"] }
}

struct RecordsTests {
  static let manifest = Manifest(
    recipe: ["model": "m", "seed": 7], data: [FileFact(path: "d.jsonl", bytes: 3, sha256: "ab")],
    model: [FileFact(path: "m/model.safetensors", bytes: 9, sha256: "cd")], code: "0.1.0", libtorch: "2.13.0+cpu",
    device: "cpu", processor: "one", threads: 2, seeds: [("run", 7)],
    trained: [TrainedCount(part: "embedding", trained: 10, total: 10), TrainedCount(part: "layer 0", trained: 5, total: 30)],
    facts: ["plan": ["a", "b"]])

  @Test func stepLine() throws {
    let record = StepRecord(
      step: 3, loss: 0.30000000000000004, units: 17, gradientNorm: 0.1, learningRate: 1e-5, epoch: 0, firstRow: 24,
      terms: [("kl", 0.5)], sources: [SourceUse(name: "a.jsonl", examples: 2, tokens: 40, trainedTokens: 17)])
    let line =
      #"{"step":3,"loss":0.30000000000000004,"units":17,"norm":0.1,"learning_rate":1e-05,"epoch":0,"row":24,"terms":{"kl":0.5},"sources":{"a.jsonl":{"examples":2,"tokens":40,"trained_tokens":17}}}"#
    #expect(record.line == line + "\n")
    #expect(try StepRecord(JSON(text: line)) == record)
    #expect(complaints { _ = try StepRecord(["step": "x"]) }.count == 7)
    #expect(complaints { _ = try StepRecord(JSON(text: line.replacing(#""tokens":40"#, with: #""tokens":"40""#))) }.count == 1)
    // What is not finite is null in JSON and reads back as not a number.
    let broken = StepRecord(step: 0, loss: .infinity, units: 1, gradientNorm: .nan, learningRate: 0, epoch: 0, firstRow: 0)
    #expect(try StepRecord(JSON(text: broken.line)).loss.isNaN)
  }

  @Test func scoreAndTiming() throws {
    let score = ScoreRecord(
      name: "a", value: 0.5, standardError: 0.01, count: 2000, unit: "share of items", what: "greedy", step: 10)
    #expect(try ScoreRecord(JSON(text: score.line)) == score)
    let bare = ScoreRecord(name: "a", value: 1, standardError: nil, count: 1, unit: "nats", what: "")
    #expect(bare.line == #"{"score":"a","value":1.0,"count":1,"unit":"nats","what":""}"# + "\n")
    #expect(try ScoreRecord(JSON(text: bare.line)) == bare)
    let timing = TimingRecord(step: 1, seconds: 2.5, tokensPerSecond: 100, peakBytes: 1 << 30)
    #expect(try TimingRecord(JSON(text: timing.line)) == timing)
  }

  @Test func manifestRoundTrip() throws {
    let manifest = Self.manifest
    #expect(abs(manifest.trainedFraction - 0.375) < 1e-15)
    try withFolder { folder in
      try manifest.write(to: folder + "/manifest.json")
      #expect(try Manifest(file: folder + "/manifest.json") == manifest)
      #expect(try Files.list(folder) == ["manifest.json"])
    }
    #expect(complaints { _ = try Manifest(["format": 2]) }.first == "format 2 is newer than this Holdfast, which reads up to 1")
    #expect(complaints { _ = try Manifest(["format": 1]) }.count == 11)
  }

  @Test func manifestDifferences() {
    let before = Self.manifest
    var now = before
    #expect(now.differences(from: before).isEmpty)
    now.threads = 4
    now.libtorch = "2.12.0"
    #expect(now.differences(from: before).bits == ["threads: 2, now 4", "libtorch: 2.13.0+cpu, now 2.12.0"])
    #expect(now.differences(from: before).run.isEmpty)
    now.recipe["seed"] = 8
    now.recipe["output"] = "elsewhere"
    now.data = [FileFact(path: "moved.jsonl", bytes: 3, sha256: "ab")]
    now.model = [FileFact(path: "m/model.safetensors", bytes: 9, sha256: "ce")]
    #expect(
      now.differences(from: before).run == [
        "recipe: seed was 7, now 8", "model: m/model.safetensors has other contents than m/model.safetensors had",
      ])
  }

  @Test func runFolder() throws {
    try withFolder { folder in
      let run = try RunFolder.create(folder + "/runs/a")
      #expect(Files.isFolder(run.checkpoints))
      let step = StepRecord(step: 0, loss: 1, units: 1, gradientNorm: 1, learningRate: 1, epoch: 0, firstRow: 0)
      let score = ScoreRecord(name: "x", value: 1, standardError: nil, count: 1, unit: "u", what: "w", step: 0)
      try write(step.line + score.line + step.line.prefix(20), to: run.metrics)
      let (steps, scores) = try run.readMetrics()
      #expect(steps == [step] && scores == [score])
      try write(step.line + "{]\n" + step.line, to: run.metrics)
      #expect(complaints { _ = try run.readMetrics() }.first?.contains("not valid JSON") == true)
      try Self.manifest.write(to: run.manifest)
      do {
        _ = try RunFolder.create(folder + "/runs/a")
        Issue.record("an existing run was taken")
      } catch let error as FileError { #expect(error.reason.contains("resume")) }
    }
  }
}
