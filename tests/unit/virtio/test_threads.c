/* tests/unit/virtio/test_threads.c - driver and device as two threads.
 *
 * The driver polls for a while and sleeps for a while; the device sleeps when it finds nothing.
 * Both are woken only by a notification or an interrupt that the other thought was wanted. One that
 * is lost, for want of a barrier or of a second look, leaves both asleep: the alarm ends the test.
 */
#include "tests/unit/harness.h"

#include "device_model.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define ROUNDS 20000u
#else
#define ROUNDS 100000u
#endif
#define PLACES 16u

struct sides {
    struct vt_model *m;
    sem_t notified, interrupted;
    bool end;
};

static void echo(struct vt_model_buffer *b, void *arg)
{
    (void)arg;
    vt_model_return(b, b->out, b->out_bytes);
}

static void interrupt(void *arg)
{
    struct sides *s = arg;
    sem_post(&s->interrupted);
}

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

static void *device_thread(void *arg)
{
    struct sides *s = arg;
    while (!__atomic_load_n(&s->end, __ATOMIC_ACQUIRE)) {
        if (vt_model_run(s->m, 0) == 0) {
            wait_for(&s->notified);
        }
    }
    return NULL;
}

static unsigned take_all(struct vt_virtqueue *q, const uint32_t *out, const uint32_t *in,
                         bool *free_places)
{
    void *token = NULL;
    uint32_t written = 0;
    unsigned n = 0;
    int rc;
    while ((rc = vt_virtqueue_take(q, &token, &written)) == 1) {
        size_t i = (size_t)((const uint32_t *)token - out);
        assert_int_equal(written, 4);
        assert_int_equal(in[i], out[i]);
        free_places[i] = true;
        n++;
    }
    assert_int_equal(rc, 0);
    return n;
}

static void drive(struct sides *s, struct vt_virtqueue *q, struct vt_virtio_arena *arena)
{
    uint64_t out_device, in_device;
    uint32_t *out = vt_virtio_arena_take(arena, 4 * PLACES, 4, &out_device);
    const uint32_t *in = vt_virtio_arena_take(arena, 4 * PLACES, 4, &in_device);
    bool free_places[PLACES];
    memset(free_places, true, sizeof free_places);
    unsigned added = 0, taken = 0;
    while (taken < ROUNDS) {
        unsigned batch = 1 + (added * 2654435761u >> 29);
        for (unsigned i = 0; i < PLACES && batch > 0 && added < ROUNDS; i++) {
            struct vt_virtio_piece p[2] = {{out_device + 4 * i, 4}, {in_device + 4 * i, 4}};
            if (free_places[i] && vt_virtqueue_pending(q) < 6) {
                out[i] = added;
                assert_int_equal(vt_virtqueue_add(q, p, 1, 1, &out[i], NULL), VT_VIRTIO_OK);
                free_places[i] = false;
                added++;
                batch--;
            }
        }
        if (vt_virtqueue_publish(q)) {
            sem_post(&s->notified);
        }
        unsigned n = take_all(q, out, in, free_places);
        taken += n;
        bool idle = n == 0 && vt_virtqueue_pending(q) > 0;
        if (idle && taken / 64 % 2 == 0) {
            vt_virtqueue_interrupts(q, false);
            sched_yield(); /* sleeping would order what the rings have to order by themselves */
        } else if (idle && !vt_virtqueue_interrupts(q, true)) {
            wait_for(&s->interrupted);
        }
    }
}

static void nobody_oversleeps(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 8; k++) {
        struct sides s = {.end = false};
        uint64_t features = VT_VIRTIO_F_VERSION_1 | (k & 1 ? VT_VIRTIO_F_RING_PACKED : 0) |
                            (k & 2 ? VT_VIRTIO_F_EVENT_IDX : 0) |
                            (k & 4 ? VT_VIRTIO_F_INDIRECT_DESC : 0);
        s.m = vt_model_create(&(struct vt_model_config){.id = 16,
                                                        .features = features,
                                                        .queues = 1,
                                                        .serve = echo,
                                                        .interrupt = interrupt,
                                                        .arg = &s});
        sem_init(&s.notified, 0, 0);
        sem_init(&s.interrupted, 0, 0);
        struct vt_virtio_arena arena = vt_model_arena(s.m);
        struct vt_virtqueue *q;
        struct vt_virtqueue_config config = {.size = 16, .max_pieces = 2, .features = features};
        assert_int_equal(vt_virtqueue_create(&config, &arena, &q), VT_VIRTIO_OK);
        vt_model_attach(s.m, q, features);
        pthread_t device;
        assert_int_equal(pthread_create(&device, NULL, device_thread, &s), 0);
        alarm(120);
        drive(&s, q, &arena);
        alarm(0);
        __atomic_store_n(&s.end, true, __ATOMIC_RELEASE);
        sem_post(&s.notified);
        assert_int_equal(pthread_join(device, NULL), 0);
        if (vt_model_complaint(s.m) != NULL) {
            fail_msg("%s", vt_model_complaint(s.m));
        }
        assert_int_equal(vt_model_counts(s.m)->buffers, ROUNDS);
        sem_destroy(&s.notified);
        sem_destroy(&s.interrupted);
        vt_model_destroy(s.m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_oversleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
