/* hybrid/heat.h - where a guest's time goes, by its PC at the ends of short slices of time, and
 * which of that code a look has shown already.
 *
 * A place is the PC of a block in one program; addresses of the kernel are one program's. Of
 * slices that lie back ever fewer count. Memory is the caller's; one thread.
 */
#ifndef VT_HYBRID_HEAT_H
#define VT_HYBRID_HEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VT_HEAT_HALF 32u /* slices after which all that was seen counts half */
/** All that was seen is never more than twice that, nor are the places. */
#define VT_HEAT_PLACES (2 * VT_HEAT_HALF)
#define VT_HEAT_RECENT 12u
#define VT_HEAT_SHOWN 256u

enum vt_heat {
    VT_COLD, /* nothing that is new and seen often */
    VT_WARM, /* there is, and most of the time goes elsewhere */
    VT_HOT   /* much of it goes to it and what is near it */
};

struct vt_heat_map {
    uint32_t slices;
    uint64_t wanted; /* the place for which a look is wanted; 0: none */
    struct vt_heat_place {
        uint64_t place;        /* 0: none */
        uint32_t seen, looked; /* in so many slices; by so many looks that were made for it */
    } places[VT_HEAT_PLACES];
    uint64_t recent[VT_HEAT_RECENT]; /* a ring of places, without idle slices */
    uint32_t busy;                   /* slices that were not idle */
    uint32_t scattered;              /* of new code, one after the other, each far from all but one
                                        of the recent ones */
    struct vt_heat_shown {
        uint64_t first, last; /* places */
    } shown[VT_HEAT_SHOWN];   /* a ring; 0, 0: none */
    uint32_t n_shown;
};

/** A slice ended with the vCPU at `pc` of a program (its name, up to `room` bytes). */
enum vt_heat vt_heat_note(struct vt_heat_map *map, uint64_t pc, const char *program, size_t room);
/** Whether the time goes to many places, none of which is about to be hot: slices may be longer. */
bool vt_heat_is_scattered(const struct vt_heat_map *map);
/** A slice ended with an idle vCPU, or nobody knows where. */
void vt_heat_idle(struct vt_heat_map *map);
/** A look begins: for what was hot, or if that was nothing, for whatever runs. */
void vt_heat_look(struct vt_heat_map *map);
/** It showed what the program does in these bytes: they are not new any more. */
void vt_heat_shows(struct vt_heat_map *map, uint64_t pc, uint64_t bytes, const char *program);
/** All is new again; slices are counted on. */
void vt_heat_forget(struct vt_heat_map *map);

#endif
