/* tests/fuzz/fuzz_mailbox.c - a request in the mailbox that somebody made up: refused, or every
 * byte that its iterations may touch lies in RAM. Input: two streams' windows and strides, how much
 * RAM there is, the request, then pages.
 */
#include "tests/fuzz/fuzz.h"

#include "hybrid/mail.h"

#include <string.h>

#define PAGE 4096
#define TRIES 64u /* of many iterations, these */

struct input {
    struct {
        int16_t low;
        uint16_t bytes;
        int64_t stride;
        uint8_t by_input;
    } __attribute__((packed)) window[2];
    uint8_t ram_pages;
    uint64_t count, inputs[2];
    struct {
        uint32_t first, n;
        int64_t position;
    } __attribute__((packed)) stream[2];
} __attribute__((packed));

/* The pages of RAM that one iteration's window lies in are there. */
static void touch(const struct vt_pixel_stream *s, const struct vt_pixel_gpu_stream *given,
                  int64_t position, uint64_t ram_bytes)
{
    for (int64_t at = position + s->low; at < position + s->high; at++) {
        FUZZ_CHECK(at >= 0 && at / PAGE < given->n_pages);
        FUZZ_CHECK(given->pages[at / PAGE] + (uint64_t)(at % PAGE) < ram_bytes);
        at |= PAGE - 1; /* the next page */
    }
    int64_t last = position + s->high - 1;
    FUZZ_CHECK(last / PAGE < given->n_pages && given->pages[last / PAGE] < ram_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct vt_hybrid_mailbox mail;
    static struct vt_mail_request request;
    static struct vt_pixel_program program;
    struct input in;
    struct vt_error err;
    if (count < sizeof in) {
        return 0;
    }
    memcpy(&in, bytes, sizeof in);
    bytes += sizeof in;
    count -= sizeof in;
    memset(mail.pages, 0xff, 256 * sizeof *mail.pages);
    memcpy(mail.pages, bytes, count < 256 * 8 ? count : 256 * 8);
    mail.count = in.count;
    memcpy(mail.inputs, in.inputs, sizeof in.inputs);
    program.n_inputs = program.n_streams = 2;
    for (uint32_t i = 0; i < 2; i++) {
        program.streams[i] = (struct vt_pixel_stream){
            .writes = true,
            .low = in.window[i].low,
            .high = in.window[i].low + 1 + in.window[i].bytes,
            .stride = in.window[i].stride,
            .stride_input = (in.window[i].by_input & 1) != 0 ? i : VT_PIXEL_NONE};
        mail.streams[i].first = in.stream[i].first;
        mail.streams[i].n = in.stream[i].n;
        mail.streams[i].position = in.stream[i].position;
    }
    if (vt_mail_read(&mail, 2, &request, &err) != 0) {
        return 0;
    }
    uint64_t ram_bytes = (uint64_t)in.ram_pages * PAGE;
    if (vt_pixel_gpu_check(&program, &request.call, ram_bytes, &err) != 0) {
        return 0;
    }
    uint64_t n = request.call.count, step = n / TRIES + 1;
    for (uint32_t i = 0; i < 2; i++) {
        const struct vt_pixel_stream *s = &program.streams[i];
        int64_t stride = s->stride_input != VT_PIXEL_NONE ? (int64_t)request.inputs[i] : s->stride;
        for (uint64_t k = 0; k < n; k += step) {
            touch(s, &request.streams[i], request.streams[i].position + (int64_t)k * stride,
                  ram_bytes);
        }
        touch(s, &request.streams[i], request.streams[i].position + (int64_t)(n - 1) * stride,
              ram_bytes);
    }
    return 0;
}
