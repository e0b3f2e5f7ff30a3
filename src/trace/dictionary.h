/* trace/dictionary.h - the blocks of a recording by their ids, checked and copied.
 *
 * Grows by whole entries (struct vt_trace_block_entry), from a segment or a file. What it hands out
 * lives as long as the dictionary, however it grows.
 */
#ifndef VT_TRACE_DICTIONARY_H
#define VT_TRACE_DICTIONARY_H

#include "trace/flow.h"
#include "vitrine/trace.h"

#define VT_TRACE_BLOCK_INSNS_MAX 512u
#define VT_TRACE_INSN_BYTES_MAX 16u

struct vt_trace_known {
    struct vt_trace_block block;
    uint32_t flags;            /* enum vt_trace_block_flags */
    struct vt_trace_flow flow; /* of its last instruction */
    uint32_t entry;            /* the segment's id of it */
    int64_t pages;             /* from where the entry says to where it executes */
    /* what is shown for it: itself, or what was shown before and is equal; NULL: not shown yet */
    struct vt_trace_known *shown;
    struct vt_trace_known *alias; /* the same entry elsewhere, as it was asked for last */
};

struct vt_trace_dictionary_table {
    struct vt_trace_known **slots;
    uint32_t room, n; /* room: a power of two */
};

/* The segment numbers translations as they are made. Who reads events sees other ids: each place at
 * which one executes is a block of its own, and they are numbered as they appear. */
struct vt_trace_dictionary {
    char arch[16];
    struct vt_trace_known **known; /* by the segment's ids */
    uint32_t n, capacity;
    struct vt_trace_known **shown; /* by the ids of vt_trace_block */
    uint32_t n_shown, shown_capacity;
    struct vt_trace_dictionary_table aliases, contents;
    uint64_t at; /* bytes taken so far */
    struct vt_trace_dictionary_chunk *chunks;
};

/** `arch` as QEMU calls it; it decides what is known of last instructions. */
void vt_trace_dictionary_init(struct vt_trace_dictionary *d, const char *arch);
void vt_trace_dictionary_fini(struct vt_trace_dictionary *d);
/** Takes the entries between d->at and `head` of the dictionary's bytes at `base`, which may change
 *  meanwhile. Ids count up from 0. VT_E_CORRUPT with the place; entries before it were taken. */
int vt_trace_dictionary_take(struct vt_trace_dictionary *d, const uint8_t *base, uint64_t head,
                             struct vt_error *err);

/** By the segment's id. NULL: none such. */
static inline struct vt_trace_known *vt_trace_dictionary_find(const struct vt_trace_dictionary *d,
                                                              uint32_t id)
{
    return id < d->n ? d->known[id] : NULL;
}
/** By vt_trace_block's id. */
static inline const struct vt_trace_known *
vt_trace_dictionary_shown(const struct vt_trace_dictionary *d, uint32_t id)
{
    return id < d->n_shown ? d->shown[id] : NULL;
}

/** The block to show for `known`, an entry, where it executes `pages` from where it says. Gives it
 * an id when it is new. VT_E_LIMIT: too many are elsewhere. */
int vt_trace_dictionary_show_new(struct vt_trace_dictionary *d, struct vt_trace_known *known,
                                 int64_t pages, const struct vt_trace_known **shown,
                                 struct vt_error *err);
static inline int vt_trace_dictionary_show(struct vt_trace_dictionary *d,
                                           struct vt_trace_known *known, int64_t pages,
                                           const struct vt_trace_known **shown,
                                           struct vt_error *err)
{
    if (pages != 0 && known->alias != NULL && known->alias->pages == pages) {
        known = known->alias;
        pages = 0;
    }
    if (pages == 0 && known->shown != NULL) {
        *shown = known->shown;
        return 0;
    }
    return vt_trace_dictionary_show_new(d, known, pages, shown, err);
}

/** Which instruction of a block begins at `pc`; block->n when none does. */
unsigned vt_trace_block_index(const struct vt_trace_block *block, uint64_t pc);

#endif
