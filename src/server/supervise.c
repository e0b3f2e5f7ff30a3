/* server/supervise.c - see supervise.h. */
#include "server/supervise.h"

#include "base/text.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKETS_MAX 64

void vt_supervise_tell(const char *state)
{
    const char *where = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t n = where != NULL ? strlen(where) : 0;
    if (n < 2 || n >= sizeof addr.sun_path || (where[0] != '/' && where[0] != '@')) {
        return;
    }
    memcpy(addr.sun_path, where, n);
    if (where[0] == '@') {
        addr.sun_path[0] = '\0'; /* the abstract name space: unix(7) */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&addr,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
        close(fd);
    }
}

/* A number meant for this process. */
static uint64_t ours(const char *number, const char *pid)
{
    uint64_t value, process;
    const char *text = getenv(number), *of = getenv(pid);
    if (text == NULL || vt_parse_u64(text, &value, NULL) != 0) {
        return 0;
    }
    if (of != NULL && (vt_parse_u64(of, &process, NULL) != 0 || process != (uint64_t)getpid())) {
        return 0;
    }
    return value;
}

uint64_t vt_supervise_watchdog_ns(void)
{
    uint64_t us = ours("WATCHDOG_USEC", "WATCHDOG_PID");
    return us < UINT64_MAX / 1000 ? us * 1000 / 2 : 0;
}

unsigned vt_supervise_sockets(void)
{
    uint64_t n = getenv("LISTEN_PID") != NULL ? ours("LISTEN_FDS", "LISTEN_PID") : 0;
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    n = n <= SOCKETS_MAX ? n : SOCKETS_MAX;
    for (int fd = VT_SUPERVISE_FIRST_FD; fd < VT_SUPERVISE_FIRST_FD + (int)n; fd++) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return (unsigned)n;
}
