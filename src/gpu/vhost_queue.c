/* gpu/vhost_queue.c - a device's queues: requests go from them to the card, answers come back.
 *
 * An answer that comes while its queue stands still (the VM is paused) waits until it goes on:
 * nothing is written to a guest that is not running.
 */
#include "gpu/vhost_parts.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void say(struct vt_vhost *v, const char *text)
{
    if (v->events.say != NULL) {
        v->events.say(v->events.arg, text);
    }
}

static void signal_fd(int fd)
{
    const uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof one) != (ssize_t)sizeof one) {
        return; /* a counter that is full says the same */
    }
}

static bool aligned(const void *p, uintptr_t to)
{
    return p != NULL && (uintptr_t)p % to == 0;
}

void vt_vhost_queue_resolve(struct vt_vhost *v, struct vt_vhost_queue *q)
{
    struct vt_device_queue *r = &q->ring;
    r->desc = NULL;
    r->avail = NULL;
    r->used = NULL;
    if (!q->has_addr || r->size == 0) {
        return;
    }
    void *desc = vt_guest_memory_front_end(&v->memory, q->addr.desc, vt_split_desc_bytes(r->size));
    void *avail =
        vt_guest_memory_front_end(&v->memory, q->addr.avail, vt_split_avail_bytes(r->size));
    void *used = vt_guest_memory_front_end(&v->memory, q->addr.used, vt_split_used_bytes(r->size));
    if (aligned(desc, VT_SPLIT_DESC_ALIGNMENT) && aligned(avail, VT_SPLIT_AVAIL_ALIGNMENT) &&
        aligned(used, VT_SPLIT_USED_ALIGNMENT)) {
        r->desc = desc;
        r->avail = avail;
        r->used = used;
    }
}

/* ---------------------------------------------------------------- answers */

static void interrupt(struct vt_vhost *v, struct vt_vhost_queue *q)
{
    if (!v->draining && vt_device_queue_interrupts(&q->ring)) {
        signal_fd(q->call);
    }
}

static void give(struct vt_vhost *v, struct vt_vhost_buffer *b, const void *answer, size_t bytes)
{
    struct vt_vhost_queue *q = &v->queues[b->queue];
    const uint8_t *from = answer;
    size_t left = bytes;
    for (unsigned i = 0; i < b->n && left > 0; i++) {
        size_t n = b->pieces[i].bytes < left ? b->pieces[i].bytes : left;
        if (!vt_guest_memory_write(&v->memory, b->pieces[i].gpa, from, n)) {
            bytes -= left; /* what cannot be written was not */
            break;
        }
        from += n;
        left -= n;
    }
    vt_device_queue_give(&q->ring, b->head, (uint32_t)bytes);
    free(b->answer);
    free(b);
    interrupt(v, q);
}

void vt_vhost_answer(void *arg, void *token, const void *answer, size_t bytes)
{
    struct vt_vhost *v = arg;
    struct vt_vhost_buffer *b = token;
    struct vt_vhost_queue *q = &v->queues[b->queue];
    if (answer == NULL) { /* the device was reset: the queue that it was in is no more */
        q->ring.taken -= q->ring.taken > 0;
        free(b);
        return;
    }
    if (q->running) {
        give(v, b, answer, bytes);
        return;
    }
    b->answer = malloc(bytes + 1);
    if (b->answer == NULL) {
        say(v, "out of memory: an answer is lost");
        free(b);
        return;
    }
    memcpy(b->answer, answer, bytes);
    b->bytes = bytes;
    b->next = NULL;
    *q->late_last = b;
    q->late_last = &b->next;
}

/* ---------------------------------------------------------------- requests */

/* All that is to be read of a buffer, in memory of ours. */
static bool gather(struct vt_vhost *v, const struct vt_device_buffer *b)
{
    if (b->out_bytes > VT_CARD_REQUEST_BYTES_MAX) {
        return false;
    }
    if (b->out_bytes > v->request_room) {
        uint8_t *more = realloc(v->request, b->out_bytes);
        if (more == NULL) {
            return false;
        }
        v->request = more;
        v->request_room = b->out_bytes;
    }
    uint8_t *to = v->request;
    for (unsigned i = 0; b->out_bytes > 0 && i < b->n_out; i++) {
        if (!vt_guest_memory_read(&v->memory, b->pieces[i].gpa, to, b->pieces[i].bytes)) {
            return false;
        }
        to += b->pieces[i].bytes;
    }
    return true;
}

static void request(struct vt_vhost *v, unsigned index)
{
    const struct vt_device_buffer *b = &v->buffer;
    struct vt_vhost_buffer *t = malloc(sizeof *t + b->n_in * sizeof t->pieces[0]);
    if (t == NULL) {
        vt_device_queue_give(&v->queues[index].ring, b->head, 0);
        return;
    }
    *t = (struct vt_vhost_buffer){.vhost = v, .queue = index, .head = b->head, .n = b->n_in};
    memcpy(t->pieces, b->pieces + b->n_out, b->n_in * sizeof t->pieces[0]);
    const bool whole = gather(v, b);
    const size_t bytes = whole ? b->out_bytes : 0;
    vt_card_request(v->card, index, bytes > 0 ? v->request : (const void *)"", bytes, b->in_bytes,
                    t);
}

void vt_vhost_queue_drain(struct vt_vhost *v, unsigned index)
{
    struct vt_vhost_queue *q = &v->queues[index];
    if (!q->running || !q->enabled || v->window == VT_VHOST_WINDOW_ASKED) {
        return;
    }
    int more = 0;
    v->draining = true;
    for (unsigned n = 0; n <= q->ring.size; n++) {
        more = vt_device_queue_take(&q->ring, &v->memory, &v->buffer);
        if (more != 1) {
            break;
        }
        request(v, index);
    }
    v->draining = false;
    if (more < 0 && !q->said) {
        char line[160];
        snprintf(line, sizeof line, "the %s queue stands still: %s",
                 index == VT_VGPU_CONTROL_QUEUE ? "control" : "cursor",
                 q->ring.fault != NULL ? q->ring.fault : "it has no memory");
        say(v, line);
        q->said = true;
        signal_fd(q->err);
    }
    if (more == 1) { /* others have a turn first */
        signal_fd(q->kick);
    }
    interrupt(v, q);
}

static void on_kick(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_vhost *v = arg;
    uint64_t n;
    (void)events;
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        if (v->queues[i].kick_source == source &&
            read(v->queues[i].kick, &n, sizeof n) == (ssize_t)sizeof n) {
            vt_vhost_queue_drain(v, i);
        }
    }
}

/* ---------------------------------------------------------------- starting and stopping */

/* A queue that goes on elsewhere than where it was is a new driver's. */
static bool is_anew(const struct vt_vhost_queue *q)
{
    return q->stopped &&
           (q->base != q->stopped_at || q->addr.desc != q->stopped_addr.desc ||
            q->addr.avail != q->stopped_addr.avail || q->addr.used != q->stopped_addr.used);
}

static void forget_late(struct vt_vhost_queue *q)
{
    struct vt_vhost_buffer *next;
    for (struct vt_vhost_buffer *b = q->late; b != NULL; b = next) {
        next = b->next;
        free(b->answer);
        free(b);
    }
    q->late = NULL;
    q->late_last = &q->late;
}

void vt_vhost_reset(struct vt_vhost *v)
{
    vt_card_reset(v->card);
    for (unsigned i = 0; i < VT_VHOST_QUEUES; i++) {
        v->queues[i].stopped = false;
        forget_late(&v->queues[i]);
        v->queues[i].ring.taken = 0;
    }
    if (v->window == VT_VHOST_WINDOW_THERE) {
        v->window = VT_VHOST_WINDOW_NOT;
    }
}

int vt_vhost_queue_start(struct vt_vhost *v, unsigned index, struct vt_error *err)
{
    struct vt_vhost_queue *q = &v->queues[index];
    if (is_anew(q)) {
        vt_vhost_reset(v);
    }
    q->stopped = false;
    int rc = vt_loop_add_fd(v->loop, q->kick, EPOLLIN, on_kick, v, &q->kick_source, err);
    if (rc != 0) {
        return rc;
    }
    q->ring.event_index = (v->features & VT_VIRTIO_RING_EVENT_INDEX) != 0;
    vt_vhost_queue_resolve(v, q);
    vt_device_queue_start(&q->ring, q->base);
    q->running = true;
    q->said = false;
    while (q->late != NULL) {
        struct vt_vhost_buffer *b = q->late;
        q->late = b->next;
        give(v, b, b->answer, b->bytes);
    }
    q->late_last = &q->late;
    return 0;
}

void vt_vhost_queue_stop(struct vt_vhost *v, unsigned index)
{
    struct vt_vhost_queue *q = &v->queues[index];
    vt_source_remove(q->kick_source);
    q->kick_source = NULL;
    vt_close(&q->kick);
    vt_close(&q->call);
    if (q->running) {
        q->running = false;
        q->stopped = true;
        q->stopped_at = q->ring.next;
        q->stopped_addr = q->addr;
        q->base = q->ring.next;
    }
}
