/* memory/fault.c - the SIGBUS handler behind vt_ram. See fault.h.
 *
 * The handler may run in any thread at any instruction that reads a mapping, so it uses nothing but
 * atomics, fstat and mmap (plain system calls both). The registry is a list that only grows: a
 * guard that is given back keeps its node for the next one.
 */
#include "memory/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct vt_fault_guard {
    /* Readers take base, bytes, base again and believe the pair when base did not change: a pair
     * that contains the address this very thread faulted on was live during the handler, and live
     * mappings do not overlap, so it is the right one even if the node was reused in between. */
    _Atomic(uintptr_t) base; /* 0: free */
    _Atomic(size_t) bytes;
    _Atomic(int) fd;
    atomic_bool lost;
    struct vt_fault_guard *next; /* constant once the node is in the list */
};

static _Atomic(struct vt_fault_guard *) guards;
static pthread_mutex_t guards_lock = PTHREAD_MUTEX_INITIALIZER; /* writers only */
static bool installed;
static struct sigaction previous;

static bool replace_lost_pages(uintptr_t address)
{
    for (struct vt_fault_guard *g = atomic_load_explicit(&guards, memory_order_acquire); g != NULL;
         g = g->next) {
        uintptr_t base = atomic_load_explicit(&g->base, memory_order_acquire);
        size_t bytes = atomic_load_explicit(&g->bytes, memory_order_acquire);
        if (base == 0 || address - base >= bytes ||
            atomic_load_explicit(&g->base, memory_order_acquire) != base) {
            continue;
        }
        size_t from = (address - base) & ~(size_t)(VT_PAGE_BYTES - 1);
        size_t to = from + VT_PAGE_BYTES;
        struct stat st;
        if (fstat(atomic_load_explicit(&g->fd, memory_order_relaxed), &st) == 0 &&
            (uint64_t)st.st_size <= from) {
            /* Truncated: all behind the new end is lost, take it in one go. */
            from = ((size_t)st.st_size + VT_PAGE_BYTES - 1) & ~(size_t)(VT_PAGE_BYTES - 1);
            to = bytes;
        }
        atomic_store_explicit(&g->lost, true, memory_order_release);
        void *at = (void *)(base + from);
        /* Not through libc: its mmap does not promise to be callable here. */
        int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        int protection = PROT_READ | PROT_WRITE; /* some guarded mappings are written to */
        return (void *)syscall(SYS_mmap, at, to - from, protection, flags, -1, 0) == at;
    }
    return false;
}

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    bool done = info->si_code > 0 && replace_lost_pages((uintptr_t)info->si_addr);
    errno = saved_errno;
    if (done) {
        return;
    }
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(signo, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signo);
    } else if (info->si_code > 0 || previous.sa_handler == SIG_DFL) {
        /* A real fault happens again on return; one sent by kill() has to be sent again. */
        signal(SIGBUS, SIG_DFL);
        if (info->si_code <= 0) {
            raise(SIGBUS);
        }
    }
}

static int install(struct vt_error *err)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    /* `previous` has to be readable when the new handler first runs. */
    if (sigaction(SIGBUS, NULL, &previous) != 0 || sigaction(SIGBUS, &action, NULL) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "cannot handle SIGBUS");
    }
    installed = true;
    return 0;
}

int vt_fault_guard(const void *base, size_t bytes, int fd, struct vt_fault_guard **guard,
                   struct vt_error *err)
{
    pthread_mutex_lock(&guards_lock);
    int rc = installed ? 0 : install(err);
    struct vt_fault_guard *g = NULL;
    if (rc == 0) {
        g = atomic_load_explicit(&guards, memory_order_relaxed);
        while (g != NULL && atomic_load_explicit(&g->base, memory_order_relaxed) != 0) {
            g = g->next;
        }
        if (g == NULL) {
            g = calloc(1, sizeof *g);
            if (g == NULL) {
                rc = vt_fail(err, VT_E_NOMEM, "no memory for a mapping's guard");
            } else {
                g->next = atomic_load_explicit(&guards, memory_order_relaxed);
                atomic_store_explicit(&guards, g, memory_order_release);
            }
        }
    }
    if (rc == 0) {
        atomic_store_explicit(&g->bytes, bytes, memory_order_relaxed);
        atomic_store_explicit(&g->fd, fd, memory_order_relaxed);
        atomic_store_explicit(&g->lost, false, memory_order_relaxed);
        /* Pairs with the handler's acquire: who sees base sees the rest. */
        atomic_store_explicit(&g->base, (uintptr_t)base, memory_order_release);
        *guard = g;
    }
    pthread_mutex_unlock(&guards_lock);
    return rc;
}

void vt_fault_unguard(struct vt_fault_guard *guard)
{
    if (guard == NULL) {
        return;
    }
    pthread_mutex_lock(&guards_lock);
    atomic_store_explicit(&guard->base, 0, memory_order_release);
    pthread_mutex_unlock(&guards_lock);
}

bool vt_fault_lost(const struct vt_fault_guard *guard)
{
    return atomic_load_explicit(&guard->lost, memory_order_acquire);
}

void vt_fault_set_lost(struct vt_fault_guard *guard)
{
    atomic_store_explicit(&guard->lost, true, memory_order_release);
}
