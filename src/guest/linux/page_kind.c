/* guest/linux/page_kind.c - see page_kind.h. The order of the questions is that of
 * /proc/kpageflags (Linux fs/proc/page.c): a page on a free list has stale flags, a slab page keeps
 * its own data where others keep their mapping. */
#include "guest/linux/page_kind.h"

#include "base/cursor.h"

#define TYPE_BASE UINT32_C(0xf0000000)
/* Blocks of up to 1 GiB. */
#define ORDER_MAX 18
/* What a tail says of its head: its address, or (compound_info) a mask that makes it of the
 * tail's own; no struct page has an address like that. */
#define MASKS UINT64_C(0xffffffff00000000)

static bool has_type(const struct vt_page_layout *l, uint32_t value, uint32_t type)
{
    if (type == 0) {
        return false;
    }
    return l->typed ? value >> 24 == type : (value & (TYPE_BASE | type)) == TYPE_BASE;
}

static uint64_t field(const uint8_t *page, const struct vt_member *m)
{
    return m->size >= 8 ? vt_le64(page + m->offset) : vt_le32(page + m->offset);
}

/* What one struct page says for itself; tails of compound pages are their head's matter. */
static enum vt_linux_page_kind kind_of(const struct vt_page_layout *l, const uint8_t *page,
                                       unsigned *order)
{
    uint64_t flags = field(page, &l->flags), mapping = field(page, &l->mapping);
    uint32_t type = (uint32_t)field(page, &l->type);
    uint32_t count = (uint32_t)field(page, &l->refcount);
    *order = 0;
    if (flags & l->reserved) {
        return VT_LINUX_PAGE_RESERVED;
    }
    if (has_type(l, type, l->buddy)) {
        uint64_t said = field(page, &l->private);
        *order = said <= ORDER_MAX ? (unsigned)said : 0;
        return VT_LINUX_PAGE_FREE;
    }
    if ((flags & l->slab) != 0 || has_type(l, type, l->slab_type)) {
        return VT_LINUX_PAGE_SLAB;
    }
    if (has_type(l, type, l->table)) {
        return VT_LINUX_PAGE_TABLE;
    }
    if (count == 0) {
        return VT_LINUX_PAGE_IDLE;
    }
    if ((mapping & 1) != 0) {
        return VT_LINUX_PAGE_ANON;
    }
    return mapping >> 63 != 0 && (mapping & 3) == 0 ? VT_LINUX_PAGE_FILE : VT_LINUX_PAGE_KERNEL;
}

/* Whether a page without references is the first of a block on a CPU's list of free pages: list
 * neighbours point back at it (boot leaves a page pointing at itself). Later pages of a block, and
 * of any allocation that is not compound, count no references either and are on no list. */
static bool is_listed(const struct vt_space *space, const struct vt_page_layout *l,
                      const uint8_t *page, uint64_t at)
{
    uint64_t node = at + l->lru.offset, next = vt_le64(page + l->lru.offset), back;
    return space != NULL && next % 8 == 0 && next != node &&
           vt_space_read_u64(space, VT_GVA(next + 8), &back, NULL) == 0 && back == node;
}

bool vt_page_layout_fits(const struct vt_page_layout *l)
{
    const struct vt_member *members[] = {&l->flags,   &l->refcount,      &l->type,
                                         &l->mapping, &l->compound_head, &l->private};
    for (unsigned i = 0; i < sizeof members / sizeof members[0]; i++) {
        if ((members[i]->size != 4 && members[i]->size != 8) ||
            members[i]->offset > l->bytes - members[i]->size) {
            return false;
        }
    }
    return l->lru.size == 16 && l->lru.offset <= l->bytes - 16;
}

enum vt_linux_page_kind vt_page_kind(struct vt_page_reading *r, uint64_t i, const uint8_t *page)
{
    const struct vt_page_layout *l = r->l;
    uint64_t head = field(page, &l->compound_head);
    if (i < r->free_until) {
        return VT_LINUX_PAGE_FREE;
    }
    uint64_t at = l->vmemmap + (r->first + i) * l->bytes;
    if ((head & 1) != 0) { /* a tail is what its head is */
        uint64_t pfn = ((head >= MASKS ? at & (head - 1) : head - 1) - l->vmemmap) / l->bytes;
        return pfn >= r->first && pfn < r->first + i
                   ? (enum vt_linux_page_kind)r->kinds[pfn - r->first]
                   : VT_LINUX_PAGE_KERNEL;
    }
    unsigned order;
    enum vt_linux_page_kind kind = kind_of(l, page, &order);
    r->free_until = order > 0 ? i + ((uint64_t)1 << order) : 0;
    if (kind != VT_LINUX_PAGE_IDLE || is_listed(r->space, l, page, at)) {
        return kind;
    }
    return i > 0 && r->kinds[i - 1] == VT_LINUX_PAGE_IDLE ? VT_LINUX_PAGE_IDLE
                                                          : VT_LINUX_PAGE_KERNEL;
}
