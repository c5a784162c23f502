import HoldfastBasics
import HoldfastDatasets
import HoldfastEvaluation
import Testing

/// A real model's answers with the verdicts that the authors' scorer gave, beside the repository.
private enum Scored {
  static let folder = Files.folder(of: Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))) + "/../shared/data/ifeval"
  static let isThere = Files.exists(folder + "/en_input_data.jsonl")

  static func rows(_ name: String) throws -> [JSON] {
    let file = try MappedFile(path: "\(folder)/\(name)")
    return try withExtendedLifetime(file) { try file.text().split(separator: "\n").map { try JSON(text: String($0)) } }
  }
}

@Suite("Verifiable instructions") struct InstructionTests {
  private func check(_ id: String, _ arguments: JSONObject = JSONObject()) throws -> InstructionCheck { try InstructionCheck(id: id, arguments: arguments) }

  @Test("published verdicts, kinds that rest on outside libraries apart", .enabled(if: Scored.isThere, "../shared/data/ifeval is not there"))
  func published() throws {
    let scored = Dictionary(uniqueKeysWithValues: try Scored.rows("scored-mistral-7b-instruct-v0.3.jsonl").map { ($0["key"]!.int!, $0) })
    var own = (agree: 0, of: 0), library = (agree: 0, of: 0), byKind: [String: Int] = [:]
    for row in try Scored.rows("en_input_data.jsonl") {
      let key = try #require(row["key"]?.int), verdict = try #require(scored[key]), answer = try #require(verdict["response"]?.string)
      for (i, instruction) in try InstructionCheck.instructions(of: #require(row.object)).enumerated() {
        let check = try InstructionCheck(id: instruction.id, arguments: instruction.arguments)
        // The authors' scorer counts a letter drawn at random where the one asked for is none, such as #.
        if let letter = instruction.arguments["letter"]?.string, letter.contains(where: { !$0.isLetter }) { continue }
        for (isStrict, found) in [(true, check.holdsStrictly(for: answer)), (false, check.holdsLoosely(for: answer))] {
          let agrees = found == verdict[isStrict ? "strict" : "loose"]?[i]?.bool
          if check.kind.restsOnLibrary {
            library.of += 1
            library.agree += agrees ? 1 : 0
          } else {
            own.of += 1
            own.agree += agrees ? 1 : 0
          }
          if !agrees { byKind[check.kind.rawValue, default: 0] += 1 }
        }
      }
    }
    #expect(own.of == 1320)
    #expect(own.agree == own.of, "\(byKind)")
    #expect(Double(library.agree) / Double(library.of) > 0.95, "\(library) \(byKind)")
  }

  @Test("what an answer must not be: empty, and for each kind a near miss")
  func nearMisses() throws {
    #expect(try !check("punctuation:no_comma").holdsStrictly(for: "  "))
    #expect(try check("punctuation:no_comma").holdsStrictly(for: "One two"))
    #expect(try check("keywords:forbidden_words", ["forbidden_words": ["rock"]]).holds(for: "Rocket and bedrock"))
    #expect(try !check("keywords:forbidden_words", ["forbidden_words": ["rock"]]).holds(for: "A ROCK."))
    #expect(try check("en:length_constraints:number_words", ["num_words": 3, "relation": "less than"]).holds(for: "two words"))
    #expect(try !check("length_constraints:number_words", ["num_words": 3, "relation": "less than"]).holds(for: "these are three"))
    #expect(try check("combination:two_responses").holds(for: "one\n******\ntwo"))
    #expect(try !check("combination:two_responses").holds(for: "one\n******\none"))
    #expect(try check("detectable_format:json_format").holds(for: "```json\n{\"a\": [1, 2]}\n```"))
    #expect(try !check("detectable_format:json_format").holds(for: "{'a': 1}"))
    #expect(try check("startend:quotation").holds(for: "\"so\"\n"))
    #expect(try check("length_constraints:number_paragraphs", ["num_paragraphs": 2]).holds(for: "one\n***\ntwo"))
    #expect(try !check("length_constraints:number_paragraphs", ["num_paragraphs": 2]).holds(for: "one\n***\n\n***\ntwo"))
  }

  @Test("a last line, a first line and asterisks may be left out where the verdict is loose")
  func loose() throws {
    let end = try check("startend:end_checker", ["end_phrase": "That is all."])
    #expect(end.holdsLoosely(for: "So it is.\nThat is *all*.\nCan I help with more?"))
    #expect(!end.holdsStrictly(for: "So it is.\nThat is all.\nCan I help with more?"))
  }

  @Test("an unknown instruction and a missing argument are named")
  func unknown() {
    func words(_ id: String) -> String {
      do {
        _ = try InstructionCheck(id: id, arguments: JSONObject())
        return ""
      } catch { return error.reason }
    }
    #expect(words("punctuation:no_comas") == "the instruction punctuation:no_comas is not known; did you mean punctuation:no_comma?")
    #expect(words("keywords:existence") == "the instruction keywords:existence lacks keywords")
  }
}
