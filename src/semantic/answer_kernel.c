/* semantic/answer_kernel.c - answers about the kernel's own memory: what it allocated, by kind, and
 * where that lies.
 *
 * A page counts once: stacks and modules lie in the vmalloc area, too, and are told before it.
 */
#include "semantic/answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* In the order they are told. The first five are what the kernel allocates for itself; the first
 * eight all it has; the last two it has for others. */
static const struct kind {
    const char *area, *label, *title;
    enum vt_memory_kind kind;
} kinds[] = {
    {"stacks", "stacks", "Kernel stacks", VT_MEMORY_KERNEL_STACKS},
    {"modules", "modules", "Modules", VT_MEMORY_MODULES},
    {"page_tables", "page tables", "Page tables", VT_MEMORY_PAGE_TABLES},
    {"slab", "slab", "Slabs", VT_MEMORY_SLAB},
    {"vmalloc", "vmalloc", "vmalloc, with the kernel stacks in it", VT_MEMORY_VMALLOC},
    {"code", "kernel code", "The kernel's code", VT_MEMORY_KERNEL_TEXT},
    {"rodata", "kernel constants", "The kernel's constants", VT_MEMORY_KERNEL_RODATA},
    {"data", "kernel data", "The kernel's data", VT_MEMORY_KERNEL_DATA},
    {"bss", "kernel bss", "The kernel's zeroed data", VT_MEMORY_KERNEL_BSS},
    {"page_cache", "page cache", "The page cache", VT_MEMORY_PAGE_CACHE},
    {"free", "free", "Free memory", VT_MEMORY_FREE},
};
enum { SLAB = 3, VMALLOC = 4, ALLOCATIONS = 5, OWN = 9, KINDS = sizeof kinds / sizeof kinds[0] };

/* ---------------------------------------------------------------- pages by kind */

struct telling {
    struct vt_answering *a;
    const struct kind *kind;
    uint8_t *told; /* a bit a page of the RAM file */
    uint64_t bytes, runs;
    struct vt_error *err;
};

static bool tell_page(uint8_t *told, uint64_t page)
{
    uint8_t bit = (uint8_t)(1u << (page % 8));
    bool first = (told[page / 8] & bit) == 0;
    told[page / 8] |= bit;
    return first;
}

static int on_run(const struct vt_memory_run *run, void *arg)
{
    struct telling *t = arg;
    for (uint64_t done = 0; done < run->bytes;) {
        struct vt_off off;
        uint64_t first = done;
        while (done < run->bytes &&
               vt_ram_offset(t->a->target->ram, VT_GPA(run->gpa.v + done), &off, NULL, NULL) == 0 &&
               tell_page(t->told, off.v >> VT_PAGE_SHIFT)) {
            done += VT_PAGE_BYTES;
        }
        if (done > first) {
            t->bytes += done - first;
            t->runs++;
            vt_answer_place(t->a, t->kind->label, run->pid, VT_GVA(run->gva.v + first),
                            VT_GPA(run->gpa.v + first), done - first);
        } else {
            done += VT_PAGE_BYTES;
        }
    }
    return vt_answer_stopped(t->a, t->err);
}

/* ---------------------------------------------------------------- one cache of slabs */

static int one_cache(struct vt_answering *a, struct vt_error *err)
{
    json_t *row;
    size_t i;
    int rc = vt_answer_sql(a, err,
                           "SELECT name, active_objects, objects, object_bytes, slabs, bytes, at"
                           " FROM live.slabs WHERE name = %Q COLLATE NOCASE ORDER BY bytes DESC",
                           a->q->name);
    if (rc != 0) {
        return rc;
    }
    vt_answer_verb(a, "slabs %s", a->target->name);
    if (json_array_size(a->answer->rows) == 0) {
        vt_say(a,
               "There is no slab cache %s. A cache whose objects are like another's may have "
               "been merged into that one.",
               vt_said(a, a->q->name));
    }
    json_array_foreach(a->answer->rows, i, row)
    {
        vt_say(a,
               "%sThe cache %s has %" PRId64 " of %" PRId64 " objects in use, of %" PRId64
               " bytes each, in %s of slabs.",
               i == 0 ? "" : "\n", vt_said(a, vt_row_text(row, "name")),
               vt_row_int(row, "active_objects"), vt_row_int(row, "objects"),
               vt_row_int(row, "object_bytes"),
               vt_said_bytes(a, (uint64_t)vt_row_int(row, "bytes")));
    }
    return 0;
}

/* ---------------------------------------------------------------- all of it */

/* Who has most of the slabs, or of vmalloc. */
static int say_most(struct vt_answering *a, size_t kind, struct vt_error *err)
{
    json_t *rows, *row;
    size_t i;
    int rc = vt_answer_look(a, &rows, err,
                            kind == SLAB ? "SELECT name, bytes FROM live.slabs"
                                           " ORDER BY bytes DESC LIMIT 5"
                                         : "SELECT caller_name AS name, sum(4096 * pages) AS bytes"
                                           " FROM live.vmalloc WHERE pages > 0 GROUP BY name"
                                           " ORDER BY bytes DESC LIMIT 5");
    if (rc != 0) {
        return rc;
    }
    vt_say(a, json_array_size(rows) > 0 ? " Most have " : "");
    json_array_foreach(rows, i, row)
    {
        const char *name = vt_row_text(row, "name");
        vt_say(a, "%s%s (%s)", vt_said_comma(i, json_array_size(rows)),
               name[0] != '\0' ? vt_said(a, name) : "unknown callers",
               vt_said_bytes(a, (uint64_t)vt_row_int(row, "bytes")));
    }
    vt_say(a, json_array_size(rows) > 0 ? "." : "");
    json_decref(rows);
    return 0;
}

/* Tells kinds [from, to), with a row each. */
static int tell(struct vt_answering *a, size_t from, size_t to, json_t *rows, uint64_t *sum,
                struct vt_error *err)
{
    struct telling t = {
        .a = a, .told = calloc(vt_ram_size(a->target->ram) / VT_PAGE_BYTES / 8 + 1, 1), .err = err};
    int rc = t.told == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
    for (size_t k = from; k < to && rc == 0; k++) {
        t.kind = &kinds[k];
        t.bytes = t.runs = 0;
        rc = vt_linux_memory_runs(a->target->kernel, t.kind->kind, 0, on_run, &t, err);
        json_t *row =
            json_pack("{s:s, s:I, s:I, s:I}", "kind", t.kind->label, "bytes", (json_int_t)t.bytes,
                      "pages", (json_int_t)(t.bytes >> VT_PAGE_SHIFT), "runs", (json_int_t)t.runs);
        if (rc == 0 && (row == NULL || json_array_append(rows, row) != 0)) {
            rc = vt_fail(err, VT_E_NOMEM, "out of memory");
        }
        json_decref(row);
        *sum += t.bytes;
    }
    free(t.told);
    return rc;
}

/* It shows the same runs. */
static void add_verb(struct vt_answering *a, size_t from, size_t to)
{
    char areas[512];
    size_t n = 0;
    for (size_t k = from; k < to && n < sizeof areas; k++) {
        n += (size_t)snprintf(areas + n, sizeof areas - n, " --area %s",
                              vt_memory_kind_name(kinds[k].kind));
    }
    vt_answer_verb(a, "highlight %s%s", a->target->name, areas);
}

int vt_answer_kernel_memory(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    if (q->name[0] != '\0') {
        return one_cache(a, err);
    }
    size_t from = 0, to = q->area[0] == '\0' ? OWN : ALLOCATIONS;
    for (size_t k = 0; k < KINDS; k++) {
        if (strcmp(q->area, kinds[k].area) == 0) {
            from = k;
            to = k + 1;
        }
    }
    json_t *rows = json_array(), *row;
    size_t i;
    uint64_t sum = 0;
    int rc = rows == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : vt_answer_kernel(a, err);
    if (rc == 0) {
        rc = tell(a, from, to, rows, &sum, err);
    }
    if (rc != 0) {
        json_decref(rows);
        return rc;
    }
    json_decref(a->answer->rows);
    a->answer->rows = rows;
    if (to - from > 1) {
        vt_say(a, "The kernel has %s %s", to == OWN ? "for itself" : "allocated",
               vt_said_bytes(a, sum));
        json_array_foreach(rows, i, row)
        {
            vt_say(a, "%s%s %s", i == 0 ? ": " : ", ", vt_row_text(row, "kind"),
                   vt_said_bytes(a, (uint64_t)vt_row_int(row, "bytes")));
        }
        vt_say(a, ".");
        add_verb(a, from, to);
        return 0;
    }
    vt_say(a, "%s: %s in %s.", kinds[from].title, vt_said_bytes(a, sum),
           vt_said_count(a, (uint64_t)vt_row_int(json_array_get(rows, 0), "runs"), "run of pages",
                         "runs of pages"));
    add_verb(a, from, to);
    return from == SLAB || from == VMALLOC ? say_most(a, from, err) : 0;
}
