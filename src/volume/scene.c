/* volume/scene.c - what is shown of a volume: what most want, and transfer functions as text.
 *
 * A ray sees hundreds of bytes before it leaves RAM in use, so a byte hides little of what is
 * behind it: text and high bytes (code, addresses, packed data) the most, small numbers less, zeros
 * nothing at all.
 */
#include "vitrine/scene.h"

#include <string.h>

#define DEFAULT_OPACITY "0:0 1:0.02 31:0.03 32:0.06 126:0.06 127:0.035 254:0.045 255:0.03"
#define POINT_MAX 24 /* characters of one value:opacity */

void vt_scene_init(struct vt_scene *scene)
{
    *scene = (struct vt_scene){
        .density = 1,
        .heat = true,
        .heat_s = 2,
        .dim_others = true,
        .slice = {0.5F, 0.5F, 0.5F},
        .clip_max = {1, 1, 1},
        .boxes = true,
        .labels = true,
        .frame = true,
        .background = {0x0d, 0x10, 0x15, 0xff},
    };
    for (unsigned c = 0; c < VT_CLASSES; c++) {
        scene->class_opacity[c] = 1;
    }
    scene->class_opacity[VT_CLASS_HOLE] = 0;
    scene->class_opacity[VT_CLASS_ZERO] = 0.05F;
    scene->class_opacity[VT_CLASS_FREE] = 0.1F;
    scene->class_opacity[VT_CLASS_KERNEL_RESERVED] = 0.5F;
    scene->class_opacity[VT_CLASS_PAGE_CACHE] = 0.6F;
    (void)vt_scene_opacity(scene, DEFAULT_OPACITY, NULL);
}

/* Decimal digits with at most one point, as a number; the locale has no say. False: not that. */
static bool number(const char *text, size_t n, double *value)
{
    double v = 0, place = 0;
    size_t digits = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            v = v * 10 + (text[i] - '0');
            place *= 10;
            digits++;
        } else if (text[i] == '.' && place == 0) {
            place = 1;
        } else {
            return false;
        }
    }
    *value = place > 0 ? v / place : v;
    return digits > 0;
}

/* "value:opacity" of `n` characters. */
static bool point(const char *text, size_t n, unsigned *value, double *opacity)
{
    const char *colon = memchr(text, ':', n);
    double v, o;
    if (n > POINT_MAX || colon == NULL || memchr(text, '.', (size_t)(colon - text)) != NULL ||
        !number(text, (size_t)(colon - text), &v) ||
        !number(colon + 1, n - (size_t)(colon - text) - 1, &o) || v > 255 || o > 1) {
        return false;
    }
    *value = (unsigned)v;
    *opacity = o;
    return true;
}

int vt_scene_opacity(struct vt_scene *scene, const char *text, struct vt_error *err)
{
    float opacity[256];
    unsigned before = 0;
    double opacity_before = 0;
    bool first = true;
    for (const char *at = text + strspn(text, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        unsigned value;
        double o;
        if (!point(at, n, &value, &o)) {
            return vt_fail(err, VT_E_INVAL,
                           "the opacity at character %zu is no value:opacity (0-255:0-1)",
                           (size_t)(at - text) + 1);
        }
        if (!first && value <= before) {
            return vt_fail(err, VT_E_INVAL, "opacity: value %u comes after %u", value, before);
        }
        for (unsigned v = first ? 0 : before; v < value; v++) {
            double share = first ? 1 : (double)(v - before) / (double)(value - before);
            opacity[v] = (float)((1 - share) * opacity_before + share * o);
        }
        before = value;
        opacity_before = o;
        first = false;
        at += n;
    }
    if (first) {
        return vt_fail(err, VT_E_INVAL, "an empty opacity: value:opacity, such as \"0:0 255:0.1\"");
    }
    for (unsigned v = before; v < 256; v++) {
        opacity[v] = (float)opacity_before;
    }
    memcpy(scene->opacity, opacity, sizeof opacity);
    return 0;
}
