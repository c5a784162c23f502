// What every file of the shim shares: handles, the guard around every body, and which path a kernel takes.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "../Sources/CTorch/ctorch.h"

namespace ct {

using at::Tensor;

extern thread_local std::string message;

ct_tensor handle(Tensor tensor);

inline Tensor &tensor(ct_tensor handle) {
  TORCH_CHECK(handle.pointer != nullptr, "an absent tensor was used");
  return *static_cast<Tensor *>(handle.pointer);
}

/// An absent handle becomes an undefined tensor.
inline Tensor optional(ct_tensor handle) {
  return handle.pointer ? *static_cast<Tensor *>(handle.pointer) : Tensor();
}

inline at::IntArrayRef sizes(const int64_t *sizes, int64_t rank) { return {sizes, static_cast<size_t>(rank)}; }

/// The same for autograd functions, which take no undefined tensors.
inline std::optional<Tensor> given(ct_tensor handle) {
  if (!handle.pointer) return std::nullopt;
  return *static_cast<Tensor *>(handle.pointer);
}

std::vector<Tensor> list(const ct_tensor *parts, int64_t count);
at::ScalarType scalar_type(ct_dtype dtype);
ct_dtype dtype_code(at::ScalarType type);
c10::Device device(ct_device device);

/// Runs a body; whatever it throws becomes a status and this thread's message.
template <typename Body>
ct_status guarded(Body &&body) noexcept {
  try {
    body();
    return 0;
  } catch (const c10::Error &error) {
    message = error.what_without_backtrace();
  } catch (const std::exception &error) {
    message = error.what();
  } catch (...) {
    message = "libtorch threw something that is no exception";
  }
  return 1;
}

/// True while a test asks, on this thread, for the paths composed from libtorch's own operators.
extern thread_local bool composed;

/// Our CPU kernels take f32 and bf16; everything else (f64, f16, other devices) takes the composed path.
inline bool has_kernel(const Tensor &t) {
  return !composed && t.is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16);
}

/// Whether matrix products of this tensor should be made in f32: bf16 on a CPU without bf16 instructions, where
/// libtorch's own products are three times slower than its f32 ones.
bool products_in_f32(const Tensor &t);

/// a · b for 2-d operands, any strides, in the dtype of `a`.
Tensor product(const Tensor &a, const Tensor &b);

/// Counts matrix products made for gradients of weights, for the thread whose forward pass asked for them. Lives on when
/// the thread ends, since a backward pass may still count.
std::atomic<int64_t> &weight_products();

ct_status linear(ct_tensor, ct_tensor, ct_tensor, ct_tensor *);
ct_status adapted_linear(ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_tensor, double, ct_tensor *);
ct_status rms_norm(ct_tensor, ct_tensor, double, ct_tensor *);
ct_status rotary(ct_tensor, ct_tensor, ct_tensor, ct_tensor *);
ct_status swiglu(ct_tensor, ct_tensor, ct_tensor *);
ct_status attention(ct_tensor, ct_tensor, ct_tensor, const ct_segment *, int64_t, int64_t, double, ct_tensor *);
ct_status cached_attention(ct_tensor, ct_tensor, ct_tensor, const int64_t *, int64_t, double, ct_tensor *);
ct_status head_loss(ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_tensor *);
ct_status head_scores(ct_tensor, ct_tensor, ct_tensor, ct_tensor *, ct_tensor *);
ct_status head_terms(ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_divergence, ct_tensor *, ct_tensor *, ct_tensor *);
ct_status head_entropy(ct_tensor, ct_tensor, int64_t, ct_tensor *);
ct_status decode_step(const ct_decode_model *, const ct_decode_call *, ct_tensor *);
ct_status quantize_rows(ct_tensor, ct_tensor *, ct_tensor *);
ct_status mix(const ct_mixture *, int64_t, const ct_tensor *, int64_t, const int64_t *, const int64_t *const *, const uint8_t *, int64_t, ct_tensor *,
              double *);
ct_status choose(ct_tensor, const ct_choice *, int64_t *, ct_tensor *);
ct_status likeliest(ct_tensor, int64_t, int64_t, int64_t *, double *);
ct_status elements(ct_tensor, const int64_t *, const int64_t *, int64_t, double *);
ct_status adamw(ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_tensor, ct_adamw, ct_update_rule);

}  // namespace ct
