/* cli/cmd_shot.c - `vitrine shot`: a picture of a VM's RAM, every page coloured by what it holds.
 *
 * Pause if asked, classify, resume; then draw and write: the PNG, the raw classes, JSON or one
 * line.
 */
#include "base/io.h"
#include "base/text.h"
#include "cli/target.h"
#include "vitrine/highlight.h"
#include "vitrine/version.h"
#include "vitrine/volume.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATE_TIMEOUT_MS 2000
#define WIDTH_DEFAULT 1600
#define TOP_DEFAULT 6

struct shot {
    const struct vt_args *args;
    struct vt_target target;
    struct vt_classes *classes;
    struct vt_highlights highlights;
    struct vt_canvas *canvas;
    enum vt_palette palette;
    uint64_t width, top;
    const char *name; /* the VM's, or the file's without its directory */
    const char *consistency;
    char system[300];
    char note[VT_ERROR_MESSAGE_MAX];
    int64_t unix_s;
    uint64_t scan_ns, draw_ns;
};

/* A guest that is not understood is no failure. */
static void find_kernel(struct shot *s)
{
    struct vt_error why;
    if (vt_target_kernel(&s->target, &why) == 0) {
        snprintf(s->system, sizeof s->system, "Linux %.256s", vt_kernel_release(s->target.kernel));
    } else {
        snprintf(s->system, sizeof s->system, "guest not understood");
        snprintf(s->note, sizeof s->note, "by contents alone: %.280s", why.message);
    }
}

/* Classifies, with the VM standing still if that was asked for; it runs again before drawing. */
static int look(struct shot *s, struct vt_error *err)
{
    enum vt_vm_state state = VT_VM_UNKNOWN;
    int rc = vt_classes_create(s->target.ram, &s->classes, err);
    if (rc == 0) {
        find_kernel(s);
        rc = vt_cli_pause(s->args, &s->target, err);
    }
    if (rc == 0 && s->target.vm != NULL && !s->target.paused) {
        rc = vt_vm_query_state(s->target.vm, STATE_TIMEOUT_MS, &state, err);
    }
    if (rc != 0) {
        return rc;
    }
    bool paused = s->target.paused || state == VT_VM_PAUSED;
    s->consistency = s->target.vm == NULL ? "a saved copy" : paused ? "paused" : "live";
    s->unix_s = (int64_t)time(NULL);
    uint64_t from = vt_now_ns();
    rc = vt_classes_scan(s->classes, s->target.kernel, err);
    s->scan_ns = vt_now_ns() - from;
    if (rc == 0 && vt_classes_note(s->classes)[0] != '\0') {
        snprintf(s->note, sizeof s->note, "%s", vt_classes_note(s->classes));
    }
    struct vt_error resume;
    if (vt_target_resume(&s->target, &resume) != 0 && rc == 0) {
        *err = resume;
        rc = (int)resume.code;
    }
    return rc;
}

/* Those that cannot be read are left out: a picture is there to look at RAM. */
static void find_highlights(struct shot *s)
{
    struct vt_error why;
    if (s->target.vm != NULL && !vt_args_flag(s->args, "no-highlights") &&
        vt_highlights_load(s->target.vm, &s->highlights, &why) != 0) {
        snprintf(s->note, sizeof s->note, "highlights left out: %.280s", why.message);
    }
}

static int draw(struct shot *s, const char *path, struct vt_error *err)
{
    uint64_t from = vt_now_ns();
    struct vt_map_view map = {
        .name = s->name,
        .system = s->system,
        .consistency = s->consistency,
        .note = s->note,
        .credit = "vitrine " VITRINE_VERSION,
        .unix_s = s->unix_s,
        .classes = vt_classes_bytes(s->classes),
        .owners = vt_classes_owners(s->classes),
        .n_pages = vt_classes_pages(s->classes),
        .palette = s->palette,
        .width = (uint32_t)s->width,
        .highlights = s->highlights.all,
        .n_highlights = (unsigned)s->highlights.n,
    };
    size_t n = vt_classes_processes(s->classes, &map.processes);
    map.n_processes = (unsigned)(n < s->top ? n : s->top);
    map.n_regions = vt_ram_regions(s->target.ram, &map.regions);
    int rc = vt_map_draw(&map, &s->canvas, err);
    if (rc == 0) {
        rc = vt_canvas_write_png(s->canvas, path, err);
    }
    s->draw_ns = vt_now_ns() - from;
    return rc;
}

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

static void print_json(const struct shot *s, const char *path)
{
    struct vt_json_writer w;
    uint64_t totals[VT_CLASSES], pages = vt_classes_pages(s->classes);
    const struct vt_owner *owners;
    size_t n = vt_classes_processes(s->classes, &owners);
    vt_classes_totals(s->classes, totals);
    vt_json_init(&w, stdout, vt_args_pretty(s->args));
    vt_json_object(&w);
    vt_json_kv_string(&w, "vm", s->name);
    vt_json_kv_string(&w, "file", path);
    vt_json_kv_u64(&w, "width", vt_canvas_width(s->canvas));
    vt_json_kv_u64(&w, "height", vt_canvas_height(s->canvas));
    vt_json_kv_string(&w, "consistency", s->consistency);
    vt_json_kv_bool(&w, "understood", vt_classes_understood(s->classes));
    vt_json_kv_string(&w, "system", s->system);
    vt_json_kv_string(&w, "note", s->note[0] != '\0' ? s->note : NULL);
    vt_json_kv_u64(&w, "ram_bytes", pages << VT_PAGE_SHIFT);
    vt_json_kv_u64(&w, "pages", pages);
    vt_json_kv_f64(&w, "scan_ms", (double)s->scan_ns / 1e6, 6);
    vt_json_kv_f64(&w, "draw_ms", (double)s->draw_ns / 1e6, 6);
    vt_json_key(&w, "classes");
    print_classes(&w, totals, pages);
    vt_json_key(&w, "processes");
    vt_json_array(&w);
    for (size_t i = 0; i < n; i++) {
        vt_json_object(&w);
        vt_json_kv_i64(&w, "pid", owners[i].pid);
        vt_json_kv_string(&w, "comm", owners[i].comm);
        vt_json_kv_u64(&w, "mapped_pages", owners[i].mapped_pages);
        vt_json_kv_u64(&w, "own_pages", owners[i].own_pages);
        vt_json_key(&w, "own");
        vt_json_object(&w);
        for (enum vt_page_class c = VT_CLASS_HOLE; c < VT_CLASSES; c++) {
            if (owners[i].classes[c] > 0) {
                vt_json_kv_u64(&w, vt_class_name(c), owners[i].classes[c]);
            }
        }
        vt_json_object_end(&w);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_key(&w, "highlights");
    vt_json_array(&w);
    for (size_t i = 0; i < s->highlights.n; i++) {
        vt_json_object(&w);
        vt_json_kv_string(&w, "name", s->highlights.all[i].name);
        vt_json_kv_string(&w, "label", s->highlights.all[i].label);
        vt_json_kv_u64(&w, "bytes", s->highlights.all[i].bytes);
        vt_json_object_end(&w);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
}

static int take(struct shot *s, struct vt_error *err)
{
    const char *path = vt_args_operand(s->args, 1), *pages = vt_args_value(s->args, "pages");
    int rc = look(s, err);
    if (rc == 0) {
        find_highlights(s);
        rc = draw(s, path, err);
    }
    if (rc == 0 && pages != NULL) {
        rc = vt_write_file_atomic(pages, vt_classes_bytes(s->classes), vt_classes_pages(s->classes),
                                  0644, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (vt_args_json(s->args)) {
        print_json(s, path);
    } else {
        char size[32];
        vt_format_bytes(size, sizeof size, vt_ram_size(s->target.ram));
        printf("%s: %" PRIu32 " x %" PRIu32 ", %s of %s, %s\n", path, vt_canvas_width(s->canvas),
               vt_canvas_height(s->canvas), size, s->name, s->consistency);
        if (s->note[0] != '\0') {
            char note[2 * sizeof s->note];
            vt_text_printable(note, sizeof note, s->note, strlen(s->note));
            fprintf(stderr, "vitrine shot: %s\n", note);
        }
    }
    return 0;
}

static int run(const struct vt_args *args)
{
    struct shot s = {.args = args};
    struct vt_error err;
    const char *palette = vt_args_value(args, "palette");
    int rc = vt_args_u64(args, "width", WIDTH_DEFAULT, &s.width);
    if (rc == 0) {
        rc = vt_args_u64(args, "top", TOP_DEFAULT, &s.top);
    }
    if (rc != 0) {
        return rc;
    }
    if (s.width < 640 || s.width > 8192) {
        return vt_usage_error(args, "--width: %" PRIu64 " pixels: 640 to 8192", s.width);
    }
    if (s.top > VT_OWNERS_MAX) {
        return vt_usage_error(args, "--top: %" PRIu64 " processes: 0 to %d", s.top, VT_OWNERS_MAX);
    }
    if (palette != NULL && vt_palette_parse(palette, &s.palette, &err) != 0) {
        return vt_usage_error(args, "--palette: %s", err.message);
    }
    rc = vt_cli_open(args, "shot", VT_CLI_RAM, "all of RAM", &s.target);
    if (rc != 0) {
        return rc;
    }
    const char *slash = strrchr(s.target.name, '/');
    s.name = slash != NULL ? slash + 1 : s.target.name;
    rc = take(&s, &err) == 0 ? VT_EXIT_OK : vt_report(args, &err);
    vt_highlights_fini(&s.highlights);
    vt_canvas_destroy(s.canvas);
    vt_classes_destroy(s.classes);
    return vt_cli_close(args, &s.target, rc);
}

static const struct vt_option options[] = {
    {"width", "PIXELS", "width of the picture, 640 to 8192 (default 1600)", false},
    {"palette", "NAME", "default, or colorblind (Okabe and Ito's colours)", false},
    {"top", "N", "give the N largest processes shades of their own (default 6)", false},
    {"no-highlights", NULL, "leave the VM's highlights out", false},
    VT_CLI_PAUSE,
    {"pages", "FILE", "also write every page's class code, one byte each by RAM offset", false},
    {0},
};

const struct vt_verb vt_verb_shot = {
    .name = "shot",
    .group = "Picture",
    .summary = "Draw a map of a VM's RAM by what each page holds",
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
        "The VM's highlights (vitrine highlight) stand out, outlined in their colours, and all\n"
        "else is dimmed.\n"
        "\n"
        "With --json the totals of every class and of the largest processes are printed; the\n"
        "class totals add up to the number of pages.",
    .examples = "  vitrine shot demo ram.png\n"
                "  vitrine shot demo ram.png --pause --width 3200 --palette colorblind\n"
                "  vitrine shot demo ram.png --json | jq '.classes[] | select(.pages > 0)'",
    .run = run,
};
