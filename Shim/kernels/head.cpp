// The vocabulary head with its loss, over chunks of tokens: logits never exist whole. The gradients are made in the
// forward pass, while a chunk's probabilities are at hand, and only scaled in the backward pass.
#include "vector.h"

namespace ct {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t chunk_elements = int64_t{1} << 25;  // logits that exist at one time

int64_t chunk_rows(int64_t tokens, int64_t vocabulary) {
  return std::max<int64_t>(1, std::min(tokens, std::max<int64_t>(64, chunk_elements / vocabulary)));
}

/// One row of logits: log-sum-exp in f32; with `scale` the row becomes scale · (softmax − one-hot).
template <typename T>
float row_loss(T *row, int64_t vocabulary, int64_t label, float scale, bool to_gradient) {
  float top = -INFINITY, sum = 0;
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < vocabulary; i++) top = std::max(top, load(row + i));
  float chosen = load(row + label);
  if constexpr (std::is_same_v<T, float>) {
    if (to_gradient) {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < vocabulary; i++) {
        row[i] = exponential(row[i] - top);
        sum += row[i];
      }
      float factor = scale / sum;
#pragma omp simd
      for (int64_t i = 0; i < vocabulary; i++) row[i] *= factor;
      row[label] -= scale;
      return top + std::log(sum) - chosen;
    }
  }
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < vocabulary; i++) sum += exponential(load(row + i) - top);
  if (to_gradient) {
    float factor = scale / sum;
#pragma omp simd
    for (int64_t i = 0; i < vocabulary; i++) store(row + i, exponential(load(row + i) - top) * factor);
    store(row + label, (exponential(chosen - top) / sum - 1.0f) * scale);
  }
  return top + std::log(sum) - chosen;
}

/// Negative log-likelihoods of a chunk; the logits become scaled gradients where asked for.
Tensor chunk_loss(Tensor &logits, const Tensor &labels, const Tensor &weights, bool to_gradient) {
  int64_t tokens = logits.size(0), vocabulary = logits.size(1);
  if (has_kernel(logits)) {
    Tensor losses = at::empty({tokens}, logits.options().dtype(at::kFloat));
    const int64_t *label = labels.const_data_ptr<int64_t>();
    const float *weight = weights.defined() ? weights.const_data_ptr<float>() : nullptr;
    float *loss = losses.data_ptr<float>();
    dispatch(logits, [&](auto *kind) {
      using T = std::remove_pointer_t<decltype(kind)>;
      T *row = data<T>(logits);
      at::parallel_for(0, tokens, 1, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; t++) {
          bool counts = label[t] >= 0;
          float w = weight ? weight[t] : 1.0f;
          loss[t] = counts ? w * row_loss(row + t * vocabulary, vocabulary, label[t], w, to_gradient) : 0.0f;
          if (!counts && to_gradient) std::memset(row + t * vocabulary, 0, vocabulary * sizeof(T));
        }
      });
    });
    return losses;
  }
  auto wide = logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor scores = at::log_softmax(logits, -1, wide);
  Tensor factor = (labels >= 0).to(wide);
  if (weights.defined()) factor = factor * weights.to(wide);
  Tensor index = labels.clamp_min(0).unsqueeze(1);
  Tensor losses = -scores.gather(1, index).squeeze(1) * factor;
  if (to_gradient) {
    Tensor gradient = scores.exp_().mul_(factor.unsqueeze(1));
    gradient.scatter_add_(1, index, -factor.unsqueeze(1));
    logits = gradient.to(logits.scalar_type());
  }
  return losses;
}

void check(const Tensor &hidden, const Tensor &weight, const Tensor &labels) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && labels.dim() == 1 &&
                  labels.size(0) == hidden.size(0) && labels.scalar_type() == at::kLong,
              "head: hidden ", hidden.sizes(), ", weight ", weight.sizes(), " and labels ", labels.sizes(), " do not fit");
  if (labels.is_cpu() && labels.numel() > 0)
    TORCH_CHECK(labels.max().item<int64_t>() < weight.size(0), "head: a label lies outside the vocabulary of ", weight.size(0));
}

struct HeadLoss : torch::autograd::Function<HeadLoss> {
  static Tensor forward(AutogradContext *context, const Tensor &hidden, const Tensor &weight, const Tensor &labels,
                        const std::optional<Tensor> &given, bool learns) {
    Tensor weights = given.value_or(Tensor());
    bool to_hidden = learns && hidden.requires_grad(), to_weight = learns && weight.requires_grad();
    auto work = products_in_f32(hidden) ? at::kFloat : hidden.scalar_type();
    Tensor h = hidden.to(work), w = weight.to(work);
    int64_t tokens = h.size(0), vocabulary = w.size(0), step = chunk_rows(tokens, vocabulary);
    bool wide = work == at::kFloat || work == at::kDouble;
    Tensor hidden_gradient = to_hidden ? at::empty_like(h) : Tensor(), weight_gradient;
    std::vector<Tensor> losses;
    for (int64_t at_token = 0; at_token < tokens; at_token += step) {
      int64_t count = std::min(step, tokens - at_token);
      Tensor part = h.narrow(0, at_token, count);
      Tensor logits = at::mm(part, w.t());
      losses.push_back(chunk_loss(logits, labels.narrow(0, at_token, count),
                                  weights.defined() ? weights.narrow(0, at_token, count) : Tensor(), to_hidden || to_weight));
      if (to_hidden) {
        Tensor target = hidden_gradient.narrow(0, at_token, count);
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
    context->save_for_backward({hidden_gradient, weight_gradient});
    context->saved_data["type"] = static_cast<int64_t>(hidden.scalar_type());
    auto sum_type = work == at::kDouble ? at::kDouble : at::kFloat;
    if (losses.empty()) return at::zeros({}, hidden.options().dtype(sum_type));
    return at::cat(losses).sum(at::kDouble).to(sum_type);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    auto scaled = [&](const Tensor &t) { return t.defined() ? t.mul(gradients[0].to(t.scalar_type())).to(type) : Tensor(); };
    // bf16 is scaled in f32: the factor 1 / units must not be rounded first.
    auto wide = [&](const Tensor &t) {
      return t.defined() && t.scalar_type() == at::kBFloat16 ? t.to(at::kFloat).mul_(gradients[0]).to(type) : scaled(t);
    };
    return {wide(saved[0]), wide(saved[1]), Tensor(), Tensor(), Tensor()};
  }
};

Tensor composed_loss(const Tensor &hidden, const Tensor &weight, const Tensor &labels, const Tensor &weights) {
  auto wide = hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor scores = at::log_softmax(at::matmul(hidden, weight.t()).to(wide), -1);
  Tensor factor = (labels >= 0).to(wide);
  if (weights.defined()) factor = factor * weights.to(wide);
  return -(scores.gather(1, labels.clamp_min(0).unsqueeze(1)).squeeze(1) * factor).sum();
}

}  // namespace

ct_status head_loss(ct_tensor hidden, ct_tensor weight, ct_tensor labels, ct_tensor weights, ct_tensor *out) {
  return guarded([&] {
    const Tensor &h = tensor(hidden), &w = tensor(weight), &l = tensor(labels);
    Tensor factors = optional(weights);
    check(h, w, l);
    *out = handle(composed ? composed_loss(h, w, l, factors)
                           : HeadLoss::apply(h, w, l.contiguous(), given(weights), at::GradMode::is_enabled()));
  });
}

ct_status head_scores(ct_tensor hidden, ct_tensor weight, ct_tensor labels, ct_tensor *log_probabilities, ct_tensor *best) {
  return guarded([&] {
    at::NoGradGuard off;
    const Tensor &given = tensor(hidden), &l = tensor(labels);
    check(given, tensor(weight), l);
    auto work = products_in_f32(given) ? at::kFloat : given.scalar_type();
    Tensor h = given.to(work), w = tensor(weight).to(work);
    int64_t tokens = h.size(0), step = chunk_rows(tokens, w.size(0));
    std::vector<Tensor> scores, ids;
    for (int64_t at_token = 0; at_token < tokens; at_token += step) {
      int64_t count = std::min(step, tokens - at_token);
      Tensor logits = at::mm(h.narrow(0, at_token, count), w.t());
      ids.push_back(logits.argmax(-1));
      scores.push_back(chunk_loss(logits, l.narrow(0, at_token, count).contiguous(), Tensor(), false).neg());
    }
    if (scores.empty()) {
      scores.push_back(at::zeros({0}, h.options().dtype(at::kFloat)));
      ids.push_back(at::zeros({0}, h.options().dtype(at::kLong)));
    }
    *log_probabilities = handle(at::cat(scores));
    *best = handle(at::cat(ids));
  });
}

}  // namespace ct
