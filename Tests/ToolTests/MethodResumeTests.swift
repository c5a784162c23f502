import HoldfastBasics
import Testing

/// Runs of every method, killed and taken up again.
@Suite struct MethodResumeTests {
  @Test(arguments: [
    "l2: {lambda: 30}", "l2: {lambda: 0.05, form: gradient}", "l1: {lambda: 0.4}", "lisa: {layers: 1, every: 3}", "mofo", "gmt", "spider", "average: {decay: 0.8}",
    "talr", "dft", "eaft: {likeliest: 5}", "stm: {perplexity: 1000}", "flow", "kl", "kl: {direction: reverse, beta: 0.5}", "lwf", "tmkl", "asft", "agem: {data: TEXT, rows: 2}", "ewc: {lambda: 5, data: TEXT, examples: 12, length: 32}",
    "cofitune: {layers: all, units: [inner, output, head], importance: {batches: 3}}", "v_softmask: {importance: {batches: 2, norm: rank}}",
    "ssu: {data: TEXT, examples: 12, length: 32}",
    "ewc: {lambda: 5, data: TEXT, examples: 12, length: 32, fisher: sampled, form: decoupled, control: shuffled}",
    "online_ewc: {lambda: 5, data: TEXT, examples: 12, length: 32, fisher: as_coded}",
    "mas: {lambda: 5, data: TEXT, examples: 12, length: 32, output: log_probabilities}", "path_integral", "si: {lambda: 3}",
    "rwalk: {lambda: 3, every: 3}", "si: {lambda: 3, importance: RECORDED}", "rwalk: {lambda: 3, every: 2, form: decoupled, importance: RECORDED}",
    "hierarchical: {importance: RECORDED, auto_steps: 3, refresh_every: 2, layer_weight: softmax_z}",
    "hierarchical: {importance: RECORDED, lambda: 10, form: decoupled, group: block, control: uniform}",
  ])
  func everyMethodResumesToTheByte(method: String) throws {
    let shop = try MethodWorkshop.make()
    let entry = (method.contains(":") ? "{\(method)}" : method).replacing("TEXT", with: shop.path + "/text.jsonl")
    var lines = "method: \(entry)\nsteps: 9\ncheckpoint: {every: 4, keep: 9}\nprecision: bf16"
    if entry.contains("RECORDED") {
      // A stage on other text records first, and the run goes on over its weights.
      let recorder = method.hasPrefix("hierarchical") ? "path_integral" : String(method.prefix { $0 != ":" })
      let knobs = recorder == "path_integral" ? "" : ": {lambda: 0}"
      try MethodWorkshop.tune(shop, "recorded", "method: {\(recorder)\(knobs.isEmpty ? ": {}" : knobs)}\nsteps: 6\nobjective: pretraining\ndata: \(shop.path)/text.jsonl")
      lines = lines.replacing("RECORDED", with: shop.path + "/recorded")
      for name in ["whole", "again"] {
        let outcome = shop.holdfast("tune", try shop.recipe(name, lines), "--model", shop.path + "/recorded/final", "--initialize", "pretrained")
        try #require(outcome.status == 0, "\(outcome.errors)")
      }
    } else {
      try MethodWorkshop.tune(shop, "whole", lines)
      try MethodWorkshop.tune(shop, "again", lines)
    }
    // As if the second run had been killed after step 5: the newest checkpoint is step 4, and metrics go further.
    for step in ["8", "9"] { try Files.remove("\(shop.path)/again/checkpoints/step-00000\(step)") }
    try Files.remove(shop.path + "/again/final")
    try Files.remove(shop.path + "/again/record")
    let outcome = shop.holdfast("resume", shop.path + "/again")
    try #require(outcome.status == 0, "\(outcome.errors)")
    var files = ["metrics.jsonl", "final/model.safetensors", "checkpoints/step-000009/state.safetensors"]
    for name in (try? Files.list(shop.path + "/whole/record")) ?? [] { files.append("record/\(name)/tensors.safetensors") }
    for file in files {
      #expect(try shop.bytes("whole/" + file) == shop.bytes("again/" + file), "\(method): \(file)")
    }
  }
}
