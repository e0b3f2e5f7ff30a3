/* The driver's log from outside, written by the driver's own writer: commands come out paired and
 * in order, what was overwritten is counted, and neither a writer that is killed, nor one that goes
 * on, nor a guest that starts again or writes nonsense misleads the reader. */
#include "gpu/driver_log.h"
#include "tests/unit/harness.h"
#include "virtio/gpu/log.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RING ((size_t)64 << 10)
#define ARENA (RING + ((size_t)16 << 10))
#define DEVICE 0x40000000u

struct seen {
    struct vt_vgpu_event_seen v[4096];
    char text[64][80];
    unsigned n, notes, most;
    uint64_t commands, lost, resets, unanswered;
};

struct fixture {
    struct vt_virtio_arena arena;
    struct vt_vgpu_log *log;
    struct vt_vgpu_log_reader *reader;
    struct vt_error err;
    struct seen seen;
};

static const void *header_of(const struct fixture *f)
{
    return f->arena.base + (vt_vgpu_log_address(f->log) - DEVICE);
}

static void begin(struct fixture *f)
{
    memset(f->arena.base, 0, f->arena.bytes);
    f->arena.used = 0;
    assert_int_equal(vt_vgpu_log_create(&f->arena, RING, "test writer", &f->log), 0);
}

static void read_it(struct fixture *f)
{
    const uint8_t *header = header_of(f);
    uint64_t room = (uint64_t)(f->arena.base + f->arena.bytes - header);
    assert_int_equal(vt_vgpu_log_reader_create_at(header, room, VT_GPA(vt_vgpu_log_address(f->log)),
                                                  &f->reader, &f->err),
                     0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    void *memory = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f == NULL || memory == MAP_FAILED) {
        return -1;
    }
    f->arena = (struct vt_virtio_arena){.base = memory, .device = DEVICE, .bytes = ARENA};
    f->seen.most = 4096;
    begin(f);
    read_it(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_vgpu_log_reader_destroy(f->reader);
    munmap(f->arena.base, ARENA);
    free(f);
    return 0;
}

/* ---------------------------------------------------------------- what is written */

static uint32_t bytes_of(uint64_t sequence)
{
    return 24 + (uint32_t)(sequence * 13 % 300);
}

static void request(struct vt_vgpu_log *log, uint64_t sequence)
{
    uint8_t payload[400];
    memset(payload, (int)(sequence % 251), sizeof payload);
    struct vt_vgpu_log_record r = {.kind = VT_VGPU_LOG_REQUEST,
                                   .queue = sequence % 2,
                                   .sequence = sequence,
                                   .time_ns = 1000 + sequence * 100,
                                   .slot = (uint16_t)sequence,
                                   .payload_full = bytes_of(sequence)};
    vt_vgpu_log_write(log, &r, payload);
}

static void response(struct vt_vgpu_log *log, uint64_t sequence)
{
    uint8_t payload[24];
    memset(payload, (int)(sequence % 241), sizeof payload);
    struct vt_vgpu_log_record r = {.kind = VT_VGPU_LOG_RESPONSE,
                                   .sequence = sequence,
                                   .time_ns = 1000 + sequence * 100 + 50,
                                   .latency_ns = 50,
                                   .payload_full = sizeof payload,
                                   .written = 24};
    vt_vgpu_log_write(log, &r, payload);
}

static bool all(const uint8_t *bytes, uint32_t n, int value)
{
    for (uint32_t i = 0; i < n; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

static bool see(const struct vt_vgpu_event_seen *e, void *arg)
{
    struct seen *s = arg;
    if (s->n == s->most) {
        return false;
    }
    if (e->kind == VT_VGPU_SEEN_COMMAND) {
        s->commands++;
        assert_int_equal(e->queue, e->sequence % 2);
        assert_int_equal(e->slot, e->sequence & 0xffff);
        assert_int_equal(e->request_bytes, bytes_of(e->sequence));
        assert_true(all(e->request, e->request_bytes, (int)(e->sequence % 251)));
        if ((e->flags & VT_VGPU_NO_RESPONSE) == 0) {
            assert_int_equal(e->response_bytes, 24);
            assert_int_equal(e->written, 24);
            assert_true(all(e->response, 24, (int)(e->sequence % 241)));
            assert_int_equal(e->answered_ns - e->submitted_ns, 50);
        } else {
            s->unanswered++;
            assert_null(e->response);
            assert_int_equal(e->answered_ns, 0);
        }
    }
    s->lost += e->kind == VT_VGPU_SEEN_LOST ? e->lost : 0;
    s->resets += e->kind == VT_VGPU_SEEN_RESET;
    if (e->kind == VT_VGPU_SEEN_NOTE && s->notes < 64) {
        snprintf(s->text[s->notes++], sizeof s->text[0], "%.*s", (int)e->request_bytes,
                 (const char *)e->request);
    }
    s->v[s->n % 4096] = *e;
    s->n++;
    return true;
}

static int poll(struct fixture *f)
{
    return vt_vgpu_log_reader_poll(f->reader, see, &f->seen, &f->err);
}

/* ---------------------------------------------------------------- tests */

static void test_pairs_in_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(poll(f), 0);
    request(f->log, 1);
    request(f->log, 2);
    request(f->log, 3);
    response(f->log, 2);
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.n, 0);
    response(f->log, 1);
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.n, 2);
    assert_int_equal(f->seen.v[0].sequence, 1);
    assert_int_equal(f->seen.v[0].submitted_ns, 0);
    assert_int_equal(f->seen.v[1].sequence, 2);
    assert_int_equal(f->seen.v[1].submitted_ns, 100);
    assert_int_equal(vt_vgpu_log_reader_flush(f->reader, see, &f->seen, &f->err), 1);
    assert_int_equal(f->seen.n, 3);
    assert_int_equal(f->seen.unanswered, 1);
    assert_int_equal(vt_vgpu_log_reader_flush(f->reader, see, &f->seen, &f->err), 0);
    response(f->log, 3); /* too late, and of nobody's */
    response(f->log, 99);
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.n, 3);
    assert_int_equal(f->seen.lost, 0);
}

static void test_overwritten_is_counted(void **state)
{
    struct fixture *f = *state;
    for (uint64_t s = 1; s <= 5000; s++) {
        request(f->log, s);
        response(f->log, s);
    }
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.v[0].kind, VT_VGPU_SEEN_LOST);
    assert_true(f->seen.commands > 100);
    assert_int_equal(f->seen.lost + f->seen.commands, 5000);
    for (uint64_t s = 5001; s <= 9000; s++) {
        request(f->log, s);
        response(f->log, s);
        if (s % 1000 == 0) {
            assert_int_equal(poll(f), 1);
        }
    }
    assert_int_equal(f->seen.lost + f->seen.commands, 9000);
    assert_int_equal(vt_vgpu_log_reader_damaged(f->reader), 0);
}

static void test_consumer_says_no(void **state)
{
    struct fixture *f = *state;
    static const uint8_t much[RING];
    struct vt_vgpu_log_record r = {
        .kind = VT_VGPU_LOG_REQUEST, .sequence = 1, .payload_full = sizeof much};
    vt_vgpu_log_write(f->log, &r, much);
    r.kind = VT_VGPU_LOG_RESPONSE;
    vt_vgpu_log_write(f->log, &r, much);
    struct seen *s = &f->seen;
    s->most = 0; /* see() would look for its own pattern: only ask that it comes */
    assert_int_equal(poll(f), VT_E_INTERRUPTED);
    assert_int_equal(poll(f), 0);
}

static bool is_cut(const struct vt_vgpu_event_seen *e, void *arg)
{
    *(unsigned *)arg +=
        e->flags == VT_VGPU_CUT && e->request_bytes < 5000 && e->response_bytes < 5000;
    return true;
}

static void test_cut_is_said(void **state)
{
    struct fixture *f = *state;
    static const uint8_t much[RING];
    unsigned cut = 0;
    struct vt_vgpu_log_record r = {
        .kind = VT_VGPU_LOG_REQUEST, .sequence = 1, .payload_full = sizeof much};
    vt_vgpu_log_write(f->log, &r, much);
    r.kind = VT_VGPU_LOG_RESPONSE;
    vt_vgpu_log_write(f->log, &r, much);
    assert_int_equal(vt_vgpu_log_reader_poll(f->reader, is_cut, &cut, &f->err), 1);
    assert_int_equal(cut, 1);
}

static void test_resets(void **state)
{
    struct fixture *f = *state;
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_STATE, 1000, "UNINITIALISED -> NEGOTIATED on PROBE");
    request(f->log, 1);
    request(f->log, 2);
    response(f->log, 2);
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_STATE, 2000, "READY -> TIMED_OUT on TIMEOUT: FLUSH");
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.n, 1);
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_STATE, 2000, "TIMED_OUT -> RECOVERING on RESET");
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_NOTE, 2000, "a -> RECOVERING in a note is none");
    request(f->log, 3);
    response(f->log, 3);
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.resets, 1);
    assert_int_equal(f->seen.unanswered, 1);
    assert_int_equal(f->seen.commands, 3);
    assert_int_equal(f->seen.lost, 0);
    assert_int_equal(f->seen.v[1].sequence, 1);
    assert_string_equal(f->seen.text[1], "READY -> TIMED_OUT on TIMEOUT: FLUSH");
    assert_int_equal(f->seen.notes, 4);
}

static void test_guest_starts_again(void **state)
{
    struct fixture *f = *state;
    for (uint64_t s = 1; s <= 20; s++) {
        request(f->log, s);
        response(f->log, s);
    }
    assert_int_equal(poll(f), 1);
    begin(f);
    request(f->log, 1);
    response(f->log, 1);
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.resets, 1);
    assert_int_equal(f->seen.commands, 21);
    /* The memory was cleared in between, and seen so; then more was written than before. */
    memset(f->arena.base, 0, f->arena.bytes);
    assert_int_equal(poll(f), 0);
    begin(f);
    for (uint64_t s = 1; s <= 40; s++) {
        request(f->log, s);
        response(f->log, s);
    }
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.resets, 2);
    assert_int_equal(f->seen.commands, 61);
    assert_int_equal(f->seen.lost, 0);
    /* Never seen in between, and just as much was written: only the time is another. */
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_NOTE, 7000, "up");
    assert_int_equal(poll(f), 1);
    assert_int_equal(poll(f), 0);
    begin(f);
    for (uint64_t s = 1; s <= 40; s++) {
        request(f->log, s);
        response(f->log, s);
    }
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_NOTE, 7001, "up");
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.resets, 3);
    assert_int_equal(f->seen.commands, 101);
}

/* Answers that never come are not waited for without end. */
static void test_too_many_wait(void **state)
{
    struct fixture *f = *state;
    for (uint64_t s = 1; s <= 3000; s++) {
        request(f->log, s);
        if (s % 50 == 0) {
            assert_int_equal(poll(f), 1);
        }
    }
    assert_true(f->seen.commands >= 3000 - VT_VGPU_LOG_PENDING_MAX);
    assert_int_equal(f->seen.unanswered, f->seen.commands);
    assert_int_equal(vt_vgpu_log_reader_flush(f->reader, see, &f->seen, &f->err), 1);
    assert_int_equal(f->seen.commands, 3000);
}

static void test_nonsense(void **state)
{
    struct fixture *f = *state;
    for (uint64_t s = 1; s <= 10; s++) {
        request(f->log, s);
        response(f->log, s);
    }
    struct vt_vgpu_log_header *h = (void *)(uintptr_t)header_of(f);
    uint8_t *ring = (uint8_t *)h + h->header_bytes;
    memset(ring + 400, 0xff, 48);
    assert_int_equal(poll(f), 1);
    assert_int_equal(vt_vgpu_log_reader_damaged(f->reader), 1);
    assert_int_equal(strncmp(f->seen.text[0], "the log is damaged: ", 20), 0);
    request(f->log, 11);
    response(f->log, 11);
    assert_int_equal(poll(f), 1);
    assert_int_equal(f->seen.v[f->seen.n - 1].sequence, 11);
    h->head += (uint64_t)1 << 40; /* and `tail` stays */
    assert_int_equal(poll(f), 1);
    assert_int_equal(vt_vgpu_log_reader_damaged(f->reader), 2);
    h->head = UINT64_MAX;
    h->tail = UINT64_MAX;
    assert_int_equal(poll(f), 1);
}

static void test_headers(void **state)
{
    struct fixture *f = *state;
    struct vt_vgpu_log_place place = {0};
    struct vt_vgpu_log_header good, h;
    memcpy(&good, header_of(f), sizeof good);
    uint64_t room = RING + 4096;
    assert_int_equal(vt_vgpu_log_check(&good, room, VT_GPA(0), &place, &f->err), 0);
    assert_string_equal(place.writer, "test writer");
#define BAD(change, code)                                                                          \
    h = good;                                                                                      \
    change;                                                                                        \
    assert_int_equal(vt_vgpu_log_check(&h, room, VT_GPA(4096), &place, &f->err), code)
    BAD(h.magic[3]++, VT_E_NOT_FOUND);
    BAD(h.version++, VT_E_CORRUPT);
    BAD(h.header_bytes = 16, VT_E_CORRUPT);
    BAD(h.header_bytes = UINT32_MAX - 15, VT_E_CORRUPT);
    BAD(h.bytes = 0, VT_E_CORRUPT);
    BAD(h.bytes = RING * 2, VT_E_CORRUPT);
    BAD(h.bytes = RING - 16, VT_E_CORRUPT);
    BAD(h.bytes = (uint64_t)1 << 63, VT_E_CORRUPT);
    BAD(h.head = 8, VT_E_CORRUPT);
    BAD(h.head = RING + 16, VT_E_CORRUPT);
    BAD(h.tail = 16, 0);
    assert_int_equal(vt_vgpu_log_check(&good, 95, VT_GPA(0), &place, &f->err), VT_E_NOT_FOUND);
    assert_int_equal(vt_vgpu_log_check(&good, room - 1, VT_GPA(0), &place, &f->err), VT_E_CORRUPT);
}

static void keep_writing(struct fixture *f)
{
    for (uint64_t s = 1;; s++) {
        request(f->log, s);
        response(f->log, s);
    }
}

static void test_beside_a_writer(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        keep_writing(f);
    }
    unsigned looks = 0;
    /* A reader that is overrun at each look sees only losses. */
    while ((looks < 100 && f->seen.n < 100000) || f->seen.commands == 0) {
        f->seen.most = UINT32_MAX;
        looks += poll(f) == 1;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(poll(f) >= 0);
    assert_true(f->seen.commands > 0);
    assert_int_equal(vt_vgpu_log_reader_damaged(f->reader), 0);
    uint64_t last = f->seen.v[(f->seen.n - 1) % 4096].sequence;
    assert_int_equal(f->seen.commands + f->seen.lost, last);
}

/* Whenever it is killed, all but the record it was writing can be read by one who comes later. */
static void test_killed_writer(void **state)
{
    struct fixture *f = *state;
    const struct vt_vgpu_log_header *h = header_of(f);
    f->seen.most = UINT32_MAX;
    for (unsigned round = 0; round < 40; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            keep_writing(f);
        }
        while (__atomic_load_n(&h->head, __ATOMIC_RELAXED) < RING + round * 977) {
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        vt_vgpu_log_reader_destroy(f->reader);
        read_it(f);
        uint64_t before = f->seen.commands + f->seen.lost;
        assert_int_equal(poll(f), 1);
        (void)vt_vgpu_log_reader_flush(f->reader, see, &f->seen, &f->err);
        assert_int_equal(vt_vgpu_log_reader_damaged(f->reader), 0);
        uint64_t last = f->seen.v[(f->seen.n - 1) % 4096].sequence;
        assert_int_equal(f->seen.commands + f->seen.lost - before, last);
        begin(f);
    }
}

/* ---------------------------------------------------------------- in a RAM */

static void test_found(void **state)
{
    char path[256];
    snprintf(path, sizeof path, "%s/ram", (const char *)*state);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const size_t size = (size_t)8 << 20;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    uint8_t *ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(ram, MAP_FAILED);
    const struct vt_ram_region regions[] = {
        {.gpa = VT_GPA(0), .offset = VT_OFF(0), .bytes = size / 2},
        {.gpa = VT_GPA(0x100000000), .offset = VT_OFF(size / 2), .bytes = size / 2},
    };
    struct vt_ram *r;
    struct vt_error err;
    struct vt_vgpu_log_place places[4];
    unsigned n = 7;
    assert_int_equal(vt_ram_open(path, regions, 2, &r, &err), 0);
    assert_int_equal(vt_vgpu_logs_find(r, places, 4, &n, &err), VT_E_NOT_FOUND);
    assert_int_equal(n, 7);
    memcpy(ram + 0x5000, VT_VGPU_LOG_MAGIC, 16); /* as in a program that can write logs */
    memcpy(ram + 0x9008, VT_VGPU_LOG_MAGIC, 16);
    struct vt_vgpu_log *log[2];
    struct vt_virtio_arena low = {.base = ram + 0x20000, .device = 0x20000, .bytes = 1 << 20};
    struct vt_virtio_arena high = {
        .base = ram + size / 2 + 0x300000, .device = 0x100300000, .bytes = 1 << 20};
    assert_int_equal(vt_vgpu_log_create(&high, 1 << 19, "high", &log[0]), 0);
    assert_int_equal(vt_vgpu_log_create(&low, RING, "low", &log[1]), 0);
    request(log[0], 1);
    response(log[0], 1);
    assert_int_equal(vt_vgpu_logs_find(r, places, 4, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_string_equal(places[0].writer, "low");
    assert_int_equal(places[0].gpa.v, vt_vgpu_log_address(log[1]));
    assert_string_equal(places[1].writer, "high");
    assert_int_equal(places[1].gpa.v, vt_vgpu_log_address(log[0]));
    assert_int_equal(places[1].records, 2);
    assert_int_equal(vt_vgpu_logs_find(r, places, 1, &n, &err), 0);
    assert_int_equal(n, 1);

    struct vt_vgpu_log_reader *reader = NULL;
    struct seen *seen = calloc(1, sizeof *seen);
    assert_non_null(seen);
    seen->most = 10;
    assert_int_equal(
        vt_vgpu_log_reader_create(r, VT_GPA(vt_vgpu_log_address(log[0])), &reader, &err), 0);
    assert_int_equal(vt_vgpu_log_reader_poll(reader, see, seen, &err), 1);
    assert_int_equal(seen->commands, 1);
    vt_vgpu_log_reader_destroy(reader);
    free(seen);
    assert_int_equal(vt_vgpu_log_reader_create(r, VT_GPA(0x1008), &reader, &err), VT_E_INVAL);
    assert_int_equal(vt_vgpu_log_reader_create(r, VT_GPA(0x1000), &reader, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_vgpu_log_reader_create(r, VT_GPA(0x5000), &reader, &err), VT_E_CORRUPT);
    assert_int_equal(vt_vgpu_log_reader_create(r, VT_GPA(0xc0000000), &reader, &err), VT_E_ADDR);
    vt_vgpu_log_reader_destroy(NULL);
    vt_ram_close(r);
    munmap(ram, size);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pairs_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overwritten_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_consumer_says_no, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guest_starts_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beside_a_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_writer, setup, teardown),
        vt_test_in_dir(test_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
