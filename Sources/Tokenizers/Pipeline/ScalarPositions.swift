/// Where the bytes of a text lie among its Unicode scalars.
struct ScalarPositions {
  /// For every byte the number of its scalar; nil for ASCII, where they are the same.
  private let scalars: [Int]?
  private let count: Int

  init(_ text: String) {
    var scalars: [Int] = []
    let utf8 = text.utf8
    count = utf8.count
    guard utf8.contains(where: { $0 >= 0x80 }) else {
      self.scalars = nil
      return
    }
    scalars.reserveCapacity(utf8.count + 1)
    var number = -1
    for byte in utf8 {
      if byte & 0xC0 != 0x80 { number += 1 }
      scalars.append(number)
    }
    scalars.append(number + 1)
    self.scalars = scalars
  }

  /// The scalars of a stretch of bytes.
  func range(_ bytes: Alignment) -> Range<Int> {
    guard let scalars else { return bytes.start..<max(bytes.start, bytes.end) }
    let start = scalars[min(bytes.start, count)]
    return start..<max(start, scalars[min(bytes.end, count)])
  }
}
