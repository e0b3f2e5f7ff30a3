/* tests/fuzz/fuzz_venus_ring.c - rings, and a guest that plays with their memory while they run.
 *
 * One resource holds the rings; each step of the input makes a ring, writes commands or any bytes
 * into a buffer, moves tail, head or status to where they belong or anywhere else, changes what a
 * ring is just reading, notifies, waits, ends it. The driver does nothing (stub_driver.h). Nothing
 * of it may harm us, and when the context is destroyed all of it is over.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/venus/stub_driver.h"
#include "vitrine/venus.h"
#include "vn_fill.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY = 1, BYTES = 65536, RINGS = 4, AREA = 16384, BUFFER = 8192, STEPS_MAX = 100 };
enum { HEAD = 0, TAIL = 64, STATUS = 128, DATA = 192, EXTRA = 12288, ARGUMENTS = 64 };

struct guest {
    const uint8_t *at, *end;
    struct vt_venus_context *context;
    struct vt_venus_out out;
    struct vt_venus_arena seed;
    uint8_t *memory;
    uint32_t tail[RINGS]; /* ours */
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

static _Atomic uint32_t *word(struct guest *g, uint32_t ring, uint32_t offset)
{
    return (_Atomic uint32_t *)(void *)(g->memory + (size_t)ring * AREA + offset);
}

static void submit_out(struct guest *g)
{
    struct vt_error err;
    int rc =
        vt_venus_context_submit(g->context, g->out.start, (size_t)(g->out.at - g->out.start), &err);
    FUZZ_CHECK(rc == 0 || rc == VT_E_PROTOCOL);
    g->broken = rc != 0;
    g->out.at = g->out.start;
}

static void create_ring(struct guest *g, uint32_t ring)
{
    uint32_t how = next(g, 1);
    const VkRingMonitorInfoMESA monitor = {.sType = VK_STRUCTURE_TYPE_RING_MONITOR_INFO_MESA,
                                           .maxReportingPeriodMicroseconds = 1000};
    VkRingCreateInfoMESA info = {.sType = VK_STRUCTURE_TYPE_RING_CREATE_INFO_MESA,
                                 .pNext = how & 1 ? &monitor : NULL,
                                 .resourceId = MEMORY,
                                 .offset = (size_t)ring * AREA,
                                 .size = AREA,
                                 .idleTimeout = how & 2 ? 0 : 1000,
                                 .headOffset = HEAD,
                                 .tailOffset = TAIL,
                                 .statusOffset = STATUS,
                                 .bufferOffset = DATA,
                                 .bufferSize = BUFFER,
                                 .extraOffset = EXTRA,
                                 .extraSize = 64};
    if ((how & 12) == 12) { /* one of them is something else */
        uint32_t what = next(g, 4);
        size_t *members[] = {&info.offset,     &info.size,         &info.headOffset,
                             &info.tailOffset, &info.statusOffset, &info.bufferOffset,
                             &info.bufferSize, &info.extraOffset,  &info.extraSize};
        size_t *member = members[what % (sizeof members / sizeof members[0])];
        *member = how & 64 ? SIZE_MAX - what : what >> 8;
    }
    if ((how & 16) == 0) {
        memset(g->memory + (size_t)ring * AREA, 0, DATA);
        g->tail[ring] = 0;
    }
    vn_encode_vkCreateRingMESA(
        &g->out, 0, &(struct vn_vkCreateRingMESA){.ring = ring + 1, .pCreateInfo = &info});
    submit_out(g);
}

static void notify(struct guest *g, uint32_t ring)
{
    vn_encode_vkNotifyRingMESA(
        &g->out, 0, &(struct vn_vkNotifyRingMESA){.ring = ring + 1, .seqno = g->tail[ring]});
    submit_out(g);
}

static void into_buffer(struct guest *g, uint32_t ring, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* Another thread reads: each byte is written as one. */
        uint8_t *to = g->memory + (size_t)ring * AREA + DATA + (g->tail[ring] + i) % BUFFER;
        __atomic_store_n(to, bytes[i], __ATOMIC_RELAXED);
    }
    g->tail[ring] += (uint32_t)count;
}

static void write_command(struct guest *g, uint32_t ring)
{
    const struct vn_filled *command = &vn_filled[next(g, 2) % vn_filled_count];
    uint64_t args[ARGUMENTS] = {0};
    uint32_t seed = next(g, 2);
    struct vn_fill fill = {
        .state = 0x9e3779b97f4a7c15U * (seed + UINT64_C(1)) | 1, .arena = &g->seed, .small = true};
    vt_venus_arena_reset(&g->seed);
    command->fill(&fill, args);
    command->encode(&g->out, seed & 1, args);
    if (!g->out.overflow && g->out.at - g->out.start <= BUFFER) {
        into_buffer(g, ring, g->out.start, (size_t)(g->out.at - g->out.start));
    }
    g->out.at = g->out.start;
    g->out.overflow = false;
}

/* Harmless ones, so that rings go on. */
static void write_fine(struct guest *g, uint32_t ring)
{
    uint32_t version = 0;
    for (uint32_t n = 1 + next(g, 1) % 32; n > 0; n--) {
        vn_encode_vkEnumerateInstanceVersion(
            &g->out, 0, &(struct vn_vkEnumerateInstanceVersion){.pApiVersion = &version});
    }
    into_buffer(g, ring, g->out.start, (size_t)(g->out.at - g->out.start));
    g->out.at = g->out.start;
}

static void await(struct guest *g, uint32_t ring)
{
    for (unsigned i = 0; i < 200; i++) {
        if (atomic_load(word(g, ring, HEAD)) == g->tail[ring] ||
            vt_venus_context_reason(g->context) != NULL) {
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
}

static void step(struct guest *g)
{
    uint32_t kind = next(g, 1), ring = kind >> 4 & (RINGS - 1);
    switch (kind & 15) {
    case 0:
        create_ring(g, ring);
        break;
    case 1:
        vn_encode_vkDestroyRingMESA(&g->out, 0, &(struct vn_vkDestroyRingMESA){.ring = ring + 1});
        submit_out(g);
        break;
    case 2:
        notify(g, ring);
        break;
    case 3:
        write_command(g, ring);
        break;
    case 4: { /* any bytes */
        uint8_t bytes[64];
        uint32_t n = next(g, 1) % sizeof bytes;
        for (uint32_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)next(g, 1);
        }
        into_buffer(g, ring, bytes, n);
        break;
    }
    case 5:
        atomic_store(word(g, ring, TAIL), next(g, 4));
        break;
    case 6:
        atomic_store(word(g, ring, HEAD), next(g, 4));
        break;
    case 7:
        atomic_store(word(g, ring, STATUS), next(g, 4));
        break;
    case 8: /* changes what may be being read */
        for (uint32_t i = 0, at = next(g, 2), what = next(g, 1); i < 256; i++) {
            __atomic_store_n(g->memory + (size_t)ring * AREA + DATA + (at + i) % BUFFER,
                             (uint8_t)what, __ATOMIC_RELAXED);
        }
        break;
    case 9:
        await(g, ring);
        break;
    case 10:
        vn_encode_vkWriteRingExtraMESA(&g->out, 0,
                                       &(struct vn_vkWriteRingExtraMESA){.ring = ring + 1,
                                                                         .offset = next(g, 1),
                                                                         .value = next(g, 1)});
        submit_out(g);
        break;
    case 11:
        vn_encode_vkSubmitVirtqueueSeqnoMESA(
            &g->out, 0,
            &(struct vn_vkSubmitVirtqueueSeqnoMESA){.ring = ring + 1, .seqno = next(g, 1)});
        submit_out(g);
        break;
    default:
        write_fine(g, ring);
        atomic_store(word(g, ring, TAIL), g->tail[ring]);
        if ((kind & 15) == 15 ||
            (atomic_load(word(g, ring, STATUS)) & VK_RING_STATUS_IDLE_BIT_MESA) != 0) {
            notify(g, ring);
        }
        break;
    }
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
    struct guest g = {.at = bytes, .end = bytes + count};
    int fd = memfd_create("rings", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, BYTES) == 0);
    g.memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    FUZZ_CHECK(g.memory != MAP_FAILED);
    FUZZ_CHECK(vt_venus_context_create(renderer(), 1, "fuzz", NULL, &g.context, &err) == 0);
    const struct vt_venus_memory memory = {.id = MEMORY, .fd = fd, .size = BYTES, .trusted = true};
    FUZZ_CHECK(vt_venus_context_attach(g.context, &memory, &err) == 0);
    vt_venus_arena_init(&g.seed, (size_t)64 << 20);
    vt_venus_out_init(&g.out, (size_t)1 << 20);
    create_ring(&g, 0);
    for (unsigned n = 0; n < STEPS_MAX && g.at < g.end && !g.broken; n++) {
        step(&g);
    }
    vt_venus_context_destroy(g.context);
    FUZZ_CHECK(stub_driver_alive() <= STUB_DRIVER_KEPT);
    vt_venus_out_fini(&g.out);
    vt_venus_arena_fini(&g.seed);
    munmap(g.memory, BYTES);
    close(fd);
    return 0;
}
