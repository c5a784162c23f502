/// What a piece of input came to: output, and what is wrong with bad lines.
typealias PieceOfWork = (output: [UInt8], complaints: [String])

extension StandardInput {
  /// Reads standard input in pieces of whole lines, works on several at once, and writes the results in order.
  ///
  /// - Parameter work: gets a piece and the number of lines before it.
  /// - Returns: the number of complaints, each written to standard error.
  static func mapLines(_ work: @escaping @Sendable ([UInt8], Int) -> PieceOfWork) async throws -> Int {
    var output = OutputBuffer()
    var rest: [UInt8] = [], line = 0, bad = 0, isAtEnd = false
    while !isAtEnd {
      // Whole lines, enough of them to keep every processor busy.
      var pieces: [(bytes: [UInt8], line: Int)] = []
      while pieces.count < 8 && !isAtEnd {
        let more = try read(most: 1 << 17)
        isAtEnd = more.isEmpty
        rest += more
        guard let end = isAtEnd ? rest.count : rest.lastIndex(of: 0x0A).map({ $0 + 1 }) else { continue }
        pieces.append((Array(rest[..<end]), line))
        line += rest[..<end].count { $0 == 0x0A }
        rest.removeSubrange(..<end)
        if !isAtEnd && more.count < 1 << 12 { break }  // someone types, or feeds row by row: answer at once
      }
      let results = await withTaskGroup(of: (Int, PieceOfWork).self) { group in
        for (place, piece) in pieces.enumerated() {
          group.addTask { (place, work(piece.bytes, piece.line)) }
        }
        return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }
      }
      for (_, result) in results {
        output.append(result.output)
        bad += result.complaints.count
        for complaint in result.complaints { printError(complaint) }
      }
      try output.flush()
    }
    return bad
  }
}
