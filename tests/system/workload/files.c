/* files.c - open descriptors of every kind, locks, timers. */
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int regular(void)
{
    int fd = make_file("/run/workload/a file with spaces", 10000);
    return fd < 0 || lseek(fd, 1234, SEEK_SET) != 1234 ? -1 : flock(fd, LOCK_EX);
}

static int appended(void)
{
    int fd = open("/run/workload/appended", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
    return fd < 0 ? -1 : fcntl(fd, F_SETLK, &lock);
}

static int deleted(void)
{
    return make_file("/run/workload/deleted", 5000) < 0 ? -1 : unlink("/run/workload/deleted");
}

/* A path of 60 parts: longer than a dentry's inline name, deeper than a short walk. */
static int deep(void)
{
    char path[1024] = "/run/workload";
    size_t at = strlen(path);
    for (int i = 0; i < 60; i++) {
        at += (size_t)snprintf(path + at, sizeof path - at, "/part-%02d", i);
        if (mkdir(path, 0755) != 0 && errno != EEXIST) {
            return -1;
        }
    }
    snprintf(path + at, sizeof path - at, "/%s",
             "a-name-that-does-not-fit-into-the-dentry-itself-and-so-lies-elsewhere");
    return make_file(path, 10) < 0 ? -1 : 0;
}

static int directory(void)
{
    int a = open("/proc", O_RDONLY | O_DIRECTORY), b = open("/etc/passwd", O_PATH);
    return a < 0 || b < 0 ? -1 : 0;
}

static int devices(void)
{
    int a = open("/dev/null", O_RDWR), b = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK);
    return a < 0 || b < 0 ? -1 : 0;
}

static int memory(void)
{
    int fd = memfd_create("open-memfd", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    return fd < 0 || ftruncate(fd, 12345) != 0 ? -1 : fcntl(fd, F_ADD_SEALS, F_SEAL_GROW);
}

static int pipes(void)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0 || write(ends[1], "unread", 6) != 6 ||
        mkfifo("/run/workload/fifo", 0600) != 0) {
        return -1;
    }
    return open("/run/workload/fifo", O_RDWR) < 0 ? -1 : 0;
}

static int events(void)
{
    return eventfd(7, EFD_SEMAPHORE) < 0 ? -1 : 0;
}

static int signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC) < 0 || raise(SIGUSR2) != 0 ? -1 : 0;
}

static int watches(void)
{
    int fd = inotify_init1(IN_CLOEXEC);
    return fd < 0 || inotify_add_watch(fd, "/run/workload", IN_DELETE_SELF) < 0 ? -1 : 0;
}

static int timer_descriptor(void)
{
    const struct itimerspec far = {{50000, 0}, {40000, 250000000}};
    int a = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), b = timerfd_create(CLOCK_BOOTTIME, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1122334455667788};
    if (a < 0 || b < 0 || epoll < 0 || timerfd_settime(a, 0, &far, NULL) != 0) {
        return -1;
    }
    return epoll_ctl(epoll, EPOLL_CTL_ADD, a, &event);
}

static int posix_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    const struct itimerspec far = {{0, 0}, {30000, 0}};
    timer_t timer;
    return timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ? -1
                                                              : timer_settime(timer, 0, &far, NULL);
}

static int interval_timer(void)
{
    return setitimer(ITIMER_REAL, &(struct itimerval){{20000, 0}, {20000, 0}}, NULL);
}

static int message_queue(void)
{
    mqd_t queue = mq_open("/workload", O_RDWR | O_CREAT, 0600, NULL);
    return queue == (mqd_t)-1 ? -1 : mq_send(queue, "message", 7, 3);
}

static int terminals(void)
{
    int host, guest;
    return openpty(&host, &guest, NULL, NULL, NULL);
}

static int process_descriptor(void)
{
    return syscall(SYS_pidfd_open, 1, 0) < 0 ? -1 : 0;
}

static int ring(void)
{
    char parameters[120] = {0};
    return syscall(SYS_io_uring_setup, 4, parameters) < 0 ? -1 : 0;
}

static int performance(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_PAGE_FAULTS,
        .disabled = 1,
    };
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) < 0 ? -1 : 0;
}

static int faults(void)
{
    return syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK) < 0 ? -1 : 0;
}

static int high_number(void)
{
    return dup2(0, 700) < 0 ? -1 : 0;
}

const struct item file_items[] = {
    {"regular", regular},
    {"appended", appended},
    {"deleted", deleted},
    {"deep", deep},
    {"directory", directory},
    {"devices", devices},
    {"memfd", memory},
    {"pipes", pipes},
    {"eventfd", events},
    {"signalfd", signals},
    {"inotify", watches},
    {"timerfd", timer_descriptor},
    {"posix-timer", posix_timer},
    {"interval-timer", interval_timer},
    {"message-queue", message_queue},
    {"terminals", terminals},
    {"pidfd", process_descriptor},
    {"io-uring", ring},
    {"perf-event", performance},
    {"userfaultfd", faults},
    {"high-number", high_number},
    {0},
};
