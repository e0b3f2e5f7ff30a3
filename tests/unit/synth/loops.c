/* tests/unit/synth/loops.c - functions with a loop each: what compilers make of them is what
 * kernels are made of. LOOPS is the table's name.
 */
#include "tests/unit/synth/loops.h"

#define LOOP(name)                                                                                 \
    __attribute__((noinline)) static uint64_t name(void *a, void *b, void *c, uint64_t n,          \
                                                   uint64_t x, uint64_t y)
#define UNUSED (void)a, (void)b, (void)c, (void)n, (void)x, (void)y

#define FOR_EACH_WIDTH(do_) do_(8) do_(16) do_(32) do_(64)

/* The compiler is not to make calls of memset and memcpy of these. */
#define KEEP __asm__ volatile("")

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

#define ROTATE(v, by) ((v) << (by) | (v) >> (32 - (by)))
#define QUARTER(p, q, r, s)                                                                        \
    (p += q, s = ROTATE(s ^ p, 16), r += s, q = ROTATE(q ^ r, 12), p += q, s = ROTATE(s ^ p, 8),   \
     r += s, q = ROTATE(q ^ r, 7))

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

/* ---------------------------------------------------------------- more of them */

LOOP(dot_product)
{
    const int32_t *one = a, *other = b;
    int64_t sum = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        sum += (int64_t)one[i] * other[i];
    }
    return (uint64_t)sum;
}

LOOP(swap_bytes)
{
    uint32_t *of = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        of[i] = __builtin_bswap32(of[i]);
    }
    return 0;
}

LOOP(hex)
{
    const uint8_t *from = a;
    char *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[2 * i] = "0123456789abcdef"[from[i] >> 4];
        to[2 * i + 1] = "0123456789abcdef"[from[i] & 15];
    }
    return 0;
}

LOOP(adler)
{
    const uint8_t *from = a;
    uint32_t low = 1, high = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        low = (low + from[i]) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

LOOP(checksum)
{
    const uint16_t *from = a;
    uint32_t sum = 0;
    UNUSED;
    for (int left = (int)n; left > 1; left -= 2) {
        sum += *from++;
    }
    return sum;
}

LOOP(checksum_with_carry)
{
    const uint64_t *from = a;
    uint64_t sum = x;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t was = sum;
        sum += from[i];
        sum += sum < was;
    }
    return sum;
}

LOOP(blend)
{
    uint8_t *to = a;
    const uint8_t *over = b;
    unsigned alpha = (unsigned)(x & 255);
    UNUSED;
    for (int i = 0; i < (int)n; i++) {
        to[i] = (uint8_t)((to[i] * (255 - alpha) + over[i] * alpha + 127) / 255);
    }
    return 0;
}

LOOP(clamp)
{
    int16_t *to = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        int v = to[i] * 3;
        to[i] = (int16_t)(v > 1000 ? 1000 : v < -1000 ? -1000 : v);
    }
    return 0;
}

LOOP(delta)
{
    const uint8_t *from = a;
    uint8_t *to = b, last = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = (uint8_t)(from[i] - last);
        last = from[i];
    }
    return 0;
}

LOOP(hash)
{
    const uint8_t *from = a;
    uint64_t h = x;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        h = (h ^ from[i]) * 0x100000001b3;
    }
    return h;
}

LOOP(xorshift)
{
    uint64_t *to = a, s = x | 1;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        to[i] = s;
    }
    return s;
}

LOOP(fibonacci)
{
    uint64_t one = 0, other = 1;
    UNUSED;
    for (unsigned i = 0; i < (unsigned)n; i++) {
        uint64_t next = one + other;
        one = other;
        other = next;
    }
    return one;
}

LOOP(collatz)
{
    uint32_t *of = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t v = of[i] & 1023, steps = 0;
        while (v > 1) {
            v = v & 1 ? 3 * v + 1 : v >> 1;
            steps++;
        }
        of[i] = steps;
    }
    return 0;
}

LOOP(divisor)
{
    uint32_t *of = a;
    const uint32_t *by = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t u = of[i], v = by[i] | 1;
        while (v != 0) {
            uint32_t t = u % v;
            u = v;
            v = t;
        }
        of[i] = u;
    }
    return 0;
}

LOOP(root)
{
    uint32_t *of = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t v = of[i], r = 0;
        for (uint32_t bit = 1U << 30; bit != 0; bit >>= 2) {
            if (v >= r + bit) {
                v -= r + bit;
                r = (r >> 1) + bit;
            } else {
                r >>= 1;
            }
        }
        of[i] = r;
    }
    return 0;
}

LOOP(filter)
{
    const int16_t *from = a;
    int32_t *to = b;
    static const int16_t taps[8] = {1, -3, 7, 20, 20, 7, -3, 1};
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        int32_t sum = 0;
        for (int k = 0; k < 8; k++) {
            sum += taps[k] * from[i + (uint64_t)k];
        }
        to[i] = sum;
    }
    return 0;
}

LOOP(row_sums)
{
    const uint32_t *from = a;
    uint32_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t sum = 0;
        for (uint64_t k = 0; k < 16; k++) {
            sum += from[(16 * i + k) % 1024];
        }
        to[i] = sum;
    }
    return 0;
}

LOOP(sort_pass)
{
    int32_t *of = a;
    UNUSED;
    for (uint64_t i = 0; i + 1 < n; i++) {
        if (of[i] > of[i + 1]) {
            int32_t t = of[i];
            of[i] = of[i + 1];
            of[i + 1] = t;
        }
    }
    return 0;
}

LOOP(by_unsigned)
{
    uint16_t *of = a;
    const uint16_t *from = b;
    UNUSED;
    for (unsigned i = (unsigned)(x & 3); i < (unsigned)n; i++) {
        of[i] = (uint16_t)(from[i] + i);
    }
    return 0;
}

LOOP(by_unsigned_step)
{
    uint8_t *of = a;
    unsigned step = (unsigned)(x & 7) + 1;
    UNUSED;
    for (unsigned i = 0; i < (unsigned)n; i += step) {
        of[i] = 0;
    }
    return 0;
}

LOOP(differs)
{
    const uint8_t *one = a, *other = b;
    UNUSED;
    uint64_t i = 0;
    while (i < n && (one[i] ^ other[i]) < 250) {
        i++;
    }
    return i;
}

LOOP(where_greatest)
{
    const int32_t *from = a;
    uint64_t at = 0;
    UNUSED;
    for (uint64_t i = 1; i < n; i++) {
        if (from[i] > from[at & 63]) {
            at = i;
        }
    }
    return at;
}

LOOP(pack)
{
    const uint8_t *from = a;
    uint8_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        if (from[i] & 1) {
            *to++ = from[i];
        }
    }
    return (uint64_t)(to - (uint8_t *)b);
}

LOOP(bits_to_bytes)
{
    const uint8_t *from = a;
    uint8_t *to = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        for (int k = 0; k < 8; k++) {
            to[8 * i + (uint64_t)k] = from[i] >> k & 1;
        }
    }
    return 0;
}

LOOP(tea)
{
    uint32_t *of = a;
    const uint32_t *key = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t v0 = of[2 * i], v1 = of[2 * i + 1], sum = 0;
        for (int k = 0; k < 32; k++) {
            sum += 0x9e3779b9;
            v0 += ((v1 << 4) + key[0]) ^ (v1 + sum) ^ ((v1 >> 5) + key[1]);
            v1 += ((v0 << 4) + key[2]) ^ (v0 + sum) ^ ((v0 >> 5) + key[3]);
        }
        of[2 * i] = v0;
        of[2 * i + 1] = v1;
    }
    return 0;
}

LOOP(volatile_counter)
{
    volatile uint32_t count = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        count += (uint32_t)i;
    }
    return count;
}

LOOP(upper_half)
{
    uint64_t *of = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        of[i] = (uint64_t)((unsigned __int128)of[i] * x >> 64);
    }
    return 0;
}

LOOP(big_number)
{
    uint64_t *to = a;
    const uint64_t *from = b;
    uint64_t carry = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        unsigned __int128 t = (unsigned __int128)from[i] * x + to[i] + carry;
        to[i] = (uint64_t)t;
        carry = (uint64_t)(t >> 64);
    }
    return carry;
}

/* How far it may come nobody knows: it is checked. */
LOOP(key_of_any_length)
{
    uint8_t *to = a;
    const uint8_t *key = c;
    uint64_t bytes = (x & 15) + 1;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] ^= key[i % bytes];
    }
    return 0;
}

/* A counter of 32 bits that lies in memory, widened for each access. */
LOOP(counter_in_memory)
{
    int32_t *to = a;
    volatile int i;
    UNUSED;
    for (i = 0; i < (int)n; i++) {
        to[i] += (int32_t)x;
    }
    return 0;
}

/* What it stores comes before the load that decides whether it goes on. */
LOOP(lower_case)
{
    UNUSED;
    for (uint8_t *p = a; *p != 0; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p |= 0x20;
        }
    }
    return 0;
}

/* An inner loop that walks as far as a register says. */
LOOP(rows_of_any_width)
{
    const uint32_t *from = a, *by = b;
    uint32_t *to = c;
    uint64_t width = (x & 7) + 8;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t sum = 0;
        for (uint64_t k = 0; k < width; k++) {
            sum += from[i + k] * by[k];
        }
        to[i] = sum;
    }
    return 0;
}

/* A working state on the stack, which gcc reaches by rsp and by a pointer. */
LOOP(chacha_array)
{
    uint32_t state[16], *to = a;
    UNUSED;
    __builtin_memcpy(state, b, sizeof state);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t s[16];
        __builtin_memcpy(s, state, sizeof s);
        for (int round = 0; round < 3; round++) {
            QUARTER(s[0], s[4], s[8], s[12]);
            QUARTER(s[1], s[5], s[9], s[13]);
            QUARTER(s[2], s[6], s[10], s[14]);
            QUARTER(s[3], s[7], s[11], s[15]);
        }
        for (int k = 0; k < 16; k++) {
            to[16 * i + (uint64_t)k] = s[k] + state[k];
        }
        state[12]++;
    }
    return 0;
}

/* An array on the stack that an inner loop fills of itself, from one pointer to another. */
LOOP(message_schedule)
{
    uint32_t w[32], sum = 0;
    const uint32_t *from = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++, from += 4) {
        for (int k = 0; k < 16; k++) {
            w[k] = __builtin_bswap32(from[k]);
        }
        for (int k = 16; k < 32; k++) {
            w[k] = w[k - 16] + (ROTATE(w[k - 15], 25) ^ w[k - 15] >> 3) + w[k - 7] +
                   (ROTATE(w[k - 2], 15) ^ w[k - 2] >> 10);
        }
        sum ^= w[31] + w[20];
    }
    return sum;
}

/* An array on the stack is sorted in part. */
LOOP(smallest_of_eight)
{
    uint8_t *to = b;
    const uint8_t *from = a;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t t[8];
        for (int k = 0; k < 8; k++) {
            t[k] = from[i + (uint64_t)k];
        }
        for (int k = 7; k > 0; k--) {
            uint8_t less = t[k] < t[k - 1] ? t[k] : t[k - 1];
            t[k] = (uint8_t)(t[k] + t[k - 1] - less);
            t[k - 1] = less;
        }
        to[i] = t[0];
    }
    return 0;
}

/* What is called is part of an iteration. */
#define CALLED __attribute__((noinline, noclone)) static

CALLED uint32_t mixed(uint32_t v)
{
    v ^= v >> 15;
    v *= 0x2c1b3c6d;
    return v ^ v >> 12;
}

LOOP(calls)
{
    uint32_t *to = a;
    const uint32_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = mixed(from[i]);
    }
    return 0;
}

LOOP(calls_twice)
{
    uint32_t *to = a;
    const uint32_t *from = b;
    uint32_t last = 0;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        last = mixed(from[i] + 1) + mixed(last);
        to[i] = last;
    }
    return last;
}

CALLED int within(int v, int low, int high)
{
    if (v < low) {
        return low;
    }
    return v > high ? high : v;
}

CALLED int weighted(const uint8_t *at, int by)
{
    return within(at[0] * by - at[1], 0, 255);
}

LOOP(calls_one_that_calls)
{
    uint8_t *to = a;
    const uint8_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = (uint8_t)weighted(from + i, 3);
    }
    return 0;
}

LOOP(calls_at_times)
{
    uint32_t *to = a;
    const uint32_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        if ((from[i] & 1) != 0) {
            to[i] = mixed(from[i]);
        }
    }
    return 0;
}

CALLED unsigned bits_of(uint64_t v)
{
    unsigned count = 0;
    for (; v != 0; v &= v - 1) {
        count++;
    }
    return count;
}

LOOP(calls_a_loop)
{
    uint8_t *to = a;
    const uint64_t *from = b;
    UNUSED;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = (uint8_t)bits_of(from[i]);
    }
    return 0;
}

CALLED uint64_t factorial(uint64_t v)
{
    return v < 2 ? 1 : v * factorial(v - 1) + factorial(v - 2);
}

LOOP(calls_itself)
{
    uint64_t *to = a;
    UNUSED;
    for (uint64_t i = 0; i < n && i < 4; i++) {
        to[i] = factorial(i);
    }
    return 0;
}

#define ALL_OF(what)                                                                               \
    {#what "8", what##8, 1}, {#what "16", what##16, 1}, {#what "32", what##32, 1},                 \
        {#what "64", what##64, 1}
#define ONE(what) {#what, what, 1}
#define MAYBE(what) {#what, what, 0}
extern const struct loop_case LOOPS[];
const struct loop_case LOOPS[] = {
    ALL_OF(fill),
    ALL_OF(copy),
    ALL_OF(xor),
    ALL_OF(add),
    ALL_OF(sum),
    ALL_OF(parity),
    ALL_OF(least),
    ALL_OF(greatest),
    ONE(saturating),
    ONE(difference),
    ONE(difference_abs),
    ONE(look_up),
    ONE(look_up_given),
    ONE(crc),
    ONE(count_bits),
    ONE(count_bits_at_once),
    ONE(search),
    ONE(histogram),
    ONE(chacha),
    ONE(chacha_unrolled),
    ONE(mandelbrot),
    ONE(grey),
    ONE(column),
    ONE(reverse),
    ONE(stencil),
    ONE(prefix_sum),
    ONE(string_copy),
    ONE(string_length),
    ONE(count_down),
    ONE(by_signed),
    ONE(by_three),
    ONE(between),
    ONE(upper_case),
    ONE(clear_page),
    ONE(copy_page),
    MAYBE(dot_product),
    MAYBE(swap_bytes),
    MAYBE(hex),
    MAYBE(adler),
    MAYBE(checksum),
    MAYBE(checksum_with_carry),
    MAYBE(blend),
    MAYBE(clamp),
    MAYBE(delta),
    MAYBE(hash),
    MAYBE(xorshift),
    MAYBE(fibonacci),
    MAYBE(collatz),
    MAYBE(divisor),
    MAYBE(root),
    MAYBE(filter),
    MAYBE(row_sums),
    MAYBE(sort_pass),
    MAYBE(by_unsigned),
    MAYBE(by_unsigned_step),
    MAYBE(differs),
    MAYBE(where_greatest),
    MAYBE(pack),
    MAYBE(bits_to_bytes),
    MAYBE(tea),
    MAYBE(volatile_counter),
    MAYBE(upper_half),
    MAYBE(big_number),
    MAYBE(key_of_any_length),
    ONE(counter_in_memory),
    ONE(lower_case),
    MAYBE(rows_of_any_width),
    ONE(chacha_array),
    ONE(message_schedule),
    ONE(smallest_of_eight),
    ONE(calls),
    ONE(calls_twice),
    ONE(calls_one_that_calls),
    ONE(calls_at_times),
    ONE(calls_a_loop),
    MAYBE(calls_itself),
    {0},
};
