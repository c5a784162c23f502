import HoldfastBasics
import HoldfastTokenizers
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

enum Support {
  /// The checkout.
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  /// Templates and renderings beside the project; absent in a plain checkout.
  private static let shared = root.deletingLastPathComponent().appending(path: "shared/chat-templates")
  static var hasShared: Bool { FileManager.default.fileExists(atPath: shared.path) }

  /// The moment of every expected rendering.
  static let clock: @Sendable () -> LocalTime = {
    LocalTime(year: 2025, month: 3, day: 9, hour: 14, minute: 5, second: 9)
  }

  private static func bytes(_ file: URL) throws -> [UInt8] { Array(try Data(contentsOf: file)) }
  static func shared(_ name: String) throws -> JSON { try JSON(bytes(shared.appending(path: name))) }
  static func sharedText(_ name: String) throws -> String {
    String(decoding: try bytes(shared.appending(path: name)), as: UTF8.self)
  }
  static func fixture(_ name: String) throws -> JSON {
    try JSON(bytes(root.appending(path: "Tests/Fixtures/chat-templates/\(name)")))
  }

  static func ranges(_ json: JSON?) -> [Range<Int>] {
    (json?.array ?? []).map { ($0[0]?.int ?? -1)..<($0[1]?.int ?? -1) }
  }

  /// Nil where rendering gives what is expected, or what differs.
  static func difference(
    _ source: String, _ variables: JSONObject, expected: JSON
  ) -> String? {
    do throws(TemplateError) {
      let rendered = try ChatTemplate(source, clock: clock).render(variables)
      guard let text = expected["rendered"]?.string else {
        return "rendered \(rendered.text.debugDescription) where it has to fail"
      }
      if rendered.text != text || Array(rendered.text.utf8) != Array(text.utf8) {
        return "rendered \(rendered.text.debugDescription), expected \(text.debugDescription)"
      }
      let blocks = ranges(expected["generation_spans"])
      if rendered.generation != blocks { return "generation \(rendered.generation), expected \(blocks)" }
      return coverage(rendered)
    } catch {
      guard let wanted = expected["error"] else { return "\(error), expected \(expected["rendered"] ?? .null)" }
      if wanted["type"]?.string == "TemplateError", error.kind != .raised || error.message != wanted["message"]?.string {
        return "\(error), expected \(wanted)"
      }
      return nil
    }
  }

  /// Spans follow one another and cover the text.
  private static func coverage(_ rendered: Rendered) -> String? {
    var at = 0
    for span in rendered.spans {
      if span.range.lowerBound != at || span.range.isEmpty { return "the span \(span) does not follow \(at)" }
      at = span.range.upperBound
    }
    let count = rendered.text.unicodeScalars.count
    return at == count ? nil : "spans end at \(at) of \(count)"
  }
}
