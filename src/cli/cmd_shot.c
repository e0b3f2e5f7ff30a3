/* cli/cmd_shot.c - `vitrine shot`: a picture of a VM's RAM, every page coloured by what it holds,
 * as a map or as a volume.
 *
 * What was looked at and drawn is written: the PNG, the raw classes, JSON or one line.
 */
#include "base/io.h"
#include "base/text.h"
#include "cli/scene_args.h"
#include "cli/target.h"
#include "volume/picture.h"
#include "volume/studio.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define HEAT_NS 250000000

static void print_classes(struct vt_json_writer *w, const uint64_t *pages, uint64_t whole)
{
    vt_json_array(w);
    for (enum vt_page_class c = VT_CLASS_HOLE; c < VT_CLASSES; c++) {
        vt_json_object(w);
        vt_json_kv_string(w, "class", vt_class_name(c));
        vt_json_kv_u64(w, "code", c);
        vt_json_kv_string(w, "title", vt_class_title(c));
        vt_json_kv_u64(w, "pages", pages[c]);
        vt_json_kv_u64(w, "bytes", pages[c] << VT_PAGE_SHIFT);
        vt_json_kv_f64(w, "share", (double)pages[c] / (double)whole, 6);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

/* What was looked at and drawn, of the map or of the volume. */
struct shot {
    const char *view, *name, *system, *note, *consistency;
    const struct vt_canvas *canvas;
    uint64_t totals[VT_CLASSES], pages;
    const struct vt_owner *owners;
    size_t n_owners;
    const struct vt_highlights *highlights;
    bool understood;
    uint64_t scan_ns, draw_ns;
    const uint8_t *classes;
    bool volume;                   /* and what it was drawn with: */
    const struct vt_gpu_info *gpu; /* NULL: the CPU */
    uint64_t gpu_bytes;
};

static void print_owners(struct vt_json_writer *w, const struct vt_owner *owners, size_t n)
{
    vt_json_array(w);
    for (size_t i = 0; i < n; i++) {
        vt_json_object(w);
        vt_json_kv_i64(w, "pid", owners[i].pid);
        vt_json_kv_string(w, "comm", owners[i].comm);
        vt_json_kv_u64(w, "mapped_pages", owners[i].mapped_pages);
        vt_json_kv_u64(w, "own_pages", owners[i].own_pages);
        vt_json_key(w, "own");
        vt_json_object(w);
        for (enum vt_page_class c = VT_CLASS_HOLE; c < VT_CLASSES; c++) {
            if (owners[i].classes[c] > 0) {
                vt_json_kv_u64(w, vt_class_name(c), owners[i].classes[c]);
            }
        }
        vt_json_object_end(w);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void print_json(const struct vt_args *args, const struct shot *s, const char *path)
{
    struct vt_json_writer w;
    vt_json_init(&w, stdout, vt_args_pretty(args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "vm", s->name);
    vt_json_kv_string(&w, "file", path);
    vt_json_kv_string(&w, "view", s->view);
    vt_json_kv_u64(&w, "width", vt_canvas_width(s->canvas));
    vt_json_kv_u64(&w, "height", vt_canvas_height(s->canvas));
    if (s->volume) {
        vt_json_kv_string(&w, "device", s->gpu != NULL ? s->gpu->name : NULL);
        vt_json_kv_string(&w, "driver", s->gpu != NULL ? s->gpu->driver : NULL);
        vt_json_kv_u64(&w, "gpu_bytes", s->gpu_bytes);
    }
    vt_json_kv_string(&w, "consistency", s->consistency);
    vt_json_kv_bool(&w, "understood", s->understood);
    vt_json_kv_string(&w, "system", s->system);
    vt_json_kv_string(&w, "note", s->note[0] != '\0' ? s->note : NULL);
    vt_json_kv_u64(&w, "ram_bytes", s->pages << VT_PAGE_SHIFT);
    vt_json_kv_u64(&w, "pages", s->pages);
    vt_json_kv_f64(&w, "scan_ms", (double)s->scan_ns / 1e6, 6);
    vt_json_kv_f64(&w, "draw_ms", (double)s->draw_ns / 1e6, 6);
    vt_json_key(&w, "classes");
    print_classes(&w, s->totals, s->pages);
    vt_json_key(&w, "processes");
    print_owners(&w, s->owners, s->n_owners);
    vt_json_key(&w, "highlights");
    vt_json_array(&w);
    for (size_t i = 0; i < s->highlights->n; i++) {
        vt_json_object(&w);
        vt_json_kv_string(&w, "name", s->highlights->all[i].name);
        vt_json_kv_string(&w, "label", s->highlights->all[i].label);
        vt_json_kv_u64(&w, "bytes", s->highlights->all[i].bytes);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static void say_note(const char *note)
{
    char printable[4 * VT_ERROR_MESSAGE_MAX];
    if (note[0] != '\0') {
        vt_text_printable(printable, sizeof printable, note, strlen(note));
        fprintf(stderr, "vitrine shot: %s\n", printable);
    }
}

/* The files, and what is said of them. */
static int deliver(const struct vt_args *args, struct shot *s, struct vt_error *err)
{
    const char *path = vt_args_operand(args, 1), *pages = vt_args_value(args, "pages");
    uint64_t from = vt_now_ns();
    int rc = vt_canvas_write_png(s->canvas, path, err);
    s->draw_ns += vt_now_ns() - from;
    if (rc == 0 && pages != NULL) {
        rc = vt_write_file_atomic(pages, s->classes, s->pages, 0644, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (vt_args_json(args)) {
        print_json(args, s, path);
    } else {
        char size[32];
        vt_format_bytes(size, sizeof size, s->pages << VT_PAGE_SHIFT);
        printf("%s: %" PRIu32 " x %" PRIu32 ", %s of %s, %s\n", path, vt_canvas_width(s->canvas),
               vt_canvas_height(s->canvas), size, s->name, s->consistency);
        say_note(s->note);
    }
    return 0;
}

/* ---------------------------------------------------------------- the map */

static int take_map(const struct vt_args *args, struct vt_target *target,
                    const struct vt_picture_options *options, struct vt_error *err)
{
    struct vt_picture p;
    int rc = vt_picture_take(target, options, &p, err);
    if (rc == 0) {
        struct shot s = {.view = "flat",
                         .name = p.name,
                         .system = p.system,
                         .note = p.note,
                         .consistency = p.consistency,
                         .canvas = p.canvas,
                         .pages = vt_classes_pages(p.classes),
                         .highlights = &p.highlights,
                         .understood = vt_classes_understood(p.classes),
                         .scan_ns = p.scan_ns,
                         .draw_ns = p.draw_ns,
                         .classes = vt_classes_bytes(p.classes)};
        vt_classes_totals(p.classes, s.totals);
        s.n_owners = vt_classes_processes(p.classes, &s.owners);
        rc = deliver(args, &s, err);
    }
    vt_picture_fini(&p);
    return rc;
}

static int read_map(const struct vt_args *args, struct vt_picture_options *options)
{
    static const char *const others[] = {"size",   "gpu",      "method",    "opacity", "density",
                                         "slice",  "clip",     "only",      "zoom-to", "no-heat",
                                         "no-dim", "no-boxes", "no-labels", "no-frame"};
    const char *palette = vt_args_value(args, "palette");
    struct vt_error err;
    uint64_t width, top;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (vt_args_value(args, others[i]) != NULL || vt_args_flag(args, others[i])) {
            return vt_usage_error(args, "--%s is the volume's: --view " VT_SCENE_VIEWS, others[i]);
        }
    }
    int rc = vt_args_u64(args, "width", VT_PICTURE_WIDTH, &width);
    rc = rc != 0 ? rc : vt_args_u64(args, "top", VT_PICTURE_TOP, &top);
    if (rc != 0) {
        return rc;
    }
    if (width < VT_PICTURE_WIDTH_MIN || width > VT_PICTURE_WIDTH_MAX) {
        return vt_usage_error(args, "--width: %" PRIu64 " pixels: %u to %u", width,
                              VT_PICTURE_WIDTH_MIN, VT_PICTURE_WIDTH_MAX);
    }
    if (top > VT_OWNERS_MAX) {
        return vt_usage_error(args, "--top: %" PRIu64 " processes: 0 to %d", top, VT_OWNERS_MAX);
    }
    if (palette != NULL && vt_palette_parse(palette, &options->palette, &err) != 0) {
        return vt_usage_error(args, "--palette: %s", err.message);
    }
    options->pause = vt_args_flag(args, "pause");
    options->no_highlights = vt_args_flag(args, "no-highlights");
    options->width = (uint32_t)width;
    options->top = (unsigned)top;
    return 0;
}

/* ---------------------------------------------------------------- the volume */

static int read_volume(const struct vt_args *args, const char *view, struct vt_scene_args *scene)
{
    static const char *const others[] = {"width", "top"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (vt_args_value(args, others[i]) != NULL) {
            return vt_usage_error(args, "--%s is the flat map's: --size WxH", others[i]);
        }
    }
    return vt_scene_args_read(args, view, scene);
}

static int deliver_volume(const struct vt_args *args, const struct vt_target *target,
                          const struct vt_studio *studio, const struct vt_canvas *canvas,
                          const char *view, struct vt_error *err)
{
    const struct vt_follow *follow = vt_studio_follow(studio);
    struct vt_follow_seen seen;
    struct vt_studio_seen with;
    vt_follow_seen(follow, &seen);
    vt_studio_seen(studio, &with);
    struct shot s = {.view = view,
                     .name = with.name,
                     .system = seen.system,
                     .note = seen.note,
                     .consistency = seen.consistency,
                     .canvas = canvas,
                     .pages = vt_ram_size(target->ram) >> VT_PAGE_SHIFT,
                     .highlights = vt_follow_highlights(follow),
                     .understood = seen.understood,
                     .scan_ns = with.look_ns,
                     .draw_ns = with.draw_ns,
                     .classes = vt_follow_classes(follow),
                     .volume = true,
                     .gpu = with.info,
                     .gpu_bytes = with.gpu_bytes};
    vt_follow_totals(follow, s.totals);
    s.n_owners = vt_follow_processes(follow, &s.owners);
    if (with.why != NULL) {
        char note[2 * VT_ERROR_MESSAGE_MAX];
        snprintf(note, sizeof note, "drawn on the CPU, slowly: %s", with.why);
        say_note(note);
    }
    return deliver(args, &s, err);
}

/* Two looks a moment apart: what is written between them glows. */
static int look_again(struct vt_studio *studio, struct vt_error *err)
{
    const struct timespec moment = {.tv_nsec = HEAT_NS};
    nanosleep(&moment, NULL);
    return vt_studio_look(studio, err);
}

static int take_volume(const struct vt_args *args, struct vt_target *target, const char *view,
                       const struct vt_scene_args *given, struct vt_error *err)
{
    struct vt_studio_options options = {
        .gpu = given->gpu,
        .width = given->width,
        .height = given->height,
        .method = given->method,
        .follow = {.classes_s = -1, .no_highlights = given->no_highlights},
    };
    struct vt_studio *studio = NULL;
    const struct vt_canvas *canvas;
    struct vt_camera camera;
    struct vt_scene scene;
    bool pause = vt_args_flag(args, "pause");
    int rc = pause ? vt_target_stop(target, err) : 0;
    rc = rc != 0 ? rc : vt_studio_create(target, &options, &studio, err);
    rc = rc != 0 ? rc : vt_studio_look(studio, err);
    if (rc == 0 && given->scene.heat && target->vm != NULL && !pause) {
        rc = look_again(studio, err);
    }
    if (rc == 0) {
        rc =
            vt_scene_args_place(given, target->ram, vt_studio_follow(studio), &camera, &scene, err);
    }
    rc = rc != 0 ? rc : vt_studio_draw(studio, &camera, &scene, &canvas, err);
    struct vt_error resume;
    if (vt_target_resume(target, &resume) != 0 && rc == 0) {
        rc = vt_fail(err, resume.code, "%s", resume.message);
    }
    rc = rc != 0 ? rc : deliver_volume(args, target, studio, canvas, view, err);
    vt_studio_destroy(studio);
    return rc;
}

static int run(const struct vt_args *args)
{
    const char *view = vt_args_value(args, "view");
    bool map = view == NULL || strcmp(view, "flat") == 0;
    struct vt_picture_options options = {0};
    struct vt_scene_args scene = {0};
    struct vt_target target;
    struct vt_error err;
    int rc = map ? read_map(args, &options) : read_volume(args, view, &scene);
    rc = rc != 0 ? rc : vt_cli_open(args, "shot", VT_CLI_RAM, "all of RAM", &target);
    if (rc != 0) {
        return rc;
    }
    rc = map ? take_map(args, &target, &options, &err)
             : take_volume(args, &target, view, &scene, &err);
    return vt_cli_close(args, &target, rc == 0 ? VT_EXIT_OK : vt_report(args, &err));
}

static const struct vt_option options[] = {
    {"view", "NAME", "flat (a map), " VT_SCENE_VIEWS " (default flat)", false},
    {"width", "PIXELS", "width of the map, 640 to 8192 (default 1600)", false},
    {"top", "N", "in the map, give the N largest processes shades of their own (default 6)", false},
    VT_SCENE_OPTIONS,
    VT_CLI_PAUSE,
    {"pages", "FILE", "also write every page's class code, one byte each by RAM offset", false},
    {0},
};

const struct vt_verb vt_verb_shot = {
    .name = "shot",
    .group = "Picture",
    .summary = "Draw a VM's RAM by what each page holds, as a map or as a volume",
    .operands = "VM OUT.png",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .description =
        "Every page of RAM is a dot on a Hilbert curve, so what is near in memory is near in the\n"
        "picture. Where the guest is a Linux that can be read, its own bookkeeping says what a\n"
        "page holds: struct page, the kernel's mappings and the page tables of all processes.\n"
        "Where it is not (yet), pages are coloured by what their bytes look like.\n"
        "\n"
        "With --view the picture is of RAM as a volume: every byte is a voxel on a Hilbert curve\n"
        "through a cube, so that each page is a small cube; zeros are clear, and what was written\n"
        "in the last quarter of a second glows. It is drawn by a GPU (vitrine gpus); where there\n"
        "is no Vulkan driver at all, slowly by the CPU.\n"
        "\n"
        "The VM's highlights (vitrine highlight) stand out, outlined in their colours, and all\n"
        "else is dimmed.\n"
        "\n"
        "With --json the totals of every class and of the largest processes are printed; the\n"
        "class totals add up to the number of pages.",
    .examples = "  vitrine shot demo ram.png\n"
                "  vitrine shot demo ram.png --pause --width 3200 --palette colorblind\n"
                "  vitrine shot demo volume.png --view iso --size 1920x1080\n"
                "  vitrine shot demo inside.png --view front --slice z=0.5 --clip z=0:0.5\n"
                "  vitrine shot demo heap.png --view iso --zoom-to httpd-heap\n"
                "  vitrine shot demo ram.png --json | jq '.classes[] | select(.pages > 0)'",
    .run = run,
};
