#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How memory for tensors comes from the kernel.
enum LargePages {
  /// Asks libtorch to take large tensors in pages of 2 MiB. A step gives its activations back and takes them anew, and page
  /// by page of 4 KiB that is a tenth of a small model's time (Docs/performance.md). Call before libtorch is opened;
  /// what the user has set stays, and kernels without such pages take no notice.
  static func use() { setenv("THP_MEM_ALLOC_ENABLE", "1", 0) }
}
