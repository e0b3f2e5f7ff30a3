/* gpu/vhost.h - a virtio-gpu for a VM of any vhost-user front end: QEMU 11.1 and later with
 * `-device vhost-user-test-device-pci,virtio-id=16,num_vqs=2,config_size=24`.
 *
 * One connection is one device (gpu/card.h), on one thread's loop. The front end shares the guest's
 * memory and tells where the two queues are; kicks and interrupts are eventfds. The window for
 * blobs is mapped once and as a whole, by SHMEM_MAP, when the queues begin; until the front end
 * says that it is there, no command is taken.
 *
 * A VM that is paused stops its queues and starts them where they were: the device keeps all it
 * has. A guest that begins anew starts them at 0: the device is reset. Nothing that a front end or
 * a guest sends can do more than end its own connection.
 *
 * Source: QEMU, docs/interop/vhost-user.rst (11.1).
 */
#ifndef VT_GPU_VHOST_H
#define VT_GPU_VHOST_H

#include "gpu/card.h"

/** Queues: control and cursor. */
#define VT_VHOST_QUEUES 2u

struct vt_vhost_events {
    /** The connection is over: why (NULL: the front end closed it). Destroying is the owner's. */
    void (*ended)(void *arg, const char *reason);
    /** A line for people. */
    void (*say)(void *arg, const char *line);
    void *arg;
};

struct vt_vhost;

/** Takes `sock`, a connected stream socket, over: it is closed also when this fails. */
int vt_vhost_create(struct vt_loop *loop, int sock, const struct vt_card_options *options,
                    const struct vt_vhost_events *events, struct vt_vhost **vhost,
                    struct vt_error *err);
/** Takes NULL. Not from within its events. */
void vt_vhost_destroy(struct vt_vhost *vhost);
struct vt_card *vt_vhost_card(struct vt_vhost *vhost);

#endif
