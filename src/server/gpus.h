/* server/gpus.h - what the `vitrine gpu serve` of this user have done, as numbers for /metrics.
 */
#ifndef VT_SERVER_GPUS_H
#define VT_SERVER_GPUS_H

#include <stddef.h>
#include <stdint.h>

#define VT_GPUS_SERVED_MAX 32

/** One socket that is served. */
struct vt_gpu_served {
    char path[256];
    uint64_t contexts, objects, memory_bytes;         /**< now */
    uint64_t commands, unknown, failed, stream_bytes; /**< since it is served */
    double busy_s;
};
/** Asks them all; each may take a quarter of a second. How many there are. */
size_t vt_gpus_served(struct vt_gpu_served all[VT_GPUS_SERVED_MAX]);

#endif
