/* machine/plugin.c - see plugin.h. */
#include "machine/plugin.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Everything up to the end of the stream; whether there was one in time. */
static int read_answer(int fd, char *text, size_t size, uint64_t deadline_ns, struct vt_error *err)
{
    size_t used = 0;
    for (;;) {
        int rc = vt_wait_fd(fd, POLLIN, deadline_ns, NULL, err);
        ssize_t n = rc == 0 ? read(fd, text + used, size - 1 - used) : 0;
        if (rc != 0 || n <= 0 || used == size - 1) {
            text[used] = '\0';
            return rc;
        }
        used += (size_t)n;
    }
}

/* Interface 4 came with 9.2 and was loaded until 11.0; 7 came with 11.1, which loads no other. What
 * newer ones load is not known. */
static unsigned api_of(unsigned major, unsigned minor)
{
    if ((major == 9 && minor >= 2) || major == 10 || (major == 11 && minor == 0)) {
        return 4;
    }
    return major == 11 && minor == 1 ? 7 : 0;
}

/* Runs it with arguments that end in -version. */
static int ask(const char *const argv[], const struct vt_identity *identity, uint64_t timeout_ms,
               unsigned *major, unsigned *minor, struct vt_error *err)
{
    static const char version[] = "version ";
    const char *program = argv[0];
    char text[512];
    int output[2], status = 0;
    pid_t pid;
    if (pipe2(output, O_CLOEXEC) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "pipe");
    }
    const struct vt_spawn spawn = {.program = program,
                                   .argv = (char *const *)(uintptr_t)argv,
                                   .identity = identity,
                                   .log_fd = output[1],
                                   .preload_fd = -1};
    int rc = vt_spawn(&spawn, &pid, err);
    close(output[1]);
    if (rc == 0) {
        rc = read_answer(output[0], text, sizeof text, vt_deadline_ms(timeout_ms), err);
        kill(pid, SIGKILL); /* has ended, or is too slow; says too much */
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(output[0]);
    if (rc != 0) {
        return rc;
    }
    const char *at = strstr(text, version);
    return at != NULL && sscanf(at + sizeof version - 1, "%u.%u", major, minor) == 2
               ? 0
               : vt_fail(err, VT_E_UNSUPPORTED, "%s does not say its version", program);
}

int vt_qemu_version(const char *program, const struct vt_identity *identity, uint64_t timeout_ms,
                    unsigned *major, unsigned *minor, struct vt_error *err)
{
    const char *const argv[] = {program, "-version", NULL};
    return ask(argv, identity, timeout_ms, major, minor, err);
}

/* One that is built without plugins complains of the option before it comes to -version. */
int vt_qemu_plugin_api(const char *program, const struct vt_identity *identity, uint64_t timeout_ms,
                       unsigned *api, struct vt_error *err)
{
    const char *const argv[] = {program, "-plugin", "none", "-version", NULL};
    unsigned major = 0, minor = 0;
    int rc = ask(argv, identity, timeout_ms, &major, &minor, err);
    if (rc != 0) {
        return rc == VT_E_UNSUPPORTED ? vt_fail(err, rc, "this QEMU has no plugins") : rc;
    }
    unsigned found = api_of(major, minor);
    if (found == 0) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "QEMU %u.%u loads none of our plugins: 9.2 to 11.1 do", major, minor);
    }
    *api = found;
    return 0;
}
