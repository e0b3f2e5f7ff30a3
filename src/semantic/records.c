/* semantic/records.c - see records.h. */
#include "semantic/records.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a guest can make us keep of one table in one sample. */
#define BYTES_MAX ((size_t)256 << 20)
#define ROWS_MAX ((size_t)1 << 20)

void vt_records_fini(struct vt_records *r)
{
    free(r->bytes);
    free(r->rows);
    *r = (struct vt_records){0};
}

void vt_records_clear(struct vt_records *r)
{
    r->n_bytes = 0;
    r->n_rows = 0;
    r->full = r->no_memory = r->torn = false;
    r->why[0] = '\0';
}

static bool make_room(struct vt_records *r, size_t more)
{
    if (r->full || r->no_memory) {
        return false;
    }
    if (more > BYTES_MAX - r->n_bytes) {
        r->full = true;
        return false;
    }
    if (r->n_bytes + more > r->room_bytes) {
        size_t room = r->room_bytes == 0 ? 65536 : r->room_bytes;
        while (room < r->n_bytes + more) {
            room *= 2;
        }
        uint8_t *grown = realloc(r->bytes, room);
        if (grown == NULL) {
            r->no_memory = true;
            return false;
        }
        r->bytes = grown;
        r->room_bytes = room;
    }
    return true;
}

static void put(struct vt_records *r, enum vt_record_tag tag, const void *head, size_t head_bytes,
                const void *body, size_t body_bytes)
{
    if (!make_room(r, 1 + head_bytes + body_bytes)) {
        return;
    }
    r->bytes[r->n_bytes++] = (uint8_t)tag;
    if (head_bytes > 0) {
        memcpy(r->bytes + r->n_bytes, head, head_bytes);
        r->n_bytes += head_bytes;
    }
    if (body_bytes > 0) {
        memcpy(r->bytes + r->n_bytes, body, body_bytes);
        r->n_bytes += body_bytes;
    }
}

void vt_record_begin(struct vt_records *r, bool torn)
{
    if (r->n_rows == ROWS_MAX) {
        r->full = true;
    }
    if (r->full || r->no_memory) {
        return;
    }
    if (r->n_rows == r->room_rows) {
        size_t room = r->room_rows == 0 ? 256 : 2 * r->room_rows;
        struct vt_record_at *grown = realloc(r->rows, room * sizeof *grown);
        if (grown == NULL) {
            r->no_memory = true;
            return;
        }
        r->rows = grown;
        r->room_rows = room;
    }
    r->rows[r->n_rows] = (struct vt_record_at){.at = r->n_bytes, .torn = torn};
}

void vt_record_null(struct vt_records *r)
{
    put(r, VT_TAG_NULL, NULL, 0, NULL, 0);
}

void vt_record_integer(struct vt_records *r, int64_t value)
{
    put(r, VT_TAG_INTEGER, &value, sizeof value, NULL, 0);
}

void vt_record_real(struct vt_records *r, double value)
{
    value = value == 0 ? 0 : value; /* of the two zeros, SQLite keeps one */
    if (isnan(value)) {
        vt_record_null(r);
    } else {
        put(r, VT_TAG_REAL, &value, sizeof value, NULL, 0);
    }
}

void vt_record_bytes(struct vt_records *r, const char *text, size_t bytes)
{
    uint32_t n = (uint32_t)bytes;
    if (bytes > BYTES_MAX) {
        r->full = true;
    } else {
        put(r, VT_TAG_TEXT, &n, sizeof n, text, bytes);
    }
}

void vt_record_text(struct vt_records *r, const char *text)
{
    if (text == NULL) {
        vt_record_null(r);
        return;
    }
    size_t n = strnlen(text, VT_TEXT_MAX + 1);
    if (n > VT_TEXT_MAX) {
        n = VT_TEXT_MAX;
        for (size_t back = 0; back < 3 && ((uint8_t)text[n] & 0xc0) == 0x80; back++) {
            n--;
        }
    }
    vt_record_bytes(r, text, n);
}

void vt_record_identity(struct vt_records *r)
{
    if (!r->full && !r->no_memory) {
        struct vt_record_at *row = &r->rows[r->n_rows];
        row->identity = (uint32_t)(r->n_bytes - row->at);
    }
}

bool vt_record_end(struct vt_records *r)
{
    if (r->full || r->no_memory) {
        return false;
    }
    struct vt_record_at *row = &r->rows[r->n_rows++];
    row->bytes = (uint32_t)(r->n_bytes - row->at);
    return true;
}

bool vt_record_next(const uint8_t *record, size_t bytes, size_t *at, struct vt_record_cell *cell)
{
    if (*at >= bytes) {
        return false;
    }
    *cell = (struct vt_record_cell){.tag = (enum vt_record_tag)record[(*at)++]};
    if (cell->tag == VT_TAG_INTEGER) {
        memcpy(&cell->integer, record + *at, sizeof cell->integer);
        *at += sizeof cell->integer;
    } else if (cell->tag == VT_TAG_REAL) {
        memcpy(&cell->real, record + *at, sizeof cell->real);
        *at += sizeof cell->real;
    } else if (cell->tag == VT_TAG_TEXT) {
        uint32_t n;
        memcpy(&n, record + *at, sizeof n);
        *at += sizeof n;
        cell->text = (const char *)record + *at;
        cell->bytes = n;
        *at += n;
    }
    return true;
}

struct vt_record_cell vt_record_cell(const uint8_t *record, size_t bytes, unsigned i)
{
    struct vt_record_cell cell = {.tag = VT_TAG_NULL};
    size_t at = 0;
    for (unsigned k = 0; k <= i; k++) {
        if (!vt_record_next(record, bytes, &at, &cell)) {
            return (struct vt_record_cell){.tag = VT_TAG_NULL};
        }
    }
    return cell;
}

void vt_record_set_first(uint8_t *record, int64_t value)
{
    memcpy(record + 1, &value, sizeof value);
}

/* ---------------------------------------------------------------- SipHash-1-3 */

static uint64_t rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t vt_record_hash(const uint64_t key[2], const uint8_t *bytes, size_t n)
{
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word;
    size_t at = 0;
    for (; n - at >= 8; at += 8) {
        memcpy(&word, bytes + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    memcpy(&word, bytes + at, n - at);
    word |= (uint64_t)n << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
