/* cli/gpu_serve_vhost.c - `vitrine gpu serve --vhost`: a virtio-gpu for each VM whose QEMU
 * connects.
 */
#include "cli/gpu_serve.h"

#include "base/text.h"
#include "gpu/card_venus.h"
#include "gpu/vhost_server.h"

#include <stdlib.h>
#include <string.h>

struct vhost {
    struct vt_venus_renderer *renderer;
    struct vt_vhost_server *server;
    bool json;
};

static void say(void *arg, const char *line)
{
    const struct vhost *v = arg;
    char shown[700];
    if (v->json) {
        struct vt_json_writer w;
        vt_json_init(&w, stdout, false);
        vt_json_object(&w);
        vt_json_kv_string(&w, "event", "said");
        vt_json_kv_string(&w, "text", line);
        vt_json_object_end(&w);
        vt_json_finish(&w);
    } else {
        vt_text_printable(shown, sizeof shown, line, strlen(line));
        puts(shown);
    }
    fflush(stdout);
}

static void destroy(void *server)
{
    struct vhost *v = server;
    if (v != NULL) {
        vt_vhost_server_destroy(v->server);
        vt_venus_renderer_destroy(v->renderer);
        free(v);
    }
}

static int create(const struct vt_gpu_serving *serving, void **server, struct vt_error *err)
{
    struct vhost *v = calloc(1, sizeof *v);
    if (v == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    v->json = vt_args_json(serving->args);
    struct vt_card_options card = {0};
    int rc = serving->sandbox
                 ? vt_fail(err, VT_E_UNSUPPORTED,
                           "--sandbox is of --vtest: 'vitrine run --gpu venus' gives each VM a "
                           "process of its own")
                 : vt_venus_renderer_create(&serving->venus, &v->renderer, err);
    if (rc == 0) {
        const struct vt_card_contexts contexts = vt_card_venus(v->renderer);
        card.contexts = &contexts;
        rc = vt_vhost_server_create(serving->loop, serving->path, &card, say, v, &v->server, err);
    }
    if (rc != 0) {
        destroy(v);
        return rc;
    }
    *server = v;
    return 0;
}

static void json(void *server, struct vt_json_writer *w)
{
    const struct vhost *v = server;
    vt_vhost_server_json(v->server, w);
}

static const char device[] =
    "vhost-user-test-device-pci,virtio-id=16,num_vqs=2,config_size=24,vq_size=256,chardev=gpu";

static void tell_use(void *server, struct vt_json_writer *w)
{
    const struct vhost *v = server;
    const char *path = vt_vhost_server_path(v->server);
    if (w != NULL) {
        vt_json_kv_string(w, "path", path);
        vt_json_kv_string(w, "device", device);
        return;
    }
    printf("listening on %s\n"
           "run a VM (QEMU 11.1 or newer): qemu-system-x86_64 -machine q35,memory-backend=ram \\\n"
           "  -m 2G -object memory-backend-memfd,id=ram,size=2G,share=on \\\n"
           "  -chardev socket,id=gpu,path=%s \\\n"
           "  -device %s\n",
           path, path, device);
}

const struct vt_gpu_way vt_gpu_way_vhost = {"vhost", create, json, tell_use, destroy};
