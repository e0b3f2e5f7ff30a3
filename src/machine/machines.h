/* machine/machines.h - what is particular to each of QEMU's machines that vitrine starts.
 */
#ifndef VT_MACHINE_MACHINES_H
#define VT_MACHINE_MACHINES_H

#include "vitrine/base.h"

struct vt_machine {
    const char *arch;      /**< as in the name of QEMU's program: "x86_64" */
    const char *name;      /**< as after -machine: "q35" */
    const char *versioned; /**< how names that say a version begin ("pc-q35-"), or NULL */
    const char *options;   /**< more for -machine, after a comma; or "" */
    const char *bus;       /**< how virtio devices end here: "pci" or "device" (MMIO) */
    const char *gpu_bus;   /**< the same of GPUs, when nothing else is asked for */
    const char *append;    /**< a kernel's command line, when nobody says another */
    bool mmio;             /**< has virtio-mmio slots */
    bool cd;               /**< has an IDE bus for a CD drive */
    bool no_power; /**< nothing switches it off: a guest that resets it is taken to mean that */
};

/** The machine of that name; a name that is not in the table is one of the architecture's default
 *  kind, NULL is the default. VT_E_INVAL: not an architecture that vitrine starts. */
int vt_machine_find(const char *arch, const char *name, const struct vt_machine **machine,
                    struct vt_error *err);

#endif
