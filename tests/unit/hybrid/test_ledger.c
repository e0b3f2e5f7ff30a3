/* tests/unit/hybrid/test_ledger.c - a ledger that was written and is read again, joined with what
 * the slots of a segment hold by then: as they were left, changed, emptied, or never written down.
 */
#include "tests/unit/hybrid/segment_rig.h"

#include "hybrid/ledger.h"

#define HASH_A "0123456789abcdef0123456789abcdef"
#define HASH_B "fedcba9876543210fedcba9876543210"

static struct vt_ledger_row in_use(const char *hash, uint32_t slot)
{
    struct vt_ledger_row row = {.place = "program:loop+0x4",
                                .process = "program",
                                .head = UINT64_C(0xffffffff81234567),
                                .iterations = 123456,
                                .percent = 12.5,
                                .fate = VT_FATE_KEPT,
                                .cached = true,
                                .instructions = 7,
                                .operations = 9,
                                .make_us = 1500,
                                .proof_us = 2500000,
                                .compile_us = 250,
                                .slot = slot,
                                .tcg_rate = 1e8,
                                .rate = 5e8,
                                .file = "/cache/kernel.json"};
    snprintf(row.hash, sizeof row.hash, "%s", hash);
    return row;
}

/* *text is the caller's. */
static size_t write_rows(const struct vt_ledger_row *rows, uint32_t n, char **text)
{
    size_t bytes;
    struct vt_json_writer w;
    FILE *out = open_memstream(text, &bytes);
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_json_kv_u64(&w, "threshold", 5000);
    vt_json_key(&w, "loops");
    vt_json_array(&w);
    for (uint32_t i = 0; i < n; i++) {
        vt_json_object(&w);
        vt_ledger_row_json(&rows[i], &w);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    assert_int_equal(fclose(out), 0);
    return bytes;
}

static struct vt_ledger_row *read_rows(struct segment_rig *f, const struct vt_ledger_row *rows,
                                       uint32_t n)
{
    struct vt_ledger_row *got;
    struct vt_error err;
    uint64_t threshold;
    uint32_t n_got;
    char *text;
    size_t bytes = write_rows(rows, n, &text);
    assert_int_equal(vt_ledger_parse(text, bytes, f->accel, &got, &n_got, &threshold, &err), 0);
    assert_int_equal(n_got, n);
    assert_int_equal(threshold, 5000);
    free(text);
    return got;
}

static void a_row_is_read_as_it_was_written(void **state)
{
    struct segment_rig *f = *state;
    struct vt_ledger_row row = in_use(HASH_A, 3);
    segment_put(f, 3, HASH_A, row.head, 0)->iterations = 777;
    struct vt_ledger_row *got = read_rows(f, &row, 1);
    assert_string_equal(got->hash, row.hash);
    assert_string_equal(got->place, row.place);
    assert_string_equal(got->process, row.process);
    assert_string_equal(got->file, row.file);
    assert_string_equal(got->why, "");
    assert_int_equal(got->head, row.head);
    assert_int_equal(got->iterations, row.iterations);
    assert_true(got->percent == row.percent && got->tcg_rate == row.tcg_rate &&
                got->rate == row.rate);
    assert_int_equal(got->fate, VT_FATE_KEPT);
    assert_true(got->cached);
    assert_int_equal(got->instructions, 7);
    assert_int_equal(got->operations, 9);
    assert_int_equal(got->make_us, 1500);
    assert_int_equal(got->proof_us, 2500000);
    assert_int_equal(got->compile_us, 250);
    assert_int_equal(got->slot, 3);
    assert_int_equal(got->counts.state, VT_ACCEL_ACTIVE);
    assert_int_equal(got->counts.iterations, 777); /* of now */
    free(got);
}

static void a_row_has_the_fate_of_its_slot(void **state)
{
    struct segment_rig *f = *state;
    struct vt_ledger_row rows[] = {in_use(HASH_A, 0), in_use(HASH_B, 1)};
    rows[1].fate = VT_FATE_WAITING;
    struct vt_hybrid_slot *a = segment_put(f, 0, HASH_A, 0x1000, 0),
                          *b = segment_put(f, 1, HASH_B, 0x2000, 0);
    b->wanted = VT_HYBRID_WANT_PASSIVE;
    struct vt_ledger_row *got = read_rows(f, rows, 2);
    assert_int_equal(got[0].fate, VT_FATE_KEPT);
    assert_int_equal(got[1].fate, VT_FATE_WAITING);
    assert_int_equal(got[1].counts.state, VT_ACCEL_PASSIVE);
    free(got);

    a->state = VT_HYBRID_DISABLED;
    a->refusal = VT_HYBRID_REFUSED_CANARY;
    b->state = VT_HYBRID_REFUSED;
    b->refusal = VT_HYBRID_REFUSED_RAM;
    got = read_rows(f, rows, 2);
    assert_int_equal(got[0].fate, VT_FATE_DISABLED);
    assert_string_equal(got[0].why, "what the kernel did was not what the guest did");
    assert_int_equal(got[1].fate, VT_FATE_REFUSED);
    assert_string_equal(got[1].why, "QEMU does not map this RAM as it was told");
    free(got);

    segment_put(f, 0, HASH_B, 0x2000, 0); /* another kernel took its slot */
    b->state = VT_HYBRID_INSTALLED;
    b->wanted = VT_HYBRID_WANT_NONE; /* it goes with the next commit */
    rows[1].fate = VT_FATE_SLOWER;   /* and was not in use */
    got = read_rows(f, rows, 2);
    assert_int_equal(got[0].fate, VT_FATE_REFUSED);
    assert_string_equal(got[0].why, "removed");
    assert_int_equal(got[0].counts.state, VT_ACCEL_EMPTY);
    assert_int_equal(got[1].fate, VT_FATE_SLOWER);
    assert_int_equal(got[1].counts.state, VT_ACCEL_EMPTY);
    free(got);
}

static void a_kernel_that_was_moved_is_found(void **state)
{
    struct segment_rig *f = *state;
    struct vt_ledger_row row = in_use(HASH_A, 2);
    segment_put(f, 2, HASH_B, 0x2000, 0);
    segment_put(f, 63, HASH_A, 0x1000, VT_HYBRID_USE_WORKER)->iterations = 5;
    struct vt_ledger_row *got = read_rows(f, &row, 1);
    assert_int_equal(got->fate, VT_FATE_KEPT);
    assert_int_equal(got->slot, 63);
    assert_int_equal(got->backend, VT_ACCEL_GPU);
    assert_int_equal(got->counts.iterations, 5);
    free(got);
}

static void kernels_that_nobody_wrote_down_have_rows(void **state)
{
    struct segment_rig *f = *state;
    struct vt_error err;
    struct vt_ledger_row row = in_use(HASH_A, 4), *rows = read_rows(f, &row, 0);
    uint32_t n = 0;
    assert_int_equal(vt_ledger_adopt(f->accel, &rows, &n, &err), 0);
    assert_int_equal(n, 0); /* nothing is in */
    free(rows);

    segment_put(f, 4, HASH_A, 0x1000, 0);
    segment_put(f, 9, HASH_B, UINT64_C(0xffffffff81000010), 0)->iterations = 42;
    struct vt_hybrid_slot *failed = segment_put(f, 10, HASH_B, 0x3000, VT_HYBRID_USE_WORKER);
    failed->state = VT_HYBRID_DISABLED;
    failed->refusal = VT_HYBRID_REFUSED_WORKER;
    segment_put(f, 11, HASH_B, 0x4000, 0)->wanted = VT_HYBRID_WANT_NONE;
    rows = read_rows(f, &row, 1);
    n = 1;
    assert_int_equal(vt_ledger_adopt(f->accel, &rows, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_string_equal(rows[0].place, row.place); /* is joined with its slot already */
    assert_string_equal(rows[1].hash, HASH_B);
    assert_string_equal(rows[1].place, "0xffffffff81000010");
    assert_int_equal(rows[1].head, UINT64_C(0xffffffff81000010));
    assert_int_equal(rows[1].fate, VT_FATE_WAITING);
    assert_int_equal(rows[1].slot, 9);
    assert_int_equal(rows[1].counts.iterations, 42);
    assert_int_equal(rows[2].fate, VT_FATE_DISABLED);
    assert_int_equal(rows[2].backend, VT_ACCEL_GPU);
    assert_int_equal(rows[2].slot, 10);
    assert_int_equal(vt_ledger_adopt(f->accel, &rows, &n, &err), 0);
    assert_int_equal(n, 3); /* once */
    free(rows);

    rows = NULL; /* no ledger at all */
    n = 0;
    assert_int_equal(vt_ledger_adopt(f->accel, &rows, &n, &err), 0);
    assert_int_equal(n, 3);
    free(rows);
}

static void what_is_no_ledger_is_refused(void **state)
{
    struct segment_rig *f = *state;
    static const char *const bad[] = {
        "",
        "{",
        "{\"loops\":[1]}",
        "{\"loops\":[{}]}",
        "{\"loops\":[{\"loop\":\"\",\"fate\":\"kept\"}]}",
        "{\"loops\":[{\"loop\":\"aa\"}]}",
        "{\"loops\":[{\"loop\":\"aa\",\"fate\":\"happy\"}]}",
        "{\"loops\":[{\"loop\":\"aa\",\"fate\":\"slower\"},{\"loop\":7,\"fate\":\"slower\"}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vt_ledger_row *rows = NULL;
        struct vt_error err;
        uint64_t threshold;
        uint32_t n;
        assert_int_equal(
            vt_ledger_parse(bad[i], strlen(bad[i]), f->accel, &rows, &n, &threshold, &err),
            VT_E_CORRUPT);
        assert_null(rows);
    }
}

static void numbers_are_kept_within_bounds(void **state)
{
    struct segment_rig *f = *state;
    static const char text[] =
        "{\"threshold\":-5,\"loops\":[{\"loop\":"
        "\"0123456789abcdef0123456789abcdef0123456789abcdef\",\"fate\":\"kept\",\"slot\":64,"
        "\"percent\":-1,\"make_ms\":1e300,\"proof_ms\":-3,\"iterations_seen\":-1,"
        "\"address\":\"nowhere\",\"backend\":\"abacus\",\"place\":5}]}";
    struct vt_ledger_row *row;
    struct vt_error err;
    uint64_t threshold;
    uint32_t n;
    assert_int_equal(vt_ledger_parse(text, strlen(text), f->accel, &row, &n, &threshold, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(threshold, 0);
    assert_string_equal(row->hash, HASH_A); /* cut */
    assert_true(row->slot < VT_ACCEL_SLOTS);
    assert_int_equal(row->fate, VT_FATE_REFUSED); /* no slot has it */
    assert_true(row->percent == 0);
    assert_int_equal(row->make_us, 0);
    assert_int_equal(row->proof_us, 0);
    assert_int_equal(row->iterations, 0);
    assert_int_equal(row->head, 0);
    assert_int_equal(row->backend, VT_ACCEL_HOST);
    assert_string_equal(row->place, "");
    free(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        segment_test(a_row_is_read_as_it_was_written),
        segment_test(a_row_has_the_fate_of_its_slot),
        segment_test(a_kernel_that_was_moved_is_found),
        segment_test(kernels_that_nobody_wrote_down_have_rows),
        segment_test(what_is_no_ledger_is_refused),
        segment_test(numbers_are_kept_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
