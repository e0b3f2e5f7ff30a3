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
};

struct vt_trace_dictionary {
    char arch[16];
    struct vt_trace_known **known;
    uint32_t n, capacity;
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

static inline const struct vt_trace_known *
vt_trace_dictionary_find(const struct vt_trace_dictionary *d, uint32_t id)
{
    return id < d->n ? d->known[id] : NULL;
}

/** Which instruction of a block begins at `pc`; block->n when none does. */
unsigned vt_trace_block_index(const struct vt_trace_block *block, uint64_t pc);

#endif
