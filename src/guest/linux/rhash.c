/* guest/linux/rhash.c - the walker of resizable hash tables. See rhash.h. */
#include "guest/linux/rhash.h"

#include <inttypes.h>
#include <stdio.h>

#define TABLES_MAX 8u
/* A page of pointers. */
#define NESTED_SHIFT 9u

static const struct vt_field_spec specs[] = {
    VT_FIELD_BARE(vt_rhash_layout, table, "rhashtable", "tbl"),
    VT_FIELD(vt_rhash_layout, size, head, "bucket_table", "size"),
    VT_FIELD(vt_rhash_layout, nest, head, "bucket_table", "nest"),
    VT_FIELD(vt_rhash_layout, future, head, "bucket_table", "future_tbl"),
    VT_FIELD_BARE(vt_rhash_layout, buckets, "bucket_table", "buckets"),
};
static const struct vt_layout_type type = VT_LAYOUT(vt_rhash_layout, specs);

int vt_rhash_layout_take(struct vt_kernel *kernel, const struct vt_rhash_layout **layout,
                         struct vt_error *err)
{
    return vt_layout_take(kernel, &type, layout, err);
}

__attribute__((format(printf, 2, 3))) static void tear(struct vt_rhash_walk *walk, const char *fmt,
                                                       ...)
{
    if (!walk->torn) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(walk->why, sizeof walk->why, fmt, ap);
        va_end(ap);
        walk->torn = true;
    }
}

static bool is_power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* Begins with the table at walk->next_table; false: there is none. */
static bool take_table(struct vt_rhash_walk *walk)
{
    const struct vt_rhash_layout *l = walk->layout;
    struct vt_object o;
    walk->table = walk->next_table;
    walk->next_table = VT_GVA(0);
    walk->size = walk->next = 0;
    if (walk->table.v == 0) {
        return false;
    }
    if (walk->tables++ == TABLES_MAX) {
        tear(walk, "more than %u tables", TABLES_MAX);
        return false;
    }
    if (vt_object_read(walk->space, walk->table, l->head, &o, NULL) != 0) {
        tear(walk, "the table 0x%" PRIx64 " cannot be read", walk->table.v);
        return false;
    }
    walk->size = (uint32_t)vt_object_uint(&o, &l->size);
    walk->nest = (uint32_t)vt_object_uint(&o, &l->nest);
    walk->next_table = VT_GVA(vt_object_uint(&o, &l->future));
    if (!is_power_of_two(walk->size) || walk->nest > NESTED_SHIFT ||
        (uint64_t)walk->size * sizeof(uint64_t) > vt_ram_size(walk->space->ram)) {
        tear(walk, "0x%" PRIx64 " is no table of %u buckets", walk->table.v, walk->size);
        walk->size = 0;
    }
    return true;
}

void vt_rhash_begin(struct vt_rhash_walk *walk, const struct vt_space *space,
                    const struct vt_rhash_layout *layout, struct vt_gva table, size_t cap)
{
    *walk = (struct vt_rhash_walk){.space = space, .layout = layout, .cap = cap};
    struct vt_gva first = VT_GVA(table.v + layout->table.offset);
    if (vt_space_read_u64(space, first, &walk->next_table.v, NULL) != 0) {
        tear(walk, "the table 0x%" PRIx64 " cannot be read", table.v);
        return;
    }
    take_table(walk);
}

void vt_rhash_end(struct vt_rhash_walk *walk)
{
    vt_seen_fini(&walk->seen);
}

/* Where bucket i of a nested table is; 0 where nothing was put yet. */
static struct vt_gva nested_bucket(struct vt_rhash_walk *walk, struct vt_gva buckets, uint32_t i)
{
    uint64_t page = 0;
    uint32_t index = i & ((UINT32_C(1) << walk->nest) - 1);
    uint32_t rest = i >> walk->nest;
    uint32_t size = walk->size >> walk->nest;
    if (vt_space_read_u64(walk->space, buckets, &page, NULL) != 0) {
        tear(walk, "the buckets of 0x%" PRIx64 " cannot be read", walk->table.v);
        return VT_GVA(0);
    }
    for (;;) {
        if (page == 0 ||
            vt_space_read_u64(walk->space, VT_GVA(page + index * sizeof page), &page, NULL) != 0) {
            return VT_GVA(0);
        }
        if (size <= UINT32_C(1) << NESTED_SHIFT) {
            return VT_GVA(page == 0 ? 0 : page + rest * sizeof page);
        }
        index = rest & ((UINT32_C(1) << NESTED_SHIFT) - 1);
        size >>= NESTED_SHIFT;
        rest >>= NESTED_SHIFT;
    }
}

/* Goes to the next bucket; false: that was the last one. */
static bool next_bucket(struct vt_rhash_walk *walk)
{
    do {
        while (walk->next < walk->size) {
            struct vt_gva buckets = VT_GVA(walk->table.v + walk->layout->buckets.offset);
            uint32_t i = walk->next++;
            walk->bucket = walk->nest != 0 ? nested_bucket(walk, buckets, i)
                                           : VT_GVA(buckets.v + i * sizeof(uint64_t));
            if (walk->bucket.v != 0) {
                walk->link = walk->bucket;
                return true;
            }
        }
    } while (take_table(walk));
    return false;
}

/* The node that walk->link leads to; 0: the chain ends here, and a torn one says so. */
static uint64_t follow(struct vt_rhash_walk *walk)
{
    uint64_t next;
    bool is_head = walk->link.v == walk->bucket.v;
    if (vt_space_read_u64(walk->space, walk->link, &next, NULL) != 0) {
        tear(walk, "the link at 0x%" PRIx64 " leads nowhere", walk->link.v);
        return 0;
    }
    if (is_head) {
        return next & ~UINT64_C(1); /* without its lock */
    }
    if (next != 0 && (next & 1) == 0) {
        return next;
    }
    if (next != (walk->bucket.v | 1)) {
        tear(walk, "the chain of 0x%" PRIx64 " ends in another bucket", walk->bucket.v);
    }
    return 0;
}

int vt_rhash_next(struct vt_rhash_walk *walk, struct vt_gva *node, struct vt_error *err)
{
    for (;;) {
        if (walk->bucket.v == 0 && !next_bucket(walk)) {
            return 0;
        }
        uint64_t next = follow(walk);
        if (next == 0) {
            walk->bucket = VT_GVA(0);
            continue;
        }
        int rc = vt_seen_add(&walk->seen, next, err);
        if (rc < 0) {
            return rc;
        }
        if (walk->seen.n > walk->cap || ++walk->steps > (uint64_t)TABLES_MAX * walk->cap) {
            tear(walk, "more than %zu nodes", walk->cap);
            return 0;
        }
        walk->link = VT_GVA(next); /* rhash_head.next comes first */
        if (rc == 1) {
            *node = walk->link;
            return 1;
        }
        /* In the table before this one too, then: it was moved while that was walked. */
        if (walk->tables < 2) {
            tear(walk, "0x%" PRIx64 " is met twice", next);
            walk->bucket = VT_GVA(0);
        }
    }
}
