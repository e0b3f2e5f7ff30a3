/* plugins/hybrid/call.h - one slice of a loop's iterations, run by a kernel. See call.c.
 */
#ifndef VT_HYBRID_CALL_H
#define VT_HYBRID_CALL_H

#include "kernel.h"

#pragma GCC visibility push(hidden)

/* Pages of a window, and both ends. */
#define VT_PIECES_MAX ((uint32_t)(VT_HYBRID_WINDOW_MAX / VT_PAGE_BYTES) + 2)

struct vt_piece {
    uint8_t *host;
    uint64_t bytes;
};

/** A stream on its way through a slice. */
struct vt_cursor {
    uint64_t va; /**< of the first byte of the window of the iteration that is next */
    int64_t stride;
    uint64_t width; /**< of the window */
    enum vt_access access;
    /* Memory that lies together here: [va, va + bytes) at host. */
    uint64_t run_va, run_bytes;
    uint8_t *run_host;
    struct vt_walk_cache cache;
    /* Its window lies in scattered pages: the pieces, and a copy in one. Of a table the copy is
     * there until the slice ends. */
    bool bounced, filled;
    uint32_t n_pieces;
    struct vt_piece pieces[VT_PIECES_MAX];
};

/** What a slice works with; large, one a vCPU, reused. */
struct vt_slice {
    /* in */
    const struct vt_kernel *k;
    const struct vt_memory *m;
    const struct vt_paging *p;
    struct vt_registers *r;
    /* out */
    uint64_t iterations, bytes, chunks, bounced;
    int why;        /**< why it ended or ran nothing; VT_GOES: at its bounds, or at the end */
    uint64_t trips; /**< that surely came back, at its beginning; UINT64_MAX: not known */
    /* inside */
    uint64_t inputs[VT_HYBRID_INPUTS_MAX];
    uint64_t carries[VT_HYBRID_CARRIES_MAX];
    uint8_t *cells[VT_HYBRID_INPUTS_MAX + VT_HYBRID_CARRIES_MAX];
    struct vt_cursor cursors[VT_HYBRID_STREAMS_MAX];
    uint8_t *hosts[VT_HYBRID_STREAMS_MAX];
    _Alignas(64) uint8_t bounce[VT_HYBRID_STREAMS_MAX][VT_HYBRID_WINDOW_MAX + 64];
};

/** Runs up to `limit` iterations (and the kernel's bounds) from the state in s->r on, and leaves
 * registers and memory as after the last. */
void vt_slice_run(struct vt_slice *s, uint64_t limit);

/* For who runs them elsewhere, after vt_slice_begin. */
/** How many iterations a slice may have. */
uint64_t vt_slice_bound(const struct vt_slice *s, uint64_t limit);
/** The bytes that stream i's windows of n iterations lie in, page by page in guest-virtual order
 * from the lowest on; VT_GOES or why not. */
int vt_slice_pages(struct vt_slice *s, uint32_t i, uint64_t n, struct vt_piece *pieces,
                   uint32_t room, uint32_t *n_pieces);
/** n iterations were run, and s->carries are as after them. */
void vt_slice_done(struct vt_slice *s, uint64_t n);

/* For canaries: the same in parts. */
/** The values of inputs and carries as the loop stands; VT_GOES or why not. */
int vt_slice_values(struct vt_slice *s);
/** Those, s->trips and the streams' positions. */
int vt_slice_begin(struct vt_slice *s);
/** How many of `most` iterations have all their windows in memory that lies together, and may run
 * at once; s->hosts are their positions. 0: s->why; one that is bounced is not counted. */
uint64_t vt_slice_chunk(struct vt_slice *s, uint64_t most);
/** The bytes that n iterations of a cursor touch. */
struct vt_piece vt_cursor_hull(const struct vt_cursor *c, uint64_t n);

#pragma GCC visibility pop

#endif
