/* cli/cli.h - what a verb is, how it reads its arguments and how it shows its rows.
 *
 * One table (verbs.c) names every verb; help, man pages, completion and dispatch are made from it.
 * A verb lives in cmd_<verb>.c, defines one `const struct vt_verb vt_verb_<verb>` and returns an
 * exit code: 0 ok, 1 failed, 2 usage, 3 not found, 124 timeout. Data goes to stdout, everything
 * else to stderr.
 */
#ifndef VT_CLI_CLI_H
#define VT_CLI_CLI_H

#include "base/json_writer.h"
#include "vitrine/base.h"

#include <stdio.h>

enum vt_exit {
    VT_EXIT_OK = 0,
    VT_EXIT_FAILED = 1,
    VT_EXIT_USAGE = 2,
    VT_EXIT_NOT_FOUND = 3,
    VT_EXIT_TIMEOUT = 124,
};

/** An option of a verb. Arrays of them end with a zeroed one. `--json`, `--pretty` and `--help`
 *  belong to every verb and need no row. */
struct vt_option {
    const char *name;  /**< without the dashes; "memory" */
    const char *value; /**< placeholder of its value ("SIZE"), NULL for a flag */
    const char *help;  /**< one line, no full stop */
    bool repeatable;   /**< may be given more than once */
};

struct vt_args;

struct vt_verb {
    const char *name;
    const char *alias;    /**< or NULL */
    const char *group;    /**< heading in the overview: "Machines", "Memory", … */
    const char *summary;  /**< one line, no full stop */
    const char *operands; /**< "VM ADDR LEN", "[VM]", "" */
    unsigned min_operands, max_operands;
    const struct vt_option *options; /**< or NULL */
    const char *description;         /**< paragraphs for the man page and --help, or NULL */
    const char *examples;            /**< lines for the man page and --help, or NULL */
    const struct vt_column *columns; /**< what its rows say, for the man page and --help, or NULL */
    unsigned n_columns;
    /** What its first operand may be, or NULL: verbs with a word more in their names ("gpu state"),
     *  ended by NULL. They are run in its place, with the operands after the word. */
    const struct vt_verb *const *words;
    /** Where there are words: run when the first operand is none of them. NULL: it must be one. */
    int (*run)(const struct vt_args *args);
};

/** All verbs, ended by NULL: the table of verbs.c, and one for each noun of vitrine/linux.h that
 *  has none there. */
const struct vt_verb *const *vt_verbs(void);
const struct vt_verb *vt_verb_find(const char *name);
/** The verb of that word, or NULL. */
const struct vt_verb *vt_verb_word(const struct vt_verb *verb, const char *word);
/** The word alone: "state" of "gpu state". */
const char *vt_verb_last_word(const struct vt_verb *verb);

/* ---- arguments, after parsing: everything named here was checked against the verb's table ---- */

/** Operand i, or NULL. */
const char *vt_args_operand(const struct vt_args *args, unsigned i);
unsigned vt_args_operands(const struct vt_args *args);
bool vt_args_flag(const struct vt_args *args, const char *name);
/** The (last) value, or NULL when not given. */
const char *vt_args_value(const struct vt_args *args, const char *name);
/** The i-th value of a repeatable option, or NULL past the end. */
const char *vt_args_value_at(const struct vt_args *args, const char *name, unsigned i);
/** All of them, ended by NULL; the array is the caller's to free, NULL when out of memory. */
const char **vt_args_values(const struct vt_args *args, const char *name);
/** Values with a default. On a bad one they print a usage message and return a non-zero exit code;
 *  0 is success. */
int vt_args_bytes(const struct vt_args *args, const char *name, uint64_t fallback, uint64_t *out);
int vt_args_u64(const struct vt_args *args, const char *name, uint64_t fallback, uint64_t *out);
int vt_args_duration(const struct vt_args *args, const char *name, uint64_t fallback_ns,
                     uint64_t *out_ns);
bool vt_args_json(const struct vt_args *args);
bool vt_args_pretty(const struct vt_args *args);

/* ---- messages ---- */

/** "vitrine VERB: message" on stderr; returns VT_EXIT_USAGE. */
int vt_usage_error(const struct vt_args *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** The same for a failure; returns the exit code that fits it. */
int vt_report(const struct vt_args *args, const struct vt_error *err);
/** A line of progress on stderr. On a terminal it replaces the one before; elsewhere each stands on
 *  its own line. An empty text clears it. */
void vt_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** Progress of work that may take long: "WHAT: 45 %", first after half a second and then now and
 *  then. `what` is borrowed; zero the rest. Call it as often as you like; with done == total at the
 *  end, which clears it. */
struct vt_share {
    const char *what;
    uint64_t next_ns; /* when to tell again */
    bool told;
};
void vt_progress_share(struct vt_share *share, uint64_t done, uint64_t total);
/** The same as a callback of work that a signal may end: `share` is a struct vt_share. */
int vt_cli_progress(uint64_t done, uint64_t total, void *share);
/** Set when SIGINT, SIGTERM or SIGHUP arrived; long verbs pass it as the `stop` of waits. */
extern volatile int vt_interrupted;

/* ---- rows: one description, shown as an aligned table, JSON, or JSON lines ---- */

struct vt_rows;

/** Begins output on stdout. `columns` must outlive it; a table asks for their kinds at the end. */
int vt_rows_create(const struct vt_args *args, const struct vt_column *columns, unsigned n,
                   struct vt_rows **rows, struct vt_error *err);
/** The same; in JSON the rows become the array `member` of an object, which gets more members
 *  through vt_rows_members. */
int vt_rows_create_in(const struct vt_args *args, const char *member,
                      const struct vt_column *columns, unsigned n, struct vt_rows **rows,
                      struct vt_error *err);
/** Where rows go and as what. */
struct vt_output {
    FILE *out;
    bool json, pretty;
};
/** The same, elsewhere; `member` may be NULL. */
int vt_rows_create_to(const struct vt_output *to, const char *member,
                      const struct vt_column *columns, unsigned n, struct vt_rows **rows,
                      struct vt_error *err);
/** Ends the rows; the writer is inside the object. NULL when the output is a table. */
struct vt_json_writer *vt_rows_members(struct vt_rows *rows);
/* The cells of a row, in column order; after the last one the row is complete. */
void vt_cell_text(struct vt_rows *rows, const char *text);
void vt_cell_u64(struct vt_rows *rows, uint64_t value); /**< U64, HEX, BYTES and SECONDS columns */
void vt_cell_i64(struct vt_rows *rows, int64_t value);
void vt_cell_f64(struct vt_rows *rows, double value);
void vt_cell_bool(struct vt_rows *rows, bool value);
void vt_cell_none(struct vt_rows *rows); /**< unknown: "-" and null */
/** Of any kind, as it is to be shown: one line, safe for a terminal. In tables only. */
void vt_cell_formatted(struct vt_rows *rows, const char *text);
/** The next cells from a record: those of the next `n` columns. */
void vt_cell_record(struct vt_rows *rows, const void *record, unsigned n);
/** Writes what is still held back and frees. Returns VT_EXIT_OK, or VT_EXIT_FAILED when it
 *  could not be written (said on stderr). */
int vt_rows_finish(struct vt_rows *rows);

/** Writes out what a stream still holds. VT_EXIT_OK, or VT_EXIT_FAILED when that or an earlier
 * write failed, said on stderr unless the reader went away. */
int vt_output_finish(FILE *out);

#endif
