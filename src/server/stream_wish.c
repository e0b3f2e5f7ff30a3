/* server/stream_wish.c - see stream_wish.h.
 *
 * Each kind is a table of members: name, whether it must be there, and a function that takes its
 * value. What is not in the table is refused, so a client's mistake shows at once.
 */
#include "server/stream_wish.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COORDINATE_MAX 1e6
#define FOV_MIN 0.01
#define FOV_MAX 3.1
#define DENSITY_MAX 1000.0
#define HEAT_MAX_S 3600.0

struct member {
    const char *name;
    bool required;
    int (*take)(const json_t *value, const char *name, struct vt_wish *wish, struct vt_error *err);
};

/* ---------------------------------------------------------------- values */

static int number(const json_t *value, const char *name, double min, double max, double *out,
                  struct vt_error *err)
{
    double v = json_number_value(value);
    if (!json_is_number(value) || !isfinite(v) || v < min || v > max) {
        return vt_fail(err, VT_E_INVAL, "%s: a number from %g to %g is wanted", name, min, max);
    }
    *out = v;
    return 0;
}

static int whole(const json_t *value, const char *name, uint64_t min, uint64_t max, uint64_t *out,
                 struct vt_error *err)
{
    json_int_t v = json_integer_value(value);
    if (!json_is_integer(value) || v < 0 || (uint64_t)v < min || (uint64_t)v > max) {
        return vt_fail(err, VT_E_INVAL, "%s: a whole number from %llu to %llu is wanted", name,
                       (unsigned long long)min, (unsigned long long)max);
    }
    *out = (uint64_t)v;
    return 0;
}

static int whole32(const json_t *value, const char *name, uint32_t max, uint32_t *out,
                   struct vt_error *err)
{
    uint64_t v = 0;
    int rc = whole(value, name, 0, max, &v, err);
    if (rc == 0) {
        *out = (uint32_t)v;
    }
    return rc;
}

static int share(const json_t *value, const char *name, float *out, struct vt_error *err)
{
    double v = 0;
    int rc = number(value, name, 0, 1, &v, err);
    if (rc == 0) {
        *out = (float)v;
    }
    return rc;
}

static int flag(const json_t *value, const char *name, bool *out, struct vt_error *err)
{
    if (!json_is_boolean(value)) {
        return vt_fail(err, VT_E_INVAL, "%s: true or false is wanted", name);
    }
    *out = json_is_true(value);
    return 0;
}

static int three(const json_t *value, const char *name, struct vt_error *err)
{
    return json_is_array(value) && json_array_size(value) == 3
               ? 0
               : vt_fail(err, VT_E_INVAL, "%s: an array of three is wanted", name);
}

/* ---------------------------------------------------------------- objects */

static int take_members(const json_t *object, const char *what, const struct member *members,
                        struct vt_wish *wish, struct vt_error *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        return vt_fail(err, VT_E_INVAL, "%s: an object is wanted", what);
    }
    json_object_foreach((json_t *)object, name, value)
    { /* it is not changed */
        const struct member *m = members;
        while (m->name != NULL && strcmp(m->name, name) != 0) {
            m++;
        }
        if (m->name == NULL) {
            return vt_fail(err, VT_E_INVAL, "%s: no member '%.32s' is known", what, name);
        }
        int rc = m->take != NULL ? m->take(value, name, wish, err) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    for (const struct member *m = members; m->name != NULL; m++) {
        if (m->required && json_object_get(object, m->name) == NULL) {
            return vt_fail(err, VT_E_INVAL, "%s: '%s' is missing", what, m->name);
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- the stream */

static int take_level(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return whole32(v, name, VT_STREAM_LEVELS - 1, &w->level, err);
}

static int take_hz(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return number(v, name, 0, VT_STREAM_HZ_MAX, &w->hz, err);
}

static int take_first_hz(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return number(v, name, 1, VT_STREAM_HZ_MAX, &w->hz, err);
}

static int take_credit(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return whole(v, name, 0, UINT32_MAX, &w->credit, err);
}

static int take_runs(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    size_t n = json_array_size(v);
    if (!json_is_array(v) || n > VT_STREAM_FINE_RUNS_MAX) {
        return vt_fail(err, VT_E_INVAL, "%s: an array of up to %u runs is wanted", name,
                       VT_STREAM_FINE_RUNS_MAX);
    }
    w->runs = calloc(n > 0 ? n : 1, sizeof *w->runs);
    if (w->runs == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *run = json_array_get(v, i);
        if (!json_is_array(run) || json_array_size(run) != 2) {
            return vt_fail(err, VT_E_INVAL, "%s: a run is [first, pages]", name);
        }
        int rc = whole32(json_array_get(run, 0), name, UINT32_MAX, &w->runs[i].first, err);
        rc = rc != 0 ? rc
                     : whole32(json_array_get(run, 1), name, UINT32_MAX, &w->runs[i].pages, err);
        if (rc != 0) {
            return rc;
        }
    }
    w->n_runs = n;
    return 0;
}

/* ---------------------------------------------------------------- a view */

static int take_id(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return whole32(v, name, UINT32_MAX, &w->view.id, err);
}

static int take_width(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    int rc = whole32(v, name, 1920, &w->view.width, err);
    return rc == 0 && w->view.width != 0 && w->view.width < 16
               ? vt_fail(err, VT_E_INVAL, "width: 0, or 16 to 1920 are wanted")
               : rc;
}

static int take_height(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return whole32(v, name, 1080, &w->view.height, err);
}

static int take_quality(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    uint64_t quality = 0;
    int rc = whole(v, name, 1, 100, &quality, err);
    w->view.quality = rc == 0 ? (int)quality : w->view.quality;
    return rc;
}

static int take_moving(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return flag(v, name, &w->view.moving, err);
}

static int take_codec(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    const char *codec = json_string_value(v);
    w->view.h264 = codec != NULL && strcmp(codec, "h264") == 0;
    return w->view.h264 || (codec != NULL && strcmp(codec, "jpeg") == 0)
               ? 0
               : vt_fail(err, VT_E_INVAL, "%s: 'jpeg' or 'h264' is wanted", name);
}

static int take_point(const json_t *v, const char *name, double point[3], struct vt_error *err)
{
    int rc = three(v, name, err);
    for (unsigned i = 0; rc == 0 && i < 3; i++) {
        rc = number(json_array_get(v, i), name, -COORDINATE_MAX, COORDINATE_MAX, &point[i], err);
    }
    return rc;
}

static int take_eye(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return take_point(v, name, w->view.camera.eye, err);
}

static int take_target(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return take_point(v, name, w->view.camera.target, err);
}

static int take_up(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return take_point(v, name, w->view.camera.up, err);
}

static int take_fov(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return number(v, name, FOV_MIN, FOV_MAX, &w->view.camera.fov_y, err);
}

static int take_camera(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    static const struct member members[] = {
        {"eye", true, take_eye},
        {"target", true, take_target},
        {"up", true, take_up},
        {"fov_y", true, take_fov},
        {0},
    };
    return take_members(v, name, members, w, err);
}

/* ---------------------------------------------------------------- a scene */

static int text(const json_t *value, const char *name, const char **out, struct vt_error *err)
{
    *out = json_string_value(value);
    return *out != NULL ? 0 : vt_fail(err, VT_E_INVAL, "%s: a text is wanted", name);
}

static int take_palette(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    const char *word;
    int rc = text(v, name, &word, err);
    return rc != 0 ? rc : vt_palette_parse(word, &w->view.scene.palette, err);
}

static int take_opacity(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    const char *function;
    int rc = text(v, name, &function, err);
    return rc != 0 ? rc : vt_scene_opacity(&w->view.scene, function, err);
}

static int take_density(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    double density = 0;
    int rc = number(v, name, 0, DENSITY_MAX, &density, err);
    w->view.scene.density = rc == 0 ? (float)density : w->view.scene.density;
    return rc;
}

static int take_heat_s(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    double heat_s = 0;
    int rc = number(v, name, 0.001, HEAT_MAX_S, &heat_s, err);
    w->view.scene.heat_s = rc == 0 ? (float)heat_s : w->view.scene.heat_s;
    return rc;
}

static int take_heat(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return flag(v, name, &w->view.scene.heat, err);
}

static int take_dim(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return flag(v, name, &w->view.scene.dim_others, err);
}

static int take_boxes(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return flag(v, name, &w->view.scene.boxes, err);
}

static int take_labels(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return flag(v, name, &w->view.scene.labels, err);
}

static int take_frame(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return flag(v, name, &w->view.scene.frame, err);
}

static int take_slices(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    int rc = three(v, name, err);
    for (unsigned i = 0; rc == 0 && i < 3; i++) {
        const json_t *one = json_array_get(v, i);
        w->view.scene.slice_on[i] = !json_is_null(one);
        rc = json_is_null(one) ? 0 : share(one, name, &w->view.scene.slice[i], err);
    }
    return rc;
}

static int take_corner(const json_t *v, const char *name, float corner[3], struct vt_error *err)
{
    int rc = three(v, name, err);
    for (unsigned i = 0; rc == 0 && i < 3; i++) {
        rc = share(json_array_get(v, i), name, &corner[i], err);
    }
    return rc;
}

static int take_clip_min(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return take_corner(v, name, w->view.scene.clip_min, err);
}

static int take_clip_max(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return take_corner(v, name, w->view.scene.clip_max, err);
}

static int take_only_pid(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    uint32_t pid = 0;
    int rc = json_is_null(v) ? 0 : whole32(v, name, INT32_MAX, &pid, err);
    w->view.only_pid = rc == 0 ? (int32_t)pid : 0;
    return rc;
}

static int take_background(const json_t *v, const char *name, struct vt_wish *w,
                           struct vt_error *err)
{
    const char *colour;
    int rc = text(v, name, &colour, err);
    return rc != 0 ? rc : vt_colour_parse(colour, &w->view.scene.background, err);
}

static int take_method(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    const char *method = json_string_value(v);
    bool slices = method != NULL && strcmp(method, "slices") == 0;
    if (!slices && (method == NULL || strcmp(method, "march") != 0)) {
        return vt_fail(err, VT_E_INVAL, "%s: \"march\" or \"slices\" is wanted", name);
    }
    w->view.method = slices ? VT_METHOD_SLICES : VT_METHOD_MARCH;
    return 0;
}

static int take_class_opacity(const json_t *v, const char *name, struct vt_wish *w,
                              struct vt_error *err)
{
    const char *word;
    json_t *value;
    int rc =
        json_is_object(v) ? 0 : vt_fail(err, VT_E_INVAL, "%s: an object by class is wanted", name);
    if (rc != 0) {
        return rc;
    }
    json_object_foreach((json_t *)v, word, value)
    { /* it is not changed */
        unsigned c = 0;
        while (c < VT_CLASSES && strcmp(vt_class_name(c), word) != 0) {
            c++;
        }
        rc = c == VT_CLASSES ? vt_fail(err, VT_E_INVAL, "%s: no class '%.32s'", name, word)
                             : share(value, name, &w->view.scene.class_opacity[c], err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int take_scene(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    static const struct member members[] = {
        {"palette", false, take_palette},
        {"opacity", false, take_opacity},
        {"density", false, take_density},
        {"heat", false, take_heat},
        {"heat_s", false, take_heat_s},
        {"dim_others", false, take_dim},
        {"slices", false, take_slices},
        {"clip_min", false, take_clip_min},
        {"clip_max", false, take_clip_max},
        {"only_pid", false, take_only_pid},
        {"boxes", false, take_boxes},
        {"labels", false, take_labels},
        {"frame", false, take_frame},
        {"background", false, take_background},
        {"method", false, take_method},
        {"class_opacity", false, take_class_opacity},
        {0},
    };
    return take_members(v, name, members, w, err);
}

/* ---------------------------------------------------------------- a pick */

static int take_pick_id(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return whole32(v, name, UINT32_MAX, &w->pick.id, err);
}

static int take_x(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return whole32(v, name, 1919, &w->pick.x, err);
}

static int take_y(const json_t *v, const char *name, struct vt_wish *w, struct vt_error *err)
{
    return whole32(v, name, 1079, &w->pick.y, err);
}

/* ---------------------------------------------------------------- kinds */

static const struct member start_members[] = {
    {"type", true, NULL},
    {"level", true, take_level},
    {"hz", true, take_first_hz},
    {"credit", true, take_credit},
    {0},
};
static const struct member credit_members[] = {
    {"type", true, NULL},
    {"bytes", true, take_credit},
    {0},
};
static const struct member level_members[] = {
    {"type", true, NULL},
    {"level", true, take_level},
    {0},
};
static const struct member hz_members[] = {
    {"type", true, NULL},
    {"hz", true, take_hz},
    {0},
};
static const struct member fine_members[] = {
    {"type", true, NULL},
    {"level", true, take_level},
    {"pages", true, take_runs},
    {0},
};
static const struct member view_members[] = {
    {"type", true, NULL},
    {"id", true, take_id},
    {"width", true, take_width},
    {"height", false, take_height},
    {"camera", false, take_camera},
    {"scene", false, take_scene},
    {"quality", false, take_quality},
    {"moving", false, take_moving},
    {"codec", false, take_codec},
    {0},
};
static const struct member pick_members[] = {
    {"type", true, NULL}, {"id", true, take_pick_id}, {"x", true, take_x}, {"y", true, take_y}, {0},
};

static const struct {
    const char *type;
    const struct member *members;
} kinds[] = {
    [VT_WISH_START] = {"start", start_members}, [VT_WISH_CREDIT] = {"credit", credit_members},
    [VT_WISH_LEVEL] = {"level", level_members}, [VT_WISH_HZ] = {"hz", hz_members},
    [VT_WISH_FINE] = {"fine", fine_members},    [VT_WISH_VIEW] = {"view", view_members},
    [VT_WISH_PICK] = {"pick", pick_members},
};

/* What only a view that is drawn needs. */
static int check_view(const json_t *object, const struct vt_stream_view *view, struct vt_error *err)
{
    if (view->width == 0) {
        return 0;
    }
    if (view->height < 16) {
        return vt_fail(err, VT_E_INVAL, "height: 16 to 1080 are wanted");
    }
    return json_object_get(object, "camera") != NULL
               ? 0
               : vt_fail(err, VT_E_INVAL, "view: 'camera' is missing");
}

static int take_wish(const json_t *object, struct vt_wish *wish, struct vt_error *err)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    size_t kind = 0;
    if (type == NULL) {
        return vt_fail(err, VT_E_INVAL, "an object with a 'type' is wanted");
    }
    while (kind < sizeof kinds / sizeof kinds[0] && strcmp(kinds[kind].type, type) != 0) {
        kind++;
    }
    if (kind == sizeof kinds / sizeof kinds[0]) {
        return vt_fail(err, VT_E_INVAL, "no type '%.32s' is known", type);
    }
    wish->kind = (enum vt_wish_kind)kind;
    int rc = take_members(object, type, kinds[kind].members, wish, err);
    return rc == 0 && kind == VT_WISH_VIEW ? check_view(object, &wish->view, err) : rc;
}

int vt_wish_parse(const char *message, size_t bytes, struct vt_wish *wish, struct vt_error *err)
{
    json_error_t why;
    struct vt_wish w = {.view = {.quality = 80}};
    json_t *object = json_loadb(message, bytes, JSON_REJECT_DUPLICATES, &why);
    if (object == NULL) {
        return vt_fail(err, VT_E_INVAL, "no JSON: %.100s", why.text);
    }
    vt_scene_init(&w.view.scene);
    int rc = take_wish(object, &w, err);
    json_decref(object);
    if (rc != 0) {
        vt_wish_fini(&w);
        return rc;
    }
    *wish = w;
    return 0;
}

void vt_wish_fini(struct vt_wish *wish)
{
    free(wish->runs);
    wish->runs = NULL;
}
