/* server/cache.h - answers made from a database, kept until its next sample.
 *
 * Between two samples the same question has the same answer, so it is made once: whoever asks
 * while it is being made waits for it. The key is the request's target as it came; another spelling
 * is another entry. Belongs to the loop's thread.
 */
#ifndef VT_SERVER_CACHE_H
#define VT_SERVER_CACHE_H

#include "server/reply.h"

/** Which sample of which VM's database. */
struct vt_version {
    uint64_t number, unix_us; /**< number 0: not known, and nothing is kept */
};

struct vt_cache;
struct vt_cache_entry;

/** Who waits for an answer; embedded in a request. */
struct vt_cache_waiter {
    /** `unmodified` is the answer to who has it already (304), or NULL when `answer` is none to
     *  keep. Both may be NULL: out of memory. Who wants one for longer keeps it. */
    void (*answered)(struct vt_cache_waiter *waiter, struct vt_reply *answer,
                     struct vt_reply *unmodified);
    struct vt_cache_waiter *next; /* the cache's */
};

struct vt_cached {
    struct vt_reply *answer, *unmodified; /**< the cache's, until it is used again */
    const char *etag;
};

int vt_cache_create(unsigned max_entries, size_t max_bytes, struct vt_cache **cache,
                    struct vt_error *err);
/** Nobody waits any more. Takes NULL. */
void vt_cache_destroy(struct vt_cache *cache);

enum vt_cache_found {
    VT_CACHE_HIT,    /**< *cached is filled, and valid until the cache is used again */
    VT_CACHE_JOINED, /**< it is being made: the waiter will be told */
    VT_CACHE_MISS,   /**< *entry is new: make the answer, then vt_cache_fill; the waiter waits */
    VT_CACHE_NONE,   /**< out of memory, or full of what is being made: make it without the cache */
};
enum vt_cache_found vt_cache_find(struct vt_cache *cache, const char *key, const char *vm,
                                  struct vt_version version, struct vt_cache_waiter *waiter,
                                  struct vt_cached *cached, struct vt_cache_entry **entry);
/** Fills an entry: `answer` (or NULL: out of memory) is the cache's from now on; a 200 gets an ETag
 *  and is kept, others are not. Tells all waiters, in the order they came. */
void vt_cache_fill(struct vt_cache *cache, struct vt_cache_entry *entry, struct vt_reply *answer);

/** Calls `fn` with the keys of the VM's answers that were asked for since they were made, the last
 *  used first, `max` at most: worth making anew before the next sample is told of. `fn` does not
 * use the cache. */
void vt_cache_hot(struct vt_cache *cache, const char *vm, unsigned max,
                  void (*fn)(const char *key, void *arg), void *arg);
/** The answer of a later sample, found from then on when `version` is asked for; until then the one
 *  before is. Takes `answer`; only a 200 is kept, and only where the key still is. */
void vt_cache_renew(struct vt_cache *cache, const char *key, struct vt_version version,
                    struct vt_reply *answer);

/** The entity tag of answers made of a sample. */
#define VT_ETAG_MAX 48
void vt_etag(struct vt_version version, char etag[VT_ETAG_MAX]);
/** Whether an If-None-Match header (NULL: none) names the tag. (RFC 9110, 13.1.2) */
bool vt_etag_matches(const char *header, const char *etag);

#endif
