/* trace/dictionary.c - the blocks of a recording by their ids. See dictionary.h. */
#include "trace/dictionary.h"

#include "trace/ring.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)256 << 10)
#define ALIGNED(n) (((n) + 7) & ~(size_t)7)
#define ALIASES_MAX ((uint32_t)1 << 22) /* some 600 MB of them */
#define PAGE_SHIFT 12

struct vt_trace_dictionary_chunk {
    struct vt_trace_dictionary_chunk *next;
    size_t used;
    _Alignas(8) uint8_t bytes[];
};

void vt_trace_dictionary_init(struct vt_trace_dictionary *d, const char *arch)
{
    *d = (struct vt_trace_dictionary){0};
    strncpy(d->arch, arch, sizeof d->arch - 1);
}

void vt_trace_dictionary_fini(struct vt_trace_dictionary *d)
{
    while (d->chunks != NULL) {
        struct vt_trace_dictionary_chunk *next = d->chunks->next;
        free(d->chunks);
        d->chunks = next;
    }
    free(d->known);
    free(d->shown);
    free(d->aliases.slots);
    free(d->contents.slots);
    *d = (struct vt_trace_dictionary){0};
}

static void *place(struct vt_trace_dictionary *d, size_t bytes)
{
    bytes = ALIGNED(bytes);
    if (d->chunks == NULL || CHUNK_BYTES - d->chunks->used < bytes) {
        struct vt_trace_dictionary_chunk *c = malloc(sizeof *c + CHUNK_BYTES);
        if (c == NULL) {
            return NULL;
        }
        c->next = d->chunks;
        c->used = 0;
        d->chunks = c;
    }
    void *at = d->chunks->bytes + d->chunks->used;
    d->chunks->used += bytes;
    return at;
}

static int make_room(struct vt_trace_known ***list, uint32_t n, uint32_t *capacity,
                     struct vt_error *err)
{
    if (n < *capacity) {
        return 0;
    }
    uint32_t more = *capacity == 0 ? 1024 : *capacity * 2;
    struct vt_trace_known **wider = NULL;
    if (more > *capacity) {
        wider = reallocarray(*list, more, sizeof(struct vt_trace_known *));
    }
    if (wider == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", n);
    }
    *list = wider;
    *capacity = more;
    return 0;
}

static int corrupt(const struct vt_trace_dictionary *d, const char *what, uint64_t value,
                   struct vt_error *err)
{
    return vt_fail(err, VT_E_CORRUPT, "trace dictionary at 0x%llx, block %u: %s %llu",
                   (unsigned long long)d->at, d->n, what, (unsigned long long)value);
}

static int take_one(struct vt_trace_dictionary *d, const uint8_t *at, uint64_t left,
                    struct vt_error *err)
{
    struct vt_trace_block_entry e;
    if (left < sizeof e) {
        return corrupt(d, "cut after bytes", left, err);
    }
    memcpy(&e, at, sizeof e);
    if (e.id != d->n) {
        return corrupt(d, "its id is", e.id, err);
    }
    if (e.n == 0 || e.n > VT_TRACE_BLOCK_INSNS_MAX) {
        return corrupt(d, "instructions", e.n, err);
    }
    size_t body = (size_t)e.n + e.code_bytes;
    if (e.bytes != ALIGNED(sizeof e + body) || e.bytes > left) {
        return corrupt(d, "bytes", e.bytes, err);
    }
    int rc = make_room(&d->known, d->n, &d->capacity, err);
    if (rc != 0) {
        return rc;
    }
    struct vt_trace_known *known = place(d, sizeof *known + body);
    if (known == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", d->n + 1);
    }
    uint8_t *sizes = (uint8_t *)(known + 1);
    memcpy(sizes, at + sizeof e, body);
    size_t sum = 0;
    for (unsigned i = 0; i < e.n; i++) {
        if (sizes[i] == 0 || sizes[i] > VT_TRACE_INSN_BYTES_MAX) {
            return corrupt(d, "bytes of an instruction", sizes[i], err);
        }
        sum += sizes[i];
    }
    if (sum != e.code_bytes) {
        return corrupt(d, "bytes of code", e.code_bytes, err);
    }
    size_t last = sizes[e.n - 1];
    *known = (struct vt_trace_known){
        .block = {.id = e.id,
                  .pc = e.pc,
                  .machine = vt_trace_machine_of(d->arch),
                  .physical = e.physical,
                  .n = e.n,
                  .code_bytes = e.code_bytes,
                  .sizes = sizes,
                  .code = sizes + e.n},
        .flags = e.flags,
        .entry = e.id,
        .flow = vt_trace_flow_of(d->arch, e.pc + sum - last, sizes + e.n + sum - last, last)};
    d->known[d->n++] = known;
    d->at += e.bytes;
    return 0;
}

int vt_trace_dictionary_take(struct vt_trace_dictionary *d, const uint8_t *base, uint64_t head,
                             struct vt_error *err)
{
    int rc = 0;
    if (head < d->at) {
        return corrupt(d, "its head went back to", head, err);
    }
    while (rc == 0 && d->at < head) {
        rc = take_one(d, base + d->at, head - d->at, err);
    }
    return rc;
}

/* ---- what is shown */

static uint64_t hash_alias(const struct vt_trace_known *k)
{
    return (k->entry + ((uint64_t)k->pages << 20)) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool same_alias(const struct vt_trace_known *a, const struct vt_trace_known *b)
{
    return a->entry == b->entry && a->pages == b->pages;
}

static uint64_t hash_content(const struct vt_trace_known *k)
{
    uint64_t h = k->block.pc * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned i = 0; i < k->block.code_bytes; i++) {
        h = (h ^ k->block.code[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

static bool same_content(const struct vt_trace_known *a, const struct vt_trace_known *b)
{
    return a->block.pc == b->block.pc && a->block.n == b->block.n &&
           a->block.code_bytes == b->block.code_bytes &&
           memcmp(a->block.sizes, b->block.sizes, a->block.n) == 0 &&
           memcmp(a->block.code, b->block.code, a->block.code_bytes) == 0;
}

struct how {
    uint64_t (*hash)(const struct vt_trace_known *k);
    bool (*same)(const struct vt_trace_known *a, const struct vt_trace_known *b);
};
static const struct how by_alias = {hash_alias, same_alias};
static const struct how by_content = {hash_content, same_content};

/* Where it is, or would be. */
static struct vt_trace_known **look(const struct vt_trace_dictionary_table *t,
                                    const struct how *how, const struct vt_trace_known *like)
{
    uint64_t h = how->hash(like);
    uint32_t at = (uint32_t)(h >> 32) & (t->room - 1);
    while (t->slots[at] != NULL && !how->same(t->slots[at], like)) {
        at = (at + 1) & (t->room - 1);
    }
    return &t->slots[at];
}

/* Room for one more. */
static int widen(struct vt_trace_dictionary_table *t, const struct how *how, struct vt_error *err)
{
    if (t->n < t->room / 2) {
        return 0;
    }
    struct vt_trace_dictionary_table wider = {.room = t->room == 0 ? 1024 : t->room * 2, .n = t->n};
    if (wider.room != 0) {
        wider.slots = calloc(wider.room, sizeof(struct vt_trace_known *));
    }
    if (wider.slots == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", t->n);
    }
    for (uint32_t i = 0; i < t->room; i++) {
        if (t->slots[i] != NULL) {
            *look(&wider, how, t->slots[i]) = t->slots[i];
        }
    }
    free(t->slots);
    *t = wider;
    return 0;
}

static int find_alias(struct vt_trace_dictionary *d, struct vt_trace_known *known, int64_t pages,
                      struct vt_trace_known **alias, struct vt_error *err)
{
    int rc = widen(&d->aliases, &by_alias, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_trace_known like = {.entry = known->entry, .pages = pages};
    struct vt_trace_known **slot = look(&d->aliases, &by_alias, &like);
    if (*slot == NULL) {
        if (d->aliases.n == ALIASES_MAX) {
            return vt_fail(err, VT_E_LIMIT, "more than %u blocks at further addresses",
                           ALIASES_MAX);
        }
        struct vt_trace_known *made = place(d, sizeof *made);
        if (made == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", d->aliases.n);
        }
        const struct vt_trace_block *b = &known->block;
        uint64_t distance = (uint64_t)pages << PAGE_SHIFT;
        size_t last = b->sizes[b->n - 1];
        *made = *known;
        made->pages = pages;
        made->shown = made->alias = NULL;
        made->block.pc += distance;
        made->flow = vt_trace_flow_of(d->arch, made->block.pc + b->code_bytes - last,
                                      b->code + b->code_bytes - last, last);
        *slot = made;
        d->aliases.n++;
    }
    *alias = *slot;
    return 0;
}

int vt_trace_dictionary_show_new(struct vt_trace_dictionary *d, struct vt_trace_known *known,
                                 int64_t pages, const struct vt_trace_known **shown,
                                 struct vt_error *err)
{
    int rc = 0;
    if (pages != 0) {
        struct vt_trace_known *alias = NULL;
        rc = find_alias(d, known, pages, &alias, err);
        if (rc != 0) {
            return rc;
        }
        known->alias = alias;
        known = alias;
    }
    if (known->shown == NULL) {
        rc = widen(&d->contents, &by_content, err);
        rc = rc == 0 ? make_room(&d->shown, d->n_shown, &d->shown_capacity, err) : rc;
        if (rc != 0) {
            return rc;
        }
        struct vt_trace_known **slot = look(&d->contents, &by_content, known);
        if (*slot == NULL) {
            *slot = known;
            d->contents.n++;
            known->block.id = d->n_shown;
            d->shown[d->n_shown++] = known;
        }
        known->shown = *slot;
    }
    *shown = known->shown;
    return 0;
}

unsigned vt_trace_block_index(const struct vt_trace_block *block, uint64_t pc)
{
    uint64_t at = block->pc;
    for (unsigned i = 0; i < block->n; i++) {
        if (at == pc) {
            return i;
        }
        at += block->sizes[i];
    }
    return block->n;
}
