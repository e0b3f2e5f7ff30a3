/* Golden maps (golden.h). Look at the pictures before committing rebased ones. */
#include "tests/unit/volume/golden.h"

#include "vitrine/highlight.h"
#include "vitrine/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs of classes of all lengths: the same on every machine. */
static void fill(uint8_t *classes, uint8_t *owners, uint64_t n, unsigned from, unsigned to,
                 struct vt_owner *processes, unsigned n_processes)
{
    uint32_t x = 1;
    for (uint64_t i = 0; i < n;) {
        x = x * 1664525 + 1013904223;
        uint64_t run = (uint64_t)1 << (x >> 29);
        unsigned class = from + (x >> 8) % (to - from + 1);
        bool used = class >= VT_CLASS_USER_CODE && class <= VT_CLASS_USER_STACK;
        unsigned owner = used && n_processes > 0 ? (x >> 20) % (n_processes + 1) : 0;
        for (; run > 0 && i < n; run--, i++) {
            classes[i] = (uint8_t)class;
            owners[i] = (uint8_t)owner;
            if (owner > 0) {
                processes[owner - 1].own_pages++;
                processes[owner - 1].classes[class]++;
            }
        }
    }
}

static void draw_and_compare(struct vt_map_view map, unsigned from, unsigned to, const char *name)
{
    struct vt_owner processes[4] = {
        {.pid = 1, .comm = "init", .mapped_pages = 9},
        {.pid = 4032, .comm = "dropbear", .mapped_pages = 9},
        {.pid = 77, .comm = "a\033[31mname\xff", .mapped_pages = 9},
        {.pid = 999999, .comm = "fifteen-letters", .mapped_pages = 9},
    };
    uint8_t *classes = malloc(map.n_pages), *owners = malloc(map.n_pages);
    assert_true(classes != NULL && owners != NULL);
    fill(classes, owners, map.n_pages, from, to, processes, map.n_processes);
    map.classes = classes;
    map.owners = owners;
    map.processes = processes;
    map.width = 640;
    map.unix_s = 1780000000;
    struct vt_canvas *canvas;
    struct vt_error err;
    assert_int_equal(vt_map_draw(&map, &canvas, &err), 0);
    vt_golden_compare(canvas, name);
    vt_canvas_destroy(canvas);
    free(classes);
    free(owners);
}

static void an_understood_guest(void **state)
{
    (void)state;
    draw_and_compare((struct vt_map_view){.name = "golden",
                                          .system = "Linux 6.1.0-amd64",
                                          .consistency = "paused",
                                          .n_pages = 16384,
                                          .n_processes = 4},
                     VT_CLASS_HOLE, VT_CLASS_USER_STACK, "map-64-mib");
}

static void another_palette_and_two_pages_a_cell(void **state)
{
    (void)state;
    static const struct vt_ram_region regions[] = {
        {VT_GPA(0), VT_OFF(0), 96 << 20},
        {VT_GPA((uint64_t)4 << 30), VT_OFF(96 << 20), 32 << 20},
    };
    draw_and_compare((struct vt_map_view){.name = "colourblind",
                                          .n_pages = 32768,
                                          .n_processes = 2,
                                          .regions = regions,
                                          .n_regions = 2,
                                          .palette = VT_PALETTE_COLORBLIND},
                     VT_CLASS_HOLE, VT_CLASS_USER_STACK, "map-colorblind");
}

static void contents_only_and_an_odd_size(void **state)
{
    (void)state;
    draw_and_compare((struct vt_map_view){.name = "an odd size",
                                          .system = "guest not understood",
                                          .consistency = "live",
                                          .note = "by contents alone: no kernel symbols in RAM",
                                          .n_pages = 200001},
                     VT_CLASS_LIKE_TEXT, VT_CLASS_LIKE_DATA, "map-contents");
}

/* A block, scattered pages, and a run across the hole in memory; the last lies over the first. */
static struct vt_gpa_run block = {VT_GPA(8 << 20), 6 << 20};
static struct vt_gpa_run scattered[40];
static struct vt_gpa_run across[] = {
    {VT_GPA(94 << 20), 2 << 20}, {VT_GPA((uint64_t)4 << 30), 1 << 20}, {VT_GPA(9 << 20), 1 << 20}};
static struct vt_highlight highlights[] = {
    {.label = "sshd [heap]", .colour = {0x00, 0xe5, 0xff, 255}, .runs = &block, .n_runs = 1},
    {.label = "a\033[31mname\xff that is much too long for the legend's column",
     .colour = {0xff, 0xff, 0xff, 255},
     .runs = scattered,
     .n_runs = 40},
    {.label = "page tables", .colour = {0xff, 0x3f, 0xd8, 255}, .runs = across, .n_runs = 3},
};

static void fill_highlights(void)
{
    uint32_t x = 7;
    for (unsigned i = 0; i < 40; i++) {
        x = x * 1664525 + 1013904223;
        scattered[i] = (struct vt_gpa_run){VT_GPA((32 << 20) + (uint64_t)(x >> 20) * 4096), 4096};
    }
    for (unsigned i = 0; i < 3; i++) {
        highlights[i].bytes = 0;
        for (size_t k = 0; k < highlights[i].n_runs; k++) {
            highlights[i].bytes += highlights[i].runs[k].bytes;
        }
    }
}

static void highlights_stand_out(void **state)
{
    (void)state;
    static const struct vt_ram_region regions[] = {
        {VT_GPA(0), VT_OFF(0), 96 << 20},
        {VT_GPA((uint64_t)4 << 30), VT_OFF(96 << 20), 32 << 20},
    };
    fill_highlights();
    draw_and_compare((struct vt_map_view){.name = "highlights",
                                          .n_pages = 32768,
                                          .n_processes = 2,
                                          .regions = regions,
                                          .n_regions = 2,
                                          .highlights = highlights,
                                          .n_highlights = 3},
                     VT_CLASS_HOLE, VT_CLASS_USER_STACK, "map-highlights");
    /* Four pages a dot, without regions, and more highlights than the legend has rows for. */
    struct vt_highlight many[12];
    for (unsigned i = 0; i < 12; i++) {
        many[i] = highlights[i % 3];
    }
    draw_and_compare((struct vt_map_view){.name = "many highlights",
                                          .n_pages = 262144,
                                          .palette = VT_PALETTE_COLORBLIND,
                                          .highlights = many,
                                          .n_highlights = 12},
                     VT_CLASS_HOLE, VT_CLASS_USER_STACK, "map-highlights-many");
}

static void nonsense_is_drawn_or_refused(void **state)
{
    (void)state;
    uint8_t classes[3] = {250, VT_CLASSES, 0}, owners[3] = {255, 64, 1};
    struct vt_map_view map = {.name = "",
                              .classes = classes,
                              .owners = owners,
                              .n_pages = 3,
                              .width = 640,
                              .unix_s = INT64_MIN};
    struct vt_canvas *canvas = NULL;
    struct vt_error err;
    assert_int_equal(vt_map_draw(&map, &canvas, &err), 0);
    vt_canvas_destroy(canvas);
    /* Highlights of another VM, larger than this one; more than there are marks for. */
    struct vt_gpa_run run = {VT_GPA(4096), UINT64_MAX - 8191};
    struct vt_highlight *many = calloc(300, sizeof *many);
    assert_non_null(many);
    for (unsigned i = 0; i < 300; i++) {
        many[i] = (struct vt_highlight){.runs = &run, .n_runs = 1, .bytes = run.bytes};
    }
    map.highlights = many;
    map.n_highlights = 300;
    assert_int_equal(vt_map_draw(&map, &canvas, &err), 0);
    vt_canvas_destroy(canvas);
    free(many);
    map.n_highlights = 0;
    canvas = NULL;
    map.width = 639;
    assert_int_equal(vt_map_draw(&map, &canvas, &err), VT_E_INVAL);
    map.width = 8193;
    assert_int_equal(vt_map_draw(&map, &canvas, &err), VT_E_INVAL);
    map.width = 640;
    map.n_pages = 0;
    assert_int_equal(vt_map_draw(&map, &canvas, &err), VT_E_INVAL);
    map.n_pages = ((uint64_t)1 << 32) + 1;
    assert_int_equal(vt_map_draw(&map, &canvas, &err), VT_E_INVAL);
    assert_null(canvas);
}

int main(int argc, char **argv)
{
    vt_golden_args(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_understood_guest),
        cmocka_unit_test(another_palette_and_two_pages_a_cell),
        cmocka_unit_test(contents_only_and_an_odd_size),
        cmocka_unit_test(highlights_stand_out),
        cmocka_unit_test(nonsense_is_drawn_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
