import Foundation
import HoldfastBasics
import HoldfastEvaluation
import Testing

@Suite("Suites of the repository") struct SuiteDocumentationTests {
  private let root = Files.folder(of: Files.folder(of: Files.folder(of: Files.folder(of: #filePath))))

  @Test("Docs/evaluation.md ends in the keys as they are read")
  func keysAreCurrent() throws {
    // To bring the page up to date: HOLDFAST_WRITE_DOCS=1 swift test --filter keysAreCurrent
    let path = root + "/Docs/evaluation.md", mark = "<!-- keys -->\n"
    let text = try MappedFile(path: path).text()
    let end = try #require(text.range(of: mark)).upperBound
    let page = text[..<end] + "\n" + EvaluationSuite.keyTable
    if ProcessInfo.processInfo.environment["HOLDFAST_WRITE_DOCS"] != nil { try Files.writeAtomically(String(page), to: path) }
    #expect(text == page || ProcessInfo.processInfo.environment["HOLDFAST_WRITE_DOCS"] != nil)
  }

  @Test("the little world's suite reads without any file")
  func littleWorld() throws {
    let suite = try EvaluationSuite(file: root + "/Recipes/suites/little-world.yaml")
    #expect(suite.tasks.map(\.count) == [500, 500, 500, 500, 500, 500])
    try suite.checkMean(.general)
    try suite.checkMean(.domain)
  }

  @Test(
    "suites over well-known sets read", .enabled(if: Files.exists("\(#filePath)".components(separatedBy: "/Tests/")[0] + "/../shared/data/arc"), "../shared/data is not there"),
    arguments: [
      ("text", [1, 1, 1]), ("general", [500, 500, 200, 200, 500, 300, 1, 500]), ("code", [164, 300]), ("drift", [1, 200, 0]),
    ])
  func wellKnownSets(name: String, counts: [Int]) throws {
    let suite = try EvaluationSuite(file: "\(root)/Recipes/suites/\(name).yaml", data: root + "/../shared/data")
    #expect(suite.tasks.map(\.count) == counts)
  }
}
