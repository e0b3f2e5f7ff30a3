/* guests/card/display_words.c - statements that draw: the test card, animation with damage, and
 * where the pixels are. The same over virtio-gpu and over ramfb (`set display`).
 */
#include <string.h>

#include "fw_cfg.h"
#include "gpu.h"

static struct screen {
    struct vt_display *display;
    const struct vt_surface *shown; /* what was drawn to before the last flip */
} screens[VT_VGPU_SCANOUTS_MAX];

/* ---------------------------------------------------------------- opening and flipping */

static int write_ramfb(const void *record, size_t n, void *arg)
{
    (void)arg;
    return fw_cfg_write("etc/ramfb", record, n);
}

static void close_screen(struct screen *screen)
{
    if (screen->display) {
        vt_display_close(screen->display);
        *screen = (struct screen){NULL, NULL};
    }
    if (gpu.driver) {
        (void)vt_vgpu_drain(gpu.driver, 1000000000);
    }
}

static bool is_ramfb(const struct screen *screen)
{
    return screen->display && same_text(vt_display_name(screen->display), "ramfb");
}

static int open_screen(struct screen *screen, uint32_t width, uint32_t height)
{
    if (is_ramfb(screen) != settings.ramfb) { /* the other kind is wanted now */
        close_screen(screen);
    }
    if (screen->display) {
        return vt_display_resize(screen->display, width, height);
    }
    if (settings.ramfb) {
        return vt_display_ramfb(&gpu.arena, write_ramfb, NULL, width, height, &screen->display);
    }
    return vt_display_virtio_gpu(gpu.driver, &gpu.arena, (uint32_t)settings.scanout,
                                 (uint32_t)(settings.first_id + 2 * settings.scanout),
                                 (unsigned)settings.buffers, width, height, &screen->display);
}

void displays_close(void)
{
    for (unsigned i = 0; i < VT_VGPU_SCANOUTS_MAX; i++) {
        close_screen(&screens[i]);
    }
}

static void flipped(int code, void *arg)
{
    *(int *)arg = code;
}

/* Shows what was drawn, and waits until it can be seen. */
static bool flip(struct screen *screen)
{
    const struct vt_surface *drawn = vt_display_surface(screen->display);
    int code = 1, rc = vt_display_flip(screen->display, flipped, &code);

    while (rc == VT_VIRTIO_OK && code > 0) {
        rc = vt_display_poll(screen->display);
        rc = rc > 0 ? VT_VIRTIO_OK : rc;
        if (code > 0) {
            gpu_rest();
        }
    }
    rc = rc == VT_VIRTIO_OK ? code : rc;
    if (rc == VT_VIRTIO_OK) {
        screen->shown = drawn;
        return true;
    }
    report_begin("not-shown");
    report_text("why", vt_virtio_code_name(rc));
    report_end();
    return script_fail("the display did not show it");
}

static bool ready(void)
{
    if (settings.ramfb) {
        gpu_need_memory();
        return true;
    }
    return gpu_need();
}

/* ---------------------------------------------------------------- statements */

/* The test card of that size, shown. */
static bool show_card(struct screen *screen, uint32_t width, uint32_t height, const char *label)
{
    uint64_t begin = now_ns(), drawn;
    int rc = open_screen(screen, width, height);

    if (rc != VT_VIRTIO_OK) {
        return script_fail(vt_virtio_code_name(rc));
    }
    vt_surface_test_card(vt_display_surface(screen->display), label);
    drawn = now_ns();
    vt_display_damage(screen->display, NULL);
    if (!flip(screen)) {
        return false;
    }
    report_begin("card");
    report_text("display", vt_display_name(screen->display));
    report_number("scanout", settings.scanout);
    report_number("width", width);
    report_number("height", height);
    report_number("draw_ns", drawn - begin);
    report_number("show_ns", now_ns() - drawn);
    report_end();
    return true;
}

static bool word_card(const struct card_words *w)
{
    uint32_t width, height;

    if (w->n < 1 || w->n > 2 || !parse_size(w->word[0], &width, &height)) {
        return script_fail("of which size?");
    }
    return ready() && show_card(&screens[settings.scanout], width, height,
                                w->n == 2 ? w->word[1] : machine.architecture);
}

/* Draws the card as large as the display is, now and whenever that changes. */
static bool word_follow(const struct card_words *w)
{
    const uint32_t scanout = (uint32_t)settings.scanout;
    struct vt_vgpu_rect was = {0, 0, 0, 0};
    uint64_t ms = 0, until = UINT64_MAX;

    if (w->n > 1 || (w->n == 1 && !parse_number(w->word[0], 86400000, &ms))) {
        return script_fail("how long?");
    }
    if (settings.ramfb || !gpu_need()) {
        return settings.ramfb ? script_fail("ramfb has no sizes of its own") : false;
    }
    if (w->n == 1) {
        until = now_ns() + ms * 1000000;
    }
    for (unsigned seen = gpu_changes() - 1; now_ns() < until; rest_until(now_ns() + 10000000)) {
        const struct vt_vgpu_display_info *info;

        if (seen == gpu_changes()) {
            continue;
        }
        seen = gpu_changes();
        gpu_ask_displays();
        info = vt_vgpu_display_info(gpu.driver, scanout);
        if (info && info->enabled && info->rect.width > 0 && info->rect.height > 0 &&
            (info->rect.width != was.width || info->rect.height != was.height)) {
            was = info->rect;
            if (!show_card(&screens[scanout], was.width, was.height, machine.architecture)) {
                return false;
            }
        }
    }
    return true;
}

/* A square wanders over the card and leaves it as it was: what changes is two small rectangles. */
enum { SQUARE = 64 };

static uint32_t bounce(uint64_t step, uint32_t room)
{
    uint64_t at = room ? step % (2 * (uint64_t)room) : 0;

    return (uint32_t)(at < room ? at : 2 * (uint64_t)room - at);
}

static bool animate(struct screen *screen, uint64_t frames, uint64_t frame_ns)
{
    static uint32_t pixels[SQUARE * SQUARE];
    struct vt_surface under = {pixels, SQUARE, SQUARE, SQUARE};
    const uint32_t wide = vt_display_surface(screen->display)->width;
    const uint32_t high = vt_display_surface(screen->display)->height;
    struct vt_vgpu_rect at = {0, 0, SQUARE, SQUARE};
    uint64_t next = now_ns();

    for (uint64_t i = 0; i <= frames; i++) {
        struct vt_surface *s = vt_display_surface(screen->display);

        if (i > 0) {
            vt_surface_blit(s, (int32_t)at.x, (int32_t)at.y, &under,
                            &(struct vt_vgpu_rect){0, 0, SQUARE, SQUARE});
            vt_display_damage(screen->display, &at);
        }
        if (i < frames) { /* the last one only takes the square away */
            at.x = bounce(7 * i, wide - SQUARE);
            at.y = bounce(5 * i, high - SQUARE);
            vt_surface_blit(&under, 0, 0, s, &at);
            vt_surface_fill(s, &at, 0x2060c0);
            vt_surface_line(s, (int32_t)at.x, (int32_t)at.y, (int32_t)at.x + SQUARE - 1,
                            (int32_t)at.y + SQUARE - 1, 0xffffff);
            vt_display_damage(screen->display, &at);
        }
        if (!flip(screen)) {
            return false;
        }
        for (next += frame_ns; frame_ns && now_ns() < next;) {
            arch_sleep_until(next);
        }
    }
    return true;
}

static bool word_animate(const struct card_words *w)
{
    struct screen *screen = &screens[settings.scanout];
    uint64_t frames, rate = 0, begin = now_ns(), took;

    if (w->n < 1 || w->n > 2 || !parse_number(w->word[0], 1000000, &frames) ||
        (w->n == 2 && !parse_number(w->word[1], 1000, &rate))) {
        return script_fail("how many frames?");
    }
    if (!screen->display || vt_display_surface(screen->display)->width < SQUARE ||
        vt_display_surface(screen->display)->height < SQUARE) {
        return script_fail("a card comes first");
    }
    if (!animate(screen, frames, rate ? 1000000000 / rate : 0)) {
        return false;
    }
    took = now_ns() - begin;
    report_begin("animation");
    report_number("frames", frames);
    report_number("ns", took);
    report_number("frames_per_s", took ? frames * 1000000000 / took : 0);
    report_end();
    return true;
}

static uint32_t crc32(uint32_t crc, const uint8_t *at, size_t n)
{
    static uint32_t table[256];

    if (!table[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;

            for (unsigned bit = 0; bit < 8; bit++) {
                c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
            }
            table[i] = c;
        }
    }
    for (crc = ~crc; n > 0; n--) {
        crc = table[(crc ^ *at++) & 255] ^ crc >> 8;
    }
    return ~crc;
}

/* Where what is shown lies in RAM, for who compares it with what can be seen. */
static bool word_dump(const struct card_words *w)
{
    const struct vt_surface *s = screens[settings.scanout].shown;
    uint32_t crc = 0;

    (void)w;
    if (!s) {
        return script_fail("nothing is shown");
    }
    for (uint32_t y = 0; y < s->height; y++) {
        crc =
            crc32(crc, (const uint8_t *)(s->pixels + (size_t)y * s->stride), (size_t)4 * s->width);
    }
    report_begin("framebuffer");
    report_number("scanout", settings.scanout);
    report_address("address", (uintptr_t)s->pixels);
    report_number("width", s->width);
    report_number("height", s->height);
    report_number("stride_bytes", (uint64_t)4 * s->stride);
    report_text("format", "B8G8R8X8");
    report_address("crc32", crc);
    report_end();
    return true;
}

static bool word_hide(const struct card_words *w)
{
    (void)w;
    close_screen(&screens[settings.scanout]);
    return true;
}

const struct card_statement display_statements[] = {
    {"animate", "animate FRAMES [FRAMES_PER_SECOND]", word_animate},
    {"card", "card WxH [LABEL]", word_card},
    {"dump", "dump", word_dump},
    {"follow", "follow [MILLISECONDS]", word_follow},
    {"hide", "hide", word_hide},
    {NULL, NULL, NULL},
};
