/* guest/linux/insn.c - decodes what insn.h says. */
#include "guest/linux/insn.h"

#include "base/cursor.h"

#include <string.h>

#define STEPS_MAX 4096u

/* Length of a nop or endbr64 at p, or 0: 90, 66 90, [2e|66]… 0f 1f /0, f3 0f 1e fa. */
static size_t nop_length(const uint8_t *p, size_t n)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    size_t i = 0;
    if (n >= sizeof endbr64 && memcmp(p, endbr64, sizeof endbr64) == 0) {
        return sizeof endbr64;
    }
    while (i < n && i < 6 && (p[i] == 0x66 || p[i] == 0x2e)) {
        i++;
    }
    if (i < n && p[i] == 0x90) {
        return i + 1;
    }
    if (n - i < 3 || p[i] != 0x0f || p[i + 1] != 0x1f) {
        return 0;
    }
    uint8_t mode = p[i + 2] >> 6, rm = p[i + 2] & 7;
    size_t length = i + 3;
    if (mode != 3 && rm == 4) {
        length += length < n && mode == 0 && (p[length] & 7) == 5 ? 5 : 1; /* SIB */
    }
    length += mode == 1 ? 1 : mode == 2 || (mode == 0 && rm == 5) ? 4 : 0;
    return length <= n ? length : 0;
}

static uint64_t relative32(const uint8_t *p, uint64_t behind)
{
    return behind + (uint64_t)(int64_t)(int32_t)vt_le32(p);
}

static uint64_t relative8(uint8_t byte, uint64_t behind)
{
    return behind + (uint64_t)(int64_t)(int8_t)byte;
}

/* mov $imm64, %reg; then jmp *%reg, or push %reg and ret. */
static bool is_loaded_jump(const uint8_t *p, size_t n, uint64_t *target, size_t *length)
{
    if (n < 10 || (p[0] & 0xfe) != 0x48 || (p[1] & 0xf8) != 0xb8) {
        return false;
    }
    bool high = (p[0] & 1) != 0;
    uint8_t reg = p[1] & 7;
    size_t i = 10;
    if (high) {
        if (i >= n || p[i] != 0x41) {
            return false;
        }
        i++;
    }
    if (n - i < 2 || !((p[i] == 0xff && p[i + 1] == (0xe0 | reg)) ||
                       (p[i] == (0x50 | reg) && p[i + 1] == 0xc3))) {
        return false;
    }
    *target = vt_le64(p + 2);
    *length = i + 2;
    return true;
}

/* push $imm32 (sign-extended), perhaps movl $imm32, 4(%rsp), ret. */
static bool is_pushed_return(const uint8_t *p, size_t n, uint64_t *target, size_t *length)
{
    static const uint8_t high_half[] = {0xc7, 0x44, 0x24, 0x04};
    if (n < 6 || p[0] != 0x68) {
        return false;
    }
    *target = (uint64_t)(int64_t)(int32_t)vt_le32(p + 1);
    size_t i = 5;
    if (n - i >= 9 && memcmp(p + i, high_half, sizeof high_half) == 0) {
        *target = (*target & UINT32_MAX) | (uint64_t)vt_le32(p + i + 4) << 32;
        i += 8;
    }
    *length = i + 1;
    return p[i] == 0xc3;
}

struct vt_insn_detour vt_insn_detour(const uint8_t *bytes, size_t n, uint64_t at)
{
    struct vt_insn_detour d = {.kind = VT_INSN_OTHER};
    size_t i = 0, nop, length;
    n = n < VT_INSN_DETOUR_BYTES ? n : VT_INSN_DETOUR_BYTES;
    while ((nop = nop_length(bytes + i, n - i)) > 0) {
        i += nop;
    }
    const uint8_t *p = bytes + i;
    size_t left = n - i;
    if (left >= 5 && (p[0] == 0xe8 || p[0] == 0xe9)) {
        d = (struct vt_insn_detour){p[0] == 0xe9 ? VT_INSN_JUMP : VT_INSN_CALL,
                                    relative32(p + 1, at + i + 5), i + 5};
    } else if (left >= 2 && p[0] == 0xeb) {
        d = (struct vt_insn_detour){VT_INSN_JUMP, relative8(p[1], at + i + 2), i + 2};
    } else if (left >= 6 && p[0] == 0xff && p[1] == 0x25) {
        d = (struct vt_insn_detour){VT_INSN_INDIRECT, relative32(p + 2, at + i + 6), i + 6};
    } else if (left >= 1 && p[0] == 0xcc) {
        d = (struct vt_insn_detour){VT_INSN_TRAP, 0, i + 1};
    } else if (is_loaded_jump(p, left, &d.target, &length) ||
               is_pushed_return(p, left, &d.target, &length)) {
        d.kind = VT_INSN_JUMP;
        d.next = i + length;
    } else {
        d.target = 0;
    }
    return d;
}

/* ---------------------------------------------------------------- a switch */

struct flags {
    bool known, below, zero, sign, overflow;
};

static struct flags compare(uint32_t a, uint32_t b)
{
    uint32_t r = a - b;
    return (struct flags){.known = true,
                          .below = a < b,
                          .zero = r == 0,
                          .sign = r >> 31 != 0,
                          .overflow = ((a ^ b) & (a ^ r)) >> 31 != 0};
}

/* Condition codes 0 … 15 of jcc; those of parity are not a switch's. */
static bool condition(uint8_t code, const struct flags *f, bool *taken)
{
    bool value;
    switch (code >> 1) {
    case 0:
        value = f->overflow;
        break;
    case 1:
        value = f->below;
        break;
    case 2:
        value = f->zero;
        break;
    case 3:
        value = f->below || f->zero;
        break;
    case 4:
        value = f->sign;
        break;
    case 6:
        value = f->sign != f->overflow;
        break;
    case 7:
        value = f->zero || f->sign != f->overflow;
        break;
    default:
        return false;
    }
    *taken = value != ((code & 1) != 0);
    return f->known;
}

bool vt_insn_switch(const uint8_t *code, size_t n, uint64_t at, uint32_t number, uint64_t *target)
{
    struct flags flags = {0};
    size_t i = 0;
    for (unsigned step = 0; step < STEPS_MAX && i < n; step++) {
        const uint8_t *p = code + i;
        size_t left = n - i, length = nop_length(p, left);
        uint64_t to = 0;
        bool jumps = false;
        if (length > 0) {
        } else if (left >= 3 && p[0] == 0x83 && p[1] == 0xfe) { /* cmp $imm8, %esi */
            flags = compare(number, (uint32_t)(int32_t)(int8_t)p[2]);
            length = 3;
        } else if (left >= 6 && p[0] == 0x81 && p[1] == 0xfe) { /* cmp $imm32, %esi */
            flags = compare(number, vt_le32(p + 2));
            length = 6;
        } else if (left >= 2 && p[0] == 0x85 && p[1] == 0xf6) { /* test %esi, %esi */
            flags = compare(number, 0);
            length = 2;
        } else if (left >= 2 && (p[0] & 0xf0) == 0x70) { /* jcc rel8 */
            length = 2;
            to = relative8(p[1], at + i + length);
            if (!condition(p[0] & 15, &flags, &jumps)) {
                return false;
            }
        } else if (left >= 6 && p[0] == 0x0f && (p[1] & 0xf0) == 0x80) { /* jcc rel32 */
            length = 6;
            to = relative32(p + 2, at + i + length);
            if (!condition(p[1] & 15, &flags, &jumps)) {
                return false;
            }
        } else if (left >= 2 && p[0] == 0xeb) { /* jmp rel8 */
            length = 2;
            to = relative8(p[1], at + i + length);
            jumps = true;
        } else if (left >= 5 && (p[0] == 0xe9 || p[0] == 0xe8)) { /* jmp, call rel32 */
            length = 5;
            to = relative32(p + 1, at + i + length);
            if (p[0] == 0xe8 && !flags.known) {
                jumps = false; /* ftrace's call, before the switch */
            } else if (p[0] == 0xe8) {
                *target = to; /* of a function that does not return */
                return true;
            } else {
                jumps = true;
            }
        } else {
            return false;
        }
        if (!jumps) {
            i += length;
        } else if (to >= at && to - at < n) {
            i = (size_t)(to - at);
        } else {
            *target = to;
            return true;
        }
    }
    return false;
}
