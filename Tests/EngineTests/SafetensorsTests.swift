import HoldfastBasics
import HoldfastEngine
import Testing

/// A scratch folder that goes away with its owner.
final class Scratch: Sendable {
  let path: String

  init(_ label: String = #function) {
    var generator = SystemRandomNumberGenerator()
    path = "\(Self.root)/holdfast-tests-\(generator.next())"
    try! Files.makeFolder(path)
  }

  deinit { try? Files.remove(path) }

  private static let root = Files.isFolder("/dev/shm") ? "/dev/shm" : "/tmp"

  func write(_ bytes: [UInt8], to name: String = "file.safetensors") throws -> String {
    let file = path + "/" + name
    let writer = try FileWriter(path: file, replacing: true)
    try bytes.withUnsafeBytes { try writer.write($0) }
    return file
  }
}

/// The bytes of a file with this header and this many data bytes 0, 1, 2, …
func safetensors(_ header: String, data: Int, announced: UInt64? = nil) -> [UInt8] {
  let length = announced ?? UInt64(header.utf8.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + (0..<data).map { UInt8(truncatingIfNeeded: $0) }
}

private func opens(_ bytes: [UInt8]) throws -> SafetensorsHeader {
  try bytes.withUnsafeBytes { try SafetensorsHeader($0, file: "f") }
}

struct SafetensorsReading {
  @Test func readsNamesShapesAndBytes() throws {
    let scratch = Scratch()
    let header = #"""
      {"b":{"dtype":"I64","shape":[],"data_offsets":[12,20]}, "__metadata__": {"format": "pt", "é\n": ""},
       "a\u0041":{"shape":[2,3],"data_offsets":[0,12],"dtype":"BF16"},
       "empty":{"dtype":"F32","shape":[4,0],"data_offsets":[12,12]}}
      """#
    let file = try SafetensorsFile(path: scratch.write(safetensors(header + "   ", data: 20)))
    #expect(file.names == ["aA", "empty", "b"])
    #expect(file.metadata == ["format": "pt", "é\n": ""])
    let a = try #require(file.entry("aA"))
    #expect(a.dtype == .bfloat16 && a.shape == [2, 3] && a.count == 6)
    #expect(Array(file.bytes("aA")) == Array(0..<12))
    #expect(file.entries["b"]?.count == 1)
    #expect(file.bytes("b").loadUnaligned(as: Int64.self) == 0x1312_1110_0F0E_0D0C)
    #expect(file.bytes("empty").isEmpty && file.entries["empty"]?.count == 0)
    #expect(file.entry("c") == nil)
  }

  @Test func acceptsNothing() throws {
    #expect(try opens(safetensors("{}", data: 0)).entries.isEmpty)
  }

  static let one = #""a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}"#

  /// Each line: a header, its data bytes, and what the message must say.
  @Test(arguments: [
    ("{\(one)", 4, "expected"),
    ("[]", 0, "begins with '{'"),
    (" {}", 0, "begins with '{'"),
    ("{\(one)}x", 4, "follows"),
    ("{\(one),}", 4, "quotation"),
    ("{\(one),\(one)}", 4, "stands twice"),
    (#"{"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 4, "stands twice"),
    (#"{"a":{"dtype":"U8","shape":[4],"shape":[4],"data_offsets":[0,4]}}"#, 4, "stands twice"),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}}"#, 4, "does not know"),
    (#"{"a":{"shape":[4],"data_offsets":[0,4]}}"#, 4, "lacks"),
    (#"{"a":{"dtype":"U8","data_offsets":[0,4]}}"#, 4, "lacks"),
    (#"{"a":{"dtype":"U8","shape":[4]}}"#, 4, "lacks"),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0]}}"#, 4, "two data_offsets"),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}}"#, 4, "more than 2"),
    (#"{"a":{"dtype":"Q4","shape":[4],"data_offsets":[0,4]}}"#, 4, "known are F64"),
    (#"{"a":{"dtype":8,"shape":[4],"data_offsets":[0,4]}}"#, 4, "quotation"),
    (#"{"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}}"#, 4, "expected '['"),
    (#"{"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}}"#, 4, "expected ']'"),
    (#"{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}"#, 4, "not negative"),
    (#"{"a":{"dtype":"U8","shape":["4"],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"a":{"dtype":"U8","shape":[04],"data_offsets":[0,4]}}"#, 4, "begins with 0"),
    (#"{"a":{"dtype":"U8","shape":[null],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"a":[]}"#, 0, "expected '{'"),
    (#"{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,4]}}"#, 4, "needs 5"),
    (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}"#, 4, "needs 16"),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,5]}}"#, 4, "cut short"),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}"#, 4, "before it begins"),
    (#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}"#, 4, "belong to no tensor"),
    (#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#, 4, "last 1 bytes"),
    (#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, 4, "overlap"),
    (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#, 4, "belong to no tensor"),
    (#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[9,9]}}"#, 0, "cut short"),
    (#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 4, "overlap"),
    (#"{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]}}"#, 4, "63 bits"),
    (#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551620]}}"#, 4, "63 bits"),
    (#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0, "too large"),
    (#"{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}"#, 0, "too large"),
    (#"{"a":{"dtype":"U8","shape":[4294967296,0,4294967296],"data_offsets":[0,0]}}"#, 0, "too large"),
    (#"{"a":{"dtype":"U8","shape":[\#(String(repeating: "1,", count: 64))4],"data_offsets":[0,4]}}"#, 4, "more than 64"),
    (#"{"__metadata__":{"a":1}}"#, 0, "quotation"),
    (#"{"__metadata__":"a"}"#, 0, "expected '{'"),
    (#"{"__metadata__":{"a":"1","a":"2"}}"#, 0, "stands twice"),
    (#"{"__metadata__":{},"__metadata__":{}}"#, 0, "stands twice"),
    (#"{"a"#, 0, "ends inside a text"),
    (#"{"a\"#, 0, "ends inside a text"),
    (#"{"\q":{}}"#, 0, "escape"),
    ("{\"\u{01}\":{}}", 0, "control character"),
  ])
  func refuses(_ header: String, _ data: Int, _ says: String) throws {
    let error = #expect(throws: SafetensorsError.self) { try opens(safetensors(header, data: data)) }
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "no error")")
  }

  @Test func refusesLengthsThatLie() throws {
    let header = "{\(Self.one)}"
    for announced in [UInt64(header.utf8.count + 5), 100_000_001, UInt64.max, UInt64(Int.max), UInt64.max - 7] {
      #expect(throws: SafetensorsError.self) { try opens(safetensors(header, data: 4, announced: announced)) }
    }
    let whole = safetensors(header, data: 4)
    for cut in 0..<whole.count {
      #expect(throws: SafetensorsError.self, "cut after \(cut) bytes") { try opens(Array(whole.prefix(cut))) }
    }
    let error = #expect(throws: SafetensorsError.self) { try opens(safetensors("{}", data: 0, announced: 100_000_001)) }
    #expect(error?.reason.contains("100000001 bytes long") == true)
  }

  @Test func refusesInvalidUTF8() {
    var bytes = safetensors("{\(Self.one)}", data: 4)
    bytes[10] = 0xFF
    #expect(throws: SafetensorsError.self) { try opens(bytes) }
  }

  @Test func limitsEntries() throws {
    func many(_ count: Int) -> [UInt8] {
      let entries = (0..<count).map { #""\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"# }
      return safetensors("{\(entries.joined(separator: ","))}", data: 0)
    }
    #expect(try opens(many(200_000)).entries.count == 200_000)
    let error = #expect(throws: SafetensorsError.self) { try opens(many(200_001)) }
    #expect(error?.reason.contains("more than 200000 tensors") == true)
  }

  @Test func saysWhichFileIsMissing() {
    let error = #expect(throws: SafetensorsError.self) { try SafetensorsFile(path: "/nowhere/model.safetensors") }
    #expect(error?.description.contains("/nowhere/model.safetensors: cannot read it") == true)
  }
}
