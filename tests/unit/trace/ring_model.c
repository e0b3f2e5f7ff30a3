/* tests/unit/trace/ring_model.c - the plugin's side of a trace segment. See ring_model.h. */
#include "tests/unit/trace/ring_model.h"

#include "trace/segment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define DICTIONARY_BYTES ((uint64_t)1 << 17)

uint64_t ring_model_bytes(uint32_t vcpus, uint32_t ring_words)
{
    return 2 * VT_TRACE_PAGE + vcpus * (VT_TRACE_PAGE + (uint64_t)ring_words * 8) +
           DICTIONARY_BYTES;
}

void ring_model_over(struct ring_model *m, void *base, uint32_t vcpus, uint32_t ring_words)
{
    uint64_t stride = VT_TRACE_PAGE + (uint64_t)ring_words * 8;
    *m = (struct ring_model){.base = base,
                             .bytes = ring_model_bytes(vcpus, ring_words),
                             .header = base,
                             .control = (void *)((uint8_t *)base + VT_TRACE_PAGE)};
    *m->header = (struct vt_trace_header){
        .magic = {'V', 'T', '-', 'T', 'R', 'A', 'C', 'E'},
        .version = VT_TRACE_VERSION,
        .header_bytes = sizeof(struct vt_trace_header),
        .segment_bytes = m->bytes,
        .vcpus = vcpus,
        .ring_words = ring_words,
        .control_offset = VT_TRACE_PAGE,
        .vcpu_offset = (uint64_t)2 * VT_TRACE_PAGE,
        .vcpu_stride = stride,
        .dictionary_offset = 2 * VT_TRACE_PAGE + vcpus * stride,
        .dictionary_bytes = DICTIONARY_BYTES,
        .clock_hz = 1000000000,
        .clock_start = 1000,
        .arch = "x86_64",
        .capabilities = VT_TRACE_CAN_CUT | VT_TRACE_CAN_VALUES,
        .n_registers = 2,
        .registers = {"rax", "rip"},
        .plugin_api = 7,
    };
}

void ring_model_init(struct ring_model *m, uint32_t vcpus, uint32_t ring_words)
{
    uint64_t bytes = ring_model_bytes(vcpus, ring_words);
    void *base = aligned_alloc(VT_TRACE_PAGE, bytes);
    assert(base != NULL);
    memset(base, 0, bytes);
    ring_model_over(m, base, vcpus, ring_words);
}

void ring_model_fini(struct ring_model *m)
{
    free(m->base);
    *m = (struct ring_model){0};
}

uint32_t ring_model_block(struct ring_model *m, uint64_t pc, const uint8_t *sizes, unsigned n,
                          const uint8_t *code)
{
    uint64_t head = m->header->dictionary_head;
    uint8_t *at = m->base + m->header->dictionary_offset + head;
    size_t code_bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        code_bytes += sizes[i];
    }
    struct vt_trace_block_entry e = {
        .id = (uint32_t)m->header->blocks,
        .pc = pc,
        .physical = UINT64_MAX,
        .n = (uint16_t)n,
        .code_bytes = (uint16_t)code_bytes,
    };
    e.bytes = (uint32_t)((sizeof e + n + code_bytes + 7) & ~(size_t)7);
    assert(head + e.bytes <= DICTIONARY_BYTES);
    memcpy(at, &e, sizeof e);
    memcpy(at + sizeof e, sizes, n);
    memcpy(at + sizeof e + n, code, code_bytes);
    m->header->blocks++;
    __atomic_store_n(&m->header->dictionary_head, head + e.bytes, __ATOMIC_RELEASE);
    return e.id;
}

uint32_t ring_model_nops(struct ring_model *m, uint64_t pc, unsigned n, uint8_t last)
{
    uint8_t sizes[512], code[512];
    assert(n >= 1 && n <= sizeof sizes);
    memset(sizes, 1, n);
    memset(code, 0x90, n);
    code[n - 1] = last;
    return ring_model_block(m, pc, sizes, n, code);
}

void ring_writer_init(struct ring_writer *w, const struct ring_model *m, uint32_t vcpu,
                      uint32_t policy)
{
    uint8_t *page = m->base + m->header->vcpu_offset + vcpu * m->header->vcpu_stride;
    *w = (struct ring_writer){
        .page = (struct vt_trace_vcpu *)(void *)page,
        .words = (uint64_t *)(void *)(page + VT_TRACE_PAGE),
        .size = m->header->ring_words,
        .policy = policy,
    };
    w->page->alive = 1;
}

static void between(struct ring_writer *w)
{
    if (w->between != NULL) {
        w->between(w->state);
    }
}

static bool read_by_somebody(const struct ring_writer *w)
{
    return __atomic_load_n(&w->page->reader, __ATOMIC_SEQ_CST) != 0;
}

/* Forward, whoever moves it. */
static void move_tail(struct ring_writer *w, uint64_t to)
{
    uint64_t tail = __atomic_load_n(&w->page->tail, __ATOMIC_ACQUIRE);
    while ((int64_t)(to - tail) > 0 &&
           !__atomic_compare_exchange_n(&w->page->tail, &tail, to, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
    }
    between(w);
}

static bool wait_for_room(struct ring_writer *w, uint64_t need)
{
    while (read_by_somebody(w)) {
        __atomic_store_n(&w->page->waiting, 1, __ATOMIC_SEQ_CST);
        between(w);
        uint64_t tail = __atomic_load_n(&w->page->tail, __ATOMIC_SEQ_CST);
        if (w->head + need - tail <= w->size) {
            __atomic_store_n(&w->page->waiting, 0, __ATOMIC_SEQ_CST);
            return true;
        }
        vt_trace_futex_wait(&w->page->waiting, 1, 5000000);
    }
    __atomic_store_n(&w->page->waiting, 0, __ATOMIC_SEQ_CST);
    return false;
}

/* Room for `need` words from head on, by the policy; notes where parts of the ring begin. */
static bool make_room(struct ring_writer *w, uint64_t need)
{
    uint64_t part = w->size / RING_MODEL_MARKS;
    while (w->marked * part <= w->head) {
        w->marks[w->marked % RING_MODEL_MARKS] = w->head;
        w->marked++;
    }
    uint64_t tail = __atomic_load_n(&w->page->tail, __ATOMIC_ACQUIRE);
    if (w->head + need - tail > w->size) {
        if (w->policy == VT_TRACE_DROP) {
            return false;
        }
        if (w->policy == VT_TRACE_KEEP_LAST || !wait_for_room(w, need)) {
            uint64_t want = w->head + need - w->size;
            uint64_t oldest = w->marked > RING_MODEL_MARKS ? w->marked - RING_MODEL_MARKS : 0;
            while (oldest + 1 < w->marked && w->marks[oldest % RING_MODEL_MARKS] < want) {
                oldest++;
            }
            move_tail(w, w->marks[oldest % RING_MODEL_MARKS]);
        }
    }
    return true;
}

bool ring_writer_put(struct ring_writer *w, const uint64_t *record, size_t n)
{
    uint64_t need = n + (w->dropped != 0);
    if (!make_room(w, need)) {
        w->dropped += n;
        __atomic_store_n(&w->page->dropped, w->page->dropped + 1, __ATOMIC_RELAXED);
        return false;
    }
    uint64_t mask = w->size - 1;
    uint64_t head = w->head;
    if (w->dropped != 0) {
        uint64_t lost = (uint64_t)VT_TRACE_LOST << 56 | w->dropped;
        __atomic_store_n(&w->words[head++ & mask], lost, __ATOMIC_RELAXED);
        w->dropped = 0;
    }
    for (size_t i = 0; i < n; i++) {
        __atomic_store_n(&w->words[head++ & mask], record[i], __ATOMIC_RELAXED);
        between(w);
    }
    w->head = head;
    __atomic_store_n(&w->page->head, head, __ATOMIC_RELEASE);
    between(w);
    return true;
}

void ring_writer_block(struct ring_writer *w, uint32_t id)
{
    ring_writer_word(w, VT_TRACE_BLOCK, id);
}

void ring_writer_word(struct ring_writer *w, unsigned kind, uint64_t low)
{
    uint64_t word = (uint64_t)kind << 56 | low;
    ring_writer_put(w, &word, 1);
}
