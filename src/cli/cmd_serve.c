/* cli/cmd_serve.c - `vitrine serve`: HTTP, WebSocket and MCP in front of VMs. */
#include "cli/cli.h"
#include "server/serve.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define VMS_MAX 256
#define DRAIN_NS UINT64_C(5000000000)
#define INTERVAL_NS UINT64_C(1000000000)
#define THREADS_MIN 4
#define THREADS_MAX 64

struct saying {
    const struct vt_args *args;
    int result;
};

/* What browsers open; the part behind '#' is never sent, and the page takes it from its address. */
static void say_link(const struct vt_listeners *listeners, const char *token)
{
    unsigned i = 0;
    while (i < listeners->n && listeners->all[i].url[0] == '\0') {
        i++;
    }
    if (i == listeners->n) {
        return;
    }
    printf("open %s/#token=", listeners->all[i].url);
    for (const char *c = token; *c != '\0'; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL;
        printf(plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    putchar('\n');
}

/* Scripts wait for this: it is written out at once. The token is for those alone who look at a
 * terminal, not for a log. */
static void say_where(const struct vt_listeners *listeners, const char *token_file,
                      const char *token, void *arg)
{
    struct saying *saying = arg;
    if (vt_args_json(saying->args)) {
        struct vt_json_writer w;
        const char *socket = NULL;
        vt_json_init(&w, stdout, false);
        vt_json_object(&w);
        vt_json_key(&w, "urls");
        vt_json_array(&w);
        for (unsigned i = 0; i < listeners->n; i++) {
            if (listeners->all[i].url[0] != '\0') {
                vt_json_string(&w, listeners->all[i].url);
            } else {
                socket = listeners->all[i].path;
            }
        }
        vt_json_array_end(&w);
        vt_json_kv_string(&w, "socket", socket);
        vt_json_kv_string(&w, "token_file", token_file);
        vt_json_object_end(&w);
        vt_json_finish(&w);
    } else {
        for (unsigned i = 0; i < listeners->n; i++) {
            const struct vt_listener *l = &listeners->all[i];
            printf("listening on %s\n", l->url[0] != '\0' ? l->url : l->path);
        }
        printf("token in %s\n", token_file);
        if (isatty(STDOUT_FILENO)) {
            say_link(listeners, token);
        }
    }
    saying->result = vt_output_finish(stdout);
}

/* Each VM takes a few descriptors a lease. */
static void raise_descriptors(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static unsigned usual_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < THREADS_MIN ? THREADS_MIN : cpus > THREADS_MAX ? THREADS_MAX : (unsigned)cpus;
}

static int read_numbers(const struct vt_args *args, struct vt_serve_options *o)
{
    uint64_t threads = 0, keep_ns = 0;
    int rc = vt_args_duration(args, "interval", INTERVAL_NS, &o->interval_ns);
    rc = rc != 0 ? rc : vt_args_duration(args, "drain", DRAIN_NS, &o->drain_ns);
    rc = rc != 0 ? rc : vt_args_duration(args, "keep", 0, &keep_ns);
    rc = rc != 0 ? rc : vt_args_bytes(args, "database-size", 0, &o->sampler.max_bytes);
    rc = rc != 0 ? rc : vt_args_bytes(args, "gpu-memory", 0, &o->gpu_memory);
    rc = rc != 0 ? rc : vt_args_u64(args, "threads", usual_threads(), &threads);
    if (rc != 0) {
        return rc;
    }
    if (o->interval_ns < 10000000 || o->interval_ns > UINT64_C(3600000000000)) {
        return vt_usage_error(args, "--interval: between 10ms and 1h");
    }
    if (threads < 1 || threads > THREADS_MAX) {
        return vt_usage_error(args, "--threads: between 1 and %d", THREADS_MAX);
    }
    o->sampler.retention_s = keep_ns / 1000000000u;
    o->threads = (unsigned)threads;
    return 0;
}

static int run(const struct vt_args *args)
{
    const char *vms[VMS_MAX];
    struct vt_error err;
    struct saying saying = {.args = args};
    struct vt_serve_options o = {
        .n_vms = vt_args_operands(args),
        .vms = vms,
        .socket = vt_args_value(args, "socket"),
        .token_file = vt_args_value(args, "token-file"),
        .token_always = vt_args_flag(args, "token-always"),
        .read_only = vt_args_flag(args, "read-only"),
        .sample = !vt_args_flag(args, "no-sample"),
        .sampler.pause = vt_args_flag(args, "pause"),
        .web = vt_args_value(args, "web"),
        .gpu = vt_args_value(args, "gpu"),
        .ready = say_where,
        .arg = &saying,
    };
    for (unsigned i = 0; i < o.n_vms; i++) {
        vms[i] = vt_args_operand(args, i);
    }
    int result = read_numbers(args, &o);
    if (result != 0) {
        return result;
    }
    const char **listen = vt_args_values(args, "listen");
    const char **hosts = vt_args_values(args, "host");
    const char **origins = vt_args_values(args, "origin");
    int rc;
    if (listen == NULL || hosts == NULL || origins == NULL) {
        rc = vt_fail(&err, VT_E_NOMEM, "out of memory");
    } else {
        o.listen = listen[0] != NULL ? listen : NULL;
        o.hosts = hosts;
        o.origins = origins;
        raise_descriptors();
        rc = vt_serve(&o, &err);
    }
    free(listen);
    free(hosts);
    free(origins);
    return rc != 0 ? vt_report(args, &err) : saying.result;
}

static const struct vt_option options[] = {
    {"listen", "ADDR:PORT", "here instead of on loopback; port 0: any; 'none': no TCP", true},
    {"socket", "PATH", "the Unix socket, or 'none' (default: serve.sock in the runtime dir)",
     false},
    {"token-file", "FILE", "use the token in FILE instead of making one", false},
    {"token-always", NULL, "ask for the token on loopback, too", false},
    {"host", "NAME", "one more name this server is known by", true},
    {"origin", "ORIGIN", "let pages of this origin ask (https://glass.example)", true},
    {"read-only", NULL, "refuse what changes a VM", false},
    {"no-sample", NULL, "take no samples of one's own", false},
    {"interval", "TIME", "between two samples (default: 1s)", false},
    {"pause", NULL, "stop a VM while it is sampled: one point in time", false},
    {"keep", "TIME", "how far back the history goes (default: 168h)", false},
    {"database-size", "SIZE", "of each VM's database at most (default: 512M)", false},
    {"threads", "N", "for operations (default: one a CPU, at least 4)", false},
    {"web", "DIR", "read the page's files from DIR instead of those compiled in", false},
    {"gpu", "NAME", "draws for browsers without a GPU: part of its name, or its number", false},
    {"gpu-memory", "SIZE", "of the GPU for each VM (default: as much as it wants)", false},
    {"drain", "TIME", "for requests to end after SIGTERM (default: 5s)", false},
    {0},
};

const struct vt_verb vt_verb_serve = {
    .name = "serve",
    .group = "Server",
    .summary = "Serve VMs over HTTP, WebSocket and MCP",
    .operands = "[VM...]",
    .max_operands = VMS_MAX,
    .options = options,
    .description =
        "Samples the VMs named, or all there are and will be, into their databases once a\n"
        "second, and answers at /api/v1 (/api/openapi.json says what), /api/v1/events (a\n"
        "WebSocket), /metrics (OpenMetrics), /mcp (tools for language models) and / (a page).\n\n"
        "It listens on 127.0.0.1 and [::1], port 8487, and on a Unix socket that only you and\n"
        "root can open. Whatever changes a VM needs the token, which lies in a file beside the\n"
        "socket: 'Authorization: Bearer TOKEN'. Over the Unix socket you need none; from\n"
        "elsewhere than loopback everything does. Any user of this host can reach loopback and\n"
        "could read what is in your VMs: --token-always asks them for the token, and --listen\n"
        "none leaves the Unix socket alone. There is no TLS; put a proxy in front of it.\n\n"
        "Host must be localhost, 127.0.0.1, [::1], the address it came to or a --host, and pages\n"
        "of other origins are refused but for --origin.\n\n"
        "SIGTERM ends it: no new requests, those that run may end, WebSockets are closed.",
    .examples = "vitrine serve\n"
                "curl http://localhost:8487/api/v1/vms\n"
                "curl --unix-socket $XDG_RUNTIME_DIR/vitrine/serve.sock http://localhost/metrics\n"
                "vitrine serve web --listen 127.0.0.1:0 --json",
    .run = run,
};
