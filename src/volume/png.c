/* volume/png.c - a canvas as a PNG file, written all or not at all. */
#include "base/io.h"
#include "volume/canvas.h"

#include <png.h>
#include <stdlib.h>

int vt_canvas_write_png(const struct vt_canvas *canvas, const char *path, struct vt_error *err)
{
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
    } else {
        rc = vt_write_file_atomic(path, bytes, count, 0644, err);
    }
    png_image_free(&image);
    free(bytes);
    return rc;
}
