/* docs/pixel.md: every operation has a row, with examples that are so; its programs are programs,
 * written as they are always written. The file is the argument. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "pixel/shape.h"

#include <string.h>

static char *page;

/** The row of an operation, or NULL. */
static const char *row_of(const char *name)
{
    char begin[40];
    snprintf(begin, sizeof begin, "\n| `%s` | ", name);
    const char *found = strstr(page, begin);
    return found != NULL ? found + 1 : NULL;
}

/** "i8 0x80" or "8xi8 0x80" or a number alone, of 0 bits. */
static uint64_t typed(const char **at, unsigned *bits, unsigned *lane)
{
    unsigned elements = 0;
    int used = 0;
    *bits = *lane = 0;
    if (sscanf(*at, "%uxi%u %n", &elements, lane, &used) == 2) {
        *bits = 64;
        assert_int_equal(elements * *lane, 64);
    } else if (sscanf(*at, "i%u %n", bits, &used) != 1) {
        used = 0;
    }
    char *end;
    uint64_t value = strtoull(*at + used, &end, 0);
    assert_true(end != *at + used);
    *at = end;
    return value;
}

static void check_example(unsigned op, const char *at)
{
    const struct vt_pixel_shape *shape = vt_pixel_shape(op);
    struct vt_pixel_insn insn = {.op = (uint8_t)op};
    uint64_t operand[3] = {0};
    unsigned bits[3] = {0}, n = 0, lane, result_bits;
    for (;;) {
        uint64_t value = typed(&at, &bits[n], &lane);
        if (bits[n] == 0) {
            assert_int_equal(shape->imm, VT_IMM_FIRST_BIT);
            insn.imm = value;
        } else {
            operand[n++] = value;
        }
        if (strncmp(at, ", ", 2) != 0) {
            break;
        }
        assert_in_range(n, 1, 2);
        at += 2;
    }
    assert_int_equal(strncmp(at, " = ", 3), 0);
    at += 3;
    uint64_t want = typed(&at, &result_bits, &lane);
    assert_int_equal(strncmp(at, " |\n", 3), 0);
    insn.bits = (uint8_t)result_bits;
    insn.lane = (uint8_t)lane;
    assert_true(vt_pixel_width_in(result_bits, shape->widths));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(i < n, shape->operand[i] != VT_OPERAND_NONE);
    }
    assert_int_equal(vt_pixel_evaluate(&insn, bits[0], operand[0], operand[1], operand[2]), want);
}

static void test_operations(void **state)
{
    (void)state;
    for (unsigned op = 0; op < VT_PIXEL_OPS; op++) {
        const char *name = vt_pixel_op_name(op), *row = row_of(name);
        if (row == NULL) {
            fail_msg("%s has no row", name);
        }
        const char *meaning = row + strlen(name) + 7, *end = strstr(meaning, " | ");
        assert_non_null(end);
        assert_true(end - meaning >= 4 && memchr(meaning, '\n', (size_t)(end - meaning)) == NULL);
        if (op >= VT_PIXEL_ADD && op <= VT_PIXEL_PASHR) {
            print_message("%s: %.*s\n", name, (int)strcspn(end + 3, "|"), end + 3);
            check_example(op, end + 3);
        }
    }
}

static void test_programs(void **state)
{
    (void)state;
    unsigned n = 0;
    for (const char *at = page; (at = strstr(at, "```pixel\n")) != NULL; n++) {
        at += strlen("```pixel\n");
        const char *end = strstr(at, "```");
        assert_non_null(end);
        struct vt_pixel_program p;
        struct vt_error err;
        if (vt_pixel_read(&p, at, (size_t)(end - at), &err) < 0) {
            fail_msg("program %u: %s", n, err.message);
        }
        char *text = NULL;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);
        assert_non_null(out);
        assert_int_equal(vt_pixel_write(&p, out, NULL), 0);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(bytes, end - at);
        assert_memory_equal(text, at, bytes);
        free(text);
        vt_pixel_fini(&p);
    }
    assert_true(n >= 4);
}

static void test_kinds(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind <= VT_PIXEL_LAST; kind++) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "`%s`", vt_pixel_kind_name(kind));
        assert_non_null(strstr(page, quoted));
    }
}

int main(int argc, char **argv)
{
    size_t bytes;
    struct vt_error err;
    if (argc != 2 || vt_read_file(argv[1], 1 << 20, &page, &bytes, &err) < 0) {
        fprintf(stderr, "usage: test_pixel_docs docs/pixel.md\n");
        return 2;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_operations),
                                       cmocka_unit_test(test_programs),
                                       cmocka_unit_test(test_kinds)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(page);
    return failed;
}
