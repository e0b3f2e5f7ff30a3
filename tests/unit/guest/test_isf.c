/* tests/unit/guest/test_isf.c - symbol files: what they say is what is read, what is written is
 * read again, and broken ones are refused. */
#include "tests/unit/harness.h"

#include "guest/symbols/isf.h"
#include "guest/symbols/types.h"
#include "guest/symbols/xz.h"
#include "vitrine/guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The banner is base64 of "Linux version 1.2 (x) #1\n\0". Types come before what they are made of.
 */
#define BANNER "TGludXggdmVyc2lvbiAxLjIgKHgpICMxCgA="
#define METADATA "\"metadata\":{\"format\":\"6.2.0\",\"extra\":[{\"size\":[1,2]},null,true]}"
#define SYMBOLS                                                                                    \
    "\"symbols\":{\"_text\":{\"address\":18446744071578845184},"                                   \
    "\"linux_banner\":{\"type\":{\"kind\":\"array\",\"count\":9,\"subtype\":{\"kind\":\"base\","   \
    "\"name\":\"char\"}},\"constant_data\":\"" BANNER "\",\"address\":18446744071580942336},"      \
    "\"per_cpu\":{\"address\":4096,\"linkage_name\":\"x\"},\"nothing\":{}}"
static const char good[] =
    "{\"user_types\":{\"outer\":{\"fields\":{"
    "\"head\":{\"offset\":0,\"type\":{\"name\":\"unsigned int\",\"kind\":\"base\"}},"
    "\"low\":{\"type\":{\"kind\":\"bitfield\",\"bit_position\":0,\"bit_length\":3,\"type\":{"
    "\"kind\":"
    "\"base\",\"name\":\"unsigned int\"}},\"offset\":4},"
    "\"high\":{\"type\":{\"kind\":\"bitfield\",\"bit_length\":9,\"bit_position\":3,\"type\":{"
    "\"kind\":"
    "\"enum\",\"name\":\"signs\"}},\"offset\":4},"
    "\"u\":{\"anonymous\":true,\"offset\":8,\"type\":{\"kind\":\"union\",\"name\":\"unnamed_1\"}},"
    "\"grid\":{\"offset\":16,\"type\":{\"kind\":\"array\",\"count\":5,\"subtype\":{\"kind\":"
    "\"array\","
    "\"subtype\":{\"kind\":\"pointer\",\"subtype\":{\"kind\":\"struct\",\"name\":\"outer\"}},"
    "\"count\":"
    "3}}},"
    "\"call\":{\"offset\":136,\"type\":{\"kind\":\"pointer\",\"subtype\":{\"kind\":\"function\"}}},"
    "\"any\":{\"offset\":144,\"type\":{\"kind\":\"pointer\",\"base\":\"pointer\",\"subtype\":{"
    "\"kind\":"
    "\"base\",\"name\":\"void\"}}},"
    "\"sign\":{\"offset\":152,\"type\":{\"kind\":\"enum\",\"name\":\"signs\"}},"
    "\"real\":{\"offset\":160,\"type\":{\"kind\":\"base\",\"name\":\"double\"}},"
    "\"lost\":{\"offset\":168,\"type\":{\"kind\":\"struct\",\"name\":\"never\"}}},"
    "\"size\":200,\"kind\":\"struct\"},"
    "\"unnamed_1\":{\"kind\":\"union\",\"size\":8,\"fields\":{\"as_long\":{\"offset\":0,\"type\":{"
    "\"kind\":\"base\",\"name\":\"long int\"}}}}},"
    "\"enums\":{\"signs\":{\"base\":\"int\",\"size\":4,\"constants\":{\"MINUS\":-3,\"PLUS\":3}},"
    "\"wide\":{\"constants\":{\"WIDE\":18446744073709551615},\"base\":\"x\",\"size\":8}},"
    "\"base_types\":{\"unsigned int\":{\"kind\":\"int\",\"size\":4,\"signed\":false,\"endian\":"
    "\"little\"},\"long int\":{\"size\":8,\"kind\":\"int\",\"signed\":true,\"endian\":\"little\"},"
    "\"char\":{\"size\":1,\"kind\":\"char\",\"signed\":true},"
    "\"_Bool\":{\"size\":1,\"kind\":\"bool\",\"signed\":false},"
    "\"double\":{\"size\":8,\"kind\":\"float\",\"signed\":true},\"void\":{\"size\":0,\"kind\":"
    "\"void\"}"
    "}," METADATA "," SYMBOLS "}";

static void put_file(const char *path, const char *text, size_t n, bool packed)
{
    struct vt_error err = {0};
    FILE *f = fopen(path, "wb"), *out = f;
    if (packed) {
        assert_int_equal(vt_xz_pack(f, &out, &err), 0);
    }
    assert_int_equal(fwrite(text, 1, n, out), n);
    if (packed) {
        assert_int_equal(fclose(out), 0);
    }
    assert_int_equal(fclose(f), 0);
}

static void expect(const struct vt_btf *btf, const char *path, uint32_t offset, uint32_t bytes,
                   unsigned bit, unsigned bits)
{
    struct vt_member m = {0};
    struct vt_error err = {0};
    vt_btf_member(btf, "outer", path, &m, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(m.offset, offset);
    assert_int_equal(m.size, bytes);
    assert_int_equal(m.bit, bit);
    assert_int_equal(m.bits, bits);
}

static void check_good(const struct vt_isf *isf)
{
    struct vt_member m;
    int64_t value;
    uint32_t bytes;
    assert_string_equal(isf->banner, "Linux version 1.2 (x) #1");
    assert_true(isf->text == UINT64_C(0xffffffff81000000));
    assert_int_equal(isf->symbols.n, 3);
    const struct vt_symbol *s = vt_symbols_find(&isf->symbols, "linux_banner");
    assert_true(s->value == 0x200000 && !s->absolute);
    s = vt_symbols_find(&isf->symbols, "per_cpu");
    assert_true(s->value == 4096 && s->absolute);
    expect(isf->types, "head", 0, 4, 0, 0);
    expect(isf->types, "low", 4, 1, 0, 3);
    expect(isf->types, "high", 4, 2, 3, 9);
    expect(isf->types, "as_long", 8, 8, 0, 0);
    expect(isf->types, "grid", 16, 120, 0, 0);
    expect(isf->types, "call", 136, 8, 0, 0);
    expect(isf->types, "any", 144, 8, 0, 0);
    expect(isf->types, "sign", 152, 4, 0, 0);
    expect(isf->types, "real", 160, 8, 0, 0);
    assert_int_equal(vt_btf_member(isf->types, "outer", "lost", &m, NULL), VT_E_CORRUPT);
    assert_int_equal(vt_btf_struct_size(isf->types, "outer", &bytes, NULL), 0);
    assert_int_equal(bytes, 200);
    assert_int_equal(vt_btf_enumerator(isf->types, "MINUS", &value, NULL), 0);
    assert_int_equal(value, -3);
    assert_int_equal(vt_btf_enumerator(isf->types, "WIDE", &value, NULL), 0);
    assert_true(value == -1);
}

static void test_read(void **state)
{
    for (int packed = 0; packed < 2; packed++) {
        char path[300], banner[VT_ISF_BANNER_MAX];
        struct vt_isf isf;
        struct vt_error err = {0};
        int64_t banner_at;
        snprintf(path, sizeof path, "%s/good", (const char *)*state);
        put_file(path, good, sizeof good - 1, packed);
        vt_isf_read(path, &isf, &err);
        assert_string_equal(err.message, "");
        check_good(&isf);
        assert_int_equal(vt_isf_peek(path, banner, &banner_at, &err), 0);
        assert_string_equal(banner, isf.banner);
        assert_true(banner_at == 0x200000);

        /* Written and read again, it is the same. */
        const struct vt_isf_source source = {.banner = isf.banner,
                                             .text = isf.text,
                                             .symbols = &isf.symbols,
                                             .types = isf.types,
                                             .kind = "dwarf",
                                             .name = "good"};
        struct vt_isf again;
        FILE *f = fopen(path, "w");
        assert_int_equal(vt_isf_write(f, &source, &err), 0);
        fclose(f);
        vt_isf_read(path, &again, &err);
        assert_string_equal(err.message, "");
        check_good(&again);
        vt_isf_fini(&again);
        vt_isf_fini(&isf);
    }
}

/* Two types of one name, names that are none, bitfields across their units: all find a place. */
static void test_write(void **state)
{
    struct vt_types *t;
    struct vt_error err = {0};
    uint8_t *bytes;
    size_t n;
    char path[300];
    snprintf(path, sizeof path, "%s/written", (const char *)*state);
    assert_int_equal(vt_types_create(&t, &err), 0);
    uint32_t integer = vt_types_named(t, VT_TYPES_BASE, "int", false);
    vt_types_set_base(t, integer, VT_BASE_INT, 4, true);
    uint32_t real = vt_types_named(t, VT_TYPES_BASE, "float", false);
    vt_types_set_base(t, real, VT_BASE_FLOAT, 4, true);
    uint32_t unnamed = vt_types_named(t, VT_TYPES_ENUM, "", false);
    vt_types_enumerator(t, "ONE", 1);
    vt_types_set_enum(t, unnamed, 1);
    uint32_t big = vt_types_named(t, VT_TYPES_ENUM, "big", false);
    vt_types_enumerator(t, "BIG", -1);
    vt_types_enumerator(t, "BIGGER", INT64_MAX);
    vt_types_set_enum(t, big, 8);
    uint32_t odd = vt_types_named(t, VT_TYPES_ENUM, "odd", false);
    vt_types_set_enum(t, odd, 3);
    uint32_t inner = vt_types_named(t, VT_TYPES_STRUCT, "", true);
    vt_types_member(t, "x", integer, 0, 0);
    vt_types_set_struct(t, inner, true, 4);
    uint32_t deep = integer;
    for (unsigned i = 0; i < 40; i++) {
        deep = vt_types_pointer(t, deep);
    }
    vt_types_member(t, "", inner, 0, 0);
    vt_types_member(t, "one", unnamed, 32, 2);
    vt_types_member(t, "across", integer, 60, 10);
    vt_types_member(t, "void_bits", 0, 70, 2);
    vt_types_member(t, "more_across", integer, 95, 32);
    vt_types_member(t, "deep", deep, 128, 0);
    vt_types_member(t, "unknown", vt_types_named(t, VT_TYPES_STRUCT, "unknown", true), 192, 0);
    vt_types_member(t, "real", real, 192, 0);
    vt_types_set_struct(t, vt_types_named(t, VT_TYPES_STRUCT, "outer", false), false, 32);
    assert_int_equal(vt_types_finish(t, &bytes, &n, &err), 0);
    vt_types_destroy(t);

    char names[] = "_text\0linux_banner\0twice\0twice\0gone";
    struct vt_symbol list[] = {
        {0, 0, 'T', false}, {64, 6, 'D', false}, {80, 19, 't', false}, {90, 25, 't', false}};
    struct vt_symbols symbols = {.list = malloc(sizeof list), .n = 4, .names_bytes = sizeof names};
    memcpy(symbols.list, list, sizeof list);
    symbols.names = malloc(sizeof names);
    memcpy(symbols.names, names, sizeof names);
    assert_int_equal(vt_symbols_index(&symbols, &err), 0);
    struct vt_btf *btf;
    assert_int_equal(vt_btf_create(bytes, n, &btf, &err), 0);
    const uint32_t types[] = {0, vt_btf_struct(btf, "outer"), 0, 0};
    const struct vt_isf_source source = {.banner = "Linux version 3",
                                         .text = UINT64_C(0xffffffff81000000),
                                         .symbols = &symbols,
                                         .types = btf,
                                         .symbol_types = types};
    FILE *f = fopen(path, "w");
    assert_int_equal(vt_isf_write(f, &source, &err), 0);
    fclose(f);
    vt_btf_destroy(btf);
    vt_symbols_fini(&symbols);

    struct vt_isf isf;
    vt_isf_read(path, &isf, &err);
    assert_string_equal(err.message, "");
    assert_string_equal(isf.banner, "Linux version 3");
    assert_int_equal(isf.symbols.n, 3);
    assert_int_equal(vt_symbols_find(&isf.symbols, "twice")->value, 80);
    expect(isf.types, "x", 0, 4, 0, 0);
    expect(isf.types, "one", 4, 1, 0, 2);
    expect(isf.types, "across", 7, 2, 4, 10);
    expect(isf.types, "void_bits", 8, 1, 6, 2);
    expect(isf.types, "more_across", 11, 5, 7, 32);
    expect(isf.types, "deep", 16, 8, 0, 0);
    expect(isf.types, "real", 24, 4, 0, 0);
    int64_t value;
    assert_int_equal(vt_btf_enumerator(isf.types, "BIGGER", &value, NULL), 0);
    assert_true(value == INT64_MAX);
    vt_isf_fini(&isf);
}

static void test_broken(void **state)
{
    char path[300], banner[VT_ISF_BANNER_MAX];
    struct vt_isf isf;
    struct vt_error err;
    int64_t at;
    snprintf(path, sizeof path, "%s/broken", (const char *)*state);
    static const struct {
        const char *text;
        int code;
    } files[] = {
        {"", VT_E_CORRUPT},
        {"[]", VT_E_CORRUPT},
        {"{}", VT_E_CORRUPT},
        {"{\"symbols\":{\"a\":{\"address\":1}}}", VT_E_CORRUPT},
        {"{\"symbols\":{\"_text\":{\"address\":1}}}", VT_E_CORRUPT},
        {"{\"symbols\":{\"_text\":{\"address\":99999999999999999999}}}", VT_E_CORRUPT},
        {"{\"symbols\":{\"_text\":{\"address\":1.5}}}", VT_E_CORRUPT},
        {"{\"symbols\":{\"_text\":{\"address\":0000000000000000000000000000000000000001}}}",
         VT_E_CORRUPT},
        {"{\"symbols\":{\"linux_banner\":{\"constant_data\":\"a b\"}}}", VT_E_CORRUPT},
        {"{\"user_types\":{\"a\":{\"kind\":\"a kind longer than any\"}}}", VT_E_CORRUPT},
        {"{\"user_types\":{\"a\":{\"fields\":{\"f\":{\"offset\":4294967296}}}}}", VT_E_CORRUPT},
        {"{\"user_types\":{\"a\":{\"fields\":{\"f\":{\"offset\":0,\"type\":{\"kind\":\"bitfield\","
         "\"bit_position\":0,\"bit_length\":256}}}}}}",
         VT_E_CORRUPT},
        {"{\"user_types\":{\"a\\u0000b\":{}}}", VT_E_LIMIT},
        {"{\"user_types\":{\"a\":{\"fields\":{\"f\\u0000g\":{}}}}}", VT_E_LIMIT},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        put_file(path, files[i].text, strlen(files[i].text), false);
        assert_int_equal(vt_isf_read(path, &isf, &err), files[i].code);
        int rc = vt_isf_peek(path, banner, &at, &err);
        assert_true(rc == VT_E_NOT_FOUND || rc == VT_E_CORRUPT || rc == VT_E_LIMIT);
    }
    /* Cut anywhere, packed or not. */
    for (size_t cut = 0; cut < sizeof good - 1; cut += 7) {
        put_file(path, good, cut, false);
        assert_int_equal(vt_isf_read(path, &isf, &err), VT_E_CORRUPT);
    }
    char packed[4096];
    put_file(path, good, sizeof good - 1, true);
    FILE *f = fopen(path, "rb");
    size_t n = fread(packed, 1, sizeof packed, f);
    fclose(f);
    for (size_t cut = 6; cut < n; cut += 11) {
        put_file(path, packed, cut, false);
        assert_int_equal(vt_isf_read(path, &isf, &err), VT_E_CORRUPT);
    }
    assert_int_equal(vt_isf_read("/nowhere/at/all", &isf, &err), VT_E_NOT_FOUND);
}

/* A nest, a name and a text that never end: caps, not memory. */
static void test_endless(void **state)
{
    enum { LONG = 4 << 20 };
    char path[300], *text = malloc(LONG);
    struct vt_isf isf;
    struct vt_error err;
    snprintf(path, sizeof path, "%s/endless", (const char *)*state);
    assert_non_null(text);
    static const char *const begins[] = {"{\"symbols\":{\"", "{\"symbols\":", "[[[[", "{\"a\":\""};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        memset(text, i == 2 ? '[' : i == 1 ? ' ' : 'x', LONG);
        memcpy(text, begins[i], strlen(begins[i]));
        put_file(path, text, LONG, false);
        assert_int_equal(vt_isf_read(path, &isf, &err), VT_E_LIMIT);
    }
    free(text);
}

static int note(const char *path, void *arg)
{
    char *seen = arg;
    strcat(seen, strrchr(path, '/') + 1);
    strcat(seen, " ");
    return strstr(path, "stop") != NULL;
}

static void test_directories(void **state)
{
    static const char *const names[] = {"b.json", "a.json.xz", "c.txt", ".json", "d.jsonx"};
    char path[400], dirs[1000], seen[1000] = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", (const char *)*state, names[i]);
        put_file(path, "{}", 2, false);
    }
    snprintf(path, sizeof path, "%s/more", (const char *)*state);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/more/e.json", (const char *)*state);
    put_file(path, "{}", 2, false);
    snprintf(dirs, sizeof dirs, ":/nowhere/at/all:%s::%s/more:", (const char *)*state,
             (const char *)*state);
    assert_int_equal(vt_isf_each(dirs, note, seen), 0);
    assert_string_equal(seen, "a.json.xz b.json e.json ");
    snprintf(path, sizeof path, "%s/b-stop.json", (const char *)*state);
    put_file(path, "{}", 2, false);
    seen[0] = '\0';
    assert_int_equal(vt_isf_each(dirs, note, seen), 1);
    assert_string_equal(seen, "a.json.xz b-stop.json ");
    assert_int_equal(vt_isf_each("", note, seen), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(test_read),    vt_test_in_dir(test_write),       vt_test_in_dir(test_broken),
        vt_test_in_dir(test_endless), vt_test_in_dir(test_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
