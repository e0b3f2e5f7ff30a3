/* tests/fuzz/fuzz_vgpu_edid.c - EDIDs of the input, whose checksums are made right: no mode without
 * pixels, no name that cannot be printed.
 */
#include "tests/fuzz/fuzz.h"
#include "virtio/gpu/edid.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    uint8_t edid[1100];
    size_t n = count < sizeof(edid) ? count : sizeof(edid);
    memcpy(edid, bytes, n);
    for (size_t at = 0; at + 128 <= n; at += 128) {
        uint8_t sum = 0;
        for (unsigned i = 0; i < 127; i++) {
            sum = (uint8_t)(sum + edid[at + i]);
        }
        edid[at + 127] = (uint8_t)(0 - sum);
    }
    struct vt_vgpu_display_info info = {.n_modes = 1000};
    memset(info.name, 'x', sizeof(info.name));
    /* Exactly as long as it says: the sanitizer sees a read beyond it. */
    uint8_t *copy = malloc(n > 0 ? n : 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, edid, n);
    bool read = vt_vgpu_edid_read(copy, n, &info);
    free(copy);
    if (!read) {
        FUZZ_CHECK(info.n_modes == 1000 && info.name[0] == 'x');
        return 0;
    }
    FUZZ_CHECK(info.n_modes <= sizeof(info.modes) / sizeof(info.modes[0]));
    for (uint32_t i = 0; i < info.n_modes; i++) {
        const struct vt_vgpu_mode *m = &info.modes[i];
        FUZZ_CHECK(m->width > 0 && m->height > 0 && m->refresh_mhz > 0);
    }
    FUZZ_CHECK(memchr(info.name, '\0', sizeof(info.name)) != NULL);
    for (const char *c = info.name; *c != '\0'; c++) {
        FUZZ_CHECK(*c >= 0x20 && *c <= 0x7e);
    }
    return 0;
}
