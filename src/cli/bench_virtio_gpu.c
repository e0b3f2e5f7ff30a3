/* cli/bench_virtio_gpu.c - `vitrine bench virtio-gpu`: how many small flushes a second our driver
 * gets out of this QEMU, with many commands on their way and with one; and what watching costs it.
 *
 * guests/card does it, in one guest: rounds of the same work with commands in flight, with one at a
 * time, and with a watcher beside it; medians are told. A flush is TRANSFER_TO_HOST_2D and
 * RESOURCE_FLUSH of 64 x 64 pixels.
 */
#include "base/io.h"
#include "base/paths.h"
#include "cli/bench.h"
#include "cli/vm.h"
#include "gpu/watch.h"
#include "machine/console_client.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX 50u
#define FLUSHES_MAX 10000000u
/* One command at a time is slower, and as exact with fewer. */
#define BLOCKING_SHARE 8u
/* For a watcher to find the device before the next run, in milliseconds of the guest's time. */
#define SETTLE_MS 300u
#define QUIET_MS 120000

enum mode { ASYNC, BLOCKING, WATCHED, MODES };

struct watcher {
    struct vt_vgpu_watch *watch;
    volatile int stop;
    bool runs;
    pthread_t thread;
    int rc;
    struct vt_error err;
    struct vt_vgpu_watch_counts counts;
};

struct measured {
    uint64_t rounds, flushes;
    double flushes_per_s[MODES][ROUNDS_MAX], commands_per_s[ROUNDS_MAX];
    unsigned n[MODES];
    uint64_t seen, lost, watch_cpu_ns;
    struct watcher watcher;
};

/* ---------------------------------------------------------------- the watcher */

static bool count_event(const struct vt_vgpu_event_seen *event, void *arg)
{
    struct measured *m = arg;
    if (event->kind == VT_VGPU_SEEN_COMMAND) {
        m->seen++;
    } else if (event->kind == VT_VGPU_SEEN_LOST) {
        m->lost += event->lost;
    }
    return true;
}

static void *run_watch(void *arg)
{
    struct watcher *w = arg;
    w->rc = vt_vgpu_watch_run(w->watch, UINT64_MAX, &w->err);
    return NULL;
}

static int start_watching(struct measured *m, const char *vm, struct vt_error *err)
{
    struct watcher *w = &m->watcher;
    w->stop = 0;
    const struct vt_vgpu_watch_config config = {
        .vm = vm, .stop = &w->stop, .fn = count_event, .arg = m};
    int rc = vt_vgpu_watch_open(&config, &w->watch, err);
    if (rc != 0) {
        return rc;
    }
    int failed = pthread_create(&w->thread, NULL, run_watch, w);
    if (failed != 0) {
        vt_vgpu_watch_close(w->watch);
        return vt_fail_errno(err, VT_E_NOMEM, failed, "no thread for the watcher");
    }
    w->runs = true;
    return 0;
}

static int stop_watching(struct measured *m, struct vt_error *err)
{
    struct watcher *w = &m->watcher;
    struct vt_vgpu_watch_counts counts;
    if (!w->runs) {
        return 0;
    }
    w->runs = false;
    w->stop = 1;
    pthread_join(w->thread, NULL);
    vt_vgpu_watch_counts(w->watch, &counts);
    m->watch_cpu_ns += counts.cpu_ns;
    vt_vgpu_watch_close(w->watch);
    if (w->rc != 0 && err != NULL) {
        *err = w->err;
    }
    return w->rc;
}

/* ---------------------------------------------------------------- what the guest says */

/* One line of the guest's; `*over` at the end of its script. */
static int heed(struct measured *m, const char *vm, const char *line, bool *over,
                struct vt_error *err)
{
    json_t *report = json_loads(line, 0, NULL);
    const char *event = json_string_value(json_object_get(report, "event"));
    const char *text = json_string_value(json_object_get(report, "text"));
    const char *mode = json_string_value(json_object_get(report, "mode"));
    int rc = 0;
    if (event == NULL) {
        rc = 0; /* firmware's, or a line that was cut */
    } else if (strcmp(event, "say") == 0 && text != NULL && strcmp(text, "watch") == 0) {
        rc = start_watching(m, vm, err);
    } else if (strcmp(event, "say") == 0 && text != NULL && strcmp(text, "rest") == 0) {
        rc = stop_watching(m, err);
    } else if (strcmp(event, "stay") == 0) {
        *over = true;
    } else if (strcmp(event, "bench") == 0 && mode != NULL) {
        enum mode which = strcmp(mode, "blocking") == 0 ? BLOCKING
                          : m->watcher.runs             ? WATCHED
                                                        : ASYNC;
        double flushes = (double)json_integer_value(json_object_get(report, "flushes_per_s"));
        if (json_integer_value(json_object_get(report, "failed")) != 0 || flushes <= 0) {
            rc = vt_fail(err, VT_E_PROTOCOL, "the guest's commands failed: %.200s", line);
        } else if (m->n[which] < ROUNDS_MAX) {
            if (which == ASYNC) {
                m->commands_per_s[m->n[which]] =
                    (double)json_integer_value(json_object_get(report, "commands_per_s"));
            }
            m->flushes_per_s[which][m->n[which]++] = flushes;
        }
    } else if (strcmp(event, "error") == 0 || strcmp(event, "trap") == 0 ||
               strcmp(event, "panic") == 0 || strcmp(event, "end") == 0) {
        rc = vt_fail(err, VT_E_PROTOCOL, "the guest gave up: %.200s", line);
    }
    json_decref(report);
    return rc;
}

static int read_some(int fd, char *to, size_t room, size_t *n, struct vt_error *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ready = poll(&p, 1, QUIET_MS);
    if (vt_interrupted) {
        return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
    }
    if (ready == 0) {
        return vt_fail(err, VT_E_TIMEOUT, "the guest has said nothing for %d s", QUIET_MS / 1000);
    }
    ssize_t got = ready > 0 ? read(fd, to, room) : -1;
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        got = 0;
    } else if (got < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "the guest's console");
    } else if (got == 0) {
        return vt_fail(err, VT_E_GONE, "the guest ended");
    }
    *n = (size_t)got;
    return 0;
}

/* Its lines, until it is through. */
static int listen_to(struct measured *m, const char *vm, int fd, struct vt_error *err)
{
    char text[4096];
    size_t n = 0, got = 0;
    bool over = false;
    int rc = 0;
    while (rc == 0 && !over) {
        char *end = memchr(text, '\n', n);
        if (end != NULL) {
            *end = '\0';
            rc = heed(m, vm, text, &over, err);
            size_t used = (size_t)(end - text) + 1;
            memmove(text, text + used, n - used);
            n -= used;
            continue;
        }
        if (n == sizeof text - 1) {
            n = 0; /* no report is so long */
        }
        rc = read_some(fd, text + n, sizeof text - 1 - n, &got, err);
        n += rc == 0 ? got : 0;
    }
    return rc;
}

/* ---------------------------------------------------------------- the guest */

static char *script_of(const struct measured *m)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (f == NULL) {
        return NULL;
    }
    uint64_t blocking = m->flushes / BLOCKING_SHARE + 1;
    for (uint64_t i = 0; i < m->rounds; i++) {
        fprintf(f,
                "bench async %llu; bench blocking %llu; say watch; wait %u; bench async %llu; "
                "say rest; wait %u; ",
                (unsigned long long)m->flushes, (unsigned long long)blocking, SETTLE_MS,
                (unsigned long long)m->flushes, SETTLE_MS);
    }
    fputs("stay", f);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int start_guest(const struct measured *m, const char *name, struct vt_error *err)
{
    static const char *const gpus[] = {"virtio", NULL};
    char kernel[PATH_MAX];
    char *script = script_of(m);
    if (script == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    int rc = vt_path_lib("gpu-card-x86_64", kernel, err);
    if (rc == 0) {
        const struct vt_vm_config config = {.name = name,
                                            .kernel = kernel,
                                            .append = script,
                                            .machine = "microvm",
                                            .gpus = gpus,
                                            .memory_bytes = UINT64_C(128) << 20};
        rc = vt_vm_start(&config, vt_cli_services, &vt_interrupted, err);
    }
    free(script);
    return rc;
}

static int measure(struct measured *m, const char *name, struct vt_error *err)
{
    struct vt_vm *vm = NULL;
    int fd = -1;
    int rc = start_guest(m, name, err);
    rc = rc != 0 ? rc : vt_vm_open(name, &vm, err);
    rc = rc != 0 ? rc : vt_console_open(vm, true, &fd, err);
    if (rc == 0) {
        rc = listen_to(m, name, fd, err);
        int stopped = stop_watching(m, rc == 0 ? err : NULL);
        rc = rc != 0 ? rc : stopped;
        close(fd);
    }
    if (vm != NULL) {
        vt_vm_kill(vm, NULL);
        vt_vm_close(vm);
    }
    for (unsigned i = 0; rc == 0 && i < MODES; i++) {
        if (m->n[i] != m->rounds) {
            rc = vt_fail(err, VT_E_PROTOCOL, "the guest told %u results of %llu", m->n[i],
                         (unsigned long long)m->rounds);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- the result */

static void show(const struct vt_args *args, struct measured *m)
{
    double async = vt_bench_median(m->flushes_per_s[ASYNC], m->n[ASYNC]);
    double blocking = vt_bench_median(m->flushes_per_s[BLOCKING], m->n[BLOCKING]);
    double watched = vt_bench_median(m->flushes_per_s[WATCHED], m->n[WATCHED]);
    double commands = vt_bench_median(m->commands_per_s, m->n[ASYNC]);
    double overhead = 100.0 * (1.0 - watched / async);
    uint64_t all = m->seen + m->lost;
    double lost = all > 0 ? 100.0 * (double)m->lost / (double)all : 0;
    if (!vt_args_json(args)) {
        printf("%-34s %10.0f\n", "flushes/s, many commands in flight", async);
        printf("%-34s %10.0f\n", "flushes/s, one command at a time", blocking);
        printf("%-34s %10.1f times\n", "gained by not waiting", async / blocking);
        printf("%-34s %10.0f\n", "commands/s", commands);
        printf("%-34s %10.0f\n", "flushes/s while watched", watched);
        printf("%-34s %10.1f %%\n", "cost of watching", overhead);
        printf("%-34s %10.1f %% of %llu commands\n", "not seen by the watcher", lost,
               (unsigned long long)all);
        return;
    }
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_u64(&w, "rounds", m->rounds);
    vt_json_kv_u64(&w, "flushes", m->flushes);
    vt_json_kv_f64(&w, "flushes_per_s_async", async, 6);
    vt_json_kv_f64(&w, "flushes_per_s_blocking", blocking, 6);
    vt_json_kv_f64(&w, "async_over_blocking", async / blocking, 4);
    vt_json_kv_f64(&w, "commands_per_s", commands, 6);
    vt_json_kv_f64(&w, "flushes_per_s_watched", watched, 6);
    vt_json_kv_f64(&w, "watch_overhead_percent", overhead, 4);
    vt_json_kv_f64(&w, "watch_cpu_s", (double)m->watch_cpu_ns / 1e9, 4);
    vt_json_kv_u64(&w, "watch_commands_seen", m->seen);
    vt_json_kv_u64(&w, "watch_commands_lost", m->lost);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static int run(const struct vt_args *args)
{
    struct measured *m = calloc(1, sizeof *m);
    struct vt_error err;
    char name[VT_VM_NAME_MAX + 1];
    if (m == NULL) {
        vt_fail(&err, VT_E_NOMEM, "out of memory");
        return vt_report(args, &err);
    }
    int result = vt_args_u64(args, "rounds", 5, &m->rounds);
    result = result != 0 ? result : vt_args_u64(args, "flushes", 100000, &m->flushes);
    if (result == 0 &&
        (m->rounds == 0 || m->rounds > ROUNDS_MAX || m->flushes == 0 || m->flushes > FLUSHES_MAX)) {
        result =
            vt_usage_error(args, "--rounds: 1 to %u; --flushes: 1 to %u", ROUNDS_MAX, FLUSHES_MAX);
    }
    if (result == 0) {
        snprintf(name, sizeof name, "bench-%d", (int)getpid());
        vt_progress("measuring in a guest …");
        int rc = measure(m, name, &err);
        vt_progress("%s", "");
        if (rc == 0) {
            show(args, m);
            result = vt_output_finish(stdout);
        } else {
            result = vt_report(args, &err);
        }
    }
    free(m);
    return result;
}

const struct vt_bench vt_bench_virtio_gpu = {
    .name = "virtio-gpu",
    .summary =
        "flushes a second of our virtio-gpu driver, waiting and not, and the cost of watching",
    .run = run,
};
