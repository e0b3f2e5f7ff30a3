/* cli/cmd_run.c - `vitrine run`: starts a VM. */
#include "cli/vm.h"

#include "base/paths.h"
#include "base/text.h"
#include "machine/guest_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_numbers(const struct vt_args *args, struct vt_vm_config *config)
{
    uint64_t cpus, quota, timeout_ns;
    int rc = vt_args_bytes(args, "memory", 0, &config->memory_bytes);
    rc = rc != 0 ? rc : vt_args_u64(args, "cpus", 0, &cpus);
    rc = rc != 0 ? rc : vt_args_u64(args, "cpu-quota", 0, &quota);
    rc = rc != 0 ? rc : vt_args_bytes(args, "memory-limit", 0, &config->memory_limit_bytes);
    rc = rc != 0 ? rc : vt_args_duration(args, "timeout", 0, &timeout_ns);
    if (rc != 0) {
        return rc;
    }
    if (vt_args_value(args, "cpus") != NULL && (cpus == 0 || cpus > 255)) {
        return vt_usage_error(args, "--cpus: between 1 and 255");
    }
    if (quota > 100 * 255) {
        return vt_usage_error(args, "--cpu-quota: percent of one core, at most 25500");
    }
    config->cpus = (unsigned)cpus;
    config->cpu_quota_percent = (unsigned)quota;
    config->timeout_ms = timeout_ns / 1000000;
    return 0;
}

/* Its initramfs alone is a few dozen MiB. */
static const uint64_t mesa_memory = (uint64_t)512 << 20;

static bool is_mesa(const struct vt_args *args)
{
    const char *guest = vt_args_value(args, "guest");
    return guest != NULL && strcmp(guest, "mesa") == 0;
}

/* Without anything to boot, the default guest; --append then adds to its command line. */
static int use_default_guest(const struct vt_args *args, struct vt_vm_config *config,
                             struct vt_guest_image *image, char *append, size_t append_size,
                             struct vt_error *err)
{
    struct vt_guest_wants wants;
    int rc = vt_cli_guest_wants(args, &wants, err);
    wants.mesa = is_mesa(args);
    rc = rc != 0 ? rc : vt_guest_default(&wants, image, err);
    vt_cli_guest_wants_free(&wants);
    if (rc != 0) {
        return rc;
    }
    const char *more = config->append;
    int n = snprintf(append, append_size, "%s%s%s", image->append, more != NULL ? " " : "",
                     more != NULL ? more : "");
    if (n < 0 || (size_t)n >= append_size) {
        return vt_fail(err, VT_E_INVAL, "--append: longer than %zu bytes", append_size);
    }
    config->kernel = image->kernel;
    config->initrd = config->initrd != NULL ? config->initrd : image->initrd;
    config->append = append;
    if (wants.mesa && config->memory_bytes == 0) {
        config->memory_bytes = mesa_memory;
    }
    return 0;
}

/* What gpu-card does when nobody says: it can be looked at until it is ended. */
static const char card_script[] = "card 1280x800 gpu-card; animate 300 60; follow";
static const char card_gpu[] = "virtio";

/* The kernel of ours that needs no operating system; its command line is a script. */
static int use_card(struct vt_vm_config *config, char kernel[PATH_MAX], struct vt_error *err)
{
    char file[64];
    const char *arch = config->arch != NULL ? config->arch : "x86_64";
    if (snprintf(file, sizeof file, "gpu-card-%s", arch) >= (int)sizeof file) {
        return vt_fail(err, VT_E_INVAL, "--arch: no such architecture");
    }
    int rc = vt_path_lib(file, kernel, err);
    config->kernel = kernel;
    config->append = config->append != NULL ? config->append : card_script;
    return rc;
}

/* What to boot, when no kernel, disk or CD is given. */
static int use_guest(const struct vt_args *args, struct vt_vm_config *config,
                     struct vt_guest_image *image, char *append, size_t append_size,
                     struct vt_error *err)
{
    const char *guest = vt_args_value(args, "guest");
    if (guest == NULL || strcmp(guest, "linux") == 0 || is_mesa(args)) {
        if (config->arch != NULL && strcmp(config->arch, "x86_64") != 0) {
            return vt_fail(err, VT_E_UNSUPPORTED,
                           "the default guest is for x86_64: give --kernel, or --guest gpu-card");
        }
        return use_default_guest(args, config, image, append, append_size, err);
    }
    if (strcmp(guest, "gpu-card") == 0) {
        return use_card(config, image->kernel, err);
    }
    return vt_fail(err, VT_E_INVAL, "--guest: '%.32s' is neither linux, mesa nor gpu-card", guest);
}

/* --qemu-arg, and what a guest wants of QEMU besides. NULL: out of memory. */
static const char **collect_qemu_args(const struct vt_args *args, const struct vt_vm_config *config)
{
    const char *guest = vt_args_value(args, "guest");
    bool bare = guest != NULL && strcmp(guest, "gpu-card") == 0 && config->arch != NULL &&
                strcmp(config->arch, "riscv64") == 0;
    const char **given = vt_args_values(args, "qemu-arg");
    if (given == NULL || !bare) {
        return given;
    }
    size_t n = 0;
    while (given[n] != NULL) {
        n++;
    }
    const char **all = calloc(n + 3, sizeof *all);
    if (all != NULL) { /* it is the firmware itself */
        all[0] = "-bios";
        all[1] = "none";
        memcpy(all + 2, given, n * sizeof *all);
    }
    free(given);
    return all;
}

/* No failure: a kernel that panics may be what is wanted. */
static void warn_of_little_memory(const struct vt_vm_config *config)
{
    char has[32], needs[32];
    if (config->memory_bytes != 0 && config->memory_bytes < VT_GUEST_LEAST_BYTES) {
        fprintf(stderr, "vitrine run: %s: the default guest needs %s to boot, and has %s\n",
                config->name, vt_format_bytes(needs, sizeof needs, VT_GUEST_LEAST_BYTES),
                vt_format_bytes(has, sizeof has, config->memory_bytes));
    }
}

extern const struct vt_verb vt_verb_run;

/* As it was: nothing else may be said. */
static int run_again(const struct vt_args *args)
{
    struct vt_error err;
    for (const struct vt_option *o = vt_verb_run.options; o->name != NULL; o++) {
        bool given =
            o->value != NULL ? vt_args_value(args, o->name) != NULL : vt_args_flag(args, o->name);
        if (given && strcmp(o->name, "again") != 0) {
            return vt_usage_error(args, "--again: with what it had, and so without --%s", o->name);
        }
    }
    return vt_vm_start_again(vt_args_operand(args, 0), vt_cli_services, &vt_interrupted, &err) == 0
               ? VT_EXIT_OK
               : vt_report(args, &err);
}

static int run(const struct vt_args *args)
{
    if (vt_args_flag(args, "again")) {
        return run_again(args);
    }
    struct vt_vm_config config = {
        .name = vt_args_operand(args, 0),
        .kernel = vt_args_value(args, "kernel"),
        .initrd = vt_args_value(args, "initrd"),
        .append = vt_args_value(args, "append"),
        .disk = vt_args_value(args, "disk"),
        .iso = vt_args_value(args, "iso"),
        .arch = vt_args_value(args, "arch"),
        .machine = vt_args_value(args, "machine"),
        .accel = vt_args_value(args, "accel"),
        .cpu_model = vt_args_value(args, "cpu"),
        .net = vt_args_value(args, "net"),
        .user = vt_args_value(args, "user"),
        .paused = vt_args_flag(args, "paused"),
        .no_trace = vt_args_flag(args, "no-trace"),
        .no_accel = vt_args_flag(args, "no-accel"),
    };
    int rc = read_numbers(args, &config);
    if (rc != 0) {
        return rc;
    }
    struct vt_error err;
    struct vt_guest_image image;
    char append[2048];
    const bool own = config.kernel != NULL || config.disk != NULL || config.iso != NULL;
    const bool linux_guest =
        !own && (vt_args_value(args, "guest") == NULL ||
                 strcmp(vt_args_value(args, "guest"), "linux") == 0 || is_mesa(args));
    if (own && vt_args_value(args, "guest") != NULL) {
        return vt_usage_error(args, "--guest goes without --kernel, --disk and --iso");
    }
    if (!linux_guest &&
        (vt_args_value(args, "kernel-tree") != NULL || vt_args_value(args, "add") != NULL ||
         vt_args_value(args, "module") != NULL)) {
        return vt_usage_error(args, "--kernel-tree, --add and --module are of the default guest");
    }
    if (!own && use_guest(args, &config, &image, append, sizeof append, &err) != 0) {
        return vt_report(args, &err);
    }
    const char **extra = collect_qemu_args(args, &config), **gpus = vt_args_values(args, "gpu");
    if (extra == NULL || gpus == NULL) {
        free(extra);
        free(gpus);
        fputs("vitrine run: out of memory\n", stderr);
        return VT_EXIT_FAILED;
    }
    config.qemu_args = extra;
    const char *const card_gpus[] = {card_gpu, NULL};
    config.gpus = config.append == card_script && gpus[0] == NULL ? card_gpus : gpus;
    rc = vt_vm_start(&config, vt_cli_services, &vt_interrupted, &err) == 0 ? VT_EXIT_OK
                                                                           : vt_report(args, &err);
    free(extra);
    free(gpus);
    if (rc == VT_EXIT_OK && linux_guest) {
        warn_of_little_memory(&config);
    }
    return rc;
}

static const struct vt_option options[] = {
    {"again", NULL, "start a VM that ended, as it was started last", false},
    {"kernel", "FILE", "boot this Linux kernel", false},
    {"initrd", "FILE", "its initial RAM disk", false},
    {"append", "TEXT", "its command line; of the default guest: added to its own", false},
    {"guest", "NAME", "linux (default), mesa (that with Vulkan) or gpu-card (bare metal)", false},
    VT_CLI_GUEST_OPTIONS(""),
    {"disk", "FILE", "a disk image, qcow2 or raw, written to", false},
    {"iso", "FILE", "a CD image", false},
    {"memory", "SIZE", "RAM, from 64M; the default guest needs 96M (default: 256M)", false},
    {"cpus", "N", "virtual CPUs (default: 1)", false},
    {"arch", "NAME", "x86_64 (default), aarch64 or riscv64", false},
    {"machine", "TYPE", "q35 (default), pc, microvm; of other architectures virt", false},
    {"gpu", "GPU", "virtio[,outputs=N][,transport=pci|mmio][,...], ramfb, venus", true},
    {"cpu", "MODEL", "CPU model as QEMU names it (default: max)", false},
    {"accel", "NAME", "tcg or kvm (default: kvm where a trial run works, else tcg)", false},
    {"net", "NAME", "user or none (default: none)", false},
    {"paused", NULL, "do not start the CPUs: 'vitrine resume' does", false},
    {"no-trace", NULL, "without the plugin that 'vitrine trace' works with", false},
    {"no-accel", NULL, "without the plugin that 'vitrine accel' works with", false},
    {"user", "NAME", "run QEMU as this user (root only; default: a uid of its own)", false},
    {"cpu-quota", "PERCENT", "at most this much of one core (cgroup v2)", false},
    {"memory-limit", "SIZE", "at most this much memory for QEMU and its RAM (cgroup v2)", false},
    {"timeout", "TIME", "how long QEMU may take to answer (default: 30s)", false},
    {"qemu-arg", "ARG", "one more argument for QEMU", true},
    {0},
};

const struct vt_verb vt_verb_run = {
    .name = "run",
    .group = "Machines",
    .summary = "Start a virtual machine",
    .operands = "NAME",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "Starts QEMU with guest RAM in /dev/shm/qemu_ram_NAME, readable by its owner only, and\n"
        "returns when QEMU answers. A small process, the VM's keeper, stays beside QEMU: it\n"
        "serves the console and removes every file when the VM ends.\n\n"
        "Without --kernel, --disk and --iso it boots the default guest ('vitrine guest').\n\n"
        "With --guest gpu-card it boots a kernel of vitrine's own that draws with virtio-gpu and\n"
        "does what --append says; without a script it draws a test card on a GPU that it is\n"
        "given, and stays. It runs on every architecture and machine. What else vitrine tells of\n"
        "a guest's inside it tells of Linux on x86_64; memory, pictures of it, console and GPUs\n"
        "are the same everywhere. A GPU's further properties are those that QEMU has: xres,\n"
        "yres, packed, indirect_desc.\n\n"
        "With --gpu venus the guest has this host's Vulkan: a process beside QEMU is a virtio-gpu\n"
        "with a window of shared memory (window=SIZE, 1G), and carries out what Mesa's Venus\n"
        "driver in the guest sends, on the host's GPU (device=NAME: part of its name; default:\n"
        "all), with few rights (sandbox=on: fewer still). It needs QEMU 11.1 and a machine with\n"
        "PCI; --guest mesa boots a guest that has that driver ('tools/setup mesa-guest' brings\n"
        "it).\n\n"
        "A QEMU that emulates the CPUs (tcg) and can load plugins carries one that records what\n"
        "executes once it is asked to. Until then it does nothing; 'vitrine info' says where it "
        "is.\n\n"
        "Started by root, QEMU runs under a uid of its own. It never opens your files itself:\n"
        "the kernel, the disk and the CD are opened with your rights and handed over.",
    .examples = "vitrine run first\n"
                "vitrine run web --kernel vmlinuz --initrd initrd.gz --memory 1G --cpus 2\n"
                "vitrine run rt --kernel-tree /var/cache/vitrine/kernels/6.12-rt --add ./tool\n"
                "vitrine run alpine --disk alpine.qcow2 --net user\n"
                "vitrine run alpine --again\n"
                "vitrine run vulkan --guest mesa --gpu venus\n"
                "vitrine run card --arch aarch64 --guest gpu-card --gpu virtio,outputs=2",
    .run = run,
};
