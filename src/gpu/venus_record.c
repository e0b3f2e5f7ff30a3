/* gpu/venus_record.c - an observer that writes. See venus_record.h.
 *
 * Contexts' threads meet at one lock, so that the file is one sequence. Of each memory that a guest
 * writes by itself a copy is kept: what it holds when work is submitted and held not before is what
 * the recording gets, page by page. (What a device wrote there counts, too: nobody here sees who
 * wrote.)
 */
#include "gpu/venus_record.h"

#include "venus/vn_mesa.h"
#include "virtio/gpu/protocol/protocol.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_BYTES 4096u
/** Of one memory event. */
#define RUN_MAX (1u << 20)

/** What a memory held when it was last looked at. */
struct shadow {
    struct shadow *next;
    uint32_t context;
    uint64_t memory;
    const uint8_t *at; /* where it is mapped: elsewhere, it is another */
    size_t size;
    bool seen; /* in this look */
    uint8_t bytes[];
};

struct vt_vgpu_venus_recorder {
    pthread_mutex_t lock;
    struct vt_vgpu_writer *writer;
    struct shadow *shadows;
    uint64_t began_ns, sequence;
    uint32_t looking_at; /* a context's id, during a look */
    struct vt_error err; /* the first failure; nothing is written afterwards */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The lock is held. */
static void put(struct vt_vgpu_venus_recorder *r, struct vt_vgpu_event_seen event)
{
    if (r->err.code == VT_OK) {
        event.kind = VT_VGPU_SEEN_VENUS;
        event.sequence = r->sequence++;
        event.queue = VT_VGPU_CONTROL_QUEUE;
        (void)vt_vgpu_writer_put(r->writer, &event, &r->err);
    }
}

static void put_simple(struct vt_vgpu_venus_recorder *r, enum vt_vgpu_venus what, uint32_t context,
                       const void *request, size_t bytes)
{
    pthread_mutex_lock(&r->lock);
    const uint64_t at = now_ns() - r->began_ns;
    put(r, (struct vt_vgpu_event_seen){.slot = (uint16_t)what,
                                       .written = context,
                                       .submitted_ns = at,
                                       .answered_ns = at,
                                       .request = request,
                                       .request_bytes = (uint32_t)bytes});
    pthread_mutex_unlock(&r->lock);
}

/* ---------------------------------------------------------------- memory */

static void forget(struct vt_vgpu_venus_recorder *r, uint32_t context, bool all)
{
    for (struct shadow **at = &r->shadows; *at != NULL;) {
        struct shadow *s = *at;
        if (s->context == context && (all || !s->seen)) {
            *at = s->next;
            free(s);
        } else {
            at = &s->next;
        }
    }
}

static struct shadow *shadow_of(struct vt_vgpu_venus_recorder *r, uint64_t memory,
                                const uint8_t *at, size_t size)
{
    for (struct shadow *s = r->shadows; s != NULL; s = s->next) {
        if (s->context == r->looking_at && s->memory == memory && s->at == at && s->size == size &&
            !s->seen) {
            return s;
        }
    }
    struct shadow *s = calloc(1, sizeof *s + size);
    if (s == NULL) {
        vt_fail(&r->err, VT_E_NOMEM, "no memory for a copy of a guest's %zu bytes", size);
        return NULL;
    }
    s->context = r->looking_at;
    s->memory = memory;
    s->at = at;
    s->size = size;
    s->next = r->shadows;
    r->shadows = s;
    return s;
}

/* Copied first: the guest writes on, and the file and the copy must agree. */
static bool take_page(struct shadow *s, size_t offset)
{
    uint8_t page[PAGE_BYTES];
    const size_t n = s->size - offset < PAGE_BYTES ? s->size - offset : PAGE_BYTES;
    memcpy(page, s->at + offset, n);
    if (memcmp(page, s->bytes + offset, n) == 0) {
        return false;
    }
    memcpy(s->bytes + offset, page, n);
    return true;
}

static void put_run(struct vt_vgpu_venus_recorder *r, const struct shadow *s, size_t from,
                    size_t to, uint8_t *room)
{
    const struct vt_vgpu_venus_memory place = {.id = s->memory, .offset = from};
    const uint64_t at = now_ns() - r->began_ns;
    memcpy(room, &place, sizeof place);
    memcpy(room + sizeof place, s->bytes + from, to - from);
    put(r, (struct vt_vgpu_event_seen){.slot = VT_VGPU_VENUS_MEMORY,
                                       .written = s->context,
                                       .submitted_ns = at,
                                       .answered_ns = at,
                                       .request = room,
                                       .request_bytes = (uint32_t)(sizeof place + to - from)});
}

static bool look_at(uint64_t memory, uint8_t *at, size_t size, void *arg)
{
    struct vt_vgpu_venus_recorder *r = arg;
    struct shadow *s = shadow_of(r, memory, at, size);
    uint8_t *room = malloc(sizeof(struct vt_vgpu_venus_memory) + RUN_MAX);
    if (s == NULL || room == NULL) {
        free(room);
        return false;
    }
    s->seen = true;
    size_t from = 0;
    bool changed = false;
    for (size_t offset = 0; offset < size; offset += PAGE_BYTES) {
        const bool changes = take_page(s, offset);
        if (changed && (!changes || offset - from == RUN_MAX)) {
            put_run(r, s, from, offset, room);
            changed = false;
        }
        if (changes && !changed) {
            from = offset;
            changed = true;
        }
    }
    if (changed) {
        put_run(r, s, from, size, room);
    }
    free(room);
    return true;
}

/* The lock is held. */
static void look(struct vt_vgpu_venus_recorder *r, struct vt_venus_context *context, uint32_t id)
{
    for (struct shadow *s = r->shadows; s != NULL; s = s->next) {
        s->seen = false;
    }
    r->looking_at = id;
    vt_venus_context_mappings(context, look_at, r);
    forget(r, id, false);
}

/* ---------------------------------------------------------------- what is observed */

static void created(void *arg, struct vt_venus_context *context, uint32_t id, const char *name)
{
    (void)context;
    put_simple(arg, VT_VGPU_VENUS_CREATED, id, name, name != NULL ? strlen(name) : 0);
}

static void destroyed(void *arg, uint32_t id)
{
    struct vt_vgpu_venus_recorder *r = arg;
    put_simple(r, VT_VGPU_VENUS_DESTROYED, id, NULL, 0);
    pthread_mutex_lock(&r->lock);
    forget(r, id, true);
    pthread_mutex_unlock(&r->lock);
}

static void place_changed(void *arg, enum vt_vgpu_venus what, uint32_t context, uint32_t resource,
                          uint64_t size)
{
    const struct vt_vgpu_venus_memory place = {.id = resource, .offset = size};
    put_simple(arg, what, context, &place, sizeof place);
}

static void attached(void *arg, uint32_t context, uint32_t resource, uint64_t size)
{
    place_changed(arg, VT_VGPU_VENUS_ATTACHED, context, resource, size);
}

static void detached(void *arg, uint32_t context, uint32_t resource)
{
    place_changed(arg, VT_VGPU_VENUS_DETACHED, context, resource, 0);
}

/* Does the device read what the guest wrote, or does memory go that it may have written? */
static bool looks(uint32_t command)
{
    return command == VK_COMMAND_TYPE_vkQueueSubmit_EXT ||
           command == VK_COMMAND_TYPE_vkQueueSubmit2_EXT ||
           command == VK_COMMAND_TYPE_vkFreeMemory_EXT ||
           command == VK_COMMAND_TYPE_vkDestroyDevice_EXT;
}

static uint64_t begin(void *arg, struct vt_venus_context *context,
                      const struct vt_venus_observed *command)
{
    struct vt_vgpu_venus_recorder *r = arg;
    if (looks(command->command)) {
        pthread_mutex_lock(&r->lock);
        look(r, context, command->context);
        pthread_mutex_unlock(&r->lock);
    }
    return now_ns() - r->began_ns;
}

static void end(void *arg, struct vt_venus_context *context,
                const struct vt_venus_observed *command, uint64_t begun)
{
    struct vt_vgpu_venus_recorder *r = arg;
    (void)context;
    pthread_mutex_lock(&r->lock);
    put(r, (struct vt_vgpu_event_seen){
               .slot = VT_VGPU_VENUS_COMMAND,
               .written = command->context,
               .lost = command->ring,
               .submitted_ns = begun,
               .answered_ns = now_ns() - r->began_ns,
               .request = command->bytes,
               .request_bytes = (uint32_t)command->size,
               .response = command->reply,
               .response_bytes = command->reply != NULL ? (uint32_t)command->reply_bytes : 0,
           });
    pthread_mutex_unlock(&r->lock);
}

/* ---------------------------------------------------------------- its life */

int vt_vgpu_venus_recorder_create(const char *path, bool replace, const char *name,
                                  struct vt_vgpu_venus_recorder **recorder, struct vt_error *err)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    struct vt_vgpu_origin origin = {
        .source = "venus",
        .started_unix_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec,
    };
    snprintf(origin.vm, sizeof origin.vm, "%s", name);
    struct vt_vgpu_venus_recorder *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "%s: out of memory", path);
    }
    int rc = vt_vgpu_writer_create(path, replace, &origin, &r->writer, err);
    if (rc != 0) {
        free(r);
        return rc;
    }
    pthread_mutex_init(&r->lock, NULL);
    r->began_ns = now_ns();
    *recorder = r;
    return 0;
}

struct vt_venus_observer vt_vgpu_venus_recorder_observer(struct vt_vgpu_venus_recorder *r)
{
    return (struct vt_venus_observer){.created = created,
                                      .destroyed = destroyed,
                                      .begin = begin,
                                      .end = end,
                                      .attached = attached,
                                      .detached = detached,
                                      .arg = r};
}

int vt_vgpu_venus_recorder_close(struct vt_vgpu_venus_recorder *r, struct vt_error *err)
{
    if (r == NULL) {
        return 0;
    }
    struct vt_error closing = {0};
    int rc = vt_vgpu_writer_close(r->writer, &closing);
    if (r->err.code != VT_OK) {
        rc = r->err.code;
        closing = r->err;
    }
    if (rc != 0 && err != NULL) {
        *err = closing;
    }
    while (r->shadows != NULL) {
        struct shadow *next = r->shadows->next;
        free(r->shadows);
        r->shadows = next;
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
    return rc;
}
