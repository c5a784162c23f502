import HoldfastBasics
import HoldfastEngine
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Damaged and hostile headers: every one is either refused or consistent; none crashes.
struct SafetensorsFuzz {
  /// An honest file with random tensors.
  private static func file(_ random: inout CounterGenerator) -> (header: String, data: Int) {
    var entries: [String] = [#""__metadata__":{"format":"pt","note":"\u00e9"}"#]
    var end = 0
    for i in 0..<1 + random.below(5) {
      let dtype = random.pick(Array(DType.allCases))
      let shape = (0..<random.below(4)).map { _ in random.below(5) }
      let begin = end
      end += shape.reduce(dtype.size, *)
      entries.append(#""t.\#(i)":{"dtype":"\#(dtype.rawValue)","shape":\#(shape),"data_offsets":[\#(begin),\#(end)]}"#)
    }
    return ("{\(entries.joined(separator: ","))}", end)
  }

  private static let pieces = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "0", "-1", "1e9", "18446744073709551615", "9223372036854775807",
    "4294967296", "null", "true", "\"dtype\":\"F32\"", "\"shape\":[0]", "\"data_offsets\":[0,0]", "\"__metadata__\":{}", "\u{00}", " ", "F64", "[[[[",
  ]

  private static func mutate(_ bytes: inout [UInt8], _ random: inout CounterGenerator) {
    for _ in 0..<1 + random.below(3) where !bytes.isEmpty {
      let at = random.below(bytes.count)
      switch random.below(7) {
      case 0: bytes[at] = UInt8(random.below(256))
      case 1: bytes[at] ^= 1 << UInt8(random.below(8))
      case 2: bytes.insert(contentsOf: Array(random.pick(pieces).utf8), at: at)
      case 3: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(8)))
      case 4: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + random.below(60))], at: random.below(bytes.count))
      case 5: bytes.removeSubrange(at...)
      default: bytes[at] = UInt8(ascii: "0") + UInt8(random.below(10))
      }
    }
  }

  @Test func survivesDamage() throws {
    var random = CounterGenerator(seed: 7, "safetensors fuzz")
    var accepted = 0, refused = 0
    for _ in 0..<100_000 {
      let (header, data) = Self.file(&random)
      var bytes = safetensors(header, data: data)
      // Mostly the header is hurt and its length mended, so that the damage gets past the first check.
      if random.below(4) > 0 {
        var text = Array(header.utf8)
        Self.mutate(&text, &random)
        bytes = withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text + bytes.suffix(data)
      } else {
        Self.mutate(&bytes, &random)
      }
      do {
        let found = try bytes.withUnsafeBytes { try SafetensorsHeader($0, file: "f") }
        accepted += 1
        var end = 8 + Int(UInt64(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }))
        for entry in found.entries {
          #expect(entry.range.lowerBound == end && entry.count * entry.dtype.size == entry.range.count)
          end = entry.range.upperBound
        }
        #expect(end == bytes.count)
      } catch is SafetensorsError {
        refused += 1
      }
    }
    // Both sides are reached, so that the test tests something.
    #expect(accepted > 1000 && refused > 50_000, "\(accepted) accepted, \(refused) refused")
  }

  #if compiler(>=6.2)
  /// Twenty megabytes of every sort of filling cost at most four times the file plus 64 MiB, in a process of their own.
  @Test func memoryIsBounded() async {
    await #expect(processExitsWith: .success) {
      let fillings = [
        #""a":{"dtype":"U8","shape":[0,0,0,0"#, #""a":{"dtype":"U8","shape":["#, "[", #"{"a":"#, "[0,[1,", #""__metadata__":{"a":"b","#, "\"", " ",
      ]
      func repeated(_ piece: String, in size: Int) -> [UInt8] {
        Array("{".utf8) + Array(String(repeating: piece, count: size / piece.utf8.count).utf8)
      }
      let size = 20_000_000
      var headers = fillings.map { repeated($0, in: size) }
      var entries = "{", metadata = #"{"__metadata__":{"#
      for i in 0..<199_999 {
        entries += #""\#(i)":{"dtype":"U8","shape":[1,1,1,1,0],"data_offsets":[0,0]},"#
        metadata += #""\#(i)":"","#
      }
      headers.append(Array(entries.utf8) + repeated(#""x":{"#, in: size - entries.utf8.count))
      headers.append(Array(metadata.utf8) + repeated(#""x":"","#, in: size - metadata.utf8.count))
      for header in headers {
        let bytes = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
        forgetPeakMemory()
        let before = peakMemory()
        #expect(throws: SafetensorsError.self) { try bytes.withUnsafeBytes { try SafetensorsHeader($0, file: "f") } }
        let grown = peakMemory() - before
        precondition(grown < 4 * size + 64 << 20, "memory grew by \(grown) bytes")
      }
    }
  }
  #endif
}

/// Makes the present resident size the largest so far (Linux).
private func forgetPeakMemory() {
  guard let file = fopen("/proc/self/clear_refs", "w") else { return }
  fputs("5", file)
  fclose(file)
}

/// Largest resident size of this process so far, in bytes; 0 where the system does not say. (getrusage would do, but
/// on Linux it hands a parent's peak down to the child.)
private func peakMemory() -> Int {
  guard let status = fopen("/proc/self/status", "r") else { return 0 }
  defer { fclose(status) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, 256, status) != nil {
    let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      .split { $0 == " " || $0 == "\t" || $0 == "\n" }
    if words.first == "VmHWM:", words.count > 1 { return (Int(words[1]) ?? 0) << 10 }
  }
  return 0
}
