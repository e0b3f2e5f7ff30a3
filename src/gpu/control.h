/* gpu/control.h - a socket beside a server, in the runtime directory, that tells how it is doing:
 * whoever connects gets one JSON document. `vitrine gpu stat` reads it.
 */
#ifndef VT_GPU_CONTROL_H
#define VT_GPU_CONTROL_H

#include "base/loop.h"

struct vt_json_writer;

struct vt_gpu_control;
/** gpu-<pid>.sock, mode 0600. `tell` writes members into an open object, on the loop's thread. */
int vt_gpu_control_create(struct vt_loop *loop, void (*tell)(struct vt_json_writer *w, void *arg),
                          void *arg, struct vt_gpu_control **control, struct vt_error *err);
/** Takes NULL. */
void vt_gpu_control_destroy(struct vt_gpu_control *control);

/** The documents of all servers of this user, in order of their pids, of those that answer within
 * `patience_ms`; false stops. Sockets that nobody serves are removed on the way. */
int vt_gpu_control_each(uint64_t patience_ms, bool (*each)(const char *json, void *arg), void *arg,
                        struct vt_error *err);

#endif
