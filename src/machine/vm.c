/* machine/vm.c - a handle on a VM that runs: its QMP sockets, its keeper, its state. */
#include "vitrine/machine.h"

#include "base/io.h"
#include "base/paths.h"
#include "machine/ended.h"
#include "machine/inspect.h"
#include "machine/keeper_socket.h"
#include "machine/machines.h"
#include "machine/qmp.h"
#include "machine/vmdir.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

struct vt_vm {
    struct vt_vm_info info;
    struct vt_qmp *qmp; /* kept between commands; never for an attached VM, which has but one */
};

const char *vt_vm_state_name(enum vt_vm_state state)
{
    static const char *const names[] = {"unknown", "running",   "paused", "shutdown",
                                        "crashed", "migrating", "dead"};
    return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

static int no_such_vm(const char *name, struct vt_error *err)
{
    char why[400];
    return vt_ended_read(name, why, sizeof why)
               ? vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s' (%s)", name, why)
               : vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s'", name);
}

int vt_vm_open(const char *name, struct vt_vm **vm, struct vt_error *err)
{
    char dir[PATH_MAX];
    bool live;
    int rc = vt_vmdir_path(name, dir, err);
    rc = rc != 0 ? rc : vt_vmdir_is_live(name, &live, err);
    if (rc != 0) {
        return rc == VT_E_NOT_FOUND ? no_such_vm(name, err) : rc;
    }
    if (!live) {
        return vt_fail(err, VT_E_NOT_FOUND, "no VM named '%s' (it died; 'vitrine ls' cleans up)",
                       name);
    }
    struct vt_vm *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", name);
    }
    rc = vt_vmdir_read(dir, &v->info, NULL, err);
    if (rc != 0) {
        free(v);
        return rc == VT_E_NOT_FOUND ? vt_fail(err, VT_E_BUSY, "VM '%s' is starting or ending", name)
                                    : rc;
    }
    *vm = v;
    return 0;
}

/* vm.json comes or goes, the lock's holder closes it, or all of the directory goes. */
static int watch_directory(int events, const char *dir, struct vt_error *err)
{
    return inotify_add_watch(events, dir, IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF) >= 0
               ? 0
               : vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", dir);
}

static int await_settled(const char *name, int events, uint64_t deadline_ns,
                         const volatile int *stop, struct vt_vm **vm, struct vt_error *err)
{
    char dir[PATH_MAX], drain[4096];
    int rc = vt_vmdir_path(name, dir, err);
    while (rc == 0) {
        rc = watch_directory(events, dir, err); /* before the look, so that no event is missed */
        rc = rc != 0 ? rc : vt_vm_open(name, vm, err);
        if (rc != VT_E_BUSY) {
            return rc;
        }
        rc = vt_wait_fd(events, POLLIN, deadline_ns, stop, err);
        if (rc == VT_E_TIMEOUT) {
            return vt_fail(err, VT_E_TIMEOUT, "VM '%s' is still starting or ending", name);
        }
        if (rc == 0 && read(events, drain, sizeof drain) < 0 && errno != EAGAIN) {
            rc = vt_fail_errno(err, VT_E_IO, errno, "%s", dir);
        }
    }
    return rc;
}

int vt_vm_open_settled(const char *name, uint64_t timeout_ms, const volatile int *stop,
                       struct vt_vm **vm, struct vt_error *err)
{
    struct vt_error why;
    int rc = vt_vm_open(name, vm, &why);
    if (rc == VT_E_BUSY) {
        int events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (events < 0) {
            return vt_fail_errno(err, VT_E_LIMIT, errno, "inotify");
        }
        rc = await_settled(name, events, vt_deadline_ms(timeout_ms), stop, vm, &why);
        close(events);
        if (rc == VT_E_NOT_FOUND) {
            vt_vm_clean_stale(); /* its keeper may have been killed */
            return vt_fail(err, VT_E_GONE, "VM '%s' is gone", name);
        }
    }
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    return rc;
}

void vt_vm_release(struct vt_vm *vm)
{
    vt_qmp_close(vm->qmp);
    vm->qmp = NULL;
}

void vt_vm_close(struct vt_vm *vm)
{
    if (vm != NULL) {
        vt_vm_release(vm);
        free(vm);
    }
}

const struct vt_vm_info *vt_vm_info(const struct vt_vm *vm)
{
    return &vm->info;
}

/* How long to wait for one of the sockets to become free, and how often to look. */
#define SOCKET_WAIT_MS 5000
#define SOCKET_LOOK_NS 5000000

/* One of qmp-1.lock …: whoever holds it has the socket of that number. */
static int reserve_socket(struct vt_vm *vm, uint64_t deadline_ns, int *lock_fd, int *number,
                          struct vt_error *err)
{
    int n = vm->info.attached ? 1 : VT_QMP_SOCKETS;
    for (;;) {
        for (int i = 1; i <= n; i++) {
            char file[32], path[PATH_MAX];
            snprintf(file, sizeof file, "qmp-%d.lock", i);
            int rc = vt_vmdir_file(vm->info.dir, file, path, err);
            rc = rc != 0 ? rc : vt_lock_file(path, lock_fd, err);
            if (rc == 0) {
                *number = i;
                return 0;
            }
            if (rc != VT_E_BUSY) {
                return rc == VT_E_NOT_FOUND
                           ? vt_fail(err, VT_E_GONE, "VM '%s' is gone", vm->info.name)
                           : rc;
            }
        }
        if (vt_poll_timeout(deadline_ns) == 0) {
            return vt_fail(err, VT_E_BUSY, "%s: all %d QMP sockets are in use", vm->info.name, n);
        }
        nanosleep(&(struct timespec){.tv_nsec = SOCKET_LOOK_NS}, NULL);
    }
}

static int connect_within(struct vt_vm *vm, uint64_t deadline_ns, struct vt_qmp **qmp,
                          struct vt_error *err)
{
    char path[PATH_MAX], file[32];
    int lock_fd = -1, number = 0;
    int rc = reserve_socket(vm, deadline_ns, &lock_fd, &number, err);
    if (rc != 0) {
        return rc;
    }
    snprintf(file, sizeof file, "qmp-%d.sock", number);
    rc = vm->info.attached ? vt_path_format(path, err, "%s", vm->info.qmp_path)
                           : vt_vmdir_file(vm->info.dir, file, path, err);
    rc = rc != 0 ? rc : vt_qmp_connect(path, deadline_ns, NULL, qmp, err);
    if (rc != 0) {
        close(lock_fd);
        return !vm->info.attached && (rc == VT_E_GONE || rc == VT_E_NOT_FOUND)
                   ? vt_fail(err, VT_E_GONE, "VM '%s' is gone", vm->info.name)
                   : rc;
    }
    vt_qmp_hold(*qmp, lock_fd);
    return 0;
}

int vt_vm_qmp(struct vt_vm *vm, struct vt_qmp **qmp, struct vt_error *err)
{
    return connect_within(vm, vt_deadline_ms(SOCKET_WAIT_MS), qmp, err);
}

/* Lends the handle's connection; give_back keeps it for the next command. */
static int borrow(struct vt_vm *vm, uint64_t deadline_ns, struct vt_qmp **qmp, struct vt_error *err)
{
    if (vm->qmp != NULL) {
        *qmp = vm->qmp;
        vm->qmp = NULL;
        return 0;
    }
    return connect_within(vm, deadline_ns, qmp, err);
}

static void give_back(struct vt_vm *vm, struct vt_qmp *qmp, int rc)
{
    if (vm->info.attached || (rc != 0 && rc != VT_E_REFUSED)) {
        vt_qmp_close(qmp);
    } else {
        vm->qmp = qmp;
    }
}

static int command(struct vt_vm *vm, const char *name, struct vt_error *err)
{
    struct vt_qmp *qmp;
    uint64_t deadline = vt_deadline_ms(VT_QMP_TIMEOUT_MS);
    int rc = borrow(vm, deadline, &qmp, err);
    if (rc == 0) {
        rc = vt_qmp_execute(qmp, name, NULL, deadline, NULL, err);
        give_back(vm, qmp, rc);
    }
    return rc;
}

int vt_vm_query_state(struct vt_vm *vm, uint64_t timeout_ms, enum vt_vm_state *state,
                      struct vt_error *err)
{
    struct vt_qmp *qmp;
    struct vt_error why;
    uint64_t deadline = vt_deadline_ms(timeout_ms);
    int rc = borrow(vm, deadline, &qmp, &why);
    if (rc == 0) {
        rc = vt_inspect_state(qmp, deadline, state, &why);
        give_back(vm, qmp, rc);
    }
    if (rc == VT_E_TIMEOUT || rc == VT_E_BUSY) {
        *state = VT_VM_UNKNOWN;
        return 0;
    }
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    return rc;
}

int vt_vm_human(struct vt_vm *vm, const char *line, char **text, struct vt_error *err)
{
    struct vt_qmp *qmp;
    uint64_t deadline = vt_deadline_ms(VT_QMP_TIMEOUT_MS);
    int rc = borrow(vm, deadline, &qmp, err);
    if (rc == 0) {
        rc = vt_qmp_human(qmp, line, deadline, text, err);
        give_back(vm, qmp, rc);
    }
    return rc;
}

int vt_vm_pause(struct vt_vm *vm, struct vt_error *err)
{
    return command(vm, "stop", err);
}

int vt_vm_resume(struct vt_vm *vm, struct vt_error *err)
{
    return command(vm, "cont", err);
}

static int set_reboot(struct vt_vm *vm, const char *action, struct vt_error *err)
{
    struct vt_qmp *qmp;
    uint64_t deadline = vt_deadline_ms(VT_QMP_TIMEOUT_MS);
    int rc = borrow(vm, deadline, &qmp, err);
    if (rc == 0) {
        rc = vt_qmp_execute(qmp, "set-action", json_pack("{s:s}", "reboot", action), deadline, NULL,
                            err);
        give_back(vm, qmp, rc);
    }
    return rc;
}

int vt_vm_reset(struct vt_vm *vm, struct vt_error *err)
{
    const struct vt_machine *machine;
    int rc = vt_machine_find(vm->info.arch, vm->info.machine, &machine, NULL);
    if (rc != 0 || vm->info.attached || !machine->no_power) {
        return command(vm, "system_reset", err);
    }
    /* To this one a reset is the end, unless it is told otherwise for the moment. */
    rc = set_reboot(vm, "reset", err);
    rc = rc != 0 ? rc : command(vm, "system_reset", err);
    return rc != 0 ? rc : set_reboot(vm, "shutdown", err);
}

int vt_vm_service(struct vt_vm *vm, const char *service, int *fd, struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = vt_vmdir_file(vm->info.dir, "keeper.sock", path, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_error why;
    rc = vt_keeper_request(path, vm->info.name, service, vt_deadline_ms(VT_QMP_TIMEOUT_MS), NULL,
                           fd, &why);
    if (rc != 0 && access(path, F_OK) != 0) {
        return vt_fail(err, VT_E_GONE, "VM '%s' is gone", vm->info.name);
    }
    if (rc != 0 && err != NULL) {
        *err = why;
    }
    return rc;
}

/* Waits on a keeper socket until the keeper exits. */
static int await_end(const struct vt_vm *vm, int fd, uint64_t deadline_ns, const volatile int *stop,
                     struct vt_error *err)
{
    int rc = vt_wait_fd(fd, POLLIN, deadline_ns, stop, err);
    return rc == VT_E_TIMEOUT
               ? vt_fail(err, VT_E_TIMEOUT, "VM '%s' did not end in time", vm->info.name)
               : rc;
}

/* Between QEMU's end and the last file's removal. */
#define CLEAN_UP_MS 10000

/* Its keeper is about to go, or gone. The directory is removed under the registry lock, sockets and
 * all: who has had the lock since finds nothing left. */
static int await_removed(struct vt_error *err)
{
    int registry;
    int rc = vt_registry_lock(&registry, err);
    if (rc == 0) {
        close(registry);
    }
    return rc;
}

/* A guest that boots misses the button until it listens, so it is pressed again and again. */
#define PRESS_AGAIN_MS 1000

static int power_down(struct vt_vm *vm, int fd, uint64_t deadline_ns, const volatile int *stop,
                      struct vt_error *err)
{
    for (;;) {
        uint64_t again = vt_deadline_ms(PRESS_AGAIN_MS);
        bool last = again >= deadline_ns;
        int rc = command(vm, "system_powerdown", err);
        rc = rc != 0 ? rc : await_end(vm, fd, last ? deadline_ns : again, stop, err);
        if (rc != VT_E_TIMEOUT || last) {
            return rc;
        }
    }
}

int vt_vm_stop(struct vt_vm *vm, uint64_t timeout_ms, const volatile int *stop,
               struct vt_error *err)
{
    int fd;
    enum vt_vm_state state;
    int rc = vt_vm_service(vm, "wait", &fd, err);
    if (rc != 0) {
        return rc == VT_E_GONE ? await_removed(err) : rc;
    }
    rc = vt_vm_query_state(vm, VT_QMP_TIMEOUT_MS, &state, err);
    if (rc == 0 && state == VT_VM_RUNNING) { /* a guest that does not run hears no button */
        rc = power_down(vm, fd, vt_deadline_ms(timeout_ms), stop, err);
        if (rc != VT_E_TIMEOUT && rc != VT_E_GONE) {
            close(fd);
            return rc;
        }
        rc = rc == VT_E_TIMEOUT ? 0 : rc;
    }
    if (rc == 0) {
        rc = command(vm, "quit", err);
    }
    if (rc == 0 || rc == VT_E_GONE) { /* it may be gone before it answers */
        rc = await_end(vm, fd, vt_deadline_ms(CLEAN_UP_MS), stop, err);
    }
    close(fd);
    return rc;
}

int vt_vm_detach(struct vt_vm *vm, struct vt_error *err)
{
    int fd;
    if (!vm->info.attached) {
        return vt_fail(err, VT_E_INVAL, "VM '%s' was started by vitrine: stop or kill it",
                       vm->info.name);
    }
    int rc = vt_vm_service(vm, "detach", &fd, err);
    if (rc == 0) {
        rc = await_end(vm, fd, vt_deadline_ms(CLEAN_UP_MS), NULL, err);
        close(fd);
    }
    return rc;
}

/* Somebody else's QEMU is not our child: it is told to quit. */
static int kill_attached(struct vt_vm *vm, int *fd, struct vt_error *err)
{
    int rc = vt_vm_service(vm, "wait", fd, err);
    if (rc != 0) {
        return rc;
    }
    rc = command(vm, "quit", err);
    if (rc != 0 && rc != VT_E_GONE) {
        close(*fd);
        return rc;
    }
    return 0;
}

int vt_vm_kill(struct vt_vm *vm, struct vt_error *err)
{
    int fd;
    int rc = vm->info.attached ? kill_attached(vm, &fd, err) : vt_vm_service(vm, "kill", &fd, err);
    if (rc == VT_E_GONE) {
        return await_removed(err);
    }
    if (rc == 0) {
        rc = await_end(vm, fd, vt_deadline_ms(CLEAN_UP_MS), NULL, err);
        close(fd);
    }
    return rc;
}
