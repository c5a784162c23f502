public import HoldfastRecords

/// What a run tells while it goes on. The library prints nothing; the tool does.
public enum RunEvent: Sendable {
  /// Everything is checked and loaded; the first step follows.
  case began(Manifest, steps: Int, from: Int)
  /// A method's preparation has passed over `done` microbatches. Comes before `began`; only a stop is obeyed: what was done is
  /// saved, and a resume goes on there.
  case preparing(method: String, name: String, done: Int, of: Int)
  /// A preparation's result stands; `isReused`: it was there before.
  case prepared(method: String, name: String, path: String, isReused: Bool)
  /// A step is done.
  case step(StepRecord, TimingRecord, of: Int)
  /// The loss on held-out text, and whether it is the lowest so far.
  case evaluated(ScoreRecord, isBest: Bool)
  /// What is watched was looked at: the general and the domain loss, whether the point is the best so far, and the share of the time since
  /// the run began or was resumed that looking has taken.
  case watched([ScoreRecord], isBest: Bool, share: Double)
  /// More was forgotten than the recipe allows: the rise of the general loss, nats a label, and the step whose weights are exported.
  case overBudget(step: Int, forgetting: Double, budget: Double, best: Int)
  case saved(path: String, step: Int)
  /// Held-out loss has not improved for `evaluations` evaluations; the best was after `best` steps.
  case stoppedEarly(step: Int, best: Int, evaluations: Int)
  /// A method has something to say that the user should hear.
  case warned(method: String, text: String)
  /// The export stands and was read back: the weights after `step` steps, which are those of the lowest held-out loss
  /// where early stopping looks for it, or of the best watched point; largest difference of its logits from those of the weights in memory.
  case exported(path: String, step: Int, largestDifference: Double)
}

/// What a run does next.
public enum RunAnswer: Sendable {
  case goOn
  /// Save a checkpoint now, and go on.
  case save
  /// Save a checkpoint and end.
  case stop
}

/// Watches a run.
public protocol RunObserver: AnyObject {
  /// Called after every event, on the run's thread; only the answer to a step or a microbatch of a preparation counts. Throwing ends the run as it stands.
  func observe(_ event: RunEvent) throws -> RunAnswer
}

/// What a run cannot know of itself: nobody below the tool has a hidden clock.
public struct Surroundings: Sendable {
  /// Seconds since some moment.
  public var now: @Sendable () -> Double
  /// Most bytes the process ever held.
  public var peakBytes: @Sendable () -> Int
  /// The processor by name, with what decides its arithmetic.
  public var processor: String
  /// Cores that may be used.
  public var cores: Int
  /// Version of Holdfast.
  public var code: String

  public init(now: @escaping @Sendable () -> Double, peakBytes: @escaping @Sendable () -> Int, processor: String, cores: Int, code: String) {
    self.now = now
    self.peakBytes = peakBytes
    self.processor = processor
    self.cores = cores
    self.code = code
  }
}
