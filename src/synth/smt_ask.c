/* synth/smt_ask.c - solvers as processes: started, raced, ended. See smt.h.
 *
 * Z3 runs in a fork of this process, in which the module has been loaded before; bitwuzla is a
 * program that gets the text as its input. Each writes to a pipe whose end means that it is done.
 * bitwuzla starts when Z3 has not answered at once: most questions are answered before a second
 * process would have begun. Whoever is left at the end is killed and waited for.
 */
#include "synth/smt.h"

#include "base/io.h"
#include "base/paths.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMEOUT_MS 20000u
#define HEAD_START_MS 60u
#define TICK_MS 20
#define STACK_BYTES ((size_t)512 << 20) /* of the thread that parses and simplifies: reserved */
#define BITWUZLA "bitwuzla"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct vt_solver *z3;
static char bitwuzla[PATH_MAX];
static struct vt_error missing;

/* The first executable of that name in PATH, then the one that tools/setup unpacked. */
static void find_bitwuzla(void)
{
    const char *path = getenv("PATH");
    for (const char *at = path; at != NULL && *at != '\0';) {
        size_t n = strcspn(at, ":");
        if (n > 0 && at[0] == '/' &&
            vt_path_format(bitwuzla, NULL, "%.*s/" BITWUZLA, (int)n, at) == 0 &&
            access(bitwuzla, X_OK) == 0) {
            return;
        }
        at += n + (at[n] == ':');
    }
    char cache[PATH_MAX];
    if (vt_path_cache(cache, NULL) != 0 ||
        vt_path_format(bitwuzla, NULL, "%s/bitwuzla/" BITWUZLA, cache) != 0 ||
        access(bitwuzla, X_OK) != 0) {
        bitwuzla[0] = '\0';
    }
}

static void load(void)
{
    char path[PATH_MAX];
    find_bitwuzla();
    if (vt_path_lib(VT_SOLVER_MODULE, path, &missing) != 0) {
        vt_fail(&missing, VT_E_UNSUPPORTED,
                "no solver: vitrine was built without Z3 and there is no bitwuzla");
        return;
    }
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    z3 = module != NULL ? dlsym(module, VT_SOLVER_SYMBOL) : NULL;
    if (z3 == NULL) {
        vt_fail(&missing, VT_E_UNSUPPORTED, "no solver: %s", dlerror());
    }
}

int vt_smt_check(struct vt_error *err)
{
    pthread_once(&once, load);
    if (z3 != NULL || bitwuzla[0] != '\0') {
        return 0;
    }
    return vt_fail(err, missing.code, "%s", missing.message);
}

/* ---------------------------------------------------------------- processes */

struct contestant {
    const char *name;
    pid_t pid; /* 0: not running */
    int from;  /* what it says, or -1 */
    char said[VT_SMT_EXAMPLE_MAX + 16];
    size_t n_said;
};

struct task {
    const char *text;
    uint32_t timeout_ms;
    int to;
};

static void *ask_z3(void *arg)
{
    const struct task *task = arg;
    char example[VT_SMT_EXAMPLE_MAX] = "";
    enum vt_proof_result result = z3->ask(task->text, task->timeout_ms, example, sizeof example);
    dprintf(task->to, "%s\n%s",
            result == VT_PROOF_HOLDS   ? "unsat"
            : result == VT_PROOF_FALSE ? "sat"
                                       : "unknown",
            example);
    _exit(0);
}

/* In the child: nobody's files, nobody's signals, not longer than us. */
static void become_solver(pid_t parent, int to)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++) {
        signal(s, SIG_DFL);
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
        dup2(to, 3) < 0) {
        _exit(1);
    }
    close_range(4, ~0U, 0);
}

static void run_z3(const struct task *task)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (pthread_create(&thread, &attributes, ask_z3, (void *)(uintptr_t)task) != 0) {
        _exit(1);
    }
    pthread_join(thread, NULL);
    _exit(1);
}

static void start(struct contestant *c, const char *text, size_t bytes, uint32_t timeout_ms)
{
    int ends[2], input = -1;
    bool program = strcmp(c->name, BITWUZLA) == 0;
    if (program) {
        input = memfd_create("vitrine-smt", MFD_CLOEXEC);
        if (input < 0 || vt_write_all(input, text, bytes, "a question to a solver", NULL) != 0 ||
            lseek(input, 0, SEEK_SET) != 0) {
            vt_close(&input);
            return;
        }
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        vt_close(&input);
        return;
    }
    pid_t self = getpid(), pid = fork();
    if (pid == 0) {
        if (program && dup2(input, STDIN_FILENO) < 0) {
            _exit(1);
        }
        become_solver(self, ends[1]);
        struct task task = {.text = text, .timeout_ms = timeout_ms, .to = 3};
        if (!program) {
            run_z3(&task);
        }
        dup2(3, STDOUT_FILENO);
        close(3);
        execl(bitwuzla, BITWUZLA, (char *)NULL);
        _exit(1);
    }
    vt_close(&input);
    vt_close(&ends[1]);
    if (pid < 0) {
        vt_close(&ends[0]);
        return;
    }
    c->pid = pid;
    c->from = ends[0];
}

static void end(struct contestant *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        c->pid = 0;
    }
    vt_close(&c->from);
}

/* Takes what it says. True: it has said all. */
static bool hear(struct contestant *c)
{
    char more[256];
    ssize_t n = read(c->from, more, sizeof more);
    if (n < 0) {
        return errno != EINTR && errno != EAGAIN;
    }
    size_t room = sizeof c->said - 1 - c->n_said, keep = (size_t)n < room ? (size_t)n : room;
    memcpy(c->said + c->n_said, more, keep);
    c->n_said += keep;
    return n == 0;
}

/* What a contestant that is done has found out; false: nothing. */
static bool judge(const struct contestant *c, struct vt_smt_answer *answer)
{
    bool holds = strncmp(c->said, "unsat\n", 6) == 0, is_false = strncmp(c->said, "sat\n", 4) == 0;
    if (!holds && !is_false) {
        return false;
    }
    answer->result = holds ? VT_PROOF_HOLDS : VT_PROOF_FALSE;
    snprintf(answer->solver, sizeof answer->solver, "%s", c->name);
    if (is_false) {
        snprintf(answer->example, sizeof answer->example, "%s", c->said + 4);
    }
    return true;
}

void vt_smt_ask(const char *text, size_t bytes, uint32_t timeout_ms, bool (*stop)(void *arg),
                void *arg, struct vt_smt_answer *answer)
{
    *answer = (struct vt_smt_answer){.result = VT_PROOF_UNKNOWN, .solver = "none"};
    if (vt_smt_check(NULL) != 0 || (stop != NULL && stop(arg))) {
        return;
    }
    timeout_ms = timeout_ms != 0 ? timeout_ms : TIMEOUT_MS;
    uint64_t began = vt_now_ns(), deadline = vt_deadline_ms(timeout_ms),
             second = z3 != NULL ? vt_deadline_ms(HEAD_START_MS) : began;
    struct contestant all[2] = {{.name = "z3", .from = -1}, {.name = BITWUZLA, .from = -1}};
    if (z3 != NULL) {
        start(&all[0], text, bytes, timeout_ms);
    }
    bool waiting = bitwuzla[0] != '\0'; /* bitwuzla is still to start */
    for (bool known = false; !known;) {
        if (waiting && (all[0].pid == 0 || vt_now_ns() >= second)) {
            start(&all[1], text, bytes, timeout_ms);
            waiting = false;
        }
        if ((all[0].pid == 0 && all[1].pid == 0) || vt_now_ns() >= deadline ||
            (stop != NULL && stop(arg))) {
            break;
        }
        struct pollfd fds[2] = {{.fd = all[0].from, .events = POLLIN},
                                {.fd = all[1].from, .events = POLLIN}};
        poll(fds, 2, TICK_MS);
        for (int i = 0; i < 2 && !known; i++) {
            if (fds[i].revents != 0 && hear(&all[i])) {
                known = judge(&all[i], answer);
                end(&all[i]);
            }
        }
    }
    end(&all[0]);
    end(&all[1]);
    answer->took_us = (uint32_t)((vt_now_ns() - began) / 1000);
}
