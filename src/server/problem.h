/* server/problem.h - failures as HTTP says them: a status and application/problem+json (RFC 9457).
 */
#ifndef VT_SERVER_PROBLEM_H
#define VT_SERVER_PROBLEM_H

#include "vitrine/base.h"

#define VT_PROBLEM_TYPE "application/problem+json"

/** The status a failed operation is answered with. */
unsigned vt_problem_status(enum vt_code code);
/** "Not Found". Statuses this server uses; others are "Error". */
const char *vt_problem_title(unsigned status);
/** The body: {"type","title","status","detail","code"}; `detail` and `code` may be NULL. malloc'ed,
 *  NULL when out of memory. */
char *vt_problem_text(unsigned status, const char *detail, const char *code, size_t *bytes);

#endif
