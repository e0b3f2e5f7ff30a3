/* tests/unit/guest/test_module_names.c - names and types of loaded modules, in every way kernels
 * keep them, and broken ones. */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic_modules.h"
#include "vitrine/guest.h"

#include <stdlib.h>
#include <string.h>

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_ram *ram;
    struct vt_kernel *kernel;
};

static void boot(struct guest *g, enum test_layout layout)
{
    struct vt_error err = {0};
    g->k = synthetic_default();
    g->k.layout = layout;
    g->k.modules = true;
    synthetic_create(&g->s);
    synthetic_add(&g->s, &g->k);
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

static uint64_t text_of(const struct guest *g, unsigned module)
{
    return synthetic_direct(&g->k, synthetic_module_pa(module) + MODULE_TEXT);
}

static void expect_address(const struct guest *g, const char *name, uint64_t address)
{
    struct vt_gva gva = {0};
    struct vt_error err = {0};
    vt_kernel_symbol(g->kernel, name, &gva, &err);
    assert_string_equal(err.message, "");
    assert_true(gva.v == address);
}

static void expect_no(const struct guest *g, const char *name)
{
    struct vt_gva gva;
    assert_int_equal(vt_kernel_symbol(g->kernel, name, &gva, NULL), VT_E_NOT_FOUND);
}

static void expect_name(const struct guest *g, uint64_t address, const char *module,
                        const char *name, char type, uint64_t distance)
{
    const char *got = NULL;
    char t = 0;
    uint64_t d = 0;
    struct vt_error err = {0};
    vt_kernel_symbol_at(g->kernel, VT_GVA(address), &got, &t, &d, &err);
    assert_string_equal(err.message, "");
    assert_string_equal(got, name);
    assert_string_equal(vt_kernel_module_at(g->kernel, VT_GVA(address)), module);
    assert_true(t == type && d == distance);
}

static int count(const char *module, const char *name, char type, struct vt_gva gva, void *arg)
{
    unsigned *n = arg;
    assert_true(name[0] != '\0' && module[0] != '\0' && type != 'U' && gva.v != 0);
    ++*n;
    return *n == 1000;
}

static int stop_at_once(const char *module, const char *name, char type, struct vt_gva gva,
                        void *arg)
{
    (void)module;
    (void)name;
    (void)type;
    (void)gva;
    (void)arg;
    return 7;
}

static void test_names(void **state)
{
    (void)state;
    for (enum test_layout layout = 0; layout < LAYOUTS; layout++) {
        struct guest g;
        unsigned n = 0;
        boot(&g, layout);
        uint64_t alpha = text_of(&g, 0), beta = text_of(&g, 1);
        expect_address(&g, "alpha_open", alpha + 0x10);
        expect_address(&g, "net_alpha:alpha_open", alpha + 0x10);
        expect_address(&g, "net-alpha:shared_name", alpha + 0x80);
        expect_address(&g, "shared_name", alpha + 0x80);
        expect_address(&g, "beta:shared_name", beta + 0x40);
        expect_address(&g, "init_task", synthetic_text(&g.k) + AT_INIT_TASK);
        expect_no(&g, "beta:alpha_open");
        expect_no(&g, "imported");
        expect_no(&g, "gamma:shared_name");
        expect_no(&g, "net:shared_name");
        expect_no(&g, ":");
        expect_name(&g, alpha + 0x10, "net_alpha", "alpha_open", 't', 0);
        expect_name(&g, alpha + 0x7f, "net_alpha", "alpha_open", 't', 0x6f);
        expect_name(&g, alpha + 4095, "net_alpha", "alpha_state", 'd', 4095 - 0x800);
        expect_name(&g, beta + 0x61, "beta", "beta_only", 'T', 1);
        const char *name;
        char type;
        uint64_t distance;
        assert_int_equal(
            vt_kernel_symbol_at(g.kernel, VT_GVA(alpha + 0xf), &name, &type, &distance, NULL),
            VT_E_NOT_FOUND);
        assert_int_equal(
            vt_kernel_symbol_at(g.kernel, VT_GVA(alpha + 4096), &name, &type, &distance, NULL),
            VT_E_NOT_FOUND);
        assert_null(vt_kernel_module_at(g.kernel, VT_GVA(alpha + 4096)));
        assert_null(vt_kernel_module_at(g.kernel, VT_GVA(synthetic_text(&g.k))));
        assert_int_equal(vt_kernel_module_symbols(g.kernel, count, &n), 0);
        assert_int_equal(n, 5);
        assert_int_equal(vt_kernel_module_symbols(g.kernel, stop_at_once, NULL), 7);
        end(&g);
    }
}

static void test_types(void **state)
{
    (void)state;
    struct guest g;
    struct vt_member m;
    struct vt_error err;
    uint32_t bytes;
    int64_t value;
    boot(&g, LAYOUT_6_1);
    static const struct {
        const char *name, *path;
        uint32_t offset, bytes;
    } members[] = {{"alpha_state", "task", 16, 8},
                   {"alpha_state", "next.prev", 8, 8},
                   {"net_alpha:alpha_state", "count", 24, 4},
                   {"task_struct", "pid", TASK_PID, 4}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        assert_int_equal(vt_kernel_member(g.kernel, members[i].name, members[i].path, &m, &err), 0);
        assert_int_equal(m.offset, members[i].offset);
        assert_int_equal(m.size, members[i].bytes);
    }
    assert_int_equal(vt_kernel_struct_size(g.kernel, "alpha_state", &bytes, &err), 0);
    assert_int_equal(bytes, 40);
    assert_int_equal(vt_kernel_enumerator(g.kernel, "ALPHA_THIRD", &value, &err), 0);
    assert_int_equal(value, 3);
    assert_int_equal(vt_kernel_enumerator(g.kernel, "ALPHA_FOURTH", &value, &err), VT_E_NOT_FOUND);
    assert_string_equal(err.message, "the kernel's types have no enumerator ALPHA_FOURTH");
    assert_int_equal(vt_kernel_member(g.kernel, "alpha_state", "none", &m, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_kernel_member(g.kernel, "none", "none", &m, &err), VT_E_NOT_FOUND);
    assert_string_equal(err.message, "the kernel's types have no struct none");
    assert_int_equal(vt_kernel_member(g.kernel, "beta:alpha_state", "task", &m, &err),
                     VT_E_NOT_FOUND);
    assert_int_equal(vt_kernel_member(g.kernel, "net_alpha:task_struct", "pid", &m, &err),
                     VT_E_NOT_FOUND);
    end(&g);
}

static int note_member(const char *name, const char *type, const struct vt_member *member,
                       void *arg)
{
    char *seen = arg;
    sprintf(seen + strlen(seen), "%u %u %s %s;", member->offset, member->size, type, name);
    return strcmp(name, "stop") == 0;
}

static void test_members_of_it(void **state)
{
    (void)state;
    struct guest g;
    char seen[4096] = "";
    boot(&g, LAYOUT_6_12);
    assert_int_equal(vt_kernel_each_member(g.kernel, "alpha_state", note_member, seen, NULL), 0);
    assert_string_equal(seen, "0 16 struct list_head next;16 8 struct task_struct * task;"
                              "24 4 alpha_count count;");
    seen[0] = '\0';
    assert_int_equal(vt_kernel_each_member(g.kernel, "kuid_t", note_member, seen, NULL),
                     VT_E_NOT_FOUND);
    assert_int_equal(vt_kernel_each_member(g.kernel, "mm_struct", note_member, seen, NULL), 0);
    assert_int_equal(strncmp(seen, "0 512 struct {} ;32 8 void * pgd;", 33), 0);
    end(&g);
}

/* A module that is unloaded is gone after a refresh, and one that is broken costs only itself. */
static void test_change(void **state)
{
    (void)state;
    struct guest g;
    struct vt_member m;
    boot(&g, LAYOUT_7_2);
    uint64_t one = synthetic_module_pa(0), two = synthetic_module_pa(1);
    uint64_t alpha = text_of(&g, 0), beta = text_of(&g, 1);
    expect_address(&g, "alpha_open", alpha + 0x10);
    assert_int_equal(vt_kernel_member(g.kernel, "alpha_state", "task", &m, NULL), 0);
    static const struct {
        uint64_t at, value;
        unsigned bytes;
    } breakages[] = {
        {MODULE_NAME, '\n', 1},
        {MODULE_NAME, 0, 1},
        {MODULE_KALLSYMS_POINTER, 0, 8},
        {MODULE_KALLSYMS_POINTER, 0x1234, 8},
        {MODULE_KALLSYMS + KALLSYMS_NUM, 0xffffffff, 4},
        {MODULE_KALLSYMS + KALLSYMS_NUM, 1, 4},
        {MODULE_KALLSYMS + KALLSYMS_SYMTAB, 0x10, 8},
        {MODULE_KALLSYMS + KALLSYMS_STRTAB, 0x10, 8},
        {MODULE_SYMTAB + 24, 0xffffffff, 4}, /* a name from elsewhere */
    };
    for (size_t i = 0; i < sizeof breakages / sizeof breakages[0]; i++) {
        synthetic_add(&g.s, &g.k);
        synthetic_put(&g.s, one + breakages[i].at, breakages[i].value, breakages[i].bytes);
        vt_kernel_refresh(g.kernel);
        expect_no(&g, "net_alpha:alpha_open");
        expect_address(&g, "shared_name", beta + 0x40);
    }
    synthetic_add(&g.s, &g.k);
    synthetic_put(&g.s, one + MODULE_KALLSYMS + KALLSYMS_TYPETAB, 0, 8);
    vt_kernel_refresh(g.kernel);
    expect_name(&g, alpha + 0x10, "net_alpha", "alpha_open", '?', 0);

    /* Types that cannot be read, or are none. */
    static const uint64_t wrong[] = {MODULE_BTF + BTF_MODULE_OWNER, MODULE_BTF + BTF_MODULE_BTF,
                                     MODULE_BTF + 0x100 + BTF_DATA,
                                     MODULE_BTF + 0x100 + BTF_DATA_SIZE, MODULE_BTF_BYTES};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        synthetic_add(&g.s, &g.k);
        synthetic_put(&g.s, one + wrong[i], 0x5a5a5a5a, 4);
        vt_kernel_refresh(g.kernel);
        assert_int_equal(vt_kernel_member(g.kernel, "alpha_state", "task", &m, NULL),
                         VT_E_NOT_FOUND);
        assert_int_equal(vt_kernel_member(g.kernel, "task_struct", "pid", &m, NULL), 0);
    }

    /* A list that never ends, and one that leads nowhere. */
    synthetic_add(&g.s, &g.k);
    synthetic_put(&g.s, two + MODULE_LIST, synthetic_direct(&g.k, two + MODULE_LIST), 8);
    vt_kernel_refresh(g.kernel);
    expect_address(&g, "beta_only", beta + 0x60);
    synthetic_put(&g.s, g.k.text_pa + AT_MODULES, 0, 8);
    synthetic_put(&g.s, g.k.text_pa + AT_MODULES + 8, 0, 8);
    vt_kernel_refresh(g.kernel);
    expect_no(&g, "beta_only");
    end(&g);
}

static void test_none(void **state)
{
    (void)state;
    struct guest g = {.k = synthetic_default()};
    unsigned n = 0;
    g.k.no_types = true;
    synthetic_create(&g.s);
    synthetic_add(&g.s, &g.k);
    g.ram = synthetic_open(&g.s);
    assert_int_equal(vt_kernel_open(g.ram, NULL, &g.kernel, NULL), 0);
    expect_no(&g, "alpha_open");
    assert_int_equal(vt_kernel_module_symbols(g.kernel, count, &n), 0);
    assert_int_equal(n, 0);
    end(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_types),
        cmocka_unit_test(test_members_of_it), cmocka_unit_test(test_change),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
