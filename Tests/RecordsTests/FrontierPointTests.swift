import HoldfastBasics
import HoldfastRecords
import Testing

struct FrontierPointTests {
  private func point(_ key: String) -> FrontierPoint {
    FrontierPoint(
      key: key, method: "l2", strength: 10, rate: 1e-3, seed: 2,
      stations: [
        FrontierStation(at: 0, losses: SplitScores(validation: ["a": TaskScore(1.25)], test: ["a": TaskScore(1.5)])),
        FrontierStation(
          at: 5, losses: SplitScores(validation: ["a": TaskScore(1.125)], test: ["a": TaskScore(1.0625)]),
          scores: SplitScores(test: ["b, c": TaskScore(0.5, standardError: 0.125, count: 16)])),
      ], trained: 0.5, trainingSeconds: 1.5, peakBytes: 7, code: "c", libtorch: "l", processor: "p", threads: 1)
  }

  @Test func aLineReadsBackAsThePoint() throws {
    let one = point("k")
    #expect(try FrontierPoint(JSON(text: one.line)) == one)
    #expect(!one.line.dropLast().contains("\n"))
    #expect(throws: Problems.self) { try FrontierPoint(["format": 1, "key": "k"]) }
    #expect(throws: Problems.self) { try FrontierPoint(["format": 2]) }
  }

  @Test func aBrokenLastLineIsCutOffByTheNextPoint() throws {
    let path = Files.folder(of: #filePath) + "/../../.build/frontier-points-test.jsonl"
    try Files.remove(path)
    defer { try? Files.remove(path) }
    var points = try FrontierPoints(path: path)
    try points.add(point("1"))
    try points.add(point("2"))
    let whole = try MappedFile(path: path).text()
    // As a kill in the middle of a line leaves it.
    try Files.writeAtomically(whole + point("3").line.dropLast(40), to: path)
    var again = try FrontierPoints(path: path)
    #expect(again.points.map(\.key) == ["1", "2"] && again["2"]?.method == "l2" && again["3"] == nil)
    try again.add(point("4"))
    #expect(try MappedFile(path: path).text() == whole + point("4").line)
    // Damage in the middle is an error with its line.
    try Files.writeAtomically(point("1").line + "{\"key\": \n" + point("2").line, to: path)
    #expect { try FrontierPoints(path: path) } throws: { "\($0)".contains("line 2") }
    let csv = again.csv.split(separator: "\n")
    #expect(csv[0] == "key,method,strength,rate,seed,at,kind,split,task,value,standard_error,count")
    #expect(csv.contains("1,l2,10.0,0.001,2,5.0,score,test,\"b, c\",0.5,0.125,16") && csv.count == 1 + 3 * 5)
  }
}
