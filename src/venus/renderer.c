/* venus/renderer.c - what all contexts share, and the capability set that guests read first.
 *
 * The loader is linked, its drivers are not: they are loaded when the first guest makes an
 * instance, so that a process which forks for each guest has none of their threads before.
 */
#include "venus/renderer.h"

#include "venus/vn_tables.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t vt_venus_version_max(void)
{
    return VK_HEADER_VERSION_COMPLETE;
}

#define OBJECTS_MAX (UINT32_C(1) << 20)

int vt_venus_renderer_create(const struct vt_venus_options *options,
                             struct vt_venus_renderer **renderer, struct vt_error *err)
{
    struct vt_venus_renderer *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a renderer");
    }
    pthread_mutex_init(&made->lock, NULL);
    made->options = options != NULL ? *options : (struct vt_venus_options){0};
    struct vt_venus_options *own = &made->options;
    made->memory_asked = own->memory_max_bytes != 0;
    if (own->memory_max_bytes == 0) {
        long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        own->memory_max_bytes =
            pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : UINT64_C(1) << 30;
    }
    if (own->objects_max == 0) {
        own->objects_max = OBJECTS_MAX;
    }
    const char *gpu = own->gpu != NULL ? own->gpu : getenv("VITRINE_GPU");
    own->gpu = gpu != NULL ? strdup(gpu) : NULL;
    if (gpu != NULL && own->gpu == NULL) {
        vt_venus_renderer_destroy(made);
        return vt_fail(err, VT_E_NOMEM, "no memory for a renderer");
    }
    *renderer = made;
    return 0;
}

void vt_venus_renderer_destroy(struct vt_venus_renderer *renderer)
{
    if (renderer == NULL) {
        return;
    }
    if (renderer->anchor != VK_NULL_HANDLE) {
        PFN_vkDestroyInstance destroy =
            (PFN_vkDestroyInstance)vkGetInstanceProcAddr(renderer->anchor, "vkDestroyInstance");
        destroy(renderer->anchor, NULL);
    }
    free((char *)(uintptr_t)renderer->options.gpu);
    pthread_mutex_destroy(&renderer->lock);
    free(renderer);
}

static uint32_t version_of(const char *extension)
{
    for (size_t i = 0; i < VN_EXTENSIONS; i++) {
        if (strcmp(vn_extensions[i].name, extension) == 0) {
            return vn_extensions[i].version;
        }
    }
    return 0;
}

/* In order, each little-endian 32 bits. */
enum capset_word {
    WIRE_FORMAT = 0,
    XML_VERSION = 1,
    SERIALIZATION = 2,
    PROTOCOL = 3,
    BLOB_ID_0 = 4,
    EXTENSIONS = 5,
    WAIT_SYNCS = EXTENSIONS + 32,
    TIMELINES = WAIT_SYNCS + 1,
    GUEST_VRAM = WAIT_SYNCS + 2,
    CAPSET_WORDS = WAIT_SYNCS + 3,
};
_Static_assert(CAPSET_WORDS * 4 == VT_VENUS_CAPSET_BYTES, "the size that drivers ask for");

void vt_venus_capset(const struct vt_venus_renderer *renderer, bool guest_vram,
                     uint8_t capset[VT_VENUS_CAPSET_BYTES])
{
    (void)renderer; /* drivers are not asked: nothing here depends on them */
    uint32_t words[CAPSET_WORDS] = {
        [WIRE_FORMAT] = 1,
        [XML_VERSION] = vt_venus_version_max(),
        [SERIALIZATION] = version_of("VK_EXT_command_serialization"),
        [PROTOCOL] = version_of("VK_MESA_venus_protocol"),
        [BLOB_ID_0] = 1,
        [EXTENSIONS] = 1, /* bit 0: the mask means something */
        [WAIT_SYNCS] = 1,
        [TIMELINES] = 1,
        [GUEST_VRAM] = guest_vram,
    };
    for (size_t i = 0; i < VN_EXTENSIONS; i++) {
        uint32_t number = vn_extensions[i].number;
        if (number < 32 * 32) {
            words[EXTENSIONS + number / 32] |= UINT32_C(1) << number % 32;
        }
    }
    for (size_t i = 0; i < CAPSET_WORDS; i++) {
        for (unsigned byte = 0; byte < 4; byte++) {
            capset[4 * i + byte] = (uint8_t)(words[i] >> 8 * byte);
        }
    }
}
