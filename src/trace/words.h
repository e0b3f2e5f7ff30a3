/* trace/words.h - the words people use for the numbers of trace/ring.h and vitrine/trace.h.
 */
#ifndef VT_TRACE_WORDS_H
#define VT_TRACE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/** "blocks", "keep-last", "exception"; "?" for a number that is none. Static text. */
const char *vt_trace_detail_name(uint32_t detail);
const char *vt_trace_policy_name(uint32_t policy);
const char *vt_trace_end_name(uint32_t end);
/** The reverse; false, and *detail or *policy as it was, for a word that is none. */
bool vt_trace_detail_of(const char *word, uint32_t *detail);
bool vt_trace_policy_of(const char *word, uint32_t *policy);

#endif
