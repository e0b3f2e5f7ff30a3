/* virtio/gpu/edid.c - EDID, E-EDID's extensions, and the modes in them.
 *
 * Blocks of 128 bytes, each with its checksum. Modes are taken from the most to the least precise
 * place. Nothing is followed that leads out of a block.
 */
#include "virtio/gpu/edid.h"

#include <string.h>

enum {
    BLOCK = 128,
    BLOCKS_MAX = 8, /* what RESP_OK_EDID holds */
    FEATURES = 24,
    ESTABLISHED = 35,
    STANDARD = 38,
    N_STANDARD = 8,
    DESCRIPTORS = 54,
    N_DESCRIPTORS = 4,
    DESCRIPTOR = 18,
    DISPLAYID_TIMING = 20,
    NAME_BYTES = 13,
    CTA = 0x02, /* tags of extension blocks */
    DISPLAYID = 0x70,
};

struct mode {
    uint16_t width, height, refresh; /* Hz */
};

/* Bit 7 of the first byte first (3.8). 1024x768 at 87 Hz is interlaced. */
static const struct mode established[] = {
    {720, 400, 70},   {720, 400, 88},  {640, 480, 60},  {640, 480, 67},  {640, 480, 72},
    {640, 480, 75},   {800, 600, 56},  {800, 600, 60},  {800, 600, 72},  {800, 600, 75},
    {832, 624, 75},   {1024, 768, 87}, {1024, 768, 60}, {1024, 768, 70}, {1024, 768, 75},
    {1280, 1024, 75}, {1152, 870, 75},
};

/* Established Timings III (3.10.3.9), in the same order. */
static const struct mode established_3[] = {
    {640, 350, 85},   {640, 400, 85},   {720, 400, 85},   {640, 480, 85},   {848, 480, 60},
    {800, 600, 85},   {1024, 768, 85},  {1152, 864, 75},  {1280, 768, 60},  {1280, 768, 60},
    {1280, 768, 75},  {1280, 768, 85},  {1280, 960, 60},  {1280, 960, 85},  {1280, 1024, 60},
    {1280, 1024, 85}, {1360, 768, 60},  {1440, 900, 60},  {1440, 900, 60},  {1440, 900, 75},
    {1440, 900, 85},  {1400, 1050, 60}, {1400, 1050, 60}, {1400, 1050, 75}, {1400, 1050, 85},
    {1680, 1050, 60}, {1680, 1050, 60}, {1680, 1050, 75}, {1680, 1050, 85}, {1600, 1200, 60},
    {1600, 1200, 65}, {1600, 1200, 70}, {1600, 1200, 75}, {1600, 1200, 85}, {1792, 1344, 60},
    {1792, 1344, 75}, {1856, 1392, 60}, {1856, 1392, 75}, {1920, 1200, 60}, {1920, 1200, 60},
    {1920, 1200, 75}, {1920, 1200, 85}, {1920, 1440, 60}, {1920, 1440, 75},
};

/* Progressive video codes of CTA-861-G, table 3: runs of one size in order of their rates. */
static const uint8_t to_60[] = {24, 25, 30, 50, 60}, to_120[] = {24, 25, 30, 50, 60, 100, 120},
                     with_48[] = {24, 25, 30, 48, 50, 60, 100, 120}, only_24[] = {24, 25, 30},
                     only_48[] = {48, 48}, only_50[] = {50, 50}, only_60[] = {60, 60},
                     only_100[] = {100, 120}, only_120[] = {120, 100};
static const struct {
    uint8_t first, n;
    uint16_t width, height;
    const uint8_t *rates;
} video_codes[] = {
    {1, 1, 640, 480, only_60},      {2, 2, 720, 480, only_60},     {4, 1, 1280, 720, only_60},
    {16, 1, 1920, 1080, only_60},   {17, 2, 720, 576, only_50},    {19, 1, 1280, 720, only_50},
    {31, 1, 1920, 1080, only_50},   {32, 3, 1920, 1080, only_24},  {41, 1, 1280, 720, only_100},
    {47, 1, 1280, 720, only_120},   {60, 3, 1280, 720, only_24},   {63, 2, 1920, 1080, only_120},
    {65, 7, 1280, 720, to_120},     {72, 7, 1920, 1080, to_120},   {79, 7, 1680, 720, to_120},
    {86, 7, 2560, 1080, to_120},    {93, 5, 3840, 2160, to_60},    {98, 5, 4096, 2160, to_60},
    {103, 5, 3840, 2160, to_60},    {108, 2, 1280, 720, only_48},  {110, 1, 1680, 720, only_48},
    {111, 2, 1920, 1080, only_48},  {113, 1, 2560, 1080, only_48}, {114, 1, 3840, 2160, only_48},
    {115, 1, 4096, 2160, only_48},  {116, 1, 3840, 2160, only_48}, {117, 2, 3840, 2160, only_100},
    {119, 2, 3840, 2160, only_100}, {121, 7, 5120, 2160, with_48}, {193, 1, 5120, 2160, only_120},
    {194, 8, 7680, 4320, with_48},  {202, 8, 7680, 4320, with_48}, {210, 8, 10240, 4320, with_48},
    {218, 2, 4096, 2160, only_100},
};

static unsigned u16_at(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static void add(struct vt_vgpu_display_info *to, unsigned width, unsigned height,
                uint64_t refresh_mhz, bool preferred)
{
    if (width == 0 || height == 0 || refresh_mhz == 0 || refresh_mhz > UINT32_MAX) {
        return;
    }
    for (uint32_t i = 0; i < to->n_modes; i++) {
        const struct vt_vgpu_mode *m = &to->modes[i];
        if (m->width == width && m->height == height && m->refresh_mhz == refresh_mhz) {
            return;
        }
    }
    if (to->n_modes < sizeof(to->modes) / sizeof(to->modes[0])) {
        to->modes[to->n_modes++] =
            (struct vt_vgpu_mode){width, height, (uint32_t)refresh_mhz, preferred};
    }
}

/* Clock in 10 kHz; totals in pixels and lines. */
static uint64_t refresh_of(uint64_t clock, uint64_t across, uint64_t down)
{
    uint64_t total = across * down;
    return total == 0 ? 0 : (clock * 10000 * 1000 + total / 2) / total;
}

/* 18 bytes; false: it is none, but a descriptor of another kind. */
static bool read_detailed(const uint8_t *at, bool preferred, struct vt_vgpu_display_info *to)
{
    unsigned clock = u16_at(at);
    if (clock == 0) {
        return false;
    }
    unsigned width = at[2] | (at[4] & 0xf0u) << 4, blank_x = at[3] | (at[4] & 0x0fu) << 8;
    unsigned height = at[5] | (at[7] & 0xf0u) << 4, blank_y = at[6] | (at[7] & 0x0fu) << 8;
    /* Interlaced: the numbers are of a field, which is what is refreshed. */
    unsigned fields = (at[17] & 0x80) != 0 ? 2 : 1;
    add(to, width, height * fields, refresh_of(clock, width + blank_x, height + blank_y),
        preferred);
    return true;
}

static void read_standard(const uint8_t *at, struct vt_vgpu_display_info *to)
{
    static const uint8_t across[] = {16, 4, 5, 16}, down[] = {10, 3, 4, 9};
    if (at[0] <= 1) { /* 0x0101: unused; 0 is reserved */
        return;
    }
    unsigned width = (at[0] + 31u) * 8, ratio = at[1] >> 6;
    add(to, width, width * down[ratio] / across[ratio], ((at[1] & 0x3fu) + 60) * (uint64_t)1000,
        false);
}

static void read_bits(const uint8_t *bits, const struct mode *modes, size_t n,
                      struct vt_vgpu_display_info *to)
{
    for (size_t i = 0; i < n; i++) {
        if ((bits[i / 8] & 0x80u >> i % 8) != 0) {
            add(to, modes[i].width, modes[i].height, modes[i].refresh * (uint64_t)1000, false);
        }
    }
}

static void read_name(const uint8_t *at, struct vt_vgpu_display_info *to)
{
    size_t n = 0;
    for (; n < NAME_BYTES && at[n] != '\n'; n++) {
        to->name[n] = at[n] >= 0x20 && at[n] <= 0x7e ? (char)at[n] : '?';
    }
    while (n > 0 && to->name[n - 1] == ' ') {
        n--;
    }
    to->name[n] = '\0';
}

/* ---------------------------------------------------------------- extensions */

static void read_video_code(unsigned code, struct vt_vgpu_display_info *to)
{
    for (size_t i = 0; i < sizeof(video_codes) / sizeof(video_codes[0]); i++) {
        unsigned at = code - video_codes[i].first;
        if (at < video_codes[i].n) {
            add(to, video_codes[i].width, video_codes[i].height,
                video_codes[i].rates[at] * (uint64_t)1000, false);
            return;
        }
    }
}

/* Where the detailed timings begin: data blocks lie before them. */
static size_t cta_timings(const uint8_t *block)
{
    return block[2] >= 4 && block[2] < BLOCK ? block[2] : BLOCK;
}

static void read_cta_detailed(const uint8_t *block, struct vt_vgpu_display_info *to)
{
    for (size_t at = cta_timings(block); at + DESCRIPTOR < BLOCK; at += DESCRIPTOR) {
        if (!read_detailed(block + at, false, to)) {
            return;
        }
    }
}

static void read_cta_codes(const uint8_t *block, struct vt_vgpu_display_info *to)
{
    size_t end = cta_timings(block);
    if (block[1] < 3 || end == BLOCK) {
        return;
    }
    for (size_t at = 4; at < end;) {
        size_t n = block[at] & 0x1fu;
        if ((block[at] >> 5) == 2) {
            for (size_t i = at + 1; i <= at + n && i < end; i++) {
                unsigned code = block[i]; /* bit 7 of codes up to 64: native */
                read_video_code(code >= 129 && code <= 192 ? code & 0x7f : code, to);
            }
        }
        at += 1 + n;
    }
}

static void read_displayid(const uint8_t *block, struct vt_vgpu_display_info *to)
{
    enum { HEAD = 5, BLOCK_HEAD = 3, TYPE_1 = 0x03 };
    size_t end = (size_t)HEAD + block[2];
    if (end > BLOCK - 1) {
        return;
    }
    for (size_t at = HEAD; at + BLOCK_HEAD <= end;) {
        size_t n = block[at + 2], next = at + BLOCK_HEAD + n;
        if (next > end) {
            return;
        }
        size_t t = at + BLOCK_HEAD;
        for (; block[at] == TYPE_1 && t + DISPLAYID_TIMING <= next; t += DISPLAYID_TIMING) {
            const uint8_t *p = block + t;
            uint64_t clock = (p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16) + 1;
            unsigned width = u16_at(p + 4) + 1, blank_x = u16_at(p + 6) + 1;
            unsigned height = u16_at(p + 12) + 1, blank_y = u16_at(p + 14) + 1;
            add(to, width, height, refresh_of(clock, width + blank_x, height + blank_y),
                (p[3] & 0x80) != 0);
        }
        at = next;
    }
}

static void read_extension_timings(const uint8_t *block, struct vt_vgpu_display_info *to)
{
    if (block[0] == CTA) {
        read_cta_detailed(block, to);
    } else if (block[0] == DISPLAYID) {
        read_displayid(block, to);
    }
}

static void read_extension_codes(const uint8_t *block, struct vt_vgpu_display_info *to)
{
    if (block[0] == CTA) {
        read_cta_codes(block, to);
    }
}

/* ---------------------------------------------------------------- all of it */

static bool checksum_right(const uint8_t *block)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        sum = (uint8_t)(sum + block[i]);
    }
    return sum == 0;
}

bool vt_vgpu_edid_read(const uint8_t *edid, size_t bytes, struct vt_vgpu_display_info *display)
{
    static const uint8_t magic[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    if (bytes < BLOCK || memcmp(edid, magic, sizeof(magic)) != 0 || !checksum_right(edid)) {
        return false;
    }
    size_t blocks = bytes / BLOCK < BLOCKS_MAX ? bytes / BLOCK : BLOCKS_MAX;
    if (blocks > 1u + edid[126]) {
        blocks = 1u + edid[126];
    }
    display->n_modes = 0;
    display->name[0] = '\0';
    /* 1.4: the first detailed timing is the preferred one; before, where a bit says so. */
    bool first_preferred = edid[18] > 1 || edid[19] >= 4 || (edid[FEATURES] & 2) != 0;
    for (size_t i = 0; i < N_DESCRIPTORS; i++) {
        const uint8_t *at = edid + DESCRIPTORS + i * DESCRIPTOR;
        if (!read_detailed(at, i == 0 && first_preferred, display) && at[3] == 0xfc) {
            read_name(at + 5, display);
        }
    }
    static void (*const passes[])(const uint8_t *, struct vt_vgpu_display_info *) = {
        read_extension_timings, read_extension_codes};
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 1; i < blocks; i++) {
            if (checksum_right(edid + i * BLOCK)) {
                passes[pass](edid + i * BLOCK, display);
            }
        }
    }
    for (size_t i = 0; i < N_STANDARD; i++) {
        read_standard(edid + STANDARD + 2 * i, display);
    }
    for (size_t i = 0; i < N_DESCRIPTORS; i++) {
        const uint8_t *at = edid + DESCRIPTORS + i * DESCRIPTOR;
        if (u16_at(at) == 0 && at[3] == 0xf7) {
            read_bits(at + 6, established_3, sizeof(established_3) / sizeof(established_3[0]),
                      display);
        } else if (u16_at(at) == 0 && at[3] == 0xfa) {
            for (size_t n = 0; n < 6; n++) {
                read_standard(at + 5 + 2 * n, display);
            }
        }
    }
    read_bits(edid + ESTABLISHED, established, sizeof(established) / sizeof(established[0]),
              display);
    return true;
}
