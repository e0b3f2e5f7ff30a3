/* workload.c - runs in a guest: makes one of everything that vitrine's verbs show, says what it
 * made, prints READY and sleeps.
 *
 *   workload                 the whole of it
 *   workload sleeper ARGS    sleeps under these arguments
 *   workload forks N         N processes that fork and wait as fast as they can
 *   workload mounts          mounts and unmounts as fast as it can
 */
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

void sleep_for_ever(void)
{
    for (;;) {
        pause();
    }
}

/* The gate's end is closed when the body returned or became another program. A body that does
 * neither is given a second. */
pid_t child(const char *comm, void (*body)(void))
{
    static int outer = -1; /* of a child that has children */
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[0]);
        close(outer);
        outer = gate[1];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, comm);
        body();
        close(gate[1]);
        sleep_for_ever();
    }
    close(gate[1]);
    if (pid > 0) {
        poll(&(struct pollfd){.fd = gate[0]}, 1, 1000);
        say("%s pid %d", comm, pid);
    }
    close(gate[0]);
    return pid;
}

int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t n = write(fd, text, strlen(text));
    int why = errno;
    close(fd);
    errno = why;
    return n < 0 ? -1 : 0;
}

int shell(const char *command)
{
    int status = system(command);
    if (status != 0) {
        errno = EIO;
    }
    return status == 0 ? 0 : -1;
}

int make_file(const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0640);
    for (size_t at = 0; fd >= 0 && at < size;) {
        char line[64];
        size_t n = (size_t)snprintf(line, sizeof line, "%s at %08zx\n", path, at);
        n = n < size - at ? n : size - at;
        if (write(fd, line, n) != (ssize_t)n) {
            close(fd);
            return -1;
        }
        at += n;
    }
    return fd;
}

static void make_all(const struct item *items)
{
    for (; items->name != NULL; items++) {
        errno = 0;
        if (items->make() == 0) {
            say("%s: made", items->name);
        } else {
            say("%s: left out: %s", items->name, strerror(errno));
        }
    }
}

static _Noreturn void forks(int n)
{
    for (int i = 0; i < n; i++) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;) {
                pid_t pid = fork();
                if (pid == 0) {
                    prctl(PR_SET_NAME, "short-lived");
                    _exit(0);
                }
                waitpid(pid, NULL, 0);
            }
        }
    }
    puts("READY");
    fflush(stdout);
    sleep_for_ever();
}

static _Noreturn void mounts(void)
{
    static const char *const dirs[] = {"/run/churn", "/run/churn/a", "/run/churn/a/b"};
    puts("READY");
    fflush(stdout);
    for (;;) {
        for (size_t i = 0; i < 3; i++) {
            mkdir(dirs[i], 0755);
            mount("churn", dirs[i], "tmpfs", 0, "size=64k");
        }
        for (size_t i = 3; i-- > 0;) {
            umount2(dirs[i], MNT_DETACH);
        }
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "sleeper") == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sleep_for_ever();
    }
    if (strcmp(what, "forks") == 0 && argc == 3) {
        forks(atoi(argv[2]));
    }
    if (strcmp(what, "mounts") == 0) {
        mounts();
    }
    say("main pid %d", getpid());
    mkdir("/run/workload", 0755);
    make_all(kernel_items);
    make_all(memory_items);
    make_all(file_items);
    make_all(socket_items);
    make_all(process_items);
    say("READY");
    sleep_for_ever();
}
