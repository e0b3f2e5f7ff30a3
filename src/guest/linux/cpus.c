/* guest/linux/cpus.c - the guest's CPUs, and its clock. See vitrine/linux.h.
 *
 * What a CPU runs is the per-CPU current_task, for a time a member of pcpu_hot. Its idle time is in
 * tick_cpu_sched, or in kernel_cpustat where that has idle_entrytime. The clock is tk_core, since
 * 6.18 the first of timekeeper_data. Counters are read once: they change all the time.
 */
#include "guest/linux/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* enum cpu_usage_stat, unchanged since 2.6.33. */
enum { USER, NICE, SYSTEM, SOFTIRQ, IRQ, IDLE, STATS };

struct layout {
    struct vt_extent info;
    struct vt_member vendor_id, model_id, family, model, stepping, apic_id, microcode;
    struct vt_member hot_current; /* while it is a member of pcpu_hot */
    struct vt_extent task;
    struct vt_member pid, tgid, comm;
    struct vt_member running, cpustat;
    struct vt_member sleeptime, entrytime; /* of struct tick_sched */
    struct vt_member cpustat_entrytime;    /* of struct kernel_cpustat, since 7.1 */
    struct vt_extent clock;
    struct vt_member base, nsec, shift, mult, source, offs_real, offs_boot;
    struct vt_member clock_in_data, seqcount;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, vendor_id, info, "cpuinfo_x86", "x86_vendor_id"),
    VT_FIELD(layout, model_id, info, "cpuinfo_x86", "x86_model_id"),
    VT_FIELD(layout, family, info, "cpuinfo_x86", "x86"),
    VT_FIELD(layout, model, info, "cpuinfo_x86", "x86_model"),
    VT_FIELD(layout, stepping, info, "cpuinfo_x86", "x86_stepping"),
    VT_FIELD_OPTIONAL(layout, apic_id, info, "cpuinfo_x86", "topo.apicid", "apicid"),
    VT_FIELD_OPTIONAL(layout, microcode, info, "cpuinfo_x86", "microcode"),
    VT_FIELD_BARE_OPTIONAL(layout, hot_current, "pcpu_hot", "current_task"),
    VT_FIELD(layout, pid, task, "task_struct", "pid"),
    VT_FIELD(layout, tgid, task, "task_struct", "tgid"),
    VT_FIELD(layout, comm, task, "task_struct", "comm"),
    VT_FIELD_BARE_OPTIONAL(layout, running, "rq", "nr_running"),
    VT_FIELD_BARE_OPTIONAL(layout, cpustat, "kernel_cpustat", "cpustat"),
    VT_FIELD_BARE_OPTIONAL(layout, sleeptime, "tick_sched", "idle_sleeptime"),
    VT_FIELD_BARE_OPTIONAL(layout, entrytime, "tick_sched", "idle_entrytime"),
    VT_FIELD_BARE_OPTIONAL(layout, cpustat_entrytime, "kernel_cpustat", "idle_entrytime"),
    VT_FIELD(layout, base, clock, "timekeeper", "tkr_mono.base"),
    VT_FIELD(layout, nsec, clock, "timekeeper", "tkr_mono.xtime_nsec"),
    VT_FIELD(layout, shift, clock, "timekeeper", "tkr_mono.shift"),
    VT_FIELD(layout, mult, clock, "timekeeper", "tkr_mono.mult"),
    VT_FIELD(layout, source, clock, "timekeeper", "tkr_mono.clock"),
    VT_FIELD(layout, offs_real, clock, "timekeeper", "offs_real"),
    VT_FIELD(layout, offs_boot, clock, "timekeeper", "offs_boot"),
    VT_FIELD_BARE_OPTIONAL(layout, clock_in_data, "tk_data", "timekeeper"),
    VT_FIELD_SIZE_OPTIONAL(layout, seqcount, "seqcount_raw_spinlock"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* One walk: where per-CPU variables are; 0: this kernel has none of that name. */
struct machine {
    const struct layout *l;
    const struct vt_percpu *percpu;
    struct vt_gva info, current, runqueues, cpustat, tick;
    uint32_t khz;
};

static struct vt_gva find(const struct vt_walk *w, const char *name)
{
    struct vt_gva at = VT_GVA(0);
    vt_kernel_symbol(w->kernel, name, &at, NULL);
    return at;
}

static int take_machine(struct vt_walk *w, struct machine *m, struct vt_error *err)
{
    *m = (struct machine){0};
    int rc = vt_layout_take(w->kernel, &type, &m->l, err);
    if (rc == 0) {
        rc = vt_percpu_take(w->kernel, &m->percpu, err);
    }
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "cpu_info", &m->info, err);
    }
    if (rc != 0) {
        return rc;
    }
    m->current = find(w, "current_task");
    struct vt_gva hot = find(w, "pcpu_hot");
    if (m->current.v == 0 && hot.v != 0 && m->l->hot_current.size != 0) {
        m->current = VT_GVA(hot.v + m->l->hot_current.offset);
    }
    m->runqueues = find(w, "runqueues");
    m->cpustat = find(w, "kernel_cpustat");
    m->tick = find(w, "tick_cpu_sched");
    struct vt_gva khz = find(w, "cpu_khz");
    if (khz.v != 0) {
        vt_space_read_u32(w->space, khz, &m->khz, NULL);
    }
    return 0;
}

/* A number that may change while it is read; 0 where it is not there. */
static uint64_t peek(const struct vt_walk *w, struct vt_gva at, const struct vt_member *member)
{
    uint64_t value = 0;
    if (at.v != 0 && member->size != 0 && member->size <= sizeof value) {
        vt_space_read(w->space, VT_GVA(at.v + member->offset), &value, member->size, NULL);
    }
    return value;
}

static struct vt_gva of_cpu(const struct machine *m, struct vt_gva var, unsigned cpu)
{
    return var.v == 0 ? var : vt_percpu_at(m->percpu, var, cpu);
}

/* When the CPU became idle last, and its idle time before that. */
static uint64_t idle_since(const struct vt_walk *w, const struct machine *m, unsigned cpu,
                           uint64_t *idle_ns)
{
    const struct layout *l = m->l;
    struct vt_gva stat = of_cpu(m, m->cpustat, cpu), tick = of_cpu(m, m->tick, cpu);
    if (tick.v != 0 && l->sleeptime.size != 0) {
        *idle_ns = peek(w, tick, &l->sleeptime);
        return peek(w, tick, &l->entrytime);
    }
    const struct vt_member idle = {.offset = l->cpustat.offset + 8 * IDLE, .size = 8};
    *idle_ns = l->cpustat.size < 8 * STATS ? 0 : peek(w, stat, &idle);
    return peek(w, stat, &l->cpustat_entrytime);
}

static void read_times(const struct vt_walk *w, const struct machine *m, uint64_t now_ns,
                       struct vt_cpu *c)
{
    uint64_t stats[STATS];
    struct vt_gva at = of_cpu(m, m->cpustat, c->cpu);
    if (at.v != 0 && m->l->cpustat.size >= sizeof stats &&
        vt_space_read(w->space, VT_GVA(at.v + m->l->cpustat.offset), stats, sizeof stats, NULL) ==
            0) {
        c->user_ns = stats[USER] + stats[NICE];
        c->sys_ns = stats[SYSTEM] + stats[SOFTIRQ] + stats[IRQ];
    }
    uint64_t since = idle_since(w, m, c->cpu, &c->idle_ns);
    if (c->online && c->idle && since != 0 && since < now_ns) {
        c->idle_ns += now_ns - since;
    }
    c->runnable = (uint32_t)peek(w, of_cpu(m, m->runqueues, c->cpu), &m->l->running);
}

/* What runs on the CPU. It may be another task a moment later: that is no doubt about this one. */
static void read_current(struct vt_walk *w, const struct machine *m, struct vt_cpu *c)
{
    struct vt_gva at = of_cpu(m, m->current, c->cpu);
    uint64_t task = 0;
    struct vt_object o;
    if (at.v == 0 || vt_space_read_u64(w->space, at, &task, NULL) != 0 || task == 0) {
        return;
    }
    c->current = VT_GVA(task);
    if (vt_object_read(w->space, c->current, m->l->task, &o, NULL) != 0) {
        vt_look_doubt(&w->look, "what it runs cannot be read");
        return;
    }
    c->tid = (int32_t)vt_object_uint(&o, &m->l->pid);
    c->pid = (int32_t)vt_object_uint(&o, &m->l->tgid);
    c->idle = c->tid == 0;
    vt_object_text(&o, &m->l->comm, c->comm, sizeof c->comm);
}

static void read_cpu(struct vt_walk *w, const struct machine *m, unsigned cpu, uint64_t now_ns,
                     struct vt_cpu *c)
{
    const struct layout *l = m->l;
    struct vt_object info;
    *c = (struct vt_cpu){
        .row.at = vt_percpu_at(m->percpu, m->info, cpu),
        .cpu = cpu,
        .online = vt_percpu_online(m->percpu, cpu),
        .offset = VT_GVA(m->percpu->offset[cpu]),
        .khz = m->khz,
    };
    if (vt_look_object(&w->look, c->row.at, l->info, &info)) {
        c->family = (uint32_t)vt_object_uint(&info, &l->family);
        c->model = (uint32_t)vt_object_uint(&info, &l->model);
        c->stepping = (uint32_t)vt_object_uint(&info, &l->stepping);
        c->apic_id = (uint32_t)vt_object_uint(&info, &l->apic_id);
        c->microcode = (uint32_t)vt_object_uint(&info, &l->microcode);
        vt_object_text(&info, &l->vendor_id, c->vendor, sizeof c->vendor);
        vt_object_text(&info, &l->model_id, c->model_name, sizeof c->model_name);
    }
    read_current(w, m, c);
    read_times(w, m, now_ns, c);
}

/* ---------------------------------------------------------------- the clock */

static int find_clock(struct vt_walk *w, const struct layout *l, struct vt_clock *c,
                      struct vt_error *err)
{
    int rc = vt_kernel_symbol(w->kernel, "timekeeper_data", &c->at, NULL);
    if (rc != 0) {
        rc = vt_kernel_symbol(w->kernel, "tk_core", &c->at, err);
    }
    /* An unnamed struct of a sequence counter and the timekeeper, until it got the name tk_data. */
    uint64_t seqcount = l->seqcount.size != 0 ? l->seqcount.size : 4;
    c->at.v += l->clock_in_data.size != 0 ? l->clock_in_data.offset : (seqcount + 7) / 8 * 8;
    return rc;
}

/* The kernel writes it at every tick, the idle entries of CPUs may be later: what is the latest is
 * closest to now. */
static void read_clock(struct vt_walk *w, const struct machine *m, struct vt_clock *c)
{
    const struct layout *l = m->l;
    struct vt_object o;
    if (vt_object_read(w->space, c->at, l->clock, &o, NULL) != 0) {
        vt_look_doubt(&w->look, "the timekeeper cannot be read");
        return;
    }
    uint64_t shift = vt_object_uint(&o, &l->shift);
    if (shift > 32 || vt_object_uint(&o, &l->mult) == 0 || vt_object_uint(&o, &l->source) == 0) {
        vt_look_doubt(&w->look, "no credible timekeeper");
        return;
    }
    c->mono_ns = vt_object_uint(&o, &l->base) + (vt_object_uint(&o, &l->nsec) >> shift);
    c->real_ns = vt_object_uint(&o, &l->offs_real);
    c->boot_ns = vt_object_uint(&o, &l->offs_boot);
    for (unsigned cpu = 0; cpu < m->percpu->n; cpu++) {
        uint64_t idle_ns, since = idle_since(w, m, cpu, &idle_ns);
        /* Not more than a clock may be behind: half an hour is a leftover or a lie. */
        if (since > c->mono_ns && since - c->mono_ns < UINT64_C(1800000000000)) {
            c->mono_ns = since;
        }
    }
}

static void format_time(uint64_t at_s, char *text, size_t size)
{
    time_t seconds = (time_t)at_s;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL || strftime(text, size, "%F %T UTC", &tm) == 0) {
        text[0] = '\0';
    }
}

static void read_uptime(struct vt_walk *w, const struct machine *m, struct vt_clock *c,
                        struct vt_uptime *u)
{
    static const struct vt_member u32 = {.size = 4}, u64 = {.size = 8};
    double *const loads[] = {&u->load1, &u->load5, &u->load15};
    uint64_t averages[3];
    *u = (struct vt_uptime){.row.at = c->at};
    read_clock(w, m, c);
    u->uptime_ns = c->mono_ns + c->boot_ns;
    u->now_s = (c->mono_ns + c->real_ns) / 1000000000;
    u->boot_s = (c->real_ns - c->boot_ns) / 1000000000;
    format_time(u->boot_s, u->booted, sizeof u->booted);
    format_time(u->now_s, u->now, sizeof u->now);
    struct vt_gva load = find(w, "avenrun");
    if (load.v != 0 && vt_space_read(w->space, load, averages, sizeof averages, NULL) == 0) {
        for (unsigned i = 0; i < 3; i++) {
            *loads[i] = (double)averages[i] / 2048; /* FIXED_1 */
        }
    }
    u->jiffies = peek(w, find(w, "jiffies_64"), &u64);
    u->tasks = (uint32_t)peek(w, find(w, "nr_threads"), &u32);
    u->forks = peek(w, find(w, "total_forks"), &u64);
    for (unsigned cpu = 0; cpu < m->percpu->n; cpu++) {
        struct vt_cpu row;
        read_cpu(w, m, cpu, c->mono_ns, &row);
        u->idle_ns += row.idle_ns;
        u->running += row.online ? row.runnable : 0;
    }
}

int vt_walk_clock(struct vt_walk *w, struct vt_clock *clock, struct vt_error *err)
{
    struct machine m;
    struct vt_clock found = {0};
    int rc = take_machine(w, &m, err);
    if (rc == 0) {
        rc = find_clock(w, m.l, &found, err);
    }
    if (rc == 0) {
        vt_look_begin(&w->look);
        read_clock(w, &m, &found);
        *clock = found;
    }
    return rc;
}

static int walk_cpus(struct vt_walk *w, struct vt_error *err)
{
    struct machine m;
    struct vt_clock clock = {0};
    int rc = take_machine(w, &m, err);
    if (rc == 0) {
        rc = find_clock(w, m.l, &clock, err);
    }
    if (rc == 0) {
        vt_look_begin(&w->look);
        read_clock(w, &m, &clock); /* without it idle times only lack what goes on */
    }
    for (unsigned cpu = 0; rc == 0 && cpu < m.percpu->n; cpu++) {
        struct vt_cpu c;
        do {
            vt_look_begin(&w->look);
            read_cpu(w, &m, cpu, clock.mono_ns, &c);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &c.row);
    }
    return rc;
}

static int walk_uptime(struct vt_walk *w, struct vt_error *err)
{
    struct machine m;
    struct vt_clock clock = {0};
    struct vt_uptime u;
    int rc = take_machine(w, &m, err);
    if (rc == 0) {
        rc = find_clock(w, m.l, &clock, err);
    }
    if (rc != 0) {
        return rc;
    }
    do {
        vt_look_begin(&w->look);
        read_uptime(w, &m, &clock, &u);
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &u.row);
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_cpu, member, kind, key, title, doc)}
#define SECONDS(type, member, key, title, doc)                                                     \
    {VT_COLUMN(type, member, VT_CELL_SECONDS, key, title, doc), .digits = 2}

static const struct vt_column cpu_columns[] = {
    COLUMN(cpu, VT_CELL_U64, "cpu", "CPU", "its number"),
    COLUMN(online, VT_CELL_BOOL, "online", "ONLINE", "whether it is in use"),
    COLUMN(idle, VT_CELL_BOOL, "idle", "IDLE", "whether it runs its idle task"),
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process it runs now; 0: its idle task"),
    COLUMN(tid, VT_CELL_I64, "tid", NULL, "thread it runs now"),
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMM", "the name of that"),
    {VT_COLUMN(vt_cpu, current, VT_CELL_HEX, "current", NULL, "the task_struct of that"),
     .zero_is_none = true},
    COLUMN(runnable, VT_CELL_U64, "runnable", "RUNNABLE", "threads that run or wait for it"),
    SECONDS(vt_cpu, user_ns, "user_s", "USER", "time in user mode"),
    SECONDS(vt_cpu, sys_ns, "sys_s", "SYS", "time in the kernel, interrupts included"),
    SECONDS(vt_cpu, idle_ns, "idle_s", "IDLED", "time idle"),
    COLUMN(offset, VT_CELL_HEX, "offset", NULL, "what is added to a per-CPU variable's address"),
    {VT_COLUMN(vt_cpu, khz, VT_CELL_U64, "khz", NULL, "frequency of its time stamp counter"),
     .zero_is_none = true},
    COLUMN(apic_id, VT_CELL_U64, "apic_id", NULL, "its local APIC's number"),
    {VT_COLUMN(vt_cpu, vendor, VT_CELL_CHARS, "vendor", "VENDOR", "as CPUID says"),
     .zero_is_none = true},
    COLUMN(family, VT_CELL_U64, "family", NULL, "as CPUID says"),
    COLUMN(model, VT_CELL_U64, "model", NULL, "as CPUID says"),
    COLUMN(stepping, VT_CELL_U64, "stepping", NULL, "as CPUID says"),
    COLUMN(microcode, VT_CELL_HEX, "microcode", NULL, "revision of its microcode"),
    {VT_COLUMN(vt_cpu, model_name, VT_CELL_CHARS, "model_name", "MODEL", "as CPUID says"),
     .zero_is_none = true},
};
#undef COLUMN

const struct vt_noun vt_noun_cpus = {
    .name = "cpus",
    .summary = "Show the guest's CPUs and what they run now",
    .group = "Guest",
    .description = "One row for each CPU that the guest may have, online or not. What it runs is\n"
                   "what it ran when it was looked at; with --pause all are of one moment.",
    .examples = "vitrine cpus web\nvitrine cpus web --pause --json",
    .columns = cpu_columns,
    .n_columns = sizeof cpu_columns / sizeof cpu_columns[0],
    .walk = walk_cpus,
};

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_uptime, member, kind, key, title, doc)}
#define LOAD(member, title, doc)                                                                   \
    {VT_COLUMN(vt_uptime, member, VT_CELL_F64, #member, title, doc), .digits = 2}

static const struct vt_column uptime_columns[] = {
    SECONDS(vt_uptime, uptime_ns, "uptime_s", "UPTIME", "seconds since boot"),
    SECONDS(vt_uptime, idle_ns, "idle_s", "IDLE", "seconds its CPUs were idle, all together"),
    LOAD(load1, "LOAD1", "load average of a minute"),
    LOAD(load5, "LOAD5", "load average of five minutes"),
    LOAD(load15, "LOAD15", "load average of fifteen minutes"),
    COLUMN(running, VT_CELL_U64, "running", "RUNNING", "threads that run or wait for a CPU"),
    COLUMN(tasks, VT_CELL_U64, "tasks", "THREADS", "threads of all processes"),
    COLUMN(forks, VT_CELL_U64, "forks", "FORKS", "processes and threads made since boot"),
    COLUMN(jiffies, VT_CELL_U64, "jiffies", NULL, "the kernel's count of ticks"),
    COLUMN(boot_s, VT_CELL_U64, "boot_s", NULL, "when it booted, in seconds since 1970"),
    COLUMN(now_s, VT_CELL_U64, "now_s", NULL, "its own clock, in seconds since 1970"),
    COLUMN(now, VT_CELL_CHARS, "now", "NOW", "its own clock"),
    COLUMN(booted, VT_CELL_CHARS, "booted", "BOOTED", "when it booted, by its own clock"),
};
#undef COLUMN
#undef LOAD
#undef SECONDS

const struct vt_noun vt_noun_uptime = {
    .name = "uptime",
    .summary = "Say how long the guest runs, what time it has, and its load",
    .group = "Guest",
    .description = "The clocks are those of the guest's last tick: up to seconds ago when all its\n"
                   "CPUs are idle.",
    .examples = "vitrine uptime web\nvitrine uptime web --json",
    .columns = uptime_columns,
    .n_columns = sizeof uptime_columns / sizeof uptime_columns[0],
    .walk = walk_uptime,
};
