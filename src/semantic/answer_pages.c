/* semantic/answer_pages.c - answers about page tables of processes and kernel stacks of tasks, from
 * RAM itself.
 */
#include "guest/linux/pages.h"
#include "semantic/answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- page tables */

/* By the level of the tables: 1 is of 4 KiB pages. */
static const char *const level_names[VT_LEVELS_MAX + 1] = {"page", "PT",   "PD",
                                                           "PDPT", "PML4", "PML5"};

struct tables {
    struct vt_answering *a;
    json_t *rows; /* one a table, or NULL */
    int32_t pid;
    const char *name;
    uint64_t direct_map;
    json_t *open[VT_LEVELS_MAX + 1]; /* the row of the table read now, by level; borrowed */
    uint64_t present[VT_LEVELS_MAX + 1];
    uint64_t n[VT_LEVELS_MAX + 1], pages; /* found, by level */
    struct vt_error *err;
};

static void close_table(struct tables *t, unsigned level)
{
    if (t->open[level] != NULL) {
        json_object_set_new(t->open[level], "present", json_integer((json_int_t)t->present[level]));
        t->open[level] = NULL;
    }
    t->present[level] = 0;
}

static int open_table(struct tables *t, unsigned level, struct vt_gpa at, struct vt_gva covers,
                      bool user_copy)
{
    char label[64];
    snprintf(label, sizeof label, "%.32s %s", t->name, level_names[level]);
    t->n[level]++;
    vt_answer_place(t->a, label, t->pid, VT_GVA(t->direct_map + at.v), at, VT_PAGE_BYTES);
    if (t->rows == NULL) {
        return 0;
    }
    json_t *row = json_pack("{s:i, s:s, s:s, s:i}", "pid", (int)t->pid, "table", level_names[level],
                            "of", user_copy ? "user mode" : "all", "level", (int)level);
    if (row == NULL || json_array_append_new(t->rows, row) != 0) {
        return vt_fail(t->err, VT_E_NOMEM, "out of memory");
    }
    vt_row_set_address(row, "physical", at.v);
    vt_row_set_address(row, "virtual", t->direct_map + at.v);
    vt_row_set_address(row, "covers", covers.v);
    json_object_set_new(row, "covers_bytes",
                        json_integer((json_int_t)1 << (VT_PAGE_SHIFT + 9 * level)));
    json_object_set_new(row, "present", json_integer(0));
    t->open[level] = row;
    return 0;
}

/* Entries come in ascending order, parents first: the table of a level is read until the next one
 * of that level or above. */
static int on_entry(const struct vt_table_entry *e, void *arg)
{
    struct tables *t = arg;
    if (e->kind == VT_ENTRY_PAGE) {
        t->pages++;
    }
    t->present[e->level <= VT_LEVELS_MAX ? e->level : 0] +=
        e->kind == VT_ENTRY_PAGE || e->kind == VT_ENTRY_TABLE;
    if (e->kind != VT_ENTRY_TABLE || e->level < 2) {
        return 0;
    }
    for (unsigned level = 1; level < e->level; level++) {
        close_table(t, level);
    }
    return open_table(t, e->level - 1, VT_GPA(e->value & UINT64_C(0x000ffffffffff000)), e->gva,
                      false);
}

static struct vt_gva user_end(const struct vt_space *space)
{
    return VT_GVA((uint64_t)1 << (space->levels == 5 ? 56 : 47));
}

/* The tables of one address space, below the half that all share. */
static int take_tables(struct tables *t, const struct vt_space *space, struct vt_error *err)
{
    struct vt_space whole = *space;
    uint64_t most = vt_ram_size(space->ram) / VT_PAGE_BYTES + 1;
    whole.tlb = NULL; /* for walking whole */
    t->err = err;
    int rc = vt_space_entries(&whole, VT_GVA(0), user_end(space), most, on_entry, t, err);
    for (unsigned level = 1; level <= VT_LEVELS_MAX; level++) {
        close_table(t, level);
    }
    return rc == VT_E_LIMIT ? 0 : rc;
}

static uint64_t all_tables(const struct tables *t)
{
    uint64_t n = 0;
    for (unsigned level = 1; level <= VT_LEVELS_MAX; level++) {
        n += t->n[level];
    }
    return n;
}

static void say_tables(struct vt_answering *a, const struct tables *t, const struct vt_space *space)
{
    uint64_t n = all_tables(t);
    vt_say(a, "%s (pid %" PRId32 ") has %s, %s", vt_said(a, t->name), t->pid,
           vt_said_count(a, n, "page table", "page tables"), vt_said_bytes(a, n * VT_PAGE_BYTES));
    const char *before = ": ";
    for (unsigned level = VT_LEVELS_MAX; level > 0; level--) {
        if (t->n[level] > 0) {
            vt_say(a, "%s%" PRIu64 " %s", before, t->n[level], level_names[level]);
            before = ", ";
        }
    }
    vt_say(a, "; the root lies at physical 0x%" PRIx64 ", and they map %s of user memory.",
           space->root.v, vt_said_count(a, t->pages, "page", "pages"));
}

/* With page-table isolation the process runs on a root of its own in user mode. */
static int add_user_root(struct tables *t, const struct vt_task *task)
{
    struct vt_linux_layout layout;
    if (vt_linux_task_layout(t->a->target->kernel, task, &layout, NULL) == 0 &&
        layout.space.root.v != task->pgd.v) {
        return open_table(t, layout.space.levels, layout.space.root, VT_GVA(0), true);
    }
    return 0;
}

static int tables_of_task(struct vt_answering *a, const struct vt_task *task, json_t *rows,
                          struct tables *t, struct vt_space *space, struct vt_error *err)
{
    *t = (struct tables){.a = a,
                         .rows = rows,
                         .pid = task->pid,
                         .name = task->comm,
                         .direct_map = vt_linux_direct_map(a->target->kernel),
                         .err = err};
    int rc = vt_linux_task_space(a->target->kernel, task, space, err);
    if (rc == 0) {
        rc = take_tables(t, space, err);
    }
    return rc != 0 ? rc : add_user_root(t, task);
}

static const struct vt_task *task_of(const struct vt_task_list *list, int64_t pid)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->tasks[i].pid == pid) {
            return &list->tasks[i];
        }
    }
    return NULL;
}

static void set_rows(struct vt_answering *a, json_t *rows)
{
    struct vt_answer *answer = a->answer;
    json_decref(answer->rows);
    free(answer->sql);
    answer->rows = rows;
    answer->sql = NULL;
}

/* What leads to one address. */
static int steps_to(struct vt_answering *a, const struct vt_task *task, json_t *rows,
                    struct vt_error *err)
{
    struct vt_linux_layout layout;
    struct vt_page_step steps[VT_LEVELS_MAX];
    unsigned n;
    uint64_t direct_map = vt_linux_direct_map(a->target->kernel);
    int rc = vt_linux_task_layout(a->target->kernel, task, &layout, err);
    if (rc == 0) {
        rc = vt_linux_page_steps(a->target->kernel, &layout.space, VT_GVA(a->q->address), steps, &n,
                                 err);
    }
    if (rc != 0) {
        return rc;
    }
    vt_say(a, "0x%" PRIx64 " in %s (pid %" PRId32 "): ", a->q->address, vt_said(a, task->comm),
           task->pid);
    for (unsigned i = 0; i < n; i++) {
        const struct vt_page_step *s = &steps[i];
        json_t *row =
            json_pack("{s:i, s:s, s:i, s:s, s:s}", "pid", (int)task->pid, "level", s->level,
                      "index", (int)s->index, "what", s->what, "flags", s->flags);
        if (row == NULL || json_array_append_new(rows, row) != 0) {
            return vt_fail(err, VT_E_NOMEM, "out of memory");
        }
        vt_row_set_address(row, "entry", s->entry.v);
        vt_row_set_address(row, "value", s->value);
        if (s->leads_to.v == UINT64_MAX) {
            json_object_set_new(row, "leads_to", json_null());
        } else {
            vt_row_set_address(row, "leads_to", s->leads_to.v);
        }
        vt_say(a, "%s%s[%" PRIu32 "]", i == 0 ? "" : " → ", s->level, s->index);
        vt_answer_place(a, s->level, task->pid, VT_GVA(direct_map + (s->entry.v & ~UINT64_C(4095))),
                        VT_GPA(s->entry.v & ~UINT64_C(4095)), VT_PAGE_BYTES);
    }
    const struct vt_page_step *last = n > 0 ? &steps[n - 1] : NULL;
    if (last != NULL && last->leads_to.v != UINT64_MAX) {
        vt_say(a, " → physical 0x%" PRIx64 ".", last->leads_to.v);
        vt_answer_place(a, "page", task->pid, VT_GVA(a->q->address & ~UINT64_C(4095)),
                        VT_GPA(last->leads_to.v & ~UINT64_C(4095)), VT_PAGE_BYTES);
    } else {
        vt_say(a, ": nothing is mapped there (%s).", last != NULL ? last->what : "empty");
    }
    vt_answer_verb(a, "pagetables %s --pid %" PRId32 " 0x%" PRIx64, a->target->name, task->pid,
                   a->q->address);
    return 0;
}

/* Those of the processes in `found`, table by table. */
static int tables_of_some(struct vt_answering *a, const struct vt_task_list *list,
                          const json_t *found, json_t *rows, struct vt_error *err)
{
    int rc = 0;
    size_t said = 0;
    for (size_t i = 0; i < json_array_size(found) && i < VT_ANSWER_SUBJECTS_MAX && rc == 0; i++) {
        const json_t *row = json_array_get(found, i);
        const struct vt_task *task = task_of(list, vt_row_int(row, "pid"));
        struct tables t;
        struct vt_space space;
        vt_say(a, said++ > 0 ? "\n" : "");
        if (task == NULL) {
            vt_say(a, "%s has ended meanwhile.", vt_said_process(a, row));
        } else if (task->mm.v == 0) {
            vt_say(a, "%s is a kernel thread and has no page tables of its own.",
                   vt_said_process(a, row));
        } else if (a->q->address != UINT64_MAX) {
            rc = steps_to(a, task, rows, err);
        } else {
            rc = tables_of_task(a, task, rows, &t, &space, err);
            if (rc == 0) {
                say_tables(a, &t, &space);
            }
            if (said == 1) {
                vt_answer_verb(a, "pagetables %s --pid %" PRId32, a->target->name, task->pid);
            }
        }
    }
    return rc;
}

static int more_tables(const json_t *x, const json_t *y)
{
    int64_t a = vt_row_int(x, "tables"), b = vt_row_int(y, "tables");
    return a != b ? (a < b) - (a > b)
                  : (vt_row_int(x, "pid") > vt_row_int(y, "pid")) -
                        (vt_row_int(x, "pid") < vt_row_int(y, "pid"));
}

static int by_tables(const void *x, const void *y)
{
    return more_tables(*(json_t *const *)x, *(json_t *const *)y);
}

static int sort_rows(json_t *rows, struct vt_error *err)
{
    size_t n = json_array_size(rows);
    json_t **all = calloc(n + 1, sizeof(json_t *));
    if (all == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        all[i] = json_incref(json_array_get(rows, i));
    }
    qsort(all, n, sizeof(json_t *), by_tables);
    for (size_t i = 0; i < n; i++) {
        json_array_set_new(rows, i, all[i]);
    }
    free(all);
    return 0;
}

/* Those of everybody, a row a process. */
static int tables_of_all(struct vt_answering *a, const struct vt_task_list *list, json_t *rows,
                         struct vt_error *err)
{
    uint64_t sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct vt_task *task = &list->tasks[i];
        struct tables t;
        struct vt_space space;
        int rc = vt_answer_stopped(a, err);
        if (rc != 0) {
            return rc;
        }
        if (task->mm.v == 0 || tables_of_task(a, task, NULL, &t, &space, NULL) != 0) {
            continue; /* a kernel thread, or it has ended meanwhile */
        }
        uint64_t tables = all_tables(&t), bytes = tables * VT_PAGE_BYTES;
        json_t *row =
            json_pack("{s:i, s:o, s:I, s:I, s:I}", "pid", (int)task->pid, "name",
                      vt_row_string(task->comm, strlen(task->comm)), "tables", (json_int_t)tables,
                      "bytes", (json_int_t)bytes, "mapped_pages", (json_int_t)t.pages);
        if (row == NULL || json_array_append_new(rows, row) != 0) {
            return vt_fail(err, VT_E_NOMEM, "out of memory");
        }
        vt_row_set_address(row, "root", space.root.v);
        sum += tables;
        n++;
    }
    int rc = sort_rows(rows, err);
    if (rc != 0) {
        return rc;
    }
    if (a->q->limit > 0) {
        while (json_array_size(rows) > (uint64_t)a->q->limit) {
            json_array_remove(rows, json_array_size(rows) - 1);
        }
    }
    const json_t *most = json_array_get(rows, 0);
    vt_say(a, "%s have %s together, %s", vt_said_count(a, n, "process", "processes"),
           vt_said_count(a, sum, "page table", "page tables"),
           vt_said_bytes(a, sum * VT_PAGE_BYTES));
    if (most != NULL) {
        vt_say(a, "; most has %s: %" PRId64, vt_said_process(a, most), vt_row_int(most, "tables"));
    }
    vt_say(a, ".");
    vt_answer_verb(a, "pagetables %s --pid PID", a->target->name);
    return 0;
}

int vt_answer_page_tables(struct vt_answering *a, struct vt_error *err)
{
    struct vt_task_list list;
    json_t *found = NULL;
    int rc = 0;
    if (vt_answer_has_subject(a->q)) {
        rc = vt_answer_subjects(a, true, &found, err);
        if (rc != 0 || json_array_size(found) == 0) {
            json_decref(rc == 0 ? found : NULL);
            return rc;
        }
    }
    rc = vt_answer_kernel(a, err);
    if (rc == 0) {
        rc = vt_linux_tasks(a->target->kernel, &list, err);
    }
    json_t *rows = rc == 0 ? json_array() : NULL;
    if (rc == 0) {
        rc = rows == NULL    ? vt_fail(err, VT_E_NOMEM, "out of memory")
             : found != NULL ? tables_of_some(a, &list, found, rows, err)
                             : tables_of_all(a, &list, rows, err);
        vt_task_list_fini(&list);
    }
    if (rc == 0) {
        set_rows(a, rows);
    } else {
        json_decref(rows);
    }
    json_decref(found);
    return rc;
}

/* ---------------------------------------------------------------- kernel stacks */

static uint64_t stack_bytes(const struct vt_kernel *kernel, struct vt_gva stack)
{
    uint64_t bytes = 0, most = vt_linux_stack_bytes(kernel, stack);
    struct vt_gpa gpa;
    while (bytes < most &&
           vt_space_translate(vt_kernel_space(kernel), VT_GVA(stack.v + bytes), &gpa, NULL) == 0) {
        bytes += VT_PAGE_BYTES;
    }
    return bytes;
}

static int add_stack(struct vt_answering *a, json_t *row, uint64_t *sum, struct vt_error *err)
{
    const struct vt_space *space = vt_kernel_space(a->target->kernel);
    struct vt_gva stack = VT_GVA(vt_row_address(row, "stack"));
    struct vt_gpa gpa;
    char label[64];
    uint64_t bytes = stack_bytes(a->target->kernel, stack);
    snprintf(label, sizeof label, "%.32s stack", vt_row_text(row, "name"));
    vt_row_set_address(row, "end", stack.v + bytes);
    json_object_set_new(row, "bytes", json_integer((json_int_t)bytes));
    if (bytes == 0 || vt_space_translate(space, stack, &gpa, NULL) != 0) {
        json_object_set_new(row, "physical", json_null()); /* it ended, and gave it back */
        return 0;
    }
    vt_row_set_address(row, "physical", gpa.v);
    *sum += bytes;
    return vt_answer_range(a, label, (int32_t)vt_row_int(row, "pid"), space, stack,
                           VT_GVA(stack.v + bytes), err);
}

int vt_answer_kernel_stacks(struct vt_answering *a, struct vt_error *err)
{
    json_t *found = NULL, *row;
    size_t i;
    char *pids = NULL;
    int rc = 0;
    if (vt_answer_has_subject(a->q)) {
        rc = vt_answer_subjects(a, true, &found, err);
        if (rc != 0 || json_array_size(found) == 0) {
            json_decref(rc == 0 ? found : NULL);
            return rc;
        }
        pids = vt_answer_pids(found);
        rc = pids == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
    }
    if (rc == 0) {
        rc = vt_answer_sql(a, err,
                           "SELECT tid, pid, name, state, stack FROM threads"
                           " WHERE stack <> 0 %s%s ORDER BY tid",
                           pids != NULL ? "AND pid IN " : "", pids != NULL ? pids : "");
    }
    if (rc == 0) {
        rc = vt_answer_kernel(a, err);
    }
    uint64_t sum = 0;
    const json_t *rows = a->answer->rows;
    json_array_foreach(rows, i, row)
    {
        if (rc == 0) {
            rc = add_stack(a, row, &sum, err);
        }
    }
    if (rc == 0 && found != NULL && json_array_size(rows) == 1) {
        row = json_array_get(rows, 0);
        vt_say(a, "The kernel stack of %s is %s-%s, %s.", vt_said_process(a, row),
               vt_row_text(row, "stack"), vt_row_text(row, "end"), vt_said_bytes(a, sum));
    } else if (rc == 0) {
        vt_say(a, "%s%s, %s together: one a task.",
               vt_said_count(a, json_array_size(rows), "kernel stack", "kernel stacks"),
               found != NULL ? " of the threads asked for" : "", vt_said_bytes(a, sum));
    }
    vt_answer_verb(a, "threads %s", a->target->name);
    json_decref(found);
    free(pids);
    return rc;
}
