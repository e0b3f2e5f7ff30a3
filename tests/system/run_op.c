/* tests/system/run_op.c - runs operations of the server without a server.
 *
 *   run_op list            one JSON object: of each operation its method, path and schemas
 *   run_op openapi         the OpenAPI document
 *   run_op NAME ARGS…      the result of each ARGS (a JSON object), a line each; a failure is a
 * line
 *                          {"error": word, "detail": text}
 *   run_op --sample …      the same, with samplers
 */
#include "server/openapi.h"
#include "server/ops.h"
#include "server/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int list(void)
{
    json_t *all = json_object();
    for (const struct vt_op *const *op = vt_ops(); *op != NULL; op++) {
        json_t *one =
            json_pack("{s:s, s:s, s:b, s:o}", "method", (*op)->method, "path", (*op)->path, "png",
                      ((*op)->flags & VT_OP_PNG) != 0, "params", vt_op_params_schema(*op));
        json_t *result = vt_op_result_schema(*op);
        if (result != NULL) {
            json_object_set_new(one, "result", result);
        }
        json_object_set_new(all, (*op)->name, one);
    }
    json_dumpf(all, stdout, JSON_COMPACT);
    json_decref(all);
    return 0;
}

int main(int argc, char **argv)
{
    struct vt_host_options options = {.program = getenv("VITRINE")};
    struct vt_host *host;
    struct vt_error err;
    int at = 1, status = 0;
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        return list();
    }
    if (argc == 2 && strcmp(argv[1], "openapi") == 0) {
        return vt_openapi_write(stdout, NULL) == 0 ? 0 : 1;
    }
    if (argc > 1 && strcmp(argv[1], "--sample") == 0) {
        options.sample = true;
        at++;
    }
    const struct vt_op *op = argc > at ? vt_op_find(argv[at]) : NULL;
    if (op == NULL || vt_host_create(&options, &host, &err) != 0) {
        fprintf(stderr, "run_op: %s\n", op == NULL ? "no such operation" : err.message);
        return 2;
    }
    for (int i = at + 1; i < argc; i++) {
        struct vt_op_reply reply;
        json_t *args = json_loads(argv[i], JSON_REJECT_DUPLICATES, NULL);
        if (args != NULL && vt_op_run(host, op, args, "run_op", NULL, &reply, &err) == 0) {
            fwrite(reply.body, 1, reply.bytes, stdout);
            free(reply.body);
        } else {
            json_t *failure =
                json_pack("{s:s, s:s}", "error", args != NULL ? vt_problem_of(err.code)->word : "",
                          "detail", args != NULL ? err.message : "no JSON");
            json_dumpf(failure, stdout, JSON_COMPACT);
            json_decref(failure);
            status = 1;
        }
        putchar('\n');
        json_decref(args);
    }
    vt_host_destroy(host);
    return status;
}
