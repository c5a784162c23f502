// Rotary position embedding over half-split pairs: (x₁, x₂) → (x₁ cos − x₂ sin, x₂ cos + x₁ sin).
// Source: Su et al. 2021, "RoFormer". The gradient is the rotation by the opposite angle.
#include "vector.h"

namespace ct {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// input [tokens, heads, width]; cosine, sine f32 [tokens, width / 2]; sign −1 turns back.
Tensor rotate(const Tensor &given, const Tensor &cosine, const Tensor &sine, float sign) {
  Tensor input = given.contiguous();
  Tensor output = at::empty_like(input);
  int64_t tokens = input.size(0), heads = input.size(1), half = input.size(2) / 2;
  const float *cosines = cosine.const_data_ptr<float>(), *sines = sine.const_data_ptr<float>();
  dispatch(input, [&](auto *kind) {
    using T = std::remove_pointer_t<decltype(kind)>;
    const T *x = data<T>(input);
    T *y = data<T>(output);
    at::parallel_for(0, tokens, 16, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; t++) {
        const float *c = cosines + t * half, *s = sines + t * half;
        for (int64_t h = 0; h < heads; h++) {
          const T *from = x + (t * heads + h) * 2 * half;
          T *to = y + (t * heads + h) * 2 * half;
#pragma omp simd
          for (int64_t i = 0; i < half; i++) {
            float a = load(from + i), b = load(from + half + i);
            store(to + i, a * c[i] - b * (sign * s[i]));
            store(to + half + i, b * c[i] + a * (sign * s[i]));
          }
        }
      }
    });
  });
  return output;
}

struct Rotary : torch::autograd::Function<Rotary> {
  static Tensor forward(AutogradContext *context, const Tensor &input, const Tensor &cosine, const Tensor &sine) {
    context->save_for_backward({cosine, sine});
    return rotate(input, cosine, sine, 1);
  }
  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    return {rotate(gradients[0], saved[0], saved[1], -1), Tensor(), Tensor()};
  }
};

Tensor composed_rotary(const Tensor &input, const Tensor &cosine, const Tensor &sine) {
  auto wide = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor x = input.to(wide);
  int64_t half = input.size(-1) / 2;
  Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  Tensor c = cosine.unsqueeze(1).to(wide), s = sine.unsqueeze(1).to(wide);
  return at::cat({a * c - b * s, b * c + a * s}, -1).to(input.scalar_type());
}

}  // namespace

ct_status rotary(ct_tensor input, ct_tensor cosine, ct_tensor sine, ct_tensor *out) {
  return guarded([&] {
    const Tensor &x = tensor(input), &c = tensor(cosine), &s = tensor(sine);
    TORCH_CHECK(x.dim() == 3 && x.size(2) % 2 == 0 && c.size(0) == x.size(0) && c.size(1) * 2 == x.size(2),
                "rotary: input ", x.sizes(), " and angles ", c.sizes(), " do not fit");
    bool fused = has_kernel(x) && c.scalar_type() == at::kFloat && c.is_contiguous() && s.is_contiguous();
    *out = handle(fused ? Rotary::apply(x, c, s) : composed_rotary(x, c, s));
  });
}

}  // namespace ct
