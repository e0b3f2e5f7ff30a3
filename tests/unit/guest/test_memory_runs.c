/* tests/unit/guest/test_memory_runs.c - where a small Linux keeps what, and what areas are. */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "vitrine/linux.h"

#include <string.h>

#define UNTYPED 0xffffffff
#define PFN(pa) ((uint64_t)(pa) >> 12)
#define RUNS_MAX 512

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
    struct vt_memory_run runs[RUNS_MAX];
    size_t n, stop_at;
};

static void set_pages(struct guest *g, uint64_t pa, unsigned n, struct synthetic_page page)
{
    for (unsigned i = 0; i < n; i++) {
        synthetic_page(&g->s, PFN(pa) + i, page);
    }
}

static void begin(struct guest *g, unsigned levels)
{
    struct vt_error err = {0};
    *g = (struct guest){.k = synthetic_default()};
    g->k.levels = levels;
    g->k.pages = true;
    synthetic_create(&g->s);
    synthetic_add(&g->s, &g->k);
    set_pages(g, 0, 4096, (struct synthetic_page){.type = UNTYPED, .refcount = 1});
    g->ram = synthetic_open(&g->s);
    vt_kernel_open(g->ram, NULL, &g->kernel, &err);
    assert_string_equal(err.message, "");
}

static void end(struct guest *g)
{
    vt_kernel_close(g->kernel);
    vt_ram_close(g->ram);
    synthetic_destroy(&g->s);
}

static int take(const struct vt_memory_run *run, void *arg)
{
    struct guest *g = arg;
    assert_true(g->n < RUNS_MAX);
    g->runs[g->n++] = *run;
    return g->n == g->stop_at ? 42 : 0;
}

static int runs(struct guest *g, enum vt_memory_kind kind, int32_t pid)
{
    g->n = 0;
    vt_kernel_refresh(g->kernel);
    return vt_linux_memory_runs(g->kernel, kind, pid, take, g, NULL);
}

static void expect(const struct guest *g, size_t i, uint64_t gva, uint64_t gpa, uint64_t bytes)
{
    const struct vt_memory_run *r = &g->runs[i];
    if (i >= g->n || r->gva.v != gva || r->gpa.v != gpa || r->bytes != bytes) {
        fail_msg("run %zu of %zu: 0x%llx at 0x%llx, 0x%llx bytes", i, g->n,
                 (unsigned long long)r->gva.v, (unsigned long long)r->gpa.v,
                 (unsigned long long)r->bytes);
    }
}

static void addresses_lead_to_runs(void **state)
{
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        struct guest g;
        begin(&g, levels);
        assert_int_equal(runs(&g, VT_MEMORY_KERNEL_TEXT, 0), 0);
        assert_int_equal(g.n, 1);
        expect(&g, 0, synthetic_text(&g.k), g.k.text_pa, AT_ETEXT);
        assert_int_equal(g.runs[0].kind, VT_MEMORY_KERNEL_TEXT);
        assert_int_equal(g.runs[0].pid, 0);
        assert_true((g.runs[0].flags & VT_PAGE_PRESENT) != 0);
        assert_int_equal(runs(&g, VT_MEMORY_MODULES, 0), 0);
        assert_int_equal(g.n, 1);
        expect(&g, 0, synthetic_text(&g.k) + (8u << 20), PAGES_MODULE, 8192);
        /* Stacks lie in the vmalloc area, each with a guard behind it. */
        uint64_t vmalloc = levels == 5 ? 0xffa1000000000000 : 0xffffc91000000000;
        assert_int_equal(runs(&g, VT_MEMORY_VMALLOC, 0), 0);
        assert_int_equal(g.n, g.k.tasks);
        for (unsigned i = 0; i < g.k.tasks; i++) {
            expect(&g, i, vmalloc + i * 0x5000, PAGES_STACKS + i * 0x4000, 0x4000);
        }
        assert_int_equal(runs(&g, VT_MEMORY_KERNEL_STACKS, 0), 0);
        assert_int_equal(g.n, g.k.tasks);
        for (unsigned i = 0; i < g.n; i++) {
            expect(&g, i, vmalloc + i * 0x5000, PAGES_STACKS + i * 0x4000, 0x4000);
            assert_true(g.runs[i].pid > 0);
        }
        assert_int_equal(runs(&g, VT_MEMORY_KERNEL_STACKS, g.runs[2].pid), 0);
        assert_int_equal(g.n, 1);
        expect(&g, 0, vmalloc + 2 * 0x5000, PAGES_STACKS + 2 * 0x4000, 0x4000);
        /* What the image's other parts are called, this kernel does not say. */
        assert_int_equal(runs(&g, VT_MEMORY_KERNEL_BSS, 0), VT_E_NOT_FOUND);
        assert_int_equal(runs(&g, VT_MEMORY_KERNEL, 0), VT_E_NOT_FOUND);
        assert_int_equal(g.n, 1);
        end(&g);
    }
}

static void struct_pages_lead_to_runs(void **state)
{
    (void)state;
    struct guest g;
    const struct synthetic_page slab = {.flags = SYNTHETIC_PG_SLAB, .type = UNTYPED, .refcount = 1};
    const struct synthetic_page file = {
        .type = UNTYPED, .refcount = 1, .mapping = 0xffff888000001000};
    begin(&g, 5);
    set_pages(&g, 0, 3, slab);
    set_pages(&g, 0x5000, 1, slab);
    set_pages(&g, 0xffe000, 2, slab); /* up to the end of RAM */
    set_pages(&g, 0x6000, 2, file);
    set_pages(&g, 0x10000, 1, (struct synthetic_page){.type = UNTYPED & ~0x80u, .private = 4});
    assert_int_equal(runs(&g, VT_MEMORY_SLAB, 0), 0);
    assert_int_equal(g.n, 3);
    expect(&g, 0, synthetic_direct(&g.k, 0), 0, 0x3000);
    expect(&g, 1, synthetic_direct(&g.k, 0x5000), 0x5000, 0x1000);
    expect(&g, 2, synthetic_direct(&g.k, 0xffe000), 0xffe000, 0x2000);
    assert_int_equal(runs(&g, VT_MEMORY_PAGE_CACHE, 0), 0);
    assert_int_equal(g.n, 1);
    expect(&g, 0, synthetic_direct(&g.k, 0x6000), 0x6000, 0x2000);
    assert_int_equal(runs(&g, VT_MEMORY_FREE, 0), 0);
    assert_int_equal(g.n, 1);
    expect(&g, 0, synthetic_direct(&g.k, 0x10000), 0x10000, 0x10000);
    assert_int_equal(g.runs[0].kind, VT_MEMORY_FREE);
    g.stop_at = 2;
    assert_int_equal(runs(&g, VT_MEMORY_SLAB, 0), 42);
    assert_int_equal(g.n, 2);
    end(&g);
}

/* Each table once: the kernel's, then those of the processes; every second one has its own. */
static void tables_are_told_once(void **state)
{
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        struct guest g;
        bool seen[4096] = {false};
        begin(&g, levels);
        assert_int_equal(runs(&g, VT_MEMORY_PAGE_TABLES, 0), 0);
        size_t all = g.n, kernels = 0;
        expect(&g, 0, synthetic_direct(&g.k, g.k.text_pa + AT_ROOT), g.k.text_pa + AT_ROOT, 4096);
        assert_int_equal(g.runs[0].level, levels);
        for (size_t i = 0; i < g.n; i++) {
            const struct vt_memory_run *r = &g.runs[i];
            assert_true(r->bytes == 4096 && r->level >= 1 && r->level <= levels);
            assert_true(r->gva.v == synthetic_direct(&g.k, r->gpa.v));
            assert_false(seen[PFN(r->gpa.v)]);
            seen[PFN(r->gpa.v)] = true;
            kernels += r->pid == 0;
        }
        assert_true(kernels > 3 && kernels < all);
        size_t own = 0;
        for (unsigned i = 0; i < g.k.tasks; i++) {
            uint32_t pid;
            memcpy(&pid, g.s.ram + synthetic_task_pa(&g.k, i) + TASK_PID, sizeof pid);
            assert_int_equal(runs(&g, VT_MEMORY_PAGE_TABLES, (int32_t)pid), 0);
            assert_int_equal(g.n > 0, i % 2 == 0);
            for (size_t k = 0; k < g.n; k++) {
                assert_int_equal(g.runs[k].pid, pid);
            }
            if (g.n > 0) {
                uint64_t root = synthetic_task_pa(&g.k, i) + DATA_PAGE_TABLES;
                expect(&g, 0, synthetic_direct(&g.k, root), root, 4096);
                assert_int_equal(g.runs[0].level, levels);
                assert_int_equal(g.n, levels);
            }
            own += g.n;
        }
        assert_int_equal(kernels + own, all);
        assert_int_equal(runs(&g, VT_MEMORY_PAGE_TABLES, 77777), VT_E_NOT_FOUND);
        end(&g);
    }
}

/* A process's root leads to itself: the walk is cut, every table is still told once. */
static void tables_that_lead_in_circles_end(void **state)
{
    (void)state;
    struct guest g;
    begin(&g, 4);
    uint64_t root = synthetic_task_pa(&g.k, 0) + DATA_PAGE_TABLES;
    for (unsigned i = 0; i < 256; i++) {
        synthetic_put(&g.s, root + 8 * i, root | 7, 8);
    }
    uint32_t pid;
    memcpy(&pid, g.s.ram + synthetic_task_pa(&g.k, 0) + TASK_PID, sizeof pid);
    assert_int_equal(runs(&g, VT_MEMORY_PAGE_TABLES, (int32_t)pid), VT_E_LIMIT);
    assert_int_equal(g.n, 1);
    end(&g);
}

static void what_cannot_be_asked(void **state)
{
    (void)state;
    struct guest g;
    begin(&g, 5);
    assert_int_equal(runs(&g, VT_MEMORY_KINDS, 0), VT_E_INVAL);
    assert_int_equal(runs(&g, VT_MEMORY_SLAB, 1), VT_E_INVAL);
    /* This kernel has no areas. */
    assert_int_equal(runs(&g, VT_MEMORY_HEAP, 0), VT_E_NOT_FOUND);
    end(&g);
}

static void kinds_have_names(void **state)
{
    (void)state;
    enum vt_memory_kind kind;
    struct vt_error err;
    for (unsigned k = 0; k < VT_MEMORY_KINDS; k++) {
        const char *name = vt_memory_kind_name((enum vt_memory_kind)k);
        if (k != VT_MEMORY_DATA) { /* with "data" the process's is meant only of a process */
            assert_int_equal(vt_memory_kind_parse(name, false, &kind, &err), 0);
            assert_int_equal(kind, k);
        }
        assert_int_equal(vt_memory_kind_parse(name, true, &kind, &err), 0);
        assert_int_equal(kind, k);
    }
    assert_string_equal(vt_memory_kind_name(VT_MEMORY_KINDS), "unknown");
    assert_int_equal(vt_memory_kind_parse("data", false, &kind, &err), 0);
    assert_int_equal(kind, VT_MEMORY_KERNEL_DATA);
    assert_int_equal(vt_memory_kind_parse("text", true, &kind, &err), 0);
    assert_int_equal(kind, VT_MEMORY_CODE);
    assert_int_equal(vt_memory_kind_parse("stacks", true, &kind, &err), 0);
    assert_int_equal(kind, VT_MEMORY_KERNEL_STACKS);
    kind = VT_MEMORY_FREE;
    assert_int_equal(vt_memory_kind_parse("Slab", false, &kind, &err), VT_E_INVAL);
    assert_non_null(strstr(err.message, "'Slab'"));
    assert_non_null(strstr(err.message, "page_cache, free"));
    assert_int_equal(kind, VT_MEMORY_FREE);
}

static void areas_have_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *perms, *name;
        uint64_t inode;
        enum vt_memory_kind kind;
    } cases[] = {
        {"r-xp", "/bin/busybox", 7, VT_MEMORY_CODE},
        {"rwxp", NULL, 0, VT_MEMORY_CODE},
        {"rw-p", "/bin/busybox", 7, VT_MEMORY_DATA},
        {"r--p", "/bin/busybox", 7, VT_MEMORY_FILE},
        {"rw-s", "/dev/zero (deleted)", 7, VT_MEMORY_FILE},
        {"rw-p", "[heap]", 0, VT_MEMORY_HEAP},
        {"rwxp", "[heap]", 0, VT_MEMORY_HEAP},
        {"rw-p", "[stack]", 0, VT_MEMORY_STACK},
        {"rw-p", "[heap]", 7, VT_MEMORY_DATA}, /* a file of that name */
        {"r-xp", "[vdso]", 0, VT_MEMORY_VDSO},
        {"r--p", "[vvar]", 0, VT_MEMORY_VDSO},
        {"--xp", "[vsyscall]", 0, VT_MEMORY_VDSO},
        {"rw-p", NULL, 0, VT_MEMORY_ANON},
        {"---p", "[anon:guard]", 0, VT_MEMORY_ANON},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vt_map map = {.name = cases[i].name, .inode = cases[i].inode};
        memcpy(map.perms, cases[i].perms, 5);
        assert_string_equal(vt_memory_kind_name(vt_map_kind(&map)),
                            vt_memory_kind_name(cases[i].kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_lead_to_runs), cmocka_unit_test(struct_pages_lead_to_runs),
        cmocka_unit_test(tables_are_told_once),   cmocka_unit_test(tables_that_lead_in_circles_end),
        cmocka_unit_test(what_cannot_be_asked),   cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(areas_have_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
