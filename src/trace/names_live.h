/* trace/names_live.h - what names out of a guest are made of; for names_*.c alone. */
#ifndef VT_TRACE_NAMES_LIVE_H
#define VT_TRACE_NAMES_LIVE_H

#include "guest/symbols/elf.h"
#include "trace/names.h"
#include "vitrine/guest.h"

/** When something that takes its time may be done again. */
struct vt_names_budget {
    uint64_t next_ns;
};

/** It has two or three. */
#define VT_NAMES_VDSO_PAGES 16u

/** A file that code is mapped from, or the vdso. */
struct vt_names_image {
    struct vt_gva inode; /* 0: the vdso */
    uint32_t name;       /* text */
    bool loaded;
    struct vt_elf elf; /* without segments: it is none, or its beginning is not there */
};

/** Executable memory of one process. */
struct vt_names_area {
    uint64_t start, end, offset;
    uint32_t name; /* text, or 0 */
    bool of_file;
};

struct vt_names_live {
    struct vt_target *target;
    struct vt_member mm, pid, comm; /* of task_struct; sizes 0: not known */
    struct vt_task_list tasks;
    struct vt_names_budget opening, listing, modules, mapping;
    uint32_t looks; /* how often processes or areas were listed */
    struct vt_names_image *images;
    uint32_t n_images, images_room, last_image;
    struct vt_names_area *areas; /* of the process of areas_root */
    uint32_t n_areas, areas_room;
    uint64_t areas_root;
    bool vdso_sought;
    uint32_t vdso; /* number of its image + 1; 0: none */
    uint32_t n_vdso_pages;
    uint64_t vdso_pages[VT_NAMES_VDSO_PAGES]; /* where they are in RAM */
};

/** Whether it may be done now. */
bool vt_names_may(const struct vt_names_budget *budget);
/** What this thread has used of a CPU. */
uint64_t vt_names_spent(void);
/** It was done; `spent_ns` is what had been used before. */
void vt_names_did(struct vt_names_live *live, struct vt_names_budget *budget, uint64_t spent_ns);

/** Whether there is a kernel, opened if there is one now. */
bool vt_names_live_ready(struct vt_names_live *live);
void vt_names_images_fini(struct vt_names_live *live);
/** Finds the file of a block of user space. */
void vt_names_live_user(struct vt_trace_names *names, struct vt_names_block *block);

#endif
