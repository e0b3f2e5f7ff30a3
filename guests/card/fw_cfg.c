/* guests/card/fw_cfg.c - finds and writes a file of QEMU's fw_cfg by its DMA interface.
 *
 * Source: QEMU, docs/specs/fw_cfg.rst. Everything on the interface is big-endian.
 */
#include "fw_cfg.h"

#include <string.h>

enum { READ = 2, SELECT = 8, WRITE = 16, ERROR = 1 };
enum { DIRECTORY = 0x19, NAME_BYTES = 56 };

struct descriptor {
    uint32_t control, bytes;
    uint64_t address;
};

static int transfer(uint32_t control, void *memory, size_t bytes)
{
    static volatile struct descriptor d __attribute__((aligned(16)));

    d.control = __builtin_bswap32(control);
    d.bytes = __builtin_bswap32((uint32_t)bytes);
    d.address = __builtin_bswap64((uintptr_t)memory);
    arch_fw_cfg((uintptr_t)&d);
    while (__builtin_bswap32(d.control) & ~(uint32_t)ERROR) {
        arch_relax();
    }
    return d.control == 0 ? VT_VIRTIO_OK : VT_VIRTIO_E_PROTOCOL;
}

int fw_cfg_write(const char *name, const void *from, size_t bytes)
{
    static struct {
        uint32_t size;
        uint16_t key, reserved;
        char name[NAME_BYTES];
    } file;
    static uint8_t copy[64] __attribute__((aligned(16)));
    uint32_t n;

    if (!machine.fw_cfg || bytes > sizeof(copy) ||
        transfer(DIRECTORY << 16 | SELECT | READ, &n, sizeof(n)) != VT_VIRTIO_OK) {
        return VT_VIRTIO_E_NO_DEVICE;
    }
    for (n = __builtin_bswap32(n); n > 0 && n < 65536; n--) {
        if (transfer(READ, &file, sizeof(file)) != VT_VIRTIO_OK) {
            break;
        }
        file.name[NAME_BYTES - 1] = 0;
        if (same_text(file.name, name)) {
            uint32_t key = __builtin_bswap16(file.key);

            memcpy(copy, from, bytes);
            return transfer(key << 16 | SELECT | WRITE, copy, bytes);
        }
    }
    return VT_VIRTIO_E_NO_DEVICE;
}
