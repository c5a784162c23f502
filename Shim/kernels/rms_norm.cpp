// y = x · rsqrt(mean(x²) + ε) · w over the last axis. Statistics in f32; one rounding at the end.
// Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".
#include "vector.h"

namespace ct {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The composed form, in f32 or wider.
Tensor composed_norm(const Tensor &input, const Tensor &weight, double epsilon) {
  auto wide = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor x = input.to(wide);
  Tensor scale = at::rsqrt(x.square().mean(-1, true) + epsilon);
  return (x * scale * weight.to(wide)).to(input.scalar_type());
}

struct RMSNorm : torch::autograd::Function<RMSNorm> {
  static Tensor forward(AutogradContext *context, const Tensor &given, const Tensor &weight, double epsilon) {
    Tensor input = given.contiguous();
    int64_t width = input.size(-1), rows = input.numel() / std::max<int64_t>(width, 1);
    Tensor output = at::empty_like(input), scales = at::empty({rows}, input.options().dtype(at::kFloat));
    float *scale = scales.data_ptr<float>();
    dispatch(input, [&](auto *kind) {
      using T = std::remove_pointer_t<decltype(kind)>;
      const T *x = data<T>(input), *w = data<T>(weight);
      T *y = data<T>(output);
      at::parallel_for(0, rows, 32, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; r++) {
          const T *xr = x + r * width;
          T *yr = y + r * width;
          float sum = 0;
#pragma omp simd reduction(+ : sum)
          for (int64_t i = 0; i < width; i++) sum += load(xr + i) * load(xr + i);
          float s = 1.0f / std::sqrt(sum / static_cast<float>(width) + static_cast<float>(epsilon));
          scale[r] = s;
#pragma omp simd
          for (int64_t i = 0; i < width; i++) store(yr + i, load(xr + i) * s * load(w + i));
        }
      });
    });
    context->save_for_backward({input, weight, scales});
    return output;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const Tensor &input = saved[0], &weight = saved[1], &scales = saved[2];
    Tensor gradient = gradients[0].contiguous();
    int64_t width = input.size(-1), rows = input.numel() / std::max<int64_t>(width, 1);
    bool wants_input = context->needs_input_grad(0), wants_weight = context->needs_input_grad(1);
    Tensor to_input = wants_input ? at::empty_like(input) : Tensor();
    // Partial sums over fixed stretches of rows: the result does not depend on the number of threads.
    constexpr int64_t stretch = 256;
    int64_t stretches = (rows + stretch - 1) / stretch;
    Tensor partial = wants_weight ? at::zeros({stretches, width}, input.options().dtype(at::kFloat)) : Tensor();
    dispatch(input, [&](auto *kind) {
      using T = std::remove_pointer_t<decltype(kind)>;
      const T *x = data<T>(input), *w = data<T>(weight), *g = data<T>(gradient);
      T *dx = wants_input ? data<T>(to_input) : nullptr;
      float *dw = wants_weight ? partial.data_ptr<float>() : nullptr;
      const float *scale = scales.const_data_ptr<float>();
      at::parallel_for(0, stretches, 1, [&](int64_t first, int64_t last) {
        for (int64_t s = first; s < last; s++) {
          for (int64_t r = s * stretch; r < std::min(rows, (s + 1) * stretch); r++) {
            const T *xr = x + r * width, *gr = g + r * width;
            float k = scale[r];
            if (dw) {
              float *out = dw + s * width;
#pragma omp simd
              for (int64_t i = 0; i < width; i++) out[i] += load(gr + i) * load(xr + i) * k;
            }
            if (dx) {
              T *out = dx + r * width;
              float dot = 0;
#pragma omp simd reduction(+ : dot)
              for (int64_t i = 0; i < width; i++) dot += load(gr + i) * load(w + i) * load(xr + i);
              float c = dot * k * k * k / static_cast<float>(width);
#pragma omp simd
              for (int64_t i = 0; i < width; i++) store(out + i, load(gr + i) * load(w + i) * k - load(xr + i) * c);
            }
          }
        }
      });
    });
    Tensor to_weight = wants_weight ? partial.sum(0).to(weight.scalar_type()) : Tensor();
    return {to_input, to_weight, Tensor()};
  }
};

}  // namespace

ct_status rms_norm(ct_tensor input, ct_tensor weight, double epsilon, ct_tensor *out) {
  return guarded([&] {
    const Tensor &x = tensor(input), &w = tensor(weight);
    bool fused = has_kernel(x) && x.scalar_type() == w.scalar_type() && w.is_contiguous();
    *out = handle(fused ? RMSNorm::apply(x, w, epsilon) : composed_norm(x, w, epsilon));
  });
}

}  // namespace ct
