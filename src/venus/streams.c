/* venus/streams.c - the commands that carry other commands, replies and positions about:
 * VK_EXT_command_serialization's and VK_MESA_venus_protocol's of rings and streams.
 */
#include "venus/inside.h"
#include "venus/vn_commands.h"

#include <inttypes.h>
#include <stdlib.h>

/* Mesa's streams are of a few hundred KiB at most, but for shaders and caches. */
#define COPY_MIN_BYTES ((size_t)64 << 10)
#define COPY_KEPT_BYTES ((size_t)4 << 20)

/* ---- replies ---- */

/* A hold on the range's memory; NULL and a fault. */
static struct vt_venus_shared *range(struct vt_venus_run *run,
                                     const VkCommandStreamDescriptionMESA *stream)
{
    struct vt_venus_shared *memory = vt_venus_shared_get(run->context, stream->resourceId);
    if (memory == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_NO_OBJECT, "VkCommandStreamDescriptionMESA.resourceId",
                      stream->resourceId, 0);
        return NULL;
    }
    const char *member = NULL;
    uint64_t value = 0;
    if (stream->offset > memory->size || stream->offset % 4 != 0) {
        member = "VkCommandStreamDescriptionMESA.offset";
        value = stream->offset;
    } else if (stream->size > memory->size - stream->offset || stream->size % 4 != 0) {
        member = "VkCommandStreamDescriptionMESA.size";
        value = stream->size;
    }
    if (member != NULL) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, member, value, memory->size);
        vt_venus_shared_put(memory);
        return NULL;
    }
    return memory;
}

void vt_venus_vkSetReplyCommandStreamMESA(struct vt_venus_run *run,
                                          struct vn_vkSetReplyCommandStreamMESA *args)
{
    if (args->pStream == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_NULL, "pStream", 0, 0);
        return;
    }
    struct vt_venus_shared *memory = range(run, args->pStream);
    if (memory == NULL) {
        return;
    }
    vt_venus_shared_put(run->reply_memory);
    run->reply_memory = memory;
    vt_venus_out_fixed(&run->reply, memory->at + args->pStream->offset, args->pStream->size);
}

static bool seek(struct vt_venus_run *run, size_t position, const char *member)
{
    if (position > run->reply.max || position % 4 != 0) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, member, position, run->reply.max);
        return false;
    }
    if (run->reply.start != NULL) { /* else there is no stream, and this is its beginning */
        run->reply.at = run->reply.start + position;
    }
    return true;
}

void vt_venus_vkSeekReplyCommandStreamMESA(struct vt_venus_run *run,
                                           struct vn_vkSeekReplyCommandStreamMESA *args)
{
    seek(run, args->position, "position");
}

/* ---- streams in shared memory ---- */

static bool check_dependencies(struct vt_venus_run *run,
                               const struct vn_vkExecuteCommandStreamsMESA *args)
{
    for (uint32_t i = 0; i < args->dependencyCount; i++) {
        const VkCommandStreamDependencyMESA *d = &args->pDependencies[i];
        /* Streams run in their order, so all that depends on an earlier one is well. */
        if (d->dstCommandStream >= args->streamCount ||
            d->srcCommandStream >= d->dstCommandStream) {
            vt_venus_fail(&run->in, VT_VENUS_VALUE,
                          "VkCommandStreamDependencyMESA.srcCommandStream", d->srcCommandStream,
                          d->dstCommandStream);
            return false;
        }
    }
    return true;
}

/* The run's own memory for `bytes`, uninitialised, or NULL; kept up to COPY_KEPT_BYTES. */
static uint8_t *room_to_copy(struct vt_venus_run *run, size_t bytes)
{
    if (bytes > run->copy_bytes) {
        free(run->copy);
        run->copy_bytes = bytes < COPY_MIN_BYTES ? COPY_MIN_BYTES : bytes;
        run->copy = malloc(run->copy_bytes);
        run->copy_bytes = run->copy != NULL ? run->copy_bytes : 0;
    }
    return run->copy;
}

static void give_back(struct vt_venus_run *run)
{
    if (run->copy_bytes > COPY_KEPT_BYTES) {
        free(run->copy);
        run->copy = NULL;
        run->copy_bytes = 0;
    }
}

/* Copies and runs one stream; false: the context has ended, or a fault. */
static bool execute(struct vt_venus_run *run, const VkCommandStreamDescriptionMESA *stream)
{
    struct vt_venus_shared *memory = range(run, stream);
    if (memory == NULL) {
        return false;
    }
    uint8_t *copy = room_to_copy(run, stream->size);
    if (copy == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_MEMORY, "VkCommandStreamDescriptionMESA.size",
                      stream->size, 0);
        vt_venus_shared_put(memory);
        return false;
    }
    memcpy(copy, memory->at + stream->offset, stream->size);
    vt_venus_shared_put(memory);
    /* The stream's commands have memory of their own: arguments of the command that we are in,
     * `stream` among them, stay. */
    struct vt_venus_in in = run->in;
    struct vt_venus_arena arena = run->arena;
    vt_venus_arena_init(&run->arena, VT_VENUS_COMMAND_MAX_BYTES);
    run->depth++;
    bool fine = vt_venus_run_stream(run, copy, stream->size);
    run->depth--;
    vt_venus_arena_fini(&run->arena);
    run->arena = arena;
    run->in = in;
    vt_venus_count_add(&run->counts->bytes, stream->size);
    give_back(run);
    return fine;
}

void vt_venus_vkExecuteCommandStreamsMESA(struct vt_venus_run *run,
                                          struct vn_vkExecuteCommandStreamsMESA *args)
{
    if (run->depth != 0) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "a stream inside of a stream", run->depth, 0);
        return;
    }
    if (args->flags != 0) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "flags", args->flags, 0);
        return;
    }
    if (args->streamCount > VT_VENUS_STREAMS_MAX) {
        vt_venus_fail(&run->in, VT_VENUS_COUNT, "streamCount", args->streamCount,
                      VT_VENUS_STREAMS_MAX);
        return;
    }
    if ((args->streamCount != 0 && args->pStreams == NULL) ||
        (args->dependencyCount != 0 && args->pDependencies == NULL)) {
        vt_venus_fail(&run->in, VT_VENUS_NULL,
                      args->pStreams == NULL ? "pStreams" : "pDependencies", 0, 0);
        return;
    }
    if (!check_dependencies(run, args)) {
        return;
    }
    for (uint32_t i = 0; i < args->streamCount; i++) {
        if ((args->pReplyPositions != NULL &&
             !seek(run, args->pReplyPositions[i], "pReplyPositions")) ||
            (args->pStreams[i].size != 0 && !execute(run, &args->pStreams[i]))) {
            return;
        }
    }
    run->result = VK_SUCCESS;
}

/* ---- rings ---- */

/* Rings end by the context's own stream alone: so a ring never waits for its own end, and no two
 * for one another's. */
static bool owner_only(struct vt_venus_run *run)
{
    if (run->ring != NULL) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "on a ring", run->ring->id, 0);
        return false;
    }
    return true;
}

static struct vt_venus_ring *ring_of(struct vt_venus_run *run, uint64_t id)
{
    struct vt_venus_ring *ring = vt_venus_ring_get(run->context, id);
    if (ring == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_NO_OBJECT, "ring", id, 0);
    }
    return ring;
}

void vt_venus_vkCreateRingMESA(struct vt_venus_run *run, struct vn_vkCreateRingMESA *args)
{
    if (!owner_only(run)) {
        return;
    }
    if (args->pCreateInfo == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_NULL, "pCreateInfo", 0, 0);
        return;
    }
    struct vt_error err;
    if (vt_venus_ring_create(run->context, args->ring, args->pCreateInfo, &err) != 0) {
        vt_venus_context_end(run->context, "vkCreateRingMESA: ring %" PRIu64 ": %s", args->ring,
                             err.message);
    }
}

void vt_venus_vkDestroyRingMESA(struct vt_venus_run *run, struct vn_vkDestroyRingMESA *args)
{
    struct vt_venus_ring *ring = owner_only(run) ? ring_of(run, args->ring) : NULL;
    if (ring == NULL) {
        return;
    }
    vt_venus_visitor_pause(run->context->objects, &run->visitor);
    vt_venus_ring_end(ring);
    vt_venus_ring_put(ring);
    vt_venus_visitor_resume(run->context->objects, &run->visitor);
}

void vt_venus_vkNotifyRingMESA(struct vt_venus_run *run, struct vn_vkNotifyRingMESA *args)
{
    struct vt_venus_ring *ring = ring_of(run, args->ring);
    if (ring != NULL) {
        vt_venus_ring_notify(ring);
        vt_venus_ring_put(ring);
    }
}

void vt_venus_vkWriteRingExtraMESA(struct vt_venus_run *run, struct vn_vkWriteRingExtraMESA *args)
{
    struct vt_venus_ring *ring = ring_of(run, args->ring);
    if (ring == NULL) {
        return;
    }
    if (!vt_venus_ring_write_extra(ring, args->offset, args->value)) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "offset", args->offset, ring->extra_size);
    }
    vt_venus_ring_put(ring);
}

void vt_venus_vkSubmitVirtqueueSeqnoMESA(struct vt_venus_run *run,
                                         struct vn_vkSubmitVirtqueueSeqnoMESA *args)
{
    struct vt_venus_ring *ring = ring_of(run, args->ring);
    if (ring != NULL) {
        vt_venus_ring_submitted(ring, args->seqno);
        vt_venus_ring_put(ring);
    }
}

void vt_venus_vkWaitVirtqueueSeqnoMESA(struct vt_venus_run *run,
                                       struct vn_vkWaitVirtqueueSeqnoMESA *args)
{
    if (run->ring == NULL) {
        vt_venus_fail(&run->in, VT_VENUS_REFUSED, "not on a ring", args->seqno, 0);
        return;
    }
    vt_venus_ring_wait_submitted(run, args->seqno);
}

void vt_venus_vkWaitRingSeqnoMESA(struct vt_venus_run *run, struct vn_vkWaitRingSeqnoMESA *args)
{
    struct vt_venus_ring *ring = ring_of(run, args->ring);
    if (ring == NULL) {
        return;
    }
    const char *wrong = vt_venus_ring_wait(run, ring, (uint32_t)args->seqno);
    if (wrong != NULL) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, wrong, args->seqno, 0);
    }
    vt_venus_ring_put(ring);
}
