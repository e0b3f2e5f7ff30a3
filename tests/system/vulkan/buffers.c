/* tests/system/vulkan/buffers.c - bytes to the device and back, in memory of every kind. */
#include "client.h"

static void fill_random(void *at, size_t bytes, uint32_t seed)
{
    uint32_t *words = at, state = seed;
    for (size_t i = 0; i < bytes / 4; i++) {
        words[i] = random_next(&state);
    }
}

static void copy(struct client *c, const struct buffer *from, const struct buffer *to,
                 VkDeviceSize size)
{
    VkCommandBuffer commands = commands_begin(c);
    const VkBufferCopy region = {0, 0, size};
    vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1, &region);
    memory_barrier(commands);
    commands_run(c, commands);
}

static const VkBufferUsageFlags transfer =
    VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;

static void round_trip(struct client *c, size_t size)
{
    struct buffer up = buffer_host(c, size), down = buffer_host(c, size);
    struct buffer device = buffer_create(c, size, transfer, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    VkCommandBuffer commands = commands_begin(c);
    const VkBufferCopy region = {0, 0, size};
    fill_random(up.at, size, 0x1234567);
    vkCmdCopyBuffer(commands, up.buffer, device.buffer, 1, &region);
    memory_barrier(commands);
    vkCmdCopyBuffer(commands, device.buffer, down.buffer, 1, &region);
    memory_barrier(commands);
    commands_run(c, commands);
    EXPECT(memcmp(up.at, down.at, size) == 0);
    print_checksum("came back", down.at, size);
}

static void staging(struct client *c)
{
    round_trip(c, 4 << 20);
}

static void large(struct client *c)
{
    round_trip(c, 96 << 20);
}

static void coherent(struct client *c)
{
    enum { SIZE = 64 << 10 };
    struct buffer a = buffer_host(c, SIZE), b = buffer_host(c, SIZE);
    uint64_t sum = 0;
    for (uint32_t i = 1; i <= 50; i++) {
        fill_random(a.at, SIZE, i);
        copy(c, &a, &b, SIZE);
        EXPECT(memcmp(a.at, b.at, SIZE) == 0);
        memset(b.at, (int)i, 100);
        copy(c, &b, &a, SIZE);
        EXPECT(memcmp(a.at, b.at, SIZE) == 0);
        sum = sum * 31 + checksum(a.at, SIZE);
    }
    printf("both ways: %016llx\n", (unsigned long long)sum);
}

/* Buffers at offsets of one memory, which is mapped in parts, flushed and invalidated. */
static void parts(struct client *c)
{
    enum { N = 8 };
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 10000, .usage = transfer};
    VkBuffer buffers[N];
    VkMemoryRequirements needs;
    VkDeviceMemory memory;
    for (uint32_t i = 0; i < N; i++) {
        VK(vkCreateBuffer(c->device, &info, NULL, &buffers[i]));
    }
    vkGetBufferMemoryRequirements(c->device, buffers[0], &needs);
    VkDeviceSize step = (needs.size + 65535) / 65536 * 65536;
    const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                           .allocationSize = step * N,
                                           .memoryTypeIndex =
                                               memory_type(c, needs.memoryTypeBits, HOST_MEMORY)};
    VK(vkAllocateMemory(c->device, &allocate, NULL, &memory));
    KEEP(c, DEVICE_MEMORY, memory);
    for (uint32_t i = 0; i < N; i++) {
        KEEP(c, BUFFER, buffers[i]);
        VK(vkBindBufferMemory(c->device, buffers[i], memory, step * i));
    }
    void *at;
    VK(vkMapMemory(c->device, memory, step, step, 0, &at));
    fill_random(at, 10000, 77);
    const VkMappedMemoryRange range = {.sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
                                       .memory = memory,
                                       .offset = step,
                                       .size = VK_WHOLE_SIZE};
    VK(vkFlushMappedMemoryRanges(c->device, 1, &range));
    vkUnmapMemory(c->device, memory);
    VkCommandBuffer commands = commands_begin(c);
    for (uint32_t i = 2; i < N; i++) {
        const VkBufferCopy regions[] = {{0, 5000, 5000}, {5000, 0, 5000}};
        vkCmdCopyBuffer(commands, buffers[i - 1], buffers[i], 2, regions);
        memory_barrier(commands);
    }
    vkCmdFillBuffer(commands, buffers[0], 100, 8000, 0xfeedc0de);
    vkCmdFillBuffer(commands, buffers[0], 9000, VK_WHOLE_SIZE, 0x01020304);
    memory_barrier(commands);
    commands_run(c, commands);
    VK(vkMapMemory(c->device, memory, 0, VK_WHOLE_SIZE, 0, &at));
    VK(vkInvalidateMappedMemoryRanges(
        c->device, 1,
        &(VkMappedMemoryRange){.sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
                               .memory = memory,
                               .size = VK_WHOLE_SIZE}));
    EXPECT(memcmp((uint8_t *)at + step, (uint8_t *)at + step * 3, 10000) == 0);
    EXPECT(memcmp((uint8_t *)at + step, (uint8_t *)at + step * 2 + 5000, 5000) == 0);
    print_checksum("filled", (uint8_t *)at + 100, 8000);
    print_checksum("last", (uint8_t *)at + step * (N - 1), 10000);
}

static void updates(struct client *c)
{
    enum { SIZE = 65536 };
    static uint8_t data[SIZE];
    struct buffer out = buffer_host(c, SIZE * 4);
    VkCommandBuffer commands = commands_begin(c);
    for (uint32_t i = 0; i < 4; i++) {
        fill_random(data, SIZE, 100 + i);
        vkCmdUpdateBuffer(commands, out.buffer, (VkDeviceSize)i * SIZE, SIZE, data);
    }
    memset(data, 0xee, SIZE); /* what was recorded stays */
    vkCmdUpdateBuffer(commands, out.buffer, 40, 4, data);
    memory_barrier(commands);
    commands_run(c, commands);
    print_checksum("updated", out.at, SIZE * 4);
}

static void many(struct client *c)
{
    enum { N = 600 };
    static struct buffer buffers[N];
    VkCommandBuffer commands = commands_begin(c);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < N; i++) {
        buffers[i] = buffer_host(c, 64 + i * 52);
        vkCmdFillBuffer(commands, buffers[i].buffer, 0, VK_WHOLE_SIZE, i * 2654435761U);
    }
    memory_barrier(commands);
    commands_run(c, commands);
    for (uint32_t i = 0; i < N; i++) {
        EXPECT(((uint32_t *)buffers[i].at)[15 + i * 13] == i * 2654435761U);
        sum = sum * 31 + checksum(buffers[i].at, buffers[i].size);
    }
    printf("sums: %016llx\n", (unsigned long long)sum);
}

/* Memory is allocated, mapped, used and freed over and over: what is mapped is what the device
 * sees. */
static void reuse(struct client *c)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 200; i++) {
        struct buffer a = buffer_host(c, 4096 + i * 1000), b = buffer_host(c, 4096 + i * 1000);
        fill_random(a.at, 4096, i + 1);
        copy(c, &a, &b, 4096);
        EXPECT(memcmp(a.at, b.at, 4096) == 0);
        sum = sum * 31 + checksum(b.at, 4096);
        client_sweep(c);
    }
    printf("sums: %016llx\n", (unsigned long long)sum);
}

static void unmapped(struct client *c)
{
    struct buffer a = buffer_host(c, 100000), b = buffer_host(c, 100000);
    fill_random(a.at, 100000, 5);
    uint64_t before = checksum(a.at, 100000);
    vkUnmapMemory(c->device, a.memory);
    copy(c, &a, &b, 100000);
    VK(vkMapMemory(c->device, a.memory, 0, VK_WHOLE_SIZE, 0, &a.at));
    EXPECT(checksum(a.at, 100000) == before && memcmp(a.at, b.at, 100000) == 0);
    print_checksum("as before", a.at, 100000);
}

static void dedicated(struct client *c)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 1 << 20, .usage = transfer};
    struct buffer from = buffer_host(c, 1 << 20), to = {.size = 1 << 20};
    VK(vkCreateBuffer(c->device, &info, NULL, &to.buffer));
    const VkBufferMemoryRequirementsInfo2 of = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2, .buffer = to.buffer};
    VkMemoryDedicatedRequirements want = {.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS};
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2,
                                   .pNext = &want};
    vkGetBufferMemoryRequirements2(c->device, &of, &needs);
    const VkMemoryDedicatedAllocateInfo only = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO, .buffer = to.buffer};
    const VkMemoryAllocateInfo allocate = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &only,
        .allocationSize = needs.memoryRequirements.size,
        .memoryTypeIndex = memory_type(c, needs.memoryRequirements.memoryTypeBits, HOST_MEMORY)};
    VK(vkAllocateMemory(c->device, &allocate, NULL, &to.memory));
    KEEP(c, DEVICE_MEMORY, to.memory);
    KEEP(c, BUFFER, to.buffer);
    const VkBindBufferMemoryInfo bind = {.sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
                                         .buffer = to.buffer,
                                         .memory = to.memory};
    VK(vkBindBufferMemory2(c->device, 1, &bind));
    VK(vkMapMemory(c->device, to.memory, 0, VK_WHOLE_SIZE, 0, &to.at));
    fill_random(from.at, 1 << 20, 8);
    copy(c, &from, &to, 1 << 20);
    EXPECT(memcmp(from.at, to.at, 1 << 20) == 0);
    printf("prefers %u, requires %u, alignment %llu, size %llu\n", want.prefersDedicatedAllocation,
           want.requiresDedicatedAllocation, (unsigned long long)needs.memoryRequirements.alignment,
           (unsigned long long)needs.memoryRequirements.size);
}

static void version_1_3(struct client *c)
{
    NEED_API_1_3(c);
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 12345, .usage = transfer};
    const VkDeviceBufferMemoryRequirements of = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_BUFFER_MEMORY_REQUIREMENTS, .pCreateInfo = &info};
    VkMemoryRequirements2 needs = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    vkGetDeviceBufferMemoryRequirements(c->device, &of, &needs);
    EXPECT(needs.memoryRequirements.size >= 12345);
    printf("alignment %llu\n", (unsigned long long)needs.memoryRequirements.alignment);
    struct buffer a = buffer_host(c, 12345), b = buffer_host(c, 12345);
    memset(a.at, 0x5a, 12345);
    const VkBufferCopy2 regions[] = {
        {.sType = VK_STRUCTURE_TYPE_BUFFER_COPY_2, .srcOffset = 1, .dstOffset = 2, .size = 10000},
        {.sType = VK_STRUCTURE_TYPE_BUFFER_COPY_2, .dstOffset = 12000, .size = 345}};
    const VkCopyBufferInfo2 copies = {.sType = VK_STRUCTURE_TYPE_COPY_BUFFER_INFO_2,
                                      .srcBuffer = a.buffer,
                                      .dstBuffer = b.buffer,
                                      .regionCount = COUNT(regions),
                                      .pRegions = regions};
    const VkMemoryBarrier2 barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                      .srcStageMask = VK_PIPELINE_STAGE_2_COPY_BIT,
                                      .srcAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT,
                                      .dstStageMask = VK_PIPELINE_STAGE_2_HOST_BIT,
                                      .dstAccessMask = VK_ACCESS_2_HOST_READ_BIT};
    const VkDependencyInfo dependency = {.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                         .memoryBarrierCount = 1,
                                         .pMemoryBarriers = &barrier};
    VkCommandBuffer commands = commands_begin(c);
    vkCmdCopyBuffer2(commands, &copies);
    vkCmdPipelineBarrier2(commands, &dependency);
    commands_run(c, commands);
    EXPECT(((uint8_t *)b.at)[1] == 0 && ((uint8_t *)b.at)[2] == 0x5a);
    print_checksum("copied", b.at, 12345);
}

int main(void)
{
    static const struct client_case cases[] = {
        {"staging", staging},         {"coherent", coherent},   {"parts", parts},
        {"updates", updates},         {"many", many},           {"reuse", reuse},
        {"unmapped", unmapped},       {"dedicated", dedicated}, {"large", large},
        {"version-1.3", version_1_3},
    };
    return client_main(NULL, cases, COUNT(cases));
}
