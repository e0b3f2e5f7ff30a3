/* venus/fault.c - what was wrong with a command, as a sentence. */
#include "venus/codec.h"

#include <inttypes.h>
#include <stdio.h>

const char *vt_venus_fault_name(enum vt_venus_fault_kind kind)
{
    switch (kind) {
    case VT_VENUS_FINE:
        return "nothing wrong";
    case VT_VENUS_TRUNCATED:
        return "truncated stream";
    case VT_VENUS_COUNT:
        return "count too large";
    case VT_VENUS_NO_OBJECT:
        return "no such object";
    case VT_VENUS_TYPE:
        return "object of another type";
    case VT_VENUS_NULL:
        return "null where there must be something";
    case VT_VENUS_STRUCT:
        return "structure that may not stand here";
    case VT_VENUS_TAG:
        return "no such member of the union";
    case VT_VENUS_VALUE:
        return "value out of range";
    case VT_VENUS_MEMORY:
        return "too much memory for one command";
    case VT_VENUS_UNKNOWN:
        return "no such command";
    case VT_VENUS_REFUSED:
        return "not carried out by this host";
    case VT_VENUS_EXISTS:
        return "id in use";
    case VT_VENUS_FOREIGN:
        return "object of another device";
    }
    return "unknown fault";
}

const char *vt_venus_fault_text(const struct vt_venus_fault *fault, char *text, size_t bytes)
{
    char other[64] = "";
    if (fault->kind == VT_VENUS_TYPE) {
        snprintf(other, sizeof other, " (it is of type %" PRIu64 ")", fault->other);
    } else if (fault->other != 0) {
        snprintf(other, sizeof other, " (at most %" PRIu64 ")", fault->other);
    }
    snprintf(text, bytes, "%s: %s%s%s: %" PRIu64 "%s, at byte %zu of the stream",
             fault->command != NULL ? fault->command : "a command",
             fault->member != NULL ? fault->member : "", fault->member != NULL ? ": " : "",
             vt_venus_fault_name(fault->kind), fault->value, other, fault->offset);
    return text;
}
