/* gpu/venus_replay.h - carrying out a recording of Venus once more, on this host's drivers.
 *
 * The guest is not needed: its commands are in the recording, and so is what it wrote into memory.
 * What it said about its rings is left out; commands go in the order in which they ended, so
 * whatever waited finds what it waited for. Results and the memory's contents are held against the
 * recorded ones.
 */
#ifndef VT_GPU_VENUS_REPLAY_H
#define VT_GPU_VENUS_REPLAY_H

#include "gpu/record.h"
#include "vitrine/venus.h"

struct vt_vgpu_replay_options {
    const char *gpu; /**< as vt_venus_options has it */
    /** Told of each command whose VkResult was another one. NULL: nobody. */
    void (*differs)(const struct vt_vgpu_event_seen *command, int32_t before, int32_t now,
                    void *arg);
    void *arg;
};

/** What became of it. */
struct vt_vgpu_replay {
    uint64_t contexts, commands;
    uint64_t skipped;                 /**< of rings and replies, and of contexts that had ended */
    uint64_t results, results_differ; /**< VkResults that could be compared */
    uint64_t pages, pages_alike; /**< that the recording says were written, and that already held
                                    just that: a device's results, found again */
    /** Contexts that were left: the host ended them, or buffers have other addresses than those
     * that their commands hold. */
    uint64_t ended;
    char reason[256]; /**< of the first of them, or "" */
    bool cut;         /**< the recording ends within an event */
};
/** Reads `from` to its end. VT_E_CORRUPT as vt_vgpu_reader_next; VT_E_LIMIT: more contexts or
 * memory than a recording may ask for; those of creating a renderer and contexts. */
int vt_vgpu_venus_replay(struct vt_vgpu_reader *from, const struct vt_vgpu_replay_options *options,
                         struct vt_vgpu_replay *replay, struct vt_error *err);

#endif
