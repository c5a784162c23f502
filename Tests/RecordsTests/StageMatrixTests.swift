import HoldfastBasics
import HoldfastRecords
import Testing

struct StageMatrixTests {
  private func row(_ values: [Double]) -> [ScoreRecord] {
    values.enumerated().map { ScoreRecord(name: "t\($0)", value: $1, standardError: 0.01, count: 100, unit: "share of items", what: "x") }
  }

  /// By hand: R = (0.6 0.2 0.1; 0.5 0.8 0.3; 0.4 0.6 0.9), R[0] = (0.1 0.1 0.2).
  @Test func summaryByHand() {
    let matrix = StageMatrix(
      stages: ["a", "b", "c"], taught: [0, 1, 2], tasks: ["t0", "t1", "t2"], before: row([0.1, 0.1, 0.2]),
      after: [row([0.6, 0.2, 0.1]), row([0.5, 0.8, 0.3]), row([0.4, 0.6, 0.9])], general: ["g"], generalBefore: row([0.9]),
      generalAfter: [row([0.8]), row([0.7]), row([0.65])])
    let s = matrix.summary
    func close(_ a: Double?, _ b: Double) -> Bool { abs((a ?? .nan) - b) < 1e-12 }
    #expect(close(s.averagePerformance, 1.9 / 3))
    #expect(close(s.backwardTransfer, (-0.2 - 0.2) / 2) && close(s.backwardTransferOverAll, -0.4 / 3))
    #expect(close(s.forwardTransfer, (0.1 + 0.1) / 2))  // task 2 after stage 1, task 3 after stage 2
    #expect(close(s.forgetting, (0.2 + 0.2) / 2))
    #expect(close(s.generalChange, -0.25))
  }

  @Test func whatIsNotKnownIsNotSaid() {
    let matrix = StageMatrix(stages: ["a", "b"], taught: [nil, 0], tasks: ["t0"], before: nil, after: [row([0.6])])
    #expect(matrix.summary.averagePerformance == nil && matrix.summary.backwardTransfer == nil && matrix.summary.forwardTransfer == nil)
    let whole = StageMatrix(stages: ["a", "b"], taught: [nil, 0], tasks: ["t0"], before: nil, after: [row([0.2]), row([0.6])])
    #expect(whole.summary.averagePerformance == 0.6 && whole.summary.backwardTransfer == nil)
  }

  /// A task's best score counts from its own stage on: what it was before it was taught is not forgotten.
  @Test func forgettingLooksBehindTheTeaching() {
    let matrix = StageMatrix(
      stages: ["x", "a", "b", "c"], taught: [nil, 0, 1, nil], tasks: ["t0", "t1"], before: row([0, 0]),
      after: [row([0.9, 0]), row([0.5, 0.1]), row([0.6, 0.7]), row([0.4, 0.5])])
    let s = matrix.summary
    func close(_ a: Double?, _ b: Double) -> Bool { abs((a ?? .nan) - b) < 1e-12 }
    // Both tasks were taught before the last stage and after the first: (0.2 + 0.2) / 2, (−0.1 − 0.2) / 2, (0.9 + 0.1) / 2.
    #expect(close(s.forgetting, 0.2) && close(s.backwardTransfer, -0.15) && close(s.forwardTransfer, 0.5))
    #expect(s.older == 2 && s.newer == 2)
  }
}
