/* hybrid/accel.c - the segment of a VM from the side that steers: opened, kernels put in, switched,
 * counted. See vitrine/hybrid.h; the protocol is segment.h's.
 */
#include "hybrid/accel.h"

#include "base/io.h"
#include "hybrid/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLICE_NS 20000000L /* how long a wait goes without looking whether QEMU is still there */

_Static_assert(VT_ACCEL_SLOTS == VT_HYBRID_SLOTS && VT_ACCEL_DECLINES == VT_HYBRID_DECLINES,
               "the public numbers are the segment's");

struct vt_accel {
    int fd;
    uint8_t *base;
    uint64_t bytes;
    struct vt_hybrid_header layout; /* checked, and ours */
    struct vt_hybrid_header *header;
    struct vt_hybrid_control *control;
    struct vt_hybrid_slot *slots;
    bool reads_only;
};

/* ---------------------------------------------------------------- opening */

static bool part_fits(const struct vt_hybrid_header *h, uint64_t offset, uint64_t bytes)
{
    return offset % VT_HYBRID_PAGE == 0 && offset <= h->segment_bytes &&
           bytes <= h->segment_bytes - offset;
}

static bool fits(const struct vt_hybrid_header *h, uint64_t bytes)
{
    return memcmp(h->magic, VT_HYBRID_MAGIC, sizeof h->magic) == 0 &&
           h->version == VT_HYBRID_VERSION && h->segment_bytes <= bytes &&
           h->slots == VT_HYBRID_SLOTS && h->slot_bytes == sizeof(struct vt_hybrid_slot) &&
           h->kernel_stride >= sizeof(struct vt_hybrid_kernel) &&
           h->kernel_stride % VT_HYBRID_PAGE == 0 && h->kernel_stride <= ((uint64_t)1 << 24) &&
           h->image_stride == VT_HYBRID_IMAGE_BYTES &&
           part_fits(h, h->control_offset, sizeof(struct vt_hybrid_control)) &&
           part_fits(h, h->slot_offset, VT_HYBRID_SLOTS * sizeof(struct vt_hybrid_slot)) &&
           part_fits(h, h->mailbox_offset, sizeof(struct vt_hybrid_mailbox)) &&
           part_fits(h, h->kernel_offset, VT_HYBRID_SLOTS * h->kernel_stride) &&
           part_fits(h, h->image_offset, VT_HYBRID_SLOTS * h->image_stride);
}

static int map(struct vt_accel *a, const char *path, struct vt_error *err)
{
    struct stat st;
    a->fd = open(path, (a->reads_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
    if (a->fd < 0 || fstat(a->fd, &st) != 0) {
        return vt_fail_errno(err, errno == ENOENT ? VT_E_GONE : vt_code_of_errno(errno), errno,
                             "%s", path);
    }
    if (!a->reads_only && flock(a->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? vt_fail(err, VT_E_BUSY, "another accelerates this VM")
                                    : vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    a->bytes = (uint64_t)st.st_size;
    if (a->bytes < sizeof a->layout) {
        return vt_fail(err, VT_E_CORRUPT, "%s is no segment for kernels", path);
    }
    a->base =
        mmap(NULL, a->bytes, PROT_READ | (a->reads_only ? 0 : PROT_WRITE), MAP_SHARED, a->fd, 0);
    if (a->base == MAP_FAILED) {
        a->base = NULL;
        return vt_fail_errno(err, VT_E_MAP, errno, "%s", path);
    }
    a->header = (struct vt_hybrid_header *)a->base;
    a->layout = *a->header;
    if (!fits(&a->layout, a->bytes)) {
        return vt_fail(err, VT_E_CORRUPT, "%s is no segment for kernels of this version", path);
    }
    a->control = (struct vt_hybrid_control *)(a->base + a->layout.control_offset);
    a->slots = (struct vt_hybrid_slot *)(a->base + a->layout.slot_offset);
    return 0;
}

/* Where the guest's RAM lies in its file, and which file that is. */
static int tell_ram(struct vt_accel *a, const struct vt_target *target,
                    const struct vt_vm_info *info, struct vt_error *err)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(target->ram, &regions);
    struct stat st;
    if (stat(info->ram_path, &st) != 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", info->ram_path);
    }
    if (n > VT_HYBRID_RANGES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "RAM in %u pieces", n);
    }
    a->control->ram_device = st.st_dev;
    a->control->ram_inode = st.st_ino;
    for (unsigned i = 0; i < n; i++) {
        a->control->ranges[i] = (struct vt_hybrid_range){
            .gpa = regions[i].gpa.v, .bytes = regions[i].bytes, .offset = regions[i].offset.v};
    }
    a->control->n_ranges = n;
    return 0;
}

int vt_accel_open_segment(const char *path, bool reads_only, struct vt_accel **accel,
                          struct vt_error *err)
{
    struct vt_accel *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return vt_fail(err, VT_E_NOMEM, "an accelerator");
    }
    a->fd = -1;
    a->reads_only = reads_only;
    int rc = map(a, path, err);
    if (rc != 0) {
        vt_accel_close(a);
        return rc;
    }
    *accel = a;
    return 0;
}

static int open_vm(struct vt_target *target, bool reads_only, struct vt_accel **accel,
                   struct vt_error *err)
{
    if (target->vm == NULL) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s is no running VM", target->name);
    }
    const struct vt_vm_info *info = vt_vm_info(target->vm);
    if (info->hybrid_path[0] == '\0') {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be accelerated: %s", target->name,
                       info->hybrid_why);
    }
    struct vt_accel *a;
    int rc = vt_accel_open_segment(info->hybrid_path, reads_only, &a, err);
    if (rc == 0 && !reads_only) {
        rc = tell_ram(a, target, info, err);
        if (rc != 0) {
            vt_accel_close(a);
        }
    }
    if (rc == 0) {
        *accel = a;
    }
    return rc;
}

int vt_accel_open(struct vt_target *target, struct vt_accel **accel, struct vt_error *err)
{
    return open_vm(target, false, accel, err);
}

int vt_accel_open_to_read(struct vt_target *target, struct vt_accel **accel, struct vt_error *err)
{
    return open_vm(target, true, accel, err);
}

void vt_accel_close(struct vt_accel *a)
{
    if (a == NULL) {
        return;
    }
    if (a->base != NULL) {
        munmap(a->base, a->bytes);
    }
    if (a->fd >= 0) {
        close(a->fd);
    }
    free(a);
}

struct vt_hybrid_mailbox *vt_accel_mailbox(struct vt_accel *a)
{
    return (struct vt_hybrid_mailbox *)(a->base + a->layout.mailbox_offset);
}

/* ---------------------------------------------------------------- slots */

static struct vt_hybrid_kernel *kernel_of(const struct vt_accel *a, uint32_t slot)
{
    return (struct vt_hybrid_kernel *)(a->base + a->layout.kernel_offset +
                                       slot * a->layout.kernel_stride);
}

/* Pages of a sparse file that cannot be given would end us. */
static int back(const struct vt_accel *a, uint64_t offset, uint64_t bytes, struct vt_error *err)
{
    return fallocate(a->fd, 0, (off_t)offset, (off_t)bytes) == 0 || errno == EOPNOTSUPP
               ? 0
               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "room for a kernel");
}

int vt_accel_install(struct vt_accel *a, const struct vt_synth_kernel *kernel,
                     const struct vt_accel_options *options, uint32_t *slot, struct vt_error *err)
{
    uint32_t free_slot = 0;
    while (free_slot < VT_HYBRID_SLOTS &&
           (__atomic_load_n(&a->slots[free_slot].state, __ATOMIC_ACQUIRE) != VT_HYBRID_EMPTY ||
            a->slots[free_slot].wanted != VT_HYBRID_WANT_NONE)) {
        free_slot++;
    }
    if (!kernel->proven) {
        return vt_fail(err, VT_E_INVAL, "a kernel that is not proven is not run");
    }
    if (free_slot == VT_HYBRID_SLOTS) {
        return vt_fail(err, VT_E_BUSY, "all %u slots have kernels", VT_HYBRID_SLOTS);
    }
    uint64_t image_at = a->layout.image_offset + free_slot * a->layout.image_stride;
    int rc = back(a, a->layout.kernel_offset + free_slot * a->layout.kernel_stride,
                  a->layout.kernel_stride, err);
    struct vt_hybrid_kernel *d = rc == 0 ? calloc(1, sizeof *d) : NULL;
    if (rc == 0 && d == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "a kernel");
    }
    uint8_t *image = NULL;
    rc = rc != 0 ? rc : vt_hybrid_describe(kernel, options, d, &image, err);
    rc = rc != 0 ? rc : back(a, image_at, d->image_bytes, err);
    if (rc == 0) {
        memcpy(kernel_of(a, free_slot), d, sizeof *d);
        memcpy(a->base + image_at, image, d->image_bytes);
        vt_accel_use(a, free_slot, options->backend);
        __atomic_store_n(&a->slots[free_slot].wanted,
                         options->passive ? VT_HYBRID_WANT_PASSIVE : VT_HYBRID_WANT_ACTIVE,
                         __ATOMIC_RELEASE);
        *slot = free_slot;
    }
    free(image);
    free(d);
    return rc;
}

void vt_accel_remove(struct vt_accel *a, uint32_t slot)
{
    __atomic_store_n(&a->slots[slot].wanted, VT_HYBRID_WANT_NONE, __ATOMIC_RELEASE);
}

void vt_accel_switch(struct vt_accel *a, uint32_t slot, bool active)
{
    if (__atomic_load_n(&a->slots[slot].wanted, __ATOMIC_RELAXED) != VT_HYBRID_WANT_NONE) {
        __atomic_store_n(&a->slots[slot].wanted,
                         active ? VT_HYBRID_WANT_ACTIVE : VT_HYBRID_WANT_PASSIVE, __ATOMIC_RELEASE);
    }
}

void vt_accel_use(struct vt_accel *a, uint32_t slot, enum vt_accel_backend backend)
{
    __atomic_store_n(&a->slots[slot].on_host, backend == VT_ACCEL_HOST, __ATOMIC_RELEASE);
}

void vt_accel_enable(struct vt_accel *a, bool on)
{
    __atomic_store_n(&a->control->enabled, on ? 1 : 0, __ATOMIC_RELEASE);
}

bool vt_accel_enabled(const struct vt_accel *a)
{
    return __atomic_load_n(&a->control->enabled, __ATOMIC_ACQUIRE) != 0;
}

/* ---------------------------------------------------------------- generations */

bool vt_accel_gone(const struct vt_accel *a)
{
    uint64_t pid = __atomic_load_n(&a->header->qemu_pid, __ATOMIC_RELAXED);
    return __atomic_load_n(&a->header->ended, __ATOMIC_ACQUIRE) != 0 ||
           (pid != 0 && pid <= INT32_MAX && kill((pid_t)pid, 0) != 0 && errno == ESRCH);
}

int vt_accel_commit(struct vt_accel *a, uint64_t timeout_ms, struct vt_error *err)
{
    uint64_t deadline = vt_now_ns() + timeout_ms * 1000000;
    uint32_t *seen = &a->control->seen;
    uint32_t generation = __atomic_add_fetch(&a->control->generation, 1, __ATOMIC_ACQ_REL);
    (void)syscall(SYS_futex, &a->control->generation, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    for (;;) {
        uint32_t now = __atomic_load_n(seen, __ATOMIC_ACQUIRE);
        if (now == generation) {
            return 0;
        }
        if (vt_accel_gone(a)) {
            return vt_fail(err, VT_E_GONE, "QEMU ended");
        }
        if (vt_now_ns() >= deadline) {
            return vt_fail(err, VT_E_TIMEOUT, "QEMU's plugin does not answer");
        }
        struct timespec slice = {.tv_nsec = SLICE_NS};
        (void)syscall(SYS_futex, seen, FUTEX_WAIT, now, &slice, NULL, 0);
    }
}

/* ---------------------------------------------------------------- counters */

const char *vt_accel_decline_name(uint32_t decline)
{
    static const char *const names[VT_HYBRID_DECLINES] = {
        [VT_HYBRID_FEW] = "few",
        [VT_HYBRID_CODE] = "code",
        [VT_HYBRID_MODE] = "mode",
        [VT_HYBRID_ABSENT] = "absent",
        [VT_HYBRID_PROTECTED] = "protected",
        [VT_HYBRID_CLEAN] = "clean",
        [VT_HYBRID_NOT_RAM] = "not_ram",
        [VT_HYBRID_TRANSLATED] = "translated",
        [VT_HYBRID_OVERLAP] = "overlap",
        [VT_HYBRID_UNALIGNED] = "unaligned",
        [VT_HYBRID_CROSSING] = "crossing",
        [VT_HYBRID_ADDRESS] = "address",
        [VT_HYBRID_CHECKED] = "checked",
        [VT_HYBRID_WORKER] = "worker",
    };
    return decline < VT_HYBRID_DECLINES ? names[decline] : NULL;
}

const char *vt_accel_decline_text(uint32_t decline)
{
    static const char *const texts[VT_HYBRID_DECLINES] = {
        [VT_HYBRID_FEW] = "too few iterations at a time",
        [VT_HYBRID_CODE] = "not all of its code is there, or it changed",
        [VT_HYBRID_MODE] = "the CPU is not in plain 64-bit mode, or has breakpoints",
        [VT_HYBRID_ABSENT] = "a page is not there",
        [VT_HYBRID_PROTECTED] = "a page is protected",
        [VT_HYBRID_CLEAN] = "a page that it writes was never written before",
        [VT_HYBRID_NOT_RAM] = "a page is not RAM",
        [VT_HYBRID_TRANSLATED] = "it writes into pages of code",
        [VT_HYBRID_OVERLAP] = "what it reads and writes overlaps",
        [VT_HYBRID_UNALIGNED] = "an address is not aligned",
        [VT_HYBRID_CROSSING] = "an iteration's bytes lie in scattered pages and overlap",
        [VT_HYBRID_ADDRESS] = "an address is no valid one",
        [VT_HYBRID_CHECKED] = "a check within an iteration failed",
        [VT_HYBRID_WORKER] = "the GPU is not there, or busy",
    };
    return decline < VT_HYBRID_DECLINES ? texts[decline] : NULL;
}

const char *vt_accel_state_name(enum vt_accel_state state)
{
    static const char *const names[] = {"empty", "active", "passive", "refused", "disabled"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : NULL;
}

static const char *refusal_text(uint32_t refusal)
{
    static const char *const texts[] = {
        [VT_HYBRID_REFUSED_NOT] = "",
        [VT_HYBRID_REFUSED_CORRUPT] = "a count, an offset or a size is out of bounds",
        [VT_HYBRID_REFUSED_CODE] = "its code has no head",
        [VT_HYBRID_REFUSED_IMAGE] = "its image cannot be read",
        [VT_HYBRID_REFUSED_RAM] = "QEMU does not map this RAM as it was told",
        [VT_HYBRID_REFUSED_VCPUS] = "the VM has several vCPUs",
        [VT_HYBRID_REFUSED_CANARY] = "what the kernel did was not what the guest did",
        [VT_HYBRID_REFUSED_WORKER] = "the GPU's process took a call and never answered",
    };
    return refusal < sizeof texts / sizeof texts[0] ? texts[refusal] : "unknown";
}

static enum vt_accel_state state_of(const struct vt_hybrid_slot *s)
{
    uint32_t wanted = __atomic_load_n(&s->wanted, __ATOMIC_ACQUIRE);
    if (wanted == VT_HYBRID_WANT_NONE) {
        return VT_ACCEL_EMPTY; /* with the next commit, whoever was killed before it */
    }
    switch (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE)) {
    case VT_HYBRID_INSTALLED:
        return wanted == VT_HYBRID_WANT_ACTIVE ? VT_ACCEL_ACTIVE : VT_ACCEL_PASSIVE;
    case VT_HYBRID_REFUSED:
        return VT_ACCEL_REFUSED;
    case VT_HYBRID_DISABLED:
        return VT_ACCEL_DISABLED;
    default:
        return VT_ACCEL_EMPTY;
    }
}

static uint64_t counter(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

void vt_accel_read(const struct vt_accel *a, uint32_t slot, struct vt_accel_slot *out)
{
    const struct vt_hybrid_slot *s = &a->slots[slot];
    memset(out, 0, sizeof *out);
    out->state = state_of(s);
    if (out->state == VT_ACCEL_EMPTY) {
        out->why = "";
        return;
    }
    const struct vt_hybrid_kernel *k = kernel_of(a, slot);
    out->why = refusal_text(__atomic_load_n(&s->refusal, __ATOMIC_RELAXED));
    memcpy(out->hash, k->hash, sizeof out->hash - 1);
    out->head = k->head;
    out->backend = (k->flags & VT_HYBRID_USE_WORKER) != 0 &&
                           __atomic_load_n(&s->on_host, __ATOMIC_RELAXED) == 0
                       ? VT_ACCEL_GPU
                       : VT_ACCEL_HOST;
    out->heads = counter(&s->heads);
    out->iterations = counter(&s->iterations);
    out->calls = counter(&s->calls);
    out->slices = counter(&s->slices);
    out->chunks = counter(&s->chunks);
    out->bounced = counter(&s->bounced);
    out->bytes = counter(&s->bytes);
    out->ns = counter(&s->ns);
    out->canaries = counter(&s->canaries);
    out->canaries_discarded = counter(&s->canaries_discarded);
    out->canaries_failed = counter(&s->canaries_failed);
    for (uint32_t i = 0; i < VT_HYBRID_DECLINES; i++) {
        out->declines[i] = counter(&s->declines[i]);
        out->stops[i] = counter(&s->stops[i]);
    }
}
