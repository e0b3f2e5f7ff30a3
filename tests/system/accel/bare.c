/* bare.c - a guest without an operating system, whose whole RAM is known: what `vitrine accel` may
 * change in it is nothing. On trace/exact/start.S.
 *
 * Runs its loops until a byte comes on the serial line; then all memory that it does not occupy
 * itself is filled and worked on, always alike, with interrupts off; then it says "checksum HEX"
 * and halts.
 */
#include <stddef.h>
#include <stdint.h>

#define LOOP __attribute__((noinline))
#define ONE_BY_ONE _Pragma("clang loop unroll(disable) vectorize(disable)")
#define HERE(address) ((void *)(uintptr_t)(address))

enum { COM1 = 0x3f8 };

struct frame {
    uint64_t r[15], vector, code, rip, cs, flags, rsp, ss;
};
/* start.S */
extern uint8_t trap_entries[256][16];
extern uint8_t image_end[];
void exact_trap(struct frame *f);
_Noreturn void exact_main(void);
/* bare_vectors.S: d[i] ^= k by words of 16 bytes. */
void xor16(void *d, uint64_t n, const void *k);

static uint64_t rounds;

static void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static void put(const char *s)
{
    for (; *s != 0; s++) {
        outb(COM1, (uint8_t)*s);
    }
}

static void put_hex(uint64_t v)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        outb(COM1, (uint8_t)"0123456789abcdef"[v >> shift & 15]);
    }
}

void exact_trap(struct frame *f)
{
    put("trap ");
    put_hex(f->vector);
    put(" at ");
    put_hex(f->rip);
    put("\n");
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static void take_traps(void)
{
    static uint64_t table[256][2];
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at = (uint64_t)(uintptr_t)trap_entries[i];
        table[i][0] =
            (at & 0xffff) | (uint64_t)8 << 16 | (uint64_t)0x8e00 << 32 | (at >> 16 & 0xffff) << 48;
        table[i][1] = at >> 32;
    }
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof table - 1, (uint64_t)(uintptr_t)table};
    __asm__ volatile("lidt %0" ::"m"(pointer) : "memory");
}

/* ---- loops ---- */

LOOP static void fill8(uint64_t *d, size_t n, uint64_t v)
{
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        d[i] = v;
    }
}
LOOP static void count8(uint64_t *d, size_t n, uint64_t v)
{
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        d[i] = v;
        v += 0x9e3779b97f4a7c15;
    }
}
LOOP static void copy1(uint8_t *d, const uint8_t *s, size_t n)
{
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        d[i] = s[i];
    }
}
LOOP static void copy8_back(uint64_t *d, const uint64_t *s, size_t n)
{
    ONE_BY_ONE while (n-- > 0)
    {
        d[n] = s[n];
    }
}
LOOP static void xor4(uint32_t *d, const uint32_t *s, size_t n, uint32_t key)
{
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        d[i] = s[i] ^ key;
    }
}
LOOP static void add2(uint16_t *d, size_t n, uint16_t v)
{
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        d[i] = (uint16_t)(d[i] + v);
    }
}
LOOP static uint64_t sum8(const uint64_t *s, size_t n)
{
    uint64_t sum = 0;
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        sum += s[i];
    }
    return sum;
}
LOOP static void map1(uint8_t *d, const uint8_t *s, size_t n, const uint8_t *map)
{
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        d[i] = map[s[i]];
    }
}
LOOP static uint32_t hash1(const uint8_t *s, size_t n, uint32_t h)
{
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        h = (h ^ s[i]) * 0x01000193;
    }
    return h;
}
LOOP static void mix8(uint64_t *d, size_t n)
{
    uint64_t carry = 1;
    ONE_BY_ONE for (size_t i = 0; i < n; i++)
    {
        carry += d[i];
        d[i] = carry ^ d[i] << 7 ^ d[i] >> 9;
    }
}

/* All of them on `bytes` from `at` on, which is a multiple of 64. */
static uint64_t work(uint8_t *at, size_t bytes, uint64_t seed)
{
    static const uint64_t key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
    size_t half = bytes / 2;
    count8((uint64_t *)(void *)at, bytes / 8, seed);
    xor4((uint32_t *)(void *)(at + half), (uint32_t *)(void *)at, half / 4, (uint32_t)seed);
    copy1(at + 13, at + 7, half); /* onto itself */
    add2((uint16_t *)(void *)(at + 1), bytes / 4, 259);
    copy8_back((uint64_t *)(void *)(at + half + 21), (uint64_t *)(void *)(at + half), half / 16);
    map1(at + half + half / 2, at, half / 2, at + half - 256);
    xor16(at + 3, bytes / 32, key);
    fill8((uint64_t *)(void *)(at + bytes - 4096), 512, seed);
    mix8((uint64_t *)(void *)at, bytes / 8);
    return sum8((uint64_t *)(void *)at, bytes / 8) ^ hash1(at, bytes / 8, (uint32_t)seed);
}

static void all_memory(uint64_t sum)
{
    const uintptr_t mib = (uintptr_t)1 << 20, first = 4 * mib, end = 64 * mib;
    for (uintptr_t at = first; at < end; at += 4 * mib) {
        sum = (sum << 1 | sum >> 63) ^ work(HERE(at), 4 * mib, sum + at);
    }
    copy1(HERE(first + 5 * mib + 3), HERE(first + 17 * mib), 20 * mib);
    copy8_back(HERE(first + 24 * mib + 8), HERE(first + 24 * mib), 3 * mib);
    /* What firmware left in low memory, and behind this program. */
    fill8(HERE(0), 0x9f000 / 8, sum);
    uintptr_t behind = ((uintptr_t)image_end + 4095) & ~(uintptr_t)4095;
    fill8(HERE(behind), (first - behind) / 8, ~sum);
    sum ^= sum8(HERE(first), (end - first) / 8);
    rounds = 0;
    put("checksum ");
    put_hex(sum);
    put("\n");
}

_Noreturn void exact_main(void)
{
    take_traps();
    put("ready\n");
    while ((inb(COM1 + 5) & 1) == 0) {
        (void)work(HERE((uintptr_t)8 << 20), (size_t)256 << 10, rounds++);
    }
    all_memory(1);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
