/// A block of memory that is filled once and then only read, without checks: what the inner loops look up in.
///
/// `@unchecked Sendable` because nothing is written after the initializer that fills it.
final class FixedArray<Element: BitwiseCopyable>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Element>
  let count: Int

  init(repeating element: Element, count: Int, fill: (UnsafeMutablePointer<Element>) -> Void = { _ in }) {
    base = .allocate(capacity: max(count, 1))
    base.initialize(repeating: element, count: count)
    self.count = count
    fill(base)
  }

  convenience init(_ elements: [Element]) {
    guard let first = elements.first else {
      self.init(unsafeEmpty: ())
      return
    }
    self.init(repeating: first, count: elements.count) { base in
      for (i, element) in elements.enumerated() { base[i] = element }
    }
  }

  private init(unsafeEmpty: Void) {
    base = .allocate(capacity: 1)
    count = 0
  }

  deinit { base.deallocate() }

  /// `index` lies in 0 ..< count; the caller answers for it.
  @inline(__always)
  subscript(index: Int) -> Element { base[index] }
}
