#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Why compressed bytes cannot be read, in words.
struct DecompressionError: Error {
  let reason: String
}

/// Undoes a compression piece by piece, in bounded memory.
protocol Decompressor: AnyObject {
  /// Reads from `input` (how much is said in `read`) and writes to `output`; returns how much it wrote.
  func decode(
    _ input: UnsafeRawBufferPointer, read: inout Int, into output: UnsafeMutableRawBufferPointer
  ) throws(DecompressionError) -> Int
  /// Whether the bytes so far are whole: a file that ends elsewhere was cut off.
  var isWhole: Bool { get }
}

/// A library of the system, opened when the first compressed file is read: nobody needs it to build.
struct SystemLibrary: @unchecked Sendable {  // because a handle of dlopen is never closed and may be used from any thread
  private let handle: UnsafeMutableRawPointer
  private let name: String

  init(_ names: [String], cure: String) throws(DecompressionError) {
    for name in names {
      if let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) {
        self.handle = handle
        self.name = name
        return
      }
    }
    throw DecompressionError(reason: "\(names[0]) is not on this machine; \(cure)")
  }

  func function<F>(_ symbol: String, as type: F.Type = F.self) throws(DecompressionError) -> F {
    guard let found = dlsym(handle, symbol) else { throw DecompressionError(reason: "\(name) has no \(symbol)") }
    return unsafeBitCast(found, to: type)
  }
}

/// gzip through zlib. Several members one behind another are one text, as for `gunzip`.
final class GzipDecompressor: Decompressor {
  private typealias Init = @convention(c) (UnsafeMutableRawPointer, Int32, UnsafePointer<CChar>, Int32) -> Int32
  private typealias Inflate = @convention(c) (UnsafeMutableRawPointer, Int32) -> Int32
  private typealias End = @convention(c) (UnsafeMutableRawPointer) -> Int32

  /// `z_stream` of zlib.h on 64-bit systems.
  private struct Stream {
    var nextIn: UnsafeRawPointer?
    var availableIn: UInt32 = 0
    var totalIn: UInt = 0
    var nextOut: UnsafeMutableRawPointer?
    var availableOut: UInt32 = 0
    var totalOut: UInt = 0
    var message: UnsafePointer<CChar>?
    var state, allocate, release, opaque: UnsafeMutableRawPointer?
    var dataType: Int32 = 0
    var adler, reserved: UInt

    init() {
      adler = 0
      reserved = 0
    }
  }

  private let stream = UnsafeMutablePointer<Stream>.allocate(capacity: 1)
  private let inflate: Inflate, reset: End, end: End
  private(set) var isWhole = false

  init() throws(DecompressionError) {
    stream.initialize(to: Stream())
    let library = try SystemLibrary(
      ["libz.so.1", "libz.1.dylib"], cure: "install zlib (Debian: apt-get install zlib1g), or unpack the file with gunzip")
    inflate = try library.function("inflate")
    reset = try library.function("inflateReset")
    end = try library.function("inflateEnd")
    let begin: Init = try library.function("inflateInit2_")
    guard begin(stream, 15 + 16, "1.2.3", Int32(MemoryLayout<Stream>.size)) == 0 else {
      throw DecompressionError(reason: "zlib refuses to begin")
    }
  }

  deinit {
    _ = end(stream)
    stream.deallocate()
  }

  func decode(
    _ input: UnsafeRawBufferPointer, read: inout Int, into output: UnsafeMutableRawBufferPointer
  ) throws(DecompressionError) -> Int {
    if isWhole, input.count > 0 {  // another member
      isWhole = false
      _ = reset(stream)
    }
    stream.pointee.nextIn = input.baseAddress
    stream.pointee.availableIn = UInt32(input.count)
    stream.pointee.nextOut = output.baseAddress
    stream.pointee.availableOut = UInt32(output.count)
    let status = inflate(stream, 0)
    read = input.count - Int(stream.pointee.availableIn)
    switch status {
    case 0, -5: break  // fine, or nothing left to do for now
    case 1: isWhole = true
    default:
      throw DecompressionError(reason: "its gzip stream is damaged" + (stream.pointee.message.map { ": \(String(cString: $0))" } ?? ""))
    }
    return output.count - Int(stream.pointee.availableOut)
  }
}

/// Zstandard through libzstd, which takes at most 128 MiB for a stream.
final class ZstdDecompressor: Decompressor {
  /// `ZSTD_inBuffer` and `ZSTD_outBuffer` of zstd.h.
  private struct Buffer {
    var start: UnsafeRawPointer?
    var size: Int
    var position = 0
  }

  private typealias Create = @convention(c) () -> OpaquePointer?
  private typealias Decode = @convention(c) (OpaquePointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int
  private typealias IsError = @convention(c) (Int) -> UInt32
  private typealias ErrorName = @convention(c) (Int) -> UnsafePointer<CChar>
  private typealias Free = @convention(c) (OpaquePointer) -> Int

  private let stream: OpaquePointer
  private let step: Decode, isError: IsError, errorName: ErrorName, free: Free
  private(set) var isWhole = false

  init() throws(DecompressionError) {
    let library = try SystemLibrary(
      ["libzstd.so.1", "libzstd.1.dylib"], cure: "install libzstd (Debian: apt-get install libzstd1), or unpack the file with unzstd")
    step = try library.function("ZSTD_decompressStream")
    isError = try library.function("ZSTD_isError")
    errorName = try library.function("ZSTD_getErrorName")
    free = try library.function("ZSTD_freeDStream")
    let create: Create = try library.function("ZSTD_createDStream")
    guard let made = create() else { throw DecompressionError(reason: "libzstd refuses to begin") }
    stream = made
  }

  deinit { _ = free(stream) }

  func decode(
    _ input: UnsafeRawBufferPointer, read: inout Int, into output: UnsafeMutableRawBufferPointer
  ) throws(DecompressionError) -> Int {
    var from = Buffer(start: input.baseAddress, size: input.count)
    var to = Buffer(start: UnsafeRawPointer(output.baseAddress), size: output.count)
    let left = step(stream, &to, &from)
    guard isError(left) == 0 else { throw DecompressionError(reason: "its zstd stream is damaged: \(String(cString: errorName(left)))") }
    read = from.position
    // 0: a frame is whole and flushed. Another may follow.
    if from.position > 0 || to.position > 0 { isWhole = left == 0 }
    return to.position
  }
}
