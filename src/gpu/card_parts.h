/* gpu/card_parts.h - inside of a virtio-gpu, shared by its files. */
#ifndef VT_GPU_CARD_PARTS_H
#define VT_GPU_CARD_PARTS_H

#include "gpu/card.h"

#include <pthread.h>

#define VT_CARD_BUCKETS 1024u
/** Pieces of the guest's memory behind one resource. */
#define VT_CARD_ENTRIES_MAX 262144u
#define VT_CARD_CURSOR_SIDE 64u

struct vt_card_resource {
    struct vt_card_resource *next; /* of its bucket */
    uint32_t id;
    /* 2-D */
    uint32_t format, width, height;
    uint8_t *pixels; /* rows of width * 4 bytes; NULL: a blob */
    size_t pixel_bytes;
    /* blobs */
    uint32_t blob_mem, blob_flags;
    uint64_t size;
    bool mapped;
    uint64_t offset; /* in the window */
    int fd;          /* bytes of a host blob that cannot be mapped, once a context has it; -1 */
    /* the guest's memory */
    struct vt_vgpu_memory_entry *entries; /* NULL: none is attached */
    uint32_t n_entries;
    uint64_t backing_bytes;
    uint8_t uuid[16];
    bool named; /* by that */
    /* contexts that have it: ids */
    uint32_t *contexts;
    uint32_t n_contexts, room_contexts;
};

/** What is shown: a 2-D resource, or a blob with a format of the scanout's. */
struct vt_card_scanout {
    uint32_t resource; /* 0: off */
    struct vt_vgpu_rect rect;
    uint32_t format, stride;
    uint32_t width, height; /* of the picture that rect is part of */
    uint64_t offset;
};

struct vt_card_cursor {
    bool on;
    uint32_t x, y, hot_x, hot_y;
    uint8_t pixels[VT_CARD_CURSOR_SIDE * VT_CARD_CURSOR_SIDE * 4];
};

/** What is known of a request as long as it has no answer. */
struct vt_card_pending {
    struct vt_card_pending *next;
    struct vt_card *card;
    void *token;
    uint64_t room;
    struct vt_vgpu_header header;  /* the request's */
    uint32_t type;                 /* of the answer, once a context's thread knows it */
    bool global;                   /* fenced on the timeline that all share: answered in order */
    struct vt_card_pending *later; /* of those */
    bool done;                     /* the answer waits for earlier ones */
    size_t held_bytes;
    uint8_t held[VT_CARD_ANSWER_BYTES_MAX];
    /* on a context's thread: what is to be done */
    enum { VT_CARD_ATTACH, VT_CARD_DETACH, VT_CARD_SUBMIT, VT_CARD_END } work;
    struct vt_venus_memory memory; /* its descriptor is a duplicate */
    uint64_t fence;                /* its number in the context */
    size_t bytes;
    uint8_t stream[];
};

struct vt_card_context {
    struct vt_card_context *next;
    struct vt_card *card;
    uint32_t id, capset;
    char name[64];
    uint64_t begun_ns;
    struct vt_card_pending *last_work; /* with which it is ended when the guest does not */
    void *context; /* whoever carries it out; NULL: a context without a capability set */
    pthread_t thread;
    /* below: under the lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_mutex_t alive; /* held to end it; its thread takes it before it is destroyed */
    bool destroyed;        /* under `alive` */
    uint64_t patience_ns;  /* what the guest destroyed is ended at this time */
    struct vt_card_pending *first, **last; /* to be done */
    struct vt_card_pending *fences;        /* whose work was handed over */
    bool ended;                            /* it carries out nothing any more */
    bool leaving;                          /* the guest destroyed it */
    bool gone;                             /* so is its thread */
    uint64_t next_fence;
};

struct vt_card {
    struct vt_loop *loop;
    const struct vt_guest_memory *memory;
    struct vt_card_events events;
    struct vt_card_contexts contexts;
    bool has_contexts;
    struct vt_vgpu_config_space config;
    uint32_t width, height;
    int window;
    uint64_t window_bytes;
    uint32_t n_files; /* of resources, open */
    struct vt_card_resource *resources[VT_CARD_BUCKETS];
    struct vt_card_context *context_list;
    struct vt_card_context *context_gone; /* destroyed, their threads may still be at it */
    struct vt_source *context_timer;      /* while there are any */
    struct vt_card_scanout scanout;
    struct vt_card_cursor cursor;
    struct vt_card_statistics statistics;
    uint64_t waiting_bytes;
    struct vt_card_pending *global_first, **global_last;
    /* answers that other threads have ready */
    int event;
    struct vt_source *source;
    pthread_mutex_t lock;
    struct vt_card_pending *ready, **ready_last; /* under the lock */
    char *lines;                                 /* to be said; under the lock */
};

/* card.c */
/** Says a line from any thread. */
__attribute__((format(printf, 2, 3))) void vt_card_say(struct vt_card *card, const char *fmt, ...);
/** From any thread: the pending one is answered by the loop. */
void vt_card_ready(struct vt_card_pending *pending, uint32_t type);
/** Of the loop's thread. */
void vt_card_take_ready(struct vt_card *card);

/* card_resource.c: each carries out one command and returns the answer's type. `n` bytes of request
 * are at least the fixed part's. */
uint32_t vt_card_create_2d(struct vt_card *card, const struct vt_vgpu_resource_create_2d *r);
uint32_t vt_card_create_blob(struct vt_card *card, const struct vt_vgpu_resource_create_blob *r,
                             size_t bytes);
uint32_t vt_card_unref(struct vt_card *card, uint32_t id);
uint32_t vt_card_attach_backing(struct vt_card *card,
                                const struct vt_vgpu_resource_attach_backing *r, size_t bytes);
uint32_t vt_card_detach_backing(struct vt_card *card, uint32_t id);
uint32_t vt_card_transfer(struct vt_card *card, const struct vt_vgpu_transfer_to_host_2d *r);
uint32_t vt_card_map_blob(struct vt_card *card, const struct vt_vgpu_resource_map_blob *r);
uint32_t vt_card_unmap_blob(struct vt_card *card, uint32_t id);
struct vt_card_resource *vt_card_resource(struct vt_card *card, uint32_t id);
void vt_card_drop_resources(struct vt_card *card);
/** A part of a resource's bytes: of the guest's memory, the window or its own. */
bool vt_card_read(const struct vt_card *card, const struct vt_card_resource *r, uint64_t offset,
                  void *to, uint64_t bytes);
/** Where a context finds the bytes; false: nowhere (yet). The descriptor is borrowed. */
bool vt_card_memory(struct vt_card *card, struct vt_card_resource *r,
                    struct vt_venus_memory *memory);

/* card_scanout.c */
uint32_t vt_card_set_scanout(struct vt_card *card, const struct vt_vgpu_set_scanout *r);
uint32_t vt_card_set_scanout_blob(struct vt_card *card, const struct vt_vgpu_set_scanout_blob *r);
uint32_t vt_card_flush(struct vt_card *card, const struct vt_vgpu_resource_flush *r);
void vt_card_update_cursor(struct vt_card *card, const struct vt_vgpu_update_cursor *r);
/** Whatever it was, it is not shown any more. */
void vt_card_forget_shown(struct vt_card *card, uint32_t resource);
/** 128 bytes that describe a monitor of that size. */
void vt_card_edid(uint32_t width, uint32_t height, uint8_t edid[128]);

/* card_context.c */
uint32_t vt_card_ctx_create(struct vt_card *card, const struct vt_vgpu_ctx_create *r);
/** These take the pending one over, or answer with a type: 0: taken. */
uint32_t vt_card_ctx_destroy(struct vt_card *card, struct vt_card_pending *pending);
uint32_t vt_card_ctx_attach(struct vt_card *card, uint32_t resource,
                            struct vt_card_pending *pending);
uint32_t vt_card_ctx_detach(struct vt_card *card, uint32_t resource,
                            struct vt_card_pending *pending);
uint32_t vt_card_submit(struct vt_card *card, struct vt_card_pending *pending);
/** A blob that contexts wait for is in the window now. */
void vt_card_attach_waiting(struct vt_card *card, struct vt_card_resource *r);
/** It is there no more, whoever has it. */
void vt_card_detach_all(struct vt_card *card, struct vt_card_resource *r);
struct vt_card_context *vt_card_context(struct vt_card *card, uint32_t id);
/** Ends them all and waits for their threads. */
void vt_card_drop_contexts(struct vt_card *card);

#endif
