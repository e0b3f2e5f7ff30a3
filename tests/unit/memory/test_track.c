/* tests/unit/memory/test_track.c - page epochs: what is marked, by either way, and for whom. */
#include "tests/unit/memory/tracked.h"

#include "base/io.h"
#include "memory/track_wire.h"

#include <poll.h>

#define MIB ((uint64_t)1 << 20)

static uint32_t scan(struct vt_track *track)
{
    uint32_t tick = 0;
    struct vt_error err = {0};
    int rc = vt_track_scan(track, &tick, &err);
    if (rc != 0) {
        fail_msg("%s", err.message);
    }
    assert_true(vt_track_tick(track) >= tick); /* more when others ask too */
    return tick;
}

/* The pages newer than `since` are exactly these. */
static void expect(struct vt_track *track, uint32_t since, const uint64_t *pages, size_t n)
{
    uint64_t first;
    uint64_t end = 0;
    size_t i = 0;
    while (vt_track_next(track, since, end, &first, &end)) {
        for (uint64_t page = first; page < end; page++) {
            assert_true(i < n);
            assert_int_equal(page, pages[i++]);
        }
    }
    assert_int_equal(i, n);
}

#define EXPECT(track, since, ...)                                                                  \
    do {                                                                                           \
        const uint64_t list[] = {__VA_ARGS__};                                                     \
        expect(track, since, list, sizeof list / sizeof list[0]);                                  \
    } while (0)

/* Both ways must tell the same story. */
static void tells_what_changed(bool watched)
{
    struct tracked t = tracked_start(64 * MIB, watched);
    tracked_write(&t, 0);
    tracked_write(&t, 700);
    struct vt_track *track = tracked_open(&t);
    assert_int_equal(vt_track_mode(track), watched ? VT_TRACK_PAGEMAP : VT_TRACK_HASH);
    assert_int_equal(vt_track_why(track)[0] == '\0', watched);
    assert_int_equal(vt_track_tick(track), 0);

    assert_int_equal(scan(track), 1);
    EXPECT(track, 0, 0, 700); /* what has storage, no hole */
    uint32_t tick = scan(track);
    expect(track, tick - 1, NULL, 0);

    tracked_write(&t, 700);
    tracked_write(&t, 701);                 /* had no storage, beside one that has */
    tracked_write(&t, 64 * MIB / 4096 - 1); /* the last, far from all others */
    tick = scan(track);
    EXPECT(track, tick - 1, 700, 701, 64 * MIB / 4096 - 1);
    assert_int_equal(vt_track_epochs(track)[0], 1);
    assert_int_equal(vt_track_epochs(track)[1], 0);
    assert_int_equal(vt_track_group_epochs(track)[700 / VT_EPOCH_GROUP], tick);
    assert_int_equal(vt_track_group_epochs(track)[20], 0);

    struct vt_track_stats stats;
    vt_track_stats(track, &stats);
    assert_int_equal(stats.tick, tick);
    assert_int_equal(stats.last_dirty_pages, 3);
    assert_int_equal(stats.dirty_pages_total, 3);
    assert_true(stats.last_scan_ns > 0 && stats.scan_ns_total >= stats.last_scan_ns);
    assert_true(stats.last_scan_at_ns <= vt_now_ns());

    /* A second reader sees the same table, and what it asks for is seen by the first. */
    struct vt_track *other = tracked_open(&t);
    assert_int_equal(vt_track_tick(other), tick);
    tracked_write(&t, 5);
    assert_int_equal(scan(other), tick + 1);
    EXPECT(track, tick, 5);
    vt_track_close(other);
    vt_track_close(track);
    tracked_stop(&t);
}

static void watched_by_the_kernel(void **state)
{
    (void)state;
    tells_what_changed(true);
}

static void watched_by_hashing(void **state)
{
    (void)state;
    tells_what_changed(false);
}

static void hashing_sees_a_page_lose_its_storage(void **state)
{
    (void)state;
    struct tracked t = tracked_start(4 * MIB, false);
    tracked_write(&t, 3);
    tracked_write(&t, 4);
    struct vt_track *track = tracked_open(&t);
    uint32_t before = scan(track);
    int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    assert_int_equal(fallocate(t.ram.fd, punch, 3 * 4096, 4096), 0);
    scan(track);
    EXPECT(track, before, 3);
    vt_track_close(track);
    tracked_stop(&t);
}

static void subscribers_are_served_unasked(void **state)
{
    (void)state;
    struct tracked t = tracked_start(MIB, true);
    struct vt_track *track = tracked_open(&t);
    struct vt_track *watcher = tracked_open(&t);
    struct vt_error err;
    assert_int_equal(vt_track_subscribe(track, 1001, &err), VT_E_INVAL);
    assert_int_equal(vt_track_subscribe(track, 200, &err), 0);
    uint64_t deadline = vt_deadline_ms(10000);
    while (vt_track_tick(watcher) < 5 && vt_now_ns() < deadline) {
        poll(NULL, 0, 1);
    }
    assert_true(vt_track_tick(watcher) >= 5);
    /* With the subscriber gone nothing moves but by request. */
    vt_track_close(track);
    uint32_t a;
    uint32_t b;
    do {
        a = scan(watcher);
        b = scan(watcher);
    } while (b != a + 1 && vt_now_ns() < deadline);
    assert_int_equal(b, a + 1);
    vt_track_close(watcher);
    tracked_stop(&t);
}

static void ram_that_is_not_shared_is_told(void **state)
{
    (void)state;
    struct vt_vm_info info = {.ram_why = "nobody shares it"};
    struct vt_error err = {0};
    struct tracked t = {0};
    assert_int_equal(vt_track_service.start(&info, NULL, &t.service, &err), 0);
    struct vt_track *track = NULL;
    assert_int_equal(vt_track_adopt(tracked_socket(&t), "test", &track, &err), VT_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "nobody shares it"));
    assert_null(track);
    vt_track_service.stop(t.service);
}

static void a_reader_that_breaks_the_protocol_is_dropped(void **state)
{
    (void)state;
    struct tracked t = tracked_start(MIB, true);
    struct vt_track *good = tracked_open(&t);
    static const struct vt_track_word bad[][2] = {
        {{9, 0}, {0}},
        {{VT_TRACK_SCAN, 1}, {0}},
        {{VT_TRACK_SUBSCRIBE, VT_TRACK_HZ_MAX + 1}, {0}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int sock = tracked_socket(&t);
        assert_int_equal(send(sock, bad[i], sizeof bad[i][0], MSG_NOSIGNAL), sizeof bad[i][0]);
        /* The greeting, then the end: no answer. */
        char bytes[4096];
        ssize_t n;
        size_t all = 0;
        while ((n = recv(sock, bytes, sizeof bytes, 0)) > 0) {
            all += (size_t)n;
        }
        assert_int_equal(all, sizeof(struct vt_track_hello));
        close(sock);
        scan(good);
    }
    vt_track_close(good);
    tracked_stop(&t);
}

static void a_reader_that_takes_nothing_is_dropped(void **state)
{
    (void)state;
    struct tracked t = tracked_start(MIB, true);
    struct vt_track *good = tracked_open(&t);
    int sock = tracked_socket(&t);
    int small = 1;
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    struct vt_track_word ask = {.op = VT_TRACK_SCAN};
    /* Asks and never reads: at the latest when its socket is full it is thrown out (asking twice at
     * once would do it too, so it asks after each scan of the other one). */
    bool dropped = false;
    for (int i = 0; i < 100000 && !dropped; i++) {
        dropped = send(sock, &ask, sizeof ask, MSG_NOSIGNAL) < 0;
        scan(good);
    }
    assert_true(dropped);
    close(sock);
    vt_track_close(good);
    tracked_stop(&t);
}

static void the_end_of_qemu_is_noticed(void **state)
{
    (void)state;
    struct tracked t = tracked_start(MIB, true);
    struct vt_track *track = tracked_open(&t);
    scan(track);
    tracked_end_writer(&t);
    uint32_t tick = 7;
    struct vt_error err = {0};
    assert_int_equal(vt_track_scan(track, &tick, &err), VT_E_GONE);
    assert_int_equal(tick, 7);
    assert_int_equal(vt_track_scan(track, &tick, &err), VT_E_GONE);
    vt_track_close(track);
    tracked_stop(&t);
}

static void the_table_cannot_be_written_by_readers(void **state)
{
    (void)state;
    struct tracked t = tracked_start(MIB, true);
    int sock = tracked_socket(&t);
    struct vt_track_hello hello;
    size_t count = sizeof hello;
    int fd = -1;
    size_t n_fds = 1;
    struct vt_error err;
    assert_int_equal(vt_recv_fds(sock, &hello, &count, &fd, &n_fds, &err), 0);
    assert_int_equal(n_fds, 1);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
    close(sock);
    tracked_stop(&t);
}

int main(int argc, char **argv)
{
    tracked_need_pagemap(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watched_by_the_kernel),
        cmocka_unit_test(watched_by_hashing),
        cmocka_unit_test(hashing_sees_a_page_lose_its_storage),
        cmocka_unit_test(subscribers_are_served_unasked),
        cmocka_unit_test(ram_that_is_not_shared_is_told),
        cmocka_unit_test(a_reader_that_breaks_the_protocol_is_dropped),
        cmocka_unit_test(a_reader_that_takes_nothing_is_dropped),
        cmocka_unit_test(the_end_of_qemu_is_noticed),
        cmocka_unit_test(the_table_cannot_be_written_by_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
