/* semantic/answer_json.h - an answer as JSON: one shape for the command line, HTTP and MCP. */
#ifndef VT_SEMANTIC_ANSWER_JSON_H
#define VT_SEMANTIC_ANSWER_JSON_H

#include "base/json_writer.h"
#include "vitrine/semantic.h"

/** Writes one object. At most `max_rows` rows and `max_places` places; `rows_cut` and `places_cut`
 *  say when there are more. */
void vt_answer_write(const struct vt_answer *answer, size_t max_rows, size_t max_places,
                     struct vt_json_writer *w);

/** The shape of that object: JSON Schema (2020-12) as text. */
extern const char vt_answer_schema[];

#endif
