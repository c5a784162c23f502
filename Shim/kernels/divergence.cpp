// The vocabulary head with two losses in one pass: cross entropy, and the divergence from what another model says of the same
// tokens. Logits never exist whole, and the gradients are made while a chunk's logits of both models are at hand.
#include <torch/csrc/autograd/autograd.h>

#include "head.h"

namespace ct {
namespace {

struct Settings {
  bool reverse;     // KL(p ‖ reference) instead of KL(reference ‖ p)
  bool masked;      // the label is taken out of both distributions, which are normalised again
  float temperature;
};

/// log Σ exp(x / t), without element `skipped` (−1: with all).
template <typename T>
float log_sum(const T *row, int64_t vocabulary, int64_t skipped, float inverse) {
  float top = -INFINITY, sum = 0;
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < vocabulary; i++) top = std::max(top, i == skipped ? -INFINITY : load(row + i) * inverse);
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < vocabulary; i++) sum += i == skipped ? 0.0f : exponential(load(row + i) * inverse - top);
  return top + std::log(sum);
}

/// Both losses of one token; its logits become the gradient where asked for. `kl_weight` holds T² already.
template <typename T>
void row_terms(T *row, const T *reference, int64_t vocabulary, int64_t label, float ce_weight, float kl_weight, const Settings &s,
               bool to_gradient, float &ce, float &kl) {
  float inverse = 1.0f / s.temperature;
  int64_t skipped = s.masked ? label : -1;
  float whole = log_sum(row, vocabulary, -1, 1.0f);
  float own = s.masked || s.temperature != 1.0f ? log_sum(row, vocabulary, skipped, inverse) : whole;
  float other = log_sum(reference, vocabulary, skipped, inverse);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < vocabulary; i++) {
    float a = load(row + i) * inverse - own, b = load(reference + i) * inverse - other;
    float term = exponential(s.reverse ? a : b) * (s.reverse ? a - b : b - a);
    sum += i == skipped ? 0.0f : term;
  }
  ce = ce_weight * (whole - load(row + label));
  kl = kl_weight * sum;
  if (!to_gradient) return;
  float pull = kl_weight * inverse, chosen = load(row + label);
#pragma omp simd
  for (int64_t i = 0; i < vocabulary; i++) {
    float z = load(row + i), a = z * inverse - own, b = load(reference + i) * inverse - other;
    float p = exponential(a);
    float d = s.reverse ? p * (a - b - sum) : p - exponential(b);
    store(row + i, ce_weight * exponential(z - whole) + (i == skipped ? 0.0f : pull * d));
  }
  float z = chosen, a = z * inverse - own, b = load(reference + label) * inverse - other;
  float d = s.masked ? 0.0f : s.reverse ? exponential(a) * (a - b - sum) : exponential(a) - exponential(b);
  store(row + label, ce_weight * (exponential(z - whole) - 1.0f) + pull * d);
}

/// The same from libtorch's operators: logits (wide) of both models and a token's factors, to both losses.
std::pair<Tensor, Tensor> composed_terms(const Tensor &logits, const Tensor &reference, const Tensor &labels, const Tensor &ce_weights,
                                         const Tensor &kl_weights, const Settings &s) {
  Tensor index = labels.clamp_min(0).unsqueeze(1);
  Tensor ce = -at::log_softmax(logits, -1).gather(1, index).squeeze(1) * ce_weights;
  Tensor a = logits / s.temperature, b = reference / s.temperature;
  if (s.masked) {  // far below all others, and equal in both: its share is 0 and so is its gradient
    Tensor out = at::zeros_like(a, at::kBool).scatter_(1, index, true);
    a = a.masked_fill(out, -1e30);
    b = b.masked_fill(out, -1e30);
  }
  Tensor p = at::log_softmax(a, -1), q = at::log_softmax(b, -1);
  Tensor terms = s.reverse ? p.exp() * (p - q) : q.exp() * (q - p);
  if (s.masked) terms = terms.masked_fill(at::zeros_like(terms, at::kBool).scatter_(1, index, true), 0.0);
  return {ce, terms.sum(-1) * kl_weights};
}

struct HeadTerms : torch::autograd::Function<HeadTerms> {
  static variable_list forward(AutogradContext *context, const Tensor &hidden, const Tensor &weight, const Tensor &labels,
                               const std::optional<Tensor> &given, const Tensor &other_hidden, const Tensor &other_weight,
                               const Tensor &kl_weights, Settings s, bool learns) {
    bool to_hidden = learns && hidden.requires_grad(), to_weight = learns && weight.requires_grad(), learns_any = to_hidden || to_weight;
    auto work = products_in_f32(hidden) ? at::kFloat : hidden.scalar_type();
    auto sum_type = work == at::kDouble ? at::kDouble : at::kFloat;
    Tensor h = hidden.to(work), w = weight.to(work), oh = other_hidden.to(work), ow = other_weight.to(work);
    Tensor ce_weights = given ? given->to(sum_type).contiguous() : at::ones({h.size(0)}, h.options().dtype(sum_type));
    Tensor pulls = kl_weights.to(sum_type).mul(double(s.temperature) * double(s.temperature)).contiguous();
    Tensor hidden_gradient, weight_gradient;
    std::vector<Tensor> ces, kls;
    over_chunks(h, w, hidden_gradient, weight_gradient, to_hidden, to_weight, [&](Tensor &logits, int64_t first, int64_t count) {
      Tensor reference = at::mm(oh.narrow(0, first, count), ow.t());
      Tensor label = labels.narrow(0, first, count), own = ce_weights.narrow(0, first, count), pull = pulls.narrow(0, first, count);
      if (!has_kernel(logits)) {
        at::AutoGradMode on(learns_any);
        Tensor z = logits.to(sum_type).detach().requires_grad_(learns_any);
        auto [ce, kl] = composed_terms(z, reference.to(sum_type), label, own, pull, s);
        if (learns_any) {
          logits = torch::autograd::grad({(ce + kl).sum()}, {z})[0].to(logits.scalar_type());
        }
        ces.push_back(ce.detach());
        kls.push_back(kl.detach());
        return;
      }
      int64_t vocabulary = logits.size(1);
      Tensor ce = at::empty({count}, logits.options().dtype(at::kFloat)), kl = at::empty_like(ce);
      const int64_t *l = label.const_data_ptr<int64_t>();
      const float *o = own.const_data_ptr<float>(), *k = pull.const_data_ptr<float>();
      float *c = ce.data_ptr<float>(), *d = kl.data_ptr<float>();
      dispatch(logits, [&](auto *kind) {
        using T = std::remove_pointer_t<decltype(kind)>;
        T *row = data<T>(logits);
        const T *other = data<T>(reference);
        at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
          for (int64_t t = begin; t < end; t++)
            row_terms(row + t * vocabulary, other + t * vocabulary, vocabulary, l[t], o[t], k[t], s, learns_any, c[t], d[t]);
        });
      });
      ces.push_back(ce);
      kls.push_back(kl);
    });
    context->save_for_backward({hidden_gradient, weight_gradient});
    context->saved_data["type"] = static_cast<int64_t>(hidden.scalar_type());
    Tensor none = at::zeros({}, h.options().dtype(sum_type));
    Tensor ce = ces.empty() ? none : at::cat(ces).sum(at::kDouble).to(sum_type);
    Tensor kl = kls.empty() ? none.clone() : at::cat(kls).sum(at::kDouble).to(sum_type);
    Tensor total = ce + kl;
    context->mark_non_differentiable({ce, kl});
    return {total, ce, kl};
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    return {scaled(saved[0], gradients[0], type), scaled(saved[1], gradients[0], type), Tensor(), Tensor(), Tensor(),
            Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

ct_status head_terms(ct_tensor hidden, ct_tensor weight, ct_tensor labels, ct_tensor ce_weights, ct_tensor other_hidden,
                     ct_tensor other_weight, ct_tensor kl_weights, ct_divergence settings, ct_tensor *total, ct_tensor *ce, ct_tensor *kl) {
  return guarded([&] {
    const Tensor &h = tensor(hidden), &w = tensor(weight), &l = tensor(labels), &oh = tensor(other_hidden), &ow = tensor(other_weight);
    check_head(h, w, l);
    check_head(oh, ow, l);
    TORCH_CHECK(w.size(0) == ow.size(0), "head: the models have ", w.size(0), " and ", ow.size(0), " tokens");
    TORCH_CHECK(settings.temperature > 0, "head: temperature ", settings.temperature);
    TORCH_CHECK(!l.is_cpu() || l.numel() == 0 || l.min().item<int64_t>() >= 0, "head: every token needs a label here");
    Settings s{settings.reverse != 0, settings.masked != 0, static_cast<float>(settings.temperature)};
    if (composed) {
      auto wide = h.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
      Tensor own = ce_weights.pointer ? tensor(ce_weights).to(wide) : at::ones({h.size(0)}, h.options().dtype(wide));
      auto [c, k] = composed_terms(at::matmul(h, w.t()).to(wide), at::matmul(oh, ow.t()).detach().to(wide), l, own,
                                   tensor(kl_weights).to(wide) * (settings.temperature * settings.temperature), s);
      Tensor a = c.sum(), b = k.sum();
      *total = handle(a + b);
      *ce = handle(a.detach());
      *kl = handle(b.detach());
      return;
    }
    auto terms = HeadTerms::apply(h, w, l.contiguous(), given(ce_weights), oh.detach(), ow.detach(), tensor(kl_weights), s,
                                  at::GradMode::is_enabled());
    *total = handle(terms[0]);
    *ce = handle(terms[1].detach());
    *kl = handle(terms[2].detach());
  });
}

/// Entropy of each token's `count` likeliest continuations, normalised among themselves, nats.
ct_status head_entropy(ct_tensor hidden, ct_tensor weight, int64_t count, ct_tensor *out) {
  return guarded([&] {
    at::NoGradGuard off;
    const Tensor &given = tensor(hidden);
    auto work = products_in_f32(given) ? at::kFloat : given.scalar_type();
    Tensor h = given.to(work), w = tensor(weight).to(work);
    TORCH_CHECK(count >= 2 && count <= w.size(0), "head: the entropy of ", count, " of ", w.size(0), " tokens");
    auto wide = work == at::kDouble ? at::kDouble : at::kFloat;
    int64_t tokens = h.size(0), step = chunk_rows(tokens, w.size(0));
    std::vector<Tensor> parts;
    for (int64_t first = 0; first < tokens; first += step) {
      Tensor logits = at::mm(h.narrow(0, first, std::min(step, tokens - first)), w.t());
      Tensor scores = at::log_softmax(std::get<0>(logits.topk(count, -1, true, false)).to(wide), -1);
      parts.push_back(-(scores.exp() * scores).sum(-1));
    }
    *out = handle(parts.empty() ? at::zeros({0}, h.options().dtype(wide)) : at::cat(parts));
  });
}

}  // namespace ct
