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
 *   VITRINE_RANDOM_OPTIMISE          at this level; else each at any
 *   VITRINE_RANDOM_WORKERS           processes; 0: as many as there are processors
 *   VITRINE_RANDOM_TIMEOUT           of an obligation, ms
 *   VITRINE_RANDOM_SECONDS           after which no other loop is begun
 *   VITRINE_RANDOM_WITHOUT           pieces of the loops that are left out, a bit each
 *   VITRINE_RANDOM_SHOW              the loops and what became of them
 */
#include "tests/unit/synth/judge.h"
#include "tests/unit/synth/mutants.h"

#include "tests/unit/harness.h"

#include "base/io.h"
#include "synth/smt.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MORE 4u /* times as many states, for what seems to do the same */
#define WORKERS_MAX 64u
#define REASONS 40u

/* ---------------------------------------------------------------- what is counted */

struct reason {
    char why[72];
    uint32_t times;
};
struct totals {
    uint64_t loops, made, equal, proven, refuted, unknown, prove_us;
    uint64_t compiled, wrong_unproven;
    struct judge_counts forwards, backwards, host;
    uint64_t mutants, invalid, different, unseen, same, failures;
    struct reason refused[REASONS], unproven[REASONS];
};
struct shared {
    _Atomic uint64_t next;
    struct totals of[WORKERS_MAX];
};

static struct shared *shared;
static struct totals *totals; /* this worker's */
static bool show;

static uint64_t setting(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
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

/* ---------------------------------------------------------------- one loop */

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
    int rc = vt_pixel_compile(
        &k->program, (unsigned)setting("VITRINE_RANDOM_OPTIMISE", judge_any() % 4), &image, &err);
    if (rc != 0) {
        if (rc != VT_E_UNSUPPORTED) {
            report(number, "the compiler", err.message, loop, k, NULL);
        }
        return;
    }
    vt_pixel_entry *entry = vt_pixel_image_map(&image, &err);
    totals->compiled++;
    if (entry == NULL) {
        abort();
    }
    if (judge_compare(k, COMPILED, entry, &totals->host, why) == DIFFERS) {
        report(number, "compiled", why, loop, k, NULL);
    }
    vt_pixel_image_unmap(entry, &image);
    vt_pixel_image_fini(&image);
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
        unsigned which = (unsigned)(judge_any() % n);
        if (!mutant_change(changed, which, what)) {
            abort();
        }
        totals->mutants++;
        bool valid = vt_pixel_validate(&changed->program, NULL) == 0 &&
                     (changed->trips == NULL || vt_pixel_validate(changed->trips, NULL) == 0);
        bool wrong = valid && judge_is_wrong(k, changed, why);
        bool proven = vt_synth_prove(changed, options, &err) == 0;
        for (uint32_t more = 1; proven && !wrong && more <= MORE; more++) {
            judge_record(loop, (number << 8) + JUDGE_TRIALS * more);
            wrong = judge_is_wrong(k, changed, why);
            again = true;
        }
        if (again) {
            judge_record(loop, number << 8);
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
    struct vt_synth_state at;
    const struct vt_proof_options options = {.timeout_ms =
                                                 (uint32_t)setting("VITRINE_RANDOM_TIMEOUT", 3000)};
    struct vt_synth_kernel *k;
    struct vt_error err = {0};
    char why[160] = "";
    const uint64_t host = setting("VITRINE_RANDOM_HOST", 30);
    random_loop_make(number, setting("VITRINE_RANDOM_WITHOUT", 0), &code);
    judge_begin(&code, number, &loop);
    totals->loops++;
    judge_state(&code, number << 8, &at);
    if (vt_synth_make_at(&loop, &at, &k, &err) < 0) {
        count(totals->refused, short_reason(err.message), 1);
        if (show) {
            print_message("loop %llu: %s\n", (unsigned long long)number, err.message);
        }
        return;
    }
    totals->made++;
    totals->equal += k->n_equal > 0;
    bool proven = vt_synth_prove(k, &options, &err) == 0;
    totals->prove_us += k->proof_us;
    judge_record(&code, number << 8);
    if (show) {
        print_message("loop %llu: %u pieces, %u operations, %s\n", (unsigned long long)number,
                      code.n_pieces, k->program.n_insns, proven ? "proven" : err.message);
    }
    enum judge_outcome outcome = judge_compare(k, INTERPRETED, NULL, &totals->forwards, why);
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
        if (outcome == DIFFERS ||
            judge_compare(k, BACKWARDS, NULL, &totals->backwards, why) == DIFFERS) {
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
    judge_setup();
    const uint64_t until =
        vt_deadline_ms((uint32_t)setting("VITRINE_RANDOM_SECONDS", 1000000) * 1000);
    for (uint64_t i; vt_now_ns() < until && (i = atomic_fetch_add(&shared->next, 1)) < n;) {
        try(first + i);
    }
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
    print_message("%llu random loops from %llu on: %llu kernels, %llu with equalities, %llu proven "
                  "(%llu ms each), %llu "
                  "refuted, %llu not decided (%llu of both disagree with the processor); %llu runs "
                  "of %llu iterations agree with the processor, %llu backwards, %llu of %llu "
                  "compiled ones, guards declined %llu; %llu mutants: %llu wrong ones refused, "
                  "%llu no programs, %llu refused though nothing was seen, %llu the same and "
                  "proven; %llu failures\n",
                  U(t->loops), U(first), U(t->made), U(t->equal), U(t->proven),
                  U(t->made > 0 ? t->prove_us / t->made / 1000 : 0), U(t->refuted), U(t->unknown),
                  U(t->wrong_unproven), U(t->forwards.runs), U(t->forwards.iterations),
                  U(t->backwards.runs), U(t->host.runs), U(t->compiled), U(t->forwards.declined),
                  U(t->mutants), U(t->different), U(t->invalid), U(t->unseen), U(t->same),
                  U(t->failures));
}

static void try_many(uint64_t first, uint64_t n)
{
    uint64_t workers = setting("VITRINE_RANDOM_WORKERS", 0);
    struct totals all = {0};
    static pid_t pids[WORKERS_MAX];
    int ends[2], crashed = 0;
    workers = workers != 0 ? workers : (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
    show = getenv("VITRINE_RANDOM_SHOW") != NULL;
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
    munmap(shared, sizeof *shared);
    assert_int_equal(crashed, 0);
    assert_int_equal(all.failures, 0);
    assert_true(n < 50 || 3 * all.proven > all.loops);
    assert_true(n < 50 || all.different > 0);
}

static void test_random(void **state)
{
    (void)state;
    try_many(setting("VITRINE_RANDOM_FIRST", 1), setting("VITRINE_RANDOM_LOOPS", 50));
}

/* A third as many, whose variables on the stack two registers reach. */
static void test_frames(void **state)
{
    (void)state;
    try_many(RANDOM_FRAMES + setting("VITRINE_RANDOM_FIRST", 1),
             (setting("VITRINE_RANDOM_LOOPS", 50) + 2) / 3);
}

int main(void)
{
    struct vt_error err;
    if (vt_smt_check(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_frames)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
