/* pixel/program.c - programs: made, named, thrown away. See vitrine/pixel.h.
 */
#include "vitrine/pixel.h"

#include <stdlib.h>
#include <string.h>

void vt_pixel_init(struct vt_pixel_program *p)
{
    memset(p, 0, sizeof *p);
}

void vt_pixel_fini(struct vt_pixel_program *p)
{
    free(p->insns);
    free(p->loops);
    vt_pixel_init(p);
}

uint32_t vt_pixel_emit(struct vt_pixel_program *p, struct vt_pixel_insn insn)
{
    if (p->n_insns == p->room) {
        uint32_t room = p->room == 0 ? 64 : p->room * 2;
        struct vt_pixel_insn *wider =
            room <= VT_PIXEL_VALUES_MAX ? realloc(p->insns, room * sizeof *wider) : NULL;
        if (wider == NULL) {
            return VT_PIXEL_NONE;
        }
        p->insns = wider;
        p->room = room;
    }
    p->insns[p->n_insns] = insn;
    return p->n_insns++;
}

uint32_t vt_pixel_add_loop(struct vt_pixel_program *p)
{
    if (p->loops == NULL) {
        p->loops = calloc(VT_PIXEL_LOOPS_MAX, sizeof *p->loops);
    }
    if (p->loops == NULL || p->n_loops >= VT_PIXEL_LOOPS_MAX) {
        return VT_PIXEL_NONE;
    }
    p->loops[p->n_loops] =
        (struct vt_pixel_loop){.condition = VT_PIXEL_NONE, .max_trips = VT_PIXEL_TRIPS_MAX};
    return p->n_loops++;
}

const char *vt_pixel_op_name(enum vt_pixel_op op)
{
    static const char *const names[VT_PIXEL_OPS] = {
        [VT_PIXEL_CONST] = "const",
        [VT_PIXEL_INPUT] = "input",
        [VT_PIXEL_CARRY] = "carry",
        [VT_PIXEL_INDEX] = "index",
        [VT_PIXEL_ADD] = "add",
        [VT_PIXEL_SUB] = "sub",
        [VT_PIXEL_MUL] = "mul",
        [VT_PIXEL_UMULH] = "umulh",
        [VT_PIXEL_SMULH] = "smulh",
        [VT_PIXEL_UDIV] = "udiv",
        [VT_PIXEL_UREM] = "urem",
        [VT_PIXEL_SDIV] = "sdiv",
        [VT_PIXEL_SREM] = "srem",
        [VT_PIXEL_AND] = "and",
        [VT_PIXEL_OR] = "or",
        [VT_PIXEL_XOR] = "xor",
        [VT_PIXEL_NOT] = "not",
        [VT_PIXEL_NEG] = "neg",
        [VT_PIXEL_SHL] = "shl",
        [VT_PIXEL_LSHR] = "lshr",
        [VT_PIXEL_ASHR] = "ashr",
        [VT_PIXEL_ROL] = "rol",
        [VT_PIXEL_ROR] = "ror",
        [VT_PIXEL_POPCNT] = "popcnt",
        [VT_PIXEL_CLZ] = "clz",
        [VT_PIXEL_CTZ] = "ctz",
        [VT_PIXEL_BSWAP] = "bswap",
        [VT_PIXEL_EQ] = "eq",
        [VT_PIXEL_NE] = "ne",
        [VT_PIXEL_ULT] = "ult",
        [VT_PIXEL_ULE] = "ule",
        [VT_PIXEL_SLT] = "slt",
        [VT_PIXEL_SLE] = "sle",
        [VT_PIXEL_ADD_CARRY] = "add.carry",
        [VT_PIXEL_ADD_OVERFLOW] = "add.overflow",
        [VT_PIXEL_SUB_BORROW] = "sub.borrow",
        [VT_PIXEL_SUB_OVERFLOW] = "sub.overflow",
        [VT_PIXEL_SELECT] = "select",
        [VT_PIXEL_ZEXT] = "zext",
        [VT_PIXEL_SEXT] = "sext",
        [VT_PIXEL_EXTRACT] = "extract",
        [VT_PIXEL_CONCAT] = "concat",
        [VT_PIXEL_PADD] = "padd",
        [VT_PIXEL_PSUB] = "psub",
        [VT_PIXEL_PADDUS] = "paddus",
        [VT_PIXEL_PADDSS] = "paddss",
        [VT_PIXEL_PSUBUS] = "psubus",
        [VT_PIXEL_PSUBSS] = "psubss",
        [VT_PIXEL_PMULL] = "pmull",
        [VT_PIXEL_PMINU] = "pminu",
        [VT_PIXEL_PMINS] = "pmins",
        [VT_PIXEL_PMAXU] = "pmaxu",
        [VT_PIXEL_PMAXS] = "pmaxs",
        [VT_PIXEL_PAVG] = "pavg",
        [VT_PIXEL_PEQ] = "peq",
        [VT_PIXEL_PSGT] = "psgt",
        [VT_PIXEL_PSHL] = "pshl",
        [VT_PIXEL_PLSHR] = "plshr",
        [VT_PIXEL_PASHR] = "pashr",
        [VT_PIXEL_LOAD] = "load",
        [VT_PIXEL_STORE] = "store",
        [VT_PIXEL_CHECK] = "check",
        [VT_PIXEL_LOOP] = "loop",
        [VT_PIXEL_VARIABLE] = "variable",
        [VT_PIXEL_END] = "end",
        [VT_PIXEL_RESULT] = "result",
    };
    return (unsigned)op < VT_PIXEL_OPS ? names[op] : NULL;
}
