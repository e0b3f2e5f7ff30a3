/* semantic/question_lookup.c - one word, or a few, against all that is known: the lexicon, its
 * plurals and verb forms, programs, and what a typing error was meant to be. See question.h.
 */
#include "semantic/question.h"

#include <ctype.h>
#include <string.h>

/* ---------------------------------------------------------------- words against the lexicon */

enum fit { FIT_NONE, FIT_VERB, FIT_PLURAL, FIT_EXACT };

/* "looking", "used", "mapped" for "look", "use", "map". */
static bool is_verb_form(const char *known, size_t bytes, const char *word, size_t length)
{
    size_t stem = bytes - (known[bytes - 1] == 'e');
    if (bytes < 4 || length <= stem || memcmp(known, word, stem) != 0) {
        return false;
    }
    const char *end = word + stem;
    return strcmp(end, "ing") == 0 || strcmp(end, "ed") == 0;
}

/* Whether `word` is the phrase's word, or a form of it. */
static enum fit word_fits(const char *known, size_t bytes, const char *word)
{
    size_t length = strlen(word);
    if (length == bytes) {
        return memcmp(known, word, bytes) == 0 ? FIT_EXACT : FIT_NONE;
    }
    if (is_verb_form(known, bytes, word, length)) {
        return FIT_VERB;
    }
    if (bytes < 2 || length < bytes || length > bytes + 2) {
        return FIT_NONE;
    }
    char last = known[bytes - 1];
    if (last == 'y' && length == bytes + 2) {
        return memcmp(known, word, bytes - 1) == 0 && strcmp(word + bytes - 1, "ies") == 0
                   ? FIT_PLURAL
                   : FIT_NONE;
    }
    if (memcmp(known, word, bytes) != 0) {
        return FIT_NONE;
    }
    return strcmp(word + bytes, "s") == 0 ||
                   (strcmp(word + bytes, "es") == 0 && strchr("sxzho", last) != NULL)
               ? FIT_PLURAL
               : FIT_NONE;
}

/* How many words from `at` on are the phrase, 0: they are not. *fit adds up how well; *plural is of
 * the last one. */
static unsigned phrase_fits(const char *phrase, size_t bytes, const struct vt_words *words,
                            unsigned at, unsigned last, unsigned *fit, bool *plural)
{
    unsigned n = 0;
    *fit = 0;
    for (const char *p = phrase, *end = phrase + bytes; p < end; n++) {
        const char *blank = memchr(p, ' ', (size_t)(end - p));
        size_t length = (size_t)((blank != NULL ? blank : end) - p);
        if (at + n >= last || words->at[at + n].kind != VT_WORD_PLAIN) {
            return 0;
        }
        enum fit one = word_fits(p, length, words->at[at + n].text);
        if (one == FIT_NONE) {
            return 0;
        }
        *fit += one;
        *plural = one == FIT_PLURAL;
        p += length + 1;
    }
    return n;
}

const struct vt_lexeme *vt_lexicon_find(const struct vt_words *words, unsigned at, unsigned last,
                                        unsigned *length, bool *plural)
{
    const struct vt_lexeme *found = NULL;
    unsigned best = 0;
    for (const struct vt_lexeme *row = vt_lexicon; row->concept != NULL; row++) {
        for (const char *p = row->phrases; *p != '\0';) {
            size_t bytes = strcspn(p, "|");
            unsigned fit = 0;
            bool more_than_one = false;
            unsigned n = *p == words->at[at].text[0]
                             ? phrase_fits(p, bytes, words, at, last, &fit, &more_than_one)
                             : 0;
            if (n > 0 && n * FIT_EXACT * VT_WORDS_MAX + fit > best) {
                best = n * FIT_EXACT * VT_WORDS_MAX + fit;
                *length = n;
                *plural = more_than_one;
                found = row;
            }
            p += bytes + (p[bytes] == '|');
        }
    }
    return found;
}

/* Calls `fn` for each word of all phrases until it returns true. */
static bool each_known_word(bool (*fn)(const char *word, size_t bytes, void *arg), void *arg)
{
    for (const struct vt_lexeme *row = vt_lexicon; row->concept != NULL; row++) {
        for (const char *p = row->phrases; *p != '\0';) {
            size_t bytes = strcspn(p, "| ");
            if (fn(p, bytes, arg)) {
                return true;
            }
            p += bytes + (p[bytes] != '\0');
        }
    }
    return false;
}

static bool same_word(const char *word, size_t bytes, void *arg)
{
    const char *const *text = arg;
    return *word == **text && word_fits(word, bytes, *text) != FIT_NONE;
}

bool vt_lexicon_orders_to(const char *word)
{
    size_t bytes = strlen(word);
    for (const char *p = vt_lexicon_orders; *p != '\0';) {
        size_t length = strcspn(p, "|");
        if (length == bytes && memcmp(p, word, bytes) == 0) {
            return true;
        }
        p += length + (p[length] == '|');
    }
    return false;
}

bool vt_lexicon_knows(const char *word)
{
    return vt_lexicon_orders_to(word) || each_known_word(same_word, &word);
}

const char *vt_program_find(const char *text, const struct vt_role **role)
{
    for (const struct vt_role *r = vt_roles; r->name != NULL && text[0] != '\0'; r++) {
        for (const char *const *known = r->programs; *known != NULL; known++) {
            size_t bytes = strlen(*known);
            bool open = (*known)[bytes - 1] == '*';
            size_t fixed = bytes - open;
            if (strncasecmp(*known, text, fixed) == 0 && fixed > 1 &&
                (text[fixed] == '\0' || (open && !isalpha((unsigned char)text[fixed])))) {
                *role = r;
                return open ? text : *known;
            }
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- typing errors */

enum { WORD_MAX = 24 };

/* Edits between two words (a letter more, less, other, or two swapped), or more than `most`. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb, unsigned most)
{
    unsigned rows[3][WORD_MAX + 1];
    if (na > WORD_MAX || nb > WORD_MAX || na > nb + most || nb > na + most) {
        return most + 1;
    }
    for (unsigned j = 0; j <= nb; j++) {
        rows[0][j] = j;
    }
    for (unsigned i = 1; i <= na; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];
        row[0] = i;
        unsigned least = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned edits = above[j - 1] + (a[i - 1] != b[j - 1]);
            edits = edits < above[j] + 1 ? edits : above[j] + 1;
            edits = edits < row[j - 1] + 1 ? edits : row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < edits) {
                edits = two[j - 2] + 1;
            }
            row[j] = edits;
            least = edits < least ? edits : least;
        }
        if (least > most) {
            return most + 1;
        }
    }
    return rows[na % 3][nb];
}

struct nearest {
    const char *text;
    size_t bytes;
    unsigned best;
    const char *word;
    size_t word_bytes;
};

/* People rarely mistype a word's first letter, but they swap it with the second. */
static bool nearer(const char *word, size_t bytes, void *arg)
{
    struct nearest *near = arg;
    if (bytes < 4 ||
        (word[0] != near->text[0] && (word[0] != near->text[1] || word[1] != near->text[0]))) {
        return false;
    }
    char plural[WORD_MAX + 2];
    unsigned edits = distance(near->text, near->bytes, word, bytes, near->best);
    if (bytes < WORD_MAX && near->text[near->bytes - 1] == 's') {
        memcpy(plural, word, bytes);
        size_t more = strchr("sx", word[bytes - 1]) != NULL ? 2 : 1;
        memcpy(plural + bytes, more == 2 ? "es" : "s", more);
        unsigned other = distance(near->text, near->bytes, plural, bytes + more, near->best);
        edits = other < edits ? other : edits;
    }
    if (edits < near->best && (edits < 2 || bytes >= 8)) {
        near->best = edits;
        near->word = word;
        near->word_bytes = bytes;
    }
    return false;
}

/* What a word that nothing knows was meant to be. Short ones are not guessed at. Returns whether it
 * looked for one. */
static bool correct(struct vt_words *words, struct vt_word *word)
{
    const struct vt_role *role;
    size_t bytes = strlen(word->text);
    if (word->kind != VT_WORD_PLAIN || bytes < 5 || bytes > WORD_MAX ||
        vt_lexicon_knows(word->text) || vt_program_find(word->text, &role) != NULL) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (!islower((unsigned char)word->text[i])) {
            return false;
        }
    }
    struct nearest near = {word->text, bytes, bytes >= 8 ? 3 : 2, NULL, 0};
    each_known_word(nearer, &near);
    for (const struct vt_role *r = vt_roles; r->name != NULL; r++) {
        for (const char *const *known = r->programs; *known != NULL; known++) {
            size_t length = strcspn(*known, "*");
            if (length >= 5) {
                nearer(*known, length, &near);
            }
        }
    }
    if (near.word != NULL) {
        word->text = vt_words_keep(words, near.word, near.word_bytes);
    }
    return true;
}

/* After these words stands somebody else's name. */
static bool announces_name(const char *word)
{
    static const char *const words[] = {"called", "named", "function", "symbol", "variable"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

void vt_words_correct(struct vt_words *words)
{
    unsigned left = 8; /* with more of them it is no English */
    for (unsigned i = 0; i < words->n && left > 0; i++) {
        if (i == 0 || !announces_name(words->at[i - 1].text)) {
            left -= correct(words, &words->at[i]);
        }
    }
}
