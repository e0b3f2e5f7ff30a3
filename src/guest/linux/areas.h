/* guest/linux/areas.h - the memory areas of a process: which there are, what each says, and what
 * the page tables hold of it.
 *
 *   static int show(struct vt_areas *areas, struct vt_walk *w, const struct vt_task *task, size_t
 * i, struct vt_error *err) { do { vt_look_begin; vt_area_read(areas, w, task, i, &row); } while …;
 * return vt_walk_row(…); } static int walk(…) { return vt_areas_walk(w, show, err); }
 */
#ifndef VT_GUEST_LINUX_AREAS_H
#define VT_GUEST_LINUX_AREAS_H

#include "guest/linux/maple.h"
#include "guest/linux/noun.h"
#include "guest/linux/page_kind.h"
#include "guest/linux/path.h"

/* Bits of vm_flags that have not moved since there are any (include/linux/mm.h). */
enum vt_area_flags {
    VT_AREA_READ = 1 << 0,
    VT_AREA_WRITE = 1 << 1,
    VT_AREA_EXEC = 1 << 2,
    VT_AREA_MAYSHARE = 1 << 7,
};

/** One area of the process taken last. */
struct vt_area {
    struct vt_gva at; /**< the vm_area_struct; 0: none */
    uint64_t start, end;
    uint64_t resident_bytes, dirty_bytes, swapped_bytes;
    uint64_t changed_bytes; /**< of what is executable and not anonymous: copies that differ */
    uint64_t first_resident, first_changed; /**< addresses of the first such pages */
    uint64_t flags;                         /**< vm_flags */
    bool of_file, of_kernel;                /**< pages come from a file, from the kernel ([vdso]) */
    bool broken_link;                       /**< of the list, to or from it */
    size_t first_run, n_runs;               /**< of what is resident: in vt_areas.runs */
};

struct vt_areas_layout;

struct vt_areas {
    struct vt_kernel *kernel;
    const struct vt_areas_layout *l;
    const struct vt_path_layout *paths;
    struct vt_maple_layout maple_layout;
    struct vt_maple_walk *maple; /* NULL: a list */
    struct vt_page_layout pages; /* bytes 0: struct page is not known */
    uint64_t special_ops;        /* special_mapping_vmops; 0: unknown */
    uint64_t gate;               /* the area of [vsyscall]; 0: there is none */
    uint32_t swaps;              /* types of swap entries below are swap areas */
    uint64_t user_end;
    uint64_t tables_left; /* of all processes together: no more than RAM has pages */
    bool saved_dirty;     /* bit 58 keeps the dirty bit of pages that became read-only */
    char words[64][3];    /* of vm_flags, as /proc/PID/smaps has them; "" for none */

    /* the process taken last */
    struct vt_gva mm;
    uint64_t brk, start_brk, start_stack;
    struct vt_area *areas;
    size_t n, room;
    struct vt_page_run *runs; /* of all its areas, in ascending order */
    size_t n_runs, runs_room;
    char name[VT_PATH_BYTES]; /* of the area read last */
};

/** Area `i` of a process. Non-zero ends the walk and is returned. */
typedef int vt_area_fn(struct vt_areas *areas, struct vt_walk *walk, const struct vt_task *task,
                       size_t i, struct vt_error *err);
/** Calls `fn` for every area, its pages counted, of the processes that the query asks for; kernel
 *  threads have none. What is broken is noted in the walk. VT_E_NOT_FOUND (the process; an
 * essential member), VT_E_NOMEM, VT_E_GONE. */
int vt_areas_walk(struct vt_walk *walk, vt_area_fn *fn, struct vt_error *err);
/** Reads area i through the walk's look and fills all of *row but its pid; row->name and
 *  row->runs belong to `areas` until the next call. */
void vt_area_read(struct vt_areas *areas, struct vt_walk *walk, const struct vt_task *task,
                  size_t i, struct vt_map *row);

#endif
