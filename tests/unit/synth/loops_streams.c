/* tests/unit/synth/loops_streams.c - functions with a loop each: fills, copies, keys, reductions,
 * tables and the like.
 */
#include "tests/unit/synth/loops_part.h"

#define FOR_EACH_WIDTH(do_) do_(8) do_(16) do_(32) do_(64)

#define FILL(bits)                                                                                 \
    LOOP(fill##bits)                                                                               \
    {                                                                                              \
        uint##bits##_t *to = a;                                                                    \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            to[i] = (uint##bits##_t)x;                                                             \
            KEEP;                                                                                  \
        }                                                                                          \
        return 0;                                                                                  \
    }
#define COPY(bits)                                                                                 \
    LOOP(copy##bits)                                                                               \
    {                                                                                              \
        uint##bits##_t *to = a;                                                                    \
        const uint##bits##_t *from = b;                                                            \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            to[i] = from[i];                                                                       \
            KEEP;                                                                                  \
        }                                                                                          \
        return 0;                                                                                  \
    }
#define XOR(bits)                                                                                  \
    LOOP(xor##bits)                                                                                \
    {                                                                                              \
        uint##bits##_t *to = a;                                                                    \
        const uint##bits##_t *from = b;                                                            \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            to[i] = (uint##bits##_t)(from[i] ^ x);                                                 \
        }                                                                                          \
        return 0;                                                                                  \
    }
#define ADD(bits)                                                                                  \
    LOOP(add##bits)                                                                                \
    {                                                                                              \
        uint##bits##_t *to = a;                                                                    \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            to[i] = (uint##bits##_t)(to[i] + 77);                                                  \
        }                                                                                          \
        return 0;                                                                                  \
    }
#define REDUCE(bits)                                                                               \
    LOOP(sum##bits)                                                                                \
    {                                                                                              \
        const uint##bits##_t *from = a;                                                            \
        uint##bits##_t sum = 0;                                                                    \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            sum = (uint##bits##_t)(sum + from[i]);                                                 \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    LOOP(parity##bits)                                                                             \
    {                                                                                              \
        const uint##bits##_t *from = a;                                                            \
        uint##bits##_t sum = (uint##bits##_t)x;                                                    \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            sum ^= from[i];                                                                        \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    LOOP(least##bits)                                                                              \
    {                                                                                              \
        const uint##bits##_t *from = a;                                                            \
        uint##bits##_t least = (uint##bits##_t)x;                                                  \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            least = from[i] < least ? from[i] : least;                                             \
        }                                                                                          \
        return least;                                                                              \
    }                                                                                              \
    LOOP(greatest##bits)                                                                           \
    {                                                                                              \
        const int##bits##_t *from = a;                                                             \
        int##bits##_t greatest = (int##bits##_t)x;                                                 \
        UNUSED;                                                                                    \
        for (uint64_t i = 0; i < n; i++) {                                                         \
            greatest = from[i] > greatest ? from[i] : greatest;                                    \
        }                                                                                          \
        return (uint64_t)greatest;                                                                 \
    }

FOR_EACH_WIDTH(FILL)
FOR_EACH_WIDTH(COPY)
FOR_EACH_WIDTH(XOR)
FOR_EACH_WIDTH(ADD)
FOR_EACH_WIDTH(REDUCE)

LOOP(saturating)
{
    uint8_t *to = a;
    const uint8_t *from = b;
    UNUSED;
    for (int i = 0; i < (int)n; i++) {
        unsigned sum = from[i] + (unsigned)(uint8_t)x;
        to[i] = (uint8_t)(sum > 255 ? 255 : sum);
    }
    return 0;
}

LOOP(difference)
{
    uint8_t *to = c;
    const uint8_t *one = a, *other = b;
    UNUSED;
    for (int i = 0; i < (int)n; i++) {
        to[i] = (uint8_t)(one[i] > other[i] ? one[i] - other[i] : other[i] - one[i]);
    }
    return 0;
}

LOOP(difference_abs)
{
    uint8_t *to = c;
    const uint8_t *one = a, *other = b;
    UNUSED;
    for (unsigned i = 0; i < (unsigned)n; i++) {
        to[i] = (uint8_t)__builtin_abs(one[i] - other[i]);
    }
    return 0;
}

static const uint8_t table8[256] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4};
static uint32_t table32[256] = {0, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 7, 8, 9, 99};

LOOP(look_up)
{
    uint8_t *to = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = table8[to[i]];
    }
    return 0;
}

LOOP(look_up_given)
{
    uint8_t *to = a;
    const uint32_t *table = c;
    uint32_t *wide = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        wide[i] = table[to[i]];
    }
    return 0;
}

LOOP(crc)
{
    const uint8_t *from = a;
    uint32_t crc = ~(uint32_t)x;
    UNUSED;
    while (n-- > 0) {
        crc = table32[(crc ^ *from++) & 255] ^ crc >> 8;
    }
    return ~crc;
}

LOOP(count_bits)
{
    const uint64_t *from = a;
    uint64_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v = from[i];
        v = v - (v >> 1 & 0x5555555555555555);
        v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
        v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f;
        to[i] = v * 0x0101010101010101 >> 56;
    }
    return 0;
}

__attribute__((target("popcnt"))) LOOP(count_bits_at_once)
{
    const uint64_t *from = a;
    uint64_t sum = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        sum += (uint64_t)__builtin_popcountll(from[i]);
    }
    return sum;
}

LOOP(search)
{
    const uint8_t *from = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        if (from[i] == (uint8_t)x) {
            return i;
        }
    }
    return n;
}

LOOP(histogram)
{
    const uint8_t *from = a;
    uint32_t *counts = c;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        counts[from[i]]++;
    }
    return 0;
}

LOOP(chacha)
{
    const uint32_t *key = a;
    uint32_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n / 8 + 3; i++) {
        uint32_t s[16];
        for (int k = 0; k < 16; k++) {
            s[k] = key[k];
        }
        s[12] += (uint32_t)i;
        for (int k = 0; k < 10; k++) {
            QUARTER(s[0], s[4], s[8], s[12]);
            QUARTER(s[1], s[5], s[9], s[13]);
            QUARTER(s[2], s[6], s[10], s[14]);
            QUARTER(s[3], s[7], s[11], s[15]);
            QUARTER(s[0], s[5], s[10], s[15]);
            QUARTER(s[1], s[6], s[11], s[12]);
            QUARTER(s[2], s[7], s[8], s[13]);
            QUARTER(s[3], s[4], s[9], s[14]);
        }
        for (int k = 0; k < 16; k++) {
            to[16 * i + (uint64_t)k] = s[k] + key[k];
        }
    }
    return 0;
}

/* Without a pointer into the stack. */
LOOP(chacha_unrolled)
{
    const uint32_t *key = a;
    uint32_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n / 8 + 3; i++) {
        uint32_t s[16];
        _Pragma("GCC unroll 16") for (int k = 0; k < 16; k++)
        {
            s[k] = key[k];
        }
        s[12] += (uint32_t)i;
        for (int k = 0; k < 10; k++) {
            QUARTER(s[0], s[4], s[8], s[12]);
            QUARTER(s[1], s[5], s[9], s[13]);
            QUARTER(s[2], s[6], s[10], s[14]);
            QUARTER(s[3], s[7], s[11], s[15]);
            QUARTER(s[0], s[5], s[10], s[15]);
            QUARTER(s[1], s[6], s[11], s[12]);
            QUARTER(s[2], s[7], s[8], s[13]);
            QUARTER(s[3], s[4], s[9], s[14]);
        }
        _Pragma("GCC unroll 16") for (int k = 0; k < 16; k++)
        {
            to[16 * i + (uint64_t)k] = s[k] + key[k];
        }
    }
    return 0;
}

LOOP(mandelbrot)
{
    uint8_t *to = a;
    int64_t im = (int32_t)(x % 8192) - 4096;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        int64_t re = (int64_t)i * 200 - 8192, zr = 0, zi = 0;
        unsigned count = 0;
        for (; count < 50; count++) {
            int64_t rr = zr * zr >> 12, ii = zi * zi >> 12;
            if (rr + ii > 4 << 12) {
                break;
            }
            zi = (2 * zr * zi >> 12) + im;
            zr = rr - ii + re;
        }
        to[i] = (uint8_t)count;
    }
    return 0;
}

LOOP(grey)
{
    const uint8_t *rgb = a;
    uint8_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = (uint8_t)((rgb[3 * i] * 77U + rgb[3 * i + 1] * 150U + rgb[3 * i + 2] * 29U) >> 8);
    }
    return 0;
}

LOOP(column)
{
    const uint32_t *from = a;
    uint32_t *to = b;
    uint64_t stride = x % 16 + 1;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = from[i * stride];
    }
    return 0;
}

LOOP(reverse)
{
    const uint8_t *from = a;
    uint8_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[n - 1 - i] = from[i];
    }
    return 0;
}

LOOP(stencil)
{
    const int32_t *from = a;
    int32_t *to = b;
    UNUSED;
    for (uint64_t i = 1; i <= n; i++) {
        to[i] = (int32_t)((uint32_t)from[i - 1] + 2 * (uint32_t)from[i] + (uint32_t)from[i + 1]);
    }
    return 0;
}

LOOP(prefix_sum)
{
    uint64_t *of = a;
    UNUSED;
    for (uint64_t i = 1; i < n; i++) {
        of[i] += of[i - 1];
    }
    return 0;
}

LOOP(string_copy)
{
    char *to = b;
    const char *from = a;
    UNUSED;
    while ((*to++ = *from++) != '\0') {
    }
    return (uint64_t)(to - (char *)b);
}

LOOP(string_length)
{
    const char *from = a;
    UNUSED;
    while (*from != '\0') {
        from++;
    }
    return (uint64_t)(from - (const char *)a);
}

LOOP(count_down)
{
    uint32_t *to = a;
    uint32_t left = (uint32_t)n;
    UNUSED;
    do {
        *to++ += left;
    } while (--left != 0);
    return 0;
}

LOOP(by_signed)
{
    int16_t *to = a;
    UNUSED;
    for (long i = (long)n - 1; i >= 0; i--) {
        to[i] = (int16_t)(to[i] * (int16_t)x);
    }
    return 0;
}

LOOP(by_three)
{
    uint8_t *to = a;
    UNUSED;
    for (uint64_t i = 0; i + 1 < n; i += 3) {
        to[i] ^= (uint8_t)x;
    }
    return 0;
}

LOOP(between)
{
    const uint8_t *from = a, *end = from + n;
    uint64_t count = 0;
    UNUSED;
    for (; from < end; from++) {
        count += *from >= 'a' && *from <= 'z';
    }
    return count;
}

LOOP(upper_case)
{
    uint8_t *to = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        if (to[i] >= 'a' && to[i] <= 'z') {
            to[i] -= 32;
        }
    }
    return 0;
}

LOOP(clear_page)
{
    UNUSED;
    uint64_t left = n + 1;
    /* as Linux has it */
    __asm__ volatile("xorl %%eax, %%eax\n"
                     ".p2align 4\n"
                     "1: decl %%ecx\n"
                     "movq %%rax, (%%rdi)\n"
                     "movq %%rax, 0x8(%%rdi)\n"
                     "movq %%rax, 0x10(%%rdi)\n"
                     "movq %%rax, 0x18(%%rdi)\n"
                     "movq %%rax, 0x20(%%rdi)\n"
                     "movq %%rax, 0x28(%%rdi)\n"
                     "movq %%rax, 0x30(%%rdi)\n"
                     "movq %%rax, 0x38(%%rdi)\n"
                     "leaq 64(%%rdi), %%rdi\n"
                     "jnz 1b\n"
                     : "+D"(a), "+c"(left)
                     :
                     : "rax", "memory", "cc");
    return 0;
}

LOOP(copy_page)
{
    UNUSED;
    uint64_t left = n / 2 + 2, t;
    __asm__ volatile("1: dec %%rcx\n"
                     "movq 0x8*0(%%rsi), %%rax\n"
                     "movq 0x8*1(%%rsi), %%rbx\n"
                     "movq 0x8*2(%%rsi), %%rdx\n"
                     "movq 0x8*3(%%rsi), %%r8\n"
                     "movnti %%rax, 0x8*0(%%rdi)\n"
                     "movnti %%rbx, 0x8*1(%%rdi)\n"
                     "movnti %%rdx, 0x8*2(%%rdi)\n"
                     "movnti %%r8, 0x8*3(%%rdi)\n"
                     "leaq 32(%%rsi), %%rsi\n"
                     "leaq 32(%%rdi), %%rdi\n"
                     "jnz 1b\n"
                     : "+D"(a), "+S"(b), "+c"(left), "=&a"(t)
                     :
                     : "rbx", "rdx", "r8", "memory", "cc");
    return 0;
}

LOOPS_CASES(streams) = {
    ALL_OF(fill),       ALL_OF(copy),    ALL_OF(xor),         ALL_OF(add),
    ALL_OF(sum),        ALL_OF(parity),  ALL_OF(least),       ALL_OF(greatest),
    ONE(saturating),    ONE(difference), ONE(difference_abs), ONE(look_up),
    ONE(look_up_given), ONE(crc),        ONE(count_bits),     ONE(count_bits_at_once),
    ONE(search),        ONE(histogram),  ONE(chacha),         ONE(chacha_unrolled),
    ONE(mandelbrot),    ONE(grey),       ONE(column),         ONE(reverse),
    ONE(stencil),       ONE(prefix_sum), ONE(string_copy),    ONE(string_length),
    ONE(count_down),    ONE(by_signed),  ONE(by_three),       ONE(between),
    ONE(upper_case),    ONE(clear_page), ONE(copy_page),      {0},
};
