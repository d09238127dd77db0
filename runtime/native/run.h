/* What the C text of a plan and the runtime know of each other. The runtime puts this before the text of the driver,
   which defines `ax_phase`. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define AX_EXPORT __attribute__((visibility("default")))

struct ax_run;
typedef void ax_function(struct ax_run *run, int thread);

/* One binding of a plan. `named` are its named and constant buffers in the order of the plan, `fault` is what
   `ax_fault` says, `times` the seconds of each step where the driver is compiled with AX_PROFILE.
   What threads write while others look lies in lines of the cache of its own. */
struct ax_run {
  char *arena;
  char **named;
  int64_t count;
  int64_t threads;
  int64_t fault[4];
  double *times;
  double since;
  int (*parallel)(struct ax_run *run, ax_function *function);
  char gap0[64];
  uint32_t arrived;
  char gap1[64];
  uint32_t turn;
  char gap2[64];
};

/* Phase 0 does sizes, 1 prepare, 2 the steps, by `ax_start`. Returns whether `fault[0]` is not 0. */
AX_EXPORT int ax_phase(struct ax_run *run, int phase);

static inline void ax_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

/* Waits a little for the n-th time in a row: some microseconds at full speed, then others may have the core, of which
   one may be who is waited for, then it rests. Returns the next n. */
static inline int ax_wait(int n) {
  if (n < 100) {
    ax_pause();
  } else if (n < 4000) {
    sched_yield();
  } else {
    nanosleep(&(struct timespec){0, 50000}, 0);
    return n;
  }
  return n + 1;
}

/* No thread goes on before all have come. Called by every step: inlined, it would be most of what a driver is. */
static __attribute__((noinline, unused)) void ax_barrier(struct ax_run *run, int thread) {
  (void)thread;
  if (run->threads == 1) return;
  uint32_t turn = __atomic_load_n(&run->turn, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&run->arrived, 1, __ATOMIC_ACQ_REL) == (uint64_t)run->threads) {
    __atomic_store_n(&run->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&run->turn, turn + 1, __ATOMIC_RELEASE);
    return;
  }
  for (int n = 0; __atomic_load_n(&run->turn, __ATOMIC_ACQUIRE) == turn;) n = ax_wait(n);
}

/* Says that `value` was met where 0 ... limit - 1 was expected, by the step of `note` in the plan's notes, or -1.
   Of several the first is told. */
static inline void ax_fault(struct ax_run *run, int64_t note, int64_t value, int64_t limit) {
  int64_t nobody = 0;
  if (!__atomic_compare_exchange_n(&run->fault[3], &nobody, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
  run->fault[1] = value;
  run->fault[2] = limit;
  __atomic_store_n(&run->fault[0], note < 0 ? -2 : note + 1, __ATOMIC_RELEASE);
}

static inline double ax_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Written after each step, for every thread; it costs nothing unless steps are measured. `step` is the position in
   the plan's steps, those of loops counted once. */
#ifdef AX_PROFILE
static inline void ax_done(struct ax_run *run, int thread, int step) {
  ax_barrier(run, thread);
  if (thread) return;
  double now = ax_clock();
  run->times[step] += now - run->since;
  run->since = now;
}
#define AX_DONE(run, thread, step) ax_done(run, thread, step)
#else
#define AX_DONE(run, thread, step) ((void)0)
#endif

/* Kernels keep copies on the stack: of so many bytes threads are made, and so many must be left of the caller's. */
#define AX_STACK ((size_t)8 << 20)
#define AX_ROOM ((size_t)6 << 20)

/* Bytes of the stack that the caller has left; all there are where the system does not tell. */
static __attribute__((noinline, unused)) size_t ax_left(void) {
  char here;
#if defined(__linux__)
  extern int pthread_getattr_np(pthread_t, pthread_attr_t *);
  static __thread char *lowest;
  if (!lowest) {
    pthread_attr_t attributes;
    void *start;
    size_t size;
    lowest = (char *)1;
    if (!pthread_getattr_np(pthread_self(), &attributes)) {
      if (!pthread_attr_getstack(&attributes, &start, &size)) lowest = start;
      pthread_attr_destroy(&attributes);
    }
  }
  return (size_t)(&here - lowest);
#elif defined(__APPLE__)
  extern void *pthread_get_stackaddr_np(pthread_t);
  extern size_t pthread_get_stacksize_np(pthread_t);
  return pthread_get_stacksize_np(pthread_self()) - (size_t)((char *)pthread_get_stackaddr_np(pthread_self()) - &here);
#else
  return (void)here, SIZE_MAX;
#endif
}

/* Starts a thread that has room; signals stay with the threads of Python. Not 0 if it cannot be had. */
static __attribute__((unused)) int ax_thread(pthread_t *thread, void *(*work)(void *), void *given) {
  sigset_t all, before;
  pthread_attr_t attributes;
  int failed = pthread_attr_init(&attributes);
  if (failed) return failed;
  pthread_attr_setstacksize(&attributes, AX_STACK);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failed = pthread_create(thread, &attributes, work, given);
  pthread_sigmask(SIG_SETMASK, &before, 0);
  pthread_attr_destroy(&attributes);
  return failed;
}

/* What thread 0 does, for one that stands in for a caller without room. */
struct ax_first {
  struct ax_run *run;
  ax_function *function;
};

static __attribute__((unused)) void *ax_stand_in(void *given) {
  struct ax_first *first = given;
  first->function(first->run, 0);
  return 0;
}

/* Calls `function` for threads 0 ... threads - 1 at once, the caller being thread 0. Where threads cannot be started
   nothing is called, and `fault[0]` is -1. */
static inline void ax_start(struct ax_run *run, ax_function *function) {
#ifdef AX_PROFILE
  run->since = ax_clock();
#endif
  if (run->threads > 1) {
    if (run->parallel(run, function)) run->fault[0] = -1;
  } else if (ax_left() >= AX_ROOM) {
    function(run, 0);
  } else {
    struct ax_first first = {run, function};
    pthread_t thread;
    if (ax_thread(&thread, ax_stand_in, &first)) run->fault[0] = -1;
    else pthread_join(thread, 0);
  }
}
