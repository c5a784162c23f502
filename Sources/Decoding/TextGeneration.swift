internal import HoldfastBasics
public import HoldfastEngine
public import HoldfastModels

extension Decoder {
  /// Continues every prompt; each row's draws depend on its own seed alone. `onToken` sees (row, token) as they come and may end the row by
  /// answering false.
  public func generate(
    _ requests: [GenerationRequest], onToken: ((Int, Int) -> Bool)? = nil
  ) throws(EngineError) -> [[Int]] {
    let longest = requests.map { $0.prompt.count + $0.maximumTokens }.max() ?? 0
    guard longest > 0 else { return requests.map { _ in [] } }
    do {
      let engine = try GenerationEngine(Ensemble(DecodingModel(self)), rows: min(requests.count, 64), capacity: longest)
      return try engine.run(requests, ignoresContext: true, onToken: onToken).map { $0.map(\.id) }
    } catch let error as EngineError {
      throw error
    } catch {
      throw EngineError("\(error)")
    }
  }
}

extension GenerationEngine {
  /// Runs requests to their ends; the tokens of each in the order given.
  public func run(
    _ requests: [GenerationRequest], ignoresContext: Bool = false, onToken: ((Int, Int) -> Bool)? = nil
  ) throws -> [[GeneratedToken]] {
    var results = [[GeneratedToken]](repeating: [], count: requests.count), places: [Int: Int] = [:]
    for (place, request) in requests.enumerated() where request.maximumTokens > 0 {
      places[try add(request, ignoresContext: ignoresContext)] = place
    }
    while count > 0 {
      for progress in try advance() {
        guard let place = places[progress.request] else { continue }
        for token in progress.tokens {
          results[place].append(token)
          if onToken?(place, token.id) == false {
            places[progress.request] = nil
            remove(progress.request)
            break
          }
        }
      }
    }
    return results
  }
}
