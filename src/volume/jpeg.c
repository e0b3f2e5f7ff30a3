/* volume/jpeg.c - see jpeg.h. libjpeg-turbo; its buffer is kept from picture to picture. */
#include "volume/jpeg.h"

#include <limits.h>
#include <stdlib.h>
#include <turbojpeg.h>

#define SIDE_MAX 65500u /* of the format */

struct vt_jpeg {
    tjhandle handle;
    unsigned char *buffer;
    unsigned long room;
};

int vt_jpeg_create(struct vt_jpeg **jpeg, struct vt_error *err)
{
    struct vt_jpeg *j = calloc(1, sizeof *j);
    if (j != NULL) {
        j->handle = tjInitCompress();
    }
    if (j == NULL || j->handle == NULL) {
        free(j);
        return vt_fail(err, VT_E_NOMEM, "JPEG: out of memory");
    }
    *jpeg = j;
    return 0;
}

void vt_jpeg_destroy(struct vt_jpeg *jpeg)
{
    if (jpeg != NULL) {
        tjDestroy(jpeg->handle);
        tjFree(jpeg->buffer);
        free(jpeg);
    }
}

int vt_jpeg_encode(struct vt_jpeg *jpeg, const uint8_t *rgba, uint32_t width, uint32_t height,
                   int quality, const uint8_t **bytes, size_t *n, struct vt_error *err)
{
    if (width == 0 || width > SIDE_MAX || height == 0 || height > SIDE_MAX || quality < 1 ||
        quality > 100) {
        return vt_fail(err, VT_E_INVAL, "JPEG: %u x %u pixels of quality %d", width, height,
                       quality);
    }
    /* Room for the worst case beforehand, so that it never has to grow. */
    unsigned long most = tjBufSize((int)width, (int)height, TJSAMP_420), size;
    if (most == ULONG_MAX || most > jpeg->room) {
        unsigned char *buffer = most != ULONG_MAX && most <= INT_MAX ? tjAlloc((int)most) : NULL;
        if (buffer == NULL) {
            return vt_fail(err, VT_E_NOMEM, "JPEG of %u x %u pixels: out of memory", width, height);
        }
        tjFree(jpeg->buffer);
        jpeg->buffer = buffer;
        jpeg->room = most;
    }
    size = jpeg->room;
    if (tjCompress2(jpeg->handle, rgba, (int)width, 0, (int)height, TJPF_RGBX, &jpeg->buffer, &size,
                    TJSAMP_420, quality, TJFLAG_NOREALLOC | TJFLAG_FASTDCT) != 0) {
        return vt_fail(err, VT_E_NOMEM, "JPEG: %s", tjGetErrorStr2(jpeg->handle));
    }
    *bytes = jpeg->buffer;
    *n = size;
    return 0;
}
