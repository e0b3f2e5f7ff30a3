/* machine/keeper_gpu.c - the process that is a VM's GPU, beside its QEMU: a child of the keeper's
 * that has the connection to QEMU, and nothing else of the VM. It ends with QEMU.
 *
 * It needs no more rights than QEMU, but for the GPU's device files, which belong to groups.
 */
#include "machine/keeper_parts.h"

#include "base/io.h"
#include "base/paths.h"
#include "machine/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What hostmem over vhost-user needs of QEMU. */
enum { QEMU_MAJOR = 11, QEMU_MINOR = 1 };

static const char *wanted(const struct vt_vm_config *c)
{
    for (unsigned i = 0; c->gpus != NULL && c->gpus[i] != NULL; i++) {
        if (vt_gpu_is_venus(c->gpus[i])) {
            return c->gpus[i];
        }
    }
    return NULL;
}

static const struct vt_keeper_service *with_gpu(const struct vt_keeper *k)
{
    for (size_t i = 0; k->services != NULL && k->services[i] != NULL; i++) {
        if (k->services[i]->gpu != NULL) {
            return k->services[i];
        }
    }
    return NULL;
}

static int check_qemu(const struct vt_keeper *k, const char *qemu, struct vt_error *err)
{
    unsigned major, minor;
    int rc = vt_qemu_version(qemu, &k->identity, k->job->timeout_ms, &major, &minor, err);
    if (rc == 0 && (major < QEMU_MAJOR || (major == QEMU_MAJOR && minor < QEMU_MINOR))) {
        return vt_fail(
            err, VT_E_UNSUPPORTED,
            "%s: the GPU 'venus' needs QEMU %d.%d or newer, and %s is %u.%u (tools/setup "
            "qemu brings one)",
            k->info.name, QEMU_MAJOR, QEMU_MINOR, qemu, major, minor);
    }
    return rc;
}

/* Those that GPUs' device files belong to on Debian and others. */
static size_t gpu_groups(gid_t groups[2])
{
    static const char *const names[] = {"render", "video"};
    size_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        const struct group *g = getgrnam(names[i]);
        if (g != NULL) {
            groups[n++] = g->gr_gid;
        }
    }
    return n;
}

/* The connection, the listener and the log are all that is left of the keeper's. */
static bool keep_only(int *sock, int *listener, int log)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int high[2] = {fcntl(*sock, F_DUPFD_CLOEXEC, 100), fcntl(*listener, F_DUPFD_CLOEXEC, 100)};
    if (null < 0 || high[0] < 0 || high[1] < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) {
        return false;
    }
    *sock = dup2(high[0], 3);
    *listener = dup2(high[1], 4);
    close_range(5, ~0u, 0);
    return *sock == 3 && *listener == 4 && fcntl(3, F_SETFD, FD_CLOEXEC) == 0 &&
           fcntl(4, F_SETFD, FD_CLOEXEC) == 0;
}

static _Noreturn void be_gpu(const struct vt_keeper *k, const struct vt_keeper_service *service,
                             const char *words, int sock, int listener, int log, pid_t parent)
{
    gid_t groups[2];
    const size_t n = gpu_groups(groups);
    sigset_t none;
    struct rlimit no_core = {0}, files;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &no_core);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* each piece of shared memory is one */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!keep_only(&sock, &listener, log) || chdir("/") != 0 ||
        vt_identity_become(&k->identity, groups, n) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || /* after setuid, which clears it */
        getppid() != parent) {
        _exit(127);
    }
    if (k->identity.change) { /* the starter's own, which it cannot open any more */
        unsetenv("HOME");
        unsetenv("XDG_CACHE_HOME");
        unsetenv("XDG_RUNTIME_DIR");
    }
    prctl(PR_SET_NAME, "vitrine-gpu");
    const struct vt_gpu_job job = {
        .vm = k->info.name, .words = words, .sock = sock, .listener = listener};
    exit(service->gpu(&job));
}

static int listen_and_log(struct vt_keeper *k, int *listener, int *log, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = vt_vmdir_file(k->dir.path, "gpu.sock", path, err);
    rc = rc != 0 ? rc : vt_unix_listen(path, 8, listener, err);
    rc = rc != 0 ? rc : vt_vmdir_file(k->dir.path, "gpu.log", path, err);
    if (rc != 0) {
        return rc;
    }
    *log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return *log >= 0 && fcntl(*listener, F_SETFL, O_NONBLOCK) == 0
               ? 0
               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
}

int vt_keeper_start_gpu(struct vt_keeper *k, const char *qemu, struct vt_error *err)
{
    const char *words = wanted(k->job->config);
    const struct vt_keeper_service *service = with_gpu(k);
    int socks[2] = {-1, -1}, listener = -1, log = -1;
    if (words == NULL) {
        return 0;
    }
    if (service == NULL) {
        return vt_fail(err, VT_E_UNSUPPORTED, "%s: there is nobody to be the GPU 'venus'",
                       k->info.name);
    }
    int rc = check_qemu(k, qemu, err);
    rc = rc != 0 ? rc : listen_and_log(k, &listener, &log, err);
    if (rc == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "socketpair");
    }
    if (rc == 0) {
        const pid_t parent = getpid();
        const pid_t child = fork();
        if (child == 0) {
            be_gpu(k, service, words, socks[0], listener, log, parent);
        }
        if (child < 0) {
            rc = vt_fail_errno(err, VT_E_NOMEM, errno, "%s: fork", k->info.name);
        } else {
            k->gpu_pid = child;
            k->fds.gpu = socks[1];
            socks[1] = -1;
        }
    }
    vt_close(&socks[0]);
    vt_close(&socks[1]);
    vt_close(&listener);
    vt_close(&log);
    return rc;
}

void vt_keeper_end_gpu(struct vt_keeper *k)
{
    if (k->gpu_pid > 0) {
        kill(k->gpu_pid, SIGKILL); /* our child until it is waited for */
        while (waitpid(k->gpu_pid, NULL, 0) < 0 && errno == EINTR) {
        }
        k->gpu_pid = 0;
    }
}
