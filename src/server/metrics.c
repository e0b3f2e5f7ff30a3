/* server/metrics.c - see metrics.h. */
#include "server/metrics.h"

#include "base/io.h"
#include "server/watch.h"
#include "vitrine/version.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STATUSES_MAX 24 /* different ones of one operation */
#define SECONDS(ns) ((double)(ns) / 1e9)

/* Upper bounds in seconds; what is longer falls into +Inf. */
static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,  0.5,    1,     2.5,  5,     10};
enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

struct histogram {
    uint64_t counts[BOUNDS + 1];
    uint64_t count, sum_ns;
};

struct by_operation {
    const char *name;
    unsigned n_statuses;
    struct {
        unsigned status;
        uint64_t count;
    } statuses[STATUSES_MAX];
    struct histogram took;
};

struct by_vm {
    char name[VT_VM_NAME_MAX + 1];
    struct histogram took;
};

struct vt_metrics {
    double started_unix_s;
    uint64_t refused[VT_REFUSALS], ws_ended[VT_WS_ENDS];
    uint64_t connections, ws_sent, hits, misses;
    unsigned n_vms;
    struct by_vm vms[VT_WATCH_VMS_MAX];
    unsigned n_ops, n;
    struct by_operation all[];
};

/* ---------------------------------------------------------------- counting */

int vt_metrics_create(const struct vt_op *const *ops, struct vt_metrics **metrics,
                      struct vt_error *err)
{
    static const char *const others[VT_REQUESTS_OTHER] = {
        "page", "health", "metrics", "openapi", "events", "volume", "mcp", "none",
    };
    unsigned n = 0;
    while (ops[n] != NULL) {
        n++;
    }
    struct vt_metrics *m =
        calloc(1, sizeof *m + (n + VT_REQUESTS_OTHER) * sizeof(struct by_operation));
    if (m == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    m->started_unix_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    m->n_ops = n;
    m->n = n + VT_REQUESTS_OTHER;
    for (unsigned i = 0; i < m->n; i++) {
        m->all[i].name = i < n ? ops[i]->name : others[i - n];
    }
    *metrics = m;
    return 0;
}

void vt_metrics_destroy(struct vt_metrics *metrics)
{
    free(metrics);
}

static void count(struct histogram *h, uint64_t ns)
{
    unsigned i = 0;
    while (i < BOUNDS && SECONDS(ns) > bounds[i]) {
        i++;
    }
    h->counts[i]++;
    h->count++;
    h->sum_ns += ns;
}

void vt_metrics_request(struct vt_metrics *m, unsigned index, unsigned status, uint64_t ns)
{
    struct by_operation *op = &m->all[index];
    unsigned i = 0;
    while (i < op->n_statuses && op->statuses[i].status != status) {
        i++;
    }
    if (i < STATUSES_MAX) {
        op->statuses[i].status = status;
        op->statuses[i].count++;
        op->n_statuses += i == op->n_statuses;
    }
    count(&op->took, ns);
}

unsigned vt_metrics_other(const struct vt_metrics *m, enum vt_other_request what)
{
    return m->n_ops + (unsigned)what;
}

void vt_metrics_refused(struct vt_metrics *m, enum vt_refusal why)
{
    m->refused[why]++;
}

void vt_metrics_connection(struct vt_metrics *m)
{
    m->connections++;
}

void vt_metrics_ws_ended(struct vt_metrics *m, enum vt_ws_end how)
{
    m->ws_ended[how]++;
}

void vt_metrics_ws_sent(struct vt_metrics *m, uint64_t messages)
{
    m->ws_sent += messages;
}

void vt_metrics_cached(struct vt_metrics *m, bool hit)
{
    *(hit ? &m->hits : &m->misses) += 1;
}

void vt_metrics_sample(struct vt_metrics *m, const char *vm, uint64_t ns)
{
    unsigned i = 0;
    while (i < m->n_vms && strcmp(m->vms[i].name, vm) != 0) {
        i++;
    }
    if (i == m->n_vms) {
        if (i == VT_WATCH_VMS_MAX) {
            return;
        }
        m->n_vms++;
        snprintf(m->vms[i].name, sizeof m->vms[i].name, "%s", vm);
    }
    count(&m->vms[i].took, ns);
}

/* ---------------------------------------------------------------- writing */

static void family(FILE *out, const char *name, const char *type, const char *unit,
                   const char *help)
{
    fprintf(out, "# TYPE %s %s\n", name, type);
    if (unit != NULL) {
        fprintf(out, "# UNIT %s %s\n", name, unit);
    }
    fprintf(out, "# HELP %s %s\n", name, help);
}

static void histogram(FILE *out, const char *name, const char *label, const char *value,
                      const struct histogram *h)
{
    uint64_t below = 0;
    for (unsigned i = 0; i < BOUNDS; i++) {
        below += h->counts[i];
        fprintf(out, "%s_bucket{%s=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, label, value, bounds[i],
                below);
    }
    fprintf(out, "%s_bucket{%s=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, label, value, h->count);
    fprintf(out, "%s_sum{%s=\"%s\"} %.9f\n", name, label, value, SECONDS(h->sum_ns));
    fprintf(out, "%s_count{%s=\"%s\"} %" PRIu64 "\n", name, label, value, h->count);
}

/* Both kinds of looks at VMs, copied first: a family's lines stand together. Names of VMs need no
 * escaping (vt_name_is_valid). */
struct looks {
    unsigned n_watched, n_hosted;
    struct vt_watched watched[VT_WATCH_VMS_MAX];
    struct {
        char name[VT_VM_NAME_MAX + 1];
        uint64_t samples, failures, rows;
        double cpu_seconds, unix_s;
    } hosted[VT_WATCH_VMS_MAX];
};

static void add_watched(const struct vt_watched *vm, void *arg)
{
    struct looks *l = arg;
    if (l->n_watched < VT_WATCH_VMS_MAX) {
        l->watched[l->n_watched++] = *vm;
    }
}

static void add_hosted(const struct vt_host_vm *vm, void *arg)
{
    struct looks *l = arg;
    if (l->n_hosted == VT_WATCH_VMS_MAX) {
        return;
    }
    unsigned i = l->n_hosted++;
    snprintf(l->hosted[i].name, sizeof l->hosted[i].name, "%s", vm->name);
    l->hosted[i].samples = vm->samples;
    l->hosted[i].failures = vm->failures;
    l->hosted[i].rows = vm->last.rows;
    l->hosted[i].cpu_seconds = vm->cpu_seconds;
    l->hosted[i].unix_s = vm->last.number > 0 ? vm->last.unix_s : 0;
}

static void write_machines(const struct looks *l, FILE *out)
{
    static const enum vt_vm_state states[] = {VT_VM_UNKNOWN,  VT_VM_RUNNING, VT_VM_PAUSED,
                                              VT_VM_SHUTDOWN, VT_VM_CRASHED, VT_VM_MIGRATING,
                                              VT_VM_DEAD};
    family(out, "vitrine_vm_state", "stateset", NULL, "What a VM does.");
    for (unsigned i = 0; i < l->n_watched; i++) {
        for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
            fprintf(out, "vitrine_vm_state{vm=\"%s\",vitrine_vm_state=\"%s\"} %d\n",
                    l->watched[i].name, vt_vm_state_name(states[s]),
                    l->watched[i].state == states[s]);
        }
    }
    family(out, "vitrine_vm_cpu_seconds", "counter", "seconds", "CPU time of the VM's QEMU.");
    for (unsigned i = 0; i < l->n_watched; i++) {
        if (l->watched[i].usage.has_process) {
            fprintf(out, "vitrine_vm_cpu_seconds_total{vm=\"%s\"} %.3f\n", l->watched[i].name,
                    SECONDS(l->watched[i].usage.cpu_ns));
        }
    }
    family(out, "vitrine_vm_resident_bytes", "gauge", "bytes", "Memory of the VM's QEMU.");
    for (unsigned i = 0; i < l->n_watched; i++) {
        if (l->watched[i].usage.has_process) {
            fprintf(out, "vitrine_vm_resident_bytes{vm=\"%s\"} %" PRIu64 "\n", l->watched[i].name,
                    l->watched[i].usage.rss_bytes);
        }
    }
    family(out, "vitrine_vm_ram_bytes", "gauge", "bytes", "RAM the guest was given.");
    for (unsigned i = 0; i < l->n_watched; i++) {
        fprintf(out, "vitrine_vm_ram_bytes{vm=\"%s\"} %" PRIu64 "\n", l->watched[i].name,
                l->watched[i].ram_bytes);
    }
    family(out, "vitrine_vm_ram_touched_bytes", "gauge", "bytes", "RAM the guest has touched.");
    for (unsigned i = 0; i < l->n_watched; i++) {
        if (l->watched[i].usage.has_ram) {
            fprintf(out, "vitrine_vm_ram_touched_bytes{vm=\"%s\"} %" PRIu64 "\n",
                    l->watched[i].name, l->watched[i].usage.ram_allocated_bytes);
        }
    }
}

static void write_traces(const struct looks *l, FILE *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } all[] = {
        {"vitrine_vm_instructions", "Instructions executed while they were counted or recorded.",
         offsetof(struct vt_trace_status, instructions)},
        {"vitrine_vm_blocks", "Blocks of instructions that were recorded.",
         offsetof(struct vt_trace_status, blocks)},
        {"vitrine_vm_trace_dropped", "Records of them that found no room.",
         offsetof(struct vt_trace_status, dropped)},
    };
    for (size_t c = 0; c < sizeof all / sizeof all[0]; c++) {
        family(out, all[c].name, "counter", NULL, all[c].help);
        for (unsigned i = 0; i < l->n_watched; i++) {
            const struct vt_trace_status *trace = &l->watched[i].trace;
            uint64_t value;
            memcpy(&value, (const char *)trace + all[c].offset, sizeof value);
            if (trace->ready) {
                fprintf(out, "%s_total{vm=\"%s\"} %" PRIu64 "\n", all[c].name, l->watched[i].name,
                        value);
            }
        }
    }
}

static void write_samplers(const struct vt_metrics *m, const struct looks *l, FILE *out)
{
    family(out, "vitrine_samples", "counter", NULL, "Samples taken of a VM.");
    for (unsigned i = 0; i < l->n_hosted; i++) {
        fprintf(out, "vitrine_samples_total{vm=\"%s\"} %" PRIu64 "\n", l->hosted[i].name,
                l->hosted[i].samples);
    }
    family(out, "vitrine_sample_failures", "counter", NULL, "Samples that failed.");
    for (unsigned i = 0; i < l->n_hosted; i++) {
        fprintf(out, "vitrine_sample_failures_total{vm=\"%s\"} %" PRIu64 "\n", l->hosted[i].name,
                l->hosted[i].failures);
    }
    family(out, "vitrine_sampler_cpu_seconds", "counter", "seconds", "CPU time of the sampler.");
    for (unsigned i = 0; i < l->n_hosted; i++) {
        fprintf(out, "vitrine_sampler_cpu_seconds_total{vm=\"%s\"} %.6f\n", l->hosted[i].name,
                l->hosted[i].cpu_seconds);
    }
    family(out, "vitrine_sample_rows", "gauge", NULL, "Rows present in the last sample.");
    for (unsigned i = 0; i < l->n_hosted; i++) {
        fprintf(out, "vitrine_sample_rows{vm=\"%s\"} %" PRIu64 "\n", l->hosted[i].name,
                l->hosted[i].rows);
    }
    family(out, "vitrine_sample_timestamp_seconds", "gauge", "seconds",
           "When the last sample was taken.");
    for (unsigned i = 0; i < l->n_hosted; i++) {
        fprintf(out, "vitrine_sample_timestamp_seconds{vm=\"%s\"} %.6f\n", l->hosted[i].name,
                l->hosted[i].unix_s);
    }
    family(out, "vitrine_sample_seconds", "histogram", "seconds",
           "Reading a VM's memory and writing what it says.");
    for (unsigned i = 0; i < m->n_vms; i++) {
        histogram(out, "vitrine_sample_seconds", "vm", m->vms[i].name, &m->vms[i].took);
    }
}

struct gpus {
    size_t n;
    struct vt_gpu_served all[VT_GPUS_SERVED_MAX];
};

static void add_gpu(const struct vt_gpu_served *gpu, void *arg)
{
    struct gpus *g = arg;
    g->all[g->n++] = *gpu;
}

/* A path may hold anything. */
static void write_path(const char *path, FILE *out)
{
    for (const char *c = path; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"') {
            putc('\\', out);
        }
        fputs(*c == '\n' ? "\\n" : (char[]){*c, '\0'}, out);
    }
}

static void write_gpus(struct vt_watch *watch, FILE *out)
{
    static const struct {
        const char *name, *type, *unit, *help;
        size_t offset;
    } all[] = {
        {"vitrine_gpu_contexts", "gauge", NULL, "Contexts of guests on a GPU that is served.",
         offsetof(struct vt_gpu_served, contexts)},
        {"vitrine_gpu_objects", "gauge", NULL, "Vulkan objects that they have.",
         offsetof(struct vt_gpu_served, objects)},
        {"vitrine_gpu_memory_bytes", "gauge", "bytes", "Memory that they have allocated.",
         offsetof(struct vt_gpu_served, memory_bytes)},
        {"vitrine_gpu_commands", "counter", NULL, "Commands of theirs that were carried out.",
         offsetof(struct vt_gpu_served, commands)},
        {"vitrine_gpu_commands_unknown", "counter", NULL, "Commands of a number nobody knows.",
         offsetof(struct vt_gpu_served, unknown)},
        {"vitrine_gpu_commands_failed", "counter", NULL, "Commands that ended with an error.",
         offsetof(struct vt_gpu_served, failed)},
        {"vitrine_gpu_stream_bytes", "counter", "bytes", "Bytes of their commands.",
         offsetof(struct vt_gpu_served, stream_bytes)},
    };
    struct gpus g = {.n = 0};
    vt_watch_gpus(watch, add_gpu, &g);
    for (size_t f = 0; f < sizeof all / sizeof all[0]; f++) {
        family(out, all[f].name, all[f].type, all[f].unit, all[f].help);
        for (size_t i = 0; i < g.n; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&g.all[i] + all[f].offset, sizeof value);
            fprintf(out, "%s%s{socket=\"", all[f].name, *all[f].type == 'c' ? "_total" : "");
            write_path(g.all[i].path, out);
            fprintf(out, "\"} %" PRIu64 "\n", value);
        }
    }
    family(out, "vitrine_gpu_busy_seconds", "counter", "seconds", "Time spent on their commands.");
    for (size_t i = 0; i < g.n; i++) {
        fputs("vitrine_gpu_busy_seconds_total{socket=\"", out);
        write_path(g.all[i].path, out);
        fprintf(out, "\"} %.6f\n", g.all[i].busy_s);
    }
}

static void write_requests(const struct vt_metrics *m, FILE *out)
{
    family(out, "vitrine_http_requests", "counter", NULL, "Answers by operation and status.");
    for (unsigned i = 0; i < m->n; i++) {
        for (unsigned s = 0; s < m->all[i].n_statuses; s++) {
            fprintf(out,
                    "vitrine_http_requests_total{operation=\"%s\",status=\"%u\"} %" PRIu64 "\n",
                    m->all[i].name, m->all[i].statuses[s].status, m->all[i].statuses[s].count);
        }
    }
    family(out, "vitrine_http_request_seconds", "histogram", "seconds",
           "From a request's first line to the end of its answer.");
    for (unsigned i = 0; i < m->n; i++) {
        if (m->all[i].took.count > 0) {
            histogram(out, "vitrine_http_request_seconds", "operation", m->all[i].name,
                      &m->all[i].took);
        }
    }
    static const char *const reasons[VT_REFUSALS] = {
        "malformed",    "too_large",    "host", "origin",  "token",       "header_timeout",
        "body_timeout", "read_timeout", "idle", "evicted", "connections", "queue",
    };
    family(out, "vitrine_http_refused", "counter", NULL, "Requests and connections not served.");
    for (unsigned i = 0; i < VT_REFUSALS; i++) {
        fprintf(out, "vitrine_http_refused_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i],
                m->refused[i]);
    }
    family(out, "vitrine_http_cache", "counter", NULL,
           "Answers from the database: made before for the same sample, or made anew.");
    fprintf(out,
            "vitrine_http_cache_total{result=\"hit\"} %" PRIu64
            "\nvitrine_http_cache_total{result=\"miss\"} %" PRIu64 "\n",
            m->hits, m->misses);
}

static void write_now(const struct vt_metrics *m, const struct vt_metrics_now *now, FILE *out)
{
    static const char *const ends[VT_WS_ENDS] = {"closed", "gone", "slow", "protocol"};
    family(out, "vitrine_http_connections", "gauge", NULL, "Open connections.");
    fprintf(out, "vitrine_http_connections %u\n", now->connections);
    family(out, "vitrine_http_connections_opened", "counter", NULL, "Connections taken.");
    fprintf(out, "vitrine_http_connections_opened_total %" PRIu64 "\n", m->connections);
    family(out, "vitrine_jobs", "gauge", NULL, "Operations that wait and that run.");
    fprintf(out, "vitrine_jobs{state=\"waiting\"} %u\nvitrine_jobs{state=\"running\"} %u\n",
            now->jobs_waiting, now->jobs_running);
    family(out, "vitrine_websocket_clients", "gauge", NULL, "Open WebSockets.");
    fprintf(out, "vitrine_websocket_clients %u\n", now->ws_clients);
    family(out, "vitrine_websocket_messages", "counter", NULL, "Messages sent to WebSockets.");
    fprintf(out, "vitrine_websocket_messages_total %" PRIu64 "\n", m->ws_sent);
    family(out, "vitrine_websocket_ended", "counter", NULL, "How WebSockets ended.");
    for (unsigned i = 0; i < VT_WS_ENDS; i++) {
        fprintf(out, "vitrine_websocket_ended_total{how=\"%s\"} %" PRIu64 "\n", ends[i],
                m->ws_ended[i]);
    }
    family(out, "vitrine_feed_dropped", "counter", NULL, "Messages that found no room.");
    fprintf(out, "vitrine_feed_dropped_total %" PRIu64 "\n", now->feed_dropped);
}

static void write_streams(const struct vt_streams_stats *s, FILE *out)
{
    const struct {
        const char *name, *help;
        uint64_t value;
        bool counts;
    } all[] = {
        {"vitrine_streams", "VMs whose memory is streamed.", s->streams, false},
        {"vitrine_stream_clients", "Who it is streamed to.", s->clients, false},
        {"vitrine_stream_stalled", "Clients that gave no credit for more.", s->stalled, false},
        {"vitrine_stream_stalls", "Times a client's credit ran out.", s->stalls, true},
        {"vitrine_stream_messages", "Binary messages made.", s->messages, true},
        {"vitrine_stream_bytes", "Bytes of them.", s->bytes, true},
        {"vitrine_stream_frames", "Pictures among them.", s->frames, true},
        {"vitrine_stream_updates", "Looks at memory that clients were brought up to.", s->updates,
         true},
        {"vitrine_stream_refused", "Messages of clients that ended a stream.", s->refused, true},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        family(out, all[i].name, all[i].counts ? "counter" : "gauge", NULL, all[i].help);
        fprintf(out, "%s%s %" PRIu64 "\n", all[i].name, all[i].counts ? "_total" : "",
                all[i].value);
    }
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    if (d != NULL) {
        closedir(d);
        n--; /* the directory's own */
    }
    return n;
}

static void write_process(const struct vt_metrics *m, FILE *out)
{
    uint64_t cpu_ns, rss_bytes;
    family(out, "vitrine_build", "info", NULL, "This server.");
    fprintf(out, "vitrine_build_info{version=\"%s\"} 1\n", VITRINE_VERSION);
    family(out, "process_start_time_seconds", "gauge", "seconds", "When it began to serve.");
    fprintf(out, "process_start_time_seconds %.3f\n", m->started_unix_s);
    family(out, "process_open_fds", "gauge", NULL, "Its open descriptors.");
    fprintf(out, "process_open_fds %u\n", open_descriptors());
    if (vt_process_usage(getpid(), &cpu_ns, &rss_bytes)) {
        family(out, "process_cpu_seconds", "counter", "seconds", "Its CPU time.");
        fprintf(out, "process_cpu_seconds_total %.3f\n", SECONDS(cpu_ns));
        family(out, "process_resident_memory_bytes", "gauge", "bytes", "Its memory.");
        fprintf(out, "process_resident_memory_bytes %" PRIu64 "\n", rss_bytes);
    }
}

void vt_metrics_write(const struct vt_metrics *m, const struct vt_metrics_now *now, FILE *out)
{
    struct looks *l = calloc(1, sizeof *l);
    if (l != NULL) {
        if (now->watch != NULL) {
            vt_watch_each(now->watch, add_watched, l);
        }
        if (now->host != NULL) {
            vt_host_each(now->host, add_hosted, l);
        }
        write_machines(l, out);
        write_traces(l, out);
        write_samplers(m, l, out);
        free(l);
    }
    if (now->watch != NULL) {
        write_gpus(now->watch, out);
    }
    write_requests(m, out);
    write_now(m, now, out);
    if (now->streams != NULL) {
        write_streams(now->streams, out);
    }
    write_process(m, out);
    fputs("# EOF\n", out);
}
