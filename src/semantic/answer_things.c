/* semantic/answer_things.c - answers about open files, mounts and modules. */
#include "semantic/answer.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- open files */

static bool wants_deleted(const struct vt_question *q)
{
    return strcmp(q->area, "deleted") == 0;
}

/* Those of processes, or those of a path: the whole of it, a part from a slash on, or below it. */
static int look_for_files(struct vt_answering *a, const json_t *found, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    char *pids = found != NULL ? vt_answer_pids(found) : strdup("");
    char *sql = q->path[0] == '/'
                    ? sqlite3_mprintf("(path = %Q OR substr(path, 1, length(%Q) + 1) = %Q || '/')",
                                      q->path, q->path, q->path)
                : q->path[0] != '\0' ? sqlite3_mprintf("instr(path, %Q) > 0", q->path)
                                     : sqlite3_mprintf("");
    char *whose = NULL;
    int n = pids == NULL ? -1 : asprintf(&whose, "%s%s", found != NULL ? "pid IN " : "", pids);
    char deleted[] = "path LIKE '% (deleted)'", none[] = "", user[80] = "", size[48] = "";
    char *conditions[] = {n < 0 ? NULL : whose, sql, wants_deleted(q) ? deleted : none, user, size};
    if (q->uid >= 0) {
        snprintf(user, sizeof user, "pid IN (SELECT pid FROM processes WHERE uid = %" PRId64 ")",
                 q->uid);
    }
    if (q->min_bytes >= 0) {
        snprintf(size, sizeof size, "bytes > %" PRId64, q->min_bytes);
    }
    char *where = vt_answer_where(conditions, 5);
    int rc = where == NULL
                 ? vt_fail(err, VT_E_NOMEM, "out of memory")
                 : vt_answer_sql(a, err,
                                 "SELECT pid, name, fd, kind, modes, path, position, bytes, file"
                                 " FROM files%s ORDER BY pid, typeof(fd), fd",
                                 where);
    free(pids);
    free(conditions[0]);
    free(where);
    sqlite3_free(sql);
    return rc;
}

/* "sh (pid 91), as 3" of different processes. */
static void say_holders(struct vt_answering *a, const json_t *rows)
{
    json_t *row;
    size_t i, said = 0;
    int64_t last = -1;
    json_array_foreach(rows, i, row)
    {
        if (vt_row_int(row, "pid") == last) {
            continue;
        }
        last = vt_row_int(row, "pid");
        if (said++ == 8) {
            vt_say(a, ", …");
            return;
        }
        vt_say(a, "%s%s", said == 1 ? "" : ", ", vt_said_process(a, row));
    }
}

int vt_answer_files(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    json_t *found = NULL;
    int rc = 0;
    if (vt_answer_has_subject(q)) {
        rc = vt_answer_subjects(a, true, &found, err);
        if (rc != 0 || json_array_size(found) == 0) {
            json_decref(rc == 0 ? found : NULL);
            return rc;
        }
        vt_answer_verb(a, "files %s --pid %" PRId64, a->target->name,
                       vt_row_int(json_array_get(found, 0), "pid"));
    } else {
        vt_answer_verb(a, "files %s", a->target->name);
    }
    rc = look_for_files(a, found, err);
    if (rc != 0) {
        json_decref(found);
        return rc;
    }
    const json_t *rows = a->answer->rows, *row;
    size_t n = json_array_size(rows), descriptors = 0;
    vt_answer_objects(a, rows, "file", "file");
    for (size_t i = 0; i < n; i++) {
        descriptors += json_is_integer(json_object_get(json_array_get(rows, i), "fd"));
    }
    row = json_array_get(found, 0);
    if (row != NULL && q->path[0] == '\0') {
        vt_say(a, "%s%s has %s", vt_said_process(a, row),
               json_array_size(found) > 1 ? " and others like it" : "",
               wants_deleted(q)
                   ? vt_said_count(a, descriptors, "open descriptor of a deleted file",
                                   "open descriptors of deleted files")
                   : vt_said_count(a, descriptors, "open descriptor", "open descriptors"));
        const char *before = ": ";
        for (size_t i = 0; i < n && i < 8; i++) {
            row = json_array_get(rows, i);
            if (json_is_integer(json_object_get(row, "fd"))) {
                vt_say(a, "%s%" PRId64 " %s", before, vt_row_int(row, "fd"),
                       vt_said(a, vt_row_text(row, "path")));
                before = ", ";
            }
        }
        vt_say(a, n > 8 ? ", …" : ".");
    } else if (q->path[0] != '\0') {
        vt_say(a, n == 0 ? "Nobody has %s open" : "%s is open in ", vt_said(a, q->path));
        say_holders(a, rows);
        vt_say(a, ".");
    } else {
        char of[48] = "";
        if (q->uid >= 0) {
            snprintf(of, sizeof of, " of user %" PRId64, q->uid);
        }
        if (q->min_bytes >= 0) {
            vt_say(a, "Files larger than %s are open or run %s in all processes%s together.",
                   vt_said_bytes(a, (uint64_t)q->min_bytes), vt_said_count(a, n, "time", "times"),
                   of);
        } else {
            vt_say(a, "%s are open in all processes%s together.",
                   wants_deleted(q) ? vt_said_count(a, descriptors, "descriptor of a deleted file",
                                                    "descriptors of deleted files")
                                    : vt_said_count(a, descriptors, "descriptor", "descriptors"),
                   of);
        }
    }
    json_decref(found);
    return 0;
}

/* ---------------------------------------------------------------- mounts */

#define MOUNTS                                                                                     \
    "SELECT target, type, source, device, options, namespace, mount_id, mount FROM mounts"

/* What was asked for is a device, or whatever else was mounted. */
static void say_where_mounted(struct vt_answering *a)
{
    json_t *row;
    size_t i;
    vt_say(a, "%s is mounted at ", vt_said(a, a->q->path));
    json_array_foreach(a->answer->rows, i, row)
    {
        if (i < 8) {
            vt_say(a, "%s%s (%s)", i == 0 ? "" : ", ", vt_said(a, vt_row_text(row, "target")),
                   vt_said(a, vt_row_text(row, "type")));
        }
    }
    vt_say(a, i > 8 ? ", …" : ".");
}

int vt_answer_mounts(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    json_t *row;
    size_t i;
    vt_answer_verb(a, "mounts %s", a->target->name);
    int rc;
    if (q->path[0] != '\0') {
        rc = vt_answer_sql(a, err, MOUNTS " WHERE source = %Q ORDER BY namespace, mount_id",
                           q->path);
        if (rc == 0 && json_array_size(a->answer->rows) > 0) {
            vt_answer_objects(a, a->answer->rows, "mount", "mount");
            say_where_mounted(a);
            return 0;
        }
        rc = rc != 0 ? rc
                     : vt_answer_sql(a, err,
                                     MOUNTS " WHERE %Q = target OR target = '/' OR"
                                            " substr(%Q, 1, length(target) + 1) = target || '/'"
                                            " ORDER BY length(target) DESC, namespace,"
                                            " mount_id DESC LIMIT 1",
                                     q->path, q->path);
    } else {
        char *type =
            q->area[0] != '\0'
                ? sqlite3_mprintf(" WHERE type = %Q OR type LIKE %Q || '.%%'", q->area, q->area)
                : sqlite3_mprintf("");
        rc = type == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory")
                          : vt_answer_sql(a, err,
                                          MOUNTS "%s"
                                                 " ORDER BY namespace, mount_id",
                                          type);
        sqlite3_free(type);
    }
    if (rc != 0) {
        return rc;
    }
    size_t n = json_array_size(a->answer->rows);
    vt_answer_objects(a, a->answer->rows, "mount", "mount");
    if (q->path[0] != '\0') {
        row = json_array_get(a->answer->rows, 0);
        if (row == NULL) {
            vt_say(a, "%s lies in no file system that is mounted.", vt_said(a, q->path));
        } else {
            vt_say(a, "%s lies in the file system at %s: %s, from %s, %s.", vt_said(a, q->path),
                   vt_said(a, vt_row_text(row, "target")), vt_said(a, vt_row_text(row, "type")),
                   vt_said(a, vt_row_text(row, "source")), vt_said(a, vt_row_text(row, "options")));
        }
        return 0;
    }
    vt_say(a, "%s%s%s %s mounted",
           n == 0 ? "No file system" : vt_said_count(a, n, "file system", "file systems"),
           q->area[0] != '\0' ? " of type " : "", q->area, n > 1 ? "are" : "is");
    vt_say(a, n > 0 ? ": " : ".");
    json_array_foreach(a->answer->rows, i, row)
    {
        if (i == 10 && n > 11) {
            vt_say(a, ", …");
            break;
        }
        vt_say(a, "%s%s (%s)", i == 0 ? "" : ", ", vt_said(a, vt_row_text(row, "target")),
               vt_said(a, vt_row_text(row, "type")));
    }
    vt_say(a, n > 0 && n <= 11 ? "." : "");
    return 0;
}

/* ---------------------------------------------------------------- modules */

/* Where a struct module keeps its pieces: an array of them since Linux 6.4, one before that. */
struct pieces {
    uint32_t first, n, each; /* offset, count, bytes of one */
    struct vt_member base, size;
};

static int find_pieces(const struct vt_kernel *kernel, struct pieces *p, struct vt_error *err)
{
    struct vt_member member;
    const char *of = "module_memory";
    int rc = vt_kernel_member(kernel, "module", "mem", &member, err);
    if (rc != 0) {
        of = "module_layout";
        rc = vt_kernel_member(kernel, "module", "core_layout", &member, err);
    }
    rc = rc != 0 ? rc : vt_kernel_struct_size(kernel, of, &p->each, err);
    rc = rc != 0 ? rc : vt_kernel_member(kernel, of, "base", &p->base, err);
    rc = rc != 0 ? rc : vt_kernel_member(kernel, of, "size", &p->size, err);
    if (rc == 0) {
        p->first = member.offset;
        p->n = p->each > 0 && member.size / p->each <= 16 ? member.size / p->each : 0;
    }
    return rc;
}

/* What is mapped of a module becomes places. What cannot be read of it is left out: it may have
 * been unloaded meanwhile. */
static void add_module(struct vt_answering *a, const struct pieces *p, const json_t *row)
{
    const struct vt_space *space = vt_kernel_space(a->target->kernel);
    uint64_t module = vt_row_address(row, "module");
    char label[80];
    snprintf(label, sizeof label, "module %.64s", vt_row_text(row, "name"));
    for (uint32_t i = 0; i < p->n; i++) {
        uint64_t at = module + p->first + (uint64_t)i * p->each, base;
        uint32_t bytes;
        if (vt_space_read_u64(space, VT_GVA(at + p->base.offset), &base, NULL) == 0 &&
            vt_space_read_u32(space, VT_GVA(at + p->size.offset), &bytes, NULL) == 0 && bytes > 0 &&
            bytes <= (UINT32_C(1) << 30) && base % VT_PAGE_BYTES == 0 && base + bytes > base) {
            uint64_t end = base + ((bytes + VT_PAGE_BYTES - 1) & ~(VT_PAGE_BYTES - 1));
            vt_answer_range(a, label, 0, space, VT_GVA(base), VT_GVA(end), NULL);
        }
    }
}

int vt_answer_modules(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    json_t *row;
    size_t i;
    vt_answer_verb(a, "modules %s", a->target->name);
    /* In the kernel's own names, '-' is '_'. */
    char *which = q->name[0] != '\0' ? sqlite3_mprintf(" WHERE name = replace(%Q, '-', '_') OR"
                                                       " instr(name, replace(%Q, '-', '_')) = 1",
                                                       q->name, q->name)
                                     : sqlite3_mprintf("");
    int rc =
        which == NULL
            ? vt_fail(err, VT_E_NOMEM, "out of memory")
            : vt_answer_sql(a, err,
                            "SELECT name, base, size_bytes, refs, used_by, state,"
                            " taints, first_seen, module FROM modules%s ORDER BY %s",
                            which, q->name[0] != '\0' ? "length(name), name" : "size_bytes DESC");
    sqlite3_free(which);
    struct pieces pieces = {0};
    bool in_ram = !a->target->ended;
    if (rc == 0 && in_ram) {
        rc = vt_answer_kernel(a, err);
    }
    if (rc == 0 && in_ram) {
        rc = find_pieces(a->target->kernel, &pieces, err);
    }
    if (rc != 0) {
        return rc;
    }
    const json_t *rows = a->answer->rows;
    size_t n = json_array_size(rows);
    uint64_t bytes = 0;
    json_array_foreach(rows, i, row)
    {
        bytes += (uint64_t)vt_row_int(row, "size_bytes");
        if (in_ram) {
            add_module(a, &pieces, row);
        }
    }
    row = json_array_get(rows, 0);
    if (q->name[0] != '\0' && row != NULL) {
        const char *users = vt_row_text(row, "used_by");
        vt_say(a, "The module %s is loaded at %s, %s, with %s%s%s.",
               vt_said(a, vt_row_text(row, "name")), vt_row_text(row, "base"),
               vt_said_bytes(a, (uint64_t)vt_row_int(row, "size_bytes")),
               vt_said_count(a, (uint64_t)vt_row_int(row, "refs"), "user", "users"),
               users[0] != '\0' ? ": " : "", vt_said(a, users));
    } else if (q->name[0] != '\0') {
        vt_say(a, "No module %s is loaded.", vt_said(a, q->name));
        json_t *past;
        rc = vt_answer_look(a, &past, err,
                            "SELECT name, last_seen FROM modules_history WHERE"
                            " name = replace(%Q, '-', '_') AND last_seen IS NOT NULL"
                            " ORDER BY last_seen DESC LIMIT 1",
                            q->name);
        if (rc == 0 && json_array_size(past) > 0) {
            vt_say(a, " It was, until %s.",
                   vt_said_time(a, vt_row_real(json_array_get(past, 0), "last_seen")));
        }
        json_decref(rc == 0 ? past : NULL);
    } else {
        vt_say(a, "%s %s loaded, %s", vt_said_count(a, n, "module", "modules"),
               n == 1 ? "is" : "are", vt_said_bytes(a, bytes));
        vt_say(a, n > 0 ? "; the largest: " : ".");
        for (i = 0; i < n && i < 5; i++) {
            row = json_array_get(rows, i);
            vt_say(a, "%s%s (%s)", vt_said_comma(i, n < 5 ? n : 5),
                   vt_said(a, vt_row_text(row, "name")),
                   vt_said_bytes(a, (uint64_t)vt_row_int(row, "size_bytes")));
        }
        vt_say(a, n > 0 ? "." : "");
    }
    return rc;
}
