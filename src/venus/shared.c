/* venus/shared.c - memory that the guest and we see, by resource id.
 *
 * What is in the table is one hold, each user has one more; the last one unmaps. Mapping waits for
 * the first user: most resources of a context are memory that the guest alone looks at.
 */
#include "venus/inside.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is in the table; users see `shared`. */
struct resource {
    struct vt_venus_shared shared;
    struct vt_venus_context *context;
    uint64_t counted; /* bytes to give back */
};

static int by_id(const void *a, const void *b)
{
    const struct vt_venus_shared *x = a;
    const struct vt_venus_shared *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

void vt_venus_shared_put(struct vt_venus_shared *shared)
{
    if (shared == NULL || atomic_fetch_sub_explicit(&shared->holds, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct resource *resource = (struct resource *)shared;
    if (shared->at != NULL) {
        munmap(shared->at, shared->size);
    }
    vt_close(&shared->fd);
    vt_venus_memory_give(resource->context, resource->counted);
    free(resource);
}

struct vt_venus_shared *vt_venus_shared_get(struct vt_venus_context *context, uint32_t id)
{
    const struct vt_venus_shared key = {.id = id};
    pthread_mutex_lock(&context->lock);
    void *const *found = tfind(&key, &context->shared, by_id);
    struct vt_venus_shared *shared = found != NULL ? *found : NULL;
    if (shared != NULL && shared->at == NULL) {
        void *at = mmap(NULL, shared->size, PROT_READ | PROT_WRITE, MAP_SHARED, shared->fd,
                        (off_t)shared->offset);
        shared->at = at != MAP_FAILED ? at : NULL;
        shared = shared->at != NULL ? shared : NULL;
    }
    if (shared != NULL) {
        atomic_fetch_add_explicit(&shared->holds, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&context->lock);
    return shared;
}

/* Bytes beyond a file's end are a SIGBUS, now or after it has shrunk. */
static int check(const struct vt_venus_memory *memory, struct vt_error *err)
{
    if (memory->size == 0 || memory->size > SIZE_MAX / 2 ||
        memory->offset % (uint64_t)sysconf(_SC_PAGESIZE) != 0) {
        return vt_fail(err, VT_E_INVAL,
                       "resource %" PRIu32 ": %" PRIu64 " bytes at %" PRIu64 " cannot be mapped",
                       memory->id, memory->size, memory->offset);
    }
    struct stat file;
    if (fstat(memory->fd, &file) != 0) {
        return vt_fail_errno(err, VT_E_IO, errno, "resource %" PRIu32, memory->id);
    }
    uint64_t bytes = file.st_size > 0 ? (uint64_t)file.st_size : 0;
    if (!S_ISREG(file.st_mode) || memory->offset > bytes || memory->size > bytes - memory->offset) {
        return vt_fail(err, VT_E_INVAL,
                       "resource %" PRIu32 ": its file has no %" PRIu64 " bytes at %" PRIu64,
                       memory->id, memory->size, memory->offset);
    }
    if (!memory->trusted) {
        int seals = fcntl(memory->fd, F_GET_SEALS);
        if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
            return vt_fail(err, VT_E_INVAL, "resource %" PRIu32 ": its file could shrink",
                           memory->id);
        }
    }
    return 0;
}

int vt_venus_shared_add(struct vt_venus_context *context, const struct vt_venus_memory *memory,
                        bool counted, struct vt_error *err)
{
    int rc = check(memory, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t take = counted ? 0 : memory->size;
    struct resource *resource = calloc(1, sizeof *resource);
    int fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 0);
    if (resource == NULL || fd < 0) {
        rc = vt_fail_errno(err, fd < 0 ? VT_E_IO : VT_E_NOMEM, errno, "resource %" PRIu32,
                           memory->id);
        vt_close(&fd);
        free(resource);
        return rc;
    }
    if (!vt_venus_memory_take(context, take)) {
        vt_close(&fd);
        free(resource);
        return vt_fail(err, VT_E_LIMIT, "resource %" PRIu32 ": %" PRIu64 " bytes are too many",
                       memory->id, memory->size);
    }
    resource->shared = (struct vt_venus_shared){
        .id = memory->id, .size = (size_t)memory->size, .fd = fd, .offset = memory->offset};
    atomic_init(&resource->shared.holds, 1);
    resource->context = context;
    resource->counted = take;
    pthread_mutex_lock(&context->lock);
    void *const *place = tsearch(&resource->shared, &context->shared, by_id);
    bool ours = place != NULL && *place == &resource->shared;
    pthread_mutex_unlock(&context->lock);
    if (!ours) {
        vt_venus_shared_put(&resource->shared);
        return place == NULL
                   ? vt_fail(err, VT_E_NOMEM, "resource %" PRIu32, memory->id)
                   : vt_fail(err, VT_E_EXISTS, "the resource id %" PRIu32 " is in use", memory->id);
    }
    const struct vt_venus_observer *observer = &vt_venus_context_options(context)->observer;
    if (observer->attached != NULL) {
        observer->attached(observer->arg, context->id, memory->id, memory->size);
    }
    return 0;
}

int vt_venus_context_attach(struct vt_venus_context *context, const struct vt_venus_memory *memory,
                            struct vt_error *err)
{
    return vt_venus_shared_add(context, memory, false, err);
}

int vt_venus_context_detach(struct vt_venus_context *context, uint32_t id, struct vt_error *err)
{
    const struct vt_venus_shared key = {.id = id};
    pthread_mutex_lock(&context->lock);
    void *const *found = tfind(&key, &context->shared, by_id);
    struct vt_venus_shared *shared = found != NULL ? *found : NULL;
    if (shared != NULL) {
        tdelete(&key, &context->shared, by_id);
    }
    pthread_mutex_unlock(&context->lock);
    if (shared == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "no resource has the id %" PRIu32, id);
    }
    vt_venus_shared_put(shared);
    const struct vt_venus_observer *observer = &vt_venus_context_options(context)->observer;
    if (observer->detached != NULL) {
        observer->detached(observer->arg, context->id, id);
    }
    return 0;
}

static void put(void *shared)
{
    vt_venus_shared_put(shared);
}

void vt_venus_shared_clear(struct vt_venus_context *context)
{
    tdestroy(context->shared, put);
    context->shared = NULL;
}
