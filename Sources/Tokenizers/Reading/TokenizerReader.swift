internal import HoldfastBasics

/// The parts of a tokenizer.json, read and checked.
struct TokenizerParts {
  var normalizer: Normalizer?
  var preTokenizers: [PreTokenizer] = []
  var model: BytePairModel
  var postProcessors: [PostProcessor] = []
  var decoders: [Decoder]?
  /// In the order of the file.
  var addedTokens: [AddedToken] = []

  /// Reads the file; throws `Problems` with everything that is wrong in it.
  init(_ json: JSON, path: String) throws {
    let complaints = PartReader.Complaints(path)
    func part(_ key: String) -> PartReader? {
      guard let found = json[key], !found.isNull else { return nil }
      return PartReader(json: found, place: key, problems: complaints)
    }
    normalizer = part("normalizer")?.normalizer()
    preTokenizers = part("pre_tokenizer")?.preTokenizers() ?? []
    postProcessors = part("post_processor")?.postProcessors() ?? []
    decoders = part("decoder")?.decoders()
    // truncation and padding are passed over: how long a row may be is not the tokenizer's to say here.

    let spells = Self.settleSpelling(normalizer, &preTokenizers, complaints)
    let model = part("model")?.bytePairModel(spellsBytes: spells)
    if json["model"]?.object == nil { complaints.problems.add("there is no model") }
    if let model {
      let whole = PartReader(json: json, place: path, problems: complaints)
      addedTokens = whole.addedTokens(model)
    }
    try complaints.problems.check()
    guard let model else { throw Problems(path, ["the model cannot be read"]) }
    self.model = model
    try checkTemplates(path)
  }

  /// Whether words end as bytes in GPT-2's alphabet. A byte-level step that nothing follows need not write them.
  private static func settleSpelling(
    _ normalizer: Normalizer?, _ steps: inout [PreTokenizer], _ complaints: PartReader.Complaints
  ) -> Bool {
    var spelled = normalizer?.spellsBytes ?? false
    if spelled, case .sequence(let parts) = normalizer, !(parts.last?.spellsBytes ?? false) {
      complaints.problems.add("normalizer: a step after ByteLevel is not supported")
    }
    for i in steps.indices {
      switch steps[i] {
      case .byteLevel(let addsPrefixSpace, let splits, _):
        if spelled { complaints.problems.add("pre_tokenizer: ByteLevel a second time is not supported") }
        spelled = true
        steps[i] = .byteLevel(addsPrefixSpace: addsPrefixSpace, splits: splits, spells: i < steps.count - 1)
      case .metaspace where spelled:
        complaints.problems.add("pre_tokenizer: Metaspace after ByteLevel is not supported")
      default: break
      }
    }
    return spelled
  }

  /// Whether pieces reach the model spelt in GPT-2's alphabet and must be read back.
  var mustUnspell: Bool {
    if normalizer?.spellsBytes ?? false { return true }
    return preTokenizers.contains { if case .byteLevel(_, _, let spells) = $0 { spells } else { false } }
  }

  /// Ids of a template must be tokens that exist.
  private func checkTemplates(_ path: String) throws {
    var problems = Problems(path)
    let added = Set(addedTokens.map(\.id))
    for case .template(let parts) in postProcessors {
      for case .tokens(let ids) in parts {
        for id in ids where !added.contains(id) && !(id < model.numbers.count && model.numbers[id] >= 0) {
          problems.add("post_processor: there is no token with the id \(id)")
        }
      }
    }
    try problems.check()
  }
}

extension PartReader {
  /// `added_tokens`, with the ids that the `tokenizers` library gives them.
  ///
  /// The library goes by the vocabulary, or numbers the tokens on from its end, whatever `id` says; a file in
  /// which the two differ is refused, since no one can know which of them a model was trained with.
  fileprivate func addedTokens(_ model: BytePairModel) -> [AddedToken] {
    guard let list = json["added_tokens"], !list.isNull else { return [] }
    guard list.array != nil else {
      problems.problems.add("added_tokens is not an array")
      return []
    }
    var tokens: [AddedToken] = []
    var ids: [[UInt8]: Int] = [:]
    var highest = -1
    let size = model.vocabulary.count
    for (i, element) in (list.array ?? []).enumerated() {
      let part = PartReader(json: element, place: "added_tokens[\(i)]", problems: problems)
      let content = part.text("content")
      let said = part.count("id")
      if content.isEmpty { continue }
      let number = model.vocabulary.find(content)
      let id = ids[Array(content.utf8)] ?? (number >= 0 ? Int(model.ids[number]) : max(size, highest + 1))
      if said != id {
        part.complain(
          "the token \(content.debugDescription) says id \(said), but it is \(id) by the vocabulary and the order of added tokens")
        return tokens
      }
      ids[Array(content.utf8)] = id
      highest = max(highest, id)
      let special = part.bool("special", default: false)
      tokens.append(
        AddedToken(
          id: id, content: content, isSingleWord: part.bool("single_word", default: false),
          stripsLeft: part.bool("lstrip", default: false), stripsRight: part.bool("rstrip", default: false),
          isNormalized: part.bool("normalized", default: !special), isSpecial: special))
    }
    return tokens
  }
}
