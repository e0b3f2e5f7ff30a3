/* tests/unit/trace/export_rig.h - a source whose events a test writes down: blocks that call,
 * return, trap and come back, at addresses of its choice.
 */
#ifndef VT_TESTS_TRACE_EXPORT_RIG_H
#define VT_TESTS_TRACE_EXPORT_RIG_H

#include "tests/unit/harness.h"

#include "trace/source.h"

#include <stdlib.h>
#include <string.h>

#define PLAY_EVENTS 4096u
#define PLAY_BLOCKS 256u
#define KERNEL 0xffffffff81000000u
#define ROOT_A 0x1000000u
#define ROOT_B 0x2000000u

struct play {
    struct vt_trace_source source;
    struct vt_trace_info info;
    struct vt_trace_block blocks[PLAY_BLOCKS];
    uint8_t code[PLAY_BLOCKS][8], sizes[PLAY_BLOCKS][2];
    struct vt_trace_event events[PLAY_EVENTS];
    struct vt_trace_access accesses[PLAY_EVENTS];
    uint32_t n_blocks, n, at;
    /* of the events that follow */
    uint32_t vcpu;
    uint64_t root, time_ns;
};

static inline int play_next(struct vt_trace_source *source, uint64_t timeout_ms,
                            struct vt_trace_event *event, struct vt_error *err)
{
    struct play *p = (struct play *)source;
    (void)timeout_ms;
    (void)err;
    if (p->at == p->n) {
        return 0;
    }
    *event = p->events[p->at++];
    return 1;
}

static inline const struct vt_trace_block *play_block(const struct vt_trace_source *source,
                                                      uint32_t id)
{
    const struct play *p = (const struct play *)source;
    return id < p->n_blocks ? &p->blocks[id] : NULL;
}

static inline const struct vt_trace_info *play_info(struct vt_trace_source *source)
{
    return &((struct play *)source)->info;
}

static inline void play_close(struct vt_trace_source *source)
{
    free(source);
}

static inline struct play *play_create(void)
{
    static const struct vt_trace_source_kind kind = {
        .next = play_next, .block = play_block, .info = play_info, .close = play_close};
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->source.kind = &kind;
    p->root = ROOT_A;
    snprintf(p->info.vm, sizeof p->info.vm, "play");
    snprintf(p->info.arch, sizeof p->info.arch, "x86_64");
    p->info.vcpus = 2;
    p->info.ended = true;
    return p;
}

static inline struct vt_trace_event *play_event(struct play *p, enum vt_trace_kind kind)
{
    assert_true(p->n < PLAY_EVENTS);
    struct vt_trace_event *e = &p->events[p->n];
    *e = (struct vt_trace_event){
        .kind = kind, .vcpu = p->vcpu, .sequence = p->n++, .time_ns = p->time_ns, .root = p->root};
    return e;
}

/* nop and an instruction of `size` bytes; the same block each time. */
static inline struct vt_trace_event *play_run(struct play *p, uint64_t pc, const void *bytes,
                                              uint8_t size)
{
    uint32_t id = 0;
    while (id < p->n_blocks && (p->blocks[id].pc != pc || p->sizes[id][1] != size ||
                                memcmp(p->code[id] + 1, bytes, size) != 0)) {
        id++;
    }
    if (id == p->n_blocks) {
        assert_true(p->n_blocks < PLAY_BLOCKS);
        p->n_blocks++;
        p->code[id][0] = 0x90;
        memcpy(p->code[id] + 1, bytes, size);
        p->sizes[id][0] = 1;
        p->sizes[id][1] = size;
        p->blocks[id] = (struct vt_trace_block){.id = id,
                                                .pc = pc,
                                                .physical = ~(uint64_t)0,
                                                .n = 2,
                                                .code_bytes = (uint16_t)(size + 1),
                                                .machine = VT_TRACE_X86,
                                                .sizes = p->sizes[id],
                                                .code = p->code[id]};
    }
    struct vt_trace_event *e = play_event(p, VT_TRACE_EV_BLOCK);
    e->block = &p->blocks[id];
    e->executed = 2;
    return e;
}

static inline struct vt_trace_event *play_relative(struct play *p, uint64_t pc, uint64_t target,
                                                   uint8_t opcode)
{
    uint8_t bytes[5] = {opcode};
    uint32_t distance = (uint32_t)(target - (pc + 6));
    memcpy(bytes + 1, &distance, sizeof distance);
    return play_run(p, pc, bytes, sizeof bytes);
}

static inline void play_slot(struct play *p, struct vt_trace_event *e, uint64_t slot, bool store)
{
    if (slot != 0) {
        struct vt_trace_access *a = &p->accesses[e - p->events];
        *a =
            (struct vt_trace_access){.instruction = 1, .bytes = 8, .store = store, .address = slot};
        e->accesses = a;
        e->n_accesses = 1;
    }
}

/* Blocks of two instructions. A call returns to pc + 6. `slot` 0: accesses are not recorded. */
static inline void play_call(struct play *p, uint64_t pc, uint64_t target, uint64_t slot)
{
    play_slot(p, play_relative(p, pc, target, 0xe8), slot, true);
}
static inline void play_jump(struct play *p, uint64_t pc, uint64_t target)
{
    play_relative(p, pc, target, 0xe9);
}
static inline void play_return(struct play *p, uint64_t pc, uint64_t slot)
{
    play_slot(p, play_run(p, pc, "\xc3", 1), slot, false);
}
static inline void play_plain(struct play *p, uint64_t pc)
{
    play_run(p, pc, "\x90", 1);
}
static inline void play_syscall(struct play *p, uint64_t pc)
{
    play_run(p, pc, "\x0f\x05", 2);
}
static inline void play_sysret(struct play *p, uint64_t pc)
{
    play_run(p, pc, "\x48\x0f\x07", 3);
}
static inline void play_iret(struct play *p, uint64_t pc)
{
    play_run(p, pc, "\x48\xcf", 2);
}
/* After all of the block that was played last; it will go on at `from`. */
static inline void play_interrupt(struct play *p, uint64_t from, uint64_t to)
{
    struct vt_trace_event *e = &p->events[p->n - 1];
    e->end = VT_TRACE_END_INTERRUPT;
    e->from = from;
    e->to = to;
}
/* Before anything executed at `from`, and after what was not recorded. */
static inline void play_cut(struct play *p, uint64_t from, uint64_t to)
{
    struct vt_trace_event *e = play_event(p, VT_TRACE_EV_CUT);
    e->end = VT_TRACE_END_INTERRUPT;
    e->from = from;
    e->to = to;
}
/* The last block's second instruction raised it. */
static inline void play_fault(struct play *p, uint64_t to)
{
    struct vt_trace_event *e = &p->events[p->n - 1];
    e->end = VT_TRACE_END_EXCEPTION;
    e->executed = 1;
    e->from = e->block->pc + 1;
    e->to = to;
}

#endif
