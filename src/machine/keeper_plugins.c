/* machine/keeper_plugins.c - what a keeper does so that its QEMU loads plugins: of each the segment
 * that it shares with others, and the build that this QEMU takes.
 *
 * A VM that cannot have one starts all the same. Which files are wanted is the caller's business; a
 * segment that cannot be made although everything else can is a failure.
 */
#include "machine/keeper_parts.h"

#include "base/paths.h"
#include "machine/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct kind {
    const char *name;     /* of its service; part of the names of its build and its segment */
    const char *arch;     /* NULL: any */
    unsigned api;         /* the oldest interface it is built for */
    bool one_cpu;         /* it takes no more */
    size_t no, path, why; /* of struct vt_vm_config; of struct vt_vm_info */
};
static const struct kind kinds[VT_PLUGINS] = {
    [VT_PLUGIN_TRACE] = {"trace", NULL, 4, false, offsetof(struct vt_vm_config, no_trace),
                         offsetof(struct vt_vm_info, trace_path),
                         offsetof(struct vt_vm_info, trace_why)},
    [VT_PLUGIN_HYBRID] = {"hybrid", "x86_64", 7, true, offsetof(struct vt_vm_config, no_accel),
                          offsetof(struct vt_vm_info, hybrid_path),
                          offsetof(struct vt_vm_info, hybrid_why)},
};
#define PATH_BYTES sizeof((struct vt_vm_info *)0)->trace_path
#define WHY_BYTES sizeof((struct vt_vm_info *)0)->trace_why
_Static_assert(PATH_BYTES == sizeof((struct vt_vm_info *)0)->hybrid_path, "one size");
_Static_assert(WHY_BYTES == sizeof((struct vt_vm_info *)0)->hybrid_why, "one size");

static char *path_of(struct vt_keeper *k, const struct kind *kind)
{
    return (char *)&k->info + kind->path;
}

static int open_plugin(const struct kind *kind, unsigned api, int *fd, struct vt_error *err)
{
    char path[PATH_MAX], file[32];
    snprintf(file, sizeof file, "vitrine-%s-%u.so", kind->name, api);
    int rc = vt_path_lib(file, path, err);
    if (rc != 0) {
        return rc;
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 ? 0 : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
}

/* Whether this VM can have it; what it takes to ask QEMU is asked once. */
static int can_have(struct vt_keeper *k, const struct kind *kind, const char *qemu, unsigned *api,
                    struct vt_error *err)
{
    const struct vt_vm_config *c = k->job->config;
    if (strcmp(c->accel, "tcg") != 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s, not %s",
                       kind->one_cpu ? "kernels run beside TCG alone" : "only TCG can be traced",
                       c->accel);
    }
    if (*(const bool *)((const char *)c + kind->no)) {
        return vt_fail(err, VT_E_UNSUPPORTED, "started without the plugin");
    }
    if (kind->arch != NULL && strcmp(c->arch, kind->arch) != 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "an %s guest, not %s", c->arch, kind->arch);
    }
    if (kind->one_cpu && c->cpus != 1) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%u CPUs, not one", c->cpus);
    }
    int rc = *api != 0 ? 0 : vt_qemu_plugin_api(qemu, &k->identity, k->job->timeout_ms, api, err);
    return rc == 0 && *api < kind->api
               ? vt_fail(err, VT_E_UNSUPPORTED,
                         "this QEMU's plugins have interface %u; %u is wanted", *api, kind->api)
               : rc;
}

static int make_segment(struct vt_keeper *k, enum vt_plugin which,
                        const struct vt_keeper_service *service, struct vt_error *err)
{
    const struct kind *kind = &kinds[which];
    char path[PATH_BYTES];
    vt_vmdir_segment_path(kind->name, k->info.name, path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == EEXIST ? vt_fail(err, VT_E_EXISTS, "%s exists: it was left behind", path)
                               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    k->fds.segment[which] = fd;
    k->segment_made[which] = true;
    strcpy(path_of(k, kind), path);
    int rc = vt_vmdir_mark_segment(k->dir.path, kind->name, fd, err);
    return rc != 0 ? rc : service->segment(fd, k->job->config->cpus, err);
}

static const struct vt_keeper_service *service_of(const struct vt_keeper *k, const char *name)
{
    for (size_t i = 0; k->services != NULL && k->services[i] != NULL; i++) {
        if (k->services[i]->segment != NULL && strcmp(k->services[i]->name, name) == 0) {
            return k->services[i];
        }
    }
    return NULL;
}

int vt_keeper_prepare_plugins(struct vt_keeper *k, const char *qemu, struct vt_error *err)
{
    unsigned api = 0;
    int rc = 0;
    for (int i = 0; i < VT_PLUGINS && rc == 0; i++) {
        const struct vt_keeper_service *service = service_of(k, kinds[i].name);
        struct vt_error why = {.message = "started without the plugin"};
        if (service != NULL && can_have(k, &kinds[i], qemu, &api, &why) == 0 &&
            open_plugin(&kinds[i], api, &k->fds.plugin[i], &why) == 0) {
            rc = make_segment(k, (enum vt_plugin)i, service, err);
        } else {
            snprintf((char *)&k->info + kinds[i].why, WHY_BYTES, "%s", why.message);
        }
    }
    return rc;
}

void vt_keeper_remove_segments(struct vt_keeper *k)
{
    for (int i = 0; i < VT_PLUGINS; i++) {
        if (k->segment_made[i]) {
            unlink(path_of(k, &kinds[i]));
        }
    }
}
