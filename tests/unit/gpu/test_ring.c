/* tests/unit/gpu/test_ring.c - what is seen of a queue while a driver and a device use it.
 *
 * The driver is our own queue, the device the model of the virtqueue's tests; their RAM is copied
 * into a file that the watcher maps, so each step between two looks is the test's to choose. Every
 * test runs on split and packed rings, with and without indirect tables.
 */
#include "tests/unit/harness.h"

#include "gpu/ring.h"
#include "tests/unit/memory/ramfile.h"
#include "tests/unit/virtio/device_model.h"
#include "virtio/gpu/protocol/protocol.h"
#include "virtio/gpu/protocol/resource_flush.h"
#include "virtio/layout.h"

#include <string.h>

#define RAM_BYTES (1u << 20)
#define SIZE 16u
#define PLACES ((size_t)64)
#define PLACE_BYTES ((size_t)128)

static const struct {
    const char *name;
    uint64_t features;
} kinds[] = {
    {"split", 0},
    {"split, tables", VT_VIRTIO_F_INDIRECT_DESC},
    {"packed", VT_VIRTIO_F_RING_PACKED},
    {"packed, tables", VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_INDIRECT_DESC},
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* An event, kept. */
struct seen {
    struct vt_vgpu_event_seen e;
    struct vt_vgpu_resource_flush request;
    struct vt_vgpu_header response;
};

struct fixture {
    struct vt_model *m;
    struct vt_virtio_arena arena;
    struct vt_virtqueue *q;
    bool packed;
    uint8_t *places;
    uint64_t places_device;
    unsigned next_place, submitted;
    struct ramfile file;
    struct vt_ram *ram;
    struct vt_vgpu_ring ring;
    struct vt_vgpu_ring_watch *w;
    uint64_t sequence, now_ns;
    struct seen *seen;
    unsigned n_seen;
};

static bool keep(const struct vt_vgpu_event_seen *e, void *arg)
{
    struct fixture *f = arg;
    struct seen *s;
    f->seen = realloc(f->seen, (f->n_seen + 1) * sizeof *f->seen);
    assert_non_null(f->seen);
    s = &f->seen[f->n_seen++];
    *s = (struct seen){.e = *e};
    assert_true(e->request_bytes == 0 || e->request != NULL);
    assert_true(e->response_bytes == 0 || e->response != NULL);
    if (e->request_bytes > 0) {
        memcpy(&s->request, e->request,
               e->request_bytes < sizeof s->request ? e->request_bytes : sizeof s->request);
    }
    if (e->response_bytes > 0) {
        memcpy(&s->response, e->response,
               e->response_bytes < sizeof s->response ? e->response_bytes : sizeof s->response);
    }
    return true;
}

static void sync_ram(struct fixture *f)
{
    ramfile_put(&f->file, 0, vt_model_at(f->m, VT_MODEL_RAM, RAM_BYTES), RAM_BYTES);
}

static void watch(struct fixture *f, bool history)
{
    struct vt_error err;
    const struct vt_vgpu_ring_config config = {
        .ram = f->ram,
        .ring = f->ring,
        .kind = f->packed ? VT_VGPU_RING_PACKED : VT_VGPU_RING_SPLIT,
        .queue = VT_VGPU_CONTROL_QUEUE,
        .history = history,
        .sequence = &f->sequence,
        .fn = keep,
        .arg = f,
    };
    sync_ram(f);
    assert_int_equal(vt_vgpu_ring_watch_create(&config, &f->w, &err), 0);
}

static void make(struct fixture *f, uint64_t features, bool watched)
{
    *f = (struct fixture){.packed = (features & VT_VIRTIO_F_RING_PACKED) != 0};
    features |= VT_VIRTIO_F_VERSION_1;
    f->m = vt_model_create(&(struct vt_model_config){
        .id = 16, .features = features, .queues = 1, .ram_bytes = RAM_BYTES});
    f->arena = vt_model_arena(f->m);
    f->places = vt_virtio_arena_take(&f->arena, PLACES * PLACE_BYTES, 16, &f->places_device);
    const struct vt_virtqueue_config config = {
        .index = 0, .size = SIZE, .max_pieces = 4, .features = features};
    assert_int_equal(vt_virtqueue_create(&config, &f->arena, &f->q), VT_VIRTIO_OK);
    vt_model_attach(f->m, f->q, features);
    f->ring.size = SIZE;
    f->ring.has_progress = true;
    vt_virtqueue_addresses(f->q, &f->ring.desc, &f->ring.driver, &f->ring.device);
    f->file = ramfile_make(RAM_BYTES);
    const struct vt_ram_region region = {VT_GPA(VT_MODEL_RAM), {0}, RAM_BYTES};
    struct vt_error err;
    assert_int_equal(vt_ram_open(f->file.path, &region, 1, &f->ram, &err), 0);
    if (watched) {
        watch(f, false);
    }
}

static void finish(struct fixture *f)
{
    vt_vgpu_ring_watch_destroy(f->w);
    vt_ram_close(f->ram);
    close(f->file.fd);
    vt_model_destroy(f->m);
    free(f->seen);
}

static struct vt_vgpu_resource_flush *request_at(struct fixture *f, unsigned place)
{
    return (void *)(f->places + PLACE_BYTES * place);
}

static struct vt_vgpu_header *response_at(struct fixture *f, unsigned place)
{
    return (void *)(f->places + PLACE_BYTES * place + 64);
}

/* RESOURCE_FLUSH of resource 1000 + its number, request in two pieces; the place it is at. */
static unsigned submit(struct fixture *f, uint64_t fence)
{
    unsigned place = f->next_place++ % PLACES;
    *request_at(f, place) = (struct vt_vgpu_resource_flush){
        .header = {.type = VT_VGPU_CMD_RESOURCE_FLUSH,
                   .flags = fence != 0 ? VT_VGPU_FLAG_FENCE : 0,
                   .fence_id = fence},
        .rect = {1, 2, 3, 4},
        .resource_id = 1000 + f->submitted,
    };
    memset(response_at(f, place), 0, sizeof(struct vt_vgpu_header));
    uint64_t at = f->places_device + PLACE_BYTES * place;
    const struct vt_virtio_piece pieces[] = {
        {at, 20},
        {at + 20, sizeof(struct vt_vgpu_resource_flush) - 20},
        {at + 64, sizeof(struct vt_vgpu_header)},
    };
    assert_int_equal(vt_virtqueue_add(f->q, pieces, 2, 1, f->places + PLACE_BYTES * place, NULL),
                     VT_VIRTIO_OK);
    vt_virtqueue_publish(f->q);
    f->submitted++;
    return place;
}

/* The device takes what there is, and answers its `i`-th oldest buffer with `type`. */
static void answer(struct fixture *f, unsigned i, uint32_t type)
{
    vt_model_run(f->m, 0);
    struct vt_model_buffer *b = vt_model_pending(f->m, 0, i);
    assert_non_null(b);
    struct vt_vgpu_header h;
    assert_true(b->out_bytes >= sizeof h);
    memcpy(&h, b->out, sizeof h);
    h.type = type;
    vt_model_return(b, &h, sizeof h);
}

/* The driver takes everything back. */
static void reap(struct fixture *f)
{
    void *token;
    uint32_t written;
    while (vt_virtqueue_take(f->q, &token, &written) == 1) {
    }
}

static enum vt_vgpu_poll look(struct fixture *f)
{
    sync_ram(f);
    f->now_ns += 1000;
    return vt_vgpu_ring_poll(f->w, f->now_ns);
}

#define FLAGS(f, i) ((f).seen[i].e.flags & ~(uint32_t)VT_VGPU_TIMES_ARE_BOUNDS)

static void seen_in_time(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f;
        make(&f, kinds[k].features, true);
        for (unsigned n = 0; n < 5 * SIZE; n++) { /* around the ring, and its wrap counter */
            submit(&f, 0);
            assert_int_equal(look(&f), VT_VGPU_MOVED);
            assert_int_equal(f.n_seen, n);
            assert_int_equal(vt_vgpu_ring_in_flight(f.w), 1);
            assert_int_equal(look(&f), VT_VGPU_QUIET);
            answer(&f, 0, n % 3 == 0 ? VT_VGPU_RESP_ERR_UNSPEC : VT_VGPU_RESP_OK_NODATA);
            assert_int_equal(look(&f), VT_VGPU_MOVED);
            assert_int_equal(f.n_seen, n + 1);
            const struct seen *s = &f.seen[n];
            assert_int_equal(s->e.kind, VT_VGPU_SEEN_COMMAND);
            assert_int_equal(s->e.flags, VT_VGPU_TIMES_ARE_BOUNDS);
            assert_int_equal(s->e.sequence, n);
            assert_int_equal(s->e.request_bytes, sizeof s->request);
            assert_int_equal(s->request.resource_id, 1000 + n);
            assert_int_equal(s->request.rect.height, 4);
            assert_int_equal(s->e.written, sizeof s->response);
            assert_int_equal(s->response.type,
                             n % 3 == 0 ? VT_VGPU_RESP_ERR_UNSPEC : VT_VGPU_RESP_OK_NODATA);
            assert_int_equal(s->e.answered_ns - s->e.submitted_ns, 2000);
            reap(&f);
        }
        finish(&f);
    }
}

/* Many on their way; the device returns them in an order of its own. */
static void out_of_order(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f;
        make(&f, kinds[k].features, true);
        for (unsigned round = 0; round < 9; round++) {
            for (unsigned n = 0; n < 4; n++) {
                submit(&f, 0);
            }
            look(&f);
            assert_int_equal(vt_vgpu_ring_in_flight(f.w), 4);
            static const unsigned order[] = {2, 0, 1, 0};    /* of those that remain */
            static const unsigned sequence[] = {2, 0, 3, 1}; /* so these are returned */
            for (unsigned n = 0; n < 4; n++) {
                answer(&f, order[n], VT_VGPU_RESP_OK_NODATA);
            }
            look(&f);
            assert_int_equal(f.n_seen, 4 * (round + 1));
            for (unsigned n = 0; n < 4; n++) {
                const struct seen *s = &f.seen[4 * round + n];
                assert_int_equal(s->e.sequence, 4 * round + sequence[n]);
                assert_int_equal(s->request.resource_id, 1000 + s->e.sequence);
                assert_int_equal(s->e.flags, VT_VGPU_TIMES_ARE_BOUNDS);
            }
            reap(&f);
        }
        finish(&f);
    }
}

/* Returned before the first look: the ring, or the table, still leads to the command. */
static void too_late(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f;
        make(&f, kinds[k].features, true);
        if (f.packed && (kinds[k].features & VT_VIRTIO_F_INDIRECT_DESC) == 0) {
            finish(&f); /* how many descriptors it took is not to be known */
            continue;
        }
        submit(&f, 0);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        assert_int_equal(look(&f), VT_VGPU_MOVED);
        assert_int_equal(f.n_seen, 1);
        assert_int_equal(FLAGS(f, 0), VT_VGPU_LATE);
        assert_int_equal(f.seen[0].request.resource_id, 1000);
        assert_int_equal(f.seen[0].response.type, VT_VGPU_RESP_OK_NODATA);
        reap(&f);
        /* And on it goes. */
        submit(&f, 0);
        look(&f);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        look(&f);
        assert_int_equal(f.n_seen, 2);
        assert_int_equal(FLAGS(f, 1), 0);
        assert_int_equal(f.seen[1].e.sequence, 1);
        assert_int_equal(f.seen[1].request.resource_id, 1001);
        finish(&f);
    }
}

/* Memory that served something else by the time it was read. */
static void stale(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct fixture f;
        make(&f, kinds[k].features, true);
        /* the response's */
        unsigned place = submit(&f, 0);
        look(&f);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        response_at(&f, place)->type = 0xdead;
        look(&f);
        assert_int_equal(FLAGS(f, 0), VT_VGPU_STALE_RESPONSE);
        reap(&f);
        /* the request's, before it was seen at all */
        place = submit(&f, 0);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        request_at(&f, place)->header.type = 0xbeef;
        look(&f);
        assert_int_equal(FLAGS(f, 1), VT_VGPU_STALE_REQUEST | VT_VGPU_STALE_RESPONSE);
        reap(&f);
        /* an answer of another fence than the request's */
        place = submit(&f, 77);
        look(&f);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        response_at(&f, place)->fence_id = 76;
        look(&f);
        assert_int_equal(FLAGS(f, 2), VT_VGPU_STALE_RESPONSE);
        reap(&f);
        finish(&f);
    }
}

/* The same descriptors again before anybody looked: of the first nothing is left. */
static void used_again(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct fixture f;
        make(&f, kinds[k].features, true);
        for (unsigned n = 0; n < 3; n++) {
            submit(&f, 0);
            answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
            reap(&f);
        }
        look(&f);
        uint64_t lost = 0;
        unsigned commands = 0;
        for (unsigned i = 0; i < f.n_seen; i++) {
            if (f.seen[i].e.kind == VT_VGPU_SEEN_LOST) {
                lost += f.seen[i].e.lost;
            } else {
                commands++;
                assert_int_equal(f.seen[i].request.resource_id, 1000 + f.seen[i].e.sequence);
                assert_true(FLAGS(f, i) == VT_VGPU_LATE);
            }
        }
        assert_int_equal(lost + commands, 3);
        assert_int_equal(f.sequence, 3);
        finish(&f);
    }
}

/* Answered and at once made available again, in one go: which answer is there is not to be told,
 * unless fences tell. */
static void answer_of_another(void **state)
{
    (void)state;
    for (unsigned fenced = 0; fenced < 2; fenced++) {
        struct fixture f;
        make(&f, 0, true);
        submit(&f, fenced != 0 ? 1 : 0);
        /* So that no other descriptors are free: 16 = 5 x 3 + 1. */
        for (unsigned i = 1; i < SIZE / 3; i++) {
            submit(&f, 0);
        }
        const struct vt_virtio_piece rest = {f.places_device + PLACE_BYTES * f.next_place, 24};
        assert_int_equal(vt_virtqueue_add(f.q, &rest, 1, 0, &f, NULL), VT_VIRTIO_OK);
        look(&f);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        reap(&f);
        submit(&f, fenced != 0 ? 2 : 0); /* another place, the same descriptors */
        look(&f);
        assert_int_equal(f.n_seen, 1);
        assert_int_equal(FLAGS(f, 0), fenced != 0 ? 0 : VT_VGPU_STALE_RESPONSE);
        assert_int_equal(f.seen[0].request.resource_id, 1000);
        finish(&f);
    }
}

/* More than a ring's worth between two looks. */
static void overtaken(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct fixture f;
        make(&f, kinds[k].features, true);
        submit(&f, 0);
        look(&f);
        for (unsigned n = 0; n < SIZE + 3; n++) {
            answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
            reap(&f);
            submit(&f, 0);
        }
        assert_int_equal(look(&f), VT_VGPU_MOVED);
        assert_int_equal(vt_vgpu_ring_in_flight(f.w), 1);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        look(&f);
        const struct vt_vgpu_ring_counts *c = vt_vgpu_ring_counts(f.w);
        assert_int_equal(c->commands + c->lost, SIZE + 4);
        assert_int_equal(f.seen[f.n_seen - 1].e.sequence, SIZE + 3);
        assert_int_equal(f.seen[f.n_seen - 1].request.resource_id, 1000 + SIZE + 3);
        finish(&f);
    }
}

static void begins_in_the_middle(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f;
        make(&f, kinds[k].features, false);
        for (unsigned n = 0; n < SIZE + 5; n++) {
            submit(&f, 0);
            answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
            reap(&f);
        }
        submit(&f, 0); /* on its way */
        unsigned taken = SIZE + 5;
        unsigned per = f.packed && (kinds[k].features & VT_VIRTIO_F_INDIRECT_DESC) == 0 ? 3 : 1;
        f.ring.returned = (uint16_t)(f.packed ? taken * per % SIZE : taken);
        watch(&f, false);
        look(&f);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        look(&f);
        assert_int_equal(f.n_seen, 1);
        assert_int_equal(FLAGS(f, 0), 0);
        assert_int_equal(f.seen[0].request.resource_id, 1000 + taken);
        finish(&f);
    }
}

static void history(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, VT_VIRTIO_F_INDIRECT_DESC, false);
    unsigned n = 0;
    for (; n < 3; n++) { /* three at once, so that each has descriptors of its own */
        submit(&f, 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
    }
    watch(&f, true);
    look(&f);
    assert_int_equal(f.n_seen, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(FLAGS(f, i), VT_VGPU_LATE);
        assert_int_equal(f.seen[i].request.resource_id, 1000 + i);
    }
    finish(&f);
}

static void ends(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f;
        make(&f, kinds[k].features, true);
        submit(&f, 0);
        submit(&f, 0);
        look(&f);
        vt_vgpu_ring_end(f.w, 5);
        assert_int_equal(f.n_seen, 2);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(FLAGS(f, i), VT_VGPU_NO_RESPONSE);
            assert_int_equal(f.seen[i].e.sequence, i);
            assert_int_equal(f.seen[i].request.resource_id, 1000 + i);
            assert_int_equal(f.seen[i].e.answered_ns, 0);
        }
        finish(&f);
    }
}

/* A driver loaded anew, its rings in the same memory. */
static void reset_is_told_from_going_on(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, 0, true);
    for (unsigned n = 0; n < 5; n++) {
        submit(&f, 0);
        look(&f);
        answer(&f, 0, VT_VGPU_RESP_OK_NODATA);
        look(&f);
        reap(&f);
    }
    vt_virtqueue_reset(f.q);
    assert_int_equal(look(&f), VT_VGPU_JUMPED);
    struct vt_vgpu_ring now = f.ring;
    now.returned = 0;
    assert_false(vt_vgpu_ring_goes_on(f.w, &now, vt_vgpu_ring_position(f.w)));
    now.returned = 5;
    assert_true(vt_vgpu_ring_goes_on(f.w, &now, vt_vgpu_ring_position(f.w)));
    now.desc += 4096;
    assert_false(vt_vgpu_ring_goes_on(f.w, &now, vt_vgpu_ring_position(f.w)));
    finish(&f);
}

/* What no driver may write is survived, counted, and does not hide what follows. */
static void hostile_driver(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, 0, true);
    struct vt_split_desc *desc = vt_model_at(f.m, f.ring.desc, sizeof *desc * SIZE);
    struct vt_split_avail *avail = vt_model_at(f.m, f.ring.driver, vt_split_avail_bytes(SIZE));
    struct vt_split_used *used = vt_model_at(f.m, f.ring.device, vt_split_used_bytes(SIZE));
    desc[0] = (struct vt_split_desc){f.places_device, 24, VT_DESC_NEXT, 0};   /* a circle */
    desc[1] = (struct vt_split_desc){f.places_device, 24, VT_DESC_NEXT, 999}; /* out of the ring */
    desc[2] = (struct vt_split_desc){UINT64_MAX - 3, 24, 0, 0};               /* no RAM */
    desc[3] = (struct vt_split_desc){f.places_device, 64, VT_DESC_INDIRECT, 0};
    desc[4] = (struct vt_split_desc){f.places_device, UINT32_MAX, 0, 0}; /* all of RAM */
    desc[5] = (struct vt_split_desc){UINT64_MAX - 15, 16, VT_DESC_INDIRECT, 0};
    struct vt_split_desc *table = (void *)f.places;
    for (unsigned i = 0; i < 4; i++) {
        table[i] = (struct vt_split_desc){f.places_device, 8, VT_DESC_NEXT, (uint16_t)(i ^ 1)};
    }
    static const uint16_t heads[] = {0, 1, 2, 3, 4, 5, 999};
    for (unsigned i = 0; i < 7; i++) {
        avail->ring[i] = heads[i];
    }
    avail->idx = 7;
    assert_int_equal(look(&f), VT_VGPU_MOVED);
    assert_int_equal(vt_vgpu_ring_in_flight(f.w), 6);
    used->ring[0] = (struct vt_split_used_elem){12345, 1}; /* nobody's */
    used->ring[1] = (struct vt_split_used_elem){9, 1};     /* not on its way */
    used->ring[2] = (struct vt_split_used_elem){2, UINT32_MAX};
    used->idx = 3;
    assert_int_equal(look(&f), VT_VGPU_MOVED);
    vt_vgpu_ring_end(f.w, 1);
    const struct vt_vgpu_ring_counts *c = vt_vgpu_ring_counts(f.w);
    assert_int_equal(c->commands, 6);
    assert_int_equal(c->lost, 2);
    assert_true(c->faults >= 8);
    for (unsigned i = 0; i < f.n_seen; i++) {
        if (f.seen[i].e.kind == VT_VGPU_SEEN_COMMAND) {
            assert_true((FLAGS(f, i) & VT_VGPU_CUT) != 0);
            assert_true(f.seen[i].e.request_bytes <= VT_VGPU_PAYLOAD_MAX);
        }
    }
    finish(&f);
}

static void no_such_ring(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, 0, false);
    struct vt_error err;
    const struct vt_vgpu_ring good = f.ring;
    static const struct {
        int64_t desc, driver, device;
        uint16_t size;
        int code;
    } bad[] = {
        {8, 0, 0, SIZE, VT_E_CORRUPT},      {0, 1, 0, SIZE, VT_E_CORRUPT},
        {0, 0, 2, SIZE, VT_E_CORRUPT},      {0, 0, 0, 12, VT_E_CORRUPT},
        {0, 0, 0, 0, VT_E_INVAL},           {RAM_BYTES, 0, 0, SIZE, VT_E_ADDR},
        {0, RAM_BYTES, 0, SIZE, VT_E_ADDR}, {0, 0, RAM_BYTES, SIZE, VT_E_ADDR},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        f.ring = good;
        f.ring.desc += (uint64_t)bad[i].desc;
        f.ring.driver += (uint64_t)bad[i].driver;
        f.ring.device += (uint64_t)bad[i].device;
        f.ring.size = bad[i].size;
        const struct vt_vgpu_ring_config config = {.ram = f.ram,
                                                   .ring = f.ring,
                                                   .kind = VT_VGPU_RING_SPLIT,
                                                   .sequence = &f.sequence,
                                                   .fn = keep,
                                                   .arg = &f};
        assert_int_equal(vt_vgpu_ring_watch_create(&config, &f.w, &err), bad[i].code);
    }
    finish(&f);
}

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Any order of steps: whatever is not marked is true, and every command is told of or counted. On
 * packed rings the device keeps to the order: a return over another's descriptor, unseen, can only
 * be mended by asking QEMU. */
static void any_order(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        bool guessed = kinds[k].features == VT_VIRTIO_F_RING_PACKED;
        for (uint32_t round = 0; round < 20; round++) {
            struct fixture f;
            make(&f, kinds[k].features, true);
            uint32_t seed = round * 7919 + k;
            unsigned pending = 0;
            unsigned answers = 0;
            static uint32_t answered_with[4096];
            for (unsigned step = 0; step < 300; step++) {
                switch (draw(&seed) % (guessed ? 6 : 4)) {
                case 0:
                    if (pending < 4 && vt_virtqueue_pending(f.q) < 5) {
                        submit(&f, draw(&seed) % 2 != 0 ? f.submitted + 1 : 0);
                        pending++;
                        if (guessed) {
                            look(&f);
                        }
                    }
                    break;
                case 1:
                    if (pending > 0) {
                        vt_model_run(f.m, 0);
                        unsigned i = f.packed ? 0 : draw(&seed) % pending;
                        struct vt_model_buffer *b = vt_model_pending(f.m, 0, i);
                        const struct vt_vgpu_resource_flush *r = (const void *)b->out;
                        uint32_t type =
                            draw(&seed) % 2 != 0 ? VT_VGPU_RESP_OK_NODATA : VT_VGPU_RESP_ERR_UNSPEC;
                        answered_with[r->resource_id - 1000] = type;
                        answer(&f, i, type);
                        pending--;
                        answers++;
                    }
                    break;
                case 2:
                    reap(&f);
                    break;
                default:
                    assert_int_not_equal(look(&f), VT_VGPU_ENDED);
                    break;
                }
            }
            if (look(&f) == VT_VGPU_JUMPED) {
                finish(&f); /* overtaken: another test's */
                continue;
            }
            vt_vgpu_ring_end(f.w, f.now_ns);
            unsigned commands = 0;
            uint64_t lost = 0;
            for (unsigned i = 0; i < f.n_seen; i++) {
                const struct seen *s = &f.seen[i];
                if (s->e.kind == VT_VGPU_SEEN_LOST) {
                    lost += s->e.lost;
                    continue;
                }
                commands++;
                if ((s->e.flags & VT_VGPU_STALE_REQUEST) == 0) {
                    assert_int_equal(s->request.resource_id, 1000 + s->e.sequence);
                    if ((s->e.flags & (VT_VGPU_STALE_RESPONSE | VT_VGPU_NO_RESPONSE)) == 0) {
                        assert_int_equal(s->response.type, answered_with[s->e.sequence]);
                    }
                }
            }
            assert_int_equal(commands + lost, f.submitted);
            assert_true(answers <= f.submitted);
            finish(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seen_in_time),
        cmocka_unit_test(out_of_order),
        cmocka_unit_test(too_late),
        cmocka_unit_test(stale),
        cmocka_unit_test(used_again),
        cmocka_unit_test(answer_of_another),
        cmocka_unit_test(overtaken),
        cmocka_unit_test(begins_in_the_middle),
        cmocka_unit_test(history),
        cmocka_unit_test(ends),
        cmocka_unit_test(reset_is_told_from_going_on),
        cmocka_unit_test(hostile_driver),
        cmocka_unit_test(no_such_ring),
        cmocka_unit_test(any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
