/* tests/fuzz/fuzz_text.c - guest text on its way to a terminal and into JSON.
 *
 * Whatever the bytes: what goes to a terminal is printable UTF-8 on one line, and what goes out as
 * JSON is accepted by another implementation (jansson) and keeps its well-formed characters.
 */
#include "tests/fuzz/fuzz.h"

#include "base/json_writer.h"
#include "base/text.h"

#include <jansson.h>
#include <string.h>

static void check_printable(const char *text, size_t count, size_t room)
{
    char *out = malloc(room);
    FUZZ_CHECK(out != NULL);
    size_t n = vt_text_printable(out, room, text, count);
    FUZZ_CHECK(n < room && out[n] == '\0' && strlen(out) == n);
    for (size_t i = 0; i < n;) {
        size_t step = vt_utf8_length(out + i, n - i);
        unsigned char ch = (unsigned char)out[i];
        FUZZ_CHECK(step > 0 && ch >= 0x20 && ch != 0x7f);
        FUZZ_CHECK(!(ch == 0xc2 && (unsigned char)out[i + 1] < 0xa0));
        FUZZ_CHECK(step != 3 || memcmp(out + i, "\u202e", step) != 0);
        i += step;
    }
    free(out);
}

static void check_json(const char *text, size_t count)
{
    char *document = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&document, &bytes);
    FUZZ_CHECK(f != NULL);
    struct vt_json_writer w;
    vt_json_init(&w, f, count % 2 == 1);
    vt_json_array(&w);
    vt_json_string_n(&w, text, count);
    vt_json_array_end(&w);
    vt_json_finish(&w);
    FUZZ_CHECK(fclose(f) == 0);
    json_t *root = json_loadb(document, bytes, JSON_ALLOW_NUL, NULL);
    FUZZ_CHECK(json_array_size(root) == 1);
    const json_t *value = json_array_get(root, 0);
    const char *back = json_string_value(value);
    size_t left = json_string_length(value);
    for (size_t i = 0; i < count;) {
        size_t n = vt_utf8_length(text + i, count - i);
        const char *want = n > 0 ? text + i : "\xef\xbf\xbd";
        size_t want_bytes = n > 0 ? n : 3;
        FUZZ_CHECK(left >= want_bytes && memcmp(back, want, want_bytes) == 0);
        back += want_bytes;
        left -= want_bytes;
        i += n > 0 ? n : 1;
    }
    FUZZ_CHECK(left == 0);
    json_decref(root);
    free(document);
}

static void check_numbers(const char *text, size_t count)
{
    char *line = strndup(text, count);
    FUZZ_CHECK(line != NULL);
    uint64_t value = 42;
    struct vt_error err = {.code = VT_OK};
    if (vt_parse_u64(line, &value, &err) != 0 && vt_parse_bytes(line, &value, &err) != 0 &&
        vt_parse_duration(line, &value, &err) != 0) {
        FUZZ_CHECK(value == 42 && err.code == VT_E_INVAL);
    }
    vt_name_is_valid(line);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const char *text = (const char *)bytes;
    check_printable(text, count, 4 * count + 1);
    check_printable(text, count, count / 2 + 1);
    check_json(text, count);
    check_numbers(text, count);
    return 0;
}
