/* tests/unit/venus/guest.h - a guest's side of a context, without a transport: commands are
 * encoded, carried out on the context's own stream, and their replies read from memory that both
 * see. */
#ifndef VT_TESTS_VENUS_GUEST_H
#define VT_TESTS_VENUS_GUEST_H

#include "venus/codec.h"
#include "venus/vn_commands.h"
#include "venus/vn_mesa.h"
#include "vitrine/venus.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define GUEST_REPLY_ID 1u
#define GUEST_REPLY_BYTES ((size_t)1 << 20)

struct guest {
    struct vt_venus_context *context;
    uint8_t *reply;
    int fd;
    struct vt_venus_arena arena;
    struct vt_venus_out out;
    struct vt_venus_in in;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t fences; /* told so far */
    uint64_t last[VT_VENUS_TIMELINES];
    bool ordered; /* of each timeline */
};

static inline void guest_fence(void *arg, uint32_t timeline, uint64_t id)
{
    struct guest *guest = arg;
    pthread_mutex_lock(&guest->lock);
    guest->fences++;
    guest->ordered &= id > guest->last[timeline];
    guest->last[timeline] = id;
    pthread_cond_broadcast(&guest->changed);
    pthread_mutex_unlock(&guest->lock);
}

static inline void guest_await_fences(struct guest *guest, uint64_t n)
{
    pthread_mutex_lock(&guest->lock);
    while (guest->fences < n) {
        pthread_cond_wait(&guest->changed, &guest->lock);
    }
    pthread_mutex_unlock(&guest->lock);
}

static inline void guest_init(struct guest *guest, struct vt_venus_renderer *renderer)
{
    *guest = (struct guest){.ordered = true};
    pthread_mutex_init(&guest->lock, NULL);
    pthread_cond_init(&guest->changed, NULL);
    const struct vt_venus_events events = {.fence = guest_fence, .arg = guest};
    struct vt_error err;
    assert_int_equal(vt_venus_context_create(renderer, 1, "test", &events, &guest->context, &err),
                     0);
    guest->fd = memfd_create("replies", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(guest->fd >= 0);
    assert_int_equal(ftruncate(guest->fd, (off_t)GUEST_REPLY_BYTES), 0);
    guest->reply = mmap(NULL, GUEST_REPLY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, 0);
    assert_true(guest->reply != MAP_FAILED);
    const struct vt_venus_memory memory = {
        .id = GUEST_REPLY_ID, .fd = guest->fd, .size = GUEST_REPLY_BYTES, .trusted = true};
    assert_int_equal(vt_venus_context_attach(guest->context, &memory, &err), 0);
    vt_venus_arena_init(&guest->arena, (size_t)16 << 20);
    vt_venus_out_init(&guest->out, (size_t)1 << 20);
}

static inline void guest_fini(struct guest *guest)
{
    vt_venus_context_destroy(guest->context);
    munmap(guest->reply, GUEST_REPLY_BYTES);
    close(guest->fd);
    vt_venus_out_fini(&guest->out);
    vt_venus_arena_fini(&guest->arena);
    pthread_cond_destroy(&guest->changed);
    pthread_mutex_destroy(&guest->lock);
}

static inline void guest_begin(struct guest *guest, bool reply)
{
    guest->out.at = guest->out.start;
    if (reply) {
        const VkCommandStreamDescriptionMESA stream = {.resourceId = GUEST_REPLY_ID,
                                                       .size = GUEST_REPLY_BYTES};
        vn_encode_vkSetReplyCommandStreamMESA(
            &guest->out, 0, &(struct vn_vkSetReplyCommandStreamMESA){.pStream = &stream});
    }
}

/* 0, or the code and err. */
static inline int guest_submit(struct guest *guest, struct vt_error *err)
{
    vt_venus_arena_reset(&guest->arena);
    guest->in = (struct vt_venus_in){.start = guest->reply,
                                     .at = guest->reply,
                                     .end = guest->reply + GUEST_REPLY_BYTES,
                                     .arena = &guest->arena};
    return vt_venus_context_submit(guest->context, guest->out.start,
                                   (size_t)(guest->out.at - guest->out.start), err);
}

/* Carries a command out and reads its reply; what its pointers then point to lasts until the next
 * one. */
#define GUEST_CALL(guest, command, args)                                                           \
    do {                                                                                           \
        struct vt_error guest_err_ = {0};                                                          \
        guest_begin((guest), true);                                                                \
        vn_encode_##command(&(guest)->out, VK_COMMAND_GENERATE_REPLY_BIT_EXT, (args));             \
        if (guest_submit((guest), &guest_err_) != 0) {                                             \
            fail_msg("%s", guest_err_.message);                                                    \
        }                                                                                          \
        assert_true(vn_decode_reply_##command(&(guest)->in, (args)));                              \
    } while (0)

/* Without a reply; the result of vt_venus_context_submit. */
#define GUEST_SEND(guest, command, args, err)                                                      \
    (guest_begin((guest), false), vn_encode_##command(&(guest)->out, 0, (args)),                   \
     guest_submit((guest), (err)))

#endif
