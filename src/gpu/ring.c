/* gpu/ring.c - a queue that is watched: its commands from being seen to being told of. See ring.h.
 *
 * Each command on its way has a slot under the number that names it on the ring. What a guest
 * writes is copied before it is looked at; memory for it grows with what was there to copy.
 */
#include "gpu/ring_parts.h"

#include "virtio/barrier.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Kept with a slot for its next command; more is given back. */
#define ROOM_KEPT 4096u
/* Of a command that comes when the budget is used up. */
#define ROOM_LEAST 256u

/* ---------------------------------------------------------------- telling */

static void tell(struct vt_vgpu_ring_watch *w, const struct vt_vgpu_event_seen *e)
{
    if (!w->ended && !w->c.fn(e, w->c.arg)) {
        w->ended = true;
    }
}

static void tell_lost(struct vt_vgpu_ring_watch *w)
{
    if (w->lost > 0) {
        const struct vt_vgpu_event_seen e = {
            .kind = VT_VGPU_SEEN_LOST,
            .flags = VT_VGPU_TIMES_ARE_BOUNDS,
            .queue = (uint8_t)w->c.queue,
            .sequence = w->lost_sequence,
            .lost = w->lost,
            .submitted_ns = w->now_ns,
        };
        w->counts.lost += w->lost;
        w->lost = 0;
        tell(w, &e);
    }
}

void count_lost(struct vt_vgpu_ring_watch *w, uint64_t sequence, uint64_t n)
{
    if (w->lost == 0) {
        w->lost_sequence = sequence;
    }
    w->lost += n;
}

/* ---------------------------------------------------------------- a slot's memory */

static uint8_t *grow(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t bytes)
{
    uint32_t want = s->request_bytes + bytes;
    uint32_t most = VT_VGPU_PAYLOAD_MAX;
    if (w->kept + want > VT_VGPU_KEPT_MAX) {
        most = s->request_room > ROOM_LEAST ? s->request_room : ROOM_LEAST;
    }
    if (want > most) {
        return NULL;
    }
    if (want > s->request_room) {
        uint32_t room = s->request_room < 64 ? 64 : s->request_room;
        while (room < want) {
            room *= 2;
        }
        uint8_t *to = realloc(s->request, room);
        if (to == NULL) {
            return NULL;
        }
        w->kept += room - s->request_room;
        s->request = to;
        s->request_room = room;
    }
    return s->request + s->request_bytes;
}

static void copy_piece(struct vt_vgpu_ring_watch *w, struct slot *s, uint64_t address,
                       uint32_t bytes)
{
    if (bytes > VT_VGPU_PAYLOAD_MAX - s->request_bytes) {
        bytes = VT_VGPU_PAYLOAD_MAX - s->request_bytes;
        s->flags |= VT_VGPU_CUT;
    }
    uint8_t *to = grow(w, s, bytes);
    if (to == NULL || vt_ram_read(w->c.ram, VT_GPA(address), to, bytes, NULL) != 0) {
        s->flags |= VT_VGPU_CUT;
        w->counts.faults += to != NULL;
        return;
    }
    s->request_bytes += bytes;
}

void slot_piece(struct vt_vgpu_ring_watch *w, struct slot *s, uint64_t address, uint32_t bytes,
                bool device_writes)
{
    if (s->n_pieces == VT_VGPU_PIECES_MAX) {
        s->flags |= VT_VGPU_CUT;
        return;
    }
    s->n_pieces++;
    if (bytes == 0) { /* devices refuse those */
        w->counts.faults++;
        return;
    }
    if (!device_writes) {
        if (s->request_at == 0) {
            s->request_at = address;
        }
        if ((s->flags & VT_VGPU_CUT) == 0) { /* not with a hole in it */
            copy_piece(w, s, address, bytes);
        }
        return;
    }
    if (s->n_in == s->in_room) {
        uint32_t room = s->in_room == 0 ? 2 : s->in_room * 2;
        struct piece *in = realloc(s->in, room * sizeof *in);
        if (in == NULL) {
            s->flags |= VT_VGPU_CUT;
            return;
        }
        s->in = in;
        s->in_room = room;
    }
    if (s->n_in == 0) {
        s->answer_at = address;
    }
    s->in[s->n_in++] = (struct piece){address, bytes};
}

void slot_table(struct vt_vgpu_ring_watch *w, struct slot *s, uint64_t address, uint32_t bytes,
                bool follow)
{
    _Static_assert(sizeof(struct vt_split_desc) == sizeof(struct vt_packed_desc) &&
                       offsetof(struct vt_split_desc, flags) == 12 &&
                       offsetof(struct vt_packed_desc, flags) == 14,
                   "both kinds are read as 16 bytes");
    uint32_t n = bytes / (uint32_t)sizeof(struct vt_split_desc);
    s->table_at = address;
    if (n == 0 || n > VT_VGPU_PIECES_MAX || address > UINT64_MAX - bytes) {
        s->flags |= VT_VGPU_CUT;
        w->counts.faults++;
        return;
    }
    uint32_t at = 0;
    for (uint32_t steps = 0; steps < n; steps++) {
        struct vt_split_desc d;
        if (vt_ram_read(w->c.ram, VT_GPA(address + at * sizeof d), &d, sizeof d, NULL) != 0) {
            s->flags |= VT_VGPU_CUT;
            w->counts.faults++;
            return;
        }
        if (follow) {
            slot_piece(w, s, d.address, d.bytes, (d.flags & VT_DESC_WRITE) != 0);
            if ((d.flags & VT_DESC_NEXT) == 0) {
                return;
            }
            at = d.next;
        } else {
            struct vt_packed_desc p;
            memcpy(&p, &d, sizeof p);
            slot_piece(w, s, p.address, p.bytes, (p.flags & VT_DESC_WRITE) != 0);
            at = steps + 1;
        }
        if (at >= n) {
            break;
        }
    }
    if (follow) { /* the last one led on: out of the table or in a circle */
        s->flags |= VT_VGPU_CUT;
        w->counts.faults++;
    }
}

/* ---------------------------------------------------------------- a slot's life */

struct slot *slot_begin(struct vt_vgpu_ring_watch *w, uint16_t id)
{
    struct slot *s = &w->slots[id];
    *s = (struct slot){
        .active = true,
        .sequence = (*w->c.sequence)++,
        .submitted_ns = w->now_ns,
        .batch = w->batch,
        .flags = VT_VGPU_TIMES_ARE_BOUNDS,
        .active_at = w->n_active,
        .request = s->request,
        .request_room = s->request_room,
        .in = s->in,
        .in_room = s->in_room,
    };
    w->active[w->n_active++] = id;
    return s;
}

static void slot_end(struct vt_vgpu_ring_watch *w, struct slot *s)
{
    uint16_t last = w->active[--w->n_active];
    w->active[s->active_at] = last;
    w->slots[last].active_at = s->active_at;
    s->active = false;
    if (s->request_room > ROOM_KEPT) {
        w->kept -= s->request_room;
        free(s->request);
        s->request = NULL;
        s->request_room = 0;
    }
}

/* Does a newer command use the same memory, as far as has been seen? */
static bool shared_with_newer(const struct vt_vgpu_ring_watch *w, const struct slot *s, bool answer)
{
    for (uint32_t i = 0; i < w->n_active; i++) {
        const struct slot *o = &w->slots[w->active[i]];
        if (o == s || o->sequence < s->sequence || o->unseen) {
            continue;
        }
        if (answer ? o->answer_at != 0 && o->answer_at == s->answer_at
                   : (o->table_at != 0 && o->table_at == s->table_at) ||
                         (o->request_at != 0 && o->request_at == s->request_at)) {
            return true;
        }
    }
    return false;
}

bool slot_is_request(const struct vt_vgpu_ring_watch *w, const struct slot *s)
{
    const struct vt_vgpu_message *message;
    uint32_t elements;
    enum vt_vgpu_verdict v =
        vt_vgpu_check_request(s->request, s->request_bytes, &message, &elements);
    return (v == VT_VGPU_WELL || v == VT_VGPU_LONG) && (s->flags & VT_VGPU_CUT) == 0 &&
           vt_vgpu_command_of(message->type)->queue == w->c.queue;
}

void slot_late(struct vt_vgpu_ring_watch *w, struct slot *s, bool reused)
{
    bool right = !reused && slot_is_request(w, s) && !shared_with_newer(w, s, false);
    s->flags |= right ? VT_VGPU_LATE : VT_VGPU_STALE_REQUEST;
}

static void tell_command(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t written,
                         uint32_t answer_bytes)
{
    const struct vt_vgpu_event_seen e = {
        .kind = VT_VGPU_SEEN_COMMAND,
        .flags = s->flags,
        .sequence = s->sequence,
        .submitted_ns = s->submitted_ns,
        .answered_ns = (s->flags & VT_VGPU_NO_RESPONSE) != 0 ? 0 : w->now_ns,
        .queue = (uint8_t)w->c.queue,
        .slot = (uint16_t)(s - w->slots),
        .written = written,
        .request = s->request_bytes > 0 ? s->request : NULL,
        .request_bytes = s->request_bytes,
        .response = answer_bytes > 0 ? w->answer : NULL,
        .response_bytes = answer_bytes,
    };
    w->counts.commands++;
    w->counts.late += (s->flags & VT_VGPU_LATE) != 0;
    w->counts.stale_requests += (s->flags & VT_VGPU_STALE_REQUEST) != 0;
    w->counts.stale_responses += (s->flags & VT_VGPU_STALE_RESPONSE) != 0;
    w->counts.unanswered += (s->flags & VT_VGPU_NO_RESPONSE) != 0;
    tell_lost(w);
    tell(w, &e);
    slot_end(w, s);
}

void slot_unanswered(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t flags)
{
    if (s->unseen) {
        count_lost(w, s->sequence, 1);
        slot_end(w, s);
        return;
    }
    s->flags |= flags;
    tell_command(w, s, 0, 0);
}

uint32_t slot_answer(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t written)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_in && n < written && n < VT_VGPU_PAYLOAD_MAX; i++) {
        uint32_t bytes = s->in[i].bytes;
        bytes = bytes < written - n ? bytes : written - n;
        bytes = bytes < VT_VGPU_PAYLOAD_MAX - n ? bytes : VT_VGPU_PAYLOAD_MAX - n;
        if (vt_ram_read(w->c.ram, VT_GPA(s->in[i].address), w->answer + n, bytes, NULL) != 0) {
            break;
        }
        n += bytes;
    }
    if (n < written && (s->flags & (VT_VGPU_LATE | VT_VGPU_STALE_REQUEST)) != 0) {
        s->flags |= VT_VGPU_STALE_RESPONSE; /* its descriptor was used again, too */
    } else if (n < written && !s->unseen) {
        s->flags |= VT_VGPU_CUT;
        w->counts.faults += n < VT_VGPU_PAYLOAD_MAX;
    }
    vt_virtio_barrier_acquire(); /* before the caller looks who uses the memory now */
    return n;
}

void slot_complete(struct vt_vgpu_ring_watch *w, struct slot *s, uint32_t written, uint32_t n,
                   bool reused)
{
    if (s->unseen) {
        count_lost(w, s->sequence, 1);
        slot_end(w, s);
        return;
    }
    struct vt_vgpu_header request = {0};
    const struct vt_vgpu_message *message;
    uint32_t elements;
    if (s->request_bytes >= sizeof request) {
        memcpy(&request, s->request, sizeof request);
    }
    enum vt_vgpu_verdict v = vt_vgpu_check_response(&request, w->answer, n, &message, &elements);
    bool fits = v == VT_VGPU_WELL || v == VT_VGPU_LONG;
    bool fenced = (request.flags & VT_VGPU_FLAG_FENCE) != 0;
    reused = reused || shared_with_newer(w, s, true);
    if (n > 0 && (!fits || (reused && !fenced) || (s->flags & VT_VGPU_STALE_REQUEST) != 0)) {
        s->flags |= VT_VGPU_STALE_RESPONSE;
    }
    tell_command(w, s, written, n);
}

/* ---------------------------------------------------------------- the queue */

static bool is_aligned(const struct vt_vgpu_ring_config *c)
{
    bool packed = c->kind == VT_VGPU_RING_PACKED;
    return c->ring.desc % VT_SPLIT_DESC_ALIGNMENT == 0 &&
           c->ring.driver % (packed ? VT_PACKED_EVENT_ALIGNMENT : VT_SPLIT_AVAIL_ALIGNMENT) == 0 &&
           c->ring.device % VT_SPLIT_USED_ALIGNMENT == 0;
}

static int map_rings(struct vt_vgpu_ring_watch *w, struct vt_error *err)
{
    const struct vt_vgpu_ring *r = &w->c.ring;
    bool packed = w->c.kind == VT_VGPU_RING_PACKED;
    const void *desc, *driver, *device;
    int rc = vt_ram_ptr(w->c.ram, VT_GPA(r->desc), (uint64_t)r->size * sizeof(struct vt_split_desc),
                        &desc, err);
    if (rc == 0) {
        rc = vt_ram_ptr(w->c.ram, VT_GPA(r->driver),
                        packed ? sizeof(struct vt_packed_event) : vt_split_avail_bytes(r->size),
                        &driver, err);
    }
    if (rc == 0) {
        rc = vt_ram_ptr(w->c.ram, VT_GPA(r->device),
                        packed ? sizeof(struct vt_packed_event) : vt_split_used_bytes(r->size),
                        &device, err);
    }
    if (rc == 0) {
        w->desc = desc;
        w->driver = driver;
        w->device = device;
    }
    return rc;
}

/* Behind what the device has returned; the buffers it holds are seen as new ones. */
static void start_split(struct vt_vgpu_ring_watch *w)
{
    uint16_t used = load_u16(w->device + offsetof(struct vt_split_used, idx));
    uint16_t avail = load_u16(w->driver + offsetof(struct vt_split_avail, idx));
    w->next_avail = used;
    w->next_used = used;
    if (w->c.history) {
        uint16_t back = avail < w->size ? avail : w->size;
        if ((uint16_t)(avail - used) <= back) {
            w->next_avail = w->next_used = (uint16_t)(avail - back);
        }
    }
}

int vt_vgpu_ring_watch_create(const struct vt_vgpu_ring_config *config,
                              struct vt_vgpu_ring_watch **watch, struct vt_error *err)
{
    uint16_t size = config->ring.size;
    bool power = (size & (size - 1)) == 0;
    if (config->kind == VT_VGPU_RING_NONE || size == 0) {
        return vt_fail(err, VT_E_INVAL, "the queue is not set up");
    }
    if (!is_aligned(config) || size > VT_SPLIT_SIZE_MAX ||
        (config->kind == VT_VGPU_RING_SPLIT && !power)) {
        return vt_fail(err, VT_E_CORRUPT,
                       "a queue of %u descriptors at 0x%" PRIx64 ", 0x%" PRIx64 " and 0x%" PRIx64
                       " is none",
                       size, config->ring.desc, config->ring.driver, config->ring.device);
    }
    struct vt_vgpu_ring_watch *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a queue: out of memory");
    }
    w->c = *config;
    w->size = size;
    w->slots = calloc(size, sizeof *w->slots);
    w->active = calloc(size, sizeof *w->active);
    w->batch_heads = calloc(size, sizeof *w->batch_heads);
    w->last_in_batch = calloc(size, sizeof *w->last_in_batch);
    w->answer = malloc(VT_VGPU_PAYLOAD_MAX);
    int rc = w->slots == NULL || w->active == NULL || w->batch_heads == NULL ||
                     w->last_in_batch == NULL || w->answer == NULL
                 ? vt_fail(err, VT_E_NOMEM, "a queue: out of memory")
                 : map_rings(w, err);
    if (rc != 0) {
        vt_vgpu_ring_watch_destroy(w);
        return rc;
    }
    if (config->kind == VT_VGPU_RING_PACKED) {
        start_packed(w, &config->ring);
    } else {
        start_split(w);
    }
    *watch = w;
    return 0;
}

void vt_vgpu_ring_watch_destroy(struct vt_vgpu_ring_watch *w)
{
    if (w == NULL) {
        return;
    }
    for (unsigned i = 0; w->slots != NULL && i < w->size; i++) {
        free(w->slots[i].request);
        free(w->slots[i].in);
    }
    free(w->slots);
    free(w->active);
    free(w->batch_heads);
    free(w->last_in_batch);
    free(w->answer);
    free(w);
}

enum vt_vgpu_poll vt_vgpu_ring_poll(struct vt_vgpu_ring_watch *w, uint64_t now_ns)
{
    w->now_ns = now_ns;
    w->batch++;
    enum vt_vgpu_poll result = w->c.kind == VT_VGPU_RING_PACKED ? poll_packed(w) : poll_split(w);
    tell_lost(w);
    return w->ended ? VT_VGPU_ENDED : result;
}

struct slot *slot_oldest(struct vt_vgpu_ring_watch *w)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < w->n_active; i++) {
        if (w->slots[w->active[i]].sequence < w->slots[w->active[oldest]].sequence) {
            oldest = i;
        }
    }
    return &w->slots[w->active[oldest]];
}

static void drop_all(struct vt_vgpu_ring_watch *w, uint32_t flags)
{
    while (w->n_active > 0) {
        slot_unanswered(w, slot_oldest(w), flags);
    }
    tell_lost(w);
}

void vt_vgpu_ring_end(struct vt_vgpu_ring_watch *w, uint64_t now_ns)
{
    w->now_ns = now_ns;
    drop_all(w, VT_VGPU_NO_RESPONSE);
}

void vt_vgpu_ring_resync(struct vt_vgpu_ring_watch *w, const struct vt_vgpu_ring *ring,
                         uint64_t now_ns)
{
    w->now_ns = now_ns;
    drop_all(w, VT_VGPU_STALE_RESPONSE);
    uint64_t lost = 1; /* at least: positions on a packed ring do not count laps */
    uint16_t before = w->next_avail;
    if (w->c.kind == VT_VGPU_RING_PACKED) {
        start_packed(w, ring);
    } else {
        bool history = w->c.history;
        w->c.history = false;
        start_split(w);
        w->c.history = history;
        int16_t passed = (int16_t)(w->next_avail - before);
        lost = passed > 0 ? (uint64_t)passed : 0;
    }
    if (lost > 0) {
        count_lost(w, *w->c.sequence, lost);
        *w->c.sequence += lost;
        tell_lost(w);
    }
}

uint16_t vt_vgpu_ring_position(const struct vt_vgpu_ring_watch *w)
{
    return w->next_used;
}

bool vt_vgpu_ring_goes_on(const struct vt_vgpu_ring_watch *w, const struct vt_vgpu_ring *ring,
                          uint16_t since)
{
    const struct vt_vgpu_ring *r = &w->c.ring;
    if (ring->desc != r->desc || ring->driver != r->driver || ring->device != r->device ||
        ring->size != r->size) {
        return false;
    }
    /* An index that is behind began anew; by more than a quarter of its range it did not run while
     * QEMU was asked. */
    return w->c.kind == VT_VGPU_RING_PACKED || !ring->has_progress ||
           (uint16_t)(ring->returned - since) < 0x4000;
}

unsigned vt_vgpu_ring_in_flight(const struct vt_vgpu_ring_watch *w)
{
    return w->n_active;
}

const struct vt_vgpu_ring_counts *vt_vgpu_ring_counts(const struct vt_vgpu_ring_watch *w)
{
    return &w->counts;
}
