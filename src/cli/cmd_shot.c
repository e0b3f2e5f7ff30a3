/* cli/cmd_shot.c - `vitrine shot`: a picture of a VM's RAM, every page coloured by what it holds.
 *
 * What was looked at and drawn is written: the PNG, the raw classes, JSON or one line.
 */
#include "base/io.h"
#include "base/text.h"
#include "cli/target.h"
#include "volume/picture.h"

#include <inttypes.h>
#include <string.h>

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

static void print_json(const struct vt_args *args, const struct vt_picture *s, const char *path)
{
    struct vt_json_writer w;
    uint64_t totals[VT_CLASSES], pages = vt_classes_pages(s->classes);
    const struct vt_owner *owners;
    size_t n = vt_classes_processes(s->classes, &owners);
    vt_classes_totals(s->classes, totals);
    vt_json_init(&w, stdout, vt_args_pretty(args));
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

static int take(const struct vt_args *args, struct vt_target *target,
                const struct vt_picture_options *options, struct vt_picture *s,
                struct vt_error *err)
{
    const char *path = vt_args_operand(args, 1), *pages = vt_args_value(args, "pages");
    int rc = vt_picture_take(target, options, s, err);
    uint64_t from = vt_now_ns();
    rc = rc != 0 ? rc : vt_canvas_write_png(s->canvas, path, err);
    s->draw_ns += vt_now_ns() - from;
    if (rc == 0 && pages != NULL) {
        rc = vt_write_file_atomic(pages, vt_classes_bytes(s->classes), vt_classes_pages(s->classes),
                                  0644, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (vt_args_json(args)) {
        print_json(args, s, path);
    } else {
        char size[32];
        vt_format_bytes(size, sizeof size, vt_ram_size(target->ram));
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
    struct vt_picture_options options = {.pause = vt_args_flag(args, "pause"),
                                         .no_highlights = vt_args_flag(args, "no-highlights")};
    struct vt_target target;
    struct vt_picture s;
    struct vt_error err;
    const char *palette = vt_args_value(args, "palette");
    uint64_t width, top;
    int rc = vt_args_u64(args, "width", VT_PICTURE_WIDTH, &width);
    if (rc == 0) {
        rc = vt_args_u64(args, "top", VT_PICTURE_TOP, &top);
    }
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
    if (palette != NULL && vt_palette_parse(palette, &options.palette, &err) != 0) {
        return vt_usage_error(args, "--palette: %s", err.message);
    }
    options.width = (uint32_t)width;
    options.top = (unsigned)top;
    rc = vt_cli_open(args, "shot", VT_CLI_RAM, "all of RAM", &target);
    if (rc != 0) {
        return rc;
    }
    rc = take(args, &target, &options, &s, &err) == 0 ? VT_EXIT_OK : vt_report(args, &err);
    vt_picture_fini(&s);
    return vt_cli_close(args, &target, rc);
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
