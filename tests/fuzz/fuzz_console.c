/* tests/fuzz/fuzz_console.c - what a guest prints, on its way into a console's window.
 *
 * Whatever the bytes and however they are cut into pieces: the window stays within its bounds,
 * holds only text, does not depend on the cuts while nothing is pushed out, and matching and
 * consuming keep it so.
 */
#include "tests/fuzz/fuzz.h"

#include "base/io.h"
#include "machine/expect.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(const struct vt_expect *e)
{
    FUZZ_CHECK(e->used <= VT_EXPECT_WINDOW && strlen(e->window) == e->used);
    for (size_t i = 0; i < e->used; i++) {
        unsigned char c = (unsigned char)e->window[i];
        FUZZ_CHECK(c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f));
    }
}

/* Reads all of `bytes` in pieces of `piece`; returns the descriptor, which is at its end. */
static int feed(struct vt_expect *e, const uint8_t *bytes, size_t n, size_t piece)
{
    int fds[2];
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    vt_expect_init(e, fds[0], NULL);
    for (size_t at = 0; at < n; at += piece) {
        size_t now = piece < n - at ? piece : n - at;
        FUZZ_CHECK(write(fds[1], bytes + at, now) == (ssize_t)now);
        while (vt_expect_fill(e, vt_now_ns(), NULL) == 0) {
        }
        check(e);
    }
    close(fds[1]);
    FUZZ_CHECK(vt_expect_fill(e, VT_NO_DEADLINE, NULL) == VT_E_GONE);
    return fds[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct vt_expect whole, cut;
    static const char *const regexes[] = {"login: ", "# *$", "^[0-9]{1,3}\n"};
    if (n == 0 || n > 4096) {
        return 0;
    }
    int fd = feed(&whole, bytes + 1, n - 1, n);
    close(feed(&cut, bytes + 1, n - 1, 1 + (size_t)bytes[0]));
    FUZZ_CHECK(strcmp(whole.window, cut.window) == 0);
    char line[32];
    unsigned which;
    while (vt_expect_regex(&whole, regexes, 3, 0, &which, line, sizeof line, NULL) == 0) {
        FUZZ_CHECK(which < 3 && strlen(line) < sizeof line);
        check(&whole);
    }
    close(fd);
    return 0;
}
