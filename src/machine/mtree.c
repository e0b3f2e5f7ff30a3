/* machine/mtree.c - see mtree.h.
 *
 * A line of a flat view: "  START-END (prio N, KIND): NAME[ @OFFSET][ more]", hexadecimal, END
 * inclusive. A view begins with "FlatView #N" and lists its address spaces as ' AS "NAME", …'.
 */
#include "machine/mtree.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct line {
    const char *text;
    size_t bytes;
};

/* The next line of *rest, without its "\r\n" or "\n"; false at the end. */
static bool next_line(const char **rest, struct line *line)
{
    if (**rest == '\0') {
        return false;
    }
    size_t n = strcspn(*rest, "\n");
    *line = (struct line){.text = *rest, .bytes = n};
    *rest += n + ((*rest)[n] == '\n');
    line->bytes -= n > 0 && line->text[n - 1] == '\r';
    return true;
}

static bool starts_with(struct line line, const char *prefix)
{
    size_t n = strlen(prefix);
    return line.bytes >= n && memcmp(line.text, prefix, n) == 0;
}

/* Takes `literal` off the front. */
static bool eat(struct line *line, const char *literal)
{
    if (!starts_with(*line, literal)) {
        return false;
    }
    line->text += strlen(literal);
    line->bytes -= strlen(literal);
    return true;
}

static bool eat_hex(struct line *line, uint64_t *value)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; n < line->bytes && isxdigit((unsigned char)line->text[n]); n++) {
        if (v >> 60 != 0) {
            return false;
        }
        int ch = tolower((unsigned char)line->text[n]);
        v = v << 4 | (uint64_t)(ch <= '9' ? ch - '0' : ch - 'a' + 10);
    }
    line->text += n;
    line->bytes -= n;
    *value = v;
    return n > 0;
}

/* Takes everything up to and with `mark` off the front; *before is what stood before it. */
static bool eat_until(struct line *line, const char *mark, struct line *before)
{
    const char *at = memmem(line->text, line->bytes, mark, strlen(mark));
    if (at == NULL) {
        return false;
    }
    size_t n = (size_t)(at - line->text);
    *before = (struct line){.text = line->text, .bytes = n};
    line->text += n + strlen(mark);
    line->bytes -= n + strlen(mark);
    return true;
}

/* Whether the line is a range of the backend; *last is the inclusive end. Read-only RAM (a PAM
 * setting) shows as "rom" and is the backend's all the same. */
static bool parse_range(struct line line, const char *backend, uint64_t *start, uint64_t *last,
                        uint64_t *offset)
{
    struct line before;
    if (!eat(&line, "  ") || !eat_hex(&line, start) || !eat(&line, "-") || !eat_hex(&line, last) ||
        !eat(&line, " (prio ") || !eat_until(&line, ", ", &before) ||
        !eat_until(&line, "): ", &before)) {
        return false;
    }
    bool memory = (before.bytes == 3 &&
                   (memcmp(before.text, "ram", 3) == 0 || memcmp(before.text, "rom", 3) == 0)) ||
                  (before.bytes == 6 && memcmp(before.text, "nv-ram", 6) == 0);
    if (!memory || !eat(&line, backend) || (line.bytes > 0 && line.text[0] != ' ')) {
        return false;
    }
    *offset = 0;
    return !eat(&line, " @") || eat_hex(&line, offset);
}

/* Appends a range, merged with the one before where both run on. */
static int append(struct vt_ram_region *regions, unsigned *n, uint64_t start, uint64_t last,
                  uint64_t offset, uint64_t ram_bytes, struct vt_error *err)
{
    uint64_t bytes = last - start + 1;
    if (last < start || bytes == 0 || (start | bytes | offset) % VT_PAGE_BYTES != 0 ||
        offset > ram_bytes || bytes > ram_bytes - offset) {
        return vt_fail(err, VT_E_CORRUPT,
                       "memory map: %" PRIx64 "-%" PRIx64 " at %" PRIx64 " does not fit into RAM",
                       start, last, offset);
    }
    struct vt_ram_region *prev = *n > 0 ? &regions[*n - 1] : NULL;
    if (prev != NULL && start < prev->gpa.v + prev->bytes) {
        return vt_fail(err, VT_E_CORRUPT, "memory map: %" PRIx64 " is out of order", start);
    }
    if (prev != NULL && start == prev->gpa.v + prev->bytes &&
        offset == prev->offset.v + prev->bytes) {
        prev->bytes += bytes;
        return 0;
    }
    if (*n == VT_RAM_REGIONS_MAX) {
        return vt_fail(err, VT_E_LIMIT, "memory map: more than %d regions", VT_RAM_REGIONS_MAX);
    }
    regions[(*n)++] = (struct vt_ram_region){.gpa = {start}, .offset = {offset}, .bytes = bytes};
    return 0;
}

#define LOW_RAM_END 0xa0000u /* conventional memory: everything of it is RAM */
#define PAM_START 0xc0000u
#define PAM_END 0x100000u

static bool is_identity(const struct vt_ram_region *r)
{
    return r->gpa.v == r->offset.v;
}

/* Replaces whatever of the PAM area shows now by all of it. */
static int normalise_pam(struct vt_ram_region *regions, unsigned *n, uint64_t ram_bytes,
                         struct vt_error *err)
{
    bool below =
        regions[0].gpa.v == 0 && is_identity(&regions[0]) && regions[0].bytes >= LOW_RAM_END;
    bool above = false;
    for (unsigned i = 0; i < *n; i++) {
        uint64_t end = regions[i].gpa.v + regions[i].bytes;
        above |= is_identity(&regions[i]) && regions[i].gpa.v <= PAM_END && end > PAM_END;
    }
    if (!below || !above) {
        return 0;
    }
    struct vt_ram_region out[VT_RAM_REGIONS_MAX];
    unsigned made = 0;
    bool placed = false;
    int rc = 0;
    for (unsigned i = 0; i < *n && rc == 0; i++) {
        uint64_t start = regions[i].gpa.v, end = start + regions[i].bytes;
        uint64_t shift = regions[i].offset.v - start; /* wraps; added back below */
        if (start < PAM_START) {
            uint64_t cut = end < PAM_START ? end : PAM_START;
            rc = append(out, &made, start, cut - 1, start + shift, ram_bytes, err);
        }
        if (rc == 0 && !placed && end > PAM_START) {
            placed = true;
            rc = append(out, &made, PAM_START, PAM_END - 1, PAM_START, ram_bytes, err);
        }
        if (rc == 0 && end > PAM_END) {
            uint64_t cut = start > PAM_END ? start : PAM_END;
            rc = append(out, &made, cut, end - 1, cut + shift, ram_bytes, err);
        }
    }
    if (rc == 0) {
        memcpy(regions, out, made * sizeof out[0]);
        *n = made;
    }
    return rc;
}

int vt_mtree_parse(const char *text, const char *backend, uint64_t ram_bytes,
                   struct vt_ram_region regions[VT_RAM_REGIONS_MAX], unsigned *n,
                   struct vt_error *err)
{
    struct vt_ram_region found[VT_RAM_REGIONS_MAX] = {0};
    unsigned count = 0;
    bool wanted = false; /* inside the view of "memory" */
    struct line line;
    while (next_line(&text, &line)) {
        uint64_t start, last, offset;
        if (starts_with(line, "FlatView #")) {
            if (wanted) {
                break;
            }
        } else if (starts_with(line, " AS \"memory\",")) {
            wanted = true;
        } else if (wanted && parse_range(line, backend, &start, &last, &offset)) {
            int rc = append(found, &count, start, last, offset, ram_bytes, err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    if (count == 0) {
        return vt_fail(err, VT_E_NOT_FOUND, "memory map: %s of '%s' in it",
                       wanted ? "nothing" : "no view \"memory\" and nothing", backend);
    }
    int rc = normalise_pam(found, &count, ram_bytes, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(regions, found, count * sizeof found[0]);
    *n = count;
    return 0;
}
