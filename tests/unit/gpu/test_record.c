/* tests/unit/gpu/test_record.c - a recording comes back as it was put; a cut or broken one says so.
 */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "gpu/record.h"
#include "virtio/gpu/protocol/protocol.h"

#include <string.h>
#include <sys/stat.h>

static const struct vt_vgpu_origin origin = {
    .vm = "demo",
    .source = "watch",
    .device = "/machine/peripheral/gpu0",
    .features = (uint64_t)1 << 32 | 2,
    .started_unix_ns = 1700000000123456789,
};

static const uint8_t request[] = {5, 1, 0, 0, 1, 2, 3};
static const uint8_t response[] = {0, 0x11, 0, 0};

static const struct vt_vgpu_event_seen events[] = {
    {.kind = VT_VGPU_SEEN_NOTE, .request = (const uint8_t *)"hello", .request_bytes = 5},
    {.kind = VT_VGPU_SEEN_COMMAND,
     .flags = VT_VGPU_STALE_RESPONSE | VT_VGPU_TIMES_ARE_BOUNDS,
     .sequence = 7,
     .submitted_ns = 1000,
     .answered_ns = 2500,
     .queue = VT_VGPU_CURSOR_QUEUE,
     .slot = 65535,
     .written = 24,
     .request = request,
     .request_bytes = sizeof request,
     .response = response,
     .response_bytes = sizeof response},
    {.kind = VT_VGPU_SEEN_LOST, .sequence = 9, .lost = UINT64_MAX},
    {.kind = VT_VGPU_SEEN_RESET, .sequence = 10, .submitted_ns = 99},
};
#define N_EVENTS (sizeof events / sizeof events[0])

static char *path_in(void **state)
{
    char *path;
    assert_true(asprintf(&path, "%s/a.vgpu", (const char *)*state) > 0);
    return path;
}

static void record(const char *path)
{
    struct vt_error err;
    struct vt_vgpu_writer *w;
    assert_int_equal(vt_vgpu_writer_create(path, false, &origin, &w, &err), 0);
    for (size_t i = 0; i < N_EVENTS; i++) {
        assert_int_equal(vt_vgpu_writer_put(w, &events[i], &err), 0);
    }
    assert_int_equal(vt_vgpu_writer_close(w, &err), 0);
}

static void same(const struct vt_vgpu_event_seen *a, const struct vt_vgpu_event_seen *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->lost, b->lost);
    assert_int_equal(a->submitted_ns, b->submitted_ns);
    assert_int_equal(a->answered_ns, b->answered_ns);
    assert_int_equal(a->queue, b->queue);
    assert_int_equal(a->slot, b->slot);
    assert_int_equal(a->written, b->written);
    assert_int_equal(a->request_bytes, b->request_bytes);
    assert_int_equal(a->response_bytes, b->response_bytes);
    if (b->request_bytes > 0) {
        assert_memory_equal(a->request, b->request, b->request_bytes);
    } else {
        assert_null(a->request);
    }
    if (b->response_bytes > 0) {
        assert_memory_equal(a->response, b->response, b->response_bytes);
    } else {
        assert_null(a->response);
    }
}

static void comes_back(void **state)
{
    char *path = path_in(state);
    record(path);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    struct vt_error err;
    struct vt_vgpu_reader *r;
    assert_int_equal(vt_vgpu_reader_open(path, &r, &err), 0);
    assert_memory_equal(vt_vgpu_reader_origin(r), &origin, sizeof origin);
    struct vt_vgpu_event_seen e;
    bool cut = true;
    for (size_t i = 0; i < N_EVENTS; i++) {
        assert_int_equal(vt_vgpu_reader_next(r, &e, &cut, &err), 1);
        same(&e, &events[i]);
    }
    assert_int_equal(vt_vgpu_reader_next(r, &e, &cut, &err), 0);
    assert_false(cut);
    vt_vgpu_reader_close(r);
    free(path);
}

static void is_not_replaced_unasked(void **state)
{
    char *path = path_in(state);
    record(path);
    struct vt_error err;
    struct vt_vgpu_writer *w;
    assert_int_equal(vt_vgpu_writer_create(path, false, &origin, &w, &err), VT_E_EXISTS);
    assert_int_equal(vt_vgpu_writer_create(path, true, &origin, &w, &err), 0);
    assert_int_equal(vt_vgpu_writer_close(w, &err), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, sizeof(struct vt_vgpu_file_header));
    free(path);
}

static void too_long_a_payload_is_refused(void **state)
{
    char *path = path_in(state);
    struct vt_error err;
    struct vt_vgpu_writer *w;
    assert_int_equal(vt_vgpu_writer_create(path, false, &origin, &w, &err), 0);
    struct vt_vgpu_event_seen e = events[1];
    e.request_bytes = VT_VGPU_PAYLOAD_MAX + 1;
    assert_int_equal(vt_vgpu_writer_put(w, &e, &err), VT_E_INVAL);
    assert_int_equal(vt_vgpu_writer_close(w, &err), 0);
    free(path);
}

/* However short the file is cut, what is whole is read and the cut is told. */
static void cut_anywhere(void **state)
{
    char *path = path_in(state);
    record(path);
    size_t ends[N_EVENTS + 1] = {sizeof(struct vt_vgpu_file_header)};
    for (size_t i = 0; i < N_EVENTS; i++) {
        ends[i + 1] = ends[i] + sizeof(struct vt_vgpu_file_event) + events[i].request_bytes +
                      events[i].response_bytes;
    }
    for (size_t size = ends[N_EVENTS]; size-- > 0;) {
        assert_int_equal(truncate(path, (off_t)size), 0);
        struct vt_error err;
        struct vt_vgpu_reader *r;
        int rc = vt_vgpu_reader_open(path, &r, &err);
        if (size < ends[0]) {
            assert_int_equal(rc, VT_E_CORRUPT);
            continue;
        }
        assert_int_equal(rc, 0);
        struct vt_vgpu_event_seen e;
        bool cut = false;
        size_t n = 0;
        while ((rc = vt_vgpu_reader_next(r, &e, &cut, &err)) == 1) {
            n++;
        }
        assert_int_equal(rc, 0);
        assert_true(ends[n] <= size && size < ends[n + 1]);
        assert_int_equal(cut, ends[n] != size);
        vt_vgpu_reader_close(r);
    }
    free(path);
}

static int code_after(const char *path, size_t at, uint8_t value, uint64_t *addr)
{
    struct vt_error err = {0};
    char *bytes;
    size_t n;
    assert_int_equal(vt_read_file(path, 1 << 20, &bytes, &n, &err), 0);
    char *copy = malloc(n);
    memcpy(copy, bytes, n);
    copy[at] = (char)value;
    char other[4096];
    snprintf(other, sizeof other, "%s.broken", path);
    assert_int_equal(vt_write_file_atomic(other, copy, n, 0600, &err), 0);
    free(copy);
    free(bytes);
    struct vt_vgpu_reader *r;
    int rc = vt_vgpu_reader_open(other, &r, &err);
    if (rc == 0) {
        struct vt_vgpu_event_seen e;
        bool cut = false;
        while ((rc = vt_vgpu_reader_next(r, &e, &cut, &err)) == 1) {
        }
        vt_vgpu_reader_close(r);
    }
    *addr = err.addr;
    return rc;
}

static void broken_bytes_are_named(void **state)
{
    char *path = path_in(state);
    record(path);
    const size_t first = sizeof(struct vt_vgpu_file_header);
    const size_t second = first + sizeof(struct vt_vgpu_file_event) + 5;
    uint64_t addr;
    assert_int_equal(code_after(path, 0, 'X', &addr), VT_E_CORRUPT);
    assert_int_equal(code_after(path, offsetof(struct vt_vgpu_file_header, version), 9, &addr),
                     VT_E_UNSUPPORTED);
    assert_int_equal(code_after(path, offsetof(struct vt_vgpu_file_header, header_bytes), 9, &addr),
                     VT_E_CORRUPT);
    static const struct {
        size_t member;
        uint8_t value;
    } wrong[] = {
        {offsetof(struct vt_vgpu_file_event, bytes), 1},
        {offsetof(struct vt_vgpu_file_event, kind), 4},
        {offsetof(struct vt_vgpu_file_event, queue), 2},
        {offsetof(struct vt_vgpu_file_event, flags), 0x40},
        {offsetof(struct vt_vgpu_file_event, request_bytes), 200},
        {offsetof(struct vt_vgpu_file_event, response_bytes) + 3, 0xff},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(code_after(path, second + wrong[i].member, wrong[i].value, &addr),
                         VT_E_CORRUPT);
        assert_int_equal(addr, second);
    }
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(comes_back),
        vt_test_in_dir(is_not_replaced_unasked),
        vt_test_in_dir(too_long_a_payload_is_refused),
        vt_test_in_dir(cut_anywhere),
        vt_test_in_dir(broken_bytes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
