/* semantic/changes.c - see changes.h.
 *
 * A row that was not sound is kept as it was known before and marked torn; what is new and torn is
 * written, but makes no events until it was seen sound. A row is gone when a whole walk does not
 * have it, or a long row of torn ones.
 */
#include "semantic/changes.h"

#include <stdlib.h>
#include <string.h>

#define MISSED_MAX 30u

/* Ids of processes by pid, of those in this sample. */
struct numbered {
    int64_t pid, id;
    bool over; /* it has ended, and waits for its parent to see that */
};

struct applying {
    struct vt_changes *changes;
    struct vt_store *store;
    struct vt_take *take;
    struct numbered *processes;
    size_t n_processes;
    int64_t last_process; /* id of the newest process before this sample */
    struct vt_error *err;
};

static int by_pid(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static int number_processes(struct applying *a)
{
    const struct vt_records *r = &a->take->tables[VT_DB_PROCESSES];
    unsigned pid = vt_db_column(&vt_db_tables[VT_DB_PROCESSES], "pid");
    unsigned state = vt_db_column(&vt_db_tables[VT_DB_PROCESSES], "state");
    a->processes = calloc(r->n_rows + 1, sizeof *a->processes);
    if (a->processes == NULL) {
        return vt_fail(a->err, VT_E_NOMEM, "sampling: out of memory");
    }
    for (size_t i = 0; i < r->n_rows; i++) {
        const uint8_t *record = r->bytes + r->rows[i].at;
        const struct vt_present *row =
            vt_store_find(a->store, VT_DB_PROCESSES, record, r->rows[i].identity);
        struct vt_record_cell is = vt_record_cell(record, r->rows[i].bytes, state);
        if (row != NULL) {
            a->processes[a->n_processes++] =
                (struct numbered){.pid = vt_record_cell(record, r->rows[i].bytes, pid).integer,
                                  .id = row->id,
                                  .over = is.bytes > 0 && (is.text[0] == 'Z' || is.text[0] == 'X')};
        }
    }
    qsort(a->processes, a->n_processes, sizeof *a->processes, by_pid);
    return 0;
}

static const struct numbered *process_of(const struct applying *a, int64_t pid)
{
    const struct numbered key = {.pid = pid};
    return pid == 0 || a->n_processes == 0
               ? NULL
               : bsearch(&key, a->processes, a->n_processes, sizeof *a->processes, by_pid);
}

static int64_t process_id(const struct applying *a, int64_t pid)
{
    const struct numbered *process = process_of(a, pid);
    return process != NULL ? process->id : 0;
}

/* Files that a process came with, or went with, are no news. */
static bool is_news(const struct applying *a, enum vt_db_table_id id, const struct vt_present *row,
                    bool appeared)
{
    if (id != VT_DB_FILES) {
        return true;
    }
    int64_t process = vt_record_cell(row->record, row->bytes, 0).integer;
    if (appeared) {
        return process != 0 && process <= a->last_process;
    }
    unsigned pid = vt_db_column(&vt_db_tables[id], "pid");
    const struct numbered *now =
        process_of(a, vt_record_cell(row->record, row->bytes, pid).integer);
    return now != NULL && now->id == process && !now->over;
}

static bool is_live(const uint8_t *record, uint32_t bytes)
{
    unsigned state = vt_db_column(&vt_db_tables[VT_DB_MODULES], "state");
    struct vt_record_cell cell = vt_record_cell(record, bytes, state);
    return cell.tag == VT_TAG_TEXT && cell.bytes == 4 && memcmp(cell.text, "Live", 4) == 0;
}

static int tell_module(struct applying *a, const struct vt_present *row, bool live)
{
    char name[128];
    struct vt_record_cell cell = vt_record_cell(row->record, row->bytes, 0);
    if (a->changes->module == NULL || cell.tag != VT_TAG_TEXT || cell.bytes >= sizeof name) {
        return 0;
    }
    memcpy(name, cell.text, cell.bytes);
    name[cell.bytes] = '\0';
    return a->changes->module(name, live, a->changes->arg, a->err);
}

static int appeared(struct applying *a, enum vt_db_table_id id, struct vt_present *row)
{
    struct vt_changes *c = a->changes;
    row->announced = true;
    if (!c->quiet && is_news(a, id, row, true)) {
        vt_events_appeared(c->events, a->store->now_s, id, row);
    }
    return 0;
}

static int insert(struct applying *a, enum vt_db_table_id id, const uint8_t *record,
                  const struct vt_record_at *at)
{
    struct vt_present *row;
    int rc = vt_store_insert(a->store, id, record, at, &row, a->err);
    if (rc != 0) {
        return rc;
    }
    row->seen = a->changes->number;
    a->changes->appeared++;
    rc = at->torn ? 0 : appeared(a, id, row);
    if (rc == 0 && id == VT_DB_MODULES && is_live(row->record, row->bytes)) {
        rc = tell_module(a, row, true);
    }
    return rc;
}

static int update(struct applying *a, enum vt_db_table_id id, struct vt_present *row,
                  const uint8_t *record, const struct vt_record_at *at)
{
    struct vt_changes *c = a->changes;
    bool was_live = id == VT_DB_MODULES && is_live(row->record, row->bytes);
    if (row->announced) {
        vt_events_changed(c->events, a->store->now_s, id, row, record, at->bytes);
    }
    int rc = vt_store_update(a->store, id, &row, record, at, a->err);
    if (rc == 0 && !row->announced) {
        rc = appeared(a, id, row);
    }
    if (rc == 0 && id == VT_DB_MODULES && !was_live && is_live(row->record, row->bytes)) {
        rc = tell_module(a, row, true);
    }
    c->changed++;
    return rc;
}

static int apply_row(struct applying *a, enum vt_db_table_id id, uint8_t *record,
                     const struct vt_record_at *at)
{
    if (vt_db_tables[id].columns[0].source == VT_DB_PROCESS) {
        vt_record_set_first(record, process_id(a, vt_record_cell(record, at->bytes, 0).integer));
    }
    struct vt_present *row = vt_store_find(a->store, id, record, at->identity);
    if (row == NULL) {
        return insert(a, id, record, at);
    }
    if (row->seen == a->changes->number) {
        return 0; /* said twice: a torn list, or a kernel that was tampered with */
    }
    row->seen = a->changes->number;
    row->missed = 0;
    if (at->torn) {
        return vt_store_trust(a->store, id, row, true, a->err);
    }
    if (!row->torn && row->bytes == at->bytes && memcmp(row->record, record, at->bytes) == 0) {
        return 0;
    }
    return update(a, id, row, record, at);
}

static int gone(struct applying *a, enum vt_db_table_id id, struct vt_present *row, bool sure)
{
    struct vt_changes *c = a->changes;
    if (sure && row->announced && is_news(a, id, row, false)) {
        vt_events_gone(c->events, a->store->now_s, id, row);
    }
    int rc = id == VT_DB_MODULES ? tell_module(a, row, false) : 0;
    c->gone++;
    return rc != 0 ? rc : vt_store_gone(a->store, id, row, a->err);
}

/* Whatever a torn walk missed of a process that has ended is gone with it. */
static bool lost_its_process(const struct applying *a, enum vt_db_table_id id,
                             const struct vt_present *row)
{
    if (vt_db_tables[id].columns[0].source != VT_DB_PROCESS ||
        a->take->tables[VT_DB_PROCESSES].torn) {
        return false;
    }
    unsigned pid = vt_db_column(&vt_db_tables[id], "pid");
    int64_t process = vt_record_cell(row->record, row->bytes, 0).integer;
    return process != 0 &&
           process_id(a, vt_record_cell(row->record, row->bytes, pid).integer) != process;
}

static int apply_missing(struct applying *a, enum vt_db_table_id id)
{
    struct vt_present_table *t = &a->store->tables[id];
    bool torn = a->take->tables[id].torn;
    int rc = 0;
    for (size_t b = 0; rc == 0 && b < t->n_buckets; b++) {
        for (struct vt_present *row = t->buckets[b], *next; rc == 0 && row != NULL; row = next) {
            next = row->next;
            if (row->seen == a->changes->number) {
                continue;
            }
            bool sure = !torn || lost_its_process(a, id, row);
            if (sure || ++row->missed >= MISSED_MAX) {
                rc = gone(a, id, row, sure);
            }
        }
    }
    return rc;
}

static int apply_table(struct applying *a, enum vt_db_table_id id)
{
    struct vt_records *r = &a->take->tables[id];
    int rc = 0;
    if (a->take->missing[id]) {
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < r->n_rows; i++) {
        rc = apply_row(a, id, r->bytes + r->rows[i].at, &r->rows[i]);
    }
    if (rc == 0 && id == VT_DB_PROCESSES) {
        rc = number_processes(a);
    }
    rc = rc != 0 ? rc : apply_missing(a, id);
    a->changes->rows += a->store->tables[id].n;
    return rc;
}

int vt_changes_apply(struct vt_changes *changes, struct vt_store *store, struct vt_take *take,
                     struct vt_error *err)
{
    struct applying a = {.changes = changes,
                         .store = store,
                         .take = take,
                         .last_process = store->tables[VT_DB_PROCESSES].last_id,
                         .err = err};
    int rc = 0;
    for (unsigned id = 0; rc == 0 && id < VT_DB_TABLES; id++) {
        rc = apply_table(&a, id);
    }
    free(a.processes);
    return rc;
}
