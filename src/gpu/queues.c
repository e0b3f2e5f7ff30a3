/* gpu/queues.c - virtio-gpu devices and their queues, asked of QEMU. See queues.h.
 *
 * What QEMU answers is checked like any peer's answer: numbers have ranges, texts are made
 * printable.
 */
#include "gpu/queues.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/qmp.h"
#include "virtio/layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int ask(struct vt_qmp *qmp, const char *command, json_t *arguments, json_t **reply,
               struct vt_error *err)
{
    return vt_qmp_execute(qmp, command, arguments, vt_deadline_ms(VT_QMP_TIMEOUT_MS), reply, err);
}

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(object, key));
    return v > 0 ? (uint64_t)v : 0;
}

static int ask_ring(struct vt_qmp *qmp, const char *path, unsigned queue, struct vt_vgpu_ring *ring,
                    struct vt_error *err)
{
    json_t *q;
    int rc = ask(qmp, "x-query-virtio-queue-status",
                 json_pack("{s:s, s:i}", "path", path, "queue", (int)queue), &q, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_vgpu_ring r = {
        .desc = number(q, "vring-desc"),
        .driver = number(q, "vring-avail"),
        .device = number(q, "vring-used"),
        .has_progress = json_is_integer(json_object_get(q, "last-avail-idx")) &&
                        json_is_integer(json_object_get(q, "used-idx")),
        .taken = (uint16_t)number(q, "last-avail-idx"),
        .returned = (uint16_t)number(q, "used-idx"),
    };
    uint64_t size = number(q, "vring-num");
    json_decref(q);
    if (size > VT_SPLIT_SIZE_MAX) {
        return vt_fail(err, VT_E_PROTOCOL, "%s: a queue of %" PRIu64 " descriptors", path, size);
    }
    r.size = (uint16_t)size;
    if (r.size == 0) {
        r.desc = r.driver = r.device = 0;
    }
    *ring = r;
    return 0;
}

int vt_vgpu_device_ask(struct vt_qmp *qmp, struct vt_vgpu_device *device, struct vt_error *err)
{
    struct vt_vgpu_ring rings[VT_VGPU_QUEUES];
    for (unsigned i = 0; i < VT_VGPU_QUEUES; i++) {
        int rc = ask_ring(qmp, device->path, i, &rings[i], err);
        if (rc == VT_E_REFUSED) {
            return vt_fail(err, VT_E_NOT_FOUND, "%s: no such device any more", device->path);
        }
        if (rc != 0) {
            return rc;
        }
    }
    memcpy(device->queue, rings, sizeof rings);
    return 0;
}

/* "/machine/peripheral/gpu0/virtio-backend" is gpu0. */
static void name_of(const char *path, char id[64])
{
    const char *end = strrchr(path, '/');
    if (end == NULL || strcmp(end, "/virtio-backend") != 0) {
        end = path + strlen(path);
    }
    const char *begin = end;
    while (begin > path && begin[-1] != '/') {
        begin--;
    }
    int n = (int)(end - begin);
    snprintf(id, 64, "%.*s", n < 63 ? n : 63, begin);
}

/* A device that another process is has its queues there, and QEMU up to 11.1.3 dies of the question
 * where they are. */
static int check_type(struct vt_qmp *qmp, const char *path, struct vt_error *err)
{
    static const char elsewhere[] = "vhost-user";
    json_t *type;
    int rc =
        ask(qmp, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", "type"), &type, err);
    if (rc != 0) {
        return rc == VT_E_REFUSED ? 0 : rc;
    }
    const char *name = json_string_value(type);
    if (name != NULL && strncmp(name, elsewhere, sizeof elsewhere - 1) == 0) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s: its queues are another process's", path);
    }
    json_decref(type);
    return rc;
}

static int describe(struct vt_qmp *qmp, const char *path, struct vt_vgpu_device *device,
                    struct vt_error *err)
{
    struct vt_vgpu_device d = {0};
    json_t *packed;
    vt_text_printable(d.path, sizeof d.path, path, strlen(path));
    if (strcmp(d.path, path) != 0) {
        return vt_fail(err, VT_E_PROTOCOL, "QEMU names a device \"%s\"", d.path);
    }
    name_of(path, d.id);
    int rc = check_type(qmp, path, err);
    if (rc != 0) {
        return rc;
    }
    rc = ask(qmp, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", "packed"), &packed,
             err);
    if (rc == 0) {
        d.may_pack = json_is_true(packed);
        json_decref(packed);
    } else if (rc != VT_E_REFUSED) {
        return rc;
    }
    rc = vt_vgpu_device_ask(qmp, &d, err);
    if (rc == 0) {
        *device = d;
    }
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct vt_vgpu_device *)a)->path,
                  ((const struct vt_vgpu_device *)b)->path);
}

int vt_vgpu_devices(struct vt_qmp *qmp, struct vt_vgpu_device **list, size_t *n,
                    struct vt_error *err)
{
    json_t *all, *one;
    size_t i;
    int rc = ask(qmp, "x-query-virtio", NULL, &all, err);
    if (rc == VT_E_REFUSED) {
        /* A VM without any virtio device is refused, too. */
        json_t *commands;
        rc = ask(qmp, "query-commands", NULL, &commands, err);
        bool known = false;
        if (rc == 0) {
            json_array_foreach(commands, i, one)
            {
                const char *name = json_string_value(json_object_get(one, "name"));
                known = known || (name != NULL && strcmp(name, "x-query-virtio") == 0);
            }
            json_decref(commands);
        }
        if (rc == 0 && !known) {
            rc = vt_fail(err, VT_E_UNSUPPORTED,
                         "QEMU %s does not tell of virtio devices; 7.2 and later do",
                         vt_qmp_version(qmp));
        }
        if (rc == 0) {
            *list = NULL;
            *n = 0;
        }
        return rc;
    }
    if (rc != 0) {
        return rc;
    }
    struct vt_vgpu_device *found = calloc(VT_VGPU_DEVICES_MAX, sizeof *found);
    size_t n_found = 0;
    if (found == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "devices: out of memory");
    }
    json_array_foreach(all, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *path = json_string_value(json_object_get(one, "path"));
        if (rc == 0 && name != NULL && path != NULL && strcmp(name, "virtio-gpu") == 0 &&
            n_found < VT_VGPU_DEVICES_MAX) {
            rc = describe(qmp, path, &found[n_found], err);
            n_found += rc == 0;
            rc = rc == VT_E_NOT_FOUND ? 0 : rc; /* not QEMU's, or unplugged since */
        }
    }
    json_decref(all);
    if (rc != 0 || n_found == 0) {
        free(found);
        found = NULL;
    }
    if (rc == 0) {
        if (found != NULL) {
            qsort(found, n_found, sizeof *found, by_path);
        }
        *list = found;
        *n = n_found;
    }
    return rc;
}

int vt_vgpu_device_choose(const struct vt_vgpu_device *list, size_t n, const char *wanted,
                          size_t *index, struct vt_error *err)
{
    char names[VT_ERROR_MESSAGE_MAX] = "";
    for (size_t i = 0; i < n; i++) {
        if (wanted != NULL ? strcmp(wanted, list[i].id) == 0 || strcmp(wanted, list[i].path) == 0
                           : n == 1) {
            *index = i;
            return 0;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", list[i].id);
    }
    if (n == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "the VM has no virtio-gpu");
    }
    if (wanted == NULL) {
        return vt_fail(err, VT_E_INVAL, "the VM has several: name one of %s", names);
    }
    return vt_fail(err, VT_E_NOT_FOUND, "no virtio-gpu is called '%s'; there is %s", wanted, names);
}

enum vt_vgpu_ring_kind vt_vgpu_ring_kind_of(const struct vt_ram *ram,
                                            const struct vt_vgpu_device *device,
                                            const struct vt_vgpu_ring *ring)
{
    if (ring->desc == 0) {
        return VT_VGPU_RING_NONE;
    }
    if (!device->may_pack) {
        return VT_VGPU_RING_SPLIT;
    }
    /* A packed ring's driver and device areas are four bytes each. Where they lie closer than the
     * rings of a split queue would, it is packed. */
    uint64_t apart =
        ring->device > ring->driver ? ring->device - ring->driver : ring->driver - ring->device;
    uint64_t least = ring->device > ring->driver ? vt_split_avail_bytes(ring->size)
                                                 : vt_split_used_bytes(ring->size);
    if (apart + sizeof(uint16_t) < least) {
        return VT_VGPU_RING_PACKED;
    }
    /* Else what would be the indices must have gone on from what QEMU said. Packed rings have flags
     * up to 2 there, so small numbers prove nothing: then split rings lie as drivers lay them out,
     * behind their descriptors. */
    struct {
        uint16_t flags, idx;
    } avail, used;
    if (!ring->has_progress ||
        vt_ram_read(ram, VT_GPA(ring->driver), &avail, sizeof avail, NULL) != 0 ||
        vt_ram_read(ram, VT_GPA(ring->device), &used, sizeof used, NULL) != 0 || avail.flags > 1 ||
        used.flags > 1 || (uint16_t)(used.idx - ring->returned) > ring->size ||
        (uint16_t)(avail.idx - ring->taken) > ring->size) {
        return VT_VGPU_RING_PACKED;
    }
    bool proved = avail.idx > 2 && used.idx > 2;
    return proved || ring->driver == ring->desc + vt_split_desc_bytes(ring->size)
               ? VT_VGPU_RING_SPLIT
               : VT_VGPU_RING_PACKED;
}
