/* guest/paging.c - x86-64 page tables: one address, a range, or every mapping there is.
 *
 * lookup() walks 4 or 5 levels with a translation cache in two parts: leaves by 4 KiB page, and
 * directory entries by 2 MiB (a table, or a piece of a large page), both tagged with the root.
 * vt_space_walk goes through all tables with a stack of one frame a level: it never recurses and
 * reads no more tables than it is told to. Bits are those of Intel SDM vol. 3, 4.5.
 *
 * Linux keeps PROT_NONE and swap entries with the present bit clear; only that bit counts here.
 */
#include "vitrine/guest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_PRESENT (UINT64_C(1) << 0)
#define ENTRY_WRITE (UINT64_C(1) << 1)
#define ENTRY_USER (UINT64_C(1) << 2)
#define ENTRY_ACCESSED (UINT64_C(1) << 5)
#define ENTRY_DIRTY (UINT64_C(1) << 6)
#define ENTRY_LARGE (UINT64_C(1) << 7) /* in a leaf of level 1 the same bit is PAT */
#define ENTRY_GLOBAL (UINT64_C(1) << 8)
#define ENTRY_NX (UINT64_C(1) << 63)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

#define TABLE_ENTRIES 512u

/* Permissions before the first level: everything allowed, nothing forbidden. */
#define FLAGS_ALL ((unsigned)(VT_PAGE_PRESENT | VT_PAGE_WRITE | VT_PAGE_USER))

static unsigned level_shift(unsigned level)
{
    return VT_PAGE_SHIFT + 9 * (level - 1);
}

static bool is_canonical(unsigned levels, uint64_t va)
{
    int64_t high = (int64_t)va >> (level_shift(levels + 1) - 1);
    return high == 0 || high == -1;
}

/* What an entry adds to the permissions of the levels above it. */
static unsigned combine(unsigned flags, uint64_t entry, bool leaf)
{
    if (!(entry & ENTRY_WRITE)) {
        flags &= ~(unsigned)VT_PAGE_WRITE;
    }
    if (!(entry & ENTRY_USER)) {
        flags &= ~(unsigned)VT_PAGE_USER;
    }
    if (entry & ENTRY_NX) {
        flags |= VT_PAGE_NX;
    }
    if (leaf) {
        flags |= entry & ENTRY_ACCESSED ? (unsigned)VT_PAGE_ACCESSED : 0;
        flags |= entry & ENTRY_DIRTY ? (unsigned)VT_PAGE_DIRTY : 0;
        flags |= entry & ENTRY_GLOBAL ? (unsigned)VT_PAGE_GLOBAL : 0;
    }
    return flags;
}

/* Whether a present entry of this level maps a page. Above 1 GiB the bit is reserved: such an entry
 * faults in hardware. */
static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (level <= 3 && (entry & ENTRY_LARGE));
}

static bool is_reserved(uint64_t entry, unsigned level)
{
    return level > 3 && (entry & ENTRY_LARGE);
}

/* ---------------------------------------------------------------- the translation cache */

#define TLB_WAYS 4u
#define TLB_LEAF_SETS 512u
#define TLB_DIR_SETS 64u

struct tlb_entry {
    uint64_t key;  /* va >> shift of its part, + 1: 0 is empty */
    uint64_t root; /* of the space it belongs to */
    uint64_t gpa;  /* of the page, or of the table below */
    uint16_t flags;
    uint8_t shift; /* of the page; 0: a table */
};

struct vt_tlb {
    struct tlb_entry leaf[TLB_LEAF_SETS][TLB_WAYS]; /* by va >> 12 */
    struct tlb_entry dir[TLB_DIR_SETS][TLB_WAYS];   /* by va >> 21 */
    unsigned victim;
};

int vt_tlb_create(struct vt_tlb **tlb, struct vt_error *err)
{
    struct vt_tlb *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return vt_fail(err, VT_E_NOMEM, "translation cache: out of memory");
    }
    *tlb = t;
    return 0;
}

void vt_tlb_destroy(struct vt_tlb *tlb)
{
    free(tlb);
}

void vt_tlb_flush(struct vt_tlb *tlb)
{
    memset(tlb, 0, sizeof *tlb);
}

static struct tlb_entry *tlb_find(struct tlb_entry set[TLB_WAYS], uint64_t root, uint64_t key)
{
    for (unsigned i = 0; i < TLB_WAYS; i++) {
        if (set[i].key == key + 1 && set[i].root == root) {
            return &set[i];
        }
    }
    return NULL;
}

static void tlb_put(struct vt_tlb *tlb, struct tlb_entry set[TLB_WAYS], struct tlb_entry entry)
{
    entry.key++;
    set[tlb->victim++ % TLB_WAYS] = entry;
}

/* Only what hardware would take from its TLB as well: a hit may be older than the tables in RAM,
 * never wrong for the tables as they were when it was filled. */
static bool tlb_lookup(const struct vt_space *space, uint64_t va, struct tlb_entry *hit)
{
    struct vt_tlb *tlb = space->tlb;
    if (tlb == NULL) {
        return false;
    }
    uint64_t page = va >> 12, dir = va >> 21;
    struct tlb_entry *e = tlb_find(tlb->leaf[page % TLB_LEAF_SETS], space->root.v, page);
    if (e == NULL) {
        e = tlb_find(tlb->dir[dir % TLB_DIR_SETS], space->root.v, dir);
    }
    if (e != NULL) {
        *hit = *e;
    }
    return e != NULL;
}

static void tlb_fill(const struct vt_space *space, uint64_t va, struct tlb_entry entry)
{
    struct vt_tlb *tlb = space->tlb;
    if (tlb == NULL) {
        return;
    }
    entry.root = space->root.v;
    if (entry.shift == VT_PAGE_SHIFT) {
        entry.key = va >> 12;
        tlb_put(tlb, tlb->leaf[entry.key % TLB_LEAF_SETS], entry);
    } else {
        entry.key = va >> 21;
        tlb_put(tlb, tlb->dir[entry.key % TLB_DIR_SETS], entry);
    }
}

/* ---------------------------------------------------------------- one address */

static int not_present(struct vt_error *err, uint64_t va, unsigned level)
{
    vt_fail(err, VT_E_NOT_PRESENT, "virtual address 0x%" PRIx64 " is not mapped (level %u)", va,
            level);
    if (err != NULL) {
        err->addr = va;
    }
    return VT_E_NOT_PRESENT;
}

static int read_entry(const struct vt_space *space, uint64_t table, unsigned index, uint64_t *entry,
                      struct vt_error *err)
{
    if (vt_ram_read_u64(space->ram, VT_GPA(table + 8 * (uint64_t)index), entry, NULL) != 0) {
        return vt_fail_addr(err, "page table", table, VT_PAGE_BYTES, vt_ram_end(space->ram).v);
    }
    return 0;
}

/* The page around va: *page has gpa of its first byte, flags and shift. */
static int lookup(const struct vt_space *space, uint64_t va, struct tlb_entry *page,
                  struct vt_error *err)
{
    if (!is_canonical(space->levels, va)) {
        return vt_fail_addr(err, "virtual address", va, 1,
                            UINT64_C(1) << (level_shift(space->levels + 1) - 1));
    }
    unsigned level = space->levels;
    struct tlb_entry at = {.gpa = space->root.v & ENTRY_ADDRESS, .flags = (uint16_t)FLAGS_ALL};
    if (tlb_lookup(space, va, &at)) {
        if (at.shift != 0) {
            *page = at;
            return 0;
        }
        level = 1;
    }
    for (;; level--) { /* ends at level 1, where every entry is a leaf */
        unsigned shift = level_shift(level);
        unsigned index = (unsigned)(va >> shift) % TABLE_ENTRIES; // NOLINT(*BitwiseShift)
        uint64_t entry;
        int rc = read_entry(space, at.gpa, index, &entry, err);
        if (rc != 0) {
            return rc;
        }
        if (!(entry & ENTRY_PRESENT) || is_reserved(entry, level)) {
            return not_present(err, va, level);
        }
        bool leaf = is_leaf(entry, level);
        at.flags = (uint16_t)combine(at.flags, entry, leaf);
        at.gpa = entry & ENTRY_ADDRESS;
        if (leaf) {
            /* Low address bits of a large page are PAT and reserved ones. */
            at.gpa &= ~((UINT64_C(1) << shift) - 1);
            at.shift = (uint8_t)shift;
            tlb_fill(space, va, at);
            *page = at;
            return 0;
        }
        if (level == 2) {
            tlb_fill(space, va, at);
        }
    }
}

int vt_space_lookup(const struct vt_space *space, struct vt_gva gva, struct vt_mapping *mapping,
                    struct vt_error *err)
{
    struct tlb_entry page;
    int rc = lookup(space, gva.v, &page, err);
    if (rc == 0) {
        uint64_t bytes = UINT64_C(1) << page.shift;
        *mapping = (struct vt_mapping){.gva = VT_GVA(gva.v & ~(bytes - 1)),
                                       .gpa = VT_GPA(page.gpa),
                                       .page_bytes = bytes,
                                       .flags = page.flags};
    }
    return rc;
}

/* Translates and says how many bytes from there the page still has. */
static int translate(const struct vt_space *space, uint64_t va, uint64_t *pa, uint64_t *run,
                     struct vt_error *err)
{
    struct tlb_entry page = {0};
    int rc = lookup(space, va, &page, err);
    if (rc == 0) {
        uint64_t inside = va & ((UINT64_C(1) << page.shift) - 1);
        *pa = page.gpa + inside;
        *run = (UINT64_C(1) << page.shift) - inside;
    }
    return rc;
}

int vt_space_translate(const struct vt_space *space, struct vt_gva gva, struct vt_gpa *gpa,
                       struct vt_error *err)
{
    uint64_t run;
    return translate(space, gva.v, &gpa->v, &run, err);
}

/* One pass over the pages of [va, va+len): copies, or with buf == NULL only checks that each page
 * is present and its memory is RAM. */
static int each_page(const struct vt_space *space, uint64_t va, uint8_t *buf, uint64_t len,
                     struct vt_error *err)
{
    while (len > 0) {
        uint64_t pa, run;
        int rc = translate(space, va, &pa, &run, err);
        if (rc == 0 && buf == NULL) {
            uint64_t contiguous;
            struct vt_off off;
            rc = vt_ram_offset(space->ram, VT_GPA(pa), &off, &contiguous, err);
            run = run < contiguous ? run : contiguous;
        }
        if (rc != 0) {
            return rc;
        }
        uint64_t n = len < run ? len : run;
        if (buf != NULL) {
            rc = vt_ram_read(space->ram, VT_GPA(pa), buf, n, err);
            if (rc != 0) {
                return rc;
            }
            buf += n;
        }
        va += n;
        len -= n;
    }
    return 0;
}

int vt_space_read(const struct vt_space *space, struct vt_gva gva, void *buf, uint64_t len,
                  struct vt_error *err)
{
    if (len > 0 && gva.v + (len - 1) < gva.v) {
        return vt_fail_addr(err, "virtual range", gva.v, len, UINT64_MAX);
    }
    if (len > VT_PAGE_BYTES - gva.v % VT_PAGE_BYTES) {
        int rc = each_page(space, gva.v, NULL, len, err);
        if (rc != 0) {
            return rc;
        }
    }
    return each_page(space, gva.v, buf, len, err);
}

static int look_at_space(void *space, uint64_t at, void *buf, uint64_t len, struct vt_error *err)
{
    const struct vt_space *s = space;
    if (s->tlb != NULL) {
        vt_tlb_flush(s->tlb); /* the tables may have changed as well */
    }
    return vt_space_read(s, VT_GVA(at), buf, len, err);
}

int vt_space_read_checked(const struct vt_space *space, struct vt_gva gva, void *buf, uint64_t len,
                          enum vt_verdict *verdict, struct vt_error *err)
{
    return vt_look_twice(look_at_space, (void *)(uintptr_t)space, gva.v, buf, len, verdict, err);
}

int vt_space_read_u64(const struct vt_space *space, struct vt_gva gva, uint64_t *value,
                      struct vt_error *err)
{
    uint64_t pa, run;
    if (gva.v % 8 != 0) {
        return vt_space_read(space, gva, value, sizeof *value, err);
    }
    int rc = translate(space, gva.v, &pa, &run, err);
    return rc != 0 ? rc : vt_ram_read_u64(space->ram, VT_GPA(pa), value, err);
}

int vt_space_read_u32(const struct vt_space *space, struct vt_gva gva, uint32_t *value,
                      struct vt_error *err)
{
    return vt_space_read(space, gva, value, sizeof *value, err);
}

int vt_space_read_string(const struct vt_space *space, struct vt_gva gva, char *buf, size_t size,
                         struct vt_error *err)
{
    if (size == 0) {
        return vt_fail(err, VT_E_INVAL, "string buffer without room");
    }
    /* Page by page: the string may end just before a page that is not there. */
    size_t have = 0;
    char *end = NULL;
    while (have < size - 1 && end == NULL) {
        uint64_t at = gva.v + have;
        uint64_t n = VT_PAGE_BYTES - at % VT_PAGE_BYTES;
        n = n < size - 1 - have ? n : size - 1 - have;
        int rc = at < gva.v ? vt_fail_addr(err, "virtual range", gva.v, size, UINT64_MAX)
                            : vt_space_read(space, VT_GVA(at), buf + have, n, err);
        if (rc != 0) {
            return rc;
        }
        end = memchr(buf + have, '\0', n);
        have += n;
    }
    if (end == NULL) {
        buf[have] = '\0';
    }
    return 0;
}

/* ---------------------------------------------------------------- all of it */

struct frame {
    uint64_t entries[TABLE_ENTRIES];
    unsigned flags; /* permissions of the levels above */
};

struct walk {
    const struct vt_space *space;
    uint64_t tables_left;
    int (*fn)(const struct vt_table_entry *entry, void *arg);
    void *arg;
    struct frame frames[VT_LEVELS_MAX + 1]; /* by level, 1-based */
    uint64_t tables[VT_LEVELS_MAX + 1];     /* where those were read */
};

/* Follows an entry to the table of the level below and tells of it, once it has been read. 1: that
 * lies outside RAM; < 0: *result ends the walk. */
static int enter(struct walk *w, struct vt_table_entry *entry, int *result, struct vt_error *err)
{
    if (w->tables_left == 0) {
        *result = vt_fail(err, VT_E_LIMIT, "more page tables than expected");
        return -1;
    }
    w->tables_left--;
    unsigned level = entry->level - 1;
    struct frame *f = &w->frames[level];
    uint64_t table = entry->value & ENTRY_ADDRESS;
    bool outside =
        vt_ram_read(w->space->ram, VT_GPA(table), f->entries, sizeof f->entries, NULL) != 0;
    f->flags = entry->flags;
    w->tables[level] = table;
    entry->kind = outside ? VT_ENTRY_OUTSIDE : VT_ENTRY_TABLE;
    *result = w->fn(entry, w->arg);
    return *result != 0 ? -1 : outside;
}

/* What an entry that is not 0 says for itself. */
static enum vt_entry_kind entry_kind(uint64_t value, unsigned level)
{
    if (!(value & ENTRY_PRESENT)) {
        return VT_ENTRY_ABSENT;
    }
    if (is_reserved(value, level)) {
        return VT_ENTRY_RESERVED;
    }
    return is_leaf(value, level) ? VT_ENTRY_PAGE : VT_ENTRY_TABLE;
}

int vt_space_entries(const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                     uint64_t max_tables, int (*fn)(const struct vt_table_entry *entry, void *arg),
                     void *arg, struct vt_error *err)
{
    unsigned top = space->levels, sign_bits = 64 - level_shift(top + 1);
    uint64_t last_va = to.v - 1;
    if (!is_canonical(top, from.v) || !is_canonical(top, last_va) || last_va < from.v) {
        return vt_fail_addr(err, "virtual range", from.v, to.v - from.v,
                            UINT64_C(1) << (level_shift(top + 1) - 1));
    }
    struct walk *w = malloc(sizeof *w);
    if (w == NULL) {
        return vt_fail(err, VT_E_NOMEM, "page-table walk: out of memory");
    }
    w->space = space;
    w->tables_left = max_tables;
    w->fn = fn;
    w->arg = arg;
    int result = 0;
    struct vt_table_entry root = {
        .value = space->root.v & ENTRY_ADDRESS, .level = top + 1, .flags = FLAGS_ALL};
    if (enter(w, &root, &result, err) == 1) {
        result =
            vt_fail_addr(err, "page table", root.value, VT_PAGE_BYTES, vt_ram_end(space->ram).v);
    }
    /* Without its sign extension the canonical space is one ascending run: `at` goes through it. */
    uint64_t mask = UINT64_MAX >> sign_bits, at = from.v & mask, last = last_va & mask;
    unsigned level = top;
    while (result == 0 && at <= last) {
        unsigned shift = level_shift(level), index = (unsigned)(at >> shift) % TABLE_ENTRIES;
        uint64_t bytes = UINT64_C(1) << shift, value = w->frames[level].entries[index];
        if (value != 0) {
            enum vt_entry_kind kind = entry_kind(value, level);
            struct vt_table_entry entry = {
                .gva = VT_GVA((uint64_t)((int64_t)(at << sign_bits) >> sign_bits) & ~(bytes - 1)),
                .at = VT_GPA(w->tables[level] + 8 * (uint64_t)index),
                .value = value,
                .level = level,
                .flags = combine(w->frames[level].flags, value, kind == VT_ENTRY_PAGE),
                .kind = kind};
            if (kind != VT_ENTRY_TABLE) {
                result = fn(&entry, arg);
            } else {
                int rc = enter(w, &entry, &result, err);
                if (rc < 0) {
                    break;
                }
                if (rc == 0) {
                    level--;
                    continue;
                }
            }
        }
        uint64_t next = (at & ~(bytes - 1)) + bytes;
        /* Most entries of most tables are empty. */
        while (value == 0 && index + 1 < TABLE_ENTRIES &&
               w->frames[level].entries[index + 1] == 0) {
            index++;
            next += bytes;
        }
        /* Leave every table whose last entry this was. */
        while (level < top && (next >> level_shift(level)) % TABLE_ENTRIES == 0) {
            level++;
        }
        if (next <= at) {
            break;
        }
        at = next;
    }
    free(w);
    return result;
}

struct vt_mapping vt_entry_mapping(const struct vt_table_entry *entry)
{
    uint64_t bytes = UINT64_C(1) << level_shift(entry->level);
    /* Low address bits of a large page are PAT and reserved ones. */
    return (struct vt_mapping){.gva = entry->gva,
                               .gpa = VT_GPA(entry->value & ENTRY_ADDRESS & ~(bytes - 1)),
                               .page_bytes = bytes,
                               .flags = entry->flags};
}

struct callbacks {
    int (*fn)(const struct vt_mapping *mapping, void *arg);
    int (*table)(struct vt_gpa table, unsigned level, void *arg);
    void *arg;
};

static int tell(const struct vt_table_entry *entry, void *arg)
{
    const struct callbacks *c = arg;
    if (entry->kind == VT_ENTRY_PAGE) {
        struct vt_mapping mapping = vt_entry_mapping(entry);
        return c->fn(&mapping, c->arg);
    }
    return entry->kind == VT_ENTRY_TABLE && c->table != NULL
               ? c->table(VT_GPA(entry->value & ENTRY_ADDRESS), entry->level - 1, c->arg)
               : 0;
}

int vt_space_walk(const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                  uint64_t max_tables, int (*fn)(const struct vt_mapping *mapping, void *arg),
                  int (*table)(struct vt_gpa table, unsigned level, void *arg), void *arg,
                  struct vt_error *err)
{
    struct callbacks c = {.fn = fn, .table = table, .arg = arg};
    return vt_space_entries(space, from, to, max_tables, tell, &c, err);
}

struct joining {
    struct vt_page_run run; /* bytes 0: none yet */
    uint64_t from, last;
    int (*fn)(const struct vt_page_run *run, void *arg);
    void *arg;
};

static int join(const struct vt_table_entry *entry, void *arg)
{
    struct joining *j = arg;
    if (entry->kind != VT_ENTRY_PAGE) {
        return 0;
    }
    struct vt_mapping m = vt_entry_mapping(entry);
    uint64_t first = m.gva.v, last = m.gva.v + (m.page_bytes - 1);
    first = first > j->from ? first : j->from;
    last = last < j->last ? last : j->last;
    uint64_t gpa = m.gpa.v + (first - m.gva.v), bytes = last - first + 1;
    struct vt_page_run *r = &j->run;
    if (r->bytes != 0 && r->gva.v + r->bytes == first && r->gpa.v + r->bytes == gpa) {
        r->bytes += bytes;
        r->flags &= m.flags;
        return 0;
    }
    int rc = r->bytes != 0 ? j->fn(r, j->arg) : 0;
    *r = (struct vt_page_run){VT_GVA(first), VT_GPA(gpa), bytes, m.flags};
    return rc;
}

int vt_space_runs(const struct vt_space *space, struct vt_gva from, struct vt_gva to,
                  uint64_t max_tables, int (*fn)(const struct vt_page_run *run, void *arg),
                  void *arg, struct vt_error *err)
{
    if ((from.v | to.v) % VT_PAGE_BYTES != 0) {
        return vt_fail(err, VT_E_INVAL, "a range of 0x%" PRIx64 "-0x%" PRIx64 " is not of pages",
                       from.v, to.v);
    }
    struct joining j = {.from = from.v, .last = to.v - 1, .fn = fn, .arg = arg};
    int rc = vt_space_entries(space, from, to, max_tables, join, &j, err);
    return rc == 0 && j.run.bytes != 0 ? fn(&j.run, arg) : rc;
}

int vt_space_trace(const struct vt_space *space, struct vt_gva gva,
                   struct vt_table_entry entries[VT_LEVELS_MAX], unsigned *n, struct vt_error *err)
{
    if (!is_canonical(space->levels, gva.v)) {
        return vt_fail_addr(err, "virtual address", gva.v, 1,
                            UINT64_C(1) << (level_shift(space->levels + 1) - 1));
    }
    uint64_t table = space->root.v & ENTRY_ADDRESS;
    unsigned flags = FLAGS_ALL, met = 0, level = space->levels;
    enum vt_entry_kind kind = VT_ENTRY_TABLE;
    for (; kind == VT_ENTRY_TABLE; level--) {
        unsigned shift = level_shift(level);
        unsigned index = (unsigned)(gva.v >> shift) % TABLE_ENTRIES; // NOLINT(*BitwiseShift)
        uint64_t value;
        int rc = read_entry(space, table, index, &value, err);
        if (rc != 0 && met == 0) {
            return rc;
        }
        if (rc != 0) {
            entries[met - 1].kind = VT_ENTRY_OUTSIDE;
            break;
        }
        kind = entry_kind(value, level);
        flags = combine(flags, value, kind == VT_ENTRY_PAGE);
        entries[met++] =
            (struct vt_table_entry){.gva = VT_GVA(gva.v & ~((UINT64_C(1) << shift) - 1)),
                                    .at = VT_GPA(table + 8 * (uint64_t)index),
                                    .value = value,
                                    .level = level,
                                    .flags = flags,
                                    .kind = kind};
        table = value & ENTRY_ADDRESS;
    }
    *n = met;
    return 0;
}

/* ---------------------------------------------------------------- flags in words */

static const struct {
    unsigned flag;
    const char *set, *clear;
} flag_words[] = {
    {VT_PAGE_WRITE, "write", "read-only"}, {VT_PAGE_NX, "nx", "exec"},
    {VT_PAGE_USER, "user", "kernel"},      {VT_PAGE_GLOBAL, "global", NULL},
    {VT_PAGE_ACCESSED, "accessed", NULL},  {VT_PAGE_DIRTY, "dirty", NULL},
};

void vt_page_flags_text(unsigned flags, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < sizeof flag_words / sizeof flag_words[0]; i++) {
        const char *word = flags & flag_words[i].flag ? flag_words[i].set : flag_words[i].clear;
        size_t used = strlen(text);
        if (word != NULL) {
            snprintf(text + used, size - used, "%s%s", used > 0 ? " " : "", word);
        }
    }
}
