/* tests/unit/trace/test_events.c - words of one vCPU as events: how far blocks came. */
#include "tests/unit/harness.h"
#include "tests/unit/trace/ring_model.h"
#include "trace/events.h"

#include <string.h>

#define MAX 64

struct rig {
    struct ring_model m;
    struct vt_trace_dictionary dictionary;
    uint64_t words[MAX];
    size_t n;
    struct vt_trace_decoder d;
    struct vt_trace_words at;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    if (rig == NULL) {
        return -1;
    }
    ring_model_init(&rig->m, 1, 512);
    vt_trace_dictionary_init(&rig->dictionary, "x86_64");
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    vt_trace_decoder_fini(&rig->d);
    vt_trace_dictionary_fini(&rig->dictionary);
    ring_model_fini(&rig->m);
    free(rig);
    return 0;
}

static void put(struct rig *rig, unsigned kind, uint64_t low)
{
    assert_true(rig->n < MAX);
    rig->words[rig->n++] = (uint64_t)kind << 56 | low;
}

static void put_cut(struct rig *rig, unsigned type, uint64_t from, uint64_t to)
{
    put(rig, VT_TRACE_CUT, type);
    put(rig, 0, from);
    put(rig, 0, to);
}

static void begin(struct rig *rig)
{
    struct vt_error err = {0};
    const struct vt_trace_header *h = rig->m.header;
    assert_int_equal(vt_trace_dictionary_take(&rig->dictionary, rig->m.base + h->dictionary_offset,
                                              h->dictionary_head, &err),
                     0);
    vt_trace_decoder_init(&rig->d, h, &rig->dictionary, 0);
    rig->at = (struct vt_trace_words){.at = rig->words, .n = rig->n};
}

/* The next event; at the words' end the recording's. */
static struct vt_trace_event next(struct rig *rig)
{
    struct vt_trace_event e = {0};
    struct vt_error err = {0};
    int rc = vt_trace_decoder_next(&rig->d, &rig->at, &e, &err);
    if (rc == 0) {
        assert_int_equal(rig->at.n, 0);
        rc = vt_trace_decoder_end(&rig->d, &e);
    }
    if (rc != 1) {
        fail_msg("no event: %d %s", rc, err.message);
    }
    return e;
}

static struct vt_trace_event next_block(struct rig *rig, uint32_t id, unsigned executed,
                                        enum vt_trace_end end)
{
    struct vt_trace_event e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_BLOCK);
    assert_int_equal(e.block->id, id);
    assert_int_equal(e.end, end);
    assert_int_equal(e.executed, executed);
    return e;
}

/* ---- */

static void an_exception_cuts_its_block(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0xc3);
    uint32_t handler = ring_model_nops(&rig->m, 0x9000, 2, 0xcf);
    put(rig, VT_TRACE_BLOCK, a);
    put_cut(rig, 2, 0x1003, 0x9000);
    put(rig, VT_TRACE_BLOCK, handler);
    put(rig, VT_TRACE_BLOCK, a);
    put_cut(rig, 2, 0x1000, 0x9000); /* the first instruction may be the one */
    put(rig, VT_TRACE_BLOCK, a);
    put_cut(rig, 2, 0x5000, 0x9000); /* the fetch at where it returned to */
    put(rig, VT_TRACE_BLOCK, handler);
    begin(rig);
    struct vt_trace_event e = next_block(rig, a, 3, VT_TRACE_END_EXCEPTION);
    assert_int_equal(e.from, 0x1003);
    assert_int_equal(e.to, 0x9000);
    next_block(rig, handler, 2, VT_TRACE_END_WHOLE);
    next_block(rig, a, 0, VT_TRACE_END_EXCEPTION);
    next_block(rig, a, 5, VT_TRACE_END_EXCEPTION);
    next_block(rig, handler, 2, VT_TRACE_END_UNKNOWN);
}

static void put_at(struct rig *rig, int64_t pages, uint32_t id)
{
    put(rig, VT_TRACE_AT, (uint64_t)pages & (((uint64_t)1 << 56) - 1));
    put(rig, VT_TRACE_BLOCK, id);
}

static void a_block_elsewhere_is_a_block_of_its_own(void **state)
{
    struct rig *rig = *state;
    static const uint8_t loop[] = {0x90, 0x75, 0xfd}; /* jne to itself */
    uint32_t unused = ring_model_nops(&rig->m, 0x1000, 1, 0xc3);
    uint32_t a = ring_model_block(&rig->m, 0x2ffe, (uint8_t[]){1, 2}, 2, loop);
    uint32_t far = ring_model_block(&rig->m, 0xffffffff80002ffe, (uint8_t[]){1, 2}, 2, loop);
    put_at(rig, 0x10, a);
    put(rig, VT_TRACE_BLOCK, a);
    put_at(rig, 0x10, a);
    put_cut(rig, 2, 0x12fff, 0x9000);
    put_at(rig, -2, a);
    put_at(rig, -0x80000, a);
    put(rig, VT_TRACE_BLOCK, far); /* translated there, too */
    put_at(rig, 0x10, far);
    put_at(rig, 0x10, a);
    begin(rig);
    struct vt_trace_event e = next_block(rig, 0, 2, VT_TRACE_END_WHOLE);
    const struct vt_trace_block *at = e.block;
    assert_int_equal(at->pc, 0x12ffe);
    assert_memory_equal(at->code, loop, sizeof loop);
    e = next_block(rig, 1, 2, VT_TRACE_END_WHOLE);
    assert_int_equal(e.block->pc, 0x2ffe);
    e = next_block(rig, 0, 1, VT_TRACE_END_EXCEPTION); /* the cut's PC is the true one */
    assert_ptr_equal(e.block, at);
    e = next_block(rig, 2, 2, VT_TRACE_END_WHOLE);
    assert_int_equal(e.block->pc, 0xffe);
    e = next_block(rig, 3, 2, VT_TRACE_END_WHOLE);
    assert_int_equal(e.block->pc, 0xffffffff80002ffe);
    next_block(rig, 3, 2, VT_TRACE_END_WHOLE);
    e = next_block(rig, 4, 2, VT_TRACE_END_WHOLE);
    assert_int_equal(e.block->pc, 0xffffffff80012ffe);
    next_block(rig, 0, 2, VT_TRACE_END_UNKNOWN);
    assert_ptr_equal(&vt_trace_dictionary_shown(&rig->dictionary, 0)->block, at);
    assert_null(vt_trace_dictionary_shown(&rig->dictionary, 5));
    assert_null(vt_trace_dictionary_find(&rig->dictionary, unused)->shown);
}

static void a_raised_exception_is_told_when_it_is_delivered(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0xc3);
    uint32_t software =
        ring_model_block(&rig->m, 0x2000, (uint8_t[]){1, 2}, 2, (uint8_t[]){0x90, 0xcd, 0x80});
    put(rig, VT_TRACE_BLOCK, a);
    put_cut(rig, 2, 0x1000, 0x1000); /* where the PC was last known */
    put(rig, VT_TRACE_ROOT, 0x5000);
    put_cut(rig, 1, 0x1003, 0x9000);
    put(rig, VT_TRACE_BLOCK, software);
    put_cut(rig, 2, 0x2001, 0x2001);
    put_cut(rig, 1, 0x2001, 0x9000);
    put_cut(rig, 2, 0x9000, 0x9000); /* the handler's page is missing */
    put_cut(rig, 1, 0x9000, 0xa000);
    put(rig, VT_TRACE_BLOCK, a);
    put_cut(rig, 2, 0x1001, 0x1001);
    put(rig, VT_TRACE_BLOCK, a);
    begin(rig);
    struct vt_trace_event e = next_block(rig, a, 3, VT_TRACE_END_EXCEPTION);
    assert_int_equal(e.from, 0x1003);
    assert_int_equal(e.to, 0x9000);
    next_block(rig, software, 2, VT_TRACE_END_EXCEPTION);
    e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_CUT);
    assert_int_equal(e.end, VT_TRACE_END_EXCEPTION);
    assert_int_equal(e.to, 0xa000);
    next_block(rig, a, 1, VT_TRACE_END_EXCEPTION);
    next_block(rig, a, 5, VT_TRACE_END_UNKNOWN);
}

static void an_interrupt_comes_after_its_block(void **state)
{
    struct rig *rig = *state;
    static const uint8_t sizes[] = {1, 1, 2};
    static const uint8_t loop[] = {0x90, 0x90, 0x75, 0xfd}; /* jne to the second */
    static const uint8_t copy[] = {0x90, 0x90, 0xf3, 0xa4}; /* rep movsb */
    uint32_t a = ring_model_block(&rig->m, 0x1000, sizes, 3, loop);
    uint32_t b = ring_model_block(&rig->m, 0x2000, sizes, 3, copy);
    put(rig, VT_TRACE_BLOCK, a);
    put_cut(rig, 1, 0x1001, 0x9000);
    put(rig, VT_TRACE_BLOCK, b);
    put_cut(rig, 1, 0x2002, 0x9000);
    put_cut(rig, 2, 0x9000, 0xa000);
    begin(rig);
    next_block(rig, a, 3, VT_TRACE_END_INTERRUPT);
    next_block(rig, b, 2, VT_TRACE_END_INTERRUPT); /* its rep goes on later */
    struct vt_trace_event e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_CUT);
    assert_int_equal(e.end, VT_TRACE_END_EXCEPTION);
    assert_int_equal(e.from, 0x9000);
}

static void a_store_into_its_own_block_begins_again(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0xc3);
    uint32_t third = ring_model_nops(&rig->m, 0x1002, 1, 0x90);
    uint32_t rest = ring_model_nops(&rig->m, 0x1003, 2, 0xc3);
    uint32_t last = ring_model_nops(&rig->m, 0x1004, 1, 0xc3);
    put(rig, VT_TRACE_BLOCK, a);
    put(rig, VT_TRACE_BLOCK, third);
    put(rig, VT_TRACE_BLOCK, rest);
    put(rig, VT_TRACE_BLOCK, last); /* where a return may well lead */
    begin(rig);
    struct vt_trace_event e = next_block(rig, a, 2, VT_TRACE_END_RESTART);
    assert_int_equal(e.from, 0x1002);
    next_block(rig, third, 1, VT_TRACE_END_WHOLE);
    next_block(rig, rest, 2, VT_TRACE_END_WHOLE);
    next_block(rig, last, 1, VT_TRACE_END_UNKNOWN);
}

static void a_lone_store_into_itself_begins_again(void **state)
{
    struct rig *rig = *state;
    uint32_t store = ring_model_nops(&rig->m, 0x1000, 1, 0x90);
    uint32_t jump = ring_model_block(&rig->m, 0x2000, (uint8_t[]){2}, 1, (uint8_t[]){0xeb, 0xfe});
    put(rig, VT_TRACE_BLOCK, store);
    put(rig, VT_TRACE_BLOCK, store);
    put(rig, VT_TRACE_BLOCK, jump);
    put(rig, VT_TRACE_BLOCK, jump);
    begin(rig);
    next_block(rig, store, 0, VT_TRACE_END_RESTART);
    next_block(rig, store, 1, VT_TRACE_END_WHOLE);
    next_block(rig, jump, 1, VT_TRACE_END_WHOLE);
}

/* A block of two at 0x1000, of which the second goes back to the first. */
static void the_top_of_a_loop_begins_again_when_it_is_said(void **state)
{
    struct rig *rig = *state;
    uint32_t loop =
        ring_model_block(&rig->m, 0x1000, (uint8_t[]){1, 2}, 2, (uint8_t[]){0x90, 0xeb, 0xfd});
    uint32_t top = ring_model_nops(&rig->m, 0x1000, 1, 0x90);
    put(rig, VT_TRACE_BLOCK, loop);
    put(rig, VT_TRACE_AGAIN, 0);
    put(rig, VT_TRACE_BLOCK, top);
    put(rig, VT_TRACE_BLOCK, loop);
    put(rig, VT_TRACE_BLOCK, top);
    put(rig, VT_TRACE_BLOCK, loop);
    begin(rig);
    next_block(rig, loop, 0, VT_TRACE_END_RESTART);
    next_block(rig, top, 1, VT_TRACE_END_WHOLE);
    next_block(rig, loop, 2, VT_TRACE_END_WHOLE);
    next_block(rig, top, 1, VT_TRACE_END_WHOLE);
}

static void without_cuts_only_what_cannot_follow_shows(void **state)
{
    struct rig *rig = *state;
    rig->m.header->capabilities = 0;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0x90);
    uint32_t next_one = ring_model_nops(&rig->m, 0x1005, 2, 0xc3);
    uint32_t handler = ring_model_nops(&rig->m, 0x9000, 2, 0xcf);
    put(rig, VT_TRACE_BLOCK, a);
    put(rig, VT_TRACE_BLOCK, next_one);
    put(rig, VT_TRACE_BLOCK, a);
    put(rig, VT_TRACE_BLOCK, handler);
    begin(rig);
    next_block(rig, a, 5, VT_TRACE_END_WHOLE);
    next_block(rig, next_one, 2, VT_TRACE_END_WHOLE);
    next_block(rig, a, 5, VT_TRACE_END_UNKNOWN);
}

static void accesses_are_their_blocks(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0xc3);
    put(rig, VT_TRACE_ACCESS, 1 | 3u << 10); /* of a block before we came */
    put(rig, 0, 0xdead);
    put(rig, VT_TRACE_BLOCK, a);
    put(rig, VT_TRACE_ACCESS, 1 | 2u << 10 | VT_TRACE_ACCESS_STORE | VT_TRACE_ACCESS_DEVICE);
    put(rig, 0xff, 0x2000);
    put(rig, VT_TRACE_ACCESS, 3 | 4u << 10 | VT_TRACE_ACCESS_VALUE);
    put(rig, 0, 0x3000);
    put(rig, 0, 0x55);
    put(rig, 7, 0x66);
    put(rig, VT_TRACE_BLOCK, a);
    begin(rig);
    struct vt_trace_event e = next_block(rig, a, 5, VT_TRACE_END_WHOLE);
    assert_int_equal(e.n_accesses, 2);
    const struct vt_trace_access *x = e.accesses;
    assert_int_equal(x[0].instruction, 1);
    assert_int_equal(x[0].bytes, 4);
    assert_true(x[0].store && x[0].device && !x[0].has_value);
    assert_int_equal(x[0].address, (uint64_t)0xff << 56 | 0x2000);
    assert_int_equal(x[1].instruction, 3);
    assert_int_equal(x[1].bytes, 16);
    assert_true(!x[1].store && x[1].has_value);
    assert_int_equal(x[1].value[0], 0x55);
    assert_int_equal(x[1].value[1], (uint64_t)7 << 56 | 0x66);
    e = next_block(rig, a, 5, VT_TRACE_END_UNKNOWN);
    assert_int_equal(e.n_accesses, 0);
}

static void a_root_holds_from_the_next_block_on(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0x90);
    put(rig, VT_TRACE_ROOT, 0x5000);
    put(rig, VT_TRACE_TIME, 1100);
    put(rig, VT_TRACE_BLOCK, a);
    put(rig, VT_TRACE_ROOT, 0x6000);
    put(rig, VT_TRACE_TIME, 1200);
    put(rig, VT_TRACE_BLOCK, a);
    begin(rig);
    struct vt_trace_event e = next_block(rig, a, 5, VT_TRACE_END_WHOLE);
    assert_int_equal(e.root, 0x5000);
    assert_int_equal(e.time_ns, 100);
    assert_int_equal(e.sequence, 0);
    e = next_block(rig, a, 5, VT_TRACE_END_UNKNOWN);
    assert_int_equal(e.root, 0x6000);
    assert_int_equal(e.time_ns, 200);
    assert_int_equal(e.sequence, 1);
}

static void the_rest_comes_where_it_was(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0xc3);
    put(rig, VT_TRACE_MODE, (uint64_t)VT_TRACE_VALUES << 32 | 7);
    put(rig, VT_TRACE_BLOCK, a);
    put(rig, VT_TRACE_REGISTERS, 3);
    put(rig, 0, 0x1002);
    put(rig, 0, 11);
    put(rig, 0, 22);
    put(rig, VT_TRACE_PAUSE, 1);
    put(rig, VT_TRACE_TIME, 1050);
    put(rig, VT_TRACE_PAUSE, 0);
    put(rig, VT_TRACE_TIME, 1060);
    put_cut(rig, 1, 0x1005, 0x9000);
    put(rig, VT_TRACE_BLOCK, a);
    put(rig, VT_TRACE_LOST, 12);
    put(rig, VT_TRACE_BLOCK, a);
    begin(rig);
    struct vt_trace_event e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_MODE);
    assert_int_equal(e.detail, VT_TRACE_VALUES);
    assert_int_equal(e.generation, 7);
    e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_REGISTERS);
    assert_int_equal(e.pc, 0x1002);
    assert_int_equal(e.n_registers, 2);
    assert_int_equal(e.registers[1], 22);
    next_block(rig, a, 5, VT_TRACE_END_WHOLE);
    e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_PAUSE);
    assert_int_equal(e.time_ns, 50);
    assert_int_equal(next(rig).kind, VT_TRACE_EV_RESUME);
    assert_int_equal(next(rig).kind, VT_TRACE_EV_CUT);
    next_block(rig, a, 5, VT_TRACE_END_UNKNOWN);
    e = next(rig);
    assert_int_equal(e.kind, VT_TRACE_EV_LOST);
    assert_int_equal(e.lost_words, 12);
    next_block(rig, a, 5, VT_TRACE_END_UNKNOWN);
}

static void any_cut_of_the_words_gives_the_same(void **state)
{
    struct rig *rig = *state;
    the_rest_comes_where_it_was(state);
    for (size_t piece = 1; piece < rig->n; piece++) {
        vt_trace_decoder_fini(&rig->d);
        begin(rig);
        struct vt_trace_event e;
        struct vt_error err = {0};
        size_t events = 0;
        size_t from = 0;
        for (size_t have = 0; have < rig->n;) {
            have = have + piece < rig->n ? have + piece : rig->n;
            rig->at = (struct vt_trace_words){rig->words + from, have - from, from};
            int rc;
            while ((rc = vt_trace_decoder_next(&rig->d, &rig->at, &e, &err)) == 1) {
                events++;
            }
            assert_int_equal(rc, 0);
            from = (size_t)rig->at.position;
        }
        while (vt_trace_decoder_end(&rig->d, &e) == 1) {
            events++;
        }
        assert_int_equal(events, 9);
    }
}

static void what_cannot_be_is_corrupt(void **state)
{
    struct rig *rig = *state;
    uint32_t a = ring_model_nops(&rig->m, 0x1000, 5, 0xc3);
    const uint64_t bad[][3] = {
        {0, 0, 0},
        {(uint64_t)VT_TRACE_BLOCK << 56 | 77, 0, 0},
        {(uint64_t)VT_TRACE_ACCESS << 56 | 5, 0, 0},         /* instruction 5 of 5 */
        {(uint64_t)VT_TRACE_ACCESS << 56 | 5u << 10, 0, 0},  /* 32 bytes */
        {(uint64_t)VT_TRACE_CUT << 56 | 3, 0, 0},            /* of two kinds */
        {(uint64_t)VT_TRACE_REGISTERS << 56 | 0xffff, 0, 0}, /* more than there are */
        {(uint64_t)VT_TRACE_PAUSE << 56, 0, 0},              /* without its time */
        {(uint64_t)VT_TRACE_AT << 56 | 1, 0, 0},             /* without its block */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rig->n = 0;
        put(rig, VT_TRACE_BLOCK, a);
        memcpy(rig->words + 1, bad[i], sizeof bad[i]);
        rig->n = 4;
        vt_trace_decoder_fini(&rig->d);
        begin(rig);
        struct vt_trace_event e;
        struct vt_error err = {0};
        int rc;
        while ((rc = vt_trace_decoder_next(&rig->d, &rig->at, &e, &err)) == 1) {
        }
        if (rc != VT_E_CORRUPT) {
            fail_msg("%zu: %d", i, rc);
        }
        assert_memory_equal(err.message, "ring of vCPU 0 at word 1", 24);
    }
}

int main(void)
{
#define RIGGED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIGGED(an_exception_cuts_its_block),
        RIGGED(a_block_elsewhere_is_a_block_of_its_own),
        RIGGED(a_raised_exception_is_told_when_it_is_delivered),
        RIGGED(an_interrupt_comes_after_its_block),
        RIGGED(a_store_into_its_own_block_begins_again),
        RIGGED(a_lone_store_into_itself_begins_again),
        RIGGED(the_top_of_a_loop_begins_again_when_it_is_said),
        RIGGED(without_cuts_only_what_cannot_follow_shows),
        RIGGED(accesses_are_their_blocks),
        RIGGED(a_root_holds_from_the_next_block_on),
        RIGGED(the_rest_comes_where_it_was),
        RIGGED(any_cut_of_the_words_gives_the_same),
        RIGGED(what_cannot_be_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
