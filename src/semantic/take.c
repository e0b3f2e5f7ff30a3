/* semantic/take.c - walks of nouns to records. See take.h.
 *
 * A column's value comes from the noun's column of the table's `key`, found once a walk; those that
 * no noun has are made here: whose region it is and of which kind, where its pages lie.
 */
#include "semantic/take.h"

#include "base/cell.h"
#include "semantic/kernel_regions.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 3
#define COLUMNS_MAX 32
#define KTHREADD 2

/* Somebody who ran when the look began. */
struct vt_take_process {
    int32_t pid;
    uint64_t start_ns;
    struct vt_gva task;
    char name[16 + 1];
    uint64_t regions;
    bool seen; /* at the end, too */
};

struct taking {
    struct vt_take *take;
    enum vt_db_table_id id;
    const struct vt_column *from[COLUMNS_MAX]; /* NULL: made here */
    struct vt_runs_text runs;
};

/* ---------------------------------------------------------------- who runs */

static int by_pid(const void *left, const void *right)
{
    const struct vt_take_process *a = left, *b = right;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static struct vt_take_process *process_of(struct vt_take *take, int32_t pid)
{
    const struct vt_take_process key = {.pid = pid};
    return take->n_processes == 0
               ? NULL
               : bsearch(&key, take->processes, take->n_processes, sizeof *take->processes, by_pid);
}

static int take_who_runs(struct vt_take *take, struct vt_kernel *kernel, struct vt_error *err)
{
    struct vt_task_list list;
    int rc = vt_linux_tasks(kernel, &list, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_take_process *grown = realloc(take->processes, (list.n + 1) * sizeof *grown);
    if (grown == NULL) {
        vt_task_list_fini(&list);
        return vt_fail(err, VT_E_NOMEM, "sampling: out of memory");
    }
    take->processes = grown;
    take->n_processes = list.n;
    take->boot.init_task = VT_GVA(0);
    take->boot.init_started_s = 0;
    for (size_t i = 0; i < list.n; i++) {
        const struct vt_task *t = &list.tasks[i];
        grown[i] = (struct vt_take_process){.pid = t->pid, .start_ns = t->start_ns, .task = t->at};
        memcpy(grown[i].name, t->comm, sizeof grown[i].name);
        if (t->pid == 1 && t->trust == VT_TRUST_OK) {
            take->boot.init_task = t->at;
            take->boot.init_started_s = (double)t->start_ns / 1e9;
        }
    }
    qsort(grown, list.n, sizeof *grown, by_pid);
    vt_task_list_fini(&list);
    return 0;
}

/* A process of the walk at the end was there at the beginning. */
static void check_process(struct vt_take *take, const struct vt_process *p)
{
    struct vt_take_process *before = process_of(take, p->pid);
    if (before != NULL && before->start_ns == p->start_ns && before->task.v == p->row.at.v) {
        before->seen = true;
    } else if (p->row.trust == VT_TRUST_OK && !take->torn) {
        take->torn = true;
        snprintf(take->why, sizeof take->why, "process %" PRId32 " (%s) came meanwhile", p->pid,
                 p->comm);
    }
}

static void check_gone(struct vt_take *take)
{
    for (size_t i = 0; i < take->n_processes && !take->torn; i++) {
        const struct vt_take_process *p = &take->processes[i];
        if (!p->seen) {
            take->torn = true;
            snprintf(take->why, sizeof take->why, "process %" PRId32 " (%s) went meanwhile", p->pid,
                     p->name);
        }
    }
}

/* ---------------------------------------------------------------- cells */

/* What a noun's column says of its record. */
static void put_column(struct vt_records *r, const struct vt_column *c, const void *record)
{
    struct vt_value v = vt_cell_value(c, record);
    switch (v.type) {
    case VT_VALUE_NONE:
        vt_record_null(r);
        break;
    case VT_VALUE_TEXT:
        vt_record_text(r, v.text);
        break;
    case VT_VALUE_F64:
        vt_record_real(r, v.f64);
        break;
    case VT_VALUE_I64:
        vt_record_integer(r, v.i64);
        break;
    case VT_VALUE_BOOL:
        vt_record_integer(r, v.boolean);
        break;
    case VT_VALUE_U64:
        if (c->kind == VT_CELL_SECONDS) {
            vt_record_real(r, (double)v.u64 / 1e9);
        } else {
            vt_record_integer(r, (int64_t)v.u64);
        }
        break;
    }
}

static int32_t pid_of(enum vt_db_table_id id, const struct vt_row *row)
{
    switch (id) {
    case VT_DB_THREADS:
        return ((const struct vt_thread *)(const void *)row)->pid;
    case VT_DB_REGIONS:
        return ((const struct vt_map *)(const void *)row)->pid;
    case VT_DB_FILES:
        return ((const struct vt_open_file *)(const void *)row)->pid;
    default:
        return 0;
    }
}

static void put_fd(struct vt_records *r, const char *fd)
{
    char *end;
    long number = strtol(fd, &end, 10);
    if (end != fd && *end == '\0') {
        vt_record_integer(r, number);
    } else {
        vt_record_text(r, fd);
    }
}

static void put_made(struct taking *t, struct vt_records *r, enum vt_db_source source,
                     const struct vt_row *row)
{
    const struct vt_process *process = (const void *)row;
    const struct vt_map *map = (const void *)row;
    struct vt_take_process *owner;
    switch (source) {
    case VT_DB_AT:
        vt_record_integer(r, (int64_t)row->at.v);
        break;
    case VT_DB_PROCESS:
        vt_record_integer(r, pid_of(t->id, row));
        break;
    case VT_DB_KERNEL:
        vt_record_integer(r, process->page_table.v == 0 &&
                                 (process->pid == KTHREADD || process->ppid == KTHREADD));
        break;
    case VT_DB_REGION_COUNT:
        owner = process_of(t->take, process->pid);
        vt_record_integer(r, owner != NULL ? (int64_t)owner->regions : 0);
        break;
    case VT_DB_OWNER:
        owner = process_of(t->take, map->pid);
        vt_record_text(r, owner != NULL ? owner->name : NULL);
        break;
    case VT_DB_KIND:
        vt_record_text(r, vt_memory_kind_name(vt_map_kind(map)));
        break;
    case VT_DB_RUNS:
        vt_runs_text(&t->runs, map->runs, map->n_runs);
        vt_runs_put(&t->runs, r);
        break;
    case VT_DB_RUNS_CUT:
        vt_record_integer(r, (int64_t)t->runs.cut);
        break;
    case VT_DB_FD:
        put_fd(r, ((const struct vt_open_file *)(const void *)row)->fd);
        break;
    case VT_DB_NOUN:
        break;
    }
}

static int take_row(const struct vt_row *row, void *arg)
{
    struct taking *t = arg;
    const struct vt_db_table *table = &vt_db_tables[t->id];
    struct vt_records *r = &t->take->tables[t->id];
    if (t->id == VT_DB_PROCESSES) {
        check_process(t->take, (const struct vt_process *)(const void *)row);
    } else if (t->id == VT_DB_REGIONS) {
        struct vt_take_process *owner = process_of(t->take, pid_of(t->id, row));
        if (owner != NULL) {
            owner->regions++;
        }
    }
    vt_record_begin(r, row->trust != VT_TRUST_OK);
    for (unsigned i = 0; i < table->n_columns; i++) {
        if (i > 0 && table->columns[i - 1].role == VT_DB_IDENTITY &&
            table->columns[i].role != VT_DB_IDENTITY) {
            vt_record_identity(r);
        }
        if (t->from[i] != NULL) {
            put_column(r, t->from[i], row);
        } else {
            put_made(t, r, table->columns[i].source, row);
        }
    }
    return vt_record_end(r) ? 0 : 1;
}

/* ---------------------------------------------------------------- walks */

static void find_columns(struct taking *t, const struct vt_noun *noun)
{
    const struct vt_db_table *table = &vt_db_tables[t->id];
    for (unsigned i = 0; i < table->n_columns; i++) {
        t->from[i] = NULL;
        for (unsigned k = 0; table->columns[i].key != NULL && k < noun->n_columns; k++) {
            if (strcmp(noun->columns[k].key, table->columns[i].key) == 0) {
                t->from[i] = &noun->columns[k];
            }
        }
    }
}

static int take_table(struct taking *t, struct vt_kernel *kernel, enum vt_db_table_id id,
                      struct vt_error *err)
{
    const struct vt_noun *noun = vt_noun_find(vt_db_tables[id].noun);
    struct vt_records *r = &t->take->tables[id];
    struct vt_noun_result result = {0};
    t->id = id;
    find_columns(t, noun);
    vt_records_clear(r);
    int rc = vt_noun_walk(kernel, noun, NULL, take_row, t, &result, err);
    t->take->missing[id] = rc == VT_E_NOT_FOUND || rc == VT_E_UNSUPPORTED;
    if (t->take->missing[id]) {
        vt_records_clear(r);
        return 0;
    }
    if (r->no_memory) {
        return vt_fail(err, VT_E_NOMEM, "sampling: out of memory");
    }
    if (r->full) {
        r->torn = true;
        snprintf(r->why, sizeof r->why, "too many rows, or too long ones");
    } else if (rc == 0 && result.torn) {
        r->torn = true;
        memcpy(r->why, result.why, sizeof r->why);
    }
    return r->full ? 0 : rc;
}

static int take_uptime_row(const struct vt_row *row, void *arg)
{
    const struct vt_uptime *uptime = (const void *)row;
    struct vt_take *take = arg;
    if (row->trust == VT_TRUST_OK) {
        take->uptime_s = (double)uptime->uptime_ns / 1e9;
        take->booted_s = (double)uptime->boot_s;
    }
    return 0;
}

/* A guest whose clock cannot be read has no uptime; nothing else depends on it. */
static int take_uptime(struct vt_take *take, struct vt_kernel *kernel, struct vt_error *err)
{
    struct vt_noun_result result;
    take->uptime_s = take->booted_s = (double)NAN;
    int rc =
        vt_noun_walk(kernel, vt_noun_find("uptime"), NULL, take_uptime_row, take, &result, err);
    return rc == VT_E_GONE || rc == VT_E_NOMEM ? rc : 0;
}

static int take_once(struct taking *t, struct vt_kernel *kernel, struct vt_error *err)
{
    static const enum vt_db_table_id between[] = {VT_DB_THREADS, VT_DB_REGIONS, VT_DB_MODULES,
                                                  VT_DB_MOUNTS,  VT_DB_FILES,   VT_DB_SOCKETS};
    struct vt_take *take = t->take;
    take->torn = false;
    take->why[0] = '\0';
    vt_kernel_refresh(kernel);
    int rc = take_who_runs(take, kernel, err);
    for (size_t i = 0; rc == 0 && i < sizeof between / sizeof between[0]; i++) {
        rc = take_table(t, kernel, between[i], err);
    }
    rc = rc != 0 ? rc : take_table(t, kernel, VT_DB_PROCESSES, err);
    if (rc == 0) {
        check_gone(take);
    }
    return rc;
}

int vt_take(struct vt_take *take, struct vt_kernel *kernel, struct vt_error *err)
{
    struct taking *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return vt_fail(err, VT_E_NOMEM, "sampling: out of memory");
    }
    t->take = take;
    vt_kernel_text(kernel, &take->boot.text, &take->boot.text_physical);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < TRIES && (i == 0 || take->torn); i++) {
        rc = take_once(t, kernel, err);
    }
    rc = rc != 0 ? rc : take_uptime(take, kernel, err);
    rc = rc != 0 ? rc : vt_take_kernel_regions(take, kernel, err);
    vt_runs_fini(&t->runs);
    free(t);
    return rc;
}

void vt_take_fini(struct vt_take *take)
{
    for (unsigned i = 0; i < VT_DB_TABLES; i++) {
        vt_records_fini(&take->tables[i]);
    }
    free(take->processes);
    *take = (struct vt_take){0};
}
