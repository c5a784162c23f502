internal import HoldfastEngine

extension [String: Tensor] {
  /// Tensors whose name begins so, without that beginning.
  func behind(_ prefix: String) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in self where name.hasPrefix(prefix) { result[String(name.dropFirst(prefix.count))] = tensor }
    return result
  }

  /// The same names behind a beginning.
  func prefixed(_ prefix: String) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: map { (prefix + $0, $1) })
  }
}
