/* tests/unit/gpu/vhost_front.h - a vhost-user front end and a guest's driver in one: what QEMU and
 * Linux do, as far as a device can tell, and what they never would.
 *
 * The device is served on the same thread: its loop is turned by vt_front_turn. Memory is one memfd
 * at guest-physical 0x100000, which the front end claims to have mapped at 0x7000000000.
 */
#ifndef VT_TESTS_VHOST_FRONT_H
#define VT_TESTS_VHOST_FRONT_H

#include "gpu/vhost.h"
#include "gpu/vhost_protocol.h"
#include "virtio/layout.h"

#include <pthread.h>

#define VT_FRONT_BYTES (1u << 20)
#define VT_FRONT_GPA UINT64_C(0x100000)
#define VT_FRONT_ADDRESS UINT64_C(0x7000000000)
#define VT_FRONT_QUEUE_SIZE 16u

/** Contexts that do what a test says. */
struct vt_front_contexts {
    unsigned created, destroyed, ended, attached, detached, submitted, fences;
    struct vt_venus_memory memory; /* attached last; its descriptor is not valid any more */
    bool hold_fences;              /* until vt_front_signal */
    bool refuse;                   /* streams end the context */
    pthread_mutex_t lock;          /* of what follows */
    uint64_t fence[64];
    uint32_t timeline[64];
    void *owner[64]; /* the context that it was asked of, NULL: which is no more */
};

struct vt_front {
    struct vt_loop *loop;
    struct vt_vhost *vhost;
    int sock;    /* the front end's; non-blocking */
    int backend; /* the device's own channel: our end */
    int memory_fd, kick[2], call[2];
    uint8_t *memory;
    struct vt_front_contexts contexts;
    bool over;
    char reason[320];
    char said[16384];
    uint16_t next_used[2], next_avail[2];
    uint32_t stopped_at[2]; /* what GET_VRING_BASE said */
};

/** A device and a connection to it; nothing has been said yet. */
void vt_front_begin(struct vt_front *f, bool with_contexts);
void vt_front_end(struct vt_front *f);
/** Lets the device do what there is to do. */
void vt_front_turn(struct vt_front *f);
/** Turns until `done` is true; false: it never was. */
bool vt_front_turn_until(struct vt_front *f, bool (*done)(struct vt_front *f));

/** Sends a message with descriptors. */
void vt_front_send(struct vt_front *f, uint32_t request, uint32_t flags, const void *body,
                   size_t bytes, const int *fds, size_t n_fds);
/** The answer to it, turned for; its bytes, or -1 when none came. */
long vt_front_receive(struct vt_front *f, void *body, size_t room);
/** Asks and gives the u64 that is answered; UINT64_MAX when nothing is. */
uint64_t vt_front_ask(struct vt_front *f, uint32_t request, uint64_t word);

/** All that QEMU says up to a running device, its window mapped. */
void vt_front_start(struct vt_front *f);
/** Both queues from `base` on; the ones before are forgotten. */
void vt_front_queues(struct vt_front *f, uint16_t base);
/** GET_VRING_BASE of both. */
void vt_front_stop(struct vt_front *f);

/** Where a queue's parts are in `memory`. */
struct vt_split_desc *vt_front_desc(struct vt_front *f, unsigned queue);
struct vt_split_avail *vt_front_avail(struct vt_front *f, unsigned queue);
struct vt_split_used *vt_front_used(struct vt_front *f, unsigned queue);
/** Guest-physical, of an offset into `memory`. */
uint64_t vt_front_gpa(size_t offset);

/** Makes a head available and kicks. */
void vt_front_offer(struct vt_front *f, unsigned queue, uint16_t head);
/** A request at descriptors 2*slot and 2*slot+1; it is not waited for. `room` for the answer. */
void vt_front_request(struct vt_front *f, unsigned queue, unsigned slot, const void *request,
                      size_t bytes, size_t room);
/** The answer to what was in this slot, if it is the next one returned: its bytes, or -1. */
long vt_front_answer(struct vt_front *f, unsigned queue, unsigned *slot, void *answer, size_t room);
/** A request and its answer: its type, 0 when there is none. */
uint32_t vt_front_do(struct vt_front *f, const void *request, size_t bytes, void *answer,
                     size_t room);
/** Signals a fence that is held, if its context is still there. */
void vt_front_signal(struct vt_front *f, unsigned which);

#endif
