// Llama (Touvron et al. 2023; Llama 2, 3): grouped heads, optional biases, rotary scaling.

extension ModelConfiguration {
  static func llama(_ reader: inout ConfigurationReader) -> ModelConfiguration {
    var result = reader.common(family: "llama", theta: 10_000)
    result.queryKeyValueBias = reader.flag("attention_bias", default: false)
    result.outputBias = result.queryKeyValueBias
    result.mlpBias = reader.flag("mlp_bias", default: false)
    return result
  }
}
