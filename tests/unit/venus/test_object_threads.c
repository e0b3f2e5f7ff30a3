/* Objects from several threads: some look up, some add and end, all over the same few ids, and what
 * is found is whole until the next quiet point. TSan and ASan watch.
 */
#include "tests/unit/harness.h"
#include "venus/objects.h"

#include <pthread.h>
#include <stdatomic.h>

#define IDS 300u
#define THREADS 4u
#define TURNS 30000u

static _Atomic unsigned ends;

static void note_end(struct vt_venus_object *object)
{
    (void)object;
    atomic_fetch_add(&ends, 1);
}

vt_venus_end_fn *vt_venus_end_of(VkObjectType type)
{
    return type == VK_OBJECT_TYPE_INSTANCE ? NULL : note_end;
}

struct worker {
    struct vt_venus_objects *objects;
    struct vt_venus_object *instance;
    unsigned number;
    unsigned found, added;
};

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Looks ids up, and now and then adds or ends one; the others do so too. */
static void *work(void *arg)
{
    struct worker *w = arg;
    struct vt_venus_visitor visitor;
    uint32_t seed = w->number * 77u + 1;
    vt_venus_visitor_add(w->objects, &visitor);
    vt_venus_visitor_resume(w->objects, &visitor);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct vt_venus_object *held[4];
        unsigned n = 0;
        for (unsigned i = 0; i < 4; i++) {
            uint64_t id = next(&seed) % IDS + 2;
            struct vt_venus_object *object =
                vt_venus_objects_find(w->objects, id, VK_OBJECT_TYPE_BUFFER);
            if (object != NULL) {
                held[n++] = object;
                w->found++;
            } else if (turn % 2 == 0) {
                struct vt_venus_object *made;
                struct vt_venus_object *parent = n > 0 && i % 2 == 0 ? held[0] : w->instance;
                if (vt_venus_objects_add(w->objects, id, VK_OBJECT_TYPE_BUFFER, id * 3, parent,
                                         &made, NULL) == 0) {
                    w->added++;
                }
            }
        }
        if (n > 0 && turn % 2 == 1) {
            vt_venus_objects_end(w->objects, held[0]);
        }
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(held[i]->handle, held[i]->id * 3);
            assert_int_equal(held[i]->type, VK_OBJECT_TYPE_BUFFER);
        }
        if (turn % 500 == 0) {
            vt_venus_visitor_pause(w->objects, &visitor);
            vt_venus_visitor_resume(w->objects, &visitor);
        } else {
            vt_venus_visitor_quiet(w->objects, &visitor);
        }
    }
    vt_venus_visitor_pause(w->objects, &visitor);
    vt_venus_visitor_remove(w->objects, &visitor);
    return NULL;
}

static void nothing_is_torn(void **state)
{
    (void)state;
    struct vt_venus_objects *objects;
    assert_int_equal(vt_venus_objects_create(100000, &objects, NULL), 0);
    struct vt_venus_object *instance;
    assert_int_equal(
        vt_venus_objects_add(objects, 1, VK_OBJECT_TYPE_INSTANCE, 0, NULL, &instance, NULL), 0);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.objects = objects, .instance = instance, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    unsigned added = 0;
    unsigned found = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        added += workers[i].added;
        found += workers[i].found;
    }
    struct vt_venus_object_counts counts;
    vt_venus_objects_counts(objects, &counts);
    assert_int_equal(counts.created, added + 1);
    assert_int_equal(counts.destroyed, atomic_load(&ends));
    assert_true(found > 0);
    vt_venus_objects_destroy(objects);
    assert_int_equal(atomic_load(&ends), added);
}

/* The table grows and is replaced under readers, who must find what was there all the time. */
struct reader {
    struct vt_venus_objects *objects;
    _Atomic bool *stop;
    bool missed;
};

static void *read_always(void *arg)
{
    struct reader *r = arg;
    struct vt_venus_visitor visitor;
    vt_venus_visitor_add(r->objects, &visitor);
    vt_venus_visitor_resume(r->objects, &visitor);
    while (!atomic_load(r->stop)) {
        for (uint64_t id = 1; id <= 100; id++) {
            r->missed |= vt_venus_objects_get(r->objects, id) == NULL;
        }
        vt_venus_visitor_quiet(r->objects, &visitor);
    }
    vt_venus_visitor_pause(r->objects, &visitor);
    vt_venus_visitor_remove(r->objects, &visitor);
    return NULL;
}

static void growing_hides_nothing(void **state)
{
    (void)state;
    struct vt_venus_objects *objects;
    assert_int_equal(vt_venus_objects_create(1000000, &objects, NULL), 0);
    for (uint64_t id = 1; id <= 100; id++) {
        assert_int_equal(vt_venus_objects_add(
                             objects, id, id == 1 ? VK_OBJECT_TYPE_INSTANCE : VK_OBJECT_TYPE_EVENT,
                             id, NULL, NULL, NULL),
                         0);
    }
    _Atomic bool stop = false;
    struct reader readers[2];
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        readers[i] = (struct reader){.objects = objects, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, read_always, &readers[i]), 0);
    }
    for (unsigned round = 0; round < 4; round++) {
        for (uint64_t id = 1000; id < 9000; id++) {
            assert_int_equal(
                vt_venus_objects_add(objects, id, VK_OBJECT_TYPE_EVENT, id, NULL, NULL, NULL), 0);
        }
        for (uint64_t id = 1000; id < 9000; id++) {
            vt_venus_objects_end(objects, vt_venus_objects_get(objects, id));
        }
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_false(readers[i].missed);
    }
    vt_venus_objects_destroy(objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_torn),
        cmocka_unit_test(growing_hides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
