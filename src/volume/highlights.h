/* volume/highlights.h - the file that a VM's highlights are kept in, as text.
 *
 *   {"highlights": [{"name": "sshd-heap", "label": "sshd [heap]", "colour": "#00e5ff",
 *                    "made": 1780000000.25, "runs": [["0x1a3000", 8192], …]}, …]}
 */
#ifndef VT_VOLUME_HIGHLIGHTS_H
#define VT_VOLUME_HIGHLIGHTS_H

#include "vitrine/highlight.h"

#include <stdio.h>

#define VT_HIGHLIGHTS_FILE "highlights.json"
/** More is not read. */
#define VT_HIGHLIGHTS_FILE_MAX ((size_t)4 << 20)

/** Reads that; what breaks a rule of struct vt_highlight is VT_E_CORRUPT. `what` names the file. */
int vt_highlights_parse(const char *what, const char *text, size_t bytes, struct vt_highlights *set,
                        struct vt_error *err);
/** Writes it. */
void vt_highlights_print(const struct vt_highlights *set, FILE *out);
/** Widens runs to pages, sorts and joins them, and checks that they lie in RAM. *joined is the
 *  caller's to free. VT_E_INVAL (none), VT_E_ADDR, VT_E_LIMIT, VT_E_NOMEM. */
int vt_runs_join(const struct vt_gpa_run *runs, size_t n, const struct vt_ram_region *regions,
                 unsigned n_regions, struct vt_gpa_run **joined, size_t *n_joined,
                 struct vt_error *err);

#endif
