/* trace/diff_side.c - a source's events into the instructions of one lane. See diff_parts.h. */
#include "trace/diff_parts.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KERNEL_HALF ((uint64_t)1 << 63)
#define PAGE_OFFSET 0xfffu
/** Ids of blocks are dense: more of them than this are not kept, but made anew. */
#define BLOCKS_MAX ((uint32_t)1 << 24)

/* ---- what is compared ---- */

static uint64_t hash_of(uint64_t a, uint64_t b, const void *bytes, size_t n)
{
    uint64_t words[2] = {a, b};
    uint64_t hash = XXH3_64bits_withSeed(bytes, n, XXH3_64bits(words, sizeof words));
    return hash != 0 ? hash : 1;
}

/* Of instruction i, which is at `pc` and `at` bytes into the code. */
static uint64_t key_of(const struct vt_diff_side *s, const struct vt_trace_block *block, unsigned i,
                       uint64_t pc, unsigned at, const struct vt_trace_insn_facts *facts)
{
    uint8_t size = block->sizes[i];
    bool there = at + size <= block->code_bytes;
    if (!s->options->relocate) {
        return hash_of(pc, size, block->code + (there ? at : 0), there ? size : 0);
    }
    if ((pc & KERNEL_HALF) != 0 && facts->has_token) {
        return hash_of(pc & PAGE_OFFSET, facts->token, &size, 1);
    }
    return hash_of(pc & PAGE_OFFSET, size, block->code + (there ? at : 0), there ? size : 0);
}

static int make_keys(struct vt_diff_side *s, const struct vt_trace_block *block,
                     struct vt_diff_keys *keys, struct vt_error *err)
{
    struct vt_trace_insn_decoder decoder;
    uint64_t *made = calloc(block->n + (block->n + 63u) / 64u, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a block of %u instructions", block->n);
    }
    *keys = (struct vt_diff_keys){.keys = made, .repeats = made + block->n, .n = block->n};
    vt_trace_insn_decoder_init(&decoder, s->arch, block);
    unsigned at = 0;
    for (unsigned i = 0; i < block->n; i++) {
        struct vt_trace_insn_facts facts = {0};
        if (at + block->sizes[i] <= block->code_bytes) {
            vt_trace_insn_facts_of(&decoder, block->pc + at, block->code + at, block->sizes[i],
                                   &facts);
        }
        keys->keys[i] = key_of(s, block, i, block->pc + at, at, &facts);
        keys->repeats[i / 64] |= (uint64_t)facts.repeats << (i % 64);
        at += block->sizes[i];
    }
    return 0;
}

static int find_keys(struct vt_diff_side *s, const struct vt_trace_block *block,
                     const struct vt_diff_keys **keys, struct vt_error *err)
{
    if (block->id >= BLOCKS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "a recording of more than %u blocks", BLOCKS_MAX);
    }
    if (block->id >= s->n_blocks) {
        uint32_t n = s->n_blocks > 0 ? s->n_blocks : 4096;
        while (n <= block->id) {
            n *= 2;
        }
        struct vt_diff_keys *more = reallocarray(s->blocks, n, sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", n);
        }
        memset(more + s->n_blocks, 0, (n - s->n_blocks) * sizeof *more);
        s->blocks = more;
        s->n_blocks = n;
    }
    struct vt_diff_keys *found = &s->blocks[block->id];
    int rc = found->keys == NULL ? make_keys(s, block, found, err) : 0;
    *keys = found;
    return rc;
}

/* Relocated pointers differ, and so do the pages of addresses. */
static uint64_t data_of(const struct vt_diff_side *s, const struct vt_trace_access *accesses,
                        uint32_t n)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct vt_trace_access *a = &accesses[i];
        bool pointer = s->options->relocate && a->bytes >= 8;
        uint64_t parts[] = {hash, s->options->relocate ? a->address & PAGE_OFFSET : a->address,
                            (uint64_t)a->bytes << 1 | a->store,
                            a->has_value && !pointer ? a->value[0] : 0,
                            a->has_value && !pointer && a->bytes == 16 ? a->value[1] : 0};
        hash = XXH3_64bits(parts, sizeof parts);
        hash = hash != 0 ? hash : 1;
    }
    return hash;
}

/* ---- which events ---- */

static bool comes_back(const struct vt_diff_away *away, const struct vt_trace_event *e)
{
    return e->block->pc == away->back && ((away->back & KERNEL_HALF) != 0 || e->root == away->root);
}

/* Does the lane have this block? */
static bool is_in(struct vt_diff_side *s, const struct vt_trace_event *e)
{
    const struct vt_trace_diff_options *o = s->options;
    const bool kernel = (e->block->pc & KERNEL_HALF) != 0;
    if (o->by_root) {
        return !kernel && e->root == s->root;
    }
    if (e->vcpu != s->vcpu || (o->user && kernel)) {
        return false;
    }
    struct vt_diff_away *away = &s->away[e->vcpu % 64];
    if (away->on && comes_back(away, e)) {
        away->on = false;
    }
    return !away->on;
}

static void go_away(struct vt_diff_side *s, const struct vt_trace_event *e)
{
    struct vt_diff_away *away = &s->away[e->vcpu % 64];
    if (s->options->ignore_interrupts && e->end == VT_TRACE_END_INTERRUPT && !away->on) {
        *away = (struct vt_diff_away){true, e->from, e->root};
    }
}

static void keep_registers(struct vt_diff_side *s, const struct vt_trace_event *e)
{
    uint32_t n = e->n_registers < 48 ? e->n_registers : 48;
    if (s->options->by_root ? e->root != s->root : e->vcpu != s->vcpu) {
        return;
    }
    s->registers =
        (struct vt_trace_diff_registers){.known = true, .number = s->number, .pc = e->pc, .n = n};
    if (n > 0) {
        memcpy(s->registers.values, e->registers, n * sizeof *e->registers);
    }
}

/* The lane's next block; 1, 0 at the end. */
static int next_block(struct vt_diff_side *s, struct vt_error *err)
{
    int rc;
    for (unsigned looked = 0; (rc = vt_trace_next(s->source, 0, &s->event, err)) == 1; looked++) {
        const struct vt_trace_event *e = &s->event;
        const volatile int *stop = s->options->stop;
        if (looked % 4096 == 0 && stop != NULL && *stop != 0) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
        vt_trace_names_see(s->names, e);
        if (e->kind == VT_TRACE_EV_LOST) {
            s->lost_words += e->lost_words;
        } else if (e->kind == VT_TRACE_EV_REGISTERS) {
            keep_registers(s, e);
        } else if (e->kind == VT_TRACE_EV_CUT) {
            go_away(s, e);
        } else if (e->kind == VT_TRACE_EV_BLOCK && e->block != NULL && e->block->n > 0) {
            bool in = is_in(s, e);
            go_away(s, e);
            if (in) {
                s->at = s->at_access = 0;
                s->at_pc = e->block->pc;
                rc = find_keys(s, e->block, &s->at_keys, err);
                return rc == 0 ? 1 : rc;
            }
        }
    }
    s->at_keys = NULL;
    return rc;
}

/* ---- instructions ---- */

static void make_item(struct vt_diff_side *s, struct vt_trace_diff_item *item)
{
    const struct vt_trace_event *e = &s->event;
    uint32_t first = s->at_access, n = 0;
    while (first + n < e->n_accesses && e->accesses[first + n].instruction <= s->at) {
        n++;
    }
    item->number = s->number;
    item->pc = s->at_pc;
    item->root = e->root;
    item->time_ns = e->time_ns;
    item->vcpu = e->vcpu;
    item->block = e->block->id;
    item->instruction = (uint16_t)s->at;
    item->n_accesses = (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
    item->key = s->at_keys->keys[s->at];
    item->data = n > 0 ? data_of(s, e->accesses + first, n) : 0;
    if (n > 0) {
        memcpy(item->accesses, e->accesses + first,
               (n < VT_TRACE_DIFF_ACCESSES ? n : VT_TRACE_DIFF_ACCESSES) * sizeof *item->accesses);
    }
    s->at_access += n;
    s->at_pc += e->block->sizes[s->at];
    s->at++;
}

static int read_item(struct vt_diff_side *s, struct vt_trace_diff_item *item, struct vt_error *err)
{
    const bool once = s->options->ignore_interrupts || s->options->user || s->options->by_root;
    for (;;) {
        while (s->at_keys == NULL || s->at >= s->event.executed || s->at >= s->at_keys->n) {
            int rc = next_block(s, err);
            if (rc != 1) {
                s->ended = true;
                return rc;
            }
        }
        bool repeats = (s->at_keys->repeats[s->at / 64] >> (s->at % 64) & 1) != 0;
        make_item(s, item);
        bool again = once && repeats && s->last_repeats && item->key == s->last_key;
        s->last_key = item->key;
        s->last_repeats = repeats;
        s->begun = s->begun || !s->options->has_from || item->pc == s->options->from;
        if (s->begun && !again) {
            s->number++;
            return 1;
        }
    }
}

int vt_diff_next(struct vt_diff_side *s, struct vt_trace_diff_item *item, struct vt_error *err)
{
    if (s->n_ahead > 0) {
        *item = s->ahead[s->ahead_at++];
        s->n_ahead--;
        return 1;
    }
    return s->ended ? 0 : read_item(s, item, err);
}

int vt_diff_read_ahead(struct vt_diff_side *s, uint32_t n, struct vt_error *err)
{
    if (s->ahead_at > 0) {
        memmove(s->ahead, s->ahead + s->ahead_at, s->n_ahead * sizeof *s->ahead);
        s->ahead_at = 0;
    }
    int rc = 1;
    while (rc == 1 && s->n_ahead < n && !s->ended) {
        rc = vt_learn_room((void **)&s->ahead, s->n_ahead, &s->ahead_room, sizeof *s->ahead, err);
        rc = rc == 0 ? read_item(s, &s->ahead[s->n_ahead], err) : rc;
        s->n_ahead += rc == 1;
    }
    return rc < 0 ? rc : 0;
}

int vt_diff_put_back(struct vt_diff_side *s, const struct vt_trace_diff_item *item,
                     struct vt_error *err)
{
    if (s->ahead_at == 0) {
        int rc =
            vt_learn_room((void **)&s->ahead, s->n_ahead, &s->ahead_room, sizeof *s->ahead, err);
        if (rc != 0) {
            return rc;
        }
        if (s->n_ahead > 0) {
            memmove(s->ahead + 1, s->ahead, s->n_ahead * sizeof *s->ahead);
        }
        s->ahead_at = 1;
    }
    s->ahead[--s->ahead_at] = *item;
    s->n_ahead++;
    return 0;
}

void vt_diff_side_fini(struct vt_diff_side *s)
{
    for (uint32_t i = 0; i < s->n_blocks; i++) {
        free(s->blocks[i].keys);
    }
    free(s->blocks);
    free(s->ahead);
}
