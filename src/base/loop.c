/* base/loop.c - see loop.h.
 *
 * A removed source may still stand in the batch epoll_wait returned, so it is only marked dead and
 * freed after the batch.
 */
#include "base/loop.h"

#include "base/io.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNAL };

struct vt_source {
    struct vt_loop *loop;
    struct vt_source *next, **link; /* the loop's list */
    enum source_kind kind;
    int fd;
    bool dead;
    vt_source_fn *fn;
    void *arg;
};

struct vt_loop {
    int epoll;
    bool stopped;
    bool dispatching;
    int result;
    struct vt_source *sources;
    struct vt_source *graveyard;
};

int vt_loop_create(struct vt_loop **loop, struct vt_error *err)
{
    struct vt_loop *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return vt_fail(err, VT_E_NOMEM, "event loop: out of memory");
    }
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0) {
        free(l);
        return vt_fail_errno(err, VT_E_IO, errno, "epoll_create1");
    }
    *loop = l;
    return 0;
}

static void bury(struct vt_loop *loop)
{
    while (loop->graveyard != NULL) {
        struct vt_source *s = loop->graveyard;
        loop->graveyard = s->next;
        free(s);
    }
}

void vt_loop_destroy(struct vt_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (loop->sources != NULL) {
        vt_source_remove(loop->sources);
    }
    bury(loop);
    close(loop->epoll);
    free(loop);
}

static int add(struct vt_loop *loop, enum source_kind kind, int fd, uint32_t events,
               vt_source_fn *fn, void *arg, struct vt_source **source, struct vt_error *err)
{
    struct vt_source *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "event loop: out of memory");
    }
    *s = (struct vt_source){.loop = loop, .kind = kind, .fd = fd, .fn = fn, .arg = arg};
    struct epoll_event e = {.events = events, .data.ptr = s};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
        int rc = vt_fail_errno(err, VT_E_IO, errno, "epoll_ctl");
        free(s);
        return rc;
    }
    s->next = loop->sources;
    s->link = &loop->sources;
    if (s->next != NULL) {
        s->next->link = &s->next;
    }
    loop->sources = s;
    if (source != NULL) {
        *source = s;
    }
    return 0;
}

int vt_loop_add_fd(struct vt_loop *loop, int fd, uint32_t events, vt_source_fn *fn, void *arg,
                   struct vt_source **source, struct vt_error *err)
{
    return add(loop, SOURCE_FD, fd, events, fn, arg, source, err);
}

int vt_source_set_events(struct vt_source *source, uint32_t events, struct vt_error *err)
{
    struct epoll_event e = {.events = events, .data.ptr = source};
    if (epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &e) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "epoll_ctl");
    }
    return 0;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

int vt_source_set_timer(struct vt_source *source, uint64_t first_ns, uint64_t every_ns,
                        struct vt_error *err)
{
    struct itimerspec t = {.it_value = timespec_of(first_ns), .it_interval = timespec_of(every_ns)};
    if (timerfd_settime(source->fd, 0, &t, NULL) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "timerfd_settime");
    }
    return 0;
}

int vt_loop_add_timer(struct vt_loop *loop, uint64_t first_ns, uint64_t every_ns, vt_source_fn *fn,
                      void *arg, struct vt_source **source, struct vt_error *err)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "timerfd_create");
    }
    struct vt_source *s;
    int rc = add(loop, SOURCE_TIMER, fd, EPOLLIN, fn, arg, &s, err);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    rc = vt_source_set_timer(s, first_ns, every_ns, err);
    if (rc != 0) {
        vt_source_remove(s);
        return rc;
    }
    if (source != NULL) {
        *source = s;
    }
    return 0;
}

int vt_loop_add_signal(struct vt_loop *loop, int signo, vt_source_fn *fn, void *arg,
                       struct vt_source **source, struct vt_error *err)
{
    sigset_t set;
    sigemptyset(&set);
    if (sigaddset(&set, signo) != 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        return vt_fail(err, VT_E_INVAL, "signal %d cannot be blocked", signo);
    }
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "signalfd");
    }
    int rc = add(loop, SOURCE_SIGNAL, fd, EPOLLIN, fn, arg, source, err);
    if (rc != 0) {
        close(fd);
    }
    return rc;
}

void vt_source_remove(struct vt_source *source)
{
    if (source == NULL || source->dead) {
        return;
    }
    struct vt_loop *loop = source->loop;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    if (source->kind != SOURCE_FD) {
        close(source->fd);
    }
    *source->link = source->next;
    if (source->next != NULL) {
        source->next->link = source->link;
    }
    source->dead = true;
    source->next = loop->graveyard;
    loop->graveyard = source;
    if (!loop->dispatching) {
        bury(loop);
    }
}

static void dispatch(struct vt_source *s, uint32_t events)
{
    if (s->kind == SOURCE_TIMER) {
        uint64_t times = 0;
        if (read(s->fd, &times, sizeof times) != (ssize_t)sizeof times) {
            return; /* re-armed since epoll_wait */
        }
        events = times > UINT32_MAX ? UINT32_MAX : (uint32_t)times;
    } else if (s->kind == SOURCE_SIGNAL) {
        struct signalfd_siginfo info;
        if (read(s->fd, &info, sizeof info) != (ssize_t)sizeof info) {
            return;
        }
        events = info.ssi_signo;
    }
    s->fn(s, events, s->arg);
}

int vt_loop_run(struct vt_loop *loop, struct vt_error *err)
{
    loop->stopped = false;
    while (!loop->stopped) {
        struct epoll_event batch[64];
        int n = epoll_wait(loop->epoll, batch, 64, -1);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return vt_fail_errno(err, VT_E_IO, errno, "epoll_wait");
        }
        loop->dispatching = true;
        for (int i = 0; i < n && !loop->stopped; i++) {
            struct vt_source *s = batch[i].data.ptr;
            if (!s->dead) {
                dispatch(s, batch[i].events);
            }
        }
        loop->dispatching = false;
        bury(loop);
    }
    return loop->result;
}

void vt_loop_stop(struct vt_loop *loop, int result)
{
    loop->stopped = true;
    loop->result = result;
}
