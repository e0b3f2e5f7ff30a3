/* machine/accel.c - see accel.h. */
#include "machine/accel.h"

#include "base/io.h"
#include "base/paths.h"
#include "machine/guest_image.h"
#include "machine/process.h"
#include "machine/vmdir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* A kernel that boots says something all the time: silence is a hang. */
#define SILENCE_MS 3000
#define TOTAL_MS 20000
#define BOOTED "shell ready"

bool vt_accel_needs_fd(void)
{
    struct stat st;
    return geteuid() == 0 && (stat("/dev/kvm", &st) != 0 || st.st_gid == 0 ||
                              (st.st_mode & (S_IRGRP | S_IWGRP)) != (S_IRGRP | S_IWGRP));
}

/* What the verdict holds for: this boot of the host and this QEMU. */
static int make_key(const char *qemu, char *key, size_t size, struct vt_error *err)
{
    char *boot_id;
    struct stat st;
    int rc = vt_read_file("/proc/sys/kernel/random/boot_id", 256, &boot_id, NULL, err);
    if (rc != 0) {
        return rc;
    }
    boot_id[strcspn(boot_id, "\n")] = '\0';
    if (stat(qemu, &st) != 0) {
        st.st_mtim.tv_sec = 0;
    }
    int n = snprintf(key, size, "%s %lld %s", boot_id, (long long)st.st_mtim.tv_sec, qemu);
    free(boot_id);
    return n > 0 && (size_t)n < size ? 0 : vt_fail(err, VT_E_LIMIT, "%s: path too long", qemu);
}

static int verdict_path(char path[PATH_MAX], struct vt_error *err)
{
    char cache[PATH_MAX];
    int rc = vt_path_cache(cache, err);
    rc = rc != 0 ? rc : vt_make_dirs(cache, 0755, err);
    return rc != 0 ? rc : vt_path_format(path, err, "%s/kvm-verdict", cache);
}

static const char *recall(const char *path, const char *key)
{
    char *text;
    const char *accel = NULL;
    if (vt_read_file(path, PATH_MAX + 256, &text, NULL, NULL) != 0) {
        return NULL;
    }
    if (strncmp(text, "kvm ", 4) == 0 && strcmp(text + 4, key) == 0) {
        accel = "kvm";
    } else if (strncmp(text, "tcg ", 4) == 0 && strcmp(text + 4, key) == 0) {
        accel = "tcg";
    }
    free(text);
    return accel;
}

static void remember(const char *path, const char *key, const char *accel)
{
    char text[PATH_MAX + 256];
    int n = snprintf(text, sizeof text, "%s %s", accel, key);
    if (n > 0 && (size_t)n < sizeof text) {
        vt_write_file_atomic(path, text, (size_t)n, 0644, NULL);
    }
}

struct trial {
    struct vt_guest_image image;
    char qemu[PATH_MAX];
    struct vt_identity identity;
    int kvm_fd, kernel_fd, initrd_fd;
    int output[2];
};

static int spawn(struct trial *t, pid_t *pid, struct vt_error *err)
{
    char add_fd[64], kernel[64], initrd[64], append[512];
    snprintf(add_fd, sizeof add_fd, "fd=%d,set=1", t->kvm_fd);
    snprintf(kernel, sizeof kernel, "/proc/self/fd/%d", t->kernel_fd);
    snprintf(initrd, sizeof initrd, "/proc/self/fd/%d", t->initrd_fd);
    snprintf(append, sizeof append, "%s earlyprintk=serial loglevel=7 panic=-1", t->image.append);
    const char *const argv[] = {t->qemu,       "-no-user-config",
                                "-nodefaults", "-no-reboot",
                                "-display",    "none",
                                "-machine",    "q35",
                                "-add-fd",     add_fd,
                                "-accel",      "kvm,device=/dev/fdset/1",
                                "-cpu",        "max",
                                "-m",          "256M",
                                "-kernel",     kernel,
                                "-initrd",     initrd,
                                "-append",     append,
                                "-serial",     "stdio",
                                NULL};
    const int fds[] = {t->kvm_fd, t->kernel_fd, t->initrd_fd};
    struct vt_spawn spawn = {.program = t->qemu,
                             .argv = (char *const *)(uintptr_t)argv,
                             .identity = &t->identity,
                             .fds = fds,
                             .n_fds = 3,
                             .log_fd = t->output[1],
                             .preload_fd = -1};
    return vt_spawn(&spawn, pid, err);
}

/* Reads the console until the guest's shell speaks. */
static int watch(int fd, const volatile int *stop, struct vt_error *err)
{
    char text[8192];
    size_t used = 0;
    uint64_t end = vt_deadline_ms(TOTAL_MS);
    for (;;) {
        uint64_t silence = vt_deadline_ms(SILENCE_MS);
        int rc = vt_wait_fd(fd, POLLIN, silence < end ? silence : end, stop, err);
        if (rc != 0) {
            return rc;
        }
        ssize_t n = read(fd, text + used, sizeof text - used);
        if (n <= 0) {
            return vt_fail(err, VT_E_GONE, "QEMU ended");
        }
        used += (size_t)n;
        if (memmem(text, used, BOOTED, sizeof BOOTED - 1) != NULL) {
            return 0;
        }
        if (used > sizeof text / 2) { /* keeps what may be the beginning of the words */
            memmove(text, text + used - sizeof BOOTED, sizeof BOOTED);
            used = sizeof BOOTED;
        }
    }
}

/* 0: the guest booted. */
static int try_kvm(struct trial *t, const volatile int *stop, struct vt_error *err)
{
    int registry;
    pid_t pid;
    int rc = vt_guest_default(NULL, &t->image, err);
    rc = rc != 0 ? rc : vt_registry_lock(&registry, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_identity_pick("kvm-trial", NULL, true, &t->identity, err);
    close(registry);
    rc = rc != 0 ? rc : vt_open_for_qemu(t->image.kernel, &t->identity, &t->kernel_fd, err);
    rc = rc != 0 ? rc : vt_open_for_qemu(t->image.initrd, &t->identity, &t->initrd_fd, err);
    if (rc == 0 && pipe2(t->output, O_CLOEXEC) != 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "pipe");
    }
    rc = rc != 0 ? rc : spawn(t, &pid, err);
    if (rc != 0) {
        return rc;
    }
    vt_close(&t->output[1]);
    rc = watch(t->output[0], stop, err);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return rc;
}

/* The host's own, and the one that the trial's guest is for. */
static bool can_be_tried(const char *arch)
{
    struct utsname host;
    return strcmp(arch, "x86_64") == 0 && uname(&host) == 0 && strcmp(host.machine, arch) == 0;
}

int vt_accel_pick(const char *arch, const volatile int *stop, const char **accel,
                  struct vt_error *err)
{
    char key[PATH_MAX + 128], path[PATH_MAX];
    struct vt_error why;
    struct trial t = {.kvm_fd = -1, .kernel_fd = -1, .initrd_fd = -1, .output = {-1, -1}};
    *accel = "tcg";
    if (!can_be_tried(arch)) {
        return 0;
    }
    t.kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (t.kvm_fd < 0) {
        return 0;
    }
    int rc = vt_qemu_find("x86_64", t.qemu, &why);
    rc = rc != 0 ? rc : make_key(t.qemu, key, sizeof key, &why);
    rc = rc != 0 ? rc : verdict_path(path, &why);
    const char *known = rc == 0 ? recall(path, key) : NULL;
    if (known != NULL) {
        *accel = known;
    } else if (rc == 0) {
        rc = try_kvm(&t, stop, &why);
        *accel = rc == 0 ? "kvm" : "tcg";
        if (rc == 0 || rc == VT_E_TIMEOUT || rc == VT_E_GONE) {
            remember(path, key, *accel);
        }
    }
    vt_close(&t.kvm_fd);
    vt_close(&t.kernel_fd);
    vt_close(&t.initrd_fd);
    vt_close(&t.output[0]);
    vt_close(&t.output[1]);
    return rc == VT_E_INTERRUPTED ? vt_fail(err, VT_E_INTERRUPTED, "interrupted while trying KVM")
                                  : 0;
}
