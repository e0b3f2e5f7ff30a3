/* trace/steer.c - telling a VM's trace plugin what to record. The protocol is ring.h's. */
#include "base/io.h"
#include "trace/segment.h"
#include "trace/status.h"
#include "vitrine/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define SLICE_NS 20000000u /* how long a sleep goes without looking whether QEMU is still there */
#define LOCK_NAP_NS 2000000u

#define N(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(N(((struct vt_trace_filter *)0)->ranges) ==
                       N(((struct vt_trace_control *)0)->ranges) &&
                   N(((struct vt_trace_filter *)0)->points) ==
                       N(((struct vt_trace_control *)0)->points),
               "a filter fits the control block");

static int check(const struct vt_trace_header *header, uint32_t detail, uint32_t policy,
                 const struct vt_trace_filter *f, struct vt_error *err)
{
    if (detail > VT_TRACE_VALUES || policy > VT_TRACE_KEEP_LAST) {
        return vt_fail(err, VT_E_INVAL, "no detail %u or no policy %u", detail, policy);
    }
    if (f->n_ranges > N(f->ranges) || f->n_points > N(f->points) || f->privileges > 3) {
        return vt_fail(err, VT_E_INVAL, "a filter has %zu ranges and %zu points at most",
                       N(f->ranges), N(f->points));
    }
    for (uint32_t i = 0; i < f->n_ranges; i++) {
        if (f->ranges[i].first > f->ranges[i].last) {
            return vt_fail(err, VT_E_INVAL, "a range from 0x%llx to 0x%llx",
                           (unsigned long long)f->ranges[i].first,
                           (unsigned long long)f->ranges[i].last);
        }
    }
    const char *what = NULL;
    if (detail == VT_TRACE_VALUES && (header->capabilities & VT_TRACE_CAN_VALUES) == 0) {
        what = "values of accesses";
    } else if (f->n_points != 0 && (header->capabilities & VT_TRACE_CAN_REGISTERS) == 0) {
        what = "registers";
    } else if (f->root != 0 && (header->capabilities & VT_TRACE_CAN_ROOTS) == 0) {
        what = "page-table roots";
    }
    if (what != NULL) {
        return vt_fail(err, VT_E_UNSUPPORTED, "this QEMU's plugins cannot record %s", what);
    }
    return 0;
}

static void nap(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

/* flock() cannot wait with a deadline. */
static int lock(int fd, uint64_t deadline_ns, struct vt_error *err)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return vt_fail_errno(err, VT_E_IO, errno, "cannot lock the trace segment");
        }
        if (vt_now_ns() >= deadline_ns) {
            return vt_fail(err, VT_E_BUSY, "another steers this trace");
        }
        nap(LOCK_NAP_NS);
    }
    return 0;
}

/* A segment is sparse, and a page that a full file system cannot give ends QEMU when it is written
 * to. The plugin does the same for the dictionary, piece by piece. */
static int back_rings(const struct vt_trace_segment *s, struct vt_error *err)
{
    uint64_t bytes = (uint64_t)s->vcpus * s->vcpu_stride;
    while (fallocate(s->fd, 0, (off_t)s->vcpu_offset, (off_t)bytes) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS) {
            return 0;
        }
        if (errno != EINTR) {
            return vt_fail_errno(err, VT_E_LIMIT, errno, "no room for %llu MiB of rings",
                                 (unsigned long long)(bytes >> 20));
        }
    }
    return 0;
}

static void put64(uint64_t *to, uint64_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELAXED);
}

static void put32(uint32_t *to, uint32_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELAXED);
}

static uint32_t write_control(struct vt_trace_control *c, uint32_t detail, uint32_t policy,
                              uint32_t period, const struct vt_trace_filter *f)
{
    put32(&c->detail, detail);
    put32(&c->policy, policy);
    put32(&c->privileges, f->privileges);
    put32(&c->period, period);
    put64(&c->vcpu_mask, f->vcpu_mask);
    put64(&c->root, f->root);
    put64(&c->root_mask, f->root_mask);
    put32(&c->flags, f->exact ? VT_TRACE_EXACT : 0);
    put32(&c->n_ranges, f->n_ranges);
    put32(&c->n_points, f->n_points);
    for (uint32_t i = 0; i < f->n_ranges; i++) {
        put64(&c->ranges[i].first, f->ranges[i].first);
        put64(&c->ranges[i].last, f->ranges[i].last);
    }
    for (uint32_t i = 0; i < f->n_points; i++) {
        put64(&c->points[i], f->points[i]);
    }
    uint32_t generation = __atomic_load_n(&c->generation, __ATOMIC_RELAXED) + 1;
    /* Release: the plugin, which acquires it, sees the rest. */
    __atomic_store_n(&c->generation, generation, __ATOMIC_RELEASE);
    vt_trace_futex_wake(&c->generation);
    return generation;
}

static int wait_seen(const struct vt_trace_segment *s, uint32_t generation, uint64_t deadline_ns,
                     struct vt_error *err)
{
    struct vt_trace_control *c = vt_trace_segment_control(s);
    for (;;) {
        uint32_t seen = __atomic_load_n(&c->seen, __ATOMIC_ACQUIRE);
        if (seen == generation) {
            return 0;
        }
        int rc = vt_trace_segment_check(s, err);
        if (rc != 0) {
            return rc;
        }
        if (vt_trace_segment_qemu_is_gone(s)) {
            return vt_fail(err, VT_E_GONE, "the QEMU of this trace has ended");
        }
        uint64_t now = vt_now_ns();
        if (now >= deadline_ns) {
            return vt_fail(err, VT_E_TIMEOUT, "the trace plugin did not follow in time");
        }
        uint64_t left = deadline_ns - now;
        vt_trace_futex_wait(&c->seen, seen, left < SLICE_NS ? left : SLICE_NS);
    }
}

int vt_trace_steer(const char *path, uint32_t detail, uint32_t policy, uint32_t period,
                   const struct vt_trace_filter *filter, uint64_t timeout_ms, struct vt_error *err)
{
    static const struct vt_trace_filter everything;
    const struct vt_trace_filter *f = filter != NULL ? filter : &everything;
    uint64_t deadline_ns = vt_deadline_ms(timeout_ms);
    struct vt_trace_segment s;
    int rc = vt_trace_segment_open(&s, path, true, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_trace_header header;
    rc = vt_trace_segment_header(&s, &header, err);
    rc = rc == 0 ? check(&header, detail, policy, f, err) : rc;
    rc = rc == 0 ? lock(s.fd, deadline_ns, err) : rc;
    if (rc == 0 && detail >= VT_TRACE_BLOCKS) {
        rc = back_rings(&s, err);
    }
    if (rc == 0) {
        uint32_t generation =
            write_control(vt_trace_segment_control(&s), detail, policy, period, f);
        rc = wait_seen(&s, generation, deadline_ns, err);
    }
    vt_trace_segment_close(&s);
    return rc;
}

int vt_trace_begin(struct vt_trace_source *source, const char *segment, uint64_t timeout_ms,
                   struct vt_error *err)
{
    struct vt_trace_status now;
    int rc = vt_trace_status(segment, &now, err);
    if (rc != 0 || now.detail <= VT_TRACE_COUNT) {
        return rc;
    }
    rc = vt_trace_steer(segment, VT_TRACE_OFF, VT_TRACE_WAIT, 0, NULL, timeout_ms, err);
    struct vt_trace_event event;
    for (int got = rc == 0; got == 1;) {
        got = vt_trace_next(source, 0, &event, err);
        rc = got < 0 ? got : 0;
    }
    return rc;
}
