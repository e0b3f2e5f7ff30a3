#include "tests/unit/venus/ring_guest.h"

#include "tests/unit/harness.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#define check(x) ((x) ? (void)0 : abort())

static void note_end(void *arg, const char *reason, const char *commands)
{
    struct guest_end *end = arg;
    pthread_mutex_lock(&end->lock);
    check(!end->ended); /* told once */
    end->ended = true;
    snprintf(end->reason, sizeof end->reason, "%s", reason);
    end->commands = strdup(commands);
    pthread_cond_broadcast(&end->changed);
    pthread_mutex_unlock(&end->lock);
}

void guest_init(struct guest *guest, const struct vt_venus_options *options)
{
    *guest = (struct guest){0};
    pthread_mutex_init(&guest->end.lock, NULL);
    pthread_cond_init(&guest->end.changed, NULL);
    struct vt_venus_events events = {.ended = note_end, .arg = &guest->end};
    assert_int_equal(vt_venus_renderer_create(options, &guest->renderer, NULL), 0);
    assert_int_equal(
        vt_venus_context_create(guest->renderer, 1, "test", &events, &guest->context, NULL), 0);
}

void guest_fini(struct guest *guest)
{
    vt_venus_context_destroy(guest->context);
    vt_venus_renderer_destroy(guest->renderer);
    free(guest->end.commands);
    pthread_cond_destroy(&guest->end.changed);
    pthread_mutex_destroy(&guest->end.lock);
}

void guest_wait_end(struct guest *guest)
{
    pthread_mutex_lock(&guest->end.lock);
    while (!guest->end.ended) {
        pthread_cond_wait(&guest->end.changed, &guest->end.lock);
    }
    pthread_mutex_unlock(&guest->end.lock);
}

struct guest_memory guest_memory_make(size_t bytes)
{
    struct guest_memory memory = {.fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING),
                                  .size = bytes};
    assert_true(memory.fd >= 0);
    assert_int_equal(ftruncate(memory.fd, (off_t)bytes), 0);
    assert_int_equal(fcntl(memory.fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    memory.at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
    assert_true(memory.at != MAP_FAILED);
    return memory;
}

void guest_memory_free(struct guest_memory *memory)
{
    munmap(memory->at, memory->size);
    close(memory->fd);
}

struct guest_memory guest_attach(struct guest *guest, uint32_t id, size_t bytes)
{
    struct guest_memory memory = guest_memory_make(bytes);
    const struct vt_venus_memory attached = {.id = id, .fd = memory.fd, .size = bytes};
    struct vt_error err;
    if (vt_venus_context_attach(guest->context, &attached, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return memory;
}

VkRingCreateInfoMESA guest_ring_info(uint32_t resource)
{
    return (VkRingCreateInfoMESA){.sType = VK_STRUCTURE_TYPE_RING_CREATE_INFO_MESA,
                                  .resourceId = resource,
                                  .size = 192 + GUEST_RING_BYTES + 4,
                                  .idleTimeout = 1000000,
                                  .headOffset = 0,
                                  .tailOffset = 64,
                                  .statusOffset = 128,
                                  .bufferOffset = 192,
                                  .bufferSize = GUEST_RING_BYTES,
                                  .extraOffset = 192 + GUEST_RING_BYTES,
                                  .extraSize = 4};
}

void guest_ring_make(struct guest_ring *ring, struct guest *guest, uint64_t id, uint32_t resource,
                     const VkRingMonitorInfoMESA *monitor)
{
    VkRingCreateInfoMESA info = guest_ring_info(resource);
    info.pNext = monitor;
    *ring = (struct guest_ring){
        .guest = guest, .id = id, .memory = guest_attach(guest, resource, 8192)};
    ring->head = (_Atomic uint32_t *)(ring->memory.at + info.headOffset);
    ring->tail = (_Atomic uint32_t *)(ring->memory.at + info.tailOffset);
    ring->status = (_Atomic uint32_t *)(ring->memory.at + info.statusOffset);
    ring->buffer = ring->memory.at + info.bufferOffset;
    ring->extra = (uint32_t *)(ring->memory.at + info.extraOffset);
    struct vt_venus_out out;
    vt_venus_out_init(&out, 4096);
    say_create_ring(&out, id, &info);
    assert_int_equal(guest_submit(guest, &out), 0);
    vt_venus_out_fini(&out);
}

void guest_ring_free(struct guest_ring *ring)
{
    guest_memory_free(&ring->memory);
}

void guest_ring_write(struct guest_ring *ring, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    while (ring->at + size - atomic_load(ring->head) > GUEST_RING_BYTES) {
        check((atomic_load(ring->status) & VK_RING_STATUS_FATAL_BIT_MESA) == 0);
        sched_yield();
    }
    for (size_t i = 0; i < size; i += 4) {
        memcpy(ring->buffer + (ring->at + i) % GUEST_RING_BYTES, from + i, 4);
    }
    ring->at += (uint32_t)size;
}

void guest_ring_flush(struct guest_ring *ring)
{
    atomic_store(ring->tail, ring->at);
    if ((atomic_load(ring->status) & VK_RING_STATUS_IDLE_BIT_MESA) != 0) {
        struct vt_venus_out out;
        vt_venus_out_init(&out, 4096);
        say_notify(&out, ring->id);
        guest_submit(ring->guest, &out);
        vt_venus_out_fini(&out);
        ring->notifies++;
    }
}

void guest_ring_send(struct guest_ring *ring, const struct vt_venus_out *commands)
{
    guest_ring_write(ring, commands->start, (size_t)(commands->at - commands->start));
    guest_ring_flush(ring);
}

bool guest_ring_wait(const struct guest_ring *ring)
{
    while (atomic_load(ring->head) != ring->at) {
        if ((atomic_load(ring->status) & VK_RING_STATUS_FATAL_BIT_MESA) != 0) {
            return false;
        }
        sched_yield();
    }
    return true;
}

struct vt_venus_out guest_out(void)
{
    struct vt_venus_out out;
    vt_venus_out_init(&out, 1 << 20);
    return out;
}

void guest_bench_init(struct guest_bench *bench)
{
    guest_init(&bench->guest, NULL);
    guest_ring_make(&bench->ring, &bench->guest, 77, 6, NULL);
    bench->out = guest_out();
}

void guest_bench_fini(struct guest_bench *bench)
{
    vt_venus_out_fini(&bench->out);
    guest_fini(&bench->guest);
    guest_ring_free(&bench->ring);
}

int guest_submit(struct guest *guest, const struct vt_venus_out *commands)
{
    return vt_venus_context_submit(guest->context, commands->start,
                                   (size_t)(commands->at - commands->start), NULL);
}

void say_reply_stream(struct vt_venus_out *out, uint32_t resource, size_t offset, size_t size)
{
    const VkCommandStreamDescriptionMESA stream = {
        .resourceId = resource, .offset = offset, .size = size};
    vn_encode_vkSetReplyCommandStreamMESA(
        out, 0, &(struct vn_vkSetReplyCommandStreamMESA){.pStream = &stream});
}

void say_version(struct vt_venus_out *out, bool reply)
{
    uint32_t version = 0;
    vn_encode_vkEnumerateInstanceVersion(
        out, reply, &(struct vn_vkEnumerateInstanceVersion){.pApiVersion = &version});
}

void say_create_ring(struct vt_venus_out *out, uint64_t ring, const VkRingCreateInfoMESA *info)
{
    vn_encode_vkCreateRingMESA(out, 0,
                               &(struct vn_vkCreateRingMESA){.ring = ring, .pCreateInfo = info});
}

void say_destroy_ring(struct vt_venus_out *out, uint64_t ring)
{
    vn_encode_vkDestroyRingMESA(out, 0, &(struct vn_vkDestroyRingMESA){.ring = ring});
}

void say_notify(struct vt_venus_out *out, uint64_t ring)
{
    vn_encode_vkNotifyRingMESA(out, 0, &(struct vn_vkNotifyRingMESA){.ring = ring});
}

void say_extra(struct vt_venus_out *out, uint64_t ring, size_t offset, uint32_t value)
{
    vn_encode_vkWriteRingExtraMESA(
        out, 0, &(struct vn_vkWriteRingExtraMESA){.ring = ring, .offset = offset, .value = value});
}

void say_submit_seqno(struct vt_venus_out *out, uint64_t ring, uint64_t seqno)
{
    vn_encode_vkSubmitVirtqueueSeqnoMESA(
        out, 0, &(struct vn_vkSubmitVirtqueueSeqnoMESA){.ring = ring, .seqno = seqno});
}

void say_wait_seqno(struct vt_venus_out *out, uint64_t seqno)
{
    vn_encode_vkWaitVirtqueueSeqnoMESA(out, 0,
                                       &(struct vn_vkWaitVirtqueueSeqnoMESA){.seqno = seqno});
}

void say_wait_ring(struct vt_venus_out *out, uint64_t ring, uint64_t seqno)
{
    vn_encode_vkWaitRingSeqnoMESA(out, 0,
                                  &(struct vn_vkWaitRingSeqnoMESA){.ring = ring, .seqno = seqno});
}

void say_execute(struct vt_venus_out *out, uint32_t n,
                 const VkCommandStreamDescriptionMESA *streams, const size_t *positions)
{
    vn_encode_vkExecuteCommandStreamsMESA(
        out, 0,
        &(struct vn_vkExecuteCommandStreamsMESA){
            .streamCount = n, .pStreams = streams, .pReplyPositions = positions});
}

bool is_version_reply(const uint8_t *reply)
{
    struct vt_venus_in in = {.start = reply, .at = reply, .end = reply + VERSION_REPLY_BYTES};
    struct vt_venus_arena arena;
    vt_venus_arena_init(&arena, 4096);
    in.arena = &arena;
    uint32_t version = 0;
    struct vn_vkEnumerateInstanceVersion got = {.pApiVersion = &version};
    bool well = vn_decode_reply_vkEnumerateInstanceVersion(&in, &got) && got.ret == VK_SUCCESS &&
                *got.pApiVersion >= VK_API_VERSION_1_0;
    vt_venus_arena_fini(&arena);
    return well;
}
