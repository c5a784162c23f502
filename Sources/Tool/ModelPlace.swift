import HoldfastBasics
import HoldfastTraining
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

/// Where tokenized data is kept unless a recipe says otherwise; nil where there is no home.
func dataCache(isStrict: Bool) -> DataCachePlace? {
  let caches = environment("XDG_CACHE_HOME").flatMap { $0.isEmpty ? nil : $0 } ?? environment("HOME").map { $0 + "/.cache" }
  return caches.map { DataCachePlace(folder: $0 + "/holdfast", program: ThisProcess.build, isStrict: isStrict) }
}
