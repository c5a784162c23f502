import HoldfastBasics
import HoldfastTokenizers
import HoldfastTraining
import Synchronization
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What only the tool may look at: the clock, the processor, the process and its signals.
enum ThisProcess {
  static let version = "0.1.0"

  /// Tells one build of the program from another: what they write may differ though the version is the same.
  static let build: String = {
    var facts = stat()
    let program = "/proc/self/exe"
    guard stat(Files.exists(program) ? program : CommandLine.arguments[0], &facts) == 0 else { return version }
    #if canImport(Glibc)
    return "\(version) \(facts.st_size) \(facts.st_mtim.tv_sec).\(facts.st_mtim.tv_nsec)"
    #else
    return "\(version) \(facts.st_size) \(facts.st_mtimespec.tv_sec).\(facts.st_mtimespec.tv_nsec)"
    #endif
  }()

  static var surroundings: Surroundings {
    Surroundings(now: now, peakBytes: peakBytes, processor: processor, cores: Machine.processors, code: version)
  }

  @Sendable static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Seconds since 1970.
  static func wallTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  @Sendable static func peakBytes() -> Int {
    var usage = rusage()
    #if canImport(Glibc)
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
    #else
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
    #endif
  }

  /// Begins a new peak, so that the next `peakBytes` is of what comes from here on. false where the system cannot.
  @discardableResult
  static func resetPeak() -> Bool {
    // Linux; the kernel then forgets the most that was resident.
    guard let file = fopen("/proc/self/clear_refs", "w") else { return false }
    let isWritten = fputs("5", file) >= 0
    return fclose(file) == 0 && isWritten
  }

  /// The processor by name, with the instruction sets that decide its arithmetic.
  static let processor: String = {
    guard let file = fopen("/proc/cpuinfo", "r") else { return "unknown" }
    defer { fclose(file) }
    var name = "unknown", sets: [String] = []
    var line = [CChar](repeating: 0, count: 16384)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let parts = text.split(separator: ":", maxSplits: 1).map { $0.trimmingSpace() }
      guard parts.count == 2 else { continue }
      if parts[0] == "model name", name == "unknown" { name = parts[1] }
      if parts[0] == "flags", sets.isEmpty {
        let flags = Set(parts[1].split(separator: " "))
        sets = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"].filter { flags.contains(Substring($0)) }
      }
      if name != "unknown", !sets.isEmpty { break }
    }
    return ([name] + sets).joined(separator: ", ")
  }()

  /// The local time, for templates that ask for the date.
  @Sendable static func localTime() -> LocalTime {
    var seconds = time(nil), parts = tm()
    localtime_r(&seconds, &parts)
    return LocalTime(
      year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday), hour: Int(parts.tm_hour),
      minute: Int(parts.tm_min), second: Int(parts.tm_sec))
  }

  /// The local time as a folder's name: 2026-11-20-143059.
  static func stamp() -> String {
    var seconds = time(nil), parts = tm()
    localtime_r(&seconds, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))-\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))"
  }

  // MARK: - Ctrl-C

  private static let interrupts = Atomic<Int>(0)
  private static let lastSignal = Atomic<Int32>(SIGINT)

  /// From now on the first Ctrl-C (or a polite kill) is noted, for the run to save and end; the second ends at once.
  static func noteInterrupts() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        ThisProcess.lastSignal.store(number, ordering: .relaxed)
        if ThisProcess.interrupts.wrappingAdd(1, ordering: .relaxed).newValue > 1 { _exit(128 + number) }
      }
    }
  }

  static var isInterrupted: Bool { interrupts.load(ordering: .relaxed) > 0 }

  /// 130 after Ctrl-C, 143 after a polite kill: what was asked for is not there, and a script should not go on.
  static var interruptedStatus: Int32 { 128 + lastSignal.load(ordering: .relaxed) }
}

extension Substring {
  fileprivate func trimmingSpace() -> String {
    var text = self
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
