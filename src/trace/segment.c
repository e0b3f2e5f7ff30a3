/* trace/segment.c - mapping a trace segment and checking its geometry. See segment.h. */
#include "trace/segment.h"

#include "base/io.h"
#include "memory/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* More than any would want; with them no sum below can overflow. */
#define SEGMENT_BYTES_MAX ((uint64_t)1 << 40)
#define RING_WORDS_MIN 64u
#define RING_WORDS_MAX ((uint32_t)1 << 24)

_Static_assert(sizeof(struct vt_trace_header) <= VT_TRACE_PAGE, "the header has a page");
_Static_assert(sizeof(struct vt_trace_control) <= VT_TRACE_PAGE, "the control block has a page");
_Static_assert(sizeof(struct vt_trace_vcpu) <= VT_TRACE_PAGE, "a vCPU's counters have a page");

static bool lies_within(uint64_t offset, uint64_t bytes, uint64_t all)
{
    return offset % VT_TRACE_PAGE == 0 && offset >= VT_TRACE_PAGE && offset <= all &&
           bytes <= all - offset;
}

static int check_geometry(struct vt_trace_segment *s, struct vt_error *err)
{
    if (s->bytes < (uint64_t)2 * VT_TRACE_PAGE || s->bytes > SEGMENT_BYTES_MAX) {
        return vt_fail(err, VT_E_CORRUPT, "a trace segment of %llu bytes",
                       (unsigned long long)s->bytes);
    }
    struct vt_trace_header h;
    memcpy(&h, s->base, sizeof h);
    if (memcmp(h.magic, VT_TRACE_MAGIC, sizeof h.magic) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "no trace segment: its first bytes are others");
    }
    if (h.version != VT_TRACE_VERSION) {
        return vt_fail(err, VT_E_UNSUPPORTED, "trace segment of version %u; %u is known", h.version,
                       VT_TRACE_VERSION);
    }
    if (h.header_bytes != sizeof h || h.segment_bytes != s->bytes) {
        return vt_fail(err, VT_E_CORRUPT,
                       "trace segment: header of %u bytes for %llu; here they are %zu and %llu",
                       h.header_bytes, (unsigned long long)h.segment_bytes, sizeof h,
                       (unsigned long long)s->bytes);
    }
    if (h.vcpus == 0 || h.vcpus > VT_TRACE_VCPUS_MAX || h.ring_words < RING_WORDS_MIN ||
        h.ring_words > RING_WORDS_MAX || (h.ring_words & (h.ring_words - 1)) != 0) {
        return vt_fail(err, VT_E_CORRUPT, "trace segment: %u rings of %u words", h.vcpus,
                       h.ring_words);
    }
    uint64_t stride = VT_TRACE_PAGE + (uint64_t)h.ring_words * sizeof(uint64_t);
    if (h.vcpu_stride != stride || stride % sizeof(struct vt_trace_vcpu) != 0 ||
        !lies_within(h.vcpu_offset, h.vcpus * stride, s->bytes) ||
        !lies_within(h.control_offset, VT_TRACE_PAGE, s->bytes) ||
        !lies_within(h.dictionary_offset, h.dictionary_bytes, s->bytes)) {
        return vt_fail(err, VT_E_CORRUPT,
                       "trace segment: control at 0x%llx, rings at 0x%llx by 0x%llx, dictionary at "
                       "0x%llx of 0x%llx bytes",
                       (unsigned long long)h.control_offset, (unsigned long long)h.vcpu_offset,
                       (unsigned long long)h.vcpu_stride, (unsigned long long)h.dictionary_offset,
                       (unsigned long long)h.dictionary_bytes);
    }
    s->vcpus = h.vcpus;
    s->ring_words = h.ring_words;
    s->control_offset = h.control_offset;
    s->vcpu_offset = h.vcpu_offset;
    s->vcpu_stride = h.vcpu_stride;
    s->dictionary_offset = h.dictionary_offset;
    s->dictionary_bytes = h.dictionary_bytes;
    return 0;
}

int vt_trace_segment_over(struct vt_trace_segment *s, void *base, uint64_t bytes,
                          struct vt_error *err)
{
    struct vt_trace_segment made = {.base = base, .bytes = bytes, .fd = -1, .qemu = -1};
    int rc = check_geometry(&made, err);
    if (rc == 0) {
        *s = made;
    }
    return rc;
}

static void name_after(struct vt_trace_segment *s, const char *path)
{
    static const char prefix[] = "qemu_trace_";
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    if (strncmp(file, prefix, sizeof prefix - 1) == 0) {
        file += sizeof prefix - 1;
    }
    snprintf(s->name, sizeof s->name, "%s", file);
}

static void find_qemu(struct vt_trace_segment *s)
{
    uint64_t pid = __atomic_load_n(&vt_trace_segment_shared(s)->qemu_pid, __ATOMIC_RELAXED);
    if (pid != 0 && pid <= INT32_MAX) {
        s->qemu = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
        s->gone = s->qemu < 0 && errno == ESRCH;
    }
}

bool vt_trace_segment_qemu_is_gone(const struct vt_trace_segment *s)
{
    struct pollfd p = {.fd = s->qemu, .events = POLLIN};
    return s->gone || __atomic_load_n(&vt_trace_segment_shared(s)->ended, __ATOMIC_ACQUIRE) != 0 ||
           (s->qemu >= 0 && poll(&p, 1, 0) > 0);
}

int vt_trace_segment_open(struct vt_trace_segment *s, const char *path, bool writable,
                          struct vt_error *err)
{
    struct vt_trace_segment made = {.fd = -1, .qemu = -1};
    made.fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (made.fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "cannot open %s", path);
    }
    int rc = 0;
    struct stat st;
    if (fstat(made.fd, &st) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "cannot ask about %s", path);
    } else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)(2 * VT_TRACE_PAGE) ||
               (uint64_t)st.st_size > SEGMENT_BYTES_MAX) {
        rc = vt_fail(err, VT_E_CORRUPT, "%s is no trace segment: %lld bytes", path,
                     (long long)st.st_size);
    }
    if (rc == 0) {
        int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        void *base = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, made.fd, 0);
        if (base == MAP_FAILED) {
            rc = vt_fail_errno(err, VT_E_MAP, errno, "cannot map %s", path);
        } else {
            made.base = base;
            made.bytes = (uint64_t)st.st_size;
            rc = vt_fault_guard(base, made.bytes, made.fd, &made.guard, err);
        }
    }
    rc = rc == 0 ? check_geometry(&made, err) : rc;
    rc = rc == 0 ? vt_trace_segment_check(&made, err) : rc;
    if (rc == 0) {
        name_after(&made, path);
        find_qemu(&made);
        *s = made;
    } else {
        vt_trace_segment_close(&made);
    }
    return rc;
}

void vt_trace_segment_close(struct vt_trace_segment *s)
{
    if (s->fd >= 0) {
        vt_fault_unguard(s->guard);
        if (s->base != NULL) {
            munmap(s->base, s->bytes);
        }
        vt_close(&s->fd);
    }
    vt_close(&s->qemu);
    s->base = NULL;
    s->guard = NULL;
}

int vt_trace_segment_check(const struct vt_trace_segment *s, struct vt_error *err)
{
    if (s->guard != NULL && vt_fault_lost(s->guard)) {
        return vt_fail(err, VT_E_GONE, "the trace segment was cut short");
    }
    return 0;
}

int vt_trace_segment_header(const struct vt_trace_segment *s, struct vt_trace_header *header,
                            struct vt_error *err)
{
    struct vt_trace_header *shared = vt_trace_segment_shared(s);
    /* Pairs with the plugin's release: who sees it sees what it wrote before. */
    if (__atomic_load_n(&shared->plugin_api, __ATOMIC_ACQUIRE) == 0) {
        return vt_fail(err, VT_E_UNSUPPORTED, "QEMU has not loaded the trace plugin");
    }
    struct vt_trace_header h = {0};
    memcpy(&h, shared, offsetof(struct vt_trace_header, plugin_api));
    h.arch[sizeof h.arch - 1] = '\0';
    if (h.n_registers > VT_TRACE_REGISTERS_MAX) {
        return vt_fail(err, VT_E_CORRUPT, "trace segment: %u registers in its header",
                       h.n_registers);
    }
    for (uint32_t i = 0; i < VT_TRACE_REGISTERS_MAX; i++) {
        h.registers[i][sizeof h.registers[i] - 1] = '\0';
    }
    *header = h;
    return 0;
}

void vt_trace_futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
    struct timespec t = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
                         .tv_nsec = (long)(timeout_ns % 1000000000u)};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &t, NULL, 0);
}

void vt_trace_futex_wake(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
