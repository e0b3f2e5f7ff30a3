/* cli/bench_hybrid_run.c - see bench_hybrid.h. */
#include "cli/bench_hybrid.h"

#include "base/io.h"
#include "cli/vm.h"
#include "machine/console_client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_MS 600000
#define TEXT_MAX ((size_t)64 << 10)

/* ---------------------------------------------------------------- vt-loops */

struct text {
    size_t n;
    char all[TEXT_MAX];
};

static int collect(void *arg, const char *piece, size_t bytes, struct vt_error *err)
{
    struct text *t = arg;
    if (bytes >= sizeof t->all - t->n) {
        return vt_fail(err, VT_E_LIMIT, "a program in the guest prints too much");
    }
    memcpy(t->all + t->n, piece, bytes);
    t->n += bytes;
    return 0;
}

static int run_there(struct vt_vm *vm, const char *arguments, struct text *t, struct vt_error *err)
{
    char command[256];
    int code;
    snprintf(command, sizeof command, "vt-loops %s", arguments);
    int rc = vt_console_exec(vm, command, vt_deadline_ms(RUN_MS), &vt_interrupted, collect, t,
                             &code, err);
    return rc == 0 && code != 0 ? vt_fail(err, VT_E_REFUSED, "the guest does not run '%s'", command)
                                : rc;
}

static void become_loops(int program, int out, const char *arguments)
{
    static char words[256];
    char *argv[32] = {(char[]){"vt-loops"}}, *rest = NULL;
    unsigned n = 1;
    snprintf(words, sizeof words, "%s", arguments);
    for (char *w = strtok_r(words, " ", &rest); w != NULL && n < 31;
         w = strtok_r(NULL, " ", &rest)) {
        argv[n++] = w;
    }
    dup2(out, STDOUT_FILENO);
    fexecve(program, argv, (char *[]){NULL});
    _exit(127);
}

/* The very program that the guest has. */
static int open_program(int *fd, struct vt_error *err)
{
    const struct vt_embedded *f = vt_guest_files;
    while (f->name != NULL && strcmp(f->name, "vt-loops") != 0) {
        f++;
    }
    int made = f->name != NULL ? memfd_create("vt-loops", MFD_CLOEXEC) : -1;
    for (uint64_t at = 0; made >= 0 && at < f->size;) {
        ssize_t n = write(made, f->bytes + at, f->size - at);
        if (n <= 0) {
            close(made);
            made = -1;
        }
        at += n > 0 ? (uint64_t)n : 0;
    }
    if (made < 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "vt-loops on the host");
    }
    *fd = made;
    return 0;
}

static int run_here(const char *arguments, struct text *t, struct vt_error *err)
{
    int program = -1, ends[2], status;
    ssize_t n = 0;
    int rc = open_program(&program, err);
    if (rc != 0) {
        return rc;
    }
    pid_t pid = pipe2(ends, O_CLOEXEC) == 0 ? fork() : -1;
    if (pid == 0) {
        become_loops(program, ends[1], arguments);
    }
    close(program);
    if (pid < 0) {
        return vt_fail_errno(err, VT_E_NOMEM, errno, "vt-loops on the host");
    }
    close(ends[1]);
    while (rc == 0 && (n = read(ends[0], t->all + t->n, sizeof t->all - 1 - t->n)) > 0) {
        t->n += (size_t)n;
    }
    close(ends[0]);
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? 0
               : vt_fail(err, VT_E_REFUSED, "vt-loops failed on the host");
}

static int parse(const struct text *t, struct vt_bench_loops *out, struct vt_error *err)
{
    out->n = 0;
    for (const char *line = t->all; *line != '\0' && out->n < VT_BENCH_LOOPS_MAX;) {
        struct vt_bench_loop *l = &out->all[out->n];
        unsigned times;
        uint64_t best;
        if (sscanf(line,
                   "%31s bytes=%" SCNu64 " times=%u best_ns=%" SCNu64 " median_ns=%" SCNu64
                   " check=%19s",
                   l->name, &l->bytes, &times, &best, &l->median_ns, l->check) == 6 &&
            l->median_ns != 0) {
            out->n++;
        }
        const char *end = strchr(line, '\n');
        line = end != NULL ? end + 1 : line + strlen(line);
    }
    return out->n != 0 ? 0 : vt_fail(err, VT_E_PROTOCOL, "vt-loops said nothing");
}

int vt_bench_hybrid_loops(struct vt_vm *vm, const char *arguments, struct vt_bench_loops *out,
                          struct vt_error *err)
{
    struct text *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a program's output");
    }
    int rc = vm != NULL ? run_there(vm, arguments, t, err) : run_here(arguments, t, err);
    rc = rc == 0 ? parse(t, out, err) : rc;
    free(t);
    return rc;
}
