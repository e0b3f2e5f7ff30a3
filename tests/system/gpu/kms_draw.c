/* kms-draw - has Linux's display driver draw, and says so: the other side of `vitrine gpu diff`.
 *
 *   kms-draw [WxH [FRAMES [PAUSE_MS]]]   a mode of the first connected output, or 0x0: its
 * preferred one; a pause after each step
 *
 * One surface shown, FRAMES (8) squares of 64 x 64 drawn to it one by one and declared dirty, a
 * second surface flipped to, a cursor set, moved twice and hidden, everything taken down again. It
 * prints a line a step and DONE. Static, with nothing but ioctls: it runs in a guest that has
 * busybox.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm.h>
#include <drm_mode.h>

#define ITEMS_MAX 32
#define SQUARE 64u
#define CURSOR 64u

static int fd;
static useconds_t pause_us;

static void fail(const char *what)
{
    fprintf(stderr, "kms-draw: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void ask(unsigned long request, void *argument, const char *what)
{
    int rc;
    do {
        rc = ioctl(fd, request, argument);
    } while (rc != 0 && (errno == EINTR || errno == EAGAIN));
    if (rc != 0) {
        fail(what);
    }
    printf("%s\n", what);
    usleep(pause_us);
}

static uint64_t pointer(void *p)
{
    return (uint64_t)(uintptr_t)p;
}

struct output {
    uint32_t connector, crtc;
    struct drm_mode_modeinfo mode;
};

/* The first connected output, its mode of `width` x `height` or its first, and what drives it. */
static struct output find_output(unsigned width, unsigned height)
{
    uint32_t crtcs[ITEMS_MAX], connectors[ITEMS_MAX];
    struct drm_mode_card_res res = {.crtc_id_ptr = pointer(crtcs),
                                    .connector_id_ptr = pointer(connectors),
                                    .count_crtcs = ITEMS_MAX,
                                    .count_connectors = ITEMS_MAX};
    ask(DRM_IOCTL_MODE_GETRESOURCES, &res, "resources");
    for (unsigned i = 0; i < res.count_connectors && i < ITEMS_MAX; i++) {
        struct drm_mode_modeinfo modes[ITEMS_MAX * 4];
        uint32_t encoders[ITEMS_MAX];
        struct drm_mode_get_connector c = {.connector_id = connectors[i]};
        ask(DRM_IOCTL_MODE_GETCONNECTOR, &c, "probe");
        if (c.connection != 1 || c.count_modes == 0 || c.count_modes > ITEMS_MAX * 4 ||
            c.count_encoders > ITEMS_MAX) {
            continue;
        }
        c = (struct drm_mode_get_connector){.connector_id = connectors[i],
                                            .modes_ptr = pointer(modes),
                                            .encoders_ptr = pointer(encoders),
                                            .count_modes = c.count_modes,
                                            .count_encoders = c.count_encoders};
        ask(DRM_IOCTL_MODE_GETCONNECTOR, &c, "connector");
        struct drm_mode_get_encoder e = {.encoder_id = encoders[0]};
        ask(DRM_IOCTL_MODE_GETENCODER, &e, "encoder");
        for (unsigned k = 0; k < res.count_crtcs && k < ITEMS_MAX; k++) {
            if ((e.possible_crtcs & 1u << k) != 0) {
                struct output found = {connectors[i], crtcs[k], modes[0]};
                for (unsigned m = c.count_modes; width > 0 && m-- > 0;) {
                    if (modes[m].hdisplay == width && modes[m].vdisplay == height) {
                        found.mode = modes[m];
                    }
                }
                if (width > 0 && (found.mode.hdisplay != width || found.mode.vdisplay != height)) {
                    errno = EINVAL;
                    fail("that mode");
                }
                return found;
            }
        }
    }
    errno = ENODEV;
    fail("a connected output");
    return (struct output){0};
}

struct surface {
    struct drm_mode_create_dumb dumb;
    uint32_t fb;
    uint32_t *pixels;
};

static struct surface make_surface(uint32_t width, uint32_t height, bool shown)
{
    struct surface s = {.dumb = {.width = width, .height = height, .bpp = 32}};
    ask(DRM_IOCTL_MODE_CREATE_DUMB, &s.dumb, "create");
    if (shown) {
        struct drm_mode_fb_cmd add = {.width = width,
                                      .height = height,
                                      .pitch = s.dumb.pitch,
                                      .bpp = 32,
                                      .depth = 24,
                                      .handle = s.dumb.handle};
        ask(DRM_IOCTL_MODE_ADDFB, &add, "framebuffer");
        s.fb = add.fb_id;
    }
    struct drm_mode_map_dumb map = {.handle = s.dumb.handle};
    ask(DRM_IOCTL_MODE_MAP_DUMB, &map, "map");
    s.pixels = mmap(NULL, s.dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.offset);
    if (s.pixels == MAP_FAILED) {
        fail("mmap");
    }
    return s;
}

static void drop_surface(struct surface *s)
{
    struct drm_mode_destroy_dumb destroy = {.handle = s->dumb.handle};
    munmap(s->pixels, s->dumb.size);
    if (s->fb != 0) {
        ask(DRM_IOCTL_MODE_RMFB, &s->fb, "framebuffer gone");
    }
    ask(DRM_IOCTL_MODE_DESTROY_DUMB, &destroy, "destroy");
}

static void fill(struct surface *s, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour)
{
    for (uint32_t row = y; row < y + h; row++) {
        for (uint32_t i = x; i < x + w; i++) {
            s->pixels[row * (s->dumb.pitch / 4) + i] = colour;
        }
    }
}

static void flip(const struct output *out, const struct surface *s)
{
    struct drm_mode_crtc_page_flip request = {
        .crtc_id = out->crtc, .fb_id = s->fb, .flags = DRM_MODE_PAGE_FLIP_EVENT};
    char event[256];
    ask(DRM_IOCTL_MODE_PAGE_FLIP, &request, "flip");
    if (read(fd, event, sizeof event) <= 0) {
        fail("the flip's event");
    }
}

static void cursor(const struct output *out)
{
    struct surface s = make_surface(CURSOR, CURSOR, false);
    fill(&s, 0, 0, CURSOR, CURSOR, 0x80ff0000);
    struct drm_mode_cursor2 set = {.flags = DRM_MODE_CURSOR_BO | DRM_MODE_CURSOR_MOVE,
                                   .crtc_id = out->crtc,
                                   .x = 20,
                                   .y = 10,
                                   .width = CURSOR,
                                   .height = CURSOR,
                                   .handle = s.dumb.handle,
                                   .hot_x = 3,
                                   .hot_y = 4};
    ask(DRM_IOCTL_MODE_CURSOR2, &set, "cursor");
    for (int i = 0; i < 2; i++) {
        struct drm_mode_cursor move = {
            .flags = DRM_MODE_CURSOR_MOVE, .crtc_id = out->crtc, .x = 40 + 20 * i, .y = 30};
        ask(DRM_IOCTL_MODE_CURSOR, &move, "cursor moved");
    }
    struct drm_mode_cursor hide = {.flags = DRM_MODE_CURSOR_BO, .crtc_id = out->crtc};
    ask(DRM_IOCTL_MODE_CURSOR, &hide, "cursor hidden");
    drop_surface(&s);
}

int main(int argc, char **argv)
{
    unsigned width = 0, height = 0;
    unsigned frames = argc > 2 ? (unsigned)atoi(argv[2]) : 8;
    setvbuf(stdout, NULL, _IOLBF, 0);
    pause_us = argc > 3 ? 1000 * (useconds_t)atoi(argv[3]) : 0;
    if (argc > 1 && sscanf(argv[1], "%ux%u", &width, &height) != 2) {
        fprintf(stderr, "usage: kms-draw [WxH [FRAMES [PAUSE_MS]]]\n");
        return 2;
    }
    fd = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        fail("/dev/dri/card0");
    }
    struct output out = find_output(width, height);
    width = out.mode.hdisplay;
    height = out.mode.vdisplay;
    struct surface s[2] = {make_surface(width, height, true), make_surface(width, height, true)};
    fill(&s[0], 0, 0, width, height, 0x204060);
    fill(&s[1], 0, 0, width, height, 0x602040);
    struct drm_mode_crtc set = {.set_connectors_ptr = pointer(&out.connector),
                                .count_connectors = 1,
                                .crtc_id = out.crtc,
                                .fb_id = s[0].fb,
                                .mode_valid = 1,
                                .mode = out.mode};
    ask(DRM_IOCTL_MODE_SETCRTC, &set, "shown");
    for (unsigned i = 0; i < frames; i++) {
        uint32_t x = i * 73 % (width - SQUARE), y = i * 41 % (height - SQUARE);
        fill(&s[0], x, y, SQUARE, SQUARE, 0x101010 * (i + 1));
        struct drm_clip_rect clip = {(unsigned short)x, (unsigned short)y,
                                     (unsigned short)(x + SQUARE), (unsigned short)(y + SQUARE)};
        struct drm_mode_fb_dirty_cmd dirty = {
            .fb_id = s[0].fb, .num_clips = 1, .clips_ptr = pointer(&clip)};
        ask(DRM_IOCTL_MODE_DIRTYFB, &dirty, "dirty");
    }
    flip(&out, &s[1]);
    cursor(&out);
    struct drm_mode_crtc off = {.crtc_id = out.crtc};
    ask(DRM_IOCTL_MODE_SETCRTC, &off, "off");
    drop_surface(&s[0]);
    drop_surface(&s[1]);
    puts("DONE");
    return 0;
}
