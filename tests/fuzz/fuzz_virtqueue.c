/* tests/fuzz/fuzz_virtqueue.c - a virtqueue whose device writes what it likes into the rings.
 *
 * The input is a script: its first bytes choose the queue, the rest are steps of the driver (add,
 * publish, take, ask for interrupts, reset) and of the device (bytes at any place of what it can
 * reach, indices and descriptors returned as the rules are). Whatever it does, buffers come back at
 * most once each, only published ones, with no more bytes than they hold; a fault stays; and what
 * is pending is what was added and did not come back, oldest first.
 */
#include "tests/fuzz/fuzz.h"

#include "virtio/layout.h"
#include "vitrine/virtio.h"

#include <string.h>

#define BUFFERS 64u
#define ARENA_BYTES 16384u

struct script {
    const uint8_t *at, *end;
};

static unsigned next(struct script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

struct buffer {
    bool pending, published;
    uint32_t holds, number;
};

struct world {
    struct vt_virtqueue *q;
    uint64_t features;
    uint8_t *shared; /* what the device can write */
    size_t shared_bytes;
    uint8_t *desc, *used;
    uint16_t size, used_idx;
    struct buffer buffers[BUFFERS];
    uint32_t added, pending;
    uint32_t listed;
};

static void create(struct world *w, struct script *s, struct vt_virtio_arena *arena)
{
    unsigned kind = next(s);
    w->features = VT_VIRTIO_F_VERSION_1 | (kind & 1 ? VT_VIRTIO_F_RING_PACKED : 0) |
                  (kind & 2 ? VT_VIRTIO_F_INDIRECT_DESC : 0) |
                  (kind & 4 ? VT_VIRTIO_F_EVENT_IDX : 0);
    w->size = (uint16_t)(kind & 1 ? 1 + (kind >> 3) : 1u << (kind >> 3 & 3));
    unsigned pieces = 1 + next(s) % 4;
    struct vt_virtqueue_config config = {
        .index = 3,
        .size = w->size,
        .max_pieces = (uint16_t)(pieces < w->size ? pieces : w->size),
        .features = w->features,
    };
    FUZZ_CHECK(vt_virtqueue_create(&config, arena, &w->q) == VT_VIRTIO_OK);
    uint64_t desc, driver, device;
    vt_virtqueue_addresses(w->q, &desc, &driver, &device);
    bool tables = config.max_pieces > 1 && (kind & 2) != 0;
    uint64_t from = desc - (tables ? vt_split_desc_bytes(w->size) * config.max_pieces : 0);
    w->shared = arena->base + (from - arena->device);
    w->shared_bytes = arena->used - (size_t)(from - arena->device);
    w->desc = arena->base + (desc - arena->device);
    w->used = arena->base + (device - arena->device);
}

static void driver_adds(struct world *w, struct script *s)
{
    struct vt_virtio_piece p[8];
    unsigned n_out = next(s) % 5, n_in = next(s) % 4;
    uint32_t holds = 0;
    for (unsigned i = 0; i < n_out + n_in; i++) {
        p[i] = (struct vt_virtio_piece){.device = 0x1000 * (i + 1), .bytes = next(s)};
        holds += i >= n_out ? p[i].bytes : 0;
    }
    struct buffer *b = w->buffers;
    while (b->pending) {
        b++; /* there are more than the queue takes */
    }
    uint16_t slot = 0xffff;
    const char *fault = vt_virtqueue_fault(w->q);
    int rc = vt_virtqueue_add(w->q, p, n_out, n_in, b, &slot);
    if (rc == VT_VIRTIO_OK) {
        FUZZ_CHECK(fault == NULL && slot < w->size && n_out + n_in > 0);
        *b = (struct buffer){.pending = true, .holds = holds, .number = w->added++};
        w->pending++;
    } else {
        FUZZ_CHECK(rc == VT_VIRTIO_E_INVAL || rc == VT_VIRTIO_E_FULL ||
                   (rc == VT_VIRTIO_E_NEEDS_RESET && fault != NULL));
        FUZZ_CHECK(rc != VT_VIRTIO_E_FULL || w->pending > 0);
    }
}

static void driver_publishes(struct world *w)
{
    const char *fault = vt_virtqueue_fault(w->q);
    bool notify = vt_virtqueue_publish(w->q);
    FUZZ_CHECK(!notify || fault == NULL);
    for (unsigned i = 0; i < BUFFERS && fault == NULL; i++) {
        w->buffers[i].published = w->buffers[i].pending;
    }
}

static void driver_takes(struct world *w)
{
    void *token = NULL;
    uint32_t written = 0;
    const char *fault = vt_virtqueue_fault(w->q);
    int rc = vt_virtqueue_take(w->q, &token, &written);
    if (rc == 1) {
        struct buffer *b = token;
        FUZZ_CHECK(fault == NULL && b >= w->buffers && b < w->buffers + BUFFERS);
        FUZZ_CHECK(b->pending && b->published && written <= b->holds);
        b->pending = false;
        w->pending--;
    } else if (rc == 0) {
        FUZZ_CHECK(fault == NULL && vt_virtqueue_fault(w->q) == NULL);
    } else {
        FUZZ_CHECK(rc == VT_VIRTIO_E_PROTOCOL && vt_virtqueue_fault(w->q) != NULL);
        FUZZ_CHECK(fault == NULL || fault == vt_virtqueue_fault(w->q));
    }
}

static void list(void *token, void *arg)
{
    struct world *w = arg;
    const struct buffer *b = token;
    FUZZ_CHECK(b->pending && (w->listed == 0 || b->number >= w->listed));
    w->listed = b->number + 1;
    w->pending--;
}

static void check_pending(struct world *w)
{
    uint32_t pending = w->pending;
    FUZZ_CHECK(vt_virtqueue_pending(w->q) == pending);
    w->listed = 0;
    vt_virtqueue_each_pending(w->q, list, w);
    FUZZ_CHECK(w->pending == 0);
    w->pending = pending;
}

static void device_writes(struct world *w, struct script *s)
{
    size_t at = (next(s) | next(s) << 8) % w->shared_bytes;
    for (unsigned n = 1 + next(s) % 16; n > 0 && at < w->shared_bytes; n--) {
        w->shared[at++] = (uint8_t)next(s);
    }
}

/** A descriptor or index as the rules are, but for whom it names and what it says was written. */
static void device_returns(struct world *w, struct script *s)
{
    uint16_t id = (uint16_t)(next(s) % (w->size + 1u));
    uint32_t bytes = next(s);
    if ((w->features & VT_VIRTIO_F_RING_PACKED) != 0) {
        struct vt_packed_desc *d = (struct vt_packed_desc *)w->desc + next(s) % w->size;
        d->id = id;
        d->bytes = bytes;
        d->flags = next(s) & 1 ? VT_PACKED_AVAIL | VT_PACKED_USED : 0;
    } else {
        struct vt_split_used *used = (struct vt_split_used *)w->used;
        used->ring[w->used_idx % w->size] = (struct vt_split_used_elem){id, bytes};
        used->idx = ++w->used_idx;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct script s = {bytes, bytes + count};
    struct world w = {.added = 0};
    /* On the heap, so that a step beyond the last area is seen. */
    uint8_t *memory = aligned_alloc(4096, ARENA_BYTES);
    FUZZ_CHECK(memory != NULL);
    struct vt_virtio_arena arena = {.base = memory, .device = 0x40000000, .bytes = ARENA_BYTES};
    create(&w, &s, &arena);
    for (unsigned steps = 0; s.at < s.end && steps < 4096; steps++) {
        switch (next(&s) % 8) {
        case 0:
        case 1:
            driver_adds(&w, &s);
            break;
        case 2:
            driver_publishes(&w);
            break;
        case 3:
            driver_takes(&w);
            break;
        case 4:
            vt_virtqueue_interrupts(w.q, next(&s) & 1);
            break;
        case 5:
            device_writes(&w, &s);
            break;
        case 6:
            device_returns(&w, &s);
            break;
        default:
            if (vt_virtqueue_fault(w.q) != NULL || next(&s) % 8 == 0) {
                vt_virtqueue_reset(w.q);
                memset(w.buffers, 0, sizeof w.buffers);
                w.pending = 0;
                w.used_idx = 0;
                FUZZ_CHECK(vt_virtqueue_fault(w.q) == NULL);
            }
        }
        check_pending(&w);
    }
    free(memory);
    return 0;
}
