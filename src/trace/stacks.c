/* trace/stacks.c - events into stacks: what each block's last instruction did, and which context
 * the next one shows the vCPU to be in. See stacks.h.
 *
 * A context's frames are activations; frame 0 is the one whose caller is not known. A context that
 * was left waits in the pool, with the frames it had when the return that did not fit was seen:
 * whoever comes back to it returns to its top frame's return address. The pool is small, so that it
 * is searched from end to end.
 */
#include "trace/stack_parts.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL_HALF VT_STACK_KERNEL_HALF
#define NO_ROOT VT_STACK_NO_ROOT
#define VCPUS 64u
/** Blocks whose facts are kept by their id. */
#define KEPT_MAX ((uint32_t)1 << 24)
/** A call from right before its target is of a retpoline, or of what fills the predictor. */
#define LOCAL_BYTES 32u
/** Less than a thread's stack. */
#define NEAR_BYTES 8192u

static const struct vt_trace_stack_limits limits_default = {
    .nodes = 1u << 20, .frames = 512, .contexts = 512};

enum activation_kind {
    BOTTOM,
    CALLED,
    LOCAL,   /* a call within a thunk: shown as its caller */
    TRAPPED, /* above what an interrupt, an exception or a system call came upon */
};
struct activation {
    uint64_t back, after;   /* where it returns to; of traps also past an emulated instruction */
    uint64_t slot;          /* where its return address lies, 0: not known */
    uint32_t above, node;   /* the node of its caller, its own */
    uint32_t frame, object; /* of what runs in it */
    enum activation_kind kind;
    /* of traps: */
    bool upon_kernel;
    uint32_t floor, too_deep; /* of the context, below */
};

struct context {
    struct activation *frames;
    uint32_t n, room;  /* 0: free */
    uint32_t floor;    /* its innermost trap, 0: none */
    uint32_t too_deep; /* calls above the top that there was no room for */
    uint64_t root;     /* of its user code; NO_ROOT: none was seen */
    bool guessed;      /* the root is the one that the kernel changed to */
    bool busy;         /* a vCPU is in it */
    uint64_t left;     /* when, by a count; the least is dropped first */
};

/* How the last block of a vCPU ended. */
enum leaving {
    LEFT_UNKNOWN,
    LEFT_NEXT,
    LEFT_CALL,
    LEFT_RETURN,
    LEFT_TRAP,    /* by an instruction that goes to the kernel */
    LEFT_TRAPPED, /* the trap is on the stack: its handler comes */
    LEFT_TRAP_RETURN,
};
struct vcpu {
    uint32_t context; /* VT_TRACE_NONE */
    enum leaving leaving;
    uint64_t pc_after; /* the last instruction */
    uint64_t slot;     /* it pushed to, or popped from; 0: not known */
    uint64_t time_ns;
    uint32_t node; /* of the last block */
    bool idle;
    bool entry;       /* the next block begins a function */
    bool kernel;      /* the last block was */
    uint64_t root;    /* when it came into its context */
    uint64_t handler; /* of LEFT_TRAPPED */
};

/* What is kept of a block. */
struct kept {
    uint64_t root;          /* it was looked up for */
    uint32_t frame, object; /* VT_TRACE_NONE: it has no name */
    uint8_t flow;
    bool known;
};

struct vt_trace_stacks {
    enum vt_trace_arch arch;
    struct vt_trace_stack_limits limits;
    struct vt_trace_stack_stats stats;
    struct vt_stack_tree tree;
    struct kept *kept;
    uint32_t n_kept;
    struct context *contexts;
    uint64_t clock;
    struct vcpu vcpus[VCPUS];
};

/* ---------------------------------------------------------------- contexts */

static struct activation *top_of(struct context *c)
{
    return &c->frames[c->n - 1];
}

static int push(struct vt_trace_stacks *s, struct context *c, const struct activation *frame,
                struct vt_error *err)
{
    /* What comes upon a stack that is too deep has room of its own. */
    bool full = c->n - c->floor >= s->limits.frames && frame->kind != TRAPPED;
    if (full || c->n >= 4 * s->limits.frames) {
        c->too_deep++;
        s->stats.too_deep++;
        return 0;
    }
    int rc = vt_learn_room((void **)&c->frames, c->n, &c->room, sizeof *c->frames, err);
    if (rc == 0) {
        c->frames[c->n] = *frame;
        if (frame->kind == TRAPPED) {
            c->frames[c->n].floor = c->floor;
            c->frames[c->n].too_deep = c->too_deep;
            c->floor = c->n;
            c->too_deep = 0;
        }
        c->n++;
    }
    return rc;
}

/* Frame 0 stays. */
static void pop_to(struct context *c, uint32_t n)
{
    while (c->n > n && c->n > 1) {
        const struct activation *f = &c->frames[--c->n];
        c->too_deep = f->kind == TRAPPED ? f->too_deep : 0;
        c->floor = f->kind == TRAPPED ? f->floor : c->floor;
    }
}

/* What is known of a context whose root is another, or which never had one: nothing. */
static int begin_context(struct vt_trace_stacks *s, struct context *c,
                         const struct vt_trace_block *block, uint64_t root, struct vt_error *err)
{
    uint32_t process = 0, node = 0;
    int rc = vt_stack_frame_of_process(&s->tree, block, root, &process, err);
    rc = rc == 0 ? vt_stack_child(&s->tree, 0, process, &node, err) : rc;
    rc = rc == 0 ? vt_stack_child(&s->tree, node, s->tree.unknown, &node, err) : rc;
    if (rc != 0) {
        return rc;
    }
    c->n = c->too_deep = c->floor = 0;
    c->root = root;
    c->guessed = false;
    return push(
        s, c,
        &(struct activation){.kind = BOTTOM, .above = node, .node = node, .frame = VT_TRACE_NONE},
        err);
}

static void leave_context(struct vt_trace_stacks *s, struct vcpu *v)
{
    if (v->context != VT_TRACE_NONE) {
        s->contexts[v->context].busy = false;
        s->contexts[v->context].left = ++s->clock;
    }
}

static int new_context(struct vt_trace_stacks *s, struct vcpu *v,
                       const struct vt_trace_block *block, uint64_t root, struct vt_error *err)
{
    uint32_t best = v->context;
    leave_context(s, v);
    v->context = VT_TRACE_NONE;
    /* One of which nothing is known is not worth keeping. */
    for (uint32_t i = 0;
         (best == VT_TRACE_NONE || s->contexts[best].n > 1) && i < s->limits.contexts; i++) {
        const struct context *c = &s->contexts[i];
        if (!c->busy && (best == VT_TRACE_NONE || c->n <= 1 || c->left < s->contexts[best].left)) {
            best = i;
        }
    }
    int rc = begin_context(s, &s->contexts[best], block, root, err);
    if (rc == 0) {
        s->contexts[best].busy = true;
        v->context = best;
    }
    return rc;
}

static void switch_to(struct vt_trace_stacks *s, struct vcpu *v, uint32_t context)
{
    leave_context(s, v);
    s->contexts[context].busy = true;
    v->context = context;
    s->stats.switches++;
}

/* The frame whose return address lies there; 0: none. Below a trap only what came upon it returns,
 * by another way. */
static uint32_t returning_by_slot(const struct context *c, uint64_t slot)
{
    uint32_t i = c->n - 1;
    while (i > 0 && c->frames[i].kind != TRAPPED && c->frames[i].slot != slot) {
        i--;
    }
    return c->frames[i].kind != TRAPPED ? i : 0;
}

static bool is_near(uint64_t a, uint64_t b)
{
    return a - b < NEAR_BYTES || b - a < NEAR_BYTES;
}

/* The frame that a return goes back from; 0: none. Code may move its return address along a stack
 * (the kernel's error_entry does); one thread's stack is not another's. */
static uint32_t returning(const struct context *c, uint64_t pc, uint64_t slot)
{
    uint32_t found = slot != 0 ? returning_by_slot(c, slot) : 0;
    for (uint32_t i = c->n - 1; found == 0 && i > 0 && c->frames[i].kind != TRAPPED; i--) {
        const struct activation *f = &c->frames[i];
        if (f->back == pc && (slot == 0 || f->slot == 0 || is_near(slot, f->slot))) {
            found = i;
        }
    }
    return found;
}

/* The same for a return from a trap. */
static uint32_t trap_returning(const struct context *c, uint64_t pc)
{
    for (uint32_t i = c->n; i-- > 1;) {
        const struct activation *f = &c->frames[i];
        if (f->kind == TRAPPED && (f->back == pc || f->after == pc)) {
            return i;
        }
    }
    return 0;
}

/* The innermost trap that came upon such code; 0: none. */
static uint32_t trap_upon(const struct context *c, bool kernel)
{
    for (uint32_t i = c->n; i-- > 1;) {
        if (c->frames[i].kind == TRAPPED && c->frames[i].upon_kernel == kernel) {
            return i;
        }
    }
    return 0;
}

/* A context that was left and that `pc` comes back to; of several, one of the same root, then the
 * one that was left last. */
static uint32_t find_context(const struct vt_trace_stacks *s, uint64_t pc, uint64_t slot,
                             uint64_t root, bool trap, uint32_t *frame)
{
    uint32_t best = VT_TRACE_NONE;
    bool user = (pc & KERNEL_HALF) == 0;
    for (uint32_t i = 0; i < s->limits.contexts; i++) {
        const struct context *c = &s->contexts[i];
        if (c->busy || c->n < 2 || (user && c->root != root)) {
            continue;
        }
        uint32_t at;
        if (trap) {
            at = trap_returning(c, pc);
        } else if (slot != 0) {
            at = returning_by_slot(c, slot);
        } else {
            const struct activation *f = &c->frames[c->n - 1];
            at = f->kind != TRAPPED && f->back == pc ? c->n - 1 : 0;
        }
        if (at == 0) {
            continue;
        }
        const struct context *b = best != VT_TRACE_NONE ? &s->contexts[best] : NULL;
        bool same = c->root == root;
        if (b == NULL || (same && b->root != root) ||
            (same == (b->root == root) && c->left > b->left)) {
            best = i;
            *frame = at;
        }
    }
    return best;
}

/* ---------------------------------------------------------------- moves */

static int arrive_by_call(struct vt_trace_stacks *s, struct vcpu *v, uint64_t pc,
                          struct vt_error *err)
{
    struct context *c = &s->contexts[v->context];
    uint32_t above = top_of(c)->node;
    if (pc == v->pc_after) { /* it only reads the PC */
        return 0;
    }
    bool local = pc - v->pc_after < LOCAL_BYTES;
    v->entry = !local;
    return push(s, c,
                &(struct activation){.kind = local ? LOCAL : CALLED,
                                     .back = v->pc_after,
                                     .slot = v->slot,
                                     .above = above,
                                     .node = above,
                                     .frame = local ? top_of(c)->frame : VT_TRACE_NONE},
                err);
}

/* A return to what no call that was recorded came from. */
static int arrive_from_nowhere(struct vt_trace_stacks *s, struct vcpu *v,
                               const struct vt_trace_block *block, uint64_t pc, uint64_t root,
                               struct vt_error *err)
{
    struct context *c = &s->contexts[v->context];
    bool kernel = (pc & KERNEL_HALF) != 0;
    s->stats.unmatched++;
    if (c->n == 1) { /* the caller of what was not known is not known, either */
        top_of(c)->node = top_of(c)->above;
        top_of(c)->frame = VT_TRACE_NONE;
        return 0;
    }
    /* Another thread of the kernel; of that process, if the kernel has just changed to it. */
    bool guess = kernel && v->root != root;
    int rc = new_context(s, v, block, kernel && !guess ? NO_ROOT : root, err);
    if (rc == 0) {
        s->contexts[v->context].guessed = guess;
    }
    return rc;
}

/* One call that its own return address is changed of; several only fill the return predictor. */
static bool is_retpoline(const struct context *c)
{
    return c->frames[c->n - 1].kind == LOCAL && c->frames[c->n - 2].kind != LOCAL;
}

static int arrive_by_return(struct vt_trace_stacks *s, struct vcpu *v,
                            const struct vt_trace_block *block, uint64_t pc, uint64_t root,
                            struct vt_error *err)
{
    struct context *c = &s->contexts[v->context];
    if (c->too_deep > 0) {
        c->too_deep--;
        return 0;
    }
    uint32_t at = returning(c, pc, v->slot);
    if (at == 0 && is_retpoline(c) && (v->slot == 0 || top_of(c)->slot == 0)) {
        pop_to(c, c->n - 1);
        v->entry = true;
        return 0;
    }
    if (at == 0) {
        uint32_t other = find_context(s, pc, v->slot, root, false, &at);
        if (other == VT_TRACE_NONE) {
            return arrive_from_nowhere(s, v, block, pc, root, err);
        }
        switch_to(s, v, other);
        c = &s->contexts[other];
    } else if (at + 1 < c->n) {
        s->stats.unwound++;
    }
    bool elsewhere = c->frames[at].back != pc; /* its slot says so: a thunk that changed it */
    if (elsewhere && c->frames[at].kind == CALLED) {
        v->entry = true; /* a jump from there */
        pop_to(c, at + 1);
        c->frames[at].slot = 0;
        return 0;
    }
    v->entry = elsewhere;
    pop_to(c, at);
    return 0;
}

static int arrive_by_trap(struct vt_trace_stacks *s, struct vcpu *v, uint64_t back, uint64_t after,
                          bool upon_kernel, struct vt_error *err)
{
    struct context *c = &s->contexts[v->context];
    uint32_t above = top_of(c)->node;
    v->entry = true;
    return push(s, c,
                &(struct activation){.kind = TRAPPED,
                                     .back = back,
                                     .after = after,
                                     .above = above,
                                     .node = above,
                                     .frame = VT_TRACE_NONE,
                                     .upon_kernel = upon_kernel},
                err);
}

static int arrive_by_trap_return(struct vt_trace_stacks *s, struct vcpu *v,
                                 const struct vt_trace_block *block, uint64_t pc, uint64_t root,
                                 struct vt_error *err)
{
    struct context *c = &s->contexts[v->context];
    bool kernel = (pc & KERNEL_HALF) != 0;
    bool same = kernel || c->root == root;
    uint32_t at = same ? trap_returning(c, pc) : 0, other;
    if (at != 0) {
        pop_to(c, at);
        return 0;
    }
    other = find_context(s, pc, 0, root, true, &at);
    if (other != VT_TRACE_NONE) {
        switch_to(s, v, other);
        pop_to(&s->contexts[other], at);
        return 0;
    }
    at = same ? trap_upon(c, kernel) : 0;
    if (at != 0 && kernel) { /* to a fixup */
        pop_to(c, at);
        return 0;
    }
    if (at != 0) { /* to a signal's handler: what it came upon waits for the next trap's return */
        pop_to(c, at + 1);
        top_of(c)->node = top_of(c)->above;
        top_of(c)->frame = VT_TRACE_NONE;
        v->entry = true;
        return 0;
    }
    s->stats.unmatched++;
    if ((c->root == NO_ROOT || c->guessed) && !kernel) { /* now it is known whose it is */
        return begin_context(s, c, block, root, err);
    }
    return new_context(s, v, block, kernel ? NO_ROOT : root, err);
}

/* From one half of the address space to the other, or to another root's. */
static int arrive_across(struct vt_trace_stacks *s, struct vcpu *v,
                         const struct vt_trace_block *block, uint64_t pc, uint64_t root,
                         enum leaving leaving, struct vt_error *err)
{
    bool kernel = (pc & KERNEL_HALF) != 0;
    int rc = 0;
    if (leaving == LEFT_TRAPPED) {
        return kernel || pc == v->handler ? 0 : arrive_by_trap_return(s, v, block, pc, root, err);
    }
    if (leaving == LEFT_TRAP_RETURN) {
        return arrive_by_trap_return(s, v, block, pc, root, err);
    }
    if (leaving == LEFT_TRAP || kernel) {
        rc = arrive_by_trap(s, v, v->pc_after, v->pc_after, v->kernel, err);
    }
    return rc != 0 || kernel ? rc : arrive_by_trap_return(s, v, block, pc, root, err);
}

/* The vCPU is at `pc`: what brought it there? */
static int arrive(struct vt_trace_stacks *s, struct vcpu *v, const struct vt_trace_block *block,
                  uint64_t pc, uint64_t root, struct vt_error *err)
{
    const bool kernel = (pc & KERNEL_HALF) != 0, was_kernel = v->kernel;
    const uint32_t was = v->context;
    enum leaving leaving = v->leaving;
    int rc = 0;
    v->leaving = LEFT_NEXT;
    v->entry = false;
    if (was == VT_TRACE_NONE || leaving == LEFT_UNKNOWN) {
        rc = new_context(s, v, block, kernel ? NO_ROOT : root, err);
    } else if (leaving >= LEFT_TRAP || kernel != was_kernel ||
               (!kernel && s->contexts[was].root != root)) {
        bool unseen = leaving == LEFT_TRAP && pc == v->pc_after && s->contexts[was].root == root;
        rc = unseen ? 0 : arrive_across(s, v, block, pc, root, leaving, err);
    } else if (leaving == LEFT_CALL) {
        rc = arrive_by_call(s, v, pc, err);
    } else if (leaving == LEFT_RETURN) {
        rc = arrive_by_return(s, v, block, pc, root, err);
    }
    v->kernel = kernel;
    v->root = v->context != was || !kernel ? root : v->root;
    return rc;
}

/* ---------------------------------------------------------------- blocks */

/* The last instruction's place; false: its bytes are not there. */
static bool last_of(const struct vt_trace_block *block, unsigned *at)
{
    *at = 0;
    for (unsigned i = 0; i + 1 < block->n; i++) {
        *at += block->sizes[i];
    }
    return *at + block->sizes[block->n - 1u] <= block->code_bytes;
}

static uint64_t pc_after(const struct vt_trace_block *block, unsigned executed)
{
    uint64_t pc = block->pc;
    for (unsigned i = 0; i < executed && i < block->n; i++) {
        pc += block->sizes[i];
    }
    return pc;
}

static int look_at(struct vt_trace_stacks *s, const struct vt_trace_block *block, uint64_t root,
                   struct kept *kept, struct vt_error *err)
{
    struct vt_trace_insn_facts facts = {.flow = VT_FLOW_UNKNOWN};
    struct vt_trace_insn_decoder decoder;
    unsigned at;
    if (last_of(block, &at)) {
        vt_trace_insn_decoder_init(&decoder, s->arch, block);
        vt_trace_insn_facts_of(&decoder, block->pc + at, block->code + at,
                               block->sizes[block->n - 1u], &facts);
    }
    *kept = (struct kept){.root = root, .flow = (uint8_t)facts.flow, .known = true};
    return vt_stack_frame_of_block(&s->tree, block, block->pc, root, &kept->frame, &kept->object,
                                   err);
}

static int keep(struct vt_trace_stacks *s, const struct vt_trace_block *block, uint64_t root,
                struct kept *out, struct vt_error *err)
{
    uint64_t of = (block->pc & KERNEL_HALF) != 0 ? NO_ROOT : root;
    if (block->id >= KEPT_MAX) {
        return look_at(s, block, of, out, err);
    }
    if (block->id >= s->n_kept) {
        uint32_t n = s->n_kept > 0 ? s->n_kept : 4096;
        while (n <= block->id) {
            n *= 2;
        }
        struct kept *more = reallocarray(s->kept, n, sizeof *more);
        if (more == NULL) {
            return vt_fail(err, VT_E_NOMEM, "no memory for %u blocks", n);
        }
        memset(more + s->n_kept, 0, (n - s->n_kept) * sizeof *more);
        s->kept = more;
        s->n_kept = n;
    }
    struct kept *kept = &s->kept[block->id];
    int rc = kept->known && kept->root == of ? 0 : look_at(s, block, of, kept, err);
    *out = *kept;
    return rc;
}

/* The top frame's function is that of the block in it: jumps to others are calls at the end.
 * Functions without names begin where they are entered, and where another object is. */
static int label(struct vt_trace_stacks *s, struct vcpu *v, const struct vt_trace_block *block,
                 uint64_t pc, const struct kept *kept, uint64_t root, struct vt_error *err)
{
    struct context *c = &s->contexts[v->context];
    struct activation *top = top_of(c);
    uint32_t frame = kept->frame;
    if (c->too_deep > 0 || top->kind == LOCAL) {
        return 0;
    }
    if (frame == VT_TRACE_NONE) {
        bool fresh = top->frame == VT_TRACE_NONE || top->object != kept->object;
        if (v->entry || (top->kind != BOTTOM && fresh)) {
            int rc = vt_stack_frame_of_address(&s->tree, block, pc, root, &frame, err);
            if (rc != 0) {
                return rc;
            }
        } else if (fresh) {
            frame = kept->object;
        }
    }
    if (frame == VT_TRACE_NONE || frame == top->frame) {
        return 0;
    }
    top->frame = frame;
    top->object = kept->object;
    return vt_stack_child(&s->tree, top->above, frame, &top->node, err);
}

/* It came to `pc`, and executed nothing there: a trap was first. */
static int arrive_only(struct vt_trace_stacks *s, struct vcpu *v,
                       const struct vt_trace_block *block, uint64_t pc, uint64_t root,
                       struct vt_error *err)
{
    struct kept kept = {0};
    int rc = arrive(s, v, block, pc, root, err);
    if (rc == 0 && top_of(&s->contexts[v->context])->frame == VT_TRACE_NONE) {
        rc = vt_stack_frame_of_block(&s->tree, NULL, pc, root, &kept.frame, &kept.object, err);
        rc = rc == 0 ? label(s, v, NULL, pc, &kept, root, err) : rc;
    }
    return rc;
}

static void leave(struct vcpu *v, const struct vt_trace_event *event, enum vt_insn_flow flow)
{
    const struct vt_trace_block *block = event->block;
    bool store = flow == VT_FLOW_CALL || flow == VT_FLOW_CALL_INDIRECT;
    v->pc_after = pc_after(block, block->n);
    v->slot = 0;
    switch (flow) {
    case VT_FLOW_CALL:
    case VT_FLOW_CALL_INDIRECT:
        v->leaving = LEFT_CALL;
        break;
    case VT_FLOW_RETURN:
        v->leaving = LEFT_RETURN;
        break;
    case VT_FLOW_TRAP:
        v->leaving = LEFT_TRAP;
        return;
    case VT_FLOW_EXCEPTION_RETURN:
        v->leaving = LEFT_TRAP_RETURN;
        return;
    case VT_FLOW_UNKNOWN:
    case VT_FLOW_NEXT:
    case VT_FLOW_JUMP:
    case VT_FLOW_CONDITIONAL:
    case VT_FLOW_INDIRECT:
        v->leaving = LEFT_NEXT;
        return;
    }
    for (uint32_t i = 0; i < event->n_accesses; i++) {
        const struct vt_trace_access *a = &event->accesses[i];
        if (a->instruction + 1u == block->n && a->store == store && a->bytes == 8) {
            v->slot = a->address;
        }
    }
}

/* It was to go on at `from`, and went elsewhere. */
static int trap(struct vt_trace_stacks *s, struct vcpu *v, uint64_t from, uint64_t after,
                uint64_t handler, struct vt_error *err)
{
    v->leaving = LEFT_TRAPPED;
    v->handler = handler;
    return arrive_by_trap(s, v, from, after, (from & KERNEL_HALF) != 0, err);
}

static int finish_block(struct vt_trace_stacks *s, struct vcpu *v,
                        const struct vt_trace_event *event, uint64_t root, unsigned executed,
                        enum vt_insn_flow flow, struct vt_error *err)
{
    const struct vt_trace_block *block = event->block;
    uint64_t next = pc_after(block, executed);
    int rc = 0;
    v->pc_after = next;
    v->slot = 0;
    switch (event->end) {
    case VT_TRACE_END_WHOLE:
        leave(v, event, flow);
        return 0;
    case VT_TRACE_END_RESTART:
        v->leaving = LEFT_NEXT;
        return 0;
    case VT_TRACE_END_INTERRUPT:
    case VT_TRACE_END_EXCEPTION: {
        uint64_t after = event->from;
        if (executed == block->n) {
            leave(v, event, flow);
            if (v->leaving == LEFT_TRAP && event->end == VT_TRACE_END_EXCEPTION) {
                after = next; /* it is this exception */
            } else {
                rc = arrive_only(s, v, block, event->from, root, err);
            }
        } else if (event->from == next && event->end == VT_TRACE_END_EXCEPTION) {
            after = next + block->sizes[executed];
        }
        return rc == 0 ? trap(s, v, event->from, after, event->to, err) : rc;
    }
    case VT_TRACE_END_HOST:
        v->leaving = LEFT_NEXT;
        return 0;
    case VT_TRACE_END_UNKNOWN:
        break;
    }
    v->leaving = executed == block->n ? LEFT_NEXT : LEFT_UNKNOWN;
    if (executed == block->n) {
        leave(v, event, flow);
    }
    return 0;
}

static int add_block(struct vt_trace_stacks *s, struct vcpu *v, const struct vt_trace_event *event,
                     struct vt_error *err)
{
    const struct vt_trace_block *block = event->block;
    struct kept kept;
    if (block == NULL || block->n == 0 || block->sizes == NULL ||
        (block->code_bytes > 0 && block->code == NULL)) {
        return vt_fail(err, VT_E_INVAL, "an event without a block of instructions");
    }
    unsigned executed = event->executed < block->n ? event->executed : block->n;
    uint64_t root = event->root != NO_ROOT ? event->root : VT_STACK_SOME_ROOT;
    int rc = keep(s, block, root, &kept, err);
    rc = rc == 0 ? arrive(s, v, block, block->pc, root, err) : rc;
    rc = rc == 0 ? label(s, v, block, block->pc, &kept, root, err) : rc;
    if (rc != 0) {
        return rc;
    }
    v->node = top_of(&s->contexts[v->context])->node;
    s->tree.nodes[v->node].instructions += executed;
    s->stats.events++;
    s->stats.instructions += executed;
    return finish_block(s, v, event, root, executed, (enum vt_insn_flow)kept.flow, err);
}

static int add_cut(struct vt_trace_stacks *s, struct vcpu *v, const struct vt_trace_event *event,
                   struct vt_error *err)
{
    if (v->context == VT_TRACE_NONE || v->leaving == LEFT_UNKNOWN) {
        return 0;
    }
    struct context *c = &s->contexts[v->context];
    if (v->leaving == LEFT_TRAPPED) { /* it came back to `from`, and was cut again at once */
        uint32_t at = trap_returning(c, event->from);
        pop_to(c, at != 0 ? at : c->n);
    }
    return trap(s, v, event->from, event->from, event->to, err);
}

int vt_trace_stacks_add(struct vt_trace_stacks *s, const struct vt_trace_event *event,
                        uint32_t *node, struct vt_error *err)
{
    int rc = 0;
    if (event->vcpu >= VCPUS) {
        return vt_fail(err, VT_E_INVAL, "an event of vCPU %u", event->vcpu);
    }
    struct vcpu *v = &s->vcpus[event->vcpu];
    if (event->time_ns > v->time_ns) {
        if (v->time_ns != 0 && !v->idle) {
            s->tree.nodes[v->node].time_ns += event->time_ns - v->time_ns;
        }
        v->time_ns = event->time_ns;
    }
    switch (event->kind) {
    case VT_TRACE_EV_BLOCK:
        v->idle = false;
        rc = add_block(s, v, event, err);
        break;
    case VT_TRACE_EV_LOST:
    case VT_TRACE_EV_MODE:
        v->leaving = LEFT_UNKNOWN;
        break;
    case VT_TRACE_EV_CUT:
        rc = add_cut(s, v, event, err);
        break;
    case VT_TRACE_EV_PAUSE:
        v->idle = true;
        break;
    case VT_TRACE_EV_RESUME:
        v->idle = false;
        break;
    case VT_TRACE_EV_REGISTERS:
        break;
    }
    s->stats.truncated = s->tree.truncated;
    if (rc == 0 && node != NULL) {
        *node = event->kind == VT_TRACE_EV_BLOCK ? v->node : 0;
    }
    return rc;
}

/* ---------------------------------------------------------------- the whole */

int vt_trace_stacks_create(const char *arch, struct vt_trace_names *names,
                           const struct vt_trace_stack_limits *limits,
                           struct vt_trace_stacks **stacks, struct vt_error *err)
{
    struct vt_trace_stacks *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for call stacks");
    }
    s->arch = vt_trace_arch_of(arch);
    s->limits = limits_default;
    if (limits != NULL) {
        s->limits.nodes = limits->nodes != 0 ? limits->nodes : s->limits.nodes;
        s->limits.frames = limits->frames != 0 ? limits->frames : s->limits.frames;
        s->limits.contexts = limits->contexts != 0 ? limits->contexts : s->limits.contexts;
    }
    if (s->limits.contexts < VCPUS + 1) { /* each vCPU is in one */
        s->limits.contexts = VCPUS + 1;
    }
    for (unsigned i = 0; i < VCPUS; i++) {
        s->vcpus[i].context = VT_TRACE_NONE;
    }
    s->contexts = calloc(s->limits.contexts, sizeof *s->contexts);
    int rc = s->contexts == NULL ? vt_fail(err, VT_E_NOMEM, "no memory for call stacks") : 0;
    rc = rc == 0 ? vt_stack_tree_init(&s->tree, names, s->limits.nodes, err) : rc;
    if (rc != 0) {
        vt_trace_stacks_destroy(s);
        return rc;
    }
    *stacks = s;
    return 0;
}

void vt_trace_stacks_destroy(struct vt_trace_stacks *s)
{
    if (s == NULL) {
        return;
    }
    for (uint32_t i = 0; s->contexts != NULL && i < s->limits.contexts; i++) {
        free(s->contexts[i].frames);
    }
    free(s->contexts);
    free(s->kept);
    vt_stack_tree_fini(&s->tree);
    free(s);
}

const struct vt_trace_stack_node *vt_trace_stacks_nodes(const struct vt_trace_stacks *s,
                                                        uint32_t *n)
{
    *n = s->tree.n_nodes;
    return s->tree.nodes;
}

const struct vt_trace_frame *vt_trace_stacks_frame(const struct vt_trace_stacks *s, uint32_t frame)
{
    return &s->tree.frames[frame];
}

const struct vt_trace_stack_stats *vt_trace_stacks_stats(const struct vt_trace_stacks *s)
{
    return &s->stats;
}
