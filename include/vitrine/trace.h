/* vitrine/trace.h - the instructions a guest executes: recorded, decoded, learned from, exported.
 *
 * A *source* gives events in order: a VM's live rings or a file. An event is one block of
 * instructions that began to execute on a vCPU, with how far it came, and everything that was
 * recorded with it. From events come instructions (vt_trace_instruction), from events and blocks
 * come graphs (vt_trace_graph). One thread an object; errors as in base.h. Rings, dictionaries and
 * files are hostile: VT_E_CORRUPT says where.
 *
 * Formats: src/trace/ring.h (shared memory), docs/trace.md (file).
 */
#ifndef VITRINE_TRACE_H
#define VITRINE_TRACE_H

#include "vitrine/base.h"

enum vt_trace_machine { VT_TRACE_X86, VT_TRACE_OTHER /**< nothing here decodes it */ };
/** Of vt_trace_info.arch. */
enum vt_trace_machine vt_trace_machine_of(const char *arch);

struct vt_trace_block {
    uint32_t id;
    uint64_t pc;
    uint64_t physical; /**< ~0: unknown */
    uint16_t n;        /**< instructions */
    uint16_t code_bytes;
    enum vt_trace_machine machine;
    const uint8_t *sizes; /**< of each instruction */
    const uint8_t *code;
};

struct vt_trace_access {
    uint16_t instruction; /**< of the block */
    uint8_t bytes;        /**< 1, 2, 4, 8, 16 */
    bool store, has_value, device;
    uint64_t address;  /**< guest-virtual */
    uint64_t value[2]; /**< as stored in memory order, low word first */
};

enum vt_trace_kind {
    VT_TRACE_EV_BLOCK,
    VT_TRACE_EV_REGISTERS, /**< before the instruction at `pc` of the block that follows or goes on
                            */
    VT_TRACE_EV_LOST,      /**< what follows does not follow from what was before */
    VT_TRACE_EV_MODE,
    VT_TRACE_EV_PAUSE,
    VT_TRACE_EV_RESUME, /**< the vCPU idles, goes on */
    VT_TRACE_EV_CUT,    /**< a discontinuity with no block to belong to: a second one in a row, or
                           after    an idle time; `end`, `from` and `to` */
};
enum vt_trace_end { /* why a block ended before its last instruction, or what came right after */
                    VT_TRACE_END_WHOLE,
                    VT_TRACE_END_INTERRUPT, /**< as a rule after all of it: `executed` says */
                    VT_TRACE_END_EXCEPTION, /**< the instruction after `executed` ones raised it;
                                                 or all completed and the fetch at `from` did */
                    VT_TRACE_END_HOST,
                    VT_TRACE_END_RESTART, /**< the code changed under it: the store begins again in
                                             a block of its own */
                    VT_TRACE_END_UNKNOWN, /**< the recording ends here, or cuts are not recorded by
                                             this QEMU */
};

/** Valid until the next call. */
struct vt_trace_event {
    enum vt_trace_kind kind;
    uint32_t vcpu;
    uint64_t sequence; /**< of this vCPU's events */
    uint64_t time_ns;  /**< since the recording began; the last time word before it; 0: none yet */
    uint64_t root;     /**< page-table root in force, ~0: not known yet */
    const struct vt_trace_block *block;
    uint16_t executed; /**< instructions that completed: block->n unless cut */
    enum vt_trace_end end;
    uint64_t from, to; /**< of the discontinuity, when there was one */
    uint32_t n_accesses;
    const struct vt_trace_access *accesses;
    uint32_t n_registers;
    const uint64_t *registers; /**< in vt_trace_source_info's order */
    uint64_t pc;
    uint64_t lost_words;
    uint32_t detail, generation;
};

struct vt_trace_info {
    char vm[64], arch[16], qemu[32];
    uint64_t started_unix_ns;
    uint32_t vcpus, n_registers;
    char registers[48][12];
    uint32_t capabilities;
    uint32_t n_blocks;                                      /**< grows while live */
    uint64_t instructions, blocks, accesses, dropped, cuts; /**< by the plugin's own counters */
    bool ended; /**< nothing more will come: the end of a file, QEMU has ended or was killed */
};

/** The service that vt_vm_start needs for VMs that can be traced. */
extern const struct vt_keeper_service vt_trace_service;

struct vt_trace_source;
/** Consumes a VM's rings from where they are now; only one at a time (VT_E_BUSY).
 *  VT_E_UNSUPPORTED while QEMU has not loaded the plugin. */
int vt_trace_open_live(const char *segment, struct vt_trace_source **source, struct vt_error *err);
/** Ends what somebody left recording, and passes over what that put into the rings: what a source
 * of vt_trace_open_live has next is of the recording that is steered next. Nothing happens where
 * nothing is recorded. Errors: those of vt_trace_steer, with its `timeout_ms`. */
int vt_trace_begin(struct vt_trace_source *source, const char *segment, uint64_t timeout_ms,
                   struct vt_error *err);
/** What is in a segment whose QEMU is gone, or in a flight recorder: from the oldest record.
 * Changes nothing. */
int vt_trace_open_segment(const char *segment, struct vt_trace_source **source,
                          struct vt_error *err);
/** From its first event up to its last whole chunk, whether it was closed or not. Block ids are the
 * file's own, in the order in which blocks first appeared. src/trace/file.h has more of it. */
int vt_trace_open_file(const char *path, struct vt_trace_source **source, struct vt_error *err);
void vt_trace_close(struct vt_trace_source *source);
/** Belongs to the source; counters are those of the call. */
const struct vt_trace_info *vt_trace_source_info(struct vt_trace_source *source);
/** 1 and an event; 0: nothing now (live) or the end (vt_trace_info.ended); live sources wait up to
 * `timeout_ms` before. The order is each vCPU's own; between vCPUs by time as well as time words
 * tell. */
int vt_trace_next(struct vt_trace_source *source, uint64_t timeout_ms, struct vt_trace_event *event,
                  struct vt_error *err);
/** NULL: no such id (yet). */
const struct vt_trace_block *vt_trace_block(const struct vt_trace_source *source, uint32_t id);

/* ---- instructions */

/** What an instruction is for; what it does to memory besides is in `loads` and `stores`. */
enum vt_trace_class {
    VT_INSN_ALU,    /**< integers in general registers; lea, setcc, compare-and-swap too */
    VT_INSN_LOAD,   /**< moves out of memory, pop */
    VT_INSN_STORE,  /**< moves into memory, push */
    VT_INSN_MOVE,   /**< between registers; constants; cmov; nothing at all (nop, prefetch) */
    VT_INSN_FLOAT,  /**< arithmetic of floating point, x87 or vectors */
    VT_INSN_VECTOR, /**< all else with vector or mask registers that is no load or store */
    VT_INSN_STRING, /**< movs, stos, … with or without rep */
    VT_INSN_BRANCH,
    VT_INSN_CALL,
    VT_INSN_RETURN, /**< of a call; iret and sysret are VT_INSN_SYSTEM */
    VT_INSN_SYSTEM, /**< syscall, interrupts, I/O, privileged ones, segment registers, cpuid, ud2 */
    VT_INSN_UNKNOWN
};
#define VT_TRACE_NO_TARGET UINT64_MAX
struct vt_trace_instruction {
    uint64_t pc;
    const uint8_t *bytes; /**< of the block; NULL: they were not all recorded */
    uint8_t size;
    enum vt_trace_class class;
    bool loads, stores; /**< explicit or implicit memory operands, those of calls and push too */
    bool conditional;   /**< a branch that may fall through */
    uint64_t target;    /**< of a direct branch or call, else VT_TRACE_NO_TARGET */
    char mnemonic[16];
    char text[96]; /**< Intel syntax, addresses absolute; "(bad)" */
};
/** Instruction `i` of a block, decoded by Zydis. Whether x86 code runs with 64, 32 or 16 bits is
 * not recorded: it is the first of these in which the sizes of all the block's instructions come
 * out as QEMU's. What cannot be decoded, or comes out with another size than QEMU's, is "(bad)" and
 * VT_INSN_UNKNOWN; so is everything of VT_TRACE_OTHER and i >= block->n. */
void vt_trace_decode(const struct vt_trace_block *block, unsigned i,
                     struct vt_trace_instruction *insn);
/** "alu", "load"; "?" for a number that is none. Static text. */
const char *vt_trace_class_name(enum vt_trace_class class);

/* ---- registers, rebuilt */

/** A number of which some bits are known; the others are 0 in `value`. */
struct vt_trace_bits {
    uint64_t value, known;
};
/** As x86 numbers its general registers in instructions; then what addresses are made of, too. */
enum vt_trace_register {
    VT_TRACE_RAX,
    VT_TRACE_RCX,
    VT_TRACE_RDX,
    VT_TRACE_RBX,
    VT_TRACE_RSP,
    VT_TRACE_RBP,
    VT_TRACE_RSI,
    VT_TRACE_RDI,
    VT_TRACE_R8,
    VT_TRACE_R9,
    VT_TRACE_R10,
    VT_TRACE_R11,
    VT_TRACE_R12,
    VT_TRACE_R13,
    VT_TRACE_R14,
    VT_TRACE_R15,
    VT_TRACE_FS_BASE,
    VT_TRACE_GS_BASE,
    VT_TRACE_KERNEL_GS_BASE,
    VT_TRACE_RFLAGS, /**< the arithmetic flags and DF alone; where the manual has no answer, unknown
                      */
    VT_TRACE_CPU_REGISTERS
};
/** "rax"; "?" for a number that is none. Static text. */
const char *vt_trace_register_name(unsigned i);
struct vt_trace_cpu {
    struct vt_trace_bits r[VT_TRACE_CPU_REGISTERS];
};

struct vt_trace_registers_counts {
    uint64_t instructions, not_executed; /**< of which nothing is known but what they write */
    uint64_t addresses, values;          /**< recorded ones that registers were compared with */
    uint64_t branches;                   /**< whose way was foretold */
    uint64_t disagreements; /**< of these three with what was foretold: the registers that had part
                                 in it are unknown from there on */
    uint64_t breaks; /**< a step that nothing explains, words that were lost, another mode: all
                          registers are unknown */
    uint64_t points; /**< records of registers; each of their registers is one of these: */
    uint64_t points_known, points_unknown, points_wrong; /**< partly known is unknown */
};

struct vt_trace_registers;
/** Rebuilds the general registers of each vCPU of a source (`info`: whose) from what is recorded:
 * from registers, loads and stores (their values too: VT_TRACE_VALUES) and addresses. A register is
 * known bit by bit or not at all, and what is known is what the vCPU had. VT_E_UNSUPPORTED for
 * other machines than x86. Memory: bounded, whatever the source says. */
int vt_trace_registers_create(const struct vt_trace_info *info, struct vt_trace_registers **r,
                              struct vt_error *err);
void vt_trace_registers_destroy(struct vt_trace_registers *r);
/** Takes each event of the source in order. After each instruction of a block that completed `each`
 * (NULL: nobody asks) sees the registers; belongs to `r`, valid during the call. */
int vt_trace_registers_take(struct vt_trace_registers *r, const struct vt_trace_event *event,
                            void (*each)(void *context, unsigned instruction,
                                         const struct vt_trace_cpu *cpu),
                            void *context, struct vt_error *err);
/** After the last event; NULL: no such vCPU. Belongs to `r`. */
const struct vt_trace_cpu *vt_trace_registers_of(const struct vt_trace_registers *r, uint32_t vcpu);
const struct vt_trace_registers_counts *
vt_trace_registers_counts(const struct vt_trace_registers *r);

/* ---- steering a VM's plugin */

struct vt_trace_filter { /* all zero: everything */
    uint32_t privileges; /**< bit 0: kernel, bit 1: user */
    uint64_t vcpu_mask;
    uint64_t root, root_mask; /**< page-table root, and its bits that count, 0: all of them */
    uint64_t pid;             /**< whose root that is (vt_trace_filter_process), 0: nobody's */
    bool exact;               /**< counters count one by one; slower */
    uint32_t n_ranges;
    struct {
        uint64_t first, last;
    } ranges[16];
    uint32_t n_points;
    uint64_t points[32];
};
/** Adds what `text` says: "kernel", "user", "range=FIRST-LAST", "range=FIRST+BYTES", "root=ADDR",
 *  "vcpu=N", "point=ADDR". VT_E_INVAL; VT_E_LIMIT: no more of these fit. */
int vt_trace_filter_add(struct vt_trace_filter *filter, const char *text, struct vt_error *err);
struct vt_target; /* vitrine/target.h */
/** Only under the page-table roots of a process of the target's guest. VT_E_NOT_FOUND: no such
 * process, or one without memory of its own; those of looking for a kernel. */
int vt_trace_filter_process(struct vt_target *target, uint64_t pid, struct vt_trace_filter *filter,
                            struct vt_error *err);
/** A process that is recorded may execute another program, under other page tables, and ends.
 * Whoever records calls vt_trace_follow as often as it likes, which looks ten times a second. */
struct vt_trace_follow {
    struct vt_target *target;
    struct vt_trace_filter *filter; /**< of any kind: only a process is followed */
    uint64_t next_ns;               /**< 0 at first, like the next one */
    unsigned missed;
};
/** 1: the filter is another now, and to be steered by. 0: as before, or it cannot be told now.
 *  VT_E_NOT_FOUND: the process has ended. */
int vt_trace_follow(struct vt_trace_follow *f, struct vt_error *err);
/** Sets detail (enum vt_trace_detail), policy and filter (NULL: everything), and waits until the
 *  plugin follows. VT_E_UNSUPPORTED for what this QEMU cannot record, VT_E_LIMIT when the file
 *  system of the segment has no room for the rings, VT_E_BUSY while another steers, VT_E_TIMEOUT
 * when the plugin does not answer (it may still follow), VT_E_GONE. */
int vt_trace_steer(const char *segment, uint32_t detail, uint32_t policy, uint32_t period,
                   const struct vt_trace_filter *filter, uint64_t timeout_ms, struct vt_error *err);

/* ---- files */

struct vt_trace_writer;
/** A new file of mode 0600; with `replace` a plain file that is there goes (else VT_E_EXISTS). */
int vt_trace_writer_create(const char *path, bool replace, const struct vt_trace_info *info,
                           struct vt_trace_writer **w, struct vt_error *err);
/** Takes an event as a source gave it. What was flushed stays readable whatever happens; else up to
 * some megabytes of events wait in memory. VT_E_INVAL and VT_E_LIMIT: not taken, the file goes on;
 * once a write has failed all that follow do. */
int vt_trace_writer_put(struct vt_trace_writer *w, const struct vt_trace_event *event,
                        struct vt_error *err);
/** Writes what waits: for callers to whom nothing comes for a while. */
int vt_trace_writer_flush(struct vt_trace_writer *w, struct vt_error *err);
/** Replaces the information given before: the counters at the end, as a rule. */
int vt_trace_writer_info(struct vt_trace_writer *w, const struct vt_trace_info *info,
                         struct vt_error *err);
/** Names that make the file readable alone: a process for a root from event number `event` on (0:
 * the first that was put; roots are used again when processes end), a function for a block that was
 * put (VT_E_NOT_FOUND else), by the id it was put with. */
int vt_trace_writer_name_root(struct vt_trace_writer *w, uint64_t event, uint64_t root, int64_t pid,
                              const char *name, struct vt_error *err);
int vt_trace_writer_name_block(struct vt_trace_writer *w, uint32_t block, const char *object,
                               const char *function, uint64_t offset, struct vt_error *err);
/** Writes what waits and the totals; frees it in any case. */
int vt_trace_writer_close(struct vt_trace_writer *w, struct vt_error *err);

/* ---- names: of live VMs (from the guest) and of files
 *
 * A block is named when it is first seen, its process as well: processes end, files do not change.
 * Names are a help and no need; what has none stays unknown. They are the guest's: any bytes.
 */

struct vt_trace_names;
/** Names out of a VM's own memory, while it runs on: of the kernel and its modules, of processes by
 * their page-table roots, of the files that code is mapped from. The target outlives them, and only
 * they use its kernel meanwhile: it is opened as soon as there is one. x86_64 alone; for others
 * there are no names. VT_E_NOMEM. */
int vt_trace_names_live(struct vt_target *target, struct vt_trace_names **names,
                        struct vt_error *err);
/** Those that a file keeps; *names is NULL when it has none, or the source is no file. VT_E_NOMEM.
 */
int vt_trace_names_file(const struct vt_trace_source *source, struct vt_trace_names **names,
                        struct vt_error *err);
void vt_trace_names_destroy(struct vt_trace_names *names);
/** Is told every event of a source, also of a file's, in order and before what it shall name; one
 * without a new block or root costs nothing. Does nothing with NULL. */
void vt_trace_names_see(struct vt_trace_names *names, const struct vt_trace_event *event);
/** All was seen: from now on a page-table root is of the last process that is known to have had it,
 * for who asks about all of a trace and not about the event that was seen last. */
void vt_trace_names_settle(struct vt_trace_names *names);

/** "vmlinux", "memcpy", 0x10; "ext4", "ext4_readpage", 0; "/bin/busybox", NULL, 0x1234. */
struct vt_trace_place {
    const char *object;   /**< "vmlinux", a module, a file's path, "[vdso]"; NULL: unknown */
    const char *function; /**< NULL: unknown */
    uint64_t offset;      /**< from the function's first byte; without one, the address that the
                               object was linked at, as addr2line takes it */
    const char *process;  /**< whose page table is in force; the kernel's threads borrow any.
                               NULL: unknown */
    int64_t pid;          /**< -1: unknown */
};
/** What executes at `pc` under `root`; `block`, which may be NULL, has it (vt_trace_names_see saw
 * it, or the file has it). Texts belong to names. Whether the object is known; `place` is filled in
 * any case. NULL for names: nothing is known. */
bool vt_trace_place(struct vt_trace_names *names, uint64_t root, const struct vt_trace_block *block,
                    uint64_t pc, struct vt_trace_place *place);
/** "memcpy+0x10", "libc.so.6:memcpy", "busybox:0x1234", or "0x401234": the kernel's without
 * "vmlinux:", files without their folders, printable. */
void vt_trace_place_text(const struct vt_trace_place *place, uint64_t pc, char *text, size_t bytes);
/** Names all roots and blocks that were seen and that the file has: before it is closed. */
int vt_trace_names_write(struct vt_trace_names *names, struct vt_trace_writer *w,
                         struct vt_error *err);

/* ---- learning */

struct vt_trace_graph;
/** `arch`: vt_trace_info's. */
int vt_trace_graph_create(const char *arch, struct vt_trace_graph **g, struct vt_error *err);
/** Takes each event of a source; edges go from a block to the next on the same vCPU and root unless
 * a cut, a loss or an interrupt is between (an interrupt's return joins again). */
int vt_trace_graph_add(struct vt_trace_graph *g, const struct vt_trace_event *event,
                       struct vt_error *err);
/** Merges translation blocks into basic blocks, finds loops, counts sequences. */
int vt_trace_graph_learn(struct vt_trace_graph *g, struct vt_error *err);
/* nodes, edges, loops, sequences: tables with columns, as nouns have them: src/trace/learn.h */

#endif
