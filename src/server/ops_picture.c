/* server/ops_picture.c - operations on what pictures show: highlights, and the picture itself. */
#include "base/text.h"
#include "server/ops_parts.h"
#include "vitrine/highlight.h"
#include "vitrine/linux.h"
#include "volume/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---------------------------------------------------------------- a highlight as JSON */

static void write_highlight(struct vt_json_writer *w, const struct vt_highlight *h, bool runs)
{
    char colour[8];
    snprintf(colour, sizeof colour, "#%02x%02x%02x", h->colour.r, h->colour.g, h->colour.b);
    vt_json_object(w);
    vt_json_kv_string(w, "name", h->name);
    vt_json_kv_string(w, "label", h->label);
    vt_json_kv_string(w, "colour", colour);
    vt_json_kv_f64(w, "made_unix_s", h->made_unix_s, 16);
    vt_json_kv_u64(w, "bytes", h->bytes);
    vt_json_kv_u64(w, "n_runs", h->n_runs);
    if (runs) {
        vt_json_key(w, "runs");
        vt_json_array(w);
        for (size_t i = 0; i < h->n_runs; i++) {
            vt_json_object(w);
            vt_json_kv_hex(w, "gpa", h->runs[i].gpa.v);
            vt_json_kv_u64(w, "bytes", h->runs[i].bytes);
            vt_json_object_end(w);
        }
        vt_json_array_end(w);
    }
    vt_json_object_end(w);
}

#define HIGHLIGHT_PROPERTIES                                                                       \
    "\"name\": {\"type\": \"string\"},"                                                            \
    "\"label\": {\"type\": \"string\"},"                                                           \
    "\"colour\": {\"type\": \"string\", \"pattern\": \"^#[0-9a-f]{6}$\"},"                         \
    "\"made_unix_s\": {\"type\": \"number\"},"                                                     \
    "\"bytes\": {\"type\": \"integer\", \"description\": \"of all its runs\"},"                    \
    "\"n_runs\": {\"type\": \"integer\"}"
#define HIGHLIGHT_REQUIRED                                                                         \
    "\"required\": [\"name\", \"label\", \"colour\", \"made_unix_s\", \"bytes\", \"n_runs\""

static const char list_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"highlights\"],"
    " \"properties\": {\"highlights\": {\"type\": \"array\", \"items\": {\"type\": \"object\","
    " \"additionalProperties\": false, " HIGHLIGHT_REQUIRED
    "], \"properties\": {" HIGHLIGHT_PROPERTIES "}}}}}";

static const char runs_result[] =
    "{\"type\": \"object\", \"additionalProperties\": false, " HIGHLIGHT_REQUIRED
    ", \"runs\"], \"properties\": {" HIGHLIGHT_PROPERTIES
    ", \"runs\": {\"type\": \"array\", \"items\": {\"type\": \"object\","
    " \"additionalProperties\": false, \"required\": [\"gpa\", \"bytes\"], \"properties\": {"
    "\"gpa\": {\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"},"
    "\"bytes\": {\"type\": \"integer\"}}}}}}";

/* ---------------------------------------------------------------- those there are */

static int list_highlights(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_highlights set;
    struct vt_vm *vm;
    int rc = vt_vm_open(vt_call_text(call, "vm"), &vm, err);
    if (rc != 0) {
        return rc;
    }
    rc = vt_highlights_load(vm, &set, err);
    vt_vm_close(vm);
    if (rc != 0) {
        return rc;
    }
    vt_json_object(call->out);
    vt_json_key(call->out, "highlights");
    vt_json_array(call->out);
    for (size_t i = 0; i < set.n; i++) {
        write_highlight(call->out, &set.all[i], false);
    }
    vt_json_array_end(call->out);
    vt_json_object_end(call->out);
    vt_highlights_fini(&set);
    return 0;
}

static int write_one(struct vt_op_call *call, const struct vt_vm *vm, const char *name,
                     struct vt_error *err)
{
    struct vt_highlights set;
    int rc = vt_highlights_load(vm, &set, err);
    if (rc != 0) {
        return rc;
    }
    size_t i = 0;
    while (i < set.n && strcmp(set.all[i].name, name) != 0) {
        i++;
    }
    if (i < set.n) {
        write_highlight(call->out, &set.all[i], true);
    } else {
        rc = vt_fail(err, VT_E_NOT_FOUND, "%s has no highlight of that name", vt_vm_info(vm)->name);
    }
    vt_highlights_fini(&set);
    return rc;
}

static int show_highlight(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_vm *vm;
    int rc = vt_vm_open(vt_call_text(call, "vm"), &vm, err);
    if (rc == 0) {
        rc = write_one(call, vm, vt_call_text(call, "name"), err);
        vt_vm_close(vm);
    }
    return rc;
}

static int remove_highlight(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_vm *vm;
    const char *name = vt_call_text(call, "name");
    int rc = vt_vm_open(vt_call_text(call, "vm"), &vm, err);
    if (rc == 0) {
        rc = vt_highlights_remove(vm, name, err);
        vt_vm_close(vm);
    }
    if (rc == 0) {
        vt_json_object(call->out);
        vt_json_kv_string(call->out, "removed", name);
        vt_json_object_end(call->out);
    }
    return rc;
}

/* ---------------------------------------------------------------- making one */

static int add_given(struct vt_gathered *all, const json_t *runs, struct vt_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        struct vt_gpa gpa = VT_GPA(0);
        vt_parse_u64(json_string_value(json_object_get(run, "gpa")), &gpa.v, NULL);
        rc = vt_gathered_add(all, gpa, (uint64_t)json_integer_value(json_object_get(run, "bytes")),
                             err);
    }
    return rc;
}

static int put_runs(struct vt_op_call *call, const char *name, const struct vt_colour *colour,
                    struct vt_error *err)
{
    const char *label = vt_call_text(call, "label"), *area = vt_call_text(call, "area");
    const json_t *runs = json_object_get(call->args, "runs");
    int32_t pid = vt_call_pid(call);
    struct vt_gathered m = {0};
    int rc = runs != NULL ? add_given(&m, runs, err) : 0;
    if (rc == 0 && (area != NULL || pid != 0)) {
        rc = vt_call_gather(call, area, pid, &m, err);
    }
    if (rc == 0 && m.n == 0) {
        rc = vt_fail(err, VT_E_NOT_FOUND, "highlight: there is no such memory");
    }
    if (rc == 0) {
        rc = vt_highlights_put(call->lease->target.vm, name, label != NULL ? label : area, colour,
                               m.runs, m.n, err);
    }
    free(m.runs);
    return rc;
}

static int put_answer(struct vt_op_call *call, const char *name, struct vt_error *err)
{
    struct vt_answer answer;
    int rc = vt_call_ask(call, &answer, err);
    if (rc != 0) {
        return rc;
    }
    rc = answer.understood ? vt_answer_highlight(&answer, call->lease->target.vm, name, err)
                           : vt_fail(err, VT_E_INVAL, "question: %.250s", answer.text);
    vt_answer_fini(&answer);
    return rc;
}

/* Those made by a call: of the name, or of several kinds NAME-kind. */
static int write_made(struct vt_op_call *call, const char *name, double since_s,
                      struct vt_error *err)
{
    struct vt_highlights set;
    size_t n = strlen(name);
    int rc = vt_highlights_load(call->lease->target.vm, &set, err);
    if (rc != 0) {
        return rc;
    }
    vt_json_object(call->out);
    vt_json_key(call->out, "highlights");
    vt_json_array(call->out);
    for (size_t i = 0; i < set.n; i++) {
        const struct vt_highlight *h = &set.all[i];
        if (h->made_unix_s >= since_s && strncmp(h->name, name, n) == 0 &&
            (h->name[n] == '\0' || h->name[n] == '-')) {
            write_highlight(call->out, h, false);
        }
    }
    vt_json_array_end(call->out);
    vt_json_object_end(call->out);
    vt_highlights_fini(&set);
    return 0;
}

static int highlight(struct vt_op_call *call, struct vt_error *err)
{
    const char *name = vt_call_text(call, "name"), *text = vt_call_text(call, "colour");
    bool question = vt_call_text(call, "question") != NULL;
    bool places = json_object_get(call->args, "runs") != NULL || vt_call_pid(call) != 0 ||
                  vt_call_text(call, "area") != NULL;
    struct vt_colour colour;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double since_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - 0.001;
    if (question == places) {
        return vt_fail(err, VT_E_INVAL,
                       "highlight: runs, an area or a pid is needed, or else a question");
    }
    if (question && (text != NULL || vt_call_text(call, "label") != NULL)) {
        return vt_fail(err, VT_E_INVAL, "highlight: an answer brings its own colour and label");
    }
    int rc = text != NULL ? vt_colour_parse(text, &colour, err) : 0;
    if (rc == 0) {
        rc = question ? put_answer(call, name, err)
                      : put_runs(call, name, text != NULL ? &colour : NULL, err);
    }
    return rc != 0 ? rc : write_made(call, name, since_s, err);
}

/* ---------------------------------------------------------------- the picture */

#define WIDTH_MAX 4096u

static int shot(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_picture_options options = {
        .no_highlights = json_is_false(json_object_get(call->args, "highlights")),
        .width = (uint32_t)vt_call_u64(call, "width", VT_PICTURE_WIDTH),
        .top = (unsigned)vt_call_u64(call, "top", VT_PICTURE_TOP),
    };
    const char *palette = vt_call_text(call, "palette");
    struct vt_picture taken = {0};
    void *png = NULL;
    size_t n = 0;
    int rc = palette != NULL ? vt_palette_parse(palette, &options.palette, err) : 0;
    rc = rc != 0 ? rc : vt_picture_take(&call->lease->target, &options, &taken, err);
    rc = rc != 0 ? rc : vt_canvas_png(taken.canvas, &png, &n, err);
    if (rc == 0) {
        fwrite(png, 1, n, call->raw);
    }
    free(png);
    vt_picture_fini(&taken);
    return rc;
}

/* ---------------------------------------------------------------- the table */

#define NAME_PARAM                                                                                 \
    {.name = "name",                                                                               \
     .kind = VT_PARAM_TEXT,                                                                        \
     .required = true,                                                                             \
     .min = 1,                                                                                     \
     .max = VT_HIGHLIGHT_NAME_MAX,                                                                 \
     .doc = "of the highlight: letters, digits, '.', '_', '-'",                                    \
     .example = "sshd-stack"}

static const struct vt_param name_params[] = {NAME_PARAM, {0}};

static const struct vt_param highlight_params[] = {
    NAME_PARAM,
    VT_PARAM_AREA,
    {.name = "pid",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = INT32_MAX,
     .doc = "of this process; without an area, all of its memory"},
    {.name = "question",
     .kind = VT_PARAM_TEXT,
     .min = 1,
     .max = VT_QUESTION_MAX,
     .doc = "the places of its answer; of several kinds, one highlight a kind: name-kind",
     .example = "highlight kernel memory allocations"},
    {.name = "runs",
     .kind = VT_PARAM_RUNS,
     .doc = "guest-physical ranges, as answers and memory_pages have them",
     .example = "[{\"gpa\": \"0x1000\", \"bytes\": 4096}]"},
    {.name = "label",
     .kind = VT_PARAM_TEXT,
     .max = VT_HIGHLIGHT_LABEL_MAX,
     .doc = "what pictures call it",
     .example = "stack of sshd"},
    {.name = "colour",
     .kind = VT_PARAM_TEXT,
     .min = 1,
     .max = 16,
     .doc = "\"#rrggbb\" or a name such as cyan; one that is free when not given",
     .example = "cyan"},
    {0},
};

static const char *const palettes[] = {"default", "colorblind", NULL};

static const struct vt_param shot_params[] = {
    {.name = "width",
     .kind = VT_PARAM_UINT,
     .min = VT_PICTURE_WIDTH_MIN,
     .max = WIDTH_MAX,
     .doc = "of the picture in pixels; 1600 when not given"},
    {.name = "palette", .kind = VT_PARAM_TEXT, .choices = palettes, .doc = "of colours"},
    {.name = "top",
     .kind = VT_PARAM_UINT,
     .max = VT_OWNERS_MAX,
     .doc = "give so many of the largest processes shades of their own; 6 when not given"},
    {.name = "highlights", .kind = VT_PARAM_BOOL, .doc = "false leaves them out"},
    {0},
};

const struct vt_op vt_ops_picture[] = {
    {
        .name = "highlights",
        .method = "GET",
        .path = "/vms/{vm}/highlights",
        .group = "Pictures",
        .title = "Highlights",
        .summary = "List the named places of a VM's memory",
        .flags = VT_OP_VM | VT_OP_BY_NAME,
        .result = list_result,
        .run = list_highlights,
    },
    {
        .name = "show_highlight",
        .method = "GET",
        .path = "/vms/{vm}/highlights/{name}",
        .group = "Pictures",
        .title = "One highlight",
        .summary = "Show a highlight with its guest-physical runs",
        .params = name_params,
        .flags = VT_OP_VM | VT_OP_BY_NAME,
        .result = runs_result,
        .run = show_highlight,
    },
    {
        .name = "highlight",
        .method = "PUT",
        .path = "/vms/{vm}/highlights/{name}",
        .group = "Pictures",
        .title = "Highlight memory",
        .summary = "Name a place of a VM's memory, so that pictures show it",
        .description =
            "Of a kind of memory, of a process, of guest-physical runs, or of the answer\n"
            "to a question. One of the same name is replaced.",
        .params = highlight_params,
        .flags = VT_OP_VM | VT_OP_CHANGES | VT_OP_TOOL,
        .result = list_result,
        .run = highlight,
    },
    {
        .name = "remove_highlight",
        .method = "DELETE",
        .path = "/vms/{vm}/highlights/{name}",
        .group = "Pictures",
        .title = "Remove a highlight",
        .summary = "Remove a highlight",
        .params = name_params,
        .flags = VT_OP_VM | VT_OP_BY_NAME | VT_OP_CHANGES | VT_OP_DESTROYS,
        .result = "{\"type\": \"object\", \"additionalProperties\": false,"
                  " \"required\": [\"removed\"],"
                  " \"properties\": {\"removed\": {\"type\": \"string\"}}}",
        .run = remove_highlight,
    },
    {
        .name = "shot",
        .method = "GET",
        .path = "/vms/{vm}/shot",
        .group = "Pictures",
        .title = "Picture of memory",
        .summary = "Draw a map of a VM's RAM by what each page holds",
        .params = shot_params,
        .flags = VT_OP_VM | VT_OP_PNG,
        .run = shot,
    },
    {0},
};
