// Qwen3 (Yang et al. 2025): a norm on every query and key head, heads of a width of their own, no biases by default.

extension ModelConfiguration {
  static func qwen3(_ reader: inout ConfigurationReader) -> ModelConfiguration {
    var result = reader.common(family: "qwen3", theta: 1_000_000)
    result.headWidth = reader.int("head_dim", default: 128)
    result.queryKeyValueBias = reader.flag("attention_bias", default: false)
    result.outputBias = result.queryKeyValueBias
    result.queryKeyNorm = true
    result.windows = reader.switchedWindows(layers: result.layerCount)
    return result
  }
}
