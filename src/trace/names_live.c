/* trace/names_live.c - names out of a guest that runs on: its processes, its kernel's symbols.
 *
 * Processes come and go while a trace is read. A root that is not known, or whose process is not
 * what it was, has the list of processes read again; this takes at most a quarter of the time.
 */
#include "trace/names_live.h"

#include "base/io.h"
#include "vitrine/guest.h"
#include "vitrine/target.h"

#include <stdlib.h>
#include <string.h>

/* For each nanosecond of looking, these go by before the next look. */
#define REST 3u
/* With page-table isolation a process has two roots, which differ in this bit. */
#define ROOT_OF_USER UINT64_C(0x1000)

bool vt_names_may(const struct vt_names_budget *budget)
{
    return vt_now_ns() >= budget->next_ns;
}

void vt_names_did(struct vt_names_live *l, struct vt_names_budget *budget, uint64_t began_ns)
{
    uint64_t now = vt_now_ns();
    budget->next_ns = now + REST * (now - began_ns);
    l->looks++;
}

int vt_names_live_create(struct vt_target *target, struct vt_names_live **live,
                         struct vt_error *err)
{
    struct vt_names_live *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for names");
    }
    l->target = target;
    *live = l;
    (void)vt_names_live_ready(l);
    return 0;
}

void vt_names_live_destroy(struct vt_names_live *live)
{
    if (live != NULL) {
        vt_task_list_fini(&live->tasks);
        vt_names_images_fini(live);
        free(live);
    }
}

/* ---- the kernel */

bool vt_names_live_ready(struct vt_names_live *l)
{
    if (l->target->kernel != NULL) {
        return true;
    }
    if (!vt_names_may(&l->opening) || vt_target_is_x86_64(l->target, NULL) != 0) {
        return false;
    }
    uint64_t began = vt_now_ns();
    int rc = vt_target_kernel(l->target, NULL);
    vt_names_did(l, &l->opening, began);
    if (rc == 0 && vt_kernel_member(l->target->kernel, "task_struct", "mm", &l->mm, NULL) != 0) {
        l->mm = (struct vt_member){0};
    }
    return rc == 0;
}

bool vt_names_live_kernel(struct vt_trace_names *names, uint64_t pc, struct vt_trace_place *place)
{
    struct vt_names_live *l = names->live;
    const char *name;
    char type;
    uint64_t distance;
    if (!vt_names_live_ready(l)) {
        return false;
    }
    int rc = vt_kernel_symbol_at(l->target->kernel, VT_GVA(pc), &name, &type, &distance, NULL);
    if (rc != 0 && vt_names_may(&l->modules)) { /* a module that was loaded since */
        uint64_t began = vt_now_ns();
        vt_kernel_refresh(l->target->kernel);
        rc = vt_kernel_symbol_at(l->target->kernel, VT_GVA(pc), &name, &type, &distance, NULL);
        vt_names_did(l, &l->modules, began);
    }
    if (rc != 0) {
        return false;
    }
    /* A module's names are the kernel's only until the next refresh. */
    const char *module = vt_kernel_module_at(l->target->kernel, VT_GVA(pc));
    place->object =
        vt_names_text_of(names, vt_names_text(names, module != NULL ? module : "vmlinux"));
    place->function = vt_names_text_of(names, vt_names_text(names, name));
    place->offset = distance;
    return true;
}

/* ---- processes */

static const struct vt_task *task_of(const struct vt_task_list *tasks, uint64_t root)
{
    const struct vt_task *of_user = NULL;
    for (size_t i = 0; i < tasks->n; i++) {
        uint64_t pgd = tasks->tasks[i].pgd.v;
        if (pgd != 0 && pgd == root) {
            return &tasks->tasks[i];
        }
        if (pgd != 0 && (pgd | ROOT_OF_USER) == root) {
            of_user = &tasks->tasks[i];
        }
    }
    return of_user;
}

static void list_tasks(struct vt_names_live *l)
{
    struct vt_task_list tasks;
    uint64_t began = vt_now_ns();
    vt_tlb_flush(vt_kernel_space(l->target->kernel)->tlb);
    if (vt_linux_tasks(l->target->kernel, &tasks, NULL) == 0) {
        vt_task_list_fini(&l->tasks);
        l->tasks = tasks;
    }
    vt_names_did(l, &l->listing, began);
}

static void set_process(struct vt_trace_names *names, struct vt_names_root *root,
                        const struct vt_task *task)
{
    root->pid = task->pid;
    root->name = vt_names_text(names, task->comm);
    root->task = task->at.v;
    root->mm = task->mm.v;
}

/* A task that ends gives its memory up first. */
static bool is_alive(const struct vt_names_live *l, const struct vt_names_root *root)
{
    uint64_t mm;
    return root->task != 0 && l->mm.size == 8 &&
           vt_space_read_u64(vt_kernel_space(l->target->kernel), VT_GVA(root->task + l->mm.offset),
                             &mm, NULL) == 0 &&
           mm == root->mm;
}

void vt_names_live_switch(struct vt_trace_names *names, uint64_t value)
{
    struct vt_names_live *l = names->live;
    if (value == ~(uint64_t)0 || !vt_names_live_ready(l)) {
        return;
    }
    struct vt_names_root *root = vt_names_root(names, value, true);
    if (root == NULL || is_alive(l, root)) {
        return;
    }
    if (value == vt_kernel_space(l->target->kernel)->root.v) {
        root->pid = 0;
        root->name = vt_names_text(names, "kernel");
        return;
    }
    const struct vt_task *task = task_of(&l->tasks, value);
    if ((task == NULL || root->pid == task->pid) && vt_names_may(&l->listing)) {
        list_tasks(l);
        task = task_of(&l->tasks, value);
    }
    if (task != NULL) {
        set_process(names, root, task);
    }
}

void vt_names_live_block(struct vt_trace_names *names, struct vt_names_block *block)
{
    struct vt_names_live *l = names->live;
    struct vt_trace_place place;
    if (!vt_names_live_ready(l) || (block->tried != 0 && block->tried == l->looks)) {
        return;
    }
    if (block->pc >> 63 == 0) {
        vt_names_live_user(names, block);
    } else if (vt_names_live_kernel(names, block->pc, &place)) {
        block->object = vt_names_text(names, place.object);
        block->function = vt_names_text(names, place.function);
        block->offset = place.offset;
    }
    block->tried = l->looks;
}

void vt_names_live_finish(struct vt_trace_names *names)
{
    struct vt_names_live *l = names->live;
    if (l == NULL) {
        return;
    }
    l->opening = l->listing = l->modules = l->mapping = (struct vt_names_budget){0};
    l->looks++;
    for (uint32_t i = 0; i < names->n_roots; i++) {
        if (names->roots[i].name == 0) {
            vt_names_live_switch(names, names->roots[i].root);
        }
    }
}
