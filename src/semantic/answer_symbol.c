/* semantic/answer_symbol.c - answers about addresses: where a name is, and what is at one. */
#include "guest/linux/pages.h"
#include "semantic/answer.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- a name */

static int by_name(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_kernel *kernel = a->target->kernel;
    const char *name = a->q->name;
    json_t *row;
    size_t i;
    vt_answer_verb(a, "symbols %s %s", a->target->name, name);
    int rc = vt_answer_sql(a, err,
                           "SELECT name, address, size, type, module FROM symbols WHERE name = %Q"
                           " ORDER BY module IS NOT NULL, address",
                           name);
    if (rc == 0 && json_array_size(a->answer->rows) == 0) {
        rc = vt_answer_sql(a, err,
                           "SELECT name, address, size, type, module FROM symbols"
                           " WHERE instr(lower(name), lower(%Q)) > 0 ORDER BY length(name), address"
                           " LIMIT 20",
                           name);
    }
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    if (n == 0) {
        vt_say(a, "No symbol is called %s, nor has it in its name.", vt_said(a, name));
    }
    json_array_foreach(a->answer->rows, i, row)
    {
        struct vt_gva at = VT_GVA(vt_row_address(row, "address"));
        uint64_t bytes = (uint64_t)vt_row_int(row, "size");
        const char *module = vt_row_text(row, "module");
        struct vt_gpa gpa;
        bool there = vt_space_translate(vt_kernel_space(kernel), at, &gpa, NULL) == 0;
        if (there) {
            uint64_t page = at.v & (VT_PAGE_BYTES - 1);
            bytes = bytes > 0 && bytes <= VT_PAGE_BYTES - page ? bytes : VT_PAGE_BYTES - page;
            vt_answer_place(a, vt_row_text(row, "name"), 0, at, gpa, bytes);
        }
        if (i < 8) {
            char physical[40] = "";
            if (there) {
                snprintf(physical, sizeof physical, ", physical 0x%" PRIx64, gpa.v);
            }
            vt_say(a, "%s%s is at %s%s (%s%s%s)", i == 0 ? "" : "; ",
                   vt_said(a, vt_row_text(row, "name")), vt_row_text(row, "address"), physical,
                   strpbrk(vt_row_text(row, "type"), "tTwW") != NULL ? "code" : "data",
                   module[0] != '\0' ? " of module " : " of the kernel", vt_said(a, module));
        }
    }
    vt_say(a, n > 8 ? "; …" : n > 0 ? "." : "");
    return 0;
}

/* ---------------------------------------------------------------- an address */

/* In a process: the region it lies in. */
static int in_process(struct vt_answering *a, const json_t *found, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    const json_t *process = json_array_get(found, 0);
    int32_t pid = (int32_t)vt_row_int(process, "pid");
    struct vt_space space;
    struct vt_gpa gpa;
    vt_answer_verb(a, "translate %s 0x%" PRIx64 " --pid %" PRId32, a->target->name, q->address,
                   pid);
    int rc =
        vt_answer_sql(a, err,
                      "SELECT pid, owner, start, \"end\", permissions, kind, name, offset,"
                      " resident_bytes FROM memory_regions WHERE pid = %d"
                      " AND start <= 0x%llx AND \"end\" > 0x%llx",
                      (int)pid, (unsigned long long)q->address, (unsigned long long)q->address);
    if (rc != 0) {
        return rc;
    }
    const json_t *row = json_array_get(a->answer->rows, 0);
    if (row == NULL) {
        vt_say(a, "%s has nothing at 0x%" PRIx64 ".", vt_said_process(a, process), q->address);
        return 0;
    }
    vt_say(a, "0x%" PRIx64 " in %s is in its %s %s-%s %s %s", q->address,
           vt_said_process(a, process), vt_said(a, vt_row_text(row, "kind")),
           vt_row_text(row, "start"), vt_row_text(row, "end"), vt_row_text(row, "permissions"),
           vt_said(a, vt_row_text(row, "name")));
    if (vt_target_space(a->target, pid, &space, NULL) == 0 &&
        vt_space_translate(&space, VT_GVA(q->address), &gpa, NULL) == 0) {
        vt_say(a, ", at physical 0x%" PRIx64, gpa.v);
        vt_answer_place(a, vt_row_text(process, "name"), pid,
                        VT_GVA(q->address & ~(VT_PAGE_BYTES - 1)),
                        VT_GPA(gpa.v & ~(VT_PAGE_BYTES - 1)), VT_PAGE_BYTES);
    } else {
        vt_say(a, ", and its page is not in memory");
    }
    vt_say(a, ".");
    return 0;
}

/* What the kernel has at one of its own addresses, besides a symbol. */
static int in_kernel_half(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_kernel *kernel = a->target->kernel;
    const struct vt_question *q = a->q;
    struct vt_gpa gpa;
    struct vt_gva from, to;
    json_t *rows = NULL;
    vt_answer_verb(a, "translate %s 0x%" PRIx64, a->target->name, q->address);
    bool there = vt_space_translate(vt_kernel_space(kernel), VT_GVA(q->address), &gpa, NULL) == 0;
    int rc =
        vt_answer_sql(a, err,
                      "SELECT name, address, 0x%llx - address AS distance, size, type, module"
                      " FROM symbols WHERE address <= 0x%llx AND 0x%llx - address < max(size, 1)"
                      " ORDER BY address DESC LIMIT 1",
                      (unsigned long long)q->address, (unsigned long long)q->address,
                      (unsigned long long)q->address);
    const json_t *row = rc == 0 ? json_array_get(a->answer->rows, 0) : NULL;
    if (rc != 0) {
        return rc;
    }
    vt_linux_vmalloc_range(kernel, &from, &to);
    vt_say(a, "0x%" PRIx64 " is ", q->address);
    if (row != NULL) {
        const char *module = vt_row_text(row, "module");
        vt_say(a, "%s+0x%" PRIx64 " of %s%s", vt_said(a, vt_row_text(row, "name")),
               (uint64_t)vt_row_int(row, "distance"), module[0] != '\0' ? "module " : "the kernel",
               vt_said(a, module));
    } else if (there && gpa.v + vt_linux_direct_map(kernel) == q->address) {
        vt_say(a, "in the kernel's mapping of all memory");
    } else if (q->address >= from.v && q->address < to.v) {
        rc = vt_answer_sql(a, err,
                           "SELECT start, bytes, pages, kind, caller_name FROM live.vmalloc"
                           " WHERE start <= 0x%llx AND start + bytes > 0x%llx",
                           (unsigned long long)q->address, (unsigned long long)q->address);
        row = rc == 0 ? json_array_get(a->answer->rows, 0) : NULL;
        if (row != NULL) {
            vt_say(a, "in an area of vmalloc (%s), asked for by %s",
                   vt_said(a, vt_row_text(row, "kind")),
                   vt_said(a, vt_row_text(row, "caller_name")));
        } else {
            vt_say(a, "in vmalloc's range, in no area");
        }
    } else {
        vt_say(a, "in the kernel's half, at no symbol");
    }
    if (rc == 0 && there) {
        vt_say(a, ", at physical 0x%" PRIx64 ".", gpa.v);
        vt_answer_place(a, "address", 0, VT_GVA(q->address & ~(VT_PAGE_BYTES - 1)),
                        VT_GPA(gpa.v & ~(VT_PAGE_BYTES - 1)), VT_PAGE_BYTES);
    } else if (rc == 0) {
        vt_say(a, ", where nothing is mapped.");
    }
    json_decref(rows);
    return rc;
}

/* Nobody's in particular: whoever has a region there, and what the physical page is. */
static int in_anybody(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    struct vt_off off;
    json_t *row;
    size_t i;
    int rc = vt_answer_sql(a, err,
                           "SELECT pid, owner AS name, start, \"end\", permissions, kind,"
                           " name AS file FROM memory_regions"
                           " WHERE start <= 0x%llx AND \"end\" > 0x%llx AND pid > 0 ORDER BY pid",
                           (unsigned long long)q->address, (unsigned long long)q->address);
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    vt_say(a, "As a virtual address 0x%" PRIx64 " is in %s", q->address,
           n == 0 ? "no process" : "");
    json_array_foreach(a->answer->rows, i, row)
    {
        if (i == 6) {
            vt_say(a, ", …");
            break;
        }
        vt_say(a, "%s%s of %s", i == 0 ? "" : ", ", vt_said(a, vt_row_text(row, "kind")),
               vt_said_process(a, row));
    }
    vt_say(a, ".");
    if (vt_ram_offset(a->target->ram, VT_GPA(q->address), &off, NULL, NULL) == 0) {
        uint64_t page = q->address & ~(VT_PAGE_BYTES - 1);
        json_t *mapped;
        vt_answer_place(a, "address", 0, VT_GVA(0), VT_GPA(page), VT_PAGE_BYTES);
        rc = vt_answer_look(a, &mapped, err,
                            "SELECT DISTINCT r.pid, r.owner AS name, r.kind FROM memory_pages g"
                            " JOIN memory_regions r ON r.id = g.region WHERE g.gpa <= 0x%llx"
                            " AND g.gpa + g.bytes > 0x%llx ORDER BY r.pid LIMIT 7",
                            (unsigned long long)q->address, (unsigned long long)q->address);
        if (rc != 0) {
            return rc;
        }
        n = json_array_size(mapped);
        vt_say(a, "\nAs a physical address it is in RAM, %s",
               n == 0 ? "and no region known has it mapped" : "mapped as ");
        json_array_foreach(mapped, i, row)
        {
            vt_say(a, "%s%s of %s", i == 0 ? "" : ", ", vt_said(a, vt_row_text(row, "kind")),
                   vt_row_int(row, "pid") > 0 ? vt_said_process(a, row) : "the kernel");
        }
        vt_say(a, ".");
        json_decref(mapped);
    }
    return 0;
}

int vt_answer_symbol(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    int rc = vt_answer_kernel(a, err);
    if (rc != 0) {
        return rc;
    }
    if (q->address == UINT64_MAX) {
        return by_name(a, err);
    }
    if (q->address >> 63 != 0) {
        return in_kernel_half(a, err);
    }
    if (!vt_answer_has_subject(q)) {
        return in_anybody(a, err);
    }
    json_t *found;
    rc = vt_answer_subjects(a, true, &found, err);
    if (rc == 0) {
        rc = json_array_size(found) > 0 ? in_process(a, found, err) : 0;
        json_decref(found);
    }
    return rc;
}
