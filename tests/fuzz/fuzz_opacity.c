/* tests/fuzz/fuzz_opacity.c - a transfer function of any bytes: refused and nothing changed, or all
 * of it lies between 0 and 1. */
#include "tests/fuzz/fuzz.h"

#include "vitrine/scene.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct vt_scene scene, before;
    struct vt_error err;
    char *text = malloc(count + 1);
    FUZZ_CHECK(text != NULL);
    if (count > 0) {
        memcpy(text, bytes, count);
    }
    text[count] = '\0';
    vt_scene_init(&scene);
    before = scene;
    if (vt_scene_opacity(&scene, text, &err) != 0) {
        FUZZ_CHECK(err.code == VT_E_INVAL);
        FUZZ_CHECK(memcmp(scene.opacity, before.opacity, sizeof scene.opacity) == 0);
    }
    for (unsigned v = 0; v < 256; v++) {
        FUZZ_CHECK(scene.opacity[v] >= 0 && scene.opacity[v] <= 1);
    }
    free(text);
    return 0;
}
