/* guest/linux/hidden.h - what is met in several ways, and in which of them. For hidden*.c. */
#ifndef VT_GUEST_LINUX_HIDDEN_H
#define VT_GUEST_LINUX_HIDDEN_H

#include "guest/linux/noun.h"

/** Objects by address, in the order they were first met, each with a bit a view that has it. */
struct vt_sights {
    struct vt_sight {
        uint64_t at;
        unsigned views;
    } *list;
    size_t n, room, cap;
    uint32_t *slots; /* open addressing: index + 1, 0 is free */
    size_t n_slots;
};

/** Notes that `view` has it. More than `cap` objects are not noted. VT_E_NOMEM. */
int vt_sights_add(struct vt_sights *sights, uint64_t at, unsigned view, struct vt_error *err);
/** The views that have it; 0: none. */
unsigned vt_sights_of(const struct vt_sights *sights, uint64_t at);
void vt_sights_fini(struct vt_sights *sights);

/** "yes", "no", or NULL when the view does not apply or could not be taken. */
const char *vt_sight_word(unsigned views, unsigned view, unsigned taken);

/** The guest runs while views are taken one after another: what is missing somewhere is looked for
 *  again, this often in all, before it is called hidden. */
#define VT_HIDDEN_ROUNDS 3u

int vt_hidden_tasks(struct vt_walk *walk, struct vt_error *err);
int vt_hidden_modules(struct vt_walk *walk, struct vt_error *err);

#endif
