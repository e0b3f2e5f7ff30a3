/* plugins/trace/record.c - the callbacks that write records.
 *
 * A block is one word, written by the callback at its begin, or two where it executes at another
 * address than the dictionary's.
 */
#include "plugin.h"

#define LOW56 (((uint64_t)1 << 56) - 1)

static inline void count(struct vt_trace_writer *w, uint64_t block)
{
    w->last = block;
    w->blocks++;
    w->instructions += VT_TRACE_BLOCK_INSTRUCTIONS(block);
}

/* A block that found no room: what is lost counts, what comes after the end does not. */
static void uncount_if_over(struct vt_trace_writer *w)
{
    if (w->over) {
        w->blocks--;
        w->instructions -= VT_TRACE_BLOCK_INSTRUCTIONS(w->last);
    }
}

/* Away from the fast path, which so needs no stack. */
__attribute__((noinline)) static void block_slowly(struct vt_trace_writer *w, uint64_t word)
{
    vt_alias_check(w);
    if (vt_writer_room(w, 1, true)) {
        vt_writer_put(w, word);
        vt_writer_commit(w);
    } else {
        uncount_if_over(w);
    }
}

static inline uint64_t word_of(uint64_t block)
{
    return vt_word(VT_TRACE_BLOCK, block & (((uint64_t)1 << 42) - 1));
}

static inline void block_here(struct vt_trace_writer *w, uint64_t block)
{
    uint64_t head = w->head;
    count(w, block);
    if (__builtin_expect(head >= w->limit, 0)) {
        block_slowly(w, word_of(block));
        return;
    }
    w->words[head & w->mask] = word_of(block);
    w->head = head + 1;
    __atomic_store_n(&w->page->head, head + 1, __ATOMIC_RELEASE);
}

static void block_at(struct vt_trace_writer *w, uint64_t block, int64_t distance)
{
    if (distance == 0) {
        block_here(w, block);
        return;
    }
    count(w, block);
    if (vt_writer_begin(w, 2, true)) {
        vt_writer_put(w, vt_word(VT_TRACE_AT, (uint64_t)distance & LOW56));
        vt_writer_put(w, word_of(block));
        vt_writer_commit(w);
    } else {
        uncount_if_over(w);
    }
}

__attribute__((noinline)) static void block_elsewhere(struct vt_trace_writer *w, uint64_t block)
{
    uint64_t pc;
    block_at(w, block, vt_alias_distance(w, vt_block_slot(block), &pc));
}

static inline void begin(struct vt_trace_writer *w, uint64_t block)
{
    if (__builtin_expect(vt_alias_none(w, vt_block_slot(block)), 1)) {
        block_here(w, block);
    } else {
        block_elsewhere(w, block);
    }
}

void vt_record_block(unsigned vcpu, void *block)
{
    begin(&vt_writers[vcpu], (uintptr_t)block);
}

static void registers_at(struct vt_trace_writer *w, uint64_t pc)
{
    unsigned n = vt_header->n_registers;
    n = n < VT_TRACE_REGISTERS_MAX ? n : VT_TRACE_REGISTERS_MAX;
    if (n == 0 || !vt_writer_begin(w, n + 2, true)) {
        return;
    }
    vt_writer_put(w, vt_word(VT_TRACE_REGISTERS, n + 1));
    vt_writer_put(w, pc);
    for (unsigned i = 0; i < n; i++) {
        vt_writer_put(w, vt_arch_register(w, i));
    }
    vt_writer_commit(w);
}

/* Where the block that begins is: of code whose PC is less its segment's base nothing is recorded.
 */
__attribute__((noinline)) static void begin_with_registers(struct vt_trace_writer *w)
{
    uint64_t pc;
    bool narrow;
    w->begins = false;
    if (vt_arch_pc(w->bytes, &pc, &narrow) && !narrow) {
        registers_at(w, pc);
    }
}

__attribute__((noinline)) static void begin_and_time(struct vt_trace_writer *w, uint64_t block)
{
    w->countdown = vt_config.period;
    vt_writer_put_time(w, true);
    begin(w, block);
    if (w->begins) {
        begin_with_registers(w);
    }
}

void vt_record_block_timed(unsigned vcpu, void *block)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (__builtin_expect(--w->countdown == 0, 0)) {
        begin_and_time(w, (uintptr_t)block);
        return;
    }
    begin(w, (uintptr_t)block);
}

/* Where a translation executes decides, not where it was made. False: it is not recorded. */
static bool enter(struct vt_trace_writer *w, uint64_t block, bool inside)
{
    int64_t distance = 0;
    if (!vt_alias_none(w, vt_block_slot(block))) {
        uint64_t pc;
        distance = vt_alias_distance(w, vt_block_slot(block), &pc);
        inside = distance != 0 ? vt_in_ranges(pc) : inside;
    }
    w->distance = distance;
    w->skipped = !inside;
    w->last = block;
    return inside;
}

static void begin_entered(struct vt_trace_writer *w, uint64_t block)
{
    if (vt_config.c.detail >= VT_TRACE_TIMES && --w->countdown == 0) {
        w->countdown = vt_config.period;
        vt_writer_put_time(w, true);
    }
    block_at(w, block, w->distance);
    if (w->begins && w->countdown == vt_config.period) {
        begin_with_registers(w);
    }
}

void vt_record_block_inside(unsigned vcpu, void *block)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (enter(w, (uintptr_t)block, true)) {
        begin_entered(w, (uintptr_t)block);
    }
}

void vt_record_block_outside(unsigned vcpu, void *block)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (enter(w, (uintptr_t)block, false)) {
        begin_entered(w, (uintptr_t)block);
    }
}

/* The bits of an access word that `info` decides. Asking QEMU takes four calls, and few values
 * occur: a small memory of answers, each one word (info above, bits below), shared by all vCPUs.
 * Info is never 0, for it says whether memory is read or written. */
static uint64_t known[256];

__attribute__((noinline)) static uint64_t ask(qemu_plugin_meminfo_t info, uint64_t *place)
{
    uint64_t answer = (uint64_t)info << 32 | (uint64_t)qemu_plugin_mem_size_shift(info) << 10;
    answer |= qemu_plugin_mem_is_store(info) ? VT_TRACE_ACCESS_STORE : 0;
    answer |= qemu_plugin_mem_is_sign_extended(info) ? VT_TRACE_ACCESS_SIGNED : 0;
    answer |= qemu_plugin_mem_is_big_endian(info) ? VT_TRACE_ACCESS_BIG_ENDIAN : 0;
    __atomic_store_n(place, answer, __ATOMIC_RELAXED);
    return answer & UINT32_MAX;
}

static inline uint64_t describe(qemu_plugin_meminfo_t info)
{
    uint64_t *place = &known[(info ^ info >> 8 ^ info >> 16) % 256];
    uint64_t answer = __atomic_load_n(place, __ATOMIC_RELAXED);
    return __builtin_expect(answer >> 32 == info, 1) ? answer & UINT32_MAX : ask(info, place);
}

__attribute__((noinline)) static void access_slowly(struct vt_trace_writer *w, uint64_t word,
                                                    uint64_t address)
{
    if (vt_writer_room(w, 2, true)) {
        vt_writer_put(w, word);
        vt_writer_put(w, address);
        vt_writer_commit(w);
    } else {
        w->accesses -= w->over;
    }
}

void vt_record_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *index)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (w->outside || w->skipped) {
        return;
    }
    uint64_t head = w->head;
    uint64_t word = vt_word(VT_TRACE_ACCESS, describe(info) | (uintptr_t)index);
    w->accesses++;
    if (__builtin_expect(head + 2 > w->limit, 0)) {
        access_slowly(w, word, address);
        return;
    }
    w->words[head & w->mask] = word;
    w->words[(head + 1) & w->mask] = address;
    w->head = head + 2;
    __atomic_store_n(&w->page->head, head + 2, __ATOMIC_RELEASE);
}

void vt_record_value(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *index)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (w->outside || w->skipped) {
        return;
    }
    w->accesses++;
    qemu_plugin_mem_value value = qemu_plugin_mem_get_value(info);
    bool wide = false;
    uint64_t low = 0;
    switch (value.type) {
    case 0:
        low = value.data.u8;
        break;
    case 1:
        low = value.data.u16;
        break;
    case 2:
        low = value.data.u32;
        break;
    case 3:
        low = value.data.u64;
        break;
    default:
        low = value.data.u128.low;
        wide = true;
    }
    if (vt_writer_begin(w, 4, true)) {
        vt_writer_put(
            w, vt_word(VT_TRACE_ACCESS, describe(info) | VT_TRACE_ACCESS_VALUE | (uintptr_t)index));
        vt_writer_put(w, address);
        vt_writer_put(w, low);
        if (wide) {
            vt_writer_put(w, value.data.u128.high);
        }
        vt_writer_commit(w);
    } else {
        w->accesses -= w->over;
    }
}

static void put_again(struct vt_trace_writer *w)
{
    if (vt_writer_begin(w, 1, true)) {
        vt_writer_put(w, vt_word(VT_TRACE_AGAIN, 0));
        vt_writer_commit(w);
    }
}

/* An instruction that turns out to touch a device in the middle of a block is executed again in a
 * translation of its own, which QEMU gives the callbacks of its accesses alone. */
static bool is_alone(const struct vt_trace_writer *w, const void *block)
{
    return w->last != (uintptr_t)block && !w->outside;
}

void vt_record_alone(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *block)
{
    (void)info;
    (void)address;
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (is_alone(w, block)) {
        put_again(w);
        vt_record_block(vcpu, block);
    }
}

void vt_record_alone_inside(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,
                            void *block)
{
    (void)info;
    (void)address;
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (is_alone(w, block) && enter(w, (uintptr_t)block, true)) {
        put_again(w);
        begin_entered(w, (uintptr_t)block);
    }
}

void vt_record_alone_outside(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,
                             void *block)
{
    (void)info;
    (void)address;
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (is_alone(w, block) && enter(w, (uintptr_t)block, false)) {
        put_again(w);
        begin_entered(w, (uintptr_t)block);
    }
}

void vt_record_registers(unsigned vcpu, void *point)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (!w->outside && !w->skipped && w->distance == (intptr_t)point >> 5) {
        registers_at(w, vt_config.c.points[(uintptr_t)point & 31]);
    }
}

static bool decide_outside(const struct vt_trace_writer *w)
{
    const struct vt_trace_control *c = &vt_config.c;
    if (c->vcpu_mask != 0 && (w->index >= 64 || (c->vcpu_mask >> w->index & 1) == 0)) {
        return true;
    }
    uint64_t mask = c->root_mask != 0 ? c->root_mask : UINT64_MAX;
    return c->root != 0 && ((w->root ^ c->root) & mask) != 0;
}

static void apply_filter(struct vt_trace_writer *w)
{
    w->outside = decide_outside(w);
    struct vt_trace_score *score = qemu_plugin_scoreboard_find(vt_scores, w->index);
    score->outside = w->outside;
}

static bool masked(const struct vt_trace_writer *w)
{
    uint64_t mask = vt_config.c.vcpu_mask;
    return mask != 0 && (w->index >= 64 || (mask >> w->index & 1) == 0);
}

static bool records(const struct vt_trace_writer *w)
{
    return w->page != NULL && vt_config.c.detail >= VT_TRACE_BLOCKS && !masked(w);
}

void vt_record_root(struct vt_trace_writer *w, uint64_t root, bool may_wait)
{
    if (root == w->root || root == UINT64_MAX) {
        return;
    }
    w->root = root;
    apply_filter(w);
    if (records(w) && vt_writer_begin(w, 1, may_wait)) {
        vt_writer_put(w, vt_word(VT_TRACE_ROOT, root & LOW56));
        vt_writer_commit(w);
    }
}

void vt_record_load_root(unsigned vcpu, void *source)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    vt_record_root(w, vt_arch_root_from(w, (uint32_t)(uintptr_t)source), true);
}

void vt_record_cut(unsigned vcpu, unsigned type, uint64_t from, uint64_t to)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (!records(w)) {
        return;
    }
    if (!w->outside && vt_writer_begin(w, 3, false)) {
        __atomic_store_n(&w->page->cuts, w->page->cuts + 1, __ATOMIC_RELAXED);
        vt_writer_put(w, vt_word(VT_TRACE_CUT, type & 0xff));
        vt_writer_put(w, from);
        vt_writer_put(w, to);
        vt_writer_commit(w);
    }
    /* The block that was cut may begin anew as the same one. */
    w->last = VT_NO_BLOCK;
    vt_record_root(w, vt_arch_root(w), false);
}

void vt_record_pause(unsigned vcpu, bool idle)
{
    struct vt_trace_writer *w = &vt_writers[vcpu];
    if (!records(w)) {
        return;
    }
    if (!w->outside && vt_writer_begin(w, 2, false)) {
        vt_writer_put(w, vt_word(VT_TRACE_PAUSE, idle));
        vt_writer_put(w, vt_word(VT_TRACE_TIME, vt_clock() & LOW56));
        vt_writer_commit(w);
    }
    vt_writer_wake_reader(w);
}

void vt_record_begins(struct vt_trace_writer *w)
{
    if (vt_config.c.detail == VT_TRACE_VALUES) {
        w->begins = true;
        w->countdown = 1;
    }
}

void vt_record_mode(struct vt_trace_writer *w)
{
    w->limit = 0;
    w->over = false;
    w->last = VT_NO_BLOCK;
    w->skipped = false;
    w->countdown = vt_config.period;
    w->begins = false;
    vt_record_begins(w);
    apply_filter(w);
    if (w->page == NULL) {
        return;
    }
    if (vt_writer_begin(w, 3, false)) {
        vt_writer_put(
            w, vt_word(VT_TRACE_MODE, (uint64_t)vt_config.c.detail << 32 | vt_config.generation));
        vt_writer_put(w, vt_word(VT_TRACE_TIME, vt_clock() & LOW56));
        if (w->root != UINT64_MAX) {
            vt_writer_put(w, vt_word(VT_TRACE_ROOT, w->root & LOW56));
        }
        vt_writer_commit(w);
    }
    vt_writer_wake_reader(w);
}
