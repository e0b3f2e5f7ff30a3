/* machine/expect.h - waits for text on a console and sends some: for scripts that talk to a shell.
 *
 * What is searched is the stream as a person reads it: escape sequences, carriage returns and other
 * control characters are taken out, newline and tab stay. Only the last VT_EXPECT_WINDOW bytes are
 * kept, so a guest that floods costs no memory. A match consumes everything up to its end.
 *
 * Not thread-safe; one reader a descriptor.
 */
#ifndef VT_MACHINE_EXPECT_H
#define VT_MACHINE_EXPECT_H

#include "vitrine/base.h"

#define VT_EXPECT_WINDOW ((size_t)64 << 10)

enum vt_expect_state { VT_EXPECT_TEXT, VT_EXPECT_ESCAPE, VT_EXPECT_CSI, VT_EXPECT_STRING };

struct vt_expect {
    int fd;                     /* borrowed */
    const volatile int *stop;   /* or NULL */
    enum vt_expect_state state; /* within an escape sequence */
    size_t used;
    char window[VT_EXPECT_WINDOW + 1]; /* terminated; holds no zero byte */
};

/** A stream that begins with what `fd` brings next. `fd` is made non-blocking. */
void vt_expect_init(struct vt_expect *e, int fd, const volatile int *stop);

/** Waits until more text came. VT_E_TIMEOUT, VT_E_GONE (end of stream), VT_E_INTERRUPTED. Text that
 *  does not fit pushes the oldest out. */
int vt_expect_fill(struct vt_expect *e, uint64_t deadline_ns, struct vt_error *err);
/** Drops the first `n` bytes of the window. */
void vt_expect_consume(struct vt_expect *e, size_t n);

/** Waits until one of `n` extended regular expressions (newline is no ordinary character: ^ and $
 *  are line ends) matches; the match that begins first wins. A line that is still being
 *  printed counts when it ends or rests. *which (may be NULL) is its number and
 *  `line` (may be NULL) the line it is on, cut to `line_bytes`. The errors of vt_expect_fill name
 *  the last line seen; VT_E_INVAL for a bad expression. */
int vt_expect_regex(struct vt_expect *e, const char *const *regexes, unsigned n,
                    uint64_t deadline_ns, unsigned *which, char *line, size_t line_bytes,
                    struct vt_error *err);
/** The same for one literal text. */
int vt_expect_text(struct vt_expect *e, const char *text, uint64_t deadline_ns,
                   struct vt_error *err);

/** Sends all of it. */
int vt_expect_send(struct vt_expect *e, const char *text, uint64_t deadline_ns,
                   struct vt_error *err);

#endif
