/* tests/unit/trace/test_names.c - names that a file keeps are found by block, by address and by
 * page-table root; places are printed for people. */
#include "tests/unit/harness.h"

#include "trace/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t nops[16];
static const uint8_t ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

#define BLOCK(id_, pc_, n_)                                                                        \
    {.id = (id_),                                                                                  \
     .pc = (pc_),                                                                                  \
     .physical = ~(uint64_t)0,                                                                     \
     .n = (n_),                                                                                    \
     .code_bytes = (n_),                                                                           \
     .sizes = ones,                                                                                \
     .code = nops}
/* Two that overlap, two of different programs at one address. */
static const struct vt_trace_block blocks[] = {
    BLOCK(0, 0x401000, 8),
    BLOCK(3, 0x401000, 8),
    BLOCK(5, 0x401004, 4),
    BLOCK(9, 0x500000, 2),
    BLOCK(11, 0xffffffff81000000, 4),
};
#define N (sizeof blocks / sizeof blocks[0])

static void write_file(const char *path)
{
    const struct vt_trace_info info = {.arch = "x86_64", .vcpus = 1};
    struct vt_trace_writer *w;
    struct vt_error err;
    assert_int_equal(vt_trace_writer_create(path, true, &info, &w, &err), 0);
    for (size_t i = 0; i < N; i++) {
        struct vt_trace_event e = {.kind = VT_TRACE_EV_BLOCK,
                                   .sequence = i,
                                   .root = i == 1 ? 0x2000 : 0x1000,
                                   .block = &blocks[i],
                                   .executed = blocks[i].n};
        assert_int_equal(vt_trace_writer_put(w, &e, &err), 0);
    }
    /* Root 0x1000 has one process, and from the fourth event on another. */
    assert_int_equal(vt_trace_writer_name_root(w, 3, 0x1000, 44, "three", &err), 0);
    assert_int_equal(vt_trace_writer_name_root(w, 0, 0x1000, 42, "one", &err), 0);
    assert_int_equal(vt_trace_writer_name_root(w, 1, 0x2000, 43, "two", &err), 0);
    assert_int_equal(vt_trace_writer_name_block(w, 0, "/bin/one", "main", 0x10, &err), 0);
    assert_int_equal(vt_trace_writer_name_block(w, 3, "/bin/two", NULL, 0x401000, &err), 0);
    assert_int_equal(vt_trace_writer_name_block(w, 5, "/bin/one", "main", 0x14, &err), 0);
    assert_int_equal(vt_trace_writer_name_block(w, 11, "vmlinux", "_text", 0, &err), 0);
    assert_int_equal(vt_trace_writer_close(w, &err), 0);
}

static const char *text_of(struct vt_trace_names *names, uint64_t root,
                           const struct vt_trace_block *block, uint64_t pc)
{
    static char text[128];
    struct vt_trace_place place;
    vt_trace_place(names, root, block, pc, &place);
    vt_trace_place_text(&place, pc, text, sizeof text);
    return text;
}

static void a_file_keeps_names(void **state)
{
    (void)state;
    char path[] = "/tmp/vitrine-names-XXXXXX";
    struct vt_trace_source *source;
    struct vt_trace_names *names;
    struct vt_trace_place place;
    struct vt_error err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path);
    assert_int_equal(vt_trace_open_file(path, &source, &err), 0);
    assert_int_equal(vt_trace_names_file(source, &names, &err), 0);
    assert_non_null(names);

    /* By block: its own name, also where another has the address. */
    assert_string_equal(text_of(names, 0x1000, vt_trace_block(source, 0), 0x401002),
                        "one:main+0x12");
    assert_string_equal(text_of(names, 0x1000, vt_trace_block(source, 1), 0x401002),
                        "two:0x401002");
    assert_string_equal(text_of(names, 0x1000, vt_trace_block(source, 4), 0xffffffff81000000),
                        "_text");
    assert_string_equal(text_of(names, 0x1000, vt_trace_block(source, 3), 0x500001), "0x500001");
    /* By address alone; a block that lies elsewhere says nothing of it. */
    assert_string_equal(text_of(names, 0x1000, NULL, 0x401007), "one:main+0x17");
    assert_string_equal(text_of(names, 0x1000, vt_trace_block(source, 4), 0x401007),
                        "one:main+0x17");
    assert_string_equal(text_of(names, 0x1000, NULL, 0x401008), "0x401008");
    assert_string_equal(text_of(names, 0x1000, NULL, 0x400fff), "0x400fff");
    /* Processes. */
    assert_true(vt_trace_place(names, 0x2000, vt_trace_block(source, 1), 0x401000, &place));
    assert_string_equal(place.process, "two");
    assert_int_equal(place.pid, 43);
    assert_false(vt_trace_place(names, 0x3000, NULL, 0, &place));
    assert_null(place.process);
    assert_int_equal(place.pid, -1);

    /* As the file is read, and from its beginning once more. */
    static const int64_t pids[N] = {42, 42, 42, 44, 44};
    for (int turn = 0; turn < 2; turn++) {
        struct vt_trace_event event;
        for (size_t i = 0; i < N; i++) {
            assert_int_equal(vt_trace_next(source, 0, &event, &err), 1);
            vt_trace_names_see(names, &event);
            vt_trace_place(names, 0x1000, NULL, 0, &place);
            assert_int_equal(place.pid, pids[i]);
            vt_trace_place(names, 0x2000, NULL, 0, &place);
            assert_int_equal(place.pid, i == 0 ? -1 : 43);
        }
        assert_int_equal(vt_trace_file_seek(source, 0, &err), 0);
    }

    vt_trace_names_destroy(names);
    vt_trace_close(source);
    unlink(path);
}

static void nothing_is_known_without_names(void **state)
{
    (void)state;
    struct vt_trace_place place = {.object = "x", .pid = 1};
    struct vt_trace_event event = {.kind = VT_TRACE_EV_BLOCK, .block = &blocks[0]};
    vt_trace_names_see(NULL, &event);
    assert_false(vt_trace_place(NULL, 0x1000, &blocks[0], 0x401000, &place));
    assert_null(place.object);
    assert_int_equal(vt_trace_names_write(NULL, NULL, NULL), 0);
    vt_trace_names_destroy(NULL);
}

static void places_are_printed(void **state)
{
    (void)state;
    static const struct {
        struct vt_trace_place place;
        const char *text;
    } cases[] = {
        {{.object = "vmlinux", .function = "memcpy", .offset = 0x10}, "memcpy+0x10"},
        {{.object = "vmlinux", .function = "memcpy"}, "memcpy"},
        {{.object = "ext4", .function = "ext4_iget", .offset = 1}, "ext4:ext4_iget+0x1"},
        {{.object = "/usr/lib/libc.so.6", .function = "read"}, "libc.so.6:read"},
        {{.object = "/bin/busybox", .offset = 0x1234}, "busybox:0x1234"},
        {{.object = "/a\x1b[2J", .function = "b\nc"}, "a\\x1b[2J:b\\x0ac"},
        {{.function = "alone", .offset = 2}, "alone+0x2"},
        {{.offset = 0}, "0x77"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64], little[8];
        vt_trace_place_text(&cases[i].place, 0x77, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        vt_trace_place_text(&cases[i].place, 0x77, little, sizeof little);
        assert_memory_equal(little, text, strlen(text) < 7 ? strlen(text) : 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_keeps_names),
        cmocka_unit_test(nothing_is_known_without_names),
        cmocka_unit_test(places_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
