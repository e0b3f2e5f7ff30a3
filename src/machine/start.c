/* machine/start.c - vt_vm_start: makes the keeper and waits for its word.
 *
 * The keeper is forked twice, so that it is nobody's child, in a session of its own. The word comes
 * over a socket whose end is the cancel: whichever way this process stops, the keeper sees it.
 */
#include "vitrine/machine.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/accel.h"
#include "machine/keeper.h"
#include "machine/launch.h"
#include "machine/vmdir.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long taking back may last after a cancel: QEMU is killed, a few files go. */
#define TAKE_BACK_MS 10000

static int fork_keeper(const struct vt_keeper_job *job,
                       const struct vt_keeper_service *const *services, int *handshake,
                       struct vt_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "socketpair");
    }
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() == 0) {
            close(pair[0]);
            vt_keeper_main(job, services, pair[1]);
        }
        _exit(0);
    }
    close(pair[1]);
    if (child < 0) {
        int rc = vt_fail_errno(err, VT_E_NOMEM, errno, "%s: fork", job->name);
        close(pair[0]);
        return rc;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    *handshake = pair[0];
    return 0;
}

/* After a cancel: the stream's end says that nothing is left. */
static void await_end(int handshake)
{
    struct vt_error ignored;
    uint64_t deadline = vt_deadline_ms(TAKE_BACK_MS);
    shutdown(handshake, SHUT_WR);
    while (vt_wait_fd(handshake, POLLIN, deadline, NULL, NULL) == 0 &&
           recv(handshake, &ignored, sizeof ignored, 0) > 0) {
    }
}

static int await_keeper(const char *name, int handshake, const volatile int *stop,
                        struct vt_error *err)
{
    struct vt_error result;
    int rc = vt_wait_fd(handshake, POLLIN, VT_NO_DEADLINE, stop, err);
    if (rc != 0) {
        await_end(handshake);
        return vt_fail(err, (enum vt_code)rc, "%s: interrupted; nothing was started", name);
    }
    ssize_t n = recv(handshake, &result, sizeof result, 0);
    if (n != (ssize_t)sizeof result) {
        return vt_fail(err, VT_E_GONE, "%s: its keeper died", name);
    }
    if (result.code != VT_OK) {
        if (err != NULL) {
            *err = result;
        }
        return result.code;
    }
    if (stop != NULL && *stop != 0) {
        await_end(handshake);
        return vt_fail(err, VT_E_INTERRUPTED, "%s: interrupted; nothing was started", name);
    }
    if (send(handshake, "+", 1, MSG_NOSIGNAL) != 1) {
        return vt_fail(err, VT_E_GONE, "%s: its keeper died", name);
    }
    return 0;
}

static int run_keeper(const struct vt_keeper_job *job,
                      const struct vt_keeper_service *const *services, const volatile int *stop,
                      struct vt_error *err)
{
    int handshake = -1;
    vt_vm_clean_stale();
    int rc = fork_keeper(job, services, &handshake, err);
    if (rc == 0) {
        rc = await_keeper(job->name, handshake, stop, err);
        close(handshake);
    }
    return rc;
}

/* Paths in vm.json and in a saved VM are absolute: they outlive the working directory. */
static int absolute(const char *name, const char **path, char **slots, size_t *n,
                    struct vt_error *err)
{
    if (*path == NULL) {
        return 0;
    }
    char *full = realpath(*path, NULL);
    if (full == NULL) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s: %s", name, *path);
    }
    slots[(*n)++] = full;
    *path = full;
    return strlen(full) < VT_VM_PATH_MAX
               ? 0
               : vt_fail(err, VT_E_INVAL, "%s: %s: path too long", name, full);
}

int vt_vm_start(const struct vt_vm_config *config, const struct vt_keeper_service *const *services,
                const volatile int *stop, struct vt_error *err)
{
    struct vt_vm_config c;
    char *slots[4];
    size_t n = 0;
    int rc = vt_vm_config_complete(config, &c, err);
    rc = rc != 0 ? rc : absolute(c.name, &c.kernel, slots, &n, err);
    rc = rc != 0 ? rc : absolute(c.name, &c.initrd, slots, &n, err);
    rc = rc != 0 ? rc : absolute(c.name, &c.disk, slots, &n, err);
    rc = rc != 0 ? rc : absolute(c.name, &c.iso, slots, &n, err);
    if (rc == 0 && c.accel == NULL) {
        rc = vt_accel_pick(c.arch, stop, &c.accel, err);
    }
    if (rc == 0) {
        const struct vt_keeper_job job = {
            .name = c.name, .config = &c, .incoming_fd = c.incoming_fd, .timeout_ms = c.timeout_ms};
        rc = run_keeper(&job, services, stop, err);
    }
    while (n > 0) {
        free(slots[--n]);
    }
    return rc;
}

int vt_vm_attach(const char *name, const char *qmp_path, uint64_t timeout_ms,
                 const struct vt_keeper_service *const *services, const volatile int *stop,
                 struct vt_error *err)
{
    if (!vt_name_is_valid(name)) {
        char shown[80];
        vt_text_printable(shown, sizeof shown, name, strlen(name));
        return vt_fail(err, VT_E_INVAL,
                       "'%s' is not a VM's name (1-32 letters, digits, '.', '_', '-')", shown);
    }
    char *slots[1];
    size_t n = 0;
    int rc = absolute(name, &qmp_path, slots, &n, err);
    if (rc == 0) {
        const struct vt_keeper_job job = {.name = name,
                                          .incoming_fd = -1,
                                          .qmp_path = qmp_path,
                                          .timeout_ms = timeout_ms != 0 ? timeout_ms : 5000};
        rc = run_keeper(&job, services, stop, err);
    }
    if (n > 0) {
        free(slots[0]);
    }
    return rc;
}
