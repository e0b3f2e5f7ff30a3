/* tests/unit/machine/test_launch.c - a VM's configuration: its defaults and limits, and the QEMU
 * command line it becomes. */
#include "tests/unit/harness.h"

#include "machine/launch.h"
#include "machine/machines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *joined(char **argv)
{
    char *text = NULL;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);
    assert_non_null(f);
    for (; *argv != NULL; argv++) {
        fprintf(f, "%s\n", *argv);
    }
    fclose(f);
    return text;
}

static void check(struct vt_launch *launch, const struct vt_vm_config *config, const char *want)
{
    struct vt_vm_config complete;
    struct vt_error err;
    char **argv;
    assert_int_equal(vt_vm_config_complete(config, &complete, &err), 0);
    complete.accel = complete.accel != NULL ? complete.accel : "tcg";
    launch->config = &complete;
    assert_int_equal(vt_launch_argv(launch, &argv, &err), 0);
    char *text = joined(argv);
    assert_string_equal(text, want);
    free(text);
    vt_argv_free(argv);
}

#define MONITORS                                                                                   \
    "-chardev\nsocket,id=qmp-keeper,fd=3\n-qmp\nchardev:qmp-keeper\n"                              \
    "-chardev\nsocket,id=qmp,fd=5,server=on,wait=off\n-qmp\nchardev:qmp\n"                         \
    "-chardev\nsocket,id=qmp-1,fd=6,server=on,wait=off\n-qmp\nchardev:qmp-1\n"                     \
    "-chardev\nsocket,id=qmp-2,fd=7,server=on,wait=off\n-qmp\nchardev:qmp-2\n"                     \
    "-chardev\nsocket,id=qmp-3,fd=8,server=on,wait=off\n-qmp\nchardev:qmp-3\n"                     \
    "-chardev\nsocket,id=qmp-4,fd=9,server=on,wait=off\n-qmp\nchardev:qmp-4\n"                     \
    "-chardev\nsocket,id=console,fd=4\n-serial\nchardev:console\n"
#define BEFORE(name, machine, accel, cpu, smp, mib)                                                \
    BEFORE_ON(name, machine, "", accel, cpu, smp, mib, "")
/* `more` of the machine's options, `devices` before the first one. */
#define BEFORE_ON(name, machine, more, accel, cpu, smp, mib, devices)                              \
    "qemu\n-name\nguest=" name "\n-no-user-config\n-nodefaults\n-display\nnone\n"                  \
    "-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"          \
    "-machine\n" machine ",memory-backend=ram0" more "\n-accel\n" accel "\n-cpu\n" cpu             \
    "\n-smp\n" smp "\n-m\n" mib "M\n-object\nmemory-backend-file,id=ram0,size=" mib                \
    "M,mem-path=/dev/shm/ram,share=on\n" devices "-device\nvmcoreinfo\n"

static struct vt_launch base_launch(void)
{
    struct vt_launch launch = {.qemu = "qemu",
                               .ram_path = "/dev/shm/ram",
                               .disk_format = "qcow2",
                               .fds = VT_LAUNCH_FDS_NONE};
    launch.fds.qmp_keeper = 3;
    launch.fds.serial = 4;
    launch.fds.qmp_public = 5;
    for (int i = 0; i < VT_QMP_SOCKETS; i++) {
        launch.fds.qmp_tools[i] = 6 + i;
    }
    return launch;
}

static void a_kernel_with_defaults(void **state)
{
    (void)state;
    struct vt_launch launch = base_launch();
    launch.fds.kernel = 10;
    launch.fds.initrd = 11;
    check(&launch, &(struct vt_vm_config){.name = "a", .kernel = "k", .initrd = "i"},
          BEFORE("a", "q35", "tcg", "max", "1", "256") MONITORS
          "-kernel\n/proc/self/fd/10\n-append\nconsole=ttyS0\n"
          "-initrd\n/proc/self/fd/11\n-S\n");
}

#define STAYS "-plugin\n/proc/self/fd/./"

static void a_plugin(void **state)
{
    (void)state;
    struct vt_launch launch = base_launch();
    launch.fds.plugin[VT_PLUGIN_TRACE] = 20;
    launch.fds.segment[VT_PLUGIN_TRACE] = 21;
    check(&launch, &(struct vt_vm_config){.name = "p"},
          BEFORE("p", "q35", "tcg\n" STAYS "20,stays=on\n-plugin\n/proc/self/fd/20,fd=21", "max",
                 "1", "256") MONITORS "-S\n");
    launch.fds.plugin[VT_PLUGIN_HYBRID] = 22;
    launch.fds.segment[VT_PLUGIN_HYBRID] = 23;
    check(&launch, &(struct vt_vm_config){.name = "p"},
          BEFORE("p", "q35",
                 "tcg\n" STAYS "20,stays=on\n-plugin\n/proc/self/fd/20,fd=21\n" STAYS
                 "22,stays=on\n-plugin\n/proc/self/fd/22,fd=23",
                 "max", "1", "256") MONITORS "-S\n");
}

static void everything_given(void **state)
{
    (void)state;
    static const char *const extra[] = {"-device", "virtio-rng-pci", NULL};
    struct vt_launch launch = base_launch();
    launch.fds.disk = 12;
    launch.fds.iso = 13;
    check(&launch,
          &(struct vt_vm_config){.name = "b.c-d_e",
                                 .disk = "d",
                                 .iso = "i",
                                 .memory_bytes = (uint64_t)4 << 30,
                                 .cpus = 3,
                                 .machine = "pc",
                                 .accel = "kvm",
                                 .cpu_model = "host",
                                 .net = "user",
                                 .incoming_fd = 14,
                                 .qemu_args = extra},
          BEFORE("b.c-d_e", "pc", "kvm", "host", "3", "4096") MONITORS
          "-add-fd\nfd=12,set=1,opaque=disk\n-blockdev\ndriver=qcow2,node-name=disk0,"
          "file.driver=file,file.filename=/dev/fdset/1\n"
          "-device\nvirtio-blk-pci,drive=disk0,bootindex=1\n"
          "-add-fd\nfd=13,set=2,opaque=iso\n-blockdev\ndriver=raw,node-name=cd0,"
          "read-only=on,file.driver=file,file.filename=/dev/fdset/2\n"
          "-device\nide-cd,drive=cd0,bootindex=2\n"
          "-netdev\nuser,id=net0\n-device\nvirtio-net-pci,netdev=net0,romfile=\n"
          "-incoming\ndefer\n"
          "-S\n-device\nvirtio-rng-pci\n");
}

#define MODERN "-global\nvirtio-mmio.force-legacy=false\n"

static void other_machines(void **state)
{
    (void)state;
    struct vt_launch launch = base_launch();
    static const char *const gpus[] = {"virtio,outputs=2,xres=800,transport=pci", "ramfb", "virtio",
                                       NULL};
    launch.fds.kernel = 10;
    check(&launch,
          &(struct vt_vm_config){
              .name = "a", .arch = "aarch64", .kernel = "k", .gpus = gpus, .net = "user"},
          BEFORE_ON("a", "virt", "", "tcg", "max", "1", "256", MODERN) MONITORS
          "-kernel\n/proc/self/fd/10\n-append\nconsole=ttyAMA0\n"
          "-device\nvirtio-gpu-pci,max_outputs=2,xres=800,id=gpu0\n"
          "-device\nramfb,id=gpu1\n-device\nvirtio-gpu-device,id=gpu2\n"
          "-netdev\nuser,id=net0\n-device\nvirtio-net-pci,netdev=net0,romfile=\n-S\n");
    check(&launch, &(struct vt_vm_config){.name = "a", .arch = "riscv64", .kernel = "k"},
          BEFORE_ON("a", "virt", "", "tcg", "max", "1", "256", MODERN) MONITORS
          "-kernel\n/proc/self/fd/10\n-append\nconsole=ttyS0\n-S\n");
    launch.fds.disk = 12;
    check(&launch,
          &(struct vt_vm_config){.name = "a",
                                 .machine = "microvm",
                                 .kernel = "k",
                                 .append = "",
                                 .disk = "d",
                                 .gpus = gpus + 2,
                                 .net = "user"},
          BEFORE_ON("a", "microvm", ",acpi=off", "tcg", "max", "1", "256", MODERN "-no-reboot\n")
              MONITORS "-kernel\n/proc/self/fd/10\n-append\n\n"
                       "-add-fd\nfd=12,set=1,opaque=disk\n-blockdev\ndriver=qcow2,node-name=disk0,"
                       "file.driver=file,file.filename=/dev/fdset/1\n"
                       "-device\nvirtio-blk-device,drive=disk0,bootindex=1\n"
                       "-device\nvirtio-gpu-device,id=gpu0\n"
                       "-netdev\nuser,id=net0\n-device\nvirtio-net-device,netdev=net0\n-S\n");
}

static void versions_of_machines(void **state)
{
    (void)state;
    static const struct {
        const char *arch, *name, *want;
    } cases[] = {
        {"x86_64", NULL, "q35"},           {"x86_64", "pc-q35-9.0", "q35"},
        {"x86_64", "pc-i440fx-2.1", "pc"}, {"x86_64", "pc", "pc"},
        {"x86_64", "microvm", "microvm"},  {"x86_64", "xenpv", "q35"},
        {"aarch64", "virt-11.1", "virt"},  {"riscv64", "virt", "virt"},
    };
    const struct vt_machine *m = NULL;
    struct vt_error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(vt_machine_find(cases[i].arch, cases[i].name, &m, &err), 0);
        assert_string_equal(m->name, cases[i].want);
        assert_string_equal(m->arch, cases[i].arch);
    }
    assert_int_equal(vt_machine_find("arm", NULL, &m, &err), VT_E_INVAL);
}

static void ranges(void **state)
{
    (void)state;
    static const char *const bad_gpus[] = {"virtio,xres",
                                           "virtio,transport=ccw",
                                           "virtio,id=a b",
                                           "virtio,,",
                                           "ramfb,x=1",
                                           "cirrus",
                                           "",
                                           NULL};
    static const char *const too_many_gpus[] = {"ramfb", "ramfb", "ramfb", "ramfb", "ramfb",
                                                "ramfb", "ramfb", "ramfb", "ramfb", NULL};
    static const struct vt_vm_config bad[] = {
        {.name = NULL},
        {.name = ""},
        {.name = "../x"},
        {.name = ".hidden"},
        {.name = "a,b"},
        {.name = "a\x1b[2J"},
        {.name = "a", .memory_bytes = 63 << 20},
        {.name = "a", .memory_bytes = (64 << 20) + 1},
        {.name = "a", .memory_bytes = (uint64_t)1 << 60},
        {.name = "a", .cpus = 256},
        {.name = "a", .machine = "q35,dump-guest-core=on"},
        {.name = "a", .machine = ""},
        {.name = "a", .net = "tap"},
        {.name = "a", .accel = "xen"},
        {.name = "a", .initrd = "i"},
        {.name = "a", .arch = "s390x"},
        {.name = "a", .arch = ""},
        {.name = "a", .arch = "aarch64", .iso = "i"},
        {.name = "a", .machine = "microvm", .iso = "i"},
        {.name = "a", .gpus = bad_gpus},
        {.name = "a", .gpus = bad_gpus + 1},
        {.name = "a", .gpus = bad_gpus + 2},
        {.name = "a", .gpus = bad_gpus + 3},
        {.name = "a", .gpus = bad_gpus + 4},
        {.name = "a", .gpus = bad_gpus + 5},
        {.name = "a", .gpus = bad_gpus + 6},
        {.name = "a", .gpus = too_many_gpus},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vt_vm_config complete = {.cpus = 77};
        struct vt_error err;
        assert_int_equal(vt_vm_config_complete(&bad[i], &complete, &err), VT_E_INVAL);
        assert_int_equal(complete.cpus, 77);
        assert_null(strpbrk(err.message, "\x1b\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_with_defaults), cmocka_unit_test(a_plugin),
        cmocka_unit_test(everything_given),       cmocka_unit_test(other_machines),
        cmocka_unit_test(versions_of_machines),   cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
