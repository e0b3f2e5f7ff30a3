/* guests/card/x86_64/acpi.c - from ACPI's tables: where the machine is switched off, and where
 * microvm has its virtio-mmio devices. AML is not run, but looked through for two well-known
 * patterns.
 *
 * Source: ACPI 6.5: 5.2.5 (RSDP), 5.2.9 (FADT), 4.8.3.2 (PM1 control), 4.8.3.7 (sleep control of
 * hardware-reduced machines), 7.4.2 and 20.2 (\_S5 in the DSDT), 6.4.3.4 (fixed memory ranges);
 * LNRO0005 is the id of virtio-mmio devices.
 */
#include <string.h>

#include "x86_64/x86.h"

static uint64_t number(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static const uint8_t *table(uint64_t address)
{
    return (const uint8_t *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
}

static uint32_t table_bytes(const uint8_t *t)
{
    return (uint32_t)number(t + 4, 4);
}

static const uint8_t *find(const uint8_t *rsdp, const char *name)
{
    bool wide = rsdp[15] >= 2 && number(rsdp + 24, 8) != 0;
    const uint8_t *root = table(wide ? number(rsdp + 24, 8) : number(rsdp + 16, 4));
    unsigned one = wide ? 8 : 4;

    for (uint32_t at = 36; at + one <= table_bytes(root); at += one) {
        const uint8_t *t = table(number(root + at, one));

        if (memcmp(t, name, 4) == 0) {
            return t;
        }
    }
    return NULL;
}

/* \_S5's first element: Name(_S5_, Package{...}), its numbers small ones. */
static uint8_t sleep_type(const uint8_t *dsdt)
{
    uint32_t n = table_bytes(dsdt);

    for (uint32_t i = 36; i + 9 < n; i++) {
        if (memcmp(dsdt + i, "_S5_\x12", 5) == 0) {
            uint32_t at = i + 5 + (dsdt[i + 5] >> 6) + 2;

            if (at + 1 < n) {
                return dsdt[at] == 0x0a ? dsdt[at + 1] : dsdt[at] == 1;
            }
        }
    }
    return 5;
}

/* Each device says "LNRO0005" and then, in its resources, a fixed range of memory. */
static void find_mmio(const uint8_t *dsdt)
{
    static const uint8_t range[3] = {0x86, 9, 0};
    uint32_t n = table_bytes(dsdt);

    for (uint32_t i = 36; i + 9 < n; i++) {
        if (memcmp(dsdt + i, "LNRO0005", 9) != 0) {
            continue;
        }
        for (uint32_t at = i + 9; at + 12 <= n && at < i + 128; at++) {
            if (memcmp(dsdt + at, range, sizeof(range)) == 0) {
                if (machine.n_mmio < CARD_MMIO_SLOTS) {
                    machine.mmio[machine.n_mmio++] = number(dsdt + at + 4, 4);
                }
                break;
            }
        }
    }
}

void acpi_read(uint64_t rsdp_address, struct x86_power_off *off)
{
    const uint8_t *rsdp = table(rsdp_address), *fadt, *dsdt;
    uint32_t flags;

    if (rsdp_address == 0 || memcmp(rsdp, "RSD PTR ", 8) != 0 || !(fadt = find(rsdp, "FACP"))) {
        return;
    }
    flags = (uint32_t)number(fadt + 112, 4);
    dsdt = table(number(fadt + 40, 4));
    find_mmio(dsdt);
    off->type = sleep_type(dsdt);
    if (flags & 1u << 20) { /* hardware-reduced: a byte in memory or a port */
        off->kind = fadt[244] == 0 ? X86_OFF_MEMORY : X86_OFF_PORT_BYTE;
        off->address = number(fadt + 248, 8);
    } else {
        off->kind = X86_OFF_PORT;
        off->address = number(fadt + 64, 4);
    }
}
