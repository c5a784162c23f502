#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How libtorch's threads wait for one another.
enum Waiting {
  /// Lets threads that wait go to sleep soon. OpenMP makes them spin for about a millisecond, and where something else
  /// uses the processors too, all of a step is spent waiting for a thread that is not running: a small model generated
  /// 6 tokens a second instead of 180. Call before the first tensor; what the user has set stays.
  static func sleepsSoon() {
    if getenv("OMP_WAIT_POLICY") == nil { setenv("GOMP_SPINCOUNT", "1000", 0) }
  }
}
