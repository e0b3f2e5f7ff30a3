/* guest/linux/hidden.c - tasks and modules that some of the kernel's own books do not have. See
 * vitrine/linux.h and hidden_tasks.c, hidden_modules.c for the views.
 */
#include "guest/linux/hidden.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- sights */

static size_t slot_of(const struct vt_sights *s, uint64_t at)
{
    /* Fibonacci hashing: objects are aligned, their low bits say nothing. */
    size_t i = (size_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (s->n_slots - 1);
    while (s->slots[i] != 0 && s->list[s->slots[i] - 1].at != at) {
        i = (i + 1) & (s->n_slots - 1);
    }
    return i;
}

static int grow(struct vt_sights *s, struct vt_error *err)
{
    size_t room = s->room == 0 ? 256 : 2 * s->room;
    struct vt_sight *list = realloc(s->list, room * sizeof *list);
    uint32_t *slots = list != NULL ? calloc(2 * room, sizeof *slots) : NULL;
    s->list = list != NULL ? list : s->list;
    if (slots == NULL) {
        return vt_fail(err, VT_E_NOMEM, "hidden: out of memory");
    }
    free(s->slots);
    s->room = room;
    s->slots = slots;
    s->n_slots = 2 * room;
    for (size_t i = 0; i < s->n; i++) {
        s->slots[slot_of(s, s->list[i].at)] = (uint32_t)i + 1;
    }
    return 0;
}

int vt_sights_add(struct vt_sights *s, uint64_t at, unsigned view, struct vt_error *err)
{
    if (s->n == s->room && s->n < s->cap) {
        int rc = grow(s, err);
        if (rc != 0) {
            return rc;
        }
    }
    if (s->n_slots == 0) {
        return 0;
    }
    size_t slot = slot_of(s, at);
    if (s->slots[slot] == 0) {
        if (s->n >= s->cap) {
            return 0;
        }
        s->list[s->n++] = (struct vt_sight){.at = at};
        s->slots[slot] = (uint32_t)s->n;
    }
    s->list[s->slots[slot] - 1].views |= view;
    return 0;
}

unsigned vt_sights_of(const struct vt_sights *s, uint64_t at)
{
    size_t slot = s->n_slots != 0 ? slot_of(s, at) : 0;
    return s->n_slots != 0 && s->slots[slot] != 0 ? s->list[s->slots[slot] - 1].views : 0;
}

void vt_sights_fini(struct vt_sights *s)
{
    free(s->list);
    free(s->slots);
    *s = (struct vt_sights){0};
}

const char *vt_sight_word(unsigned views, unsigned view, unsigned taken)
{
    return (taken & view) == 0 ? NULL : (views & view) != 0 ? "yes" : "no";
}

/* ---------------------------------------------------------------- the noun */

static int walk(struct vt_walk *w, struct vt_error *err)
{
    int rc = vt_hidden_tasks(w, err);
    return rc != 0 ? rc : vt_hidden_modules(w, err);
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_hidden, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_hidden, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(kind, VT_CELL_TEXT, "kind", "KIND", "task (a process or a thread) or module"),
    COLUMN_OR_NONE(pid, VT_CELL_I64, "pid", "PID", "of a task, as its task_struct says"),
    COLUMN_OR_NONE(tgid, VT_CELL_I64, "tgid", NULL, "of a task: its process"),
    COLUMN(name, VT_CELL_CHARS, "name", "NAME", "command or module name"),
    COLUMN(list, VT_CELL_TEXT, "list", "LIST",
           "the list of processes, or of modules: what ps and lsmod go by"),
    COLUMN(threads, VT_CELL_TEXT, "threads", "THREADS", "its process's list of threads"),
    COLUMN(table, VT_CELL_TEXT, "table", "TABLE",
           "the table of process numbers, or the tree of modules by address"),
    COLUMN(family, VT_CELL_TEXT, "family", "FAMILY", "its parent's list of children"),
    COLUMN(running, VT_CELL_TEXT, "running", "RUNNING", "what runs on CPUs or waits for one"),
    COLUMN(sysfs, VT_CELL_TEXT, "sysfs", "SYSFS", "the objects of /sys/module"),
    COLUMN(memory, VT_CELL_TEXT, "memory", "MEMORY",
           "memory itself: the tasks' slab, what is mapped where modules lie"),
};

const struct vt_noun vt_noun_hidden = {
    .name = "hidden",
    .summary = "Find tasks and modules that hide",
    .group = "Trust",
    .checks = true,
    .description =
        "The kernel keeps books of tasks and modules in several places: lists, tables, trees and\n"
        "the memory they lie in. What hides is taken out of those that tools look at, but not out\n"
        "of all. There is a row for each task or module that is not everywhere where it belongs;\n"
        "none when all agree. Those that are just being made or ended belong nowhere for a moment\n"
        "and are passed over, and what a running guest changed meanwhile is looked at again.",
    .examples = "vitrine hidden web\nvitrine hidden web --pause --json",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
