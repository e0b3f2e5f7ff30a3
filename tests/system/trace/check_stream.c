/* tests/system/trace/check_stream.c - whether what a trace tells can have happened.
 *
 *   check_stream file FILE | segment FILE
 *   check_stream live SEGMENT DETAIL INSTRUCTIONS [FILE]    steers, reads that many, keeps them
 *
 * Each vCPU's events are numbered without a gap, and each block begins where the one before it
 * leads: where its last instruction may go, where an interrupt or exception went, or at the
 * instruction that is begun anew. Prints "key value" lines, the sums of all vCPUs and the plugin's
 * own counters; says on stderr what cannot have happened, and then ends with 1.
 */
#include "trace/file.h"
#include "trace/flow.h"
#include "trace/ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MOST 5

struct vcpu {
    bool known; /* where the next block must begin */
    struct vt_trace_flow flow;
    uint64_t sequence, blocks, time_ns;
    bool numbered;
};

static struct vcpu vcpus[64];
static uint64_t blocks, whole, completed, accesses, lost, steps, unexplained, unknown, disorder;
static uint64_t interrupts, exceptions, restarts;
static const char *arch;
static struct vt_error err;

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, err.message);
    exit(1);
}

static void say(const struct vt_trace_event *e, const char *what, const struct vcpu *v)
{
    static unsigned said;
    if (said++ < SAID_MOST) {
        fprintf(stderr,
                "vCPU %" PRIu32 ", event %" PRIu64 ", pc 0x%" PRIx64
                ": %s (kind %d, next 0x%" PRIx64 ", target 0x%" PRIx64 ")\n",
                e->vcpu, e->sequence, e->block != NULL ? e->block->pc : 0, what, (int)v->flow.kind,
                v->flow.next, v->flow.target);
    }
}

static void lead_to(struct vcpu *v, uint64_t pc)
{
    v->known = true;
    v->flow = (struct vt_trace_flow){.kind = VT_TRACE_FLOW_JUMPS, .target = pc};
}

/* The address of instruction `i`, and where its bytes are. */
static uint64_t place_of(const struct vt_trace_block *b, unsigned i, size_t *offset)
{
    *offset = 0;
    for (unsigned k = 0; k < i; k++) {
        *offset += b->sizes[k];
    }
    return b->pc + *offset;
}

static void after(struct vcpu *v, const struct vt_trace_event *e)
{
    size_t offset;
    const struct vt_trace_block *b = e->block;
    uint64_t pc = place_of(b, e->executed < b->n ? e->executed : b->n - 1u, &offset);
    v->known = false;
    switch (e->end) {
    case VT_TRACE_END_WHOLE:
        v->known = offset + b->sizes[b->n - 1] <= b->code_bytes;
        if (v->known) {
            v->flow = vt_trace_flow_of(arch, pc, b->code + offset, b->sizes[b->n - 1]);
        }
        break;
    case VT_TRACE_END_INTERRUPT:
        interrupts++;
        lead_to(v, e->to);
        break;
    case VT_TRACE_END_EXCEPTION:
        exceptions++;
        lead_to(v, e->to);
        break;
    case VT_TRACE_END_HOST:
        break;
    case VT_TRACE_END_RESTART:
        restarts++;
        lead_to(v, pc);
        break;
    case VT_TRACE_END_UNKNOWN:
        break;
    }
}

static void take_block(struct vcpu *v, const struct vt_trace_event *e)
{
    blocks++;
    v->blocks++;
    whole += e->block->n;
    completed += e->executed;
    accesses += e->n_accesses;
    if (e->executed > e->block->n || (e->end == VT_TRACE_END_WHOLE && e->executed < e->block->n)) {
        disorder++;
        say(e, "more or fewer instructions than it has", v);
    }
    if (v->known) {
        steps++;
        if (!vt_trace_flow_may_go(&v->flow, e->block->pc)) {
            unexplained++;
            say(e, "does not follow", v);
        }
    } else if (v->blocks > 1) {
        unknown++;
    }
    after(v, e);
}

static void take(const struct vt_trace_event *e)
{
    struct vcpu *v = &vcpus[e->vcpu % 64];
    if (v->numbered && e->sequence != v->sequence + 1) {
        disorder++;
        say(e, "its number is not the next", v);
    }
    if (e->time_ns != 0 && e->time_ns < v->time_ns) {
        disorder++;
        say(e, "its time is before the last", v);
    }
    v->numbered = true;
    v->sequence = e->sequence;
    v->time_ns = e->time_ns != 0 ? e->time_ns : v->time_ns;
    switch (e->kind) {
    case VT_TRACE_EV_BLOCK:
        take_block(v, e);
        break;
    case VT_TRACE_EV_CUT:
        lead_to(v, e->to);
        break;
    case VT_TRACE_EV_LOST:
        lost += e->lost_words;
        v->known = false;
        break;
    case VT_TRACE_EV_MODE:
        v->known = false;
        break;
    default:
        break;
    }
}

/* Until nothing more comes, or enough. */
static void drain(struct vt_trace_source *source, struct vt_trace_writer *file, uint64_t most)
{
    struct vt_trace_event e;
    int rc = 0;
    while (completed < most &&
           ((rc = vt_trace_next(source, most == UINT64_MAX ? 0 : 1000, &e, &err)) == 1 ||
            (rc == 0 && most != UINT64_MAX && !vt_trace_source_info(source)->ended))) {
        if (rc == 1) {
            take(&e);
            if (file != NULL && vt_trace_writer_put(file, &e, &err) != 0) {
                die("writing");
            }
        }
    }
    if (rc < 0) {
        die("reading");
    }
}

static struct vt_trace_source *record(int argc, char **argv)
{
    struct vt_trace_source *source;
    struct vt_trace_writer *file = NULL;
    uint32_t detail = (uint32_t)strtoul(argv[3], NULL, 10);
    if (vt_trace_open_live(argv[2], &source, &err) != 0 ||
        (argc > 5 &&
         vt_trace_writer_create(argv[5], true, vt_trace_source_info(source), &file, &err) != 0) ||
        vt_trace_steer(argv[2], detail, VT_TRACE_WAIT, 0, NULL, 30000, &err) != 0) {
        die(argv[2]);
    }
    arch = vt_trace_source_info(source)->arch;
    drain(source, file, strtoull(argv[4], NULL, 10));
    if (vt_trace_steer(argv[2], VT_TRACE_OFF, VT_TRACE_WAIT, 0, NULL, 30000, &err) != 0) {
        die(argv[2]);
    }
    drain(source, file, UINT64_MAX);
    if (file != NULL && (vt_trace_writer_info(file, vt_trace_source_info(source), &err) != 0 ||
                         vt_trace_writer_close(file, &err) != 0)) {
        die(argv[5]);
    }
    return source;
}

int main(int argc, char **argv)
{
    struct vt_trace_source *source = NULL;
    if (argc >= 5 && strcmp(argv[1], "live") == 0) {
        source = record(argc, argv);
    } else if (argc == 3 && (strcmp(argv[1], "file") == 0 || strcmp(argv[1], "segment") == 0)) {
        int rc = argv[1][0] == 'f' ? vt_trace_open_file(argv[2], &source, &err)
                                   : vt_trace_open_segment(argv[2], &source, &err);
        if (rc != 0) {
            die(argv[2]);
        }
        arch = vt_trace_source_info(source)->arch;
        drain(source, NULL, UINT64_MAX);
    } else {
        fprintf(stderr, "usage: check_stream file|segment FILE | live SEGMENT DETAIL N [FILE]\n");
        return 2;
    }
    const struct vt_trace_info *info = vt_trace_source_info(source);
    unsigned active = 0;
    for (unsigned i = 0; i < 64; i++) {
        active += vcpus[i].blocks > 0;
    }
    printf("vcpus %u\nblocks %" PRIu64 "\nwhole %" PRIu64 "\ncompleted %" PRIu64
           "\naccesses %" PRIu64 "\nlost %" PRIu64 "\n",
           active, blocks, whole, completed, accesses, lost);
    printf("steps %" PRIu64 "\nunexplained %" PRIu64 "\nunknown %" PRIu64 "\ndisorder %" PRIu64
           "\ninterrupts %" PRIu64 "\nexceptions %" PRIu64 "\nrestarts %" PRIu64 "\n",
           steps, unexplained, unknown, disorder, interrupts, exceptions, restarts);
    printf("counted_instructions %" PRIu64 "\ncounted_blocks %" PRIu64 "\ncounted_accesses %" PRIu64
           "\ndropped %" PRIu64 "\nended %d\n",
           info->instructions, info->blocks, info->accesses, info->dropped, info->ended);
    vt_trace_close(source);
    return unexplained != 0 || disorder != 0;
}
