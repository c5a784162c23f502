// AdamW in one pass over each tensor, with the update rules of the methods inside (Loshchilov and Hutter 2019).
// A rule blends old and proposed weight exactly as copying, stepping and blending would: no product is fused with a
// sum here, so the bits agree. Moments move under every rule; masks act on updates.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif
#include "vector.h"

namespace ct {
namespace {

template <typename R>
struct Constants {
  R scale, beta1, beta2, epsilon, shrink, step, root;  // step: rate / (1 − β₁ᵗ); root: √(1 − β₂ᵗ)

  explicit Constants(const ct_adamw &s)
      : scale(static_cast<R>(s.gradient_scale)), beta1(static_cast<R>(1 - s.beta1)), beta2(static_cast<R>(s.beta2)),
        epsilon(static_cast<R>(s.epsilon)), shrink(static_cast<R>(1 - s.rate * s.decay)),
        step(static_cast<R>(s.rate / (1 - std::pow(s.beta1, static_cast<double>(s.step))))),
        root(static_cast<R>(std::sqrt(1 - std::pow(s.beta2, static_cast<double>(s.step))))), second(static_cast<R>(1 - s.beta2)) {}
  R second;
};

template <typename R>
inline R propose(R p, R gradient, R &m, R &v, const Constants<R> &c) {
  R g = gradient * c.scale;
  m = m + (g - m) * c.beta1;
  v = v * c.beta2 + g * g * c.second;
  return p * c.shrink - c.step * (m / (std::sqrt(v) / c.root + c.epsilon));
}

/// Scale 1 takes the proposal and 0 keeps the old bits; between them, a blend.
template <typename R>
inline R blend(R old, R proposed, R scale) {
  return scale == R(1) ? proposed : scale == R(0) ? old : old + scale * (proposed - old);
}

/// Weights, gradient and moments are kept as T; arithmetic is f32 for f32 and bf16, f64 for f64.
template <typename T>
void step_cpu(const Tensor &master, const Tensor &image, const Tensor &gradient, const Tensor &first, const Tensor &second,
              const ct_adamw &settings, const ct_update_rule &rule) {
  using R = decltype(load(static_cast<T *>(nullptr)));
  Constants<R> c(settings);
  T *p = data<T>(master), *m = data<T>(first), *v = data<T>(second);
  const T *g = data<T>(gradient);
  bf16 *rounded = image.defined() ? data<bf16>(image) : nullptr;
  Tensor row_scale = optional(rule.row_scale), column_scale = optional(rule.column_scale), mask = optional(rule.mask),
         reference = optional(rule.reference);
  if (reference.defined()) reference = reference.to(master.scalar_type()).contiguous();
  const float *rows = row_scale.defined() ? row_scale.const_data_ptr<float>() : nullptr;
  const float *columns = column_scale.defined() ? column_scale.const_data_ptr<float>() : nullptr;
  const uint8_t *kept = mask.defined() ? mask.const_data_ptr<uint8_t>() : nullptr;
  const T *toward = reference.defined() ? data<T>(reference) : nullptr;
  R pull = static_cast<R>(settings.rate * rule.pull);
  bool plain = !rows && !columns && !kept && !toward;
  int64_t count = master.numel(), width = master.dim() > 0 && master.size(0) > 0 ? count / master.size(0) : 1;
  at::parallel_for(0, count, 8192, [&](int64_t begin, int64_t end) {
    if (plain) {
#pragma omp simd
      for (int64_t i = begin; i < end; i++) {
        R mi = load(m + i), vi = load(v + i), proposed = propose(load(p + i), load(g + i), mi, vi, c);
        store(m + i, mi);
        store(v + i, vi);
        store(p + i, proposed);
      }
    } else {
      for (int64_t i = begin; i < end; i++) {
        R old = load(p + i), mi = load(m + i), vi = load(v + i), proposed = propose(old, load(g + i), mi, vi, c);
        store(m + i, mi);
        store(v + i, vi);
        if (toward) proposed = proposed - pull * (old - load(toward + i));
        if (rows) proposed = blend(old, proposed, static_cast<R>(rows[i / width]));
        if (columns) proposed = blend(old, proposed, static_cast<R>(columns[i % width]));
        store(p + i, kept && kept[i] == 0 ? old : proposed);
      }
    }
    if (rounded) {
#pragma omp simd
      for (int64_t i = begin; i < end; i++) store(rounded + i, static_cast<float>(load(p + i)));
    }
  });
}

/// The same step from libtorch's own operators: other devices, and what the tests compare the kernel with.
void step_composed(const Tensor &master, const Tensor &image, const Tensor &gradient, const Tensor &first, const Tensor &second,
                   const ct_adamw &s, const ct_update_rule &rule) {
  Tensor g = gradient * s.gradient_scale;
  first.add_((g - first).mul_(1 - s.beta1));
  second.mul_(s.beta2).add_((g * g).mul_(1 - s.beta2));
  double correction1 = 1 - std::pow(s.beta1, static_cast<double>(s.step)), correction2 = 1 - std::pow(s.beta2, static_cast<double>(s.step));
  Tensor old = master.clone();
  Tensor denominator = second.sqrt().div_(std::sqrt(correction2)).add_(s.epsilon);
  Tensor proposed = (old * (1 - s.rate * s.decay)).sub_((first / denominator).mul_(s.rate / correction1));
  if (Tensor reference = optional(rule.reference); reference.defined())
    proposed.sub_((old - reference.to(old.scalar_type())).mul_(s.rate * rule.pull));
  auto blend_by = [&](Tensor scale) {
    Tensor blended = old + scale * (proposed - old);
    proposed = at::where(scale == 1, proposed, at::where(scale == 0, old, blended));
  };
  if (Tensor rows = optional(rule.row_scale); rows.defined()) {
    std::vector<int64_t> shape(old.dim(), 1);
    shape[0] = old.size(0);
    blend_by(rows.to(old.scalar_type()).view(shape));
  }
  if (Tensor columns = optional(rule.column_scale); columns.defined()) blend_by(columns.to(old.scalar_type()));
  if (Tensor mask = optional(rule.mask); mask.defined()) proposed = at::where(mask == 0, old, proposed);
  master.copy_(proposed);
  if (image.defined()) image.copy_(master);
}

}  // namespace

ct_status adamw(ct_tensor master_handle, ct_tensor image_handle, ct_tensor gradient_handle, ct_tensor first_handle,
                ct_tensor second_handle, ct_adamw settings, ct_update_rule rule) {
  return guarded([&] {
    at::NoGradGuard off;
    Tensor master = tensor(master_handle).detach(), image = optional(image_handle), gradient = tensor(gradient_handle).detach();
    const Tensor &first = tensor(first_handle), &second = tensor(second_handle);
    if (image.defined()) image = image.detach();
    TORCH_CHECK(gradient.sizes().equals(master.sizes()) && first.sizes().equals(master.sizes()) && second.sizes().equals(master.sizes()),
                "adamw: weight ", master.sizes(), ", gradient ", gradient.sizes(), " and moments ", first.sizes(), " differ");
    TORCH_CHECK(first.scalar_type() == master.scalar_type() && second.scalar_type() == master.scalar_type(),
                "adamw: moments and master must have one type");
    if (gradient.scalar_type() != master.scalar_type()) gradient = gradient.to(master.scalar_type());
    bool dense = master.is_contiguous() && first.is_contiguous() && second.is_contiguous() &&
                 (!image.defined() || (image.is_contiguous() && image.scalar_type() == at::kBFloat16));
    bool kernel = !composed && master.is_cpu() && dense;
    if (kernel && master.scalar_type() == at::kFloat)
      step_cpu<float>(master, image, gradient.contiguous(), first, second, settings, rule);
    else if (kernel && master.scalar_type() == at::kDouble)
      step_cpu<double>(master, image, gradient.contiguous(), first, second, settings, rule);
    else if (kernel && master.scalar_type() == at::kBFloat16)
      step_cpu<bf16>(master, image, gradient.contiguous(), first, second, settings, rule);
    else
      step_composed(master, image, gradient, first, second, settings, rule);
  });
}

}  // namespace ct
