/* trace/names_live.c - names out of a guest that runs on: its processes, its kernel's symbols.
 *
 * Processes come and go while a trace is read. A root that is not known, or whose process is not
 * what it was, has the list of processes read again; this takes at most a quarter of the time. A
 * process that executes another program has its memory first and then its name, in the kernel: the
 * name is read again when it runs the program.
 */
#include "trace/names_live.h"

#include "base/io.h"
#include "vitrine/guest.h"
#include "vitrine/target.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For each nanosecond of looking, by this thread's clock, these go by before the next look. */
#define REST 3u
/* With page-table isolation a process has two roots, which differ in this bit. */
#define ROOT_OF_USER UINT64_C(0x1000)

bool vt_names_may(const struct vt_names_budget *budget)
{
    return vt_now_ns() >= budget->next_ns;
}

uint64_t vt_names_spent(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void vt_names_did(struct vt_names_live *l, struct vt_names_budget *budget, uint64_t spent_ns)
{
    budget->next_ns = vt_now_ns() + REST * (vt_names_spent() - spent_ns);
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
    uint64_t spent = vt_names_spent();
    int rc = vt_target_kernel(l->target, NULL);
    vt_names_did(l, &l->opening, spent);
    if (rc == 0 &&
        (vt_kernel_member(l->target->kernel, "task_struct", "mm", &l->mm, NULL) != 0 ||
         vt_kernel_member(l->target->kernel, "task_struct", "pid", &l->pid, NULL) != 0 ||
         vt_kernel_member(l->target->kernel, "task_struct", "comm", &l->comm, NULL) != 0)) {
        l->mm = l->pid = l->comm = (struct vt_member){0};
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
        uint64_t spent = vt_names_spent();
        vt_kernel_refresh(l->target->kernel);
        rc = vt_kernel_symbol_at(l->target->kernel, VT_GVA(pc), &name, &type, &distance, NULL);
        vt_names_did(l, &l->modules, spent);
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
    uint64_t spent = vt_names_spent();
    vt_tlb_flush(vt_kernel_space(l->target->kernel)->tlb);
    if (vt_linux_tasks(l->target->kernel, &tasks, NULL) == 0) {
        vt_task_list_fini(&l->tasks);
        l->tasks = tasks;
    }
    vt_names_did(l, &l->listing, spent);
}

#define COMM_BYTES 16u

/* Whether the task of that number has that memory. One that ends gives its memory up first. */
static bool is_task(const struct vt_names_live *l, uint64_t task, uint64_t its_mm, int64_t its_pid)
{
    const struct vt_space *space = vt_kernel_space(l->target->kernel);
    uint64_t mm;
    uint32_t pid;
    return task != 0 && l->mm.size == 8 &&
           vt_space_read_u64(space, VT_GVA(task + l->mm.offset), &mm, NULL) == 0 && mm == its_mm &&
           vt_space_read_u32(space, VT_GVA(task + l->pid.offset), &pid, NULL) == 0 &&
           pid == its_pid;
}

/* What it is called now; false: it cannot be read. */
static bool name_of(const struct vt_names_live *l, uint64_t task, char comm[COMM_BYTES + 1])
{
    comm[COMM_BYTES] = '\0';
    return l->comm.size == COMM_BYTES &&
           vt_space_read(vt_kernel_space(l->target->kernel), VT_GVA(task + l->comm.offset), comm,
                         COMM_BYTES, NULL) == 0;
}

/* The list may be from before it got its name. */
static void set_process(struct vt_trace_names *names, struct vt_names_root *root,
                        const struct vt_task *task)
{
    const struct vt_names_live *l = names->live;
    char comm[COMM_BYTES + 1];
    bool now = name_of(l, task->at.v, comm);
    vt_names_process(names, root, root->since, task->pid, now ? comm : task->comm);
    root->task = task->at.v;
    root->mm = task->mm.v;
    root->ran_user = false;
}

/* Whether the process is what it was. It may have another name now. */
static bool is_alive(struct vt_trace_names *names, struct vt_names_root *root)
{
    char comm[COMM_BYTES + 1];
    if (root->name == 0 || !is_task(names->live, root->task, root->mm, root->pid)) {
        return false;
    }
    if (name_of(names->live, root->task, comm)) {
        vt_names_process(names, root, names->events, root->pid, comm);
    }
    return true;
}

/* The task that the list has for a root; NULL: none, or one that has ended since, or was known to
 * be its and is not any more. */
static const struct vt_task *listed(const struct vt_names_live *l, const struct vt_names_root *root)
{
    const struct vt_task *task = task_of(&l->tasks, root->root);
    if (task == NULL || (l->mm.size == 8 && !is_task(l, task->at.v, task->mm.v, task->pid))) {
        return NULL;
    }
    bool was = task->at.v == root->task && task->mm.v == root->mm && task->pid == root->last_pid;
    return was ? NULL : task;
}

void vt_names_live_user_mode(struct vt_trace_names *names, uint64_t value)
{
    struct vt_names_root *root = vt_names_root(names, value, false);
    if (root != NULL && vt_names_live_ready(names->live)) {
        root->ran_user = is_alive(names, root);
    }
}

enum vt_names_sure vt_names_live_switch(struct vt_trace_names *names, uint64_t value, bool entered)
{
    struct vt_names_live *l = names->live;
    if (value == ~(uint64_t)0 || !vt_names_live_ready(l)) {
        return VT_NAMES_SURE; /* that there is nothing to be known */
    }
    struct vt_names_root *root = vt_names_root(names, value, true);
    if (root == NULL) {
        return VT_NAMES_SURE;
    }
    if (is_alive(names, root)) {
        return root->ran_user ? VT_NAMES_SURE : VT_NAMES_EARLY;
    }
    if (value == vt_kernel_space(l->target->kernel)->root.v) {
        vt_names_process(names, root, names->events, 0, "kernel");
        return VT_NAMES_SURE;
    }
    if (entered) { /* whoever had it has ended, and somebody else may have it now */
        root->since = names->events;
        vt_names_process(names, root, root->since, -1, NULL);
    }
    const struct vt_task *task = listed(l, root);
    if (task == NULL && vt_names_may(&l->listing)) {
        list_tasks(l);
        task = listed(l, root);
    }
    if (task == NULL) {
        return VT_NAMES_UNKNOWN;
    }
    set_process(names, root, task);
    return VT_NAMES_EARLY;
}

void vt_names_live_block(struct vt_trace_names *names, struct vt_names_block *block)
{
    struct vt_names_live *l = names->live;
    struct vt_trace_place place;
    if (!vt_names_live_ready(l) || (block->tried != 0 && block->tried == l->looks)) {
        return;
    }
    if (block->pc >> 63 == 0) {
        const struct vt_names_root *root = vt_names_root(names, block->root, false);
        if (root != NULL && root->name == 0) {
            (void)vt_names_live_switch(names, block->root, false);
        }
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
        if (names->roots[i].last_name == 0) {
            (void)vt_names_live_switch(names, names->roots[i].root, false);
        } else { /* that executed another program since it was switched to has that one's name */
            (void)is_alive(names, &names->roots[i]);
        }
    }
}
