internal import HoldfastBasics
internal import HoldfastTokenizers

/// A text made from a row's members, in the language of chat templates: `Question: {{ question }}`.
struct RowTemplate: Sendable {
  let source: String
  private let template: ChatTemplate

  init(_ source: String) throws(TemplateError) {
    self.source = source
    template = try ChatTemplate(source)
  }

  /// Members that it reads and the row does not have, which would print as nothing.
  func missing(in row: JSONObject) -> [String] { template.variableNames.filter { row[$0] == nil } }

  func text(of row: JSONObject) throws(TemplateError) -> String { try template.render(row).text }
}
