/* guest/find/shown.h - a match with what people want to know of it: the symbol it lies in, what the
 * page is used for, the bytes around it.
 */
#ifndef VT_GUEST_FIND_SHOWN_H
#define VT_GUEST_FIND_SHOWN_H

#include "vitrine/find.h"
#include "vitrine/target.h"

#define VT_FIND_CONTEXT_MAX 4096u /**< bytes before and after a match */
#define VT_FIND_SHOWN_MAX 64u     /**< bytes of a match itself */

/** A record that vt_find_shown_columns describe. Texts are the struct's own, or the match's. */
struct vt_find_shown {
    uint64_t address, physical; /**< all ones: a rule that matched without a string */
    uint64_t bytes;
    const char *pattern, *string, *in, *trust;
    uint64_t context_address; /**< where hex and text begin; all ones: not readable */
    const char *hex, *text;
    char in_text[600];
    char hex_text[2 * (VT_FIND_SHOWN_MAX + 2 * VT_FIND_CONTEXT_MAX) + 1];
    char readable[VT_FIND_SHOWN_MAX + 2 * VT_FIND_CONTEXT_MAX + 1];
};

#define VT_FIND_SHOWN_COLUMNS 10
extern const struct vt_column vt_find_shown_columns[VT_FIND_SHOWN_COLUMNS];

/** Fills *shown. `kernel` (may be NULL) names symbols when a space is searched, and with `owner`
 *  says what the page is used for. `context` is at most VT_FIND_CONTEXT_MAX. */
void vt_find_show(const struct vt_find_match *match, const struct vt_find_where *where,
                  struct vt_kernel *kernel, bool owner, uint64_t context,
                  struct vt_find_shown *shown);

/** What of RAM is searched: all of it, the kernel's half of its address space, or the user memory
 *  of a process. Fills *space and *where (which points to it). Errors: those of vt_target_space. */
enum vt_find_half { VT_FIND_RAM, VT_FIND_KERNEL, VT_FIND_PROCESS };
int vt_find_in(struct vt_target *target, enum vt_find_half half, int32_t pid,
               struct vt_space *space, struct vt_find_where *where, struct vt_error *err);

#endif
