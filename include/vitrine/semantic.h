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
    uint64_t timeout_ms;      /**< 0: 10 000 */
    const volatile int *stop; /**< or NULL */
};

/** Opens for reading. `path` NULL: an empty database with live tables only. `target` (may be NULL:
 *  then there are no live tables) is walked by queries that name a live table; its kernel is opened
 *  when first needed. VT_E_NOT_FOUND when the VM was never sampled. */
int vt_sql_open(const char *path, struct vt_target *target, struct vt_sql **sql,
                struct vt_error *err);
void vt_sql_close(struct vt_sql *sql);
/** Runs one statement that only reads. `params` (n_params of them, TEXT and INTEGER) bind to ?1, ?2
 * … `columns` (may be NULL) is called once before the rows, also when there are none. A non-zero
 *  return of a callback ends the query and is returned. The statement is prepared once and kept for
 *  the next time. Errors: VT_E_INVAL (SQLite's words), VT_E_PERM (it would write, or reach
 *  outside the database), VT_E_LIMIT (rows or bytes: those so far were delivered), VT_E_TIMEOUT,
 *  VT_E_INTERRUPTED. */
int vt_sql_query(struct vt_sql *sql, const char *text, const struct vt_sql_value *params,
                 unsigned n_params, const struct vt_sql_limits *limits,
                 int (*columns)(const char *const *names, unsigned n, void *arg),
                 int (*row)(const struct vt_sql_value *values, unsigned n, void *arg), void *arg,
                 struct vt_error *err);
/** Changes when somebody else committed: what was answered before may be kept until then. */
int vt_sql_version(struct vt_sql *sql, uint64_t *version, struct vt_error *err);

/* ---------------------------------------------------------------- questions */

/** What is asked for. docs/queries.md has examples of each. */
enum vt_intent {
    VT_INTENT_PROCESSES,      /**< what runs */
    VT_INTENT_FIND_PROCESS,   /**< where is the SSH daemon; by role, name or pid */
    VT_INTENT_PROCESS_MEMORY, /**< its memory: all, stack, heap, code, files (slot area) */
    VT_INTENT_PAGE_TABLES,    /**< of a process */
    VT_INTENT_KERNEL_STACKS,  /**< of all tasks, or of one process */
    VT_INTENT_KERNEL_MEMORY,  /**< allocations: slab, vmalloc, page tables, modules, stacks (slot
                                 area) */
    VT_INTENT_CHANGES,        /**< what changed since */
    VT_INTENT_LISTENERS,      /**< who listens, on a port or at all */
    VT_INTENT_BIGGEST,        /**< users of memory */
    VT_INTENT_RECENT_WRITES,  /**< regions written lately */
    VT_INTENT_MODULES,
    VT_INTENT_MOUNTS,
    VT_INTENT_FILES, /**< who has a file open; what a process has open */
    VT_INTENT_CONNECTIONS,
    VT_INTENT_SYMBOL,     /**< where is a kernel symbol; what is at an address */
    VT_INTENT_SYSTEM,     /**< which kernel, how long up */
    VT_INTENT_LOG,        /**< kernel messages */
    VT_INTENT_SUSPICIOUS, /**< what hides or was changed */
    VT_INTENT_HISTORY,    /**< what ran, when did X start or end */
    VT_INTENTS,
};
/** "find_process". */
const char *vt_intent_name(enum vt_intent intent);

#define VT_QUESTION_MAX 512 /**< bytes of a question; longer ones are refused */

/** An understood question. Texts are as asked, without quotes, "" when not said; numbers -1. */
struct vt_question {
    enum vt_intent intent;
    char role[32];  /**< "ssh", "web", "dns", "database", "shell", "cron", "log", "init", … */
    char name[128]; /**< a process, module, file, symbol … by name */
    char area[16];  /**< "stack", "heap", "code", "data", "files", "slab", "vmalloc", … */
    int64_t pid;
    int64_t port;
    int64_t limit;     /**< "top 5" */
    int64_t since_s;   /**< so many seconds back: "in the last 5 minutes" */
    uint64_t address;  /**< UINT64_MAX: not said */
    bool highlight;    /**< "highlight", "show in the volume" */
    char reading[160]; /**< it in plain words: "the stack of the process that serves SSH" */
};

#define VT_READINGS_MAX 6
struct vt_understood {
    unsigned n; /**< 1: understood; more: ambiguous, best first; 0: not understood */
    struct vt_question readings[VT_READINGS_MAX];
    char unknown[64]; /**< a word that stood in the way, or "" */
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

struct vt_answer {
    struct vt_question question; /**< as understood, or the first reading */
    char *text;                  /**< for people: a sentence or a few lines */
    char *sql;                   /**< what produced it, or NULL */
    char *verb;                  /**< a vitrine command that shows the same, or NULL */
    struct json_t *rows;         /**< array of objects, all with the same members */
    struct vt_place *places;
    size_t n_places;
    uint64_t place_bytes; /**< of all places, those past the limit included */
    bool places_cut;      /**< there are more than fit */
    bool understood;      /**< else text says what can be asked, or what it could mean */
    struct vt_understood readings;
    unsigned volume_order; /**< of the boxes */
};

/** Answers a question about a VM. `sql` is open on its database and has live tables of `target`.
 *  A question that is not understood is an answer, too. Errors: VT_E_NOT_FOUND (no such process),
 *  those of parsing and of reading. */
int vt_ask(struct vt_target *target, struct vt_sql *sql, const char *question,
           const volatile int *stop, struct vt_answer *answer, struct vt_error *err);
void vt_answer_fini(struct vt_answer *answer);
/** Makes a highlight of an answer's places; `name` NULL: made from the question. VT_E_INVAL when
 * the answer has none. */
int vt_answer_highlight(const struct vt_answer *answer, struct vt_vm *vm, const char *name,
                        struct vt_error *err);

#endif
