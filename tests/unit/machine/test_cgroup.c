/* tests/unit/machine/test_cgroup.c - which values go into which files of a cgroup tree, and what is
 * said where there is none. The tree is a plain directory. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/cgroup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void put(const char *file, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, file);
    assert_int_equal(vt_write_file_atomic(path, text, strlen(text), 0644, NULL), 0);
}

static void expect(const char *file, const char *want)
{
    char path[256];
    char *got;
    snprintf(path, sizeof path, "%s/%s", root, file);
    assert_int_equal(vt_read_file(path, 4096, &got, NULL, NULL), 0);
    assert_string_equal(got, want);
    free(got);
}

static bool exists(const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, file);
    return access(path, F_OK) == 0;
}

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/vitrine-test-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void limits_are_written(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct vt_error err;
    put("cgroup.controllers", "cpuset cpu io memory pids\n");
    put("cgroup.subtree_control", "");
    const struct vt_limits limits = {.cpu_percent = 150, .memory_bytes = (uint64_t)512 << 20};
    assert_int_equal(vt_cgroup_create(root, "web.7", &limits, 4711, path, &err), 0);
    assert_non_null(strstr(path, "/vitrine/web.7"));
    expect("vitrine/web.7/cpu.max", "150000 100000");
    expect("vitrine/web.7/memory.max", "536870912");
    expect("vitrine/web.7/cgroup.procs", "4711");
    expect("vitrine/cgroup.subtree_control", "+memory"); /* the last write; a kernel adds them up */
}

static void only_what_was_asked_for(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct vt_error err;
    put("cgroup.controllers", "cpu\n");
    const struct vt_limits limits = {.cpu_percent = 5};
    assert_int_equal(vt_cgroup_create(root, "a", &limits, 1, path, &err), 0);
    expect("vitrine/a/cpu.max", "5000 100000");
    expect("vitrine/cgroup.subtree_control", "+cpu");
    assert_false(exists("vitrine/a/memory.max"));
}

static void missing_controllers_are_named(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct vt_error err;
    put("cgroup.controllers", "cpuset memory_recursiveprot\n");
    const struct vt_limits cpu = {.cpu_percent = 5}, memory = {.memory_bytes = 4096};
    assert_int_equal(vt_cgroup_create(root, "a", &cpu, 1, path, &err), VT_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "lacks the cpu controller"));
    assert_non_null(strstr(err.message, root));
    assert_int_equal(vt_cgroup_create(root, "a", &memory, 1, path, &err), VT_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "lacks the memory controller"));
    assert_false(exists("vitrine"));
}

static void mounts_are_searched(void **state)
{
    (void)state;
    char mounts[128], found[PATH_MAX];
    struct vt_error err;
    snprintf(mounts, sizeof mounts, "%s/mounts", root);
    assert_int_equal(vt_cgroup_find(mounts, found, &err), VT_E_UNSUPPORTED);
    put("mounts", "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n");
    assert_int_equal(vt_cgroup_find(mounts, found, &err), VT_E_UNSUPPORTED);
    put("mounts", "proc /proc proc rw 0 0\ncgroup2 /a\\040b cgroup2 rw 0 0\n");
    assert_int_equal(vt_cgroup_find(mounts, found, &err), 0);
    assert_string_equal(found, "/a b");
}

static void empty_groups_go(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/vitrine", root);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/vitrine/b", root);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/vitrine/a", root);
    assert_int_equal(mkdir(path, 0755), 0);
    vt_cgroup_remove(path);
    assert_false(exists("vitrine/a"));
    assert_true(exists("vitrine/b"));
    snprintf(path, sizeof path, "%s/vitrine/b", root);
    vt_cgroup_remove(path);
    assert_false(exists("vitrine"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TEST(limits_are_written),
        TEST(only_what_was_asked_for),
        TEST(missing_controllers_are_named),
        TEST(mounts_are_searched),
        TEST(empty_groups_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
