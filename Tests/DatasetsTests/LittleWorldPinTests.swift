import HoldfastBasics
import HoldfastDatasets
import Testing

/// A model, a table or a page that was made with the little world stays comparable only as long as the world is the
/// same. Changing it means training the shipped model anew.
@Suite("The little world never changes silently")
struct LittleWorldPinTests {
  static let pins: [LittleWorld.Family: String] = [
    .facts: "fc667bb9ba14b4d2",
    .sums: "2c673b512000c773",
    .counting: "b310389711d8644f",
    .stories: "ddbf129c1a276508",
    .sorting: "424ae12ead54801a",
    .reversal: "3bb95781ccd4c3ee",
    .clinic: "9236a30f81f06942",
    .court: "3b730f26703a3e16",
    .machine: "cf68f502b4f3a711",
    .oran: "b9d3c911d3bdaf8f",
    .tovi: "ca4fb236e3b7b073",
    .ruke: "13a1e847bd500916",
    .mela: "ba19b33bda806e88",
    .manners: "e333bbdc15c9848b",
    .records: "4b61ead3186b4b99",
    .helpful: "8f3c817fc0d4be08",
    .safe: "5fe08e2847a6d15a",
  ]

  @Test(arguments: LittleWorld.Family.allCases)
  func items(family: LittleWorld.Family) {
    let world = LittleWorld()
    let text = LittleWorld.Split.allCases.map { world.jsonl(family, $0, count: 5) }.joined()
    #expect(ContentHash.of(text).prefix(16) == Self.pins[family] ?? "")
  }

  @Test func pretrainingText() {
    #expect(ContentHash.of(LittleWorld().pretrainingJSONL(count: 50)).prefix(16) == "d7d8f44581c8e165")
  }

  @Test func tokenizer() {
    #expect(ContentHash.of(LittleWorld.tokenizerJSON.text()).prefix(16) == "f026e6d9fd4ee509")
  }
}
