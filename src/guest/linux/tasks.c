/* guest/linux/tasks.c - processes: the list that begins at init_task. See vitrine/guest.h.
 *
 * layout    where members are, probed once a kernel
 * read_task one task_struct and what it points to (cred, signal, mm, parent) to a struct vt_task
 * Each task is read twice; what identifies it must be equal, or the row is torn.
 */
#include "guest/linux/tasks.h"

#include <stdlib.h>
#include <string.h>

#define TASKS_MAX (4u << 20) /* PID_MAX_LIMIT */
#define CPUS_MAX 8192u       /* NR_CPUS of x86-64 */
#define LOOKS 3

/* Kinds of pages in an mm's counters: anonymous enum of mm_types_task.h, unchanged since 4.5. */
enum { MM_FILEPAGES = 0, MM_ANONPAGES = 1, MM_SHMEMPAGES = 3, MM_COUNTERS = 4 };

struct vt_task_layout {
    struct vt_member tasks, pid, tgid, comm, state, exit_state, cpu, start, mm, cred, signal,
        parent;
    struct vt_extent task;
    struct vt_member uid;
    struct vt_member nr_threads;
    struct vt_member pgd, arg_start, arg_end;
    struct vt_member rss_atomic; /* an array of longs, or */
    struct vt_member rss_percpu; /* an array of struct percpu_counter */
    struct vt_member counter_count, counter_parts;
    struct vt_extent mm_extent;
    uint32_t task_bytes, counter_bytes;
    struct vt_gva init_task;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(vt_task_layout, tasks, "task_struct", "tasks"),
    VT_FIELD_BARE(vt_task_layout, pid, "task_struct", "pid"),
    VT_FIELD_BARE(vt_task_layout, tgid, "task_struct", "tgid"),
    VT_FIELD_BARE(vt_task_layout, comm, "task_struct", "comm"),
    VT_FIELD_BARE(vt_task_layout, state, "task_struct", "__state", "state"),
    VT_FIELD_BARE(vt_task_layout, exit_state, "task_struct", "exit_state"),
    VT_FIELD_BARE_OPTIONAL(vt_task_layout, cpu, "task_struct", "thread_info.cpu", "cpu"),
    VT_FIELD_BARE(vt_task_layout, start, "task_struct", "start_boottime", "real_start_time",
                  "start_time"),
    VT_FIELD_BARE(vt_task_layout, mm, "task_struct", "mm"),
    VT_FIELD_BARE(vt_task_layout, cred, "task_struct", "cred"),
    VT_FIELD_BARE(vt_task_layout, signal, "task_struct", "signal"),
    VT_FIELD_BARE(vt_task_layout, parent, "task_struct", "real_parent"),
    VT_FIELD_BARE(vt_task_layout, uid, "cred", "uid.val", "uid"),
    VT_FIELD_BARE(vt_task_layout, nr_threads, "signal_struct", "nr_threads"),
    VT_FIELD_BARE(vt_task_layout, pgd, "mm_struct", "pgd"),
    VT_FIELD_BARE(vt_task_layout, arg_start, "mm_struct", "arg_start"),
    VT_FIELD_BARE(vt_task_layout, arg_end, "mm_struct", "arg_end"),
    VT_FIELD_BARE_OPTIONAL(vt_task_layout, rss_atomic, "mm_struct", "rss_stat.count"),
    VT_FIELD_BARE_OPTIONAL(vt_task_layout, rss_percpu, "mm_struct", "rss_stat"),
    VT_FIELD_BARE_OPTIONAL(vt_task_layout, counter_count, "percpu_counter", "count"),
    VT_FIELD_BARE_OPTIONAL(vt_task_layout, counter_parts, "percpu_counter", "counters"),
};

static int take_layout(struct vt_kernel *kernel, struct vt_error *err)
{
    if (kernel->tasks != NULL) {
        return 0;
    }
    struct vt_task_layout *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return vt_fail(err, VT_E_NOMEM, "tasks: out of memory");
    }
    int rc = vt_fields_resolve(kernel, specs, sizeof specs / sizeof specs[0], l, err);
    if (rc == 0) {
        rc = vt_kernel_struct_size(kernel, "task_struct", &l->task_bytes, err);
    }
    if (rc == 0) {
        rc = vt_kernel_symbol(kernel, "init_task", &l->init_task, err);
    }
    if (rc == 0 && (l->task_bytes < 256 || l->tasks.size != 16)) {
        rc = vt_fail(err, VT_E_CORRUPT, "the kernel's task_struct is not credible");
    }
    if (rc != 0) {
        free(l);
        return rc;
    }
    const struct vt_member *task[] = {&l->tasks, &l->pid,    &l->tgid,   &l->comm,
                                      &l->state, &l->cpu,    &l->start,  &l->mm,
                                      &l->cred,  &l->signal, &l->parent, &l->exit_state};
    for (size_t i = 0; i < sizeof task / sizeof task[0]; i++) {
        vt_extent_add(&l->task, task[i]);
    }
    if (l->rss_atomic.size != 0 ||
        vt_kernel_struct_size(kernel, "percpu_counter", &l->counter_bytes, NULL) != 0 ||
        l->rss_percpu.size < MM_COUNTERS * (uint64_t)l->counter_bytes) {
        l->rss_percpu.size = 0;
    }
    if (l->rss_atomic.size < MM_COUNTERS * 8) {
        l->rss_atomic.size = 0;
    }
    const struct vt_member *mm[] = {&l->pgd, &l->arg_start, &l->arg_end, &l->rss_atomic,
                                    &l->rss_percpu};
    for (size_t i = 0; i < sizeof mm / sizeof mm[0]; i++) {
        vt_extent_add(&l->mm_extent, mm[i]);
    }
    kernel->tasks = l;
    return 0;
}

/* One walk: where things are, and scratch space for copies. */
struct look {
    struct vt_kernel *kernel;
    const struct vt_task_layout *l;
    uint64_t *percpu; /* __per_cpu_offset */
    size_t cpus;
    struct vt_object task, mm;
};

/* The offsets of the CPUs' own areas; none on a kernel without them. */
static int take_percpu(struct look *look, struct vt_error *err)
{
    const struct vt_space *space = &look->kernel->space;
    struct vt_gva offsets, count;
    uint32_t n = 0;
    if (look->l->rss_percpu.size == 0 || look->l->counter_parts.size == 0 ||
        vt_kernel_symbol(look->kernel, "__per_cpu_offset", &offsets, NULL) != 0 ||
        vt_kernel_symbol(look->kernel, "nr_cpu_ids", &count, NULL) != 0 ||
        vt_space_read_u32(space, count, &n, NULL) != 0 || n == 0 || n > CPUS_MAX) {
        return 0;
    }
    look->percpu = calloc(n, sizeof *look->percpu);
    if (look->percpu == NULL) {
        return vt_fail(err, VT_E_NOMEM, "tasks: out of memory");
    }
    if (vt_space_read(space, offsets, look->percpu, n * sizeof *look->percpu, NULL) == 0) {
        look->cpus = n;
    }
    return 0;
}

/* TASK_* of include/linux/sched.h; task_state_index(). */
char vt_task_state(uint64_t state, uint64_t exit_state)
{
    enum { NOLOAD = 0x400, IDLE = 0x402, RTLOCK_WAIT = 0x1000, FROZEN = 0x8000, REPORT = 0x7f };
    static const char letters[] = "RSDTtXZP";
    uint64_t both = state | exit_state;
    if ((both & IDLE) == IDLE) {
        return 'I';
    }
    if (both & (RTLOCK_WAIT | FROZEN)) {
        return 'D';
    }
    both &= REPORT;
    return letters[both == 0 ? 0 : 64 - __builtin_clzll(both)];
}

static int64_t counter_value(const struct look *look, const uint8_t *mm, unsigned kind)
{
    const struct vt_task_layout *l = look->l;
    int64_t value = 0;
    uint64_t parts = 0;
    if (l->rss_atomic.size != 0) {
        memcpy(&value, mm + (l->rss_atomic.offset - l->mm_extent.low) + 8 * (size_t)kind, 8);
        return value;
    }
    const uint8_t *counter =
        mm + (l->rss_percpu.offset - l->mm_extent.low) + (size_t)l->counter_bytes * kind;
    memcpy(&value, counter + l->counter_count.offset, sizeof value);
    memcpy(&parts, counter + l->counter_parts.offset, sizeof parts);
    for (size_t cpu = 0; cpu < look->cpus; cpu++) {
        uint32_t part = 0;
        if (look->percpu[cpu] != 0 &&
            vt_space_read_u32(&look->kernel->space, VT_GVA(parts + look->percpu[cpu]), &part,
                              NULL) == 0) {
            value += (int32_t)part;
        }
    }
    return value;
}

static void read_mm(struct look *look, struct vt_task *t, bool *good)
{
    const struct vt_task_layout *l = look->l;
    if (vt_object_read(&look->kernel->space, t->mm, l->mm_extent, &look->mm, NULL) != 0 ||
        vt_space_translate(&look->kernel->space, VT_GVA(vt_object_uint(&look->mm, &l->pgd)),
                           &t->pgd, NULL) != 0) {
        *good = false;
        return;
    }
    int64_t pages = 0;
    if (l->rss_atomic.size != 0 ||
        (l->rss_percpu.size != 0 && l->counter_count.offset + 8 <= l->counter_bytes &&
         l->counter_parts.offset + 8 <= l->counter_bytes)) {
        pages = counter_value(look, look->mm.bytes, MM_FILEPAGES) +
                counter_value(look, look->mm.bytes, MM_ANONPAGES) +
                counter_value(look, look->mm.bytes, MM_SHMEMPAGES);
    }
    t->rss_pages = pages > 0 ? (uint64_t)pages : 0;
}

/* A 4-byte member behind a pointer. */
static uint32_t follow(const struct look *look, uint64_t pointer, const struct vt_member *member,
                       bool *good)
{
    uint32_t value = 0;
    if (vt_space_read_u32(&look->kernel->space, VT_GVA(pointer + member->offset), &value, NULL) !=
        0) {
        *good = false;
    }
    return value;
}

/* One look at a task. false: a pointer of its led nowhere. */
static bool read_task(struct look *look, struct vt_gva at, struct vt_task *task)
{
    const struct vt_task_layout *l = look->l;
    const struct vt_object *o = &look->task;
    struct vt_task t = {.at = at, .trust = VT_TRUST_OK};
    bool good = vt_object_read(&look->kernel->space, at, l->task, &look->task, NULL) == 0;
    if (good) {
        t.pid = (int32_t)vt_object_uint(o, &l->pid);
        t.tgid = (int32_t)vt_object_uint(o, &l->tgid);
        t.state = vt_task_state(vt_object_uint(o, &l->state), vt_object_uint(o, &l->exit_state));
        t.cpu = (uint32_t)vt_object_uint(o, &l->cpu);
        t.start_ns = vt_object_uint(o, &l->start);
        t.mm = VT_GVA(vt_object_uint(o, &l->mm));
        vt_object_text(o, &l->comm, t.comm, sizeof t.comm);
        t.ppid = (int32_t)follow(look, vt_object_uint(o, &l->parent), &l->tgid, &good);
        t.uid = follow(look, vt_object_uint(o, &l->cred), &l->uid, &good);
        t.threads = follow(look, vt_object_uint(o, &l->signal), &l->nr_threads, &good);
        good &= t.pid > 0 && (uint32_t)t.pid <= TASKS_MAX && t.tgid == t.pid;
        if (t.mm.v != 0) {
            read_mm(look, &t, &good);
        }
    }
    *task = t;
    return good;
}

/* What does not change while a process lives as it is. */
static bool same(const struct vt_task *a, const struct vt_task *b)
{
    return a->pid == b->pid && a->ppid == b->ppid && a->uid == b->uid &&
           a->start_ns == b->start_ns && a->mm.v == b->mm.v && a->pgd.v == b->pgd.v &&
           a->threads == b->threads && strcmp(a->comm, b->comm) == 0;
}

static struct vt_task look_at(struct look *look, struct vt_gva at, bool torn_link)
{
    struct vt_task before, now;
    bool good = read_task(look, at, &before), steady = false;
    for (int i = 0; i < LOOKS && !(good && steady); i++) {
        good = read_task(look, at, &now);
        steady = same(&before, &now);
        before = now;
    }
    now.trust = good && steady && !torn_link ? VT_TRUST_OK : VT_TRUST_TORN;
    return now;
}

int vt_linux_tasks(struct vt_kernel *kernel, struct vt_task_list *list, struct vt_error *err)
{
    int rc = take_layout(kernel, err);
    struct look *look = rc == 0 ? calloc(1, sizeof *look) : NULL;
    if (rc != 0 || look == NULL) {
        return rc != 0 ? rc : vt_fail(err, VT_E_NOMEM, "tasks: out of memory");
    }
    look->kernel = kernel;
    look->l = kernel->tasks;
    rc = take_percpu(look, err);

    /* No more tasks than RAM has room for. */
    size_t cap = vt_ram_size(kernel->ram) / look->l->task_bytes + 1, room = 0;
    cap = cap < TASKS_MAX ? cap : TASKS_MAX;
    struct vt_task_list found = {0};
    struct vt_list_walk walk;
    struct vt_gva node;
    vt_list_begin(&walk, &kernel->space, VT_GVA(look->l->init_task.v + look->l->tasks.offset), cap);
    while (rc == 0 && (rc = vt_list_next(&walk, &node, err)) == 1) {
        rc = 0;
        if (found.n == room) {
            room = room == 0 ? 128 : room * 2;
            struct vt_task *more = realloc(found.tasks, room * sizeof *more);
            if (more == NULL) {
                rc = vt_fail(err, VT_E_NOMEM, "tasks: out of memory");
                break;
            }
            found.tasks = more;
        }
        found.tasks[found.n++] =
            look_at(look, VT_GVA(node.v - look->l->tasks.offset), walk.torn_link);
    }
    found.torn = walk.torn;
    memcpy(found.why, walk.why, sizeof found.why);
    vt_list_end(&walk);
    free(look->percpu);
    free(look);
    if (rc == 0) {
        rc = vt_ram_check(kernel->ram, err);
    }
    if (rc != 0) {
        vt_task_list_fini(&found);
        return rc;
    }
    *list = found;
    return 0;
}

void vt_task_list_fini(struct vt_task_list *list)
{
    free(list->tasks);
    *list = (struct vt_task_list){0};
}

int vt_linux_task_space(const struct vt_kernel *kernel, const struct vt_task *task,
                        struct vt_space *space, struct vt_error *err)
{
    if (task->mm.v == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "process %d has no memory of its own", task->pid);
    }
    *space = kernel->space;
    space->root = task->pgd;
    return 0;
}

int vt_linux_task_args(struct vt_kernel *kernel, const struct vt_task *task, char *buf, size_t size,
                       struct vt_error *err)
{
    struct vt_object *mm = NULL;
    struct vt_space space;
    int rc = size == 0 ? vt_fail(err, VT_E_INVAL, "arguments: no room") : take_layout(kernel, err);
    if (rc != 0) {
        return rc;
    }
    if (task->mm.v == 0) {
        buf[0] = '\0';
        return 0;
    }
    const struct vt_task_layout *l = kernel->tasks;
    rc = vt_linux_task_space(kernel, task, &space, err);
    mm = malloc(sizeof *mm);
    if (rc == 0 && mm == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "arguments: out of memory");
    }
    if (rc == 0) {
        rc = vt_object_read(&kernel->space, task->mm, l->mm_extent, mm, err);
    }
    uint64_t at = 0, n = 0;
    if (rc == 0) {
        at = vt_object_uint(mm, &l->arg_start);
        uint64_t end = vt_object_uint(mm, &l->arg_end);
        n = end > at ? end - at : 0;
        n = n < size - 1 ? n : size - 1;
    }
    /* What is there of it: later pages may be swapped out. */
    uint64_t have = 0;
    while (rc == 0 && have < n) {
        uint64_t part = VT_PAGE_BYTES - (at + have) % VT_PAGE_BYTES;
        part = part < n - have ? part : n - have;
        rc = vt_space_read(&space, VT_GVA(at + have), buf + have, part, err);
        have += rc == 0 ? part : 0;
    }
    free(mm);
    if (rc != 0 && have == 0) {
        return rc;
    }
    while (have > 0 && buf[have - 1] == '\0') {
        have--;
    }
    for (uint64_t i = 0; i < have; i++) {
        buf[i] = buf[i] == '\0' ? ' ' : buf[i];
    }
    buf[have] = '\0';
    return 0;
}

void vt_look_task(struct vt_walk *walk, const struct vt_task *task)
{
    const struct vt_task_layout *l = walk->kernel->tasks;
    if (task->trust != VT_TRUST_OK) {
        vt_look_doubt(&walk->look, "the process changed, or a link to it is not symmetric");
    } else if ((int32_t)vt_look_member(&walk->look, task->at, &l->pid) != task->pid) {
        vt_look_doubt(&walk->look, "the process ended");
    }
}

int vt_walk_processes(struct vt_walk *walk, vt_task_fn *one, void *arg, struct vt_error *err)
{
    struct vt_task_list list;
    int rc = vt_walk_tasks(walk, &list, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < list.n && rc == 0; i++) {
        rc = one(walk, &list.tasks[i], arg, err);
    }
    vt_task_list_fini(&list);
    return rc;
}

const char *vt_trust_name(enum vt_trust trust)
{
    return trust == VT_TRUST_OK ? "ok" : "torn";
}
