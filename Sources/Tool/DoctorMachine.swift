import HoldfastBasics
#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What the operating system says about this machine.
enum Machine {
  /// Processors that this process may use.
  static var processors: Int {
    let online = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    return min(online, allowed ?? online, quota ?? online)
  }

  /// Processors that this process is bound to, from a list like `0-3,8`; nil where the system does not say.
  private static var allowed: Int? {
    let line = contents("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
    guard let list = line?.split(whereSeparator: \.isWhitespace).last else { return nil }
    return list.split(separator: ",").reduce(0) { count, range in
      let ends = range.split(separator: "-").compactMap { Int($0) }
      return count + (ends.count == 2 ? ends[1] - ends[0] + 1 : 1)
    }
  }

  /// Processors that a container grants, rounded up; nil without a limit.
  private static var quota: Int? {
    guard let parts = contents("/sys/fs/cgroup/cpu.max")?.split(whereSeparator: \.isWhitespace), parts.count == 2,
      let time = Double(parts[0]), let period = Double(parts[1]), period > 0
    else { return nil }
    return max(1, Int((time / period).rounded(.up)))
  }

  static func findings() -> [Finding] { [processor, memory, disk].compactMap { $0 } }

  private static var processor: Finding? {
    guard let facts = contents("/proc/cpuinfo") else { return nil }
    func field(_ name: String) -> String? {
      facts.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: ":", maxSplits: 1).last.map { String($0).trimmingSpaces }
    }
    let name = field("model name") ?? "processor", flags = Set((field("flags") ?? "").split(separator: " "))
    if flags.isEmpty { return .fine("processor", name) }
    let fast = ["amx_bf16", "avx512_bf16"].filter { flags.contains(Substring($0)) }
    if !fast.isEmpty { return .fine("processor", "\(name), bf16 products in hardware (\(fast.joined(separator: ", ")))") }
    return .remark("processor", "\(name), without bf16 products in hardware", cure: "train and evaluate in f32 here: bf16 is slower than f32")
  }

  private static var memory: Finding? {
    guard let facts = contents("/proc/meminfo") else { return nil }
    func bytes(_ name: String) -> Int? {
      facts.split(separator: "\n").first { $0.hasPrefix(name + ":") }?.split(separator: " ").compactMap { Int($0) }.first.map { $0 << 10 }
    }
    guard let total = bytes("MemTotal"), var free = bytes("MemAvailable") else { return nil }
    // A container may grant less than the machine has.
    if let limit = contents("/sys/fs/cgroup/memory.max").flatMap({ Int($0.trimmingSpaces) }) {
      let used = contents("/sys/fs/cgroup/memory.current").flatMap { Int($0.trimmingSpaces) } ?? 0
      free = min(free, max(0, limit - used))
    }
    let words = "\(gibibytes(free)) GiB free of \(gibibytes(total))"
    return free < 2 << 30
      ? .remark("memory", words, cure: "close other programs; a model of 0.5B parameters trains in about 10 GiB") : .fine("memory", words)
  }

  private static var disk: Finding? {
    var facts = statvfs()
    guard statvfs(".", &facts) == 0 else { return nil }
    let free = Int(facts.f_bavail) * Int(facts.f_frsize)
    let words = "\(gibibytes(free)) GiB free here"
    return free < 2 << 30
      ? .remark("disk", words, cure: "free some: a checkpoint holds weights, masters and moments, 14 bytes a parameter") : .fine("disk", words)
  }

  private static func gibibytes(_ bytes: Int) -> String {
    let tenths = Int((Double(bytes) / Double(1 << 30) * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }

  /// A small file of /proc or /sys, whose size the system gives as 0; nil where there is none.
  private static func contents(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}

extension String {
  fileprivate var trimmingSpaces: String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
