/* tests/unit/guest/test_find.c - what is there is found, over every border, and nothing else. */
#include "tests/unit/harness.h"

#include "guest/find/pattern.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/find.h"

#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

/* ---------------------------------------------------------------- patterns */

static size_t naive(const struct vt_pattern *p, const uint8_t *bytes, size_t n, size_t from)
{
    for (size_t i = from; i + p->n <= n; i++) {
        size_t k = 0;
        while (k < p->n && (bytes[i + k] & p->mask[k]) == p->value[k]) {
            k++;
        }
        if (k == p->n) {
            return i;
        }
    }
    return n;
}

static void takes_hex(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   " ",   "4",    "48 8",  "4g",
                                      "??", "? ?", "????", "48-8b", "x48"};
    struct vt_pattern p;
    struct vt_error err = {0};
    assert_int_equal(vt_pattern_hex(&p, "48 8B?? 4? ?f\n00", &err), 0);
    static const uint8_t value[] = {0x48, 0x8b, 0, 0x40, 0x0f, 0};
    static const uint8_t mask[] = {0xff, 0xff, 0, 0xf0, 0x0f, 0xff};
    assert_int_equal(p.n, sizeof value);
    assert_memory_equal(p.value, value, sizeof value);
    assert_memory_equal(p.mask, mask, sizeof mask);
    vt_pattern_fini(&p);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vt_pattern_hex(&p, bad[i], &err), VT_E_INVAL);
    }
    char *many = malloc(2 * VT_FIND_PATTERN_MAX + 3);
    memset(many, '1', 2 * VT_FIND_PATTERN_MAX + 2);
    many[2 * VT_FIND_PATTERN_MAX] = '\0';
    assert_int_equal(vt_pattern_hex(&p, many, &err), 0);
    assert_int_equal(p.n, VT_FIND_PATTERN_MAX);
    vt_pattern_fini(&p);
    many[2 * VT_FIND_PATTERN_MAX] = '1';
    many[2 * VT_FIND_PATTERN_MAX + 2] = '\0';
    assert_int_equal(vt_pattern_hex(&p, many, &err), VT_E_INVAL);
    free(many);
}

static void takes_text(void **state)
{
    (void)state;
    struct vt_pattern p;
    struct vt_error err = {0};
    assert_int_equal(vt_pattern_text(&p, "Aé€😀", VT_FIND_WIDE, &err), 0);
    static const uint8_t wide[] = {0x41, 0, 0xe9, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde};
    assert_int_equal(p.n, sizeof wide);
    assert_memory_equal(p.value, wide, sizeof wide);
    vt_pattern_fini(&p);
    assert_int_equal(vt_pattern_text(&p, "a@Z`", VT_FIND_IGNORE_CASE, &err), 0);
    assert_int_equal(vt_pattern_next(&p, (const uint8_t *)"xA@z`", 5, 0), 1);
    assert_int_equal(vt_pattern_next(&p, (const uint8_t *)"xA`z@", 5, 0), 5);
    vt_pattern_fini(&p);
    assert_int_equal(vt_pattern_text(&p, "", 0, &err), VT_E_INVAL);
    assert_int_equal(vt_pattern_text(&p, "\xff", VT_FIND_WIDE, &err), VT_E_INVAL);
    assert_int_equal(vt_pattern_text(&p, "\xff", 0, &err), 0);
    vt_pattern_fini(&p);
}

/* Every place and every length of what is around it, with few different bytes so that much nearly
 * matches. */
static void finds_what_a_simple_search_finds(void **state)
{
    (void)state;
    static const char *const patterns[] = {"00",          "01 00",
                                           "0? 0? 01",    "00 00 00 00 01",
                                           "?1 ?? ?? 00", "01 01 00 ?? 01 ?0 ?? ?? ?? 01"};
    uint8_t bytes[700];
    unsigned seed = 7;
    for (size_t k = 0; k < sizeof patterns / sizeof patterns[0]; k++) {
        struct vt_pattern p;
        assert_int_equal(vt_pattern_hex(&p, patterns[k], NULL), 0);
        for (unsigned round = 0; round < 200; round++) {
            for (size_t i = 0; i < sizeof bytes; i++) {
                seed = seed * 1103515245 + 12345;
                bytes[i] = (seed >> 16) % (round % 2 == 0 ? 2 : 50) == 0;
            }
            size_t n = 1 + (seed >> 8) % sizeof bytes, from = (seed >> 4) % n;
            for (size_t i = from; i < n; i++) {
                size_t want = naive(&p, bytes, n, i);
                assert_int_equal(vt_pattern_next(&p, bytes, n, i), want);
                i = want;
            }
        }
        vt_pattern_fini(&p);
    }
}

/* ---------------------------------------------------------------- searches */

struct guest {
    struct synthetic s;
    struct vt_ram *ram;
};

/* RAM in three pieces: the second continues the first in addresses but not in the file. */
static int setup(void **state)
{
    static const struct vt_ram_region regions[] = {
        {{0}, {8 * MIB}, 4 * MIB},
        {{4 * MIB}, {0}, 4 * MIB},
        {{16 * MIB}, {12 * MIB}, 4 * MIB},
    };
    struct guest *g = calloc(1, sizeof *g);
    synthetic_create(&g->s);
    *state = g;
    return vt_ram_open(g->s.path, regions, 3, &g->ram, NULL);
}

static int teardown(void **state)
{
    struct guest *g = *state;
    vt_ram_close(g->ram);
    synthetic_destroy(&g->s);
    free(g);
    return 0;
}

/* The byte of RAM at a guest-physical address. */
static uint8_t *at(struct guest *g, uint64_t gpa)
{
    struct vt_off off;
    assert_int_equal(vt_ram_offset(g->ram, VT_GPA(gpa), &off, NULL, NULL), 0);
    return g->s.ram + off.v;
}

static void put(struct guest *g, uint64_t gpa, const char *text)
{
    for (; *text != '\0'; text++) {
        *at(g, gpa++) = (uint8_t)*text;
    }
}

#define FOUND_MAX 64
struct found {
    struct guest *g;
    struct vt_find_match list[FOUND_MAX];
    char names[FOUND_MAX][32];
    size_t n, stop_after;
    uint8_t *clear; /* at the first match */
    uint64_t done, total;
    bool stop;
};

static int on_match(const struct vt_find_match *m, void *arg)
{
    struct found *f = arg;
    assert_true(f->n < FOUND_MAX);
    snprintf(f->names[f->n], sizeof f->names[0], "%s%s", m->pattern,
             m->string != NULL ? m->string : "");
    f->list[f->n++] = *m;
    if (f->clear != NULL) {
        *f->clear = 0;
    }
    return f->n == f->stop_after ? 77 : 0;
}

static int on_progress(uint64_t done, uint64_t total, void *arg)
{
    struct found *f = arg;
    assert_true(done >= f->done && done <= total);
    f->done = done;
    f->total = total;
    return f->stop;
}

static int run(struct vt_find *find, const struct vt_space *space, uint64_t from, uint64_t to,
               struct found *f, struct vt_find_result *result)
{
    struct vt_find_where where = {.ram = f->g->ram, .space = space, .from = from, .to = to};
    struct vt_error err = {0};
    int rc = vt_find_run(find, &where, on_match, on_progress, f, result, &err);
    assert_int_equal(rc < 0 ? err.code : 0, rc < 0 ? rc : 0);
    return rc;
}

static struct vt_find *find_text(const char *text)
{
    struct vt_find *find;
    assert_int_equal(vt_find_create(&find, NULL), 0);
    assert_int_equal(vt_find_add_text(find, text, 0, NULL), 0);
    return find;
}

static void finds_over_borders(void **state)
{
    struct guest *g = *state;
    struct found f = {.g = g};
    struct vt_find_result result;
    struct vt_find *find = find_text("needle");
    /* At the ends of RAM and of a window, over a page's and a window's border, over the seam in
     * the file; not over the hole. */
    static const uint64_t places[] = {0,           0xffd,   0x3fffa,     0x40000,  0x7fffd,
                                      4 * MIB - 3, 5 * MIB, 8 * MIB - 6, 16 * MIB, 20 * MIB - 6};
    const size_t n = sizeof places / sizeof places[0];
    for (size_t i = 0; i < n; i++) {
        put(g, places[i], "needle");
    }
    put(g, 7 * MIB, "need\0le");
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), 0);
    assert_int_equal(f.n, n);
    assert_int_equal(result.matches, n);
    assert_true(!result.limited && f.done == f.total && f.total == result.space_bytes);
    for (size_t i = 0; i < n; i++) {
        assert_true(f.list[i].at == places[i] && f.list[i].gpa.v == places[i]);
        assert_true(f.list[i].bytes == 6 && f.list[i].trust == VT_TRUST_OK);
        assert_string_equal(f.names[i], "needle");
    }

    /* Part of it; [from, to) holds all of a match or it is none. */
    f = (struct found){.g = g};
    assert_int_equal(run(find, NULL, 1, 5 * MIB + 5, &f, &result), 0);
    assert_int_equal(f.n, 5);
    assert_true(f.list[0].at == 0xffd && f.list[4].at == 4 * MIB - 3);

    /* As far as the callback wants. */
    f = (struct found){.g = g, .stop_after = 2};
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), 77);
    assert_int_equal(result.matches, 2);
    f = (struct found){.g = g, .stop = true};
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), VT_E_INTERRUPTED);
    vt_find_destroy(find);
}

static void tells_patterns_in_order(void **state)
{
    struct guest *g = *state;
    struct found f = {.g = g};
    struct vt_find_result result;
    struct vt_find *find = find_text("beta");
    struct vt_error err = {0};
    assert_int_equal(vt_find_add_text(find, "ALPHA", VT_FIND_IGNORE_CASE, &err), 0);
    assert_int_equal(vt_find_add_hex(find, "61 ?? 61", &err), 0);
    assert_int_equal(vt_find_patterns(find), 3);
    assert_string_equal(vt_find_pattern(find, 2), "61 ?? 61");
    put(g, MIB, "Alphabetaxa");
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), 0);
    assert_int_equal(f.n, 3);
    assert_true(f.list[0].index == 1 && f.list[0].at == MIB);
    assert_true(f.list[1].index == 0 && f.list[1].at == MIB + 5);
    assert_true(f.list[2].index == 2 && f.list[2].at == MIB + 8);
    while (vt_find_add_text(find, "x", 0, &err) == 0) {
    }
    assert_int_equal(err.code, VT_E_LIMIT);
    vt_find_destroy(find);

    assert_int_equal(vt_find_create(&find, &err), 0);
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), VT_E_INVAL);
    vt_find_destroy(find);
    vt_find_destroy(NULL);
}

static void looks_again(void **state)
{
    struct guest *g = *state;
    struct found f = {.g = g};
    struct vt_find_result result;
    struct vt_find *find = find_text("needle");
    put(g, 0x1000, "needle");
    put(g, 0x2000, "needle");
    f.clear = at(g, 0x2003);
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), 0);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.list[0].trust, VT_TRUST_OK);
    assert_int_equal(f.list[1].trust, VT_TRUST_TORN);
    vt_find_destroy(find);
}

/* ---------------------------------------------------------------- virtual memory */

#define P 3u /* present, writable */
#define PS 0x80u

static void entry(struct guest *g, uint64_t table, unsigned index, uint64_t value)
{
    memcpy(at(g, table + 8 * (uint64_t)index), &value, sizeof value);
}

static void finds_where_pages_are_scattered(void **state)
{
    struct guest *g = *state;
    struct found f = {.g = g};
    struct vt_find_result result;
    struct vt_find *find = find_text("a needle of text");
    struct vt_space space = {.ram = g->ram, .root = VT_GPA(0x1000), .levels = 4};
    const uint64_t base = UINT64_C(0x8000000000);
    entry(g, 0x1000, 1, 0x2000 | P);
    entry(g, 0x2000, 0, 0x3000 | P);
    entry(g, 0x3000, 0, 0x4000 | P);
    entry(g, 0x3000, 1, 16 * MIB | P | PS);
    entry(g, 0x3000, 2, 0x40000000 | P | PS); /* a device */
    entry(g, 0x4000, 0, 0x20000 | P);
    entry(g, 0x4000, 1, 0x10000 | P);
    entry(g, 0x4000, 2, (4 * MIB + 0x5000) | P);
    entry(g, 0x4000, 4, 0x30000 | P);
    entry(g, 0x4000, 511, 0x50000 | P);
    put(g, 0x21000 - 4, "a ne"); /* over the first two pages, */
    put(g, 0x10000, "edle of text");
    put(g, 0x11000 - 1, "a"); /* the second and the third, */
    put(g, 4 * MIB + 0x5000, " needle of text");
    put(g, 4 * MIB + 0x6000 - 4, "a ne"); /* not over the one that is missing, */
    put(g, 0x30000, "edle of text");
    put(g, 0x51000 - 8, "a needle"); /* and into a large page. */
    put(g, 16 * MIB, " of text");
    assert_int_equal(run(find, &space, 0, UINT64_C(1) << 47, &f, &result), 0);
    assert_int_equal(f.n, 3);
    assert_true(f.list[0].at == base + 0xffc && f.list[0].gpa.v == 0x20ffc);
    assert_true(f.list[1].at == base + 0x1fff && f.list[1].gpa.v == 0x10fff);
    assert_true(f.list[2].at == base + 0x1ffff8 && f.list[2].gpa.v == 0x50ff8);
    assert_int_equal(f.list[2].trust, VT_TRUST_OK);
    assert_true(result.space_bytes == 6 * VT_PAGE_BYTES && !result.limited);

    f = (struct found){.g = g};
    assert_int_equal(run(find, &space, base + 0xffd, base + 0x1ffff8, &f, &result), 0);
    assert_int_equal(f.n, 1);
    assert_true(f.list[0].at == base + 0x1fff);
    assert_int_equal(run(find, &space, UINT64_C(1) << 50, 0, &f, &result), VT_E_ADDR);
    vt_find_destroy(find);
}

/* A table that is its own child maps the same few pages without end. */
static void is_bounded_by_ram(void **state)
{
    struct guest *g = *state;
    struct found f = {.g = g, .stop_after = FOUND_MAX};
    struct vt_find_result result;
    struct vt_find *find = find_text("nothing of the kind");
    struct vt_space space = {.ram = g->ram, .root = VT_GPA(0x1000), .levels = 4};
    for (unsigned i = 0; i < 512; i++) {
        entry(g, 0x1000, i, 0x1000 | P);
    }
    assert_int_equal(run(find, &space, 0, UINT64_C(1) << 47, &f, &result), 0);
    assert_true(result.limited);
    assert_int_equal(f.n, 0);
    assert_true(result.space_bytes <= (VT_FIND_ALIASES + 1) * UINT64_C(16) * MIB);
    vt_find_destroy(find);
}

/* ---------------------------------------------------------------- rules */

static const char *write_rules(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/vitrine-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

static void scans_with_rules(void **state)
{
    struct guest *g = *state;
    struct found f = {.g = g};
    struct vt_find_result result;
    struct vt_error err = {0};
    struct vt_find *find;
    const char *path = write_rules(
        "rule far { strings: $a = \"needle\" $b = { 68 61 79 ?? 74 } condition: $a and #b == 2 }\n"
        "rule not_there { strings: $a = \"thimble\" condition: $a }\n"
        "private rule hidden { strings: $a = \"hay\" condition: $a }\n"
        "rule no_string { condition: hidden }\n");
    assert_int_equal(vt_find_create(&find, &err), 0);
    assert_int_equal(vt_find_add_rules(find, path, &err), 0);
    assert_int_equal(vt_find_add_rules(find, path, &err), VT_E_INVAL);
    assert_int_equal(vt_find_add_text(find, "needle", 0, &err), 0);
    unlink(path);
    memset(g->s.ram, 1, SYNTHETIC_BYTES); /* so that blocks are as long as they get */
    put(g, 0x1000, "haystt");
    put(g, 8 * MIB - 10, "hay.t"); /* over the seam of two blocks is only what continues */
    put(g, 17 * MIB, "needle");
    put(g, 4 * MIB - 3, "needle");
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), 0);
    assert_int_equal(f.n, 7);
    assert_string_equal(f.names[0], "needle");
    assert_true(f.list[0].at == 4 * MIB - 3 && f.list[1].at == 17 * MIB);
    assert_string_equal(f.names[2], "far$a");
    assert_true(f.list[2].at == 4 * MIB - 3 && f.list[2].bytes == 6 && f.list[2].index == 1);
    assert_true(f.list[3].at == 17 * MIB && f.list[3].trust == VT_TRUST_OK);
    assert_string_equal(f.names[4], "far$b");
    assert_true(f.list[4].at == 0x1000 && f.list[5].at == 8 * MIB - 10);
    assert_string_equal(f.names[6], "no_string");
    assert_true(f.list[6].bytes == 0 && f.list[6].string == NULL);

    f = (struct found){.g = g, .stop_after = 3};
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), 77);
    assert_int_equal(result.matches, 3);
    f = (struct found){.g = g, .stop = true};
    assert_int_equal(run(find, NULL, 0, 0, &f, &result), VT_E_INTERRUPTED);
    vt_find_destroy(find);
}

static void says_what_is_wrong_with_rules(void **state)
{
    (void)state;
    struct vt_error err = {0};
    struct vt_find *find;
    assert_int_equal(vt_find_create(&find, &err), 0);
    const char *path = write_rules("rule a { condition: true }\nrule b { nonsense: true }\n");
    assert_int_equal(vt_find_add_rules(find, path, &err), VT_E_INVAL);
    assert_non_null(strstr(err.message, "line 2: "));
    unlink(path);
    assert_int_equal(vt_find_add_rules(find, path, &err), VT_E_NOT_FOUND);
    vt_find_destroy(find);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_hex),
        cmocka_unit_test(takes_text),
        cmocka_unit_test(finds_what_a_simple_search_finds),
        cmocka_unit_test_setup_teardown(finds_over_borders, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_patterns_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(looks_again, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_where_pages_are_scattered, setup, teardown),
        cmocka_unit_test_setup_teardown(is_bounded_by_ram, setup, teardown),
        cmocka_unit_test_setup_teardown(scans_with_rules, setup, teardown),
        cmocka_unit_test(says_what_is_wrong_with_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
