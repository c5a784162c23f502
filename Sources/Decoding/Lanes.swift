internal import HoldfastEngine
internal import HoldfastModels

/// The models of an ensemble with their caches. A lane is one member with a prompt of its own; lanes on the same model share its
/// weights and run in one call, as further rows of its cache.
final class Lanes {
  struct Lane {
    let member: Ensemble.Member
    let group: Int
    /// Among the lanes of the group.
    let offset: Int
  }

  /// Tokens that go into a lane's row.
  struct Feed {
    let lane: Int
    let row: Int
    let ids: [Int]
    let wanted: Int
  }

  /// Where logits stand: rows `first` … of a tensor.
  struct Place {
    let logits: Tensor
    let first: Int
  }

  private struct Group {
    let model: DecodingModel
    let cache: KVCache
    let laneCount: Int
  }

  let lanes: [Lane]
  private let groups: [Group]
  /// By lane and row: the ids that the cache holds; those of a row that has ended stay until another takes it.
  private(set) var held: [[[Int]]]
  /// By lane: passes so far, however many rows and tokens shared them.
  private(set) var passes: [Int]

  init(_ members: [Ensemble.Member], rows: Int, capacity: Int) throws(EngineError) {
    var models: [DecodingModel] = [], counts: [Int] = [], lanes: [Lane] = []
    for member in members {
      let group = models.firstIndex { $0 === member.model } ?? models.count
      if group == models.count {
        models.append(member.model)
        counts.append(0)
      }
      lanes.append(Lane(member: member, group: group, offset: counts[group]))
      counts[group] += 1
    }
    var groups: [Group] = []
    for (model, count) in zip(models, counts) {
      groups.append(Group(model: model, cache: try model.cache(rows: rows * count, capacity: capacity), laneCount: count))
    }
    self.lanes = lanes
    self.groups = groups
    held = Array(repeating: Array(repeating: [], count: rows), count: lanes.count)
    passes = Array(repeating: 0, count: lanes.count)
  }

  private func slot(_ lane: Int, _ row: Int) -> Int { row * groups[lanes[lane].group].laneCount + lanes[lane].offset }

  /// Runs all feeds, each model once. The place of each feed's wanted logits.
  func feed(_ feeds: [Feed]) throws(EngineError) -> [Place?] {
    var places = [Place?](repeating: nil, count: feeds.count)
    for (g, group) in groups.enumerated() {
      let mine = feeds.indices.filter { lanes[feeds[$0].lane].group == g && !feeds[$0].ids.isEmpty }
        .sorted { slot(feeds[$0].lane, feeds[$0].row) < slot(feeds[$1].lane, feeds[$1].row) }
      if mine.isEmpty { continue }
      let logits = try group.model.advance(
        mine.map { i in
          let feed = feeds[i]
          return RowTokens(row: slot(feed.lane, feed.row), ids: feed.ids, wanted: feed.wanted, adapters: lanes[feed.lane].member.adapters)
        }, in: group.cache)
      var first = 0
      for i in mine {
        if feeds[i].wanted > 0 { places[i] = Place(logits: logits, first: first) }
        first += feeds[i].wanted
        held[feeds[i].lane][feeds[i].row] += feeds[i].ids
      }
      for lane in Set(mine.map { feeds[$0].lane }) { passes[lane] += 1 }
    }
    return places
  }

  /// Forgets what a row holds behind its first `count` tokens.
  func crop(_ lane: Int, _ row: Int, to count: Int) {
    guard held[lane][row].count > count else { return }
    held[lane][row].removeSubrange(count...)
    groups[lanes[lane].group].cache.crop(row: slot(lane, row), to: count)
  }

  /// Copying keys and values for fewer tokens than this costs more than it saves.
  private static let leastCopied = 16

  /// Begins a row with as much of a prompt as any row of the lane holds; gives how much that is.
  func begin(_ lane: Int, _ row: Int, _ prompt: [Int]) throws(EngineError) -> Int {
    let own = sharedCount(held[lane][row], prompt)
    var best = (row: row, count: own)
    for other in held[lane].indices where other != row && prompt.count >= own + Self.leastCopied {
      let count = sharedCount(held[lane][other], prompt)
      if count >= max(best.count + 1, own + Self.leastCopied) { best = (other, count) }
    }
    let cache = groups[lanes[lane].group].cache
    try cache.copyPrefix(of: slot(lane, best.row), count: best.count, to: slot(lane, row))
    held[lane][row] = Array(prompt[..<best.count])
    return best.count
  }

  /// How much of a prompt a row of the first lane holds.
  func overlap(_ row: Int, _ prompt: [Int]) -> Int { sharedCount(held[0][row], prompt) }

  private func sharedCount(_ a: [Int], _ b: [Int]) -> Int {
    var count = 0
    while count < a.count, count < b.count, a[count] == b[count] { count += 1 }
    return count
  }
}
