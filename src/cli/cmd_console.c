/* cli/cmd_console.c - `vitrine console`: the serial line, for people and for scripts.
 *
 * On a terminal it is raw and Ctrl-] leaves; without one stdin and stdout are copied. --exec,
 * --send and --wait are the steps scripts are made of.
 */
#include "cli/vm.h"

#include "base/io.h"
#include "machine/console_client.h"
#include "machine/expect.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define LEAVE 0x1d /* Ctrl-] */

/* ---------------------------------------------------------------- --exec, --send, --wait */

static int to_stdout(void *arg, const char *text, size_t bytes, struct vt_error *err)
{
    (void)arg;
    return vt_write_all(STDOUT_FILENO, text, bytes, "stdout", err);
}

static int run_exec(const struct vt_args *args, struct vt_vm *vm, uint64_t deadline_ns)
{
    struct vt_error err;
    int code;
    return vt_console_exec(vm, vt_args_value(args, "exec"), deadline_ns, &vt_interrupted, to_stdout,
                           NULL, &code, &err) == 0
               ? code
               : vt_report(args, &err);
}

static int send_and_wait(const struct vt_args *args, int fd, uint64_t deadline_ns)
{
    const char *send = vt_args_value(args, "send"), *wait = vt_args_value(args, "wait");
    struct vt_expect *e = malloc(sizeof *e);
    struct vt_error err;
    char line[512];
    int rc = e == NULL ? vt_fail(&err, VT_E_NOMEM, "console: out of memory") : 0;
    if (rc == 0) {
        vt_expect_init(e, fd, &vt_interrupted);
        rc = send != NULL ? vt_expect_send(e, send, deadline_ns, &err) : 0;
    }
    if (rc == 0 && wait != NULL) {
        rc = vt_expect_regex(e, &wait, 1, deadline_ns, NULL, line, sizeof line, &err);
        if (rc == 0) {
            puts(line);
        }
    }
    free(e);
    if (rc == VT_E_INVAL) {
        return vt_usage_error(args, "--wait: %s", err.message);
    }
    return rc == 0 ? VT_EXIT_OK : vt_report(args, &err);
}

/* ---------------------------------------------------------------- the line itself */

struct screen {
    bool raw;
    struct termios before;
};

static void enter_raw(struct screen *s)
{
    struct termios t;
    s->raw = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->before) == 0;
    if (s->raw) {
        t = s->before;
        cfmakeraw(&t);
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
}

static void leave_raw(const struct screen *s)
{
    if (s->raw) {
        tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
        fputs("\r\n", stderr);
    }
}

/* Keys to the guest; returns 1 when the person left, 2 when there is no more input. */
static int keys(int fd, bool raw, struct vt_error *err)
{
    char bytes[512];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) {
        return 0;
    }
    if (n <= 0) {
        return raw ? 1 : 2;
    }
    const char *leave = raw ? memchr(bytes, LEAVE, (size_t)n) : NULL;
    size_t count = leave != NULL ? (size_t)(leave - bytes) : (size_t)n;
    int rc = vt_write_all(fd, bytes, count, "the console", err);
    return rc != 0 ? rc : leave != NULL;
}

/* Returns 1 when the console closed: the VM ended. */
static int output(int fd, struct vt_error *err)
{
    char bytes[16384];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) {
        return 0;
    }
    return n <= 0 ? 1 : vt_write_all(STDOUT_FILENO, bytes, (size_t)n, "stdout", err);
}

static int copy(int fd, bool raw, struct vt_error *err)
{
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    int rc = 0;
    while (rc == 0 && vt_interrupted == 0) {
        if (poll(p, 2, -1) < 0) {
            continue; /* a signal: vt_interrupted says whether it ends this */
        }
        if (p[0].revents != 0) {
            rc = output(fd, err);
        }
        if (rc == 0 && p[1].revents != 0) {
            rc = keys(fd, raw, err);
            if (rc == 2) {
                p[1].fd = -1;
                rc = 0;
            }
        }
    }
    return rc < 0 ? rc : 0;
}

static int interact(const struct vt_args *args, int fd)
{
    struct screen screen;
    struct vt_error err;
    if (isatty(STDIN_FILENO)) {
        fprintf(stderr, "console of %s, Ctrl-] leaves\n", vt_args_operand(args, 0));
    }
    enter_raw(&screen);
    int rc = copy(fd, screen.raw, &err);
    leave_raw(&screen);
    return rc == 0 ? VT_EXIT_OK : vt_report(args, &err);
}

static int run(const struct vt_args *args)
{
    bool exec = vt_args_flag(args, "exec"), send = vt_args_flag(args, "send"),
         wait = vt_args_flag(args, "wait");
    uint64_t timeout_ns;
    if (exec && (send || wait)) {
        return vt_usage_error(args, "--exec goes without --send and --wait");
    }
    int rc = vt_args_duration(args, "timeout", UINT64_C(10000000000), &timeout_ns);
    if (rc != 0) {
        return rc;
    }
    struct vt_vm *vm;
    rc = vt_cli_open_vm(args, &vm);
    if (rc != 0) {
        return rc;
    }
    uint64_t deadline_ns = vt_deadline_ms(timeout_ns / 1000000);
    struct vt_error err;
    int fd = -1;
    if (exec) {
        rc = run_exec(args, vm, deadline_ns);
    } else if (vt_console_open(vm, !send, &fd, &err) != 0) {
        rc = vt_report(args, &err);
    } else {
        rc = send || wait ? send_and_wait(args, fd, deadline_ns) : interact(args, fd);
    }
    vt_close(&fd);
    vt_vm_close(vm);
    return rc;
}

static const struct vt_option options[] = {
    {"exec", "COMMAND", "run COMMAND in the guest's root shell and print its output", false},
    {"send", "TEXT", "send TEXT as it is ($'…\\n' in bash for a newline)", false},
    {"wait", "REGEX", "wait for a line that matches, and print it", false},
    {"timeout", "TIME", "how long --exec, --send and --wait may take (default: 10s)", false},
    {0},
};

const struct vt_verb vt_verb_console = {
    .name = "console",
    .group = "Machines",
    .summary = "Talk to a VM over its serial console",
    .operands = "VM",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .description =
        "On a terminal: what the guest printed last, then the live line; Ctrl-] leaves. Without a\n"
        "terminal stdin goes to the guest and its output to stdout until the VM ends or a signal\n"
        "comes.\n\n"
        "With --exec a command runs in a subshell of the root shell that listens on the line: "
        "just\n"
        "its output is printed and its exit code is ours; several at once take turns. What was\n"
        "printed before counts for --wait too, unless --send goes with it.",
    .examples = "  vitrine console web\n"
                "  vitrine console web --wait 'shell ready' --timeout 60s\n"
                "  vitrine console web --exec 'ps | wc -l'",
    .run = run,
};
