/* venus/context.h - what handlers see: the context, the run of one command, and the memory it
 * shares. */
#ifndef VT_VENUS_CONTEXT_H
#define VT_VENUS_CONTEXT_H

#include "venus/codec.h"
#include "venus/objects.h"
#include "venus/vulkan.h"
#include "vitrine/venus.h"

#include <pthread.h>

/** Commands kept for whoever asks why a context ended. */
#define VT_VENUS_LAST_COMMANDS 64u
#define VT_VENUS_LAST_BYTES 240u
/** Numbers of commands are below. */
#define VT_VENUS_COMMANDS_MAX 512u

struct vt_venus_ring;
struct vt_venus_shared;

/** A stream's reader: a ring's thread, or the context's own stream. One thread's; handlers get it.
 */
struct vt_venus_run {
    struct vt_venus_context *context;
    struct vt_venus_in in; /**< the command being carried out; its fault ends the context */
    struct vt_venus_out
        reply;       /**< where vkSetReplyCommandStreamMESA said, bounded; start NULL: nowhere */
    VkResult result; /**< the command's, where it has one: set by who runs it, after the handler */
    struct vt_venus_arena arena;
    struct vt_venus_visitor visitor;
    struct vt_venus_ring *ring;           /**< NULL: the context's own stream */
    struct vt_venus_shared *reply_memory; /**< a hold on what `reply` stands in */
    uint32_t depth;                       /**< of vkExecuteCommandStreamsMESA: 0 or 1 */
    struct vt_venus_counts *counts;       /**< run.c */
    struct vt_venus_last *last;           /**< run.c */
    uint8_t *copy; /**< streams.c: what streams in shared memory are copied to */
    size_t copy_bytes;
};
/** True as soon as the context has ended, is being destroyed, or this run's ring is: what waits
 * inside of a command looks here now and then. */
bool vt_venus_run_ending(const struct vt_venus_run *run);

/** Shared memory by resource id; counted holds, so that a detach leaves users what they use. */
struct vt_venus_shared {
    uint32_t id;
    uint8_t *at; /**< mapped readable and writable; the guest writes there at any time */
    size_t size;
    int fd;
    uint64_t offset;
    _Atomic uint32_t holds;
};
/** A hold on the resource, or NULL: no such resource, or it cannot be mapped. */
struct vt_venus_shared *vt_venus_shared_get(struct vt_venus_context *context, uint32_t id);
/** Takes NULL. */
void vt_venus_shared_put(struct vt_venus_shared *shared);
/** vt_venus_context_attach, for memory whose bytes are counted already (`counted`), as exports'
 * are. */
int vt_venus_shared_add(struct vt_venus_context *context, const struct vt_venus_memory *memory,
                        bool counted, struct vt_error *err);

/** Ends the context once: no ring runs another command, rings are marked FATAL, events->ended is
 * told, by a thread that is in no call. */
__attribute__((cold, format(printf, 2, 3))) void
vt_venus_context_end(struct vt_venus_context *context, const char *format, ...);
/** Runs commands until the stream's end or a fault; the context has ended afterwards when it is
 * false. `stream` is private to the caller. */
bool vt_venus_run_stream(struct vt_venus_run *run, const uint8_t *stream, size_t bytes);

/** For the owner's calls outside of submit that look objects up: what is found in between stays. */
void vt_venus_context_enter(struct vt_venus_context *context);
void vt_venus_context_leave(struct vt_venus_context *context);

/** The public options, as they are in force. */
const struct vt_venus_options *vt_venus_context_options(const struct vt_venus_context *context);
struct vt_venus_objects *vt_venus_context_objects(struct vt_venus_context *context);
struct vt_venus_renderer *vt_venus_context_renderer(struct vt_venus_context *context);
struct vt_venus_timelines *vt_venus_context_timelines(struct vt_venus_context *context);
/** True as soon as the context has ended or is being destroyed: who waits stops waiting. */
bool vt_venus_context_ending(const struct vt_venus_context *context);
/** It makes a VkDevice on the host's device of that name. */
void vt_venus_context_uses(struct vt_venus_context *context, const char *device);
/** Counts allocated bytes against memory_max_bytes; false: too many, nothing is counted. */
bool vt_venus_memory_take(struct vt_venus_context *context, uint64_t bytes);
void vt_venus_memory_give(struct vt_venus_context *context, uint64_t bytes);

/* A handler carries out one command: `void vt_venus_<command>(struct vt_venus_run *run, struct
 * vn_<command> *args)`. Handles in args are the host's already; out handles hold the id that the
 * guest chose, and stay so: the handler adds the object. It sets args->ret. A guest's mistake that
 * Vulkan would call invalid usage is vt_venus_fail(&run->in, …), which ends the context; what the
 * host's driver refuses is a VkResult. Which commands are written by hand stands in
 * src/venus/handled.list, everything else passes through. args->self is the object of the first
 * argument, with the tables to call through. */

/** Table of all commands, generated; NULL: no such number. */
struct vn_command {
    uint32_t id;
    const char *name; /**< "vkCreateBuffer" */
    /** Decodes, carries out, replies if `flags` (the stream's VkCommandFlagsEXT) ask for it. */
    void (*run)(struct vt_venus_run *run, uint32_t flags);
    /** Reads the command's arguments into the sink; the cursor ends behind them. False: the sink
     * stopped or in->fault. NULL: its arguments cannot be read. */
    bool (*describe)(struct vt_venus_in *in, struct vt_venus_sink *sink);
    bool (*describe_reply)(struct vt_venus_in *in, struct vt_venus_sink *sink);
    uint32_t kind; /**< enum vn_command_kind */
};
enum vn_command_kind {
    VN_PASSES,  /**< generated handler */
    VN_HANDLED, /**< in handled.list */
    VN_REFUSED, /**< decoded and refused by name */
};
const struct vn_command *vn_command_of(uint32_t id);

/* Timelines (timeline.c): a queue is bound to one when it is got (VkDeviceQueueTimelineInfoMESA).
 */
struct vt_venus_queue;
int vt_venus_timeline_bind(struct vt_venus_context *context, uint32_t timeline,
                           struct vt_venus_queue *queue, struct vt_error *err);
void vt_venus_timeline_unbind(struct vt_venus_context *context, struct vt_venus_queue *queue,
                              bool hung);

/* Memory (heap.h): what backs a guest's host-visible VkDeviceMemory, importable and shareable. Made
 * with the context, destroyed after its objects. */
struct vt_venus_heap;
struct vt_venus_heap *vt_venus_context_heap(struct vt_venus_context *context);

#endif
