/* server/mcp_prompts.c - the questions people ask first, as prompts. See mcp.h.
 *
 * A prompt is one message of the user: the question, and which tools answer it, so that a model
 * neither guesses nor reads more than it needs. Arguments are put into it as they are; they come
 * from the same user.
 */
#include "server/mcp_parts.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define ARGUMENT_MAX 128

struct argument {
    const char *name, *description;
    bool required;
};

static const struct argument of_vm = {
    "vm", "name of the VM, as list_vms shows it; may be left out when there is exactly one", false};

static const struct prompt {
    const char *name, *title, *description;
    const struct argument *more; /* besides vm, or NULL */
    /* The message: {vm} becomes " in the VM NAME" or nothing; {arg:before|else} the value of
     * `more` after `before`, or `else` when it was not given. */
    const char *text;
} prompts[] = {
    {"find_service", "Find a service's process",
     "Which process is the SSH daemon (or another service), and where is its memory",
     &(const struct argument){"service", "what it serves: ssh (the default), web, dns, database …",
                              false},
     "Where is the {arg:|ssh} daemon{vm}? Call `ask` with \"where is the {arg:|ssh} daemon?\"; if "
     "it "
     "finds none, say so after looking through `ps` and `sockets`. Tell its pid and arguments, "
     "since when it runs, where it listens, how much memory it has, and its guest-virtual and "
     "guest-physical ranges (code, heap, stack) in a table."},
    {"kernel_stacks", "Kernel stacks", "Where the kernel stacks of processes lie",
     &(const struct argument){"pid", "only of this process", false},
     "Where is the kernel stack of {arg:process |each process}{vm}? Call `ask` with \"show the "
     "kernel stack of {arg:pid |all processes}\". Give address and size of each, and say what "
     "state "
     "its task is in; `ps` has the states."},
    {"running_processes", "What runs", "What processes are running, and which stand out", NULL,
     "What processes are running{vm}? Call `ps`. Group them into kernel threads and what users "
     "started, name the biggest users of memory, and point out anything unusual. A row whose trust "
     "is \"torn\" may be wrong."},
    {"page_tables", "Page tables of a process",
     "How the addresses of a process map to physical memory",
     &(const struct argument){"pid", "the process", true},
     "Show me the page tables for PID {arg:|}{vm}. Call `page_tables` with that pid, and `maps` to "
     "say what each range is. Summarise by area: virtual range, physical ranges, page size, "
     "permissions. Name what is both writable and executable."},
    {"kernel_allocations", "Kernel memory allocations",
     "How the kernel uses memory, highlighted in the volume", NULL,
     "Highlight the kernel memory allocations{vm}. Call `highlight` with the name \"kernel\" and "
     "the question \"highlight kernel memory allocations\" to mark them in pictures of the VM, and "
     "`ask` with the same question to learn how much is slab, vmalloc, page tables, modules and "
     "stacks. If marking is refused, report the numbers all the same. Say what takes most."},
};
enum { PROMPTS = sizeof prompts / sizeof prompts[0] };

static json_t *show_argument(const struct argument *a)
{
    return json_pack("{s:s, s:s, s:b}", "name", a->name, "description", a->description, "required",
                     a->required);
}

json_t *vt_mcp_make_prompts(void)
{
    json_t *all = json_array();
    for (size_t i = 0; i < PROMPTS; i++) {
        const struct prompt *p = &prompts[i];
        json_t *arguments = json_pack("[o]", show_argument(&of_vm));
        if (p->more != NULL) {
            json_array_append_new(arguments, show_argument(p->more));
        }
        json_array_append_new(all,
                              json_pack("{s:s, s:s, s:s, s:o}", "name", p->name, "title", p->title,
                                        "description", p->description, "arguments", arguments));
    }
    if (json_array_size(all) != PROMPTS) {
        json_decref(all);
        return NULL;
    }
    return all;
}

json_t *vt_mcp_prompts_list(struct vt_mcp_call *call)
{
    return vt_mcp_page(call, "prompts", call->mcp->prompts);
}

static void fill_in(FILE *out, const char *text, const char *vm, const char *value)
{
    while (*text != '\0') {
        if (strncmp(text, "{vm}", 4) == 0) {
            if (vm != NULL) {
                fprintf(out, " in the VM %s", vm);
            }
            text += 4;
        } else if (strncmp(text, "{arg:", 5) == 0) {
            const char *before = text + 5, *bar = strchr(before, '|'), *end = strchr(bar, '}');
            if (value != NULL) {
                fprintf(out, "%.*s%s", (int)(bar - before), before, value);
            } else {
                fwrite(bar + 1, 1, (size_t)(end - bar - 1), out);
            }
            text = end + 1;
        } else {
            fputc(*text++, out);
        }
    }
}

/* An argument given, or NULL. */
static bool take(struct vt_mcp_call *call, const json_t *given, const struct argument *a,
                 const char **value)
{
    const json_t *v = json_object_get(given, a->name);
    *value = json_string_value(v);
    if (v == NULL && !a->required) {
        return true;
    }
    if (*value == NULL || (*value)[0] == '\0' || strlen(*value) > ARGUMENT_MAX) {
        vt_mcp_fail(call, VT_RPC_PARAMS, NULL, "arguments.%s must be a text of 1 to %d bytes",
                    a->name, ARGUMENT_MAX);
        return false;
    }
    return true;
}

json_t *vt_mcp_prompts_get(struct vt_mcp_call *call)
{
    const char *name = vt_mcp_string_param(call, "name");
    const json_t *given = json_object_get(call->params, "arguments");
    if (name == NULL) {
        return NULL;
    }
    size_t i = 0;
    while (i < PROMPTS && strcmp(prompts[i].name, name) != 0) {
        i++;
    }
    if (i == PROMPTS) {
        return vt_mcp_fail(call, VT_RPC_PARAMS, NULL, "Unknown prompt: %s", name);
    }
    if (given != NULL && !json_is_object(given)) {
        return vt_mcp_fail(call, VT_RPC_PARAMS, NULL, "params.arguments must be an object");
    }
    const struct prompt *p = &prompts[i];
    const char *vm = NULL, *value = NULL;
    if (!take(call, given, &of_vm, &vm) ||
        (p->more != NULL && !take(call, given, p->more, &value))) {
        return NULL;
    }
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        return NULL;
    }
    fill_in(out, p->text, vm, value);
    json_t *result = NULL;
    if (fclose(out) == 0) {
        result = json_pack("{s:s, s:[{s:s, s:o}]}", "description", p->description, "messages",
                           "role", "user", "content", vt_mcp_text_content(text));
    }
    free(text);
    return result;
}
