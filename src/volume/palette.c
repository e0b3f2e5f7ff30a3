/* volume/palette.c - the words and colours of the classes.
 *
 * Default: warm yellows for the kernel, blue for code, green for stacks, red for heaps, greys for
 * what nobody uses. Colour-blind-safe: the eight colours of Okabe and Ito ("Color Universal
 * Design", 2008) and tints of them; classes that share a hue there differ in lightness.
 */
#include "vitrine/volume.h"

#include <string.h>

#define RGB(hex) {(hex) >> 16 & 0xff, (hex) >> 8 & 0xff, (hex) & 0xff, 0xff}

static const struct {
    const char *name, *title;
    struct vt_colour colour[2];
} classes[VT_CLASSES] = {
    [VT_CLASS_HOLE] = {"hole", "Never touched", {RGB(0x1b1f27), RGB(0x1b1f27)}},
    [VT_CLASS_ZERO] = {"zero", "Zeros", {RGB(0x2b313c), RGB(0x2d333d)}},
    [VT_CLASS_FREE] = {"free", "Free, old contents", {RGB(0x4a5262), RGB(0x565e6b)}},
    [VT_CLASS_KERNEL_TEXT] = {"kernel_text", "Kernel code", {RGB(0xffe14d), RGB(0xf0e442)}},
    [VT_CLASS_KERNEL_DATA] = {"kernel_data", "Kernel data", {RGB(0xf2b01e), RGB(0xe69f00)}},
    [VT_CLASS_KERNEL_RESERVED] = {"kernel_reserved",
                                  "Reserved at boot",
                                  {RGB(0x8f7434), RGB(0x7a5a14)}},
    [VT_CLASS_KERNEL_SLAB] = {"kernel_slab", "Slab objects", {RGB(0xff8a3d), RGB(0xffcf70)}},
    [VT_CLASS_KERNEL_STACK] = {"kernel_stack", "Kernel stacks", {RGB(0xc6e04a), RGB(0x7fd6b8)}},
    [VT_CLASS_KERNEL_VMALLOC] = {"kernel_vmalloc", "vmalloc", {RGB(0xc98a3a), RGB(0xb98a2b)}},
    [VT_CLASS_KERNEL_OTHER] = {"kernel_other",
                               "Other kernel pages",
                               {RGB(0xdcc98a), RGB(0xf6efb0)}},
    [VT_CLASS_PAGE_TABLE] = {"page_table", "Page tables", {RGB(0xf06bd0), RGB(0xcc79a7)}},
    [VT_CLASS_PAGE_CACHE] = {"page_cache", "Page cache", {RGB(0x2fa89a), RGB(0xa9b4c4)}},
    [VT_CLASS_USER_CODE] = {"user_code", "Code", {RGB(0x3b82f6), RGB(0x0072b2)}},
    [VT_CLASS_USER_FILE] = {"user_file", "Mapped files", {RGB(0x7cd4f7), RGB(0x56b4e9)}},
    [VT_CLASS_USER_ANON] = {"user_anon", "Anonymous", {RGB(0x9d7bf2), RGB(0xe8b7d2)}},
    [VT_CLASS_USER_HEAP] = {"user_heap", "Heap", {RGB(0xf4433f), RGB(0xd55e00)}},
    [VT_CLASS_USER_STACK] = {"user_stack", "Stack", {RGB(0x2ecc5e), RGB(0x009e73)}},
    [VT_CLASS_LIKE_TEXT] = {"like_text", "Text", {RGB(0x7fd8be), RGB(0x56b4e9)}},
    [VT_CLASS_LIKE_CODE] = {"like_code", "Like machine code", {RGB(0x3b82f6), RGB(0x0072b2)}},
    [VT_CLASS_LIKE_PACKED] = {"like_packed",
                              "Like compressed data",
                              {RGB(0xd07be0), RGB(0xcc79a7)}},
    [VT_CLASS_LIKE_DATA] = {"like_data", "Other data", {RGB(0xcfae7a), RGB(0xe69f00)}},
};

const char *vt_class_name(enum vt_page_class page_class)
{
    return page_class < VT_CLASSES ? classes[page_class].name : "unknown";
}

const char *vt_class_title(enum vt_page_class page_class)
{
    return page_class < VT_CLASSES ? classes[page_class].title : "Unknown";
}

int vt_palette_parse(const char *name, enum vt_palette *palette, struct vt_error *err)
{
    if (strcmp(name, "default") == 0) {
        *palette = VT_PALETTE_DEFAULT;
    } else if (strcmp(name, "colorblind") == 0) {
        *palette = VT_PALETTE_COLORBLIND;
    } else {
        return vt_fail(err, VT_E_INVAL, "no palette '%s': default or colorblind", name);
    }
    return 0;
}

struct vt_colour vt_palette_class(enum vt_palette palette, enum vt_page_class page_class)
{
    return classes[page_class < VT_CLASSES ? page_class : VT_CLASS_HOLE]
        .colour[palette == VT_PALETTE_COLORBLIND];
}

/* Moves a channel by `t` (-256 … 256) of the way to black or to white. */
static uint8_t toward(uint8_t channel, int t)
{
    int target = t < 0 ? 0 : 255, by = t < 0 ? -t : t;
    return (uint8_t)(channel + (target - channel) * by / 256);
}

struct vt_colour vt_palette_owner(enum vt_palette palette, enum vt_page_class page_class,
                                  unsigned owner, unsigned n)
{
    struct vt_colour c = vt_palette_class(palette, page_class);
    /* From 45 % towards white down to 40 % towards black; the plain colour stays for pages that
     * several processes share. */
    int t = n > 1 ? 115 - (int)(owner * 217 / (n - 1)) : 77;
    return (struct vt_colour){toward(c.r, t), toward(c.g, t), toward(c.b, t), c.a};
}
