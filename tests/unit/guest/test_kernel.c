/* tests/unit/guest/test_kernel.c - a kernel is found whatever its layout, and only when it is one.
 */
#include "tests/unit/harness.h"

#include "tests/unit/guest/synthetic.h"
#include "vitrine/guest.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_kernel(struct vt_kernel *kernel, const struct synthetic_kernel *want)
{
    struct vt_gva va, gva;
    struct vt_gpa pa;
    uint64_t virt, phys, distance;
    const char *name;
    char type, text[64];
    struct vt_error err;
    vt_kernel_text(kernel, &va, &pa);
    assert_true(va.v == synthetic_text(want) && pa.v == want->text_pa);
    vt_kernel_kaslr(kernel, &virt, &phys);
    assert_true(virt == want->slide && phys == want->text_pa - 0x1000000);
    assert_int_equal(vt_kernel_space(kernel)->levels, want->levels);
    assert_string_equal(vt_kernel_release(kernel), want->release);
    assert_int_equal(strlen(vt_kernel_build_id(kernel)), 40);
    assert_int_equal(vt_kernel_symbol(kernel, "init_task", &gva, &err), 0);
    assert_true(gva.v == va.v + AT_INIT_TASK);
    assert_int_equal(vt_kernel_symbol(kernel, "nothing", &gva, &err), VT_E_NOT_FOUND);
    assert_int_equal(
        vt_kernel_symbol_at(kernel, VT_GVA(va.v + AT_BANNER + 5), &name, &type, &distance, &err),
        0);
    assert_string_equal(name, "linux_banner");
    assert_int_equal(distance, 5);
    assert_int_equal(vt_kernel_symbol_at(kernel, VT_GVA(va.v - 1), &name, &type, &distance, &err),
                     VT_E_NOT_FOUND);
    assert_int_equal(
        vt_kernel_symbol_at(kernel, VT_GVA(va.v + AT_END + 1), &name, &type, &distance, &err),
        VT_E_NOT_FOUND);
    assert_int_equal(vt_kernel_vmcoreinfo(kernel, "NUMBER(PG_slab)", text, sizeof text, &err), 0);
    assert_string_equal(text, "9");
    assert_int_equal(vt_kernel_vmcoreinfo(kernel, "NUMBER(PG_sla", text, sizeof text, &err),
                     VT_E_NOT_FOUND);
}

static void open_and_check(const struct synthetic *s, const char *cache, bool cached,
                           const struct synthetic_kernel *want)
{
    struct vt_kernel_options options = {.cache_dir = cache};
    struct vt_kernel *kernel = NULL;
    struct vt_kernel_cost cost;
    struct vt_error err = {0};
    struct vt_ram *ram = synthetic_open(s);
    int rc = vt_kernel_open(ram, &options, &kernel, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(rc, 0);
    check_kernel(kernel, want);
    vt_kernel_cost(kernel, &cost);
    assert_int_equal(cost.cached, cached);
    vt_kernel_close(kernel);
    vt_ram_close(ram);
}

static void test_layouts(void **state)
{
    (void)state;
    for (enum test_layout layout = 0; layout < LAYOUTS; layout++) {
        for (unsigned levels = 4; levels <= 5; levels++) {
            struct synthetic s;
            struct synthetic_kernel k = synthetic_default();
            k.layout = layout;
            k.levels = levels;
            k.text_pa = levels == 4 ? 0x200000 : 0x600000;
            k.slide = levels == 4 ? 0 : 0x15600000;
            synthetic_create(&s);
            synthetic_add(&s, &k);
            open_and_check(&s, NULL, false, &k);
            synthetic_destroy(&s);
        }
    }
}

/* A kernel from before a reboot is complete, but not alive. */
static void test_stale(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct synthetic s;
        struct synthetic_kernel dead = synthetic_default(), live = synthetic_default();
        dead.text_pa = order == 0 ? 0x200000 : 0x400000;
        live.text_pa = order == 0 ? 0x400000 : 0x200000;
        dead.slide = 0x1000000;
        dead.data_pa = 0x600000;
        dead.alive = false;
        dead.tasks = 3;
        synthetic_create(&s);
        synthetic_add(&s, &dead);
        open_and_check(&s, NULL, false, &dead); /* nothing else: early in boot */
        synthetic_add(&s, &live);
        open_and_check(&s, NULL, false, &live);
        synthetic_destroy(&s);
    }
}

/* Tables without the kernel they belong to, and a kernel that contradicts itself. */
static void test_not_a_kernel(void **state)
{
    (void)state;
    static const struct {
        uint64_t at;
        uint8_t bytes;
    } damages[] = {{AT_BANNER, 8}, {AT_VARIABLES, 8}, {AT_ROOT + 511 * 8, 8}};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct synthetic s;
        struct synthetic_kernel k = synthetic_default();
        struct vt_kernel *kernel;
        struct vt_error err;
        synthetic_create(&s);
        synthetic_add(&s, &k);
        synthetic_put(&s, k.text_pa + damages[i].at, 0x5a5a5a5a5a5a5a5a, damages[i].bytes);
        struct vt_ram *ram = synthetic_open(&s);
        assert_int_equal(vt_kernel_open(ram, NULL, &kernel, &err), VT_E_NOT_FOUND);
        vt_ram_close(ram);
        synthetic_destroy(&s);
    }
    struct synthetic s;
    struct vt_kernel *kernel;
    struct vt_error err;
    synthetic_create(&s);
    s.ram[5] = 1;
    struct vt_ram *ram = synthetic_open(&s);
    assert_int_equal(vt_kernel_open(ram, NULL, &kernel, &err), VT_E_NOT_FOUND);
    vt_ram_close(ram);
    synthetic_destroy(&s);
}

/* Banner copies and decompressor leftovers lie around in every RAM. */
static void test_leftovers(void **state)
{
    (void)state;
    struct synthetic s;
    struct synthetic_kernel k = synthetic_default();
    synthetic_create(&s);
    synthetic_add(&s, &k);
    memcpy(s.ram + 0x200000, s.ram + k.text_pa, AT_SYMBOLS + 0x3000); /* cut in the names */
    memcpy(s.ram + 0x100123, s.ram + k.text_pa + AT_BANNER, 100);
    memcpy(s.ram + 0x280100, s.ram + k.text_pa + AT_SYMBOLS, AT_BTF - AT_SYMBOLS);
    open_and_check(&s, NULL, false, &k);
    synthetic_destroy(&s);
}

/* RAM full of token tables that no names belong to: an answer in bounded time. */
static void test_lookalikes(void **state)
{
    (void)state;
    static const uint8_t digits[] = "0\0001\0002\0003\0004";
    struct synthetic s;
    struct synthetic_kernel k = synthetic_default();
    struct vt_kernel *kernel;
    struct vt_error err;
    synthetic_create(&s);
    synthetic_add(&s, &k);
    uint8_t *tokens = memmem(s.ram, SYNTHETIC_BYTES, digits, sizeof digits);
    assert_non_null(tokens);
    size_t at = (size_t)(tokens - s.ram) & ~(size_t)7;
    for (size_t to = 0x800000; to < SYNTHETIC_BYTES; to += 4096) {
        memcpy(s.ram + to, s.ram + at - 1024, 3072);
    }
    memset(s.ram + k.text_pa, 0, AT_END);
    struct vt_ram *ram = synthetic_open(&s);
    assert_int_equal(vt_kernel_open(ram, NULL, &kernel, &err), VT_E_LIMIT);
    vt_ram_close(ram);
    synthetic_destroy(&s);
}

static void test_no_types(void **state)
{
    (void)state;
    struct synthetic s;
    struct synthetic_kernel k = synthetic_default();
    struct vt_kernel *kernel;
    struct vt_error err;
    struct vt_member member;
    struct vt_task_list list;
    k.no_types = true;
    synthetic_create(&s);
    synthetic_add(&s, &k);
    struct vt_ram *ram = synthetic_open(&s);
    assert_int_equal(vt_kernel_open(ram, NULL, &kernel, &err), 0);
    assert_int_equal(vt_kernel_member(kernel, "task_struct", "pid", &member, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_linux_tasks(kernel, &list, &err), VT_E_NOT_FOUND);
    vt_kernel_close(kernel);
    vt_ram_close(ram);
    synthetic_destroy(&s);
}

/* ---------------------------------------------------------------- the cache */

static char dir[] = "/tmp/vitrine-symbols-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}

/* The one file in the cache. */
static void cache_file(char path[300])
{
    DIR *d = opendir(dir);
    path[0] = '\0';
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] != '.') {
            assert_string_equal(path, "");
            snprintf(path, 300, "%s/%s", dir, e->d_name);
        }
    }
    closedir(d);
    assert_string_not_equal(path, "");
}

static int remove_dir(void **state)
{
    (void)state;
    char path[300];
    cache_file(path);
    unlink(path);
    return rmdir(dir);
}

static void test_cache(void **state)
{
    (void)state;
    struct synthetic s;
    struct synthetic_kernel k = synthetic_default(), moved = synthetic_default();
    char path[300];
    synthetic_create(&s);
    synthetic_add(&s, &k);
    open_and_check(&s, dir, false, &k);
    open_and_check(&s, dir, true, &k);
    synthetic_destroy(&s);

    /* The next boot: KASLR chose other places. */
    moved.text_pa = 0x600000;
    moved.slide = 0x20000000;
    synthetic_create(&s);
    synthetic_add(&s, &moved);
    open_and_check(&s, dir, true, &moved);

    /* A file that is cut, or that lies about one thing, is as good as none, and is replaced. */
    struct stat st;
    cache_file(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    for (off_t cut = 0; cut < st.st_size; cut += st.st_size / 3) {
        assert_int_equal(truncate(path, cut), 0);
        open_and_check(&s, dir, false, &moved);
        open_and_check(&s, dir, true, &moved);
    }
    FILE *f = fopen(path, "r+");
    uint32_t wild = 0x7fffffff;
    assert_int_equal(fseek(f, 24 + 656 + 16 * 100 + 8, SEEK_SET), 0); /* a name's offset */
    assert_int_equal(fwrite(&wild, sizeof wild, 1, f), 1);
    fclose(f);
    open_and_check(&s, dir, false, &moved);
    open_and_check(&s, dir, true, &moved);

    /* Another kernel in the RAM: the cached one does not win. */
    synthetic_destroy(&s);
    moved.alive = false;
    synthetic_create(&s);
    synthetic_add(&s, &moved);
    k.release = "7.2.0-other";
    k.layout = LAYOUT_7_2;
    synthetic_add(&s, &k);
    struct vt_kernel_options options = {.cache_dir = dir};
    struct vt_kernel *kernel;
    struct vt_ram *ram = synthetic_open(&s);
    assert_int_equal(vt_kernel_open(ram, &options, &kernel, NULL), 0);
    check_kernel(kernel, &k);
    unlink(path);
    vt_kernel_close(kernel);
    vt_ram_close(ram);
    synthetic_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),      cmocka_unit_test(test_stale),
        cmocka_unit_test(test_not_a_kernel), cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_no_types),     cmocka_unit_test(test_lookalikes),
        cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
