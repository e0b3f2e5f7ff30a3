/* tests/unit/memory/test_track_stress.c - several readers follow a writer that never rests.
 *
 * Each reader has its own handle and its own copy; all share one table. When the writer rests every
 * copy is brought up to date once more and must equal RAM. Runs under ThreadSanitizer as well.
 */
#include "tests/unit/memory/tracked.h"

#include "memory/snapshot.h"

#include <pthread.h>

enum { READERS = 3, ROUNDS = 150 };
#define BYTES ((uint64_t)16 << 20)

struct follower {
    struct vt_ram *ram;
    struct vt_track *track;
    struct vt_snapshot *snap;
    uint64_t copied;
    int rc;
};

static void *follow(void *arg)
{
    struct follower *f = arg;
    /* On a busy machine the writer may begin late. */
    for (int i = 0; (i < ROUNDS || f->copied == 0) && f->rc == 0; i++) {
        struct vt_refresh how = {.unchecked = i % 2 == 0};
        struct vt_refresh_result r = {0};
        struct vt_track_stats stats;
        f->rc = vt_snapshot_refresh(f->snap, &how, &r, NULL);
        vt_track_stats(f->track, &stats);
        if (stats.tick < r.tick ||
            (stats.tick > 1 && stats.dirty_pages_total < stats.last_dirty_pages)) {
            f->rc = VT_E_CORRUPT;
        }
        f->copied += r.copied_pages;
    }
    return NULL;
}

static void every_copy_is_exact_in_the_end(void **state)
{
    (void)state;
    struct tracked t = tracked_start(BYTES, true);
    struct vt_error err;
    struct follower followers[READERS] = {0};
    pthread_t threads[READERS];
    struct vt_ram *ram; /* one mapping for all readers */
    assert_int_equal(vt_ram_open(t.ram.path, NULL, 0, &ram, &err), 0);
    tracked_tell(&t, VT_WRITER_FLOOD);
    for (int i = 0; i < READERS; i++) {
        struct follower *f = &followers[i];
        f->ram = ram;
        f->track = tracked_open(&t);
        assert_int_equal(vt_snapshot_create(f->ram, f->track, NULL, &f->snap, &err), 0);
        if (i > 0) { /* the first one asks the tracker for its verdicts as well */
            vt_snapshot_watch_marks(f->snap, t.info.qemu_pid, t.info.ram_path);
        }
        assert_int_equal(pthread_create(&threads[i], NULL, follow, f), 0);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    tracked_write(&t, 0);
    assert_int_equal(tracked_answer(&t), 'w');
    uint8_t *now = malloc(BYTES);
    assert_non_null(now);
    assert_int_equal(pread(t.ram.fd, now, BYTES, 0), BYTES);
    for (int i = 0; i < READERS; i++) {
        struct follower *f = &followers[i];
        assert_int_equal(f->rc, 0);
        assert_true(f->copied > 0);
        struct vt_refresh how = {0};
        struct vt_refresh_result r;
        assert_int_equal(vt_snapshot_refresh(f->snap, &how, &r, &err), 0);
        assert_int_equal(memcmp(now, vt_snapshot_bytes(f->snap), BYTES), 0);
        vt_snapshot_destroy(f->snap);
        vt_track_close(f->track);
    }
    free(now);
    vt_ram_close(ram);
    tracked_stop(&t);
}

int main(int argc, char **argv)
{
    tracked_need_pagemap(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_copy_is_exact_in_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
