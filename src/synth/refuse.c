/* synth/refuse.c - why a loop cannot be had, with the instruction that it is for. See summary.h. */
#include "synth/summary.h"

#include <Zydis/Zydis.h>

int vt_refuse_insn(struct vt_error *err, const struct vt_synth_loop *loop, int64_t at,
                   const char *why)
{
    const uint64_t pc = loop->head + (uint64_t)at;
    char text[96] = "?";
    ZydisDisassembledInstruction insn;
    for (uint32_t i = 0; i < loop->n_blocks; i++) {
        const struct vt_synth_block *b = &loop->blocks[i];
        uint64_t into = (uint64_t)(at - b->at);
        if (into < b->n && ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, pc,
                                                              loop->bytes + b->first + into,
                                                              b->n - into, &insn))) {
            (void)snprintf(text, sizeof text, "%s", insn.text);
        }
    }
    return vt_fail(err, VT_E_UNSUPPORTED, "%s at 0x%llx: %s", text, (unsigned long long)pc, why);
}
