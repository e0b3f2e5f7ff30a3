/* pixel/host.h - the host back end: a program as machine code of this processor.
 *
 * libgccjit compiles it (in vitrine-jit.so, loaded when it is first needed), vectorised where the
 * compiler can. What comes out is an *image*: bytes without relocations and without anything
 * outside of them, so that they run wherever they are copied to, page-aligned, readable and
 * executable: in this process or in QEMU's. The image checks overlaps by itself where its order
 * matters, so streams may overlap in any way; memory that is touched is exactly the windows.
 */
#ifndef VT_PIXEL_HOST_H
#define VT_PIXEL_HOST_H

#include "vitrine/pixel.h"

struct vt_pixel_image {
    uint8_t *bytes; /**< malloc */
    size_t n;
    size_t entry; /**< offset of a vt_pixel_entry */
};
/** Runs a call as vt_pixel_interpret does. Uses the C calling convention of x86-64, no stack beyond
 * 64 KiB, no thread-local data. It leaves vector registers' upper halves clean. */
typedef uint64_t vt_pixel_entry(const struct vt_pixel_call *call);

/** Compiles a validated program for the processor that runs this. `optimise` 0-3. VT_E_UNSUPPORTED:
 * no libgccjit here, or another architecture than x86-64; VT_E_REFUSED: the compiler will not. One
 * thread at a time (it is locked inside). */
int vt_pixel_compile(const struct vt_pixel_program *p, unsigned optimise,
                     struct vt_pixel_image *image, struct vt_error *err);
void vt_pixel_image_fini(struct vt_pixel_image *image);
/** What vt_pixel_compile used, for people: "libgccjit 12.2.0, -march=x86-64-v3". Static. */
const char *vt_pixel_compiler(void);

/** An image that can be called here. NULL: no memory. */
vt_pixel_entry *vt_pixel_image_map(const struct vt_pixel_image *image, struct vt_error *err);
void vt_pixel_image_unmap(vt_pixel_entry *entry, const struct vt_pixel_image *image);

#endif
