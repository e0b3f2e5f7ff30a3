/* guest/linux/holders.c - objects behind the open files of every process. See holders.h.
 *
 * What a file is tells the table of its operations; its private data is the object then. Threads
 * that have a table of files of their own (unshare(CLONE_FILES)) are looked at, too.
 */
#include "guest/linux/holders.h"

#include "guest/linux/fds.h"
#include "guest/linux/threads.h"

#include <stdlib.h>
#include <string.h>

#define HOLDERS_MAX (1u << 24)

struct layout {
    struct vt_member files;
    struct vt_extent file;
    struct vt_member ops, private, file_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, files, "task_struct", "files"),
    VT_FIELD(layout, ops, file, "file", "f_op"),
    VT_FIELD(layout, private, file, "file", "private_data"),
    VT_FIELD_SIZE(layout, file_bytes, "file"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct taking {
    struct vt_walk *w;
    const struct layout *l;
    struct vt_gva ops;
    const struct vt_member *through;
    size_t cap;
    struct vt_holders found;
};

static int add(struct taking *t, const struct vt_holder *holder, struct vt_error *err)
{
    struct vt_holders *o = &t->found;
    if (o->n == t->cap) {
        vt_walk_torn(t->w, "more than %zu open files of a kind", t->cap);
        return 0;
    }
    if ((o->n & (o->n - 1)) == 0) {
        struct vt_holder *more = realloc(o->list, (o->n == 0 ? 1 : 2 * o->n) * sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "holders of files: out of memory");
        }
        o->list = more;
    }
    o->list[o->n++] = *holder;
    return 0;
}

/* What is in the descriptors of the task at `at`, a thread of `process`. */
static int take_files(struct taking *t, const struct vt_task *process, struct vt_gva at,
                      struct vt_error *err)
{
    struct vt_fds fds;
    struct vt_gva file;
    struct vt_holder holder = {.pid = process->pid};
    memcpy(holder.comm, process->comm, sizeof holder.comm);
    int rc = vt_fds_begin(&fds, t->w->kernel, at, err);
    while (rc == 0 && vt_fds_next(&fds, &holder.fd, &file)) {
        struct vt_object o;
        if (vt_object_read(t->w->space, file, t->l->file, &o, NULL) != 0) {
            vt_walk_torn(t->w, "process %d: descriptor %u leads nowhere", process->pid, holder.fd);
            continue;
        }
        if (vt_object_uint(&o, &t->l->ops) != t->ops.v) {
            continue;
        }
        holder.object = VT_GVA(vt_object_uint(&o, &t->l->private));
        struct vt_gva pointer =
            VT_GVA(holder.object.v + (t->through != NULL ? t->through->offset : 0));
        if (t->through == NULL ||
            vt_space_read_u64(t->w->space, pointer, &holder.object.v, NULL) == 0) {
            rc = holder.object.v != 0 ? add(t, &holder, err) : 0;
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

static int by_object(const void *a, const void *b)
{
    const struct vt_holder *x = a, *y = b;
    if (x->object.v != y->object.v) {
        return x->object.v < y->object.v ? -1 : 1;
    }
    if (x->pid != y->pid) {
        return x->pid < y->pid ? -1 : 1;
    }
    return x->fd < y->fd ? -1 : x->fd > y->fd;
}

int vt_holders_take(struct vt_walk *walk, const char *ops, const struct vt_member *through,
                    struct vt_holders *holders, struct vt_error *err)
{
    struct taking t = {.w = walk, .through = through};
    struct vt_task_list tasks;
    int rc = vt_layout_take(walk->kernel, &type, &t.l, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(walk->kernel, ops, &t.ops, err);
    }
    if (rc == 0) {
        t.cap = vt_walk_cap(walk, t.l->file_bytes.size, HOLDERS_MAX);
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
        vt_holders_fini(&t.found);
        return rc;
    }
    if (t.found.n != 0) {
        qsort(t.found.list, t.found.n, sizeof *t.found.list, by_object);
    }
    *holders = t.found;
    return 0;
}

void vt_holders_fini(struct vt_holders *holders)
{
    free(holders->list);
    *holders = (struct vt_holders){0};
}

const struct vt_holder *vt_holders_of(const struct vt_holders *holders, struct vt_gva object,
                                      size_t *n)
{
    size_t low = 0, high = holders->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (holders->list[middle].object.v < object.v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t end = low;
    while (end < holders->n && holders->list[end].object.v == object.v) {
        end++;
    }
    *n = end - low;
    return end > low ? &holders->list[low] : NULL;
}
