/* memory.c - mappings: what `maps`, `pagetables`, `malfind` and `pagecache` show. */
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xb8, 0x2a, 0x00, 0x00, 0x00, 0x5d, 0xc3};

static int rwx_anonymous(void)
{
    uint8_t *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return -1;
    }
    memcpy(p + 4096, code, sizeof code);
    say("malfind pid %d rwx %p", getpid(), (void *)p);
    return 0;
}

/* A private executable mapping of a file, one page of which is no longer the file's. */
static int patched_code(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    uint8_t *p =
        fd < 0 ? MAP_FAILED : mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0x1000);
    if (p == MAP_FAILED) {
        return -1;
    }
    close(fd);
    memcpy(p + 4096, code, sizeof code);
    say("malfind pid %d patched %p", getpid(), (void *)p);
    return mprotect(p, 4 * 4096, PROT_READ | PROT_EXEC);
}

static int large_anonymous(void)
{
    const size_t size = (size_t)8 << 20;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return -1;
    }
    madvise(p, size, MADV_HUGEPAGE);
    for (size_t i = 0; i < size / 2; i += 4096) {
        memcpy(p + i, &i, sizeof i);
    }
    return 0;
}

static int named_anonymous(void)
{
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED
               ? -1
               : prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)p, 4096ul, "a name");
}

static int guarded(void)
{
    char *p = mmap(NULL, 5 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE);
}

static int locked(void)
{
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : mlock(p, 4 * 4096);
}

static int shared_anonymous(void)
{
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return -1;
    }
    p[0] = 1;
    return 0;
}

static int system_v(void)
{
    int id = shmget(IPC_PRIVATE, 3 * 4096, IPC_CREAT | 0600);
    char *p = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
    if (p == (char *)-1) {
        return -1;
    }
    p[0] = 1;
    return shmctl(id, IPC_RMID, NULL);
}

static int map_file(int fd, int flags, int prot, size_t size)
{
    if (fd < 0) {
        return -1;
    }
    volatile char *p = mmap(NULL, size, prot, flags, fd, 0);
    if (p == MAP_FAILED) {
        return -1;
    }
    for (size_t i = 0; i < size; i += 4096) {
        (void)p[i];
    }
    return close(fd);
}

static int cached_file(void)
{
    return map_file(make_file("/run/workload/cached", 200000), MAP_SHARED, PROT_READ, 196608);
}

static int deleted_file(void)
{
    int fd = make_file("/run/workload/deleted map", 8192);
    unlink("/run/workload/deleted map");
    return map_file(fd, MAP_PRIVATE, PROT_READ, 8192);
}

static int memory_file(void)
{
    int fd = memfd_create("workload-memfd", 0);
    return fd < 0 || ftruncate(fd, 16384) != 0
               ? -1
               : map_file(fd, MAP_SHARED, PROT_READ | PROT_WRITE, 16384);
}

static int odd_name(void)
{
    return map_file(make_file("/run/workload/odd\nname\t\\", 4096), MAP_SHARED, PROT_READ, 4096);
}

static int heap(void)
{
    char *p = malloc(100000);
    if (p == NULL) {
        return -1;
    }
    memset(p, 'h', 100000);
    say("heap at %p", (void *)p);
    return 0;
}

const struct item memory_items[] = {
    {"rwx-anonymous", rwx_anonymous},
    {"patched-code", patched_code},
    {"large-anonymous", large_anonymous},
    {"named-anonymous", named_anonymous},
    {"guarded", guarded},
    {"locked", locked},
    {"shared-anonymous", shared_anonymous},
    {"system-v", system_v},
    {"cached-file", cached_file},
    {"deleted-file", deleted_file},
    {"memory-file", memory_file},
    {"odd-name", odd_name},
    {"heap", heap},
    {0},
};
