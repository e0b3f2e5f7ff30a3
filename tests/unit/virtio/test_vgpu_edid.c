/* EDIDs: three that QEMU made, each with the modes that edid-decode finds in it; made-up ones for
 * what those do not have; and ones that are spoilt.
 *
 * test_vgpu_edid DIRECTORY [--rebase]
 */
#include "tests/unit/harness.h"
#include "virtio/gpu/edid.h"

#include <string.h>

static const char *golden;
static bool rebase;

static FILE *open_golden(const char *name, const char *end, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s.%s", golden, name, end);
    FILE *f = fopen(path, mode);
    if (f == NULL) {
        fail_msg("%s cannot be opened", path);
        exit(1);
    }
    return f;
}

static size_t read_file(const char *name, const char *end, uint8_t *to, size_t room)
{
    FILE *f = open_golden(name, end, "rb");
    size_t n = fread(to, 1, room, f);
    fclose(f);
    return n;
}

static void describe(const struct vt_vgpu_display_info *info, char *to, size_t room)
{
    size_t n = (size_t)snprintf(to, room, "%s\n", info->name);
    for (uint32_t i = 0; i < info->n_modes && n < room; i++) {
        const struct vt_vgpu_mode *m = &info->modes[i];
        n += (size_t)snprintf(to + n, room - n, "%ux%u %u.%03u Hz%s\n", m->width, m->height,
                              m->refresh_mhz / 1000, m->refresh_mhz % 1000,
                              m->preferred ? ", preferred" : "");
    }
}

static void reads_what_qemu_makes(void **state)
{
    (void)state;
    static const char *const names[] = {"qemu-1280x800", "qemu-3840x2160", "qemu-7680x4320"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint8_t edid[1024], want[8192] = {0};
        char got[8192];
        struct vt_vgpu_display_info info = {0};
        size_t n = read_file(names[i], "edid", edid, sizeof(edid));
        assert_true(vt_vgpu_edid_read(edid, n, &info));
        describe(&info, got, sizeof(got));
        if (rebase) {
            FILE *f = open_golden(names[i], "modes", "wb");
            fputs(got, f);
            fclose(f);
        }
        read_file(names[i], "modes", want, sizeof(want) - 1);
        assert_string_equal(got, (char *)want);
    }
}

/* ---------------------------------------------------------------- made up */

static void seal(uint8_t *block)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < 127; i++) {
        sum = (uint8_t)(sum + block[i]);
    }
    block[127] = (uint8_t)(0 - sum);
}

/* No modes, no name, unused standard timings; version 1.`revision`. */
static void blank(uint8_t *edid, size_t bytes, uint8_t revision)
{
    memset(edid, 0, bytes);
    memset(edid + 1, 0xff, 6);
    edid[18] = 1;
    edid[19] = revision;
    memset(edid + 38, 1, 16);
    for (unsigned i = 0; i < 4; i++) {
        edid[54 + 18 * i + 3] = 0x10;
    }
    edid[126] = (uint8_t)(bytes / 128 - 1);
    seal(edid);
}

/* 1920 x 540 fields of 562.5 lines, 74.25 MHz: 1080i. */
static const uint8_t interlaced[18] = {0x01, 0x1d, 0x80, 0x18, 0x71, 0x1c, 0x16, 0x20, 0x58,
                                       0x2c, 0x25, 0x00, 0,    0,    0,    0,    0,    0x9e};

static struct vt_vgpu_display_info read_sealed(uint8_t *edid, size_t bytes)
{
    struct vt_vgpu_display_info info = {0};
    for (size_t at = 0; at < bytes; at += 128) {
        seal(edid + at);
    }
    assert_true(vt_vgpu_edid_read(edid, bytes, &info));
    return info;
}

static void reads_every_kind_of_timing(void **state)
{
    (void)state;
    uint8_t edid[384];
    struct vt_vgpu_display_info info;
    /* A detailed timing; preferred from 1.4 on, before that if a bit says so. */
    blank(edid, 128, 3);
    memcpy(edid + 54, interlaced, 18);
    info = read_sealed(edid, 128);
    assert_int_equal(info.n_modes, 1);
    assert_int_equal(info.modes[0].width, 1920);
    assert_int_equal(info.modes[0].height, 1080);
    assert_int_equal(info.modes[0].refresh_mhz, 60053);
    assert_false(info.modes[0].preferred);
    edid[24] = 2;
    assert_true(read_sealed(edid, 128).modes[0].preferred);
    edid[24] = 0;
    edid[19] = 4;
    assert_true(read_sealed(edid, 128).modes[0].preferred);

    /* Standard timings of all four shapes, six more in a descriptor; the same one twice. */
    blank(edid, 128, 4);
    static const uint8_t standard[8] = {0xd1, 0x00, 0x61, 0x40, 0x81, 0x80, 0xd1, 0xc0};
    memcpy(edid + 38, standard, 8);
    edid[54 + 3] = 0xfa;
    memset(edid + 54 + 5, 1, 12);
    edid[54 + 5] = 0xd1;
    edid[54 + 6] = 0xcf;
    edid[54 + 7] = 0xd1;
    edid[54 + 8] = 0xc0;
    info = read_sealed(edid, 128);
    assert_int_equal(info.n_modes, 5);
    static const uint32_t want[5][3] = {{1920, 1200, 60000},
                                        {1024, 768, 60000},
                                        {1280, 1024, 60000},
                                        {1920, 1080, 60000},
                                        {1920, 1080, 75000}};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(info.modes[i].width, want[i][0]);
        assert_int_equal(info.modes[i].height, want[i][1]);
        assert_int_equal(info.modes[i].refresh_mhz, want[i][2]);
    }

    /* Established ones: all bits. 17, and 44 of which 5 differ in their blanking only. */
    blank(edid, 128, 4);
    edid[35] = edid[36] = edid[37] = 0xff;
    assert_int_equal(read_sealed(edid, 128).n_modes, 17);
    edid[54 + 3] = 0xf7;
    memset(edid + 54 + 6, 0xff, 6);
    info = read_sealed(edid, 128);
    assert_int_equal(info.n_modes, 17 + 44 - 5);
    assert_int_equal(info.modes[0].height, 350);

    /* Video codes; one with its native bit, one beyond it, one that is none. */
    blank(edid, 256, 4);
    static const uint8_t cta[] = {0x02, 0x03, 0x0c, 0x00, 0x23, 1, 2, 3, 0x43, 0x90, 193, 200};
    memcpy(edid + 128, cta, sizeof(cta));
    memcpy(edid + 128 + 12, interlaced, 18);
    info = read_sealed(edid, 256);
    assert_int_equal(info.n_modes, 4);
    assert_int_equal(info.modes[0].height, 1080); /* detailed first */
    assert_int_equal(info.modes[1].width, 1920);
    assert_int_equal(info.modes[1].refresh_mhz, 60000);
    assert_int_equal(info.modes[2].width, 5120);
    assert_int_equal(info.modes[2].refresh_mhz, 120000);
    assert_int_equal(info.modes[3].width, 7680);
    assert_int_equal(info.modes[3].refresh_mhz, 100000);
}

static void every_video_code_has_one_mode(void **state)
{
    (void)state;
    /* Of CTA-861-G: the interlaced and the repeated ones are not among ours. */
    static const uint8_t absent[][2] = {{5, 15},  {20, 30},   {35, 40},  {42, 46},
                                        {48, 59}, {128, 192}, {220, 255}};
    for (unsigned code = 1; code < 256; code++) {
        uint8_t edid[256];
        blank(edid, 256, 4);
        const uint8_t cta[] = {0x02, 0x03, 0x06, 0x00, 0x41, (uint8_t)code};
        memcpy(edid + 128, cta, sizeof(cta));
        struct vt_vgpu_display_info info = read_sealed(edid, 256);
        bool there = true;
        unsigned meant = code >= 129 && code <= 192 ? code & 0x7f : code;
        for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
            there = there && (meant < absent[i][0] || meant > absent[i][1]);
        }
        if (info.n_modes != there) {
            print_error("code %u: %u modes\n", code, info.n_modes);
        }
        assert_int_equal(info.n_modes, there);
        if (there) {
            assert_true(info.modes[0].refresh_mhz >= 24000 && info.modes[0].refresh_mhz <= 120000);
        }
    }
}

static void names_are_printable(void **state)
{
    (void)state;
    uint8_t edid[128];
    blank(edid, 128, 4);
    edid[54 + 3] = 0xfc;
    memcpy(edid + 54 + 5, "A\x1b[31m\xff B  \n", 12);
    assert_string_equal(read_sealed(edid, 128).name, "A?[31m? B");
    memcpy(edid + 54 + 5, "thirteen char", 13);
    assert_string_equal(read_sealed(edid, 128).name, "thirteen char");
}

static void spoilt_ones_change_nothing(void **state)
{
    (void)state;
    uint8_t edid[1024];
    size_t n = read_file("qemu-7680x4320", "edid", edid, sizeof(edid));
    for (size_t bit = 0; bit < 128 * 8; bit++) {
        struct vt_vgpu_display_info info = {.n_modes = 77};
        edid[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(vt_vgpu_edid_read(edid, n, &info));
        assert_int_equal(info.n_modes, 77);
        edid[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    struct vt_vgpu_display_info info = {0};
    assert_false(vt_vgpu_edid_read(edid, 127, &info));
    assert_false(vt_vgpu_edid_read(edid, 0, &info));
    /* Extensions that are spoilt, or not there, leave the base block. */
    assert_true(vt_vgpu_edid_read(edid, n, &info));
    uint32_t all = info.n_modes;
    edid[128 + 5] ^= 1;
    edid[256 + 5] ^= 1;
    assert_true(vt_vgpu_edid_read(edid, n, &info));
    assert_true(info.n_modes > 0 && info.n_modes < all);
    uint32_t base = info.n_modes;
    assert_true(vt_vgpu_edid_read(edid, 128 + 100, &info));
    assert_int_equal(info.n_modes, base);
}

static void lengths_lead_nowhere(void **state)
{
    (void)state;
    uint8_t edid[256];
    blank(edid, 256, 4);
    /* Timings before the data blocks, at the end, beyond it; data blocks longer than the block. */
    static const uint8_t ends[] = {0, 1, 3, 4, 5, 109, 110, 126, 127, 128, 255};
    for (size_t i = 0; i < sizeof(ends); i++) {
        for (unsigned n = 0; n < 32; n++) {
            memset(edid + 128, 0x4d, 127);
            edid[128] = 0x02;
            edid[129] = 3;
            edid[130] = ends[i];
            edid[132] = (uint8_t)(0x40 | n);
            (void)read_sealed(edid, 256);
        }
    }
    for (unsigned section = 0; section < 256; section++) {
        for (unsigned n = 0; n < 256; n += 5) {
            memset(edid + 128, 0xff, 127);
            edid[128] = 0x70;
            edid[130] = (uint8_t)section;
            edid[133] = 3;
            edid[135] = (uint8_t)n;
            struct vt_vgpu_display_info info = read_sealed(edid, 256);
            assert_true(info.n_modes <= 64);
        }
    }
}

int main(int argc, char **argv)
{
    golden = argc > 1 && argv[1][0] != '-' ? argv[1] : "tests/golden/edid";
    for (int i = 1; i < argc; i++) {
        rebase = rebase || strcmp(argv[i], "--rebase") == 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_qemu_makes),
        cmocka_unit_test(reads_every_kind_of_timing),
        cmocka_unit_test(every_video_code_has_one_mode),
        cmocka_unit_test(names_are_printable),
        cmocka_unit_test(spoilt_ones_change_nothing),
        cmocka_unit_test(lengths_lead_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
