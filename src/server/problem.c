/* server/problem.c - see problem.h. */
#include "server/problem.h"

const struct vt_problem *vt_problem_of(enum vt_code code)
{
    static const struct vt_problem problems[] = {
        [-VT_E_NOMEM] = {503, "out_of_memory", "Out of memory"},
        [-VT_E_INVAL] = {400, "invalid", "Invalid request"},
        [-VT_E_NOT_FOUND] = {404, "not_found", "Not found"},
        [-VT_E_PERM] = {403, "forbidden", "Not permitted"},
        [-VT_E_MAP] = {500, "map_failed", "Memory could not be mapped"},
        [-VT_E_ADDR] = {400, "bad_address", "Address outside memory"},
        [-VT_E_IO] = {500, "io_error", "Input or output failed"},
        [-VT_E_TIMEOUT] = {504, "timeout", "Timed out"},
        [-VT_E_PROTOCOL] = {502, "protocol_error", "The other side broke its protocol"},
        [-VT_E_GONE] = {410, "gone", "Gone"},
        [-VT_E_EXISTS] = {409, "exists", "Exists already"},
        [-VT_E_BUSY] = {503, "busy", "Busy"},
        [-VT_E_UNSUPPORTED] = {422, "unsupported", "Not possible here"},
        [-VT_E_CORRUPT] = {500, "corrupt", "Data makes no sense"},
        [-VT_E_LIMIT] = {413, "too_large", "Too large"},
        [-VT_E_REFUSED] = {409, "refused", "Refused by QEMU"},
        [-VT_E_INTERRUPTED] = {503, "interrupted", "Interrupted"},
        [-VT_E_NOT_PRESENT] = {404, "not_present", "Not present in memory"},
    };
    static const struct vt_problem unknown = {500, "failed", "Failed"};
    unsigned i = code < 0 ? (unsigned)-code : 0;
    return i > 0 && i < sizeof problems / sizeof problems[0] ? &problems[i] : &unknown;
}

void vt_problem_write_as(struct vt_json_writer *w, const struct vt_problem *p, const char *detail)
{
    vt_json_object(w);
    vt_json_kv_string(w, "type", "about:blank");
    vt_json_kv_string(w, "title", p->title);
    vt_json_kv_u64(w, "status", p->status);
    if (detail != NULL) {
        vt_json_kv_string(w, "detail", detail);
    }
    vt_json_kv_string(w, "code", p->word);
    vt_json_object_end(w);
}

void vt_problem_write(struct vt_json_writer *w, const struct vt_error *err)
{
    vt_problem_write_as(w, vt_problem_of(err->code), err->message);
}
