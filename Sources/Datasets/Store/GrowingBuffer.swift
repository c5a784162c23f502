#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Plain values one behind another in memory of their own, whose address others may keep as long as they keep this.
///
/// `@unchecked Sendable` because it is filled by one thread and then only read.
final class GrowingBuffer<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  private(set) var start: UnsafeMutablePointer<Element>
  private(set) var count = 0
  private var room = 1024

  init() {
    start = .allocate(capacity: room)
  }

  deinit { start.deallocate() }

  func append(contentsOf elements: [Element]) {
    if count + elements.count > room {
      room = max(2 * room, count + elements.count)
      let larger = UnsafeMutablePointer<Element>.allocate(capacity: room)
      larger.update(from: start, count: count)
      start.deallocate()
      start = larger
    }
    elements.withUnsafeBufferPointer { if let base = $0.baseAddress { (start + count).update(from: base, count: elements.count) } }
    count += elements.count
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(UnsafeBufferPointer(start: start, count: count)) }
}
