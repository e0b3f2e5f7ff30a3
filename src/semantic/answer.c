/* semantic/answer.c - from a question to its answer: reads it, has the function of its intent
 * answer, puts places into the volume; and makes highlights of them. See answer.h.
 */
#include "semantic/answer.h"

#include "base/text.h"
#include "semantic/past.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* clang-format off */
static vt_intent_fn *const intents[VT_INTENTS] = {
    [VT_INTENT_PROCESSES]      = vt_answer_processes,
    [VT_INTENT_FIND_PROCESS]   = vt_answer_find_process,
    [VT_INTENT_PROCESS_MEMORY] = vt_answer_process_memory,
    [VT_INTENT_PAGE_TABLES]    = vt_answer_page_tables,
    [VT_INTENT_KERNEL_STACKS]  = vt_answer_kernel_stacks,
    [VT_INTENT_KERNEL_MEMORY]  = vt_answer_kernel_memory,
    [VT_INTENT_CHANGES]        = vt_answer_changes,
    [VT_INTENT_LISTENERS]      = vt_answer_listeners,
    [VT_INTENT_BIGGEST]        = vt_answer_biggest,
    [VT_INTENT_RECENT_WRITES]  = vt_answer_recent_writes,
    [VT_INTENT_MODULES]        = vt_answer_modules,
    [VT_INTENT_MOUNTS]         = vt_answer_mounts,
    [VT_INTENT_FILES]          = vt_answer_files,
    [VT_INTENT_CONNECTIONS]    = vt_answer_connections,
    [VT_INTENT_SYMBOL]         = vt_answer_symbol,
    [VT_INTENT_SYSTEM]         = vt_answer_system,
    [VT_INTENT_LOG]            = vt_answer_log,
    [VT_INTENT_SUSPICIOUS]     = vt_answer_suspicious,
    [VT_INTENT_HISTORY]        = vt_answer_history,
    [VT_INTENT_NOUN]           = vt_answer_noun,
};
/* clang-format on */

/* ---------------------------------------------------------------- what is no question */

static void say_example(enum vt_intent intent, const char *example, void *arg)
{
    static const enum vt_intent shown[] = {
        VT_INTENT_PROCESSES,     VT_INTENT_FIND_PROCESS,  VT_INTENT_PAGE_TABLES,
        VT_INTENT_KERNEL_MEMORY, VT_INTENT_KERNEL_STACKS, VT_INTENT_CHANGES,
    };
    struct vt_answering *a = arg;
    for (unsigned i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        if (shown[i] == intent && (a->examples & (1u << i)) == 0) {
            a->examples |= 1u << i;
            vt_say(a, "\n  %s", example);
        }
    }
}

static void say_not_understood(struct vt_answering *a, const struct vt_understood *u)
{
    const char *why = u->why[0] != '\0' ? vt_said(a, u->why) : "that was not understood";
    vt_say(a, "%c%s.", toupper((unsigned char)why[0]), why + 1);
    vt_say(a, "\nThese can be asked, among others:");
    vt_question_examples(say_example, a);
}

static void say_ambiguous(struct vt_answering *a, const struct vt_understood *u)
{
    vt_say(a, "That could mean %u things. Ask for one of them:", u->n);
    for (unsigned i = 0; i < u->n; i++) {
        vt_say(a, "\n  %s", vt_said(a, u->readings[i].reading));
    }
}

/* ---------------------------------------------------------------- of a VM that ended */

/* When: "web ended at 12:03:14". */
static void ended_when(struct vt_answering *a, const struct vt_past *past, char text[160])
{
    if (past->ended_s > 0) {
        snprintf(text, 160, "%s ended at %s", a->target->name, vt_said_time(a, past->ended_s));
    } else {
        snprintf(text, 160, "%s has ended", a->target->name);
    }
}

/* Answers by the last sample, or says that it would take the memory, too. */
static int answer_past(struct vt_answering *a, vt_intent_fn *intent, struct vt_error *err)
{
    struct vt_past past;
    char when[160];
    int rc = vt_past_read(a->sql, &past, err);
    if (rc != 0) {
        return rc;
    }
    ended_when(a, &past, when);
    vt_say(a, "%s; its database says, as of %s:\n", when, vt_said_time(a, past.last_s));
    fflush(a->text);
    a->begins = a->bytes;
    rc = intent(a, err);
    return rc == VT_E_GONE
               ? vt_fail(err, rc, "%s; that would be in its memory, and only its database is left",
                         when)
               : rc;
}

/* ---------------------------------------------------------------- times of day */

/* That time of day on the day of `day_s`, or `days` after it; local time, as all that is said. */
static double time_on(double day_s, int64_t clock, int days)
{
    time_t day = (time_t)day_s;
    struct tm t;
    if (localtime_r(&day, &t) == NULL) {
        return NAN;
    }
    t.tm_mday += days;
    t.tm_hour = (int)(clock / 3600);
    t.tm_min = (int)(clock / 60 % 60);
    t.tm_sec = (int)(clock % 60);
    t.tm_isdst = -1;
    time_t made = mktime(&t);
    return made != (time_t)-1 ? (double)made : NAN;
}

static double last_time(const struct vt_question *q, double now_s, int64_t clock)
{
    double today = time_on(now_s, clock, 0);
    return q->yesterday || today > now_s ? time_on(now_s, clock, -1) : today;
}

/* Sets since_s and until_s from times of day. The end of a span follows its beginning; one that is
 * still to come is none. */
static int find_times(struct vt_answering *a, struct vt_question *q, struct vt_error *err)
{
    json_t *rows;
    if (q->since_clock < 0 && q->until_clock < 0) {
        return 0;
    }
    int rc = vt_answer_look(a, &rows, err, "SELECT time FROM sample");
    if (rc != 0) {
        return rc;
    }
    double now = vt_row_real(json_array_get(rows, 0), "time");
    json_decref(rows);
    if (!(fabs(now) < 1e11)) {
        return vt_fail(err, VT_E_NOT_FOUND, "%s was never sampled", a->target->name);
    }
    if (q->since_clock >= 0) {
        a->from_s = last_time(q, now, q->since_clock);
    }
    if (q->until_clock >= 0 && q->since_clock >= 0) {
        a->to_s = time_on(a->from_s, q->until_clock, 0);
        a->to_s = a->to_s > a->from_s ? a->to_s : time_on(a->from_s, q->until_clock, 1);
    } else if (q->until_clock >= 0) {
        a->to_s = last_time(q, now, q->until_clock);
    }
    a->to_s = a->to_s < now ? a->to_s : NAN;
    if (!isnan(a->from_s)) {
        q->since_s = (int64_t)ceil(now - a->from_s);
    }
    if (!isnan(a->to_s)) {
        q->until_s = (int64_t)fmax(1, now - a->to_s);
    }
    return 0;
}

/* ---------------------------------------------------------------- asking */

static int finish(struct vt_answering *a, struct vt_error *err)
{
    struct vt_answer *answer = a->answer;
    if (a->target->ended) { /* a verb would have nothing to show */
        free(answer->verb);
        answer->verb = NULL;
    }
    for (size_t i = 0; i < answer->n_all_places; i++) {
        struct vt_place *p = &answer->places[i];
        struct vt_off off;
        int rc = vt_ram_offset(a->target->ram, p->gpa, &off, NULL, err);
        if (rc == 0) {
            rc = vt_volume_box(answer->volume_order, off, p->bytes, &p->box, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    answer->n_places =
        answer->n_all_places < VT_ANSWER_PLACES_MAX ? answer->n_all_places : VT_ANSWER_PLACES_MAX;
    answer->places_cut |= answer->n_all_places > answer->n_places;
    if (answer->rows == NULL) {
        answer->rows = json_array();
    }
    return a->nomem || answer->rows == NULL ? vt_fail(err, VT_E_NOMEM, "out of memory") : 0;
}

static int answer_it(struct vt_answering *a, struct vt_error *err)
{
    struct vt_answer *answer = a->answer;
    const struct vt_understood *u = &answer->readings;
    if (u->n > 0) {
        answer->question = u->readings[0];
    }
    if (u->n == 0) {
        say_not_understood(a, u);
    } else if (u->n > 1) {
        say_ambiguous(a, u);
    } else {
        answer->understood = true;
        assert(answer->question.intent < VT_INTENTS);
        vt_intent_fn *intent = intents[answer->question.intent];
        int rc = find_times(a, &answer->question, err);
        rc = rc != 0 ? rc : a->target->ended ? answer_past(a, intent, err) : intent(a, err);
        if (rc != 0) {
            return rc;
        }
        if (u->unknown[0] != '\0') {
            vt_say(a, "\nThe word '%s' was passed over.", vt_said(a, u->unknown));
        }
    }
    return finish(a, err);
}

int vt_ask(struct vt_target *target, struct vt_sql *sql, const char *question,
           const volatile int *stop, struct vt_answer *answer, struct vt_error *err)
{
    struct vt_answer made = {.volume_order =
                                 target->ended ? 0 : vt_volume_order(vt_ram_size(target->ram))};
    struct vt_answering a = {.target = target,
                             .sql = sql,
                             .stop = stop,
                             .q = &made.question,
                             .answer = &made,
                             .from_s = NAN,
                             .to_s = NAN};
    int rc = vt_question_parse(question, &made.readings, err);
    if (rc != 0) {
        return rc;
    }
    a.text = open_memstream(&made.text, &a.bytes);
    if (a.text == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    rc = vt_answer_stopped(&a, err);
    rc = rc != 0 ? rc : answer_it(&a, err);
    bool lost = ferror(a.text) != 0;
    lost |= fclose(a.text) != 0;
    if (rc == 0 && lost) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    if (rc != 0) {
        vt_answer_fini(&made);
        return rc;
    }
    char *begins = made.text + a.begins;
    if (strncmp(begins, "no ", 3) == 0) { /* as vt_said_count counts nothing */
        begins[0] = 'N';
    }
    *answer = made;
    return 0;
}

void vt_answer_fini(struct vt_answer *answer)
{
    for (size_t i = 0; i < answer->n_labels; i++) {
        free(answer->labels[i]);
    }
    free(answer->labels);
    free(answer->places);
    free(answer->text);
    free(answer->sql);
    free(answer->verb);
    json_decref(answer->rows);
    *answer = (struct vt_answer){0};
}

/* ---------------------------------------------------------------- highlights */

static void add_to_name(char name[VT_HIGHLIGHT_NAME_MAX + 1], const char *text)
{
    size_t n = strlen(name);
    if (n > 0 && n < VT_HIGHLIGHT_NAME_MAX) {
        name[n++] = '-';
    }
    for (; *text != '\0' && n < VT_HIGHLIGHT_NAME_MAX; text++) {
        bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
                     (*text >= 'A' && *text <= 'Z');
        name[n++] = plain ? *text : '_';
    }
    name[n] = '\0';
}

/* "process_memory-ssh-stack" */
static void name_of(const struct vt_question *q, char name[VT_HIGHLIGHT_NAME_MAX + 1])
{
    char number[24];
    const char *parts[] = {vt_intent_name(q->intent), q->role, q->name, q->area};
    name[0] = '\0';
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i][0] != '\0') {
            add_to_name(name, parts[i]);
        }
    }
    if (q->pid >= 0) {
        snprintf(number, sizeof number, "%" PRId64, q->pid);
        add_to_name(name, number);
    }
}

/* Those with the label, or with NULL all. */
static int put(const struct vt_answer *answer, struct vt_vm *vm, const char *name, const char *only,
               const char *label, struct vt_error *err)
{
    struct vt_gpa_run *runs = calloc(answer->n_all_places, sizeof *runs);
    size_t n = 0;
    if (runs == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < answer->n_all_places; i++) {
        const struct vt_place *p = &answer->places[i];
        if (only == NULL || strcmp(p->label, only) == 0) {
            runs[n++] = (struct vt_gpa_run){p->gpa, p->bytes};
        }
    }
    int rc = vt_highlights_put(vm, name, label, NULL, runs, n, err);
    free(runs);
    return rc;
}

int vt_answer_highlight(const struct vt_answer *answer, struct vt_vm *vm, const char *name,
                        struct vt_error *err)
{
    const struct vt_question *q = &answer->question;
    char whole[VT_HIGHLIGHT_NAME_MAX + 1];
    if (answer->n_all_places == 0) {
        return vt_fail(err, VT_E_INVAL, "the answer speaks of no place in memory");
    }
    if (name == NULL) {
        name_of(q, whole);
        name = whole;
    }
    if (q->intent != VT_INTENT_KERNEL_MEMORY) {
        return put(answer, vm, name, NULL, q->reading[0] != '\0' ? q->reading : name, err);
    }
    /* Of several kinds: each gets a highlight of its own, and so a colour. Places of a kind stand
     * together. */
    int rc = 0;
    const char *last = "";
    for (size_t i = 0; i < answer->n_all_places && rc == 0; i++) {
        const char *label = answer->places[i].label;
        if (strcmp(label, last) != 0) {
            char part[VT_HIGHLIGHT_NAME_MAX + 1];
            snprintf(part, sizeof part, "%s", name);
            add_to_name(part, label);
            rc = put(answer, vm, part, label, label, err);
            last = label;
        }
    }
    return rc;
}
