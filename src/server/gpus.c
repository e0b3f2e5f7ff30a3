/* server/gpus.c - see gpus.h. */
#include "server/gpus.h"

#include "gpu/control.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 250

struct looks {
    struct vt_gpu_served *all;
    size_t n;
};

static uint64_t number(const json_t *of, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(of, key));
    return v < 0 ? 0 : (uint64_t)v;
}

static void add(struct vt_gpu_served *to, const json_t *context)
{
    to->commands += number(context, "commands");
    to->unknown += number(context, "unknown");
    to->failed += number(context, "failed");
    to->stream_bytes += number(context, "stream_bytes");
    to->busy_s += json_number_value(json_object_get(context, "busy_s"));
}

static void take_server(struct looks *l, const json_t *server)
{
    size_t i;
    const json_t *context;
    const char *path = json_string_value(json_object_get(server, "path"));
    if (path == NULL || l->n == VT_GPUS_SERVED_MAX) {
        return;
    }
    struct vt_gpu_served *s = &l->all[l->n++];
    memset(s, 0, sizeof *s);
    snprintf(s->path, sizeof s->path, "%s", path);
    add(s, json_object_get(server, "past"));
    json_array_foreach(json_object_get(server, "contexts"), i, context)
    {
        s->contexts++;
        s->objects += number(context, "objects");
        s->memory_bytes += number(context, "memory_bytes");
        add(s, context);
    }
}

static bool take(const char *text, void *arg)
{
    struct looks *l = arg;
    size_t i;
    const json_t *server;
    json_t *document = json_loads(text, 0, NULL);
    json_array_foreach(json_object_get(document, "servers"), i, server)
    {
        take_server(l, server);
    }
    json_decref(document);
    return l->n < VT_GPUS_SERVED_MAX;
}

size_t vt_gpus_served(struct vt_gpu_served all[VT_GPUS_SERVED_MAX])
{
    struct looks l = {.all = all};
    struct vt_error err;
    (void)vt_gpu_control_each(PATIENCE_MS, take, &l, &err); /* without: nothing is served */
    return l.n;
}
