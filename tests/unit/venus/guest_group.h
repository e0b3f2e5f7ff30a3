/* tests/unit/venus/guest_group.h - tests on whichever driver is here, each with a guest of its own
 * in *state. */
#ifndef VT_TESTS_VENUS_GUEST_GROUP_H
#define VT_TESTS_VENUS_GUEST_GROUP_H

#include "tests/unit/venus/guest.h"

static struct vt_venus_renderer *renderer;
static bool (*group_ready)(struct guest *guest);

static inline int group_setup(void **state)
{
    struct guest *guest = malloc(sizeof *guest);
    *state = guest;
    guest_init(guest, renderer);
    return group_ready(guest) ? 0 : -1;
}

static inline int group_teardown(void **state)
{
    guest_fini(*state);
    free(*state);
    return 0;
}

#define GROUP_TEST(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)

/* `ready` is what each guest begins with. False: no driver here can do that, so there is nothing to
 * test. */
static inline bool group_begin(bool (*ready)(struct guest *guest))
{
    struct vt_error err;
    if (vt_venus_renderer_create(NULL, &renderer, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    struct guest probe;
    guest_init(&probe, renderer);
    bool can = ready(&probe);
    guest_fini(&probe);
    group_ready = ready;
    if (!can) {
        fprintf(stderr, "no Vulkan driver here that can\n");
        vt_venus_renderer_destroy(renderer);
    }
    return can;
}

/* Takes what cmocka said, and gives it back. */
static inline int group_end(int failed)
{
    vt_venus_renderer_destroy(renderer);
    return failed;
}

#endif
