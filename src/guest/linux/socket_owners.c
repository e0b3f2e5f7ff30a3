/* guest/linux/socket_owners.c - sockets among the open files of every process. See
 * socket_owners.h.
 *
 * A file is a socket's when its operations are socket_file_ops; its private data is the struct
 * socket then. Threads that have a table of their own (unshare(CLONE_FILES)) are looked at, too.
 */
#include "guest/linux/socket_owners.h"

#include "guest/linux/fds.h"
#include "guest/linux/threads.h"

#include <stdlib.h>
#include <string.h>

#define OWNERS_MAX (1u << 24)

struct layout {
    struct vt_member files;
    struct vt_extent file;
    struct vt_member ops, private, file_bytes;
    struct vt_member sk;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, files, "task_struct", "files"),
    VT_FIELD(layout, ops, file, "file", "f_op"),
    VT_FIELD(layout, private, file, "file", "private_data"),
    VT_FIELD_SIZE(layout, file_bytes, "file"),
    VT_FIELD_BARE(layout, sk, "socket", "sk"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct taking {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_gva ops;
    size_t cap;
    struct vt_socket_owners owners;
};

static int add(struct taking *t, const struct vt_socket_owner *owner, struct vt_error *err)
{
    struct vt_socket_owners *o = &t->owners;
    if (o->n == t->cap) {
        vt_walk_torn(t->w, "more than %zu open sockets", t->cap);
        return 0;
    }
    if ((o->n & (o->n - 1)) == 0) {
        struct vt_socket_owner *more = realloc(o->list, (o->n == 0 ? 1 : 2 * o->n) * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "owners of sockets: out of memory");
        }
        o->list = more;
    }
    o->list[o->n++] = *owner;
    return 0;
}

/* The sockets in the descriptors of the task at `at`, a thread of `process`. */
static int take_files(struct taking *t, const struct vt_task *process, struct vt_gva at,
                      struct vt_error *err)
{
    struct vt_fds fds;
    struct vt_gva file;
    struct vt_socket_owner owner = {.pid = process->pid};
    memcpy(owner.comm, process->comm, sizeof owner.comm);
    int rc = vt_fds_begin(&fds, t->w->kernel, at, err);
    while (rc == 0 && vt_fds_next(&fds, &owner.fd, &file)) {
        struct vt_object o;
        if (vt_object_read(t->w->space, file, t->l->file, &o, NULL) != 0) {
            vt_walk_torn(t->w, "process %d: descriptor %u leads nowhere", process->pid, owner.fd);
            continue;
        }
        if (vt_object_uint(&o, &t->l->ops) != t->ops.v) {
            continue;
        }
        struct vt_gva socket = VT_GVA(vt_object_uint(&o, &t->l->private) + t->l->sk.offset);
        if (vt_space_read_u64(t->w->space, socket, &owner.sock.v, NULL) == 0 && owner.sock.v != 0) {
            rc = add(t, &owner, err);
        }
    }
    if (rc == 0 && fds.torn) {
        vt_walk_torn(t->w, "process %d: %s", process->pid, fds.why);
    }
    return rc;
}

static uint64_t files_of(const struct taking *t, struct vt_gva task)
{
    uint64_t files = 0;
    vt_space_read_u64(t->w->space, VT_GVA(task.v + t->l->files.offset), &files, NULL);
    return files;
}

static int take_process(struct taking *t, const struct vt_task *process, struct vt_error *err)
{
    struct vt_thread_walk threads;
    struct vt_gva thread;
    uint64_t shared = files_of(t, process->at);
    int rc = take_files(t, process, process->at, err);
    if (rc != 0 || process->threads < 2) {
        return rc;
    }
    rc = vt_threads_begin(&threads, t->w->kernel, process->at, err);
    while (rc == 0 && (rc = vt_threads_next(&threads, &thread, err)) == 1) {
        rc = files_of(t, thread) != shared ? take_files(t, process, thread, err) : 0;
    }
    vt_walk_list_end(t->w, &threads.list);
    return rc;
}

static int by_sock(const void *a, const void *b)
{
    const struct vt_socket_owner *x = a, *y = b;
    if (x->sock.v != y->sock.v) {
        return x->sock.v < y->sock.v ? -1 : 1;
    }
    if (x->pid != y->pid) {
        return x->pid < y->pid ? -1 : 1;
    }
    return x->fd < y->fd ? -1 : x->fd > y->fd;
}

int vt_socket_owners_take(struct vt_walk *walk, struct vt_socket_owners *owners,
                          struct vt_error *err)
{
    struct taking t = {.w = walk};
    struct vt_task_list tasks;
    int rc = vt_layout_take(walk->kernel, &type, &t.l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(walk->kernel, "socket_file_ops", &t.ops, err);
    }
    if (rc == 0) {
        t.cap = vt_walk_cap(walk, t.l->file_bytes.size, OWNERS_MAX);
        rc = vt_walk_tasks(walk, &tasks, err);
    }
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < tasks.n && rc == 0; i++) {
        rc = take_process(&t, &tasks.tasks[i], err);
    }
    vt_task_list_fini(&tasks);
    if (rc != 0) {
        vt_socket_owners_fini(&t.owners);
        return rc;
    }
    if (t.owners.n != 0) {
        qsort(t.owners.list, t.owners.n, sizeof *t.owners.list, by_sock);
    }
    *owners = t.owners;
    return 0;
}

void vt_socket_owners_fini(struct vt_socket_owners *owners)
{
    free(owners->list);
    *owners = (struct vt_socket_owners){0};
}

const struct vt_socket_owner *vt_socket_owners_of(const struct vt_socket_owners *owners,
                                                  struct vt_gva sock, size_t *n)
{
    size_t low = 0, high = owners->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (owners->list[middle].sock.v < sock.v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t end = low;
    while (end < owners->n && owners->list[end].sock.v == sock.v) {
        end++;
    }
    *n = end - low;
    return end > low ? &owners->list[low] : NULL;
}
