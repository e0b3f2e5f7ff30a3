/* tests/unit/virtio/device_model.c - the model's RAM and rings. Registers: device_model_bus.c. */
#include "device_model_parts.h"

#include "virtio/barrier.h"

#include <stdlib.h>
#include <string.h>

#define RAM_DEFAULT ((size_t)1 << 20)

void model_complain(struct vt_model *m, const char *rule)
{
    if (m->complaint == NULL) {
        m->complaint = rule;
    }
}

void *vt_model_at(struct vt_model *m, uint64_t device, uint64_t bytes)
{
    uint64_t at = device - VT_MODEL_RAM;
    if (device < VT_MODEL_RAM || at > m->config.ram_bytes || bytes > m->config.ram_bytes - at) {
        return NULL;
    }
    return m->ram + at;
}

/** As vt_model_at, but there is always something: rings that lie outside RAM are the driver's
 *  mistake, not a reason to crash. */
static void *ring_at(struct vt_model *m, uint64_t device, uint64_t bytes)
{
    static _Alignas(16) uint8_t nowhere[4 + 8 * 32768 + 16 * 32768];
    void *p = vt_model_at(m, device, bytes);
    if (p == NULL) {
        model_complain(m, "a ring lies outside RAM");
        return nowhere;
    }
    return p;
}

static bool has(const struct vt_model *m, uint64_t feature)
{
    return (m->accepted & feature) != 0;
}

/* ---------------------------------------------------------------- life */

static uint64_t model_now(void *arg)
{
    const struct vt_model *m = arg;
    return m->now_ns;
}

static void model_relax(void *arg)
{
    vt_model_pass(arg, 1000000);
}

void vt_model_pass(struct vt_model *m, uint64_t ns)
{
    m->now_ns += ns;
}

struct vt_model *vt_model_create(const struct vt_model_config *config)
{
    struct vt_model *m = calloc(1, sizeof *m);
    if (m == NULL) {
        abort();
    }
    m->config = *config;
    m->config.features |= VT_VIRTIO_F_VERSION_1;
    m->config.queue_max = config->queue_max != 0 ? config->queue_max : 256;
    m->config.ram_bytes = config->ram_bytes != 0 ? config->ram_bytes : RAM_DEFAULT;
    if (config->queues > VT_MODEL_QUEUES || config->config_bytes > MODEL_CONFIG_MAX) {
        abort();
    }
    if (config->config != NULL) {
        memcpy(m->config_bytes, config->config, config->config_bytes);
    }
    m->ram = aligned_alloc(4096, (m->config.ram_bytes + 4095) & ~(size_t)4095);
    if (m->ram == NULL) {
        abort();
    }
    memset(m->ram, 0xa5, m->config.ram_bytes);
    m->clock = (struct vt_virtio_clock){.now_ns = model_now, .relax = model_relax, .arg = m};
    model_bus_init(m);
    model_reset(m);
    m->counts = (struct vt_model_counts){.notifications = 0};
    return m;
}

static void drop_buffer(struct model_buffer *b)
{
    free(b->in);
    free(b->out);
    free(b);
}

static void drop_buffers(struct model_queue *q)
{
    while (q->oldest != NULL) {
        struct model_buffer *b = q->oldest;
        q->oldest = b->next;
        drop_buffer(b);
    }
}

void model_reset(struct vt_model *m)
{
    for (unsigned i = 0; i < VT_MODEL_QUEUES; i++) {
        drop_buffers(&m->queues[i]);
        m->queues[i] = (struct model_queue){
            .size = i < m->config.queues ? m->config.queue_max : 0,
            .avail_wrap = true,
            .used_wrap = true,
            .vector = 0xffff,
        };
    }
    m->status = 0;
    m->accepted = 0;
    m->device_sel = m->driver_sel = m->isr = 0;
    m->queue_sel = 0;
    m->config_vector = 0xffff;
    m->broken = false;
    m->counts.resets++;
}

void vt_model_destroy(struct vt_model *m)
{
    if (m == NULL) {
        return;
    }
    for (unsigned i = 0; i < VT_MODEL_QUEUES; i++) {
        drop_buffers(&m->queues[i]);
    }
    free(m->ram);
    free(m);
}

const struct vt_virtio_bus *vt_model_bus(struct vt_model *m)
{
    return &m->bus;
}

const struct vt_virtio_clock *vt_model_clock(struct vt_model *m)
{
    return &m->clock;
}

struct vt_virtio_arena vt_model_arena(struct vt_model *m)
{
    return (struct vt_virtio_arena){
        .base = m->ram, .device = VT_MODEL_RAM, .bytes = m->config.ram_bytes};
}

void vt_model_attach(struct vt_model *m, const struct vt_virtqueue *q, uint64_t features)
{
    struct model_queue *mq = &m->queues[vt_virtqueue_index(q)];
    drop_buffers(mq);
    *mq = (struct model_queue){
        .size = vt_virtqueue_size(q), .ready = true, .avail_wrap = true, .used_wrap = true};
    vt_virtqueue_addresses(q, &mq->desc, &mq->driver, &mq->device);
    m->accepted = features;
    m->status =
        VT_VIRTIO_ACKNOWLEDGE | VT_VIRTIO_DRIVER | VT_VIRTIO_FEATURES_OK | VT_VIRTIO_DRIVER_OK;
}

/* ---------------------------------------------------------------- buffers in */

/** A descriptor of either ring, in one form. */
struct model_desc {
    uint64_t address;
    uint32_t bytes;
    unsigned flags;
};

struct chain {
    struct vt_model *m;
    struct vt_virtio_piece pieces[MODEL_PIECES_MAX];
    unsigned n_out, n;
    uint64_t out_bytes, in_bytes;
};

static void chain_add(struct chain *c, const struct model_desc *d)
{
    bool in = (d->flags & VT_DESC_WRITE) != 0;
    if (vt_model_at(c->m, d->address, d->bytes) == NULL) {
        model_complain(c->m, "a piece lies outside RAM");
    } else if (d->bytes == 0) {
        model_complain(c->m, "an empty piece");
    } else if (!in && c->n > c->n_out) {
        model_complain(c->m, "a piece to read behind one to write");
    } else if (c->n == MODEL_PIECES_MAX) {
        model_complain(c->m, "too many pieces");
    } else {
        c->pieces[c->n++] = (struct vt_virtio_piece){.device = d->address, .bytes = d->bytes};
        c->n_out += !in;
        *(in ? &c->in_bytes : &c->out_bytes) += d->bytes;
    }
}

static void chain_add_table(struct chain *c, const struct model_desc *d, uint16_t size, bool packed)
{
    unsigned n = d->bytes / 16;
    if (!has(c->m, VT_VIRTIO_F_INDIRECT_DESC)) {
        model_complain(c->m, "an indirect table without the feature");
    }
    if (d->bytes % 16 != 0 || n == 0 || n > size) {
        model_complain(c->m, "an indirect table of an impossible size");
        return;
    }
    if ((d->flags & (VT_DESC_NEXT | VT_DESC_WRITE)) != 0) {
        model_complain(c->m, "an indirect descriptor that goes on or is written");
    }
    const uint8_t *table = vt_model_at(c->m, d->address, d->bytes);
    if (table == NULL) {
        model_complain(c->m, "an indirect table outside RAM");
        return;
    }
    unsigned at = 0;
    for (unsigned i = 0; i < n; i++) {
        struct model_desc one;
        if (packed) {
            struct vt_packed_desc p;
            memcpy(&p, table + i * sizeof p, sizeof p);
            one = (struct model_desc){p.address, p.bytes, p.flags};
            if ((p.flags & ~VT_DESC_WRITE) != 0) {
                model_complain(c->m, "flags in a packed indirect table");
            }
            chain_add(c, &one);
            continue;
        }
        struct vt_split_desc s;
        memcpy(&s, table + at * sizeof s, sizeof s);
        one = (struct model_desc){s.address, s.bytes, s.flags};
        if ((s.flags & VT_DESC_INDIRECT) != 0) {
            model_complain(c->m, "a table in a table");
        }
        chain_add(c, &one);
        if ((s.flags & VT_DESC_NEXT) == 0) {
            if (i + 1 != n) {
                model_complain(c->m, "an indirect table longer than its chain");
            }
            return;
        }
        if (s.next >= n || i + 1 == n) {
            model_complain(c->m, "an indirect chain without an end");
            return;
        }
        at = s.next;
    }
}

static struct model_buffer *buffer_of(struct vt_model *m, uint16_t queue, const struct chain *c,
                                      uint16_t id, uint16_t entries)
{
    struct model_queue *q = &m->queues[queue];
    struct model_buffer **last = &q->oldest;
    for (; *last != NULL; last = &(*last)->next) {
        if ((*last)->seen.id == id) {
            model_complain(m, "an id that is in use");
        }
    }
    struct model_buffer *b = calloc(1, sizeof *b);
    if (b == NULL) {
        abort();
    }
    b->n_in = c->n - c->n_out;
    b->in = malloc(b->n_in * sizeof *b->in + 1);
    b->out = malloc(c->out_bytes + 1);
    if (b->in == NULL || b->out == NULL) {
        abort();
    }
    memcpy(b->in, c->pieces + c->n_out, b->n_in * sizeof *b->in);
    uint32_t at = 0;
    for (unsigned i = 0; i < c->n_out; i++) {
        memcpy(b->out + at, vt_model_at(m, c->pieces[i].device, c->pieces[i].bytes),
               c->pieces[i].bytes);
        at += c->pieces[i].bytes;
    }
    b->entries = entries;
    b->seen = (struct vt_model_buffer){
        .model = m,
        .queue = queue,
        .id = id,
        .number = m->counts.buffers++,
        .out = b->out,
        .out_bytes = (uint32_t)c->out_bytes,
        .in_bytes = (uint32_t)c->in_bytes,
    };
    *last = b;
    return b;
}

static struct model_buffer *split_next(struct vt_model *m, uint16_t queue)
{
    struct model_queue *q = &m->queues[queue];
    struct vt_split_avail *avail = ring_at(m, q->driver, vt_split_avail_bytes(q->size));
    uint16_t n = (uint16_t)(vt_virtio_load_acquire(&avail->idx) - q->avail);
    if (n == 0) {
        return NULL;
    }
    if (n > q->size) {
        model_complain(m, "the available index jumped");
        return NULL;
    }
    const struct vt_split_desc *desc = ring_at(m, q->desc, vt_split_desc_bytes(q->size));
    uint16_t head = VT_LOAD(avail->ring[q->avail % q->size]);
    q->avail++;
    struct chain c = {.m = m};
    uint16_t at = head, entries = 0;
    do {
        if (at >= q->size || entries == q->size) {
            model_complain(m, "a chain that leaves the table or does not end");
            break;
        }
        struct model_desc one = {desc[at].address, desc[at].bytes, desc[at].flags};
        entries++;
        if ((one.flags & VT_DESC_INDIRECT) != 0) {
            chain_add_table(&c, &one, q->size, false);
            break;
        }
        chain_add(&c, &one);
        if ((one.flags & VT_DESC_NEXT) == 0) {
            break;
        }
        at = desc[at].next;
    } while (true);
    return buffer_of(m, queue, &c, head, entries);
}

static struct model_buffer *packed_next(struct vt_model *m, uint16_t queue)
{
    struct model_queue *q = &m->queues[queue];
    const struct vt_packed_desc *desc = ring_at(m, q->desc, sizeof *desc * q->size);
    struct chain c = {.m = m};
    uint16_t entries = 0, id = 0;
    bool more = true;
    while (more) {
        const struct vt_packed_desc *d = &desc[q->avail];
        uint16_t flags = vt_virtio_load_acquire(&d->flags);
        bool avail = (flags & VT_PACKED_AVAIL) != 0, used = (flags & VT_PACKED_USED) != 0;
        if (avail != q->avail_wrap || used == q->avail_wrap) {
            if (entries > 0) {
                model_complain(m, "a chain whose head was shown before its end");
            }
            return NULL;
        }
        if (entries == q->size) {
            model_complain(m, "a chain longer than the ring");
            return NULL;
        }
        struct model_desc one = {d->address, d->bytes, flags};
        if ((flags & VT_DESC_INDIRECT) != 0) {
            chain_add_table(&c, &one, q->size, true);
        } else {
            chain_add(&c, &one);
        }
        id = d->id;
        more = (flags & VT_DESC_NEXT) != 0;
        entries++;
        if (++q->avail == q->size) {
            q->avail = 0;
            q->avail_wrap = !q->avail_wrap;
        }
    }
    return buffer_of(m, queue, &c, id, entries);
}

/** Says from which buffer on it wants to hear. */
static void show_wish(struct vt_model *m, uint16_t queue)
{
    struct model_queue *q = &m->queues[queue];
    if (has(m, VT_VIRTIO_F_RING_PACKED)) {
        struct vt_packed_event *e = ring_at(m, q->device, sizeof *e);
        enum vt_packed_event_flags on =
            has(m, VT_VIRTIO_F_EVENT_IDX) ? VT_PACKED_EVENT_AT : VT_PACKED_EVENT_ON;
        VT_STORE(e->where, (uint16_t)(q->avail | (q->avail_wrap ? VT_PACKED_WRAP : 0)));
        vt_virtio_store_release(&e->flags, (uint16_t)(q->notify_off ? VT_PACKED_EVENT_OFF : on));
        return;
    }
    struct vt_split_used *used = ring_at(m, q->device, vt_split_used_bytes(q->size));
    bool event_index = has(m, VT_VIRTIO_F_EVENT_IDX);
    VT_STORE(used->flags, q->notify_off && !event_index ? VT_SPLIT_USED_NO_NOTIFY : 0);
    if (event_index) {
        uint16_t *event = (uint16_t *)&used->ring[q->size];
        VT_STORE(*event, (uint16_t)(q->avail + (q->notify_off ? 0x8000 : 0)));
    }
}

unsigned vt_model_run(struct vt_model *m, uint16_t queue)
{
    struct model_queue *q = &m->queues[queue];
    unsigned n = 0;
    while (q->ready && !m->broken) {
        struct model_buffer *b =
            has(m, VT_VIRTIO_F_RING_PACKED) ? packed_next(m, queue) : split_next(m, queue);
        if (b == NULL) {
            break;
        }
        n++;
        if (m->config.serve != NULL) {
            m->config.serve(&b->seen, m->config.arg);
        }
    }
    if (q->ready) {
        show_wish(m, queue);
        vt_virtio_barrier(); /* before the caller, who may sleep, runs it once more */
    }
    return n;
}

void model_notified(struct vt_model *m, uint32_t value)
{
    uint16_t queue = (uint16_t)value;
    m->counts.notifications++;
    m->counts.last_notification = value;
    if (queue >= m->config.queues || !m->queues[queue].ready) {
        model_complain(m, "a notification for a queue that is not there");
        return;
    }
    if ((m->status & VT_VIRTIO_DRIVER_OK) == 0) {
        model_complain(m, "a notification before DRIVER_OK");
    }
    if (has(m, VT_VIRTIO_F_NOTIFICATION_DATA) != (value > 0xffff) && value >> 16 != 0) {
        model_complain(m, "a notification with data that was not negotiated");
    }
    if (!m->held) {
        vt_model_run(m, queue);
    }
}

void vt_model_hold(struct vt_model *m, bool held)
{
    m->held = held;
}

void vt_model_wants_notifications(struct vt_model *m, uint16_t queue, bool wanted)
{
    m->queues[queue].notify_off = !wanted;
    show_wish(m, queue);
}

struct vt_model_buffer *vt_model_pending(struct vt_model *m, uint16_t queue, unsigned i)
{
    struct model_buffer *b = m->queues[queue].oldest;
    while (b != NULL && i-- > 0) {
        b = b->next;
    }
    return b != NULL ? &b->seen : NULL;
}

/* ---------------------------------------------------------------- buffers out */

void model_interrupt(struct vt_model *m, uint32_t bit)
{
    m->isr |= bit;
    m->counts.interrupts++;
    if (m->config.interrupt != NULL) {
        m->config.interrupt(m->config.arg);
    }
}

static void split_put_used(struct vt_model *m, struct model_queue *q, uint32_t id, uint32_t said)
{
    struct vt_split_used *used = ring_at(m, q->device, vt_split_used_bytes(q->size));
    struct vt_split_avail *avail = ring_at(m, q->driver, vt_split_avail_bytes(q->size));
    struct vt_split_used_elem *e = &used->ring[q->used % q->size];
    VT_STORE(e->id, id);
    VT_STORE(e->bytes, said);
    q->used++;
    vt_virtio_store_release(&used->idx, q->used);
    vt_virtio_barrier();
    uint16_t event = VT_LOAD(avail->ring[q->size]);
    bool wanted = has(m, VT_VIRTIO_F_EVENT_IDX)
                      ? vt_virtio_event_passed(event, q->used, (uint16_t)(q->used - 1)) != 0
                      : (VT_LOAD(avail->flags) & VT_SPLIT_AVAIL_NO_INTERRUPT) == 0;
    if (wanted) {
        model_interrupt(m, 1);
    }
}

static void packed_put_used(struct vt_model *m, struct model_queue *q, uint32_t id, uint32_t said,
                            uint16_t entries)
{
    struct vt_packed_desc *desc = ring_at(m, q->desc, sizeof *desc * q->size);
    struct vt_packed_event *event = ring_at(m, q->driver, sizeof *event);
    struct vt_packed_desc *d = &desc[q->used];
    uint16_t here = (uint16_t)(q->used | (q->used_wrap ? VT_PACKED_WRAP : 0));
    VT_STORE(d->id, (uint16_t)id);
    VT_STORE(d->bytes, said);
    uint16_t flags = (uint16_t)(q->used_wrap ? VT_PACKED_AVAIL | VT_PACKED_USED : 0);
    vt_virtio_store_release(&d->flags, flags);
    vt_virtio_barrier();
    uint16_t wish = vt_virtio_load_acquire(&event->flags);
    bool wanted = wish == VT_PACKED_EVENT_ON;
    if (wish == VT_PACKED_EVENT_AT) {
        if (!has(m, VT_VIRTIO_F_EVENT_IDX)) {
            model_complain(m, "a descriptor event without the feature");
        }
        /* Within the buffer's entries? */
        uint32_t far = (uint32_t)(VT_LOAD(event->where) & (VT_PACKED_WRAP - 1)) + q->size -
                       (uint32_t)(here & (VT_PACKED_WRAP - 1));
        wanted = far % q->size < entries;
    } else if (wish > VT_PACKED_EVENT_AT) {
        model_complain(m, "event flags that do not exist");
    }
    q->used = (uint16_t)(q->used + entries);
    if (q->used >= q->size) {
        q->used = (uint16_t)(q->used - q->size);
        q->used_wrap = !q->used_wrap;
    }
    if (wanted) {
        model_interrupt(m, 1);
    }
}

static void put_used(struct vt_model *m, uint16_t queue, uint32_t id, uint32_t said,
                     uint16_t entries)
{
    struct model_queue *q = &m->queues[queue];
    if (!q->ready) {
        return;
    }
    m->counts.returned++;
    if (has(m, VT_VIRTIO_F_RING_PACKED)) {
        packed_put_used(m, q, id, said, entries);
    } else {
        split_put_used(m, q, id, said);
    }
}

void vt_model_return_lying(struct vt_model_buffer *seen, const void *bytes, uint32_t n, uint32_t id,
                           uint32_t said)
{
    struct vt_model *m = seen->model;
    struct model_buffer **at = &m->queues[seen->queue].oldest;
    while (*at != NULL && &(*at)->seen != seen) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        abort(); /* the test's own mistake */
    }
    struct model_buffer *b = *at;
    const uint8_t *from = bytes;
    for (unsigned i = 0; i < b->n_in && n > 0; i++) {
        uint32_t part = n < b->in[i].bytes ? n : b->in[i].bytes;
        memcpy(vt_model_at(m, b->in[i].device, part), from, part);
        from += part;
        n -= part;
    }
    uint16_t queue = seen->queue, entries = b->entries;
    *at = b->next;
    drop_buffer(b);
    put_used(m, queue, id, said, entries);
}

void vt_model_return(struct vt_model_buffer *b, const void *bytes, uint32_t n)
{
    uint32_t fits = n < b->in_bytes ? n : b->in_bytes;
    vt_model_return_lying(b, bytes, fits, b->id, fits);
}

void vt_model_return_unknown(struct vt_model *m, uint16_t queue, uint32_t id, uint32_t said)
{
    put_used(m, queue, id, said, 1);
}

void vt_model_jump(struct vt_model *m, uint16_t queue, uint16_t by)
{
    struct model_queue *q = &m->queues[queue];
    struct vt_split_used *used = ring_at(m, q->device, vt_split_used_bytes(q->size));
    q->used = (uint16_t)(q->used + by);
    used->idx = q->used;
}

void vt_model_break(struct vt_model *m)
{
    m->broken = true;
    m->status |= VT_VIRTIO_NEEDS_RESET;
    model_interrupt(m, 2);
}

void vt_model_change_config(struct vt_model *m, uint32_t offset, const void *bytes, uint32_t n)
{
    if (offset > m->config.config_bytes || n > m->config.config_bytes - offset) {
        abort();
    }
    memcpy(m->config_bytes + offset, bytes, n);
    m->generation++;
    model_interrupt(m, 2);
}

void vt_model_lie(struct vt_model *m, unsigned lies)
{
    m->lies = lies;
}

const char *vt_model_complaint(const struct vt_model *m)
{
    return m->complaint;
}

const struct vt_model_counts *vt_model_counts(const struct vt_model *m)
{
    return &m->counts;
}

uint8_t vt_model_status(const struct vt_model *m)
{
    return m->status;
}

uint64_t vt_model_features(const struct vt_model *m)
{
    return m->accepted;
}
