/* server/ops_search.c - operations that look for something: find (bytes in memory), symbols. */
#include "base/cell.h"
#include "base/text.h"
#include "guest/find/shown.h"
#include "server/ops_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH 1

/* ---------------------------------------------------------------- find */

#define MATCHES_DEFAULT 100u
#define MATCHES_MAX 10000u
#define CONTEXT_MAX 256u

struct finding {
    struct vt_op_call *call;
    struct vt_find *find;
    struct vt_find_where where;
    struct vt_space space;
    struct vt_find_shown shown;
    uint64_t limit, n, context;
    bool owner;
    struct vt_error *err;
};

static int on_match(const struct vt_find_match *m, void *arg)
{
    struct finding *f = arg;
    struct vt_json_writer *w = f->call->out;
    if (f->n == f->limit) {
        return ENOUGH;
    }
    f->n++;
    vt_find_show(m, &f->where, f->call->lease->target.kernel, f->owner, f->context, &f->shown);
    vt_json_object(w);
    vt_json_record(w, vt_find_shown_columns, VT_FIND_SHOWN_COLUMNS, &f->shown);
    vt_json_object_end(w);
    return vt_call_check(f->call, f->err);
}

static int on_progress(uint64_t done, uint64_t total, void *arg)
{
    struct finding *f = arg;
    (void)done;
    (void)total;
    return *f->call->lease->stop;
}

static int take_patterns(struct finding *f, struct vt_error *err)
{
    const char *text = vt_call_text(f->call, "text"), *hex = vt_call_text(f->call, "hex");
    unsigned flags = vt_call_bool(f->call, "ignore_case") ? VT_FIND_IGNORE_CASE : 0;
    if (text == NULL && hex == NULL) {
        return vt_fail(err, VT_E_INVAL, "find: text or hex is needed");
    }
    int rc = vt_find_create(&f->find, err);
    rc = rc == 0 && text != NULL ? vt_find_add_text(f->find, text, flags, err) : rc;
    if (rc == 0 && text != NULL && vt_call_bool(f->call, "wide")) {
        rc = vt_find_add_text(f->find, text, flags | VT_FIND_WIDE, err);
    }
    return rc == 0 && hex != NULL ? vt_find_add_hex(f->find, hex, err) : rc;
}

static int take_where(struct finding *f, struct vt_error *err)
{
    const char *space = vt_call_text(f->call, "space");
    bool kernel = space != NULL && strcmp(space, "kernel") == 0;
    int32_t pid = vt_call_pid(f->call);
    if (space != NULL && pid != 0) {
        return vt_fail(err, VT_E_INVAL, "space: not with a pid, whose memory is searched");
    }
    enum vt_find_half half = pid != 0 ? VT_FIND_PROCESS : kernel ? VT_FIND_KERNEL : VT_FIND_RAM;
    int rc =
        half != VT_FIND_RAM || f->owner ? vt_lease_kernel(f->call->host, f->call->lease, err) : 0;
    return rc != 0 ? rc : vt_find_in(&f->call->lease->target, half, pid, &f->space, &f->where, err);
}

static int search(struct finding *f, struct vt_error *err)
{
    struct vt_json_writer *w = f->call->out;
    struct vt_find_result result = {0};
    int rc = take_patterns(f, err);
    rc = rc != 0 ? rc : take_where(f, err);
    if (rc != 0) {
        return rc;
    }
    f->err = err;
    vt_json_object(w);
    vt_json_key(w, "matches");
    vt_json_array(w);
    rc = vt_find_run(f->find, &f->where, on_match, on_progress, f, &result, err);
    vt_json_array_end(w);
    vt_json_kv_u64(w, "searched_bytes", result.space_bytes);
    vt_json_kv_bool(w, "complete", rc == 0 && !result.limited);
    vt_json_kv_string(w, "why",
                      rc == ENOUGH     ? "there are more matches than the limit"
                      : result.limited ? result.why
                                       : NULL);
    vt_json_object_end(w);
    return rc == ENOUGH ? 0 : rc;
}

static int find(struct vt_op_call *call, struct vt_error *err)
{
    struct finding *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return vt_fail(err, VT_E_NOMEM, "find: out of memory");
    }
    f->call = call;
    f->limit = vt_call_u64(call, "limit", MATCHES_DEFAULT);
    f->context = vt_call_u64(call, "context", 0);
    f->owner = vt_call_bool(call, "owner");
    int rc = search(f, err);
    vt_find_destroy(f->find);
    free(f);
    return rc;
}

static const char *const find_spaces[] = {"physical", "kernel", NULL};

static const struct vt_param find_params[] = {
    {.name = "text",
     .kind = VT_PARAM_TEXT,
     .min = 1,
     .max = VT_FIND_PATTERN_MAX,
     .doc = "text as it stands in memory",
     .example = "password"},
    {.name = "hex",
     .kind = VT_PARAM_TEXT,
     .min = 2,
     .max = UINT64_C(3) * VT_FIND_PATTERN_MAX,
     .doc = "bytes in hex, '?' for any digit",
     .example = "7f 45 4c 46 ??"},
    {.name = "ignore_case", .kind = VT_PARAM_BOOL, .doc = "letters of text match both cases"},
    {.name = "wide", .kind = VT_PARAM_BOOL, .doc = "text as UTF-16, too"},
    {.name = "pid",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = INT32_MAX,
     .doc = "search the user memory of this process"},
    {.name = "space",
     .kind = VT_PARAM_TEXT,
     .choices = find_spaces,
     .doc = "search all RAM (physical, when not given) or the kernel's address space"},
    {.name = "context",
     .kind = VT_PARAM_UINT,
     .max = CONTEXT_MAX,
     .doc = "show so many bytes before and after, too",
     .example = "16"},
    {.name = "owner", .kind = VT_PARAM_BOOL, .doc = "say what Linux uses each page for"},
    {.name = "limit",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = MATCHES_MAX,
     .doc = "stop after so many matches; 100 when not given"},
    {0},
};

static json_t *find_result(const struct vt_op *op)
{
    (void)op;
    json_t *row = vt_record_schema(vt_find_shown_columns, VT_FIND_SHOWN_COLUMNS);
    return json_pack(
        "{s:s, s:b, s:[s,s,s,s], s:{s:{s:s, s:o}, s:{s:s, s:s}, s:{s:s, s:s}, s:{s:[s,s], s:s}}}",
        "type", "object", "additionalProperties", false, "required", "matches", "searched_bytes",
        "complete", "why", "properties", "matches", "type", "array", "items", row, "searched_bytes",
        "type", "integer", "description", "that have storage", "complete", "type", "boolean",
        "description", "all was searched and all matches are here", "why", "type", "string", "null",
        "description", "why not");
}

/* ---------------------------------------------------------------- symbols */

#define SYMBOLS_DEFAULT 100u
#define SYMBOLS_MAX 10000u

struct symbol {
    struct vt_gva address;
    char type[2];
    const char *name, *module;
    uint64_t distance;
};

static const struct vt_column symbol_columns[] = {
    {VT_COLUMN(symbol, address, VT_CELL_HEX, "address", NULL, "where it begins")},
    {VT_COLUMN(symbol, type, VT_CELL_CHARS, "type", NULL, "letter as in nm(1)")},
    {VT_COLUMN(symbol, name, VT_CELL_TEXT, "name", NULL, "")},
    {VT_COLUMN(symbol, module, VT_CELL_TEXT, "module", NULL, "null: the kernel itself")},
    {VT_COLUMN(symbol, distance, VT_CELL_HEX, "offset", NULL, "of the address that was asked for")},
};
#define SYMBOL_COLUMNS (sizeof symbol_columns / sizeof symbol_columns[0])

struct listing {
    struct vt_op_call *call;
    const char *name, *pattern, *module;
    uint64_t limit, n;
    bool more;
    struct vt_error *err;
};

/* '*' stands for any characters, '?' for one. Goes back to the last '*' only: no more than
 * length(pattern) * length(text) steps. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    pattern += strspn(pattern, "*");
    return *pattern == '\0';
}

static int on_symbol(const char *module, const char *name, char type, struct vt_gva gva, void *arg)
{
    struct listing *l = arg;
    if ((l->name != NULL && strcmp(l->name, name) != 0) ||
        (l->pattern != NULL && !matches(l->pattern, name)) ||
        (l->module != NULL && (module == NULL || strcmp(l->module, module) != 0))) {
        return 0;
    }
    if (l->n == l->limit) {
        l->more = true;
        return ENOUGH;
    }
    struct symbol s = {.address = gva, .type = {type, '\0'}, .name = name, .module = module};
    l->n++;
    vt_json_object(l->call->out);
    vt_json_record(l->call->out, symbol_columns, SYMBOL_COLUMNS, &s);
    vt_json_object_end(l->call->out);
    return vt_call_check(l->call, l->err);
}

static int list_symbols(struct listing *l)
{
    const struct vt_kernel *kernel = l->call->lease->target.kernel;
    size_t n = vt_kernel_symbols(kernel);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *name;
        char type;
        struct vt_gva gva;
        vt_kernel_symbol_nth(kernel, i, &name, &type, &gva);
        rc = on_symbol(NULL, name, type, gva, l);
    }
    rc = rc != 0 ? rc : vt_kernel_module_symbols(kernel, on_symbol, l);
    return rc == ENOUGH ? 0 : rc;
}

/* The symbol an address lies in. */
static int symbol_at(struct vt_op_call *call, const char *text, struct vt_error *err)
{
    const struct vt_kernel *kernel = call->lease->target.kernel;
    struct symbol s = {.type = "?"};
    uint64_t address;
    int rc = vt_target_address(&call->lease->target, text, &address, NULL, err);
    if (rc == 0) {
        rc = vt_kernel_symbol_at(kernel, VT_GVA(address), &s.name, &s.type[0], &s.distance, err);
    }
    if (rc == 0) {
        s.address = VT_GVA(address - s.distance);
        s.module = vt_kernel_module_at(kernel, VT_GVA(address));
        vt_json_object(call->out);
        vt_json_record(call->out, symbol_columns, SYMBOL_COLUMNS, &s);
        vt_json_object_end(call->out);
    }
    return rc;
}

static int symbols(struct vt_op_call *call, struct vt_error *err)
{
    char buf[24];
    const char *address = vt_call_address(call, "address", buf);
    struct listing l = {.call = call,
                        .name = vt_call_text(call, "name"),
                        .pattern = vt_call_text(call, "pattern"),
                        .module = vt_call_text(call, "module"),
                        .limit = vt_call_u64(call, "limit", SYMBOLS_DEFAULT),
                        .err = err};
    if (address != NULL && (l.name != NULL || l.pattern != NULL || l.module != NULL)) {
        return vt_fail(err, VT_E_INVAL, "symbols: an address goes alone");
    }
    int rc = vt_lease_kernel(call->host, call->lease, err);
    if (rc != 0) {
        return rc;
    }
    vt_json_object(call->out);
    vt_json_key(call->out, "symbols");
    vt_json_array(call->out);
    rc = address != NULL ? symbol_at(call, address, err) : list_symbols(&l);
    vt_json_array_end(call->out);
    vt_json_kv_bool(call->out, "truncated", l.more);
    vt_json_object_end(call->out);
    return rc;
}

static json_t *symbols_result(const struct vt_op *op)
{
    (void)op;
    return json_pack("{s:s, s:b, s:[s,s], s:{s:{s:s, s:o}, s:{s:s, s:s}}}", "type", "object",
                     "additionalProperties", false, "required", "symbols", "truncated",
                     "properties", "symbols", "type", "array", "items",
                     vt_record_schema(symbol_columns, SYMBOL_COLUMNS), "truncated", "type",
                     "boolean", "description", "there are more than the limit");
}

static const struct vt_param symbols_params[] = {
    {.name = "name",
     .kind = VT_PARAM_TEXT,
     .min = 1,
     .max = 512,
     .doc = "all symbols of this name",
     .example = "init_task"},
    {.name = "pattern",
     .kind = VT_PARAM_TEXT,
     .min = 1,
     .max = 256,
     .doc = "all whose name is like this: '*' for anything, '?' for one character",
     .example = "tcp_v4_*"},
    {.name = "address", .kind = VT_PARAM_ADDRESS, .doc = "the symbol this virtual address lies in"},
    {.name = "module", .kind = VT_PARAM_TEXT, .min = 1, .max = 64, .doc = "only of this module"},
    {.name = "limit",
     .kind = VT_PARAM_UINT,
     .min = 1,
     .max = SYMBOLS_MAX,
     .doc = "symbols at most; 100 when not given"},
    {0},
};

const struct vt_op vt_ops_search[] = {
    {
        .name = "find",
        .method = "GET",
        .path = "/vms/{vm}/find",
        .group = "Memory",
        .title = "Find in memory",
        .summary = "Find text or bytes in the guest's memory",
        .description =
            "Searches all RAM, a process's memory or the kernel's address space. Matches\n"
            "may go over page borders, also where pages lie scattered. Each match is\n"
            "read a second time: its trust is torn when it was not there any more.",
        .params = find_params,
        .flags = VT_OP_VM | VT_OP_TOOL,
        .make_result = find_result,
        .run = find,
    },
    {
        .name = "symbols",
        .method = "GET",
        .path = "/vms/{vm}/symbols",
        .group = "Memory",
        .title = "Kernel symbols",
        .summary = "Look up symbols of the kernel and its modules",
        .description = "By name, by a pattern, or by an address, from the symbol tables that the\n"
                       "kernel and its modules carry in RAM. With none of them: all, by address.",
        .params = symbols_params,
        .flags = VT_OP_VM | VT_OP_TOOL,
        .make_result = symbols_result,
        .run = symbols,
    },
    {0},
};
