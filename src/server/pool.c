/* server/pool.c - see pool.h. Two lists under one lock; an eventfd tells the loop of what is done.
 */
#include "server/pool.h"

#include "base/io.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    struct vt_job *first, **end;
};

struct vt_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct queue waiting, finished;
    unsigned n_waiting, n_running, queue_max;
    bool stop;
    int eventfd;
    struct vt_source *source;
    unsigned n_threads;
    pthread_t threads[];
};

static void push(struct queue *q, struct vt_job *job)
{
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
}

static struct vt_job *pop(struct queue *q)
{
    struct vt_job *job = q->first;
    if (job != NULL) {
        q->first = job->next;
        if (q->first == NULL) {
            q->end = &q->first;
        }
    }
    return job;
}

static void *run(void *arg)
{
    struct vt_pool *p = arg;
    const uint64_t one = 1;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->waiting.first == NULL && !p->stop) {
            pthread_cond_wait(&p->more, &p->lock);
        }
        struct vt_job *job = pop(&p->waiting);
        if (job == NULL) {
            break;
        }
        p->n_waiting--;
        p->n_running++;
        pthread_mutex_unlock(&p->lock);
        job->work(job);
        pthread_mutex_lock(&p->lock);
        p->n_running--;
        push(&p->finished, job);
        /* Fails only when the counter is full, and then the loop is told already. */
        ssize_t n = write(p->eventfd, &one, sizeof one);
        (void)n;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void finish(struct vt_pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct vt_job *job = p->finished.first;
    p->finished = (struct queue){.end = &p->finished.first};
    pthread_mutex_unlock(&p->lock);
    while (job != NULL) {
        struct vt_job *next = job->next; /* done may free it, or submit it again */
        job->done(job);
        job = next;
    }
}

static void on_finished(struct vt_source *source, uint32_t events, void *arg)
{
    struct vt_pool *p = arg;
    uint64_t times;
    (void)source;
    (void)events;
    ssize_t n = read(p->eventfd, &times, sizeof times);
    (void)n;
    finish(p);
}

/* Threads that a signal cannot choose: handlers belong to the loop. */
static int start(struct vt_pool *p, unsigned threads, struct vt_error *err)
{
    sigset_t all, before;
    int rc = 0;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* a page of RAM that went away */
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (rc == 0 && p->n_threads < threads) {
        rc = pthread_create(&p->threads[p->n_threads], NULL, run, p);
        p->n_threads += rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : vt_fail_errno(err, VT_E_NOMEM, rc, "cannot start a thread");
}

int vt_pool_create(struct vt_loop *loop, unsigned threads, unsigned queue_max,
                   struct vt_pool **pool, struct vt_error *err)
{
    struct vt_pool *p = calloc(1, sizeof *p + threads * sizeof p->threads[0]);
    if (p == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->waiting.end = &p->waiting.first;
    p->finished.end = &p->finished.first;
    p->queue_max = queue_max;
    p->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = p->eventfd >= 0 ? 0 : vt_fail_errno(err, VT_E_IO, errno, "eventfd");
    rc = rc != 0 ? rc : vt_loop_add_fd(loop, p->eventfd, EPOLLIN, on_finished, p, &p->source, err);
    rc = rc != 0 ? rc : start(p, threads, err);
    if (rc != 0) {
        vt_pool_destroy(p);
        return rc;
    }
    *pool = p;
    return 0;
}

void vt_pool_destroy(struct vt_pool *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->n_threads; i++) {
        pthread_join(p->threads[i], NULL);
    }
    finish(p);
    vt_source_remove(p->source);
    vt_close(&p->eventfd);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int vt_pool_submit(struct vt_pool *p, struct vt_job *job, struct vt_error *err)
{
    pthread_mutex_lock(&p->lock);
    bool taken = p->n_waiting < p->queue_max && !p->stop;
    if (taken) {
        push(&p->waiting, job);
        p->n_waiting++;
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return taken ? 0 : vt_fail(err, VT_E_BUSY, "too much to do at once; try again");
}

void vt_pool_load(struct vt_pool *p, unsigned *waiting, unsigned *running)
{
    pthread_mutex_lock(&p->lock);
    *waiting = p->n_waiting;
    *running = p->n_running;
    pthread_mutex_unlock(&p->lock);
}
