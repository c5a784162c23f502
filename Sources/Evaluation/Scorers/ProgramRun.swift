package import HoldfastEngine
#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A Python program that a model wrote, run where it can do no harm: bubblewrap gives it a file system that it can only
/// read, an empty /tmp, no network, no environment and no other processes; limits bound its time, memory, files and output.
package struct ProgramRun {
  let program: String
  /// Seconds by the clock; then it is killed.
  let timeout: Double

  package init(_ program: String, timeout: Double) {
    self.program = program
    self.timeout = timeout
  }

  /// Whether it ends by itself, with the exit status 0.
  /// - Throws: `EngineError` where it could not be started.
  package func passes() throws(EngineError) -> Bool { try run().status == 0 }

  /// Throws with a cure where this machine cannot lock a program in.
  package static func check() throws(EngineError) {
    #if os(Linux)
    let (status, words) = try ProgramRun("pass\n", timeout: 20).run()
    if status == 0 { return }
    let cure = status == 127 || words.contains("No such file") ? "install bubblewrap and Python 3 (Debian: apt-get install bubblewrap python3)" : "bubblewrap needs user namespaces"
    throw EngineError("programs of a model cannot be locked in on this machine: \(words.isEmpty ? "exit status \(status)" : words.trimmed); \(cure)")
    #else
    throw EngineError("tasks of kind code run on Linux only, where bubblewrap locks a program in")
    #endif
  }

  private var words: [String] {
    let seconds = Int(timeout.rounded(.up))
    // One limit a command: not every shell takes several.
    let limits = ["-c 0", "-t \(seconds + 1)", "-v 4194304", "-f 4096", "-n 64"].map { "ulimit \($0) && " }.joined() + "exec python3 -I -"
    return [
      "timeout", "-s", "KILL", "\(seconds)",
      "bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run", "--tmpfs", "/proc", "--unshare-all", "--die-with-parent", "--new-session",
      "--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin", "--chdir", "/tmp", "/bin/sh", "-c", limits,
    ]
  }

  private func run() throws(EngineError) -> (status: Int32, words: String) {
    // Files without a name: nothing is left behind.
    guard let input = tmpfile(), let errors = tmpfile() else { throw EngineError("no temporary file can be made") }
    defer {
      fclose(input)
      fclose(errors)
    }
    let bytes = Array(program.utf8)
    guard fwrite(bytes, 1, bytes.count, input) == bytes.count, fflush(input) == 0, lseek(fileno(input), 0, SEEK_SET) == 0 else {
      throw EngineError("a temporary file cannot be written; is the disk full?")
    }
    #if canImport(Glibc)
    var actions = posix_spawn_file_actions_t()
    #else
    var actions: posix_spawn_file_actions_t?
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, fileno(input), 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, fileno(errors), 2)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    let path = strdup("PATH=/usr/local/bin:/usr/bin:/bin")
    defer { free(path) }
    var environment: [UnsafeMutablePointer<CChar>?] = [path, nil]
    let code = posix_spawnp(&process, "timeout", &actions, nil, &arguments, &environment)
    guard code == 0 else { throw EngineError("`timeout` cannot be started: \(String(cString: strerror(code)))") }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 { if errno != EINTR { throw EngineError("a program cannot be waited for") } }
    var text = [UInt8](repeating: 0, count: 500)
    rewind(errors)
    let count = fread(&text, 1, text.count, errors)
    return (status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F, String(decoding: text[..<count], as: UTF8.self))
  }
}
