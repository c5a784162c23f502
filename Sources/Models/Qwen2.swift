// Qwen2 and Qwen2.5 (Yang et al. 2024): biases on query, key and value; a window only where it is switched on, from a
// layer on.

extension ModelConfiguration {
  static func qwen2(_ reader: inout ConfigurationReader) -> ModelConfiguration {
    var result = reader.common(family: "qwen2", theta: 1_000_000)
    result.queryKeyValueBias = true
    result.windows = reader.switchedWindows(layers: result.layerCount)
    return result
  }
}

extension ConfigurationReader {
  /// Qwen's rule: `sliding_window` counts only with `use_sliding_window`, from `max_window_layers` on.
  mutating func switchedWindows(layers: Int) -> [Int] {
    let window = int("sliding_window", default: 0)
    guard flag("use_sliding_window", default: false), window > 0 else { return Array(repeating: 0, count: layers) }
    return windows(size: window, from: int("max_window_layers", default: 28), layers: layers)
  }
}
