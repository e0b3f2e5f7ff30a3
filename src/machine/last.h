/* machine/last.h - how a VM was started last: its configuration, which outlives it.
 *
 * It lies in <state>/last/<name>, as in vm.json, until a VM of that name is started again. It says
 * which files and which arguments QEMU gets: nobody but its owner can write it.
 */
#ifndef VT_MACHINE_LAST_H
#define VT_MACHINE_LAST_H

#include "vitrine/base.h"

#include <jansson.h>

int vt_last_write(const char *name, const json_t *config, struct vt_error *err);
/** *config is a new reference. VT_E_NOT_FOUND: no VM of that name was ever started; VT_E_CORRUPT.
 */
int vt_last_read(const char *name, json_t **config, struct vt_error *err);

#endif
