/* server/problem.c - see problem.h. */
#include "server/problem.h"

#include "base/json_writer.h"

#include <stdlib.h>

unsigned vt_problem_status(enum vt_code code)
{
    switch (code) {
    case VT_OK:
        return 200;
    case VT_E_INVAL:
        return 400;
    case VT_E_PERM:
        return 403;
    case VT_E_NOT_FOUND:
        return 404;
    case VT_E_EXISTS:
    case VT_E_BUSY:
        return 409;
    case VT_E_GONE:
        return 410;
    case VT_E_ADDR:
    case VT_E_NOT_PRESENT:
    case VT_E_CORRUPT:
    case VT_E_LIMIT:
        return 422;
    case VT_E_UNSUPPORTED:
        return 501;
    case VT_E_REFUSED:
    case VT_E_PROTOCOL:
        return 502;
    case VT_E_NOMEM:
    case VT_E_INTERRUPTED:
        return 503;
    case VT_E_TIMEOUT:
        return 504;
    case VT_E_MAP:
    case VT_E_IO:
        return 500;
    }
    return 500;
}

const char *vt_problem_title(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

char *vt_problem_text(unsigned status, const char *detail, const char *code, size_t *bytes)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (f == NULL) {
        return NULL;
    }
    struct vt_json_writer w;
    vt_json_init(&w, f, false);
    vt_json_object(&w);
    vt_json_kv_string(&w, "type", "about:blank");
    vt_json_kv_string(&w, "title", vt_problem_title(status));
    vt_json_kv_u64(&w, "status", status);
    if (detail != NULL) {
        vt_json_kv_string(&w, "detail", detail);
    }
    if (code != NULL) {
        vt_json_kv_string(&w, "code", code);
    }
    vt_json_object_end(&w);
    vt_json_finish(&w);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    *bytes = n;
    return text;
}
