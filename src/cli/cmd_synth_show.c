/* cli/cmd_synth_show.c - `vitrine synth show`: what a kernel's file says, and nothing proven. */
#include "cli/synth_loops.h"
#include "synth/file.h"

#include <inttypes.h>
#include <string.h>

static void show_linear(const struct vt_linear *l)
{
    bool first = true;
    for (uint32_t i = 0; i < l->n; i++) {
        int64_t times = (int64_t)l->part[i].coefficient;
        printf("%s%s", first ? "" : " + ", vt_linear_register(l->part[i].reg));
        if (times != 1) {
            printf(" * %" PRId64, times);
        }
        first = false;
    }
    if (first || l->constant != 0) {
        printf("%s0x%" PRIx64, first ? "" : " + ", l->constant);
    }
}

static void show_place(const struct vt_place *p)
{
    switch (p->kind) {
    case VT_PLACE_GPR:
        printf("%s", vt_linear_register(p->reg));
        break;
    case VT_PLACE_XMM_LOW:
    case VT_PLACE_XMM_HIGH:
        printf("xmm%u, %s half", p->reg, p->kind == VT_PLACE_XMM_LOW ? "lower" : "upper");
        break;
    case VT_PLACE_YMM_LOW:
    case VT_PLACE_YMM_HIGH:
        printf("ymm%u, %s quarter", p->reg, p->kind == VT_PLACE_YMM_LOW ? "third" : "last");
        break;
    case VT_PLACE_CELL:
        printf("%u bytes at ", p->bytes);
        show_linear(&p->address);
        break;
    default:
        printf("%s base", p->kind == VT_PLACE_FS_BASE ? "fs" : "gs");
        break;
    }
}

static void show_code(const struct vt_synth_loop *loop)
{
    printf("Loop %s at 0x%" PRIx64 "\n", loop->hash, loop->head);
    for (uint32_t i = 0; i < loop->n_blocks; i++) {
        const struct vt_synth_block *b = &loop->blocks[i];
        printf("  %+" PRId64 ":", b->at);
        for (uint32_t j = 0; j < b->n; j++) {
            printf(" %02x", loop->bytes[b->first + j]);
        }
        printf("\n");
    }
}

static void show_claims(const struct vt_synth_kernel *k)
{
    const struct vt_pixel_program *p = &k->program;
    printf("\nPlaces\n");
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        printf("  input %s: ", p->inputs[i].name);
        show_place(&k->inputs[i]);
        printf("\n");
    }
    for (uint32_t i = 0; i < p->n_carries; i++) {
        printf("  carry %s: ", p->carries[i].name);
        show_place(&k->carries[i]);
        printf("\n");
    }
    for (uint32_t i = 0; i < p->n_streams; i++) {
        printf("  stream %s: ", p->streams[i].name);
        show_linear(&k->streams[i]);
        printf(k->aligned[i] != 0 ? ", aligned to %u\n" : "\n", k->aligned[i]);
    }
    printf("\nIterations: %s, %s\n",
           k->trips != NULL ? "counted before they run" : "until a check of the program fails",
           vt_synth_any_order(k) ? "in any order" : "one after the other");
    for (uint32_t i = 0; i < k->n_equal; i++) {
        printf("  only where ");
        show_place(&k->equal[i].place);
        printf(" is ");
        show_linear(&k->equal[i].sum);
        printf("\n");
    }
    for (uint32_t i = 0; i < k->n_disjoint; i++) {
        printf("  %u and %u must not overlap%s\n", k->disjoint[i].a, k->disjoint[i].b,
               k->disjoint[i].only_parallel ? ", if out of order" : "");
    }
}

static int show_text(const struct vt_synth_kernel *k, struct vt_error *err)
{
    static const char *const results[] = {"open", "holds", "is false", "is unknown"};
    show_code(&k->loop);
    printf("\nProgram\n");
    int rc = vt_pixel_write(&k->program, stdout, err);
    if (rc == 0) {
        show_claims(k);
    }
    if (rc == 0 && k->trips != NULL) {
        printf("\nHow many come back\n");
        rc = vt_pixel_write(k->trips, stdout, err);
    }
    if (rc == 0) {
        printf("\nProof, as the file claims it (vitrine synth verify proves it)\n");
        for (uint32_t i = 0; i < k->n_obligations; i++) {
            const struct vt_obligation *o = &k->obligations[i];
            printf("  %-32s %s by %s, %.1f ms\n", o->name, results[o->result], o->solver,
                   o->took_us / 1000.0);
        }
    }
    return rc;
}

static int run(const struct vt_args *args)
{
    struct vt_synth_kernel *k;
    struct vt_error err;
    if (vt_synth_load(vt_args_operand(args, 0), &k, &err) != 0) {
        return vt_report(args, &err);
    }
    int rc = 0;
    if (vt_args_json(args)) {
        struct vt_json_writer w;
        vt_json_init(&w, stdout, vt_args_pretty(args));
        vt_json_object(&w);
        vt_json_kv_hex(&w, "head", k->loop.head);
        vt_json_kv_bool(&w, "any_order", vt_synth_any_order(k));
        vt_synth_json_content(k, &w);
        vt_synth_json_proof(k, &w);
        vt_json_object_end(&w);
        vt_json_finish(&w);
    } else {
        rc = show_text(k, &err);
    }
    vt_synth_kernel_destroy(k);
    return rc != 0 ? vt_report(args, &err) : VT_EXIT_OK;
}

const struct vt_verb vt_verb_synth_show = {
    .name = "synth show",
    .group = "Acceleration",
    .summary = "Show a kernel: code, program, places, and what it claims",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .description = "Nothing is proven: 'vitrine synth verify' does that. The program is in the "
                   "notation of\n"
                   "docs/pixel.md.",
    .examples = "vitrine synth show kernel.json\n"
                "vitrine synth show kernel.json --json | jq .guards",
    .run = run,
};
