internal import HTTPTypes
internal import HoldfastDecoding
internal import HoldfastBasics
internal import Synchronization

/// Counts since the start, as Prometheus reads them.
final class ServerMetrics: Sendable {
  private struct Counts {
    var requests: [String: Int] = [:]
    var refusals: [Int: Int] = [:]
    var gone = 0
    var answers = 0
    var tokens = 0
    var first = Histogram(), whole = Histogram()
  }

  /// Seconds, in buckets.
  private struct Histogram {
    static let bounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
    var counts = [Int](repeating: 0, count: bounds.count + 1)
    var sum = 0.0

    mutating func add(_ seconds: Double) {
      counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
      sum += seconds
    }
  }

  private let counts = Mutex(Counts())

  func count(route: String) { counts.withLock { $0.requests[route, default: 0] += 1 } }
  func count(refused: APIError) { counts.withLock { $0.refusals[refused.status.code, default: 0] += 1 } }
  func countGone() { counts.withLock { $0.gone += 1 } }
  func count(first duration: Duration) { counts.withLock { $0.first.add(duration / .seconds(1)) } }
  func count(answered duration: Duration, tokens: Int) {
    counts.withLock { counts in
      counts.answers += 1
      counts.tokens += tokens
      counts.whole.add(duration / .seconds(1))
    }
  }

  func text(_ facts: EngineFacts, rows: Int) -> String {
    let now = counts.withLock { $0 }
    var out = ""
    func metric(_ name: String, _ kind: String, _ help: String, _ values: [(String, String)]) {
      out += "# HELP holdfast_\(name) \(help)\n# TYPE holdfast_\(name) \(kind)\n"
      for (labels, value) in values { out += "holdfast_\(name)\(labels) \(value)\n" }
    }
    func one(_ name: String, _ kind: String, _ help: String, _ value: Int) { metric(name, kind, help, [("", String(value))]) }
    metric("requests_total", "counter", "Requests by route.", now.requests.sorted { $0.key < $1.key }.map { ("{route=\"\($0)\"}", String($1)) })
    metric("refusals_total", "counter", "Requests refused, by status.", now.refusals.sorted { $0.key < $1.key }.map { ("{status=\"\($0)\"}", String($1)) })
    one("disconnects_total", "counter", "Requests whose client left before the end.", now.gone)
    one("answers_total", "counter", "Requests answered to the end.", now.answers)
    one("answer_tokens_total", "counter", "Tokens of answers that went to their end.", now.tokens)
    one("engine_tokens_total", "counter", "Tokens generated.", facts.counts?.tokens ?? 0)
    one("prompt_tokens_total", "counter", "Tokens of prompts.", facts.counts?.promptTokens ?? 0)
    one("prompt_tokens_shared_total", "counter", "Tokens of prompts that a cache held already.", facts.counts?.sharedPromptTokens ?? 0)
    one("proposed_tokens_total", "counter", "Tokens proposed in speculation and looked at.", facts.counts?.proposed ?? 0)
    one("agreed_tokens_total", "counter", "Of these, those that held.", facts.counts?.agreed ?? 0)
    one("rows", "gauge", "Answers that can be generated at once.", rows)
    one("rows_running", "gauge", "Answers that are being generated.", facts.running)
    one("queue_length", "gauge", "Answers that wait for a row.", facts.waiting)
    one("live_tensors", "gauge", "Tensors alive.", facts.liveTensors)
    for (name, help, histogram) in [
      ("first_token_seconds", "From a request to its first token.", now.first), ("request_seconds", "From a request to its end.", now.whole),
    ] {
      var values: [(String, String)] = [], sum = 0
      for (i, bound) in Histogram.bounds.enumerated() {
        sum += histogram.counts[i]
        values.append(("_bucket{le=\"\(bound)\"}", String(sum)))
      }
      sum += histogram.counts.last!
      values += [("_bucket{le=\"+Inf\"}", String(sum)), ("_sum", "\(histogram.sum)"), ("_count", String(sum))]
      metric(name, "histogram", help, values)
    }
    return out
  }
}
