/* tests/unit/guest/test_paging.c - translation through 4 and 5 levels, honest and hostile tables.
 */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "vitrine/guest.h"

#include <stdlib.h>
#include <string.h>

#define P 1u
#define W 2u
#define U 4u
#define A 0x20u
#define D 0x40u
#define PS 0x80u
#define G 0x100u
#define PROTNONE 0x100u /* Linux: with P clear */
#define NX (UINT64_C(1) << 63)
#define PAT_LARGE 0x1000u

#define ROOT 0x1000u

struct fixture {
    struct synthetic s;
    struct vt_ram *ram;
    struct vt_space space;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    synthetic_create(&f->s);
    /* A hole between 8 and 12 MiB of guest-physical space. */
    const struct vt_ram_region regions[] = {{VT_GPA(0), VT_OFF(0), 8u << 20},
                                            {VT_GPA(12u << 20), VT_OFF(8u << 20), 8u << 20}};
    struct vt_error err;
    if (vt_ram_open(f->s.path, regions, 2, &f->ram, &err) != 0) {
        return -1;
    }
    f->space = (struct vt_space){.ram = f->ram, .root = VT_GPA(ROOT), .levels = 4};
    *state = f;
    return vt_tlb_create(&f->space.tlb, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_tlb_destroy(f->space.tlb);
    vt_ram_close(f->ram);
    synthetic_destroy(&f->s);
    free(f);
    return 0;
}

static void entry(struct fixture *f, uint64_t table, unsigned index, uint64_t value)
{
    synthetic_put(&f->s, table + 8 * (uint64_t)index, value, 8);
}

/* 4 levels: 0x40000000000 + … with one page of each size, and special entries. */
#define BASE UINT64_C(0x400000000000)
static void make_tables(struct fixture *f)
{
    entry(f, ROOT, 128, 0x2000 | P | W | U);
    entry(f, 0x2000, 0, 0x3000 | P | W | U | A);
    entry(f, 0x2000, 1, UINT64_C(0x40000000) | P | W | PS | G); /* a device's 1 GiB */
    entry(f, 0x3000, 0, 0x4000 | P | W | U);
    entry(f, 0x3000, 1, 0x200000 | P | U | PS | PAT_LARGE | A | D | NX);
    entry(f, 0x4000, 0, 0x5000 | P | W | U | A | D | PS); /* PS is PAT here */
    entry(f, 0x4000, 1, 0x700000 | P | U | NX);
    entry(f, 0x4000, 2, 0x5000 | W | U | PROTNONE);
    entry(f, 0x4000, 3, 0x800000 | P);                                 /* in the hole */
    entry(f, 0x4000, 4, UINT64_C(0x000ffffffffff000) | P);             /* beyond everything */
    entry(f, 0x4000, 5, 0x6000 | P | W | U | (UINT64_C(0x7ff) << 52)); /* software bits */
    entry(f, 0x4000, 6, 0xc00000 | P | W);                             /* behind the hole */
    entry(f, 0x2000, 2, 0x800000 | P | W);                             /* a table in the hole */
    entry(f, ROOT, 129, 0x2000 | P | PS);                              /* reserved above 1 GiB */
    entry(f, ROOT, 511, 0x2000 | P | W);
}

static int translate(struct fixture *f, uint64_t va, uint64_t *pa)
{
    struct vt_gpa gpa = {0};
    int rc = vt_space_translate(&f->space, VT_GVA(va), &gpa, NULL);
    *pa = gpa.v;
    return rc;
}

static void expect(struct fixture *f, uint64_t va, uint64_t pa, uint64_t bytes, unsigned flags)
{
    struct vt_mapping m;
    uint64_t got;
    for (int again = 0; again < 2; again++) { /* the second time from the cache */
        assert_int_equal(translate(f, va, &got), 0);
        assert_true(got == pa);
        assert_int_equal(vt_space_lookup(&f->space, VT_GVA(va), &m, NULL), 0);
        assert_true(m.gva.v == (va & ~(bytes - 1)) && m.gpa.v == (pa & ~(bytes - 1)));
        assert_true(m.page_bytes == bytes);
        assert_int_equal(m.flags, flags);
    }
}

static void test_pages(void **state)
{
    struct fixture *f = *state;
    const unsigned rwu = VT_PAGE_PRESENT | VT_PAGE_WRITE | VT_PAGE_USER;
    const unsigned ad = VT_PAGE_ACCESSED | VT_PAGE_DIRTY;
    struct vt_error err;
    uint64_t pa;
    make_tables(f);
    expect(f, BASE + 0x123, 0x5123, 4096, rwu | ad);
    expect(f, BASE + 0x1008, 0x700008, 4096, VT_PAGE_PRESENT | VT_PAGE_USER | VT_PAGE_NX);
    expect(f, BASE + 0x5010, 0x6010, 4096, rwu);
    expect(f, BASE + 0x6000, 0xc00000, 4096, VT_PAGE_PRESENT | VT_PAGE_WRITE);
    expect(f, BASE + 0x2abcde, 0x2abcde, 2u << 20,
           VT_PAGE_PRESENT | VT_PAGE_USER | ad | VT_PAGE_NX);
    expect(f, BASE + 0x40000000 + 0x12345678, 0x52345678, 1u << 30,
           VT_PAGE_PRESENT | VT_PAGE_WRITE | VT_PAGE_GLOBAL);
    expect(f, UINT64_C(0xffffff8000000123), 0x5123, 4096, VT_PAGE_PRESENT | VT_PAGE_WRITE | ad);
    assert_int_equal(translate(f, BASE + 0x2000, &pa), VT_E_NOT_PRESENT); /* PROT_NONE */
    assert_int_equal(translate(f, BASE + 0x7000, &pa), VT_E_NOT_PRESENT);
    assert_int_equal(translate(f, BASE + (UINT64_C(1) << 39), &pa), VT_E_NOT_PRESENT);
    assert_int_equal(translate(f, UINT64_C(0x0000800000000000), &pa), VT_E_ADDR);
    assert_int_equal(translate(f, UINT64_C(0xff00000000000000), &pa), VT_E_ADDR);
    assert_int_equal(translate(f, BASE + 0x80000000, &pa), VT_E_ADDR); /* table in the hole */
    /* Translated, but not RAM: reading says so. */
    assert_int_equal(translate(f, BASE + 0x3000, &pa), 0);
    uint64_t value = 7;
    assert_int_equal(vt_space_read_u64(&f->space, VT_GVA(BASE + 0x3000), &value, &err), VT_E_ADDR);
    assert_int_equal(vt_space_read_u64(&f->space, VT_GVA(BASE + 0x4000), &value, &err), VT_E_ADDR);
    assert_int_equal(vt_space_read_u64(&f->space, VT_GVA(BASE + 0x2000), &value, &err),
                     VT_E_NOT_PRESENT);
    assert_true(err.addr == BASE + 0x2000);
    assert_int_equal(value, 7);
    f->space.root = VT_GPA(0x900000);
    assert_int_equal(translate(f, BASE, &pa), VT_E_ADDR);
}

static void test_five_levels(void **state)
{
    struct fixture *f = *state;
    uint64_t pa;
    make_tables(f);
    f->space.levels = 5;
    f->space.root = VT_GPA(0x10000);
    entry(f, 0x10000, 256, ROOT | P | W | U);
    entry(f, 0x10000, 255, ROOT | P | W | U);
    assert_int_equal(translate(f, UINT64_C(0xff00400000000123), &pa), 0);
    assert_true(pa == 0x5123);
    assert_int_equal(translate(f, UINT64_C(0x00ff400000000123), &pa), 0);
    assert_true(pa == 0x5123);
    assert_int_equal(translate(f, UINT64_C(0x01ff400000000123), &pa), VT_E_ADDR);
}

static void test_cache_and_flush(void **state)
{
    struct fixture *f = *state;
    uint64_t pa;
    make_tables(f);
    assert_int_equal(translate(f, BASE, &pa), 0);
    entry(f, 0x4000, 0, 0x6000 | P);
    assert_int_equal(translate(f, BASE, &pa), 0);
    assert_true(pa == 0x5000);
    /* Another root does not see this one's entries. */
    struct vt_space other = f->space;
    struct vt_gpa gpa;
    other.root = VT_GPA(0x20000);
    assert_int_equal(vt_space_translate(&other, VT_GVA(BASE), &gpa, NULL), VT_E_NOT_PRESENT);
    vt_tlb_flush(f->space.tlb);
    assert_int_equal(translate(f, BASE, &pa), 0);
    assert_true(pa == 0x6000);
    struct vt_tlb *tlb = f->space.tlb;
    f->space.tlb = NULL;
    assert_int_equal(translate(f, BASE, &pa), 0);
    assert_true(pa == 0x6000);
    f->space.tlb = tlb;
}

static void test_reads(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[8192], want[8192];
    char text[32];
    struct vt_error err;
    make_tables(f);
    for (unsigned i = 0; i < 4096; i++) {
        f->s.ram[0x5000 + i] = (uint8_t)(i * 7);
        f->s.ram[0x700000 + i] = (uint8_t)(i * 13 + 1);
    }
    memcpy(want, f->s.ram + 0x5000, 4096);
    memcpy(want + 4096, f->s.ram + 0x700000, 4096);
    assert_int_equal(vt_space_read(&f->space, VT_GVA(BASE), buf, 8192, &err), 0);
    assert_memory_equal(buf, want, 8192);
    assert_int_equal(vt_space_read(&f->space, VT_GVA(BASE + 4090), buf, 12, &err), 0);
    assert_memory_equal(buf, want + 4090, 12);
    uint64_t value;
    assert_int_equal(vt_space_read_u64(&f->space, VT_GVA(BASE + 4093), &value, &err), 0);
    assert_memory_equal(&value, want + 4093, 8);
    /* The third page is missing: nothing is copied. */
    memset(buf, 0xcc, sizeof buf);
    assert_int_equal(vt_space_read(&f->space, VT_GVA(BASE + 8190), buf, 4, &err), VT_E_NOT_PRESENT);
    assert_int_equal(buf[0], 0xcc);
    assert_int_equal(vt_space_read(&f->space, VT_GVA(UINT64_MAX - 1), buf, 4, &err), VT_E_ADDR);
    assert_int_equal(vt_space_read(&f->space, VT_GVA(BASE), buf, 0, &err), 0);
    assert_int_equal(vt_space_read(&f->space, VT_GVA(BASE), NULL, UINT64_MAX / 2, &err),
                     VT_E_NOT_PRESENT);
    /* A string at the end of what is mapped. */
    memcpy(f->s.ram + 0x700ff8, "at last", 8);
    assert_int_equal(
        vt_space_read_string(&f->space, VT_GVA(BASE + 0x1ff8), text, sizeof text, &err), 0);
    assert_string_equal(text, "at last");
    assert_int_equal(vt_space_read_string(&f->space, VT_GVA(BASE + 0x1ff8), text, 5, &err), 0);
    assert_string_equal(text, "at l");
    f->s.ram[0x700fff] = 'x';
    assert_int_equal(
        vt_space_read_string(&f->space, VT_GVA(BASE + 0x1ff8), text, sizeof text, &err),
        VT_E_NOT_PRESENT);
    assert_int_equal(vt_space_read_string(&f->space, VT_GVA(BASE), text, 0, &err), VT_E_INVAL);
}

struct seen {
    struct fixture *f;
    unsigned mappings, tables, stop_at;
    uint64_t last;
};

static int on_mapping(const struct vt_mapping *m, void *arg)
{
    struct seen *seen = arg;
    struct vt_mapping again;
    assert_int_equal(vt_space_lookup(&seen->f->space, m->gva, &again, NULL), 0);
    assert_true(m->gva.v == again.gva.v && m->gpa.v == again.gpa.v &&
                m->page_bytes == again.page_bytes && m->flags == again.flags);
    assert_true(seen->mappings == 0 || m->gva.v > seen->last);
    seen->last = m->gva.v;
    return ++seen->mappings == seen->stop_at ? 42 : 0;
}

static int on_table(struct vt_gpa table, unsigned level, void *arg)
{
    struct seen *seen = arg;
    assert_true(table.v % 4096 == 0 && level >= 1 && level <= seen->f->space.levels);
    seen->tables++;
    return 0;
}

static int walk(struct fixture *f, uint64_t from, uint64_t to, uint64_t tables, struct seen *seen)
{
    *seen = (struct seen){.f = f, .stop_at = seen->stop_at};
    return vt_space_walk(&f->space, VT_GVA(from), VT_GVA(to), tables, on_mapping, on_table, seen,
                         NULL);
}

static void test_walk(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    make_tables(f);
    /* Six 4 KiB pages, one of 2 MiB, one of 1 GiB, each seen through two root entries. */
    assert_int_equal(walk(f, 0, 0, 1000, &seen), 0);
    assert_int_equal(seen.mappings, 16);
    assert_int_equal(seen.tables, 7);
    assert_int_equal(walk(f, 0, UINT64_C(1) << 47, 1000, &seen), 0);
    assert_int_equal(seen.mappings, 8);
    /* A range takes the pages it touches. */
    assert_int_equal(walk(f, BASE + 0x1fff, BASE + 0x5001, 1000, &seen), 0);
    assert_int_equal(seen.mappings, 4);
    assert_int_equal(walk(f, BASE + 0x300000, BASE + 0x300001, 1000, &seen), 0);
    assert_int_equal(seen.mappings, 1);
    assert_int_equal(walk(f, BASE + 0x7000, BASE + 0x8000, 1000, &seen), 0);
    assert_int_equal(seen.mappings, 0);
    assert_int_equal(walk(f, BASE, BASE, 1000, &seen), VT_E_ADDR);
    assert_int_equal(walk(f, BASE + 1, BASE, 1000, &seen), VT_E_ADDR);
    assert_int_equal(walk(f, UINT64_C(1) << 47, 0, 1000, &seen), VT_E_ADDR);
    seen.stop_at = 3;
    assert_int_equal(walk(f, 0, 0, 1000, &seen), 42);
    assert_int_equal(seen.mappings, 3);
    seen.stop_at = 0;
    assert_int_equal(walk(f, 0, 0, 3, &seen), VT_E_LIMIT);
    assert_int_equal(walk(f, 0, 0, 0, &seen), VT_E_LIMIT);
    f->space.root = VT_GPA(0x900000);
    assert_int_equal(walk(f, 0, 0, 1000, &seen), VT_E_ADDR);
}

struct runs {
    struct vt_page_run r[16];
    unsigned n, stop_at;
};

static int on_run(const struct vt_page_run *run, void *arg)
{
    struct runs *all = arg;
    assert_true(all->n < 16);
    all->r[all->n++] = *run;
    return all->n == all->stop_at ? 42 : 0;
}

static void expect_run(const struct vt_page_run *r, uint64_t gva, uint64_t gpa, uint64_t bytes,
                       unsigned flags)
{
    assert_true(r->gva.v == gva && r->gpa.v == gpa && r->bytes == bytes);
    assert_int_equal(r->flags, flags);
}

static void test_runs(void **state)
{
    struct fixture *f = *state;
    struct runs all = {0};
    const unsigned pu = VT_PAGE_PRESENT | VT_PAGE_USER, ad = VT_PAGE_ACCESSED | VT_PAGE_DIRTY;
    make_tables(f);
    entry(f, 0x4000, 510, 0x1fe000 | P | U | A | NX);
    entry(f, 0x4000, 511, 0x1ff000 | P | W | U | A | D | NX);
    entry(f, 0x3000, 2, 0x400000 | P | U | PS | A | NX); /* behind the other 2 MiB */
    entry(f, 0x3000, 3, 0x800000 | P | U | PS);          /* not behind it */
    /* Two small pages and two large ones are one; what one of them lacks, it lacks. */
    assert_int_equal(vt_space_runs(&f->space, VT_GVA(BASE + 0x1fd000), VT_GVA(BASE + 0x800000), 100,
                                   on_run, &all, NULL),
                     0);
    assert_int_equal(all.n, 2);
    expect_run(&all.r[0], BASE + 0x1fe000, 0x1fe000, 0x402000, pu | VT_PAGE_ACCESSED | VT_PAGE_NX);
    expect_run(&all.r[1], BASE + 0x600000, 0x800000, 0x200000, pu);
    /* Large pages are cut at the range's ends. */
    all.n = 0;
    assert_int_equal(vt_space_runs(&f->space, VT_GVA(BASE + 0x201000), VT_GVA(BASE + 0x203000), 100,
                                   on_run, &all, NULL),
                     0);
    assert_int_equal(all.n, 1);
    expect_run(&all.r[0], BASE + 0x201000, 0x201000, 0x2000, pu | ad | VT_PAGE_NX);
    /* All of it: neighbours by address that are none in memory stay apart. */
    all = (struct runs){0};
    assert_int_equal(
        vt_space_runs(&f->space, VT_GVA(BASE), VT_GVA(BASE + 0x1fe000), 100, on_run, &all, NULL),
        0);
    assert_int_equal(all.n, 6);
    expect_run(&all.r[1], BASE + 0x1000, 0x700000, 0x1000, pu | VT_PAGE_NX);
    all = (struct runs){.stop_at = 2};
    assert_int_equal(vt_space_runs(&f->space, VT_GVA(0), VT_GVA(0), 100, on_run, &all, NULL), 42);
    assert_int_equal(all.n, 2);
    all = (struct runs){.stop_at = 1};
    assert_int_equal(
        vt_space_runs(&f->space, VT_GVA(BASE), VT_GVA(BASE + 0x1000), 100, on_run, &all, NULL),
        42); /* the last one's word counts, too */
    all = (struct runs){0};
    assert_int_equal(vt_space_runs(&f->space, VT_GVA(BASE + 0x7000), VT_GVA(BASE + 0x8000), 100,
                                   on_run, &all, NULL),
                     0);
    assert_int_equal(all.n, 0);
    assert_int_equal(
        vt_space_runs(&f->space, VT_GVA(BASE + 1), VT_GVA(BASE + 0x8000), 100, on_run, &all, NULL),
        VT_E_INVAL);
    assert_int_equal(vt_space_runs(&f->space, VT_GVA(BASE), VT_GVA(BASE), 2, on_run, &all, NULL),
                     VT_E_ADDR);
    assert_int_equal(vt_space_runs(&f->space, VT_GVA(0), VT_GVA(0), 2, on_run, &all, NULL),
                     VT_E_LIMIT);
    assert_int_equal(all.n, 0);
}

/* Every entry of a table leads to the table itself: 2^36 pages, or a limit. */
static void test_self_reference(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.stop_at = 0};
    uint64_t pa;
    for (unsigned i = 0; i < 512; i++) {
        entry(f, ROOT, i, ROOT | P | W | U);
    }
    assert_int_equal(translate(f, 0x123, &pa), 0);
    assert_true(pa == ROOT + 0x123);
    assert_int_equal(walk(f, 0, 0, 100, &seen), VT_E_LIMIT);
    assert_int_equal(seen.tables, 100);
}

/* ---- entry by entry ---- */

struct entries {
    struct vt_table_entry e[64];
    unsigned n, stop_at;
};

static int on_entry(const struct vt_table_entry *e, void *arg)
{
    struct entries *all = arg;
    assert_true(all->n < 64);
    all->e[all->n++] = *e;
    return all->n == all->stop_at ? 42 : 0;
}

static void test_entries(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t gva, at;
        unsigned level;
        enum vt_entry_kind kind;
    } want[] = {
        {0, 0, 5, VT_ENTRY_TABLE}, /* the root */
        {BASE, ROOT + 8 * 128, 4, VT_ENTRY_TABLE},
        {BASE, 0x2000, 3, VT_ENTRY_TABLE},
        {BASE, 0x3000, 2, VT_ENTRY_TABLE},
        {BASE, 0x4000, 1, VT_ENTRY_PAGE},
        {BASE + 0x1000, 0x4008, 1, VT_ENTRY_PAGE},
        {BASE + 0x2000, 0x4010, 1, VT_ENTRY_ABSENT},
        {BASE + 0x3000, 0x4018, 1, VT_ENTRY_PAGE},
        {BASE + 0x4000, 0x4020, 1, VT_ENTRY_PAGE},
        {BASE + 0x5000, 0x4028, 1, VT_ENTRY_PAGE},
        {BASE + 0x6000, 0x4030, 1, VT_ENTRY_PAGE},
        {BASE + 0x200000, 0x3008, 2, VT_ENTRY_PAGE},
        {BASE + 0x40000000, 0x2008, 3, VT_ENTRY_PAGE},
        {BASE + 0x80000000, 0x2010, 3, VT_ENTRY_OUTSIDE},
        {BASE + (UINT64_C(1) << 39), ROOT + 8 * 129, 4, VT_ENTRY_RESERVED},
    };
    struct entries got = {.n = 0};
    unsigned n = sizeof want / sizeof want[0];
    make_tables(f);
    assert_int_equal(vt_space_entries(&f->space, VT_GVA(0), VT_GVA(UINT64_C(1) << 47), 1000,
                                      on_entry, &got, NULL),
                     0);
    assert_int_equal(got.n, n);
    for (unsigned i = 0; i < n; i++) {
        assert_true(got.e[i].gva.v == want[i].gva && got.e[i].at.v == want[i].at);
        assert_int_equal(got.e[i].level, want[i].level);
        assert_int_equal(got.e[i].kind, want[i].kind);
    }
    assert_true(got.e[0].value == ROOT);
    assert_true(vt_entry_mapping(&got.e[11]).gpa.v == 0x200000); /* without its PAT bit */
    assert_true(vt_entry_mapping(&got.e[11]).page_bytes == 2u << 20);
    /* Part of it, and the callback's own end. */
    got = (struct entries){.stop_at = 5};
    assert_int_equal(vt_space_entries(&f->space, VT_GVA(BASE + 0x1000), VT_GVA(BASE + 0x3000), 1000,
                                      on_entry, &got, NULL),
                     42);
    assert_int_equal(got.e[4].kind, VT_ENTRY_PAGE);
    assert_true(got.e[4].gva.v == BASE + 0x1000);
}

static void test_trace(void **state)
{
    struct fixture *f = *state;
    struct vt_table_entry e[VT_LEVELS_MAX];
    unsigned n = 0;
    make_tables(f);
    assert_int_equal(vt_space_trace(&f->space, VT_GVA(BASE + 0x1008), e, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_true(e[0].at.v == ROOT + 8 * 128 && e[0].level == 4 && e[0].kind == VT_ENTRY_TABLE);
    assert_true(e[3].at.v == 0x4008 && e[3].level == 1 && e[3].kind == VT_ENTRY_PAGE);
    assert_true(e[3].gva.v == BASE + 0x1000);
    assert_int_equal(e[3].flags, VT_PAGE_PRESENT | VT_PAGE_USER | VT_PAGE_NX);
    assert_int_equal(vt_space_trace(&f->space, VT_GVA(BASE + 0x300000), e, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_true(e[2].kind == VT_ENTRY_PAGE && e[2].gva.v == BASE + 0x200000);
    assert_int_equal(vt_space_trace(&f->space, VT_GVA(BASE + 0x7000), e, &n, NULL), 0);
    assert_true(n == 4 && e[3].kind == VT_ENTRY_ABSENT && e[3].value == 0);
    assert_int_equal(vt_space_trace(&f->space, VT_GVA(BASE + 0x80000000), e, &n, NULL), 0);
    assert_true(n == 2 && e[1].kind == VT_ENTRY_OUTSIDE);
    assert_int_equal(vt_space_trace(&f->space, VT_GVA(BASE + (UINT64_C(1) << 39)), e, &n, NULL), 0);
    assert_true(n == 1 && e[0].kind == VT_ENTRY_RESERVED);
    assert_int_equal(vt_space_trace(&f->space, VT_GVA(UINT64_C(1) << 47), e, &n, NULL), VT_E_ADDR);
    f->space.root = VT_GPA(0x900000);
    n = 77;
    assert_int_equal(vt_space_trace(&f->space, VT_GVA(BASE), e, &n, NULL), VT_E_ADDR);
    assert_int_equal(n, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_five_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_and_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_self_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trace, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
