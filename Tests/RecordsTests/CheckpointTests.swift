import HoldfastBasics
import HoldfastRecords
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

struct CheckpointTests {
  struct Injected: Error {}

  static func fill(_ folder: String, _ content: String) throws {
    try write(content, to: folder + "/weights.safetensors")
    try write("[\(content.count)]", to: folder + "/method/plan.json")
    try write("", to: folder + "/empty")
  }

  @Test func verifyNamesEverything() throws {
    try withFolder { folder in
      try Self.fill(folder, "abc")
      #expect(complaints { try IntegrityManifest.verify(folder) }.first?.contains("never complete") == true)
      let sealed = try IntegrityManifest.seal(folder)
      #expect(sealed.files.map(\.path) == ["empty", "method/plan.json", "weights.safetensors"])
      #expect(sealed.files[2].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
      try IntegrityManifest.verify(folder)
      try Files.remove(folder + "/empty")
      try write("[4]", to: folder + "/method/plan.json")
      try write("abcd", to: folder + "/weights.safetensors")
      try write("x", to: folder + "/stranger")
      #expect(symlink("/etc/hostname", folder + "/link") == 0)
      #expect(
        complaints { try IntegrityManifest.verify(folder) } == [
          "empty is missing", "method/plan.json has changed since it was written",
          "weights.safetensors has 4 bytes instead of 3", "link does not belong here", "stranger does not belong here",
        ])
      #expect(throws: Problems.self) { try IntegrityManifest.seal(folder) }  // the link
    }
  }

  /// Every flipped bit is found, in the manifest too.
  @Test func flippedBits() throws {
    try withFolder { folder in
      var generator = CounterGenerator(seed: 3, "flips")
      try Self.fill(folder, String((0..<4096).map { _ in "abcdefgh"[generator.below(8)] }))
      try IntegrityManifest.seal(folder)
      let names = ["weights.safetensors", "method/plan.json", IntegrityManifest.name]
      var found = 0
      for round in 0..<2000 {
        let path = folder + "/" + names[round % 3]
        let descriptor = open(path, O_RDWR)
        defer { close(descriptor) }
        let at = off_t(generator.below(try Files.size(path)))
        var byte: UInt8 = 0
        #expect(pread(descriptor, &byte, 1, at) == 1)
        var flipped = byte ^ 1 << UInt8(generator.below(8))
        #expect(pwrite(descriptor, &flipped, 1, at) == 1)
        if !complaints({ try IntegrityManifest.verify(folder) }).isEmpty { found += 1 }
        #expect(pwrite(descriptor, &byte, 1, at) == 1)
      }
      #expect(found == 2000)
      try IntegrityManifest.verify(folder)
    }
  }

  @Test func keepsTheNewest() throws {
    try withFolder { folder in
      let store = CheckpointStore(folder: folder + "/checkpoints", keep: 2)
      #expect(try store.newest().checkpoint == nil)
      for step in [100, 200, 300, 1_000_000] { try store.save(step: step) { try Self.fill($0, "\(step)") } }
      #expect(try Files.list(store.folder) == ["step-000300", "step-1000000"])
      let newest = try #require(try store.newest().checkpoint)
      #expect(newest.step == 1_000_000)
      #expect(try MappedFile(path: newest.path + "/weights.safetensors").text() == "1000000")
      // Damage to the newest: the one before it counts, and the damage is named.
      try write("1000001", to: newest.path + "/weights.safetensors")
      let (fallback, damaged) = try store.newest()
      #expect(fallback?.step == 300)
      #expect(damaged.flatMap(\.complaints) == ["weights.safetensors has changed since it was written"])
      // Saved again, it replaces the damaged one.
      try store.save(step: 1_000_000) { try Self.fill($0, "again") }
      #expect(try store.newest().checkpoint?.step == 1_000_000)
      #expect(try Files.list(store.folder) == ["step-000300", "step-1000000"])
    }
  }

  /// At every moment of a save a failure leaves the old checkpoint or a whole new one, and the next save works.
  @Test(arguments: [200, 100], CheckpointStore.Moment.allCases)
  func failsAnywhere(_ step: Int, _ moment: CheckpointStore.Moment) throws {
    try withFolder { folder in
      let store = CheckpointStore(folder: folder, keep: 1)
      try store.save(step: 100) { try Self.fill($0, "old") }
      #expect(throws: Injected.self) {
        try store.save(step: step, at: { if $0 == moment { throw Injected() } }) { try Self.fill($0, "new") }
      }
      let newest = try #require(try store.newest().checkpoint)
      let text = try MappedFile(path: newest.path + "/weights.safetensors").text()
      #expect(text == ([.written, .synced, .sealed, .aside].contains(moment) ? "old" : "new"))
      try store.save(step: 300) { try Self.fill($0, "next") }
      #expect(try Files.list(folder) == ["step-000300"])
    }
  }

  @Test func shortWritesAndLeftovers() throws {
    try withFolder { folder in
      let store = CheckpointStore(folder: folder, keep: 1)
      try store.save(step: 1) { try Self.fill($0, "old") }
      // A writer that stops in the middle.
      #expect(throws: Injected.self) {
        try store.save(step: 2) {
          try write("hal", to: $0 + "/weights.safetensors")
          throw Injected()
        }
      }
      // What a kill leaves: a partial folder, with and without a manifest, and a folder that never was sealed.
      try Self.fill(folder + "/step-000003.partial", "x")
      try Self.fill(folder + "/step-000004.partial", "x")
      try IntegrityManifest.seal(folder + "/step-000004.partial")
      try Self.fill(folder + "/step-000005", "x")
      #expect(try store.all().map(\.step) == [1])
      #expect(try store.newest().checkpoint?.step == 1)
      try store.save(step: 5) { try Self.fill($0, "new") }
      #expect(try Files.list(folder) == ["step-000005"])
    }
  }

  #if os(Linux)
  /// A device on which every write meets a full disk.
  @Test func fullDisk() throws {
    try withFolder { folder in
      let store = CheckpointStore(folder: folder, keep: 1)
      try store.save(step: 1) { try Self.fill($0, "old") }
      do {
        try store.save(step: 2) {
          #expect(symlink("/dev/full", $0 + "/weights.safetensors") == 0)
          try write("new", to: $0 + "/weights.safetensors")
        }
        Issue.record("a full disk went unnoticed")
      } catch let error as FileError {
        #expect(error.code == ENOSPC && error.description.contains("free some space"))
      }
      #expect(try Files.list(folder) == ["step-000001"])
      #expect(try store.newest().checkpoint?.step == 1)
    }
  }
  #endif

  /// A file-size limit: writes succeed in part and then fail. In a process of its own, since the limit is its.
  @Test func sizeLimit() async {
    await #expect(processExitsWith: .success) {
      try withFolder { folder in
        let store = CheckpointStore(folder: folder, keep: 1)
        try store.save(step: 1) { try CheckpointTests.fill($0, "old") }
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
        #if canImport(Glibc)
        precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
        #else
        precondition(setrlimit(RLIMIT_FSIZE, &limit) == 0)
        #endif
        do {
          try store.save(step: 2) { try CheckpointTests.fill($0, String(repeating: "x", count: 200_000)) }
          fatalError("the limit was not met")
        } catch let error as FileError { precondition(error.code == EFBIG) }
        let names = try Files.list(folder), step = try store.newest().checkpoint?.step
        precondition(names == ["step-000001"] && step == 1)
      }
    }
  }
}

extension String {
  fileprivate subscript(_ index: Int) -> Character { self[self.index(startIndex, offsetBy: index)] }
}
