/* server/ops_snapshot.c - operations that give what lies in files: snapshots of RAM, the console.
 *
 * Snapshots go below <data>/snapshots under names of our own making: a peer names no path. How many
 * a VM may have is bounded; removing them is the business of whoever owns the host.
 */
#include "base/io.h"
#include "base/paths.h"
#include "guest/copy.h"
#include "machine/vmdir.h"
#include "server/ops_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---------------------------------------------------------------- snapshot */

#define SNAPSHOTS_MAX 32u

/* How many snapshots of this VM lie there. */
static unsigned count_snapshots(const char *dir, const char *vm)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    size_t n = strlen(vm);
    unsigned count = 0;
    while (d != NULL && (entry = readdir(d)) != NULL) {
        count += strncmp(entry->d_name, vm, n) == 0 && entry->d_name[n] == '@';
    }
    if (d != NULL) {
        closedir(d);
    }
    return count;
}

/* "<data>/snapshots/web@20260102T030405.678Z.raw" */
static int make_path(const char *vm, char path[PATH_MAX], struct vt_error *err)
{
    char data[PATH_MAX], dir[PATH_MAX], when[32];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%S", &utc);
    int rc = vt_path_data(data, err);
    rc = rc != 0 ? rc : vt_path_format(dir, err, "%s/snapshots", data);
    rc = rc != 0 ? rc : vt_make_dirs(dir, 0700, err);
    if (rc == 0 && count_snapshots(dir, vm) >= SNAPSHOTS_MAX) {
        rc = vt_fail(err, VT_E_LIMIT, "%s has %u snapshots in %s: remove some", vm, SNAPSHOTS_MAX,
                     dir);
    }
    return rc != 0 ? rc
                   : vt_path_format(path, err, "%s/%s@%s.%03uZ.raw", dir, vm, when,
                                    (unsigned)(now.tv_nsec / 1000000));
}

static int on_progress(uint64_t done, uint64_t total, void *arg)
{
    const struct vt_op_call *call = arg;
    (void)done;
    (void)total;
    return *call->lease->stop;
}

static void write_snapshot(struct vt_op_call *call, const struct vt_copy *copy, const char *path,
                           uint64_t stored)
{
    const struct vt_refresh_result *r = &copy->result;
    struct vt_json_writer *w = call->out;
    vt_json_object(w);
    vt_json_kv_string(w, "vm", call->lease->target.name);
    vt_json_kv_string(w, "path", path);
    vt_json_kv_string(w, "verdict", vt_verdict_name(r->verdict));
    vt_json_kv_u64(w, "bytes", vt_ram_end(call->lease->target.ram).v);
    vt_json_kv_u64(w, "stored_bytes", stored);
    vt_json_kv_u64(w, "retried_pages", r->retried_pages);
    vt_json_kv_u64(w, "torn_pages", r->torn_pages);
    vt_json_kv_f64(w, "paused_ms", (double)r->paused_ns / 1e6, 6);
    vt_json_kv_f64(w, "copy_ms", (double)r->total_ns / 1e6, 6);
    vt_json_object_end(w);
}

static int snapshot(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_target *t = &call->lease->target;
    struct vt_copy copy = {0};
    char path[PATH_MAX];
    uint64_t stored = 0;
    int rc = make_path(t->name, path, err);
    rc = rc != 0 ? rc : vt_copy_take(t, vt_call_bool(call, "pause"), false, &copy, err);
    if (rc == 0) {
        const struct vt_dump dump = {.ram = t->ram,
                                     .copy = vt_snapshot_bytes(copy.snap),
                                     .progress = on_progress,
                                     .arg = call};
        rc = vt_copy_write(path, &dump, VT_DUMP_RAW, &stored, err);
    }
    if (rc == 0) {
        write_snapshot(call, &copy, path, stored);
    }
    vt_copy_fini(&copy);
    return rc;
}

static const struct vt_param snapshot_params[] = {
    {.name = "pause",
     .kind = VT_PARAM_BOOL,
     .doc = "stop the guest for the last part of the copy, about a millisecond: always one moment"},
    {0},
};

static const char snapshot_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"vm\", \"path\","
    " \"verdict\", \"bytes\", \"stored_bytes\", \"retried_pages\", \"torn_pages\", \"paused_ms\","
    " \"copy_ms\"], \"properties\": {"
    "\"vm\": {\"type\": \"string\"},"
    "\"path\": {\"type\": \"string\", \"description\": \"of the file, on the host\"},"
    "\"verdict\": {\"type\": \"string\", \"description\": \"consistent or retried: RAM as it was"
    " at one moment; torn: some pages are of later moments\"},"
    "\"bytes\": {\"type\": \"integer\", \"description\": \"of the file\"},"
    "\"stored_bytes\": {\"type\": \"integer\", \"description\": \"that are not zeros\"},"
    "\"retried_pages\": {\"type\": \"integer\"},"
    "\"torn_pages\": {\"type\": \"integer\"},"
    "\"paused_ms\": {\"type\": \"number\"},"
    "\"copy_ms\": {\"type\": \"number\"}}}";

/* ---------------------------------------------------------------- console */

#define CONSOLE_DEFAULT 16384u
#define CONSOLE_MAX (UINT64_C(1) << 20)

static int console(struct vt_op_call *call, struct vt_error *err)
{
    char dir[PATH_MAX], path[PATH_MAX];
    uint64_t wanted = vt_call_u64(call, "bytes", CONSOLE_DEFAULT);
    struct stat st;
    int rc = vt_vmdir_path(vt_call_text(call, "vm"), dir, err);
    rc = rc != 0 ? rc : vt_vmdir_file(dir, "console.log", path, err);
    if (rc != 0) {
        return rc;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = errno == ENOENT
                 ? vt_fail(err, VT_E_NOT_FOUND, "%s keeps no console log", vt_call_text(call, "vm"))
                 : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
        vt_close(&fd);
        return rc;
    }
    uint64_t size = (uint64_t)st.st_size, n = size < wanted ? size : wanted;
    char *text = malloc(n + 1);
    ssize_t got = text != NULL ? pread(fd, text, n, (off_t)(size - n)) : 0;
    vt_close(&fd);
    if (text == NULL || got < 0) {
        free(text);
        return vt_fail(err, VT_E_NOMEM, "%s: cannot be read", path);
    }
    vt_json_object(call->out);
    vt_json_key(call->out, "text");
    vt_json_string_n(call->out, text, (size_t)got);
    vt_json_kv_u64(call->out, "bytes", (uint64_t)got);
    vt_json_kv_bool(call->out, "truncated", size > n);
    vt_json_object_end(call->out);
    free(text);
    return 0;
}

static const struct vt_param console_params[] = {
    {.name = "bytes",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = CONSOLE_MAX,
     .doc = "the last so many; 16384 when not given"},
    {0},
};

static const char console_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"text\", \"bytes\","
    " \"truncated\"], \"properties\": {"
    "\"text\": {\"type\": \"string\", \"description\": \"the guest's own: bytes that are not UTF-8"
    " became U+FFFD\"},"
    "\"bytes\": {\"type\": \"integer\"},"
    "\"truncated\": {\"type\": \"boolean\", \"description\": \"the log has more before it\"}}}";

const struct vt_op vt_ops_snapshot[] = {
    {
        .name = "snapshot",
        .method = "POST",
        .path = "/vms/{vm}/snapshot",
        .group = "Memory",
        .title = "Take a snapshot",
        .summary = "Copy the guest's RAM to a file on the host",
        .description = "The file lies in <data>/snapshots and holds guest-physical memory from\n"
                       "address 0. The verdict says whether it is of one moment. Every vitrine\n"
                       "command takes the file in place of a VM.",
        .params = snapshot_params,
        .flags = VT_OP_VM | VT_OP_CHANGES | VT_OP_TOOL,
        .result = snapshot_result,
        .run = snapshot,
    },
    {
        .name = "console",
        .method = "GET",
        .path = "/vms/{vm}/console",
        .group = "Machines",
        .title = "Console",
        .summary = "Read what the guest printed on its serial console",
        .params = console_params,
        .flags = VT_OP_VM | VT_OP_BY_NAME,
        .result = console_result,
        .run = console,
    },
    {0},
};
