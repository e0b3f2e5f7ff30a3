/* plugins/hybrid/plugin.c - loaded, steered, unloaded.
 *
 *   -plugin ./vitrine-hybrid-7.so,stays=on    under another name: common/follow.h
 *   -plugin vitrine-hybrid-7.so,fd=N          the segment (hybrid/segment.h), open both ways
 *
 * What is installed changes while QEMU resets the plugin (common/follow.h): so a head is hooked by
 * one set of kernels, their memory can be given back, and all code that is translated from then on
 * is seen. Until the first kernel comes nothing is instrumented.
 */
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SEGMENT_MAX ((uint64_t)1 << 32)

VT_EXPORT int qemu_plugin_version = VT_PLUGIN_API;
VT_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                  char **argv);

qemu_plugin_id_t vt_self;
struct vt_hybrid_header *vt_header;
struct vt_hybrid_control *vt_control;
struct vt_hybrid_slot *vt_slots;
struct vt_hybrid_mailbox *vt_mailbox;
struct vt_memory vt_ram = {.holds_code = vt_code_holds};
struct vt_installed vt_kernels[VT_HYBRID_SLOTS];
uint32_t vt_n_kernels;

static struct vt_hybrid_header layout; /* as it was checked */
static int segment = -1;
static bool one_vcpu;

/* ---- what is installed ---- */

/* Where QEMU mapped the RAM file, whole and from its beginning on. */
static bool find_ram(uint64_t device, uint64_t inode)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    vt_ram.base = NULL;
    vt_ram.bytes = 0;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from, to, offset, number;
        unsigned major_number, minor_number;
        char rights[8];
        if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu", &from, &to, rights, &offset,
                   &major_number, &minor_number, &number) == 7 &&
            makedev(major_number, minor_number) == device && number == inode && inode != 0 &&
            offset == 0 && strncmp(rights, "rw", 2) == 0 && rights[3] == 's' &&
            to - from > vt_ram.bytes) {
            vt_ram.base = (uint8_t *)(uintptr_t)from;
            vt_ram.bytes = to - from;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return vt_ram.base != NULL;
}

static bool take_ram(void)
{
    struct vt_hybrid_control c;
    memcpy(&c, vt_control, sizeof c);
    bool good = find_ram(c.ram_device, c.ram_inode) &&
                vt_memory_ranges(&vt_ram, c.ranges, c.n_ranges) && vt_ram.n_ranges != 0;
    if (!good) {
        vt_ram.base = NULL;
        vt_ram.n_ranges = 0;
    }
    return good;
}

static bool read_all(void *to, size_t bytes, uint64_t offset)
{
    uint8_t *at = to;
    while (bytes > 0) {
        ssize_t n = pread(segment, at, bytes, (off_t)offset);
        if (n <= 0) {
            return false;
        }
        at += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return true;
}

static uint32_t install(struct vt_installed *k, uint32_t i)
{
    struct vt_kernel *kernel = &k->kernel;
    uint32_t why = VT_HYBRID_REFUSED_IMAGE;
    if (!read_all(&kernel->d, sizeof kernel->d, layout.kernel_offset + i * layout.kernel_stride)) {
        return VT_HYBRID_REFUSED_CORRUPT;
    }
    why = vt_kernel_check(kernel);
    if (why != VT_HYBRID_REFUSED_NOT) {
        return why;
    }
    uint8_t *bytes = malloc(kernel->d.image_bytes);
    why = bytes != NULL && read_all(bytes, kernel->d.image_bytes,
                                    layout.image_offset + i * layout.image_stride)
              ? vt_kernel_image(kernel, bytes)
              : VT_HYBRID_REFUSED_IMAGE;
    free(bytes);
    return why;
}

static void drop(struct vt_installed *k)
{
    vt_kernel_drop(&k->kernel);
    memset(k, 0, sizeof *k);
}

static void take_slot(uint32_t i, bool ram)
{
    struct vt_installed *k = &vt_kernels[i];
    struct vt_hybrid_slot *s = &vt_slots[i];
    uint32_t wanted = __atomic_load_n(&s->wanted, __ATOMIC_ACQUIRE);
    if (wanted == VT_HYBRID_WANT_NONE && (k->used || s->state != VT_HYBRID_EMPTY)) {
        drop(k);
        memset((uint8_t *)s + offsetof(struct vt_hybrid_slot, heads), 0,
               sizeof *s - offsetof(struct vt_hybrid_slot, heads));
        s->refusal = s->hooks = 0;
        __atomic_store_n(&s->state, VT_HYBRID_EMPTY, __ATOMIC_RELEASE);
    } else if (wanted != VT_HYBRID_WANT_NONE && !k->used && s->state == VT_HYBRID_EMPTY) {
        uint32_t why = !one_vcpu ? VT_HYBRID_REFUSED_VCPUS : !ram ? VT_HYBRID_REFUSED_RAM : 0;
        k->slot = s;
        why = why == VT_HYBRID_REFUSED_NOT ? install(k, i) : why;
        k->used = why == VT_HYBRID_REFUSED_NOT;
        if (k->used) {
            vt_hook_installed(k);
        } else {
            drop(k);
        }
        s->refusal = why;
        __atomic_store_n(&s->state, k->used ? VT_HYBRID_INSTALLED : VT_HYBRID_REFUSED,
                         __ATOMIC_RELEASE);
    }
}

static uint32_t take_all(void)
{
    uint32_t generation = __atomic_load_n(&vt_control->generation, __ATOMIC_ACQUIRE);
    bool ram = take_ram();
    vt_hook_reset();
    vt_n_kernels = 0;
    for (uint32_t i = 0; i < VT_HYBRID_SLOTS; i++) {
        take_slot(i, ram);
        vt_n_kernels += vt_kernels[i].used;
    }
    return generation;
}

/* ---- callbacks ---- */

static void on_init(unsigned vcpu, void *unused)
{
    (void)unused;
    if (vcpu == 0) {
        vt_registers_init();
    } else {
        one_vcpu = false;
    }
    vt_follow_vcpu(vcpu);
}

static void on_translate(struct qemu_plugin_tb *tb, void *unused)
{
    (void)unused;
    vt_follow_look();
    vt_hook_translated(tb);
}

/* Also when a snapshot of the VM is loaded: the guest is somewhere else then. */
static void on_flush(void *unused)
{
    (void)unused;
    vt_canary_discard();
    vt_code_clear();
}

static void on_discontinuity(unsigned vcpu, enum qemu_plugin_discon_type type, uint64_t from,
                             uint64_t to, void *unused)
{
    (void)vcpu;
    (void)type;
    (void)from;
    (void)to;
    (void)unused;
    vt_canary_discard();
}

static void publish(unsigned vcpu, void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < VT_HYBRID_SLOTS && vcpu == 0; i++) {
        const struct vt_installed *k = &vt_kernels[i];
        if (k->used) {
            __atomic_store_n(&k->slot->heads, vt_hook_heads(k), __ATOMIC_RELAXED);
        }
    }
}

static void on_end(void *unused)
{
    (void)unused;
    __atomic_store_n(&vt_header->ended, 1, __ATOMIC_RELEASE);
}

static void instrument(void)
{
    vt_follow_translations(vt_self, one_vcpu, vt_n_kernels != 0 ? on_translate : NULL);
    if (vt_n_kernels != 0) {
        qemu_plugin_register_vcpu_discon_cb(vt_self, QEMU_PLUGIN_DISCON_ALL, on_discontinuity,
                                            NULL);
    }
}

/* No vCPU executes, no translation is left. */
static uint32_t change(void)
{
    vt_canary_forget();
    vt_code_clear();
    uint32_t generation = take_all();
    instrument();
    return generation;
}

static bool counts(void)
{
    return __atomic_load_n(&vt_n_kernels, __ATOMIC_RELAXED) != 0;
}

/* ---- loading ---- */

static bool lies(uint64_t offset, uint64_t n, uint64_t stride, uint64_t one, uint64_t end)
{
    return offset % VT_HYBRID_PAGE == 0 && offset >= VT_HYBRID_PAGE && offset <= end &&
           stride >= one && stride <= SEGMENT_MAX && n * stride <= end - offset;
}

static const char *check(const struct vt_hybrid_header *h, uint64_t bytes)
{
    if (bytes < sizeof *h || bytes > SEGMENT_MAX ||
        memcmp(h->magic, VT_HYBRID_MAGIC, sizeof h->magic) != 0) {
        return "the segment is not one of kernels";
    }
    if (h->version != VT_HYBRID_VERSION || h->header_bytes != sizeof *h ||
        h->slots != VT_HYBRID_SLOTS || h->slot_bytes != sizeof(struct vt_hybrid_slot)) {
        return "the segment is of another version";
    }
    if (h->plugin_api != 0) {
        return "the segment was used before";
    }
    /* What is mapped: all before the kernels. */
    uint64_t mapped = h->kernel_offset;
    if (mapped > bytes ||
        !lies(h->control_offset, 1, VT_HYBRID_PAGE, sizeof(struct vt_hybrid_control), mapped) ||
        !lies(h->slot_offset, h->slots, h->slot_bytes, h->slot_bytes, mapped) ||
        !lies(h->mailbox_offset, 1, sizeof(struct vt_hybrid_mailbox),
              sizeof(struct vt_hybrid_mailbox), mapped) ||
        !lies(h->kernel_offset, h->slots, h->kernel_stride, sizeof(struct vt_hybrid_kernel),
              bytes) ||
        !lies(h->image_offset, h->slots, h->image_stride, VT_HYBRID_IMAGE_BYTES, bytes)) {
        return "the segment's parts do not fit";
    }
    return NULL;
}

static const char *take(int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return "no segment (fd=N)";
    }
    if (pread(fd, &layout, sizeof layout, 0) != sizeof layout) {
        return "the segment cannot be read";
    }
    const char *why = check(&layout, (uint64_t)st.st_size);
    if (why != NULL) {
        return why;
    }
    uint8_t *base = mmap(NULL, layout.kernel_offset, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return "cannot map the segment";
    }
    /* QEMU may close what it was started with. */
    segment = dup(fd);
    vt_header = (struct vt_hybrid_header *)base;
    vt_control = (struct vt_hybrid_control *)(base + layout.control_offset);
    vt_slots = (struct vt_hybrid_slot *)(base + layout.slot_offset);
    vt_mailbox = (struct vt_hybrid_mailbox *)(base + layout.mailbox_offset);
    return segment >= 0 ? NULL : "no descriptor is left";
}

static int refused(const char *why)
{
    fprintf(stderr, "vitrine-hybrid: %s\n", why);
    return 1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    if (vt_follow_stays(id, argc, argv)) {
        qemu_plugin_register_vcpu_init_cb(id, on_init, NULL);
        qemu_plugin_register_flush_cb(id, on_flush, NULL);
        qemu_plugin_register_atexit_cb(id, on_end, NULL);
        return 0;
    }
    const char *why = NULL;
    if (!info->system_emulation || strcmp(info->target_name, "x86_64") != 0) {
        why = "only x86_64 machines have kernels";
    }
    why = why != NULL ? why : take(vt_follow_descriptor(argc, argv));
    if (why != NULL) {
        return refused(why);
    }
    vt_self = id;
    one_vcpu = info->system.max_vcpus == 1;
    vt_header->qemu_pid = (uint64_t)getpid();
    vt_header->vcpus = (uint32_t)info->system.smp_vcpus;
    vt_hook_init();
    uint32_t generation = take_all();
    instrument();
    const struct vt_following f = {.self = id,
                                   .plugin_api = &vt_header->plugin_api,
                                   .ended = &vt_header->ended,
                                   .generation = &vt_control->generation,
                                   .seen = &vt_control->seen,
                                   .configure = change,
                                   .counts = counts,
                                   .publish = publish};
    why = vt_follow_start(&f, generation);
    return why == NULL ? 0 : refused(why);
}
