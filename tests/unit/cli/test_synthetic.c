/* Synthetic RAM: the same each time, as full as asked for, and honest about what changed. */
#include "tests/unit/harness.h"

#include "cli/bench_synthetic.h"

#include <sched.h>
#include <string.h>

#define RAM_BYTES (UINT64_C(16) << 20)
#define PAGES (RAM_BYTES / VT_PAGE_BYTES)
/* FNV-1a of classes, owners and bytes: another value says that measurements made before and after
 * are not of the same RAM. */
#define SUM_25 UINT64_C(0x1f93dc1263d4e82f)

static struct vt_synthetic *create(uint64_t bytes, unsigned percent)
{
    struct vt_synthetic *s;
    struct vt_error err;
    if (vt_synthetic_create(bytes, percent, &s, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return s;
}

static uint64_t fnv(uint64_t sum, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static uint64_t sum_of(const struct vt_synthetic *s)
{
    uint64_t n = vt_synthetic_pages(s), sum = UINT64_C(0xcbf29ce484222325);
    sum = fnv(sum, vt_synthetic_classes(s), n);
    sum = fnv(sum, vt_synthetic_owners(s), n);
    return fnv(sum, vt_synthetic_bytes(s), n * VT_PAGE_BYTES);
}

static void the_same_everywhere(void **state)
{
    (void)state;
    struct vt_synthetic *s = create(RAM_BYTES, 25);
    uint64_t sum = sum_of(s);
    if (sum != SUM_25) {
        fail_msg("0x%016llx", (unsigned long long)sum);
    }
    vt_synthetic_destroy(s);
}

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, VT_PAGE_BYTES - 1) == 0;
}

static bool is_users(uint8_t page_class)
{
    return page_class >= VT_CLASS_USER_CODE && page_class <= VT_CLASS_USER_STACK;
}

static void as_full_as_asked(void **state)
{
    (void)state;
    const unsigned percents[] = {0, 5, 25, 60, 100};
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        struct vt_synthetic *s = create(RAM_BYTES, percents[i]);
        uint64_t in_use = 0;
        for (uint64_t page = 0; page < PAGES; page++) {
            uint8_t c = vt_synthetic_classes(s)[page];
            bool empty = c == VT_CLASS_HOLE || c == VT_CLASS_ZERO;
            assert_true(c < VT_CLASSES);
            assert_int_equal(empty, is_zero(vt_synthetic_bytes(s) + page * VT_PAGE_BYTES));
            assert_true(vt_synthetic_owners(s)[page] == 0 || is_users(c));
            assert_true(vt_synthetic_owners(s)[page] <= VT_OWNERS_MAX);
            in_use += !empty;
        }
        /* Runs are whole: the last one of either kind may go past the share. */
        assert_in_range(in_use * 100 + 256 * 100, percents[i] * PAGES,
                        percents[i] * PAGES + 2 * 256 * 100);
        vt_synthetic_destroy(s);
    }
}

static void highlights_as_a_vm_has_them(void **state)
{
    (void)state;
    struct vt_synthetic *s = create(RAM_BYTES, 25);
    const struct vt_highlights *set = vt_synthetic_highlights(s);
    assert_int_equal(set->n, 5);
    for (size_t i = 0; i < set->n; i++) {
        const struct vt_highlight *h = &set->all[i];
        uint64_t end = 0, bytes = 0;
        assert_true(h->n_runs > 0 && h->n_runs <= VT_HIGHLIGHT_RUNS_MAX);
        for (size_t run = 0; run < h->n_runs; run++) {
            assert_int_equal(h->runs[run].gpa.v % VT_PAGE_BYTES, 0);
            assert_true(run == 0 || h->runs[run].gpa.v > end);
            end = h->runs[run].gpa.v + h->runs[run].bytes;
            bytes += h->runs[run].bytes;
        }
        assert_true(end <= RAM_BYTES);
        assert_int_equal(bytes, h->bytes);
    }
    vt_synthetic_destroy(s);
}

static void a_look_names_what_was_filled(void **state)
{
    (void)state;
    struct vt_synthetic *s = create(RAM_BYTES, 25);
    struct vt_volume_update update;
    vt_synthetic_look(s, &update);
    assert_true(update.all);
    assert_ptr_equal(update.classes, vt_synthetic_classes(s));
    vt_synthetic_look(s, &update);
    assert_false(update.all);
    assert_int_equal(update.n_pages, 0);
    vt_synthetic_fill(s, PAGES - 1, 7);
    vt_synthetic_fill(s, 100, 8);
    vt_synthetic_look(s, &update);
    assert_int_equal(update.n_pages, 2);
    assert_int_equal(update.pages[0], 100);
    assert_int_equal(update.pages[1], PAGES - 1);
    assert_null(update.classes);
    assert_int_equal(vt_synthetic_bytes(s)[PAGES * VT_PAGE_BYTES - 1], 7);
    vt_synthetic_look(s, &update);
    assert_int_equal(update.n_pages, 0);
    vt_synthetic_destroy(s);
}

/* Lets the thread write into 5000 pages; one of them. */
static uint64_t writes(struct vt_synthetic *s, uint64_t kept)
{
    struct vt_volume_update update;
    uint64_t changed = 0, first = UINT64_MAX;
    vt_synthetic_look(s, &update);
    assert_int_equal(vt_synthetic_start(s, 100000, kept, NULL), 0);
    while (changed < 5000) {
        sched_yield();
        vt_synthetic_look(s, &update);
        for (size_t i = 0; i < update.n_pages; i++) {
            uint8_t c = vt_synthetic_classes(s)[update.pages[i]];
            assert_true(c != VT_CLASS_HOLE && c != VT_CLASS_ZERO);
            assert_true(i == 0 || update.pages[i] > update.pages[i - 1]);
            assert_int_not_equal(update.pages[i], kept);
        }
        first = changed == 0 && update.n_pages != 0 ? update.pages[0] : first;
        changed += update.n_pages;
    }
    return first;
}

static void the_writer_writes_what_is_in_use(void **state)
{
    (void)state;
    struct vt_synthetic *s = create(RAM_BYTES, 25);
    uint64_t before = sum_of(s), written = writes(s, PAGES);
    assert_true(sum_of(s) != before);
    vt_synthetic_destroy(s);
    s = create(RAM_BYTES, 25);
    (void)writes(s, written); /* the same without that one */
    vt_synthetic_destroy(s);
}

static void what_cannot_be(void **state)
{
    (void)state;
    struct vt_synthetic *s = NULL;
    struct vt_error err;
    assert_int_equal(vt_synthetic_create(0, 25, &s, &err), VT_E_INVAL);
    assert_int_equal(vt_synthetic_create(4097, 25, &s, &err), VT_E_INVAL);
    assert_int_equal(vt_synthetic_create(4096, 101, &s, &err), VT_E_INVAL);
    assert_int_equal(vt_synthetic_create(UINT64_C(1) << 39, 1, &s, &err), VT_E_INVAL);
    assert_null(s);
    vt_synthetic_destroy(NULL);
    /* Nothing is in use: nothing is written. */
    s = create(4096, 0);
    assert_int_equal(vt_synthetic_start(s, 1000, 0, &err), 0);
    vt_synthetic_destroy(s);
    vt_synthetic_destroy(create(4096, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_everywhere),
        cmocka_unit_test(as_full_as_asked),
        cmocka_unit_test(highlights_as_a_vm_has_them),
        cmocka_unit_test(a_look_names_what_was_filled),
        cmocka_unit_test(the_writer_writes_what_is_in_use),
        cmocka_unit_test(what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
