/* guests/card/compute_words.c - a steady load for a CPU alone: what it executes is given by the
 * number of rounds, and so is its result, on every architecture.
 *
 * A round fills 32 KiB, takes a CRC of them byte by byte, sorts 1024 of them and calls functions
 * through pointers: loops with and without memory, branches that cannot be foretold, calls and
 * returns, like what programs are made of.
 */
#include "card.h"

enum { WORDS = 4096, SORTED = 1024, CALLS = 2048 };

static struct {
    uint64_t words[WORDS];
    uint32_t crc[256];
} load;

static uint64_t next(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

static void fill(uint64_t seed)
{
    for (unsigned i = 0; i < WORDS; i++) {
        seed = next(seed);
        load.words[i] = seed;
    }
}

/* CRC-32 of IEEE 802.3, reflected. */
static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (unsigned bit = 0; bit < 8; bit++) {
            c = c >> 1 ^ (c & 1 ? UINT32_C(0xedb88320) : 0);
        }
        load.crc[i] = c;
    }
}

static uint32_t check(void)
{
    uint32_t c = UINT32_MAX;
    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t word = load.words[i];
        for (unsigned byte = 0; byte < 8; byte++) {
            c = c >> 8 ^ load.crc[(c ^ word) & 0xff];
            word >>= 8;
        }
    }
    return ~c;
}

/* Shell's, with gaps of a third. */
static void sort(void)
{
    for (unsigned gap = 364; gap > 0; gap /= 3) {
        for (unsigned i = gap; i < SORTED; i++) {
            uint64_t value = load.words[i];
            unsigned at = i;
            for (; at >= gap && load.words[at - gap] > value; at -= gap) {
                load.words[at] = load.words[at - gap];
            }
            load.words[at] = value;
        }
    }
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a + b;
}
static uint64_t turn(uint64_t a, uint64_t b)
{
    return (a << 7 | a >> 57) ^ b;
}
static uint64_t scale(uint64_t a, uint64_t b)
{
    return a * (b | 1);
}
static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a ^ ~b : b;
}

static uint64_t call(uint64_t a)
{
    static uint64_t (*const functions[])(uint64_t, uint64_t) = {add, turn, scale, lesser};
    for (unsigned i = 0; i < CALLS; i++) {
        a = functions[a >> 60 & 3](a, load.words[i]);
    }
    return a;
}

static bool word_compute(const struct card_words *w)
{
    uint64_t rounds, result = 0, begin = now_ns();

    if (w->n != 1 || !parse_number(w->word[0], 1000000000, &rounds) || rounds == 0) {
        return script_fail("not understood");
    }
    make_table();
    for (uint64_t i = 0; i < rounds; i++) {
        fill((result + i) | 1);
        result = turn(result, check());
        sort();
        result = call(result);
    }
    report_begin("compute");
    report_number("rounds", rounds);
    report_number("ns", now_ns() - begin);
    report_address("result", result);
    report_end();
    return true;
}

const struct card_statement compute_statements[] = {
    {"compute", "compute ROUNDS", word_compute},
    {NULL, NULL, NULL},
};
