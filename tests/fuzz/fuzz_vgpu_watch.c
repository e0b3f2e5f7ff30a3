/* tests/fuzz/fuzz_vgpu_watch.c - rings that a hostile guest writes, watched.
 *
 * The input is a kind of ring, then steps: bytes written somewhere in 64 KiB of RAM, a buffer made
 * available, one returned, a look. Whatever is seen keeps its bounds, and every command that was
 * begun is told of once or counted.
 */
#include "gpu/resources.h"
#include "gpu/ring.h"
#include "tests/fuzz/fuzz.h"
#include "virtio/layout.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_BYTES 0x10000u
#define BASE 0x40000000u /* of RAM */
#define DESC 0x1000u
#define DRIVER 0x2000u
#define DEVICE 0x3000u

struct told {
    struct vt_vgpu_resources *resources;
    uint64_t commands, lost, sum;
    const uint64_t *sequence;
};

static bool take(const struct vt_vgpu_event_seen *e, void *arg)
{
    struct told *t = arg;
    FUZZ_CHECK(e->request_bytes <= VT_VGPU_PAYLOAD_MAX && e->response_bytes <= VT_VGPU_PAYLOAD_MAX);
    FUZZ_CHECK((e->flags & ~(uint32_t)VT_VGPU_SEEN_FLAGS) == 0);
    for (uint32_t i = 0; i < e->request_bytes; i++) {
        t->sum += e->request[i];
    }
    for (uint32_t i = 0; i < e->response_bytes; i++) {
        t->sum += e->response[i];
    }
    if (e->kind == VT_VGPU_SEEN_COMMAND) {
        FUZZ_CHECK(e->sequence < *t->sequence);
        t->commands++;
    } else {
        FUZZ_CHECK(e->kind == VT_VGPU_SEEN_LOST && e->lost > 0);
        t->lost += e->lost;
    }
    return vt_vgpu_resources_see(e, t->resources);
}

static void step(uint8_t *ram, uint16_t size, bool packed, const uint8_t in[6])
{
    uint16_t a, b;
    memcpy(&a, in + 1, sizeof a);
    memcpy(&b, in + 3, sizeof b);
    switch (in[0] % 4) {
    case 0: /* any two bytes, rather of the rings */
        a = (uint16_t)(in[5] % 4 == 0 ? a : 0x1000 + a % 0x3000);
        memcpy(ram + (a < RAM_BYTES - 1 ? a : 0), &b, sizeof b);
        break;
    case 1: { /* a descriptor that could be one */
        struct vt_split_desc d = {.address = BASE + 0x4000u + (b & 0xff0u),
                                  .bytes = in[5],
                                  .flags = in[5] % 8,
                                  .next = (uint16_t)(b % size)};
        if (packed) {
            memcpy((uint8_t *)&d + 12, &d.next, 2);
            d.next = (uint16_t)((in[5] % 8) | (b & (VT_PACKED_AVAIL | VT_PACKED_USED)));
        }
        memcpy(ram + DESC + sizeof d * (a % size), &d, sizeof d);
        break;
    }
    case 2: /* made available */
        if (!packed) {
            uint16_t idx;
            memcpy(&idx, ram + DRIVER + 2, sizeof idx);
            memcpy(ram + DRIVER + 4 + sizeof idx * (idx % size),
                   &(uint16_t){(uint16_t)(a % (size + 1u))}, sizeof idx);
            idx++;
            memcpy(ram + DRIVER + 2, &idx, sizeof idx);
        }
        break;
    default: /* returned */
        if (!packed) {
            uint16_t idx;
            memcpy(&idx, ram + DEVICE + 2, sizeof idx);
            const struct vt_split_used_elem e = {a % (size + 1u), b};
            memcpy(ram + DEVICE + 4 + sizeof e * (idx % size), &e, sizeof e);
            idx++;
            memcpy(ram + DEVICE + 2, &idx, sizeof idx);
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count < 4) {
        return 0;
    }
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, RAM_BYTES) == 0);
    uint8_t *ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    FUZZ_CHECK(ram != MAP_FAILED);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const struct vt_ram_region region = {VT_GPA(BASE), {0}, RAM_BYTES};
    struct vt_error err;
    struct vt_ram *mapped;
    FUZZ_CHECK(vt_ram_open(path, &region, 1, &mapped, &err) == 0);

    bool packed = (bytes[0] & 1) != 0;
    uint64_t sequence = 0;
    struct told told = {.sequence = &sequence};
    FUZZ_CHECK(vt_vgpu_resources_create(&told.resources, &err) == 0);
    const struct vt_vgpu_ring_config config = {
        .ram = mapped,
        .ring = {.desc = BASE + DESC,
                 .driver = BASE + DRIVER,
                 .device = BASE + DEVICE,
                 .size = (uint16_t)(packed ? 1u + bytes[1] : 1u << (bytes[1] % 8)),
                 .has_progress = true,
                 .returned = bytes[2]},
        .kind = packed ? VT_VGPU_RING_PACKED : VT_VGPU_RING_SPLIT,
        .queue = (enum vt_vgpu_queue)(bytes[0] >> 1 & 1),
        .history = (bytes[0] & 4) != 0,
        .sequence = &sequence,
        .fn = take,
        .arg = &told,
    };
    struct vt_vgpu_ring_watch *w;
    FUZZ_CHECK(vt_vgpu_ring_watch_create(&config, &w, &err) == 0);
    uint64_t now = 0;
    for (size_t at = 3; at + 6 <= count; at += 6) {
        if (bytes[at] % 8 == 7) {
            if (vt_vgpu_ring_poll(w, ++now) == VT_VGPU_JUMPED) {
                struct vt_vgpu_ring ring = config.ring;
                ring.returned = bytes[at + 1];
                vt_vgpu_ring_goes_on(w, &ring, vt_vgpu_ring_position(w));
                vt_vgpu_ring_resync(w, &ring, now);
            }
            FUZZ_CHECK(vt_vgpu_ring_in_flight(w) <= config.ring.size);
        } else {
            step(ram, config.ring.size, packed, bytes + at);
        }
    }
    vt_vgpu_ring_poll(w, ++now);
    vt_vgpu_ring_end(w, ++now);
    FUZZ_CHECK(vt_vgpu_ring_in_flight(w) == 0);
    const struct vt_vgpu_ring_counts *c = vt_vgpu_ring_counts(w);
    FUZZ_CHECK(c->commands == told.commands && c->lost == told.lost);
    FUZZ_CHECK(told.commands + told.lost >= sequence);
    vt_vgpu_ring_watch_destroy(w);
    vt_vgpu_resources_destroy(told.resources);
    vt_ram_close(mapped);
    munmap(ram, RAM_BYTES);
    close(fd);
    return 0;
}
