/* tests/unit/guest/test_described.c - a kernel that says nothing of itself is found by a file that
 * describes it; a file that does not fit is not believed. */
#include "tests/unit/harness.h"

#include "guest/described.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
};

static void boot(struct guest *g, struct synthetic_kernel kernel)
{
    *g = (struct guest){.k = kernel};
    synthetic_create(&g->s);
    synthetic_add(&g->s, &g->k);
    g->ram = synthetic_open(&g->s);
}

static int look(struct guest *g, const char *cache, const char *path)
{
    const struct vt_kernel_options options = {.cache_dir = cache, .symbol_path = path};
    return vt_kernel_open(g->ram, &options, &g->kernel, NULL);
}

static void end(struct guest *g)
{
    vt_kernel_close(g->kernel);
    vt_ram_close(g->ram);
    synthetic_destroy(&g->s);
}

/* Leaves no type, or no symbol table, in RAM. */
static void strip_types(struct guest *g)
{
    memset(g->s.ram + g->k.text_pa + AT_BTF, 0, 8);
}

static void strip_symbols(struct guest *g)
{
    memset(g->s.ram + g->k.text_pa + AT_SYMBOLS, 0, AT_BTF - AT_SYMBOLS);
}

static void describe(const struct synthetic_kernel *kernel, const char *path)
{
    struct guest g;
    struct vt_error err = {0};
    boot(&g, *kernel);
    assert_int_equal(look(&g, NULL, NULL), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    vt_kernel_write_isf(g.kernel, f, &err);
    assert_string_equal(err.message, "");
    fclose(f);
    end(&g);
}

static void expect_tasks(struct guest *g)
{
    struct vt_task_list list;
    struct vt_error err = {0};
    vt_linux_tasks(g->kernel, &list, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(list.n, g->k.tasks);
    assert_false(list.torn);
    vt_task_list_fini(&list);
}

static struct synthetic_kernel moved(void)
{
    struct synthetic_kernel k = synthetic_default();
    k.text_pa = 0x600000;
    k.slide = 0x11200000;
    return k;
}

static void test_types_only(void **state)
{
    struct guest g;
    struct vt_member m;
    struct vt_error err;
    char path[300], cache[300];
    const char *dir = *state;
    struct synthetic_kernel k = synthetic_default();
    snprintf(path, sizeof path, "%s/a.json", dir);
    snprintf(cache, sizeof cache, "%s/cache", dir);
    describe(&k, path);
    /* Another boot of it, elsewhere. */
    boot(&g, moved());
    strip_types(&g);
    assert_int_equal(look(&g, cache, NULL), 0);
    assert_int_not_equal(vt_kernel_member(g.kernel, "task_struct", "pid", &m, &err), 0);
    vt_kernel_close(g.kernel);
    assert_int_equal(look(&g, cache, dir), 0);
    expect_tasks(&g);
    vt_kernel_close(g.kernel);
    /* From now on the cache knows. */
    assert_int_equal(remove(path), 0);
    assert_int_equal(look(&g, cache, NULL), 0);
    expect_tasks(&g);
    end(&g);
}

static void test_nothing_in_ram(void **state)
{
    const char *dir = *state;
    char path[300], cache[300];
    for (enum test_layout layout = LAYOUT_5_10; layout <= LAYOUT_7_2; layout++) {
        struct guest g;
        struct vt_gva gva, text;
        struct vt_gpa pa;
        struct vt_kernel_cost cost;
        struct synthetic_kernel k = synthetic_default(), other = moved();
        k.layout = other.layout = layout;
        k.release = other.release = layout == LAYOUT_7_2 ? "7.2.0" : "6.1.0-described";
        snprintf(path, sizeof path, "%s/a.json", dir);
        snprintf(cache, sizeof cache, "%s/cache-%u", dir, (unsigned)layout);
        describe(&k, path);
        boot(&g, other);
        strip_symbols(&g);
        strip_types(&g);
        assert_int_equal(look(&g, NULL, NULL), VT_E_NOT_FOUND);
        assert_int_equal(look(&g, NULL, "/nowhere/at/all"), VT_E_NOT_FOUND);
        assert_int_equal(look(&g, cache, dir), 0);
        vt_kernel_text(g.kernel, &text, &pa);
        assert_true(text.v == synthetic_text(&other) && pa.v == other.text_pa);
        assert_int_equal(vt_kernel_symbol(g.kernel, "init_task", &gva, NULL), 0);
        assert_true(gva.v == text.v + AT_INIT_TASK);
        assert_string_equal(vt_kernel_release(g.kernel), other.release);
        expect_tasks(&g);
        vt_kernel_close(g.kernel);
        assert_int_equal(remove(path), 0);
        assert_int_equal(look(&g, cache, NULL), 0);
        vt_kernel_cost(g.kernel, &cost);
        assert_true(cost.cached);
        expect_tasks(&g);
        end(&g);
    }
}

/* Files about other kernels, damaged ones, and one that has the banner right and nothing else. */
static void test_wrong_file(void **state)
{
    struct guest g;
    const char *dir = *state;
    char path[300];
    struct synthetic_kernel k = synthetic_default(), another = synthetic_default();
    another.release = "6.6.0-another";
    snprintf(path, sizeof path, "%s/another.json", dir);
    describe(&another, path);
    snprintf(path, sizeof path, "%s/damaged.json", dir);
    FILE *f = fopen(path, "w");
    fputs("{\"symbols\":", f);
    fclose(f);
    boot(&g, k);
    strip_symbols(&g);
    strip_types(&g);
    assert_int_equal(look(&g, NULL, dir), VT_E_NOT_FOUND);

    snprintf(path, sizeof path, "%s/liar.json", dir);
    char text[4000];
    f = fopen(path, "w");
    const char *banner = "TGludXggdmVyc2lvbiA2LjEuMC10ZXN0IChub2JvZHlAbm93aGVyZSkgIzEgU01QCgA=";
    snprintf(text, sizeof text,
             "{\"symbols\":{\"_text\":{\"address\":18446744071578845184},\"linux_banner\":{"
             "\"address\":%llu,\"constant_data\":\"%s\"},\"phys_base\":{\"address\":"
             "18446744071578845184}},\"user_types\":{\"task_struct\":{\"size\":8,\"kind\":"
             "\"struct\",\"fields\":{}}}}",
             18446744071578845184ULL + AT_BANNER, banner);
    fputs(text, f);
    fclose(f);
    assert_int_equal(look(&g, NULL, dir), VT_E_NOT_FOUND);
    g.kernel = NULL;
    end(&g);
}

/* Types that RAM has win over those of a file, which then only says where symbols are. */
static void test_symbols_only(void **state)
{
    struct guest g;
    char path[300];
    const char *dir = *state;
    struct synthetic_kernel k = synthetic_default();
    snprintf(path, sizeof path, "%s/a.json", dir);
    describe(&k, path);
    boot(&g, k);
    strip_symbols(&g);
    assert_int_equal(look(&g, NULL, dir), 0);
    expect_tasks(&g);
    end(&g);
}

static void test_no_types_to_write(void **state)
{
    struct guest g;
    struct synthetic_kernel k = synthetic_default();
    (void)state;
    k.no_types = true;
    boot(&g, k);
    assert_int_equal(look(&g, NULL, NULL), 0);
    assert_int_equal(vt_kernel_write_isf(g.kernel, stdout, NULL), VT_E_NOT_FOUND);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(test_types_only),          vt_test_in_dir(test_nothing_in_ram),
        vt_test_in_dir(test_wrong_file),          vt_test_in_dir(test_symbols_only),
        cmocka_unit_test(test_no_types_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
