/* plugins/track/track_preload.c - LD_PRELOAD object: lets an outsider see which pages QEMU wrote.
 *
 * When the process maps the file named by VITRINE_TRACK_RAM shared and writable, the mapping is
 * registered with userfaultfd for asynchronous write-protection (Linux 6.7): the kernel itself
 * resolves write faults and only marks the page, and PAGEMAP_SCAN from outside reads and clears the
 * marks. In any other process, and on a kernel without it, every mmap goes through untouched.
 * Needs nothing but libc, of any version since Debian 12's.
 *
 * Sources: Linux Documentation/admin-guide/mm/userfaultfd.rst and pagemap.rst.
 */
/* Both names are defined here, so neither may be turned into the other. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than Debian 12's kernel headers. */
#define FEATURE_WP_HUGETLBFS_SHMEM (UINT64_C(1) << 12)
#define FEATURE_WP_UNPOPULATED (UINT64_C(1) << 13)
#define FEATURE_WP_ASYNC (UINT64_C(1) << 15)

#define LIBRARY "vitrine-track.so"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int uffd = -1; /* stays open: closing it would end the tracking */
static bool off;      /* said why on stderr, once */

static void give_up(const char *what)
{
    char reason[128];
    const char *text = strerror_r(errno, reason, sizeof reason);
    off = true;
    fprintf(stderr, LIBRARY ": dirty-page tracking is off: %s: %s\n", what, text);
}

/* Children of QEMU (helpers, scripts) have no use for us: takes the entry we were loaded by out of
 * LD_PRELOAD. */
static void leave_environment(void)
{
    unsetenv("VITRINE_TRACK_RAM");
    Dl_info own;
    const char *list = getenv("LD_PRELOAD");
    char *rest = list != NULL && dladdr(&uffd, &own) != 0 ? calloc(1, strlen(list) + 2) : NULL;
    if (rest == NULL) {
        return;
    }
    size_t own_length = strlen(own.dli_fname);
    size_t at = 0;
    for (list += strspn(list, ": "); *list != '\0'; list += strspn(list, ": ")) {
        size_t n = strcspn(list, ": ");
        if (n != own_length || memcmp(list, own.dli_fname, n) != 0) {
            memcpy(rest + at, list, n);
            rest[at + n] = ':';
            at += n + 1;
        }
        list += n;
    }
    if (at > 0) {
        rest[at - 1] = '\0';
        setenv("LD_PRELOAD", rest, 1);
    } else {
        unsetenv("LD_PRELOAD");
    }
    free(rest);
}

static bool open_uffd(void)
{
    /* USER_MODE_ONLY: all an unprivileged process may have. Asynchronous write-protection asks
     * nobody, so faults from inside the kernel are resolved all the same. */
    int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0) {
        give_up("userfaultfd");
        return false;
    }
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED | FEATURE_WP_HUGETLBFS_SHMEM,
    };
    if (ioctl(fd, UFFDIO_API, &api) != 0) {
        give_up("no asynchronous write-protection (Linux 6.7 has it)");
        close(fd);
        return false;
    }
    uffd = fd;
    return true;
}

static void track(void *address, size_t bytes)
{
    pthread_mutex_lock(&lock);
    if (!off && (uffd >= 0 || open_uffd())) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        struct uffdio_register range = {
            .range = {.start = (uintptr_t)address, .len = (bytes + page - 1) & ~(page - 1)},
            .mode = UFFDIO_REGISTER_MODE_WP,
        };
        if (ioctl(uffd, UFFDIO_REGISTER, &range) != 0) {
            give_up("cannot register guest RAM");
        }
    }
    pthread_mutex_unlock(&lock);
}

/* The path is forgotten after the first hit, so what identifies the file has to be kept. */
static bool is_ram(int fd)
{
    static bool known;
    static dev_t device;
    static ino_t inode;
    struct stat of_fd;
    struct stat of_path;
    bool hit = false;
    pthread_mutex_lock(&lock);
    if (fstat(fd, &of_fd) == 0) {
        const char *path = known ? NULL : getenv("VITRINE_TRACK_RAM");
        if (path != NULL && stat(path, &of_path) == 0 && of_path.st_dev == of_fd.st_dev &&
            of_path.st_ino == of_fd.st_ino) {
            known = true;
            device = of_fd.st_dev;
            inode = of_fd.st_ino;
            leave_environment();
        }
        hit = known && of_fd.st_dev == device && of_fd.st_ino == inode;
    }
    pthread_mutex_unlock(&lock);
    return hit;
}

static void *map(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    void *p = (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
    int type = flags & MAP_TYPE;
    if (p != MAP_FAILED && fd >= 0 && (flags & MAP_ANONYMOUS) == 0 &&
        (type == MAP_SHARED || type == MAP_SHARED_VALIDATE) && (protection & PROT_WRITE) != 0) {
        int saved_errno = errno;
        if (is_ram(fd)) {
            track(p, bytes);
        }
        errno = saved_errno;
    }
    return p;
}

void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    return map(address, bytes, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off64_t offset)
{
    return map(address, bytes, protection, flags, fd, offset);
}
