/* tests/fuzz/fuzz_walk.c - page tables of any content, with and without the translation cache.
 *
 * Input: levels and addresses, then entries for eight tables in RAM. What one way of asking says,
 * the others say too; nothing takes longer than its limit.
 */
#include "tests/fuzz/fuzz.h"

#include "base/cursor.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/guest.h"

#include <string.h>

#define TABLES 8u
#define TABLES_AT 0x1000u
#define TABLES_LIMIT 64u

struct walk {
    struct vt_space space;
    unsigned mappings, tables;
};

static int on_mapping(const struct vt_mapping *m, void *arg)
{
    struct walk *w = arg;
    struct vt_mapping again;
    if (w->mappings++ < 64) {
        FUZZ_CHECK(vt_space_lookup(&w->space, m->gva, &again, NULL) == 0);
        FUZZ_CHECK(again.gpa.v == m->gpa.v && again.flags == m->flags &&
                   again.page_bytes == m->page_bytes && again.gva.v == m->gva.v);
    }
    return 0;
}

static int on_table(struct vt_gpa table, unsigned level, void *arg)
{
    struct walk *w = arg;
    FUZZ_CHECK(table.v % 4096 == 0 && level >= 1 && level <= w->space.levels);
    w->tables++;
    return 0;
}

static void ask(const struct vt_space *cached, uint64_t va)
{
    struct vt_space plain = *cached;
    struct vt_gpa a = {0}, b = {0}, c = {0};
    uint8_t bytes[9000];
    uint64_t word = 0;
    plain.tlb = NULL;
    int first = vt_space_translate(cached, VT_GVA(va), &a, NULL);
    int second = vt_space_translate(cached, VT_GVA(va), &b, NULL);
    int third = vt_space_translate(&plain, VT_GVA(va), &c, NULL);
    FUZZ_CHECK(first == second && second == third && a.v == b.v && b.v == c.v);
    memset(bytes, 0xcc, sizeof bytes);
    if (vt_space_read(cached, VT_GVA(va), bytes, sizeof bytes, NULL) != 0) {
        FUZZ_CHECK(bytes[0] == 0xcc && bytes[sizeof bytes - 1] == 0xcc);
    } else {
        FUZZ_CHECK(vt_space_read_u64(&plain, VT_GVA(va), &word, NULL) == 0);
        FUZZ_CHECK(memcmp(&word, bytes, sizeof word) == 0);
    }
    char text[100];
    vt_space_read_string(cached, VT_GVA(va), text, sizeof text, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct synthetic s;
    static struct vt_ram *ram;
    static struct vt_tlb *tlb;
    if (ram == NULL) {
        synthetic_create(&s);
        ram = synthetic_open(&s);
        FUZZ_CHECK(vt_tlb_create(&tlb, NULL) == 0);
    }
    struct vt_cursor c = vt_cursor_of(bytes, count);
    struct walk w = {.space = {.ram = ram, .root = VT_GPA(TABLES_AT), .tlb = tlb}};
    w.space.levels = 4 + vt_cursor_u8(&c) % 2;
    uint64_t at = vt_cursor_u64(&c), from = vt_cursor_u64(&c), to = vt_cursor_u64(&c);
    memset(s.ram + TABLES_AT, 0, TABLES * 4096);
    while (vt_cursor_left(&c) >= 10) {
        unsigned index = vt_cursor_u16(&c) % (TABLES * 512);
        synthetic_put(&s, TABLES_AT + 8 * (uint64_t)index, vt_cursor_u64(&c), 8);
    }
    vt_tlb_flush(tlb);
    ask(&w.space, at);
    ask(&w.space, from);
    int rc = vt_space_walk(&w.space, VT_GVA(from), VT_GVA(to), TABLES_LIMIT, on_mapping, on_table,
                           &w, NULL);
    FUZZ_CHECK(w.tables <= TABLES_LIMIT && w.mappings <= TABLES_LIMIT * 512);
    FUZZ_CHECK(rc == 0 || rc == VT_E_LIMIT || rc == VT_E_ADDR);
    return 0;
}
