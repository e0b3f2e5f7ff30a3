/* Binary messages of a volume's stream: cells are means, payloads are what the document says, and
 * deflating never makes anything longer. */
#include "tests/unit/harness.h"

#include "server/stream_message.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PAGES 64u

static uint32_t random_state = 1;

static uint32_t random32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Pages that are empty, full, nearly empty, and random. */
static uint8_t *make_ram(void)
{
    uint8_t *ram = aligned_alloc(VT_PAGE_BYTES, PAGES * VT_PAGE_BYTES);
    assert_non_null(ram);
    for (size_t page = 0; page < PAGES; page++) {
        for (size_t i = 0; i < VT_PAGE_BYTES; i++) {
            uint8_t byte = (uint8_t)random32();
            ram[page * VT_PAGE_BYTES + i] = page % 4 == 0   ? 0
                                            : page % 4 == 1 ? 255
                                            : page % 4 == 2 ? (i % 1500 == 7)
                                                            : byte;
        }
    }
    return ram;
}

static void cells_are_means(void **state)
{
    uint8_t *ram = make_ram(), cells[VT_PAGE_BYTES];
    (void)state;
    for (unsigned level = 0; level < VT_STREAM_LEVELS; level++) {
        size_t side = 16u >> level, n = side * side * side, each = VT_PAGE_BYTES / n;
        assert_int_equal(vt_cells_bytes(level), n);
        for (size_t page = 0; page < PAGES; page++) {
            const uint8_t *bytes = ram + page * VT_PAGE_BYTES;
            vt_cells_of_page(bytes, level, cells);
            for (size_t cell = 0; cell < n; cell++) {
                double sum = 0;
                for (size_t i = 0; i < each; i++) {
                    sum += bytes[cell * each + i];
                }
                unsigned mean = (unsigned)(sum / (double)each + 0.5);
                mean = mean == 0 && sum > 0 ? 1 : mean;
                assert_int_equal(cells[cell], mean);
            }
        }
    }
    free(ram);
}

static void runs_join(void **state)
{
    struct vt_stream_run runs[2];
    struct vt_run_list list = {.runs = runs, .room = 2};
    (void)state;
    assert_true(vt_run_list_add(&list, 3));
    assert_true(vt_run_list_add(&list, 4));
    assert_true(vt_run_list_add(&list, 6));
    assert_false(vt_run_list_add(&list, 8));
    assert_true(vt_run_list_add(&list, 7));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.pages, 4);
    assert_int_equal(runs[0].pages, 2);
    assert_int_equal(runs[1].first, 6);
    assert_int_equal(vt_message_pages_bytes(&list, 4), 8 + 16 + 4);
    assert_int_equal(vt_message_pages_bytes(&list, 0), 8 + 16 + 4 * 4096);
    assert_int_equal(vt_message_attributes_bytes(&list), 8 + 16 + 8);
}

static uint32_t get(const uint8_t *at, unsigned bytes)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++) {
        v |= (uint32_t)at[i] << 8 * i;
    }
    return v;
}

/* The payload, inflated if it must be; malloc'ed. */
static uint8_t *payload_of(const struct vt_message *m, unsigned kind, unsigned flags, double time_s)
{
    double time;
    uLongf n = get(m->bytes + 4, 4);
    uint8_t *payload = malloc(n);
    assert_non_null(payload);
    assert_int_equal(m->bytes[0], kind);
    assert_int_equal(m->bytes[1] & ~1u, flags);
    assert_int_equal(get(m->bytes + 2, 2), 0);
    memcpy(&time, m->bytes + 8, sizeof time);
    assert_true(time == time_s);
    if ((m->bytes[1] & VT_MESSAGE_DEFLATED) != 0) {
        assert_true(m->n < VT_MESSAGE_HEADER + n);
        assert_int_equal(
            uncompress(payload, &n, m->bytes + VT_MESSAGE_HEADER, m->n - VT_MESSAGE_HEADER), Z_OK);
        assert_int_equal(n, get(m->bytes + 4, 4));
    } else {
        assert_int_equal(m->n, VT_MESSAGE_HEADER + n);
        memcpy(payload, m->bytes + VT_MESSAGE_HEADER, n);
    }
    return payload;
}

static void messages_of_pages(void **state)
{
    struct vt_deflater *d;
    struct vt_message m;
    uint8_t *ram = make_ram(), cells[VT_PAGE_BYTES];
    (void)state;
    assert_int_equal(vt_deflater_create(&d, NULL), 0);
    for (unsigned round = 0; round < 300; round++) {
        struct vt_stream_run runs[PAGES];
        struct vt_run_list list = {.runs = runs, .room = PAGES};
        unsigned level = random32() % VT_STREAM_LEVELS, flags = random32() % 2 * VT_MESSAGE_KEY;
        for (uint64_t page = 0; page < PAGES; page++) {
            if (random32() % 3 == 0) {
                assert_true(vt_run_list_add(&list, page));
            }
        }
        assert_int_equal(vt_message_pages(d, &list, level, ram, flags, round, &m, NULL), 0);
        uint8_t *payload = payload_of(&m, VT_MESSAGE_PAGES, flags, round), *at = payload + 8;
        assert_int_equal(get(payload, 4), level);
        assert_int_equal(get(payload + 4, 4), list.n);
        for (size_t i = 0; i < list.n; i++, at += 8) {
            assert_int_equal(get(at, 4), runs[i].first);
            assert_int_equal(get(at + 4, 4), runs[i].pages);
        }
        for (size_t i = 0; i < list.n; i++) {
            for (uint32_t k = 0; k < runs[i].pages; k++, at += vt_cells_bytes(level)) {
                vt_cells_of_page(ram + (runs[i].first + k) * VT_PAGE_BYTES, level, cells);
                assert_memory_equal(at, cells, vt_cells_bytes(level));
            }
        }
        assert_int_equal(at - payload, get(m.bytes + 4, 4));
        free(payload);
        free(m.bytes);
    }
    vt_deflater_destroy(d);
    free(ram);
}

static void messages_of_attributes(void **state)
{
    static const uint16_t attributes[] = {0, 1, 2 | 3 << 8, 4, 16 | 64 << 8};
    struct vt_stream_run runs[] = {{1, 2}, {4, 1}};
    const struct vt_run_list list = {.runs = runs, .n = 2, .room = 2, .pages = 3};
    struct vt_deflater *d;
    struct vt_message m;
    (void)state;
    assert_int_equal(vt_deflater_create(&d, NULL), 0);
    assert_int_equal(vt_message_attributes(d, &list, attributes, 0, 1.5, &m, NULL), 0);
    uint8_t *payload = payload_of(&m, VT_MESSAGE_ATTRIBUTES, 0, 1.5);
    assert_int_equal(get(m.bytes + 4, 4), vt_message_attributes_bytes(&list));
    assert_int_equal(get(payload, 4), 2);
    assert_int_equal(get(payload + 4, 4), 0);
    assert_int_equal(get(payload + 8, 4), 1);
    assert_int_equal(get(payload + 20, 4), 1);
    assert_int_equal(get(payload + 24, 2), 1);
    assert_int_equal(get(payload + 26, 2), 2 | 3 << 8);
    assert_int_equal(get(payload + 28, 2), 16 | 64 << 8);
    free(payload);
    free(m.bytes);
    vt_deflater_destroy(d);
}

/* What does not become smaller is tried less and less often, until it does. */
static void random_bytes_are_left_alone(void **state)
{
    struct vt_deflater *d;
    struct vt_message m;
    struct vt_stream_run runs[1] = {{3, 1}};
    const struct vt_run_list list = {.runs = runs, .n = 1, .room = 1, .pages = 1};
    uint8_t *ram = make_ram();
    unsigned deflated = 0, n = 0;
    (void)state;
    assert_int_equal(vt_deflater_create(&d, NULL), 0);
    for (; n < 200; n++) {
        assert_int_equal(vt_message_pages(d, &list, 0, ram, 0, 0, &m, NULL), 0);
        deflated += m.bytes[1] & VT_MESSAGE_DEFLATED;
        free(m.bytes);
    }
    assert_int_equal(deflated, 0);
    runs[0].first = 0; /* zeros */
    for (n = 0; deflated == 0; n++) {
        assert_true(n < 100);
        assert_int_equal(vt_message_pages(d, &list, 0, ram, 0, 0, &m, NULL), 0);
        deflated += m.bytes[1] & VT_MESSAGE_DEFLATED;
        free(m.bytes);
    }
    vt_deflater_destroy(d);
    free(ram);
}

static void frames(void **state)
{
    const struct vt_message_frame frame = {.id = 7,
                                           .width = 640,
                                           .height = 360,
                                           .codec = 1,
                                           .alone = true,
                                           .scale = 4,
                                           .picture = (const uint8_t *)"jpeg",
                                           .bytes = 4};
    static const uint8_t wanted[] = {7, 0, 0, 0, 0x80, 2, 0x68, 1, 1, 1, 4, 0, 'j', 'p', 'e', 'g'};
    struct vt_message m;
    (void)state;
    assert_int_equal(vt_message_frame(&frame, 2, &m, NULL), 0);
    uint8_t *payload = payload_of(&m, VT_MESSAGE_FRAME, 0, 2);
    assert_int_equal(m.n, VT_MESSAGE_HEADER + sizeof wanted);
    assert_memory_equal(payload, wanted, sizeof wanted);
    free(payload);
    free(m.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_means),
        cmocka_unit_test(runs_join),
        cmocka_unit_test(messages_of_pages),
        cmocka_unit_test(messages_of_attributes),
        cmocka_unit_test(random_bytes_are_left_alone),
        cmocka_unit_test(frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
