/* tests/system/trace/registers.c - rebuilds the registers of a recording and prints how that went,
 * one number a line: struct vt_trace_registers_counts, and of the registers before each instruction
 * how many were known in full.
 */
#include "vitrine/trace.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t known, all;

static void look(void *context, unsigned instruction, const struct vt_trace_cpu *cpu)
{
    (void)context;
    (void)instruction;
    for (unsigned i = 0; i <= VT_TRACE_R15; i++) {
        known += cpu->r[i].known == UINT64_MAX;
        all++;
    }
}

int main(int argc, char **argv)
{
    struct vt_trace_source *source;
    struct vt_trace_registers *registers;
    struct vt_trace_event event;
    struct vt_error err;
    int rc;
    if (argc != 2 || vt_trace_open_file(argv[1], &source, &err) != 0 ||
        vt_trace_registers_create(vt_trace_source_info(source), &registers, &err) != 0) {
        fprintf(stderr, "registers FILE: %s\n", argc == 2 ? err.message : "");
        return 2;
    }
    while ((rc = vt_trace_next(source, 0, &event, &err)) == 1) {
        rc = vt_trace_registers_take(registers, &event, look, NULL, &err);
        if (rc != 0) {
            break;
        }
    }
    if (rc < 0) {
        fprintf(stderr, "registers: %s\n", err.message);
        return 1;
    }
    const struct vt_trace_registers_counts *c = vt_trace_registers_counts(registers);
    printf("instructions %" PRIu64 "\nnot_executed %" PRIu64 "\naddresses %" PRIu64
           "\nvalues %" PRIu64 "\nbranches %" PRIu64 "\ndisagreements %" PRIu64 "\nbreaks %" PRIu64
           "\npoints %" PRIu64 "\npoints_known %" PRIu64 "\npoints_unknown %" PRIu64
           "\npoints_wrong %" PRIu64 "\n",
           c->instructions, c->not_executed, c->addresses, c->values, c->branches, c->disagreements,
           c->breaks, c->points, c->points_known, c->points_unknown, c->points_wrong);
    printf("known_percent %.2f\n", all != 0 ? 100.0 * (double)known / (double)all : 0.0);
    vt_trace_registers_destroy(registers);
    vt_trace_close(source);
    return 0;
}
