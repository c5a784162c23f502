import HoldfastBasics
import HoldfastReports
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct EventFileTests {
  @Test func checksums() {
    // The check value of CRC-32C, and zeros of RFC 3720, appendix B.4.
    #expect(EventFile.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(EventFile.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  static let header = "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"
  static let scalars =
    "2800000000000000ff70164a09000000000000024010ac022a1a0a0b0a046c6f7373150000003f0a0b0a0472617465156f12833add9b6f5c"

  /// Bytes as TensorBoard 2.21 writes them for the same values.
  @Test func bytes() {
    #expect(Self.hexadecimal(EventFile.header(wallTime: 1.5)) == Self.header)
    #expect(Self.hexadecimal(EventFile.scalars([("loss", 0.5), ("rate", 1e-3)], step: 300, wallTime: 2.25)) == Self.scalars)
  }

  @Test func goesOnAtTheEnd() throws {
    let folder = FileManager.default.temporaryDirectory.path + "/events-\(UUID())"
    try Files.makeFolder(folder)
    defer { try? Files.remove(folder) }
    let path = folder + "/events.tfevents"
    for step in 0..<2 {
      let writer = try EventWriter(path: path, wallTime: 1.5)
      try writer.scalars([("loss", 1)], step: step, wallTime: 2)
    }
    let one = EventFile.scalars([("loss", 1)], step: 0, wallTime: 2), two = EventFile.scalars([("loss", 1)], step: 1, wallTime: 2)
    #expect(try Files.size(path) == EventFile.header(wallTime: 1.5).count + one.count + two.count)
  }
}
