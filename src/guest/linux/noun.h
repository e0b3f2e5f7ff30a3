/* guest/linux/noun.h - what a noun's walk is given: the kernel, the query, a look, and where rows
 * go. For the files of this folder.
 *
 *   static int walk(struct vt_walk *w, struct vt_error *err)
 *   {
 *       ...take the layout; for each object the kernel lists:
 *           struct vt_thing row;
 *           do {
 *               vt_look_begin(&w->look);
 *               row = (struct vt_thing){.row.at = at};
 *               ...read through &w->look, doubt what cannot be...
 *           } while (vt_look_again(&w->look));
 *           rc = vt_walk_row(w, &row.row);
 *   }
 */
#ifndef VT_GUEST_LINUX_NOUN_H
#define VT_GUEST_LINUX_NOUN_H

#include "guest/kernel.h"
#include "guest/linux/hlist.h"
#include "guest/linux/layout.h"
#include "guest/linux/list.h"
#include "guest/linux/look.h"
#include "guest/linux/object.h"
#include "guest/linux/percpu.h"
#include "vitrine/linux.h"

struct vt_walk {
    struct vt_kernel *kernel;
    const struct vt_space *space; /* the kernel's */
    struct vt_noun_query query;
    struct vt_look look;
    struct vt_noun_result result;
    size_t steps; /* taken by vt_walk_step */
    vt_row_fn *fn;
    void *arg;
};

/** Hands out a row that was built under the walk's look; fills row->trust and row->why from it.
 *  Non-zero: end the walk and return it. */
int vt_walk_row(struct vt_walk *walk, struct vt_row *row);
/** Says what is wrong with a row; the first finding stays. Call it before vt_walk_row. */
void vt_row_find(struct vt_row *row, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Notes that rows may be missing; the first reason stays. */
void vt_walk_torn(struct vt_walk *walk, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Ends the walk of a list or of a hash table and notes what it met. */
void vt_walk_list_end(struct vt_walk *walk, struct vt_list_walk *list);
void vt_walk_hlist_end(struct vt_walk *walk, struct vt_hlist_walk *hlist);

/** For what hangs on rows (a cache's slabs, a process's descriptors): true as often as there may be
 *  such things in RAM, then false, noted. A list's own cap is not enough, since a guest can hang
 * the same long list on every row. */
bool vt_walk_step(struct vt_walk *walk);

/** The processes the query asks for (their group leaders), and whether their list is torn, noted.
 *  VT_E_NOT_FOUND when the query names one that is not there. Free with vt_task_list_fini. */
int vt_walk_tasks(struct vt_walk *walk, struct vt_task_list *list, struct vt_error *err);

/** The symbol that begins at `gva`, of the kernel or a module; NULL: none does. */
const char *vt_walk_symbol(const struct vt_walk *walk, struct vt_gva gva);

/** The most objects of `bytes` each that RAM has room for, and not more than `max`: a cap for
 *  lists that a guest may have made endless. */
size_t vt_walk_cap(const struct vt_walk *walk, uint64_t bytes, size_t max);

#endif
