/* tests/system/hybrid/images.c - kernels by hand, each function a section of its own: its bytes are
 * the image. So nothing outside of it may be needed: compiled without whatever calls or constants.
 */
#include "hybrid/segment.h"

#define IMAGE(name)                                                                                \
    __attribute__((section("image_" #name), used)) uint64_t name##_image(                          \
        const struct vt_hybrid_call *call);                                                        \
    uint64_t name##_image(const struct vt_hybrid_call *call)
/* Streams may lie and overlap in any way. */
typedef uint64_t __attribute__((aligned(1), may_alias)) word;
#define FAST __attribute__((optimize("O3", "tree-vectorize")))

FAST IMAGE(xor64)
{
    const word *from = (const word *)(const void *)call->streams[0];
    word *to = (word *)(void *)call->streams[1], n = call->count, key = call->inputs[0];
    uint64_t last = call->carries[1];
    for (uint64_t i = 0; i < n; i++) {
        to[i] = last = from[i] ^ key;
    }
    call->carries[0] += n;
    call->carries[1] = last;
    return n;
}
IMAGE(xor64_trips) /* key, n, rax, r8 */
{
    call->carries[0] = call->inputs[1] - call->inputs[2] - 1;
    return 1;
}
IMAGE(wrong) /* as xor64, but for one word */
{
    const word *from = (const word *)(const void *)call->streams[0];
    word *to = (word *)(void *)call->streams[1], n = call->count, key = call->inputs[0];
    for (uint64_t i = 0; i < n; i++) {
        to[i] = call->carries[1] = from[i] ^ key ^ (call->carries[0] + i == 5);
    }
    call->carries[0] += n;
    return n;
}

FAST IMAGE(fill64)
{
    word *to = (word *)(void *)call->streams[0], n = call->count;
    for (uint64_t i = 0; i < n; i++) {
        to[i] = call->inputs[0];
    }
    call->carries[0] += 8 * n;
    call->carries[1] -= n;
    return n;
}
IMAGE(fill64_trips) /* value, rdi, rcx */
{
    call->carries[0] = call->inputs[2] - 1;
    return 1;
}

FAST IMAGE(xorv)
{
    const word *from = (const word *)(const void *)call->streams[0];
    word *to = (word *)(void *)call->streams[1], n = call->count;
    uint64_t low = call->carries[1], high = call->carries[2];
    for (uint64_t i = 0; i < n; i++) {
        low = from[2 * i] ^ call->inputs[1];
        high = from[2 * i + 1] ^ call->inputs[2];
        to[2 * i] = low;
        to[2 * i + 1] = high;
    }
    call->carries[0] += 16 * n;
    call->carries[1] = low;
    call->carries[2] = high;
    return n;
}
IMAGE(xorv_trips) /* bytes, key low and high, rax, xmm0 */
{
    uint64_t bytes = call->inputs[0], rax = call->inputs[3];
    call->carries[0] = rax < bytes ? (bytes - rax - 1) / 16 : 0;
    return 1;
}

IMAGE(back8)
{
    const uint8_t *from = call->streams[0];
    uint8_t *to = call->streams[1];
    uint64_t n = call->count, last = call->carries[1];
    for (uint64_t i = 0; i < n; i++) {
        last = from[-1 - (int64_t)i];
        to[-(int64_t)i] = (uint8_t)last;
    }
    call->carries[0] -= n;
    call->carries[1] = last;
    return n;
}
IMAGE(back8_trips) /* rcx, rax */
{
    call->carries[0] = call->inputs[0] - 1;
    return 1;
}

IMAGE(length) /* ends itself */
{
    uint64_t n = 0;
    while (n < call->count && call->streams[0][n] != 0) {
        n++;
    }
    call->carries[0] += n;
    return n;
}

IMAGE(sum64)
{
    const word *from = (const word *)(const void *)call->streams[0];
    uint64_t n = call->count, sum = call->carries[2], last = call->carries[1];
    for (uint64_t i = 0; i < n; i++) {
        last = from[i];
        sum += last;
    }
    call->carries[0] += n;
    call->carries[1] = last;
    call->carries[2] = sum;
    return n;
}
IMAGE(sum64_trips) /* n, rcx, rax, sum */
{
    call->carries[0] = call->inputs[0] - call->inputs[1] - 1;
    return 1;
}
