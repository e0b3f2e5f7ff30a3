/* trace/hot_record.c - a graph of what a VM executes for a while, or of what a file holds. See
 * hot.h.
 */
#include "trace/hot.h"

#include "base/io.h"
#include "machine/vcpu_clock.h"
#include "trace/ring.h"
#include "trace/status.h"
#include "vitrine/machine.h"

#include <string.h>

#define STEER_MS 5000u
#define WAIT_MS 50u
/** How much longer it takes at most when the host lets the guest wait: so many times, so long. */
#define LONGER_TIMES 9u
#define LONGER_NS 10000000000u
/** Events between two looks at the clock. */
#define EVENTS_A_LOOK 4096u

static bool wants_stop(const struct vt_trace_hot_request *request)
{
    return request != NULL && request->stop != NULL && request->stop(request->arg);
}

/* A recording of a VM; the filter follows its process. */
struct recording {
    const char *segment;
    uint32_t policy;
    struct vt_trace_filter filter;
    struct vt_trace_follow follow;
    uint64_t deadline_ns, longer_ns; /* the deadline moves by what vCPUs waited, at most so far */
    struct vt_vcpu_clocks clocks;    /* when it began */
};

/* A guest that a busy host hardly lets run handles its timer's ticks and does nothing else. */
static bool is_over(const struct recording *r)
{
    uint64_t now = vt_now_ns();
    if (now < r->deadline_ns || now >= r->deadline_ns + r->longer_ns) {
        return now >= r->deadline_ns;
    }
    return now >= r->deadline_ns + vt_vcpu_waited_since(&r->clocks);
}

static int steer(const struct recording *r, struct vt_error *err)
{
    return vt_trace_steer(r->segment, VT_TRACE_BLOCKS, r->policy, 0, &r->filter, STEER_MS, err);
}

/* Whether it goes on: 1, or 0 when the time is up or its process has ended. */
static int goes_on(struct recording *r, struct vt_error *err)
{
    if (is_over(r)) {
        return 0;
    }
    int rc = vt_trace_follow(&r->follow, err);
    rc = rc == 1 ? steer(r, err) : rc;
    return rc == VT_E_NOT_FOUND ? 0 : rc == 0 ? 1 : rc;
}

/* While the recording goes on (NULL: what there is) and nobody asks to stop (NULL: nobody will). */
static int take(struct vt_trace_hot *hot, struct vt_trace_source *source, struct recording *r,
                const struct vt_trace_hot_request *request, struct vt_error *err)
{
    uint64_t wait_ms = r != NULL ? WAIT_MS : 0;
    struct vt_trace_event event;
    int rc = 1;
    for (unsigned n = 0; rc >= 0; n++) {
        if (n % EVENTS_A_LOOK == 0) {
            if (wants_stop(request)) {
                return 0;
            }
            rc = r != NULL ? goes_on(r, err) : 1;
            if (rc != 1) {
                return rc;
            }
        }
        rc = vt_trace_next(source, wait_ms, &event, err);
        if (rc == 0) {
            n = EVENTS_A_LOOK - 1; /* look at the clock */
            if (r == NULL || vt_trace_source_info(source)->ended) {
                return 0;
            }
        } else if (rc > 0) {
            hot->lost_words += event.kind == VT_TRACE_EV_LOST ? event.lost_words : 0;
            vt_trace_names_see(hot->names, &event);
            int added = vt_trace_graph_add(hot->graph, &event, err);
            rc = added != 0 ? added : rc;
        }
    }
    return rc;
}

static int record(struct vt_trace_hot *hot, struct vt_target *target,
                  struct vt_trace_source *source, const char *segment,
                  const struct vt_trace_hot_request *request, struct vt_error *err)
{
    uint64_t began = vt_now_ns();
    struct recording r = {.segment = segment, .policy = request->policy, .filter = request->filter};
    r.follow = (struct vt_trace_follow){.target = target, .filter = &r.filter};
    struct vt_trace_status before;
    int rc = vt_trace_status(segment, &before, err);
    if (rc == 0 && before.detail > VT_TRACE_COUNT && before.policy == VT_TRACE_KEEP_LAST) {
        rc = vt_fail(err, VT_E_BUSY,
                     "what ran last is kept in the rings of this VM: end that first");
    }
    rc = rc != 0 ? rc : vt_trace_begin(source, segment, STEER_MS, err);
    rc = rc != 0 ? rc : steer(&r, err);
    if (rc != 0) {
        return rc;
    }
    r.deadline_ns = vt_now_ns() + request->for_ns;
    r.longer_ns =
        request->for_ns < LONGER_NS / LONGER_TIMES ? LONGER_TIMES * request->for_ns : LONGER_NS;
    vt_vcpu_clocks(vt_vm_info(target->vm)->qemu_pid, &r.clocks);
    rc = take(hot, source, &r, request, err);
    hot->took_ns = vt_now_ns() - began;
    /* What it was before, unless who wanted it is gone. */
    uint32_t detail = before.detail == VT_TRACE_COUNT ? VT_TRACE_COUNT : VT_TRACE_OFF;
    struct vt_error later;
    int off = vt_trace_steer(segment, detail, VT_TRACE_WAIT, 0, NULL, STEER_MS, &later);
    if (rc == 0 && off != 0 && off != VT_E_GONE) {
        rc = off;
        *err = later;
    }
    return rc == 0 ? take(hot, source, NULL, NULL, err) : rc; /* what lies in the rings still */
}

static int begin(struct vt_trace_hot *hot, struct vt_trace_source *source, struct vt_error *err)
{
    memcpy(hot->arch, vt_trace_source_info(source)->arch, sizeof hot->arch);
    return vt_trace_graph_create(hot->arch, &hot->graph, err);
}

int vt_trace_hot_live(struct vt_trace_hot *hot, struct vt_target *target,
                      const struct vt_trace_hot_request *request, struct vt_error *err)
{
    const struct vt_vm_info *info = vt_vm_info(target->vm);
    struct vt_trace_source *source = NULL;
    if (info->trace_path[0] == '\0') {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s cannot be traced: %s", target->name,
                       info->trace_why);
    }
    int rc = vt_trace_open_live(info->trace_path, &source, err);
    rc = rc == 0 ? vt_trace_names_live(target, &hot->names, err) : rc;
    rc = rc == 0 ? begin(hot, source, err) : rc;
    rc = rc == 0 ? record(hot, target, source, info->trace_path, request, err) : rc;
    rc = rc == 0 ? vt_trace_graph_learn(hot->graph, err) : rc;
    vt_trace_names_settle(hot->names);
    vt_trace_close(source);
    return rc;
}

int vt_trace_hot_file(struct vt_trace_hot *hot, const char *path,
                      const struct vt_trace_hot_request *request, struct vt_error *err)
{
    struct vt_trace_source *source = NULL;
    int rc = vt_trace_open_file(path, &source, err);
    rc = rc == 0 ? vt_trace_names_file(source, &hot->names, err) : rc;
    rc = rc == 0 ? begin(hot, source, err) : rc;
    rc = rc == 0 ? take(hot, source, NULL, request, err) : rc;
    if (rc == 0 && wants_stop(request)) {
        rc = vt_fail(err, VT_E_INTERRUPTED, "interrupted");
    }
    rc = rc == 0 ? vt_trace_graph_learn(hot->graph, err) : rc;
    vt_trace_names_settle(hot->names);
    vt_trace_close(source);
    return rc;
}

void vt_trace_hot_fini(struct vt_trace_hot *hot)
{
    vt_trace_graph_destroy(hot->graph);
    vt_trace_names_destroy(hot->names);
    *hot = (struct vt_trace_hot){0};
}
