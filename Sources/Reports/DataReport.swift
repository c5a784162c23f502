/// Facts of a source for its table, plot and page, in the words of a reader.
public struct DataReport: Sendable {
  /// A line of the table: what it is, and how many.
  public struct Fact: Sendable, Hashable {
    public var name: String
    public var value: String
    /// Whether it should worry the reader.
    public var isBad: Bool

    public init(_ name: String, _ value: String, isBad: Bool = false) {
      self.name = name
      self.value = value
      self.isBad = isBad
    }
  }

  /// One source.
  public struct Source: Sendable {
    public var name: String
    public var facts: [Fact]
    /// Examples by length: at most so many tokens, and how many.
    public var lengths: [(atMost: Int, examples: Int)]
    /// Sentences on what is wrong.
    public var complaints: [String]
    /// Examples to look at, each with its heading.
    public var examples: [(title: String, stretches: [Page.Stretch])]

    public init(
      name: String, facts: [Fact], lengths: [(atMost: Int, examples: Int)], complaints: [String],
      examples: [(title: String, stretches: [Page.Stretch])]
    ) {
      self.name = name
      self.facts = facts
      self.lengths = lengths
      self.complaints = complaints
      self.examples = examples
    }
  }

  public var title: String
  /// The verdict, in a sentence.
  public var subtitle: String
  public var sources: [Source]

  public init(title: String, subtitle: String, sources: [Source]) {
    self.title = title
    self.subtitle = subtitle
    self.sources = sources
  }

  /// The page: a section for each source.
  public var page: Page {
    Page(
      title, subtitle: subtitle, footer: "What is learnt is green and underlined: the tokens that become labels.",
      sections: sources.map { source in
        var table = Table(columns: [.init("", .left), .init("", .right)])
        for fact in source.facts { table.add([.init(fact.name), .init(fact.value, fact.isBad ? .bad : .none)]) }
        var blocks: [Page.Block] = source.complaints.map { .text($0) } + [.table(table)]
        if !source.lengths.isEmpty {
          let bars = source.lengths.map { Bars.Bar("≤ \($0.atMost)", Double($0.examples), group: source.name) }
          blocks.append(.plot(.bars(Bars("Examples by number of tokens", axis: Axis("examples"), groups: [.init("", bars)]))))
        }
        for example in source.examples {
          blocks.append(.note(example.title))
          blocks.append(.passage(example.stretches))
        }
        return Page.Section(source.name, blocks)
      })
  }

  /// The same for a terminal, without the examples.
  public func terminal(colour: Bool) -> String {
    sources.map { source in
      let width = source.facts.map { $0.name.count }.max() ?? 0
      var lines = [colour ? "\u{1B}[1m\(source.name)\u{1B}[0m" : source.name]
      for fact in source.facts {
        let value = fact.isBad && colour ? "\u{1B}[31m\(fact.value)\u{1B}[0m" : fact.isBad ? fact.value + "  !" : fact.value
        lines.append("  " + fact.name + String(repeating: " ", count: width - fact.name.count + 2) + value)
      }
      let most = source.lengths.map(\.examples).max() ?? 1
      for length in source.lengths {
        let name = "≤ \(length.atMost) tokens"
        let bar = ProgressLine.bar(Double(length.examples) / Double(max(1, most)), width: 30)
        lines.append("  " + name + String(repeating: " ", count: max(0, width - name.count) + 2) + bar + " \(length.examples)")
      }
      return (lines + source.complaints.map { "  " + $0 }).joined(separator: "\n")
    }.joined(separator: "\n\n")
  }
}
