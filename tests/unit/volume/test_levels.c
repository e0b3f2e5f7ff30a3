/* Every table of a volume on the device against what RAM, the curve and the updates say. The
 * reference goes by voxels' places in the cube, not along the curve as the device does. */
#include "tests/unit/volume/gpu_harness.h"

#include "volume/levels.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

static struct vt_gpu *gpu;

/* ---- chance ---- */

static uint64_t chance_state = 88172645463325252;
static uint32_t chance(uint32_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (uint32_t)((chance_state >> 20) % below);
}

/* Some pages stay zero, some are sparse, some full of one value, some random. */
static void fill_page(uint8_t *page)
{
    unsigned kind = chance(5), n = kind == 1 ? 1 + chance(12) : 0;
    memset(page, kind == 2 ? (int)(1 + chance(255)) : 0, 4096);
    for (unsigned i = 0; i < n; i++) {
        page[chance(4096)] = n == 1 ? 1 : (uint8_t)(1 + chance(255));
    }
    for (unsigned i = 0; kind > 2 && i < 4096; i++) {
        page[i] = (uint8_t)chance(kind == 3 ? 3 : 256);
    }
}

/* ---- what is expected ---- */

struct world {
    uint32_t n_pages;
    uint8_t *ram;
    struct vt_volume *volume;
    uint8_t *classes, *owners;
    bool *present;
    uint32_t *newest;
    uint16_t *highlight;
    uint64_t *pages; /* for updates */
};

static void world_init(struct world *w, uint32_t n_pages, const struct vt_volume_options *options)
{
    struct vt_error err;
    *w = (struct world){.n_pages = n_pages};
    w->ram = mmap(NULL, (size_t)n_pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                  -1, 0);
    assert_ptr_not_equal(w->ram, MAP_FAILED);
    w->classes = malloc(n_pages);
    w->owners = calloc(n_pages, 1);
    w->present = calloc(n_pages, sizeof *w->present);
    w->newest = calloc(n_pages, sizeof *w->newest);
    w->highlight = calloc(n_pages, sizeof *w->highlight);
    w->pages = calloc(n_pages, sizeof *w->pages);
    assert_true(w->classes && w->owners && w->present && w->newest && w->highlight && w->pages);
    memset(w->classes, VT_CLASS_LIKE_DATA, n_pages);
    if (vt_volume_create(gpu, w->ram, n_pages, options, &w->volume, &err) != 0) {
        fail_msg("%s", err.message);
    }
}

static void world_fini(struct world *w)
{
    vt_volume_destroy(w->volume);
    munmap(w->ram, (size_t)w->n_pages * 4096);
    free(w->classes);
    free(w->owners);
    free(w->present);
    free(w->newest);
    free(w->highlight);
    free(w->pages);
}

static void *device_bytes(const struct world *w, const struct vt_gpu_buffer *buffer,
                          uint64_t address, uint64_t n)
{
    struct vt_error err;
    void *bytes = malloc(n);
    assert_non_null(bytes);
    if (vt_gpu_download(w->volume->gpu, buffer, address - buffer->address, bytes, n, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return bytes;
}

static void *table(const struct world *w, uint64_t address, uint64_t n)
{
    return device_bytes(w, w->volume->build->tables_buffer, address, n);
}

/* The mean of n bytes as levels keep it. */
static uint32_t mean_of(uint64_t sum, uint64_t n)
{
    uint64_t mean = (2 * sum + n) / (2 * n);
    return mean == 0 && sum > 0 ? 1 : (uint32_t)mean;
}

/* All levels of one page, cell by cell. */
static void check_cells(const struct world *w, uint32_t page, uint8_t *const level[5])
{
    static const uint32_t bytes_of[5] = {4096, 512, 64, 8, 1};
    const struct vt_volume *v = w->volume;
    uint32_t brick[3];
    unsigned orientation = vt_brick_of_page(v->tables, v->order, page, brick);
    static uint32_t voxels[4096][3];
    for (uint32_t byte = 0; byte < 4096; byte++) {
        vt_hilbert3d_point(v->order, (uint64_t)page * 4096 + byte, voxels[byte]);
    }
    for (unsigned l = 1; l <= 4; l++) {
        unsigned side = 16u >> l;
        uint32_t sums[512] = {0};
        for (uint32_t byte = 0; byte < 4096; byte++) {
            const uint32_t *p = voxels[byte];
            uint32_t x = (p[0] & 15) >> l, y = (p[1] & 15) >> l, z = (p[2] & 15) >> l;
            sums[(z * side + y) * side + x] += w->ram[(size_t)page * 4096 + byte];
        }
        for (uint32_t cell = 0; cell < side * side * side; cell++) {
            uint32_t x = cell % side, y = cell / side % side, z = cell / side / side;
            uint32_t voxel = (x | y << 4 | z << 8) << l;
            uint32_t at = v->tables->offset[orientation][voxel] >> (3 * l);
            assert_int_equal(level[l][(size_t)page * bytes_of[l] + at],
                             mean_of(sums[cell], UINT64_C(1) << (3 * l)));
        }
    }
}

static bool is_zero(const struct world *w, uint32_t page)
{
    const uint8_t *bytes = w->ram + (size_t)page * 4096;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, 4095) == 0;
}

struct expected {
    uint32_t mean, present, newest, classes, owners;
    unsigned page_class;
    bool lit;
};

/* Node n, of the expected ones of the level below. */
static struct expected expect_node(const struct expected *of, const uint32_t below[3],
                                   const uint32_t n[3])
{
    struct expected e = {0};
    uint32_t votes[256] = {0}, most = 0, mean = 0, present = 0;
    for (unsigned k = 0; k < 8; k++) {
        uint32_t x = 2 * n[0] + (k & 1), y = 2 * n[1] + (k >> 1 & 1), z = 2 * n[2] + (k >> 2);
        if (x < below[0] && y < below[1] && z < below[2]) {
            const struct expected *c = &of[((size_t)z * below[1] + y) * below[0] + x];
            mean += c->mean;
            present += c->present;
            votes[c->page_class] += c->present;
            e.lit |= c->lit;
            e.newest = c->newest > e.newest ? c->newest : e.newest;
            e.classes |= c->classes;
            e.owners |= c->owners;
        }
    }
    e.mean = mean_of(mean, 8);
    e.present = (present + 7) / 8;
    for (unsigned c = 0; c < 256; c++) {
        if (votes[c] > most) {
            most = votes[c];
            e.page_class = c;
        }
    }
    return e;
}

static void check_nodes(const struct world *w, struct expected *of)
{
    const struct vt_volume *v = w->volume;
    uint32_t below[3], grid[3] = {0}, n[3];
    memcpy(below, v->grid, sizeof below);
    unsigned top = v->layout.n_node_levels;
    struct vt_volume_node *nodes = table(w, v->layout.nodes, v->build->n_nodes * sizeof *nodes);
    uint32_t seen = 0;
    for (unsigned m = 1; m <= top; m++) {
        assert_int_equal(v->layout.node_first[m], seen);
        for (unsigned i = 0; i < 3; i++) {
            grid[i] = (below[i] + 1) / 2;
        }
        size_t n_nodes = (size_t)grid[0] * grid[1] * grid[2];
        struct expected *level = calloc(n_nodes, sizeof *level);
        assert_non_null(level);
        for (size_t i = 0; i < n_nodes; i++) {
            n[0] = (uint32_t)(i % grid[0]);
            n[1] = (uint32_t)(i / grid[0] % grid[1]);
            n[2] = (uint32_t)(i / grid[0] / grid[1]);
            level[i] = expect_node(of, below, n);
            const struct expected *e = &level[i];
            const struct vt_volume_node *node = &nodes[seen + i];
            assert_int_equal(node->summary, e->mean | e->page_class << 8 | e->present << 16 |
                                                (uint32_t)e->lit << 24);
            assert_int_equal(node->newest, e->newest);
            assert_int_equal(node->classes, e->classes);
            assert_int_equal(node->owners, e->owners);
        }
        memcpy(below, grid, sizeof below);
        free(of);
        of = level;
        seen += (uint32_t)n_nodes;
    }
    assert_true(grid[0] == 1 && grid[1] == 1 && grid[2] == 1);
    assert_int_equal(seen, v->build->n_nodes);
    free(nodes);
    free(of);
}

static void check_voxels(const struct world *w)
{
    const struct vt_volume *v = w->volume;
    const struct vt_volume_build *b = v->build;
    if (b->imported) {
        return; /* it is the RAM */
    }
    bool pooled = (v->layout.flags & VT_VOLUME_POOLED) != 0;
    const struct vt_gpu_buffer *buffer = b->chunks[0].voxels;
    uint8_t *voxels = device_bytes(w, buffer, buffer->address, buffer->bytes);
    uint32_t *slots = pooled ? table(w, v->layout.slots, (uint64_t)w->n_pages * 4) : NULL;
    bool *used = calloc(b->n_slots, sizeof *used);
    assert_non_null(used);
    for (uint32_t page = 0; page < w->n_pages; page++) {
        uint32_t slot = pooled ? slots[page] : page;
        if (slot == VT_NO_SLOT || !w->present[page]) {
            assert_true(!pooled || slot == VT_NO_SLOT);
            continue;
        }
        assert_true(slot < b->n_slots);
        assert_false(used[slot]);
        used[slot] = true;
        assert_memory_equal(voxels + (size_t)slot * 4096, w->ram + (size_t)page * 4096, 4096);
    }
    free(voxels);
    free(slots);
    free(used);
}

static void check(const struct world *w)
{
    const struct vt_volume *v = w->volume;
    const struct vt_volume_build *b = v->build;
    size_t n_bricks = (size_t)v->grid[0] * v->grid[1] * v->grid[2], n_present = 0;
    uint32_t *bricks = table(w, v->layout.bricks, n_bricks * 4);
    uint32_t *attributes = table(w, v->layout.attributes, (uint64_t)w->n_pages * 4);
    uint32_t *newest = table(w, v->layout.newest, (uint64_t)w->n_pages * 4);
    uint8_t *cells =
        device_bytes(w, b->chunks[0].cells, b->chunks[0].cells->address, b->chunks[0].cells->bytes);
    size_t n = w->n_pages;
    uint8_t *const level[5] = {NULL, cells, cells + n * 512, cells + n * 576, cells + n * 584};
    struct expected *of = calloc(n_bricks, sizeof *of);
    assert_non_null(of);
    for (uint32_t page = 0; page < w->n_pages; page++) {
        uint32_t at[3];
        unsigned orientation = vt_brick_of_page(v->tables, v->order, page, at);
        size_t brick = ((size_t)at[2] * v->grid[1] + at[1]) * v->grid[0] + at[0];
        assert_true(brick < n_bricks);
        uint32_t a = VT_ATTRIBUTES(w->classes[page], w->owners[page], w->highlight[page]);
        assert_int_equal(attributes[page], a);
        assert_int_equal(v->attributes[page], a);
        if (!w->present[page]) {
            assert_int_equal(bricks[brick], VT_HOLE);
            assert_int_equal(v->bricks[brick], VT_HOLE);
            continue;
        }
        n_present++;
        assert_int_equal(newest[page], w->newest[page]);
        assert_int_equal(v->newest[page], w->newest[page]);
        assert_int_equal(v->bricks[brick], page << 6 | orientation);
        assert_int_equal(bricks[brick],
                         page << 6 | orientation | (is_zero(w, page) ? VT_BRICK_ZERO : 0));
        check_cells(w, page, level);
        of[brick] = (struct expected){
            .mean = level[4][page],
            .present = 255,
            .newest = w->newest[page],
            .classes = UINT32_C(1) << w->classes[page],
            .owners = w->owners[page] > 0 ? UINT32_C(1) << (w->owners[page] & 31) : 0,
            .page_class = w->classes[page],
            .lit = w->highlight[page] > 0,
        };
    }
    size_t holes = 0;
    for (size_t i = 0; i < n_bricks; i++) {
        holes += bricks[i] == VT_HOLE;
    }
    assert_int_equal(holes, n_bricks - n_present);
    check_nodes(w, of);
    check_voxels(w);
    free(bricks);
    free(attributes);
    free(newest);
    free(cells);
}

/* ---- updates ---- */

static struct vt_volume_cost update(struct world *w, const struct vt_volume_update *what)
{
    struct vt_error err;
    struct vt_volume_cost cost = {.bricks = 12345};
    if (vt_volume_update(w->volume, what, &cost, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return cost;
}

/* Changes one page of `one_of` and says so. */
static void change_pages(struct world *w, uint32_t one_of, double now_s)
{
    size_t n = 0;
    for (uint32_t page = 0; page < w->n_pages; page++) {
        if (chance(one_of) == 0) {
            fill_page(w->ram + (size_t)page * 4096);
            w->pages[n++] = page;
            w->present[page] = true;
            w->newest[page] = vt_volume_ms(now_s);
        }
    }
    struct vt_volume_cost cost =
        update(w, &(struct vt_volume_update){.pages = w->pages, .n_pages = n, .now_s = now_s});
    assert_true(cost.bricks == n);
    assert_true(cost.uploaded_bytes == (w->volume->build->imported ? 0 : n * 4096));
}

static void change_attributes(struct world *w, bool with_owners)
{
    for (uint32_t page = 0; page < w->n_pages; page++) {
        if (chance(3) == 0) {
            w->classes[page] = (uint8_t)chance(VT_CLASSES);
            w->owners[page] = with_owners ? (uint8_t)chance(65) : w->owners[page];
        }
        w->present[page] = w->present[page] && w->classes[page] != VT_CLASS_HOLE;
    }
    struct vt_volume_cost cost =
        update(w, &(struct vt_volume_update){.classes = w->classes,
                                             .owners = with_owners ? w->owners : NULL});
    assert_true(cost.bricks == 0 && cost.uploaded_bytes == 0);
}

static void all_pages(struct world *w, double now_s)
{
    uint64_t n = 0;
    for (uint32_t page = 0; page < w->n_pages; page++) {
        if (w->classes[page] != VT_CLASS_HOLE) {
            fill_page(w->ram + (size_t)page * 4096);
            w->present[page] = true;
            w->newest[page] = 0;
            n++;
        } else {
            w->present[page] = false;
        }
    }
    struct vt_volume_cost cost =
        update(w, &(struct vt_volume_update){.all = true, .classes = w->classes, .now_s = now_s});
    assert_true(cost.bricks == n);
}

static void a_life(uint32_t n_pages, const struct vt_volume_options *options)
{
    struct world w;
    world_init(&w, n_pages, options);
    check(&w);
    change_pages(&w, 2, 0.5);
    check(&w);
    change_attributes(&w, true);
    check(&w);
    change_pages(&w, 5, 1.25);
    check(&w);
    all_pages(&w, 2);
    check(&w);
    change_attributes(&w, false);
    change_pages(&w, 50, 3);
    check(&w);
    struct vt_volume_cost cost = update(&w, &(struct vt_volume_update){.now_s = 4});
    assert_true(cost.bricks == 0 && cost.uploaded_bytes == 0);
    check(&w);
    world_fini(&w);
}

static void volumes_of_every_size(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 7, 37, 64, 300, 513};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        a_life(sizes[i], &(struct vt_volume_options){.copy = true});
        a_life(sizes[i], NULL);
    }
}

/* Voxels of the pages that were written last, levels of all. */
static void a_pool_when_memory_is_short(void **state)
{
    (void)state;
    struct vt_volume_options options = {.copy = true, .memory_bytes = 7 << 20};
    struct world w;
    world_init(&w, 2001, &options);
    assert_int_equal(w.volume->layout.flags, VT_VOLUME_POOLED);
    assert_true(vt_volume_gpu_bytes(w.volume) <= options.memory_bytes);
    assert_in_range(w.volume->build->n_slots, 1024, 2000);
    all_pages(&w, 1);
    check(&w);
    for (unsigned i = 0; i < 12; i++) { /* until slots have gone round */
        change_pages(&w, 3, 2 + i);
        check_voxels(&w);
        const struct vt_page_words *slots = &w.volume->build->slots;
        for (uint32_t page = 0; page < w.n_pages; page++) {
            assert_true(w.newest[page] != vt_volume_ms(2 + i) || slots->words[page] != VT_NO_SLOT);
        }
    }
    check(&w);
    change_attributes(&w, true);
    check(&w);
    world_fini(&w);
}

static void highlights_lie_where_ram_does(void **state)
{
    (void)state;
    /* RAM-file pages 0-99 at 1 MiB, the rest at 16 MiB. */
    const struct vt_ram_region regions[] = {
        {.gpa = {1 << 20}, .offset = {0}, .bytes = 100 * 4096},
        {.gpa = {16 << 20}, .offset = {100 * 4096}, .bytes = 200 * 4096},
    };
    struct world w;
    world_init(&w, 300, &(struct vt_volume_options){.regions = regions, .n_regions = 2});
    all_pages(&w, 1);
    struct vt_gpa_run first[] = {{{(1 << 20) + 10 * 4096}, 5 * 4096}, {{16 << 20}, 4096}};
    struct vt_gpa_run second[] = {{{(1 << 20) + 12 * 4096}, 4096}, {{1 << 30}, 4096}};
    struct vt_highlight list[] = {{.runs = first, .n_runs = 2}, {.runs = second, .n_runs = 2}};
    struct vt_highlights set = {.all = list, .n = 2};
    update(&w, &(struct vt_volume_update){.highlights = &set});
    for (uint32_t page = 10; page < 15; page++) {
        w.highlight[page] = page == 12 ? 2 : 1;
    }
    w.highlight[100] = 1;
    check(&w);
    change_attributes(&w, true); /* does not touch highlights */
    check(&w);
    set.n = 0;
    update(&w, &(struct vt_volume_update){.highlights = &set});
    memset(w.highlight, 0, w.n_pages * sizeof *w.highlight);
    check(&w);
    world_fini(&w);
}

/* RAM, a seventh of it and a little: at the sizes guests have. */
static void what_it_takes(void **state)
{
    (void)state;
    static const uint32_t mibs[] = {64, 96, 128};
    for (size_t i = 0; i < sizeof mibs / sizeof *mibs; i++) {
        struct world w;
        uint64_t before, after, ram = (uint64_t)mibs[i] << 20;
        vt_gpu_memory(gpu, &before, &(uint64_t){0});
        world_init(&w, mibs[i] * 256, &(struct vt_volume_options){.copy = true});
        uint64_t takes = vt_volume_gpu_bytes(w.volume);
        assert_true(takes > ram + ram / 8 && takes * 100 <= ram * 115);
        vt_gpu_memory(gpu, &after, &(uint64_t){0});
        assert_true(after - before >= takes);
        world_fini(&w);
        vt_gpu_memory(gpu, &after, &(uint64_t){0});
        assert_true(after == before);
    }
}

static void what_is_refused(void **state)
{
    (void)state;
    struct vt_error err;
    struct vt_volume *volume = NULL;
    static const uint8_t one[4096];
    struct vt_volume_options little = {.copy = true, .memory_bytes = 1 << 20};
    assert_int_equal(vt_volume_create(gpu, one, 0, NULL, &volume, &err), VT_E_INVAL);
    assert_int_equal(vt_volume_create(gpu, one, UINT64_C(1) << 26, NULL, &volume, &err),
                     VT_E_LIMIT);
    assert_int_equal(vt_volume_create(gpu, one, 4096, &little, &volume, &err), VT_E_LIMIT);
    assert_non_null(strstr(err.message, "may have 1"));
    assert_null(volume);

    struct world w;
    world_init(&w, 20, NULL);
    uint64_t pages[] = {3, 3, 20};
    struct vt_volume_cost cost = {.bricks = 7};
    struct vt_volume_update twice = {.pages = pages, .n_pages = 2};
    struct vt_volume_update past = {.pages = pages + 1, .n_pages = 2};
    assert_int_equal(vt_volume_update(w.volume, &twice, &cost, &err), VT_E_INVAL);
    assert_int_equal(vt_volume_update(w.volume, &past, &cost, &err), VT_E_INVAL);
    assert_true(cost.bricks == 7);
    check(&w);
    world_fini(&w);
    vt_volume_destroy(NULL);
}

static int close_gpu(void **state)
{
    (void)state;
    return vt_test_gpu_teardown((void **)&gpu);
}

int main(void)
{
    gpu = vt_test_gpu_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volumes_of_every_size),
        cmocka_unit_test(a_pool_when_memory_is_short),
        cmocka_unit_test(highlights_lie_where_ram_does),
        cmocka_unit_test(what_it_takes),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, close_gpu);
}
