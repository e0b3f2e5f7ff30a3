/* tests/unit/base/test_json_writer.c - what is written, byte for byte, and as jansson reads it. */
#include "tests/unit/harness.h"

#include "base/json_writer.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

struct sheet {
    FILE *f;
    char *text;
    size_t bytes;
    struct vt_json_writer w;
};

static void begin(struct sheet *s, bool pretty)
{
    *s = (struct sheet){0};
    s->f = open_memstream(&s->text, &s->bytes);
    assert_non_null(s->f);
    vt_json_init(&s->w, s->f, pretty);
}

static void finish(struct sheet *s)
{
    vt_json_finish(&s->w);
    assert_int_equal(fclose(s->f), 0);
}

static json_t *parsed(const struct sheet *s)
{
    json_error_t e;
    json_t *root = json_loadb(s->text, s->bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
    if (root == NULL) {
        fail_msg("%s in: %s", e.text, s->text);
    }
    return root;
}

static void write_some(struct vt_json_writer *w)
{
    vt_json_object(w);
    vt_json_kv_string(w, "name", "a");
    vt_json_kv_u64(w, "u", UINT64_MAX);
    vt_json_kv_i64(w, "i", INT64_MIN);
    vt_json_kv_bool(w, "yes", true);
    vt_json_kv_hex(w, "at", 0xffff888000000000);
    vt_json_kv_string(w, "none", NULL);
    vt_json_key(w, "list");
    vt_json_array(w);
    vt_json_bool(w, false);
    vt_json_null(w);
    vt_json_array(w);
    vt_json_array_end(w);
    vt_json_object(w);
    vt_json_object_end(w);
    vt_json_array_end(w);
    vt_json_object_end(w);
}

static void compact(void **state)
{
    (void)state;
    struct sheet s;
    begin(&s, false);
    write_some(&s.w);
    finish(&s);
    assert_string_equal(s.text,
                        "{\"name\":\"a\",\"u\":18446744073709551615,\"i\":-9223372036854775808,"
                        "\"yes\":true,\"at\":\"0xffff888000000000\",\"none\":null,"
                        "\"list\":[false,null,[],{}]}\n");
    free(s.text);
}

static void pretty(void **state)
{
    (void)state;
    struct sheet s;
    begin(&s, true);
    write_some(&s.w);
    finish(&s);
    assert_string_equal(s.text, "{\n"
                                "  \"name\": \"a\",\n"
                                "  \"u\": 18446744073709551615,\n"
                                "  \"i\": -9223372036854775808,\n"
                                "  \"yes\": true,\n"
                                "  \"at\": \"0xffff888000000000\",\n"
                                "  \"none\": null,\n"
                                "  \"list\": [\n"
                                "    false,\n"
                                "    null,\n"
                                "    [],\n"
                                "    {}\n"
                                "  ]\n"
                                "}\n");
    free(s.text);
}

/* Each byte alone and each pair of bytes: jansson takes the text, and bytes below 0x80 survive. */
static void any_bytes_are_valid_json(void **state)
{
    (void)state;
    struct sheet s;
    begin(&s, false);
    vt_json_array(&s.w);
    for (unsigned i = 0; i < 0x10000; i++) {
        char pair[2] = {(char)(i >> 8), (char)(i & 0xff)};
        vt_json_string_n(&s.w, pair, 2);
    }
    vt_json_array_end(&s.w);
    finish(&s);
    json_t *root = parsed(&s);
    assert_int_equal(json_array_size(root), 0x10000);
    for (unsigned i = 0; i < 0x10000; i++) {
        const json_t *got = json_array_get(root, i);
        const char *text = json_string_value(got);
        unsigned first = i >> 8, second = i & 0xff;
        if (first < 0x80 && second < 0x80) {
            assert_int_equal(json_string_length(got), 2);
            assert_int_equal(text[0], first);
            assert_int_equal(text[1], second);
        } else if (first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf) {
            assert_int_equal(json_string_length(got), 2);
            assert_int_equal((unsigned char)text[0], first);
        } else {
            assert_non_null(strstr(text + (first == 0), "\xef\xbf\xbd"));
        }
    }
    json_decref(root);
    free(s.text);
}

static void strings_come_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "plain", "\"\\/\b\f\n\r\t\v\x01\x1f\x7f",
                                        "\u20ac \U0001f427 \U0010ffff", "</script>"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sheet s;
        begin(&s, false);
        vt_json_object(&s.w);
        vt_json_kv_string(&s.w, texts[i], texts[i]);
        vt_json_object_end(&s.w);
        finish(&s);
        json_t *root = parsed(&s);
        assert_string_equal(json_string_value(json_object_get(root, texts[i])), texts[i]);
        json_decref(root);
        free(s.text);
    }
}

static void bad_utf8_is_replaced_byte_by_byte(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"a\xff"
         "b",
         "a\ufffdb"},
        {"\xc0\xaf", "\ufffd\ufffd"},                     /* overlong */
        {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},           /* a surrogate */
        {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"}, /* above U+10FFFF */
        {"\xe2\x82", "\ufffd\ufffd"},                     /* cut */
        {"\xe2\x82\xac\x80", "\u20ac\ufffd"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sheet s;
        begin(&s, false);
        vt_json_string(&s.w, rows[i].in);
        finish(&s);
        json_t *root = parsed(&s);
        assert_string_equal(json_string_value(root), rows[i].out);
        json_decref(root);
        free(s.text);
    }
}

static void numbers(void **state)
{
    (void)state;
    static const double values[] = {0, 1, -1.5, 0.1, 1e300, 5e-324, 123456789.25, -0.0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct sheet s;
        begin(&s, false);
        vt_json_f64(&s.w, values[i], 17);
        finish(&s);
        json_t *root = parsed(&s);
        assert_true(json_number_value(root) == values[i]);
        json_decref(root);
        free(s.text);
    }
    struct sheet s;
    begin(&s, false);
    vt_json_array(&s.w);
    vt_json_f64(&s.w, 1.0 / 3, 3);
    vt_json_f64(&s.w, (double)NAN, 3);
    vt_json_f64(&s.w, (double)INFINITY, 3);
    vt_json_hex(&s.w, 0);
    vt_json_array_end(&s.w);
    finish(&s);
    assert_string_equal(s.text, "[0.333,null,null,\"0x0\"]\n");
    free(s.text);
    begin(&s, false);
    vt_json_object(&s.w);
    vt_json_kv_f64(&s.w, "ms", 2.5, 3);
    vt_json_kv_f64(&s.w, "nan", (double)NAN, 3);
    vt_json_object_end(&s.w);
    finish(&s);
    assert_string_equal(s.text, "{\"ms\":2.5,\"nan\":null}\n");
    free(s.text);
}

static void deepest_nesting(void **state)
{
    (void)state;
    struct sheet s;
    begin(&s, true);
    for (int i = 0; i < VT_JSON_DEPTH_MAX; i++) {
        vt_json_array(&s.w);
    }
    for (int i = 0; i < VT_JSON_DEPTH_MAX; i++) {
        vt_json_array_end(&s.w);
    }
    finish(&s);
    json_decref(parsed(&s));
    free(s.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compact),
        cmocka_unit_test(pretty),
        cmocka_unit_test(any_bytes_are_valid_json),
        cmocka_unit_test(strings_come_back),
        cmocka_unit_test(bad_utf8_is_replaced_byte_by_byte),
        cmocka_unit_test(numbers),
        cmocka_unit_test(deepest_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
