/* tests/unit/synth/judge.c - see judge.h. */
#include "tests/unit/synth/judge.h"

#include "tests/unit/harness.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define ARRIVALS 24u
#define STEPS 6000u
#define STARTS 3u
#define MARGIN ((size_t)40 << 30) /* around memory: what an index of 32 bits can reach */
#define ARENA_AT ((uintptr_t)0x500000000000)

static uint64_t seed;

uint64_t judge_any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545f4914f6cdd1d) >> 8;
}

/* ---------------------------------------------------------------- the processor */

static uint8_t *arena, *page;

struct arrival {
    struct processor_state state;
    bool came_back; /* from the one before it */
    uint8_t memory[RANDOM_ARENA];
};
struct recording {
    uint64_t head, end;
    uint32_t n, steps;
    bool outside, cut;
    struct arrival arrivals[ARRIVALS];
};
static struct recording trials[JUDGE_TRIALS];

static bool record(void *arg, const struct processor_state *state)
{
    struct recording *r = arg;
    r->outside |= state->rip - r->head >= r->end - r->head;
    if (r->steps++ == STEPS || (state->rip == r->head && r->n == ARRIVALS)) {
        r->cut = true;
        return false;
    }
    if (state->rip == r->head) {
        struct arrival *a = &r->arrivals[r->n++];
        a->state = *state;
        a->came_back = !r->outside;
        memcpy(a->memory, arena, RANDOM_ARENA);
        r->outside = false;
    }
    return true;
}

/* From states that are `number`'s. */
void judge_record(const struct random_loop *loop, uint64_t number)
{
    for (uint32_t t = 0; t < JUDGE_TRIALS; t++) {
        struct recording *r = &trials[t];
        struct processor_state from = {0};
        bool faulted;
        random_loop_state(loop, number + t, arena, &from);
        from.rip = (uintptr_t)page;
        r->head = from.rip;
        r->end = from.rip + loop->end;
        r->n = r->steps = 0;
        r->outside = true;
        r->cut = false;
        if (!processor_run_from(&from, record, r, &faulted)) {
            abort();
        }
    }
}

/* ---------------------------------------------------------------- comparing */

static sigjmp_buf fault;
static void on_fault(int signal)
{
    siglongjmp(fault, signal);
}

static enum judge_outcome says(char why[160], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum judge_outcome says(char why[160], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, 160, format, args);
    va_end(args);
    return DIFFERS;
}

/* From the first-th arrival on, against what the processor did. */
static enum judge_outcome compare(const struct vt_synth_kernel *k, const struct recording *r,
                                  uint32_t first, enum judge_how how, vt_pixel_entry *entry,
                                  uint64_t *iterations, char why[160])
{
    const struct run_memory memory = {arena, RANDOM_ARENA};
    static struct processor_state s;
    static uint64_t wanted, n;
    static uint32_t more;
    more = 0;
    while (first + more + 1 < r->n && r->arrivals[first + more + 1].came_back) {
        more++;
    }
    const bool cut = first + more + 1 == r->n && r->cut;
    s = r->arrivals[first].state;
    memcpy(arena, r->arrivals[first].memory, RANDOM_ARENA);
    wanted = cut || judge_any() % 2 == 0 ? (more > 0 ? 1 + judge_any() % more : 0) : more + 3;
    const uint64_t known = run_trips(k, &memory, &s);
    wanted = wanted < known ? wanted : known;
    if (wanted == 0) {
        return DECLINED;
    }
    if (sigsetjmp(fault, 1) != 0) {
        return says(why, "it touched memory outside of its windows");
    }
    n = how == BACKWARDS ? run_kernel_backwards(k, &memory, &s, wanted)
                         : run_kernel(k, &memory, &s, wanted, entry);
    if (n == RUN_DECLINED) {
        return DECLINED;
    }
    if (n > more) {
        return says(why, "%llu iterations of %u happened", (unsigned long long)n, more);
    }
    const struct arrival *after = &r->arrivals[first + n];
    for (int i = 0; i < 16; i++) {
        if (s.r[i] != after->state.r[i]) {
            return says(why, "register %d is %#llx, not %#llx, after %llu iterations", i,
                        (unsigned long long)s.r[i], (unsigned long long)after->state.r[i],
                        (unsigned long long)n);
        }
        if (memcmp(s.xmm[i], after->state.xmm[i], 32) != 0) {
            return says(why, "xmm%d differs after %llu iterations", i, (unsigned long long)n);
        }
    }
    for (uint32_t i = 0; i < RANDOM_ARENA; i++) {
        if (arena[i] != after->memory[i]) {
            return says(why, "byte %u of memory differs after %llu iterations", i,
                        (unsigned long long)n);
        }
    }
    *iterations += n;
    return SAME;
}

enum judge_outcome judge_compare(const struct vt_synth_kernel *k, enum judge_how how,
                                 vt_pixel_entry *entry, struct judge_counts *counts, char why[160])
{
    enum judge_outcome all = DECLINED;
    for (uint32_t t = 0; t < JUDGE_TRIALS; t++) {
        for (uint32_t i = 0; i < STARTS && trials[t].n > 0; i++) {
            uint32_t first = i == 0 ? 0 : (uint32_t)(judge_any() % trials[t].n);
            enum judge_outcome one =
                compare(k, &trials[t], first, how, entry, &counts->iterations, why);
            if (one == DIFFERS) {
                return one;
            }
            *(one == SAME ? &counts->runs : &counts->declined) += 1;
            all = one == SAME ? SAME : all;
        }
    }
    return all;
}

/* ---------------------------------------------------------------- kernels that were changed */

/* Whether an iteration of `k` depends on the byte at `at`, or writes it. */
static bool touches(const struct vt_synth_kernel *k, const struct arrival *from, uint8_t *at)
{
    static uint8_t first[RANDOM_ARENA];
    const struct run_memory memory = {arena, RANDOM_ARENA};
    struct processor_state a = from->state, b = from->state;
    memcpy(arena, from->memory, RANDOM_ARENA);
    uint64_t n = run_kernel(k, &memory, &a, 1, NULL);
    memcpy(first, arena, RANDOM_ARENA);
    memcpy(arena, from->memory, RANDOM_ARENA);
    *at ^= 0xff;
    uint64_t m = run_kernel(k, &memory, &b, 1, NULL);
    *at ^= 0xff;
    return n == 1 && m == 1 &&
           (memcmp(&a, &b, sizeof a) != 0 || memcmp(first, arena, RANDOM_ARENA) != 0);
}

/* Whether a window that was made smaller lacks what `k` touches. */
static bool lacks(const struct vt_synth_kernel *k, const struct vt_synth_kernel *changed)
{
    const struct run_memory memory = {arena, RANDOM_ARENA};
    for (uint32_t i = 0; i < k->program.n_streams; i++) {
        const struct vt_pixel_stream *was = &k->program.streams[i],
                                     *is = &changed->program.streams[i];
        if (was->low == is->low && was->high == is->high) {
            continue;
        }
        for (uint32_t t = 0; t < JUDGE_TRIALS; t++) {
            for (uint32_t a = 0; a < trials[t].n && a < 4; a++) {
                const struct arrival *from = &trials[t].arrivals[a];
                memcpy(arena, from->memory, RANDOM_ARENA);
                uint8_t *low = run_window(k, &memory, &from->state, i);
                uint64_t known = run_trips(k, &memory, &from->state);
                uint8_t *at = was->low != is->low ? low : low + (was->high - was->low - 1);
                if (low != NULL && known > 0 && touches(k, from, at)) {
                    return true;
                }
            }
        }
    }
    return false;
}

bool judge_is_wrong(const struct vt_synth_kernel *k, struct vt_synth_kernel *changed, char why[160])
{
    struct judge_counts ignored = {0};
    uint32_t most = changed->program.n_loops > 1 ? 64 : 4096, trips[VT_PIXEL_LOOPS_MAX];
    for (uint32_t i = 0; i < changed->program.n_loops; i++) {
        trips[i] = changed->program.loops[i].max_trips;
        changed->program.loops[i].max_trips = trips[i] < most ? trips[i] : most;
    }
    bool wrong = judge_compare(changed, INTERPRETED, NULL, &ignored, why) == DIFFERS ||
                 judge_compare(changed, BACKWARDS, NULL, &ignored, why) == DIFFERS;
    for (uint32_t i = 0; i < changed->program.n_loops; i++) {
        changed->program.loops[i].max_trips = trips[i];
    }
    if (!wrong && lacks(k, changed)) {
        wrong = true;
        (void)says(why, "it touches what is not in its window");
    }
    return wrong;
}

/* ---------------------------------------------------------------- a loop */

static void *map(void *at, size_t bytes, int protection)
{
    void *p =
        mmap(at, bytes, protection,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at != NULL ? MAP_FIXED_NOREPLACE : 0),
             -1, 0);
    if (p == MAP_FAILED) {
        abort();
    }
    return p;
}

void judge_setup(void)
{
    struct sigaction action = {.sa_handler = on_fault};
    arena = (uint8_t *)map((void *)(ARENA_AT - MARGIN), 2 * MARGIN, PROT_NONE) + MARGIN;
    page = map(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    if (mprotect(arena, RANDOM_ARENA, PROT_READ | PROT_WRITE) != 0 ||
        sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0) {
        abort();
    }
}

static bool read_arena(void *arg, uint64_t address, void *to, size_t bytes)
{
    (void)arg;
    uint64_t at = address - (uintptr_t)arena;
    if (at > RANDOM_ARENA - bytes) {
        return false;
    }
    memcpy(to, arena + at, bytes);
    return true;
}

void judge_state(const struct random_loop *loop, uint64_t number, struct vt_synth_state *state)
{
    struct processor_state from = {0};
    random_loop_state(loop, number, arena, &from);
    *state = (struct vt_synth_state){.read = read_arena};
    memcpy(state->r, from.r, sizeof state->r);
}

void judge_begin(const struct random_loop *loop, uint64_t number, struct vt_synth_loop *to)
{
    seed = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
    memcpy(page, loop->code, sizeof loop->code);
    memset(to, 0, sizeof *to);
    to->head = (uintptr_t)page;
    to->n_blocks = 1;
    to->blocks[0] = (struct vt_synth_block){.n = loop->end};
    to->n_bytes = loop->end;
    memcpy(to->bytes, loop->code, loop->end);
}
