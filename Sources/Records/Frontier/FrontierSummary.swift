/// What a study of methods × strengths × rates × seeds came to. Scores here are all such that more is better: a loss is
/// turned round.
public struct FrontierSummary: Sendable, Hashable {
  /// What was found about a difference.
  public enum Verdict: String, Sendable, Hashable {
    case more = "keeps more"
    case less = "keeps less"
    case none = "no difference"
    /// One seed or none says nothing of the spread.
    case unknown = "cannot tell"
  }

  /// A mean over seeds of differences to another method at the same seed.
  public struct Difference: Sendable, Hashable {
    public var mean: Double
    /// Of the 95 % t interval; nil with fewer than two seeds.
    public var low: Double?
    public var high: Double?
    /// Two-sided, of one comparison.
    public var p: Double?
    /// By Holm over all comparisons of its kind.
    public var adjusted: Double?
    public var seeds: Int
    public var verdict: Verdict

    public init(mean: Double, low: Double?, high: Double?, p: Double?, adjusted: Double? = nil, seeds: Int, verdict: Verdict = .unknown) {
      self.mean = mean
      self.low = low
      self.high = high
      self.p = p
      self.adjusted = adjusted
      self.seeds = seeds
      self.verdict = verdict
    }
  }

  /// A mean over seeds.
  public struct Spread: Sendable, Hashable {
    public var mean: Double
    /// Half of the 95 % t interval; nil with fewer than two seeds.
    public var half: Double?
    /// By seed.
    public var values: [Double]

    public init(mean: Double, half: Double?, values: [Double]) {
      self.mean = mean
      self.half = half
      self.values = values
    }
  }

  /// What a method kept where it had learned so much.
  public struct Reading: Sendable, Hashable {
    /// Of what the reference learns, 0 to 1 and above.
    public var share: Double
    /// The new score there.
    public var target: Double
    /// nil: not reached by every seed.
    public var kept: Spread?
    /// Seeds that reached it, of those that were run; with `kept` nil the trial that came furthest.
    public var reached: Int
    public var seeds: Int
    /// The trial that validation chose.
    public var trial: String?
    /// Where on its way, as a mean over seeds: steps, or between base and tuned model.
    public var at: Double?
    /// To the reference.
    public var difference: Difference?

    public init(
      share: Double, target: Double, kept: Spread? = nil, reached: Int, seeds: Int, trial: String? = nil, at: Double? = nil,
      difference: Difference? = nil
    ) {
      self.share = share
      self.target = target
      self.kept = kept
      self.reached = reached
      self.seeds = seeds
      self.trial = trial
      self.at = at
      self.difference = difference
    }
  }

  /// A method under one measure.
  public struct Arm: Sendable, Hashable {
    public var name: String
    /// At every twentieth of what the reference learns, as far as every seed reaches.
    public var curve: [Reading]
    /// At the study's targets, in their order.
    public var targets: [Reading]
    /// Mean of what was kept from the base to where both it and the reference reach, less the reference's.
    public var area: Difference?
    /// How far both reach.
    public var areaTo: Double
    /// Ends of the trials on test, means over seeds: new and old score, by trial.
    public var ends: [(trial: String, new: Double, old: Double)]
    /// Composites of the papers at the end of the trial that was chosen at the first target; nil where it has none.
    public var composites: Composites?

    public init(
      name: String, curve: [Reading], targets: [Reading], area: Difference?, areaTo: Double, ends: [(trial: String, new: Double, old: Double)],
      composites: Composites? = nil
    ) {
      self.name = name
      self.curve = curve
      self.targets = targets
      self.area = area
      self.areaTo = areaTo
      self.ends = ends
      self.composites = composites
    }

    public static func == (a: Arm, b: Arm) -> Bool {
      a.name == b.name && a.curve == b.curve && a.targets == b.targets && a.area == b.area && a.areaTo == b.areaTo && a.composites == b.composites
    }

    public func hash(into hasher: inout Hasher) {
      hasher.combine(name)
      hasher.combine(curve)
    }
  }

  /// Numbers that papers make of two scores; never to be read without them.
  public struct Composites: Sendable, Hashable {
    /// The trial they are about, at its end.
    public var trial: String
    /// CoFiTune's speciality and versatility, absolute.
    public var spec: Double
    public var vers: Double
    /// (Spec − base) / (reference − base), Vers / base, and their mean.
    public var relativeSpec: Double
    public var relativeVers: Double
    public var uni: Double
    /// Mean over all tasks, old and new, after tuning.
    public var overall: Double
    /// Mean over the old tasks of after less before.
    public var backwardTransfer: Double

    public init(
      trial: String, spec: Double, vers: Double, relativeSpec: Double, relativeVers: Double, overall: Double, backwardTransfer: Double
    ) {
      self.trial = trial
      self.spec = spec
      self.vers = vers
      self.relativeSpec = relativeSpec
      self.relativeVers = relativeVers
      uni = (relativeSpec + relativeVers) / 2
      self.overall = overall
      self.backwardTransfer = backwardTransfer
    }
  }

  /// Two methods beside each other.
  public struct Pair: Sendable, Hashable {
    public var first: String
    public var second: String
    /// Area of the first less that of the second, to where both reach.
    public var area: Difference
    public var to: Double
    /// Whether the first keeps at least as much at every level on the way, in the mean; nil where they cross.
    public var firstIsAbove: Bool?

    public init(first: String, second: String, area: Difference, to: Double, firstIsAbove: Bool?) {
      self.first = first
      self.second = second
      self.area = area
      self.to = to
      self.firstIsAbove = firstIsAbove
    }

    /// The one that keeps more at every level, and beyond noise in the area; nil: none does.
    public var dominant: String? {
      switch (firstIsAbove, area.verdict) {
      case (true, .more): first
      case (false, .less): second
      default: nil
      }
    }
  }

  /// One way of scoring: losses along the runs, or shares of items at their ends.
  public struct Measure: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case loss, score }

    public var kind: Kind
    /// Of both scores.
    public var unit: String
    public var newTasks: [String]
    public var oldTasks: [String]
    /// On test, before tuning.
    public var baseNew: Double
    public var baseOld: Double
    /// The new score that counts as 1: the most that the reference reaches, mean over seeds.
    public var topNew: Double
    public var arms: [Arm]
    public var pairs: [Pair]
    /// Standard deviation over seeds of what the reference keeps at the first target.
    public var noise: Double?
    /// What so many seeds can find, in words.
    public var power: String?
    /// Whether old scores lie between 0 and 1, and are shown in points.
    public var isShare: Bool

    public init(
      kind: Kind, unit: String, newTasks: [String], oldTasks: [String], baseNew: Double, baseOld: Double, topNew: Double, arms: [Arm],
      pairs: [Pair], noise: Double?, power: String? = nil, isShare: Bool = false
    ) {
      self.kind = kind
      self.unit = unit
      self.newTasks = newTasks
      self.oldTasks = oldTasks
      self.baseNew = baseNew
      self.baseOld = baseOld
      self.topNew = topNew
      self.arms = arms
      self.pairs = pairs
      self.noise = noise
      self.power = power
      self.isShare = isShare
    }
  }

  /// What a method's runs took, as means.
  public struct Cost: Sendable, Hashable {
    public var method: String
    public var runs: Int
    public var trials: Int
    public var preparingSeconds: Double?
    public var trainingSeconds: Double?
    public var measuringSeconds: Double?
    public var peakBytes: Int?
    public var bytes: Int?
    public var trained: Double?
    public var kind: Kind

    /// Whether a method has runs of its own, is made of others' models, or decodes the base beside small experts.
    public enum Kind: String, Sendable, Hashable { case trained, blend, emulated }

    public init(
      method: String, runs: Int, trials: Int, preparingSeconds: Double?, trainingSeconds: Double?, measuringSeconds: Double?, peakBytes: Int?,
      bytes: Int?, trained: Double?, kind: Kind = .trained
    ) {
      self.kind = kind
      self.method = method
      self.runs = runs
      self.trials = trials
      self.preparingSeconds = preparingSeconds
      self.trainingSeconds = trainingSeconds
      self.measuringSeconds = measuringSeconds
      self.peakBytes = peakBytes
      self.bytes = bytes
      self.trained = trained
    }
  }

  /// What to do, and why.
  public struct Recommendation: Sendable, Hashable {
    public var method: String
    public var trial: String
    /// Steps, or the place between base and tuned model.
    public var at: Double
    public var share: Double
    public var reason: String

    public init(method: String, trial: String, at: Double, share: Double, reason: String) {
      self.method = method
      self.trial = trial
      self.at = at
      self.share = share
      self.reason = reason
    }
  }

  public var name: String
  public var reference: String
  public var seeds: [Int]
  /// Points that are there, and how many the study has.
  public var done: Int
  public var planned: Int
  /// The study's main measure first.
  public var measures: [Measure]
  public var costs: [Cost]
  public var recommendation: Recommendation?

  public init(
    name: String, reference: String, seeds: [Int], done: Int, planned: Int, measures: [Measure], costs: [Cost], recommendation: Recommendation?
  ) {
    self.name = name
    self.reference = reference
    self.seeds = seeds
    self.done = done
    self.planned = planned
    self.measures = measures
    self.costs = costs
    self.recommendation = recommendation
  }
}
