public import HoldfastTraining

/// Every tuning method there is. A new one is a line here.
public let tuningMethods: [any TuningMethod.Type] = [
  FullFineTuning.self,
  HalfFineTuning.self,
]
