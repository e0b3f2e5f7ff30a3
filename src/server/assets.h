/* server/assets.h - the files of web/, which browsers are given: compiled in, or read from a folder
 * while they are worked on.
 *
 * They hold nothing of any VM, so whoever gets past Host and Origin may have them. The policy that
 * goes with them lets in nothing but what this server serves. Belongs to the loop's thread.
 *
 * Source: Content Security Policy Level 3; RFC 9110 (8.8.3, 13.1.2).
 */
#ifndef VT_SERVER_ASSETS_H
#define VT_SERVER_ASSETS_H

#include "base/embedded.h"
#include "server/reply.h"

#define VT_ASSETS_PREFIX "/web/"
#define VT_ASSET_NAME_MAX 255

/** web/ as it was when this was built. */
extern const struct vt_embedded vt_web_files[];

struct vt_assets;

/** `folder` NULL: the files compiled in; else it is opened now, and read at each request.
 *  VT_E_NOT_FOUND, VT_E_PERM, VT_E_IO: of the folder. */
int vt_assets_create(const char *folder, struct vt_assets **assets, struct vt_error *err);
/** Takes NULL. */
void vt_assets_destroy(struct vt_assets *assets);

/** The file a request target means: "/" is "index.html", "/web/a/b.js" is "a/b.js". False: none can
 *  be meant. A name has letters, digits, '.', '_' and '-', cut by '/' into parts of which none is
 *  empty or begins with a dot: so it needs no decoding, and nothing above or hidden is meant. */
bool vt_asset_name(const char *target, char name[VT_ASSET_NAME_MAX + 1]);
/** Its Content-Type, by its ending; NULL: no kind of file that is served. */
const char *vt_asset_type(const char *name);
/** 200, 304 if `if_none_match` (or NULL) names what is there, or 404; a new reference. */
struct vt_reply *vt_assets_reply(struct vt_assets *assets, const char *name,
                                 const char *if_none_match);

#endif
