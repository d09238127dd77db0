/* Products by tensor cores: a warp adds the product of 16 x 16 and 16 x 8 elements of two bytes to 16 x 8 sums of f32.

   Of each matrix a lane holds a fragment (PTX, mma.m16n8k16). Two elements that follow each other along the inner axis
   are a word, the first in its lower half. With g = lane / 4 and t = lane % 4:
     a[r]    row g + r % 2 * 8, inner elements 2 t + r / 2 * 8 and the next
     b[r]    column g, inner elements 2 t + r * 8 and the next
     sum[r]  row g + r / 2 * 8, column 2 t + r % 2 */

#ifdef AX_HOST
#define AX_CORES 0
#else
#define AX_CORES __CUDA_ARCH__
AX_INLINE uint32_t ax_word(const void *x) { return *(const uint32_t *)x; }
#define AX_WORD(shared, at) ax_word(shared + (at))
#endif

template <typename T> AX_INLINE uint32_t ax_joined(T x, T y) {
  return ax_as<uint16_t>(x) | (uint32_t)ax_as<uint16_t>(y) << 16;
}

AX_INLINE float ax_number(uint16_t bits) { return ax_as<float>((uint32_t)bits << 16); }
AX_INLINE float ax_number(ax_f16 x) { return x; }

template <typename T> AX_INLINE float ax_half(uint32_t word, int i) {
  return ax_number(ax_as<T>((uint16_t)(word >> 16 * i)));
}

/* Without tensor cores for a type lanes ask those that hold what they multiply. */
template <typename T> AX_INLINE void ax_multiply_asking(float (&sum)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int k = 0; k < 8; k++) {
    uint32_t x[2], y[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      x[i] = __shfl_sync(0xffffffffu, a[k / 4 * 2 + i], 4 * g + k % 4);
      y[i] = __shfl_sync(0xffffffffu, b[k / 4], 4 * (2 * t + i) + k % 4);
    }
#pragma unroll
    for (int r = 0; r < 8; r++) sum[r / 2] += ax_half<T>(x[r / 4], r % 2) * ax_half<T>(y[r / 2 % 2], r % 2);
  }
}

#define AX_SUMS(sum) "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
#define AX_LONG(type)                                                            \
  asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type                      \
      ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"       \
      : AX_SUMS(sum)                                                              \
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

AX_INLINE void ax_multiply_bf16(float (&sum)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if AX_CORES >= 800
  AX_LONG("bf16");
#else
  ax_multiply_asking<uint16_t>(sum, a, b);
#endif
}

AX_INLINE void ax_multiply_f16(float (&sum)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if AX_CORES >= 800
  AX_LONG("f16");
#elif AX_CORES >= 750
  for (int i = 0; i < 2; i++)
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : AX_SUMS(sum)
        : "r"(a[2 * i]), "r"(a[2 * i + 1]), "r"(b[i]));
#else
  ax_multiply_asking<ax_f16>(sum, a, b);
#endif
}
