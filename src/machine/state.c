/* machine/state.c - the words for a VM's state. */
#include "vitrine/machine.h"

const char *vt_vm_state_name(enum vt_vm_state state)
{
    static const char *const names[] = {"unknown", "running",   "paused", "shutdown",
                                        "crashed", "migrating", "dead"};
    return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}
