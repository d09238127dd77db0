/* Scalar functions that are approximated: in f32 without branches, calls or tables. Follows arithmetic.h.

   Special cases are NumPy's. Polynomials come from tools/minimax.py. Arithmetic may be contracted to fused
   multiply-adds, but never reordered. */

#ifndef AX_MATHEMATICS_H
#define AX_MATHEMATICS_H

/* Bits. */

AX_INLINE uint32_t ax_bits_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

AX_INLINE float ax_of_bits_f32(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

AX_INLINE uint32_t ax_low_bits_f64(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint32_t)bits;
}

/* Added to a number that is not too great, these round it to a whole one and leave that in the low bits of the sum. */
#define AX_ROUNDING_F32 0x1.8p23f
#define AX_ROUNDING_F64 0x1.8p52

/* 2^(n - 127) for n in [1, 254], and 0 for 0; n is the low 9 bits. */
AX_INLINE float ax_power_of_bits(uint32_t n) { return ax_of_bits_f32(n << 23); }

/* `y`, which is not negative, with the sign of `x`. */
AX_INLINE float ax_signed(float y, float x) { return ax_of_bits_f32(ax_bits_f32(y) | (ax_bits_f32(x) & 0x80000000u)); }

/* Exponentials: x = n ln 2 + r, with n whole and |r| <= ln 2 / 2. Numbers beyond a function's reach are dealt with at
   its end: what is chosen before it, compilers compute apart. */

/* x / ln 2 rounded, and a bias that AX_ROUNDING_F32 is part of: n and the rest of the bias are the low bits. */
AX_INLINE float ax_sum_of_exp(float x, float bias) { return x * 1.44269504f + bias; }

/* Sums are compared as whole numbers, by one instruction; floats take two. Where n is kept down, exp(r) is great. */
AX_INLINE float ax_at_most(float sum, float most) {
  int32_t a = (int32_t)ax_bits_f32(sum), b = (int32_t)ax_bits_f32(most);
  return ax_of_bits_f32((uint32_t)(a < b ? a : b));
}

AX_INLINE float ax_at_least(float sum, float least) {
  int32_t a = (int32_t)ax_bits_f32(sum), b = (int32_t)ax_bits_f32(least);
  return ax_of_bits_f32((uint32_t)(a > b ? a : b));
}

AX_INLINE float ax_rest_of_exp(float x, float n) { return (x - n * 0.693359375f) + n * 2.12194440e-4f; }

/* exp(r) - 1. */
AX_INLINE float ax_expm1_of_reduced(float r) {
  float square = r * r;
  float p = (0.0013835824f * r + 0.008367118f) * square + (0.041667756f * r + 0.16666539f);
  p = p * r + 0.49999997f;
  return p * square + r;
}

/* 2^n, which need not be an f32, comes as two factors, so that a denormal result is rounded once; the least sum keeps
   processors from the detour that they take for what underflows. */
AX_INLINE float ax_exp_f32(float x) {
  float bias = AX_ROUNDING_F32 + 254.0f;
  float sum = ax_at_least(ax_at_most(ax_sum_of_exp(x, bias), bias + 128.0f), bias - 150.0f);
  uint32_t n = ax_bits_f32(sum), half = n >> 1;
  float p = 1.0f + ax_expm1_of_reduced(ax_rest_of_exp(x, sum - bias));
  return x < -104.0f ? 0.0f : p * ax_power_of_bits(half) * ax_power_of_bits(n - half);
}

/* 1 - exp(-x) for x in [0, 80]. For what n adds to the error of r the power makes up. */
AX_INLINE float ax_one_less_exp(float x) {
  float bias = AX_ROUNDING_F32 + 127.0f;
  float sum = ax_sum_of_exp(-x, bias);
  float power = ax_power_of_bits(ax_bits_f32(sum));
  float r = -x - (sum - bias) * 0.693147182f;
  return (1.0f - power) - power * ax_expm1_of_reduced(r);
}

/* 2^128 is no f32: there the result is doubled. */
AX_INLINE float ax_expm1_f32(float x) {
  float bias = AX_ROUNDING_F32 + 127.0f;
  float sum = ax_at_most(ax_sum_of_exp(x, bias), bias + 128.0f);
  float lesser = ax_at_most(sum, bias + 127.0f);
  float power = ax_power_of_bits(ax_bits_f32(lesser));
  float y = power * ax_expm1_of_reduced(ax_rest_of_exp(x, sum - bias)) + (power - 1.0f);
  y = y * (sum - lesser) + y;
  y = x == 0.0f ? x : y;
  return x < -20.0f ? -1.0f : y;
}

/* 1 / (1 + exp(-x)), both divided by 2^24: exp(-x) is an f32 then, even where the result is denormal. */
AX_INLINE float ax_sigmoid_f32(float x) {
  float bias = AX_ROUNDING_F32 + 103.0f;
  float sum = ax_at_most(ax_sum_of_exp(-x, bias), bias + 151.0f);
  float p = 1.0f + ax_expm1_of_reduced(ax_rest_of_exp(-x, sum - bias));
  return x > 20.0f ? 1.0f : 0x1p-24f / (p * ax_power_of_bits(ax_bits_f32(sum)) + 0x1p-24f);
}

AX_INLINE float ax_tanh_f32(float x) {
  float size = fabsf(x);
  float e = ax_one_less_exp(size + size);
  return ax_signed(size > 9.1f ? 1.0f : e / (2.0f - e), x);
}

/* Where exp(x) may be no f32, it comes divided by 2^64, and what is added to it or taken from it is not felt. */
AX_INLINE float ax_sinh_f32(float x) {
  float size = fabsf(x), bias = AX_ROUNDING_F32 + 127.0f;
  int great = size > 64.0f;
  float sum = ax_at_most(ax_sum_of_exp(size, bias), bias + 130.0f);
  float r = ax_rest_of_exp(size, sum - bias);
  float power = ax_power_of_bits(ax_bits_f32(sum) - (great ? 64u : 0u));
  float y = power * ax_expm1_of_reduced(r) + (power - (great ? 0.0f : 1.0f));
  y = great ? y : y + y / (1.0f + y);
  return ax_signed(y * (great ? 0x1p63f : 0.5f), x);
}

AX_INLINE float ax_cosh_f32(float x) {
  float size = fabsf(x), bias = AX_ROUNDING_F32 + 63.0f;
  float sum = ax_at_most(ax_sum_of_exp(size, bias), bias + 130.0f);
  float p = 1.0f + ax_expm1_of_reduced(ax_rest_of_exp(size, sum - bias));
  float half = p * ax_power_of_bits(ax_bits_f32(sum)) * 0x1p63f;
  return half + 0.25f / half;
}

/* 1 - exp(-x P(x)); odd powers of P apart from even ones, so that neither waits for the other. */
AX_INLINE float ax_erf_f32(float x) {
  float size = fabsf(x);
  float square = size * size;
  float odd = 3.580166e-05f;
  odd = odd * square + 0.001169246f;
  odd = odd * square - 0.019378038f;
  odd = odd * square + 0.63661516f;
  float even = -0.00034811013f;
  even = even * square + 0.0003033632f;
  even = even * square + 0.10282904f;
  even = even * square + 1.1283792f;
  return ax_signed(size > 3.95f ? 1.0f : ax_one_less_exp(size * (odd * size + even)), x);
}

/* Logarithms: x = 2^e (1 + f), with 1 + f between the roots of 1/2 and 2. Where x is no positive number, e and f mean
   nothing. */

AX_INLINE float ax_reduced_log(float x, int32_t *e) {
  uint32_t bits = (x < 0x1p-126f ? ax_bits_f32(x * 0x1p23f) - (23u << 23) : ax_bits_f32(x)) - 0x3f3504f3u;
  *e = (int32_t)bits >> 23;
  return ax_of_bits_f32((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
}

/* log(2^e (1 + f)). */
AX_INLINE float ax_log_of_reduced(float f, float e) {
  float square = f * f;
  float p = -0.07641113f * f + 0.12765695f;
  p = p * square + (-0.13159546f * f + 0.14201072f);
  p = p * square + (-0.16623345f * f + 0.2000126f);
  p = p * square + (-0.25000823f * f + 0.3333333f);
  float low = (p * f - 0.5f) * square + e * -2.12194440e-4f;
  return (low + f) + e * 0.693359375f;
}

/* `y` where 0 < x < inf, else the logarithm of x. */
AX_INLINE float ax_log_or_limit(float x, float y) {
  y = x < INFINITY ? y : x;
  y = x == 0.0f ? -INFINITY : y;
  return x < 0.0f ? NAN : y;
}

AX_INLINE float ax_log_f32(float x) {
  int32_t e;
  float f = ax_reduced_log(x, &e);
  return ax_log_or_limit(x, ax_log_of_reduced(f, (float)e));
}

AX_INLINE float ax_log1p_f32(float x) {
  float sum = 1.0f + x;
  int32_t e;
  float f = ax_reduced_log(sum, &e);
  float lost = x - (sum - 1.0f);
  f += lost * ax_power_of_bits(127u - (e > 64 ? 0u : (uint32_t)e));
  return copysignf(ax_log_or_limit(sum, ax_log_of_reduced(f, (float)e)), x);
}

/* Circular functions: x = (n + t) pi / 2, with n whole and |t| little more than 1/2, for every f32. A great x is scaled
   down and multiplied by 2/pi scaled up, from which multiples of 4 are taken; this has three parts of one sign, and the
   products with the first two are exact. */

/* The number of the last condition that holds, each of which implies those before; one choice after another, so that
   compilers do not move what follows into the cases. */
AX_INLINE double ax_choice(int b, int c, int d, double of_none, double of_b, double of_c, double of_d) {
  double y = b ? of_b : of_none;
  y = c ? of_c : y;
  return d ? of_d : y;
}

AX_INLINE float ax_reduced_angle(float x, uint32_t *n) {
  float size = fabsf(x);
  int b = size >= 0x1p50f, c = size >= 0x1p76f, d = size >= 0x1p102f;
  float scale = b ? 0x1p-26f : 1.0f;
  scale = c ? 0x1p-52f : scale;
  scale = d ? 0x1p-78f : scale;
  double y = (double)(x * scale);
  double first = y * ax_choice(b, c, d, 0x1.45f306dp-1, 0x1.b939105p+0, 0x1.529fc27p+0, 0x1.d5f47d4p+0);
  double second = y * ax_choice(b, c, d, 0x1.9391054p-30, 0x1.29fc275p-30, 0x1.5f47d4dp-30, 0x1.a6ee06dp-29);
  double third = y * ax_choice(b, c, d, 0x1.4fe13abe8fa9ap-59, 0x1.f47d4d377036dp-60, 0x1.bb81b6c52b327p-61,
                               0x1.6295993c43904p-58);
  double sum = first + AX_ROUNDING_F64;
  double rest = first - (sum - AX_ROUNDING_F64);
  double more = (rest + second) + AX_ROUNDING_F64;
  *n = ax_low_bits_f64(sum) + ax_low_bits_f64(more);
  return (float)((((rest - (more - AX_ROUNDING_F64)) + second) + third) * 1.5707963267948966);
}

AX_INLINE float ax_sin_of_reduced(float r) {
  float square = r * r;
  float p = -0.00019506495f;
  p = p * square + 0.0083321f;
  p = p * square - 0.16666654f;
  return copysignf(p * (square * r) + r, r); /* the sum of 0 and -0 is 0 */
}

AX_INLINE float ax_cos_of_reduced(float r) {
  float square = r * r;
  float p = 2.4429319e-05f;
  p = p * square - 0.0013887294f;
  p = p * square + 0.041666646f;
  return p * (square * square) + (1.0f - 0.5f * square);
}

/* The sine of r and n quarters of a turn. */
AX_INLINE float ax_sin_of_quarters(float r, uint32_t n) {
  float y = (n & 1u) ? ax_cos_of_reduced(r) : ax_sin_of_reduced(r);
  return ax_of_bits_f32(ax_bits_f32(y) ^ ((n & 2u) << 30));
}

AX_INLINE float ax_sin_f32(float x) {
  uint32_t n;
  float r = ax_reduced_angle(x, &n);
  return ax_sin_of_quarters(r, n);
}

AX_INLINE float ax_cos_f32(float x) {
  uint32_t n;
  float r = ax_reduced_angle(x, &n);
  return ax_sin_of_quarters(r, n + 1u);
}

AX_INLINE float ax_tan_f32(float x) {
  uint32_t n;
  float r = ax_reduced_angle(x, &n);
  float sine = ax_sin_of_reduced(r), cosine = ax_cos_of_reduced(r);
  return ((n & 1u) ? -cosine : sine) / ((n & 1u) ? sine : cosine);
}

/* Angles; pi/2 is AX_QUARTER - AX_QUARTER_MORE. */

#define AX_QUARTER 1.57079637f
#define AX_QUARTER_MORE 4.37113883e-8f

/* asin(|x|) for |x| <= 1/2, else asin of the root of (1 - |x|) / 2, which is acos(|x|) / 2. */
AX_INLINE float ax_reduced_asin(float x) {
  float size = fabsf(x);
  float square = size > 0.5f ? 0.5f - 0.5f * size : size * size;
  float y = size > 0.5f ? sqrtf(square) : size;
  float p = 0.042158388f;
  p = p * square + 0.024184743f;
  p = p * square + 0.045469154f;
  p = p * square + 0.074953094f;
  p = p * square + 0.16666752f;
  return p * (square * y) + y;
}

AX_INLINE float ax_asin_f32(float x) {
  float y = ax_reduced_asin(x);
  return copysignf(fabsf(x) > 0.5f ? AX_QUARTER - (2.0f * y + AX_QUARTER_MORE) : y, x);
}

AX_INLINE float ax_acos_f32(float x) {
  float y = ax_reduced_asin(x);
  float outer = x < 0.0f ? 2.0f * AX_QUARTER - (2.0f * y + 2.0f * AX_QUARTER_MORE) : 2.0f * y;
  return fabsf(x) > 0.5f ? outer : AX_QUARTER - (copysignf(y, x) + AX_QUARTER_MORE);
}

/* atan(x) for x in [0, 1]. */
AX_INLINE float ax_reduced_atan(float x) {
  float square = x * x;
  float p = 0.0029194453f;
  p = p * square - 0.01636324f;
  p = p * square + 0.043204766f;
  p = p * square - 0.07551661f;
  p = p * square + 0.10665769f;
  p = p * square - 0.14211002f;
  p = p * square + 0.19993767f;
  p = p * square - 0.33333153f;
  return p * (square * x) + x;
}

AX_INLINE float ax_atan_f32(float x) {
  float size = fabsf(x);
  float y = ax_reduced_atan((size > 1.0f ? 1.0f : size) / (size > 1.0f ? size : 1.0f));
  return copysignf(size > 1.0f ? AX_QUARTER - (y + AX_QUARTER_MORE) : y, x);
}

AX_INLINE float ax_atan2_f32(float a, float b) {
  float up = fabsf(a), across = fabsf(b);
  int steep = up > across;
  float lesser = steep ? across : up, greater = steep ? up : across;
  float slope = lesser == greater ? (greater == 0.0f ? 0.0f : 1.0f) : lesser / greater;
  float y = ax_reduced_atan(slope);
  y = steep ? AX_QUARTER - (y + AX_QUARTER_MORE) : y;
  y = copysignf(1.0f, b) < 0.0f ? 2.0f * AX_QUARTER - (y + 2.0f * AX_QUARTER_MORE) : y;
  return copysignf(y, a);
}

/* Powers: the logarithm is multiplied by the exponent, so it is taken in f64. */

/* log2(1 + f). */
AX_INLINE double ax_log2_of_reduced(double f) {
  double p = 0.0644539764853;
  p = p * f - 0.134615652269;
  p = p * f + 0.147131755247;
  p = p * f - 0.145237391066;
  p = p * f + 0.15864715393;
  p = p * f - 0.180105446591;
  p = p * f + 0.206175467537;
  p = p * f - 0.240461336138;
  p = p * f + 0.288537397667;
  p = p * f - 0.360673532685;
  p = p * f + 0.480898360092;
  p = p * f - 0.721347521568;
  p = p * f + 1.44269504087;
  return p * f;
}

/* 2^r for |r| <= 1/2. */
AX_INLINE float ax_exp2_of_reduced(float r) {
  float p = 0.00013332411f;
  p = p * r + 0.0013387926f;
  p = p * r + 0.009625445f;
  p = p * r + 0.055503663f;
  p = p * r + 0.24022594f;
  p = p * r + 0.6931472f;
  return p * r + 1.0f;
}

/* a^b for a >= 0. */
AX_INLINE float ax_pow_of_size(float a, float b) {
  int32_t whole;
  float f = ax_reduced_log(a, &whole);
  float e = a == 0.0f ? -INFINITY : (float)whole;
  e = a < INFINITY ? e : a;
  double exponent = (double)b * ((double)e + ax_log2_of_reduced((double)f));
  double sum = exponent + AX_ROUNDING_F64;
  uint32_t n = ax_low_bits_f64(sum);
  float scaled = ax_exp2_of_reduced((float)(exponent - (sum - AX_ROUNDING_F64)));
  float size = (float)exponent;
  float y = scaled * ax_power_of_bits(size < 0.0f ? n + 191u : n + 63u) * (size < 0.0f ? 0x1p-64f : 0x1p64f);
  y = size < -160.0f ? 0.0f : y;
  return size > 130.0f ? INFINITY : y;
}

AX_INLINE float ax_pow_f32(float a, float b) {
  float y = ax_pow_of_size(fabsf(a), b);
  int whole = rintf(b) == b;
  int odd = whole && rintf(0.5f * b) != 0.5f * b;
  y = odd ? copysignf(y, a) : y;
  y = a < 0.0f && a > -INFINITY && !whole ? NAN : y;
  return b == 0.0f || a == 1.0f || (a == -1.0f && fabsf(b) == INFINITY) ? 1.0f : y;
}

/* f64 is for checking: the library's functions, one element at a time. */

AX_INLINE double ax_exp_f64(double x) { return exp(x); }
AX_INLINE double ax_log_f64(double x) { return log(x); }
AX_INLINE double ax_log1p_f64(double x) { return log1p(x); }
AX_INLINE double ax_expm1_f64(double x) { return expm1(x); }
AX_INLINE double ax_sin_f64(double x) { return sin(x); }
AX_INLINE double ax_cos_f64(double x) { return cos(x); }
AX_INLINE double ax_tan_f64(double x) { return tan(x); }
AX_INLINE double ax_asin_f64(double x) { return asin(x); }
AX_INLINE double ax_acos_f64(double x) { return acos(x); }
AX_INLINE double ax_atan_f64(double x) { return atan(x); }
AX_INLINE double ax_atan2_f64(double a, double b) { return atan2(a, b); }
AX_INLINE double ax_sinh_f64(double x) { return sinh(x); }
AX_INLINE double ax_cosh_f64(double x) { return cosh(x); }
AX_INLINE double ax_tanh_f64(double x) { return tanh(x); }
AX_INLINE double ax_erf_f64(double x) { return erf(x); }
AX_INLINE double ax_pow_f64(double a, double b) { return pow(a, b); }

AX_INLINE double ax_sigmoid_f64(double x) {
  double small = exp(-fabs(x));
  return (x < 0.0 ? small : 1.0) / (1.0 + small);
}

#endif
