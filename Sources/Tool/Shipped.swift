import HoldfastBasics
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Files that come with Holdfast, found beside the program or in a folder above it.
enum Shipped {
  static func path(_ name: String) throws -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    var folder = Files.folder(of: count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : CommandLine.arguments[0])
    while true {
      if Files.exists(folder + "/" + name) { return folder + "/" + name }
      if folder == "/" || folder == "." { break }
      folder = Files.folder(of: folder)
    }
    throw FileError(path: name, doing: "find", code: 0, reason: "it comes with Holdfast's sources but stands in no folder above the program")
  }
}

enum Terminal {
  /// Whether somebody types.
  static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

  /// Colour only where a person looks.
  static var hasColour: Bool { isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil }

  /// Columns of the terminal that standard output goes to; 100 where it goes elsewhere.
  static var width: Int {
    var size = winsize()
    guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 100 }
    return max(40, min(Int(size.ws_col), 160))
  }
}
