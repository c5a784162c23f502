// Mistral (Jiang et al. 2023): as Llama, with a sliding window on every layer where the file names one.

extension ModelConfiguration {
  static func mistral(_ reader: inout ConfigurationReader) -> ModelConfiguration {
    var result = reader.common(family: "mistral", theta: 10_000)
    let window = reader.int("sliding_window", default: 0)
    if window > 0 { result.windows = reader.windows(size: window, from: 0, layers: result.layerCount) }
    return result
  }
}
