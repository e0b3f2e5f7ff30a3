/* tests/fuzz/fuzz_mcp.c - messages of the Model Context Protocol, as a client may send them.
 *
 * The first byte chooses: a session over stdio, whose lines are one message each, or an HTTP
 * request, whose first four lines are its headers and the rest its body. Operations are those of
 * fake_ops.c, so no VM is needed. What comes out is one line of JSON, and of JSON-RPC.
 */
#include "tests/fuzz/fuzz.h"

#include "server/mcp.h"
#include "tests/unit/server/fake_ops.h"

#include <string.h>

static struct vt_mcp *server(void)
{
    static struct vt_mcp *mcp;
    if (mcp == NULL) {
        fake_vms = 1;
        fake_rows = 3;
        fake_release = true;
        FUZZ_CHECK(vt_mcp_create(NULL, &mcp, NULL) == 0);
    }
    return mcp;
}

static void check_one(const json_t *reply)
{
    const json_t *result = json_object_get(reply, "result");
    const json_t *error = json_object_get(reply, "error");
    FUZZ_CHECK(json_is_object(reply) && json_object_size(reply) == 3);
    FUZZ_CHECK(json_object_get(reply, "id") != NULL);
    FUZZ_CHECK(json_is_object(result) != json_is_object(error));
    FUZZ_CHECK(error == NULL || (json_is_integer(json_object_get(error, "code")) &&
                                 json_is_string(json_object_get(error, "message"))));
}

static void check_reply(char *text, size_t bytes)
{
    if (text == NULL) {
        return;
    }
    json_t *reply = json_loadb(text, bytes, 0, NULL);
    FUZZ_CHECK(strlen(text) == bytes && strchr(text, '\n') == NULL && reply != NULL);
    if (json_is_array(reply)) {
        FUZZ_CHECK(json_array_size(reply) > 0);
        for (size_t i = 0; i < json_array_size(reply); i++) {
            check_one(json_array_get(reply, i));
        }
    } else {
        check_one(reply);
    }
    json_decref(reply);
    free(text);
}

static void run_session(const char *at, const char *end, bool may_change)
{
    struct vt_mcp_session session = {.may_change = may_change};
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        char *reply = NULL;
        size_t bytes = 0;
        FUZZ_CHECK(vt_mcp_message(server(), &session, at, (size_t)(stop - at), NULL, &reply, &bytes,
                                  NULL) == 0);
        check_reply(reply, bytes);
        at = stop + 1;
    }
}

static void run_http(const char *at, const char *end, bool may_change)
{
    char *headers[4] = {NULL};
    struct vt_mcp_http_reply reply = {0};
    for (unsigned i = 0; i < 4 && at < end; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        headers[i] = stop > at ? strndup(at, (size_t)(stop - at)) : NULL;
        at = stop + 1;
    }
    char *body = at < end ? malloc((size_t)(end - at)) : NULL;
    if (body != NULL) {
        memcpy(body, at, (size_t)(end - at)); /* nothing behind it may be read */
    }
    const struct vt_mcp_http_request request = {.method = "POST",
                                                .protocol_version = headers[0],
                                                .mcp_method = headers[1],
                                                .mcp_name = headers[2],
                                                .accept = headers[3],
                                                .content_type = "application/json",
                                                .body = body != NULL ? body : "",
                                                .bytes = body != NULL ? (size_t)(end - at) : 0,
                                                .may_change = may_change};
    FUZZ_CHECK(vt_mcp_http(server(), &request, &reply, NULL) == 0);
    FUZZ_CHECK(reply.status >= 200 && reply.status < 500);
    FUZZ_CHECK((reply.body != NULL) == (reply.content_type != NULL));
    check_reply(reply.body, reply.bytes);
    free(body);
    for (unsigned i = 0; i < 4; i++) {
        free(headers[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count == 0) {
        return 0;
    }
    const char *text = (const char *)bytes + 1, *end = (const char *)bytes + count;
    if (bytes[0] & 1) {
        run_session(text, end, bytes[0] & 2);
    } else {
        run_http(text, end, bytes[0] & 2);
    }
    return 0;
}
