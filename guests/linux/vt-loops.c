/* vt-loops.c - loops that programs spend their time in, timed: what acceleration is measured with.
 *
 *   vt-loops [LOOP|all] [--bytes N] [--seconds S] [--times N] [--for-ever]
 *
 * One line a loop: "LOOP bytes=N times=N best_ns=N median_ns=N check=HEX". `check` is of all that
 * the loop wrote or returned in its last round, and the same on every machine. Each loop is plain
 * C, built with -O2 and, but for mix32, without vectors, in a function of its own. Source and
 * destination never lie a multiple of 64 KiB apart: QEMU's TLB has so few entries that such a pair
 * would evict one another.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BYTES_MAX ((size_t)64 << 20)
#define TIMES_MAX 100000u
#ifdef __clang__ /* is told on the command line */
#define LOOP static __attribute__((noinline))
#else
#define LOOP                                                                                       \
    static __attribute__((                                                                         \
        noinline, noclone,                                                                         \
        optimize("no-tree-vectorize", "no-tree-loop-distribute-patterns", "no-unroll-loops")))
#endif

struct work {
    size_t bytes;
    uint8_t *from, *other, *to; /* `bytes` each */
    uint8_t map[256];
    uint32_t crc[256], state[16];
};

LOOP void fill1(uint8_t *d, size_t n, uint8_t c)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = c;
    }
}
LOOP void fill8(uint64_t *d, size_t n, uint64_t c)
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
LOOP void xor1(uint8_t *d, const uint8_t *s, size_t n, uint8_t key)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = s[i] ^ key;
    }
}
LOOP void xor4(uint32_t *d, const uint32_t *s, size_t n, uint32_t key)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = s[i] ^ key;
    }
}
LOOP void xor8(uint64_t *d, const uint64_t *s, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = s[i] ^ key;
    }
}
LOOP void add4(uint32_t *d, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++) {
        d[i] += c;
    }
}
LOOP void saturate1(uint8_t *d, const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned sum = (unsigned)a[i] + b[i];
        d[i] = (uint8_t)(sum > 255 ? 255 : sum);
    }
}
LOOP void difference1(uint8_t *d, const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = (uint8_t)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
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
LOOP uint64_t fold8(const uint64_t *s, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum ^= s[i];
    }
    return sum;
}
LOOP void map1(uint8_t *d, const uint8_t *s, size_t n, const uint8_t *map)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = map[s[i]];
    }
}
LOOP void popcount8(uint8_t *d, const uint64_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t x = s[i];
        x -= x >> 1 & UINT64_C(0x5555555555555555);
        x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
        x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
        d[i] = (uint8_t)(x * UINT64_C(0x0101010101010101) >> 56);
    }
}
LOOP size_t histogram1(uint32_t *counts, const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        counts[s[i]]++;
    }
    return n;
}
LOOP uint32_t crc32(const uint8_t *s, size_t n, const uint32_t *table)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc = table[(crc ^ s[i]) & 255] ^ crc >> 8;
    }
    return ~crc;
}

static inline uint32_t left(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}
#define QUARTER(a, b, c, d)                                                                        \
    a += b, d = left(d ^ a, 16), c += d, b = left(b ^ c, 12), a += b, d = left(d ^ a, 8), c += d,  \
            b = left(b ^ c, 7)
/* RFC 8439's block function for consecutive counters, as libraries have it: no array on the stack
 * that is gone through with an index. */
LOOP void chacha20(uint32_t *out, uint32_t *state, size_t blocks)
{
    for (size_t k = 0; k < blocks; k++) {
        uint32_t x[16];
#pragma GCC unroll 16
        for (unsigned i = 0; i < 16; i++) {
            x[i] = state[i];
        }
        for (unsigned i = 0; i < 10; i++) {
            QUARTER(x[0], x[4], x[8], x[12]);
            QUARTER(x[1], x[5], x[9], x[13]);
            QUARTER(x[2], x[6], x[10], x[14]);
            QUARTER(x[3], x[7], x[11], x[15]);
            QUARTER(x[0], x[5], x[10], x[15]);
            QUARTER(x[1], x[6], x[11], x[12]);
            QUARTER(x[2], x[7], x[8], x[13]);
            QUARTER(x[3], x[4], x[9], x[14]);
        }
#pragma GCC unroll 16
        for (unsigned i = 0; i < 16; i++) {
            out[i] = x[i] + state[i];
        }
        state[12]++;
        out += 16;
    }
}

/* A row of the Mandelbrot set in fixed point, 24 bits behind the point. */
LOOP void mandelbrot(uint8_t *out, size_t n, int64_t first, int64_t step, int64_t ci)
{
    int64_t cr = first;
    for (size_t x = 0; x < n; x++) {
        int64_t zr = 0, zi = 0;
        unsigned k = 0;
        for (; k < 200; k++) {
            int64_t a = zr * zr >> 24, b = zi * zi >> 24;
            if (a + b > INT64_C(4) << 24) {
                break;
            }
            zi = (zr * zi >> 23) + ci;
            zr = a - b + cr;
        }
        out[x] = (uint8_t)k;
        cr += step;
    }
}

/* ---------------------------------------------------------------- one round of each */

static uint64_t do_fill1(struct work *w)
{
    fill1(w->to, w->bytes, 0x5a);
    return 0;
}
static uint64_t do_fill8(struct work *w)
{
    fill8((uint64_t *)w->to, w->bytes / 8, UINT64_C(0x0123456789abcdef));
    return 0;
}
static uint64_t do_copy1(struct work *w)
{
    copy1(w->to, w->from, w->bytes);
    return 0;
}
static uint64_t do_copy8(struct work *w)
{
    copy8((uint64_t *)w->to, (uint64_t *)w->from, w->bytes / 8);
    return 0;
}
/* Four sums side by side in one register, where the processor has such. */
typedef uint64_t four __attribute__((vector_size(32)));
static inline __attribute__((always_inline)) uint64_t mix_all(const four *s, size_t n)
{
    four sum = {1, 2, 3, 4};
    for (size_t i = 0; i < n; i++) {
        sum = (sum ^ sum >> 7) + s[i];
    }
    return sum[0] ^ sum[1] << 1 ^ sum[2] << 2 ^ sum[3] << 3;
}
#if defined(__x86_64__)
LOOP __attribute__((target("avx2"))) uint64_t mix32(const four *s, size_t n)
{
    return mix_all(s, n);
}
#endif
LOOP uint64_t mix32_without(const four *s, size_t n)
{
    return mix_all(s, n);
}
static uint64_t do_mix32(struct work *w)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        return mix32((const four *)w->from, w->bytes / 32);
    }
#endif
    return mix32_without((const four *)w->from, w->bytes / 32);
}
static uint64_t do_xor1(struct work *w)
{
    xor1(w->to, w->from, w->bytes, 0xa7);
    return 0;
}
static uint64_t do_xor4(struct work *w)
{
    xor4((uint32_t *)w->to, (uint32_t *)w->from, w->bytes / 4, 0xdeadbeef);
    return 0;
}
static uint64_t do_xor8(struct work *w)
{
    xor8((uint64_t *)w->to, (uint64_t *)w->from, w->bytes / 8, UINT64_C(0xfeedfacecafebeef));
    return 0;
}
static uint64_t do_add4(struct work *w)
{
    add4((uint32_t *)w->to, w->bytes / 4, 12345);
    return 0;
}
static uint64_t do_saturate1(struct work *w)
{
    saturate1(w->to, w->from, w->other, w->bytes);
    return 0;
}
static uint64_t do_difference1(struct work *w)
{
    difference1(w->to, w->from, w->other, w->bytes);
    return 0;
}
static uint64_t do_sum8(struct work *w)
{
    return sum8((uint64_t *)w->from, w->bytes / 8);
}
static uint64_t do_fold8(struct work *w)
{
    return fold8((uint64_t *)w->from, w->bytes / 8);
}
static uint64_t do_map1(struct work *w)
{
    map1(w->to, w->from, w->bytes, w->map);
    return 0;
}
static uint64_t do_popcount8(struct work *w)
{
    popcount8(w->to, (uint64_t *)w->from, w->bytes / 8);
    return 0;
}
static uint64_t do_histogram1(struct work *w)
{
    return histogram1((uint32_t *)w->to, w->from, w->bytes);
}
static uint64_t do_crc32(struct work *w)
{
    return crc32(w->from, w->bytes, w->crc);
}
static uint64_t do_chacha20(struct work *w)
{
    w->state[12] = 1;
    chacha20((uint32_t *)w->to, w->state, w->bytes / 64);
    return 0;
}
static uint64_t do_mandelbrot(struct work *w)
{
    size_t n = w->bytes;
    mandelbrot(w->to, n, -(INT64_C(2) << 24), (INT64_C(3) << 24) / (int64_t)n, INT64_C(1) << 23);
    return 0;
}

static const struct loop {
    const char *name;
    uint64_t (*run)(struct work *w);
    unsigned less; /* this loop works on bytes / less */
} loops[] = {
    {"fill1", do_fill1, 1},
    {"fill8", do_fill8, 1},
    {"copy1", do_copy1, 1},
    {"copy8", do_copy8, 1},
    {"xor1", do_xor1, 1},
    {"xor4", do_xor4, 1},
    {"xor8", do_xor8, 1},
    {"add4", do_add4, 1},
    {"saturate1", do_saturate1, 1},
    {"difference1", do_difference1, 1},
    {"sum8", do_sum8, 1},
    {"fold8", do_fold8, 1},
    {"mix32", do_mix32, 1},
    {"map1", do_map1, 1},
    {"popcount8", do_popcount8, 1},
    {"histogram1", do_histogram1, 1},
    {"crc32", do_crc32, 1},
    {"chacha20", do_chacha20, 4},
    {"mandelbrot", do_mandelbrot, 64},
};
#define N_LOOPS (sizeof loops / sizeof loops[0])

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t hash(const uint8_t *bytes, size_t n, uint64_t h)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static void prepare(struct work *w)
{
    uint64_t x = UINT64_C(0x2545f4914f6cdd1d);
    for (size_t i = 0; i + 8 <= w->bytes; i += 8) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(w->from + i, &x, 8);
        uint64_t y = x * UINT64_C(0x9e3779b97f4a7c15);
        memcpy(w->other + i, &y, 8);
    }
    memset(w->to, 0, w->bytes);
    for (unsigned i = 0; i < 256; i++) {
        uint32_t c = i;
        for (unsigned bit = 0; bit < 8; bit++) {
            c = (c & 1) != 0 ? c >> 1 ^ 0xedb88320 : c >> 1;
        }
        w->crc[i] = c;
        w->map[i] = (uint8_t)(i * 37 + 11);
    }
    for (unsigned i = 0; i < 16; i++) {
        w->state[i] = (i + 1) * 0x9e3779b9U;
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void run(const struct loop *l, const struct work *all, uint64_t ns, unsigned times)
{
    static uint64_t took[TIMES_MAX];
    struct work w = *all;
    w.bytes = all->bytes / l->less & ~(size_t)63;
    w.bytes = w.bytes < 64 ? 64 : w.bytes;
    prepare(&w);
    unsigned n = 0;
    uint64_t begin = now(), value = 0;
    while (n < TIMES_MAX && (times != 0 ? n < times : n < 5 || now() - begin < ns)) {
        uint64_t t = now();
        value = l->run(&w);
        took[n++] = now() - t;
    }
    /* What adds to what is there has a check of its own round: of the first. */
    memset(w.to, 0, w.bytes);
    value = l->run(&w);
    qsort(took, n, sizeof took[0], by_size);
    printf("%s bytes=%zu times=%u best_ns=%" PRIu64 " median_ns=%" PRIu64 " check=%016" PRIx64 "\n",
           l->name, w.bytes, n, took[0], took[n / 2], hash(w.to, w.bytes, value));
    fflush(stdout);
}

static uint8_t *buffer(size_t bytes, size_t gap)
{
    uint8_t *at = mmap(NULL, bytes + gap, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return at == MAP_FAILED ? NULL : at + gap;
}

static int usage(void)
{
    fprintf(stderr, "vt-loops [LOOP|all] [--bytes N] [--seconds S] [--times N] [--for-ever]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *which = "all";
    struct work w = {.bytes = 1 << 20};
    double seconds = 0.2;
    unsigned times = 0;
    bool for_ever = false, found = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--for-ever") == 0) {
            for_ever = true;
        } else if (argv[i][0] != '-') {
            which = argv[i];
        } else if (i + 1 == argc) {
            return usage();
        } else if (strcmp(argv[i], "--bytes") == 0) {
            w.bytes = strtoul(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--times") == 0) {
            times = (unsigned)strtoul(argv[++i], NULL, 0);
        } else {
            return usage();
        }
    }
    if (w.bytes < 1024 || w.bytes > BYTES_MAX || times > TIMES_MAX) {
        return usage();
    }
    w.bytes &= ~(size_t)63;
    w.from = buffer(w.bytes, 0);
    w.other = buffer(w.bytes, 5 * 4096);
    w.to = buffer(w.bytes, 11 * 4096);
    if (w.from == NULL || w.other == NULL || w.to == NULL) {
        perror("vt-loops");
        return 1;
    }
    do {
        for (size_t i = 0; i < N_LOOPS; i++) {
            if (strcmp(which, "all") == 0 || strcmp(which, loops[i].name) == 0) {
                found = true;
                run(&loops[i], &w, (uint64_t)(seconds * 1e9), times);
            }
        }
    } while (for_ever && found);
    return found ? 0 : usage();
}
