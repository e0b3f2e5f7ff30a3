/* venus/objects.c - the table of a context's objects.
 *
 * An open-addressed table of (id, object) that readers probe without a lock or a retry. A slot's id
 * is 0 until it is first used; a slot with an id and no object is passed over, and used again by a
 * later id. A fuller table is copied into a new one, which is published at once. The place of an id
 * comes from a random seed: a guest that chooses ids cannot make probes long.
 *
 * What left the table is kept until every visitor has been quiet since (quiescent states): each
 * retirement begins an epoch, and a visitor says which epoch it has last been quiet in.
 */
#include "venus/objects.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#define SLOTS_MIN 1024u
/* Retired objects are looked through again after so many more. */
#define RECLAIM_EVERY 64u

struct slot {
    _Atomic uint64_t id;
    _Atomic(struct vt_venus_object *) object;
};

struct table {
    struct table *retired;
    uint64_t retired_at;
    uint64_t mask;
    struct slot slots[];
};

struct vt_venus_objects {
    _Atomic(struct table *) table;
    uint64_t seed, factor;
    _Atomic uint64_t epoch;
    uint32_t max;
    pthread_mutex_t lock;
    /* under the lock */
    size_t used; /* slots with an id */
    struct vt_venus_object top;
    struct vt_venus_object *instance;
    struct vt_venus_visitor *visitors;
    struct vt_venus_object *retired, *retired_last;
    struct table *retired_tables;
    uint64_t retired_count, reclaim_at;
    _Atomic uint64_t created, destroyed;
};

static uint64_t place(const struct vt_venus_objects *objects, uint64_t id)
{
    uint64_t h = (id ^ objects->seed) * objects->factor;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

static struct table *table_of(uint64_t slots)
{
    struct table *table = calloc(1, sizeof *table + slots * sizeof *table->slots);
    if (table != NULL) {
        table->mask = slots - 1;
    }
    return table;
}

int vt_venus_objects_create(uint32_t max, struct vt_venus_objects **objects, struct vt_error *err)
{
    struct vt_venus_objects *o = calloc(1, sizeof *o);
    struct table *table = table_of(SLOTS_MIN);
    if (o == NULL || table == NULL) {
        free(o);
        free(table);
        return vt_fail(err, VT_E_NOMEM, "no memory for a table of objects");
    }
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        free(o);
        free(table);
        return vt_fail_errno(err, VT_E_IO, errno, "getrandom");
    }
    o->seed = random[0];
    o->factor = random[1] | 1;
    o->max = max;
    atomic_init(&o->table, table);
    atomic_init(&o->epoch, 1);
    pthread_mutex_init(&o->lock, NULL);
    *objects = o;
    return 0;
}

/* ---- readers ---- */

struct vt_venus_object *vt_venus_objects_get(struct vt_venus_objects *objects, uint64_t id)
{
    /* Pairs with the release of grow(). */
    const struct table *table = atomic_load_explicit(&objects->table, memory_order_acquire);
    if (id == 0) {
        return NULL;
    }
    /* Ends: at least half of the slots have never been used. */
    for (uint64_t at = place(objects, id);; at++) {
        const struct slot *slot = &table->slots[at & table->mask];
        uint64_t found = atomic_load_explicit(&slot->id, memory_order_relaxed);
        if (found == id) {
            /* Pairs with the release of insert(). Where the slot went to another id in between,
             * that object has another id: what was asked for has been removed. */
            struct vt_venus_object *object =
                atomic_load_explicit(&slot->object, memory_order_acquire);
            if (object != NULL && object->id == id) {
                return object;
            }
        } else if (found == 0) {
            return NULL;
        }
    }
}

struct vt_venus_object *vt_venus_objects_find(struct vt_venus_objects *objects, uint64_t id,
                                              VkObjectType type)
{
    struct vt_venus_object *object = vt_venus_objects_get(objects, id);
    return object != NULL && object->type == type ? object : NULL;
}

static struct vt_venus_object *look_up(struct vt_venus_in *in, uint64_t id, VkObjectType type,
                                       const char *member)
{
    struct vt_venus_object *object = vt_venus_objects_get(in->objects, id);
    if (__builtin_expect(object == NULL, 0)) {
        vt_venus_fail(in, VT_VENUS_NO_OBJECT, member, id, 0);
        return NULL;
    }
    if (__builtin_expect(object->type != type, 0)) {
        vt_venus_fail(in, VT_VENUS_TYPE, member, id, (uint64_t)object->type);
        return NULL;
    }
    return object;
}

struct vt_venus_object *vt_venus_in_object(struct vt_venus_in *in, VkObjectType type,
                                           const char *member)
{
    uint64_t id = vt_venus_u64(in);
    if (vt_venus_bad(in) || in->objects == NULL) {
        return NULL;
    }
    if (id == 0) {
        vt_venus_fail(in, VT_VENUS_NULL, member, 0, 0);
        return NULL;
    }
    return look_up(in, id, type, member);
}

uint64_t vt_venus_in_handle(struct vt_venus_in *in, VkObjectType type, bool null,
                            const char *member)
{
    uint64_t id = vt_venus_u64(in);
    if (in->objects == NULL || vt_venus_bad(in)) {
        return vt_venus_bad(in) ? 0 : id;
    }
    if (id == 0) {
        if (!null) {
            vt_venus_fail(in, VT_VENUS_NULL, member, 0, 0);
        }
        return 0;
    }
    const struct vt_venus_object *object = look_up(in, id, type, member);
    if (object == NULL) {
        return 0;
    }
    /* A driver follows what it is given into structures of its own device. */
    if (__builtin_expect(object->owner != in->owner && in->owner != NULL, 0)) {
        vt_venus_fail(in, VT_VENUS_FOREIGN, member, id, 0);
        return 0;
    }
    return object->handle;
}

/* ---- what visitors no longer see ---- */

void vt_venus_visitor_add(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor)
{
    atomic_init(&visitor->seen, 0);
    pthread_mutex_lock(&objects->lock);
    visitor->next = objects->visitors;
    objects->visitors = visitor;
    pthread_mutex_unlock(&objects->lock);
}

void vt_venus_visitor_remove(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor)
{
    pthread_mutex_lock(&objects->lock);
    struct vt_venus_visitor **at = &objects->visitors;
    while (*at != visitor) {
        at = &(*at)->next;
    }
    *at = visitor->next;
    pthread_mutex_unlock(&objects->lock);
}

void vt_venus_visitor_resume(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor)
{
    /* Either reclaim() reads that we are awake, or, as that read comes before our exchange in the
     * total order, our second load reads the epoch that the retirement began, and with it the table
     * without what was retired. */
    uint64_t epoch = atomic_load_explicit(&objects->epoch, memory_order_acquire);
    atomic_exchange_explicit(&visitor->seen, epoch, memory_order_seq_cst);
    (void)atomic_load_explicit(&objects->epoch, memory_order_seq_cst);
}

void vt_venus_visitor_quiet(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor)
{
    uint64_t epoch = atomic_load_explicit(&objects->epoch, memory_order_acquire);
    if (atomic_load_explicit(&visitor->seen, memory_order_relaxed) != epoch) {
        /* Release: what was read of objects was read before. The epoch was read with acquire, so
         * what is looked up from now on is not what was retired before it. */
        atomic_store_explicit(&visitor->seen, epoch, memory_order_release);
    }
}

void vt_venus_visitor_pause(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor)
{
    (void)objects;
    atomic_store_explicit(&visitor->seen, 0, memory_order_release);
}

/* Frees what no visitor can hold any more. Under the lock. */
static void reclaim(struct vt_venus_objects *objects)
{
    uint64_t oldest = UINT64_MAX;
    for (struct vt_venus_visitor *v = objects->visitors; v != NULL; v = v->next) {
        /* Totally ordered with the exchange of resume(), acquire for those of quiet() and pause().
         */
        uint64_t seen = atomic_load_explicit(&v->seen, memory_order_seq_cst);
        if (seen != 0 && seen < oldest) {
            oldest = seen;
        }
    }
    while (objects->retired != NULL && objects->retired->retired_at <= oldest) {
        struct vt_venus_object *object = objects->retired;
        objects->retired = object->retired;
        objects->retired_count--;
        if (object->free_state != NULL) {
            object->free_state(object->state);
        }
        free(object);
    }
    struct table **at = &objects->retired_tables;
    while (*at != NULL) {
        struct table *table = *at;
        if (table->retired_at <= oldest) {
            *at = table->retired;
            free(table);
        } else {
            at = &table->retired;
        }
    }
    objects->reclaim_at = objects->retired_count + RECLAIM_EVERY;
}

/* A new epoch: whoever is quiet in it does not see what was taken out before. */
static uint64_t next_epoch(struct vt_venus_objects *objects)
{
    return atomic_fetch_add_explicit(&objects->epoch, 1, memory_order_seq_cst) + 1;
}

/* ---- writers, under the lock ---- */

/* Puts an object into the first slot that holds none; the caller has seen to room. */
static void insert(struct vt_venus_objects *objects, struct table *table,
                   struct vt_venus_object *object)
{
    for (uint64_t at = place(objects, object->id);; at++) {
        struct slot *slot = &table->slots[at & table->mask];
        if (atomic_load_explicit(&slot->object, memory_order_relaxed) == NULL) {
            objects->used += atomic_load_explicit(&slot->id, memory_order_relaxed) == 0;
            atomic_store_explicit(&slot->id, object->id, memory_order_relaxed);
            atomic_store_explicit(&slot->object, object, memory_order_release);
            return;
        }
    }
}

/* Room for one more in a table at most half of whose slots were ever used. */
static bool grow(struct vt_venus_objects *objects, uint64_t alive)
{
    struct table *old = atomic_load_explicit(&objects->table, memory_order_relaxed);
    if (objects->used < (old->mask + 1) / 2) {
        return true;
    }
    uint64_t slots = SLOTS_MIN;
    while (slots < (alive + 1) * 4) {
        slots *= 2;
    }
    struct table *table = table_of(slots);
    if (table == NULL) {
        return false;
    }
    objects->used = 0;
    for (uint64_t i = 0; i <= old->mask; i++) {
        struct vt_venus_object *object =
            atomic_load_explicit(&old->slots[i].object, memory_order_relaxed);
        if (object != NULL) {
            insert(objects, table, object);
        }
    }
    atomic_store_explicit(&objects->table, table, memory_order_release);
    old->retired = objects->retired_tables;
    objects->retired_tables = old;
    old->retired_at = next_epoch(objects);
    reclaim(objects);
    return true;
}

static void take_out(struct vt_venus_objects *objects, uint64_t id)
{
    struct table *table = atomic_load_explicit(&objects->table, memory_order_relaxed);
    for (uint64_t at = place(objects, id);; at++) {
        struct slot *slot = &table->slots[at & table->mask];
        struct vt_venus_object *object = atomic_load_explicit(&slot->object, memory_order_relaxed);
        if (object != NULL && object->id == id) {
            atomic_store_explicit(&slot->object, NULL, memory_order_release);
            return;
        }
    }
}

static uint64_t alive(const struct vt_venus_objects *objects)
{
    return atomic_load_explicit(&objects->created, memory_order_relaxed) -
           atomic_load_explicit(&objects->destroyed, memory_order_relaxed);
}

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

static int put(struct vt_venus_objects *objects, struct vt_venus_object *object,
               struct vt_venus_object *parent, struct vt_error *err)
{
    if (parent == NULL) {
        parent = object->type != VK_OBJECT_TYPE_INSTANCE && objects->instance != NULL
                     ? objects->instance
                     : &objects->top;
    }
    if (parent->gone) {
        return vt_fail(err, VT_E_GONE, "object %" PRIu64 ": its parent %" PRIu64 " has ended",
                       object->id, parent->id);
    }
    uint64_t now = alive(objects);
    if (now + objects->retired_count >= objects->max) {
        reclaim(objects);
    }
    /* Retired ones count half: somebody who never comes to a quiet point must not fill memory. */
    if (now + objects->retired_count / 2 >= objects->max) {
        return vt_fail(err, VT_E_LIMIT, "more than %" PRIu32 " objects", objects->max);
    }
    if (object->id == 0 || vt_venus_objects_get(objects, object->id) != NULL) {
        return vt_fail(err, VT_E_EXISTS, "the id %" PRIu64 " is in use", object->id);
    }
    if (!grow(objects, now)) {
        return vt_fail(err, VT_E_NOMEM, "no memory for a table of %" PRIu64 " objects", now);
    }
    bool owns = object->type == VK_OBJECT_TYPE_INSTANCE || object->type == VK_OBJECT_TYPE_DEVICE;
    object->owner = owns ? object : parent->owner;
    object->instance = object->instance != NULL ? object->instance : parent->instance;
    object->device = object->device != NULL ? object->device : parent->device;
    object->parent = parent == &objects->top ? NULL : parent;
    object->next_sibling = parent->first_child;
    if (parent->first_child != NULL) {
        parent->first_child->previous_sibling = object;
    }
    parent->first_child = object;
    if (object->type == VK_OBJECT_TYPE_INSTANCE) {
        objects->instance = object;
    }
    insert(objects, atomic_load_explicit(&objects->table, memory_order_relaxed), object);
    count(&objects->created, 1);
    return 0;
}

int vt_venus_objects_put(struct vt_venus_objects *objects, struct vt_venus_object *object,
                         struct vt_venus_object *parent, struct vt_error *err)
{
    pthread_mutex_lock(&objects->lock);
    int rc = put(objects, object, parent, err);
    pthread_mutex_unlock(&objects->lock);
    return rc;
}

int vt_venus_objects_add(struct vt_venus_objects *objects, uint64_t id, VkObjectType type,
                         uint64_t handle, struct vt_venus_object *parent,
                         struct vt_venus_object **object, struct vt_error *err)
{
    struct vt_venus_object *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return vt_fail(err, VT_E_NOMEM, "no memory for an object");
    }
    made->id = id;
    made->type = type;
    made->handle = handle;
    int rc = vt_venus_objects_put(objects, made, parent, err);
    if (rc != 0) {
        free(made);
        return rc;
    }
    if (object != NULL) {
        *object = made;
    }
    return 0;
}

static void unlink_from_parent(struct vt_venus_objects *objects, struct vt_venus_object *object)
{
    struct vt_venus_object *parent = object->parent != NULL ? object->parent : &objects->top;
    if (object->previous_sibling != NULL) {
        object->previous_sibling->next_sibling = object->next_sibling;
    } else {
        parent->first_child = object->next_sibling;
    }
    if (object->next_sibling != NULL) {
        object->next_sibling->previous_sibling = object->previous_sibling;
    }
}

/* Takes `object` and all below it out, in the order in which they end; returns how many. */
static uint64_t take_tree(struct vt_venus_objects *objects, struct vt_venus_object *object,
                          struct vt_venus_object **first, struct vt_venus_object **last)
{
    struct vt_venus_object **end = first;
    struct vt_venus_object *at = object;
    uint64_t n = 0;
    for (;;) {
        while (at->first_child != NULL) {
            at = at->first_child;
        }
        struct vt_venus_object *parent = at->parent;
        unlink_from_parent(objects, at);
        take_out(objects, at->id);
        at->gone = true;
        at->retired = NULL;
        *end = at;
        end = &at->retired;
        *last = at;
        n++;
        if (objects->instance == at) {
            objects->instance = NULL;
        }
        if (at == object) {
            return n;
        }
        at = parent;
    }
}

void vt_venus_objects_end(struct vt_venus_objects *objects, struct vt_venus_object *object)
{
    struct vt_venus_object *first = NULL;
    struct vt_venus_object *last = NULL;
    pthread_mutex_lock(&objects->lock);
    uint64_t n = object->gone ? 0 : take_tree(objects, object, &first, &last);
    pthread_mutex_unlock(&objects->lock);
    if (n == 0) {
        return;
    }
    for (struct vt_venus_object *o = first; o != NULL; o = o->retired) {
        vt_venus_end_fn *end = vt_venus_end_of(o->type);
        bool in_use =
            o->owner != NULL && o->owner != o && (o->owner->flags & VT_VENUS_DEVICE_HUNG) != 0;
        if (end != NULL && !in_use) {
            end(o);
        }
    }
    pthread_mutex_lock(&objects->lock);
    uint64_t epoch = next_epoch(objects);
    for (struct vt_venus_object *o = first; o != NULL; o = o->retired) {
        o->retired_at = epoch;
    }
    if (objects->retired == NULL) {
        objects->retired = first;
    } else {
        objects->retired_last->retired = first;
    }
    objects->retired_last = last;
    objects->retired_count += n;
    count(&objects->destroyed, n);
    if (objects->retired_count >= objects->reclaim_at) {
        reclaim(objects);
    }
    pthread_mutex_unlock(&objects->lock);
}

void vt_venus_objects_end_below(struct vt_venus_objects *objects, struct vt_venus_object *object)
{
    for (;;) {
        pthread_mutex_lock(&objects->lock);
        struct vt_venus_object *child = object->first_child;
        pthread_mutex_unlock(&objects->lock);
        if (child == NULL) {
            return;
        }
        vt_venus_objects_end(objects, child);
    }
}

void vt_venus_objects_destroy(struct vt_venus_objects *objects)
{
    if (objects == NULL) {
        return;
    }
    while (objects->top.first_child != NULL) {
        vt_venus_objects_end(objects, objects->top.first_child);
    }
    /* The owner says that nobody looks up any more. */
    objects->visitors = NULL;
    reclaim(objects);
    free(atomic_load_explicit(&objects->table, memory_order_relaxed));
    pthread_mutex_destroy(&objects->lock);
    free(objects);
}

void vt_venus_objects_each(struct vt_venus_objects *objects, VkObjectType type,
                           void (*visit)(struct vt_venus_object *object, void *arg), void *arg)
{
    pthread_mutex_lock(&objects->lock);
    const struct table *table = atomic_load_explicit(&objects->table, memory_order_relaxed);
    for (uint64_t i = 0; i <= table->mask; i++) {
        struct vt_venus_object *object =
            atomic_load_explicit(&table->slots[i].object, memory_order_relaxed);
        if (object != NULL && object->type == type) {
            visit(object, arg);
        }
    }
    pthread_mutex_unlock(&objects->lock);
}

void vt_venus_objects_counts(const struct vt_venus_objects *objects,
                             struct vt_venus_object_counts *counts)
{
    /* Destroyed first: alive is then never below nothing. */
    uint64_t destroyed = atomic_load_explicit(&objects->destroyed, memory_order_acquire);
    uint64_t created = atomic_load_explicit(&objects->created, memory_order_relaxed);
    *counts = (struct vt_venus_object_counts){
        .created = created, .destroyed = destroyed, .alive = created - destroyed};
}
