/* virtio/gpu/font.h - the face vt_surface_text writes with: drawn for this, 8 x 16, two pixels
 * bold.
 */
#ifndef VT_VIRTIO_GPU_FONT_H
#define VT_VIRTIO_GPU_FONT_H

#include <stdint.h>

#define VT_FONT_WIDTH 8
#define VT_FONT_HEIGHT 16
#define VT_FONT_FIRST 0x20
#define VT_FONT_LAST 0x7e

/** Rows 0-7 and 8-15 of each character: a byte a row, the topmost row in the highest byte, the
 *  leftmost pixel in a byte's highest bit. */
extern const uint64_t vt_font[VT_FONT_LAST - VT_FONT_FIRST + 1][2];

#endif
