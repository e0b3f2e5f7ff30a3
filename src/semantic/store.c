/* semantic/store.c - the file and the rows that are there. See store.h. */
#include "semantic/store.h"

#include "base/io.h"
#include "base/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 5000
#define SQL_MAX 4096

static bool is_memory(const char *path)
{
    return strcmp(path, ":memory:") == 0 || strncmp(path, "file:", 5) == 0;
}

/* ---------------------------------------------------------------- the lock */

static int fail_locked(const char *path, int fd, struct vt_error *err)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    long pid = strtol(text, NULL, 10);
    if (pid > 0) {
        return vt_fail(err, VT_E_BUSY, "process %ld samples it already (%s)", pid, path);
    }
    return vt_fail(err, VT_E_BUSY, "another process samples it already (%s)", path);
}

/* The file stays when the lock is given back: whoever removed it might remove another's. */
static int take_lock(struct vt_store *s, struct vt_error *err)
{
    char path[PATH_MAX], text[32];
    int rc = vt_path_format(path, err, "%s.lock", s->path);
    if (rc != 0) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? fail_locked(path, fd, err)
                                  : vt_fail_errno(err, VT_E_IO, errno, "%s", path);
        vt_close(&fd);
        return rc;
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
        vt_close(&fd);
        return rc;
    }
    s->lock = fd;
    return 0;
}

/* ---------------------------------------------------------------- the file */

/* SQLite gives its other files the mode of this one. */
static int make_file(const char *path, struct vt_error *err)
{
    char dir[PATH_MAX];
    int rc = vt_path_format(dir, err, "%s", path);
    char *slash = rc == 0 ? strrchr(dir, '/') : NULL;
    if (slash != NULL && slash != dir) {
        *slash = '\0';
        rc = vt_make_dirs(dir, 0700, err);
    }
    if (rc == 0) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        /* Also one that somebody else made before. */
        rc = fd >= 0 && fchmod(fd, 0600) == 0
                 ? 0
                 : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
        vt_close(&fd);
    }
    return rc;
}

/* The file may have been made to hurt: nothing in it runs on our behalf. */
static int configure(struct vt_store *s, struct vt_error *err)
{
    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    return vt_db_run(s->db, s->path,
                     "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
                     "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 8388608;"
                     "PRAGMA wal_autocheckpoint = 1000; PRAGMA temp_store = MEMORY;"
                     "PRAGMA cell_size_check = ON",
                     err);
}

int vt_store_open(struct vt_store *store, const char *path, struct vt_error *err)
{
    struct vt_store s = {.lock = -1};
    if (strlen(path) >= sizeof s.path) {
        return vt_fail(err, VT_E_INVAL, "path too long: %.100s…", path);
    }
    strcpy(s.path, path);
    bool memory = is_memory(path);
    if (getrandom(s.key, sizeof s.key, 0) != (ssize_t)sizeof s.key) {
        return vt_fail_errno(err, VT_E_IO, errno, "no random bytes");
    }
    int rc = memory ? 0 : make_file(path, err);
    rc = rc != 0 || memory ? rc : take_lock(&s, err);
    if (rc == 0 && sqlite3_open_v2(path, &s.db,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI |
                                       SQLITE_OPEN_NOMUTEX,
                                   NULL) != SQLITE_OK) {
        rc = vt_db_fail(err, s.db, path, "opening");
    }
    rc = rc != 0 ? rc : configure(&s, err);
    rc = rc != 0 ? rc : vt_db_migrate(s.db, path, vt_db_version, err);
    if (rc != 0) {
        vt_store_close(&s);
        return rc;
    }
    *store = s;
    return 0;
}

/* ---------------------------------------------------------------- rows in memory */

static void forget_rows(struct vt_store *s)
{
    for (unsigned i = 0; i < VT_DB_TABLES; i++) {
        struct vt_present_table *t = &s->tables[i];
        for (size_t b = 0; b < t->n_buckets; b++) {
            for (struct vt_present *row = t->buckets[b], *next; row != NULL; row = next) {
                next = row->next;
                free(row);
            }
        }
        free(t->buckets);
        t->buckets = NULL;
        t->n_buckets = t->n = 0;
    }
}

static void forget(struct vt_store *s)
{
    forget_rows(s);
    s->loaded = false;
}

void vt_store_close(struct vt_store *store)
{
    forget(store);
    for (unsigned i = 0; i < VT_DB_TABLES; i++) {
        struct vt_present_table *t = &store->tables[i];
        sqlite3_stmt *all[] = {t->insert, t->update, t->count, t->gone, t->trust};
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
            sqlite3_finalize(all[k]);
        }
    }
    sqlite3_close(store->db);
    if (store->path[0] != '\0') {
        vt_close(&store->lock);
    }
    *store = (struct vt_store){.lock = -1};
}

static bool grow(struct vt_present_table *t)
{
    size_t n = t->n_buckets == 0 ? 256 : 2 * t->n_buckets;
    struct vt_present **buckets = calloc(n, sizeof *buckets);
    if (buckets == NULL) {
        return false;
    }
    for (size_t b = 0; b < t->n_buckets; b++) {
        for (struct vt_present *row = t->buckets[b], *next; row != NULL; row = next) {
            next = row->next;
            row->next = buckets[row->hash & (n - 1)];
            buckets[row->hash & (n - 1)] = row;
        }
    }
    free(t->buckets);
    t->buckets = buckets;
    t->n_buckets = n;
    return true;
}

static struct vt_present *add(struct vt_present_table *t, uint64_t hash, int64_t id,
                              const uint8_t *record, uint32_t bytes, uint32_t identity)
{
    struct vt_present *row = malloc(sizeof *row + bytes);
    if (row == NULL || (t->n >= t->n_buckets && !grow(t))) {
        free(row);
        return NULL;
    }
    *row = (struct vt_present){.hash = hash, .id = id, .bytes = bytes, .identity = identity};
    memcpy(row->record, record, bytes);
    struct vt_present **bucket = &t->buckets[hash & (t->n_buckets - 1)];
    row->next = *bucket;
    *bucket = row;
    t->n++;
    return row;
}

static struct vt_present **link_of(struct vt_present_table *t, const struct vt_present *row)
{
    struct vt_present **link = &t->buckets[row->hash & (t->n_buckets - 1)];
    while (*link != row) {
        link = &(*link)->next;
    }
    return link;
}

struct vt_present *vt_store_find(struct vt_store *store, enum vt_db_table_id id,
                                 const uint8_t *record, uint32_t identity)
{
    struct vt_present_table *t = &store->tables[id];
    if (t->n_buckets == 0) {
        return NULL;
    }
    uint64_t hash = vt_record_hash(store->key, record, identity);
    struct vt_present *row = t->buckets[hash & (t->n_buckets - 1)];
    while (row != NULL && (row->hash != hash || row->identity != identity ||
                           memcmp(row->record, record, identity) != 0)) {
        row = row->next;
    }
    return row;
}

/* ---------------------------------------------------------------- statements */

int vt_store_prepare(struct vt_store *store, const char *sql, sqlite3_stmt **stmt,
                     struct vt_error *err)
{
    if (*stmt == NULL && sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt,
                                            NULL) != SQLITE_OK) {
        return vt_db_fail(err, store->db, store->path, "preparing");
    }
    return 0;
}

int vt_store_step(struct vt_store *store, sqlite3_stmt *stmt, struct vt_error *err)
{
    int rc =
        sqlite3_step(stmt) == SQLITE_DONE ? 0 : vt_db_fail(err, store->db, store->path, "writing");
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc;
}

void vt_store_bind(sqlite3_stmt *stmt, int parameter, const struct vt_record_cell *cell)
{
    switch (cell->tag) {
    case VT_TAG_INTEGER:
        sqlite3_bind_int64(stmt, parameter, cell->integer);
        break;
    case VT_TAG_REAL:
        sqlite3_bind_double(stmt, parameter, cell->real);
        break;
    case VT_TAG_TEXT:
        sqlite3_bind_text(stmt, parameter, cell->text, (int)cell->bytes, SQLITE_STATIC);
        break;
    default:
        sqlite3_bind_null(stmt, parameter);
    }
}

/* Texts of the statements are made of the tables' columns. */
struct sql {
    char text[SQL_MAX];
    size_t n;
};

static void append(struct sql *sql, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void append(struct sql *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(sql->text + sql->n, sizeof sql->text - sql->n, fmt, ap);
    va_end(ap);
    sql->n += n > 0 ? (size_t)n : 0;
    sql->n = sql->n < sizeof sql->text ? sql->n : sizeof sql->text - 1;
}

static int prepare_update(struct vt_store *s, const struct vt_db_table *table, unsigned from,
                          sqlite3_stmt **stmt, struct vt_error *err)
{
    struct sql sql = {.n = 0};
    append(&sql, "UPDATE %s_history SET trust = ?2", table->name);
    for (unsigned i = from; i < table->n_columns; i++) {
        append(&sql, ", \"%s\" = ?%u", table->columns[i].name, i - from + 3);
    }
    append(&sql, " WHERE id = ?1");
    return vt_store_prepare(s, sql.text, stmt, err);
}

static int prepare_table(struct vt_store *s, unsigned id, struct vt_error *err)
{
    struct vt_present_table *t = &s->tables[id];
    const struct vt_db_table *table = &vt_db_tables[id];
    struct sql sql = {.n = 0};
    t->table = table;
    t->n_identity = vt_db_cells(table, VT_DB_IDENTITY);
    t->n_properties = vt_db_cells(table, VT_DB_PROPERTY);
    append(&sql, "INSERT INTO %s_history(id, boot, first_seen, trust", table->name);
    for (unsigned i = 0; i < table->n_columns; i++) {
        append(&sql, ", \"%s\"", table->columns[i].name);
    }
    append(&sql, ") VALUES(?1, ?2, ?3, ?4");
    for (unsigned i = 0; i < table->n_columns; i++) {
        append(&sql, ", ?%u", i + 5);
    }
    append(&sql, ")");
    int rc = vt_store_prepare(s, sql.text, &t->insert, err);
    rc = rc != 0 ? rc : prepare_update(s, table, t->n_identity, &t->update, err);
    rc = rc != 0 ? rc : prepare_update(s, table, t->n_properties, &t->count, err);
    sql.n = 0;
    append(&sql, "UPDATE %s_history SET trust = ?2 WHERE id = ?1", table->name);
    rc = rc != 0 ? rc : vt_store_prepare(s, sql.text, &t->trust, err);
    sql.n = 0;
    append(&sql, "UPDATE %s_history SET last_seen = ?2 WHERE id = ?1", table->name);
    return rc != 0 ? rc : vt_store_prepare(s, sql.text, &t->gone, err);
}

/* ---------------------------------------------------------------- what the file holds */

static void record_column(struct vt_records *r, sqlite3_stmt *stmt, int i)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        vt_record_integer(r, sqlite3_column_int64(stmt, i));
        break;
    case SQLITE_FLOAT:
        vt_record_real(r, sqlite3_column_double(stmt, i));
        break;
    case SQLITE_TEXT:
    case SQLITE_BLOB: {
        const char *text = sqlite3_column_blob(stmt, i);
        vt_record_bytes(r, text != NULL ? text : "", (size_t)sqlite3_column_bytes(stmt, i));
        break;
    }
    default:
        vt_record_null(r);
    }
}

static int load_rows(struct vt_store *s, struct vt_present_table *t, sqlite3_stmt *stmt,
                     struct vt_error *err)
{
    struct vt_records r = {0};
    int step, rc = 0;
    while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        vt_records_clear(&r);
        vt_record_begin(&r, false);
        for (unsigned i = 0; i < t->table->n_columns; i++) {
            record_column(&r, stmt, (int)i + 3);
            if (i + 1 == t->n_identity) {
                vt_record_identity(&r);
            }
        }
        if (!vt_record_end(&r)) {
            rc = vt_fail(err, VT_E_NOMEM, "%s: out of memory", s->path);
            break;
        }
        const struct vt_record_at *at = &r.rows[0];
        struct vt_present *row =
            add(t, vt_record_hash(s->key, r.bytes, at->identity), sqlite3_column_int64(stmt, 0),
                r.bytes, at->bytes, at->identity);
        if (row == NULL) {
            rc = vt_fail(err, VT_E_NOMEM, "%s: out of memory", s->path);
            break;
        }
        row->torn = sqlite3_column_int(stmt, 1) != 0;
        row->announced = !row->torn || sqlite3_column_int(stmt, 2) != 0;
    }
    if (rc == 0 && step != SQLITE_DONE) {
        rc = vt_db_fail(err, s->db, s->path, "reading");
    }
    vt_records_fini(&r);
    return rc;
}

static int load_table(struct vt_store *s, unsigned id, struct vt_error *err)
{
    struct vt_present_table *t = &s->tables[id];
    struct sql sql = {.n = 0};
    sqlite3_stmt *stmt = NULL;
    append(&sql,
           "SELECT id, trust = 'torn', trust = 'torn' AND EXISTS(SELECT 1 FROM events WHERE noun = "
           "'%s' AND row = h.id)",
           t->table->name);
    for (unsigned i = 0; i < t->table->n_columns; i++) {
        append(&sql, ", \"%s\"", t->table->columns[i].name);
    }
    append(&sql, " FROM %s_history AS h WHERE last_seen IS NULL", t->table->name);
    int rc = vt_store_prepare(s, sql.text, &stmt, err);
    rc = rc != 0 ? rc : load_rows(s, t, stmt, err);
    sqlite3_finalize(stmt);
    sql.n = 0;
    append(&sql, "SELECT seq FROM sqlite_sequence WHERE name = '%s_history'", t->table->name);
    return rc != 0 ? rc : vt_db_number(s->db, s->path, sql.text, &t->last_id, err);
}

static int load_sample(struct vt_store *s, struct vt_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = vt_store_prepare(s, "SELECT number, time, boot FROM sample", &stmt, err);
    if (rc != 0) {
        return rc;
    }
    int step = sqlite3_step(stmt);
    s->number = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    s->last_s = step == SQLITE_ROW ? sqlite3_column_double(stmt, 1) : 0;
    s->boot = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 2) : 0;
    rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : vt_db_fail(err, s->db, s->path, "reading");
    sqlite3_finalize(stmt);
    return rc;
}

static int load(struct vt_store *s, struct vt_error *err)
{
    forget(s);
    int rc = load_sample(s, err);
    for (unsigned i = 0; rc == 0 && i < VT_DB_TABLES; i++) {
        rc = prepare_table(s, i, err);
        rc = rc != 0 ? rc : load_table(s, i, err);
    }
    s->loaded = rc == 0;
    return rc;
}

/* ---------------------------------------------------------------- writing */

int vt_store_begin(struct vt_store *store, double now_s, struct vt_error *err)
{
    int rc = vt_db_run(store->db, store->path, "BEGIN IMMEDIATE", err);
    if (rc != 0) {
        return rc;
    }
    store->writing = true;
    store->writes = 0;
    store->now_s = now_s;
    rc = store->loaded ? 0 : load(store, err);
    if (rc != 0) {
        vt_store_rollback(store);
    }
    return rc;
}

int vt_store_commit(struct vt_store *store, struct vt_error *err)
{
    int rc = vt_db_run(store->db, store->path, "COMMIT", err);
    if (rc != 0) {
        vt_store_rollback(store);
    }
    store->writing = false;
    return rc;
}

void vt_store_rollback(struct vt_store *store)
{
    if (store->writing) {
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        store->writing = false;
    }
    forget(store);
}

static const char *trust_of(bool torn)
{
    return vt_trust_name(torn ? VT_TRUST_TORN : VT_TRUST_OK);
}

/* Binds the cells from number `from` on to the parameters from `parameter` on. */
static void bind_cells(sqlite3_stmt *stmt, int parameter, const uint8_t *record, uint32_t bytes,
                       unsigned from)
{
    struct vt_record_cell cell;
    size_t at = 0;
    for (unsigned i = 0; vt_record_next(record, bytes, &at, &cell); i++) {
        if (i >= from) {
            vt_store_bind(stmt, parameter++, &cell);
        }
    }
}

int vt_store_insert(struct vt_store *store, enum vt_db_table_id id, const uint8_t *record,
                    const struct vt_record_at *at, struct vt_present **row, struct vt_error *err)
{
    struct vt_present_table *t = &store->tables[id];
    sqlite3_bind_int64(t->insert, 1, t->last_id + 1);
    sqlite3_bind_int64(t->insert, 2, store->boot);
    sqlite3_bind_double(t->insert, 3, store->now_s);
    sqlite3_bind_text(t->insert, 4, trust_of(at->torn), -1, SQLITE_STATIC);
    bind_cells(t->insert, 5, record, at->bytes, 0);
    int rc = vt_store_step(store, t->insert, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_present *added = add(t, vt_record_hash(store->key, record, at->identity),
                                   ++t->last_id, record, at->bytes, at->identity);
    if (added == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", store->path);
    }
    added->torn = at->torn;
    store->writes++;
    if (row != NULL) {
        *row = added;
    }
    return 0;
}

/* Bytes of the record up to and with cell `n` - 1. */
static size_t cells_end(const uint8_t *record, uint32_t bytes, unsigned n)
{
    struct vt_record_cell cell;
    size_t at = 0;
    while (n > 0 && vt_record_next(record, bytes, &at, &cell)) {
        n--;
    }
    return at;
}

int vt_store_update(struct vt_store *store, enum vt_db_table_id id, struct vt_present **row,
                    const uint8_t *record, const struct vt_record_at *at, struct vt_error *err)
{
    struct vt_present_table *t = &store->tables[id];
    struct vt_present *old = *row;
    size_t properties = cells_end(record, at->bytes, t->n_properties);
    bool counters_only = cells_end(old->record, old->bytes, t->n_properties) == properties &&
                         memcmp(old->record, record, properties) == 0;
    sqlite3_stmt *stmt = counters_only ? t->count : t->update;
    sqlite3_bind_int64(stmt, 1, old->id);
    sqlite3_bind_text(stmt, 2, trust_of(at->torn), -1, SQLITE_STATIC);
    bind_cells(stmt, 3, record, at->bytes, counters_only ? t->n_properties : t->n_identity);
    int rc = vt_store_step(store, stmt, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_present **link = link_of(t, old);
    if (old->bytes != at->bytes) {
        struct vt_present *moved = realloc(old, sizeof *moved + at->bytes);
        if (moved == NULL) {
            return vt_fail(err, VT_E_NOMEM, "%s: out of memory", store->path);
        }
        *link = *row = old = moved;
        old->bytes = at->bytes;
    }
    memcpy(old->record, record, at->bytes);
    old->torn = at->torn;
    store->writes++;
    return 0;
}

int vt_store_trust(struct vt_store *store, enum vt_db_table_id id, struct vt_present *row,
                   bool torn, struct vt_error *err)
{
    struct vt_present_table *t = &store->tables[id];
    if (row->torn == torn) {
        return 0;
    }
    sqlite3_bind_int64(t->trust, 1, row->id);
    sqlite3_bind_text(t->trust, 2, trust_of(torn), -1, SQLITE_STATIC);
    row->torn = torn;
    store->writes++;
    return vt_store_step(store, t->trust, err);
}

int vt_store_gone(struct vt_store *store, enum vt_db_table_id id, struct vt_present *row,
                  struct vt_error *err)
{
    struct vt_present_table *t = &store->tables[id];
    sqlite3_bind_int64(t->gone, 1, row->id);
    sqlite3_bind_double(t->gone, 2, store->last_s);
    int rc = vt_store_step(store, t->gone, err);
    if (rc == 0) {
        *link_of(t, row) = row->next;
        free(row);
        t->n--;
        store->writes++;
    }
    return rc;
}

static int run_with_time(struct vt_store *s, const char *text, struct vt_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = vt_store_prepare(s, text, &stmt, err);
    if (rc == 0) {
        sqlite3_bind_double(stmt, 1, s->last_s);
        rc = vt_store_step(s, stmt, err);
        sqlite3_finalize(stmt);
    }
    return rc;
}

int vt_store_end_boot(struct vt_store *store, struct vt_error *err)
{
    int rc = run_with_time(store, "UPDATE boots SET last_seen = ?1 WHERE last_seen IS NULL", err);
    for (unsigned i = 0; rc == 0 && i < VT_DB_TABLES; i++) {
        struct sql sql = {.n = 0};
        append(&sql, "UPDATE %s_history SET last_seen = ?1 WHERE last_seen IS NULL",
               vt_db_tables[i].name);
        rc = run_with_time(store, sql.text, err);
    }
    /* Without a condition this costs nothing. */
    rc = rc != 0 ? rc : vt_db_run(store->db, store->path, "DELETE FROM symbols_history", err);
    if (rc == 0) {
        forget_rows(store);
        store->boot = 0;
    }
    return rc;
}
