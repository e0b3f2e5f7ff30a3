/* server/ops_live.c - one operation a noun: its rows, walked in RAM at this moment.
 *
 * Nouns that are tools have names and words for language models; the others' come from the noun.
 */
#include "guest/linux/rows.h"
#include "server/ops_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *noun, *tool, *title, *summary, *description;
} tools[] = {
    {"ps", "ps", "Processes", "List the processes that run in the guest now",
     "Read from the guest kernel's own list in RAM at this moment; no agent is needed.\n"
     "Each process has pid, parent, name, arguments, state, user, memory in RAM and the physical\n"
     "address of its page table. For the past, use sql or ask."},
    {"maps", "maps", "Memory areas", "List the memory areas of a process",
     "What /proc/PID/maps shows, and how much of each area is in RAM, dirty or swapped out.\n"
     "Give a pid: all processes together are long."},
    {"pagetables", "page_tables", "Page tables", "Show a process's page tables as ranges",
     "Virtual ranges with the physical memory behind them, page size and permissions;\n"
     "neighbours with the same flags are one range. Without a pid: the kernel's own tables.\n"
     "For one address, translate says each step."},
    {"modules", "modules", "Kernel modules", "List the loaded kernel modules", NULL},
    {"mounts", "mounts", "Mounts", "List the mounted file systems", NULL},
    {"sockets", "sockets", "Sockets", "List sockets with their addresses and processes",
     "TCP, UDP, Unix and other sockets: protocol, state, both addresses and ports, and the\n"
     "process that holds each. A listening TCP socket has the state LISTEN."},
    {"dmesg", "dmesg", "Kernel log", "Read the kernel's log messages",
     "The kernel's ring buffer, oldest first, as dmesg shows it in the guest."},
};
#define N_TOOLS (sizeof tools / sizeof tools[0])

/* A noun's parameters: those that it has, and an end. */
enum { PARAMS_MAX = 4 };
struct noun_op {
    struct vt_param params[PARAMS_MAX];
    char name[64], path[80];
};

static int run(struct vt_op_call *call, struct vt_error *err)
{
    struct vt_noun_result result;
    struct vt_noun_json how = {
        .limit = vt_call_u64(call, "limit", 0), .check = vt_call_check_arg, .arg = call};
    struct vt_noun_query query = {.pid = vt_call_pid(call), .text = vt_call_text(call, "path")};
    int rc = vt_lease_kernel(call->host, call->lease, err);
    return rc != 0 ? rc
                   : vt_noun_write_json(call->out, call->lease->target.kernel, call->op->noun,
                                        &query, &how, &result, err);
}

static void make_params(const struct vt_noun *noun, struct vt_param *p)
{
    if (noun->by_pid) {
        *p++ = (struct vt_param)VT_PARAM_PID;
    }
    if (noun->operands != NULL) {
        *p++ = (struct vt_param){
            .name = "path",
            .kind = VT_PARAM_TEXT,
            .required = noun->text_needed,
            .min = 1,
            .doc = "only this one",
            .example = "/bin/busybox",
        };
    }
    *p++ = (struct vt_param){
        .name = "limit",
        .kind = VT_PARAM_UINT,
        .min = 1,
        .max = 1000000,
        .doc = "rows at most; the result then says \"truncated\": true if there were more",
        .example = "100",
    };
    *p = (struct vt_param){0};
}

static struct vt_op make_op(const struct vt_noun *noun, struct noun_op *own)
{
    size_t t = 0;
    while (t < N_TOOLS && strcmp(tools[t].noun, noun->name) != 0) {
        t++;
    }
    bool tool = t < N_TOOLS;
    make_params(noun, own->params);
    snprintf(own->name, sizeof own->name, tool ? "%s" : "live_%s",
             tool ? tools[t].tool : noun->name);
    snprintf(own->path, sizeof own->path, "/vms/{vm}/live/%s", noun->name);
    return (struct vt_op){
        .name = own->name,
        .method = "GET",
        .path = own->path,
        .group = "Live",
        .title = tool ? tools[t].title : noun->summary,
        .summary = tool ? tools[t].summary : noun->summary,
        .description = tool && tools[t].description != NULL ? tools[t].description : NULL,
        .params = own->params,
        .flags = VT_OP_VM | (tool ? VT_OP_TOOL : 0u),
        .noun = noun,
        .run = run,
    };
}

const struct vt_op *vt_ops_of_nouns(void)
{
    /* Both live as long as the program. */
    static struct vt_op *ops;
    static struct noun_op *own;
    size_t n = 0;
    while (vt_nouns[n] != NULL) {
        n++;
    }
    ops = calloc(n + 1, sizeof *ops);
    own = calloc(n + 1, sizeof *own);
    if (ops == NULL || own == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        ops[i] = make_op(vt_nouns[i], &own[i]);
    }
    return ops;
}
