/* tests/unit/gpu/vhost_front.c - see vhost_front.h. */
#include "vhost_front.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Layout of `memory`: a queue's parts in a page each, then a page for each slot of requests. */
#define PAGE UINT64_C(4096)
#define QUEUE_PAGES UINT64_C(3)
#define SLOTS (2 * QUEUE_PAGES)
#define SLOT_BYTES UINT64_C(8192)

static void must(bool so, const char *what)
{
    if (!so) {
        fprintf(stderr, "vhost_front: not so: %s\n", what);
        abort();
    }
}
#define MUST(x) must((x), #x)

/* ---------------------------------------------------------------- contexts */

static void capset(void *arg, uint8_t bytes[VT_VENUS_CAPSET_BYTES])
{
    (void)arg;
    memset(bytes, 0x5a, VT_VENUS_CAPSET_BYTES);
}

struct front_context {
    struct vt_front_contexts *all;
    struct vt_venus_events events;
};

static int create(void *arg, uint32_t id, const char *name, const struct vt_venus_events *events,
                  void **context, struct vt_error *err)
{
    struct vt_front_contexts *all = arg;
    struct front_context *c = malloc(sizeof *c);
    (void)id;
    (void)name;
    (void)err;
    MUST(c != NULL);
    __atomic_add_fetch(&all->created, 1, __ATOMIC_SEQ_CST);
    *c = (struct front_context){.all = all, .events = *events};
    *context = c;
    return 0;
}

static void end(void *context)
{
    struct front_context *c = context;
    __atomic_add_fetch(&c->all->ended, 1, __ATOMIC_SEQ_CST);
}

static void destroy(void *context)
{
    struct front_context *c = context;
    pthread_mutex_lock(&c->all->lock);
    for (unsigned i = 0; i < 64; i++) {
        c->all->owner[i] = c->all->owner[i] == c ? NULL : c->all->owner[i];
    }
    pthread_mutex_unlock(&c->all->lock);
    __atomic_add_fetch(&c->all->destroyed, 1, __ATOMIC_SEQ_CST);
    free(c);
}

static int attach(void *context, const struct vt_venus_memory *memory, struct vt_error *err)
{
    struct vt_front_contexts *all = ((struct front_context *)context)->all;
    MUST(fcntl(memory->fd, F_GETFD) >= 0);
    pthread_mutex_lock(&all->lock);
    all->memory = *memory;
    pthread_mutex_unlock(&all->lock);
    __atomic_add_fetch(&all->attached, 1, __ATOMIC_SEQ_CST);
    return memory->size == 0 ? vt_fail(err, VT_E_INVAL, "empty") : 0;
}

static int detach(void *context, uint32_t id, struct vt_error *err)
{
    struct front_context *c = context;
    (void)id;
    (void)err;
    __atomic_add_fetch(&c->all->detached, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int submit(void *context, const void *stream, size_t bytes, struct vt_error *err)
{
    struct front_context *c = context;
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < bytes; i++) {
        sum = (uint8_t)(sum + ((const uint8_t *)stream)[i]);
    }
    __atomic_add_fetch(&c->all->submitted, 1, __ATOMIC_SEQ_CST);
    if (c->all->refuse) {
        c->events.ended(c->events.arg, "it was refused", "one\ntwo");
        return vt_fail(err, VT_E_PROTOCOL, "it was refused");
    }
    return 0;
}

static int fence(void *context, uint32_t timeline, uint64_t id, struct vt_error *err)
{
    struct front_context *c = context;
    struct vt_front_contexts *all = c->all;
    if (timeline >= VT_VENUS_TIMELINES) {
        return vt_fail(err, VT_E_INVAL, "no such timeline");
    }
    pthread_mutex_lock(&all->lock);
    unsigned i = all->fences % 64;
    all->fence[i] = id;
    all->timeline[i] = timeline;
    all->owner[i] = c;
    __atomic_add_fetch(&all->fences, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&all->lock);
    if (!all->hold_fences) {
        c->events.fence(c->events.arg, timeline, id);
    }
    return 0;
}

static void statistics(void *context, struct vt_venus_statistics *s)
{
    (void)context;
    memset(s, 0, sizeof *s);
}

static void commands(void *context,
                     bool (*row)(const struct vt_venus_command_count *count, void *arg), void *arg)
{
    (void)context;
    (void)row;
    (void)arg;
}

void vt_front_signal(struct vt_front *f, unsigned which)
{
    struct vt_front_contexts *all = &f->contexts;
    pthread_mutex_lock(&all->lock);
    const struct front_context *c = all->owner[which];
    if (c != NULL) {
        c->events.fence(c->events.arg, all->timeline[which], all->fence[which]);
    }
    pthread_mutex_unlock(&all->lock);
}

/* ---------------------------------------------------------------- the connection */

static void on_over(void *arg, const char *reason)
{
    struct vt_front *f = arg;
    f->over = true;
    snprintf(f->reason, sizeof f->reason, "%s", reason != NULL ? reason : "");
}

static void on_say(void *arg, const char *line)
{
    struct vt_front *f = arg;
    size_t n = strlen(f->said);
    snprintf(f->said + n, sizeof f->said - n, "%s\n", line);
}

void vt_front_begin(struct vt_front *f, bool with_contexts)
{
    int pair[2];
    memset(f, 0, sizeof *f);
    f->backend = -1;
    MUST(pthread_mutex_init(&f->contexts.lock, NULL) == 0);
    const struct vt_card_contexts contexts = {.capset = capset,
                                              .create = create,
                                              .end = end,
                                              .destroy = destroy,
                                              .attach = attach,
                                              .detach = detach,
                                              .submit = submit,
                                              .fence = fence,
                                              .statistics = statistics,
                                              .commands = commands,
                                              .arg = &f->contexts};
    const struct vt_card_options options = {.window_bytes = 1u << 20,
                                            .contexts = with_contexts ? &contexts : NULL};
    const struct vt_vhost_events events = {.ended = on_over, .say = on_say, .arg = f};
    MUST(vt_loop_create(&f->loop, NULL) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    MUST(vt_vhost_create(f->loop, pair[1], &options, &events, &f->vhost, NULL) == 0);
    f->sock = pair[0];
    f->memory_fd = memfd_create("front", MFD_CLOEXEC);
    MUST(f->memory_fd >= 0 && ftruncate(f->memory_fd, VT_FRONT_BYTES) == 0);
    f->memory = mmap(NULL, VT_FRONT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
    MUST(f->memory != MAP_FAILED);
    for (unsigned i = 0; i < 2; i++) {
        f->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        f->call[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        MUST(f->kick[i] >= 0 && f->call[i] >= 0);
    }
}

void vt_front_end(struct vt_front *f)
{
    vt_vhost_destroy(f->vhost);
    vt_loop_destroy(f->loop);
    pthread_mutex_destroy(&f->contexts.lock);
    munmap(f->memory, VT_FRONT_BYTES);
    vt_close(&f->memory_fd);
    vt_close(&f->sock);
    vt_close(&f->backend);
    for (unsigned i = 0; i < 2; i++) {
        vt_close(&f->kick[i]);
        vt_close(&f->call[i]);
    }
}

static void on_turn(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_front *f = arg;
    (void)source;
    (void)events;
    vt_loop_stop(f->loop, 0);
}

/* A timer that is due at once stands behind all that is ready; twice, as one thing leads to
 * another. */
void vt_front_turn(struct vt_front *f)
{
    for (unsigned i = 0; i < 2; i++) {
        struct vt_source *timer;
        MUST(vt_loop_add_timer(f->loop, 1, 0, on_turn, f, &timer, NULL) == 0);
        MUST(vt_loop_run(f->loop, NULL) == 0);
        vt_source_remove(timer);
    }
}

bool vt_front_turn_until(struct vt_front *f, bool (*done)(struct vt_front *f))
{
    const uint64_t deadline = vt_deadline_ms(20000);
    while (!done(f)) {
        if (vt_now_ns() > deadline) {
            return false;
        }
        vt_front_turn(f);
    }
    return true;
}

void vt_front_send(struct vt_front *f, uint32_t request, uint32_t flags, const void *body,
                   size_t bytes, const int *fds, size_t n_fds)
{
    uint8_t all[4096];
    const struct vt_vhost_header h = {request, VT_VHOST_VERSION | flags, (uint32_t)bytes};
    MUST(bytes <= sizeof all - sizeof h);
    memcpy(all, &h, sizeof h);
    if (bytes > 0) {
        memcpy(all + sizeof h, body, bytes);
    }
    if (f->over) {
        return;
    }
    MUST(vt_send_fds(f->sock, all, sizeof h + bytes, fds, n_fds, NULL) == 0);
}

long vt_front_receive(struct vt_front *f, void *body, size_t room)
{
    struct vt_vhost_header h;
    vt_front_turn(f);
    if (f->over || recv(f->sock, &h, sizeof h, MSG_DONTWAIT) != (ssize_t)sizeof h) {
        return -1;
    }
    MUST((h.flags & VT_VHOST_REPLY) != 0 && h.bytes <= room);
    MUST(recv(f->sock, body, h.bytes, MSG_DONTWAIT) == (ssize_t)h.bytes);
    return h.bytes;
}

uint64_t vt_front_ask(struct vt_front *f, uint32_t request, uint64_t word)
{
    uint64_t answer = 0;
    vt_front_send(f, request, VT_VHOST_NEED_REPLY, &word, sizeof word, NULL, 0);
    return vt_front_receive(f, &answer, sizeof answer) == sizeof answer ? answer : UINT64_MAX;
}

/* ---------------------------------------------------------------- starting */

static void *at(struct vt_front *f, size_t page)
{
    return f->memory + page * PAGE;
}

struct vt_split_desc *vt_front_desc(struct vt_front *f, unsigned queue)
{
    return at(f, queue * QUEUE_PAGES);
}

struct vt_split_avail *vt_front_avail(struct vt_front *f, unsigned queue)
{
    return at(f, queue * QUEUE_PAGES + 1);
}

struct vt_split_used *vt_front_used(struct vt_front *f, unsigned queue)
{
    return at(f, queue * QUEUE_PAGES + 2);
}

uint64_t vt_front_gpa(size_t offset)
{
    return VT_FRONT_GPA + offset;
}

static void state(struct vt_front *f, uint32_t request, uint32_t index, uint32_t num)
{
    const struct vt_vhost_vring_state s = {index, num};
    vt_front_send(f, request, 0, &s, sizeof s, NULL, 0);
}

void vt_front_queues(struct vt_front *f, uint16_t base)
{
    if (base == 0) {
        memset(f->memory, 0, SLOTS * PAGE);
    }
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t page = VT_FRONT_ADDRESS + i * QUEUE_PAGES * PAGE, word = i;
        const struct vt_vhost_vring_addr addr = {
            .index = i, .desc = page, .avail = page + PAGE, .used = page + 2 * PAGE};
        f->next_avail[i] = base == 0 ? 0 : f->next_avail[i];
        f->next_used[i] = base == 0 ? 0 : f->next_used[i];
        state(f, VT_VHOST_SET_VRING_NUM, i, VT_FRONT_QUEUE_SIZE);
        state(f, VT_VHOST_SET_VRING_BASE, i, base == 0 ? 0 : f->next_avail[i]);
        vt_front_send(f, VT_VHOST_SET_VRING_ADDR, 0, &addr, sizeof addr, NULL, 0);
        vt_front_send(f, VT_VHOST_SET_VRING_KICK, 0, &word, sizeof word, &f->kick[i], 1);
        vt_front_send(f, VT_VHOST_SET_VRING_CALL, 0, &word, sizeof word, &f->call[i], 1);
        vt_front_turn(f);
    }
    for (unsigned i = 0; i < 2; i++) {
        state(f, VT_VHOST_SET_VRING_ENABLE, i, 1);
    }
    vt_front_turn(f);
}

void vt_front_stop(struct vt_front *f)
{
    for (unsigned i = 0; i < 2; i++) {
        struct vt_vhost_vring_state s = {i, 0};
        vt_front_send(f, VT_VHOST_GET_VRING_BASE, 0, &s, sizeof s, NULL, 0);
        MUST(vt_front_receive(f, &s, sizeof s) == sizeof s);
        MUST(s.index == i);
        f->stopped_at[i] = s.num;
    }
}

/* What it is to map, and that it is done. */
static void map_window(struct vt_front *f)
{
    uint8_t message[sizeof(struct vt_vhost_header) + sizeof(struct vt_vhost_shmem_map)];
    struct vt_vhost_header h;
    struct vt_vhost_shmem_map map;
    size_t bytes = sizeof message, n_fds = 1;
    int fd = -1;
    const uint64_t done = 0;
    MUST(vt_recv_fds(f->backend, message, &bytes, &fd, &n_fds, NULL) == 0);
    MUST(bytes == sizeof message && n_fds == 1);
    memcpy(&h, message, sizeof h);
    memcpy(&map, message + sizeof h, sizeof map);
    MUST(h.request == VT_VHOST_BACKEND_SHMEM_MAP && map.id == VT_CARD_WINDOW_ID);
    MUST(map.bytes == 1u << 20 && map.flags == VT_VHOST_SHMEM_WRITABLE);
    close(fd);
    h = (struct vt_vhost_header){h.request, VT_VHOST_VERSION | VT_VHOST_REPLY, sizeof done};
    MUST(send(f->backend, &h, sizeof h, 0) == sizeof h);
    MUST(send(f->backend, &done, sizeof done, 0) == sizeof done);
    vt_front_turn(f);
}

void vt_front_start(struct vt_front *f)
{
    int pair[2];
    uint64_t features = vt_front_ask(f, VT_VHOST_GET_FEATURES, 0);
    uint64_t protocol = vt_front_ask(f, VT_VHOST_GET_PROTOCOL_FEATURES, 0);
    MUST((features & VT_VHOST_F_PROTOCOL_FEATURES) != 0 && (protocol & VT_VHOST_P_SHMEM) != 0);
    vt_front_send(f, VT_VHOST_SET_PROTOCOL_FEATURES, 0, &protocol, sizeof protocol, NULL, 0);
    features &= ~VT_VIRTIO_RING_EVENT_INDEX;
    vt_front_send(f, VT_VHOST_SET_FEATURES, 0, &features, sizeof features, NULL, 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    f->backend = pair[0];
    vt_front_send(f, VT_VHOST_SET_BACKEND_REQ_FD, 0, NULL, 0, &pair[1], 1);
    struct vt_vhost_table table = {.n = 1};
    table.regions[0] = (struct vt_vhost_region){
        .gpa = VT_FRONT_GPA, .bytes = VT_FRONT_BYTES, .front_end = VT_FRONT_ADDRESS};
    vt_front_send(f, VT_VHOST_SET_MEM_TABLE, 0, &table, 8 + sizeof table.regions[0], &f->memory_fd,
                  1);
    vt_front_turn(f);
    close(pair[1]);
    vt_front_queues(f, 0);
    map_window(f);
}

/* ---------------------------------------------------------------- the driver */

void vt_front_offer(struct vt_front *f, unsigned queue, uint16_t head)
{
    const uint64_t one = 1;
    struct vt_split_avail *a = vt_front_avail(f, queue);
    a->ring[f->next_avail[queue]++ % VT_FRONT_QUEUE_SIZE] = head;
    __atomic_store_n(&a->idx, f->next_avail[queue], __ATOMIC_RELEASE);
    MUST(write(f->kick[queue], &one, sizeof one) == sizeof one);
}

static size_t slot_at(unsigned slot)
{
    return SLOTS * PAGE + slot * (size_t)(2 * SLOT_BYTES);
}

void vt_front_request(struct vt_front *f, unsigned queue, unsigned slot, const void *request,
                      size_t bytes, size_t room)
{
    struct vt_split_desc *d = vt_front_desc(f, queue) + (size_t)slot * 2;
    size_t offset = slot_at(slot);
    MUST(bytes <= SLOT_BYTES && room <= SLOT_BYTES && slot * 2 + 1 < VT_FRONT_QUEUE_SIZE);
    memcpy(f->memory + offset, request, bytes);
    memset(f->memory + offset + SLOT_BYTES, 0xee, SLOT_BYTES);
    d[0] = (struct vt_split_desc){vt_front_gpa(offset), (uint32_t)bytes, VT_DESC_NEXT,
                                  (uint16_t)(slot * 2 + 1)};
    d[1] =
        (struct vt_split_desc){vt_front_gpa(offset + SLOT_BYTES), (uint32_t)room, VT_DESC_WRITE, 0};
    vt_front_offer(f, queue, (uint16_t)(slot * 2));
}

long vt_front_answer(struct vt_front *f, unsigned queue, unsigned *slot, void *answer, size_t room)
{
    struct vt_split_used *u = vt_front_used(f, queue);
    if (__atomic_load_n(&u->idx, __ATOMIC_ACQUIRE) == f->next_used[queue]) {
        return -1;
    }
    const struct vt_split_used_elem e = u->ring[f->next_used[queue]++ % VT_FRONT_QUEUE_SIZE];
    MUST(e.id < VT_FRONT_QUEUE_SIZE && e.bytes <= SLOT_BYTES);
    *slot = e.id / 2;
    memset(answer, 0, room);
    memcpy(answer, f->memory + slot_at(*slot) + SLOT_BYTES, e.bytes < room ? e.bytes : room);
    return e.bytes;
}

uint32_t vt_front_do(struct vt_front *f, const void *request, size_t bytes, void *answer,
                     size_t room)
{
    struct vt_vgpu_header h = {0};
    uint8_t got[SLOT_BYTES];
    unsigned slot;
    long n = -1;
    vt_front_request(f, VT_VGPU_CONTROL_QUEUE, 7, request, bytes, room);
    const uint64_t deadline = vt_deadline_ms(20000);
    while (n < 0 && !f->over && vt_now_ns() < deadline) {
        vt_front_turn(f);
        n = vt_front_answer(f, VT_VGPU_CONTROL_QUEUE, &slot, got, sizeof got);
    }
    if (n < (long)sizeof h) {
        return 0;
    }
    memcpy(&h, got, sizeof h);
    memcpy(answer, got, room < (size_t)n ? room : (size_t)n);
    return h.type;
}
