/* cli/bench_trace_run.c - one run of `vitrine bench trace`.
 *
 * The VM is started paused, so that neither QEMU's start nor the steering is in the times. It runs
 * until a line on its console says that it is done; then it is paused, tracing is switched off
 * (counters are exact from there on) and the consumer takes what is left.
 */
#include "cli/bench_trace.h"

#include "base/io.h"
#include "base/paths.h"
#include "cli/bench_boot.h"
#include "cli/vm.h"
#include "machine/console_client.h"
#include "machine/expect.h"
#include "trace/ring.h"
#include "trace/segment.h"
#include "vitrine/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DONE_MS 600000
#define STEER_MS 30000
#define LOOK_MS 2
#define SLICE_MS 100 /* between two looks at whether the consumer still reads */
#define CLASSES (VT_INSN_UNKNOWN + 1)

/* ---------------------------------------------------------------- the consumer */

struct block {
    uint64_t executions; /* whole ones */
    uint16_t classes[CLASSES];
    bool decoded;
};

struct consumer {
    struct vt_trace_source *source;
    struct vt_trace_writer *file; /* NULL: decodes */
    bool over;                    /* nothing more will be recorded; atomic */
    bool failed;                  /* it reads no more, and QEMU waits for room; atomic */
    bool runs;
    pthread_t thread;
    struct block *blocks;
    size_t n_blocks;
    uint64_t whole, completed; /* instructions of blocks that began; that completed */
    uint64_t classes[CLASSES];
    int rc;
    struct vt_error err;
};

static struct block *block_of(struct consumer *c, uint32_t id)
{
    if (id >= c->n_blocks) {
        size_t n = c->n_blocks == 0 ? 65536 : c->n_blocks;
        while (n <= id) {
            n *= 2;
        }
        struct block *more = realloc(c->blocks, n * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        memset(more + c->n_blocks, 0, (n - c->n_blocks) * sizeof *more);
        c->blocks = more;
        c->n_blocks = n;
    }
    return &c->blocks[id];
}

/* A block is decoded once; how often it executed says the rest. */
static int decode(struct consumer *c, const struct vt_trace_event *event, struct vt_error *err)
{
    struct vt_trace_instruction insn;
    struct block *b = block_of(c, event->block->id);
    if (b == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for what blocks are made of");
    }
    if (!b->decoded) {
        b->decoded = true;
        for (unsigned i = 0; i < event->block->n; i++) {
            vt_trace_decode(event->block, i, &insn);
            b->classes[insn.class]++;
        }
    }
    if (event->executed == event->block->n) {
        b->executions++;
        return 0;
    }
    for (unsigned i = 0; i < event->executed; i++) {
        vt_trace_decode(event->block, i, &insn);
        c->classes[insn.class]++;
    }
    return 0;
}

static int take(struct consumer *c, const struct vt_trace_event *event, struct vt_error *err)
{
    if (event->kind == VT_TRACE_EV_BLOCK) {
        c->whole += event->block->n;
        c->completed += event->executed;
    }
    if (c->file != NULL) {
        return vt_trace_writer_put(c->file, event, err);
    }
    return event->kind == VT_TRACE_EV_BLOCK ? decode(c, event, err) : 0;
}

static int check_decoded(struct consumer *c, struct vt_error *err)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < c->n_blocks; i++) {
        for (unsigned k = 0; k < CLASSES; k++) {
            c->classes[k] += c->blocks[i].executions * c->blocks[i].classes[k];
        }
    }
    for (unsigned k = 0; k < CLASSES; k++) {
        sum += c->classes[k];
    }
    return sum == c->completed
               ? 0
               : vt_fail(err, VT_E_PROTOCOL, "%" PRIu64 " instructions of %" PRIu64 " were decoded",
                         sum, c->completed);
}

static void *consume(void *arg)
{
    struct consumer *c = arg;
    struct vt_trace_event event;
    bool last = false;
    while (c->rc == 0) {
        bool over = __atomic_load_n(&c->over, __ATOMIC_ACQUIRE); /* before the last look */
        int got = vt_trace_next(c->source, LOOK_MS, &event, &c->err);
        if (got < 0) {
            c->rc = got;
        } else if (got == 1) {
            c->rc = take(c, &event, &c->err);
        } else if (last) {
            break;
        } else {
            last = over;
        }
    }
    __atomic_store_n(&c->failed, c->rc != 0, __ATOMIC_RELEASE);
    int closed = vt_trace_writer_close(c->file, c->rc == 0 ? &c->err : NULL);
    c->rc = c->rc != 0 ? c->rc : closed;
    c->rc = c->rc == 0 && c->blocks != NULL ? check_decoded(c, &c->err) : c->rc;
    return NULL;
}

static int start_consumer(struct consumer *c, const struct vt_bench_trace_run *run,
                          const char *segment, const char *file, struct vt_error *err)
{
    int rc = vt_trace_open_live(segment, &c->source, err);
    if (rc == 0 && run->consumer == VT_BENCH_STORE) {
        rc = vt_trace_writer_create(file, true, vt_trace_source_info(c->source), &c->file, err);
    }
    return rc;
}

static int run_consumer(struct consumer *c, struct vt_error *err)
{
    int failed = pthread_create(&c->thread, NULL, consume, c);
    c->runs = failed == 0;
    return failed == 0 ? 0 : vt_fail_errno(err, VT_E_NOMEM, failed, "no thread for the reader");
}

static int join_consumer(struct consumer *c, struct vt_error *err)
{
    if (!c->runs) {
        return 0;
    }
    c->runs = false;
    __atomic_store_n(&c->over, true, __ATOMIC_RELEASE);
    pthread_join(c->thread, NULL);
    c->file = NULL;
    if (c->rc != 0) {
        *err = c->err;
    }
    return c->rc;
}

static void end_consumer(struct consumer *c)
{
    struct vt_error err;
    join_consumer(c, &err);
    vt_trace_writer_close(c->file, NULL);
    vt_trace_close(c->source);
    free(c->blocks);
}

/* ---------------------------------------------------------------- the guest */

static int start_vm(const struct vt_bench_trace_run *run, const char *name, uint64_t memory_bytes,
                    struct vt_error *err)
{
    struct vt_guest_image image;
    char kernel[PATH_MAX], script[64];
    struct vt_vm_config config = {.name = name,
                                  .accel = "tcg",
                                  .memory_bytes = memory_bytes,
                                  .qemu_args = run->qemu_args,
                                  .paused = true,
                                  .no_trace = !run->plugin};
    int rc;
    if (run->work == VT_BENCH_BOOT) {
        rc = vt_bench_default_guest(&config, &image, err);
    } else {
        rc = vt_path_lib("gpu-card-x86_64", kernel, err);
        snprintf(script, sizeof script, "compute %" PRIu64 "; stay", run->rounds);
        config.kernel = kernel;
        config.append = script;
        config.machine = "microvm";
    }
    return rc == 0 ? vt_vm_start(&config, vt_cli_services, &vt_interrupted, err) : rc;
}

static int wait_done(const struct vt_bench_trace_run *run, int console, const struct consumer *c,
                     struct vt_error *err)
{
    static const char *const says[] = {
        [VT_BENCH_BOOT] = "shell ready", [VT_BENCH_COMPUTE] = "\"event\": \"compute\""};
    struct vt_expect *e = malloc(sizeof *e);
    if (e == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a console");
    }
    vt_expect_init(e, console, &vt_interrupted);
    uint64_t end = run->for_ns != 0 ? vt_now_ns() + run->for_ns : vt_deadline_ms(DONE_MS);
    int rc;
    do {
        uint64_t slice = vt_deadline_ms(SLICE_MS);
        rc = vt_expect_text(e, says[run->work], slice < end ? slice : end, err);
    } while (rc == VT_E_TIMEOUT && vt_now_ns() < end &&
             !__atomic_load_n(&c->failed, __ATOMIC_ACQUIRE));
    free(e);
    return rc == VT_E_TIMEOUT && run->for_ns != 0 ? 0 : rc;
}

static int ring_bytes(const char *path, uint64_t *bytes, struct vt_error *err)
{
    struct vt_trace_segment segment;
    int rc = vt_trace_segment_open(&segment, path, false, err);
    if (rc != 0) {
        return rc;
    }
    *bytes = 0;
    for (uint32_t i = 0; i < segment.vcpus; i++) {
        const struct vt_trace_vcpu *v = vt_trace_segment_vcpu(&segment, i);
        *bytes += __atomic_load_n(&v->head, __ATOMIC_RELAXED) * sizeof(uint64_t);
    }
    rc = vt_trace_segment_check(&segment, err);
    vt_trace_segment_close(&segment);
    return rc;
}

/* From the first instruction to the last; the counters are exact at the end. */
static int go(const struct vt_bench_trace_run *run, struct vt_vm *vm, int console,
              const char *segment, struct consumer *c, struct vt_bench_trace_sample *s,
              struct vt_error *err)
{
    struct vt_bench_clocks begin = {0}, end = {0};
    const pid_t qemu = vt_vm_info(vm)->qemu_pid;
    int rc = c->source != NULL ? run_consumer(c, err) : 0;
    rc = rc != 0 ? rc : vt_bench_clocks(qemu, &begin, err);
    rc = rc != 0 ? rc : vt_vm_resume(vm, err);
    rc = rc != 0 ? rc : wait_done(run, console, c, err);
    rc = rc != 0 ? rc : vt_vm_pause(vm, err);
    rc = rc != 0 ? rc : vt_bench_clocks(qemu, &end, err);
    if (rc == 0 && run->plugin && run->detail != VT_TRACE_OFF) {
        rc = vt_trace_steer(segment, VT_TRACE_OFF, VT_TRACE_WAIT, 0, NULL, STEER_MS, err);
    }
    if (rc == 0 && c->runs) {
        struct vt_bench_clocks taken = end;
        rc = join_consumer(c, err);
        rc = rc != 0 ? rc : vt_bench_clocks(qemu, &taken, err);
        end.wall = taken.wall;
        end.ours = taken.ours;
    }
    if (__atomic_load_n(&c->failed, __ATOMIC_ACQUIRE)) {
        rc = join_consumer(c, err); /* why everything else failed */
    }
    if (rc == 0) {
        struct vt_bench_clocks took = vt_bench_clocks_since(&begin, &end);
        s->wall_s = took.wall;
        s->user_s = took.user;
        s->system_s = took.system;
        s->consumer_s = c->source != NULL ? took.ours : 0;
    }
    return rc;
}

static int count(const char *segment, const char *file, struct consumer *c,
                 struct vt_bench_trace_sample *s, struct vt_error *err)
{
    struct stat st;
    struct vt_trace_source *source = c->source;
    int rc = source == NULL ? vt_trace_open_segment(segment, &source, err) : 0;
    if (rc != 0) {
        return rc;
    }
    const struct vt_trace_info *info = vt_trace_source_info(source);
    s->instructions = info->instructions;
    s->dropped = info->dropped;
    s->seen = c->whole;
    if (c->source == NULL) {
        vt_trace_close(source);
    } else if (s->dropped == 0 && s->seen != s->instructions) {
        return vt_fail(err, VT_E_PROTOCOL,
                       "%" PRIu64 " instructions were counted and %" PRIu64 " were seen",
                       s->instructions, s->seen);
    }
    s->file_bytes = stat(file, &st) == 0 ? (uint64_t)st.st_size : 0;
    return ring_bytes(segment, &s->ring_bytes, err);
}

static int measure(const struct vt_bench_trace_run *run, struct vt_vm *vm, const char *file,
                   struct vt_bench_trace_sample *s, struct vt_error *err)
{
    char segment[sizeof((struct vt_vm_info *)0)->trace_path];
    const struct vt_vm_info *info = vt_vm_info(vm);
    struct consumer c = {0};
    int console = -1;
    memcpy(segment, info->trace_path, sizeof segment);
    memcpy(s->qemu, info->qemu_version, sizeof s->qemu);
    if (run->plugin && segment[0] == '\0') {
        return vt_fail(err, VT_E_UNSUPPORTED, "this QEMU cannot be traced: %s", info->trace_why);
    }
    int rc = vt_console_open(vm, true, &console, err);
    if (rc == 0 && run->consumer != VT_BENCH_NOBODY) {
        rc = start_consumer(&c, run, segment, file, err);
    }
    if (rc == 0 && run->plugin && run->detail != VT_TRACE_OFF) {
        rc = vt_trace_steer(segment, run->detail,
                            run->consumer == VT_BENCH_NOBODY ? VT_TRACE_KEEP_LAST : VT_TRACE_WAIT,
                            0, NULL, STEER_MS, err);
    }
    rc = rc != 0 ? rc : go(run, vm, console, segment, &c, s, err);
    if (rc == 0 && run->plugin) {
        rc = count(segment, file, &c, s, err);
    }
    end_consumer(&c);
    vt_close(&console);
    return rc;
}

int vt_bench_trace_measure(const struct vt_bench_trace_run *run, uint64_t memory_bytes,
                           struct vt_bench_trace_sample *sample, struct vt_error *err)
{
    static unsigned runs;
    char name[VT_VM_NAME_MAX + 1], file[PATH_MAX];
    struct vt_vm *vm = NULL;
    struct vt_bench_trace_sample s = {0};
    snprintf(name, sizeof name, "bench-%d-%u", (int)getpid(), runs++);
    int rc = vt_path_format(file, err, "%s/run.vtrace", run->dir);
    rc = rc != 0 ? rc : start_vm(run, name, memory_bytes, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_vm_open(name, &vm, err);
    rc = rc != 0 ? rc : measure(run, vm, file, &s, err);
    vt_bench_boot_end(vm);
    unlink(file);
    if (rc == 0) {
        *sample = s;
    }
    return rc;
}
