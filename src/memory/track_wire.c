/* memory/track_wire.c - parsing both directions of the tracker's protocol. See track_wire.h. */
#include "memory/track_wire.h"

#include <string.h>

int vt_track_hello_check(const struct vt_track_hello *hello, struct vt_error *err)
{
    if (hello->magic != VT_TRACK_MAGIC || hello->version != VT_TRACK_WIRE_VERSION) {
        return vt_fail(err, VT_E_PROTOCOL, "the other side is no page tracker of this version");
    }
    if (hello->mode > VT_TRACK_HASH || memchr(hello->why, '\0', sizeof hello->why) == NULL) {
        return vt_fail(err, VT_E_PROTOCOL, "the page tracker's greeting is malformed");
    }
    return 0;
}

static int take_word(struct vt_track_requests *r, const struct vt_track_word *word,
                     struct vt_error *err)
{
    if (word->op == VT_TRACK_SCAN && word->value == 0 && !r->scan && !r->busy) {
        r->scan = true;
        return 0;
    }
    if (word->op == VT_TRACK_SUBSCRIBE && word->value <= VT_TRACK_HZ_MAX) {
        r->hz = word->value;
        return 0;
    }
    return vt_fail(err, VT_E_PROTOCOL, "a reader asked the page tracker for %u (%u)", word->op,
                   word->value);
}

int vt_track_requests_feed(struct vt_track_requests *r, const void *bytes, size_t count,
                           struct vt_error *err)
{
    const uint8_t *p = bytes;
    while (count > 0) {
        size_t n = sizeof r->part - r->part_bytes;
        n = n < count ? n : count;
        memcpy(r->part + r->part_bytes, p, n);
        r->part_bytes += n;
        p += n;
        count -= n;
        if (r->part_bytes == sizeof r->part) {
            struct vt_track_word word;
            memcpy(&word, r->part, sizeof word);
            r->part_bytes = 0;
            int rc = take_word(r, &word, err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}
