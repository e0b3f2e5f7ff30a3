/* cli/cmd_gpu_serve.c - `vitrine gpu serve`: this host's Vulkan for guests, in one way or several
 * at once. Each way is a row of the table below, in a file of its own. */
#include "cli/gpu_serve.h"

#include "gpu/control.h"
#include "gpu/venus_record.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct vt_gpu_way *const ways[] = {
    &vt_gpu_way_vhost,
    &vt_gpu_way_vtest,
};
#define N_WAYS (sizeof ways / sizeof ways[0])

struct serve {
    const struct vt_args *args;
    struct vt_loop *loop;
    void *servers[N_WAYS]; /* NULL: not asked for */
    struct vt_gpu_control *control;
    struct vt_vgpu_venus_recorder *recorder; /* or NULL */
};

/* Each client takes a few descriptors, and one for each memory it shares. */
static void raise_descriptors(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max < 1048576 ? r.rlim_max : 1048576;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static void tell(struct vt_json_writer *w, void *arg)
{
    struct serve *s = arg;
    vt_json_key(w, "servers");
    vt_json_array(w);
    for (size_t i = 0; i < N_WAYS; i++) {
        if (s->servers[i] != NULL) {
            vt_json_object(w);
            ways[i]->json(s->servers[i], w);
            vt_json_object_end(w);
        }
    }
    vt_json_array_end(w);
}

static void on_signal(struct vt_source *source, uint32_t signo, void *arg)
{
    struct serve *s = arg;
    (void)source;
    (void)signo;
    vt_loop_stop(s->loop, 0);
}

static int catch_signals(struct serve *s, struct vt_error *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof signals / sizeof signals[0]; i++) {
        rc = vt_loop_add_signal(s->loop, signals[i], on_signal, s, NULL, err);
    }
    return rc;
}

/* What clients do is observed in this process. */
static int record(struct serve *s, struct vt_gpu_serving *serving, struct vt_error *err)
{
    const char *path = vt_args_value(s->args, "record");
    int rc = 0;
    if (path != NULL) {
        rc = vt_vgpu_venus_recorder_create(path, vt_args_flag(s->args, "replace"), "", &s->recorder,
                                           err);
    }
    if (s->recorder != NULL) {
        serving->venus.observer = vt_vgpu_venus_recorder_observer(s->recorder);
    }
    return rc;
}

static int open_all(struct serve *s, struct vt_gpu_serving *serving, struct vt_error *err)
{
    int rc = record(s, serving, err);
    rc = rc != 0 ? rc : vt_loop_create(&s->loop, err);
    rc = rc != 0 ? rc : catch_signals(s, err);
    serving->loop = s->loop;
    for (size_t i = 0; rc == 0 && i < N_WAYS; i++) {
        serving->path = vt_args_value(s->args, ways[i]->option);
        if (serving->path != NULL) {
            rc = ways[i]->create(serving, &s->servers[i], err);
        }
    }
    return rc != 0 ? rc : vt_gpu_control_create(s->loop, tell, s, &s->control, err);
}

/* Scripts wait for this: it is written out at once. */
static int say_where(struct serve *s)
{
    for (size_t i = 0; i < N_WAYS; i++) {
        struct vt_json_writer w;
        if (s->servers[i] != NULL && vt_args_json(s->args)) {
            vt_json_init(&w, stdout, false);
            vt_json_object(&w);
            vt_json_kv_string(&w, "event", "listening");
            vt_json_kv_string(&w, "way", ways[i]->option);
            ways[i]->tell_use(s->servers[i], &w);
            vt_json_object_end(&w);
            vt_json_finish(&w);
        } else if (s->servers[i] != NULL) {
            ways[i]->tell_use(s->servers[i], NULL);
        }
    }
    return vt_output_finish(stdout);
}

static int run(const struct vt_args *args)
{
    struct vt_error err;
    struct serve s = {.args = args};
    struct vt_gpu_serving serving = {
        .args = args,
        .venus.gpu = vt_args_value(args, "gpu"),
        .sandbox = vt_args_flag(args, "sandbox"),
    };
    unsigned asked = 0;
    for (size_t i = 0; i < N_WAYS; i++) {
        asked += vt_args_value(args, ways[i]->option) != NULL;
    }
    if (asked == 0) {
        return vt_usage_error(args, "say how: --vtest PATH or --vhost PATH");
    }
    if (serving.sandbox && vt_args_value(args, "record") != NULL) {
        return vt_usage_error(args,
                              "--record sees what is carried out here, not in --sandbox processes");
    }
    int result = vt_args_bytes(args, "memory", 0, &serving.venus.memory_max_bytes);
    if (result != 0) {
        return result;
    }
    raise_descriptors();
    int rc = open_all(&s, &serving, &err);
    if (rc == 0) {
        result = say_where(&s);
        rc = result != VT_EXIT_OK ? 0 : vt_loop_run(s.loop, &err);
    }
    vt_gpu_control_destroy(s.control);
    for (size_t i = 0; i < N_WAYS; i++) {
        ways[i]->destroy(s.servers[i]);
    }
    vt_loop_destroy(s.loop);
    struct vt_error unwritten;
    if (vt_vgpu_venus_recorder_close(s.recorder, &unwritten) != 0 && rc == 0) {
        err = unwritten;
        rc = unwritten.code;
    }
    return rc != 0 ? vt_report(args, &err) : result;
}

static const struct vt_option options[] = {
    {"vhost", "PATH", "on this socket, to VMs: each QEMU that connects has a GPU of its own",
     false},
    {"vtest", "PATH", "on this socket, to Mesa's Venus driver on this host", false},
    {"gpu", "NAME", "only this device: part of its name, or its number (default: all)", false},
    {"memory", "SIZE", "of each client at most (default: half of this host's)", false},
    {"record", "FILE", "write down all commands, for `gpu dump` and `gpu replay`", false},
    {"replace", NULL, "replace FILE if it is there", false},
    {"sandbox", NULL, "each client in a process of its own that can do little else", false},
    {0},
};

const struct vt_verb vt_verb_gpu_serve = {
    .name = "gpu serve",
    .group = "GPU",
    .summary = "Give guests this host's Vulkan, through Venus",
    .operands = "",
    .options = options,
    .description =
        "Mesa's Venus driver turns a program's Vulkan calls into commands; they are carried out\n"
        "here, by whatever Vulkan driver this host has. It says how a client is run, then a line\n"
        "for each that begins and ends, and why. If it is ended because it broke the protocol,\n"
        "its last 64 commands follow. SIGTERM or SIGINT end it.\n\n"
        "With --vtest the clients are programs of this host that use Mesa's driver: to try it,\n"
        "or to keep a program away from the driver. Only you and root can connect (mode 0600). A\n"
        "socket that nobody serves any more is replaced, anything else at PATH is left alone.\n\n"
        "With --vhost the clients are VMs: QEMU 11.1 or newer, with memory that is shared, "
        "connects\n"
        "as it says then, and its guest sees a virtio-gpu. 'vitrine run --gpu venus' does all of\n"
        "that by itself.\n\n"
        "With --sandbox each client has a process that is forked before Vulkan is loaded, and\n"
        "has no files but the drivers' and the GPUs' devices, no network, no other processes. If "
        "the\n"
        "host's driver crashes, only that client ends. VITRINE_SANDBOX_READ names directories\n"
        "that a driver has to read besides, with ':' between them.\n\n"
        "'vitrine gpu stat' shows what is served.",
    .examples = "vitrine gpu serve --vtest /tmp/gpu.sock\n"
                "vitrine gpu serve --vtest /tmp/gpu.sock --gpu llvmpipe --sandbox\n"
                "vitrine gpu serve --vhost /tmp/vms.sock\n"
                "VN_DEBUG=vtest VTEST_SOCKET_NAME=/tmp/gpu.sock vkcube",
    .run = run,
};
