/* gpu/pcapng.h - what a packet of our pcapng holds: shared by its writer and its dissector's.
 *
 * Link type 252 (LINKTYPE_WIRESHARK_UPPER_PDU): tags, then the packet. Tag 12 names the dissector.
 * A packet is struct vt_vgpu_packet, little-endian, and the message's bytes.
 */
#ifndef VT_GPU_PCAPNG_H
#define VT_GPU_PCAPNG_H

#include <stdint.h>

#define VT_VGPU_DISSECTOR "vgpu"
#define VT_VGPU_PACKET_VERSION 1u

enum vt_vgpu_packet_kind {
    VT_VGPU_PACKET_REQUEST,
    VT_VGPU_PACKET_RESPONSE,
    VT_VGPU_PACKET_LOST,
    VT_VGPU_PACKET_RESET,
    VT_VGPU_PACKET_NOTE, /**< the message is text */
};

struct vt_vgpu_packet {
    uint8_t version, kind, queue;
    uint8_t flags;       /**< enum vt_vgpu_seen_flags */
    uint32_t message;    /**< bytes of it that there were; the packet may hold fewer */
    uint64_t sequence;   /**< the same in a request and its response */
    uint64_t latency_ns; /**< of a response; 0: not known */
    uint64_t lost;
    uint16_t slot, padding;
    uint32_t written;
};
_Static_assert(sizeof(struct vt_vgpu_packet) == 40, "the dissector's numbers");

#endif
