/* virtio/gpu/image.c - a surface as PNG or PPM, through a function that takes bytes.
 *
 * PNG without compression: one IDAT a block of at most a deflate stored block, so that nothing has
 * to be known ahead and nothing is kept but a row's worth of bytes at a time.
 *
 * Source: ISO/IEC 15948 (PNG), RFC 1950 (zlib), RFC 1951, 3.2.4 (stored blocks).
 */
#include "virtio/gpu/say.h"
#include "vitrine/virtio_gpu.h"

typedef bool put_fn(const void *bytes, size_t n, void *arg);

/* Pixels that are turned into bytes at once. */
#define PIXELS 256u

static void rgb(const uint32_t *pixels, uint32_t n, uint8_t *to)
{
    for (uint32_t i = 0; i < n; i++) {
        *to++ = (uint8_t)(pixels[i] >> 16);
        *to++ = (uint8_t)(pixels[i] >> 8);
        *to++ = (uint8_t)pixels[i];
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---------------------------------------------------------------- PPM */

bool vt_surface_ppm(const struct vt_surface *s, bool (*put)(const void *, size_t, void *),
                    void *arg)
{
    char head[40];
    struct vt_vgpu_text text;
    vt_vgpu_say_begin(&text, head, sizeof head);
    vt_vgpu_say(&text, "P6\n");
    vt_vgpu_say_number(&text, s->width);
    vt_vgpu_say(&text, " ");
    vt_vgpu_say_number(&text, s->height);
    vt_vgpu_say(&text, "\n255\n");
    bool ok = put(head, text.used, arg);
    uint8_t bytes[3 * PIXELS];
    for (uint32_t y = 0; ok && y < s->height; y++) {
        for (uint32_t x = 0; ok && x < s->width; x += PIXELS) {
            uint32_t n = least(PIXELS, s->width - x);
            rgb(s->pixels + (size_t)y * s->stride + x, n, bytes);
            ok = put(bytes, 3 * (size_t)n, arg);
        }
    }
    return ok;
}

/* ---------------------------------------------------------------- PNG */

struct png {
    put_fn *put;
    void *arg;
    bool ok;
    uint32_t crc; /* of the chunk that is open */
    uint32_t adler_a, adler_b;
};

static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t n)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                       0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                       0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    for (size_t i = 0; i < n; i++) {
        crc = table[(crc ^ bytes[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ bytes[i] >> 4) & 15] ^ crc >> 4;
    }
    return crc;
}

static void put_bytes(struct png *p, const void *bytes, size_t n)
{
    p->crc = crc32(p->crc, bytes, n);
    p->ok = p->ok && p->put(bytes, n, p->arg);
}

static void put_u32(struct png *p, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    put_bytes(p, bytes, sizeof bytes);
}

static void open_chunk(struct png *p, const char *type, uint32_t bytes)
{
    put_u32(p, bytes);
    p->crc = 0xffffffff;
    put_bytes(p, type, 4);
}

static void close_chunk(struct png *p)
{
    put_u32(p, ~p->crc);
}

/* Bytes of the compressed stream's content: so few that the sums cannot overflow before they are
 * reduced. */
static void put_content(struct png *p, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p->adler_a += bytes[i];
        p->adler_b += p->adler_a;
    }
    p->adler_a %= 65521;
    p->adler_b %= 65521;
    put_bytes(p, bytes, n);
}

/* One stored block with a part of a row; its first part begins with the row's filter, none. */
static void put_block(struct png *p, const uint32_t *pixels, uint32_t n, bool first, bool last)
{
    uint32_t bytes = 3 * n + first;
    const uint8_t head[5] = {last, (uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)~bytes,
                             (uint8_t)(~bytes >> 8)};
    open_chunk(p, "IDAT", bytes + sizeof head);
    put_bytes(p, head, sizeof head);
    if (first) {
        put_content(p, (const uint8_t[1]){0}, 1);
    }
    for (uint32_t x = 0; x < n && p->ok; x += PIXELS) {
        uint8_t to[3 * PIXELS];
        uint32_t some = least(PIXELS, n - x);
        rgb(pixels + x, some, to);
        put_content(p, to, 3 * (size_t)some);
    }
    close_chunk(p);
}

bool vt_surface_png(const struct vt_surface *s, bool (*put)(const void *, size_t, void *),
                    void *arg)
{
    struct png p = {.put = put, .arg = arg, .ok = true, .adler_a = 1};
    put_bytes(&p, "\x89PNG\r\n\x1a\n", 8);
    open_chunk(&p, "IHDR", 13);
    put_u32(&p, s->width);
    put_u32(&p, s->height);
    put_bytes(&p, (const uint8_t[5]){8, 2, 0, 0, 0}, 5); /* 8 bits, RGB */
    close_chunk(&p);
    open_chunk(&p, "IDAT", 2);
    put_bytes(&p, (const uint8_t[2]){0x78, 0x01}, 2); /* deflate, a window of 32 KiB */
    close_chunk(&p);
    /* Pixels of a stored block. */
    const uint32_t most = 65535 / 3 - 1;
    for (uint32_t y = 0; y < s->height && p.ok; y++) {
        for (uint32_t x = 0; x < s->width && p.ok; x += most) {
            uint32_t n = least(most, s->width - x);
            bool last = y == s->height - 1 && x + n == s->width;
            put_block(&p, s->pixels + (size_t)y * s->stride + x, n, x == 0, last);
        }
    }
    open_chunk(&p, "IDAT", 4);
    put_u32(&p, p.adler_b << 16 | p.adler_a);
    close_chunk(&p);
    open_chunk(&p, "IEND", 0);
    close_chunk(&p);
    return p.ok;
}
