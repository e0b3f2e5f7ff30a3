/* trace/events.h - one vCPU's words (ring.h) as events (vitrine/trace.h).
 *
 * A block is handed out when what follows it is known: only then does it show whether it ran to its
 * end. Pure: words in, events out; the words are the caller's, private to this process, in pieces
 * that may end anywhere. `position` is a word's place in the ring, for messages.
 */
#ifndef VT_TRACE_EVENTS_H
#define VT_TRACE_EVENTS_H

#include "trace/dictionary.h"
#include "trace/ring.h"

/** A record is at most this long. */
#define VT_TRACE_RECORD_WORDS_MAX (2u + VT_TRACE_REGISTERS_MAX)

struct vt_trace_words {
    const uint64_t *at;
    size_t n;
    uint64_t position; /* of at[0] */
};

struct vt_trace_decoder {
    struct vt_trace_dictionary *dictionary;
    uint32_t vcpu, n_registers;
    bool cuts; /* discontinuities are recorded */
    uint64_t clock_hz, clock_start;

    uint64_t sequence, time_ns, root;
    uint32_t detail, generation;
    uint64_t lost; /* words, not yet told */
    const struct vt_trace_known *pending;
    uint64_t pending_time_ns, pending_root;
    bool raised; /* an exception was, not yet delivered */
    uint64_t raised_at;
    bool again; /* what begins next was begun in the pending block */
    struct vt_trace_access *accesses;
    uint32_t n_accesses, accesses_room;
    uint64_t registers[VT_TRACE_REGISTERS_MAX];
};

/** The dictionary stays the caller's, and has what the words name before they are decoded. */
void vt_trace_decoder_init(struct vt_trace_decoder *d, const struct vt_trace_header *header,
                           struct vt_trace_dictionary *dictionary, uint32_t vcpu);
void vt_trace_decoder_fini(struct vt_trace_decoder *d);

/** 1 and an event, valid until the next call; 0: more words are wanted (a record that is cut stays
 *  in `words`). VT_E_CORRUPT with the place. */
int vt_trace_decoder_next(struct vt_trace_decoder *d, struct vt_trace_words *words,
                          struct vt_trace_event *event, struct vt_error *err);
/** `words` of them never came: what is next does not follow from what was. */
void vt_trace_decoder_lose(struct vt_trace_decoder *d, uint64_t words);
/** The recording ends: 1 and the last event while there are any, then 0. */
int vt_trace_decoder_end(struct vt_trace_decoder *d, struct vt_trace_event *event);

/** When the next event is, as far as is known. */
static inline uint64_t vt_trace_decoder_time(const struct vt_trace_decoder *d)
{
    return d->pending != NULL ? d->pending_time_ns : d->time_ns;
}

#endif
