import HoldfastBasics
import HoldfastTokenizers
import Testing

/// Constructs of our own, with what jinja2 made of them (Scripts/make_template_fixtures.py).
struct ConstructTests {
  @Test func `every construct renders or fails as in jinja2`() throws {
    let rows = try #require(try Support.fixture("constructs.json").array)
    #expect(rows.count > 300)
    for row in rows {
      let source = try #require(row["template"]?.string)
      if let difference = Support.difference(source, row["context"]?.object ?? JSONObject(), expected: row) {
        Issue.record("\(source.debugDescription): \(difference)")
      }
    }
  }

  @Test func `what is not known is named with its line`() {
    for (source, name, line) in [
      ("a\n{% include 'x' %}", "include", 2), ("\n\n{{ 1 |\n nosuch }}", "nosuch", 4), ("{{ 1 is nosuch }}", "nosuch", 1),
      ("a\n{{ 'a'.isidentifier is callable }}\n{{ 2 ** 64 }}", "64 bits", 3), ("{{ '{:>5}'.format(1) }}", ":>5", 1),
    ] {
      let error = #expect(throws: TemplateError.self) { try ChatTemplate(source).render(JSONObject()) }
      #expect(error?.kind == .unsupported)
      #expect(error?.line == line, "\(source)")
      #expect(error?.message.contains(name) == true, "\(error?.message ?? "")")
    }
  }

  @Test func `errors while rendering carry the line`() {
    for (source, kind, line) in [
      ("a\n{% for x in [1] %}\n{{ x.a.b }}\n{% endfor %}", TemplateError.Kind.undefined, 3),
      ("{% macro f() %}\n\n{{ 1 + 'a' }}{% endmacro %}\n{{ f() }}", .type, 3),
      ("\n{{ raise_exception('x') }}", .raised, 2), ("{% if 1 %}\n", .syntax, 1), ("{{ [].append(1) }}", .refused, 1),
    ] {
      let error = #expect(throws: TemplateError.self) { try ChatTemplate(source).render(JSONObject()) }
      #expect(error?.kind == kind, "\(source)")
      #expect(error?.line == line, "\(source)")
    }
  }

  @Test func `a template that asks for the date needs a clock`() throws {
    #expect(throws: TemplateError.self) { try ChatTemplate("{{ strftime_now('%Y') }}").render(JSONObject()) }
    #expect(try ChatTemplate("{{ strftime_now('%A %j') }}", clock: { LocalTime(year: 2024, month: 12, day: 31) })
      .render(JSONObject()).text == "Tuesday 366")
  }
}
