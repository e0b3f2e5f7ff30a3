/* trace/blocks.c - instances and transitions -> instructions, links -> basic blocks and edges.
 *
 * An instruction is a node, once in an address space however many translation blocks hold it. Code
 * that changed lies in another layer of its space, so that old and new are not mixed. Links are
 * what was executed: within instances as often as the second instruction completed, between them as
 * the transitions say and the instruction at the end can. A basic block is a maximal run of nodes
 * whose only links go from one to the next. See learn.h.
 */
#include "trace/learn_parts.h"

#include <stdlib.h>
#include <string.h>

#define LAYERS 8u

/* How many of `code`'s bytes from `offset` there are, of `size`. */
static unsigned there(const struct vt_learn_code *code, unsigned offset, unsigned size)
{
    unsigned left = offset < code->code_bytes ? code->code_bytes - offset : 0u;
    return left < size ? left : size;
}

void vt_learn_facts(const struct vt_trace_graph *g, const struct vt_learn_node *node,
                    struct vt_trace_insn_facts *facts)
{
    const struct vt_learn_code *code = &g->codes[node->code];
    unsigned bytes = there(code, node->offset, node->size);
    /* A part of an instruction is none. */
    vt_trace_insn_facts_of(&code->decoder, node->pc, code->code + (bytes > 0 ? node->offset : 0),
                           bytes == node->size ? bytes : 0, facts);
}

static uint32_t node_at(const struct vt_trace_graph *g, uint32_t place, uint64_t pc)
{
    return vt_learn_index_find(&g->by_pc, place, pc);
}

/* ---------------------------------------------------------------- instructions */

/* Nothing else lies where the instance would. */
static bool fits(const struct vt_trace_graph *g, const struct vt_learn_code *code, uint32_t place)
{
    unsigned offset = 0;
    for (unsigned i = 0; i < code->n; i++) {
        unsigned size = code->sizes[i];
        uint32_t at = node_at(g, place, code->pc + offset);
        if (at != VT_LEARN_NONE) {
            const struct vt_learn_node *node = &g->nodes[at];
            const struct vt_learn_code *other = &g->codes[node->code];
            unsigned bytes = there(code, offset, size);
            if (node->size != size || there(other, node->offset, size) != bytes ||
                (bytes > 0 &&
                 memcmp(code->code + offset, other->code + node->offset, bytes) != 0)) {
                return false;
            }
        }
        offset += size;
    }
    return true;
}

static int add_node(struct vt_trace_graph *g, struct vt_learn_node node, struct vt_error *err)
{
    int rc = vt_learn_room((void **)&g->nodes, g->n_nodes, &g->nodes_room, sizeof *g->nodes, err);
    rc = rc == 0 ? vt_learn_index_put(&g->by_pc, node.place, node.pc, g->n_nodes, err) : rc;
    if (rc == 0) {
        struct vt_trace_insn_facts facts;
        vt_learn_facts(g, &node, &facts);
        node.flow = (uint8_t)facts.flow;
        node.target = facts.target;
        node.repeats = facts.repeats;
        node.next = node.previous = node.block = VT_LEARN_NONE;
        g->nodes[g->n_nodes++] = node;
    }
    return rc;
}

static int place_instance(struct vt_trace_graph *g, uint32_t index, struct vt_error *err)
{
    struct vt_learn_instance *instance = &g->instances[index];
    const struct vt_learn_code *code = &g->codes[instance->code];
    uint32_t layer = 0;
    while (layer < LAYERS && !fits(g, code, instance->space << 4 | layer)) {
        layer++;
    }
    instance->place = VT_LEARN_NONE;
    if (layer == LAYERS || code->n > g->limits.instructions ||
        g->n_nodes > g->limits.instructions - code->n) {
        g->stats.truncated = true;
        return 0;
    }
    instance->place = instance->space << 4 | layer;
    unsigned offset = 0;
    int rc = 0;
    for (unsigned i = 0; i < code->n && rc == 0; i++) {
        if (node_at(g, instance->place, code->pc + offset) == VT_LEARN_NONE) {
            rc = add_node(g,
                          (struct vt_learn_node){.pc = code->pc + offset,
                                                 .place = instance->place,
                                                 .code = instance->code,
                                                 .offset = (uint16_t)offset,
                                                 .size = code->sizes[i]},
                          err);
        }
        offset += code->sizes[i];
    }
    return rc;
}

/* ---------------------------------------------------------------- links */

static int add_link(struct vt_trace_graph *g, uint32_t from, uint32_t to,
                    enum vt_trace_edge_kind kind, uint64_t count, struct vt_error *err)
{
    uint64_t key = (uint64_t)from << 32 | to;
    uint32_t at = vt_learn_index_find(&g->by_link, key, kind);
    if (at == VT_LEARN_NONE) {
        int rc =
            vt_learn_room((void **)&g->links, g->n_links, &g->links_room, sizeof *g->links, err);
        rc = rc == 0 ? vt_learn_index_put(&g->by_link, key, kind, g->n_links, err) : rc;
        if (rc != 0) {
            return rc;
        }
        at = g->n_links;
        g->links[g->n_links++] = (struct vt_learn_link){from, to, (uint8_t)kind, 0};
    }
    g->links[at].count += count;
    return 0;
}

/* An instance's own: what completed, and that it followed from what was before. */
static int link_within(struct vt_trace_graph *g, uint32_t index, struct vt_error *err)
{
    const struct vt_learn_instance *instance = &g->instances[index];
    const struct vt_learn_code *code = &g->codes[instance->code];
    uint64_t *short_of = calloc(code->n + 1u, sizeof *short_of), completed = instance->count;
    if (short_of == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory to count a block's instructions");
    }
    for (uint32_t s = instance->shorts; s != VT_LEARN_NONE; s = g->shorts[s].next) {
        short_of[g->shorts[s].executed] += g->shorts[s].count;
    }
    uint32_t before = VT_LEARN_NONE;
    uint64_t pc = code->pc;
    int rc = 0;
    for (unsigned i = 0; i < code->n && rc == 0; i++) {
        completed -= short_of[i];
        uint32_t at = node_at(g, instance->place, pc);
        g->nodes[at].count += completed;
        if (before != VT_LEARN_NONE && completed > 0) {
            rc = add_link(g, before, at, VT_EDGE_NEXT, completed, err);
        }
        before = at;
        pc += code->sizes[i];
    }
    free(short_of);
    return rc;
}

/* What goes from one instruction to the other; false: this instruction does not go there. */
static bool kind_of(const struct vt_learn_node *from, const struct vt_learn_node *to,
                    enum vt_trace_edge_kind *kind)
{
    bool next = to->pc == from->pc + from->size;
    *kind = next ? VT_EDGE_NEXT : VT_EDGE_JUMP;
    switch ((enum vt_insn_flow)from->flow) {
    case VT_FLOW_UNKNOWN:
        return true;
    case VT_FLOW_NEXT:
    case VT_FLOW_TRAP:
        return next;
    case VT_FLOW_JUMP:
        return to->pc == from->target;
    case VT_FLOW_CONDITIONAL:
        return next || to->pc == from->target;
    case VT_FLOW_INDIRECT:
        *kind = VT_EDGE_JUMP;
        return true;
    case VT_FLOW_CALL: /* next: what it calls was filtered out */
        *kind = to->pc == from->target ? VT_EDGE_CALL : VT_EDGE_OVER;
        return next || to->pc == from->target;
    case VT_FLOW_CALL_INDIRECT:
        *kind = next ? VT_EDGE_OVER : VT_EDGE_CALL;
        return true;
    case VT_FLOW_RETURN: /* elsewhere: a call or jump made of a push and a return */
        *kind = to->return_site ? VT_EDGE_RETURN : VT_EDGE_CALL;
        return true;
    case VT_FLOW_EXCEPTION_RETURN:
        return false;
    }
    return false;
}

static int link_transition(struct vt_trace_graph *g, const struct vt_learn_transition *t,
                           struct vt_error *err)
{
    const struct vt_learn_instance *a = &g->instances[t->from], *b = &g->instances[t->to];
    if (a->place == VT_LEARN_NONE || b->place == VT_LEARN_NONE) {
        return 0;
    }
    const struct vt_learn_code *code = &g->codes[a->code];
    uint64_t pc = code->pc, expected = code->pc, target = g->codes[b->code].pc;
    for (unsigned i = 0; i < t->executed; i++) {
        pc = expected;
        expected += code->sizes[i];
    }
    if (t->executed < code->n && target != expected) {
        pc = expected; /* its last instruction was done by a handler */
    } else if (t->executed == 0) {
        return 0; /* what failed begins again: whatever led there has led here */
    }
    uint32_t from = node_at(g, a->place, pc), to = node_at(g, b->place, target);
    enum vt_trace_edge_kind kind;
    if (from == to && g->nodes[from].repeats) {
        return 0;
    }
    if (!kind_of(&g->nodes[from], &g->nodes[to], &kind)) {
        g->stats.unexplained += t->count;
        return 0;
    }
    g->nodes[to].returned += kind == VT_EDGE_RETURN ? t->count : 0;
    g->nodes[to].entry |= kind == VT_EDGE_CALL;
    return add_link(g, from, to, kind, t->count, err);
}

static bool is_call(const struct vt_learn_node *node)
{
    return node->flow == VT_FLOW_CALL || node->flow == VT_FLOW_CALL_INDIRECT;
}

static uint32_t return_site(const struct vt_trace_graph *g, const struct vt_learn_node *node)
{
    return is_call(node) ? node_at(g, node->place, node->pc + node->size) : VT_LEARN_NONE;
}

static int make_links(struct vt_trace_graph *g, struct vt_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < g->n_instances && rc == 0; i++) {
        rc = place_instance(g, i, err);
    }
    for (uint32_t i = 0; i < g->n_instances && rc == 0; i++) {
        rc = g->instances[i].place != VT_LEARN_NONE ? link_within(g, i, err) : 0;
    }
    for (uint32_t i = 0; i < g->n_nodes && rc == 0; i++) {
        uint32_t site = return_site(g, &g->nodes[i]);
        if (site != VT_LEARN_NONE) {
            g->nodes[site].return_site = true;
        }
    }
    for (uint32_t i = 0; i < g->n_transitions && rc == 0; i++) {
        rc = link_transition(g, &g->transitions[i], err);
    }
    for (uint32_t i = 0; i < g->n_nodes && rc == 0; i++) {
        uint32_t site = return_site(g, &g->nodes[i]);
        if (site != VT_LEARN_NONE && g->nodes[site].returned > 0) {
            rc = add_link(g, i, site, VT_EDGE_OVER, g->nodes[site].returned, err);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- basic blocks */

static void note_only(uint32_t *only, uint32_t node)
{
    *only = *only == VT_LEARN_NONE || *only == node ? node : VT_LEARN_MANY;
}

/* The node that goes on the block of `from`, or VT_LEARN_NONE. */
static uint32_t goes_on(const struct vt_trace_graph *g, uint32_t from)
{
    const struct vt_learn_node *a = &g->nodes[from];
    if (a->next >= VT_LEARN_MANY || (a->flow != VT_FLOW_NEXT && a->flow != VT_FLOW_UNKNOWN)) {
        return VT_LEARN_NONE;
    }
    const struct vt_learn_node *b = &g->nodes[a->next];
    return b->previous == from && b->pc == a->pc + a->size && !b->entry ? a->next : VT_LEARN_NONE;
}

static int add_block(struct vt_trace_graph *g, uint32_t leader, struct vt_error *err)
{
    int rc =
        vt_learn_room((void **)&g->blocks, g->n_blocks, &g->blocks_room, sizeof *g->blocks, err);
    const struct vt_learn_node *first = &g->nodes[leader];
    struct vt_trace_basic_block block = {.space = first->place >> 4,
                                         .pc = first->pc,
                                         .count = first->count,
                                         .loop = VT_TRACE_NONE,
                                         .function = VT_TRACE_NONE,
                                         .entry = first->entry,
                                         .first_member = g->n_members};
    for (uint32_t at = leader; at != VT_LEARN_NONE && rc == 0; at = goes_on(g, at)) {
        rc = vt_learn_room((void **)&g->members, g->n_members, &g->members_room, sizeof *g->members,
                           err);
        if (rc == 0) {
            g->members[g->n_members++] = at;
            g->nodes[at].block = g->n_blocks;
            block.n++;
            block.bytes += g->nodes[at].size;
            block.instructions += g->nodes[at].count;
        }
    }
    if (rc == 0) {
        g->blocks[g->n_blocks++] = block;
    }
    return rc;
}

static int make_blocks(struct vt_trace_graph *g, struct vt_error *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < g->n_links; i++) {
        note_only(&g->nodes[g->links[i].from].next, g->links[i].to);
        note_only(&g->nodes[g->links[i].to].previous, g->links[i].from);
    }
    for (uint32_t i = 0; i < g->n_nodes && rc == 0; i++) {
        uint32_t previous = g->nodes[i].previous;
        if (previous >= VT_LEARN_MANY || goes_on(g, previous) != i) {
            rc = add_block(g, i, err);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- edges */

static bool is_inside(const struct vt_trace_graph *g, const struct vt_learn_link *link)
{
    return goes_on(g, link->from) == link->to;
}

/* Counting sort of the links that leave blocks: by `from` into edges, by `to` into edges_in. */
static int make_edges(struct vt_trace_graph *g, struct vt_error *err)
{
    uint32_t n = 0;
    g->out_at = calloc(g->n_blocks + 2u, sizeof *g->out_at);
    g->in_at = calloc(g->n_blocks + 2u, sizeof *g->in_at);
    g->edges = calloc(g->n_links + 1u, sizeof *g->edges);
    g->edges_in = calloc(g->n_links + 1u, sizeof *g->edges_in);
    if (g->out_at == NULL || g->in_at == NULL || g->edges == NULL || g->edges_in == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for %u edges", g->n_links);
    }
    /* Shifted by two, then by one: filling moves each beginning to the next one's. */
    for (uint32_t i = 0; i < g->n_links; i++) {
        if (!is_inside(g, &g->links[i])) {
            g->out_at[g->nodes[g->links[i].from].block + 2]++;
            g->in_at[g->nodes[g->links[i].to].block + 2]++;
            n++;
        }
    }
    for (uint32_t b = 0; b < g->n_blocks; b++) {
        g->out_at[b + 2] += g->out_at[b + 1];
        g->in_at[b + 2] += g->in_at[b + 1];
    }
    for (uint32_t i = 0; i < g->n_links; i++) {
        const struct vt_learn_link *link = &g->links[i];
        if (!is_inside(g, link)) {
            uint32_t from = g->nodes[link->from].block, to = g->nodes[link->to].block;
            uint32_t at = g->out_at[from + 1]++;
            g->edges[at] =
                (struct vt_trace_edge){from, to, (enum vt_trace_edge_kind)link->kind, link->count};
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        g->edges_in[g->in_at[g->edges[i].to + 1]++] = i;
    }
    g->n_edges = n;
    return 0;
}

int vt_learn_blocks(struct vt_trace_graph *g, struct vt_error *err)
{
    int rc = make_links(g, err);
    rc = rc == 0 ? make_blocks(g, err) : rc;
    return rc == 0 ? make_edges(g, err) : rc;
}

void vt_trace_graph_instruction(const struct vt_trace_graph *g, uint32_t block, uint32_t i,
                                struct vt_trace_block *one)
{
    const struct vt_learn_node *node = &g->nodes[g->members[g->blocks[block].first_member + i]];
    const struct vt_learn_code *code = &g->codes[node->code];
    unsigned bytes = there(code, node->offset, node->size);
    /* Of the page that the block begins in; where the next one lies was not recorded. */
    bool same_page = code->physical % VT_PAGE_BYTES + node->offset < VT_PAGE_BYTES;
    *one = (struct vt_trace_block){.id = code->id,
                                   .pc = node->pc,
                                   .physical = code->physical != ~(uint64_t)0 && same_page
                                                   ? code->physical + node->offset
                                                   : ~(uint64_t)0,
                                   .n = 1,
                                   .code_bytes = (uint16_t)bytes,
                                   .machine = code->machine,
                                   .sizes = &node->size,
                                   .code = code->code + (bytes > 0 ? node->offset : 0)};
}

const char *vt_trace_edge_kind_name(enum vt_trace_edge_kind kind)
{
    static const char *const names[] = {[VT_EDGE_NEXT] = "next",
                                        [VT_EDGE_JUMP] = "jump",
                                        [VT_EDGE_CALL] = "call",
                                        [VT_EDGE_RETURN] = "return",
                                        [VT_EDGE_OVER] = "over"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}
