/* tests/unit/memory/ramfile.h - a sparse file to stand for a guest's RAM. */
#ifndef VT_TESTS_RAMFILE_H
#define VT_TESTS_RAMFILE_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct ramfile {
    int fd;
    char path[64];
};

/* Anonymous: opened by path through /proc, so that nothing is left behind by a crash. */
static inline struct ramfile ramfile_make(uint64_t bytes)
{
    struct ramfile f = {.fd = memfd_create("vitrine-test-ram", MFD_CLOEXEC)};
    assert(f.fd >= 0);
    int rc = ftruncate(f.fd, (off_t)bytes);
    assert(rc == 0);
    (void)rc;
    snprintf(f.path, sizeof f.path, "/proc/%d/fd/%d", (int)getpid(), f.fd);
    return f;
}

static inline void ramfile_put(const struct ramfile *f, uint64_t off, const void *p, size_t n)
{
    ssize_t done = pwrite(f->fd, p, n, (off_t)off);
    assert(done == (ssize_t)n);
    (void)done;
}

#endif
