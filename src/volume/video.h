/* volume/video.h - pictures as H.264: packet by packet for who sends them away, or as an MP4 file.
 *
 * libavcodec and its 130 libraries are loaded when a video is first asked for (vitrine-video.so,
 * built where they are there). Each handle is one thread's at a time.
 */
#ifndef VT_VOLUME_VIDEO_H
#define VT_VOLUME_VIDEO_H

#include "vitrine/base.h"

struct vt_video_options {
    uint32_t width, height; /**< 16-4096, of the pictures; of an odd one the last pixels are left
                             *  out */
    unsigned fps;           /**< 1-240 */
    unsigned quality;       /**< 1-51, the lower the better; 0: 20 */
    bool live; /**< each picture comes out as soon as it is in, in Annex B form with all
                *  a decoder needs at each key picture; else packets are for a file */
};

/** Whether there is video; VT_E_UNSUPPORTED says what is missing. */
int vt_video_check(struct vt_error *err);

/* ---------------------------------------------------------------- packets */

struct vt_encoder;

/** VT_E_INVAL, VT_E_NOMEM, VT_E_UNSUPPORTED: no encoder. */
int vt_encoder_create(const struct vt_video_options *options, struct vt_encoder **encoder,
                      struct vt_error *err);
/** Takes NULL. */
void vt_encoder_destroy(struct vt_encoder *encoder);
/** The next picture: R, G, B, A bytes, rows from the top without gaps; alpha is not looked at. With
 *  `key` it can be decoded by itself. */
int vt_encoder_put(struct vt_encoder *encoder, const uint8_t *rgba, bool key, struct vt_error *err);

struct vt_encoded {
    const uint8_t *bytes; /**< the encoder's, until the next call */
    size_t n;             /**< 0: nothing yet */
    bool key;
};
/** What came out; live there is one for each picture. */
int vt_encoder_take(struct vt_encoder *encoder, struct vt_encoded *encoded, struct vt_error *err);

/* ---------------------------------------------------------------- files */

struct vt_movie;

/** An MP4 at `path`, which appears when it is finished. Errors: those of vt_encoder_create,
 * VT_E_IO, VT_E_PERM, VT_E_NOT_FOUND. */
int vt_movie_create(const char *path, const struct vt_video_options *options,
                    struct vt_movie **movie, struct vt_error *err);
/** The next picture, shown for `frames` frames (at least 1). */
int vt_movie_add(struct vt_movie *movie, const uint8_t *rgba, unsigned frames,
                 struct vt_error *err);
/** Completes the file; the movie is gone either way. */
int vt_movie_finish(struct vt_movie *movie, struct vt_error *err);
/** Leaves nothing behind. Takes NULL. */
void vt_movie_discard(struct vt_movie *movie);

/* ---------------------------------------------------------------- the module */

#define VT_VIDEO_MODULE "vitrine-video.so"
#define VT_VIDEO_SYMBOL "vt_video_libav"

/** What the module exports under that name; as the functions above. */
struct vt_video {
    int (*encoder_create)(const struct vt_video_options *options, struct vt_encoder **encoder,
                          struct vt_error *err);
    void (*encoder_destroy)(struct vt_encoder *encoder);
    int (*encoder_put)(struct vt_encoder *encoder, const uint8_t *rgba, bool key,
                       struct vt_error *err);
    int (*encoder_take)(struct vt_encoder *encoder, struct vt_encoded *encoded,
                        struct vt_error *err);
    int (*movie_create)(const char *path, const struct vt_video_options *options,
                        struct vt_movie **movie, struct vt_error *err);
    int (*movie_add)(struct vt_movie *movie, const uint8_t *rgba, unsigned frames,
                     struct vt_error *err);
    int (*movie_finish)(struct vt_movie *movie, struct vt_error *err);
    void (*movie_discard)(struct vt_movie *movie);
};

#endif
