/* tests/fuzz/fuzz_trace_ring.c - a trace segment that lies.
 *
 * The input is bits that change the header, then the dictionary, then both vCPUs' words; it is read
 * as it stands and as a live one. Whatever it says, events are of blocks that are there and have
 * what they say, and the end or an error comes.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/trace/ring_model.h"
#include "trace/live.h"

#include <string.h>

#define WORDS 256u
#define VCPUS 2u

struct head {
    uint8_t live, header; /* how many bytes of it change */
    uint16_t at;          /* from here on */
    uint16_t dictionary;  /* bytes */
    uint16_t words;       /* of vCPU 0; the rest are vCPU 1's */
};

static void use(const struct vt_trace_event *e, uint64_t *sum)
{
    FUZZ_CHECK(e->vcpu < VCPUS);
    switch (e->kind) {
    case VT_TRACE_EV_BLOCK:
        FUZZ_CHECK(e->block != NULL && e->block->n >= 1 && e->block->n <= 512);
        FUZZ_CHECK(e->executed <= e->block->n && e->end <= VT_TRACE_END_UNKNOWN);
        FUZZ_CHECK(e->end != VT_TRACE_END_WHOLE || e->executed == e->block->n);
        for (unsigned i = 0, at = 0; i < e->block->n; at += e->block->sizes[i++]) {
            FUZZ_CHECK(at + e->block->sizes[i] <= e->block->code_bytes);
            *sum += e->block->code[at];
        }
        for (uint32_t i = 0; i < e->n_accesses; i++) {
            FUZZ_CHECK(e->accesses[i].instruction < e->block->n && e->accesses[i].bytes <= 16);
            *sum += e->accesses[i].value[1];
        }
        break;
    case VT_TRACE_EV_REGISTERS:
        FUZZ_CHECK(e->n_registers <= VT_TRACE_REGISTERS_MAX);
        for (uint32_t i = 0; i < e->n_registers; i++) {
            *sum += e->registers[i];
        }
        break;
    case VT_TRACE_EV_LOST:
        FUZZ_CHECK(e->lost_words != 0);
        break;
    default:
        break;
    }
}

static void fill(struct ring_model *m, uint32_t vcpu, const uint8_t *bytes, size_t count)
{
    uint8_t *page = m->base + m->header->vcpu_offset + vcpu * m->header->vcpu_stride;
    struct vt_trace_vcpu *v = (struct vt_trace_vcpu *)(void *)page;
    count = count < WORDS * 8 ? count : WORDS * 8;
    memcpy(page + VT_TRACE_PAGE, bytes, count);
    v->head = count / 8;
}

static void read_all(struct ring_model *m, const struct head *h, const uint8_t *bytes, size_t count)
{
    struct vt_trace_segment segment;
    struct vt_trace_source *source;
    struct vt_error err = {0};
    size_t words = (size_t)h->words * 8 < count ? (size_t)h->words * 8 : count;
    bool live = (h->live & 1) != 0;
    if (!live) {
        fill(m, 0, bytes, words);
        fill(m, 1, bytes + words, count - words);
    }
    size_t n = h->header;
    size_t at = h->at % (sizeof *m->header - n);
    struct ring_model good = *m;
    struct vt_trace_header header = *m->header;
    for (size_t i = 0; i < n && i < count; i++) {
        ((uint8_t *)m->header)[at + i] ^= bytes[i];
    }
    int rc = vt_trace_segment_over(&segment, m->base, m->bytes, &err);
    FUZZ_CHECK(rc == 0 || rc == VT_E_CORRUPT || rc == VT_E_UNSUPPORTED);
    if (rc != 0 || vt_trace_live_create(&segment, live, &source, &err) != 0) {
        FUZZ_CHECK(err.code != 0 && err.message[0] != '\0');
        return;
    }
    if (live && memcmp(&header, m->header, offsetof(struct vt_trace_header, clock_hz)) == 0) {
        fill(&good, 0, bytes, words);
        fill(&good, 1, bytes + words, count - words);
        m->header->ended = 1;
    }
    uint64_t sum = 0;
    struct vt_trace_event event;
    for (int i = 0; i < 100000 && (rc = vt_trace_next(source, 0, &event, &err)) == 1; i++) {
        use(&event, &sum);
    }
    FUZZ_CHECK(rc == 0 || err.code == (enum vt_code)rc);
    FUZZ_CHECK(vt_trace_source_info(source)->n_registers <= VT_TRACE_REGISTERS_MAX);
    FUZZ_CHECK(strlen(vt_trace_source_info(source)->arch) < 16);
    vt_trace_close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct head h;
    if (count < sizeof h) {
        return 0;
    }
    memcpy(&h, bytes, sizeof h);
    bytes += sizeof h;
    count -= sizeof h;
    struct ring_model m;
    ring_model_init(&m, VCPUS, WORDS);
    size_t n = h.dictionary < count ? h.dictionary : count;
    memcpy(m.base + m.header->dictionary_offset, bytes, n);
    m.header->dictionary_head = n;
    read_all(&m, &h, bytes + n, count - n);
    ring_model_fini(&m);
    return 0;
}
