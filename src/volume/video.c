/* volume/video.c - finds the module that makes videos, and hands on to it. See video.h. */
#include "volume/video.h"

#include "base/paths.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

#define SIDE_MIN 16u
#define SIDE_MAX 4096u
#define FPS_MAX 240u
#define QUALITY_MAX 51u

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct vt_video *video;
static struct vt_error missing;

static void load(void)
{
    char path[PATH_MAX];
    if (vt_path_lib(VT_VIDEO_MODULE, path, &missing) != 0) {
        vt_fail(&missing, VT_E_UNSUPPORTED,
                "no video: vitrine was built without libavcodec, libavformat and libswscale");
        return;
    }
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    video = module != NULL ? dlsym(module, VT_VIDEO_SYMBOL) : NULL;
    if (video == NULL) {
        vt_fail(&missing, VT_E_UNSUPPORTED, "no video: %s", dlerror());
    }
}

int vt_video_check(struct vt_error *err)
{
    pthread_once(&once, load);
    return video != NULL ? 0 : vt_fail(err, missing.code, "%s", missing.message);
}

static int check(const struct vt_video_options *o, struct vt_error *err)
{
    if (o->width < SIDE_MIN || o->width > SIDE_MAX || o->height < SIDE_MIN ||
        o->height > SIDE_MAX || o->fps < 1 || o->fps > FPS_MAX || o->quality > QUALITY_MAX) {
        return vt_fail(err, VT_E_INVAL,
                       "a video of %u x %u pixels, %u frames a second, quality %u: %u-%u a side, "
                       "1-%u, 0-%u",
                       o->width, o->height, o->fps, o->quality, SIDE_MIN, SIDE_MAX, FPS_MAX,
                       QUALITY_MAX);
    }
    return vt_video_check(err);
}

int vt_encoder_create(const struct vt_video_options *options, struct vt_encoder **encoder,
                      struct vt_error *err)
{
    int rc = check(options, err);
    return rc != 0 ? rc : video->encoder_create(options, encoder, err);
}

void vt_encoder_destroy(struct vt_encoder *encoder)
{
    if (encoder != NULL) {
        video->encoder_destroy(encoder);
    }
}

int vt_encoder_put(struct vt_encoder *encoder, const uint8_t *rgba, bool key, struct vt_error *err)
{
    return video->encoder_put(encoder, rgba, key, err);
}

int vt_encoder_take(struct vt_encoder *encoder, struct vt_encoded *encoded, struct vt_error *err)
{
    return video->encoder_take(encoder, encoded, err);
}

int vt_movie_create(const char *path, const struct vt_video_options *options,
                    struct vt_movie **movie, struct vt_error *err)
{
    int rc = check(options, err);
    return rc != 0 ? rc : video->movie_create(path, options, movie, err);
}

int vt_movie_add(struct vt_movie *movie, const uint8_t *rgba, unsigned frames, struct vt_error *err)
{
    return video->movie_add(movie, rgba, frames, err);
}

int vt_movie_finish(struct vt_movie *movie, struct vt_error *err)
{
    return video->movie_finish(movie, err);
}

void vt_movie_discard(struct vt_movie *movie)
{
    if (movie != NULL) {
        video->movie_discard(movie);
    }
}
