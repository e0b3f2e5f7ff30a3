/* vt-tools.c - the guest's own three programs, in one static executable named by its links.
 *
 *   vt-dirty PAGES HZ [SECONDS]   writes into PAGES pages HZ times a second, for ever or SECONDS
 *   vt-pattern TEXT [PAGES]       holds PAGES locked pages (default 1); page i is filled with
 *                                 "TEXT.iiiiiiii\n" (i in hex), over and over, cut at its end
 *   vt-blink MS                   fills one locked page with 0x41 and with 0xff in turn, every MS
 *                                 milliseconds, for ever
 *
 * All print READY when memory is as promised. vt-pattern and vt-blink say before where each page
 * lies, from /proc/self/pagemap; vt-pattern ends on a line on stdin or a signal; end of stdin does
 * not end it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES_MAX (1u << 24)

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int number(const char *text, unsigned long max, unsigned long *value)
{
    char *end;
    errno = 0;
    *value = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || *value == 0 || *value > max) {
        fprintf(stderr, "'%s' is not a number from 1 to %lu\n", text, max);
        return 1;
    }
    return 0;
}

/* Private pages of 4 KiB each, so that one write dirties one of them. */
static uint8_t *pages(unsigned long n)
{
    uint8_t *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    madvise(p, n * PAGE, MADV_NOHUGEPAGE);
    return mlock(p, n * PAGE) == 0 ? p : NULL;
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Sleeps until `next`, or says that this is past. */
static int sleep_until(uint64_t next)
{
    if (now() > next) {
        return 1;
    }
    const struct timespec t = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
    return 0;
}

/* Bit 63: present; bits 0-54: the frame (Documentation/admin-guide/mm/pagemap.rst). */
static int tell_place(unsigned long i, const uint8_t *page)
{
    uint64_t entry = 0;
    uintptr_t va = (uintptr_t)page;
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0) {
        return fail("/proc/self/pagemap");
    }
    ssize_t got = pread(pagemap, &entry, sizeof entry, (off_t)(va / PAGE * sizeof entry));
    close(pagemap);
    if (got != (ssize_t)sizeof entry || (entry >> 63) == 0) {
        fputs("pagemap does not show the page\n", stderr);
        return 1;
    }
    uint64_t pa = (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
    printf("page %lu va 0x%" PRIxPTR " pa 0x%" PRIx64 "\n", i, va, pa);
    return 0;
}

static int dirty(unsigned long n, unsigned long hz, unsigned long seconds)
{
    uint8_t *p = pages(n);
    if (p == NULL) {
        return fail("memory");
    }
    printf("READY pid %d va 0x%" PRIxPTR " pages %lu hz %lu\n", getpid(), (uintptr_t)p, n, hz);
    fflush(stdout);
    const uint64_t period = 1000000000u / hz;
    uint64_t next = now(), late = 0;
    const uint64_t ticks = seconds * hz;
    for (uint64_t tick = 1; seconds == 0 || tick <= ticks; tick++) {
        for (unsigned long i = 0; i < n; i++) {
            memcpy(p + i * PAGE, &tick, sizeof tick);
        }
        next += period;
        if (sleep_until(next)) {
            late++;
            next = now();
        }
    }
    printf("DONE ticks %" PRIu64 " late %" PRIu64 "\n", ticks, late);
    return 0;
}

static int pattern(const char *text, unsigned long n)
{
    char line[256];
    uint8_t *p = pages(n);
    if (p == NULL) {
        return fail("memory");
    }
    printf("pid %d\n", getpid());
    for (unsigned long i = 0; i < n; i++) {
        size_t len = (size_t)snprintf(line, sizeof line, "%s.%08lx\n", text, i);
        if (len >= sizeof line) {
            fputs("TEXT is too long\n", stderr);
            return 1;
        }
        for (size_t at = 0; at < PAGE; at++) {
            p[i * PAGE + at] = (uint8_t)line[at % len];
        }
        if (tell_place(i, p + i * PAGE) != 0) {
            return 1;
        }
    }
    puts("READY");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) {
        pause();
    }
    return 0;
}

static int blink(unsigned long ms)
{
    uint8_t *p = pages(1);
    if (p == NULL) {
        return fail("memory");
    }
    printf("pid %d\n", getpid());
    memset(p, 0x41, PAGE);
    if (tell_place(0, p) != 0) {
        return 1;
    }
    puts("READY");
    fflush(stdout);
    uint64_t next = now();
    for (int byte = 0xff;; byte = byte == 0xff ? 0x41 : 0xff) {
        next += ms * 1000000u;
        if (sleep_until(next)) {
            next = now();
        }
        memset(p, byte, PAGE);
    }
}

int main(int argc, char **argv)
{
    const char *name = basename(argv[0]);
    unsigned long n = 1, hz, seconds = 0;
    if (strcmp(name, "vt-dirty") == 0 && (argc == 3 || argc == 4)) {
        if (number(argv[1], PAGES_MAX, &n) != 0 || number(argv[2], 100000, &hz) != 0 ||
            (argc == 4 && number(argv[3], 1000000, &seconds) != 0)) {
            return 2;
        }
        return dirty(n, hz, seconds);
    }
    if (strcmp(name, "vt-pattern") == 0 && (argc == 2 || argc == 3)) {
        if (argc == 3 && number(argv[2], PAGES_MAX, &n) != 0) {
            return 2;
        }
        return pattern(argv[1], n);
    }
    if (strcmp(name, "vt-blink") == 0 && argc == 2) {
        return number(argv[1], 1000000, &n) != 0 ? 2 : blink(n);
    }
    fputs(
        "usage: vt-dirty PAGES HZ [SECONDS]\n       vt-pattern TEXT [PAGES]\n       vt-blink MS\n",
        stderr);
    return 2;
}
