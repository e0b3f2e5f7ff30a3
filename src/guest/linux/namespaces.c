/* guest/linux/namespaces.c - in which namespaces processes live. See vitrine/linux.h.
 *
 * Most hang on the task's nsproxy, which a process gives back when it ends; the user namespace on
 * its credentials, the PID namespace on its struct pid.
 */
#include "guest/linux/tasks.h"

#include <string.h>

#define LEVELS_MAX 32u /* MAX_PID_NS_LEVEL */

struct layout {
    struct vt_extent task;
    struct vt_member nsproxy, cred, thread_pid;
    struct vt_extent proxy;
    struct vt_member mnt, uts, ipc, net, time, time_for_children, cgroup, pid_for_children;
    struct vt_member user;
    struct vt_member level, numbers, upid_bytes, upid_nr, upid_ns;
    struct vt_member mnt_inum, uts_inum, ipc_inum, net_inum, time_inum, cgroup_inum, pid_inum,
        user_inum;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, nsproxy, task, "task_struct", "nsproxy"),
    VT_FIELD(layout, cred, task, "task_struct", "real_cred"),
    VT_FIELD(layout, thread_pid, task, "task_struct", "thread_pid"),
    VT_FIELD(layout, mnt, proxy, "nsproxy", "mnt_ns"),
    VT_FIELD_OPTIONAL(layout, uts, proxy, "nsproxy", "uts_ns"),
    VT_FIELD_OPTIONAL(layout, ipc, proxy, "nsproxy", "ipc_ns"),
    VT_FIELD_OPTIONAL(layout, net, proxy, "nsproxy", "net_ns"),
    VT_FIELD_OPTIONAL(layout, time, proxy, "nsproxy", "time_ns"),
    VT_FIELD_OPTIONAL(layout, time_for_children, proxy, "nsproxy", "time_ns_for_children"),
    VT_FIELD_OPTIONAL(layout, cgroup, proxy, "nsproxy", "cgroup_ns"),
    VT_FIELD_OPTIONAL(layout, pid_for_children, proxy, "nsproxy", "pid_ns_for_children"),
    VT_FIELD_BARE(layout, user, "cred", "user_ns"),
    VT_FIELD_BARE(layout, level, "pid", "level"),
    VT_FIELD_BARE(layout, numbers, "pid", "numbers"),
    VT_FIELD_SIZE(layout, upid_bytes, "upid"),
    VT_FIELD_BARE(layout, upid_nr, "upid", "nr"),
    VT_FIELD_BARE(layout, upid_ns, "upid", "ns"),
    VT_FIELD_BARE_OPTIONAL(layout, mnt_inum, "mnt_namespace", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, uts_inum, "uts_namespace", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, ipc_inum, "ipc_namespace", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, net_inum, "net", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, time_inum, "time_namespace", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, cgroup_inum, "cgroup_namespace", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, pid_inum, "pid_namespace", "ns.inum"),
    VT_FIELD_BARE_OPTIONAL(layout, user_inum, "user_namespace", "ns.inum"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

/* The number of the namespace at `at`, which may be none. */
static uint32_t number(struct vt_look *look, uint64_t at, const struct vt_member *inum)
{
    return at == 0 || inum->size == 0 ? 0 : (uint32_t)vt_look_member(look, VT_GVA(at), inum);
}

static void read_proxy(struct vt_look *look, const struct layout *l, struct vt_gva at,
                       struct vt_namespaces *n)
{
    struct vt_object o;
    if (!vt_look_object(look, at, l->proxy, &o)) {
        return;
    }
    n->mnt = number(look, vt_object_uint(&o, &l->mnt), &l->mnt_inum);
    n->uts = number(look, vt_object_uint(&o, &l->uts), &l->uts_inum);
    n->ipc = number(look, vt_object_uint(&o, &l->ipc), &l->ipc_inum);
    n->net = number(look, vt_object_uint(&o, &l->net), &l->net_inum);
    n->time = number(look, vt_object_uint(&o, &l->time), &l->time_inum);
    n->time_for_children = number(look, vt_object_uint(&o, &l->time_for_children), &l->time_inum);
    n->cgroup = number(look, vt_object_uint(&o, &l->cgroup), &l->cgroup_inum);
    n->pid_for_children = number(look, vt_object_uint(&o, &l->pid_for_children), &l->pid_inum);
}

static void read_pid(struct vt_look *look, const struct layout *l, struct vt_gva at,
                     struct vt_namespaces *n)
{
    uint32_t level = (uint32_t)vt_look_member(look, at, &l->level);
    if (level > LEVELS_MAX) {
        vt_look_doubt(look, "a PID namespace %u levels deep", level);
        return;
    }
    struct vt_gva own = VT_GVA(at.v + l->numbers.offset + level * (uint64_t)l->upid_bytes.size);
    n->level = level;
    n->inner_pid = (int32_t)vt_look_member(look, own, &l->upid_nr);
    n->pid_ns = number(look, vt_look_member(look, own, &l->upid_ns), &l->pid_inum);
}

static int print(struct vt_walk *w, const struct vt_task *t, void *arg, struct vt_error *err)
{
    (void)err;
    const struct layout *l = arg;
    struct vt_look *look = &w->look;
    struct vt_namespaces n;
    do {
        struct vt_object task;
        vt_look_begin(look);
        n = (struct vt_namespaces){.row.at = t->at, .pid = t->pid};
        memcpy(n.comm, t->comm, sizeof n.comm);
        vt_look_task(w, t);
        if (!vt_look_object(look, t->at, l->task, &task)) {
            continue;
        }
        uint64_t proxy = vt_object_uint(&task, &l->nsproxy);
        uint64_t cred = vt_object_uint(&task, &l->cred);
        uint64_t pid = vt_object_uint(&task, &l->thread_pid);
        if (proxy != 0) {
            read_proxy(look, l, VT_GVA(proxy), &n);
        }
        n.user = number(look, vt_look_member(look, VT_GVA(cred), &l->user), &l->user_inum);
        if (pid != 0) {
            read_pid(look, l, VT_GVA(pid), &n);
        }
    } while (vt_look_again(look));
    return vt_walk_row(w, &n.row);
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct layout *l;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    return rc == 0 ? vt_walk_processes(w, print, l, err) : rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_namespaces, member, kind, key, title, doc)}
#define NUMBER(member, title, doc)                                                                 \
    {VT_COLUMN(vt_namespaces, member, VT_CELL_U64, #member, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    {VT_COLUMN(vt_namespaces, inner_pid, VT_CELL_I64, "inner_pid", "INNER",
               "its number in its own PID namespace"),
     .zero_is_none = true},
    COLUMN(level, VT_CELL_U64, "level", NULL, "of its PID namespace; 0 is the initial one"),
    NUMBER(mnt, "MNT", "mounts"),
    NUMBER(uts, "UTS", "host name"),
    NUMBER(ipc, "IPC", "System V IPC and message queues"),
    NUMBER(pid_ns, "PIDNS", "process numbers"),
    NUMBER(net, "NET", "network"),
    NUMBER(user, "USER", "users and capabilities"),
    NUMBER(cgroup, "CGROUP", "control groups"),
    NUMBER(time, "TIME", "clocks"),
    NUMBER(pid_for_children, NULL, "process numbers of its children to come"),
    NUMBER(time_for_children, NULL, "clocks of its children to come"),
    COLUMN(comm, VT_CELL_CHARS, "comm", "COMM", "command name"),
};
#undef COLUMN
#undef NUMBER

const struct vt_noun vt_noun_namespaces = {
    .name = "namespaces",
    .summary = "List the namespaces the guest's processes live in",
    .group = "Guest",
    .description = "One row a process; the numbers are those of /proc/PID/ns. Processes with the\n"
                   "same number share that namespace.",
    .examples = "vitrine namespaces web\nvitrine namespaces web --pid 1 --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
