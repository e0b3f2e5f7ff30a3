/* vitrine/machine.h - start, find and steer virtual machines.
 *
 * A VM has a name and a directory, <runtime>/<name>/ (mode 0700): its lock, vm.json, its sockets
 * and logs. Beside QEMU runs one small keeper process: QEMU's parent, who owns the files, serves
 * the serial console and the page-epoch tracker, and cleans up when QEMU ends. Everything works
 * from that directory; there is no central daemon.
 *
 * - lock: held (flock) by the keeper while the VM lives; a directory whose lock is free is stale.
 * - vm.json: what struct vt_vm_info says and how it was configured, written by the keeper.
 * - qmp.sock: QMP for everybody else; no vitrine tool ever connects to it.
 * - qmp-N.sock: QMP for tools; each serves one client, who holds the flock of qmp-N.lock.
 * - keeper.sock: the keeper's services, its own (console, wait, kill) and those of struct
 *   vt_keeper_service; one line asks for one.
 * - gpu.sock, gpu.log: of a GPU that a process of ours serves.
 * - console.log: what the serial console printed, the last few MiB; qemu.log: QEMU's own messages.
 *
 * Handles are not thread-safe; use one a thread.
 */
#ifndef VITRINE_MACHINE_H
#define VITRINE_MACHINE_H

#include "vitrine/base.h"

#include <sys/types.h>

/* ---------------------------------------------------------------- what a VM is */

/** Where a run of guest-physical addresses lies in the RAM file. Page-aligned, bytes > 0. */
struct vt_ram_region {
    struct vt_gpa gpa;
    struct vt_off offset;
    uint64_t bytes;
};

#define VT_RAM_REGIONS_MAX 64
#define VT_VM_NAME_MAX 32
#define VT_VM_PATH_MAX 1024

enum vt_vm_state {
    VT_VM_UNKNOWN, /**< QMP did not answer in time */
    VT_VM_RUNNING,
    VT_VM_PAUSED,
    VT_VM_SHUTDOWN,  /**< the guest is off, QEMU still there */
    VT_VM_CRASHED,   /**< guest-panicked, internal-error, io-error */
    VT_VM_MIGRATING, /**< inmigrate, postmigrate, save-vm … */
    VT_VM_DEAD,      /**< stale directory: nobody holds its lock */
};

/** A short word ("running"). */
const char *vt_vm_state_name(enum vt_vm_state state);

/** What is fixed while a VM lives. Plain data; strings are empty when not known. */
struct vt_vm_info {
    char name[VT_VM_NAME_MAX + 1];
    char dir[VT_VM_PATH_MAX];
    bool attached;                 /**< started by somebody else (`vitrine attach`) */
    char qmp_path[VT_VM_PATH_MAX]; /**< attached: its only QMP socket; else empty */
    pid_t qemu_pid;                /**< 0: not known (attached through a remote socket) */
    pid_t keeper_pid;
    uid_t qemu_uid;
    char qemu_version[32]; /**< "11.1.3" */
    char accel[16];        /**< "tcg", "kvm" */
    char arch[16];         /**< of the guest: "x86_64" */
    char machine[32];      /**< "pc-q35-11.1" */
    unsigned cpus;
    char ram_path[VT_VM_PATH_MAX]; /**< file that backs RAM, or empty: RAM is not shared */
    char ram_why[160];             /**< when ram_path is empty: why, in words */
    uint64_t ram_bytes;
    unsigned n_regions;
    struct vt_ram_region regions[VT_RAM_REGIONS_MAX]; /**< ascending gpa, no overlap */
    bool tracking;       /**< QEMU carries the dirty-tracking preload */
    char trace_path[64]; /**< trace segment that its plugin serves, or empty */
    char trace_why[256]; /**< when trace_path is empty: why, in words */
    char
        hybrid_path[64]; /**< segment of its plugin that runs kernels in place of loops, or empty */
    char hybrid_why[256];        /**< when hybrid_path is empty: why, in words */
    char kernel[VT_VM_PATH_MAX]; /**< -kernel, or empty */
    uint64_t started_unix_ns;    /**< CLOCK_REALTIME */
};

/* ---------------------------------------------------------------- starting one */

struct vt_loop;
struct vt_keeper;

/** What serves a VM's GPU; stdout and stderr are the VM's gpu.log. */
struct vt_gpu_job {
    const char *vm;
    const char *words; /**< as the user said: "venus,window=512M" */
    int sock;          /**< connected to QEMU; the process's own */
    int listener;      /**< gpu.sock, for who asks how it is doing; listening, non-blocking */
};

/** A service the keeper offers on keeper.sock for a room above this one (memory's tracker). The
 *  table is given to vt_vm_start and outlives the keeper; callbacks run on the keeper's loop. */
struct vt_keeper_service {
    const char *name; /**< the word a client asks for: "track" */
    /** NULL: none. Lays out the file that QEMU's plugin of this name ("trace", "hybrid") shares
     * with others: `fd` is new, empty and writable, for a VM of that many CPUs. Called before QEMU
     *  starts. */
    int (*segment)(int fd, unsigned cpus, struct vt_error *err);
    /** QEMU is up, `info` is complete. Returns 0 or fails the start. *state is the service's own.
     *  NULL: a service without clients; it has neither of the other two. */
    int (*start)(const struct vt_vm_info *info, struct vt_loop *loop, void **state,
                 struct vt_error *err);
    /** A client connected; the service owns `fd` (non-blocking) from now on. */
    void (*client)(void *state, int fd);
    void (*stop)(void *state);
    /** NULL: none. A process of its own, which nothing else of the VM can reach: is the VM's GPU at
     *  the vhost-user connection `job->sock` until that is closed; returns its exit status. */
    int (*gpu)(const struct vt_gpu_job *job);
};

/** What `vitrine run` takes. Zero or NULL means the default; strings are borrowed for the call. */
struct vt_vm_config {
    const char *name;
    const char *kernel, *initrd, *append;
    const char *disk; /**< image of any format QEMU knows; opened by the caller */
    const char *iso;
    uint64_t memory_bytes; /**< default 256 MiB; at least 64 MiB; a multiple of 1 MiB */
    unsigned cpus;         /**< 1–255, default 1 */
    const char *arch;      /**< "x86_64" (default), "aarch64" or "riscv64" */
    const char *machine;   /**< "q35" (default), "pc", "microvm"; of the others "virt" */
    const char *accel;     /**< NULL: probe KVM, else TCG */
    /** GPUs, or NULL; ended by NULL. Each is "virtio", "ramfb" or "venus", which one of the
     * services is (QEMU 11.1 or newer); after "virtio" may follow
     *  ",outputs=N", ",transport=pci|mmio" and any property of QEMU's device ("xres=800"). They are
     *  called gpu0, gpu1, … */
    const char *const *gpus;
    const char *cpu_model;        /**< default "max" */
    const char *net;              /**< "user" or "none" (default) */
    const char *const *qemu_args; /**< more arguments for QEMU, or NULL; ended by NULL */
    const char *user;           /**< run QEMU as this user (root only); default: a uid of its own */
    unsigned cpu_quota_percent; /**< of one core; 0: no limit. Needs cgroup v2 */
    uint64_t memory_limit_bytes; /**< of the QEMU process with its RAM; 0: none */
    bool paused;                 /**< do not start the CPUs */
    bool no_trace;               /**< without the trace plugin, which only TCG can have */
    bool no_accel;               /**< without the plugin of `vitrine accel`, the same */
    int incoming_fd;             /**< restore: a file positioned at QEMU's stream; -1 or 0: none */
    uint64_t timeout_ms;         /**< for QEMU to answer; default 30 000 */
};

/** Starts a VM and returns when QEMU answers on QMP. The keeper survives the caller; if the caller
 *  dies or `*stop` becomes non-zero first, everything that was made is taken back.
 *  Errors: VT_E_EXISTS (name taken), VT_E_NOT_FOUND (kernel, disk, QEMU), VT_E_REFUSED (QEMU's own
 *  words), VT_E_UNSUPPORTED (cgroup v2, user switching), VT_E_TIMEOUT, VT_E_INTERRUPTED. */
int vt_vm_start(const struct vt_vm_config *config, const struct vt_keeper_service *const *services,
                const volatile int *stop, struct vt_error *err);

/** Starts a VM that ended as it was started last: the same files, sizes and arguments; a user that
 *  was given is not among them. VT_E_NOT_FOUND: none of that name was started by this user before;
 *  VT_E_CORRUPT; those of vt_vm_start. */
int vt_vm_start_again(const char *name, const struct vt_keeper_service *const *services,
                      const volatile int *stop, struct vt_error *err);

/* ---------------------------------------------------------------- somebody else's */

/** Gives a QEMU that was started by hand or by libvirt a name and a keeper, so that every tool
 * works on it. `qmp_path` is its QMP socket, connected to only while something is asked. Whether
 * RAM can be read is in struct vt_vm_info (ram_path, ram_why). `timeout_ms` 0: 5000. Errors:
 * VT_E_EXISTS, VT_E_NOT_FOUND, VT_E_GONE (stale socket), VT_E_PROTOCOL (not QMP), VT_E_TIMEOUT
 * (another client holds it, or QEMU hangs), VT_E_INTERRUPTED. */
int vt_vm_attach(const char *name, const char *qmp_path, uint64_t timeout_ms,
                 const struct vt_keeper_service *const *services, const volatile int *stop,
                 struct vt_error *err);
struct vt_vm;
/** Ends the keeper; QEMU is left as it is. VT_E_INVAL for a VM vitrine started. */
int vt_vm_detach(struct vt_vm *vm, struct vt_error *err);

/** A QEMU on this host that no VM of ours is. */
struct vt_foreign_vm {
    pid_t qemu_pid;
    char name[64];                 /**< QEMU's -name, or empty */
    char qmp_path[VT_VM_PATH_MAX]; /**< a QMP socket of it, or empty */
    bool held;                     /**< a client is connected to that socket (libvirt, say) */
};
/** Looks for them in /proc; *list is malloc'ed. Sees what the caller may see there. */
int vt_vm_discover(struct vt_foreign_vm **list, size_t *n, struct vt_error *err);

/* ---------------------------------------------------------------- finding and steering */

struct vt_qmp;

/** Opens a VM by name. VT_E_NOT_FOUND when there is none, with why the last
 *  one ended if that was an accident; a stale directory counts as none. VT_E_BUSY while it is
 * starting or ending. */
int vt_vm_open(const char *name, struct vt_vm **vm, struct vt_error *err);
/** As vt_vm_open, but waits while the VM is starting or ending. VT_E_GONE: it ended meanwhile, and
 *  nothing of it is left; VT_E_TIMEOUT; VT_E_INTERRUPTED. */
int vt_vm_open_settled(const char *name, uint64_t timeout_ms, const volatile int *stop,
                       struct vt_vm **vm, struct vt_error *err);
/** Takes NULL. */
void vt_vm_close(struct vt_vm *vm);
/** Gives back the QMP connection that the handle keeps between commands: there are few, and others
 *  wait for them. For handles that are kept. */
void vt_vm_release(struct vt_vm *vm);
/** Belongs to the handle. */
const struct vt_vm_info *vt_vm_info(const struct vt_vm *vm);

/** The names of all VMs with a directory, sorted, stale ones included; free with
 *  vt_vm_names_free. */
int vt_vm_names(char ***names, size_t *n, struct vt_error *err);
void vt_vm_names_free(char **names, size_t n);
/** Removes what is left of VMs whose keeper was killed: directory, sockets, RAM file. Harmless at
 *  any time; vt_vm_start does it first. */
void vt_vm_clean_stale(void);

/** Asks QMP; VT_VM_UNKNOWN (and success) when it does not answer within `timeout_ms`. */
int vt_vm_query_state(struct vt_vm *vm, uint64_t timeout_ms, enum vt_vm_state *state,
                      struct vt_error *err);
/** What QEMU's monitor answers to a line of its own commands (`info registers`); *text is
 * malloc'ed. VT_E_REFUSED: QEMU does not know it; VT_E_TIMEOUT. */
int vt_vm_human(struct vt_vm *vm, const char *line, char **text, struct vt_error *err);
int vt_vm_pause(struct vt_vm *vm, struct vt_error *err);
int vt_vm_resume(struct vt_vm *vm, struct vt_error *err);
int vt_vm_reset(struct vt_vm *vm, struct vt_error *err);
/** Asks the guest to power off (ACPI) and waits; after `timeout_ms` QEMU is told to quit. Returns
 *  when everything of the VM is gone. */
int vt_vm_stop(struct vt_vm *vm, uint64_t timeout_ms, const volatile int *stop,
               struct vt_error *err);
/** Ends QEMU at once and waits until everything of the VM is gone. */
int vt_vm_kill(struct vt_vm *vm, struct vt_error *err);

/** Writes the VM's state into `path`: paused while it is written, then as it was before. The file
 * is complete or not there; an existing one is replaced at the end. Disk images are not part of it.
 *  Errors: VT_E_UNSUPPORTED (attached VMs), VT_E_IO (disk full), VT_E_INTERRUPTED: the VM goes on.
 */
int vt_vm_save(struct vt_vm *vm, const char *path, const volatile int *stop, struct vt_error *err);
/** Starts a new VM from what vt_vm_save wrote; `name` NULL: the name it had; `paused`: do not let
 * it run even if it did. Errors as vt_vm_start, and VT_E_CORRUPT. The file says which files and
 * which arguments QEMU gets: trust it like a program. */
int vt_vm_restore(const char *path, const char *name, bool paused,
                  const struct vt_keeper_service *const *services, const volatile int *stop,
                  struct vt_error *err);

/** A screen: one of the heads of a display device. */
struct vt_screen {
    char device[64]; /**< its id on QEMU's command line, or empty */
    char path[160];  /**< in QEMU's object tree */
    unsigned head;
};
/** All of them, by device and head, active or not; *list is malloc'ed. */
int vt_vm_screens(struct vt_vm *vm, struct vt_screen **list, size_t *n, struct vt_error *err);
/** What a screen shows just now, as a PNG or a binary PPM file that QEMU makes; *bytes is
 * malloc'ed. Where its device has no id, that is QEMU's first screen. VT_E_REFUSED: QEMU's own
 * words. */
int vt_vm_screendump(struct vt_vm *vm, const struct vt_screen *screen, bool png, uint8_t **bytes,
                     size_t *n, struct vt_error *err);

/** A QMP connection of the VM's that nobody else uses now, negotiated. vt_qmp_close returns it. */
int vt_vm_qmp(struct vt_vm *vm, struct vt_qmp **qmp, struct vt_error *err);
/** A connection to a keeper service ("track", "console"): a stream socket the caller closes. */
int vt_vm_service(struct vt_vm *vm, const char *service, int *fd, struct vt_error *err);

#endif
