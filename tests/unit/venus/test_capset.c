/* The capability set, byte by byte: what a guest's driver reads before anything else. */
#include "tests/unit/harness.h"

#include "vitrine/venus.h"

static uint32_t word(const uint8_t *capset, unsigned index)
{
    const uint8_t *at = capset + (size_t)index * 4;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool has(const uint8_t *capset, unsigned extension)
{
    return (word(capset, 5 + extension / 32) >> extension % 32 & 1) != 0;
}

static void test_words(void **state)
{
    (void)state;
    struct vt_venus_renderer *renderer;
    struct vt_error err;
    uint8_t capset[VT_VENUS_CAPSET_BYTES + 1];
    assert_int_equal(vt_venus_renderer_create(NULL, &renderer, &err), 0);
    for (int guest_vram = 0; guest_vram <= 1; guest_vram++) {
        capset[VT_VENUS_CAPSET_BYTES] = 0xa5;
        vt_venus_capset(renderer, guest_vram != 0, capset);
        assert_int_equal(word(capset, 0), 1);                  /* wire format */
        assert_true(word(capset, 1) >= (1u << 22 | 4u << 12)); /* Vulkan 1.4 */
        assert_int_equal(word(capset, 2), 1);                  /* command serialization */
        assert_true(word(capset, 3) >= 2);                     /* Mesa's protocol */
        assert_int_equal(word(capset, 4), 1);                  /* blobs without an id */
        assert_int_equal(word(capset, 37), 1);                 /* waits of fences are allowed */
        assert_int_equal(word(capset, 38), 1);                 /* a timeline a queue */
        assert_int_equal(word(capset, 39), guest_vram);
        assert_int_equal(capset[VT_VENUS_CAPSET_BYTES], 0xa5);
        assert_true(has(capset, 0));    /* the mask means something */
        assert_true(has(capset, 385));  /* VK_MESA_venus_protocol: else its structures stay away */
        assert_true(has(capset, 159));  /* VK_EXT_image_drm_format_modifier */
        assert_true(has(capset, 208));  /* VK_KHR_timeline_semaphore */
        assert_false(has(capset, 2));   /* VK_KHR_swapchain is the guest's own */
        assert_false(has(capset, 179)); /* VK_EXT_external_memory_host is ours */
    }
    vt_venus_renderer_destroy(renderer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
