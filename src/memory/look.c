/* memory/look.c - reads of memory that the guest goes on writing, with a verdict. See memory.h.
 *
 * Soundness: a look that changes nothing in `buf` compared every byte, after the look before took
 * it, with itself. So each byte held that value from the one look to the other, and all of them
 * did when the later look began.
 */
#include "vitrine/memory.h"

#include <string.h>

#define LOOKS_MAX 4

/* One more look, in pieces that fit the stack; what differs replaces what `buf` had. */
static int look_again(vt_look_fn *look, void *space, uint64_t at, uint8_t *buf, uint64_t len,
                      bool *changed, struct vt_error *err)
{
    uint8_t piece[VT_PAGE_BYTES];
    *changed = false;
    for (uint64_t done = 0; done < len;) {
        uint64_t n = len - done < sizeof piece ? len - done : sizeof piece;
        int rc = look(space, at + done, piece, n, err);
        if (rc != 0) {
            return rc;
        }
        if (memcmp(buf + done, piece, n) != 0) {
            memcpy(buf + done, piece, n);
            *changed = true;
        }
        done += n;
    }
    return 0;
}

int vt_look_twice(vt_look_fn *look, void *space, uint64_t at, void *buf, uint64_t len,
                  enum vt_verdict *verdict, struct vt_error *err)
{
    bool changed = true;
    int rc = look(space, at, buf, len, err);
    int looks = 0;
    while (rc == 0 && changed && looks < LOOKS_MAX) {
        rc = look_again(look, space, at, buf, len, &changed, err);
        looks++;
    }
    if (rc == 0) {
        *verdict = changed ? VT_TORN : looks == 1 ? VT_CONSISTENT : VT_RETRIED;
    }
    return rc;
}

static int look_at_ram(void *space, uint64_t at, void *buf, uint64_t len, struct vt_error *err)
{
    return vt_ram_read(space, VT_GPA(at), buf, len, err);
}

int vt_ram_read_checked(const struct vt_ram *ram, struct vt_gpa gpa, void *buf, uint64_t len,
                        enum vt_verdict *verdict, struct vt_error *err)
{
    return vt_look_twice(look_at_ram, (void *)(uintptr_t)ram, gpa.v, buf, len, verdict, err);
}

const char *vt_verdict_name(enum vt_verdict verdict)
{
    static const char *const names[] = {"consistent", "retried", "torn", "unchecked"};
    return (size_t)verdict < sizeof names / sizeof names[0] ? names[verdict] : "unknown";
}
