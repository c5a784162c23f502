public import HoldfastBasics

extension FrontierSummary {
  /// Every number, for programs.
  public var json: JSON {
    [
      "format": 1, "name": .string(name), "reference": .string(reference), "seeds": .array(seeds.map { .integer($0) }), "done": .integer(done),
      "planned": .integer(planned), "measures": .array(measures.map(\.json)),
      "costs": .array(costs.map { cost in
        [
          "method": .string(cost.method), "points": .integer(cost.runs), "trials": .integer(cost.trials), "trained": number(cost.trained),
          "preparing_seconds": number(cost.preparingSeconds), "training_seconds": number(cost.trainingSeconds),
          "measuring_seconds": number(cost.measuringSeconds), "peak_bytes": cost.peakBytes.map { .integer($0) } ?? .null,
          "bytes": cost.bytes.map { .integer($0) } ?? .null,
        ]
      }),
      "recommended": recommendation.map {
        ["method": .string($0.method), "trial": .string($0.trial), "at": .number($0.at), "share": .number($0.share), "reason": .string($0.reason)]
      } ?? .null,
    ]
  }
}

private func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }

extension FrontierSummary.Measure {
  fileprivate var json: JSON {
    [
      "kind": .string(kind.rawValue), "unit": .string(unit), "new": .array(newTasks.map { .string($0) }), "old": .array(oldTasks.map { .string($0) }),
      "base_new": .number(baseNew), "base_old": .number(baseOld), "top_new": .number(topNew), "noise": number(noise),
      "power": power.map { .string($0) } ?? .null, "methods": .array(arms.map(\.json)),
      "pairs": .array(pairs.map {
        [
          "first": .string($0.first), "second": .string($0.second), "up_to": .number($0.to), "area": $0.area.json,
          "dominant": $0.dominant.map { .string($0) } ?? .null,
        ]
      }),
    ]
  }
}

extension FrontierSummary.Arm {
  fileprivate var json: JSON {
    [
      "name": .string(name), "targets": .array(targets.map(\.json)), "curve": .array(curve.map(\.json)), "area": area?.json ?? .null,
      "area_up_to": .number(areaTo),
      "ends": .array(ends.map { ["trial": .string($0.trial), "new": .number($0.new), "old": .number($0.old)] }),
      "composites": composites.map {
        [
          "trial": .string($0.trial), "spec": .number($0.spec), "vers": .number($0.vers), "spec_relative": .number($0.relativeSpec),
          "vers_relative": .number($0.relativeVers), "uni": .number($0.uni), "op": .number($0.overall), "bwt": .number($0.backwardTransfer),
        ]
      } ?? .null,
    ]
  }
}

extension FrontierSummary.Reading {
  fileprivate var json: JSON {
    [
      "share": .number(share), "new": .number(target),
      "old": kept.map { ["mean": .number($0.mean), "half": number($0.half), "values": .array($0.values.map { .number($0) })] } ?? .null,
      "reached": .integer(reached), "seeds": .integer(seeds), "trial": trial.map { .string($0) } ?? .null, "at": number(at),
      "difference": difference?.json ?? .null,
    ]
  }
}

extension FrontierSummary.Difference {
  fileprivate var json: JSON {
    [
      "mean": .number(mean), "low": number(low), "high": number(high), "p": number(p), "p_holm": number(adjusted), "seeds": .integer(seeds),
      "verdict": .string(verdict.rawValue),
    ]
  }
}

extension FrontierPoints {
  /// Every number of every point as CSV with a heading.
  public var csv: String {
    func field(_ text: String) -> String {
      text.contains(where: { $0 == "," || $0 == "\"" || $0 == "\n" }) ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }
    var out = "key,method,strength,rate,seed,at,kind,split,task,value,standard_error,count\n"
    for point in points {
      let head = [
        String(point.key.prefix(16)), field(point.method), point.strength.map { "\($0)" } ?? "", point.rate.map { "\($0)" } ?? "", "\(point.seed)",
      ].joined(separator: ",")
      for station in point.stations {
        for (kind, splits) in [("loss", station.losses), ("score", station.scores)] {
          for (split, scores) in [("validation", splits.validation), ("test", splits.test)] {
            for (task, score) in scores.sorted(by: { $0.key < $1.key }) {
              let error = score.standardError.map { "\($0)" } ?? "", count = score.count > 0 ? "\(score.count)" : ""
              out += "\(head),\(station.at),\(kind),\(split),\(field(task)),\(score.value),\(error),\(count)\n"
            }
          }
        }
      }
    }
    return out
  }
}
