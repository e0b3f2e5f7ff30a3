/* Which pages' cells a client is sent: whatever it is given room for and however often pages
 * change, it ends with the newest state of all of them, and of those it wants finer. */
#include "tests/unit/harness.h"

#include "server/stream_parts.h"

#include <fcntl.h>
#include <string.h>

#define PAGES 1000u
#define HOLE_AT 700u /* pages without storage: [HOLE_AT, HOLE_AT + 50) */

static uint32_t random_state = 7;

static uint32_t random32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* A stream as far as lanes know one, and what a client was sent. */
struct fixture {
    struct vt_stream s;
    uint16_t told[PAGES];
    uint32_t state[PAGES], seen[2][PAGES]; /* the look that changed it; that the client has */
    struct vt_lane lanes[2];
    struct vt_stream_run runs[PAGES];
};

static void set_up(struct fixture *f, const char *dir)
{
    char path[256];
    uint8_t page[VT_PAGE_BYTES];
    snprintf(path, sizeof path, "%s/ram", dir);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(PAGES * VT_PAGE_BYTES)), 0);
    memset(page, 1, sizeof page);
    for (uint64_t i = 0; i < PAGES; i++) {
        if (i < HOLE_AT || i >= HOLE_AT + 50) {
            assert_int_equal(pwrite(fd, page, sizeof page, (off_t)(i * VT_PAGE_BYTES)),
                             sizeof page);
        }
        f->told[i] = i >= HOLE_AT && i < HOLE_AT + 50 ? VT_CLASS_HOLE : VT_CLASS_KERNEL_TEXT;
    }
    close(fd);
    f->s.n_pages = PAGES;
    f->s.changed = calloc(PAGES, sizeof *f->s.changed);
    f->s.group_changed = calloc(PAGES / VT_STREAM_GROUP + 1, sizeof *f->s.group_changed);
    f->s.list = (struct vt_run_list){.runs = f->runs, .room = PAGES};
    f->s.look = 1;
    assert_int_equal(vt_ram_open(path, NULL, 0, &f->s.target.ram, NULL), 0);
    assert_int_equal(vt_lane_init(&f->lanes[0], PAGES, false, NULL), 0);
    assert_int_equal(vt_lane_init(&f->lanes[1], PAGES, true, NULL), 0);
    f->lanes[0].on = true;
    f->lanes[0].level = 3;
    for (uint64_t i = 0; i < PAGES; i++) {
        f->state[i] = 1;
    }
}

static void tear_down(struct fixture *f)
{
    vt_lane_fini(&f->lanes[0]);
    vt_lane_fini(&f->lanes[1]);
    vt_ram_close(f->s.target.ram);
    free(f->s.changed);
    free(f->s.group_changed);
}

static void look(struct fixture *f)
{
    f->s.look++;
    for (unsigned n = random32() % 40; n > 0; n--) {
        uint64_t page = random32() % PAGES;
        f->state[page] = f->s.look;
        f->s.changed[page] = f->s.look;
        f->s.group_changed[page / VT_STREAM_GROUP] = f->s.look;
    }
}

/* The client gets the list's pages as they are now. */
static uint64_t send_list(struct fixture *f, unsigned lane)
{
    uint64_t last = 0;
    for (size_t i = 0; i < f->s.list.n; i++) {
        assert_true(i == 0 || f->runs[i].first > last);
        for (uint64_t page = f->runs[i].first; page < f->runs[i].first + f->runs[i].pages; page++) {
            assert_true(page < PAGES);
            f->seen[lane][page] = f->state[page];
            last = page;
        }
    }
    uint64_t n = f->s.list.pages;
    f->s.list.n = f->s.list.pages = 0;
    return n;
}

static bool has_storage(uint64_t page)
{
    return page < HOLE_AT || page >= HOLE_AT + 50;
}

static void all_arrives(void **state)
{
    static struct fixture f;
    set_up(&f, *state);
    vt_lane_begin(&f.lanes[0], &f.s, f.told);
    assert_int_equal(f.lanes[0].n_owed, PAGES - 50);
    for (unsigned round = 0; round < 4000; round++) {
        size_t raw = 8 + 2 * (8 + vt_cells_bytes(3)) + random32() % 3000;
        if (random32() % 4 == 0) {
            look(&f);
        }
        if (!f.lanes[0].sweeping && random32() % 2 == 0) {
            vt_lane_sweep(&f.lanes[0], &f.s);
        }
        if (random32() % 2 == 0) {
            vt_lane_gather_owed(&f.lanes[0], &f.s, raw);
        } else if (f.lanes[0].sweeping) {
            vt_lane_gather_changed(&f.lanes[0], &f.s, raw);
        }
        assert_true(vt_message_pages_bytes(&f.s.list, 3) <= raw);
        send_list(&f, 0);
    }
    while (f.lanes[0].n_owed > 0) {
        vt_lane_gather_owed(&f.lanes[0], &f.s, 1000);
        assert_true(send_list(&f, 0) > 0);
    }
    for (unsigned sweeps = 0; sweeps < 2; sweeps++) { /* the one under way, and one to the end */
        if (!f.lanes[0].sweeping) {
            vt_lane_sweep(&f.lanes[0], &f.s);
        }
        while (f.lanes[0].sweeping) {
            vt_lane_gather_changed(&f.lanes[0], &f.s, 1000);
            send_list(&f, 0);
        }
    }
    for (uint64_t page = 0; page < PAGES; page++) {
        assert_int_equal(f.seen[0][page], has_storage(page) ? f.state[page] : 0);
    }
    vt_lane_sweep(&f.lanes[0], &f.s);
    vt_lane_gather_changed(&f.lanes[0], &f.s, 1000);
    assert_int_equal(send_list(&f, 0), 0);
    assert_false(f.lanes[0].sweeping);
    tear_down(&f);
}

static void finer_ones(void **state)
{
    static struct fixture f;
    static const struct vt_stream_run first[] = {{0, 10}, {690, 20}, {990, UINT32_MAX}};
    static const struct vt_stream_run then[] = {{5, 10}, {2000, 5}};
    struct vt_lane *lane = &f.lanes[1];
    set_up(&f, *state);
    vt_lane_narrow(lane, &f.s, f.told, 0, first, 3);
    assert_true(lane->on);
    assert_int_equal(lane->n_owed, 10 + 10 + 10); /* holes are not owed */
    vt_lane_gather_owed(lane, &f.s, 8 + 30 * (8 + VT_PAGE_BYTES));
    assert_int_equal(send_list(&f, 1), 30);
    vt_lane_narrow(lane, &f.s, f.told, 0, then, 2);
    assert_int_equal(lane->n_owed, 5); /* the others were among them already */
    vt_lane_narrow(lane, &f.s, f.told, 1, then, 2);
    assert_int_equal(lane->n_owed, 10); /* at this level none was */
    vt_lane_gather_owed(lane, &f.s, 8 + 10 * (8 + 512));
    assert_int_equal(send_list(&f, 1), 10);
    for (unsigned i = 0; i < 50; i++) {
        look(&f);
    }
    f.s.changed[7] = f.s.look;
    f.s.changed[100] = f.s.look;
    f.s.group_changed[0] = f.s.group_changed[100 / VT_STREAM_GROUP] = f.s.look;
    vt_lane_sweep(lane, &f.s);
    vt_lane_gather_changed(lane, &f.s, 100000);
    for (size_t i = 0; i < f.s.list.n; i++) {
        assert_true(f.runs[i].first >= 5 && f.runs[i].first + f.runs[i].pages <= 15);
    }
    assert_true(send_list(&f, 1) >= 1);
    assert_int_equal(f.seen[1][7], f.state[7]);
    vt_lane_owe(lane, 100, true); /* is not among them */
    assert_int_equal(lane->n_owed, 0);
    vt_lane_owe(lane, 6, true);
    vt_lane_owe(lane, 6, true);
    assert_int_equal(lane->n_owed, 1);
    vt_lane_owe(lane, 6, false);
    assert_int_equal(lane->n_owed, 0);
    vt_lane_narrow(lane, &f.s, f.told, 1, NULL, 0);
    assert_false(lane->on);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(all_arrives),
        vt_test_in_dir(finer_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
