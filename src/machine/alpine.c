/* machine/alpine.c - see alpine.h. */
#include "machine/alpine.h"

#include "base/io.h"
#include "base/text.h"
#include "machine/console_client.h"
#include "machine/expect.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 160
#define POWER_OFF_MS 60000

/* Output of a command, line by line: the last one is what a failure is explained with. */
struct lines {
    const struct vt_alpine *alpine;
    char now[LINE_MAX_BYTES];
    size_t n;
    char last[LINE_MAX_BYTES];
};

static void tell(const struct vt_alpine *a, const char *text)
{
    if (a->progress != NULL) {
        a->progress(a->arg, text);
    }
}

static void end_line(struct lines *l)
{
    char text[LINE_MAX_BYTES];
    size_t n = vt_text_printable(text, sizeof text, l->now, l->n);
    l->n = 0;
    if (n > strspn(text, " ")) {
        memcpy(l->last, text, n + 1);
        tell(l->alpine, text);
    }
}

static int take_lines(void *arg, const char *text, size_t bytes, struct vt_error *err)
{
    struct lines *l = arg;
    (void)err;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n') {
            end_line(l);
        } else if (l->n < sizeof l->now) {
            l->now[l->n++] = text[i];
        }
    }
    return 0;
}

/* Runs a step in the live system. A status other than 0 becomes a failure with `code`, explained by
 * the last line that was printed; `last` (may be NULL) gets that line. */
static int step(int fd, const struct vt_alpine *a, const char *what, const char *command,
                enum vt_code code, char last[LINE_MAX_BYTES], struct vt_error *err)
{
    struct lines lines = {.alpine = a};
    struct vt_error why;
    int status;
    int rc =
        vt_console_exec_on(fd, command, a->deadline_ns, a->stop, take_lines, &lines, &status, &why);
    end_line(&lines);
    if (rc != 0) {
        return vt_fail(err, why.code, "%s: %s", what, why.message);
    }
    if (status != 0) {
        return vt_fail(err, code, "%s failed: %s", what,
                       lines.last[0] != '\0' ? lines.last : "it says nothing");
    }
    if (last != NULL) {
        memcpy(last, lines.last, LINE_MAX_BYTES);
    }
    return 0;
}

enum { SAW_LOGIN, SAW_PANIC, SAW_NO_BOOT };

static int await_login(struct vt_expect *e, const struct vt_alpine *a, struct vt_error *err)
{
    static const char *const regexes[] = {
        [SAW_LOGIN] = "login: ",
        [SAW_PANIC] = "Kernel panic|can't access tty|Mounting boot media failed",
        [SAW_NO_BOOT] = "No bootable device|Boot failed",
    };
    unsigned which;
    char line[LINE_MAX_BYTES], safe[LINE_MAX_BYTES];
    int rc = vt_expect_regex(e, regexes, 3, a->deadline_ns, &which, line, sizeof line, err);
    if (rc != 0 || which == SAW_LOGIN) {
        return rc;
    }
    vt_text_printable(safe, sizeof safe, line, strlen(line));
    return vt_fail(err, VT_E_UNSUPPORTED, "the ISO does not boot: %s", safe);
}

static int log_in(struct vt_expect *e, const struct vt_alpine *a, struct vt_error *err)
{
    static const char *const regexes[] = {"# *$", "[Pp]assword: *$", "[Ll]ogin incorrect"};
    unsigned which;
    int rc = vt_expect_send(e, "root\n", a->deadline_ns, err);
    rc = rc != 0 ? rc : vt_expect_regex(e, regexes, 3, a->deadline_ns, &which, NULL, 0, err);
    if (rc == 0 && which != 0) {
        return vt_fail(err, VT_E_UNSUPPORTED,
                       "root cannot log in without a password: not a live Alpine ISO");
    }
    return rc;
}

static int boot_and_log_in(int fd, const struct vt_alpine *a, struct vt_error *err)
{
    struct vt_expect *e = malloc(sizeof *e);
    if (e == NULL) {
        return vt_fail(err, VT_E_NOMEM, "console: out of memory");
    }
    vt_expect_init(e, fd, a->stop);
    tell(a, "waiting for the live system");
    int rc = await_login(e, a, err);
    rc = rc != 0 ? rc : log_in(e, a, err);
    free(e);
    return rc;
}

static int check(int fd, const struct vt_alpine *a, struct vt_error *err)
{
    char command[256], release[LINE_MAX_BYTES], text[LINE_MAX_BYTES + 32];
    int rc = step(fd, a, "looking for setup-alpine",
                  "command -v setup-alpine >/dev/null || { echo not found; exit 1; }; "
                  "cat /etc/alpine-release",
                  VT_E_UNSUPPORTED, release, err);
    snprintf(command, sizeof command, "[ -b %s ] || { echo %s is no disk; exit 1; }", a->disk,
             a->disk);
    rc = rc != 0 ? rc : step(fd, a, "looking for the disk", command, VT_E_UNSUPPORTED, NULL, err);
    if (rc == 0) {
        snprintf(text, sizeof text, "installing Alpine %s", release);
        tell(a, text);
    }
    return rc;
}

/* ERASE_DISKS answers the one question an answer file cannot; -s 0: no swap. */
static int install(int fd, const struct vt_alpine *a, struct vt_error *err)
{
    char command[1024];
    int n = snprintf(command, sizeof command,
                     "cat >/tmp/answers <<'END'\n"
                     "KEYMAPOPTS=\"us us\"\n"
                     "HOSTNAMEOPTS=\"-n %s\"\n"
                     "INTERFACESOPTS=\"auto lo\niface lo inet loopback\n\n"
                     "auto eth0\niface eth0 inet dhcp\n\"\n"
                     "TIMEZONEOPTS=\"-z UTC\"\n"
                     "PROXYOPTS=\"none\"\n"
                     "APKREPOSOPTS=\"/media/cdrom/apks\"\n"
                     "USEROPTS=\"none\"\n"
                     "SSHDOPTS=\"-c none\"\n"
                     "NTPOPTS=\"-c none\"\n"
                     "DISKOPTS=\"-s 0 -m sys %s\"\n"
                     "END\n"
                     "export ERASE_DISKS=%s KERNELOPTS='quiet console=ttyS0,115200'\n"
                     "setup-alpine -e -f /tmp/answers 2>&1\n",
                     a->hostname, a->disk, a->disk);
    if ((size_t)n >= sizeof command) {
        return vt_fail(err, VT_E_INVAL, "a name is too long");
    }
    return step(fd, a, "setup-alpine", command, VT_E_REFUSED, NULL, err);
}

/* The proof that something was installed is the file the login is set up in. */
static int set_up_login(int fd, const struct vt_alpine *a, struct vt_error *err)
{
    char command[1024];
    tell(a, "setting up the serial login");
    int n = snprintf(command, sizeof command,
                     "for part in %s?; do\n"
                     "    mount \"$part\" /mnt 2>/dev/null || continue\n"
                     "    [ -f /mnt/etc/inittab ] && break\n"
                     "    umount /mnt\n"
                     "done\n"
                     "[ -f /mnt/etc/inittab ] || { echo no system on %s; exit 1; }\n"
                     "set -e\n"
                     "sed -i '/^#*ttyS0:/d' /mnt/etc/inittab\n"
                     "echo 'ttyS0::respawn:/bin/login -f root' >>/mnt/etc/inittab\n"
                     "umount /mnt\n"
                     "sync\n",
                     a->disk, a->disk);
    if ((size_t)n >= sizeof command) {
        return vt_fail(err, VT_E_INVAL, "a name is too long");
    }
    return step(fd, a, "setting up the serial login", command, VT_E_REFUSED, NULL, err);
}

static int power_off(int fd, const struct vt_alpine *a, struct vt_error *err)
{
    struct vt_expect *e = malloc(sizeof *e);
    static const char *const down[] = {"reboot: Power down"};
    uint64_t until = vt_deadline_ms(POWER_OFF_MS);
    if (e == NULL) {
        return vt_fail(err, VT_E_NOMEM, "console: out of memory");
    }
    tell(a, "powering off");
    vt_expect_init(e, fd, a->stop);
    until = until < a->deadline_ns ? until : a->deadline_ns;
    int rc = vt_expect_send(e, "poweroff\n", until, err);
    rc = rc != 0 ? rc : vt_expect_regex(e, down, 1, until, NULL, NULL, 0, err);
    free(e);
    return rc == VT_E_GONE ? 0 : rc;
}

static bool is_word(const char *text, const char *more)
{
    if (text[0] == '\0' || text[0] == '-' || strlen(text) > 63) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text) && strchr(more, *text) == NULL) {
            return false;
        }
    }
    return true;
}

int vt_alpine_install(int fd, const struct vt_alpine *a, struct vt_error *err)
{
    if (!is_word(a->hostname, "-") || !is_word(a->disk, "/")) {
        return vt_fail(err, VT_E_INVAL, "'%s' on '%s': not a host name and a disk", a->hostname,
                       a->disk);
    }
    int rc = boot_and_log_in(fd, a, err);
    rc = rc != 0 ? rc : check(fd, a, err);
    rc = rc != 0 ? rc : install(fd, a, err);
    rc = rc != 0 ? rc : set_up_login(fd, a, err);
    return rc != 0 ? rc : power_off(fd, a, err);
}
