/* synth/kernel.c - kernels: a loop's bytes put in order, and thrown away. See vitrine/synth.h.
 */
#include "vitrine/synth.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static int compare(const void *a, const void *b)
{
    const struct vt_synth_block *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

int vt_synth_loop_finish(struct vt_synth_loop *loop, struct vt_error *err)
{
    if (loop->n_blocks == 0 || loop->n_blocks > VT_SYNTH_BLOCKS_MAX ||
        loop->n_bytes > VT_SYNTH_BYTES_MAX) {
        return vt_fail(err, VT_E_INVAL, "a loop of %u blocks and %u bytes", loop->n_blocks,
                       loop->n_bytes);
    }
    qsort(loop->blocks, loop->n_blocks, sizeof loop->blocks[0], compare);
    bool head = false;
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a loop");
    }
    XXH3_128bits_reset(state);
    for (uint32_t i = 0; i < loop->n_blocks; i++) {
        const struct vt_synth_block *b = &loop->blocks[i];
        bool overlaps = i > 0 && b->at < b[-1].at + (int64_t)b[-1].n;
        if (overlaps || b->n == 0 || b->n > loop->n_bytes || b->first > loop->n_bytes - b->n) {
            XXH3_freeState(state);
            return vt_fail(err, VT_E_INVAL, "block %u of a loop overlaps another or has no bytes",
                           i);
        }
        head = head || b->at == 0;
        uint64_t words[2] = {(uint64_t)b->at, b->n};
        XXH3_128bits_update(state, words, sizeof words);
        XXH3_128bits_update(state, loop->bytes + b->first, b->n);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    if (!head) {
        return vt_fail(err, VT_E_INVAL, "a loop without its head");
    }
    snprintf(loop->hash, sizeof loop->hash, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    return 0;
}

static bool counts_from_itself(const ZydisDecodedInstruction *insn,
                               const ZydisDecodedOperand *operands)
{
    bool found = insn->meta.category == ZYDIS_CATEGORY_CALL; /* it stores where it is */
    for (unsigned i = 0; i < insn->operand_count; i++) {
        found |= operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
                 (operands[i].mem.base == ZYDIS_REGISTER_RIP ||
                  operands[i].mem.base == ZYDIS_REGISTER_EIP);
    }
    return found;
}

/* With BMI's, which would not fault. */
static bool is_of_avx(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands)
{
    (void)operands;
    return insn->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
}

static bool some(const struct vt_synth_loop *loop,
                 bool (*is)(const ZydisDecodedInstruction *, const ZydisDecodedOperand *))
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (uint32_t b = 0; b < loop->n_blocks; b++) {
        const struct vt_synth_block *block = &loop->blocks[b];
        for (uint32_t at = 0; at < block->n; at += insn.length) {
            if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, loop->bytes + block->first + at,
                                                     block->n - at, &insn, operands))) {
                return true;
            }
            if (is(&insn, operands)) {
                return true;
            }
        }
    }
    return false;
}

bool vt_synth_loop_is_bound(const struct vt_synth_loop *loop)
{
    return some(loop, counts_from_itself);
}

bool vt_synth_loop_wants_avx(const struct vt_synth_loop *loop)
{
    return some(loop, is_of_avx);
}

void vt_synth_kernel_destroy(struct vt_synth_kernel *k)
{
    if (k == NULL) {
        return;
    }
    vt_pixel_fini(&k->program);
    if (k->trips != NULL) {
        vt_pixel_fini(k->trips);
    }
    free(k->trips);
    free(k->obligations);
    free(k);
}
