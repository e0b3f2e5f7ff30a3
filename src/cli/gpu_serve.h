/* cli/gpu_serve.h - a way to serve a GPU, one row of cmd_gpu_serve.c's table.
 */
#ifndef VT_CLI_GPU_SERVE_H
#define VT_CLI_GPU_SERVE_H

#include "base/loop.h"
#include "cli/cli.h"
#include "vitrine/venus.h"

/** What all ways are given. */
struct vt_gpu_serving {
    const struct vt_args *args;
    struct vt_loop *loop;
    const char *path;              /**< the option's value */
    struct vt_venus_options venus; /**< --gpu, --memory, recording */
    bool sandbox;
};

struct vt_gpu_way {
    const char *option; /**< "vtest" */
    int (*create)(const struct vt_gpu_serving *serving, void **server, struct vt_error *err);
    /** Members of an open JSON object: the first says what is served where; for `gpu stat`. */
    void (*json)(void *server, struct vt_json_writer *w);
    /** How a client is run, on stdout; members of an open object if there is a writer. */
    void (*tell_use)(void *server, struct vt_json_writer *w);
    void (*destroy)(void *server);
};

extern const struct vt_gpu_way vt_gpu_way_vhost, vt_gpu_way_vtest;

#endif
