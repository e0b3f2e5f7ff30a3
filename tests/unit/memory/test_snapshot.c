/* tests/unit/memory/test_snapshot.c - copies that follow RAM, and what is said about them. */
#include "tests/unit/memory/tracked.h"

#include "base/io.h"
#include "memory/snapshot.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define MIB ((uint64_t)1 << 20)

struct fixture {
    struct tracked t;
    struct vt_ram *ram;
    struct vt_track *track; /* NULL: by comparing */
    struct vt_snapshot *snap;
};

static struct fixture make(bool watched)
{
    struct fixture f = {.t = tracked_start(32 * MIB, watched)};
    struct vt_error err;
    assert_int_equal(vt_ram_open(f.t.ram.path, NULL, 0, &f.ram, &err), 0);
    f.track = tracked_open(&f.t);
    assert_int_equal(vt_snapshot_create(f.ram, f.track, NULL, &f.snap, &err), 0);
    vt_snapshot_watch_marks(f.snap, f.t.info.qemu_pid, f.t.info.ram_path);
    return f;
}

static void end(struct fixture *f)
{
    vt_snapshot_destroy(f->snap);
    vt_track_close(f->track);
    vt_ram_close(f->ram);
    tracked_stop(&f->t);
}

static struct vt_refresh_result refresh(struct fixture *f, struct vt_refresh how)
{
    struct vt_refresh_result r;
    struct vt_error err = {0};
    int rc = vt_snapshot_refresh(f->snap, &how, &r, &err);
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
    return r;
}

static void expect_equal(struct fixture *f)
{
    uint8_t *now = malloc(32 * MIB);
    assert_non_null(now);
    assert_int_equal(pread(f->t.ram.fd, now, 32 * MIB, 0), 32 * MIB);
    assert_int_equal(memcmp(now, vt_snapshot_bytes(f->snap), 32 * MIB), 0);
    free(now);
}

/* A page that loses its storage is zeros again, and looking allocates nothing. */
static void gives_storage_back(struct fixture *f)
{
    int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    assert_int_equal(fallocate(f->t.ram.fd, punch, 2 * 4096, 4096), 0);
    struct stat before;
    struct stat after;
    assert_int_equal(fstat(f->t.ram.fd, &before), 0);
    refresh(f, (struct vt_refresh){0});
    assert_int_equal(vt_snapshot_bytes(f->snap)[2 * 4096], 0);
    assert_int_equal(fstat(f->t.ram.fd, &after), 0);
    assert_int_equal(after.st_blocks, before.st_blocks);
}

static void follows(bool watched)
{
    struct fixture f = make(watched);
    tracked_write(&f.t, 1);
    tracked_write(&f.t, 8000);
    struct vt_refresh_result r = refresh(&f, (struct vt_refresh){0});
    assert_int_equal(r.verdict, VT_CONSISTENT);
    assert_int_equal(r.copied_pages, 2);
    expect_equal(&f);
    r = refresh(&f, (struct vt_refresh){0});
    assert_int_equal(r.verdict, VT_CONSISTENT);
    assert_int_equal(r.copied_pages, 0);

    tracked_write(&f.t, 8000);
    tracked_write(&f.t, 2);
    r = refresh(&f, (struct vt_refresh){.unchecked = true});
    assert_int_equal(r.verdict, VT_UNCHECKED);
    assert_int_equal(r.copied_pages, 2);
    assert_int_equal(r.retried_pages + r.torn_pages, 0);
    expect_equal(&f);

    if (!watched) {
        gives_storage_back(&f);
    }
    expect_equal(&f);
    end(&f);
}

static void follows_by_epochs(void **state)
{
    (void)state;
    follows(true);
}

static void follows_by_comparing(void **state)
{
    (void)state;
    follows(false);
}

/* While the writer floods RAM sooner or later a refresh finds no quiet moment. What it then says is
 * torn has changed; once the writer rests the copy is exact. */
static void tells_torn_pages(bool watched)
{
    struct fixture f = make(watched);
    tracked_tell(&f.t, VT_WRITER_FLOOD);
    struct vt_refresh_result r;
    uint64_t deadline = vt_deadline_ms(20000);
    do {
        r = refresh(&f, (struct vt_refresh){.max_retries = 1});
    } while (r.verdict != VT_TORN && vt_now_ns() < deadline);
    assert_int_equal(r.verdict, VT_TORN);
    const uint64_t *pages;
    assert_true(r.torn_pages > 0);
    assert_int_equal(vt_snapshot_torn(f.snap, &pages), r.torn_pages);
    for (size_t i = 0; i < r.torn_pages; i++) {
        assert_true(pages[i] < 32 * MIB / 4096);
        assert_true(i == 0 || pages[i] > pages[i - 1]);
    }
    tracked_write(&f.t, 0); /* ends the flood; answered twice */
    assert_int_equal(tracked_answer(&f.t), 'w');
    r = refresh(&f, (struct vt_refresh){0});
    assert_true(r.verdict == VT_CONSISTENT || r.verdict == VT_RETRIED);
    assert_int_equal(vt_snapshot_torn(f.snap, &pages), 0);
    expect_equal(&f);
    end(&f);
}

static void tells_torn_pages_by_epochs(void **state)
{
    (void)state;
    tells_torn_pages(true);
}

static void tells_torn_pages_by_comparing(void **state)
{
    (void)state;
    tells_torn_pages(false);
}

/* The writer steps through pages in order, so a copy that never was RAM shows: a page ahead of the
 * one before it. No verdict but torn may come with such a copy. */
static void never_calls_a_mixture_consistent(bool watched)
{
    struct fixture f = make(watched);
    tracked_tell(&f.t, VT_WRITER_ROUND);
    uint64_t meetings = 0;
    uint64_t deadline = vt_deadline_ms(20000);
    for (unsigned i = 0; i < 500 || (meetings < 20 && vt_now_ns() < deadline); i++) {
        struct vt_refresh_result r = refresh(&f, (struct vt_refresh){.max_retries = 1 + i % 3});
        if (r.verdict == VT_TORN) {
            continue;
        }
        meetings += r.copied_pages > 0;
        const uint64_t *words = (const uint64_t *)(const void *)vt_snapshot_bytes(f.snap);
        for (unsigned page = 1; page < VT_WRITER_ROUND_PAGES; page++) {
            assert_true(words[page * 512] <= words[(page - 1) * 512]);
        }
        assert_true(words[0] - words[(VT_WRITER_ROUND_PAGES - 1) * 512] <= 1);
    }
    assert_true(meetings >= 20);
    tracked_write(&f.t, 5000); /* ends the rounds; answered twice */
    assert_int_equal(tracked_answer(&f.t), 'w');
    end(&f);
}

static void never_calls_a_mixture_consistent_by_epochs(void **state)
{
    (void)state;
    never_calls_a_mixture_consistent(true);
}

static void never_calls_a_mixture_consistent_by_comparing(void **state)
{
    (void)state;
    never_calls_a_mixture_consistent(false);
}

static void says_when_there_is_nothing_left_to_copy_from(void **state)
{
    (void)state;
    struct fixture f = make(true);
    tracked_write(&f.t, 9);
    refresh(&f, (struct vt_refresh){0});
    tracked_end_writer(&f.t);
    struct vt_refresh_result r = {.tick = 77};
    struct vt_refresh how = {0};
    struct vt_error err = {0};
    assert_int_equal(vt_snapshot_refresh(f.snap, &how, &r, &err), VT_E_GONE);
    assert_int_equal(r.tick, 77);
    assert_true(vt_snapshot_bytes(f.snap)[9 * 4096] != 0); /* the copy stays */
    how.pause = true;
    assert_int_equal(vt_snapshot_refresh(f.snap, &how, &r, &err), VT_E_INVAL);
    end(&f);
}

static void names_its_verdicts(void **state)
{
    (void)state;
    assert_string_equal(vt_verdict_name(VT_TORN), "torn");
    assert_string_equal(vt_verdict_name((enum vt_verdict)99), "unknown");
}

int main(int argc, char **argv)
{
    tracked_need_pagemap(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_by_epochs),
        cmocka_unit_test(follows_by_comparing),
        cmocka_unit_test(tells_torn_pages_by_epochs),
        cmocka_unit_test(tells_torn_pages_by_comparing),
        cmocka_unit_test(never_calls_a_mixture_consistent_by_epochs),
        cmocka_unit_test(never_calls_a_mixture_consistent_by_comparing),
        cmocka_unit_test(says_when_there_is_nothing_left_to_copy_from),
        cmocka_unit_test(names_its_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
