import HoldfastBasics
import HoldfastDatasets
import HoldfastRecords
import HoldfastStudies
import HoldfastTraining
import Testing

/// The demo in small: few steps, few questions, the model that comes with Holdfast.
@Suite(.serialized) struct DemoTests {
  private final class Silent: RunObserver {
    var saved = 0
    func observe(_ event: RunEvent) throws -> RunAnswer {
      if case .saved = event { saved += 1 }
      return .goOn
    }
  }

  private static let root = Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))

  private func demo(_ output: String) -> Demo {
    var demo = Demo(base: Self.root + "/World/base", output: output)
    demo.examples = 60
    demo.steps = 3
    demo.rows = 2
    demo.items = 6
    demo.alphas = [0.5]
    return demo
  }

  @Test func everyWayIsMeasuredAgainstTheBase() throws {
    let output = Self.root + "/.build/demo-test"
    try Files.remove(output)
    defer { try? Files.remove(output) }
    let surroundings = Surroundings(now: { 0 }, peakBytes: { 0 }, processor: "any", cores: 1, code: "test")
    let observer = Silent(), demo = demo(output)
    var heard: [String] = []
    let result = try demo.run(surroundings: surroundings, observer: observer) { event in
      switch event {
      case .measuring(let name): heard.append("measuring \(name)")
      case .teaching(let name, let method, _): heard.append("teaching \(name) by \(method)")
      case .measured(let outcome): heard.append("measured \(outcome.name)")
      }
    }
    #expect(result.outcomes.map(\.name) == demo.ways.map(\.name) + ["Wise-FT 0.5"])
    #expect(heard.count == 10 && heard[0] == "measuring base" && heard[2] == "teaching full by full" && heard[6] == "teaching half by half", "\(heard)")
    #expect(observer.saved == 3)
    // Shares of whole items; the mean of the families is versatility.
    for outcome in [result.base] + result.outcomes {
      #expect(outcome.families.map(\.name) == LittleWorld.Family.all(.versatility).map(\.rawValue))
      #expect((outcome.families + [outcome.speciality]).allSatisfy { $0.count == 6 && ($0.value * 6).rounded() == $0.value * 6 })
      let mean = outcome.families.reduce(0) { $0 + $1.value } / Double(outcome.families.count)
      #expect(abs(outcome.versatility.value - mean) < 1e-12)
      #expect(outcome.answers.count == result.questions.count && Files.exists(outcome.folder + "/model.safetensors"))
    }
    #expect(result.outcomes.map { $0.trained == nil } == [false, false, false, true])
    #expect(result.outcomes[0].trained == 1 && (0.4..<0.7).contains(result.outcomes[2].trained ?? 0))
    // Questions that are shown are none of those that are measured.
    let asked = Set(demo.world.items(demo.domain, .test, count: demo.items).map(\.prompt))
    #expect(result.questions.count == 6 && result.questions.allSatisfy { !asked.contains($0.prompt) })
    // What is there already is not written over.
    #expect(throws: FileError.self) { try demo.run(surroundings: surroundings, observer: observer) { _ in } }
  }
}
