/* tests/fuzz/fuzz_vhost.c - a vhost-user back end whose front end and guest say what they like.
 *
 * The input is a script of steps: messages of any bytes, with descriptors of any kind; bytes at any
 * place of the guest's memory; heads made available on either queue; fences signalled; a start as
 * QEMU makes it. Whatever comes, the connection lives or ends, and nothing else happens.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/unit/gpu/vhost_front.h"

#include <string.h>
#include <unistd.h>

struct script {
    const uint8_t *at, *end;
};

static unsigned next(struct script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static size_t take(struct script *s, uint8_t *to, size_t most)
{
    size_t n = (size_t)next(s) * 2;
    const size_t left = (size_t)(s->end - s->at);
    n = n < most ? n : most;
    n = n < left ? n : left;
    memcpy(to, s->at, n);
    s->at += n;
    return n;
}

static void send_any(struct vt_front *f, struct script *s)
{
    uint8_t body[480];
    const int fds[] = {f->memory_fd, f->kick[0], f->call[1], f->kick[1]};
    const uint32_t request = next(s) % 48;
    const unsigned kind = next(s);
    const size_t bytes = take(s, body, sizeof body);
    vt_front_send(f, request, kind & 1 ? VT_VHOST_NEED_REPLY : 0, body, bytes,
                  fds + (kind >> 1 & 1), kind >> 2 & 3);
}

static void write_any(struct vt_front *f, struct script *s)
{
    uint8_t bytes[512];
    size_t at = (size_t)(next(s) | next(s) << 8) * 16;
    size_t n = take(s, bytes, sizeof bytes);
    at %= VT_FRONT_BYTES - sizeof bytes;
    memcpy(f->memory + at, bytes, n);
}

/* A command of a known type whose members are the input's. */
static void request_any(struct vt_front *f, struct script *s)
{
    struct {
        struct vt_vgpu_header h;
        uint8_t rest[488];
    } r;
    size_t count;
    const struct vt_vgpu_command *all = vt_vgpu_commands(&count);
    const unsigned queue = next(s), slot = queue >> 1 & 3, which = next(s);
    memset(&r, 0, sizeof r);
    size_t n = take(s, (uint8_t *)&r, sizeof r);
    r.h.type = which < 240 ? all[which % count].request->type : r.h.type;
    r.h.ctx_id %= 4;
    vt_front_request(f, queue & 1, slot, &r, n < sizeof r.h ? sizeof r : n, queue >> 3 << 4);
}

static void drain(struct vt_front *f)
{
    uint8_t bytes[2200];
    while (read(f->sock, bytes, sizeof bytes) > 0) {
    }
    while (f->backend >= 0 && read(f->backend, bytes, sizeof bytes) > 0) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct script s = {bytes, bytes + count};
    struct vt_front f;
    vt_front_begin(&f, next(&s) & 1);
    if (next(&s) & 1) {
        vt_front_start(&f);
    }
    f.contexts.hold_fences = next(&s) & 1;
    for (unsigned steps = 0; steps < 200 && s.at < s.end && !f.over; steps++) {
        switch (next(&s) % 8) {
        case 0:
        case 1:
            send_any(&f, &s);
            break;
        case 2:
            write_any(&f, &s);
            break;
        case 3:
            vt_front_offer(&f, next(&s) & 1, (uint16_t)(next(&s) * 3));
            break;
        case 4:
            f.contexts.refuse = next(&s) & 1;
            break;
        default:
            request_any(&f, &s);
            break;
        }
        vt_front_turn(&f);
        drain(&f);
    }
    vt_front_end(&f);
    FUZZ_CHECK(f.contexts.created == f.contexts.destroyed);
    return 0;
}
