/* Rings and streams of a guest that breaks the protocol: its context ends with a sentence that says
 * what it did, is told once, marks its rings FATAL, and can be destroyed whatever still waits.
 */
#include "tests/unit/harness.h"
#include "tests/unit/venus/ring_guest.h"

#include <sched.h>
#include <string.h>
#include <sys/socket.h>

static void assert_ended(struct guest *guest, const char *why)
{
    guest_wait_end(guest);
    if (strstr(guest->end.reason, why) == NULL) {
        fail_msg("'%s' is not in '%s'", why, guest->end.reason);
    }
    assert_string_equal(vt_venus_context_reason(guest->context), guest->end.reason);
    struct vt_venus_statistics statistics;
    vt_venus_context_statistics(guest->context, &statistics);
    assert_true(statistics.ended);
}

/* On a ring and on the own stream: `say` puts a command that ends the context. */
static void ends(void (*say)(struct vt_venus_out *out), const char *why)
{
    for (int on_ring = 0; on_ring < 2; on_ring++) {
        struct guest_bench b;
        guest_bench_init(&b);
        struct guest_memory memory = guest_attach(&b.guest, 5, 4096);
        say_version(&b.out, false);
        say(&b.out);
        say_version(&b.out, false);
        if (on_ring) {
            guest_ring_send(&b.ring, &b.out);
        } else {
            assert_int_equal(guest_submit(&b.guest, &b.out), VT_E_PROTOCOL);
        }
        assert_ended(&b.guest, why);
        assert_non_null(strstr(b.guest.end.commands, "vkEnumerateInstanceVersion"));
        while ((atomic_load(b.ring.status) & VK_RING_STATUS_FATAL_BIT_MESA) == 0) {
            sched_yield();
        }
        b.out.at = b.out.start;
        say_version(&b.out, false);
        assert_int_equal(guest_submit(&b.guest, &b.out), VT_E_PROTOCOL);
        guest_memory_free(&memory);
        guest_bench_fini(&b);
    }
}

static void unknown(struct vt_venus_out *out)
{
    vt_venus_put_u32(out, 4000);
    vt_venus_put_u32(out, 0);
}
static void bad_flags(struct vt_venus_out *out)
{
    vt_venus_put_u32(out, VK_COMMAND_TYPE_vkDestroyRingMESA_EXT);
    vt_venus_put_u32(out, 0x80000001u);
}
static void no_such_ring(struct vt_venus_out *out)
{
    say_notify(out, 78);
}
static void no_such_resource(struct vt_venus_out *out)
{
    say_reply_stream(out, 999, 0, 64);
}
static void reply_beyond_resource(struct vt_venus_out *out)
{
    say_reply_stream(out, 5, 4000, 100);
}
static void reply_at_the_end_of_numbers(struct vt_venus_out *out)
{
    say_reply_stream(out, 5, SIZE_MAX - 3, 8);
}
static void reply_too_small(struct vt_venus_out *out)
{
    say_reply_stream(out, 5, 0, 16);
    say_version(out, true);
}
static void reply_without_a_stream(struct vt_venus_out *out)
{
    say_version(out, true);
}
static void extra_beyond(struct vt_venus_out *out)
{
    say_extra(out, 77, 4, 1);
}
static void extra_unaligned(struct vt_venus_out *out)
{
    say_extra(out, 77, 2, 1);
}
static void waits_for_what_never_comes(struct vt_venus_out *out)
{
    say_wait_ring(out, 77, 1 << 20);
}
static void seeks_too_far(struct vt_venus_out *out)
{
    say_reply_stream(out, 5, 0, 16);
    vn_encode_vkSeekReplyCommandStreamMESA(
        out, 0, &(struct vn_vkSeekReplyCommandStreamMESA){.position = 20});
}
static void streams_beyond_resource(struct vt_venus_out *out)
{
    const VkCommandStreamDescriptionMESA stream = {.resourceId = 5, .offset = 8, .size = 4096};
    say_execute(out, 1, &stream, NULL);
}
static void streams_huge_count(struct vt_venus_out *out)
{
    vt_venus_put_u32(out, VK_COMMAND_TYPE_vkExecuteCommandStreamsMESA_EXT);
    vt_venus_put_u32(out, 0);
    vt_venus_put_u32(out, UINT32_MAX);
    vt_venus_put_u64(out, UINT32_MAX);
}
static void streams_that_depend_backwards(struct vt_venus_out *out)
{
    const VkCommandStreamDescriptionMESA streams[2] = {{.resourceId = 5}, {.resourceId = 5}};
    const VkCommandStreamDependencyMESA dependency = {.srcCommandStream = 1, .dstCommandStream = 0};
    vn_encode_vkExecuteCommandStreamsMESA(
        out, 0,
        &(struct vn_vkExecuteCommandStreamsMESA){.streamCount = 2,
                                                 .pStreams = streams,
                                                 .dependencyCount = 1,
                                                 .pDependencies = &dependency});
}
static void truncated(struct vt_venus_out *out)
{
    say_notify(out, 77);
    out->at -= 4;
    /* What say_version puts behind it ends the command otherwise; and then is none. */
    vt_venus_put_u32(out, 0);
    vt_venus_put_u32(out, 0xfffffff);
}

static void each_breach_ends_the_context(void **state)
{
    (void)state;
    static const struct {
        void (*say)(struct vt_venus_out *out);
        const char *why;
    } breaches[] = {
        {unknown, "no such command: 4000"},
        {bad_flags, "vkDestroyRingMESA: flags"},
        {no_such_ring, "vkNotifyRingMESA: ring: no such object: 78"},
        {no_such_resource, "no such object: 999"},
        {reply_beyond_resource, "VkCommandStreamDescriptionMESA.size"},
        {reply_at_the_end_of_numbers, "VkCommandStreamDescriptionMESA.offset"},
        {reply_too_small, "vkEnumerateInstanceVersion: the reply stream's size"},
        {reply_without_a_stream, "vkEnumerateInstanceVersion: the reply stream's size"},
        {extra_beyond, "vkWriteRingExtraMESA: offset"},
        {extra_unaligned, "vkWriteRingExtraMESA: offset"},
        {waits_for_what_never_comes, "vkWaitRingSeqnoMESA"},
        {seeks_too_far, "vkSeekReplyCommandStreamMESA: position"},
        {streams_beyond_resource, "vkExecuteCommandStreamsMESA: VkCommandStreamDescriptionMESA.si"},
        {streams_huge_count, "vkExecuteCommandStreamsMESA"},
        {streams_that_depend_backwards, "VkCommandStreamDependencyMESA.srcCommandStream"},
        {truncated, "no such command: 268435455"},
    };
    for (unsigned i = 0; i < sizeof breaches / sizeof breaches[0]; i++) {
        ends(breaches[i].say, breaches[i].why);
    }
}

static void the_tail_is_held_to_the_buffer(void **state)
{
    (void)state;
    static const uint32_t tails[] = {GUEST_RING_BYTES + 4, 2, UINT32_MAX, 0x80000000u};
    for (unsigned i = 0; i < 4; i++) {
        struct guest_bench b;
        guest_bench_init(&b);
        b.ring.at = tails[i];
        guest_ring_flush(&b.ring);
        assert_ended(&b.guest, "ring 77: tail");
        guest_bench_fini(&b);
    }
}

/* Head, status and extra are the guest's to overwrite, and nothing is taken from there. */
static void other_words_do_not_matter(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    say_version(&b.out, false);
    for (unsigned i = 0; i < 1000; i++) {
        guest_ring_write(&b.ring, b.out.start, (size_t)(b.out.at - b.out.start));
        atomic_store(b.ring.status, (i * 77777u & ~(uint32_t)VK_RING_STATUS_FATAL_BIT_MESA) |
                                        VK_RING_STATUS_IDLE_BIT_MESA);
        guest_ring_flush(&b.ring);
        assert_true(guest_ring_wait(&b.ring));
        atomic_store(b.ring.head, i * 12345u);
        b.ring.memory.at[2000] = (uint8_t)i;
        atomic_store(b.ring.head, b.ring.at);
    }
    assert_null(vt_venus_context_reason(b.guest.context));
    guest_bench_fini(&b);
}

static void layouts_are_checked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        VkRingCreateInfoMESA info = guest_ring_info(6);
        const char *why = "vkCreateRingMESA";
        switch (i) {
        case 0:
            info.resourceId = 7;
            why = "no resource 7";
            break;
        case 1:
            info.size = 8193;
            break;
        case 2:
            info.offset = 8192;
            break;
        case 3:
            info.offset = SIZE_MAX - 3;
            break;
        case 4:
            info.bufferSize = 4095;
            why = "a buffer of 4095 bytes";
            break;
        case 5:
            info.bufferSize = 0;
            break;
        case 6:
            info.bufferSize = (size_t)1 << 40;
            break;
        case 7:
            info.headOffset = 64;
            why = "head and tail overlap";
            break;
        case 8:
            info.statusOffset = 2;
            break;
        case 9:
            info.statusOffset = 300;
            why = "status and buffer overlap";
            break;
        case 10:
            info.extraOffset = 188;
            info.extraSize = 8;
            why = "buffer and extra overlap";
            break;
        case 11:
            info.extraOffset = SIZE_MAX - 3;
            why = "extra: 4 bytes at";
            break;
        case 12:
            info.extraSize = SIZE_MAX;
            break;
        case 13:
            info.tailOffset = info.size;
            why = "tail: 4 bytes at";
            break;
        case 14:
            info.flags = 1;
            why = "flags 0x1";
            break;
        default:
            info.bufferOffset = info.size - 4092;
            why = "buffer: 4096 bytes at";
            break;
        }
        struct guest guest;
        guest_init(&guest, NULL);
        struct guest_memory memory = guest_attach(&guest, 6, 8192);
        struct vt_venus_out out = guest_out();
        say_create_ring(&out, 1, &info);
        assert_int_equal(guest_submit(&guest, &out), VT_E_PROTOCOL);
        assert_ended(&guest, why);
        vt_venus_out_fini(&out);
        guest_memory_free(&memory);
        guest_fini(&guest);
    }
}

static void a_ring_id_is_given_once(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    const VkRingCreateInfoMESA info = guest_ring_info(6);
    /* Over the same memory, too: both write the same words, and read what both wrote. */
    say_create_ring(&b.out, 78, &info);
    say_create_ring(&b.out, 77, &info);
    assert_int_equal(guest_submit(&b.guest, &b.out), VT_E_PROTOCOL);
    assert_ended(&b.guest, "ring 77: the ring exists");
    guest_bench_fini(&b);
}

static void rings_make_and_end_no_rings(void **state)
{
    (void)state;
    for (int create = 0; create < 2; create++) {
        struct guest_bench b;
        guest_bench_init(&b);
        const VkRingCreateInfoMESA info = guest_ring_info(6);
        if (create) {
            say_create_ring(&b.out, 78, &info);
        } else {
            say_destroy_ring(&b.out, 77);
        }
        guest_ring_send(&b.ring, &b.out);
        assert_ended(&b.guest, "on a ring: not carried out by this host");
        guest_bench_fini(&b);
    }
}

/* Streams go one deep. */
static void a_stream_in_a_stream_is_refused(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, NULL);
    struct guest_memory memory = guest_attach(&guest, 5, 4096);
    const VkCommandStreamDescriptionMESA stream = {.resourceId = 5, .size = 4096};
    struct vt_venus_out out = guest_out();
    say_execute(&out, 1, &stream, NULL);
    memcpy(memory.at, out.start, (size_t)(out.at - out.start));
    assert_int_equal(guest_submit(&guest, &out), VT_E_PROTOCOL);
    assert_ended(&guest, "a stream inside of a stream");
    vt_venus_out_fini(&out);
    guest_memory_free(&memory);
    guest_fini(&guest);
}

/* What is waited for cannot come any more: who finds that out says so; what nobody can find out
 * ends with the context. */
static void waits_end(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, NULL);
    struct guest_ring a;
    struct guest_ring b;
    guest_ring_make(&a, &guest, 1, 6, NULL);
    guest_ring_make(&b, &guest, 2, 7, NULL);
    struct vt_venus_out out = guest_out();
    say_wait_ring(&out, 2, 32);
    say_version(&out, false);
    memcpy(b.buffer, out.start, 32);
    memcpy(a.buffer, out.start, 32);
    a.buffer[8] = 2;
    b.buffer[8] = 1;
    a.at = b.at = (uint32_t)(out.at - out.start);
    guest_ring_flush(&a);
    guest_ring_flush(&b);
    vt_venus_out_fini(&out);
    guest_fini(&guest);
    guest_ring_free(&a);
    guest_ring_free(&b);
}

static void the_own_stream_waits_for_no_ring_that_waits_for_it(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    say_wait_seqno(&b.out, 1);
    guest_ring_send(&b.ring, &b.out);
    b.out.at = b.out.start;
    say_wait_ring(&b.out, 77, b.ring.at);
    assert_int_equal(guest_submit(&b.guest, &b.out), VT_E_PROTOCOL);
    assert_ended(&b.guest, "the ring waits for this stream");
    guest_bench_fini(&b);
}

/* Nobody is left who could let a wait go on: the owner's thread, which is in it, gets out. */
static void waits_end_when_the_guest_is_gone(void **state)
{
    (void)state;
    struct guest guest;
    guest_init(&guest, NULL);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    vt_venus_context_peer(guest.context, pair[0]);
    struct guest_ring a;
    struct guest_ring b;
    guest_ring_make(&a, &guest, 1, 6, NULL);
    guest_ring_make(&b, &guest, 2, 7, NULL);
    struct vt_venus_out out = guest_out();
    say_wait_seqno(&out, 1);
    guest_ring_send(&b, &out);
    out.at = out.start;
    say_wait_ring(&out, 2, b.at);
    guest_ring_send(&a, &out);
    out.at = out.start;
    say_wait_ring(&out, 1, a.at);
    close(pair[1]);
    assert_int_equal(guest_submit(&guest, &out), VT_E_PROTOCOL);
    assert_ended(&guest, "vkWaitRingSeqnoMESA: the guest went away");
    vt_venus_out_fini(&out);
    close(pair[0]);
    guest_fini(&guest);
    guest_ring_free(&a);
    guest_ring_free(&b);
}

static void a_blocked_ring_can_be_destroyed(void **state)
{
    (void)state;
    struct guest_bench b;
    guest_bench_init(&b);
    say_wait_seqno(&b.out, 1);
    guest_ring_send(&b.ring, &b.out);
    b.out.at = b.out.start;
    say_destroy_ring(&b.out, 77);
    assert_int_equal(guest_submit(&b.guest, &b.out), 0);
    guest_bench_fini(&b);
}

/* Somebody writes into the buffer all the time: commands come out as they were or as no commands,
 * and nothing else happens (ASan looks). */
static _Atomic bool stop_scribbling;

static void *scribble(void *arg)
{
    struct guest_ring *ring = arg;
    for (uint32_t i = 1; !atomic_load(&stop_scribbling); i = i * 1664525u + 1013904223u) {
        ((volatile uint8_t *)ring->buffer)[i >> 20] = (uint8_t)(i >> 8);
    }
    return NULL;
}

static void commands_are_rewritten_while_they_run(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 5; turn++) {
        struct guest_bench b;
        guest_bench_init(&b);
        for (unsigned i = 0; i < 100; i++) {
            say_version(&b.out, false);
        }
        pthread_t thread;
        atomic_store(&stop_scribbling, false);
        assert_int_equal(pthread_create(&thread, NULL, scribble, &b.ring), 0);
        bool alive = true;
        for (unsigned i = 0; i < 200 && alive; i++) {
            guest_ring_send(&b.ring, &b.out);
            alive = guest_ring_wait(&b.ring);
        }
        atomic_store(&stop_scribbling, true);
        pthread_join(thread, NULL);
        guest_bench_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_breach_ends_the_context),
        cmocka_unit_test(the_tail_is_held_to_the_buffer),
        cmocka_unit_test(other_words_do_not_matter),
        cmocka_unit_test(layouts_are_checked),
        cmocka_unit_test(a_ring_id_is_given_once),
        cmocka_unit_test(rings_make_and_end_no_rings),
        cmocka_unit_test(a_stream_in_a_stream_is_refused),
        cmocka_unit_test(waits_end),
        cmocka_unit_test(the_own_stream_waits_for_no_ring_that_waits_for_it),
        cmocka_unit_test(waits_end_when_the_guest_is_gone),
        cmocka_unit_test(a_blocked_ring_can_be_destroyed),
        cmocka_unit_test(commands_are_rewritten_while_they_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
