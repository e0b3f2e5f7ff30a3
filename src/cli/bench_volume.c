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

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 1000000u
#define FRAMES_BEFORE 5u /* that make programs, tables and caches */
#define FRAMES_PER_TURN 360
#define SIDE_MIN 32u
#define SIDE_MAX 4096u
#define WRITES_PER_S 12000u /* 200 pages, 60 times a second */

static const char *const feature_names[VT_BENCH_FEATURES] = {
    [VT_BENCH_HEAT] = "heat",   [VT_BENCH_HIGHLIGHTS] = "highlights", [VT_BENCH_DIM] = "dim",
    [VT_BENCH_BOXES] = "boxes", [VT_BENCH_LABELS] = "labels",         [VT_BENCH_FRAME] = "frame",
};

/* Frames of one method. */
struct drawing {
    enum vt_method method;
    double *frame_ms, *gpu_ms, *scale; /* n of each */
    size_t n;
    double elapsed_s;
};

struct result {
    struct drawing drawings[2];
    unsigned n_drawings;
    double *look_ms, *update_ms, *update_gpu_ms; /* n_updates of each */
    size_t n_updates, room;
    uint64_t changed_pages, uploaded_bytes;
    uint64_t gpu_bytes, volume_bytes, driver_bytes;
    double first_ms, drawn_share;
};

/* ---------------------------------------------------------------- RAM, device, scene */

int vt_bench_volume_look(struct vt_bench_volume *b, struct vt_volume_update *update,
                         struct vt_error *err)
{
    (void)err;
    vt_synthetic_look(b->synthetic, update);
    if (b->options.off[VT_BENCH_HIGHLIGHTS]) {
        update->highlights = NULL;
    }
    return 0;
}

double vt_bench_volume_now_s(const struct vt_bench_volume *b)
{
    return vt_synthetic_now_s(b->synthetic);
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
    const struct vt_volume_options volume = {.memory_bytes = b->options.gpu_memory_bytes};
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
                 : vt_volume_create(b->gpu, vt_synthetic_bytes(b->synthetic),
                                    vt_synthetic_pages(b->synthetic), &volume, &b->volume, err);
    return rc != 0 ? rc : vt_view_create(b->gpu, b->width, b->height, &b->view, err);
}

static void close_device(struct vt_bench_volume *b)
{
    vt_view_destroy(b->view);
    vt_volume_destroy(b->volume);
    vt_gpu_close(b->gpu);
}

/* ---------------------------------------------------------------- frames */

static int update(struct vt_bench_volume *b, struct result *r, struct vt_error *err)
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

static int draw_one(struct vt_bench_volume *b, struct drawing *d, uint64_t frame, unsigned scale,
                    struct vt_error *err)
{
    struct vt_camera camera;
    struct vt_shot_cost cost;
    camera_of(b, frame, &camera);
    const struct vt_shot shot = {.camera = &camera,
                                 .scene = &b->scene,
                                 .method = d->method,
                                 .scale = scale,
                                 .now_s = vt_bench_volume_now_s(b)};
    uint64_t began = vt_now_ns();
    int rc = vt_view_draw(b->view, b->volume, &shot, &cost, err);
    if (rc == 0) {
        d->frame_ms[d->n] = (double)(vt_now_ns() - began) / 1e6;
        d->gpu_ms[d->n] = (double)cost.gpu_ns / 1e6;
        d->scale[d->n] = scale;
    }
    return rc;
}

static int draw_many(struct vt_bench_volume *b, struct drawing *d, struct result *r,
                     struct vt_error *err)
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
static int look_at(struct vt_bench_volume *b, struct result *r, struct vt_error *err)
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

static bool make_room(struct drawing *d, uint64_t frames)
{
    d->frame_ms = calloc(frames, sizeof *d->frame_ms);
    d->gpu_ms = calloc(frames, sizeof *d->gpu_ms);
    d->scale = calloc(frames, sizeof *d->scale);
    return d->frame_ms != NULL && d->gpu_ms != NULL && d->scale != NULL;
}

static int prepare(const struct vt_bench_volume_options *options, struct result *r,
                   struct vt_error *err)
{
    bool ok = true;
    for (int method = 0; method < 2; method++) {
        if (method == VT_METHOD_MARCH ? options->march : options->slices) {
            struct drawing *d = &r->drawings[r->n_drawings++];
            d->method = (enum vt_method)method;
            ok &= make_room(d, options->frames);
        }
    }
    size_t room = r->n_drawings * options->frames;
    r->look_ms = calloc(room, sizeof *r->look_ms);
    r->update_ms = calloc(room, sizeof *r->update_ms);
    r->update_gpu_ms = calloc(room, sizeof *r->update_gpu_ms);
    ok &= r->look_ms != NULL && r->update_ms != NULL && r->update_gpu_ms != NULL;
    return ok ? 0 : vt_fail(err, VT_E_NOMEM, "no memory for %" PRIu64 " frames", options->frames);
}

static void result_fini(struct result *r)
{
    for (unsigned i = 0; i < r->n_drawings; i++) {
        free(r->drawings[i].frame_ms);
        free(r->drawings[i].gpu_ms);
        free(r->drawings[i].scale);
    }
    free(r->look_ms);
    free(r->update_ms);
    free(r->update_gpu_ms);
}

static int measure(struct vt_bench_volume *b, struct result *r, struct vt_error *err)
{
    int rc = open_device(b, err);
    rc = rc != 0 ? rc : update(b, r, err); /* the first one takes everything */
    for (unsigned i = 0; rc == 0 && i < r->n_drawings; i++) {
        vt_progress("drawing %" PRIu64 " frames …", b->options.frames);
        rc = draw_many(b, &r->drawings[i], r, err);
    }
    vt_progress("%s", "");
    rc = rc != 0 ? rc : look_at(b, r, err);
    if (rc == 0) {
        vt_gpu_memory(b->gpu, &r->gpu_bytes, &r->driver_bytes);
        r->volume_bytes = vt_volume_gpu_bytes(b->volume);
    }
    return rc;
}

/* ---------------------------------------------------------------- what came out */

static const char *method_name(enum vt_method method)
{
    return method == VT_METHOD_SLICES ? "slices" : "march";
}

static void json_drawing(struct vt_json_writer *w, struct drawing *d, bool timestamps)
{
    vt_json_kv_string(w, "method", method_name(d->method));
    vt_bench_times(w, "frame_ms", d->frame_ms, d->n);
    if (timestamps) {
        vt_bench_times(w, "gpu_ms", d->gpu_ms, d->n);
    }
    vt_json_kv_f64(w, "fps", (double)d->n / d->elapsed_s, 5);
    vt_json_key(w, "scale");
    vt_json_object(w);
    vt_json_kv_f64(w, "median", vt_bench_median(d->scale, d->n), 4);
    vt_json_kv_f64(w, "max", d->scale[d->n - 1], 4);
    vt_json_object_end(w);
}

static void json_features(struct vt_json_writer *w, const struct vt_bench_volume *b)
{
    vt_json_key(w, "features");
    vt_json_array(w);
    vt_json_string(w, "classes");
    for (unsigned i = 0; i < VT_BENCH_FEATURES; i++) {
        if (!b->options.off[i]) {
            vt_json_string(w, feature_names[i]);
        }
    }
    vt_json_array_end(w);
}

static double per_update(const struct result *r, uint64_t sum)
{
    return r->n_updates > 0 ? (double)sum / (double)r->n_updates : 0;
}

static double elapsed_s(const struct result *r)
{
    return r->drawings[0].elapsed_s + r->drawings[1].elapsed_s;
}

static void print_json(const struct vt_args *args, const struct vt_bench_volume *b,
                       struct result *r)
{
    const struct vt_gpu_info *gpu = vt_gpu_info(b->gpu);
    struct vt_json_writer w;
    char resolution[32];
    snprintf(resolution, sizeof resolution, "%" PRIu32 "x%" PRIu32, b->width, b->height);
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "device", gpu->name);
    vt_json_kv_string(&w, "driver", gpu->driver);
    vt_json_kv_u64(&w, "ram_bytes", b->ram_bytes);
    vt_json_kv_u64(&w, "side", UINT64_C(1) << vt_volume_side(b->volume));
    vt_json_kv_string(&w, "resolution", resolution);
    vt_json_kv_u64(&w, "frames", b->options.frames);
    json_drawing(&w, &r->drawings[0], gpu->timestamps);
    if (r->n_drawings > 1) {
        vt_json_key(&w, "compared");
        vt_json_object(&w);
        json_drawing(&w, &r->drawings[1], gpu->timestamps);
        vt_json_object_end(&w);
    }
    vt_json_kv_f64(&w, "drawn_share", r->drawn_share, 3);
    vt_json_kv_u64(&w, "gpu_bytes", r->gpu_bytes);
    vt_json_kv_u64(&w, "volume_bytes", r->volume_bytes);
    vt_json_key(&w, "driver_bytes");
    if (r->driver_bytes != 0) {
        vt_json_u64(&w, r->driver_bytes);
    } else {
        vt_json_null(&w);
    }
    vt_json_kv_f64(&w, "first_update_ms", r->first_ms, 5);
    vt_bench_times(&w, "update_ms", r->update_ms, r->n_updates);
    if (gpu->timestamps) {
        vt_bench_times(&w, "update_gpu_ms", r->update_gpu_ms, r->n_updates);
    }
    vt_bench_times(&w, "look_ms", r->look_ms, r->n_updates);
    vt_json_kv_f64(&w, "updates_per_s", (double)r->n_updates / elapsed_s(r), 4);
    vt_json_kv_f64(&w, "dirty_pages_per_tick", per_update(r, r->changed_pages), 5);
    vt_json_kv_f64(&w, "uploaded_bytes_per_tick", per_update(r, r->uploaded_bytes), 7);
    json_features(&w, b);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_drawing(struct drawing *d, bool timestamps)
{
    char what[64];
    snprintf(what, sizeof what, "a frame (%s)", method_name(d->method));
    vt_bench_print(what, d->frame_ms, d->n);
    if (timestamps) {
        vt_bench_print("  by the device's clock", d->gpu_ms, d->n);
    }
    double median = vt_bench_median(d->scale, d->n);
    printf("%-28s %9.1f, updates included; scale %.0f, at most %.0f\n", "frames a second",
           (double)d->n / d->elapsed_s, median, d->scale[d->n - 1]);
}

static void print_text(const struct vt_bench_volume *b, struct result *r)
{
    const struct vt_gpu_info *gpu = vt_gpu_info(b->gpu);
    char ram[32], ours[32], driver[32];
    printf("%s of RAM as %" PRIu32 " x %" PRIu32 " pixels on %s (%s)\n",
           vt_format_bytes(ram, sizeof ram, b->ram_bytes), b->width, b->height, gpu->name,
           gpu->driver);
    for (unsigned i = 0; i < r->n_drawings; i++) {
        print_drawing(&r->drawings[i], gpu->timestamps);
    }
    vt_bench_print("an update", r->update_ms, r->n_updates);
    vt_bench_print("a look before it", r->look_ms, r->n_updates);
    printf("%-28s %9.1f, of %.1f pages each; the first one took %.1f ms\n", "updates a second",
           (double)r->n_updates / elapsed_s(r), per_update(r, r->changed_pages), r->first_ms);
    printf("%-28s %9s", "device memory", vt_format_bytes(ours, sizeof ours, r->gpu_bytes));
    if (r->driver_bytes != 0) {
        printf(", %s as the driver counts",
               vt_format_bytes(driver, sizeof driver, r->driver_bytes));
    }
    printf("\nwith: classes");
    for (unsigned i = 0; i < VT_BENCH_FEATURES; i++) {
        if (!b->options.off[i]) {
            printf(", %s", feature_names[i]);
        }
    }
    putchar('\n');
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
        while (i < VT_BENCH_FEATURES && strcmp(feature_names[i], name) != 0) {
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
    uint64_t fps;
    o->gpu = vt_args_value(args, "gpu");
    o->picture = vt_args_value(args, "picture");
    int result = vt_args_bytes(args, "gpu-memory", 0, &o->gpu_memory_bytes);
    result = result != 0 ? result : vt_args_u64(args, "frames", FRAMES_PER_TURN, &o->frames);
    result = result != 0 ? result : vt_args_u64(args, "hz", 60, &o->hz);
    result = result != 0 ? result : vt_args_u64(args, "adaptive", 0, &fps);
    result = result != 0 ? result : read_resolution(args, o);
    result = result != 0 ? result : read_method(args, o);
    result = result != 0 ? result : read_features(args, o);
    if (result == 0 && (o->frames == 0 || o->frames > FRAMES_MAX)) {
        result = vt_usage_error(args, "--frames: between 1 and %u", FRAMES_MAX);
    }
    if (result == 0 && (o->hz == 0 || o->hz > 1000 || fps > 1000)) {
        result = vt_usage_error(args, "--hz, --adaptive: at most 1000");
    }
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

static int run(const struct vt_args *args)
{
    struct vt_bench_volume b = {0};
    struct result r = {0};
    struct vt_error err;
    uint64_t fill, writes;
    int result = read_options(args, &b.options);
    result = result != 0 ? result : read_size(args, &b.ram_bytes);
    result = result != 0 ? result : vt_args_u64(args, "synthetic", 0, &fill);
    result = result != 0 ? result : vt_args_u64(args, "write-rate", WRITES_PER_S, &writes);
    if (result == 0 && (vt_args_value(args, "synthetic") == NULL || fill > 100)) {
        result = vt_usage_error(args, "--synthetic: 0 to 100, per cent of pages in use");
    }
    if (result != 0) {
        return result;
    }
    int rc = prepare(&b.options, &r, &err);
    rc = rc != 0 ? rc : vt_synthetic_create(b.ram_bytes, (unsigned)fill, &b.synthetic, &err);
    rc = rc != 0 ? rc : vt_synthetic_start(b.synthetic, writes, &err);
    rc = rc != 0 ? rc : measure(&b, &r, &err);
    if (rc != 0) {
        result = vt_report(args, &err);
    } else if (vt_args_json(args)) {
        print_json(args, &b, &r);
    } else {
        print_text(&b, &r);
    }
    close_device(&b);
    vt_synthetic_destroy(b.synthetic);
    result_fini(&r);
    return result;
}

const struct vt_bench vt_bench_volume = {
    .name = "volume",
    .summary = "what it costs to draw RAM as a volume while it changes",
    .run = run,
};
