/* hostile_threads.c - cases of threads: somebody else reads, writes, takes away or gives the memory
 * that a loop is at.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_t start(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, arg) != 0) {
        unavailable("no threads");
    }
    return thread;
}

/* ---- who waits for a byte that another's loop writes ---- */

enum { N = 64 };
static uint8_t *from, *to;
static uint64_t turns;

static void *fills(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 20; i++) {
        usleep(300); /* the other one spins by now */
        copy1(to, from,
              N * PAGE); /* no zero but in its last byte, which is the last that is written */
        while (__atomic_load_n(to + N * PAGE - 1, __ATOMIC_ACQUIRE) != 0) {
            usleep(100);
        }
    }
    return NULL;
}

static void waits(void)
{
    from = pages(N);
    to = pages(N);
    for (size_t i = 0; i < N * PAGE; i++) {
        from[i] = (uint8_t)(next_random() | 1);
    }
    pthread_t other = start(fills, NULL);
    for (unsigned i = 0; i < 20; i++) {
        spin(to + N * PAGE - 1);
        if (memcmp(to, from, N * PAGE) != 0) {
            wrong("turn %u: what was written before is not there", i);
        }
        memset(to, 0, N * PAGE - 1);
        __atomic_store_n(to + N * PAGE - 1, 0, __ATOMIC_RELEASE);
        turns++;
    }
    pthread_join(other, NULL);
    mix(turns);
    mix_bytes(from, N * PAGE);
}

/* ---- a ring of two ---- */

enum { RING = 1 << 16, ITEMS = 1 << 20 };
static uint64_t ring[RING];
static _Alignas(64) uint64_t head, tail;

static void *produces(void *unused)
{
    (void)unused;
    static uint64_t items[RING];
    for (uint64_t at = 0; at < ITEMS;) {
        uint64_t room = RING - (at - __atomic_load_n(&tail, __ATOMIC_ACQUIRE)), first = at % RING;
        uint64_t n = 1 + at * 2654435761u % 5000;
        n = n < room ? n : room;
        n = n < RING - first ? n : RING - first;
        n = n < ITEMS - at ? n : ITEMS - at;
        if (n == 0) {
            sched_yield();
            continue;
        }
        for (uint64_t i = 0; i < n; i++) {
            items[i] = (at + i) * 0x9e3779b97f4a7c15;
        }
        copy8(&ring[first], items, n);
        at += n;
        __atomic_store_n(&head, at, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void ring_of_two(void)
{
    uint64_t sum = 0, want = 0;
    pthread_t other = start(produces, NULL);
    for (uint64_t at = 0; at < ITEMS;) {
        uint64_t n = __atomic_load_n(&head, __ATOMIC_ACQUIRE) - at, first = at % RING;
        n = n < RING - first ? n : RING - first;
        if (n == 0) {
            sched_yield();
            continue;
        }
        uint64_t got = sum8(&ring[first], n), all = 0;
        for (uint64_t i = 0; i < n; i++) {
            all += (at + i) * 0x9e3779b97f4a7c15;
        }
        if (got != all) {
            wrong("items from %lu on", at);
        }
        sum += got;
        want += all;
        fill1((uint8_t *)&ring[first], n * 8, 0xee);
        at += n;
        __atomic_store_n(&tail, at, __ATOMIC_RELEASE);
    }
    pthread_join(other, NULL);
    if (sum != want) {
        wrong("the sum of all items");
    }
    mix(sum);
}

/* ---- memory that is taken away ---- */

static bool stop;
static int punched = -1;

static void *takes_away(void *area)
{
    for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++) {
        size_t page = i * 7u % N;
        if (punched >= 0) {
            (void)fallocate(punched, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)(page * PAGE), (off_t)PAGE);
        } else {
            madvise((uint8_t *)area + page * PAGE, PAGE, MADV_DONTNEED);
        }
        usleep(50);
    }
    return NULL;
}

/* Pages vanish while a loop writes them: each word is zero or what was written last. */
static void vanishing(bool of_file)
{
    uint64_t *s = (uint64_t *)pages(N), *d = NULL;
    if (of_file) {
        punched = memfd_create("holes", 0);
        d = ftruncate(punched, (off_t)(N * PAGE)) == 0
                ? mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, punched, 0)
                : MAP_FAILED;
        if (d == MAP_FAILED) {
            unavailable("no files in memory");
        }
    } else {
        d = (uint64_t *)pages(N);
    }
    random_bytes(s, N * PAGE);
    stop = false;
    pthread_t other = start(takes_away, d);
    uint64_t zeros = 0, all = 0;
    for (uint64_t key = 1; key < 400; key++) {
        hot_xor8(d, s, N * PAGE / 8, key);
        for (size_t i = 0; i < N * PAGE / 8; i++) {
            uint64_t got = __atomic_load_n(&d[i], __ATOMIC_RELAXED);
            zeros += got == 0;
            all++;
            if (got != 0 && got != (s[i] ^ key)) {
                wrong("key %lu, word %zu is %lx of %lx", key, i, got, s[i]);
                break;
            }
        }
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(other, NULL);
    fprintf(stderr, "vanishing: %lu of %lu words were gone\n", zeros, all);
    hot_xor8(d, s, N * PAGE / 8, 5);
    mix_bytes(d, N * PAGE);
    munmap(d, N * PAGE);
    close(punched);
    punched = -1;
}

static void given_back(void)
{
    vanishing(false);
}

static void punched_out(void)
{
    vanishing(true);
}

/* ---- pages that another gives ---- */

static int faults_fd;
static unsigned gave;

static void *gives(void *unused)
{
    (void)unused;
    static _Alignas(4096) uint64_t page[PAGE / 8];
    struct uffd_msg m;
    while (read(faults_fd, &m, sizeof m) == (ssize_t)sizeof m && m.event == UFFD_EVENT_PAGEFAULT) {
        uint64_t at = m.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
        __atomic_add_fetch(&gave, 1, __ATOMIC_RELEASE); /* before it can go on */
        if ((m.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) != 0) {
            struct uffdio_writeprotect w = {.range = {at, PAGE}};
            ioctl(faults_fd, UFFDIO_WRITEPROTECT, &w);
        } else {
            for (size_t i = 0; i < PAGE / 8; i++) {
                page[i] = (at + i * 8) * 0x9e3779b97f4a7c15;
            }
            struct uffdio_copy c = {.dst = at, .src = (uint64_t)(uintptr_t)page, .len = PAGE};
            ioctl(faults_fd, UFFDIO_COPY, &c);
        }
    }
    return NULL;
}

static void user_faults(void)
{
    const uintptr_t place = 0x20000000;
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
    faults_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (faults_fd < 0 || ioctl(faults_fd, UFFDIO_API, &api) != 0) {
        unavailable("no userfaultfd");
    }
    uint64_t *d = (uint64_t *)pages(N);
    start(gives, NULL);
    for (unsigned round = 0; round < 8; round++) {
        uint64_t *s = (uint64_t *)pages_at(place, N), want = 0;
        struct uffdio_register all = {.range = {place, N * PAGE},
                                      .mode =
                                          UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP};
        if (ioctl(faults_fd, UFFDIO_REGISTER, &all) != 0) {
            unavailable("no write protection by userfaultfd");
        }
        for (size_t i = 0; i < N * PAGE / 8; i++) {
            want += (place + i * 8) * 0x9e3779b97f4a7c15;
        }
        uint64_t got = sum8(s, N * PAGE / 8); /* each page is given in the midst of it */
        if (got != want) {
            wrong("round %u: the sum is %lx, not %lx", round, got, want);
        }
        struct uffdio_writeprotect w = {.range = {place + round * PAGE, (N - round) * PAGE},
                                        .mode = UFFDIO_WRITEPROTECT_MODE_WP};
        ioctl(faults_fd, UFFDIO_WRITEPROTECT, &w);
        hot_xor8(d, s, N * PAGE / 8, round);
        hot_xor8(s, d, N * PAGE / 8, round + 1); /* each page is freed in the midst of it */
        for (size_t i = 0; i < N * PAGE / 8; i++) {
            if (s[i] != ((place + i * 8) * 0x9e3779b97f4a7c15 ^ round ^ (round + 1))) {
                wrong("round %u: word %zu", round, i);
                break;
            }
        }
        unsigned faults = __atomic_exchange_n(&gave, 0, __ATOMIC_ACQ_REL);
        if (faults != N + N - round) {
            wrong("round %u: %u faults, not %zu", round, faults, (size_t)(N + N - round));
        }
        mix(got);
        mix(faults);
        mix_bytes(s, N * PAGE);
        munmap(s, N * PAGE);
    }
}

const struct hostile_case thread_cases[] = {
    {"waits", waits, false},
    {"ring", ring_of_two, false},
    {"given_back", given_back, false},
    {"punched_out", punched_out, false},
    {"user_faults", user_faults, false},
    {0},
};
