/* The driver's log: what is written can be read back, the oldest goes first, a writer that is
 * killed anywhere leaves a log that is whole, and a reader beside a running writer is not misled.
 *
 * The reader here is the header's text made into code, apart from the one in src/gpu. */
#include "tests/unit/harness.h"
#include "virtio/barrier.h"
#include "virtio/gpu/log.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RING ((size_t)64 << 10)
#define ARENA (RING + ((size_t)16 << 10))
#define DEVICE 0x80000000u

struct fixture {
    struct vt_virtio_arena arena;
    struct vt_vgpu_log *log;
    const struct vt_vgpu_log_header *header;
    const uint8_t *ring;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    void *memory = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f == NULL || memory == MAP_FAILED) {
        return -1;
    }
    f->arena = (struct vt_virtio_arena){.base = memory, .device = DEVICE, .bytes = ARENA};
    if (vt_vgpu_log_create(&f->arena, RING, "test, with a name too long for it", &f->log) != 0) {
        return -1;
    }
    f->header = (const void *)(f->arena.base + (vt_vgpu_log_address(f->log) - DEVICE));
    f->ring = (const uint8_t *)f->header + f->header->header_bytes;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    munmap(f->arena.base, ARENA);
    free(f);
    return 0;
}

/* What a record with this sequence holds. */
static uint32_t size_of(uint64_t sequence)
{
    return (uint32_t)(sequence * 37 % 700);
}

static void put(struct vt_vgpu_log *log, uint64_t sequence)
{
    uint8_t payload[700];
    memset(payload, (int)(sequence & 0xff), sizeof payload);
    struct vt_vgpu_log_record r = {.kind = VT_VGPU_LOG_REQUEST,
                                   .sequence = sequence,
                                   .time_ns = sequence * 10,
                                   .slot = (uint16_t)sequence,
                                   .payload_full = size_of(sequence)};
    vt_vgpu_log_write(log, &r, payload);
}

struct found {
    uint64_t records, first, last;
};

/* Fails the test at anything that is not as put() wrote it. */
static struct found read_all(const uint8_t *ring, uint64_t tail, uint64_t head)
{
    struct found found = {0};
    assert_true(head - tail <= RING);
    for (uint64_t at = tail; at != head;) {
        struct vt_vgpu_log_record r = {0};
        uint64_t o = at % RING;
        memcpy(&r, ring + o, o + sizeof r <= RING ? sizeof r : 16);
        assert_true(r.bytes >= 16 && r.bytes % 16 == 0 && r.bytes <= head - at);
        assert_true(o + r.bytes <= RING);
        at += r.bytes;
        if (r.kind == VT_VGPU_LOG_PAD) {
            assert_int_equal(at % RING, 0);
            continue;
        }
        assert_int_equal(r.kind, VT_VGPU_LOG_REQUEST);
        assert_int_equal(r.payload, size_of(r.sequence));
        assert_int_equal(r.payload_full, r.payload);
        assert_int_equal(r.time_ns, r.sequence * 10);
        for (uint32_t i = 0; i < r.payload; i++) {
            assert_int_equal(ring[o + sizeof r + i], r.sequence & 0xff);
        }
        if (found.records++ == 0) {
            found.first = r.sequence;
        } else {
            assert_int_equal(r.sequence, found.last + 1);
        }
        found.last = r.sequence;
    }
    return found;
}

static void test_header(void **state)
{
    struct fixture *f = *state;
    assert_memory_equal(f->header->magic, VT_VGPU_LOG_MAGIC, 16);
    assert_int_equal(vt_vgpu_log_address(f->log) % 4096, 0);
    assert_int_equal(f->header->version, VT_VGPU_LOG_VERSION);
    assert_int_equal(f->header->bytes, RING);
    assert_int_equal(f->header->clock_hz, 1000000000);
    assert_string_equal(f->header->writer, "test, with a name too long for ");
    assert_int_equal(f->header->head, 0);
}

static void test_arguments(void **state)
{
    (void)state;
    static _Alignas(4096) uint8_t memory[1 << 18];
    struct vt_vgpu_log *log = NULL;
    struct vt_virtio_arena arena = {.base = memory, .bytes = sizeof memory};
    assert_int_equal(vt_vgpu_log_create(&arena, RING - 1, "", &log), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_log_create(&arena, RING / 2, "", &log), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_log_create(&arena, RING + RING / 2, "", &log), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_vgpu_log_create(&arena, sizeof memory, "", &log), VT_VIRTIO_E_NOMEM);
    assert_null(log);
    put(NULL, 1);
    vt_vgpu_log_say(NULL, VT_VGPU_LOG_NOTE, 0, "nowhere");
}

static void test_reads_back(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < 50; i++) {
        put(f->log, i);
    }
    struct found found = read_all(f->ring, f->header->tail, f->header->head);
    assert_int_equal(found.records, 50);
    assert_int_equal(found.first, 0);
    assert_int_equal(f->header->records, 50);
    assert_int_equal(f->header->tail, 0);
}

static void test_oldest_goes(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < 5000; i++) {
        put(f->log, i);
        struct found found = read_all(f->ring, f->header->tail, f->header->head);
        assert_int_equal(found.last, i);
        if (i > 1000) {
            assert_true(found.records > 100);
        }
    }
    assert_int_equal(f->header->records, 5000);
}

static void test_cut(void **state)
{
    struct fixture *f = *state;
    static uint8_t payload[RING];
    struct vt_vgpu_log_record r = {.kind = VT_VGPU_LOG_RESPONSE, .payload_full = sizeof payload};
    vt_vgpu_log_write(f->log, &r, payload);
    memcpy(&r, f->ring, sizeof r);
    assert_int_equal(r.bytes, RING / VT_VGPU_LOG_CUT);
    assert_int_equal(r.payload, RING / VT_VGPU_LOG_CUT - sizeof r);
    assert_int_equal(r.payload_full, sizeof payload);
    assert_int_equal(r.cut, 1);
}

/* A device that writes over the log costs records, never an endless loop. */
static void test_overwritten(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 0; i < 300; i++) {
        put(f->log, i);
    }
    for (unsigned byte = 0; byte < 256; byte += 51) {
        memset((void *)(uintptr_t)f->ring, (int)byte, RING);
        for (uint64_t i = 0; i < 1000; i++) {
            put(f->log, i);
        }
        read_all(f->ring, f->header->tail, f->header->head);
    }
}

struct lines {
    char text[8][256];
    unsigned n;
};

static void keep_line(const char *line, void *arg)
{
    struct lines *lines = arg;
    assert_true(lines->n < 8);
    snprintf(lines->text[lines->n++], sizeof lines->text[0], "%s", line);
}

static void test_text(void **state)
{
    struct fixture *f = *state;
    struct lines lines = {0};
    vt_vgpu_log_text(f->log, keep_line, &lines);
    struct vt_vgpu_header h = {.type = VT_VGPU_RESP_OK_NODATA};
    struct vt_vgpu_log_record r = {.kind = VT_VGPU_LOG_RESPONSE,
                                   .sequence = 7,
                                   .time_ns = 12001234567,
                                   .latency_ns = 5433,
                                   .queue = VT_VGPU_CURSOR_QUEUE,
                                   .payload_full = sizeof h};
    vt_vgpu_log_write(f->log, &r, &h);
    h.type = 0x7777;
    vt_vgpu_log_write(f->log, &r, &h);
    r.kind = VT_VGPU_LOG_REQUEST;
    r.queue = VT_VGPU_CONTROL_QUEUE;
    r.payload_full = 2;
    vt_vgpu_log_write(f->log, &r, &h);
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_STATE, 5, "READY -> TIMED_OUT");
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_NOTE, 6, "a\x1b[2J\n");
    char much[2000];
    memset(much, 'x', sizeof much);
    much[sizeof much - 1] = 0;
    vt_vgpu_log_say(f->log, VT_VGPU_LOG_NOTE, 7, much);
    vt_vgpu_log_text(f->log, NULL, NULL);
    put(f->log, 1);
    assert_int_equal(lines.n, 6);
    assert_non_null(strstr(lines.text[0], "  12.001234567 < 7 cursor OK_NODATA"));
    assert_non_null(strstr(lines.text[0], " +5433 ns"));
    assert_string_equal(lines.text[1],
                        "  12.001234567 < 7 cursor unknown type 0x7777, 24 bytes +5433 ns");
    assert_string_equal(lines.text[2], "  12.001234567 > 7 2 bytes");
    assert_string_equal(lines.text[3], "   0.000000005 * READY -> TIMED_OUT");
    assert_string_equal(lines.text[4], "   0.000000006 # a.[2J.");
}

/* Killed at a moment of nobody's choosing, many times. */
static void test_killed(void **state)
{
    struct fixture *f = *state;
    for (unsigned round = 0; round < 60; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (uint64_t i = 0;; i++) {
                put(f->log, i);
            }
        }
        uint64_t enough = f->header->head + 100000 + round * 1717;
        while (__atomic_load_n(&f->header->head, __ATOMIC_RELAXED) < enough) {
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        struct found found = read_all(f->ring, f->header->tail, f->header->head);
        assert_true(found.records > 50);
        /* A crashed guest starts again, and its log anew. */
        memset(f->arena.base, 0, f->arena.bytes);
        f->arena.used = 0;
        assert_int_equal(vt_vgpu_log_create(&f->arena, RING, "again", &f->log), 0);
    }
}

static void test_read_while_written(void **state)
{
    struct fixture *f = *state;
    static uint8_t copy[RING];
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (uint64_t i = 0;; i++) {
            put(f->log, i);
        }
    }
    for (unsigned looks = 0; looks < 30;) {
        uint64_t head = __atomic_load_n(&f->header->head, __ATOMIC_ACQUIRE);
        memcpy(copy, f->ring, RING);
        vt_virtio_barrier_acquire();
        uint64_t tail = __atomic_load_n(&f->header->tail, __ATOMIC_RELAXED);
        if (head > RING && tail < head) {
            read_all(copy, tail, head);
            looks++;
        }
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_header, setup, teardown),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test_setup_teardown(test_reads_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oldest_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overwritten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_while_written, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
