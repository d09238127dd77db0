/* What stands before every unit of kernels: the names that C's standard headers give, and half-precision numbers.
   Compilers for devices bring the mathematics but no headers. On a host `AX_HOST` says that headers are there. */

#ifndef AX_HOST
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
#define INT8_MIN (-128)
#define INT8_MAX 127
#define UINT8_MAX 255
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define UINT32_MAX 4294967295u
#define INT64_MIN (-9223372036854775807L - 1)
#define INT64_MAX 9223372036854775807L
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fc00000)
#define AX_SHARED(T, name, size) __shared__ __align__(16) T name[size]
#define __builtin_floorf floorf
#define __builtin_floor floor
#define __builtin_ceilf ceilf
#define __builtin_ceil ceil
#define __builtin_rintf rintf
#define __builtin_rint rint
#define __builtin_sqrtf sqrtf
#define __builtin_sqrt sqrt
#endif

#define AX_INLINE static __device__ __forceinline__
#define _Bool bool
#define __typeof__ decltype

/* Bits of another type. */
template <typename To, typename From> AX_INLINE To ax_as(From x) {
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}

/* f16 in memory, by IEEE 754: rounded to nearest, ties to even. It is computed with as float. */
struct ax_f16 {
  uint16_t bits;
  ax_f16() = default;
  __device__ ax_f16(float x) {
    const uint32_t b = ax_as<uint32_t>(x), sign = b >> 16 & 0x8000u, u = b & 0x7fffffffu;
    if (u > 0x7f800000u) bits = (uint16_t)(sign | 0x7e00u);
    else if (u >= 0x47800000u) bits = (uint16_t)(sign | 0x7c00u);
    else if (u < 0x38800000u) bits = (uint16_t)(sign | (ax_as<uint32_t>(ax_as<float>(u) + 0.5f) - 0x3f000000u));
    else bits = (uint16_t)(sign | ((u - 0x38000000u + 0xfffu + (u >> 13 & 1u)) >> 13));
  }
  __device__ operator float() const {
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, e = bits >> 10 & 31u, m = bits & 1023u;
    if (e == 31) return ax_as<float>(sign | 0x7f800000u | m << 13);
    if (e == 0) return ax_as<float>(sign | ax_as<uint32_t>((float)m * 0x1p-24f));
    return ax_as<float>(sign | (e + 112u) << 23 | m << 13);
  }
};

#define _Float16 ax_f16

/* Where a run tells that a value was met where 0 ... limit - 1 was expected, by the step of `note`. Of several the
   first is told. */
struct ax_run {
  unsigned long long taken;
  long note, value, limit;
};

AX_INLINE void ax_refuse(struct ax_run *run, long note, long value, long limit) {
  if (atomicCAS(&run->taken, 0ull, 1ull)) return;
  run->note = note;
  run->value = value;
  run->limit = limit;
}

AX_INLINE long ax_floor_divide(long a, long b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
