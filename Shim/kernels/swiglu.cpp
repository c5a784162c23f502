// silu(gate) · up in one pass; the backward pass computes the sigmoid again instead of keeping it.
// Source: Shazeer 2020, "GLU Variants Improve Transformer".
#include "vector.h"

namespace ct {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t grain = 16384;

struct SwiGLU : torch::autograd::Function<SwiGLU> {
  static Tensor forward(AutogradContext *context, const Tensor &given_gate, const Tensor &given_up) {
    Tensor gate = given_gate.contiguous(), up = given_up.contiguous();
    context->save_for_backward({gate, up});
    Tensor output = at::empty_like(gate);
    dispatch(gate, [&](auto *kind) {
      using T = std::remove_pointer_t<decltype(kind)>;
      const T *g = data<T>(gate), *u = data<T>(up);
      T *y = data<T>(output);
      at::parallel_for(0, gate.numel(), grain, [&](int64_t begin, int64_t end) {
#pragma omp simd
        for (int64_t i = begin; i < end; i++) {
          float x = load(g + i);
          store(y + i, x / (1.0f + exponential(-x)) * load(u + i));
        }
      });
    });
    return output;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const Tensor &gate = saved[0], &up = saved[1];
    Tensor gradient = gradients[0].contiguous();
    Tensor to_gate = at::empty_like(gate), to_up = at::empty_like(up);
    dispatch(gate, [&](auto *kind) {
      using T = std::remove_pointer_t<decltype(kind)>;
      const T *g = data<T>(gate), *u = data<T>(up), *d = data<T>(gradient);
      T *dg = data<T>(to_gate), *du = data<T>(to_up);
      at::parallel_for(0, gate.numel(), grain, [&](int64_t begin, int64_t end) {
#pragma omp simd
        for (int64_t i = begin; i < end; i++) {
          float x = load(g + i), s = 1.0f / (1.0f + exponential(-x)), dy = load(d + i);
          store(du + i, dy * x * s);
          store(dg + i, dy * load(u + i) * s * (1.0f + x * (1.0f - s)));
        }
      });
    });
    return {to_gate, to_up};
  }
};

}  // namespace

ct_status swiglu(ct_tensor gate, ct_tensor up, ct_tensor *out) {
  return guarded([&] {
    const Tensor &g = tensor(gate), &u = tensor(up);
    TORCH_CHECK(g.sizes().equals(u.sizes()), "swiglu: gate ", g.sizes(), " and up ", u.sizes(), " differ");
    bool fused = has_kernel(g) && g.scalar_type() == u.scalar_type();
    *out = handle(fused ? SwiGLU::apply(g, u) : at::silu(g) * u);
  });
}

}  // namespace ct
