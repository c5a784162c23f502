// The umbrella: `import Holdfast` brings every room but the tool.
@_exported public import HoldfastBasics
@_exported public import HoldfastDatasets
@_exported public import HoldfastDecoding
@_exported public import HoldfastEngine
@_exported public import HoldfastEvaluation
@_exported public import HoldfastMethods
@_exported public import HoldfastModels
@_exported public import HoldfastRecords
@_exported public import HoldfastReports
@_exported public import HoldfastStudies
@_exported public import HoldfastTokenizers
@_exported public import HoldfastTraining
