/* semantic/answer_writes.c - answers about memory that was written lately, by page epochs.
 *
 * The tracker knows which pages changed between two of its scans, and not when in between. The
 * scan that somebody had it make about as long ago as was asked for will do as the first one; else
 * one is made now, and the guest watched for that long.
 */
#include "base/io.h"
#include "semantic/answer.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_S 1 /* where none is asked for */
#define SPAN_MAX_S 10

/* ---------------------------------------------------------------- whose pages are */

struct owner {
    int32_t pid;
    char what[96]; /* "[heap]", "slab" */
    uint64_t pages;
};

/* A run of pages with one owner. */
struct owned {
    uint64_t page; /* of the RAM file */
    uint64_t gva;
    uint32_t owner;
};

struct map {
    const struct vt_ram *ram;
    uint32_t *of; /* by page: 1 + number of its struct owned; 0: nobody's known */
    struct owned *owned;
    size_t n_owned, room_owned;
    struct owner *owners;
    size_t n_owners, room_owners;
    struct vt_error *err;
};

/* Owners come in runs: the last one, or a new one. */
static int find_owner(struct map *m, int32_t pid, const char *what, uint32_t *number)
{
    struct owner *last = m->n_owners > 0 ? &m->owners[m->n_owners - 1] : NULL;
    if (last != NULL && last->pid == pid && strncmp(last->what, what, sizeof last->what - 1) == 0) {
        *number = (uint32_t)(m->n_owners - 1);
        return 0;
    }
    if (m->owners == NULL || m->n_owners == m->room_owners) {
        size_t room = m->room_owners == 0 ? 256 : 2 * m->room_owners;
        struct owner *more = reallocarray(m->owners, room, sizeof *more);
        if (more == NULL || room > UINT32_MAX) {
            m->owners = more != NULL ? more : m->owners;
            return vt_fail(m->err, VT_E_NOMEM, "out of memory");
        }
        m->owners = more;
        m->room_owners = room;
    }
    struct owner *o = &m->owners[m->n_owners];
    *o = (struct owner){.pid = pid};
    snprintf(o->what, sizeof o->what, "%s", what);
    *number = (uint32_t)m->n_owners++;
    return 0;
}

static int own(struct map *m, uint64_t page, uint64_t gva, uint32_t owner, uint32_t *number)
{
    if (m->n_owned == m->room_owned) {
        size_t room = m->room_owned == 0 ? 4096 : 2 * m->room_owned;
        struct owned *more = reallocarray(m->owned, room, sizeof *more);
        if (more == NULL || room >= UINT32_MAX) {
            m->owned = more != NULL ? more : m->owned;
            return vt_fail(m->err, VT_E_NOMEM, "out of memory");
        }
        m->owned = more;
        m->room_owned = room;
    }
    m->owned[m->n_owned] = (struct owned){page, gva, owner};
    *number = (uint32_t)m->n_owned++;
    return 0;
}

/* Whoever is told first keeps a page. */
static int on_run(const struct vt_memory_run *run, void *arg)
{
    struct map *m = arg;
    const char *slash = run->name != NULL ? strrchr(run->name, '/') : NULL;
    const char *kind = vt_memory_kind_name(run->kind);
    kind += run->pid == 0 && strncmp(kind, "kernel_", 7) == 0 ? 7 : 0;
    const char *what = run->pid == 0 || run->name == NULL || run->kind >= VT_MEMORY_KERNEL ? kind
                       : slash != NULL ? slash + 1
                                       : run->name;
    uint32_t owner = 0;
    int rc = find_owner(m, run->pid, what, &owner);
    for (uint64_t done = 0; rc == 0 && done < run->bytes;) {
        struct vt_off off;
        uint64_t part;
        uint32_t number = 0;
        if (vt_ram_offset(m->ram, VT_GPA(run->gpa.v + done), &off, &part, NULL) != 0) {
            return 0;
        }
        part = part < run->bytes - done ? part : run->bytes - done;
        rc = own(m, off.v >> VT_PAGE_SHIFT, run->gva.v + done, owner, &number);
        for (uint64_t i = 0; i < part >> VT_PAGE_SHIFT && rc == 0; i++) {
            uint32_t *of = &m->of[(off.v >> VT_PAGE_SHIFT) + i];
            *of = *of == 0 ? number + 1 : *of;
        }
        done += part;
    }
    return rc;
}

static int take_map(struct vt_answering *a, struct map *m, struct vt_error *err)
{
    static const enum vt_memory_kind kinds[] = {
        VT_MEMORY_PROCESS,     VT_MEMORY_KERNEL_STACKS, VT_MEMORY_PAGE_TABLES,
        VT_MEMORY_SLAB,        VT_MEMORY_MODULES,       VT_MEMORY_VMALLOC,
        VT_MEMORY_KERNEL_TEXT, VT_MEMORY_KERNEL_RODATA, VT_MEMORY_KERNEL_DATA,
        VT_MEMORY_KERNEL_BSS,  VT_MEMORY_PAGE_CACHE,    VT_MEMORY_FREE,
    };
    m->ram = a->target->ram;
    m->err = err;
    m->of = calloc(vt_ram_size(m->ram) >> VT_PAGE_SHIFT, sizeof *m->of);
    int rc = m->of == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0] && rc == 0; i++) {
        rc = vt_linux_memory_runs(a->target->kernel, kinds[i], 0, on_run, m, err);
    }
    return rc;
}

static void free_map(struct map *m)
{
    free(m->of);
    free(m->owned);
    free(m->owners);
}

/* ---------------------------------------------------------------- what was written */

/* Waits, unless told to stop. */
static int watch(const struct vt_answering *a, uint64_t until_ns, struct vt_error *err)
{
    int rc = 0;
    while ((rc = vt_answer_stopped(a, err)) == 0 && vt_now_ns() < until_ns) {
        uint64_t left_ms = (until_ns - vt_now_ns()) / 1000000 + 1;
        poll(NULL, 0, left_ms < 50 ? (int)left_ms : 50);
    }
    return rc;
}

/* *since: the tick whose later pages were written in *seconds. */
static int look_twice(struct vt_answering *a, struct vt_track *track, uint32_t *since,
                      double *seconds, struct vt_error *err)
{
    struct vt_track_stats stats;
    int64_t asked = a->q->since_s > 0 ? a->q->since_s : SPAN_S;
    uint64_t span_ns = (uint64_t)(asked < SPAN_MAX_S ? asked : SPAN_MAX_S) * 1000000000u;
    uint32_t tick;
    vt_track_stats(track, &stats);
    uint64_t begin = stats.last_scan_at_ns, now = vt_now_ns();
    bool usable =
        stats.tick > 0 && now > begin && now - begin >= span_ns / 2 && now - begin <= 2 * span_ns;
    *since = stats.tick;
    int rc = 0;
    if (!usable) {
        rc = vt_track_scan(track, since, err);
        begin = vt_now_ns();
        rc = rc != 0 ? rc : watch(a, begin + span_ns, err);
    }
    if (rc == 0) {
        rc = vt_track_scan(track, &tick, err);
    }
    *seconds = (double)(vt_now_ns() - begin) / 1e9;
    return rc;
}

/* Whether a page's owner is among those asked for. */
static bool is_asked_for(const struct vt_answering *a, const json_t *found, int32_t pid)
{
    if (found == NULL) {
        return strcmp(a->q->area, "kernel") != 0 || pid == 0;
    }
    for (size_t i = 0; i < json_array_size(found); i++) {
        if (vt_row_int(json_array_get(found, i), "pid") == pid) {
            return true;
        }
    }
    return false;
}

/* "sh [heap]", "kernel slab" */
static void label_of(const struct owner *o, const json_t *names, char label[160])
{
    char pid[16];
    snprintf(pid, sizeof pid, "%" PRId32, o->pid);
    const char *name = json_string_value(json_object_get(names, pid));
    snprintf(label, 160, "%.32s%s%.96s",
             o->pid == 0    ? ""
             : name != NULL ? name
                            : pid,
             o->pid == 0 ? "" : " ", o->what);
}

/* Counts and places every page written since; *other: those that nobody is known to have. */
static uint64_t take_written(struct vt_answering *a, const struct vt_track *track, uint32_t since,
                             struct map *m, const json_t *found, const json_t *names,
                             uint64_t *other)
{
    uint64_t pages = vt_ram_size(m->ram) >> VT_PAGE_SHIFT, first, end = 0, all = 0;
    *other = 0;
    while (vt_track_next(track, since, end, &first, &end)) {
        for (uint64_t page = first; page < end && page < pages; page++) {
            const struct owned *owned = m->of[page] != 0 ? &m->owned[m->of[page] - 1] : NULL;
            struct owner *o = owned != NULL ? &m->owners[owned->owner] : NULL;
            struct vt_gpa gpa;
            char label[160];
            if (!is_asked_for(a, found, o != NULL ? o->pid : 0)) {
                continue;
            }
            all++;
            if (o == NULL) {
                ++*other;
            } else if (vt_ram_gpa(m->ram, VT_OFF(page << VT_PAGE_SHIFT), &gpa, NULL) == 0) {
                o->pages++;
                label_of(o, names, label);
                vt_answer_place(a, label, o->pid,
                                VT_GVA(owned->gva + ((page - owned->page) << VT_PAGE_SHIFT)), gpa,
                                VT_PAGE_BYTES);
            }
        }
    }
    return all;
}

static int by_owner(const void *x, const void *y)
{
    const struct owner *a = x, *b = y;
    return a->pid != b->pid ? (a->pid > b->pid) - (a->pid < b->pid) : strcmp(a->what, b->what);
}

static int by_pages(const void *x, const void *y)
{
    const struct owner *a = x, *b = y;
    return a->pages != b->pages ? (a->pages < b->pages) - (a->pages > b->pages) : by_owner(x, y);
}

/* Rows: an owner each, most written first. An owner may stand in several places: they are joined,
 * and the map's numbers mean nothing afterwards. */
static int add_rows(struct vt_answering *a, struct map *m, const json_t *names, uint64_t other,
                    struct vt_error *err)
{
    size_t n = 0;
    qsort(m->owners, m->n_owners, sizeof *m->owners, by_owner);
    for (size_t i = 0; i < m->n_owners; i++) {
        if (n > 0 && by_owner(&m->owners[n - 1], &m->owners[i]) == 0) {
            m->owners[n - 1].pages += m->owners[i].pages;
        } else {
            m->owners[n++] = m->owners[i];
        }
    }
    qsort(m->owners, n, sizeof *m->owners, by_pages);
    json_t *rows = json_array();
    bool lost = rows == NULL;
    for (size_t i = 0; i < n && m->owners[i].pages > 0 && !lost; i++) {
        char pid[16];
        snprintf(pid, sizeof pid, "%" PRId32, m->owners[i].pid);
        const json_t *name = json_object_get(names, pid);
        uint64_t bytes = m->owners[i].pages * VT_PAGE_BYTES;
        json_t *row =
            json_pack("{s:i, s:o, s:o, s:I, s:I}", "pid", (int)m->owners[i].pid, "owner",
                      m->owners[i].pid == 0 ? json_string("kernel")
                      : name != NULL        ? json_deep_copy(name)
                                            : json_null(),
                      "what", vt_row_string(m->owners[i].what, strlen(m->owners[i].what)), "pages",
                      (json_int_t)m->owners[i].pages, "bytes", (json_int_t)bytes);
        lost = row == NULL || json_array_append_new(rows, row) != 0;
    }
    if (other > 0 && !lost) {
        uint64_t bytes = other * VT_PAGE_BYTES;
        json_t *row = json_pack("{s:i, s:s, s:s, s:I, s:I}", "pid", 0, "owner", "kernel", "what",
                                "other", "pages", (json_int_t)other, "bytes", (json_int_t)bytes);
        lost = row == NULL || json_array_append_new(rows, row) != 0;
    }
    json_decref(a->answer->rows);
    a->answer->rows = rows;
    return lost ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
}

static void say_written(struct vt_answering *a, uint64_t pages, double seconds)
{
    const json_t *rows = a->answer->rows;
    size_t n = json_array_size(rows);
    vt_say(a, "In %.1f s %s written, %s", seconds,
           pages == 1 ? "1 page was" : vt_said_count(a, pages, "page was", "pages were"),
           vt_said_bytes(a, pages * VT_PAGE_BYTES));
    vt_say(a, n > 0 ? ". Most: " : ".");
    for (size_t i = 0; i < n && i < 6; i++) {
        const json_t *row = json_array_get(rows, i);
        vt_say(a, "%s%s %s (%" PRId64 ")", i == 0 ? "" : ", ",
               vt_row_int(row, "pid") == 0 ? "the kernel's" : vt_said(a, vt_row_text(row, "owner")),
               vt_said(a, vt_row_text(row, "what")), vt_row_int(row, "pages"));
    }
    vt_say(a, n > 6 ? ", …" : n > 0 ? "." : "");
}

/* Names of processes by pid. */
static int take_names(struct vt_answering *a, json_t **names, struct vt_error *err)
{
    struct vt_task_list list;
    int rc = vt_linux_tasks(a->target->kernel, &list, err);
    if (rc != 0) {
        return rc;
    }
    *names = json_object();
    for (size_t i = 0; i < list.n && *names != NULL; i++) {
        char pid[16];
        const struct vt_task *t = &list.tasks[i];
        snprintf(pid, sizeof pid, "%" PRId32, t->pid);
        json_object_set_new(*names, pid, vt_row_string(t->comm, strlen(t->comm)));
    }
    vt_task_list_fini(&list);
    return *names == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
}

int vt_answer_recent_writes(struct vt_answering *a, struct vt_error *err)
{
    json_t *found = NULL, *names = NULL;
    struct vt_track *track = NULL;
    struct vt_error why;
    struct map map = {0};
    uint32_t since;
    double seconds;
    int rc = 0;
    if (a->target->ended) {
        return vt_answer_kernel(a, err);
    }
    if (a->target->vm == NULL) {
        vt_say(a, "This is saved RAM: nothing writes to it any more.");
        return 0;
    }
    if (a->q->until_s >= 0) {
        vt_say(a, "What was written then is not kept: only what is written now can be told.");
        return 0;
    }
    if (vt_answer_has_subject(a->q)) {
        rc = vt_answer_subjects(a, true, &found, err);
        if (rc != 0 || json_array_size(found) == 0) {
            json_decref(rc == 0 ? found : NULL);
            return rc;
        }
    }
    rc = vt_track_open(a->target->vm, &track, &why);
    if (rc == VT_E_UNSUPPORTED) {
        vt_say(a, "What is written to this VM's memory cannot be told: %s.", why.message);
        json_decref(found);
        return 0;
    }
    if (rc != 0) {
        json_decref(found);
        *err = why;
        return rc;
    }
    rc = look_twice(a, track, &since, &seconds, err);
    rc = rc != 0 ? rc : vt_answer_kernel(a, err);
    rc = rc != 0 ? rc : take_map(a, &map, err);
    rc = rc != 0 ? rc : take_names(a, &names, err);
    if (rc == 0) {
        uint64_t other, pages = take_written(a, track, since, &map, found, names, &other);
        rc = add_rows(a, &map, names, other, err);
        if (rc == 0) {
            free(a->answer->sql);
            a->answer->sql = NULL;
            say_written(a, pages, seconds);
            vt_answer_verb(a, "top %s --once", a->target->name);
        }
    }
    vt_track_close(track);
    free_map(&map);
    json_decref(names);
    json_decref(found);
    return rc;
}
