/* cli/bench_volume.c - `vitrine bench volume`: drawing a guest's RAM while it changes.
 *
 * Looks for changed pages at a fixed rate, takes them to the device and draws frame after frame
 * with everything on, the camera going round, so that no frame is like the one before.
 */
#include "cli/bench_volume.h"

#include "base/io.h"
#include "base/text.h"
#include "volume/adapt.h"
#include "volume/draw.h"
#include "volume/overlay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 1000000u
#define FRAMES_BEFORE 5u /* that make programs, tables and caches */
#define FRAMES_PER_TURN 360
#define SIDE_MIN 32u
#define SIDE_MAX 4096u
#define WRITES_PER_S 12000u /* as the guest's, below */
#define GUEST_PAGES 200u
#define GUEST_HZ 60u
#define WRITES 200u
#define WRITES_MAX 100000u

/* ---------------------------------------------------------------- RAM, device, scene */

int vt_bench_volume_look(struct vt_bench_volume *b, struct vt_volume_update *update,
                         struct vt_error *err)
{
    struct vt_volume_update what;
    int rc = 0;
    if (b->synthetic != NULL) {
        vt_synthetic_look(b->synthetic, &what);
    } else {
        rc = vt_follow_look(b->follow, &what, err);
    }
    if (rc == 0) {
        *update = what;
        update->highlights = b->options.off[VT_BENCH_HIGHLIGHTS] ? NULL : what.highlights;
        b->highlights = update->highlights != NULL ? update->highlights : b->highlights;
    }
    return rc;
}

double vt_bench_volume_now_s(const struct vt_bench_volume *b)
{
    struct vt_follow_seen seen;
    if (b->synthetic != NULL) {
        return vt_synthetic_now_s(b->synthetic);
    }
    vt_follow_seen(b->follow, &seen);
    return seen.now_s;
}

static void make_scene(struct vt_bench_volume *b)
{
    const bool *off = b->options.off;
    vt_scene_init(&b->scene);
    b->scene.heat = !off[VT_BENCH_HEAT];
    b->scene.dim_others = !off[VT_BENCH_DIM];
    b->scene.boxes = !off[VT_BENCH_BOXES];
    b->scene.labels = !off[VT_BENCH_LABELS];
    b->scene.frame = !off[VT_BENCH_FRAME];
}

static int open_device(struct vt_bench_volume *b, struct vt_error *err)
{
    const struct vt_gpu_options device = {.name = b->options.gpu};
    struct vt_volume_options volume = {.memory_bytes = b->options.gpu_memory_bytes,
                                       .copy = b->options.copy};
    if (b->target != NULL) {
        volume.n_regions = vt_ram_regions(b->target->ram, &volume.regions);
    }
    int rc = vt_gpu_open(&device, &b->gpu, err);
    if (rc != 0) {
        return rc;
    }
    bool software = vt_gpu_info(b->gpu)->software;
    b->width = b->options.width != 0 ? b->options.width : software ? 320 : 1920;
    b->height = b->options.height != 0 ? b->options.height : software ? 180 : 1080;
    make_scene(b);
    rc = vt_volume_box(vt_volume_order(b->ram_bytes), (struct vt_off){0}, b->ram_bytes, &b->box,
                       err);
    rc = rc != 0 ? rc
                 : vt_volume_create(b->gpu, b->bytes, b->ram_bytes >> VT_PAGE_SHIFT, &volume,
                                    &b->volume, err);
    return rc != 0 ? rc : vt_view_create(b->gpu, b->width, b->height, &b->view, err);
}

/* ---------------------------------------------------------------- frames */

static int update(struct vt_bench_volume *b, struct vt_bench_volume_result *r, struct vt_error *err)
{
    struct vt_volume_update what;
    struct vt_volume_cost cost;
    uint64_t began = vt_now_ns();
    int rc = vt_bench_volume_look(b, &what, err);
    uint64_t looked = vt_now_ns();
    rc = rc != 0 ? rc : vt_volume_update(b->volume, &what, &cost, err);
    if (rc != 0) {
        return rc;
    }
    if (what.all) {
        r->first_ms = (double)(vt_now_ns() - looked) / 1e6;
        return 0;
    }
    size_t i = r->n_updates++;
    r->look_ms[i] = (double)(looked - began) / 1e6;
    r->update_ms[i] = (double)(vt_now_ns() - looked) / 1e6;
    r->update_gpu_ms[i] = (double)cost.gpu_ns / 1e6;
    r->changed_pages += what.n_pages;
    r->uploaded_bytes += cost.uploaded_bytes;
    return 0;
}

/* Round once in FRAMES_PER_TURN frames, and up and down meanwhile. */
static void camera_of(const struct vt_bench_volume *b, uint64_t frame, struct vt_camera *camera)
{
    const double step = 2 * M_PI / FRAMES_PER_TURN;
    vt_camera_named("iso", camera, NULL);
    vt_camera_frame(camera, &b->box, vt_volume_side(b->volume), (double)b->width / b->height);
    vt_camera_orbit(camera, (double)frame * step, 0.3 * sin((double)frame * step * 3));
}

static int draw_one(struct vt_bench_volume *b, struct vt_bench_drawing *d, uint64_t frame,
                    unsigned scale, struct vt_error *err)
{
    struct vt_camera camera;
    struct vt_shot_cost cost;
    camera_of(b, frame, &camera);
    struct vt_overlay overlay = {.camera = &camera,
                                 .scene = &b->scene,
                                 .order = vt_volume_side(b->volume),
                                 .ram_bytes = b->ram_bytes};
    if (b->highlights != NULL) {
        overlay.highlights = b->highlights->all;
        overlay.n_highlights = b->highlights->n;
    }
    if (b->target != NULL) {
        overlay.n_regions = vt_ram_regions(b->target->ram, &overlay.regions);
    }
    const struct vt_shot shot = {.camera = &camera,
                                 .scene = &b->scene,
                                 .method = d->method,
                                 .scale = scale,
                                 .now_s = vt_bench_volume_now_s(b),
                                 .overlay = &overlay};
    uint64_t began = vt_now_ns();
    int rc = vt_view_draw(b->view, b->volume, &shot, &cost, err);
    if (rc == 0) {
        d->frame_ms[d->n] = (double)(vt_now_ns() - began) / 1e6;
        d->gpu_ms[d->n] = (double)cost.gpu_ns / 1e6;
        d->scale[d->n] = scale;
    }
    return rc;
}

static int draw_many(struct vt_bench_volume *b, struct vt_bench_drawing *d,
                     struct vt_bench_volume_result *r, struct vt_error *err)
{
    const uint64_t period_ns = 1000000000u / b->options.hz;
    struct vt_adapt adapt;
    int rc = 0;
    vt_adapt_init(&adapt, b->options.adaptive_fps > 0 ? 1 / b->options.adaptive_fps : 1);
    for (unsigned i = 0; rc == 0 && i < FRAMES_BEFORE; i++) {
        rc = draw_one(b, d, i, 1, err);
    }
    uint64_t began = vt_now_ns(), next = began;
    for (uint64_t i = 0; rc == 0 && i < b->options.frames; i++) {
        unsigned scale = 1;
        if (vt_interrupted) {
            return vt_fail(err, VT_E_INTERRUPTED, "interrupted");
        }
        if (vt_now_ns() >= next) {
            rc = update(b, r, err);
            /* A rate that cannot be kept is not made up for. */
            next = next + period_ns > vt_now_ns() ? next + period_ns : vt_now_ns();
        }
        if (b->options.adaptive_fps > 0) {
            scale = vt_adapt_next(&adapt, b->width, b->height, d->method, true, true);
        }
        rc = rc != 0 ? rc : draw_one(b, d, FRAMES_BEFORE + i, scale, err);
        if (rc == 0) {
            vt_adapt_took(&adapt, b->width, b->height, d->method, d->frame_ms[d->n] / 1e3);
            d->n++;
        }
    }
    d->elapsed_s = (double)(vt_now_ns() - began) / 1e9;
    return rc;
}

static int write_picture(const struct vt_bench_volume *b, const uint8_t *rgba, struct vt_error *err)
{
    struct vt_canvas *canvas;
    int rc = vt_canvas_create(b->width, b->height, &canvas, err);
    if (rc == 0) {
        vt_canvas_put(canvas, rgba);
        rc = vt_canvas_write_png(canvas, b->options.picture, err);
        vt_canvas_destroy(canvas);
    }
    return rc;
}

/* How much of the last picture is not its background: 0 says that nothing was measured. */
static int look_at(struct vt_bench_volume *b, struct vt_bench_volume_result *r,
                   struct vt_error *err)
{
    const uint8_t *rgba;
    size_t n = (size_t)b->width * b->height, drawn = 0;
    int rc = vt_view_pixels(b->view, &rgba, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        drawn += rgba[4 * i] != b->scene.background.r || rgba[4 * i + 1] != b->scene.background.g ||
                 rgba[4 * i + 2] != b->scene.background.b;
    }
    r->drawn_share = (double)drawn / (double)n;
    return b->options.picture != NULL ? write_picture(b, rgba, err) : 0;
}

static bool make_room(struct vt_bench_drawing *d, uint64_t frames)
{
    d->frame_ms = calloc(frames, sizeof *d->frame_ms);
    d->gpu_ms = calloc(frames, sizeof *d->gpu_ms);
    d->scale = calloc(frames, sizeof *d->scale);
    return d->frame_ms != NULL && d->gpu_ms != NULL && d->scale != NULL;
}

static int prepare(const struct vt_bench_volume_options *options, struct vt_bench_volume_result *r,
                   struct vt_error *err)
{
    bool ok = true;
    unsigned n = 0;
    for (int method = 0; method < 2; method++) {
        if (method == VT_METHOD_MARCH ? options->march : options->slices) {
            struct vt_bench_drawing *d = &r->drawings[n++];
            d->method = (enum vt_method)method;
            ok &= make_room(d, options->frames);
        }
    }
    r->n_drawings = n;
    size_t room = 2 * options->frames; /* an update a frame, at most */
    r->look_ms = calloc(room, sizeof *r->look_ms);
    r->update_ms = calloc(room, sizeof *r->update_ms);
    r->update_gpu_ms = calloc(room, sizeof *r->update_gpu_ms);
    ok &= r->look_ms != NULL && r->update_ms != NULL && r->update_gpu_ms != NULL;
    return ok ? 0 : vt_fail(err, VT_E_NOMEM, "no memory for %" PRIu64 " frames", options->frames);
}

static void result_fini(struct vt_bench_volume_result *r)
{
    for (unsigned i = 0; i < sizeof r->drawings / sizeof r->drawings[0]; i++) {
        free(r->drawings[i].frame_ms);
        free(r->drawings[i].gpu_ms);
        free(r->drawings[i].scale);
    }
    free(r->look_ms);
    free(r->update_ms);
    free(r->update_gpu_ms);
    vt_bench_latency_fini(&r->latency);
}

/* What is told of the device outlives it. */
static void describe(const struct vt_bench_volume *b, struct vt_bench_volume_result *r)
{
    r->device = *vt_gpu_info(b->gpu);
    r->ram_bytes = b->ram_bytes;
    r->order = vt_volume_side(b->volume);
    r->width = b->width;
    r->height = b->height;
    vt_gpu_memory(b->gpu, &r->gpu_bytes, &r->driver_bytes);
    r->volume_bytes = vt_volume_gpu_bytes(b->volume);
    if (b->target != NULL) {
        snprintf(r->vm, sizeof r->vm, "%s", b->target->name);
    }
}

/* Writes until they are seen: a guest blinks, of synthetic RAM `page` is written to. */
static int follow(struct vt_bench_volume *b, struct vt_bench_volume_result *r, uint64_t page,
                  struct vt_error *err)
{
    const struct vt_bench_drawing *d = &r->drawings[0];
    unsigned scale = (unsigned)vt_bench_median(d->scale, d->n);
    struct vt_bench_blink blink = {.pid = 0};
    int rc = 0;
    if (b->target != NULL) {
        rc = vt_bench_blink_start(b->target, vt_bench_median(d->frame_ms, d->n), &blink, err);
        page = blink.offset.v >> VT_PAGE_SHIFT;
    }
    rc = rc != 0 ? rc : vt_bench_latency(b, page, scale, &r->latency, err);
    if (b->target != NULL) {
        vt_bench_blink_end(b->target, &blink);
    }
    return rc;
}

/* `page` of synthetic RAM is the one that is written to for the latency. */
static int measure(struct vt_bench_volume *b, struct vt_bench_volume_result *r, uint64_t page,
                   struct vt_error *err)
{
    int rc = open_device(b, err);
    rc = rc != 0 ? rc : update(b, r, err); /* the first one takes everything */
    for (unsigned i = 0; rc == 0 && i < r->n_drawings; i++) {
        vt_progress("drawing %" PRIu64 " frames …", b->options.frames);
        rc = draw_many(b, &r->drawings[i], r, err);
    }
    rc = rc != 0 ? rc : look_at(b, r, err);
    if (rc == 0 && b->options.writes > 0) {
        vt_progress("following %" PRIu64 " writes …", b->options.writes);
        rc = follow(b, r, page, err);
    }
    vt_progress("%s", "");
    if (rc == 0) {
        describe(b, r);
    }
    vt_view_destroy(b->view);
    vt_volume_destroy(b->volume);
    vt_gpu_close(b->gpu);
    return rc;
}

/* ---------------------------------------------------------------- what is asked for */

static int read_resolution(const struct vt_args *args, struct vt_bench_volume_options *o)
{
    const char *text = vt_args_value(args, "resolution");
    char end;
    if (text != NULL &&
        (sscanf(text, "%5" SCNu32 "x%5" SCNu32 "%c", &o->width, &o->height, &end) != 2 ||
         o->width < 16 || o->width > 16384 || o->height < 16 || o->height > 16384)) {
        return vt_usage_error(args, "--resolution: WIDTHxHEIGHT, 16 to 16384 each");
    }
    return 0;
}

static int read_method(const struct vt_args *args, struct vt_bench_volume_options *o)
{
    const char *text = vt_args_value(args, "method");
    bool both = text != NULL && strcmp(text, "both") == 0;
    o->march = text == NULL || both || strcmp(text, "march") == 0;
    o->slices = both || (text != NULL && strcmp(text, "slices") == 0);
    return o->march || o->slices ? 0 : vt_usage_error(args, "--method: march, slices or both");
}

static int read_features(const struct vt_args *args, struct vt_bench_volume_options *o)
{
    const char *name;
    for (unsigned n = 0; (name = vt_args_value_at(args, "without", n)) != NULL; n++) {
        unsigned i = 0;
        while (i < VT_BENCH_FEATURES && strcmp(vt_bench_feature_names[i], name) != 0) {
            i++;
        }
        if (i == VT_BENCH_FEATURES) {
            return vt_usage_error(args, "--without: heat, highlights, dim, boxes, labels or frame");
        }
        o->off[i] = true;
    }
    return 0;
}

static int read_options(const struct vt_args *args, struct vt_bench_volume_options *o)
{
    uint64_t fps = 0;
    o->gpu = vt_args_value(args, "gpu");
    o->picture = vt_args_value(args, "picture");
    o->copy = vt_args_flag(args, "copy");
    int result = vt_args_bytes(args, "gpu-memory", 0, &o->gpu_memory_bytes);
    result = result != 0 ? result : vt_args_u64(args, "frames", FRAMES_PER_TURN, &o->frames);
    result = result != 0 ? result : vt_args_u64(args, "hz", 60, &o->hz);
    result = result != 0 ? result : vt_args_u64(args, "adaptive", 0, &fps);
    result = result != 0 ? result : vt_args_u64(args, "writes", WRITES, &o->writes);
    result = result != 0 ? result : read_resolution(args, o);
    result = result != 0 ? result : read_method(args, o);
    result = result != 0 ? result : read_features(args, o);
    if (result == 0 && (o->frames == 0 || o->frames > FRAMES_MAX)) {
        result = vt_usage_error(args, "--frames: between 1 and %u", FRAMES_MAX);
    }
    if (result == 0 && (o->hz == 0 || o->hz > 1000 || fps > 1000)) {
        result = vt_usage_error(args, "--hz, --adaptive: at most 1000");
    }
    if (result == 0 && (o->writes == 0 || o->writes > WRITES_MAX)) {
        result = vt_usage_error(args, "--writes: between 1 and %u", WRITES_MAX);
    }
    o->writes = vt_args_flag(args, "latency") ? o->writes : 0;
    o->adaptive_fps = result == 0 ? (double)fps : 0;
    return result;
}

/* The size of synthetic RAM: a whole cube of --size voxels a side, or --memory. */
static int read_size(const struct vt_args *args, uint64_t *bytes)
{
    uint64_t side;
    int result = vt_args_u64(args, "size", 0, &side);
    result = result != 0 ? result : vt_args_bytes(args, "memory", UINT64_C(256) << 20, bytes);
    if (result == 0 && vt_args_value(args, "size") != NULL) {
        if (side < SIDE_MIN || side > SIDE_MAX || (side & (side - 1)) != 0) {
            return vt_usage_error(args, "--size: a power of 2 from %u to %u", SIDE_MIN, SIDE_MAX);
        }
        *bytes = side * side * side;
    }
    return result;
}

/* ---------------------------------------------------------------- on what */

struct bench {
    struct vt_bench_volume b;
    struct vt_bench_volume_result r;
    uint64_t fill_percent, writes_per_s; /* of synthetic RAM */
    uint64_t pages;                      /* a guest of ours writes each tick */
};

/* Of synthetic RAM, to be written to: one in the middle that is drawn. */
static int page_in_use(const struct vt_bench_volume *b, uint64_t *page, struct vt_error *err)
{
    const uint8_t *classes = vt_synthetic_classes(b->synthetic);
    uint64_t n = vt_synthetic_pages(b->synthetic);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = (n / 2 + i) % n;
        if (classes[at] == VT_CLASS_USER_ANON || classes[at] == VT_CLASS_KERNEL_SLAB) {
            *page = at;
            return 0;
        }
    }
    return vt_fail(err, VT_E_NOT_FOUND, "too little of the RAM is in use");
}

static int on_synthetic(struct bench *bench, struct vt_error *err)
{
    struct vt_bench_volume *b = &bench->b;
    int rc = vt_synthetic_create(b->ram_bytes, (unsigned)bench->fill_percent, &b->synthetic, err);
    if (rc != 0) {
        return rc;
    }
    b->bytes = vt_synthetic_bytes(b->synthetic);
    uint64_t page = vt_synthetic_pages(b->synthetic); /* whose writes are followed: none */
    rc = b->options.writes > 0 ? page_in_use(b, &page, err) : 0;
    rc = rc != 0 ? rc : vt_synthetic_start(b->synthetic, bench->writes_per_s, page, err);
    rc = rc != 0 ? rc : measure(b, &bench->r, page, err);
    vt_synthetic_destroy(b->synthetic);
    return rc;
}

static int on_target(struct vt_target *target, bool ours, void *context, struct vt_error *err)
{
    struct bench *bench = context;
    struct vt_bench_volume *b = &bench->b;
    b->target = target;
    b->bytes = vt_ram_bytes(target->ram);
    b->ram_bytes = vt_ram_size(target->ram);
    int rc = ours ? vt_bench_vm_write(target->vm, bench->pages, GUEST_HZ, err) : 0;
    if (rc == 0 && b->options.writes > 0 && target->vm == NULL) {
        rc = vt_fail(err, VT_E_INVAL, "--latency: a file does not change");
    }
    rc = rc != 0 ? rc : vt_follow_create(target, NULL, &b->follow, err);
    rc = rc != 0 ? rc : measure(b, &bench->r, 0, err);
    vt_follow_destroy(b->follow);
    return rc;
}

static int measure_on(const struct vt_args *args, struct bench *bench)
{
    struct vt_error err;
    int rc = prepare(&bench->b.options, &bench->r, &err);
    if (rc == 0 && vt_args_value(args, "synthetic") == NULL) {
        return vt_bench_on_vm(args, "bench volume", VT_CLI_RAM, true, on_target, bench);
    }
    rc = rc != 0 ? rc : on_synthetic(bench, &err);
    return rc == 0 ? 0 : vt_report(args, &err);
}

static int run(const struct vt_args *args)
{
    struct bench bench = {.r.n_drawings = 0};
    bool synthetic = vt_args_value(args, "synthetic") != NULL;
    int result = read_options(args, &bench.b.options);
    result = result != 0 ? result : read_size(args, &bench.b.ram_bytes);
    result = result != 0 ? result : vt_args_u64(args, "synthetic", 0, &bench.fill_percent);
    result =
        result != 0 ? result : vt_args_u64(args, "write-rate", WRITES_PER_S, &bench.writes_per_s);
    result = result != 0 ? result : vt_args_u64(args, "pages", GUEST_PAGES, &bench.pages);
    if (result == 0 && bench.fill_percent > 100) {
        result = vt_usage_error(args, "--synthetic: 0 to 100, per cent of pages in use");
    }
    if (result == 0 && synthetic && vt_args_operand(args, 1) != NULL) {
        result = vt_usage_error(args, "--synthetic takes no VM");
    }
    if (result == 0 && !synthetic &&
        (vt_args_value(args, "size") != NULL || vt_args_value(args, "write-rate") != NULL)) {
        result = vt_usage_error(args, "--size and --write-rate are of --synthetic RAM");
    }
    result = result != 0 ? result : measure_on(args, &bench);
    if (result == 0) {
        vt_bench_volume_show(args, &bench.b.options, &bench.r);
    }
    result_fini(&bench.r);
    return result;
}

const struct vt_bench vt_bench_volume = {
    .name = "volume",
    .summary = "what it costs to draw RAM as a volume while it changes",
    .run = run,
};
