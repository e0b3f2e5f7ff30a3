/* machine/keeper_trace.c - what a keeper does so that its QEMU can be traced: the segment, the
 * plugin's build that this QEMU loads.
 *
 * A VM that cannot be traced starts all the same. Which files are wanted is the caller's business;
 * a segment that cannot be made although everything else can is a failure.
 */
#include "machine/keeper_parts.h"

#include "base/paths.h"
#include "machine/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int open_plugin(struct vt_keeper *k, const char *qemu, struct vt_error *err)
{
    char path[PATH_MAX], file[32];
    unsigned api;
    int rc = vt_qemu_plugin_api(qemu, &k->identity, k->job->timeout_ms, &api, err);
    if (rc != 0) {
        return rc;
    }
    snprintf(file, sizeof file, "vitrine-trace-%u.so", api);
    rc = vt_path_lib(file, path, err);
    if (rc != 0) {
        return rc;
    }
    k->fds.plugin = open(path, O_RDONLY | O_CLOEXEC);
    return k->fds.plugin >= 0 ? 0 : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
}

static int make_segment(struct vt_keeper *k, const struct vt_keeper_service *service,
                        struct vt_error *err)
{
    char path[sizeof k->info.trace_path];
    vt_vmdir_trace_path(k->info.name, path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == EEXIST ? vt_fail(err, VT_E_EXISTS, "%s exists: it was left behind", path)
                               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    k->fds.segment = fd;
    k->trace_made = true;
    strcpy(k->info.trace_path, path);
    int rc = vt_vmdir_mark_trace(k->dir.path, fd, err);
    return rc != 0 ? rc : service->segment(fd, k->job->config->cpus, err);
}

static const struct vt_keeper_service *with_segment(const struct vt_keeper *k)
{
    for (size_t i = 0; k->services != NULL && k->services[i] != NULL; i++) {
        if (k->services[i]->segment != NULL) {
            return k->services[i];
        }
    }
    return NULL;
}

int vt_keeper_prepare_trace(struct vt_keeper *k, const char *qemu, struct vt_error *err)
{
    const struct vt_vm_config *c = k->job->config;
    const struct vt_keeper_service *service = with_segment(k);
    struct vt_error why = {.message = "started without the plugin"};
    if (strcmp(c->accel, "tcg") != 0) {
        snprintf(why.message, sizeof why.message, "only TCG can be traced, not %s", c->accel);
    } else if (!c->no_trace && service != NULL && open_plugin(k, qemu, &why) == 0) {
        return make_segment(k, service, err);
    }
    snprintf(k->info.trace_why, sizeof k->info.trace_why, "%s", why.message);
    return 0;
}
