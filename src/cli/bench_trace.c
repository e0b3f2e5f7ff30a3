/* cli/bench_trace.c - `vitrine bench trace`: what recording costs, mode by mode.
 *
 * Two loads: the default guest's boot, and bare metal that computes (guests/card). Each mode runs
 * in a QEMU of its own, once a round, and every other round backwards, so that what else the
 * machine does falls on all of them; medians are told. A slowdown is against the idle plugin of the
 * same round.
 */
#include "cli/bench_trace.h"

#include "base/io.h"
#include "base/paths.h"
#include "cli/bench_boot.h"
#include "trace/ring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS 3
#define ROUNDS_MAX 20
#define ENOUGH_NS (UINT64_C(220) * 1000000000) /* no round begins that would end later */
#define COMPUTE_ROUNDS 1500
#define EXECLOG_NS (UINT64_C(4) * 1000000000)

struct row {
    const char *mode, *consumer;
    struct vt_bench_trace_run run;
    bool wanted;    /* by mode */
    bool lines;     /* of execlog's log are instructions */
    const char *so; /* another's plugin: its file and arguments */
    char plugin[PATH_MAX + 32], log[PATH_MAX];
    const char *qemu_args[7];
    unsigned n;
    struct vt_bench_trace_sample samples[ROUNDS_MAX];
};

/* Of each load, in this order. The first two are what others are compared with. */
static const struct {
    const char *mode, *consumer;
    bool plugin;
    uint32_t detail;
    enum vt_bench_consumer who;
} modes[] = {
    {"idle", "none", true, VT_TRACE_OFF, VT_BENCH_NOBODY},
    {"none", "none", false, VT_TRACE_OFF, VT_BENCH_NOBODY},
    {"count", "none", true, VT_TRACE_COUNT, VT_BENCH_NOBODY},
    {"blocks", "none", true, VT_TRACE_BLOCKS, VT_BENCH_NOBODY},
    {"blocks", "decode", true, VT_TRACE_BLOCKS, VT_BENCH_DECODE},
    {"blocks", "store", true, VT_TRACE_BLOCKS, VT_BENCH_STORE},
    {"times", "decode", true, VT_TRACE_TIMES, VT_BENCH_DECODE},
    {"times", "store", true, VT_TRACE_TIMES, VT_BENCH_STORE},
    {"addresses", "none", true, VT_TRACE_ADDRESSES, VT_BENCH_NOBODY},
    {"addresses", "decode", true, VT_TRACE_ADDRESSES, VT_BENCH_DECODE},
    {"addresses", "store", true, VT_TRACE_ADDRESSES, VT_BENCH_STORE},
    {"values", "none", true, VT_TRACE_VALUES, VT_BENCH_NOBODY},
    {"values", "decode", true, VT_TRACE_VALUES, VT_BENCH_DECODE},
    {"values", "store", true, VT_TRACE_VALUES, VT_BENCH_STORE},
};
#define MODES (sizeof modes / sizeof *modes)
#define COUNT_MODE 2

/* QEMU's own, those that are there (tools/peer-plugins builds them). The log of each instruction is
 * so slow that it runs for a time, not to the end. */
static const struct {
    const char *mode, *so;
    bool lines;
} peers[] = {
    {"insn inline", "libinsn.so,inline=on", false},
    {"insn", "libinsn.so,inline=off", false},
    {"hotblocks", "libhotblocks.so", false},
    {"execlog", "libexeclog.so", true},
};
#define PEERS (sizeof peers / sizeof *peers)
#define ROWS (MODES + PEERS)

struct bench {
    char peers[PATH_MAX];        /* directory, or empty */
    bool wanted[VT_BENCH_WORKS]; /* by load, and see struct row */
    uint64_t rounds, memory_bytes, compute;
    struct vt_bench_dir dir;
    struct row rows[VT_BENCH_WORKS][ROWS];
    unsigned n_rows, done;
};

static const char *const work_names[] = {[VT_BENCH_BOOT] = "boot", [VT_BENCH_COMPUTE] = "compute"};

/* ---------------------------------------------------------------- what is run */

/* A peer writes as QEMU's user, who is nobody in particular, into a file that is there. */
static int prepare_peer(const struct bench *b, struct row *row, struct vt_error *err)
{
    int rc = vt_path_format(row->log, err, "%s/log", b->dir.path);
    snprintf(row->plugin, sizeof row->plugin, "file=%s/%s", b->peers, row->so);
    row->qemu_args[0] = "-plugin";
    row->qemu_args[1] = row->plugin;
    if (row->lines) {
        row->run.for_ns = EXECLOG_NS;
        row->qemu_args[2] = "-d";
        row->qemu_args[3] = "plugin";
        row->qemu_args[4] = "-D";
        row->qemu_args[5] = row->log;
    }
    row->run.qemu_args = row->qemu_args;
    return rc;
}

static bool has_peer(const struct bench *b, const char *so)
{
    char path[PATH_MAX], file[64];
    snprintf(file, sizeof file, "%.*s", (int)strcspn(so, ","), so);
    return b->peers[0] != '\0' && vt_path_format(path, NULL, "%s/%s", b->peers, file) == 0 &&
           access(path, R_OK) == 0;
}

static int prepare(struct bench *b, struct vt_error *err)
{
    int rc = 0;
    for (unsigned work = 0; work < VT_BENCH_WORKS; work++) {
        struct row *row = b->rows[work];
        for (unsigned i = 0; i < MODES; i++, row++) {
            *row = (struct row){.mode = modes[i].mode,
                                .consumer = modes[i].consumer,
                                .run = {.plugin = modes[i].plugin,
                                        .detail = modes[i].detail,
                                        .consumer = modes[i].who}};
        }
        for (unsigned i = 0; i < PEERS && rc == 0; i++) {
            if (!has_peer(b, peers[i].so)) {
                continue;
            }
            *row = (struct row){.mode = peers[i].mode,
                                .consumer = "none",
                                .so = peers[i].so,
                                .lines = peers[i].lines};
            rc = prepare_peer(b, row++, err);
        }
        b->n_rows = (unsigned)(row - b->rows[work]);
        for (struct row *r = b->rows[work]; r < row; r++) {
            r->run.work = work;
            r->run.rounds = b->compute;
            r->run.dir = b->dir.path;
        }
    }
    return rc;
}

/* All of them, or those that are named and what they are compared with. */
static void choose(const struct vt_args *args, struct row *rows, unsigned n)
{
    const char *mode;
    for (unsigned i = 0; i < n; i++) {
        rows[i].wanted = i == 0 || i == COUNT_MODE || vt_args_value_at(args, "mode", 0) == NULL;
        for (unsigned k = 0; (mode = vt_args_value_at(args, "mode", k)) != NULL; k++) {
            rows[i].wanted = rows[i].wanted || strcmp(mode, rows[i].mode) == 0;
        }
    }
}

static int make_log(const char *path, struct vt_error *err)
{
    FILE *f = fopen(path, "we");
    bool made = f != NULL && fchmod(fileno(f), 0666) == 0;
    int code = errno;
    if (f != NULL) {
        fclose(f);
    }
    return made ? 0 : vt_fail_errno(err, VT_E_IO, code, "%s", path);
}

static int count_lines(const char *path, uint64_t *lines, struct vt_error *err)
{
    static char buffer[1 << 16];
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    size_t n;
    *lines = 0;
    do {
        n = fread(buffer, 1, sizeof buffer, f);
        for (const char *at = buffer; (at = memchr(at, '\n', (size_t)(buffer + n - at))) != NULL;
             at++) {
            ++*lines;
        }
    } while (n == sizeof buffer);
    fclose(f);
    return 0;
}

static int run_row(const struct bench *b, struct row *row, struct vt_error *err)
{
    struct vt_bench_trace_sample *s = &row->samples[row->n];
    int rc = row->lines ? make_log(row->log, err) : 0;
    vt_progress("round %u of %u: %s, %s, %s", b->done + 1, (unsigned)b->rounds,
                work_names[row->run.work], row->mode, row->consumer);
    rc = rc != 0 ? rc : vt_bench_trace_measure(&row->run, b->memory_bytes, s, err);
    if (rc == 0 && row->lines) {
        struct stat st;
        rc = count_lines(row->log, &s->instructions, err);
        s->file_bytes = stat(row->log, &st) == 0 ? (uint64_t)st.st_size : 0;
    }
    if (row->lines) {
        unlink(row->log);
    }
    row->n += rc == 0;
    return rc;
}

static int run_rounds(struct bench *b, struct vt_error *err)
{
    uint64_t began = vt_now_ns();
    int rc = 0;
    while (rc == 0 && b->done < b->rounds) {
        for (unsigned k = 0; rc == 0 && k < VT_BENCH_WORKS * b->n_rows; k++) {
            unsigned at = b->done % 2 == 0 ? k : VT_BENCH_WORKS * b->n_rows - 1 - k;
            struct row *row = &b->rows[at / b->n_rows][at % b->n_rows];
            if (b->wanted[row->run.work] && row->wanted) {
                rc = run_row(b, row, err);
            }
        }
        b->done++;
        uint64_t took = vt_now_ns() - began;
        if (took + took / b->done > ENOUGH_NS) {
            break;
        }
    }
    vt_progress("%s", "");
    return rc;
}

/* ---------------------------------------------------------------- the result */

struct figures {
    double wall_s, user_s, system_s, consumer_s, slowdown, slowdown_user, per_s;
    uint64_t instructions, dropped, ring_bytes, file_bytes;
};

static uint64_t median_of(const struct row *row, size_t member)
{
    double all[ROUNDS_MAX];
    for (unsigned i = 0; i < row->n; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&row->samples[i] + member, sizeof value);
        all[i] = (double)value;
    }
    return (uint64_t)vt_bench_median(all, row->n);
}

static double median_time(const struct row *row, size_t member)
{
    double all[ROUNDS_MAX];
    for (unsigned i = 0; i < row->n; i++) {
        memcpy(&all[i], (const char *)&row->samples[i] + member, sizeof all[i]);
    }
    return vt_bench_median(all, row->n);
}

/* Against the idle plugin in the same round; per instruction where not all were executed. */
static double slowdown(const struct row *idle, uint64_t idle_instructions, const struct row *row,
                       size_t member)
{
    double all[ROUNDS_MAX];
    for (unsigned i = 0; i < row->n; i++) {
        double mine, its;
        memcpy(&mine, (const char *)&row->samples[i] + member, sizeof mine);
        memcpy(&its, (const char *)&idle->samples[i] + member, sizeof its);
        all[i] = mine / its;
        if (row->lines) {
            all[i] *= (double)idle_instructions / (double)row->samples[i].instructions;
        }
    }
    return vt_bench_median(all, row->n);
}

#define MEMBER(name) offsetof(struct vt_bench_trace_sample, name)

/* Who counts nothing executed what the counting run did. */
static void work_out(const struct bench *b, const struct row *row, struct figures *f)
{
    const struct row *rows = b->rows[row->run.work];
    uint64_t counted = median_of(&rows[COUNT_MODE], MEMBER(instructions));
    *f = (struct figures){
        .wall_s = median_time(row, MEMBER(wall_s)),
        .user_s = median_time(row, MEMBER(user_s)),
        .system_s = median_time(row, MEMBER(system_s)),
        .consumer_s = median_time(row, MEMBER(consumer_s)),
        .slowdown = slowdown(&rows[0], counted, row, MEMBER(wall_s)),
        .slowdown_user = slowdown(&rows[0], counted, row, MEMBER(user_s)),
        .instructions = median_of(row, MEMBER(instructions)),
        .dropped = median_of(row, MEMBER(dropped)),
        .ring_bytes = median_of(row, MEMBER(ring_bytes)),
        .file_bytes = median_of(row, MEMBER(file_bytes)),
    };
    f->instructions = f->instructions != 0 ? f->instructions : counted;
    f->per_s = (double)f->instructions / f->wall_s;
}

static void write_row(struct vt_json_writer *w, const struct bench *b, const struct row *row)
{
    struct figures f;
    work_out(b, row, &f);
    vt_json_object(w);
    vt_json_kv_string(w, "workload", work_names[row->run.work]);
    vt_json_kv_string(w, "mode", row->mode);
    vt_json_kv_string(w, "consumer", row->consumer);
    vt_json_kv_u64(w, "instructions", f.instructions);
    vt_json_kv_f64(w, "instructions_per_s", f.per_s, 6);
    vt_json_kv_f64(w, "slowdown", f.slowdown, 4);
    vt_json_kv_f64(w, "slowdown_user", f.slowdown_user, 4);
    vt_json_kv_f64(w, "wall_s", f.wall_s, 5);
    vt_json_kv_f64(w, "qemu_user_s", f.user_s, 5);
    vt_json_kv_f64(w, "qemu_system_s", f.system_s, 5);
    vt_json_kv_f64(w, "consumer_s", f.consumer_s, 5);
    vt_json_kv_u64(w, "drops", f.dropped);
    vt_json_kv_u64(w, "bytes", f.ring_bytes);
    vt_json_kv_u64(w, "file_bytes", f.file_bytes);
    vt_json_object_end(w);
}

static void write_rows(struct vt_json_writer *w, const struct bench *b, const char *key,
                       unsigned first, unsigned last)
{
    vt_json_key(w, key);
    vt_json_array(w);
    for (unsigned work = 0; work < VT_BENCH_WORKS; work++) {
        for (unsigned i = first; b->wanted[work] && i < last; i++) {
            if (b->rows[work][i].wanted) {
                write_row(w, b, &b->rows[work][i]);
            }
        }
    }
    vt_json_array_end(w);
}

static const char *qemu_of(const struct bench *b)
{
    return b->rows[b->wanted[VT_BENCH_BOOT] ? VT_BENCH_BOOT : VT_BENCH_COMPUTE][0].samples[0].qemu;
}

static void print_rows(const struct bench *b)
{
    printf("QEMU %s, medians of %u rounds\n", qemu_of(b), b->done);
    for (unsigned work = 0; work < VT_BENCH_WORKS; work++) {
        if (!b->wanted[work]) {
            continue;
        }
        printf("\n%-8s %-12s %-8s %12s %9s %9s %8s %8s %9s %9s\n", "LOAD", "MODE", "CONSUMER",
               "INSTRUCTIONS", "M/S", "SLOWDOWN", "BY USER", "SECONDS", "RING MB", "FILE MB");
        for (unsigned i = 0; i < b->n_rows; i++) {
            const struct row *row = &b->rows[work][i];
            struct figures f;
            if (!row->wanted) {
                continue;
            }
            work_out(b, row, &f);
            printf("%-8s %-12s %-8s %12" PRIu64 " %9.1f %9.2f %8.2f %8.2f %9.0f %9.1f",
                   work_names[work], row->mode, row->consumer, f.instructions, f.per_s / 1e6,
                   f.slowdown, f.slowdown_user, f.wall_s, (double)f.ring_bytes / 1e6,
                   (double)f.file_bytes / 1e6);
            if (f.dropped != 0) {
                printf("  %" PRIu64 " words dropped", f.dropped);
            }
            printf("\n");
        }
    }
}

static void show(const struct vt_args *args, const struct bench *b)
{
    if (!vt_args_json(args)) {
        print_rows(b);
        return;
    }
    double load[1] = {0};
    (void)getloadavg(load, 1);
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "qemu", qemu_of(b));
    vt_json_kv_u64(&w, "rounds", b->done);
    vt_json_kv_f64(&w, "load_average", load[0], 4);
    write_rows(&w, b, "modes", 0, MODES);
    write_rows(&w, b, "peers", MODES, b->n_rows);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

/* ---------------------------------------------------------------- the verb */

static int read_request(const struct vt_args *args, struct bench *b)
{
    const char *work = vt_args_value(args, "workload");
    b->wanted[VT_BENCH_BOOT] = work == NULL || strcmp(work, "boot") == 0;
    b->wanted[VT_BENCH_COMPUTE] = work == NULL || strcmp(work, "compute") == 0;
    if (!b->wanted[VT_BENCH_BOOT] && !b->wanted[VT_BENCH_COMPUTE]) {
        return vt_usage_error(args, "--workload: boot or compute, not '%.32s'", work);
    }
    if (vt_args_operand(args, 1) != NULL) {
        return vt_usage_error(args, "trace starts VMs of its own");
    }
    int rc = vt_args_u64(args, "rounds", ROUNDS, &b->rounds);
    rc = rc != 0 ? rc : vt_args_u64(args, "compute", COMPUTE_ROUNDS, &b->compute);
    rc = rc != 0 ? rc : vt_args_bytes(args, "memory", 0, &b->memory_bytes);
    if (rc != 0) {
        return rc;
    }
    if (b->rounds < 1 || b->rounds > ROUNDS_MAX || b->compute < 1) {
        return vt_usage_error(args, "--rounds: 1 to %u; --compute: from 1", ROUNDS_MAX);
    }
    return 0;
}

/* QEMU is somewhere else when it looks for them. */
static int find_peers(const struct vt_args *args, struct bench *b, struct vt_error *err)
{
    char cache[PATH_MAX], path[PATH_MAX];
    const char *given = vt_args_value(args, "peers");
    int rc = given != NULL ? 0 : vt_path_cache(cache, err);
    rc = rc != 0 ? rc
                 : vt_path_format(path, err, "%s%s", given != NULL ? given : cache,
                                  given != NULL ? "" : "/peers/plugins");
    if (rc == 0 && realpath(path, b->peers) == NULL) {
        b->peers[0] = '\0';
        rc = given != NULL ? vt_fail_errno(err, VT_E_NOT_FOUND, errno, "%s", given) : 0;
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        fputs("vitrine bench: out of memory\n", stderr);
        return VT_EXIT_FAILED;
    }
    int result = read_request(args, b);
    if (result == 0) {
        int rc = find_peers(args, b, &err);
        rc = rc != 0 ? rc : vt_bench_dir_make(&b->dir, &err);
        rc = rc != 0 ? rc : prepare(b, &err);
        for (unsigned work = 0; work < VT_BENCH_WORKS; work++) {
            choose(args, b->rows[work], b->n_rows);
        }
        rc = rc != 0 ? rc : run_rounds(b, &err);
        vt_bench_dir_remove(&b->dir);
        if (rc == 0) {
            show(args, b);
        }
        result = rc == 0 ? vt_output_finish(stdout) : vt_report(args, &err);
    }
    free(b);
    return result;
}

const struct vt_bench vt_bench_trace = {
    .name = "trace",
    .summary = "recording every instruction: speed and slowdown, mode by mode",
    .run = run,
};
