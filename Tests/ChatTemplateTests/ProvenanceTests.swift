import HoldfastBasics
import HoldfastTokenizers
import Testing

struct ProvenanceTests {
  private let messages: JSON = [
    ["role": "user", "content": " Où? "], ["role": "assistant", "content": " Là, près du café ☕. "],
    ["role": "user", "content": "Là, près"], ["role": "assistant", "content": "Oui.", "reasoning_content": "hm"],
  ]

  /// The trained text of a rendering.
  private func trained(_ source: String, _ messages: JSON? = nil) throws -> [String] {
    let rendered = try ChatTemplate(source).render(
      messages: messages ?? self.messages, addGenerationPrompt: false, variables: JSONObject([("eos", "</s>")]))
    return pieces(rendered, rendered.trainedRanges())
  }

  private func pieces(_ rendered: Rendered, _ ranges: [Range<Int>]) -> [String] {
    let scalars = Array(rendered.text.unicodeScalars)
    return ranges.map { range in
      var text = String.UnicodeScalarView()
      text.append(contentsOf: scalars[range])
      return String(text)
    }
  }

  /// The same answers must be found however a template is written.
  @Test(arguments: [
    "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{{ eos }}{% endfor %}",
    "{% for m in messages %}{{ '<' + m['role'] + '>' + m['content'].strip() + eos }}{% endfor %}",
    "{% for m in messages %}{{ '<%s>%s%s' % (m.role, m.content | trim, eos) }}{% endfor %}",
    "{% for m in messages %}{{ '<{}>{}{}'.format(m.role, m.content.strip(), eos) }}{% endfor %}",
    "{% for m in messages %}{{ ['<', m.role, '>', m.content | trim, eos] | join }}{% endfor %}",
    "{% for i in range(messages | length) %}<{{ messages[i].role }}>{{ messages[i].content | trim }}{{ eos }}{% endfor %}",
    "{% for m in messages %}{% set text = m.content | trim %}<{{ m.role }}>{{ text[:3] ~ text[3:] }}{{ eos }}{% endfor %}",
    "{% macro turn(m) %}<{{ m.role }}>{{ m.content | trim }}{{ eos }}{% endmacro %}"
      + "{% for m in messages %}{{ turn(m) }}{% endfor %}",
    "{% set ns = namespace(out='') %}{% for m in messages %}"
      + "{% set ns.out = ns.out + '<' + m.role + '>' + (m.content | trim) %}{% set ns.out = ns.out + eos %}{% endfor %}"
      + "{{ ns.out }}",
    "{% for m in messages[:1] + messages[1:] if m.role %}{% set part %}{{ m.content | trim }}{% endset %}"
      + "<{{ m.role }}>{{ part.split('§')[0] }}{{ eos }}{% endfor %}",
    "{% for m in messages %}<{{ m.role }}>{% filter trim %}  {{ m.content }}{% endfilter %}{{ eos }}{% endfor %}",
    "{% for m in messages %}<{{ m.role }}>{% for c in m.content | trim %}{{ c }}{% endfor %}{{ eos }}{% endfor %}",
    "{% for m in messages %}<{{ m.role }}>{{ m.content.replace(' ', '~').replace('~', ' ') | trim }}{{ eos }}{% endfor %}",
    "{% for m in messages | selectattr('role') | list %}<{{ m.role }}>{{ m.content | trim | string }}{{ eos }}{% endfor %}",
  ])
  func `the answer and its end of turn are trained`(_ source: String) throws {
    #expect(try trained(source) == ["Là, près du café ☕.</s>", "Oui.</s>"])
  }

  @Test func `reasoning and tool calls count as answers`() throws {
    #expect(try trained(
      "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}[{{ m.reasoning_content }}]{% endif %}"
        + "{{ m.content | trim }}{{ eos }}{% endfor %}") == ["Là, près du café ☕.</s>", "hm]Oui.</s>"])
    let calls: JSON = [
      ["role": "user", "content": "add"],
      ["role": "assistant", "content": nil, "tool_calls": [["function": ["name": "add", "arguments": ["a": 1, "b": [2]]]]]],
      ["role": "tool", "content": "3"], ["role": "assistant", "content": "3!"],
    ]
    let source =
      "{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}{% for c in m.tool_calls %}"
      + "CALL {{ c.function | tojson }}{% endfor %}{% else %}{{ m.content }}{% endif %}{{ eos }}\n{% endfor %}"
    #expect(try trained(source, calls) == [
      #"{"name": "add", "arguments": {"a": 1, "b": [2]}}</s>"# + "\n", "3!</s>\n",
    ])
  }

  /// Where a turn does not begin with content, its markup is what the model has to write first.
  @Test func `a turn of calls or reasoning is trained behind its header`() throws {
    let calls: JSON = [
      ["role": "user", "content": "add"],
      ["role": "assistant", "content": nil, "tool_calls": [["function": ["name": "add", "arguments": ["a": 1]]]]],
      ["role": "tool", "content": "1"],
      ["role": "assistant", "content": "so:", "tool_calls": [["function": ["name": "add", "arguments": ["b": 2]]]]],
    ]
    let call = "{% for c in m.tool_calls %}{{ '\\n' }}<call>{{ c.function.name }} {{ c.function.arguments | tojson }}</call>{% endfor %}"
    let prompt = "{% if add_generation_prompt %}<assistant>{{ '\\n' }}{% endif %}"
    func learnt(_ source: String, _ messages: JSON) throws -> [String] {
      let template = try ChatTemplate(source)
      let variables = JSONObject([("messages", messages)])
      let rendered = try template.render(variables)
      #expect(rendered.needsHeader())
      return pieces(rendered, rendered.trainedRanges(header: template.turnHeader(variables)))
    }
    // The generation prompt ends with the line feed that the call begins with.
    let plain = "{% for m in messages %}<{{ m.role }}>{% if m.content %}{{ '\\n' + m.content }}{% endif %}\(call)$\n{% endfor %}\(prompt)"
    #expect(try learnt(plain, calls) == [
      "<call>add {\"a\": 1}</call>$\n", "so:\n<call>add {\"b\": 2}</call>$\n",
    ])
    // Markup before the loop over the calls, no generation prompt.
    let bracketed =
      "{% for m in messages %}{% if m.tool_calls %}[CALLS]{{ m.tool_calls | tojson }}{% else %}{{ m.content }}{% endif %}{{ '$' }}{% endfor %}"
    #expect(try learnt(bracketed, calls).first == #"[CALLS][{"function": {"name": "add", "arguments": {"a": 1}}}]$"#)
    // Not all of the generation prompt is said by the answer's header, but all of what heads a plain answer.
    let other = "{% for m in messages %}<{{ m.role }}>{% if m.tool_calls %}!\(call){% else %}{{ m.content }}{% endif %}$\n{% endfor %}"
      + "{% if add_generation_prompt %}<assistant><think>{% endif %}"
    #expect(try learnt(other, calls).first == "!\n<call>add {\"a\": 1}</call>$\n")
    let thinking: JSON = [["role": "user", "content": "?"], ["role": "assistant", "content": "a", "reasoning_content": "r"]]
    let reasoned =
      "{% for m in messages %}<{{ m.role }}>\n{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}$"
      + "{% endfor %}\(prompt)"
    #expect(try learnt(reasoned, thinking) == ["<think>r</think>a$"])
    // Without a header the span begins with the first word of the call.
    let rendered = try ChatTemplate(plain).render(JSONObject([("messages", calls)]))
    #expect(pieces(rendered, rendered.trainedRanges()).first == "add {\"a\": 1}</call>$\n")
  }

  @Test func `equal text of another message is not trained`() throws {
    // The second user says what the assistant said; only the assistant's characters count.
    let source = "{% for m in messages %}{{ m.content | trim }}|{% endfor %}"
    let rendered = try ChatTemplate(source).render(messages: messages)
    #expect(rendered.trainedRanges().first == 4..<24)
    #expect(pieces(rendered, rendered.trainedRanges { $0 == 2 }) == ["Là, près|"])
  }

  @Test func `text of other messages inside a turn stays untrained`() throws {
    let source =
      "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content | trim }}"
      + "{% if not loop.last %}({{ messages[loop.index].content }}){% endif %}{{ eos }}{% endif %}{% endfor %}"
    #expect(try trained(source) == ["Là, près du café ☕.(", ")</s>Oui.</s>"])
  }

  @Test func `a first message hoisted into a header leaves the turns as they are`() throws {
    let source =
      "Last: {{ messages[-1].content }}\n{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{{ eos }}{% endfor %}"
    #expect(try trained(source) == ["Là, près du café ☕.</s>", "Oui.</s>"])
  }

  @Test func `generation blocks win`() throws {
    let source =
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content | trim }}"
      + "{% endgeneration %}{% else %}{{ m.content | trim }}{% endif %}{{ eos }}{% endfor %}"
    #expect(try trained(source) == ["Là, près du café ☕.", "Oui."])
    let template = try ChatTemplate(source)
    #expect(template.marksGeneration)
    let rendered = try template.render(messages: messages)
    #expect(pieces(rendered, rendered.trainedRanges { $0 == 3 }) == ["Oui."])
  }

  @Test func `spans name source, message and turn`() throws {
    let rendered = try ChatTemplate("{{ t }}{% for m in messages %}<{{ m.role }}>{{ m.content | upper }}{{ loop.index }}{% endfor %}")
      .render(messages: [["role": "user", "content": "é"]], variables: JSONObject([("t", "T")]))
    #expect(rendered.text == "T<user>É1")
    let spans = rendered.spans.map { "\($0.range) \($0.source) \($0.message ?? -1) \($0.turn ?? -1)" }
    #expect(spans == [
      "0..<1 variable -1 -1", "1..<2 template -1 0", "2..<6 role 0 0", "6..<7 template -1 0", "7..<8 content 0 0",
      "8..<9 variable -1 0",
    ])
  }
}
