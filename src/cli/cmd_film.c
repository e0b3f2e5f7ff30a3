/* cli/cmd_film.c - `vitrine film`: a VM's RAM as a moving picture: turned once around as it was at
 * one moment, recorded while it changes, or both.
 *
 *   reel     where pictures go: an MP4, or a folder of PNGs
 *   turn     one look, a camera that goes around; takes as long as it takes
 *   record   looks as fast as can be drawn, each picture for as long as it was true
 */
#include "base/io.h"
#include "cli/scene_args.h"
#include "cli/target.h"
#include "volume/studio.h"
#include "volume/video.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FPS 25
#define FPS_MAX 120
#define TURN_S 12
#define FRAMES_MAX 1000000u

struct film {
    const struct vt_args *args;
    struct vt_scene_args scene;
    const char *path;
    bool folder;
    unsigned fps;
    uint64_t turn_ns, for_ns; /* 0: not turned, not recorded */
    unsigned frames;          /* wanted */

    struct vt_movie *movie;
    unsigned written, drawn;
    uint64_t draw_ns;
    bool ended; /* the VM did, or a signal came: the film is shorter */
};

/* ---------------------------------------------------------------- reel */

static int open_reel(struct film *f, struct vt_error *err)
{
    if (f->folder) {
        return vt_make_dirs(f->path, 0755, err);
    }
    const struct vt_video_options options = {
        .width = f->scene.width, .height = f->scene.height, .fps = f->fps};
    return vt_movie_create(f->path, &options, &f->movie, err);
}

static int add_picture(struct film *f, const struct vt_canvas *canvas, unsigned frames,
                       struct vt_error *err)
{
    int rc = 0;
    if (!f->folder) {
        rc = vt_movie_add(f->movie, vt_canvas_pixels(canvas), frames, err);
        f->written += rc == 0 ? frames : 0;
        return rc;
    }
    for (unsigned i = 0; i < frames && rc == 0; i++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/frame-%06u.png", f->path, f->written + 1);
        rc = n < 0 || (size_t)n >= sizeof path
                 ? vt_fail(err, VT_E_INVAL, "%.64s…: the path is too long", f->path)
                 : vt_canvas_write_png(canvas, path, err);
        f->written += rc == 0;
    }
    return rc;
}

static int close_reel(struct film *f, int rc, struct vt_error *err)
{
    struct vt_movie *movie = f->movie;
    f->movie = NULL;
    if (movie == NULL) {
        return rc;
    }
    if (rc != 0 || f->written == 0) {
        vt_movie_discard(movie);
        return rc;
    }
    return vt_movie_finish(movie, err);
}

/* ---------------------------------------------------------------- pictures */

static int draw(struct film *f, struct vt_studio *studio, const struct vt_camera *camera,
                const struct vt_scene *scene, const struct vt_canvas **canvas, struct vt_error *err)
{
    struct vt_studio_seen seen;
    int rc = vt_studio_draw(studio, camera, scene, canvas, err);
    vt_studio_seen(studio, &seen);
    f->drawn += rc == 0;
    f->draw_ns += rc == 0 ? seen.draw_ns : 0;
    return rc;
}

/* The camera at a time of the film. */
static struct vt_camera camera_at(const struct film *f, const struct vt_camera *start, double s)
{
    struct vt_camera camera = *start;
    if (f->turn_ns > 0) {
        double turns = s * 1e9 / (double)f->turn_ns;
        vt_camera_orbit(&camera, 2 * acos(-1) * (turns - floor(turns)), 0);
    }
    return camera;
}

static int turn(struct film *f, struct vt_studio *studio, const struct vt_camera *start,
                const struct vt_scene *scene, struct vt_share *share, struct vt_error *err)
{
    int rc = 0;
    while (rc == 0 && f->written < f->frames && vt_interrupted == 0) {
        const struct vt_canvas *canvas;
        struct vt_camera camera = camera_at(f, start, (double)f->written / f->fps);
        rc = draw(f, studio, &camera, scene, &canvas, err);
        rc = rc != 0 ? rc : add_picture(f, canvas, 1, err);
        vt_progress_share(share, f->written, f->frames);
    }
    return rc;
}

static void sleep_until(uint64_t ns)
{
    const struct timespec at = {.tv_sec = (time_t)(ns / 1000000000),
                                .tv_nsec = (long)(ns % 1000000000)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL); /* a signal ends it early */
}

static int record(struct film *f, struct vt_studio *studio, const struct vt_camera *start,
                  const struct vt_scene *scene, struct vt_share *share, struct vt_error *err)
{
    const struct vt_canvas *canvas;
    /* Before the first picture a driver makes its programs: not in the film's time. */
    int rc = vt_studio_draw(studio, start, scene, &canvas, err);
    uint64_t from = vt_now_ns(), frame_ns = 1000000000 / f->fps;
    while (rc == 0 && f->written < f->frames && vt_interrupted == 0) {
        struct vt_error why;
        double at_s = (double)(vt_now_ns() - from) / 1e9;
        struct vt_camera camera = camera_at(f, start, at_s);
        rc = vt_studio_look(studio, &why);
        if (rc == VT_E_GONE && vt_follow_gone(vt_studio_follow(studio))) {
            f->ended = true;
            return 0;
        }
        rc = rc != 0 ? vt_fail(err, why.code, "%s", why.message)
                     : draw(f, studio, &camera, scene, &canvas, err);
        /* It stands for all frames whose time came while it was made. */
        uint64_t due = (vt_now_ns() - from) / frame_ns + 1;
        uint64_t until = due > f->written ? due : f->written + 1;
        until = until < f->frames ? until : f->frames;
        rc = rc != 0 ? rc : add_picture(f, canvas, (unsigned)until - f->written, err);
        sleep_until(from + f->written * frame_ns);
        vt_progress_share(share, f->written, f->frames);
    }
    return rc;
}

/* ---------------------------------------------------------------- the film */

static void say(const struct film *f, const struct vt_studio *studio)
{
    struct vt_follow_seen seen;
    struct vt_studio_seen with;
    double seconds = (double)f->written / f->fps;
    vt_follow_seen(vt_studio_follow(studio), &seen);
    vt_studio_seen(studio, &with);
    if (vt_args_json(f->args)) {
        struct vt_json_writer w;
        vt_json_init(&w, stdout, vt_args_pretty(f->args));
        vt_json_object(&w);
        vt_json_kv_string(&w, "vm", with.name);
        vt_json_kv_string(&w, "file", f->path);
        vt_json_kv_u64(&w, "width", f->scene.width);
        vt_json_kv_u64(&w, "height", f->scene.height);
        vt_json_kv_u64(&w, "fps", f->fps);
        vt_json_kv_u64(&w, "frames", f->written);
        vt_json_kv_u64(&w, "drawn", f->drawn);
        vt_json_kv_f64(&w, "seconds", seconds, 6);
        vt_json_kv_bool(&w, "ended", f->ended);
        vt_json_kv_string(&w, "device", with.info != NULL ? with.info->name : NULL);
        vt_json_kv_string(&w, "driver", with.info != NULL ? with.info->driver : NULL);
        vt_json_kv_u64(&w, "gpu_bytes", with.gpu_bytes);
        vt_json_kv_f64(&w, "draw_ms", f->drawn > 0 ? (double)f->draw_ns / 1e6 / f->drawn : 0, 6);
        vt_json_kv_string(&w, "consistency", seen.consistency);
        vt_json_kv_string(&w, "system", seen.system);
        vt_json_kv_string(&w, "note", seen.note[0] != '\0' ? seen.note : NULL);
        vt_json_object_end(&w);
        vt_json_finish(&w);
        return;
    }
    printf("%s: %" PRIu32 " x %" PRIu32 ", %.1f s at %u frames a second, %u of %u drawn, %s\n",
           f->path, f->scene.width, f->scene.height, seconds, f->fps, f->drawn, f->written,
           f->ended ? "until it ended" : seen.consistency);
}

static int look_first(struct film *f, struct vt_target *target, struct vt_studio *studio,
                      struct vt_error *err)
{
    struct vt_error resume;
    int rc = vt_cli_pause(f->args, target, err);
    rc = rc != 0 ? rc : vt_studio_look(studio, err);
    if (vt_target_resume(target, &resume) != 0 && rc == 0) {
        rc = vt_fail(err, resume.code, "%s", resume.message);
    }
    return rc;
}

static int shoot(struct film *f, struct vt_target *target, struct vt_error *err)
{
    struct vt_studio_options options = {
        .gpu = f->scene.gpu,
        .width = f->scene.width,
        .height = f->scene.height,
        .method = f->scene.method,
        .copy = f->for_ns == 0,
        .follow = {.classes_s = f->for_ns == 0 ? -1 : 0, .no_highlights = f->scene.no_highlights},
    };
    struct vt_share share = {.what = f->path};
    struct vt_studio *studio;
    struct vt_camera camera;
    struct vt_scene scene;
    struct vt_studio_seen seen;
    int rc = vt_studio_create(target, &options, &studio, err);
    if (rc != 0) {
        return rc;
    }
    vt_studio_seen(studio, &seen);
    if (seen.why != NULL) {
        fprintf(stderr, "vitrine film: drawn on the CPU, slowly: %s\n", seen.why);
    }
    rc = look_first(f, target, studio, err);
    if (rc == 0) {
        rc = vt_scene_args_place(&f->scene, target->ram, vt_studio_follow(studio), &camera, &scene,
                                 err);
    }
    rc = rc != 0 ? rc : open_reel(f, err);
    rc = rc != 0          ? rc
         : f->for_ns == 0 ? turn(f, studio, &camera, &scene, &share, err)
                          : record(f, studio, &camera, &scene, &share, err);
    vt_progress("%s", "");
    rc = close_reel(f, rc, err);
    if (rc == 0) {
        say(f, studio);
    }
    vt_studio_destroy(studio);
    return rc;
}

/* ---------------------------------------------------------------- the verb */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static int read_times(const struct vt_args *args, struct film *f)
{
    uint64_t fps;
    int rc = vt_args_u64(args, "fps", FPS, &fps);
    rc = rc != 0 ? rc : vt_args_duration(args, "turn", 0, &f->turn_ns);
    rc = rc != 0 ? rc : vt_args_duration(args, "for", 0, &f->for_ns);
    if (rc != 0) {
        return rc;
    }
    if (fps < 1 || fps > FPS_MAX) {
        return vt_usage_error(args, "--fps: %" PRIu64 ": 1 to %d", fps, FPS_MAX);
    }
    if (f->turn_ns == 0 && f->for_ns == 0) {
        f->turn_ns = (uint64_t)TURN_S * 1000000000;
    }
    double frames = (double)(f->for_ns > 0 ? f->for_ns : f->turn_ns) / 1e9 * (double)fps;
    if (frames > FRAMES_MAX) {
        return vt_usage_error(args, "that would be %.0f frames, more than %u", frames, FRAMES_MAX);
    }
    f->fps = (unsigned)fps;
    f->frames = frames < 1 ? 1 : (unsigned)lround(frames);
    return 0;
}

static int run(const struct vt_args *args)
{
    struct film f = {.args = args, .path = vt_args_operand(args, 1)};
    struct vt_target target;
    struct vt_error err;
    struct stat st;
    int rc = vt_scene_args_read(args, vt_args_value(args, "view"), &f.scene);
    rc = rc != 0 ? rc : read_times(args, &f);
    if (rc != 0) {
        return rc;
    }
    f.scene.turning = f.turn_ns > 0;
    f.folder = ends_with(f.path, "/") || (stat(f.path, &st) == 0 && S_ISDIR(st.st_mode));
    if (!f.folder && !ends_with(f.path, ".mp4")) {
        return vt_usage_error(args, "%s: neither an .mp4 nor a folder (with a / at its end)",
                              f.path);
    }
    if (!f.folder && vt_video_check(&err) != 0) {
        fprintf(stderr, "vitrine film: %s; a folder takes PNGs\n", err.message);
        return VT_EXIT_FAILED;
    }
    rc = vt_cli_open(args, "film", VT_CLI_RAM, "all of RAM", &target);
    if (rc != 0) {
        return rc;
    }
    rc = shoot(&f, &target, &err);
    return vt_cli_close(args, &target, rc == 0 ? VT_EXIT_OK : vt_report(args, &err));
}

static const struct vt_option options[] = {
    {"turn", "TIME", "go once around it in that time (default 12s, without --for)", false},
    {"for", "TIME", "record for so long while it changes; else it is of one moment", false},
    {"fps", "N", "frames a second, 1 to 120 (default 25)", false},
    {"view", "NAME", "begin at " VT_SCENE_VIEWS " (default iso)", false},
    VT_SCENE_OPTIONS,
    {"pause", NULL, "stop the VM while it is looked at first", false},
    {0},
};

const struct vt_verb vt_verb_film = {
    .name = "film",
    .group = "Picture",
    .summary = "Film a VM's RAM as a volume: turned around, or while it changes",
    .operands = "VM OUT.mp4|DIR/",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description =
        "Without --for the film is of one moment, and the camera goes once around it. With --for\n"
        "RAM is recorded while it changes: recent writes glow, and a picture that took longer to\n"
        "draw than a frame lasts is shown for as many frames; --turn makes the camera go around\n"
        "meanwhile. The end of the VM, or Ctrl-C, ends the film, which is complete then, too.\n"
        "\n"
        "An .mp4 is H.264, as every player and browser shows it. A folder gets numbered PNGs:\n"
        "frame-000001.png and so on.",
    .examples = "  vitrine film demo turn.mp4\n"
                "  vitrine film demo boot.mp4 --for 20s --turn 40s --size 1920x1080\n"
                "  vitrine film demo frames/ --turn 4s --fps 10 --size 640x360",
    .run = run,
};
