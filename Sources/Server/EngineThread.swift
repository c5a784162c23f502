internal import Dispatch
internal import HoldfastBasics
public import HoldfastDecoding
internal import HoldfastEngine
internal import Synchronization

/// What the engine is to do for one answer.
enum EngineJob: Sendable {
  case generate(GenerationRequest)
  /// Log-probabilities of a text behind the prompt.
  case score(GenerationRequest, [Int])
}

/// Owns a generation engine, which only its one thread touches. Requests queue in front of it and come into its rows as these get free, between any
/// two steps; a row whose reader is gone is given to the next.
public final class EngineThread: Sendable {
  private struct Entry: Sendable {
    let batch: EngineBatch
    let place: Int
    let job: EngineJob
  }

  private struct State {
    var waiting: [Entry] = []
    var facts = EngineFacts()
    var isDraining = false
    var isStopped = false
    var isHeld = false
  }

  /// Moves the engine to its thread.
  private struct Owned: @unchecked Sendable {  // because it is handed over once and never touched by the giver again
    let engine: GenerationEngine
  }

  public let rows: Int
  private let queue: Int
  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)

  /// The engine must not be used by anybody else from now on.
  ///
  /// - Parameters:
  ///   - rows: the engine's.
  ///   - queue: answers that may wait.
  public init(_ engine: GenerationEngine, rows: Int, queue: Int) {
    self.rows = rows
    self.queue = queue
    let owned = Owned(engine: engine)
    // A block that never returns keeps a serial queue's thread for itself. libtorch's workers belong to the thread that calls it.
    DispatchQueue(label: "holdfast.engine").async { self.run(owned.engine) }
  }

  /// Ends the thread once nothing runs or waits.
  public func stop() {
    state.withLock { $0.isStopped = true }
    wake.signal()
  }

  /// From now on nothing new is taken, and what waits is refused; what runs goes on, with the answers of the same request that wait.
  func drain() {
    let refused = state.withLock { state in
      state.isDraining = true
      defer { state.waiting.removeAll { !$0.batch.hasBegun } }
      return state.waiting.filter { !$0.batch.hasBegun }
    }
    for entry in refused { entry.batch.fail(APIError.closing) }
    wake.signal()
  }

  /// Stops between two steps, for tests that need a moment to stand still.
  package func hold(_ isHeld: Bool) {
    state.withLock { $0.isHeld = isHeld }
    wake.signal()
  }

  package var facts: EngineFacts {
    state.withLock { state in
      var facts = state.facts
      facts.waiting = state.waiting.count
      return facts
    }
  }

  /// All or none of the jobs are taken.
  func submit(_ jobs: [EngineJob]) throws(APIError) -> EngineBatch {
    if jobs.count > queue + rows { throw .bad("a request of \(jobs.count) answers never fits: the server takes \(queue + rows) at once") }
    let batch = EngineBatch(jobs, changed: { [wake] in wake.signal() })
    let refusal: APIError? = state.withLock { state in
      if state.isDraining || state.isStopped { return .closing }
      if state.waiting.count + jobs.count > queue + max(0, rows - state.facts.running) { return .busy }
      state.waiting += jobs.enumerated().map { Entry(batch: batch, place: $0, job: $1) }
      return nil
    }
    if let refusal { throw refusal }
    wake.signal()
    return batch
  }

  // MARK: - The thread

  private func run(_ engine: GenerationEngine) {
    var running: [Int: Entry] = [:]
    while true {
      for (id, entry) in running where !entry.batch.isOpen(entry.place) {
        engine.remove(id)
        running[id] = nil
      }
      var admitted: [Entry] = [], scored: Entry?, isDone = false, isIdle = false
      state.withLock { state in
        state.waiting.removeAll { !$0.batch.isOpen($0.place) }
        while !state.isHeld, let next = state.waiting.first {
          if case .score = next.job {
            if scored != nil { break }
            scored = state.waiting.removeFirst()
          } else {
            if running.count + admitted.count >= rows { break }
            admitted.append(state.waiting.removeFirst())
          }
          next.batch.begin()
        }
        state.facts.running = running.count + admitted.count
        state.facts.counts = engine.counts
        state.facts.liveTensors = (try? Torch.liveTensors) ?? 0
        isIdle = state.isHeld || running.isEmpty && admitted.isEmpty && scored == nil
        isDone = isIdle && state.isStopped && running.isEmpty
      }
      if isDone { return }
      if isIdle {
        wake.wait()
        continue
      }
      for entry in admitted {
        guard case .generate(let request) = entry.job else { continue }
        do { running[try engine.add(request)] = entry } catch { entry.batch.fail(error) }
      }
      if let scored { score(scored, engine) }
      do {
        for progress in try engine.advance() {
          guard let entry = running[progress.request] else { continue }
          if progress.finish != nil { running[progress.request] = nil }
          entry.batch.give(EngineEvent(place: entry.place, tokens: progress.tokens, finish: progress.finish), ends: progress.finish != nil)
        }
      } catch {
        for (id, entry) in running {
          engine.remove(id)
          entry.batch.fail(error)
        }
        running = [:]
      }
    }
  }

  private func score(_ entry: Entry, _ engine: GenerationEngine) {
    guard case .score(let request, let continuation) = entry.job else { return }
    do {
      let tokens = try engine.ensemble.scores(of: [(request, continuation)])[0]
      entry.batch.give(EngineEvent(place: entry.place, tokens: tokens, isScore: true), ends: true)
    } catch {
      entry.batch.fail(error)
    }
  }
}

/// What is known of the engine without touching it.
package struct EngineFacts: Sendable {
  package internal(set) var running = 0, waiting = 0
  package internal(set) var liveTensors = 0
  package internal(set) var counts: GenerationCounts?
}

struct EngineEvent: Sendable {
  /// Which job of its batch.
  let place: Int
  let tokens: [GeneratedToken]
  var finish: FinishReason?
  var isScore = false
}

/// The jobs of one request. Events wait here for their reader, at most as many as tokens were asked for; the engine never waits for a reader.
final class EngineBatch: Sendable {
  let events: AsyncThrowingStream<EngineEvent, any Error>
  private let continuation: AsyncThrowingStream<EngineEvent, any Error>.Continuation
  private let open: Mutex<Set<Int>>
  private let begun = Atomic<Bool>(false)
  private let changed: @Sendable () -> Void

  init(_ jobs: [EngineJob], changed: @escaping @Sendable () -> Void) {
    let most = jobs.reduce(0) { sum, job in if case .generate(let request) = job { sum + request.maximumTokens } else { sum + 1 } }
    (events, continuation) = AsyncThrowingStream.makeStream(bufferingPolicy: .bufferingOldest(most))
    open = Mutex(Set(jobs.indices))
    self.changed = changed
    if jobs.isEmpty { continuation.finish() }
  }

  func isOpen(_ place: Int) -> Bool { open.withLock { $0.contains(place) } }

  /// Whether any of the jobs has come to the engine.
  var hasBegun: Bool { begun.load(ordering: .relaxed) }
  func begin() { begun.store(true, ordering: .relaxed) }

  /// From the engine.
  func give(_ event: EngineEvent, ends: Bool) {
    guard isOpen(event.place) else { return }
    continuation.yield(event)
    if ends { close(event.place) }
  }

  /// The reader has enough of one answer.
  func close(_ place: Int) {
    let isLast = open.withLock { open in open.remove(place) != nil && open.isEmpty }
    if isLast { continuation.finish() }
    changed()
  }

  /// Nobody reads any more, or nothing more will come.
  func fail(_ error: any Error) {
    let wasOpen = open.withLock { open in
      defer { open = [] }
      return !open.isEmpty
    }
    if wasOpen { continuation.finish(throwing: error) }
    changed()
  }
}
