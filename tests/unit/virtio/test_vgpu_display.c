/* A display over the driver and a device that has pixels of its own: what its scanout shows is what
 * was drawn, frame after frame; and what a caller sees when the device does not do its part.
 */
#include "tests/unit/virtio/gpu_rig.h"
#include "virtio/gpu/display.h"

struct flips {
    unsigned n;
    int code;
};

static void shown(int code, void *arg)
{
    struct flips *f = arg;
    f->n++;
    f->code = code;
}

/* Begins a flip and waits until it is done; its code. */
static int flip(struct vt_display *p)
{
    struct flips f = {0};
    int rc = vt_display_flip(p, shown, &f);
    if (rc != 0) {
        assert_false(vt_display_busy(p));
        return rc;
    }
    for (unsigned i = 0; i < 10000 && f.n == 0; i++) {
        assert_true(vt_display_busy(p));
        assert_int_equal(vt_display_flip(p, shown, &f), VT_VIRTIO_E_FULL);
        assert_int_equal(vt_display_resize(p, 8, 8), VT_VIRTIO_E_FULL);
        assert_true(vt_display_poll(p) >= 0);
    }
    assert_int_equal(f.n, 1);
    assert_false(vt_display_busy(p));
    return f.code;
}

static void assert_shows(const struct rig *r, uint32_t scanout, const uint32_t *pixels,
                         uint32_t width, uint32_t height)
{
    const struct vt_vgpu_model_scanout *s = vt_vgpu_model_scanout(r->g, scanout);
    const struct vt_vgpu_model_resource *host = vt_vgpu_model_resource(r->g, s->resource);
    assert_non_null(host);
    assert_int_equal(s->rect.width, width);
    assert_int_equal(s->rect.height, height);
    assert_int_equal(host->format, 2);
    assert_memory_equal(host->pixels, pixels, (size_t)4 * width * height);
}

/* Frames of a few rectangles each, on top of the last one. */
static void frames(const struct vt_vgpu_driver_config *config, unsigned buffers)
{
    enum { WIDTH = 200, HEIGHT = 120 };
    static uint32_t expected[WIDTH * HEIGHT];
    struct vt_surface e = {expected, WIDTH, HEIGHT, WIDTH};
    struct rig r;
    struct vt_display *p;
    rig_open(&r, NULL, config);
    rig_start(&r);
    memset(expected, 0, sizeof expected);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 1, 30, buffers, WIDTH, HEIGHT, &p), 0);
    assert_string_equal(vt_display_name(p), "virtio-gpu");
    uint32_t seed = 77, last = 0;
    for (unsigned frame = 0; frame < 60; frame++) {
        struct vt_surface *s = vt_display_surface(p);
        assert_memory_equal(s->pixels, expected, sizeof expected);
        for (unsigned i = 0; i < frame % 12; i++) {
            seed = seed * 1664525 + 1013904223;
            struct vt_vgpu_rect rect = {seed >> 7 & 255, seed >> 16 & 127, seed >> 24 & 15, 7};
            vt_surface_fill(s, &rect, seed & 0xffffff);
            vt_surface_fill(&e, &rect, seed & 0xffffff);
            vt_display_damage(p, &rect);
        }
        assert_int_equal(flip(p), 0);
        assert_shows(&r, 1, expected, WIDTH, HEIGHT);
        uint32_t id = vt_vgpu_model_scanout(r.g, 1)->resource;
        assert_in_range(id, 30, 30 + buffers - 1);
        assert_true(buffers == 1 || id != last);
        last = id;
    }
    vt_display_close(p);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_model_scanout(r.g, 1)->resource, 0);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->failed, 0);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->steps_refused, 0);
    assert_int_equal(vt_vgpu_driver_stop(r.d), 0);
    rig_close(&r);
}

static void test_frames(void **state)
{
    (void)state;
    frames(NULL, 1);
    frames(NULL, 2);
    /* A flip has more commands than this queue has room for. */
    frames(&(struct vt_vgpu_driver_config){.queue_size = 2, .in_flight = 1}, 2);
    frames(&(struct vt_vgpu_driver_config){.queue_size = 4}, 1);
}

/* Only what was drawn is sent, and in one go. */
static void test_costs(void **state)
{
    (void)state;
    struct rig r;
    struct vt_display *p;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 1, 640, 480, &p), 0);
    assert_int_equal(flip(p), 0);
    uint32_t before = vt_vgpu_model_commands(r.g);
    assert_int_equal(flip(p), 0); /* nothing was drawn */
    assert_int_equal(vt_vgpu_model_commands(r.g), before);
    vt_display_damage(p, &(struct vt_vgpu_rect){10, 10, 5, 5});
    vt_display_damage(p, &(struct vt_vgpu_rect){400, 400, 5, 5});
    assert_int_equal(flip(p), 0);
    static const uint32_t types[] = {VT_VGPU_CMD_TRANSFER_TO_HOST_2D,
                                     VT_VGPU_CMD_TRANSFER_TO_HOST_2D, VT_VGPU_CMD_RESOURCE_FLUSH,
                                     VT_VGPU_CMD_RESOURCE_FLUSH};
    assert_int_equal(vt_vgpu_model_commands(r.g), before + 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(vt_vgpu_model_command(r.g, before + i), types[i]);
    }
    vt_display_close(p);
    rig_drain(&r);
    rig_close(&r);
}

static void test_resize(void **state)
{
    (void)state;
    struct rig r;
    struct vt_display *a, *b;
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 2, 320, 200, &a), 0);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 1, 3, 1, 64, 64, &b), 0);
    size_t used = r.arena.used;
    static const uint32_t sizes[][2] = {{320, 200}, {100, 100}, {16, 16}, {320, 200}, {400, 300}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint32_t w = sizes[i][0], h = sizes[i][1];
        assert_int_equal(vt_display_resize(a, w, h), 0);
        assert_int_equal(vt_display_surface(a)->pixels[0], 0);
        vt_surface_test_card(vt_display_surface(a), "a");
        vt_surface_test_card(vt_display_surface(b), "b");
        vt_display_damage(b, NULL);
        assert_int_equal(flip(a), 0);
        assert_int_equal(flip(b), 0);
        assert_shows(&r, 0, vt_display_surface(a)->pixels, w, h);
        assert_shows(&r, 1, vt_display_surface(b)->pixels, 64, 64);
        assert_true(i == 4 || r.arena.used == used);
    }
    assert_int_equal(vt_display_resize(a, 0, 5), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_resize(a, 5, 16385), VT_VIRTIO_E_INVAL);
    assert_int_equal(flip(a), 0); /* and nothing has changed */
    assert_int_equal(vt_display_resize(a, 8000, 8000), VT_VIRTIO_E_NOMEM);
    assert_int_equal(flip(a), VT_VIRTIO_E_NOMEM);
    assert_int_equal(vt_display_resize(a, 64, 64), 0);
    assert_int_equal(flip(a), 0);
    vt_display_close(a);
    vt_display_close(b);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    rig_close(&r);
}

static void test_arguments(void **state)
{
    (void)state;
    struct rig r;
    struct vt_display *p = NULL;
    struct vt_virtio_arena none = {0};
    rig_open(&r, NULL, NULL);
    rig_start(&r);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 2, 1, 1, 64, 64, &p), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 0, 1, 64, 64, &p), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 0, 64, 64, &p), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 3, 64, 64, &p), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, UINT32_MAX, 2, 64, 64, &p),
                     VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_virtio_gpu(r.d, &none, 0, 1, 1, 64, 64, &p), VT_VIRTIO_E_NOMEM);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 1, 16385, 1, &p),
                     VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 1, 16384, 16384, &p),
                     VT_VIRTIO_E_NOMEM);
    assert_null(p);
    rig_drain(&r);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    rig_close(&r);
}

/* Each command a display sends is refused once: the caller is told, and the next try succeeds. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        bool at_setup;
    } cases[] = {
        {VT_VGPU_CMD_RESOURCE_CREATE_2D, true},   {VT_VGPU_CMD_RESOURCE_ATTACH_BACKING, true},
        {VT_VGPU_CMD_TRANSFER_TO_HOST_2D, false}, {VT_VGPU_CMD_SET_SCANOUT, false},
        {VT_VGPU_CMD_RESOURCE_FLUSH, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned buffers = 1; buffers <= 2; buffers++) {
            struct rig r;
            struct vt_display *p;
            rig_open(&r, NULL, NULL);
            rig_start(&r);
            vt_vgpu_model_rule(r.g, cases[i].type, 0, 1, VT_VGPU_MODEL_ERROR,
                               VT_VGPU_RESP_ERR_OUT_OF_MEMORY);
            assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, buffers, 64, 48, &p), 0);
            if (cases[i].at_setup) {
                rig_drain(&r);
            }
            vt_surface_test_card(vt_display_surface(p), "tried twice");
            assert_int_equal(flip(p), VT_VIRTIO_E_INVAL);
            vt_vgpu_model_behave(r.g);
            if (cases[i].at_setup) {
                assert_int_equal(flip(p), VT_VIRTIO_E_INVAL);
                assert_int_equal(vt_display_resize(p, 64, 48), 0);
                vt_surface_test_card(vt_display_surface(p), "tried twice");
            }
            assert_int_equal(flip(p), 0);
            assert_shows(&r, 0, vt_display_surface(p)->pixels, 64, 48);
            vt_display_close(p);
            rig_drain(&r);
            assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
            rig_close(&r);
        }
    }
}

/* The device breaks in the middle of a flip; it is started again, and the display with it. */
static void test_reset(void **state)
{
    (void)state;
    for (unsigned after = 0; after < 4; after++) {
        struct rig r;
        struct vt_display *p;
        struct flips f = {0};
        rig_open(&r, NULL, NULL);
        rig_start(&r);
        assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 2, 64, 48, &p), 0);
        assert_int_equal(flip(p), 0);
        vt_vgpu_model_rule(r.g, 0, after, 1, VT_VGPU_MODEL_BREAKS, 0);
        vt_display_damage(p, &(struct vt_vgpu_rect){1, 2, 3, 4});
        assert_int_equal(vt_display_flip(p, shown, &f), 0);
        const struct vt_virtio_clock *clock = vt_model_clock(r.m);
        for (unsigned i = 0; i < 100000 && vt_display_poll(p) >= 0; i++) {
            clock->relax(clock->arg); /* the status register is not read all the time */
            if (f.n > 0) {
                f.n = 0;
                assert_int_equal(vt_display_flip(p, shown, &f), 0);
                vt_display_damage(p, NULL);
            }
        }
        assert_int_equal(vt_vgpu_driver_state(r.d), VT_VGPU_NEEDS_RESET);
        vt_vgpu_model_behave(r.g);
        rig_start(&r);
        assert_false(vt_display_busy(p));
        assert_int_equal(f.n, 1);
        assert_int_equal(f.code, VT_VIRTIO_E_NEEDS_RESET);
        assert_true(flip(p) != 0); /* its resources are lost */
        assert_int_equal(vt_display_resize(p, 64, 48), 0);
        vt_surface_test_card(vt_display_surface(p), "again");
        assert_int_equal(flip(p), 0);
        assert_shows(&r, 0, vt_display_surface(p)->pixels, 64, 48);
        vt_display_close(p);
        rig_drain(&r);
        assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
        rig_close(&r);
    }
}

/* Closed while a flip is on its way: who waits for it is told. */
static void test_close_while_busy(void **state)
{
    (void)state;
    struct rig r;
    struct vt_display *p;
    struct flips f = {0};
    rig_open(&r, NULL, &(struct vt_vgpu_driver_config){.queue_size = 2});
    rig_start(&r);
    assert_int_equal(vt_display_virtio_gpu(r.d, &r.arena, 0, 1, 2, 640, 480, &p), 0);
    assert_int_equal(flip(p), 0);
    for (uint32_t i = 0; i < 8; i++) {
        vt_display_damage(p, &(struct vt_vgpu_rect){i * 80, i % 2 * 300, 5, 5});
    }
    assert_int_equal(vt_display_flip(p, shown, &f), 0);
    vt_display_close(p);
    rig_drain(&r);
    assert_int_equal(f.n, 1);
    assert_int_equal(vt_vgpu_driver_stats(r.d)->resources, 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),           cmocka_unit_test(test_costs),
        cmocka_unit_test(test_resize),           cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_reset),
        cmocka_unit_test(test_close_while_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
