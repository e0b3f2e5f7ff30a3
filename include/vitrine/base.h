/* vitrine/base.h - what every room shares: errors and the address types.
 *
 * Errors: a function that can fail returns 0 or a negative enum vt_code and takes a
 * `struct vt_error *err` as its last parameter. `err` may be NULL; where it is given it is filled
 * on failure and left alone on success. Outputs are untouched on failure. Nothing here allocates,
 * prints or exits.
 *
 * Addresses: guest-physical and guest-virtual addresses and offsets into a RAM file are different
 * one-member struct types, so that handing one for another does not compile.
 */
#ifndef VITRINE_BASE_H
#define VITRINE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What went wrong, in one word. The values are part of the ABI; add at the end. */
enum vt_code {
    VT_OK = 0,
    VT_E_NOMEM = -1,        /**< the host has no memory left for it */
    VT_E_INVAL = -2,        /**< the caller's argument is out of its documented range */
    VT_E_NOT_FOUND = -3,    /**< no such VM, file, symbol, member or process */
    VT_E_PERM = -4,         /**< permission denied by the host */
    VT_E_MAP = -5,          /**< mapping failed; sys_errno says why */
    VT_E_ADDR = -6,         /**< address or range outside RAM; addr, len and max are filled */
    VT_E_IO = -7,           /**< read, write or another system call failed; sys_errno says why */
    VT_E_TIMEOUT = -8,      /**< the other side did not answer in time */
    VT_E_PROTOCOL = -9,     /**< the other side broke its protocol */
    VT_E_GONE = -10,        /**< it was there and is not any more (QEMU died, RAM was truncated) */
    VT_E_EXISTS = -11,      /**< the name is taken */
    VT_E_BUSY = -12,        /**< in use by somebody else */
    VT_E_UNSUPPORTED = -13, /**< this host, QEMU or guest cannot do it */
    VT_E_CORRUPT = -14,     /**< bytes that do not follow their format (hostile or torn) */
    VT_E_LIMIT = -15,       /**< a cap on counts, depth or size was reached */
    VT_E_REFUSED = -16,     /**< QEMU answered the command with an error */
    VT_E_INTERRUPTED = -17, /**< a signal asked us to stop */
    VT_E_NOT_PRESENT = -18, /**< a page-table entry on the way is not present; addr is the GVA */
};

/** Room for one message; longer ones are cut. */
#define VT_ERROR_MESSAGE_MAX 320

/** A failure, ready to be shown: `message` is one line without a newline. Plain data, copyable. */
struct vt_error {
    enum vt_code code;
    int sys_errno; /**< errno of the failed system call, or 0 */
    uint64_t addr; /**< VT_E_ADDR, VT_E_NOT_PRESENT: the address asked for */
    uint64_t len;  /**< VT_E_ADDR: the length asked for, in bytes */
    uint64_t max;  /**< VT_E_ADDR: one past the last valid address */
    char message[VT_ERROR_MESSAGE_MAX];
};

/** Fills *err (when not NULL) and returns `code`, so that `return vt_fail(err, VT_E_IO, …)` reads
 *  as one step. The message is the formatted text; addr, len, max and sys_errno become 0. */
int vt_fail(struct vt_error *err, enum vt_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** As vt_fail, with an errno: it is stored and ": " + its text is appended. */
int vt_fail_errno(struct vt_error *err, enum vt_code code, int sys_errno, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** The VT_E_ADDR failure: [addr, addr+len) does not lie below `max`; `what` names the space. */
int vt_fail_addr(struct vt_error *err, const char *what, uint64_t addr, uint64_t len, uint64_t max);

#ifdef __clang_analyzer__ /* which cannot see into them: a failure is never 0 */
#define vt_fail(...) (vt_fail(__VA_ARGS__), (int)VT_E_INVAL)
#define vt_fail_errno(...) (vt_fail_errno(__VA_ARGS__), (int)VT_E_IO)
#define vt_fail_addr(...) (vt_fail_addr(__VA_ARGS__), (int)VT_E_ADDR)
#endif

/** VT_E_PERM, VT_E_NOT_FOUND, VT_E_NOMEM, … for an errno of open(), connect() and their like. */
enum vt_code vt_code_of_errno(int sys_errno);

/** A short English name ("not found"); never NULL. */
const char *vt_code_name(enum vt_code code);

/** Guest-physical address. */
struct vt_gpa {
    uint64_t v;
};
/** Guest-virtual address, canonical form. */
struct vt_gva {
    uint64_t v;
};
/** Byte offset into the file that backs guest RAM. Not a guest-physical address (PCI hole). */
struct vt_off {
    uint64_t v;
};

#define VT_GPA(x) ((struct vt_gpa){(x)})
#define VT_GVA(x) ((struct vt_gva){(x)})
#define VT_OFF(x) ((struct vt_off){(x)})

/** How a value is shown, and where it lies in its record. */
enum vt_cell_kind {
    VT_CELL_TEXT,  /**< const char *; made safe for terminals; NULL shows "-" and null */
    VT_CELL_CHARS, /**< of records: char[], zero-terminated; shown as VT_CELL_TEXT */
    VT_CELL_U64,   /**< in records, unsigned of 1, 2, 4 or 8 bytes */
    VT_CELL_I64,   /**< in records, signed of 4 or 8 bytes */
    VT_CELL_HEX,   /**< an address or flags: "0x…"; in records as VT_CELL_U64, or an address type */
    VT_CELL_F64,   /**< in records, not a number is unknown */
    VT_CELL_BOOL,
    VT_CELL_BYTES,   /**< uint64_t; "128 MiB" in tables, a number in JSON */
    VT_CELL_SECONDS, /**< uint64_t nanoseconds; seconds with a fraction in tables and JSON */
};

/** A column of a table, a member of a JSON object. */
struct vt_column {
    const char *key;   /**< JSON member, snake_case with unit: "rss_bytes" */
    const char *title; /**< heading; NULL: only in JSON */
    enum vt_cell_kind kind;
    int digits;            /**< VT_CELL_F64, _SECONDS: decimals in the table; 0 means 1 */
    uint16_t offset, size; /**< of records: the member's place; see VT_COLUMN */
    bool zero_is_none;     /**< of records: 0 stands for "unknown" or "none" */
    bool ones_are_none;    /**< of records: a number with all its bits set does */
    const char *doc; /**< what it says and where the kernel keeps it; for help and man pages */
};

/** A column that shows a member of struct `type`. More initialisers may follow. */
#define VT_COLUMN(type, member, kind_, key_, title_, doc_)                                         \
    .key = (key_), .title = (title_), .kind = (kind_), .doc = (doc_),                              \
    .offset = (uint16_t)offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)

/** The page size everything incremental is counted in: 4 KiB. */
#define VT_PAGE_SHIFT 12
#define VT_PAGE_BYTES ((uint64_t)1 << VT_PAGE_SHIFT)

#endif
