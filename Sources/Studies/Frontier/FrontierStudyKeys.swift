internal import HoldfastBasics

extension FrontierStudy {
  /// The study's own keys, as they are read.
  struct Keys {
    let name: String
    let methods: [Method]
    let seeds: [Int]
    let tasks: [Task]
    let suite: Suites?
    let every: Int?
    let targets: [Double]
    let reference: String?
    let leadsWithScores: Bool
    let answerTokens: Int
    let items: Int?
    let samples: Int
    let otherSeeds: OtherSeeds
    let budget: Double?
    let keepsModels: Bool
    let points: String?
    let output: String?
    let allowsFewRates: Bool
    let allowsUnequalTrials: Bool
    let allowsTrainedItems: Bool

    init(_ reader: KeyReader, lines: [String: Int] = [:]) {
      name = reader.value("name", default: "frontier", doc: "What the report calls it.")
      _ = reader.json("recipe", kind: "keys of a recipe, or a recipe's file", otherwise: "required", doc: "What all methods share; without `learning_rate`, `seed` and `evaluate`, which the study says.")
      if !reader.isDocumenting, !reader.has("recipe") { reader.complain("recipe", "is required: what all methods share") }
      let rates: [Double]? = reader.optional("rates", otherwise: "each method's own", unit: "per step", doc: "Learning rates that every method tries; at least three.")
      seeds = reader.required("seeds", as: [Int].self, doc: "Of data order and of what methods draw; three or more give intervals.")
      otherSeeds = reader.value(
        "other_seeds", default: .all,
        doc: "Whether seeds after the first repeat every trial, or only those that validation has chosen for the targets by then (of losses; about half the runs).")
      tasks =
        reader.list("new", shorthand: "name") { Self.task($0, isNew: true) }
        + reader.list("old", shorthand: "name") { Self.task($0, isNew: false) }
      suite = reader.optionalSection("suite") { reader in
        Suites(
          validation: reader.required("validation", doc: "Suite by whose scores trials are chosen (Docs/evaluation.md); its domain tasks are new, its general ones old."),
          test: reader.required("test", doc: "Suite of the same tasks with other items, by which they are reported."),
          data: reader.optional("data", otherwise: "each suite's own folder", doc: "Folder at which the suites' relative paths begin."))
      }
      every = reader.optional("every", in: 1..., otherwise: "a 25th of the run", unit: "steps", doc: "How often losses are measured.")
      targets = reader.value("targets", default: [0.8, 0.95], unit: "share of what the reference learns at most", doc: "New scores at which old ones are compared; the first one decides.")
      if targets.isEmpty || targets.contains(where: { $0 <= 0 }) { reader.complain("targets", "lie above 0, and there is at least one") }
      reference = reader.optional("reference", otherwise: "the first method", doc: "Whom the others are compared with.")
      let lead: Lead = reader.value("lead", default: .loss, doc: "Which measure comes first and chooses what is recommended, where both are there.")
      leadsWithScores = lead == .score
      answerTokens = reader.value("answer_tokens", default: 32, in: 1..., unit: "tokens", doc: "Length of a generated answer at most.")
      items = reader.optional("items", in: 2..., otherwise: "all", unit: "items", doc: "At most so many of each file are scored; losses are of all.")
      samples = reader.value("samples", default: 4, in: 0..., unit: "prompts", doc: "Answers before and after that the report shows, of scored tasks.")
      budget = reader.optional("budget", in: Above(0.0), otherwise: "none", unit: "minutes", doc: "After so long no other point is begun.")
      let keep: Keep = reader.value("keep", default: .none, doc: "Whether the models of all points stay on the disk.")
      keepsModels = keep == .models
      points = reader.optional("points", otherwise: "`points.jsonl` in the output", doc: "The file of finished points; with a committed one a study goes on from a fresh clone.")
      output = reader.optional("output", otherwise: "a new folder in runs", doc: "Folder of runs and report.")
      allowsFewRates = reader.value("few_rates", default: false, doc: "Fewer than three rates are meant so.")
      allowsUnequalTrials = reader.value("unequal_trials", default: false, doc: "Methods that try more often than others are meant so.")
      allowsTrainedItems = reader.value("trained_items", default: false, doc: "Items of `new` and `old` in the training data are meant so, as where what is remembered is measured.")
      let listed = reader.json("methods", kind: "a list of names or of keys", otherwise: "required", doc: "What is compared (see below).")
      methods = (listed?.array ?? listed.map { [$0] } ?? []).enumerated().compactMap { Self.method($1, at: "methods[\($0)]", reader, rates: rates ?? [], lines) }
    }

    enum Lead: String, KeyChoice { case loss, score }
    enum Keep: String, KeyChoice { case none, models }

    private static func task(_ reader: KeyReader, isNew: Bool) -> Task {
      let name: String = reader.required("name", doc: "What tables call it.")
      let validation: String = reader.required("validation", doc: "File by which trials and places are chosen.")
      let test: String = reader.required("test", doc: "File by which they are reported.")
      let measures: [Measuring] = reader.value(
        "measure", default: [.loss],
        doc: "`loss` in nats a label along the run; at its end `exact_match` of the greedy answer, `choice` of the likeliest option per byte, `likelihood` of the right answer per token.")
      var source = JSONObject()
      for (key, doc) in [
        ("format", "As of a recipe's `data`, for the loss."), ("train_on", "As of `data`: which tokens count."), ("fields", "As of `data`."),
        ("template", "As of `data`."),
      ] {
        if let value = reader.json(key, kind: "as in `data`", otherwise: "", doc: doc) { source[key] = value }
      }
      return Task(name: name, isNew: isNew, validation: validation, test: test, measures: measures, source: source)
    }

    /// Keys of a method's entry that are the study's; all others are a recipe's.
    private static let own = ["name", "knob", "strengths", "rates", "after", "blend", "emulate", "add_data"]

    private static func method(_ json: JSON, at place: String, _ reader: KeyReader, rates: [Double], _ lines: [String: Int]) -> Method? {
      var entry = JSONObject(), keys = JSONObject()
      switch json {
      // A name alone is that method with its defaults.
      case .string(let name): (entry["name"], keys["method"]) = (.string(name), .string(name))
      case .object(let object):
        for (key, value) in object.members { if own.contains(key) { entry[key] = value } else { keys[key] = value } }
      default:
        reader.complain(place, "is not valid; a name, or keys with values, are")
        return nil
      }
      return reader.nested(entry, at: place) { reader in
        let blend: Blend? = reader.optional("blend", otherwise: "none", doc: "What is made of the trained models of `after`.")
        let after: String? = reader.optional("after", otherwise: "none", doc: "The method whose runs are taken.")
        if (blend == nil) != (after == nil) { reader.complain(nil, "blend and after stand together: what is made of whose runs") }
        let added = reader.json("add_data", kind: "a list of sources", otherwise: "none", doc: "Sources beside the shared ones, such as replay.")
        let emulated = reader.optionalSection("emulate") { reader in
          Emulated(
            experts: reader.required("experts", doc: "Folders of tuned small models, or of adapters on the anti-expert; `{seed}` is a seed of the study."),
            antiExpert: reader.required("anti_expert", doc: "What the experts were before they were tuned."),
            weights: reader.value("weights", default: [], doc: "Of the experts; without, equal shares of 1."),
            allowsAnyExpert: reader.value("any_expert", default: false, doc: "Experts whose runs say that they were tuned from another model are meant so."))
        }
        let ownRates: [Double]? = reader.optional("rates", otherwise: "the study's", doc: "Learning rates to try.")
        if after != nil || emulated != nil, ownRates != nil { reader.complain("rates", "is of no use where nothing is trained") }
        let isAfter = after != nil || emulated != nil
        return Method(
          name: reader.required("name", doc: "What tables call it."), knob: reader.optional("knob", otherwise: "none", doc: "Path of a key, or the name of a knob of the method."),
          strengths: reader.value("strengths", default: [], doc: "Values of the knob; of a blend how far from the base (0) to the tuned model (1); of `emulate` β."),
          rates: isAfter ? [] : ownRates ?? rates, after: after, blend: blend, emulated: emulated, keys: keys,
          added: added?.array ?? added.map { [$0] } ?? [],
          lines: Dictionary(uniqueKeysWithValues: lines.compactMap { path, line in path.hasPrefix(place + ".") ? (String(path.dropFirst(place.count + 1)), line) : nil }))
      }.0
    }
  }
}
