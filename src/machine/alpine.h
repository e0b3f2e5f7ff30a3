/* machine/alpine.h - installs Alpine Linux from its live "virt" ISO, over the serial console.
 *
 * The live system is logged into as root (no password). From there on nothing is a dialogue: an
 * answer file is written and setup-alpine runs with it, without stdin, so what it asks beyond that
 * gets its default. The installed system logs root in on ttyS0 by itself, has root's password empty
 * and takes eth0's address by DHCP; packages come from the ISO, no mirror is asked.
 * Source: setup-alpine and setup-disk of alpine-conf 3.x.
 */
#ifndef VT_MACHINE_ALPINE_H
#define VT_MACHINE_ALPINE_H

#include "vitrine/base.h"

struct vt_alpine {
    const char *disk;         /**< the target in the guest, a whole disk: "/dev/vda". Erased */
    const char *hostname;     /**< of the installed system: letters, digits and '-' */
    uint64_t deadline_ns;     /**< for everything together */
    const volatile int *stop; /**< or NULL */
    /** Called with a short line for each step and each line setup-alpine prints; or NULL. */
    void (*progress)(void *arg, const char *text);
    void *arg;
};

/** Waits for the live system on the console `fd` (with its backlog), installs, and tells it to
 * power off; returns when its kernel says so or the console closes. Errors: VT_E_TIMEOUT (silence,
 * or a step that does not end), VT_E_UNSUPPORTED (not a live Alpine, or an older one), VT_E_REFUSED
 * (the installer's own words), VT_E_GONE (QEMU ended), VT_E_INTERRUPTED, VT_E_INVAL. The disk is
 * then in an unknown state and the VM still runs. */
int vt_alpine_install(int fd, const struct vt_alpine *alpine, struct vt_error *err);

#endif
