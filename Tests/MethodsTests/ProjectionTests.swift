import HoldfastBasics
import HoldfastEngine
import HoldfastMethods
import HoldfastTraining
import Testing

struct ProjectionTests {
  private func named(_ values: [[Double]]) throws -> NamedTensors {
    NamedTensors(try values.enumerated().map { ("p\($0)", try Tensor($1, shape: [$1.count], dtype: .float64)) })
  }

  @Test func nothingIsLeftAgainstTheMemory() throws {
    let at = try PenaltyCase()
    let method = try make(AveragedGEM.self, ["data": "x.jsonl"]).begin(at.stage)
    let memory = try named([[1, 2], [0, -1, 1]])
    // Along the memory: untouched.
    let along = try named([[1, 0], [0, 0, 3]])
    let cosine = try #require(try method.project(along, memory: memory, at: at.step()))
    #expect(try along.all.flatMap { try $0.doubles() } == [1, 0, 0, 0, 3])
    #expect(abs(cosine - 4 / (7.0 * 10).squareRoot()) < 1e-12)
    // Against it: g − (g·r / r·r) r over both tensors together; what is left is at right angles.
    let against = try named([[-3, 1], [2, 1, 0]])
    let before = try #require(try method.project(against, memory: memory, at: at.step()))
    let expected = zip([-3.0, 1, 2, 1, 0], [1.0, 2, 0, -1, 1]).map { $0 + 2.0 / 7 * $1 }
    let found = try against.all.flatMap { try $0.doubles() }
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(abs(zip(found, [1.0, 2, 0, -1, 1]).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-12)
    #expect(abs(before + 2 / (7.0 * 15).squareRoot()) < 1e-12)
  }
}
