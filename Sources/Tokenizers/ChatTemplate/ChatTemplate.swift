public import HoldfastBasics

/// A chat template: Jinja as Transformers sets it up, read once and rendered many times.
///
/// Rendering is a pure function of the template, the variables and the clock: no file, network or environment is in
/// reach of a template, and ``Limits`` bound what it can cost.
public struct ChatTemplate: Sendable {
  /// What one rendering may cost at most.
  public struct Limits: Sendable {
    /// Statements, expressions, iterations, and 64 bytes of text each.
    public var steps: Int
    /// Calls, loops and expressions inside one another.
    public var depth: Int
    /// Bytes of the rendering, and of any one text or list.
    public var output: Int
    /// Bytes of all texts and lists made on the way, together.
    public var memory: Int

    public init(steps: Int = 20_000_000, depth: Int = 600, output: Int = 64 << 20, memory: Int = 512 << 20) {
      self.steps = steps
      self.depth = depth
      self.output = output
      self.memory = memory
    }
  }

  private let program: TemplateProgram
  private let limits: Limits
  private let clock: (@Sendable () -> LocalTime)?

  /// Reads a template.
  /// - Parameter clock: what `strftime_now` shows; without one a template that asks for the date fails.
  /// - Throws: ``TemplateError`` of kind `syntax`, or `unsupported` for a construct that is not known here.
  public init(
    _ source: String, limits: Limits = Limits(), clock: (@Sendable () -> LocalTime)? = nil
  ) throws(TemplateError) {
    program = try TemplateProgram(source)
    self.limits = limits
    self.clock = clock
  }

  /// Whether the template marks with `{% generation %}` what a model is to learn.
  public var marksGeneration: Bool { program.marksGeneration }

  /// Names that the template reads and does not make itself, functions apart.
  package var variableNames: [String] { program.given.filter { TemplateFunction(rawValue: $0) == nil } }

  /// Renders with variables as they are; `messages` among them are the conversation.
  public func render(_ variables: JSONObject) throws(TemplateError) -> Rendered {
    let given = program.given.map { name -> TemplateValue in
      if let value = variables[name] {
        return name == "messages" ? TemplateValue(messages: value) : TemplateValue(value, .variable)
      }
      return TemplateFunction(rawValue: name).map { .callable(.function($0)) } ?? .missing
    }
    let interpreter = TemplateInterpreter(limits: limits, clock: clock, given: given)
    try interpreter.run(program)
    return Rendered(interpreter, messages: variables["messages"])
  }

  /// Renders a conversation as Transformers' `apply_chat_template` does.
  /// - Parameters:
  ///   - tools, documents: null when absent, as there; the template sees them defined.
  ///   - variables: special tokens and whatever else the template reads; they win over the others.
  public func render(
    messages: JSON, tools: JSON = .null, documents: JSON = .null, addGenerationPrompt: Bool = false,
    variables: JSONObject = JSONObject()
  ) throws(TemplateError) -> Rendered {
    var all = JSONObject([
      ("messages", messages), ("tools", tools), ("documents", documents),
      ("add_generation_prompt", .bool(addGenerationPrompt)),
    ])
    for (name, value) in variables.members { all[name] = value }
    return try render(all)
  }
}

/// A template ready to run.
final class TemplateProgram: Sendable {
  let body: [Statement]
  let frame = FrameSize()
  let slots = ScopeSlots()
  /// Names that come from outside.
  let given: [String]
  let marksGeneration: Bool

  init(_ source: String) throws(TemplateError) {
    let tokens = try TemplateLexer.tokens(of: source)
    body = try TemplateParser.statements(of: tokens)
    given = TemplateScopes.resolve(body, frame: frame, slots: slots)
    marksGeneration = zip(tokens, tokens.dropFirst()).contains {
      $0.kind == .beginBlock && $1.kind == .name("generation")
    }
  }
}
