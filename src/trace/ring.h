/* trace/ring.h - what the trace plugin writes and readers read: one segment a VM, shared memory,
 * /dev/shm/qemu_trace_<vm>.
 *
 *   header page | control page | vCPU 0: page, ring | vCPU 1: page, ring | … | dictionary
 *
 * The plugin is loaded into somebody else's process: this header needs stdint alone. Each ring has
 * one writer, its vCPU's thread, and at most one reader that gives room back (`tail`). The ring
 * holds 64-bit words; a record is one word or several, its first word's top byte the kind. The
 * writer fills words, then stores `head` (release); a reader loads it (acquire). Positions count
 * words ever written; a ring holds a power of two of them. A dictionary entry is complete (release
 * on `dictionary_head`) before a record names it. The keeper makes the segment and removes it; it
 * outlives QEMU, and what `head` covers is whole. Readers take nothing of it on trust.
 */
#ifndef VT_TRACE_RING_H
#define VT_TRACE_RING_H

#include <stdint.h>

#define VT_TRACE_MAGIC "VT-TRACE"
#define VT_TRACE_VERSION 1u
#define VT_TRACE_VCPUS_MAX 64u
#define VT_TRACE_PAGE 4096u
#define VT_TRACE_RING_WORDS ((uint32_t)1 << 21) /**< default: 16 MiB */
#define VT_TRACE_REGISTERS_MAX 48u

enum vt_trace_capability {
    VT_TRACE_CAN_CUT = 1,    /**< discontinuities are recorded (API >= 5) */
    VT_TRACE_CAN_VALUES = 2, /**< values of accesses (API >= 4) */
    VT_TRACE_CAN_REGISTERS = 4,
    VT_TRACE_CAN_ROOTS = 8, /**< changes of the page-table root are recorded */
};

struct vt_trace_header {
    /* by whoever made the segment */
    char magic[8];
    uint32_t version, header_bytes;
    uint64_t segment_bytes;
    uint32_t vcpus;      /**< rings laid out */
    uint32_t ring_words; /**< of each, a power of two */
    uint64_t control_offset, vcpu_offset,
        vcpu_stride; /**< stride = VT_TRACE_PAGE + ring_words * 8 */
    uint64_t dictionary_offset, dictionary_bytes;
    /* by the plugin, once, before `plugin_api` (release) */
    uint64_t clock_hz; /**< of VT_TRACE_TIME: CLOCK_MONOTONIC, 10^9 */
    uint64_t clock_start, unix_start_ns;
    uint64_t qemu_pid;
    char arch[16]; /**< as QEMU calls the target: "x86_64" */
    uint32_t capabilities;
    uint32_t n_registers; /**< of VT_TRACE_REGISTERS records, in this order */
    char registers[VT_TRACE_REGISTERS_MAX][12];
    uint32_t plugin_api; /**< 0: no plugin has come yet */
    uint32_t ended;      /**< 1: QEMU ended orderly; rings are complete */
    /* by the plugin, all the time; one writer under its lock */
    _Alignas(64) uint64_t dictionary_head; /**< bytes complete */
    uint64_t blocks;                       /**< entries complete; ids are 0 … blocks - 1 */
    uint64_t dictionary_full;              /**< blocks that found no room: not recorded */
};

enum vt_trace_detail {                 /* each with all before it */
                       VT_TRACE_OFF,   /**< nothing is instrumented */
                       VT_TRACE_COUNT, /**< only the counters of struct vt_trace_vcpu */
                       VT_TRACE_BLOCKS,
                       VT_TRACE_TIMES, /**< a VT_TRACE_TIME every `period` blocks */
                       VT_TRACE_ADDRESSES,
                       VT_TRACE_VALUES,
};
enum vt_trace_policy {                /* when a ring is full */
                       VT_TRACE_WAIT, /**< for the reader, while it lives; without a living reader
                                         as KEEP_LAST */
                       VT_TRACE_DROP, /**< and count; VT_TRACE_LOST says how many words when there
                                         is room again */
                       VT_TRACE_KEEP_LAST /**< flight recorder: the oldest are overwritten */
};

enum vt_trace_flag {
    VT_TRACE_EXACT = 1, /**< QEMU's inline operations count each instruction that begins and each
                             access, not whole blocks: what tests compare with; slower */
};

/** Written by whoever steers, under a flock of the segment: everything, then `generation` + 1
 *  (release), then FUTEX_WAKE on it. The plugin answers with `seen` = generation and FUTEX_WAKE. */
struct vt_trace_control {
    uint32_t generation, seen;
    uint32_t detail, policy;
    uint32_t privileges; /**< bit 0: kernel, bit 1: user (half of the address space); 0: both */
    uint32_t period;     /**< 0: 64 */
    uint64_t vcpu_mask;  /**< 0: all */
    uint64_t root;      /**< page-table root (CR3 without flags), 0: all. Kernel code counts, too */
    uint64_t root_mask; /**< bits of it that have to agree, 0: all (Linux with page-table isolation:
                             bit 12 tells kernel from user) */
    uint32_t flags;     /**< enum vt_trace_flag */
    uint32_t n_ranges, n_points;
    struct {
        uint64_t first, last; /**< PCs, inclusive; a block is in when its first instruction is */
    } ranges[16];
    uint64_t points[32]; /**< registers are recorded before the instruction at these PCs; with
                              VT_TRACE_VALUES at the beginning and after lost words, too */
};

/** The page before a ring. Counters: read relaxed; at most 50 ms old, exact when `seen` follows a
 * new generation and when `ended` is set. They go on from one generation to the next and count what
 *  passes the filter, lost or not; a block counts whole when it begins. With VT_TRACE_COUNT,
 *  `instructions` alone counts, by QEMU's inline operations, and the filter is that of addresses
 *  and privileges. So it is with VT_TRACE_EXACT, where all three count, one by one. */
struct vt_trace_vcpu {
    _Alignas(64) uint64_t head; /**< words written */
    uint64_t instructions, blocks, accesses;
    uint64_t dropped, waits, cuts;
    uint32_t waiting; /**< futex: the writer sleeps for room */
    uint32_t alive;   /**< the vCPU exists */
    /** Words done with: always the beginning of a record. The reader moves it to give room back,
     *  the writer (KEEP_LAST, nobody there to read) before it overwrites; both by compare-and-swap
     *  and only forward, so that each sees what the other did without a handshake. */
    _Alignas(64) uint64_t tail;
    uint32_t reader; /**< pid of who consumes, 0: nobody */
    uint32_t hungry; /**< 0: readers poll */
};

/** The kind is the first word's top byte. */
enum vt_trace_word {
    VT_TRACE_BLOCK = 1,  /**< bits 0-31: id, 32-41: its instructions. This block begins to execute,
                              where the dictionary says unless a VT_TRACE_AT is right before */
    VT_TRACE_TIME = 2,   /**< bits 0-55: the clock, now */
    VT_TRACE_ACCESS = 3, /**< below; then the address; then the value: one word, two for 16 bytes */
    VT_TRACE_ROOT = 4,   /**< bits 0-55: the page-table root from here on, its flags off */
    VT_TRACE_CUT = 5, /**< bits 0-7: 1 interrupt, 2 exception, 4 host call; then from PC, to PC: the
                           instruction at `from` is the next that would have executed */
    VT_TRACE_REGISTERS =
        6, /**< bits 0-15: words that follow, in the header's order; then the PC first */
    VT_TRACE_LOST = 7,   /**< bits 0-55: words dropped here; the root follows where it is known */
    VT_TRACE_MODE = 8,   /**< bits 0-31: the generation in force from here on; 32-39: detail */
    VT_TRACE_PAUSE = 9,  /**< bit 0: 1 the vCPU went idle, 0 it goes on; then a TIME */
    VT_TRACE_AT = 10,    /**< bits 0-55: a signed number of pages of 4 KiB; then a BLOCK, which
                              executes so many after the dictionary's address */
    VT_TRACE_AGAIN = 11, /**< the block that is next is an instruction of the last one, which QEMU
                              left there to begin it anew: it touches a device */
};
#define VT_TRACE_KIND(word) ((unsigned)((word) >> 56))
#define VT_TRACE_BLOCK_INSTRUCTIONS(word) ((word) >> 32 & 0x3ff)
/** VT_TRACE_ACCESS: instruction of the block 0-9, log2 of the size 10-13, then these; 9 and the
 *  address come next. */
#define VT_TRACE_ACCESS_STORE ((uint64_t)1 << 14)
#define VT_TRACE_ACCESS_VALUE ((uint64_t)1 << 15)
#define VT_TRACE_ACCESS_SIGNED ((uint64_t)1 << 16)
#define VT_TRACE_ACCESS_BIG_ENDIAN ((uint64_t)1 << 17)
#define VT_TRACE_ACCESS_DEVICE ((uint64_t)1 << 18)

/** A dictionary entry, a multiple of 8 bytes: this, `n` sizes of one byte, then the instructions'
 * bytes. Equal translations (pc, bytes) have one id for the VM's life. One translation serves all
 * virtual addresses of its physical page: `pc` is the one at which it was made. */
struct vt_trace_block_entry {
    uint32_t bytes; /**< of the whole entry */
    uint32_t id;
    uint64_t pc;
    uint64_t physical; /**< guest-physical address of the first instruction, or ~0 */
    uint16_t n;        /**< instructions, 1-512 */
    uint16_t code_bytes;
    uint32_t flags; /**< enum vt_trace_block_flags */
};
enum vt_trace_block_flags { VT_TRACE_BLOCK_CUT_BYTES = 1 /**< some bytes could not be read */ };

#endif
