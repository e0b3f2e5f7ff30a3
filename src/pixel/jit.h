/* pixel/jit.h - between host.c and the module that has libgccjit: what the module offers.
 *
 * libgccjit is a compiler of 30 MB: only who compiles a kernel loads it (vt_path_lib finds it).
 */
#ifndef VT_PIXEL_JIT_H
#define VT_PIXEL_JIT_H

#include "vitrine/pixel.h"

#define VT_JIT_MODULE "vitrine-jit.so"
#define VT_JIT_SYMBOL "vt_jit_module"
#define VT_JIT_ENTRY "vt_pixel_kernel" /**< the one function of the object, a vt_pixel_entry */

struct vt_jit {
    /** Writes an object file. No packed operations. `options`: of gcc, NULL-terminated.
     * VT_E_REFUSED, with gcc's words.
     */
    int (*compile)(const struct vt_pixel_program *p, unsigned optimise, const char *const *options,
                   const char *object, struct vt_error *err);
    const char *(*version)(void);
};

#endif
