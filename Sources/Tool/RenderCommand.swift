import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
import HoldfastTokenizers

struct RenderCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render", abstract: "Print conversations as the model's chat template does, and show what is learnt of them.",
    discussion: """
      Reads JSONL conversations on standard input: `messages` and, where the template knows them, `tools`, `documents` and \
      `variables`. For each it shows the text with what is learnt in colour, or in ⟦brackets⟧ where there is no colour.

      With --json it writes a line for each: `rendered`, `ids` and `trained` (1 for a token that is learnt, else 0; as long \
      as `ids`), or `error`; `weights` too where a message has one other than 0 and 1 (0 for a token that is not learnt). Without --json, a conversation that the template refuses gives exit code 1 in the end.
      """)

  @Option(help: "Folder with tokenizer.json and its chat template, or owner/name in the Hugging Face cache.") var model: String
  @Flag(help: "End with what makes the model answer.") var addGenerationPrompt = false
  @Flag(help: "Write JSON: rendered, ids and trained, or error.") var json = false

  func run() async throws {
    let tokenizer = try Tokenizer(folder: modelFolder(model))
    guard let messages = try TemplateMessages(tokenizer, clock: ThisProcess.localTime) else {
      throw FileError(
        path: model, doing: "find a chat template in", code: 0,
        reason: "there is no chat_template.jinja, and tokenizer_config.json has no chat_template")
    }
    let view = MaskView(tokenizer, isColoured: Terminal.hasColour)
    let (json, prompts) = (json, addGenerationPrompt)
    let bad = try await StandardInput.mapLines { bytes, before in
      var output = OutputText(), complaints: [String] = []
      bytes.withUnsafeBytes { buffer in
        var lines = JSONLines(buffer, limits: RowLimits())
        while let (line, row) = lines.next() {
          do throws(RowError) {
            let (text, rendering) = try Self.render(try row.get(), tokenizer, messages, prompts: prompts)
            if json {
              var line: JSONObject = [
                "rendered": .string(text), "ids": .array(rendering.ids.map(JSON.integer)),
                "trained": .array(rendering.isTrained.map { .integer($0 ? 1 : 0) }),
              ]
              if !rendering.weights.isEmpty {
                line["weights"] = .array(zip(rendering.weights, rendering.isTrained).map { .number($1 ? Double($0) : 0) })
              }
              output.line(.object(line))
            } else {
              output.line("— line \(before + line): \(rendering.ids.count) tokens, \(rendering.trainedCount) learnt"
                + (rendering.edgeTokens > 0 ? ", \(rendering.edgeTokens) across an edge" : ""))
              output.line(view.text(rendering))
            }
          } catch {
            if json {
              output.line(["error": .string(error.reason)])
            } else {
              complaints.append("line \(before + line): \(error.reason)")
            }
          }
        }
      }
      return (output.bytes, complaints)
    }
    if bad > 0 { throw ExitCode.failure }
  }

  private static func render(
    _ row: JSONObject, _ tokenizer: Tokenizer, _ messages: TemplateMessages, prompts: Bool
  ) throws(RowError) -> (String, Rendering) {
    // What the template makes of messages that training would refuse is its own affair.
    let turns = row["messages"]?.array ?? []
    let isTrained = turns.isEmpty || turns.contains { $0["role"]?.string == nil }
      ? turns.map { $0["role"] == "assistant" } : try row.trainedMessages()
    do {
      let rendered = try messages.render(row, training: isTrained, addGenerationPrompt: prompts)
      let renderer = ExampleRenderer(encoder: tokenizer, messages: messages)
      return (rendered.text, try renderer.weigh(renderer.render(rendered), row, isTrained, row.messageWeights))
    } catch {
      throw RowError("\(error)")
    }
  }
}

/// Lines of output in memory.
struct OutputText {
  private(set) var bytes: [UInt8] = []

  mutating func line(_ text: String) {
    bytes.append(contentsOf: text.utf8)
    bytes.append(0x0A)
  }

  mutating func line(_ json: JSON) {
    json.write(to: &bytes, style: .spaced)
    bytes.append(0x0A)
  }
}
