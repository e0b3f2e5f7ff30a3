/* trace/learn_table.c - tables that grow and an index of pairs of numbers. See learn_parts.h. */
#include "trace/learn_parts.h"

#include <stdlib.h>
#include <string.h>

int vt_learn_room(void **array, uint32_t n, uint32_t *capacity, size_t bytes, struct vt_error *err)
{
    if (n < *capacity) {
        return 0;
    }
    uint32_t wanted = *capacity < 32 ? 64 : *capacity * 2;
    void *grown = *capacity > UINT32_MAX / 4 ? NULL : reallocarray(*array, wanted, bytes);
    if (grown == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for what is learned (%u records)", n);
    }
    *array = grown;
    *capacity = wanted;
    return 0;
}

static uint32_t home(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b << 32 | b >> 32)) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ b) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(h >> 32);
}

/* The pair's slot, or the free one where it belongs. */
static struct vt_learn_slot *slot_of(const struct vt_learn_index *index, uint64_t a, uint64_t b)
{
    uint32_t at = home(a, b) & index->mask;
    while (index->slots[at].value != VT_LEARN_NONE &&
           (index->slots[at].a != a || index->slots[at].b != b)) {
        at = (at + 1) & index->mask;
    }
    return &index->slots[at];
}

uint32_t vt_learn_index_find(const struct vt_learn_index *index, uint64_t a, uint64_t b)
{
    return index->mask == 0 ? VT_LEARN_NONE : slot_of(index, a, b)->value;
}

static int grow(struct vt_learn_index *index, struct vt_error *err)
{
    uint32_t slots = index->mask == 0 ? 256 : (index->mask + 1) * 2;
    struct vt_learn_index bigger = {.n = index->n, .mask = slots - 1};
    bigger.slots = slots == 0 ? NULL : reallocarray(NULL, slots, sizeof *bigger.slots);
    if (bigger.slots == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for what is learned (%u keys)", index->n);
    }
    for (uint32_t i = 0; i < slots; i++) {
        bigger.slots[i].value = VT_LEARN_NONE;
    }
    for (uint32_t i = 0; index->mask != 0 && i <= index->mask; i++) {
        if (index->slots[i].value != VT_LEARN_NONE) {
            *slot_of(&bigger, index->slots[i].a, index->slots[i].b) = index->slots[i];
        }
    }
    free(index->slots);
    *index = bigger;
    return 0;
}

int vt_learn_index_put(struct vt_learn_index *index, uint64_t a, uint64_t b, uint32_t value,
                       struct vt_error *err)
{
    /* At most half full: a probe stays short. */
    int rc = index->mask == 0 || index->n >= index->mask / 2 ? grow(index, err) : 0;
    if (rc == 0) {
        *slot_of(index, a, b) = (struct vt_learn_slot){a, b, value};
        index->n++;
    }
    return rc;
}

void vt_learn_index_fini(struct vt_learn_index *index)
{
    free(index->slots);
    *index = (struct vt_learn_index){0};
}
