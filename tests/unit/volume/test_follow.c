/* RAM from look to look: saved, and written by another process while it is looked at. */
#include "tests/unit/memory/tracked.h"

#include "volume/follow.h"

#include <time.h>

#define MIB ((uint64_t)1 << 20)

static struct vt_target open_ram(const struct ramfile *ram)
{
    struct vt_target t = {.name = "test"};
    struct vt_error err = {0};
    assert_int_equal(vt_ram_open(ram->path, NULL, 0, &t.ram, &err), 0);
    return t;
}

static struct vt_volume_update look(struct vt_follow *f)
{
    struct vt_volume_update update;
    struct vt_error err = {0};
    if (vt_follow_look(f, &update, &err) != 0) {
        fail_msg("%s", err.message);
    }
    return update;
}

static void fill(const struct ramfile *ram, uint64_t page, char c)
{
    char bytes[VT_PAGE_BYTES];
    memset(bytes, c, sizeof bytes);
    ramfile_put(ram, page * VT_PAGE_BYTES, bytes, sizeof bytes);
}

static void saved(double classes_s)
{
    struct ramfile ram = ramfile_make(4 * MIB);
    fill(&ram, 3, 'x');
    fill(&ram, 9, 0);
    struct vt_target target = open_ram(&ram);
    struct vt_follow_options options = {.classes_s = classes_s};
    struct vt_follow *f;
    struct vt_follow_seen seen;
    struct vt_error err = {0};
    assert_int_equal(vt_follow_create(&target, &options, &f, &err), 0);

    struct vt_volume_update update = look(f);
    assert_true(update.all);
    assert_int_equal(update.n_pages, 0);
    assert_ptr_equal(update.classes, vt_follow_classes(f));
    assert_ptr_equal(update.owners, vt_follow_owners(f));
    assert_ptr_equal(update.highlights, vt_follow_highlights(f));
    assert_int_equal(update.highlights->n, 0);
    uint64_t totals[VT_CLASSES];
    vt_follow_totals(f, totals);
    assert_int_equal(update.classes[3], VT_CLASS_LIKE_TEXT);
    assert_int_equal(update.classes[9], VT_CLASS_ZERO);
    assert_int_equal(totals[VT_CLASS_LIKE_TEXT], 1);
    assert_int_equal(totals[VT_CLASS_ZERO], 1);
    assert_int_equal(totals[VT_CLASS_HOLE], 1022);
    vt_follow_seen(f, &seen);
    assert_int_equal(seen.tick, 0);
    assert_int_equal(seen.changed_pages, 2);
    assert_int_equal(seen.classes_version, 1);
    assert_int_equal(seen.highlights_version, 1);
    assert_false(seen.understood);
    assert_string_equal(seen.system, "guest not understood");
    assert_string_not_equal(seen.note, "");
    assert_string_equal(seen.consistency, "a saved copy");
    assert_null(vt_follow_track(f));

    double before_s = update.now_s;
    update = look(f);
    assert_false(update.all);
    assert_int_equal(update.n_pages, 0);
    assert_null(update.classes);
    assert_null(update.owners);
    assert_null(update.highlights);
    assert_true(update.now_s >= before_s);
    vt_follow_seen(f, &seen);
    assert_int_equal(seen.changed_pages, 0);
    assert_int_equal(seen.classes_version, 1);
    vt_follow_destroy(f);
    vt_target_close(&target, &err);
    close(ram.fd);
}

static void saved_ram_is_told_once(void **state)
{
    (void)state;
    saved(0);
    saved(-1);
}

static void a_file_that_shrinks_is_gone(void **state)
{
    (void)state;
    struct ramfile ram = ramfile_make(4 * MIB);
    fill(&ram, 1000, 'x');
    struct vt_target target = open_ram(&ram);
    struct vt_follow_options options = {.classes_s = -1};
    struct vt_follow *f;
    struct vt_volume_update update;
    struct vt_error err = {0};
    assert_int_equal(vt_follow_create(&target, &options, &f, &err), 0);
    look(f);
    assert_int_equal(ftruncate(ram.fd, 0), 0);
    /* Whoever draws it finds out by reading. */
    assert_int_equal(((const volatile uint8_t *)vt_ram_bytes(target.ram))[1000 * VT_PAGE_BYTES], 0);
    assert_int_equal(vt_follow_look(f, &update, &err), VT_E_GONE);
    vt_follow_destroy(f);
    vt_target_close(&target, &err);
    close(ram.fd);
}

struct live {
    struct tracked tracked;
    struct vt_target target;
    struct vt_follow *follow;
};

static struct live live_start(double classes_s)
{
    struct live l = {.tracked = tracked_start(16 * MIB, true)};
    struct vt_follow_options options = {.classes_s = classes_s};
    struct vt_error err = {0};
    tracked_write(&l.tracked, 7);
    l.target = open_ram(&l.tracked.ram);
    int rc =
        vt_follow_create_tracked(&l.target, tracked_open(&l.tracked), &options, &l.follow, &err);
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
    return l;
}

static void live_end(struct live *l)
{
    struct vt_error err;
    vt_follow_destroy(l->follow);
    vt_target_close(&l->target, &err);
    tracked_stop(&l->tracked);
}

static void what_is_written_is_told(void **state)
{
    (void)state;
    struct live l = live_start(-1); /* no classification comes to help */
    struct vt_follow_seen seen;
    struct vt_volume_update update = look(l.follow);
    assert_true(update.all);
    assert_int_not_equal(update.classes[7], VT_CLASS_HOLE);
    assert_int_equal(update.classes[8], VT_CLASS_HOLE);
    vt_follow_seen(l.follow, &seen);
    assert_true(seen.tick > 0);

    update = look(l.follow);
    assert_false(update.all);
    assert_int_equal(update.n_pages, 0);
    assert_null(update.classes);

    tracked_write(&l.tracked, 7);
    update = look(l.follow);
    assert_int_equal(update.n_pages, 1);
    assert_int_equal(update.pages[0], 7);
    assert_null(update.classes); /* nothing else is known of it than before */

    tracked_write(&l.tracked, 9);
    tracked_write(&l.tracked, 8);
    update = look(l.follow);
    assert_int_equal(update.n_pages, 2);
    assert_int_equal(update.pages[0], 8);
    assert_int_equal(update.pages[1], 9);
    assert_non_null(update.classes);
    assert_int_equal(update.classes[8], VT_CLASS_LIKE_DATA); /* and no hole any more */
    uint32_t version = seen.classes_version;
    vt_follow_seen(l.follow, &seen);
    assert_int_equal(seen.classes_version, version + 1);
    assert_int_equal(seen.changed_pages, 2);
    live_end(&l);
}

/* A page that is known is never shown as a hole again, whichever classification is taken. */
static void classes_follow(void **state)
{
    (void)state;
    struct live l = live_start(0.001);
    struct vt_follow_seen seen = {0};
    assert_true(look(l.follow).all);
    for (uint64_t page = 100; page < 160; page++) {
        tracked_write(&l.tracked, page);
        struct vt_volume_update update = look(l.follow);
        assert_true(update.n_pages >= 1);
        for (uint64_t known = 100; known <= page; known++) {
            assert_int_not_equal(vt_follow_classes(l.follow)[known], VT_CLASS_HOLE);
        }
    }
    /* Storage that is given back is noticed by classifying alone; the loop ends with it. */
    assert_int_equal(fallocate(l.tracked.ram.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               100 * VT_PAGE_BYTES, VT_PAGE_BYTES),
                     0);
    const struct timespec moment = {.tv_nsec = 1000000};
    while (vt_follow_classes(l.follow)[100] != VT_CLASS_HOLE) {
        nanosleep(&moment, NULL);
        look(l.follow);
    }
    vt_follow_seen(l.follow, &seen);
    assert_true(seen.classes_version >= 2);
    live_end(&l);
}

static void looks_while_it_is_written(void **state)
{
    (void)state;
    struct live l = live_start(0.001);
    tracked_tell(&l.tracked, VT_WRITER_FLOOD);
    for (unsigned i = 0; i < 50; i++) {
        struct vt_volume_update update = look(l.follow);
        for (size_t k = 0; k < update.n_pages; k++) {
            assert_true(k == 0 || update.pages[k] > update.pages[k - 1]);
            assert_int_not_equal(vt_follow_classes(l.follow)[update.pages[k]], VT_CLASS_HOLE);
        }
    }
    tracked_write(&l.tracked, 0);
    assert_int_equal(tracked_answer(&l.tracked), 'w');
    live_end(&l);
}

static void a_writer_that_ends_is_gone(void **state)
{
    (void)state;
    struct live l = live_start(0.01);
    struct vt_volume_update update;
    struct vt_error err = {0};
    look(l.follow);
    vt_track_service.stop(l.tracked.service);
    tracked_end_writer(&l.tracked);
    assert_int_equal(vt_follow_look(l.follow, &update, &err), VT_E_GONE);
    assert_int_equal(vt_follow_look(l.follow, &update, &err), VT_E_GONE);
    vt_follow_destroy(l.follow);
    vt_target_close(&l.target, &err);
    close(l.tracked.to);
    close(l.tracked.from);
    close(l.tracked.ram.fd);
}

int main(int argc, char **argv)
{
    /* First: the handler of lost RAM is installed once, below that which cmocka sets for a test. */
    const struct CMUnitTest lost[] = {
        cmocka_unit_test(a_file_that_shrinks_is_gone),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_ram_is_told_once),
        cmocka_unit_test(what_is_written_is_told),
        cmocka_unit_test(classes_follow),
        cmocka_unit_test(looks_while_it_is_written),
        cmocka_unit_test(a_writer_that_ends_is_gone),
    };
    int failed = cmocka_run_group_tests(lost, NULL, NULL);
    tracked_need_pagemap(argc, argv);
    return failed != 0 ? failed : cmocka_run_group_tests(tests, NULL, NULL);
}
