/* tests/fuzz/fuzz_track.c - the tracker's protocol, from both ends.
 *
 * Whatever a reader sends in whatever pieces, the tracker sees the same and keeps its bounds.
 */
#include "memory/track_wire.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void feed(const uint8_t *bytes, size_t count)
{
    struct vt_track_requests whole = {0};
    struct vt_track_requests pieces = {0};
    struct vt_error err = {0};
    int rc = vt_track_requests_feed(&whole, bytes, count, &err);
    int piecewise = 0;
    for (size_t at = 0; at < count && piecewise == 0;) {
        size_t n = 1 + bytes[at] % 11;
        n = n < count - at ? n : count - at;
        piecewise = vt_track_requests_feed(&pieces, bytes + at, n, NULL);
        at += n;
    }
    FUZZ_CHECK(rc == piecewise);
    FUZZ_CHECK(rc == 0 || (rc == VT_E_PROTOCOL && err.code == VT_E_PROTOCOL));
    FUZZ_CHECK(whole.hz <= VT_TRACK_HZ_MAX && whole.hz == pieces.hz);
    FUZZ_CHECK(whole.scan == pieces.scan && !whole.busy);
    FUZZ_CHECK(whole.part_bytes < sizeof whole.part && whole.part_bytes == pieces.part_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    feed(bytes, count);
    struct vt_track_hello hello = {0};
    memcpy(&hello, bytes, count < sizeof hello ? count : sizeof hello);
    if (vt_track_hello_check(&hello, NULL) == 0) {
        FUZZ_CHECK(strlen(hello.why) < sizeof hello.why);
        FUZZ_CHECK(vt_track_mode_name((enum vt_track_mode)hello.mode) != NULL);
    }
    return 0;
}
