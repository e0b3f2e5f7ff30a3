/* tests/unit/synth/loops_more.c - functions with a loop each: checksums, filters, sorts, numbers,
 * variables in memory.
 */
#include "tests/unit/synth/loops_part.h"

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

LOOPS_CASES(more) = {
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
    {0},
};
