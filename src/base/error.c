/* base/error.c - filling struct vt_error. See include/vitrine/base.h. */
#include "vitrine/base.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The names stand in brackets where they are defined because the analyzer has macros of them. */
static void set(struct vt_error *err, enum vt_code code, int sys_errno, const char *fmt, va_list ap)
{
    err->code = code;
    err->sys_errno = sys_errno;
    err->addr = err->len = err->max = 0;
    int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
    if (n < 0) {
        n = 0;
        err->message[0] = '\0';
    }
    if (sys_errno != 0 && (size_t)n < sizeof err->message) {
        char text[128];
        snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s",
                 strerror_r(sys_errno, text, sizeof text));
    }
    /* One line for a terminal, whatever a peer put into it and wherever it was cut. */
    size_t left = strlen(err->message);
    for (char *p = err->message; left > 0;) {
        size_t step = vt_printable_length(p, left);
        if (step == 0) {
            *p = ' ';
            step = 1;
        }
        p += step;
        left -= step;
    }
}

int(vt_fail)(struct vt_error *err, enum vt_code code, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        set(err, code, 0, fmt, ap);
        va_end(ap);
    }
    return code;
}

int(vt_fail_errno)(struct vt_error *err, enum vt_code code, int sys_errno, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        set(err, code, sys_errno, fmt, ap);
        va_end(ap);
    }
    return code;
}

int(vt_fail_addr)(struct vt_error *err, const char *what, uint64_t addr, uint64_t len, uint64_t max)
{
    vt_fail(err, VT_E_ADDR, "invalid %s 0x%llx (length 0x%llx, valid below 0x%llx)", what,
            (unsigned long long)addr, (unsigned long long)len, (unsigned long long)max);
    if (err != NULL) {
        err->addr = addr;
        err->len = len;
        err->max = max;
    }
    return VT_E_ADDR;
}

enum vt_code vt_code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case 0:
        return VT_OK;
    case ENOENT:
    case ENOTDIR:
    case ESRCH:
        return VT_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return VT_E_PERM;
    case ENOMEM:
        return VT_E_NOMEM;
    case EEXIST:
        return VT_E_EXISTS;
    case EBUSY:
    case EADDRINUSE:
    case EWOULDBLOCK:
        return VT_E_BUSY;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        return VT_E_GONE;
    case ETIMEDOUT:
        return VT_E_TIMEOUT;
    case EINTR:
        return VT_E_INTERRUPTED;
    case ENOSYS:
    case EOPNOTSUPP:
        return VT_E_UNSUPPORTED;
    case EINVAL:
    case ENAMETOOLONG:
        return VT_E_INVAL;
    default:
        return VT_E_IO;
    }
}

const char *vt_code_name(enum vt_code code)
{
    static const char *const names[] = {
        "ok",
        "out of memory",
        "invalid argument",
        "not found",
        "permission denied",
        "mapping failed",
        "invalid address",
        "input/output error",
        "timed out",
        "protocol error",
        "gone",
        "exists",
        "busy",
        "unsupported",
        "corrupt",
        "limit reached",
        "refused",
        "interrupted",
        "not present",
    };
    size_t i = (size_t)-(long)code;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown error";
}
