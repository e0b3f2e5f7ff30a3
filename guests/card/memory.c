/* guests/card/memory.c - the four functions that a compiler takes for granted. */
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) word;

static int aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) & (sizeof(word) - 1)) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if (aligned(t, f)) {
        for (; n >= 4 * sizeof(word); n -= 4 * sizeof(word)) {
            word *tw = (word *)(void *)t;
            const word *fw = (const word *)(const void *)f;

            tw[0] = fw[0];
            tw[1] = fw[1];
            tw[2] = fw[2];
            tw[3] = fw[3];
            t += 4 * sizeof(word);
            f += 4 * sizeof(word);
        }
    }
    while (n-- > 0)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if ((uintptr_t)t - (uintptr_t)f >= n) {
        return memcpy(to, from, n);
    }
    while (n-- > 0)
        t[n] = f[n];
    return to;
}

void *memset(void *to, int value, size_t n)
{
    uint8_t *t = to;
    word pattern = (word)(uint8_t)value * 0x0101010101010101u;

    if (aligned(t, t)) {
        for (; n >= 4 * sizeof(word); n -= 4 * sizeof(word), t += 4 * sizeof(word)) {
            word *tw = (word *)(void *)t;

            tw[0] = tw[1] = tw[2] = tw[3] = pattern;
        }
    }
    while (n-- > 0)
        *t++ = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (; n > 0; n--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}
