// Causal attention over packed rows: each segment sees itself alone. On a CPU in blocks of queries, so that no more
// than a block of scores ever exists and keys to the right of a block are never touched; the backward pass makes the
// scores again from the log-sum-exp. Source: Dao et al. 2022, "FlashAttention", without its tiling over keys.
#include "vector.h"

// The BLAS that libtorch brings. Weak: where it is not exported, plain loops stand in.
extern "C" __attribute__((weak)) void sgemm_(const char *, const char *, const int *, const int *, const int *, const float *,
                                             const float *, const int *, const float *, const int *, const float *, float *,
                                             const int *);

namespace ct {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// C[m, n] (row-major, leading dimension ldc) = alpha · A · B + beta · C, A as [m, k] or its transpose, B as [k, n] or its.
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
          const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
  if (sgemm_) {  // column-major: the transposed problem
    const char ta = transpose_b ? 'T' : 'N', tb = transpose_a ? 'T' : 'N';
    const int M = static_cast<int>(n), N = static_cast<int>(m), K = static_cast<int>(k);
    const int LA = static_cast<int>(ldb), LB = static_cast<int>(lda), LC = static_cast<int>(ldc);
    sgemm_(&ta, &tb, &M, &N, &K, &alpha, b, &LA, a, &LB, &beta, c, &LC);
    return;
  }
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      float sum = 0;
      for (int64_t l = 0; l < k; l++) sum += (transpose_a ? a[l * lda + i] : a[i * lda + l]) * (transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
      c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);
    }
}

constexpr int64_t block = 128;  // queries whose scores exist at one time

struct Geometry {
  std::vector<ct_segment> segments;
  int64_t window = 0;
  float scale = 1;
  int64_t length = 0, heads = 0, groups = 0, width = 0;  // groups: key/value heads

  int64_t first_key(int64_t query) const { return window > 0 ? std::max<int64_t>(0, query - window + 1) : 0; }
};

/// One head of one segment as f32 rows: in place for f32, copied into scratch for bf16.
struct HeadRows {
  const float *start;
  int64_t stride;

  HeadRows(const float *data, int64_t heads, int64_t width, int64_t token, int64_t, int64_t head, std::vector<float> &)
      : start(data + (token * heads + head) * width), stride(heads * width) {}

  HeadRows(const bf16 *data, int64_t heads, int64_t width, int64_t token, int64_t count, int64_t head, std::vector<float> &scratch)
      : stride(width) {
    scratch.resize(count * width);
    for (int64_t t = 0; t < count; t++) {
      const bf16 *from = data + ((token + t) * heads + head) * width;
      float *to = scratch.data() + t * width;
#pragma omp simd
      for (int64_t i = 0; i < width; i++) to[i] = load(from + i);
    }
    start = scratch.data();
  }

  const float *row(int64_t t) const { return start + t * stride; }
};

template <typename T>
void forward_kernel(const Geometry &g, const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &output,
                    const Tensor &log_sums) {
  struct Item { int64_t segment, head, begin, end; };
  std::vector<Item> items;
  for (size_t s = 0; s < g.segments.size(); s++)
    for (int64_t h = 0; h < g.heads; h++)
      for (int64_t q = 0; q < g.segments[s].length; q += block)
        items.push_back({static_cast<int64_t>(s), h, q, std::min(q + block, g.segments[s].length)});
  const T *q = data<T>(query), *k = data<T>(key), *v = data<T>(value);
  T *out = data<T>(output);
  float *sums = log_sums.data_ptr<float>();
  at::parallel_for(0, static_cast<int64_t>(items.size()), 1, [&](int64_t first, int64_t last) {
    std::vector<float> scores, qs, ks, vs, made(block * g.width);
    for (int64_t n = first; n < last; n++) {
      const Item &item = items[n];
      const ct_segment &segment = g.segments[item.segment];
      int64_t token = segment.row * g.length + segment.start, group = item.head / (g.heads / g.groups);
      int64_t low = g.first_key(item.begin), keys = item.end - low, queries = item.end - item.begin;
      HeadRows Q(q, g.heads, g.width, token + item.begin, queries, item.head, qs);
      HeadRows K(k, g.groups, g.width, token + low, keys, group, ks);
      HeadRows V(v, g.groups, g.width, token + low, keys, group, vs);
      scores.resize(queries * keys);
      gemm(false, true, queries, keys, g.width, g.scale, Q.start, Q.stride, K.start, K.stride, 0, scores.data(), keys);
      for (int64_t i = 0; i < queries; i++) {
        float *row = scores.data() + i * keys;
        int64_t from = g.first_key(item.begin + i) - low, to = item.begin + i - low + 1;
        float top = -INFINITY, sum = 0;
#pragma omp simd reduction(max : top)
        for (int64_t j = from; j < to; j++) top = std::max(top, row[j]);
#pragma omp simd reduction(+ : sum)
        for (int64_t j = from; j < to; j++) {
          row[j] = exponential(row[j] - top);
          sum += row[j];
        }
        float inverse = 1.0f / sum;
#pragma omp simd
        for (int64_t j = from; j < to; j++) row[j] *= inverse;
        for (int64_t j = 0; j < from; j++) row[j] = 0;
        for (int64_t j = to; j < keys; j++) row[j] = 0;
        sums[(token + item.begin + i) * g.heads + item.head] = top + std::log(sum);
      }
      gemm(false, false, queries, g.width, keys, 1, scores.data(), keys, V.start, V.stride, 0, made.data(), g.width);
      for (int64_t i = 0; i < queries; i++) {
        T *to = out + ((token + item.begin + i) * g.heads + item.head) * g.width;
#pragma omp simd
        for (int64_t d = 0; d < g.width; d++) store(to + d, made[i * g.width + d]);
      }
    }
  });
}

template <typename T>
void backward_kernel(const Geometry &g, const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &output,
                     const Tensor &log_sums, const Tensor &gradient, const Tensor &to_query, const Tensor &to_key,
                     const Tensor &to_value) {
  const T *q = data<T>(query), *k = data<T>(key), *v = data<T>(value), *o = data<T>(output), *d = data<T>(gradient);
  T *dq = data<T>(to_query), *dk = data<T>(to_key), *dv = data<T>(to_value);
  const float *sums = log_sums.const_data_ptr<float>();
  int64_t per_group = g.heads / g.groups;
  // An item owns the keys and values of one head of one segment, so nothing is added to from two threads.
  at::parallel_for(0, static_cast<int64_t>(g.segments.size()) * g.groups, 1, [&](int64_t first, int64_t last) {
    std::vector<float> ks, vs, qs, ds, os, p, dp, made(block * g.width), sum_k, sum_v;
    for (int64_t n = first; n < last; n++) {
      const ct_segment &segment = g.segments[n / g.groups];
      int64_t group = n % g.groups, token = segment.row * g.length + segment.start, length = segment.length;
      HeadRows K(k, g.groups, g.width, token, length, group, ks);
      HeadRows V(v, g.groups, g.width, token, length, group, vs);
      sum_k.assign(length * g.width, 0);
      sum_v.assign(length * g.width, 0);
      for (int64_t head = group * per_group; head < (group + 1) * per_group; head++) {
        for (int64_t begin = 0; begin < length; begin += block) {
          int64_t end = std::min(begin + block, length), queries = end - begin;
          int64_t low = g.first_key(begin), keys = end - low;
          HeadRows Q(q, g.heads, g.width, token + begin, queries, head, qs);
          HeadRows D(d, g.heads, g.width, token + begin, queries, head, ds);
          HeadRows O(o, g.heads, g.width, token + begin, queries, head, os);
          p.resize(queries * keys);
          dp.resize(queries * keys);
          gemm(false, true, queries, keys, g.width, g.scale, Q.start, Q.stride, K.row(low), K.stride, 0, p.data(), keys);
          gemm(false, true, queries, keys, g.width, 1, D.start, D.stride, V.row(low), V.stride, 0, dp.data(), keys);
          for (int64_t i = 0; i < queries; i++) {
            float *pi = p.data() + i * keys, *dpi = dp.data() + i * keys;
            int64_t from = g.first_key(begin + i) - low, to = begin + i - low + 1;
            float log_sum = sums[(token + begin + i) * g.heads + head], dot = 0;
            const float *di = D.row(i), *oi = O.row(i);
#pragma omp simd reduction(+ : dot)
            for (int64_t x = 0; x < g.width; x++) dot += di[x] * oi[x];
            for (int64_t j = 0; j < from; j++) pi[j] = dpi[j] = 0;
#pragma omp simd
            for (int64_t j = from; j < to; j++) {
              pi[j] = exponential(pi[j] - log_sum);
              dpi[j] = pi[j] * (dpi[j] - dot) * g.scale;
            }
            for (int64_t j = to; j < keys; j++) pi[j] = dpi[j] = 0;
          }
          gemm(true, false, keys, g.width, queries, 1, p.data(), keys, D.start, D.stride, 1, sum_v.data() + low * g.width, g.width);
          gemm(true, false, keys, g.width, queries, 1, dp.data(), keys, Q.start, Q.stride, 1, sum_k.data() + low * g.width, g.width);
          gemm(false, false, queries, g.width, keys, 1, dp.data(), keys, K.row(low), K.stride, 0, made.data(), g.width);
          for (int64_t i = 0; i < queries; i++) {
            T *to = dq + ((token + begin + i) * g.heads + head) * g.width;
#pragma omp simd
            for (int64_t x = 0; x < g.width; x++) store(to + x, made[i * g.width + x]);
          }
        }
      }
      for (int64_t t = 0; t < length; t++) {
        T *to_k = dk + ((token + t) * g.groups + group) * g.width, *to_v = dv + ((token + t) * g.groups + group) * g.width;
#pragma omp simd
        for (int64_t x = 0; x < g.width; x++) {
          store(to_k + x, sum_k[t * g.width + x]);
          store(to_v + x, sum_v[t * g.width + x]);
        }
      }
    }
  });
}

bool covers(const std::vector<ct_segment> &segments, int64_t tokens) {
  int64_t sum = 0;
  for (const auto &s : segments) sum += s.length;
  return sum == tokens;
}

struct Attention : torch::autograd::Function<Attention> {
  static Tensor forward(AutogradContext *context, const Tensor &q, const Tensor &k, const Tensor &v, const Tensor &packed,
                        int64_t window, double scale) {
    Tensor query = q.contiguous(), key = k.contiguous(), value = v.contiguous();
    Geometry g = geometry(query, key, packed, window, scale);
    bool full = covers(g.segments, query.size(0) * query.size(1));
    Tensor output = full ? at::empty_like(query) : at::zeros_like(query);
    Tensor log_sums = at::empty({query.size(0), query.size(1), query.size(2)}, query.options().dtype(at::kFloat));
    dispatch(query, [&](auto *kind) {
      forward_kernel<std::remove_pointer_t<decltype(kind)>>(g, query, key, value, output, log_sums);
    });
    context->save_for_backward({query, key, value, packed, output, log_sums});
    context->saved_data["window"] = window;
    context->saved_data["scale"] = scale;
    return output;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const Tensor &query = saved[0], &key = saved[1], &value = saved[2], &packed = saved[3];
    Geometry g = geometry(query, key, packed, context->saved_data["window"].toInt(), context->saved_data["scale"].toDouble());
    bool full = covers(g.segments, query.size(0) * query.size(1));
    Tensor gradient = gradients[0].contiguous();
    Tensor to_query = full ? at::empty_like(query) : at::zeros_like(query);
    Tensor to_key = full ? at::empty_like(key) : at::zeros_like(key), to_value = full ? at::empty_like(value) : at::zeros_like(value);
    dispatch(query, [&](auto *kind) {
      backward_kernel<std::remove_pointer_t<decltype(kind)>>(g, query, key, value, saved[4], saved[5], gradient, to_query, to_key, to_value);
    });
    return {to_query, to_key, to_value, Tensor(), Tensor(), Tensor()};
  }

 private:
  /// packed: I64 [segments, 3], since autograd carries tensors.
  static Geometry geometry(const Tensor &query, const Tensor &key, const Tensor &packed, int64_t window, double scale) {
    Geometry g;
    const int64_t *p = packed.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < packed.size(0); i++) g.segments.push_back({p[3 * i], p[3 * i + 1], p[3 * i + 2]});
    g.window = window;
    g.scale = static_cast<float>(scale);
    g.length = query.size(1);
    g.heads = query.size(2);
    g.width = query.size(3);
    g.groups = key.size(2);
    return g;
  }
};

Tensor repeat_heads(const Tensor &t, int64_t heads) {  // [rows, KV heads, length, width]
  int64_t groups = t.size(1);
  return groups == heads ? t : t.repeat_interleave(heads / groups, 1);
}

/// The composed form: libtorch's own attention under a mask.
Tensor composed_attention(const Tensor &q, const Tensor &k, const Tensor &v, const std::vector<ct_segment> &segments, int64_t window,
                          double scale) {
  int64_t rows = q.size(0), length = q.size(1), heads = q.size(2);
  Tensor query = q.transpose(1, 2), key = repeat_heads(k.transpose(1, 2), heads), value = repeat_heads(v.transpose(1, 2), heads);
  bool dense = static_cast<int64_t>(segments.size()) == rows && window <= 0;
  for (const auto &s : segments) dense = dense && s.length == length;
  if (dense) return at::scaled_dot_product_attention(query, key, value, {}, 0, true, scale).transpose(1, 2);
  // Which segment a token belongs to; a token of none sees itself alone, and its output is put to zero.
  Tensor owner = at::arange(-1, -1 - rows * length, -1, at::kLong).view({rows, length});
  Tensor inside = at::zeros({rows, length}, at::kBool);
  for (size_t i = 0; i < segments.size(); i++) {
    const auto &s = segments[i];
    owner[s.row].narrow(0, s.start, s.length).fill_(static_cast<int64_t>(i));
    inside[s.row].narrow(0, s.start, s.length).fill_(true);
  }
  Tensor place = at::arange(length, at::kLong);
  Tensor distance = place.unsqueeze(1) - place.unsqueeze(0);
  Tensor seen = (owner.unsqueeze(2) == owner.unsqueeze(1)) & (distance >= 0).unsqueeze(0);
  if (window > 0) seen = seen & (distance < window).unsqueeze(0);
  seen = seen.unsqueeze(1).to(q.device());
  Tensor output = at::scaled_dot_product_attention(query, key, value, seen, 0, false, scale).transpose(1, 2);
  return output * inside.to(q.device()).view({rows, length, 1, 1}).to(q.scalar_type());
}

}  // namespace

ct_status attention(ct_tensor query, ct_tensor key, ct_tensor value, const ct_segment *segments, int64_t count, int64_t window,
                    double scale, ct_tensor *out) {
  return guarded([&] {
    const Tensor &q = tensor(query), &k = tensor(key), &v = tensor(value);
    TORCH_CHECK(q.dim() == 4 && k.dim() == 4 && v.sizes().equals(k.sizes()) && q.size(2) % k.size(2) == 0, "attention: query ",
                q.sizes(), ", key ", k.sizes(), " and value ", v.sizes(), " do not fit");
    for (int64_t i = 0; i < count; i++) {
      const auto &s = segments[i];
      TORCH_CHECK(s.row >= 0 && s.row < q.size(0) && s.start >= 0 && s.length > 0 && s.start + s.length <= q.size(1),
                  "attention: segment ", i, " lies outside its row");
    }
    if (!has_kernel(q)) {
      *out = handle(composed_attention(q, k, v, {segments, segments + count}, window, scale));
      return;
    }
    Tensor packed = at::empty({count, 3}, at::kLong);
    std::memcpy(packed.data_ptr(), segments, count * sizeof(ct_segment));
    *out = handle(Attention::apply(q, k, v, packed, window, scale));
  });
}

ct_status cached_attention(ct_tensor query, ct_tensor key, ct_tensor value, const int64_t *lengths, int64_t window, double scale,
                           ct_tensor *out) {
  return guarded([&] {
    const Tensor &q = tensor(query), &k = tensor(key), &v = tensor(value);
    int64_t rows = q.size(0), count = q.size(1), heads = q.size(2), longest = 0;
    for (int64_t r = 0; r < rows; r++) longest = std::max(longest, lengths[r] + count);
    TORCH_CHECK(longest <= k.size(2), "cached attention: ", longest, " tokens do not fit a cache of ", k.size(2));
    Tensor begins = at::empty({rows, 1, 1}, at::kLong);
    std::copy(lengths, lengths + rows, begins.data_ptr<int64_t>());
    Tensor distance = begins + at::arange(count, at::kLong).view({1, count, 1}) - at::arange(longest, at::kLong).view({1, 1, longest});
    Tensor seen = distance >= 0;
    if (window > 0) seen = seen & (distance < window);
    Tensor output = at::scaled_dot_product_attention(q.transpose(1, 2), repeat_heads(k.narrow(2, 0, longest), heads),
                                                     repeat_heads(v.narrow(2, 0, longest), heads),
                                                     seen.unsqueeze(1).to(q.device()), 0, false, scale);
    *out = handle(output.transpose(1, 2));
  });
}

}  // namespace ct
