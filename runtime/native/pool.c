/* One pool of threads for all plans of a process. A thread that has nothing to do spins for a moment, because the next
   step usually follows at once, and sleeps then. `run.h` stands before this text. */
#include <errno.h>

#define MOST 256
#define SPIN 50e-6 /* seconds */

/* `go` counts what the thread was told to do; `asleep` says that telling must wake it. */
struct worker {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  int number;
  uint32_t go;
  uint32_t asleep;
  char gap[64];
};

static struct {
  pthread_mutex_t lock; /* held while a function runs: one at a time */
  struct worker workers[MOST]; /* the first is the caller's place and has no thread */
  int started;
  struct ax_run *run;
  ax_function *function; /* none: a worker that is told to go ends */
  char gap0[64];
  uint32_t busy;
  char gap1[64];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void await(struct worker *w, uint32_t seen) {
  double end = ax_clock() + SPIN;
  do {
    for (int i = 0; i < 50; i++) {
      if (__atomic_load_n(&w->go, __ATOMIC_ACQUIRE) != seen) return;
      ax_pause();
    }
  } while (ax_clock() < end);
  pthread_mutex_lock(&w->lock);
  __atomic_store_n(&w->asleep, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&w->go, __ATOMIC_SEQ_CST) == seen) pthread_cond_wait(&w->wake, &w->lock);
  __atomic_store_n(&w->asleep, 0, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&w->lock);
}

static void tell(struct worker *w) {
  __atomic_add_fetch(&w->go, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&w->asleep, __ATOMIC_SEQ_CST)) {
    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
  }
}

static void *work(void *given) {
  struct worker *w = given;
  for (uint32_t seen = 0;; seen++) {
    await(w, seen);
    if (!pool.function) return 0;
    pool.function(pool.run, w->number);
    __atomic_sub_fetch(&pool.busy, 1, __ATOMIC_RELEASE);
  }
}

/* Starts threads until there are `threads` with the caller. */
static int grow(int64_t threads) {
  if (threads > MOST) return EAGAIN;
  int failed = 0;
  while (!failed && pool.started + 1 < threads) {
    struct worker *w = &pool.workers[pool.started + 1];
    *w = (struct worker){.number = pool.started + 1};
    pthread_mutex_init(&w->lock, 0);
    pthread_cond_init(&w->wake, 0);
    failed = ax_thread(&w->thread, work, w);
    pool.started += !failed;
  }
  return failed;
}

/* Not 0 if `threads` with the caller's cannot be had. */
AX_EXPORT int ax_prepare(int64_t threads) {
  pthread_mutex_lock(&pool.lock);
  int failed = grow(threads);
  pthread_mutex_unlock(&pool.lock);
  return failed;
}

/* Calls `function` once for each thread of the run; not 0 if so many cannot be started. */
AX_EXPORT int ax_parallel(struct ax_run *run, ax_function *function) {
  pthread_mutex_lock(&pool.lock);
  struct ax_first first = {run, function};
  pthread_t stand_in;
  int has_room = ax_left() >= AX_ROOM, failed = pool.started + 1 < run->threads && grow(run->threads);
  if (!failed && !has_room) failed = ax_thread(&stand_in, ax_stand_in, &first);
  if (!failed) {
    pool.run = run;
    pool.function = function;
    __atomic_store_n(&pool.busy, (uint32_t)run->threads - 1, __ATOMIC_RELAXED);
    for (int64_t i = 1; i < run->threads; i++) tell(&pool.workers[i]);
    if (has_room) function(run, 0);
    else pthread_join(stand_in, 0);
    for (int n = 0; __atomic_load_n(&pool.busy, __ATOMIC_ACQUIRE);) n = ax_wait(n);
  }
  pthread_mutex_unlock(&pool.lock);
  return failed;
}

/* Ends all threads; a later call starts new ones. Not 0 if the pool is at work. */
AX_EXPORT int ax_stop(void) {
  if (pthread_mutex_trylock(&pool.lock)) return EBUSY;
  pool.function = 0;
  for (int i = 1; i <= pool.started; i++) tell(&pool.workers[i]);
  for (int i = 1; i <= pool.started; i++) pthread_join(pool.workers[i].thread, 0);
  pool.started = 0;
  pthread_mutex_unlock(&pool.lock);
  return 0;
}

/* The child of a fork has no thread but its own, and locks may be held by those that it has not. */
static void forget(void) {
  pool.started = 0;
  pthread_mutex_init(&pool.lock, 0);
}

__attribute__((constructor)) static void begin(void) { pthread_atfork(0, 0, forget); }
__attribute__((destructor)) static void end(void) { ax_stop(); }
