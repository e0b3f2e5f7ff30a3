/* guest/find/pattern.c - patterns with masks, and a search that looks at many places at once.
 *
 * Two bytes of a pattern, those that memory has least of, are compared at 64 places in one step;
 * only where both fit is the rest looked at. Everything a pattern can say (a digit that does not
 * matter, a letter of either case) is a mask, so there is one search for all of them.
 */
#include "guest/find/pattern.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define STEP 64u
#define LANE 32u

/* ---------------------------------------------------------------- making */

static int reserve(struct vt_pattern *p, const char *text, size_t n, struct vt_error *err)
{
    *p = (struct vt_pattern){
        .text = strdup(text), .value = calloc(1, n + 1), .mask = calloc(1, n + 1)};
    if (p->text == NULL || p->value == NULL || p->mask == NULL) {
        vt_pattern_fini(p);
        return vt_fail(err, VT_E_NOMEM, "no memory for a pattern");
    }
    return 0;
}

/* How little a byte of memory says: zeros are everywhere, text and code have their favourites. */
static unsigned rarity(uint8_t value, uint8_t mask)
{
    static const char common[] = {0x48, (char)0x8b, (char)0x89, 0x0f, 0x01,       0x02, 0x04,
                                  0x08, 0x10,       0x20,       0x40, (char)0x80, 'e',  't',
                                  'a',  'o',        'i',        'n',  's',        'r',  '_'};
    unsigned bits = (unsigned)__builtin_popcount(mask) * 8;
    if (mask == 0xff && value == 0) {
        return 8;
    }
    if (mask == 0xff && value == 0xff) {
        return 16;
    }
    return mask == 0xff && memchr(common, (char)value, sizeof common) != NULL ? bits / 2 : bits;
}

static int finish(struct vt_pattern *p, struct vt_error *err)
{
    size_t best = 0;
    for (size_t i = 0; i < p->n; i++) {
        best = rarity(p->value[i], p->mask[i]) > rarity(p->value[best], p->mask[best]) ? i : best;
    }
    if (p->n == 0 || p->mask[best] == 0) {
        int rc = vt_fail(err, VT_E_INVAL, "'%s' matches anything", p->text);
        vt_pattern_fini(p);
        return rc;
    }
    size_t second = best == 0 ? p->n - 1 : 0;
    for (size_t i = 0; i < p->n; i++) {
        if (i != best &&
            rarity(p->value[i], p->mask[i]) > rarity(p->value[second], p->mask[second])) {
            second = i;
        }
    }
    p->anchor[0] = best;
    p->anchor[1] = second;
    return 0;
}

static int digit(char c, uint8_t *value, uint8_t *mask)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, tolower((unsigned char)c)) : NULL;
    *value = at != NULL ? (uint8_t)(at - digits) : 0;
    *mask = at != NULL ? 0xf : 0;
    return at != NULL || c == '?' ? 0 : -1;
}

int vt_pattern_hex(struct vt_pattern *pattern, const char *hex, struct vt_error *err)
{
    struct vt_pattern p;
    size_t n = strlen(hex) / 2;
    if (n > 2 * (size_t)VT_FIND_PATTERN_MAX) {
        return vt_fail(err, VT_E_INVAL, "a pattern of more than %u bytes", VT_FIND_PATTERN_MAX);
    }
    int rc = reserve(&p, hex, n, err);
    for (const char *c = hex; rc == 0 && *c != '\0';) {
        uint8_t high, high_mask, low, low_mask;
        if (isspace((unsigned char)*c)) {
            c++;
            continue;
        }
        if (digit(c[0], &high, &high_mask) != 0 || digit(c[1], &low, &low_mask) != 0 ||
            p.n == VT_FIND_PATTERN_MAX) {
            rc = vt_fail(err, VT_E_INVAL,
                         "'%s' is no pattern: at most %u bytes of two digits or '?' each", hex,
                         VT_FIND_PATTERN_MAX);
            vt_pattern_fini(&p);
            return rc;
        }
        p.value[p.n] = (uint8_t)(high << 4 | low);
        p.mask[p.n++] = (uint8_t)(high_mask << 4 | low_mask);
        c += 2;
    }
    rc = rc != 0 ? rc : finish(&p, err);
    if (rc == 0) {
        *pattern = p;
    }
    return rc;
}

static void put(struct vt_pattern *p, uint8_t byte, bool letter)
{
    p->mask[p->n] = letter ? 0xdf : 0xff;
    p->value[p->n++] = letter ? byte & 0xdf : byte;
}

static void put_wide(struct vt_pattern *p, uint32_t unit, bool letter)
{
    put(p, (uint8_t)unit, letter);
    put(p, (uint8_t)(unit >> 8), false);
}

/* The code point of a well-formed sequence of `n` bytes. */
static uint32_t decode(const char *text, size_t n)
{
    static const uint8_t first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = (uint8_t)text[0] & first[n];
    for (size_t i = 1; i < n; i++) {
        point = point << 6 | ((uint8_t)text[i] & 0x3fu);
    }
    return point;
}

int vt_pattern_text(struct vt_pattern *pattern, const char *text, unsigned flags,
                    struct vt_error *err)
{
    struct vt_pattern p;
    size_t length = strlen(text);
    bool wide = (flags & VT_FIND_WIDE) != 0;
    if (length > VT_FIND_PATTERN_MAX / (wide ? 2 : 1)) {
        return vt_fail(err, VT_E_INVAL, "text that takes more than %u bytes", VT_FIND_PATTERN_MAX);
    }
    int rc = reserve(&p, text, 2 * length, err);
    for (size_t i = 0; rc == 0 && i < length;) {
        size_t n = wide ? vt_utf8_length(text + i, length - i) : 1;
        if (n == 0) {
            rc = vt_fail(err, VT_E_INVAL, "'%s' is not UTF-8", text);
            vt_pattern_fini(&p);
            return rc;
        }
        bool letter = n == 1 && (flags & VT_FIND_IGNORE_CASE) != 0 &&
                      ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z'));
        if (!wide) {
            put(&p, (uint8_t)text[i], letter);
        } else {
            uint32_t point = decode(text + i, n);
            if (point >= 0x10000) { /* Unicode 15, 3.9: a pair of surrogates */
                put_wide(&p, 0xd7c0 + (point >> 10), false);
                point = 0xdc00 | (point & 0x3ff);
            }
            put_wide(&p, point, letter);
        }
        i += n;
    }
    rc = rc != 0 ? rc : finish(&p, err);
    if (rc == 0) {
        *pattern = p;
    }
    return rc;
}

void vt_pattern_fini(struct vt_pattern *pattern)
{
    free(pattern->text);
    free(pattern->value);
    free(pattern->mask);
    *pattern = (struct vt_pattern){0};
}

/* ---------------------------------------------------------------- searching */

static bool fits(const struct vt_pattern *p, const uint8_t *at)
{
    for (size_t i = 0; i < p->n; i++) {
        if ((at[i] & p->mask[i]) != p->value[i]) {
            return false;
        }
    }
    return true;
}

typedef uint8_t lane __attribute__((vector_size(LANE)));

/* The first of `n` places, in steps, among which both anchors may fit; n rounded down when none
 * does. */
static inline __attribute__((always_inline)) size_t skip(const struct vt_pattern *p,
                                                         const uint8_t *bytes, size_t n)
{
    const uint8_t *a = bytes + p->anchor[0], *b = bytes + p->anchor[1];
    lane mask_a = (lane){0} + p->mask[p->anchor[0]], value_a = (lane){0} + p->value[p->anchor[0]];
    lane mask_b = (lane){0} + p->mask[p->anchor[1]], value_b = (lane){0} + p->value[p->anchor[1]];
    size_t i = 0;
    for (; n - i >= STEP; i += STEP) {
        lane a0, a1, b0, b1;
        uint64_t words[LANE / 8];
        memcpy(&a0, a + i, LANE);
        memcpy(&a1, a + i + LANE, LANE);
        memcpy(&b0, b + i, LANE);
        memcpy(&b1, b + i + LANE, LANE);
        lane hit = (lane)(((a0 & mask_a) == value_a) & ((b0 & mask_b) == value_b)) |
                   (lane)(((a1 & mask_a) == value_a) & ((b1 & mask_b) == value_b));
        memcpy(words, &hit, sizeof words);
        if ((words[0] | words[1] | words[2] | words[3]) != 0) {
            break;
        }
    }
    return i;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static size_t skip_avx2(const struct vt_pattern *p,
                                                        const uint8_t *bytes, size_t n)
{
    return skip(p, bytes, n);
}
#endif

static size_t skip_any(const struct vt_pattern *p, const uint8_t *bytes, size_t n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        return skip_avx2(p, bytes, n);
    }
#endif
    return skip(p, bytes, n);
}

size_t vt_pattern_next(const struct vt_pattern *p, const uint8_t *bytes, size_t n, size_t from)
{
    size_t places = n >= p->n ? n - p->n + 1 : 0;
    for (size_t i = from; i < places;) {
        i += skip_any(p, bytes + i, places - i);
        size_t end = places - i < STEP ? places : i + STEP;
        for (; i < end; i++) {
            if (fits(p, bytes + i)) {
                return i;
            }
        }
    }
    return n;
}
