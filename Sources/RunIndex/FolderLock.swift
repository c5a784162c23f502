#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A lock on a folder itself, so that no file is needed for it: shared while the index is in use, alone while it is made anew.
///
/// Where the file system knows no locks, nothing is held.
final class FolderLock {
  private let descriptor: Int32

  init(_ path: String) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    share()
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func share() { if descriptor >= 0 { _ = flock(descriptor, LOCK_SH) } }

  /// Whether nobody else uses the folder now; waits for them up to `seconds`.
  func isAlone(within seconds: Double) -> Bool {
    guard descriptor >= 0 else { return true }
    var left = Int(seconds / 0.02)
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK else { return true }
      guard left > 0 else {
        share()
        return false
      }
      left -= 1
      usleep(20_000)
    }
    return true
  }
}
