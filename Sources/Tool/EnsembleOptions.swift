public import ArgumentParser
import HoldfastBasics
import HoldfastDatasets
public import HoldfastDecoding
import HoldfastEngine
import HoldfastEvaluation
import HoldfastModels
import HoldfastTokenizers

/// Which models choose tokens together, and how.
struct EnsembleOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case plain, chat }
  enum Proposals: String, ExpressibleByArgument, CaseIterable { case none, coupled, rejection }

  @OptionGroup var options: ModelOptions
  @Option(help: "How matrices are kept for decoding: stored, or int8 with a scale for each row.") var weights: DecodingWeights = .asStored
  @Option(
    parsing: .upToNextOption,
    help:
      "Tuned small model, or an adapter on the anti-expert; several are mixed by --expert-weight. The model is then decoded as if it had been tuned so."
  )
  var expert: [String] = []
  @Option(help: "What the experts were before they were tuned.") var antiExpert: String?
  @Option(parsing: .upToNextOption, help: "Weights of the experts (default: equal shares of 1).") var expertWeight: [Double] = []
  @Option(help: "reward: base + β·(expert − anti-expert); delta: expert + β·(base − anti-expert), one expert.") var mode: Emulation.Mode =
    .reward
  @Option(help: "β: how strongly the difference acts; 0 is the base alone (reward).") var beta = 1.0
  @Option(help: "Mode delta: act only on the expert's likeliest tokens of this mass.") var upscaleTopP: Double?
  @Option(help: "Keep the log-ratio within plus and minus this.") var ratioClip: Double?
  @Option(help: "Only the base's likeliest tokens of this mass may come (DExperts: 0.9).") var baseTopP: Double?
  @Option(help: "Only tokens of at least this share of the base's greatest probability may come (contrastive decoding: 0.1).")
  var plausibility: Double?
  @Flag(help: "Allow a negative β or weight, which reverses what tuning did.") var allowNegative = false
  @Flag(help: "Allow weights that do not add up to 1.") var anyWeights = false
  @Flag(help: "Allow experts whose runs say that they were tuned from another model than the anti-expert.") var anyExpert = false
  @Option(help: "strict: an id must be the same token everywhere; map: tokens are matched by their text.") var vocabulary:
    CommonVocabulary.Rule = .strict
  @Option(help: "Propose tokens in blocks: coupled gives exactly the same tokens, rejection the same distribution.") var speculate:
    Proposals = .none
  @Option(help: "Small model that proposes (default: the experts).") var draft: String?
  @Option(help: "Tokens of a block, or of the first where blocks adapt.") var block = 8
  @Flag(help: "Blocks stay as long as they are.") var fixedBlock = false

  func validate() throws {
    if !expertWeight.isEmpty, expertWeight.count != expert.count {
      throw ValidationError("there are \(expertWeight.count) weights for \(expert.count) experts")
    }
    if !expert.isEmpty, antiExpert == nil {
      throw ValidationError("--expert needs --anti-expert: the model that it was before it was tuned")
    }
    if speculate != .none, expert.isEmpty, draft == nil {
      throw ValidationError("--speculate needs somebody who proposes: --expert or --draft")
    }
    if let complaint = speculation?.complaints.first { throw ValidationError(complaint) }
    let complaints = emulation.complaints(experts: expert.count, hasBase: true, hasAntiExpert: antiExpert != nil)
    if !complaints.isEmpty { throw ValidationError(complaints.joined(separator: "\n")) }
  }

  /// What changes no score, or is not done where a model is only asked, is refused instead of passed over.
  func refuseGeneration(by command: String) throws {
    if speculate != .none || draft != nil { throw ValidationError("--speculate and --draft change no score; they are for generate, chat and serve, not for \(command)") }
    if !isEmulated, weights != .asStored { throw ValidationError("--weights is for decoding; \(command) asks a single model with its weights as they are stored") }
  }

  /// The options as words of a command line say them.
  /// - Throws: `Problems` with what is wrong with them.
  static func reading(_ words: [String]) throws(Problems) -> EnsembleOptions {
    do { return try parse(words) } catch { throw Problems("experts", [message(for: error)]) }
  }

  /// A model with experts beside it; what is not said here stays as it is.
  static func of(
    _ model: String, experts: [String], antiExpert: String?, weights: [Double] = [], beta: Double? = nil, anyExpert: Bool = false, precision: String? = nil
  ) throws(Problems) -> EnsembleOptions {
    var words = ["--model", model, "--expert"] + experts
    if let antiExpert { words += ["--anti-expert", antiExpert] }
    if !weights.isEmpty { words += ["--expert-weight"] + weights.map { "\($0)" } }
    if let beta { words += ["--beta", "\(beta)"] }
    if anyExpert { words.append("--any-expert") }
    if let precision { words += ["--precision", precision] }
    return try reading(words)
  }

  var isEmulated: Bool { antiExpert != nil }

  var emulation: Emulation {
    var e = Emulation(mode, beta: beta)
    (e.weights, e.upscaleTopP, e.ratioClip, e.baseTopP, e.plausibility) = (expertWeight, upscaleTopP, ratioClip, baseTopP, plausibility)
    (e.allowsNegative, e.allowsAnyWeights) = (allowNegative, anyWeights)
    return e
  }

  var speculation: Speculation? {
    guard let scheme = Speculation.Scheme(rawValue: speculate.rawValue) else { return nil }
    return Speculation(scheme, block: block, isAdaptive: !fixedBlock)
  }

  /// What is measured: the model, or the ensemble in its place.
  func evaluator() throws -> Evaluator {
    if !isEmulated { return try options.evaluator() }
    let loaded = try load()
    var evaluator = loaded.evaluator
    evaluator.ensemble = loaded.ensemble
    evaluator.end(at: loaded.endIDs)
    return evaluator
  }

  /// The same for a suite, loaded when something must be asked of it.
  func suiteModel() throws -> SuiteModel {
    guard isEmulated, let antiExpert else { return try options.suiteModel() }
    let small = try modelFolder(antiExpert), precision = options.precision.rawValue
    var hash = ContentHash()
    hash.update("ensemble \(weights) \(vocabulary) \(emulation)\n")
    for folder in try [small] + [draft].compactMap({ $0 }).map({ try modelFolder($0) }) {
      hash.update(try SuiteModel.hash(folder: folder, precision: precision) + "\n")
    }
    hash.update("base \(try options.suiteModel().hash)\n")
    for expert in try expert.map({ try modelFolder($0) }) {
      let isAdapter = Files.exists(expert + "/" + AdapterFolder.configurationFile)
      hash.update("expert \(try SuiteModel.hash(folder: isAdapter ? small : expert, adapters: isAdapter ? [expert] : [], precision: precision))\n")
    }
    return SuiteModel(hash: hash.finish()) { try evaluator() }
  }

  /// Experts are what tuning made of the anti-expert, as far as their runs tell.
  func checkOrigins() throws {
    guard let antiExpert, !anyExpert else { return }
    let parent = try modelFolder(antiExpert)
    var problems = Problems("experts")
    for name in expert {
      switch try ExpertOrigin(of: modelFolder(name), from: parent) {
      case .child: break
      case .stranger(let starts):
        problems.add(
          "\(name) was tuned from \(starts.joined(separator: ", which was tuned from ")), whose weights are not those of \(antiExpert); "
            + "name what it was tuned from with --anti-expert, or say --any-expert")
      case .unknown: printError("note: nothing beside \(name) tells that it was tuned from \(antiExpert)")
      }
    }
    try problems.check()
  }

  func load() throws -> LoadedEnsemble {
    try checkOrigins()
    let evaluator = try options.evaluator(), dtype = evaluator.model.dtype, device = evaluator.model.device
    var decoders = [evaluator.model]
    func decoder(_ name: String) throws -> (Decoder, Tokenizer) {
      let folder = try ModelFolder(modelFolder(name))
      let weights = SharedWeights(try FileWeights(folder: folder.path), with: decoders)
      let made = try Decoder(folder.configuration, weights: weights, subject: folder.path, dtype: dtype, device: device)
      decoders.append(made)
      return (made, try Tokenizer(folder: folder.path))
    }
    let base = try Ensemble.Member("the model \(options.model)", DecodingModel(evaluator.model, weights: weights))
    let drafted = try draft.map { try decoder($0) }
    var tokenizers = [evaluator.tokenizer], widths = [evaluator.model.configuration.vocabularySize]
    if let drafted {
      // Who proposes must mean the same by an id, whatever the rule for experts is.
      let other = CommonVocabulary.Member(name: draft!, tokenizer: drafted.1, width: drafted.0.configuration.vocabularySize)
      _ = try CommonVocabulary(base: .init(name: options.model, tokenizer: tokenizers[0], width: widths[0]), experts: [other], antiExpert: nil, rule: .strict)
    }
    guard let antiExpert else {
      let ensemble = try Ensemble(
        base: base, draft: drafted.map { Ensemble.Member("the draft \(draft!)", try DecodingModel($0.0, weights: weights)) },
        emulation: emulation)
      return LoadedEnsemble(ensemble: ensemble, evaluator: evaluator, expertTokenizer: nil, antiTokenizer: nil)
    }
    // An adapter shares the anti-expert's weights, and both run as one batch.
    let small = try decoder(antiExpert)
    let folders = try expert.map { try modelFolder($0) },
      isAdapter = folders.map { Files.exists($0 + "/" + AdapterFolder.configurationFile) }
    var adapterCount = 0
    for (folder, isAdapter) in zip(folders, isAdapter) where isAdapter {
      let adapter = try AdapterFolder(folder)
      try small.0.attach(adapter.configuration, weights: adapter.weights, subject: folder)
      adapterCount += 1
    }
    let anti = try DecodingModel(small.0, weights: weights)
    var experts: [Ensemble.Member] = [], place = 0
    for (i, folder) in folders.enumerated() {
      let name = "the expert \(expert[i])"
      if isAdapter[i] {
        experts.append(.init(name, anti, adapters: .only(place)))
        tokenizers.append(small.1)
        widths.append(small.0.configuration.vocabularySize)
        place += 1
        continue
      }
      let (made, tokenizer) = try decoder(folder)
      let c = made.configuration, s = small.0.configuration
      if (c.hiddenSize, c.layerCount, c.intermediateSize) != (s.hiddenSize, s.layerCount, s.intermediateSize) {
        throw EngineError(
          "\(folder) is no tune of \(antiExpert): it has \(c.layerCount) layers of \(c.hiddenSize) and \(c.intermediateSize), the other \(s.layerCount) of \(s.hiddenSize) and \(s.intermediateSize)"
        )
      }
      experts.append(.init(name, try DecodingModel(made, weights: weights)))
      tokenizers.append(tokenizer)
      widths.append(c.vocabularySize)
    }
    func member(_ i: Int, _ name: String) -> CommonVocabulary.Member { .init(name: name, tokenizer: tokenizers[i], width: widths[i]) }
    let common = try CommonVocabulary(
      base: member(0, options.model), experts: expert.indices.map { member(1 + $0, expert[$0]) },
      antiExpert: .init(name: antiExpert, tokenizer: small.1, width: small.0.configuration.vocabularySize), rule: vocabulary)
    let ensemble = try Ensemble(
      base: base, experts: experts, antiExpert: .init("the anti-expert \(antiExpert)", anti, adapters: adapterCount > 0 ? .none : .all),
      draft: drafted.map { Ensemble.Member("the draft \(draft!)", try DecodingModel($0.0, weights: weights)) }, emulation: emulation,
      vocabulary: common)
    return LoadedEnsemble(
      ensemble: ensemble, evaluator: evaluator, expertTokenizer: tokenizers.count > 1 ? tokenizers[1] : nil, antiTokenizer: small.1)
  }
}

extension DecodingWeights: ExpressibleByArgument {}
extension Emulation.Mode: ExpressibleByArgument {}
extension CommonVocabulary.Rule: ExpressibleByArgument {}

/// An ensemble with what turns text into its ids and back.
struct LoadedEnsemble {
  let ensemble: Ensemble
  /// The base's.
  let evaluator: Evaluator
  let expertTokenizer, antiTokenizer: Tokenizer?

  var tokenizer: Tokenizer { evaluator.tokenizer }

  /// Tokens that end a text: the base's, and the experts' where they mean the same by the id.
  var endIDs: Set<Int> {
    var ids = evaluator.endIDs
    if let expertTokenizer, let end = expertTokenizer.endID,
      tokenizer.token(end) ?? expertTokenizer.token(end) == expertTokenizer.token(end)
    {
      ids.insert(end)
    }
    return ids
  }

  /// A text as each model is to see it.
  struct Formats {
    var base = EnsembleOptions.Format.plain
    var expert: EnsembleOptions.Format?
    var antiExpert: EnsembleOptions.Format?
  }

  /// Prompts of a conversation, or of a text where the format is plain: then the last message stands alone.
  func request(_ messages: [JSON], _ formats: Formats, maximumTokens: Int, sampling: Sampling) throws -> GenerationRequest {
    var request = GenerationRequest(
      prompt: try ids(messages, tokenizer, formats.base), maximumTokens: maximumTokens, stopIDs: endIDs, sampling: sampling)
    if ensemble.isEmulated {
      request.expertPrompt = try expertTokenizer.map { try ids(messages, $0, formats.expert ?? formats.base) }
      request.antiExpertPrompt = try antiTokenizer.map { try ids(messages, $0, formats.antiExpert ?? formats.base) }
    }
    return request
  }

  private func ids(_ messages: [JSON], _ tokenizer: Tokenizer, _ format: EnsembleOptions.Format) throws -> [Int] {
    if format == .plain {
      let text = messages.last?["content"]?.string ?? "", ids = tokenizer.encode(text, addSpecialTokens: false), front = tokenizer.front
      return ids.starts(with: front) ? ids : front + ids
    }
    guard let template = try TemplateMessages(tokenizer, clock: ThisProcess.localTime) else {
      throw EngineError("this model has no chat template; use the format plain, or put chat_template.jinja beside its tokenizer")
    }
    let rendered = try template.render(["messages": .array(messages)], training: messages.map { _ in false }, addGenerationPrompt: true)
    return tokenizer.encode(rendered.text, addSpecialTokens: false)
  }
}
