/* trace/diff_parts.h - one side of a comparison: a lane's instructions, one after the other. */
#ifndef VT_TRACE_DIFF_PARTS_H
#define VT_TRACE_DIFF_PARTS_H

#include "trace/diff.h"
#include "trace/learn_parts.h"

/** What is compared of a block's instructions, made once. */
struct vt_diff_keys {
    uint64_t *keys;    /* of each instruction; NULL: not made yet */
    uint64_t *repeats; /* bits */
    uint16_t n;
};

/** An interrupt's way, which is left out until it comes back. */
struct vt_diff_away {
    bool on;
    uint64_t back, root;
};

struct vt_diff_side {
    struct vt_trace_source *source;
    struct vt_trace_names *names;
    const struct vt_trace_diff_options *options;
    enum vt_trace_arch arch;
    uint32_t vcpu; /* of the lane */
    uint64_t root; /* of the lane, with by_root */
    struct vt_diff_keys *blocks;
    uint32_t n_blocks;
    struct vt_trace_event event;
    const struct vt_diff_keys *at_keys;
    uint64_t at_pc;
    uint32_t at, at_access; /* the next instruction of the event, its first access */
    bool begun;             /* `from` was reached */
    bool ended;
    uint64_t number, lost_words;
    uint64_t last_key; /* for repeats */
    bool last_repeats;
    struct vt_diff_away away[64];
    struct vt_trace_diff_registers registers;
    /* Instructions that were read ahead. */
    struct vt_trace_diff_item *ahead;
    uint32_t ahead_at, n_ahead, ahead_room;
};

/** The next instruction; 1, 0 at the end. */
int vt_diff_next(struct vt_diff_side *s, struct vt_trace_diff_item *item, struct vt_error *err);
/** `n` items, or fewer at the end, are ahead: from ahead[ahead_at] on. */
int vt_diff_read_ahead(struct vt_diff_side *s, uint32_t n, struct vt_error *err);
/** The item that came last, before what is ahead. */
int vt_diff_put_back(struct vt_diff_side *s, const struct vt_trace_diff_item *item,
                     struct vt_error *err);
void vt_diff_side_fini(struct vt_diff_side *s);

#endif
