/* volume/jpeg.h - pictures as JPEG, for those that are sent away at once and looked at once. */
#ifndef VT_VOLUME_JPEG_H
#define VT_VOLUME_JPEG_H

#include "vitrine/base.h"

struct vt_jpeg;

/** One encoder, one thread at a time. VT_E_NOMEM. */
int vt_jpeg_create(struct vt_jpeg **jpeg, struct vt_error *err);
/** Takes NULL. */
void vt_jpeg_destroy(struct vt_jpeg *jpeg);
/** `rgba`: width x height (1-65500) of R, G, B, A bytes, rows from the top without gaps; alpha is
 *  not looked at. quality 1-100. *bytes belongs to the encoder until its next picture. */
int vt_jpeg_encode(struct vt_jpeg *jpeg, const uint8_t *rgba, uint32_t width, uint32_t height,
                   int quality, const uint8_t **bytes, size_t *n, struct vt_error *err);

#endif
