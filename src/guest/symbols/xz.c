/* guest/symbols/xz.c - liblzma behind stdio streams. See xz.h. */
#include "guest/symbols/xz.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (UINT64_C(256) << 20)

struct xz {
    lzma_stream lzma;
    FILE *under;
    uint8_t bytes[1 << 16];
};

static ssize_t xz_read(void *cookie, char *out, size_t n)
{
    struct xz *xz = cookie;
    lzma_stream *s = &xz->lzma;
    s->next_out = (uint8_t *)out;
    s->avail_out = n;
    while (s->avail_out == n) {
        if (s->avail_in == 0 && !feof(xz->under)) {
            s->next_in = xz->bytes;
            s->avail_in = fread(xz->bytes, 1, sizeof xz->bytes, xz->under);
        }
        lzma_ret ret = lzma_code(s, s->avail_in == 0 ? LZMA_FINISH : LZMA_RUN);
        if (ret == LZMA_STREAM_END) {
            break;
        }
        if (ret != LZMA_OK || ferror(xz->under)) {
            errno = EIO;
            return -1;
        }
    }
    return (ssize_t)(n - s->avail_out);
}

static int close_read(void *cookie)
{
    struct xz *xz = cookie;
    lzma_end(&xz->lzma);
    fclose(xz->under);
    free(xz);
    return 0;
}

static struct xz *make(FILE *under)
{
    struct xz *xz = calloc(1, sizeof *xz);
    if (xz != NULL) {
        xz->lzma = (lzma_stream)LZMA_STREAM_INIT;
        xz->under = under;
    }
    return xz;
}

int vt_xz_open(const char *path, FILE **in, struct vt_error *err)
{
    uint8_t magic[6];
    FILE *f = fopen(path, "rbe");
    if (f == NULL) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    bool packed = fread(magic, 1, sizeof magic, f) == sizeof magic && memcmp(magic,
                                                                             "\xfd"
                                                                             "7zXZ",
                                                                             sizeof magic) == 0;
    if (fseek(f, 0, SEEK_SET) != 0) {
        int e = errno;
        fclose(f);
        return vt_fail_errno(err, VT_E_IO, e, "%s", path);
    }
    if (!packed) {
        *in = f;
        return 0;
    }
    struct xz *xz = make(f);
    FILE *stream = NULL;
    if (xz != NULL && lzma_stream_decoder(&xz->lzma, MEMORY_MAX, 0) == LZMA_OK) {
        stream =
            fopencookie(xz, "r", (cookie_io_functions_t){.read = xz_read, .close = close_read});
    }
    if (stream == NULL) {
        free(xz);
        fclose(f);
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    *in = stream;
    return 0;
}

/* Lets the packer work on what it has; `action` LZMA_FINISH: until nothing is left. */
static bool pump(struct xz *xz, lzma_action action)
{
    lzma_stream *s = &xz->lzma;
    lzma_ret ret;
    do {
        s->next_out = xz->bytes;
        s->avail_out = sizeof xz->bytes;
        ret = lzma_code(s, action);
        size_t n = sizeof xz->bytes - s->avail_out;
        if ((ret != LZMA_OK && ret != LZMA_STREAM_END) || fwrite(xz->bytes, 1, n, xz->under) != n) {
            return false;
        }
    } while (action == LZMA_FINISH ? ret != LZMA_STREAM_END : s->avail_in > 0);
    return true;
}

static ssize_t xz_write(void *cookie, const char *bytes, size_t n)
{
    struct xz *xz = cookie;
    xz->lzma.next_in = (const uint8_t *)bytes;
    xz->lzma.avail_in = n;
    if (!pump(xz, LZMA_RUN)) {
        errno = EIO;
        return 0;
    }
    return (ssize_t)n;
}

static int close_write(void *cookie)
{
    struct xz *xz = cookie;
    bool good = pump(xz, LZMA_FINISH);
    lzma_end(&xz->lzma);
    free(xz);
    errno = EIO;
    return good ? 0 : EOF;
}

int vt_xz_pack(FILE *under, FILE **out, struct vt_error *err)
{
    struct xz *xz = make(under);
    FILE *stream = NULL;
    if (xz != NULL &&
        lzma_easy_encoder(&xz->lzma, LZMA_PRESET_DEFAULT, LZMA_CHECK_CRC64) == LZMA_OK) {
        stream =
            fopencookie(xz, "w", (cookie_io_functions_t){.write = xz_write, .close = close_write});
    }
    if (stream == NULL) {
        free(xz);
        return vt_fail(err, VT_E_NOMEM, "xz: out of memory");
    }
    *out = stream;
    return 0;
}
