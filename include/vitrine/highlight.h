/* vitrine/highlight.h - named places of a VM's memory: what an answer points at and a picture
 * shows.
 *
 * A highlight is a set of guest-physical runs with a name, a label and a colour. The highlights of
 * a VM lie in its directory (highlights.json) and end with it; every tool reads them from there.
 * Whoever changes them holds a lock beside the file and replaces it, so readers see all of a change
 * or nothing. The file's content is trusted no more than a guest: counts and texts are bounded.
 */
#ifndef VITRINE_HIGHLIGHT_H
#define VITRINE_HIGHLIGHT_H

#include "vitrine/base.h"
#include "vitrine/volume.h"

/** Guest-physical bytes [gpa, gpa + bytes). */
struct vt_gpa_run {
    struct vt_gpa gpa;
    uint64_t bytes;
};

#define VT_HIGHLIGHT_NAME_MAX 64   /**< as vt_name_is_valid, but this long */
#define VT_HIGHLIGHT_LABEL_MAX 128 /**< bytes; may hold guest text */
#define VT_HIGHLIGHTS_MAX 256      /**< of one VM */
#define VT_HIGHLIGHT_RUNS_MAX 65536
#define VT_HIGHLIGHTS_RUNS_MAX 131072 /**< of all highlights of one VM */

struct vt_highlight {
    char name[VT_HIGHLIGHT_NAME_MAX + 1];
    char label[VT_HIGHLIGHT_LABEL_MAX + 1];
    struct vt_colour colour;
    double made_unix_s;
    struct vt_gpa_run *runs; /**< ascending, not touching, whole pages */
    size_t n_runs;
    uint64_t bytes; /**< of all runs */
};

struct vt_highlights {
    struct vt_highlight *all; /**< in the order of their making */
    size_t n;
};

/** Those of a VM; none is not an error. VT_E_CORRUPT, VT_E_IO. */
int vt_highlights_load(const struct vt_vm *vm, struct vt_highlights *set, struct vt_error *err);
void vt_highlights_fini(struct vt_highlights *set);
/** Adds one, or replaces that of the same name, in its place. Runs may come in any order, overlap
 * and be unaligned: they are widened to pages, sorted and joined; those outside RAM are refused.
 *  `label` NULL: the name; bytes that are no UTF-8 become U+FFFD, and it is cut at
 *  VT_HIGHLIGHT_LABEL_MAX. `colour` NULL: the colour it had, or one of the palette that the fewest
 *  have. VT_E_INVAL (name, no runs), VT_E_LIMIT, VT_E_ADDR, VT_E_GONE (the VM ended), those of
 *  vt_highlights_load. */
int vt_highlights_put(struct vt_vm *vm, const char *name, const char *label,
                      const struct vt_colour *colour, const struct vt_gpa_run *runs, size_t n_runs,
                      struct vt_error *err);
/** VT_E_NOT_FOUND. */
int vt_highlights_remove(struct vt_vm *vm, const char *name, struct vt_error *err);
/** Removes all of them, also when their file cannot be read. */
int vt_highlights_clear(struct vt_vm *vm, struct vt_error *err);
/** "#rrggbb" or a name of the palette ("red", "cyan", …). VT_E_INVAL names them. */
int vt_colour_parse(const char *text, struct vt_colour *colour, struct vt_error *err);

/* ---------------------------------------------------------------- where that is in the volume */

/** The volume of a RAM: side 2^order voxels, a byte a voxel along the Hilbert curve by offset in
 * the RAM file; the smallest cube of order 5–21 that holds it (1 GiB: order 10, 1024^3). */
unsigned vt_volume_order(uint64_t ram_bytes);
/** Voxels, both corners included. */
struct vt_box {
    uint32_t min[3], max[3];
};
/** The smallest box around the voxels of file bytes [off, off + bytes), bytes > 0. Exact, in
 *  O(order) steps. VT_E_ADDR outside the cube. */
int vt_volume_box(unsigned order, struct vt_off off, uint64_t bytes, struct vt_box *box,
                  struct vt_error *err);

#endif
