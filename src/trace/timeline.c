/* trace/timeline.c - stacks along time. See timeline.h.
 *
 * Moves of a vCPU (to another stack, into idleness) wait until the next time word says when they
 * were. A slice is begun when it is long enough or something within it is: parents before children,
 * so that a sink sees them nested.
 */
#include "trace/timeline.h"

#include "trace/learn_parts.h"
#include "trace/ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VCPUS 64u
/** Moves that wait for one time word; what is more is placed where the last one was. */
#define MOVES_MAX 65536u

enum move_kind { TO_NODE, TO_IDLE, TO_NOTHING, INTERRUPT, EXCEPTION, HOST_CALL, LOST };
/* Names that are no frame's; those of frames come after. */
static const char *const names[] = {[TO_IDLE] = "idle",
                                    [INTERRUPT] = "interrupt",
                                    [EXCEPTION] = "exception",
                                    [HOST_CALL] = "host call",
                                    [LOST] = "words were lost"};
#define FRAME_NAMES 16u

struct move {
    uint64_t at; /* instructions of this vCPU */
    uint32_t node;
    enum move_kind kind;
};
struct open_slice {
    uint32_t node;
    uint64_t ns;
};
struct vcpu {
    uint64_t instructions;
    uint64_t time_ns, time_at; /* the last time word, and the instructions then */
    uint64_t last_ns;          /* of what was placed */
    struct move *moves;
    uint32_t n_moves, moves_room;
    struct open_slice *open; /* of the stack it is in, from the process on */
    uint32_t n_open, open_room, n_begun;
    uint32_t track;    /* of the open slices */
    uint32_t overview; /* its own, VT_TRACE_NONE: none yet */
    uint32_t shown;    /* in the overview: a frame, or one of these: */
    uint32_t node;     /* the last move's */
};
#define SHOWS_NOTHING VT_TRACE_NONE
#define SHOWS_IDLE (VT_TRACE_NONE - 1)

struct vt_trace_timeline {
    struct vt_trace_export *x;
    const struct vt_trace_timeline_sink *sink;
    void *arg;
    struct vt_trace_stacks *stacks;
    const struct vt_trace_stack_node *nodes;
    bool decided, by_time;
    uint32_t n_processes, n_tracks;
    struct vt_learn_index processes, tracks;
    uint32_t *path;
    uint32_t path_room;
    struct vcpu vcpus[VCPUS];
};

/* ---- tracks */

static int process_of(struct vt_trace_timeline *t, uint32_t frame, uint32_t *process,
                      struct vt_error *err)
{
    char text[VT_TRACE_FRAME_TEXT];
    *process = vt_learn_index_find(&t->processes, frame, 0);
    if (*process != VT_LEARN_NONE) {
        return 0;
    }
    int rc = vt_learn_index_put(&t->processes, frame, 0, t->n_processes, err);
    if (rc == 0) {
        *process = t->n_processes++;
        t->sink->process(t->arg, *process,
                         frame == VT_TRACE_NONE
                             ? "vCPUs"
                             : vt_trace_frame_text(vt_trace_stacks_frame(t->stacks, frame), text));
    }
    return rc;
}

/* `frame` VT_TRACE_NONE: the vCPU's own. */
static int track_of(struct vt_trace_timeline *t, uint32_t frame, unsigned vcpu, uint32_t *track,
                    struct vt_error *err)
{
    uint32_t process = 0;
    char name[32];
    *track = vt_learn_index_find(&t->tracks, frame, vcpu);
    if (*track != VT_LEARN_NONE) {
        return 0;
    }
    int rc = process_of(t, frame, &process, err);
    rc = rc == 0 ? vt_learn_index_put(&t->tracks, frame, vcpu, t->n_tracks, err) : rc;
    if (rc == 0) {
        *track = t->n_tracks++;
        snprintf(name, sizeof name, frame == VT_TRACE_NONE ? "vCPU %u" : "on vCPU %u", vcpu);
        t->sink->track(t->arg, *track, process, vcpu, name);
    }
    return rc;
}

static unsigned number_of(const struct vt_trace_timeline *t, const struct vcpu *v)
{
    return (unsigned)(v - t->vcpus);
}

/* ---- slices */

static bool is_shown(const struct vt_trace_timeline *t, uint32_t node)
{
    return vt_trace_stacks_frame(t->stacks, t->nodes[node].frame)->kind == VT_FRAME_FUNCTION;
}

static void begin_slice(struct vt_trace_timeline *t, const struct vcpu *v,
                        const struct open_slice *slice)
{
    char text[VT_TRACE_FRAME_TEXT];
    uint32_t frame = t->nodes[slice->node].frame;
    const struct vt_trace_frame *f = vt_trace_stacks_frame(t->stacks, frame);
    if (is_shown(t, slice->node)) {
        t->sink->begin(t->arg, v->track, slice->ns,
                       &(struct vt_trace_slice_name){.id = frame + FRAME_NAMES,
                                                     .text = vt_trace_frame_text(f, text),
                                                     .category = f->kernel ? "kernel" : "user"});
    }
}

static void close_slice(struct vt_trace_timeline *t, struct vcpu *v, uint64_t ns)
{
    const struct open_slice *slice = &v->open[v->n_open - 1];
    if (v->n_begun < v->n_open && ns - slice->ns < t->x->options->shortest_ns) {
        t->x->done->left_out += is_shown(t, slice->node);
        v->n_open--;
        return;
    }
    for (; v->n_begun < v->n_open; v->n_begun++) {
        begin_slice(t, v, &v->open[v->n_begun]);
    }
    if (is_shown(t, slice->node)) {
        t->sink->end(t->arg, v->track, ns);
    }
    v->n_open--;
    v->n_begun--;
}

static int show_over(struct vt_trace_timeline *t, struct vcpu *v, uint32_t shown, uint64_t ns,
                     struct vt_error *err)
{
    char text[VT_TRACE_FRAME_TEXT];
    int rc = v->overview == VT_TRACE_NONE
                 ? track_of(t, VT_TRACE_NONE, number_of(t, v), &v->overview, err)
                 : 0;
    if (rc != 0 || shown == v->shown) {
        return rc;
    }
    if (v->shown != SHOWS_NOTHING) {
        t->sink->end(t->arg, v->overview, ns);
    }
    v->shown = shown;
    if (shown != SHOWS_NOTHING) {
        bool idle = shown == SHOWS_IDLE;
        t->sink->begin(
            t->arg, v->overview, ns,
            &(struct vt_trace_slice_name){
                .id = idle ? TO_IDLE : shown + FRAME_NAMES,
                .text = idle ? names[TO_IDLE]
                             : vt_trace_frame_text(vt_trace_stacks_frame(t->stacks, shown), text),
                .category = "vcpu"});
    }
    return 0;
}

static int go_to_node(struct vt_trace_timeline *t, struct vcpu *v, uint32_t node, uint64_t ns,
                      struct vt_error *err)
{
    uint32_t n = 0, at = node;
    uint32_t top = v->n_open > 0 ? v->open[v->n_open - 1].node : 0;
    /* Up from both to where they meet. */
    while (at != top) {
        if (t->nodes[at].depth > t->nodes[top].depth) {
            int rc = vt_learn_room((void **)&t->path, n, &t->path_room, sizeof *t->path, err);
            if (rc != 0) {
                return rc;
            }
            t->path[n++] = at;
            at = t->nodes[at].parent;
        } else {
            close_slice(t, v, ns);
            top = t->nodes[top].parent;
        }
    }
    while (n-- > 0) {
        uint32_t frame = t->nodes[t->path[n]].frame;
        int rc = vt_learn_room((void **)&v->open, v->n_open, &v->open_room, sizeof *v->open, err);
        if (rc == 0 && v->n_open == 0) {
            rc = track_of(t, frame, number_of(t, v), &v->track, err);
            rc = rc == 0 ? show_over(t, v, frame, ns, err) : rc;
        }
        if (rc != 0) {
            return rc;
        }
        v->open[v->n_open++] = (struct open_slice){t->path[n], ns};
    }
    return 0;
}

static int make_move(struct vt_trace_timeline *t, struct vcpu *v, const struct move *move,
                     uint64_t ns, struct vt_error *err)
{
    int rc;
    v->last_ns = ns = ns > v->last_ns ? ns : v->last_ns;
    switch (move->kind) {
    case TO_NODE:
        return go_to_node(t, v, move->node, ns, err);
    case TO_IDLE:
        rc = go_to_node(t, v, 0, ns, err);
        return rc == 0 ? show_over(t, v, SHOWS_IDLE, ns, err) : rc;
    case TO_NOTHING:
        rc = go_to_node(t, v, 0, ns, err);
        return rc == 0 ? show_over(t, v, SHOWS_NOTHING, ns, err) : rc;
    case INTERRUPT:
    case EXCEPTION:
    case HOST_CALL:
    case LOST:
        break;
    }
    rc = show_over(t, v, v->shown, ns, err); /* its track */
    if (rc == 0) {
        t->sink->instant(t->arg, v->overview, ns,
                         &(struct vt_trace_slice_name){
                             .id = move->kind, .text = names[move->kind], .category = "vcpu"});
    }
    return rc;
}

/* ---- events */

/* It is `ns` after v->instructions instructions. */
static int place_moves(struct vt_trace_timeline *t, struct vcpu *v, uint64_t ns,
                       struct vt_error *err)
{
    uint64_t span = ns - v->time_ns, instructions = v->instructions - v->time_at;
    int rc = 0;
    t->nodes = vt_trace_stacks_nodes(t->stacks, &(uint32_t){0});
    for (uint32_t i = 0; i < v->n_moves && rc == 0; i++) {
        const struct move *m = &v->moves[i];
        uint64_t past = m->at - v->time_at;
        uint64_t after =
            instructions > 0 ? (uint64_t)((unsigned __int128)span * past / instructions) : 0;
        rc = make_move(t, v, m, v->time_ns + after, err);
    }
    v->n_moves = 0;
    v->time_ns = ns;
    v->time_at = v->instructions;
    return rc;
}

static int add_move(struct vt_trace_timeline *t, struct vcpu *v, enum move_kind kind, uint32_t node,
                    struct vt_error *err)
{
    const struct move move = {.at = v->instructions, .node = node, .kind = kind};
    int rc = 0;
    if (kind <= TO_NOTHING) {
        if (kind == TO_NODE && v->node == node) {
            return 0;
        }
        v->node = kind == TO_NODE ? node : VT_TRACE_NONE;
    }
    if (!t->by_time) {
        t->nodes = vt_trace_stacks_nodes(t->stacks, &(uint32_t){0});
        return make_move(t, v, &move, v->instructions, err);
    }
    if (v->n_moves >= MOVES_MAX) {
        rc = place_moves(t, v, v->time_ns, err);
    }
    rc = rc == 0
             ? vt_learn_room((void **)&v->moves, v->n_moves, &v->moves_room, sizeof *v->moves, err)
             : rc;
    if (rc == 0) {
        v->moves[v->n_moves++] = move;
    }
    return rc;
}

static void decide(struct vt_trace_timeline *t, const struct vt_trace_event *event)
{
    enum vt_trace_clock clock = t->x->options->clock;
    if (t->decided) {
        return;
    }
    if (clock != VT_TRACE_CLOCK_AUTO) {
        t->by_time = clock == VT_TRACE_CLOCK_TIME;
        t->decided = true;
    } else if (event->kind == VT_TRACE_EV_MODE) {
        t->by_time = event->detail >= VT_TRACE_TIMES;
        t->decided = true;
    } else if (event->kind == VT_TRACE_EV_BLOCK) {
        t->by_time = event->time_ns != 0;
        t->decided = true;
    }
}

static int add_end(struct vt_trace_timeline *t, struct vcpu *v, enum vt_trace_end end,
                   struct vt_error *err)
{
    switch (end) {
    case VT_TRACE_END_INTERRUPT:
        return add_move(t, v, INTERRUPT, 0, err);
    case VT_TRACE_END_EXCEPTION:
        return add_move(t, v, EXCEPTION, 0, err);
    case VT_TRACE_END_HOST:
        return add_move(t, v, HOST_CALL, 0, err);
    case VT_TRACE_END_WHOLE:
    case VT_TRACE_END_RESTART:
    case VT_TRACE_END_UNKNOWN:
        break;
    }
    return 0;
}

int vt_trace_timeline_put(struct vt_trace_timeline *t, const struct vt_trace_event *event,
                          struct vt_error *err)
{
    uint32_t node = 0;
    int rc = vt_trace_stacks_add(t->stacks, event, &node, err);
    if (rc != 0) {
        return rc;
    }
    struct vcpu *v = &t->vcpus[event->vcpu]; /* the stacks have checked it */
    decide(t, event);
    if (t->by_time && event->time_ns > v->time_ns) {
        rc = place_moves(t, v, event->time_ns, err);
    }
    if (rc != 0) {
        return rc;
    }
    switch (event->kind) {
    case VT_TRACE_EV_BLOCK:
        rc = add_move(t, v, TO_NODE, node, err);
        v->instructions += event->executed;
        return rc == 0 ? add_end(t, v, event->end, err) : rc;
    case VT_TRACE_EV_CUT:
        return add_end(t, v, event->end, err);
    case VT_TRACE_EV_PAUSE:
        return add_move(t, v, TO_IDLE, 0, err);
    case VT_TRACE_EV_RESUME:
        return add_move(t, v, TO_NOTHING, 0, err);
    case VT_TRACE_EV_LOST:
        rc = add_move(t, v, TO_NOTHING, 0, err);
        return rc == 0 ? add_move(t, v, LOST, 0, err) : rc;
    case VT_TRACE_EV_REGISTERS:
    case VT_TRACE_EV_MODE:
        break;
    }
    return 0;
}

/* ---- the whole */

int vt_trace_timeline_create(struct vt_trace_export *x, const struct vt_trace_timeline_sink *sink,
                             void *arg, struct vt_trace_timeline **timeline, struct vt_error *err)
{
    struct vt_trace_timeline *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a timeline");
    }
    t->x = x;
    t->sink = sink;
    t->arg = arg;
    for (unsigned i = 0; i < VCPUS; i++) {
        t->vcpus[i].overview = t->vcpus[i].node = VT_TRACE_NONE;
        t->vcpus[i].shown = SHOWS_NOTHING;
    }
    int rc = vt_trace_stacks_create(x->info->arch, x->names, NULL, &t->stacks, err);
    if (rc != 0) {
        free(t);
        return rc;
    }
    *timeline = t;
    return 0;
}

int vt_trace_timeline_end(struct vt_trace_timeline *t, bool whole, struct vt_error *err)
{
    int rc = 0;
    if (t == NULL) {
        return 0;
    }
    for (unsigned i = 0; i < VCPUS; i++) {
        struct vcpu *v = &t->vcpus[i];
        if (whole && rc == 0 &&
            (v->node != VT_TRACE_NONE || v->n_open > 0 || v->n_moves > 0 ||
             v->shown != SHOWS_NOTHING)) {
            rc = add_move(t, v, TO_NOTHING, 0, err);
            rc = rc == 0 && t->by_time ? place_moves(t, v, v->time_ns, err) : rc;
        }
        free(v->moves);
        free(v->open);
    }
    t->x->done->truncated = vt_trace_stacks_stats(t->stacks)->truncated;
    vt_trace_stacks_destroy(t->stacks);
    vt_learn_index_fini(&t->processes);
    vt_learn_index_fini(&t->tracks);
    free(t->path);
    free(t);
    return rc;
}
