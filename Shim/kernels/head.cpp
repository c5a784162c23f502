// The vocabulary head with its loss, over chunks of tokens: logits never exist whole. The gradients are made in the
// forward pass, while a chunk's probabilities are at hand, and only scaled in the backward pass.
#include "head.h"

namespace ct {
namespace {

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

struct HeadLoss : torch::autograd::Function<HeadLoss> {
  static Tensor forward(AutogradContext *context, const Tensor &hidden, const Tensor &weight, const Tensor &labels,
                        const std::optional<Tensor> &given, bool learns) {
    Tensor weights = given.value_or(Tensor());
    bool to_hidden = learns && hidden.requires_grad(), to_weight = learns && weight.requires_grad();
    auto work = products_in_f32(hidden) ? at::kFloat : hidden.scalar_type();
    Tensor h = hidden.to(work), w = weight.to(work);
    Tensor hidden_gradient, weight_gradient;
    std::vector<Tensor> losses;
    over_chunks(h, w, hidden_gradient, weight_gradient, to_hidden, to_weight, [&](Tensor &logits, int64_t first, int64_t count) {
      losses.push_back(chunk_loss(logits, labels.narrow(0, first, count),
                                  weights.defined() ? weights.narrow(0, first, count) : Tensor(), to_hidden || to_weight));
    });
    context->save_for_backward({hidden_gradient, weight_gradient});
    context->saved_data["type"] = static_cast<int64_t>(hidden.scalar_type());
    auto sum_type = work == at::kDouble ? at::kDouble : at::kFloat;
    if (losses.empty()) return at::zeros({}, hidden.options().dtype(sum_type));
    return at::cat(losses).sum(at::kDouble).to(sum_type);
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    return {scaled(saved[0], gradients[0], type), scaled(saved[1], gradients[0], type), Tensor(), Tensor(), Tensor()};
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
    check_head(h, w, l);
    *out = handle(composed ? composed_loss(h, w, l, factors)
                           : HeadLoss::apply(h, w, l.contiguous(), given(weights), at::GradMode::is_enabled()));
  });
}

ct_status head_scores(ct_tensor hidden, ct_tensor weight, ct_tensor labels, ct_tensor *log_probabilities, ct_tensor *best) {
  return guarded([&] {
    at::NoGradGuard off;
    const Tensor &given = tensor(hidden), &l = tensor(labels);
    check_head(given, tensor(weight), l);
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
