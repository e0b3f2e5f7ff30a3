/* Generated code and itself: what is written is read back as the same, whatever the arguments; what
 * is cut short is refused and not read beyond. */
#include "tests/unit/harness.h"
#include "vn_fill.h"

#include <stdlib.h>

#define SEEDS 24u

static struct vt_venus_arena from_seed, from_stream;

/* The end of an object is of no interest here; the library's needs every handler. */
vt_venus_end_fn *vt_venus_end_of(VkObjectType type)
{
    (void)type;
    return NULL;
}

static void fill(const struct vn_filled *command, uint64_t seed, void *args)
{
    struct vn_fill fill = {.state = 0x9e3779b97f4a7c15u * (seed + 1), .arena = &from_seed};
    memset(args, 0, command->size);
    command->fill(&fill, args);
}

static struct vt_venus_in reader(const uint8_t *bytes, size_t size)
{
    vt_venus_arena_reset(&from_stream);
    return (struct vt_venus_in){
        .start = bytes, .at = bytes, .end = bytes + size, .arena = &from_stream};
}

static void expect_same(const struct vn_filled *command, const struct vt_venus_out *a,
                        const struct vt_venus_out *b, const char *what)
{
    size_t size = (size_t)(a->at - a->start);
    if (a->overflow || b->overflow || size != (size_t)(b->at - b->start) ||
        memcmp(a->start, b->start, size) != 0) {
        fail_msg("%s: the %s is not the same when it was read and written again", command->name,
                 what);
    }
}

static void test_commands_survive(void **state)
{
    (void)state;
    struct vt_venus_out once, twice;
    vt_venus_out_init(&once, 1 << 24);
    vt_venus_out_init(&twice, 1 << 24);
    uint64_t args[64], again[64];
    for (size_t c = 0; c < vn_filled_count; c++) {
        const struct vn_filled *command = &vn_filled[c];
        assert_true(command->size <= sizeof(args));
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            vt_venus_arena_reset(&from_seed);
            fill(command, seed, args);
            once.at = once.start;
            twice.at = twice.start;
            command->encode(&once, 0, args);
            struct vt_venus_in in = reader(once.start + 8, (size_t)(once.at - once.start) - 8);
            if (!command->decode(&in, again)) {
                char text[256];
                fail_msg("%s: %s", command->name,
                         vt_venus_fault_text(&in.fault, text, sizeof(text)));
            }
            assert_ptr_equal(in.at, in.end);
            command->encode(&twice, 0, again);
            expect_same(command, &once, &twice, "command");
        }
    }
    vt_venus_out_fini(&once);
    vt_venus_out_fini(&twice);
}

static void test_replies_survive(void **state)
{
    (void)state;
    struct vt_venus_out once, twice;
    vt_venus_out_init(&once, 1 << 24);
    vt_venus_out_init(&twice, 1 << 24);
    uint64_t args[64], again[64];
    for (size_t c = 0; c < vn_filled_count; c++) {
        const struct vn_filled *command = &vn_filled[c];
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            vt_venus_arena_reset(&from_seed);
            fill(command, seed, args);
            once.at = once.start;
            twice.at = twice.start;
            command->reply(&once, args);
            struct vt_venus_in in = reader(once.start, (size_t)(once.at - once.start));
            memcpy(again, args, command->size);
            if (!command->decode_reply(&in, again)) {
                char text[256];
                fail_msg("%s: %s", command->name,
                         vt_venus_fault_text(&in.fault, text, sizeof(text)));
            }
            assert_ptr_equal(in.at, in.end);
            command->reply(&twice, again);
            expect_same(command, &once, &twice, "reply");
        }
    }
    vt_venus_out_fini(&once);
    vt_venus_out_fini(&twice);
}

/* Each prefix in memory of just its size, so that a sanitiser sees a read beyond. */
static void test_truncated(void **state)
{
    (void)state;
    struct vt_venus_out out;
    vt_venus_out_init(&out, 1 << 24);
    uint64_t args[64], again[64];
    for (size_t c = 0; c < vn_filled_count; c++) {
        const struct vn_filled *command = &vn_filled[c];
        vt_venus_arena_reset(&from_seed);
        fill(command, 7, args);
        out.at = out.start;
        command->encode(&out, 0, args);
        size_t size = (size_t)(out.at - out.start) - 8;
        for (size_t cut = 0; cut < size; cut += size > 4096 ? 52 : 4) {
            uint8_t *bytes = malloc(cut + 1);
            assert_non_null(bytes);
            memcpy(bytes, out.start + 8, cut);
            struct vt_venus_in in = reader(bytes, cut);
            if (command->decode(&in, again)) {
                fail_msg("%s of %zu bytes is taken for whole at %zu", command->name, size, cut);
            }
            free(bytes);
        }
    }
    vt_venus_out_fini(&out);
}

/* Whatever is in the stream: an end with a fault, or arguments. */
static void test_damaged(void **state)
{
    (void)state;
    struct vt_venus_out out;
    vt_venus_out_init(&out, 1 << 24);
    uint64_t args[64], again[64];
    uint64_t random = 88172645463325252u;
    for (size_t c = 0; c < vn_filled_count; c++) {
        const struct vn_filled *command = &vn_filled[c];
        vt_venus_arena_reset(&from_seed);
        fill(command, 11, args);
        out.at = out.start;
        command->encode(&out, 0, args);
        size_t size = (size_t)(out.at - out.start) - 8;
        for (int round = 0; round < 64 && size > 0; round++) {
            uint8_t *bytes = malloc(size);
            assert_non_null(bytes);
            memcpy(bytes, out.start + 8, size);
            for (int changes = 0; changes < 3; changes++) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                bytes[random % size] = (uint8_t)(random >> 32);
            }
            struct vt_venus_in in = reader(bytes, size);
            bool whole = command->decode(&in, again);
            assert_int_equal(whole, in.fault.kind == VT_VENUS_FINE);
            free(bytes);
        }
    }
    vt_venus_out_fini(&out);
}

/* A sink that counts, holds nesting to be right and stops after so many. */
struct counter {
    struct vt_venus_sink sink;
    size_t said, depth, stop_at;
};
static bool count(struct vt_venus_sink *sink, const char *name, const char *type)
{
    struct counter *counter = (struct counter *)sink;
    assert_non_null(name);
    assert_non_null(type);
    return ++counter->said != counter->stop_at;
}
static bool count_open(struct vt_venus_sink *sink, const char *name, const char *type, bool array)
{
    (void)array;
    ((struct counter *)sink)->depth++;
    return count(sink, name, type);
}
static bool count_shut(struct vt_venus_sink *sink)
{
    struct counter *counter = (struct counter *)sink;
    assert_true(counter->depth-- > 0);
    return true;
}
static bool count_number(struct vt_venus_sink *sink, const char *name, const char *type,
                         uint64_t value, bool is_signed)
{
    (void)value;
    (void)is_signed;
    return count(sink, name, type);
}
static bool count_real(struct vt_venus_sink *sink, const char *name, const char *type, double value)
{
    (void)value;
    return count(sink, name, type);
}
static bool count_word(struct vt_venus_sink *sink, const char *name, const char *type,
                       const char *text, uint64_t value)
{
    (void)value;
    assert_true(text[0] != 0);
    return count(sink, name, type);
}
static bool count_text(struct vt_venus_sink *sink, const char *name, const char *text, size_t bytes)
{
    assert_null(memchr(text, 0, bytes));
    return count(sink, name, "char");
}
static bool count_blob(struct vt_venus_sink *sink, const char *name, const void *bytes, size_t size)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum ^= ((const uint8_t *)bytes)[i];
    }
    return count(sink, name, "");
}
static bool count_handle(struct vt_venus_sink *sink, const char *name, const char *type,
                         uint64_t id)
{
    (void)id;
    return count(sink, name, type);
}
static bool count_null(struct vt_venus_sink *sink, const char *name, const char *type)
{
    return count(sink, name, type);
}

static struct counter counter(size_t stop_at)
{
    return (struct counter){.sink = {.open = count_open,
                                     .shut = count_shut,
                                     .number = count_number,
                                     .real = count_real,
                                     .word = count_word,
                                     .text = count_text,
                                     .blob = count_blob,
                                     .handle = count_handle,
                                     .null = count_null},
                            .stop_at = stop_at};
}

static void describe(const struct vn_filled *command, const struct vt_venus_out *from, size_t skip,
                     bool (*say)(struct vt_venus_in *in, struct vt_venus_sink *sink))
{
    size_t size = (size_t)(from->at - from->start) - skip;
    struct vt_venus_in in = reader(from->start + skip, size);
    struct counter all = counter(0);
    if (!say(&in, &all.sink)) {
        fail_msg("%s: not described", command->name);
    }
    assert_ptr_equal(in.at, in.end);
    assert_int_equal(all.depth, 0);
    if (all.said > 1) {
        in = reader(from->start + skip, size);
        struct counter half = counter(all.said / 2);
        assert_false(say(&in, &half.sink));
        assert_int_equal(half.said, all.said / 2);
    }
}

static void test_described(void **state)
{
    (void)state;
    struct vt_venus_out out;
    vt_venus_out_init(&out, 1 << 24);
    uint64_t args[64];
    for (size_t c = 0; c < vn_filled_count; c++) {
        const struct vn_filled *command = &vn_filled[c];
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            vt_venus_arena_reset(&from_seed);
            fill(command, seed, args);
            out.at = out.start;
            command->encode(&out, 0, args);
            describe(command, &out, 8, command->describe);
            out.at = out.start;
            command->reply(&out, args);
            describe(command, &out, 0, command->describe_reply);
        }
    }
    vt_venus_out_fini(&out);
}

int main(void)
{
    vt_venus_arena_init(&from_seed, (size_t)1 << 28);
    vt_venus_arena_init(&from_stream, (size_t)1 << 26);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_survive), cmocka_unit_test(test_replies_survive),
        cmocka_unit_test(test_truncated),        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_described),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vt_venus_arena_fini(&from_seed);
    vt_venus_arena_fini(&from_stream);
    return failed;
}
