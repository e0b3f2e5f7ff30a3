/* tests/unit/machine/test_saved.c - the file of a saved VM: what was written comes back; what is
 * cut, flipped or foreign does not. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/saved.h"
#include "machine/vmdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STREAM "QEVM the stream"

static int make_file(void)
{
    json_t *about = json_pack("{s:s, s:b}", "name", "web", "running", 1);
    int fd = memfd_create("saved", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(vt_saved_begin(fd, "f", about, NULL), 0);
    assert_int_equal(vt_write_all(fd, STREAM, sizeof STREAM, "f", NULL), 0);
    json_decref(about);
    return fd;
}

static int read_back(int fd, struct vt_error *err)
{
    json_t *about = NULL;
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    int rc = vt_saved_read(fd, "f", &about, err);
    if (rc != 0) {
        assert_null(about);
        return rc;
    }
    assert_string_equal(json_string_value(json_object_get(about, "name")), "web");
    json_decref(about);
    char stream[sizeof STREAM + 1];
    assert_int_equal(read(fd, stream, sizeof stream), sizeof STREAM);
    assert_string_equal(stream, STREAM);
    return 0;
}

static void comes_back(void **state)
{
    (void)state;
    struct vt_error err;
    int fd = make_file();
    assert_int_equal(read_back(fd, &err), VT_E_CORRUPT); /* never finished */
    assert_int_equal(vt_saved_finish(fd, "f", &err), 0);
    assert_int_equal(read_back(fd, &err), 0);
    close(fd);
}

static void every_header_byte_counts(void **state)
{
    (void)state;
    struct vt_error err;
    int fd = make_file();
    assert_int_equal(vt_saved_finish(fd, "f", &err), 0);
    for (off_t at = 0; at < (off_t)VT_SAVED_HEADER_BYTES + 10; at++) {
        uint8_t was, bad;
        assert_int_equal(pread(fd, &was, 1, at), 1);
        bad = was ^ 0x41;
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        int rc = read_back(fd, &err);
        assert_true(rc == VT_E_CORRUPT || rc == VT_E_UNSUPPORTED);
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
    }
    assert_int_equal(read_back(fd, &err), 0);
    close(fd);
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    struct vt_error err;
    int fd = make_file();
    assert_int_equal(vt_saved_finish(fd, "f", &err), 0);
    off_t size = lseek(fd, 0, SEEK_END);
    while (--size >= 0) {
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(read_back(fd, &err), VT_E_CORRUPT);
    }
    close(fd);
}

static void configurations_travel(void **state)
{
    (void)state;
    static const char *const extra[] = {"-device", "virtio-rng-pci", NULL};
    static const char *const gpus[] = {"virtio,outputs=2", NULL};
    const struct vt_vm_config config = {.kernel = "/k",
                                        .append = "quiet",
                                        .memory_bytes = (uint64_t)5 << 30,
                                        .cpus = 4,
                                        .cpu_quota_percent = 150,
                                        .memory_limit_bytes = (uint64_t)6 << 30,
                                        .cpu_model = "max",
                                        .net = "user",
                                        .gpus = gpus,
                                        .qemu_args = extra};
    const struct vt_vm_info info = {.arch = "x86_64", .machine = "pc-q35-11.1", .accel = "tcg"};
    struct vt_vm_config back;
    const char **args;
    struct vt_error err;
    json_t *json = vt_vm_config_to_json(&config, &info);
    assert_int_equal(vt_vm_config_from_json(json, &back, &args, &err), 0);
    assert_string_equal(back.kernel, "/k");
    assert_null(back.initrd);
    assert_null(back.disk);
    assert_string_equal(back.append, "quiet");
    assert_string_equal(back.arch, "x86_64");
    assert_string_equal(back.machine, "pc-q35-11.1");
    assert_string_equal(back.gpus[0], "virtio,outputs=2");
    assert_null(back.gpus[1]);
    assert_string_equal(back.accel, "tcg");
    assert_int_equal(back.memory_bytes, config.memory_bytes);
    assert_int_equal(back.cpus, 4);
    assert_int_equal(back.cpu_quota_percent, 150);
    assert_int_equal(back.memory_limit_bytes, config.memory_limit_bytes);
    assert_string_equal(back.qemu_args[1], "virtio-rng-pci");
    assert_null(back.qemu_args[2]);
    free(args);

    /* One of before there were others than x86_64. */
    json_object_del(json, "arch");
    json_object_del(json, "gpus");
    assert_int_equal(vt_vm_config_from_json(json, &back, &args, &err), 0);
    assert_null(back.arch);
    assert_null(back.gpus[0]);
    free(args);

    static const struct {
        const char *key;
        const char *value;
    } bad[] = {{"cpus", "0"},
               {"cpus", "1000"},
               {"memory_bytes", "-1"},
               {"machine", "5"},
               {"arch", "5"},
               {"gpus", "[1]"},
               {"gpus", "\"virtio\""},
               {"qemu_args", "[1]"},
               {"qemu_args", "{}"},
               {"kernel", "[\"\"]"},
               {"cpu_quota_percent", "-1"},
               {"memory_limit_bytes", "-1"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *wrong = json_deep_copy(json);
        json_object_set_new(wrong, bad[i].key, json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(vt_vm_config_from_json(wrong, &back, &args, &err), VT_E_CORRUPT);
        json_decref(wrong);
    }
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(every_header_byte_counts),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(configurations_travel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
