/* tests/fuzz/fuzz_vhost.c - a vhost-user back end whose front end and guest say what they like.
 *
 * The input is a script of steps: messages of any bytes, with descriptors of any kind; bytes at any
 * place of the guest's memory; heads made available on either queue; commands, whose numbers often
 * are such as mean something; fences signalled; queues and memory set up as QEMU does; what people
 * ask of the device meanwhile. Whatever comes, the connection lives or ends, and nothing else
 * happens.
 */
#include "tests/fuzz/fuzz.h"

#include "tests/unit/gpu/vhost_front.h"

#include "base/json_writer.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW_PAGES 256u
#define BLOB_PAGES 512u

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

union command {
    struct vt_vgpu_header h;
    struct vt_vgpu_resource_create_2d create;
    struct vt_vgpu_resource_create_blob blob;
    struct vt_vgpu_resource_attach_backing backing;
    struct vt_vgpu_resource_map_blob map;
    struct vt_vgpu_set_scanout scanout;
    struct vt_vgpu_set_scanout_blob scanout_blob;
    struct vt_vgpu_update_cursor cursor;
    struct vt_vgpu_transfer_to_host_2d transfer;
    struct vt_vgpu_resource_flush flush;
    struct vt_vgpu_resource_unref other; /* the id is the first member */
    uint8_t bytes[512];
};

static void tame_rect(struct vt_vgpu_rect *r)
{
    r->x %= 64;
    r->y %= 64;
    r->width %= 256;
    r->height %= 256;
}

static void tame_entries(union command *r, size_t at, uint32_t *n)
{
    struct vt_vgpu_memory_entry e;
    *n %= 8;
    for (uint32_t i = 0; i < *n; i++, at += sizeof e) {
        memcpy(&e, r->bytes + at, sizeof e);
        e.addr = VT_FRONT_GPA + e.addr % VT_FRONT_BYTES;
        e.length %= 0x20000;
        memcpy(r->bytes + at, &e, sizeof e);
    }
}

/* Ids, places and sizes that there may be; the rest is the input's. */
static void tame(union command *r)
{
    switch (r->h.type) {
    case VT_VGPU_CMD_RESOURCE_CREATE_2D:
        r->create.width %= 512;
        r->create.height %= 512;
        r->create.format %= 140;
        break;
    case VT_VGPU_CMD_RESOURCE_CREATE_BLOB:
        r->blob.blob_mem = 1 + r->blob.blob_mem % 2;
        r->blob.blob_flags %= 8;
        r->blob.size = (r->blob.size % BLOB_PAGES) << 12;
        tame_entries(r, sizeof r->blob, &r->blob.nr_entries);
        break;
    case VT_VGPU_CMD_RESOURCE_ATTACH_BACKING:
        tame_entries(r, sizeof r->backing, &r->backing.nr_entries);
        break;
    case VT_VGPU_CMD_RESOURCE_MAP_BLOB:
        r->map.offset = (r->map.offset % WINDOW_PAGES) << 12;
        break;
    case VT_VGPU_CMD_SET_SCANOUT:
        tame_rect(&r->scanout.rect);
        r->scanout.scanout_id = 0;
        r->scanout.resource_id %= 8;
        return;
    case VT_VGPU_CMD_SET_SCANOUT_BLOB:
        tame_rect(&r->scanout_blob.rect);
        r->scanout_blob.scanout_id = 0;
        r->scanout_blob.resource_id %= 8;
        r->scanout_blob.width %= 512;
        r->scanout_blob.height %= 512;
        r->scanout_blob.strides[0] %= 4096;
        r->scanout_blob.offsets[0] %= 0x20000;
        return;
    case VT_VGPU_CMD_UPDATE_CURSOR:
    case VT_VGPU_CMD_MOVE_CURSOR:
        r->cursor.scanout_id = 0;
        r->cursor.resource_id %= 8;
        return;
    case VT_VGPU_CMD_TRANSFER_TO_HOST_2D:
        tame_rect(&r->transfer.rect);
        r->transfer.offset %= 0x40000;
        r->transfer.resource_id %= 8;
        return;
    case VT_VGPU_CMD_RESOURCE_FLUSH:
        tame_rect(&r->flush.rect);
        r->flush.resource_id %= 8;
        return;
    case VT_VGPU_CMD_CTX_CREATE:
    case VT_VGPU_CMD_SUBMIT_3D:
        return;
    default:
        break;
    }
    r->other.resource_id %= 8;
}

/* A command of a known type whose members are the input's. */
static void request_any(struct vt_front *f, struct script *s)
{
    union command r;
    size_t count;
    const struct vt_vgpu_command *all = vt_vgpu_commands(&count);
    const unsigned queue = next(s), slot = queue >> 1 & 3, which = next(s);
    memset(&r, 0, sizeof r);
    size_t n = take(s, r.bytes, sizeof r);
    r.h.type = which < 240 ? all[which % count].request->type : r.h.type;
    r.h.ctx_id %= 4;
    if (which < 150) {
        tame(&r);
    }
    vt_front_request(f, queue & 1, slot, &r, n < sizeof r.h ? sizeof r : n, queue >> 3 << 4);
}

/* A table of regions that are there: the memory in one or two pieces, perhaps less of it. */
static void set_memory(struct vt_front *f, struct script *s)
{
    const unsigned cut = next(s) % WINDOW_PAGES, n = cut > 0 && next(s) % 2 == 1 ? 2 : 1;
    const uint64_t first = cut > 0 ? cut * UINT64_C(4096) : VT_FRONT_BYTES;
    const int fds[] = {f->memory_fd, f->memory_fd};
    struct vt_vhost_table table = {.n = n};
    table.regions[0] = (struct vt_vhost_region){
        .gpa = VT_FRONT_GPA, .bytes = first, .front_end = VT_FRONT_ADDRESS};
    table.regions[1] = (struct vt_vhost_region){.gpa = VT_FRONT_GPA + first,
                                                .bytes = VT_FRONT_BYTES - first,
                                                .front_end = VT_FRONT_ADDRESS + first,
                                                .offset = first};
    vt_front_send(f, VT_VHOST_SET_MEM_TABLE, 0, &table, 8 + n * sizeof table.regions[0], fds, n);
}

static void stop(struct vt_front *f)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct vt_vhost_vring_state state = {i, 0};
        vt_front_send(f, VT_VHOST_GET_VRING_BASE, 0, &state, sizeof state, NULL, 0);
    }
}

/* The window was mapped, or not. */
static void answer_map(struct vt_front *f, struct script *s)
{
    struct {
        struct vt_vhost_header h;
        uint8_t result[8];
    } a = {.h = {VT_VHOST_BACKEND_SHMEM_MAP, VT_VHOST_VERSION | VT_VHOST_REPLY, 8}};
    a.result[0] = (uint8_t)next(s);
    if (f->backend >= 0) {
        (void)send(f->backend, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* What people ask of it: its picture, its size, what it counts. */
static void ask(struct vt_front *f, unsigned what)
{
    struct vt_card *card = vt_vhost_card(f->vhost);
    uint8_t *png;
    size_t bytes;
    if (what % 2 == 0 && vt_card_picture(card, true, &png, &bytes, NULL) == 0) {
        free(png);
    } else if (what % 4 == 1) {
        (void)vt_card_resize(card, 1 + what * 70, 1 + what * 40, NULL);
    } else if (what % 4 == 3) {
        struct vt_json_writer w;
        char *text = NULL;
        FILE *out = open_memstream(&text, &bytes);
        FUZZ_CHECK(out != NULL);
        vt_json_init(&w, out, false);
        vt_json_object(&w);
        vt_card_json(card, &w);
        vt_json_key(&w, "contexts");
        vt_json_array(&w);
        vt_card_contexts_json(card, 0, &w);
        vt_json_array_end(&w);
        vt_json_object_end(&w);
        vt_json_finish(&w);
        fclose(out);
        free(text);
    }
}

static void steer(struct vt_front *f, struct script *s)
{
    const unsigned how = next(s);
    switch (how >> 1 & 7) {
    case 0:
        f->contexts.refuse = how & 1;
        break;
    case 1:
    case 2:
        vt_front_signal(f, how >> 4);
        break;
    case 3:
        set_memory(f, s);
        break;
    case 4:
        stop(f);
        break;
    case 5:
        vt_front_queues(f, how & 1);
        break;
    case 6:
        answer_map(f, s);
        break;
    default:
        ask(f, how >> 4);
        break;
    }
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
            steer(&f, &s);
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
