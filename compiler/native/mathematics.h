/* Scalar functions without branches, for loops that the compiler turns into vectors.

   A word of the scalar vocabulary and a type make a name: ax_exp_f32. Results and special cases are NumPy's. The
   polynomials come from tools/minimax.py. */

#ifndef AX_MATHEMATICS_H
#define AX_MATHEMATICS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef AX_INLINE
#ifdef __GNUC__
#define AX_INLINE static inline __attribute__((always_inline, unused))
#else
#define AX_INLINE static inline
#endif
#endif

/* Bits */

AX_INLINE uint32_t ax_bits_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

AX_INLINE float ax_from_bits_f32(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Exponentials of f32: x = n ln 2 + r, with n whole and |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to a whole number
   and leaves it in the low bits. */

AX_INLINE float ax_shifted_f32(float x) {
  return x * 1.44269504f + 12582912.0f;
}

/* 2^(n + more). */
AX_INLINE float ax_power_of_two_f32(float shifted, int32_t more) {
  return ax_from_bits_f32((ax_bits_f32(shifted) << 23) + ((uint32_t)(127 + more) << 23));
}

AX_INLINE float ax_remainder_f32(float x, float n) {
  return (x - n * 0.693359375f) + n * 2.12194440e-4f;
}

/* exp(r) - 1. */
AX_INLINE float ax_reduced_expm1_f32(float r) {
  float p = 0.0013835824f;
  p = p * r + 0.008367118f;
  p = p * r + 0.041667756f;
  p = p * r + 0.16666539f;
  p = p * r + 0.49999997f;
  return p * (r * r) + r;
}

AX_INLINE float ax_exp_f32(float x) {
  float inside = x < -104.0f ? -104.0f : x;
  inside = inside > 89.0f ? 89.0f : inside;
  float shifted = ax_shifted_f32(inside);
  float p = 1.0f + ax_reduced_expm1_f32(ax_remainder_f32(inside, shifted - 12582912.0f));
  /* 2^n may be no f32 where the result is one, so 64 of the exponent come in a factor of their own. */
  return p * ax_power_of_two_f32(shifted, x < 0.0f ? 64 : -64) * (x < 0.0f ? 0x1p-64f : 0x1p64f);
}

/* exp(x) for x <= 0. */
AX_INLINE float ax_decay_f32(float x) {
  float inside = x < -104.0f ? -104.0f : x;
  float shifted = ax_shifted_f32(inside);
  float p = 1.0f + ax_reduced_expm1_f32(ax_remainder_f32(inside, shifted - 12582912.0f));
  return p * ax_power_of_two_f32(shifted, 64) * 0x1p-64f;
}

/* exp(x) - 1 for -80 <= x <= 0. */
AX_INLINE float ax_decrease_f32(float x) {
  float shifted = ax_shifted_f32(x);
  float p = ax_reduced_expm1_f32(ax_remainder_f32(x, shifted - 12582912.0f));
  float power = ax_power_of_two_f32(shifted, 0);
  return power * p + (power - 1.0f);
}

AX_INLINE float ax_sigmoid_f32(float x) {
  float small = ax_decay_f32(-fabsf(x));
  return (x < 0.0f ? small : 1.0f) / (1.0f + small);
}

AX_INLINE float ax_tanh_f32(float x) {
  float size = fabsf(x);
  float e = ax_decrease_f32(-2.0f * (size > 9.1f ? 9.1f : size));
  return copysignf(e / (2.0f + e), x);
}

/* 1 - exp(-x P(x)). */
AX_INLINE float ax_erf_f32(float x) {
  float size = fabsf(x);
  size = size > 3.95f ? 3.95f : size;
  float p = -1.4730779e-05f;
  p = p * size + 0.00013974273f;
  p = p * size - 0.0004941206f;
  p = p * size + 0.0006845636f;
  p = p * size + 6.18128e-05f;
  p = p * size + 0.00095274975f;
  p = p * size - 0.019572161f;
  p = p * size + 0.102854006f;
  p = p * size + 0.63661426f;
  p = p * size + 1.1283792f;
  return copysignf(ax_decrease_f32(-size * p), x);
}

/* Logarithms of f32: x = 2^e (1 + f), with 1 + f between the roots of 1/2 and 2. */

AX_INLINE float ax_reduced_log_f32(float f, float e) {
  float p = 0.06735448f;
  p = p * f - 0.11661014f;
  p = p * f + 0.11884985f;
  p = p * f - 0.12407977f;
  p = p * f + 0.14220369f;
  p = p * f - 0.16667871f;
  p = p * f + 0.20002069f;
  p = p * f - 0.25000012f;
  p = p * f + 0.33333313f;
  float square = f * f;
  float low = p * (square * f) + e * -2.12194440e-4f;
  return (low - 0.5f * square + f) + e * 0.693359375f;
}

AX_INLINE float ax_log_f32(float x) {
  int denormal = x < 0x1p-126f;
  uint32_t bits = ax_bits_f32(denormal ? x * 0x1p23f : x) - 0x3f3504f3u;
  float e = (float)((int32_t)bits >> 23) - (denormal ? 23.0f : 0.0f);
  float y = ax_reduced_log_f32(ax_from_bits_f32((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f, e);
  float limit = x < 0.0f ? NAN : x == 0.0f ? -INFINITY : x;
  return ax_bits_f32(x) - 1u < 0x7f7fffffu ? y : limit;
}

#endif
