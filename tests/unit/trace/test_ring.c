/* tests/unit/trace/test_ring.c - writers and readers of rings at the same time, each with delays
 * where others see its steps: nothing is lost but what is told, whatever the order. Run under TSan,
 * too.
 *
 * The n-th record of a vCPU is a block and an access whose address is n and whose value looks like
 * a record. So readers know what they got: numbers go up by one, unless a loss was told.
 */
#include "tests/unit/harness.h"
#include "tests/unit/trace/ring_model.h"
#include "trace/live.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define WORDS 256u
#define VCPUS 2u

struct party {
    struct ring_model *m;
    struct ring_writer w;
    uint32_t block;
    uint64_t records, random;
    uint64_t put; /* of them, those that were not dropped */
};

struct rig {
    struct ring_model m;
    struct party parties[VCPUS];
    pthread_t threads[VCPUS];
    uint64_t random;
};

/* xorshift64 */
static uint64_t draw(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void dawdle(uint64_t *random)
{
    uint64_t r = draw(random) % 64;
    if (r == 0) {
        sched_yield();
    } else if (r == 1) {
        for (volatile int i = 0; i < 200; i++) {
        }
    }
}

static void dawdling_writer(void *state)
{
    dawdle(&((struct party *)state)->random);
}

static void *write_records(void *state)
{
    struct party *p = state;
    for (uint64_t i = 0; i < p->records; i++) {
        uint64_t record[] = {(uint64_t)VT_TRACE_BLOCK << 56 | p->block,
                             (uint64_t)VT_TRACE_ACCESS << 56 | 3u << 10 | VT_TRACE_ACCESS_VALUE, i,
                             (uint64_t)VT_TRACE_LOST << 56 | i};
        p->put += ring_writer_put(&p->w, record, 4);
    }
    return NULL;
}

static void start(struct rig *rig, uint32_t policy, uint64_t records)
{
    ring_model_init(&rig->m, VCPUS, WORDS);
    rig->random = 88172645463325252u;
    for (uint32_t i = 0; i < VCPUS; i++) {
        struct party *p = &rig->parties[i];
        *p = (struct party){.m = &rig->m, .records = records, .random = 1234567 + i};
        p->block = ring_model_nops(&rig->m, 0x1000 * (i + 1), 3, 0xc3);
        ring_writer_init(&p->w, &rig->m, i, policy);
        p->w.between = dawdling_writer;
        p->w.state = p;
    }
}

static void launch(struct rig *rig)
{
    for (uint32_t i = 0; i < VCPUS; i++) {
        assert_int_equal(pthread_create(&rig->threads[i], NULL, write_records, &rig->parties[i]),
                         0);
    }
}

static void join(struct rig *rig)
{
    for (uint32_t i = 0; i < VCPUS; i++) {
        assert_int_equal(pthread_join(rig->threads[i], NULL), 0);
    }
}

static struct vt_trace_source *open_over(struct rig *rig, bool live)
{
    struct vt_trace_segment segment;
    struct vt_trace_source *source = NULL;
    struct vt_error err = {0};
    assert_int_equal(vt_trace_segment_over(&segment, rig->m.base, rig->m.bytes, &err), 0);
    assert_int_equal(vt_trace_live_create(&segment, live, &source, &err), 0);
    return source;
}

struct seen {
    uint64_t records[VCPUS], lost[VCPUS], next[VCPUS];
    bool gap[VCPUS]; /* the next number may be any that is higher */
};

/* Takes up to `limit` events; false at the end. */
static bool take(struct vt_trace_source *source, struct seen *seen, uint64_t limit,
                 uint64_t *random)
{
    struct vt_trace_event e;
    struct vt_error err = {0};
    for (uint64_t i = 0; i < limit; i++) {
        int rc = vt_trace_next(source, 1, &e, &err);
        if (rc < 0) {
            fail_msg("%s", err.message);
        }
        if (rc == 0) {
            if (vt_trace_source_info(source)->ended) {
                return false;
            }
            continue;
        }
        assert_in_range(e.vcpu, 0, VCPUS - 1);
        if (e.kind == VT_TRACE_EV_LOST) {
            assert_true(e.lost_words != 0);
            seen->lost[e.vcpu] += e.lost_words;
            seen->gap[e.vcpu] = true;
            continue;
        }
        assert_int_equal(e.kind, VT_TRACE_EV_BLOCK);
        assert_int_equal(e.block->pc, 0x1000 * (e.vcpu + 1));
        assert_int_equal(e.n_accesses, 1);
        uint64_t n = e.accesses[0].address;
        assert_int_equal(e.accesses[0].value[0], (uint64_t)VT_TRACE_LOST << 56 | n);
        if (seen->gap[e.vcpu]) {
            assert_true(n >= seen->next[e.vcpu]);
        } else {
            assert_int_equal(n, seen->next[e.vcpu]);
        }
        seen->gap[e.vcpu] = false;
        seen->next[e.vcpu] = n + 1;
        seen->records[e.vcpu]++;
        dawdle(random);
    }
    return true;
}

static void end(struct rig *rig)
{
    __atomic_store_n(&rig->m.header->ended, 1, __ATOMIC_RELEASE);
}

/* ---- */

static void who_waits_loses_nothing(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, VT_TRACE_WAIT, 5000);
    struct vt_trace_source *source = open_over(&rig, true);
    launch(&rig);
    struct seen seen = {0};
    while (seen.records[0] + seen.records[1] < VCPUS * 5000 - VCPUS) {
        take(source, &seen, 100, &rig.random);
    }
    join(&rig);
    end(&rig);
    while (take(source, &seen, 100, &rig.random)) {
    }
    for (uint32_t i = 0; i < VCPUS; i++) {
        assert_int_equal(seen.records[i], 5000);
        assert_int_equal(seen.lost[i], 0);
    }
    vt_trace_close(source);
    ring_model_fini(&rig.m);
}

static void who_drops_says_how_much(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, VT_TRACE_DROP, 20000);
    struct vt_trace_source *source = open_over(&rig, true);
    launch(&rig);
    struct seen seen = {0};
    take(source, &seen, 10000, &rig.random);
    join(&rig);
    end(&rig);
    while (take(source, &seen, 100, &rig.random)) {
    }
    for (uint32_t i = 0; i < VCPUS; i++) {
        const struct party *p = &rig.parties[i];
        assert_int_equal(seen.records[i], p->put);
        /* What was dropped at the very end had no record to be told before. */
        assert_int_equal(seen.lost[i] + p->w.dropped, 4 * (p->records - p->put));
    }
    vt_trace_close(source);
    ring_model_fini(&rig.m);
}

static void who_overwrites_is_noticed(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, VT_TRACE_KEEP_LAST, 20000);
    struct vt_trace_source *source = open_over(&rig, true);
    launch(&rig);
    struct seen seen = {0};
    take(source, &seen, 10000, &rig.random);
    join(&rig);
    end(&rig);
    while (take(source, &seen, 100, &rig.random)) {
    }
    for (uint32_t i = 0; i < VCPUS; i++) {
        assert_int_equal(4 * seen.records[i] + seen.lost[i], 4 * 20000);
        assert_int_equal(seen.next[i], 20000);
    }
    vt_trace_close(source);
    ring_model_fini(&rig.m);
}

static void a_flight_recorder_is_read_while_it_records(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, VT_TRACE_KEEP_LAST, 20000);
    launch(&rig);
    for (int i = 0; i < 50; i++) {
        struct vt_trace_source *source = open_over(&rig, false);
        struct seen seen = {.gap = {true, true}};
        while (take(source, &seen, 1000, &rig.random)) {
        }
        assert_true(seen.records[0] <= WORDS / 4 && seen.lost[0] == 0);
        vt_trace_close(source);
    }
    join(&rig);
    ring_model_fini(&rig.m);
}

static void readers_come_and_go(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, VT_TRACE_WAIT, 10000);
    launch(&rig);
    struct seen seen = {0};
    for (int i = 0; i < 50; i++) {
        struct vt_trace_source *source = open_over(&rig, true);
        /* From now on: what was before is neither seen nor lost. The first words may be the rest of
         * what is being written; the writer, alone until now, may move tail once more. */
        seen.gap[0] = seen.gap[1] = true;
        take(source, &seen, draw(&rig.random) % 500, &rig.random);
        vt_trace_close(source);
        for (uint64_t k = draw(&rig.random) % 10; k != 0; k--) {
            sched_yield();
        }
    }
    join(&rig); /* nobody reads any more, so nobody waits */
    for (uint32_t i = 0; i < VCPUS; i++) {
        assert_int_equal(rig.parties[i].put, 10000);
    }
    ring_model_fini(&rig.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_loses_nothing),
        cmocka_unit_test(who_drops_says_how_much),
        cmocka_unit_test(who_overwrites_is_noticed),
        cmocka_unit_test(a_flight_recorder_is_read_while_it_records),
        cmocka_unit_test(readers_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
