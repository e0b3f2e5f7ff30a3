/* processes.c - threads and children: states, identities, namespaces, environments. */
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *thread(void *arg)
{
    (void)arg;
    sleep_for_ever();
}

static int threads(void)
{
    static const char *const names[] = {"wl-alpha", "wl-beta", "wl-gamma", "odd (name) \x01"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pthread_t id;
        errno = pthread_create(&id, NULL, thread, NULL);
        errno = errno != 0 ? errno : pthread_setname_np(id, names[i]);
        if (errno != 0) {
            return -1;
        }
    }
    return 0;
}

static void exec_sleeper(void)
{
    static char value[60][256], *env[61];
    for (int i = 0; i < 60; i++) {
        snprintf(value[i], sizeof value[i], "VARIABLE_%02d=%0*d", i, 200, i);
        env[i] = value[i];
    }
    env[7][0] = '\x1b'; /* not every environment is friendly */
    execle("/proc/self/exe", "workload", "sleeper", "with", "some arguments", "", "--and=options",
           NULL, env);
}

static int rich_environment(void)
{
    return child("wl-env", exec_sleeper) < 0 ? -1 : 0;
}

/* Runs from a file that is gone. */
static void exec_gone(void)
{
    execl("/run/workload/gone", "gone", "sleeper", NULL);
}

static int deleted_program(void)
{
    if (shell("cp /proc/$PPID/exe /run/workload/gone && chmod 755 /run/workload/gone") != 0 ||
        child("wl-gone", exec_gone) < 0) {
        return -1;
    }
    return unlink("/run/workload/gone");
}

static void elsewhere(void)
{
    mkdir("/run/workload/cwd", 0755);
    mkdir("/run/workload/root", 0755);
    if (chdir("/run/workload/cwd") != 0 || chroot("/run/workload/root") != 0) {
        say("elsewhere: left out: %s", strerror(errno));
    }
}

static int other_directory(void)
{
    return child("wl-elsewhere", elsewhere) < 0 ? -1 : 0;
}

static int zombie(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, "wl-zombie");
        _exit(3);
    }
    return pid < 0 ? -1 : waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
}

static void stop(void)
{
    raise(SIGSTOP);
}

static int stopped(void)
{
    pid_t pid = child("wl-stopped", stop);
    return pid < 0 ? -1 : waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WSTOPPED | WNOWAIT);
}

static void be_traced(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGUSR1);
}

static int traced(void)
{
    pid_t pid = child("wl-traced", be_traced);
    return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

/* The parent of a vfork sleeps uninterruptibly until its child is another program. */
static void wait_for_vfork(void)
{
    if (vfork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sleep_for_ever();
    }
}

static int uninterruptible(void)
{
    return child("wl-vfork", wait_for_vfork) < 0 ? -1 : 0;
}

static int set_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const unsigned raw = 1u << CAP_NET_RAW, time = 1u << CAP_SYS_TIME;
    struct __user_cap_data_struct data[2] = {
        {.effective = raw, .permitted = raw | time, .inheritable = raw},
        {.permitted = 1u << (CAP_SYSLOG - 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

static void other_identity(void)
{
    const gid_t groups[] = {5, 100, 31337};
    bool ok = prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE) == 0 && prctl(PR_SET_KEEPCAPS, 1) == 0 &&
              setgroups(3, groups) == 0 && setresgid(1001, 1002, 1003) == 0 &&
              setresuid(2001, 2002, 2003) == 0 && set_capabilities() == 0 &&
              prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) == 0 &&
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!ok) {
        say("wl-creds: left out: %s", strerror(errno));
    }
}

static int credentials(void)
{
    return child("wl-creds", other_identity) < 0 ? -1 : 0;
}

static void bring_up_lo(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8100)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(fd, 5) != 0) {
        say("inner network: left out: %s", strerror(errno));
    }
}

static void inside(void)
{
    if (sethostname("inner-host", 10) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("inner", "/mnt", "tmpfs", MS_NOSUID, "size=128k") != 0) {
        say("inner: left out: %s", strerror(errno));
    }
    bring_up_lo();
}

static void enter_namespaces(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWPID |
                CLONE_NEWIPC | CLONE_NEWCGROUP) != 0 ||
        put("/proc/self/setgroups", "deny") != 0 || put("/proc/self/uid_map", "0 0 1") != 0 ||
        put("/proc/self/gid_map", "0 0 1") != 0 || child("wl-inner", inside) < 0) {
        say("wl-outer: left out: %s", strerror(errno));
    }
}

static int namespaces(void)
{
    return child("wl-outer", enter_namespaces) < 0 ? -1 : 0;
}

static void own_terminal(void)
{
    int host, guest;
    if (openpty(&host, &guest, NULL, NULL, NULL) != 0 || setsid() < 0 ||
        ioctl(guest, TIOCSCTTY, 0) != 0 || dup2(guest, 0) != 0) {
        say("wl-pty: left out: %s", strerror(errno));
    }
}

static int terminal(void)
{
    return child("wl-pty", own_terminal) < 0 ? -1 : 0;
}

static void realtime(void)
{
    const struct sched_param priority = {.sched_priority = 42};
    setpriority(PRIO_PROCESS, 0, -7);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0 ||
        sched_setaffinity(0, sizeof cpus, &cpus) != 0) {
        say("wl-fifo: left out: %s", strerror(errno));
    }
}

static int scheduling(void)
{
    return child("wl-fifo", realtime) < 0 ? -1 : 0;
}

static void join_cgroup(void)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    if (put("/sys/fs/cgroup/workload/inner/cgroup.procs", pid) != 0) {
        say("wl-cgroup: left out: %s", strerror(errno));
    }
}

static int control_group(void)
{
    return child("wl-cgroup", join_cgroup) < 0 ? -1 : 0;
}

const struct item process_items[] = {
    {"threads", threads},
    {"rich-environment", rich_environment},
    {"deleted-program", deleted_program},
    {"other-directory", other_directory},
    {"zombie", zombie},
    {"stopped", stopped},
    {"traced", traced},
    {"uninterruptible", uninterruptible},
    {"credentials", credentials},
    {"namespaces", namespaces},
    {"terminal", terminal},
    {"scheduling", scheduling},
    {"control-group", control_group},
    {0},
};
