/// A page to read and to keep: one HTML file that needs nothing beside it, neither network nor scripts.
public struct Page: Sendable, Hashable {
  /// A heading with what stands under it.
  public struct Section: Sendable, Hashable {
    /// Empty: no heading.
    public var title: String
    /// From top to bottom.
    public var blocks: [Block]

    public init(_ title: String = "", _ blocks: [Block]) {
      self.title = title
      self.blocks = blocks
    }
  }

  /// What a page is made of.
  public enum Block: Sendable, Hashable {
    /// A paragraph.
    case text(String)
    /// A paragraph in the background: how to read what stands above.
    case note(String)
    /// Few numbers that matter most.
    case figures([Figure])
    case table(Table)
    case plot(Plot)
    case keyValues([KeyValue])
    /// Text whose spaces matter, such as a recipe or a command.
    case code(String)
    /// Text of which some is marked; whether it is shows without colour, too.
    case passage([Stretch])
    /// What is folded away until asked for.
    case details(String, [Block])
  }

  /// A number with its name, and perhaps what it is compared with.
  public struct Figure: Sendable, Hashable {
    /// What the number is.
    public var name: String
    /// The number with its unit, as it is shown.
    public var value: String
    /// Small, below the number; may be empty.
    public var note: String

    public init(_ name: String, _ value: String, note: String = "") {
      self.name = name
      self.value = value
      self.note = note
    }
  }

  /// A part of a passage.
  public struct Stretch: Sendable, Hashable {
    public var text: String
    /// Whether it stands out.
    public var isMarked: Bool

    public init(_ text: String, isMarked: Bool) {
      self.text = text
      self.isMarked = isMarked
    }
  }

  /// A fact with its name.
  public struct KeyValue: Sendable, Hashable {
    /// The name, in the background.
    public var key: String
    /// The fact; long ones take several lines.
    public var value: String

    public init(_ key: String, _ value: String) {
      self.key = key
      self.value = value
    }
  }

  /// The heading, and the name of the browser's tab.
  public var title: String
  /// Below the heading; may be empty.
  public var subtitle: String
  /// From top to bottom.
  public var sections: [Section]
  /// The last line.
  public var footer: String

  public init(_ title: String, subtitle: String = "", footer: String = "", sections: [Section]) {
    self.title = title
    self.subtitle = subtitle
    self.footer = footer
    self.sections = sections
  }

  /// The page as one file of UTF-8.
  public var html: String {
    var out = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <title>\(HTML.escape(title))</title>
      <style>
      \(HTML.style)
      </style>
      </head>
      <body>
      <main>
      <header>
      <h1>\(HTML.escape(title))</h1>

      """
    if !subtitle.isEmpty { out += "<p class=\"subtitle\">\(HTML.escape(subtitle))</p>\n" }
    out += "</header>\n"
    let palette = Palette(sections.flatMap(\.blocks).flatMap(\.plots))
    for section in sections {
      out += "<section>\n"
      if !section.title.isEmpty { out += "<h2>\(HTML.escape(section.title))</h2>\n" }
      out += section.blocks.map { HTML.block($0, in: section.title, palette) }.joined()
      out += "</section>\n"
    }
    if !footer.isEmpty { out += "<footer>\(HTML.escape(footer))</footer>\n" }
    return out + "</main>\n</body>\n</html>\n"
  }
}

extension Page.Block {
  fileprivate var plots: [Plot] {
    switch self {
    case .plot(let plot): [plot]
    case .details(_, let blocks): blocks.flatMap(\.plots)
    default: []
    }
  }
}
