/* machine/console_client.c - see console_client.h.
 *
 * What is typed, for a token T = T1 T2:
 *     printf '\n=%s%s\n' T1 T2            until "=T" comes back: the shell listens
 *     vt='…'; vt=$vt'…'                   the command, bytes beyond [A-Za-z0-9 _./,:=-] as \0ooo
 *     printf '\n<%s%s\n' T1 T2; (eval "$(printf %b "$vt")") </dev/null; printf '\n>%s%s %d\n' …
 */
#include "machine/console_client.h"

#include "base/io.h"
#include "machine/expect.h"
#include "machine/vmdir.h"

#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Busybox's line editor holds 1024 bytes, a terminal in line mode 4096. */
#define CHUNK_BYTES 480
#define PROBE_FIRST_MS 500
#define PROBE_MOST_MS 4000

struct token {
    char a[9], b[9];
};

int vt_console_open(struct vt_vm *vm, bool replay, int *fd, struct vt_error *err)
{
    return vt_vm_service(vm, replay ? "console" : "console noreplay", fd, err);
}

static int make_token(struct token *t, struct vt_error *err)
{
    uint32_t r[2];
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r) {
        return vt_fail(err, VT_E_IO, "no random numbers");
    }
    snprintf(t->a, sizeof t->a, "%08" PRIx32, r[0]);
    snprintf(t->b, sizeof t->b, "%08" PRIx32, r[1]);
    return 0;
}

/* Asks until the shell answers. What was typed before the shell came up may be lost or not; an
 * answer too many lies before the command's output and hurts nobody. */
static int find_shell(struct vt_expect *e, const struct token *t, uint64_t deadline_ns,
                      struct vt_error *err)
{
    char ask[64], answer[32];
    struct vt_error why;
    snprintf(ask, sizeof ask, "\x15printf '\\n=%%s%%s\\n' %s %s\n", t->a, t->b);
    snprintf(answer, sizeof answer, "\n=%s%s\n", t->a, t->b);
    for (uint64_t wait_ms = PROBE_FIRST_MS;; wait_ms *= wait_ms < PROBE_MOST_MS ? 2 : 1) {
        uint64_t until = vt_deadline_ms(wait_ms);
        until = until < deadline_ns ? until : deadline_ns;
        int rc = vt_expect_send(e, ask, deadline_ns, err);
        if (rc != 0) {
            return rc;
        }
        rc = vt_expect_text(e, answer, until, &why);
        if (rc == 0) {
            return 0;
        }
        if (rc != VT_E_TIMEOUT) {
            return vt_fail(err, why.code, "%s", why.message);
        }
        if (vt_now_ns() >= deadline_ns) {
            return vt_fail(err, VT_E_TIMEOUT, "no shell answers on the serial console");
        }
    }
}

static int send_command(struct vt_expect *e, const char *command, uint64_t deadline_ns,
                        struct vt_error *err)
{
    char line[CHUNK_BYTES + 32];
    bool first = true;
    do {
        size_t n = (size_t)sprintf(line, first ? "vt='" : "vt=$vt'");
        while (*command != '\0' && n < CHUNK_BYTES) {
            unsigned char c = (unsigned char)*command++;
            if (c < 0x80 && (isalnum(c) || strchr(" _./,:=-", c) != NULL)) {
                line[n++] = (char)c;
            } else {
                n += (size_t)sprintf(line + n, "\\0%03o", c);
            }
        }
        strcpy(line + n, "'\n");
        int rc = vt_expect_send(e, line, deadline_ns, err);
        if (rc != 0) {
            return rc;
        }
        first = false;
    } while (*command != '\0');
    return 0;
}

/* Hands on what comes until the end marker, holding back what may be its beginning. */
static int collect(struct vt_expect *e, const char *end, uint64_t deadline_ns,
                   vt_console_sink *sink, void *arg, struct vt_error *err)
{
    for (;;) {
        const char *found = strstr(e->window, end);
        size_t hold = strlen(end) - 1;
        size_t ready = found != NULL    ? (size_t)(found - e->window)
                       : e->used > hold ? e->used - hold
                                        : 0;
        int rc = ready > 0 ? sink(arg, e->window, ready, err) : 0;
        if (rc != 0) {
            return rc;
        }
        vt_expect_consume(e, found != NULL ? ready + strlen(end) : ready);
        if (found != NULL) {
            return 0;
        }
        rc = vt_expect_fill(e, deadline_ns, err);
        if (rc == VT_E_TIMEOUT) {
            return vt_fail(err, rc, "the command did not end in time (it goes on in the guest)");
        }
        if (rc != 0) {
            return rc;
        }
    }
}

static int exec_with(struct vt_expect *e, const char *command, uint64_t deadline_ns,
                     vt_console_sink *sink, void *arg, int *exit_code, struct vt_error *err)
{
    struct token t;
    char run[256], begin[32], end[32], status[16];
    int rc = make_token(&t, err);
    rc = rc != 0 ? rc : find_shell(e, &t, deadline_ns, err);
    rc = rc != 0 ? rc : send_command(e, command, deadline_ns, err);
    if (rc != 0) {
        return rc;
    }
    snprintf(run, sizeof run,
             "printf '\\n<%%s%%s\\n' %s %s; (eval \"$(printf %%b \"$vt\")\") </dev/null; "
             "printf '\\n>%%s%%s %%d\\n' %s %s $?\n",
             t.a, t.b, t.a, t.b);
    snprintf(begin, sizeof begin, "\n<%s%s\n", t.a, t.b);
    snprintf(end, sizeof end, "\n>%s%s ", t.a, t.b);
    rc = vt_expect_send(e, run, deadline_ns, err);
    rc = rc != 0 ? rc : vt_expect_text(e, begin, deadline_ns, err);
    rc = rc != 0 ? rc : collect(e, end, deadline_ns, sink, arg, err);
    const char *const number[] = {"^[0-9]{1,3}\n"};
    rc =
        rc != 0 ? rc : vt_expect_regex(e, number, 1, deadline_ns, NULL, status, sizeof status, err);
    if (rc == 0) {
        *exit_code = (int)strtol(status, NULL, 10) & 0xff;
    }
    return rc;
}

int vt_console_exec_on(int fd, const char *command, uint64_t deadline_ns, const volatile int *stop,
                       vt_console_sink *sink, void *arg, int *exit_code, struct vt_error *err)
{
    if (strlen(command) > VT_CONSOLE_COMMAND_MAX) {
        return vt_fail(err, VT_E_LIMIT, "a command has at most %d bytes", VT_CONSOLE_COMMAND_MAX);
    }
    struct vt_expect *e = malloc(sizeof *e);
    if (e == NULL) {
        return vt_fail(err, VT_E_NOMEM, "console: out of memory");
    }
    vt_expect_init(e, fd, stop);
    int rc = exec_with(e, command, deadline_ns, sink, arg, exit_code, err);
    free(e);
    return rc;
}

/* flock() cannot wait with a deadline, so it is tried every few milliseconds. */
static int take_turn(const char *dir, uint64_t deadline_ns, const volatile int *stop, int *fd,
                     struct vt_error *err)
{
    char path[PATH_MAX];
    int rc = vt_vmdir_file(dir, "console.lock", path, err);
    if (rc != 0) {
        return rc;
    }
    for (;;) {
        rc = vt_lock_file(path, fd, err);
        if (rc != VT_E_BUSY) {
            return rc;
        }
        if (stop != NULL && *stop != 0) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
        if (vt_now_ns() >= deadline_ns) {
            return vt_fail(err, VT_E_TIMEOUT, "another command holds the console");
        }
        poll(NULL, 0, 10);
    }
}

int vt_console_exec(struct vt_vm *vm, const char *command, uint64_t deadline_ns,
                    const volatile int *stop, vt_console_sink *sink, void *arg, int *exit_code,
                    struct vt_error *err)
{
    int lock = -1, fd = -1;
    int rc = take_turn(vt_vm_info(vm)->dir, deadline_ns, stop, &lock, err);
    rc = rc != 0 ? rc : vt_console_open(vm, false, &fd, err);
    rc = rc != 0 ? rc
                 : vt_console_exec_on(fd, command, deadline_ns, stop, sink, arg, exit_code, err);
    vt_close(&fd);
    vt_close(&lock);
    return rc;
}
