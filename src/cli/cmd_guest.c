/* cli/cmd_guest.c - `vitrine guest`: makes guests to run. */
#include "cli/vm.h"

#include "base/io.h"
#include "base/paths.h"
#include "machine/alpine.h"
#include "machine/console_client.h"
#include "machine/guest_image.h"
#include "machine/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISK_DEFAULT ((uint64_t)4 << 30)
#define DISK_LEAST ((uint64_t)1 << 30)
#define MEMORY_DEFAULT ((uint64_t)512 << 20)
#define INSTALL_DEFAULT_NS (UINT64_C(1800) * 1000000000)
#define END_MS 10000

static int build(const struct vt_args *args)
{
    struct vt_guest_wants wants;
    struct vt_guest_image image;
    struct vt_error err;
    const char *out = vt_args_value(args, "out");
    int rc = vt_cli_guest_wants(args, &wants, &err);
    if (rc == 0) {
        rc = out != NULL ? vt_guest_build(out, &wants, &image, &err)
                         : vt_guest_default(&wants, &image, &err);
    }
    vt_cli_guest_wants_free(&wants);
    if (rc != 0) {
        return vt_report(args, &err);
    }
    static const struct vt_column columns[] = {
        {.key = "kernel", .title = "KERNEL", .kind = VT_CELL_TEXT},
        {.key = "initrd", .title = "INITRD", .kind = VT_CELL_TEXT},
        {.key = "append", .title = "APPEND", .kind = VT_CELL_TEXT},
    };
    struct vt_rows *rows;
    if (vt_rows_create(args, columns, 3, &rows, &err) != 0) {
        return vt_report(args, &err);
    }
    vt_cell_text(rows, image.kernel);
    vt_cell_text(rows, image.initrd);
    vt_cell_text(rows, image.append);
    return vt_rows_finish(rows);
}

/* ---------------------------------------------------------------- alpine */

static void show_progress(void *arg, const char *text)
{
    (void)arg;
    vt_progress("%s", text);
}

static int install_in(struct vt_vm *vm, uint64_t deadline_ns, struct vt_error *err)
{
    const struct vt_alpine alpine = {
        .disk = "/dev/vda",
        .hostname = "alpine",
        .deadline_ns = deadline_ns,
        .stop = &vt_interrupted,
        .progress = show_progress,
    };
    int fd;
    int rc = vt_console_open(vm, true, &fd, err);
    if (rc == 0) {
        rc = vt_alpine_install(fd, &alpine, err);
        vt_close(&fd);
    }
    return rc;
}

/* Boots the ISO with the disk, installs, and ends the VM whatever happened. */
static int install_with(const struct vt_vm_config *config, uint64_t deadline_ns,
                        struct vt_error *err)
{
    struct vt_vm *vm;
    int rc = vt_vm_start(config, vt_cli_services, &vt_interrupted, err);
    rc = rc != 0 ? rc : vt_vm_open(config->name, &vm, err);
    if (rc != 0) {
        return rc;
    }
    rc = install_in(vm, deadline_ns, err);
    if (rc == 0) {
        rc = vt_vm_stop(vm, END_MS, &vt_interrupted, err);
        rc = rc == VT_E_GONE || rc == VT_E_NOT_FOUND ? 0 : rc;
    } else {
        vt_vm_kill(vm, NULL);
    }
    vt_vm_close(vm);
    return rc;
}

/* The disk has a name of its own until it is whole. */
static int make_alpine(const char *out, struct vt_vm_config *config, uint64_t disk_bytes,
                       uint64_t deadline_ns, struct vt_error *err)
{
    char name[VT_VM_NAME_MAX + 1], part[PATH_MAX];
    if (access(config->iso, R_OK) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", config->iso);
    }
    if (access(out, F_OK) == 0) {
        return vt_fail(err, VT_E_EXISTS, "%s is there already", out);
    }
    int rc = vt_path_format(part, err, "%s.part-%d", out, (int)getpid());
    rc = rc != 0 ? rc : vt_qcow2_create(part, disk_bytes, err);
    if (rc != 0) {
        return rc;
    }
    snprintf(name, sizeof name, "alpine-%d", (int)getpid());
    config->name = name;
    config->disk = part;
    rc = install_with(config, deadline_ns, err);
    if (rc == 0 && link(part, out) != 0) {
        rc = vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", out);
    }
    unlink(part);
    config->name = config->disk = NULL;
    return rc;
}

static int alpine(const struct vt_args *args)
{
    struct vt_vm_config config = {
        .iso = vt_args_operand(args, 1),
        .accel = vt_args_value(args, "accel"),
        .net = "user",
    };
    uint64_t disk_bytes, timeout_ns;
    struct vt_error err;
    int rc = vt_args_bytes(args, "size", DISK_DEFAULT, &disk_bytes);
    rc = rc != 0 ? rc : vt_args_bytes(args, "memory", MEMORY_DEFAULT, &config.memory_bytes);
    rc = rc != 0 ? rc : vt_args_duration(args, "timeout", INSTALL_DEFAULT_NS, &timeout_ns);
    if (rc != 0) {
        return rc;
    }
    if (disk_bytes < DISK_LEAST || disk_bytes > VT_QCOW2_BYTES_MAX || disk_bytes % 512 != 0) {
        return vt_usage_error(args, "--size: from 1G to 4T");
    }
    const char **extra = vt_args_values(args, "qemu-arg");
    if (extra == NULL) {
        vt_fail(&err, VT_E_NOMEM, "out of memory");
        return vt_report(args, &err);
    }
    config.qemu_args = extra;
    const char *out = vt_args_operand(args, 2);
    uint64_t deadline_ns = vt_deadline_ms(timeout_ns / 1000000);
    rc = make_alpine(out, &config, disk_bytes, deadline_ns, &err);
    vt_progress("%s", "");
    free(extra);
    if (rc != 0) {
        return vt_report(args, &err);
    }
    static const struct vt_column columns[] = {
        {.key = "disk", .title = "DISK", .kind = VT_CELL_TEXT}};
    struct vt_rows *rows;
    if (vt_rows_create(args, columns, 1, &rows, &err) != 0) {
        return vt_report(args, &err);
    }
    vt_cell_text(rows, out);
    return vt_rows_finish(rows);
}

static int run(const struct vt_args *args)
{
    const char *what = vt_args_operand(args, 0);
    unsigned n = vt_args_operands(args);
    if (strcmp(what, "build") == 0) {
        return n == 1 ? build(args) : vt_usage_error(args, "build takes no operands");
    }
    if (strcmp(what, "alpine") == 0) {
        return n == 3 ? alpine(args) : vt_usage_error(args, "alpine needs ISO and OUT");
    }
    return vt_usage_error(args, "'%s' is not one of: build, alpine", what);
}

static const struct vt_option options[] = {
    {"out", "DIR", "build: write kernel, initrd and append into DIR", false},
    VT_CLI_GUEST_OPTIONS("build: "),
    {"size", "SIZE", "alpine: of the disk, from 1G (default: 4G)", false},
    {"memory", "SIZE", "alpine: RAM while installing (default: 512M)", false},
    {"accel", "NAME", "alpine: as in 'vitrine run'", false},
    {"qemu-arg", "ARG", "alpine: one more argument for QEMU", true},
    {"timeout", "TIME", "alpine: for the whole installation (default: 30m)", false},
    {0},
};

const struct vt_verb vt_verb_guest = {
    .name = "guest",
    .group = "Machines",
    .summary = "Make guests to run",
    .operands = "build | alpine ISO OUT",
    .min_operands = 1,
    .max_operands = 3,
    .options = options,
    .description =
        "'guest build' makes the default guest: a Debian cloud kernel with an initramfs that "
        "holds\n"
        "busybox, an SSH daemon and a web server. The same inputs give the same bytes. 'vitrine\n"
        "run' makes it by itself when it is given nothing else to boot.\n\n"
        "'guest alpine' boots an Alpine 'virt' ISO with an empty disk, drives its installer over\n"
        "the serial console and leaves a qcow2 image in OUT. The installed system logs root in on\n"
        "the serial console by itself; root has no password. No mirror is asked.",
    .examples = "  vitrine guest build --out guest\n"
                "  vitrine guest alpine alpine-virt-3.20.3-x86_64.iso alpine.qcow2 --size 8G\n"
                "  vitrine run alpine --disk alpine.qcow2 --net user",
    .run = run,
};
