/* cli/bench_volume.h - what drawing a volume is measured on: RAM, a device, a scene. */
#ifndef VT_CLI_BENCH_VOLUME_H
#define VT_CLI_BENCH_VOLUME_H

#include "cli/bench.h"
#include "cli/bench_synthetic.h"
#include "vitrine/scene.h"

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
    uint32_t width, height;    /**< 0: what suits the device */
    uint64_t frames, hz;       /**< frames of each method; looks a second */
    bool march, slices;
    double adaptive_fps; /**< 0: every pixel of every frame */
    bool off[VT_BENCH_FEATURES];
};

/** All of it, ready to be looked at and drawn. */
struct vt_bench_volume {
    struct vt_bench_volume_options options;
    struct vt_synthetic *synthetic;
    struct vt_gpu *gpu;
    struct vt_volume *volume;
    struct vt_view *view;
    struct vt_scene scene;
    uint32_t width, height;
    uint64_t ram_bytes;
    struct vt_box box; /**< of all RAM */
};

/** Changes since the last look. */
int vt_bench_volume_look(struct vt_bench_volume *b, struct vt_volume_update *update,
                         struct vt_error *err);
/** Of the volume's clock. */
double vt_bench_volume_now_s(const struct vt_bench_volume *b);

#endif
