/* trace/export_svg.c - call stacks as a flame graph (Brendan Gregg, "The Flame Graph", CACM 59:6).
 *
 * The outermost frame is at the bottom, width is weight, callees stand in the order of their names.
 * Colours say where code runs and are made of the name alone. The script (export_svg.js, which the
 * file contains) zooms into a frame and finds names; without it there are texts and tooltips.
 */
#include "trace/export_parts.h"

#include "base/embedded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 1200.0
#define SIDE 10.0
#define ROW 17.0
#define TOP 58.0
#define BELOW 32.0
#define LETTER 7.3 /* the width of one, about: the script measures the same way */
/** Of a frame; narrower ones are left out, with all they call. */
#define NARROWEST 0.1

extern const struct vt_embedded vt_trace_svg_script[];

/* ---- the picture, before it is drawn ---- */

struct box {
    uint32_t node, parent; /* the parent's node */
    const char *text;      /* of its frame */
    uint64_t weight, at;   /* with what it calls; where it begins, in weight */
};
struct picture {
    const struct vt_trace_stacks *stacks;
    const struct vt_trace_stack_node *nodes;
    uint32_t n;
    struct box *boxes; /* sorted by parent, then text */
    uint64_t *next_at; /* of each node: where its next child begins */
    char **texts;      /* of each frame, made when it is needed */
    uint32_t n_texts, deepest;
    double unit; /* pixels a weight */
};

static int by_place(const void *a, const void *b)
{
    const struct box *x = a, *y = b;
    if (x->parent != y->parent) {
        return x->parent < y->parent ? -1 : 1;
    }
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : x->node < y->node ? -1 : 1;
}

static char *text_of(struct picture *p, uint32_t frame)
{
    char text[VT_TRACE_FRAME_TEXT];
    if (p->texts[frame] == NULL) {
        p->texts[frame] =
            strdup(vt_trace_frame_text(vt_trace_stacks_frame(p->stacks, frame), text));
    }
    return p->texts[frame];
}

static void picture_fini(struct picture *p)
{
    for (uint32_t i = 0; p->texts != NULL && i < p->n_texts; i++) {
        free(p->texts[i]);
    }
    free(p->texts);
    free(p->boxes);
    free(p->next_at);
}

/* Parents have lower indices: weights add up from the end, places go out from the beginning. */
static int picture_init(struct picture *p, const struct vt_trace_stacks *stacks, bool time,
                        struct vt_error *err)
{
    *p = (struct picture){.stacks = stacks};
    p->nodes = vt_trace_stacks_nodes(stacks, &p->n);
    for (uint32_t i = 1; i < p->n; i++) {
        p->n_texts = p->nodes[i].frame >= p->n_texts ? p->nodes[i].frame + 1 : p->n_texts;
    }
    p->boxes = calloc(p->n, sizeof *p->boxes);
    p->next_at = calloc(p->n, sizeof *p->next_at);
    p->texts = calloc(p->n_texts + 1u, sizeof *p->texts);
    bool ok = p->boxes != NULL && p->next_at != NULL && p->texts != NULL;
    for (uint32_t i = 0; ok && i < p->n; i++) {
        p->boxes[i] = (struct box){.node = i,
                                   .parent = p->nodes[i].parent,
                                   .text = i == 0 ? "" : text_of(p, p->nodes[i].frame),
                                   .weight = time ? p->nodes[i].time_ns : p->nodes[i].instructions};
        ok = p->boxes[i].text != NULL;
    }
    if (!ok) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a flame graph of %u frames", p->n);
    }
    for (uint32_t i = p->n; i-- > 1;) {
        p->boxes[p->nodes[i].parent].weight += p->boxes[i].weight;
    }
    qsort(p->boxes + 1, p->n - 1u, sizeof *p->boxes, by_place);
    for (uint32_t i = 1; i < p->n; i++) {
        struct box *b = &p->boxes[i];
        b->at = p->next_at[b->parent];
        p->next_at[b->parent] += b->weight;
        p->next_at[b->node] = b->at;
    }
    p->unit = p->boxes[0].weight > 0 ? (WIDTH - 2 * SIDE) / (double)p->boxes[0].weight : 0;
    for (uint32_t i = 1; i < p->n; i++) {
        const struct box *b = &p->boxes[i];
        uint32_t depth = p->nodes[b->node].depth;
        if ((double)b->weight * p->unit >= NARROWEST) {
            p->deepest = depth > p->deepest ? depth : p->deepest;
        }
    }
    return 0;
}

/* ---- drawing ---- */

static void put_xml(FILE *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        switch (text[i]) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            putc(text[i], out);
            break;
        }
    }
}

/* Characters of UTF-8 begin with other bytes than they go on with. */
static size_t bytes_of(const char *text, size_t characters)
{
    size_t at = 0;
    while (text[at] != '\0' && (characters > 0 || (text[at] & 0xc0) == 0x80)) {
        characters -= (text[at] & 0xc0) != 0x80;
        at++;
    }
    return at;
}

static const char *colour_of(const struct vt_trace_frame *frame, const char *text, char out[40])
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * 16777619u;
    }
    unsigned a = h >> 8 & 0xff, b = h >> 16 & 0xff;
    if (frame == NULL || frame->kind == VT_FRAME_UNKNOWN) {
        return "#d2d2d2";
    }
    if (frame->kind == VT_FRAME_PROCESS) {
        snprintf(out, 40, "hsl(%u,32%%,%u%%)", 140 + a % 30, 66 + b % 10);
    } else if (frame->kernel) {
        snprintf(out, 40, "hsl(%u,62%%,%u%%)", 195 + a % 30, 66 + b % 12);
    } else {
        snprintf(out, 40, "hsl(%u,88%%,%u%%)", 12 + a % 38, 60 + b % 12);
    }
    return out;
}

static void put_number(FILE *out, uint64_t value)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, value);
    for (int i = 0; i < n; i++) {
        putc(digits[i], out);
        if (i + 1 < n && (n - 1 - i) % 3 == 0) {
            putc(',', out);
        }
    }
}

static void put_box(FILE *out, const struct picture *p, const struct box *b, const char *unit,
                    double height)
{
    const struct vt_trace_stack_node *node = &p->nodes[b->node];
    const struct vt_trace_frame *frame =
        b->node != 0 ? vt_trace_stacks_frame(p->stacks, node->frame) : NULL;
    const char *text = b->node != 0 ? b->text : "all";
    double x = SIDE + (double)b->at * p->unit, width = (double)b->weight * p->unit;
    double y = height - BELOW - ROW * (double)(node->depth + 1);
    char colour[40];
    size_t letters = width > 2 * LETTER ? (size_t)((width - 4) / LETTER) : 0;
    size_t all = bytes_of(text, SIZE_MAX), shown = bytes_of(text, letters);
    fputs("<g class=\"f\"><title>", out);
    put_xml(out, text, all);
    fputs(" (", out);
    put_number(out, b->weight);
    fprintf(out,
            " %s, %.2f %%)</title><rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.0f\" "
            "fill=\"%s\" rx=\"1\"/>",
            unit, 100.0 * (double)b->weight / (double)p->boxes[0].weight, x, y, width, ROW - 1,
            colour_of(frame, text, colour));
    fprintf(out, "<text x=\"%.2f\" y=\"%.1f\">", x + 3, y + 12);
    if (shown < all && letters >= 3) {
        put_xml(out, text, bytes_of(text, letters - 1));
        fputs("…", out);
    } else if (shown == all) {
        put_xml(out, text, all);
    }
    fputs("</text></g>\n", out);
}

static void put_head(struct vt_trace_export *x, const struct picture *p, const char *unit,
                     double height)
{
    const char *vm = x->info->vm;
    fprintf(x->out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" "
            "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n"
            "<style>text{font:12px ui-monospace,DejaVu Sans Mono,Menlo,monospace;fill:#111}"
            "#title{font:600 17px sans-serif}#about,#said,#find,#all{font:12px "
            "sans-serif;fill:#555}"
            "#find,#all{cursor:pointer;fill:#1558b0}.f{cursor:pointer}.f:hover rect{stroke:#111}"
            ".out{opacity:.45}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fbfbf8\"/>\n"
            "<text id=\"title\" x=\"%.0f\" y=\"24\">",
            WIDTH, height, WIDTH, height, SIDE);
    if (x->options->title != NULL) {
        put_xml(x->out, x->options->title, strlen(x->options->title));
    } else {
        fputs("Instructions of ", x->out);
        put_xml(x->out, vm[0] != '\0' ? vm : "a VM", bytes_of(vm[0] != '\0' ? vm : "a VM", 64));
    }
    fprintf(x->out, "</text>\n<text id=\"about\" x=\"%.0f\" y=\"44\">", SIDE);
    put_number(x->out, p->boxes[0].weight);
    fprintf(x->out,
            " %s · user code is warm, the kernel's blue · “?”: called before the recording "
            "began</text>\n<text id=\"said\" x=\"%.0f\" y=\"%.0f\"> </text>\n"
            "<text id=\"all\" x=\"%.0f\" y=\"44\" text-anchor=\"end\" visibility=\"hidden\">Show "
            "all</text>\n<text id=\"find\" x=\"%.0f\" y=\"24\" text-anchor=\"end\" "
            "visibility=\"hidden\">Find…</text>\n",
            unit, SIDE, height - 10, WIDTH - SIDE, WIDTH - SIDE);
}

static int draw(struct vt_trace_export *x, struct vt_error *err)
{
    struct picture p;
    const bool time = x->options->clock == VT_TRACE_CLOCK_TIME;
    const char *unit = time ? "ns" : "instructions";
    int rc = picture_init(&p, x->own, time, err);
    if (rc == 0) {
        double height = TOP + BELOW + ROW * (double)(p.deepest + 1);
        put_head(x, &p, unit, height);
        if (p.boxes[0].weight > 0) {
            put_box(x->out, &p, &p.boxes[0], unit, height);
        }
        for (uint32_t i = 1; i < p.n; i++) {
            if ((double)p.boxes[i].weight * p.unit >= NARROWEST) {
                put_box(x->out, &p, &p.boxes[i], unit, height);
            } else {
                x->done->left_out++;
            }
        }
        fputs("<script type=\"text/javascript\"><![CDATA[\n", x->out);
        fwrite(vt_trace_svg_script->bytes, 1, vt_trace_svg_script->size, x->out);
        fputs("]]></script>\n</svg>\n", x->out);
    }
    picture_fini(&p);
    return rc;
}

static int end(struct vt_trace_export *x, bool whole, struct vt_error *err)
{
    int rc = whole ? draw(x, err) : 0;
    vt_trace_export_end_stacks(x);
    return rc;
}

const struct vt_trace_exporter vt_trace_exporter_svg = {
    .name = "svg",
    .begin = vt_trace_export_begin_stacks,
    .put = vt_trace_export_put_stacks,
    .end = end,
};
