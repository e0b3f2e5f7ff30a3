/* tests/unit/trace/test_live.c - sources over a segment's rings. */
#include "tests/unit/harness.h"
#include "tests/unit/trace/ring_model.h"
#include "trace/live.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#define WORDS 1024u

struct rig {
    struct ring_model m;
    struct ring_writer w[2];
    struct vt_trace_source *source;
};

static void rig_open(struct rig *rig, bool live)
{
    struct vt_trace_segment segment;
    struct vt_error err = {0};
    assert_int_equal(vt_trace_segment_over(&segment, rig->m.base, rig->m.bytes, &err), 0);
    assert_int_equal(vt_trace_live_create(&segment, live, &rig->source, &err), 0);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    if (rig == NULL) {
        return -1;
    }
    ring_model_init(&rig->m, 2, WORDS);
    ring_writer_init(&rig->w[0], &rig->m, 0, VT_TRACE_DROP);
    ring_writer_init(&rig->w[1], &rig->m, 1, VT_TRACE_DROP);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    vt_trace_close(rig->source);
    ring_model_fini(&rig->m);
    free(rig);
    return 0;
}

static struct vt_trace_event next(struct rig *rig)
{
    struct vt_trace_event event = {0};
    struct vt_error err = {0};
    int rc = vt_trace_next(rig->source, 0, &event, &err);
    if (rc != 1) {
        fail_msg("no event: %d %s", rc, err.message);
    }
    return event;
}

static void nothing(struct rig *rig)
{
    struct vt_trace_event event;
    struct vt_error err = {0};
    int rc = vt_trace_next(rig->source, 0, &event, &err);
    if (rc != 0) {
        fail_msg("an event: %d of kind %d %s", rc, (int)event.kind, err.message);
    }
}

static void block_is(const struct vt_trace_event *e, uint32_t id, unsigned executed,
                     enum vt_trace_end end)
{
    assert_int_equal(e->kind, VT_TRACE_EV_BLOCK);
    assert_int_equal(e->block->id, id);
    assert_int_equal(e->executed, executed);
    assert_int_equal(e->end, end);
}

static struct vt_trace_event next_block(struct rig *rig, uint32_t id, unsigned executed,
                                        enum vt_trace_end end)
{
    struct vt_trace_event e = next(rig);
    block_is(&e, id, executed, end);
    return e;
}

/* ---- */

static void blocks_come_in_order(void **state)
{
    struct rig *rig = *state;
    ring_writer_block(&rig->w[0], ring_model_nops(&rig->m, 0x1000, 3, 0xc3));
    rig_open(rig, true);
    nothing(rig); /* what was before is not ours */
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0x90);
    uint32_t b = ring_model_nops(&rig->m, 0x2005, 2, 0xc3);
    ring_writer_block(&rig->w[0], a);
    nothing(rig); /* it may still be cut */
    ring_writer_block(&rig->w[0], b);
    struct vt_trace_event e = next(rig);
    block_is(&e, 0, 5, VT_TRACE_END_WHOLE); /* ids are in the order of appearance */
    assert_int_equal(e.sequence, 0);
    assert_int_equal(e.root, UINT64_MAX);
    assert_int_equal(e.block->pc, 0x2000);
    nothing(rig);
    rig->m.header->ended = 1;
    e = next(rig);
    block_is(&e, 1, 2, VT_TRACE_END_UNKNOWN);
    assert_false(vt_trace_source_info(rig->source)->ended);
    nothing(rig);
    assert_true(vt_trace_source_info(rig->source)->ended);
    assert_ptr_equal(vt_trace_block(rig->source, 1), e.block);
    assert_null(vt_trace_block(rig->source, 2));
    assert_int_equal(vt_trace_source_info(rig->source)->n_blocks, 2);
}

static void room_is_given_back(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    rig_open(rig, true);
    assert_int_equal(rig->w[0].page->reader, getpid());
    ring_writer_block(&rig->w[0], a);
    for (unsigned i = 0; i < 10 * WORDS; i++) {
        ring_writer_block(&rig->w[0], a);
        next_block(rig, a, 5, VT_TRACE_END_WHOLE);
    }
    assert_int_equal(rig->w[0].page->dropped, 0);
    vt_trace_close(rig->source);
    rig->source = NULL;
    assert_int_equal(rig->w[0].page->reader, 0);
}

static void drops_are_told(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    rig_open(rig, true);
    for (unsigned i = 0; i < WORDS + 100; i++) {
        ring_writer_block(&rig->w[0], a);
    }
    for (unsigned i = 0; i + 1 < WORDS; i++) {
        next_block(rig, a, 5, VT_TRACE_END_WHOLE);
    }
    nothing(rig);
    ring_writer_block(&rig->w[0], a);
    next_block(rig, a, 5, VT_TRACE_END_UNKNOWN);
    struct vt_trace_event e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_LOST);
    assert_int_equal(e.lost_words, 100);
    assert_int_equal(vt_trace_source_info(rig->source)->dropped, 100);
}

static void what_was_overwritten_is_told(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    rig->w[0].policy = VT_TRACE_KEEP_LAST;
    rig_open(rig, true);
    for (unsigned i = 0; i < 3 * WORDS; i++) {
        ring_writer_block(&rig->w[0], a);
    }
    struct vt_trace_event e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_LOST);
    assert_int_equal(e.lost_words, rig->w[0].page->tail);
    unsigned n = 1;
    struct vt_error err = {0};
    while (vt_trace_next(rig->source, 0, &e, &err) == 1) {
        block_is(&e, a, 5, VT_TRACE_END_WHOLE);
        n++;
    }
    assert_int_equal(err.code, 0);
    assert_in_range(n, WORDS - WORDS / RING_MODEL_MARKS, WORDS);
}

static void a_flight_recorder_is_read_and_left_alone(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    rig->w[0].policy = VT_TRACE_KEEP_LAST;
    /* Values that look like records, so that only a record's beginning will do. */
    uint64_t access[] = {(uint64_t)VT_TRACE_ACCESS << 56 | 3u << 10 | 4 | VT_TRACE_ACCESS_VALUE,
                         0x1122334455667788, (uint64_t)77 << 56};
    for (unsigned i = 0; i < 3 * WORDS; i++) {
        ring_writer_block(&rig->w[0], a);
        ring_writer_put(&rig->w[0], access, 3);
    }
    uint8_t *before = malloc(rig->m.bytes);
    assert_non_null(before);
    memcpy(before, rig->m.base, rig->m.bytes);
    rig_open(rig, false);
    unsigned n = 0;
    struct vt_trace_event e;
    struct vt_error err = {0};
    while (vt_trace_next(rig->source, 1000, &e, &err) == 1) {
        assert_int_equal(e.block->id, a);
        if (e.n_accesses == 1) {
            assert_int_equal(e.accesses->address, access[1]);
            assert_int_equal(e.accesses->value[0], access[2]);
            assert_int_equal(e.accesses->bytes, 8);
        }
        n++;
    }
    assert_int_equal(err.code, 0);
    assert_in_range(n, WORDS / 4 - WORDS / 4 / RING_MODEL_MARKS - 1, WORDS / 4);
    assert_true(vt_trace_source_info(rig->source)->ended);
    assert_memory_equal(before, rig->m.base, rig->m.bytes);
    free(before);
}

static void a_consumer_comes_again(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    rig->w[0].policy = VT_TRACE_WAIT;
    for (unsigned i = 0; i < 5; i++) {
        rig_open(rig, true);
        ring_writer_block(&rig->w[0], a);
        for (unsigned k = 0; k < WORDS - 1 && rig->w[0].head - rig->w[0].page->tail < WORDS; k++) {
            ring_writer_block(&rig->w[0], a);
            next_block(rig, a, 5, VT_TRACE_END_WHOLE);
        }
        vt_trace_close(rig->source);
        rig->source = NULL;
        for (unsigned k = 0; k < 2 * WORDS; k++) { /* nobody reads: the oldest go */
            ring_writer_block(&rig->w[0], a);
        }
    }
}

static void vcpus_are_merged_by_time(void **state)
{
    struct rig *rig = *state;
    rig_open(rig, true);
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    uint32_t b = ring_model_nops(&rig->m, 0x3000, 5, 0xc3);
    for (unsigned i = 0; i < 100; i++) {
        ring_writer_word(&rig->w[0], VT_TRACE_TIME, 1000 + 20 * i);
        ring_writer_block(&rig->w[0], a);
        ring_writer_word(&rig->w[1], VT_TRACE_TIME, 1000 + 10 + 20 * i);
        ring_writer_block(&rig->w[1], b);
    }
    for (unsigned i = 0; i < 99; i++) {
        struct vt_trace_event e = next_block(rig, a, 5, VT_TRACE_END_WHOLE);
        assert_int_equal(e.vcpu, 0);
        assert_int_equal(e.time_ns, 20 * i);
        e = next_block(rig, b, 5, VT_TRACE_END_WHOLE);
        assert_int_equal(e.vcpu, 1);
        assert_int_equal(e.time_ns, 10 + 20 * i);
    }
}

static void counters_are_summed(void **state)
{
    struct rig *rig = *state;
    rig_open(rig, true);
    rig->w[0].page->instructions = 7;
    rig->w[1].page->instructions = 5;
    const struct vt_trace_info *info = vt_trace_source_info(rig->source);
    assert_int_equal(info->instructions, 12);
    assert_int_equal(info->vcpus, 2);
    assert_int_equal(info->n_registers, 2);
    assert_string_equal(info->registers[1], "rip");
    assert_string_equal(info->arch, "x86_64");
}

static void expect_corrupt(struct rig *rig, const char *where)
{
    struct vt_trace_event e;
    struct vt_error err = {0};
    int rc;
    while ((rc = vt_trace_next(rig->source, 0, &e, &err)) == 1) {
    }
    assert_int_equal(rc, VT_E_CORRUPT);
    if (strstr(err.message, where) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", err.message, where);
    }
}

static void a_word_of_no_kind_is_corrupt(void **state)
{
    struct rig *rig = *state;
    rig_open(rig, true);
    uint32_t a = ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    ring_writer_block(&rig->w[1], a);
    ring_writer_word(&rig->w[1], 0x7f, 42);
    expect_corrupt(rig, "ring of vCPU 1 at word 1 (0x7f0000000000002a)");
}

static void a_block_without_entry_is_corrupt(void **state)
{
    struct rig *rig = *state;
    rig_open(rig, true);
    ring_writer_block(&rig->w[0], 3);
    expect_corrupt(rig, "dictionary does not have");
}

static void a_record_cut_at_the_head_is_corrupt(void **state)
{
    struct rig *rig = *state;
    rig_open(rig, true);
    ring_writer_word(&rig->w[0], VT_TRACE_ACCESS, 0);
    expect_corrupt(rig, "cuts a record");
}

static void a_head_far_ahead_is_corrupt(void **state)
{
    struct rig *rig = *state;
    rig_open(rig, true);
    rig->w[1].page->head = WORDS + 1;
    expect_corrupt(rig, "ring of vCPU 1: its head is 1025 and its tail 0");
}

static void a_dictionary_that_lies_is_corrupt(void **state)
{
    struct rig *rig = *state;
    rig_open(rig, true);
    ring_model_nops(&rig->m, 0x2000, 5, 0xc3);
    struct vt_trace_block_entry *e = (void *)(rig->m.base + rig->m.header->dictionary_offset);
    e->n = 4; /* its sizes and bytes do not add up to it */
    expect_corrupt(rig, "trace dictionary at 0x0, block 0");
    e->n = 5;
    rig->m.header->dictionary_head = rig->m.header->dictionary_bytes + 8;
    expect_corrupt(rig, "trace dictionary of");
}

static void headers_are_checked(void **state)
{
    struct rig *rig = *state;
    struct vt_trace_segment segment;
    struct vt_error err = {0};
    struct vt_trace_header *h = rig->m.header;
    struct vt_trace_header good = *h;
    h->magic[0] = 'v';
    assert_int_equal(vt_trace_segment_over(&segment, h, rig->m.bytes, &err), VT_E_CORRUPT);
    *h = good;
    h->version++;
    assert_int_equal(vt_trace_segment_over(&segment, h, rig->m.bytes, &err), VT_E_UNSUPPORTED);
    *h = good;
    h->vcpus = VT_TRACE_VCPUS_MAX + 1;
    assert_int_equal(vt_trace_segment_over(&segment, h, rig->m.bytes, &err), VT_E_CORRUPT);
    *h = good;
    h->ring_words = 1000;
    assert_int_equal(vt_trace_segment_over(&segment, h, rig->m.bytes, &err), VT_E_CORRUPT);
    *h = good;
    h->vcpus = 3;
    h->dictionary_bytes = UINT64_MAX - 4095;
    assert_int_equal(vt_trace_segment_over(&segment, h, rig->m.bytes, &err), VT_E_CORRUPT);
    *h = good;
    h->plugin_api = 0;
    assert_int_equal(vt_trace_segment_over(&segment, h, rig->m.bytes, &err), 0);
    assert_int_equal(vt_trace_live_create(&segment, true, &rig->source, &err), VT_E_UNSUPPORTED);
    assert_null(rig->source);
}

/* A segment as a file. */
static void make_file(const char *path, struct ring_model *m, uint32_t words)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    uint64_t bytes = ring_model_bytes(1, words);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(base, MAP_FAILED);
    close(fd);
    ring_model_over(m, base, 1, words);
    m->header->qemu_pid = (uint64_t)getpid();
}

static void one_consumer_at_a_time(void **state)
{
    char path[256];
    snprintf(path, sizeof path, "%s/qemu_trace_some-vm", (const char *)*state);
    struct ring_model m;
    make_file(path, &m, WORDS);
    struct vt_trace_source *one = NULL, *two = NULL, *held = NULL;
    struct vt_error err = {0};
    assert_int_equal(vt_trace_open_live(path, &one, &err), 0);
    assert_string_equal(vt_trace_source_info(one)->vm, "some-vm");
    assert_int_equal(vt_trace_open_live(path, &two, &err), VT_E_BUSY);
    assert_int_equal(vt_trace_open_segment(path, &held, &err), 0);
    vt_trace_close(held);
    vt_trace_close(one);
    assert_int_equal(vt_trace_open_live(path, &two, &err), 0);
    vt_trace_close(two);
    assert_int_equal(vt_trace_open_live("/nonexistent/qemu_trace_x", &two, &err), VT_E_NOT_FOUND);
    munmap(m.base, m.bytes);
}

static void a_file_cut_short_is_gone(void **state)
{
    char path[256];
    snprintf(path, sizeof path, "%s/qemu_trace_cut", (const char *)*state);
    struct ring_model m;
    make_file(path, &m, WORDS);
    struct ring_writer w;
    ring_writer_init(&w, &m, 0, VT_TRACE_DROP);
    struct vt_trace_source *source = NULL;
    struct vt_error err = {0};
    assert_int_equal(vt_trace_open_live(path, &source, &err), 0);
    ring_writer_block(&w, ring_model_nops(&m, 0x1000, 1, 0xc3));
    munmap(m.base, m.bytes);
    assert_int_equal(truncate(path, 0), 0);
    struct vt_trace_event e;
    assert_int_equal(vt_trace_next(source, 0, &e, &err), VT_E_GONE);
    vt_trace_close(source);
}

/* Else the first word for which there is no room would end QEMU. */
static void rings_need_room_before_they_are_written(void **state)
{
    const char *dir = *state;
    char path[256];
    snprintf(path, sizeof path, "%s/qemu_trace_full", dir);
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("full", dir, "tmpfs", 0, "size=256k") != 0) {
        skip();
    }
    struct ring_model m;
    make_file(path, &m, 1 << 16);
    struct vt_error err = {0};
    assert_int_equal(vt_trace_steer(path, VT_TRACE_BLOCKS, 0, 0, NULL, 0, &err), VT_E_LIMIT);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_int_equal(m.control->generation, 0);
    /* Nobody follows here: what is asked for is all that can be seen. */
    assert_int_equal(vt_trace_steer(path, VT_TRACE_COUNT, 0, 0, NULL, 0, &err), VT_E_TIMEOUT);
    assert_int_equal(m.control->generation, 1);
    assert_int_equal(mount("full", dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
    assert_int_equal(vt_trace_steer(path, VT_TRACE_BLOCKS, 0, 0, NULL, 0, &err), VT_E_TIMEOUT);
    assert_int_equal(m.control->generation, 2);
    assert_int_equal(m.control->detail, VT_TRACE_BLOCKS);
    struct statvfs room;
    assert_int_equal(statvfs(dir, &room), 0);
    assert_true((room.f_blocks - room.f_bfree) * room.f_bsize >= (uint64_t)8 << 16);
    munmap(m.base, m.bytes);
    assert_int_equal(umount2(dir, MNT_DETACH), 0);
}

int main(void)
{
#define RIGGED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        /* First: cmocka sets its own SIGBUS handler for each test, ours is set once a process. */
        vt_test_in_dir(a_file_cut_short_is_gone),
        RIGGED(blocks_come_in_order),
        RIGGED(room_is_given_back),
        RIGGED(drops_are_told),
        RIGGED(what_was_overwritten_is_told),
        RIGGED(a_flight_recorder_is_read_and_left_alone),
        RIGGED(a_consumer_comes_again),
        RIGGED(vcpus_are_merged_by_time),
        RIGGED(counters_are_summed),
        RIGGED(a_word_of_no_kind_is_corrupt),
        RIGGED(a_block_without_entry_is_corrupt),
        RIGGED(a_record_cut_at_the_head_is_corrupt),
        RIGGED(a_head_far_ahead_is_corrupt),
        RIGGED(a_dictionary_that_lies_is_corrupt),
        RIGGED(headers_are_checked),
        vt_test_in_dir(one_consumer_at_a_time),
        vt_test_in_dir(rings_need_room_before_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
