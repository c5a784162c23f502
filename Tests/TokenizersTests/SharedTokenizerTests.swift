import HoldfastBasics
import HoldfastTokenizers
import Testing

/// Published tokenizers against the strings of ../shared/tokenizers.
@Suite(.enabled(if: Places.hasShared, "needs ../shared/tokenizers")) struct SharedTokenizerTests {
  @Test(arguments: [
    "gpt2", "gpt-j", "gpt-neox", "falcon", "mistral-chatml", "style-llama3", "style-gemma", "stories260K",
  ])
  func everyLine(name: String) throws {
    let home = Places.shared + "/tokenizers"
    let folder = name == "stories260K" ? Places.shared + "/models/stories260K" : home + "/" + name
    let tokenizer = try Tokenizer(folder: folder)
    var differences = Differences()
    let rows = try Places.rows(home + "/expected/\(name).jsonl")
    #expect(rows.count == 2560)
    for row in rows {
      let text = row["text"]?.string ?? ""
      let ids = row.ids("ids")
      let special = row["ids_special"]?.ids ?? ids
      let decoded = row["decoded"]?.string ?? text
      if tokenizer.encode(text, addSpecialTokens: false) != ids || tokenizer.encode(text) != special
        || tokenizer.encodeWithOffsets(text).ids != special
      {
        differences.add("line \(row["n"]?.int ?? -1): ids")
      } else if Exactly(tokenizer.decode(special)) != Exactly(decoded)
        || Exactly(tokenizer.decode(special, skipSpecialTokens: true)) != Exactly(row["decoded_skip"]?.string ?? decoded)
      {
        differences.add("line \(row["n"]?.int ?? -1): text")
      }
    }
    let decodes = try Places.rows(home + "/decode/\(name).jsonl")
    #expect(decodes.count == 250)
    for row in decodes {
      let ids = row.ids("ids")
      if Exactly(tokenizer.decode(ids)) != Exactly(row["decoded"]?.string ?? "?")
        || Exactly(tokenizer.decode(ids, skipSpecialTokens: true)) != Exactly(row["decoded_skip"]?.string ?? "?")
      {
        differences.add("decode line \(row["n"]?.int ?? -1)")
      }
    }
    #expect(differences.count == 0, "\(differences.first)")
  }

  @Test func specialTokensOfTheConfiguration() throws {
    let tokenizer = try Tokenizer(folder: Places.shared + "/tokenizers/mistral-chatml")
    #expect(tokenizer.beginningID == 1)
    #expect(tokenizer.endID == 32000)
    #expect(tokenizer.padID == 2)
    #expect(tokenizer.unknownID == 0)
    #expect(tokenizer.vocabularySize == 32002)
    #expect(tokenizer.token(32001) == "<|im_start|>")
    #expect(tokenizer.chatTemplate?.contains("<|im_start|>") == true)
    #expect(tokenizer.files.map(Files.name(of:)) == ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
  }
}
