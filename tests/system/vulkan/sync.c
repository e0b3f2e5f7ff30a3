/* tests/system/vulkan/sync.c - fences, semaphores, events; waits of the host and of queues. */
#include "client.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static VkCommandBuffer filling(struct client *c, const struct buffer *buffer, uint32_t value)
{
    VkCommandBuffer commands = commands_begin(c);
    vkCmdFillBuffer(commands, buffer->buffer, 0, VK_WHOLE_SIZE, value);
    memory_barrier(commands);
    VK(vkEndCommandBuffer(commands));
    return commands;
}

static void submit(struct client *c, VkCommandBuffer commands, VkFence fence)
{
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .commandBufferCount = commands != NULL ? 1 : 0,
                               .pCommandBuffers = &commands};
    VK(vkQueueSubmit(c->queue, 1, &info, fence));
}

static void fences(struct client *c)
{
    VkFence fence[3] = {fence_create(c, false), fence_create(c, true), fence_create(c, false)};
    printf("new %s, signalled %s\n", result_name(vkGetFenceStatus(c->device, fence[0])),
           result_name(vkGetFenceStatus(c->device, fence[1])));
    printf("wait 0 %s\n", result_name(vkWaitForFences(c->device, 1, &fence[0], VK_TRUE, 0)));
    printf("wait 1 ms %s\n",
           result_name(vkWaitForFences(c->device, 1, &fence[0], VK_TRUE, 1000000)));
    printf("any of two %s\n", result_name(vkWaitForFences(c->device, 2, fence, VK_FALSE, 1000)));
    printf("all of two %s\n", result_name(vkWaitForFences(c->device, 2, fence, VK_TRUE, 1000)));
    VK(vkResetFences(c->device, 1, &fence[1]));
    printf("reset %s\n", result_name(vkGetFenceStatus(c->device, fence[1])));
    struct buffer buffer = buffer_host(c, 4096);
    submit(c, filling(c, &buffer, 1), fence[0]);
    submit(c, filling(c, &buffer, 2), fence[1]);
    VK(vkQueueSubmit(c->queue, 0, NULL, fence[2]));
    VK(vkWaitForFences(c->device, 3, fence, VK_TRUE, UINT64_MAX));
    printf("done %s, word %u\n", result_name(vkGetFenceStatus(c->device, fence[2])),
           *(uint32_t *)buffer.at);
    EXPECT(*(uint32_t *)buffer.at == 2);
    /* Over and over: each wait is for its own submission. */
    for (uint32_t i = 0; i < 300; i++) {
        VK(vkResetFences(c->device, 1, fence));
        submit(c, filling(c, &buffer, i), fence[0]);
        while (vkGetFenceStatus(c->device, fence[0]) == VK_NOT_READY && i % 2 == 0) {
        }
        VK(vkWaitForFences(c->device, 1, fence, VK_TRUE, UINT64_MAX));
        EXPECT(*(uint32_t *)buffer.at == i);
    }
    VK(vkDeviceWaitIdle(c->device));
    VK(vkResetCommandPool(c->device, c->pool, 0));
}

static void binary_semaphores(struct client *c)
{
    struct buffer buffer = buffer_host(c, 4096);
    VkSemaphore semaphore[2] = {semaphore_create(c, false, 0), semaphore_create(c, false, 0)};
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VkCommandBuffer commands[3] = {filling(c, &buffer, 5), filling(c, &buffer, 6),
                                   filling(c, &buffer, 7)};
    VkFence fence = fence_create(c, false);
    const VkSubmitInfo infos[3] = {{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                    .commandBufferCount = 1,
                                    .pCommandBuffers = &commands[0],
                                    .signalSemaphoreCount = 1,
                                    .pSignalSemaphores = &semaphore[0]},
                                   {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                    .waitSemaphoreCount = 1,
                                    .pWaitSemaphores = &semaphore[0],
                                    .pWaitDstStageMask = &stage,
                                    .commandBufferCount = 1,
                                    .pCommandBuffers = &commands[1],
                                    .signalSemaphoreCount = 1,
                                    .pSignalSemaphores = &semaphore[1]},
                                   {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                    .waitSemaphoreCount = 1,
                                    .pWaitSemaphores = &semaphore[1],
                                    .pWaitDstStageMask = &stage,
                                    .commandBufferCount = 1,
                                    .pCommandBuffers = &commands[2]}};
    VK(vkQueueSubmit(c->queue, 2, infos, VK_NULL_HANDLE));
    VK(vkQueueSubmit(c->queue, 1, &infos[2], fence));
    VK(vkWaitForFences(c->device, 1, &fence, VK_TRUE, UINT64_MAX));
    printf("word %u\n", *(uint32_t *)buffer.at);
    EXPECT(*(uint32_t *)buffer.at == 7);
    VK(vkQueueWaitIdle(c->queue));
    VK(vkResetCommandPool(c->device, c->pool, 0));
}

static void submit_timeline(struct client *c, VkCommandBuffer commands, VkSemaphore wait,
                            uint64_t wait_value, VkSemaphore signal, uint64_t signal_value)
{
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = wait != VK_NULL_HANDLE ? 1 : 0,
        .pWaitSemaphoreValues = &wait_value,
        .signalSemaphoreValueCount = signal != VK_NULL_HANDLE ? 1 : 0,
        .pSignalSemaphoreValues = &signal_value};
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .pNext = &values,
                               .waitSemaphoreCount = wait != VK_NULL_HANDLE ? 1 : 0,
                               .pWaitSemaphores = &wait,
                               .pWaitDstStageMask = &stage,
                               .commandBufferCount = commands != NULL ? 1 : 0,
                               .pCommandBuffers = &commands,
                               .signalSemaphoreCount = signal != VK_NULL_HANDLE ? 1 : 0,
                               .pSignalSemaphores = &signal};
    VK(vkQueueSubmit(c->queue, 1, &info, VK_NULL_HANDLE));
}

static VkResult wait_timeline(struct client *c, VkSemaphore semaphore, uint64_t value,
                              uint64_t timeout_ns)
{
    const VkSemaphoreWaitInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                      .semaphoreCount = 1,
                                      .pSemaphores = &semaphore,
                                      .pValues = &value};
    return vkWaitSemaphores(c->device, &info, timeout_ns);
}

static void signal_timeline(struct client *c, VkSemaphore semaphore, uint64_t value)
{
    const VkSemaphoreSignalInfo info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO, .semaphore = semaphore, .value = value};
    VK(vkSignalSemaphore(c->device, &info));
}

static uint64_t timeline_value(struct client *c, VkSemaphore semaphore)
{
    uint64_t value = 0;
    VK(vkGetSemaphoreCounterValue(c->device, semaphore, &value));
    return value;
}

static void timelines(struct client *c)
{
    NEED(c->f12.timelineSemaphore, "timelineSemaphore");
    struct buffer buffer = buffer_host(c, 4096);
    VkSemaphore timeline = semaphore_create(c, true, 10);
    printf("value %llu\n", (unsigned long long)timeline_value(c, timeline));
    printf("wait for 10 %s, for 11 %s\n", result_name(wait_timeline(c, timeline, 10, 0)),
           result_name(wait_timeline(c, timeline, 11, 1000000)));
    signal_timeline(c, timeline, 15);
    printf("value %llu\n", (unsigned long long)timeline_value(c, timeline));
    for (uint64_t i = 16; i < 80; i++) {
        submit_timeline(c, filling(c, &buffer, (uint32_t)i), timeline, i - 1, timeline, i);
    }
    VK(wait_timeline(c, timeline, 79, UINT64_MAX));
    printf("value %llu, word %u\n", (unsigned long long)timeline_value(c, timeline),
           *(uint32_t *)buffer.at);
    EXPECT(*(uint32_t *)buffer.at == 79);
    /* Any of two. */
    VkSemaphore pair[2] = {timeline, semaphore_create(c, true, 0)};
    const uint64_t values[2] = {1000, 0};
    const VkSemaphoreWaitInfo any = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                     .flags = VK_SEMAPHORE_WAIT_ANY_BIT,
                                     .semaphoreCount = 2,
                                     .pSemaphores = pair,
                                     .pValues = values};
    printf("any %s\n", result_name(vkWaitSemaphores(c->device, &any, 1000000)));
    VK(vkDeviceWaitIdle(c->device));
    VK(vkResetCommandPool(c->device, c->pool, 0));
}

struct waiter {
    struct client *c;
    VkSemaphore semaphore;
    VkFence fence;
    uint64_t value;
    VkResult result;
    const uint32_t *word;
    uint32_t seen;
};

static void *wait_there(void *arg)
{
    struct waiter *w = arg;
    w->result = w->fence != VK_NULL_HANDLE
                    ? vkWaitForFences(w->c->device, 1, &w->fence, VK_TRUE, UINT64_MAX)
                    : wait_timeline(w->c, w->semaphore, w->value, UINT64_MAX);
    w->seen = *(const volatile uint32_t *)w->word;
    return NULL;
}

/* The queue waits for what the host signals later, and another thread waits for the queue. */
static void wait_before_signal(struct client *c)
{
    NEED(c->f12.timelineSemaphore, "timelineSemaphore");
    struct buffer buffer = buffer_host(c, 4096);
    VkSemaphore timeline = semaphore_create(c, true, 0), done = semaphore_create(c, true, 0);
    for (uint32_t i = 1; i <= 20; i++) {
        struct waiter waiter = {
            .c = c, .semaphore = done, .value = i, .word = buffer.at, .result = VK_NOT_READY};
        pthread_t thread;
        submit_timeline(c, filling(c, &buffer, i * 3), timeline, i, done, i);
        EXPECT(pthread_create(&thread, NULL, wait_there, &waiter) == 0);
        EXPECT(timeline_value(c, done) == i - 1);
        signal_timeline(c, timeline, i);
        EXPECT(pthread_join(thread, NULL) == 0);
        EXPECT(waiter.result == VK_SUCCESS && waiter.seen == i * 3);
    }
    printf("value %llu, word %u\n", (unsigned long long)timeline_value(c, done),
           *(uint32_t *)buffer.at);
    VK(vkDeviceWaitIdle(c->device));
    VK(vkResetCommandPool(c->device, c->pool, 0));
}

static void fence_of_another_thread(struct client *c)
{
    struct buffer buffer = buffer_host(c, 1 << 20);
    for (uint32_t i = 1; i <= 20; i++) {
        VkFence fence = fence_create(c, false);
        struct waiter waiter = {.c = c, .fence = fence, .word = buffer.at};
        pthread_t thread;
        submit(c, filling(c, &buffer, i), fence);
        EXPECT(pthread_create(&thread, NULL, wait_there, &waiter) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
        EXPECT(waiter.result == VK_SUCCESS && waiter.seen == i);
    }
    puts("20 fences");
    VK(vkDeviceWaitIdle(c->device));
    VK(vkResetCommandPool(c->device, c->pool, 0));
}

static void events(struct client *c)
{
    const VkEventCreateInfo info = {.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO};
    struct buffer buffer = buffer_host(c, 4096);
    VkEvent event;
    VK(vkCreateEvent(c->device, &info, NULL, &event));
    KEEP(c, EVENT, event);
    printf("new %s", result_name(vkGetEventStatus(c->device, event)));
    VK(vkSetEvent(c->device, event));
    printf(", set %s", result_name(vkGetEventStatus(c->device, event)));
    VK(vkResetEvent(c->device, event));
    printf(", reset %s\n", result_name(vkGetEventStatus(c->device, event)));
    const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                     .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                     .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT};
    VkCommandBuffer commands = commands_begin(c);
    vkCmdFillBuffer(commands, buffer.buffer, 0, VK_WHOLE_SIZE, 1);
    vkCmdSetEvent(commands, event, VK_PIPELINE_STAGE_TRANSFER_BIT);
    vkCmdWaitEvents(commands, 1, &event, VK_PIPELINE_STAGE_TRANSFER_BIT,
                    VK_PIPELINE_STAGE_TRANSFER_BIT, 1, &barrier, 0, NULL, 0, NULL);
    vkCmdFillBuffer(commands, buffer.buffer, 0, VK_WHOLE_SIZE, 2);
    memory_barrier(commands);
    commands_run(c, commands);
    printf("after the device set it %s, word %u\n", result_name(vkGetEventStatus(c->device, event)),
           *(uint32_t *)buffer.at);
    commands = commands_begin(c);
    vkCmdResetEvent(commands, event, VK_PIPELINE_STAGE_TRANSFER_BIT);
    commands_run(c, commands);
    printf("after the device reset it %s\n", result_name(vkGetEventStatus(c->device, event)));
}

static void synchronization2(struct client *c)
{
    NEED_API_1_3(c);
    NEED(c->f13.synchronization2, "synchronization2");
    struct buffer buffer = buffer_host(c, 4096);
    VkSemaphore timeline = semaphore_create(c, true, 0), binary = semaphore_create(c, false, 0);
    VkCommandBuffer commands[2] = {filling(c, &buffer, 21), filling(c, &buffer, 22)};
    const VkCommandBufferSubmitInfo buffers[2] = {
        {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = commands[0]},
        {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, .commandBuffer = commands[1]}};
    const VkSemaphoreSubmitInfo waits[] = {{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                            .semaphore = timeline,
                                            .value = 3,
                                            .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT},
                                           {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                            .semaphore = binary,
                                            .stageMask = VK_PIPELINE_STAGE_2_COPY_BIT}};
    const VkSemaphoreSubmitInfo signals[] = {{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                              .semaphore = binary,
                                              .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT},
                                             {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                              .semaphore = timeline,
                                              .value = 9,
                                              .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT}};
    const VkSubmitInfo2 infos[] = {{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                    .waitSemaphoreInfoCount = 1,
                                    .pWaitSemaphoreInfos = &waits[0],
                                    .commandBufferInfoCount = 1,
                                    .pCommandBufferInfos = &buffers[0],
                                    .signalSemaphoreInfoCount = 1,
                                    .pSignalSemaphoreInfos = &signals[0]},
                                   {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                    .waitSemaphoreInfoCount = 1,
                                    .pWaitSemaphoreInfos = &waits[1],
                                    .commandBufferInfoCount = 1,
                                    .pCommandBufferInfos = &buffers[1],
                                    .signalSemaphoreInfoCount = 1,
                                    .pSignalSemaphoreInfos = &signals[1]}};
    VkFence fence = fence_create(c, false);
    signal_timeline(c, timeline, 3);
    VK(vkQueueSubmit2(c->queue, COUNT(infos), infos, fence));
    VK(wait_timeline(c, timeline, 9, UINT64_MAX));
    VK(vkWaitForFences(c->device, 1, &fence, VK_TRUE, UINT64_MAX));
    printf("word %u\n", *(uint32_t *)buffer.at);
    EXPECT(*(uint32_t *)buffer.at == 22);
    VK(vkResetCommandPool(c->device, c->pool, 0));
    /* Events of version 1.3. */
    const VkEventCreateInfo event_info = {.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO,
                                          .flags = VK_EVENT_CREATE_DEVICE_ONLY_BIT};
    VkEvent event;
    VK(vkCreateEvent(c->device, &event_info, NULL, &event));
    KEEP(c, EVENT, event);
    const VkMemoryBarrier2 barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                      .srcStageMask = VK_PIPELINE_STAGE_2_TRANSFER_BIT,
                                      .srcAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT,
                                      .dstStageMask = VK_PIPELINE_STAGE_2_TRANSFER_BIT,
                                      .dstAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT};
    const VkDependencyInfo dependency = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                         .memoryBarrierCount = 1,
                                         .pMemoryBarriers = &barrier};
    VkCommandBuffer more = commands_begin(c);
    vkCmdFillBuffer(more, buffer.buffer, 0, VK_WHOLE_SIZE, 31);
    vkCmdSetEvent2(more, event, &dependency);
    vkCmdWaitEvents2(more, 1, &event, &dependency);
    vkCmdFillBuffer(more, buffer.buffer, 0, VK_WHOLE_SIZE, 32);
    memory_barrier(more);
    commands_run(c, more);
    printf("word %u\n", *(uint32_t *)buffer.at);
}

static void sync_fds(struct client *c)
{
    NEED_EXTENSION(c, VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME);
    const VkPhysicalDeviceExternalFenceInfo ask = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_FENCE_INFO,
        .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT};
    VkExternalFenceProperties can = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_FENCE_PROPERTIES};
    vkGetPhysicalDeviceExternalFenceProperties(c->physical, &ask, &can);
    NEED((can.externalFenceFeatures & VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT) != 0,
         "sync-fd-of-fences");
    const VkExportFenceCreateInfo export = {.sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
                                            .handleTypes =
                                                VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT};
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, .pNext = &export};
    struct buffer buffer = buffer_host(c, 1 << 20);
    VkFence fence;
    LOAD(c, vkGetFenceFdKHR);
    VK(vkCreateFence(c->device, &info, NULL, &fence));
    KEEP(c, FENCE, fence);
    submit(c, filling(c, &buffer, 77), fence);
    const VkFenceGetFdInfoKHR get = {.sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                                     .fence = fence,
                                     .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT};
    int fd = -1;
    VK(vkGetFenceFdKHR_(c->device, &get, &fd));
    if (fd >= 0) { /* -1 is signalled */
        struct pollfd p = {.fd = fd, .events = POLLIN};
        EXPECT(poll(&p, 1, -1) == 1);
        close(fd);
    }
    printf("word %u, fence %s\n", *(uint32_t *)buffer.at,
           result_name(vkGetFenceStatus(c->device, fence)));
    EXPECT(*(uint32_t *)buffer.at == 77);
    VK(vkDeviceWaitIdle(c->device));
    VK(vkResetCommandPool(c->device, c->pool, 0));
}

int main(void)
{
    static const char *const extensions[] = {VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME,
                                             VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME, NULL};
    static const struct client_case cases[] = {
        {"fences", fences},
        {"binary-semaphores", binary_semaphores},
        {"timelines", timelines},
        {"wait-before-signal", wait_before_signal},
        {"fence-of-another-thread", fence_of_another_thread},
        {"events", events},
        {"synchronization2", synchronization2},
        {"sync-fds", sync_fds},
    };
    return client_main(extensions, cases, COUNT(cases));
}
