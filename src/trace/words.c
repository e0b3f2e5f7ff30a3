/* trace/words.c - what details, policies and ends are called. */
#include "trace/words.h"

#include "trace/ring.h"
#include "vitrine/trace.h"

#include <string.h>

static const char *const details[] = {
    [VT_TRACE_OFF] = "off",     [VT_TRACE_COUNT] = "count",         [VT_TRACE_BLOCKS] = "blocks",
    [VT_TRACE_TIMES] = "times", [VT_TRACE_ADDRESSES] = "addresses", [VT_TRACE_VALUES] = "values",
};
static const char *const policies[] = {
    [VT_TRACE_WAIT] = "wait",
    [VT_TRACE_DROP] = "drop",
    [VT_TRACE_KEEP_LAST] = "keep-last",
};
static const char *const ends[] = {
    [VT_TRACE_END_WHOLE] = "whole",         [VT_TRACE_END_INTERRUPT] = "interrupt",
    [VT_TRACE_END_EXCEPTION] = "exception", [VT_TRACE_END_HOST] = "host call",
    [VT_TRACE_END_RESTART] = "restart",     [VT_TRACE_END_UNKNOWN] = "unknown",
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static const char *name(const char *const *names, size_t n, uint32_t value)
{
    return value < n ? names[value] : "?";
}

static bool value(const char *const *names, size_t n, const char *word, uint32_t *to)
{
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(names[i], word) == 0) {
            *to = i;
            return true;
        }
    }
    return false;
}

const char *vt_trace_detail_name(uint32_t detail)
{
    return name(details, N(details), detail);
}

const char *vt_trace_policy_name(uint32_t policy)
{
    return name(policies, N(policies), policy);
}

const char *vt_trace_end_name(uint32_t end)
{
    return name(ends, N(ends), end);
}

bool vt_trace_detail_of(const char *word, uint32_t *detail)
{
    return value(details, N(details), word, detail);
}

bool vt_trace_policy_of(const char *word, uint32_t *policy)
{
    return value(policies, N(policies), word, policy);
}
