internal import Synchronization

/// Memory that one encoding at a time works in: the words met before, and room for the one being split.
struct Scratch {
  var cache = WordCache()
  var symbols = Symbols()
}

/// Lends scratch memory to one caller at a time; callers on several threads each get their own.
final class ScratchPool: Sendable {
  private let free = Mutex<[Box]>([])

  /// `@unchecked Sendable` because only the one who took it out of the pool touches it.
  private final class Box: @unchecked Sendable {
    var scratch = Scratch()
  }

  /// More than this many are not kept.
  private static let limit = 16

  func with<Result>(_ body: (inout Scratch) throws -> Result) rethrows -> Result {
    let box = free.withLock { $0.popLast() } ?? Box()
    // Taken out whole, so that the work needs no checks for overlapping access.
    var scratch = Scratch(cache: WordCache(empty: ()), symbols: Symbols())
    swap(&scratch, &box.scratch)
    defer {
      scratch.symbols.shrink()
      swap(&scratch, &box.scratch)
      free.withLock { if $0.count < Self.limit { $0.append(box) } }
    }
    return try body(&scratch)
  }
}
