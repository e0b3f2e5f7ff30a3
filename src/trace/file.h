/* trace/file.h - the .vtrace file as its writer and its reader see it; docs/trace.md describes it.
 *
 * A file is chunks, each a skippable frame that describes it and a zstd frame that holds it, so
 * that zstd itself unpacks the whole. Chunks of events begin from nothing (no state is carried
 * over from the one before): a reader may begin with any of them. All numbers are little-endian.
 */
#ifndef VT_TRACE_FILE_H
#define VT_TRACE_FILE_H

#include "vitrine/trace.h"

#define VT_TRACE_FILE_MAGIC "VT-CHUNK"
#define VT_TRACE_FILE_VERSION 2u
#define VT_TRACE_FILE_SKIPPABLE 0x184D2A56u /**< a frame that zstd skips */
#define VT_TRACE_FILE_HEADER_BYTES 80u
/** A chunk is closed when it has as much; the greatest event still fits. */
#define VT_TRACE_FILE_CHUNK_BYTES ((size_t)4 << 20)
#define VT_TRACE_FILE_CHUNK_EVENTS ((uint32_t)8 << 20)
#define VT_TRACE_FILE_RAW_MAX ((uint32_t)16 << 20)
#define VT_TRACE_FILE_BLOCKS_MAX (((uint32_t)1 << 24) - 1)
/** Of one event: QEMU makes up to 65536 rounds of a repeated instruction in one block. */
#define VT_TRACE_FILE_ACCESSES_MAX 262144u
#define VT_TRACE_FILE_VCPUS_MAX 64u
#define VT_TRACE_FILE_REGISTERS_MAX 48u
#define VT_TRACE_FILE_CODE_MAX 16384u /**< bytes of one block */
#define VT_TRACE_FILE_INSTRUCTIONS_MAX 512u
#define VT_TRACE_FILE_NAME_MAX 4096u

enum vt_trace_file_chunk {
    VT_TRACE_CHUNK_INFO = 1, /**< the first; later ones replace it, with as many vCPUs, registers */
    VT_TRACE_CHUNK_BLOCKS = 2, /**< dictionary entries; ids count on from 0 in the file's order */
    VT_TRACE_CHUNK_EVENTS = 3,
    VT_TRACE_CHUNK_NAMES = 4,
    VT_TRACE_CHUNK_END = 5, /**< the last: totals; the file was closed orderly */
};

/** What an entry of a chunk of names begins with; texts are varint length and bytes, 0: unknown. */
enum vt_trace_file_name {
    VT_TRACE_NAME_ROOT = 1, /**< varint event, u64 root, u64 pid, text */
    VT_TRACE_NAME_BLOCK = 2 /**< varint id, u64 offset, text object, text function */
};

/** An event's first byte. What changes a vCPU's state comes before the event that has it. */
enum vt_trace_file_op {
    VT_TRACE_OP_VCPU = 1,      /**< varint: whose the following are; 0 at the beginning */
    VT_TRACE_OP_TIME = 2,      /**< zigzag: added to time_ns, 0 at the beginning */
    VT_TRACE_OP_ROOT = 3,      /**< u64: ~0 at the beginning */
    VT_TRACE_OP_SEQUENCE = 4,  /**< varint: instead of one more than the last; 0 at the beginning */
    VT_TRACE_OP_REGISTERS = 8, /**< u64 pc, varint n, n u64 */
    VT_TRACE_OP_LOST = 9,      /**< varint words */
    VT_TRACE_OP_MODE = 10,     /**< varint detail, varint generation */
    VT_TRACE_OP_PAUSE = 11,
    VT_TRACE_OP_RESUME = 12,
    VT_TRACE_OP_CUT = 13,   /**< u8 end, u64 from, u64 to */
    VT_TRACE_OP_BLOCK = 64, /**< + the flags below; then what they name, in this order */
    /** … 254: 1-127 blocks as expected: the one that came after its predecessor the last time, all
     * of it, with the accesses that it is expected to make. */
    VT_TRACE_OP_HITS = 128,
    VT_TRACE_OP_MANY_HITS = 255, /**< varint: as many */
};
enum vt_trace_file_block_flags {
    VT_TRACE_BLOCK_MISS = 1,  /**< varint: id; without it the id is the expected one */
    VT_TRACE_BLOCK_SHORT = 2, /**< varint executed, u8 end; without: all, VT_TRACE_END_WHOLE */
    VT_TRACE_BLOCK_JUMP = 4,  /**< u64 from, u64 to */
    /** With BLOCK_SAME: as many and of the shapes as the last time, each a zigzag address and
     * value. Else varint n; up to 64 each a varint shape, then the same; more, in rows:
     * docs/trace.md. Addresses are differences to what file_model.h expects, values to the last
     * ones. A 16-byte value's high word follows as it is. */
    VT_TRACE_BLOCK_ACCESSES = 8,
    VT_TRACE_BLOCK_SAME = 16,
};
/** An access' shape: instruction 0-9, log2 of the size 10-12, then these. */
#define VT_TRACE_SHAPE_STORE (1u << 13)
#define VT_TRACE_SHAPE_VALUE (1u << 14)
#define VT_TRACE_SHAPE_DEVICE (1u << 15)

/* ---- what only files have */

/** What the writer put into it. */
struct vt_trace_file_totals { /* instructions, blocks: executions; cuts: blocks not whole, and CUT
                               */
    uint64_t events, instructions, blocks, accesses, cuts, lost_words, last_time_ns;
};
struct vt_trace_file_root_name {
    uint64_t event, root; /**< from this event on */
    int64_t pid;
    const char *name;
};
struct vt_trace_file_block_name {
    uint32_t block;
    uint64_t offset;
    const char *object, *function; /**< NULL: unknown */
};
struct vt_trace_file_about {
    bool ended;                         /**< closed orderly: `totals` are there */
    uint64_t cut_bytes;                 /**< at its end, of a chunk that was not finished */
    uint64_t bytes, raw_bytes;          /**< of all whole chunks, packed and unpacked */
    uint32_t chunks, event_chunks;      /**< whole ones */
    uint64_t events;                    /**< in them */
    struct vt_trace_file_totals totals; /**< zero unless `ended` */
    const struct vt_trace_file_root_name *roots;
    size_t n_roots;
    const struct vt_trace_file_block_name *block_names;
    size_t n_block_names;
};
/** NULL for a source that is no file. Belongs to the source. */
const struct vt_trace_file_about *vt_trace_file_about(const struct vt_trace_source *source);
/** Number of the event that comes next; of files alone. */
uint64_t vt_trace_file_tell(const struct vt_trace_source *source);
/** The next event will be number `event` of the file, 0 … about.events (the end). */
int vt_trace_file_seek(struct vt_trace_source *source, uint64_t event, struct vt_error *err);
/** The next event will be the first of a chunk before which all chunks began earlier than that. */
int vt_trace_file_seek_time(struct vt_trace_source *source, uint64_t time_ns, struct vt_error *err);

#endif
