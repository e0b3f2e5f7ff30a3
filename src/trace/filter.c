/* trace/filter.c - what to record, in people's words. */
#include "base/text.h"
#include "vitrine/trace.h"

#include <string.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))
enum { KERNEL = 1, USER = 2 };

static int number(const char *text, size_t n, uint64_t *value)
{
    char copy[32];
    if (n >= sizeof copy) {
        return -1;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    return vt_parse_u64(copy, value, NULL);
}

/* "FIRST-LAST" or "FIRST+BYTES" */
static int range(struct vt_trace_filter *f, const char *text, struct vt_error *err)
{
    size_t at = strcspn(text, "-+");
    uint64_t first, second;
    if (text[at] == '\0' || number(text, at, &first) != 0 ||
        number(text + at + 1, strlen(text + at + 1), &second) != 0 ||
        (text[at] == '+' && (second == 0 || first + (second - 1) < first)) ||
        (text[at] == '-' && second < first)) {
        return vt_fail(err, VT_E_INVAL, "'%.64s' is no range: FIRST-LAST or FIRST+BYTES", text);
    }
    if (f->n_ranges == N(f->ranges)) {
        return vt_fail(err, VT_E_LIMIT, "more than %zu ranges", N(f->ranges));
    }
    f->ranges[f->n_ranges].first = first;
    f->ranges[f->n_ranges++].last = text[at] == '+' ? first + (second - 1) : second;
    return 0;
}

int vt_trace_filter_add(struct vt_trace_filter *filter, const char *text, struct vt_error *err)
{
    const char *equals = strchr(text, '=');
    size_t n = equals != NULL ? (size_t)(equals - text) : strlen(text);
    const char *of = equals != NULL ? equals + 1 : "";
    uint64_t value = 0;
    bool known = equals != NULL && number(of, strlen(of), &value) == 0;
    if (strcmp(text, "kernel") == 0) {
        filter->privileges |= KERNEL;
        return 0;
    }
    if (strcmp(text, "user") == 0) {
        filter->privileges |= USER;
        return 0;
    }
    if (n == 5 && memcmp(text, "range", n) == 0 && equals != NULL) {
        return range(filter, of, err);
    }
    if (n == 4 && memcmp(text, "root", n) == 0 && known && value != 0) {
        filter->root = value;
        return 0;
    }
    if (n == 4 && memcmp(text, "vcpu", n) == 0 && known && value < 64) {
        filter->vcpu_mask |= (uint64_t)1 << value;
        return 0;
    }
    if (n == 5 && memcmp(text, "point", n) == 0 && known) {
        if (filter->n_points == N(filter->points)) {
            return vt_fail(err, VT_E_LIMIT, "registers at more than %zu points", N(filter->points));
        }
        filter->points[filter->n_points++] = value;
        return 0;
    }
    char shown[80];
    vt_text_printable(shown, sizeof shown, text, strlen(text));
    return vt_fail(err, VT_E_INVAL,
                   "'%s' is none of kernel, user, range=FIRST-LAST, range=FIRST+BYTES, root=ADDR, "
                   "vcpu=N, point=ADDR",
                   shown);
}
