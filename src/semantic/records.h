/* semantic/records.h - rows as bytes: what a sample took, in a form that compares with memcmp.
 *
 * A record is its table's cells one behind the other, those that make up a row's identity first.
 * Each is a tag and its bytes; two records are equal when their bytes are. The same encoding is
 * made from a noun's row and from a row of the database.
 */
#ifndef VT_SEMANTIC_RECORDS_H
#define VT_SEMANTIC_RECORDS_H

#include "vitrine/base.h"

/** Longest text that is kept. */
#define VT_TEXT_MAX 4096u

enum vt_record_tag { VT_TAG_NULL, VT_TAG_INTEGER, VT_TAG_REAL, VT_TAG_TEXT };

/** A cell that was read from a record; `text` is inside it and not terminated. */
struct vt_record_cell {
    enum vt_record_tag tag;
    int64_t integer;
    double real;
    const char *text;
    size_t bytes;
};

/** Where one record of a table lies, and what is known of it. */
struct vt_record_at {
    size_t at;
    uint32_t bytes, identity; /**< of these, the identity's */
    bool torn;
};

/** The rows of one table in one sample. Zeroed is empty. */
struct vt_records {
    uint8_t *bytes;
    size_t n_bytes, room_bytes;
    struct vt_record_at *rows;
    size_t n_rows, room_rows;
    bool full; /**< a limit was reached: the rows end there */
    bool no_memory;
    bool torn;     /**< rows may be missing */
    char why[160]; /**< when torn */
};

void vt_records_fini(struct vt_records *r);
/** Forgets the rows, keeps the memory. */
void vt_records_clear(struct vt_records *r);

/* A record is begun, its cells are put one by one, and it is ended. False from _end: there is no
 * room for it (full or no_memory says why). */
void vt_record_begin(struct vt_records *r, bool torn);
void vt_record_null(struct vt_records *r);
void vt_record_integer(struct vt_records *r, int64_t value);
/** Not a number is NULL. */
void vt_record_real(struct vt_records *r, double value);
/** NULL is NULL; what is longer than VT_TEXT_MAX is cut at a character's border. */
void vt_record_text(struct vt_records *r, const char *text);
/** Exactly these bytes. */
void vt_record_bytes(struct vt_records *r, const char *text, size_t bytes);
/** The cells so far are the identity. */
void vt_record_identity(struct vt_records *r);
bool vt_record_end(struct vt_records *r);

/** Reads the cell at *at, which moves on; false at the end. */
bool vt_record_next(const uint8_t *record, size_t bytes, size_t *at, struct vt_record_cell *cell);
/** Cell number `i`; a NULL one when there is none. */
struct vt_record_cell vt_record_cell(const uint8_t *record, size_t bytes, unsigned i);
/** Writes another integer over the integer that is cell 0. */
void vt_record_set_first(uint8_t *record, int64_t value);

/** SipHash-1-3 with a key of this process's own: guests cannot make rows collide.
 *  (Aumasson, Bernstein: SipHash: a fast short-input PRF) */
uint64_t vt_record_hash(const uint64_t key[2], const uint8_t *bytes, size_t n);

#endif
