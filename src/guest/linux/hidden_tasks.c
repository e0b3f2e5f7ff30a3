/* guest/linux/hidden_tasks.c - the views of tasks, and what is not in all of them. See hidden.h.
 *
 *   list     init_task.tasks: group leaders; what /proc's readers of the past and most tools walk
 *   threads  signal_struct.thread_head, of every process met anywhere
 *   table    init_pid_ns.idr → struct pid → tasks[PIDTYPE_PID]; what /proc shows
 *   family   children of every task met anywhere
 *   running  each CPU's rq: curr, and the fair tasks that wait
 *   memory   objects in use of the task_struct slab
 * A task belongs into threads and table, a leader into list as well, unless it is being made or
 * has begun to exit.
 */
#include "guest/linux/hidden.h"
#include "guest/linux/hlist.h"
#include "guest/linux/slab_objects.h"
#include "guest/linux/threads.h"
#include "guest/linux/xarray.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_MAX (4u << 20) /* PID_MAX_LIMIT */
#define STEPS_A_TASK 4u

/* include/linux/sched.h: macros, so not among the types. */
enum { TASK_DEAD = 0x80, TASK_NEW = 0x800, PF_EXITING = 4 };

enum view {
    LIST = 1 << 0,
    THREADS = 1 << 1,
    TABLE = 1 << 2,
    FAMILY = 1 << 3,
    RUNNING = 1 << 4,
    MEMORY = 1 << 5,
};

struct layout {
    struct vt_extent task;
    struct vt_member tasks, pid, tgid, comm, state, exit_state, flags, start, signal, children,
        sibling;
    struct vt_member task_bytes;
    struct vt_member pid_links, pid_tasks;
    struct vt_member curr, idle, waiting, entity, group_node;
    struct vt_member ids;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, pid, task, "task_struct", "pid"),
    VT_FIELD(layout, tgid, task, "task_struct", "tgid"),
    VT_FIELD(layout, comm, task, "task_struct", "comm"),
    VT_FIELD(layout, state, task, "task_struct", "__state", "state"),
    VT_FIELD(layout, exit_state, task, "task_struct", "exit_state"),
    VT_FIELD(layout, flags, task, "task_struct", "flags"),
    VT_FIELD(layout, start, task, "task_struct", "start_boottime", "real_start_time", "start_time"),
    VT_FIELD(layout, signal, task, "task_struct", "signal"),
    VT_FIELD_BARE(layout, tasks, "task_struct", "tasks"),
    VT_FIELD_BARE(layout, children, "task_struct", "children"),
    VT_FIELD_BARE(layout, sibling, "task_struct", "sibling"),
    VT_FIELD_SIZE(layout, task_bytes, "task_struct"),
    VT_FIELD_BARE(layout, pid_links, "task_struct", "pid_links"),
    VT_FIELD_BARE(layout, pid_tasks, "pid", "tasks"),
    VT_FIELD_BARE(layout, ids, "pid_namespace", "idr"),
    VT_FIELD_BARE_OPTIONAL(layout, curr, "rq", "curr"),
    VT_FIELD_BARE_OPTIONAL(layout, idle, "rq", "idle"),
    VT_FIELD_BARE_OPTIONAL(layout, waiting, "rq", "cfs_tasks"),
    VT_FIELD_BARE_OPTIONAL(layout, entity, "task_struct", "se"),
    VT_FIELD_BARE_OPTIONAL(layout, group_node, "sched_entity", "group_node"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* One round of looking. */
struct round {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_sights tasks;
    struct vt_seen processes; /* signal_structs whose threads were gone through */
    struct vt_seen idle;      /* the CPUs' own tasks: in no book, rightly */
    unsigned taken;           /* views that are whole */
    size_t steps;             /* along lists of threads; many may claim the same ones */
    char why[160];            /* why one is not */
};

static int round_begin(struct round *r, struct vt_walk *w, const struct layout *l,
                       struct vt_error *err)
{
    struct vt_gva init;
    *r = (struct round){.w = w, .l = l};
    r->tasks.cap = vt_walk_cap(w, l->task_bytes.size, TASKS_MAX);
    int rc = vt_kernel_symbol(w->kernel, "init_task", &init, err);
    rc = rc == 0 ? vt_seen_add(&r->idle, init.v, err) : rc;
    return rc < 0 ? rc : 0;
}

static void round_end(struct round *r)
{
    vt_sights_fini(&r->tasks);
    vt_seen_fini(&r->processes);
    vt_seen_fini(&r->idle);
}

/* A view that broke off proves nothing about what it has not. */
static void close_view(struct round *r, enum view view, bool torn, const char *why)
{
    if (!torn) {
        r->taken |= view;
    } else if (r->why[0] == '\0') {
        snprintf(r->why, sizeof r->why, "%s", why);
    }
}

/* ---------------------------------------------------------------- the views */

/* `symmetric`: nothing that does not point back. What fork has just copied has the links of its
 * parent, which lead past their end to what is no task. */
static int sight_list(struct round *r, struct vt_gva head, bool symmetric, uint32_t node_at,
                      enum view view, bool *torn, char *why, size_t why_size, struct vt_error *err)
{
    struct vt_list_walk list;
    struct vt_gva node;
    int rc;
    vt_list_begin(&list, r->w->space, head, r->tasks.cap);
    while ((rc = vt_list_next(&list, &node, err)) == 1) {
        if (symmetric && list.torn_link) {
            rc = 0;
            break;
        }
        if ((rc = vt_sights_add(&r->tasks, node.v - node_at, view, err)) != 0) {
            break;
        }
    }
    if (list.torn && !*torn) {
        *torn = true;
        snprintf(why, why_size, "%s", list.why);
    }
    vt_list_end(&list);
    return rc;
}

static int view_list(struct round *r, struct vt_error *err)
{
    struct vt_gva init;
    char why[160] = "";
    bool torn = false;
    int rc = vt_kernel_symbol(r->w->kernel, "init_task", &init, err);
    if (rc == 0) {
        rc = sight_list(r, VT_GVA(init.v + r->l->tasks.offset), false, r->l->tasks.offset, LIST,
                        &torn, why, sizeof why, err);
    }
    close_view(r, LIST, torn, why);
    return rc;
}

static int view_table(struct round *r, struct vt_error *err)
{
    struct vt_gva init, node;
    struct vt_xa_walk ids;
    struct vt_xa_entry entry;
    struct vt_hlist_walk hash;
    int rc = vt_kernel_symbol(r->w->kernel, "init_pid_ns", &init, err);
    if (rc == 0) {
        rc = vt_idr_begin(&ids, r->w->kernel, VT_GVA(init.v + r->l->ids.offset), r->tasks.cap, err);
    }
    if (rc != 0) {
        return rc;
    }
    vt_hlist_begin(&hash, r->w->space, VT_HLIST, r->tasks.cap);
    while (rc == 0 && vt_xa_next(&ids, &entry)) {
        vt_hlist_bucket(&hash, VT_GVA(entry.value + r->l->pid_tasks.offset));
        while ((rc = vt_hlist_next(&hash, &node, err)) == 1) {
            rc = vt_sights_add(&r->tasks, node.v - r->l->pid_links.offset, TABLE, err);
            if (rc != 0) {
                break;
            }
        }
    }
    /* A pid whose only task just left is an empty or a torn bucket; the rest stays whole. */
    close_view(r, TABLE, ids.torn, ids.why);
    vt_hlist_end(&hash);
    return rc;
}

static int view_running(struct round *r, struct vt_error *err)
{
    const struct layout *l = r->l;
    const struct vt_percpu *percpu;
    struct vt_gva runqueues;
    char why[160] = "";
    bool torn = false;
    if (l->curr.size != 8 || l->idle.size != 8 ||
        vt_kernel_symbol(r->w->kernel, "runqueues", &runqueues, NULL) != 0 ||
        vt_percpu_take(r->w->kernel, &percpu, NULL) != 0) {
        return 0;
    }
    int rc = 0;
    for (unsigned cpu = 0; rc == 0 && cpu < percpu->n; cpu++) {
        struct vt_gva rq = vt_percpu_at(percpu, runqueues, cpu);
        uint64_t curr, idle;
        if (!vt_percpu_online(percpu, cpu) ||
            vt_space_read_u64(r->w->space, VT_GVA(rq.v + l->curr.offset), &curr, NULL) != 0 ||
            vt_space_read_u64(r->w->space, VT_GVA(rq.v + l->idle.offset), &idle, NULL) != 0 ||
            curr == 0 || idle == 0) {
            continue;
        }
        rc = vt_seen_add(&r->idle, idle, err);
        rc = rc < 0 ? rc : vt_sights_add(&r->tasks, curr, RUNNING, err);
        if (rc == 0 && l->waiting.size != 0 && l->entity.size != 0 && l->group_node.size != 0) {
            rc = sight_list(r, VT_GVA(rq.v + l->waiting.offset), true,
                            l->entity.offset + l->group_node.offset, RUNNING, &torn, why,
                            sizeof why, err);
        }
    }
    r->taken |= RUNNING; /* proves no absence, so a torn queue takes nothing away */
    return rc;
}

struct scan {
    struct vt_sights *tasks;
    struct vt_error *err;
};

static int scan_object(struct vt_gva object, bool in_use, void *arg)
{
    struct scan *scan = arg;
    return in_use ? vt_sights_add(scan->tasks, object.v, MEMORY, scan->err) : 0;
}

/* A kernel whose slabs cannot be read has one view less. */
static int view_memory(struct round *r, struct vt_error *err)
{
    struct scan scan = {&r->tasks, err};
    struct vt_slab_objects result;
    struct vt_gva cache;
    if (vt_slab_cache_of(r->w->kernel, "task_struct_cachep", &cache, NULL) != 0) {
        return 0;
    }
    int rc = vt_slab_objects(r->w->kernel, cache, scan_object, &scan, &result, err);
    if (rc == 0) {
        r->taken |= MEMORY;
    }
    return rc == VT_E_NOT_FOUND || rc == VT_E_CORRUPT ? 0 : rc;
}

/* Threads and children of everything that was met, and of what is met by that. */
static int view_relatives(struct round *r, struct vt_error *err)
{
    char why[160] = "";
    bool torn = false;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->tasks.n; i++) {
        uint64_t at = r->tasks.list[i].at, signal;
        rc = sight_list(r, VT_GVA(at + r->l->children.offset), true, r->l->sibling.offset, FAMILY,
                        &torn, why, sizeof why, err);
        if (rc != 0 ||
            vt_space_read_u64(r->w->space, VT_GVA(at + r->l->signal.offset), &signal, NULL) != 0 ||
            signal == 0 || (rc = vt_seen_add(&r->processes, signal, err)) != 1) {
            rc = rc < 0 ? rc : 0;
            continue;
        }
        struct vt_thread_walk threads;
        struct vt_gva task;
        rc = vt_threads_begin(&threads, r->w->kernel, VT_GVA(at), err);
        while (rc == 0 && r->steps < STEPS_A_TASK * r->tasks.cap &&
               (rc = vt_threads_next(&threads, &task, err)) == 1) {
            r->steps++;
            rc = vt_sights_add(&r->tasks, task.v, THREADS, err);
        }
        vt_list_end(&threads.list);
    }
    /* One torn list of many takes nothing from the others, and what is missing from it is looked
     * for again. */
    r->taken |= FAMILY;
    close_view(r, THREADS, r->steps >= STEPS_A_TASK * r->tasks.cap,
               "the lists of threads have more than there can be");
    return rc;
}

static int take_round(struct round *r, struct vt_error *err)
{
    int rc = view_list(r, err);
    if (rc == 0) {
        rc = view_table(r, err);
    }
    if (rc == 0) {
        rc = view_running(r, err);
    }
    if (rc == 0) {
        rc = view_memory(r, err);
    }
    return rc == 0 ? view_relatives(r, err) : rc;
}

/* ---------------------------------------------------------------- the verdict */

struct suspect {
    uint64_t at, start;
    unsigned views, missing, taken;
};

struct suspects {
    struct suspect *list;
    size_t n, room;
};

static int accuse(struct suspects *s, struct suspect suspect, struct vt_error *err)
{
    if (s->n == s->room) {
        size_t room = s->room == 0 ? 32 : 2 * s->room;
        struct suspect *more = realloc(s->list, room * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "hidden: out of memory");
        }
        s->list = more;
        s->room = room;
    }
    s->list[s->n++] = suspect;
    return 0;
}

/* Memory alone has it: of a slab that a CPU is about to hand out nothing says that its objects are
 * free, however often one looks while that CPU gets no time. One that was a task has a process. */
static bool never_was(const struct round *r, const struct vt_sight *sight,
                      const struct vt_object *o)
{
    uint64_t signal = vt_object_uint(o, &r->l->signal), word;
    return sight->views == MEMORY &&
           (signal == 0 || vt_space_read_u64(r->w->space, VT_GVA(signal), &word, NULL) != 0);
}

/* What a task is not in and should be; 0 also when it is no steady task. */
static unsigned missing_of(const struct round *r, const struct vt_sight *sight,
                           const struct vt_object *o)
{
    const struct layout *l = r->l;
    uint64_t state = vt_object_uint(o, &l->state);
    bool leader = vt_object_uint(o, &l->pid) == vt_object_uint(o, &l->tgid);
    unsigned wanted = (leader ? LIST : 0) | THREADS | TABLE;
    if (vt_object_uint(o, &l->exit_state) != 0 || (state & (TASK_DEAD | TASK_NEW)) != 0 ||
        (vt_object_uint(o, &l->flags) & PF_EXITING) != 0 || vt_seen_has(&r->idle, sight->at)) {
        return 0;
    }
    /* Only a list of children leads to it, and it is no task_struct: the list was torn. */
    bool stray = sight->views == FAMILY && (r->taken & MEMORY) != 0;
    return stray || never_was(r, sight, o) ? 0 : wanted & r->taken & ~sight->views;
}

/* What tells a task from another: not 0. */
static uint64_t identity(const struct layout *l, const struct vt_object *o)
{
    uint64_t id = vt_object_uint(o, &l->start) * UINT64_C(0x9e3779b97f4a7c15);
    return (id ^ vt_object_uint(o, &l->pid)) | UINT64_C(1) << 63;
}

/* Who is in the table: what only memory has and is one of them is no task of its own, but a
 * task_struct that fork has copied and not changed yet. */
static int take_identities(const struct round *r, struct vt_object *o, struct vt_seen *known,
                           struct vt_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < r->tasks.n; i++) {
        const struct vt_sight *sight = &r->tasks.list[i];
        if ((sight->views & TABLE) != 0 &&
            vt_object_read(r->w->space, VT_GVA(sight->at), r->l->task, o, NULL) == 0) {
            rc = vt_seen_add(known, identity(r->l, o), err);
        }
    }
    return rc < 0 ? rc : 0;
}

static int find_suspects(const struct round *r, struct suspects *found, struct vt_error *err)
{
    struct vt_object *o = malloc(sizeof *o);
    struct vt_seen known = {0};
    int rc = o == NULL ? vt_fail(err, VT_E_NOMEM, "hidden: out of memory")
                       : take_identities(r, o, &known, err);
    for (size_t i = 0; rc == 0 && i < r->tasks.n; i++) {
        const struct vt_sight *sight = &r->tasks.list[i];
        if (vt_object_read(r->w->space, VT_GVA(sight->at), r->l->task, o, NULL) != 0) {
            continue;
        }
        unsigned missing = missing_of(r, sight, o);
        bool embryo = sight->views == MEMORY && vt_seen_has(&known, identity(r->l, o));
        if (missing != 0 && !embryo) {
            rc = accuse(found,
                        (struct suspect){.at = sight->at,
                                         .start = vt_object_uint(o, &r->l->start),
                                         .views = sight->views,
                                         .missing = missing,
                                         .taken = r->taken},
                        err);
        }
    }
    vt_seen_fini(&known);
    free(o);
    return rc;
}

/* Keeps those of `all` that are still missing from the same places. */
static void keep_common(struct suspects *all, const struct suspects *now)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->n; i++) {
        for (size_t j = 0; j < now->n; j++) {
            if (now->list[j].at == all->list[i].at && now->list[j].start == all->list[i].start &&
                (now->list[j].missing & all->list[i].missing) != 0) {
                struct suspect both = now->list[j];
                both.missing &= all->list[i].missing;
                all->list[kept++] = both;
                break;
            }
        }
    }
    all->n = kept;
}

static void judge(struct vt_hidden *h, const struct suspect *s)
{
    if (s->missing & LIST) {
        vt_row_find(&h->row,
                    "process %d runs but is not on the list of processes: something took "
                    "it off, so that tools do not show it",
                    h->pid);
    } else if (s->missing & TABLE) {
        vt_row_find(&h->row,
                    "%s %d runs but its number leads to nothing: /proc and kill do not "
                    "know it",
                    h->pid == h->tgid ? "process" : "thread", h->pid);
    } else {
        vt_row_find(&h->row, "thread %d is not on its process's list of threads", h->pid);
    }
}

static void read_suspect(struct vt_walk *w, const struct layout *l, const struct suspect *s,
                         struct vt_hidden *h)
{
    struct vt_object o;
    *h = (struct vt_hidden){.row.at = VT_GVA(s->at), .kind = "task"};
    if (!vt_look_object(&w->look, h->row.at, l->task, &o)) {
        return;
    }
    h->pid = (int32_t)vt_object_uint(&o, &l->pid);
    h->tgid = (int32_t)vt_object_uint(&o, &l->tgid);
    vt_object_text(&o, &l->comm, h->name, sizeof h->name);
    if (vt_object_uint(&o, &l->start) != s->start) {
        vt_look_doubt(&w->look, "another task by now");
    }
    unsigned applies = s->taken & ~(h->pid != h->tgid ? (unsigned)(LIST | FAMILY) : 0);
    h->list = vt_sight_word(s->views, LIST, applies);
    h->threads = vt_sight_word(s->views, THREADS, applies);
    h->table = vt_sight_word(s->views, TABLE, applies);
    h->family = vt_sight_word(s->views, FAMILY, applies);
    h->running = vt_sight_word(s->views, RUNNING, applies);
    h->memory = vt_sight_word(s->views, MEMORY, applies);
    judge(h, s);
}

static int show(struct vt_walk *w, const struct layout *l, const struct suspects *suspects)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < suspects->n; i++) {
        struct vt_hidden h;
        do {
            vt_look_begin(&w->look);
            read_suspect(w, l, &suspects->list[i], &h);
        } while (vt_look_again(&w->look));
        rc = vt_walk_row(w, &h.row);
    }
    return rc;
}

int vt_hidden_tasks(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct suspects suspects = {0};
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    for (unsigned i = 0; rc == 0 && i < VT_HIDDEN_ROUNDS && (i == 0 || suspects.n > 0); i++) {
        struct round r;
        struct suspects now = {0};
        vt_kernel_refresh(w->kernel);
        rc = round_begin(&r, w, l, err);
        if (rc == 0) {
            rc = take_round(&r, err);
        }
        if (rc == 0) {
            rc = find_suspects(&r, i == 0 ? &suspects : &now, err);
        }
        if (rc == 0 && i > 0) {
            keep_common(&suspects, &now);
        }
        if (i == 0) {
            w->result.checked += r.tasks.n;
        }
        if (r.why[0] != '\0') {
            vt_walk_torn(w, "%s", r.why);
        }
        free(now.list);
        round_end(&r);
    }
    if (rc == 0) {
        rc = show(w, l, &suspects);
    }
    free(suspects.list);
    return rc;
}
