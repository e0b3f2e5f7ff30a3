/* Displays without a device: damage is joined where that is less work and never lost, and ramfb is
 * a display like another: what was drawn is what QEMU is told of, in whichever buffer. */
#include "tests/unit/harness.h"
#include "virtio/gpu/display.h"

#include <string.h>
#include <sys/mman.h>

/* ---------------------------------------------------------------- damage */

static bool covered(const struct vt_damage *damage, uint32_t x, uint32_t y)
{
    for (unsigned i = 0; i < damage->n; i++) {
        const struct vt_vgpu_rect *r = &damage->rects[i];
        if (x >= r->x && x - r->x < r->width && y >= r->y && y - r->y < r->height) {
            return true;
        }
    }
    return false;
}

static void test_damage_covers(void **state)
{
    (void)state;
    enum { SIDE = 640 };
    static bool drawn[SIDE][SIDE];
    uint32_t seed = 1;
    for (unsigned round = 0; round < 60; round++) {
        struct vt_damage damage = {0};
        memset(drawn, 0, sizeof drawn);
        for (unsigned i = 0; i < 40; i++) {
            uint32_t v[4];
            for (unsigned k = 0; k < 4; k++) {
                seed = seed * 1664525 + 1013904223;
                v[k] = (seed >> 8) % (k < 2 ? SIDE + 20 : round < 30 ? 40 : 4);
            }
            vt_damage_add(&damage, &(struct vt_vgpu_rect){v[0], v[1], v[2], v[3]}, SIDE, SIDE);
            for (uint32_t y = v[1]; y < v[1] + v[3] && y < SIDE; y++) {
                for (uint32_t x = v[0]; x < v[0] + v[2] && x < SIDE; x++) {
                    drawn[y][x] = true;
                }
            }
        }
        assert_in_range(damage.n, 1, VT_DISPLAY_RECTS);
        for (unsigned i = 0; i < damage.n; i++) {
            const struct vt_vgpu_rect *r = &damage.rects[i];
            assert_true(r->width > 0 && r->height > 0);
            assert_true(r->x + r->width <= SIDE && r->y + r->height <= SIDE);
        }
        for (uint32_t y = 0; y < SIDE; y++) {
            for (uint32_t x = 0; x < SIDE; x++) {
                assert_true(!drawn[y][x] || covered(&damage, x, y));
            }
        }
    }
}

static void test_damage_joins(void **state)
{
    (void)state;
    struct vt_damage damage = {0};
    vt_damage_add(&damage, &(struct vt_vgpu_rect){0, 0, 100, 100}, 4000, 4000);
    vt_damage_add(&damage, &(struct vt_vgpu_rect){10, 10, 5, 5}, 4000, 4000);
    assert_int_equal(damage.n, 1);
    vt_damage_add(&damage, &(struct vt_vgpu_rect){100, 0, 100, 100}, 4000, 4000);
    assert_int_equal(damage.n, 1);
    assert_int_equal(damage.rects[0].width, 200);
    vt_damage_add(&damage, &(struct vt_vgpu_rect){3000, 3000, 10, 10}, 4000, 4000);
    assert_int_equal(damage.n, 2);
    vt_damage_add(&damage, &(struct vt_vgpu_rect){0, 0, UINT32_MAX, UINT32_MAX}, 4000, 4000);
    assert_int_equal(damage.n, 1);
    assert_int_equal(damage.rects[0].width, 4000);
    vt_damage_add(&damage, &(struct vt_vgpu_rect){4000, 0, 1, 1}, 4000, 4000);
    vt_damage_add(&damage, &(struct vt_vgpu_rect){0, 0, 0, 1}, 4000, 4000);
    assert_int_equal(damage.n, 1);
}

/* ---------------------------------------------------------------- ramfb */

#define ARENA ((size_t)4 << 20)
#define DEVICE 0x1234500000u

struct fixture {
    struct vt_virtio_arena arena;
    struct vt_display *display;
    uint8_t record[28];
    unsigned writes, done;
    int fail, code;
};

static int write_config(const void *record, size_t n, void *arg)
{
    struct fixture *f = arg;
    assert_int_equal(n, sizeof f->record);
    if (f->fail != 0) {
        return f->fail;
    }
    memcpy(f->record, record, n);
    f->writes++;
    return 0;
}

static void shown(int code, void *arg)
{
    struct fixture *f = arg;
    f->done++;
    f->code = code;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    void *memory = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f == NULL || memory == MAP_FAILED) {
        return -1;
    }
    f->arena = (struct vt_virtio_arena){.base = memory, .device = DEVICE, .bytes = ARENA};
    *state = f;
    return vt_display_ramfb(&f->arena, write_config, f, 320, 200, &f->display);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    munmap(f->arena.base, ARENA);
    free(f);
    return 0;
}

static uint64_t be(const struct fixture *f, unsigned at, unsigned n)
{
    uint64_t v = 0;
    while (n-- > 0) {
        v = v << 8 | f->record[at++];
    }
    return v;
}

/* What QEMU sees: pixels where the record says. */
static const uint32_t *seen(const struct fixture *f)
{
    uint64_t device = be(f, 0, 8);
    assert_in_range(device, DEVICE, DEVICE + ARENA);
    return (const void *)(f->arena.base + (device - DEVICE));
}

static void flip(struct fixture *f)
{
    unsigned before = f->done;
    assert_int_equal(vt_display_flip(f->display, shown, f), 0);
    assert_true(vt_display_busy(f->display));
    assert_int_equal(vt_display_flip(f->display, shown, f), VT_VIRTIO_E_FULL);
    assert_int_equal(vt_display_resize(f->display, 64, 64), VT_VIRTIO_E_FULL);
    assert_int_equal(f->done, before);
    assert_int_equal(vt_display_poll(f->display), 1);
    assert_int_equal(f->done, before + 1);
    assert_int_equal(f->code, 0);
    assert_false(vt_display_busy(f->display));
    assert_int_equal(vt_display_poll(f->display), 0);
}

static void test_ramfb_record(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(vt_display_name(f->display), "ramfb");
    assert_int_equal(f->writes, 0);
    flip(f);
    assert_int_equal(f->writes, 1);
    assert_int_equal(be(f, 8, 4), 0x34325258);
    assert_int_equal(be(f, 12, 4), 0);
    assert_int_equal(be(f, 16, 4), 320);
    assert_int_equal(be(f, 20, 4), 200);
    assert_int_equal(be(f, 24, 4), 1280);
}

/* Frame after frame, each drawn on top of the last: what is seen is always all of it. */
static void test_ramfb_frames(void **state)
{
    struct fixture *f = *state;
    static uint32_t expected[320 * 200];
    uint32_t seed = 9;
    const uint32_t *last = NULL;
    for (unsigned frame = 0; frame < 50; frame++) {
        struct vt_surface *s = vt_display_surface(f->display);
        assert_memory_equal(s->pixels, expected, sizeof expected);
        struct vt_surface e = {expected, 320, 200, 320};
        for (unsigned i = 0; i < 5; i++) {
            seed = seed * 1664525 + 1013904223;
            struct vt_vgpu_rect r = {seed >> 7 & 511, seed >> 16 & 255, seed >> 24 & 31, 9};
            vt_surface_fill(s, &r, seed & 0xffffff);
            vt_surface_fill(&e, &r, seed & 0xffffff);
            vt_display_damage(f->display, &r);
        }
        flip(f);
        assert_memory_equal(seen(f), expected, sizeof expected);
        assert_true(seen(f) != last);
        last = seen(f);
    }
}

static void test_ramfb_resize(void **state)
{
    struct fixture *f = *state;
    flip(f);
    size_t used = f->arena.used;
    assert_int_equal(vt_display_resize(f->display, 100, 50), 0);
    assert_int_equal(f->arena.used, used);
    vt_surface_test_card(vt_display_surface(f->display), "smaller");
    vt_display_damage(f->display, NULL);
    flip(f);
    assert_int_equal(be(f, 16, 4), 100);
    assert_int_equal(be(f, 24, 4), 400);
    assert_int_equal(seen(f)[0], 0xffffff);
    assert_int_equal(vt_display_resize(f->display, 640, 480), 0);
    assert_true(f->arena.used > used);
    assert_int_equal(vt_display_surface(f->display)->pixels[0], 0);
    assert_int_equal(vt_display_resize(f->display, 15, 480), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_resize(f->display, 640, 12001), VT_VIRTIO_E_INVAL);
    assert_int_equal(vt_display_resize(f->display, 16000, 12000), VT_VIRTIO_E_NOMEM);
}

/* QEMU was not told: nothing has changed, and it can be tried again. */
static void test_ramfb_fails(void **state)
{
    struct fixture *f = *state;
    f->fail = VT_VIRTIO_E_NO_DEVICE;
    struct vt_surface *s = vt_display_surface(f->display);
    s->pixels[7] = 5;
    assert_int_equal(vt_display_flip(f->display, shown, f), VT_VIRTIO_E_NO_DEVICE);
    assert_false(vt_display_busy(f->display));
    assert_ptr_equal(vt_display_surface(f->display), s);
    f->fail = 0;
    flip(f);
    assert_int_equal(seen(f)[7], 5);
    assert_int_equal(vt_display_flip(f->display, shown, f), 0);
    vt_display_close(f->display);
    assert_int_equal(f->done, 2);
    vt_display_close(f->display);
    struct vt_virtio_arena none = {0};
    struct vt_display *display = NULL;
    assert_int_equal(vt_display_ramfb(&none, write_config, f, 64, 64, &display), VT_VIRTIO_E_NOMEM);
    assert_null(display);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_covers),
        cmocka_unit_test(test_damage_joins),
        cmocka_unit_test_setup_teardown(test_ramfb_record, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ramfb_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ramfb_resize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ramfb_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
