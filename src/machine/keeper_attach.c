/* machine/keeper_attach.c - a keeper's view of a QEMU somebody else started.
 *
 * Its QMP socket serves one client at a time and is not ours to keep: it is connected to, asked and
 * left. QEMU's end is told by a pidfd; where its pid is not to be had, the socket is looked at.
 */
#include "machine/keeper_parts.h"

#include "base/io.h"
#include "base/paths.h"
#include "machine/discover.h"
#include "machine/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS 2000000000u

/* The path QEMU names may be a directory (huge pages), on another machine's file system, or too
 * short: then it is no RAM to map. */
static void check_ram_file(struct vt_vm_info *info)
{
    struct stat st;
    if (info->ram_path[0] == '\0') {
        return;
    }
    const char *why = NULL;
    if (stat(info->ram_path, &st) != 0) {
        why =
            errno == ENOENT ? "its RAM file is not there any more" : "its RAM file is out of reach";
    } else if (!S_ISREG(st.st_mode)) {
        why = "its RAM lies in an unnamed file (mem-path is a directory)";
    } else if ((uint64_t)st.st_size < info->ram_bytes) {
        why = "its RAM file is shorter than its RAM";
    }
    if (why != NULL) {
        info->ram_path[0] = '\0';
        info->n_regions = 0;
        snprintf(info->ram_why, sizeof info->ram_why, "%s", why);
    }
}

static int ask(struct vt_keeper *k, struct vt_error *err)
{
    struct vt_qmp *qmp;
    uint64_t deadline = vt_deadline_ms(k->job->timeout_ms);
    int rc = vt_qmp_connect(k->job->qmp_path, deadline, &k->cancel, &qmp, err);
    if (rc != 0) {
        return rc;
    }
    vt_qmp_set_cancel(qmp, &k->cancel);
    rc = vt_inspect(qmp, deadline, &k->info, err);
    vt_qmp_close(qmp);
    return rc;
}

int vt_keeper_find_qemu(struct vt_keeper *k, struct vt_error *err)
{
    struct vt_vm_info *info = &k->info;
    if (strlen(k->job->qmp_path) >= sizeof info->qmp_path) {
        return vt_fail(err, VT_E_INVAL, "%s: path too long", k->job->qmp_path);
    }
    strcpy(info->qmp_path, k->job->qmp_path);
    info->attached = true;
    strcpy(info->trace_why, "started by somebody else, without the plugin");
    strcpy(info->hybrid_why, info->trace_why);
    int rc = ask(k, err);
    if (rc != 0) {
        return rc;
    }
    check_ram_file(info);
    info->qemu_pid = vt_discover_pid(info->qmp_path);
    if (info->qemu_pid > 0) {
        char proc[64];
        struct stat st;
        k->qemu_pidfd = pidfd_open(info->qemu_pid, 0);
        snprintf(proc, sizeof proc, "/proc/%d", (int)info->qemu_pid);
        info->qemu_uid = stat(proc, &st) == 0 ? st.st_uid : 0;
    }
    return 0;
}

static void on_end(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_keeper *k = arg;
    (void)source;
    (void)events;
    vt_loop_stop(k->loop, 0);
}

/* Nobody listens at the path any more: QEMU is gone. */
static void on_look(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_keeper *k = arg;
    (void)source;
    (void)events;
    if (!vt_discover_listens(k->info.qmp_path)) {
        vt_loop_stop(k->loop, 0);
    }
}

int vt_keeper_watch_found(struct vt_keeper *k, struct vt_error *err)
{
    return k->qemu_pidfd >= 0
               ? vt_loop_add_fd(k->loop, k->qemu_pidfd, EPOLLIN, on_end, k, NULL, err)
               : vt_loop_add_timer(k->loop, LOOK_EVERY_NS, LOOK_EVERY_NS, on_look, k, &k->look,
                                   err);
}
