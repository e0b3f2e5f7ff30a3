/* loops.c - loops in C, as compilers make them, and one that is made at run time. */
#include "hostile.h"

#include <string.h>

#define LOOP                                                                                       \
    __attribute__((                                                                                \
        noinline, noclone,                                                                         \
        optimize("no-tree-vectorize", "no-tree-loop-distribute-patterns", "no-unroll-loops")))

LOOP void fill1(uint8_t *d, size_t n, uint8_t c)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = c;
    }
}
LOOP void copy1(uint8_t *d, const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = s[i];
    }
}
LOOP void copy8(uint64_t *d, const uint64_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = s[i];
    }
}
LOOP void copy1_back(uint8_t *d, const uint8_t *s, size_t n)
{
    while (n-- > 0) {
        d[n] = s[n];
    }
}
LOOP void add4(uint32_t *d, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++) {
        d[i] += c;
    }
}
LOOP uint64_t sum8(const uint64_t *s, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += s[i];
    }
    return sum;
}
LOOP void map1(uint8_t *d, const uint8_t *s, size_t n, const uint8_t *map)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = map[s[i]];
    }
}
LOOP size_t scan1(const uint8_t *s)
{
    const uint8_t *p = s;
    while (*p != 0) {
        p++;
    }
    return (size_t)(p - s);
}
LOOP void spin(const uint8_t *until)
{
    while (__atomic_load_n(until, __ATOMIC_ACQUIRE) == 0) {
    }
}

typedef uint8_t vector __attribute__((vector_size(16), aligned(1), may_alias));
LOOP void xor_vectors(uint8_t *d, const uint8_t *s, size_t n, uint8_t key)
{
    const vector k = {key, 1, key, 3, key, 5, key, 7, key, 9, key, 11, key, 13, key, 15};
    for (size_t i = 0; i < n; i += sizeof(vector)) {
        *(vector *)(d + i) = *(const vector *)(s + i) ^ k;
    }
}

/* ---- made at run time ---- */

void jit_write(uint8_t *code, uint32_t key)
{
    static const uint8_t loop[] = {
        0x48, 0x8b, 0x06,             /* mov rax, [rsi] */
        0x48, 0x35, 0,    0,    0, 0, /* xor rax, key */
        0x48, 0x89, 0x07,             /* mov [rdi], rax */
        0x48, 0x83, 0xc6, 0x08,       /* add rsi, 8 */
        0x48, 0x83, 0xc7, 0x08,       /* add rdi, 8 */
        0x48, 0xff, 0xc9,             /* dec rcx */
        0x75, 0xe7, 0xc3,             /* jnz; ret */
    };
    _Static_assert(sizeof loop <= JIT_BYTES, "it fits");
    memcpy(code, loop, sizeof loop);
    jit_patch(code, key);
}

void jit_patch(uint8_t *code, uint32_t key)
{
    memcpy(code + JIT_KEY, &key, sizeof key);
}
