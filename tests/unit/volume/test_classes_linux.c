/* Classification of a small Linux: every witness once, and witnesses that lie. */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "vitrine/volume.h"

#include <string.h>

#define UNTYPED 0xffffffff
#define MAPPING UINT64_C(0xffff888000001000)
#define PFN(pa) ((uint64_t)(pa) >> 12)

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
    struct vt_classes *classes;
};

static void set_pages(struct guest *g, uint64_t pa, unsigned n, struct synthetic_page page)
{
    for (unsigned i = 0; i < n; i++) {
        synthetic_page(&g->s, PFN(pa) + i, page);
    }
}

static const struct synthetic_page reserved = {
    .flags = SYNTHETIC_PG_RESERVED, .type = UNTYPED, .refcount = 1};
static const struct synthetic_page plain = {.type = UNTYPED, .refcount = 1};
static const struct synthetic_page anon = {.type = 0, .refcount = 1, .mapping = MAPPING + 1};
static const struct synthetic_page file = {.type = 0, .refcount = 1, .mapping = MAPPING};

static struct guest make(unsigned levels, bool pages)
{
    struct guest g = {.k = synthetic_default()};
    struct vt_error err = {0};
    g.k.levels = levels;
    g.k.pages = pages;
    synthetic_create(&g.s);
    synthetic_add(&g.s, &g.k);
    if (pages) {
        /* All free, as one block of the allocator says, but for what follows. */
        set_pages(&g, 0, 4096, (struct synthetic_page){.type = UNTYPED & ~0x80u});
        set_pages(&g, g.k.text_pa, 512, reserved);
        set_pages(
            &g, g.k.data_pa, 16 * g.k.tasks,
            (struct synthetic_page){.flags = SYNTHETIC_PG_SLAB, .type = UNTYPED, .refcount = 1});
        set_pages(&g, PAGES_ARRAY, 64, reserved);
        set_pages(&g, PAGES_TABLES, 64, plain);
        set_pages(&g, PAGES_MODULE, 2, plain);
        set_pages(&g, PAGES_STACKS, 4 * g.k.tasks, plain);
        for (unsigned i = 0; i < g.k.tasks; i += 2) {
            uint64_t pa = synthetic_task_pa(&g.k, i);
            set_pages(&g, pa + DATA_PAGE_TABLES, 6, plain);
            set_pages(&g, pa + DATA_ARGS, 1, anon);
            set_pages(&g, pa + DATA_ARGS + 0x3000, 1, i == 0 ? file : anon);
        }
    }
    g.ram = synthetic_open(&g.s);
    assert_int_equal(vt_kernel_open(g.ram, NULL, &g.kernel, &err), 0);
    assert_int_equal(vt_classes_create(g.ram, &g.classes, &err), 0);
    assert_int_equal(vt_classes_scan(g.classes, g.kernel, &err), 0);
    return g;
}

static void end(struct guest *g)
{
    vt_classes_destroy(g->classes);
    vt_kernel_close(g->kernel);
    vt_ram_close(g->ram);
    synthetic_destroy(&g->s);
}

static void expect(const struct guest *g, uint64_t pa, enum vt_page_class want)
{
    enum vt_page_class got = vt_classes_bytes(g->classes)[PFN(pa)];
    if (got != want) {
        fail_msg("page at 0x%llx: %s instead of %s", (unsigned long long)pa, vt_class_name(got),
                 vt_class_name(want));
    }
}

static void check_sum(const struct guest *g)
{
    uint64_t totals[VT_CLASSES], sum = 0;
    vt_classes_totals(g->classes, totals);
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        sum += totals[c];
    }
    assert_int_equal(sum, SYNTHETIC_BYTES / 4096);
}

static void every_witness_is_heard(void **state)
{
    (void)state;
    for (unsigned levels = 4; levels <= 5; levels++) {
        struct guest g = make(levels, true);
        assert_true(vt_classes_understood(g.classes));
        assert_string_equal(vt_classes_note(g.classes), "");
        expect(&g, g.k.text_pa, VT_CLASS_KERNEL_TEXT);
        expect(&g, g.k.text_pa + AT_ETEXT, VT_CLASS_KERNEL_DATA);
        expect(&g, g.k.text_pa + AT_ROOT, VT_CLASS_PAGE_TABLE);
        expect(&g, PAGES_ARRAY, VT_CLASS_KERNEL_RESERVED);
        expect(&g, PAGES_TABLES, VT_CLASS_PAGE_TABLE);
        expect(&g, PAGES_TABLES + 0x30000, VT_CLASS_KERNEL_OTHER);
        expect(&g, PAGES_MODULE, VT_CLASS_KERNEL_TEXT); /* mapped executable, as all here */
        for (unsigned i = 0; i < g.k.tasks; i++) {
            expect(&g, PAGES_STACKS + i * 0x4000, VT_CLASS_KERNEL_STACK);
            expect(&g, PAGES_STACKS + i * 0x4000 + 0x3000, VT_CLASS_KERNEL_STACK);
            expect(&g, synthetic_task_pa(&g.k, i), VT_CLASS_KERNEL_SLAB);
        }
        expect(&g, synthetic_task_pa(&g.k, 0) + DATA_PAGE_TABLES, VT_CLASS_PAGE_TABLE);
        expect(&g, 0x200000, VT_CLASS_HOLE);
        expect(&g, 0x9d000, VT_CLASS_FREE);
        check_sum(&g);
        end(&g);
    }
}

static void processes_own_what_they_map(void **state)
{
    (void)state;
    struct guest g = make(5, true);
    const struct vt_owner *owners;
    size_t n = vt_classes_processes(g.classes, &owners);
    assert_int_equal(n, g.k.tasks / 2);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(owners[i].own_pages, 2);
        assert_int_equal(owners[i].mapped_pages, 2);
        assert_int_equal(owners[i].pid % 2, 0);
        uint64_t page = PFN(synthetic_task_pa(&g.k, (unsigned)owners[i].pid - 100) + DATA_ARGS);
        assert_int_equal(vt_classes_owners(g.classes)[page], i + 1);
    }
    /* Everything here is mapped executable. */
    expect(&g, synthetic_task_pa(&g.k, 0) + DATA_ARGS, VT_CLASS_USER_CODE);
    end(&g);
}

static void entries_without_execution_tell_heap_and_stack(void **state)
{
    (void)state;
    struct guest g = make(4, true);
    struct vt_error err;
    /* Task 2's pages, not executable; of task 0 the file page. */
    for (unsigned i = 0; i <= 2; i += 2) {
        uint64_t pa = synthetic_task_pa(&g.k, i), nx = UINT64_C(1) << 63;
        for (uint64_t at = pa + DATA_PAGE_TABLES; at < pa + DATA_ARGS; at += 8) {
            uint64_t entry;
            memcpy(&entry, g.s.ram + at, 8);
            if ((entry & ~UINT64_C(4095)) == pa + DATA_ARGS ||
                (entry & ~UINT64_C(4095)) == pa + DATA_ARGS + 0x3000) {
                synthetic_put(&g.s, at, entry | nx, 8);
            }
        }
    }
    assert_int_equal(vt_classes_scan(g.classes, g.kernel, &err), 0);
    expect(&g, synthetic_task_pa(&g.k, 2) + DATA_ARGS, VT_CLASS_USER_HEAP);
    expect(&g, synthetic_task_pa(&g.k, 2) + DATA_ARGS + 0x3000, VT_CLASS_USER_STACK);
    expect(&g, synthetic_task_pa(&g.k, 0) + DATA_ARGS + 0x3000, VT_CLASS_USER_FILE);
    check_sum(&g);
    end(&g);
}

static void updates_follow_contents_only_where_they_decide(void **state)
{
    (void)state;
    struct guest g = make(5, true);
    struct vt_error err;
    uint64_t pages[] = {PFN(0x200000), PFN(PAGES_ARRAY), PFN(PAGES_MODULE)};
    g.s.ram[0x200000] = 1;
    g.s.ram[PAGES_MODULE] = 1;
    assert_int_equal(vt_classes_update(g.classes, pages, 3, &err), 0);
    expect(&g, 0x200000, VT_CLASS_FREE);
    expect(&g, PAGES_ARRAY, VT_CLASS_KERNEL_RESERVED);
    expect(&g, PAGES_MODULE, VT_CLASS_KERNEL_TEXT);
    g.s.ram[0x200000] = 0;
    assert_int_equal(vt_classes_update(g.classes, pages, 3, &err), 0);
    expect(&g, 0x200000, VT_CLASS_ZERO);
    check_sum(&g);
    end(&g);
}

static void without_struct_pages_contents_decide(void **state)
{
    (void)state;
    struct guest g = make(5, false);
    assert_false(vt_classes_understood(g.classes));
    assert_non_null(strstr(vt_classes_note(g.classes), "by contents alone"));
    expect(&g, 0x200000, VT_CLASS_HOLE);
    check_sum(&g);
    end(&g);
}

/* A top-level table whose every entry is itself: endless tables, bounded work. */
static void endless_tables_end(void **state)
{
    (void)state;
    struct guest g = make(5, true);
    struct vt_error err;
    uint64_t root = synthetic_task_pa(&g.k, 0) + DATA_PAGE_TABLES;
    for (unsigned i = 0; i < 512; i++) {
        synthetic_put(&g.s, root + 8 * i, root | 7, 8);
    }
    assert_int_equal(vt_classes_scan(g.classes, g.kernel, &err), 0);
    assert_true(vt_classes_understood(g.classes));
    assert_non_null(strstr(vt_classes_note(g.classes), "walks were cut"));
    expect(&g, g.k.text_pa, VT_CLASS_KERNEL_TEXT);
    check_sum(&g);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_witness_is_heard),
        cmocka_unit_test(processes_own_what_they_map),
        cmocka_unit_test(entries_without_execution_tell_heap_and_stack),
        cmocka_unit_test(updates_follow_contents_only_where_they_decide),
        cmocka_unit_test(without_struct_pages_contents_decide),
        cmocka_unit_test(endless_tables_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
