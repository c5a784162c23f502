import HoldfastBasics
import Testing
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Bootstrapping on a machine that lacks something says what, and the command that installs it.
@Suite struct PrerequisiteTests {
  /// Runs the check where only `tools` and a shell's usual helpers are found; a tool with a script behaves as that says.
  private func check(_ scripts: [String: String]) throws -> Outcome {
    let shop = try Workshop(examples: 1)
    let bin = shop.path + "/bin"
    try Files.makeFolder(bin)
    try Files.makeFolder(shop.path + "/own")
    for name in ["cat", "head", "sed", "sort", "mktemp", "rm", "id", "uname", "grep", "flock", "apt-get"] {
      for folder in ["/usr/bin", "/bin"] where Files.exists("\(folder)/\(name)") { symlink("\(folder)/\(name)", "\(bin)/\(name)") }
    }
    for (name, script) in scripts {
      try shop.write("#!/bin/sh\n\(script)\n", to: "bin/" + name)
      chmod("\(bin)/\(name)", 0o755)
    }
    return Process(
      ["-c", "PATH=\(bin); unset CXX; own=\(shop.path)/own; torch=\(shop.path)/none; set -euo pipefail; source \(packageRoot)/Scripts/prerequisites.sh; check_prerequisites"],
      in: shop.path, program: "/bin/bash"
    ).wait()
  }

  @Test func everythingMissingIsNamedAtOnce() throws {
    let outcome = try check([:])
    #expect(outcome.status == 1)
    #expect(outcome.lacks("lacks what it takes to build", "- Swift 6.1 or newer", "- a C++ compiler", "- git", "- python3, for pip", "HOLDFAST_TORCH") == [], "\(outcome.errors)")
  }

  @Test func whatIsTooOldIsNamedWithItsVersion() throws {
    let outcome = try check([
      "swift": "echo 'Swift version 5.9 (swift-5.9)'", "g++": "exit 1", "git": "",
      "python3": "case \"$*\" in *version_info*) exit 1;; --version) echo Python 3.8.1;; esac",
    ])
    #expect(outcome.status == 1 && !outcome.errors.contains("- git"))
    #expect(outcome.lacks("Swift 6.1 or newer (here is 5.9)", "that knows C++20", "g++ could not compile one line", "here is Python 3.8.1") == [], "\(outcome.errors)")
  }

  @Test func aMissingSQLiteIsNamedWithItsPackage() throws {
    let compiler = "for last; do :; done; case \"$*\" in *sqlite*) echo 'cannot find -lsqlite3' >&2; exit 1;; esac; : >\"$last\""
    let outcome = try check(["g++": compiler])
    #expect(outcome.status == 1 && outcome.lacks("- SQLite's header and library", "libsqlite3-dev", "sqlite.log") == [], "\(outcome.errors)")
    #expect(!outcome.errors.contains("C++ compiler"), "\(outcome.errors)")
    let there = try check(["g++": "for last; do :; done; : >\"$last\""])
    #expect(there.status == 1 && !there.errors.contains("SQLite"), "\(there.errors)")
  }

  @Test func pythonNeedsPipOrVenv() throws {
    let outcome = try check(["python3": "case \"$*\" in *version_info*|--version) exit 0;; esac; exit 1"])
    #expect(outcome.status == 1 && outcome.lacks("- pip, or Python's venv") == [], "\(outcome.errors)")
  }
}
