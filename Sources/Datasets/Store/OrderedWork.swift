#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Does `work` on several threads and hands the results over in the order of the inputs.
///
/// `next` and `take` run on the caller's thread. At most four inputs a thread are under way, so memory is bounded. With one worker
/// everything happens on the caller's thread, and what is handed over is the same.
func inOrder<Input: Sendable, Output: Sendable>(
  workers: Int, next: () throws -> Input?, work: @escaping @Sendable (Input) -> Output, take: (Output) throws -> Void
) throws {
  guard workers > 1 else {
    while let input = try next() { try take(work(input)) }
    return
  }
  let queue = WorkQueue(work)
  let threads = (0..<workers).map { _ in queue.start() }
  defer {
    queue.close()
    for thread in threads { pthread_join(thread, nil) }
  }
  var asked = 0, taken = 0, isAtEnd = false
  while true {
    while !isAtEnd, asked - taken < 4 * workers {
      if let input = try next() {
        queue.put(asked, input)
        asked += 1
      } else {
        isAtEnd = true
      }
    }
    if taken == asked { return }
    try take(queue.output(taken))
    taken += 1
  }
}

/// Inputs that wait and outputs that are ready. `@unchecked Sendable` because everything in it is touched under its lock.
private final class WorkQueue<Input: Sendable, Output: Sendable>: @unchecked Sendable {
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let hasInput = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let hasOutput = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let work: @Sendable (Input) -> Output
  private var inputs: [(number: Int, input: Input)] = []
  private var outputs: [Int: Output] = [:]
  private var isClosed = false

  init(_ work: @escaping @Sendable (Input) -> Output) {
    self.work = work
    pthread_mutex_init(lock, nil)
    pthread_cond_init(hasInput, nil)
    pthread_cond_init(hasOutput, nil)
  }

  deinit {
    pthread_cond_destroy(hasInput)
    pthread_cond_destroy(hasOutput)
    pthread_mutex_destroy(lock)
    hasInput.deallocate()
    hasOutput.deallocate()
    lock.deallocate()
  }

  func put(_ number: Int, _ input: Input) {
    pthread_mutex_lock(lock)
    inputs.append((number, input))
    pthread_cond_signal(hasInput)
    pthread_mutex_unlock(lock)
  }

  /// Waits for the output of an input that was put.
  func output(_ number: Int) -> Output {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    while true {
      if let output = outputs.removeValue(forKey: number) { return output }
      pthread_cond_wait(hasOutput, lock)
    }
  }

  /// What waits is given up.
  func close() {
    pthread_mutex_lock(lock)
    isClosed = true
    inputs.removeAll()
    pthread_cond_broadcast(hasInput)
    pthread_mutex_unlock(lock)
  }

  private func serve() {
    while true {
      pthread_mutex_lock(lock)
      while inputs.isEmpty, !isClosed { pthread_cond_wait(hasInput, lock) }
      if isClosed {
        pthread_mutex_unlock(lock)
        return
      }
      let (number, input) = inputs.removeFirst()
      pthread_mutex_unlock(lock)
      let output = work(input)
      pthread_mutex_lock(lock)
      outputs[number] = output
      pthread_cond_signal(hasOutput)
      pthread_mutex_unlock(lock)
    }
  }

  /// A thread with as much stack as the first one has: chat templates nest.
  func start() -> pthread_t {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, 8 << 20)
    #if canImport(Glibc)
    var thread = pthread_t()
    #else
    var thread: pthread_t?
    #endif
    let body = Unmanaged.passRetained(Body { [self] in serve() })
    let code = pthread_create(&thread, &attributes, run, body.toOpaque())
    precondition(code == 0, "the system gives no thread (\(code))")
    #if canImport(Glibc)
    return thread
    #else
    return thread!
    #endif
  }
}

private final class Body {
  let call: () -> Void
  init(_ call: @escaping () -> Void) { self.call = call }
}

#if canImport(Glibc)
private func run(_ body: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  Unmanaged<Body>.fromOpaque(body!).takeRetainedValue().call()
  return nil
}
#else
private func run(_ body: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
  Unmanaged<Body>.fromOpaque(body).takeRetainedValue().call()
  return nil
}
#endif
