/* cli/trace_select.c - see trace_select.h. */
#include "cli/trace_select.h"

#include "base/text.h"
#include "trace/file.h"

#include <stdio.h>
#include <string.h>

/* The order of events between vCPUs is that of their time words: one that is as late as this says
 * that no earlier one comes. */
#define VCPUS_APART_NS 1000000000u

/* "15.371923s", as times are shown. */
static bool read_seconds(const char *text, uint64_t *ns)
{
    uint64_t seconds = 0, fraction = 0, unit = 1000000000u;
    for (; *text >= '0' && *text <= '9' && seconds < UINT32_MAX; text++) {
        seconds = seconds * 10 + (uint64_t)(*text - '0');
    }
    if (*text++ != '.') {
        return false;
    }
    for (; *text >= '0' && *text <= '9' && unit > 1; text++) {
        unit /= 10;
        fraction += (uint64_t)(*text - '0') * unit;
    }
    *ns = seconds * 1000000000u + fraction;
    return strcmp(text, "s") == 0;
}

static int read_when(const struct vt_args *args, const char *name, struct vt_trace_when *when)
{
    const char *text = vt_args_value(args, name);
    *when = (struct vt_trace_when){.given = text != NULL};
    when->is_time = text != NULL && text[strspn(text, "0123456789")] != '\0';
    if (when->is_time && read_seconds(text, &when->value)) {
        return 0;
    }
    return when->is_time ? vt_args_duration(args, name, 0, &when->value)
                         : vt_args_u64(args, name, 0, &when->value);
}

static int read_ranges(const struct vt_args *args, const char *option, const char *prefix,
                       struct vt_trace_filter *filter)
{
    const char *word;
    for (unsigned i = 0; (word = vt_args_value_at(args, option, i)) != NULL; i++) {
        struct vt_error err;
        char text[160];
        snprintf(text, sizeof text, "%s%s", prefix, word);
        if (vt_trace_filter_add(filter, text, &err) != 0) {
            return vt_usage_error(args, "--%s: %s", option, err.message);
        }
    }
    return 0;
}

int vt_trace_select_read(const struct vt_args *args, struct vt_trace_select *select)
{
    struct vt_trace_select s = {.process = vt_args_value(args, "process"), .pid = -1};
    int rc = read_when(args, "from", &s.from);
    rc = rc != 0 ? rc : read_when(args, "to", &s.to);
    rc = rc != 0 ? rc : read_ranges(args, "filter", "", &s.filter);
    rc = rc != 0 ? rc : read_ranges(args, "address", "range=", &s.touched);
    if (rc != 0) {
        return rc;
    }
    if (s.filter.n_points > 0) {
        return vt_usage_error(args, "--filter: point= is for recording");
    }
    uint64_t pid;
    if (s.process != NULL && vt_parse_u64(s.process, &pid, NULL) == 0 && pid <= INT32_MAX) {
        s.pid = (int64_t)pid;
    }
    for (size_t i = 0; i < sizeof s.roots / sizeof s.roots[0]; i++) {
        s.roots[i] = UINT64_MAX; /* not known, which is no process */
    }
    *select = s;
    return 0;
}

int vt_trace_select_begin(struct vt_trace_select *select, struct vt_trace_source *source,
                          struct vt_error *err)
{
    const struct vt_trace_file_about *about = vt_trace_file_about(source);
    select->number = 0;
    if (about == NULL || !select->from.given) {
        return 0;
    }
    int rc = 0;
    if (select->from.is_time) {
        rc = vt_trace_file_seek_time(source, select->from.value, err);
    } else {
        rc = vt_trace_file_seek(source, select->from.value, err);
    }
    if (rc == 0) {
        select->number = vt_trace_file_tell(source);
    }
    return rc;
}

static bool before(const struct vt_trace_when *when, uint64_t number, uint64_t time_ns)
{
    return (when->is_time ? time_ns : number) < when->value;
}

/* Nothing of the selection comes any more. */
static bool is_over(const struct vt_trace_select *s, const struct vt_trace_info *info,
                    uint64_t number, uint64_t time_ns)
{
    if (!s->to.given || before(&s->to, number, time_ns)) {
        return false;
    }
    return !s->to.is_time || info->vcpus == 1 || time_ns - s->to.value > VCPUS_APART_NS;
}

static bool in_ranges(const struct vt_trace_filter *f, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < f->n_ranges; i++) {
        if (first <= f->ranges[i].last && last >= f->ranges[i].first) {
            return true;
        }
    }
    return f->n_ranges == 0;
}

bool vt_trace_select_access(const struct vt_trace_select *select,
                            const struct vt_trace_access *access)
{
    return in_ranges(&select->touched, access->address, access->address + (access->bytes - 1u));
}

static bool touches(const struct vt_trace_select *s, const struct vt_trace_event *e)
{
    for (uint32_t i = 0; i < e->n_accesses; i++) {
        if (vt_trace_select_access(s, &e->accesses[i])) {
            return true;
        }
    }
    return s->touched.n_ranges == 0;
}

static bool is_process(struct vt_trace_select *s, struct vt_trace_names *names,
                       const struct vt_trace_event *e)
{
    uint32_t v = e->vcpu % 64;
    if (s->roots[v] != e->root) {
        struct vt_trace_place place;
        (void)vt_trace_place(names, e->root, NULL, 0, &place);
        s->roots[v] = e->root;
        s->root_is[v] = s->pid >= 0
                            ? place.pid == s->pid
                            : place.process != NULL && strcmp(place.process, s->process) == 0;
    }
    return s->root_is[v];
}

/* Of what executed from `first` to `last`. */
static bool is_code(const struct vt_trace_filter *f, uint64_t first, uint64_t last)
{
    uint32_t privilege = first >> 63 != 0 ? 1 : 2;
    return (f->privileges == 0 || (f->privileges & privilege) != 0) && in_ranges(f, first, last);
}

enum vt_trace_selected vt_trace_select(struct vt_trace_select *select,
                                       const struct vt_trace_info *info,
                                       struct vt_trace_names *names, const struct vt_trace_event *e)
{
    struct vt_trace_select *s = select;
    const struct vt_trace_filter *f = &s->filter;
    uint64_t number = s->number++;
    if (is_over(s, info, number, e->time_ns)) {
        return VT_TRACE_SELECT_END;
    }
    bool in = (!s->from.given || !before(&s->from, number, e->time_ns)) &&
              (!s->to.given || before(&s->to, number, e->time_ns)) &&
              (f->vcpu_mask == 0 || (f->vcpu_mask >> (e->vcpu % 64) & 1) != 0);
    if (in && e->kind != VT_TRACE_EV_LOST) {
        uint64_t mask = f->root_mask != 0 ? f->root_mask : UINT64_MAX;
        in = (f->root == 0 || ((e->root ^ f->root) & mask) == 0) &&
             (s->process == NULL || is_process(s, names, e));
    }
    if (in && e->kind == VT_TRACE_EV_BLOCK) {
        uint64_t first = e->block->pc;
        in =
            is_code(f, first, first + (e->block->code_bytes > 0 ? e->block->code_bytes - 1u : 0)) &&
            touches(s, e);
    } else if (in && e->kind != VT_TRACE_EV_LOST) {
        bool code = f->privileges != 0 || f->n_ranges != 0;
        uint64_t pc = e->kind == VT_TRACE_EV_REGISTERS ? e->pc : e->from;
        bool has_pc = e->kind == VT_TRACE_EV_REGISTERS || e->kind == VT_TRACE_EV_CUT;
        in = s->touched.n_ranges == 0 && (has_pc ? is_code(f, pc, pc) : !code);
    }
    return in ? VT_TRACE_SELECT_YES : VT_TRACE_SELECT_NO;
}
