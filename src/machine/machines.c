/* machine/machines.c - see machines.h. */
#include "machine/machines.h"

#include <string.h>

/* The first of an architecture is its default. microvm goes without ACPI, so that it tells guests
 * of its devices on the kernel's command line. */
static const struct vt_machine machines[] = {
    {.arch = "x86_64",
     .name = "q35",
     .versioned = "pc-q35-",
     .options = "",
     .bus = "pci",
     .gpu_bus = "pci",
     .append = "console=ttyS0",
     .cd = true},
    {.arch = "x86_64",
     .name = "pc",
     .versioned = "pc-i440fx-",
     .options = "",
     .bus = "pci",
     .gpu_bus = "pci",
     .append = "console=ttyS0",
     .cd = true},
    {.arch = "x86_64",
     .name = "microvm",
     .options = ",acpi=off",
     .bus = "device",
     .gpu_bus = "device",
     .append = "console=ttyS0",
     .mmio = true,
     .no_power = true},
    {.arch = "aarch64",
     .name = "virt",
     .versioned = "virt-",
     .options = "",
     .bus = "pci",
     .gpu_bus = "device",
     .append = "console=ttyAMA0",
     .mmio = true},
    {.arch = "riscv64",
     .name = "virt",
     .options = "",
     .bus = "pci",
     .gpu_bus = "device",
     .append = "console=ttyS0",
     .mmio = true},
};
#define MACHINES (sizeof machines / sizeof machines[0])

static bool is(const struct vt_machine *m, const char *name)
{
    return strcmp(m->name, name) == 0 ||
           (m->versioned != NULL && strncmp(m->versioned, name, strlen(m->versioned)) == 0);
}

int vt_machine_find(const char *arch, const char *name, const struct vt_machine **machine,
                    struct vt_error *err)
{
    const struct vt_machine *found = NULL;
    for (size_t i = 0; i < MACHINES; i++) {
        const struct vt_machine *m = &machines[i];
        if (strcmp(m->arch, arch) == 0 && (found == NULL || (name != NULL && is(m, name)))) {
            found = m;
        }
    }
    if (found == NULL) {
        return vt_fail(err, VT_E_INVAL, "'%.32s' is not x86_64, aarch64 or riscv64", arch);
    }
    *machine = found;
    return 0;
}
