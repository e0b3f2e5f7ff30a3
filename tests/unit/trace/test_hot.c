/* tests/unit/trace/test_hot.c - what is said of a known program's hot loops: JSON and text. */
#include "tests/unit/trace/learn_rig.h"

#include "trace/hot.h"

#include <jansson.h>
#include <stdlib.h>

static json_t *say(struct rig *r, uint32_t top)
{
    struct vt_trace_hot hot = {.graph = r->g, .top = top, .arch = "x86_64"};
    struct vt_json_writer w;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    assert_int_equal(vt_trace_hot_json(&hot, true, &w, &r->err), 0);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    fclose(out);
    json_t *said = json_loads(text, 0, NULL);
    assert_non_null(said);
    free(text);
    return said;
}

static char *listing(struct rig *r, uint32_t loop)
{
    struct vt_trace_hot hot = {.graph = r->g, .top = 10};
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(vt_trace_hot_loop_text(&hot, loop, out, &r->err), 0);
    fclose(out);
    return text;
}

static const json_t *loop_of(const json_t *said, const char *address)
{
    size_t i;
    json_t *loop;
    json_array_foreach(json_object_get(said, "loops"), i, loop)
    {
        if (strcmp(json_string_value(json_object_get(loop, "address")), address) == 0) {
            return loop;
        }
    }
    fail_msg("no loop at %s", address);
    return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Executions of the edges that play a part in a loop. */
static json_int_t part(const json_t *loop, const char *role)
{
    json_int_t sum = 0;
    size_t i;
    json_t *edge;
    json_array_foreach(json_object_get(loop, "edges"), i, edge)
    {
        sum += strcmp(text_of(edge, "role"), role) == 0 ? number_of(edge, "count") : 0;
    }
    return sum;
}

static void a_loop_and_its_code(void **state)
{
    struct rig *r = *state;
    rig_main(r);
    rig_learn(r);
    json_t *said = say(r, 10);
    const json_t *inner = loop_of(said, "0x40100c"), *outer = loop_of(said, "0x401007");
    const json_t *code = json_object_get(inner, "code"), *block = json_array_get(code, 0);
    assert_int_equal(json_array_size(code), 1);
    assert_string_equal(text_of(block, "bytes"), "4803064883c608ffca75f5");
    assert_true(json_is_null(json_object_get(block, "physical")));
    assert_int_equal(number_of(block, "instructions"), 4);
    assert_string_equal(text_of(inner, "parent"), "0x401007");
    assert_string_equal(text_of(inner, "root"), "0x1234000");
    assert_int_equal(part(inner, "entry"), number_of(inner, "entries"));
    assert_int_equal(part(inner, "entry") + part(inner, "back"), number_of(inner, "iterations"));
    assert_int_equal(part(inner, "exit"), 3);
    /* The outer one holds the inner, and leaves for a function and comes back. */
    assert_int_equal(json_array_size(json_object_get(outer, "code")), 4);
    assert_int_equal(part(outer, "call"), 3);
    assert_int_equal(part(outer, "return"), 3);
    assert_int_equal(part(outer, "exit"), 1);
    assert_true(json_is_null(json_object_get(outer, "parent")));
    assert_string_not_equal(text_of(inner, "hash"), text_of(outer, "hash"));
    json_decref(said);
}

static char *hash_under(uint64_t root, unsigned turns)
{
    struct rig r = {.root = root};
    assert_int_equal(vt_trace_graph_create("x86_64", &r.g, NULL), 0);
    for (unsigned i = 0; i < turns; i++) {
        rig_main(&r);
    }
    rig_learn(&r);
    json_t *said = say(&r, 10);
    char *hash = strdup(text_of(loop_of(said, "0x401007"), "hash"));
    json_decref(said);
    vt_trace_graph_destroy(r.g);
    return hash;
}

static void the_hash_is_of_the_code_alone(void **state)
{
    (void)state;
    char *a = hash_under(RIG_ROOT, 1), *b = hash_under(0x9999000, 7);
    assert_int_equal(strlen(a), 32);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void a_listing_counts(void **state)
{
    struct rig *r = *state;
    rig_main(r);
    rig_learn(r);
    uint32_t n;
    const struct vt_trace_loop *loops = vt_trace_graph_loops(r->g, &n),
                               *inner = rig_loop_at(r, 0xc);
    char *text = listing(r, (uint32_t)(inner - loops));
    assert_string_equal(text, "                0x40100c:\n"
                              "            30  0x40100c  add rax, qword ptr [rsi]\n"
                              "            30  0x40100f  add rsi, 0x8\n"
                              "            30  0x401013  dec edx\n"
                              "            30  0x401015  jnz 0x40100c   ; taken 90.0 %\n");
    free(text);
}

/* The rows asked for, and no more. */
static void as_many_as_wanted(void **state)
{
    struct rig *r = *state;
    rig_main(r);
    rig_learn(r);
    static const char *const kinds[] = {"loops", "functions", "sequences", "paths", "blocks"};
    json_t *said = say(r, 1);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(json_array_size(json_object_get(said, kinds[i])), 1);
    }
    json_decref(said);
}

static void nothing_at_all(void **state)
{
    struct rig *r = *state;
    rig_learn(r);
    json_t *said = say(r, 10);
    assert_int_equal(number_of(said, "instructions"), 0);
    assert_int_equal(json_array_size(json_object_get(said, "loops")), 0);
    json_decref(said);
}

/* Code of which not all is known has neither bytes nor a hash. */
static void cut_bytes(void **state)
{
    struct rig *r = *state;
    const uint8_t sizes[] = {2, 2}, code[] = {0xff, 0xc9, 0x75};
    const struct vt_trace_block block = {.pc = RIG_BASE,
                                         .physical = 0x5000ffe,
                                         .n = 2,
                                         .code_bytes = sizeof code,
                                         .sizes = sizes,
                                         .code = code};
    const struct vt_trace_event event = {
        .kind = VT_TRACE_EV_BLOCK, .root = RIG_ROOT, .block = &block, .executed = 2};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(vt_trace_graph_add(r->g, &event, &r->err), 0);
    }
    rig_learn(r);
    json_t *said = say(r, 10);
    const json_t *loop = json_array_get(json_object_get(said, "loops"), 0);
    const json_t *first = json_array_get(json_object_get(loop, "code"), 0);
    assert_non_null(first);
    assert_true(json_is_null(json_object_get(loop, "hash")));
    assert_true(json_is_null(json_object_get(first, "bytes")));
    assert_string_equal(text_of(first, "physical"), "0x5000ffe");
    free(listing(r, 0));
    json_decref(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_loop_and_its_code), rig_test(the_hash_is_of_the_code_alone),
        rig_test(a_listing_counts),    rig_test(as_many_as_wanted),
        rig_test(nothing_at_all),      rig_test(cut_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
