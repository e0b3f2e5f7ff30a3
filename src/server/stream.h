/* server/stream.h - VMs' RAM as streams, for those who draw it (docs/volume-stream.md).
 *
 * Each VM that somebody watches has a thread that looks at its RAM and makes the messages of all
 * its clients; sending them is the loop's business. A client has one message under way and one that
 * waits, so what a slow one costs does not grow. Everything here belongs to the loop's thread.
 */
#ifndef VT_SERVER_STREAM_H
#define VT_SERVER_STREAM_H

#include "base/loop.h"
#include "server/host.h"

#define VT_STREAM_CLIENTS_MAX 16 /**< of one VM */

struct vt_streams;
struct vt_stream_client;

struct vt_streams_options {
    struct vt_loop *loop;
    const char *gpu;     /**< which draws frames: as vt_gpu_options.name; NULL: the usual one */
    uint64_t gpu_memory; /**< bytes of it for one VM; 0: as much as that VM's volume wants */
};

/** What a client is told, from the loop and never from within a call of these functions. */
struct vt_stream_calls {
    /** A message to be sent; `data` is gone afterwards. True: it has been handed on already, else
     *  vt_stream_drained says so later. */
    bool (*send)(bool binary, const void *data, size_t bytes, void *arg);
    /** Nothing comes after what was sent: close. */
    void (*close)(uint16_t code, const char *reason, void *arg);
};

/** `options` is copied, its strings are not. */
int vt_streams_create(const struct vt_streams_options *options, struct vt_streams **streams,
                      struct vt_error *err);
/** All clients have left. Waits for the threads. Takes NULL. */
void vt_streams_destroy(struct vt_streams *streams);

/** Whether a client more of `vm` would be taken now: VT_E_NOT_FOUND, VT_E_BUSY. */
int vt_stream_may_join(struct vt_streams *streams, const char *vm, struct vt_error *err);
/** Begins to stream `vm` to a client; `origin` says who it is, for the log. What goes wrong later
 *  the client is told. VT_E_BUSY, VT_E_NOMEM. */
int vt_stream_join(struct vt_streams *streams, const char *vm, const char *origin,
                   const struct vt_stream_calls *calls, void *arg, struct vt_stream_client **client,
                   struct vt_error *err);
/** An `error` text for a client, malloc'ed; NULL: out of memory. */
char *vt_stream_error(const struct vt_error *err, size_t *bytes);
/** What the client says. VT_E_INVAL: it is to be closed with 1008 and what `err` says. */
int vt_stream_say(struct vt_stream_client *client, const char *text, size_t bytes,
                  struct vt_error *err);
/** The message that `send` took has been handed on. */
void vt_stream_drained(struct vt_stream_client *client);
/** It is told nothing more. Takes NULL. */
void vt_stream_leave(struct vt_stream_client *client);

struct vt_streams_stats {
    unsigned streams, clients; /**< VMs that are watched, and who watches */
    unsigned stalled;          /**< clients that gave no credit for what there is to send */
    uint64_t messages, bytes;  /**< binary ones, sent */
    uint64_t frames;           /**< of these: pictures */
    uint64_t updates;          /**< looks that clients were brought up to */
    uint64_t stalls;           /**< times a client's credit ran out */
    uint64_t refused;          /**< messages that ended a stream */
};
void vt_streams_stats(struct vt_streams *streams, struct vt_streams_stats *stats);

#endif
