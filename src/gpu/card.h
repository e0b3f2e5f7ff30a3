/* gpu/card.h - a virtio-gpu, the device itself: what its two queues ask for is carried out here.
 *
 * 2-D resources, scanouts and cursors are its own; 3-D contexts are given to whoever was named as
 * `contexts` (Venus). How requests get here, and answers back, is the transport's business
 * (gpu/vhost.h): a request is bytes that nobody changes any more, with a token; its answer comes
 * with the same token, at once or later, always from the loop's thread.
 *
 * Memory of host blobs is one window, a memfd that the transport maps into the guest as a whole. A
 * blob has no bytes of its own until RESOURCE_MAP_BLOB says where in the window they are; the guest
 * allocates there. Contexts see blobs as pieces of the window's file.
 *
 * One thread, the loop's; contexts have one each of their own, on which all that may block is done
 * in order. Everything a guest says is hostile: counts, ids, sizes and addresses are checked, and
 * what the device holds for it is bounded (VT_CARD_*).
 *
 * Source: virtio 1.3, 5.7; Linux, drivers/gpu/drm/virtio, for what a driver does.
 */
#ifndef VT_GPU_CARD_H
#define VT_GPU_CARD_H

#include "base/loop.h"
#include "gpu/guest_memory.h"
#include "virtio/gpu/protocol/commands.h"
#include "vitrine/venus.h"

#define VT_CARD_RESOURCES_MAX 65536u
#define VT_CARD_FILES_MAX                                                                          \
    256u /* blobs that only contexts see: each is a descriptor of the server's */
#define VT_CARD_CONTEXTS_MAX 1024u
/** Longest request; those that wait for a context, together. */
#define VT_CARD_REQUEST_BYTES_MAX (4u << 20)
#define VT_CARD_WAITING_BYTES_MAX (64u << 20)
/** Pixels of all 2-D resources, in bytes; sides of one. */
#define VT_CARD_PIXEL_BYTES_MAX (1ull << 30)
#define VT_CARD_SIDE_MAX 16384u
/** Longest answer. */
#define VT_CARD_ANSWER_BYTES_MAX sizeof(struct vt_vgpu_resp_edid)

/** Features of the device that a transport offers beside its own. */
#define VT_CARD_FEATURES                                                                           \
    (VT_VGPU_F_VIRGL | VT_VGPU_F_EDID | VT_VGPU_F_RESOURCE_UUID | VT_VGPU_F_RESOURCE_BLOB |        \
     VT_VGPU_F_CONTEXT_INIT)

/** Shared memory's id of the window (5.7.2, VIRTIO_GPU_SHM_ID_HOST_VISIBLE). */
#define VT_CARD_WINDOW_ID 1u

/** Who carries out 3-D contexts: vt_card_venus(), or a test. As in vitrine/venus.h; `end` makes
 *  what blocks return, from any thread. */
struct vt_card_contexts {
    void (*capset)(void *arg, uint8_t capset[VT_VENUS_CAPSET_BYTES]);
    int (*create)(void *arg, uint32_t id, const char *name, const struct vt_venus_events *events,
                  void **context, struct vt_error *err);
    void (*end)(void *context);
    void (*destroy)(void *context);
    int (*attach)(void *context, const struct vt_venus_memory *memory, struct vt_error *err);
    int (*detach)(void *context, uint32_t id, struct vt_error *err);
    int (*submit)(void *context, const void *stream, size_t bytes, struct vt_error *err);
    int (*fence)(void *context, uint32_t timeline, uint64_t id, struct vt_error *err);
    void (*statistics)(void *context, struct vt_venus_statistics *statistics);
    void (*commands)(void *context,
                     bool (*row)(const struct vt_venus_command_count *count, void *arg), void *arg);
    void *arg;
};

struct vt_card_options {
    uint32_t width, height; /**< of the first mode; 0: 1280 x 800 */
    uint64_t window_bytes;  /**< of the window: a multiple of the page's size; 0: 1 GiB */
    const struct vt_card_contexts *contexts; /**< NULL: a device without 3-D; copied */
};

/** Called from the loop's thread. */
struct vt_card_events {
    /** What was asked with this token is done. NULL: it never will be, the device was reset. */
    void (*answer)(void *arg, void *token, const void *answer, size_t bytes);
    /** The configuration changed without the guest's doing. */
    void (*config)(void *arg);
    /** One line for people: contexts that come, go and end; commands that were refused. */
    void (*say)(void *arg, const char *line);
    void *arg;
};

/** What it counts, since it was made. */
struct vt_card_statistics {
    uint64_t commands, errors, fences, transfers, flushes, resets;
    uint64_t resources, contexts;       /**< there now */
    uint64_t pixel_bytes, mapped_bytes; /**< of 2-D resources; of blobs in the window */
};

struct vt_json_writer;
struct vt_card;

/** `memory` is the guest's, as the transport keeps it up to date. */
int vt_card_create(struct vt_loop *loop, const struct vt_guest_memory *memory,
                   const struct vt_card_options *options, const struct vt_card_events *events,
                   struct vt_card **card, struct vt_error *err);
/** Waits for what contexts are doing; nothing is answered any more. Takes NULL. */
void vt_card_destroy(struct vt_card *card);

/** Bits of VT_CARD_FEATURES that it has. */
uint64_t vt_card_features(const struct vt_card *card);
/** A request of `bytes` bytes whose answer has room for `room`; `request` is not kept. */
void vt_card_request(struct vt_card *card, enum vt_vgpu_queue queue, const void *request,
                     size_t bytes, uint64_t room, void *token);
/** As a driver that begins anew expects: no resources, no contexts. Tokens are answered NULL. */
void vt_card_reset(struct vt_card *card);

/** The device's configuration; the guest may only write events_clear. */
const struct vt_vgpu_config_space *vt_card_config(const struct vt_card *card);
void vt_card_clear_events(struct vt_card *card, uint32_t events);
/** The monitor has another size from now on: the guest is told. VT_E_INVAL: not a size. */
int vt_card_resize(struct vt_card *card, uint32_t width, uint32_t height, struct vt_error *err);

/** The window's memfd: borrowed; and its size. */
int vt_card_window(const struct vt_card *card, uint64_t *bytes);

/** What the scanout shows, its cursor drawn in: PNG, malloc'ed, the caller's. VT_E_NOT_FOUND: it
 *  is off. */
int vt_card_picture(struct vt_card *card, bool cursor, uint8_t **png, size_t *bytes,
                    struct vt_error *err);
void vt_card_statistics(const struct vt_card *card, struct vt_card_statistics *statistics);
/** Members of an open JSON object: what it counts, its screen. */
void vt_card_json(const struct vt_card *card, struct vt_json_writer *w);
/** Elements of an open array: its contexts, which say that they are of this `gpu`. */
void vt_card_contexts_json(const struct vt_card *card, unsigned gpu, struct vt_json_writer *w);

#endif
