/* machine/expect.c - see expect.h. */
#include "machine/expect.h"

#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REGEXES_MAX 16
/* A line that is not ended and brought nothing for so long is a prompt. */
#define SETTLE_MS 50

void vt_expect_init(struct vt_expect *e, int fd, const volatile int *stop)
{
    e->fd = fd;
    e->stop = stop;
    e->state = VT_EXPECT_TEXT;
    e->used = 0;
    e->window[0] = '\0';
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void vt_expect_consume(struct vt_expect *e, size_t n)
{
    e->used -= n;
    memmove(e->window, e->window + n, e->used + 1);
}

/* One byte of the stream; returns whether it is text. Sequences as in ECMA-48: ESC [ … final,
 * ESC ] … BEL or ESC \, ESC and one more. A control character inside a sequence ends it. */
static bool is_text(struct vt_expect *e, unsigned char c)
{
    if (c == 0x1b) {
        e->state = VT_EXPECT_ESCAPE;
        return false;
    }
    switch (e->state) {
    case VT_EXPECT_ESCAPE:
        if (c == '[') {
            e->state = VT_EXPECT_CSI;
        } else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
            e->state = VT_EXPECT_STRING;
        } else if (c < 0x20 || c > 0x2f) { /* not an intermediate byte */
            e->state = VT_EXPECT_TEXT;
        }
        return false;
    case VT_EXPECT_CSI:
        if (c < 0x20 || c >= 0x40) {
            e->state = VT_EXPECT_TEXT;
        }
        return c == '\n';
    case VT_EXPECT_STRING:
        if (c < 0x20) {
            e->state = VT_EXPECT_TEXT;
        }
        return c == '\n';
    case VT_EXPECT_TEXT:
        break;
    }
    return c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f);
}

static void take_in(struct vt_expect *e, const char *bytes, size_t n)
{
    if (n > VT_EXPECT_WINDOW - e->used) {
        vt_expect_consume(e, n - (VT_EXPECT_WINDOW - e->used));
    }
    for (size_t i = 0; i < n; i++) {
        if (is_text(e, (unsigned char)bytes[i])) {
            e->window[e->used++] = bytes[i];
        }
    }
    e->window[e->used] = '\0';
}

int vt_expect_fill(struct vt_expect *e, uint64_t deadline_ns, struct vt_error *err)
{
    char bytes[4096];
    for (size_t before = e->used; e->used == before;) {
        int rc = vt_wait_fd(e->fd, POLLIN, deadline_ns, e->stop, err);
        if (rc != 0) {
            return rc;
        }
        ssize_t n = read(e->fd, bytes, sizeof bytes);
        if (n == 0) {
            return vt_fail(err, VT_E_GONE, "the console closed");
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return vt_fail_errno(err, VT_E_GONE, errno, "the console closed");
        }
        if (n > 0) {
            bool full = (size_t)n > VT_EXPECT_WINDOW - e->used;
            take_in(e, bytes, (size_t)n);
            if (full) {
                break; /* new text may have pushed out just as much */
            }
        }
    }
    return 0;
}

/* The same failure, saying what was waited for and what the guest said last. */
static int explain(struct vt_expect *e, const char *wanted, const struct vt_error *why,
                   struct vt_error *err)
{
    char last[81];
    size_t end = e->used;
    while (end > 0 && (e->window[end - 1] == '\n' || e->window[end - 1] == ' ')) {
        end--;
    }
    const char *newline = memrchr(e->window, '\n', end);
    const char *line = newline != NULL ? newline + 1 : e->window;
    vt_text_printable(last, sizeof last, line, (size_t)(e->window + end - line));
    return vt_fail(err, why->code, "%s while waiting for '%s' on the console (last line: '%s')",
                   why->message, wanted, last);
}

static void copy_line(const struct vt_expect *e, size_t at, char *line, size_t line_bytes)
{
    const char *newline = memrchr(e->window, '\n', at);
    const char *start = newline != NULL ? newline + 1 : e->window;
    size_t len = strcspn(start, "\n");
    if (len >= line_bytes) {
        len = line_bytes - 1;
    }
    memcpy(line, start, len);
    line[len] = '\0';
}

int vt_expect_regex(struct vt_expect *e, const char *const *regexes, unsigned n,
                    uint64_t deadline_ns, unsigned *which, char *line, size_t line_bytes,
                    struct vt_error *err)
{
    regex_t compiled[REGEXES_MAX];
    struct vt_error why;
    unsigned made = 0;
    int rc = n == 0 || n > REGEXES_MAX ? vt_fail(err, VT_E_INVAL, "too many expressions") : 0;
    for (; rc == 0 && made < n; made++) {
        int bad = regcomp(&compiled[made], regexes[made], REG_EXTENDED | REG_NEWLINE);
        if (bad != 0) {
            char text[128];
            regerror(bad, &compiled[made], text, sizeof text);
            rc = vt_fail(err, VT_E_INVAL, "'%s': %s", regexes[made], text);
            break;
        }
    }
    while (rc == 0) {
        regmatch_t first = {.rm_so = -1};
        unsigned winner = 0;
        for (unsigned i = 0; i < n; i++) {
            regmatch_t m;
            if (regexec(&compiled[i], e->window, 1, &m, 0) == 0 &&
                (first.rm_so < 0 || m.rm_so < first.rm_so)) {
                first = m;
                winner = i;
            }
        }
        if (first.rm_so >= 0 && strchr(e->window + first.rm_so, '\n') == NULL &&
            vt_expect_fill(e, vt_deadline_ms(SETTLE_MS), NULL) == 0) {
            continue; /* the match may grow, another may begin first */
        }
        if (first.rm_so >= 0) {
            if (line != NULL) {
                copy_line(e, (size_t)first.rm_so, line, line_bytes);
            }
            if (which != NULL) {
                *which = winner;
            }
            vt_expect_consume(e, (size_t)first.rm_eo);
            break;
        }
        if (vt_expect_fill(e, deadline_ns, &why) != 0) {
            rc = explain(e, regexes[0], &why, err);
        }
    }
    while (made > 0) {
        regfree(&compiled[--made]);
    }
    return rc;
}

int vt_expect_text(struct vt_expect *e, const char *text, uint64_t deadline_ns,
                   struct vt_error *err)
{
    for (;;) {
        const char *found = strstr(e->window, text);
        struct vt_error why;
        if (found != NULL) {
            vt_expect_consume(e, (size_t)(found - e->window) + strlen(text));
            return 0;
        }
        if (vt_expect_fill(e, deadline_ns, &why) != 0) {
            return explain(e, text, &why, err);
        }
    }
}

int vt_expect_send(struct vt_expect *e, const char *text, uint64_t deadline_ns,
                   struct vt_error *err)
{
    size_t left = strlen(text);
    while (left > 0) {
        int rc = vt_wait_fd(e->fd, POLLOUT, deadline_ns, e->stop, err);
        if (rc != 0) {
            return rc;
        }
        ssize_t n = write(e->fd, text, left);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return vt_fail_errno(err, VT_E_GONE, errno, "the console closed");
        }
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        }
    }
    return 0;
}
