/* Rings and streams of a well-behaved guest: replies, wrapping, sleep and wake-up, streams in
 * shared memory, positions waited for, reports of being alive, numbers. TSan sees it too.
 */
#include "tests/unit/harness.h"
#include "tests/unit/venus/ring_guest.h"

#include <sched.h>
#include <string.h>

static void the_own_stream_answers(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, NULL);
    struct guest_memory replies = guest_attach(&guest, 5, 4096);
    struct vt_venus_out out = guest_out();
    say_reply_stream(&out, 5, 64, 100);
    say_version(&out, true);
    say_version(&out, false);
    say_version(&out, true);
    assert_int_equal(guest_submit(&guest, &out), 0);
    assert_true(is_version_reply(replies.at + 64));
    assert_true(is_version_reply(replies.at + 64 + VERSION_REPLY_BYTES));
    assert_int_equal(replies.at[64 + (size_t)2 * VERSION_REPLY_BYTES], 0);
    vt_venus_out_fini(&out);
    guest_memory_free(&replies);
    guest_fini(&guest);
}

static void a_ring_answers_round_and_round(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    struct guest_memory replies = guest_attach(&b.guest, 5, 4096);
    for (unsigned i = 0; i < 2000; i++) {
        size_t offset = (size_t)(i % 40) * 100;
        b.out.at = b.out.start;
        for (unsigned j = 0; j < i % 7; j++) {
            say_version(&b.out, false);
        }
        say_reply_stream(&b.out, 5, offset, VERSION_REPLY_BYTES);
        say_version(&b.out, true);
        memset(replies.at + offset, 0, VERSION_REPLY_BYTES);
        guest_ring_send(&b.ring, &b.out);
        assert_true(guest_ring_wait(&b.ring));
        assert_true(is_version_reply(replies.at + offset));
    }
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(b.guest.context, &statistics);
    assert_int_equal(statistics.replies, 2000);
    assert_int_equal(statistics.reply_bytes, 2000 * (uint64_t)VERSION_REPLY_BYTES);
    assert_int_equal(statistics.rings, 1);
    assert_int_equal(statistics.unknown, 0);
    guest_memory_free(&replies);
    guest_bench_fini(&b);
}

/* With no timeout the ring falls asleep whenever it can: every wake-up must come through. */
static void no_wake_up_is_lost(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, NULL);
    struct guest_ring ring = {.guest = &guest, .id = 9, .memory = guest_attach(&guest, 3, 8192)};
    VkRingCreateInfoMESA info = guest_ring_info(3);
    info.idleTimeout = 0;
    ring.head = (_Atomic uint32_t *)(ring.memory.at + info.headOffset);
    ring.tail = (_Atomic uint32_t *)(ring.memory.at + info.tailOffset);
    ring.status = (_Atomic uint32_t *)(ring.memory.at + info.statusOffset);
    ring.buffer = ring.memory.at + info.bufferOffset;
    struct vt_venus_out out = guest_out();
    say_create_ring(&out, 9, &info);
    assert_int_equal(guest_submit(&guest, &out), 0);
    out.at = out.start;
    say_version(&out, false);
    for (unsigned i = 0; i < 5000; i++) {
        guest_ring_send(&ring, &out);
        if (i % 3 != 0) {
            assert_true(guest_ring_wait(&ring));
        }
        for (unsigned j = 0; j < i % 50; j++) {
            sched_yield();
        }
    }
    assert_true(guest_ring_wait(&ring));
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(guest.context, &statistics);
    assert_int_equal(statistics.notifies, ring.notifies);
    assert_true(statistics.waits > 0);
    vt_venus_out_fini(&out);
    guest_fini(&guest);
    guest_ring_free(&ring);
}

static void streams_lie_in_shared_memory(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    struct guest_memory memory = guest_attach(&b.guest, 5, 1 << 16);
    struct vt_venus_out stream = guest_out();
    say_version(&stream, true);
    size_t bytes = (size_t)(stream.at - stream.start);
    memcpy(memory.at + 4096, stream.start, bytes);
    for (unsigned i = 0; i < 500; i++) {
        memcpy(memory.at + 8192 + i * bytes, stream.start, bytes);
    }
    const VkCommandStreamDescriptionMESA streams[] = {
        {.resourceId = 5, .offset = 4096, .size = bytes},
        {.resourceId = 5, .offset = 8192, .size = 0},
        {.resourceId = 5, .offset = 8192, .size = 100 * bytes},
    };
    const size_t positions[] = {400, 0, 500};
    say_reply_stream(&b.out, 5, 0, 4096);
    say_execute(&b.out, 3, streams, positions);
    say_version(&b.out, true);
    guest_ring_send(&b.ring, &b.out);
    assert_true(guest_ring_wait(&b.ring));
    assert_true(is_version_reply(memory.at + 400));
    for (unsigned i = 0; i < 101; i++) {
        assert_true(is_version_reply(memory.at + 500 + (size_t)i * VERSION_REPLY_BYTES));
    }
    assert_int_equal(memory.at[420], 0);
    vt_venus_out_fini(&stream);
    guest_memory_free(&memory);
    guest_bench_fini(&b);
}

/* Mesa's roundtrip: submitted on the own stream, waited for on the ring. */
static void a_ring_waits_for_the_own_stream(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    for (uint64_t seqno = 1; seqno <= 200; seqno++) {
        b.out.at = b.out.start;
        say_wait_seqno(&b.out, seqno);
        say_extra(&b.out, 77, 0, (uint32_t)seqno);
        guest_ring_send(&b.ring, &b.out);
        assert_int_equal(*(volatile uint32_t *)b.ring.extra, seqno - 1);
        b.out.at = b.out.start;
        say_submit_seqno(&b.out, 77, seqno);
        say_wait_ring(&b.out, 77, b.ring.at);
        assert_int_equal(guest_submit(&b.guest, &b.out), 0);
        assert_int_equal(*(volatile uint32_t *)b.ring.extra, seqno);
        assert_int_equal(atomic_load(b.ring.head), b.ring.at);
    }
    guest_bench_fini(&b);
}

/* One ring waits for another's position, which its own thread waits for in turn. */
static void rings_wait_for_one_another(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, NULL);
    struct guest_ring a;
    struct guest_ring b;
    guest_ring_make(&a, &guest, 1, 6, NULL);
    guest_ring_make(&b, &guest, 2, 7, NULL);
    struct vt_venus_out out = guest_out();
    for (uint64_t seqno = 1; seqno <= 200; seqno++) {
        out.at = out.start;
        say_wait_seqno(&out, seqno);
        guest_ring_send(&a, &out);
        out.at = out.start;
        say_wait_ring(&out, 1, a.at);
        guest_ring_send(&b, &out);
        out.at = out.start;
        say_submit_seqno(&out, 1, seqno);
        assert_int_equal(guest_submit(&guest, &out), 0);
        assert_true(guest_ring_wait(&b));
        assert_int_equal(atomic_load(a.head), a.at);
    }
    vt_venus_out_fini(&out);
    guest_fini(&guest);
    guest_ring_free(&a);
    guest_ring_free(&b);
}

static void a_ring_outlives_its_resource_and_then_ends(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    assert_int_equal(vt_venus_context_detach(b.guest.context, 6, NULL), 0);
    assert_int_equal(vt_venus_context_detach(b.guest.context, 6, NULL), -3);
    say_version(&b.out, false);
    guest_ring_send(&b.ring, &b.out);
    assert_true(guest_ring_wait(&b.ring));
    b.out.at = b.out.start;
    say_destroy_ring(&b.out, 77);
    assert_int_equal(guest_submit(&b.guest, &b.out), 0);
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(b.guest.context, &statistics);
    assert_int_equal(statistics.rings, 0);
    /* Made, the version, destroyed, and a wake-up if it slept: of an ended ring too. */
    assert_int_equal(statistics.commands, 3 + b.ring.notifies);
    guest_bench_fini(&b);
}

/* Also while a command blocks. */
static void a_watched_ring_is_reported_alive(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, NULL);
    struct guest_ring ring;
    const VkRingMonitorInfoMESA monitor = {.sType = VK_STRUCTURE_TYPE_RING_MONITOR_INFO_MESA,
                                           .maxReportingPeriodMicroseconds = 1000};
    guest_ring_make(&ring, &guest, 77, 6, &monitor);
    struct vt_venus_out out = guest_out();
    say_wait_seqno(&out, 1);
    guest_ring_send(&ring, &out);
    for (unsigned i = 0; i < 3; i++) {
        atomic_fetch_and(ring.status, ~(uint32_t)VK_RING_STATUS_ALIVE_BIT_MESA);
        while ((atomic_load(ring.status) & VK_RING_STATUS_ALIVE_BIT_MESA) == 0) {
            sched_yield();
        }
    }
    out.at = out.start;
    say_submit_seqno(&out, 77, 1);
    assert_int_equal(guest_submit(&guest, &out), 0);
    assert_true(guest_ring_wait(&ring));
    vt_venus_out_fini(&out);
    guest_fini(&guest);
    guest_ring_free(&ring);
}

static bool note_row(const struct vt_venus_command_count *count, void *arg)
{
    uint64_t *seen = arg;
    if (strcmp(count->name, "vkEnumerateInstanceVersion") == 0) {
        seen[0] = count->count;
    } else if (strcmp(count->name, "vkNotifyRingMESA") == 0) {
        seen[1] = count->count;
    }
    return true;
}

static void commands_are_counted_by_name(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    for (unsigned i = 0; i < 70; i++) {
        say_version(&b.out, false);
    }
    guest_ring_send(&b.ring, &b.out);
    assert_true(guest_ring_wait(&b.ring));
    b.out.at = b.out.start;
    say_notify(&b.out, 77);
    say_version(&b.out, false);
    assert_int_equal(guest_submit(&b.guest, &b.out), 0);
    uint64_t seen[2] = {0};
    vt_venus_context_commands(b.guest.context, note_row, seen);
    assert_int_equal(seen[0], 71);
    assert_int_equal(seen[1], 1 + b.ring.notifies);
    guest_bench_fini(&b);
}

/* What an observer is told is the stream, command by command, and each reply. */
struct seen {
    unsigned begun, ended, wrong, attached, detached, created, destroyed;
    uint8_t bytes[4096];
    size_t used, reply_bytes;
    uint64_t by_ring[2];  /* begun on the context's own stream, on the ring */
    pthread_mutex_t lock; /* which are two threads */
};

static uint64_t see_begin(void *arg, struct vt_venus_context *context,
                          const struct vt_venus_observed *command)
{
    struct seen *seen = arg;
    (void)context;
    pthread_mutex_lock(&seen->lock);
    if (command->ring == 77) {
        memcpy(seen->bytes + seen->used, command->bytes, command->size);
        seen->used += command->size;
    }
    uint64_t begun = ++seen->by_ring[command->ring == 77];
    seen->begun++;
    pthread_mutex_unlock(&seen->lock);
    return begun;
}
static void see_end(void *arg, struct vt_venus_context *context,
                    const struct vt_venus_observed *command, uint64_t begun)
{
    struct seen *seen = arg;
    (void)context;
    pthread_mutex_lock(&seen->lock);
    seen->wrong += begun != seen->by_ring[command->ring == 77] || command->size % 4 != 0;
    seen->ended++;
    if (command->reply != NULL) {
        seen->wrong += !is_version_reply(command->reply);
        seen->reply_bytes += command->reply_bytes;
    }
    pthread_mutex_unlock(&seen->lock);
}
static void see_attached(void *arg, uint32_t context, uint32_t resource, uint64_t size)
{
    (void)context, (void)resource, (void)size;
    ((struct seen *)arg)->attached++;
}
static void see_detached(void *arg, uint32_t context, uint32_t resource)
{
    (void)context, (void)resource;
    ((struct seen *)arg)->detached++;
}
static void see_created(void *arg, struct vt_venus_context *context, uint32_t id, const char *name)
{
    (void)context, (void)id, (void)name;
    ((struct seen *)arg)->created++;
}
static void see_destroyed(void *arg, uint32_t id)
{
    (void)id;
    ((struct seen *)arg)->destroyed++;
}

static void an_observer_sees_it_all(void **state)
{
    (void)state;
    struct seen seen = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct vt_venus_options options = {.observer = {.created = see_created,
                                                          .destroyed = see_destroyed,
                                                          .begin = see_begin,
                                                          .end = see_end,
                                                          .attached = see_attached,
                                                          .detached = see_detached,
                                                          .arg = &seen}};
    struct guest guest;
    guest_init(&guest, &options);
    struct guest_memory replies = guest_attach(&guest, 5, 4096);
    struct guest_ring ring;
    guest_ring_make(&ring, &guest, 77, 6, NULL);
    struct vt_venus_out out = guest_out();
    say_reply_stream(&out, 5, 0, 4096);
    say_version(&out, true);
    say_extra(&out, 77, 0, 5);
    say_version(&out, false);
    say_version(&out, true);
    guest_ring_send(&ring, &out);
    assert_true(guest_ring_wait(&ring));
    assert_int_equal(vt_venus_context_detach(guest.context, 5, NULL), 0);
    guest_fini(&guest);
    assert_int_equal(seen.used, out.at - out.start);
    assert_memory_equal(seen.bytes, out.start, seen.used);
    assert_int_equal(seen.begun, 6 + ring.notifies);
    assert_int_equal(seen.ended, seen.begun);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.reply_bytes, 2 * VERSION_REPLY_BYTES);
    assert_int_equal(seen.attached, 2);
    assert_int_equal(seen.detached, 1);
    assert_int_equal(seen.created, 1);
    assert_int_equal(seen.destroyed, 1);
    vt_venus_out_fini(&out);
    guest_memory_free(&replies);
    guest_ring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_own_stream_answers),
        cmocka_unit_test(a_ring_answers_round_and_round),
        cmocka_unit_test(no_wake_up_is_lost),
        cmocka_unit_test(streams_lie_in_shared_memory),
        cmocka_unit_test(a_ring_waits_for_the_own_stream),
        cmocka_unit_test(rings_wait_for_one_another),
        cmocka_unit_test(a_ring_outlives_its_resource_and_then_ends),
        cmocka_unit_test(a_watched_ring_is_reported_alive),
        cmocka_unit_test(commands_are_counted_by_name),
        cmocka_unit_test(an_observer_sees_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
