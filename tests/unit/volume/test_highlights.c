/* Highlights of a VM: put, replaced, removed, by several at once; and files that nobody wrote. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/vmdir.h"
#include "volume/highlights.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define GIB ((uint64_t)1 << 30)

/* A VM with 16 MiB below a hole and 16 MiB behind it, in two pieces that touch. */
struct fixture {
    struct vt_vmdir dir;
    struct vt_vm *vm;
    char path[PATH_MAX];
};

static struct fixture begin(const char *runtime)
{
    struct fixture f;
    struct vt_vm_info info = {.name = "unit",
                              .ram_bytes = 32 << 20,
                              .n_regions = 3,
                              .regions = {{{0}, {0}, 16 << 20},
                                          {{GIB}, {16 << 20}, 8 << 20},
                                          {{GIB + (8 << 20)}, {24 << 20}, 8 << 20}}};
    assert_int_equal(setenv("VITRINE_RUNTIME_DIR", runtime, 1), 0);
    assert_int_equal(vt_vmdir_create("unit", &f.dir, NULL), 0);
    strcpy(info.dir, f.dir.path);
    assert_int_equal(vt_vmdir_write(f.dir.path, &info, NULL, NULL), 0);
    assert_int_equal(vt_vm_open("unit", &f.vm, NULL), 0);
    assert_int_equal(vt_vmdir_file(f.dir.path, VT_HIGHLIGHTS_FILE, f.path, NULL), 0);
    return f;
}

static void end(struct fixture *f)
{
    vt_vm_close(f->vm);
    vt_vmdir_remove(&f->dir);
}

static int put(struct fixture *f, const char *name, uint64_t gpa, uint64_t bytes)
{
    struct vt_gpa_run run = {VT_GPA(gpa), bytes};
    return vt_highlights_put(f->vm, name, NULL, NULL, &run, 1, NULL);
}

static struct vt_highlights load(struct fixture *f)
{
    struct vt_highlights set;
    struct vt_error err = {0};
    int rc = vt_highlights_load(f->vm, &set, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(rc, 0);
    return set;
}

static void what_was_put_is_there(void **state)
{
    struct fixture f = begin(*state);
    struct vt_highlights set = load(&f);
    struct stat st;
    assert_int_equal(set.n, 0);
    vt_highlights_fini(&set);
    /* Unordered, overlapping, touching, unaligned, empty; one across two regions. */
    const struct vt_gpa_run runs[] = {
        {VT_GPA(0x9000), 0x1000}, {VT_GPA(0x3001), 1},
        {VT_GPA(0x4000), 0x2000}, {VT_GPA(0x5000), 0x800},
        {VT_GPA(0x3000), 0x10},   {VT_GPA(77), 0},
        {VT_GPA(0xfffff8), 8},    {VT_GPA(GIB + (8 << 20) - 4096), 8192},
    };
    assert_int_equal(vt_highlights_put(f.vm, "ssh.heap_1", "sshd \xc3\xa9\xff\n[heap]",
                                       &(struct vt_colour){1, 2, 255, 255}, runs,
                                       sizeof runs / sizeof runs[0], NULL),
                     0);
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    set = load(&f);
    assert_int_equal(set.n, 1);
    const struct vt_highlight *h = &set.all[0];
    assert_string_equal(h->name, "ssh.heap_1");
    assert_string_equal(h->label, "sshd \xc3\xa9\ufffd\n[heap]");
    assert_true(h->colour.r == 1 && h->colour.g == 2 && h->colour.b == 255);
    assert_true(h->made_unix_s > 1.7e9);
    assert_int_equal(h->n_runs, 4);
    const struct vt_gpa_run want[] = {{VT_GPA(0x3000), 0x3000},
                                      {VT_GPA(0x9000), 0x1000},
                                      {VT_GPA(0xfff000), 0x1000},
                                      {VT_GPA(GIB + (8 << 20) - 4096), 8192}};
    assert_memory_equal(h->runs, want, sizeof want);
    assert_int_equal(h->bytes, 0x7000);
    vt_highlights_fini(&set);
    vt_highlights_fini(&set); /* once more is nothing */
    end(&f);
}

static void colours_differ_and_stay(void **state)
{
    struct fixture f = begin(*state);
    for (unsigned i = 0; i < 12; i++) {
        char name[8];
        snprintf(name, sizeof name, "h%u", i);
        assert_int_equal(put(&f, name, i * 0x10000, 1), 0);
    }
    struct vt_highlights set = load(&f);
    assert_int_equal(set.n, 12);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(set.all[i].name[1], '0' + i);
        assert_string_equal(set.all[i].label, set.all[i].name);
        for (unsigned k = 0; k < i; k++) {
            assert_memory_not_equal(&set.all[i].colour, &set.all[k].colour, 4);
        }
    }
    assert_memory_equal(&set.all[10].colour, &set.all[0].colour, 4);
    struct vt_colour before = set.all[3].colour;
    vt_highlights_fini(&set);
    /* Put again: its place and colour stay, its runs are new. */
    assert_int_equal(put(&f, "h3", 0x800000, 0x2000), 0);
    set = load(&f);
    assert_int_equal(set.n, 12);
    assert_string_equal(set.all[3].name, "h3");
    assert_memory_equal(&set.all[3].colour, &before, 4);
    assert_true(set.all[3].runs[0].gpa.v == 0x800000 && set.all[3].bytes == 0x2000);
    vt_highlights_fini(&set);
    assert_int_equal(vt_highlights_remove(f.vm, "h0", NULL), 0);
    assert_int_equal(vt_highlights_remove(f.vm, "h11", NULL), 0);
    assert_int_equal(vt_highlights_remove(f.vm, "h0", NULL), VT_E_NOT_FOUND);
    set = load(&f);
    assert_int_equal(set.n, 10);
    assert_string_equal(set.all[0].name, "h1");
    assert_string_equal(set.all[9].name, "h10");
    vt_highlights_fini(&set);
    assert_int_equal(vt_highlights_clear(f.vm, NULL), 0);
    assert_int_equal(vt_highlights_clear(f.vm, NULL), 0);
    set = load(&f);
    assert_int_equal(set.n, 0);
    vt_highlights_fini(&set);
    end(&f);
}

static void what_is_refused(void **state)
{
    struct fixture f = begin(*state);
    struct vt_error err;
    char name[VT_HIGHLIGHT_NAME_MAX + 2], label[300];
    static const char *const bad[] = {"", ".a", "-a", "a b", "a/b", "\xc3\xa9", "a\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(put(&f, bad[i], 0, 1), VT_E_INVAL);
    }
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(put(&f, name, 0, 1), VT_E_INVAL);
    name[sizeof name - 2] = '\0';
    assert_int_equal(put(&f, name, 0, 1), 0);
    assert_int_equal(vt_highlights_remove(f.vm, name, NULL), 0);
    assert_int_equal(put(&f, "a", 0, 0), VT_E_INVAL);
    assert_int_equal(vt_highlights_put(f.vm, "a", NULL, NULL, NULL, 0, &err), VT_E_INVAL);
    assert_int_equal(put(&f, "a", 16 << 20, 1), VT_E_ADDR); /* the hole */
    assert_int_equal(put(&f, "a", (16 << 20) - 4096, 4097), VT_E_ADDR);
    assert_int_equal(put(&f, "a", GIB - 1, 2), VT_E_ADDR);
    assert_int_equal(put(&f, "a", 0, GIB + 1), VT_E_ADDR);
    assert_int_equal(put(&f, "a", GIB + (16 << 20), 1), VT_E_ADDR);
    assert_int_equal(put(&f, "a", 4096, UINT64_MAX), VT_E_ADDR);
    struct vt_highlights set = load(&f);
    assert_int_equal(set.n, 0);
    vt_highlights_fini(&set);
    /* Labels are cut between characters. */
    for (unsigned i = 0; i < 149; i++) {
        memcpy(label + 2 * i, "\xc3\xa9", 3);
    }
    memcpy(label, "abc", 3);
    struct vt_gpa_run run = {VT_GPA(0), 1};
    assert_int_equal(vt_highlights_put(f.vm, "a", label, NULL, &run, 1, NULL), 0);
    set = load(&f);
    assert_true(strlen(set.all[0].label) > VT_HIGHLIGHT_LABEL_MAX - 4);
    vt_highlights_fini(&set);
    end(&f);
}

static void there_is_a_limit(void **state)
{
    struct fixture f = begin(*state);
    char name[16];
    /* 2048 single pages, as often as there is room for. */
    struct vt_gpa_run runs[2048];
    for (unsigned i = 0; i < 2048; i++) {
        runs[i] = (struct vt_gpa_run){VT_GPA((uint64_t)i * 8192), 1};
    }
    for (unsigned i = 0; i < VT_HIGHLIGHTS_RUNS_MAX / 2048; i++) {
        snprintf(name, sizeof name, "many-%u", i);
        assert_int_equal(vt_highlights_put(f.vm, name, NULL, NULL, runs, 2048, NULL), 0);
    }
    assert_int_equal(put(&f, "one-more", 0, 1), VT_E_LIMIT);
    assert_int_equal(put(&f, "many-0", 0, 1), 0); /* instead of many */
    assert_int_equal(put(&f, "one-more", 0, 1), 0);
    struct vt_highlights set = load(&f);
    assert_int_equal(set.n, VT_HIGHLIGHTS_RUNS_MAX / 2048 + 1);
    vt_highlights_fini(&set);
    assert_int_equal(vt_highlights_clear(f.vm, NULL), 0);
    for (unsigned i = 0; i < VT_HIGHLIGHTS_MAX; i++) {
        snprintf(name, sizeof name, "one-%u", i);
        assert_int_equal(put(&f, name, 0, 1), 0);
    }
    assert_int_equal(put(&f, "one-more", 0, 1), VT_E_LIMIT);
    assert_int_equal(put(&f, "one-7", 4096, 1), 0);
    end(&f);
    /* More runs than one highlight may have. */
    struct vt_gpa_run *joined, *all = calloc(VT_HIGHLIGHT_RUNS_MAX + 1, sizeof *all);
    const struct vt_ram_region large = {VT_GPA(0), VT_OFF(0), GIB};
    size_t n;
    assert_non_null(all);
    for (unsigned i = 0; i <= VT_HIGHLIGHT_RUNS_MAX; i++) {
        all[i] = (struct vt_gpa_run){VT_GPA((uint64_t)i * 8192), 4096};
    }
    assert_int_equal(vt_runs_join(all, VT_HIGHLIGHT_RUNS_MAX + 1, &large, 1, &joined, &n, NULL),
                     VT_E_LIMIT);
    assert_int_equal(vt_runs_join(all, VT_HIGHLIGHT_RUNS_MAX, &large, 1, &joined, &n, NULL), 0);
    assert_int_equal(n, VT_HIGHLIGHT_RUNS_MAX);
    free(joined);
    free(all);
}

/* Four at once: nobody's are lost, and who reads meanwhile sees whole files. */
static void several_at_once(void **state)
{
    enum { WRITERS = 4, EACH = 12 };
    struct fixture f = begin(*state);
    pid_t pids[WRITERS];
    for (unsigned w = 0; w < WRITERS; w++) {
        pids[w] = fork();
        assert_true(pids[w] >= 0);
        if (pids[w] == 0) {
            int failed = 0;
            for (unsigned i = 0; i < EACH; i++) {
                char name[16];
                snprintf(name, sizeof name, "w%u-%u", w, i);
                failed |= put(&f, name, i * 4096, 1) != 0;
            }
            _exit(failed);
        }
    }
    size_t before = 0;
    for (unsigned left = WRITERS; left > 0;) {
        struct vt_highlights set = load(&f);
        assert_true(set.n >= before);
        before = set.n;
        vt_highlights_fini(&set);
        int status;
        if (waitpid(pids[left - 1], &status, WNOHANG) > 0) {
            assert_int_equal(status, 0);
            left--;
        }
    }
    struct vt_highlights set = load(&f);
    assert_int_equal(set.n, WRITERS * EACH);
    vt_highlights_fini(&set);
    end(&f);
}

#define ONE(more) "{\"highlights\": [{\"name\": \"a\", \"label\": \"l\", " more "}]}"
#define RUNS(runs) ONE("\"colour\": \"#ffffff\", \"made\": 1, \"runs\": " runs)

static void files_that_nobody_wrote(void **state)
{
    static const char *const damaged[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"highlights\": {}}",
        "{\"highlights\": [7]}",
        ONE("\"colour\": \"#ffffff\""),
        ONE("\"colour\": \"cyan\", \"runs\": [[\"0x0\", 4096]]"),
        ONE("\"colour\": \"#fffff\", \"runs\": [[\"0x0\", 4096]]"),
        ONE("\"name\": \"b\", \"colour\": \"#ffffff\", \"runs\": [[\"0x0\", 4096]]"),
        RUNS("[]"),
        RUNS("[7]"),
        RUNS("[[0, 4096]]"),
        RUNS("[[\"0\", 4096]]"),
        RUNS("[[\"0x0\", 4096, 1]]"),
        RUNS("[[\"0x0\", 0]]"),
        RUNS("[[\"0x0\", -4096]]"),
        RUNS("[[\"0x0\", 4095]]"),
        RUNS("[[\"0x1\", 4096]]"),
        RUNS("[[\"0xfffffffffffff000\", 8192]]"),
        RUNS("[[\"0x2000\", 4096], [\"0x0\", 4096]]"),
        RUNS("[[\"0x0\", 4096], [\"0x1000\", 4096]]"),
        "{\"highlights\": [{\"name\": \"a\", \"label\": \"\", \"colour\": \"#000000\", \"runs\": "
        "[[\"0x0\", 4096]]}, {\"name\": \"a\", \"label\": \"\", \"colour\": \"#000000\", "
        "\"runs\": [[\"0x0\", 4096]]}]}",
    };
    struct fixture f = begin(*state);
    struct vt_highlights set = {.n = 7};
    struct vt_error err;
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        assert_int_equal(vt_write_file_atomic(f.path, damaged[i], strlen(damaged[i]), 0600, NULL),
                         0);
        assert_int_equal(vt_highlights_load(f.vm, &set, &err), VT_E_CORRUPT);
        assert_non_null(strstr(err.message, f.path));
        assert_int_equal(set.n, 7);
        assert_int_equal(put(&f, "b", 0, 1), VT_E_CORRUPT); /* what is there is not thrown away */
        assert_int_equal(vt_highlights_remove(f.vm, "a", NULL), VT_E_CORRUPT);
    }
    const char *fine = RUNS("[[\"0x0\", 4096]]");
    assert_int_equal(vt_write_file_atomic(f.path, fine, strlen(fine), 0600, NULL), 0);
    assert_int_equal(put(&f, "b", 0, 1), 0);
    char *large = calloc(1, VT_HIGHLIGHTS_FILE_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', VT_HIGHLIGHTS_FILE_MAX + 1);
    assert_int_equal(vt_write_file_atomic(f.path, large, VT_HIGHLIGHTS_FILE_MAX + 1, 0600, NULL),
                     0);
    free(large);
    assert_int_equal(vt_highlights_load(f.vm, &set, &err), VT_E_CORRUPT);
    assert_int_equal(vt_highlights_clear(f.vm, NULL), 0);
    assert_int_equal(put(&f, "b", 0, 1), 0);
    end(&f);
}

/* The VM ended, and its directory with it. */
static void none_of_a_vm_that_ended(void **state)
{
    struct fixture f = begin(*state);
    vt_vmdir_remove(&f.dir);
    assert_int_equal(put(&f, "a", 0, 1), VT_E_GONE);
    assert_int_equal(vt_highlights_remove(f.vm, "a", NULL), VT_E_GONE);
    assert_int_equal(vt_highlights_clear(f.vm, NULL), VT_E_GONE);
    vt_vm_close(f.vm);
}

static void colours(void **state)
{
    (void)state;
    struct vt_colour c = {9, 9, 9, 9};
    struct vt_error err;
    static const char *const bad[] = {"", "#", "#12345", "#1234567", "#12345g", "pink", "0x112233"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vt_colour_parse(bad[i], &c, &err), VT_E_INVAL);
        assert_int_equal(c.r, 9);
    }
    assert_non_null(strstr(err.message, "cyan, magenta"));
    assert_non_null(strstr(err.message, "#rrggbb"));
    assert_int_equal(vt_colour_parse("#01aBff", &c, &err), 0);
    assert_true(c.r == 1 && c.g == 0xab && c.b == 0xff && c.a == 0xff);
    assert_int_equal(vt_colour_parse("White", &c, &err), 0);
    assert_true(c.r == 255 && c.g == 255 && c.b == 255 && c.a == 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(what_was_put_is_there),   vt_test_in_dir(colours_differ_and_stay),
        vt_test_in_dir(what_is_refused),         vt_test_in_dir(there_is_a_limit),
        vt_test_in_dir(several_at_once),         vt_test_in_dir(files_that_nobody_wrote),
        vt_test_in_dir(none_of_a_vm_that_ended), cmocka_unit_test(colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
