/* volume/png.c - a canvas as a PNG file, written all or not at all. */
#include "base/io.h"
#include "volume/canvas.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe or a terminal cannot be renamed over; a device must not be. */
static int write_special(const char *path, const void *bytes, size_t count, struct vt_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return vt_fail_errno(err, vt_code_of_errno(errno), errno, "%s", path);
    }
    int rc = vt_write_all(fd, bytes, count, path, err);
    if (close(fd) != 0 && rc == 0) {
        rc = vt_fail_errno(err, VT_E_IO, errno, "%s", path);
    }
    return rc;
}

int vt_canvas_write_png(const struct vt_canvas *canvas, const char *path, struct vt_error *err)
{
    struct stat st;
    bool special = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
    if (special && S_ISDIR(st.st_mode)) {
        return vt_fail_errno(err, VT_E_INVAL, EISDIR, "%s", path);
    }
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = canvas->width,
        .height = canvas->height,
        .format = PNG_FORMAT_RGBA,
    };
    png_alloc_size_t count = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *bytes = malloc(count);
    if (bytes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    int rc;
    if (!png_image_write_to_memory(&image, bytes, &count, 0, canvas->rgba, 0, NULL)) {
        rc = vt_fail(err, VT_E_NOMEM, "%s: PNG: %s", path, image.message);
    } else if (special) {
        rc = write_special(path, bytes, count, err);
    } else {
        rc = vt_write_file_atomic(path, bytes, count, 0644, err);
    }
    png_image_free(&image);
    free(bytes);
    return rc;
}
