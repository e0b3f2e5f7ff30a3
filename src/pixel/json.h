/* pixel/json.h - a program as members of a JSON object: docs/pixel.md, "JSON".
 *
 * "pixel_ops" is an array with an object an operation; "pixel_inputs", "pixel_carries",
 * "pixel_streams" and "pixel_loops" are the declarations. The object around them is the caller's
 * and may have other members; several programs want several objects.
 */
#ifndef VT_PIXEL_JSON_H
#define VT_PIXEL_JSON_H

#include "base/json_writer.h"
#include "vitrine/pixel.h"

#include <jansson.h>

/** Writes the five members of a validated program into the object that is open. */
void vt_pixel_json_write(const struct vt_pixel_program *p, struct vt_json_writer *w);
/** Reads them from `object` and validates; members of other names are left alone, and what is found
 * out is not believed but found out. Hostile JSON is welcome. VT_E_CORRUPT with the member and why,
 * VT_E_NOMEM. */
int vt_pixel_json_read(const json_t *object, struct vt_pixel_program *p, struct vt_error *err);

#endif
