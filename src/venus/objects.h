/* venus/objects.h - a context's objects: the guest's id -> type, host handle, parent, state.
 *
 * Look-ups are wait-free and happen for every handle of every command, on several rings' threads at
 * once; adding and removing take a lock. An object's memory and its state are reused only after
 * every thread of the context has been at a quiet point (between two batches of commands): a guest
 * that destroys what another ring uses harms its own drawing, and never this process's memory.
 */
#ifndef VT_VENUS_OBJECTS_H
#define VT_VENUS_OBJECTS_H

#include "venus/codec.h"
#include "venus/vulkan.h"

struct vn_instance_table; /* generated: PFN_vk* of an instance */
struct vn_device_table;   /* generated: PFN_vk* of a device */

/** In flags of a device and its instance: the host's GPU did not finish (device.h). What was made
 * of them is not ended, since it may still be in use: it leaves the table, no more. */
#define VT_VENUS_DEVICE_HUNG 0x80000000u

/** One Vulkan object of the guest. Handlers may read all of it; only objects.c writes the links. */
struct vt_venus_object {
    uint64_t id; /**< the guest's; never 0 */
    VkObjectType type;
    uint32_t flags;                           /**< the type's own use */
    uint64_t handle;                          /**< the host's; dispatchable ones are pointers */
    const struct vn_instance_table *instance; /**< of the instance it belongs to */
    const struct vn_device_table *device; /**< of the device it belongs to; NULL above devices */
    struct vt_venus_object *owner;        /**< the VkDevice's object (a device: itself), or the
                                             VkInstance's above devices */
    struct vt_venus_object *parent;       /**< what it dies with: pool, device, instance */
    void *state;                          /**< the type's own, NULL for most */
    /** Frees `state` when nobody can read it any more, long after `end`, which leaves it: NULL
     * where something else owns it. `free` will often do. */
    void (*free_state)(void *state);
    /* links: objects.c */
    struct vt_venus_object *first_child, *next_sibling, *previous_sibling;
    struct vt_venus_object *retired;
    uint64_t retired_at;
    bool gone; /**< out of the table; written under the lock */
};

struct vt_venus_objects;
int vt_venus_objects_create(uint32_t max, struct vt_venus_objects **objects, struct vt_error *err);
/** Ends every object, children first, with its `end`; takes NULL. */
void vt_venus_objects_destroy(struct vt_venus_objects *objects);

/** How an object of a type ends when its parent does, the context does, or the guest destroys it:
 * destroys the host's object and what `state` refers to; other threads may still read `state`
 * itself, which `free_state` frees later. Called once, without a lock, after the object and all
 * below it left the table. Types without an entry need nothing (they die with their parent on the
 * host, as VkPhysicalDevice, VkQueue, VkDescriptorSet and VkCommandBuffer do). */
typedef void vt_venus_end_fn(struct vt_venus_object *object);
/** Generated for pass-through types, else by hand; NULL: nothing to do. */
vt_venus_end_fn *vt_venus_end_of(VkObjectType type);

/** NULL when no object has this id or it is of another type. Valid until the caller's next quiet
 * point. */
struct vt_venus_object *vt_venus_objects_find(struct vt_venus_objects *objects, uint64_t id,
                                              VkObjectType type);
/** Any type. */
struct vt_venus_object *vt_venus_objects_get(struct vt_venus_objects *objects, uint64_t id);

/** Adds an object below `parent` (NULL: the instance): owner and tables come from it, unless it is
 * itself an instance or a device, which own themselves and whose handler sets the tables.
 * VT_E_EXISTS: the id is 0 or in use; VT_E_LIMIT: too many; VT_E_GONE: the parent has ended. */
int vt_venus_objects_add(struct vt_venus_objects *objects, uint64_t id, VkObjectType type,
                         uint64_t handle, struct vt_venus_object *parent,
                         struct vt_venus_object **object, struct vt_error *err);
/** As vt_venus_objects_add, for what is more than a handle: another ring may find an object at
 * once, so all of it must be there before. `object` is zeroed memory of malloc with id, type,
 * handle, flags, state and, for instances and devices, the tables; it belongs to the table on
 * success. */
int vt_venus_objects_put(struct vt_venus_objects *objects, struct vt_venus_object *object,
                         struct vt_venus_object *parent, struct vt_error *err);
/** Takes an object and all below it out of the table and ends them, children first and the youngest
 * first. Where two threads do that at once, the second finds nothing to do. */
void vt_venus_objects_end(struct vt_venus_objects *objects, struct vt_venus_object *object);
/** As vt_venus_objects_end for all below an object, which stays. */
void vt_venus_objects_end_below(struct vt_venus_objects *objects, struct vt_venus_object *object);
/** Calls `visit` with every object of a type; the table's lock is held. */
void vt_venus_objects_each(struct vt_venus_objects *objects, VkObjectType type,
                           void (*visit)(struct vt_venus_object *object, void *arg), void *arg);

/** A thread that looks objects up: register once (paused at first), resume, pass a quiet point
 * whenever no object found before is used any more (between batches), unregister. */
struct vt_venus_visitor {
    _Atomic uint64_t seen; /**< the newest epoch it has been quiet in; 0: paused */
    struct vt_venus_visitor *next;
};
void vt_venus_visitor_add(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor);
void vt_venus_visitor_remove(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor);
void vt_venus_visitor_quiet(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor);
/** While waiting (idle, or inside a host call that uses none of our objects) a thread holds nothing
 * up; what it found before must be looked up again afterwards. */
void vt_venus_visitor_pause(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor);
void vt_venus_visitor_resume(struct vt_venus_objects *objects, struct vt_venus_visitor *visitor);

struct vt_venus_object_counts {
    uint64_t created, destroyed, alive;
};
void vt_venus_objects_counts(const struct vt_venus_objects *objects,
                             struct vt_venus_object_counts *counts);

/** For generated decoders: the object of the first (dispatchable) argument, NULL and a fault
 * otherwise. */
struct vt_venus_object *vt_venus_in_object(struct vt_venus_in *in, VkObjectType type,
                                           const char *member);
/** For generated decoders: reads an id and gives the host's handle (0 for id 0 where `null` allows
 * it), or the id itself when the stream is read without objects. */
uint64_t vt_venus_in_handle(struct vt_venus_in *in, VkObjectType type, bool null,
                            const char *member);

#endif
