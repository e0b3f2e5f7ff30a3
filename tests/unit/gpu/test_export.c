/* tests/unit/gpu/test_export.c - exports: the same events give the same bytes, whichever way they
 * come; long messages, many responses at once and a full disk. What other programs make of them is
 * in export_peers.py.
 */
#include "tests/unit/gpu/sample.h"
#include "tests/unit/harness.h"

#include "gpu/export.h"
#include "virtio/gpu/protocol/commands.h"

#include <string.h>

struct output {
    char *bytes;
    size_t n;
    FILE *out;
    struct vt_vgpu_export *to;
};

static void begin(struct output *o, enum vt_vgpu_export_format format)
{
    struct vt_error err;
    o->out = open_memstream(&o->bytes, &o->n);
    assert_non_null(o->out);
    assert_int_equal(vt_vgpu_export_begin(format, o->out, &vt_sample_origin, &o->to, &err), 0);
}

static void end(struct output *o)
{
    struct vt_error err;
    assert_int_equal(vt_vgpu_export_end(o->to, &err), 0);
    assert_int_equal(fclose(o->out), 0);
}

static bool record(const struct vt_vgpu_event_seen *event, void *writer)
{
    struct vt_error err;
    return vt_vgpu_writer_put(writer, event, &err) == 0;
}

static void through_a_file_is_the_same(void **state)
{
    struct vt_vgpu_writer *writer;
    struct vt_error err;
    char *path;
    assert_true(asprintf(&path, "%s/a.vgpu", (const char *)*state) > 0);
    assert_int_equal(vt_vgpu_writer_create(path, false, &vt_sample_origin, &writer, &err), 0);
    vt_sample_put(record, writer);
    assert_int_equal(vt_vgpu_writer_close(writer, &err), 0);
    for (unsigned i = 0; i < VT_VGPU_EXPORT_FORMATS; i++) {
        struct vt_vgpu_reader *reader;
        struct output direct, filed = {0};
        bool cut = true;
        begin(&direct, (enum vt_vgpu_export_format)i);
        vt_sample_put(vt_vgpu_export_put, direct.to);
        end(&direct);
        filed.out = open_memstream(&filed.bytes, &filed.n);
        assert_int_equal(vt_vgpu_reader_open(path, &reader, &err), 0);
        assert_int_equal(
            vt_vgpu_export_recording(reader, (enum vt_vgpu_export_format)i, filed.out, &cut, &err),
            0);
        assert_false(cut);
        vt_vgpu_reader_close(reader);
        fclose(filed.out);
        assert_int_equal(filed.n, direct.n);
        assert_memory_equal(filed.bytes, direct.bytes, direct.n);
        free(filed.bytes);
        free(direct.bytes);
    }
    free(path);
}

static void a_full_disk_is_said(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VT_VGPU_EXPORT_FORMATS; i++) {
        struct vt_vgpu_export *to;
        struct vt_error err = {.code = VT_OK};
        FILE *full = fopen("/dev/full", "we");
        assert_non_null(full);
        if (vt_vgpu_export_begin((enum vt_vgpu_export_format)i, full, &vt_sample_origin, &to,
                                 &err) == 0) {
            for (int k = 0; k < 20; k++) {
                vt_sample_put(vt_vgpu_export_put, to);
            }
            assert_int_equal(vt_vgpu_export_end(to, &err), VT_E_IO);
        }
        assert_int_equal(err.code, VT_E_IO);
        fclose(full);
    }
}

static void lines_for_people(void **state)
{
    (void)state;
    struct output o;
    const struct vt_vgpu_set_scanout scanout = {
        .header = {.type = VT_VGPU_CMD_SET_SCANOUT}, .rect = {0, 0, 640, 480}, .resource_id = 1};
    const struct vt_vgpu_header ok = {.type = VT_VGPU_RESP_OK_NODATA};
    struct vt_vgpu_event_seen event = {.sequence = 3,
                                       .submitted_ns = 1234567890,
                                       .answered_ns = 1234569890,
                                       .request = (const uint8_t *)&scanout,
                                       .request_bytes = sizeof scanout,
                                       .response = (const uint8_t *)&ok,
                                       .response_bytes = sizeof ok};
    begin(&o, VT_VGPU_EXPORT_TEXT);
    assert_true(vt_vgpu_export_put(&event, o.to));
    event.flags = VT_VGPU_STALE_RESPONSE;
    event.answered_ns = event.submitted_ns + 12345678;
    event.response_bytes = 8;
    assert_true(vt_vgpu_export_put(&event, o.to));
    event.flags = VT_VGPU_NO_RESPONSE;
    event.response_bytes = 0;
    assert_true(vt_vgpu_export_put(&event, o.to));
    end(&o);
#define BEFORE                                                                                     \
    "    1.234567890 control      3  SET_SCANOUT scanout 0 resource 1 rect 640x480+0+0 -> "
    assert_string_equal(o.bytes, BEFORE "OK_NODATA  2000 ns\n" BEFORE
                                        "type 0x1100 (8 bytes)  12.3 ms [stale_response] [response "
                                        "too short]\n" BEFORE "no response\n");
    free(o.bytes);
}

/** Walks a pcapng's blocks: lengths agree with each other, and packets come in order of time. */
static size_t count_packets(const char *bytes, size_t n)
{
    size_t packets = 0;
    uint64_t last = 0;
    for (size_t at = 0; at < n;) {
        uint32_t block[7] = {0}, length;
        memcpy(block, bytes + at, n - at < sizeof block ? n - at : sizeof block);
        assert_true(block[1] >= 12 && block[1] % 4 == 0 && block[1] <= n - at);
        memcpy(&length, bytes + at + block[1] - 4, sizeof length);
        assert_int_equal(length, block[1]);
        if (block[0] == 6) {
            uint64_t stamp = (uint64_t)block[3] << 32 | block[4];
            assert_true(stamp >= last && block[5] <= 262144 && block[5] <= block[6]);
            last = stamp;
            packets++;
        }
        at += block[1];
    }
    return packets;
}

static void packets_in_order_of_time(void **state)
{
    (void)state;
    const struct vt_vgpu_header flush = {.type = VT_VGPU_CMD_CTX_DESTROY},
                                ok = {.type = VT_VGPU_RESP_OK_NODATA};
    struct output o;
    const uint64_t commands = 4000;
    begin(&o, VT_VGPU_EXPORT_PCAPNG);
    for (uint64_t i = 0; i < commands; i++) {
        /* The first ones are answered last. */
        struct vt_vgpu_event_seen event = {.sequence = i,
                                           .submitted_ns = i * 10,
                                           .answered_ns = i * 10 + 5 + (commands - i) * 20,
                                           .request = (const uint8_t *)&flush,
                                           .request_bytes = sizeof flush,
                                           .response = (const uint8_t *)&ok,
                                           .response_bytes = sizeof ok};
        assert_true(vt_vgpu_export_put(&event, o.to));
    }
    end(&o);
    assert_int_equal(count_packets(o.bytes, o.n), 2 * commands);
    free(o.bytes);
}

static void long_messages(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, VT_VGPU_PAYLOAD_MAX);
    assert_non_null(bytes);
    struct vt_vgpu_submit_3d fixed = {.header = {.type = VT_VGPU_CMD_SUBMIT_3D},
                                      .size = VT_VGPU_PAYLOAD_MAX};
    memcpy(bytes, &fixed, sizeof fixed);
    for (unsigned i = 0; i < VT_VGPU_EXPORT_FORMATS; i++) {
        struct output o;
        const struct vt_vgpu_event_seen event = {
            .request = bytes, .request_bytes = VT_VGPU_PAYLOAD_MAX, .flags = VT_VGPU_NO_RESPONSE};
        begin(&o, (enum vt_vgpu_export_format)i);
        assert_true(vt_vgpu_export_put(&event, o.to));
        end(&o);
        if (i == VT_VGPU_EXPORT_PCAPNG) {
            assert_int_equal(count_packets(o.bytes, o.n), 1);
        } else if (i == VT_VGPU_EXPORT_JSONL) {
            assert_true(o.n > 2 * (VT_VGPU_PAYLOAD_MAX - sizeof fixed));
            assert_non_null(strstr(o.bytes, "\"wrong\":\"has fewer elements than it says\""));
        }
        free(o.bytes);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        vt_test_in_dir(through_a_file_is_the_same),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(lines_for_people),
        cmocka_unit_test(packets_in_order_of_time),
        cmocka_unit_test(long_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
