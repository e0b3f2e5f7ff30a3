/* server/feed.h - what happens in VMs, from any thread to the loop, as JSON text.
 *
 * Each message is one line: {"type": "event" | "sample" | "state" | "pages", "vm": …}. What does
 * not fit the queue is dropped and counted.
 */
#ifndef VT_SERVER_FEED_H
#define VT_SERVER_FEED_H

#include "base/loop.h"
#include "vitrine/memory.h"
#include "vitrine/semantic.h"

enum vt_feed_kind { VT_FEED_EVENT, VT_FEED_SAMPLE, VT_FEED_STATE, VT_FEED_PAGES };

struct vt_feed_message {
    enum vt_feed_kind kind;
    char vm[VT_VM_NAME_MAX + 1];
    uint64_t number, unix_us; /**< of a sample */
    uint64_t sample_ns;       /**< it took so long */
    bool ended;               /**< a state: the VM is gone */
    char *text;
    size_t bytes;
    struct vt_feed_message *next; /* whose it is */
};

struct vt_feed;

/** `on_message` is called on the loop's thread; the message is its to free. */
int vt_feed_create(struct vt_loop *loop,
                   void (*on_message)(struct vt_feed_message *message, void *arg), void *arg,
                   struct vt_feed **feed, struct vt_error *err);
/** Takes NULL. */
void vt_feed_free(struct vt_feed_message *message);
/** Nobody posts any more. Takes NULL. */
void vt_feed_destroy(struct vt_feed *feed);
/** How many were dropped. */
uint64_t vt_feed_dropped(struct vt_feed *feed);

/* From any thread. */

void vt_feed_event(struct vt_feed *feed, const char *vm, const struct vt_event *event);
void vt_feed_sample(struct vt_feed *feed, const char *vm, const struct vt_sample *sample);
/** `state` NULL: the VM is gone. */
void vt_feed_state(struct vt_feed *feed, const char *vm, const char *state);

/** Pages that changed between two ticks of the tracker, as guest-physical runs. */
struct vt_feed_pages {
    uint32_t since, tick;
    uint64_t pages;
    unsigned n_runs;
    struct {
        struct vt_gpa gpa;
        uint64_t bytes;
    } runs[64];
    bool cut; /**< there are more runs */
};
void vt_feed_pages(struct vt_feed *feed, const char *vm, const struct vt_feed_pages *pages);

#endif
