/* Looking twice: what the verdict says of memory that changes while it is read. */
#include "tests/unit/harness.h"

#include "vitrine/memory.h"

#include <string.h>

#define BYTES (3 * VT_PAGE_BYTES + 100)

/* Memory whose byte `where` counts the writes done to it; it is written before each of the first
 * `writes` reads that cover `trigger`. */
struct busy {
    uint8_t bytes[BYTES];
    uint64_t trigger, where;
    int writes, reads, fail_at;
};

static int look(void *space, uint64_t at, void *buf, uint64_t len, struct vt_error *err)
{
    struct busy *b = space;
    if (++b->reads == b->fail_at) {
        return vt_fail(err, VT_E_GONE, "gone");
    }
    if (b->writes > 0 && at <= b->trigger && b->trigger < at + len) {
        b->writes--;
        b->bytes[b->where]++;
    }
    memcpy(buf, b->bytes + at, len);
    return 0;
}

static void check(struct busy *b, enum vt_verdict want)
{
    uint8_t buf[BYTES];
    enum vt_verdict verdict = VT_UNCHECKED;
    assert_int_equal(vt_look_twice(look, b, 0, buf, sizeof buf, &verdict, NULL), 0);
    assert_string_equal(vt_verdict_name(verdict), vt_verdict_name(want));
    if (want != VT_TORN) {
        assert_memory_equal(buf, b->bytes, sizeof buf);
    }
}

static void still_memory_is_consistent(void **state)
{
    (void)state;
    check(&(struct busy){0}, VT_CONSISTENT);
    /* Written before the first look took it: nobody can tell, and it is true. */
    check(&(struct busy){.writes = 1}, VT_CONSISTENT);
}

static void a_write_between_looks_is_looked_at_again(void **state)
{
    (void)state;
    /* The first page is read by the first look, then again by the second, which writes. */
    check(&(struct busy){.writes = 2}, VT_RETRIED);
    /* Ahead of the reader, in the middle of the second look. */
    for (uint64_t page = 2; page < 4; page++) {
        check(&(struct busy){.trigger = 2 * VT_PAGE_BYTES,
                             .where = page * VT_PAGE_BYTES,
                             .writes = 2},
              VT_RETRIED);
    }
}

static void a_write_behind_the_second_look_is_too_late(void **state)
{
    (void)state;
    struct busy b = {.trigger = 2 * VT_PAGE_BYTES, .writes = 2};
    uint8_t buf[BYTES];
    enum vt_verdict verdict = VT_UNCHECKED;
    assert_int_equal(vt_look_twice(look, &b, 0, buf, sizeof buf, &verdict, NULL), 0);
    assert_int_equal(verdict, VT_CONSISTENT);
    assert_int_equal(buf[0], 1); /* as it stood when that look began */
    assert_int_equal(b.bytes[0], 2);
}

static void memory_that_never_stands_is_torn(void **state)
{
    (void)state;
    check(&(struct busy){.where = BYTES - 1, .trigger = BYTES - 1, .writes = 1000}, VT_TORN);
}

static void a_failing_look_is_the_callers(void **state)
{
    (void)state;
    uint8_t buf[BYTES];
    for (int at = 1; at <= 5; at++) {
        struct busy b = {.fail_at = at};
        enum vt_verdict verdict = VT_UNCHECKED;
        struct vt_error err = {0};
        assert_int_equal(vt_look_twice(look, &b, 0, buf, sizeof buf, &verdict, &err), VT_E_GONE);
        assert_int_equal(verdict, VT_UNCHECKED);
        assert_string_equal(err.message, "gone");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(still_memory_is_consistent),
        cmocka_unit_test(a_write_between_looks_is_looked_at_again),
        cmocka_unit_test(a_write_behind_the_second_look_is_too_late),
        cmocka_unit_test(memory_that_never_stands_is_torn),
        cmocka_unit_test(a_failing_look_is_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
