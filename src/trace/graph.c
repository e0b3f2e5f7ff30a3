/* trace/graph.c - events into counts: instances of blocks, and transitions between them.
 *
 * An instance is a translation block in an address space. A transition goes from so many executed
 * instructions of one instance to the beginning of the next, on one vCPU. Where an interrupt, a
 * fault or a system call leaves, the place is kept; when the vCPU comes back to it, the transition
 * is made as if nothing had been between. Almost every event follows one of the last two ways out
 * of the one before: that is add_known, which looks nothing up. What the numbers mean is learned
 * later (blocks.c).
 */
#include "trace/learn_parts.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL_HALF ((uint64_t)1 << 63)
#define SPACES_MAX 65536u
#define CODE_BYTES_MAX                                                                             \
    ((uint64_t)256 << 20) /* of all blocks; a dictionary in shared memory has 128 */
static const struct vt_trace_graph_limits limits_default = {
    .blocks = 1u << 19, .instructions = 1u << 22, .edges = 1u << 21, .sequences = 1u << 20};

int vt_trace_graph_create(const char *arch, struct vt_trace_graph **g, struct vt_error *err)
{
    struct vt_trace_graph *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a flow graph");
    }
    made->arch = vt_trace_arch_of(arch);
    made->limits = limits_default;
    made->kernel_space = VT_LEARN_NONE;
    for (size_t i = 0; i < sizeof made->vcpus / sizeof made->vcpus[0]; i++) {
        struct vt_learn_vcpu *v = &made->vcpus[i];
        v->last = v->root_space = VT_LEARN_NONE;
        for (unsigned p = 0; p < VT_LEARN_PENDING; p++) {
            v->pending[p].instance = VT_LEARN_NONE;
        }
    }
    *g = made;
    return 0;
}

void vt_trace_graph_limit(struct vt_trace_graph *g, const struct vt_trace_graph_limits *limits)
{
    g->limits.blocks = limits->blocks != 0 ? limits->blocks : g->limits.blocks;
    g->limits.instructions =
        limits->instructions != 0 ? limits->instructions : g->limits.instructions;
    g->limits.edges = limits->edges != 0 ? limits->edges : g->limits.edges;
    g->limits.sequences = limits->sequences != 0 ? limits->sequences : g->limits.sequences;
}

void vt_trace_graph_destroy(struct vt_trace_graph *g)
{
    if (g == NULL) {
        return;
    }
    vt_learn_forget(g);
    for (uint32_t i = 0; i < g->n_codes; i++) {
        free(g->codes[i].sizes);
    }
    free(g->spaces);
    free(g->codes);
    free(g->instances);
    free(g->transitions);
    free(g->shorts);
    vt_learn_index_fini(&g->by_root);
    vt_learn_index_fini(&g->by_id);
    vt_learn_index_fini(&g->by_instance);
    vt_learn_index_fini(&g->by_transition);
    vt_learn_index_fini(&g->by_short);
    free(g);
}

/* ---------------------------------------------------------------- finding and making */

/* Of these, VT_LEARN_NONE in *out means beyond a cap. */

static int find_space(struct vt_trace_graph *g, bool kernel, uint64_t root, uint32_t *out,
                      struct vt_error *err)
{
    root = kernel ? ~(uint64_t)0 : root;
    *out = vt_learn_index_find(&g->by_root, root, kernel);
    if (*out != VT_LEARN_NONE || g->n_spaces >= SPACES_MAX) {
        return 0;
    }
    int rc =
        vt_learn_room((void **)&g->spaces, g->n_spaces, &g->spaces_room, sizeof *g->spaces, err);
    rc = rc == 0 ? vt_learn_index_put(&g->by_root, root, kernel, g->n_spaces, err) : rc;
    if (rc == 0) {
        *out = g->n_spaces;
        g->spaces[g->n_spaces++] = (struct vt_trace_space){kernel, root};
    }
    return rc;
}

static bool ends_in_exception_return(const struct vt_learn_code *code)
{
    unsigned last = code->n - 1u, at = 0, size = code->sizes[last];
    for (unsigned i = 0; i < last; i++) {
        at += code->sizes[i];
    }
    struct vt_trace_insn_facts facts;
    if (at + size > code->code_bytes) {
        return false;
    }
    vt_trace_insn_facts_of(&code->decoder, code->pc + at, code->code + at, size, &facts);
    return facts.flow == VT_FLOW_EXCEPTION_RETURN;
}

static int find_code(struct vt_trace_graph *g, const struct vt_trace_block *block, uint32_t *out,
                     struct vt_error *err)
{
    size_t bytes = (size_t)block->n + block->code_bytes;
    *out = vt_learn_index_find(&g->by_id, block->id, 0);
    if (*out != VT_LEARN_NONE || bytes > CODE_BYTES_MAX - g->code_bytes) {
        return 0;
    }
    int rc = vt_learn_room((void **)&g->codes, g->n_codes, &g->codes_room, sizeof *g->codes, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *sizes = malloc(bytes);
    if (sizes == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a block's %zu bytes", bytes);
    }
    memcpy(sizes, block->sizes, block->n);
    if (block->code_bytes > 0) {
        memcpy(sizes + block->n, block->code, block->code_bytes);
    }
    rc = vt_learn_index_put(&g->by_id, block->id, 0, g->n_codes, err);
    if (rc != 0) {
        free(sizes);
        return rc;
    }
    *out = g->n_codes;
    g->code_bytes += bytes;
    struct vt_learn_code *code = &g->codes[g->n_codes++];
    *code = (struct vt_learn_code){.id = block->id,
                                   .n = block->n,
                                   .code_bytes = block->code_bytes,
                                   .machine = block->machine,
                                   .pc = block->pc,
                                   .physical = block->physical,
                                   .sizes = sizes,
                                   .code = sizes + block->n};
    vt_trace_insn_decoder_init(&code->decoder, g->arch, block);
    code->returns = ends_in_exception_return(code);
    return 0;
}

static int find_instance(struct vt_trace_graph *g, uint32_t space,
                         const struct vt_trace_block *block, uint32_t *out, struct vt_error *err)
{
    uint32_t code = VT_LEARN_NONE;
    *out = vt_learn_index_find(&g->by_instance, space, block->id);
    if (*out != VT_LEARN_NONE || g->n_instances >= g->limits.blocks) {
        return 0;
    }
    int rc = find_code(g, block, &code, err);
    if (rc != 0 || code == VT_LEARN_NONE) {
        return rc;
    }
    rc = vt_learn_room((void **)&g->instances, g->n_instances, &g->instances_room,
                       sizeof *g->instances, err);
    rc = rc == 0 ? vt_learn_index_put(&g->by_instance, space, block->id, g->n_instances, err) : rc;
    if (rc == 0) {
        *out = g->n_instances;
        g->instances[g->n_instances++] =
            (struct vt_learn_instance){.space = space,
                                       .code = code,
                                       .id = block->id,
                                       .shorts = VT_LEARN_NONE,
                                       .n = g->codes[code].n,
                                       .returns = g->codes[code].returns,
                                       .ways = {{.to = VT_LEARN_NONE}, {.to = VT_LEARN_NONE}}};
    }
    return rc;
}

static int find_transition(struct vt_trace_graph *g, uint32_t from, uint16_t executed, uint32_t to,
                           uint32_t *out, struct vt_error *err)
{
    uint64_t key = (uint64_t)from << 32 | to;
    *out = vt_learn_index_find(&g->by_transition, key, executed);
    if (*out != VT_LEARN_NONE) {
        return 0;
    }
    if (g->n_transitions >= g->limits.edges) {
        g->stats.ignored++;
        g->stats.truncated = true;
        return 0;
    }
    int rc = vt_learn_room((void **)&g->transitions, g->n_transitions, &g->transitions_room,
                           sizeof *g->transitions, err);
    rc = rc == 0 ? vt_learn_index_put(&g->by_transition, key, executed, g->n_transitions, err) : rc;
    if (rc == 0) {
        *out = g->n_transitions;
        g->transitions[g->n_transitions++] = (struct vt_learn_transition){from, to, executed, 0};
    }
    return rc;
}

static void count_way(struct vt_trace_graph *g, struct vt_learn_way *way)
{
    if (++way->count == UINT32_MAX) {
        g->transitions[way->transition].count += way->count;
        way->count = 0;
    }
}

static void settle_way(struct vt_trace_graph *g, struct vt_learn_way *way)
{
    if (way->to != VT_LEARN_NONE) {
        g->transitions[way->transition].count += way->count;
        way->count = 0;
    }
}

/* From all of `from`. */
static int follow(struct vt_trace_graph *g, uint32_t from, uint32_t to, struct vt_error *err)
{
    struct vt_learn_instance *i = &g->instances[from];
    for (unsigned n = 0; n < 2; n++) {
        if (i->ways[n].to == to) {
            count_way(g, &i->ways[n]);
            return 0;
        }
    }
    uint32_t transition = VT_LEARN_NONE;
    int rc = find_transition(g, from, i->n, to, &transition, err);
    if (transition != VT_LEARN_NONE) {
        settle_way(g, &i->ways[1]);
        i->ways[1] = i->ways[0];
        i->ways[0] = (struct vt_learn_way){to, g->instances[to].id, transition, 1};
    }
    return rc;
}

static int count_short(struct vt_trace_graph *g, uint32_t instance, uint16_t executed,
                       struct vt_error *err)
{
    uint32_t at = vt_learn_index_find(&g->by_short, instance, executed);
    if (at == VT_LEARN_NONE && g->n_shorts >= g->limits.edges) {
        g->stats.truncated = true; /* what it did not complete counts as completed */
        return 0;
    }
    if (at == VT_LEARN_NONE) {
        int rc = vt_learn_room((void **)&g->shorts, g->n_shorts, &g->shorts_room, sizeof *g->shorts,
                               err);
        rc = rc == 0 ? vt_learn_index_put(&g->by_short, instance, executed, g->n_shorts, err) : rc;
        if (rc != 0) {
            return rc;
        }
        at = g->n_shorts;
        g->shorts[g->n_shorts++] =
            (struct vt_learn_short){instance, g->instances[instance].shorts, executed, 0};
        g->instances[instance].shorts = at;
    }
    g->shorts[at].count++;
    return 0;
}

/* ---------------------------------------------------------------- leaving and coming back */

static uint64_t pc_after(const struct vt_learn_code *code, unsigned executed)
{
    uint64_t pc = code->pc;
    for (unsigned i = 0; i < executed && i < code->n; i++) {
        pc += code->sizes[i];
    }
    return pc;
}

/* It will go on at `pc`, or `after` it. */
static void leave(struct vt_trace_graph *g, struct vt_learn_vcpu *v, uint32_t instance,
                  uint16_t executed, uint64_t pc, uint64_t after)
{
    struct vt_learn_pending *p = &v->pending[v->next++ % VT_LEARN_PENDING];
    *p = (struct vt_learn_pending){g->instances[instance].space, instance, executed, pc, after};
}

/* The newest place left that this can be the return to; VT_LEARN_NONE in instance: none. */
static struct vt_learn_pending come_back(struct vt_learn_vcpu *v, uint32_t space, uint64_t pc)
{
    struct vt_learn_pending found = {.instance = VT_LEARN_NONE};
    for (unsigned i = 1; i <= VT_LEARN_PENDING; i++) {
        struct vt_learn_pending *p = &v->pending[(v->next - i) % VT_LEARN_PENDING];
        if (p->instance != VT_LEARN_NONE && p->space == space && (p->pc == pc || p->after == pc)) {
            found = *p;
            p->instance = VT_LEARN_NONE;
            break;
        }
    }
    return found;
}

static void forget_flow(struct vt_learn_vcpu *v, bool pending)
{
    v->last = VT_LEARN_NONE;
    for (unsigned i = 0; pending && i < VT_LEARN_PENDING; i++) {
        v->pending[i].instance = VT_LEARN_NONE;
    }
}

/* ---------------------------------------------------------------- events */

static int block_is_sane(const struct vt_trace_block *block, struct vt_error *err)
{
    if (block == NULL || block->n == 0 || block->sizes == NULL ||
        (block->code_bytes > 0 && block->code == NULL)) {
        return vt_fail(err, VT_E_INVAL, "an event without a block of instructions");
    }
    return 0;
}

/* The space an event runs in: nearly always that of the event before. */
static int space_of(struct vt_trace_graph *g, struct vt_learn_vcpu *v,
                    const struct vt_trace_event *event, uint32_t *out, struct vt_error *err)
{
    bool kernel = (event->block->pc & KERNEL_HALF) != 0;
    uint32_t *known = kernel ? &g->kernel_space : &v->root_space;
    int rc = 0;
    if (*known == VT_LEARN_NONE || (!kernel && v->root != event->root)) {
        rc = find_space(g, kernel, event->root, known, err);
        v->root = kernel ? v->root : event->root;
    }
    *out = *known;
    return rc;
}

/* The instance an event is of; VT_LEARN_NONE beyond the caps. */
static int instance_of(struct vt_trace_graph *g, struct vt_learn_vcpu *v,
                       const struct vt_trace_event *event, uint32_t *out, struct vt_error *err)
{
    uint32_t space = VT_LEARN_NONE;
    *out = VT_LEARN_NONE;
    int rc = space_of(g, v, event, &space, err);
    if (rc != 0 || space == VT_LEARN_NONE) {
        return rc;
    }
    return find_instance(g, space, event->block, out, err);
}

/* How `instance` was reached. */
static int arrive(struct vt_trace_graph *g, struct vt_learn_vcpu *v, uint32_t instance, uint64_t pc,
                  struct vt_error *err)
{
    uint32_t last = v->last, transition;
    uint32_t space = g->instances[instance].space;
    if (last != VT_LEARN_NONE && !v->returned && g->instances[last].space == space) {
        return follow(g, last, instance, err);
    }
    if (last != VT_LEARN_NONE && g->instances[last].space != space) {
        /* Into the kernel by a system call, or out of it: it goes on after its last instruction. */
        const struct vt_learn_code *code = &g->codes[g->instances[last].code];
        uint64_t after = pc_after(code, code->n);
        if (!v->returned) {
            leave(g, v, last, code->n, after, after);
        }
    }
    struct vt_learn_pending back = come_back(v, space, pc);
    if (back.instance == VT_LEARN_NONE) {
        return 0;
    }
    g->stats.joined++;
    int rc = find_transition(g, back.instance, back.executed, instance, &transition, err);
    if (transition != VT_LEARN_NONE) {
        g->transitions[transition].count++;
    }
    return rc;
}

/* Most events: a whole block, one of the ways out of the one before, in the same address space:
 * what was last in user space ran under v->root, and a kernel's block is in the kernel's. */
static bool add_known(struct vt_trace_graph *g, struct vt_learn_vcpu *v,
                      const struct vt_trace_event *event)
{
    const struct vt_trace_block *block = event->block;
    if (v->last == VT_LEARN_NONE || v->returned || event->end != VT_TRACE_END_WHOLE ||
        block == NULL) {
        return false;
    }
    struct vt_learn_instance *last = &g->instances[v->last];
    bool first = last->ways[0].id == block->id && last->ways[0].to != VT_LEARN_NONE;
    struct vt_learn_way *way = &last->ways[first ? 0 : 1];
    if (way->id != block->id || way->to == VT_LEARN_NONE) {
        return false;
    }
    struct vt_learn_instance *next = &g->instances[way->to];
    if (event->executed != next->n || block->n != next->n ||
        ((block->pc & KERNEL_HALF) == 0 && event->root != v->root)) {
        return false;
    }
    count_way(g, way);
    next->count++;
    g->stats.events++;
    g->stats.instructions += next->n;
    v->last = way->to;
    v->returned = next->returns;
    return true;
}

static int add_block(struct vt_trace_graph *g, struct vt_learn_vcpu *v,
                     const struct vt_trace_event *event, struct vt_error *err)
{
    const struct vt_trace_block *block = event->block;
    uint32_t instance = VT_LEARN_NONE;
    int rc = block_is_sane(block, err);
    rc = rc == 0 ? instance_of(g, v, event, &instance, err) : rc;
    if (rc != 0) {
        return rc;
    }
    uint16_t executed = event->executed < block->n ? event->executed : block->n;
    g->stats.events++;
    g->stats.instructions += executed;
    if (instance == VT_LEARN_NONE) {
        g->stats.ignored++;
        v->last = VT_LEARN_NONE;
        return 0;
    }
    rc = arrive(g, v, instance, block->pc, err);
    if (rc != 0) {
        return rc;
    }
    const struct vt_learn_code *code = &g->codes[g->instances[instance].code];
    /* The dictionary said otherwise before: what was first is kept, and nothing reads past it. */
    executed = executed < code->n ? executed : code->n;
    g->instances[instance].count++;
    if (executed < code->n) {
        rc = count_short(g, instance, executed, err);
    }
    v->last = instance;
    v->returned = event->end == VT_TRACE_END_WHOLE && code->returns;
    if (rc != 0 || event->end == VT_TRACE_END_WHOLE) {
        return rc;
    }
    uint64_t next = pc_after(code, executed);
    if (event->end != VT_TRACE_END_UNKNOWN) {
        uint64_t from = event->end == VT_TRACE_END_RESTART ? next : event->from;
        bool past = event->end == VT_TRACE_END_EXCEPTION && from == next && executed < code->n;
        if (executed == code->n && ((from ^ code->pc) & KERNEL_HALF) != 0) {
            from = next; /* after a system call, at the first instruction of the kernel */
        }
        leave(g, v, instance, executed, from, past ? from + code->sizes[executed] : from);
    }
    forget_flow(v, false);
    return rc;
}

int vt_trace_graph_add(struct vt_trace_graph *g, const struct vt_trace_event *event,
                       struct vt_error *err)
{
    if (event->vcpu >= sizeof g->vcpus / sizeof g->vcpus[0]) {
        return vt_fail(err, VT_E_INVAL, "an event of vCPU %u", event->vcpu);
    }
    struct vt_learn_vcpu *v = &g->vcpus[event->vcpu];
    switch (event->kind) {
    case VT_TRACE_EV_BLOCK:
        return add_known(g, v, event) ? 0 : add_block(g, v, event, err);
    case VT_TRACE_EV_LOST:
    case VT_TRACE_EV_MODE:
        forget_flow(v, true);
        break;
    case VT_TRACE_EV_CUT:
        forget_flow(v, false);
        break;
    case VT_TRACE_EV_REGISTERS:
    case VT_TRACE_EV_PAUSE:
    case VT_TRACE_EV_RESUME:
        break;
    }
    return 0;
}

/* ---------------------------------------------------------------- what it holds */

int vt_trace_graph_learn(struct vt_trace_graph *g, struct vt_error *err)
{
    vt_learn_forget(g);
    for (uint32_t i = 0; i < g->n_instances; i++) {
        settle_way(g, &g->instances[i].ways[0]);
        settle_way(g, &g->instances[i].ways[1]);
    }
    int rc = vt_learn_blocks(g, err);
    rc = rc == 0 ? vt_learn_loops(g, err) : rc;
    rc = rc == 0 ? vt_learn_classify(g, err) : rc;
    rc = rc == 0 ? vt_learn_paths(g, err) : rc;
    rc = rc == 0 ? vt_learn_sequences(g, err) : rc;
    if (rc != 0) {
        vt_learn_forget(g);
    }
    return rc;
}

#define DROP(table)                                                                                \
    do {                                                                                           \
        free(g->table);                                                                            \
        g->table = NULL;                                                                           \
        g->n_##table = g->table##_room = 0;                                                        \
    } while (0)

void vt_learn_forget(struct vt_trace_graph *g)
{
    DROP(nodes);
    DROP(links);
    vt_learn_index_fini(&g->by_pc);
    vt_learn_index_fini(&g->by_link);
    DROP(blocks);
    DROP(members);
    DROP(edges);
    DROP(loops);
    DROP(functions);
    DROP(paths);
    DROP(path_blocks);
    DROP(sequences);
    free(g->edges_in);
    free(g->out_at);
    free(g->in_at);
    g->edges_in = g->out_at = g->in_at = NULL;
    g->stats.unexplained = g->stats.irreducible = 0;
}

const struct vt_trace_graph_stats *vt_trace_graph_stats(const struct vt_trace_graph *g)
{
    return &g->stats;
}

#define TABLE(type, table)                                                                         \
    const struct type *vt_trace_graph_##table(const struct vt_trace_graph *g, uint32_t *n)         \
    {                                                                                              \
        *n = g->n_##table;                                                                         \
        return g->table;                                                                           \
    }
TABLE(vt_trace_space, spaces)
TABLE(vt_trace_basic_block, blocks)
TABLE(vt_trace_edge, edges)
TABLE(vt_trace_loop, loops)
TABLE(vt_trace_function, functions)
TABLE(vt_trace_path, paths)
TABLE(vt_trace_sequence, sequences)

const struct vt_trace_edge *vt_trace_graph_out(const struct vt_trace_graph *g, uint32_t block,
                                               uint32_t *n)
{
    *n = g->out_at[block + 1] - g->out_at[block];
    return g->edges + g->out_at[block];
}

const uint32_t *vt_trace_graph_path_blocks(const struct vt_trace_graph *g,
                                           const struct vt_trace_path *path)
{
    return g->path_blocks + path->first;
}
