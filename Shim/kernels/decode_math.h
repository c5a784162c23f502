// Products of few rows with weights that are read once, in an order of additions that is the same for every element of every
// result: K is walked in steps of `lanes`, each lane adds its own products, and the lanes are added in one fixed tree. So
// a row's result depends neither on how many rows share the call, nor on tiles, chunks or threads.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__AVX512F__) && defined(__AVX512DQ__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "vector.h"

namespace ct {

#if defined(__AVX512F__) && defined(__AVX512DQ__)
constexpr int lanes = 16, most_rows = 6;
#elif defined(__AVX2__)
constexpr int lanes = 8, most_rows = 2;
#else
constexpr int lanes = 8, most_rows = 2;
#endif

/// `lanes` floats of a register.
typedef float floats __attribute__((vector_size(4 * lanes)));
typedef float loose_floats __attribute__((vector_size(4 * lanes), aligned(4), may_alias));

inline floats get(const float *p) { return *reinterpret_cast<const loose_floats *>(p); }
inline void put(float *p, floats v) { *reinterpret_cast<loose_floats *>(p) = v; }

#if defined(__AVX512F__) && defined(__AVX512DQ__)
inline floats get(const bf16 *p) {
  __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p));
  return reinterpret_cast<floats>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
inline floats get(const int8_t *p) {
  return reinterpret_cast<floats>(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)))));
}
#elif defined(__AVX2__)
inline floats get(const bf16 *p) {
  __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
  return reinterpret_cast<floats>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
inline floats get(const int8_t *p) {
  return reinterpret_cast<floats>(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p)))));
}
#else
inline floats get(const bf16 *p) {
  floats v;
  for (int i = 0; i < lanes; i++) v[i] = load(p + i);
  return v;
}
inline floats get(const int8_t *p) {
  floats v;
  for (int i = 0; i < lanes; i++) v[i] = p[i];
  return v;
}
#endif

/// The last `count` < lanes elements, zeros behind them.
template <typename T>
inline floats get(const T *p, int64_t count) {
  T part[lanes];
  std::memset(part, 0, sizeof(part));
  std::memcpy(part, p, count * sizeof(T));
  return get(part);
}

/// The sum of the lanes: halves are added until two are left.
inline float total(floats v) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  __m512 a = reinterpret_cast<__m512>(v);
  __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  c = _mm_add_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
#else
  for (int n = lanes / 2; n > 0; n /= 2)
    for (int i = 0; i < n; i++) v[i] += v[i + n];
  return v[0];
#endif
}

/// R rows of x against C rows of w, `at(r, c, sum)` for each. `step` elements lie between rows.
template <int R, int C, typename W, typename At>
__attribute__((always_inline)) inline void tile(const float *x, int64_t x_step, const W *w, int64_t w_step, int64_t width, const At &at) {
  floats sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) sum[r][c] = floats{};
  int64_t k = 0;
  for (; k + lanes <= width; k += lanes) {
    floats part[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) {
      part[c] = get(w + c * w_step + k);
      if constexpr (sizeof(W) < 4 || R == 1) __builtin_prefetch(reinterpret_cast<const char *>(w + c * w_step + k) + 2048);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
      floats row = get(x + r * x_step + k);
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) sum[r][c] += part[c] * row;
    }
  }
  if (k < width) {
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) {
      floats part = get(w + c * w_step + k, width - k);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) sum[r][c] += part * get(x + r * x_step + k, width - k);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) at(r, c, total(sum[r][c]));
}

/// Every row of x against C rows of w.
template <int C, typename W, typename At>
__attribute__((always_inline)) inline void tiles(const float *x, int64_t rows, int64_t x_step, const W *w, int64_t w_step, int64_t width,
                                                 const At &at) {
  int64_t n = 0;
  for (; n + most_rows <= rows; n += most_rows)
    tile<most_rows, C>(x + n * x_step, x_step, w, w_step, width, [&](int r, int c, float s) { at(n + r, c, s); });
  auto rest = [&](auto count) {
    constexpr int R = decltype(count)::value;
    if constexpr (R < most_rows)
      if (rows - n == R) tile<R, C>(x + n * x_step, x_step, w, w_step, width, [&](int r, int c, float s) { at(n + r, c, s); });
  };
  rest(std::integral_constant<int, 1>());
  rest(std::integral_constant<int, 2>());
  rest(std::integral_constant<int, 3>());
  rest(std::integral_constant<int, 4>());
  rest(std::integral_constant<int, 5>());
}

/// Rows [0, rows) of x against rows [0, outputs) of w: `at(row, output, sum)`.
template <typename W, typename At>
__attribute__((always_inline)) inline void products(const float *x, int64_t rows, int64_t x_step, const W *w, int64_t outputs, int64_t w_step,
                                                    int64_t width, const At &at) {
  int64_t o = 0;
  for (; o + 4 <= outputs; o += 4)
    tiles<4>(x, rows, x_step, w + o * w_step, w_step, width, [&](int64_t r, int c, float s) { at(r, o + c, s); });
  for (; o < outputs; o++)
    tiles<1>(x, rows, x_step, w + o * w_step, w_step, width, [&](int64_t r, int c, float s) { at(r, o + c, s); });
}

/// Elements between rows of f32 that are read together: whole cache lines, and an odd number of them, so that rows do not meet in the same sets of a cache.
inline int64_t padded(int64_t width) { return ((width + 15) / 16 | 1) * 16; }

/// From how many rows on weights are widened to f32 first, a chunk at a time: the same numbers, converted once.
constexpr int64_t widening_rows = 12;
/// Bytes of activations that are worked on together, so that they stay in a core's own cache.
constexpr int64_t near_bytes = 384 << 10;

/// The same for many rows. `room` holds outputs · width floats.
template <typename W, typename At>
void blocked_products(const float *x, int64_t rows, int64_t x_step, const W *w, int64_t outputs, int64_t width, float *room, const At &at) {
  if (rows < widening_rows) return products(x, rows, x_step, w, outputs, width, width, at);
  int64_t step = padded(width);
  for (int64_t o = 0; o < outputs; o++) {
    int64_t i = 0;
    for (; i + lanes <= width; i += lanes) put(room + o * step + i, get(w + o * width + i));
    if (i < width) put(room + o * step + i, get(w + o * width + i, width - i));
  }
  int64_t block = std::max<int64_t>(most_rows, near_bytes / (width * 4) / most_rows * most_rows);
  for (int64_t first = 0; first < rows; first += block)
    products(x + first * x_step, std::min(block, rows - first), x_step, room, outputs, step, width,
             [&](int64_t r, int64_t o, float s) { at(first + r, o, s); });
}

/// Σ xᵢ² in the order of a product.
inline float squares(const float *x, int64_t width) {
  float result = 0;
  tile<1, 1>(x, 0, x, 0, width, [&](int, int, float s) { result = s; });
  return result;
}

/// x · rsqrt(mean(x²) + ε) · w
template <typename W>
void norm_row(const float *x, const W *w, int64_t width, float epsilon, float *y) {
  float s = 1.0f / std::sqrt(squares(x, width) / static_cast<float>(width) + epsilon);
#pragma omp simd
  for (int64_t i = 0; i < width; i++) y[i] = x[i] * s * load(w + i);
}

/// y[i] += Σ p[i][j] · values[j] for keys first ≤ j < last, in their order, for M queries at a time.
template <int M, int D, typename T>
__attribute__((always_inline)) inline void add_values(const T *values, int64_t width, int64_t first, int64_t last, float *const *p, float *const *y, int64_t d) {
  floats sum[M][D];
#pragma GCC unroll 8
  for (int i = 0; i < M; i++)
#pragma GCC unroll 4
    for (int c = 0; c < D; c++) sum[i][c] = get(y[i] + d + c * lanes);
  for (int64_t j = first; j < last; j++) {
    const T *v = values + j * width + d;
    floats part[D];
#pragma GCC unroll 4
    for (int c = 0; c < D; c++) part[c] = get(v + c * lanes);
#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
#pragma GCC unroll 4
      for (int c = 0; c < D; c++) sum[i][c] += part[c] * p[i][j];
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; i++)
#pragma GCC unroll 4
    for (int c = 0; c < D; c++) put(y[i] + d + c * lanes, sum[i][c]);
}

template <int M, typename T>
void add_values(const T *values, int64_t width, int64_t first, int64_t last, float *const *p, float *const *y) {
  if (first >= last) return;
  int64_t d = 0;
  for (; d + 4 * lanes <= width; d += 4 * lanes) add_values<M, 4>(values, width, first, last, p, y, d);
  for (; d + lanes <= width; d += lanes) add_values<M, 1>(values, width, first, last, p, y, d);
  for (int i = 0; i < M && d < width; i++) {
    floats sum = get(y[i] + d, width - d);
    for (int64_t j = first; j < last; j++) sum += get(values + j * width + d, width - d) * p[i][j];
    std::memcpy(y[i] + d, &sum, (width - d) * sizeof(float));
  }
}

/// Attention of some queries of one cache row, `step` floats apart, over its keys and values: query i sees keys [first[i], last[i]),
/// both ascending. `scores` holds count · (last − first of all) floats. out as the queries, `out_step` apart.
template <typename T>
void attend(const float *query, int64_t count, int64_t step, const T *keys, const T *values, const int64_t *first, const int64_t *last,
            int64_t width, float scale, float *scores, float *out, int64_t out_step) {
  int64_t begin = first[0], span = last[count - 1] - begin;
  products(query, count, step, keys + begin * width, span, width, width, [&](int64_t i, int64_t j, float s) { scores[i * span + j] = s * scale; });
  float *p[most_rows], *y[most_rows], factor[most_rows];
  for (int64_t i = 0; i < count; i++) {
    p[i] = scores + i * span - begin;  // by key
    y[i] = out + i * out_step;
    float *own = p[i] + first[i], top = -INFINITY;
    int64_t n = last[i] - first[i];
#pragma omp simd reduction(max : top)
    for (int64_t j = 0; j < n; j++) top = std::max(top, own[j]);
#pragma omp simd
    for (int64_t j = 0; j < n; j++) own[j] = exponential(own[j] - top);
    floats sums = {};  // in lanes, so that the order depends on the number of keys alone
    int64_t j = 0;
    for (; j + lanes <= n; j += lanes) sums += get(own + j);
    if (j < n) sums += get(own + j, n - j);
    factor[i] = 1.0f / total(sums);
    std::memset(y[i], 0, width * sizeof(float));
  }
  // What all see together, and before and after it what each sees alone: every query's keys in their order.
  int64_t from = first[count - 1], to = std::max(last[0], from);
  bool together = count == most_rows && from < last[0];
  for (int64_t i = 0; i < count; i++) add_values<1>(values, width, first[i], together ? from : last[i], p + i, y + i);
  if (together) {
    add_values<most_rows>(values, width, from, to, p, y);
    for (int64_t i = 0; i < count; i++) add_values<1>(values, width, to, last[i], p + i, y + i);
  }
  for (int64_t i = 0; i < count; i++)
#pragma omp simd
    for (int64_t d = 0; d < width; d++) y[i][d] *= factor[i];
}

}  // namespace ct
