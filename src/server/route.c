/* server/route.c - see route.h.
 *
 * A path is cut at '/' before it is decoded, so an escaped slash is part of a value. Paths are not
 * normalised: "." and ".." are names like others, and no operation has them.
 */
#include "server/route.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX 12
#define VALUE_MAX VT_TARGET_MAX

struct path {
    unsigned n;
    const char *segment[SEGMENTS_MAX];
    size_t bytes[SEGMENTS_MAX];
};

struct vt_routes {
    const struct vt_op *const *ops;
    size_t n;
    struct path paths[]; /* of each operation's template */
};

/* ---------------------------------------------------------------- text */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes `bytes` of `text`; in queries a '+' is a blank. */
static int decode(const char *text, size_t bytes, bool query, char *out, size_t room,
                  struct vt_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < bytes ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0) {
                return vt_fail(err, VT_E_INVAL, "a %% without two hexadecimal digits");
            }
            c = (char)(high << 4 | low);
            i += 2;
            if (c == '\0') {
                return vt_fail(err, VT_E_INVAL, "a zero byte");
            }
        } else if (c == '+' && query) {
            c = ' ';
        }
        if (n + 1 >= room) {
            return vt_fail(err, VT_E_INVAL, "a value is too long");
        }
        out[n++] = c;
    }
    out[n] = '\0';
    for (size_t i = 0; i < n;) {
        size_t step = vt_utf8_length(out + i, n - i);
        if (step == 0) {
            return vt_fail(err, VT_E_INVAL, "a value is not UTF-8");
        }
        i += step;
    }
    return 0;
}

/* Cuts "/a/b" into its segments; false when there are too many or it does not begin with '/'. */
static bool cut(const char *text, size_t bytes, struct path *path)
{
    path->n = 0;
    if (bytes == 0 || text[0] != '/') {
        return false;
    }
    for (size_t at = 0; at < bytes;) {
        const char *begin = text + at + 1;
        const char *end = memchr(begin, '/', bytes - at - 1);
        size_t n = end != NULL ? (size_t)(end - begin) : bytes - at - 1;
        if (path->n == SEGMENTS_MAX) {
            return false;
        }
        path->segment[path->n] = begin;
        path->bytes[path->n++] = n;
        at += 1 + n;
    }
    return true;
}

/* ---------------------------------------------------------------- values */

/* Adds a decoded value to the arguments. */
static int put(const struct vt_op *op, const char *name, const char *text, json_t *args,
               struct vt_error *err)
{
    const struct vt_param *param;
    json_t *value;
    unsigned i = 0;
    while ((param = vt_op_param(op, i)) != NULL && strcmp(param->name, name) != 0) {
        i++;
    }
    if (param == NULL) {
        return vt_fail(err, VT_E_INVAL, "%s takes no '%.64s'", op->name, name);
    }
    if (json_object_get(args, name) != NULL) {
        return vt_fail(err, VT_E_INVAL, "'%s' is there twice", name);
    }
    int rc = vt_param_from_text(param, text, &value, err);
    if (rc == 0 && json_object_set_new(args, name, value) != 0) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    return rc;
}

static int put_query(const struct vt_op *op, const char *query, json_t *args, struct vt_error *err)
{
    char name[VALUE_MAX], value[VALUE_MAX];
    int rc = 0;
    while (rc == 0 && *query != '\0') {
        size_t n = strcspn(query, "&");
        const char *equals = memchr(query, '=', n);
        if (n > 0) {
            size_t name_bytes = equals != NULL ? (size_t)(equals - query) : n;
            size_t skip = name_bytes + (equals != NULL ? 1 : 0);
            rc = decode(query, name_bytes, true, name, sizeof name, err);
            rc = rc != 0 ? rc : decode(query + skip, n - skip, true, value, sizeof value, err);
            rc = rc != 0 ? rc : put(op, name, value, args, err);
        }
        query += n + (query[n] == '&');
    }
    return rc;
}

/* ---------------------------------------------------------------- routes */

static bool is_parameter(const struct path *path, unsigned i)
{
    return path->bytes[i] > 2 && path->segment[i][0] == '{';
}

static bool matches(const struct path *form, const struct path *path)
{
    for (unsigned i = 0; i < form->n && form->n == path->n; i++) {
        bool same = is_parameter(form, i)
                        ? path->bytes[i] > 0
                        : form->bytes[i] == path->bytes[i] &&
                              memcmp(form->segment[i], path->segment[i], form->bytes[i]) == 0;
        if (!same) {
            return false;
        }
    }
    return form->n == path->n;
}

static int put_path(const struct vt_op *op, const struct path *form, const struct path *path,
                    json_t *args, struct vt_error *err)
{
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < form->n; i++) {
        char name[64], value[VALUE_MAX];
        if (is_parameter(form, i)) {
            snprintf(name, sizeof name, "%.*s", (int)form->bytes[i] - 2, form->segment[i] + 1);
            rc = decode(path->segment[i], path->bytes[i], false, value, sizeof value, err);
            rc = rc != 0 ? rc : put(op, name, value, args, err);
        }
    }
    return rc;
}

int vt_routes_create(const struct vt_op *const *ops, struct vt_routes **routes,
                     struct vt_error *err)
{
    size_t n = 0;
    while (ops[n] != NULL) {
        n++;
    }
    struct vt_routes *r = calloc(1, sizeof *r + n * sizeof r->paths[0]);
    if (r == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    r->ops = ops;
    r->n = n;
    for (size_t i = 0; i < n; i++) {
        if (!cut(ops[i]->path, strlen(ops[i]->path), &r->paths[i])) {
            free(r);
            return vt_fail(err, VT_E_INVAL, "%s: no path: %s", ops[i]->name, ops[i]->path);
        }
    }
    *routes = r;
    return 0;
}

void vt_routes_destroy(struct vt_routes *routes)
{
    free(routes);
}

static void allow(struct vt_route *route, const char *method)
{
    size_t n = strlen(route->allow);
    snprintf(route->allow + n, sizeof route->allow - n, "%s%s", n > 0 ? ", " : "", method);
}

/* Printable ASCII is all that may stand in a target. */
static int check_target(const char *target, struct vt_error *err)
{
    size_t n = 0;
    for (; target[n] != '\0'; n++) {
        if (target[n] <= ' ' || target[n] > '~' || target[n] == '#') {
            return vt_fail(err, VT_E_INVAL, "a character that must be escaped");
        }
    }
    return target[0] != '/' || n > VT_TARGET_MAX ? vt_fail(err, VT_E_INVAL, "not a path") : 0;
}

int vt_route_find(const struct vt_routes *routes, const char *method, const char *target,
                  struct vt_route *route, struct vt_error *err)
{
    struct vt_route found = {.status = 404};
    struct path path;
    size_t prefix = strlen(VT_ROUTE_PREFIX), n = strcspn(target, "?"), at = 0;
    const char *as = strcmp(method, "HEAD") == 0 ? "GET" : method;
    int rc = check_target(target, err);
    if (rc != 0) {
        return rc;
    }
    bool ours = n > prefix && memcmp(target, VT_ROUTE_PREFIX, prefix) == 0 &&
                cut(target + prefix, n - prefix, &path);
    for (size_t i = 0; ours && i < routes->n; i++) {
        const struct vt_op *op = routes->ops[i];
        if (!matches(&routes->paths[i], &path)) {
            continue;
        }
        allow(&found, op->method);
        if (strcmp(op->method, "GET") == 0) {
            allow(&found, "HEAD");
        }
        if (found.op == NULL && strcmp(op->method, as) == 0) {
            found.op = op;
            at = i;
        }
    }
    if (found.allow[0] != '\0') {
        allow(&found, "OPTIONS");
        found.status = found.op != NULL ? 0 : 405;
    }
    if (found.op != NULL) {
        found.index = (unsigned)at;
        found.args = json_object();
        rc = found.args != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "out of memory");
        rc = rc != 0 ? rc : put_path(found.op, &routes->paths[at], &path, found.args, err);
        if (rc == 0 && target[n] == '?') {
            rc = put_query(found.op, target + n + 1, found.args, err);
        }
        if (rc != 0) {
            json_decref(found.args);
            return rc;
        }
    }
    *route = found;
    return 0;
}

int vt_route_body(const char *body, size_t bytes, json_t *args, struct vt_error *err)
{
    json_error_t why;
    const char *name;
    json_t *value;
    if (bytes == 0) {
        return 0;
    }
    json_t *object = json_loadb(body, bytes, JSON_REJECT_DUPLICATES, &why);
    if (object == NULL) {
        return vt_fail(err, VT_E_INVAL, "the body: line %d, column %d: %s", why.line, why.column,
                       why.text);
    }
    int rc = json_is_object(object) ? 0 : vt_fail(err, VT_E_INVAL, "the body is no JSON object");
    json_object_foreach(object, name, value)
    {
        if (rc == 0 && json_object_get(args, name) != NULL) {
            rc = vt_fail(err, VT_E_INVAL, "'%.64s' is in the body and in the address", name);
        }
        if (rc == 0 && json_object_set(args, name, value) != 0) {
            rc = vt_fail(err, VT_E_NOMEM, "out of memory");
        }
    }
    json_decref(object);
    return rc;
}

int vt_query_value(const char *target, const char *name, char *out, size_t room,
                   struct vt_error *err)
{
    const char *found = NULL;
    size_t found_bytes = 0, wanted = strlen(name);
    const char *query = target + strcspn(target, "?");
    query += *query == '?';
    while (*query != '\0') {
        size_t n = strcspn(query, "&");
        if (n >= wanted && memcmp(query, name, wanted) == 0 &&
            (n == wanted || query[wanted] == '=')) {
            if (found != NULL) {
                return vt_fail(err, VT_E_INVAL, "'%s' is there twice", name);
            }
            found = query + wanted + (n > wanted);
            found_bytes = n - wanted - (n > wanted);
        }
        query += n + (query[n] == '&');
    }
    if (found == NULL) {
        return vt_fail(err, VT_E_NOT_FOUND, "no '%s'", name);
    }
    return decode(found, found_bytes, true, out, room, err);
}
