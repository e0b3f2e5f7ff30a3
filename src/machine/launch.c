/* machine/launch.c - see launch.h. */
#include "machine/launch.h"

#include "base/text.h"
#include "machine/machines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)

struct builder {
    char **argv;
    size_t n, room;
    bool failed;
};

static void add_one(struct builder *b, char *text)
{
    if (b->n + 1 >= b->room) {
        size_t room = b->room == 0 ? 64 : b->room * 2;
        char **argv = realloc(b->argv, room * sizeof *argv);
        if (argv == NULL) {
            b->failed = true;
            free(text);
            return;
        }
        b->argv = argv;
        b->room = room;
    }
    b->failed |= text == NULL;
    b->argv[b->n] = text;
    b->n += text != NULL;
    b->argv[b->n] = NULL;
}

/* An option and, when fmt is not NULL, its formatted value. */
static void add(struct builder *b, const char *option, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void add(struct builder *b, const char *option, const char *fmt, ...)
{
    add_one(b, strdup(option));
    if (fmt != NULL) {
        char *value = NULL;
        va_list ap;
        va_start(ap, fmt);
        if (vasprintf(&value, fmt, ap) < 0) {
            value = NULL;
        }
        va_end(ap);
        add_one(b, value);
    }
}

static void add_monitors(struct builder *b, const struct vt_launch_fds *fds)
{
    add(b, "-chardev", "socket,id=qmp-keeper,fd=%d", fds->qmp_keeper);
    add(b, "-qmp", "chardev:qmp-keeper");
    add(b, "-chardev", "socket,id=qmp,fd=%d,server=on,wait=off", fds->qmp_public);
    add(b, "-qmp", "chardev:qmp");
    for (int i = 0; i < VT_QMP_SOCKETS; i++) {
        add(b, "-chardev", "socket,id=qmp-%d,fd=%d,server=on,wait=off", i + 1, fds->qmp_tools[i]);
        add(b, "-qmp", "chardev:qmp-%d", i + 1);
    }
    add(b, "-chardev", "socket,id=console,fd=%d", fds->serial);
    add(b, "-serial", "chardev:console");
}

/* A disk that cannot boot falls through to the CD: installing and then starting need no change.
 * QEMU itself gives index 0 to what -kernel boots. */
static void add_images(struct builder *b, const struct vt_launch *l, const struct vt_machine *m)
{
    if (l->fds.disk >= 0) {
        add(b, "-add-fd", "fd=%d,set=%d,opaque=disk", l->fds.disk, VT_FDSET_DISK);
        add(b, "-blockdev",
            "driver=%s,node-name=disk0,file.driver=file,file.filename=/dev/fdset/%d",
            l->disk_format, VT_FDSET_DISK);
        add(b, "-device", "virtio-blk-%s,drive=disk0,bootindex=1", m->bus);
    }
    if (l->fds.iso >= 0) {
        add(b, "-add-fd", "fd=%d,set=%d,opaque=iso", l->fds.iso, VT_FDSET_ISO);
        add(b, "-blockdev",
            "driver=raw,node-name=cd0,read-only=on,file.driver=file,file.filename=/dev/fdset/%d",
            VT_FDSET_ISO);
        add(b, "-device", "ide-cd,drive=cd0,bootindex=2");
    }
}

/* ---- GPUs ---- */

#define GPU_WORDS_MAX 1024
#define GPUS_MAX 8

static bool is_word(const char *text);

bool vt_gpu_is_venus(const char *text)
{
    const size_t n = strlen(VT_GPU_VENUS);
    return strncmp(text, VT_GPU_VENUS, n) == 0 && (text[n] == '\0' || text[n] == ',');
}

/* Its own words are for who serves it. Its shared memory is a BAR: only PCI has that. */
static int venus_device(char *rest, const struct vt_machine *m, char *out, size_t size)
{
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        char *value = strchr(word, '=');
        if (value == NULL) {
            return -1;
        }
        *value++ = '\0';
        if (!is_word(word) || !is_word(value)) {
            return -1;
        }
    }
    snprintf(out, size,
             "vhost-user-test-device-pci,virtio-id=16,num_vqs=2,config_size=24,vq_size=256,"
             "chardev=gpu-server");
    return strcmp(m->bus, "pci") == 0 ? 0 : -1;
}

/* "virtio,outputs=2,xres=800" in QEMU's words, but for the id. Commas and words are all that comes
 * through. */
static int gpu_device(const char *text, const struct vt_machine *m, char *out, size_t size)
{
    char copy[GPU_WORDS_MAX], more[GPU_WORDS_MAX] = "", *rest = copy;
    const char *bus = m->gpu_bus, *word;
    size_t n = strlen(text), used = 0;
    if (n >= sizeof copy) {
        return -1;
    }
    memcpy(copy, text, n + 1);
    word = strsep(&rest, ",");
    if (strcmp(word, "ramfb") == 0 && rest == NULL) {
        snprintf(out, size, "ramfb");
        return 0;
    }
    if (strcmp(word, "venus") == 0) {
        return venus_device(rest, m, out, size);
    }
    if (strcmp(word, "virtio") != 0) {
        return -1;
    }
    while ((word = strsep(&rest, ",")) != NULL) {
        char *value = strchr(word, '=');
        if (value == NULL) {
            return -1;
        }
        *value++ = '\0';
        if (!is_word(word) || !is_word(value)) {
            return -1;
        }
        if (strcmp(word, "transport") == 0) {
            bool mmio = strcmp(value, "mmio") == 0;
            if (!mmio && strcmp(value, "pci") != 0) {
                return -1;
            }
            bus = mmio ? "device" : "pci";
            continue;
        }
        used += (size_t)snprintf(more + used, sizeof more - used, ",%s=%s",
                                 strcmp(word, "outputs") == 0 ? "max_outputs" : word, value);
        if (used >= sizeof more) {
            return -1;
        }
    }
    snprintf(out, size, "virtio-gpu-%s%s", bus, more);
    return 0;
}

static void add_gpus(struct builder *b, const struct vt_vm_config *c, const struct vt_machine *m,
                     int gpu_fd)
{
    char device[GPU_WORDS_MAX + 32];
    for (unsigned i = 0; c->gpus != NULL && c->gpus[i] != NULL; i++) {
        if (gpu_device(c->gpus[i], m, device, sizeof device) == 0) { /* as complete() has seen */
            if (vt_gpu_is_venus(c->gpus[i])) {
                add(b, "-chardev", "socket,id=gpu-server,fd=%d", gpu_fd);
            }
            add(b, "-device", "%s,id=gpu%u", device, i);
        }
    }
}

static int check_gpus(const struct vt_vm_config *c, const struct vt_machine *m,
                      struct vt_error *err)
{
    char device[GPU_WORDS_MAX + 32];
    unsigned venus = 0;
    for (unsigned i = 0; c->gpus != NULL && c->gpus[i] != NULL; i++) {
        if (i == GPUS_MAX) {
            return vt_fail(err, VT_E_INVAL, "%s: more than %d GPUs", c->name, GPUS_MAX);
        }
        if (gpu_device(c->gpus[i], m, device, sizeof device) != 0) {
            char shown[80];
            vt_text_printable(shown, sizeof shown, c->gpus[i], strlen(c->gpus[i]));
            return vt_fail(
                err, VT_E_INVAL,
                "%s: '%s' is neither ramfb nor virtio[,outputs=N][,transport=pci|mmio]"
                "[,PROPERTY=VALUE] nor venus[,window=SIZE][,device=NAME][,sandbox=on] on a machine "
                "with PCI",
                c->name, shown);
        }
        venus += vt_gpu_is_venus(c->gpus[i]);
        if (venus > 1) {
            return vt_fail(err, VT_E_INVAL, "%s: more than one GPU is 'venus'", c->name);
        }
    }
    return 0;
}

/* ---- all of it ---- */

int vt_launch_argv(const struct vt_launch *l, char ***argv, struct vt_error *err)
{
    const struct vt_vm_config *c = l->config;
    const struct vt_machine *m;
    int rc = vt_machine_find(c->arch, c->machine, &m, err);
    if (rc != 0) {
        return rc;
    }
    struct builder b = {0};
    uint64_t mib = c->memory_bytes / MIB;
    add(&b, l->qemu, NULL);
    add(&b, "-name", "guest=%s", c->name);
    add(&b, "-no-user-config", NULL);
    add(&b, "-nodefaults", NULL);
    add(&b, "-display", "none");
    add(&b, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    add(&b, "-machine", "%s,memory-backend=ram0%s", c->machine, m->options);
    if (l->fds.kvm >= 0) {
        add(&b, "-add-fd", "fd=%d,set=%d,opaque=kvm", l->fds.kvm, VT_FDSET_KVM);
        add(&b, "-accel", "kvm,device=/dev/fdset/%d", VT_FDSET_KVM);
    } else {
        add(&b, "-accel", "%s", c->accel);
    }
    for (int i = 0; i < VT_PLUGINS; i++) {
        if (l->fds.plugin[i] >= 0) {
            /* Under two names: QEMU takes options of one for those of one load. */
            add(&b, "-plugin", "/proc/self/fd/./%d,stays=on", l->fds.plugin[i]);
            add(&b, "-plugin", "/proc/self/fd/%d,fd=%d", l->fds.plugin[i], l->fds.segment[i]);
        }
    }
    add(&b, "-cpu", "%s", c->cpu_model);
    add(&b, "-smp", "%u", c->cpus);
    add(&b, "-m", "%" PRIu64 "M", mib);
    add(&b, "-object", "memory-backend-file,id=ram0,size=%" PRIu64 "M,mem-path=%s,share=on", mib,
        l->ram_path);
    if (m->mmio) {
        add(&b, "-global", "virtio-mmio.force-legacy=false");
    }
    if (m->no_power) {
        add(&b, "-no-reboot", NULL);
    }
    add(&b, "-device", "vmcoreinfo");
    add_monitors(&b, &l->fds);
    if (l->fds.kernel >= 0) {
        add(&b, "-kernel", "/proc/self/fd/%d", l->fds.kernel);
        add(&b, "-append", "%s", c->append);
    }
    if (l->fds.initrd >= 0) {
        add(&b, "-initrd", "/proc/self/fd/%d", l->fds.initrd);
    }
    add_images(&b, l, m);
    add_gpus(&b, c, m, l->fds.gpu);
    if (strcmp(c->net, "user") == 0) {
        add(&b, "-netdev", "user,id=net0");
        add(&b, "-device", "virtio-net-%s,netdev=net0%s", m->bus,
            strcmp(m->bus, "pci") == 0 ? ",romfile=" : "");
    }
    if (c->incoming_fd >= 0) {
        add(&b, "-incoming", "defer");
    }
    add(&b, "-S", NULL); /* the keeper starts the CPUs when all else is ready */
    for (const char *const *arg = c->qemu_args; arg != NULL && *arg != NULL; arg++) {
        add(&b, *arg, NULL);
    }
    if (b.failed) {
        vt_argv_free(b.argv);
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", c->name);
    }
    *argv = b.argv;
    return 0;
}

void vt_argv_free(char **argv)
{
    for (char **a = argv; a != NULL && *a != NULL; a++) {
        free(*a);
    }
    free(argv);
}

/* Words that stand between commas in QEMU's options. */
static bool is_word(const char *text)
{
    return text[0] != '\0' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               strlen(text);
}

int vt_vm_config_complete(const struct vt_vm_config *config, struct vt_vm_config *complete,
                          struct vt_error *err)
{
    struct vt_vm_config c = *config;
    if (c.name == NULL || !vt_name_is_valid(c.name)) {
        char shown[80];
        const char *name = c.name != NULL ? c.name : "";
        vt_text_printable(shown, sizeof shown, name, strlen(name));
        return vt_fail(err, VT_E_INVAL,
                       "'%s' is not a VM's name (1-32 letters, digits, '.', '_', '-')", shown);
    }
    c.memory_bytes = c.memory_bytes != 0 ? c.memory_bytes : 256 * MIB;
    if (c.memory_bytes < 64 * MIB || c.memory_bytes % MIB != 0 || c.memory_bytes >> 46 != 0) {
        return vt_fail(err, VT_E_INVAL,
                       "%s: memory must be at least 64 MiB and a multiple of 1 MiB", c.name);
    }
    c.cpus = c.cpus != 0 ? c.cpus : 1;
    if (c.cpus > 255) {
        return vt_fail(err, VT_E_INVAL, "%s: between 1 and 255 CPUs", c.name);
    }
    c.arch = c.arch != NULL ? c.arch : "x86_64";
    const struct vt_machine *m;
    int rc = vt_machine_find(c.arch, c.machine, &m, err);
    if (rc != 0) {
        return rc;
    }
    c.machine = c.machine != NULL ? c.machine : m->name;
    c.cpu_model = c.cpu_model != NULL ? c.cpu_model : "max";
    c.net = c.net != NULL ? c.net : "none";
    if (!is_word(c.machine)) {
        return vt_fail(err, VT_E_INVAL, "%s: '%s' is not a machine type", c.name, c.machine);
    }
    if (strcmp(c.net, "user") != 0 && strcmp(c.net, "none") != 0) {
        return vt_fail(err, VT_E_INVAL, "%s: the network is 'user' or 'none', not '%s'", c.name,
                       c.net);
    }
    if (c.accel != NULL && strcmp(c.accel, "tcg") != 0 && strcmp(c.accel, "kvm") != 0) {
        return vt_fail(err, VT_E_INVAL, "%s: the accelerator is 'tcg' or 'kvm', not '%s'", c.name,
                       c.accel);
    }
    rc = check_gpus(&c, m, err);
    if (rc != 0) {
        return rc;
    }
    if (c.iso != NULL && !m->cd) {
        return vt_fail(err, VT_E_INVAL, "%s: a machine '%s' has no CD drive", c.name, c.machine);
    }
    c.append = c.append != NULL ? c.append : m->append;
    c.incoming_fd = c.incoming_fd > 0 ? c.incoming_fd : -1;
    c.timeout_ms = c.timeout_ms != 0 ? c.timeout_ms : 30000;
    if (c.initrd != NULL && c.kernel == NULL) {
        return vt_fail(err, VT_E_INVAL, "%s: an initrd needs a kernel", c.name);
    }
    *complete = c;
    return 0;
}
