/* tests/unit/venus/ring_guest.h - a guest's side of rings, written by hand: shared memory, a ring
 * in it, commands and notifies as Mesa's driver orders them. No driver of the host is needed.
 */
#ifndef VT_TESTS_VENUS_RING_GUEST_H
#define VT_TESTS_VENUS_RING_GUEST_H

#include "venus/codec.h"
#include "venus/vn_commands.h"
#include "vitrine/venus.h"

#include <pthread.h>
#include <stdatomic.h>

#define GUEST_RING_BYTES 4096u

/** How the context ended, when it did. */
struct guest_end {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    char reason[512];
    char *commands;
};

struct guest {
    struct vt_venus_renderer *renderer;
    struct vt_venus_context *context;
    struct guest_end end;
};

/** `options` may be NULL. */
void guest_init(struct guest *guest, const struct vt_venus_options *options);
void guest_fini(struct guest *guest);
/** Waits for events->ended; the reason stays in guest->end. */
void guest_wait_end(struct guest *guest);

/** Shared memory that both see. */
struct guest_memory {
    int fd;
    uint8_t *at;
    size_t size;
};
struct guest_memory guest_memory_make(size_t bytes);
void guest_memory_free(struct guest_memory *memory);
/** Makes it, and attaches it as resource `id`. */
struct guest_memory guest_attach(struct guest *guest, uint32_t id, size_t bytes);

struct guest_ring {
    struct guest *guest;
    uint64_t id;
    struct guest_memory memory;
    _Atomic uint32_t *head, *tail, *status;
    uint8_t *buffer;
    uint32_t *extra;
    uint32_t at; /**< what the guest has written so far */
    unsigned notifies;
};

/** How Mesa lays a ring out; the resource and offsets can be changed before it is made. */
VkRingCreateInfoMESA guest_ring_info(uint32_t resource);
/** Attaches memory as resource `resource` and creates the ring. */
void guest_ring_make(struct guest_ring *ring, struct guest *guest, uint64_t id, uint32_t resource,
                     const VkRingMonitorInfoMESA *monitor);
void guest_ring_free(struct guest_ring *ring);
/** Copies bytes behind what is there (waiting for room), without telling. */
void guest_ring_write(struct guest_ring *ring, const void *bytes, size_t size);
/** Stores tail and notifies an idle ring. */
void guest_ring_flush(struct guest_ring *ring);
void guest_ring_send(struct guest_ring *ring, const struct vt_venus_out *commands);
/** Until all that was sent has been carried out; false: the ring is FATAL. */
bool guest_ring_wait(const struct guest_ring *ring);

/** What most tests need: ring 77 in resource 6, and room for commands. */
struct guest_bench {
    struct guest guest;
    struct guest_ring ring;
    struct vt_venus_out out;
};
void guest_bench_init(struct guest_bench *bench);
void guest_bench_fini(struct guest_bench *bench);
/** 1 MiB for commands. */
struct vt_venus_out guest_out(void);

/** Sends on the context's own stream; what vt_venus_context_submit says. */
int guest_submit(struct guest *guest, const struct vt_venus_out *commands);

/* Commands, appended. */
void say_reply_stream(struct vt_venus_out *out, uint32_t resource, size_t offset, size_t size);
/** vkEnumerateInstanceVersion, which asks no driver. */
void say_version(struct vt_venus_out *out, bool reply);
void say_create_ring(struct vt_venus_out *out, uint64_t ring, const VkRingCreateInfoMESA *info);
void say_destroy_ring(struct vt_venus_out *out, uint64_t ring);
void say_notify(struct vt_venus_out *out, uint64_t ring);
void say_extra(struct vt_venus_out *out, uint64_t ring, size_t offset, uint32_t value);
void say_submit_seqno(struct vt_venus_out *out, uint64_t ring, uint64_t seqno);
void say_wait_seqno(struct vt_venus_out *out, uint64_t seqno);
void say_wait_ring(struct vt_venus_out *out, uint64_t ring, uint64_t seqno);
void say_execute(struct vt_venus_out *out, uint32_t n,
                 const VkCommandStreamDescriptionMESA *streams, const size_t *positions);

/** Bytes of the reply to say_version. */
#define VERSION_REPLY_BYTES 20u
/** Whether a reply of say_version is there. */
bool is_version_reply(const uint8_t *reply);

#endif
