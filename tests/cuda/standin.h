/* What CUDA kernels find where there is no GPU: its words as C++, so that the very text that a device runs is compiled
   for a processor. Blocks run one after the other; the threads of a block are fibres that switch at barriers and at
   exchanges within a warp, and only there.

   Shared memory notes who touches it: two threads that touch the same element between two barriers, one of them
   writing, race. Barriers that some threads of a block never reach are found too. */
#define AX_HOST
#define _GLIBCXX_INCLUDE_NEXT_C_HEADERS /* the C headers as they are: those of C++ take half of the time */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(threads)

namespace standin {

struct Three {
  unsigned x, y, z;
};

constexpr int WARP = 32, STACK = 256 << 10;
enum State { READY, AT_BARRIER, AT_EXCHANGE, DONE };

struct Fibre {
  State state;
  void *top;
  char *stack;
  void *fake;
  uint64_t given;
};

static Fibre *fibres, *current;
static int count;
static void *scheduler, *scheduler_fake;
static const void *scheduler_bottom;
static size_t scheduler_size;
static long epoch, first_epoch;
static int any, collected;
static char message[256];
static void (*body)(void **);
static void **arguments;

inline void complain(const char *what, long where = -1) {
  if (!message[0]) snprintf(message, sizeof message, "%s %ld", what, where);
}

extern "C" void standin_switch(void **from, void *to);
asm(R"(
.text
.globl standin_switch
.hidden standin_switch
standin_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

}  // namespace standin

static standin::Three threadIdx, blockIdx, blockDim, gridDim;

namespace standin {

/* From a fibre to whoever runs fibres. */
inline void leave(State state) {
  Fibre *self = current;
  self->state = state;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(state == DONE ? nullptr : &self->fake, scheduler_bottom, scheduler_size);
#endif
  standin_switch(&self->top, scheduler);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(self->fake, &scheduler_bottom, &scheduler_size);
#endif
}

inline void enter() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);
#endif
  body(arguments);
  leave(DONE);
  abort();
}

inline void resume(int thread) {
  current = &fibres[thread];
  threadIdx.x = (unsigned)thread;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&scheduler_fake, current->stack, STACK);
#endif
  standin_switch(&scheduler, current->top);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

inline void prepare(int threads) {
  if (!fibres) {
    fibres = (Fibre *)calloc((size_t)threads, sizeof(Fibre));
    for (int i = 0; i < threads; i++) fibres[i].stack = (char *)aligned_alloc(64, STACK);
  }
  count = threads;
  for (int i = 0; i < threads; i++) {
    void **top = (void **)(fibres[i].stack + STACK - 64);
    *--top = nullptr;
    *--top = (void *)enter;
    for (int r = 0; r < 6; r++) *--top = nullptr;
    fibres[i] = Fibre{READY, (void *)top, fibres[i].stack, nullptr, 0};
  }
}

/* Whether all of these threads wait for the same thing; then they go on. */
inline bool released(int from, int to, State state) {
  for (int i = from; i < to; i++)
    if (fibres[i].state != state) return false;
  for (int i = from; i < to; i++) fibres[i].state = READY;
  return true;
}

inline void run_block(int threads, bool backwards) {
  prepare(threads);
  first_epoch = ++epoch;
  for (;;) {
    int done = 0;
    for (int i = 0; i < threads; i++) {
      int thread = backwards ? threads - 1 - i : i;
      if (fibres[thread].state == READY) resume(thread);
      done += fibres[thread].state == DONE;
    }
    if (done == threads) return;
    bool moved = false;
    for (int w = 0; w < threads; w += WARP) moved |= released(w, w + WARP < threads ? w + WARP : threads, AT_EXCHANGE);
    if (moved) continue;
    if (!released(0, threads, AT_BARRIER)) return complain("threads of a block wait for each other in block", blockIdx.x);
    epoch++;
    any = collected;
    collected = 0;
  }
}

/* Elements of shared memory that note who touched them since the last barrier. */
struct Touch {
  long written = 0, read = 0;
  int writer = 0, reader = 0;
};

template <typename T> struct Element {
  T *value;
  Touch *touch;
  operator T() const {
    int t = (int)threadIdx.x;
    if (touch->written < first_epoch) complain("shared memory is read that nobody wrote, by thread", t);
    if (touch->written == epoch && touch->writer != t) complain("a race: shared memory is read that was written by thread", touch->writer);
    touch->reader = touch->read == epoch && touch->reader != t ? -1 : t;
    touch->read = epoch;
    return *value;
  }
  T operator=(T x) const {
    int t = (int)threadIdx.x;
    if (touch->written == epoch && touch->writer != t) complain("a race: shared memory is written again, before by thread", touch->writer);
    if (touch->read == epoch && touch->reader != t) complain("a race: shared memory is written that was read by thread", touch->reader);
    touch->written = epoch;
    touch->writer = t;
    return *value = x;
  }
  T operator=(const Element &other) const { return *this = (T)other; }
};

template <typename T, int N> struct Shared {
  T values[N];
  Touch touches[N];
  Element<T> operator[](long i) {
    if (i < 0 || i >= N) complain("outside of shared memory at", i), i = 0;
    return {&values[i], &touches[i]};
  }
};

/* Two elements of two bytes, side by side from an even one on, which a device loads as one word. */
template <typename T, int N> uint32_t word(Shared<T, N> &shared, long at) {
  if (at % 2) complain("a word of shared memory begins at", at);
  T both[2] = {shared[at], shared[at + 1]};
  uint32_t found;
  memcpy(&found, both, sizeof found);
  return found;
}

/* What the lane `from` of the warp gives, or without one what is given. */
template <typename T> T exchange(unsigned mask, T x, int from) {
  if (mask != 0xffffffffu) complain("an exchange without all lanes, with", (long)mask);
  static_assert(sizeof(T) <= 8, "one register or two");
  memcpy(&current->given, &x, sizeof x);
  leave(AT_EXCHANGE);
  T other = x;
  if (from >= 0) memcpy(&other, &fibres[(int)threadIdx.x - (int)threadIdx.x % WARP + from].given, sizeof other);
  leave(AT_EXCHANGE);
  return other;
}

}  // namespace standin

#define AX_SHARED(T, name, size) static standin::Shared<T, size> name

#define AX_WORD(shared, at) standin::word(shared, at)

inline uint32_t ax_word(const void *x) {
  if ((uintptr_t)x % 4) standin::complain("a word of memory begins at an address that is no multiple of", 4);
  return *(const uint32_t *)x;
}

inline void __syncthreads() { standin::leave(standin::AT_BARRIER); }

inline int __syncthreads_or(int x) {
  standin::collected |= x != 0;
  standin::leave(standin::AT_BARRIER);
  return standin::any;
}

inline void __syncwarp() { standin::leave(standin::AT_EXCHANGE); }

template <typename T> T __shfl_down_sync(unsigned mask, T x, int distance, int width) {
  int lane = (int)threadIdx.x % standin::WARP;
  return standin::exchange(mask, x, lane % width + distance < width ? lane + distance : -1);
}

template <typename T> T __shfl_sync(unsigned mask, T x, int lane) { return standin::exchange(mask, x, lane % standin::WARP); }

template <typename T> T __shfl_xor_sync(unsigned mask, T x, int distance) {
  return standin::exchange(mask, x, ((int)threadIdx.x % standin::WARP) ^ distance);
}

inline unsigned long long atomicCAS(unsigned long long *at, unsigned long long old, unsigned long long next) {
  unsigned long long found = *at;
  if (found == old) *at = next;
  return found;
}

/* Runs a kernel: blocks forwards or backwards, without fibres where no thread waits for another. Returns what was
   wrong, or nothing. */
extern "C" const char *standin_message() { return standin::message; }

static void standin_launch(void (*kernel)(void **), void **arguments, long blocks, int threads, int waits, int backwards) {
  standin::message[0] = 0;
  standin::body = kernel;
  standin::arguments = arguments;
  blockDim = {(unsigned)threads, 1, 1};
  gridDim = {(unsigned)blocks, 1, 1};
  for (long i = 0; i < blocks; i++) {
    blockIdx.x = (unsigned)(backwards ? blocks - 1 - i : i);
    if (waits) {
      standin::run_block(threads, backwards);
    } else {
      for (int t = 0; t < threads; t++) {
        threadIdx.x = (unsigned)(backwards ? threads - 1 - t : t);
        kernel(arguments);
      }
    }
    if (standin::message[0]) return;
  }
}
