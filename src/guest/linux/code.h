/* guest/linux/code.h - whose code an address is: the kernel's text, a module, BPF, ftrace, or
 * nobody's. What a function pointer that leads to nobody's code means is the caller's to say; a
 * pointer of the kernel's own has no business there.
 *
 * A map is made once a walk. The guest runs on: code that came since (a module that was loaded, a
 * program that was compiled) is looked for again before an address is called nobody's.
 */
#ifndef VT_GUEST_LINUX_CODE_H
#define VT_GUEST_LINUX_CODE_H

#include "guest/linux/noun.h"

enum vt_code_owner {
    VT_CODE_NOBODY,
    VT_CODE_KERNEL, /**< the image's text */
    VT_CODE_INIT,   /**< the image's text that was given back after boot: nobody's, since then */
    VT_CODE_MODULE,
    VT_CODE_BPF,    /**< compiled by the kernel from BPF: programs, trampolines, dispatchers */
    VT_CODE_FTRACE, /**< a trampoline of ftrace */
    VT_CODE_KPROBE, /**< copied instructions of a probed function */
};

struct vt_code_range {
    uint64_t from, to;
    enum vt_code_owner owner;
    char name[64]; /**< the module's or program's; else "" */
};

struct vt_code_map {
    struct vt_walk *walk;
    struct vt_code_range *ranges; /**< by address */
    size_t n, room;
    unsigned looks;
    bool frozen; /**< never look again: the caller is going through symbols of modules */
};

/** What an address is. */
struct vt_code_at {
    enum vt_code_owner owner;
    bool start;          /**< where a function begins, as far as symbols tell */
    char owner_text[72]; /**< "kernel", "module ext4", "bpf", "ftrace", "freed init text", "nobody"
                          */
    char whose[88];      /**< "code of module ext4", "nobody's code" */
    char symbol[160];    /**< "tcp_v4_rcv", "tcp_v4_rcv+0x10"; "" where none is known */
};

/** VT_E_NOT_FOUND (the kernel's text has no symbols), VT_E_NOMEM. End with vt_code_map_fini. */
int vt_code_map_init(struct vt_code_map *map, struct vt_walk *walk, struct vt_error *err);
void vt_code_map_fini(struct vt_code_map *map);
/** Never fails; an address that nothing is known of is nobody's. */
void vt_code_find(struct vt_code_map *map, struct vt_gva at, struct vt_code_at *code);
/** Whether the kernel may well be made to run what is there: all owners but nobody and init. */
bool vt_code_is_owned(const struct vt_code_at *code);
/** Whether the function at `at` begins with a jump or a call to nobody's code, and where that is.
 */
bool vt_code_detour(struct vt_code_map *map, struct vt_gva at, struct vt_gva *target,
                    struct vt_code_at *code);
/** Whether a symbol of the kernel's own begins with `prefix` and stands exactly at `at`; `name`,
 *  when not NULL, gets it. */
bool vt_code_symbol_is(const struct vt_kernel *kernel, struct vt_gva at, const char *prefix,
                       const char **name);

#endif
