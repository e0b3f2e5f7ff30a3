/* semantic/answer_nouns.c - answers made of nouns: the checks that find what hides or was changed,
 * and whatever else the kernel keeps.
 */
#include "semantic/answer.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- checks */

extern const struct vt_noun vt_noun_malfind;

/* Which checks an area means; "" all that there are. */
static const struct {
    const char *area;
    const char *nouns[8];
} checks[] = {
    {"processes", {"hidden", "malfind"}},
    {"modules", {"hidden", "inline"}},
    {"syscalls", {"syscalls", "idt"}},
    {"code", {"malfind", "bpf"}},
    {"hooks", {"syscalls", "idt", "ftrace", "kprobes", "notifiers", "inline", "netfilter"}},
    {"network", {"netfilter", "sockets"}},
};

static bool is_asked_for(const char *area, const char *noun)
{
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (strcmp(area, checks[i].area) == 0) {
            for (size_t k = 0; k < 8 && checks[i].nouns[k] != NULL; k++) {
                if (strcmp(noun, checks[i].nouns[k]) == 0) {
                    return true;
                }
            }
            return false;
        }
    }
    return true;
}

struct checking {
    struct vt_answering *a;
    const struct vt_noun *noun;
    uint64_t findings;
    struct vt_error *err;
};

/* Each row of malfind is one: memory that nobody vouches for. */
static const char *finding_of(const struct checking *c, const struct vt_row *row, char text[256])
{
    if (c->noun != &vt_noun_malfind) {
        return row->finding;
    }
    const struct vt_suspect *s = (const struct vt_suspect *)row;
    snprintf(text, 256, "%.16s (pid %" PRId32 ") has memory at 0x%" PRIx64 ": %.64s%s%.24s",
             s->comm, s->pid, s->start.v, s->reason,
             s->looks[0] != '\0' ? "; it looks like a " : "", s->looks);
    return text;
}

/* The memory a finding is about: what malfind found, or the kernel's object. */
static void add_place(struct checking *c, const struct vt_row *row)
{
    struct vt_answering *a = c->a;
    char label[64];
    struct vt_space space;
    struct vt_gpa gpa;
    if (c->noun == &vt_noun_malfind) {
        const struct vt_suspect *s = (const struct vt_suspect *)row;
        snprintf(label, sizeof label, "%.16s malfind", s->comm);
        if (vt_target_space(a->target, s->pid, &space, NULL) == 0) {
            vt_answer_range(a, label, s->pid, &space, s->start, s->end, NULL);
        }
    } else if (row->at.v >> 63 != 0 &&
               vt_space_translate(vt_kernel_space(a->target->kernel), row->at, &gpa, NULL) == 0) {
        snprintf(label, sizeof label, "%s finding", c->noun->name);
        vt_answer_place(a, label, 0, VT_GVA(row->at.v & ~(VT_PAGE_BYTES - 1)),
                        VT_GPA(gpa.v & ~(VT_PAGE_BYTES - 1)), VT_PAGE_BYTES);
    }
}

static int on_checked(const struct vt_row *row, void *arg)
{
    struct checking *c = arg;
    char text[256];
    const char *finding = finding_of(c, row, text);
    int rc = vt_answer_stopped(c->a, c->err);
    if (rc != 0 || finding[0] == '\0') {
        return rc;
    }
    c->findings++;
    json_t *rows = c->a->answer->rows, *found;
    if (json_array_size(rows) == VT_ANSWER_ROWS_MAX) {
        c->a->answer->rows_cut = true;
        return 0;
    }
    found = json_pack("{s:s, s:s}", "check", c->noun->name, "trust", vt_trust_name(row->trust));
    if (found == NULL || json_array_append_new(rows, found) != 0) {
        return vt_fail(c->err, VT_E_NOMEM, "out of memory");
    }
    vt_row_set_text(found, "finding", finding);
    vt_row_set_address(found, "at", row->at.v);
    add_place(c, row);
    return 0;
}

int vt_answer_suspicious(struct vt_answering *a, struct vt_error *err)
{
    char unable[256] = "", done[256] = "";
    uint64_t n = 0, checked = 0, findings = 0, torn = 0;
    int rc = vt_answer_kernel(a, err);
    a->answer->rows = json_array();
    if (rc == 0 && a->answer->rows == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    for (const struct vt_noun *const *noun = vt_nouns; *noun != NULL && rc == 0; noun++) {
        struct checking c = {.a = a, .noun = *noun, .err = err};
        struct vt_noun_result result = {0};
        if (!((*noun)->checks || *noun == &vt_noun_malfind) ||
            !is_asked_for(a->q->area, (*noun)->name)) {
            continue;
        }
        rc = vt_noun_walk(a->target->kernel, *noun, NULL, on_checked, &c, &result, err);
        bool cannot = rc == VT_E_NOT_FOUND || rc == VT_E_UNSUPPORTED;
        char *list = cannot ? unable : done;
        size_t used = strlen(list);
        snprintf(list + used, sizeof done - used, "%s%s", used > 0 ? ", " : "", (*noun)->name);
        if (cannot) {
            rc = 0;
            continue;
        }
        n++;
        checked += result.checked != 0 ? result.checked : result.rows;
        findings += c.findings;
        torn += result.torn || result.torn_rows > 0;
    }
    if (rc != 0) {
        return rc;
    }
    const json_t *rows = a->answer->rows;
    vt_say(a, "%s of %" PRIu64 " things (%s): %s.", vt_said_count(a, n, "check", "checks"), checked,
           done, vt_said_count(a, findings, "finding", "findings"));
    for (size_t i = 0; i < json_array_size(rows) && i < 10; i++) {
        const json_t *row = json_array_get(rows, i);
        vt_say(a, "\n  %s: %s", vt_row_text(row, "check"), vt_said(a, vt_row_text(row, "finding")));
    }
    if (json_array_size(rows) > 10) {
        vt_say(a, "\n  …");
    }
    if (unable[0] != '\0') {
        vt_say(a, "\nNot possible with this kernel: %s.", unable);
    }
    if (torn > 0) {
        vt_say(a, "\n%s met things that changed under it, and may have missed some.",
               vt_said_count(a, torn, "check", "checks"));
    }
    if (findings == 0) {
        vt_say(a, "\nThat is no proof that nothing is there: it is what these checks can see.");
    }
    vt_answer_verb(a, "%s %s",
                   strcmp(a->q->area, "syscalls") == 0  ? "syscalls"
                   : strcmp(a->q->area, "code") == 0    ? "malfind"
                   : strcmp(a->q->area, "network") == 0 ? "netfilter"
                                                        : "hidden",
                   a->target->name);
    return 0;
}

/* ---------------------------------------------------------------- any noun */

int vt_answer_noun(struct vt_answering *a, struct vt_error *err)
{
    const struct vt_question *q = a->q;
    const struct vt_noun *noun = vt_noun_find(q->area);
    json_t *found = NULL;
    int64_t pid = -1;
    int rc = 0;
    if (noun == NULL) {
        return vt_fail(err, VT_E_INVAL, "there is no noun '%s'", q->area);
    }
    if (vt_answer_has_subject(q)) {
        rc = vt_answer_subjects(a, true, &found, err);
        if (rc != 0 || json_array_size(found) == 0) {
            json_decref(rc == 0 ? found : NULL);
            return rc;
        }
        pid = vt_row_int(json_array_get(found, 0), "pid");
    }
    bool has_pid = false;
    for (unsigned i = 0; i < noun->n_columns; i++) {
        has_pid |= strcmp(noun->columns[i].key, "pid") == 0;
    }
    char limit[32] = "";
    if (q->limit > 0) {
        snprintf(limit, sizeof limit, " LIMIT %" PRId64, q->limit);
    }
    const char *column = noun->by_pid ? "query_pid" : "pid";
    char *where = pid >= 0 && (noun->by_pid || has_pid)
                      ? sqlite3_mprintf(" WHERE %s = %lld", column, (long long)pid)
                      : sqlite3_mprintf("");
    rc = where == NULL
             ? vt_fail(err, VT_E_NOMEM, "out of memory")
             : vt_answer_sql(a, err, "SELECT * FROM live.%s%s%s", noun->name, where, limit);
    if (rc == 0 && noun->by_pid && pid >= 0) {
        vt_answer_verb(a, "%s %s --pid %" PRId64, noun->name, a->target->name, pid);
    } else if (rc == 0) {
        vt_answer_verb(a, "%s %s", noun->name, a->target->name);
    }
    if (rc == 0) {
        size_t n = json_array_size(a->answer->rows), findings = 0;
        for (size_t i = 0; i < n; i++) {
            findings += vt_row_text(json_array_get(a->answer->rows, i), "finding")[0] != '\0';
        }
        /* "List network interfaces", "Show the guest's CPUs": what the rows are follows. */
        const char *what = strchr(noun->summary, ' ');
        vt_say(a, "%s of %s", vt_said_count(a, n, "row", "rows"), noun->name);
        if (pid >= 0 && where[0] != '\0') {
            vt_say(a, " of %s", vt_said_process(a, json_array_get(found, 0)));
        }
        vt_say(a, ":%s", what != NULL ? what : "");
        if (noun->checks) {
            vt_say(a, ", %s", vt_said_count(a, findings, "finding", "findings"));
        }
        vt_say(a, ".");
    }
    sqlite3_free(where);
    json_decref(found);
    return rc;
}
