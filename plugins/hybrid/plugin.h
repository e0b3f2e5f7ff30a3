/* plugins/hybrid/plugin.h - what the files of the hybrid plugin share.
 *
 *   plugin.c     loaded, steered, unloaded; kernels
 *   hook.c       which blocks get a hook; what a hook does
 *   canary.c     both ways, compared
 *   offload.c    slices that a GPU runs
 *   registers.c  where QEMU keeps the vCPU's registers
 *   code.c       pages whose code was translated
 *   machine.h walk.c mode.c kernel.c call.c    know no QEMU
 *
 * Runs inside QEMU, on the thread of its one vCPU: never prints after loading but to say that a
 * kernel was disabled, never ends the process, takes nothing of the segment unchecked.
 */
#ifndef VT_PLUGIN_HYBRID_H
#define VT_PLUGIN_HYBRID_H

#include "call.h"
#include "plugins/common/follow.h"

#include <time.h>

#pragma GCC visibility push(hidden)

extern qemu_plugin_id_t vt_self;
extern struct vt_hybrid_header *vt_header;
extern struct vt_hybrid_control *vt_control;
extern struct vt_hybrid_slot *vt_slots;
extern struct vt_hybrid_mailbox *vt_mailbox;
extern struct vt_memory vt_ram;

/** An installed kernel. Made and dropped while no vCPU executes. */
struct vt_installed {
    bool used;
    bool disabled; /**< what the segment says of it, others may write */
    struct vt_kernel kernel;
    struct vt_hybrid_slot *slot;
    /* The vCPU's. */
    uint32_t failures; /**< calls in a row that ran nothing */
    uint32_t pass;     /* while it is passive: heads between two looks */
    uint64_t passed;   /* when it was looked last, nanoseconds */
    uint64_t slices;
    uint64_t heads_before; /**< + the gate's word = heads */
    struct vt_offload_pace {
        uint64_t most; /* iterations of a slice; 0: as at first */
        uint32_t rest, resting;
    } offload; /* offload.c's */
    struct vt_hook {
        uint64_t blocks; /**< bits: blocks that the translation does not hold whole */
        struct vt_installed *of;
    } hooks[64];
    uint32_t n_hooks;
};
extern struct vt_installed vt_kernels[VT_HYBRID_SLOTS];
extern uint32_t vt_n_kernels; /**< installed ones */

/* hook.c */
void vt_hook_init(void);
/** No vCPU executes and no translation is left: all hooks are gone. */
void vt_hook_reset(void);
/** Counts from 0 on. */
void vt_hook_installed(struct vt_installed *k);
void vt_hook_translated(struct qemu_plugin_tb *tb);
uint64_t vt_hook_heads(const struct vt_installed *k);
void vt_hook_disable(struct vt_installed *k, enum vt_hybrid_refusal why);

/* canary.c */
/** Begins one of at most this many iterations: how many; 0: none. */
uint64_t vt_canary_begin(struct vt_installed *k, struct vt_slice *s);
/** At the head, so many iterations later. */
enum vt_canary_result { VT_CANARY_SAME, VT_CANARY_DIFFERS, VT_CANARY_DISCARDED };
enum vt_canary_result vt_canary_end(struct vt_installed *k, struct vt_slice *s);
/** Whose canary is out, or NULL. */
struct vt_installed *vt_canary_of(void);
/** What came between makes it worthless. */
void vt_canary_discard(void);
/** Nobody will look. */
void vt_canary_forget(void);

/* offload.c */
enum vt_offload {
    VT_OFFLOAD_NOT, /**< nobody took it: nothing has happened */
    VT_OFFLOAD_DONE,
    VT_OFFLOAD_LOST, /**< somebody took it and never answered; memory may be half written, with what
                          the guest will write there */
};
enum vt_offload vt_offload(struct vt_installed *k, struct vt_slice *s);

/* registers.c */
/** On the vCPU's thread. */
void vt_registers_init(void);
/** Whether QEMU's place of the registers is known; looks for it now and then. In a callback that
 * may read registers. */
bool vt_registers_located(void);
/** VT_GOES, and paging and registers as they are; or VT_HYBRID_MODE. */
int vt_registers_get(struct vt_paging *paging, struct vt_registers *r, uint64_t *pc,
                     enum vt_vectors vectors);
void vt_registers_put_xmm(const struct vt_registers *r, enum vt_vectors vectors);

/* code.c */
void vt_code_add(const void *host);
void vt_code_add_physical(uint64_t gpa);
bool vt_code_holds(const uint8_t *page);
void vt_code_clear(void);

#pragma GCC visibility pop

static inline uint64_t vt_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

#endif
