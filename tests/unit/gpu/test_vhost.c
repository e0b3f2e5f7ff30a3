/* tests/unit/gpu/test_vhost.c - a vhost-user back end against front ends that keep to the protocol,
 * and others. */
#include "tests/unit/harness.h"

#include "vhost_front.h"

#include <string.h>
#include <sys/socket.h>

static uint32_t displays(struct vt_front *f)
{
    const struct vt_vgpu_header h = {.type = VT_VGPU_CMD_GET_DISPLAY_INFO};
    struct vt_vgpu_resp_display_info r;
    return vt_front_do(f, &h, sizeof h, &r, sizeof r);
}

static void test_starts(void **state)
{
    struct vt_front f;
    (void)state;
    vt_front_begin(&f, true);
    assert_int_equal(vt_front_ask(&f, VT_VHOST_GET_QUEUE_NUM, 0), 2);
    vt_front_start(&f);
    assert_int_equal(displays(&f), VT_VGPU_RESP_OK_DISPLAY_INFO);
    assert_false(f.over);
    vt_front_end(&f);
}

static void test_shows_its_configuration_and_window(void **state)
{
    struct vt_front f;
    struct vt_vhost_config c = {.bytes = 24};
    struct vt_vgpu_config_space space;
    struct vt_vhost_shmem_config shmem;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_send(&f, VT_VHOST_GET_CONFIG, 0, &c, VT_VHOST_CONFIG_HEAD + 24, NULL, 0);
    assert_int_equal(vt_front_receive(&f, &c, sizeof c), VT_VHOST_CONFIG_HEAD + 24);
    memcpy(&space, c.space, sizeof space);
    assert_int_equal(space.num_scanouts, 1);
    assert_int_equal(space.num_capsets, 1);
    vt_front_send(&f, VT_VHOST_GET_SHMEM_CONFIG, 0, NULL, 0, NULL, 0);
    assert_int_equal(vt_front_receive(&f, &shmem, sizeof shmem), sizeof shmem);
    assert_int_equal(shmem.n, 1);
    assert_int_equal(shmem.bytes[VT_CARD_WINDOW_ID], 1u << 20);
    assert_int_equal(shmem.bytes[0], 0);
    vt_front_end(&f);
}

static void test_takes_no_command_before_the_window_is_there(void **state)
{
    struct vt_front f;
    const struct vt_vgpu_header h = {.type = VT_VGPU_CMD_GET_DISPLAY_INFO};
    struct vt_vgpu_resp_display_info r;
    uint8_t message[128];
    unsigned slot;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    assert_int_equal(displays(&f), VT_VGPU_RESP_OK_DISPLAY_INFO);
    vt_front_stop(&f);
    vt_front_queues(&f, 0); /* anew: the window is mapped again */
    vt_front_request(&f, 0, 1, &h, sizeof h, sizeof r);
    vt_front_turn(&f);
    assert_int_equal(vt_front_answer(&f, 0, &slot, &r, sizeof r), -1);
    assert_true(recv(f.backend, message, sizeof message, MSG_DONTWAIT) > 0);
    const struct vt_vhost_header done = {VT_VHOST_BACKEND_SHMEM_MAP,
                                         VT_VHOST_VERSION | VT_VHOST_REPLY, 8};
    const uint64_t refused = 1;
    assert_int_equal(send(f.backend, &done, sizeof done, 0), sizeof done);
    assert_int_equal(send(f.backend, &refused, sizeof refused, 0), sizeof refused);
    vt_front_turn(&f);
    assert_int_equal(vt_front_answer(&f, 0, &slot, &r, sizeof r), sizeof r);
    vt_front_end(&f);
}

/* A VM that is paused while a command is carried out gets its answer when it goes on. */
static void test_goes_on_after_a_pause(void **state)
{
    struct vt_front f;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    struct vt_vgpu_resource_create_2d c = {.header.type = VT_VGPU_CMD_RESOURCE_CREATE_2D,
                                           .resource_id = 5,
                                           .format = VT_VGPU_FORMAT_B8G8R8X8_UNORM,
                                           .width = 64,
                                           .height = 64};
    struct vt_vgpu_header h;
    assert_int_equal(vt_front_do(&f, &c, sizeof c, &h, sizeof h), VT_VGPU_RESP_OK_NODATA);
    vt_front_stop(&f);
    assert_int_equal(f.stopped_at[0], 1);
    vt_front_queues(&f, 1);
    assert_int_equal(vt_front_do(&f, &c, sizeof c, &h, sizeof h),
                     VT_VGPU_RESP_ERR_INVALID_RESOURCE_ID); /* it is still there */
    vt_front_end(&f);
}

static bool has_fence(struct vt_front *f)
{
    return __atomic_load_n(&f->contexts.fences, __ATOMIC_SEQ_CST) > 0;
}

static void begin_fenced(struct vt_front *f)
{
    struct vt_vgpu_header h;
    const struct vt_vgpu_ctx_create c = {.header = {.type = VT_VGPU_CMD_CTX_CREATE, .ctx_id = 3},
                                         .context_init = 4};
    struct {
        struct vt_vgpu_submit_3d s;
        uint32_t words[2];
    } s = {.s = {.header = {.type = VT_VGPU_CMD_SUBMIT_3D,
                            .ctx_id = 3,
                            .flags = VT_VGPU_FLAG_FENCE | VT_VGPU_FLAG_INFO_RING_IDX,
                            .ring_idx = 2,
                            .fence_id = 99},
                 .size = 8}};
    f->contexts.hold_fences = true;
    assert_int_equal(vt_front_do(f, &c, sizeof c, &h, sizeof h), VT_VGPU_RESP_OK_NODATA);
    vt_front_request(f, 0, 2, &s, sizeof s, sizeof h);
    assert_true(vt_front_turn_until(f, has_fence));
    assert_int_equal(f->contexts.timeline[0], 2);
}

static void test_answers_that_come_in_a_pause_wait(void **state)
{
    struct vt_front f;
    struct vt_vgpu_header h;
    unsigned slot;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    begin_fenced(&f);
    assert_int_equal(vt_front_answer(&f, 0, &slot, &h, sizeof h), -1);
    vt_front_stop(&f);
    vt_front_signal(&f, 0);
    vt_front_turn(&f);
    assert_int_equal(vt_front_answer(&f, 0, &slot, &h, sizeof h), -1);
    vt_front_queues(&f, 1);
    assert_int_equal(vt_front_answer(&f, 0, &slot, &h, sizeof h), sizeof h);
    assert_int_equal(slot, 2);
    assert_int_equal(h.fence_id, 99);
    assert_int_equal(h.ring_idx, 2);
    assert_int_equal(h.flags, VT_VGPU_FLAG_FENCE | VT_VGPU_FLAG_INFO_RING_IDX);
    vt_front_end(&f);
}

static void test_a_new_driver_finds_a_new_device(void **state)
{
    struct vt_front f;
    struct vt_vgpu_header h;
    unsigned slot;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    begin_fenced(&f);
    vt_front_stop(&f);
    vt_front_queues(&f, 0);
    assert_int_equal(f.contexts.destroyed, 1);
    assert_int_equal(vt_front_answer(&f, 0, &slot, &h, sizeof h), -1);
    vt_front_end(&f);
}

static void test_ends_with_its_connection(void **state)
{
    struct vt_front f;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    begin_fenced(&f);
    shutdown(f.sock, SHUT_RDWR);
    vt_front_turn(&f);
    assert_true(f.over);
    assert_string_equal(f.reason, "");
    vt_front_end(&f);
    assert_int_equal(f.contexts.destroyed, 1);
}

static void test_tells_of_another_size(void **state)
{
    struct vt_front f;
    struct vt_vhost_header h;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    assert_int_equal(vt_card_resize(vt_vhost_card(f.vhost), 1024, 768, NULL), 0);
    assert_int_equal(recv(f.backend, &h, sizeof h, MSG_DONTWAIT), sizeof h);
    assert_int_equal(h.request, VT_VHOST_BACKEND_CONFIG_CHANGE);
    assert_int_equal(vt_card_config(vt_vhost_card(f.vhost))->events_read, VT_VGPU_EVENT_DISPLAY);
    struct vt_vhost_config c = {.offset = 4, .bytes = 4, .space = {1}};
    vt_front_send(&f, VT_VHOST_SET_CONFIG, 0, &c, VT_VHOST_CONFIG_HEAD + 4, NULL, 0);
    vt_front_turn(&f);
    assert_int_equal(vt_card_config(vt_vhost_card(f.vhost))->events_read, 0);
    vt_front_end(&f);
}

/* ---------------------------------------------------------------- hostile */

static void test_memory_that_goes_away(void **state)
{
    struct vt_front f;
    const struct vt_vgpu_header h = {.type = VT_VGPU_CMD_GET_DISPLAY_INFO};
    const struct vt_vhost_table none = {0};
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    begin_fenced(&f);
    vt_front_send(&f, VT_VHOST_SET_MEM_TABLE, 0, &none, 8, NULL, 0);
    vt_front_request(&f, 0, 4, &h, sizeof h, 408);
    vt_front_turn(&f);
    vt_front_signal(&f, 0); /* its answer has no place any more */
    vt_front_turn(&f);
    assert_non_null(strstr(f.said, "it has no memory"));
    assert_false(f.over);
    vt_front_end(&f);
}

static void expect_broken(void (*bend)(struct vt_front *f), const char *why)
{
    struct vt_front f;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    bend(&f);
    vt_front_turn(&f);
    if (strstr(f.said, why) == NULL) {
        fail_msg("want: %s\ngot: %s", why, f.said);
    }
    assert_false(f.over);
    vt_front_stop(&f);
    vt_front_queues(&f, 0); /* what is broken is whole again for a new driver */
    vt_front_end(&f);
}

static void set(struct vt_front *f, unsigned i, uint64_t gpa, uint32_t bytes, uint16_t flags,
                uint16_t next)
{
    vt_front_desc(f, 0)[i] = (struct vt_split_desc){gpa, bytes, flags, next};
}

static void circle(struct vt_front *f)
{
    set(f, 0, VT_FRONT_GPA, 8, VT_DESC_NEXT, 1);
    set(f, 1, VT_FRONT_GPA, 8, VT_DESC_NEXT, 0);
    vt_front_offer(f, 0, 0);
}

static void far_next(struct vt_front *f)
{
    set(f, 0, VT_FRONT_GPA, 8, VT_DESC_NEXT, 900);
    vt_front_offer(f, 0, 0);
}

static void backwards(struct vt_front *f)
{
    set(f, 0, VT_FRONT_GPA, 8, VT_DESC_NEXT | VT_DESC_WRITE, 1);
    set(f, 1, VT_FRONT_GPA, 8, 0, 0);
    vt_front_offer(f, 0, 0);
}

static void far_table(struct vt_front *f)
{
    set(f, 0, UINT64_MAX - 15, 16, VT_DESC_INDIRECT, 0);
    vt_front_offer(f, 0, 0);
}

static void odd_table(struct vt_front *f)
{
    set(f, 0, VT_FRONT_GPA, 17, VT_DESC_INDIRECT, 0);
    vt_front_offer(f, 0, 0);
}

static void table_in_table(struct vt_front *f)
{
    const struct vt_split_desc inner = {VT_FRONT_GPA, 16, VT_DESC_INDIRECT, 0};
    memcpy(f->memory + 0x40000, &inner, sizeof inner);
    set(f, 0, vt_front_gpa(0x40000), 16, VT_DESC_INDIRECT, 0);
    vt_front_offer(f, 0, 0);
}

static void circle_in_table(struct vt_front *f)
{
    struct vt_split_desc inner[2] = {{VT_FRONT_GPA, 1, VT_DESC_NEXT, 1},
                                     {VT_FRONT_GPA, 1, VT_DESC_NEXT, 0}};
    memcpy(f->memory + 0x40000, inner, sizeof inner);
    set(f, 0, vt_front_gpa(0x40000), sizeof inner, VT_DESC_INDIRECT, 0);
    vt_front_offer(f, 0, 0);
}

static void far_head(struct vt_front *f)
{
    vt_front_offer(f, 0, 5000);
}

static void wild_index(struct vt_front *f)
{
    f->next_avail[0] = (uint16_t)(f->next_avail[0] + 4000);
    vt_front_offer(f, 0, 0);
}

static void test_rings_that_cannot_be(void **state)
{
    (void)state;
    expect_broken(circle, "descriptors in a circle");
    expect_broken(far_next, "leads out of the queue");
    expect_broken(backwards, "to be read behind one to be written");
    expect_broken(far_table, "outside of memory");
    expect_broken(odd_table, "of a wrong size");
    expect_broken(table_in_table, "within another");
    expect_broken(circle_in_table, "in a circle");
    expect_broken(far_head, "a head that leads out");
    expect_broken(wild_index, "more made available");
}

/* What cannot be read is answered; where nothing can be written, the buffer comes back empty. */
static void test_buffers_that_cannot_be(void **state)
{
    struct vt_front f;
    struct vt_vgpu_header h;
    unsigned slot;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_start(&f);
    set(&f, 0, 0xdead0000, 24, VT_DESC_NEXT, 1);
    set(&f, 1, vt_front_gpa(0x40000), 24, VT_DESC_WRITE, 0);
    vt_front_offer(&f, 0, 0);
    vt_front_turn(&f);
    assert_int_equal(vt_front_answer(&f, 0, &slot, &h, sizeof h), 24);
    memcpy(&h, f.memory + 0x40000, sizeof h);
    assert_int_equal(h.type, VT_VGPU_RESP_ERR_INVALID_PARAMETER);

    h = (struct vt_vgpu_header){.type = VT_VGPU_CMD_GET_DISPLAY_INFO};
    memcpy(f.memory + 0x40000, &h, sizeof h);
    set(&f, 0, vt_front_gpa(0x40000), 24, VT_DESC_NEXT, 1);
    set(&f, 1, 0xdead0000, 408, VT_DESC_WRITE, 0);
    vt_front_offer(&f, 0, 0);
    set(&f, 2, vt_front_gpa(0x40000), 24, 0, 0); /* nothing to be written at all */
    vt_front_offer(&f, 0, 2);
    set(&f, 4, vt_front_gpa(0x40000), 0, VT_DESC_NEXT, 5); /* of no length */
    set(&f, 5, vt_front_gpa(0x50000), 0, VT_DESC_WRITE, 0);
    vt_front_offer(&f, 0, 4);
    vt_front_turn(&f);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vt_front_answer(&f, 0, &slot, &h, sizeof h), 0);
        assert_int_equal(slot, i);
    }
    vt_front_end(&f);
}

static void expect_over(uint32_t request, const void *body, size_t bytes)
{
    struct vt_front f;
    vt_front_begin(&f, true);
    vt_front_send(&f, request, 0, body, bytes, NULL, 0);
    vt_front_turn(&f);
    assert_true(f.over);
    vt_front_end(&f);
}

static void test_messages_that_cannot_be(void **state)
{
    struct vt_vhost_table table = {.n = 3};
    const struct vt_vhost_config config = {.offset = 250, .bytes = 200};
    const struct vt_vhost_vring_state queue = {77, 0};
    const uint64_t zero = 0;
    (void)state;
    expect_over(200, NULL, 0);
    expect_over(VT_VHOST_SET_VRING_NUM, &zero, 4);
    expect_over(VT_VHOST_SET_MEM_TABLE, &table, 8);
    expect_over(VT_VHOST_SET_MEM_TABLE, NULL, 0);
    expect_over(VT_VHOST_GET_CONFIG, &config, VT_VHOST_CONFIG_HEAD);
    expect_over(VT_VHOST_SET_CONFIG, &config, VT_VHOST_CONFIG_HEAD);
    expect_over(VT_VHOST_GET_VRING_BASE, &queue, sizeof queue);
    expect_over(VT_VHOST_SET_BACKEND_REQ_FD, NULL, 0);
    expect_over(VT_VHOST_SET_VRING_CALL, &zero, sizeof zero);
}

static void test_too_long_a_message(void **state)
{
    struct vt_front f;
    const struct vt_vhost_header h = {VT_VHOST_SET_FEATURES, VT_VHOST_VERSION, 1u << 30};
    (void)state;
    vt_front_begin(&f, true);
    assert_int_equal(send(f.sock, &h, sizeof h, 0), sizeof h);
    vt_front_turn(&f);
    assert_true(f.over);
    vt_front_end(&f);
}

static void test_what_is_refused_is_answered_so(void **state)
{
    struct vt_front f;
    const uint64_t acks = VT_VHOST_P_REPLY_ACK;
    (void)state;
    vt_front_begin(&f, true);
    vt_front_send(&f, VT_VHOST_SET_PROTOCOL_FEATURES, 0, &acks, sizeof acks, NULL, 0);
    assert_int_equal(vt_front_ask(&f, VT_VHOST_SET_FEATURES, (uint64_t)1 << 60), 1);
    assert_int_equal(vt_front_ask(&f, VT_VHOST_SET_FEATURES, 1), 0);
    assert_int_equal(vt_front_ask(&f, VT_VHOST_SET_VRING_NUM, (uint64_t)3 << 32), 1);
    assert_int_equal(vt_front_ask(&f, VT_VHOST_SET_VRING_NUM, 9 | (uint64_t)8 << 32), 1);
    assert_int_equal(vt_front_ask(&f, VT_VHOST_SET_VRING_NUM, (uint64_t)8 << 32), 0);
    assert_int_equal(vt_front_ask(&f, VT_VHOST_SET_VRING_KICK, VT_VHOST_VRING_NO_FD), 1);
    vt_front_end(&f);
}

static void test_regions_that_cannot_be(void **state)
{
    struct vt_front f;
    const uint64_t acks = VT_VHOST_P_REPLY_ACK;
    struct vt_vhost_table table = {.n = 1};
    uint64_t answer;
    (void)state;
    const struct vt_vhost_region bad[] = {
        {0x1000, 0, 0x1000, 0},
        {UINT64_MAX - 10, 4096, 0x1000, 0},
        {0x1000, 4096, UINT64_MAX - 10, 0},
        {0x1000, VT_FRONT_BYTES + 1, 0x1000, 0},
        {0x1000, 4096, 0x1000, VT_FRONT_BYTES},
        {0x1000, 4096, 0x1000, UINT64_MAX - 100},
    };
    vt_front_begin(&f, true);
    vt_front_send(&f, VT_VHOST_SET_PROTOCOL_FEATURES, 0, &acks, sizeof acks, NULL, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        table.regions[0] = bad[i];
        vt_front_send(&f, VT_VHOST_SET_MEM_TABLE, VT_VHOST_NEED_REPLY, &table, 8 + sizeof bad[i],
                      &f.memory_fd, 1);
        assert_int_equal(vt_front_receive(&f, &answer, sizeof answer), sizeof answer);
        assert_int_equal(answer, 1);
    }
    vt_front_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_shows_its_configuration_and_window),
        cmocka_unit_test(test_takes_no_command_before_the_window_is_there),
        cmocka_unit_test(test_goes_on_after_a_pause),
        cmocka_unit_test(test_answers_that_come_in_a_pause_wait),
        cmocka_unit_test(test_a_new_driver_finds_a_new_device),
        cmocka_unit_test(test_ends_with_its_connection),
        cmocka_unit_test(test_tells_of_another_size),
        cmocka_unit_test(test_memory_that_goes_away),
        cmocka_unit_test(test_rings_that_cannot_be),
        cmocka_unit_test(test_buffers_that_cannot_be),
        cmocka_unit_test(test_messages_that_cannot_be),
        cmocka_unit_test(test_too_long_a_message),
        cmocka_unit_test(test_what_is_refused_is_answered_so),
        cmocka_unit_test(test_regions_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
