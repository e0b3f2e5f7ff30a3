/* volume/png.c - a canvas as a PNG file, written all or not at all. */
#include "base/io.h"
#include "volume/canvas.h"

#include <png.h>
#include <stdlib.h>

int vt_canvas_png(const struct vt_canvas *canvas, void **bytes, size_t *n, struct vt_error *err)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = canvas->width,
        .height = canvas->height,
        .format = PNG_FORMAT_RGBA,
    };
    png_alloc_size_t count = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *png = malloc(count);
    int rc = 0;
    if (png == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "PNG: out of memory");
    } else if (!png_image_write_to_memory(&image, png, &count, 0, canvas->rgba, 0, NULL)) {
        rc = vt_fail(err, VT_E_NOMEM, "PNG: %s", image.message);
    }
    png_image_free(&image);
    if (rc != 0) {
        free(png);
        return rc;
    }
    *bytes = png;
    *n = count;
    return 0;
}

int vt_canvas_write_png(const struct vt_canvas *canvas, const char *path, struct vt_error *err)
{
    void *bytes;
    size_t n;
    int rc = vt_canvas_png(canvas, &bytes, &n, err);
    if (rc == 0) {
        rc = vt_write_file_atomic(path, bytes, n, 0644, err);
        free(bytes);
    }
    return rc;
}
