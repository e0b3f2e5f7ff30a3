/* tests/unit/cli/test_mount_fs.c - a guest as files, without FUSE: names, attributes, contents. */
#include "tests/unit/harness.h"

#include "cli/mount/fs.h"
#include "tests/unit/guest/synthetic.h"
#include "vitrine/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

struct guest {
    struct synthetic s;
    struct synthetic_kernel k;
    struct vt_target target;
    struct vt_fs fs;
};

static int setup(void **state)
{
    struct guest *g = calloc(1, sizeof *g);
    g->k = synthetic_default();
    synthetic_create(&g->s);
    synthetic_add(&g->s, &g->k);
    g->target = (struct vt_target){.name = "./saved", .ram = synthetic_open(&g->s)};
    vt_fs_init(&g->fs, &g->target);
    *state = g;
    return vt_kernel_open(g->target.ram, NULL, &g->target.kernel, NULL);
}

static int teardown(void **state)
{
    struct guest *g = *state;
    vt_fs_fini(&g->fs);
    vt_kernel_close(g->target.kernel);
    vt_ram_close(g->target.ram);
    synthetic_destroy(&g->s);
    free(g);
    return 0;
}

static int lookup(struct guest *g, const char *path)
{
    struct vt_fs_node node;
    return vt_fs_lookup(&g->fs, path, &node);
}

static struct vt_fs_file *open_path(struct guest *g, const char *path)
{
    struct vt_fs_node node;
    struct vt_fs_file *file = NULL;
    assert_int_equal(vt_fs_lookup(&g->fs, path, &node), 0);
    assert_int_equal(vt_fs_open(&g->fs, &node, &file), 0);
    return file;
}

/* All of a small file. */
static size_t slurp(struct guest *g, const char *path, char *text, size_t size)
{
    struct vt_fs_file *file = open_path(g, path);
    ssize_t n = vt_fs_read(&g->fs, file, text, size - 1, 0);
    assert_true(n >= 0 && (size_t)n < size);
    assert_int_equal(vt_fs_read(&g->fs, file, text, size - 1, (uint64_t)n), 0);
    assert_true(n < 2 || vt_fs_read(&g->fs, file, text + 1, (size_t)n - 1, 1) == n - 1);
    vt_fs_close(file);
    text[n] = '\0';
    return (size_t)n;
}

static int join(const char *name, void *arg)
{
    strcat(arg, name);
    strcat(arg, " ");
    return 0;
}

static const char *list(struct guest *g, const char *path)
{
    static char names[65536];
    struct vt_fs_node node;
    names[0] = '\0';
    assert_int_equal(vt_fs_lookup(&g->fs, path, &node), 0);
    assert_int_equal(vt_fs_list(&g->fs, &node, join, names), 0);
    return names;
}

static void has_names(void **state)
{
    struct guest *g = *state;
    assert_string_equal(list(g, "/"), "dmesg kallsyms modules mounts nouns physmem proc regions "
                                      "sockets version vmcore ");
    assert_string_equal(list(g, "/proc"), "100 101 102 103 104 105 106 107 108 109 110 111 ");
    assert_string_equal(list(g, "/proc/100"), "cmdline comm environ files maps mem nouns status ");
    const char *nouns = list(g, "/nouns");
    assert_non_null(strstr(nouns, "modules modules.json "));
    assert_non_null(strstr(nouns, "ps ps.json "));
    assert_null(strstr(list(g, "/proc/100/nouns"), "modules"));
    assert_non_null(strstr(list(g, "/proc/100/nouns"), "maps maps.json "));

    /* Everything that is listed is there, and only that. */
    static const char *const dirs[] = {"/", "/nouns", "/proc", "/proc/100", "/proc/100/nouns"};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char *names = strdup(list(g, dirs[i])), *save, path[256];
        for (char *name = strtok_r(names, " ", &save); name != NULL;
             name = strtok_r(NULL, " ", &save)) {
            struct vt_fs_node node;
            struct stat st;
            snprintf(path, sizeof path, "%s/%s", dirs[i], name);
            assert_int_equal(vt_fs_lookup(&g->fs, path, &node), 0);
            assert_int_equal(vt_fs_stat(&g->fs, &node, &st), 0);
            assert_true((st.st_mode & 0277) == 0 && st.st_uid == getuid());
        }
        free(names);
    }
    static const char *const missing[] = {"/x",
                                          "/physmemx",
                                          "/physme",
                                          "/nouns/x",
                                          "/nouns/.json",
                                          "/nouns/json",
                                          "/proc/99",
                                          "/proc/0100",
                                          "/proc/+100",
                                          "/proc/100x",
                                          "/proc/0",
                                          "/proc/-1",
                                          "/proc/4294967396",
                                          "/proc/100/x",
                                          "/proc/100/nouns/modules",
                                          "/proc/11111111111111111111111111"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        assert_int_equal(lookup(g, missing[i]), -ENOENT);
    }
    assert_int_equal(lookup(g, "/physmem/x"), -ENOTDIR);
    assert_int_equal(lookup(g, "/proc/100/comm/x"), -ENOTDIR);
    struct vt_fs_node node;
    struct vt_fs_file *file;
    assert_int_equal(vt_fs_lookup(&g->fs, "/proc", &node), 0);
    assert_int_equal(vt_fs_open(&g->fs, &node, &file), -EISDIR);
    assert_int_equal(vt_fs_lookup(&g->fs, "/regions", &node), 0);
    assert_int_equal(vt_fs_list(&g->fs, &node, join, NULL), -ENOTDIR);
}

static void writes_text(void **state)
{
    struct guest *g = *state;
    char text[65536];
    slurp(g, "/version", text, sizeof text);
    assert_string_equal(text, "Linux version 6.1.0-test (nobody@nowhere) #1 SMP\n");
    slurp(g, "/regions", text, sizeof text);
    assert_string_equal(text, "00000000-00ffffff : System RAM\n");
    slurp(g, "/kallsyms", text, sizeof text);
    assert_non_null(strstr(text, "\nffffffff83c10000 D init_task\n"));
    slurp(g, "/proc/103/comm", text, sizeof text);
    assert_string_equal(text, "task-3\n");
    slurp(g, "/proc/110/status", text, sizeof text);
    assert_int_equal(strncmp(text,
                             "Name:\ttask-10\nState:\tS (sleeping)\nTgid:\t110\nPid:\t110\n"
                             "PPid:\t109\n",
                             60),
                     0);
    assert_non_null(strstr(text, "\nThreads:\t2\n"));
    assert_int_equal(slurp(g, "/proc/100/cmdline", text, sizeof text), 16);
    assert_memory_equal(text, "/sbin/daemon\0-x", 16);
    assert_int_equal(slurp(g, "/proc/101/cmdline", text, sizeof text), 0);
    slurp(g, "/nouns/ps", text, sizeof text);
    assert_non_null(strstr(text, "  task-10  "));
    slurp(g, "/proc/110/nouns/ps.json", text, sizeof text);
    assert_non_null(strstr(text, "\"pid\":110,"));
    assert_null(strstr(text, "\"pid\":109,"));
}

/* One open, one text; the next one is new. */
static void keeps_what_was_opened(void **state)
{
    struct guest *g = *state;
    char before[64] = "", same[64] = "", after[64];
    struct vt_fs_file *file = open_path(g, "/proc/100/comm");
    assert_int_equal(vt_fs_read(&g->fs, file, before, sizeof before, 0), 7);
    synthetic_put(&g->s, synthetic_task_pa(&g->k, 0) + TASK_COMM, 'X', 1);
    assert_int_equal(vt_fs_read(&g->fs, file, same, sizeof same, 0), 7);
    assert_string_equal(before, "task-0\n");
    assert_string_equal(same, before);
    vt_fs_close(file);
    slurp(g, "/proc/100/comm", after, sizeof after);
    assert_string_equal(after, "Xask-0\n");
}

static void reads_memory(void **state)
{
    struct guest *g = *state;
    char text[64] = "";
    struct vt_fs_file *mem = open_path(g, "/proc/100/mem");
    assert_int_equal(vt_fs_read(&g->fs, mem, text, 12, 0x7ffc0fff8), 12);
    assert_string_equal(text, "/sbin/daemon");
    assert_int_equal(vt_fs_read(&g->fs, mem, text, 12, 0x1000), -EIO);
    assert_int_equal(vt_fs_read(&g->fs, mem, text, 12, UINT64_MAX - 3), -EIO);
    /* Up to where it ends. */
    char page[3 * VT_PAGE_BYTES];
    ssize_t n = vt_fs_read(&g->fs, mem, page, sizeof page, 0x7ffc0fff8);
    assert_true(n > 12 && (0x7ffc0fff8 + (uint64_t)n) % VT_PAGE_BYTES == 0);
    /* The process ends: its page tables are nobody's. */
    synthetic_put(&g->s, synthetic_task_pa(&g->k, 0) + TASK_START, 12345, 8);
    g->fs.tasks_ns = 0;
    assert_int_equal(vt_fs_read(&g->fs, mem, text, 12, 0x7ffc0fff8), -EIO);
    vt_fs_close(mem);
    mem = open_path(g, "/proc/101/mem"); /* a kernel thread */
    assert_int_equal(vt_fs_read(&g->fs, mem, text, 12, 0x7ffc0fff8), -EIO);
    vt_fs_close(mem);
}

static void reads_ram_and_its_holes(void **state)
{
    struct guest *g = *state;
    const struct vt_ram_region regions[] = {{{0}, {0}, 8 * MIB}, {{12 * MIB}, {8 * MIB}, 8 * MIB}};
    struct vt_target t = {.name = "./saved"};
    struct guest holes = {.s = g->s};
    assert_int_equal(vt_ram_open(g->s.path, regions, 2, &t.ram, NULL), 0);
    memset(g->s.ram + 8 * MIB - 2, 7, 4);
    vt_fs_init(&holes.fs, &t);
    holes.fs.kernel_ns = 1; /* of a file: there is none */
    assert_string_equal(list(&holes, "/"), "physmem regions vmcore ");
    assert_int_equal(lookup(&holes, "/version"), -ENOENT);
    assert_int_equal(lookup(&holes, "/proc/100"), -ENOENT);

    struct vt_fs_node node;
    struct stat st;
    uint8_t bytes[8], want[8] = {7, 7};
    assert_int_equal(vt_fs_lookup(&holes.fs, "/physmem", &node), 0);
    assert_int_equal(vt_fs_stat(&holes.fs, &node, &st), 0);
    assert_true((uint64_t)st.st_size == 20 * MIB);
    struct vt_fs_file *file = open_path(&holes, "/physmem");
    assert_int_equal(vt_fs_read(&holes.fs, file, bytes, 8, 8 * MIB - 2), 8);
    assert_memory_equal(bytes, want, 8);
    assert_int_equal(vt_fs_read(&holes.fs, file, bytes, 8, 12 * MIB - 6), 8);
    assert_memory_equal(bytes, ((uint8_t[]){0, 0, 0, 0, 0, 0, 7, 7}), 8);
    assert_int_equal(vt_fs_read(&holes.fs, file, bytes, 8, 20 * MIB - 3), 3);
    assert_int_equal(vt_fs_read(&holes.fs, file, bytes, 8, 20 * MIB), 0);
    assert_int_equal(vt_fs_read(&holes.fs, file, bytes, 8, UINT64_MAX), 0);
    vt_fs_close(file);
    vt_fs_fini(&holes.fs);
    vt_ram_close(t.ram);
}

/* The core that is shown is the core that is written. */
static void shows_a_core(void **state)
{
    struct guest *g = *state;
    char path[] = "/tmp/vitrine-test-XXXXXX";
    int fd = mkstemp(path);
    uint64_t stored;
    struct vt_dump dump = {.ram = g->target.ram, .kernel = g->target.kernel};
    assert_int_equal(vt_dump_write(&dump, VT_DUMP_ELF, fd, path, &stored, NULL), 0);
    unlink(path);
    struct vt_fs_node node;
    struct stat st;
    assert_int_equal(vt_fs_lookup(&g->fs, "/vmcore", &node), 0);
    assert_int_equal(vt_fs_stat(&g->fs, &node, &st), 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), st.st_size);
    struct vt_fs_file *file = open_path(g, "/vmcore");
    static uint8_t a[77777], b[sizeof a];
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof a) {
        ssize_t n = pread(fd, a, sizeof a, at);
        assert_int_equal(vt_fs_read(&g->fs, file, b, sizeof b, (uint64_t)at), n);
        assert_memory_equal(a, b, (size_t)n);
    }
    vt_fs_close(file);
    close(fd);
}

static void fails_when_the_vm_ended(void **state)
{
    struct guest *g = *state;
    char text[8];
    struct vt_fs_node node;
    struct stat st;
    struct vt_fs_file *comm = open_path(g, "/proc/100/comm"), *mem = open_path(g, "/physmem"), *no;
    assert_int_equal(vt_fs_lookup(&g->fs, "/physmem", &node), 0);
    vt_fs_end(&g->fs);
    assert_int_equal(lookup(g, "/"), -EIO);
    assert_int_equal(vt_fs_stat(&g->fs, &node, &st), -EIO);
    assert_int_equal(vt_fs_open(&g->fs, &node, &no), -EIO);
    assert_int_equal(vt_fs_list(&g->fs, &node, join, text), -EIO);
    assert_int_equal(vt_fs_read(&g->fs, comm, text, sizeof text, 0), -EIO);
    assert_int_equal(vt_fs_read(&g->fs, mem, text, sizeof text, 0), -EIO);
    vt_fs_close(comm);
    vt_fs_close(mem);
    vt_fs_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(has_names, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_text, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_what_was_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_ram_and_its_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_a_core, setup, teardown),
        cmocka_unit_test_setup_teardown(fails_when_the_vm_ended, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
