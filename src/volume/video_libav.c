/* volume/video_libav.c - vitrine-video.so: H.264 by libavcodec (x264 where it is there), MP4 by
 * libavformat, colours by libswscale. See video.h.
 *
 *   encoder   R, G, B to BT.709 at 4:2:0, and on
 *   movie     an encoder's packets into a file beside the one wanted, renamed when complete
 */
#include "volume/video.h"

#include "base/io.h"
#include "base/paths.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define QUALITY 20u
#define LIVE_KEY_S 10 /* a key picture at least that often */

/* A failure of libav's, in its words. */
static int fail(struct vt_error *err, int av, const char *what)
{
    char why[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(av, why, sizeof why);
    enum vt_code code = av == AVERROR(ENOMEM)   ? VT_E_NOMEM
                        : av == AVERROR(ENOENT) ? VT_E_NOT_FOUND
                        : av == AVERROR(EACCES) ? VT_E_PERM
                                                : VT_E_IO;
    return vt_fail(err, code, "%.200s: %s", what, why);
}

/* ---------------------------------------------------------------- encoder */

struct vt_encoder {
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    struct SwsContext *scale;
    int source_width; /* of the pictures put in */
    int64_t next;
};

static void encoder_destroy(struct vt_encoder *encoder)
{
    if (encoder != NULL) {
        sws_freeContext(encoder->scale);
        av_packet_free(&encoder->packet);
        av_frame_free(&encoder->frame);
        avcodec_free_context(&encoder->codec);
        free(encoder);
    }
}

static void set_up(AVCodecContext *c, const struct vt_video_options *o)
{
    c->width = (int)(o->width & ~1u);
    c->height = (int)(o->height & ~1u);
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->time_base = (AVRational){1, (int)o->fps};
    c->framerate = (AVRational){(int)o->fps, 1};
    c->color_range = AVCOL_RANGE_MPEG;
    c->colorspace = AVCOL_SPC_BT709;
    c->color_primaries = AVCOL_PRI_BT709;
    c->color_trc = AVCOL_TRC_BT709;
    c->gop_size = (int)o->fps * (o->live ? LIVE_KEY_S : 2);
    c->max_b_frames = o->live ? 0 : 2;
    c->flags |= o->live ? 0 : AV_CODEC_FLAG_GLOBAL_HEADER;
    c->thread_count = o->live ? 1 : 0;
    /* x264's; another encoder has its own ways and does without. */
    av_opt_set_int(c->priv_data, "crf", o->quality > 0 ? o->quality : QUALITY, 0);
    av_opt_set(c->priv_data, "preset", o->live ? "ultrafast" : "medium", 0);
    if (o->live) {
        av_opt_set(c->priv_data, "tune", "zerolatency", 0);
        av_opt_set(c->priv_data, "forced-idr", "1", 0);
    }
}

static int open_codec(struct vt_encoder *e, const struct vt_video_options *o, struct vt_error *err)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    codec = codec != NULL ? codec : avcodec_find_encoder(AV_CODEC_ID_H264);
    if (codec == NULL) {
        return vt_fail(err, VT_E_UNSUPPORTED, "no video: this libavcodec encodes no H.264");
    }
    e->codec = avcodec_alloc_context3(codec);
    if (e->codec == NULL) {
        return vt_fail(err, VT_E_NOMEM, "video: out of memory");
    }
    set_up(e->codec, o);
    int av = avcodec_open2(e->codec, codec, NULL);
    return av < 0 ? fail(err, av, codec->name) : 0;
}

static int encoder_create(const struct vt_video_options *options, struct vt_encoder **encoder,
                          struct vt_error *err)
{
    av_log_set_level(AV_LOG_QUIET);
    struct vt_encoder *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return vt_fail(err, VT_E_NOMEM, "video: out of memory");
    }
    int rc = open_codec(e, options, err), av = 0;
    if (rc == 0) {
        int w = e->codec->width, h = e->codec->height;
        e->source_width = (int)options->width;
        e->frame = av_frame_alloc();
        e->packet = av_packet_alloc();
        e->scale = sws_getContext(w, h, AV_PIX_FMT_RGBA, w, h, AV_PIX_FMT_YUV420P, SWS_BILINEAR,
                                  NULL, NULL, NULL);
        if (e->frame != NULL) {
            e->frame->format = AV_PIX_FMT_YUV420P;
            e->frame->width = w;
            e->frame->height = h;
            av = av_frame_get_buffer(e->frame, 0);
        }
        if (e->frame == NULL || e->packet == NULL || e->scale == NULL || av < 0) {
            rc = vt_fail(err, VT_E_NOMEM, "video: out of memory");
        } else {
            const int *bt709 = sws_getCoefficients(SWS_CS_ITU709);
            sws_setColorspaceDetails(e->scale, bt709, 1, bt709, 0, 0, 1 << 16, 1 << 16);
        }
    }
    if (rc != 0) {
        encoder_destroy(e);
        return rc;
    }
    *encoder = e;
    return 0;
}

static int send_frame(struct vt_encoder *e, AVFrame *frame, struct vt_error *err)
{
    int av = avcodec_send_frame(e->codec, frame);
    return av < 0 ? fail(err, av, "encoding a picture") : 0;
}

static int encoder_put(struct vt_encoder *e, const uint8_t *rgba, bool key, struct vt_error *err)
{
    const uint8_t *const planes[] = {rgba};
    const int strides[] = {4 * e->source_width};
    int av = av_frame_make_writable(e->frame);
    if (av < 0) {
        return fail(err, av, "a video's picture");
    }
    sws_scale(e->scale, planes, strides, 0, e->codec->height, e->frame->data, e->frame->linesize);
    e->frame->pts = e->next++;
    e->frame->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    return send_frame(e, e->frame, err);
}

/* The next packet; *more is false when there is none. */
static int receive(struct vt_encoder *e, bool *more, struct vt_error *err)
{
    av_packet_unref(e->packet);
    int av = avcodec_receive_packet(e->codec, e->packet);
    *more = av == 0;
    return av == 0 || av == AVERROR(EAGAIN) || av == AVERROR_EOF ? 0 : fail(err, av, "an encoder");
}

static int encoder_take(struct vt_encoder *e, struct vt_encoded *encoded, struct vt_error *err)
{
    bool more;
    int rc = receive(e, &more, err);
    if (rc == 0) {
        *encoded = (struct vt_encoded){.bytes = more ? e->packet->data : NULL,
                                       .n = more ? (size_t)e->packet->size : 0,
                                       .key = more && (e->packet->flags & AV_PKT_FLAG_KEY) != 0};
    }
    return rc;
}

/* ---------------------------------------------------------------- movie */

struct vt_movie {
    struct vt_encoder *encoder;
    AVFormatContext *file;
    AVStream *stream;
    char path[PATH_MAX];
    struct vt_new_file out;
    bool begun; /* `out` is neither complete nor abandoned */
};

static void movie_discard(struct vt_movie *movie)
{
    if (movie == NULL) {
        return;
    }
    if (movie->file != NULL) {
        avio_closep(&movie->file->pb);
    }
    avformat_free_context(movie->file);
    encoder_destroy(movie->encoder);
    if (movie->begun) {
        vt_new_file_abandon(&movie->out);
    }
    free(movie);
}

static int begin(struct vt_movie *m, struct vt_error *err)
{
    char url[PATH_MAX + 8];
    int rc = vt_new_file_open(&m->out, m->path, 0644, false, err);
    if (rc != 0) {
        return rc;
    }
    m->begun = true;
    snprintf(url, sizeof url, "file:%s", m->out.temp);
    int av = avformat_alloc_output_context2(&m->file, NULL, "mp4", url);
    if (av < 0) {
        return fail(err, av, m->path);
    }
    m->stream = avformat_new_stream(m->file, NULL);
    if (m->stream == NULL ||
        avcodec_parameters_from_context(m->stream->codecpar, m->encoder->codec) < 0) {
        return vt_fail(err, VT_E_NOMEM, "video: out of memory");
    }
    m->stream->time_base = m->encoder->codec->time_base;
    m->stream->avg_frame_rate = m->encoder->codec->framerate;
    av = avio_open(&m->file->pb, url, AVIO_FLAG_WRITE);
    if (av < 0) {
        return fail(err, av, m->path);
    }
    /* What a player needs comes first. */
    AVDictionary *options = NULL;
    av_dict_set(&options, "movflags", "+faststart", 0);
    av = avformat_write_header(m->file, &options);
    av_dict_free(&options);
    return av < 0 ? fail(err, av, m->path) : 0;
}

static int movie_create(const char *path, const struct vt_video_options *options,
                        struct vt_movie **movie, struct vt_error *err)
{
    struct vt_movie *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return vt_fail(err, VT_E_NOMEM, "video: out of memory");
    }
    int rc = vt_path_format(m->path, err, "%s", path);
    rc = rc != 0 ? rc : encoder_create(options, &m->encoder, err);
    rc = rc != 0 ? rc : begin(m, err);
    if (rc != 0) {
        movie_discard(m);
        return rc;
    }
    *movie = m;
    return 0;
}

/* Moves what came out of the encoder into the file. */
static int write_packets(struct vt_movie *m, struct vt_error *err)
{
    bool more = true;
    int rc = 0;
    while (rc == 0 && more) {
        rc = receive(m->encoder, &more, err);
        if (rc == 0 && more) {
            AVPacket *p = m->encoder->packet;
            p->duration = 1;
            p->stream_index = m->stream->index;
            av_packet_rescale_ts(p, m->encoder->codec->time_base, m->stream->time_base);
            int av = av_interleaved_write_frame(m->file, p);
            rc = av < 0 ? fail(err, av, m->path) : 0;
        }
    }
    return rc;
}

static int movie_add(struct vt_movie *movie, const uint8_t *rgba, unsigned frames,
                     struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; i < frames && rc == 0; i++) {
        rc = encoder_put(movie->encoder, rgba, false, err);
        rc = rc != 0 ? rc : write_packets(movie, err);
    }
    return rc;
}

static int movie_finish(struct vt_movie *movie, struct vt_error *err)
{
    int rc = send_frame(movie->encoder, NULL, err);
    rc = rc != 0 ? rc : write_packets(movie, err);
    if (rc == 0) {
        int av = av_write_trailer(movie->file);
        int closed = avio_closep(&movie->file->pb);
        if (av < 0 || closed < 0) {
            rc = fail(err, av < 0 ? av : closed, movie->path);
        } else {
            rc = vt_new_file_commit(&movie->out, err);
            movie->begun = false;
        }
    }
    movie_discard(movie);
    return rc;
}

extern const struct vt_video vt_video_libav;
const struct vt_video vt_video_libav = {
    .encoder_create = encoder_create,
    .encoder_destroy = encoder_destroy,
    .encoder_put = encoder_put,
    .encoder_take = encoder_take,
    .movie_create = movie_create,
    .movie_add = movie_add,
    .movie_finish = movie_finish,
    .movie_discard = movie_discard,
};
