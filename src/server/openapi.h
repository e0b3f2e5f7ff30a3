/* server/openapi.h - the operations as an OpenAPI document. */
#ifndef VT_SERVER_OPENAPI_H
#define VT_SERVER_OPENAPI_H

#include "vitrine/base.h"

#include <jansson.h>
#include <stdio.h>

/** The document (OpenAPI 3.1.0) of vt_ops; a new reference. NULL: out of memory. */
json_t *vt_openapi(void);
/** Writes it with two-space indentation and a newline. VT_E_NOMEM, VT_E_IO. */
int vt_openapi_write(FILE *out, struct vt_error *err);

#endif
