/* trace/dictionary.c - the blocks of a recording by their ids. See dictionary.h. */
#include "trace/dictionary.h"

#include "trace/ring.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)256 << 10)
#define ALIGNED(n) (((n) + 7) & ~(size_t)7)

struct vt_trace_dictionary_chunk {
    struct vt_trace_dictionary_chunk *next;
    size_t used;
    _Alignas(8) uint8_t bytes[];
};

void vt_trace_dictionary_init(struct vt_trace_dictionary *d, const char *arch)
{
    *d = (struct vt_trace_dictionary){0};
    strncpy(d->arch, arch, sizeof d->arch - 1);
}

void vt_trace_dictionary_fini(struct vt_trace_dictionary *d)
{
    while (d->chunks != NULL) {
        struct vt_trace_dictionary_chunk *next = d->chunks->next;
        free(d->chunks);
        d->chunks = next;
    }
    free(d->known);
    *d = (struct vt_trace_dictionary){0};
}

static void *place(struct vt_trace_dictionary *d, size_t bytes)
{
    bytes = ALIGNED(bytes);
    if (d->chunks == NULL || CHUNK_BYTES - d->chunks->used < bytes) {
        struct vt_trace_dictionary_chunk *c = malloc(sizeof *c + CHUNK_BYTES);
        if (c == NULL) {
            return NULL;
        }
        c->next = d->chunks;
        c->used = 0;
        d->chunks = c;
    }
    void *at = d->chunks->bytes + d->chunks->used;
    d->chunks->used += bytes;
    return at;
}

static int make_room(struct vt_trace_dictionary *d, struct vt_error *err)
{
    if (d->n < d->capacity) {
        return 0;
    }
    uint32_t capacity = d->capacity == 0 ? 1024 : d->capacity * 2;
    struct vt_trace_known **known = NULL;
    if (capacity > d->capacity) {
        known = reallocarray(d->known, capacity, sizeof(struct vt_trace_known *));
    }
    if (known == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", d->n);
    }
    d->known = known;
    d->capacity = capacity;
    return 0;
}

static int corrupt(const struct vt_trace_dictionary *d, const char *what, uint64_t value,
                   struct vt_error *err)
{
    return vt_fail(err, VT_E_CORRUPT, "trace dictionary at 0x%llx, block %u: %s %llu",
                   (unsigned long long)d->at, d->n, what, (unsigned long long)value);
}

static int take_one(struct vt_trace_dictionary *d, const uint8_t *at, uint64_t left,
                    struct vt_error *err)
{
    struct vt_trace_block_entry e;
    if (left < sizeof e) {
        return corrupt(d, "cut after bytes", left, err);
    }
    memcpy(&e, at, sizeof e);
    if (e.id != d->n) {
        return corrupt(d, "its id is", e.id, err);
    }
    if (e.n == 0 || e.n > VT_TRACE_BLOCK_INSNS_MAX) {
        return corrupt(d, "instructions", e.n, err);
    }
    size_t body = (size_t)e.n + e.code_bytes;
    if (e.bytes != ALIGNED(sizeof e + body) || e.bytes > left) {
        return corrupt(d, "bytes", e.bytes, err);
    }
    int rc = make_room(d, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_trace_known *known = place(d, sizeof *known + body);
    if (known == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", d->n + 1);
    }
    uint8_t *sizes = (uint8_t *)(known + 1);
    memcpy(sizes, at + sizeof e, body);
    size_t sum = 0;
    for (unsigned i = 0; i < e.n; i++) {
        if (sizes[i] == 0 || sizes[i] > VT_TRACE_INSN_BYTES_MAX) {
            return corrupt(d, "bytes of an instruction", sizes[i], err);
        }
        sum += sizes[i];
    }
    if (sum != e.code_bytes) {
        return corrupt(d, "bytes of code", e.code_bytes, err);
    }
    size_t last = sizes[e.n - 1];
    *known = (struct vt_trace_known){
        .block = {.id = e.id,
                  .pc = e.pc,
                  .machine = vt_trace_machine_of(d->arch),
                  .physical = e.physical,
                  .n = e.n,
                  .code_bytes = e.code_bytes,
                  .sizes = sizes,
                  .code = sizes + e.n},
        .flags = e.flags,
        .flow = vt_trace_flow_of(d->arch, e.pc + sum - last, sizes + e.n + sum - last, last)};
    d->known[d->n++] = known;
    d->at += e.bytes;
    return 0;
}

int vt_trace_dictionary_take(struct vt_trace_dictionary *d, const uint8_t *base, uint64_t head,
                             struct vt_error *err)
{
    int rc = 0;
    if (head < d->at) {
        return corrupt(d, "its head went back to", head, err);
    }
    while (rc == 0 && d->at < head) {
        rc = take_one(d, base + d->at, head - d->at, err);
    }
    return rc;
}

unsigned vt_trace_block_index(const struct vt_trace_block *block, uint64_t pc)
{
    uint64_t at = block->pc;
    for (unsigned i = 0; i < block->n; i++) {
        if (at == pc) {
            return i;
        }
        at += block->sizes[i];
    }
    return block->n;
}
