/* semantic/question.c - from chunks to readings: every rule is tried, the best explain the
 * question. See question.h. */
#include "semantic/question.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* What explaining a chunk adds, and leaving it takes away. */
static const int gains[] = {
    [VT_WEIGHT_NONE] = 0, [VT_WEIGHT_LIGHT] = 1, [VT_WEIGHT_ASK] = 1,
    [VT_WEIGHT_WORD] = 4, [VT_WEIGHT_HEAVY] = 4, [VT_WEIGHT_UNKNOWN] = 3,
};
enum {
    NO_MATCH = -1,
    COST_ASK = 1,
    COST_UNKNOWN = 5,
    SURE = 8, /* so well explained that one word nobody knows does not matter */
    ELEMENTS_MAX = 32,
    DAY_S = 86400,
};

struct match {
    int score;
    struct vt_slots slots;
    const char *unknown; /* a word left unexplained, or NULL */
    bool joined;         /* an "and" was left unexplained */
};

struct candidate {
    int score;
    struct vt_question question;
    const char *unknown;
    bool joined;
};

struct candidates {
    unsigned n;
    struct candidate at[VT_READINGS_MAX];
};

/* ---------------------------------------------------------------- one rule */

/* Chunks that fit any rule: they fill slots of their own. */
static bool floats(const struct vt_chunk *chunk)
{
    static const char *const names[] = {"SINCE", "AGO",   "LIMIT",  "HIGHLIGHT", "COUNT",
                                        "UID",   "PROTO", "RECENT", "MIN"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(chunk->concept, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Finds a chunk for each element; used[] marks them. In sequence each follows the one before. */
static bool assign(const struct vt_rule *rule, const struct vt_chunks *chunks, bool *used,
                   struct match *match)
{
    struct vt_element element;
    const char *pattern = rule->pattern;
    unsigned from = 0;
    bool in_order = (rule->flags & VT_RULE_SEQUENCE) != 0;
    while (vt_element_next(&pattern, &element)) {
        unsigned i = in_order ? from : 0;
        while (i < chunks->n && (used[i] || !vt_element_takes(&element, &chunks->at[i]))) {
            i++;
        }
        if (i < chunks->n) {
            used[i] = true;
            from = i + 1;
            match->score += gains[chunks->at[i].weight];
            vt_element_fill(&element, &chunks->at[i], &match->slots);
        } else if (!element.optional) {
            return false;
        }
    }
    return true;
}

/* "the last lines of the log, log lines": said twice is said once, unless it says which. */
static bool repeats(const struct vt_chunks *chunks, const bool *used, unsigned i)
{
    const struct vt_chunk *chunk = &chunks->at[i];
    const struct vt_slots *s = &chunk->slots;
    bool which = s->name != NULL || s->path != NULL || s->host != NULL || s->pid >= 0 ||
                 s->port >= 0 || s->address != UINT64_MAX || s->role != NULL;
    for (unsigned k = 0; !which && k < chunks->n; k++) {
        const struct vt_chunk *other = &chunks->at[k];
        if (k != i && used[k] && strcmp(other->concept, chunk->concept) == 0 &&
            other->number == chunk->number && s->area == other->slots.area) {
            return true;
        }
    }
    return false;
}

/* One word that nobody knows may be passed over, a number or a path in disguise may not. */
static bool may_be_left(const struct vt_chunk *chunk)
{
    return chunk->weight == VT_WEIGHT_UNKNOWN && strpbrk(chunk->text, "0123456789./:@_") == NULL;
}

/* Takes off what the rule leaves; false when it must not be left. */
static bool charge(const struct vt_chunks *chunks, const bool *used, struct match *match)
{
    unsigned unknown = 0;
    for (unsigned i = 0; i < chunks->n; i++) {
        const struct vt_chunk *chunk = &chunks->at[i];
        match->joined |= !used[i] && strcmp(chunk->concept, "and") == 0;
        if (used[i] || chunk->weight <= VT_WEIGHT_LIGHT) {
            continue;
        }
        if (floats(chunk)) {
            vt_slots_merge(&match->slots, &chunk->slots);
        } else if (chunk->weight == VT_WEIGHT_ASK) {
            match->score -= COST_ASK;
        } else if (may_be_left(chunk) && unknown++ == 0) {
            match->unknown = chunk->text;
        } else if (!repeats(chunks, used, i)) {
            return false;
        }
    }
    if (match->unknown != NULL && (unknown > 1 || match->score < SURE)) {
        return false;
    }
    match->score -= match->unknown != NULL ? COST_UNKNOWN : 0;
    return true;
}

/* "At 10:30": then, or where only a span makes sense, the minute that begins then; but what is so
 * at a time is no change. */
static bool is_moment(const struct vt_slots *slots)
{
    return slots->until_clock >= 0 && slots->since_clock < 0 && slots->since_s < 0;
}

/* Whether the rule takes what else was said: times, numbers, users. */
static bool takes_slots(const struct vt_rule *rule, const struct vt_slots *slots)
{
    bool ago = (rule->flags & VT_RULE_AGO) != 0, needs = (rule->flags & VT_RULE_NEEDS) != 0;
    bool moment = is_moment(slots);
    bool minute = moment && !ago && !(needs && rule->intent == VT_INTENT_CHANGES);
    const struct {
        unsigned flag;
        bool said;
    } more[] = {
        {VT_RULE_SIZE, slots->min_bytes >= 0},
        {VT_RULE_SINCE, slots->since_s >= 0 || slots->since_clock >= 0 || slots->recent || minute},
        {VT_RULE_AGO, (slots->until_s >= 0 && slots->since_s < 0) || (moment && !minute)},
        {VT_RULE_LIMIT, slots->limit >= 0},
        {VT_RULE_COUNT, slots->count},
        {VT_RULE_UID, slots->uid >= 0},
        {VT_RULE_PROTO, slots->proto != NULL},
    };
    bool first = true;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        bool takes = (rule->flags & more[i].flag) != 0;
        if (more[i].said && !takes) {
            return false;
        }
        if (takes && first && needs && !more[i].said) {
            return false;
        }
        first = first && !takes;
    }
    if (slots->since_clock >= 0 && slots->since_s >= 0) {
        return false; /* two different times */
    }
    return slots->port <= UINT16_MAX && slots->pid <= INT32_MAX && slots->uid <= UINT32_MAX &&
           slots->limit != 0 && slots->limit <= UINT32_MAX && slots->min_bytes < VT_QUESTION_EVER;
}

static bool try_rule(const struct vt_rule *rule, const struct vt_chunks *chunks,
                     struct match *match)
{
    bool used[VT_WORDS_MAX] = {false};
    *match = (struct match){.slots = vt_slots_none};
    if (!assign(rule, chunks, used, match) || !charge(chunks, used, match) || match->score <= 0) {
        return false;
    }
    if (match->slots.since_s == DAY_S && !match->slots.yesterday &&
        (match->slots.since_clock >= 0 || match->slots.until_clock >= 0)) {
        match->slots.since_s = -1; /* "today at 10:30" */
    }
    if (!takes_slots(rule, &match->slots)) {
        return false;
    }
    if (is_moment(&match->slots) && (rule->flags & VT_RULE_AGO) == 0) {
        match->slots.since_clock = match->slots.until_clock;
        match->slots.until_clock += 60;
        match->score--;
    }
    return true;
}

/* ---------------------------------------------------------------- readings */

static void copy(char *to, size_t bytes, const char *from)
{
    size_t length = from != NULL ? strlen(from) : 0, n = 0;
    while (n < length) {
        size_t step = vt_utf8_length(from + n, length - n);
        if (step == 0 || n + step >= bytes) {
            break;
        }
        n += step;
    }
    if (n > 0) {
        memcpy(to, from, n);
    }
    to[n] = '\0';
}

static void make_question(const struct vt_rule *rule, const struct vt_slots *slots,
                          struct vt_question *q)
{
    const char *area = rule->area != NULL ? rule->area : slots->area;
    memset(q, 0, sizeof *q);
    q->intent = rule->intent;
    if ((rule->flags & VT_RULE_PROTO) != 0 && slots->proto != NULL) {
        area = slots->proto;
    }
    copy(q->role, sizeof q->role, slots->role);
    copy(q->name, sizeof q->name, slots->name);
    copy(q->path, sizeof q->path, slots->path);
    copy(q->host, sizeof q->host, slots->host);
    copy(q->area, sizeof q->area, area);
    q->pid = slots->pid;
    q->uid = slots->uid;
    q->port = slots->port;
    q->limit = slots->limit;
    q->since_s = slots->since_s;
    q->until_s = slots->until_s;
    q->since_clock = slots->since_clock;
    q->until_clock = slots->until_clock;
    q->yesterday = slots->yesterday;
    q->min_bytes = slots->min_bytes;
    q->address = slots->address;
    q->highlight = slots->highlight;
    q->count = slots->count;
    vt_question_say(q);
}

/* A reading says all there is in a question. */
static bool same(const struct vt_question *a, const struct vt_question *b)
{
    return a->intent == b->intent && strcmp(a->reading, b->reading) == 0;
}

/* Keeps the readings with the best score, each once. */
static void consider(struct candidates *best, const struct match *match,
                     const struct vt_question *question)
{
    int score = match->score;
    if (best->n > 0 && score < best->at[0].score) {
        return;
    }
    if (best->n > 0 && score > best->at[0].score) {
        best->n = 0;
    }
    for (unsigned i = 0; i < best->n; i++) {
        if (same(&best->at[i].question, question)) {
            return;
        }
    }
    if (best->n < VT_READINGS_MAX) {
        best->at[best->n++] = (struct candidate){score, *question, match->unknown, match->joined};
    }
}

static void read_clause(const struct vt_chunks *chunks, struct candidates *best)
{
    best->n = 0;
    for (const struct vt_rule *rule = vt_rules; rule->pattern != NULL; rule++) {
        struct match match;
        struct vt_question question;
        if (try_rule(rule, chunks, &match)) {
            make_question(rule, &match.slots, &question);
            consider(best, &match, &question);
        }
    }
}

/* ---------------------------------------------------------------- several things at once */

static bool joins(const struct vt_chunk *chunk)
{
    return strcmp(chunk->concept, "and") == 0 || strcmp(chunk->concept, ",") == 0;
}

static bool alike(const struct vt_chunk *a, const struct vt_chunk *b)
{
    return strcmp(a->concept, b->concept) == 0 ||
           (vt_concept_is_who(a->concept) && vt_concept_is_who(b->concept));
}

/* The first group "A, B and C": which chunks, and how many. They are alike, or the first two around
 * an "and". */
static unsigned find_group(const struct vt_chunks *chunks, bool all_alike,
                           unsigned members[VT_READINGS_MAX])
{
    for (unsigned i = 0; i < chunks->n; i++) {
        unsigned n = 1, last = i;
        bool joined = false, said = false;
        members[0] = i;
        if (chunks->at[i].weight < VT_WEIGHT_WORD) {
            continue;
        }
        for (unsigned k = i + 1; k < chunks->n; k++) {
            const struct vt_chunk *chunk = &chunks->at[k];
            if (joins(chunk)) {
                joined = true;
                said |= strcmp(chunk->concept, "and") == 0;
            } else if (chunk->weight <= VT_WEIGHT_LIGHT) {
                continue;
            } else if (joined && n < VT_READINGS_MAX &&
                       (alike(&chunks->at[last], chunk) || (!all_alike && n == 1))) {
                members[n++] = last = k;
                joined = false;
            } else {
                break;
            }
        }
        if (n > 1 && said) {
            return n;
        }
    }
    return 0;
}

/* "ssh and web servers": the first are servers as well. */
static void without(const struct vt_chunks *all, const unsigned *members, unsigned n, unsigned kept,
                    struct vt_chunks *some)
{
    some->n = 0;
    for (unsigned i = 0; i < all->n; i++) {
        bool dropped = false, process = false;
        for (unsigned k = 0; k < n; k++) {
            dropped |= members[k] == i && k != kept;
            process |= strcmp(all->at[members[k]].concept, "PROC") == 0;
        }
        if (dropped) {
            continue;
        }
        some->at[some->n] = all->at[i];
        if (i == members[kept] && process && vt_concept_is_who(all->at[i].concept)) {
            some->at[some->n].concept = "PROC";
        }
        some->n++;
    }
}

static void add_all(struct candidates *to, const struct candidates *from)
{
    for (unsigned i = 0; i < from->n && to->n < VT_READINGS_MAX; i++) {
        bool there = false;
        for (unsigned k = 0; k < to->n; k++) {
            there |= same(&to->at[k].question, &from->at[i].question);
        }
        if (!there) {
            to->at[to->n++] = from->at[i];
        }
    }
}

/* "sshd and nginx" in one place of the question: a reading for each. `clear`: none of them may be
 * ambiguous. */
static bool read_group(const struct vt_chunks *chunks, bool all_alike, bool clear,
                       struct candidates *best)
{
    unsigned members[VT_READINGS_MAX];
    unsigned n = find_group(chunks, all_alike, members);
    struct candidates all = {0}, one;
    struct vt_chunks some;
    for (unsigned i = 0; i < n; i++) {
        without(chunks, members, n, i, &some);
        read_clause(&some, &one);
        if (one.n == 0 || (clear && one.n > 1)) {
            return false;
        }
        add_all(&all, &one);
    }
    if (n > 0) {
        *best = all;
    }
    return n > 0;
}

/* "processes and who listens": two questions in one. */
static void read_parts(const struct vt_chunks *chunks, bool clear, struct candidates *best)
{
    struct candidates all = {0}, one;
    struct vt_chunks part = {0};
    unsigned parts = 0;
    for (unsigned i = 0; i <= chunks->n; i++) {
        if (i < chunks->n && !joins(&chunks->at[i])) {
            part.at[part.n++] = chunks->at[i];
            continue;
        }
        bool says = false;
        for (unsigned k = 0; k < part.n; k++) {
            says |= part.at[k].weight > VT_WEIGHT_LIGHT;
        }
        if (says) {
            read_clause(&part, &one);
            if (one.n == 0 || (clear && one.n > 1)) {
                return;
            }
            add_all(&all, &one);
            parts++;
        }
        part.n = 0;
    }
    if (parts > 1) {
        *best = all;
    }
}

/* Leaves `best` alone when the question cannot be divided. */
static void read_several(const struct vt_chunks *chunks, bool clear, struct candidates *best)
{
    if (!read_group(chunks, true, clear, best) && !read_group(chunks, false, clear, best)) {
        read_parts(chunks, clear, best);
    }
}

/* ---------------------------------------------------------------- sentences */

/* "Did nginx start or stop" orders nothing, though "stop" stands behind "or". */
static bool asks_whether(const struct vt_chunks *chunks, unsigned verb)
{
    unsigned first = 0;
    while (first < chunks->n && chunks->at[first].weight == VT_WEIGHT_NONE) {
        first++;
    }
    for (unsigned i = verb + 1; i < chunks->n; i++) {
        if (chunks->at[i].weight > VT_WEIGHT_LIGHT && !floats(&chunks->at[i])) {
            return false;
        }
    }
    return first < verb && (strcmp(chunks->at[first].concept, "do") == 0 ||
                            strcmp(chunks->at[first].concept, "have") == 0);
}

/* An order begins with its verb: "kill sshd", "please delete …". */
static bool is_order(const struct vt_chunks *chunks, const struct vt_words *words)
{
    for (unsigned i = 0; i < chunks->n; i++) {
        const struct vt_chunk *chunk = &chunks->at[i];
        bool first = chunk->weight != VT_WEIGHT_NONE && !joins(chunk);
        if (!first) {
            continue;
        }
        if (chunk->words == 1 && vt_lexicon_orders_to(words->at[chunk->first].text) &&
            !asks_whether(chunks, i)) {
            return true;
        }
        /* The verb of a second order follows its "and". */
        while (i < chunks->n && !joins(&chunks->at[i])) {
            i++;
        }
    }
    return false;
}

static const struct vt_chunk *stands_in_the_way(const struct vt_chunks *chunks)
{
    const struct vt_chunk *found = NULL;
    for (unsigned i = 0; i < chunks->n; i++) {
        if (found == NULL || chunks->at[i].weight > found->weight) {
            found = &chunks->at[i];
        }
    }
    return found != NULL && found->weight >= VT_WEIGHT_WORD ? found : NULL;
}

struct reading {
    struct vt_understood *to;
    struct candidates all;
    bool failed, user; /* by a user's name */
};

static void fail(struct reading *reading, const struct vt_chunk *unknown)
{
    struct vt_understood *u = reading->to;
    reading->failed = true;
    if (u->unknown[0] == '\0' && unknown != NULL) {
        copy(u->unknown, sizeof u->unknown, unknown->text);
    }
}

static void read_sentence(struct reading *reading, const struct vt_words *words, unsigned first,
                          unsigned last)
{
    struct vt_chunks chunks;
    struct candidates best;
    vt_chunks_make(&chunks, words, first, last);
    bool says = false, content = false;
    for (unsigned i = 0; i < chunks.n; i++) {
        says |= chunks.at[i].weight > VT_WEIGHT_LIGHT;
        content |= chunks.at[i].weight >= VT_WEIGHT_WORD;
    }
    if (!says) {
        return;
    }
    if (content && is_order(&chunks, words)) {
        reading->to->refused = true;
        fail(reading, NULL);
        return;
    }
    read_clause(&chunks, &best);
    if (best.n == 0 || best.at[0].joined) {
        read_several(&chunks, best.n > 0, &best);
    }
    if (best.n == 0) {
        for (unsigned i = 0; i < chunks.n; i++) {
            reading->user |= strcmp(chunks.at[i].concept, "USERNAME") == 0;
        }
        fail(reading, stands_in_the_way(&chunks));
        return;
    }
    if (best.at[0].unknown != NULL && reading->to->unknown[0] == '\0') {
        copy(reading->to->unknown, sizeof reading->to->unknown, best.at[0].unknown);
    }
    add_all(&reading->all, &best);
}

static void conclude(struct reading *reading)
{
    struct vt_understood *u = reading->to;
    if (reading->failed) {
        reading->all.n = 0;
    }
    u->n = reading->all.n;
    for (unsigned i = 0; i < u->n; i++) {
        u->readings[i] = reading->all.at[i].question;
    }
    if (u->n > 1) {
        snprintf(u->why, sizeof u->why, "this can mean %u things", u->n);
    } else if (u->refused) {
        snprintf(u->why, sizeof u->why, "questions only look: nothing in the VM is changed by one");
    } else if (u->n == 0 && reading->user) {
        snprintf(u->why, sizeof u->why,
                 "users are known by number from outside: ask by uid, as in \"processes of uid "
                 "1000\"");
    } else if (u->n == 0 && u->unknown[0] != '\0') {
        snprintf(u->why, sizeof u->why, "I do not understand '%s' here", u->unknown);
    } else if (u->n == 0) {
        snprintf(u->why, sizeof u->why, "I do not understand this");
    }
}

static int check_text(const char *text, struct vt_error *err)
{
    size_t bytes = strnlen(text, VT_QUESTION_MAX + 1);
    if (bytes > VT_QUESTION_MAX) {
        return vt_fail(err, VT_E_INVAL, "a question has at most %d bytes", VT_QUESTION_MAX);
    }
    for (size_t i = 0; i < bytes;) {
        size_t step = vt_printable_length(text + i, bytes - i);
        if (step == 0 && strchr(" \t\r\n", text[i]) == NULL) {
            return vt_fail(err, VT_E_INVAL, "the question is no text (UTF-8) at byte %zu", i);
        }
        i += step > 0 ? step : 1;
    }
    if (strspn(text, " \t\r\n") == bytes) {
        return vt_fail(err, VT_E_INVAL, "the question is empty");
    }
    return 0;
}

int vt_question_parse(const char *text, struct vt_understood *understood, struct vt_error *err)
{
    struct vt_words words;
    int rc = check_text(text, err);
    if (rc != 0) {
        return rc;
    }
    memset(understood, 0, sizeof *understood);
    struct reading reading = {.to = understood};
    vt_words_split(&words, text);
    vt_words_correct(&words);
    reading.failed = words.cut;
    for (unsigned first = 0, i = 0; !reading.failed && i <= words.n; i++) {
        if (i == words.n || words.at[i].kind == VT_WORD_STOP) {
            read_sentence(&reading, &words, first, i);
            first = i + 1;
        }
    }
    conclude(&reading);
    return 0;
}
