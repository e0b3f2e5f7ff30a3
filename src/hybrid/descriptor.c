/* hybrid/descriptor.c - a proven kernel as QEMU's plugin takes it. See descriptor.h.
 */
#include "hybrid/descriptor.h"

#include "pixel/host.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_ALIGN 64u

/* The plugin's limits and numbers are the kernels'. */
_Static_assert(VT_HYBRID_STREAMS_MAX == VT_PIXEL_STREAMS_MAX, "streams");
_Static_assert(VT_HYBRID_INPUTS_MAX == VT_PIXEL_INPUTS_MAX, "inputs");
_Static_assert(VT_HYBRID_CARRIES_MAX == VT_PIXEL_CARRIES_MAX, "carries");
_Static_assert(VT_HYBRID_WINDOW_MAX == VT_PIXEL_WINDOW_MAX, "bytes of a window");
_Static_assert(VT_HYBRID_BLOCKS_MAX == VT_SYNTH_BLOCKS_MAX, "blocks");
_Static_assert(VT_HYBRID_CODE_MAX == VT_SYNTH_BYTES_MAX, "bytes of code");
_Static_assert(VT_HYBRID_NONE == VT_PIXEL_NONE, "none");
_Static_assert((int)VT_HYBRID_YMM_HIGH == (int)VT_PLACE_YMM_HIGH, "kinds of places");
_Static_assert((int)VT_HYBRID_CELL == (int)VT_PLACE_CELL, "kinds of places");

static void describe_linear(const struct vt_linear *from, struct vt_hybrid_linear *to)
{
    to->constant = from->constant;
    to->n = from->n;
    for (uint32_t i = 0; i < from->n; i++) {
        to->reg[i] = from->part[i].reg;
        to->coefficient[i] = from->part[i].coefficient;
    }
}

static void describe_place(const struct vt_place *from, uint8_t bits, struct vt_hybrid_place *to)
{
    to->kind = from->kind;
    to->reg = from->reg;
    to->bits = bits;
    to->bytes = from->bytes;
    describe_linear(&from->address, &to->address);
}

static void describe_code(const struct vt_synth_loop *loop, struct vt_hybrid_kernel *d)
{
    snprintf(d->hash, sizeof d->hash, "%s", loop->hash);
    d->head = loop->head;
    d->n_blocks = loop->n_blocks;
    d->n_code = loop->n_bytes;
    memcpy(d->code, loop->bytes, loop->n_bytes);
    for (uint32_t i = 0; i < loop->n_blocks; i++) {
        d->blocks[i] = (struct vt_hybrid_block){
            .at = loop->blocks[i].at, .first = loop->blocks[i].first, .n = loop->blocks[i].n};
    }
}

static void describe_memory(const struct vt_synth_kernel *k, struct vt_hybrid_kernel *d)
{
    const struct vt_pixel_program *p = &k->program;
    d->n_streams = p->n_streams;
    for (uint32_t i = 0; i < p->n_streams; i++) {
        struct vt_hybrid_stream *s = &d->streams[i];
        describe_linear(&k->streams[i], &s->position);
        s->low = p->streams[i].low;
        s->high = p->streams[i].high;
        s->stride = p->streams[i].stride;
        s->stride_input = p->streams[i].stride_input;
        s->reads = p->streams[i].reads;
        s->writes = p->streams[i].writes;
        s->aligned = k->aligned[i];
    }
    d->n_disjoint = k->n_disjoint;
    for (uint32_t i = 0; i < k->n_disjoint; i++) {
        d->disjoint[i] = (struct vt_hybrid_disjoint){.a = k->disjoint[i].a,
                                                     .b = k->disjoint[i].b,
                                                     .only_parallel = k->disjoint[i].only_parallel};
    }
}

/* The plugin calls it as a program of one iteration: what it comes to is a carry. */
static int compile_trips(const struct vt_pixel_program *trips, struct vt_pixel_image *image,
                         struct vt_error *err)
{
    struct vt_pixel_program p = *trips;
    p.n_carries = 1;
    p.carries[0] = (struct vt_pixel_carry){
        .name = "iterations", .bits = 64, .next = p.n_insns - 1, .kind = VT_PIXEL_LAST};
    /* A name that an input may have; nobody looks for it. */
    return vt_pixel_compile(&p, 2, image, err);
}

static int compile(const struct vt_synth_kernel *k, struct vt_hybrid_kernel *d, uint8_t **image,
                   struct vt_error *err)
{
    struct vt_pixel_image program = {0}, trips = {0};
    int rc = vt_pixel_compile(&k->program, 3, &program, err);
    if (rc == 0 && k->trips != NULL) {
        rc = compile_trips(k->trips, &trips, err);
    }
    size_t second = (program.n + IMAGE_ALIGN - 1) & ~(size_t)(IMAGE_ALIGN - 1);
    size_t all = second + trips.n;
    if (rc == 0 && all > VT_HYBRID_IMAGE_BYTES) {
        rc = vt_fail(err, VT_E_LIMIT, "a kernel of %zu bytes", all);
    }
    uint8_t *bytes = rc == 0 ? calloc(1, all) : NULL;
    if (rc == 0 && bytes == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "a kernel of %zu bytes", all);
    }
    if (rc == 0) {
        memcpy(bytes, program.bytes, program.n);
        if (trips.n != 0) {
            memcpy(bytes + second, trips.bytes, trips.n);
        }
        d->image_bytes = (uint32_t)all;
        d->entry = (uint32_t)program.entry;
        d->trips_entry = k->trips != NULL ? (uint32_t)(second + trips.entry) : VT_HYBRID_NONE;
        *image = bytes;
    }
    vt_pixel_image_fini(&program);
    vt_pixel_image_fini(&trips);
    return rc;
}

int vt_hybrid_describe(const struct vt_synth_kernel *k, const struct vt_accel_options *options,
                       struct vt_hybrid_kernel *d, uint8_t **image, struct vt_error *err)
{
    const struct vt_pixel_program *p = &k->program;
    memset(d, 0, sizeof *d);
    describe_code(&k->loop, d);
    describe_memory(k, d);
    d->flags = (options->here || vt_synth_loop_is_bound(&k->loop) ? VT_HYBRID_ONLY_HERE : 0U) |
               (vt_synth_loop_wants_avx(&k->loop) ? VT_HYBRID_WANTS_AVX : 0U) |
               (options->backend == VT_ACCEL_GPU ? VT_HYBRID_USE_WORKER : 0U);
    d->canary_period = options->canary_period;
    d->min_iterations = options->min_iterations;
    d->slice_iterations = options->slice_iterations;
    d->slice_bytes = options->slice_bytes;
    d->n_inputs = p->n_inputs;
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        describe_place(&k->inputs[i], p->inputs[i].bits, &d->inputs[i]);
    }
    d->n_carries = p->n_carries;
    for (uint32_t i = 0; i < p->n_carries; i++) {
        describe_place(&k->carries[i], p->carries[i].bits, &d->carries[i]);
    }
    return compile(k, d, image, err);
}
