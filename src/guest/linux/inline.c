/* guest/linux/inline.c - functions of the kernel and its modules that begin with a jump to nobody's
 * code. See vitrine/linux.h.
 *
 * Text cannot be compared with what it was: there is nothing to compare it with. But code that is
 * put in front of a function has to lie somewhere, and what the kernel itself patches in (ftrace,
 * kprobes, static calls, BPF) leads to memory that it knows.
 */
#include "guest/linux/code.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A function of a module that may be patched. */
struct hit {
    struct vt_gva at;
    char name[128], module[64];
};
#define HITS_MAX 65536u

struct scan {
    struct vt_walk *w;
    struct vt_code_map map;
    uint64_t text_from, text_to;
    uint64_t last; /* several symbols may name one place */
    struct hit *hits;
    size_t n_hits, hits_room;
};

static void look_at(struct scan *s, struct vt_gva at, const char *name, const char *module,
                    struct vt_inline *f)
{
    struct vt_code_at code = {0};
    uint8_t bytes[16];
    *f = (struct vt_inline){.row.at = at};
    snprintf(f->function, sizeof f->function, "%s", name);
    snprintf(f->module, sizeof f->module, "%s", module != NULL ? module : "kernel");
    vt_look_read(&s->w->look, at, bytes, sizeof bytes);
    if (vt_code_detour(&s->map, at, &f->target, &code)) {
        snprintf(f->owner, sizeof f->owner, "%s", code.owner_text);
        vt_row_find(&f->row,
                    "begins with a jump to 0x%" PRIx64 ", %s: whoever put it there runs "
                    "instead of the function",
                    f->target.v, code.whose);
    }
}

static bool is_patched(struct scan *s, struct vt_gva at)
{
    struct vt_gva target;
    struct vt_code_at code;
    if (at.v == s->last) {
        return false;
    }
    s->last = at.v;
    s->w->result.checked++;
    return vt_code_detour(&s->map, at, &target, &code);
}

static int show(struct scan *s, struct vt_gva at, const char *name, const char *module)
{
    struct vt_walk *w = s->w;
    struct vt_inline f;
    do {
        vt_look_begin(&w->look);
        look_at(s, at, name, module, &f);
    } while (vt_look_again(&w->look));
    return f.row.finding[0] != '\0' || w->look.doubted ? vt_walk_row(w, &f.row) : 0;
}

static int scan_module_symbol(const char *module, const char *name, char letter, struct vt_gva gva,
                              void *arg)
{
    struct scan *s = arg;
    struct vt_code_at code;
    if ((letter != 't' && letter != 'T') || strncmp(name, "__pfx_", 6) == 0) {
        return 0;
    }
    vt_code_find(&s->map, gva, &code);
    if (code.owner != VT_CODE_MODULE || !is_patched(s, gva) || s->n_hits == HITS_MAX) {
        return 0;
    }
    if (s->n_hits == s->hits_room) {
        size_t room = s->hits_room == 0 ? 16 : 2 * s->hits_room;
        struct hit *more = realloc(s->hits, room * sizeof *more);
        if (more == NULL) {
            return VT_E_NOMEM;
        }
        s->hits = more;
        s->hits_room = room;
    }
    struct hit *hit = &s->hits[s->n_hits++];
    hit->at = gva;
    snprintf(hit->name, sizeof hit->name, "%s", name);
    snprintf(hit->module, sizeof hit->module, "%s", module);
    return 0;
}

/* While modules' symbols are gone through they must not be read anew, which a look for code that
 * came since would do. */
static int scan_modules(struct scan *s, struct vt_error *err)
{
    s->map.frozen = true;
    int rc = vt_kernel_module_symbols(s->w->kernel, scan_module_symbol, s);
    s->map.frozen = false;
    if (rc == VT_E_NOMEM) {
        vt_fail(err, VT_E_NOMEM, "inline: out of memory");
    }
    for (size_t i = 0; rc == 0 && i < s->n_hits; i++) {
        rc = show(s, s->hits[i].at, s->hits[i].name, s->hits[i].module);
    }
    return rc;
}

static int scan_image(struct scan *s)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < vt_kernel_symbols(s->w->kernel); i++) {
        const char *name;
        char letter;
        struct vt_gva at;
        vt_kernel_symbol_nth(s->w->kernel, i, &name, &letter, &at);
        bool padding = strncmp(name, "__pfx_", 6) == 0; /* nops before a function */
        if (at.v >= s->text_from && at.v < s->text_to && !padding) {
            rc = is_patched(s, at) ? show(s, at, name, NULL) : 0;
        }
    }
    return rc;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    struct scan s = {.w = w};
    struct vt_gva from, to;
    int rc = vt_kernel_symbol(w->kernel, "_stext", &from, err);
    if (rc == 0) {
        rc = vt_kernel_symbol(w->kernel, "_etext", &to, err);
    }
    if (rc != 0 || (rc = vt_code_map_init(&s.map, w, err)) != 0) {
        return rc;
    }
    s.text_from = from.v;
    s.text_to = to.v;
    rc = scan_image(&s);
    if (rc == 0) {
        rc = scan_modules(&s, err);
    }
    free(s.hits);
    vt_code_map_fini(&s.map);
    return rc;
}

#define COLUMN(member, kind, key, title, doc) {VT_COLUMN(vt_inline, member, kind, key, title, doc)}

static const struct vt_column columns[] = {
    COLUMN(function, VT_CELL_CHARS, "function", "FUNCTION", "that was patched"),
    COLUMN(module, VT_CELL_CHARS, "function_owner", "IN", "the kernel or a module"),
    COLUMN(target, VT_CELL_HEX, "target", "JUMPS TO", "where it leads"),
    COLUMN(owner, VT_CELL_CHARS, "owner", NULL, "whose code that is"),
};

const struct vt_noun vt_noun_inline = {
    .name = "inline",
    .summary = "Find functions that begin with a jump to nobody's code",
    .group = "Trust",
    .checks = true,
    .description =
        "Looks at the beginning of every function of the kernel and its modules. What ftrace,\n"
        "kprobes, static calls and BPF put there leads to code that the kernel knows of; a jump "
        "or\n"
        "call to any other place has a finding. Patches further inside a function, and jumps to\n"
        "other places of the kernel's own text, are not seen.",
    .examples = "vitrine inline web",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
