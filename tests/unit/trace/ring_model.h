/* tests/unit/trace/ring_model.h - the plugin's side of a trace segment, without a QEMU.
 *
 * Makes segments and writes records by the rules of src/trace/ring.h alone: one thread a vCPU, any
 * policy. Blocks are of one-byte instructions unless said otherwise.
 */
#ifndef VT_TESTS_RING_MODEL_H
#define VT_TESTS_RING_MODEL_H

#include "trace/ring.h"

#include <stdbool.h>
#include <stddef.h>

#define RING_MODEL_MARKS 16u

struct ring_model {
    uint8_t *base;
    uint64_t bytes;
    struct vt_trace_header *header;
    struct vt_trace_control *control;
};

struct ring_writer {
    struct vt_trace_vcpu *page;
    uint64_t *words;
    uint64_t size, head, limit, dropped;
    uint64_t marks[RING_MODEL_MARKS]; /* the first record of each part of the ring */
    uint64_t marked;                  /* parts begun */
    uint32_t policy;
    void (*between)(void *state); /* called between the steps that others may see; may be NULL */
    void *state;
};

/** A segment in memory, page-aligned, with its plugin come; free with ring_model_fini. */
void ring_model_init(struct ring_model *m, uint32_t vcpus, uint32_t ring_words);
void ring_model_fini(struct ring_model *m);
/** Lays a segment out over `base`, zeroed memory of ring_model_bytes. */
void ring_model_over(struct ring_model *m, void *base, uint32_t vcpus, uint32_t ring_words);
uint64_t ring_model_bytes(uint32_t vcpus, uint32_t ring_words);
/** Adds an entry; its id. `code` has `n` instructions of `sizes` bytes. */
uint32_t ring_model_block(struct ring_model *m, uint64_t pc, const uint8_t *sizes, unsigned n,
                          const uint8_t *code);
/** A block of `n` one-byte nops at `pc` that ends in `last` (0x90: falls through, 0xc3: anywhere).
 */
uint32_t ring_model_nops(struct ring_model *m, uint64_t pc, unsigned n, uint8_t last);

void ring_writer_init(struct ring_writer *w, const struct ring_model *m, uint32_t vcpu,
                      uint32_t policy);
/** One record. False when it was dropped. */
bool ring_writer_put(struct ring_writer *w, const uint64_t *record, size_t n);
void ring_writer_block(struct ring_writer *w, uint32_t id);
void ring_writer_word(struct ring_writer *w, unsigned kind, uint64_t low);

#endif
