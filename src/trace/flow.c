/* trace/flow.c - where control may go after an instruction. See flow.h.
 *
 * x86: Intel SDM volume 2, appendix A, as 64-bit code reads it; aarch64: Arm ARM C4.1.65, branches;
 * riscv64: unprivileged ISA, chapters 2.5 and C ("RVC instruction set listings").
 */
#include "trace/flow.h"

#include "base/cursor.h"

#include <string.h>

static struct vt_trace_flow to(enum vt_trace_flow_kind kind, uint64_t next, uint64_t target)
{
    return (struct vt_trace_flow){.kind = kind, .next = next, .target = target};
}

/* `value`'s lowest `bits` bits as a signed number. */
static uint64_t sign_extended(uint64_t value, unsigned bits)
{
    uint64_t sign = (uint64_t)1 << (bits - 1);
    value &= (sign << 1) - 1;
    return (value ^ sign) - sign;
}

static bool is_prefix(uint8_t b)
{
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

/* Displacements are the last bytes of direct jumps, so that no operand needs decoding. Code that is
 * not 64-bit has jumps that wrap at 16 or 32 bits and 0x40-0x4f as instructions: those fall. */
static struct vt_trace_flow x86_flow(uint64_t pc, const uint8_t *b, size_t size)
{
    uint64_t next = pc + size;
    size_t i = 0;
    bool repeats = false, narrow = false;
    for (; i < size && is_prefix(b[i]); i++) {
        repeats = repeats || b[i] == 0xf2 || b[i] == 0xf3;
        narrow = narrow || b[i] == 0x66;
    }
    if (i < size && (b[i] & 0xf0) == 0x40 && i + 1 < size) {
        i++; /* REX */
    }
    if (i >= size) {
        return to(VT_TRACE_FLOW_ANYWHERE, next, 0);
    }
    uint8_t op = b[i];
    bool two = op == 0x0f && i + 1 < size;
    if (two) {
        op = b[i + 1];
    }
    size_t after = size - i - (two ? 2 : 1);
    if (two ? (op & 0xf0) == 0x80 : (op & 0xf0) == 0x70 || (op >= 0xe0 && op <= 0xe3)) {
        if (after == 1) {
            return to(VT_TRACE_FLOW_BRANCHES, next, next + sign_extended(b[size - 1], 8));
        }
        if (after == 4 && !narrow) {
            return to(VT_TRACE_FLOW_BRANCHES, next,
                      next + sign_extended(vt_le32(b + size - 4), 32));
        }
        return to(VT_TRACE_FLOW_ANYWHERE, next, 0);
    }
    if (two) {
        /* system calls and their returns, rsm, ud */
        bool leaves = op == 0x05 || op == 0x07 || op == 0x34 || op == 0x35 || op == 0xaa ||
                      op == 0x0b || op == 0xb9 || op == 0xff || op == 0x01;
        return to(leaves ? VT_TRACE_FLOW_ANYWHERE : VT_TRACE_FLOW_FALLS, next, 0);
    }
    switch (op) {
    case 0xeb:
        return after == 1 ? to(VT_TRACE_FLOW_JUMPS, next, next + sign_extended(b[size - 1], 8))
                          : to(VT_TRACE_FLOW_ANYWHERE, next, 0);
    case 0xe8:
    case 0xe9:
        return after == 4 && !narrow
                   ? to(VT_TRACE_FLOW_JUMPS, next, next + sign_extended(vt_le32(b + size - 4), 32))
                   : to(VT_TRACE_FLOW_ANYWHERE, next, 0);
    case 0x9a:
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcf:
    case 0xea:
        return to(VT_TRACE_FLOW_ANYWHERE, next, 0);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xf1:
        return (struct vt_trace_flow){.kind = VT_TRACE_FLOW_ANYWHERE, .next = next, .traps = true};
    case 0xff: {
        unsigned reg = after > 0 ? (b[i + 1] >> 3) & 7 : 2;
        return to(reg >= 2 && reg <= 5 ? VT_TRACE_FLOW_ANYWHERE : VT_TRACE_FLOW_FALLS, next, 0);
    }
    default:
        break;
    }
    bool string =
        (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf) || (op >= 0x6c && op <= 0x6f);
    return to(string && repeats ? VT_TRACE_FLOW_REPEATS : VT_TRACE_FLOW_FALLS, next, pc);
}

static struct vt_trace_flow arm_flow(uint64_t pc, uint32_t w)
{
    uint64_t next = pc + 4;
    if ((w & 0x7c000000u) == 0x14000000u) { /* b, bl */
        return to(VT_TRACE_FLOW_JUMPS, next, pc + (sign_extended(w, 26) << 2));
    }
    if ((w & 0xfe000000u) == 0x54000000u || (w & 0x7e000000u) == 0x34000000u) {
        return to(VT_TRACE_FLOW_BRANCHES, next, pc + (sign_extended(w >> 5, 19) << 2));
    }
    if ((w & 0x7e000000u) == 0x36000000u) { /* tbz, tbnz */
        return to(VT_TRACE_FLOW_BRANCHES, next, pc + (sign_extended(w >> 5, 14) << 2));
    }
    bool leaves = (w & 0xfe000000u) == 0xd6000000u || /* br, blr, ret, eret */
                  (w & 0xff000000u) == 0xd4000000u || /* svc, hvc, brk, hlt */
                  (w & 0xffff0000u) == 0;             /* udf */
    return to(leaves ? VT_TRACE_FLOW_ANYWHERE : VT_TRACE_FLOW_FALLS, next, 0);
}

static struct vt_trace_flow riscv_short_flow(uint64_t pc, uint32_t w)
{
    uint64_t next = pc + 2;
    switch (w & 0xe003u) {
    case 0xa001: { /* c.j: imm[11|4|9:8|10|6|7|3:1|5] in bits 12-2 */
        uint64_t d = ((w >> 1) & 0x800u) | ((w >> 7) & 0x10u) | ((w >> 1) & 0x300u) |
                     ((w << 2) & 0x400u) | ((w >> 1) & 0x40u) | ((w << 1) & 0x80u) |
                     ((w >> 2) & 0xeu) | ((w << 3) & 0x20u);
        return to(VT_TRACE_FLOW_JUMPS, next, pc + sign_extended(d, 12));
    }
    case 0xc001:
    case 0xe001: { /* c.beqz, c.bnez: imm[8|4:3] in 12-10, imm[7:6|2:1|5] in 6-2 */
        uint64_t d = ((w >> 4) & 0x100u) | ((w >> 7) & 0x18u) | ((w << 1) & 0xc0u) |
                     ((w >> 2) & 0x6u) | ((w << 3) & 0x20u);
        return to(VT_TRACE_FLOW_BRANCHES, next, pc + sign_extended(d, 9));
    }
    case 0x8002: /* c.jr, c.jalr, c.ebreak; c.mv and c.add have a second register */
        return to((w & 0x7cu) == 0 ? VT_TRACE_FLOW_ANYWHERE : VT_TRACE_FLOW_FALLS, next, 0);
    default:
        return to(w == 0 ? VT_TRACE_FLOW_ANYWHERE : VT_TRACE_FLOW_FALLS, next, 0);
    }
}

static struct vt_trace_flow riscv_flow(uint64_t pc, uint32_t w)
{
    uint64_t next = pc + 4;
    switch (w & 0x7fu) {
    case 0x6f: { /* jal: imm[20|10:1|11|19:12] in bits 31-12 */
        uint64_t d =
            ((w >> 11) & 0x100000u) | ((w >> 20) & 0x7feu) | ((w >> 9) & 0x800u) | (w & 0xff000u);
        return to(VT_TRACE_FLOW_JUMPS, next, pc + sign_extended(d, 21));
    }
    case 0x63: { /* branches: imm[12|10:5] in 31-25, imm[4:1|11] in 11-7 */
        uint64_t d =
            ((w >> 19) & 0x1000u) | ((w >> 20) & 0x7e0u) | ((w >> 7) & 0x1eu) | ((w << 4) & 0x800u);
        return to(VT_TRACE_FLOW_BRANCHES, next, pc + sign_extended(d, 13));
    }
    case 0x67: /* jalr */
        return to(VT_TRACE_FLOW_ANYWHERE, next, 0);
    case 0x73: /* ecall, ebreak, xret; the rest reads and writes CSRs */
        return (struct vt_trace_flow){.kind = (w & 0x7000u) == 0 ? VT_TRACE_FLOW_ANYWHERE
                                                                 : VT_TRACE_FLOW_FALLS,
                                      .next = next,
                                      .traps = w == 0x73u || w == 0x100073u};
    default:
        return to(VT_TRACE_FLOW_FALLS, next, 0);
    }
}

struct vt_trace_flow vt_trace_flow_of(const char *arch, uint64_t pc, const uint8_t *bytes,
                                      size_t size)
{
    if (strcmp(arch, "x86_64") == 0) {
        return x86_flow(pc, bytes, size);
    }
    if (strcmp(arch, "aarch64") == 0 && size == 4) {
        return arm_flow(pc, vt_le32(bytes));
    }
    if (strcmp(arch, "riscv64") == 0 && size == 4) {
        return riscv_flow(pc, vt_le32(bytes));
    }
    if (strcmp(arch, "riscv64") == 0 && size == 2) {
        return riscv_short_flow(pc, vt_le16(bytes));
    }
    return to(VT_TRACE_FLOW_ANYWHERE, pc + size, 0);
}
