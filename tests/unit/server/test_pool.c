/* Work handed to threads and back to the loop: all of it, in both directions; a queue with an end.
 */
#include "tests/unit/harness.h"

#include "server/feed.h"
#include "server/pool.h"

#include <pthread.h>
#include <string.h>

#define JOBS 2000

struct task {
    struct vt_job job; /* first */
    struct test *test;
    unsigned number;
    uint64_t made; /* by work, read by done */
};

struct test {
    struct vt_loop *loop;
    struct vt_pool *pool;
    unsigned submitted, done;
    struct task tasks[JOBS];
};

static void work(struct vt_job *job)
{
    struct task *t = (struct task *)(void *)job;
    t->made = (uint64_t)t->number * t->number + 1;
}

static void submit_more(struct test *t);

static void done(struct vt_job *job)
{
    struct task *task = (struct task *)(void *)job;
    struct test *t = task->test;
    assert_int_equal(task->made, (uint64_t)task->number * task->number + 1);
    t->done++;
    submit_more(t);
    if (t->done == JOBS) {
        vt_loop_stop(t->loop, 0);
    }
}

/* Until the queue is full. */
static void submit_more(struct test *t)
{
    while (t->submitted < JOBS) {
        struct task *task = &t->tasks[t->submitted];
        *task = (struct task){.test = t, .number = t->submitted, .job = {work, done, NULL}};
        int rc = vt_pool_submit(t->pool, &task->job, NULL);
        if (rc != 0) {
            assert_int_equal(rc, VT_E_BUSY);
            return;
        }
        t->submitted++;
    }
}

static void all_jobs_are_done(void **state)
{
    struct test *t = calloc(1, sizeof *t);
    unsigned waiting, running;
    (void)state;
    assert_non_null(t);
    assert_int_equal(vt_loop_create(&t->loop, NULL), 0);
    assert_int_equal(vt_pool_create(t->loop, 4, 8, &t->pool, NULL), 0);
    submit_more(t);
    assert_true(t->submitted >= 8);
    assert_int_equal(vt_loop_run(t->loop, NULL), 0);
    assert_int_equal(t->done, JOBS);
    vt_pool_load(t->pool, &waiting, &running);
    assert_int_equal(waiting, 0);
    vt_pool_destroy(t->pool);
    vt_loop_destroy(t->loop);
    free(t);
}

struct gate {
    struct vt_job job; /* first */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started, open;
    unsigned *done;
};

static void wait_at(struct vt_job *job)
{
    struct gate *g = (struct gate *)(void *)job;
    pthread_mutex_lock(&g->lock);
    g->started = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open) {
        pthread_cond_wait(&g->changed, &g->lock);
    }
    pthread_mutex_unlock(&g->lock);
}

static void count_done(struct vt_job *job)
{
    struct gate *g = (struct gate *)(void *)job;
    ++*g->done;
}

/* One that runs, two that wait, and no more; the end waits for all. */
static void a_full_queue_refuses(void **state)
{
    struct gate gates[4];
    struct vt_loop *loop;
    struct vt_pool *pool;
    unsigned n_done = 0, waiting, running;
    (void)state;
    assert_int_equal(vt_loop_create(&loop, NULL), 0);
    assert_int_equal(vt_pool_create(loop, 1, 2, &pool, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        gates[i] =
            (struct gate){.job = {wait_at, count_done, NULL}, .open = i > 0, .done = &n_done};
        pthread_mutex_init(&gates[i].lock, NULL);
        pthread_cond_init(&gates[i].changed, NULL);
    }
    assert_int_equal(vt_pool_submit(pool, &gates[0].job, NULL), 0);
    pthread_mutex_lock(&gates[0].lock);
    while (!gates[0].started) {
        pthread_cond_wait(&gates[0].changed, &gates[0].lock);
    }
    pthread_mutex_unlock(&gates[0].lock);
    assert_int_equal(vt_pool_submit(pool, &gates[1].job, NULL), 0);
    assert_int_equal(vt_pool_submit(pool, &gates[2].job, NULL), 0);
    assert_int_equal(vt_pool_submit(pool, &gates[3].job, NULL), VT_E_BUSY);
    vt_pool_load(pool, &waiting, &running);
    assert_int_equal(waiting, 2);
    assert_int_equal(running, 1);
    pthread_mutex_lock(&gates[0].lock);
    gates[0].open = true;
    pthread_cond_broadcast(&gates[0].changed);
    pthread_mutex_unlock(&gates[0].lock);
    vt_pool_destroy(pool);
    assert_int_equal(n_done, 3);
    vt_loop_destroy(loop);
    for (unsigned i = 0; i < 4; i++) {
        pthread_cond_destroy(&gates[i].changed);
        pthread_mutex_destroy(&gates[i].lock);
    }
}

/* ---- the feed: many threads tell, the loop hears all, each thread's in order */

#define TELLERS 4
#define TOLD 2000

struct hearing {
    struct vt_loop *loop;
    struct vt_feed *feed;
    unsigned heard;
    uint64_t last[TELLERS];
};

struct teller {
    struct vt_feed *feed;
    unsigned number;
    pthread_t thread;
};

static void *tell(void *arg)
{
    const struct teller *t = arg;
    char vm[16];
    snprintf(vm, sizeof vm, "vm%u", t->number);
    for (uint64_t i = 1; i <= TOLD; i++) {
        const struct vt_sample sample = {.number = i, .unix_s = 1.5};
        vt_feed_sample(t->feed, vm, &sample);
    }
    return NULL;
}

static void hear(struct vt_feed_message *m, void *arg)
{
    struct hearing *h = arg;
    unsigned teller = (unsigned)(m->vm[2] - '0');
    assert_int_equal(m->kind, VT_FEED_SAMPLE);
    assert_int_equal(m->number, h->last[teller] + 1);
    assert_int_equal(m->unix_us, 1500000);
    assert_int_equal(m->bytes, strlen(m->text));
    h->last[teller] = m->number;
    vt_feed_free(m);
    if (++h->heard == TELLERS * TOLD) {
        vt_loop_stop(h->loop, 0);
    }
}

static void the_feed_hears_all(void **state)
{
    struct hearing h = {0};
    struct teller tellers[TELLERS];
    (void)state;
    assert_int_equal(vt_loop_create(&h.loop, NULL), 0);
    assert_int_equal(vt_feed_create(h.loop, hear, &h, &h.feed, NULL), 0);
    for (unsigned i = 0; i < TELLERS; i++) {
        tellers[i] = (struct teller){.feed = h.feed, .number = i};
        assert_int_equal(pthread_create(&tellers[i].thread, NULL, tell, &tellers[i]), 0);
    }
    assert_int_equal(vt_loop_run(h.loop, NULL), 0);
    for (unsigned i = 0; i < TELLERS; i++) {
        pthread_join(tellers[i].thread, NULL);
    }
    assert_int_equal(vt_feed_dropped(h.feed), 0);
    vt_feed_destroy(h.feed);
    vt_loop_destroy(h.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_jobs_are_done),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(the_feed_hears_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
