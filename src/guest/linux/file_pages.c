/* guest/linux/file_pages.c - what the page cache holds of one file. See file_pages.h.
 *
 * Entries of a mapping's xarray are struct pages, of a large folio the first, or numbers that
 * remember what is not there. A page is believed when it names the mapping and its own index.
 */
#include "guest/linux/file_pages.h"

#include "guest/linux/page_kind.h"
#include "guest/linux/path.h"
#include "guest/linux/xarray.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FOLIO_PAGES_MAX (1u << 18) /* 1 GiB */
#define MARK_DIRTY 1u              /* PAGECACHE_TAG_DIRTY: XA_MARK_0 */
/* An array's marks are in the upper bits of its flags, from a bit on that is a macro and not in
 * BTF; all else is below this one. */
#define XA_FLAGS_LOW_BITS 20u

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(vt_mapping_layout, i_data, "inode", "i_data"),
    VT_FIELD_BARE(vt_mapping_layout, pages, "address_space", "i_pages"),
    VT_FIELD_BARE(vt_mapping_layout, nrpages, "address_space", "nrpages"),
    VT_FIELD_BARE(vt_mapping_layout, xa_flags, "xarray", "xa_flags"),
};
static const struct vt_layout_type type = VT_LAYOUT(vt_mapping_layout, specs);

int vt_mapping_take(struct vt_kernel *kernel, const struct vt_mapping_layout **layout,
                    struct vt_error *err)
{
    return vt_layout_take(kernel, &type, layout, err);
}

/* ---- struct page, as a file's */

struct pages {
    struct vt_kernel *kernel;
    struct vt_gva mapping;
    struct vt_page_layout l;
    struct vt_extent page;
    struct vt_member index;
    uint64_t head, uptodate, dirty; /* masks of flags */
};

static int take_pages(struct pages *p, struct vt_kernel *kernel, struct vt_gva mapping,
                      struct vt_error *err)
{
    struct {
        const char *name;
        uint64_t *mask;
    } flags[] = {{"PG_head", &p->head}, {"PG_uptodate", &p->uptodate}, {"PG_dirty", &p->dirty}};
    *p = (struct pages){.kernel = kernel, .mapping = mapping};
    int rc = vt_linux_page_layout(kernel, &p->l, err);
    if (rc == 0 && vt_kernel_member(kernel, "page", "__folio_index", &p->index, NULL) != 0) {
        rc = vt_kernel_member(kernel, "page", "index", &p->index, err);
    }
    for (size_t i = 0; rc == 0 && i < sizeof flags / sizeof flags[0]; i++) {
        int64_t bit;
        rc = vt_kernel_enumerator(kernel, flags[i].name, &bit, err);
        *flags[i].mask = rc == 0 ? UINT64_C(1) << (bit & 63) : 0;
    }
    vt_extent_add(&p->page, &p->l.flags);
    vt_extent_add(&p->page, &p->l.mapping);
    vt_extent_add(&p->page, &p->index);
    return rc;
}

/* What a struct page says that stands for the file's pages from `index` on. */
struct page {
    uint64_t frame, flags, index;
};

static bool read_page(const struct pages *p, uint64_t at, struct page *page)
{
    struct vt_object o;
    if ((at - p->l.vmemmap) % p->l.bytes != 0 ||
        vt_object_read(&p->kernel->space, VT_GVA(at), p->page, &o, NULL) != 0 ||
        vt_object_uint(&o, &p->l.mapping) != p->mapping.v) {
        return false;
    }
    *page = (struct page){
        .frame = (at - p->l.vmemmap) / p->l.bytes,
        .flags = vt_object_uint(&o, &p->l.flags),
        .index = vt_object_uint(&o, &p->index),
    };
    return true;
}

/* ---- counting */

int vt_mapping_count(struct vt_walk *w, const struct vt_mapping_layout *l, struct vt_gva at,
                     struct vt_cached_file *row, struct vt_error *err)
{
    struct vt_xa_walk xa;
    struct vt_xa_entry e;
    struct pages pages;
    struct page page;
    uint64_t counted = vt_look_member(&w->look, at, &l->nrpages);
    struct vt_gva array = VT_GVA(at.v + l->pages.offset);
    row->pages = row->dirty_pages = row->evicted_pages = 0;
    int rc = vt_xa_begin(&xa, w->kernel, array, vt_walk_cap(w, sizeof(uint64_t), SIZE_MAX), err);
    if (rc != 0) {
        return rc;
    }
    bool one = xa.single != 0;
    while (vt_xa_next(&xa, &e)) {
        if (vt_xa_is_value(e.value)) {
            row->evicted_pages += e.count;
            continue;
        }
        row->pages += e.count;
        row->dirty_pages += (e.marks & MARK_DIRTY) != 0 ? e.count : 0;
        /* The only page of a small file has its marks in the flags of the array. */
        if (one && vt_look_member(&w->look, array, &l->xa_flags) >> XA_FLAGS_LOW_BITS != 0 &&
            take_pages(&pages, w->kernel, at, NULL) == 0 && read_page(&pages, e.value, &page)) {
            row->dirty_pages += (page.flags & pages.dirty) != 0;
        }
    }
    if (xa.torn) {
        vt_look_doubt(&w->look, "%.90s", xa.why);
    } else if (row->pages != counted) {
        vt_look_doubt(&w->look, "%" PRIu64 " pages, and the kernel counts %" PRIu64, row->pages,
                      counted);
    }
    return 0;
}

/* ---- reading */

__attribute__((format(printf, 2, 3))) static void tear(struct vt_file_pages *r, const char *fmt,
                                                       ...)
{
    if (!r->torn) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(r->why, sizeof r->why, fmt, ap);
        va_end(ap);
        r->torn = true;
    }
}

/* One page of what the entry at `head` stands for. */
static int give_page(const struct pages *p, uint64_t head, uint64_t index, vt_file_page_fn *fn,
                     void *arg, struct vt_file_pages *r)
{
    struct page before, after;
    uint8_t bytes[VT_PAGE_BYTES];
    if (!read_page(p, head, &before) || before.index > index ||
        index - before.index >= FOLIO_PAGES_MAX ||
        (index > before.index && (before.flags & p->head) == 0)) {
        tear(r, "0x%" PRIx64 " is not page %" PRIu64 " of the file", head, index);
        return 0;
    }
    if ((before.flags & p->uptodate) == 0) {
        r->unready++;
        return 0;
    }
    struct vt_gpa gpa = VT_GPA((before.frame + (index - before.index)) << VT_PAGE_SHIFT);
    if (vt_ram_read(p->kernel->ram, gpa, bytes, sizeof bytes, NULL) != 0 ||
        !read_page(p, head, &after) || after.index != before.index) {
        tear(r, "page %" PRIu64 " was reused while it was read", index);
        return 0;
    }
    r->present++;
    uint64_t offset = index << VT_PAGE_SHIFT, left = r->bytes - offset;
    return fn(offset, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes, arg);
}

static int give_pages(const struct pages *p, const struct vt_mapping_layout *l, vt_file_page_fn *fn,
                      void *arg, struct vt_file_pages *r, struct vt_error *err)
{
    struct vt_xa_walk xa;
    struct vt_xa_entry e;
    uint64_t in_ram = vt_ram_size(p->kernel->ram) >> VT_PAGE_SHIFT, tried = 0;
    int rc = vt_xa_begin(&xa, p->kernel, VT_GVA(p->mapping.v + l->pages.offset),
                         (size_t)(vt_ram_size(p->kernel->ram) / sizeof(uint64_t)), err);
    while (rc == 0 && vt_xa_next(&xa, &e) && e.index < r->pages) {
        uint64_t n = r->pages - e.index < e.count ? r->pages - e.index : e.count;
        if (vt_xa_is_value(e.value)) {
            r->evicted += n;
            continue;
        }
        for (uint64_t i = 0; rc == 0 && i < n; i++) {
            if (tried++ == in_ram) {
                tear(r, "more pages than RAM has");
                return 0;
            }
            rc = give_page(p, e.value, e.index + i, fn, arg, r);
        }
    }
    if (rc == 0 && xa.torn) {
        tear(r, "%s", xa.why);
    }
    return rc;
}

int vt_linux_file_pages(struct vt_kernel *kernel, struct vt_gva at, vt_file_page_fn *fn, void *arg,
                        struct vt_file_pages *result, struct vt_error *err)
{
    const struct vt_mapping_layout *l;
    const struct vt_path_layout *paths;
    struct vt_look look;
    struct vt_inode inode;
    struct pages pages;
    int rc = vt_mapping_take(kernel, &l, err);
    if (rc == 0) {
        rc = vt_path_take(kernel, &paths, err);
    }
    if (rc != 0) {
        return rc;
    }
    vt_look_init(&look, &kernel->space);
    do {
        vt_look_begin(&look);
        vt_inode_read(&look, paths, at, &inode);
    } while (vt_look_again(&look));
    if (look.doubted || inode.bytes > INT64_MAX) {
        rc = vt_fail(err, VT_E_CORRUPT, "no inode at 0x%" PRIx64 ": %s", at.v, look.why);
    } else if (strcmp(inode.fs, "hugetlbfs") == 0) {
        rc = vt_fail(err, VT_E_UNSUPPORTED, "files of hugetlbfs have pages of another size");
    } else {
        rc = take_pages(&pages, kernel, inode.mapping, err);
    }
    vt_look_fini(&look);
    if (rc != 0) {
        return rc;
    }
    struct vt_file_pages r = {
        .bytes = inode.bytes,
        .pages = (inode.bytes + VT_PAGE_BYTES - 1) >> VT_PAGE_SHIFT,
    };
    rc = give_pages(&pages, l, fn, arg, &r, err);
    if (rc == 0) {
        rc = vt_ram_check(kernel->ram, err);
    }
    if (rc == 0) {
        *result = r;
    }
    return rc;
}

/* ---- which file */

struct owner_layout {
    struct vt_member host, i_mapping, index;
};

static const struct vt_field_spec owner_specs[] = {
    VT_FIELD_BARE(owner_layout, host, "address_space", "host"),
    VT_FIELD_BARE(owner_layout, i_mapping, "inode", "i_mapping"),
    VT_FIELD_BARE(owner_layout, index, "page", "__folio_index", "index"),
};
static const struct vt_layout_type owner_type = VT_LAYOUT(owner_layout, owner_specs);

/* The struct page at `at` stands for itself, or for the folio whose head it names. (page_kind.c) */
static uint64_t head_of(uint64_t at, uint64_t said)
{
    const uint64_t masks = UINT64_C(0xffffffff00000000);
    return (said & 1) == 0 ? at : said >= masks ? at & (said - 1) : said - 1;
}

static bool read_u64(const struct vt_kernel *kernel, uint64_t at, uint64_t *value)
{
    return vt_space_read_u64(&kernel->space, VT_GVA(at), value, NULL) == 0;
}

int vt_linux_file_at(struct vt_kernel *kernel, struct vt_gpa gpa, struct vt_gva *inode,
                     uint64_t *offset, struct vt_error *err)
{
    const struct owner_layout *o;
    struct vt_page_layout l;
    int rc = vt_layout_take(kernel, &owner_type, &o, err);
    rc = rc == 0 ? vt_linux_page_layout(kernel, &l, err) : rc;
    if (rc != 0) {
        return rc;
    }
    uint64_t at = l.vmemmap + (gpa.v >> VT_PAGE_SHIFT) * l.bytes;
    uint64_t said, mapping, index, host, back;
    if (read_u64(kernel, at + l.compound_head.offset, &said)) {
        uint64_t head = head_of(at, said), pages = (at - head) / l.bytes;
        if (head <= at && (at - head) % l.bytes == 0 && pages < FOLIO_PAGES_MAX &&
            read_u64(kernel, head + l.mapping.offset, &mapping) && mapping >> 63 != 0 &&
            (mapping & 3) == 0 && read_u64(kernel, head + o->index.offset, &index) &&
            index <= UINT64_MAX >> (VT_PAGE_SHIFT + 1) &&
            read_u64(kernel, mapping + o->host.offset, &host) &&
            read_u64(kernel, host + o->i_mapping.offset, &back) && back == mapping) {
            *inode = VT_GVA(host);
            *offset = (index + pages) << VT_PAGE_SHIFT | (gpa.v & (VT_PAGE_BYTES - 1));
            return 0;
        }
    }
    return vt_fail(err, VT_E_NOT_FOUND, "the page at 0x%" PRIx64 " is no file's", gpa.v);
}
