/* volume/classes.h - what the kernel's own word for a page means as a class. */
#ifndef VT_VOLUME_CLASSES_H
#define VT_VOLUME_CLASSES_H

#include "guest/linux/pages.h"
#include "vitrine/volume.h"

/** VT_CLASS_HOLE for the kinds that say nothing of what a page holds (free, idle, reserved,
 *  unknown): its contents or its place decide. */
enum vt_page_class vt_class_of_kind(enum vt_linux_page_kind kind);

#endif
