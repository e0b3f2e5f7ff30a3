/* tests/system/vulkan/threads.c - four threads record and submit at once, each with a pool of its
 * own. */
#include "client.h"

#include "fill.comp.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 60, WORDS = 20000 };

struct job {
    struct client *c;
    pthread_mutex_t *queue;
    uint32_t number;
    VkPipeline pipeline;
    VkPipelineLayout layout;
    VkDescriptorSet set;
    struct buffer out;
    uint64_t sum;
};

struct push {
    uint32_t first, count;
    float more[2];
};

static VkCommandPool pool_create(struct client *c)
{
    const VkCommandPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                          .queueFamilyIndex = c->family};
    VkCommandPool pool;
    VK(vkCreateCommandPool(c->device, &info, NULL, &pool));
    return pool;
}

static void record(const struct job *job, VkCommandBuffer commands, uint32_t round)
{
    const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                            .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VK(vkBeginCommandBuffer(commands, &begin));
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, job->pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, job->layout, 0, 1, &job->set,
                            0, NULL);
    for (uint32_t i = 0; i < 50; i++) {
        const struct push push = {
            job->number * 1000000 + round * 1000 + i, WORDS / 50 * (50 - i), {0, 0}};
        vkCmdPushConstants(commands, job->layout, VK_SHADER_STAGE_ALL, 0, sizeof push, &push);
        vkCmdDispatch(commands, (push.count + 63) / 64, 1, 1);
        memory_barrier(commands);
    }
    VK(vkEndCommandBuffer(commands));
}

static void *work(void *arg)
{
    struct job *job = arg;
    struct client *c = job->c;
    const uint32_t *words = job->out.at;
    VkCommandPool pool = pool_create(c);
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    const VkCommandBufferAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1};
    VkFence fence;
    VK(vkCreateFence(c->device, &fence_info, NULL, &fence));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        VkCommandBuffer commands;
        VK(vkAllocateCommandBuffers(c->device, &allocate, &commands));
        record(job, commands, round);
        const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                     .commandBufferCount = 1,
                                     .pCommandBuffers = &commands};
        pthread_mutex_lock(job->queue);
        VkResult result = vkQueueSubmit(c->queue, 1, &submit, fence);
        pthread_mutex_unlock(job->queue);
        VK(result);
        VK(vkWaitForFences(c->device, 1, &fence, VK_TRUE, UINT64_MAX));
        VK(vkResetFences(c->device, 1, &fence));
        for (uint32_t i = 0; i < WORDS; i += 997) {
            uint32_t last = 49 - i / (WORDS / 50);
            EXPECT(words[i] == (job->number * 1000000 + round * 1000 + last + i) * 3);
        }
        job->sum = job->sum * 31 + checksum(words, WORDS * 4);
        if (round % 8 == 7) {
            VK(vkResetCommandPool(c->device, pool, VK_COMMAND_POOL_RESET_RELEASE_RESOURCES_BIT));
        }
        vkFreeCommandBuffers(c->device, pool, 1, &commands);
    }
    vkDestroyFence(c->device, fence, NULL);
    vkDestroyCommandPool(c->device, pool, NULL);
    return NULL;
}

static void record_and_submit(struct client *c)
{
    const VkDescriptorType type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    const uint32_t local = 64;
    const VkSpecializationMapEntry entry = {0, 0, 4};
    const VkSpecializationInfo constants = {1, &entry, 4, &local};
    pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;
    VkDescriptorSetLayout set_l = set_layout(c, &type, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, sizeof(struct push));
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(fill_comp), &constants);
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.c = c,
                               .queue = &queue,
                               .number = i,
                               .pipeline = pipeline,
                               .layout = layout,
                               .set = set_create(c, set_l),
                               .out = buffer_host(c, WORDS * 4)};
        set_buffer(c, jobs[i].set, 0, type, &jobs[i].out);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, work, &jobs[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
        printf("thread %u: %016llx\n", i, (unsigned long long)jobs[i].sum);
    }
}

/* Objects of every kind made and destroyed by all threads at once. */
static void *make(void *arg)
{
    struct job *job = arg;
    struct client own = *job->c;
    own.kept = NULL;
    own.n_kept = own.room_kept = 0;
    own.pool = pool_create(job->c);
    for (uint32_t round = 0; round < 12; round++) {
        const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                          VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER};
        struct buffer buffer = buffer_host(&own, 4096 + job->number * 512);
        struct image image = image_2d(&own, VK_FORMAT_R8G8B8A8_UNORM, 32 + round, 16,
                                      VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT,
                                      VK_SAMPLE_COUNT_1_BIT);
        VkDescriptorSetLayout set_l = set_layout(&own, types, 2);
        VkDescriptorSet set = set_create(&own, set_l);
        set_buffer(&own, set, 0, types[0], &buffer);
        set_image(&own, set, 1, types[1], image.view,
                  sampler_create(&own, VK_FILTER_NEAREST, VK_SAMPLER_ADDRESS_MODE_REPEAT),
                  VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
        VkPipelineLayout layout = pipeline_layout(&own, &set_l, 1, sizeof(struct push));
        compute_pipeline(&own, layout, CODE(fill_comp), NULL);
        fence_create(&own, true);
        semaphore_create(&own, round % 2 == 0, round);
        job->sum += buffer.size;
        client_sweep(&own);
    }
    free(own.kept);
    vkDestroyCommandPool(own.device, own.pool, NULL);
    return NULL;
}

static void make_and_destroy(struct client *c)
{
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.c = c, .number = i};
        EXPECT(pthread_create(&threads[i], NULL, make, &jobs[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
        printf("thread %u: %llu\n", i, (unsigned long long)jobs[i].sum);
    }
}

int main(void)
{
    static const struct client_case cases[] = {{"record-and-submit", record_and_submit},
                                               {"make-and-destroy", make_and_destroy}};
    return client_main(NULL, cases, COUNT(cases));
}
