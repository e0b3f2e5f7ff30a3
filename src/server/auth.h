/* server/auth.h - who may ask: the token, and the Host and Origin headers of browsers.
 *
 * A page of somebody's web site that runs in a browser on this machine can reach loopback. Two
 * checks keep it out: Host must name this server (a name that was rebound to 127.0.0.1 does not)
 * and Origin, where there is one, must be ours or in a list. What changes anything or leaves
 * loopback needs the token besides. Pure functions but for making and loading a token.
 *
 * Source: RFC 9110 (7.2, 11.6.2, 15.5.20), RFC 6750 (2.1), RFC 6454 (7).
 */
#ifndef VT_SERVER_AUTH_H
#define VT_SERVER_AUTH_H

#include "vitrine/base.h"

/** Where a connection comes from. */
enum vt_peer {
    VT_PEER_OWNER,  /**< the Unix socket, from root or our own uid: may do everything */
    VT_PEER_LOCAL,  /**< to a loopback address */
    VT_PEER_REMOTE, /**< from anywhere else, other users of the Unix socket included */
};

/** What a request wants. */
enum vt_wants {
    VT_WANTS_FILES,  /**< what is the same for everybody, and of no VM */
    VT_WANTS_HEALTH, /**< whether the server lives */
    VT_WANTS_READ,
    VT_WANTS_CHANGE,
};

#define VT_TOKEN_MAX 512

struct vt_auth {
    char token[VT_TOKEN_MAX + 1];
    bool always;                /**< the token is needed on loopback, too */
    const char *const *hosts;   /**< more names of this server, ended by NULL; or NULL */
    const char *const *origins; /**< more origins that may ask, ended by NULL; or NULL */
};

/** A token of 256 random bits, as 64 hexadecimal digits. */
int vt_token_make(char token[VT_TOKEN_MAX + 1], struct vt_error *err);
/** Reads one from a file: a line of 16 to VT_TOKEN_MAX printable characters. VT_E_PERM when others
 *  than its owner may read the file, VT_E_INVAL. */
int vt_token_load(const char *path, char token[VT_TOKEN_MAX + 1], struct vt_error *err);

/** Whether an Authorization header's value (NULL: none was sent) carries the token. Takes a time
 *  that does not depend on the token. */
bool vt_auth_shows_token(const struct vt_auth *auth, const char *authorization);
/** What a list of WebSocket subprotocols (NULL: none was sent) says of the token: 1: it is there;
 * 0: nothing; -1: another one is. */
int vt_auth_offers_token(const struct vt_auth *auth, const char *protocols);
/** 0, or the status: 400 for a Host that is none or missing, 421 for a name that is not ours.
 *  `local` is the address the connection came to, as in a URL ("10.0.0.1", "[fe80::1]"), or NULL.
 */
unsigned vt_auth_host(const struct vt_auth *auth, const char *host, const char *local);
/** 0, or 403. `origin` NULL: none was sent, which is fine. `host` passed vt_auth_host. */
unsigned vt_auth_origin(const struct vt_auth *auth, const char *origin, const char *host);
/** 0, or 401. `shown` is vt_auth_shows_token's. */
unsigned vt_auth_may(const struct vt_auth *auth, enum vt_peer peer, enum vt_wants wants,
                     bool shown);

#endif
