/* tests/fuzz/fuzz_find.c - patterns as people type them, over any bytes: the fast search finds what
 * a simple one finds. Input: a byte of flags, a pattern up to a newline, what is searched. */
#include "tests/fuzz/fuzz.h"

#include "guest/find/pattern.h"

#include <string.h>

static size_t simple(const struct vt_pattern *p, const uint8_t *bytes, size_t n, size_t from)
{
    for (size_t i = from; i + p->n <= n; i++) {
        size_t k = 0;
        while (k < p->n && (bytes[i + k] & p->mask[k]) == p->value[k]) {
            k++;
        }
        if (k == p->n) {
            return i;
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    const uint8_t *line = count > 1 ? memchr(bytes + 1, '\n', count - 1) : NULL;
    struct vt_pattern p;
    if (line == NULL || line - bytes > 10000) {
        return 0;
    }
    char *text = strndup((const char *)bytes + 1, (size_t)(line - bytes) - 1);
    FUZZ_CHECK(text != NULL);
    int rc = bytes[0] & 4 ? vt_pattern_hex(&p, text, NULL)
                          : vt_pattern_text(&p, text, bytes[0] & 3, NULL);
    if (rc == 0) {
        size_t n = count - (size_t)(line + 1 - bytes);
        uint8_t *memory = malloc(n + 1); /* of its exact size, so that reads beyond it are seen */
        FUZZ_CHECK(memory != NULL && p.n > 0 && p.n <= VT_FIND_PATTERN_MAX);
        memcpy(memory, line + 1, n);
        uint8_t *exact = realloc(memory, n > 0 ? n : 1);
        for (size_t i = 0; i < n; i++) {
            size_t want = simple(&p, exact, n, i);
            FUZZ_CHECK(vt_pattern_next(&p, exact, n, i) == want);
            i = want;
        }
        free(exact);
        vt_pattern_fini(&p);
    }
    free(text);
    return 0;
}
