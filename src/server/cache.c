/* server/cache.c - see cache.h. A table of chains, and all entries in the order of their last use.
 */
#include "server/cache.h"

#include "vitrine/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 256

struct made {
    struct vt_version version;
    struct vt_reply *answer, *unmodified; /* NULL while it is being made */
    size_t bytes;
    char etag[VT_ETAG_MAX];
};

struct vt_cache_entry {
    struct vt_cache_entry *chain;         /* the next of the same hash */
    struct vt_cache_entry *newer, *older; /* by last use */
    struct made now, next;                /* next: of a sample that is not told of yet */
    struct vt_cache_waiter *first, **end;
    bool making, asked;
    char vm[VT_VM_NAME_MAX + 1];
    char key[];
};

struct vt_cache {
    unsigned n, max_entries;
    size_t bytes, max_bytes;
    struct vt_cache_entry *newest, *oldest;
    struct vt_cache_entry *chains[CHAINS];
};

/* FNV-1a. Who could choose colliding keys is let in already, and chains are short. */
static unsigned hash(const char *key)
{
    uint32_t h = 2166136261u;
    for (; *key != '\0'; key++) {
        h = (h ^ (unsigned char)*key) * 16777619u;
    }
    return h % CHAINS;
}

static bool same(struct vt_version a, struct vt_version b)
{
    return a.number == b.number && a.unix_us == b.unix_us;
}

int vt_cache_create(unsigned max_entries, size_t max_bytes, struct vt_cache **cache,
                    struct vt_error *err)
{
    struct vt_cache *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return vt_fail(err, VT_E_NOMEM, "out of memory");
    }
    c->max_entries = max_entries;
    c->max_bytes = max_bytes;
    *cache = c;
    return 0;
}

static void unlink_used(struct vt_cache *c, struct vt_cache_entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &c->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct vt_cache *c, struct vt_cache_entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest != NULL ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void unmake(struct vt_cache *c, struct made *made)
{
    c->bytes -= made->bytes;
    vt_reply_drop(made->answer);
    vt_reply_drop(made->unmodified);
    *made = (struct made){0};
}

static void drop(struct vt_cache *c, struct vt_cache_entry *e)
{
    struct vt_cache_entry **link = &c->chains[hash(e->key)];
    while (*link != e) {
        link = &(*link)->chain;
    }
    *link = e->chain;
    unlink_used(c, e);
    c->n--;
    unmake(c, &e->now);
    unmake(c, &e->next);
    free(e);
}

/* Takes the answer. True: it is one to keep. */
static bool make(struct vt_cache *c, struct made *made, struct vt_version version,
                 struct vt_reply *answer)
{
    made->version = version;
    made->answer = answer;
    vt_etag(version, made->etag);
    if (answer == NULL || answer->status != 200) {
        return false;
    }
    made->bytes = answer->bytes + sizeof(struct vt_cache_entry);
    c->bytes += made->bytes;
    made->unmodified = vt_reply_make(304, NULL, 0, NULL);
    return made->unmodified != NULL && vt_reply_header(answer, "ETag", made->etag) &&
           vt_reply_header(made->unmodified, "ETag", made->etag);
}

void vt_cache_destroy(struct vt_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    while (cache->newest != NULL) {
        drop(cache, cache->newest);
    }
    free(cache);
}

/* Room for one more; what is being made stays. */
static void make_room(struct vt_cache *c)
{
    for (struct vt_cache_entry *e = c->oldest, *newer;
         e != NULL && (c->n >= c->max_entries || c->bytes > c->max_bytes); e = newer) {
        newer = e->newer;
        if (!e->making) {
            drop(c, e);
        }
    }
}

static void wait_for(struct vt_cache_entry *e, struct vt_cache_waiter *waiter)
{
    waiter->next = NULL;
    *e->end = waiter;
    e->end = &waiter->next;
}

enum vt_cache_found vt_cache_find(struct vt_cache *c, const char *key, const char *vm,
                                  struct vt_version version, struct vt_cache_waiter *waiter,
                                  struct vt_cached *cached, struct vt_cache_entry **entry)
{
    if (version.number == 0) {
        return VT_CACHE_NONE;
    }
    for (struct vt_cache_entry *e = c->chains[hash(key)], *next; e != NULL; e = next) {
        next = e->chain;
        if (strcmp(e->key, key) != 0) {
            continue;
        }
        if (!same(e->now.version, version) && same(e->next.version, version)) {
            unmake(c, &e->now);
            e->now = e->next;
            e->next = (struct made){0};
        }
        if (!same(e->now.version, version)) {
            if (!e->making) {
                drop(c, e);
            }
            continue;
        }
        if (e->making) {
            wait_for(e, waiter);
            return VT_CACHE_JOINED;
        }
        unlink_used(c, e);
        link_newest(c, e);
        e->asked = true;
        *cached = (struct vt_cached){e->now.answer, e->now.unmodified, e->now.etag};
        return VT_CACHE_HIT;
    }
    make_room(c);
    size_t bytes = strlen(key) + 1;
    struct vt_cache_entry *e = c->n < c->max_entries ? calloc(1, sizeof *e + bytes) : NULL;
    if (e == NULL) {
        return VT_CACHE_NONE;
    }
    memcpy(e->key, key, bytes);
    snprintf(e->vm, sizeof e->vm, "%s", vm);
    e->now.version = version;
    e->making = true;
    e->end = &e->first;
    wait_for(e, waiter);
    link_newest(c, e);
    e->chain = c->chains[hash(key)];
    c->chains[hash(key)] = e;
    c->n++;
    *entry = e;
    return VT_CACHE_MISS;
}

void vt_cache_fill(struct vt_cache *c, struct vt_cache_entry *e, struct vt_reply *answer)
{
    struct vt_cache_waiter *waiter = e->first;
    bool keep = make(c, &e->now, e->now.version, answer);
    e->making = false;
    e->first = NULL;
    e->end = &e->first;
    while (waiter != NULL) {
        struct vt_cache_waiter *next = waiter->next; /* it may be gone once it was told */
        waiter->answered(waiter, e->now.answer, keep ? e->now.unmodified : NULL);
        waiter = next;
    }
    if (!keep) {
        drop(c, e);
    } else {
        make_room(c);
    }
}

void vt_cache_hot(struct vt_cache *c, const char *vm, unsigned max,
                  void (*fn)(const char *key, void *arg), void *arg)
{
    for (struct vt_cache_entry *e = c->newest; e != NULL && max > 0; e = e->older) {
        if (e->asked && strcmp(e->vm, vm) == 0) {
            e->asked = false;
            fn(e->key, arg);
            max--;
        }
    }
}

void vt_cache_renew(struct vt_cache *c, const char *key, struct vt_version version,
                    struct vt_reply *answer)
{
    struct vt_cache_entry *e = c->chains[hash(key)];
    while (e != NULL && (e->making || strcmp(e->key, key) != 0)) {
        e = e->chain;
    }
    if (e == NULL) {
        vt_reply_drop(answer);
        return;
    }
    unmake(c, &e->next);
    if (make(c, &e->next, version, answer)) {
        make_room(c);
    } else {
        unmake(c, &e->next);
    }
}

void vt_etag(struct vt_version version, char etag[VT_ETAG_MAX])
{
    snprintf(etag, VT_ETAG_MAX, "\"%" PRIx64 "-%" PRIx64 "\"", version.unix_us, version.number);
}

bool vt_etag_matches(const char *header, const char *etag)
{
    size_t n = strlen(etag);
    while (header != NULL && *header != '\0') {
        header += strspn(header, " \t,");
        if (*header == '*') {
            return true;
        }
        header += strncmp(header, "W/", 2) == 0 ? 2 : 0;
        if (strncmp(header, etag, n) == 0 &&
            (header[n] == '\0' || strchr(" \t,", header[n]) != NULL)) {
            return true;
        }
        if (*header == '"') {
            header += 1 + strcspn(header + 1, "\"");
            header += *header == '"';
        } else {
            header += strcspn(header, ",");
        }
    }
    return false;
}
