/* tests/fuzz/fuzz_http.c - what HTTP peers choose: target, headers, body, each a line of the input.
 *
 * A target that leads to an operation gives arguments that this operation has; nothing else may say
 * so. Host, Origin, the token and a WebSocket's handshake are let pass only in their exact forms.
 */
#include "tests/fuzz/fuzz.h"

#include "server/assets.h"
#include "server/auth.h"
#include "server/cache.h"
#include "server/listen.h"
#include "server/route.h"
#include "server/websocket.h"

#include <string.h>
#include <strings.h>

enum { TARGET, HOST, ORIGIN, AUTHORIZATION, ETAG, KEY, BODY, LINES };

/* The first lines, zero-terminated; the last one is all the rest. */
static char *cut(const uint8_t *data, size_t size, char *lines[LINES], size_t *body_bytes)
{
    char *text = malloc(size + LINES + 1);
    FUZZ_CHECK(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    char *at = text, *end = text + size;
    for (int i = 0; i < LINES; i++) {
        lines[i] = at;
        char *newline = i < BODY ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (newline != NULL) {
            *newline = '\0';
            at = newline + 1;
        } else if (i < BODY) {
            at = end;
        }
    }
    *body_bytes = (size_t)(end - lines[BODY]);
    return text;
}

static bool has_param(const struct vt_op *op, const char *name)
{
    const struct vt_param *param;
    for (unsigned i = 0; (param = vt_op_param(op, i)) != NULL; i++) {
        if (strcmp(param->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_route(const struct vt_routes *routes, const char *method, const char *target,
                        const char *body, size_t body_bytes)
{
    struct vt_route route;
    struct vt_error err;
    const char *name;
    json_t *value;
    int rc = vt_route_find(routes, method, target, &route, &err);
    if (rc != 0) {
        FUZZ_CHECK(rc == VT_E_INVAL);
        return;
    }
    FUZZ_CHECK((route.status == 0) == (route.op != NULL) &&
               (route.op != NULL) == (route.args != NULL));
    FUZZ_CHECK((route.status == 404) == (route.allow[0] == '\0'));
    if (route.op == NULL) {
        return;
    }
    FUZZ_CHECK(vt_ops()[route.index] == route.op);
    json_object_foreach(route.args, name, value)
    {
        FUZZ_CHECK(has_param(route.op, name));
        FUZZ_CHECK(!json_is_string(value) ||
                   strlen(json_string_value(value)) == json_string_length(value));
    }
    size_t before = json_object_size(route.args);
    rc = vt_route_body(body, body_bytes, route.args, &err);
    FUZZ_CHECK(rc == 0 || rc == VT_E_INVAL);
    FUZZ_CHECK(rc != 0 || json_object_size(route.args) >= before);
    json_decref(route.args);
}

/* Every file that can be meant lies below the folder, and is not hidden. */
static void check_asset(const char *target)
{
    char name[VT_ASSET_NAME_MAX + 1];
    if (vt_asset_name(target, name)) {
        FUZZ_CHECK(name[0] != '\0' && name[0] != '/' && name[0] != '.');
        FUZZ_CHECK(strstr(name, "//") == NULL && strstr(name, "/.") == NULL);
        FUZZ_CHECK(name[strlen(name) - 1] != '/' && strpbrk(name, "%\\?#:") == NULL);
        vt_asset_type(name);
    }
}

static void check_headers(char *lines[LINES])
{
    static const char *const origins[] = {"https://glass.example", NULL};
    const struct vt_auth auth = {.token = "0123456789abcdef0123456789abcdef", .origins = origins};
    const char *host = lines[HOST], *origin = lines[ORIGIN];
    if (vt_auth_host(&auth, host, NULL) == 0) {
        FUZZ_CHECK(strncasecmp(host, "localhost", 9) == 0 || strncmp(host, "127.0.0.1", 9) == 0 ||
                   strncmp(host, "[::1]", 5) == 0);
        if (vt_auth_origin(&auth, origin, host) == 0) {
            FUZZ_CHECK(strcasecmp(origin, origins[0]) == 0 || strcasecmp(origin + 7, host) == 0);
        }
    }
    if (vt_auth_shows_token(&auth, lines[AUTHORIZATION])) {
        FUZZ_CHECK(strstr(lines[AUTHORIZATION], auth.token) != NULL);
    }
    static const char etag[] = "\"1-2\"";
    if (vt_etag_matches(lines[ETAG], etag)) {
        FUZZ_CHECK(strstr(lines[ETAG], etag) != NULL || strchr(lines[ETAG], '*') != NULL);
    }
    struct sockaddr_storage addr;
    vt_listen_parse(lines[HOST], &addr, NULL);

    const struct vt_ws_request request = {.upgrade = "websocket",
                                          .connection = lines[ORIGIN],
                                          .version = "13",
                                          .key = lines[KEY],
                                          .protocol = lines[ETAG][0] != '\0' ? lines[ETAG] : NULL,
                                          .http_1_1 = true};
    char accept[VT_WS_ACCEPT_MAX];
    const char *protocol;
    if (vt_ws_handshake(&request, VT_WS_EVENTS, accept, &protocol) == 101) {
        FUZZ_CHECK(strlen(lines[KEY]) == 24 && strlen(accept) == 28);
        FUZZ_CHECK((protocol != NULL) == (request.protocol != NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X"};
    static struct vt_routes *routes;
    char *lines[LINES], value[64];
    size_t body_bytes;
    if (routes == NULL) {
        FUZZ_CHECK(vt_routes_create(vt_ops(), &routes, NULL) == 0);
    }
    char *text = cut(data, size, lines, &body_bytes);
    const char *method = methods[size % (sizeof methods / sizeof methods[0])];
    check_route(routes, method, lines[TARGET], lines[BODY], body_bytes);
    check_asset(lines[TARGET]);
    check_headers(lines);
    int rc = vt_query_value(lines[TARGET], "vms", value, sizeof value, NULL);
    FUZZ_CHECK(rc != 0 || strlen(value) < sizeof value);
    free(text);
    return 0;
}
