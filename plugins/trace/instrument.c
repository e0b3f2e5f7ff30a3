/* plugins/trace/instrument.c - what a translated block gets, by the configuration in force. */
#include "plugin.h"

#include <string.h>

#define INSNS_MAX 512
#define INSN_BYTES_MAX 16

struct block {
    struct vt_trace_block_entry head;
    uint8_t sizes[INSNS_MAX];
    uint8_t code[INSNS_MAX * INSN_BYTES_MAX];
};

bool vt_in_ranges(uint64_t pc)
{
    const struct vt_trace_control *c = &vt_config.c;
    if (c->privileges != 0 && (c->privileges & (vt_arch_kernel(pc) ? 1U : 2U)) == 0) {
        return false;
    }
    bool in = c->n_ranges == 0;
    for (uint32_t i = 0; i < c->n_ranges && !in; i++) {
        in = pc >= c->ranges[i].first && pc <= c->ranges[i].last;
    }
    return in;
}

/* The same physical address may be in a range at another virtual one, with the same place in its
 * page. For privileges alone that is not done: they would cost a callback for every block. */
static bool may_be_in_ranges(uint64_t pc)
{
    const struct vt_trace_control *c = &vt_config.c;
    bool may = false;
    for (uint32_t i = 0; i < c->n_ranges && !may; i++) {
        uint64_t after = (pc - c->ranges[i].first) & ((1U << VT_ALIAS_SHIFT) - 1);
        may = after <= c->ranges[i].last - c->ranges[i].first;
    }
    return may;
}

static void describe(struct qemu_plugin_tb *tb, size_t n, struct block *block)
{
    memset(&block->head, 0, sizeof block->head);
    block->head.pc = qemu_plugin_tb_vaddr(tb);
    block->head.n = (uint16_t)n;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        size_t bytes = qemu_plugin_insn_size(insn);
        bytes = bytes < INSN_BYTES_MAX ? bytes : INSN_BYTES_MAX;
        size_t got = qemu_plugin_insn_data(insn, block->code + at, bytes);
        if (got < bytes) {
            memset(block->code + at + got, 0, bytes - got);
            block->head.flags |= VT_TRACE_BLOCK_CUT_BYTES;
        }
        block->sizes[i] = (uint8_t)bytes;
        at += bytes;
    }
    block->head.code_bytes = (uint16_t)at;
    block->head.physical = UINT64_MAX;
#if VT_PLUGIN_API >= 7
    uint64_t physical;
    if (qemu_plugin_translate_vaddr(block->head.pc, &physical)) {
        block->head.physical = physical;
    }
#endif
}

static qemu_plugin_u64 score(size_t offset)
{
    return (qemu_plugin_u64){.score = vt_scores, .offset = offset};
}

static void count(struct qemu_plugin_tb *tb, size_t n)
{
    qemu_plugin_u64 instructions = score(offsetof(struct vt_trace_score, instructions));
    if ((vt_config.c.flags & VT_TRACE_EXACT) == 0) {
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64,
                                                          instructions, n);
        return;
    }
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
        tb, QEMU_PLUGIN_INLINE_ADD_U64, score(offsetof(struct vt_trace_score, blocks)), 1);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, QEMU_PLUGIN_INLINE_ADD_U64,
                                                            instructions, 1);
        qemu_plugin_register_vcpu_mem_inline_per_vcpu(
            insn, QEMU_PLUGIN_MEM_RW, QEMU_PLUGIN_INLINE_ADD_U64,
            score(offsetof(struct vt_trace_score, accesses)), 1);
    }
}

/* The instructions that may execute at a point, at whatever distance from here. */
static void record_points(struct qemu_plugin_tb *tb, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t pc = qemu_plugin_insn_vaddr(insn);
        for (uint32_t p = 0; p < vt_config.c.n_points; p++) {
            uint64_t distance = vt_config.c.points[p] - pc;
            if ((distance & ((1U << VT_ALIAS_SHIFT) - 1)) == 0) {
                qemu_plugin_register_vcpu_insn_exec_cb(
                    insn, vt_record_registers, QEMU_PLUGIN_CB_R_REGS,
                    vt_point(p, (int64_t)distance >> VT_ALIAS_SHIFT));
            }
        }
    }
}

static void record_accesses(struct qemu_plugin_tb *tb, size_t n, const struct block *block)
{
    bool values = vt_config.c.detail == VT_TRACE_VALUES;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        unsigned untold = !values            ? QEMU_PLUGIN_MEM_RW
                          : vt_n_writers > 1 ? vt_arch_untold(block->code + at, block->sizes[i])
                                             : 0;
        if (untold != 0) {
            qemu_plugin_register_vcpu_mem_cb(insn, vt_record_access, QEMU_PLUGIN_CB_NO_REGS,
                                             (enum qemu_plugin_mem_rw)untold, (void *)i);
        }
        if (untold != QEMU_PLUGIN_MEM_RW) {
            qemu_plugin_register_vcpu_mem_cb(
                insn, vt_record_value, QEMU_PLUGIN_CB_NO_REGS,
                (enum qemu_plugin_mem_rw)(QEMU_PLUGIN_MEM_RW & ~untold), (void *)i);
        }
        at += block->sizes[i];
    }
}

static void record(struct qemu_plugin_tb *tb, size_t n, uint32_t id, const struct block *what,
                   bool in)
{
    uint32_t detail = vt_config.c.detail;
    void *block = (void *)(uintptr_t)vt_block(id, n, vt_alias_slot(qemu_plugin_tb_vaddr(tb)));
    qemu_plugin_vcpu_udata_cb_t cb =
        detail == VT_TRACE_BLOCKS ? vt_record_block : vt_record_block_timed;
    qemu_plugin_vcpu_mem_cb_t alone = vt_record_alone;
    if (vt_config.by_address) {
        cb = in ? vt_record_block_inside : vt_record_block_outside;
        alone = in ? vt_record_alone_inside : vt_record_alone_outside;
    }
    if (vt_config.conditional) {
        qemu_plugin_register_vcpu_tb_exec_cond_cb(
            tb, cb, QEMU_PLUGIN_CB_R_REGS, QEMU_PLUGIN_COND_EQ,
            score(offsetof(struct vt_trace_score, outside)), 0, block);
    } else {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, cb, QEMU_PLUGIN_CB_R_REGS, block);
    }
    if (n == 1) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, 0), alone,
                                         QEMU_PLUGIN_CB_R_REGS, QEMU_PLUGIN_MEM_RW, block);
    }
    if (detail >= VT_TRACE_ADDRESSES) {
        record_accesses(tb, n, what);
    }
    record_points(tb, n);
}

void vt_instrument(struct qemu_plugin_tb *tb)
{
    static _Thread_local struct block block;
    size_t n = qemu_plugin_tb_n_insns(tb);
    if (n == 0 || n > INSNS_MAX) {
        return;
    }
    uint64_t pc = qemu_plugin_tb_vaddr(tb);
    bool in = vt_in_ranges(pc);
    if (in && vt_trace_counts_inline()) {
        count(tb, n);
    }
    if (vt_config.c.detail < VT_TRACE_BLOCKS) {
        return;
    }
    describe(tb, n, &block);
    uint32_t id;
    if ((in || may_be_in_ranges(pc)) &&
        vt_dictionary_add(&block.head, block.sizes, block.code, &id)) {
        record(tb, n, id, &block, in);
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t source = vt_arch_loads_root(block.code + at, block.sizes[i]);
        if (source != 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, i),
                                                   vt_record_load_root, QEMU_PLUGIN_CB_R_REGS,
                                                   (void *)(uintptr_t)source);
        }
        at += block.sizes[i];
    }
}
