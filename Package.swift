// swift-tools-version: 6.1
// No unsafe flags in what a product needs: another package can depend on Holdfast. libtorch is not linked;
// Engine opens the compiled shim at the first tensor (see Docs/decisions.md).
import PackageDescription

let house: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// One room of the house: module `Holdfast<room>` in `Sources/<room>`.
func room(_ name: String, _ rooms: [String] = [], _ others: [Target.Dependency] = []) -> Target {
  .target(
    name: "Holdfast\(name)",
    dependencies: rooms.map { .init(stringLiteral: $0 == "CTorch" ? $0 : "Holdfast\($0)") } + others,
    path: "Sources/\(name)",
    swiftSettings: house)
}

/// What tests expect is long to optimize and quick to run, so it is not optimized; what they test is.
func tests(_ name: String, _ rooms: [String], _ others: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(name)Tests",
    dependencies: rooms.map { .init(stringLiteral: "Holdfast\($0)") } + others,
    path: "Tests/\(name)Tests",
    swiftSettings: house + [.unsafeFlags(["-Onone"])])
}

let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// The server's, and no other room's.
let web: [Target.Dependency] = [
  .product(name: "Hummingbird", package: "hummingbird"), .product(name: "Logging", package: "swift-log"),
  .product(name: "HTTPTypes", package: "swift-http-types"), .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"), .product(name: "UnixSignals", package: "swift-service-lifecycle"),
]
let sockets: [Target.Dependency] = [.product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio")]

let package = Package(
  name: "Holdfast",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Holdfast", targets: ["Holdfast"]),
    .executable(name: "holdfast", targets: ["HoldfastTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.0.0"),
  ],
  targets: [
    .systemLibrary(name: "CTorch", path: "Sources/CTorch"),
    room("Basics", [], [crypto, yams]),
    room("Records", ["Basics"]),
    room("Reports", ["Records", "Basics"]),
    room("RunIndex", ["Records", "Basics"], [grdb]),
    room("Tokenizers", ["Basics"]),
    room("Datasets", ["Tokenizers", "Basics"]),
    room("Engine", ["CTorch", "Basics"]),
    room("Models", ["Engine", "Basics"]),
    room("Training", ["Models", "Engine", "Datasets", "Tokenizers", "Records", "Basics"]),
    room("Methods", ["Training", "Models", "Engine", "Datasets", "Basics"]),
    room("Decoding", ["Models", "Tokenizers", "Engine", "Basics"]),
    room("Evaluation", ["Decoding", "Models", "Datasets", "Tokenizers", "Engine", "Records", "Basics"]),
    room("Studies", ["Training", "Methods", "Evaluation", "Decoding", "Datasets", "Tokenizers", "Models", "Engine", "Records", "Basics"]),
    room("Server", ["Decoding", "Tokenizers", "Engine", "Basics"], web),
    .target(
      name: "Holdfast",
      dependencies: [
        "HoldfastBasics", "HoldfastRecords", "HoldfastReports", "HoldfastTokenizers", "HoldfastDatasets",
        "HoldfastEngine", "HoldfastModels", "HoldfastTraining", "HoldfastMethods", "HoldfastDecoding",
        "HoldfastEvaluation", "HoldfastStudies",
      ],
      path: "Sources/Holdfast",
      swiftSettings: house),
    .executableTarget(
      name: "HoldfastTool",
      dependencies: ["Holdfast", "HoldfastBasics", "HoldfastRecords", "HoldfastReports", "HoldfastTokenizers",
                     "HoldfastDatasets", "HoldfastEngine", "HoldfastModels", "HoldfastTraining", "HoldfastMethods",
                     "HoldfastDecoding", "HoldfastEvaluation", "HoldfastServer", "HoldfastStudies", "HoldfastRunIndex", arguments],
      path: "Sources/Tool",
      swiftSettings: house),
    tests("Basics", ["Basics"]),
    tests("Engine", ["Engine", "Basics"]),
    tests("Tokenizers", ["Tokenizers", "Basics"]),
    tests("Recipe", ["Training", "Methods", "Datasets", "Basics"]),
    tests("Records", ["Records", "Basics"]),
    tests("RunIndex", ["RunIndex", "Records", "Basics"]),
    tests("Reports", ["Reports", "Records", "Basics"]),
    tests("Datasets", ["Datasets", "Tokenizers", "Basics"]),
    tests("Decoding", ["Decoding", "Models", "Tokenizers", "Engine", "Basics"]),
    tests("Evaluation", ["Evaluation", "Decoding", "Models", "Datasets", "Tokenizers", "Engine", "Records", "Basics"]),
    tests("Methods", ["Methods", "Training", "Datasets", "Tokenizers", "Models", "Engine", "Basics"]),
    tests("Studies", ["Studies", "Training", "Methods", "Evaluation", "Datasets", "Tokenizers", "Models", "Engine", "Records", "Basics"]),
    tests("Tool", ["Records", "Datasets", "Models", "Engine", "Basics"]),
    tests("Server", ["Server", "Decoding", "Models", "Tokenizers", "Engine", "Basics"], sockets),
    tests("ChatTemplate", ["Tokenizers", "Basics"]),
    tests("Models", ["Evaluation", "Models", "Engine", "Basics"]),
  ]
)
