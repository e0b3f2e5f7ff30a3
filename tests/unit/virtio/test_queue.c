/* tests/unit/virtio/test_queue.c - buffers through a queue and back, on both rings.
 *
 * Every test runs on split and packed rings, with and without indirect tables and event index,
 * against the device model, which reads the rings by itself and complains of broken rules.
 */
#include "tests/unit/harness.h"

#include "device_model.h"

#include <string.h>

struct fixture {
    struct vt_model *m;
    struct vt_virtio_arena arena;
    struct vt_virtqueue *q;
    uint64_t features;
    uint8_t *out, *in; /* 64 places of 64 bytes each */
    uint64_t out_device, in_device;
};

#define PLACE 64u

static const struct {
    const char *name;
    uint64_t features;
} kinds[] = {
    {"split", 0},
    {"split, tables", VT_VIRTIO_F_INDIRECT_DESC},
    {"split, event index", VT_VIRTIO_F_EVENT_IDX},
    {"split, both", VT_VIRTIO_F_INDIRECT_DESC | VT_VIRTIO_F_EVENT_IDX},
    {"packed", VT_VIRTIO_F_RING_PACKED},
    {"packed, tables", VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_INDIRECT_DESC},
    {"packed, event index", VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_EVENT_IDX},
    {"packed, both", VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_INDIRECT_DESC | VT_VIRTIO_F_EVENT_IDX},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static struct fixture make(uint64_t features, uint16_t size, uint16_t max_pieces,
                           vt_model_serve_fn *serve)
{
    struct fixture f = {.features = features | VT_VIRTIO_F_VERSION_1};
    f.m = vt_model_create(
        &(struct vt_model_config){.id = 16, .features = f.features, .queues = 2, .serve = serve});
    f.arena = vt_model_arena(f.m);
    f.out = vt_virtio_arena_take(&f.arena, PLACE * PLACE, 16, &f.out_device);
    f.in = vt_virtio_arena_take(&f.arena, PLACE * PLACE, 16, &f.in_device);
    struct vt_virtqueue_config config = {
        .index = 1, .size = size, .max_pieces = max_pieces, .features = f.features};
    assert_int_equal(vt_virtqueue_create(&config, &f.arena, &f.q), VT_VIRTIO_OK);
    vt_model_attach(f.m, f.q, f.features);
    return f;
}

static void finish(struct fixture *f)
{
    if (vt_model_complaint(f->m) != NULL) {
        fail_msg("%s", vt_model_complaint(f->m));
    }
    vt_model_destroy(f->m);
}

/** One buffer: place `i` of `out` in `n_out` parts, then place `i` of `in` in `n_in` parts. */
static int add(struct fixture *f, unsigned i, unsigned n_out, unsigned n_in)
{
    struct vt_virtio_piece p[16];
    uint64_t at = PLACE * (i % PLACE);
    for (unsigned k = 0; k < n_out; k++) {
        uint32_t part = k + 1 < n_out ? 3 : PLACE - 3 * (n_out - 1);
        p[k] = (struct vt_virtio_piece){f->out_device + at + 3 * k, part};
    }
    for (unsigned k = 0; k < n_in; k++) {
        uint32_t part = k + 1 < n_in ? 5 : PLACE - 5 * (n_in - 1);
        p[n_out + k] = (struct vt_virtio_piece){f->in_device + at + 5 * k, part};
    }
    memset(f->out + at, (int)(i & 0x7f), PLACE);
    return vt_virtqueue_add(f->q, p, n_out, n_in, f->out + at, NULL);
}

/** Answers with the request, each byte one more. */
static void echo(struct vt_model_buffer *b, void *arg)
{
    (void)arg;
    uint8_t answer[PLACE];
    uint32_t n = b->out_bytes < sizeof answer ? b->out_bytes : (uint32_t)sizeof answer;
    for (uint32_t i = 0; i < n; i++) {
        answer[i] = (uint8_t)(b->out[i] + 1);
    }
    vt_model_return(b, answer, n);
}

static void publish(struct fixture *f)
{
    if (vt_virtqueue_publish(f->q)) {
        vt_model_run(f->m, 1);
    }
}

static void buffers_go_round_many_times(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        /* A size that the chains do not divide, so that they cross the end of the ring. */
        bool packed = (kinds[k].features & VT_VIRTIO_F_RING_PACKED) != 0;
        struct fixture f = make(kinds[k].features, packed ? 13 : 16, 6, echo);
        unsigned added = 0, taken = 0;
        while (taken < 70000) { /* past what 16 bits count */
            unsigned batch = added % 3 + 1;
            for (unsigned i = 0; i < batch; i++) {
                if (add(&f, added, 1 + added % 3, 1 + added / 3 % 3) == VT_VIRTIO_OK) {
                    added++;
                }
            }
            publish(&f);
            void *token = NULL;
            uint32_t written = 0;
            while (vt_virtqueue_take(f.q, &token, &written) == 1) {
                size_t at = PLACE * (taken % PLACE);
                assert_ptr_equal(token, f.out + at);
                assert_int_equal(written, PLACE);
                uint8_t want[PLACE];
                memset(want, (int)(taken & 0x7f) + 1, PLACE);
                assert_memory_equal(f.in + at, want, PLACE);
                taken++;
            }
            assert_null(vt_virtqueue_fault(f.q));
        }
        assert_int_equal(vt_virtqueue_pending(f.q), 0);
        assert_int_equal(added, taken);
        finish(&f);
    }
}

static void a_full_queue_says_so_and_goes_on(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 8, 4, NULL);
        bool tables = (kinds[k].features & VT_VIRTIO_F_INDIRECT_DESC) != 0;
        unsigned room = tables ? 8 : 4;
        for (unsigned i = 0; i < room; i++) {
            assert_int_equal(add(&f, i, 1, 1), VT_VIRTIO_OK);
        }
        assert_int_equal(add(&f, room, 1, 1), VT_VIRTIO_E_FULL);
        assert_int_equal(add(&f, room, 1, 0), VT_VIRTIO_E_FULL);
        publish(&f);
        assert_int_equal(vt_virtqueue_pending(f.q), room);
        void *token;
        uint32_t written;
        assert_int_equal(vt_virtqueue_take(f.q, &token, &written), 0);
        vt_model_return(vt_model_pending(f.m, 1, 1), "ab", 2);
        assert_int_equal(vt_virtqueue_take(f.q, &token, &written), 1);
        assert_ptr_equal(token, f.out + PLACE);
        assert_int_equal(written, 2);
        assert_int_equal(add(&f, room, 1, 1), VT_VIRTIO_OK);
        assert_int_equal(add(&f, room, 1, 1), VT_VIRTIO_E_FULL);
        finish(&f);
    }
}

static void buffers_come_back_in_any_order(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 32, 5, NULL);
        uint32_t dice = 12345;
        bool out[PLACE] = {false};
        unsigned n_out = 0;
        for (unsigned turn = 0; turn < 5000; turn++) {
            dice = dice * 1664525 + 1013904223;
            unsigned i = dice >> 8 & (PLACE - 1);
            if (!out[i] && add(&f, i, 1 + (dice >> 16) % 2, (dice >> 20) % 3) == VT_VIRTIO_OK) {
                out[i] = true;
                n_out++;
            }
            publish(&f);
            vt_model_run(f.m, 1);
            if (n_out > 0 && (dice >> 28) < 9) {
                vt_model_return(vt_model_pending(f.m, 1, (dice >> 12) % n_out), "", 0);
                void *token;
                uint32_t written;
                assert_int_equal(vt_virtqueue_take(f.q, &token, &written), 1);
                size_t at = (size_t)((uint8_t *)token - f.out) / PLACE;
                assert_true(out[at]);
                out[at] = false;
                n_out--;
            }
            assert_int_equal(vt_virtqueue_pending(f.q), n_out);
        }
        finish(&f);
    }
}

static void note_token(void *token, void *arg)
{
    void ***to = arg;
    *(*to)++ = token;
}

static void pending_ones_are_listed_oldest_first(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 16, 2, NULL);
        for (unsigned i = 0; i < 6; i++) {
            assert_int_equal(add(&f, i, 1, 1), VT_VIRTIO_OK);
        }
        publish(&f);
        vt_model_run(f.m, 1);
        vt_model_return(vt_model_pending(f.m, 1, 5), "", 0);
        vt_model_return(vt_model_pending(f.m, 1, 2), "", 0);
        vt_model_return(vt_model_pending(f.m, 1, 0), "", 0);
        void *token;
        uint32_t written;
        while (vt_virtqueue_take(f.q, &token, &written) == 1) {
        }
        assert_int_equal(add(&f, 9, 1, 1), VT_VIRTIO_OK);
        void *seen[16], **end = seen;
        vt_virtqueue_each_pending(f.q, note_token, &end);
        assert_int_equal(end - seen, 4);
        const unsigned want[] = {1, 3, 4, 9};
        for (unsigned i = 0; i < 4; i++) {
            assert_ptr_equal(seen[i], f.out + (size_t)PLACE * want[i]);
        }
        /* After a reset there are none, and the queue is as new. */
        vt_virtqueue_reset(f.q);
        vt_model_attach(f.m, f.q, f.features);
        end = seen;
        vt_virtqueue_each_pending(f.q, note_token, &end);
        assert_ptr_equal(end, seen);
        assert_int_equal(vt_virtqueue_pending(f.q), 0);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(add(&f, i, 1, 1), VT_VIRTIO_OK);
        }
        publish(&f);
        vt_model_run(f.m, 1);
        vt_model_return(vt_model_pending(f.m, 1, 0), "", 0);
        assert_int_equal(vt_virtqueue_take(f.q, &token, &written), 1);
        assert_ptr_equal(token, f.out);
        finish(&f);
    }
}

static void nothing_is_seen_before_it_is_published(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 16, 4, NULL);
        assert_false(vt_virtqueue_publish(f.q));
        add(&f, 0, 1, 2);
        add(&f, 1, 2, 1);
        assert_int_equal(vt_model_run(f.m, 1), 0);
        assert_true(vt_virtqueue_publish(f.q));
        assert_false(vt_virtqueue_publish(f.q));
        assert_int_equal(vt_model_run(f.m, 1), 2);
        finish(&f);
    }
}

static void notifications_are_as_the_device_wishes(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 16, 2, echo);
        bool event_index = (kinds[k].features & VT_VIRTIO_F_EVENT_IDX) != 0;
        vt_model_run(f.m, 1);
        add(&f, 0, 1, 1);
        assert_true(vt_virtqueue_publish(f.q));
        /* Told once: with event index the device hears of what comes next only when it asked. */
        add(&f, 1, 1, 1);
        assert_int_equal(vt_virtqueue_publish(f.q), !event_index);
        assert_int_equal(vt_model_run(f.m, 1), 2);
        add(&f, 2, 1, 1);
        assert_true(vt_virtqueue_publish(f.q));
        vt_model_run(f.m, 1);
        vt_model_wants_notifications(f.m, 1, false);
        for (unsigned i = 0; i < 100; i++) {
            void *token;
            uint32_t written;
            while (vt_virtqueue_take(f.q, &token, &written) == 1) {
            }
            assert_int_equal(add(&f, i, 1, 1), VT_VIRTIO_OK);
            assert_false(vt_virtqueue_publish(f.q));
            assert_int_equal(vt_model_run(f.m, 1), 1);
        }
        vt_model_wants_notifications(f.m, 1, true);
        add(&f, 0, 1, 1);
        assert_true(vt_virtqueue_publish(f.q));
        finish(&f);
    }
}

static void interrupts_come_when_asked_for(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 16, 2, NULL);
        const struct vt_model_counts *counts = vt_model_counts(f.m);
        void *token;
        uint32_t written;
        for (unsigned i = 0; i < 6; i++) {
            add(&f, i, 1, 1);
        }
        publish(&f);
        vt_model_run(f.m, 1);
        vt_model_return(vt_model_pending(f.m, 1, 0), "", 0);
        assert_int_equal(counts->interrupts, 0);
        /* It came back meanwhile: no interrupt will tell of it. */
        assert_true(vt_virtqueue_interrupts(f.q, true));
        assert_int_equal(vt_virtqueue_take(f.q, &token, &written), 1);
        assert_false(vt_virtqueue_interrupts(f.q, true));
        vt_model_return(vt_model_pending(f.m, 1, 0), "", 0);
        assert_int_equal(counts->interrupts, 1);
        /* Taking moves the wish on. */
        assert_int_equal(vt_virtqueue_take(f.q, &token, &written), 1);
        vt_model_return(vt_model_pending(f.m, 1, 0), "", 0);
        assert_int_equal(counts->interrupts, 2);
        assert_int_equal(vt_virtqueue_take(f.q, &token, &written), 1);
        assert_false(vt_virtqueue_interrupts(f.q, false));
        vt_model_return(vt_model_pending(f.m, 1, 0), "", 0);
        assert_int_equal(counts->interrupts, 2);
        finish(&f);
    }
}

static void impossible_buffers_are_refused(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 16, 4, NULL);
        struct vt_virtio_piece p[5] = {{f.out_device, 8},
                                       {f.in_device, 8},
                                       {f.in_device, 8},
                                       {f.in_device, 8},
                                       {f.in_device, 8}};
        int token;
        assert_int_equal(vt_virtqueue_add(f.q, p, 0, 0, &token, NULL), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtqueue_add(f.q, p, 1, 4, &token, NULL), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtqueue_add(f.q, p, UINT32_MAX, 2, &token, NULL), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtqueue_add(f.q, p, 2, UINT32_MAX, &token, NULL), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtqueue_add(f.q, p, 1, 1, NULL, NULL), VT_VIRTIO_E_INVAL);
        p[1].bytes = 0;
        assert_int_equal(vt_virtqueue_add(f.q, p, 1, 1, &token, NULL), VT_VIRTIO_E_INVAL);
        p[1] = (struct vt_virtio_piece){UINT64_MAX - 3, 8};
        assert_int_equal(vt_virtqueue_add(f.q, p, 1, 1, &token, NULL), VT_VIRTIO_E_INVAL);
        p[0] = p[1] = p[2] = (struct vt_virtio_piece){f.in_device, UINT32_MAX};
        assert_int_equal(vt_virtqueue_add(f.q, p, 0, 3, &token, NULL), VT_VIRTIO_E_INVAL);
        assert_int_equal(vt_virtqueue_pending(f.q), 0);
        finish(&f);
    }
}

static void impossible_queues_are_refused(void **state)
{
    (void)state;
    static _Alignas(16) uint8_t memory[65536];
    struct vt_virtio_arena arena = {.base = memory, .device = 0x1000, .bytes = sizeof memory};
    struct vt_virtqueue *q = NULL;
    const struct vt_virtqueue_config bad[] = {
        {.size = 0, .max_pieces = 1},
        {.size = 12, .max_pieces = 1},
        {.size = 65535, .max_pieces = 1, .features = VT_VIRTIO_F_RING_PACKED},
        {.size = 16, .max_pieces = 0},
        {.size = 16, .max_pieces = 17},
        {.size = 512, .max_pieces = 257},
        {.size = 16, .max_pieces = 1, .features = VT_VIRTIO_F_IN_ORDER},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(vt_virtqueue_create(&bad[i], &arena, &q), VT_VIRTIO_E_INVAL);
    }
    /* In no arena that is too small is anything left behind. */
    for (unsigned k = 0; k < KINDS; k++) {
        struct vt_virtqueue_config good = {
            .size = 16, .max_pieces = 4, .features = kinds[k].features};
        arena.bytes = 0;
        int rc;
        while ((rc = vt_virtqueue_create(&good, &arena, &q)) == VT_VIRTIO_E_NOMEM) {
            assert_int_equal(arena.used, 0);
            assert_null(q);
            arena.bytes += 8;
        }
        assert_int_equal(rc, VT_VIRTIO_OK);
        assert_int_equal(vt_virtqueue_size(q), 16);
        arena.used = 0;
        q = NULL;
    }
}

/* ---------------------------------------------------------------- hostile devices */

static void expect_fault(struct fixture *f, const char *what)
{
    void *token = NULL;
    uint32_t written = 7;
    int rc;
    while ((rc = vt_virtqueue_take(f->q, &token, &written)) == 1) {
    }
    assert_int_equal(rc, VT_VIRTIO_E_PROTOCOL);
    assert_non_null(vt_virtqueue_fault(f->q));
    assert_non_null(strstr(vt_virtqueue_fault(f->q), what));
    /* Nothing moves any more, until the reset. */
    assert_int_equal(vt_virtqueue_take(f->q, &token, &written), VT_VIRTIO_E_PROTOCOL);
    assert_int_equal(add(f, 0, 1, 1), VT_VIRTIO_E_NEEDS_RESET);
    assert_false(vt_virtqueue_publish(f->q));
    assert_true(vt_virtqueue_interrupts(f->q, true));
    vt_virtqueue_reset(f->q);
    assert_null(vt_virtqueue_fault(f->q));
    vt_model_attach(f->m, f->q, f->features);
    assert_int_equal(add(f, 0, 1, 1), VT_VIRTIO_OK);
    publish(f);
    vt_model_return(vt_model_pending(f->m, 1, 0), "", 0);
    assert_int_equal(vt_virtqueue_take(f->q, &token, &written), 1);
    finish(f);
}

static struct fixture with_three(uint64_t features)
{
    struct fixture f = make(features, 16, 2, NULL);
    for (unsigned i = 0; i < 3; i++) {
        add(&f, i, 1, 1);
    }
    publish(&f);
    return f;
}

static void lies_end_in_named_faults(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = with_three(kinds[k].features);
        struct vt_model_buffer *b = vt_model_pending(f.m, 1, 0);
        vt_model_return_lying(b, "", 0, 16, 0);
        expect_fault(&f, "beyond the queue");

        f = with_three(kinds[k].features);
        b = vt_model_pending(f.m, 1, 0);
        vt_model_return_lying(b, "", 0, b->id, PLACE + 1);
        expect_fault(&f, "more bytes");

        f = with_three(kinds[k].features);
        b = vt_model_pending(f.m, 1, 0);
        uint16_t id = b->id;
        vt_model_return(b, "", 0);
        vt_model_return_unknown(f.m, 1, id, 0);
        expect_fault(&f, "does not have");

        f = with_three(kinds[k].features);
        add(&f, 5, 1, 1);
        b = vt_model_pending(f.m, 1, 0);
        /* Ids are given from the lowest, descriptors in pairs where there are no tables. */
        bool ids = (kinds[k].features & (VT_VIRTIO_F_RING_PACKED | VT_VIRTIO_F_INDIRECT_DESC)) != 0;
        vt_model_return_lying(b, "", 0, ids ? 3 : 6, 0);
        expect_fault(&f, "published");
    }
}

static void a_jumping_used_index_is_a_fault(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) { /* a packed ring has none */
        const uint16_t jumps[] = {4, 100, 0x8000, 0xffff};
        for (unsigned i = 0; i < 4; i++) {
            struct fixture f = with_three(kinds[k].features);
            vt_model_jump(f.m, 1, jumps[i]);
            expect_fault(&f, "used index");
        }
    }
}

static void an_empty_queue_returns_nothing(void **state)
{
    (void)state;
    for (unsigned k = 0; k < KINDS; k++) {
        struct fixture f = make(kinds[k].features, 16, 2, NULL);
        vt_model_return_unknown(f.m, 1, 0, 0);
        expect_fault(&f,
                     kinds[k].features & VT_VIRTIO_F_RING_PACKED ? "does not have" : "used index");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_go_round_many_times),
        cmocka_unit_test(a_full_queue_says_so_and_goes_on),
        cmocka_unit_test(buffers_come_back_in_any_order),
        cmocka_unit_test(pending_ones_are_listed_oldest_first),
        cmocka_unit_test(nothing_is_seen_before_it_is_published),
        cmocka_unit_test(notifications_are_as_the_device_wishes),
        cmocka_unit_test(interrupts_come_when_asked_for),
        cmocka_unit_test(impossible_buffers_are_refused),
        cmocka_unit_test(impossible_queues_are_refused),
        cmocka_unit_test(lies_end_in_named_faults),
        cmocka_unit_test(a_jumping_used_index_is_a_fault),
        cmocka_unit_test(an_empty_queue_returns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
