/* cli/bench_volume.h - what drawing a volume is measured on: RAM, a device, a scene. */
#ifndef VT_CLI_BENCH_VOLUME_H
#define VT_CLI_BENCH_VOLUME_H

#include "cli/bench.h"
#include "cli/bench_synthetic.h"
#include "vitrine/scene.h"
#include "volume/follow.h"

/** What of a scene can be left out, to see what it costs. */
enum vt_bench_feature {
    VT_BENCH_HEAT,
    VT_BENCH_HIGHLIGHTS,
    VT_BENCH_DIM,
    VT_BENCH_BOXES,
    VT_BENCH_LABELS,
    VT_BENCH_FRAME,
    VT_BENCH_FEATURES,
};

struct vt_bench_volume_options {
    const char *gpu;
    const char *picture;       /**< where the last frame goes, or NULL */
    uint64_t gpu_memory_bytes; /**< 0: as much as it wants */
    bool copy;                 /**< RAM is not used in place */
    uint32_t width, height;    /**< 0: what suits the device */
    uint64_t frames, hz;       /**< frames of each method; looks a second */
    bool march, slices;
    double adaptive_fps; /**< 0: every pixel of every frame */
    bool off[VT_BENCH_FEATURES];
    uint64_t writes; /**< to be followed to their pixels */
};

extern const char *const vt_bench_feature_names[VT_BENCH_FEATURES];

/** All of it, ready to be looked at and drawn. */
struct vt_bench_volume {
    struct vt_bench_volume_options options;
    struct vt_synthetic *synthetic; /**< or */
    struct vt_target *target;
    struct vt_follow *follow; /**< of the target */
    const uint8_t *bytes;
    struct vt_gpu *gpu;
    struct vt_volume *volume;
    struct vt_view *view;
    struct vt_scene scene;
    uint32_t width, height;
    uint64_t ram_bytes;
    struct vt_box box;                      /**< of all RAM */
    const struct vt_highlights *highlights; /**< the last there were; NULL: none */
};

/** Changes since the last look. */
int vt_bench_volume_look(struct vt_bench_volume *b, struct vt_volume_update *update,
                         struct vt_error *err);
/** Of the volume's clock. */
double vt_bench_volume_now_s(const struct vt_bench_volume *b);

/** Writes and the pixels that showed them, `n` of each; all in ms. */
struct vt_bench_latency {
    double *total, *wait, *look, *update, *draw;
    size_t n;
    uint64_t missed; /**< came before the one before was seen */
};
/** A page of a guest of the default kind that its vt-blink fills with VT_BENCH_BYTE_A and _B in
 *  turn, so seldom that frames of `frame_ms` show each. */
struct vt_bench_blink {
    struct vt_off offset; /**< in the RAM file */
    unsigned long pid;    /**< 0: none */
};
/** VT_E_REFUSED: it has no such program. */
int vt_bench_blink_start(struct vt_target *target, double frame_ms, struct vt_bench_blink *blink,
                         struct vt_error *err);
void vt_bench_blink_end(struct vt_target *target, struct vt_bench_blink *blink);
#define VT_BENCH_BYTE_A 0x41
#define VT_BENCH_BYTE_B 0xff

/** Draws as b's options say and takes the time from each of options.writes writes to `page`, which
 *  a guest blinks or, of synthetic RAM, a thread fills, until the frame is complete that shows it:
 *  its pixel has changed. Without heat, labels and dimming, which change pixels for other reasons.
 *  VT_E_NOT_FOUND: no view shows the page, VT_E_NOMEM, VT_E_TIMEOUT. */
int vt_bench_latency(struct vt_bench_volume *b, uint64_t page, unsigned scale,
                     struct vt_bench_latency *latency, struct vt_error *err);
void vt_bench_latency_fini(struct vt_bench_latency *latency);

/** Frames of one method, n of them. */
struct vt_bench_drawing {
    enum vt_method method;
    double *frame_ms, *gpu_ms, *scale;
    size_t n;
    double elapsed_s;
};

/** All that was found. */
struct vt_bench_volume_result {
    char vm[VT_VM_NAME_MAX + 1]; /**< "": synthetic RAM */
    struct vt_gpu_info device;
    uint64_t ram_bytes;
    unsigned order;
    uint32_t width, height;
    struct vt_bench_drawing drawings[2];
    unsigned n_drawings;
    double *look_ms, *update_ms, *update_gpu_ms; /**< n_updates of each */
    size_t n_updates;
    uint64_t changed_pages, uploaded_bytes;
    uint64_t gpu_bytes, volume_bytes, driver_bytes;
    double first_ms;    /**< the first update, of everything */
    double drawn_share; /**< of the last picture's pixels: not background */
    struct vt_bench_latency latency;
};
void vt_bench_volume_show(const struct vt_args *args, const struct vt_bench_volume_options *options,
                          struct vt_bench_volume_result *result);

#endif
