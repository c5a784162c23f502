// What the losses of the vocabulary head share: chunks of tokens, so that logits never exist whole, and the products of
// both passes.
#pragma once
#include "vector.h"

namespace ct {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

inline constexpr int64_t chunk_elements = int64_t{1} << 25;  // logits that exist at one time

inline int64_t chunk_rows(int64_t tokens, int64_t vocabulary) {
  return std::max<int64_t>(1, std::min(tokens, std::max<int64_t>(64, chunk_elements / vocabulary)));
}

inline void check_head(const Tensor &hidden, const Tensor &weight, const Tensor &labels) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && labels.dim() == 1 &&
                  labels.size(0) == hidden.size(0) && labels.scalar_type() == at::kLong,
              "head: hidden ", hidden.sizes(), ", weight ", weight.sizes(), " and labels ", labels.sizes(), " do not fit");
  if (labels.is_cpu() && labels.numel() > 0)
    TORCH_CHECK(labels.max().item<int64_t>() < weight.size(0), "head: a label lies outside the vocabulary of ", weight.size(0));
}

/// The products of the head, over chunks of tokens. `chunk(logits, first, count)` makes of a chunk's logits their gradient.
template <typename Chunk>
void over_chunks(const Tensor &h, const Tensor &w, Tensor &hidden_gradient, Tensor &weight_gradient, bool to_hidden, bool to_weight,
                 const Chunk &chunk) {
  int64_t tokens = h.size(0), step = chunk_rows(tokens, w.size(0));
  bool wide = h.scalar_type() == at::kFloat || h.scalar_type() == at::kDouble;
  if (to_hidden) hidden_gradient = at::empty_like(h);
  for (int64_t first = 0; first < tokens; first += step) {
    int64_t count = std::min(step, tokens - first);
    Tensor part = h.narrow(0, first, count);
    Tensor logits = at::mm(part, w.t());
    chunk(logits, first, count);
    if (to_hidden) {
      Tensor target = hidden_gradient.narrow(0, first, count);
      at::mm_out(target, logits, w);
    }
    if (to_weight) {
      weight_products().fetch_add(1, std::memory_order_relaxed);
      if (!weight_gradient.defined()) {
        weight_gradient = at::mm(logits.t(), part);
        if (!wide && count < tokens) weight_gradient = weight_gradient.to(at::kFloat);  // sums over chunks in f32
      } else if (wide) {
        weight_gradient.addmm_(logits.t(), part);
      } else {
        weight_gradient.add_(at::mm(logits.t(), part));
      }
    }
  }
}

/// A kept gradient times that of the sum.
inline Tensor scaled(const Tensor &kept, const Tensor &factor, at::ScalarType type) {
  if (!kept.defined()) return Tensor();
  // bf16 is scaled in f32: the factor 1 / units must not be rounded first.
  if (kept.scalar_type() == at::kBFloat16) return kept.to(at::kFloat).mul_(factor).to(type);
  return kept.mul(factor.to(kept.scalar_type())).to(type);
}

}  // namespace ct
