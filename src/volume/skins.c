/* volume/skins.c - see skins.h. The host decides when skins are stale: it compares what of a look
 * they are made of, and how hot the hottest page still is. */
#include "volume/skins.h"

#include <stdlib.h>
#include <string.h>

#include "shaders/skins.spv.h"

#define IN_GROUP 64u     /* bricks of a group, and groups of a supergroup */
#define GROUPS_X 32768u  /* of a dispatch */
#define COLD_HALVINGS 12 /* of heat, until a page is as one never written */

struct push {
    uint64_t volume, look;
    struct vt_skins_at at;
};

struct vt_skins {
    struct vt_gpu_buffer *buffer;
    uint32_t n_supergroups;
    struct vt_gpu_program *programs[2]; /* bricks and groups; supergroups */
    struct vt_skins_at at;
    /* What they were made of last. */
    bool made, hot;
    uint64_t version;
    struct vt_march_look look;
};

static uint64_t supergroups(const uint32_t grid[3])
{
    uint64_t n = 1;
    for (unsigned i = 0; i < 3; i++) {
        n *= (grid[i] + 15) / 16;
    }
    return n;
}

uint64_t vt_skins_bytes(const uint32_t grid[3])
{
    return supergroups(grid) * (IN_GROUP * IN_GROUP + 2 * IN_GROUP + 1) * 8;
}

int vt_skins_create(const struct vt_volume *volume, struct vt_skins **skins, struct vt_error *err)
{
    struct vt_skins *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "skins of bricks: out of memory");
    }
    made->n_supergroups = (uint32_t)supergroups(volume->grid);
    int rc = vt_gpu_buffer_create(volume->gpu, vt_skins_bytes(volume->grid), VT_GPU_DEVICE,
                                  &made->buffer, err);
    for (uint32_t i = 0; rc == 0 && i < 2; i++) {
        const uint32_t constants[2] = {0, i};
        rc = vt_gpu_program_create(volume->gpu, vt_spirv_skins, sizeof vt_spirv_skins,
                                   sizeof(struct push), constants, 2, &made->programs[i], err);
    }
    if (rc != 0) {
        vt_skins_destroy(made);
        return rc;
    }
    uint64_t n = made->n_supergroups;
    made->at.skins = made->buffer->address;
    made->at.groups = made->at.skins + n * IN_GROUP * IN_GROUP * 8;
    made->at.group_skins = made->at.groups + n * IN_GROUP * 8;
    made->at.supergroups = made->at.group_skins + n * IN_GROUP * 8;
    *skins = made;
    return 0;
}

void vt_skins_destroy(struct vt_skins *skins)
{
    if (skins != NULL) {
        vt_gpu_program_destroy(skins->programs[0]);
        vt_gpu_program_destroy(skins->programs[1]);
        vt_gpu_buffer_destroy(skins->buffer);
        free(skins);
    }
}

void vt_skins_forget(struct vt_volume *volume)
{
    volume->skins->made = false;
}

static bool same_floats(const float *a, const float *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i]) {
        i++;
    }
    return i == n;
}

/* What skins.comp reads of a look. */
static bool same(const struct vt_march_look *a, const struct vt_march_look *b)
{
    return a->flags == b->flags && a->only_owner == b->only_owner &&
           a->heat_decay == b->heat_decay && same_floats(a->absorption, b->absorption, 256) &&
           same_floats(a->class_opacity, b->class_opacity, 32) &&
           memcmp(a->highlights, b->highlights, sizeof a->highlights) == 0 &&
           memcmp(a->colours, b->colours, sizeof a->colours) == 0;
}

static bool any_heat(const struct vt_volume *volume, const struct vt_march_look *look)
{
    double age_ms = look->now_ms > volume->hottest ? look->now_ms - volume->hottest : 0;
    return (look->flags & VT_MARCH_HEAT) != 0 && volume->hottest != 0 &&
           age_ms * -(double)look->heat_decay < COLD_HALVINGS;
}

static void dispatch(const struct vt_volume *volume, const struct vt_gpu_program *program,
                     uint64_t look_at, uint32_t n)
{
    const struct push push = {volume->address, look_at, volume->skins->at};
    vt_gpu_dispatch(volume->gpu, program, &push, n < GROUPS_X ? n : GROUPS_X,
                    (n + GROUPS_X - 1) / GROUPS_X, 1);
    vt_gpu_barrier(volume->gpu);
}

void vt_skins_record(struct vt_volume *volume, const struct vt_march_look *look, uint64_t look_at,
                     struct vt_skins_at *at)
{
    struct vt_skins *skins = volume->skins;
    *at = skins->at;
    bool hot = any_heat(volume, look);
    if (skins->made && !skins->hot && !hot && skins->version == volume->version &&
        same(&skins->look, look)) {
        return;
    }
    vt_gpu_span(volume->gpu, "skins");
    dispatch(volume, skins->programs[0], look_at, skins->n_supergroups * IN_GROUP);
    dispatch(volume, skins->programs[1], look_at, skins->n_supergroups);
    skins->made = true;
    skins->hot = hot;
    skins->version = volume->version;
    skins->look = *look;
}
