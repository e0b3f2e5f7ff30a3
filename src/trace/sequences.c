/* trace/sequences.c - the sequences of 2 to 8 instructions that were executed most.
 *
 * Instructions are equal when mnemonic and kinds of operands are. Those within a block were
 * executed as often as their last instruction; those across a fall-through as often as it was
 * taken. Hottest blocks come first, so that a cap on different sequences costs rare ones. See
 * learn.h.
 */
#include "trace/learn_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 1000u

struct gram {
    uint32_t n;
    uint32_t tokens[VT_TRACE_SEQUENCE_MAX];
    uint64_t count;
};

struct counting {
    struct vt_trace_graph *g;
    struct gram *grams;
    uint32_t n, room;
    struct vt_learn_index index;
};

static int count_gram(struct counting *c, const uint32_t *tokens, uint32_t n, uint64_t count,
                      struct vt_error *err)
{
    /* Two hashes of 64 bits: that two sequences share both is nobody's worry but an attacker's, who
     * gains a wrong count of his own program. */
    uint64_t a = n, b = 0x51ed270b6f3a2c1du;
    for (uint32_t i = 0; i < n; i++) {
        a = (a ^ tokens[i]) * 0x9e3779b97f4a7c15u;
        b = (b << 7 | b >> 57) ^ ((uint64_t)tokens[i] * 0xbf58476d1ce4e5b9u);
    }
    uint32_t at = vt_learn_index_find(&c->index, a, b);
    if (at >= c->n) { /* VT_LEARN_NONE */
        if (c->n >= c->g->limits.sequences) {
            c->g->stats.truncated = true;
            return 0;
        }
        int rc = vt_learn_room((void **)&c->grams, c->n, &c->room, sizeof *c->grams, err);
        rc = rc == 0 ? vt_learn_index_put(&c->index, a, b, c->n, err) : rc;
        if (rc != 0) {
            return rc;
        }
        at = c->n++;
        c->grams[at] = (struct gram){.n = n};
        memcpy(c->grams[at].tokens, tokens, n * sizeof *tokens);
    }
    c->grams[at].count += count;
    return 0;
}

static uint32_t token_of(const struct vt_trace_graph *g, uint32_t node)
{
    struct vt_trace_insn_facts facts;
    vt_learn_facts(g, &g->nodes[node], &facts);
    return facts.has_token ? facts.token : 0;
}

/* All that end at tokens[end - 1] and begin before tokens[border]. */
static int count_ending(struct counting *c, const uint32_t *tokens, uint32_t border, uint32_t end,
                        uint64_t count, struct vt_error *err)
{
    int rc = 0;
    for (uint32_t n = 1; n <= VT_TRACE_SEQUENCE_MAX && n <= end && rc == 0; n++) {
        uint32_t first = end - n;
        if (tokens[first] == 0) {
            break; /* not decoded */
        }
        if (n >= 2 && first < border) {
            rc = count_gram(c, tokens + first, n, count, err);
        }
    }
    return rc;
}

static int count_block(struct counting *c, uint32_t index, struct vt_error *err)
{
    const struct vt_trace_graph *g = c->g;
    const struct vt_trace_basic_block *block = &g->blocks[index];
    const uint32_t *members = g->members + block->first_member;
    uint32_t border, window = 2 * VT_TRACE_SEQUENCE_MAX;
    uint32_t tokens[3 * VT_TRACE_SEQUENCE_MAX];
    int rc = 0;
    /* Within: a window that slides; only its last eight count. */
    uint32_t held = 0;
    for (uint32_t i = 0; i < block->n && rc == 0; i++) {
        if (held == window) {
            held = VT_TRACE_SEQUENCE_MAX - 1;
            memmove(tokens, tokens + window - held, held * sizeof *tokens);
        }
        tokens[held++] = token_of(g, members[i]);
        rc = count_ending(c, tokens, held, held, g->nodes[members[i]].count, err);
    }
    /* Across: the last seven of this one and the first seven of the next. */
    border = block->n < VT_TRACE_SEQUENCE_MAX - 1 ? block->n : VT_TRACE_SEQUENCE_MAX - 1;
    memmove(tokens, tokens + held - border, border * sizeof *tokens);
    for (uint32_t e = g->out_at[index]; e < g->out_at[index + 1] && rc == 0; e++) {
        const struct vt_trace_edge *edge = &g->edges[e];
        const struct vt_trace_basic_block *next = &g->blocks[edge->to];
        if (edge->kind != VT_EDGE_NEXT) {
            continue;
        }
        for (uint32_t i = 0; i < next->n && i < VT_TRACE_SEQUENCE_MAX - 1 && rc == 0; i++) {
            tokens[border + i] = token_of(g, g->members[next->first_member + i]);
            rc = count_ending(c, tokens, border, border + i + 1, edge->count, err);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- which to show */

static int hotter(const void *a, const void *b)
{
    const struct gram *x = a, *y = b;
    uint64_t p = x->count * x->n, q = y->count * y->n;
    if (p != q) {
        return p > q ? -1 : 1;
    }
    return x->n != y->n ? (x->n > y->n ? -1 : 1) : memcmp(x->tokens, y->tokens, sizeof x->tokens);
}

/* It says nothing that a longer one does not say: nine of ten times it was a part of that one. */
static bool is_part(const struct gram *gram, const struct vt_trace_sequence *shown)
{
    if (gram->n >= shown->n || gram->count * 9 > shown->count * 10) {
        return false;
    }
    for (uint32_t at = 0; at + gram->n <= shown->n; at++) {
        if (memcmp(gram->tokens, shown->tokens + at, gram->n * sizeof *gram->tokens) == 0) {
            return true;
        }
    }
    return false;
}

static void describe(struct vt_trace_sequence *sequence)
{
    size_t at = 0;
    for (uint32_t i = 0; i < sequence->n && at < sizeof sequence->text; i++) {
        char one[48];
        at += (size_t)snprintf(sequence->text + at, sizeof sequence->text - at, "%s%s",
                               i == 0 ? "" : "; ",
                               vt_trace_token_text(sequence->tokens[i], one, sizeof one));
    }
}

static int show(struct counting *c, struct vt_error *err)
{
    struct vt_trace_graph *g = c->g;
    int rc = 0;
    if (c->n > 0) {
        qsort(c->grams, c->n, sizeof *c->grams, hotter);
    }
    for (uint32_t i = 0; i < c->n && g->n_sequences < SHOWN_MAX && rc == 0; i++) {
        bool part = false;
        for (uint32_t s = 0; s < g->n_sequences && !part; s++) {
            part = is_part(&c->grams[i], &g->sequences[s]);
        }
        if (part) {
            continue;
        }
        rc = vt_learn_room((void **)&g->sequences, g->n_sequences, &g->sequences_room,
                           sizeof *g->sequences, err);
        if (rc == 0) {
            struct vt_trace_sequence *sequence = &g->sequences[g->n_sequences++];
            *sequence =
                (struct vt_trace_sequence){.n = c->grams[i].n,
                                           .count = c->grams[i].count,
                                           .instructions = c->grams[i].count * c->grams[i].n};
            memcpy(sequence->tokens, c->grams[i].tokens, sizeof sequence->tokens);
            describe(sequence);
        }
    }
    return rc;
}

static int hotter_block(const void *a, const void *b, void *arg)
{
    const struct vt_trace_basic_block *blocks = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return blocks[x].instructions != blocks[y].instructions
               ? (blocks[x].instructions > blocks[y].instructions ? -1 : 1)
               : (x > y) - (x < y);
}

int vt_learn_sequences(struct vt_trace_graph *g, struct vt_error *err)
{
    struct counting c = {.g = g};
    uint32_t *order = calloc(g->n_blocks + 1u, sizeof *order);
    if (order == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for the sequences of %u blocks", g->n_blocks);
    }
    for (uint32_t i = 0; i < g->n_blocks; i++) {
        order[i] = i;
    }
    qsort_r(order, g->n_blocks, sizeof *order, hotter_block, g->blocks);
    int rc = 0;
    for (uint32_t i = 0; i < g->n_blocks && rc == 0; i++) {
        rc = count_block(&c, order[i], err);
    }
    rc = rc == 0 ? show(&c, err) : rc;
    free(order);
    free(c.grams);
    vt_learn_index_fini(&c.index);
    return rc;
}
