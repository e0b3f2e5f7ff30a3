/* trace/names_live.h - what names out of a guest are made of; for names_*.c alone. */
#ifndef VT_TRACE_NAMES_LIVE_H
#define VT_TRACE_NAMES_LIVE_H

#include "trace/names.h"
#include "vitrine/guest.h"

/** When something that takes its time may be done again. */
struct vt_names_budget {
    uint64_t next_ns;
};

struct vt_names_live {
    struct vt_target *target;
    struct vt_member mm; /* of task_struct; size 0: not known */
    struct vt_task_list tasks;
    struct vt_names_budget opening, listing, modules;
};

/** Whether there is a kernel, opened if there is one now. */
bool vt_names_live_ready(struct vt_names_live *live);

#endif
