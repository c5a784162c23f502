import ArgumentParser
import HoldfastBasics
import HoldfastEngine

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Name what is wrong with this set-up or a model folder, with the cure, and measure the machine.",
    discussion: "Exits 0 when all is well (remarks allowed), 2 when something needs a cure.")

  @Option(help: "A model folder to examine too.") var model: String?
  @Flag(help: "Leave out the measurements.") var skipMeasurements = false

  func run() throws {
    var findings: [Finding] = []
    findings += Machine.findings()
    let engine = EngineExamination()
    findings += engine.findings
    if let model { findings += try ModelExamination.findings(modelFolder(model), canCompute: engine.isUsable) }
    for finding in findings { print(finding.line) }
    if engine.isUsable && !skipMeasurements {
      for line in try Measurements.run() { print(line) }
    }
    let wrong = findings.count { $0.weight == .wrong }
    print(wrong == 0 ? "Nothing needs a cure." : "\(wrong) thing\(wrong == 1 ? "" : "s") to cure.")
    if wrong > 0 { throw ExitCode(2) }
  }
}

/// One thing that was looked at.
struct Finding {
  enum Weight: String { case fine = "✓", remark = "!", wrong = "✗" }

  let weight: Weight
  let subject: String
  let words: String
  var cure: String?

  var line: String {
    let space = String(repeating: " ", count: max(1, 12 - subject.count))
    let text = "\(weight.rawValue) \(subject)\(space)\(words)"
    return cure.map { text + "\n  " + String(repeating: " ", count: 12) + "→ " + $0 } ?? text
  }

  static func fine(_ subject: String, _ words: String) -> Finding { Finding(weight: .fine, subject: subject, words: words) }
  static func remark(_ subject: String, _ words: String, cure: String? = nil) -> Finding {
    Finding(weight: .remark, subject: subject, words: words, cure: cure)
  }
  static func wrong(_ subject: String, _ words: String, cure: String? = nil) -> Finding {
    Finding(weight: .wrong, subject: subject, words: words, cure: cure)
  }
}

/// The shim, libtorch and the devices it sees.
struct EngineExamination {
  private(set) var findings: [Finding] = []
  private(set) var isUsable = false

  /// Releases of libtorch that the shim is compiled and tested against.
  private static let supported = ["2.11", "2.12", "2.13"]

  init() {
    do throws(EngineError) {
      let version = try Torch.version
      isUsable = true
      findings.append(.fine("shim", "opened, and of this version of Holdfast"))
      let release = version.split(separator: ".").prefix(2).joined(separator: ".")
      findings.append(
        Self.supported.contains(release)
          ? .fine("libtorch", version)
          : .remark("libtorch", "\(version); Holdfast is tested with \(Self.supported.joined(separator: ", "))",
              cure: "remove .torch/ and run ./holdfast, or set HOLDFAST_TORCH to a PyTorch of one of these"))
      let threads = try Torch.threads, processors = Machine.processors
      findings.append(
        threads > processors
          ? .remark("threads", "libtorch uses \(threads) on \(processors) processors", cure: "set OMP_NUM_THREADS=\(processors) or give --threads")
          : .fine("threads", "\(threads) of \(processors) processors"))
      for kind in [Device.Kind.cuda, .mps] {
        let device = Device(kind)
        if try device.isAvailable { findings.append(.fine("\(device)", try device.name)) }
      }
    } catch {
      let parts = error.reason.split(separator: "; ", maxSplits: 1)
      findings.append(.wrong("shim", String(parts[0]), cure: parts.count > 1 ? String(parts[1]) : nil))
    }
  }
}
