/* plugins/hybrid/hook.c - which blocks get a hook; what a hook does.
 *
 * A block whose first instruction is a kernel's head gets an inline addition to the kernel's *gate*
 * and a call that is made only while the gate, as an unsigned number, is below 2^63. So a gate of
 * -n lets n - 1 heads pass for a nanosecond each and calls at the n-th; that is how a hook that
 * declines steps back, how a passive one counts, and how a canary knows when to look. The call is
 * before the block's first instruction: it may change registers and memory and return, and the
 * guest goes on from there. It never runs the iteration that leaves the loop.
 */
#include "plugin.h"

#include <stdio.h>
#include <string.h>

#define LIMIT ((uint64_t)1 << 63)
/* Heads between two looks at whether it is wanted now: so many that about a millisecond passes. */
#define PASS_MIN 16u
#define PASS_MAX 65536u
#define PASS_NS 1000000u
#define DISABLED ((uint64_t)1 << 62)
#define FAILURES_MAX 14 /* 2^14 heads */
#define TIMED 64        /* one slice in so many is timed */

static struct qemu_plugin_scoreboard *gates;
static uint64_t *gate_of_first; /* the one vCPU's */
static struct vt_slice slice;
static struct vt_registers registers;
static struct vt_paging paging;

void vt_hook_init(void)
{
    gates = qemu_plugin_scoreboard_new(VT_HYBRID_SLOTS * sizeof(uint64_t));
}

static uint32_t index_of(const struct vt_installed *k)
{
    return (uint32_t)(k - vt_kernels);
}

static uint64_t *gate_of(const struct vt_installed *k)
{
    if (gate_of_first == NULL) {
        gate_of_first = qemu_plugin_scoreboard_find(gates, 0);
    }
    return &gate_of_first[index_of(k)];
}

void vt_hook_reset(void)
{
    for (uint32_t i = 0; i < VT_HYBRID_SLOTS; i++) {
        vt_kernels[i].n_hooks = 0;
    }
}

/* ---- counting: heads = heads_before + gate, whatever the gate is set to ---- */

static void set_gate(struct vt_installed *k, uint64_t heads_to_pass)
{
    uint64_t *gate = gate_of(k), now = *gate;
    uint64_t next = 0 - (heads_to_pass + 1);
    __atomic_store_n(&k->heads_before, k->heads_before + now - next, __ATOMIC_RELAXED);
    __atomic_store_n(gate, next, __ATOMIC_RELEASE);
}

void vt_hook_installed(struct vt_installed *k)
{
    k->heads_before = 0 - *gate_of(k);
    set_gate(k, 0);
}

uint64_t vt_hook_heads(const struct vt_installed *k)
{
    const uint64_t *gate = gate_of(k);
    uint64_t before, now, again;
    do {
        before = __atomic_load_n(&k->heads_before, __ATOMIC_ACQUIRE);
        now = __atomic_load_n(gate, __ATOMIC_ACQUIRE);
        again = __atomic_load_n(&k->heads_before, __ATOMIC_ACQUIRE);
    } while (before != again);
    return before + now;
}

static void add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

void vt_hook_disable(struct vt_installed *k, enum vt_hybrid_refusal why)
{
    k->disabled = true;
    k->slot->refusal = why;
    __atomic_store_n(&k->slot->state, VT_HYBRID_DISABLED, __ATOMIC_RELEASE);
    fprintf(stderr, "vitrine-hybrid: kernel %s is disabled: %s\n", k->kernel.d.hash,
            why == VT_HYBRID_REFUSED_CANARY ? "it did something else than the guest"
                                            : "its worker is lost");
}

/* ---- guards ---- */

/* Blocks that the translation does not hold may have changed, or be others' at this address. */
static int same_code(const struct vt_kernel *k, uint64_t blocks, uint64_t head)
{
    struct vt_walk_cache cache = {0};
    struct vt_page page = {0};
    for (uint32_t i = 0; blocks != 0; i++, blocks >>= 1) {
        const struct vt_hybrid_block *b = &k->d.blocks[i];
        for (uint32_t done = 0; (blocks & 1) != 0 && done < b->n;) {
            uint64_t va = head + (uint64_t)b->at + done;
            if (va - page.va >= page.bytes) {
                int rc = vt_walk(&vt_ram, &paging, &cache, va, VT_EXECUTES, &page);
                if (rc != VT_GOES) {
                    return VT_HYBRID_CODE;
                }
            }
            uint64_t here = page.bytes - (va - page.va);
            here = here < b->n - done ? here : b->n - done;
            if (memcmp(page.host + (va - page.va), k->d.code + b->first + done, here) != 0) {
                return VT_HYBRID_CODE;
            }
            done += (uint32_t)here;
        }
    }
    return VT_GOES;
}

static int guard(struct vt_installed *k, uint64_t blocks)
{
    uint64_t pc;
    if (vt_ram.base == NULL) {
        return VT_HYBRID_NOT_RAM;
    }
    if (!vt_registers_located()) {
        return VT_HYBRID_MODE;
    }
    int rc = vt_registers_get(&paging, &registers, &pc, k->kernel.vectors);
    if (rc == VT_GOES && (k->kernel.d.flags & VT_HYBRID_ONLY_HERE) != 0 && pc != k->kernel.d.head) {
        rc = VT_HYBRID_CODE;
    }
    return rc == VT_GOES && blocks != 0 ? same_code(&k->kernel, blocks, pc) : rc;
}

/* ---- the call ---- */

/* How many heads pass until it is looked again whether the kernel is wanted. */
static uint32_t passive(struct vt_installed *k)
{
    uint64_t now = vt_clock_ns(), took = now - k->passed;
    if (k->pass < PASS_MAX && took < PASS_NS / 2) {
        k->pass = k->pass < PASS_MIN ? PASS_MIN : k->pass * 2;
    } else if (k->pass > PASS_MIN && took > (uint64_t)2 * PASS_NS) {
        k->pass /= 2;
    }
    k->pass = k->pass < PASS_MIN ? PASS_MIN : k->pass;
    k->passed = now;
    return k->pass;
}

/* Ran nothing that was worth it: 1, 2, 4, ... heads pass. What is too short for the kernel passes
 * anyway. */
static void step_back(struct vt_installed *k, uint64_t anyway)
{
    uint64_t pass = ((uint64_t)1 << k->failures) - 1;
    k->failures += k->failures < FAILURES_MAX;
    set_gate(k, pass > anyway ? pass : anyway);
}

/* Whether there is nothing left to do of this slice. */
static bool offloaded(struct vt_installed *k)
{
    if ((k->kernel.d.flags & VT_HYBRID_USE_WORKER) == 0) {
        return false;
    }
    enum vt_offload how = vt_offload(k, &slice);
    if (how == VT_OFFLOAD_LOST) {
        vt_hook_disable(k, VT_HYBRID_REFUSED_WORKER);
        slice.why = VT_HYBRID_WORKER;
    }
    return how != VT_OFFLOAD_NOT;
}

static void run(struct vt_installed *k)
{
    bool timed = k->slices % TIMED == 0;
    uint64_t began = timed ? vt_clock_ns() : 0;
    struct vt_hybrid_slot *s = k->slot;
    if (!offloaded(k)) {
        vt_slice_run(&slice, UINT64_MAX);
    }
    if (slice.iterations == 0) {
        add(&s->declines[slice.why], 1);
        step_back(k, slice.why == VT_HYBRID_FEW ? slice.trips : 0);
        return;
    }
    /* Another kernel's canary may count heads of the same loop, of which these iterations had none.
     */
    vt_canary_discard();
    if (registers.xmm_changed != 0) {
        vt_registers_put_xmm(&registers, k->kernel.vectors);
    }
    k->slices++;
    add(&s->slices, 1);
    add(&s->iterations, slice.iterations);
    add(&s->bytes, slice.bytes);
    add(&s->chunks, slice.chunks);
    add(&s->bounced, slice.bounced);
    if (timed) {
        add(&s->ns, (vt_clock_ns() - began) * TIMED);
    }
    if (slice.why != VT_GOES) {
        add(&s->stops[slice.why], 1);
    }
    if (slice.iterations < k->kernel.d.min_iterations) {
        step_back(k, 0);
    } else {
        k->failures = 0;
        set_gate(k, 0);
    }
}

static void look_at_canary(struct vt_installed *k)
{
    int rc = guard(k, 0);
    enum vt_canary_result result = VT_CANARY_DISCARDED;
    if (rc == VT_GOES) {
        result = vt_canary_end(k, &slice);
    } else {
        vt_canary_forget();
    }
    add(result == VT_CANARY_DISCARDED ? &k->slot->canaries_discarded : &k->slot->canaries, 1);
    if (result == VT_CANARY_DIFFERS) {
        add(&k->slot->canaries_failed, 1);
        vt_hook_disable(k, VT_HYBRID_REFUSED_CANARY);
    }
}

static bool canary_is_due(const struct vt_installed *k)
{
    uint32_t period = k->kernel.d.canary_period;
    return period != 0 && k->slices % period == period - 1 && vt_canary_of() == NULL;
}

static void on_head(unsigned vcpu, void *hook)
{
    (void)vcpu;
    const struct vt_hook *h = hook;
    struct vt_installed *k = h->of;
    struct vt_hybrid_slot *s = k->slot;
    slice.k = &k->kernel;
    slice.m = &vt_ram;
    slice.p = &paging;
    slice.r = &registers;
    if (vt_canary_of() == k) {
        look_at_canary(k);
    }
    bool on = __atomic_load_n(&s->wanted, __ATOMIC_RELAXED) == VT_HYBRID_WANT_ACTIVE &&
              __atomic_load_n(&vt_control->enabled, __ATOMIC_RELAXED) != 0;
    if (k->disabled) {
        set_gate(k, DISABLED);
    } else if (!on) {
        k->failures = 0;
        set_gate(k, passive(k));
    } else {
        add(&s->calls, 1);
        int rc = guard(k, h->blocks);
        if (rc != VT_GOES) {
            add(&s->declines[rc], 1);
            step_back(k, 0);
        } else if (canary_is_due(k)) {
            uint64_t n = vt_canary_begin(k, &slice);
            k->slices++; /* the next is not due again */
            set_gate(k, n != 0 ? n - 1 : 0);
        } else {
            run(k);
        }
    }
    __atomic_store_n(&s->heads, k->heads_before + *gate_of(k), __ATOMIC_RELAXED);
}

/* ---- translation ---- */

/* What of the kernel's blocks the translation's bytes hold; false: it is another loop's. */
static bool matches(const struct vt_kernel *k, const uint8_t *code, size_t n, uint64_t *missing)
{
    *missing = 0;
    for (uint32_t i = 0; i < k->d.n_blocks; i++) {
        const struct vt_hybrid_block *b = &k->d.blocks[i];
        const uint8_t *want = k->d.code + b->first;
        if (b->at < 0 || (uint64_t)b->at >= n) {
            *missing |= (uint64_t)1 << i;
            continue;
        }
        size_t here = n - (size_t)b->at < b->n ? n - (size_t)b->at : b->n;
        if (memcmp(code + b->at, want, here) != 0) {
            return false;
        }
        *missing |= here < b->n ? (uint64_t)1 << i : 0;
    }
    return true;
}

static void *hook_for(struct vt_installed *k, uint64_t missing)
{
    for (uint32_t i = 0; i < k->n_hooks; i++) {
        if (k->hooks[i].blocks == missing) {
            return &k->hooks[i];
        }
    }
    if (k->n_hooks == sizeof k->hooks / sizeof *k->hooks) {
        return NULL;
    }
    k->hooks[k->n_hooks].blocks = missing;
    k->hooks[k->n_hooks].of = k;
    return &k->hooks[k->n_hooks++];
}

static size_t code_of(const struct qemu_plugin_tb *tb, uint8_t *code, size_t room)
{
    size_t n = 0, n_insns = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < n_insns; i++) {
        const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        size_t bytes = qemu_plugin_insn_size(insn);
        if (bytes > room - n || qemu_plugin_insn_data(insn, code + n, bytes) != bytes) {
            break;
        }
        n += bytes;
    }
    return n;
}

/* Code whose second page this is has no address of its own: it is asked for. */
static void note_pages(const struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    const struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
    const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, n - 1);
    const uint8_t *from = qemu_plugin_insn_haddr(first), *to = qemu_plugin_insn_haddr(last);
    if (from != NULL) {
        vt_code_add(from);
    }
    if (to != NULL) {
        vt_code_add(to);
    }
    uint64_t end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last) - 1, physical;
    if (end >> VT_PAGE_BITS != qemu_plugin_insn_vaddr(last) >> VT_PAGE_BITS &&
        qemu_plugin_translate_vaddr(end, &physical)) {
        vt_code_add_physical(physical);
    }
}

void vt_hook_translated(struct qemu_plugin_tb *tb)
{
    if (qemu_plugin_tb_n_insns(tb) == 0) {
        return;
    }
    note_pages(tb);
    uint8_t code[VT_HYBRID_CODE_MAX];
    size_t n = code_of(tb, code, sizeof code);
    for (uint32_t i = 0; i < VT_HYBRID_SLOTS; i++) {
        struct vt_installed *k = &vt_kernels[i];
        uint64_t missing;
        if (!k->used || k->disabled || !matches(&k->kernel, code, n, &missing)) {
            continue;
        }
        void *hook = hook_for(k, missing);
        if (hook != NULL) {
            qemu_plugin_u64 gate = {gates, index_of(k) * sizeof(uint64_t)};
            qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, QEMU_PLUGIN_INLINE_ADD_U64, gate,
                                                              1);
            qemu_plugin_register_vcpu_tb_exec_cond_cb(tb, on_head, QEMU_PLUGIN_CB_RW_REGS,
                                                      QEMU_PLUGIN_COND_LT, gate, LIMIT, hook);
            __atomic_store_n(&k->slot->hooks, k->slot->hooks + 1, __ATOMIC_RELAXED);
        }
    }
}
