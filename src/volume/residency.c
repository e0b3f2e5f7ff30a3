/* volume/residency.c - see residency.h. Aiming is done anew when the camera has moved a little or
 * RAM has changed; groups are sorted by distance into buckets, not compared. */
#include "volume/residency.h"

#include "volume/levels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_SHIFT 6u
#define GROUP_PAGES (1u << GROUP_SHIFT)
#define GROUP_SIDE 64.0F                      /* voxels */
#define GROUP_REACH (GROUP_SIDE * 0.8660254F) /* from its middle to its corners */
#define PAGES_AT_ONCE 1024u
#define BUCKETS 128
#define BUCKETS_A_DOUBLING 8.0F
#define SEEN_FINER 2.0F /* voxels a pixel: beyond it, level 1 is what is drawn */
#define MOVED 8.0F      /* voxels, until it is aimed again */
#define TURNED 0.999F   /* cosine */
/* Of the slots some stay free for what updates write. */
#define MAY_WANT(slots) ((slots) - (slots) / 8)

struct vt_residency {
    uint32_t n_groups;
    uint8_t (*at)[3];        /* by group, in groups along x, y, z */
    uint8_t *wanted;         /* by group */
    uint8_t *bucket;         /* by group; BUCKETS: not wanted */
    uint32_t *nearest;       /* groups that are wanted */
    uint32_t n_wanted, next; /* of them: what was looked at */
    bool aimed, lost;
    uint64_t version; /* of the volume */
    float eye[3], forward[3], coarse, spread;
};

int vt_residency_create(const struct vt_volume *volume, struct vt_residency **residency,
                        struct vt_error *err)
{
    struct vt_residency *r = calloc(1, sizeof *r);
    uint32_t n = (volume->n_pages + GROUP_PAGES - 1) >> GROUP_SHIFT;
    if (r != NULL) {
        r->n_groups = n;
        r->at = malloc((size_t)n * sizeof *r->at);
        r->wanted = calloc(n, 1);
        r->bucket = malloc(n);
        r->nearest = malloc((size_t)n * sizeof *r->nearest);
    }
    if (r == NULL || r->at == NULL || r->wanted == NULL || r->bucket == NULL ||
        r->nearest == NULL) {
        vt_residency_destroy(r);
        return vt_fail(err, VT_E_NOMEM, "which voxels are on the device: out of memory");
    }
    for (uint32_t g = 0; g < n; g++) {
        uint32_t point[3];
        vt_hilbert3d_point(volume->order, (uint64_t)g * GROUP_PAGES * VT_BRICK_VOXELS, point);
        for (unsigned i = 0; i < 3; i++) {
            r->at[g][i] = (uint8_t)(point[i] >> (VT_BRICK_ORDER + 2));
        }
    }
    *residency = r;
    return 0;
}

void vt_residency_destroy(struct vt_residency *residency)
{
    if (residency != NULL) {
        free(residency->at);
        free(residency->wanted);
        free(residency->bucket);
        free(residency->nearest);
        free(residency);
    }
}

bool vt_residency_wants(const struct vt_residency *residency, uint64_t page)
{
    return residency->wanted[page >> GROUP_SHIFT] != 0;
}

void vt_residency_lost(struct vt_residency *residency)
{
    residency->lost = true;
}

/* ---- aiming ---- */

static float dot(const float a[3], const float b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static bool must_aim(const struct vt_residency *r, const struct vt_volume *volume,
                     const struct vt_march_look *look)
{
    const float by[3] = {look->eye[0] - r->eye[0], look->eye[1] - r->eye[1],
                         look->eye[2] - r->eye[2]};
    return !r->aimed || r->version != volume->version || r->coarse != look->coarse ||
           dot(by, by) > MOVED * MOVED || dot(look->forward, r->forward) < TURNED;
}

/* The tangent of the angle from the picture's middle to its corner. */
static float spread_of(const struct vt_march_look *look)
{
    return sqrtf(dot(look->right, look->right) + dot(look->up, look->up));
}

/* How far away a group is, in eighths of doublings; BUCKETS: not seen, or not that finely. */
static uint8_t bucket_of(const struct vt_residency *r, uint32_t g)
{
    float to[3];
    for (unsigned i = 0; i < 3; i++) {
        to[i] = ((float)r->at[g][i] + 0.5F) * GROUP_SIDE - r->eye[i];
    }
    float square = dot(to, to), ahead = dot(to, r->forward);
    float nearest = fmaxf(sqrtf(square) - GROUP_REACH, 1);
    float aside = sqrtf(fmaxf(square - ahead * ahead, 0));
    if (nearest * r->coarse >= SEEN_FINER || ahead < -GROUP_REACH ||
        aside > ahead * r->spread + GROUP_REACH * (1 + r->spread)) {
        return BUCKETS;
    }
    return (uint8_t)fminf(BUCKETS_A_DOUBLING * log2f(nearest), BUCKETS - 1);
}

static bool is_hole(const struct vt_volume *v, uint32_t page)
{
    return v->bricks[v->build->brick_of[page]] == VT_HOLE;
}

static uint32_t end_of(const struct vt_volume *v, uint32_t g)
{
    uint64_t end = ((uint64_t)g + 1) << GROUP_SHIFT;
    return end < v->n_pages ? (uint32_t)end : v->n_pages;
}

static uint32_t pages_in(const struct vt_volume *v, uint32_t g)
{
    uint32_t n = 0;
    for (uint32_t page = g << GROUP_SHIFT; page < end_of(v, g); page++) {
        n += !is_hole(v, page);
    }
    return n;
}

/* Those of the groups [0, n) of `nearest` that there is room for are wanted. */
static void want(struct vt_residency *r, const struct vt_volume *v, uint32_t n)
{
    uint32_t room = MAY_WANT(v->build->n_slots);
    r->n_wanted = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t pages = pages_in(v, r->nearest[i]);
        if (pages > room) {
            break;
        }
        room -= pages;
        r->wanted[r->nearest[i]] = 1;
        r->n_wanted++;
    }
}

static void aim(struct vt_residency *r, const struct vt_volume *volume,
                const struct vt_march_look *look)
{
    uint32_t first[BUCKETS + 1] = {0}, n = 0;
    memcpy(r->eye, look->eye, sizeof r->eye);
    memcpy(r->forward, look->forward, sizeof r->forward);
    r->coarse = look->coarse;
    r->spread = spread_of(look);
    r->version = volume->version;
    r->aimed = true;
    for (uint32_t g = 0; g < r->n_groups; g++) {
        r->bucket[g] = bucket_of(r, g);
        first[r->bucket[g]]++;
    }
    for (unsigned b = 0; b <= BUCKETS; b++) {
        uint32_t in_bucket = first[b];
        first[b] = n;
        n += in_bucket;
    }
    uint32_t candidates = first[BUCKETS];
    for (uint32_t g = 0; g < r->n_groups; g++) {
        r->nearest[first[r->bucket[g]]++] = g;
    }
    memset(r->wanted, 0, r->n_groups);
    want(r, volume, candidates);
    r->next = 0;
}

/* ---- bringing in ---- */

/* A slot that is free, or whose page is not wanted; VT_NO_SLOT: there is none. */
static uint32_t slot_to_take(const struct vt_residency *r, struct vt_volume_build *b)
{
    for (uint32_t tries = 0; tries < b->n_slots; tries++) {
        uint32_t slot = b->next_slot;
        b->next_slot = (slot + 1) % b->n_slots;
        if (b->page_in[slot] == VT_HOLE || !vt_residency_wants(r, b->page_in[slot])) {
            return slot;
        }
    }
    return VT_NO_SLOT;
}

static int bring_in(struct vt_volume *v, uint32_t page, uint32_t slot, struct vt_error *err)
{
    struct vt_volume_build *b = v->build;
    const uint32_t in_chunk = (UINT32_C(1) << VT_CHUNK_SHIFT) - 1;
    vt_volume_give_slot(v, page, slot);
    return vt_gpu_upload(v->gpu, b->chunks[slot >> VT_CHUNK_SHIFT].voxels,
                         (uint64_t)(slot & in_chunk) * VT_PAGE_BYTES,
                         v->bytes + (uint64_t)page * VT_PAGE_BYTES, VT_PAGE_BYTES, err);
}

int vt_volume_reside(struct vt_volume *volume, const struct vt_march_look *look,
                     struct vt_error *err)
{
    struct vt_volume_build *b = volume->build;
    struct vt_residency *r = b->residency;
    if (r == NULL) {
        return 0;
    }
    if (must_aim(r, volume, look)) {
        aim(r, volume, look);
    } else if (r->lost) {
        r->next = 0;
    }
    r->lost = false;
    uint32_t brought = 0;
    int rc = 0;
    for (; rc == 0 && r->next < r->n_wanted; r->next++) {
        uint32_t g = r->nearest[r->next];
        for (uint32_t page = g << GROUP_SHIFT; rc == 0 && page < end_of(volume, g); page++) {
            if (b->slots.words[page] != VT_NO_SLOT || is_hole(volume, page)) {
                continue;
            }
            uint32_t slot = brought < PAGES_AT_ONCE ? slot_to_take(r, b) : VT_NO_SLOT;
            if (slot == VT_NO_SLOT) {
                return vt_volume_send_slots(volume, err); /* the rest next time */
            }
            rc = bring_in(volume, page, slot, err);
            brought++;
        }
    }
    return rc == 0 && brought > 0 ? vt_volume_send_slots(volume, err) : rc;
}
