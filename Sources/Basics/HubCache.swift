/// The folder where Hugging Face's programs keep what they fetched. It is only read here: nothing is downloaded.
public struct HubCache: Sendable {
  /// Where to look, in order.
  public let folders: [String]

  public init(folders: [String]) { self.folders = folders }

  /// Where the programs of Hugging Face look, by the variables of an environment.
  public init(environment: (String) -> String?) {
    func set(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    if let cache = set("HF_HUB_CACHE") ?? set("HUGGINGFACE_HUB_CACHE") {
      self.init(folders: [cache])
    } else if let home = set("HF_HOME") {
      self.init(folders: [home + "/hub"])
    } else if let cache = set("XDG_CACHE_HOME") {
      self.init(folders: [cache + "/huggingface/hub"])
    } else {
      self.init(folders: set("HOME").map { [$0 + "/.cache/huggingface/hub"] } ?? [])
    }
  }

  /// Whether a name is one that the hub gives to models: two parts, none of them a way through folders.
  public static func isName(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        !part.isEmpty && part.first != "." && part.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "-._".unicodeScalars.contains($0)) }
      }
  }

  /// The folder of a model: the name itself where it is a folder, or else `owner/name` in the cache, at the revision that `main` had
  /// when it was fetched. A name that is neither comes back as it is, for whoever opens it to complain about.
  ///
  /// - Throws: `Problems` that say where was looked.
  public func folder(of name: String) throws -> String {
    if Files.exists(name) || !Self.isName(name) { return name }
    var looked: [String] = []
    for cache in folders {
      let model = cache + "/models--" + name.split(separator: "/").joined(separator: "--")
      let reference = model + "/refs/main"
      if Files.exists(reference) {
        let revision = try MappedFile(path: reference).text().split { $0.isWhitespace }.first ?? ""
        let snapshot = model + "/snapshots/" + revision
        if !revision.isEmpty, !revision.contains("/"), Files.isFolder(snapshot) { return snapshot }
        looked.append(snapshot)
      } else {
        looked.append(model)
      }
    }
    throw Problems(name, [
      "no such folder here, and no such model in the Hugging Face cache (looked for \(looked.isEmpty ? "nothing: HOME is not set" : looked.joined(separator: ", "))). Nothing is downloaded; fetch it with `hf download \(name)`, or name a folder"
    ])
  }
}
