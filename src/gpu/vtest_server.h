/* gpu/vtest_server.h - a socket that Mesa's Venus driver connects to (VN_DEBUG=vtest), and all its
 * clients.
 */
#ifndef VT_GPU_VTEST_SERVER_H
#define VT_GPU_VTEST_SERVER_H

#include "base/loop.h"
#include "gpu/vtest.h"

#include <sys/types.h>

struct vt_json_writer;

/** Something that happened to a client, told on the loop's thread; borrowed for the call. Nothing
 * is told of one that connects and goes without having said anything. */
struct vt_vtest_news {
    enum { VT_VTEST_BEGUN, VT_VTEST_ENDED, VT_VTEST_PROBLEM } kind;
    const struct vt_vtest_report *report; /**< NULL for a problem of the server's own */
    pid_t pid;                            /**< of the client; 0: not known */
    double seconds;                       /**< since it connected */
    const char *commands;                 /**< the last before a failure, a line each, or NULL */
    const char *problem;
};

struct vt_vtest_server_options {
    const char *path;
    bool sandbox;                  /**< a process for each client */
    struct vt_venus_options venus; /**< what it borrows lives as long as the server */
    uint32_t clients_max;          /**< at once; 0: 1024 */
    void (*news)(void *arg, const struct vt_vtest_news *news);
    void *arg;
};

struct vt_vtest_server;
/** Listens at `path` (mode 0600). What lies there and is a socket that nobody serves any more is
 * replaced; VT_E_EXISTS: it is served, or something else. */
int vt_vtest_server_create(struct vt_loop *loop, const struct vt_vtest_server_options *options,
                           struct vt_vtest_server **server, struct vt_error *err);
/** Where it listens, absolute. */
const char *vt_vtest_server_path(const struct vt_vtest_server *server);
/** What clients are offered, as text. */
void vt_vtest_server_capset(const struct vt_vtest_server *server, char *out, size_t bytes);
/** Members of an open JSON object: "path", "sandbox", "past" (sums of all that have ended),
 * "contexts", "ended". */
void vt_vtest_server_json(struct vt_vtest_server *server, struct vt_json_writer *w);
/** Ends all clients, which have five seconds for what they do just now. Takes NULL. */
void vt_vtest_server_destroy(struct vt_vtest_server *server);

#endif
