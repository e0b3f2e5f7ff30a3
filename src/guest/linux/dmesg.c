/* guest/linux/dmesg.c - what the kernel has printed: its lockless ring of records. See
 * vitrine/linux.h.
 *
 * descriptors  one a record, found by id modulo their number; the top bits of state_var say how far
 *              the record is, the rest repeats the id
 * infos        sequence, time, level, …; same index
 * text         a block in the data ring: the id again, then the text; one that would run over the
 *              ring's end lies at its beginning instead
 * (kernel/printk/printk_ringbuffer.c)
 */
#include "guest/linux/noun.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum state { RESERVED, COMMITTED, FINALIZED, REUSABLE };
enum { STATE_SHIFT = 62, FLAG_CONT = 8, CALLER_IS_CPU = 31 };
#define ID_MASK ((UINT64_C(1) << STATE_SHIFT) - 1)

#define COUNT_BITS_MAX 24u /* of descriptors; the kernel's log_buf_len allows for less */
#define SIZE_BITS_MAX 32u  /* of text */
#define TEXT_MAX 65536u    /* info.text_len is of 16 bits */

struct layout {
    struct vt_member count_bits, descs, infos, head_id, tail_id;
    struct vt_member size_bits, data;
    struct vt_extent ring;
    struct vt_member state, begin, next, desc_bytes;
    struct vt_extent desc;
    struct vt_member seq, time, text_len, facility, flags, level, caller, subsystem, device;
    struct vt_member info_bytes;
    struct vt_extent info;
    struct vt_member cleared; /* since 5.13 a latch: two copies and which of them is valid */
    struct vt_member cleared_latch;
};

static const struct vt_field_spec specs[] = {
    VT_FIELD(layout, count_bits, ring, "printk_ringbuffer", "desc_ring.count_bits"),
    VT_FIELD(layout, descs, ring, "printk_ringbuffer", "desc_ring.descs"),
    VT_FIELD(layout, infos, ring, "printk_ringbuffer", "desc_ring.infos"),
    VT_FIELD(layout, head_id, ring, "printk_ringbuffer", "desc_ring.head_id"),
    VT_FIELD(layout, tail_id, ring, "printk_ringbuffer", "desc_ring.tail_id"),
    VT_FIELD(layout, size_bits, ring, "printk_ringbuffer", "text_data_ring.size_bits"),
    VT_FIELD(layout, data, ring, "printk_ringbuffer", "text_data_ring.data"),
    VT_FIELD(layout, state, desc, "prb_desc", "state_var"),
    VT_FIELD(layout, begin, desc, "prb_desc", "text_blk_lpos.begin"),
    VT_FIELD(layout, next, desc, "prb_desc", "text_blk_lpos.next"),
    VT_FIELD_SIZE(layout, desc_bytes, "prb_desc"),
    VT_FIELD(layout, seq, info, "printk_info", "seq"),
    VT_FIELD(layout, time, info, "printk_info", "ts_nsec"),
    VT_FIELD(layout, text_len, info, "printk_info", "text_len"),
    VT_FIELD(layout, facility, info, "printk_info", "facility"),
    VT_FIELD(layout, flags, info, "printk_info", "flags"),
    VT_FIELD(layout, level, info, "printk_info", "level"),
    VT_FIELD_OPTIONAL(layout, caller, info, "printk_info", "caller_id"),
    VT_FIELD_OPTIONAL(layout, subsystem, info, "printk_info", "dev_info.subsystem"),
    VT_FIELD_OPTIONAL(layout, device, info, "printk_info", "dev_info.device"),
    VT_FIELD_SIZE(layout, info_bytes, "printk_info"),
    VT_FIELD_BARE_OPTIONAL(layout, cleared, "latched_seq", "val"),
    VT_FIELD_BARE_OPTIONAL(layout, cleared_latch, "latched_seq", "latch"),
};
static const struct vt_layout_type type = VT_LAYOUT(layout, specs);

struct ring {
    uint64_t count, size; /* of descriptors; of text, in bytes */
    uint64_t descs, infos, data, head, tail;
    uint64_t cleared; /* the first sequence number that dmesg shows */
};

static uint64_t bits_of(const struct vt_object *o, const struct vt_member *m)
{
    uint64_t value = vt_object_uint(o, m);
    return m->bits == 0 ? value : value >> m->bit & ((UINT64_C(1) << m->bits) - 1);
}

/* A number that the kernel may have never set, or keeps elsewhere, is 0: nothing was cleared. */
static uint64_t read_cleared(struct vt_walk *w, const struct layout *l)
{
    struct vt_gva at;
    uint64_t value = 0;
    uint32_t latch = 0;
    if (vt_kernel_symbol(w->kernel, "clear_seq", &at, NULL) != 0) {
        return 0;
    }
    if (l->cleared.size == 16 && l->cleared_latch.size >= 4) {
        if (vt_space_read_u32(w->space, VT_GVA(at.v + l->cleared_latch.offset), &latch, NULL) !=
            0) {
            return 0;
        }
        at.v += l->cleared.offset + 8 * (latch & 1);
    }
    return vt_space_read_u64(w->space, at, &value, NULL) == 0 ? value : 0;
}

static int take_ring(struct vt_walk *w, const struct layout *l, struct ring *ring,
                     struct vt_error *err)
{
    struct vt_object *o = malloc(sizeof *o);
    struct vt_gva at;
    uint64_t prb;
    int rc = o == NULL ? vt_fail(err, VT_E_NOMEM, "dmesg: out of memory")
                       : vt_kernel_symbol(w->kernel, "prb", &at, err);
    if (rc == 0) {
        rc = vt_space_read_u64(w->space, at, &prb, err);
    }
    if (rc == 0) {
        rc = vt_object_read(w->space, VT_GVA(prb), l->ring, o, err);
    }
    if (rc == 0) {
        uint64_t count_bits = vt_object_uint(o, &l->count_bits);
        uint64_t size_bits = vt_object_uint(o, &l->size_bits);
        if (count_bits > COUNT_BITS_MAX || size_bits > SIZE_BITS_MAX) {
            rc = vt_fail(err, VT_E_CORRUPT,
                         "the kernel's log claims 2^%" PRIu64 " records and 2^%" PRIu64 " bytes",
                         count_bits, size_bits);
        } else {
            *ring = (struct ring){
                .count = UINT64_C(1) << count_bits,
                .size = UINT64_C(1) << size_bits,
                .descs = vt_object_uint(o, &l->descs),
                .infos = vt_object_uint(o, &l->infos),
                .data = vt_object_uint(o, &l->data),
                .head = vt_object_uint(o, &l->head_id) & ID_MASK,
                .tail = vt_object_uint(o, &l->tail_id) & ID_MASK,
                .cleared = read_cleared(w, l),
            };
        }
    }
    free(o);
    return rc;
}

/* Where a block's id and text lie; false: it has none, or that cannot be. */
static bool find_block(struct vt_look *look, const struct ring *ring, uint64_t begin, uint64_t next,
                       uint64_t *at, uint64_t *bytes)
{
    uint64_t mask = ring->size - 1;
    if ((begin & 1) != 0 && (next & 1) != 0) {
        return false; /* an empty line, or its text did not fit */
    }
    if ((begin & ~mask) == (next & ~mask) && begin < next) {
        *at = begin & mask;
        *bytes = next - begin;
    } else if (((begin + ring->size) & ~mask) == (next & ~mask)) {
        /* Ends just at the end of the ring, or lies at its beginning. */
        *at = (next & mask) == 0 ? begin & mask : 0;
        *bytes = (next & mask) == 0 ? ring->size - *at : next & mask;
    } else {
        vt_look_doubt(look, "text from 0x%" PRIx64 " to 0x%" PRIx64, begin, next);
        return false;
    }
    if (*bytes < sizeof(uint64_t)) {
        vt_look_doubt(look, "a block of text of %" PRIu64 " bytes", *bytes);
        return false;
    }
    return true;
}

static void read_text(struct vt_look *look, const struct ring *ring, uint64_t id, uint64_t begin,
                      uint64_t next, uint64_t length, char text[TEXT_MAX])
{
    uint64_t at, bytes;
    text[0] = '\0';
    if (!find_block(look, ring, begin, next, &at, &bytes)) {
        return;
    }
    if (vt_look_u64(look, VT_GVA(ring->data + at)) != id) {
        vt_look_doubt(look, "its text belongs to another record");
        return;
    }
    bytes -= sizeof id;
    length = length < bytes ? length : bytes;
    vt_look_read(look, VT_GVA(ring->data + at + sizeof id), text, length);
    text[length] = '\0';
    for (uint64_t i = 0; i < length; i++) {
        text[i] = text[i] == '\0' ? ' ' : text[i];
    }
}

static void name_caller(uint64_t caller, char *text, size_t size)
{
    uint64_t number = caller & ((UINT64_C(1) << CALLER_IS_CPU) - 1);
    snprintf(text, size, "%c%" PRIu64, caller >> CALLER_IS_CPU != 0 ? 'C' : 'T', number);
}

/* false: the record is gone, or there never was one. */
static bool read_record(struct vt_walk *w, const struct layout *l, const struct ring *ring,
                        uint64_t id, struct vt_dmesg_record *r, char text[TEXT_MAX])
{
    static const char *const states[] = {"reserved", "committed", "finalized"};
    static const char *const levels[] = {"emerg",   "alert",  "crit", "err",
                                         "warning", "notice", "info", "debug"};
    struct vt_look *look = &w->look;
    uint64_t index = id & (ring->count - 1);
    struct vt_gva at = VT_GVA(ring->descs + index * l->desc_bytes.size);
    struct vt_object desc, info;
    *r = (struct vt_dmesg_record){.row.at = at, .text = text};
    text[0] = '\0';
    vt_look_object(look, at, l->desc, &desc);
    uint64_t state = vt_object_uint(&desc, &l->state);
    if ((state & ID_MASK) != id || state >> STATE_SHIFT == REUSABLE) {
        return false;
    }
    vt_look_object(look, VT_GVA(ring->infos + index * l->info_bytes.size), l->info, &info);
    r->state = states[state >> STATE_SHIFT];
    r->seq = vt_object_uint(&info, &l->seq);
    r->time_ns = vt_object_uint(&info, &l->time);
    r->facility = (uint8_t)vt_object_uint(&info, &l->facility);
    r->level = (uint8_t)(bits_of(&info, &l->level) & 7);
    r->priority = (uint16_t)(8 * r->facility + r->level);
    r->name = levels[r->level];
    r->continues = (bits_of(&info, &l->flags) & FLAG_CONT) != 0;
    r->cleared = r->seq < ring->cleared;
    vt_object_text(&info, &l->subsystem, r->subsystem, sizeof r->subsystem);
    vt_object_text(&info, &l->device, r->device, sizeof r->device);
    if (l->caller.size != 0) {
        name_caller(vt_object_uint(&info, &l->caller), r->caller, sizeof r->caller);
    }
    if (state >> STATE_SHIFT != RESERVED) {
        read_text(look, ring, id, vt_object_uint(&desc, &l->begin), vt_object_uint(&desc, &l->next),
                  vt_object_uint(&info, &l->text_len), text);
    }
    return true;
}

static int walk(struct vt_walk *w, struct vt_error *err)
{
    const struct layout *l;
    struct ring ring;
    int rc = vt_layout_take(w->kernel, &type, &l, err);
    if (rc == 0) {
        rc = take_ring(w, l, &ring, err);
    }
    char *text = rc == 0 ? malloc(TEXT_MAX) : NULL;
    if (rc == 0 && text == NULL) {
        rc = vt_fail(err, VT_E_NOMEM, "dmesg: out of memory");
    }
    if (rc != 0) {
        return rc;
    }
    uint64_t n = ((ring.head - ring.tail) & ID_MASK) + 1;
    if (n > ring.count) {
        vt_walk_torn(w, "%" PRIu64 " records in a ring of %" PRIu64, n, ring.count);
        n = ring.count;
    }
    uint64_t first = ring.head - (n - 1);
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        struct vt_dmesg_record r;
        bool there;
        do {
            vt_look_begin(&w->look);
            there = read_record(w, l, &ring, (first + i) & ID_MASK, &r, text);
        } while (vt_look_again(&w->look));
        if (there) {
            rc = vt_walk_row(w, &r.row);
        }
    }
    free(text);
    return rc;
}

#define COLUMN(member, kind, key, title, doc)                                                      \
    {VT_COLUMN(vt_dmesg_record, member, kind, key, title, doc)}
#define COLUMN_OR_NONE(member, kind, key, title, doc)                                              \
    {VT_COLUMN(vt_dmesg_record, member, kind, key, title, doc), .zero_is_none = true}

static const struct vt_column columns[] = {
    COLUMN(seq, VT_CELL_U64, "seq", NULL, "number of the record since boot"),
    {VT_COLUMN(vt_dmesg_record, time_ns, VT_CELL_SECONDS, "time", "TIME", "seconds since boot"),
     .digits = 6},
    COLUMN(name, VT_CELL_TEXT, "level", "LEVEL", "emerg, alert, crit, err, warning, … debug"),
    COLUMN(facility, VT_CELL_U64, "facility", NULL, "0: the kernel; others as in syslog(3)"),
    COLUMN(priority, VT_CELL_U64, "priority", NULL, "8 times facility plus level, as in dmesg -r"),
    COLUMN_OR_NONE(caller, VT_CELL_CHARS, "caller", "CALLER",
                   "T and the thread, or C and the CPU, that printed it"),
    COLUMN(continues, VT_CELL_BOOL, "continues", NULL, "whether it goes on with the record before"),
    COLUMN(cleared, VT_CELL_BOOL, "cleared", NULL,
           "whether the guest's dmesg was told to forget it"),
    COLUMN(state, VT_CELL_TEXT, "state", NULL, "finalized, committed or reserved (being written)"),
    COLUMN_OR_NONE(subsystem, VT_CELL_CHARS, "subsystem", NULL, "of the device it is about"),
    COLUMN_OR_NONE(device, VT_CELL_CHARS, "device", NULL, "the device it is about"),
    COLUMN(text, VT_CELL_TEXT, "text", "TEXT", "what was printed; may be of several lines"),
};

const struct vt_noun vt_noun_dmesg = {
    .name = "dmesg",
    .summary = "Show what the kernel has printed",
    .group = "Guest",
    .description =
        "Reads the kernel's ring of messages, oldest first: also what the guest's dmesg\n"
        "was told to forget, and what is still being written.",
    .examples = "vitrine dmesg web\nvitrine dmesg web --json",
    .columns = columns,
    .n_columns = sizeof columns / sizeof columns[0],
    .walk = walk,
};
