/* tests/system/hybrid/rounds.c - runs in a guest and on the host: a loop that writes what it reads,
 * round after round, so that an iteration that is lost or done twice is seen in the end.
 *
 *   gpu-rounds FILE     until there is such a file; prints "rounds=N children=N wrong=N check=HEX"
 *   gpu-rounds N        so many rounds; the same line
 *
 * Every few rounds it forks. The child's memory is what it was then, while its parent's goes on: so
 * pages become ones to be copied on write in the middle of rounds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS ((size_t)1 << 16)
#define FORKS 64u /* one in so many rounds */

static __attribute__((noinline, noclone, optimize("no-tree-vectorize", "no-unroll-loops"))) void
turn(uint32_t *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = (d[i] ^ d[i] >> 15) * 0x2c1b3c6d + 1;
    }
}

static uint64_t hash(const uint32_t *d, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ d[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static pid_t child_of(const uint32_t *d, int parents_turn)
{
    uint64_t then = hash(d, WORDS);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        _exit(read(parents_turn, &byte, 1) == 1 && hash(d, WORDS) == then ? 0 : 1);
    }
    return child;
}

int main(int argc, char **argv)
{
    const char *until = argc > 1 ? argv[1] : "0";
    char *end;
    uint64_t most = strtoull(until, &end, 10), rounds = 0;
    unsigned children = 0, wrong = 0;
    int turns[2];
    uint32_t *d =
        mmap(NULL, (WORDS + 1024) * 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (d == MAP_FAILED || pipe(turns) != 0) {
        return 1;
    }
    d += 3; /* pages begin within a round */
    for (size_t i = 0; i < WORDS; i++) {
        d[i] = (uint32_t)i;
    }
    while (*end == '\0' ? rounds < most : access(until, F_OK) != 0) {
        pid_t child = rounds % FORKS == 0 ? child_of(d, turns[0]) : 0;
        turn(d, WORDS);
        rounds++;
        if (child != 0) {
            int status = 1;
            wrong += child < 0 || write(turns[1], "", 1) != 1 ||
                     waitpid(child, &status, 0) != child || status != 0;
            children++;
        }
    }
    printf("rounds=%" PRIu64 " children=%u wrong=%u check=%016" PRIx64 "\n", rounds, children,
           wrong, hash(d, WORDS));
    return 0;
}
