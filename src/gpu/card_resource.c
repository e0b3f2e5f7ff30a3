/* gpu/card_resource.c - a virtio-gpu's resources: pictures with pixels of the device's, blobs of
 * the guest's memory, blobs in the window.
 *
 * The guest allocates the window. Blobs that it lets overlap share bytes; none reaches beyond the
 * window, and no other guest sees it. What is unmapped is punched out of the file: whoever gets the
 * place next finds zeros, and the host its memory back.
 */
#include "gpu/card_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct vt_card_resource **place_of(struct vt_card *card, uint32_t id)
{
    struct vt_card_resource **at = &card->resources[id % VT_CARD_BUCKETS];
    while (*at != NULL && (*at)->id != id) {
        at = &(*at)->next;
    }
    return at;
}

struct vt_card_resource *vt_card_resource(struct vt_card *card, uint32_t id)
{
    return *place_of(card, id);
}

/* ---------------------------------------------------------------- making */

/* NULL: *type says why. */
static struct vt_card_resource *make(struct vt_card *card, uint32_t id, uint32_t *type)
{
    struct vt_card_resource **at = place_of(card, id);
    if (id == 0 || *at != NULL) {
        *type = VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
        return NULL;
    }
    struct vt_card_resource *r =
        card->statistics.resources < VT_CARD_RESOURCES_MAX ? calloc(1, sizeof *r) : NULL;
    if (r == NULL) {
        *type = VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
        return NULL;
    }
    r->id = id;
    r->fd = -1;
    return r;
}

static uint32_t keep(struct vt_card *card, struct vt_card_resource *r)
{
    *place_of(card, r->id) = r;
    card->statistics.resources++;
    return VT_VGPU_RESP_OK_NODATA;
}

static bool is_format(uint32_t format)
{
    for (const struct vt_vgpu_name *n = vt_vgpu_formats; n->name != NULL; n++) {
        if (n->value == format) {
            return true;
        }
    }
    return false;
}

uint32_t vt_card_create_2d(struct vt_card *card, const struct vt_vgpu_resource_create_2d *c)
{
    uint32_t type;
    if (!is_format(c->format) || c->width == 0 || c->height == 0 || c->width > VT_CARD_SIDE_MAX ||
        c->height > VT_CARD_SIDE_MAX) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    size_t bytes = (size_t)c->width * c->height * 4;
    if (bytes > VT_CARD_PIXEL_BYTES_MAX - card->statistics.pixel_bytes) {
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    struct vt_card_resource *r = make(card, c->resource_id, &type);
    if (r == NULL) {
        return type;
    }
    r->pixels = calloc(1, bytes);
    if (r->pixels == NULL) {
        free(r);
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    r->pixel_bytes = bytes;
    card->statistics.pixel_bytes += bytes;
    r->format = c->format;
    r->width = c->width;
    r->height = c->height;
    return keep(card, r);
}

/* `at` are n entries, of any alignment, that the message has. */
static uint32_t take_entries(struct vt_card_resource *r, const uint8_t *at, uint32_t n)
{
    uint64_t bytes = 0;
    if (n > VT_CARD_ENTRIES_MAX) {
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    struct vt_vgpu_memory_entry *entries = calloc((size_t)n + 1, sizeof *entries);
    if (entries == NULL) {
        return VT_VGPU_RESP_ERR_OUT_OF_MEMORY;
    }
    memcpy(entries, at, n * sizeof *entries);
    for (uint32_t i = 0; i < n; i++) {
        bytes += entries[i].length;
    }
    r->entries = entries;
    r->n_entries = n;
    r->backing_bytes = bytes;
    return VT_VGPU_RESP_OK_NODATA;
}

uint32_t vt_card_create_blob(struct vt_card *card, const struct vt_vgpu_resource_create_blob *c,
                             size_t bytes)
{
    const bool host = c->blob_mem == VT_VGPU_BLOB_MEM_HOST3D;
    const uint32_t known =
        VT_VGPU_BLOB_USE_MAPPABLE | VT_VGPU_BLOB_USE_SHAREABLE | VT_VGPU_BLOB_USE_CROSS_DEVICE;
    uint32_t type = VT_VGPU_RESP_OK_NODATA;
    if (bytes < sizeof *c ||
        (!host && c->blob_mem != VT_VGPU_BLOB_MEM_GUEST) || /* HOST3D_GUEST is virgl's */
        (c->blob_flags & ~known) != 0 || c->size == 0 || c->size >> 46 != 0 ||
        (host && c->nr_entries != 0) || (!host && c->nr_entries == 0)) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    if (host && !card->has_contexts) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    struct vt_card_resource *r = make(card, c->resource_id, &type);
    if (r == NULL) {
        return type;
    }
    r->blob_mem = c->blob_mem;
    r->blob_flags = c->blob_flags;
    r->size = c->size;
    if (!host) {
        type = take_entries(r, (const uint8_t *)(c + 1), c->nr_entries);
    }
    if (type == VT_VGPU_RESP_OK_NODATA && !host && r->backing_bytes < r->size) {
        type = VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    if (type != VT_VGPU_RESP_OK_NODATA) {
        free(r->entries);
        free(r);
        return type;
    }
    return keep(card, r);
}

/* ---------------------------------------------------------------- dropping */

static void unmap(struct vt_card *card, struct vt_card_resource *r)
{
    /* A file system that cannot punch holes is none that memfds have. */
    if (fallocate(card->window, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r->offset,
                  (off_t)r->size) != 0) {
        vt_card_say(card, "memory of resource %u could not be given back", r->id);
    }
    card->statistics.mapped_bytes -= r->size;
    r->mapped = false;
}

static void drop(struct vt_card *card, struct vt_card_resource *r)
{
    if (r->mapped) {
        unmap(card, r);
    }
    if (r->fd >= 0) {
        close(r->fd);
        card->n_files--;
        card->statistics.mapped_bytes -= r->size;
    }
    card->statistics.pixel_bytes -= r->pixel_bytes;
    card->statistics.resources--;
    free(r->pixels);
    free(r->entries);
    free(r->contexts);
    free(r);
}

uint32_t vt_card_unref(struct vt_card *card, uint32_t id)
{
    struct vt_card_resource **at = place_of(card, id), *r = *at;
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    vt_card_forget_shown(card, id);
    vt_card_detach_all(card, r);
    *at = r->next;
    drop(card, r);
    return VT_VGPU_RESP_OK_NODATA;
}

void vt_card_drop_resources(struct vt_card *card)
{
    for (unsigned i = 0; i < VT_CARD_BUCKETS; i++) {
        for (struct vt_card_resource *r = card->resources[i], *next; r != NULL; r = next) {
            next = r->next;
            drop(card, r);
        }
        card->resources[i] = NULL;
    }
}

/* ---------------------------------------------------------------- the guest's memory */

uint32_t vt_card_attach_backing(struct vt_card *card,
                                const struct vt_vgpu_resource_attach_backing *a, size_t bytes)
{
    struct vt_card_resource *r = vt_card_resource(card, a->resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->pixels == NULL || r->entries != NULL || bytes < sizeof *a) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    return take_entries(r, (const uint8_t *)(a + 1), a->nr_entries);
}

uint32_t vt_card_detach_backing(struct vt_card *card, uint32_t id)
{
    struct vt_card_resource *r = vt_card_resource(card, id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->pixels == NULL || r->entries == NULL) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    free(r->entries);
    r->entries = NULL;
    r->n_entries = 0;
    r->backing_bytes = 0;
    return VT_VGPU_RESP_OK_NODATA;
}

/* Goes through the pieces once as long as offsets grow. */
struct backing {
    const struct vt_card *card;
    const struct vt_card_resource *r;
    uint32_t entry;
    uint64_t start; /* of that entry */
};

static bool backing_read(struct backing *b, uint64_t offset, void *to, uint64_t bytes)
{
    const struct vt_card_resource *r = b->r;
    uint8_t *p = to;
    if (offset > r->backing_bytes || bytes > r->backing_bytes - offset) {
        return false;
    }
    if (offset < b->start) {
        b->entry = 0;
        b->start = 0;
    }
    while (bytes > 0) {
        uint64_t length = r->entries[b->entry].length, at = offset - b->start;
        if (at >= length) {
            b->start += length;
            b->entry++;
            continue;
        }
        uint64_t n = length - at < bytes ? length - at : bytes;
        if (!vt_guest_memory_read(b->card->memory, r->entries[b->entry].addr + at, p, n)) {
            return false;
        }
        p += n;
        offset += n;
        bytes -= n;
    }
    return true;
}

static bool within(const struct vt_vgpu_rect *rect, uint32_t width, uint32_t height)
{
    return (uint64_t)rect->x + rect->width <= width && (uint64_t)rect->y + rect->height <= height;
}

uint32_t vt_card_transfer(struct vt_card *card, const struct vt_vgpu_transfer_to_host_2d *t)
{
    struct vt_card_resource *r = vt_card_resource(card, t->resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->pixels == NULL && r->blob_mem == VT_VGPU_BLOB_MEM_GUEST) {
        return VT_VGPU_RESP_OK_NODATA; /* its bytes are where they belong */
    }
    if (r->pixels == NULL || r->entries == NULL) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    if (!within(&t->rect, r->width, r->height)) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    const uint64_t stride = (uint64_t)r->width * 4, row = (uint64_t)t->rect.width * 4;
    if (t->offset > r->backing_bytes) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    struct backing b = {.card = card, .r = r};
    for (uint32_t y = 0; y < t->rect.height; y++) {
        if (!backing_read(&b, t->offset + y * stride,
                          r->pixels + (t->rect.y + (uint64_t)y) * stride + t->rect.x * 4ull, row)) {
            return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
        }
    }
    card->statistics.transfers++;
    return VT_VGPU_RESP_OK_NODATA;
}

/* ---------------------------------------------------------------- the window */

uint32_t vt_card_map_blob(struct vt_card *card, const struct vt_vgpu_resource_map_blob *m)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct vt_card_resource *r = vt_card_resource(card, m->resource_id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (r->blob_mem != VT_VGPU_BLOB_MEM_HOST3D || r->mapped ||
        (r->blob_flags & VT_VGPU_BLOB_USE_MAPPABLE) == 0) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    if (m->offset % page != 0 || m->offset > card->window_bytes ||
        r->size > card->window_bytes - m->offset) {
        return VT_VGPU_RESP_ERR_INVALID_PARAMETER;
    }
    r->mapped = true;
    r->offset = m->offset;
    card->statistics.mapped_bytes += r->size;
    vt_card_attach_waiting(card, r);
    return VT_VGPU_RESP_OK_MAP_INFO;
}

uint32_t vt_card_unmap_blob(struct vt_card *card, uint32_t id)
{
    struct vt_card_resource *r = vt_card_resource(card, id);
    if (r == NULL) {
        return VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (!r->mapped) {
        return VT_VGPU_RESP_ERR_UNSPEC;
    }
    vt_card_detach_all(card, r);
    unmap(card, r);
    return VT_VGPU_RESP_OK_NODATA;
}

/* ---------------------------------------------------------------- its bytes */

bool vt_card_memory(struct vt_card *card, struct vt_card_resource *r,
                    struct vt_venus_memory *memory)
{
    *memory = (struct vt_venus_memory){.id = r->id, .fd = -1, .size = r->size};
    if (r->mapped) {
        memory->fd = card->window;
        memory->offset = r->offset;
        memory->trusted = true;
        return true;
    }
    if (r->blob_mem == VT_VGPU_BLOB_MEM_GUEST) {
        return r->n_entries == 1 && vt_guest_memory_file(card->memory, r->entries[0].addr, r->size,
                                                         &memory->fd, &memory->offset);
    }
    if (r->blob_mem != VT_VGPU_BLOB_MEM_HOST3D ||
        (r->blob_flags & VT_VGPU_BLOB_USE_MAPPABLE) != 0 ||
        card->statistics.mapped_bytes > card->window_bytes ||
        r->size > card->window_bytes - card->statistics.mapped_bytes) {
        return false; /* blobs that are mapped may overlap, and be more than the window */
    }
    if (r->fd < 0) { /* nobody but the context will see it */
        if (card->n_files == VT_CARD_FILES_MAX) {
            return false;
        }
        int fd = memfd_create("vitrine-gpu-blob", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, (off_t)r->size) != 0) {
            if (fd >= 0) {
                close(fd);
            }
            return false;
        }
        r->fd = fd;
        card->n_files++;
        card->statistics.mapped_bytes += r->size;
    }
    memory->fd = r->fd;
    memory->trusted = true;
    return true;
}

bool vt_card_read(const struct vt_card *card, const struct vt_card_resource *r, uint64_t offset,
                  void *to, uint64_t bytes)
{
    if (r->pixels != NULL) {
        if (offset > r->pixel_bytes || bytes > r->pixel_bytes - offset) {
            return false;
        }
        memcpy(to, r->pixels + offset, bytes);
        return true;
    }
    if (offset > r->size || bytes > r->size - offset) {
        return false;
    }
    if (r->entries != NULL) {
        struct backing b = {.card = card, .r = r};
        return backing_read(&b, offset, to, bytes);
    }
    return r->mapped &&
           pread(card->window, to, bytes, (off_t)(r->offset + offset)) == (ssize_t)bytes;
}
