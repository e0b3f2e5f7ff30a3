/* gpu/vhost_parts.h - inside of a vhost-user back end: vhost.c has the messages, vhost_queue.c what
 * the queues bring. */
#ifndef VT_GPU_VHOST_PARTS_H
#define VT_GPU_VHOST_PARTS_H

#include "gpu/device_queue.h"
#include "gpu/vhost.h"
#include "gpu/vhost_protocol.h"

#define VT_VHOST_PAYLOAD_MAX 512u
#define VT_VHOST_FDS_MAX 8u

/** A buffer that the card has. */
struct vt_vhost_buffer {
    struct vt_vhost *vhost;
    struct vt_vhost_buffer *next; /* answered while the queue stands still */
    void *answer;                 /* of those */
    size_t bytes;
    unsigned queue;
    uint16_t head;
    unsigned n;
    struct vt_device_piece pieces[]; /* to be written */
};

struct vt_vhost_queue {
    struct vt_device_queue ring;
    struct vt_vhost_vring_addr addr; /* the front end's */
    bool has_addr, enabled, running;
    uint16_t base;       /* where it starts */
    bool stopped;        /* it ran before: */
    uint16_t stopped_at; /* where it was then */
    struct vt_vhost_vring_addr stopped_addr;
    int kick, call, err;
    struct vt_source *kick_source;
    struct vt_vhost_buffer *late, **late_last; /* answered since it stopped */
    bool said;                                 /* what is wrong with it */
};

struct vt_vhost {
    struct vt_loop *loop;
    struct vt_vhost_events events;
    struct vt_card *card;
    struct vt_guest_memory memory;
    struct vt_vhost_queue queues[VT_VHOST_QUEUES];
    uint64_t features, protocol;
    int sock, backend;
    struct vt_source *sock_source, *backend_source;
    bool over;
    /* the message that is coming in */
    struct vt_vhost_header header;
    uint8_t payload[VT_VHOST_PAYLOAD_MAX];
    size_t have;
    int fds[VT_VHOST_FDS_MAX];
    size_t n_fds;
    /* the back end's channel: only answers come */
    uint8_t reply[sizeof(struct vt_vhost_header) + 8];
    size_t reply_have;
    enum { VT_VHOST_WINDOW_NOT, VT_VHOST_WINDOW_ASKED, VT_VHOST_WINDOW_THERE } window;
    bool mapped_before; /* by this front end: it may keep the mapping over a reset */
    bool draining;
    struct vt_device_buffer buffer; /* the one that is being taken */
    uint8_t *request;               /* its bytes: VT_CARD_REQUEST_BYTES_MAX, in the end */
    size_t request_room;
};

/* vhost_queue.c */
/** The driver begins anew. */
void vt_vhost_reset(struct vt_vhost *v);
/** The queue's addresses and the memory table changed. */
void vt_vhost_queue_resolve(struct vt_vhost *v, struct vt_vhost_queue *q);
/** Its kick's descriptor is there: it runs. */
int vt_vhost_queue_start(struct vt_vhost *v, unsigned index, struct vt_error *err);
void vt_vhost_queue_stop(struct vt_vhost *v, unsigned index);
/** Takes what is there, where it is enabled and the window is there. */
void vt_vhost_queue_drain(struct vt_vhost *v, unsigned index);
/** The card's. */
void vt_vhost_answer(void *arg, void *token, const void *answer, size_t bytes);

#endif
