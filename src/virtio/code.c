/* virtio/code.c - what the codes are called. */
#include "vitrine/virtio.h"

const char *vt_virtio_code_name(int code)
{
    switch ((enum vt_virtio_code)code) {
    case VT_VIRTIO_OK:
        return "ok";
    case VT_VIRTIO_E_NOMEM:
        return "the arena is used up";
    case VT_VIRTIO_E_INVAL:
        return "invalid argument";
    case VT_VIRTIO_E_FULL:
        return "queue full";
    case VT_VIRTIO_E_NO_DEVICE:
        return "no such device";
    case VT_VIRTIO_E_UNSUPPORTED:
        return "not supported by the device";
    case VT_VIRTIO_E_PROTOCOL:
        return "the device broke a rule";
    case VT_VIRTIO_E_NEEDS_RESET:
        return "the device needs a reset";
    case VT_VIRTIO_E_TIMEOUT:
        return "no answer in time";
    }
    return "unknown code";
}
