/* guest/symbols/btf_text.c - types in words. See btf.h.
 *
 * From the outside in: what is around a type (pointers, arrays, const) is collected, then said
 * behind its name, the innermost first.
 */
#include "guest/symbols/btf.h"

#include <stdio.h>
#include <string.h>

#define CHAIN_MAX 32u

static const char *keyword(const struct vt_btf_type *t)
{
    switch (t->kind) {
    case VT_BTF_STRUCT:
        return "struct ";
    case VT_BTF_UNION:
        return "union ";
    case VT_BTF_ENUM:
    case VT_BTF_ENUM64:
        return "enum ";
    case VT_BTF_FWD:
        return t->flag ? "union " : "struct ";
    default:
        return "";
    }
}

__attribute__((format(printf, 4, 5))) static void add(char *text, size_t size, size_t *at,
                                                      const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text + *at, size - *at, fmt, ap);
    va_end(ap);
    *at += n > 0 && (size_t)n < size - *at ? (size_t)n : strlen(text + *at);
}

void vt_btf_text(const struct vt_btf *btf, uint32_t id, char *text, size_t size)
{
    struct vt_btf_type around[CHAIN_MAX], t = vt_btf_type(btf, id);
    unsigned depth = 0;
    bool is_const = false;
    size_t at = 0;
    while (depth < CHAIN_MAX &&
           (t.kind == VT_BTF_PTR || t.kind == VT_BTF_ARRAY || t.kind == VT_BTF_CONST ||
            t.kind == VT_BTF_VOLATILE || t.kind == VT_BTF_RESTRICT || t.kind == VT_BTF_TYPE_TAG)) {
        around[depth++] = t;
        t = vt_btf_type(btf, t.of);
        is_const = around[depth - 1].kind == VT_BTF_CONST;
    }
    add(text, size, &at, "%s%s%s", is_const ? "const " : "", keyword(&t),
        t.kind == VT_BTF_VOID         ? "void"
        : t.kind == VT_BTF_FUNC_PROTO ? "function"
        : t.name[0] == '\0'           ? "{}"
                                      : t.name);
    while (depth > 0) {
        const struct vt_btf_type *outer = &around[--depth];
        bool first = at > 0 && text[at - 1] != '*' && text[at - 1] != ']';
        if (outer->kind == VT_BTF_PTR) {
            add(text, size, &at, first ? " *" : "*");
        } else if (outer->kind == VT_BTF_ARRAY) {
            /* Of arrays in a row the outermost comes first, as in a declaration. */
            unsigned run = depth + 1;
            while (run > 1 && around[run - 2].kind == VT_BTF_ARRAY) {
                run--;
            }
            for (unsigned i = run - 1; i <= depth; i++) {
                add(text, size, &at, "%s[%u]", first && i + 1 == run ? " " : "", around[i].n);
            }
            depth = run - 1;
        }
    }
}
