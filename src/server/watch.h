/* server/watch.h - a thread that looks at the VMs a server may show: state, cost, changed pages.
 *
 * Once a second it looks at each; a change of state goes to the feed. Where somebody wants to know
 * which pages change it asks the tracker four times a second and tells the feed.
 */
#ifndef VT_SERVER_WATCH_H
#define VT_SERVER_WATCH_H

#include "machine/usage.h"
#include "server/feed.h"
#include "server/gpus.h"
#include "server/host.h"
#include "trace/status.h"

#define VT_WATCH_VMS_MAX 256

struct vt_watch;

/** `host` and `feed` outlive it. */
int vt_watch_create(const struct vt_host *host, struct vt_feed *feed, struct vt_watch **watch,
                    struct vt_error *err);
/** Takes NULL. */
void vt_watch_destroy(struct vt_watch *watch);

/** Looks as they were last. */
struct vt_watched {
    char name[VT_VM_NAME_MAX + 1];
    uint64_t started_unix_ns; /**< tells two VMs of one name apart */
    enum vt_vm_state state;
    unsigned cpus;
    uint64_t ram_bytes;
    struct vt_vm_usage usage;
    struct vt_trace_status trace; /**< not `ready`: it cannot be traced */
};
/** From any thread; `fn` must be quick. */
void vt_watch_each(struct vt_watch *watch, void (*fn)(const struct vt_watched *vm, void *arg),
                   void *arg);

/** The same for the GPUs that are served. */
void vt_watch_gpus(struct vt_watch *watch, void (*fn)(const struct vt_gpu_served *gpu, void *arg),
                   void *arg);

/** One more (or less) who wants to know which pages change in `vm`, NULL: in all. From any thread;
 *  VT_E_LIMIT. */
int vt_watch_pages(struct vt_watch *watch, const char *vm, bool wanted, struct vt_error *err);

#endif
