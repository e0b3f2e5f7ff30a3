/* cli/cmd_mcp.c - vitrine mcp: tools for a language model, over standard input and output.
 *
 * The client that starts it owns both ends; everything for people goes to standard error.
 */
#include "cli/cli.h"

#include "base/io.h"
#include "server/mcp.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What clients keep in their configuration to start this. */
static int print_config(const struct vt_args *args)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    struct vt_json_writer w;
    self[n > 0 ? n : 0] = '\0';
    vt_json_init(&w, stdout, true);
    vt_json_object(&w);
    vt_json_key(&w, "mcpServers");
    vt_json_object(&w);
    vt_json_key(&w, "vitrine");
    vt_json_object(&w);
    vt_json_kv_string(&w, "type", "stdio");
    vt_json_kv_string(&w, "command", n > 0 ? self : "vitrine");
    vt_json_key(&w, "args");
    vt_json_array(&w);
    vt_json_string(&w, "mcp");
    if (vt_args_flag(args, "read-only")) {
        vt_json_string(&w, "--read-only");
    }
    if (vt_args_flag(args, "sample")) {
        vt_json_string(&w, "--sample");
    }
    for (unsigned i = 0; i < vt_args_operands(args); i++) {
        vt_json_string(&w, vt_args_operand(args, i));
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_object_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    return VT_EXIT_OK;
}

static int run(const struct vt_args *args)
{
    unsigned n_names = vt_args_operands(args);
    struct vt_host *host = NULL;
    struct vt_mcp *mcp = NULL;
    struct vt_error err;
    if (vt_args_flag(args, "config")) {
        return print_config(args);
    }
    const char **names = calloc(n_names + 1, sizeof *names);
    if (names == NULL) {
        vt_fail(&err, VT_E_NOMEM, "out of memory");
        return vt_report(args, &err);
    }
    for (unsigned i = 0; i < n_names; i++) {
        names[i] = vt_args_operand(args, i);
    }
    bool read_only = vt_args_flag(args, "read-only");
    const struct vt_host_options options = {.names = names,
                                            .n_names = n_names,
                                            .sample = vt_args_flag(args, "sample"),
                                            .read_only = read_only};
    int rc = vt_host_create(&options, &host, &err);
    if (rc == 0) {
        rc = vt_mcp_create(host, &mcp, &err);
    }
    if (rc == 0) {
        rc = vt_mcp_serve(mcp, STDIN_FILENO, STDOUT_FILENO, !read_only, &vt_interrupted, &err);
    }
    vt_mcp_destroy(mcp);
    vt_host_destroy(host);
    free(names);
    return rc == 0 ? VT_EXIT_OK : vt_report(args, &err);
}

static const struct vt_option options[] = {
    {"read-only", NULL, "offer nothing that changes a VM or writes a file", false},
    {"sample", NULL, "keep the databases current, as 'vitrine serve' does", false},
    {"config", NULL, "print what a client's configuration needs to start this", false},
    {0},
};

const struct vt_verb vt_verb_mcp = {
    .name = "mcp",
    .group = "Server",
    .summary = "Offer a language model tools to look into VMs (Model Context Protocol)",
    .operands = "[VM...]",
    .max_operands = 64,
    .options = options,
    .description =
        "Speaks the Model Context Protocol over standard input and output, one JSON message a\n"
        "line, until the input ends: revision 2026-07-28, and 2024-11-05 to 2025-11-25 for\n"
        "clients that begin with 'initialize'. A client starts it; 'vitrine serve' offers the\n"
        "same over HTTP at /mcp.\n"
        "\n"
        "Tools are the operations of the HTTP API that a model has use for: list_vms, ask, ps,\n"
        "maps, page_tables, translate, read_memory, find, symbols, sql, modules, mounts, sockets,\n"
        "dmesg, snapshot, highlight. Resources are vitrine://vm/NAME, vitrine://vm/NAME/NOUN and\n"
        "vitrine://vm/NAME/schema. Prompts are questions people ask first.\n"
        "\n"
        "With VM names only those can be seen, else all, also ones that start later. Texts from\n"
        "guests are marked as data for the model, but whoever runs something in a guest can write\n"
        "what the model reads: let it change only what you would let them change.",
    .examples = "vitrine mcp --config\n"
                "vitrine mcp --read-only web\n"
                "npx @modelcontextprotocol/inspector --cli vitrine mcp --method tools/list",
    .run = run,
};
