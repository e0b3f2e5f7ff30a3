/* tests/fuzz/fuzz_stream.c - what a client of a volume's stream says.
 *
 * What is taken is within its ranges; what is not says why and leaves nothing behind.
 */
#include "tests/fuzz/fuzz.h"

#include "server/stream_wish.h"

#include <math.h>
#include <string.h>

static void check_view(const struct vt_stream_view *v)
{
    FUZZ_CHECK(v->width == 0 || (v->width >= 16 && v->width <= 1920));
    FUZZ_CHECK(v->width == 0 || (v->height >= 16 && v->height <= 1080));
    FUZZ_CHECK(v->quality >= 1 && v->quality <= 100 && v->only_pid >= 0);
    for (unsigned i = 0; i < 3; i++) {
        FUZZ_CHECK(isfinite(v->camera.eye[i]) && isfinite(v->camera.up[i]));
        FUZZ_CHECK(v->scene.slice[i] >= 0 && v->scene.slice[i] <= 1);
        FUZZ_CHECK(v->scene.clip_min[i] >= 0 && v->scene.clip_max[i] <= 1);
    }
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        FUZZ_CHECK(v->scene.class_opacity[c] >= 0 && v->scene.class_opacity[c] <= 1);
    }
    FUZZ_CHECK(isfinite(v->scene.density) && v->scene.density >= 0 && v->scene.heat_s > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_wish wish;
    struct vt_error err = {.message = ""};
    int rc = vt_wish_parse((const char *)bytes, count, &wish, &err);
    if (rc != 0) {
        FUZZ_CHECK(rc == VT_E_INVAL && err.message[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(wish.level < VT_STREAM_LEVELS && wish.hz >= 0 && wish.hz <= VT_STREAM_HZ_MAX);
    FUZZ_CHECK(wish.credit <= UINT32_MAX && wish.n_runs <= VT_STREAM_FINE_RUNS_MAX);
    FUZZ_CHECK(wish.pick.x < 1920 && wish.pick.y < 1080);
    check_view(&wish.view);
    vt_wish_fini(&wish);
    return 0;
}
