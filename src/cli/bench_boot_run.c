/* cli/bench_boot_run.c - see bench_boot.h. */
#include "cli/bench_boot.h"

#include "base/io.h"
#include "cli/vm.h"
#include "machine/console_client.h"
#include "machine/expect.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SERVICES_MS 120000

/* ---------------------------------------------------------------- clocks */

static double seconds(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int vt_bench_clocks(pid_t qemu, struct vt_bench_clocks *c, struct vt_error *err)
{
    char path[64], text[1024];
    unsigned long long user, system;
    clockid_t cpu;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)qemu);
    FILE *f = fopen(path, "re");
    size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f != NULL) {
        fclose(f);
    }
    text[n] = '\0';
    /* proc(5): utime and stime are fields 14 and 15; the name, field 2, may hold anything. */
    const char *at = strrchr(text, ')');
    if (at == NULL ||
        sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) !=
            2 ||
        clock_getcpuclockid(qemu, &cpu) != 0) {
        return vt_fail(err, VT_E_GONE, "QEMU ended while it was measured");
    }
    double hz = (double)sysconf(_SC_CLK_TCK);
    c->user = (double)user / hz;
    c->system = (double)system / hz;
    c->cpu = seconds(cpu);
    c->wall = seconds(CLOCK_MONOTONIC);
    c->ours = seconds(CLOCK_PROCESS_CPUTIME_ID);
    return 0;
}

struct vt_bench_clocks vt_bench_clocks_since(const struct vt_bench_clocks *begin,
                                             const struct vt_bench_clocks *end)
{
    return (struct vt_bench_clocks){.wall = end->wall - begin->wall,
                                    .cpu = end->cpu - begin->cpu,
                                    .user = end->user - begin->user,
                                    .system = end->system - begin->system,
                                    .ours = end->ours - begin->ours};
}

/* ---------------------------------------------------------------- guests */

int vt_bench_default_guest(struct vt_vm_config *config, struct vt_guest_image *image,
                           struct vt_error *err)
{
    int rc = vt_guest_default(NULL, image, err);
    config->kernel = image->kernel;
    config->initrd = image->initrd;
    config->append = image->append;
    return rc;
}

int vt_bench_boot_start(struct vt_vm_config *config, struct vt_vm **vm, struct vt_error *err)
{
    static unsigned vms;
    struct vt_guest_image image;
    char name[VT_VM_NAME_MAX + 1];
    const char *given = config->name;
    snprintf(name, sizeof name, "bench-%d-b%u", (int)getpid(), vms++);
    config->name = given != NULL ? given : name;
    int rc = vt_bench_default_guest(config, &image, err);
    rc = rc != 0 ? rc : vt_vm_start(config, vt_cli_services, &vt_interrupted, err);
    rc = rc != 0 ? rc : vt_vm_open(config->name, vm, err);
    config->name = given;
    config->kernel = config->initrd = config->append = NULL; /* image's, which ends here */
    return rc;
}

int vt_bench_boot(struct vt_vm *vm, uint64_t timeout_ms, struct vt_bench_clocks *took,
                  struct vt_error *err)
{
    struct vt_bench_clocks begin = {0}, end = {0};
    pid_t qemu = vt_vm_info(vm)->qemu_pid;
    int console = -1;
    struct vt_expect *e = malloc(sizeof *e);
    if (e == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a console");
    }
    int rc = vt_console_open(vm, true, &console, err);
    if (rc == 0) {
        vt_expect_init(e, console, &vt_interrupted);
        rc = vt_bench_clocks(qemu, &begin, err);
    }
    rc = rc != 0 ? rc : vt_vm_resume(vm, err);
    rc = rc != 0 ? rc : vt_expect_text(e, "shell ready", vt_deadline_ms(timeout_ms), err);
    rc = rc != 0 ? rc : vt_bench_clocks(qemu, &end, err);
    if (rc == 0) {
        *took = vt_bench_clocks_since(&begin, &end);
    }
    vt_close(&console);
    free(e);
    return rc;
}

int vt_bench_wait_services(struct vt_vm *vm, struct vt_error *err)
{
    int code;
    return vt_console_exec(vm, "until pidof heartbeat >/dev/null; do usleep 100000; done",
                           vt_deadline_ms(SERVICES_MS), &vt_interrupted, NULL, NULL, &code, err);
}

void vt_bench_boot_end(struct vt_vm *vm)
{
    if (vm != NULL) {
        vt_vm_kill(vm, NULL);
        vt_vm_close(vm);
    }
}

/* ---------------------------------------------------------------- files */

int vt_bench_dir_make(struct vt_bench_dir *dir, struct vt_error *err)
{
    strcpy(dir->path, "/dev/shm/vitrine-bench-XXXXXX");
    if (mkdtemp(dir->path) == NULL) {
        int code = errno;
        dir->path[0] = '\0';
        return vt_fail_errno(err, VT_E_IO, code, "/dev/shm");
    }
    /* QEMU's user goes through. */
    return chmod(dir->path, 0711) == 0 ? 0 : vt_fail_errno(err, VT_E_IO, errno, "%s", dir->path);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

void vt_bench_dir_remove(struct vt_bench_dir *dir)
{
    if (dir->path[0] != '\0') {
        (void)nftw(dir->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
}
