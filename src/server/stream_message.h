/* server/stream_message.h - the binary messages of a volume's stream, made of runs of pages.
 *
 * docs/volume-stream.md says what they look like. Pure functions but for a deflater, which
 * remembers whether deflating paid lately. One thread at a time.
 */
#ifndef VT_SERVER_STREAM_MESSAGE_H
#define VT_SERVER_STREAM_MESSAGE_H

#include "server/stream_wish.h"

#define VT_MESSAGE_HEADER 16u
#define VT_MESSAGE_RAW_MAX ((size_t)256 << 10) /**< bytes of a payload of pages or attributes */

enum vt_message_kind {
    VT_MESSAGE_PAGES = 1,
    VT_MESSAGE_ATTRIBUTES = 2,
    VT_MESSAGE_FRAME = 3,
};

enum vt_message_flags {
    VT_MESSAGE_DEFLATED = 1,
    VT_MESSAGE_KEY = 2,
};

/** Bytes of a page's cells at a level: (16 >> level)^3. */
size_t vt_cells_bytes(unsigned level);
/** The cells of the page at `page` (4096 bytes, aligned to 8; the guest may write meanwhile), in
 *  the order of the curve, which is that of its bytes. */
void vt_cells_of_page(const uint8_t *page, unsigned level, uint8_t *cells);

/** Runs of ascending pages, as many as fit. */
struct vt_run_list {
    struct vt_stream_run *runs;
    size_t n, room;
    uint64_t pages;
};
/** Adds page `page`, above all that are in it; false: it would take a run more than there is room.
 */
bool vt_run_list_add(struct vt_run_list *list, uint64_t page);

/** Bytes of a payload. */
size_t vt_message_pages_bytes(const struct vt_run_list *list, unsigned level);
size_t vt_message_attributes_bytes(const struct vt_run_list *list);

/** A message: a header and its payload, malloc'ed. */
struct vt_message {
    uint8_t *bytes;
    size_t n;
};

struct vt_deflater;
/** VT_E_NOMEM. */
int vt_deflater_create(struct vt_deflater **deflater, struct vt_error *err);
/** Takes NULL. */
void vt_deflater_destroy(struct vt_deflater *deflater);

/** Cells of the pages in `list`; `ram` is the RAM by file offset. The message takes at most
 *  VT_MESSAGE_HEADER + vt_message_pages_bytes(). `flags`: VT_MESSAGE_KEY or 0; `time_s` of the
 *  stream's clock. VT_E_NOMEM. */
int vt_message_pages(struct vt_deflater *deflater, const struct vt_run_list *list, unsigned level,
                     const uint8_t *ram, unsigned flags, double time_s, struct vt_message *message,
                     struct vt_error *err);
/** Attributes of the pages in `list`: class | owner << 8, by page. */
int vt_message_attributes(struct vt_deflater *deflater, const struct vt_run_list *list,
                          const uint16_t *attributes, unsigned flags, double time_s,
                          struct vt_message *message, struct vt_error *err);

/** A picture; it is not deflated. */
struct vt_message_frame {
    uint32_t id, width, height;
    unsigned codec; /**< 1: JPEG, 2: H.264, Annex B */
    bool alone;     /**< it can be decoded by itself */
    unsigned scale;
    const uint8_t *picture;
    size_t bytes;
};
int vt_message_frame(const struct vt_message_frame *frame, double time_s,
                     struct vt_message *message, struct vt_error *err);

#endif
