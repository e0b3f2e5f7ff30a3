/* guest/linux/slab_page.c - from a physical page to the cache whose objects lie in it: its struct
 * page, or that of the slab's first page, names the cache. */
#include "guest/linux/slab.h"

#include "guest/linux/page_kind.h"

#include <string.h>

#define TRIES 3

/* The struct page that speaks for a page: its own, or that of the block it is a later page of. */
static struct vt_gva head_of(struct vt_look *look, const struct vt_page_layout *pages,
                             struct vt_gpa page)
{
    struct vt_gva at = VT_GVA(pages->vmemmap + (page.v >> VT_PAGE_SHIFT) * pages->bytes);
    uint64_t head = vt_look_member(look, at, &pages->compound_head);
    return (head & 1) != 0 ? VT_GVA(head - 1) : at;
}

static bool read_name(struct vt_look *look, const struct vt_slab_layout *l,
                      const struct vt_page_layout *pages, struct vt_gpa page, char *name)
{
    struct vt_object object;
    struct vt_slab slab;
    struct vt_slab_cache cache;
    if (!vt_look_object(look, head_of(look, pages, page), l->slab, &object)) {
        return false;
    }
    vt_slab_decode(l, &object, &slab);
    if (!vt_slab_cache_read(look, l, VT_GVA(slab.cache), &cache) || look->doubted) {
        return false;
    }
    memcpy(name, cache.name, sizeof cache.name);
    return true;
}

int vt_slab_of_page(struct vt_kernel *kernel, struct vt_gpa page, char name[64],
                    struct vt_error *err)
{
    const struct vt_slab_layout *l;
    struct vt_page_layout pages;
    struct vt_look look;
    uint8_t kind = VT_LINUX_PAGE_UNKNOWN;
    char found[64] = "";
    bool ok = false;
    page.v &= ~(VT_PAGE_BYTES - 1);
    int rc = vt_slab_layout_take(kernel, &l, err);
    rc = rc != 0 ? rc : vt_linux_page_layout(kernel, &pages, err);
    rc = rc != 0 ? rc : vt_linux_page_kinds(kernel, page, 1, &kind, err);
    if (rc != 0) {
        return rc;
    }
    if (kind == VT_LINUX_PAGE_SLAB) {
        vt_look_init(&look, vt_kernel_space(kernel));
        unsigned tries = 0;
        do {
            vt_look_begin(&look);
            ok = read_name(&look, l, &pages, page, found);
        } while (vt_look_again(&look) && ++tries < TRIES);
        ok = ok && !look.doubted;
        vt_look_fini(&look);
    }
    memcpy(name, ok ? found : "", ok ? sizeof found : 1);
    return 0;
}
