/* Programs as text and as JSON: what is written is read as the same, wherever it came from; what is
 * wrong is refused with its place. */
#include "tests/unit/harness.h"
#include "tests/unit/pixel/generate.h"

#include "pixel/json.h"

#include <string.h>

static void assert_same(const struct vt_pixel_program *p, const struct vt_pixel_program *q)
{
    assert_int_equal(p->n_insns, q->n_insns);
    assert_int_equal(p->n_inputs, q->n_inputs);
    assert_int_equal(p->n_carries, q->n_carries);
    assert_int_equal(p->n_streams, q->n_streams);
    assert_int_equal(p->n_loops, q->n_loops);
    assert_int_equal(p->counted, q->counted);
    assert_int_equal(p->independent, q->independent);
    assert_memory_equal(p->insns, q->insns, p->n_insns * sizeof *p->insns);
    assert_memory_equal(p->inputs, q->inputs, sizeof p->inputs);
    for (uint32_t i = 0; i < p->n_carries; i++) {
        const struct vt_pixel_carry *c = &p->carries[i], *d = &q->carries[i];
        assert_memory_equal(c->name, d->name, sizeof c->name);
        assert_true(c->bits == d->bits && c->kind == d->kind && c->narrow == d->narrow);
        assert_true(c->next == d->next && c->step == d->step);
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        const struct vt_pixel_stream *s = &p->streams[i], *t = &q->streams[i];
        assert_memory_equal(s->name, t->name, sizeof s->name);
        assert_true(s->reads == t->reads && s->writes == t->writes);
        assert_true(s->low == t->low && s->high == t->high);
        assert_true(s->stride == t->stride && s->stride_input == t->stride_input);
    }
    for (uint32_t i = 0; i < p->n_loops; i++) {
        const struct vt_pixel_loop *l = &p->loops[i], *m = &q->loops[i];
        assert_true(l->n == m->n && l->condition == m->condition && l->max_trips == m->max_trips);
        assert_memory_equal(l->initial, m->initial, l->n * sizeof *l->initial);
        assert_memory_equal(l->next, m->next, l->n * sizeof *l->next);
    }
}

static char *text_of(const struct vt_pixel_program *p, size_t *bytes)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, bytes);
    assert_non_null(out);
    assert_int_equal(vt_pixel_write(p, out, NULL), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static char *json_of(const struct vt_pixel_program *p)
{
    char *text = NULL;
    size_t bytes;
    struct vt_json_writer w;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    vt_json_init(&w, out, false);
    vt_json_object(&w);
    vt_pixel_json_write(p, &w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct vt_generator g;
    vt_generator_init(&g, 21);
    for (unsigned i = 0; i < 600; i++) {
        struct vt_pixel_program p, q;
        struct vt_error err = {0};
        size_t bytes, again;
        assert_true(vt_generate(&g, &p));
        char *text = text_of(&p, &bytes);
        if (vt_pixel_read(&q, text, bytes, &err) < 0) {
            fail_msg("%s\n%s", err.message, text);
        }
        assert_same(&p, &q);
        char *second = text_of(&q, &again);
        assert_string_equal(text, second);
        free(second);
        free(text);
        vt_pixel_fini(&q);

        char *json = json_of(&p);
        json_t *parsed = json_loads(json, 0, NULL);
        assert_non_null(parsed);
        if (vt_pixel_json_read(parsed, &q, &err) < 0) {
            fail_msg("%s\n%s", err.message, json);
        }
        assert_same(&p, &q);
        json_decref(parsed);
        free(json);
        vt_pixel_fini(&q);
        vt_pixel_fini(&p);
    }
}

static const char refers_forward[] = "pixel 1\n"
                                     "input k i64\n"
                                     "input row i64\n"
                                     "carry sum i64 next %13 # sum\n"
                                     "carry i i64 next %15 # induction i32 4294967295\n"
                                     "carry last i64 next %10 # last\n"
                                     "stream d stride 8 window -8 8 # reads writes\n"
                                     "stream s stride row window 0 16 # reads\n"
                                     "%0 = input i64 k\n"
                                     "%1 = load i64 d[-8]\n"
                                     "%2 = const i64 7\n"
                                     "%3 = and i64 %1, %2\n"
                                     "%4 = load i8 s[1 + %3]\n"
                                     "%5 = zext i64 %4\n"
                                     "loop 0 trips 9 from %3, %5\n"
                                     "  %7 = variable i64 1\n"
                                     "  %8 = ult i1 %7, %0\n"
                                     "end 0 next %3, %0 while %8\n"
                                     "%10 = result i64 0, 1\n"
                                     "%11 = padd 8xi8 %10, %1\n"
                                     "%12 = carry i64 sum\n"
                                     "%13 = add i64 %12, %11\n"
                                     "%14 = carry i64 i\n"
                                     "%15 = zext i64 %17\n";

/** Somebody else's layout, and what is written of it. */
static void test_layout(void **state)
{
    (void)state;
    static const char free_form[] =
        "\n # a comment\r\n\tpixel   0x1 # here\n"
        "input k i64\ncarry c i64 next%3\nstream d stride k window -0x8 8\n"
        "%0=input i64 k\n%1 = load i32 d [ 0 ]\n   %2=zext i64 %1\n%3 = padd 4xi16 %2 , %0 # sum\n"
        "%4 = eq i1 %3, %2\nstore d[-8],%3 if %4";
    static const char written[] = "pixel 1\n"
                                  "input k i64\n"
                                  "carry c i64 next %3 # last\n"
                                  "stream d stride k window -8 8 # reads writes\n"
                                  "%0 = input i64 k\n"
                                  "%1 = load i32 d[0]\n"
                                  "%2 = zext i64 %1\n"
                                  "%3 = padd 4xi16 %2, %0\n"
                                  "%4 = eq i1 %3, %2\n"
                                  "store d[-8], %3 if %4\n";
    struct vt_pixel_program p;
    struct vt_error err = {0};
    size_t bytes;
    if (vt_pixel_read(&p, free_form, sizeof free_form - 1, &err) < 0) {
        fail_msg("%s", err.message);
    }
    char *text = text_of(&p, &bytes);
    assert_string_equal(text, written);
    free(text);
    vt_pixel_fini(&p);
    /* Its last line speaks of a later value. */
    assert_int_equal(vt_pixel_read(&p, refers_forward, sizeof refers_forward - 1, &err),
                     VT_E_CORRUPT);
    assert_string_equal(err.message, "line 24: operation 15 (zext): operand a is not a value that "
                                     "can be seen here");
}

static void refuse(const char *text, const char *why)
{
    struct vt_pixel_program p;
    struct vt_error err = {0};
    memset(&p, 0x55, sizeof p);
    struct vt_pixel_program before = p;
    assert_int_equal(vt_pixel_read(&p, text, strlen(text), &err), VT_E_CORRUPT);
    assert_string_equal(err.message, why);
    assert_memory_equal(&p, &before, sizeof p);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("", "line 0: \"pixel 1\" is missing");
    refuse("# nothing\n", "line 1: \"pixel 1\" is missing");
    refuse("pixel 2\n", "line 1: version 2 of programs is not known");
    refuse("pixel 1 1\n", "line 1: there is more than was expected");
    refuse("pixel 1\nfoo\n", "line 2: it begins with nothing that is known");
    refuse("pixel 1\ninput k\n", "line 2: a type is missing, like i64");
    refuse("pixel 1\ninput k i65\n", "line 2: a number is larger than 0x40");
    refuse("pixel 1\ninput k i63\n", "line 2: input k cannot have 63 bits");
    refuse("pixel 1\ninput K i64\n", "line 2: a name is missing");
    refuse("pixel 1\ninput abcdefghijklmnopqrstuvwx i64\n",
           "line 2: a name is longer than 23 characters");
    refuse("pixel 1\ninput k i8\n\ninput k i8\n", "line 4: two inputs are called k");
    refuse("pixel 1\ncarry c i8 next %0\n%0 = const i16 1\n",
           "line 2: carry c goes on as no value of 8 bits outside of loops");
    refuse("pixel 1\nstream s stride k window 0 8\n", "line 2: there is no input k yet");
    refuse("pixel 1\nstream s stride 99999999999999999999 window 0 8\n",
           "line 2: a number is larger than 0x7fffffffffffffff");
    refuse("pixel 1\nstream s stride 8 window 0 2147483648\n",
           "line 2: a number is larger than 0x7fffffff");
    refuse("pixel 1\nstream s stride 8 window 8 8\n",
           "line 2: stream s has a window of 0 bytes, not of 1 to 1048576");
    refuse("pixel 1\n%1 = const i8 1\n", "line 2: this is value %0, not %1");
    refuse("pixel 1\n%0 = const i8 256\n",
           "line 2: operation 0 (const): 0x100 has more than 8 bits");
    refuse("pixel 1\n%0 = const i8 0x\n", "line 2: there is more than was expected");
    refuse("pixel 1\n%0 = const i8\n", "line 2: a number is missing");
    refuse("pixel 1\n%0 = const i8 0x,\n", "line 2: a number has no digits");
    refuse("pixel 1\n%0 = store i8 1\n", "line 2: there is no operation store that has a value");
    refuse("pixel 1\n%0 = index i64\n%1 = padd 8xi16 %0, %0\n",
           "line 3: 8 elements of 16 bits are not 64 bits");
    refuse("pixel 1\n%0 = index i64\n%1 = add i64 %0\n", "line 3: ',' is missing");
    refuse("pixel 1\n%0 = index i64\n%1 = add i64 %0, 3\n", "line 3: '%' is missing");
    refuse("pixel 1\n%0 = input i64 k\n", "line 2: there is no input k yet");
    refuse("pixel 1\n%0 = load i64 s[0]\n", "line 2: there is no stream s yet");
    refuse("pixel 1\nstream s stride 8 window 0 8\n%0 = load i64 s[1]\n",
           "line 3: operation 0 (load): 8 bytes at 1 are not in the window of stream s");
    refuse("pixel 1\nloop 16 trips 1\n", "line 2: loops are numbered from 0 to 15");
    refuse("pixel 1\nloop 1 trips 1\n", "line 2: loop 0 does not begin");
    refuse("pixel 1\nloop 0 trips 1\n", "line 2: loop 0 does not end");
    refuse("pixel 1\nend 0 while %0\n", "line 2: there is no loop 0 yet");
    refuse("pixel 1\n%0 = index i64\nloop 0 trips 1 from %0\nend 0 while %0\n",
           "line 4: loop 0 begins with 1 variables and goes on with 0");
    refuse("pixel 1\n%0 = index i64\nloop 0 trips 1 from %0\nend 0 next %0 while %0\n",
           "line 4: operation 2 (end): the condition is no bit that can be seen here");
}

/** As many lines of a kind as there may be, and one more. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *first, *form, *why;
        unsigned most;
    } kinds[] = {
        {"", "input k%u i64\n", "more than 96 inputs", VT_PIXEL_INPUTS_MAX},
        {"", "carry c%u i64 next %%0\n", "more than 96 carries", VT_PIXEL_CARRIES_MAX},
        {"", "stream s%u stride 8 window 0 8\n", "more than 16 streams", VT_PIXEL_STREAMS_MAX},
        {"", "%%%u = index i64\n", "more than 16384 operations", VT_PIXEL_VALUES_MAX},
        {"loop 0 trips 1 from %0", ", %%%u", "a loop has more than 64 variables",
         VT_PIXEL_VARIABLES_MAX - 1},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        char *text, why[80];
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);
        assert_non_null(out);
        fprintf(out, "pixel 1\n%s", kinds[k].first);
        for (unsigned i = 0; i <= kinds[k].most; i++) {
            fprintf(out, kinds[k].form, i);
        }
        assert_int_equal(fclose(out), 0);
        snprintf(why, sizeof why, "line %u: %s", kinds[k].first[0] != '\0' ? 2 : kinds[k].most + 2,
                 kinds[k].why);
        refuse(text, why);
        free(text);
    }
}

/** One member is replaced, or removed if it is NULL. */
static void refuse_json(const char *array, size_t i, const char *key, const char *value,
                        const char *why)
{
    static const char good[] =
        "{\"pixel_inputs\":[{\"name\":\"k\",\"bits\":64}],"
        "\"pixel_carries\":[{\"name\":\"c\",\"bits\":64,\"next\":2}],"
        "\"pixel_streams\":[{\"name\":\"s\",\"stride\":\"k\",\"low\":0,\"high\":8}],"
        "\"pixel_loops\":[{\"initial\":[0],\"next\":[2],\"condition\":5,\"max_trips\":3}],"
        "\"pixel_ops\":[{\"op\":\"input\",\"bits\":64,\"input\":\"k\"},"
        "{\"op\":\"const\",\"bits\":64,\"value\":\"0x1f\"},"
        "{\"op\":\"padd\",\"bits\":64,\"lane\":8,\"args\":[0,1]},"
        "{\"op\":\"loop\",\"loop\":0},{\"op\":\"variable\",\"bits\":64,\"variable\":0},"
        "{\"op\":\"ult\",\"bits\":1,\"args\":[4,1]},{\"op\":\"end\",\"loop\":0},"
        "{\"op\":\"result\",\"bits\":64,\"loop\":0,\"variable\":0},"
        "{\"op\":\"store\",\"stream\":\"s\",\"offset\":0,\"value\":7}]}";
    struct vt_pixel_program p;
    struct vt_error err = {0};
    json_t *root = json_loads(good, 0, NULL);
    assert_non_null(root);
    assert_int_equal(vt_pixel_json_read(root, &p, &err), 0);
    assert_int_equal(p.n_insns, 9);
    vt_pixel_fini(&p);
    json_t *object = json_array_get(json_object_get(root, array), i);
    if (value != NULL) {
        json_object_set_new(object, key, json_loads(value, JSON_DECODE_ANY, NULL));
    } else {
        json_object_del(key != NULL ? object : root, key != NULL ? key : array);
    }
    assert_int_equal(vt_pixel_json_read(root, &p, &err), VT_E_CORRUPT);
    assert_string_equal(err.message, why);
    json_decref(root);
}

static void test_json_refused(void **state)
{
    (void)state;
    refuse_json("pixel_ops", 0, NULL, NULL, "pixel_ops is no array of up to 16384");
    refuse_json("pixel_inputs", 0, NULL, NULL, "pixel_inputs is no array of up to 96");
    refuse_json("pixel_inputs", 0, "name", "7",
                "pixel_inputs[0]: name is no string of up to 23 characters");
    refuse_json("pixel_inputs", 0, "bits", "65", "pixel_inputs[0]: bits is not from 0 to 64");
    refuse_json("pixel_carries", 0, "next", "-1",
                "pixel_carries[0]: next is not from 0 to 4294967294");
    refuse_json("pixel_carries", 0, "next", "null", "pixel_carries[0]: next is no integer");
    refuse_json("pixel_streams", 0, "stride", "\"q\"",
                "pixel_streams[0]: stride is the name of no input");
    refuse_json("pixel_streams", 0, "low", "2147483648",
                "pixel_streams[0]: low is not from -2147483648 to 2147483647");
    refuse_json("pixel_loops", 0, "next", "[]",
                "pixel_loops[0]: initial and next are not equally long");
    refuse_json("pixel_loops", 0, "initial", "[true]",
                "pixel_loops[0]: initial holds something that is no number");
    refuse_json("pixel_ops", 0, "op", "\"nop\"", "pixel_ops[0]: op is the name of no operation");
    refuse_json("pixel_ops", 0, "input", "\"q\"",
                "operation 0 (input): there is no input "
                "4294967295");
    refuse_json("pixel_ops", 1, "value", "31", "pixel_ops[1]: value is no string like \"0x10\"");
    refuse_json("pixel_ops", 1, "value", "\"0x11112222333344445\"",
                "pixel_ops[1]: value is no string like \"0x10\"");
    refuse_json("pixel_ops", 2, "args", "[1]", "pixel_ops[2]: padd has 1 args, not 2");
    refuse_json("pixel_ops", 2, "args", "[1,2,3,4]",
                "pixel_ops[2]: args is no array of up to 3 numbers");
    refuse_json("pixel_ops", 2, "args", "[1,1.5]",
                "pixel_ops[2]: args holds something that is no number");
    refuse_json("pixel_ops", 2, "lane", NULL, "pixel_ops[2]: lane is no integer");
    refuse_json("pixel_ops", 8, "stream", "\"t\"", "pixel_ops[8]: stream is the name of none");
    refuse_json("pixel_ops", 8, "if", "2", "operation 8 (store): operand c has 64 bits, not 1");
    refuse_json("pixel_ops", 8, "index", "9",
                "operation 8 (store): operand a is not a value that can be seen here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_layout),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_json_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
