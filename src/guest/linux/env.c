/* guest/linux/env.c - environments of processes: the text between mm's env_start and env_end.
 *
 * It is the process's own memory: pages may be swapped out, or not yet read from a file. What lies
 * in such a page is unknown; what lies between is shown.
 */
#include "guest/linux/tasks.h"

#include <stdlib.h>
#include <string.h>

/* The kernel lets arguments and environment together have 6 MiB; a process seldom has 16 KiB. */
#define ENV_MAX (512u << 10)
#define PAGES_MAX (ENV_MAX / VT_PAGE_BYTES + 1)

struct layout {
    struct vt_member start, end;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(layout, start, "mm_struct", "env_start"),
    VT_FIELD_BARE(layout, end, "mm_struct", "env_end"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct environment {
    const struct layout *l;
    uint64_t start, left; /* left: bytes that may be read of all processes together */
    size_t n;
    char text[ENV_MAX + 1]; /* zero where it is missing */
    bool missing[PAGES_MAX];
};

static bool is_missing(const struct environment *e, size_t i)
{
    return e->missing[(e->start + i) / VT_PAGE_BYTES - e->start / VT_PAGE_BYTES];
}

/* The first byte from `i` on whose page is missing or not, as asked; or e->n. */
static size_t next_page(const struct environment *e, size_t i, bool missing)
{
    while (i < e->n && is_missing(e, i) != missing) {
        i += (size_t)(VT_PAGE_BYTES - (e->start + i) % VT_PAGE_BYTES);
    }
    return i < e->n ? i : e->n;
}

static void read_text(struct vt_walk *w, const struct vt_task *t, struct environment *e)
{
    const struct layout *l = e->l;
    struct vt_space space;
    e->n = 0;
    e->start = vt_look_member(&w->look, t->mm, &l->start);
    uint64_t end = vt_look_member(&w->look, t->mm, &l->end);
    if (end <= e->start || vt_linux_task_space(w->kernel, t, &space, NULL) != 0) {
        return;
    }
    uint64_t n = end - e->start, most = e->left < ENV_MAX ? e->left : ENV_MAX;
    if (n > most) {
        n = most;
        vt_walk_torn(w, "the environment of process %d is too long", t->pid);
    }
    e->n = (size_t)n;
    memset(e->missing, 0, sizeof e->missing);
    for (size_t i = 0; i < e->n;) {
        uint64_t at = e->start + i, part = VT_PAGE_BYTES - at % VT_PAGE_BYTES;
        size_t bytes = part < e->n - i ? (size_t)part : e->n - i;
        e->missing[at / VT_PAGE_BYTES - e->start / VT_PAGE_BYTES] =
            !vt_look_read_in(&w->look, &space, VT_GVA(at), e->text + i, bytes);
        i += bytes;
    }
    e->text[e->n] = '\0';
}

/* One variable after the other; a page that is missing takes what begins or ends in it along. */
static int print_variables(struct vt_walk *w, const struct vt_task *t, struct environment *e)
{
    int rc = 0;
    for (size_t i = 0; i < e->n && rc == 0;) {
        struct vt_env_variable v = {.row.at = VT_GVA(e->start + i), .pid = t->pid, .comm = t->comm};
        size_t gap = next_page(e, i, true), length = strlen(e->text + i);
        bool whole = i + length < gap || (i + length == e->n && gap == e->n);
        if (whole && length == 0) {
            i++; /* what a process that writes over it leaves behind */
            continue;
        }
        char *equals = memchr(e->text + i, '=', gap - i < length ? gap - i : length);
        size_t next = i + length + 1;
        if (whole || equals != NULL) {
            v.name = e->text + i;
        }
        if (equals != NULL) {
            *equals = '\0';
            v.value = whole ? equals + 1 : NULL;
        }
        if (!whole) {
            next = next_page(e, gap, false);
            next += next < e->n ? strlen(e->text + next) + 1 : 0;
        }
        rc = vt_walk_row(w, &v.row);
        i = next;
    }
    return rc;
}

static int print(struct vt_walk *w, const struct vt_task *t, void *arg, struct vt_error *err)
{
    (void)err;
    struct environment *e = arg;
    if (t->mm.v == 0) {
        return 0;
    }
    do {
        vt_look_begin(&w->look);
        vt_look_task(w, t);
        read_text(w, t, e);
    } while (vt_look_again(&w->look));
    e->left -= e->n;
    return print_variables(w, t, e);
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc != 0) {
        return rc;
    }
    struct environment *e = malloc(sizeof *e);
    if (e == NULL) {
        return vt_fail(err, VT_E_NOMEM, "environments: out of memory");
    }
    e->l = l;
    e->left = vt_ram_size(w->kernel->ram);
    rc = vt_walk_processes(w, print, e, err);
    free(e);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_env_variable, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(pid, VT_CELL_I64, "pid", "PID", "process number"),
    COLUMN(comm, VT_CELL_TEXT, "comm", "COMM", "command name"),
    COLUMN(name, VT_CELL_TEXT, "name", "NAME", "the variable; unknown where it is not in RAM"),
    COLUMN(value, VT_CELL_TEXT, "value", "VALUE", "what it is set to"),
};
#undef COLUMN

const struct vt_noun vt_noun_env = {
    .name = "env",
    .summary = "List the environment variables of the guest's processes",
    .group = "Guest",
    .description = "What a process was started with, as /proc/PID/environ has it. It lies in the\n"
                   "process's own memory: what is swapped out is unknown.",
    .examples = "vitrine env web --pid 1\nvitrine env web --json",
    .by_pid = true,
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
