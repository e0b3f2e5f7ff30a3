/* gpu/export_pcapng.c - a packet a request and a packet a response, in order of time.
 *
 * Events come as commands were made available, each with its response: responses wait until an
 * event that was submitted later comes. Source: draft-ietf-opsawg-pcapng; the tags are Wireshark's
 * (exported_pdu.h).
 */
#include "gpu/export_parts.h"
#include "gpu/pcapng.h"

#include <stdlib.h>
#include <string.h>

#define SECTION_HEADER 0x0a0d0d0au
#define INTERFACE 1u
#define ENHANCED_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_WIRESHARK_UPPER_PDU 252u

enum { OPTION_END = 0, OPTION_COMMENT = 1, OPTION_USER_APPLICATION = 4 };
enum { INTERFACE_NAME = 2, INTERFACE_DESCRIPTION = 3, INTERFACE_TSRESOL = 9 };

/** The largest packet that Wireshark takes of such an interface. */
#define PACKET_MAX 262144u
/** Responses that wait at once, more than any queue's commands. */
#define WAITING_MAX 4096u

struct waiting {
    uint64_t at_ns;
    struct vt_vgpu_packet packet;
    uint8_t *message;
    uint32_t bytes;
};

struct pcapng {
    struct waiting *waiting; /* in order of time */
    size_t n, room;
};

/* The dissector's name, and the end of the tags: big-endian, padded to 4. */
static const uint8_t tags[] = {0, 12, 0, 4, 'v', 'g', 'p', 'u', 0, 0, 0, 0};
_Static_assert(sizeof VT_VGPU_DISSECTOR == 5, "the tag's length");

static uint32_t padded(size_t n)
{
    return (uint32_t)(n + 3) & ~3u;
}

static void put_u16(FILE *out, uint16_t value)
{
    fwrite(&value, sizeof value, 1, out);
}

static void put_u32(FILE *out, uint32_t value)
{
    fwrite(&value, sizeof value, 1, out);
}

static void put_padded(FILE *out, const void *bytes, size_t n)
{
    static const uint8_t zero[4];
    if (n > 0) {
        fwrite(bytes, 1, n, out);
    }
    fwrite(zero, 1, padded(n) - n, out);
}

static void put_option(FILE *out, uint16_t code, const void *bytes, size_t n)
{
    put_u16(out, code);
    put_u16(out, (uint16_t)n);
    put_padded(out, bytes, n);
}

static uint32_t option_bytes(size_t n)
{
    return 4 + padded(n);
}

static bool begin(struct vt_vgpu_export *x)
{
    static const char program[] = "vitrine";
    static const uint8_t nanoseconds = 9;
    x->own = calloc(1, sizeof(struct pcapng));
    if (x->own == NULL) {
        x->no_memory = true;
        return false;
    }
    uint32_t bytes = 28 + option_bytes(sizeof program - 1) + 4;
    put_u32(x->out, SECTION_HEADER);
    put_u32(x->out, bytes);
    put_u32(x->out, BYTE_ORDER_MAGIC);
    put_u16(x->out, 1);
    put_u16(x->out, 0);
    put_u32(x->out, UINT32_MAX); /* the section's length is not known */
    put_u32(x->out, UINT32_MAX);
    put_option(x->out, OPTION_USER_APPLICATION, program, sizeof program - 1);
    put_u32(x->out, OPTION_END);
    put_u32(x->out, bytes);

    size_t name = strnlen(x->origin.vm, sizeof x->origin.vm);
    size_t device = strnlen(x->origin.device, sizeof x->origin.device);
    bytes = 20 + option_bytes(name) + option_bytes(device) + option_bytes(1) + 4;
    put_u32(x->out, INTERFACE);
    put_u32(x->out, bytes);
    put_u16(x->out, LINKTYPE_WIRESHARK_UPPER_PDU);
    put_u16(x->out, 0);
    put_u32(x->out, PACKET_MAX);
    put_option(x->out, INTERFACE_NAME, x->origin.vm, name);
    put_option(x->out, INTERFACE_DESCRIPTION, x->origin.device, device);
    put_option(x->out, INTERFACE_TSRESOL, &nanoseconds, 1);
    put_u32(x->out, OPTION_END);
    put_u32(x->out, bytes);
    return !ferror(x->out);
}

static void put_packet(struct vt_vgpu_export *x, uint64_t at_ns,
                       const struct vt_vgpu_packet *packet, const void *message, uint32_t n)
{
    const size_t before = sizeof tags + sizeof *packet;
    uint32_t kept = n <= PACKET_MAX - before ? n : (uint32_t)(PACKET_MAX - before);
    uint32_t captured = (uint32_t)before + kept;
    uint32_t bytes = 32 + padded(captured);
    uint64_t stamp = x->origin.started_unix_ns + at_ns;
    put_u32(x->out, ENHANCED_PACKET);
    put_u32(x->out, bytes);
    put_u32(x->out, 0); /* the interface */
    put_u32(x->out, (uint32_t)(stamp >> 32));
    put_u32(x->out, (uint32_t)stamp);
    put_u32(x->out, captured);
    put_u32(x->out, (uint32_t)before + n);
    fwrite(tags, sizeof tags, 1, x->out);
    fwrite(packet, sizeof *packet, 1, x->out);
    put_padded(x->out, message, kept);
    put_u32(x->out, bytes);
}

/** Writes the responses that came until `until_ns`, and the first ones where too many wait. */
static void put_waiting(struct vt_vgpu_export *x, uint64_t until_ns, size_t most)
{
    struct pcapng *p = x->own;
    size_t done = 0;
    while (done < p->n && (p->waiting[done].at_ns <= until_ns || p->n - done > most)) {
        struct waiting *w = &p->waiting[done++];
        put_packet(x, w->at_ns, &w->packet, w->message, w->bytes);
        free(w->message);
    }
    if (done > 0) {
        p->n -= done;
        memmove(p->waiting, p->waiting + done, p->n * sizeof *p->waiting);
    }
}

static bool wait(struct vt_vgpu_export *x, const struct waiting *response)
{
    struct pcapng *p = x->own;
    if (p->n == p->room) {
        size_t room = p->room > 0 ? 2 * p->room : 64;
        struct waiting *more = realloc(p->waiting, room * sizeof *more);
        if (more == NULL) {
            return false;
        }
        p->waiting = more;
        p->room = room;
    }
    size_t at = p->n++;
    for (; at > 0 && p->waiting[at - 1].at_ns > response->at_ns; at--) {
        p->waiting[at] = p->waiting[at - 1];
    }
    p->waiting[at] = *response;
    return true;
}

static bool put_response(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event,
                         struct vt_vgpu_packet packet)
{
    struct waiting response = {.at_ns = event->answered_ns, .bytes = event->response_bytes};
    packet.kind = VT_VGPU_PACKET_RESPONSE;
    packet.message = event->response_bytes;
    packet.latency_ns = vt_vgpu_knows_latency(event) ? event->answered_ns - event->submitted_ns : 0;
    response.packet = packet;
    if (event->response_bytes > 0) {
        response.message = malloc(event->response_bytes);
        if (response.message == NULL) {
            x->no_memory = true;
            return false;
        }
        memcpy(response.message, event->response, event->response_bytes);
    }
    if (!wait(x, &response)) {
        free(response.message);
        x->no_memory = true;
        return false;
    }
    return true;
}

static bool put(struct vt_vgpu_export *x, const struct vt_vgpu_event_seen *event)
{
    if (event->kind == VT_VGPU_SEEN_VENUS) {
        return true; /* the dissector knows virtio-gpu's messages */
    }
    static const uint8_t kinds[] = {
        [VT_VGPU_SEEN_COMMAND] = VT_VGPU_PACKET_REQUEST,
        [VT_VGPU_SEEN_LOST] = VT_VGPU_PACKET_LOST,
        [VT_VGPU_SEEN_RESET] = VT_VGPU_PACKET_RESET,
        [VT_VGPU_SEEN_NOTE] = VT_VGPU_PACKET_NOTE,
    };
    const struct vt_vgpu_packet packet = {
        .version = VT_VGPU_PACKET_VERSION,
        .kind = kinds[event->kind],
        .queue = event->queue,
        .flags = (uint8_t)event->flags,
        .message = event->request_bytes,
        .sequence = event->sequence,
        .lost = event->lost,
        .slot = event->slot,
        .written = event->written,
    };
    put_waiting(x, event->submitted_ns, WAITING_MAX);
    put_packet(x, event->submitted_ns, &packet, event->request, event->request_bytes);
    if (event->kind == VT_VGPU_SEEN_COMMAND && (event->flags & VT_VGPU_NO_RESPONSE) == 0) {
        return put_response(x, event, packet);
    }
    return true;
}

static void end(struct vt_vgpu_export *x)
{
    struct pcapng *p = x->own;
    if (p != NULL) {
        put_waiting(x, UINT64_MAX, 0);
        free(p->waiting);
        free(p);
    }
}

const struct vt_vgpu_exporter vt_vgpu_exporter_pcapng = {
    .name = "pcapng", .begin = begin, .put = put, .end = end};
