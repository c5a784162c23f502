public import HoldfastTraining

/// Every tuning method there is. A new one is a line here.
public let tuningMethods: [any TuningMethod.Type] = [
  FullFineTuning.self,
  HalfFineTuning.self,
  Freezing.self,
  BitFit.self,
  LISA.self,
  RandomSubset.self,
  L2ToStart.self,
  L1ToStart.self,
  OrthogonalLoRA.self,
  MoFO.self,
  GradientMaskTuning.self,
  SPIDER.self,
  EWC.self,
  OnlineEWC.self,
  SynapticIntelligence.self,
  MAS.self,
  RWalk.self,
  PathIntegral.self,
  Hierarchical.self,
  WeightAverage.self,
  DynamicFineTuning.self,
  TokenAdaptiveReweighting.self,
]
