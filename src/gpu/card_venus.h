/* gpu/card_venus.h - a virtio-gpu's 3-D contexts carried out by the room venus. */
#ifndef VT_GPU_CARD_VENUS_H
#define VT_GPU_CARD_VENUS_H

#include "gpu/card.h"

/** The renderer outlives every card that has them. */
struct vt_card_contexts vt_card_venus(struct vt_venus_renderer *renderer);

#endif
