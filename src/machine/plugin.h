/* machine/plugin.h - how old a QEMU is; whether it loads plugins, and of which interface.
 */
#ifndef VT_MACHINE_PLUGIN_H
#define VT_MACHINE_PLUGIN_H

#include "machine/process.h"

/** Which of the two interfaces that our plugins are built for this QEMU loads: 4 or 7. It is asked,
 *  as `identity`; that takes as long as a program takes to start. VT_E_UNSUPPORTED: neither;
 *  VT_E_TIMEOUT. */
int vt_qemu_plugin_api(const char *program, const struct vt_identity *identity, uint64_t timeout_ms,
                       unsigned *api, struct vt_error *err);
/** What it says of itself with -version; asked the same way. VT_E_UNSUPPORTED: it does not say. */
int vt_qemu_version(const char *program, const struct vt_identity *identity, uint64_t timeout_ms,
                    unsigned *major, unsigned *minor, struct vt_error *err);

#endif
