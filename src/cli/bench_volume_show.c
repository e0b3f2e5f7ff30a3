/* cli/bench_volume_show.c - what `vitrine bench volume` found, as JSON and as text. */
#include "cli/bench_volume.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

const char *const vt_bench_feature_names[VT_BENCH_FEATURES] = {
    [VT_BENCH_HEAT] = "heat",   [VT_BENCH_HIGHLIGHTS] = "highlights", [VT_BENCH_DIM] = "dim",
    [VT_BENCH_BOXES] = "boxes", [VT_BENCH_LABELS] = "labels",         [VT_BENCH_FRAME] = "frame",
};

static const char *method_name(enum vt_method method)
{
    return method == VT_METHOD_SLICES ? "slices" : "march";
}

static void json_drawing(struct vt_json_writer *w, struct vt_bench_drawing *d, bool timestamps)
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

static void json_features(struct vt_json_writer *w, const struct vt_bench_volume_options *o)
{
    vt_json_key(w, "features");
    vt_json_array(w);
    vt_json_string(w, "classes");
    for (unsigned i = 0; i < VT_BENCH_FEATURES; i++) {
        if (!o->off[i]) {
            vt_json_string(w, vt_bench_feature_names[i]);
        }
    }
    vt_json_array_end(w);
}

static void json_latency(struct vt_json_writer *w, struct vt_bench_latency *l)
{
    vt_bench_times(w, "write_to_pixel_ms", l->total, l->n);
    vt_json_key(w, "write_to_pixel_parts");
    vt_json_object(w);
    vt_json_kv_u64(w, "writes", l->n);
    vt_json_kv_u64(w, "missed", l->missed);
    vt_bench_times(w, "wait_ms", l->wait, l->n);
    vt_bench_times(w, "look_ms", l->look, l->n);
    vt_bench_times(w, "update_ms", l->update, l->n);
    vt_bench_times(w, "draw_ms", l->draw, l->n);
    vt_json_object_end(w);
}

static double per_update(const struct vt_bench_volume_result *r, uint64_t sum)
{
    return r->n_updates > 0 ? (double)sum / (double)r->n_updates : 0;
}

static double elapsed_s(const struct vt_bench_volume_result *r)
{
    return r->drawings[0].elapsed_s + r->drawings[1].elapsed_s;
}

static void print_json(const struct vt_args *args, const struct vt_bench_volume_options *o,
                       struct vt_bench_volume_result *r)
{
    const struct vt_gpu_info *gpu = &r->device;
    struct vt_json_writer w;
    char resolution[32];
    snprintf(resolution, sizeof resolution, "%" PRIu32 "x%" PRIu32, r->width, r->height);
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "vm", r->vm[0] != '\0' ? r->vm : NULL);
    vt_json_kv_string(&w, "device", gpu->name);
    vt_json_kv_string(&w, "driver", gpu->driver);
    vt_json_kv_u64(&w, "ram_bytes", r->ram_bytes);
    vt_json_kv_u64(&w, "side", UINT64_C(1) << r->order);
    vt_json_kv_string(&w, "resolution", resolution);
    vt_json_kv_u64(&w, "frames", o->frames);
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
    if (r->latency.n > 0) {
        json_latency(&w, &r->latency);
    }
    json_features(&w, o);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void print_drawing(struct vt_bench_drawing *d, bool timestamps)
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

static void print_text(const struct vt_bench_volume_options *o, struct vt_bench_volume_result *r)
{
    const struct vt_gpu_info *gpu = &r->device;
    char ram[32], ours[32], driver[32];
    printf("%s of RAM as %" PRIu32 " x %" PRIu32 " pixels on %s (%s)\n",
           vt_format_bytes(ram, sizeof ram, r->ram_bytes), r->width, r->height, gpu->name,
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
    putchar('\n');
    if (r->latency.n > 0) {
        struct vt_bench_latency *l = &r->latency;
        vt_bench_print("a write until it is drawn", l->total, l->n);
        if (l->missed > 0) {
            printf("%-28s %9" PRIu64 " writes: the next one came first\n", "  not seen", l->missed);
        }
        vt_bench_print("  waiting for the last frame", l->wait, l->n);
        vt_bench_print("  looking", l->look, l->n);
        vt_bench_print("  updating", l->update, l->n);
        vt_bench_print("  drawing", l->draw, l->n);
    }
    printf("with: classes");
    for (unsigned i = 0; i < VT_BENCH_FEATURES; i++) {
        if (!o->off[i]) {
            printf(", %s", vt_bench_feature_names[i]);
        }
    }
    putchar('\n');
}

void vt_bench_volume_show(const struct vt_args *args, const struct vt_bench_volume_options *options,
                          struct vt_bench_volume_result *result)
{
    if (vt_args_json(args)) {
        print_json(args, options, result);
    } else {
        print_text(options, result);
    }
}
