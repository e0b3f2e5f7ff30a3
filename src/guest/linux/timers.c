/* guest/linux/timers.c - what the kernel will do later. See vitrine/linux.h.
 *
 * wheels     timer_bases: hash chains of struct timer_list by when they expire, in jiffies
 * hrtimers   hrtimer_bases: red-black trees of struct hrtimer, one for each clock, in ns
 * processes  signal_struct: posix_timers, a list (until 6.11 list_head, then hlist_head),
 * real_timer and the two interval timers of CPU time
 */
#include "guest/linux/clock.h"
#include "guest/linux/hlist.h"
#include "guest/linux/rbtree.h"
#include "guest/linux/tasks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIMERS_MAX (1u << 20)
#define BUCKETS_MAX 1024u
#define WHEELS_MAX 3u
enum { CLOCKS = 4, QUEUED = 1 };

struct layout {
    struct vt_member wheel_bytes, buckets;
    struct vt_extent timer;
    struct vt_member entry, expires, function;
    struct vt_member clock_bases, clock_base_bytes, tree, clock_offset;
    struct vt_extent hrtimer;
    struct vt_member node, hr_expires, hr_function, state;
    struct vt_member sleeper, process_timer, delayed_timer, work_function;
    struct vt_extent task;
    struct vt_member tgid, comm, signal;
    struct vt_member posix_timers, real_timer, real_interval, cpu_timers, cpu_timer_bytes;
    struct vt_extent posix;
    struct vt_member list, id, clock, interval, on_hr, on_cpu, on_alarm, sigqueue, signo;
    struct vt_member mult, shift;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_SIZE(layout, wheel_bytes, "timer_base"),
    VT_FIELD_BARE(layout, buckets, "timer_base", "vectors"),
    VT_FIELD(layout, entry, timer, "timer_list", "entry"),
    VT_FIELD(layout, expires, timer, "timer_list", "expires"),
    VT_FIELD(layout, function, timer, "timer_list", "function"),
    VT_FIELD_BARE(layout, clock_bases, "hrtimer_cpu_base", "clock_base"),
    VT_FIELD_SIZE(layout, clock_base_bytes, "hrtimer_clock_base"),
    VT_FIELD_BARE(layout, tree, "hrtimer_clock_base", "active.rb_root.rb_root", "active.head"),
    VT_FIELD_BARE(layout, clock_offset, "hrtimer_clock_base", "offset"),
    VT_FIELD(layout, node, hrtimer, "hrtimer", "node.node"),
    VT_FIELD(layout, hr_expires, hrtimer, "hrtimer", "node.expires"),
    VT_FIELD(layout, hr_function, hrtimer, "hrtimer", "function"),
    VT_FIELD(layout, state, hrtimer, "hrtimer", "is_queued", "state"),
    VT_FIELD_BARE_OPTIONAL(layout, sleeper, "hrtimer_sleeper", "task"),
    VT_FIELD_BARE_OPTIONAL(layout, process_timer, "process_timer", "task"),
    VT_FIELD_BARE_OPTIONAL(layout, delayed_timer, "delayed_work", "timer"),
    VT_FIELD_BARE_OPTIONAL(layout, work_function, "delayed_work", "work.func"),
    VT_FIELD(layout, tgid, task, "task_struct", "tgid"),
    VT_FIELD(layout, comm, task, "task_struct", "comm"),
    VT_FIELD_BARE(layout, signal, "task_struct", "signal"),
    VT_FIELD_BARE_OPTIONAL(layout, posix_timers, "signal_struct", "posix_timers"),
    VT_FIELD_BARE_OPTIONAL(layout, real_timer, "signal_struct", "real_timer"),
    VT_FIELD_BARE_OPTIONAL(layout, real_interval, "signal_struct", "it_real_incr"),
    VT_FIELD_BARE_OPTIONAL(layout, cpu_timers, "signal_struct", "it"),
    VT_FIELD_SIZE_OPTIONAL(layout, cpu_timer_bytes, "cpu_itimer"),
    VT_FIELD_BARE_OPTIONAL(layout, list, "k_itimer", "list"),
    VT_FIELD_OPTIONAL(layout, id, posix, "k_itimer", "it_id"),
    VT_FIELD_OPTIONAL(layout, clock, posix, "k_itimer", "it_clock"),
    VT_FIELD_OPTIONAL(layout, interval, posix, "k_itimer", "it_interval"),
    VT_FIELD_OPTIONAL(layout, on_hr, posix, "k_itimer", "it.real.timer"),
    VT_FIELD_OPTIONAL(layout, on_cpu, posix, "k_itimer", "it.cpu.node.expires"),
    VT_FIELD_OPTIONAL(layout, on_alarm, posix, "k_itimer", "it.alarm.alarmtimer.node.expires"),
    VT_FIELD_BARE_OPTIONAL(layout, sigqueue, "k_itimer", "sigq"),
    VT_FIELD_BARE_OPTIONAL(layout, signo, "sigqueue", "info.si_signo"),
    VT_FIELD_BARE_OPTIONAL(layout, mult, "clocksource", "mult"),
    VT_FIELD_BARE_OPTIONAL(layout, shift, "clocksource", "shift"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct timers {
    const struct layout *l;
    const struct vt_percpu *percpu;
    struct vt_clock now;
    uint64_t jiffies, tick_ns;
    size_t left;                                          /* timers there can still be */
    struct vt_gva delayed_work, process_timeout, sleeper; /* functions whose container is known */
};

/* ---------------------------------------------------------------- a row */

static int print(struct vt_walk *w, struct timers *g, struct vt_timer *t)
{
    g->left--;
    return w->query.pid == 0 || t->pid == w->query.pid ? vt_walk_row(w, &t->row) : 0;
}

/* Room for one more, or a torn walk. */
static bool has_room(struct vt_walk *w, const struct timers *g)
{
    if (g->left == 0) {
        vt_walk_torn(w, "more timers than RAM has room for");
    }
    return g->left > 0;
}

static double seconds_until(uint64_t at_ns, uint64_t now_ns)
{
    return (double)(int64_t)(at_ns - now_ns) / 1e9;
}

/* A task that is woken up by a timer on its stack. */
static void read_sleeper(struct vt_walk *w, const struct layout *l, struct vt_gva pointer,
                         struct vt_timer *t)
{
    struct vt_object task;
    struct vt_gva at = VT_GVA(vt_look_u64(&w->look, pointer));
    if (at.v != 0 && vt_look_object(&w->look, at, l->task, &task)) {
        t->pid = (int32_t)vt_object_uint(&task, &l->tgid);
        vt_object_text(&task, &l->comm, t->comm, sizeof t->comm);
    }
}

/* ---------------------------------------------------------------- wheels */

static void read_wheel_timer(struct vt_walk *w, const struct timers *g, struct vt_timer *t)
{
    const struct layout *l = g->l;
    struct vt_object o;
    if (!vt_look_object(&w->look, t->row.at, l->timer, &o)) {
        return;
    }
    t->expires = vt_object_uint(&o, &l->expires);
    t->in_s = g->tick_ns == 0
                  ? (double)NAN
                  : (double)(int64_t)(t->expires - g->jiffies) * (double)g->tick_ns / 1e9;
    t->function = VT_GVA(vt_object_uint(&o, &l->function));
    t->function_name = vt_walk_symbol(w, t->function);
    if (t->function.v == g->delayed_work.v && l->work_function.size != 0) {
        struct vt_gva work = VT_GVA(t->row.at.v - l->delayed_timer.offset);
        t->work_name = vt_walk_symbol(w, VT_GVA(vt_look_member(&w->look, work, &l->work_function)));
    } else if (t->function.v == g->process_timeout.v && l->process_timer.size != 0) {
        read_sleeper(w, l, VT_GVA(t->row.at.v + l->process_timer.offset), t);
    }
}

static int print_wheel(struct vt_walk *w, struct timers *g, struct vt_hlist_walk *chains,
                       struct vt_gva wheel, const struct vt_timer *template, struct vt_error *err)
{
    const struct layout *l = g->l;
    uint64_t heads[BUCKETS_MAX];
    size_t n = l->buckets.size / 8 < BUCKETS_MAX ? l->buckets.size / 8 : BUCKETS_MAX;
    int rc = 0;
    if (vt_space_read(w->space, VT_GVA(wheel.v + l->buckets.offset), heads, n * 8, NULL) != 0) {
        vt_walk_torn(w, "the timer wheel 0x%llx cannot be read", (unsigned long long)wheel.v);
        return 0;
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct vt_gva node;
        if (heads[i] == 0) {
            continue;
        }
        vt_hlist_bucket(chains, VT_GVA(wheel.v + l->buckets.offset + 8 * i));
        while (has_room(w, g) && (rc = vt_hlist_next(chains, &node, err)) == 1) {
            struct vt_timer t;
            do {
                vt_look_begin(&w->look);
                t = *template;
                t.row.at = VT_GVA(node.v - l->entry.offset);
                read_wheel_timer(w, g, &t);
                if (chains->torn_link) {
                    vt_look_doubt(&w->look, "its link is not symmetric");
                }
            } while (vt_look_again(&w->look));
            if ((rc = print(w, g, &t)) != 0) {
                break;
            }
        }
    }
    return rc;
}

/* How many bytes lie between a symbol and the next one. */
static uint64_t room_after(const struct vt_walk *w, struct vt_gva at)
{
    size_t low = 0, high = vt_kernel_symbols(w->kernel);
    const char *name;
    char kind;
    struct vt_gva gva;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        vt_kernel_symbol_nth(w->kernel, middle, &name, &kind, &gva);
        if (gva.v <= at.v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == vt_kernel_symbols(w->kernel)) {
        return 0;
    }
    vt_kernel_symbol_nth(w->kernel, low, &name, &kind, &gva);
    return gva.v - at.v;
}

static int print_wheels(struct vt_walk *w, struct timers *g, struct vt_error *err)
{
    static const char *const names[][WHEELS_MAX] = {
        {"jiffies"}, {"standard", "deferrable"}, {"local", "global", "deferrable"}};
    struct vt_gva bases;
    int rc = vt_kernel_symbol(w->kernel, "timer_bases", &bases, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t n = room_after(w, bases) / (g->l->wheel_bytes.size > 0 ? g->l->wheel_bytes.size : 1);
    n = n == 0 ? 1 : n < WHEELS_MAX ? n : WHEELS_MAX;
    struct vt_hlist_walk chains;
    vt_hlist_begin(&chains, w->space, VT_HLIST, g->left);
    for (unsigned cpu = 0; cpu < g->percpu->n && rc == 0; cpu++) {
        for (uint64_t i = 0; i < n && rc == 0; i++) {
            struct vt_timer t = {.kind = "wheel",
                                 .cpu = (int32_t)cpu,
                                 .base = names[n - 1][i],
                                 .id = -1,
                                 .in_s = (double)NAN};
            struct vt_gva wheel = VT_GVA(bases.v + i * g->l->wheel_bytes.size);
            rc = print_wheel(w, g, &chains, vt_percpu_at(g->percpu, wheel, cpu), &t, err);
        }
    }
    if (chains.torn) {
        vt_walk_torn(w, "timer wheels: %s", chains.why);
    }
    vt_hlist_end(&chains);
    return rc;
}

/* ---------------------------------------------------------------- high resolution */

static void read_hrtimer(struct vt_walk *w, const struct timers *g, uint64_t now_ns,
                         struct vt_timer *t)
{
    const struct layout *l = g->l;
    struct vt_object o;
    if (!vt_look_object(&w->look, t->row.at, l->hrtimer, &o)) {
        return;
    }
    t->expires = vt_object_uint(&o, &l->hr_expires);
    t->in_s = seconds_until(t->expires, now_ns);
    t->function = VT_GVA(vt_object_uint(&o, &l->hr_function));
    t->function_name = vt_walk_symbol(w, t->function);
    if ((vt_object_uint(&o, &l->state) & QUEUED) == 0) {
        vt_look_doubt(&w->look, "it is in the tree and does not say so");
    }
    if (t->function.v == g->sleeper.v && l->sleeper.size != 0) {
        read_sleeper(w, l, VT_GVA(t->row.at.v + l->sleeper.offset), t);
    }
}

static int print_tree(struct vt_walk *w, struct timers *g, struct vt_gva base,
                      const struct vt_timer *template)
{
    const struct layout *l = g->l;
    struct vt_rb_walk tree;
    struct vt_gva node;
    uint64_t offset = 0;
    int rc = 0;
    vt_space_read_u64(w->space, VT_GVA(base.v + l->clock_offset.offset), &offset, NULL);
    vt_rb_begin(&tree, w->space, VT_GVA(base.v + l->tree.offset), g->left);
    while (rc == 0 && has_room(w, g) && vt_rb_next(&tree, &node)) {
        struct vt_timer t;
        do {
            vt_look_begin(&w->look);
            t = *template;
            t.row.at = VT_GVA(node.v - l->node.offset);
            read_hrtimer(w, g, g->now.mono_ns + offset, &t);
        } while (vt_look_again(&w->look));
        rc = print(w, g, &t);
    }
    if (tree.torn) {
        vt_walk_torn(w, "high-resolution timers of CPU %d: %s", template->cpu, tree.why);
    }
    return rc;
}

static int print_trees(struct vt_walk *w, struct timers *g, struct vt_error *err)
{
    static const char *const names[2 * CLOCKS] = {
        "monotonic",      "realtime",      "boottime",      "tai",
        "monotonic-soft", "realtime-soft", "boottime-soft", "tai-soft"};
    const struct layout *l = g->l;
    struct vt_gva bases;
    int rc = vt_kernel_symbol(w->kernel, "hrtimer_bases", &bases, err);
    for (unsigned cpu = 0; rc == 0 && cpu < g->percpu->n; cpu++) {
        for (unsigned i = 0;
             i < 2 * CLOCKS && rc == 0 && (i + 1) * l->clock_base_bytes.size <= l->clock_bases.size;
             i++) {
            struct vt_timer t = {
                .kind = "hrtimer", .cpu = (int32_t)cpu, .base = names[i], .id = -1};
            struct vt_gva base = vt_percpu_at(g->percpu, bases, cpu);
            base.v += l->clock_bases.offset + i * (uint64_t)l->clock_base_bytes.size;
            rc = print_tree(w, g, base, &t);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- of processes */

/* CLOCK_* of include/uapi/linux/time.h; what is negative is a process's or thread's CPU time. */
static const char *clock_name(int32_t clock)
{
    static const char *const names[] = {
        "realtime", "monotonic", "process-cpu",    "thread-cpu",     NULL, NULL,
        NULL,       "boottime",  "realtime-alarm", "boottime-alarm", NULL, "tai"};
    if (clock < 0) {
        return "cpu";
    }
    return (size_t)clock < sizeof names / sizeof names[0] ? names[clock] : NULL;
}

/* When a clock's time 0 was, in time since boot; false: CPU time. */
static bool clock_offset(const struct timers *g, int32_t clock, uint64_t *offset)
{
    enum { REALTIME = 0, MONOTONIC = 1, BOOTTIME = 7, REALTIME_ALARM = 8, BOOTTIME_ALARM = 9 };
    switch (clock) {
    case REALTIME:
    case REALTIME_ALARM:
        *offset = g->now.real_ns;
        return true;
    case MONOTONIC:
        *offset = 0;
        return true;
    case BOOTTIME:
    case BOOTTIME_ALARM:
        *offset = g->now.boot_ns;
        return true;
    default:
        return false;
    }
}

static void read_posix(struct vt_walk *w, const struct timers *g, struct vt_timer *t)
{
    const struct layout *l = g->l;
    struct vt_object o;
    if (!vt_look_object(&w->look, t->row.at, l->posix, &o)) {
        return;
    }
    int32_t clock = (int32_t)vt_object_uint(&o, &l->clock);
    t->id = (int32_t)vt_object_uint(&o, &l->id);
    t->base = clock_name(clock);
    t->interval_ns = vt_object_uint(&o, &l->interval);
    bool alarm = clock == 8 || clock == 9, cpu = clock < 0 || clock == 2 || clock == 3;
    if (alarm || cpu) {
        t->expires = vt_object_uint(&o, alarm ? &l->on_alarm : &l->on_cpu);
    } else {
        struct vt_gva timer = VT_GVA(t->row.at.v + l->on_hr.offset);
        if ((vt_look_member(&w->look, timer, &l->state) & QUEUED) != 0) {
            t->expires = vt_look_member(&w->look, timer, &l->hr_expires);
        }
    }
    uint64_t offset;
    if (t->expires != 0 && clock_offset(g, clock, &offset)) {
        t->in_s = seconds_until(t->expires, g->now.mono_ns + offset);
    }
    /* Its signal is part of it, or behind a pointer. */
    struct vt_gva signal = VT_GVA(t->row.at.v + l->sigqueue.offset);
    if (l->sigqueue.size == 8) {
        signal = VT_GVA(vt_look_u64(&w->look, signal));
    }
    if (l->sigqueue.size != 0 && l->signo.size != 0 && signal.v != 0) {
        t->signal = (uint32_t)vt_look_member(&w->look, signal, &l->signo);
    }
}

static int print_posix(struct vt_walk *w, struct timers *g, struct vt_gva node,
                       const struct vt_timer *template, bool torn_link)
{
    struct vt_timer t;
    do {
        vt_look_begin(&w->look);
        t = *template;
        t.kind = "posix";
        t.row.at = VT_GVA(node.v - g->l->list.offset);
        read_posix(w, g, &t);
        if (torn_link) {
            vt_look_doubt(&w->look, "its link is not symmetric");
        }
    } while (vt_look_again(&w->look));
    return print(w, g, &t);
}

/* The list has been of either kind; its head's size says which. */
static int print_posix_timers(struct vt_walk *w, struct timers *g, struct vt_gva signal,
                              const struct vt_timer *template, struct vt_error *err)
{
    struct vt_gva node, head = VT_GVA(signal.v + g->l->posix_timers.offset);
    int rc = 0;
    if (g->l->posix_timers.size == 16) {
        struct vt_list_walk list;
        vt_list_begin(&list, w->space, head, g->left);
        while (has_room(w, g) && (rc = vt_list_next(&list, &node, err)) == 1) {
            if ((rc = print_posix(w, g, node, template, list.torn_link)) != 0) {
                break;
            }
        }
        vt_walk_list_end(w, &list);
    } else if (g->l->posix_timers.size == 8) {
        struct vt_hlist_walk list;
        vt_hlist_begin(&list, w->space, VT_HLIST, g->left);
        vt_hlist_bucket(&list, head);
        while (has_room(w, g) && (rc = vt_hlist_next(&list, &node, err)) == 1) {
            if ((rc = print_posix(w, g, node, template, list.torn_link)) != 0) {
                break;
            }
        }
        if (list.torn) {
            vt_walk_torn(w, "timers of process %d: %s", template->pid, list.why);
        }
        vt_hlist_end(&list);
    }
    return rc;
}

/* What setitimer(2) sets. */
static int print_intervals(struct vt_walk *w, struct timers *g, struct vt_gva signal,
                           const struct vt_timer *template)
{
    static const char *const names[] = {"process-cpu", "process-user"}; /* ITIMER_PROF, _VIRTUAL */
    static const struct vt_member first = {.offset = 0, .size = 8},
                                  second = {.offset = 8, .size = 8};
    const struct layout *l = g->l;
    struct vt_timer t;
    int rc = 0;
    do {
        vt_look_begin(&w->look);
        t = *template;
        t.kind = "itimer";
        t.base = "monotonic";
        t.row.at = VT_GVA(signal.v + l->real_timer.offset);
        if (l->real_timer.size != 0 &&
            (vt_look_member(&w->look, t.row.at, &l->state) & QUEUED) != 0) {
            read_hrtimer(w, g, g->now.mono_ns, &t);
            t.interval_ns = vt_look_member(&w->look, signal, &l->real_interval);
        }
    } while (vt_look_again(&w->look));
    if (t.expires != 0) {
        rc = print(w, g, &t);
    }
    for (unsigned i = 0; i < 2 && rc == 0 && l->cpu_timer_bytes.size >= 16 &&
                         l->cpu_timers.size == 2 * l->cpu_timer_bytes.size;
         i++) {
        do {
            vt_look_begin(&w->look);
            t = *template;
            t.kind = "itimer";
            t.base = names[i];
            t.row.at =
                VT_GVA(signal.v + l->cpu_timers.offset + i * (uint64_t)l->cpu_timer_bytes.size);
            t.expires = vt_look_member(&w->look, t.row.at, &first);
            t.interval_ns = vt_look_member(&w->look, t.row.at, &second);
        } while (vt_look_again(&w->look));
        if (t.expires != 0 && has_room(w, g)) {
            rc = print(w, g, &t);
        }
    }
    return rc;
}

static int print_of_process(struct vt_walk *w, const struct vt_task *task, void *arg,
                            struct vt_error *err)
{
    struct timers *g = arg;
    struct vt_timer template = {.cpu = -1, .id = -1, .pid = task->pid, .in_s = (double)NAN};
    uint64_t signal = 0;
    memcpy(template.comm, task->comm, sizeof template.comm);
    if (vt_space_read_u64(w->space, VT_GVA(task->at.v + g->l->signal.offset), &signal, NULL) != 0 ||
        signal == 0 || strchr("ZX", task->state) != NULL) {
        return 0; /* who ended has no timers */
    }
    int rc = print_posix_timers(w, g, VT_GVA(signal), &template, err);
    if (rc == 0 && has_room(w, g)) {
        rc = print_intervals(w, g, VT_GVA(signal), &template);
    }
    return rc;
}

/* ---------------------------------------------------------------- all */

static struct vt_gva find(const struct vt_walk *w, const char *name)
{
    struct vt_gva at = VT_GVA(0);
    vt_kernel_symbol(w->kernel, name, &at, NULL);
    return at;
}

/* A jiffy's length is what the clock source that counts them says. */
static void read_tick(const struct vt_walk *w, struct timers *g)
{
    struct vt_gva jiffies = find(w, "jiffies_64"), source = find(w, "clocksource_jiffies");
    uint32_t mult = 0, shift = 0;
    if (jiffies.v != 0 && source.v != 0 && g->l->mult.size == 4 && g->l->shift.size == 4 &&
        vt_space_read_u64(w->space, jiffies, &g->jiffies, NULL) == 0 &&
        vt_space_read_u32(w->space, VT_GVA(source.v + g->l->mult.offset), &mult, NULL) == 0 &&
        vt_space_read_u32(w->space, VT_GVA(source.v + g->l->shift.offset), &shift, NULL) == 0 &&
        shift < 32) {
        g->tick_ns = mult >> shift;
    }
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct timers g = {0};
    int rc = vt_layout_take(w->kernel, &type, &g.l, err);
    if (rc == 0) {
        rc = vt_percpu_take(w->kernel, &g.percpu, err);
    }
    if (rc == 0) {
        rc = vt_walk_clock(w, &g.now, err);
    }
    if (rc != 0) {
        return rc;
    }
    g.left = vt_walk_cap(w, 32, TIMERS_MAX); /* no timer is smaller */
    g.delayed_work = find(w, "delayed_work_timer_fn");
    g.process_timeout = find(w, "process_timeout");
    g.sleeper = find(w, "hrtimer_wakeup");
    read_tick(w, &g);
    rc = print_wheels(w, &g, err);
    if (rc == 0) {
        rc = print_trees(w, &g, err);
    }
    return rc == 0 ? vt_walk_processes(w, print_of_process, &g, err) : rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_timer, member, kind, key, title, doc)}
#define OPTIONAL(member, kind, key, title, doc)                                                    \
    {VT_COLUMN(vt_timer, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(kind, VT_CELL_TEXT, "kind", "KIND", "wheel, hrtimer, posix or itimer"),
    COLUMN(cpu, VT_CELL_I64, "cpu", "CPU", "where it waits; -1: that of a process, nowhere"),
    COLUMN(base, VT_CELL_TEXT, "base", "BASE", "the clock it goes by, or the CPU's wheel"),
    COLUMN(expires, VT_CELL_U64, "expires", NULL,
           "when, in ns of that clock, of wheels in jiffies; 0: not armed"),
    {VT_COLUMN(vt_timer, in_s, VT_CELL_F64, "in_s", "IN", "seconds until then; negative: late"),
     .digits = 3},
    {VT_COLUMN(vt_timer, interval_ns, VT_CELL_SECONDS, "interval_s", "EVERY",
               "seconds from one time to the next"),
     .digits = 3, .zero_is_none = true},
    OPTIONAL(pid, VT_CELL_I64, "pid", "PID", "process that has it, or sleeps until then"),
    OPTIONAL(comm, VT_CELL_CHARS, "comm", "COMM", "the name of that"),
    COLUMN(id, VT_CELL_I64, "id", NULL, "of POSIX timers: their number; else -1"),
    OPTIONAL(signal, VT_CELL_U64, "signal", NULL, "of POSIX timers: the signal they send"),
    OPTIONAL(function, VT_CELL_HEX, "function", NULL, "what is called"),
    COLUMN(work_name, VT_CELL_TEXT, "work_name", "WORK", "what delayed work will call"),
    COLUMN(function_name, VT_CELL_TEXT, "function_name", "FUNCTION",
           "the symbol of what is called"),
};
#undef COLUMN
#undef OPTIONAL

const struct vt_noun vt_noun_timers = {
    .name = "timers",
    .summary = "List what the guest's kernel and processes will do later",
    .group = "Guest",
    .description =
        "The timer wheels and high-resolution timers of each CPU, then POSIX and interval\n"
        "timers of each process; those of them that run appear in both. With --pid those\n"
        "of a process, and those that its threads sleep on.",
    .examples = "vitrine timers web\nvitrine timers web --pid 1 --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
