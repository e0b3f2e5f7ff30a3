/* tests/fuzz/fuzz_venus_context.c - a context on a driver that does nothing (stub_driver.h), and a
 * guest that does as the input says.
 *
 * The guest begins as all do: instance, device, queue, a pool with command buffers, memory. Then
 * each step of the input is a command with arguments from a seed, whose handles are mostly such as
 * there are, perhaps with changed bytes; a stream of any bytes; a fence, an export, an attached or
 * detached resource. However it ends: there is a reason exactly when it was broken, and the driver
 * was asked for nothing twice and has nothing left.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/venus/stub_driver.h"
#include "venus/context.h"
#include "vn_fill.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ARGUMENTS = 64, STEPS_MAX = 200, IDS = 4, REPLY = 1, REPLY_BYTES = 1 << 20 };

struct guest {
    const uint8_t *at, *end;
    struct vt_venus_context *context;
    struct vt_venus_arena seed;
    struct vt_venus_out out;
    VkObjectType making; /* handles of this type should be new ones */
    int reply_fd;
    bool broken;
};

static uint32_t next(struct guest *g, size_t bytes)
{
    uint32_t value = 0;
    size_t left = (size_t)(g->end - g->at), n = bytes < left ? bytes : left;
    memcpy(&value, g->at, n);
    g->at += n;
    return value;
}

/* ---------------------------------------------------------------- handles */

static uint64_t id_of(VkObjectType type, uint64_t k)
{
    uint64_t at = (uint64_t)type < 64 ? (uint64_t)type : 64 + (uint64_t)type % 64;
    return at * 16 + k % IDS + 1;
}

static uint64_t choose(struct vn_fill *fill, VkObjectType type)
{
    const struct guest *g = fill->arg;
    uint64_t dice = fill->state >> 13;
    struct vt_venus_objects *objects = vt_venus_context_objects(g->context);
    fill->state = fill->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    if (dice % 64 == 0) {
        return dice % 3 == 0 ? 0 : id_of(type, dice >> 8) + dice % 2;
    }
    for (uint64_t k = 0; k < IDS; k++) {
        uint64_t id = id_of(type, dice % IDS + k);
        bool there = vt_venus_objects_find(objects, id, type) != NULL;
        if (there != (type == g->making)) {
            return id;
        }
    }
    return id_of(type, dice);
}

static VkObjectType made_by(const char *name)
{
    static const struct {
        const char *name;
        VkObjectType type;
    } made[] = {
        {"AllocateCommandBuffers", VK_OBJECT_TYPE_COMMAND_BUFFER},
        {"AllocateDescriptorSets", VK_OBJECT_TYPE_DESCRIPTOR_SET},
        {"AllocateMemory", VK_OBJECT_TYPE_DEVICE_MEMORY},
        {"CreateBuffer", VK_OBJECT_TYPE_BUFFER},
        {"CreateBufferView", VK_OBJECT_TYPE_BUFFER_VIEW},
        {"CreateCommandPool", VK_OBJECT_TYPE_COMMAND_POOL},
        {"CreateComputePipelines", VK_OBJECT_TYPE_PIPELINE},
        {"CreateDescriptorPool", VK_OBJECT_TYPE_DESCRIPTOR_POOL},
        {"CreateDescriptorSetLayout", VK_OBJECT_TYPE_DESCRIPTOR_SET_LAYOUT},
        {"CreateDescriptorUpdateTemplate", VK_OBJECT_TYPE_DESCRIPTOR_UPDATE_TEMPLATE},
        {"CreateDevice", VK_OBJECT_TYPE_DEVICE},
        {"CreateEvent", VK_OBJECT_TYPE_EVENT},
        {"CreateFence", VK_OBJECT_TYPE_FENCE},
        {"CreateFramebuffer", VK_OBJECT_TYPE_FRAMEBUFFER},
        {"CreateGraphicsPipelines", VK_OBJECT_TYPE_PIPELINE},
        {"CreateImage", VK_OBJECT_TYPE_IMAGE},
        {"CreateImageView", VK_OBJECT_TYPE_IMAGE_VIEW},
        {"CreateInstance", VK_OBJECT_TYPE_INSTANCE},
        {"CreatePipelineCache", VK_OBJECT_TYPE_PIPELINE_CACHE},
        {"CreatePipelineLayout", VK_OBJECT_TYPE_PIPELINE_LAYOUT},
        {"CreatePrivateDataSlot", VK_OBJECT_TYPE_PRIVATE_DATA_SLOT},
        {"CreateQueryPool", VK_OBJECT_TYPE_QUERY_POOL},
        {"CreateRenderPass", VK_OBJECT_TYPE_RENDER_PASS},
        {"CreateRenderPass2", VK_OBJECT_TYPE_RENDER_PASS},
        {"CreateSampler", VK_OBJECT_TYPE_SAMPLER},
        {"CreateSamplerYcbcrConversion", VK_OBJECT_TYPE_SAMPLER_YCBCR_CONVERSION},
        {"CreateSemaphore", VK_OBJECT_TYPE_SEMAPHORE},
        {"CreateShaderModule", VK_OBJECT_TYPE_SHADER_MODULE},
        {"EnumeratePhysicalDevices", VK_OBJECT_TYPE_PHYSICAL_DEVICE},
        {"GetDeviceQueue", VK_OBJECT_TYPE_QUEUE},
        {"GetDeviceQueue2", VK_OBJECT_TYPE_QUEUE},
    };
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        if (strcmp(made[i].name, name + 2) == 0) {
            return made[i].type;
        }
    }
    return VK_OBJECT_TYPE_UNKNOWN;
}

/* ---------------------------------------------------------------- streams */

static void submit(struct guest *g, const void *stream, size_t bytes)
{
    struct vt_error err;
    int rc = vt_venus_context_submit(g->context, stream, bytes / 4 * 4, &err);
    FUZZ_CHECK(rc == 0 || rc == VT_E_PROTOCOL);
    FUZZ_CHECK((rc != 0) == (vt_venus_context_reason(g->context) != NULL));
    g->broken = rc != 0;
}

static void submit_out(struct guest *g)
{
    if (!g->out.overflow) {
        submit(g, g->out.start, (size_t)(g->out.at - g->out.start));
    }
    g->out.at = g->out.start;
    g->out.overflow = false;
}

static void begin(struct guest *g)
{
    const VkCommandStreamDescriptionMESA reply = {.resourceId = REPLY, .size = REPLY_BYTES};
    const VkInstanceCreateInfo instance_info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
    VkInstance instance = (VkInstance)(uintptr_t)id_of(VK_OBJECT_TYPE_INSTANCE, 0);
    VkPhysicalDevice gpu = (VkPhysicalDevice)(uintptr_t)id_of(VK_OBJECT_TYPE_PHYSICAL_DEVICE, 0);
    VkDevice device = (VkDevice)(uintptr_t)id_of(VK_OBJECT_TYPE_DEVICE, 0);
    VkQueue queue = (VkQueue)(uintptr_t)id_of(VK_OBJECT_TYPE_QUEUE, 0);
    VkCommandPool pool = (VkCommandPool)id_of(VK_OBJECT_TYPE_COMMAND_POOL, 0);
    VkCommandBuffer commands[2];
    VkDeviceMemory memory = (VkDeviceMemory)id_of(VK_OBJECT_TYPE_DEVICE_MEMORY, 0);
    uint32_t one = 1;
    const float priority = 1;
    const VkDeviceQueueCreateInfo queues = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                            .queueCount = 1,
                                            .pQueuePriorities = &priority};
    const VkDeviceCreateInfo device_info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                            .queueCreateInfoCount = 1,
                                            .pQueueCreateInfos = &queues};
    const VkDeviceQueueTimelineInfoMESA timeline = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA, .ringIdx = 1};
    const VkDeviceQueueInfo2 queue_info = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
                                           .pNext = &timeline};
    const VkCommandPoolCreateInfo pool_info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    const VkCommandBufferAllocateInfo commands_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool,
        .commandBufferCount = 2};
    const VkMemoryAllocateInfo memory_info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                              .allocationSize = 65536,
                                              .memoryTypeIndex = 1};
    for (uint32_t i = 0; i < 2; i++) {
        commands[i] = (VkCommandBuffer)(uintptr_t)id_of(VK_OBJECT_TYPE_COMMAND_BUFFER, i);
    }
    vn_encode_vkSetReplyCommandStreamMESA(
        &g->out, 0, &(struct vn_vkSetReplyCommandStreamMESA){.pStream = &reply});
    vn_encode_vkCreateInstance(
        &g->out, 1,
        &(struct vn_vkCreateInstance){.pCreateInfo = &instance_info, .pInstance = &instance});
    vn_encode_vkEnumeratePhysicalDevices(
        &g->out, 1,
        &(struct vn_vkEnumeratePhysicalDevices){
            .instance = instance, .pPhysicalDeviceCount = &one, .pPhysicalDevices = &gpu});
    vn_encode_vkCreateDevice(&g->out, 1,
                             &(struct vn_vkCreateDevice){.physicalDevice = gpu,
                                                         .pCreateInfo = &device_info,
                                                         .pDevice = &device});
    vn_encode_vkGetDeviceQueue2(&g->out, 0,
                                &(struct vn_vkGetDeviceQueue2){
                                    .device = device, .pQueueInfo = &queue_info, .pQueue = &queue});
    vn_encode_vkCreateCommandPool(&g->out, 0,
                                  &(struct vn_vkCreateCommandPool){.device = device,
                                                                   .pCreateInfo = &pool_info,
                                                                   .pCommandPool = &pool});
    vn_encode_vkAllocateCommandBuffers(
        &g->out, 0,
        &(struct vn_vkAllocateCommandBuffers){
            .device = device, .pAllocateInfo = &commands_info, .pCommandBuffers = commands});
    vn_encode_vkAllocateMemory(&g->out, 1,
                               &(struct vn_vkAllocateMemory){.device = device,
                                                             .pAllocateInfo = &memory_info,
                                                             .pMemory = &memory});
    submit_out(g);
    if (g->broken) {
        fprintf(stderr, "%s\n", vt_venus_context_reason(g->context));
    }
    FUZZ_CHECK(!g->broken);
}

static void make_command(struct guest *g)
{
    const struct vn_filled *command = &vn_filled[next(g, 2) % vn_filled_count];
    uint64_t args[ARGUMENTS] = {0};
    uint32_t seed = next(g, 3), how = next(g, 1);
    struct vn_fill fill = {.state = 0x9e3779b97f4a7c15U * (seed + UINT64_C(1)) | 1,
                           .arena = &g->seed,
                           .small = true,
                           .handle = choose,
                           .arg = g};
    FUZZ_CHECK(command->size <= sizeof args);
    g->making = made_by(command->name);
    vt_venus_arena_reset(&g->seed);
    command->fill(&fill, args);
    size_t before = (size_t)(g->out.at - g->out.start);
    command->encode(&g->out, how & 1, args);
    size_t n = (size_t)(g->out.at - g->out.start) - before;
    for (uint32_t i = how >> 5; i > 0 && !g->out.overflow && n > 8; i--) {
        uint32_t where = next(g, 2), what = next(g, 1);
        g->out.start[before + 8 + where % (n - 8)] ^= (uint8_t)what;
    }
}

/* ---------------------------------------------------------------- steps */

static void attach(struct guest *g, uint32_t id, uint32_t how)
{
    struct vt_error err;
    int fd = memfd_create("fuzz", MFD_CLOEXEC | (how & 4 ? MFD_ALLOW_SEALING : 0));
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 65536) == 0);
    if (how & 4) {
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
    }
    const struct vt_venus_memory memory = {.id = id,
                                           .fd = fd,
                                           .offset = how & 1 ? 4096 : 0,
                                           .size = how & 2 ? 65536 : 8192,
                                           .trusted = (how & 12) == 0};
    (void)vt_venus_context_attach(g->context, &memory, &err);
    close(fd);
}

static void step(struct guest *g)
{
    struct vt_error err;
    uint32_t kind = next(g, 1);
    int fd;
    switch (kind % 16) {
    case 0: { /* any bytes */
        uint32_t n = next(g, 1) * 4;
        uint8_t *bytes = calloc(1, n + 1);
        FUZZ_CHECK(bytes != NULL);
        for (uint32_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)next(g, 1);
        }
        submit(g, bytes, n);
        free(bytes);
        break;
    }
    case 1:
        (void)vt_venus_context_fence(g->context, next(g, 1) % 80, next(g, 4), &err);
        break;
    case 2:
        if (vt_venus_context_export(g->context, 8 + next(g, 1) % 8,
                                    id_of(VK_OBJECT_TYPE_DEVICE_MEMORY, next(g, 1)),
                                    (uint64_t)next(g, 2) << 8, &fd, &err) == 0) {
            close(fd);
        }
        break;
    case 3:
        attach(g, 1 + next(g, 1) % 16, next(g, 1));
        break;
    case 4:
        (void)vt_venus_context_detach(g->context, 1 + next(g, 1) % 16, &err);
        break;
    default:
        for (uint32_t n = kind >> 5; n > 0; n--) {
            make_command(g);
        }
        make_command(g);
        submit_out(g);
        break;
    }
}

static void heard(void *arg, uint32_t timeline, uint64_t id)
{
    (void)arg, (void)id;
    FUZZ_CHECK(timeline < VT_VENUS_TIMELINES);
}

static void told(void *arg, const char *reason, const char *commands)
{
    (void)commands;
    _Atomic unsigned *times = arg;
    FUZZ_CHECK(reason != NULL && ++*times == 1);
}

/* FUZZ_SAY=1: what an input has done. */
static bool say_count(const struct vt_venus_command_count *count, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s: %llu, failed %llu\n", count->name, (unsigned long long)count->count,
            (unsigned long long)count->failed);
    return true;
}

static struct vt_venus_renderer *renderer(void)
{
    static struct vt_venus_renderer *made;
    const struct vt_venus_options options = {.memory_max_bytes = 4 << 20, .objects_max = 1000};
    struct vt_error err;
    FUZZ_CHECK(made != NULL || vt_venus_renderer_create(&options, &made, &err) == 0);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_error err;
    _Atomic unsigned times = 0;
    const struct vt_venus_events events = {.fence = heard, .ended = told, .arg = &times};
    struct guest g = {.at = bytes, .end = bytes + count};
    FUZZ_CHECK(vt_venus_context_create(renderer(), 1, "fuzz", &events, &g.context, &err) == 0);
    vt_venus_arena_init(&g.seed, (size_t)64 << 20);
    vt_venus_out_init(&g.out, (size_t)1 << 20);
    g.reply_fd = memfd_create("reply", MFD_CLOEXEC);
    FUZZ_CHECK(g.reply_fd >= 0 && ftruncate(g.reply_fd, REPLY_BYTES) == 0);
    const struct vt_venus_memory reply = {
        .id = REPLY, .fd = g.reply_fd, .size = REPLY_BYTES, .trusted = true};
    FUZZ_CHECK(vt_venus_context_attach(g.context, &reply, &err) == 0);
    begin(&g);
    for (unsigned n = 0; n < STEPS_MAX && g.at < g.end && !g.broken; n++) {
        step(&g);
    }
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(g.context, &statistics);
    FUZZ_CHECK(statistics.ended == (vt_venus_context_reason(g.context) != NULL));
    if (getenv("FUZZ_SAY") != NULL) {
        vt_venus_context_commands(g.context, say_count, NULL);
        fprintf(stderr, "%s\n", g.broken ? vt_venus_context_reason(g.context) : "fine");
    }
    vt_venus_context_destroy(g.context);
    FUZZ_CHECK(stub_driver_alive() <= STUB_DRIVER_KEPT);
    close(g.reply_fd);
    vt_venus_out_fini(&g.out);
    vt_venus_arena_fini(&g.seed);
    return 0;
}
