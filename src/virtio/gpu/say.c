/* virtio/gpu/say.c - putting a line of text together without a libc. */
#include "virtio/gpu/say.h"

void vt_vgpu_say_begin(struct vt_vgpu_text *text, char *to, size_t room)
{
    text->to = to;
    text->room = room;
    text->used = 0;
    to[0] = '\0';
}

void vt_vgpu_say(struct vt_vgpu_text *text, const char *words)
{
    while (words != NULL && *words != '\0' && text->used + 1 < text->room) {
        text->to[text->used++] = *words++;
    }
    text->to[text->used] = '\0';
}

static void say_digits(struct vt_vgpu_text *text, uint64_t number, unsigned base)
{
    char digits[21];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    vt_vgpu_say(text, digits + at);
}

void vt_vgpu_say_number(struct vt_vgpu_text *text, uint64_t number)
{
    say_digits(text, number, 10);
}

void vt_vgpu_say_hex(struct vt_vgpu_text *text, uint64_t number)
{
    vt_vgpu_say(text, "0x");
    say_digits(text, number, 16);
}
