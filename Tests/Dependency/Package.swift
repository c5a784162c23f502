// swift-tools-version: 6.1
// A package that depends on Holdfast as any other would: by a version tag, so that SwiftPM refuses unsafe flags.
// Scripts/test-dependency.sh makes the tagged copy, names it, builds this and runs it.
import PackageDescription

let holdfast = Context.environment["HOLDFAST_COPY"] ?? "file:///nowhere/Holdfast"

let package = Package(
  name: "Dependent",
  platforms: [.macOS(.v15)],
  dependencies: [.package(url: holdfast, exact: "1.0.0")],
  targets: [
    .executableTarget(
      name: "Dependent",
      dependencies: [.product(name: "Holdfast", package: "Holdfast")],
      swiftSettings: [.swiftLanguageMode(.v6)])
  ]
)
