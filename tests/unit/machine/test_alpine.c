/* test_alpine.c - the Alpine installation against a peer that plays console, login and shell: it
 * understands what vt_console_exec_on types, answers each command from a script, and can go wrong
 * at every step. */
#include "tests/unit/harness.h"

#include "base/io.h"
#include "machine/alpine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum how { ANSWER, HANG, HANG_UP };

struct reply {
    const char *part; /* of the command it answers */
    const char *output;
    int status;
    enum how how;
};

struct script {
    const char *boot;   /* what is on the screen */
    const char *prompt; /* after "root" */
    struct reply replies[8];
};

#define BOOT "\x1b[2JWelcome to Alpine Linux 3.20\r\n\r\nlocalhost login: "
#define PROMPT "Welcome to Alpine!\r\n\r\nlocalhost:~# "

static const struct script good = {
    BOOT,
    PROMPT,
    {
        {"command -v setup-alpine", "3.20.3\n", 0, ANSWER},
        {"[ -b /dev/vda ]", "", 0, ANSWER},
        {"setup-alpine -e -f", "Creating file systems...\n\x1b]0;x\x07Installation is complete.\n",
         0, ANSWER},
        {"inittab", "", 0, ANSWER},
        {0},
    },
};

/* ---------------------------------------------------------------- the peer */

static FILE *in, *out, *commands;

static void say(const char *text)
{
    fputs(text, out);
    fflush(out);
}

/* The command's bytes: \0ooo is one. Appends to `command`. */
static void decode(const char *text, char *command)
{
    char *end = command + strlen(command);
    while (*text != '\'' && *text != '\0') {
        if (*text == '\\') {
            *end++ = (char)strtol(text + 2, NULL, 8);
            text += 5;
        } else {
            *end++ = *text++;
        }
    }
    *end = '\0';
}

static void run_command(const struct script *s, const char *command, const char *a, const char *b)
{
    fprintf(commands, "%s\n--\n", command);
    fflush(commands);
    const struct reply *r = s->replies;
    while (r->part != NULL && strstr(command, r->part) == NULL) {
        r++;
    }
    if (r->how == HANG) {
        pause();
    }
    if (r->how == HANG_UP) {
        _exit(0);
    }
    fprintf(out, "\r\n<%s%s\r\n%s\r\n>%s%s %d\r\nlocalhost:~# ", a, b,
            r->part != NULL ? r->output : "sh: not in the script\n", a, b,
            r->part != NULL ? r->status : 127);
    fflush(out);
}

static void play(const struct script *s, int fd)
{
    static char line[8192], command[8192];
    char a[16], b[16];
    in = fdopen(fd, "r");
    out = fdopen(dup(fd), "w");
    if (s->boot != NULL) {
        say(s->boot);
    }
    while (fgets(line, sizeof line, in) != NULL) {
        const char *text = line[0] == '\x15' ? line + 1 : line;
        fprintf(out, "%s\r", line); /* the echo */
        if (strcmp(text, "root\n") == 0) {
            say(s->prompt);
        } else if (sscanf(text, "printf '\\n=%%s%%s\\n' %15s %15s", a, b) == 2) {
            fprintf(out, "\r\n=%s%s\r\n# ", a, b);
        } else if (strncmp(text, "vt='", 4) == 0) {
            command[0] = '\0';
            decode(text + 4, command);
        } else if (strncmp(text, "vt=$vt'", 7) == 0) {
            decode(text + 7, command);
        } else if (sscanf(text, "printf '\\n<%%s%%s\\n' %15s %15[^;];", a, b) == 2) {
            run_command(s, command, a, b);
        } else if (strcmp(text, "poweroff\n") == 0) {
            say("\r\n[  99.1] reboot: Power down\r\n");
        }
        fflush(out);
    }
    _exit(0);
}

/* ---------------------------------------------------------------- the tests */

struct fixture {
    int fd;
    pid_t pid;
    char *said; /* progress */
    size_t n_said;
    FILE *progress;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->fd = -1;
    f->progress = open_memstream(&f->said, &f->n_said);
    commands = tmpfile();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    vt_close(&f->fd);
    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    fclose(f->progress);
    free(f->said);
    free(f);
    fclose(commands);
    return 0;
}

static void note(void *arg, const char *text)
{
    fprintf(((struct fixture *)arg)->progress, "%s\n", text);
}

static int install(struct fixture *f, const struct script *s, uint64_t ms, struct vt_error *err)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    f->fd = fds[0];
    f->pid = fork();
    if (f->pid == 0) {
        close(fds[0]);
        play(s, fds[1]);
    }
    close(fds[1]);
    const struct vt_alpine a = {.disk = "/dev/vda",
                                .hostname = "glass",
                                .deadline_ns = vt_deadline_ms(ms),
                                .progress = note,
                                .arg = f};
    int rc = vt_alpine_install(f->fd, &a, err);
    fflush(f->progress);
    return rc;
}

/* The script with one reply changed. */
static struct script with(unsigned i, const char *output, int status, enum how how)
{
    struct script s = good;
    s.replies[i].output = output;
    s.replies[i].status = status;
    s.replies[i].how = how;
    return s;
}

static void fails(void **state, struct script s, uint64_t ms, int code, const char *part)
{
    struct vt_error err = {.message = ""};
    assert_int_equal(install(*state, &s, ms, &err), code);
    assert_null(strchr(err.message, '\n'));
    if (strstr(err.message, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, err.message);
    }
}

static void it_installs(void **state)
{
    struct fixture *f = *state;
    struct vt_error err;
    char text[8192];
    if (install(f, &good, 20000, &err) != 0) {
        fail_msg("%s", err.message);
    }
    rewind(commands);
    text[fread(text, 1, sizeof text - 1, commands)] = '\0';
    const char *at = text;
    static const char *const order[] = {
        "command -v setup-alpine", "[ -b /dev/vda ]",      "HOSTNAMEOPTS=\"-n glass\"",
        "-m sys /dev/vda",         "ERASE_DISKS=/dev/vda", "console=ttyS0",
        "setup-alpine -e -f",      "umount /mnt",          "ttyS0::respawn:/bin/login -f root",
    };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        at = strstr(at, order[i]);
        if (at == NULL) {
            fail_msg("'%s' is not, or not in its turn, in:\n%s", order[i], text);
        }
    }
    assert_non_null(strstr(f->said, "installing Alpine 3.20.3\n"));
    assert_non_null(strstr(f->said, "Creating file systems...\nInstallation is complete.\n"));
}

static void silence(void **state)
{
    struct script s = good;
    s.boot = NULL;
    fails(state, s, 100, VT_E_TIMEOUT, "login: ");
}

static void an_iso_that_does_not_boot(void **state)
{
    struct script s = good;
    s.boot = "SeaBIOS\r\nBooting from DVD/CD...\r\nBoot failed: not a bootable disk\r\n";
    fails(state, s, 20000, VT_E_UNSUPPORTED, "not a bootable disk");
}

static void a_login_with_a_password(void **state)
{
    struct script s = good;
    s.prompt = "Password: ";
    fails(state, s, 20000, VT_E_UNSUPPORTED, "not a live Alpine");
}

static void another_system(void **state)
{
    fails(state, with(0, "not found\n", 1, ANSWER), 20000, VT_E_UNSUPPORTED, "not found");
}

static void no_disk(void **state)
{
    fails(state, with(1, "/dev/vda is no disk\n", 1, ANSWER), 20000, VT_E_UNSUPPORTED, "no disk");
}

static void a_disk_too_small(void **state)
{
    fails(state,
          with(2, "Installing\nERROR: \x1b[31mNo space left on device\x1b[0m\n\n", 1, ANSWER),
          20000, VT_E_REFUSED, "setup-alpine failed: ERROR: No space left on device");
}

static void an_installer_without_e(void **state)
{
    fails(state, with(2, "", 1, ANSWER), 20000, VT_E_REFUSED, "it says nothing");
}

static void nothing_was_installed(void **state)
{
    fails(state, with(3, "no system on /dev/vda\n", 1, ANSWER), 20000, VT_E_REFUSED,
          "no system on");
}

static void an_installer_that_hangs(void **state)
{
    fails(state, with(2, "", 0, HANG), 3000, VT_E_TIMEOUT, "setup-alpine: ");
}

static void qemu_ends_in_the_middle(void **state)
{
    fails(state, with(2, "", 0, HANG_UP), 20000, VT_E_GONE, "setup-alpine: ");
}

static void hostile_output_is_made_safe(void **state)
{
    struct fixture *f = *state;
    char output[4096] = "\x1b[31m\x07red\x01\n\xff\xfe\n";
    struct vt_error err;
    memset(output + strlen(output), 'x', 3000);
    struct script s = with(2, output, 0, ANSWER);
    assert_int_equal(install(f, &s, 20000, &err), 0);
    for (const char *p = f->said; *p != '\0'; p++) {
        assert_true(*p == '\n' || ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f));
    }
    assert_non_null(strstr(f->said, "red\n\\xff\\xfe\nxxxx"));
}

static void names_are_checked_first(void **state)
{
    (void)state;
    struct vt_error err;
    static const char *const bad[] = {"", "a b", "a;reboot", "a'b", "-n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct vt_alpine a = {.disk = "/dev/vda", .hostname = bad[i]};
        assert_int_equal(vt_alpine_install(-1, &a, &err), VT_E_INVAL);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_installs),
        TEST(silence),
        TEST(an_iso_that_does_not_boot),
        TEST(a_login_with_a_password),
        TEST(another_system),
        TEST(no_disk),
        TEST(a_disk_too_small),
        TEST(an_installer_without_e),
        TEST(nothing_was_installed),
        TEST(an_installer_that_hangs),
        TEST(qemu_ends_in_the_middle),
        TEST(hostile_output_is_made_safe),
        cmocka_unit_test(names_are_checked_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
