/* base/paths.h - where vitrine keeps what: one function a place, the same for every room.
 *
 * runtime  root: /run/vitrine; others: $XDG_RUNTIME_DIR/vitrine, else /tmp/vitrine-<uid>
 * cache    root: /var/cache/vitrine; others: $XDG_CACHE_HOME/vitrine, else ~/.cache/vitrine
 * state    root: /var/lib/vitrine; others: $XDG_STATE_HOME/vitrine, else ~/.local/state/vitrine
 * data     root: /var/lib/vitrine; others: $XDG_DATA_HOME/vitrine, else ~/.local/share/vitrine
 * lib      beside the executable: plugins/ and guests/card/ in the build tree, ../lib/vitrine
 * installed
 *
 * VITRINE_RUNTIME_DIR, VITRINE_CACHE_DIR, VITRINE_STATE_DIR, VITRINE_DATA_DIR and VITRINE_LIB_DIR
 * override them and must be absolute (VT_E_INVAL); relative XDG_ ones are ignored, as their
 * specification says. root's cache lies outside /root because QEMU, running as nobody in
 * particular, reads from it. Each call writes an absolute path into `out` (PATH_MAX bytes) and
 * makes nothing.
 */
#ifndef VT_BASE_PATHS_H
#define VT_BASE_PATHS_H

#include "vitrine/base.h"

#include <limits.h>

int vt_path_runtime(char out[PATH_MAX], struct vt_error *err);
int vt_path_cache(char out[PATH_MAX], struct vt_error *err);
int vt_path_state(char out[PATH_MAX], struct vt_error *err);
int vt_path_data(char out[PATH_MAX], struct vt_error *err);
/** A file that ships with vitrine (a preload object, a plugin, a bare-metal guest); VT_E_NOT_FOUND
 * names every place looked at. */
int vt_path_lib(const char *file, char out[PATH_MAX], struct vt_error *err);
/** snprintf for paths: VT_E_INVAL when it does not fit. */
int vt_path_format(char out[PATH_MAX], struct vt_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
