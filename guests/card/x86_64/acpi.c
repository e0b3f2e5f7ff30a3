/* guests/card/x86_64/acpi.c - from ACPI's tables: where the machine is switched off, and where
 * microvm has its virtio-mmio devices. AML is not run, but looked through for two well-known
 * patterns.
 *
 * Source: ACPI 6.5: 5.2.5 (RSDP), 5.2.9 (FADT), 5.2.12 (MADT), 4.8.3.2 (PM1 control), 4.8.3.7
 * (sleep control of hardware-reduced machines), 7.4.2 and 20.2 (\_S5 in the DSDT), 6.4.3.4
 * and 6.4.3.6 (fixed memory ranges, extended interrupts); LNRO0005 is the id of virtio-mmio
 * devices.
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
    return (const uint8_t *)(uintptr_t)address;
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

/* The small piece of AML that begins with `is` within `room` bytes from `at`, or NULL. */
static const uint8_t *piece(const uint8_t *at, uint32_t room, const uint8_t is[3], uint32_t bytes)
{
    for (uint32_t i = 0; i + bytes <= room; i++) {
        if (memcmp(at + i, is, 3) == 0) {
            return at + i;
        }
    }
    return NULL;
}

/* Each device says "LNRO0005" and then, in its resources, a fixed range of memory and an interrupt.
 */
static void find_mmio(const uint8_t *dsdt)
{
    static const uint8_t range[3] = {0x86, 9, 0}, interrupt[3] = {0x89, 6, 0};
    uint32_t n = table_bytes(dsdt);

    for (uint32_t i = 36; i + 9 < n && machine.n_mmio < CARD_MMIO_SLOTS; i++) {
        uint32_t room = n - i < 128 ? n - i : 128;
        const uint8_t *memory, *line;

        if (memcmp(dsdt + i, "LNRO0005", 9) != 0) {
            continue;
        }
        memory = piece(dsdt + i, room, range, 12);
        line = piece(dsdt + i, room, interrupt, 9);
        if (memory) {
            machine.mmio[machine.n_mmio].address = number(memory + 4, 4);
            machine.mmio[machine.n_mmio++].line = line ? (uint32_t)number(line + 5, 4) : 0;
        }
    }
}

/* Of the MADT: entries of a type and a length each. */
static void find_apics(const uint8_t *madt, struct x86_io_apic apics[X86_IO_APICS])
{
    uint32_t n = table_bytes(madt), used = 0;

    for (uint32_t i = 44; i + 12 <= n && madt[i + 1] >= 2; i += madt[i + 1]) {
        if (madt[i] == 1 && used < X86_IO_APICS) {
            apics[used].address = (uint32_t)number(madt + i + 4, 4);
            apics[used++].first = (uint32_t)number(madt + i + 8, 4);
        }
    }
}

void acpi_read(uint64_t rsdp_address, struct x86_power_off *off,
               struct x86_io_apic apics[X86_IO_APICS])
{
    const uint8_t *rsdp = table(rsdp_address), *fadt, *madt, *dsdt;
    uint32_t flags;

    if (rsdp_address == 0 || memcmp(rsdp, "RSD PTR ", 8) != 0 || !(fadt = find(rsdp, "FACP"))) {
        return;
    }
    madt = find(rsdp, "APIC");
    if (madt) {
        find_apics(madt, apics);
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
