public import HoldfastBasics

/// What `holdfast search` measures and where it stops (CoFiTune, Zhang et al. 2024, arXiv 2404.10306).
public struct SearchRecipe: Sendable, Hashable {
  /// What is counted in a file of items; each gives a share between 0 and 1.
  public enum Measure: String, KeyChoice {
    case exactMatch = "exact_match", choice, likelihood
  }

  /// A file of items with what is counted in it.
  public struct Suite: Sendable, Hashable {
    public let path: String
    /// nil: the file's name.
    public let name: String?
    public let measure: Measure

    init(_ reader: KeyReader) {
      path = reader.required("path", doc: "JSONL, JSON or CSV rows of a prompt and its answer, as `evaluate` reads them.")
      name = reader.optional("name", otherwise: "the file's name", doc: "What tables call it.")
      measure = reader.value(
        "measure", default: .exactMatch,
        doc: "`exact_match` of the greedy answer, `choice`: the right option is the likeliest per byte, `likelihood`: probability of the right answer per token (geometric mean).")
    }
  }

  public let speciality: [Suite]
  public let versatility: [Suite]
  /// At most so many of each file; nil: all.
  public let items: Int?
  /// Tokens of a generated answer at most.
  public let answerTokens: Int
  /// Length of a probe as a share of the run.
  public let probeBudget: Double
  /// What versatility must gain over the parent, in standard errors of the difference.
  public let dv: Double
  /// What of full tuning's speciality may be lost.
  public let es: Double
  /// Runs at most, the full ones included.
  public let maxRuns: Int
  /// Cost at most, in runs of full length.
  public let budget: Double
  /// Regions that are run in full at the end.
  public let finalists: Int

  /// Random regions of the winner's size that are run in full beside it.
  public let controls: Int
  /// Modules that no run trains, the reference of full tuning included.
  public let hold: [String]

  init(_ reader: KeyReader) {
    speciality = reader.list("speciality", shorthand: "path", required: true, Suite.init)
    versatility = reader.list("versatility", shorthand: "path", required: true, Suite.init)
    items = reader.optional("items", in: 2..., otherwise: "all", unit: "items", doc: "At most so many of each file.")
    answerTokens = reader.value("answer_tokens", default: 32, in: 1..., unit: "tokens", doc: "Length of a generated answer at most.")
    probeBudget = reader.value(
      "probe_budget", default: 0.15, in: Above(0.0), unit: "share of the run's steps", doc: "Length of a probe.")
    dv = reader.value(
      "dv", default: 1.0, unit: "standard errors", doc: "A node is expanded if its versatility exceeds its parent's by this, in standard errors of the paired difference.")
    es = reader.value(
      "es", default: 0.03, in: 0...1, unit: "share", doc: "A node is expanded if it keeps 1 − es of the speciality of full tuning's probe.")
    maxRuns = reader.value("max_runs", default: 15, in: 1..., unit: "runs", doc: "Probes and full runs at most.")
    budget = reader.value("budget", default: 4.0, in: Above(0.0), unit: "full runs", doc: "What all runs together may cost.")
    finalists = reader.value("finalists", default: 1, in: 1..., unit: "regions", doc: "How many of the best are run in full, beside full tuning; the best of these runs is the choice.")
    controls = reader.value("controls", default: 0, in: 0..., unit: "regions", doc: "Random subsets of as many parameters as the winner's, run in full beside it.")
    hold = reader.value(
      "hold", default: [String](), doc: "Modules that no run trains, full tuning included, of `norms`, `embeddings`, `head` and `final_norm`: regions then compete with what they could be part of.")
    if probeBudget > 1 { reader.complain("probe_budget", "is \(probeBudget), but a probe is no longer than the run") }
  }
}
