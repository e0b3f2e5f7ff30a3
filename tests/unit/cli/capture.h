/* tests/unit/cli/capture.h - what a step prints on a descriptor, as text. */
#ifndef VT_TESTS_CLI_CAPTURE_H
#define VT_TESTS_CLI_CAPTURE_H

#include "tests/unit/harness.h"

#include <fcntl.h>

struct capture {
    FILE *stream;
    int saved, file;
};

static inline void capture_begin(struct capture *c, FILE *stream)
{
    fflush(stream);
    c->stream = stream;
    c->saved = dup(fileno(stream));
    c->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(c->saved >= 0 && c->file >= 0);
    assert_true(dup2(c->file, fileno(stream)) >= 0);
}

/** The text so far; the caller frees it. The descriptor is what it was before. */
static inline char *capture_end(struct capture *c)
{
    fflush(c->stream);
    off_t bytes = lseek(c->file, 0, SEEK_END);
    char *text = calloc(1, (size_t)bytes + 1);
    assert_non_null(text);
    assert_int_equal(pread(c->file, text, (size_t)bytes, 0), bytes);
    dup2(c->saved, fileno(c->stream));
    close(c->saved);
    close(c->file);
    return text;
}

#endif
