// Element access and a few functions written so that the compiler turns loops over them into vector code.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "../common.h"

namespace ct {

/// A bfloat16 in memory; arithmetic is always f32.
struct bf16 {
  uint16_t bits;
};

inline float load(const int8_t *p) { return *p; }
inline float load(const float *p) { return *p; }
inline double load(const double *p) { return *p; }
inline float load(const bf16 *p) {
  uint32_t bits = static_cast<uint32_t>(p->bits) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

inline void store(float *p, float value) { *p = value; }
inline void store(double *p, double value) { *p = value; }
/// Rounds to nearest even, as libtorch does; a NaN stays one.
inline void store(bf16 *p, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  p->bits = static_cast<uint16_t>(value != value ? 0x7FC0u : rounded);
}

/// e^x to about one unit in the last place: 2^n · e^r with |r| ≤ ln 2 / 2, a polynomial of degree six (Cephes expf).
inline float exponential(float x) {
  x = x < -87.3f ? -87.3f : x > 88.3f ? 88.3f : x;
  float n = std::nearbyint(x * 1.44269504088896341f);
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, 4);
  return p * power;
}

template <typename T>
T *data(const Tensor &t) {
  return static_cast<T *>(const_cast<void *>(t.const_data_ptr()));
}

/// Calls the body with a null pointer of the element type.
template <typename Body>
void dispatch(const Tensor &t, Body &&body) {
  if (t.scalar_type() == at::kFloat)
    body(static_cast<float *>(nullptr));
  else
    body(static_cast<bf16 *>(nullptr));
}

}  // namespace ct
