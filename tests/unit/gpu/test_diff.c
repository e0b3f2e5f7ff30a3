/* Hand-made recordings: what differs from run to run is no difference, everything else is. */
#include "tests/unit/harness.h"

#include "gpu/diff.h"
#include "virtio/gpu/protocol/commands.h"

#include <string.h>

static struct vt_error err;

/* ---------------------------------------------------------------- recordings by hand */

/* One side; numbers of its own for everything that may differ. */
struct maker {
    struct vt_vgpu_sequence *sequence;
    uint64_t n, fence;
    uint32_t flags; /* of events */
};

static struct maker begin(void)
{
    struct maker m = {.fence = 100};
    assert_int_equal(vt_vgpu_sequence_create("made", &m.sequence, &err), 0);
    return m;
}

static void add(struct maker *m, enum vt_vgpu_queue queue, const void *request, size_t n,
                uint32_t response_type)
{
    struct vt_vgpu_header response = {0};
    memcpy(&response, request, n < sizeof response ? n : sizeof response); /* the fence */
    response.type = response_type;
    struct vt_vgpu_event_seen e = {
        .kind = VT_VGPU_SEEN_COMMAND,
        .flags = m->flags,
        .sequence = m->n,
        .submitted_ns = 1000 * m->n + 7,
        .queue = queue,
        .slot = (uint16_t)(m->n * 3),
        .request = request,
        .request_bytes = (uint32_t)n,
        .response = (const uint8_t *)&response,
        .response_bytes = response_type != 0 ? sizeof response : 0,
    };
    m->n++;
    assert_true(vt_vgpu_sequence_add(&e, m->sequence));
}

static void ask_displays(struct maker *m)
{
    struct vt_vgpu_header h = {.type = VT_VGPU_CMD_GET_DISPLAY_INFO};
    add(m, VT_VGPU_CONTROL_QUEUE, &h, sizeof h, VT_VGPU_RESP_ERR_UNSPEC);
}

static void create(struct maker *m, uint32_t id, uint32_t width)
{
    struct vt_vgpu_resource_create_2d c = {
        .header.type = VT_VGPU_CMD_RESOURCE_CREATE_2D,
        .resource_id = id,
        .format = VT_VGPU_FORMAT_B8G8R8X8_UNORM,
        .width = width,
        .height = 480,
    };
    add(m, VT_VGPU_CONTROL_QUEUE, &c, sizeof c, VT_VGPU_RESP_OK_NODATA);
}

static void back(struct maker *m, uint32_t id, uint64_t address, uint32_t pieces, uint32_t bytes)
{
    struct {
        struct vt_vgpu_resource_attach_backing fixed;
        struct vt_vgpu_memory_entry entries[8];
    } c = {.fixed = {.header.type = VT_VGPU_CMD_RESOURCE_ATTACH_BACKING,
                     .resource_id = id,
                     .nr_entries = pieces}};
    for (uint32_t i = 0; i < pieces; i++) {
        c.entries[i] = (struct vt_vgpu_memory_entry){address + 0x100000 * i, bytes / pieces, 0};
    }
    add(m, VT_VGPU_CONTROL_QUEUE, &c, sizeof c.fixed + pieces * sizeof c.entries[0],
        VT_VGPU_RESP_OK_NODATA);
}

static void show(struct maker *m, uint32_t id, uint32_t width, uint32_t response)
{
    struct vt_vgpu_set_scanout c = {
        .header.type = VT_VGPU_CMD_SET_SCANOUT, .rect = {0, 0, width, 480}, .resource_id = id};
    add(m, VT_VGPU_CONTROL_QUEUE, &c, sizeof c, response);
}

static void flush(struct maker *m, uint32_t id, uint32_t x, bool fenced)
{
    struct vt_vgpu_resource_flush c = {
        .header = {.type = VT_VGPU_CMD_RESOURCE_FLUSH,
                   .flags = fenced ? VT_VGPU_FLAG_FENCE : 0,
                   .fence_id = fenced ? m->fence++ : 0},
        .rect = {x, 0, 16, 16},
        .resource_id = id,
    };
    add(m, VT_VGPU_CONTROL_QUEUE, &c, sizeof c, VT_VGPU_RESP_OK_NODATA);
}

static void drop(struct maker *m, uint32_t id)
{
    struct vt_vgpu_resource_unref c = {.header.type = VT_VGPU_CMD_RESOURCE_UNREF,
                                       .resource_id = id};
    add(m, VT_VGPU_CONTROL_QUEUE, &c, sizeof c, VT_VGPU_RESP_OK_NODATA);
}

static void point(struct maker *m, uint32_t id, uint32_t x)
{
    struct vt_vgpu_update_cursor c = {
        .header.type = VT_VGPU_CMD_UPDATE_CURSOR, .x = x, .resource_id = id};
    add(m, VT_VGPU_CURSOR_QUEUE, &c, sizeof c, 0);
}

/* ---------------------------------------------------------------- comparing them */

struct found {
    size_t same, changed, only_a, only_b;
    char fields[512]; /* "name:a|b;" of all that changed */
};

static void note_field(const char *name, const char *a, const char *b, void *arg)
{
    struct found *f = arg;
    size_t n = strlen(f->fields);
    snprintf(f->fields + n, sizeof f->fields - n, "%s:%s|%s;", name, a, b);
}

static struct found compare_but(struct maker *a, struct maker *b, const char *const *ignore)
{
    struct found f = {0};
    struct vt_vgpu_diff *diff;
    size_t n, next_a = 0, next_b = 0;
    assert_int_equal(vt_vgpu_diff_create(a->sequence, b->sequence, ignore, &diff, &err), 0);
    const struct vt_vgpu_step *steps = vt_vgpu_diff_steps(diff, &n);
    for (size_t i = 0; i < n; i++) {
        /* Each command exactly once, in order. */
        assert_int_equal(steps[i].a, next_a);
        assert_int_equal(steps[i].b, next_b);
        next_a += steps[i].kind != VT_VGPU_STEP_ONLY_B;
        next_b += steps[i].kind != VT_VGPU_STEP_ONLY_A;
        f.same += steps[i].kind == VT_VGPU_STEP_SAME;
        f.changed += steps[i].kind == VT_VGPU_STEP_CHANGED;
        f.only_a += steps[i].kind == VT_VGPU_STEP_ONLY_A;
        f.only_b += steps[i].kind == VT_VGPU_STEP_ONLY_B;
        vt_vgpu_diff_fields(diff, &steps[i], note_field, &f);
    }
    assert_int_equal(next_a, vt_vgpu_sequence_count(a->sequence));
    assert_int_equal(next_b, vt_vgpu_sequence_count(b->sequence));
    vt_vgpu_diff_destroy(diff);
    vt_vgpu_sequence_destroy(a->sequence);
    vt_vgpu_sequence_destroy(b->sequence);
    return f;
}

static struct found compare(struct maker *a, struct maker *b)
{
    return compare_but(a, b, NULL);
}

static void expect(const struct found *f, size_t same, size_t changed, size_t only_a, size_t only_b)
{
    if (f->same != same || f->changed != changed || f->only_a != only_a || f->only_b != only_b) {
        fail_msg("same %zu changed %zu only a %zu only b %zu; fields %s", f->same, f->changed,
                 f->only_a, f->only_b, f->fields);
    }
}

/* ---------------------------------------------------------------- tests */

static void test_runs_differ(void **state)
{
    (void)state;
    struct maker m[2] = {begin(), begin()};
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t id = 5 + 37 * k;
        m[k].fence += 1000 * k;
        ask_displays(&m[k]);
        create(&m[k], id, 640);
        back(&m[k], id, 0x1000 + 0x7000 * k, k == 0 ? 1 : 4, 640 * 480 * 4);
        show(&m[k], id, 640, VT_VGPU_RESP_OK_NODATA);
        flush(&m[k], id, 16, true);
        flush(&m[k], id, 32, false);
        point(&m[k], id, 9);
        drop(&m[k], id);
    }
    struct found f = compare(&m[0], &m[1]);
    expect(&f, 8, 0, 0, 0);
}

static void test_fields(void **state)
{
    (void)state;
    struct maker a = begin(), b = begin();
    create(&a, 1, 640);
    create(&b, 1, 800);
    back(&a, 1, 0x1000, 2, 8192);
    back(&b, 1, 0x1000, 1, 4096);
    flush(&a, 1, 16, true);
    flush(&b, 1, 16, false);
    show(&a, 1, 640, VT_VGPU_RESP_OK_NODATA);
    show(&b, 1, 320, VT_VGPU_RESP_ERR_INVALID_PARAMETER);
    point(&a, 1, 3);
    point(&b, 0, 3);
    struct found f = compare(&a, &b);
    expect(&f, 0, 5, 0, 0);
    assert_string_equal(f.fields, "width:640|800;"
                                  "backing_bytes:8192|4096;"
                                  "flags:FENCE|0x0;"
                                  "rect:640x480+0+0|320x480+0+0;"
                                  "response.type:OK_NODATA|ERR_INVALID_PARAMETER;"
                                  "resource_id:1|0;");
}

static void test_ignored(void **state)
{
    (void)state;
    static const char *const ignore[] = {"flags", "response", NULL};
    struct maker a = begin(), b = begin();
    flush(&a, 1, 16, true);
    flush(&b, 1, 16, false);
    show(&a, 1, 640, VT_VGPU_RESP_OK_NODATA);
    show(&b, 1, 640, VT_VGPU_RESP_ERR_UNSPEC);
    struct found f = compare_but(&a, &b, ignore);
    expect(&f, 2, 0, 0, 0);
}

static void test_more_and_less(void **state)
{
    (void)state;
    struct maker a = begin(), b = begin();
    ask_displays(&a);
    create(&a, 1, 640);
    flush(&a, 1, 0, false);
    flush(&a, 1, 0, false);
    drop(&a, 1);
    create(&b, 1, 640);
    flush(&b, 1, 0, false);
    drop(&b, 1);
    ask_displays(&b);
    struct found f = compare(&a, &b);
    expect(&f, 3, 0, 2, 1);
}

/* A console's surface, created alike, comes before: what is done with surfaces decides. */
static void test_whose_resource(void **state)
{
    (void)state;
    struct maker a = begin(), b = begin();
    create(&a, 2, 640);
    create(&a, 3, 640);
    create(&b, 1, 640);
    for (uint32_t i = 0; i < 5; i++) {
        flush(&a, 3, i, false);
        flush(&b, 1, i, false);
    }
    drop(&a, 3);
    drop(&b, 1);
    struct found f = compare(&a, &b);
    expect(&f, 7, 0, 1, 0);
}

/* An id that is used again is another resource; a cursor's command is of the one of its time. */
static void test_lifetimes(void **state)
{
    (void)state;
    struct maker a = begin(), b = begin();
    create(&a, 1, 640);
    point(&a, 1, 0);
    drop(&a, 1);
    create(&a, 1, 800);
    flush(&a, 1, 0, false);
    create(&b, 1, 640);
    point(&b, 1, 0);
    drop(&b, 1);
    create(&b, 2, 800);
    flush(&b, 2, 0, false);
    struct found f = compare(&a, &b);
    expect(&f, 5, 0, 0, 0);
}

/* Two surfaces take turns here, one is used twice there. */
static void test_other_resource(void **state)
{
    (void)state;
    struct maker a = begin(), b = begin();
    struct maker *both[] = {&a, &b};
    for (unsigned k = 0; k < 2; k++) {
        create(both[k], 1, 640);
        create(both[k], 2, 800);
        flush(both[k], 1, 0, false);
    }
    flush(&a, 2, 1, false);
    flush(&b, 1, 1, false);
    struct found f = compare(&a, &b);
    expect(&f, 3, 1, 0, 0);
    assert_string_equal(f.fields, "resource_id:2|1;");
}

static void test_unseen_answers(void **state)
{
    (void)state;
    static const uint32_t unseen[] = {VT_VGPU_STALE_RESPONSE, VT_VGPU_LATE, 0};
    for (unsigned i = 0; i < 3; i++) {
        struct maker a = begin(), b = begin();
        show(&a, 1, 640, VT_VGPU_RESP_OK_NODATA);
        b.flags = unseen[i] | VT_VGPU_TIMES_ARE_BOUNDS;
        show(&b, 1, 640, VT_VGPU_CMD_RESOURCE_FLUSH);
        struct found f = compare(&a, &b);
        bool same = unseen[i] != 0;
        expect(&f, same, !same, 0, 0);
    }
}

static void test_gaps(void **state)
{
    (void)state;
    struct maker a = begin(), b = begin();
    flush(&a, 1, 0, false);
    flush(&b, 1, 0, false);
    struct vt_vgpu_event_seen lost = {.kind = VT_VGPU_SEEN_LOST, .lost = 3, .sequence = 9};
    struct vt_vgpu_event_seen note = {.kind = VT_VGPU_SEEN_NOTE, .sequence = 9};
    assert_true(vt_vgpu_sequence_add(&lost, b.sequence));
    assert_true(vt_vgpu_sequence_add(&note, a.sequence));
    struct found f = compare(&a, &b);
    expect(&f, 1, 0, 0, 1);
}

/* Bytes that are no command are compared as bytes. */
static void test_garbage(void **state)
{
    (void)state;
    static const uint8_t x[] = "not a command, but thirty bytes",
                         y[] = "not a command, but THIRTY bytes";
    struct maker a = begin(), b = begin();
    add(&a, VT_VGPU_CONTROL_QUEUE, x, sizeof x, 0x4242);
    add(&b, VT_VGPU_CONTROL_QUEUE, x, sizeof x, 0x4242);
    add(&a, VT_VGPU_CONTROL_QUEUE, x, sizeof x, 0x4242);
    add(&b, VT_VGPU_CONTROL_QUEUE, y, sizeof y, 0x4242);
    add(&a, VT_VGPU_CONTROL_QUEUE, x, 2, 0);
    add(&b, VT_VGPU_CONTROL_QUEUE, x, 2, 0);
    add(&a, VT_VGPU_CURSOR_QUEUE, x, 0, 0);
    add(&b, VT_VGPU_CURSOR_QUEUE, x, 0, 0);
    struct found f = compare(&a, &b);
    expect(&f, 3, 1, 0, 0);
}

static void test_empty(void **state)
{
    (void)state;
    struct maker a = begin(), b = begin();
    struct found f = compare(&a, &b);
    expect(&f, 0, 0, 0, 0);
    a = begin();
    b = begin();
    ask_displays(&b);
    f = compare(&a, &b);
    expect(&f, 0, 0, 0, 1);
}

static void test_from_files(void **state)
{
    char path[512];
    struct vt_vgpu_origin origin = {.vm = "one", .source = "watch"};
    struct vt_vgpu_writer *writer;
    struct vt_vgpu_sequence *read;
    snprintf(path, sizeof path, "%s/a.vgpu", (char *)*state);
    struct maker a = begin();
    create(&a, 1, 640);
    flush(&a, 1, 0, false);
    assert_int_equal(vt_vgpu_writer_create(path, false, &origin, &writer, &err), 0);
    for (size_t i = 0; i < vt_vgpu_sequence_count(a.sequence); i++) {
        assert_int_equal(vt_vgpu_writer_put(writer, vt_vgpu_sequence_at(a.sequence, i), &err), 0);
    }
    assert_int_equal(vt_vgpu_writer_close(writer, &err), 0);
    origin = (struct vt_vgpu_origin){0};
    assert_int_equal(vt_vgpu_sequence_read(path, &read, &origin, &err), 0);
    assert_string_equal(origin.vm, "one");
    struct maker b = {.sequence = read};
    struct found f = compare(&a, &b);
    expect(&f, 2, 0, 0, 0);

    /* Cut in the middle of an event. */
    FILE *file = fopen(path, "r+");
    fseek(file, -5, SEEK_END);
    assert_int_equal(ftruncate(fileno(file), ftell(file)), 0);
    fclose(file);
    read = NULL;
    assert_int_equal(vt_vgpu_sequence_read(path, &read, &origin, &err), VT_E_CORRUPT);
    assert_null(read);
    assert_int_equal(vt_vgpu_sequence_read("/nonexistent", &read, &origin, &err), VT_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_differ),    cmocka_unit_test(test_fields),
        cmocka_unit_test(test_ignored),        cmocka_unit_test(test_more_and_less),
        cmocka_unit_test(test_whose_resource), cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_other_resource), cmocka_unit_test(test_unseen_answers),
        cmocka_unit_test(test_gaps),           cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_empty),          vt_test_in_dir(test_from_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
