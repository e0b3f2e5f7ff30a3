/* tests/unit/machine/test_vmdir.c - a VM's directory: one owner, stale ones cleaned with their RAM
 * file and nothing else's, vm.json there and back. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/vmdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64], name[VT_VM_NAME_MAX + 1], ram[64], trace[64];

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/vitrine-test-XXXXXX");
    snprintf(name, sizeof name, "unit-%d", (int)getpid());
    vt_vmdir_ram_path(name, ram, sizeof ram);
    vt_vmdir_segment_path("trace", name, trace, sizeof trace);
    return mkdtemp(root) == NULL || setenv("VITRINE_RUNTIME_DIR", root, 1) != 0;
}

static int teardown(void **state)
{
    char lock[128];
    (void)state;
    snprintf(lock, sizeof lock, "%s/.lock", root);
    unlink(lock);
    unlink(ram);
    unlink(trace);
    return rmdir(root); /* fails when something was left */
}

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* A directory as a keeper that was killed leaves it: the lock is free. */
static void leave_stale(bool with_ram)
{
    struct vt_vmdir dir;
    char path[PATH_MAX];
    assert_int_equal(vt_vmdir_create(name, &dir, NULL), 0);
    assert_int_equal(vt_vmdir_file(dir.path, "qmp.sock", path, NULL), 0);
    touch(path);
    if (with_ram) {
        assert_int_equal(vt_vmdir_file(dir.path, "ram", path, NULL), 0);
        touch(path);
    }
    close(dir.lock_fd);
}

static void one_owner(void **state)
{
    (void)state;
    struct vt_vmdir dir, other;
    struct vt_error err;
    bool live;
    assert_int_equal(vt_vmdir_is_live(name, &live, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_vmdir_create(name, &dir, &err), 0);
    struct stat st;
    assert_int_equal(stat(dir.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(vt_vmdir_create(name, &other, &err), VT_E_EXISTS);
    assert_non_null(strstr(err.message, name));
    assert_int_equal(vt_vmdir_is_live(name, &live, &err), 0);
    assert_true(live);
    vt_vm_clean_stale();
    struct vt_vm *vm;
    assert_int_equal(vt_vm_open(name, &vm, &err), VT_E_BUSY); /* no vm.json yet */
    assert_int_equal(vt_vm_open_settled(name, 0, NULL, &vm, &err), VT_E_TIMEOUT);
    vt_vmdir_remove(&dir);
    assert_int_equal(vt_vmdir_is_live(name, &live, &err), VT_E_NOT_FOUND);
    assert_int_equal(vt_vm_open(name, &vm, &err), VT_E_NOT_FOUND);
}

static void stale_ones_are_cleaned(void **state)
{
    (void)state;
    struct vt_vm *vm;
    struct vt_vmdir dir;
    char **names;
    size_t n;
    leave_stale(true);
    touch(ram);
    assert_int_equal(vt_vm_open(name, &vm, NULL), VT_E_NOT_FOUND);
    assert_int_equal(vt_vm_names(&names, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_string_equal(names[0], name);
    vt_vm_names_free(names, n);
    vt_vm_clean_stale();
    assert_int_equal(access(ram, F_OK), -1);
    assert_int_equal(vt_vm_names(&names, &n, NULL), 0);
    assert_int_equal(n, 0);
    vt_vm_names_free(names, n);
    leave_stale(false);
    assert_int_equal(vt_vmdir_create(name, &dir, NULL), 0); /* taken over */
    vt_vmdir_remove(&dir);
}

static void somebody_elses_ram_stays(void **state)
{
    (void)state;
    /* Not made by the stale VM. */
    touch(ram);
    leave_stale(false);
    vt_vm_clean_stale();
    assert_int_equal(access(ram, F_OK), 0);
    /* Held by the keeper of another VM of that name. */
    int fd = open(ram, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    leave_stale(true);
    vt_vm_clean_stale();
    assert_int_equal(access(ram, F_OK), 0);
    close(fd);
}

static void a_segment_goes_and_another_stays(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct vt_vmdir dir;
        touch(trace);
        assert_int_equal(vt_vmdir_create(name, &dir, NULL), 0);
        int fd = open(trace, O_RDONLY | O_CLOEXEC);
        assert_int_equal(vt_vmdir_mark_segment(dir.path, "trace", fd, NULL), 0);
        if (!ours) { /* while the marked one is there, so that it is another file for sure */
            assert_int_equal(unlink(trace), 0);
            touch(trace);
        }
        close(dir.lock_fd);
        vt_vm_clean_stale();
        close(fd);
        assert_int_equal(access(trace, F_OK), ours ? -1 : 0);
    }
}

static void names_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", ".", "..", "a/b", "-a", "a b", "012345678901234567890123456789012"};
    struct vt_vmdir dir;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vt_vmdir_create(bad[i], &dir, NULL), VT_E_INVAL);
    }
    assert_int_equal(chmod(root, 0777), 0); /* others could put things there */
    assert_int_equal(vt_vmdir_create(name, &dir, NULL), VT_E_PERM);
    assert_int_equal(chmod(root, 0700), 0);
}

static void vm_json_comes_back(void **state)
{
    (void)state;
    struct vt_vmdir dir;
    struct vt_vm_info back, info = {.attached = true,
                                    .qmp_path = "/tmp/q",
                                    .qemu_pid = 12,
                                    .keeper_pid = 13,
                                    .qemu_uid = 61184,
                                    .qemu_version = "11.1.3",
                                    .accel = "tcg",
                                    .arch = "x86_64",
                                    .machine = "pc-q35-11.1",
                                    .cpus = 3,
                                    .ram_why = "none",
                                    .ram_bytes = (uint64_t)5 << 40,
                                    .n_regions = 2,
                                    .regions = {{{0}, {0}, 4096}, {{8192}, {4096}, 8192}},
                                    .tracking = true,
                                    .trace_path = "/dev/shm/t",
                                    .trace_why = "",
                                    .hybrid_path = "/dev/shm/h",
                                    .hybrid_why = "",
                                    .kernel = "/k\xc3\xa9",
                                    .started_unix_ns = 1795232937716014067};
    strcpy(info.name, name);
    assert_int_equal(vt_vmdir_create(name, &dir, NULL), 0);
    strcpy(info.dir, dir.path);
    assert_int_equal(vt_vmdir_read(dir.path, &back, NULL, NULL), VT_E_NOT_FOUND);
    assert_int_equal(vt_vmdir_write(dir.path, &info, NULL, NULL), 0);
    memset(&back, 0, sizeof back);
    assert_int_equal(vt_vmdir_read(dir.path, &back, NULL, NULL), 0);
    assert_memory_equal(&back, &info, sizeof info);

    static const char *const damaged[] = {"", "{", "[]", "{}", "{\"vitrine\": 2}"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        char path[PATH_MAX];
        struct vt_error err;
        assert_int_equal(vt_vmdir_file(dir.path, "vm.json", path, NULL), 0);
        assert_int_equal(vt_write_file_atomic(path, damaged[i], strlen(damaged[i]), 0600, NULL), 0);
        assert_int_equal(vt_vmdir_read(dir.path, &back, NULL, &err), VT_E_CORRUPT);
        assert_non_null(strstr(err.message, path));
        assert_memory_equal(&back, &info, sizeof info);
    }
    vt_vmdir_remove(&dir);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_owner),
        TEST(stale_ones_are_cleaned),
        TEST(somebody_elses_ram_stays),
        TEST(names_that_are_none),
        TEST(vm_json_comes_back),
        TEST(a_segment_goes_and_another_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
