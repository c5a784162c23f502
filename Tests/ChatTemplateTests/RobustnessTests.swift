import HoldfastBasics
import HoldfastTokenizers
import Testing

struct RobustnessTests {
  private func fails(_ source: String, _ limits: ChatTemplate.Limits = .init()) -> TemplateError.Kind? {
    do throws(TemplateError) {
      _ = try ChatTemplate(source, limits: limits).render(JSONObject())
      return nil
    } catch {
      return error.kind
    }
  }

  /// Small templates that would take all time or memory.
  @Test(arguments: [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
    "{{ 'a' * 99999999999999999 }}", "{{ [1] * 99999999999999999 }}", "{{ '%9999999999d' % 1 }}", "{{ 'a'.ljust(99999999999) }}",
    "{% set ns = namespace(s='ab') %}{% for i in range(200) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(200) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(120) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(s=[1], t=[1]) %}{% for i in range(120) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, ns.t] %}"
      + "{% endfor %}{{ ns.s == ns.t }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}",
    "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ [ns] | tojson }}{{ ns }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% set s = 'a' * 10000000 %}{{ s.replace('', s) }}", "{% set s = 'a' * 10000000 %}{{ s | indent(100000000) }}",
    "{{ range(99999) | list | batch(1) | map('center', 99999999) | list }}", "{{ 'a' | center(999999999999) }}",
    "{{ [1] | batch(999999999999, 'x') | list }}", "{{ [1] | slice(999999999999) | list }}", "{{ 1.5 | round(999999) }}",
    "{{ '%.999999f' % 1.5 }}", "{{ [[[1]]] | tojson(indent=99999999999) }}", "{{ 'a\tb'.expandtabs(9999999999) ~ 'x' * 999999999999 }}",
    "{% set t = ('a' * 1000000) %}{% for i in range(1000) %}{% for j in range(1000) %}{% set x = t ~ j %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 999 }}{% endfor %}",
  ])
  func `costs are bounded`(_ source: String) {
    let kind = fails(source, .init(steps: 2_000_000, output: 8 << 20, memory: 64 << 20))
    #expect(kind == .limit || kind == .type, "\(source)")
  }

  @Test func `deep sources are refused, not followed`() {
    func many(_ text: String, _ count: Int = 20_000) -> String { String(repeating: text, count: count) }
    for source in [
      "{{ " + many("(") + "1" + many(")") + " }}", "{{ " + many("[") + many("]") + " }}", "{{ " + many("-") + "1 }}",
      "{{ " + many("not ") + "1 }}", "{{ 1" + many(" + 1") + " }}", "{{ a" + many(".b") + " }}", "{{ a" + many("|upper") + " }}",
      "{{ a" + many("[0]") + " }}", "{{ a" + many("()") + " }}", "{{ 1" + many(" if 1 else 1") + " }}", "{{ 1" + many(" or 1") + " }}",
      many("{% if 1 %}", 20_000), many("{% for x in y %}", 20_000), "{{ {" + many("'a':{") + " }}", "{{ 1" + many(" is defined") + " }}",
      "{% set " + many("(") + "x = 1 %}", "{{ x is a " + many("[") + " }}", "{{ 1" + many(" ** 1") + " }}",
    ] {
      let kind = fails(source)
      #expect(kind == .limit || kind == .syntax || kind == .unsupported, "\(source.prefix(40))")
    }
    #expect(fails("{{ [1" + many(", 1", 20_000) + "] | length }}{{ 1" + many(" ~ 1", 20_000) + " }}") == nil)
  }

  @Test func `what is legitimately large still renders`() throws {
    let text = String(repeating: "Zeile mit Wörtern.\n", count: 100_000)
    let rendered = try ChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</s>{% endfor %}")
      .render(messages: [["role": "user", "content": .string(text)], ["role": "assistant", "content": .string(text)]])
    #expect(rendered.text.utf8.count == 2 * (text.utf8.count - 1) + 6 + 11 + 8)
    let turns = JSON.array((0..<20_000).map { ["role": $0 % 2 == 0 ? "user" : "assistant", "content": "x"] })
    let many = try ChatTemplate("{% for m in messages %}{{ m.role + m.content + '\\n' }}{% endfor %}").render(messages: turns)
    #expect(many.trainedRanges().count == 10_000)
  }

  /// Mutants of every construct: whatever comes out, nothing crashes, hangs or grows without bound.
  @Test func `mutated templates never crash`() throws {
    let sources = try #require(try Support.fixture("constructs.json").array).compactMap { $0["template"]?.string }
    let context: JSONObject = try #require(JSON(text: #"""
      {"messages": [{"role": "user", "content": "Où?"}, {"role": "assistant", "content": null,
        "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1.5}}}]}], "x": {"a": [1, "b"]}, "y": "é", "d": {}}
      """#).object)
    let words = [
      "{{", "}}", "{%", "%}", "{#", "#}", "-", "for", "in", "if", "else", "endfor", "set", "=", "(", ")", "[", "]", "|", "~", "*",
      "**", "messages", "loop", "x", "y", "'", "\"", "\\", "0", "99999999999999999999", "9223372036854775807", "recursive",
      "namespace(", "range(", "tojson", "map(", "is", "not", ".", ":", "::", "-1", "é", "\u{301}", "\n", "raw", "macro f(a)", "f(f)",
      "generation", "endgeneration", "%s", "1e308", "//", "%", "none", "break", ",", "split(", "int", "round(", "caller()", "varargs",
    ]
    var generator = CounterGenerator(seed: 20250309)
    let limits = ChatTemplate.Limits(steps: 20_000, depth: 300, output: 1 << 18, memory: 4 << 20)
    var outcomes: [String: Int] = [:]
    for _ in 0..<30_000 {
      var bytes = Array(sources[Int.random(in: 0..<sources.count, using: &generator)].unicodeScalars)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let at = Int.random(in: 0...bytes.count, using: &generator)
        let end = min(bytes.count, at + Int.random(in: 0...6, using: &generator))
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes.replaceSubrange(at..<end, with: [])
        case 1:
          let other = Array(sources[Int.random(in: 0..<sources.count, using: &generator)].unicodeScalars)
          let from = Int.random(in: 0...other.count, using: &generator)
          bytes.insert(contentsOf: other[from..<min(other.count, from + 20)], at: at)
        default: bytes.replaceSubrange(at..<end, with: words[Int.random(in: 0..<words.count, using: &generator)].unicodeScalars)
        }
      }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: bytes)
      do throws(TemplateError) {
        let rendered = try ChatTemplate(String(text), limits: limits, clock: Support.clock).render(context)
        #expect(rendered.text.utf8.count <= limits.output)
        #expect(rendered.spans.last?.range.upperBound ?? 0 == rendered.text.unicodeScalars.count)
        _ = rendered.trainedRanges()
        outcomes["rendered", default: 0] += 1
      } catch {
        outcomes[error.kind.rawValue, default: 0] += 1
        #expect(error.line >= 1)
      }
    }
    // The mutants reach every stage.
    for kind in ["rendered", "syntax", "undefined", "type", "unsupported"] { #expect(outcomes[kind, default: 0] > 100, "\(outcomes)") }
  }
}
