/* gpu/resources.c - resources and scanouts from the stream of commands. See resources.h. */
#include "gpu/resources.h"

#include "virtio/gpu/protocol/commands.h"

#include <stdlib.h>
#include <string.h>

struct vt_vgpu_resources {
    struct vt_vgpu_resource_seen *all; /* by id */
    size_t n, room;
    bool doubtful; /* commands went by unseen */
    struct vt_vgpu_scanout_seen scanouts[VT_VGPU_SCANOUTS_MAX];
    struct vt_vgpu_resources_counts counts;
};

/* A command that counts. */
struct command {
    const struct vt_vgpu_event_seen *e;
    bool doubtful;
};

const char *vt_vgpu_resource_kind_name(enum vt_vgpu_resource_kind kind)
{
    switch (kind) {
    case VT_VGPU_RESOURCE_UNKNOWN:
        return "unknown";
    case VT_VGPU_RESOURCE_2D:
        return "2d";
    case VT_VGPU_RESOURCE_3D:
        return "3d";
    case VT_VGPU_RESOURCE_BLOB:
        return "blob";
    }
    return "?";
}

int vt_vgpu_resources_create(struct vt_vgpu_resources **resources, struct vt_error *err)
{
    struct vt_vgpu_resources *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "resources: out of memory");
    }
    *resources = r;
    return 0;
}

void vt_vgpu_resources_destroy(struct vt_vgpu_resources *r)
{
    if (r != NULL) {
        free(r->all);
        free(r);
    }
}

/* ---------------------------------------------------------------- the table */

/* The place of `id`, or where it would stand. */
static size_t place_of(const struct vt_vgpu_resources *r, uint32_t id)
{
    size_t low = 0;
    size_t high = r->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->all[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct vt_vgpu_resource_seen *find(const struct vt_vgpu_resources *r, uint32_t id)
{
    size_t at = place_of(r, id);
    return at < r->n && r->all[at].id == id ? &r->all[at] : NULL;
}

static void forget(struct vt_vgpu_resources *r, uint32_t id)
{
    size_t at = place_of(r, id);
    if (at < r->n && r->all[at].id == id) {
        memmove(&r->all[at], &r->all[at + 1], (r->n - at - 1) * sizeof *r->all);
        r->n--;
    }
}

/* The resource `id`, made known if it is not; NULL: no room, or no id. */
static struct vt_vgpu_resource_seen *know(struct vt_vgpu_resources *r, uint32_t id)
{
    struct vt_vgpu_resource_seen *known = find(r, id);
    if (known != NULL || id == 0) {
        return known;
    }
    if (r->n == r->room) {
        size_t room = r->room == 0 ? 16 : r->room * 2;
        struct vt_vgpu_resource_seen *all =
            r->n < VT_VGPU_RESOURCES_MAX ? realloc(r->all, room * sizeof *all) : NULL;
        if (all == NULL) {
            r->counts.left_out++;
            return NULL;
        }
        r->all = all;
        r->room = room;
    }
    size_t at = place_of(r, id);
    memmove(&r->all[at + 1], &r->all[at], (r->n - at) * sizeof *r->all);
    r->n++;
    r->all[at] = (struct vt_vgpu_resource_seen){.id = id, .doubtful = r->doubtful};
    return &r->all[at];
}

/* A new one of that id: what was there before is gone. */
static struct vt_vgpu_resource_seen *make(struct vt_vgpu_resources *r, const struct command *c,
                                          uint32_t id, enum vt_vgpu_resource_kind kind)
{
    struct vt_vgpu_resource_seen *s = know(r, id);
    if (s != NULL) {
        *s = (struct vt_vgpu_resource_seen){
            .id = id, .kind = kind, .doubtful = c->doubtful, .sequence = c->e->sequence};
    }
    return s;
}

/* ---------------------------------------------------------------- commands */

/* Copies a request's fixed part; false: it is not all there. */
static bool fixed(const struct command *c, void *to, size_t bytes)
{
    if (c->e->request_bytes < bytes) {
        return false;
    }
    memcpy(to, c->e->request, bytes);
    return true;
}

static void back(struct vt_vgpu_resource_seen *s, const struct command *c, size_t at,
                 uint32_t entries)
{
    s->backed = true;
    s->entries = entries;
    s->backing_bytes = 0;
    s->doubtful = s->doubtful || c->doubtful;
    for (uint32_t i = 0; i < entries; i++) {
        struct vt_vgpu_memory_entry entry;
        if (c->e->request_bytes - at < sizeof entry) {
            s->doubtful = true;
            break;
        }
        memcpy(&entry, c->e->request + at, sizeof entry);
        s->backing_bytes += entry.length;
        at += sizeof entry;
    }
}

static void show(struct vt_vgpu_resources *r, const struct command *c, uint32_t scanout,
                 uint32_t resource, const struct vt_vgpu_rect *rect)
{
    if (scanout >= VT_VGPU_SCANOUTS_MAX) {
        return;
    }
    struct vt_vgpu_scanout_seen *s = &r->scanouts[scanout];
    s->known = true;
    s->doubtful = c->doubtful;
    s->resource = resource;
    s->rect = *rect;
    s->sequence = c->e->sequence;
    know(r, resource);
}

static void see_backing(struct vt_vgpu_resources *r, const struct command *c, uint32_t type)
{
    union {
        struct vt_vgpu_resource_create_blob blob;
        struct vt_vgpu_resource_attach_backing attach;
        struct vt_vgpu_resource_detach_backing detach;
    } q;
    struct vt_vgpu_resource_seen *s;
    if (type == VT_VGPU_CMD_RESOURCE_CREATE_BLOB) {
        if (fixed(c, &q.blob, sizeof q.blob) &&
            (s = make(r, c, q.blob.resource_id, VT_VGPU_RESOURCE_BLOB)) != NULL) {
            s->blob_bytes = q.blob.size;
            if (q.blob.nr_entries > 0) {
                back(s, c, sizeof q.blob, q.blob.nr_entries);
            }
        }
    } else if (type == VT_VGPU_CMD_RESOURCE_ATTACH_BACKING) {
        if (fixed(c, &q.attach, sizeof q.attach) && (s = know(r, q.attach.resource_id)) != NULL) {
            back(s, c, sizeof q.attach, q.attach.nr_entries);
        }
    } else if (fixed(c, &q.detach, sizeof q.detach) &&
               (s = know(r, q.detach.resource_id)) != NULL) {
        s->backed = false;
        s->entries = 0;
        s->backing_bytes = 0;
        s->doubtful = s->doubtful || c->doubtful;
    }
}

static void see_cursor(struct vt_vgpu_resources *r, const struct command *c, uint32_t type)
{
    struct vt_vgpu_update_cursor q;
    _Static_assert(sizeof(struct vt_vgpu_move_cursor) == sizeof q, "one struct for both");
    if (!fixed(c, &q, sizeof q) || q.scanout_id >= VT_VGPU_SCANOUTS_MAX) {
        return;
    }
    struct vt_vgpu_scanout_seen *s = &r->scanouts[q.scanout_id];
    s->cursor_x = q.x;
    s->cursor_y = q.y;
    if (type == VT_VGPU_CMD_UPDATE_CURSOR) {
        s->cursor = q.resource_id;
        s->hot_x = q.hot_x;
        s->hot_y = q.hot_y;
        know(r, q.resource_id);
    }
}

static void see_use(struct vt_vgpu_resources *r, const struct command *c, uint32_t type)
{
    union {
        struct vt_vgpu_resource_flush flush;
        struct vt_vgpu_transfer_to_host_2d transfer;
        struct vt_vgpu_transfer_to_host_3d transfer_3d;
    } q;
    uint32_t id = 0;
    if (type == VT_VGPU_CMD_RESOURCE_FLUSH) {
        id = fixed(c, &q.flush, sizeof q.flush) ? q.flush.resource_id : 0;
    } else if (type == VT_VGPU_CMD_TRANSFER_TO_HOST_2D) {
        id = fixed(c, &q.transfer, sizeof q.transfer) ? q.transfer.resource_id : 0;
    } else {
        id = fixed(c, &q.transfer_3d, sizeof q.transfer_3d) ? q.transfer_3d.resource_id : 0;
    }
    struct vt_vgpu_resource_seen *s = know(r, id);
    if (s != NULL) {
        *(type == VT_VGPU_CMD_RESOURCE_FLUSH ? &s->flushes : &s->transfers) += 1;
    }
}

/* A resource that is destroyed leaves the scanouts that show it (as QEMU has it). */
static void unref(struct vt_vgpu_resources *r, const struct command *c, uint32_t id)
{
    const struct vt_vgpu_rect none = {0};
    forget(r, id);
    for (uint32_t i = 0; i < VT_VGPU_SCANOUTS_MAX && id != 0; i++) {
        if (r->scanouts[i].resource == id) {
            show(r, c, i, 0, &none);
        }
    }
}

static void apply(struct vt_vgpu_resources *r, const struct command *c, uint32_t type)
{
    union {
        struct vt_vgpu_resource_create_2d create_2d;
        struct vt_vgpu_resource_create_3d create_3d;
        struct vt_vgpu_resource_unref unref;
        struct vt_vgpu_set_scanout scanout;
        struct vt_vgpu_set_scanout_blob scanout_blob;
    } q;
    struct vt_vgpu_resource_seen *s;
    switch (type) {
    case VT_VGPU_CMD_RESOURCE_CREATE_2D:
        if (fixed(c, &q.create_2d, sizeof q.create_2d) &&
            (s = make(r, c, q.create_2d.resource_id, VT_VGPU_RESOURCE_2D)) != NULL) {
            s->format = q.create_2d.format;
            s->width = q.create_2d.width;
            s->height = q.create_2d.height;
        }
        break;
    case VT_VGPU_CMD_RESOURCE_CREATE_3D:
        if (fixed(c, &q.create_3d, sizeof q.create_3d) &&
            (s = make(r, c, q.create_3d.resource_id, VT_VGPU_RESOURCE_3D)) != NULL) {
            s->format = q.create_3d.format;
            s->width = q.create_3d.width;
            s->height = q.create_3d.height;
        }
        break;
    case VT_VGPU_CMD_RESOURCE_CREATE_BLOB:
    case VT_VGPU_CMD_RESOURCE_ATTACH_BACKING:
    case VT_VGPU_CMD_RESOURCE_DETACH_BACKING:
        see_backing(r, c, type);
        break;
    case VT_VGPU_CMD_RESOURCE_UNREF:
        if (fixed(c, &q.unref, sizeof q.unref)) {
            unref(r, c, q.unref.resource_id);
        }
        break;
    case VT_VGPU_CMD_SET_SCANOUT:
        if (fixed(c, &q.scanout, sizeof q.scanout)) {
            show(r, c, q.scanout.scanout_id, q.scanout.resource_id, &q.scanout.rect);
        }
        break;
    case VT_VGPU_CMD_SET_SCANOUT_BLOB:
        if (fixed(c, &q.scanout_blob, sizeof q.scanout_blob)) {
            show(r, c, q.scanout_blob.scanout_id, q.scanout_blob.resource_id, &q.scanout_blob.rect);
            if ((s = find(r, q.scanout_blob.resource_id)) != NULL) {
                s->format = q.scanout_blob.format;
                s->width = q.scanout_blob.width;
                s->height = q.scanout_blob.height;
            }
        }
        break;
    case VT_VGPU_CMD_RESOURCE_FLUSH:
    case VT_VGPU_CMD_TRANSFER_TO_HOST_2D:
    case VT_VGPU_CMD_TRANSFER_TO_HOST_3D:
        see_use(r, c, type);
        break;
    case VT_VGPU_CMD_UPDATE_CURSOR:
    case VT_VGPU_CMD_MOVE_CURSOR:
        see_cursor(r, c, type);
        break;
    default:
        break;
    }
}

static void see_command(struct vt_vgpu_resources *r, const struct vt_vgpu_event_seen *e)
{
    struct vt_vgpu_header request, response = {0};
    r->counts.commands++;
    if (e->request_bytes < sizeof request) {
        return;
    }
    memcpy(&request, e->request, sizeof request);
    if (e->response_bytes >= sizeof response) {
        memcpy(&response, e->response, sizeof response);
    }
    if ((e->flags & VT_VGPU_STALE_REQUEST) != 0) {
        r->doubtful = true; /* it may have been anything */
        return;
    }
    bool cursor = e->queue == VT_VGPU_CURSOR_QUEUE && e->response_bytes == 0;
    bool unknown = (e->flags & (VT_VGPU_NO_RESPONSE | VT_VGPU_STALE_RESPONSE)) != 0 ||
                   (response.type == 0 && !cursor);
    if (!unknown && vt_vgpu_is_error(response.type)) {
        r->counts.errors++;
        return;
    }
    const struct command c = {.e = e, .doubtful = unknown || r->doubtful};
    apply(r, &c, request.type);
}

bool vt_vgpu_resources_see(const struct vt_vgpu_event_seen *e, void *resources)
{
    struct vt_vgpu_resources *r = resources;
    switch (e->kind) {
    case VT_VGPU_SEEN_COMMAND:
        see_command(r, e);
        break;
    case VT_VGPU_SEEN_LOST:
        r->counts.lost += e->lost;
        r->doubtful = true;
        for (size_t i = 0; i < r->n; i++) {
            r->all[i].doubtful = true;
        }
        for (size_t i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
            r->scanouts[i].doubtful = true;
        }
        break;
    case VT_VGPU_SEEN_RESET:
        r->counts.resets++;
        r->n = 0;
        r->doubtful = false;
        memset(r->scanouts, 0, sizeof r->scanouts);
        for (size_t i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
            r->scanouts[i].known = true; /* off */
        }
        break;
    case VT_VGPU_SEEN_NOTE:
    case VT_VGPU_SEEN_VENUS:
        break;
    }
    return true;
}

const struct vt_vgpu_resource_seen *vt_vgpu_resources_all(const struct vt_vgpu_resources *r,
                                                          size_t *n)
{
    *n = r->n;
    return r->all;
}

const struct vt_vgpu_resource_seen *vt_vgpu_resource_seen(const struct vt_vgpu_resources *r,
                                                          uint32_t id)
{
    return find(r, id);
}

const struct vt_vgpu_scanout_seen *vt_vgpu_resources_scanouts(const struct vt_vgpu_resources *r)
{
    return r->scanouts;
}

const struct vt_vgpu_resources_counts *vt_vgpu_resources_counts(const struct vt_vgpu_resources *r)
{
    return &r->counts;
}
