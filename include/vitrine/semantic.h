/* vitrine/semantic.h - what is known of a VM over time, as a database, and questions answered by
 * it.
 *
 * Each VM has one SQLite file, <data>/<vm>.db (WAL). One sampler at a time writes it, once a second
 * or when asked; any number of readers see its last whole sample. What the tables hold is said in
 * docs/database.md; in short:
 *
 *   processes threads memory_regions modules mounts files sockets symbols   what is there now
 *   <each of them>_history                                                  and what was
 *   events      started, exited, loaded, unloaded, mounted, unmounted, opened, closed, listening, …
 *   boots, sample                                                           the guest and the
 * sampling live.<noun>                                                             a walk of RAM,
 * right now
 *
 * Every row has first_seen and last_seen, seconds since 1970 (REAL); rows of the views without
 * _history were there in the last sample. Addresses are 64-bit INTEGERs of declared type ADDRESS
 * (0x literals compare with them) and are shown as "0x…".
 *
 * Nothing here is thread-safe; use a handle a thread.
 */
#ifndef VITRINE_SEMANTIC_H
#define VITRINE_SEMANTIC_H

#include "vitrine/highlight.h"
#include "vitrine/target.h"

/** Where the database of a VM is. VT_E_INVAL for a name that is none. */
int vt_db_path(const char *vm_name, char path[VT_VM_PATH_MAX], struct vt_error *err);

/* ---------------------------------------------------------------- sampling */

struct vt_sampler;

struct vt_sampler_options {
    const char *path;     /**< NULL: vt_db_path of the target; ":memory:" for a file */
    uint64_t retention_s; /**< history older than this goes; 0: 7 days */
    uint64_t max_bytes;   /**< of the database file; the oldest history goes first; 0: 512 MiB */
    bool pause;           /**< stop the VM while it is read */
};

/** One sample. */
struct vt_sample {
    double unix_s;     /**< CLOCK_REALTIME when its reading began */
    uint64_t number;   /**< since the database was made, from 1 */
    uint64_t read_ns;  /**< walking RAM */
    uint64_t write_ns; /**< the transaction */
    uint64_t cpu_ns;   /**< of this thread, both */
    uint64_t rows;     /**< present in it, of all tables */
    uint64_t appeared, gone, changed;
    uint64_t events;
    bool torn; /**< processes came or went while it was read, three times over */
    char why[160];
};

/** Opens the database of `target` for writing, making or migrating it. `target` outlives it and is
 *  used by nothing else during vt_sampler_tick. VT_E_BUSY {which process} when somebody else
 * samples the VM; VT_E_UNSUPPORTED when the file was written by a newer vitrine; VT_E_CORRUPT. */
int vt_sampler_create(struct vt_target *target, const struct vt_sampler_options *options,
                      struct vt_sampler **sampler, struct vt_error *err);
/** Takes NULL. The lock is free afterwards. */
void vt_sampler_destroy(struct vt_sampler *sampler);
/** Takes one sample and commits it as one transaction: readers see all of it or nothing. A guest
 * that was reset, or boots, is a new boot. VT_E_GONE: the VM ended (what it had is marked as gone).
 * Any other failure leaves the last sample; try again later. */
int vt_sampler_tick(struct vt_sampler *sampler, struct vt_sample *sample, struct vt_error *err);
/** Told of each event of a tick after its commit, from within vt_sampler_tick. Strings are valid
 *  during the call and may hold guest text. */
struct vt_event {
    int64_t id;
    double unix_s;
    const char *kind; /**< "started" */
    const char *noun; /**< "processes": the table */
    int64_t row;      /**< id in <noun>_history */
    int32_t pid;      /**< 0: none */
    const char *name;
    const char *detail; /**< a line for people */
};
void vt_sampler_on_event(struct vt_sampler *sampler,
                         void (*fn)(const struct vt_event *event, void *arg), void *arg);

/* ---------------------------------------------------------------- SQL, read-only */

struct vt_sql;

enum vt_sql_type {
    VT_SQL_NULL,
    VT_SQL_INTEGER,
    VT_SQL_ADDRESS, /**< an INTEGER from a column declared ADDRESS */
    VT_SQL_REAL,
    VT_SQL_TEXT,
    VT_SQL_BLOB,
};
struct vt_sql_value {
    enum vt_sql_type type;
    int64_t integer; /**< and ADDRESS, as its 64 bits */
    double real;
    const char *text; /**< and BLOB; valid until the next row; zero-terminated; may hold any byte */
    size_t bytes;
};

struct vt_sql_limits {
    uint64_t max_rows;        /**< 0: 100 000 */
    uint64_t max_bytes;       /**< of all values; 0: 64 MiB */
    uint64_t max_memory;      /**< bytes it may take while it runs; 0: 64 MiB */
    uint64_t timeout_ms;      /**< 0: 10 000 */
    const volatile int *stop; /**< or NULL */
};

/** Opens for reading. `path` NULL: an empty database with live tables only; a path that begins with
 *  "file:" is a URI, as vt_sampler_path may give one. `target` (may be NULL:
 *  then there are no live tables) is walked by queries that name a live table; its kernel is opened
 *  when first needed. Of a VM that ended, a statement that names a live table is VT_E_GONE, and the
 *  present is its last sample. VT_E_NOT_FOUND when the VM was never sampled. */
int vt_sql_open(const char *path, struct vt_target *target, struct vt_sql **sql,
                struct vt_error *err);
void vt_sql_close(struct vt_sql *sql);
/** Runs one statement that only reads. `params` bind to ?1, ?2 … and there are as many as it has.
 *  `columns` (may be NULL) is called once before the rows, also when there are none; names are
 *  valid during the call. A non-zero return of a callback ends the query and is returned; callbacks
 *  may run queries of their own. The statement is prepared once and kept for the next time. A live
 *  table is walked when it is first read, and stays as it was until the query ends. Errors:
 *  VT_E_INVAL (SQLite's words, and what was perhaps meant), VT_E_PERM (it would write, or reach
 *  outside the database), VT_E_LIMIT (rows or bytes: those so far were delivered; memory),
 *  VT_E_TIMEOUT, VT_E_INTERRUPTED, VT_E_BUSY, VT_E_CORRUPT, those of vt_noun_walk. */
int vt_sql_query(struct vt_sql *sql, const char *text, const struct vt_sql_value *params,
                 unsigned n_params, const struct vt_sql_limits *limits,
                 int (*columns)(const char *const *names, unsigned n, void *arg),
                 int (*row)(const struct vt_sql_value *values, unsigned n, void *arg), void *arg,
                 struct vt_error *err);
/** Why rows of live tables may have been missing in the last query, or NULL: a line, valid until
 * the next one. */
const char *vt_sql_warning(const struct vt_sql *sql);
/** What a statement would read: tables of the database, live tables. Prepares it and fails as
 *  vt_sql_query would then. */
int vt_sql_reads(struct vt_sql *sql, const char *text, bool *stored, bool *live,
                 struct vt_error *err);
/** What can be asked. */
struct vt_sql_column {
    bool live; /**< of a live table: "live.<table>" */
    const char *table, *column;
    const char *type; /**< as declared: INTEGER, ADDRESS, REAL, TEXT, BOOLEAN (0 or 1), or "" */
    bool hidden;      /**< not part of "*" */
    const char *table_doc; /**< a line about the table, or NULL */
    const char *doc;       /**< a line about the column, or NULL */
};
/** Calls `fn` for every column, those of a table one after the other; texts are valid during the
 *  call. Non-zero from it ends that and is returned. */
int vt_sql_columns(struct vt_sql *sql, int (*fn)(const struct vt_sql_column *column, void *arg),
                   void *arg, struct vt_error *err);
/** Changes when somebody else committed: what was answered before may be kept until then. */
int vt_sql_version(struct vt_sql *sql, uint64_t *version, struct vt_error *err);

/** A VM that ended and left its database. */
struct vt_past {
    char name[VT_VM_NAME_MAX + 1];
    double last_s;  /**< when its last sample was taken, seconds since 1970 */
    double ended_s; /**< when a sampler saw that it had ended; 0: none was there */
};
/** What is left of a VM. VT_E_NOT_FOUND: it lives, or there is no database with a sample in it;
 *  VT_E_INVAL: no name; VT_E_CORRUPT, VT_E_PERM: its database cannot be read. */
int vt_past_find(const char *name, struct vt_past *past, struct vt_error *err);
/** All of them, by name; at most 4096. Databases that cannot be read are left out. The caller frees
 *  *list. */
int vt_past_list(struct vt_past **list, size_t *n, struct vt_error *err);

/** As vt_target_open, for those who can do with a database: a VM that ended and left one is a
 *  target, too, with `ended` set. For vt_sql_open, vt_database_open and vt_ask alone. Errors: those
 *  of vt_target_open, VT_E_NOT_FOUND only when there is neither; those of vt_past_find. */
int vt_database_target(const char *name, const char *operation, const char *detail,
                       struct vt_target *target, struct vt_error *err);

/** A database to ask. */
struct vt_database {
    struct vt_sql *sql;
    struct vt_sampler *sampler; /**< of a file, whose database is in memory; else NULL */
};
/** Opens the database of `target`, with live tables, for one who is not the VM's sampler: when
 *  nobody samples it just now, one sample is taken first, so that what is read is of now and the
 *  history grows with every use. Of a VM that ended it is what was left. Errors: those of
 * vt_sampler_tick and vt_sql_open. */
int vt_database_open(struct vt_target *target, struct vt_database *db, struct vt_error *err);
/** Takes one that holds nothing. */
void vt_database_close(struct vt_database *db);

/* ---------------------------------------------------------------- questions */

/** What is asked for. docs/queries.md has examples of each. Which slots of struct vt_question an
 *  intent fills is said behind it; those in brackets only when they were said. */
enum vt_intent {
    /** What runs. [role] [uid] [limit] [until_s] [min_bytes] resident [count]; area: "" all of
     * them, "kernel" the kernel's threads, "user" the others, "zombie", "stopped", "running",
     * "sleeping" by state, "newest", "oldest" by start, "tree" as a tree */
    VT_INTENT_PROCESSES,
    /** Where a process is, or whether there is one: role, name or pid; area: "" or "parent",
     *  "ancestors", "children", "user" (as whom it runs), "threads", "arguments" */
    VT_INTENT_FIND_PROCESS,
    /** A process's memory, or everybody's when no role, name or pid is said; area: "" all, "stack",
     *  "heap", "code", "data", "files" (mapped), "libraries", "anon", "executable", "writable",
     *  "shared"; [path] of a mapped file: "who has libssl mapped"; regions of [min_bytes] */
    VT_INTENT_PROCESS_MEMORY,
    /** Page tables of a process; no role, name or pid: of all. [address] only around it */
    VT_INTENT_PAGE_TABLES,
    /** Kernel stacks of all tasks, or of one process */
    VT_INTENT_KERNEL_STACKS,
    /** The kernel's memory; area: "" all of it, "allocations" (the next five), "slab", "vmalloc",
     *  "page_tables", "modules", "stacks", "code", "data", "page_cache", "free"; [name] of a slab
     *  cache */
    VT_INTENT_KERNEL_MEMORY,
    /** What changed [since_s]; area: "" everything, or the table: "processes", "modules", "mounts",
     *  "files", "sockets"; [role, name, pid] of whom */
    VT_INTENT_CHANGES,
    /** Who listens, on [port] or at all; [role, name, pid, uid]: on what that one does; area: "",
     *  "tcp", "udp", "unix" */
    VT_INTENT_LISTENERS,
    /** Who uses most of something, [uid] [limit]; area: "memory", "cpu", "files", "sockets",
     *  "threads", "page_tables"; or what is biggest: "file_sizes" (open files), "slabs",
     *  "modules" */
    VT_INTENT_BIGGEST,
    /** Memory written lately; [role, name, pid] whose, [since_s]; area: "", "kernel" */
    VT_INTENT_RECENT_WRITES,
    VT_INTENT_MODULES, /**< [name] of one, [count] */
    VT_INTENT_MOUNTS,  /**< [path]: the one it lies in; area: "" or a type of file system: "ext4" */
    /** Open files: who has [path] open; what [role, name, pid, uid] has open, [count], those of
     *  [min_bytes]; area: "" or "deleted" */
    VT_INTENT_FILES,
    /** Connections: [role, name, pid, uid] whose, [port] at either end, [host] the other one's
     * address; area: "", "tcp", "udp", "unix", "all" (sockets in any state), "established" */
    VT_INTENT_CONNECTIONS,
    VT_INTENT_SYMBOL, /**< where [name] is; what is at [address], in [role, name, pid] */
    /** The guest as a whole; area: "kernel" (version), "uptime", "memory" (how much, how full),
     *  "cpus", "time", "load", "swap", "name" (host name) */
    VT_INTENT_SYSTEM,
    /** Kernel messages; area: "" or "errors" (and worse), "warnings" (and worse); [name]: with this
     *  in them, [limit] the last ones, [since_s] */
    VT_INTENT_LOG,
    /** What hides or was changed; area: "" all checks, or "processes", "modules", "syscalls",
     *  "code" (injected into processes), "hooks", "network" */
    VT_INTENT_SUSPICIOUS,
    /** What ran and ended, when something began or ended: [role, name, pid, uid] [since_s] [limit];
     *  area: "" both, "started", "ended" */
    VT_INTENT_HISTORY,
    /** What else the kernel keeps, as rows of a noun; area: its name ("threads", "net", "bpf", …,
     *  vt_noun_find); [role, name, pid] whose */
    VT_INTENT_NOUN,
    VT_INTENTS,
};
/** "find_process". */
const char *vt_intent_name(enum vt_intent intent);

#define VT_QUESTION_MAX 512        /**< bytes of a question; longer ones are refused */
#define VT_QUESTION_EVER INT64_MAX /**< as since_s: "since boot", "ever" */

/** An understood question. Texts are as asked, without quotes, "" when not said; numbers -1. */
struct vt_question {
    enum vt_intent intent;
    char role[32];    /**< what a process does: a name of src/semantic/roles.h. Beside a name it
                         says what such a program is for, when there is none of that name */
    char name[128];   /**< of a process, module, symbol, … */
    char path[128];   /**< of a file, or the end of one: "libssl" */
    char host[48];    /**< "10.0.0.2" */
    char area[16];    /**< a part or kind; see the intent */
    int64_t pid, uid; /**< uid: "as root" is 0 */
    int64_t port;
    int64_t limit;   /**< "top 5" */
    int64_t since_s; /**< so many seconds back: "in the last 5 minutes" */
    int64_t until_s; /**< so long ago it was: "5 minutes ago"; with since_s the end of that time */
    /** The same as times of day, seconds since midnight: "since 12:00", "at 10:30". What answers
     *  sets since_s and until_s from them by the last sample's time. */
    int64_t since_clock, until_clock;
    bool yesterday;    /**< those times of day are yesterday's, not the latest */
    int64_t min_bytes; /**< "larger than 10 MiB" */
    uint64_t address;  /**< UINT64_MAX: not said */
    bool highlight;    /**< "highlight", "show in the volume" */
    bool count;        /**< "how many" */
    char reading[160]; /**< it in plain words: "the stack of the process that serves SSH" */
};

#define VT_READINGS_MAX 6
struct vt_understood {
    unsigned n; /**< 1: understood; more: ambiguous, best first; 0: not understood */
    struct vt_question readings[VT_READINGS_MAX];
    bool refused;     /**< n is 0: it asks to change something, and questions only look */
    char unknown[64]; /**< a word that stood in the way, or was passed over, or "" */
    char why[160];    /**< n is not 1: why not, a sentence; else "" */
};

/** Reads an English question. Pure: no VM is needed. Takes any bytes, in time linear in their
 *  number. VT_E_INVAL: empty, too long, not UTF-8. */
int vt_question_parse(const char *text, struct vt_understood *understood, struct vt_error *err);
/** Calls `fn` for each intent with an example that vt_question_parse takes: what can be asked. */
void vt_question_examples(void (*fn)(enum vt_intent intent, const char *example, void *arg),
                          void *arg);

/* ---------------------------------------------------------------- answers */

/** A place an answer speaks of. */
struct vt_place {
    const char *label; /**< "sshd [stack]"; belongs to the answer */
    int32_t pid;       /**< 0: the kernel's */
    struct vt_gva gva; /**< 0: known by its physical place only */
    struct vt_gpa gpa;
    uint64_t bytes;
    struct vt_box box; /**< in the volume of vt_volume_order */
};

struct json_t;

#define VT_ANSWER_PLACES_MAX 4096

struct vt_answer {
    struct vt_question question; /**< as understood, or the first reading */
    char *text;                  /**< for people: a sentence or a few lines */
    char *sql;                   /**< what produced it, or NULL */
    char *verb;                  /**< a vitrine command that shows the same, or NULL */
    struct json_t *rows;         /**< array of objects, all with the same members */
    bool rows_cut;               /**< there are more */
    struct vt_place *places;
    size_t n_places;      /**< to be shown: the first VT_ANSWER_PLACES_MAX */
    size_t n_all_places;  /**< with those behind them, for highlights */
    uint64_t place_bytes; /**< of all places, those that did not fit included */
    bool places_cut;      /**< there are more than n_places */
    bool understood;      /**< else text says what can be asked, or what it could mean */
    struct vt_understood readings;
    unsigned volume_order; /**< of the boxes */
    char **labels;         /**< of the places */
    size_t n_labels;
};

/** Answers a question about a VM. `sql` is open on its database and has live tables of `target`.
 *  A question that is not understood is an answer, too. Of a VM that ended the last sample is
 * asked, which the answer says. Errors: VT_E_NOT_FOUND (no such process), VT_E_GONE (the VM ended,
 * and the answer would be in its memory), those of parsing and of reading. */
int vt_ask(struct vt_target *target, struct vt_sql *sql, const char *question,
           const volatile int *stop, struct vt_answer *answer, struct vt_error *err);
void vt_answer_fini(struct vt_answer *answer);
/** Makes a highlight of an answer's places; `name` NULL: made from the question. Where they are of
 *  several kinds, as the kernel's allocations are, one a kind: NAME-slab, NAME-stacks. VT_E_INVAL
 *  when the answer has none. */
int vt_answer_highlight(const struct vt_answer *answer, struct vt_vm *vm, const char *name,
                        struct vt_error *err);

#endif
