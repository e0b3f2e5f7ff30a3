/* server/route.h - from a method and a request target to an operation and its arguments.
 *
 * The routes are the rows of vt_ops below /api/v1. Decoding is strict: percent escapes must be
 * whole, what they make must be UTF-8 without zero bytes, a parameter stands once, and each value
 * must have the form of its kind; nothing is guessed. Ranges and choices are vt_op_run's business.
 *
 * Everything here takes any bytes and is thread-safe.
 *
 * Source: RFC 9110 (4.2, 9.3), RFC 9112 (3.2), RFC 3986 (2.1, 3.3); queries are
 * application/x-www-form-urlencoded (URL Standard, 5.1).
 */
#ifndef VT_SERVER_ROUTE_H
#define VT_SERVER_ROUTE_H

#include "server/ops.h"

#define VT_TARGET_MAX 4096 /**< bytes of a request target; longer ones are 414 */
#define VT_ROUTE_PREFIX "/api/v1"

struct vt_routes;

/** `ops` (ended by NULL) outlives it. */
int vt_routes_create(const struct vt_op *const *ops, struct vt_routes **routes,
                     struct vt_error *err);
/** Takes NULL. */
void vt_routes_destroy(struct vt_routes *routes);

/** What a target leads to. */
struct vt_route {
    unsigned status;        /**< 0: `op` and `args`; 404; 405: `allow` */
    const struct vt_op *op; /**< NULL unless status is 0 */
    unsigned index;         /**< of `op` in `ops` */
    json_t *args;           /**< a new object with the path's and the query's parameters */
    char allow[64];         /**< "GET, HEAD, OPTIONS": of a path that exists */
};
/** Finds the operation of `method` ("HEAD" is "GET"; "OPTIONS" is always 405 with `allow`) and
 *  `target` ("/api/v1/vms/web/processes?pid=1"). VT_E_INVAL {what is wrong with the target}: 400.
 */
int vt_route_find(const struct vt_routes *routes, const char *method, const char *target,
                  struct vt_route *route, struct vt_error *err);

/** Adds the members of a JSON body to `args`. VT_E_INVAL: it is no JSON object, has a member twice,
 *  or one that the path or query has. An empty body is an empty object. */
int vt_route_body(const char *body, size_t bytes, json_t *args, struct vt_error *err);

/** The value of a query's parameter as it stands in the target: for paths that are no operations.
 *  Decoded into `out`; VT_E_NOT_FOUND, VT_E_INVAL (badly escaped, or there twice, or too long). */
int vt_query_value(const char *target, const char *name, char *out, size_t room,
                   struct vt_error *err);

#endif
