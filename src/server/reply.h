/* server/reply.h - answers as libmicrohttpd sends them, with the headers every answer has.
 *
 * An answer may be sent any number of times. All functions that make one return NULL when out of
 * memory. Belongs to the loop's thread.
 */
#ifndef VT_SERVER_REPLY_H
#define VT_SERVER_REPLY_H

#include "vitrine/base.h"

#include <microhttpd.h>

struct vt_reply {
    unsigned refs;
    unsigned status;
    char *body; /**< or NULL */
    size_t bytes;
    struct MHD_Response *mhd;
};

/** `body` (malloc'ed) belongs to the answer from now on, also on failure; NULL: no body. `type` is
 *  its Content-Type, or NULL. */
struct vt_reply *vt_reply_make(unsigned status, char *body, size_t bytes, const char *type);
/** application/problem+json for a status; `detail` may be NULL. */
struct vt_reply *vt_reply_problem(unsigned status, const char *detail);
/** The same for a failed operation. */
struct vt_reply *vt_reply_error(const struct vt_error *err);
/** That a WebSocket begins. */
struct vt_reply *vt_reply_upgrade(MHD_UpgradeHandler handler, void *arg, const char *accept,
                                  const char *protocol);

/** Sets a header, in place of one that is there; false: out of memory. */
bool vt_reply_header(struct vt_reply *reply, const char *name, const char *value);
/** The same answer, but the connection ends with it; a new reference. */
struct vt_reply *vt_reply_closing(struct vt_reply *reply);
/** One more reference; returns `reply`. */
struct vt_reply *vt_reply_keep(struct vt_reply *reply);
/** One less. Takes NULL. */
void vt_reply_drop(struct vt_reply *reply);

#endif
