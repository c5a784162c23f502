import HoldfastBasics
import HoldfastDecoding
import HoldfastServer

/// What a server's YAML says: the options of the command line under their names, limits, and named mixtures.
struct ServeFile {
  /// As flags; those that the command line gives win.
  var arguments: [String] = []
  var limits = ServerLimits()
  var models: [VirtualModel] = []

  /// The flags that a file may hold, with underscores for dashes.
  static let options = [
    "model", "adapter", "precision", "device", "threads", "weights", "expert", "anti_expert", "expert_weight", "mode", "beta", "upscale_top_p",
    "ratio_clip", "base_top_p", "plausibility", "allow_negative", "any_weights", "any_expert", "vocabulary", "speculate", "draft", "block", "fixed_block",
    "port", "host", "key_file", "no_key", "name", "rows", "context", "expert_format", "anti_expert_format",
  ]

  init() {}

  /// - Throws: `Problems` with everything that is wrong in it.
  init(_ path: String, flags: [String]) throws {
    let given = Set(flags.compactMap { $0.hasPrefix("--") ? String($0.dropFirst(2).prefix { $0 != "=" }).replacingDashes() : nil })
    self = try KeyReader.read(KeySource(file: path)) { reader in
      var file = ServeFile()
      for name in Self.options {
        guard let value = reader.json(name, kind: "as the flag takes it", otherwise: "", doc: "the option of that name"), !given.contains(name) else { continue }
        file.arguments += Self.flag(name, value, reader)
      }
      file.limits = reader.section("limits") { Self.limits($0) }
      if let models = reader.json("models", kind: "names with how experts are mixed", otherwise: "", doc: "further models") {
        guard let object = models.object else {
          reader.complain("models", "names with how experts are mixed are expected")
          return file
        }
        for (name, value) in object.members {
          guard let keys = value.object else {
            reader.complain("models", "\(name) is no mixture; keys with values are")
            continue
          }
          file.models.append(reader.nested(keys, at: "models.\(name)") { VirtualModel(name, Self.emulation($0)) }.0)
        }
      }
      return file
    }.0
  }

  private static func flag(_ name: String, _ value: JSON, _ reader: KeyReader) -> [String] {
    let flag = "--" + String(name.map { $0 == "_" ? "-" : $0 })
    if let isSet = value.bool { return isSet ? [flag] : [] }
    var texts: [String] = []
    for element in value.array ?? [value] {
      switch element {
      case .string(let text): texts.append(text)
      case .integer, .number: texts.append(element.text())
      default:
        reader.complain(name, "texts or numbers are expected")
        return []
      }
    }
    return [flag] + texts
  }

  private static func limits(_ reader: KeyReader) -> ServerLimits {
    var limits = ServerLimits()
    limits.bodyBytes = reader.value("body_bytes", default: limits.bodyBytes, in: 1024...(1 << 30), doc: "bytes of a request")
    limits.tokens = reader.value("tokens", default: limits.tokens, in: 1...(1 << 24), doc: "tokens of an answer")
    limits.choices = reader.value("choices", default: limits.choices, in: 1...1024, doc: "answers to a prompt")
    limits.jobs = reader.value("jobs", default: limits.jobs, in: 1...4096, doc: "prompts times answers of a request")
    limits.stops = reader.value("stops", default: limits.stops, in: 0...1024, doc: "stop texts")
    limits.queue = reader.value("queue", default: limits.queue, in: 0...(1 << 20), doc: "answers that wait for a row")
    limits.seconds = reader.value("seconds", default: limits.seconds, in: Above(0.0), doc: "seconds of a request")
    limits.connections = reader.value("connections", default: limits.connections, in: 1...65536, doc: "connections")
    return limits
  }

  private static func emulation(_ reader: KeyReader) -> Emulation {
    var e = Emulation()
    if let mode = reader.optional("mode", as: String.self, doc: "reward or delta") {
      if let mode = Emulation.Mode(rawValue: mode) { e.mode = mode } else { reader.complain("mode", "reward or delta is expected") }
    }
    e.beta = reader.value("beta", default: e.beta, doc: "strength")
    e.weights = reader.value("weights", default: e.weights, doc: "one for each expert")
    e.upscaleTopP = reader.optional("upscale_top_p", doc: "as the flag")
    e.ratioClip = reader.optional("ratio_clip", doc: "as the flag")
    e.baseTopP = reader.optional("base_top_p", doc: "as the flag")
    e.plausibility = reader.optional("plausibility", doc: "as the flag")
    e.allowsNegative = reader.value("allow_negative", default: false, doc: "as the flag")
    e.allowsAnyWeights = reader.value("any_weights", default: false, doc: "as the flag")
    return e
  }
}
