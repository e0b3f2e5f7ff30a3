/* One ray through known RAM: what it must gather by hand, and what it must pick. */
#include "tests/unit/harness.h"

#include "volume/march.h"

#include <math.h>
#include <string.h>

#define assert_near(a, b, by) assert_float_equal((float)(a), (float)(b), (float)(by))

#define ORDER 5
#define SIDE (1u << ORDER)
#define PAGES ((uint64_t)SIDE * SIDE * SIDE / 4096)

struct world {
    uint8_t bytes[PAGES * 4096];
    uint32_t attributes[PAGES], newest[PAGES], bricks[PAGES];
    struct vt_march_ram ram;
    struct vt_scene scene;
    struct vt_camera camera;
    struct vt_march_facts facts;
    struct vt_march_look look;
};

/* All pages user data, all bytes 0; nothing but byte 200 (half) and 255 (all) can be seen. */
static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->ram = (struct vt_march_ram){.order = ORDER,
                                   .bytes = w->bytes,
                                   .n_pages = PAGES,
                                   .attributes = w->attributes,
                                   .bricks = w->bricks, /* none is a hole */
                                   .grid = {SIDE / 16, SIDE / 16, SIDE / 16},
                                   .newest = w->newest};
    for (uint64_t i = 0; i < PAGES; i++) {
        w->attributes[i] = VT_CLASS_USER_HEAP;
    }
    w->scene.opacity[200] = 0.5f;
    w->scene.opacity[100] = 0.1f;
    w->scene.opacity[255] = 1;
    for (unsigned i = 0; i < VT_CLASSES; i++) {
        w->scene.class_opacity[i] = 1;
    }
    w->scene.density = SIDE / VT_MARCH_DEPTH; /* opacities below are a voxel's */
    w->scene.heat_s = 1;
    for (unsigned i = 0; i < 3; i++) {
        w->scene.clip_max[i] = 1;
        w->camera.eye[i] = w->camera.target[i] = 16.5 / SIDE;
    }
    w->scene.background = (struct vt_colour){0, 0, 0, 255};
    w->camera.eye[2] = 3; /* in front */
    w->camera.up[1] = 1;
    w->camera.fov_y = 0.5;
    w->facts = (struct vt_march_facts){.order = ORDER, .n_owners = 1, .now_ms = 5000};
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    free(*state);
    return 0;
}

static void put(struct world *w, uint32_t x, uint32_t y, uint32_t z, uint8_t byte)
{
    w->bytes[vt_hilbert3d_distance(ORDER, (uint32_t[3]){x, y, z})] = byte;
}

static uint32_t *attributes_at(struct world *w, uint32_t x, uint32_t y, uint32_t z)
{
    return &w->attributes[vt_hilbert3d_distance(ORDER, (uint32_t[3]){x, y, z}) / 4096];
}

static void slab(struct world *w, uint32_t z0, uint32_t z1, uint8_t byte)
{
    for (uint32_t z = z0; z < z1; z++) {
        for (uint32_t y = 0; y < SIDE; y++) {
            for (uint32_t x = 0; x < SIDE; x++) {
                put(w, x, y, z, byte);
            }
        }
    }
}

/* The middle ray of a picture of 33 x 33, which runs exactly along -z. */
static struct vt_march_ray cast(struct world *w, bool slices)
{
    struct vt_shot shot = {.camera = &w->camera, .scene = &w->scene, .scale = 1};
    struct vt_march_ray ray;
    assert_int_equal(vt_march_look_init(&w->look, &w->facts, &shot, 33, 33, NULL), 0);
    (slices ? vt_march_reference_slices : vt_march_reference)(&w->look, &w->ram, 16, 16, &ray);
    return ray;
}

static float channel(uint8_t colour, unsigned byte)
{
    return (float)(colour / 255.0 * (VT_MARCH_SHADE + (1 - VT_MARCH_SHADE) * byte / 255));
}

static void test_empty(void **state)
{
    struct world *w = *state;
    w->scene.background = (struct vt_colour){51, 102, 204, 255};
    for (int slices = 0; slices < 2; slices++) {
        struct vt_march_ray ray = cast(w, slices);
        assert_false(ray.hit);
        assert_near(ray.rgba[0], 0.2, 1e-6);
        assert_near(ray.rgba[1], 0.4, 1e-6);
        assert_near(ray.rgba[2], 0.8, 1e-6);
        assert_near(ray.rgba[3], 1, 1e-6);
    }
}

/* Eight voxels of one half each leave 2^-8 of the light. */
static void test_slab(void **state)
{
    struct world *w = *state;
    slab(w, 10, 18, 200);
    w->scene.background.a = 0;
    struct vt_colour c = vt_palette_class(VT_PALETTE_DEFAULT, VT_CLASS_USER_HEAP);
    for (int slices = 0; slices < 2; slices++) {
        struct vt_march_ray ray = cast(w, slices);
        assert_near(ray.rgba[3], 1 - 1.0 / 256, 1e-5);
        assert_near(ray.rgba[0], channel(c.r, 200), 1e-5);
        assert_near(ray.rgba[1], channel(c.g, 200), 1e-5);
        assert_true(ray.hit);
        assert_int_equal(ray.voxel[2], 17); /* the nearest: z points at the viewer */
        assert_near(ray.hides, 0.5, 1e-5);
    }
    w->scene.density *= 0.5f;
    assert_near(cast(w, false).rgba[3], 1 - 1.0 / 16, 1e-5);
    w->scene.class_opacity[VT_CLASS_USER_HEAP] = 0.5f;
    assert_near(cast(w, false).rgba[3], 1 - 1.0 / 4, 1e-5);
}

/* Obliquely the same slab is thicker by the angle's cosine. */
static void test_slab_oblique(void **state)
{
    struct world *w = *state;
    slab(w, 10, 11, 200);
    w->scene.background.a = 0;
    w->camera.eye[0] = w->camera.target[0] + 0.5;
    w->camera.eye[2] = 11.0 / SIDE + 1;
    w->camera.target[2] = 11.0 / SIDE;
    double length = sqrt(1.25);
    assert_near(cast(w, false).rgba[3], 1 - exp2(-length), 1e-4);
    assert_near(cast(w, true).rgba[3], 1 - exp2(-length), 1e-4);
}

static void test_single_voxel_from_all_sides(void **state)
{
    struct world *w = *state;
    put(w, 15, 16, 17, 255);
    for (unsigned axis = 0; axis < 3; axis++) {
        for (int side = -1; side <= 1; side += 2) {
            const double centre[3] = {15.5 / SIDE, 16.5 / SIDE, 17.5 / SIDE};
            for (unsigned i = 0; i < 3; i++) {
                w->camera.target[i] = w->camera.eye[i] = centre[i];
                w->camera.up[i] = i == (axis + 1) % 3;
            }
            w->camera.eye[axis] += 2.0 * side;
            for (int slices = 0; slices < 2; slices++) {
                struct vt_march_ray ray = cast(w, slices);
                assert_true(ray.hit);
                assert_memory_equal(ray.voxel, ((uint32_t[3]){15, 16, 17}), 12);
                assert_near(ray.hides, 1 - exp(-VT_MARCH_ABSORB_MAX), 1e-5);
            }
        }
    }
}

/* Nothing hides half: the most opaque one is picked, not the first. */
static void test_pick_most_opaque(void **state)
{
    struct world *w = *state;
    put(w, 16, 16, 20, 100);
    put(w, 16, 16, 10, 200);
    w->scene.opacity[200] = 0.4f;
    struct vt_march_ray ray = cast(w, false);
    assert_int_equal(ray.voxel[2], 10);
    assert_near(ray.hides, 0.4, 1e-5);
    put(w, 16, 16, 5, 255); /* hides more than half: wins from behind */
    assert_int_equal(cast(w, false).voxel[2], 5);
    put(w, 16, 16, 25, 255);
    assert_int_equal(cast(w, false).voxel[2], 25);
}

static void test_clip(void **state)
{
    struct world *w = *state;
    slab(w, 0, SIDE, 200);
    w->scene.background.a = 0;
    w->scene.clip_min[2] = 10.0f / SIDE;
    w->scene.clip_max[2] = 12.5f / SIDE;
    struct vt_march_ray ray = cast(w, false);
    assert_near(ray.rgba[3], 1 - exp2(-2.5), 1e-5);
    assert_int_equal(ray.voxel[2], 11); /* the upper half of 12 hides less than a half */
    w->scene.clip_max[2] = w->scene.clip_min[2];
    assert_false(cast(w, false).hit);
    w->scene.clip_max[2] = 0;
    assert_false(cast(w, false).hit);
    w->scene.clip_max[2] = NAN;
    assert_false(cast(w, true).hit);
}

static void test_slice_plane(void **state)
{
    struct world *w = *state;
    slab(w, 0, 16, 255);
    put(w, 16, 16, 20, 200);
    w->scene.slice_on[2] = true;
    w->scene.opacity[200] = 0.75f;
    struct vt_colour c = vt_palette_class(VT_PALETTE_DEFAULT, VT_CLASS_USER_HEAP);
    for (int slices = 0; slices < 2; slices++) {
        w->scene.slice[2] = 18.5f / SIDE;
        struct vt_march_ray ray = cast(w, slices);
        assert_int_equal(ray.voxel[2], 20);
        assert_near(ray.rgba[0], 0.75 * channel(c.r, 200) + 0.25 * channel(c.r, 0), 1e-5);
        w->scene.slice[2] = 24.5f / SIDE;
        ray = cast(w, slices);
        assert_int_equal(ray.voxel[2], 24); /* a plane shows what is there, zeros too */
        assert_near(ray.rgba[0], channel(c.r, 0), 1e-5);
        uint32_t *brick = &w->bricks[7]; /* with the voxel at 20 */
        *brick = VT_HOLE;
        ray = cast(w, slices);
        assert_int_equal(ray.voxel[2], 15);
        *brick = 0;
    }
}

static void test_eye_inside(void **state)
{
    struct world *w = *state;
    slab(w, 0, SIDE, 100);
    w->scene.background.a = 0;
    for (unsigned i = 0; i < 3; i++) {
        w->camera.eye[i] = w->camera.target[i] = 0.5;
    }
    w->camera.target[2] = 0;
    for (int slices = 0; slices < 2; slices++) {
        struct vt_march_ray ray = cast(w, slices);
        assert_near(ray.rgba[3], 1 - pow(0.9, 16), 1e-4);
        assert_int_equal(ray.voxel[2], 15);
    }
}

/* A ray that runs exactly in the faces of bricks goes through one voxel of depth after the other.
 */
static void test_along_brick_faces(void **state)
{
    struct world *w = *state;
    slab(w, 0, SIDE, 100);
    w->scene.background.a = 0;
    for (unsigned i = 0; i < 2; i++) {
        w->camera.eye[i] = w->camera.target[i] = 0.5;
    }
    assert_near(cast(w, false).rgba[3], 1 - pow(0.9, 32), 1e-4);
    w->camera.eye[0] = w->camera.target[0] = 1; /* in the cube's own face */
    assert_true(cast(w, false).rgba[3] < 1);
}

static void test_highlight_and_heat(void **state)
{
    struct world *w = *state;
    slab(w, 0, SIDE, 200);
    struct vt_colour cyan = {0, 255, 255, 255};
    struct vt_colour c = vt_palette_class(VT_PALETTE_DEFAULT, VT_CLASS_USER_HEAP);
    w->facts.highlights = &cyan;
    w->facts.n_highlights = 1;
    w->scene.dim_others = true;
    w->scene.background.a = 0;
    w->scene.clip_min[2] = 31.0f / SIDE;
    double dimmed = 1 - exp2(-VT_MARCH_DIM_ABSORB);
    assert_near(cast(w, false).rgba[3], dimmed, 1e-5);
    *attributes_at(w, 16, 16, 31) |= 1u << 16;
    struct vt_march_ray ray = cast(w, false);
    assert_near(ray.rgba[3], 0.5, 1e-5);
    assert_near(ray.rgba[0], (1 - VT_MARCH_TINT) * channel(c.r, 200), 1e-5);
    w->scene.only_owner = 1;
    assert_near(cast(w, false).rgba[3], dimmed, 1e-5);
    w->scene.only_owner = 0;
    w->scene.heat = true;
    assert_near(cast(w, false).rgba[3], 0.5, 1e-5);                 /* never written */
    w->newest[attributes_at(w, 16, 16, 31) - w->attributes] = 4000; /* a half-life ago */
    assert_near(cast(w, false).rgba[3], 1 - exp2(-1 - VT_MARCH_HEAT_ABSORB / 2), 1e-5);
    w->newest[attributes_at(w, 16, 16, 31) - w->attributes] = 6000; /* ahead: now */
    assert_near(cast(w, false).rgba[3], 1 - exp2(-1 - VT_MARCH_HEAT_ABSORB), 1e-5);
}

static void test_bad_looks(void **state)
{
    struct world *w = *state;
    struct vt_shot shot = {.camera = &w->camera, .scene = &w->scene, .scale = 3};
    struct vt_march_look look;
    struct vt_error err;
    assert_int_equal(vt_march_look_init(&look, &w->facts, &shot, 33, 33, &err), VT_E_INVAL);
    shot.scale = 1;
    w->camera.eye[1] = NAN;
    assert_int_equal(vt_march_look_init(&look, &w->facts, &shot, 33, 33, &err), VT_E_INVAL);
    w->camera.eye[1] = 1e9;
    assert_int_equal(vt_march_look_init(&look, &w->facts, &shot, 33, 33, &err), VT_E_INVAL);
}

/* Every pixel of a coarser picture looks where the middle of the pixels it stands for looks. */
static void test_scale(void **state)
{
    struct world *w = *state;
    put(w, 16, 16, 20, 255);
    struct vt_shot shot = {.camera = &w->camera, .scene = &w->scene, .scale = 8};
    assert_int_equal(vt_march_look_init(&w->look, &w->facts, &shot, 33 * 8, 33 * 8, NULL), 0);
    assert_int_equal(w->look.width, 33);
    struct vt_march_ray ray;
    vt_march_reference(&w->look, &w->ram, 16, 16, &ray);
    assert_int_equal(ray.voxel[2], 20);
    assert_int_equal(vt_march_look_init(&w->look, &w->facts, &shot, 257, 17, NULL), 0);
    assert_int_equal(w->look.width, 33);
    assert_int_equal(w->look.height, 3);
}

#define in_world(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(test_empty),
        in_world(test_slab),
        in_world(test_slab_oblique),
        in_world(test_single_voxel_from_all_sides),
        in_world(test_pick_most_opaque),
        in_world(test_clip),
        in_world(test_slice_plane),
        in_world(test_eye_inside),
        in_world(test_along_brick_faces),
        in_world(test_highlight_and_heat),
        in_world(test_bad_looks),
        in_world(test_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
