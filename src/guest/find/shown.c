/* guest/find/shown.c - see shown.h. */
#include "guest/find/shown.h"

#include "guest/linux/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct vt_column vt_find_shown_columns[VT_FIND_SHOWN_COLUMNS] = {
    {VT_COLUMN(vt_find_shown, address, VT_CELL_HEX, "address", "ADDRESS",
               "of the space that is searched"),
     .ones_are_none = true},
    {VT_COLUMN(vt_find_shown, physical, VT_CELL_HEX, "physical", "PHYSICAL",
               "guest-physical, of its first byte"),
     .ones_are_none = true},
    {VT_COLUMN(vt_find_shown, bytes, VT_CELL_U64, "bytes", "BYTES", "of the match")},
    {VT_COLUMN(vt_find_shown, pattern, VT_CELL_TEXT, "pattern", "PATTERN",
               "as given; a rule's name")},
    {VT_COLUMN(vt_find_shown, string, VT_CELL_TEXT, "string", NULL, "of a YARA rule")},
    {VT_COLUMN(vt_find_shown, in, VT_CELL_TEXT, "in", "IN",
               "the kernel symbol it lies in, or what the page is used for")},
    {VT_COLUMN(vt_find_shown, trust, VT_CELL_TEXT, "trust", "TRUST",
               "torn: it was not there any more at a second look")},
    {VT_COLUMN(vt_find_shown, context_address, VT_CELL_HEX, "context_address", NULL,
               "where the bytes shown begin"),
     .ones_are_none = true},
    {VT_COLUMN(vt_find_shown, hex, VT_CELL_TEXT, "hex", NULL, "the bytes there")},
    {VT_COLUMN(vt_find_shown, text, VT_CELL_TEXT, "text", "TEXT", "the same, readable")},
};

/* ---------------------------------------------------------------- where it is */

static const char *page_kind(const struct vt_kernel *kernel, struct vt_gpa gpa)
{
    static const char *const names[] = {
        [VT_LINUX_PAGE_UNKNOWN] = "unknown page", [VT_LINUX_PAGE_FREE] = "free page",
        [VT_LINUX_PAGE_IDLE] = "idle page",       [VT_LINUX_PAGE_RESERVED] = "reserved page",
        [VT_LINUX_PAGE_SLAB] = "slab page",       [VT_LINUX_PAGE_TABLE] = "page table",
        [VT_LINUX_PAGE_ANON] = "anonymous page",  [VT_LINUX_PAGE_FILE] = "file page",
        [VT_LINUX_PAGE_KERNEL] = "kernel page",
    };
    uint8_t kind;
    struct vt_gpa page = VT_GPA(gpa.v & ~(VT_PAGE_BYTES - 1));
    return vt_linux_page_kinds(kernel, page, 1, &kind, NULL) == 0 ? names[kind] : NULL;
}

/* "symbol+0x10" of an address in the kernel's image, else what the page is when asked for. */
static const char *describe(const struct vt_find_match *m, bool virtual,
                            const struct vt_kernel *kernel, bool owner, char *buf, size_t size)
{
    const char *name;
    char type;
    uint64_t distance;
    if (kernel == NULL) {
        return NULL;
    }
    if (virtual && vt_kernel_symbol_at(kernel, VT_GVA(m->at), &name, &type, &distance, NULL) == 0) {
        snprintf(buf, size, distance == 0 ? "%s" : "%s+0x%" PRIx64, name, distance);
        return buf;
    }
    return owner ? page_kind(kernel, m->gpa) : NULL;
}

/* ---------------------------------------------------------------- what is around it */

static bool peek(const struct vt_find_where *where, uint64_t at, uint8_t *buf, uint64_t n)
{
    return (where->space != NULL ? vt_space_read(where->space, VT_GVA(at), buf, n, NULL)
                                 : vt_ram_read(where->ram, VT_GPA(at), buf, n, NULL)) == 0;
}

/* The match with what is around it, as far as that is there; *at is where it begins. */
static size_t surroundings(const struct vt_find_match *m, const struct vt_find_where *where,
                           uint64_t context, uint64_t *at, uint8_t *buf, size_t size)
{
    uint64_t shown = m->bytes < VT_FIND_SHOWN_MAX ? m->bytes : VT_FIND_SHOWN_MAX;
    uint64_t from = m->at - (m->at < context ? m->at : context);
    uint64_t to = m->at + shown + context;
    to = to < m->at ? UINT64_MAX : to;
    to = to - from <= size ? to : from + size;
    /* Whole pages that are not there are given up, the farthest first. */
    while (from < m->at && !peek(where, from, buf, m->at - from)) {
        from = (from & ~(VT_PAGE_BYTES - 1)) + VT_PAGE_BYTES;
        from = from < m->at ? from : m->at;
    }
    while (to > m->at && !peek(where, from, buf, to - from)) {
        to = (to - 1) & ~(VT_PAGE_BYTES - 1);
    }
    *at = from;
    return to > m->at ? (size_t)(to - from) : 0;
}

/* What can be read of `n` bytes, in which the match begins at `from`: one character a byte, or two
 * bytes when the match is wide text. */
static void readable(const uint8_t *bytes, size_t n, size_t from, char *text, size_t size)
{
    bool wide = n - from >= 4 && bytes[from] != 0 && bytes[from + 1] == 0 && bytes[from + 2] != 0 &&
                bytes[from + 3] == 0;
    size_t length = 0, step = wide ? 2 : 1;
    for (size_t i = wide ? from % 2 : 0; i < n && length + 1 < size; i += step) {
        text[length++] = bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    }
    text[length] = '\0';
}

void vt_find_show(const struct vt_find_match *m, const struct vt_find_where *where,
                  struct vt_kernel *kernel, bool owner, uint64_t context, struct vt_find_shown *s)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[VT_FIND_SHOWN_MAX + 2 * VT_FIND_CONTEXT_MAX];
    uint64_t at = UINT64_MAX;
    bool somewhere = m->bytes > 0;
    s->address = somewhere ? m->at : UINT64_MAX;
    s->physical = somewhere ? m->gpa.v : UINT64_MAX;
    s->bytes = m->bytes;
    s->pattern = m->pattern;
    s->string = m->string;
    s->trust = vt_trust_name(m->trust);
    s->in = somewhere
                ? describe(m, where->space != NULL, kernel, owner, s->in_text, sizeof s->in_text)
                : NULL;
    size_t n = somewhere ? surroundings(m, where, context, &at, bytes, sizeof bytes) : 0;
    s->context_address = n > 0 ? at : UINT64_MAX;
    s->hex = n > 0 ? s->hex_text : NULL;
    s->text = n > 0 ? s->readable : NULL;
    for (size_t i = 0; i < n; i++) {
        s->hex_text[2 * i] = digits[bytes[i] >> 4];
        s->hex_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    s->hex_text[2 * n] = '\0';
    if (n > 0) {
        readable(bytes, n, m->at - at, s->readable, sizeof s->readable);
    }
}

int vt_find_in(struct vt_target *target, enum vt_find_half half, int32_t pid,
               struct vt_space *space, struct vt_find_where *where, struct vt_error *err)
{
    struct vt_find_where w = {.ram = target->ram};
    int rc = half == VT_FIND_RAM
                 ? 0
                 : vt_target_space(target, half == VT_FIND_PROCESS ? pid : 0, space, err);
    if (rc == 0 && half != VT_FIND_RAM) {
        uint64_t user = UINT64_C(1) << (space->levels == 5 ? 56 : 47);
        w.space = space;
        w.from = half == VT_FIND_KERNEL ? -user : 0;
        w.to = half == VT_FIND_KERNEL ? 0 : user;
    }
    if (rc == 0) {
        *where = w;
    }
    return rc;
}
