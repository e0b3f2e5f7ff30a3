/* server/mcp_resources.c - what can be read by address. See mcp.h.
 *
 *   vitrine://vm/NAME           what is known of a VM: the machine, its kernel, how much of what
 *   vitrine://vm/NAME/NOUN      the rows of a noun (ps, modules, mounts …), right now
 *   vitrine://vm/NAME/schema    the tables and columns that the tool `sql` reads
 *
 * Names of VMs and nouns need no escapes in a URI; an address with any is none of ours.
 */
#include "server/mcp_parts.h"

#include "base/text.h"
#include "vitrine/linux.h"

#include <stdlib.h>
#include <string.h>

#define RESOURCE_MAX ((size_t)1 << 20)
static const char root[] = "vitrine://vm/";

struct address {
    char vm[VT_VM_NAME_MAX + 1];
    char noun[48]; /* "": the VM itself */
};

static bool parse_address(const char *uri, struct address *a)
{
    if (strncmp(uri, root, sizeof root - 1) != 0) {
        return false;
    }
    const char *vm = uri + sizeof root - 1;
    size_t n = strcspn(vm, "/");
    const char *noun = vm[n] == '/' ? vm + n + 1 : "";
    if (n >= sizeof a->vm || strlen(noun) >= sizeof a->noun || (vm[n] == '/' && *noun == '\0')) {
        return false;
    }
    snprintf(a->vm, sizeof a->vm, "%.*s", (int)n, vm);
    snprintf(a->noun, sizeof a->noun, "%s", noun);
    return vt_name_is_valid(a->vm) &&
           strspn(a->noun, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(a->noun);
}

/* ---------------------------------------------------------------- lists */

static json_t *show_resource(const char *vm)
{
    return json_pack("{s:o, s:s, s:o, s:s, s:s}", "uri", json_sprintf("%s%s", root, vm), "name", vm,
                     "title", json_sprintf("VM %s", vm), "description",
                     "The machine, its kernel, and how many processes, modules, … it has",
                     "mimeType", "application/json");
}

static json_t *show_schema(const char *vm)
{
    return json_pack(
        "{s:o, s:o, s:o, s:s, s:s}", "uri", json_sprintf("%s%s/schema", root, vm), "name",
        json_sprintf("%s/schema", vm), "title", json_sprintf("Tables of VM %s", vm), "description",
        "The tables and columns that the tool sql reads", "mimeType", "application/json");
}

json_t *vt_mcp_resources_list(struct vt_mcp_call *call)
{
    json_t *names = NULL;
    struct vt_error err;
    if (vt_mcp_vms(call, &names, &err) != 0) {
        return vt_mcp_fail(call, VT_RPC_INTERNAL, NULL, "%s", err.message);
    }
    json_t *all = json_array();
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *vm = json_string_value(json_array_get(names, i));
        json_array_append_new(all, show_resource(vm));
        json_array_append_new(all, show_schema(vm));
    }
    json_t *page = vt_mcp_page(call, "resources", all);
    json_decref(all);
    json_decref(names);
    return page;
}

/* The operation that lists a noun of that name for a VM, or NULL. */
static const struct vt_op *op_of_noun(const char *noun)
{
    const struct vt_op *const *op = vt_ops();
    while (*op != NULL && ((*op)->noun == NULL || ((*op)->flags & VT_OP_VM) == 0 ||
                           strcmp((*op)->noun->name, noun) != 0)) {
        op++;
    }
    return *op;
}

json_t *vt_mcp_make_templates(void)
{
    char *nouns = NULL;
    size_t bytes;
    FILE *out = open_memstream(&nouns, &bytes);
    if (out == NULL) {
        return NULL;
    }
    fputs("What the guest's kernel has right now, as JSON rows. noun is one of:", out);
    for (const struct vt_op *const *op = vt_ops(); *op != NULL; op++) {
        if ((*op)->noun != NULL && !(*op)->noun->text_needed) {
            fprintf(out, " %s", (*op)->noun->name);
        }
    }
    json_t *templates = NULL;
    if (fclose(out) == 0) {
        templates = json_pack(
            "[{s:s, s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s, s:s}]",
            "uriTemplate", "vitrine://vm/{name}", "name", "vm", "title", "A virtual machine",
            "description", "The machine, its kernel, and how many processes, modules, … it has",
            "mimeType", "application/json", "uriTemplate", "vitrine://vm/{name}/{noun}", "name",
            "noun", "title", "Rows of a noun", "description", nouns, "mimeType", "application/json",
            "uriTemplate", "vitrine://vm/{name}/schema", "name", "schema", "title",
            "Database schema", "description", "The tables and columns that the tool sql reads",
            "mimeType", "application/json");
    }
    free(nouns);
    return templates;
}

json_t *vt_mcp_resources_templates(struct vt_mcp_call *call)
{
    return vt_mcp_page(call, "resourceTemplates", call->mcp->templates);
}

/* ---------------------------------------------------------------- reading */

/* What there is of a VM, from its database. */
static const char summary_sql[] =
    "SELECT release, banner, booted_s, (SELECT count(*) FROM processes) AS processes,"
    " (SELECT count(*) FROM threads) AS threads, (SELECT count(*) FROM modules) AS modules,"
    " (SELECT count(*) FROM mounts) AS mounts, (SELECT count(*) FROM files) AS files,"
    " (SELECT count(*) FROM sockets) AS sockets, (SELECT count(*) FROM memory_regions) AS"
    " memory_regions, (SELECT count(*) FROM symbols) AS symbols"
    " FROM boots ORDER BY id DESC LIMIT 1";

static int run_for(struct vt_mcp_call *call, const struct vt_op *op, const char *vm,
                   const char *query, json_t **object, struct vt_error *err)
{
    json_t *args = json_pack("{s:s, s:s*}", "vm", vm, "query", query);
    int rc = vt_mcp_run(call, op, args, object, err);
    json_decref(args);
    return rc;
}

static int read_summary(struct vt_mcp_call *call, const char *vm, json_t **object,
                        struct vt_error *err)
{
    json_t *machine = NULL, *found = NULL;
    struct vt_error why;
    int rc = run_for(call, vt_op_find("vm_info"), vm, NULL, &machine, err);
    if (rc != 0) {
        return rc;
    }
    /* A VM whose guest is not understood yet has a machine all the same. */
    rc = run_for(call, vt_op_find("sql"), vm, summary_sql, &found, &why);
    json_t *guest = rc == 0 ? json_incref(json_array_get(json_object_get(found, "rows"), 0))
                            : json_pack("{s:s}", "why", why.message);
    *object = json_pack("{s:o, s:o?}", "machine", machine, "guest", guest);
    json_decref(found);
    return *object != NULL ? 0 : vt_fail(err, VT_E_NOMEM, "out of memory");
}

static int read_resource(struct vt_mcp_call *call, const struct address *a, json_t **object,
                         struct vt_error *err)
{
    char note[400];
    if (a->noun[0] == '\0') {
        return read_summary(call, a->vm, object, err);
    }
    const struct vt_op *op =
        strcmp(a->noun, "schema") == 0 ? vt_op_find("sql_tables") : op_of_noun(a->noun);
    if (op == NULL || (op->noun != NULL && op->noun->text_needed)) {
        return vt_fail(err, VT_E_NOT_FOUND, "no such resource");
    }
    int rc = run_for(call, op, a->vm, NULL, object, err);
    if (rc == 0) {
        rc = vt_mcp_shorten(*object, RESOURCE_MAX, op, note, sizeof note, err);
    }
    if (rc == 0 && note[0] != '\0') {
        json_object_set_new(*object, "cut", json_string(note));
    }
    return rc;
}

json_t *vt_mcp_resources_read(struct vt_mcp_call *call)
{
    const char *uri = vt_mcp_string_param(call, "uri");
    if (uri == NULL) {
        return NULL;
    }
    struct address a;
    struct vt_error err = {.code = VT_E_NOT_FOUND, .message = "no such resource"};
    json_t *object = NULL, *result = NULL;
    if (parse_address(uri, &a) && read_resource(call, &a, &object, &err) == 0) {
        char *text = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(16));
        if (text != NULL) {
            result = json_pack("{s:[{s:s, s:s, s:s}]}", "contents", "uri", uri, "mimeType",
                               "application/json", "text", text);
        }
        free(text);
    } else if (err.code == VT_E_NOT_FOUND || err.code == VT_E_GONE) {
        vt_mcp_fail(call, call->modern ? VT_RPC_PARAMS : VT_RPC_LEGACY_NO_RESOURCE,
                    json_pack("{s:s}", "uri", uri), "Resource not found: %s", err.message);
    } else {
        vt_mcp_fail(call, VT_RPC_INTERNAL, NULL, "%s", err.message);
    }
    json_decref(object);
    return result;
}
