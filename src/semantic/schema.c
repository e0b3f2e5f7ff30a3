/* semantic/schema.c - tables, migrations. See schema.h. */
#include "semantic/schema.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- columns */

#define FROM(name, role, key) {name, role, VT_DB_NOUN, key}
#define MADE(name, role, source) {name, role, source, NULL}

static const struct vt_db_column processes[] = {
    FROM("pid", VT_DB_IDENTITY, "pid"),
    FROM("started_s", VT_DB_IDENTITY, "start_s"),
    FROM("task", VT_DB_IDENTITY, "task"),
    FROM("ppid", VT_DB_PROPERTY, "ppid"),
    FROM("name", VT_DB_PROPERTY, "comm"),
    FROM("args", VT_DB_PROPERTY, "args"),
    FROM("uid", VT_DB_PROPERTY, "uid"),
    FROM("euid", VT_DB_PROPERTY, "euid"),
    FROM("gid", VT_DB_PROPERTY, "gid"),
    MADE("kernel", VT_DB_PROPERTY, VT_DB_KERNEL),
    FROM("page_table", VT_DB_PROPERTY, "page_table"),
    FROM("state", VT_DB_COUNTER, "state"),
    FROM("cpu", VT_DB_COUNTER, "cpu"),
    FROM("threads", VT_DB_COUNTER, "threads"),
    FROM("rss_bytes", VT_DB_COUNTER, "rss_bytes"),
    MADE("regions", VT_DB_COUNTER, VT_DB_REGION_COUNT),
};

static const struct vt_db_column threads[] = {
    MADE("process", VT_DB_IDENTITY, VT_DB_PROCESS),
    FROM("pid", VT_DB_IDENTITY, "pid"),
    FROM("tid", VT_DB_IDENTITY, "tid"),
    FROM("started_s", VT_DB_IDENTITY, "start_s"),
    MADE("task", VT_DB_IDENTITY, VT_DB_AT),
    FROM("name", VT_DB_PROPERTY, "comm"),
    FROM("policy", VT_DB_PROPERTY, "policy"),
    FROM("nice", VT_DB_PROPERTY, "nice"),
    FROM("rt_priority", VT_DB_PROPERTY, "rt_priority"),
    FROM("stack", VT_DB_PROPERTY, "stack"),
    FROM("state", VT_DB_COUNTER, "state"),
    FROM("cpu", VT_DB_COUNTER, "cpu"),
    FROM("prio", VT_DB_COUNTER, "prio"),
    FROM("user_s", VT_DB_COUNTER, "user_s"),
    FROM("system_s", VT_DB_COUNTER, "sys_s"),
    FROM("voluntary", VT_DB_COUNTER, "voluntary"),
    FROM("involuntary", VT_DB_COUNTER, "involuntary"),
};

static const struct vt_db_column regions[] = {
    MADE("process", VT_DB_IDENTITY, VT_DB_PROCESS),
    FROM("pid", VT_DB_IDENTITY, "pid"),
    FROM("start", VT_DB_IDENTITY, "start"),
    FROM("end", VT_DB_IDENTITY, "end"),
    FROM("permissions", VT_DB_IDENTITY, "perms"),
    FROM("offset", VT_DB_IDENTITY, "offset"),
    FROM("device", VT_DB_IDENTITY, "device"),
    FROM("inode", VT_DB_IDENTITY, "inode"),
    MADE("owner", VT_DB_PROPERTY, VT_DB_OWNER),
    MADE("kind", VT_DB_PROPERTY, VT_DB_KIND),
    FROM("name", VT_DB_PROPERTY, "name"),
    FROM("resident_bytes", VT_DB_COUNTER, "resident_bytes"),
    FROM("dirty_bytes", VT_DB_COUNTER, "dirty_bytes"),
    FROM("swapped_bytes", VT_DB_COUNTER, "swapped_bytes"),
    MADE("runs", VT_DB_COUNTER, VT_DB_RUNS),
    MADE("runs_cut", VT_DB_COUNTER, VT_DB_RUNS_CUT),
};

static const struct vt_db_column modules[] = {
    FROM("name", VT_DB_IDENTITY, "name"),
    FROM("base", VT_DB_IDENTITY, "base"),
    MADE("module", VT_DB_IDENTITY, VT_DB_AT),
    FROM("size_bytes", VT_DB_PROPERTY, "bytes"),
    FROM("state", VT_DB_PROPERTY, "state"),
    FROM("refs", VT_DB_PROPERTY, "users"),
    FROM("used_by", VT_DB_PROPERTY, "used_by"),
    FROM("listed", VT_DB_PROPERTY, "listed"),
    FROM("permanent", VT_DB_PROPERTY, "permanent"),
    FROM("taints", VT_DB_PROPERTY, "taints"),
    FROM("version", VT_DB_PROPERTY, "version"),
    FROM("srcversion", VT_DB_PROPERTY, "srcversion"),
    FROM("args", VT_DB_PROPERTY, "args"),
};

static const struct vt_db_column mounts[] = {
    FROM("namespace", VT_DB_IDENTITY, "namespace"),
    FROM("mount_id", VT_DB_IDENTITY, "id"),
    FROM("device", VT_DB_IDENTITY, "device"),
    MADE("mount", VT_DB_IDENTITY, VT_DB_AT),
    FROM("parent_id", VT_DB_PROPERTY, "parent_id"),
    FROM("type", VT_DB_PROPERTY, "type"),
    FROM("source", VT_DB_PROPERTY, "source"),
    FROM("root", VT_DB_PROPERTY, "root"),
    FROM("target", VT_DB_PROPERTY, "mount_point"),
    FROM("options", VT_DB_PROPERTY, "options"),
    FROM("super_options", VT_DB_PROPERTY, "super_options"),
    FROM("propagation", VT_DB_PROPERTY, "propagation"),
};

static const struct vt_db_column files[] = {
    MADE("process", VT_DB_IDENTITY, VT_DB_PROCESS), FROM("pid", VT_DB_IDENTITY, "pid"),
    MADE("fd", VT_DB_IDENTITY, VT_DB_FD),           MADE("file", VT_DB_IDENTITY, VT_DB_AT),
    FROM("device", VT_DB_IDENTITY, "device"),       FROM("inode", VT_DB_IDENTITY, "inode"),
    FROM("name", VT_DB_PROPERTY, "comm"),           FROM("kind", VT_DB_PROPERTY, "kind"),
    FROM("flags", VT_DB_PROPERTY, "flags"),         FROM("modes", VT_DB_PROPERTY, "modes"),
    FROM("path", VT_DB_PROPERTY, "path"),           FROM("mount_id", VT_DB_PROPERTY, "mount_id"),
    FROM("position", VT_DB_COUNTER, "position"),    FROM("bytes", VT_DB_COUNTER, "bytes"),
};

static const struct vt_db_column sockets[] = {
    FROM("family", VT_DB_IDENTITY, "family"),
    FROM("type", VT_DB_IDENTITY, "type"),
    FROM("protocol", VT_DB_IDENTITY, "protocol"),
    FROM("inode", VT_DB_IDENTITY, "inode"),
    FROM("netns", VT_DB_IDENTITY, "netns"),
    MADE("socket", VT_DB_IDENTITY, VT_DB_AT),
    FROM("state", VT_DB_PROPERTY, "state"),
    FROM("local_address", VT_DB_PROPERTY, "local_address"),
    FROM("local_port", VT_DB_PROPERTY, "local_port"),
    FROM("peer_address", VT_DB_PROPERTY, "peer_address"),
    FROM("peer_port", VT_DB_PROPERTY, "peer_port"),
    FROM("local", VT_DB_PROPERTY, "local"),
    FROM("peer", VT_DB_PROPERTY, "peer"),
    FROM("peer_inode", VT_DB_PROPERTY, "peer_inode"),
    FROM("pid", VT_DB_PROPERTY, "pid"),
    FROM("fd", VT_DB_PROPERTY, "fd"),
    FROM("name", VT_DB_PROPERTY, "comm"),
    FROM("uid", VT_DB_PROPERTY, "uid"),
    FROM("device", VT_DB_PROPERTY, "device"),
    FROM("holders", VT_DB_PROPERTY, "holders"),
    FROM("listed", VT_DB_PROPERTY, "listed"),
    FROM("rx_bytes", VT_DB_COUNTER, "rx_bytes"),
    FROM("tx_bytes", VT_DB_COUNTER, "tx_bytes"),
};

#define TABLE(name_, noun_, columns_)                                                              \
    {.name = (name_),                                                                              \
     .noun = (noun_),                                                                              \
     .columns = (columns_),                                                                        \
     .n_columns = sizeof(columns_) / sizeof((columns_)[0])}

const struct vt_db_table vt_db_tables[VT_DB_TABLES] = {
    [VT_DB_PROCESSES] = TABLE("processes", "ps", processes),
    [VT_DB_THREADS] = TABLE("threads", "threads", threads),
    [VT_DB_REGIONS] = TABLE("memory_regions", "maps", regions),
    [VT_DB_MODULES] = TABLE("modules", "modules", modules),
    [VT_DB_MOUNTS] = TABLE("mounts", "mounts", mounts),
    [VT_DB_FILES] = TABLE("files", "files", files),
    [VT_DB_SOCKETS] = TABLE("sockets", "sockets", sockets),
};

unsigned vt_db_column(const struct vt_db_table *table, const char *name)
{
    unsigned i = 0;
    while (i < table->n_columns && strcmp(table->columns[i].name, name) != 0) {
        i++;
    }
    return i;
}

unsigned vt_db_cells(const struct vt_db_table *table, enum vt_db_role role)
{
    unsigned n = 0;
    while (n < table->n_columns && table->columns[n].role <= role) {
        n++;
    }
    return n;
}

/* ---------------------------------------------------------------- SQL */

#define COMMON                                                                                     \
    "id INTEGER PRIMARY KEY AUTOINCREMENT, boot INTEGER NOT NULL, first_seen REAL NOT NULL, "      \
    "last_seen REAL, trust TEXT NOT NULL"
/* What is there now, as the last sample saw it. */
#define PRESENT(name, columns)                                                                     \
    "CREATE VIEW " name " AS SELECT id, " columns ", boot, first_seen, "                           \
    "(SELECT time FROM sample) AS last_seen, trust FROM " name "_history "                         \
    "WHERE last_seen IS NULL;"
#define INDEX(table, name, columns)                                                                \
    "CREATE INDEX " table "_" name " ON " table "_history(" columns ");"
#define INDEX_PRESENT(table, name, columns)                                                        \
    "CREATE INDEX " table "_" name " ON " table "_history(" columns ") WHERE last_seen IS NULL;"
#define INDEX_GONE(table)                                                                          \
    "CREATE INDEX " table "_gone ON " table "_history(last_seen) WHERE last_seen IS NOT NULL;"

static const char step_1[] =
    "CREATE TABLE boots(id INTEGER PRIMARY KEY AUTOINCREMENT, release TEXT NOT NULL, "
    "banner TEXT NOT NULL, build_id TEXT NOT NULL, booted_s REAL, text ADDRESS NOT NULL, "
    "text_physical ADDRESS NOT NULL, init_task ADDRESS, init_started_s REAL, symbols INTEGER, "
    "first_seen REAL NOT NULL, last_seen REAL);"
    "CREATE TABLE sample(id INTEGER PRIMARY KEY CHECK(id = 1), number INTEGER NOT NULL, "
    "time REAL NOT NULL, boot INTEGER, uptime_s REAL, torn INTEGER NOT NULL, why TEXT, "
    "processes INTEGER NOT NULL, threads INTEGER NOT NULL, memory_regions INTEGER NOT NULL, "
    "modules INTEGER NOT NULL, mounts INTEGER NOT NULL, files INTEGER NOT NULL, "
    "sockets INTEGER NOT NULL);"
    "CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, "
    "boot INTEGER NOT NULL, kind TEXT NOT NULL, noun TEXT NOT NULL, row INTEGER, pid INTEGER, "
    "name TEXT, detail TEXT NOT NULL);"
    "CREATE INDEX events_time ON events(time);"
    "CREATE INDEX events_row ON events(noun, row);"

    "CREATE TABLE processes_history(" COMMON ", pid INTEGER, ppid INTEGER, name TEXT, args TEXT, "
    "state TEXT, cpu INTEGER, uid INTEGER, euid INTEGER, gid INTEGER, threads INTEGER, "
    "started_s REAL, rss_bytes INTEGER, regions INTEGER, kernel INTEGER, page_table ADDRESS, "
    "task ADDRESS);" PRESENT(
        "processes",
        "pid, ppid, name, args, state, cpu, uid, euid, gid, threads, started_s, "
        "rss_bytes, regions, kernel, page_table, task") INDEX_PRESENT("processes", "present", "pid")
        INDEX_GONE("processes") INDEX("processes", "pid", "pid") INDEX("processes", "name", "name")

            "CREATE TABLE threads_history(" COMMON ", tid INTEGER, pid INTEGER, process INTEGER, "
            "name TEXT, state TEXT, cpu INTEGER, policy TEXT, prio INTEGER, nice INTEGER, "
            "rt_priority INTEGER, user_s REAL, system_s REAL, voluntary INTEGER, involuntary "
            "INTEGER, "
            "started_s REAL, stack ADDRESS, task ADDRESS);" PRESENT(
                "threads", "tid, pid, process, name, state, cpu, policy, prio, nice, rt_priority, "
                           "user_s, system_s, voluntary, involuntary, started_s, stack, task")
                INDEX_PRESENT("threads", "present", "pid") INDEX_GONE("threads")

                    "CREATE TABLE memory_regions_history(" COMMON
                    ", pid INTEGER, process INTEGER, owner TEXT, "
                    "kind TEXT, start ADDRESS, \"end\" ADDRESS, permissions TEXT, name TEXT, "
                    "offset INTEGER, "
                    "device TEXT, inode INTEGER, resident_bytes INTEGER, dirty_bytes INTEGER, "
                    "swapped_bytes INTEGER, runs TEXT, runs_cut INTEGER);" PRESENT(
                        "memory_regions",
                        "pid, process, owner, kind, start, \"end\", permissions, name, "
                        "offset, device, inode, resident_bytes, dirty_bytes, "
                        "swapped_bytes, runs, runs_cut")
                        INDEX_PRESENT("memory_regions", "present", "pid")
                            INDEX_GONE("memory_regions")
    /* The columns' types are those of the empty half: an expression has none. */
    "CREATE TABLE no_pages(region INTEGER, pid INTEGER, gva ADDRESS, gpa ADDRESS, bytes INTEGER);"
    "CREATE VIEW memory_pages AS SELECT r.id AS region, r.pid AS pid, "
    "json_extract(j.value, '$[0]') AS gva, json_extract(j.value, '$[1]') AS gpa, "
    "json_extract(j.value, '$[2]') AS bytes "
    "FROM memory_regions_history AS r, json_each(r.runs) AS j WHERE r.last_seen IS NULL "
    "UNION ALL SELECT region, pid, gva, gpa, bytes FROM no_pages WHERE 0;"

    "CREATE TABLE modules_history(" COMMON ", name TEXT, base ADDRESS, size_bytes INTEGER, "
    "state TEXT, refs INTEGER, used_by TEXT, listed INTEGER, permanent INTEGER, taints TEXT, "
    "version TEXT, srcversion TEXT, args TEXT, module ADDRESS);" PRESENT(
        "modules", "name, base, size_bytes, state, refs, used_by, listed, permanent, taints, "
                   "version, srcversion, args, module") INDEX_PRESENT("modules", "present",
                                                                      "name") INDEX_GONE("modules")

        "CREATE TABLE mounts_history(" COMMON ", namespace INTEGER, mount_id INTEGER, "
        "parent_id INTEGER, device TEXT, type TEXT, source TEXT, root TEXT, target TEXT, "
        "options TEXT, super_options TEXT, propagation TEXT, mount ADDRESS);" PRESENT(
            "mounts",
            "namespace, mount_id, parent_id, device, type, source, root, target, "
            "options, super_options, propagation, mount") INDEX_PRESENT("mounts", "present",
                                                                        "target") INDEX_GONE("mount"
                                                                                             "s")

            "CREATE TABLE files_history(" COMMON
            ", pid INTEGER, process INTEGER, name TEXT, fd INTEGER, "
            "kind TEXT, flags TEXT, modes TEXT, path TEXT, position INTEGER, mount_id INTEGER, "
            "device TEXT, inode INTEGER, bytes INTEGER, file ADDRESS);" PRESENT(
                "files", "pid, process, name, fd, kind, flags, modes, path, position, mount_id, "
                         "device, inode, bytes, file") INDEX_PRESENT("files", "present", "pid")
                INDEX_PRESENT("files", "path", "path") INDEX_GONE("files")

                    "CREATE TABLE sockets_history(" COMMON
                    ", family TEXT, protocol TEXT, type TEXT, state TEXT, "
                    "local_address TEXT, local_port INTEGER, peer_address TEXT, peer_port INTEGER, "
                    "local TEXT, "
                    "peer TEXT, pid INTEGER, fd INTEGER, name TEXT, uid INTEGER, inode INTEGER, "
                    "peer_inode INTEGER, netns INTEGER, device TEXT, holders INTEGER, listed "
                    "INTEGER, "
                    "rx_bytes INTEGER, tx_bytes INTEGER, socket ADDRESS);" PRESENT(
                        "sockets",
                        "family, protocol, type, state, local_address, local_port, peer_address, "
                        "peer_port, local, peer, pid, fd, name, uid, inode, peer_inode, netns, "
                        "device, holders, listed, rx_bytes, tx_bytes, socket")
                        INDEX_PRESENT("sockets", "present", "local_port") INDEX_PRESENT(
                            "sockets", "pid", "pid") INDEX_GONE("sockets")

                            "CREATE TABLE symbols_history(id INTEGER PRIMARY KEY, boot INTEGER NOT "
                            "NULL, "
                            "first_seen REAL NOT NULL, last_seen REAL, trust TEXT NOT NULL, name "
                            "TEXT, address ADDRESS, "
                            "size INTEGER, type TEXT, module TEXT);" PRESENT(
                                "symbols", "name, address, size, type, module")
                                INDEX("symbols", "name", "name") INDEX(
                                    "symbols", "address",
                                    "address") "CREATE INDEX symbols_module ON "
                                               "symbols_history(module) WHERE module IS NOT NULL;";

/* What came and went, of all tables at once; not what a boot began with. */
#define CHANGES(table, pid, name)                                                                  \
    "SELECT h.first_seen AS time, 'appeared' AS change, '" table "' AS noun, h.id AS row, " pid    \
    " AS pid, " name " AS name FROM " table "_history AS h WHERE h.first_seen > "                  \
    "(SELECT b.first_seen FROM boots AS b WHERE b.id = h.boot) UNION ALL "                         \
    "SELECT h.last_seen, 'gone', '" table "', h.id, " pid ", " name " FROM " table                 \
    "_history AS h WHERE h.last_seen IS NOT NULL"

/* clang-format off */
static const char step_2[] =
    "CREATE VIEW changes AS "
    CHANGES("processes", "h.pid", "h.name") " UNION ALL "
    CHANGES("modules", "NULL", "h.name") " UNION ALL "
    CHANGES("mounts", "NULL", "h.target") " UNION ALL "
    CHANGES("files", "h.pid", "h.path") " UNION ALL "
    CHANGES("sockets", "h.pid", "h.local") " UNION ALL "
    CHANGES("memory_regions", "h.pid", "h.name") ";";
/* clang-format on */

/* Step n leads from version n to n + 1. */
static const char *const steps[] = {step_1, step_2};
#define STEPS (sizeof steps / sizeof steps[0])
const int vt_db_version = STEPS;

/* ---------------------------------------------------------------- SQLite */

int vt_db_fail(struct vt_error *err, sqlite3 *db, const char *path, const char *what)
{
    int code = db != NULL ? sqlite3_errcode(db) : SQLITE_NOMEM;
    const char *words = db != NULL ? sqlite3_errmsg(db) : "out of memory";
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return vt_fail(err, VT_E_BUSY, "%s: %s: another process keeps it locked", path, what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return vt_fail(err, VT_E_PERM, "%s: %s: %s", path, what, words);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return vt_fail(err, VT_E_IO, "%s: %s: %s", path, what, words);
    case SQLITE_INTERRUPT:
        return vt_fail(err, VT_E_INTERRUPTED, "%s: %s: interrupted", path, what);
    default: /* also tables and columns that are not there */
        return vt_fail(err, VT_E_CORRUPT,
                       "%s is damaged, or not vitrine's (%s: %s): remove it to begin anew", path,
                       what, words);
    }
}

int vt_db_run(sqlite3 *db, const char *path, const char *sql, struct vt_error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return vt_db_fail(err, db, path, "writing");
    }
    return 0;
}

int vt_db_number(sqlite3 *db, const char *path, const char *sql, int64_t *value,
                 struct vt_error *err)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        return vt_db_fail(err, db, path, "reading");
    }
    int step = sqlite3_step(stmt);
    int64_t got = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    int rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : vt_db_fail(err, db, path, "reading");
    sqlite3_finalize(stmt);
    if (rc == 0) {
        *value = got;
    }
    return rc;
}

int vt_db_migrate(sqlite3 *db, const char *path, int to_version, struct vt_error *err)
{
    int64_t version = 0;
    int rc = vt_db_number(db, path, "PRAGMA user_version", &version, err);
    if (rc == 0 && version > vt_db_version) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "%s was written by a newer vitrine (version %lld, we know %d)", path,
                       (long long)version, vt_db_version);
    }
    if (rc == 0 && version < 0) {
        return vt_fail(err, VT_E_CORRUPT, "%s is damaged: remove it to begin anew", path);
    }
    for (; rc == 0 && version < to_version && (size_t)version < STEPS; version++) {
        char set[64];
        snprintf(set, sizeof set, "PRAGMA user_version = %lld", (long long)version + 1);
        rc = vt_db_run(db, path, "BEGIN IMMEDIATE", err);
        rc = rc != 0 ? rc : vt_db_run(db, path, steps[version], err);
        rc = rc != 0 ? rc : vt_db_run(db, path, set, err);
        rc = rc != 0 ? rc : vt_db_run(db, path, "COMMIT", err);
        if (rc != 0) {
            sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        }
    }
    return rc;
}
