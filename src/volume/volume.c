/* volume/volume.c - see volume.h: what a volume takes, and where on the device it lies.
 *
 *   plan     the grid, its nodes, and where each table begins
 *   host     the tables that are kept on this side
 *   device   buffers; RAM in place where the driver lets it, else voxels, all or a pool of them
 *   begin    everything a hole
 */
#include "volume/levels.h"
#include "volume/skins.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shaders/levels.spv.h"
#include "shaders/nodes.spv.h"

#define PAGES_MAX ((uint64_t)VT_CHUNKS_MAX << VT_CHUNK_SHIFT)
/* With a smaller pool a burst of writes would push out what it has just brought in. */
#define SLOTS_MIN 1024u

/* ---- plan ---- */

void vt_node_grid(const uint32_t grid[3], unsigned m, uint32_t nodes[3])
{
    for (unsigned i = 0; i < 3; i++) {
        nodes[i] = (uint32_t)(((uint64_t)grid[i] + (UINT64_C(1) << m) - 1) >> m);
    }
}

/* The tables' places in their buffer; the layout's addresses are set when that is made. */
struct plan {
    uint64_t bricks, offsets, attributes, newest, slots, nodes, bytes;
    uint64_t n_bricks, n_nodes;
    unsigned n_chunks;
};

static uint64_t place(struct plan *plan, uint64_t bytes)
{
    uint64_t at = plan->bytes;
    plan->bytes = (at + bytes + 255) & ~UINT64_C(255);
    return at;
}

static struct plan make_plan(struct vt_volume *v)
{
    uint64_t n = v->n_pages;
    struct plan plan = {.n_bricks = (uint64_t)v->grid[0] * v->grid[1] * v->grid[2]};
    struct vt_volume_layout *layout = &v->layout;
    uint32_t nodes[3];
    unsigned m = 0;
    do {
        m++;
        layout->node_first[m] = (uint32_t)plan.n_nodes;
        vt_node_grid(v->grid, m, nodes);
        plan.n_nodes += (uint64_t)nodes[0] * nodes[1] * nodes[2];
    } while (nodes[0] > 1 || nodes[1] > 1 || nodes[2] > 1);
    layout->n_node_levels = m;
    layout->order = v->order;
    layout->n_pages = v->n_pages;
    memcpy(layout->grid, v->grid, sizeof v->grid);
    for (unsigned i = 0; i < VT_ORIENTATIONS; i++) {
        layout->turns[i] = v->tables->turn[i];
    }
    plan.n_chunks = (unsigned)((n - 1) >> VT_CHUNK_SHIFT) + 1;
    place(&plan, sizeof *layout + plan.n_chunks * sizeof(struct vt_volume_chunk));
    plan.bricks = place(&plan, plan.n_bricks * 4);
    plan.offsets = place(&plan, sizeof v->tables->offset[0]);
    plan.attributes = place(&plan, n * 4);
    plan.newest = place(&plan, n * 4);
    plan.nodes = place(&plan, plan.n_nodes * sizeof(struct vt_volume_node));
    return plan;
}

static uint32_t pages_in_chunk(uint64_t n_pages, unsigned chunk)
{
    uint64_t left = n_pages - ((uint64_t)chunk << VT_CHUNK_SHIFT);
    uint32_t full = UINT32_C(1) << VT_CHUNK_SHIFT;
    return left < full ? (uint32_t)left : full;
}

/* ---- host ---- */

static int make_words(struct vt_page_words *words, uint32_t n_pages, uint32_t word)
{
    words->words = malloc((size_t)n_pages * sizeof *words->words);
    words->stale = calloc((n_pages >> VT_BLOCK_SHIFT) + 1, 1);
    if (words->words == NULL || words->stale == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < n_pages; i++) {
        words->words[i] = word;
    }
    return 0;
}

static int make_host(struct vt_volume *v, const struct plan *plan, struct vt_error *err)
{
    struct vt_volume_build *b = v->build;
    size_t n = v->n_pages;
    v->bricks = malloc(plan->n_bricks * sizeof *v->bricks);
    v->newest = calloc(n, sizeof *v->newest);
    b->brick_of = malloc(n * sizeof *b->brick_of);
    b->orientation = malloc(n);
    b->node_due = calloc(plan->n_nodes, 1);
    b->job_pages = malloc(n * sizeof *b->job_pages);
    b->n_nodes = (uint32_t)plan->n_nodes;
    if (v->bricks == NULL || v->newest == NULL || b->brick_of == NULL || b->orientation == NULL ||
        b->node_due == NULL || b->job_pages == NULL ||
        make_words(&b->attributes, v->n_pages, VT_ATTRIBUTES(VT_CLASS_LIKE_DATA, 0, 0)) != 0) {
        return vt_fail(err, VT_E_NOMEM, "a volume of %zu pages: out of memory", n);
    }
    v->attributes = b->attributes.words;
    b->attributes.offset = plan->attributes;
    memset(v->bricks, 0xff, plan->n_bricks * sizeof *v->bricks);
    for (uint32_t page = 0; page < v->n_pages; page++) {
        uint32_t at[3];
        b->orientation[page] = (uint8_t)vt_brick_of_page(v->tables, v->order, page, at);
        b->brick_of[page] = (at[2] * v->grid[1] + at[1]) * v->grid[0] + at[0];
    }
    return 0;
}

/* ---- device ---- */

static void drop_voxels(struct vt_volume_build *b)
{
    for (unsigned c = 0; c < VT_CHUNKS_MAX; c++) {
        vt_gpu_buffer_destroy(b->chunks[c].voxels);
        b->chunks[c].voxels = NULL;
    }
}

/* Sets build->imported where all of RAM can be used in place. */
static int import(struct vt_volume *v, struct vt_error *err)
{
    struct vt_volume_build *b = v->build;
    if (((uintptr_t)v->bytes & (VT_PAGE_BYTES - 1)) != 0 || !vt_gpu_info(v->gpu)->imports) {
        return 0;
    }
    for (unsigned c = 0; c < b->n_chunks; c++) {
        struct vt_error why;
        uint64_t n = (uint64_t)pages_in_chunk(v->n_pages, c) * VT_PAGE_BYTES;
        const uint8_t *from = v->bytes + ((uint64_t)c << VT_CHUNK_SHIFT) * VT_PAGE_BYTES;
        int rc = vt_gpu_buffer_import(v->gpu, from, n, &b->chunks[c].voxels, &why);
        if (rc == VT_E_UNSUPPORTED) {
            drop_voxels(b);
            return 0;
        }
        if (rc != 0) {
            if (err != NULL) {
                *err = why;
            }
            return rc;
        }
    }
    b->imported = true;
    return 0;
}

static uint64_t mib(uint64_t bytes)
{
    return (bytes + (1 << 20) - 1) >> 20;
}

/* How many pages' voxels there is room for: all, or with an allowance fewer. */
static int make_pool(struct vt_volume *v, struct plan *plan, uint64_t allowance,
                     struct vt_error *err)
{
    struct vt_volume_build *b = v->build;
    uint64_t n = v->n_pages, cells = n * VT_CELLS_BYTES;
    uint64_t tables = plan->bytes + vt_skins_bytes(v->grid);
    uint64_t whole = tables + cells + (b->imported ? 0 : n * VT_PAGE_BYTES), least = whole;
    b->n_slots = v->n_pages;
    if (allowance == 0 || whole <= allowance) {
        return 0;
    }
    if (!b->imported && n > SLOTS_MIN) {
        plan->slots = place(plan, n * 4);
        tables = plan->bytes + vt_skins_bytes(v->grid);
        least = tables + cells + (uint64_t)SLOTS_MIN * VT_PAGE_BYTES;
    }
    if (allowance < least) {
        return vt_fail(err, VT_E_LIMIT,
                       "a volume of %" PRIu64 " MiB of RAM takes at least %" PRIu64
                       " MiB of the device, and it may have %" PRIu64,
                       mib(n * VT_PAGE_BYTES), mib(least), allowance >> 20);
    }
    uint64_t slots = (allowance - tables - cells) / VT_PAGE_BYTES;
    b->n_slots = slots < n ? (uint32_t)slots : v->n_pages;
    v->layout.flags |= VT_VOLUME_POOLED;
    b->page_in = malloc((size_t)b->n_slots * sizeof *b->page_in);
    b->taken_in = calloc(b->n_slots, sizeof *b->taken_in);
    if (b->page_in == NULL || b->taken_in == NULL ||
        make_words(&b->slots, v->n_pages, VT_NO_SLOT) != 0) {
        return vt_fail(err, VT_E_NOMEM, "a volume of %" PRIu64 " pages: out of memory", n);
    }
    memset(b->page_in, 0xff, (size_t)b->n_slots * sizeof *b->page_in);
    b->slots.offset = plan->slots;
    return vt_residency_create(v, &b->residency, err);
}

static int make_device(struct vt_volume *v, const struct plan *plan, struct vt_error *err)
{
    struct vt_volume_build *b = v->build;
    unsigned slot_chunks = ((b->n_slots - 1) >> VT_CHUNK_SHIFT) + 1;
    int rc = vt_gpu_buffer_create(v->gpu, plan->bytes, VT_GPU_DEVICE, &b->tables_buffer, err);
    for (unsigned c = 0; rc == 0 && c < b->n_chunks; c++) {
        rc = vt_gpu_buffer_create(v->gpu, (uint64_t)pages_in_chunk(v->n_pages, c) * VT_CELLS_BYTES,
                                  VT_GPU_DEVICE, &b->chunks[c].cells, err);
    }
    for (unsigned c = 0; rc == 0 && !b->imported && c < slot_chunks; c++) {
        rc = vt_gpu_buffer_create(v->gpu, (uint64_t)pages_in_chunk(b->n_slots, c) * VT_PAGE_BYTES,
                                  VT_GPU_DEVICE, &b->chunks[c].voxels, err);
    }
    if (rc == 0) {
        rc = vt_gpu_buffer_create(
            v->gpu, (uint64_t)v->n_pages * sizeof *b->jobs + plan->n_nodes * sizeof *b->nodes_list,
            VT_GPU_UPLOAD, &b->work, err);
    }
    if (rc == 0) {
        rc = vt_gpu_program_create(v->gpu, vt_spirv_levels, sizeof vt_spirv_levels, VT_LEVELS_PUSH,
                                   NULL, 0, &b->levels, err);
    }
    if (rc == 0) {
        rc = vt_gpu_program_create(v->gpu, vt_spirv_nodes, sizeof vt_spirv_nodes, VT_NODES_PUSH,
                                   NULL, 0, &b->nodes, err);
    }
    return rc;
}

/* ---- begin ---- */

static int upload_tables(struct vt_volume *v, const struct plan *plan, struct vt_error *err)
{
    struct vt_volume_build *b = v->build;
    struct vt_volume_layout *layout = &v->layout;
    struct vt_volume_chunk chunks[VT_CHUNKS_MAX] = {0};
    uint64_t base = b->tables_buffer->address;
    v->address = base;
    layout->bricks = base + plan->bricks;
    layout->offsets = base + plan->offsets;
    layout->attributes = base + plan->attributes;
    layout->newest = base + plan->newest;
    layout->slots = base + plan->slots;
    layout->nodes = base + plan->nodes;
    for (unsigned c = 0; c < b->n_chunks; c++) {
        uint64_t n = pages_in_chunk(v->n_pages, c), cells = b->chunks[c].cells->address;
        chunks[c].level[0] = b->chunks[c].voxels != NULL ? b->chunks[c].voxels->address : 0;
        chunks[c].level[1] = cells;
        chunks[c].level[2] = cells + n * 512;
        chunks[c].level[3] = cells + n * (512 + 64);
        chunks[c].level[4] = cells + n * (512 + 64 + 8);
    }
    int rc = vt_gpu_begin(v->gpu, err);
    if (rc != 0) {
        return rc;
    }
    uint64_t n = (uint64_t)v->n_pages * 4;
    vt_gpu_fill(v->gpu, b->tables_buffer, plan->bricks, plan->n_bricks * 4, VT_HOLE);
    vt_gpu_fill(v->gpu, b->tables_buffer, plan->attributes, n, v->attributes[0]);
    vt_gpu_fill(v->gpu, b->tables_buffer, plan->newest, n, 0);
    vt_gpu_fill(v->gpu, b->tables_buffer, plan->nodes,
                plan->n_nodes * sizeof(struct vt_volume_node), 0);
    if (plan->slots != 0) {
        vt_gpu_fill(v->gpu, b->tables_buffer, plan->slots, n, VT_NO_SLOT);
    }
    rc = vt_gpu_end_and_wait(v->gpu, NULL, err);
    if (rc == 0) {
        rc = vt_gpu_upload(v->gpu, b->tables_buffer, 0, layout, sizeof *layout, err);
    }
    if (rc == 0) {
        rc = vt_gpu_upload(v->gpu, b->tables_buffer, sizeof *layout, chunks,
                           b->n_chunks * sizeof *chunks, err);
    }
    if (rc == 0) {
        rc = vt_gpu_upload(v->gpu, b->tables_buffer, plan->offsets, v->tables->offset[0],
                           sizeof v->tables->offset[0], err);
    }
    return rc;
}

static int make(struct vt_volume *v, const struct vt_volume_options *options, struct vt_error *err)
{
    struct vt_volume_build *b = v->build;
    struct vt_box box;
    int rc = vt_volume_box(v->order, (struct vt_off){0}, (uint64_t)v->n_pages * VT_PAGE_BYTES, &box,
                           err);
    if (rc != 0) {
        return rc;
    }
    for (unsigned i = 0; i < 3; i++) {
        v->grid[i] = (box.max[i] >> VT_BRICK_ORDER) + 1;
    }
    vt_bricks_init(&b->tables);
    v->tables = &b->tables;
    struct plan plan = make_plan(v);
    b->n_chunks = plan.n_chunks;
    if (!options->copy) {
        rc = import(v, err);
    }
    if (rc == 0) {
        rc = make_pool(v, &plan, options->memory_bytes, err);
    }
    if (rc == 0) { /* first what may well be too much */
        rc = make_device(v, &plan, err);
    }
    if (rc == 0) {
        rc = make_host(v, &plan, err);
    }
    if (rc == 0) {
        rc = vt_skins_create(v, &v->skins, err);
    }
    if (rc == 0) {
        b->jobs = (struct vt_job *)(void *)b->work->mapped;
        b->nodes_list = (uint32_t *)(void *)(b->work->mapped + v->n_pages * sizeof *b->jobs);
        rc = upload_tables(v, &plan, err);
    }
    return rc;
}

int vt_volume_create(struct vt_gpu *gpu, const uint8_t *bytes, uint64_t n_pages,
                     const struct vt_volume_options *options, struct vt_volume **volume,
                     struct vt_error *err)
{
    static const struct vt_volume_options plain = {0};
    options = options != NULL ? options : &plain;
    if (n_pages == 0 || options->n_regions > VT_RAM_REGIONS_MAX) {
        return vt_fail(err, VT_E_INVAL, "a volume of %" PRIu64 " pages and %u regions", n_pages,
                       options->n_regions);
    }
    if (n_pages >= PAGES_MAX) {
        return vt_fail(err, VT_E_LIMIT, "a volume of %" PRIu64 " pages: at most %" PRIu64, n_pages,
                       PAGES_MAX - 1);
    }
    struct vt_volume *v = calloc(1, sizeof *v);
    struct vt_volume_build *b = calloc(1, sizeof *b);
    if (v == NULL || b == NULL) {
        free(v);
        free(b);
        return vt_fail(err, VT_E_NOMEM, "a volume: out of memory");
    }
    v->gpu = gpu;
    v->bytes = bytes;
    v->n_pages = (uint32_t)n_pages;
    v->order = vt_volume_order(n_pages * VT_PAGE_BYTES);
    v->build = b;
    b->n_regions = options->n_regions;
    if (b->n_regions > 0) {
        memcpy(b->regions, options->regions, b->n_regions * sizeof *b->regions);
    }
    int rc = make(v, options, err);
    if (rc != 0) {
        vt_volume_destroy(v);
        return rc;
    }
    *volume = v;
    return 0;
}

void vt_volume_destroy(struct vt_volume *volume)
{
    if (volume == NULL) {
        return;
    }
    struct vt_volume_build *b = volume->build;
    vt_skins_destroy(volume->skins);
    free(volume->boxes);
    vt_residency_destroy(b->residency);
    vt_gpu_program_destroy(b->levels);
    vt_gpu_program_destroy(b->nodes);
    vt_gpu_buffer_destroy(b->work);
    vt_gpu_buffer_destroy(b->tables_buffer);
    drop_voxels(b);
    for (unsigned c = 0; c < b->n_chunks; c++) {
        vt_gpu_buffer_destroy(b->chunks[c].cells);
    }
    free(b->brick_of);
    free(b->orientation);
    free(b->attributes.words);
    free(b->attributes.stale);
    free(b->slots.words);
    free(b->slots.stale);
    free(b->page_in);
    free(b->taken_in);
    free(b->node_due);
    free(b->job_pages);
    free(b->highlight);
    free(b);
    free(volume->bricks);
    free(volume->newest);
    free(volume);
}

unsigned vt_volume_side(const struct vt_volume *volume)
{
    return volume->order;
}

uint64_t vt_volume_gpu_bytes(const struct vt_volume *volume)
{
    const struct vt_volume_build *b = volume->build;
    uint64_t bytes = b->tables_buffer->bytes + vt_skins_bytes(volume->grid);
    for (unsigned c = 0; c < b->n_chunks; c++) {
        bytes += b->chunks[c].cells->bytes;
        bytes += b->imported || b->chunks[c].voxels == NULL ? 0 : b->chunks[c].voxels->bytes;
    }
    return bytes;
}

void vt_volume_touch(const struct vt_volume *volume)
{
    if (volume->build->imported && volume->version > 0) {
        (void)*(const volatile uint8_t *)(volume->bytes + (size_t)volume->last * VT_PAGE_BYTES);
    }
}

uint32_t vt_volume_brick_at(const struct vt_volume *volume, const uint32_t voxel[3])
{
    uint32_t x = voxel[0] >> VT_BRICK_ORDER, y = voxel[1] >> VT_BRICK_ORDER;
    uint32_t z = voxel[2] >> VT_BRICK_ORDER;
    const uint32_t *grid = volume->grid;
    return x < grid[0] && y < grid[1] && z < grid[2]
               ? volume->bricks[((size_t)z * grid[1] + y) * grid[0] + x]
               : VT_HOLE;
}
