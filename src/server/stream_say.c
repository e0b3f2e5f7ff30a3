/* server/stream_say.c - the texts of a stream: JSON, one object each (docs/volume-stream.md). */
#include "server/stream_parts.h"

#include "base/json_writer.h"
#include "server/problem.h"
#include "volume/overlay.h"

#include <stdlib.h>

/* A text under way: opened, written through `w`, ended. */
struct saying {
    struct vt_json_writer w;
    FILE *out;
    char *text;
    size_t bytes;
};

static bool begin(struct saying *s, const char *type)
{
    s->text = NULL;
    s->out = open_memstream(&s->text, &s->bytes);
    if (s->out == NULL) {
        return false;
    }
    vt_json_init(&s->w, s->out, false);
    vt_json_object(&s->w);
    vt_json_kv_string(&s->w, "type", type);
    return true;
}

static char *end(struct saying *s, size_t *bytes)
{
    vt_json_object_end(&s->w);
    if (fclose(s->out) != 0) {
        free(s->text);
        return NULL;
    }
    *bytes = s->bytes;
    return s->text;
}

static void write_colour(struct vt_json_writer *w, const char *key, struct vt_colour c)
{
    char text[8];
    snprintf(text, sizeof text, "#%02x%02x%02x", c.r, c.g, c.b);
    vt_json_kv_string(w, key, text);
}

/* ---------------------------------------------------------------- hello */

static void write_grid(struct vt_json_writer *w, unsigned order, uint64_t ram_bytes)
{
    struct vt_box box;
    vt_json_key(w, "grid");
    vt_json_array(w);
    if (vt_volume_box(order, VT_OFF(0), ram_bytes, &box, NULL) == 0) {
        for (unsigned i = 0; i < 3; i++) {
            vt_json_u64(w, (box.max[i] >> 4) + 1u);
        }
    }
    vt_json_array_end(w);
}

static void write_regions(struct vt_json_writer *w, const struct vt_ram *ram)
{
    const struct vt_ram_region *regions;
    unsigned n = vt_ram_regions(ram, &regions);
    vt_json_key(w, "regions");
    vt_json_array(w);
    for (unsigned i = 0; i < n; i++) {
        vt_json_object(w);
        vt_json_kv_hex(w, "gpa", regions[i].gpa.v);
        vt_json_kv_hex(w, "offset", regions[i].offset.v);
        vt_json_kv_u64(w, "bytes", regions[i].bytes);
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void write_classes(struct vt_json_writer *w)
{
    vt_json_key(w, "classes");
    vt_json_array(w);
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        vt_json_object(w);
        vt_json_kv_string(w, "name", vt_class_name(c));
        vt_json_kv_string(w, "title", vt_class_title(c));
        write_colour(w, "default", vt_palette_class(VT_PALETTE_DEFAULT, c));
        write_colour(w, "colorblind", vt_palette_class(VT_PALETTE_COLORBLIND, c));
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

static void write_frames(struct vt_json_writer *w, struct vt_streams *streams)
{
    struct vt_gpu_info gpu;
    vt_json_key(w, "frames");
    if (vt_streams_gpu(streams, &gpu)) {
        vt_json_object(w);
        vt_json_kv_string(w, "gpu", gpu.name);
        vt_json_kv_bool(w, "software", gpu.software);
        vt_json_object_end(w);
    } else {
        vt_json_null(w);
    }
}

char *vt_say_hello(struct vt_stream *s, size_t *bytes)
{
    struct saying say;
    uint64_t ram_bytes = vt_ram_size(s->target.ram);
    unsigned order = vt_volume_order(ram_bytes);
    if (!begin(&say, "hello")) {
        return NULL;
    }
    vt_json_kv_string(&say.w, "protocol", "vitrine.volume.v1");
    vt_json_kv_string(&say.w, "vm", s->vm);
    vt_json_kv_u64(&say.w, "ram_bytes", ram_bytes);
    vt_json_kv_u64(&say.w, "pages", s->n_pages);
    vt_json_kv_u64(&say.w, "order", order);
    write_grid(&say.w, order, s->n_pages * VT_PAGE_BYTES);
    write_regions(&say.w, s->target.ram);
    write_classes(&say.w);
    write_frames(&say.w, s->streams);
    return end(&say, bytes);
}

/* ---------------------------------------------------------------- what changes */

char *vt_say_system(struct vt_stream *s, size_t *bytes)
{
    struct saying say;
    if (!begin(&say, "system")) {
        return NULL;
    }
    vt_json_kv_string(&say.w, "system", s->seen.system);
    vt_json_kv_string(&say.w, "note", s->seen.note);
    vt_json_kv_bool(&say.w, "understood", s->seen.understood);
    vt_json_kv_string(&say.w, "consistency", s->seen.consistency);
    return end(&say, bytes);
}

char *vt_say_owners(struct vt_stream *s, size_t *bytes)
{
    struct saying say;
    const struct vt_owner *owners;
    size_t n = vt_follow_processes(s->follow, &owners);
    if (!begin(&say, "owners")) {
        return NULL;
    }
    vt_json_key(&say.w, "owners");
    vt_json_array(&say.w);
    for (size_t i = 0; i < n; i++) {
        vt_json_object(&say.w);
        vt_json_kv_i64(&say.w, "pid", owners[i].pid);
        vt_json_kv_string(&say.w, "name", owners[i].comm);
        vt_json_object_end(&say.w);
    }
    vt_json_array_end(&say.w);
    return end(&say, bytes);
}

/* Pages of the RAM file: a guest-physical run may lie in several regions. */
static void write_pages(struct vt_json_writer *w, const struct vt_highlight *h,
                        const struct vt_ram_region *regions, unsigned n_regions, size_t *room,
                        bool *cut)
{
    vt_json_key(w, "pages");
    vt_json_array(w);
    for (size_t r = 0; r < h->n_runs; r++) {
        uint64_t from = h->runs[r].gpa.v, to = from + h->runs[r].bytes;
        for (unsigned i = 0; i < n_regions; i++) {
            const struct vt_ram_region *g = &regions[i];
            uint64_t low = from > g->gpa.v ? from : g->gpa.v;
            uint64_t high = to < g->gpa.v + g->bytes ? to : g->gpa.v + g->bytes;
            if (low >= high) {
                continue;
            }
            if (*room == 0) {
                *cut = true;
                break;
            }
            (*room)--;
            vt_json_array(w);
            vt_json_u64(w, (g->offset.v + (low - g->gpa.v)) >> VT_PAGE_SHIFT);
            vt_json_u64(w, (high - low) >> VT_PAGE_SHIFT);
            vt_json_array_end(w);
        }
    }
    vt_json_array_end(w);
}

static void write_boxes(struct vt_json_writer *w, const struct vt_box *boxes, size_t n)
{
    vt_json_key(w, "boxes");
    vt_json_array(w);
    for (size_t i = 0; i < n; i++) {
        vt_json_object(w);
        for (unsigned corner = 0; corner < 2; corner++) {
            const uint32_t *at = corner == 0 ? boxes[i].min : boxes[i].max;
            vt_json_key(w, corner == 0 ? "min" : "max");
            vt_json_array(w);
            for (unsigned k = 0; k < 3; k++) {
                vt_json_u64(w, at[k]);
            }
            vt_json_array_end(w);
        }
        vt_json_object_end(w);
    }
    vt_json_array_end(w);
}

char *vt_say_highlights(struct vt_stream *s, size_t *bytes)
{
    enum { RUNS_MAX = 16384 }; /* of all highlights: a text of less than a megabyte */
    struct saying say;
    size_t room = RUNS_MAX;
    const struct vt_highlights *set = vt_follow_highlights(s->follow);
    const struct vt_ram_region *regions;
    unsigned n_regions = vt_ram_regions(s->target.ram, &regions);
    unsigned order = vt_volume_order(vt_ram_size(s->target.ram));
    if (!begin(&say, "highlights")) {
        return NULL;
    }
    vt_json_key(&say.w, "highlights");
    vt_json_array(&say.w);
    for (size_t i = 0; set != NULL && i < set->n; i++) {
        const struct vt_highlight *h = &set->all[i];
        struct vt_box boxes[VT_HIGHLIGHT_BOXES_MAX];
        bool cut = false;
        vt_json_object(&say.w);
        vt_json_kv_string(&say.w, "name", h->name);
        vt_json_kv_string(&say.w, "label", h->label);
        write_colour(&say.w, "colour", h->colour);
        write_pages(&say.w, h, regions, n_regions, &room, &cut);
        write_boxes(&say.w, boxes, vt_highlight_boxes(h, order, regions, n_regions, boxes));
        vt_json_kv_bool(&say.w, "cut", cut);
        vt_json_object_end(&say.w);
    }
    vt_json_array_end(&say.w);
    return end(&say, bytes);
}

char *vt_say_complete(size_t *bytes)
{
    struct saying say;
    return begin(&say, "complete") ? end(&say, bytes) : NULL;
}

char *vt_say_stats(struct vt_stream *s, const struct vt_stream_client *c, size_t *bytes)
{
    struct saying say;
    if (!begin(&say, "stats")) {
        return NULL;
    }
    vt_json_kv_u64(&say.w, "tick", s->seen.tick);
    vt_json_kv_u64(&say.w, "changed_pages", s->changed_pages - c->changed_before);
    vt_json_kv_u64(&say.w, "updates", c->updates);
    vt_json_kv_u64(&say.w, "bytes", c->bytes);
    vt_json_kv_f64(&say.w, "scan_ms", (double)s->seen.scan_ns / 1e6, 6);
    return end(&say, bytes);
}

char *vt_say_ended(size_t *bytes)
{
    struct saying say;
    return begin(&say, "ended") ? end(&say, bytes) : NULL;
}

char *vt_say_error(enum vt_code code, const char *detail, size_t *bytes)
{
    struct saying say;
    if (!begin(&say, "error")) {
        return NULL;
    }
    vt_json_kv_string(&say.w, "code", vt_problem_of(code)->word);
    vt_json_kv_string(&say.w, "detail", detail);
    return end(&say, bytes);
}

char *vt_stream_error(const struct vt_error *err, size_t *bytes)
{
    return vt_say_error(err->code, err->message, bytes);
}

char *vt_say_picked(const struct vt_ram *ram, const struct vt_said_pick *pick, size_t *bytes)
{
    struct saying say;
    struct vt_gpa gpa;
    const struct vt_picked *p = pick->picked;
    if (!begin(&say, "picked")) {
        return NULL;
    }
    vt_json_kv_u64(&say.w, "id", pick->id);
    vt_json_kv_bool(&say.w, "hit", p->hit);
    if (p->hit) {
        vt_json_key(&say.w, "voxel");
        vt_json_array(&say.w);
        for (unsigned k = 0; k < 3; k++) {
            vt_json_u64(&say.w, p->voxel[k]);
        }
        vt_json_array_end(&say.w);
        vt_json_kv_hex(&say.w, "offset", p->offset.v);
        vt_json_key(&say.w, "gpa");
        if (vt_ram_gpa(ram, p->offset, &gpa, NULL) == 0) {
            vt_json_hex(&say.w, gpa.v);
        } else {
            vt_json_null(&say.w);
        }
        vt_json_kv_u64(&say.w, "value", p->value);
        vt_json_kv_string(&say.w, "class", vt_class_name(p->page_class));
        vt_json_key(&say.w, "pid");
        if (p->owner > 0 && p->owner <= pick->n_owners) {
            vt_json_i64(&say.w, pick->owners[p->owner - 1].pid);
        } else {
            vt_json_null(&say.w);
        }
        bool named = p->highlight > 0 && p->highlight <= pick->highlights->n;
        vt_json_kv_string(&say.w, "highlight",
                          named ? pick->highlights->all[p->highlight - 1].name : NULL);
    }
    return end(&say, bytes);
}
