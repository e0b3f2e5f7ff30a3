/* gpu/venus_replay.c - a recording's commands, given to contexts of our own. See venus_replay.h.
 *
 * Recordings are hostile: a context takes what they hold as it takes a guest's streams. Before
 * memory is written that a device may still read, and before anything is freed or reset, the
 * queues' work so far is awaited, by fences on all timelines, with a bound: work may wait for a
 * signal that only a later command gives.
 */
#include "gpu/venus_replay.h"

#include "gpu/venus_show.h"

#include "venus/context.h"
#include "venus/vn_commands.h"
#include "venus/vn_mesa.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CONTEXTS_MAX 4096u
/** Of all resources attached at one time; pages that nobody touches cost nothing. */
#define ATTACHED_MAX ((uint64_t)1 << 40)
#define REPLY_BYTES ((size_t)VT_VGPU_VENUS_MAX)
/** The reply's own resource, beyond what guests use. */
#define REPLY_RESOURCE 0xfffffff0u
#define SETTLE_SECONDS 10
#define PAGE_BYTES 4096u

struct context {
    uint32_t id;
    struct vt_venus_context *venus;
    struct replay *replay;
    bool pending; /* work was submitted since the last settling */
    uint64_t attached;
    /* under replay->lock */
    uint64_t fences; /* not signalled yet */
    bool ended;
};

struct replay {
    const struct vt_vgpu_replay_options *options;
    struct vt_vgpu_replay *told;
    struct vt_venus_renderer *renderer;
    struct context *contexts[CONTEXTS_MAX];
    size_t n;
    uint8_t *reply; /* where commands write their replies */
    int reply_fd;
    uint64_t fence;
    struct vt_venus_out set_reply; /* the command that says so */
    struct vt_venus_out stream;
    pthread_mutex_t lock;
    pthread_cond_t signalled;
};

/* ---------------------------------------------------------------- contexts */

static void on_fence(void *arg, uint32_t timeline, uint64_t id)
{
    struct context *c = arg;
    (void)timeline;
    (void)id;
    pthread_mutex_lock(&c->replay->lock);
    c->fences--;
    pthread_cond_broadcast(&c->replay->signalled);
    pthread_mutex_unlock(&c->replay->lock);
}

static void on_ended(void *arg, const char *reason, const char *commands)
{
    struct context *c = arg;
    (void)commands;
    pthread_mutex_lock(&c->replay->lock);
    c->ended = true;
    if (c->replay->told->ended++ == 0) {
        snprintf(c->replay->told->reason, sizeof c->replay->told->reason, "%s", reason);
    }
    pthread_cond_broadcast(&c->replay->signalled);
    pthread_mutex_unlock(&c->replay->lock);
}

static struct context *context_of(const struct replay *r, uint32_t id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->contexts[i]->id == id) {
            return r->contexts[i];
        }
    }
    return NULL;
}

static bool has_ended(struct context *c)
{
    pthread_mutex_lock(&c->replay->lock);
    const bool ended = c->ended;
    pthread_mutex_unlock(&c->replay->lock);
    return ended;
}

static int create_context(struct replay *r, const struct vt_vgpu_event_seen *e,
                          struct vt_error *err)
{
    char name[64];
    if (context_of(r, e->written) != NULL) {
        return 0; /* a recording that was tampered with: the first one stays */
    }
    if (r->n == CONTEXTS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "more than %u contexts at once", CONTEXTS_MAX);
    }
    struct context *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    snprintf(name, sizeof name, "%.*s", (int)(e->request_bytes < 60 ? e->request_bytes : 60),
             e->request_bytes > 0 ? (const char *)e->request : "");
    c->id = e->written;
    c->replay = r;
    const struct vt_venus_events events = {.fence = on_fence, .ended = on_ended, .arg = c};
    const struct vt_venus_memory reply = {
        .id = REPLY_RESOURCE, .fd = r->reply_fd, .size = REPLY_BYTES, .trusted = true};
    int rc = vt_venus_context_create(r->renderer, e->written, name, &events, &c->venus, err);
    if (rc == 0) {
        rc = vt_venus_context_attach(c->venus, &reply, err);
    }
    if (rc != 0) {
        vt_venus_context_destroy(c->venus);
        free(c);
        return rc;
    }
    r->contexts[r->n++] = c;
    r->told->contexts++;
    return 0;
}

static void destroy_context(struct replay *r, struct context *c)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->contexts[i] == c) {
            r->contexts[i] = r->contexts[--r->n];
            break;
        }
    }
    vt_venus_context_destroy(c->venus);
    free(c);
}

/* A resource that memory may be imported from; its bytes come as memory of whoever imports it. */
static int attach(struct context *c, const struct vt_vgpu_event_seen *e, struct vt_error *err)
{
    struct vt_vgpu_venus_memory place;
    if (!vt_vgpu_venus_place(e, &place) || place.id == 0 || place.id >= REPLY_RESOURCE) {
        return 0;
    }
    if (place.offset > ATTACHED_MAX - c->attached) {
        return vt_fail(err, VT_E_LIMIT, "context %u shares more than 1 TiB", c->id);
    }
    int fd = memfd_create("vitrine-replay", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)place.offset) != 0) {
        const int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return vt_fail_errno(err, VT_E_IO, error, "cannot make %llu bytes of memory",
                             (unsigned long long)place.offset);
    }
    const struct vt_venus_memory memory = {
        .id = (uint32_t)place.id, .fd = fd, .size = place.offset, .trusted = true};
    struct vt_error refused;
    if (vt_venus_context_attach(c->venus, &memory, &refused) == 0) {
        c->attached += place.offset;
    }
    close(fd);
    return 0;
}

/* ---------------------------------------------------------------- work under way */

/* Awaits what the queues were given, or gives up. */
static void settle(struct context *c)
{
    struct replay *r = c->replay;
    struct timespec until;
    if (!c->pending) {
        return;
    }
    c->pending = false;
    for (uint32_t timeline = 1; timeline < VT_VENUS_TIMELINES; timeline++) {
        struct vt_error none;
        pthread_mutex_lock(&r->lock);
        c->fences++;
        pthread_mutex_unlock(&r->lock);
        if (vt_venus_context_fence(c->venus, timeline, ++r->fence, &none) != 0) {
            pthread_mutex_lock(&r->lock);
            c->fences--;
            pthread_mutex_unlock(&r->lock);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SETTLE_SECONDS;
    pthread_mutex_lock(&r->lock);
    int rc = 0;
    while (c->fences > 0 && !c->ended && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&r->signalled, &r->lock, &until);
    }
    pthread_mutex_unlock(&r->lock);
}

struct place {
    uint64_t id, offset;
    const uint8_t *bytes;
    size_t size;
    struct vt_vgpu_replay *told;
};

static bool write_place(uint64_t memory, uint8_t *at, size_t size, void *arg)
{
    struct place *p = arg;
    if (memory != p->id) {
        return true;
    }
    if (p->offset > size || p->size > size - p->offset) {
        return false;
    }
    for (size_t i = 0; i < p->size; i += PAGE_BYTES) {
        const size_t n = p->size - i < PAGE_BYTES ? p->size - i : PAGE_BYTES;
        p->told->pages++;
        if (memcmp(at + p->offset + i, p->bytes + i, n) == 0) {
            p->told->pages_alike++;
        } else {
            memcpy(at + p->offset + i, p->bytes + i, n);
        }
    }
    return false;
}

static void write_memory(struct context *c, const struct vt_vgpu_event_seen *e)
{
    struct vt_vgpu_venus_memory place;
    if (vt_vgpu_venus_place(e, &place)) {
        struct place p = {.id = place.id,
                          .offset = place.offset,
                          .bytes = e->request + sizeof place,
                          .size = e->request_bytes - sizeof place,
                          .told = c->replay->told};
        settle(c);
        vt_venus_context_mappings(c->venus, write_place, &p);
    }
}

/* ---------------------------------------------------------------- commands */

static uint32_t word_at(const uint8_t *bytes, uint32_t index)
{
    uint32_t word;
    memcpy(&word, bytes + 4 * (size_t)index, sizeof word);
    return word;
}

/* Those that speak of rings and replies, which the recording has no use for. */
static bool is_transport(uint32_t command)
{
    switch (command) {
    case VK_COMMAND_TYPE_vkSetReplyCommandStreamMESA_EXT:
    case VK_COMMAND_TYPE_vkSeekReplyCommandStreamMESA_EXT:
    case VK_COMMAND_TYPE_vkExecuteCommandStreamsMESA_EXT:
    case VK_COMMAND_TYPE_vkCreateRingMESA_EXT:
    case VK_COMMAND_TYPE_vkDestroyRingMESA_EXT:
    case VK_COMMAND_TYPE_vkNotifyRingMESA_EXT:
    case VK_COMMAND_TYPE_vkWriteRingExtraMESA_EXT:
    case VK_COMMAND_TYPE_vkSubmitVirtqueueSeqnoMESA_EXT:
    case VK_COMMAND_TYPE_vkWaitVirtqueueSeqnoMESA_EXT:
    case VK_COMMAND_TYPE_vkWaitRingSeqnoMESA_EXT:
        return true;
    default:
        return false;
    }
}

/* Does it need the work before it to be done? Names say so: nothing else takes away what queues may
 * use. */
static bool needs_settled(const char *name)
{
    return strncmp(name, "vkDestroy", 9) == 0 || strncmp(name, "vkFree", 6) == 0 ||
           strncmp(name, "vkReset", 7) == 0 || strncmp(name, "vkBegin", 7) == 0 ||
           strncmp(name, "vkUpdate", 8) == 0 || strncmp(name, "vkGetQuery", 10) == 0;
}

/* Commands and memory hold addresses that the recorded driver gave: with others they lead astray.
 */
static bool gives_address(uint32_t command)
{
    return command == VK_COMMAND_TYPE_vkGetBufferDeviceAddress_EXT ||
           command == VK_COMMAND_TYPE_vkGetAccelerationStructureDeviceAddressKHR_EXT;
}

static void leave(struct context *c, const char *why)
{
    struct replay *r = c->replay;
    pthread_mutex_lock(&r->lock);
    c->ended = true;
    if (r->told->ended++ == 0) {
        snprintf(r->told->reason, sizeof r->told->reason, "%s", why);
    }
    pthread_mutex_unlock(&r->lock);
}

static void compare(struct context *c, const struct vt_vgpu_event_seen *e)
{
    struct replay *r = c->replay;
    int32_t before, now;
    if (gives_address(word_at(e->request, 0)) && e->response_bytes >= 12 &&
        memcmp(r->reply + 4, e->response + 4, 8) != 0) {
        leave(c, "the program uses addresses of buffers, and this driver gives others than the "
                 "recorded one");
    }
    if (e->response_bytes < 8 || !vt_vgpu_venus_result(e, &before)) {
        return;
    }
    memcpy(&now, r->reply + 4, sizeof now); /* behind the command's number */
    r->told->results++;
    if (now != before) {
        r->told->results_differ++;
        if (r->options->differs != NULL) {
            r->options->differs(e, before, now, r->options->arg);
        }
    }
}

static int run_command(struct context *c, const struct vt_vgpu_event_seen *e, struct vt_error *err)
{
    struct replay *r = c->replay;
    const uint32_t number = e->request_bytes >= 8 ? word_at(e->request, 0) : 0;
    const struct vn_command *command = e->request_bytes >= 8 ? vn_command_of(number) : NULL;
    if (command == NULL || is_transport(number) || has_ended(c)) {
        r->told->skipped++;
        return 0;
    }
    if (needs_settled(command->name)) {
        settle(c);
    }
    /* The reply goes to the same place each time. */
    const size_t head = (size_t)(r->set_reply.at - r->set_reply.start);
    r->stream.at = r->stream.start;
    uint8_t *room = vt_venus_room(&r->stream, head + e->request_bytes);
    if (room == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    memcpy(room, r->set_reply.start, head);
    memcpy(room + head, e->request, e->request_bytes);
    memset(r->reply, 0, 8);
    struct vt_error ended; /* on_ended has said it */
    r->told->commands++;
    c->pending |= strncmp(command->name, "vkQueue", 7) == 0;
    if (vt_venus_context_submit(c->venus, r->stream.start, head + e->request_bytes, &ended) == 0) {
        compare(c, e);
    }
    return 0;
}

static int play(struct replay *r, const struct vt_vgpu_event_seen *e, struct vt_error *err)
{
    struct context *c = context_of(r, e->written);
    if (e->kind != VT_VGPU_SEEN_VENUS) {
        return 0;
    }
    if (e->slot == VT_VGPU_VENUS_CREATED) {
        return create_context(r, e, err);
    }
    if (c == NULL) {
        r->told->skipped++;
        return 0;
    }
    switch ((enum vt_vgpu_venus)e->slot) {
    case VT_VGPU_VENUS_DESTROYED:
        settle(c);
        destroy_context(r, c);
        break;
    case VT_VGPU_VENUS_COMMAND:
        return run_command(c, e, err);
    case VT_VGPU_VENUS_MEMORY:
        write_memory(c, e);
        break;
    case VT_VGPU_VENUS_ATTACHED:
        return attach(c, e, err);
    case VT_VGPU_VENUS_DETACHED: /* holds stay as long as they are needed; the id may come again */
    {
        struct vt_vgpu_venus_memory place;
        struct vt_error none;
        if (vt_vgpu_venus_place(e, &place) && place.id < REPLY_RESOURCE) {
            (void)vt_venus_context_detach(c->venus, (uint32_t)place.id, &none);
        }
        break;
    }
    case VT_VGPU_VENUS_CREATED:
    case VT_VGPU_VENUS_KINDS:
        break;
    }
    return 0;
}

/* ---------------------------------------------------------------- the whole */

static int prepare(struct replay *r, struct vt_error *err)
{
    const VkCommandStreamDescriptionMESA where = {.resourceId = REPLY_RESOURCE,
                                                  .size = REPLY_BYTES};
    const struct vn_vkSetReplyCommandStreamMESA set = {.pStream = &where};
    const struct vt_venus_options options = {.gpu = r->options->gpu};
    vt_venus_out_init(&r->set_reply, 4096);
    vt_venus_out_init(&r->stream, 2 * (size_t)VT_VGPU_VENUS_MAX);
    vn_encode_vkSetReplyCommandStreamMESA(&r->set_reply, 0, &set);
    r->reply_fd = memfd_create("vitrine-replies", MFD_CLOEXEC);
    if (r->reply_fd < 0 || ftruncate(r->reply_fd, (off_t)REPLY_BYTES) != 0 ||
        (r->reply = mmap(NULL, REPLY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, r->reply_fd, 0)) ==
            MAP_FAILED) {
        return vt_fail_errno(err, VT_E_MAP, errno, "cannot make room for replies");
    }
    return vt_venus_renderer_create(&options, &r->renderer, err);
}

int vt_vgpu_venus_replay(struct vt_vgpu_reader *from, const struct vt_vgpu_replay_options *options,
                         struct vt_vgpu_replay *replay, struct vt_error *err)
{
    struct vt_vgpu_replay told = {0};
    struct vt_vgpu_event_seen event;
    pthread_condattr_t monotonic;
    struct replay *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    r->options = options;
    r->told = &told;
    r->reply_fd = -1;
    r->reply = MAP_FAILED;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->signalled, &monotonic);
    pthread_condattr_destroy(&monotonic);

    int rc = prepare(r, err), more = 0;
    while (rc == 0 && (more = vt_vgpu_reader_next(from, &event, &told.cut, err)) > 0) {
        rc = play(r, &event, err);
    }
    if (rc == 0 && more < 0) {
        rc = more;
    }
    while (r->n > 0) {
        settle(r->contexts[0]);
        destroy_context(r, r->contexts[0]);
    }
    vt_venus_renderer_destroy(r->renderer);
    if (r->reply != MAP_FAILED) {
        munmap(r->reply, REPLY_BYTES);
    }
    if (r->reply_fd >= 0) {
        close(r->reply_fd);
    }
    vt_venus_out_fini(&r->set_reply);
    vt_venus_out_fini(&r->stream);
    pthread_cond_destroy(&r->signalled);
    pthread_mutex_destroy(&r->lock);
    free(r);
    if (rc == 0) {
        *replay = told;
    }
    return rc;
}
