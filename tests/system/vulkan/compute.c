/* tests/system/vulkan/compute.c - compute shaders and every way to hand them data. */
#include "client.h"

#include "address.comp.h"
#include "dynamic.comp.h"
#include "fill.comp.h"
#include "indexing.comp.h"
#include "inline_block.comp.h"
#include "numbers.comp.h"
#include "reduce.comp.h"
#include "storage_image.comp.h"
#include "subgroup.comp.h"
#include "texels.comp.h"

static const VkDescriptorType one_buffer[] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
static const VkDescriptorType two_buffers[] = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                               VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};

static void bind_compute(VkCommandBuffer commands, VkPipeline pipeline, VkPipelineLayout layout,
                         VkDescriptorSet set)
{
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
}

struct fill_push {
    uint32_t first, count;
    float more[2];
};

static void push_constants(struct client *c)
{
    enum { N = 5000 };
    struct buffer out = buffer_host(c, N * 4);
    const uint32_t *words = out.at;
    VkDescriptorSetLayout set_l = set_layout(c, one_buffer, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, sizeof(struct fill_push));
    VkDescriptorSet set = set_create(c, set_l);
    set_buffer(c, set, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(fill_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    const struct fill_push push = {17, N, {2, 1}};
    bind_compute(commands, pipeline, layout, set);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, sizeof push, &push);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, 4, &(uint32_t){23});
    vkCmdDispatch(commands, N, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    for (uint32_t i = 0; i < N; i++) {
        EXPECT(words[i] == (23 + i) * 3 + 4);
    }
    print_checksum("words", words, N * 4);
}

static void specialisation(struct client *c)
{
    enum { N = 4096 };
    struct {
        uint32_t local, factor;
        VkBool32 negate;
        float scale;
    } const data = {64, 11, VK_TRUE, 0.25F};
    const VkSpecializationMapEntry entries[] = {{0, 0, 4}, {1, 4, 4}, {2, 8, 4}, {3, 12, 4}};
    const VkSpecializationInfo info = {COUNT(entries), entries, sizeof data, &data};
    struct buffer out = buffer_host(c, N * 4);
    const uint32_t *words = out.at;
    VkDescriptorSetLayout set_l = set_layout(c, one_buffer, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, sizeof(struct fill_push));
    VkDescriptorSet set = set_create(c, set_l);
    set_buffer(c, set, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(fill_comp), &info);
    VkCommandBuffer commands = commands_begin(c);
    const struct fill_push push = {0, N, {8, 5}};
    bind_compute(commands, pipeline, layout, set);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, sizeof push, &push);
    vkCmdDispatch(commands, N / 64, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    for (uint32_t i = 0; i < N; i++) {
        EXPECT(words[i] == ~(i * 11 + 7));
    }
    print_checksum("words", words, N * 4);
}

static void atomics(struct client *c)
{
    enum { N = 100000 };
    struct buffer in = buffer_host(c, N * 4), out = buffer_host(c, 80);
    uint32_t *numbers = in.at, state = 12345, sum = 0, highest = 0, lowest = UINT32_MAX;
    uint32_t *got = out.at;
    for (uint32_t i = 0; i < N; i++) {
        numbers[i] = random_next(&state);
        sum += numbers[i];
        highest = numbers[i] > highest ? numbers[i] : highest;
        lowest = numbers[i] < lowest ? numbers[i] : lowest;
    }
    got[2] = UINT32_MAX;
    VkDescriptorSetLayout set_l = set_layout(c, two_buffers, 2);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkDescriptorSet set = set_create(c, set_l);
    set_buffer(c, set, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &in);
    set_buffer(c, set, 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(reduce_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    bind_compute(commands, pipeline, layout, set);
    vkCmdDispatch(commands, (N + 127) / 128, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(got[0] == sum && got[1] == highest && got[2] == lowest && got[3] == 7);
    print_checksum("sum, extremes, histogram", got, 80);
}

static void storage_images(struct client *c)
{
    enum { SIDE = 128 };
    const VkFormat formats[] = {VK_FORMAT_R8G8B8A8_UNORM, VK_FORMAT_R32_UINT,
                                VK_FORMAT_R32G32B32A32_SFLOAT};
    const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_STORAGE_IMAGE,
                                      VK_DESCRIPTOR_TYPE_STORAGE_IMAGE,
                                      VK_DESCRIPTOR_TYPE_STORAGE_IMAGE};
    struct image images[3];
    struct buffer outs[3];
    VkDescriptorSetLayout set_l = set_layout(c, types, 3);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkDescriptorSet set = set_create(c, set_l);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(storage_image_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    for (uint32_t i = 0; i < 3; i++) {
        const VkClearColorValue clear = {.uint32 = {0}};
        images[i] = image_2d(c, formats[i], SIDE, SIDE,
                             VK_IMAGE_USAGE_STORAGE_BIT | VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
                                 VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                             VK_SAMPLE_COUNT_1_BIT);
        outs[i] = buffer_host(c, (VkDeviceSize)SIDE * SIDE * (i == 2 ? 16 : 4));
        set_image(c, set, i, VK_DESCRIPTOR_TYPE_STORAGE_IMAGE, images[i].view, VK_NULL_HANDLE,
                  VK_IMAGE_LAYOUT_GENERAL);
        VkImageSubresourceRange range = image_range(&images[i]);
        image_barrier(commands, &images[i], VK_IMAGE_LAYOUT_UNDEFINED, VK_IMAGE_LAYOUT_GENERAL);
        vkCmdClearColorImage(commands, images[i].image, VK_IMAGE_LAYOUT_GENERAL, &clear, 1, &range);
        image_barrier(commands, &images[i], VK_IMAGE_LAYOUT_GENERAL, VK_IMAGE_LAYOUT_GENERAL);
    }
    bind_compute(commands, pipeline, layout, set);
    vkCmdDispatch(commands, SIDE / 8, SIDE / 8, 1);
    for (uint32_t i = 0; i < 3; i++) {
        image_barrier(commands, &images[i], VK_IMAGE_LAYOUT_GENERAL,
                      VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
        image_to_buffer(commands, &images[i], &outs[i]);
    }
    commands_run(c, commands);
    const uint32_t *counts = outs[1].at;
    EXPECT(counts[0] == 64 && counts[15] == 64 && counts[16] == 0);
    EXPECT(((const float *)outs[2].at)[4 * (3 * SIDE + 5) + 2] == 15);
    for (uint32_t i = 0; i < 3; i++) {
        print_checksum("image", outs[i].at, (size_t)outs[i].size);
    }
}

static void dynamic_offsets(struct client *c)
{
    const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER_DYNAMIC,
                                      VK_DESCRIPTOR_TYPE_STORAGE_BUFFER_DYNAMIC};
    enum { STEP = 256, PARTS = 8 };
    struct buffer in = buffer_host(c, STEP * PARTS), out = buffer_host(c, STEP * PARTS);
    uint32_t *words = in.at;
    for (uint32_t i = 0; i < STEP * PARTS / 4; i++) {
        words[i] = i * i;
    }
    VkDescriptorSetLayout set_l = set_layout(c, types, 2);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkDescriptorSet set = set_create(c, set_l);
    const VkDescriptorBufferInfo infos[] = {{in.buffer, 0, 64}, {out.buffer, 0, 64}};
    for (uint32_t i = 0; i < 2; i++) {
        const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .dstSet = set,
                                            .dstBinding = i,
                                            .descriptorCount = 1,
                                            .descriptorType = types[i],
                                            .pBufferInfo = &infos[i]};
        vkUpdateDescriptorSets(c->device, 1, &write, 0, NULL);
    }
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(dynamic_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    for (uint32_t i = 0; i < PARTS; i++) {
        const uint32_t offsets[] = {i * STEP, (PARTS - 1 - i) * STEP};
        vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 2,
                                offsets);
        vkCmdDispatch(commands, 1, 1, 1);
    }
    memory_barrier(commands);
    commands_run(c, commands);
    const uint32_t *got = out.at;
    EXPECT(got[0] == words[(size_t)STEP / 4 * (PARTS - 1)] && got[16] == 0);
    print_checksum("parts", got, STEP * PARTS);
}

static void inline_uniform(struct client *c)
{
    NEED(c->f13.inlineUniformBlock, "inlineUniformBlock");
    const VkDescriptorSetLayoutBinding bindings[] = {
        {0, VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK, 32, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
        {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL}};
    const VkDescriptorSetLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = COUNT(bindings),
        .pBindings = bindings};
    const VkDescriptorPoolInlineUniformBlockCreateInfo inline_pool = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_INLINE_UNIFORM_BLOCK_CREATE_INFO,
        .maxInlineUniformBlockBindings = 1};
    const VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK, 32},
                                          {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1}};
    const VkDescriptorPoolCreateInfo pool_info = {.sType =
                                                      VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                                  .pNext = &inline_pool,
                                                  .maxSets = 1,
                                                  .poolSizeCount = COUNT(sizes),
                                                  .pPoolSizes = sizes};
    VkDescriptorSetLayout set_l;
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VK(vkCreateDescriptorSetLayout(c->device, &layout_info, NULL, &set_l));
    KEEP(c, DESCRIPTOR_SET_LAYOUT, set_l);
    VK(vkCreateDescriptorPool(c->device, &pool_info, NULL, &pool));
    KEEP(c, DESCRIPTOR_POOL, pool);
    const VkDescriptorSetAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = pool,
        .descriptorSetCount = 1,
        .pSetLayouts = &set_l};
    VK(vkAllocateDescriptorSets(c->device, &allocate, &set));
    const uint32_t bytes[8] = {1, 2, 3, 5, 8, 13, 21, 34};
    const VkWriteDescriptorSetInlineUniformBlock block = {
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK,
        .dataSize = sizeof bytes,
        .pData = bytes};
    const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                        .pNext = &block,
                                        .dstSet = set,
                                        .descriptorCount = sizeof bytes,
                                        .descriptorType = VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK};
    vkUpdateDescriptorSets(c->device, 1, &write, 0, NULL);
    struct buffer out = buffer_host(c, 32);
    set_buffer(c, set, 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(inline_block_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    bind_compute(commands, pipeline, layout, set);
    vkCmdDispatch(commands, 1, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    const uint32_t *got = out.at;
    for (uint32_t i = 0; i < 8; i++) {
        EXPECT(got[i] == bytes[i] * 5);
        printf("%u%c", got[i], i < 7 ? ' ' : '\n');
    }
}

static void addresses(struct client *c)
{
    enum { NODES = 50 };
    struct {
        VkDeviceAddress first;
        uint32_t count, pad;
    } push = {.count = NODES};
    struct {
        VkDeviceAddress next;
        uint32_t value, pad;
    } *node[NODES];
    NEED(c->f12.bufferDeviceAddress && c->features.features.shaderInt64, "bufferDeviceAddress");
    struct buffer out = buffer_host(c, NODES * 4), nodes[NODES];
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i] = buffer_create(
            c, 16, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
            HOST_MEMORY);
        node[i] = nodes[i].at;
        EXPECT(nodes[i].address != 0);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        node[i]->next = nodes[(i * 7 + 3) % NODES].address;
        node[i]->value = i;
    }
    push.first = nodes[11].address;
    VkDescriptorSetLayout set_l = set_layout(c, one_buffer, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, sizeof push);
    VkDescriptorSet set = set_create(c, set_l);
    set_buffer(c, set, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(address_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    bind_compute(commands, pipeline, layout, set);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, sizeof push, &push);
    vkCmdDispatch(commands, 1, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    const uint32_t *got = out.at;
    uint32_t seen[NODES] = {0};
    for (uint32_t i = 0, at = 11; i < NODES; i++, at = (at * 7 + 3) % NODES) {
        EXPECT(got[i] == at + 1000 * seen[at]++);
    }
    print_checksum("list", got, sizeof(uint32_t) * NODES);
}

/* A set whose only binding is an array of up to `most` buffers, of which not all are written. */
static VkDescriptorSet many_buffers(struct client *c, uint32_t most, uint32_t n,
                                    const struct buffer *buffers, VkDescriptorSetLayout *layout)
{
    const VkDescriptorBindingFlags flags = VK_DESCRIPTOR_BINDING_PARTIALLY_BOUND_BIT |
                                           VK_DESCRIPTOR_BINDING_VARIABLE_DESCRIPTOR_COUNT_BIT |
                                           VK_DESCRIPTOR_BINDING_UPDATE_AFTER_BIND_BIT;
    const VkDescriptorSetLayoutBindingFlagsCreateInfo flags_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_BINDING_FLAGS_CREATE_INFO,
        .bindingCount = 1,
        .pBindingFlags = &flags};
    const VkDescriptorSetLayoutBinding binding = {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, most,
                                                  VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    const VkDescriptorSetLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .pNext = &flags_info,
        .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_UPDATE_AFTER_BIND_POOL_BIT,
        .bindingCount = 1,
        .pBindings = &binding};
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, most};
    const VkDescriptorPoolCreateInfo pool_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .flags = VK_DESCRIPTOR_POOL_CREATE_UPDATE_AFTER_BIND_BIT,
        .maxSets = 1,
        .poolSizeCount = 1,
        .pPoolSizes = &size};
    const VkDescriptorSetVariableDescriptorCountAllocateInfo variable = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_VARIABLE_DESCRIPTOR_COUNT_ALLOCATE_INFO,
        .descriptorSetCount = 1,
        .pDescriptorCounts = &n};
    VkDescriptorPool pool;
    VkDescriptorSet set;
    VK(vkCreateDescriptorSetLayout(c->device, &layout_info, NULL, layout));
    KEEP(c, DESCRIPTOR_SET_LAYOUT, *layout);
    VK(vkCreateDescriptorPool(c->device, &pool_info, NULL, &pool));
    KEEP(c, DESCRIPTOR_POOL, pool);
    const VkDescriptorSetAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .pNext = &variable,
        .descriptorPool = pool,
        .descriptorSetCount = 1,
        .pSetLayouts = layout};
    VK(vkAllocateDescriptorSets(c->device, &allocate, &set));
    VkDescriptorBufferInfo infos[256];
    EXPECT(n <= COUNT(infos));
    for (uint32_t i = 0; i < n; i++) {
        infos[i] = (VkDescriptorBufferInfo){buffers[i].buffer, 0, VK_WHOLE_SIZE};
    }
    const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                        .dstSet = set,
                                        .descriptorCount = n,
                                        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                        .pBufferInfo = infos};
    vkUpdateDescriptorSets(c->device, 1, &write, 0, NULL);
    return set;
}

static void indexing(struct client *c)
{
    enum { BUFFERS = 100, N = 4096 };
    NEED(c->f12.runtimeDescriptorArray && c->f12.descriptorBindingPartiallyBound &&
             c->f12.descriptorBindingVariableDescriptorCount &&
             c->f12.shaderStorageBufferArrayNonUniformIndexing &&
             c->f12.descriptorBindingStorageBufferUpdateAfterBind,
         "descriptorIndexing");
    struct buffer index = buffer_host(c, N * 4), out = buffer_host(c, N * 4), buffers[BUFFERS];
    for (uint32_t i = 0; i < BUFFERS; i++) {
        buffers[i] = buffer_host(c, 64);
        for (uint32_t k = 0; k < 16; k++) {
            ((uint32_t *)buffers[i].at)[k] = i * 100 + k;
        }
    }
    for (uint32_t i = 0, state = 99; i < N; i++) {
        ((uint32_t *)index.at)[i] = random_next(&state) % BUFFERS;
    }
    VkDescriptorSetLayout layouts[2] = {set_layout(c, two_buffers, 2), VK_NULL_HANDLE};
    VkDescriptorSet sets[2] = {set_create(c, layouts[0]),
                               many_buffers(c, 200, BUFFERS, buffers, &layouts[1])};
    set_buffer(c, sets[0], 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &index);
    set_buffer(c, sets[0], 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    VkPipelineLayout layout = pipeline_layout(c, layouts, 2, 0);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(indexing_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 2, sets, 0, NULL);
    vkCmdDispatch(commands, N / 64, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    for (uint32_t i = 0; i < N; i++) {
        EXPECT(((uint32_t *)out.at)[i] == ((uint32_t *)index.at)[i] * 100 + i % 16);
    }
    print_checksum("picked", out.at, N * 4);
}

static void subgroups(struct client *c)
{
    const VkSubgroupFeatureFlags needs =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_VOTE_BIT |
        VK_SUBGROUP_FEATURE_ARITHMETIC_BIT | VK_SUBGROUP_FEATURE_BALLOT_BIT |
        VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    NEED((c->p11.subgroupSupportedOperations & needs) == needs &&
             (c->p11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0,
         "subgroups");
    enum { N = 4096 };
    struct buffer out = buffer_host(c, 24);
    VkDescriptorSetLayout set_l = set_layout(c, one_buffer, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkDescriptorSet set = set_create(c, set_l);
    set_buffer(c, set, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(subgroup_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    bind_compute(commands, pipeline, layout, set);
    vkCmdDispatch(commands, N / 64, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    const uint32_t *got = out.at;
    printf("total %u, highest %u, counted %u, all %u, wrong %u, subgroups of %u: %u\n", got[0],
           got[1], got[2], got[3], got[4], c->p11.subgroupSize, got[5]);
    EXPECT(got[0] == N / 2 * (N - 1) && got[1] == N - 1 && got[2] == N && got[3] == N &&
           got[4] == 0);
}

static void dispatches(struct client *c)
{
    enum { N = 4096 };
    struct buffer out = buffer_host(c, N * 4), size = buffer_host(c, 64);
    const VkDispatchIndirectCommand indirect = {3, 2, 5};
    memcpy((uint8_t *)size.at + 16, &indirect, sizeof indirect);
    VkDescriptorSetLayout set_l = set_layout(c, one_buffer, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkDescriptorSet set = set_create(c, set_l);
    set_buffer(c, set, 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, &out);
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_DISPATCH_BASE_BIT,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = shader_create(c, CODE(numbers_comp)),
                  .pName = "main"},
        .layout = layout};
    VkPipeline pipeline;
    VK(vkCreateComputePipelines(c->device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline));
    KEEP(c, PIPELINE, pipeline);
    VkCommandBuffer commands = commands_begin(c);
    bind_compute(commands, pipeline, layout, set);
    vkCmdDispatchIndirect(commands, size.buffer, 16);
    memory_barrier(commands);
    vkCmdDispatchBase(commands, 4, 4, 4, 4, 3, 2);
    vkCmdDispatch(commands, 0, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(((uint32_t *)out.at)[8] == 1 + 4);
    print_checksum("invocations", out.at, N * 4);
}

static void texel_buffers(struct client *c)
{
    enum { N = 256 };
    const VkDescriptorType types[] = {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
                                      VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER,
                                      VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER};
    const VkBufferUsageFlags usage =
        VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT | VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT;
    struct buffer in = buffer_create(c, N * 4, usage, HOST_MEMORY);
    struct buffer out = buffer_create(c, N * 4, usage, HOST_MEMORY);
    struct buffer texels = buffer_host(c, 16 * 16 * 4);
    struct image picture = image_2d(c, VK_FORMAT_R8G8B8A8_UNORM, 16, 16,
                                    VK_IMAGE_USAGE_SAMPLED_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
                                    VK_SAMPLE_COUNT_1_BIT);
    const struct buffer *buffers[2] = {&in, &out};
    const VkFormat formats[2] = {VK_FORMAT_R8G8B8A8_UINT, VK_FORMAT_R32_SFLOAT};
    VkDescriptorSetLayout set_l = set_layout(c, types, 3);
    VkDescriptorSet set = set_create(c, set_l);
    uint32_t state = 4711;
    for (uint32_t i = 0; i < N; i++) {
        ((uint32_t *)in.at)[i] = random_next(&state);
        ((uint32_t *)texels.at)[i] = random_next(&state);
    }
    for (uint32_t i = 0; i < 2; i++) {
        const VkBufferViewCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                             .buffer = buffers[i]->buffer,
                                             .format =
                                                 i == 0 ? VK_FORMAT_R8G8B8A8_UNORM : formats[i],
                                             .range = VK_WHOLE_SIZE};
        VkBufferView view;
        VK(vkCreateBufferView(c->device, &info, NULL, &view));
        KEEP(c, BUFFER_VIEW, view);
        const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .dstSet = set,
                                            .dstBinding = i,
                                            .descriptorCount = 1,
                                            .descriptorType = types[i],
                                            .pTexelBufferView = &view};
        vkUpdateDescriptorSets(c->device, 1, &write, 0, NULL);
    }
    set_image(c, set, 2, types[2], picture.view,
              sampler_create(c, VK_FILTER_LINEAR, VK_SAMPLER_ADDRESS_MODE_MIRRORED_REPEAT),
              VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, 0);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(texels_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    const VkBufferImageCopy copy = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                    .imageExtent = {16, 16, 1}};
    image_barrier(commands, &picture, VK_IMAGE_LAYOUT_UNDEFINED,
                  VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
    vkCmdCopyBufferToImage(commands, texels.buffer, picture.image,
                           VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL, 1, &copy);
    image_barrier(commands, &picture, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                  VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL);
    bind_compute(commands, pipeline, layout, set);
    vkCmdDispatch(commands, N / 16, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(((float *)out.at)[9] > 0);
    print_checksum("texels", out.at, N * 4);
}

static void update_templates(struct client *c)
{
    enum { N = 256 };
    struct {
        uint32_t pad;
        VkDescriptorBufferInfo info;
    } data = {.info = {.range = VK_WHOLE_SIZE}};
    struct buffer out = buffer_host(c, N * 4);
    VkDescriptorSetLayout set_l = set_layout(c, one_buffer, 1);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, sizeof(struct fill_push));
    VkDescriptorSet set = set_create(c, set_l);
    const VkDescriptorUpdateTemplateEntry entry = {
        .descriptorCount = 1,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .offset = (size_t)((uint8_t *)&data.info - (uint8_t *)&data),
        .stride = sizeof data};
    const VkDescriptorUpdateTemplateCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
        .descriptorUpdateEntryCount = 1,
        .pDescriptorUpdateEntries = &entry,
        .templateType = VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET,
        .descriptorSetLayout = set_l};
    VkDescriptorUpdateTemplate template;
    VK(vkCreateDescriptorUpdateTemplate(c->device, &info, NULL, &template));
    KEEP(c, DESCRIPTOR_UPDATE_TEMPLATE, template);
    data.info.buffer = out.buffer;
    vkUpdateDescriptorSetWithTemplate(c->device, set, template, &data);
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(fill_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    const struct fill_push push = {1, N, {0, 0}};
    bind_compute(commands, pipeline, layout, set);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, sizeof push, &push);
    vkCmdDispatch(commands, N, 1, 1);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(((uint32_t *)out.at)[N - 1] == N * 3);
    print_checksum("words", out.at, N * 4);
}

static void push_descriptors(struct client *c)
{
    enum { N = 128 };
    NEED_EXTENSION(c, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME);
    LOAD(c, vkCmdPushDescriptorSetKHR);
    struct buffer outs[2] = {buffer_host(c, N * 4), buffer_host(c, N * 4)};
    const VkDescriptorSetLayoutBinding binding = {0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
                                                  VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    const VkDescriptorSetLayoutCreateInfo layout_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR,
        .bindingCount = 1,
        .pBindings = &binding};
    VkDescriptorSetLayout set_l;
    VK(vkCreateDescriptorSetLayout(c->device, &layout_info, NULL, &set_l));
    KEEP(c, DESCRIPTOR_SET_LAYOUT, set_l);
    VkPipelineLayout layout = pipeline_layout(c, &set_l, 1, sizeof(struct fill_push));
    VkPipeline pipeline = compute_pipeline(c, layout, CODE(fill_comp), NULL);
    VkCommandBuffer commands = commands_begin(c);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    for (uint32_t i = 0; i < 2; i++) {
        const struct fill_push push = {i * 1000, N, {0, 0}};
        const VkDescriptorBufferInfo what = {outs[i].buffer, 0, VK_WHOLE_SIZE};
        const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .descriptorCount = 1,
                                            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            .pBufferInfo = &what};
        vkCmdPushDescriptorSetKHR_(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &write);
        vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_ALL, 0, sizeof push, &push);
        vkCmdDispatch(commands, N, 1, 1);
    }
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(((uint32_t *)outs[0].at)[5] == 15 && ((uint32_t *)outs[1].at)[5] == 3015);
    print_checksum("second", outs[1].at, N * 4);
}

int main(void)
{
    static const char *const extensions[] = {VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME, NULL};
    static const struct client_case cases[] = {
        {"push-constants", push_constants},
        {"specialisation", specialisation},
        {"atomics", atomics},
        {"storage-images", storage_images},
        {"dynamic-offsets", dynamic_offsets},
        {"inline-uniform", inline_uniform},
        {"addresses", addresses},
        {"indexing", indexing},
        {"subgroups", subgroups},
        {"dispatches", dispatches},
        {"texel-buffers", texel_buffers},
        {"update-templates", update_templates},
        {"push-descriptors", push_descriptors},
    };
    return client_main(extensions, cases, COUNT(cases));
}
