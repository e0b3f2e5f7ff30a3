/* volume/contents.h - what a page looks like, from its bytes alone. */
#ifndef VT_VOLUME_CONTENTS_H
#define VT_VOLUME_CONTENTS_H

#include "vitrine/volume.h"

/** Whether all 4096 bytes at `page` are zero. The guest may write meanwhile: either answer then. */
bool vt_page_is_zero(const uint8_t *page);

/** VT_CLASS_ZERO, or one of the VT_CLASS_LIKE_… by byte statistics of a quarter of the page: a
 *  guess for people to look at, not a decision to build on. */
enum vt_page_class vt_page_contents(const uint8_t *page);

#endif
