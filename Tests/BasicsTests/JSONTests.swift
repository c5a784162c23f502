import HoldfastBasics
import Testing

struct JSONTests {
  @Test func keepsOrderAndKinds() throws {
    let text = #"{"b":1,"a":[1.0,-2,"x\u00e9\ud83d\ude00",true,null],"c":{}}"#
    let value = try JSON(text: text)
    #expect(value.text() == #"{"b":1,"a":[1.0,-2,"xé😀",true,null],"c":{}}"#)
    #expect(value["a"]?[1]?.int == -2)
  }

  @Test(arguments: [
    "", "{", "[1,]", #"{"a":1,"a":2}"#, "01", "1.", "\"\u{01}\"", "[1] x", "nul", #"{"a" 1}"#, #""\x""#, "+1", "'a'", "[1",
  ])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try JSON(text: text) }
  }

  @Test func limits() {
    let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    #expect(throws: JSONError.self) { try JSON(text: deep) }
    #expect(throws: JSONError.self) { try JSON(text: "[1,2,3]", limits: .init(elements: 2)) }
  }

  @Test func nearest() {
    #expect(nearestName(to: "learnig_rate", among: ["learning_rate", "seed"]) == "learning_rate")
    #expect(nearestName(to: "zzz", among: ["learning_rate", "seed"]) == nil)
  }
}
