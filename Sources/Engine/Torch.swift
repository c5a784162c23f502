// The door to libtorch. Nothing is loaded until the first tensor is made, so that help, checks and tokenizing start
// at once; the shim is opened at run time because a package with link flags to libtorch could be nobody's dependency.
package import CTorch
internal import HoldfastBasics
internal import Synchronization
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The libtorch that runs underneath.
public enum Torch {
  private static let chosen = Mutex<String?>(nil)

  /// Names the shim to open. Call before the first tensor; later calls change nothing.
  /// Without it, `libctorch.so` is looked for beside the program and in `.torch/` of every folder above it.
  public static func use(shim path: String) { chosen.withLock { $0 = path } }

  /// The table of functions, opened once. Unsafe only to the compiler, because the table is constant and never unloaded.
  nonisolated(unsafe) private static let table: Result<UnsafePointer<ct_api>, EngineError> = {
    do throws(EngineError) { return .success(try open()) } catch { return .failure(error) }
  }()

  package static var api: ct_api {
    get throws(EngineError) { try table.get().pointee }
  }

  /// For places that hold a tensor, where the table must be open already.
  @inline(__always)
  package static var opened: UnsafePointer<ct_api> {
    guard case .success(let pointer) = table else { preconditionFailure("a tensor exists but libtorch was never opened") }
    return pointer
  }

  private static func open() throws(EngineError) -> UnsafePointer<ct_api> {
    let path = try locate()
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      let reason = String(cString: dlerror())
      throw EngineError("cannot open \(path): \(reason). Run ./holdfast once: it compiles the shim against the libtorch that is there")
    }
    guard let symbol = dlsym(library, "ct_open") else {
      throw EngineError("\(path) is no shim of Holdfast: it lacks ct_open")
    }
    typealias Open = @convention(c) (Int32) -> UnsafePointer<ct_api>?
    guard let api = unsafeBitCast(symbol, to: Open.self)(CT_VERSION) else {
      throw EngineError("\(path) was compiled for an older Holdfast; run ./holdfast once: it compiles the shim again")
    }
    return api
  }

  private static func locate() throws(EngineError) -> String {
    if let path = chosen.withLock({ $0 }) { return path }
    #if canImport(Darwin)
    let name = "libctorch.dylib"
    #else
    let name = "libctorch.so"
    #endif
    var folder = Files.folder(of: executable())
    var tried: [String] = []
    while true {
      for candidate in [folder + "/" + name, folder + "/.torch/" + name] {
        if Files.exists(candidate) { return candidate }
        tried.append(candidate)
      }
      if folder == "/" || folder == "." { break }
      folder = Files.folder(of: folder)
    }
    throw EngineError("libtorch's shim \(name) was not found beside the program or in .torch/ above it; run ./holdfast once: it fetches libtorch and compiles the shim")
  }

  private static func executable() -> String {
    #if canImport(Darwin)
    var size: UInt32 = 4096
    var buffer = [CChar](repeating: 0, count: Int(size))
    _ = _NSGetExecutablePath(&buffer, &size)
    return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    #else
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    #endif
  }

  /// Version of libtorch, as in "2.13.0".
  public static var version: String {
    get throws(EngineError) { String(cString: try api.torch_version()) }
  }

  /// Tensors alive now; a test of leaks is one line.
  public static var liveTensors: Int {
    get throws(EngineError) { Int(try api.live_handles()) }
  }

  /// Matrix products made so far for gradients of weights, counted for the thread that ran the forward pass.
  public static var weightGradientProducts: Int {
    get throws(EngineError) { Int(try api.weight_gradient_products()) }
  }

  /// Threads that libtorch computes with.
  public static var threads: Int {
    get throws(EngineError) { Int(try api.threads()) }
  }

  public static func setThreads(_ count: Int) throws(EngineError) {
    precondition(count > 0)
    try check(try api.set_threads(Int32(count)))
  }

  /// Asks libtorch for algorithms that give the same bits every time; slower on a GPU.
  public static func setDeterministic(_ on: Bool) throws(EngineError) { try check(try api.set_deterministic(on ? 1 : 0)) }

  /// Makes kernels on this thread take the path composed from libtorch's own operators; tests compare the two.
  package static func setComposed(_ on: Bool) throws(EngineError) { try check(try api.set_composed(on ? 1 : 0)) }

  /// Runs a body without recording for gradients.
  public static func withoutGradients<T, E: Error>(_ body: () throws(E) -> T) throws(E) -> T {
    guard let api = try? api else { return try body() }
    let was = api.enable_grad(0)
    defer { _ = api.enable_grad(was) }
    return try body()
  }

  @inline(__always)
  package static func check(_ status: ct_status) throws(EngineError) {
    if status != 0 { throw EngineError("libtorch: " + String(cString: try api.last_error())) }
  }
}
