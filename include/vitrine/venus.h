/* vitrine/venus.h - Venus: Vulkan for guests, carried out on any Vulkan driver of the host.
 *
 * A renderer holds what is chosen once: the host's driver, limits, recording. A context is one
 * guest process's connection: its objects, its rings, the memory it shares. Contexts know nothing
 * of each other. How commands, blobs and fences get here (vtest, virtio-gpu) is the business of the
 * room gpu; this room knows streams of commands, shared memory by resource id, and fences by
 * timeline.
 *
 * Sources: venus-protocol's wire format 1; virtio 1.3, 5.7 (capability sets, blobs, contexts);
 * Mesa's src/virtio/venus-protocol and src/virtio/vulkan for what a driver expects.
 */
#ifndef VITRINE_VENUS_H
#define VITRINE_VENUS_H

#include "vitrine/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of the capability set (id 4, version 0). */
#define VT_VENUS_CAPSET_BYTES 160u
/** Timelines of a context: 0 is the CPU's (the context's own stream), others belong to queues. */
#define VT_VENUS_TIMELINES 64u

struct vt_venus_context;

/** One command, as an observer sees it; borrowed for the call. */
struct vt_venus_observed {
    uint32_t context;  /**< the id its creator gave */
    uint64_t ring;     /**< the ring's id, 0: the context's own stream */
    uint32_t command;  /**< its number */
    const void *bytes; /**< the whole command, number and flags first */
    size_t size;
    const void *reply; /**< at the end: what was written, NULL when nothing was */
    size_t reply_bytes;
};
/** Told of everything that a renderer's contexts carry out (recording). Calls come from the
 * contexts' threads, those of one ring in order; they must not call the context, but for
 * vt_venus_context_mappings. */
struct vt_venus_observer {
    void (*created)(void *arg, struct vt_venus_context *context, uint32_t id, const char *name);
    void (*destroyed)(void *arg, uint32_t id);
    /** Before the command is carried out, and after (not when it was the context's last); `end`
     * gets what `begin` returned. */
    uint64_t (*begin)(void *arg, struct vt_venus_context *context,
                      const struct vt_venus_observed *command);
    void (*end)(void *arg, struct vt_venus_context *context,
                const struct vt_venus_observed *command, uint64_t begun);
    void (*attached)(void *arg, uint32_t context, uint32_t resource, uint64_t size);
    void (*detached)(void *arg, uint32_t context, uint32_t resource);
    void *arg;
};

struct vt_venus_options {
    const char
        *gpu; /**< as everywhere: a part of the device's name or its number; NULL: all are shown */
    uint64_t memory_max_bytes; /**< of a context's allocations and shared memory; 0: half of the
                                  host's RAM, and memory of a card's own does not count */
    uint32_t objects_max;      /**< of a context; 0: 1 Mi */
    struct vt_venus_observer observer; /**< all NULL: none */
};

struct vt_venus_renderer;
/** Needs no Vulkan driver yet: that is looked at when a guest creates its instance. */
int vt_venus_renderer_create(const struct vt_venus_options *options,
                             struct vt_venus_renderer **renderer, struct vt_error *err);
/** All contexts have ended; takes NULL. */
void vt_venus_renderer_destroy(struct vt_venus_renderer *renderer);
/** What guests are told. `guest_vram`: memory is made by the guest as blobs in a window and
 * imported (virtio-gpu), not exported by us (vtest). */
void vt_venus_capset(const struct vt_venus_renderer *renderer, bool guest_vram,
                     uint8_t capset[VT_VENUS_CAPSET_BYTES]);

/** Told from any thread of the context, never from inside a call of its owner; must not call the
 * context. */
struct vt_venus_events {
    /** All work before the fence with this id on this timeline is done. */
    void (*fence)(void *arg, uint32_t timeline, uint64_t id);
    /** The guest broke the protocol or the host's driver failed: nothing is carried out any more.
     * `reason` is a sentence; `commands` are the last ones, a line each, newest last. */
    void (*ended)(void *arg, const char *reason, const char *commands);
    void *arg;
};

int vt_venus_context_create(struct vt_venus_renderer *renderer, uint32_t id, const char *name,
                            const struct vt_venus_events *events, struct vt_venus_context **context,
                            struct vt_error *err);
/** Ends rings, waits for the host's queues, destroys all objects, gives memory back; takes NULL. No
 * event comes afterwards. */
void vt_venus_context_destroy(struct vt_venus_context *context);

/** Memory that the guest and we see: rings, replies, and guest_vram allocations. `fd` is borrowed
 * (it is duplicated); VT_E_EXISTS: the id is in use, VT_E_INVAL: size 0, offset not of the host's
 * page size. Bytes beyond the file's end would be a SIGBUS: sealed memfds or our own; others are
 * checked with fstat and refused when they can shrink, unless `trusted`. */
struct vt_venus_memory {
    uint32_t id; /**< the resource's id, of the context's own name space */
    int fd;      /**< of a memfd or shared memory */
    uint64_t offset, size;
    bool trusted; /**< made by this process, cannot shrink */
};
int vt_venus_context_attach(struct vt_venus_context *context, const struct vt_venus_memory *memory,
                            struct vt_error *err);
/** What stands on it (rings, imports) keeps its own hold; VT_E_NOT_FOUND: no such id. */
int vt_venus_context_detach(struct vt_venus_context *context, uint32_t id, struct vt_error *err);

/** The memory behind a VkDeviceMemory (a HOST3D blob: `blob_id` is the memory's object id), and
 * from now on the resource `id`. `*fd` is the caller's to close; its byte 0 is the memory's first.
 * VT_E_NOT_FOUND: no such memory; VT_E_UNSUPPORTED: it cannot be mapped. */
int vt_venus_context_export(struct vt_venus_context *context, uint32_t id, uint64_t blob_id,
                            uint64_t size, int *fd, struct vt_error *err);

/** The guest's socket, borrowed (-1: none, as at first): once it is shut down from either side,
 * commands of the context's own stream that wait for something give up, and end the context. Before
 * the first submit. */
void vt_venus_context_peer(struct vt_venus_context *context, int fd);

/** Carries out a stream (bytes a multiple of 4, copied before it is read): what execbuffer and
 * SUBMIT_CMD bring. May block as long as the commands in it do. VT_E_PROTOCOL: the context has
 * ended, err says why. One thread at a time. */
int vt_venus_context_submit(struct vt_venus_context *context, const void *stream, size_t bytes,
                            struct vt_error *err);
/** Asks for `fence` once all before it on this timeline is done; ids need not be in order.
 * VT_E_INVAL: no such timeline. One thread at a time. */
int vt_venus_context_fence(struct vt_venus_context *context, uint32_t timeline, uint64_t id,
                           struct vt_error *err);

/** Memory that the guest reads and writes by itself: what backs its mappable VkDeviceMemory
 * objects. Calls `visit` for each while none can be freed; `memory` is the object's id, `at` its
 * `size` bytes (the guest may write there at any time). False stops. Any thread. */
void vt_venus_context_mappings(struct vt_venus_context *context,
                               bool (*visit)(uint64_t memory, uint8_t *at, size_t size, void *arg),
                               void *arg);

/** Counted since the context began; read at any time, from any thread. */
struct vt_venus_statistics {
    uint64_t commands, unknown,
        failed;     /**< carried out; of no known number; ended with an error VkResult */
    uint64_t bytes; /**< of streams */
    uint64_t replies, reply_bytes;
    uint64_t objects_created, objects_destroyed, objects;
    uint64_t memory_bytes;    /**< allocated now */
    uint64_t busy_ns;         /**< of rings' threads and submits, waiting not counted */
    uint64_t notifies, waits; /**< rings woken; times that a ring fell asleep */
    uint32_t rings;
    bool ended;
};
void vt_venus_context_statistics(const struct vt_venus_context *context,
                                 struct vt_venus_statistics *statistics);
/** By command: calls `row` for each that was seen, in order of its number; `ns` is an estimate
 * (every 64th execution is timed). False stops. */
struct vt_venus_command_count {
    const char *name;
    uint32_t id;
    uint64_t count, failed, ns;
};
void vt_venus_context_commands(const struct vt_venus_context *context,
                               bool (*row)(const struct vt_venus_command_count *count, void *arg),
                               void *arg);
/** The host's name of the device that its last VkDevice was made on; empty: there was none. Read at
 * any time, from any thread. */
#define VT_VENUS_DEVICE_BYTES 256u
void vt_venus_context_device(const struct vt_venus_context *context,
                             char device[VT_VENUS_DEVICE_BYTES]);
/** Why it ended, or NULL; valid as long as the context. */
const char *vt_venus_context_reason(const struct vt_venus_context *context);

#endif
