/* tests/unit/synth/test_random.c - kernels of random loops that are proven do what the processor
 * does, and those that were changed and do something else are not proven.
 *
 * Each loop runs on the processor step by step from several states; registers and memory are noted
 * whenever it is at its head. From such a state its kernel is run under the guards that the plugin
 * has, by the interpreter, backwards where any order will do, and, for some, by the host back end.
 * Then the kernel is changed in one thing after the other; what is proven after that has to agree
 * with the processor, too. Many processes share the loops.
 *
 *   VITRINE_RANDOM_LOOPS, _FIRST     how many, and the first one's number
 *   VITRINE_RANDOM_MUTANTS           of each proven kernel
 *   VITRINE_RANDOM_HOST              every so many of the proven ones is compiled; 0: none
 *   VITRINE_RANDOM_WORKERS           processes; 0: as many as there are processors
 *   VITRINE_RANDOM_TIMEOUT           of an obligation, ms
 *   VITRINE_RANDOM_WITHOUT           pieces of the loops that are left out, a bit each
 *   VITRINE_RANDOM_SHOW              the loops and what became of them
 */
#include "tests/unit/synth/mutants.h"
#include "tests/unit/synth/random_loops.h"
#include "tests/unit/synth/run_kernel.h"

#include "tests/unit/harness.h"

#include "synth/smt.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define TRIALS 6u
#define ARRIVALS 24u
#define STEPS 6000u
#define STARTS 3u
#define MORE 4u                   /* times as many states, for what seems to do the same */
#define MARGIN ((size_t)40 << 30) /* around memory: what an index of 32 bits can reach */
#define ARENA_AT ((uintptr_t)0x500000000000)
#define WORKERS_MAX 64u
#define REASONS 40u

/* ---------------------------------------------------------------- what is counted */

struct reason {
    char why[72];
    uint32_t times;
};
struct totals {
    uint64_t loops, made, proven, refuted, unknown, prove_us;
    uint64_t runs, declined, iterations, compiled, host_runs, backwards, wrong_unproven;
    uint64_t mutants, invalid, different, unseen, same, failures;
    struct reason refused[REASONS], unproven[REASONS];
};
struct shared {
    _Atomic uint64_t next;
    struct totals of[WORKERS_MAX];
};

static struct shared *shared;
static struct totals *totals; /* this worker's */
static uint64_t seed;         /* of this loop */
static bool show;

static uint64_t setting(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545f4914f6cdd1d) >> 8;
}

static void count(struct reason into[REASONS], const char *why, uint32_t times)
{
    uint32_t i = 0;
    while (i + 1 < REASONS && into[i].times != 0 &&
           strncmp(into[i].why, why, sizeof into[i].why - 1) != 0) {
        i++;
    }
    into[i].times += times;
    (void)snprintf(into[i].why, sizeof into[i].why, "%s", i + 1 < REASONS ? why : "others");
}

/* Before the last colon are terms and places. */
static const char *short_reason(const char *message)
{
    const char *colon = strrchr(message, ':');
    return colon != NULL ? colon + 2 : message;
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
static struct recording trials[TRIALS];

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
static void record_all(const struct random_loop *loop, uint64_t number)
{
    for (uint32_t t = 0; t < TRIALS; t++) {
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

enum outcome { SAME, DECLINED, DIFFERS };
enum how { INTERPRETED, BACKWARDS, COMPILED };

static sigjmp_buf fault;
static void on_fault(int signal)
{
    siglongjmp(fault, signal);
}

static enum outcome says(char why[160], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum outcome says(char why[160], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, 160, format, args);
    va_end(args);
    return DIFFERS;
}

/* From the first-th arrival on, against what the processor did. */
static enum outcome compare(const struct vt_synth_kernel *k, const struct recording *r,
                            uint32_t first, enum how how, vt_pixel_entry *entry, char why[160])
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
    wanted = cut || any() % 2 == 0 ? (more > 0 ? 1 + any() % more : 0) : more + 3;
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
        if (memcmp(s.xmm[i], after->state.xmm[i], 16) != 0) {
            return says(why, "xmm%d differs after %llu iterations", i, (unsigned long long)n);
        }
    }
    for (uint32_t i = 0; i < RANDOM_ARENA; i++) {
        if (arena[i] != after->memory[i]) {
            return says(why, "byte %u of memory differs after %llu iterations", i,
                        (unsigned long long)n);
        }
    }
    totals->iterations += n;
    return SAME;
}

/* All trials. The first difference ends it. */
static enum outcome compare_all(const struct vt_synth_kernel *k, enum how how,
                                vt_pixel_entry *entry, uint64_t *runs, uint64_t *declined,
                                char why[160])
{
    enum outcome all = DECLINED;
    for (uint32_t t = 0; t < TRIALS; t++) {
        for (uint32_t i = 0; i < STARTS && trials[t].n > 0; i++) {
            uint32_t first = i == 0 ? 0 : (uint32_t)(any() % trials[t].n);
            enum outcome one = compare(k, &trials[t], first, how, entry, why);
            if (one == DIFFERS) {
                return one;
            }
            *(one == SAME ? runs : declined) += 1;
            all = one == SAME ? SAME : all;
        }
    }
    return all;
}

/* ---------------------------------------------------------------- one loop */

static void loop_of(const struct random_loop *from, struct vt_synth_loop *loop)
{
    memset(loop, 0, sizeof *loop);
    loop->head = (uintptr_t)page;
    loop->n_blocks = 1;
    loop->blocks[0] = (struct vt_synth_block){.n = from->end};
    loop->n_bytes = from->end;
    memcpy(loop->bytes, from->code, from->end);
}

static void report(uint64_t number, const char *what, const char *why,
                   const struct random_loop *loop, const struct vt_synth_kernel *k,
                   const struct vt_synth_kernel *changed)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    if (to == NULL) {
        abort();
    }
    fprintf(to, "\nFAILURE: random loop %llu: %s: %s\n", (unsigned long long)number, what, why);
    for (uint32_t i = 0; i < loop->end; i++) {
        fprintf(to, "%02x", loop->code[i]);
    }
    fprintf(to, "\n");
    (void)vt_pixel_write(&k->program, to, NULL);
    if (changed != NULL) {
        (void)vt_pixel_write(&changed->program, to, NULL);
    }
    fclose(to);
    (void)!write(STDERR_FILENO, text, n);
    free(text);
    totals->failures++;
}

static void try_compiled(uint64_t number, const struct random_loop *loop,
                         const struct vt_synth_kernel *k)
{
    struct vt_pixel_image image;
    struct vt_error err;
    char why[160];
    int rc = vt_pixel_compile(&k->program, (unsigned)(any() % 4), &image, &err);
    if (rc != 0) {
        if (rc != VT_E_UNSUPPORTED) {
            report(number, "the compiler", err.message, loop, k, NULL);
        }
        return;
    }
    vt_pixel_entry *entry = vt_pixel_image_map(&image, &err);
    uint64_t declined = 0;
    totals->compiled++;
    if (entry == NULL) {
        abort();
    }
    if (compare_all(k, COMPILED, entry, &totals->host_runs, &declined, why) == DIFFERS) {
        report(number, "compiled", why, loop, k, NULL);
    }
    vt_pixel_image_unmap(entry, &image);
    vt_pixel_image_fini(&image);
}

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
        for (uint32_t t = 0; t < TRIALS; t++) {
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

/* What it does that it must not do, or false. Inner loops that no longer end are cut short: then
 * fewer iterations happen, which harms nobody. */
static bool is_wrong(const struct vt_synth_kernel *k, struct vt_synth_kernel *changed,
                     char why[160])
{
    uint64_t ignored = 0;
    uint32_t most = changed->program.n_loops > 1 ? 64 : 4096, trips[VT_PIXEL_LOOPS_MAX];
    for (uint32_t i = 0; i < changed->program.n_loops; i++) {
        trips[i] = changed->program.loops[i].max_trips;
        changed->program.loops[i].max_trips = trips[i] < most ? trips[i] : most;
    }
    bool wrong = compare_all(changed, INTERPRETED, NULL, &ignored, &ignored, why) == DIFFERS ||
                 compare_all(changed, BACKWARDS, NULL, &ignored, &ignored, why) == DIFFERS;
    for (uint32_t i = 0; i < changed->program.n_loops; i++) {
        changed->program.loops[i].max_trips = trips[i];
    }
    if (!wrong && lacks(k, changed)) {
        wrong = true;
        (void)says(why, "it touches what is not in its window");
    }
    return wrong;
}

static void try_mutants(uint64_t number, const struct random_loop *loop,
                        const struct vt_synth_kernel *k, const struct vt_proof_options *options)
{
    unsigned n = mutant_count(k);
    bool again = false;
    for (uint64_t i = setting("VITRINE_RANDOM_MUTANTS", 3); i > 0 && n > 0; i--) {
        struct vt_synth_kernel *changed = mutant_copy(k);
        struct vt_error err = {0};
        char what[64], why[160] = "";
        unsigned which = (unsigned)(any() % n);
        if (!mutant_change(changed, which, what)) {
            abort();
        }
        totals->mutants++;
        bool valid = vt_pixel_validate(&changed->program, NULL) == 0 &&
                     (changed->trips == NULL || vt_pixel_validate(changed->trips, NULL) == 0);
        bool wrong = valid && is_wrong(k, changed, why);
        bool proven = vt_synth_prove(changed, options, &err) == 0;
        for (uint32_t more = 1; proven && !wrong && more <= MORE; more++) {
            record_all(loop, (number << 8) + TRIALS * more);
            wrong = is_wrong(k, changed, why);
            again = true;
        }
        if (again) {
            record_all(loop, number << 8);
            again = false;
        }
        if (wrong && proven) {
            char title[128];
            (void)snprintf(title, sizeof title, "mutant %u (%s) is proven", which, what);
            report(number, title, why, loop, k, changed);
        }
        if (show) {
            print_message("  mutant %u (%s): %s%s%s\n", which, what,
                          !valid   ? "no program"
                          : proven ? "proven"
                                   : err.message,
                          wrong ? "; wrong: " : "", why);
        }
        *(!valid   ? &totals->invalid
          : wrong  ? &totals->different
          : proven ? &totals->same
                   : &totals->unseen) += 1;
        vt_synth_kernel_destroy(changed);
    }
}

static void try(uint64_t number)
{
    static struct random_loop code;
    static struct vt_synth_loop loop;
    const struct vt_proof_options options = {.timeout_ms =
                                                 (uint32_t)setting("VITRINE_RANDOM_TIMEOUT", 3000)};
    struct vt_synth_kernel *k;
    struct vt_error err = {0};
    char why[160] = "";
    const uint64_t host = setting("VITRINE_RANDOM_HOST", 30);
    seed = number * UINT64_C(0x9e3779b97f4a7c15) + 1;
    random_loop_make(number, setting("VITRINE_RANDOM_WITHOUT", 0), &code);
    loop_of(&code, &loop);
    totals->loops++;
    if (vt_synth_make(&loop, &k, &err) < 0) {
        count(totals->refused, short_reason(err.message), 1);
        if (show) {
            print_message("loop %llu: %s\n", (unsigned long long)number, err.message);
        }
        return;
    }
    totals->made++;
    bool proven = vt_synth_prove(k, &options, &err) == 0;
    totals->prove_us += k->proof_us;
    memcpy(page, code.code, sizeof code.code);
    record_all(&code, number << 8);
    if (show) {
        print_message("loop %llu: %u pieces, %u operations, %s\n", (unsigned long long)number,
                      code.n_pieces, k->program.n_insns, proven ? "proven" : err.message);
    }
    enum outcome outcome = compare_all(k, INTERPRETED, NULL, &totals->runs, &totals->declined, why);
    if (!proven) {
        bool refuted = strstr(err.message, "does not hold") != NULL;
        char reason[72];
        (void)snprintf(reason, sizeof reason, "%.*s %s", (int)strcspn(err.message, ". "),
                       err.message, refuted ? "does not hold" : "was not decided");
        count(totals->unproven, reason, 1);
        *(refuted ? &totals->refuted : &totals->unknown) += 1;
        totals->wrong_unproven += outcome == DIFFERS;
    } else {
        totals->proven++;
        uint64_t declined = 0;
        if (outcome == DIFFERS ||
            compare_all(k, BACKWARDS, NULL, &totals->backwards, &declined, why) == DIFFERS) {
            report(number, "proven", why, &code, k, NULL);
        } else {
            if (host != 0 && number % host == 0) {
                try_compiled(number, &code, k);
            }
            try_mutants(number, &code, k, &options);
        }
    }
    vt_synth_kernel_destroy(k);
}

/* ---------------------------------------------------------------- many */

static void work(uint64_t first, uint64_t n)
{
    struct sigaction action = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    for (uint64_t i; (i = atomic_fetch_add(&shared->next, 1)) < n;) {
        try(first + i);
    }
}

static void *map(void *at, size_t bytes, int protection)
{
    void *p =
        mmap(at, bytes, protection,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at != NULL ? MAP_FIXED_NOREPLACE : 0),
             -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static void add(struct totals *to, const struct totals *from)
{
    uint64_t *a = &to->loops;
    const uint64_t *b = &from->loops;
    for (size_t i = 0; i < offsetof(struct totals, refused) / sizeof *a; i++) {
        a[i] += b[i];
    }
    for (uint32_t i = 0; i < REASONS; i++) {
        if (from->refused[i].times != 0) {
            count(to->refused, from->refused[i].why, from->refused[i].times);
        }
        if (from->unproven[i].times != 0) {
            count(to->unproven, from->unproven[i].why, from->unproven[i].times);
        }
    }
}

static void summary(const struct totals *t, uint64_t first)
{
    for (uint32_t i = 0; i < REASONS; i++) {
        if (t->refused[i].times != 0) {
            print_message("no kernel, %u times: %s\n", t->refused[i].times, t->refused[i].why);
        }
    }
    for (uint32_t i = 0; i < REASONS; i++) {
        if (t->unproven[i].times != 0) {
            print_message("not proven, %u times: %s\n", t->unproven[i].times, t->unproven[i].why);
        }
    }
#define U(x) (unsigned long long)(x)
    print_message("%llu random loops from %llu on: %llu kernels, %llu proven (%llu ms each), %llu "
                  "refuted, %llu not decided (%llu of both disagree with the processor); %llu runs "
                  "of %llu iterations agree with the processor, %llu backwards, %llu of %llu "
                  "compiled ones, guards declined %llu; %llu mutants: %llu wrong ones refused, "
                  "%llu no programs, %llu refused though nothing was seen, %llu the same and "
                  "proven; %llu failures\n",
                  U(t->loops), U(first), U(t->made), U(t->proven),
                  U(t->made > 0 ? t->prove_us / t->made / 1000 : 0), U(t->refuted), U(t->unknown),
                  U(t->wrong_unproven), U(t->runs), U(t->iterations), U(t->backwards),
                  U(t->host_runs), U(t->compiled), U(t->declined), U(t->mutants), U(t->different),
                  U(t->invalid), U(t->unseen), U(t->same), U(t->failures));
}

static void test_random(void **state)
{
    (void)state;
    const uint64_t first = setting("VITRINE_RANDOM_FIRST", 1),
                   n = setting("VITRINE_RANDOM_LOOPS", 60);
    uint64_t workers = setting("VITRINE_RANDOM_WORKERS", 0);
    static struct totals all;
    static pid_t pids[WORKERS_MAX];
    int ends[2], crashed = 0;
    workers = workers != 0 ? workers : (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
    show = getenv("VITRINE_RANDOM_SHOW") != NULL;
    uint8_t *around = map((void *)(ARENA_AT - MARGIN), 2 * MARGIN, PROT_NONE);
    arena = around + MARGIN;
    assert_int_equal(mprotect(arena, RANDOM_ARENA, PROT_READ | PROT_WRITE), 0);
    page = map(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    assert_int_equal(pipe(ends), 0);
    for (uint64_t w = 0; w < workers; w++) {
        totals = &shared->of[w];
        pids[w] = fork();
        assert_true(pids[w] >= 0);
        if (pids[w] == 0) {
            close(ends[0]);
            work(first, n);
            _exit(0);
        }
    }
    close(ends[1]);
    for (struct pollfd end = {.fd = ends[0]}; poll(&end, 1, 20000) == 0;) { /* until none has it */
        uint64_t begun = atomic_load(&shared->next), failures = 0;
        for (uint64_t w = 0; w < workers; w++) {
            failures += shared->of[w].failures;
        }
        fprintf(stderr, "%llu of %llu loops, %llu failures\n",
                (unsigned long long)(begun < n ? begun : n), (unsigned long long)n,
                (unsigned long long)failures);
    }
    close(ends[0]);
    for (uint64_t w = 0; w < workers; w++) {
        int status;
        assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
        if (status != 0) {
            print_message("worker %llu ended with status %#x\n", (unsigned long long)w, status);
            crashed++;
        }
        add(&all, &shared->of[w]);
    }
    summary(&all, first);
    munmap(around, 2 * MARGIN);
    munmap(page, 4096);
    munmap(shared, sizeof *shared);
    assert_int_equal(crashed, 0);
    assert_int_equal(all.failures, 0);
    assert_true(n < 50 || 3 * all.proven > all.loops);
    assert_true(n < 50 || all.different > 0);
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
