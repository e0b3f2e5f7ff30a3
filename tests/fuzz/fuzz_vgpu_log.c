/* tests/fuzz/fuzz_vgpu_log.c - the driver's log in a guest's RAM, as a hostile guest may write it.
 *
 * Input: a header's changes (head, tail, records: 24 bytes), then the ring's bytes; the second half
 * of the input is what the guest writes between two looks. Whatever they are: every look ends,
 * events hold what they say, and what is kept stays small.
 */
#include "tests/fuzz/fuzz.h"

#include "gpu/driver_log.h"
#include "virtio/gpu/log.h"

#include <stdlib.h>
#include <string.h>

#define RING 4096u

struct count {
    size_t events, bytes;
    unsigned sum;
};

static bool see(const struct vt_vgpu_event_seen *e, void *arg)
{
    struct count *c = arg;
    c->events++;
    c->bytes += (size_t)e->request_bytes + e->response_bytes;
    FUZZ_CHECK(e->request_bytes <= RING && e->response_bytes <= RING);
    FUZZ_CHECK(e->request_bytes == 0 || e->request != NULL);
    FUZZ_CHECK(e->response_bytes == 0 || e->response != NULL);
    for (uint32_t i = 0; i < e->request_bytes; i++) {
        c->sum += e->request[i];
    }
    for (uint32_t i = 0; i < e->response_bytes; i++) {
        c->sum += e->response[i];
    }
    FUZZ_CHECK(e->kind != VT_VGPU_SEEN_LOST || e->lost > 0);
    return c->events % 1000 != 999;
}

static void scribble(uint8_t *memory, const uint8_t *data, size_t size)
{
    struct vt_vgpu_log_header *h = (void *)memory;
    uint64_t moved[3] = {0};
    size_t n = size < sizeof moved ? size : sizeof moved;
    memcpy(moved, data, n);
    h->head = moved[0];
    h->tail = moved[1];
    h->records = moved[2];
    size_t rest = size - n < RING ? size - n : RING;
    memcpy(memory + VT_VGPU_LOG_HEADER_BYTES, data + n, rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = VT_VGPU_LOG_HEADER_BYTES + RING;
    uint8_t *memory = aligned_alloc(4096, room);
    FUZZ_CHECK(memory != NULL);
    memset(memory, 0, room);
    struct vt_vgpu_log_header header = {
        .version = VT_VGPU_LOG_VERSION, .header_bytes = VT_VGPU_LOG_HEADER_BYTES, .bytes = RING};
    memcpy(header.magic, VT_VGPU_LOG_MAGIC, sizeof header.magic);
    memcpy(memory, &header, sizeof header);
    scribble(memory, data, size / 2);
    struct vt_vgpu_log_reader *r = NULL;
    struct vt_error err;
    struct count count = {0};
    if (vt_vgpu_log_reader_create_at(memory, room, VT_GPA(0), &r, &err) == 0) {
        for (unsigned look = 0; look < 4; look++) {
            (void)vt_vgpu_log_reader_poll(r, see, &count, &err);
            scribble(memory, data + size / 2, size - size / 2);
            memory[0] = look == 1 ? 0 : (uint8_t)VT_VGPU_LOG_MAGIC[0];
        }
        (void)vt_vgpu_log_reader_flush(r, see, &count, &err);
        /* Each record of a look is one event and what goes with it. */
        FUZZ_CHECK(count.events <= 5 * (3 * RING / 16 + 2));
        vt_vgpu_log_reader_destroy(r);
    }
    free(memory);
    /* The header as it comes. */
    struct vt_vgpu_log_place place;
    if (size >= sizeof header) {
        (void)vt_vgpu_log_check(data, size, VT_GPA(0), &place, &err);
    }
    return 0;
}
