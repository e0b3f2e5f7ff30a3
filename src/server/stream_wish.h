/* server/stream_wish.h - what a client of a volume says: its JSON texts, read and checked.
 *
 * docs/volume-stream.md is the protocol. Any bytes may come; a pure function.
 */
#ifndef VT_SERVER_STREAM_WISH_H
#define VT_SERVER_STREAM_WISH_H

#include "vitrine/scene.h"

#define VT_STREAM_LEVELS 5u /**< 0, every byte, to 4, one cell a page */
#define VT_STREAM_FINE_RUNS_MAX 4096u
#define VT_STREAM_CREDIT_MAX (UINT64_C(16) << 20)
#define VT_STREAM_HZ_MAX 60.0

enum vt_wish_kind {
    VT_WISH_START,  /**< level, hz, credit */
    VT_WISH_CREDIT, /**< credit */
    VT_WISH_LEVEL,  /**< level */
    VT_WISH_HZ,     /**< hz */
    VT_WISH_FINE,   /**< level, runs */
    VT_WISH_VIEW,   /**< view */
    VT_WISH_PICK,   /**< pick */
};

/** Pages of the RAM file, numbered by offset. */
struct vt_stream_run {
    uint32_t first, pages;
};

/** A picture that the server shall draw; width 0: no more. */
struct vt_stream_view {
    uint32_t id, width, height;
    struct vt_camera camera;
    struct vt_scene scene; /**< only_owner is 0: see only_pid */
    int32_t only_pid;      /**< 0: all */
    enum vt_method method;
    int quality; /**< of JPEG */
    bool moving; /**< the camera moves: sooner is better than finer */
    bool h264;   /**< the client can decode it: where it is built in, frames are H.264 */
};

struct vt_stream_pick {
    uint32_t id, x, y;
};

struct vt_wish {
    enum vt_wish_kind kind;
    unsigned level;
    double hz;
    uint64_t credit;
    struct vt_stream_run *runs; /**< malloc'ed */
    size_t n_runs;
    struct vt_stream_view view;
    struct vt_stream_pick pick;
};

/** Reads `bytes` of a text. Runs may reach past the end of RAM. VT_E_INVAL says what is wrong,
 *  VT_E_NOMEM. */
int vt_wish_parse(const char *text, size_t bytes, struct vt_wish *wish, struct vt_error *err);
/** Frees what a wish holds. */
void vt_wish_fini(struct vt_wish *wish);

#endif
