/* tests/fuzz/fuzz_vgpu_diff.c - two recordings of commands, compared.
 *
 * Input: events, each a byte of kind and queue, one of flags, two of the request's length, one of
 * the response's, then their bytes; a first byte of 0xff begins the second recording. Every command
 * is told once and in order, and a recording equals itself.
 */
#include "tests/fuzz/fuzz.h"

#include "gpu/diff.h"

#include <string.h>

static void look(const char *name, const char *a, const char *b, void *arg)
{
    size_t *n = arg;
    *n += strlen(name) + strlen(a) + strlen(b);
}

static void check(const struct vt_vgpu_sequence *a, const struct vt_vgpu_sequence *b)
{
    struct vt_vgpu_diff *diff;
    size_t n, seen = 0;
    uint32_t next_a = 0, next_b = 0;
    if (vt_vgpu_diff_create(a, b, NULL, &diff, NULL) != 0) {
        return;
    }
    const struct vt_vgpu_step *steps = vt_vgpu_diff_steps(diff, &n);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(steps[i].a == next_a && steps[i].b == next_b);
        next_a += steps[i].kind != VT_VGPU_STEP_ONLY_B;
        next_b += steps[i].kind != VT_VGPU_STEP_ONLY_A;
        vt_vgpu_diff_fields(diff, &steps[i], look, &seen);
        FUZZ_CHECK(a != b || steps[i].kind == VT_VGPU_STEP_SAME);
    }
    FUZZ_CHECK(next_a == vt_vgpu_sequence_count(a) && next_b == vt_vgpu_sequence_count(b));
    vt_vgpu_diff_destroy(diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_vgpu_sequence *s[2] = {NULL, NULL};
    if (vt_vgpu_sequence_create("a", &s[0], NULL) == 0 &&
        vt_vgpu_sequence_create("b", &s[1], NULL) == 0) {
        unsigned side = 0;
        uint64_t sequence = 0;
        while (count >= 5) {
            if (bytes[0] == 0xff) {
                side = 1;
            }
            struct vt_vgpu_event_seen e = {
                .kind = (enum vt_vgpu_seen)(bytes[0] >> 1 & 3),
                .queue = bytes[0] & 1,
                .flags = bytes[1],
                .sequence = sequence++,
                .request_bytes = (uint32_t)(bytes[2] | bytes[3] << 8),
                .response_bytes = bytes[4],
            };
            bytes += 5;
            count -= 5;
            e.request_bytes = e.request_bytes < count ? e.request_bytes : (uint32_t)count;
            e.request = bytes;
            bytes += e.request_bytes;
            count -= e.request_bytes;
            e.response_bytes = e.response_bytes < count ? e.response_bytes : (uint32_t)count;
            e.response = bytes;
            bytes += e.response_bytes;
            count -= e.response_bytes;
            vt_vgpu_sequence_add(&e, s[side]);
        }
        check(s[0], s[1]);
        check(s[0], s[0]);
    }
    vt_vgpu_sequence_destroy(s[0]);
    vt_vgpu_sequence_destroy(s[1]);
    return 0;
}
