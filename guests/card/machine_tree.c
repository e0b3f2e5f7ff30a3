/* guests/card/machine_tree.c - the machine as a device tree describes it: aarch64 and riscv64.
 *
 * Source: Devicetree Specification 0.4; bindings of QEMU's `virt` machines: virtio,mmio,
 * pci-host-ecam-generic, qemu,fw-cfg-mmio.
 */
#include <string.h>

#include "card.h"

extern char card_image_begin[], card_image_end[]; /* link.ld */

static volatile void *at(uint64_t address)
{
    return (volatile void *)(uintptr_t)address;
}

static uint32_t mmio_read(void *arg, uint64_t address, unsigned bytes)
{
    (void)arg;
    return bytes == 1   ? *(volatile uint8_t *)at(address)
           : bytes == 2 ? *(volatile uint16_t *)at(address)
                        : *(volatile uint32_t *)at(address);
}

static void mmio_write(void *arg, uint64_t address, unsigned bytes, uint32_t value)
{
    (void)arg;
    if (bytes == 1) {
        *(volatile uint8_t *)at(address) = (uint8_t)value;
    } else if (bytes == 2) {
        *(volatile uint16_t *)at(address) = (uint16_t)value;
    } else {
        *(volatile uint32_t *)at(address) = value;
    }
}

static uint32_t pci_read(void *arg, uint16_t function, uint16_t offset, unsigned bytes)
{
    return mmio_read(arg, machine.pci.ecam + ((uint64_t)function << 12) + offset, bytes);
}

static void pci_write(void *arg, uint16_t function, uint16_t offset, unsigned bytes, uint32_t value)
{
    mmio_write(arg, machine.pci.ecam + ((uint64_t)function << 12) + offset, bytes, value);
}

void arch_fw_cfg(uint64_t descriptor)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    mmio_write(NULL, machine.fw_cfg + 16, 4, __builtin_bswap32((uint32_t)(descriptor >> 32)));
    mmio_write(NULL, machine.fw_cfg + 20, 4, __builtin_bswap32((uint32_t)descriptor));
}

static void memory(const struct card_node *node)
{
    const uint64_t begin = (uintptr_t)card_image_begin, end = (uintptr_t)card_image_end;
    uint64_t address, bytes;

    for (unsigned i = 0; tree_reg(node, i, &address, &bytes); i++) {
        machine.ram_bytes += bytes;
        if (begin >= address && begin - address < bytes) {
            machine.free = end;
            machine.free_end = address + bytes;
        }
    }
}

/* The window of 32-bit memory addresses: flags, PCI address, our address, size. The two addresses
 * are the same on these machines, which is what vt_pci_assign wants. */
static void pci_windows(const struct card_node *node)
{
    uint32_t n;
    const uint8_t *range = tree_property(node, "ranges", &n);

    for (; range && n >= 28; range += 28, n -= 28) {
        uint32_t space = range[0] & 3;
        uint64_t pci = tree_cells(range + 4, 2), ours = tree_cells(range + 12, 2);

        if (space == 2 && pci == ours) {
            machine.pci.next = pci;
            machine.pci.end = pci + tree_cells(range + 20, 2);
        }
    }
}

void machine_from_tree(const void *blob, void (*each)(const struct card_node *node))
{
    struct card_tree tree;
    struct card_node node;
    uint64_t address, bytes;
    uint32_t n;

    machine.bus = (struct vt_virtio_bus){.mmio_read = mmio_read, .mmio_write = mmio_write};
    if (!tree_open(&tree, blob)) {
        return;
    }
    while (tree_next(&tree, &node)) {
        const char *type = tree_property(&node, "device_type", &n);

        if (type && same_text(type, "memory")) {
            memory(&node);
        } else if (same_text(node.name, "chosen")) {
            const char *line = tree_property(&node, "bootargs", &n);

            if (line && n <= CARD_COMMAND_LINE) {
                memcpy(machine.command_line, line, n);
                machine.command_line[n > 0 ? n - 1 : 0] = 0;
            }
        } else if (tree_is(&node, "virtio,mmio") && tree_reg(&node, 0, &address, &bytes)) {
            if (machine.n_mmio < CARD_MMIO_SLOTS) {
                machine.mmio[machine.n_mmio].address = address;
                machine.mmio[machine.n_mmio++].line = arch_tree_line(&node);
            }
        } else if (tree_is(&node, "pci-host-ecam-generic") &&
                   tree_reg(&node, 0, &address, &bytes)) {
            machine.pci.ecam = address;
            machine.bus.pci_read = pci_read;
            machine.bus.pci_write = pci_write;
            pci_windows(&node);
        } else if (tree_is(&node, "qemu,fw-cfg-mmio") && tree_reg(&node, 0, &address, &bytes)) {
            machine.fw_cfg = address;
        }
        each(&node);
    }
    /* A tree that lies behind us in RAM must not be drawn over while it may be read. */
    if ((uintptr_t)blob >= machine.free && (uintptr_t)blob < machine.free_end) {
        machine.free_end = (uintptr_t)blob & ~(uintptr_t)4095;
    }
}
