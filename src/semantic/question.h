/* semantic/question.h - how a question becomes readings; internal to question*.c.
 *
 *   words     bytes to words, numbers, addresses, paths, hosts, quoted texts; contractions opened
 *   chunks    words to concepts by the lexicon (synonyms, plurals, typing errors), then neighbours
 *             to phrases: "the last five minutes", "process 42", "the SSH daemon"
 *   rules     sequences of chunks to intents; what a rule does not explain counts against it
 *   readings  the best, or several that are as good
 *
 * Nothing allocates; everything is bounded by VT_QUESTION_MAX.
 */
#ifndef VT_SEMANTIC_QUESTION_H
#define VT_SEMANTIC_QUESTION_H

#include "semantic/roles.h"
#include "vitrine/semantic.h"

/* ---------------------------------------------------------------- words */

#define VT_WORDS_MAX 96

enum vt_word_kind {
    VT_WORD_PLAIN,   /* letters; may hold digits, '-', '_', '.' */
    VT_WORD_NUMBER,  /* number */
    VT_WORD_CLOCK,   /* number: seconds since midnight */
    VT_WORD_ADDRESS, /* number */
    VT_WORD_PATH,
    VT_WORD_HOST,
    VT_WORD_QUOTED,
    VT_WORD_SYMBOL, /* looks like C: init_task, schedule() */
    VT_WORD_COMMA,
    VT_WORD_STOP, /* a sentence ends */
    VT_WORD_JUNK, /* no part of an English question: = { ; … */
};

struct vt_word {
    enum vt_word_kind kind;
    const char *text; /* lower case */
    const char *raw;  /* as asked */
    uint64_t number;
};

struct vt_words {
    unsigned n;
    bool cut; /* there were more */
    struct vt_word at[VT_WORDS_MAX + 1];
    /* Raw and lower case texts; a word's may be there several times ("pid=42", "22/tcp"). */
    size_t used;
    char store[8 * VT_QUESTION_MAX];
};

/* `text` is well-formed UTF-8 of at most VT_QUESTION_MAX bytes. */
void vt_words_split(struct vt_words *words, const char *text);
/* Replaces what nothing knows by what it was meant to be. */
void vt_words_correct(struct vt_words *words);
/* A copy of a text that lives as long as the words; "" when there is no room left. */
const char *vt_words_keep(struct vt_words *words, const char *text, size_t bytes);

/* ---------------------------------------------------------------- the lexicon */

/* How much a word says: what it adds to a rule that explains it, and takes from one that does not.
 */
enum vt_weight {
    VT_WEIGHT_NONE,   /* please, the, now */
    VT_WEIGHT_LIGHT,  /* of, on, is: explained they help, else nobody minds */
    VT_WEIGHT_ASK,    /* what, which, who */
    VT_WEIGHT_WORD,   /* process, stack, where */
    VT_WEIGHT_HEAVY,  /* not, why: ignoring them would turn the meaning round */
    VT_WEIGHT_UNKNOWN /* in no lexicon */
};

struct vt_lexeme {
    const char *concept; /* lower case: a word of the rules; upper case: a class with a value */
    const char *value;   /* of a class, or NULL */
    enum vt_weight weight;
    const char *phrases; /* separated by '|', words by single blanks, lower case, singular */
};
extern const struct vt_lexeme vt_lexicon[]; /* ended by one without a concept */

/* The base forms of verbs that order a change, separated by '|'. */
extern const char vt_lexicon_orders[];
bool vt_lexicon_orders_to(const char *word);
/* Whether a word, or the singular of it, stands in any phrase or orders a change. */
bool vt_lexicon_knows(const char *word);
/* The row with the longest phrase that begins at a word, of equally long ones the one that is
 * nearest to the letters; *length is in words. NULL: there is none. */
const struct vt_lexeme *vt_lexicon_find(const struct vt_words *words, unsigned at, unsigned last,
                                        unsigned *length, bool *plural);
/* A program that plays a role, in any case, as its role has it ("python3" is a python); or NULL. */
const char *vt_program_find(const char *text, const struct vt_role **role);

/* ---------------------------------------------------------------- chunks */

struct vt_slots {
    const char *role, *name, *path, *host, *area, *proto; /* NULL: none */
    int64_t pid, uid, port, limit, since_s, until_s, since_clock, until_clock, min_bytes;
    uint64_t address;
    bool highlight, count, yesterday;
    bool recent; /* lately, without saying since when */
};
extern const struct vt_slots vt_slots_none;
/* Adds what `from` says to `into`. */
void vt_slots_merge(struct vt_slots *into, const struct vt_slots *from);

struct vt_chunk {
    const char *concept;
    enum vt_weight weight;
    const char *text; /* for a slot that takes text */
    uint64_t number;  /* for one that takes a number */
    struct vt_slots slots;
    unsigned first, words; /* of struct vt_words */
    bool plural;
};

struct vt_chunks {
    unsigned n;
    struct vt_chunk at[VT_WORDS_MAX];
};

/* Any way to say which process. */
bool vt_concept_is_who(const char *concept);
/* The chunks of words [first, last). */
void vt_chunks_make(struct vt_chunks *chunks, const struct vt_words *words, unsigned first,
                    unsigned last);

/* One element of a pattern: alternatives separated by '|', then '?' when it may be missing, then
 * ">slot" of the one that takes a chunk's number or text (none of them: it takes nothing). One that
 * begins with '=' must follow and is left where it is; with '1' it is no plural. ANY takes whatever
 * means something. WHO is any way to say which process, SERVICE a role with ports. */
struct vt_element {
    const char *names;
    size_t bytes; /* of the names */
    bool optional, ahead, single;
    char slot[8];
};
/* Reads the element at *pattern and steps over it; false at the end. */
bool vt_element_next(const char **pattern, struct vt_element *element);
bool vt_element_takes(const struct vt_element *element, const struct vt_chunk *chunk);
/* Adds what the chunk says to the slots, as the element wants it. */
void vt_element_fill(const struct vt_element *element, const struct vt_chunk *chunk,
                     struct vt_slots *slots);

/* Neighbours that together are one chunk. */
struct vt_phrase {
    const char *concept;
    const char *pattern;
};
extern const struct vt_phrase vt_phrases[]; /* in the order they are tried; ended by NULL */

/* ---------------------------------------------------------------- rules */

enum vt_rule_flags {
    VT_RULE_SEQUENCE = 1 << 0, /* elements stand in this order; else in any */
    VT_RULE_SINCE = 1 << 1,    /* takes "in the last minute" */
    VT_RULE_AGO = 1 << 2,      /* takes "a minute ago" */
    VT_RULE_LIMIT = 1 << 3,    /* takes "top 5" */
    VT_RULE_COUNT = 1 << 4,    /* takes "how many" */
    VT_RULE_UID = 1 << 5,      /* takes "as root" */
    VT_RULE_PROTO = 1 << 6,    /* takes "udp" */
    VT_RULE_SIZE = 1 << 7,     /* takes "larger than 10 MB" */
    VT_RULE_NEEDS = 1 << 8,    /* and makes no sense without the first of these that it takes */
};

struct vt_rule {
    enum vt_intent intent;
    const char *area; /* NULL: from a chunk, or none */
    unsigned flags;
    const char *pattern;
};
extern const struct vt_rule vt_rules[]; /* ended by one without a pattern */

/* ---------------------------------------------------------------- readings */

/* Fills question->reading from the rest of it. */
void vt_question_say(struct vt_question *question);

#endif
