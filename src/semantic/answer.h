/* semantic/answer.h - what the functions that answer share; for the files answer*.c only.
 *
 * There is one function an intent (the table in answer.c). It looks things up in SQL and in RAM,
 * says what is so, and leaves rows and places in the answer. Texts of rows are the guest's, as they
 * are; what is said goes through vt_said first.
 */
#ifndef VT_SEMANTIC_ANSWER_H
#define VT_SEMANTIC_ANSWER_H

#include "vitrine/linux.h"
#include "vitrine/semantic.h"

#include <jansson.h>
#include <stdio.h>

#define VT_ANSWER_ROWS_MAX 10000u
/* Of one process each; more are in the rows. */
#define VT_ANSWER_SUBJECTS_MAX 16u

struct vt_answering {
    struct vt_target *target;
    struct vt_sql *sql;
    const volatile int *stop;
    const struct vt_question *q;
    struct vt_answer *answer;
    FILE *text;
    size_t bytes, begins; /* of the text: written out; what stands before the answer itself */
    double from_s, to_s;  /* the times of day asked for, in seconds since 1970; NaN: none */
    size_t room;          /* of answer->places */
    bool nomem;           /* something was lost: the answer fails in the end */
    unsigned examples;    /* bits: which were said */
    char said[16][256];
    unsigned next_said;
};

typedef int vt_intent_fn(struct vt_answering *a, struct vt_error *err);

/* ---- looking ---- */

/** Runs SQL made of a format as sqlite3_mprintf's (%Q quotes a text, %lld). Its rows, an array of
 *  objects with addresses as "0x…", become the answer's, and it the SQL that made them. */
int vt_answer_sql(struct vt_answering *a, struct vt_error *err, const char *format, ...);
/** The same beside the answer: *rows is a new reference. */
int vt_answer_look(struct vt_answering *a, json_t **rows, struct vt_error *err, const char *format,
                   ...);
/** " WHERE a AND b" of those that are not "", or ""; NULL when one is NULL or memory is out. The
 *  caller frees it. */
char *vt_answer_where(char *const *conditions, unsigned n);
/** The verb that shows the same: "vitrine " is put before it. */
void vt_answer_verb(struct vt_answering *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Opens the kernel for looking at RAM, with nothing left in its caches from before. */
int vt_answer_kernel(struct vt_answering *a, struct vt_error *err);
/** VT_E_INTERRUPTED when told to stop. */
int vt_answer_stopped(const struct vt_answering *a, struct vt_error *err);

/* ---- members of a row; 0, NaN and "" where it has none ---- */

int64_t vt_row_int(const json_t *row, const char *key);
double vt_row_real(const json_t *row, const char *key);
const char *vt_row_text(const json_t *row, const char *key);
uint64_t vt_row_address(const json_t *row, const char *key);
/** Sets a member to an address. */
void vt_row_set_address(json_t *row, const char *key, uint64_t value);
void vt_row_set_text(json_t *row, const char *key, const char *text);
/** Guest text as a JSON string: what is not UTF-8 becomes U+FFFD. New reference, or NULL. */
json_t *vt_row_string(const char *text, size_t bytes);

/* ---- saying ---- */

void vt_say(struct vt_answering *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Each belongs to the answering until fifteen more were made. */
const char *vt_said(struct vt_answering *a, const char *guest_text);
const char *vt_said_bytes(struct vt_answering *a, uint64_t bytes);
/** "1 region", "24 regions", "no regions". */
const char *vt_said_count(struct vt_answering *a, uint64_t n, const char *one, const char *many);
/** "12:03:14", with the date unless it is today; local time. */
const char *vt_said_time(struct vt_answering *a, double unix_s);
/** "the last 5 minutes". */
const char *vt_said_span(struct vt_answering *a, int64_t seconds);
/** ", " or " and " before the i-th of n. */
const char *vt_said_comma(size_t i, size_t n);

/* ---- places ---- */

/** Joined with the one before where both go on; cut to RAM. */
void vt_answer_place(struct vt_answering *a, const char *label, int32_t pid, struct vt_gva gva,
                     struct vt_gpa gpa, uint64_t bytes);
/** Everything mapped in [from, to) of an address space. */
int vt_answer_range(struct vt_answering *a, const char *label, int32_t pid,
                    const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                    struct vt_error *err);

/** The kernel's object of each row: the struct `type` at the address `key`. What does not lie in
 *  RAM is left out. */
void vt_answer_objects(struct vt_answering *a, const json_t *rows, const char *key,
                       const char *type);

/* ---- subjects: the processes a question is about (answer_subjects.c) ---- */

/** Whether the question names any: by role, name or pid. */
bool vt_answer_has_subject(const struct vt_question *q);
/** Those it names, as rows with the columns of vt_answer_sql's processes and `evidence`; may be
 *  empty, when that is said already. With `become`, they are the answer's rows. VT_E_NOT_FOUND: no
 *  process has the pid. */
int vt_answer_subjects(struct vt_answering *a, bool become, json_t **found, struct vt_error *err);
/** "(88, 91)" of their pids, malloc'ed. */
char *vt_answer_pids(const json_t *found);
struct vt_role;
/** The condition on p.name and p.args that tells programs of a role; malloc'ed. */
int vt_answer_programs(const struct vt_role *role, char **condition, struct vt_error *err);
/** "dropbear (pid 88)". */
const char *vt_said_process(struct vt_answering *a, const json_t *row);

/* ---- the intents ---- */

vt_intent_fn vt_answer_processes, vt_answer_find_process, vt_answer_process_memory,
    vt_answer_biggest;                                             /* answer_process.c */
vt_intent_fn vt_answer_page_tables, vt_answer_kernel_stacks;       /* answer_pages.c */
vt_intent_fn vt_answer_kernel_memory;                              /* answer_kernel.c */
vt_intent_fn vt_answer_recent_writes;                              /* answer_writes.c */
vt_intent_fn vt_answer_changes, vt_answer_history;                 /* answer_history.c */
vt_intent_fn vt_answer_listeners, vt_answer_connections;           /* answer_sockets.c */
vt_intent_fn vt_answer_files, vt_answer_mounts, vt_answer_modules; /* answer_things.c */
vt_intent_fn vt_answer_symbol;                                     /* answer_symbol.c */
vt_intent_fn vt_answer_system, vt_answer_log;                      /* answer_system.c */
vt_intent_fn vt_answer_suspicious, vt_answer_noun;                 /* answer_nouns.c */

#endif
