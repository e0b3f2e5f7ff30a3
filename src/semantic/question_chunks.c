/* semantic/question_chunks.c - words to concepts, and neighbours to phrases. See question.h.
 *
 * A word that no lexicon knows is the name of a known program, or a NAME. Phrases are tried in the
 * order of their table over the whole sentence, so that later ones are made of earlier ones.
 */
#include "semantic/question.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const struct vt_slots vt_slots_none = {
    .pid = -1,
    .uid = -1,
    .port = -1,
    .limit = -1,
    .since_s = -1,
    .until_s = -1,
    .since_clock = -1,
    .until_clock = -1,
    .min_bytes = -1,
    .address = UINT64_MAX,
};

void vt_slots_merge(struct vt_slots *into, const struct vt_slots *from)
{
#define MERGE(member, none)                                                                        \
    if (from->member != (none)) {                                                                  \
        into->member = from->member;                                                               \
    }
    MERGE(role, NULL)
    MERGE(name, NULL)
    MERGE(path, NULL)
    MERGE(host, NULL)
    MERGE(area, NULL)
    MERGE(proto, NULL)
    MERGE(pid, -1)
    MERGE(uid, -1)
    MERGE(port, -1)
    MERGE(limit, -1)
    MERGE(since_s, -1)
    MERGE(until_s, -1)
    MERGE(since_clock, -1)
    MERGE(until_clock, -1)
    MERGE(min_bytes, -1)
    MERGE(address, UINT64_MAX)
#undef MERGE
    into->highlight |= from->highlight;
    into->count |= from->count;
    into->recent |= from->recent;
    into->yesterday |= from->yesterday;
}

/* ---------------------------------------------------------------- elements of patterns */

bool vt_element_next(const char **pattern, struct vt_element *element)
{
    const char *p = *pattern + strspn(*pattern, " ");
    if (*p == '\0') {
        return false;
    }
    *element = (struct vt_element){.ahead = *p == '=', .single = *p == '1'};
    p += element->ahead || element->single;
    element->names = p;
    element->bytes = strcspn(p, " ?>");
    p += element->bytes;
    if (*p == '>') {
        size_t bytes = strcspn(++p, " ?");
        for (size_t i = 0; i < bytes && i + 1 < sizeof element->slot; i++) {
            element->slot[i] = p[i];
        }
        p += bytes;
    }
    if (*p == '?') {
        element->optional = true;
        p++;
    }
    *pattern = p;
    return true;
}

bool vt_concept_is_who(const char *concept)
{
    return strcmp(concept, "PROC") == 0 || strcmp(concept, "ROLE") == 0 ||
           strcmp(concept, "PROGRAM") == 0;
}

static bool is_named(const char *name, size_t bytes, const struct vt_chunk *chunk)
{
    const char *value = memchr(name, ':', bytes);
    if (value != NULL) {
        size_t before = (size_t)(value - name);
        size_t rest = bytes - before - 1;
        const char *said = chunk->slots.area != NULL ? chunk->slots.area : chunk->slots.role;
        return strncmp(chunk->concept, name, before) == 0 && chunk->concept[before] == '\0' &&
               said != NULL && strncmp(said, value + 1, rest) == 0 && said[rest] == '\0';
    }
    if (bytes == 3 && memcmp(name, "WHO", 3) == 0) {
        return vt_concept_is_who(chunk->concept);
    }
    if (bytes == 4 && memcmp(name, "NAME", 4) == 0 && strcmp(chunk->concept, "QUOTED") == 0) {
        return true;
    }
    if (bytes == 3 && memcmp(name, "ANY", 3) == 0) {
        return chunk->weight >= VT_WEIGHT_WORD && chunk->weight != VT_WEIGHT_HEAVY;
    }
    if (bytes == 7 && memcmp(name, "SERVICE", 7) == 0) {
        const struct vt_role *role =
            strcmp(chunk->concept, "ROLE") == 0 ? vt_role_find(chunk->slots.role) : NULL;
        return role != NULL && role->ports != NULL;
    }
    return strncmp(chunk->concept, name, bytes) == 0 && chunk->concept[bytes] == '\0';
}

bool vt_element_takes(const struct vt_element *element, const struct vt_chunk *chunk)
{
    if (element->single && chunk->plural) {
        return false;
    }
    const char *end = element->names + element->bytes;
    for (const char *name = element->names; name < end;) {
        const char *bar = memchr(name, '|', (size_t)(end - name));
        size_t bytes = (size_t)((bar != NULL ? bar : end) - name);
        if (is_named(name, bytes, chunk)) {
            return true;
        }
        name += bytes + 1;
    }
    return false;
}

void vt_element_fill(const struct vt_element *element, const struct vt_chunk *chunk,
                     struct vt_slots *slots)
{
    const struct {
        const char *slot;
        int64_t *number;
        const char **text;
    } targets[] = {
        {"pid", &slots->pid, NULL},       {"uid", &slots->uid, NULL},
        {"port", &slots->port, NULL},     {"limit", &slots->limit, NULL},
        {"name", NULL, &slots->name},     {"path", NULL, &slots->path},
        {"min", &slots->min_bytes, NULL},
    };
    if (element->slot[0] == '\0') {
        vt_slots_merge(slots, &chunk->slots);
        return;
    }
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (strcmp(targets[i].slot, element->slot) != 0) {
            continue;
        }
        if (targets[i].number != NULL) {
            *targets[i].number = chunk->number > INT64_MAX ? INT64_MAX : (int64_t)chunk->number;
        } else {
            *targets[i].text = chunk->text;
        }
    }
}

/* ---------------------------------------------------------------- chunks */

static bool looks_like_library(const char *text)
{
    const struct vt_role *role;
    return strstr(text, ".so") != NULL || (strncmp(text, "lib", 3) == 0 && strlen(text) > 3 &&
                                           vt_program_find(text, &role) == NULL);
}

static void set_plain(struct vt_chunk *chunk, const struct vt_word *word)
{
    const struct vt_role *role = NULL;
    const char *program = vt_program_find(word->text, &role);
    chunk->weight = VT_WEIGHT_WORD;
    if (program != NULL) {
        chunk->concept = "PROGRAM";
        chunk->slots.name = program;
        chunk->slots.role = role->name;
        chunk->text = program;
    } else if (looks_like_library(word->text)) {
        chunk->concept = "LIB";
        chunk->slots.path = word->raw;
    } else {
        chunk->concept = "NAME";
        chunk->slots.name = word->raw;
        chunk->weight = VT_WEIGHT_UNKNOWN;
    }
}

static void set_word(struct vt_chunk *chunk, const struct vt_word *word)
{
    chunk->weight = VT_WEIGHT_WORD;
    chunk->number = word->number;
    chunk->text = word->raw;
    switch (word->kind) {
    case VT_WORD_PLAIN:
        set_plain(chunk, word);
        break;
    case VT_WORD_NUMBER:
        chunk->concept = "NUMBER";
        break;
    case VT_WORD_CLOCK:
        chunk->concept = "CLOCK";
        break;
    case VT_WORD_ADDRESS:
        chunk->concept = "ADDRESS";
        chunk->slots.address = word->number;
        break;
    case VT_WORD_PATH:
        chunk->concept = "PATH";
        chunk->slots.path = word->raw;
        break;
    case VT_WORD_HOST:
        chunk->concept = "HOST";
        chunk->slots.host = word->raw;
        break;
    case VT_WORD_QUOTED:
        chunk->concept = "QUOTED";
        chunk->slots.name = word->raw;
        break;
    case VT_WORD_SYMBOL:
        chunk->concept = "SYMBOL";
        chunk->slots.name = word->raw;
        break;
    case VT_WORD_COMMA:
    case VT_WORD_STOP:
        chunk->concept = ",";
        chunk->weight = VT_WEIGHT_NONE;
        break;
    case VT_WORD_JUNK:
        chunk->concept = "junk";
        chunk->weight = VT_WEIGHT_HEAVY;
        break;
    }
}

static void set_value(struct vt_chunk *chunk, const struct vt_lexeme *row, const char *text)
{
    static const struct {
        const char *name;
        int64_t since_s;
    } once[] = {
        {"ever", VT_QUESTION_EVER}, {"day", 86400}, {"moment", 1}, {"minute", 60}, {"hour", 3600}};
    const char *class = row->concept;
    if (strcmp(class, "ROLE") == 0) {
        chunk->slots.role = row->value;
    } else if (strcmp(class, "PROGRAM") == 0) {
        chunk->slots.role = row->value;
        chunk->slots.name = text;
        chunk->text = text;
    } else if (strcmp(class, "NUMERAL") == 0) {
        chunk->concept = "NUMBER";
        chunk->number = strtoull(row->value, NULL, 10);
    } else if (strcmp(class, "UNIT") == 0 || strcmp(class, "BYTES") == 0 ||
               strcmp(class, "CLOCK") == 0) {
        chunk->number = strtoull(row->value, NULL, 10);
    } else if (strcmp(class, "UID") == 0) {
        chunk->slots.uid = 0;
    } else if (strcmp(class, "MOUNTPATH") == 0) {
        chunk->slots.path = row->value;
    } else if (strcmp(class, "TOPIC") == 0) {
        chunk->slots.name = row->value;
    } else if (strcmp(class, "KSYMBOL") == 0) {
        chunk->concept = "SYMBOL";
        chunk->slots.name = row->value;
        chunk->text = row->value;
    } else if (strcmp(class, "PROTO") == 0) {
        chunk->slots.proto = row->value;
    } else if (strcmp(class, "HIGHLIGHT") == 0) {
        chunk->slots.highlight = true;
    } else if (strcmp(class, "COUNT") == 0) {
        chunk->slots.count = true;
    } else if (strcmp(class, "RECENT") == 0) {
        chunk->slots.recent = true;
    } else if (strcmp(class, "ONCE") == 0) {
        chunk->concept = "SINCE";
        for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
            if (strcmp(once[i].name, row->value) == 0) {
                chunk->slots.since_s = once[i].since_s;
            }
        }
    } else if (row->value != NULL) {
        chunk->slots.area = row->value; /* AREA, KAREA, STATE, FSTYPE, NOUN */
    } else if (strcmp(class, "FSTYPE") == 0) {
        chunk->slots.area = text;
    }
}

/* The word at `at` as a chunk, or the phrase that begins there. `named`: it is a name whatever it
 * means. */
static unsigned set_chunk(struct vt_chunk *chunk, const struct vt_words *words, unsigned at,
                          unsigned last, bool named)
{
    unsigned length = 1;
    bool plural = false;
    const struct vt_lexeme *row = named ? NULL : vt_lexicon_find(words, at, last, &length, &plural);
    *chunk = (struct vt_chunk){.slots = vt_slots_none, .first = at, .plural = plural};
    if (row != NULL) {
        chunk->concept = row->concept;
        chunk->weight = row->weight;
        chunk->text = words->at[at].raw;
        set_value(chunk, row, words->at[at].text);
    } else {
        set_word(chunk, &words->at[at]);
        if (named) {
            const char *role = chunk->slots.role;
            chunk->slots = vt_slots_none;
            chunk->slots.name = chunk->text;
            chunk->slots.role = role;
            chunk->concept = "NAME";
            chunk->weight = VT_WEIGHT_WORD;
        }
    }
    chunk->words = length;
    return length;
}

/* ---------------------------------------------------------------- phrases */

static void replace(struct vt_chunks *chunks, unsigned at, unsigned end, const struct vt_chunk *by)
{
    struct vt_chunk chunk = *by;
    chunk.first = chunks->at[at].first;
    chunk.words = chunks->at[end - 1].first + chunks->at[end - 1].words - chunk.first;
    chunks->at[at] = chunk;
    memmove(&chunks->at[at + 1], &chunks->at[end], (chunks->n - end) * sizeof chunks->at[0]);
    chunks->n -= end - at - 1;
}

/* Where the pattern ends when it begins at chunk `at`, or 0; chunks that say nothing may stand in
 * between. */
static unsigned phrase_ends(const struct vt_chunks *chunks, unsigned at, const char *pattern,
                            struct vt_chunk *made)
{
    struct vt_element element;
    unsigned i = at, end = at;
    while (vt_element_next(&pattern, &element)) {
        unsigned look = i;
        bool after_name = i > at && chunks->at[i - 1].weight == VT_WEIGHT_UNKNOWN;
        while (look > at && look < chunks->n && chunks->at[look].weight == VT_WEIGHT_NONE &&
               !(after_name && strcmp(chunks->at[look].concept, "the") == 0) &&
               !vt_element_takes(&element, &chunks->at[look])) {
            look++;
        }
        bool takes = look < chunks->n && vt_element_takes(&element, &chunks->at[look]);
        if (!takes && !element.optional) {
            return 0;
        }
        if (takes && !element.ahead) {
            vt_element_fill(&element, &chunks->at[look], &made->slots);
            i = end = look + 1;
        }
    }
    return end;
}

static enum vt_weight phrase_weight(const char *concept)
{
    bool says_nothing = strcmp(concept, "in_vm") == 0 || strcmp(concept, "show") == 0;
    return says_nothing                       ? VT_WEIGHT_NONE
           : strcmp(concept, "THING") == 0    ? VT_WEIGHT_UNKNOWN
           : strcmp(concept, "USERNAME") == 0 ? VT_WEIGHT_HEAVY
                                              : VT_WEIGHT_WORD;
}

static void make_phrases(struct vt_chunks *chunks)
{
    for (const struct vt_phrase *phrase = vt_phrases; phrase->concept != NULL; phrase++) {
        for (unsigned i = 0; i < chunks->n; i++) {
            struct vt_chunk made = {.concept = phrase->concept,
                                    .weight = phrase_weight(phrase->concept),
                                    .slots = vt_slots_none};
            unsigned end = phrase_ends(chunks, i, phrase->pattern, &made);
            if (end > i) {
                made.text = chunks->at[made.weight >= VT_WEIGHT_HEAVY ? end - 1 : i].text;
                made.number = chunks->at[i].number;
                if (strcmp(made.concept, "LIMIT") == 0 && made.slots.limit < 0) {
                    made.slots.limit = 1; /* "the last message" */
                }
                replace(chunks, i, end, &made);
            }
        }
    }
}

/* "ports 22, 80 and 443": numbers after one that has a meaning have the same. */
static void spread_numbers(struct vt_chunks *chunks)
{
    const struct vt_chunk *before = NULL;
    for (unsigned i = 0; i < chunks->n; i++) {
        struct vt_chunk *chunk = &chunks->at[i];
        if (strcmp(chunk->concept, "NUMBER") == 0 && before != NULL) {
            uint64_t number = chunk->number;
            struct vt_chunk same = *before;
            same.first = chunk->first;
            same.words = chunk->words;
            int64_t value = number > INT64_MAX ? INT64_MAX : (int64_t)number;
            if (same.slots.port >= 0) {
                same.slots.port = value;
            } else {
                same.slots.pid = value;
            }
            *chunk = same;
        }
        bool numbered = (strcmp(chunk->concept, "PORT") == 0 && chunk->slots.port >= 0) ||
                        (strcmp(chunk->concept, "PROC") == 0 && chunk->slots.pid >= 0);
        bool joins = strcmp(chunk->concept, "and") == 0 || strcmp(chunk->concept, ",") == 0;
        before = numbered ? chunk : joins ? before : NULL;
    }
}

/* ---------------------------------------------------------------- times */

static bool is(const struct vt_chunks *chunks, unsigned i, const char *concept)
{
    return i < chunks->n && strcmp(chunks->at[i].concept, concept) == 0;
}

/* The next chunk that says something. */
static unsigned after(const struct vt_chunks *chunks, unsigned i)
{
    for (i++; i < chunks->n && chunks->at[i].weight == VT_WEIGHT_NONE; i++) {
    }
    return i;
}

/* The one before, or chunks->n. */
static unsigned ahead_of(const struct vt_chunks *chunks, unsigned i)
{
    while (i > 0 && chunks->at[i - 1].weight == VT_WEIGHT_NONE) {
        i--;
    }
    return i > 0 ? i - 1 : chunks->n;
}

/* "5 minutes", "an hour", "half an hour" from chunk i on: seconds, and where it ends. */
static bool duration_at(const struct vt_chunks *chunks, unsigned i, int64_t *seconds, unsigned *end)
{
    uint64_t count = 1, divide = 1, total;
    if (is(chunks, i, "half") || is(chunks, i, "quarter")) {
        divide = is(chunks, i, "half") ? 2 : 4;
        i = after(chunks, i);
    } else if (is(chunks, i, "NUMBER")) {
        count = chunks->at[i].number;
        i = after(chunks, i);
    }
    if (!is(chunks, i, "UNIT") || __builtin_mul_overflow(count, chunks->at[i].number, &total)) {
        return false;
    }
    total /= divide;
    *seconds = total < VT_QUESTION_EVER ? (int64_t)total : VT_QUESTION_EVER - 1;
    *end = i + 1;
    return true;
}

static unsigned before_all(const struct vt_chunks *chunks, unsigned i, const char *const *words)
{
    for (;;) {
        unsigned before = ahead_of(chunks, i);
        bool one = false;
        for (const char *const *w = words; *w != NULL; w++) {
            one |= is(chunks, before, *w);
        }
        if (!one) {
            return i;
        }
        i = before;
    }
}

static void replace_time(struct vt_chunks *chunks, unsigned from, unsigned end, int64_t since,
                         int64_t until)
{
    struct vt_chunk chunk = {.concept = since >= 0 ? "SINCE" : "AGO",
                             .weight = VT_WEIGHT_WORD,
                             .slots = vt_slots_none,
                             .text = chunks->at[from].text};
    chunk.slots.since_s = since;
    chunk.slots.until_s = until;
    replace(chunks, from, end, &chunk);
}

/* "between 10 and 5 minutes ago", the first number standing at `i`. */
static bool between_at(struct vt_chunks *chunks, unsigned i)
{
    unsigned first = after(chunks, i), end;
    int64_t seconds, other;
    if (!is(chunks, i, "between")) {
        return false;
    }
    unsigned unit = first;
    bool whole = duration_at(chunks, first, &seconds, &unit);
    unsigned and = whole ? unit : after(chunks, first);
    while (and< chunks->n && chunks->at[and].weight == VT_WEIGHT_NONE) {
        and++;
    }
    if ((!whole && !is(chunks, first, "NUMBER")) || !is(chunks, and, "and") ||
        !duration_at(chunks, after(chunks, and), &other, &end) ||
        !is(chunks, after(chunks, end - 1), "ago")) {
        return false;
    }
    uint64_t each = chunks->at[end - 1].number, total;
    if (!whole && __builtin_mul_overflow(chunks->at[first].number, each, &total)) {
        return false;
    }
    if (!whole) {
        seconds = total < VT_QUESTION_EVER ? (int64_t)total : VT_QUESTION_EVER - 1;
    }
    replace_time(chunks, i, after(chunks, end - 1) + 1, seconds > other ? seconds : other,
                 seconds > other ? other : seconds);
    return true;
}

/* "10 MB": one chunk, in bytes. */
static void make_sizes(struct vt_chunks *chunks)
{
    for (unsigned i = 0; i < chunks->n; i++) {
        unsigned unit = after(chunks, i);
        uint64_t bytes;
        if (is(chunks, i, "NUMBER") && is(chunks, unit, "BYTES") &&
            !__builtin_mul_overflow(chunks->at[i].number, chunks->at[unit].number, &bytes)) {
            struct vt_chunk chunk = chunks->at[i];
            chunk.concept = "SIZE";
            chunk.number = bytes;
            replace(chunks, i, unit + 1, &chunk);
        }
    }
}

static void replace_clock(struct vt_chunks *chunks, unsigned from, unsigned end, int64_t since_s,
                          int64_t since, int64_t until, bool yesterday)
{
    struct vt_chunk chunk = {.concept = since_s >= 0 || since >= 0 ? "SINCE" : "AGO",
                             .weight = VT_WEIGHT_WORD,
                             .slots = vt_slots_none,
                             .text = chunks->at[from].text};
    chunk.slots.since_s = since_s;
    chunk.slots.since_clock = since;
    chunk.slots.until_clock = until;
    chunk.slots.yesterday = yesterday;
    replace(chunks, from, end, &chunk);
}

/* "since 12:00", "between 10:00 and 10:15", "before noon", "at 10:30", the time standing at `i`;
 * "yesterday" beside any of them, or alone. */
static void make_clock(struct vt_chunks *chunks, unsigned i)
{
    static const char *const to_moment[] = {"at", "on", "in", "from", "of", "for", NULL};
    bool day = is(chunks, i, "yesterday");
    if (!day && !is(chunks, i, "CLOCK")) {
        return;
    }
    unsigned second = after(chunks, i), end = i + 1, before = ahead_of(chunks, i), other;
    if (day) { /* "yesterday at 10:30", "yesterday between 10:00 and 11:00": with those */
        other = second;
        while (is(chunks, other, "at") || is(chunks, other, "since") || is(chunks, other, "from") ||
               is(chunks, other, "between") || is(chunks, other, "after") ||
               is(chunks, other, "before")) {
            other = after(chunks, other);
        }
        if (!is(chunks, other, "CLOCK")) {
            replace_clock(chunks, before_all(chunks, i, to_moment), end, -1, 0, 86400, true);
        }
        return;
    }
    int64_t time = (int64_t)chunks->at[i].number, until = -1, since_s = -1;
    bool since = is(chunks, before, "since") || is(chunks, before, "after");
    bool until_only = is(chunks, before, "before") || is(chunks, before, "until");
    other = after(chunks, second);
    if (((is(chunks, before, "between") && is(chunks, second, "and")) ||
         (is(chunks, before, "from") &&
          (is(chunks, second, "to") || is(chunks, second, "until") || is(chunks, second, ",")))) &&
        is(chunks, other, "CLOCK")) {
        until = (int64_t)chunks->at[other].number;
        end = other + 1;
    } else if (is(chunks, before, "from")) {
        since = true;
    }
    unsigned from = until >= 0 || since || until_only ? before : before_all(chunks, i, to_moment);
    if (until_only) {
        since_s = VT_QUESTION_EVER;
    }
    unsigned around = ahead_of(chunks, from);
    bool yesterday = is(chunks, around, "yesterday");
    from = yesterday ? around : from;
    other = after(chunks, end - 1);
    if (is(chunks, other, "yesterday")) {
        yesterday = true;
        end = other + 1;
    }
    bool range = since || until >= 0;
    replace_clock(chunks, from, end, since_s, range ? time : -1, range ? until : time, yesterday);
}

static void make_clocks(struct vt_chunks *chunks)
{
    static const uint64_t noon_s = 43200;
    for (unsigned i = 0; i < chunks->n; i++) {
        unsigned pm = after(chunks, i);
        if (is(chunks, i, "CLOCK") && is(chunks, pm, "pm") && chunks->at[i].number < 2 * noon_s) {
            struct vt_chunk chunk = chunks->at[i];
            chunk.number = chunk.number % noon_s + noon_s;
            replace(chunks, i, pm + 1, &chunk);
        }
        if (is(chunks, i, "NUMBER") && is(chunks, pm, "pm") && chunks->at[i].number <= 12) {
            struct vt_chunk chunk = chunks->at[i];
            chunk.concept = "CLOCK";
            chunk.number = chunk.number % 12 * 3600 + noon_s;
            replace(chunks, i, pm + 1, &chunk);
        }
    }
    for (unsigned i = 0; i < chunks->n; i++) {
        make_clock(chunks, i);
    }
}

static void make_times(struct vt_chunks *chunks)
{
    static const char *const to_since[] = {"in", "on", "for", "from", "of", "at", "last", NULL};
    for (unsigned i = 0; i < chunks->n; i++) {
        int64_t seconds;
        unsigned end;
        if (between_at(chunks, i) || !duration_at(chunks, i, &seconds, &end)) {
            continue;
        }
        unsigned ago = after(chunks, end - 1);
        unsigned before = ahead_of(chunks, i);
        if (is(chunks, ago, "ago")) {
            bool since = is(chunks, before, "since") || is(chunks, before, "from");
            unsigned from = since ? before : i;
            replace_time(chunks, from, ago + 1, since ? seconds : -1, since ? -1 : seconds);
            i = from;
        } else if (is(chunks, before, "last") || is(chunks, before, "in")) {
            unsigned from = before_all(chunks, i, to_since);
            replace_time(chunks, from, end, seconds, -1);
            i = from;
        }
    }
}

/* ---------------------------------------------------------------- all of it */

/* BIND's daemon has an unlucky name. "A process named x" is not it, "where is named" is. */
static bool is_bind(const struct vt_chunks *chunks, const struct vt_words *words, unsigned at,
                    unsigned last)
{
    unsigned before = ahead_of(chunks, chunks->n - 1);
    bool of_noun = before < chunks->n && chunks->at[before].weight >= VT_WEIGHT_WORD &&
                   strcmp(chunks->at[before].concept, "where") != 0;
    return strcmp(words->at[at].text, "named") == 0 && !of_noun &&
           (at + 1 == last || vt_lexicon_knows(words->at[at + 1].text));
}

void vt_chunks_make(struct vt_chunks *chunks, const struct vt_words *words, unsigned first,
                    unsigned last)
{
    bool named = false;
    chunks->n = 0;
    for (unsigned i = first; i < last;) {
        struct vt_chunk *chunk = &chunks->at[chunks->n++];
        unsigned length = set_chunk(chunk, words, i, last, named);
        named = strcmp(chunk->concept, "called") == 0;
        if (named && is_bind(chunks, words, i, last)) {
            set_word(chunk, &words->at[i]);
            named = false;
        }
        i += length;
    }
    make_sizes(chunks);
    make_clocks(chunks);
    make_times(chunks);
    make_phrases(chunks);
    spread_numbers(chunks);
}
