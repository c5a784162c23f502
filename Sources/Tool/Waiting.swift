#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How libtorch's threads wait for one another.
enum Waiting {
  /// Lets threads that wait go to sleep soon. OpenMP makes them spin for milliseconds, and where something else uses the
  /// processors too, most of a step is spent waiting for a thread that is not running (Docs/performance.md). Call before
  /// libtorch is opened; what the user has set stays.
  static func sleepsSoon() {
    if getenv("OMP_WAIT_POLICY") == nil { setenv("GOMP_SPINCOUNT", "1000", 0) }
  }
}
