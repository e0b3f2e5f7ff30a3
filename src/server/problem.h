/* server/problem.h - failures as others see them: an HTTP status, a word for programs, a title.
 *
 * The document is that of RFC 9457: {"type": "about:blank", "title", "status", "detail"} with our
 * own member "code", the word.
 */
#ifndef VT_SERVER_PROBLEM_H
#define VT_SERVER_PROBLEM_H

#include "base/json_writer.h"
#include "vitrine/base.h"

struct vt_problem {
    unsigned status;   /**< of HTTP */
    const char *word;  /**< "not_found": stable, for programs */
    const char *title; /**< "Not found" */
};

/** What a code of ours is; never NULL. */
const struct vt_problem *vt_problem_of(enum vt_code code);
/** As JSON, a whole object. */
void vt_problem_write(struct vt_json_writer *w, const struct vt_error *err);
/** A problem of the protocol itself; `detail` may be NULL. */
void vt_problem_write_as(struct vt_json_writer *w, const struct vt_problem *problem,
                         const char *detail);

#endif
