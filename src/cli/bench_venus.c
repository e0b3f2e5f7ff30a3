/* cli/bench_venus.c - `vitrine bench venus`: the same Vulkan client natively and through Venus.
 *
 * The client is this program again (--client), with Mesa 25's drivers as tools/setup has unpacked
 * them or those that --venus-driver and the environment name. The server is `vitrine gpu serve`, or
 * whoever serves --server. Native and Venus runs alternate; medians are told.
 */
#include "cli/bench_venus.h"

#include "base/io.h"
#include "base/paths.h"
#include "cli/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 50u
#define START_MS 20000
#define CLIENT_MS 120000
#define OUTPUT_MAX 65536u

/* Members of struct vt_bench_vulkan, in JSON and in tables. */
enum figure { ROUND_TRIP, SUBMIT_WAIT, PIPELINED, ALLOCATION, RECORD, FIGURES };
static const struct {
    const char *key, *what;
} figures[FIGURES] = {
    [ROUND_TRIP] = {"round_trip_us", "round trip, µs"},
    [SUBMIT_WAIT] = {"submit_wait_per_s", "submit and wait, a second"},
    [PIPELINED] = {"pipelined_submits_per_s", "pipelined submits, a second"},
    [ALLOCATION] = {"alloc_map_free_us", "allocate, map, free 1 MiB, µs"},
    [RECORD] = {"record_ns", "record a command, ns"},
};

enum side { NATIVE, VENUS, SIDES };

struct measured {
    const char *given_driver;  /* --venus-driver: a driver's JSON file */
    const char *given_server;  /* --server: a vtest socket */
    char launcher[PATH_MAX];   /* Mesa's, or "" */
    char dir[64], socket[108]; /* ours */
    char device[SIDES][256];
    double values[SIDES][FIGURES][ROUNDS_MAX];
    uint64_t rounds;
    double decode_ns;
};

/* ---------------------------------------------------------------- children */

/* In a child: this program with `args`, and the drivers of a side. */
static _Noreturn void become(const struct measured *m, enum side side, bool client)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *argv[16];
    size_t at = 0;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    self[n > 0 ? n : 0] = '\0';
    if (side == VENUS) {
        setenv("VTEST_SOCKET_NAME", m->given_server != NULL ? m->given_server : m->socket, 1);
        setenv("VN_DEBUG", "vtest", 1);
        unsetenv("VITRINE_GPU"); /* the server has chosen */
        if (m->given_driver != NULL) {
            setenv("VK_DRIVER_FILES", m->given_driver, 1);
            setenv("VK_ICD_FILENAMES", m->given_driver, 1);
        }
    }
    if (m->launcher[0] != '\0') {
        argv[at++] = m->launcher;
        argv[at++] = side == VENUS ? "venus" : "native";
    }
    argv[at++] = self;
    if (client) {
        argv[at++] = "bench";
        argv[at++] = "venus";
        argv[at++] = "--client";
        argv[at++] = "--json";
    } else {
        argv[at++] = "gpu";
        argv[at++] = "serve";
        argv[at++] = "--vtest";
        argv[at++] = m->socket;
    }
    argv[at] = NULL;
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

/* `*out`: what it prints. */
static int start(const struct measured *m, enum side side, bool client, pid_t *pid, int *out,
                 struct vt_error *err)
{
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "pipe");
    }
    *pid = fork();
    if (*pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        become(m, side, client);
    }
    vt_close(&pipes[1]);
    if (*pid < 0) {
        vt_close(&pipes[0]);
        return vt_fail_errno(err, VT_E_IO, errno, "fork");
    }
    *out = pipes[0];
    return 0;
}

static int end(pid_t pid, bool now)
{
    int status = 0;
    if (now) {
        kill(pid, SIGTERM);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Up to the first line's end, or, with `all`, to the end. */
static int read_text(int fd, bool all, uint64_t ms, char *text, struct vt_error *err)
{
    size_t n = 0;
    uint64_t deadline = vt_deadline_ms(ms);
    for (;;) {
        int rc = vt_wait_fd(fd, POLLIN, deadline, &vt_interrupted, err);
        if (rc != 0) {
            return rc;
        }
        ssize_t got = read(fd, text + n, OUTPUT_MAX - 1 - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        n += got > 0 ? (size_t)got : 0;
        text[n] = '\0';
        if (got <= 0 || n == OUTPUT_MAX - 1 || (!all && strchr(text, '\n') != NULL)) {
            return n > 0 ? 0 : vt_fail(err, VT_E_GONE, "nothing was said");
        }
    }
}

static int run_client(struct measured *m, enum side side, uint64_t round, struct vt_error *err)
{
    char *text = malloc(OUTPUT_MAX);
    pid_t pid;
    int out;
    if (text == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    int rc = start(m, side, true, &pid, &out, err);
    if (rc != 0) {
        free(text);
        return rc;
    }
    rc = read_text(out, true, CLIENT_MS, text, err);
    close(out);
    int status = end(pid, rc != 0);
    json_t *said = rc == 0 && status == 0 ? json_loads(text, 0, NULL) : NULL;
    const char *device = json_string_value(json_object_get(said, "device"));
    if (device == NULL) {
        rc = rc == VT_E_INTERRUPTED || rc == VT_E_TIMEOUT
                 ? rc
                 : vt_fail(err, VT_E_PROTOCOL, "the %s client failed",
                           side == VENUS ? "Venus" : "native");
    } else {
        snprintf(m->device[side], sizeof m->device[side], "%s", device);
        for (unsigned i = 0; i < FIGURES; i++) {
            m->values[side][i][round] = json_number_value(json_object_get(said, figures[i].key));
        }
    }
    json_decref(said);
    free(text);
    return rc;
}

/* In a process of its own, which is not left tidy. */
static int run_decode(struct measured *m, struct vt_error *err)
{
    int pipes[2];
    double ns = 0;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct vt_error own;
        bool fine = vt_bench_venus_decode(&ns, &own) == 0 &&
                    write(pipes[1], &ns, sizeof ns) == (ssize_t)sizeof ns;
        _exit(fine ? 0 : 1);
    }
    vt_close(&pipes[1]);
    bool told = pid > 0 && read(pipes[0], &ns, sizeof ns) == (ssize_t)sizeof ns;
    vt_close(&pipes[0]);
    if (pid > 0) {
        end(pid, false);
    }
    if (!told) {
        return vt_fail(err, VT_E_PROTOCOL, "the decoder could not be measured");
    }
    m->decode_ns = ns;
    return 0;
}

/* ---------------------------------------------------------------- the whole */

static int find_drivers(struct measured *m, struct vt_error *err)
{
    char cache[PATH_MAX];
    m->launcher[0] = '\0';
    if (m->given_driver != NULL) {
        return 0;
    }
    int rc = vt_path_cache(cache, err);
    rc = rc != 0 ? rc : vt_path_format(m->launcher, err, "%s/mesa/run", cache);
    if (rc == 0 && access(m->launcher, X_OK) != 0) {
        rc = vt_fail(err, VT_E_NOT_FOUND,
                     "no Venus driver: 'tools/setup mesa' brings one, --venus-driver names one");
    }
    return rc;
}

static int start_server(struct measured *m, pid_t *pid, int *out, struct vt_error *err)
{
    char text[OUTPUT_MAX];
    snprintf(m->dir, sizeof m->dir, "/tmp/vitrine-bench-XXXXXX");
    if (mkdtemp(m->dir) == NULL) {
        m->dir[0] = '\0';
        return vt_fail_errno(err, VT_E_IO, errno, "a directory in /tmp");
    }
    snprintf(m->socket, sizeof m->socket, "%s/vtest", m->dir);
    int rc = start(m, NATIVE, false, pid, out, err);
    /* It says where it listens. */
    return rc != 0 ? rc : read_text(*out, false, START_MS, text, err);
}

static int measure(struct measured *m, struct vt_error *err)
{
    pid_t server = -1;
    int out = -1;
    int rc = find_drivers(m, err);
    if (rc == 0 && m->given_server == NULL) {
        rc = start_server(m, &server, &out, err);
    }
    rc = rc != 0 ? rc : run_decode(m, err);
    for (uint64_t i = 0; rc == 0 && i < m->rounds; i++) {
        vt_progress("round %llu of %llu", (unsigned long long)i + 1, (unsigned long long)m->rounds);
        rc = run_client(m, NATIVE, i, err);
        rc = rc != 0 ? rc : run_client(m, VENUS, i, err);
    }
    vt_progress("%s", "");
    if (server > 0) {
        end(server, true);
    }
    vt_close(&out);
    if (m->dir[0] != '\0') {
        unlink(m->socket);
        rmdir(m->dir);
    }
    return rc;
}

static void show(const struct vt_args *args, struct measured *m)
{
    double medians[SIDES][FIGURES];
    for (unsigned side = 0; side < SIDES; side++) {
        for (unsigned i = 0; i < FIGURES; i++) {
            medians[side][i] = vt_bench_median(m->values[side][i], (size_t)m->rounds);
        }
    }
    if (!vt_args_json(args)) {
        printf("%s, and %s\n%-32s %12s %12s %8s\n", m->device[NATIVE], m->device[VENUS], "",
               "native", "Venus", "ratio");
        for (unsigned i = 0; i < FIGURES; i++) {
            printf("%-32s %12.2f %12.2f %8.2f\n", figures[i].what, medians[NATIVE][i],
                   medians[VENUS][i], medians[VENUS][i] / medians[NATIVE][i]);
        }
        printf("%-32s %12s %12.1f\n", "carry out a recorded command, ns", "", m->decode_ns);
        return;
    }
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "device", m->device[NATIVE]);
    vt_json_kv_string(&w, "venus_device", m->device[VENUS]);
    vt_json_kv_u64(&w, "rounds", m->rounds);
    vt_json_kv_f64(&w, "decode_ns_per_command", m->decode_ns, 4);
    for (unsigned i = 0; i < FIGURES; i++) {
        char key[64];
        snprintf(key, sizeof key, "native_%s", figures[i].key);
        vt_json_kv_f64(&w, figures[i].key, medians[VENUS][i], 6);
        vt_json_kv_f64(&w, key, medians[NATIVE][i], 6);
    }
    vt_json_kv_f64(&w, "pipelined_over_native",
                   medians[VENUS][PIPELINED] / medians[NATIVE][PIPELINED], 4);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static int run_as_client(const struct vt_args *args)
{
    struct vt_bench_vulkan r;
    struct vt_error err;
    if (vt_bench_vulkan_run(&r, &err) != 0) {
        return vt_report(args, &err);
    }
    const double values[FIGURES] = {r.round_trip_us, r.submit_wait_per_s, r.pipelined_submits_per_s,
                                    r.alloc_map_free_us, r.record_ns};
    if (!vt_args_json(args)) {
        puts(r.device);
        for (unsigned i = 0; i < FIGURES; i++) {
            printf("%-32s %12.2f\n", figures[i].what, values[i]);
        }
        return vt_output_finish(stdout);
    }
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "device", r.device);
    for (unsigned i = 0; i < FIGURES; i++) {
        vt_json_kv_f64(&w, figures[i].key, values[i], 6);
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
    return vt_output_finish(stdout);
}

static int run(const struct vt_args *args)
{
    if (vt_args_flag(args, "client")) {
        return run_as_client(args);
    }
    struct measured *m = calloc(1, sizeof *m);
    struct vt_error err;
    if (m == NULL) {
        vt_fail(&err, VT_E_NOMEM, "out of memory");
        return vt_report(args, &err);
    }
    m->given_driver = vt_args_value(args, "venus-driver");
    m->given_server = vt_args_value(args, "server");
    int result = vt_args_u64(args, "rounds", 3, &m->rounds);
    if (result == 0 && (m->rounds == 0 || m->rounds > ROUNDS_MAX)) {
        result = vt_usage_error(args, "--rounds: 1 to %u", ROUNDS_MAX);
    }
    if (result == 0) {
        if (measure(m, &err) == 0) {
            show(args, m);
            result = vt_output_finish(stdout);
        } else {
            result = vt_report(args, &err);
        }
    }
    free(m);
    return result;
}

const struct vt_bench vt_bench_venus = {
    .name = "venus",
    .summary = "a Vulkan client natively and through Venus, and what decoding costs",
    .run = run,
};
