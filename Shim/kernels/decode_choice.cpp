// From logits to tokens: the mixture of several models' distributions, and the choice of a token. All in f32, a position at a
// time, so that nothing depends on who else is in the batch.
#include <numeric>

#include "vector.h"

namespace ct {
namespace {

/// ln x for positive normal x (Cephes logf).
inline float logarithm(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  int32_t e = static_cast<int32_t>(bits >> 23) - 126;
  bits = (bits & 0x007FFFFFu) | 0x3F000000u;
  float m;
  std::memcpy(&m, &bits, 4);
  bool low = m < 0.70710678f;
  float n = static_cast<float>(low ? e - 1 : e);
  float f = low ? m + m - 1.0f : m - 1.0f, z = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return f + (p * f * z - 0.5f * z - 2.12194440e-4f * n) + 0.693359375f * n;
}

/// Gumbel noise of one id: −ln(−ln u), u uniform, a pure function of its arguments. Where u is near 1, which is where large
/// noise comes from, −ln u is taken from 1 − u, so that it keeps all its digits.
inline float gumbel(uint64_t key, uint64_t id) {
  uint64_t z = key + (id + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  uint32_t m = static_cast<uint32_t>(z >> 32);
  bool high = m >= 0x80000000u;
  float part = (static_cast<float>(high ? ~m : m) + 0.5f) * 0x1p-32f;  // u, or 1 − u where that is the smaller
  float direct = -logarithm(part);
  // −ln(1 − w) for w ≤ 1/2 = 2 artanh(w / (2 − w))
  float t = part / (2.0f - part), s = t * t;
  float series = 2.0f * t * (1.0f + s * (0.33333333f + s * (0.2f + s * (0.14285714f + s * (0.11111111f + s * (0.09090909f + s * 0.07692308f))))));
  return -logarithm(high ? series : direct);
}

/// Positions that a thread is woken for.
int64_t share(int64_t vocabulary) { return 1 + 8192 / vocabulary; }

float largest(const float *x, int64_t count) {
  float top = -INFINITY;
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < count; i++) top = std::max(top, x[i]);
  return top;
}

/// log Σ exp; NaN where an element is NaN or +∞ or where all are −∞.
float log_sum(const float *x, int64_t count) {
  float top = largest(x, count), sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; i++) sum += x[i] == -INFINITY ? 0.0f : exponential(x[i] - top) + (x[i] - x[i]);
  return top + std::log(sum);
}

/// Puts everything outside the smallest set of likeliest ids that holds `mass` to −∞. Equals go by id.
void keep_top(float *x, int64_t count, double mass) {
  if (mass >= 1) return;
  float top = largest(x, count);
  std::vector<float> p(count);
  double all = 0;
#pragma omp simd
  for (int64_t i = 0; i < count; i++) p[i] = x[i] == -INFINITY ? 0.0f : exponential(x[i] - top);
  for (int64_t i = 0; i < count; i++) all += p[i];
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  auto before = [&](int64_t a, int64_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; };
  double kept = 0;
  int64_t sorted = 0, last = -1;
  for (int64_t reach = 64; last < 0; reach *= 8) {
    int64_t end = std::min(reach, count);
    if (end < count) std::nth_element(order.begin() + sorted, order.begin() + end - 1, order.end(), before);
    std::sort(order.begin() + sorted, order.begin() + end, before);
    for (; sorted < end && last < 0; sorted++) {
      kept += p[order[sorted]];
      if (kept >= mass * all || sorted + 1 == count) last = sorted;
    }
  }
  for (int64_t i = last + 1; i < count; i++) x[order[i]] = -INFINITY;
}

void keep_most(float *x, int64_t count, int64_t most) {
  if (most <= 0 || most >= count) return;
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::nth_element(order.begin(), order.begin() + most - 1, order.end(), [&](int64_t a, int64_t b) { return x[a] != x[b] ? x[a] > x[b] : a < b; });
  for (int64_t i = most; i < count; i++) x[order[i]] = -INFINITY;
}

void keep_at_least(float *x, int64_t count, float least) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) x[i] = x[i] < least ? -INFINITY : x[i];
}

int64_t first_largest(const float *x, int64_t count) {
  float top = largest(x, count);
  for (int64_t i = 0; i < count; i++)
    if (x[i] == top) return i;
  return 0;
}

/// The members' logits of one position over the common ids; −∞ where a member does not know an id.
struct Members {
  std::vector<const float *> rows;  // null: not there
  std::vector<std::vector<float>> own;
  std::vector<float> sums;

  Members(const ct_tensor *logits, int64_t count, const int64_t *places, const int64_t *const *maps, const uint8_t *kinds, int64_t vocabulary)
      : rows(count), own(count), sums(count) {
    for (int64_t m = 0; m < count; m++) {
      if (!logits[m].pointer) continue;
      const Tensor &t = tensor(logits[m]);
      const float *row = data<float>(t) + places[m] * t.size(1);
      const int64_t *map = maps ? maps[m] : nullptr;
      if (map || kinds) {
        own[m].resize(vocabulary);
        bool is_base = m == 0;
        for (int64_t v = 0; v < vocabulary; v++) {
          int64_t id = map ? map[v] : v;
          bool known = id >= 0 && id < t.size(1) && (!kinds || kinds[v] == 0 || kinds[v] == (is_base ? 1 : 2));
          // The anti-expert knows what all know.
          if (m == count - 1 && count > 1 && kinds && kinds[v] != 0) known = false;
          own[m][v] = known ? row[id] : -INFINITY;
        }
        row = own[m].data();
      }
      rows[m] = row;
      sums[m] = log_sum(row, vocabulary);
      TORCH_CHECK(std::isfinite(sums[m]), "a model's logits are not finite: member ", m, ", place ", places[m]);
    }
  }
};

void mix_one(const ct_mixture &how, const Members &members, int64_t count, const uint8_t *kinds, int64_t vocabulary, float *scores, double *facts) {
  const float *base = members.rows[0], *anti = count > 1 ? members.rows[count - 1] : nullptr;
  int64_t experts = std::max<int64_t>(0, count - 2);
  float base_sum = members.sums[0], anti_sum = count > 1 ? members.sums[count - 1] : 0;
  std::vector<float> proposal;  // what the experts say together: Σ weight · log p
  facts[0] = facts[1] = 0;
  for (int64_t m = 0; m < count; m++) facts[2 + m] = members.sums[m];
  if (experts == 0 && !anti) {  // one model alone: its logits as they are
    std::memcpy(scores, base, vocabulary * sizeof(float));
    facts[0] = base_sum;
  } else {
    proposal.assign(vocabulary, 0.0f);
    double weights = 0;
    for (int64_t e = 0; e < experts; e++) {
      const float *row = members.rows[1 + e];
      float w = static_cast<float>(how.weights[e]), sum = members.sums[1 + e];
      weights += how.weights[e];
      float *p = proposal.data();
      if (how.weights[e] == 0) continue;
#pragma omp simd
      for (int64_t v = 0; v < vocabulary; v++) p[v] += w * (row[v] - sum);
    }
    if (kinds)
      for (int64_t v = 0; v < vocabulary; v++)
        if (kinds[v] & 1) proposal[v] = -INFINITY;
    const float *p = proposal.data();
    float strength = static_cast<float>(how.strength), share = static_cast<float>(weights);
    float bound = how.clip > 0 ? static_cast<float>(how.clip) : INFINITY;
    if (!base && !anti) {
      std::memcpy(scores, p, vocabulary * sizeof(float));
    } else if (how.mode == 1) {
      std::vector<float> inside(p, p + vocabulary);
      keep_top(inside.data(), vocabulary, how.inside);
#pragma omp simd
      for (int64_t v = 0; v < vocabulary; v++) {
        float delta = strength * std::min(std::max((base[v] - base_sum) - (anti[v] - anti_sum), -bound), bound);
        scores[v] = inside[v] == -INFINITY ? p[v] : p[v] + delta;
      }
    } else {
#pragma omp simd
      for (int64_t v = 0; v < vocabulary; v++) {
        float mine = base[v] - base_sum;
        // Contrastive decoding has no expert but the base itself.
        float delta = experts > 0 ? p[v] - (anti ? share * (anti[v] - anti_sum) : 0.0f) : mine - (anti[v] - anti_sum);
        scores[v] = mine + strength * std::min(std::max(delta, -bound), bound);
      }
    }
    if (kinds) {
      for (int64_t v = 0; v < vocabulary; v++) {
        if (kinds[v] == 1) scores[v] = base && how.mode == 0 ? base[v] - base_sum : -INFINITY;
        if (kinds[v] == 2) scores[v] = experts > 0 ? p[v] / share : -INFINITY;
        if (kinds[v] == 3) scores[v] = -INFINITY;
      }
    }
  }
  if (base && (how.base_top_p < 1 || how.plausible > 0)) {
    std::vector<float> allowed(base, base + vocabulary);
    if (how.plausible > 0) keep_at_least(allowed.data(), vocabulary, largest(base, vocabulary) + static_cast<float>(std::log(how.plausible)));
    keep_top(allowed.data(), vocabulary, how.base_top_p);
    for (int64_t v = 0; v < vocabulary; v++)
      if (allowed[v] == -INFINITY && !(kinds && kinds[v] == 2)) scores[v] = -INFINITY;
  }
  bool is_alone = experts == 0 && !anti;
  float sum = is_alone && how.base_top_p >= 1 && how.plausible <= 0 ? base_sum : log_sum(scores, vocabulary);
  TORCH_CHECK(std::isfinite(sum), "the mixture of the models is not finite");
  facts[0] = sum;
  if (is_alone) return;
  // Total variation between the mixture and what the experts (or the base, where there are none) say.
  const float *other = experts > 0 ? proposal.data() : base;
  float other_sum = experts > 0 ? log_sum(other, vocabulary) : base_sum;
  float distance = 0;
#pragma omp simd reduction(+ : distance)
  for (int64_t v = 0; v < vocabulary; v++) {
    float a = scores[v] == -INFINITY ? 0.0f : exponential(scores[v] - sum), b = other[v] == -INFINITY ? 0.0f : exponential(other[v] - other_sum);
    distance += std::fabs(a - b);
  }
  facts[1] = 0.5 * distance;
}

int64_t choose_one(float *x, int64_t count, const ct_choice &how) {
  for (int64_t i = 0; i < how.bias_count; i++)
    if (how.bias_ids[i] >= 0 && how.bias_ids[i] < count) x[how.bias_ids[i]] += static_cast<float>(how.biases[i]);
  if (how.penalty != 1) {
    float penalty = static_cast<float>(how.penalty);
    for (int64_t i = 0; i < how.seen_count; i++) {
      int64_t id = how.seen[i];
      if (id >= 0 && id < count) x[id] = x[id] < 0 ? x[id] * penalty : x[id] / penalty;
    }
  }
  if (how.temperature == 0) return first_largest(x, count);
  // Shifted first, so that a small temperature does not overflow.
  float top = largest(x, count), inverse = static_cast<float>(1 / how.temperature);
#pragma omp simd
  for (int64_t i = 0; i < count; i++) x[i] = (x[i] - top) * inverse;
  keep_most(x, count, how.top_k);
  keep_top(x, count, how.top_p);
  if (how.min_p > 0) keep_at_least(x, count, static_cast<float>(std::log(how.min_p)));
  uint64_t key = how.key + static_cast<uint64_t>(how.position + 1) * 0xD1B54A32D192ED03u;
  key = (key ^ (key >> 32)) * 0xD6E8FEB86659FD93u;
  key ^= key >> 32;
  std::vector<float> noisy(count);
#pragma omp simd
  for (int64_t i = 0; i < count; i++) noisy[i] = x[i] + gumbel(key, static_cast<uint64_t>(i));
  return first_largest(noisy.data(), count);
}

}  // namespace

ct_status mix(const ct_mixture *mixtures, int64_t positions, const ct_tensor *logits, int64_t members, const int64_t *places,
              const int64_t *const *maps, const uint8_t *kinds, int64_t vocabulary, ct_tensor *scores, double *facts) {
  return guarded([&] {
    at::NoGradGuard off;
    for (int64_t m = 0; m < members; m++) {
      if (!logits[m].pointer) continue;
      const Tensor &t = tensor(logits[m]);
      TORCH_CHECK(t.is_cpu() && t.is_contiguous() && t.dim() == 2 && t.scalar_type() == at::kFloat && (t.size(1) >= vocabulary || (maps && maps[m])),
                  "mix: logits of ", t.sizes(), " do not fit");
      for (int64_t i = 0; i < positions; i++)
        TORCH_CHECK(places[i * members + m] >= 0 && places[i * members + m] < t.size(0), "mix: a place lies outside the logits");
    }
    Tensor result = at::empty({positions, vocabulary}, at::TensorOptions().dtype(at::kFloat));
    float *out = result.data_ptr<float>();
    at::parallel_for(0, positions, share(vocabulary), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        Members rows(logits, members, places + i * members, maps, kinds, vocabulary);
        mix_one(mixtures[i], rows, members, kinds, vocabulary, out + i * vocabulary, facts + i * (2 + members));
      }
    });
    *scores = handle(result);
  });
}

/// The rows of a matrix of scores.
static const float *score_rows(ct_tensor scores) {
  const Tensor &s = tensor(scores);
  TORCH_CHECK(s.is_cpu() && s.is_contiguous() && s.dim() == 2 && s.scalar_type() == at::kFloat, "scores of ", s.sizes(), " do not fit");
  return data<float>(s);
}

ct_status choose(ct_tensor scores, const ct_choice *choices, int64_t *tokens, ct_tensor *processed) {
  return guarded([&] {
    at::NoGradGuard off;
    const float *from = score_rows(scores);
    int64_t rows = tensor(scores).size(0), width = tensor(scores).size(1);
    Tensor kept = processed ? at::empty_like(tensor(scores)) : Tensor();
    at::parallel_for(0, rows, share(width), [&](int64_t begin, int64_t end) {
      std::vector<float> own;
      for (int64_t i = begin; i < end; i++) {
        const ct_choice &how = choices[i];
        const float *row = from + i * width;
        if (!processed && how.temperature == 0 && how.penalty == 1 && how.bias_count == 0) {
          tokens[i] = first_largest(row, width);
          continue;
        }
        own.resize(width);
        float *x = processed ? data<float>(kept) + i * width : own.data();
        std::memcpy(x, row, width * sizeof(float));
        tokens[i] = choose_one(x, width, how);
      }
    });
    if (processed) *processed = handle(kept);
  });
}

ct_status likeliest(ct_tensor scores, int64_t row, int64_t count, int64_t *ids, double *values) {
  return guarded([&] {
    const float *x = score_rows(scores) + row * tensor(scores).size(1);
    int64_t width = tensor(scores).size(1);
    TORCH_CHECK(count >= 0 && count <= width && row >= 0 && row < tensor(scores).size(0), "likeliest: ", count, " of row ", row);
    std::vector<int64_t> order(width);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) { return x[a] != x[b] ? x[a] > x[b] : a < b; });
    for (int64_t i = 0; i < count; i++) {
      ids[i] = order[i];
      values[i] = x[order[i]];
    }
  });
}

ct_status elements(ct_tensor scores, const int64_t *rows, const int64_t *columns, int64_t count, double *values) {
  return guarded([&] {
    const float *x = score_rows(scores);
    const Tensor &s = tensor(scores);
    for (int64_t i = 0; i < count; i++) {
      TORCH_CHECK(rows[i] >= 0 && rows[i] < s.size(0) && columns[i] >= 0 && columns[i] < s.size(1), "elements: ", rows[i], ", ", columns[i], " lies outside ", s.sizes());
      values[i] = x[rows[i] * s.size(1) + columns[i]];
    }
  });
}

}  // namespace ct
