/* Scalar functions that are exact, for loops that the compiler turns into vectors.

   A word of the scalar vocabulary and a type make a name: ax_max_f32. Results are NumPy's. What C has an operator or an
   instruction for has no function here. */

#ifndef AX_ARITHMETIC_H
#define AX_ARITHMETIC_H

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

/* bf16 is the upper half of f32; of two numbers as near the even one is taken, and NaN stays NaN. */

AX_INLINE float ax_widen(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float y;
  memcpy(&y, &bits, 4);
  return y;
}

AX_INLINE uint16_t ax_narrow(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return x != x ? 0x7fc0 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/* Words with one text for both floats. */

#define AX_FLOAT_WORDS(S, T)                                                                   \
  AX_INLINE T ax_max_##S(T a, T b) { T greater = a > b ? a : b; return a != a ? a : greater; } \
  AX_INLINE T ax_min_##S(T a, T b) { T lesser = a < b ? a : b; return a != a ? a : lesser; }   \
  AX_INLINE T ax_sign_##S(T x) { return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x; }             \
  AX_INLINE T ax_square_##S(T x) { return x * x; }                                             \
  AX_INLINE T ax_reciprocal_##S(T x) { return 1 / x; }                                         \
  AX_INLINE int ax_is_finite_##S(T x) { return x - x == 0; }                                   \
  AX_INLINE int ax_is_nan_##S(T x) { return x != x; }

AX_FLOAT_WORDS(f32, float)
AX_FLOAT_WORDS(f64, double)

AX_INLINE float ax_abs_f32(float x) { return fabsf(x); }
AX_INLINE double ax_abs_f64(double x) { return fabs(x); }
AX_INLINE float ax_round_f32(float x) { return rintf(x); }
AX_INLINE double ax_round_f64(double x) { return rint(x); }

/* Remainders are exact. */

AX_INLINE double ax_less_multiples(double x, double divisor, double inverse, double power) {
  return x - rint(x * (inverse / power)) * (divisor * power);
}

/* fmod(a, b): steps of 28 bits cover every quotient of two f32, each leaving at most half the divisor. */
AX_INLINE float ax_remainder_f32(float a, float b) {
  double x = (double)a, divisor = (double)b, inverse = 1.0 / divisor;
  x = ax_less_multiples(x, divisor, inverse, 0x1p252);
  x = ax_less_multiples(x, divisor, inverse, 0x1p224);
  x = ax_less_multiples(x, divisor, inverse, 0x1p196);
  x = ax_less_multiples(x, divisor, inverse, 0x1p168);
  x = ax_less_multiples(x, divisor, inverse, 0x1p140);
  x = ax_less_multiples(x, divisor, inverse, 0x1p112);
  x = ax_less_multiples(x, divisor, inverse, 0x1p84);
  x = ax_less_multiples(x, divisor, inverse, 0x1p56);
  x = ax_less_multiples(x, divisor, inverse, 0x1p28);
  x = ax_less_multiples(x, divisor, inverse, 1.0);
  float nearest = (float)x;
  float y = nearest * copysignf(1.0f, a) < 0.0f ? nearest + copysignf(b, a) : nearest;
  return fabsf(b) == INFINITY && fabsf(a) < INFINITY ? a : y;
}

AX_INLINE double ax_remainder_f64(double a, double b) { return fmod(a, b); }

#define AX_DIVISIONS(S, T, COPYSIGN, FLOOR)                                                    \
  AX_INLINE T ax_mod_##S(T a, T b) {                                                           \
    T left = ax_remainder_##S(a, b);                                                           \
    T y = left * COPYSIGN((T)1, b) < 0 ? left + b : left;                                      \
    return left == 0 ? COPYSIGN((T)0, b) : y;                                                  \
  }                                                                                            \
  AX_INLINE T ax_floor_div_##S(T a, T b) {                                                     \
    T left = ax_remainder_##S(a, b), y = (a - left) / b;                                       \
    y = left * COPYSIGN((T)1, b) < 0 ? y - 1 : y;                                              \
    T below = FLOOR(y);                                                                        \
    T whole = y - below > (T)0.5 ? below + 1 : below;                                          \
    return y == 0 ? COPYSIGN((T)0, a / b) : b == 0 ? a / b : whole;                            \
  }

AX_DIVISIONS(f32, float, copysignf, floorf)
AX_DIVISIONS(f64, double, copysign, floor)

/* Integers. W is an unsigned type as wide as T or wider, in which overflow is defined. A negative power is 0, but for
   those of 1 and -1. */

#define AX_INTEGER_WORDS(S, T, W)                                                              \
  AX_INLINE T ax_max_##S(T a, T b) { return a > b ? a : b; }                                   \
  AX_INLINE T ax_min_##S(T a, T b) { return a < b ? a : b; }                                   \
  AX_INLINE T ax_abs_##S(T x) { return (T)(x > 0 ? (W)x : (W)0 - (W)x); }                      \
  AX_INLINE T ax_sign_##S(T x) { return (T)(x > 0 ? 1 : x == 0 ? 0 : -1); }                      \
  AX_INLINE T ax_square_##S(T x) { return (T)((W)x * (W)x); }                                  \
  AX_INLINE T ax_pow_##S(T a, T b) {                                                           \
    W y = 1, factor = (W)a;                                                                    \
    if (b != 0 && !(b > 0)) return a == 1 || a == (T)-1 ? (b & 1 ? a : 1) : 0;                  \
    for (W n = (W)b; n; n >>= 1, factor *= factor) y = n & 1 ? y * factor : y;                 \
    return (T)y;                                                                               \
  }

AX_INTEGER_WORDS(u8, uint8_t, uint32_t)
AX_INTEGER_WORDS(i8, int8_t, uint32_t)
AX_INTEGER_WORDS(i32, int32_t, uint32_t)
AX_INTEGER_WORDS(u32, uint32_t, uint32_t)
AX_INTEGER_WORDS(i64, int64_t, uint64_t)

/* There are no vectors of integer divisions. In a float F with more than twice the bits of T, the floor of the rounded
   quotient is that of the exact one. OVER is the one quotient that T lacks; it wraps. By 0 the results are 0. */

#define AX_INTEGER_DIVISIONS(S, T, W, F, FLOOR, OVER)                                          \
  AX_INLINE T ax_floor_div_##S(T a, T b) {                                                     \
    F y = FLOOR((F)a / (F)(b == 0 ? 1 : b));                                                   \
    return (T)(b == 0 ? 0 : y == OVER ? -y : y);                                               \
  }                                                                                            \
  AX_INLINE T ax_mod_##S(T a, T b) {                                                           \
    return (T)(b == 0 ? 0 : (W)a - (W)ax_floor_div_##S(a, b) * (W)b);                          \
  }

AX_INTEGER_DIVISIONS(u8, uint8_t, uint32_t, float, floorf, -1)
AX_INTEGER_DIVISIONS(i8, int8_t, uint32_t, float, floorf, 128)
AX_INTEGER_DIVISIONS(i32, int32_t, uint32_t, double, floor, 0x1p31)
AX_INTEGER_DIVISIONS(u32, uint32_t, uint32_t, double, floor, -1)

AX_INLINE int64_t ax_floor_div_i64(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int64_t)(0 - (uint64_t)a);
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

AX_INLINE int64_t ax_mod_i64(int64_t a, int64_t b) {
  return b == 0 ? 0 : (int64_t)((uint64_t)a - (uint64_t)ax_floor_div_i64(a, b) * (uint64_t)b);
}

#endif
