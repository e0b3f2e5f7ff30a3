/* plugins/example/writes.h - what the example plugin and whoever made its file share.
 *
 *   this header | slots
 *
 * Its maker zeroes the file, fills in magic, version, slots and the range, and hands it to QEMU.
 * The range may be changed at any time. A slot belongs to the first PC that took it; `pc` is
 * written once, before any count. Counts are read relaxed: of the moment, each of its own.
 */
#ifndef VT_PLUGIN_EXAMPLE_WRITES_H
#define VT_PLUGIN_EXAMPLE_WRITES_H

#include <stdint.h>

#define VT_WRITES_MAGIC "VTWRITES"
#define VT_WRITES_VERSION 1u

struct vt_writes_slot {
    uint64_t pc;    /**< 0: free */
    uint64_t count; /**< writes into the range */
    uint64_t bytes; /**< that they wrote */
    uint64_t last;  /**< address of one of the latest */
};

struct vt_writes {
    char magic[8];
    uint32_t version;
    uint32_t slots;       /**< a power of two */
    uint64_t first, last; /**< guest-virtual addresses watched, inclusive; first > last: none */
    uint32_t api;         /**< the plugin has come: its interface */
    uint32_t ended;       /**< QEMU has ended orderly */
    uint64_t ignored;     /**< writes that found no slot */
    struct vt_writes_slot slot[];
};

#endif
