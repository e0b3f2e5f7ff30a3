/* server/mcp_http.c - the protocol over HTTP POST: headers against body, statuses. See mcp.h.
 *
 * No sessions are kept: a legacy client says its version in MCP-Protocol-Version, and one that says
 * none speaks 2025-03-26, as that version's successors lay down. A modern request repeats parts of
 * its body in headers, which proxies act upon, so they must agree.
 */
#include "server/mcp_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UNSAID "2025-03-26"

/* ---------------------------------------------------------------- header values */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A value without the blanks around it, malloc'ed. NULL: not sent, or out of memory. */
static char *header(const char *value)
{
    if (value == NULL) {
        return NULL;
    }
    while (is_blank(*value)) {
        value++;
    }
    size_t n = strlen(value);
    while (n > 0 && is_blank(value[n - 1])) {
        n--;
    }
    return strndup(value, n);
}

static bool is_visible(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value < ' ' || *value > '~') {
            return false;
        }
    }
    return true;
}

static int digit64(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* "=?base64?…?=" becomes what it stands for, in place; false when it stands for nothing. */
static bool decode_name(char *value)
{
    static const char before[] = "=?base64?", after[] = "?=";
    size_t n = strlen(value), from = sizeof before - 1, out = 0;
    if (n < from + 2 || strncmp(value, before, from) != 0 || strcmp(value + n - 2, after) != 0) {
        return true;
    }
    size_t end = n - 2;
    if ((end - from) % 4 != 0) {
        return false;
    }
    while (end > from && n - 2 - end < 2 && value[end - 1] == '=') {
        end--;
    }
    uint32_t group = 0;
    for (size_t i = from; i < end; i++) {
        int digit = digit64(value[i]);
        if (digit < 0) {
            return false;
        }
        group = group << 6 | (uint32_t)digit;
        unsigned have = (unsigned)(i - from) % 4; /* digits before this one in its group */
        if (have > 0) {
            value[out++] = (char)(group >> (6 - 2 * have));
        }
    }
    value[out] = '\0';
    return strlen(value) == out;
}

/* Whether a media type stands in a header, with or without parameters. */
static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;
    return content_type != NULL && strncasecmp(content_type, json, n) == 0 &&
           (content_type[n] == '\0' || content_type[n] == ';' || is_blank(content_type[n]));
}

static bool takes_json(const char *accept)
{
    return accept == NULL || strcasestr(accept, "application/json") != NULL ||
           strstr(accept, "*/*") != NULL || strcasestr(accept, "application/*") != NULL;
}

/* ---------------------------------------------------------------- headers against the body */

/* What Mcp-Name repeats, or NULL when this method has no such thing. */
static const json_t *named(const json_t *request)
{
    const char *method = json_string_value(json_object_get(request, "method"));
    const json_t *params = json_object_get(request, "params");
    if (strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0) {
        return json_object_get(params, "name");
    }
    return strcmp(method, "resources/read") == 0 ? json_object_get(params, "uri") : NULL;
}

/* One header; false with what is wrong in `why`. */
static bool agrees(const char *name, const char *sent, bool may_be_encoded, const char *body,
                   char *why, size_t why_bytes)
{
    char *value = header(sent);
    bool ok = value != NULL && is_visible(value) && (!may_be_encoded || decode_name(value)) &&
              strcmp(value, body) == 0;
    if (sent == NULL) {
        snprintf(why, why_bytes, "Header mismatch: %s is missing; the body says '%.80s'", name,
                 body);
    } else if (!ok) {
        snprintf(why, why_bytes, "Header mismatch: %s is '%.80s'; the body says '%.80s'", name,
                 sent, body);
    }
    free(value);
    return ok;
}

/* NULL when all agree, or when the body lacks what they are held against (found later). */
static json_t *check_headers(const struct vt_mcp_http_request *r, const json_t *request)
{
    char why[300];
    const json_t *meta = json_object_get(json_object_get(request, "params"), "_meta");
    const char *version = json_string_value(json_object_get(meta, VT_MCP_META_VERSION));
    const char *method = json_string_value(json_object_get(request, "method"));
    const char *name = json_string_value(named(request));
    if (version == NULL || !json_is_object(json_object_get(meta, VT_MCP_META_CAPABILITIES))) {
        return NULL;
    }
    bool ok =
        agrees("MCP-Protocol-Version", r->protocol_version, false, version, why, sizeof why) &&
        agrees("Mcp-Method", r->mcp_method, false, method, why, sizeof why) &&
        (name == NULL || agrees("Mcp-Name", r->mcp_name, true, name, why, sizeof why));
    return ok ? NULL : vt_mcp_error(json_object_get(request, "id"), VT_RPC_HEADER, why, NULL);
}

/* ---------------------------------------------------------------- answering */

static json_t *answer_request(struct vt_mcp *mcp, const struct vt_mcp_http_request *r,
                              struct vt_mcp_session *session, const json_t *request, bool modern,
                              unsigned *status)
{
    json_t *mismatch = modern ? check_headers(r, request) : NULL;
    if (mismatch != NULL) {
        *status = 400;
        return mismatch;
    }
    json_t *answer = vt_mcp_answer(mcp, request, modern, session, r->stop, status);
    if (!modern) {
        *status = 200; /* faults of legacy requests are content */
    }
    return answer;
}

/* NULL with status 202: nothing to say. */
static json_t *answer(struct vt_mcp *mcp, const struct vt_mcp_http_request *r,
                      const json_t *message, const char *version, unsigned *status)
{
    bool said_modern = version != NULL && !vt_mcp_is_legacy(version);
    struct vt_mcp_session session = {.may_change = r->may_change};
    snprintf(session.version, sizeof session.version, "%s",
             version != NULL && !said_modern ? version : UNSAID);
    if (json_is_array(message)) {
        if (said_modern) {
            session.version[0] = '\0'; /* it has no batches */
        }
        json_t *batch = vt_mcp_answer_batch(mcp, message, &session, r->stop);
        *status = batch == NULL ? 202 : json_is_array(batch) ? 200 : 400;
        return batch;
    }
    switch (vt_mcp_kind(message)) {
    case VT_MCP_NOTIFICATION:
        *status = 202;
        return NULL;
    case VT_MCP_REQUEST:
        return answer_request(mcp, r, &session, message,
                              said_modern || vt_mcp_claim(message) != NULL, status);
    case VT_MCP_RESPONSE:
        if (!said_modern) {
            *status = 202;
            return NULL;
        }
        break;
    case VT_MCP_NONSENSE:
        break;
    }
    *status = 400;
    return vt_mcp_error(NULL, VT_RPC_REQUEST,
                        "the body must be one request or notification of JSON-RPC 2.0", NULL);
}

int vt_mcp_http(struct vt_mcp *mcp, const struct vt_mcp_http_request *request,
                struct vt_mcp_http_reply *reply, struct vt_error *err)
{
    struct vt_mcp_http_reply made = {0};
    if (strcmp(request->method, "POST") != 0) {
        *reply = (struct vt_mcp_http_reply){.status = 405, .allow = "POST"};
        return 0;
    }
    if (!is_json(request->content_type) || !takes_json(request->accept)) {
        *reply = (struct vt_mcp_http_reply){.status = is_json(request->content_type) ? 406 : 415};
        return 0;
    }
    json_t *said = NULL;
    json_t *message = vt_mcp_parse(request->body, request->bytes, &said);
    char *version = header(request->protocol_version);
    if (message != NULL) {
        said = answer(mcp, request, message, version, &made.status);
    } else {
        made.status = 400;
    }
    int rc = 0;
    if (said != NULL) {
        made.content_type = "application/json";
        rc = vt_mcp_dump(said, &made.body, &made.bytes, err);
    } else if (made.status != 202) {
        rc = vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    if (rc == 0) {
        *reply = made;
    }
    free(version);
    json_decref(said);
    json_decref(message);
    return rc;
}
