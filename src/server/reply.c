/* server/reply.c - see reply.h. */
#include "server/reply.h"

#include "server/problem.h"

#include <stdlib.h>
#include <string.h>

/* Nothing here is to be kept, framed, sniffed, or used by pages of others. */
static const char *const always[][2] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
};

/* `mhd` belongs to the answer; NULL is passed on. */
static struct vt_reply *adopt(unsigned status, char *body, size_t bytes, struct MHD_Response *mhd)
{
    struct vt_reply *r = mhd != NULL ? malloc(sizeof *r) : NULL;
    if (r != NULL) {
        *r = (struct vt_reply){
            .refs = 1, .status = status, .body = body, .bytes = bytes, .mhd = mhd};
    } else if (mhd != NULL) {
        MHD_destroy_response(mhd);
    }
    return r;
}

static struct MHD_Response *of_bytes(char *body, size_t bytes, void (*free_body)(void *arg),
                                     void *arg)
{
    struct MHD_Response *mhd = MHD_create_response_from_buffer_with_free_callback_cls(
        body != NULL ? bytes : 0, body, free_body, arg);
    if (mhd == NULL) {
        free_body(arg);
    }
    return mhd;
}

static void drop_body(void *arg)
{
    vt_reply_drop(arg);
}

static enum MHD_Result copy_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    return MHD_add_response_header(arg, name, value);
}

struct vt_reply *vt_reply_closing(struct vt_reply *reply)
{
    struct vt_reply *r =
        adopt(reply->status, reply->body, reply->bytes,
              of_bytes(reply->body, reply->bytes, drop_body, vt_reply_keep(reply)));
    int n = r != NULL ? MHD_get_response_headers(reply->mhd, NULL, NULL) : 0;
    if (r != NULL && (MHD_get_response_headers(reply->mhd, copy_header, r->mhd) != n ||
                      !vt_reply_header(r, "Connection", "close"))) {
        vt_reply_drop(r);
        r = NULL;
    }
    return r;
}

struct vt_reply *vt_reply_keep(struct vt_reply *reply)
{
    reply->refs++;
    return reply;
}

void vt_reply_drop(struct vt_reply *reply)
{
    if (reply != NULL && --reply->refs == 0) {
        MHD_destroy_response(reply->mhd);
        free(reply);
    }
}

bool vt_reply_header(struct vt_reply *reply, const char *name, const char *value)
{
    const char *before = MHD_get_response_header(reply->mhd, name);
    return (before == NULL || MHD_del_response_header(reply->mhd, name, before) == MHD_YES) &&
           MHD_add_response_header(reply->mhd, name, value) == MHD_YES;
}

struct vt_reply *vt_reply_make(unsigned status, char *body, size_t bytes, const char *type)
{
    struct MHD_Response *mhd = of_bytes(body, bytes, free, body);
    if (mhd == NULL) {
        return NULL; /* and the body is gone */
    }
    struct vt_reply *r = adopt(status, body, bytes, mhd);
    bool ok = r != NULL;
    for (size_t i = 0; ok && i < sizeof always / sizeof always[0]; i++) {
        ok = vt_reply_header(r, always[i][0], always[i][1]);
    }
    if (ok && type != NULL) {
        ok = vt_reply_header(r, "Content-Type", type);
    }
    if (!ok) {
        vt_reply_drop(r);
    }
    return ok ? r : NULL;
}

/* What the protocol itself is at odds with; operations' failures are vt_problem_of's. */
static const struct vt_problem *problem_of(unsigned status)
{
    static const struct vt_problem problems[] = {
        {400, "malformed", "Malformed request"},
        {401, "token_needed", "The token is needed"},
        {403, "foreign_origin", "This origin may not ask"},
        {404, "no_such_path", "Nothing is here"},
        {405, "wrong_method", "Not with this method"},
        {413, "body_too_large", "The body is too large"},
        {414, "target_too_long", "The address is too long"},
        {415, "wrong_type", "The body must be application/json"},
        {421, "wrong_host", "This host is not served here"},
        {426, "upgrade_needed", "A WebSocket of version 13 is wanted"},
        {431, "too_many_headers", "Too many headers"},
        {501, "not_implemented", "Not implemented"},
        {503, "overloaded", "Too much to do"},
    };
    static const struct vt_problem unknown = {500, "failed", "Failed"};
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        if (problems[i].status == status) {
            return &problems[i];
        }
    }
    return &unknown;
}

static struct vt_reply *reply_problem(const struct vt_problem *problem, const char *detail)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    if (f == NULL) {
        return NULL;
    }
    struct vt_json_writer w;
    vt_json_init(&w, f, false);
    vt_problem_write_as(&w, problem, detail);
    vt_json_finish(&w);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    struct vt_reply *r = vt_reply_make(problem->status, text, bytes, "application/problem+json");
    bool ok = r != NULL;
    if (ok && problem->status == 401) {
        ok = vt_reply_header(r, "WWW-Authenticate", "Bearer realm=\"vitrine\"");
    } else if (ok && problem->status == 503) {
        ok = vt_reply_header(r, "Retry-After", "1");
    } else if (ok && problem->status == 426) {
        ok = vt_reply_header(r, "Upgrade", "websocket") &&
             vt_reply_header(r, "Sec-WebSocket-Version", "13");
    }
    if (!ok) {
        vt_reply_drop(r);
    }
    return ok ? r : NULL;
}

struct vt_reply *vt_reply_problem(unsigned status, const char *detail)
{
    return reply_problem(problem_of(status), detail);
}

struct vt_reply *vt_reply_error(const struct vt_error *err)
{
    return reply_problem(vt_problem_of(err->code), err->message);
}

struct vt_reply *vt_reply_upgrade(MHD_UpgradeHandler handler, void *arg, const char *accept,
                                  const char *protocol)
{
    struct vt_reply *r = adopt(101, NULL, 0, MHD_create_response_for_upgrade(handler, arg));
    bool ok = r != NULL && vt_reply_header(r, "Upgrade", "websocket") &&
              vt_reply_header(r, "Sec-WebSocket-Accept", accept) &&
              (protocol == NULL || vt_reply_header(r, "Sec-WebSocket-Protocol", protocol));
    if (!ok) {
        vt_reply_drop(r);
    }
    return ok ? r : NULL;
}
