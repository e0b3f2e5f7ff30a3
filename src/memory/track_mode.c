/* memory/track_mode.c - the words for how changes are noticed. */
#include "vitrine/memory.h"

const char *vt_track_mode_name(enum vt_track_mode mode)
{
    static const char *const names[] = {"none", "pagemap", "hash"};
    return (size_t)mode < sizeof names / sizeof names[0] ? names[mode] : "none";
}
