/* gpu/vhost_server.h - virtio-gpu devices for whoever connects to a socket: one connection is one
 * device, with a thread of its own. */
#ifndef VT_GPU_VHOST_SERVER_H
#define VT_GPU_VHOST_SERVER_H

#include "gpu/vhost.h"

/** Devices at a time. */
#define VT_VHOST_DEVICES_MAX 64u

struct vt_json_writer;
struct vt_vhost_server;

/** Listens at `path`, whose file it makes and removes; NULL: only takes connections that are given
 *  to it. The listening socket is `loop`'s. `say` (may be NULL) is called from any device's thread,
 *  one at a time, with lines like "gpu 1: context 3 (vulkaninfo) begins". */
int vt_vhost_server_create(struct vt_loop *loop, const char *path,
                           const struct vt_card_options *options,
                           void (*say)(void *arg, const char *line), void *arg,
                           struct vt_vhost_server **server, struct vt_error *err);
/** Ends all devices and waits for them. Takes NULL. */
void vt_vhost_server_destroy(struct vt_vhost_server *server);
/** Serves a connected socket, which is the server's from now on, and closed when this fails. */
int vt_vhost_server_add(struct vt_vhost_server *server, int sock, struct vt_error *err);
/** Called on the loop, through `arg` of _create, when a device has ended. */
void vt_vhost_server_on_end(struct vt_vhost_server *server,
                            void (*ended)(void *arg, unsigned devices_left));

/** Calls `fn` on the thread of device `number` (they count from 1) and waits for it; 0: of the only
 *  or oldest one. Its result is returned; VT_E_NOT_FOUND: no such device. From the loop's thread.
 */
int vt_vhost_server_ask(struct vt_vhost_server *server, unsigned number,
                        int (*fn)(struct vt_card *card, void *arg, struct vt_error *err), void *arg,
                        struct vt_error *err);
/** Where it listens, absolute. */
const char *vt_vhost_server_path(const struct vt_vhost_server *server);
/** Members of an open JSON object: "path", "devices" with what each counts, "contexts". From the
 *  loop's thread. */
void vt_vhost_server_json(struct vt_vhost_server *server, struct vt_json_writer *w);

#endif
