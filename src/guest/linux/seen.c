/* guest/linux/seen.c - a set of addresses. See seen.h. */
#include "guest/linux/seen.h"

#include <stdlib.h>

#define FIRST_ROOM 256u

/* Where `value` is, or the free slot for it; room > n, so there is one. */
static size_t slot_of(const struct vt_seen *seen, uint64_t value)
{
    /* Fibonacci hashing: nodes are aligned, their low bits say nothing. */
    size_t at = (size_t)((value * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (seen->room - 1);
    while (seen->slots[at] != 0 && seen->slots[at] != value) {
        at = (at + 1) & (seen->room - 1);
    }
    return at;
}

static int grow(struct vt_seen *seen, struct vt_error *err)
{
    struct vt_seen larger = {.n = seen->n, .room = seen->room == 0 ? FIRST_ROOM : 2 * seen->room};
    larger.slots = calloc(larger.room, sizeof *larger.slots);
    if (larger.slots == NULL) {
        return vt_fail(err, VT_E_NOMEM, "a walk: out of memory");
    }
    for (size_t i = 0; i < seen->room; i++) {
        if (seen->slots[i] != 0) {
            larger.slots[slot_of(&larger, seen->slots[i])] = seen->slots[i];
        }
    }
    free(seen->slots);
    *seen = larger;
    return 0;
}

int vt_seen_add(struct vt_seen *seen, uint64_t value, struct vt_error *err)
{
    int rc = seen->n * 2 >= seen->room ? grow(seen, err) : 0;
    if (rc != 0) {
        return rc;
    }
    size_t slot = slot_of(seen, value);
    if (seen->slots[slot] == value) {
        return 0;
    }
    seen->slots[slot] = value;
    seen->n++;
    return 1;
}

bool vt_seen_has(const struct vt_seen *seen, uint64_t value)
{
    return seen->room != 0 && seen->slots[slot_of(seen, value)] == value;
}

void vt_seen_fini(struct vt_seen *seen)
{
    free(seen->slots);
    *seen = (struct vt_seen){0};
}
