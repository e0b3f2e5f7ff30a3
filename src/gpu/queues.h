/* gpu/queues.h - a VM's virtio-gpu devices and where their queues lie, asked of QEMU (>= 7.2).
 *
 * QEMU says where the rings of a queue are and how far it has come in them, not whether they are
 * split or packed: that is found out from the device's properties and the rings themselves.
 *
 * x-query-virtio-status is never asked: QEMU 11 fails an assertion in it and dies, whatever the
 * device. So the features that were negotiated stay unknown.
 */
#ifndef VT_GPU_QUEUES_H
#define VT_GPU_QUEUES_H

#include "vitrine/memory.h"

struct vt_qmp;

#define VT_VGPU_QUEUES 2u
/** More devices than these are not looked for. */
#define VT_VGPU_DEVICES_MAX 16u

enum vt_vgpu_ring_kind { VT_VGPU_RING_NONE, VT_VGPU_RING_SPLIT, VT_VGPU_RING_PACKED };

/** A queue as QEMU tells it. Addresses are guest-physical, 0 while the queue is not set up. */
struct vt_vgpu_ring {
    uint64_t desc, driver, device;
    uint16_t size;
    /** How far the device has come: buffers taken and returned. Split: the rings' indices; packed:
     *  positions. */
    bool has_progress; /**< false: QEMU does not know (vhost-user devices) */
    uint16_t taken, returned;
};

struct vt_vgpu_device {
    char path[160]; /**< of QEMU's object tree; printable */
    char id[64];    /**< what it was called on the command line, else its path's last part */
    bool may_pack;  /**< it offers packed rings */
    struct vt_vgpu_ring queue[VT_VGPU_QUEUES];
};

/** All of them, in order of their paths; *list is malloc'ed, NULL for none. Those of
 *  vt_qmp_execute; VT_E_UNSUPPORTED: a QEMU without these questions. */
int vt_vgpu_devices(struct vt_qmp *qmp, struct vt_vgpu_device **list, size_t *n,
                    struct vt_error *err);
/** Asks again for the queues of `device`; its path stays. VT_E_NOT_FOUND: it was unplugged. */
int vt_vgpu_device_ask(struct vt_qmp *qmp, struct vt_vgpu_device *device, struct vt_error *err);
/** The one named by `wanted`: its id, its path, or NULL when there is only one. VT_E_NOT_FOUND,
 *  VT_E_INVAL (several; the message names them). */
int vt_vgpu_device_choose(const struct vt_vgpu_device *list, size_t n, const char *wanted,
                          size_t *index, struct vt_error *err);
/** What kind of ring that is, from what `ram` holds there. */
enum vt_vgpu_ring_kind vt_vgpu_ring_kind_of(const struct vt_ram *ram,
                                            const struct vt_vgpu_device *device,
                                            const struct vt_vgpu_ring *ring);

#endif
