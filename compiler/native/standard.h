/* What kernels use of C's standard headers, by what compilers know without them: reading those takes each unit as long
   as a few kernels. */

#ifndef AX_STANDARD_H
#define AX_STANDARD_H

typedef __INT8_TYPE__ int8_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __INT16_TYPE__ int16_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT64_TYPE__ uint64_t;
#define INT8_MAX __INT8_MAX__
#define INT8_MIN (-__INT8_MAX__ - 1)
#define UINT8_MAX __UINT8_MAX__
#define INT32_MAX __INT32_MAX__
#define INT32_MIN (-__INT32_MAX__ - 1)
#define UINT32_MAX __UINT32_MAX__
#define INT64_MAX __INT64_MAX__
#define INT64_MIN (-__INT64_MAX__ - 1)
#define UINT64_MAX __UINT64_MAX__
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define acos __builtin_acos
#define asin __builtin_asin
#define atan __builtin_atan
#define atan2 __builtin_atan2
#define copysign __builtin_copysign
#define copysignf __builtin_copysignf
#define cos __builtin_cos
#define cosh __builtin_cosh
#define erf __builtin_erf
#define exp __builtin_exp
#define expm1 __builtin_expm1
#define fabs __builtin_fabs
#define fabsf __builtin_fabsf
#define floor __builtin_floor
#define floorf __builtin_floorf
#define fmod __builtin_fmod
#define fmodf __builtin_fmodf
#define log __builtin_log
#define log1p __builtin_log1p
#define memcpy __builtin_memcpy
#define pow __builtin_pow
#define rint __builtin_rint
#define rintf __builtin_rintf
#define sin __builtin_sin
#define sinh __builtin_sinh
#define sqrt __builtin_sqrt
#define sqrtf __builtin_sqrtf
#define tan __builtin_tan
#define tanh __builtin_tanh

/* Before a function that combines elements: GCC would leave the lanes of each total to a loop over memory. */
#if defined(__GNUC__) && !defined(__clang__)
#define AX_FOLDS __attribute__((optimize("peel-loops")))
#else
#define AX_FOLDS
#endif

#endif
