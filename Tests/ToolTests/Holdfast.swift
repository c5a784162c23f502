// Runs the command as a user does: a process of its own, which can be killed.
import HoldfastBasics
import HoldfastDatasets
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The package's folder.
let packageRoot = Files.folder(of: Files.folder(of: Files.folder(of: #filePath)))

struct Outcome {
  /// Exit status; 128 + signal where a signal ended it.
  let status: Int32
  let output: String
  let errors: String
}

/// A run of the command that goes on.
struct Process {
  let pid: pid_t
  let folder: String

  static let holdfast = packageRoot + "/.build/release/holdfast"

  /// - Parameters:
  ///   - folder: where what it prints is kept.
  ///   - input: a file that it reads as standard input.
  init(_ arguments: [String], in folder: String, program: String = Process.holdfast, input: String = "/dev/null") {
    self.folder = folder
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, folder + "/out", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, folder + "/err", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, program, &actions, nil, &words, environ)
    precondition(code == 0, "cannot start \(program): build it first (./test does)")
    self.pid = pid
  }

  func kill() { _ = Glibc.kill(pid, SIGKILL) }
  func interrupt() { _ = Glibc.kill(pid, SIGINT) }

  func wait() -> Outcome {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    func text(_ name: String) -> String { (try? MappedFile(path: folder + "/" + name).text()) ?? "" }
    return Outcome(status: signal == 0 ? status >> 8 & 0xFF : 128 + signal, output: text("out"), errors: text("err"))
  }
}

/// A folder that goes away with its test, holding a small model without weights and some text of the little world.
final class Workshop {
  /// The model that comes with Holdfast, and a random one of the fixtures, without a tokenizer.
  static let trained = packageRoot + "/World/base"
  static let random = packageRoot + "/Tests/Fixtures/models/llama"

  let path: String

  init(examples: Int = 400) throws {
    var template = Array("/tmp/holdfast-test-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
    let world = LittleWorld()
    try Files.makeFolder(path + "/model")
    try Files.writeAtomically(LittleWorld.Size.small.configuration.text(.pretty), to: path + "/model/config.json")
    try Files.writeAtomically(LittleWorld.tokenizerJSON.text(), to: path + "/model/tokenizer.json")
    try Files.writeAtomically(LittleWorld.tokenizerConfiguration.text(), to: path + "/model/tokenizer_config.json")
    try Files.writeAtomically(world.jsonl(.clinic, .train, count: examples), to: path + "/clinic.jsonl")
    try Files.writeAtomically(world.pretrainingJSONL(count: examples), to: path + "/text.jsonl")
  }

  deinit { try? Files.remove(path) }

  /// Writes a recipe of the given lines, beside what every test shares and they do not say otherwise.
  func recipe(_ name: String, _ lines: String) throws -> String {
    let file = "\(path)/\(name).yaml"
    let common = """
      model: \(path)/model
      initialize: random
      data: [{path: \(path)/clinic.jsonl}]
      sequence_length: 64
      learning_rate: 2.0e-3
      threads: 1
      seed: 5
      output: \(path)/\(name)

      """
    let keys = Set(lines.split(separator: "\n").map { $0.prefix { $0 != ":" } })
    let kept = common.split(separator: "\n").filter { !keys.contains($0.prefix { $0 != ":" }) }
    try Files.writeAtomically(kept.joined(separator: "\n") + "\n" + lines + "\n", to: file)
    return file
  }

  @discardableResult
  func holdfast(_ arguments: String...) -> Outcome { Process(arguments, in: path).wait() }

  /// The command with `text` on its standard input.
  func holdfast(_ arguments: String..., reading text: String) throws -> Outcome {
    Process(arguments, in: path, input: try write(text, to: "in")).wait()
  }

  /// A script of the shell in which `$holdfast` is the command.
  func shell(_ script: String) -> Outcome {
    Process(["-c", "holdfast=\(Process.holdfast)\n" + script], in: path, program: "/bin/sh").wait()
  }

  /// Writes a file beside the others; its path.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try Files.writeAtomically(text, to: path + "/" + name)
    return path + "/" + name
  }

  /// A copy of a model folder that a test may damage; its path.
  func copy(_ folder: String, as name: String) throws -> String {
    try Self.copy(folder, to: path + "/" + name)
    return path + "/" + name
  }

  static func copy(_ folder: String, to copy: String) throws {
    try Files.makeFolder(copy)
    for file in try Files.list(folder) {
      let from = try MappedFile(path: folder + "/" + file)
      try withExtendedLifetime(from) { try FileWriter(path: copy + "/" + file).write(from.bytes) }
    }
  }

  func bytes(_ name: String) throws -> [UInt8] {
    let file = try MappedFile(path: path + "/" + name)
    return withExtendedLifetime(file) { Array(file.bytes) }
  }
}

extension Outcome {
  /// What was printed, a JSON value each line.
  func lines() throws -> [JSON] { try output.split(separator: "\n").map { try JSON(text: String($0)) } }

  /// Which of the words are not in what it printed, on either stream.
  func lacks(_ words: String...) -> [String] { words.filter { !(output + errors).contains($0) } }
}
