/* hybrid/service.h - what a keeper needs of this room.
 */
#ifndef VT_HYBRID_SERVICE_H
#define VT_HYBRID_SERVICE_H

#include "vitrine/machine.h"

/** Lays out a VM's segment (segment.h). */
extern const struct vt_keeper_service vt_hybrid_service;

#endif
