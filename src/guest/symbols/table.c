/* guest/symbols/table.c - the sorted list of symbols and its hash index. See table.h. */
#include "guest/symbols/table.h"

#include <stdlib.h>
#include <string.h>

#define PROBES_PER_SLOT 16u /* names of a kernel need less than one */

static int compare(const void *left, const void *right)
{
    const struct vt_symbol *a = left, *b = right;
    if (a->absolute != b->absolute) {
        return a->absolute ? -1 : 1;
    }
    if (a->value != b->value) {
        return a->value < b->value ? -1 : 1;
    }
    /* Names were laid down in the kernel's order: keep it among equals. */
    return a->name < b->name ? -1 : a->name > b->name;
}

/* FNV-1a. */
static size_t hash_of(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name != '\0'; name++) {
        h = (h ^ (uint8_t)*name) * 16777619u;
    }
    return h;
}

int vt_symbols_index(struct vt_symbols *symbols, struct vt_error *err)
{
    for (size_t i = 1; i < symbols->n; i++) {
        if (compare(&symbols->list[i - 1], &symbols->list[i]) > 0) {
            qsort(symbols->list, symbols->n, sizeof *symbols->list, compare);
            break;
        }
    }
    size_t slots = 1024;
    while (slots < symbols->n * 2) {
        slots *= 2;
    }
    symbols->slots = calloc(slots, sizeof *symbols->slots);
    if (symbols->slots == NULL) {
        return vt_fail(err, VT_E_NOMEM, "symbols: out of memory");
    }
    symbols->slot_mask = slots - 1;
    uint64_t probes = 0;
    for (size_t i = 0; i < symbols->n; i++) {
        const char *name = vt_symbols_name(symbols, &symbols->list[i]);
        size_t at = hash_of(name) & symbols->slot_mask;
        while (symbols->slots[at] != 0 &&
               strcmp(vt_symbols_name(symbols, &symbols->list[symbols->slots[at] - 1]), name) !=
                   0) {
            at = (at + 1) & symbols->slot_mask;
            probes++;
        }
        if (probes > (uint64_t)slots * PROBES_PER_SLOT) {
            return vt_fail(err, VT_E_LIMIT, "symbols: names made to collide");
        }
        if (symbols->slots[at] == 0) {
            symbols->slots[at] = (uint32_t)(i + 1);
        }
    }
    return 0;
}

void vt_symbols_fini(struct vt_symbols *symbols)
{
    free(symbols->list);
    free(symbols->names);
    free(symbols->slots);
    *symbols = (struct vt_symbols){0};
}

const char *vt_symbols_name(const struct vt_symbols *symbols, const struct vt_symbol *symbol)
{
    return symbols->names + symbol->name;
}

const struct vt_symbol *vt_symbols_find(const struct vt_symbols *symbols, const char *name)
{
    size_t at = symbols->n > 0 ? hash_of(name) & symbols->slot_mask : 0;
    for (; symbols->n > 0 && symbols->slots[at] != 0; at = (at + 1) & symbols->slot_mask) {
        const struct vt_symbol *s = &symbols->list[symbols->slots[at] - 1];
        if (strcmp(vt_symbols_name(symbols, s), name) == 0) {
            return s;
        }
    }
    return NULL;
}

const struct vt_symbol *vt_symbols_before(const struct vt_symbols *symbols, int64_t value,
                                          bool absolute)
{
    struct vt_symbol wanted = {.value = value, .name = UINT32_MAX, .absolute = absolute};
    size_t low = 0, high = symbols->n; /* the first one after `wanted` lies in [low, high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&symbols->list[middle], &wanted) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || symbols->list[low - 1].absolute != absolute) {
        return NULL;
    }
    return &symbols->list[low - 1];
}
