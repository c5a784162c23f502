internal import HoldfastBasics

extension PartReader {
  /// Ids are at most this many times the number of tokens and a million more: tables are as long as the highest id.
  static let sparseness = 4

  /// The model of tokenizer.json.
  ///
  /// - Parameter spellsBytes: whether words reach the model as bytes, its vocabulary in GPT-2's alphabet.
  func bytePairModel(spellsBytes: Bool) -> BytePairModel? {
    // Files before 2020 leave the type out of a BPE model.
    if let type = json["type"]?.string, type != "BPE" {
      unsupported(["BPE"])
      return nil
    }
    if json["dropout"]?.double ?? 0 != 0 { complain("dropout is not supported: encoding must not depend on chance") }
    guard let (tokens, ids) = vocabulary() else { return nil }
    let vocabulary = ByteStrings(tokens)
    let highest = Int(ids.max() ?? -1)
    let numbers = FixedArray<Int32>(repeating: -1, count: highest + 1) { numbers in
      for (number, id) in ids.enumerated() { numbers[Int(id)] = Int32(number) }
    }
    func id(_ text: some Collection<UInt8>) -> Int32? {
      let bytes = Array(text)
      let number = bytes.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { vocabulary.find($0, buffer.count) } ?? -1
      }
      return number < 0 ? nil : ids[number]
    }

    let prefix = Array(text("continuing_subword_prefix", default: "").utf8)
    let suffix = Array(text("end_of_word_suffix", default: "").utf8)
    let fallsBack = bool("byte_fallback", default: false)
    guard let merges = merges(prefix: prefix, id) else { return nil }

    let digits = Array("0123456789ABCDEF".utf8)
    func fallbackName(_ byte: Int) -> [UInt8] { Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15]] + Array(">".utf8) }
    let byteIDs = (0..<256).map { byte -> Int32 in
      if !spellsBytes { return fallsBack ? id(fallbackName(byte)) ?? -1 : -1 }
      var spelled: [UInt8] = []
      appendUTF8(ByteAlphabet.scalars[byte], to: &spelled)
      return id(spelled) ?? -1
    }
    let expressesAll = byteIDs.allSatisfy { $0 >= 0 }
    if spellsBytes, fallsBack, !expressesAll {
      complain("byte_fallback in a byte-level model that lacks some bytes is not supported")
    }
    var unknownID: Int32?
    if let unknown = json["unk_token"]?.string {
      unknownID = id(unknown.utf8)
      if unknownID == nil, !expressesAll { complain("unk_token \(unknown.debugDescription) is not in the vocabulary") }
    }

    return BytePairModel(
      vocabulary: vocabulary, ids: FixedArray(ids), numbers: numbers, merges: MergeTable(merges),
      spellsBytes: spellsBytes,
      wholeWords: bool("ignore_merges", default: false) ? wholeWords(tokens, spellsBytes, vocabulary) : nil,
      byteIDs: FixedArray(byteIDs), fallsBackToBytes: fallsBack && !spellsBytes, unknownID: unknownID,
      fusesUnknown: bool("fuse_unk", default: false), continuingPrefix: prefix, endOfWordSuffix: suffix,
      joints: !spellsBytes && expressesAll && prefix.isEmpty && suffix.isEmpty && json["ignore_merges"]?.bool != true
        ? joints(merges, vocabulary, numbers, byteIDs) : nil)
  }

  /// Token texts and ids in the order of the file.
  private func vocabulary() -> ([[UInt8]], [Int32])? {
    guard let object = json["vocab"]?.object else {
      complain("vocab is not an object of tokens and ids")
      return nil
    }
    var tokens: [[UInt8]] = []
    var ids: [Int32] = []
    tokens.reserveCapacity(object.count)
    ids.reserveCapacity(object.count)
    let bound = object.count * Self.sparseness + 1 << 20
    var taken = [Bool](repeating: false, count: object.count)
    for (token, value) in object.members {
      guard let id = value.int, id >= 0, id < bound else {
        complain("vocab: the id of \(token.debugDescription) is not a number from 0 to \(bound - 1)")
        return nil
      }
      if id >= taken.count { taken += repeatElement(false, count: max(id + 1, taken.count * 2) - taken.count) }
      if taken[id] {
        complain("vocab: the id \(id) stands twice, the second time for \(token.debugDescription)")
        return nil
      }
      taken[id] = true
      tokens.append(Array(token.utf8))
      ids.append(Int32(id))
    }
    return (tokens, ids)
  }

  /// `"a b"` and `["a", "b"]` alike.
  private func merges(prefix: [UInt8], _ id: ([UInt8]) -> Int32?) -> [MergeTable.Merge]? {
    guard let list = json["merges"]?.array else {
      complain("merges is not an array")
      return nil
    }
    var merges: [MergeTable.Merge] = []
    merges.reserveCapacity(list.count)
    for (rank, element) in list.enumerated() {
      if element.string?.hasPrefix("#version") == true { continue }
      var left: [UInt8]?
      var right: [UInt8]?
      if let text = element.string {
        let bytes = Array(text.utf8)
        if let space = bytes.firstIndex(of: 0x20), !bytes[(space + 1)...].contains(0x20) {
          (left, right) = (Array(bytes[..<space]), Array(bytes[(space + 1)...]))
        }
      } else if element.array?.count == 2 {
        (left, right) = (element[0]?.string.map { Array($0.utf8) }, element[1]?.string.map { Array($0.utf8) })
      }
      guard let left, let right else {
        complain("merges[\(rank)] is neither \"a b\" nor [\"a\", \"b\"]")
        return nil
      }
      let joined = left + right.dropFirst(right.starts(with: prefix) ? prefix.count : 0)
      let ids = [left, right, joined].map(id)
      guard let leftID = ids[0], let rightID = ids[1], let result = ids[2] else {
        let missing = String(decoding: zip([left, right, joined], ids).first { $0.1 == nil }?.0 ?? [], as: UTF8.self)
        complain("merges[\(rank)] needs the token \(missing.debugDescription), which is not in the vocabulary")
        return nil
      }
      merges.append(MergeTable.Merge(left: leftID, right: rightID, result: result))
    }
    return merges
  }

  private func wholeWords(_ tokens: [[UInt8]], _ spellsBytes: Bool, _ vocabulary: ByteStrings) -> ByteStrings {
    // A token outside the alphabet is never a word; the empty string in its place is never found.
    spellsBytes ? ByteStrings(tokens.map { ByteAlphabet.decode($0) ?? [] }) : vocabulary
  }

  /// Nil when a merge takes a byte token: bytes have no place among the scalars.
  private func joints(
    _ merges: [MergeTable.Merge], _ vocabulary: ByteStrings, _ numbers: FixedArray<Int32>, _ byteIDs: [Int32]
  ) -> Joints? {
    let bytes = Set(byteIDs)
    var pairs: [(UInt32, UInt32)] = []
    pairs.reserveCapacity(merges.count)
    for merge in merges {
      if bytes.contains(merge.left) || bytes.contains(merge.right) { return nil }
      let left = vocabulary[Int(numbers[Int(merge.left)])]
      let right = vocabulary[Int(numbers[Int(merge.right)])]
      guard let leftBase = left.baseAddress, let rightBase = right.baseAddress, !left.isEmpty, !right.isEmpty else {
        return nil
      }
      pairs.append((scalar(leftBase, scalarStart(leftBase, before: left.count)), scalar(rightBase, 0)))
    }
    return Joints(pairs)
  }
}
