/* plugins/trace/plugin.h - what the files of the trace plugin share.
 *
 *   plugin.c      loaded, steered, unloaded; the thread that follows the control page
 *   instrument.c  what a translated block gets, by the configuration in force
 *   record.c      the callbacks that write records
 *   writer.c      room in a ring: waiting, dropping, overwriting
 *   dictionary.c  blocks to ids
 *   arch.c        registers; instructions that load the page-table root
 *   alias.c       at which address a block executes
 *
 * Runs inside QEMU, on the threads of its vCPUs: never prints after loading, never ends the
 * process, trusts nothing in the segment that somebody else may write.
 */
#ifndef VT_PLUGIN_TRACE_H
#define VT_PLUGIN_TRACE_H

#include "plugins/common/follow.h"
#include "trace/ring.h"

#include <stdatomic.h>

#define VT_WRITER_CHUNK 4096u  /**< words between two looks at what others wrote */
#define VT_WRITER_RESERVE 256u /**< words kept back from blocks and accesses */
#define VT_NO_BLOCK UINT64_MAX
#define VT_ALIAS_SLOTS (1U << 20)
#define VT_ALIAS_SHIFT 12 /* pages of 4 KiB: QEMU's smallest for these machines */

/* Nothing but the two names QEMU looks for is visible outside. */
#pragma GCC visibility push(hidden)

/** What is in force; changes only while no vCPU executes. */
struct vt_trace_config {
    struct vt_trace_control c; /**< clamped */
    uint32_t generation;
    uint32_t period;
    bool conditional; /**< not every vCPU or root is recorded */
    bool by_address;  /**< not every address, or registers at some */
};

/** A vCPU's side of its ring. Its thread alone writes it, or who stopped all vCPUs. */
struct vt_trace_writer {
    /* One cache line: what a block needs. */
    _Alignas(128) uint64_t head;
    uint64_t limit; /**< below it there is room without looking */
    uint64_t *words;
    uint64_t mask;
    struct vt_trace_vcpu *page; /**< NULL: a vCPU without a ring; then limit is 0 */
    const uint64_t *pc;         /**< QEMU's PC register of this vCPU */
    uint64_t instructions, blocks;

    uint64_t last; /**< the block that executes, as its callback knows it */
    uint64_t accesses;
    uint64_t root;      /**< ~0: unknown */
    uint64_t lost;      /**< words not yet told */
    uint32_t countdown; /**< blocks to the next time word */
    bool begins;        /**< registers are recorded with the block of the next time word */
    bool over;          /**< the recording has ended here; it is about to be switched off */
    unsigned index;
    bool outside;     /**< the vCPU or its root is not recorded */
    bool skipped;     /**< the address of the block that executes is not; by_address */
    int64_t distance; /**< of that block, as vt_alias_distance says; by_address */
    GByteArray *bytes;
};

/** QEMU's inline operations work on these. */
struct vt_trace_score {
    uint64_t instructions, blocks, accesses;
    uint64_t outside;
};

extern struct vt_trace_config vt_config;
extern struct vt_trace_writer *vt_writers; /**< one a vCPU that can ever be */
extern unsigned vt_n_writers;
extern struct vt_trace_header *vt_header;
extern struct vt_trace_control *vt_control;
extern struct qemu_plugin_scoreboard *vt_scores;

/* plugin.c */
static inline bool vt_trace_changed(void)
{
    return __atomic_load_n(&vt_control->generation, __ATOMIC_RELAXED) != vt_config.generation;
}

/* writer.c */
/** Room for n words (at most VT_WRITER_RESERVE / 2), or false: counted as lost. Waits only when the
 * caller holds no lock of QEMU's. */
bool vt_writer_room(struct vt_trace_writer *w, unsigned n, bool may_wait);
void vt_writer_put_time(struct vt_trace_writer *w, bool may_wait);
void vt_writer_wake_reader(struct vt_trace_writer *w);
uint64_t vt_clock(void);

static inline bool vt_writer_begin(struct vt_trace_writer *w, unsigned n, bool may_wait)
{
    return __builtin_expect(w->head + n <= w->limit, 1) || vt_writer_room(w, n, may_wait);
}
/** Whether counters are QEMU's inline operations. */
static inline bool vt_trace_counts_inline(void)
{
    return vt_config.c.detail == VT_TRACE_COUNT || (vt_config.c.flags & VT_TRACE_EXACT) != 0;
}
static inline void vt_writer_put(struct vt_trace_writer *w, uint64_t word)
{
    w->words[w->head++ & w->mask] = word;
}
/** Pairs with the reader's acquire of head: the words are there. */
static inline void vt_writer_commit(struct vt_trace_writer *w)
{
    __atomic_store_n(&w->page->head, w->head, __ATOMIC_RELEASE);
}
static inline uint64_t vt_word(enum vt_trace_word kind, uint64_t rest)
{
    return (uint64_t)kind << 56 | rest;
}

/* record.c */
/** How a callback knows its block: bits 0-31 the id, 32-41 the instructions, 42-61 the slot. */
static inline uint64_t vt_block(uint32_t id, size_t n, uint32_t slot)
{
    return (uint64_t)slot << 42 | (uint64_t)n << 32 | id;
}
static inline uint32_t vt_block_slot(uint64_t block)
{
    return (uint32_t)(block >> 42);
}
void vt_record_block(unsigned vcpu, void *block);
void vt_record_block_timed(unsigned vcpu, void *block);
/** by_address: blocks that were translated inside, and outside, of what is recorded. */
void vt_record_block_inside(unsigned vcpu, void *block);
void vt_record_block_outside(unsigned vcpu, void *block);
void vt_record_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *index);
void vt_record_value(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *index);
void vt_record_alone(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *block);
void vt_record_alone_inside(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,
                            void *block);
void vt_record_alone_outside(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,
                             void *block);
/** At which of vt_config.c.points, when its block executes `distance` from where it was translated.
 */
static inline void *vt_point(uint32_t point, int64_t distance)
{
    return (void *)(uintptr_t)((uint64_t)distance << 5 | point);
}
void vt_record_registers(unsigned vcpu, void *point);
void vt_record_load_root(unsigned vcpu, void *source);
void vt_record_root(struct vt_trace_writer *w, uint64_t root, bool may_wait);
void vt_record_cut(unsigned vcpu, unsigned type, uint64_t from, uint64_t to);
void vt_record_pause(unsigned vcpu, bool idle);
void vt_record_mode(struct vt_trace_writer *w);
/** What comes follows from nothing: with values, it begins with the registers. */
void vt_record_begins(struct vt_trace_writer *w);

/* dictionary.c */
/** The id of a block; false: no room. Any vCPU's thread. */
bool vt_dictionary_add(struct vt_trace_block_entry *head, const uint8_t *sizes, const uint8_t *code,
                       uint32_t *id);
/** `bytes` at `offset` of the segment mapped at `base`, open as `fd`. */
bool vt_dictionary_init(uint8_t *base, uint64_t offset, uint64_t bytes, int fd);

/* instrument.c */
/** By address: whether blocks that execute at `pc` are recorded. */
bool vt_in_ranges(uint64_t pc);
void vt_instrument(struct qemu_plugin_tb *tb);

/* arch.c */
bool vt_arch_init(const char *target);
/** On a vCPU's thread that just came up. What is listed is the machine's core registers (in QEMU's
 * order, those of at most 8 bytes) and the page-table root. */
void vt_arch_registers(void);
/** The register an instruction loads the page-table root from (bits 0-7 its number, bit 8 set), or
 * 0. */
uint32_t vt_arch_loads_root(const uint8_t *code, size_t bytes);
/** What that register, or the root register itself, holds; ~0: cannot be read here. */
uint64_t vt_arch_root_from(struct vt_trace_writer *w, uint32_t source);
uint64_t vt_arch_root(struct vt_trace_writer *w);
/** Register `i` of the header's list. */
uint64_t vt_arch_register(struct vt_trace_writer *w, unsigned i);
bool vt_arch_kernel(uint64_t pc);
/** Of an instruction that is one atomic operation where several vCPUs run at once, enum
 * qemu_plugin_mem_rw: the accesses of which QEMU tells another value than memory's: what it adds,
 * say, for what it stores. */
unsigned vt_arch_untold(const uint8_t *code, size_t bytes);
/** The PC register; false: it cannot be read here. Narrow: code of x86 that is not 64-bit, where
 * the PC is this and the code segment's base. */
bool vt_arch_pc(GByteArray *bytes, uint64_t *value, bool *narrow);

/* alias.c */
extern uint64_t vt_alias_pages[VT_ALIAS_SLOTS];
extern const uint64_t vt_alias_nowhere;
/** While `pc` is being translated: the slot of its page, of vt_alias_pages. */
uint32_t vt_alias_slot(uint64_t pc);
/** The page of `slot` is where this block executes, without asking further. */
static inline bool vt_alias_none(const struct vt_trace_writer *w, uint32_t slot)
{
    return *w->pc >> VT_ALIAS_SHIFT == vt_alias_pages[slot];
}
/** At the beginning of a block: pages from the address it was translated at to the one at which it
 * executes now, and that, where it differs. */
int64_t vt_alias_distance(struct vt_trace_writer *w, uint32_t slot, uint64_t *pc);
/** At the beginning of a block, now and then: whether w->pc is still the PC. */
void vt_alias_check(struct vt_trace_writer *w);

#pragma GCC visibility pop

#endif
