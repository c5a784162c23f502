internal import HoldfastBasics

extension KeySource {
  /// Lets values from flags win over the file's, and later ones over earlier ones.
  mutating func override(with pairs: [(key: String, value: String)]) throws(Problems) {
    var problems = Problems("command line")
    for (key, text) in pairs {
      let path = key.replacingDashes()
      // A whole value replaces what was given inside it; one length of the run replaces the other.
      for earlier in overrides.keys where earlier.hasPrefix(path + ".") || earlier.hasPrefix(path + "[") {
        overrides[earlier] = nil
      }
      for (this, other) in [("steps", "epochs"), ("epochs", "steps")]
      where path == this && !pairs.contains(where: { $0.key == other }) {
        overrides[other] = nil
      }
      do {
        overrides[path] = (try YAML.value(text, subject: key), text)
      } catch {
        problems.add(error.description)
      }
    }
    try problems.check()
  }
}
