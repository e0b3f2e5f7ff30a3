/* hybrid/segment.h - what whoever accelerates a VM and the plugin inside its QEMU (plugins/hybrid)
 * tell each other: one segment a VM, shared memory, /dev/shm/qemu_hybrid_<vm>.
 *
 *   header page | control page | status of each slot | mailbox | kernels | images
 *
 * The keeper lays it out (service.c) and removes it. The part before the kernels is mapped by the
 * plugin and there from the beginning; kernels and images are sparse and read by it once, when a
 * kernel is installed, into memory of its own. This header needs stdint alone. Words that both
 * sides use are written and read by atomic operations; each has one writer.
 *
 * To install: under a flock of the segment, with the slot's `state` EMPTY, write its kernel and its
 * image, then `wanted`, then `generation` + 1 (release), FUTEX_WAKE; the plugin answers with `seen`
 * = generation and FUTEX_WAKE, and the slot is INSTALLED or REFUSED. All that is wanted should
 * change at once: each generation drops QEMU's translations. ACTIVE and PASSIVE may be exchanged at
 * any time, without one; so may what `on_host` says. To remove: `wanted` NONE, and a generation:
 * the slot is EMPTY.
 */
#ifndef VT_HYBRID_SEGMENT_H
#define VT_HYBRID_SEGMENT_H

#include <stdint.h>

#define VT_HYBRID_MAGIC "VTHYBRID"
#define VT_HYBRID_VERSION 3u
#define VT_HYBRID_PAGE 4096u
#define VT_HYBRID_SLOTS 64u
#define VT_HYBRID_RANGES_MAX 16u
#define VT_HYBRID_IMAGE_BYTES ((uint32_t)1 << 20) /**< room for each slot's image */
#define VT_HYBRID_MAIL_PAGES 16384u               /**< that one request can name, all streams */
#define VT_HYBRID_NONE UINT32_MAX

/* As in vitrine/pixel.h and vitrine/synth.h. */
#define VT_HYBRID_STREAMS_MAX 16u
#define VT_HYBRID_INPUTS_MAX 96u
#define VT_HYBRID_CARRIES_MAX 96u
#define VT_HYBRID_BLOCKS_MAX 64u
#define VT_HYBRID_CODE_MAX 4096u
#define VT_HYBRID_DISJOINT_MAX 256u
#define VT_HYBRID_WINDOW_MAX 1048576u

enum vt_hybrid_capability {
    VT_HYBRID_CAN_RUN = 1, /**< where this QEMU keeps registers was found: kernels can run */
};

struct vt_hybrid_header {
    /* by whoever made the segment */
    char magic[8];
    uint32_t version, header_bytes;
    uint64_t segment_bytes;
    uint32_t slots, slot_bytes; /**< VT_HYBRID_SLOTS, sizeof(struct vt_hybrid_slot) */
    uint64_t control_offset, slot_offset, mailbox_offset;
    uint64_t kernel_offset, kernel_stride; /**< struct vt_hybrid_kernel of slot i: + i × stride */
    uint64_t image_offset, image_stride;   /**< likewise */
    /* by the plugin, once, before `plugin_api` (release) */
    uint64_t qemu_pid;
    uint32_t vcpus;
    uint32_t capabilities; /**< CAN_RUN comes with the first head that executes: until then 0 */
    uint32_t plugin_api;   /**< 0: no plugin has come yet */
    uint32_t ended;        /**< 1: QEMU ended orderly */
};

/** Guest-physical [gpa, gpa + bytes) is RAM that lies at `offset` of the RAM file. All multiples of
 * 4096. */
struct vt_hybrid_range {
    uint64_t gpa, bytes, offset;
};

/** Written by whoever steers, under a flock of the segment, but for `seen`. */
struct vt_hybrid_control {
    uint32_t generation, seen;
    uint32_t enabled; /**< the master switch, at any time: 0: every kernel is as if PASSIVE */
    uint32_t n_ranges;
    uint64_t ram_device, ram_inode;                      /**< of the RAM file, as stat has them */
    struct vt_hybrid_range ranges[VT_HYBRID_RANGES_MAX]; /**< read with each generation */
};

enum vt_hybrid_wanted {
    VT_HYBRID_WANT_NONE,
    VT_HYBRID_WANT_PASSIVE, /**< installed; the guest runs its loop itself and is counted */
    VT_HYBRID_WANT_ACTIVE,
};
enum vt_hybrid_state {
    VT_HYBRID_EMPTY,
    VT_HYBRID_INSTALLED,
    VT_HYBRID_REFUSED,  /**< `refusal` says why */
    VT_HYBRID_DISABLED, /**< by the plugin, for good: a canary failed, or the worker is lost */
};
enum vt_hybrid_refusal {
    VT_HYBRID_REFUSED_NOT = 0,
    VT_HYBRID_REFUSED_CORRUPT, /**< a count, an offset, a size is beyond its bounds */
    VT_HYBRID_REFUSED_CODE,    /**< blocks: none at the head, or not ascending */
    VT_HYBRID_REFUSED_IMAGE,   /**< it cannot be read or there is no memory for it */
    VT_HYBRID_REFUSED_RAM,     /**< the RAM file is not mapped here, or ranges are wrong */
    VT_HYBRID_REFUSED_VCPUS,   /**< the VM has several */
    VT_HYBRID_REFUSED_CANARY,  /**< disabled: what the image did is not what the guest did */
    VT_HYBRID_REFUSED_WORKER,  /**< disabled: the worker took a request and never answered */
};

/** Why a call ran nothing, or ended a slice before its bounds. */
enum vt_hybrid_decline {
    VT_HYBRID_FEW,        /**< fewer iterations are left than are worth it */
    VT_HYBRID_CODE,       /**< memory holds other bytes where the loop's blocks should be */
    VT_HYBRID_MODE,       /**< not plain 64-bit code with paging; debug registers in use */
    VT_HYBRID_ABSENT,     /**< a page is not there, or was never read */
    VT_HYBRID_PROTECTED,  /**< a page's privilege, write permission, protection key */
    VT_HYBRID_CLEAN,      /**< an output page that was never written */
    VT_HYBRID_NOT_RAM,    /**< a page that is not RAM, or below 1 MiB */
    VT_HYBRID_TRANSLATED, /**< an output page that holds code that was executed */
    VT_HYBRID_OVERLAP,    /**< bytes that must be disjoint overlap */
    VT_HYBRID_UNALIGNED,  /**< the guest would fault */
    VT_HYBRID_CROSSING,   /**< one iteration's window lies in scattered pages and overlaps others */
    VT_HYBRID_ADDRESS,    /**< not canonical, or wraps around */
    VT_HYBRID_CHECKED,    /**< the program's own check ended it */
    VT_HYBRID_WORKER,     /**< no worker, or it is busy */
    VT_HYBRID_DECLINES
};

/** One line of the kernels' table: `wanted` and `on_host` are the steerer's, all else the plugin's.
 * Counters go on until the slot is emptied; read relaxed, as fresh as the last call of the hook, or
 * 100 ms. */
struct vt_hybrid_slot {
    _Alignas(64) uint32_t wanted;
    uint32_t state;              /**< enum vt_hybrid_state */
    uint32_t refusal;            /**< enum vt_hybrid_refusal */
    uint32_t hooks;              /**< translations of the head that were hooked */
    uint32_t on_host;            /**< 1: whatever its flags say, no slice goes to the mailbox */
    _Alignas(64) uint64_t heads; /**< iterations that the guest began itself at the head */
    uint64_t iterations;         /**< that the kernel ran for it */
    uint64_t calls;              /**< of the hook, declined ones with them */
    uint64_t slices;             /**< calls that ran iterations */
    uint64_t chunks;             /**< calls of the image */
    uint64_t bounced;            /**< of these, single iterations through a buffer */
    uint64_t bytes;              /**< of written windows, or of read ones where none is written */
    uint64_t ns;                 /**< in slices: of every 64th call, times 64 */
    uint64_t canaries, canaries_discarded, canaries_failed;
    uint64_t declines[VT_HYBRID_DECLINES]; /**< enum vt_hybrid_decline: calls that ran nothing */
    uint64_t stops[VT_HYBRID_DECLINES];    /**< slices that ended for it */
};

#define VT_HYBRID_LINEAR_PLACE 32u
/** constant + Σ coefficient × register at the head, modulo 2^64. Registers: 0-15 as x86 numbers
 * them, 16 FS base, 17 GS base; in positions of streams also 32 + i: input i, behind the inputs the
 * carries, of 64 bits. */
struct vt_hybrid_linear {
    uint64_t constant;
    uint64_t coefficient[4];
    uint32_t reg[4];
    uint32_t n, pad;
};

enum vt_hybrid_place_kind { /* = enum vt_place_kind */
                            VT_HYBRID_GPR,
                            VT_HYBRID_XMM_LOW,
                            VT_HYBRID_XMM_HIGH,
                            VT_HYBRID_YMM_LOW,
                            VT_HYBRID_YMM_HIGH,
                            VT_HYBRID_FS_BASE,
                            VT_HYBRID_GS_BASE,
                            VT_HYBRID_CELL,
                            VT_HYBRID_PLACES
};
struct vt_hybrid_place {
    uint8_t kind;  /**< enum vt_hybrid_place_kind; FS and GS base: inputs alone */
    uint8_t reg;   /**< GPR, XMM, YMM: 0-15 */
    uint8_t bits;  /**< of the value: 1, 8, 16, 32, 64. A carry in a register is zero above it */
    uint8_t bytes; /**< CELL: 1, 2, 4, 8 */
    uint32_t pad;
    struct vt_hybrid_linear address; /**< CELL */
};

struct vt_hybrid_stream {
    struct vt_hybrid_linear position; /**< guest-virtual, of the iteration that begins */
    int32_t low, high;                /**< bytes [low, high) from there on */
    int64_t stride;
    uint32_t stride_input; /**< or VT_HYBRID_NONE */
    uint8_t reads, writes;
    uint8_t aligned; /**< 16, 32: to that, or the guest would fault */
    uint8_t pad;
};

struct vt_hybrid_block {
    int64_t at;        /**< from the head's first byte */
    uint32_t first, n; /**< of `code` */
};

struct vt_hybrid_disjoint { /* = struct vt_disjoint */
    uint8_t a, b;
    uint8_t only_parallel;
    uint8_t pad;
};

enum vt_hybrid_kernel_flag {
    VT_HYBRID_ONLY_HERE = 1,  /**< the kernel holds at `head` alone */
    VT_HYBRID_WANTS_AVX = 4,  /**< the loop has instructions of AVX */
    VT_HYBRID_USE_WORKER = 2, /**< slices may go to the mailbox; the image is there all the same */
};

/** What runs in place of a loop. The image is one run of bytes, position-independent and complete,
 * that the plugin copies to pages of its own, readable and executable. At `entry` and at
 * `trips_entry` it has functions
 *
 *     uint64_t f(const struct vt_hybrid_call *call);
 *
 * with the C calling convention of x86-64, as pixel/host.h compiles them (of which two images may
 * be put one after the other, the second at a multiple of 64). The one at `entry` runs iterations
 * and returns how many. That at `trips_entry` is called with count 1, with the kernel's inputs and
 * then its carries as inputs, and leaves in carry 0 how many iterations surely come back to the
 * head: the `trips` program with one carry more, of 64 bits, whose next value is its last value. */
struct vt_hybrid_kernel {
    char hash[40]; /**< of the loop, for people */
    uint64_t head; /**< guest-virtual; with VT_HYBRID_ONLY_HERE it must be there */
    uint32_t flags;
    uint32_t n_blocks, n_code;
    uint32_t n_inputs, n_carries, n_streams, n_disjoint;
    uint32_t image_bytes;
    uint32_t entry, trips_entry; /**< of the image; trips_entry may be VT_HYBRID_NONE */
    uint32_t canary_period;      /**< every so many slices one is checked; 0: none is */
    uint32_t pad;
    uint64_t min_iterations;   /**< below it the guest does it alone; 0: 1 */
    uint64_t slice_iterations; /**< at most, so that interrupts wait little; 0: 65536 */
    uint64_t slice_bytes;      /**< at most, of all windows together; 0: 1 MiB */
    struct vt_hybrid_block blocks[VT_HYBRID_BLOCKS_MAX]; /**< ascending; one has at == 0 */
    uint8_t code[VT_HYBRID_CODE_MAX];
    struct vt_hybrid_place inputs[VT_HYBRID_INPUTS_MAX];
    struct vt_hybrid_place carries[VT_HYBRID_CARRIES_MAX];
    struct vt_hybrid_stream streams[VT_HYBRID_STREAMS_MAX];
    struct vt_hybrid_disjoint disjoint[VT_HYBRID_DISJOINT_MAX];
};

struct vt_hybrid_call { /* = struct vt_pixel_call */
    uint64_t count;
    const uint64_t *inputs;
    uint64_t *carries;
    uint8_t *const *streams;
};

enum vt_hybrid_mail {
    VT_HYBRID_MAIL_FREE,
    VT_HYBRID_MAIL_ASKED,  /**< by the plugin: the request is there */
    VT_HYBRID_MAIL_TAKEN,  /**< by the worker: it may write to RAM from now on */
    VT_HYBRID_MAIL_DONE,   /**< by the worker: carries are there, RAM is written */
    VT_HYBRID_MAIL_REFUSED /**< by the worker: nothing was written */
};

/** Slices for a GPU, one at a time. `state` is a futex and goes FREE → ASKED (plugin) → TAKEN →
 * DONE or REFUSED (worker; or REFUSED at once) → FREE (plugin); each by compare-and-swap with
 * acquire and release. The plugin takes ASKED back when nobody takes it within a millisecond, and
 * TAKEN when `worker` is another or that process has ended: nobody writes any more then. */
struct vt_hybrid_mailbox {
    uint32_t worker; /**< pid of who serves; 0: nobody. By the worker */
    uint32_t pad;
    _Alignas(64) uint32_t state;
    uint32_t slot;
    uint64_t count;
    uint64_t inputs[VT_HYBRID_INPUTS_MAX];
    uint64_t carries[VT_HYBRID_CARRIES_MAX]; /**< in and out */
    struct {
        uint32_t first, n; /**< of `pages`, in guest-virtual order */
        int64_t position;  /**< of the first iteration, from the first page's first byte on */
    } streams[VT_HYBRID_STREAMS_MAX];
    uint64_t pages[VT_HYBRID_MAIL_PAGES]; /**< offsets in the RAM file */
};

#endif
