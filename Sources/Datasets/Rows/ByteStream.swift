internal import HoldfastBasics
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file's bytes in blocks, unpacked where they are compressed, and hashed on the way. Memory is bounded by the block.
final class ByteStream {
  static let blockBytes = 1 << 20

  let path: String
  /// Bytes read from the file so far.
  private(set) var size = 0
  private let descriptor: Int32
  private var hash = ContentHash()
  private var decompressor: (any Decompressor)?
  /// Bytes of the file that are not unpacked yet.
  private var packed: [UInt8] = []
  private var packedStart = 0

  init(path: String) throws(FileError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: path, doing: "read", code: errno) }
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw FileError(path: path, doing: "read", code: 0, reason: "not a plain file")
    }
    packed = try read()
    do throws(DecompressionError) {
      if packed.starts(with: [0x1F, 0x8B]) {
        decompressor = try GzipDecompressor()
      } else if packed.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
        decompressor = try ZstdDecompressor()
      } else if let ending = [".gz", ".zst", ".zstd"].first(where: path.hasSuffix), !packed.isEmpty {
        throw DecompressionError(reason: "its name ends in \(ending), but its contents are not packed so")
      }
    } catch {
      throw FileError(path: path, doing: "unpack", code: 0, reason: error.reason)
    }
  }

  deinit { close(descriptor) }

  /// The next block; nil at the end.
  func next() throws(FileError) -> [UInt8]? {
    guard let decompressor else {
      var block: [UInt8] = []
      swap(&block, &packed)  // the first one was read to see what it is
      if block.isEmpty { block = try read() }
      return block.isEmpty ? nil : block
    }
    while true {
      if packedStart == packed.count { (packed, packedStart) = (try read(), 0) }
      let isAtEnd = packed.isEmpty
      var used = 0
      let result = [UInt8].filled(Self.blockBytes) { room throws(DecompressionError) in
        try packed.withUnsafeBytesOf(from: packedStart) { input throws(DecompressionError) in
          try decompressor.decode(input, read: &used, into: room)
        }
      }
      switch result {
      case .failure(let error): throw FileError(path: path, doing: "unpack", code: 0, reason: error.reason)
      case .success(let block):
        packedStart += used
        if !block.isEmpty { return block }
        if isAtEnd {
          if decompressor.isWhole { return nil }
          throw FileError(path: path, doing: "unpack", code: 0, reason: "it ends before its compressed stream does; was the copy cut off?")
        }
      }
    }
  }

  /// SHA-256 of the file's own bytes so far.
  var contentHash: String {
    let read = hash
    return read.finish()
  }

  private func read() throws(FileError) -> [UInt8] {
    var code: Int32 = 0
    let block = [UInt8](unsafeUninitializedCapacity: Self.blockBytes) { room, count in
      while count < room.count {
        #if canImport(Glibc)
        let got = Glibc.read(descriptor, room.baseAddress! + count, room.count - count)
        #else
        let got = Darwin.read(descriptor, room.baseAddress! + count, room.count - count)
        #endif
        if got < 0, errno == EINTR { continue }
        if got < 0 { code = errno }
        if got <= 0 { break }
        count += got
      }
    }
    guard code == 0 else { throw FileError(path: path, doing: "read", code: code) }
    size += block.count
    block.withUnsafeBytes { hash.update($0) }
    return block
  }
}

extension [UInt8] {
  /// Bytes that `body` writes, as many as it says.
  fileprivate static func filled(
    _ capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(DecompressionError) -> Int
  ) -> Result<[UInt8], DecompressionError> {
    var failure: DecompressionError?
    let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { room, count in
      do throws(DecompressionError) { count = try body(UnsafeMutableRawBufferPointer(room)) } catch { failure = error }
    }
    return failure.map { .failure($0) } ?? .success(bytes)
  }

  fileprivate func withUnsafeBytesOf<R>(
    from start: Int, _ body: (UnsafeRawBufferPointer) throws(DecompressionError) -> R
  ) throws(DecompressionError) -> R {
    let result: Result<R, DecompressionError> = withUnsafeBytes { bytes in
      do throws(DecompressionError) { return .success(try body(UnsafeRawBufferPointer(rebasing: bytes[start...]))) } catch { return .failure(error) }
    }
    return try result.get()
  }
}
