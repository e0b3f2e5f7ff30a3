/* gpu/sandbox.c - see sandbox.h.
 *
 * Landlock is entered first: seccomp forbids its calls. A system call that is not in the list fails
 * with EPERM instead of ending the process, since drivers try what they can do without.
 */
#include "gpu/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of newer kernels than the headers that we build with. */
#define ACCESS_REFER (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE (UINT64_C(1) << 14)
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15)
#define SCOPE_ABSTRACT_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

struct ruleset {
    uint64_t handled_fs;
    uint64_t handled_net;
    uint64_t scoped;
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LOAD (READ | LANDLOCK_ACCESS_FS_EXECUTE)
#define DEVICE (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_IOCTL_DEV)

/* What is not there is left out. */
static const struct place {
    const char *path;
    uint64_t access;
} places[] = {
    /* Libraries, manifests, a driver's tables. */
    {"/usr", LOAD},
    {"/lib", LOAD},
    {"/lib64", LOAD},
    {"/etc/ld.so.cache", READ},
    {"/etc/vulkan", READ},
    {"/etc/drirc", READ},
    {"/etc/nvidia", READ},
    {"/run/opengl-driver", LOAD},
    /* Which GPUs and CPUs there are, and how much memory. */
    {"/sys/devices", READ},
    {"/sys/dev/char", READ},
    {"/sys/bus/pci", READ},
    {"/sys/class/drm", READ},
    {"/sys/module", READ},
    {"/proc/self", READ},
    {"/proc/cpuinfo", READ},
    {"/proc/meminfo", READ},
    {"/proc/devices", READ},
    {"/proc/modules", READ},
    {"/proc/driver", READ},
    /* GPUs. */
    {"/dev/dri", DEVICE},
    {"/dev/kfd", DEVICE},
    {"/dev/mali0", DEVICE},
    {"/dev/kgsl-3d0", DEVICE},
    {"/dev/nvidiactl", DEVICE},
    {"/dev/nvidia-modeset", DEVICE},
    {"/dev/nvidia-uvm", DEVICE},
    {"/dev/nvidia-uvm-tools", DEVICE},
    {"/dev/nvidia-caps", DEVICE},
    {"/dev/udmabuf", DEVICE},
    {"/dev/null", DEVICE},
    {"/dev/zero", DEVICE},
    {"/dev/urandom", READ},
};

static int allow(int ruleset, const char *path, uint64_t access, uint64_t handled,
                 struct vt_error *err)
{
    struct stat st;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access & handled,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };
    if (rule.parent_fd < 0) {
        return 0;
    }
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
        rule.allowed_access &= ~(uint64_t)LANDLOCK_ACCESS_FS_READ_DIR;
    }
    long rc = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int why = errno;
    close(rule.parent_fd);
    return rc == 0 ? 0 : vt_fail_errno(err, VT_E_UNSUPPORTED, why, "Landlock: %s", path);
}

/* The library that a driver's manifest names, if by a path. */
static int allow_driver(int ruleset, const char *manifest, uint64_t handled, struct vt_error *err)
{
    json_t *json = json_load_file(manifest, JSON_REJECT_DUPLICATES, NULL);
    const char *library =
        json_string_value(json_object_get(json_object_get(json, "ICD"), "library_path"));
    int rc = 0;
    if (library != NULL && library[0] == '/') {
        rc = allow(ruleset, library, LOAD, handled, err);
    }
    json_decref(json);
    return rc;
}

/* Paths with ':' between them, as the loaders take them from the environment. */
static int allow_listed(int ruleset, const char *variable, uint64_t access, uint64_t handled,
                        struct vt_error *err)
{
    const char *list = getenv(variable);
    int rc = 0;
    while (rc == 0 && list != NULL && *list != '\0') {
        char path[PATH_MAX];
        size_t n = strcspn(list, ":");
        if (n > 0 && n < sizeof path) {
            memcpy(path, list, n);
            path[n] = '\0';
            rc = allow(ruleset, path, access, handled, err);
            if (rc == 0 && strstr(path, ".json") != NULL) {
                rc = allow_driver(ruleset, path, handled, err);
            }
        }
        list += n + (list[n] == ':');
    }
    return rc;
}

static int allow_all(int ruleset, uint64_t handled, struct vt_error *err)
{
    static const struct place variables[] = {
        {"LD_LIBRARY_PATH", LOAD},      {"VK_DRIVER_FILES", READ}, {"VK_ICD_FILENAMES", READ},
        {"VK_ADD_DRIVER_FILES", READ},  {"VK_LAYER_PATH", LOAD},   {"VK_ADD_LAYER_PATH", LOAD},
        {"VITRINE_SANDBOX_READ", LOAD},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof places / sizeof places[0]; i++) {
        rc = allow(ruleset, places[i].path, places[i].access, handled, err);
    }
    for (size_t i = 0; rc == 0 && i < sizeof variables / sizeof variables[0]; i++) {
        rc = allow_listed(ruleset, variables[i].path, variables[i].access, handled, err);
    }
    for (unsigned i = 0; rc == 0 && i < 32; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/nvidia%u", i);
        rc = allow(ruleset, path, DEVICE, handled, err);
    }
    return rc;
}

static int enter_landlock(struct vt_error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return vt_fail_errno(err, VT_E_UNSUPPORTED, errno, "this kernel has no Landlock");
    }
    struct ruleset attr = {.handled_fs = (UINT64_C(1) << 13) - 1};
    size_t size = sizeof attr.handled_fs;
    attr.handled_fs |= abi >= 2 ? ACCESS_REFER : 0;
    attr.handled_fs |= abi >= 3 ? ACCESS_TRUNCATE : 0;
    attr.handled_fs |= abi >= 5 ? ACCESS_IOCTL_DEV : 0;
    if (abi >= 4) {
        attr.handled_net = 3; /* TCP: bind and connect */
        size += sizeof attr.handled_net;
    }
    if (abi >= 6) {
        attr.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
        size += sizeof attr.scoped;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0) {
        return vt_fail_errno(err, VT_E_UNSUPPORTED, errno, "Landlock");
    }
    int rc = allow_all(ruleset, attr.handled_fs, err);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        rc = vt_fail_errno(err, VT_E_UNSUPPORTED, errno, "Landlock");
    }
    close(ruleset);
    return rc;
}

/* ---------------------------------------------------------------- seccomp */

/* What threads, memory, descriptors that are there, the clock and a driver's device files take. */
static const int calls[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_close,
    SYS_close_range,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_openat,
    SYS_dup,
    SYS_dup3,
    SYS_fcntl,
    SYS_flock,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_memfd_create,
    SYS_ioctl,
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_pipe2,
    SYS_recvmsg,
    SYS_recvfrom,
    SYS_sendmmsg,
    SYS_sendmsg,
    SYS_sendto,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_shutdown,
    SYS_accept4, /* of what somebody else made listen */
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_msync,
    SYS_mincore,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_brk,
    SYS_membarrier,
    SYS_get_mempolicy,
    SYS_mbind,
    SYS_set_mempolicy,
    SYS_futex,
#ifdef SYS_futex_waitv
    SYS_futex_waitv,
#endif
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_exit,
    SYS_exit_group,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getcpu,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_setscheduler,
    SYS_sched_get_priority_min,
    SYS_sched_get_priority_max,
    SYS_getpriority,
    SYS_setpriority,
    SYS_getrlimit,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_uname,
    SYS_prctl,
    SYS_getrandom,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_times,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_tgkill,
    SYS_restart_syscall,
    SYS_kcmp,
#ifdef __x86_64__ /* of older programming interfaces, still in use */
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_poll,
    SYS_select,
    SYS_epoll_wait,
    SYS_dup2,
    SYS_pipe,
    SYS_time,
    SYS_arch_prctl,
#endif
};
#define N_CALLS (sizeof calls / sizeof calls[0])

#if defined __x86_64__
#define OURS AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define OURS AUDIT_ARCH_AARCH64
#elif defined __riscv
#define OURS AUDIT_ARCH_RISCV64
#else
#define OURS 0
#endif

#define FIELD(f) ((uint32_t)offsetof(struct seccomp_data, f))
#define RETURN(what) ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (what)))
#define LOAD_WORD(at) ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at)))
/* Skips one instruction unless A is k. */
#define UNLESS(k) ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, 1))

static int enter_seccomp(struct vt_error *err)
{
    struct sock_filter program[N_CALLS * 2 + 32];
    unsigned short n = 0;
    program[n++] = LOAD_WORD(FIELD(arch));
    program[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OURS, 1, 0); /* else fall into */
    program[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
    program[n++] = LOAD_WORD(FIELD(nr));
    for (size_t i = 0; i < N_CALLS; i++) {
        program[n++] = UNLESS((uint32_t)calls[i]);
        program[n++] = RETURN(SECCOMP_RET_ALLOW);
    }
    /* Its flags lie in memory, where they cannot be looked at: libraries then use clone. */
    program[n++] = UNLESS(SYS_clone3);
    program[n++] = RETURN(SECCOMP_RET_ERRNO | ENOSYS);
    /* Threads, no processes. */
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
    program[n++] = LOAD_WORD(FIELD(args[0]));
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
    program[n++] = RETURN(SECCOMP_RET_ALLOW);
    program[n++] = RETURN(SECCOMP_RET_ERRNO | EPERM);
    const struct sock_fprog filter = {.len = n, .filter = program};
    if (OURS == 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        return vt_fail_errno(err, VT_E_UNSUPPORTED, OURS == 0 ? ENOSYS : errno,
                             "this kernel has no seccomp filters");
    }
    return 0;
}

int vt_gpu_sandbox_enter(unsigned descriptors_max, struct vt_error *err)
{
    const struct rlimit none = {0}, descriptors = {descriptors_max, descriptors_max};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_NOFILE, &descriptors) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return vt_fail_errno(err, VT_E_UNSUPPORTED, errno, "the sandbox's limits");
    }
    int rc = enter_landlock(err);
    return rc != 0 ? rc : enter_seccomp(err);
}
