internal import HoldfastBasics

extension Recipe {
  /// The recipe as YAML, every default written out.
  public var yaml: String { YAML.text(.object(resolved)) }

  /// `Docs/recipe.md`: every key with its kind, unit and default, from the calls that read them.
  public static func documentation(methods: [MethodKeys] = []) -> String {
    let rows = KeyReader.document { Recipe($0, source: KeySource(subject: "", object: JSONObject()), catalog: []) }
    var page = """
      # The recipe

      One YAML or JSON file describes a run. This page is generated from the code that reads it.

      - A flag overrides the file: `--learning-rate 1e-4`, `--batch.rows 2`, `--data '[{path: a.jsonl}]'`. Dashes stand for underscores.
      - A key that nobody reads is an error that names the nearest valid one; all errors come at once.
      - Numbers are as in YAML 1.2: `1e-4` is a number. `yes` and `no` are words; write `true` and `false`.
      - Where a section has one main key, a plain value stands for it: `schedule: linear`, `batch: 4`, `data: train.jsonl`.
      - `data[]` means each element of the list; one element may stand without brackets.


      """
    page += KeyRow.markdown(rows)
    if !methods.isEmpty {
      page += "\n## Stages\n\nA recipe with `stages` trains several parts one after another; see [stages](methods/stages.md).\n\n" + StagedRecipe.documentation
      page += "\n## Methods and their knobs\n"
    }
    for method in methods {
      page += "\n### `\(method.name)`\n\n\(method.doc)\n"
      let knobs = KeyReader.document(method.read)
      if !knobs.isEmpty { page += "\n" + KeyRow.markdown(knobs) }
    }
    return page
  }
}
