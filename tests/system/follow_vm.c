/* tests/system/follow_vm.c - follows a VM's RAM: for each line on stdin one look, said as JSON.
 *
 *   follow_vm VM
 */
#include "base/json_writer.h"
#include "volume/follow.h"

#include <stdlib.h>

static void say(struct vt_follow *follow, const struct vt_volume_update *update)
{
    struct vt_json_writer w;
    struct vt_follow_seen seen;
    uint64_t totals[VT_CLASSES];
    const struct vt_highlights *set = vt_follow_highlights(follow);
    vt_follow_seen(follow, &seen);
    vt_follow_totals(follow, totals);
    uint64_t holes = 0;
    for (size_t i = 0; i < update->n_pages; i++) {
        holes += vt_follow_classes(follow)[update->pages[i]] == VT_CLASS_HOLE;
    }
    vt_json_init(&w, stdout, false);
    vt_json_object(&w);
    vt_json_kv_bool(&w, "all", update->all);
    vt_json_kv_u64(&w, "pages", update->n_pages);
    vt_json_kv_u64(&w, "holes", holes);
    vt_json_kv_bool(&w, "classes", update->classes != NULL);
    vt_json_kv_u64(&w, "tick", seen.tick);
    vt_json_kv_u64(&w, "classes_version", seen.classes_version);
    vt_json_kv_bool(&w, "understood", seen.understood);
    vt_json_kv_string(&w, "system", seen.system);
    vt_json_kv_string(&w, "consistency", seen.consistency);
    vt_json_kv_u64(&w, "kernel_text", totals[VT_CLASS_KERNEL_TEXT]);
    vt_json_key(&w, "highlights");
    vt_json_array(&w);
    for (size_t i = 0; i < set->n; i++) {
        vt_json_string(&w, set->all[i].name);
    }
    vt_json_array_end(&w);
    vt_json_object_end(&w);
    vt_json_finish(&w);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct vt_target target;
    struct vt_follow *follow = NULL;
    struct vt_volume_update update;
    struct vt_error err = {0};
    int rc = vt_target_open(argc > 1 ? argv[1] : "", "follow", "all of RAM", &target, &err);
    if (rc == 0) {
        rc =
            vt_follow_create(&target, &(struct vt_follow_options){.classes_s = 0.1}, &follow, &err);
    }
    while (rc == 0 && getchar() != EOF) {
        rc = vt_follow_look(follow, &update, &err);
        if (rc == 0) {
            say(follow, &update);
        }
    }
    if (rc != 0) {
        printf("{\"error\": \"%s\"}\n", vt_code_name(err.code));
    }
    vt_follow_destroy(follow);
    vt_target_close(&target, NULL);
    return rc == 0 ? 0 : 1;
}
