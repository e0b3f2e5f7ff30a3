/* server/stream_parts.h - what the files of a stream share.
 *
 * A stream is one life of one VM with its thread. `lock` guards what the loop and the thread both
 * touch: the list of clients, and of each client what is marked so; all else is the thread's.
 */
#ifndef VT_SERVER_STREAM_PARTS_H
#define VT_SERVER_STREAM_PARTS_H

#include "server/stream.h"
#include "server/stream_message.h"
#include "volume/follow.h"

#include <pthread.h>
#include <stdatomic.h>

#define VT_STREAM_PICKS_MAX 64 /* that a client waits for at once */
#define VT_STREAM_GROUP 64u    /* pages whose newest change is known together */

/* One message to a client, and whether it is the last. */
struct vt_outgoing {
    bool binary;
    uint8_t *bytes; /* malloc'ed, or NULL: only a close */
    size_t n;
    uint16_t close; /* close with that afterwards; 0: no */
    char reason[VT_ERROR_MESSAGE_MAX];
};

/* What a client wants, as it last said. */
struct vt_stream_wants {
    bool started;
    unsigned level;
    double hz;
    unsigned fine_level;
    struct vt_stream_run *fine; /* the thread takes it away once it has changed */
    size_t n_fine;
    bool fine_changed, key; /* key: all pages are to be sent anew */
};

/* Pages' cells on their way to a client, at one level. A client has two of them: all pages, and
 * those it wants finer. */
struct vt_lane {
    unsigned level;
    bool on;
    uint64_t *owed; /* by page, a bit: to be sent as they are, whenever */
    uint64_t n_owed, owed_at;
    uint32_t seen; /* all changes up to that look have been sent */
    uint32_t upto; /* a sweep over what changed since is under way: up to that look */
    uint64_t at;   /* and has come to that page */
    double time_s; /* of that look */
    bool sweeping;
    uint64_t *within; /* by page, a bit: only these; NULL: all */
};

struct vt_stream_client {
    struct vt_stream *stream;
    struct vt_stream_client *next; /* lock */
    uint64_t number;               /* no other client has had it */
    char origin[64];
    /* the loop's */
    const struct vt_stream_calls *calls;
    void *arg;
    bool flying;    /* what it was sent last is not handed on yet */
    uint64_t round; /* of taking what is posted, that it was last looked at */
    /* under the lock */
    bool left;   /* the loop has forgotten it */
    bool posted; /* `out` is one that the loop has not taken */
    struct vt_outgoing out;
    uint64_t credit;
    struct vt_stream_wants wants;
    bool view_changed;
    struct vt_stream_view view; /* of width 0: none */
    unsigned n_picks, n_said;
    struct vt_stream_pick picks[VT_STREAM_PICKS_MAX];
    char *said[VT_STREAM_PICKS_MAX + 1]; /* JSON to be sent: picked ones, and an error */
    struct vt_message frame;             /* drawn, and not yet on its way */
    /* the thread's */
    struct vt_stream_wants now; /* as the thread last took them */
    bool ready, greeted, complete_due, stalled;
    bool key_turn;            /* pages that are owed are next, not those that changed */
    bool attributing;         /* a sweep over attributes is under way */
    uint64_t attributes_at;   /* and has come to that page */
    uint32_t attributes_told; /* versions */
    uint32_t system_told, owners_told, highlights_told;
    uint16_t *told; /* by page: what it was told of its class and owner */
    struct vt_lane lanes[2];
    uint64_t due_ns, stats_ns;
    uint64_t updates, bytes, changed_before; /* since, and as of, the last stats */
};

struct vt_stream {
    struct vt_streams *streams;
    struct vt_stream *next;
    char vm[VT_VM_NAME_MAX + 1];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* CLOCK_MONOTONIC */
    /* under the lock */
    struct vt_stream_client *clients;
    unsigned n_clients; /* that have not left */
    bool stop, over;    /* over: the thread ends by itself, nobody may join any more */
    bool done;          /* and is at its very end: joining it does not wait */
    bool nudged;        /* something changed for the thread since it last looked */
    /* the thread's */
    char opened_for[64]; /* whom the log names as the first */
    struct vt_target target;
    struct vt_follow *follow;
    struct vt_follow_seen seen;
    struct vt_deflater *deflater;
    uint64_t n_pages;
    uint32_t look; /* number of the last one; the first is 1 */
    uint64_t looked_ns, changed_pages;
    uint32_t *changed;       /* by page: the look that last saw it changed */
    uint32_t *group_changed; /* by VT_STREAM_GROUP pages: the newest of these */
    uint16_t *attributes;    /* by page: class | owner << 8 */
    uint32_t attributes_version, system_version, owners_version, highlights_version;
    uint64_t system_sum, owners_sum; /* of what was last compared */
    struct vt_run_list list;         /* of the message that is made */
    bool frames_wanted, frames_news; /* somebody has a view; or said something of it just now */
    uint64_t frames_ns;              /* when somebody last had one */
    struct vt_renderer *renderer;    /* for as long as they are, and a while longer */
};

struct vt_streams {
    struct vt_streams_options o;
    int eventfd;
    struct vt_source *source;
    struct vt_stream *all;
    bool destroying;
    uint64_t next_number, round;
    atomic_uint stalled;
    atomic_uint_least64_t messages, bytes, frames, updates, stalls;
    uint64_t refused;
    pthread_mutex_t gpu_lock;
    bool gpu_known, gpu_there; /* gpu_lock */
    struct vt_gpu_info gpu;    /* that draws frames */
};

/* stream_thread.c */
void *vt_stream_run(void *stream);

/** Seconds of the stream's clock. */
double vt_stream_time(const struct vt_stream *stream, uint64_t now_ns);

/* stream_client.c: what a client is to be told next; all on the thread. */

/** Makes a client's tables. VT_E_NOMEM. */
int vt_stream_client_prepare(struct vt_stream *stream, struct vt_stream_client *client,
                             struct vt_error *err);
/** Frees them and the client. */
void vt_stream_client_free(struct vt_stream_client *client);
/** Takes over what it said meanwhile. With the lock. */
void vt_stream_client_take(struct vt_stream_client *client);
/** Whether what it waits for is a look at RAM. `credit`: what may be spent on a binary message. */
bool vt_stream_client_wants_look(const struct vt_stream_client *client, uint64_t credit,
                                 uint64_t now_ns);
/** Makes the next message; false: there is none now. */
bool vt_stream_client_next(struct vt_stream *stream, struct vt_stream_client *client,
                           uint64_t credit, uint64_t now_ns, struct vt_outgoing *out);
/** When it has something to be told next although nobody says anything. */
uint64_t vt_stream_client_due(const struct vt_stream_client *client);

/* stream_cells.c: pages' cells, as a client is owed them. */

/** VT_E_NOMEM. */
int vt_lane_init(struct vt_lane *lane, uint64_t n_pages, bool within, struct vt_error *err);
void vt_lane_fini(struct vt_lane *lane);
/** Forgets what was owed, and owes all pages that the client was told are no holes. */
void vt_lane_begin(struct vt_lane *lane, const struct vt_stream *stream, const uint16_t *told);
/** Only these pages from now on; those that were among them at this level already are not owed. */
void vt_lane_narrow(struct vt_lane *lane, const struct vt_stream *stream, const uint16_t *told,
                    unsigned level, const struct vt_stream_run *runs, size_t n);
/** The page became something (or a hole again). */
void vt_lane_owe(struct vt_lane *lane, uint64_t page, bool owed);
/** Begins to go through what changed up to the last look. */
void vt_lane_sweep(struct vt_lane *lane, const struct vt_stream *stream);
/** Collects pages into the stream's list, as many as `raw` bytes of payload hold: owed ones, or
 *  those that changed. Where there are none of these (any more), the sweep ends. */
void vt_lane_gather_owed(struct vt_lane *lane, struct vt_stream *stream, size_t raw);
void vt_lane_gather_changed(struct vt_lane *lane, struct vt_stream *stream, size_t raw);

/* stream_render.c: pictures for clients, drawn on a thread of its own. */

/** Has the stream's clients' views drawn from now on. */
int vt_renderer_create(struct vt_stream *stream, struct vt_renderer **renderer,
                       struct vt_error *err);
/** Ends with the frame that is drawn now. Takes NULL. */
void vt_renderer_destroy(struct vt_renderer *renderer);
/** What a look saw; on the stream's thread. */
void vt_renderer_tell(struct vt_renderer *renderer, const struct vt_volume_update *update);
/** A client said something of its view, or took a frame. From any thread. Takes NULL. */
void vt_renderer_nudge(struct vt_renderer *renderer);
/** The device that would draw; false: there is none. From any thread. */
bool vt_streams_gpu(struct vt_streams *streams, struct vt_gpu_info *info);

/* stream_say.c: texts; malloc'ed, NULL: out of memory. */

char *vt_say_hello(struct vt_stream *stream, size_t *bytes);
char *vt_say_system(struct vt_stream *stream, size_t *bytes);
char *vt_say_owners(struct vt_stream *stream, size_t *bytes);
char *vt_say_highlights(struct vt_stream *stream, size_t *bytes);
char *vt_say_complete(size_t *bytes);
char *vt_say_stats(struct vt_stream *stream, const struct vt_stream_client *client, size_t *bytes);
char *vt_say_ended(size_t *bytes);
/** What is at a pixel. `owners` and `highlights` name what the numbers stand for. */
struct vt_said_pick {
    uint32_t id;
    const struct vt_picked *picked;
    const struct vt_owner *owners;
    size_t n_owners;
    const struct vt_highlights *highlights;
};
char *vt_say_picked(const struct vt_ram *ram, const struct vt_said_pick *pick, size_t *bytes);
char *vt_say_error(enum vt_code code, const char *detail, size_t *bytes);

#endif
