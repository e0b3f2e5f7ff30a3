/* machine/process.c - see process.h. */
#include "machine/process.h"

#include "base/io.h"
#include "base/paths.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define QEMU_PROGRAM "qemu-system-"

/* "VITRINE_QEMU", "VITRINE_QEMU_AARCH64" */
static void variable_of(const char *arch, char *name, size_t size)
{
    int n = snprintf(name, size, "VITRINE_QEMU");
    if (strcmp(arch, "x86_64") != 0) {
        snprintf(name + n, size - (size_t)n, "_%s", arch);
        for (char *c = name; *c != '\0'; c++) {
            *c = (char)toupper((unsigned char)*c);
        }
    }
}

int vt_qemu_find(const char *arch, char path[PATH_MAX], struct vt_error *err)
{
    char variable[64];
    variable_of(arch, variable, sizeof variable);
    const char *set = getenv(variable);
    if (set != NULL && set[0] != '\0') {
        if (access(set, X_OK) != 0) {
            return vt_fail_errno(err, VT_E_NOT_FOUND, errno, "%s: %s", variable, set);
        }
        return vt_path_format(path, err, "%s", set);
    }
    char cache[PATH_MAX], at[PATH_MAX];
    if (vt_path_cache(cache, NULL) == 0 &&
        vt_path_format(at, NULL, "%s/qemu/" QEMU_PROGRAM "%s", cache, arch) == 0 &&
        access(at, X_OK) == 0) {
        return vt_path_format(path, err, "%s", at);
    }
    const char *dirs = getenv("PATH");
    for (const char *p = dirs != NULL ? dirs : "/usr/bin"; *p != '\0';) {
        size_t n = strcspn(p, ":");
        if (n > 0 && p[0] == '/' &&
            vt_path_format(at, NULL, "%.*s/" QEMU_PROGRAM "%s", (int)n, p, arch) == 0 &&
            access(at, X_OK) == 0) {
            return vt_path_format(path, err, "%s", at);
        }
        p += n + (p[n] == ':');
    }
    return vt_fail(err, VT_E_NOT_FOUND,
                   "no " QEMU_PROGRAM "%s: not in %s, in the cache (tools/setup qemu makes it) or "
                   "in PATH",
                   arch, variable);
}

/* The range systemd uses for services without an account. */
#define UID_FIRST 61184u
#define UID_LAST 65519u

static bool owns_shared_memory(uid_t uid)
{
    bool found = false;
    DIR *d = opendir("/dev/shm");
    for (struct dirent *e; d != NULL && !found && (e = readdir(d)) != NULL;) {
        struct stat st;
        found = fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == uid;
    }
    if (d != NULL) {
        closedir(d);
    }
    return found;
}

static int find_account(const char *user, struct vt_identity *identity, struct vt_error *err)
{
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "no user '%s'", user);
    }
    identity->uid = pw->pw_uid;
    identity->gid = pw->pw_gid;
    return 0;
}

int vt_identity_pick(const char *name, const char *user, bool kvm, struct vt_identity *identity,
                     struct vt_error *err)
{
    struct vt_identity id = {.uid = geteuid(), .gid = getegid(), .kvm_gid = (gid_t)-1};
    if (geteuid() != 0) {
        if (user != NULL) {
            return vt_fail(err, VT_E_UNSUPPORTED, "--user %s: only root can change the user", user);
        }
        *identity = id;
        return 0;
    }
    id.change = true;
    struct stat st;
    if (kvm && stat("/dev/kvm", &st) == 0) {
        id.kvm_gid = st.st_gid;
    }
    if (user != NULL) {
        int rc = find_account(user, &id, err);
        if (rc == 0) {
            *identity = id;
        }
        return rc;
    }
    uint32_t hash = 2166136261u; /* FNV-1a: a VM mostly gets the uid it had last time */
    for (const char *p = name; *p != '\0'; p++) {
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    }
    const uint32_t range = UID_LAST - UID_FIRST + 1;
    for (uint32_t i = 0; i < range; i++) {
        id.uid = UID_FIRST + (hash + i) % range;
        if (getpwuid(id.uid) == NULL && !owns_shared_memory(id.uid)) {
            id.gid = id.uid;
            *identity = id;
            return 0;
        }
    }
    return vt_fail(err, VT_E_LIMIT, "%s: no free uid between %u and %u", name, UID_FIRST, UID_LAST);
}

static int copy_to_memory(const char *path, int from, int *fd, struct vt_error *err)
{
    int to = memfd_create("vitrine-image", MFD_CLOEXEC);
    if (to < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "%s: memfd_create", path);
    }
    static char block[1 << 16];
    for (;;) {
        ssize_t n = read(from, block, sizeof block);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        int rc = n < 0    ? vt_fail_errno(err, VT_E_IO, errno, "reading %s", path)
                 : n == 0 ? 0
                          : vt_write_all(to, block, (size_t)n, "a copy in memory", err);
        if (rc != 0) {
            close(to);
            return rc;
        }
        if (n == 0) {
            *fd = to;
            return 0;
        }
    }
}

int vt_open_for_qemu(const char *path, const struct vt_identity *identity, int *fd,
                     struct vt_error *err)
{
    struct stat st;
    int f = open(path, O_RDONLY | O_CLOEXEC);
    if (f < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    int rc = 0;
    if (fstat(f, &st) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = vt_fail(err, VT_E_INVAL, "%s is not a regular file", path);
    } else if (identity->change && (st.st_mode & S_IROTH) == 0) {
        int copy = -1;
        rc = copy_to_memory(path, f, &copy, err);
        if (rc == 0) {
            close(f);
            f = copy;
        }
    }
    if (rc != 0) {
        close(f);
        return rc;
    }
    *fd = f;
    return 0;
}

/* Only what QEMU and its launcher use: root's environment is not for an unprivileged process. */
static int make_environment(const struct vt_spawn *spawn)
{
    static const char *const kept[] = {"PATH", "LD_LIBRARY_PATH", "QEMU_MODULE_DIR", "TMPDIR"};
    char *values[sizeof kept / sizeof kept[0]];
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        const char *v = getenv(kept[i]);
        values[i] = v != NULL ? strdup(v) : NULL;
    }
    clearenv();
    int rc = 0;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        rc |= values[i] != NULL ? setenv(kept[i], values[i], 1) : 0;
    }
    if (spawn->preload_fd >= 0) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", spawn->preload_fd);
        rc |= setenv("LD_PRELOAD", path, 1);
        rc |= setenv("VITRINE_TRACK_RAM", spawn->ram_path, 1);
    }
    return rc;
}

int vt_identity_become(const struct vt_identity *id, const gid_t *groups, size_t n)
{
    if (!id->change) {
        return 0;
    }
    return setgroups(n, groups) != 0 || setresgid(id->gid, id->gid, id->gid) != 0 ||
                   setresuid(id->uid, id->uid, id->uid) != 0
               ? -1
               : 0;
}

/* In the child: never returns; a failure's errno goes up the pipe. */
static void exec_child(const struct vt_spawn *spawn, pid_t parent, int report)
{
    const struct vt_identity *id = spawn->identity;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    struct rlimit no_core = {0};
    setrlimit(RLIMIT_CORE, &no_core);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool ok = null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
              dup2(spawn->log_fd, STDOUT_FILENO) >= 0 && dup2(spawn->log_fd, STDERR_FILENO) >= 0;
    for (size_t i = 0; ok && i < spawn->n_fds; i++) {
        ok = spawn->fds[i] < 0 || fcntl(spawn->fds[i], F_SETFD, 0) == 0;
    }
    ok = ok && make_environment(spawn) == 0 &&
         vt_identity_become(id, &id->kvm_gid, id->kvm_gid != (gid_t)-1) == 0 &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_PDEATHSIG, SIGKILL) == 0; /* after setuid, which clears it */
    if (ok && getppid() == parent) {
        execv(spawn->program, spawn->argv);
    }
    int why = errno;
    ssize_t ignored = write(report, &why, sizeof why);
    (void)ignored;
    _exit(127);
}

int vt_spawn(const struct vt_spawn *spawn, pid_t *pid, struct vt_error *err)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "pipe");
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) {
        int rc = vt_fail_errno(err, VT_E_NOMEM, errno, "%s: fork", spawn->program);
        close(report[0]);
        close(report[1]);
        return rc;
    }
    if (child == 0) {
        exec_child(spawn, parent, report[1]);
    }
    close(report[1]);
    int why = 0;
    ssize_t n = read(report[0], &why, sizeof why);
    close(report[0]);
    if (n == (ssize_t)sizeof why) {
        return vt_fail_errno(err, vt_code_of_errno(why), why, "starting %s", spawn->program);
    }
    *pid = child;
    return 0;
}
