/* cli/gpu_serve_vtest.c - `vitrine gpu serve --vtest`: says what becomes of each client, and how to
 * run one. */
#include "cli/gpu_serve.h"

#include "base/paths.h"
#include "base/text.h"
#include "gpu/vtest_server.h"

#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct vtest {
    const struct vt_args *args;
    struct vt_vtest_server *server;
    char path[PATH_MAX];
};

/* Mesa's manifest of Venus: of the one that tools/setup unpacked, or the system's. */
static bool find_manifest(char out[PATH_MAX])
{
    char cache[PATH_MAX];
    glob_t found = {0};
    bool there = vt_path_cache(cache, NULL) == 0 &&
                 vt_path_format(out, NULL, "%s/mesa/virtio.json", cache) == 0 &&
                 access(out, R_OK) == 0;
    if (!there && glob("/usr/share/vulkan/icd.d/virtio_icd*.json", 0, NULL, &found) == 0) {
        there = vt_path_format(out, NULL, "%s", found.gl_pathv[0]) == 0;
    }
    globfree(&found);
    return there;
}

static void print_commands(FILE *out, const char *commands)
{
    fputs("  its last commands, the newest last:\n", out);
    while (*commands != '\0') {
        size_t n = strcspn(commands, "\n");
        char line[512];
        vt_text_printable(line, sizeof line, commands, n);
        fprintf(out, "    %s\n", line);
        commands += n + (commands[n] == '\n');
    }
}

static void say_text(const struct vt_vtest_news *news)
{
    const struct vt_vtest_report *r = news->report;
    if (r == NULL) {
        fprintf(stderr, "vitrine gpu serve: %s\n", news->problem);
        return;
    }
    const char *name = r->name[0] == '\0' ? "a client" : r->name;
    if (news->kind == VT_VTEST_BEGUN) {
        printf("%" PRIu32 ": %s (pid %d) begins\n", r->id, name, (int)news->pid);
        return;
    }
    printf("%" PRIu32 ": %s (pid %d) %s after %.3f s and %" PRIu64 " commands%s%s: %s\n", r->id,
           name, (int)news->pid, r->failed ? "is ended" : "ends", news->seconds, r->venus.commands,
           r->device[0] != '\0' ? " on " : "", r->device, r->reason);
    if (r->failed && news->commands != NULL && news->commands[0] != '\0') {
        print_commands(stdout, news->commands);
    }
}

static void say_json(const struct vt_vtest_news *news)
{
    static const char *const names[] = {
        [VT_VTEST_BEGUN] = "begun", [VT_VTEST_ENDED] = "ended", [VT_VTEST_PROBLEM] = "problem"};
    const struct vt_vtest_report *r = news->report;
    struct vt_json_writer w;
    vt_json_init(&w, stdout, false);
    vt_json_object(&w);
    vt_json_kv_string(&w, "event", names[news->kind]);
    if (r != NULL) {
        vt_json_kv_u64(&w, "id", r->id);
        vt_json_kv_string(&w, "name", r->name);
        vt_json_kv_i64(&w, "pid", news->pid);
        vt_json_kv_f64(&w, "seconds", news->seconds, 6);
    } else {
        vt_json_kv_string(&w, "problem", news->problem);
    }
    if (r != NULL && news->kind == VT_VTEST_ENDED) {
        vt_json_kv_string(&w, "device", r->device);
        vt_json_kv_bool(&w, "broken", r->failed);
        vt_json_kv_string(&w, "reason", r->reason);
        vt_json_kv_u64(&w, "commands", r->venus.commands);
        vt_json_kv_u64(&w, "unknown", r->venus.unknown);
        vt_json_kv_u64(&w, "failed", r->venus.failed);
        vt_json_kv_string(&w, "last_commands", news->commands);
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void say(void *arg, const struct vt_vtest_news *news)
{
    const struct vtest *v = arg;
    if (vt_args_json(v->args)) {
        say_json(news);
    } else {
        say_text(news);
    }
    fflush(stdout); /* whoever reads along has gone when this fails: it is served on */
}

static int create(const struct vt_gpu_serving *serving, void **server, struct vt_error *err)
{
    struct vtest *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a server: out of memory");
    }
    v->args = serving->args;
    const struct vt_vtest_server_options options = {
        .path = serving->path,
        .sandbox = serving->sandbox,
        .venus = serving->venus,
        .news = say,
        .arg = v,
    };
    int rc = vt_vtest_server_create(serving->loop, &options, &v->server, err);
    if (rc != 0) {
        free(v);
        return rc;
    }
    *server = v;
    return 0;
}

static void json(void *server, struct vt_json_writer *w)
{
    const struct vtest *v = server;
    vt_vtest_server_json(v->server, w);
}

static void tell_use(void *server, struct vt_json_writer *w)
{
    const struct vtest *v = server;
    const char *path = vt_vtest_server_path(v->server);
    char manifest[PATH_MAX];
    char capset[128];
    bool known = find_manifest(manifest);
    vt_vtest_server_capset(v->server, capset, sizeof capset);
    if (w != NULL) {
        vt_json_kv_string(w, "path", path);
        vt_json_kv_string(w, "capset", capset);
        vt_json_key(w, "environment");
        vt_json_object(w);
        vt_json_kv_string(w, "VN_DEBUG", "vtest");
        vt_json_kv_string(w, "VTEST_SOCKET_NAME", path);
        if (known) {
            vt_json_kv_string(w, "VK_DRIVER_FILES", manifest);
        }
        vt_json_object_end(w);
        return;
    }
    printf("listening on %s: %s\n"
           "run a client: VN_DEBUG=vtest VTEST_SOCKET_NAME=%s VK_DRIVER_FILES=%s PROGRAM\n",
           path, capset, path, known ? manifest : "/usr/share/vulkan/icd.d/virtio_icd.x86_64.json");
}

static void destroy(void *server)
{
    struct vtest *v = server;
    if (v != NULL) {
        vt_vtest_server_destroy(v->server);
        free(v);
    }
}

const struct vt_gpu_way vt_gpu_way_vtest = {"vtest", create, json, tell_use, destroy};
