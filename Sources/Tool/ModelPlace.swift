import HoldfastBasics
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The folder of a model that a user named: a path, or `owner/name` in the Hugging Face cache.
func modelFolder(_ name: String) throws -> String {
  try HubCache(environment: environment).folder(of: name)
}

/// A variable of the environment.
func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
