/* trace/names.h - what stands behind struct vt_trace_names.
 *
 *   names.c        texts, blocks and roots that are known; asking; writing them into a file
 *   names_live.c   from a guest: processes, the kernel's symbols
 *   names_image.c  from a guest: the files that code is mapped from, and their symbols
 *
 * A block is kept once, when it is first seen; what costs more (a file's symbols) is looked up when
 * somebody asks for it. Everything has a cap: what is beyond has no name.
 */
#ifndef VT_TRACE_NAMES_H
#define VT_TRACE_NAMES_H

#include "vitrine/trace.h"

#define VT_NAMES_BLOCKS_MAX ((uint32_t)1 << 24)
#define VT_NAMES_ROOTS_MAX ((uint32_t)1 << 16)
#define VT_NAMES_CHANGES_MAX ((uint32_t)1 << 20)
#define VT_NAMES_TEXT_BYTES_MAX ((size_t)256 << 20)

struct vt_names_block {
    uint64_t pc, physical;
    uint64_t root;   /* under which it was first seen */
    uint64_t offset; /* of pc, as in struct vt_trace_place */
    uint32_t bytes, id;
    uint32_t object, function; /* texts; 0: unknown */
    uint32_t image;            /* live: number + 1 of the file that has it; 0: none, or named */
    uint32_t tried;            /* live: how much was known when it was looked for */
};

struct vt_names_root {
    uint64_t root;
    int64_t pid;      /* -1: unknown */
    uint32_t name;    /* text; 0: unknown */
    int64_t last_pid; /* who had it last, and when nobody knows who has it */
    uint32_t last_name;
    uint64_t task, mm; /* live: guest-virtual addresses; 0: none */
    uint64_t since;    /* live: the event at which it was last switched to without a process */
    bool ran_user;     /* live: its name is one that the process had when it ran code of its own */
};

/* A root got a process. */
struct vt_names_change {
    uint64_t event, root;
    int64_t pid;
    uint32_t name;
};

struct vt_names_live;

/* What is known of who has a root. */
enum vt_names_sure {
    VT_NAMES_SURE,    /* the process, and the name it runs its own code under */
    VT_NAMES_EARLY,   /* a process, which may not have its name yet */
    VT_NAMES_UNKNOWN, /* no process yet */
};

#define VT_NAMES_VCPUS 64u /* more of them share what is known */

struct vt_trace_names {
    char **texts; /* by number - 1 */
    uint32_t n_texts, texts_room, *text_slots, text_mask;
    size_t text_bytes;
    struct vt_names_block *blocks;
    uint32_t n_blocks, blocks_room;
    uint32_t *by_id; /* index + 1; 0: not seen */
    uint32_t n_ids;
    struct vt_names_at {
        uint64_t pc;
        uint32_t block;
    } *by_pc; /* the first `n_sorted` blocks, in the order of their addresses */
    uint32_t n_sorted;
    struct vt_names_root *roots;
    uint32_t n_roots, roots_room, *root_slots, root_mask;
    struct vt_names_change *changes; /* live: as they were noticed; of a file: in order */
    uint32_t n_changes, changes_room;
    uint32_t n_applied;                 /* of a file: that `roots` has */
    const struct vt_trace_source *file; /* or NULL */
    uint64_t events;                    /* seen */
    struct {
        uint64_t root;              /* as it was last seen */
        enum vt_names_sure process; /* live: of that root */
    } vcpus[VT_NAMES_VCPUS];
    struct vt_names_live *live; /* NULL: what is here is all */
};

/** The number of a text, the same for equal ones; 0: there is no room, or it is NULL. */
uint32_t vt_names_text(struct vt_trace_names *names, const char *text);
/** NULL for 0. */
const char *vt_names_text_of(const struct vt_trace_names *names, uint32_t text);
/** The entry of a root; NULL: none. With `add` it is made, NULL: no room. */
struct vt_names_root *vt_names_root(struct vt_trace_names *names, uint64_t root, bool add);

/** Notes that a root has a process, from an event on. */
void vt_names_process(struct vt_trace_names *names, struct vt_names_root *root, uint64_t event,
                      int64_t pid, const char *name);

/* ---- live */

int vt_names_live_create(struct vt_target *target, struct vt_names_live **live,
                         struct vt_error *err);
void vt_names_live_destroy(struct vt_names_live *live);
/** A vCPU runs the process of `root` outside the kernel: what it is called by now is its name. */
void vt_names_live_user_mode(struct vt_trace_names *names, uint64_t root);
/** A vCPU switched to `root` (`entered`), or goes on with it; what is known of its process now. */
enum vt_names_sure vt_names_live_switch(struct vt_trace_names *names, uint64_t root, bool entered);
/** Looks for the file or the kernel's symbol of a block that has none yet. */
void vt_names_live_block(struct vt_trace_names *names, struct vt_names_block *block);
/** Looks for the symbol of a block with an image, which it has no more then. */
void vt_names_live_symbol(struct vt_trace_names *names, struct vt_names_block *block);
/** The kernel's and its modules' code, at any address. */
bool vt_names_live_kernel(struct vt_trace_names *names, uint64_t pc, struct vt_trace_place *place);
/** What was not found when it was seen is looked for once more. */
void vt_names_live_finish(struct vt_trace_names *names);

#endif
