/* server/ops_lifecycle.c - operations that change VMs: start, pause, resume, reset, stop, kill.
 *
 * A VM is started by our own program in a process of its own (`vitrine run`): its keeper is forked,
 * and a fork of a server with threads could neither use them nor be without their descriptors.
 */
#include "base/io.h"
#include "base/paths.h"
#include "base/text.h"
#include "machine/vmdir.h"
#include "server/ops_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TIMEOUT_MS 60000u
#define STOP_DEFAULT_S 10.0
#define STOP_MAX_S 300u
#define SETTLE_MS 30000u

/* ---------------------------------------------------------------- steering */

static int open_vm(struct vt_op_call *call, struct vt_vm **vm, struct vt_error *err)
{
    return vt_vm_open(vt_call_text(call, "vm"), vm, err);
}

static int steer(struct vt_op_call *call, int (*act)(struct vt_vm *vm, struct vt_error *err),
                 struct vt_error *err)
{
    struct vt_vm *vm;
    int rc = open_vm(call, &vm, err);
    if (rc != 0) {
        return rc;
    }
    rc = act(vm, err);
    vt_vm_close(vm);
    return rc != 0 ? rc : vt_call_write_vm(call, vt_call_text(call, "vm"), err);
}

static int pause_vm(struct vt_op_call *call, struct vt_error *err)
{
    return steer(call, vt_vm_pause, err);
}

static int resume_vm(struct vt_op_call *call, struct vt_error *err)
{
    return steer(call, vt_vm_resume, err);
}

static int reset_vm(struct vt_op_call *call, struct vt_error *err)
{
    return steer(call, vt_vm_reset, err);
}

static int write_ended(struct vt_op_call *call)
{
    vt_json_object(call->out);
    vt_json_kv_string(call->out, "name", vt_call_text(call, "vm"));
    vt_json_kv_string(call->out, "state", vt_vm_state_name(VT_VM_DEAD));
    vt_json_object_end(call->out);
    return 0;
}

/* A VM that is to end; one that is just starting is waited for. *vm NULL: it was ending already. */
static int open_to_end(struct vt_op_call *call, struct vt_vm **vm, struct vt_error *err)
{
    *vm = NULL;
    int rc =
        vt_vm_open_settled(vt_call_text(call, "vm"), SETTLE_MS, vt_host_stop(call->host), vm, err);
    return rc == VT_E_GONE ? 0 : rc;
}

static int stop_vm(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_vm *vm;
    double timeout_s = vt_call_number(call, "timeout_s", STOP_DEFAULT_S);
    int rc = open_to_end(call, &vm, err);
    if (rc == 0 && vm != NULL) {
        rc = vt_vm_stop(vm, (uint64_t)(timeout_s * 1000), vt_host_stop(call->host), err);
        vt_vm_close(vm);
    }
    return rc != 0 ? rc : write_ended(call);
}

static int kill_vm(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_vm *vm;
    int rc = open_to_end(call, &vm, err);
    if (rc == 0 && vm != NULL) {
        rc = vt_vm_kill(vm, err);
        vt_vm_close(vm);
    }
    return rc != 0 ? rc : write_ended(call);
}

/* ---------------------------------------------------------------- starting */

/* An image is a file below <data>/images, so that a peer cannot name any other. */
static int image_path(const char *image, char path[PATH_MAX], struct vt_error *err)
{
    char dir[PATH_MAX];
    struct stat st;
    size_t n = strspn(image, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (image[0] == '.' || image[n] != '\0') {
        return vt_fail(err, VT_E_INVAL,
                       "image: not a file's name (letters, digits, '.', '_', '-')");
    }
    int rc = vt_path_data(dir, err);
    rc = rc != 0 ? rc : vt_path_format(path, err, "%s/images/%s", dir, image);
    if (rc == 0 && (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "image: no file '%s' in %s/images", image, dir);
    }
    return rc;
}

#define ARGS_MAX 16
struct command {
    const char *argv[ARGS_MAX + 1];
    unsigned n;
    char image[PATH_MAX], memory[24], cpus[8];
};

static void add(struct command *c, const char *option, const char *value)
{
    c->argv[c->n++] = option;
    if (value != NULL) {
        c->argv[c->n++] = value;
    }
}

static int make_command(struct vt_op_call *call, struct command *c, struct vt_error *err)
{
    const char *image = vt_call_text(call, "image"), *net = vt_call_text(call, "net");
    uint64_t memory = vt_call_u64(call, "memory_bytes", 0), cpus = vt_call_u64(call, "cpus", 0);
    *c = (struct command){0};
    add(c, "vitrine", "run");
    add(c, vt_call_text(call, "name"), NULL);
    if (memory % (UINT64_C(1) << 20) != 0) {
        return vt_fail(err, VT_E_INVAL, "memory_bytes: not a multiple of 1 MiB");
    }
    if (memory != 0) {
        snprintf(c->memory, sizeof c->memory, "%" PRIu64, memory);
        add(c, "--memory", c->memory);
    }
    if (cpus != 0) {
        snprintf(c->cpus, sizeof c->cpus, "%u", (unsigned)cpus);
        add(c, "--cpus", c->cpus);
    }
    if (net != NULL) {
        add(c, "--net", net);
    }
    if (vt_call_bool(call, "paused")) {
        add(c, "--paused", NULL);
    }
    if (image == NULL) {
        return 0;
    }
    int rc = image_path(image, c->image, err);
    size_t length = strlen(c->image);
    bool iso = length > 4 && strcmp(c->image + length - 4, ".iso") == 0;
    add(c, iso ? "--iso" : "--disk", c->image);
    return rc;
}

/* Starts our program with nothing but its messages, which go to `message`. */
static int spawn(const char *program, const struct command *c, int message, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, every;
    sigemptyset(&none);
    sigfillset(&every);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, message, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &every);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(pid, program, &files, &how, (char *const *)c->argv, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Waits for the program's end; its last line is the reason of a failure. The keeper it leaves
 * behind may hold on to `message`, so the end is that of the process. */
static int await_program(struct vt_op_call *call, pid_t pid, int message, struct vt_error *err)
{
    char text[1024];
    int status = 0, process = pidfd_open(pid, 0);
    int rc = process < 0 ? VT_E_IO
                         : vt_wait_fd(process, POLLIN, vt_deadline_ms(START_TIMEOUT_MS),
                                      vt_host_stop(call->host), NULL);
    if (rc != 0) {
        kill(pid, SIGTERM);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    vt_close(&process);
    ssize_t n = read(message, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    if (rc != 0) {
        return vt_fail(err, rc == VT_E_INTERRUPTED ? VT_E_INTERRUPTED : VT_E_TIMEOUT,
                       "start_vm: given up; nothing was started");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 0;
    }
    text[strcspn(text, "\n")] = '\0';
    char safe[300];
    vt_text_printable(safe, sizeof safe, text, strlen(text));
    enum { USAGE = 2, NOT_FOUND = 3 }; /* exit codes of cli */
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return vt_fail(err,
                   code == USAGE       ? VT_E_INVAL
                   : code == NOT_FOUND ? VT_E_NOT_FOUND
                                       : VT_E_REFUSED,
                   "%s", safe[0] != '\0' ? safe : "start_vm: the program failed");
}

/* Whether a VM of that name may be started here. */
static int check_name(struct vt_op_call *call, const char *name, struct vt_error *err)
{
    bool live = false;
    if (!vt_name_is_valid(name)) {
        return vt_fail(err, VT_E_INVAL, "name: 1-32 letters, digits, '.', '_', '-'");
    }
    if (!vt_host_may_see(call->host, name)) {
        return vt_fail(err, VT_E_PERM, "this server serves other VMs only");
    }
    return vt_vmdir_is_live(name, &live, NULL) == 0 && live
               ? vt_fail(err, VT_E_EXISTS, "there is a VM named '%s'", name)
               : 0;
}

static int run_command(struct vt_op_call *call, const char *name, const struct command *command,
                       struct vt_error *err)
{
    int pipe_fds[2];
    pid_t pid;
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "pipe");
    }
    int failed = spawn(vt_host_program(call->host), command, pipe_fds[1], &pid);
    close(pipe_fds[1]);
    int rc = failed != 0 ? vt_fail_errno(err, VT_E_IO, failed, "%s", vt_host_program(call->host))
                         : await_program(call, pid, pipe_fds[0], err);
    close(pipe_fds[0]);
    return rc != 0 ? rc : vt_call_write_vm(call, name, err);
}

static int start_vm(struct vt_op_call *call, struct vt_error *err)
{
    const char *name = vt_call_text(call, "name");
    struct command command;
    int rc = check_name(call, name, err);
    rc = rc != 0 ? rc : make_command(call, &command, err);
    rc = rc != 0 ? rc : vt_audit(name, call->op->name, err, "%s", call->detail);
    return rc != 0 ? rc : run_command(call, name, &command, err);
}

static int start_again(struct vt_op_call *call, struct vt_error *err)
{
    const char *name = vt_call_text(call, "vm");
    struct command command = {0};
    int rc = check_name(call, name, err);
    if (rc != 0) {
        return rc;
    }
    add(&command, "vitrine", "run");
    add(&command, "--again", name);
    return run_command(call, name, &command, err);
}

/* ---------------------------------------------------------------- the table */

static const char *const nets[] = {"none", "user", NULL};

static const struct vt_param start_params[] = {
    {.name = "name",
     .kind = VT_PARAM_TEXT,
     .required = true,
     .min = 1,
     .max = VT_VM_NAME_MAX,
     .doc = "a name that no VM has: letters, digits, '.', '_', '-'",
     .example = "web"},
    {.name = "memory_bytes",
     .kind = VT_PARAM_UINT,
     .min = UINT64_C(64) << 20,
     .max = UINT64_C(1) << 40,
     .doc = "RAM, a multiple of 1 MiB; 256 MiB when not given",
     .example = "268435456"},
    {.name = "cpus", .kind = VT_PARAM_UINT, .min = 1, .max = 255, .doc = "1 when not given"},
    {.name = "image",
     .kind = VT_PARAM_TEXT,
     .min = 1,
     .max = 128,
     .doc = "a file in <data>/images: a disk, or a CD when it ends in .iso; without one, the "
            "default guest boots"},
    {.name = "net", .kind = VT_PARAM_TEXT, .choices = nets, .doc = "none when not given"},
    {.name = "paused", .kind = VT_PARAM_BOOL, .doc = "do not start the CPUs"},
    {0},
};

static const struct vt_param stop_params[] = {
    {.name = "timeout_s",
     .kind = VT_PARAM_NUMBER,
     .max = STOP_MAX_S,
     .doc = "how long the guest may take to power off; 10 when not given",
     .example = "10"},
    {0},
};

static const char ended_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"name\", \"state\"],"
    " \"properties\": {\"name\": {\"type\": \"string\"}, \"state\": {\"const\": \"dead\"}}}";

#define CHANGES (VT_OP_VM | VT_OP_BY_NAME | VT_OP_CHANGES)

const struct vt_op vt_ops_lifecycle[] = {
    {
        .name = "start_vm",
        .method = "POST",
        .path = "/vms",
        .group = "Machines",
        .title = "Start a virtual machine",
        .summary = "Start a virtual machine",
        .description = "Boots the default guest, or an image that lies in <data>/images. Returns\n"
                       "when QEMU answers; the guest is still booting then.",
        .params = start_params,
        .flags = VT_OP_CHANGES,
        .result = vt_vm_result,
        .run = start_vm,
    },
    {
        .name = "start_again",
        .method = "POST",
        .path = "/vms/{vm}/start",
        .group = "Machines",
        .title = "Start a virtual machine again",
        .summary = "Start a virtual machine that ended, as it was started last",
        .description = "With the files, sizes and arguments it had, whoever started it here.",
        .flags = CHANGES,
        .result = vt_vm_result,
        .run = start_again,
    },
    {
        .name = "pause_vm",
        .method = "POST",
        .path = "/vms/{vm}/pause",
        .group = "Machines",
        .title = "Pause a virtual machine",
        .summary = "Stop a virtual machine's CPUs",
        .flags = CHANGES,
        .result = vt_vm_result,
        .run = pause_vm,
    },
    {
        .name = "resume_vm",
        .method = "POST",
        .path = "/vms/{vm}/resume",
        .group = "Machines",
        .title = "Resume a virtual machine",
        .summary = "Let a paused virtual machine go on",
        .flags = CHANGES,
        .result = vt_vm_result,
        .run = resume_vm,
    },
    {
        .name = "reset_vm",
        .method = "POST",
        .path = "/vms/{vm}/reset",
        .group = "Machines",
        .title = "Reset a virtual machine",
        .summary = "Press a virtual machine's reset button",
        .flags = CHANGES | VT_OP_DESTROYS,
        .result = vt_vm_result,
        .run = reset_vm,
    },
    {
        .name = "stop_vm",
        .method = "POST",
        .path = "/vms/{vm}/stop",
        .group = "Machines",
        .title = "Shut a virtual machine down",
        .summary = "Shut a virtual machine down",
        .description = "Presses the power button and waits for the guest to power off; when it\n"
                       "does not in time, QEMU is told to quit.",
        .params = stop_params,
        .flags = CHANGES | VT_OP_DESTROYS,
        .result = ended_result,
        .run = stop_vm,
    },
    {
        .name = "kill_vm",
        .method = "DELETE",
        .path = "/vms/{vm}",
        .group = "Machines",
        .title = "End a virtual machine",
        .summary = "End a virtual machine at once, as if the power failed",
        .flags = CHANGES | VT_OP_DESTROYS,
        .result = ended_result,
        .run = kill_vm,
    },
    {0},
};
