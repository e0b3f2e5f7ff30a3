/* guest/linux/threads.c - the list of a process's threads. See threads.h. */
#include "guest/linux/threads.h"

#include "guest/linux/noun.h"

#define THREADS_MAX (4u << 20) /* PID_MAX_LIMIT */

struct layout {
    struct vt_member signal, node, head, task_bytes;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, signal, "task_struct", "signal"),
    VT_FIELD_BARE(layout, node, "task_struct", "thread_node"),
    VT_FIELD_BARE(layout, head, "signal_struct", "thread_head"),
    VT_FIELD_SIZE(layout, task_bytes, "task_struct"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

int vt_threads_begin(struct vt_thread_walk *walk, struct vt_kernel *kernel, struct vt_gva task,
                     struct vt_error *err)
{
    const struct layout *l;
    *walk = (struct vt_thread_walk){0};
    int rc = vt_layout_take(kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    /* No more threads than RAM has room for. A signal_struct that cannot be read is a torn list. */
    uint32_t bytes = l->task_bytes.size > 0 ? l->task_bytes.size : 1;
    uint64_t signal = 0, fit = vt_ram_size(kernel->ram) / bytes + 1;
    vt_space_read_u64(&kernel->space, VT_GVA(task.v + l->signal.offset), &signal, NULL);
    walk->node = l->node.offset;
    vt_list_begin(&walk->list, &kernel->space, VT_GVA(signal + l->head.offset),
                  fit < THREADS_MAX ? (size_t)fit : THREADS_MAX);
    return 0;
}

int vt_threads_next(struct vt_thread_walk *walk, struct vt_gva *task, struct vt_error *err)
{
    struct vt_gva node;
    int rc = vt_list_next(&walk->list, &node, err);
    if (rc == 1) {
        *task = VT_GVA(node.v - walk->node);
    }
    return rc;
}
