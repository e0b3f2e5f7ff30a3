/* venus/query.c - results of queries: what a driver writes is counted before it is asked. */
#include "venus/handlers.h"

#include "venus/vn_commands.h"
#include "venus/vn_tables.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

/* Polls before it sleeps between them. */
#define SPINS 200u

/* object->state of a VkQueryPool. */
struct query_pool {
    uint32_t count;  /* queries */
    uint32_t values; /* of one query, without its availability */
};

static uint32_t values_of(const VkQueryPoolCreateInfo *info)
{
    switch ((int)info->queryType) {
    case VK_QUERY_TYPE_PIPELINE_STATISTICS:
        return (uint32_t)__builtin_popcount(info->pipelineStatistics);
    case VK_QUERY_TYPE_TRANSFORM_FEEDBACK_STREAM_EXT:
        return 2;
    default:
        return 1;
    }
}

void vt_venus_vkCreateQueryPool(struct vt_venus_run *run, struct vn_vkCreateQueryPool *args)
{
    VkQueryPool pool = VK_NULL_HANDLE;
    args->ret = args->self->device->CreateQueryPool(args->device, args->pCreateInfo, NULL, &pool);
    if (args->ret != VK_SUCCESS) {
        return;
    }
    struct query_pool *state = malloc(sizeof *state);
    if (state == NULL) {
        args->self->device->DestroyQueryPool(args->device, pool, NULL);
        args->ret = VK_ERROR_OUT_OF_HOST_MEMORY;
        return;
    }
    *state = (struct query_pool){.count = args->pCreateInfo->queryCount,
                                 .values = values_of(args->pCreateInfo)};
    vt_venus_add_with(run, (uint64_t)*args->pQueryPool, VK_OBJECT_TYPE_QUERY_POOL, (uint64_t)pool,
                      args->self, state, free, "pQueryPool");
}

void vt_venus_vkGetQueryPoolResults(struct vt_venus_run *run, struct vn_vkGetQueryPoolResults *args)
{
    const struct vt_venus_object *object = vt_venus_object_of(
        run, args->self, (uint64_t)args->queryPool, VK_OBJECT_TYPE_QUERY_POOL, "queryPool");
    if (object == NULL) {
        return;
    }
    const struct query_pool *pool = object->state;
    uint32_t n = args->queryCount;
    if (args->firstQuery > pool->count || n > pool->count - args->firstQuery) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "queryCount", n, pool->count);
        return;
    }
    const VkQueryResultFlags beside =
        VK_QUERY_RESULT_WITH_AVAILABILITY_BIT | VK_QUERY_RESULT_WITH_STATUS_BIT_KHR;
    uint64_t one = (pool->values + ((args->flags & beside) != 0 ? 1 : 0)) *
                   ((args->flags & VK_QUERY_RESULT_64_BIT) != 0 ? UINT64_C(8) : UINT64_C(4));
    uint64_t before = 0; /* the last one */
    if (n > 1 && __builtin_mul_overflow(args->stride, n - 1, &before)) {
        before = UINT64_MAX;
    }
    if (n > 0 && (args->dataSize < one || before > args->dataSize - one)) {
        vt_venus_fail(&run->in, VT_VENUS_VALUE, "dataSize", args->dataSize, one);
        return;
    }
    /* What the driver leaves out goes to the guest too. */
    memset(args->pData, 0, args->dataSize);
    VkQueryResultFlags flags = args->flags;
    bool wait = (flags & VK_QUERY_RESULT_WAIT_BIT) != 0;
    if (wait) { /* what was never begun is never there: the driver must not wait for it */
        flags &= ~(VkQueryResultFlags)(VK_QUERY_RESULT_WAIT_BIT | VK_QUERY_RESULT_PARTIAL_BIT);
    }
    for (unsigned tries = 0;; tries++) {
        args->ret = args->self->device->GetQueryPoolResults(
            args->device, (VkQueryPool)object->handle, args->firstQuery, n, args->dataSize,
            args->pData, args->stride, flags);
        if (!wait || args->ret != VK_NOT_READY) {
            return;
        }
        if (vt_venus_context_ending(run->context)) {
            args->ret = VK_ERROR_DEVICE_LOST;
            return;
        }
        if (tries < SPINS) {
            sched_yield();
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        }
    }
}
