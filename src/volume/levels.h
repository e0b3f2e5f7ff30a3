/* volume/levels.h - what volume.c makes and levels.c keeps up to date, beside struct vt_volume.
 *
 * Words of a page that the host decides on (attributes, slots) are kept here and go to the device
 * in blocks; brick words and last writes are written there by levels.comp, job by job.
 */
#ifndef VT_VOLUME_LEVELS_H
#define VT_VOLUME_LEVELS_H

#include "volume/residency.h"

#define VT_BLOCK_SHIFT 8 /* words of a block: 256 */
/* Bytes that are pushed to levels.comp and nodes.comp. */
#define VT_LEVELS_PUSH 32
#define VT_NODES_PUSH 24

/** A table of a word a page. */
struct vt_page_words {
    uint32_t *words;
    uint8_t *stale;  /* by block: not yet on the device */
    uint64_t offset; /* in the buffer of tables */
};

/** What levels.comp is to do: see there. */
struct vt_job {
    uint32_t brick, word;
};

/** Buffers of 2^VT_CHUNK_SHIFT pages. */
struct vt_volume_chunk_buffers {
    struct vt_gpu_buffer *voxels, *cells;
};

struct vt_volume_build {
    struct vt_bricks tables;
    struct vt_ram_region regions[VT_RAM_REGIONS_MAX];
    unsigned n_regions;

    bool imported;
    struct vt_gpu_buffer *tables_buffer;
    unsigned n_chunks;
    struct vt_volume_chunk_buffers chunks[VT_CHUNKS_MAX];
    struct vt_gpu_program *levels, *nodes;

    uint32_t *brick_of;   /* by page: its brick in the grid */
    uint8_t *orientation; /* by page */
    struct vt_page_words attributes, slots;

    /* VT_VOLUME_POOLED: slots are taken round and round, those of pages that nobody wants first. */
    struct vt_residency *residency;
    uint32_t n_slots, next_slot;
    uint32_t *page_in;  /* by slot; VT_HOLE: none. NULL: every page has its own */
    uint32_t *taken_in; /* by slot: the round of jobs that last wrote it */
    uint32_t round;

    /* What one update does; the device reads jobs and nodes where they are. */
    struct vt_gpu_buffer *work;
    struct vt_job *jobs;  /* n_pages of them */
    uint32_t *nodes_list; /* all nodes */
    uint32_t n_nodes;
    uint8_t *node_due;   /* by node: is in the list */
    uint64_t *job_pages; /* n_pages */
    uint16_t *highlight; /* by page; made when first needed */
};

/** Voxels of `page` are in `slot` from now on; those of another page that were there are not. */
void vt_volume_give_slot(struct vt_volume *volume, uint64_t page, uint32_t slot);
/** What slots hold goes to the device. */
int vt_volume_send_slots(struct vt_volume *volume, struct vt_error *err);

/** Nodes of level m along x, y, z. */
void vt_node_grid(const uint32_t grid[3], unsigned m, uint32_t nodes[3]);

#endif
