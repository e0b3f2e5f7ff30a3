/* gpu/vtest_protocol.h - the messages of vtest, as far as Venus uses them: little-endian dwords, a
 * header {length, id} before each, the length in dwords (of CREATE_RENDERER: in bytes).
 *
 * Source: Mesa, src/virtio/vtest/vtest_protocol.h, version 3, and what its vn_renderer_vtest.c
 * sends.
 */
#ifndef VT_GPU_VTEST_PROTOCOL_H
#define VT_GPU_VTEST_PROTOCOL_H

#include <stdint.h>

enum vt_vtest_message {
    VT_VTEST_GET_CAPS = 1,
    VT_VTEST_RESOURCE_CREATE = 2,
    VT_VTEST_RESOURCE_UNREF = 3,  /* {resource} */
    VT_VTEST_SUBMIT_CMD = 6,      /* a stream */
    VT_VTEST_BUSY_WAIT = 7,       /* {resource, flags} → {busy} */
    VT_VTEST_CREATE_RENDERER = 8, /* the client's name */
    VT_VTEST_GET_CAPS2 = 9,
    VT_VTEST_PING = 10,                 /* → {} */
    VT_VTEST_PROTOCOL_VERSION = 11,     /* {version} → {version} */
    VT_VTEST_GET_PARAM = 15,            /* {param} → {valid, value} */
    VT_VTEST_GET_CAPSET = 16,           /* {id, version} → {valid, the set} */
    VT_VTEST_CONTEXT_INIT = 17,         /* {capset} */
    VT_VTEST_RESOURCE_CREATE_BLOB = 18, /* {type, flags, size, size, id, id} → {resource}, fd */
    VT_VTEST_SYNC_CREATE = 19,          /* {value, value} → {sync} */
    VT_VTEST_SYNC_UNREF = 20,           /* {sync} */
    VT_VTEST_SYNC_READ = 21,            /* {sync} → {value, value} */
    VT_VTEST_SYNC_WRITE = 22,           /* {sync, value, value} */
    VT_VTEST_SYNC_WAIT = 23,   /* {flags, timeout in ms, n × {sync, value, value}} → {}, fd */
    VT_VTEST_SUBMIT_CMD2 = 24, /* {n, n × struct vt_vtest_batch, streams, {sync, value, value}…} */
};

#define VT_VTEST_VERSION 3u
#define VT_VTEST_CAPSET_VENUS 4u
#define VT_VTEST_PARAM_TIMELINES 1u
#define VT_VTEST_WAIT_ANY 1u
#define VT_VTEST_FOR_EVER UINT32_MAX
#define VT_VTEST_RING_INDEX 1u

enum vt_vtest_blob {
    VT_VTEST_BLOB_GUEST = 1,
    VT_VTEST_BLOB_HOST3D = 2, /* id 0: plain shared memory */
};

/** Offsets and sizes in dwords, from the first of the message behind its header. */
struct vt_vtest_batch {
    uint32_t flags;
    uint32_t stream, stream_size;
    uint32_t syncs, n_syncs;
    uint32_t ring_index; /**< without VT_VTEST_RING_INDEX: 0 */
};

#endif
