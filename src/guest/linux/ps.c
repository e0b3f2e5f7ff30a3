/* guest/linux/ps.c - processes as a list and as a tree. See vitrine/linux.h.
 *
 * vt_linux_tasks reads them; what it has no room for is read here. A tree is made of all of them
 * at once: two orders of the same tasks (by pid; by parent, then pid), and a way down without
 * recursion that visits each once, whatever parents they claim.
 */
#include "guest/linux/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 4096

struct layout {
    struct vt_extent cred_part;
    struct vt_member cred, uid, euid, gid;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, cred, "task_struct", "cred"),
    VT_FIELD(layout, uid, cred_part, "cred", "uid.val", "uid"),
    VT_FIELD(layout, euid, cred_part, "cred", "euid.val", "euid"),
    VT_FIELD(layout, gid, cred_part, "cred", "gid.val", "gid"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

static void read_ids(struct vt_look *look, const struct layout *l, const struct vt_task *t,
                     struct vt_process *p)
{
    struct vt_object cred;
    struct vt_gva at = VT_GVA(vt_look_member(look, t->at, &l->cred));
    if (vt_look_object(look, at, l->cred_part, &cred)) {
        p->uid = (uint32_t)vt_object_uint(&cred, &l->uid);
        p->euid = (uint32_t)vt_object_uint(&cred, &l->euid);
        p->gid = (uint32_t)vt_object_uint(&cred, &l->gid);
    }
}

static int print_process(struct vt_walk *w, const struct vt_task *t, void *arg,
                         struct vt_error *err)
{
    (void)err;
    const struct layout *l = arg;
    char args[ARGS_MAX];
    struct vt_process p;
    do {
        vt_look_begin(&w->look);
        p = (struct vt_process){
            .row.at = t->at,
            .pid = t->pid,
            .tgid = t->tgid,
            .ppid = t->ppid,
            .state = {t->state, '\0'},
            .cpu = t->cpu,
            .threads = t->threads,
            .start_ns = t->start_ns,
            .rss_bytes = t->rss_pages * VT_PAGE_BYTES,
            .page_table = t->pgd,
        };
        memcpy(p.comm, t->comm, sizeof p.comm);
        vt_look_task(w, t);
        read_ids(&w->look, l, t, &p);
    } while (vt_look_again(&w->look));
    /* Arguments that are swapped out, or never were: unknown. */
    if (t->mm.v != 0 && vt_linux_task_args(w->kernel, t, args, sizeof args, NULL) == 0) {
        p.args = args;
    }
    return vt_walk_row(w, &p.row);
}

static int walk_ps(struct vt_walk *w, struct vt_error *err)
{
    struct layout *l;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    return rc == 0 ? vt_walk_processes(w, print_process, l, err) : rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_process, member, kind, key, title, doc)}

static const struct vt_column ps_columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    COLUMN(tgid, VT_CELL_I64, "tgid", NULL, "thread group: its first thread's number"),
    COLUMN(ppid, VT_CELL_I64, "ppid", "PPID", "its parent's number"),
    COLUMN(uid, VT_CELL_U64, "uid", "UID", "real user"),
    COLUMN(euid, VT_CELL_U64, "euid", NULL, "effective user"),
    COLUMN(gid, VT_CELL_U64, "gid", NULL, "real group"),
    COLUMN(state, VT_CELL_CHARS, "state", "S", "R S D T t X Z P I, as ps(1) has them"),
    COLUMN(cpu, VT_CELL_U64, "cpu", "CPU", "where it runs, or last did"),
    COLUMN(threads, VT_CELL_U64, "threads", "THR", "number of threads"),
    {VT_COLUMN(vt_process, start_ns, VT_CELL_SECONDS, "start_s", "START",
               "when it was started, in seconds since boot"),
     .digits = 2},
    COLUMN(rss_bytes, VT_CELL_BYTES, "rss_bytes", "RSS", "its memory that is in RAM"),
    COLUMN(row.at, VT_CELL_HEX, "task", NULL, "its task_struct"),
    {VT_COLUMN(vt_process, page_table, VT_CELL_HEX, "page_table", NULL,
               "its page tables' root, physical; null for kernel threads"),
     .zero_is_none = true},
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMM", "command name, cut at 15 bytes by the kernel"),
    COLUMN(args, VT_CELL_TEXT, "args", "ARGS", "command line; unknown where it is not in RAM"),
};
#undef COLUMN

const struct vt_noun vt_noun_ps = {
    .name = "ps",
    .member = "processes",
    .summary = "List the guest's processes",
    .group = "Guest",
    .description =
        "Walks the kernel's own list in the guest's RAM: no agent, no profile, and nothing in\n"
        "the guest notices. VM is a VM's name or the path of a saved raw RAM file.\n\n"
        "Every process is read twice. TRUST is 'torn' where the two looks differ or a link of\n"
        "the list is not symmetric, as happens while the guest forks; --pause avoids it. Where a\n"
        "link is broken the list is walked from its other end, too. START counts seconds since\n"
        "boot.",
    .examples = "vitrine ps web\nvitrine ps web --pause --json\nvitrine ps ./saved.ram",
    .by_pid = true,
    .columns = ps_columns,
    .n_columns = sizeof ps_columns / sizeof ps_columns[0],
    .walk = walk_ps,
};

/* ---------------------------------------------------------------- the tree */

/* Levels drawn; what is deeper begins with an ellipsis. */
#define DRAWN_MAX 40u

/* A task on the way down: its children are by_parent[next, end). */
struct level {
    size_t next, end;
    bool last; /* no sibling follows */
};

struct tree {
    struct vt_task_list list;
    const struct vt_task **by_pid, **by_parent;
    bool *placed; /* by index in the list */
    struct level *levels;
    size_t depth;
};

static int compare(int32_t a, int32_t b)
{
    return (a > b) - (a < b);
}

static int compare_pid(const void *a, const void *b)
{
    const struct vt_task *const *x = a, *const *y = b;
    int by_pid = compare((*x)->pid, (*y)->pid);
    return by_pid != 0 ? by_pid : (*x > *y) - (*x < *y);
}

static int compare_parent(const void *a, const void *b)
{
    const struct vt_task *const *x = a, *const *y = b;
    int by_parent = compare((*x)->ppid, (*y)->ppid);
    return by_parent != 0 ? by_parent : compare_pid(a, b);
}

static void tree_fini(struct tree *t)
{
    vt_task_list_fini(&t->list);
    free(t->by_pid);
    free(t->by_parent);
    free(t->placed);
    free(t->levels);
}

static int tree_init(struct tree *t, struct vt_walk *w, struct vt_error *err)
{
    *t = (struct tree){0};
    int rc = vt_linux_tasks(w->kernel, &t->list, err);
    if (rc != 0) {
        return rc;
    }
    size_t n = t->list.n;
    if (t->list.torn) {
        vt_walk_torn(w, "processes: %s", t->list.why);
    }
    t->by_pid = calloc(n + 1, sizeof *t->by_pid);
    t->by_parent = calloc(n + 1, sizeof *t->by_parent);
    t->placed = calloc(n + 1, sizeof *t->placed);
    t->levels = calloc(n + 1, sizeof *t->levels);
    if (t->by_pid == NULL || t->by_parent == NULL || t->placed == NULL || t->levels == NULL) {
        return vt_fail(err, VT_E_NOMEM, "processes: out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        t->by_pid[i] = t->by_parent[i] = &t->list.tasks[i];
    }
    qsort(t->by_pid, n, sizeof *t->by_pid, compare_pid);
    qsort(t->by_parent, n, sizeof *t->by_parent, compare_parent);
    return 0;
}

/* The first in by_parent whose parent is not below `ppid`. */
static size_t children_from(const struct tree *t, int32_t ppid)
{
    size_t low = 0, high = t->list.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->by_parent[middle]->ppid < ppid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_there(const struct tree *t, int32_t pid)
{
    size_t low = 0, high = t->list.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->by_pid[middle]->pid < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < t->list.n && t->by_pid[low]->pid == pid;
}

static void draw(const struct tree *t, const char *comm, char *text, size_t size)
{
    size_t n = 0, from = 1;
    if (t->depth > DRAWN_MAX) {
        from = t->depth - DRAWN_MAX + 1;
        n = (size_t)snprintf(text, size, "…");
    }
    for (size_t i = from; i <= t->depth && n < size; i++) {
        bool own = i == t->depth, last = t->levels[i].last;
        const char *lines = own ? (last ? "└─ " : "├─ ") : (last ? "   " : "│  ");
        n += (size_t)snprintf(text + n, size - n, "%s", lines);
    }
    if (n < size) {
        snprintf(text + n, size - n, "%s", comm);
    }
}

static int print_branch(struct vt_walk *w, const struct tree *t, const struct vt_task *task,
                        bool circle)
{
    struct vt_tree_process p = {
        .row.at = task->at,
        .pid = task->pid,
        .ppid = task->ppid,
        .depth = (uint32_t)t->depth,
        .uid = task->uid,
        .threads = task->threads,
        .state = {task->state, '\0'},
    };
    memcpy(p.comm, task->comm, sizeof p.comm);
    draw(t, task->comm, p.tree, sizeof p.tree);
    do {
        vt_look_begin(&w->look);
        vt_look_task(w, task);
        if (circle) {
            vt_look_doubt(&w->look, "its parents form a circle");
        }
    } while (vt_look_again(&w->look));
    return vt_walk_row(w, &p.row);
}

/* Prints a task and all below it that were not printed yet. */
static int print_tree(struct vt_walk *w, struct tree *t, const struct vt_task *root, bool circle)
{
    const struct vt_task *task = root;
    int rc = 0;
    t->depth = 0;
    t->levels[0] = (struct level){.last = true};
    for (;;) {
        struct level *level = &t->levels[t->depth];
        if (task != NULL) {
            t->placed[task - t->list.tasks] = true;
            rc = print_branch(w, t, task, circle && task == root);
            level->next = children_from(t, task->pid);
            level->end = children_from(t, task->pid == INT32_MAX ? INT32_MAX : task->pid + 1);
        }
        while (level->next < level->end && t->placed[t->by_parent[level->next] - t->list.tasks]) {
            level->next++;
        }
        if (rc != 0 || (level->next == level->end && t->depth == 0)) {
            return rc;
        }
        if (level->next == level->end) {
            t->depth--;
            task = NULL;
            continue;
        }
        /* No deeper than there are tasks: each is placed once. */
        task = t->by_parent[level->next++];
        t->levels[++t->depth] = (struct level){.last = level->next == level->end};
    }
}

static int walk_pstree(struct vt_walk *w, struct vt_error *err)
{
    struct tree t;
    int rc = tree_init(&t, w, err);
    bool found = w->query.pid == 0;
    for (size_t i = 0; i < t.list.n && rc == 0; i++) {
        const struct vt_task *task = t.by_pid[i];
        bool root = task->ppid == task->pid || !is_there(&t, task->ppid);
        if (w->query.pid != 0 ? task->pid == w->query.pid && !found : root) {
            found = true;
            rc = print_tree(w, &t, task, false);
        }
    }
    for (size_t i = 0; w->query.pid == 0 && i < t.list.n && rc == 0; i++) {
        if (!t.placed[t.by_pid[i] - t.list.tasks]) {
            rc = print_tree(w, &t, t.by_pid[i], true);
        }
    }
    tree_fini(&t);
    if (rc == 0 && !found) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "the guest has no process %d", w->query.pid);
    }
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_tree_process, member, kind, key, title, doc)}

static const struct vt_column pstree_columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    COLUMN(ppid, VT_CELL_I64, "ppid", NULL, "its parent's number"),
    COLUMN(depth, VT_CELL_U64, "depth", NULL, "how many parents it has in the tree"),
    COLUMN(uid, VT_CELL_U64, "uid", "UID", "real user"),
    COLUMN(state, VT_CELL_CHARS, "state", "S", "R S D T t X Z P I, as ps(1) has them"),
    COLUMN(threads, VT_CELL_U64, "threads", "THR", "number of threads"),
    COLUMN(comm, VT_CELL_CHARS, "comm", NULL, "command name"),
    COLUMN(tree, VT_CELL_CHARS, "tree", "TREE", "command name behind the lines of the tree"),
};
#undef COLUMN

const struct vt_noun vt_noun_pstree = {
    .name = "pstree",
    .member = "processes",
    .summary = "Show the guest's processes as a tree",
    .group = "Guest",
    .description = "Each process stands after its parent, children of one in the order of their\n"
                   "numbers. With --pid only that process and what is below it.",
    .examples = "vitrine pstree web\nvitrine pstree web --pid 1",
    .by_pid = true,
    .columns = pstree_columns,
    .n_columns = sizeof pstree_columns / sizeof pstree_columns[0],
    .walk = walk_pstree,
};
