import HoldfastBasics
import HoldfastEngine
import Testing

struct SafetensorsWriting {
  private static let tensors = [
    TensorDescription(name: "norm", dtype: .float32, shape: [6]),
    TensorDescription(name: "embed", dtype: .bfloat16, shape: [8, 16]),
    TensorDescription(name: "empty", dtype: .float32, shape: [0, 3]),
    TensorDescription(name: "odd", dtype: .uint8, shape: [3]),
    TensorDescription(name: "scalar", dtype: .int64, shape: []),
    TensorDescription(name: "head", dtype: .float32, shape: [16]),
  ]

  private static func contents(_ entry: TensorEntry) -> [UInt8] {
    var random = CounterGenerator(seed: 3, entry.name)
    return (0..<entry.range.count).map { _ in UInt8(random.below(256)) }
  }

  @Test func readsBackWhatItWrote() throws {
    let scratch = Scratch()
    let path = scratch.path + "/model.safetensors"
    for _ in 0..<2 {
      try SafetensorsWriter.save(to: path, tensors: Self.tensors, metadata: ["format": "pt", "a\"b": "é"]) { entry, write in
        let bytes = Self.contents(entry)
        let half = bytes.count / 2  // in two pieces
        try bytes[..<half].withUnsafeBytes { try write($0) }
        try bytes[half...].withUnsafeBytes { try write($0) }
      }
    }
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == ["format": "pt", "a\"b": "é"])
    #expect(Set(file.names) == Set(Self.tensors.map(\.name)))
    for tensor in Self.tensors {
      let entry = try #require(file.entry(tensor.name))
      #expect(entry.dtype == tensor.dtype && entry.shape == tensor.shape)
      #expect(Array(file.bytes(tensor.name)) == Self.contents(entry))
      if tensor.size % 64 == 0 { #expect(entry.range.lowerBound % 64 == 0, "\(tensor.name) is not aligned") }
      // What cannot be aligned to 64 still lies where its own elements may be read.
      #expect(entry.range.lowerBound % tensor.dtype.size == 0)
    }
    #expect(try Files.list(scratch.path) == ["model.safetensors"])
  }

  @Test func sameInputSameBytes() throws {
    let scratch = Scratch()
    for (name, tensors) in [("a", Self.tensors), ("b", Self.tensors.reversed())] {
      try SafetensorsWriter.save(to: "\(scratch.path)/\(name)", tensors: tensors, metadata: ["x": "1", "y": "2"]) { entry, write in
        try Self.contents(entry).withUnsafeBytes { try write($0) }
      }
    }
    #expect(try ContentHash.of(file: scratch.path + "/a") == ContentHash.of(file: scratch.path + "/b"))
  }

  @Test func aFailureLeavesTheOldFile() throws {
    struct Interrupted: Error {}
    let scratch = Scratch()
    let path = try scratch.write(Array("old".utf8))
    #expect(throws: Interrupted.self) {
      try SafetensorsWriter.save(to: path, tensors: Self.tensors) { _, _ in throw Interrupted() }
    }
    #expect(try MappedFile(path: path).text() == "old")
    #expect(try Files.list(scratch.path) == ["file.safetensors"])
  }
}

struct WeightFolders {
  private let scratch = Scratch()

  private func shard(_ name: String, _ tensors: [String]) throws {
    let entries = tensors.enumerated().map { #""\#($1)":{"dtype":"U8","shape":[2],"data_offsets":[\#(2 * $0),\#(2 * $0 + 2)]}"# }
    _ = try scratch.write(safetensors("{\(entries.joined(separator: ","))}", data: 2 * tensors.count), to: name)
  }

  private func index(_ map: [(String, String)]) throws {
    let members = map.map { #""\#($0)":"\#($1)""# }.joined(separator: ",")
    _ = try scratch.write(Array(#"{"metadata":{"total_size":8},"weight_map":{\#(members)}}"#.utf8), to: WeightFiles.index)
  }

  private func complaint() -> String {
    do {
      _ = try WeightFiles(folder: scratch.path)
      return ""
    } catch { return "\(error)" }
  }

  @Test func readsShards() throws {
    try shard("one.safetensors", ["c", "a"])
    try shard("two.safetensors", ["b"])
    try index([("a", "one.safetensors"), ("b", "two.safetensors"), ("c", "one.safetensors")])
    let weights = try WeightFiles(folder: scratch.path)
    #expect(weights.names == ["a", "b", "c"])
    #expect(Array(weights.bytes("a")) == [2, 3] && Array(weights.bytes("b")) == [0, 1])
    #expect(weights.entry("c")?.shape == [2] && weights.entry("d") == nil)
    #expect(weights.files.map { Files.name(of: $0.path) } == ["one.safetensors", "two.safetensors"])
  }

  @Test func readsASingleFile() throws {
    try shard(WeightFiles.single, ["a"])
    #expect(try WeightFiles(folder: scratch.path).names == ["a"])
  }

  @Test func saysEverythingAtOnce() throws {
    try shard("one.safetensors", ["a", "x", "b"])
    try shard("two.safetensors", ["b"])
    _ = try scratch.write([1, 2, 3], to: "broken.safetensors")
    try index([
      ("a", "one.safetensors"), ("m1", "one.safetensors"), ("m2", "one.safetensors"), ("b", "two.safetensors"),
      ("c", "gone.safetensors"), ("d", "broken.safetensors"), ("e", "../other.safetensors"), ("f", "/etc/passwd"), ("g", ".."), ("h", ""),
    ])
    let said = complaint()
    for part in [
      #"listed for one.safetensors but not in it: "m1", "m2""#, #"in one.safetensors but not in the index: "x""#,
      #"in one.safetensors though the index puts it elsewhere: "b""#, "gone.safetensors: cannot read", "broken.safetensors: 3 bytes",
      #""../other.safetensors" is not the name"#, #""/etc/passwd" is not the name"#, #""..""#, #""" is not"#, "9 problems",
    ] { #expect(said.contains(part), "\(part) is not in:\n\(said)") }
  }

  @Test func namesTheCure() throws {
    #expect(complaint().contains("fetch the weights"))
    _ = try scratch.write([1], to: "pytorch_model.bin")
    #expect(complaint().contains("pytorch_model.bin is a pickle"))
    _ = try scratch.write(Array(#"{"weight_map":{"a":7}}"#.utf8), to: WeightFiles.index)
    #expect(complaint().contains("no file name"))
    _ = try scratch.write(Array(#"{"weight_map":{}}"#.utf8), to: WeightFiles.index)
    #expect(complaint().contains("empty"))
    _ = try scratch.write(Array(#"{}"#.utf8), to: WeightFiles.index)
    #expect(complaint().contains("no weight_map"))
  }
}
